"""Presets: a publication's parameters by name, with what the user sets over them; words in comma lists."""

import json
from pathlib import Path

import pytest

from mebench import Preset, plugins
from mebench.cli import status
from mebench.errors import ModelError, UnknownName, UsageError
from mebench.plugins import ModelSource
from tests.planted import arguments, plant, run_arguments


class Model:
    """Parameters of every type, kept as given."""

    presets = {  # noqa: RUF012
        "lab-2014": Preset({"C": 10, "planes": ("xy",), "radii": (1, 1, 2)}, "A lab, 2014, table 3."),
        "misspelt": Preset({"plains": ("xy",)}, "Nobody."),
    }

    def __init__(self, *, C=1.0, planes=("xy", "xt", "yt"), radii=(1, 1, 4), mixed=("a", 1), none=()):
        self.given = {"C": C, "planes": planes, "radii": radii, "mixed": mixed, "none": none}


SOURCE = ModelSource("mine", Model)


def test_a_preset_sets_its_parameters_and_leaves_the_others():
    assert SOURCE.build({}, "lab-2014").given == {
        "C": 10, "planes": ("xy",), "radii": (1, 1, 2), "mixed": ("a", 1), "none": ()
    }  # fmt: skip


def test_what_is_set_stands_over_the_preset():
    given = SOURCE.build({"C": "0.5", "planes": "xt,yt"}, "lab-2014").given
    assert (given["C"], given["planes"], given["radii"]) == (0.5, ("xt", "yt"), (1, 1, 2))


def test_an_unknown_preset_is_answered_with_a_near_one():
    with pytest.raises(UnknownName, match="No preset of mine named 'lab2014'") as caught:
        SOURCE.build({}, "lab2014")
    assert "lab-2014" in caught.value.fix
    assert caught.value.exit_status == 2


def test_a_model_without_presets_has_none():
    with pytest.raises(UnknownName, match="No preset of uniform named 'any'"):
        plugins.load_model("uniform").build({}, "any")


def test_a_preset_of_a_parameter_that_does_not_exist_is_the_models_fault():
    with pytest.raises(ModelError, match="sets 'plains'"):
        SOURCE.build({}, "misspelt")


@pytest.mark.parametrize(("text", "value"), [("xy", ("xy",)), ("xy,xt", ("xy", "xt")), (" yt , xy,", ("yt", "xy"))])
def test_words_go_where_the_default_holds_words(text, value):
    assert SOURCE.build({"planes": text}).given["planes"] == value


@pytest.mark.parametrize(("text", "value"), [("1,1,2", (1, 1, 2)), ("0.5", (0.5,)), ("1e2,3", (100.0, 3))])
def test_numbers_go_where_the_default_holds_numbers(text, value):
    assert SOURCE.build({"radii": text}).given["radii"] == value


@pytest.mark.parametrize(
    ("setting", "fix"),
    [
        ({"planes": "1,2"}, "Give words separated by commas, such as xy,xt,yt."),
        ({"planes": "xy,3"}, "Give words separated by commas, such as xy,xt,yt."),
        ({"planes": ","}, "Give words separated by commas, such as xy,xt,yt."),
        ({"radii": "xy"}, "Give numbers separated by commas, such as 1,1,4."),
        ({"none": "xy"}, "Give numbers separated by commas."),
        ({"C": "much"}, "Give a value of type float."),
    ],
)
def test_what_does_not_fit_its_default_is_one_clear_error(setting, fix):
    with pytest.raises(UsageError, match="does not fit its default") as caught:
        SOURCE.build(setting)
    assert caught.value.fix == fix


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("planted"))


def member(capsys: pytest.CaptureFixture[str], command: list[str]) -> dict:
    capsys.readouterr()
    assert status([*command, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["members"]
    return found


def test_the_run_depends_on_the_parameters_and_not_on_the_name_of_the_preset(planted, capsys):
    by_name = member(capsys, run_arguments(planted, "--preset", "sharp"))
    by_hand = member(capsys, run_arguments(planted, "--set", "sharpness=3.0", "--set", "corners=ul,ur"))
    default = member(capsys, run_arguments(planted))
    assert by_name["run"] == by_hand["run"] != default["run"]
    assert (by_name["notes"], by_hand["notes"]) == (["parameters of preset sharp"], [])
    manifest = json.loads((Path(by_name["folder"]) / "seed-0/manifest.json").read_text())
    assert manifest["spec"]["parameters"] == {"sharpness": 3.0, "corners": ["ul", "ur"]}
    assert manifest["asked"]["preset"] == "sharp"
    assert "preset" not in manifest["spec"]


def test_what_is_set_over_a_preset_makes_another_run(planted, capsys):
    other = member(capsys, run_arguments(planted, "--preset", "sharp", "--set", "sharpness=5"))
    manifest = json.loads((Path(other["folder"]) / "seed-0/manifest.json").read_text())
    assert manifest["spec"]["parameters"] == {"sharpness": 5, "corners": ["ul", "ur"]}


def test_workers_get_the_preset(planted, capsys):
    """The decision is linear in the sharpness, and so are its scores: three times those without the preset."""
    plain = last_scores(member(capsys, run_arguments(planted)))
    command = run_arguments(planted, "--preset", "sharp", "--fresh")
    command[command.index("--jobs") + 1] = "2"
    assert last_scores(member(capsys, command)) == pytest.approx([3 * score for score in plain])


def last_scores(found: dict) -> list[float]:
    lines = (Path(found["folder"]) / "seed-0/predictions.csv").read_text().splitlines()[1:]
    return [float(line.split(",")[-1]) for line in lines]


def test_a_run_made_with_a_preset_is_explained_with_its_parameters(planted, capsys, tmp_path):
    run = member(capsys, run_arguments(planted, "--preset", "sharp"))["run"]
    capsys.readouterr()
    assert status(arguments(planted, "explain", run, "--json", "--jobs", "1", "-o", str(tmp_path))) == 0
    assert json.loads(capsys.readouterr().out)["run"] == run
    assert status(arguments(planted, "show", run)) == 0
    assert "preset sharp" in capsys.readouterr().out


def test_an_unknown_preset_is_told_before_any_work(planted, capsys):
    assert status(run_arguments(planted, "--preset", "shrap")) == 2
    error = capsys.readouterr().err
    assert "No preset of means.Means named 'shrap'" in error
    assert "sharp" in error.splitlines()[1]


def test_an_estimate_names_the_preset(planted, capsys):
    found = member(capsys, run_arguments(planted, "--preset", "sharp", "--estimate"))
    assert found["notes"][0] == "parameters of preset sharp"


def test_presets_of_registered_models_build():
    """Whatever ships: every preset fits its model's parameters and says where it is written."""
    for name in plugins.names("model"):
        source = plugins.load_model(name)
        for preset, held in plugins.presets_of(source.factory).items():
            params = source.build({}, preset).get_params(deep=False)
            assert {key: params[key] for key in held.parameters} == dict(held.parameters), (name, preset)
            assert held.source, (name, preset)

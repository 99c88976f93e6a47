"""Names to objects: entry points, files, parameters."""

import pickle
import textwrap
from importlib.metadata import EntryPoint

import pytest

from mebench import plugins
from mebench.errors import MebenchError, ModelError, UnknownName, UsageError


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        textwrap.dedent(
            """
            from sklearn.dummy import DummyClassifier

            class Mine(DummyClassifier):
                pass
            """
        )
    )
    return path


def test_shipped_models_register_as_a_strangers_would():
    assert {"constant", "uniform"} <= set(plugins.names("model"))
    assert plugins.load("model", "constant").__module__ == "mebench.baselines.floor"


def test_a_fabricated_package_registers_by_its_entry_point(monkeypatch):
    entry = EntryPoint("strange", "collections:OrderedDict", "mebench.models")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry] if group == "mebench.models" else [])
    assert plugins.names("model") == ("strange",)
    assert plugins.load("model", "strange").__name__ == "OrderedDict"


def test_a_broken_package_is_named_not_raised(monkeypatch):
    entry = EntryPoint("broken", "no_such_module:Thing", "mebench.models")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry])
    with pytest.raises(ModelError, match=r"no_such_module:Thing but cannot be imported"):
        plugins.load("model", "broken")


def test_an_unknown_name_is_answered_with_a_near_one():
    with pytest.raises(UnknownName) as caught:
        plugins.load("model", "constnat")
    assert caught.value.exit_status == 2
    assert "constant" in caught.value.fix


def test_a_model_from_a_file_carries_the_digest_of_the_file(model_file):
    source = plugins.load_model(f"{model_file}:Mine")
    assert source.factory.__name__ == "Mine"
    before = source.digest
    model_file.write_text(model_file.read_text() + "\n# changed\n")
    assert plugins.load_model(f"{model_file}:Mine").digest != before


def test_a_fitted_model_from_a_file_pickles(model_file):
    model = plugins.load_model(f"{model_file}:Mine").build({}).fit([[0], [1]], ["a", "b"])
    assert list(pickle.loads(pickle.dumps(model)).classes_) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [("raise ValueError('no')", "Mine", ModelError), ("x = 1", "Mine", UnknownName), ("def f(:", "Mine", ModelError)],
)
def test_a_wrong_model_file_is_one_error(tmp_path, content, name, error):
    path = tmp_path / "wrong.py"
    path.write_text(content)
    with pytest.raises(error):
        plugins.load_model(f"{path}:{name}")


def test_a_missing_model_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read"):
        plugins.load_model(f"{tmp_path}/absent.py:Mine")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False)])
def test_a_parameter_takes_the_type_of_its_default(text, value):
    assert plugins.load_model("uniform").build({"prior": text}).prior is value


@pytest.mark.parametrize("settings", [{"prior": "perhaps"}, {"priro": "true"}])
def test_a_wrong_parameter_is_a_usage_error(settings):
    with pytest.raises(UsageError) as caught:
        plugins.load_model("uniform").build(settings)
    assert caught.value.exit_status == 2


def test_every_error_is_two_lines_whatever_it_quotes():
    error = MebenchError("clip 'a\nb\x1b[31m' is odd", "do\r\nthis")
    assert str(error).count("\n") == 1
    assert "\x1b" not in str(error)


def test_errors_travel_between_processes():
    error = UnknownName("model", "lma", ["lam"])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    plain = ModelError("what", "fix")
    assert str(pickle.loads(pickle.dumps(plain))) == str(plain)

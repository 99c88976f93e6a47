"""`mebench explain` of networks: where attribution falls, against where skin is known to have moved."""

import csv
import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mebench.attribution import asking, clip, pictures
from mebench.attribution.curves import CAVEAT, STEPS, areas, curves_of, ranks, shifted
from mebench.attribution.fold import untrained
from mebench.attribution.game import play
from mebench.attribution.maps import agreement, checked_maps, density, grid_to_face, on_face
from mebench.attribution.means import difference_of, mean_of
from mebench.attribution.pointing import Target, energy_inside, pointing, skin_motion, target_of
from mebench.attribution.report import Attribution
from mebench.cli import status
from mebench.datasets.casme2 import DATASET
from mebench.drawing import MAP_SIDE
from mebench.errors import DataError, ModelError, UsageError
from mebench.recipes import parse_recipe
from mebench.refit import Question
from mebench.store import read_clip
from mebench.synth.truth import read_truth
from tests.planted import CLIPS, EMOTIONS, SUBJECTS, arguments, run_arguments
from tests.planted_motion import PATCH, PLACES, SKIN_PX, plant_motion

ALL = len(SUBJECTS) * CLIPS
CLIP = "casme2/sub02/EP01_01"  # disgust
PROTOCOL = "planted-loso"

# The patch is 12 px wide and the truth keeps every second px, so half its motion reaches one px further: 13 by 13 of
# the 64 by 64 places move. Near them are those within .05 * 64 = 3.2 places: 4 * 13 * 3 beside the edges, and at each
# corner the 6 with dx, dy >= 1 and dx² + dy² <= 10.24: (1, 1) (1, 2) (2, 1) (2, 2) (1, 3) (3, 1).
AREA = 13 * 13 / MAP_SIDE**2
CHANCE = (13 * 13 + 4 * 13 * 3 + 4 * 6) / MAP_SIDE**2


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = plant_motion(tmp_path_factory.mktemp("motion"))
    for model in ("Looker", "Blind"):
        assert status(run_arguments(root, model=model)) == 0
    return root


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same frames in a corpus without the mark of a synthetic one."""
    root = plant_motion(tmp_path_factory.mktemp("recorded"), synthetic=False)
    assert status(run_arguments(root, model="Looker")) == 0
    return root


def said(capsys: pytest.CaptureFixture[str], command: list[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = status(command)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_id(root: Path, model: str = "Looker") -> str:
    (folder,) = (root / f"home/runs/{PROTOCOL}/means.{model}").iterdir()
    return folder.name


def options_of(root: Path, model: str = "Looker", **more: object) -> dict:
    """The options of the command line."""
    plain = {"seed": None, "clip": None, "annotation": (), "no_corrections": False, "fold": (), "at": None}
    data = {"home": root / "home", "run": run_id(root, model), "data": (f"casme2={root / 'corpus'}",)}
    return {**plain, "against": None, "curves": True, **data, **more}


def asked(root: Path, **more: object) -> Attribution:
    """What the command says, before it is written."""
    found = asking.explained(options_of(root, **more))
    assert isinstance(found, Attribution)
    return found


def explained(capsys: pytest.CaptureFixture[str], root: Path, *more: str, model: str = "Looker") -> dict:
    command = arguments(root, "explain", run_id(root, model), "--jobs", "1", "--json", *more)
    code, out, err = said(capsys, command)
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.fixture(scope="module")
def record(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What `--json` prints of the run of Looker; its files lie where it says."""
    folder = tmp_path_factory.mktemp("explained")
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert status(arguments(home, "explain", run_id(home), "--jobs", "1", "--json", "-o", str(folder))) == 0
    return json.loads(printed.getvalue())


class TestARun:
    def test_a_model_that_looks_where_skin_moved_hits_every_time(self, record):
        game = record["pointing"]
        seen = game["hits"]["seen:change"]["all"]
        assert (seen["clips"], seen["subjects"], seen["value"][0]) == (ALL, len(SUBJECTS), 1.0)
        assert seen["chance"] == pytest.approx(CHANCE)
        assert seen["over_chance"][0] == pytest.approx(1 - CHANCE, abs=1e-6)
        assert game["energy"]["seen:change"]["all"]["value"][0] == pytest.approx(1, abs=1e-6)
        assert game["energy"]["seen:change"]["all"]["chance"] == pytest.approx(AREA)

    @pytest.mark.parametrize("name", ["seen:even", "seen:none"])
    def test_a_map_that_names_no_place_scores_what_chance_does(self, record, name):
        game = record["pointing"]
        assert game["hits"][name]["all"]["value"][0] == pytest.approx(CHANCE, abs=1e-6)
        assert game["hits"][name]["all"]["over_chance"][0] == pytest.approx(0, abs=1e-6)
        assert game["energy"][name]["all"]["value"][0] == pytest.approx(AREA, abs=1e-6)

    def test_hits_are_told_by_annotated_class(self, record):
        hits = record["pointing"]["hits"]["seen:change"]
        assert {c: hits[c]["clips"] for c in EMOTIONS} == dict.fromkeys(EMOTIONS, ALL // 2)

    def test_another_run_is_compared_clip_by_clip(self, home):
        found = asked(home, against=run_id(home, "Blind"), curves=False)
        hits = found.record()["pointing"]["hits"]
        assert hits["seen:change"]["over_rival"][0] == 1.0
        assert "over_rival" not in hits["seen:even"]
        (against,) = (table for table in found.tables() if table.title.startswith("Against Blind"))
        assert [row[:4] for row in against.rows] == [("seen:change", "1.000", ".000", "+1.000")]

    def test_another_run_has_to_be_of_the_same_clips(self, home):
        question = Question.of(options_of(home))
        own = asking.attribute_run(question, asking.Scope(curves=False))
        other = asking.attribute_run(question, asking.Scope(folds=("casme2/sub01",), curves=False))
        assert len(own.asked) == ALL
        assert len(other.asked) == CLIPS
        with pytest.raises(UsageError, match="did not predict the same clips"):
            asking.beside(own, other)

    def test_mean_maps_lie_where_the_class_moves(self, record):
        """The 8 by 8 blocks of the record are 8 places wide; the patch of each class fills its own."""
        for emotion in EMOTIONS:
            shares = np.array(record["maps"]["seen:change"]["mean"][f"taken for {emotion}"])
            expected = np.zeros((MAP_SIDE, MAP_SIDE))
            x, y = PLACES[emotion]
            expected[y : y + PATCH, x : x + PATCH] = PATCH**-2
            np.testing.assert_allclose(shares, expected.reshape(8, 8, 8, 8).sum((1, 3)), atol=1e-5)
        assert record["maps"]["seen:none"]["mean"]["all"] is None
        assert record["maps"]["seen:none"]["blank"] == ALL

    def test_right_and_wrong_are_groups_of_their_own(self, record):
        groups = record["maps"]["seen:change"]["mean"]
        assert set(groups) == {"all", *(f"taken for {emotion}" for emotion in EMOTIONS), "right", "wrong"}
        assert groups["right"] == groups["all"]
        assert groups["wrong"] is None  # Looker errs on none

    def test_deleting_what_counts_costs_more_than_deleting_elsewhere(self, record):
        curves = record["curves"]
        assert curves["caveat"] == CAVEAT
        assert curves["seen:change"]["deletion"]["lead"][0] > 0.05
        assert curves["seen:change"]["insertion"]["lead"][0] > 0.05
        assert abs(curves["seen:even"]["deletion"]["lead"][0]) < 0.05

    def test_the_tables_say_what_they_mean(self, home, capsys):
        code, out, err = said(capsys, arguments(home, "explain", run_id(home), "--jobs", "1"))
        assert (code, err) == (0, "")
        for part in ("where attribution falls", "Pointing game", "Energy on what moved", "Deletion and insertion"):
            assert part in out
        flat = " ".join(out.split())
        assert "lie out of the distribution" in flat
        assert "Nobody published this." in flat
        assert f"predicts {ALL} of {ALL} clips as the run did" in flat
        assert "SYNTHETIC" in flat
        written = [Path(line) for line in out.splitlines()[-3:]]
        assert [path.name for path in written] == ["attribution-seen.png", "curves.png", "attribution.csv"]
        assert all(path.is_file() for path in written)

    def test_the_csv_has_a_row_per_clip_and_map(self, record):
        rows = list(csv.DictReader(io.StringIO(Path(record["files"][-1]).read_text())))
        assert len(rows) == 3 * ALL
        assert {row["hits"] for row in rows if row["map"] == "seen:change"} == {"1.000000"}
        assert {row["truth"] == row["predicted"] for row in rows} == {True}

    def test_chosen_folds_alone_are_fitted_and_curves_can_be_left_out(self, home, capsys, tmp_path):
        record = explained(capsys, home, "--fold", "casme2/sub03", "--no-curves", "-o", str(tmp_path))
        assert (record["clips"], record["curves"]) == (CLIPS, None)
        assert record["refit"] == {"agreeing": CLIPS, "compared": CLIPS}
        assert not (tmp_path / "curves.png").exists()
        code, _, err = said(capsys, arguments(home, "explain", run_id(home), "--fold", "casme2/sub3"))
        assert (code, "Did you mean casme2/sub0" in err) == (2, True)

    def test_workers_say_the_same(self, record, home, capsys, tmp_path):
        command = arguments(home, "explain", run_id(home), "--json", "--jobs", "2", "-o", str(tmp_path))
        code, out, _ = said(capsys, command)
        assert code == 0
        assert {**json.loads(out), "files": 0} == {**record, "files": 0}
        for alone in map(Path, record["files"]):
            assert alone.read_bytes() == (tmp_path / alone.name).read_bytes()

    def test_without_truth_there_is_no_game(self, recorded, capsys, tmp_path):
        record = explained(capsys, recorded, "-o", str(tmp_path))
        assert (record["pointing"], record["synthetic"]) == (None, False)
        assert any("known of synthetic corpora only" in remark for remark in record["remarks"])


class TestAClip:
    def test_a_place_can_be_asked_about(self, home, capsys, tmp_path):
        """Place (.26, .74) of the face is px 16.14, 46.86 of the 64 px input; Looker marks px 16, 47."""
        record = explained(capsys, home, "--clip", CLIP, "--at", ".26", ".74", "-o", str(tmp_path))
        assert record["maps"]["row:here"]["peak"] == pytest.approx([16.5 / 64, 47.5 / 64], abs=0.002)
        assert record["maps"]["row:here"]["deletion"] is None
        assert (record["truth"], record["predicted"], record["fold"]) == ("disgust", "disgust", "casme2/sub02")
        assert record["maps"]["seen:change"]["hit"] == 1
        assert record["face_shown"] is True  # rendered

    def test_files_carry_the_clip(self, home, capsys, tmp_path):
        record = explained(capsys, home, "--clip", CLIP, "-o", str(tmp_path))
        names = [Path(path).name for path in record["files"]]
        assert names == [f"clip-casme2__sub02__EP01_01-attribution.{ending}" for ending in ("png", "csv")]
        assert cv2.imread(str(tmp_path / names[0])).size

    @pytest.mark.parametrize(
        ("options", "what"),
        [
            (("--clip", "casme2/sub02/EP01_1"), "Did you mean casme2/sub0"),
            (("--clip", CLIP, "--fold", "casme2/sub02"), "One clip has one fold"),
            (("--at", ".5", ".5"), "--at is a place in one clip"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused(self, home, capsys, options, what):
        code, _, err = said(capsys, arguments(home, "explain", run_id(home), *options))
        assert (code, what in err) == (2, True)


class TestFaces:
    """Pixels of a person's face reach a picture only where the corpus' list allows it, or where it was rendered."""

    def test_a_picture_of_an_unlisted_person_does_not_depend_on_the_frames(self, tmp_path, capsys):
        pictures_of = []
        for texture in (1, 2):
            root = plant_motion(tmp_path / str(texture), synthetic=False, texture=texture)
            assert status(run_arguments(root, model="Still")) == 0
            record = explained(capsys, root, "--clip", CLIP, "-o", str(root / "out"), model="Still")
            assert record["face_shown"] is False
            assert any("nobody's" in remark for remark in record["remarks"])
            (picture,) = (root / "out").glob("*.png")
            pictures_of.append(picture.read_bytes())
        frames = [read_clip(tmp_path / t / "home", CLIP).frames for t in ("1", "2")]
        assert (frames[0] != frames[1]).mean() > 0.5
        assert pictures_of[0] == pictures_of[1]

    @pytest.mark.parametrize(
        ("listed", "restricted", "shown"),
        [
            ({"casme2/sub02"}, set(), True),
            ({"casme2/sub01"}, set(), False),
            ({"casme2/sub02"}, {"casme2/sub02"}, False),
        ],
    )
    def test_the_list_decides_person_by_person(
        self, recorded, capsys, tmp_path, monkeypatch, listed, restricted, shown
    ):
        corpus = replace(DATASET, publishable=frozenset(listed), restricted_subjects=frozenset(restricted))
        monkeypatch.setattr(asking, "dataset", lambda _name: corpus)
        drawn = []
        monkeypatch.setattr(pictures, "draw_clip", lambda _maps, face, *_rest: drawn.append(face) or b"png")
        assert explained(capsys, recorded, "--clip", CLIP, "-o", str(tmp_path))["face_shown"] is shown
        assert [face is not None for face in drawn] == [shown]

    def test_the_released_corpora_list_nobody(self):
        assert not DATASET.publishable

    def test_mean_maps_open_no_face(self, recorded, capsys, tmp_path, monkeypatch):
        def never(*_arguments: object) -> None:
            raise AssertionError("a face was aligned")

        monkeypatch.setattr(clip, "align", never)
        explained(capsys, recorded, "-o", str(tmp_path))

    def test_the_backdrop_is_the_onset_in_its_place(self, home):
        stored = read_clip(home / "home", CLIP)
        assert clip.backdrop(stored, allowed=False) is None
        face = clip.backdrop(stored, allowed=True)
        small = cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
        assert np.abs(small - stored.frames[0][8:72, 8:72]).mean() < 8  # noise of SD 17, enlarged and reduced again


class TestWhatCannotBeAsked:
    @pytest.mark.parametrize(
        ("model", "what"),
        [
            ("Negative", "values that are negative"),
            ("Nameless", "are called 'change'"),
            ("Askew", "has shape"),
            ("Empty", "gave no maps"),
            ("Crashing", "cannot be explained: KeyError"),
        ],
    )
    def test_a_model_at_fault_is_one_error(self, home, capsys, model, what):
        assert status(run_arguments(home, model=model)) == 0
        code, out, err = said(capsys, arguments(home, "explain", f"means.{model}", "--jobs", "1"))
        assert (code, out) == (1, "")
        assert what in err
        assert len(err.splitlines()) == 2

    @pytest.mark.parametrize("more", [("--no-curves",), ("--fold", "casme2/sub01"), ("--against", "constant")])
    def test_options_of_networks_are_refused_for_others(self, home, capsys, more):
        data = f"--data=casme2={home / 'corpus'}"
        where = ["--home", str(home / "home")]
        assert status([*where, "run", "constant", "--protocol", str(home / "planted.toml"), data]) == 0
        code, _, err = said(capsys, [*where, "explain", "constant", data, *more])
        assert (code, "are for networks" in err) == (2, True)

    def test_a_corpus_whose_truth_is_gone_is_explained_without_a_game(self, capsys, tmp_path):
        root = plant_motion(tmp_path / "root")
        assert status(run_arguments(root, model="Looker")) == 0
        next((root / "corpus" / "mebench-truth").rglob("*.npz")).unlink()
        record = explained(capsys, root, "-o", str(tmp_path))
        assert record["pointing"] is None
        assert any("holds no truth" in remark for remark in record["remarks"])


SMALL = ("backbone=resnet10", "width=8", "size=64", "epochs=1", "channels=pair", "factor=1", "threads=1")


def lam_settings(*more: str) -> list[str]:
    return [part for setting in (*SMALL, *more) for part in ("--set", setting)]


class TestLam:
    def test_a_run_of_lam_is_explained_end_to_end(self, capsys, tmp_path):
        root = plant_motion(tmp_path / "root")
        protocol = ["--protocol", str(root / "planted.toml"), "--jobs", "1"]
        assert status(arguments(root, "run", "lam", *protocol, *lam_settings())) == 0
        command = ["explain", "lam", "--jobs", "1", "--json", "-o", str(tmp_path)]
        code, out, err = said(capsys, arguments(root, *command))
        assert (code, err) == (0, "")
        record = json.loads(out)
        names = [f"grad-cam:layer{i}" for i in (1, 2, 3, 4)]
        assert list(record["maps"]) == [*names, *(f"spatial:layer{i}.0" for i in (1, 2, 3, 4))]
        assert record["refit"] == {"agreeing": ALL, "compared": ALL}
        assert all(record["maps"][name]["like_untrained"] is not None for name in names)
        hits = record["pointing"]["hits"]
        assert hits["grad-cam:layer1"]["all"]["over_untrained"] is not None
        parts = record["parts"]["casme2/sub01"]
        assert set(parts) == {f"layer{i}.0" for i in (1, 2, 3, 4)}
        assert {"gamma_c", "gamma_s", "tau_c", "tau_s", "change", "channel_received"} <= set(parts["layer1.0"])
        assert any("does not name its technique" in remark for remark in record["remarks"])
        assert [Path(path).name for path in record["files"]] == [
            "attribution-grad-cam.png",
            "attribution-spatial.png",
            "curves.png",
            "attribution.csv",
        ]

    @pytest.mark.slow
    def test_a_rendered_corpus_goes_all_the_way(self, capsys, tmp_path):
        home, corpus = ["--home", str(tmp_path / "home")], str(tmp_path / "corpus")
        assert status([*home, "synth", "casme2", corpus, "--subjects", "4", "--clips", "12", "--jobs", "1"]) == 0
        assert status([*home, "prepare", "casme2", "--data", corpus, "--jobs", "1"]) == 0
        assert status([*home, "run", "lam", "--protocol", "casme2-5c-loso", *lam_settings(), "--jobs", "1"]) == 0
        code, out, err = said(capsys, [*home, "explain", "lam", "--jobs", "1", "--json", "-o", str(tmp_path)])
        assert (code, err) == (0, "")
        record = json.loads(out)
        assert record["refit"] == {"agreeing": 12, "compared": 12}
        standing = record["pointing"]["hits"]["grad-cam:layer1"]["all"]
        assert (standing["clips"], standing["subjects"]) == (12, 4)
        assert 0.1 < standing["chance"] < 0.4
        clip_id = next(iter(csv.DictReader(io.StringIO((tmp_path / "attribution.csv").read_text()))))["clip"]
        command = ["explain", "lam", "--clip", clip_id, "--at", ".5", ".8", "--json", "-o", str(tmp_path)]
        code, out, _ = said(capsys, [*home, *command])
        assert code == 0
        assert "row:layer1.0" in json.loads(out)["maps"]


class TestUntrained:
    def test_weights_that_training_started_from_are_left_out(self):
        class Started:
            weight_parameters = ("weights",)

            def __init__(self, *, weights=""):
                self.weights = weights
                self.classes_ = ["a", "b"]
                self.network_ = None

            def build(self, channels, classes):
                return torch.nn.Linear(channels, classes, bias=not self.weights)

        started = Started(weights="learnt.pt")
        twin = untrained(started, np.zeros((5, 3, 4, 4)), 0)
        assert twin.network_.bias is not None
        assert (twin.network_.in_features, twin.network_.out_features) == (3, 2)
        assert started.weights == "learnt.pt"
        assert started.network_ is None

    def test_what_is_no_network_has_no_twin(self):
        assert untrained(object(), np.zeros((5, 4, 4)), 0) is None


class TestMaps:
    def test_the_whole_input_of_an_aligned_recipe_is_the_whole_map(self, home):
        stored = read_clip(home / "home", CLIP)
        for size in (32, 64, 128):
            matrix = grid_to_face(parse_recipe(f"align(size={size}) > grey > onset-apex"), stored)
            half = (MAP_SIDE / size - 1) / 2  # outer pixel edges stay outer pixel edges
            np.testing.assert_allclose(matrix, [[64 / size, 0, half], [0, 64 / size, half]], atol=1e-4)

    def test_other_recipes_follow_each_clip(self, home):
        """The box of the planted clips is the whole crop, 80 px, of which the canonical face is the middle 64."""
        matrix = grid_to_face(parse_recipe("crop(size=40) > grey > onset"), read_clip(home / "home", CLIP))
        np.testing.assert_allclose(matrix, [[2, 0, 0.5 - 8], [0, 2, 0.5 - 8]], atol=1e-4)

    def test_vectors_have_no_places(self, home):
        with pytest.raises(DataError, match="no places"):
            grid_to_face(parse_recipe("align(size=8) > grey > onset > flatten"), read_clip(home / "home", CLIP))

    def test_what_lies_outside_the_input_is_zero(self):
        shift = np.array([[1.0, 0, 10], [0, 1, 0]])
        laid = on_face(np.ones((1, MAP_SIDE, MAP_SIDE)), shift)[0]
        assert laid[:, :10].max() == 0
        assert laid[:, 10:].min() == 1

    def test_a_reduced_map_keeps_its_mean(self):
        values = np.random.default_rng(0).random((1, 224, 224))
        to_face = np.array([[64 / 224, 0, (64 / 224 - 1) / 2], [0, 64 / 224, (64 / 224 - 1) / 2]])
        assert on_face(values, to_face).mean() == pytest.approx(values.mean(), rel=0.01)

    def test_density_is_relative_to_an_even_spread(self):
        values = np.zeros((2, 4, 4))
        values[0, 1, 1] = 5
        assert density(values)[0, 1, 1] == 16
        assert density(values)[1].max() == 0

    def test_agreement_is_of_ranks(self):
        """A monotone change keeps ranks, a reversed order turns them; a flat map agrees with nothing."""
        values = np.random.default_rng(0).random((3, 5, 5))
        other = np.stack([np.exp(values[0]), -values[1], np.ones((5, 5))])
        found = agreement(values, other)
        assert found[:2] == pytest.approx([1, -1])
        assert np.isnan(found[2])

    def test_names_decide_pictures_and_may_not_lead_out_of_the_folder(self):
        with pytest.raises(ModelError, match="called"):
            checked_maps({"../x:y": np.ones((1, 2, 2))}, "M", (1, 2, 2))


class TestPointing:
    def target(self) -> Target:
        large = np.zeros((MAP_SIDE, MAP_SIDE), bool)
        large[10:20, 10:20] = True
        near = np.zeros_like(large)
        near[8:22, 8:22] = True
        return Target(large.astype(float), large, near)

    def test_a_maximum_hits_within_the_tolerance_only(self):
        for place, expected in (((9, 9), 1), ((12, 12), 1), ((30, 9), 0)):
            values = np.zeros((MAP_SIDE, MAP_SIDE))
            values[place] = 1
            assert pointing(values, self.target()) == expected

    def test_equal_maxima_count_by_their_share(self):
        values = np.zeros((MAP_SIDE, MAP_SIDE))
        values[9, 9] = values[30, 30] = values[40, 40] = values[50, 50] = 2
        assert pointing(values, self.target()) == 0.25

    def test_energy_counts_no_tolerance(self):
        values = np.zeros((MAP_SIDE, MAP_SIDE))
        values[9, 9], values[12, 12] = 3, 1
        assert energy_inside(values, self.target()) == 0.25

    def test_the_head_is_taken_off_the_motion(self, home):
        stored, truth = read_clip(home / "home", CLIP), read_truth(home / "corpus", CLIP)
        motion = skin_motion(truth, stored)
        x, y = PLACES["disgust"]
        assert motion[y : y + PATCH - 1, x : x + PATCH - 1] == pytest.approx(SKIN_PX, abs=1e-3)
        assert motion[y + PATCH + 2 :].max() < 1e-3
        target = target_of(truth, stored)
        assert (target.area, target.chance) == (AREA, CHANCE)

    def test_a_turning_head_is_taken_off_too(self, home):
        """All skin moves with a turn by 2 degrees about the frame's corner, and with nothing else."""
        stored, truth = read_clip(home / "home", CLIP), read_truth(home / "corpus", CLIP)
        turn = np.deg2rad(2)
        head = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]])
        y, x = np.mgrid[0:128:2, 0:128:2].astype(float)
        places = np.stack([x, y], axis=-1)
        turned = replace(
            truth, motion=(places @ head[:, :2].T - places).astype(np.float32), head_motion=np.stack([head] * 3)
        )
        assert skin_motion(turned, stored).max() < 0.01
        with pytest.raises(DataError, match="No skin moves"):
            target_of(turned, stored)

    def test_a_truth_of_other_frames_is_refused(self, home):
        stored, truth = read_clip(home / "home", CLIP), read_truth(home / "corpus", CLIP)
        with pytest.raises(DataError, match="its truth begins at 50"):
            skin_motion(replace(truth, numbers=truth.numbers + 4), stored)

    def test_the_centre_is_a_baseline_of_its_own(self):
        game = play({"a:b": np.ones((1, MAP_SIDE, MAP_SIDE))}, {}, [self.target()], ["d/s"], ["c"])
        assert game.centre["hits"][0] == 0  # the centre is at 31.5, the target ends at 21
        assert 0 < game.centre["energy"][0] < game.chance["energy"][0]


class TestCurves:
    def test_ranks_fall_with_the_values(self):
        generator = np.random.default_rng(0)
        np.testing.assert_allclose(ranks(np.array([[3.0, 1.0], [2.0, 4.0]]), generator), [[0.25, 0.75], [0.5, 0]])

    def test_equal_values_come_in_random_order(self):
        generator = np.random.default_rng(0)
        orders = {tuple(ranks(np.ones((2, 2)), generator).ravel()) for _ in range(50)}
        assert len(orders) > 10

    def test_a_shifted_map_has_the_same_values_elsewhere(self):
        values = np.arange(12.0).reshape(3, 4)
        moved = shifted(values, np.random.default_rng(1))
        assert sorted(moved.ravel()) == sorted(values.ravel())
        assert any(np.array_equal(np.roll(values, (i, j), (0, 1)), moved) for i in range(3) for j in range(4))

    def test_the_curve_of_a_score_that_counts_one_half(self):
        """A 2 x 10 image whose upper row is 1 and whose lower is 0; the score is the mean of the upper row, and the map
        names that row. Deletion puts the mean, .5, in its place: over the first half of the places the score falls
        from 1 to .5 and stays. Areas: (.75 + .5) / 2.
        """
        image = np.stack([np.ones(10), np.zeros(10)])
        found = curves_of(image, image, lambda images: images[:, 0].mean(1), np.random.default_rng(0))
        assert found.shape == (2, 2, STEPS + 1)
        np.testing.assert_allclose(found[0, 0], [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
        assert areas(found)[0, 0] == pytest.approx((0.75 + 0.5) / 2)
        inserted = found[1, 0]
        assert inserted[0] < 0.9
        assert np.all(np.diff(inserted) >= -1e-6)
        assert inserted[5:] == pytest.approx(1)

    def test_all_curves_of_a_kind_share_their_ends(self):
        rng = np.random.default_rng(0)
        image, values = rng.random((2, 8, 8)), rng.random((8, 8))
        found = curves_of(image, values, lambda images: images.mean((1, 2, 3)), rng)
        np.testing.assert_allclose(found[:, 0, [0, -1]], found[:, 1, [0, -1]])


class TestMeans:
    def test_the_mean_is_over_clips_and_its_interval_over_subjects(self):
        values = np.array([0.2, 0.4, 0.9, 0.5, 0.3, 0.8])
        subjects = ["d/a", "d/a", "d/a", "d/b", "d/b", "d/c"]
        found = mean_of(values, subjects)
        assert found.value == pytest.approx(values.mean(), abs=1e-6)
        assert found.low < found.value < found.high

    def test_a_constant_lead_has_no_width(self):
        values = np.linspace(0.3, 0.9, 12)
        found = difference_of(values, values - 0.2, [f"d/{i % 4}" for i in range(12)])
        assert found.value == pytest.approx(0.2, abs=1e-6)
        assert found.high - found.low == pytest.approx(0, abs=1e-4) or np.isnan(found.low)

    def test_one_subject_has_no_interval(self):
        assert np.isnan(mean_of(np.array([0.1, 0.9]), ["d/a", "d/a"]).low)

"""`mebench explain`: fold by fold on training clips alone, averaged, drawn on outlines."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mebench.cli import status
from mebench.clips import SyntheticMark
from mebench.datasets.marker import write_marker
from mebench.drawing import OUTLINES, TEMPLATE, draw_shares, draw_signed
from mebench.evaluation import evaluate_fold
from mebench.explain import FoldJob, explain_fold
from mebench.explanation import Explanation, Subject, part_of, place_of
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.protocol import Task, resolve
from mebench.refit import restored_model
from mebench.synth.portrait import MIRRORED
from mebench.vision.alignment import EYES_AT
from mebench.vision.points import COUNT, eye_centres
from tests.planted import SIDE, arguments, plant, run_arguments
from tests.toy import toy_protocol, toy_table

CLIP = "casme2/sub02/EP01_01"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = plant(tmp_path_factory.mktemp("planted"))
    assert status(run_arguments(root)) == 0
    return root


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted corpus under the marker of a synthetic one, and a run on it."""
    root = plant(tmp_path_factory.mktemp("rendered"))
    counts = {"happiness": 8, "disgust": 8}  # four of each of four subjects, in turn
    mark = SyntheticMark("mebench.synth/2", "smoke", 0, clips=16, subjects=4, per_emotion=counts)
    write_marker(root / "corpus", mark)
    assert status(run_arguments(root)) == 0
    return root


@pytest.fixture
def planted(finished: Path, tmp_path: Path) -> Path:
    """A copy to spoil; the model file moves too, so its path in the manifest still is the first one's."""
    return Path(shutil.copytree(finished, tmp_path / "planted"))


def said(capsys: pytest.CaptureFixture[str], command: list[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = status(command)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_id(root: Path) -> str:
    (folder,) = (root / "home/runs/planted-loso/means.Means").iterdir()
    return folder.name


def explained(capsys: pytest.CaptureFixture[str], root: Path, *more: str) -> dict:
    code, out, err = said(capsys, arguments(root, "explain", run_id(root), "--jobs", "1", "--json", *more))
    assert (code, err) == (0, "")
    return json.loads(out)


class TestARun:
    def test_the_planted_block_has_nearly_all_the_weight(self, finished, capsys, tmp_path):
        """The difference of the class means is 120 grey levels in each of its 16 pixels. Elsewhere it is that of 6 and
        6 draws from 110..145, SD 10.4: E|.| = 10.4 * sqrt(1/6 + 1/6) * .8 = 4.8. So the share is about
        120 / (120 + 3 * 4.8) = .89.
        """
        record = explained(capsys, finished, "-o", str(tmp_path))
        assert record["places"][0]["name"] == "r0_c1"
        assert record["places"][0]["mean"] == pytest.approx(0.89, abs=0.03)
        assert sum(place["mean"] for place in record["places"]) == pytest.approx(1)
        assert (record["folds"], record["features"], record["parts"]) == (4, 64, [])
        assert record["refit"] == {"agreeing": 16, "compared": 16}

    def test_the_csv_holds_mean_and_sd_over_folds_of_normalised_weights(self, finished, capsys, tmp_path):
        """Against the formula of the model, computed here from the stored frames."""
        explained(capsys, finished, "-o", str(tmp_path))
        frames, labels, subjects = stored(finished)
        weights = []
        for subject in sorted(set(subjects)):
            kept = subjects != subject
            line = np.abs(frames[kept & (labels == 1)].mean(0) - frames[kept & (labels == 0)].mean(0))
            weights.append(line / line.sum())
        rows = list(csv.DictReader(io.StringIO((tmp_path / "importance.csv").read_text())))
        assert [row["feature"] for row in rows[:5]] == [f"r0_c{c}_grey_{i}" for c, i in
                                                        [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]]  # fmt: skip
        np.testing.assert_allclose([float(row["mean"]) for row in rows], np.mean(weights, axis=0), rtol=1e-8)
        np.testing.assert_allclose([float(row["sd"]) for row in rows], np.std(weights, axis=0, ddof=1), rtol=1e-6)

    def test_the_picture_is_red_where_the_block_is_and_pale_elsewhere(self, finished, capsys, tmp_path):
        explained(capsys, finished, "-o", str(tmp_path))
        image = cv2.imread(str(tmp_path / "importance.png")).astype(int)
        redness = (image[..., 2] - image[..., 1]).clip(0)  # Reds at the top: R 103, G 0; white: R = G
        rows, columns = np.nonzero(redness[:, : int(0.8 * image.shape[1])] > 60)  # without the colour bar
        height, width = np.ptp(rows), np.ptp(columns)
        assert height == pytest.approx(width, rel=0.03)
        assert 0.25 < height / image.shape[0] < 0.5

    def test_the_table_names_places_files_and_how_far_the_refit_agrees(self, finished, capsys):
        code, out, err = said(capsys, arguments(finished, "explain", "means.Means", "--jobs", "1"))
        assert (code, err) == (0, "")
        assert "Line between means under planted-loso" in out
        assert out.index("r0_c1") < out.index("r0_c0")
        assert "predicts 16 of 16 clips as the run did" in out
        written = [Path(line) for line in out.splitlines()[-2:]]
        assert [path.name for path in written] == ["importance.png", "importance.csv"]
        assert all(path.is_file() and path.parent.name == "explain" for path in written)

    def test_workers_say_the_same(self, finished, capsys, tmp_path):
        alone = explained(capsys, finished, "-o", str(tmp_path / "one"))
        code, out, _ = said(
            capsys,
            arguments(finished, "explain", run_id(finished), "--json", "--jobs", "2", "-o", str(tmp_path / "two")),
        )
        assert code == 0
        assert json.loads(out)["places"] == alone["places"]
        for name in ("importance.csv", "importance.png"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    def test_a_seed_can_be_chosen_and_must_exist(self, finished, capsys, tmp_path):
        assert explained(capsys, finished, "--seed", "0", "-o", str(tmp_path))["seed"] == 0
        code, _, err = said(capsys, arguments(finished, "explain", run_id(finished), "--seed", "7"))
        assert code == 2
        assert "No seed of run" in err


class TestRenderedFaces:
    def test_every_picture_table_and_record_says_so(self, rendered, finished, capsys, tmp_path):
        for more, name in ((), "importance.png"), (("--clip", CLIP), "clip-casme2__sub02__EP01_01.png"):
            assert explained(capsys, rendered, "-o", str(tmp_path), *more)["synthetic"] is True
            assert 0 < warned_rows((tmp_path / name).read_bytes()).max() < 60
            code, out, _ = said(capsys, arguments(rendered, "explain", "means.Means", "--jobs", "1", *more))
            assert code == 0
            assert "SYNTHETIC" in out

    def test_filmed_faces_carry_no_such_mark(self, finished, capsys, tmp_path):
        assert explained(capsys, finished, "-o", str(tmp_path))["synthetic"] is False
        assert warned_rows((tmp_path / "importance.png").read_bytes()).size == 0


class TestWhatReachesFit:
    """Poison stands in the held-out rows: `Means.fit` refuses it, and would change with it."""

    def job(self, root: Path, poisoned: str) -> FoldJob:
        task = two_class_task()
        rng = np.random.default_rng(0)
        inputs = {item.id: rng.normal(0, 1, SIDE * SIDE).astype(np.float32) for item in task.items}
        for item in task.items:
            if item.subject == poisoned:
                inputs[item.id] = np.full(SIDE * SIDE, np.nan, np.float32)
        return FoldJob(f"{root / 'means.py'}:Means", {}, task, task.folds[0], inputs, 0)

    def test_held_out_rows_never_do(self, finished):
        held_out = two_class_task().folds[0].id
        clean, poisoned = self.job(finished, "nobody"), self.job(finished, held_out)
        assert np.isnan(poisoned.inputs[poisoned.fold.test[0]]).all()
        np.testing.assert_array_equal(explain_fold(poisoned).values, explain_fold(clean).values)

    def test_training_rows_do(self, finished):
        other = two_class_task().folds[1].id
        with pytest.raises(Exception, match="poison reached fit"):
            explain_fold(self.job(finished, other))

    def test_the_model_explained_is_the_one_evaluated(self, finished):
        job = self.job(finished, "nobody")
        again = evaluate_fold(restored_model(job.model, {}), job.task, job.fold, job.inputs, job.seed)
        assert explain_fold(job).rows == again


class TestAClip:
    def test_contributions_add_up_to_the_decision_of_the_held_out_model(self, finished, capsys, tmp_path):
        """w·(x - mean) summed over features is the decision itself; the planted block carries it."""
        record = explained(capsys, finished, "--clip", CLIP, "-o", str(tmp_path))
        frames, labels, subjects = stored(finished)
        kept = subjects != "sub02"
        line = frames[kept & (labels == 1)].mean(0) - frames[kept & (labels == 0)].mean(0)
        x = frames[clip_ids(finished).index(CLIP)]
        decision = float((x - frames[kept].mean(0)) @ line)
        assert (record["fold"], record["truth"], record["predicted"]) == ("casme2/sub02", "disgust", "disgust")
        assert record["runner_up"] == "happiness"
        assert sum(place["contribution"] for place in record["places"]) == pytest.approx(abs(decision))
        assert record["places"][0]["name"] == "r0_c1"
        assert [Path(path).name for path in record["files"]] == [
            "clip-casme2__sub02__EP01_01.png",
            "clip-casme2__sub02__EP01_01.csv",
        ]
        rows = list(csv.DictReader(io.StringIO((tmp_path / "clip-casme2__sub02__EP01_01.csv").read_text())))
        sign = 1 if decision > 0 else -1
        expected = sign * (x - frames[kept].mean(0)) * line
        np.testing.assert_allclose([float(row["contribution"]) for row in rows], expected, rtol=1e-8)

    def test_the_table_says_what_the_sign_means(self, finished, capsys):
        code, out, _ = said(capsys, arguments(finished, "explain", run_id(finished), "--clip", CLIP, "--jobs", "1"))
        assert code == 0
        assert "Positive speaks for disgust against happiness" in out
        assert "predicts 4 of 4 clips as the run did" in out

    def test_an_unknown_clip_is_answered_with_a_near_one(self, finished, capsys):
        code, _, err = said(capsys, arguments(finished, "explain", run_id(finished), "--clip", "casme2/sub02/EP01_1"))
        assert code == 2
        assert "Did you mean casme2/sub0" in err


class TestWhatCannotBeExplained:
    @pytest.mark.parametrize(
        ("model", "more", "what"),
        [
            ("Silent", (), "it has no importance()"),
            ("Silent", ("--clip", CLIP), "it has no contributions()"),
            ("Negative", (), "negative values"),
            ("Short", (), "gave shape (3,)"),
            ("Crashing", (), "cannot be explained: KeyError"),
            ("Askew", (), "face_map of Askew gave shape (8, 8)"),
        ],
    )
    def test_a_model_at_fault_is_one_error(self, planted, capsys, model, more, what):
        assert status(run_arguments(planted, model=model)) == 0
        code, out, err = said(capsys, arguments(planted, "explain", f"means.{model}", "--jobs", "1", *more))
        assert (code, out) == (1, "")
        assert what in err
        assert len(err.splitlines()) == 2
        assert not list((planted / "home/runs").rglob(f"means.{model}/**/*.png"))

    def test_the_floors_say_what_is_needed(self, finished, capsys, tmp_path):
        command = ["run", "constant", "--protocol", str(finished / "planted.toml")]
        home = ["--home", str(tmp_path)]
        assert status([*home, *command, f"--data=casme2={finished / 'corpus'}"]) == 0
        code, _, err = said(capsys, [*home, "explain", "constant"])
        assert code == 1
        assert "importance(), feature_names_out(), face_map()" in err

    def test_a_changed_model_file_is_named(self, finished, capsys):
        path = finished / "means.py"
        before = path.read_text()
        path.write_text(before + "\n# changed\n")
        try:
            code, _, err = said(capsys, arguments(finished, "explain", run_id(finished)))
        finally:
            path.write_text(before)
        assert code == 1
        assert "model_digest changed since" in err

    def test_changed_frames_are_named(self, planted, capsys):
        for path in (planted / "home/store/casme2/sub01").iterdir():
            path.unlink()
        code, _, err = said(capsys, arguments(planted, "explain", run_id(planted), "--jobs", "1"))
        assert code == 1
        assert "input_key changed since" in err

    def test_an_unfinished_run_is_not_explained(self, planted, capsys):
        next((planted / "home/runs").rglob("folds/*.csv")).unlink()
        code, _, err = said(capsys, arguments(planted, "explain", run_id(planted)))
        assert code == 1
        assert "is incomplete" in err

    def test_a_corpus_out_of_reach_is_named(self, finished, capsys):
        code, _, err = said(capsys, ["--home", str(finished / "home"), "explain", run_id(finished)])
        assert code == 1
        assert "planted-loso needs casme2" in err


class TestNames:
    @pytest.mark.parametrize(
        ("name", "place", "part"),
        [
            ("t0_r4_c1_xy_17", "r4_c1", "xy"),
            ("r4_c1_3", "r4_c1", ""),
            ("r10_c11_spatial_0", "r10_c11", "spatial"),
            ("region12_rho", "region12", "rho"),
            ("region12", "region12", ""),
            ("regions", "regions", ""),
            ("age", "age", ""),
        ],
    )
    def test_place_and_part(self, name, place, part):
        assert (place_of(name), part_of(name)) == (place, part)

    def test_parts_stand_apart_where_there_are_several(self):
        """Two blocks with two parts each: per fold .1 .2 .3 .4 and .4 .3 .2 .1; r0_c0 holds .3 and .7, mean .5,
        SD .4 / sqrt(2) = .2828; xy holds .1 + .3 = .4 and .4 + .2 = .6, SD .1414.
        """
        names = ("r0_c0_xy_0", "r0_c0_xt_0", "r0_c1_xy_0", "r0_c1_xt_0")
        weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
        made = Explanation(Subject("id", "T", "p", 0, 1, 1), names, ("a", "b"), weights, np.zeros((64, 64)))
        shares = {share.name: share for share in (*made.places, *made.parts)}
        assert [shares[key].mean for key in ("r0_c0", "r0_c1", "xy", "xt")] == pytest.approx([0.5] * 4)
        assert [shares[key].sd for key in ("r0_c0", "xy")] == pytest.approx([0.4 / 2**0.5, 0.2 / 2**0.5])
        assert [table.columns[0] for table in made.tables()] == ["place", "part"]

    def test_one_fold_has_no_sd(self, tmp_path):
        made = Explanation(
            Subject("i", "T", "p", 0, 1, 1), ("=a", "b"), ("f",), np.array([[1.0, 0]]), np.ones((64, 64))
        )
        assert made.record()["places"][0]["sd"] is None
        made.write(tmp_path)
        assert (tmp_path / "importance.csv").read_text() == "feature,mean,sd\n'=a,1,\nb,0,\n"


class TestDrawing:
    def test_the_template_is_symmetric_and_has_its_eyes_in_the_canonical_place(self):
        np.testing.assert_allclose(eye_centres(TEMPLATE), EYES_AT, atol=1e-12)
        np.testing.assert_allclose(TEMPLATE[MIRRORED] * (-1, 1) + (1, 0), TEMPLATE, atol=1e-12)

    def test_every_point_stands_in_an_outline(self):
        assert {point for outline in OUTLINES for point in outline} == set(range(COUNT))

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_a_flat_map_is_drawn(self, value):
        flat = np.full((64, 64), value)
        for png in (draw_shares(flat, "$title_"), draw_signed(-flat, "title", "a $label")):
            assert cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (750, 840)

    def test_a_warning_stands_above_everything_in_red(self):
        flat = np.ones((64, 64))
        for draw in (draw_shares, lambda *a: draw_signed(flat, "T", "label", *a[2:])):
            plain, marked = (draw(flat, "T", *warning) for warning in ((), (SYNTHETIC_WARNING,)))
            assert warned_rows(plain).size == 0
            assert 0 < warned_rows(marked).max() < 60  # of 750: one line at the top edge

    def test_drawing_leaves_pyplot_alone(self):
        import subprocess
        import sys

        code = (
            "import sys, numpy; from mebench.drawing import draw_shares; draw_shares(numpy.eye(64), 't'); "
            "sys.exit('matplotlib.pyplot' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def warned_rows(png: bytes) -> np.ndarray:
    """The rows of a picture that hold dark red letters, which no colour map here has above the face."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[:100].astype(int)
    return np.flatnonzero((np.abs(image - (0, 0, 0xB0)).max(axis=-1) < 24).any(axis=1))


def two_class_task() -> Task:
    """Four subjects with four clips each."""
    table = toy_table(subjects=4, clips=6)
    kept = replace(table, clips=tuple(clip for clip in table if clip.emotion != "surprise"))
    return resolve(toy_protocol(kept, classes=("happiness", "disgust")), {"casme2": kept})


def clip_ids(root: Path) -> list[str]:
    return sorted(f"casme2/{path.parent.name}/{path.stem}" for path in (root / "home/store/casme2").rglob("*.h5"))


def stored(root: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Onset frames (n, 64) in order of clip ids, 1 for happiness and 0 for disgust, and subjects."""
    from mebench.store import read_clip

    ids = clip_ids(root)
    frames = np.stack([read_clip(root / "home", clip).frames[0].ravel().astype(float) for clip in ids])
    labels = np.array([int(clip.split("EP")[1][:2]) % 2 == 0 for clip in ids]).astype(int)
    return frames, labels, np.array([clip.split("/")[1] for clip in ids])

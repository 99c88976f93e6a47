"""A run of a model that sees pixels, repeated by other labs: from the same frames, worse ones and another coding."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from mebench.cli import status
from mebench.replication import OTHER_INPUTS
from mebench.synth.workbooks import Row, casme2_workbook
from tests.planted import EMOTIONS, SUBJECTS, planted_protocol
from tests.small_corpus import FRAMES, ONSET, frame, write_frame

CLIPS = 2
TINY_LAM = ("backbone=resnet10", "width=4", "size=32", "epochs=2", "channels=pair")


def write_people(root: Path, apex: int = ONSET + 3) -> Path:
    """Four subjects under one face, whose head goes right in one clip and left in the other."""
    names = [(s, f"EP0{n + 1}_01", EMOTIONS[n]) for s in SUBJECTS for n in range(CLIPS)]
    root.mkdir()
    rows = [Row(s, name, ONSET, apex, ONSET + FRAMES - 1, "4", emotion) for s, name, emotion in names]
    casme2_workbook(root / "CASME2-coding-20140508.xlsx", rows)
    for seed, (subject, name, emotion) in enumerate(names):
        folder = root / "CASME2-RAW" / f"sub{subject}" / name
        folder.mkdir(parents=True)
        for i in range(FRAMES):
            image = frame(i, seed)
            write_frame(folder / f"img{ONSET + i}.jpg", cv2.flip(image, 1) if emotion == EMOTIONS[0] else image)
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pixels")
    (root / "planted.toml").write_text(planted_protocol(len(SUBJECTS) * CLIPS))
    return write_people(root / "corpus")


@pytest.fixture(scope="module")
def first(corpus) -> Path:
    return prepared(corpus, corpus.parent / "first")


@pytest.fixture(scope="module")
def second(corpus) -> Path:
    """Another lab, with its own copy of the same files."""
    copy = corpus.parent / "copy"
    shutil.copytree(corpus, copy)
    return prepared(copy, corpus.parent / "second")


def prepared(corpus: Path, home: Path) -> Path:
    assert status(["--home", str(home), "prepare", "casme2", "--data", str(corpus), "--jobs", "1"]) == 0
    return home


def exported(home: Path, model: str, *settings: str) -> Path:
    asked = [word for setting in settings for word in ("--set", setting)]
    protocol = str(home.parent / "planted.toml")
    assert status(["--home", str(home), "run", model, "--protocol", protocol, "--jobs", "1", *asked]) == 0
    path = home.parent / f"{model}.zip"
    assert status(["--home", str(home), "export", model, "-o", str(path)]) == 0
    return path


def replicated(home: Path, bundle: Path, record: Path, *data: str) -> int:
    more = ("--folds", "2", "--lab", f"Lab of {home.name}", "--jobs", "1", "-o", str(record), *data)
    return status(["--home", str(home), "replicate", str(bundle), *more])


@pytest.mark.parametrize(
    ("model", "settings"),
    [("flow-svm", ()), pytest.param("lam", TINY_LAM, marks=pytest.mark.slow)],
)
def test_the_same_frames_prepared_elsewhere_give_the_same_predictions(first, second, tmp_path, capsys, model, settings):
    record = tmp_path / "record.json"
    assert replicated(second, exported(first, model, *settings), record) == 0
    statement = json.loads(record.read_text())["statement"]
    # two folds of one subject each
    assert (statement["agreement"]["verdict"], statement["agreement"]["clips"]) == ("identical", 2 * CLIPS)
    assert (statement["same_inputs"], statement["same_source"]) == (True, True)
    home = shutil.copytree(first, tmp_path / "first")
    assert status(["--home", str(home), "replicate", str(record), "--import"]) == 0
    capsys.readouterr()
    for form in ("md", "html"):
        assert status(["--home", str(home), "leaderboard", "--format", form]) == 0
        shown = capsys.readouterr().out
        assert "replicated by 1" in shown
        assert "not replicated" not in shown


def test_what_other_frames_give_is_told_apart(corpus, first, tmp_path, capsys):
    """The same workbook over frames that were mirrored and written again at low quality."""
    bundle, worse = exported(first, "flow-svm"), Path(shutil.copytree(corpus, tmp_path / "worse"))
    for path in worse.glob("CASME2-RAW/*/*/*.jpg"):
        image = cv2.flip(cv2.imread(str(path)), 1)
        path.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])[1].tobytes())
    record = tmp_path / "record.json"
    capsys.readouterr()
    assert replicated(prepared(worse, tmp_path / "third"), bundle, record) == 0
    out = capsys.readouterr().out
    assert OTHER_INPUTS in out
    home = shutil.copytree(first, tmp_path / "first")
    assert status(["--home", str(home), "replicate", str(record), "--import"]) == 0
    found = json.loads(record.read_text())["statement"]["agreement"]["verdict"]
    capsys.readouterr()
    assert status(["--home", str(home), "leaderboard", "--format", "md"]) == 0
    expected = "not replicated by 1 on other inputs" if found == "different" else "replicated by 1"
    assert expected in capsys.readouterr().out


def test_a_corpus_coded_otherwise_is_refused_by_what_differs(corpus, first, tmp_path, capsys):
    bundle = exported(first, "flow-svm")
    again = f"--data=casme2={write_people(tmp_path / 'again', apex=ONSET + 2)}"
    capsys.readouterr()
    assert replicated(tmp_path / "fourth", bundle, tmp_path / "r.json", again) == 1
    err = capsys.readouterr().err
    assert "The annotation of casme2 here" in err
    assert "its clips are here, but coded, corrected or made otherwise" in err
    assert not (tmp_path / "r.json").exists()

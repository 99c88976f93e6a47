"""prepare through the command line, fault by fault: exit status, one clear line, nothing lost."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mebench.cli import status
from mebench.store import clip_path, stored_ids
from tests.small_corpus import CLIPS, ONSET, frame, frame_path, portrait, write_corpus, write_frame

FIRST, OTHER = (f"casme2/sub01/{name}" for name in CLIPS)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("pristine") / "corpus")


@pytest.fixture
def corpus(pristine, tmp_path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "corpus"))


def truncated_jpeg(corpus: Path) -> None:
    path = frame_path(corpus, CLIPS[0], ONSET + 2)
    path.write_bytes(path.read_bytes()[:2000])


def empty_jpeg(corpus: Path) -> None:
    frame_path(corpus, CLIPS[0], ONSET + 1).write_bytes(b"")


def no_jpeg(corpus: Path) -> None:
    frame_path(corpus, CLIPS[0], ONSET + 1).write_text("no image")


def missing_apex_frame(corpus: Path) -> None:
    frame_path(corpus, CLIPS[0], ONSET + 3).unlink()


def missing_onset_frame(corpus: Path) -> None:
    frame_path(corpus, CLIPS[0], ONSET).unlink()


def changing_size(corpus: Path) -> None:
    write_frame(frame_path(corpus, CLIPS[0], ONSET + 2), frame(2)[:-20])


def no_face(corpus: Path) -> None:
    for path in (corpus / "CASME2-RAW" / "sub01" / CLIPS[0]).iterdir():
        write_frame(path, np.full_like(portrait(), 90))


def no_folder(corpus: Path) -> None:
    shutil.rmtree(corpus / "CASME2-RAW" / "sub01" / CLIPS[0])


def two_faces(corpus: Path) -> None:
    for path in (corpus / "CASME2-RAW" / "sub01" / CLIPS[0]).iterdir():
        image = cv2.imread(str(path))
        write_frame(path, np.hstack([image, cv2.flip(image, 1)]))


def grey_and_colour(corpus: Path) -> None:
    write_frame(frame_path(corpus, CLIPS[0], ONSET + 2), cv2.cvtColor(frame(2), cv2.COLOR_BGR2GRAY))


def run(capsys, corpus: Path, *more: str) -> tuple[int, str, str]:
    capsys.readouterr()
    home = corpus.parent / "home"
    code = status(["--home", str(home), "prepare", "casme2", "--data", str(corpus), "--jobs", "1", *more])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (truncated_jpeg, "img48.jpg"),
        (empty_jpeg, "img47.jpg"),
        (no_jpeg, "img47.jpg"),
        (missing_apex_frame, "49"),
        (missing_onset_frame, "46"),
        (changing_size, "img48.jpg"),
        (no_face, "face"),
        (no_folder, "folder"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_clip_that_fails_is_one_line_and_the_others_are_stored(
    capsys, pristine, corpus, fault: Callable[[Path], None], said
):
    fault(corpus)
    code, out, err = run(capsys, corpus)
    lines = [line for line in out.splitlines() if FIRST in line]
    assert code == 3
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in out + err
    assert err == ""
    home = corpus.parent / "home"
    assert list(stored_ids(home, "casme2")) == [OTHER]
    inode = clip_path(home, OTHER).stat().st_ino
    shutil.rmtree(corpus)
    shutil.copytree(pristine, corpus)
    code, _, _ = run(capsys, corpus)
    assert code == 0
    assert set(stored_ids(home, "casme2")) == {FIRST, OTHER}
    assert clip_path(home, OTHER).stat().st_ino == inode


@pytest.mark.parametrize(("fault", "said"), [(two_faces, "face"), (grey_and_colour, "grey-and-colour-mixed")])
def test_what_is_odd_is_stored_and_said(capsys, corpus, fault, said):
    fault(corpus)
    code, out, err = run(capsys, corpus)
    assert (code, err) == (0, "")
    assert any(FIRST in line and said in line for line in out.splitlines())
    assert set(stored_ids(corpus.parent / "home", "casme2")) == {FIRST, OTHER}


def test_a_face_not_found_can_be_excluded_and_costs_coverage(capsys, corpus):
    no_face(corpus)
    code, out, _ = run(capsys, corpus, "--on-missing-face", "exclude", "--json")
    assert code == 0
    assert json.loads(out)["counts"]["excluded"] == 1


def test_a_damaged_store_is_named_and_repaired(capsys, corpus):
    assert run(capsys, corpus)[0] == 0
    home = corpus.parent / "home"
    path = clip_path(home, FIRST)
    data = bytearray(path.read_bytes())
    whole = bytes(data)
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    code, out, _ = run(capsys, corpus, "--json")
    assert code == 0
    assert {clip["clip"]: clip["state"] for clip in json.loads(out)["clips"]} == {FIRST: "repaired", OTHER: "kept"}
    assert path.read_bytes() == whole


def test_a_full_disk_is_two_lines_and_keeps_what_was_stored(capsys, corpus):
    """A file size limit below that of a clip stands in for the full disk: the write fails in the same way."""
    home = corpus.parent / "home"
    assert run(capsys, corpus)[0] == 0
    whole = clip_path(home, OTHER).read_bytes()
    shutil.copy(frame_path(corpus, CLIPS[0], ONSET + 4), frame_path(corpus, CLIPS[0], ONSET + 5))  # one clip changes
    done = subprocess.run(
        [sys.executable, "-c", _PREPARE, str(home), str(corpus)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert "No room left" in done.stderr
    assert clip_path(home, OTHER).read_bytes() == whole
    assert not list(home.rglob("*.tmp"))
    assert run(capsys, corpus)[0] == 0


_PREPARE = """
import signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from mebench.cli import status
sys.exit(status(["--home", sys.argv[1], "prepare", "casme2", "--data", sys.argv[2], "--jobs", "1"]))
"""

"""Where faces come from: finders by entry point, a user's landmarks, and what follows where there are several."""

from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from mebench import plugins
from mebench.datasets.casme2 import DATASET
from mebench.errors import DataError, UnknownName
from mebench.landmark_files import HEADER, read_landmark_file
from mebench.prepare import prepare
from mebench.store import read_clip
from mebench.vision.faces import Face, annotated_face
from tests.small_corpus import CLIPS, write_corpus
from tests.test_vision_motion import face

FIRST, OTHER = (f"casme2/sub01/{name}" for name in CLIPS)


class TwoFaces:
    """Finds the same two faces everywhere."""

    def find(self, image: np.ndarray) -> tuple[Face, ...]:
        return annotated_face(face(np.array([128.0, 110.0]), 42)), annotated_face(face(np.array([60.0, 60.0]), 26))


def two_faces() -> TwoFaces:
    return TwoFaces()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finder of a stranger's, registered beside dlib."""
    entry = EntryPoint("twice", "tests.test_face_sources:two_faces", "mebench.faces")
    registered = plugins._registered
    monkeypatch.setattr(plugins, "_registered", lambda kind: {"twice": entry} if kind == "face" else registered(kind))


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "landmarks.csv"
    path.write_text("\n".join([",".join(HEADER), *rows]) + "\n")
    return path


def row(clip: str, points: np.ndarray) -> str:
    return ",".join([clip, *(f"{value:.3f}" for value in points.ravel())])


def test_dlib_is_registered_as_a_strangers_finder_would_be() -> None:
    assert "dlib" in plugins.names("face")
    assert plugins.maker("face", "dlib")[:2] == ("dlib", "mebench")


def test_an_unknown_finder_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="retina"):
        prepare(DATASET, tmp_path / "nowhere", tmp_path / "home", faces="retina")


@pytest.mark.usefixtures("another")
def test_a_finder_of_ones_own_prepares_a_corpus_and_several_faces_are_told(corpus: Path, tmp_path: Path) -> None:
    report = prepare(DATASET, corpus, tmp_path / "home", faces="twice")
    assert [status.state for status in report.statuses] == ["stored"] * 2
    clip = read_clip(tmp_path / "home", FIRST)
    assert clip.flags[-1] == "faces-2"
    np.testing.assert_allclose(clip.landmarks + clip.origin, face(np.array([128.0, 110.0]), 42), atol=0.01)
    again = prepare(DATASET, corpus, tmp_path / "home", faces="twice", on_several_faces="error")
    assert [status.state for status in again.statuses] == ["failed"] * 2
    assert "2 faces found" in again.statuses[0].line


@pytest.mark.usefixtures("another")
def test_given_landmarks_stand_in_the_place_of_a_find(corpus: Path, tmp_path: Path) -> None:
    given = face(np.array([127.0, 112.0]), 43)
    path = table(tmp_path, row(FIRST, given))
    asked = {"faces": "twice", "landmarks": path, "on_several_faces": "error"}
    report = prepare(DATASET, corpus, tmp_path / "home", **asked)
    assert [status.state for status in report.statuses] == ["stored", "failed"]
    clip = read_clip(tmp_path / "home", FIRST)
    assert "landmarks-given" in clip.flags
    np.testing.assert_allclose(clip.landmarks + clip.origin, given, atol=0.01)
    assert prepare(DATASET, corpus, tmp_path / "home", **asked).statuses[0].state == "kept"
    table(tmp_path, row(FIRST, given + 1))  # other landmarks make another clip
    assert prepare(DATASET, corpus, tmp_path / "home", **asked).statuses[0].state == "stored"


def test_a_small_face_is_flagged(corpus: Path, tmp_path: Path) -> None:
    path = table(tmp_path, *(row(clip, face(np.array([128.0, 110.0]), 24)) for clip in (FIRST, OTHER)))
    prepare(DATASET, corpus, tmp_path / "home", landmarks=path)
    assert "small-face-24-px-between-the-eyes" in read_clip(tmp_path / "home", FIRST).flags


def test_the_box_of_given_landmarks_holds_brows_and_chin() -> None:
    x0, y0, x1, y1 = annotated_face(face()).box
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert y0 == pytest.approx(face()[17:27, 1].min())
    assert y1 == pytest.approx(face()[8, 1])
    with pytest.raises(DataError, match="chin"):
        annotated_face(face() * [1, -1])


def test_a_table_of_landmarks_is_read(tmp_path: Path) -> None:
    found = read_landmark_file(table(tmp_path, row("a/b/c", face()), "", row("a/b/d", face() + 1)))
    assert list(found) == ["a/b/c", "a/b/d"]
    np.testing.assert_allclose(found["a/b/d"], face() + 1, atol=1e-3)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a/b/c,1,2"], "line 2 holds no 68"),
        ([row("a", face()).replace(",", ",x", 1)], "line 2: could not convert"),
        ([row("a", face()), row("a", face())], "line 3: a has landmarks already"),
        ([row("a", np.full((68, 2), np.nan))], "line 2 holds no 68 finite"),
    ],
)
def test_a_damaged_table_is_told_with_its_line(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_landmark_file(table(tmp_path, *rows))


def test_a_file_that_is_no_such_table_is_told(tmp_path: Path) -> None:
    for content in (b"", b"clip,x,y\n", b"\xff\xfe\x00"):
        (tmp_path / "other.csv").write_bytes(content)
        with pytest.raises(DataError):
            read_landmark_file(tmp_path / "other.csv")

"""Readers of posed-expression corpora: the layouts of their owners, what is left out, and clear words on the rest."""

import shutil
from pathlib import Path

import pytest

from mebench import plugins
from mebench.clips import SyntheticMark
from mebench.datasets.marker import write_marker
from mebench.errors import AnnotationError, CountError, MebenchError, UnknownName
from mebench.stills.library import still_corpus
from mebench.stills.records import CLASSES, NEUTRAL, StillTable
from tests.macro_corpora import write_ck_plus, write_fer2013, write_jaffe, write_raf_db

WRITERS = {"ck-plus": write_ck_plus, "jaffe": write_jaffe, "fer2013": write_fer2013, "raf-db": write_raf_db}


def load(name: str, root: Path) -> StillTable:
    return still_corpus(name).load(root)


def test_every_registered_corpus_is_held_to_the_contract():
    assert set(plugins.names("still")) == set(WRITERS)


@pytest.mark.parametrize("name", WRITERS)
def test_the_contract(name, tmp_path):
    table = load(name, WRITERS[name](tmp_path / "corpus"))
    corpus = still_corpus(name)
    assert corpus.name == table.corpus == name
    assert corpus.access
    assert corpus.citation.startswith("@")
    assert [still.id for still in table] == sorted({still.id for still in table})
    ids = {still.id: still for still in table}
    for still in table:
        assert still.label in CLASSES
        assert still.id.split("/")[0] == name
        assert still.id.count("/") == 2
        assert still.subject == (None if still.id.split("/")[1] == "-" else still.id.rpartition("/")[0])
        if still.neutral is not None:
            assert ids[still.neutral].label == NEUTRAL
            assert ids[still.neutral].subject == still.subject
    assert sum(table.count().values()) == len(table)


@pytest.mark.parametrize("name", WRITERS)
def test_the_folder_above_is_understood(name, tmp_path):
    WRITERS[name](tmp_path / "above" / "corpus")
    assert len(load(name, tmp_path / "above")) == len(load(name, tmp_path / "above" / "corpus"))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("shape", ["absent", "empty", "other"])
def test_a_wrong_place_is_one_clear_fault(name, shape, tmp_path):
    root = tmp_path / "data"
    if shape != "absent":
        root.mkdir()
    if shape == "other":
        (root / "holiday").mkdir()
        (root / "holiday" / "beach.jpg").write_bytes(b"sand")
    with pytest.raises(MebenchError) as fault:
        load(name, root)
    assert str(root) in fault.value.what
    assert "\n" not in fault.value.what
    assert fault.value.fix


def test_an_unknown_corpus_is_named():
    with pytest.raises(UnknownName, match="ck-plos"):
        still_corpus("ck-plos")


def test_ck_plus_takes_the_last_three_images_and_the_first_as_neutral(tmp_path):
    table = load("ck-plus", write_ck_plus(tmp_path))
    # Two subjects, sequences 001 (anger) and 003 (happiness) with images 1, 2, 9, 10, 11.
    assert table.count() == {"anger": 6, "happiness": 6, "neutral": 4}
    assert table.left_out == {"sequences of contempt": 2, "sequences without a label": 2}
    assert table.subjects == ("ck-plus/S010", "ck-plus/S011")
    anger = [still for still in table if still.label == "anger" and still.subject == "ck-plus/S010"]
    assert [still.id for still in anger] == [f"ck-plus/S010/001_{n:08d}" for n in (9, 10, 11)]
    assert {still.neutral for still in anger} == {"ck-plus/S010/001_00000001"}


def test_ck_plus_never_takes_the_neutral_image_for_a_peak(tmp_path):
    table = load("ck-plus", write_ck_plus(tmp_path, frames=(1, 2)))
    assert table.count() == {"anger": 2, "happiness": 2, "neutral": 4}


def test_ck_plus_orders_images_by_number(tmp_path):
    root = write_ck_plus(tmp_path, ("S010",), sequences={"001": "fear"}, frames=(1, 2, 3, 4))
    folder = root / "cohn-kanade-images/S010/001"
    (folder / "S010_001_00000002.png").rename(folder / "S010_001_10.png")
    fear = [still.id for still in load("ck-plus", root) if still.label == "fear"]
    assert fear == [f"ck-plus/S010/001_{n:08d}" for n in (3, 4, 10)]


@pytest.mark.parametrize("name", ["extended-cohn-kanade-images", "cohn-kanade-images"])
def test_ck_plus_by_the_names_of_its_archives(name, tmp_path):
    root = write_ck_plus(tmp_path)
    (root / "cohn-kanade-images").rename(root / name)
    (root / "Emotion_labels").mkdir()
    (root / "Emotion").rename(root / "Emotion_labels" / "Emotion")
    (root / name / ".DS_Store").write_bytes(b"")
    (root / name / "S010" / ".DS_Store").write_bytes(b"")
    assert len(load("ck-plus", root)) == len(load("ck-plus", root / name)) == 16


@pytest.mark.parametrize(
    ("text", "said"),
    [("nine", "holds no number"), ("9.0", "knows 0 to 7"), ("3.5", "knows 0 to 7"), ("", "holds no number")],
)
def test_ck_plus_labels_that_say_nothing_known(text, said, tmp_path):
    root = write_ck_plus(tmp_path)
    file = next((root / "Emotion/S011/003").iterdir())
    file.write_text(text)
    with pytest.raises(AnnotationError, match=said) as fault:
        load("ck-plus", root)
    assert str(file) in fault.value.what


def test_ck_plus_faults(tmp_path):
    root = write_ck_plus(tmp_path / "a")
    shutil.rmtree(root / "cohn-kanade-images/S011/003")
    with pytest.raises(AnnotationError, match="S011/003 is labelled"):
        load("ck-plus", root)
    twice = write_ck_plus(tmp_path / "b")
    (twice / "Emotion/S010/001/S010_001_00000012_emotion.txt").write_text("1")
    with pytest.raises(AnnotationError, match="2 label files"):
        load("ck-plus", twice)
    lone = write_ck_plus(tmp_path / "c", frames=(7,))
    with pytest.raises(AnnotationError, match="holds 1 images"):
        load("ck-plus", lone)
    (tmp_path / "d" / "CK+48" / "anger").mkdir(parents=True)
    with pytest.raises(AnnotationError, match="re-shared CK"):
        load("ck-plus", tmp_path / "d")


def test_jaffe_pairs_a_woman_with_her_first_neutral_image(tmp_path):
    root = write_jaffe(tmp_path)
    (root / "readme.tiff").write_bytes(b"")
    table = load("jaffe", root)
    # Two women with eight images each: six expressions, neutral twice.
    assert table.count() == dict.fromkeys(CLASSES, 2) | {"neutral": 4}
    assert table.left_out == {"images with names of no known form": 1}
    sad = next(still for still in table if still.id.startswith("jaffe/YM/SA1"))
    assert sad.neutral == "jaffe/YM/NE1.13"


@pytest.mark.parametrize(("name", "said"), [("XX.AN1.900.tiff", "XX"), ("KA.QQ1.900.tiff", "QQ")])
def test_jaffe_knows_its_people_and_codes(name, said, tmp_path):
    root = write_jaffe(tmp_path)
    (root / name).write_bytes(b"")
    with pytest.raises(AnnotationError, match=f"says {said}"):
        load("jaffe", root)


def test_fer2013_names_nobody_and_keeps_its_test_rows_apart(tmp_path):
    rows = [(6, "Training"), (4, "Training"), (1, "PublicTest"), (0, "PrivateTest")]
    table = load("fer2013", write_fer2013(tmp_path, rows))
    assert [still.label for still in table] == ["anger", "disgust", "neutral", "sadness"]
    assert [still.held_out for still in table] == [True, True, False, False]
    assert table.subjects == ()
    assert table.stills[0].picture.decode(table.stills[0].picture.read()).shape == (48, 48)


@pytest.mark.parametrize(
    "row",
    ["7,0 0,Training", "-1,0 0,Training", "0,0 0,Training", "0,1 2 x,Training", "0,256,Training", "0,1", "0,1,Test"],
)
def test_fer2013_rows_that_are_none(row, tmp_path):
    root = write_fer2013(tmp_path)
    with (root / "fer2013.csv").open("a") as stream:
        stream.write(row + "\n")
    with pytest.raises(AnnotationError, match="line 4"):
        load("fer2013", root)
    (root / "fer2013.csv").write_text("label,pixels\n")
    with pytest.raises(AnnotationError, match="does not begin with"):
        load("fer2013", root)


def test_raf_db_labels_and_parts(tmp_path):
    table = load("raf-db", write_raf_db(tmp_path))
    found = {still.id: (still.label, still.held_out) for still in table}
    assert found == {
        "raf-db/-/train_00001": ("sadness", False),
        "raf-db/-/train_00002": ("neutral", False),
        "raf-db/-/test_0001": ("surprise", True),
    }


def test_raf_db_faults(tmp_path):
    root = write_raf_db(tmp_path)
    (root / "basic/Image/aligned/train_00002_aligned.jpg").unlink()
    with pytest.raises(AnnotationError, match=r"train_00002_aligned\.jpg is not in"):
        load("raf-db", root)
    (root / "basic/EmoLabel/list_patition_label.txt").write_text("train_00001.jpg 8\n")
    with pytest.raises(AnnotationError, match="no name and code"):
        load("raf-db", root)


def test_a_synthetic_corpus_is_known_and_counted(tmp_path):
    root = write_ck_plus(tmp_path)
    mark = SyntheticMark("g/1", "macro", 3, 16, 2, {"anger": 6, "happiness": 6, "neutral": 4})
    write_marker(root, mark)
    assert load("ck-plus", root).synthetic == mark
    shutil.rmtree(root / "Emotion/S010/003")
    with pytest.raises(CountError, match="holds 12 stills, the marker"):
        load("ck-plus", root)

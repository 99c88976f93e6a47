"""The shipped protocols on workbooks that carry the published distributions of the real ones, through the readers."""

from collections import Counter
from pathlib import Path

import pytest

from mebench import plugins
from mebench.clips import ClipTable
from mebench.errors import CountError
from mebench.protocol import Protocol, Suite, Task, load_protocol, resolve
from mebench.show import show_record
from tests.corpora import write_casme2, write_samm, write_smic

Tables = dict[str, ClipTable]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """CASME II (coding of 2014, objective classes of 2017), SAMM and SMIC-HS."""
    root = tmp_path_factory.mktemp("corpora")
    for name in ("casme2", "samm", "smic"):
        (root / name).mkdir()
    write_casme2(root / "casme2")
    write_samm(root / "samm")
    write_smic(root / "smic")
    return {name: read(name, root / name) for name in ("casme2", "samm", "smic")}


@pytest.fixture(scope="module")
def casme2_2019(tmp_path_factory: pytest.TempPathFactory) -> ClipTable:
    """CASME II in the coding of 2019, without the objective classes of 2017."""
    root = tmp_path_factory.mktemp("casme2-2019")
    write_casme2(root, "coding-20190701", objective=False)
    return read("casme2", root)


def read(name: str, root: Path) -> ClipTable:
    loaded = plugins.load("dataset", name).load(root)
    assert isinstance(loaded, ClipTable)
    return loaded


def task_of(name: str, tables: Tables) -> Task:
    protocol = load_protocol(name)
    assert isinstance(protocol, Protocol)
    return resolve(protocol, tables)


def counted(task: Task, dataset: str | None = None) -> tuple[int, int, dict[str, int]]:
    """Clips, subjects and clips per class, of all or of one dataset."""
    items = [item for item in task.items if dataset in (None, item.dataset)]
    labels = Counter(item.label for item in items)
    return len(items), len({item.subject for item in items}), {c: labels[c] for c in task.protocol.classes}


def lacking(task: Task) -> int:
    """Subjects that do not hold every class."""
    held: dict[str, set[str]] = {}
    for item in task.items:
        held.setdefault(item.subject, set()).add(item.label)
    return sum(len(labels) < len(task.protocol.classes) for labels in held.values())


def test_casme2_on_its_coding_of_2014(tables: Tables) -> None:
    task = task_of("casme2-5c-loso", tables)
    per_class = {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 25, "others": 99}
    assert counted(task) == (246, 26, per_class)
    assert len(task.folds) == 26
    assert max(len(fold.test) for fold in task.folds) == 34  # sub17


def test_casme2_on_its_coding_of_2019(casme2_2019: ClipTable) -> None:
    task = task_of("casme2-5c-loso", {"casme2": casme2_2019})
    per_class = {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 28, "others": 99}
    assert counted(task) == (249, 26, per_class)
    assert task.annotations == {"casme2": "coding-20190701"}


def test_casme2_in_a_coding_without_known_counts(tmp_path: Path) -> None:
    write_casme2(tmp_path, "coding-updated")
    with pytest.raises(CountError, match="coding-updated: no counts are known"):
        task_of("casme2-5c-loso", {"casme2": read("casme2", tmp_path)})


def test_samm(tables: Tables) -> None:
    task = task_of("samm-5c-loso", tables)
    per_class = {"anger": 57, "contempt": 12, "happiness": 26, "surprise": 15, "others": 26}
    assert counted(task) == (136, 27, per_class)
    assert {"samm/024", "samm/036"}.isdisjoint(fold.id for fold in task.folds)


def test_megc2018_has_47_subjects_and_both_directions(tables: Tables) -> None:
    task = task_of("megc2018-cde", tables)
    assert counted(task, "casme2") == (185, 26, {"I": 25, "II": 15, "III": 99, "IV": 26, "V": 20})
    assert counted(task, "samm") == (68, 21, {"I": 24, "II": 13, "III": 20, "IV": 8, "V": 3})
    assert (len(task.items), len(task.folds)) == (253, 47)
    folds = {fold.id: (len(fold.train), len(fold.test)) for fold in task_of("megc2018-hde", tables).folds}
    assert folds == {"casme2->samm": (185, 68), "samm->casme2": (68, 185)}


def test_megc2018_refuses_the_objective_classes_of_2019(tables: Tables, casme2_2019: ClipTable) -> None:
    with pytest.raises(CountError, match="casme2 coding-20190701: no counts are known for this release"):
        task_of("megc2018-cde", tables | {"casme2": casme2_2019})


@pytest.mark.parametrize("coding", ["2014", "2019"])
def test_megc2019_is_the_organisers_on_either_coding(tables: Tables, casme2_2019: ClipTable, coding: str) -> None:
    task = task_of("megc2019-cde", tables if coding == "2014" else tables | {"casme2": casme2_2019})
    assert counted(task) == (442, 68, {"negative": 250, "positive": 109, "surprise": 83})
    assert counted(task, "smic") == (164, 16, {"negative": 70, "positive": 51, "surprise": 43})
    assert counted(task, "casme2") == (145, 24, {"negative": 88, "positive": 32, "surprise": 25})
    assert counted(task, "samm") == (133, 28, {"negative": 92, "positive": 26, "surprise": 15})
    out = ["sub04/EP12_01f", "sub05/EP09_05f", "sub24/EP07_01", "sub24/EP07_04f", "sub24/EP10_03"]
    assert {f"casme2/{name}" for name in out}.isdisjoint(item.id for item in task.items)
    assert (len(task.folds), lacking(task)) == (68, 52)


def test_composite_is_megc2019_without_smic(tables: Tables) -> None:
    task = task_of("composite-3c-loso", tables)
    whole = task_of("megc2019-cde", tables)
    assert counted(task)[:2] == (278, 52)
    assert {i.id: i.label for i in task.items} == {i.id: i.label for i in whole.items if i.dataset != "smic"}


def test_the_suite_shows_both_members(tables: Tables) -> None:
    suite = load_protocol("loso")
    assert isinstance(suite, Suite)
    members = show_record(suite, tables)["members"]
    assert [len(member["folds"]) for member in members] == [26, 27]
    assert members[0]["datasets"]["casme2"]["annotation"] == "coding-20140508"

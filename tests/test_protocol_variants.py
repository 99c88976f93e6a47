"""The sole-corpus variants, leaving one video out, action units and transfer, on the published distributions."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mebench import plugins
from mebench.cli import status
from mebench.clips import Clip, ClipTable
from mebench.errors import CountError, ProtocolError
from mebench.facs import parse
from mebench.protocol import Protocol, Suite, Task, load_protocol, protocol_names, resolve
from mebench.show import describe, show_record
from tests.corpora import write_casme2, write_samm, write_smic
from tests.tables import fitting, table

Tables = dict[str, ClipTable]
SHIPPED = Path(__file__).parent.parent / "protocols"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    root = tmp_path_factory.mktemp("corpora")
    for name in ("casme2", "samm", "smic"):
        (root / name).mkdir()
    write_casme2(root / "casme2")
    write_samm(root / "samm")
    write_smic(root / "smic")
    return {name: plugins.load("dataset", name).load(root / name) for name in ("casme2", "samm", "smic")}


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """CASME II in the coding of 2019."""
    root = tmp_path_factory.mktemp("casme2-2019")
    write_casme2(root, "coding-20190701", objective=False)
    return {"casme2": plugins.load("dataset", "casme2").load(root)}


def protocol(name: str) -> Protocol:
    loaded = load_protocol(name)
    assert isinstance(loaded, Protocol)
    return loaded


def suite(name: str) -> Suite:
    loaded = load_protocol(name)
    assert isinstance(loaded, Suite)
    return loaded


def counted(task: Task) -> tuple[int, int, dict[str, int]]:
    labels = Counter(item.label for item in task.items)
    return len(task.items), len({i.subject for i in task.items}), {c: labels[c] for c in task.protocol.classes}


# --- sole corpora ----------------------------------------------------------------------------------------------------

THREE = ("negative", "positive", "surprise")


@pytest.mark.parametrize(
    ("name", "clips", "subjects", "per_class"),
    [
        # 246 clips less 99 others; less 10 and 18, who have others (and one sadness) alone
        ("casme2-4c-147-loso", 147, 24, (32, 63, 27, 25)),
        ("casme2-4c-255-loso", 255, 26, (63 + 27 + 7 + 2, 32, 25, 99)),
        ("casme2-3c-147-loso", 147, 24, (63 + 27, 32, 25)),
        ("casme2-3c-156-loso", 156, 25, (63 + 27 + 7 + 2, 32, 25)),
        ("casme2-3c-129-loso", 129, 22, (63 + 7 + 2, 32, 25)),
        ("casme2-3c-145-loso", 145, 24, (63 + 27 - 2, 32, 25)),
        ("samm-3c-133-loso", 133, 28, (57 + 12 + 9 + 8 + 6, 26, 15)),
        ("smic-3c-164-loso", 164, 16, (70, 51, 43)),
    ],
)
def test_variants_hold_the_clips_they_are_named_for(
    tables: Tables, name: str, clips: int, subjects: int, per_class: tuple[int, ...]
) -> None:
    """Emotions of CASME II 2014: happiness 32, disgust 63, repression 27, surprise 25, sadness 7, fear 2, others 99."""
    task = resolve(protocol(name), tables)
    assert counted(task) == (clips, subjects, dict(zip(task.protocol.classes, per_class, strict=True)))
    assert len(task.folds) == subjects


@pytest.mark.parametrize(
    ("name", "clips", "surprise"),
    [
        ("casme2-4c-147-loso", 150, 28),
        ("casme2-4c-255-loso", 255, 28),
        ("casme2-3c-147-loso", 150, 28),
        ("casme2-3c-156-loso", 156, 28),
        ("casme2-3c-129-loso", 129, 28),
        ("casme2-3c-145-loso", 145, 25),
    ],
)
def test_the_coding_of_2019_has_three_more_surprises(newer: Tables, name: str, clips: int, surprise: int) -> None:
    """Three clips of sub24 moved from sadness to surprise; the MEGC 2019 set strikes them."""
    number, _, per_class = counted(resolve(protocol(name), newer))
    assert (number, per_class["surprise"]) == (clips, surprise)


def test_the_three_class_sets_of_casme2_are_four_different_ones(tables: Tables) -> None:
    names = [f"casme2-3c-{n}-loso" for n in (129, 145, 147, 156)]
    held = [frozenset((i.id, i.label) for i in resolve(protocol(name), tables).items) for name in names]
    assert len(set(held)) == 4
    assert held[1] < held[2] < held[3]


# --- leave one video out ---------------------------------------------------------------------------------------------


def test_leaving_one_video_out_says_that_it_is_not_subject_independent(tables: Tables) -> None:
    mine = protocol("casme2-5c-lovo")
    task = resolve(mine, tables)
    assert (mine.subject_independent, len(task.folds)) == (False, 246)
    assert all(len(fold.test) == 1 and len(fold.train) == 245 for fold in task.folds)
    shown = describe(mine)
    assert shown.splitlines()[1].startswith("NOT subject-independent")
    assert "NOT subject-independent" in next(line for line in shown.splitlines() if line.startswith("Folds:"))
    assert show_record(mine)["subject_independent"] is False
    assert "subject_independent" not in show_record(protocol("casme2-5c-loso"))


def test_it_alone_is_not_subject_independent() -> None:
    loaded = [load_protocol(name) for name in protocol_names()]
    assert [p.name for p in loaded if isinstance(p, Protocol) and not p.subject_independent] == ["casme2-5c-lovo"]


# --- transfer --------------------------------------------------------------------------------------------------------


def test_the_transfer_suite_fills_every_cell_of_the_matrix(tables: Tables) -> None:
    found = set()
    for member in suite("transfer-3c").members:
        task = resolve(member, tables)
        if member.folds.name == "hold-out-dataset":
            found |= {fold.id for fold in task.folds}
            subject = {i.id: i.subject for i in task.items}
            assert all({subject[c] for c in f.train}.isdisjoint(subject[c] for c in f.test) for f in task.folds)
        else:
            found.add(f"{member.datasets[0]}->{member.datasets[0]}")
    corpora = ("casme2", "samm", "smic")
    pairs = {f"{a}->{b}" for a in corpora for b in corpora}
    assert found == pairs | {"casme2+samm->smic", "casme2+smic->samm", "samm+smic->casme2"}


def test_transfer_is_on_the_clips_of_megc2019(tables: Tables) -> None:
    whole = {i.id: i.label for i in resolve(protocol("megc2019-cde"), tables).items}
    for member in suite("transfer-3c").members:
        held = {i.id: i.label for i in resolve(member, tables).items}
        assert held == {clip: label for clip, label in whole.items() if clip.split("/")[0] in member.datasets}


# --- action units ----------------------------------------------------------------------------------------------------

UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)


def test_units_are_read_from_every_clip_whose_set_is_certain(tables: Tables, newer: Tables) -> None:
    """CASME II: 255 rows less the five `?` of 2014, none of 2019; SAMM: 159 rows less five alternatives."""
    for name, given, clips, subjects in (
        ("casme2-au-loso", tables, 250, 26),
        ("casme2-au-loso", newer, 255, 26),
        ("samm-au-loso", tables, 154, 29),
    ):
        task = resolve(protocol(name), given)
        assert (len(task.items), len(task.folds)) == (clips, subjects)
        for item in task.items:
            numbers = [n for n in UNITS if n in item.clip.action_units.base]
            assert item.label == ("+".join(f"AU{n}" for n in numbers) or "none")
            assert item.labels == tuple(f"AU{n}" for n in numbers)


def au_clip(name: str, text: str, subject: str = "006") -> Clip:
    return Clip(f"samm/{subject}/{name}", "samm", f"samm/{subject}", 1, 5, 9, 200.0, "others", parse(text))


def test_doubtful_and_uncoded_clips_are_left_out_and_counted() -> None:
    clips = [
        au_clip("a", "L12 or L14"),
        au_clip("b", ""),
        au_clip("c", "18"),
        au_clip("d", "12+4A"),
        au_clip("e", "ref(7B)+43"),
        au_clip("f", "4", "007"),
    ]
    task = resolve(protocol("samm-au-loso"), {"samm": table(clips, "facs-v2", synthetic=True)})
    assert {i.clip.name: i.label for i in task.items} == {"c": "none", "d": "AU4+AU12", "e": "none", "f": "AU4"}
    shown = describe(protocol("samm-au-loso"), {"samm": table(clips, "facs-v2", synthetic=True)})
    assert "out:      unresolved (1 clip): which units the clip holds is not known for certain" in shown
    assert "out:      uncoded (1 clip): no unit is coded" in shown
    assert "unscored: units that are no class, and the clips that hold them: 18 (1), 43 (1)" in shown


def test_a_fold_names_the_units_it_cannot_learn() -> None:
    clips = [au_clip("a", "4+12"), au_clip("b", "4", "007"), au_clip("c", "12", "009")]
    folds = resolve(protocol("samm-au-loso"), {"samm": table(clips, "facs-v2", synthetic=True)}).folds
    assert [{"AU4", "AU12"} & set(f.untrained) for f in folds] == [set(), set(), set()]
    assert all("AU1" in f.untrained for f in folds)


def test_a_clip_too_few_or_too_doubtful_is_a_count_error(tables: Tables) -> None:
    given = tables["samm"]
    first = next(c for c in given if not c.action_units.unresolved)
    doubtful = replace(first, action_units=parse("4 or 7"))
    changed = replace(given, clips=tuple(doubtful if c is first else c for c in given))
    with pytest.raises(CountError, match=r"expected 154 clips of 29 subjects, found 153 .*clips 153 instead of 154"):
        resolve(protocol("samm-au-loso"), {"samm": changed})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"action-units"', '"recognition"', "datasets.samm.field: 'action_units' does not go with this task"),
        ('"leave-one-subject-out"', '"group-k-fold"\nk = 3\nseed = 0', "task: action units are not parted by group-k"),
        ('"pooled"', '"mean-over-folds"', "task: action units are not parted by group-k-fold nor averaged"),
        ('17 = "AU17"', '117 = "AU17"', "datasets.samm.labels: '117' is not known"),
        ('"AU17"', '"none"', "classes: 'none' stands for no class at all"),
    ],
)
def test_mistakes_in_a_protocol_of_units_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (SHIPPED / "samm-au-loso.toml").read_text().replace('name = "samm-au-loso"', 'name = "mine"')
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ProtocolError) as caught:
        load_protocol(path)
    assert message in caught.value.what
    assert "\n" not in caught.value.what


# --- what took a protocol's place ------------------------------------------------------------------------------------


def test_a_released_protocol_can_say_what_took_its_place(tmp_path: Path) -> None:
    text = (SHIPPED / "samm-5c-loso.toml").read_text()
    path = tmp_path / "copy.toml"
    path.write_text(text.replace("version = 1", 'version = 1\nsuperseded_by = "samm-5c-loso@2"', 1))
    loaded = load_protocol(path)
    assert (loaded.digest, loaded.superseded_by) == (protocol("samm-5c-loso").digest, "samm-5c-loso@2")
    assert "SUPERSEDED by samm-5c-loso@2" in describe(loaded).splitlines()[1]
    assert show_record(loaded)["superseded_by"] == "samm-5c-loso@2"
    path.write_text(text.replace("version = 1", 'version = 1\nsuperseded_by = "../x"', 1))
    with pytest.raises(ProtocolError, match=r"superseded_by: '\.\./x' does not match"):
        load_protocol(path)


def test_a_suite_can_say_so_too(tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    path.write_text((SHIPPED / "loso.toml").read_text().replace("version = 1", 'version = 1\nsuperseded_by = "all"', 1))
    loaded = load_protocol(path)
    assert loaded.digest == suite("loso").digest
    assert "SUPERSEDED by all" in describe(loaded)
    assert show_record(loaded)["superseded_by"] == "all"


def test_show_names_who_uses_a_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["show", "megc2018-cde"]) == 0
    shown = capsys.readouterr().out
    assert "Used by  (6 methods with published figures" in shown
    assert "ELBPTOP" in shown.splitlines()[-1]


@pytest.mark.parametrize("name", sorted(p.stem for p in SHIPPED.glob("*.toml") if p.stem != "released"))
def test_every_shipped_protocol_is_explained(name: str) -> None:
    loaded = load_protocol(name)
    shown = describe(loaded)
    assert loaded.description in shown
    assert "given:    not given" in shown
    for member in loaded.members if isinstance(loaded, Suite) else (loaded,):
        assert all(paper.citation in shown for paper in member.papers)


def test_tables_of_the_tests_fit_the_new_protocols_too() -> None:
    """The counts of a protocol can be met: a table that holds just them resolves."""
    for name in ("casme2-4c-255-loso", "smic-3c-164-loso", "transfer-3c-two-to-one"):
        assert resolve(protocol(name), fitting(protocol(name))).folds

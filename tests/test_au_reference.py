"""The action-unit reference: what it sees, what it never sees, what it may be held against."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mebench import au_reference
from mebench.audit.unit_models import NearestSets, classifiers
from mebench.audit.units import UnitsQuestion, audit_units, unit_reference
from mebench.cli import status
from mebench.clips import Clip, SyntheticMark
from mebench.corpora import load_clips
from mebench.datasets.marker import write_marker
from mebench.errors import DataError, RunError, UsageError
from mebench.facs import parse
from mebench.forget import forget
from mebench.protocol import load_protocol, resolve
from mebench.standing import boards, leaderboard_text, page
from mebench.unit_codes import unit_codes
from tests.corpora import write_casme2, write_samm, write_smic
from tests.test_imports import HEAVY, modules_after

# Clips by action unit and class (happiness, disgust, repression, surprise, others), as counted over the 246 clips.
CASME2_UNITS = {
    4: (1, 59, 1, 0, 67), 7: (1, 30, 0, 0, 7), 12: (27, 0, 2, 1, 4), 14: (5, 1, 4, 1, 16), 17: (1, 1, 19, 0, 4),
    2: (0, 1, 0, 20, 0), 1: (1, 0, 0, 18, 0), 10: (0, 17, 0, 0, 0), 15: (3, 1, 11, 0, 1), 6: (8, 3, 0, 0, 2),
    9: (0, 13, 0, 0, 0), 5: (0, 2, 0, 0, 0), 38: (0, 0, 0, 1, 1), 24: (0, 0, 0, 0, 2),
}  # fmt: skip
# Of the 136 clips of SAMM (anger, contempt, happiness, surprise, other), without those that hold a reference unit.
SAMM_UNITS = {
    12: (0, 2, 26, 0, 0), 4: (21, 0, 0, 0, 1), 2: (0, 0, 1, 4, 13), 14: (0, 12, 0, 1, 0), 5: (0, 0, 0, 9, 0),
    24: (0, 1, 1, 1, 6), 25: (0, 1, 1, 1, 2), 39: (0, 0, 1, 0, 4), 1: (0, 0, 0, 4, 0), 6: (1, 0, 3, 0, 0),
    17: (1, 3, 0, 0, 0), 18: (0, 0, 0, 0, 4),
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_casme2(root / "casme2")
    write_samm(root / "samm")
    return root


@pytest.fixture(scope="module")
def samm(data):
    return resolve(load_protocol("samm-5c-loso"), {"samm": load_clips("samm", data / "samm")})


@pytest.fixture(scope="module")
def home(tmp_path_factory, data) -> Path:
    """A home that keeps the reference of both sole-database protocols."""
    root = tmp_path_factory.mktemp("home")
    for name in ("casme2", "samm"):
        audit_units(UnitsQuestion(root, f"{name}-5c-loso", {name: str(data / name)}, command="mebench audit units"))
    return root


def coded(*cells: str) -> list[Clip]:
    return [
        Clip(f"casme2/sub01/EP{i:02d}", "casme2", "casme2/sub01", 1, 2, 3, 200.0, "others", parse(cell))
        for i, cell in enumerate(cells)
    ]


# --- the vectors -----------------------------------------------------------------------------------------------------


def test_vectors_hold_units_their_side_and_doubt():
    """`L12 or L14` has no definite unit: half of either, and no side; `ref(7)` is no part of the movement."""
    codes = unit_codes(coded("L12+4B", "4", "L12 or L14", "?", "ref(7)+43", ""))
    assert codes.columns == ("4", "12", "14", "43", "unresolved", "12 left")
    assert codes.plain == 5
    rows = [codes.vectors[f"casme2/sub01/EP{i:02d}"].tolist() for i in range(5)]
    assert rows == [
        [1, 1, 0, 0, 0, 1],
        [1, 0, 0, 0, 0, 0],
        [0, 0.5, 0.5, 0, 1, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 1, 0, 0],
    ]
    assert codes.uncoded == ("casme2/sub01/EP05",)


def test_the_nearest_set_votes_with_its_most_frequent_label():
    """{4}: twice a, once b. {4, 9} is nearest to {4, 7, 9} (2 of 3) before {4} (1 of 2). A tie: the more frequent."""
    X = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1]], float)
    model = NearestSets().fit(X, np.array(["a", "a", "b", "b", "c", "a"]))
    assert model.predict([[1, 0, 0], [1, 0, 1], [0, 1, 1]]).tolist() == ["a", "b", "b"]
    assert model.predict_proba([[1, 0, 0]]).tolist() == [[2 / 3, 1 / 3, 0]]
    assert NearestSets(plain=1).fit(X, list("aabbca")).predict([[0, 1, 1]]).tolist() == ["a"]  # {} is like {}: c and a


# --- the figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "counts"), [("casme2", CASME2_UNITS), ("samm", SAMM_UNITS)])
def test_the_workbooks_hold_every_unit_as_often_per_class_as_the_real_ones(data, name, counts):
    task = resolve(load_protocol(f"{name}-5c-loso"), {name: load_clips(name, data / name)})
    found = Counter((unit, item.label) for item in task.items for unit in set().union(*item.clip.action_units.possible))
    assert {unit: tuple(found[unit, c] for c in task.protocol.classes) for unit in counts} == counts


def test_codes_alone_reach_what_simple_classifiers_reach_on_the_real_sets(home):
    """On the true sets, leave-one-subject-out: UF1 .78 to .86 on CASME II and .93 to .96 on SAMM."""
    casme2, samm = (one for one in au_reference.kept(home))
    assert (casme2.protocol, samm.protocol) == ("casme2-5c-loso", "samm-5c-loso")
    assert 0.78 <= casme2.uf1() <= 0.86
    assert 0.93 <= samm.uf1() <= 0.97
    for one in (casme2, samm):
        assert one.uf1() == max(card.strict["all"].uf1 for card in one.cards.values())
        assert set(one.predictions) == set(classifiers(1))
        assert one.uncoded == ()


def test_the_reference_of_each_slice_is_the_best_there(data):
    tables = {name: load_clips(name, data / name) for name in ("casme2", "samm")}
    found = unit_reference(resolve(load_protocol("composite-3c-loso"), tables))
    assert found.slices == ("all", "casme2", "samm")
    for part in found.slices:
        assert found.uf1(part) == max(card.strict[part].uf1 for card in found.cards.values())
    assert set(found.asks) == {("composite-3c-loso", part) for part in found.slices}
    assert len(found.table().rows) == 3 * 4


# --- what it must not see --------------------------------------------------------------------------------------------


def test_held_out_labels_reach_no_classifier(samm):
    """Every label of one subject turned: what is said of this subject stays bit for bit, of others it may not."""
    subject = Counter(item.subject for item in samm.items).most_common(1)[0][0]
    classes = samm.protocol.classes
    turned = {c: classes[(i + 1) % len(classes)] for i, c in enumerate(classes)}
    items = tuple(replace(i, label=turned[i.label]) if i.subject == subject else i for i in samm.items)
    before, after = unit_reference(samm), unit_reference(replace(samm, items=items))

    def said(reference, name, mine):
        return [
            (row.clip, row.predicted, row.scores)
            for row in reference.predictions[name].rows
            if (reference.subjects[row.clip] == subject) is mine
        ]

    for name in before.predictions:
        assert said(before, name, mine=True) == said(after, name, mine=True)
    assert any(said(before, name, mine=False) != said(after, name, mine=False) for name in before.predictions)


def test_clips_without_a_code_are_missing_and_counted(samm):
    lost = [item.id for item in samm.items if item.label == "anger"][:3]
    items = tuple(
        replace(item, clip=replace(item.clip, action_units=parse(None))) if item.id in lost else item
        for item in samm.items
    )
    found = unit_reference(replace(samm, items=items))
    assert set(found.uncoded) == set(lost)
    card = found.cards[found.best].strict["all"]
    assert (card.clips, card.covered) == (len(samm.items), len(samm.items) - 3)
    assert any("3 clips have no code and count as wrong" in note for note in found.notes)
    assert found.asks == {}  # figures in print cover all clips


def test_of_a_composite_only_coded_slices_ask(tmp_path, data):
    """MEGC2019: SMIC codes no units, so its clips count as wrong and the whole asks nothing; the two others do."""
    write_smic(tmp_path)
    roots = {"casme2": data / "casme2", "samm": data / "samm", "smic": tmp_path}
    tables = {name: load_clips(name, root) for name, root in roots.items()}
    found = unit_reference(resolve(load_protocol("megc2019-cde"), tables))
    assert len(found.uncoded) == 164
    assert found.coverage() == pytest.approx(278 / 442)
    assert set(found.asks) == {("megc2019-cde", "casme2"), ("megc2019-cde", "samm")}


def test_corpora_without_codes_and_protocols_of_codes_are_refused(tmp_path, data):
    write_smic(tmp_path)
    smic = {"smic": load_clips("smic", tmp_path)}
    with pytest.raises(DataError, match="no clip of smic has an action-unit code"):
        unit_reference(resolve(load_protocol("smic-3c-164-loso"), smic))
    with pytest.raises(UsageError, match="the action units themselves"):
        audit_units(UnitsQuestion(tmp_path / "home", "casme2-au-loso", {"casme2": str(data / "casme2")}))
    assert not (tmp_path / "home" / "references").exists()


# --- what it is held against -----------------------------------------------------------------------------------------

FLAG = "above the action-unit reference of this corpus"


def flagged(home: Path) -> list[str]:
    """The methods in print on CASME II that are asked."""
    (group,) = json.loads(shown(home, "json", published=True))["published"]
    return [m["method"] for m in group["methods"] if any(FLAG in str(r) for r in m["results"])]


def shown(home: Path, form: str | None, **options) -> str:
    return leaderboard_text(home, "casme2-5c-loso", form, width=250, colour=False, **options)


def test_figures_in_print_above_it_are_asked_and_no_others(home):
    asked = flagged(home)
    assert "MMNet" in asked  # F1 .8676; the larger of UF1 and weighted F1 is .834
    assert not {"TSCNN", "KFC"} & set(asked)  # F1 .807, .7375
    assert "not a strict bound, a question to ask" in shown(home, "md", published=True)


def test_a_rendered_corpus_never_judges_figures_in_print(tmp_path, data):
    corpus = tmp_path / "casme2"
    write_casme2(corpus)
    table = load_clips("casme2", corpus)
    write_marker(corpus, SyntheticMark("test", "smoke", 0, len(table), len(table.subjects), table.count("emotion")))
    home = tmp_path / "home"
    found = audit_units(UnitsQuestion(home, "casme2-5c-loso", {"casme2": str(corpus)}))
    assert found.synthetic
    assert found.uf1() == pytest.approx(0.831, abs=0.001)
    assert found.asks == {}
    assert flagged(home) == []
    assert any("SYNTHETIC" in note and "no figure in print" in note for note in found.notes)
    assert "Figures in print" not in page(home, None)
    # Beside a reference of the recorded corpus it neither judges nor mixes: two boards, and the recorded one asks.
    audit_units(UnitsQuestion(home, "casme2-5c-loso", {"casme2": str(data / "casme2")}))
    assert [board.rows[0].synthetic for board in boards(home, "casme2-5c-loso")] == [False, True]
    assert "MMNet" in flagged(home)


def test_a_reference_of_part_of_a_corpus_asks_nothing(samm):
    found = unit_reference(replace(samm, partial=True))
    assert found.asks == {}
    assert any("less than their release" in note for note in found.notes)


# --- kept under the home ---------------------------------------------------------------------------------------------


def test_what_is_kept_is_what_was_found_and_no_other_corpus_answers(home, samm):
    found = unit_reference(samm)
    kept = au_reference.kept_for(home, "samm-5c-loso", samm.fingerprints, partial=False)
    assert kept.record() == found.record()
    assert au_reference.kept_for(home, "samm-5c-loso", {"samm": "0" * 64}, partial=False) is None
    assert au_reference.kept_for(home, "samm-5c-loso", samm.fingerprints, partial=True) is None


def test_it_stands_on_its_board_as_a_row_of_its_own_privilege(home):
    (board,) = boards(home, "samm-5c-loso")
    (row,) = board.rows
    assert (row.model, row.privilege, row.tried, row.coverage) == ("au-reference", "aus", 4, 1.0)
    assert row.command == "mebench audit units"
    assert "best of 4" in leaderboard_text(home, "samm-5c-loso", "md", width=200, colour=False)


def test_the_page_draws_its_line_where_the_corpus_has_one_and_compares_no_run_with_it(tmp_path, data, capsys):
    given = [f"--data=samm={data / 'samm'}"]
    for model in ("constant", "uniform"):
        assert status(["--home", str(tmp_path), "run", model, "--protocol", "samm-5c-loso", *given, "--jobs=1"]) == 0
    assert "AU reference" not in page(tmp_path, None)
    assert status(["--home", str(tmp_path), "audit", "units", "--protocol", "samm-5c-loso", *given]) == 0
    capsys.readouterr()
    text = page(tmp_path, None)
    assert "AU reference .962" in text
    assert "of 1 runs differ from" in text  # uniform against the majority class; the reference is no rival


def test_a_damaged_file_is_named(tmp_path, samm):
    path = au_reference.keep(tmp_path, unit_reference(samm))
    whole = path.read_text()
    for broken in (whole[:-200], whole.replace("happiness", "surprise", 1), "[]"):
        path.write_text(broken)
        with pytest.raises(RunError, match="damaged"):
            au_reference.kept(tmp_path)


def test_it_is_forgotten_with_the_corpus(tmp_path, samm):
    path = au_reference.keep(tmp_path, unit_reference(samm))
    forget(tmp_path, "samm", "011")
    assert not path.exists()


def test_the_verb_reports_as_json(tmp_path, data, capsys):
    arguments = ["audit", "units", "--protocol", "samm-5c-loso", f"--data=samm={data / 'samm'}", "--json"]
    assert status(["--home", str(tmp_path), *arguments]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "mebench.au-reference/1"
    assert record["privilege"] == "aus"
    assert record["reference"] == {"all": max(c["all"]["uf1"] for c in record["classifiers"].values())}
    assert {c["all"]["coverage"] for c in record["classifiers"].values()} == {1.0}


def test_reading_it_does_without_heavy_libraries():
    assert not modules_after("import mebench.au_reference, mebench.null_draws, mebench.standing") & HEAVY

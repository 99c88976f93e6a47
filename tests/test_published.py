"""Figures in print: read with every mistake named, objected to by rule, and printed apart from every run."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mebench.cli import status
from mebench.errors import ProtocolError
from mebench.in_print import APART, CSV_COLUMNS, published_csv, published_tables
from mebench.leaderboard import COLUMNS
from mebench.objections import UnitLevel, objections, slices_of
from mebench.protocol import load_protocol, protocol_names
from mebench.published import Group, Printed, parse_published, published_groups
from mebench.standing import boards, leaderboard_text, unit_references
from tests.corpora import write_casme2, write_samm, write_smic

TEXT = """
schema = "mebench.published/1"
protocol = "megc2019-cde"
title = "A table"
description = "Somebody's."

[sources.A]
citation = "Nobody: Nothing. 2020."
url = "https://example.org"

[[methods]]
method = "Net"
source = "A"
status = "verified"
selection = "peeked"
evidence = { repository = "a/b", path = "c.py", lines = "1-2", commit = "unknown", date = "2020-01-31" }
figures.all = { uf1 = ".7353", uar = ".7186" }
figures.smic = { accuracy = "42.68 %", clips = 164 }
"""


def parsed(old: str = "", new: str = "") -> Group:
    assert old in TEXT
    return parse_published(TEXT.replace(old, new, 1).encode(), "x.toml")


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_file_says_what_is_printed_where_and_how_it_was_chosen() -> None:
    group = parsed()
    (net,) = group.figures
    assert (net.method, net.source.citation, net.status, net.selection) == (
        "Net", "Nobody: Nothing. 2020.", "verified", "peeked"
    )  # fmt: skip
    assert net.evidence is not None
    assert net.evidence.text == "a/b c.py L1-2 (commit unknown, date 2020-01-31)"
    assert [(r.slice, r.clips) for r in net.results] == [("all", None), ("smic", 164)]
    assert net.results[0].figures == {"uf1": Printed(".7353"), "uar": Printed(".7186")}


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [(".7353", 0.7353, 1e-4), ("0.71", 0.71, 1e-2), ("63.41 %", 0.6341, 1e-4), ("80 %", 0.8, 1e-2)],
)
def test_digits_are_kept_as_printed(text: str, value: float, unit: float) -> None:
    assert (Printed(text).value, Printed(text).unit) == (pytest.approx(value), pytest.approx(unit))


MISTAKES = [
    ('uf1 = ".7353"', "uf1 = 0.7353", "methods[1].figures.all.uf1: 0.7353 is not a text", "Give a text."),
    ('".7353"', '"73.53"', "figures.all.uf1: '73.53' is no figure", '"73.53 %"'),
    ('".7353"', '"1.2"', "figures.all.uf1: '1.2' is no figure", "Write it as printed"),
    ("uf1 =", "uf =", "figures.all.uf: is not a key of this table", "Did you mean uf1"),
    ('source = "A"', 'source = "B"', "methods[1].source: 'B' is not known", "Known: A."),
    ('"verified"', '"sure"', "methods[1].status: 'sure' is not known", "Known: unconfirmed, verified."),
    ('"peeked"', '"peaked"', "methods[1].selection: 'peaked' is not known", "Did you mean peeked?"),
    ('commit = "unknown"', 'commit = "main"', "evidence.commit: 'main' is no commit", "40 digits, or unknown"),
    ('"2020-01-31"', '"May 2020"', "evidence.date: 'May 2020' is no day", "Write 2024-05-31"),
    ('lines = "1-2", ', "", "evidence.lines: is missing", "Add it: a text."),
    ("clips = 164", "clips = 0", "figures.smic.clips: 0 is below 1", "Give 1 or more."),
    ('title = "A table"', 'titel = "A table"', "x.toml: title: is missing", "Rename 'titel'."),
    ('"mebench.published/1"', '"mebench.protocol/1"', "schema: 'mebench.protocol/1' is not known", "published/1"),
    ("figures.all", "rank = 1\nfigures.all", "methods[1].rank: is not a key of this table", "Known: "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what", "fix"), MISTAKES)
def test_a_mistake_is_named_on_one_line(old: str, new: str, what: str, fix: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parsed(old, new)
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert len(str(caught.value).splitlines()) == 2


def test_an_accusation_needs_its_evidence() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("evidence"))
    with pytest.raises(ProtocolError, match="evidence: is missing beside selection 'peeked'"):
        parsed(line + "\n")
    assert parsed('"peeked"\n' + line, '"unknown"').figures[0].evidence is None


def test_a_method_has_figures_or_evidence() -> None:
    stripped = TEXT[: TEXT.index("figures.all")]
    assert parse_published(stripped.encode(), "x.toml").figures[0].results == ()
    bare = stripped.replace('"peeked"', '"unknown"').split("evidence")[0]
    with pytest.raises(ProtocolError, match="figures: is missing, and so is evidence"):
        parse_published(bare.encode(), "x.toml")


# --- objections ------------------------------------------------------------------------------------------------------


def said(all_figures: str, **more: float) -> tuple[str, ...]:
    group = parsed('uf1 = ".7353", uar = ".7186"', all_figures)
    levels = {("megc2019-cde", name): UnitLevel(value, value + 0.01) for name, value in more.items()}
    return objections(group, levels).get((0, "all"), ())


def test_a_sound_figure_has_no_objection() -> None:
    assert said('uf1 = ".7353", uar = ".7186"') == ()
    assert objections(parsed()) == {}  # 42.68 % is 70 of 164


def test_figures_that_no_confusion_matrix_has_are_impossible() -> None:
    """Half of the clips wrong on average: UF1 may be .49 and cannot be .90."""
    assert (
        "impossible: with UAR .5000 on 250 + 109 + 83 clips UF1 lies between" in said('uf1 = ".9000", uar = ".5000"')[0]
    )
    assert said('uf1 = ".4900", uar = ".5000"') == ()


def test_an_accuracy_that_is_no_share_of_the_clips_is_named() -> None:
    """329 / 442 = .7443 and 330 / 442 = .7466: nothing is .7455."""
    (only,) = said('accuracy = ".7455"')
    assert only == "no number of 442 clips is .7455 of them: averaged over folds, or another set"
    assert said('accuracy = ".7466"') == ()


def test_a_uar_that_is_not_the_mean_of_its_recalls_is_named() -> None:
    figures = 'uf1 = ".7353", uar = ".7605", recalls = ["87.60 %", "56.88 %", "71.08 %"]'
    assert said(figures) == ("the printed recalls average .7185, not .7605",)
    assert said(figures.replace(".7605", ".7186")) == ()


def test_missing_clips_and_other_sets_are_named_and_not_judged_further() -> None:
    assert said('uf1 = ".9", uar = ".5", clips = 435') == ("incomplete: 435 of 442 clips",)
    assert said('uf1 = ".9", uar = ".5", clips = 445') == ("another set: 445 clips, not 442",)


def test_what_beats_the_annotated_units_is_named_where_that_level_is_known() -> None:
    said_of_it = ("above the action-unit reference of this corpus, UF1 .800: not a strict bound, a question to ask",)
    assert said('uf1 = ".8001"', all=0.8) == said_of_it
    assert said('uf1 = ".8000"', all=0.8) == ()
    assert said('uf1 = ".9000"', smic=0.8) == ()
    assert said('f1 = ".8100"', all=0.8) == ()  # F1 of some mean: the larger of UF1 and weighted F1 counts
    assert said('f1 = ".8101"', all=0.8) == (said_of_it[0].replace("UF1 .800", "F1 .810"),)
    assert "another set: 445 clips, not 442" in said('uf1 = ".9", clips = 445', all=0.8)
    assert len(said('uf1 = ".9", clips = 445', all=0.8)) == 1  # of other clips nothing is known


def test_slices_hold_what_the_protocol_expects() -> None:
    held = slices_of("megc2019-cde")
    assert {name: [s.clips for s in found] for name, found in held.items()} == {
        "all": [442], "smic": [164], "casme2": [145], "samm": [133]
    }  # fmt: skip
    assert held["all"][0].per_class == {"negative": 250, "positive": 109, "surprise": 83}
    assert [s.clips for s in slices_of("casme2-5c-loso")["all"]] == [246, 249]
    assert slices_of("cd6me") == {}


# --- what ships ------------------------------------------------------------------------------------------------------


def shipped(protocol: str) -> Group:
    (group,) = published_groups({protocol})
    return group


def flagged(protocol: str) -> dict[tuple[str, str], tuple[str, ...]]:
    group = shipped(protocol)
    return {(group.figures[i].method, name): what for (i, name), what in objections(group).items()}


def test_the_known_faults_of_megc2019_tables_are_found_by_rule() -> None:
    """SMIC LBP-TOP has .2000 beside .5280; STSTNet's UAR is its precision; CapsuleNet left clips out."""
    found = flagged("megc2019-cde")
    assert (
        "impossible: with UAR .5280 on 70 + 51 + 43 clips UF1 lies between .388"
        in found["LBP-TOP (organisers)", "smic"][0]
    )
    assert found["STSTNet", "all"] == ("the printed recalls average .7185, not .7605",)
    assert found["CapsuleNet", "all"] == ("incomplete: 435 of 442 clips",)
    assert found["CapsuleNet", "smic"] == ("incomplete: 157 of 164 clips",)
    assert ("FeatRef", "all") not in found


def test_every_figure_says_where_it_was_read_and_no_lam_score_is_among_them() -> None:
    for group in published_groups():
        for method in group.figures:
            assert method.source.citation
            assert method.method.casefold().split()[0] not in {"lam", "lam-like"}
            assert method.status == "unconfirmed" or method.source.key != "UN"
            assert method.selection in ("fixed", "unknown") or method.evidence


def test_a_figure_without_a_source_is_marked_wherever_it_is_printed() -> None:
    for shown in published_tables():
        group = shipped(shown.title.removeprefix("In print: ").partition(",")[0])
        status_of = [m.status for m in group.figures for _ in m.results or (None,)]
        for row, known in zip(shown.rows, status_of, strict=True):
            assert row[-1].startswith("UNCONFIRMED") == (known == "unconfirmed")


def test_files_are_named_for_protocols_and_ours_come_first() -> None:
    names = [group.protocol for group in published_groups()]
    ours = [name for name in names if name in protocol_names()]
    assert names[: len(ours)] == ours
    assert {"megc2019-cde", "casme2-5c-loso", "samm-5c-loso", "megc2018-cde", "megc2018-hde"} <= set(ours)
    assert {"cd6me", "released-code"} <= set(names)


# --- the section -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The majority class under leaving one video out, and under the transfer suite."""
    root = tmp_path_factory.mktemp("home")
    data = root / "data"
    for name in ("casme2", "samm", "smic"):
        (data / name).mkdir(parents=True)
    write_casme2(data / "casme2")
    write_samm(data / "samm")
    write_smic(data / "smic")
    given = [f"--data={name}={data / name}" for name in ("casme2", "samm", "smic")]
    for protocol in ("casme2-5c-lovo", "transfer-3c"):
        assert status(["run", "constant", "--protocol", protocol, "--home", str(root / "home"), *given]) == 0
    return root / "home"


def text(home: Path, form: str | None, protocol: str | None = None, *, published: bool = True) -> str:
    return leaderboard_text(home, protocol, form, width=200, colour=False, published=published)


def test_printed_figures_follow_the_boards_and_hold_no_rank(home: Path) -> None:
    shown = text(home, "md", "casme2-5c-lovo")
    boards, apart = shown.split("## In print: casme2-5c-lovo")
    assert "Majority class" in boards
    assert APART in apart
    assert "| LBP-TOP (Yan 2014) | 63.41 % | 247 | unknown |" in apart
    assert "Majority class" not in apart
    assert "In print" not in text(home, "md", "casme2-5c-lovo", published=False)
    assert r"\hline" in text(home, "tex", "casme2-5c-lovo")
    assert "In print: casme2-5c-lovo" in text(home, None, "casme2-5c-lovo")


def test_the_board_of_leaving_one_video_out_says_what_it_is_not(home: Path) -> None:
    heading = next(line for line in text(home, "md", "casme2-5c-lovo").splitlines() if line.startswith("## casme2"))
    assert heading.endswith("NOT subject-independent")


def test_csv_keeps_printed_figures_out_of_the_columns_of_runs(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(text(home, "csv", "casme2-5c-lovo"))))
    assert tuple(rows[0]) == (*COLUMNS, *CSV_COLUMNS)
    runs, printed = ([r for r in rows if r["published"] == value] for value in ("false", "true"))
    assert (len(runs), len(printed)) == (1, 3)
    assert runs[0]["uf1"]
    assert runs[0]["caveats"] == "NOT subject-independent"
    assert all(
        r[name] == "" for r in printed for name in ("uf1", "uar", "accuracy", "weighted_f1", "rank", "peeked_uf1")
    )
    assert (printed[0]["printed_accuracy"], printed[0]["flags"]) == (
        "63.41 %",
        "another set: 247 clips, not 246 or 249",
    )
    plain = text(home, "csv", "casme2-5c-lovo", published=False)
    assert plain.splitlines()[0] == ",".join(COLUMNS)


def test_json_carries_them_beside_the_boards(home: Path) -> None:
    record = json.loads(text(home, "json", "casme2-5c-lovo"))
    (group,) = record["published"]
    assert (group["protocol"], group["ranked"]) == ("casme2-5c-lovo", False)
    result = group["methods"][0]["results"][0]
    assert (result["accuracy"], result["printed"]) == (pytest.approx(0.6341), {"accuracy": "63.41 %"})
    assert "published" not in json.loads(text(home, "json", "casme2-5c-lovo", published=False))


def test_the_level_of_the_annotated_units_is_taken_from_runs_that_were_given_them(home: Path) -> None:
    """A run whose input are the coded units of the tested clips; synthetic and unranked ones set no level."""
    row = boards(home, "casme2-5c-lovo")[0].rows[0]
    given = [replace(row, privilege="aus", uf1=u, weighted_f1=w) for u, w in ((0.5, 0.8), (0.7, 0.6))]
    void = [row, replace(row, privilege="aus", uf1=0.9, synthetic=True), replace(given[0], uf1=0.8, partial=True)]
    void.append(replace(given[0], uf1=0.8, coverage=0.9))
    assert unit_references([*given, *void]) == {("casme2-5c-lovo", "all"): UnitLevel(0.7, 0.8)}


def test_a_board_says_what_took_its_protocols_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of a run that is older than the protocol's, and a successor its file names."""
    import mebench.standing

    today = load_protocol("casme2-5c-lovo")
    for now, said in (
        (replace(today, version=2), "NOT subject-independent. superseded by version 2"),
        (replace(today, superseded_by="other@1"), "NOT subject-independent. superseded by other@1"),
    ):
        monkeypatch.setattr(mebench.standing, "load_protocol", lambda name, now=now: now)
        assert boards(home, "casme2-5c-lovo")[0].heading.endswith(said)


def test_the_command_prints_every_group_without_any_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert status(["leaderboard", "--published", "--format", "md", "--home", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("## In print: ") == len(published_groups())
    assert len(list(published_csv())) == sum(max(1, len(m.results)) for g in published_groups() for m in g.figures)


def test_the_suite_draws_its_matrix(home: Path) -> None:
    """Majority classes: negative everywhere, so that each cell is the UF1 of answering negative on that corpus.

    F1 of negative over n of N clips is 2 n / (N + n), a third of which is the UF1: casme2 88/145, samm 92/133, smic
    70/164.
    """
    shown = text(home, "md", "transfer-3c", published=False)
    matrix = shown[shown.index("## Trained on") :].splitlines()
    cells = {line.split(" | ")[0].removeprefix("| "): line.removesuffix(" |").split(" | ")[1:] for line in matrix[4:11]}
    casme2, samm, smic = (f"{2 * n / (total + n) / 3:.3f}"[1:] for n, total in ((88, 145), (92, 133), (70, 164)))
    assert cells["casme2 coding-20140508"] == [casme2, samm, smic]
    assert cells["samm facs-v2"] == [casme2, samm, smic]
    assert cells["smic hs"] == [casme2, samm, smic]
    assert cells["casme2 coding-20140508 + samm facs-v2"] == ["–", "–", smic]
    assert "## Trained on" not in text(home, "md", "casme2-5c-lovo", published=False)

"""The page: equal to the CSV, deaf to markup, silent on the network, legible in both themes."""

import csv
import io
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest

from mebench import standing
from mebench.cli import status
from mebench.comparing import Terms
from mebench.cost import Cost
from mebench.errors import UnknownName
from mebench.intervals import COVERAGE_NOTE
from mebench.leaderboard import SYNTHETIC_WARNING, boards, rows, table, to_csv
from mebench.page import Section, page_text
from mebench.page.document import record_of
from mebench.page.forest import Estimate, Reference, axis, forest
from mebench.page.recalls import heat_map, matrices
from mebench.page.references import chance_bound, declare, majority_uf1, one_answer
from mebench.page.sheet import sheet
from mebench.page.trust import UNRECORDED, trust_table
from mebench.predictions import Prediction, Predictions
from mebench.render import Table
from tests.test_imports import modules_after
from tests.test_leaderboard import CLASSES, ONE, TWO, answers, entry

HOSTILE = "<script>alert('x')</script>\x1b[31m\u202e{{ 7*7 }}\"&"
FEW = Terms(resamples=100)
VOID = {"meta", "link", "br", "img", "input", "hr"}
PEOPLE = {f"casme2/s{i:02d}/c{j}": CLASSES[(i + j) % 2] for i in range(9) for j in range(4)}
TWO_CORPORA = PEOPLE | {f"samm/{i:03d}/c{j}": CLASSES[(i + j) % 2] for i in range(6) for j in range(3)}


class Page(HTMLParser):
    """What a reader of the page finds: tables by caption, texts, tags and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self._caption = ""
        self._rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] == "caption":
            self._caption += data
        elif self.open and self.open[-1] in ("td", "th"):
            self._rows[-1][-1] += data

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.texts).split())


def field(expected=PEOPLE, **other):
    """Three runs on nine subjects, and a seed more of one of them."""
    seeds = {s: answers(expected, (s, 3, 8), seed=s) for s in range(2)}
    wrong = tuple(range(0, len(expected), 3))
    return [
        entry("constant", tuple(i for i, c in enumerate(expected.values()) if c != "a"), expected=expected, **other),
        entry("flow-svm", wrong, expected=expected, privilege="none", **other),
        entry("best", expected=expected, predictions=seeds, tried=12, **other),
    ]


def drawn(entries, **options) -> Page:
    return Page(page_text(entries, terms=FEW, **options))


def test_the_record_on_the_page_is_the_csv_cell_by_cell():
    entries = [*field(TWO_CORPORA), entry("half", missing=(0,), expected=TWO_CORPORA, status="incomplete")]
    shown = drawn(entries).tables["All columns, as in the CSV"]
    assert shown == list(csv.reader(io.StringIO(to_csv(rows(entries)))))
    assert len(shown) == 1 + 4 * 3


def test_the_records_of_all_boards_together_are_the_csv():
    entries = [*field(), *field(TWO, protocol="q"), *field(synthetic=True, fingerprint="f" * 64)]
    text = page_text(entries, terms=FEW)
    found = []
    for part in text.split('<table class="record">')[1:]:
        found += Page('<table class="record">' + part.partition("</table>")[0] + "</table>").tables.popitem()[1][1:]
    assert found == list(csv.reader(io.StringIO(to_csv(rows(entries)))))[1:]


def test_the_visible_results_are_the_table_of_the_other_formats():
    entries = field(TWO_CORPORA)
    (board,) = boards(rows(entries))
    same = table(board)
    page = drawn(entries)
    at = same.columns.index("Dataset")
    whole = [list(row) for row in same.rows if row[at] == "all"]
    assert page.tables["Results by corpus"] == [list(same.columns), *(list(r) for r in same.rows if r[at] != "all")]
    without = [[cell for i, cell in enumerate(row) if i != at] for row in [list(same.columns), *whole]]
    assert page.tables["Results over all clips"] == without


def test_strangers_words_stay_text_wherever_they_stand():
    """Title, protocol, command, parameters, weights, caveats, class names, clip ids, sections: none of them acts."""
    classes = ("<b onclick=x>", "</table>&amp;")
    clips = [f"casme2/<i>{i}/<img src=x>{j}" for i in range(4) for j in range(2)]
    expected = {clip: classes[i % 2] for i, clip in enumerate(clips)}
    said = {0: Predictions("p", classes, tuple(Prediction(c, "f", 0, expected[c], classes[0]) for c in clips))}
    given = dict.fromkeys(("protocol", "command", "parameters", "weights", "caveats"), HOSTILE)
    given |= {"expected": expected, "classes": classes, "predictions": said}
    words = Table(HOSTILE, ("Method", HOSTILE), ((HOSTILE, HOSTILE),), notes=(HOSTILE,))
    entries = [replace(entry("m", title=HOSTILE), **given), replace(entry("n"), **given)]
    text = page_text(entries, terms=FEW, apart=[Section(HOSTILE, (words,), (HOSTILE,))])
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "form", "b", "i"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not {"\x1b", "\u202e"} & set(text)
    visible = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert "{{ 7*7 }}" in visible
    assert visible in [row[0] for row in page.tables["Trust and cost"]]
    assert {row[-1] for row in page.tables["Trust and cost"][1:]} == {visible}
    assert page.tables[visible] == [["Method", visible], [visible, visible]]
    assert clips[1] in [row[0] for row in page.tables["4 of 8 clips solved by no seed of 2 runs that look at the clip"]]


def test_nothing_is_fetched_and_nothing_runs():
    text = page_text(field(TWO_CORPORA), terms=FEW)
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("script", "img", "iframe", "audio", "video", "source", "embed")
        for name in ("src", "href", "action", "srcset", "data", "poster", "background"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|expression|javascript:", style)
    policy = next(a for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_the_page_is_well_formed_and_says_what_it_is_to_those_who_do_not_see():
    page = drawn([*field(TWO_CORPORA), *field(synthetic=True)], apart=[Section("S", (Table("T", ("A",), (("b",),)),))])
    assert page.open == []  # every element was closed, in order
    tags = Counter(tag for tag, _ in page.tags)
    assert (tags["main"], tags["header"], tags["footer"], tags["nav"], tags["h1"]) == (1, 1, 1, 1, 1)
    assert ("html", {"lang": "en"}) in page.tags
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        for reference in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(reference, ids[0]) in ids
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids
        if tag == "th":
            assert attributes["scope"] in ("col", "row", "colgroup")
        if tag == "svg" and "role" in attributes:
            assert {"aria-labelledby", "aria-describedby"} <= set(attributes)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_synthetic_boards_stand_apart_under_their_warning():
    text = page_text([*field(), *field(synthetic=True, fingerprint="5eed" * 16)], terms=FEW)
    real, warned, made = text.partition(SYNTHETIC_WARNING)
    assert warned
    assert real.count('class="board"') == 1
    assert made.count('class="board"') == 1
    assert "clip table 5eed5eed" in made
    assert SYNTHETIC_WARNING not in page_text(field(), terms=FEW)


def test_a_page_of_rendered_boards_alone_begins_with_their_heading():
    """A gap and a rule part a section from what stands before it; where nothing does, they would enclose nothing."""
    start = page_text(field(synthetic=True), terms=FEW).partition('<main id="boards">')[2]
    assert start.split()[:2] == ["<section", 'class="synthetic"']
    style = files("mebench.page").joinpath("page.css").read_text(encoding="utf-8").partition("@media print")[0]
    parting = {
        selector.strip()
        for selectors, said in re.findall(r"([^{}]+)\{([^{}]*)\}", style)
        for selector in selectors.split(",")
        if re.search(r"\.(synthetic|apart)\b", selector) and re.search(r"margin-top|border-top", said)
    }
    assert parting == {"* + .synthetic", "* + .apart"}


@pytest.mark.parametrize(
    ("real", "rendered", "printed"),
    [
        ((), ("casme2-5c-loso",), set()),
        (("casme2-5c-loso",), (), {"casme2-5c-loso"}),
        (("casme2-5c-loso",), ("samm-5c-loso",), {"casme2-5c-loso"}),
        (("casme2-5c-loso",), ("casme2-5c-loso",), {"casme2-5c-loso"}),
        ((), (), set()),
    ],
)
def test_figures_in_print_stand_by_real_boards_only(monkeypatch, tmp_path, real, rendered, printed):
    boards_of = [*((name, False) for name in real), *((name, True) for name in rendered)]
    entries = [
        entry(f"m{i}", protocol=name, synthetic=mark, run=f"{i}" * 12) for i, (name, mark) in enumerate(boards_of)
    ]
    monkeypatch.setattr(standing, "entries_of", lambda home, protocol: entries)
    page = Page(standing.page(tmp_path, None))
    captions = [name for name in page.tables if name.startswith("In print: ")]
    assert {name.removeprefix("In print: ").partition(",")[0] for name in captions} == printed
    assert ("Figures in print" in page.words) is bool(printed)


def test_figures_in_print_that_were_asked_for_stand_on_any_page(monkeypatch, tmp_path):
    monkeypatch.setattr(standing, "entries_of", lambda home, protocol: [entry(protocol="q", synthetic=True)])
    assert "Figures in print" in Page(standing.page(tmp_path, None, published=True)).words


def test_sections_apart_come_last_and_empty_ones_not_at_all():
    given = (Section("In print", (Table("P", ("Method", "UF1"), (("STSTNet", ".7353"),)),)), Section("Empty", ()))
    text = page_text([*field(), *field(synthetic=True)], terms=FEW, apart=given)
    assert text.index('id="apart-1"') > text.rindex('class="board"')
    assert "Empty" not in text
    assert Page(text).tables["P"] == [["Method", "UF1"], ["STSTNet", ".7353"]]


def test_one_sentence_names_protocol_clips_subjects_annotation_and_what_is_open():
    words = drawn(field()).words
    what = "p (version 1) scores 36 clips of 9 subjects, annotated as casme2 coding-20140508;"
    assert f"{what} differences in UF1 below about ." in words
    assert "runs differ from FLOW-SVM by more than chance explains." in words
    assert COVERAGE_NOTE in words
    alone = drawn([entry("only", (0,))]).words
    assert "fewer than two runs are ranked, so that there is no difference to speak of." in alone


def test_no_run_is_a_page_too():
    words = drawn([]).words
    assert "No run yet." in words
    assert "– stands where there is no figure." in words


def test_equal_entries_give_equal_pages():
    assert page_text(field(), terms=FEW) == page_text(field(), terms=FEW)


def of_units(model="m", flipped=(), expected=None):
    """Six subjects whose clips hold a, both and none in turn, or others; every flipped clip is said to hold b alone."""
    held = expected or {f"casme2/s{i}/c{j}": ("a", "a+b", "none")[(i + j) % 3] for i in range(6) for j in range(3)}
    made = (
        Prediction(c, c.rpartition("/")[0], 0, t, "b" if i in flipped else t) for i, (c, t) in enumerate(held.items())
    )
    said = {0: Predictions("p", CLASSES, tuple(made))}
    return replace(entry(model), expected=held, aggregate="units", predictions=said)


def test_clips_that_hold_several_labels_have_a_board_like_any_other():
    entries = [of_units("x", (4, 12)), of_units("y", (1, 2, 5, 9, 11, 14))]
    page = drawn(entries)
    assert "differences in UF1 below about ." in page.words
    assert "1 runs differ from X" in page.words
    assert page.tables["Y, all"][0] == ["unit", "hit", "missed", "false alarm", "rightly absent"]
    assert "Recall by class" in page.tables
    row = next(cells for cells in page.tables["Results over all clips"][1:] if "X" in cells)
    (low, high) = next(cell for cell in row if "–" in cell and cell != "–").split("–")
    assert float(low) < rows([entries[0]])[0].uf1 < float(high)
    # a is held by 12 of 18 clips, b by 6: F1 of always saying both (24 / 30 + 12 / 24) / 2 = .65
    assert "every unit always .650" in page.words
    assert "Every unit always: the mean F1 of saying all units of every clip" in page.words
    assert "Majority class:" not in page.words


def test_the_reference_is_declared_before_figures_are_seen():
    entries = {e.title: e for e in field()}
    assert declare(entries).name == "FLOW-SVM"
    without = {name: e for name, e in entries.items() if name != "FLOW-SVM"}
    assert declare(without).name == "CONSTANT"
    late = declare({"BEST": entries["BEST"], "FREE": replace(entries["BEST"], privilege="none")})
    assert late.name == "FREE"
    assert "exploratory" in late.reason
    assert declare(entries, "best").name == "BEST"
    assert declare(entries, "run-best").name == "BEST"
    assert declare({}) is None
    assert "UF1 less that of BEST" in drawn(field(), reference="best").words
    with pytest.raises(UnknownName, match="to take differences to named 'lam'"):
        page_text(field(), reference="lam", terms=FEW)


def test_the_majority_line_is_what_the_constant_model_scores():
    skewed = {f"casme2/s{i}/c": "a" if i < 7 else "b" for i in range(10)}
    # a: 2*7/(7+10); b: never answered
    assert majority_uf1(entry(expected=skewed)) == pytest.approx((14 / 17 + 0) / 2)
    constant = entry(expected=skewed, predictions={0: answers(skewed, (7, 8, 9))})
    assert rows([constant])[0].uf1 == pytest.approx(majority_uf1(constant))
    # Hold-out: casme2 (7 a, 3 b) is answered b, the majority of samm, and samm (1 a, 3 b) is answered a.
    both = skewed | {f"samm/{i}/c": "a" if i < 1 else "b" for i in range(4)}
    by_hand = ((0 + 2 * 3 / (3 + 10)) / 2 + (2 * 1 / (1 + 4) + 0) / 2) / 2
    assert majority_uf1(entry(expected=both, aggregate="directions")) == pytest.approx(by_hand)


def test_chance_keeps_what_subjects_are_and_forgets_what_clips_are():
    """One subject per class: nothing can be permuted. Two clips of two classes: half of all permutations swap them."""
    apart = {f"casme2/s{i}/c{j}": CLASSES[i] for i in range(2) for j in range(3)}
    assert math.isnan(chance_bound(entry(expected=apart)))
    one = {"casme2/s/x": "a", "casme2/s/y": "b"}
    assert chance_bound(entry(expected=one)) == 1.0  # right in half the permutations, wrong in the others
    many = {f"casme2/s{i:03d}/c{j}": CLASSES[j % 2] for i in range(100) for j in range(2)}
    # Hits per subject are 0 or 2, each half the time: UF1 = share of subjects right, .5 with SD .05, 97.5 % near .598.
    assert chance_bound(entry(expected=many)) == pytest.approx(0.598, abs=0.02)


def test_chance_of_units_keeps_together_what_a_clip_holds():
    """Each subject has one clip of a and b and one of none, and is called so: all right, or both clips all wrong."""
    expected = {f"casme2/s{i:03d}/{name}": name.replace("ab", "a+b") for i in range(100) for name in ("ab", "none")}
    # F1 of a and of b are both the share of subjects left as they were: .5 with SD .05, 97.5 % near .598.
    assert chance_bound(of_units(expected=expected)) == pytest.approx(0.598, abs=0.02)
    assert math.isnan(chance_bound(of_units(expected=dict.fromkeys(expected, "a"))))


def test_one_answer_for_units_is_all_of_them():
    """Of ten clips a is held by four, b by one: 2 * 4 / 14 and 2 * 1 / 11; c by none, which leaves the mean."""
    expected = {f"casme2/s{i}/c": {0: "a+b", 1: "a", 2: "a", 3: "a"}.get(i, "none") for i in range(10)}
    found = one_answer(replace(of_units(expected=expected), classes=("a", "b", "c")))
    assert (found.name, found.uf1) == ("every unit always", pytest.approx((8 / 14 + 2 / 11) / 2))


def test_marks_stand_where_their_figures_are():
    estimate = Estimate("m", 0.5, 0.25, 0.75, "x", seeds=(0.4, 0.6))
    plot = forest("f", "T", [("S", [estimate])], [Reference("r", 0.1, "majority"), Reference("s", 1.0, "aus")])
    mark = plot.marks[0]
    # The axis is 0 to 1 between 2 % and 98 %: 2 + 96 * value.
    assert (mark.at, mark.low, mark.high, mark.seeds) == ("50.00%", "26.00%", "74.00%", ("40.40%", "59.60%"))
    assert [(g.at, g.beside, g.left) for g in plot.guides] == [("11.60%", "11.60%", False), ("98.00%", "2.00%", True)]
    assert [tick.label for tick in plot.ticks] == ["0", ".2", ".4", ".6", ".8", "1"]
    assert "m x" in plot.description
    assert mark.chance == ""


@pytest.mark.parametrize("values", [(0.0,), (0.03, 0.04), (-0.2, 0.35), (-1.0, 1.0), (0.999,), (math.nan, 0.2)])
def test_an_axis_holds_its_values_with_few_round_ticks(values):
    for difference in (True, False):
        scale = axis([v if difference else abs(v) for v in values], difference=difference)
        assert scale.low <= min([0.0, *(v for v in values if difference and not math.isnan(v))])
        assert scale.high >= np.nanmax(values)
        assert 2 <= len(scale.ticks) <= 8
        assert scale.high <= 1 + 1e-9
        assert any(abs(tick) < 1e-9 for tick in scale.ticks)


def test_the_heat_map_holds_recalls_and_outlines_the_worst():
    entries = {"M": entry("m", (1, 3, 5), expected=TWO)}
    shown = heat_map(entries)
    assert shown.corpora == ("all", "casme2", "samm")
    assert shown.clips == (3, 3, 2, 2, 1, 1)
    ((_, cells),) = shown.rows
    # b is missed throughout (clips 1, 3 and 5), a never.
    assert [(c.text, c.level, c.worst) for c in cells] == [("1.00", 10, False), (".00", 0, True)] * 3
    alike = heat_map({"M": entry("m", expected=ONE)})
    assert not any(cell.worst for cell in alike.rows[0][1])


def test_confusions_show_missing_answers_only_where_there_are_any():
    (whole,) = matrices("M", entry("m", (0,)))
    assert whole.columns == CLASSES
    assert whole.rows == (("a", ("1", "1")), ("b", ("0", "2")))
    (silent,) = matrices("M", entry("m", missing=(0,), status="incomplete"))
    assert silent.columns == (*CLASSES, "no answer")
    assert silent.rows[0] == ("a", ("1", "0", "1"))
    two = entry("m", predictions={0: answers(ONE), 1: answers(ONE, (0,), seed=1)})
    assert matrices("M", two)[0].rows == (("a", ("1.5", "0.5")), ("b", ("0.0", "2.0")))


def test_clips_nobody_solves_are_those_no_model_that_looks_gets_right():
    page = drawn([*field(), entry("third", (0, 3, 6), expected=PEOPLE)])
    # flow-svm errs on 0, 3, 6 ...; best on 3 and 8 under both seeds, on 0 under one: clip 3 is left to all.
    title = "1 of 36 clips solved by no seed of 3 runs that look at the clip"
    assert [row[0] for row in page.tables[title][1:]] == [list(PEOPLE)[3]]


def test_trust_says_what_was_not_recorded_and_what_a_search_may_have_gained():
    page = drawn(field())
    header, *body = page.tables["Trust and cost"]
    by_name = {row[0]: dict(zip(header, row, strict=True)) for row in body}
    assert by_name["BEST"]["Tried"] == "best of 12"
    assert {by_name["BEST"][c] for c in ("Apex from", "Size", "Time")} == {UNRECORDED}
    assert (by_name["BEST"]["Audit"], by_name["BEST"]["Replicated"]) == ("not audited", "none")
    uf1 = next(r.uf1 for r in rows(field()) if r.model == "best")
    assert 0 < float(by_name["BEST"]["UF1 less search"]) < uf1
    single = by_name["FLOW-SVM"]
    assert float(single["UF1 less search"]) == pytest.approx(
        next(r.uf1 for r in rows(field()) if r.model == "flow-svm"), abs=5e-4
    )


def test_what_was_recorded_is_printed_by_its_name():
    said = {"audit": "clean, 12 checks, 2026-01-31", "replications": "replicated by 2", "apex_source": "coded"}
    known = [
        entry("net", (0,), cost=Cost(600.0, 1234567, (3, 224, 224)), **said),
        entry("classical", (0,), cost=Cost(9000.0, None, (2124,)), **said),
        entry("blind", (0,), cost=Cost(0.04, None, (0,)), **said),
    ]
    made = trust_table({one.title: one for one in known}, {}, FEW)
    shown = {row[0]: dict(zip(made.columns, row, strict=True)) for row in made.rows}
    assert shown["NET"]["Audit"] == "clean, 12 checks, 2026-01-31"
    assert (shown["NET"]["Replicated"], shown["NET"]["Apex from"]) == ("replicated by 2", "coded")
    assert {name: (row["Size"], row["Time"]) for name, row in shown.items()} == {
        "NET": ("1 234 567 trainable parameters", "10 min"),
        "CLASSICAL": ("2 124 input values", "2.5 h"),
        "BLIND": ("no input", "0.0 s"),
    }


def test_runs_that_share_a_title_are_told_apart():
    same = [entry("m", (i,), run=f"{i}abcdef99", title="LBP-TOP", expected=PEOPLE) for i in range(2)]
    names = [row[1] for row in drawn(same).tables["Results over all clips"][1:]]
    assert sorted(names) == ["LBP-TOP [0abcde]", "LBP-TOP [1abcde]"]


def test_the_first_column_counts_rivals_of_one_privilege():
    rivals = [*field(), entry("rival", (0, 1, 2, 3), expected=PEOPLE)]
    page = drawn(rivals)
    (caption,) = [name for name in page.tables if "less that of" in name]
    header, *body = page.tables[caption]
    first = {row[0]: row[header.index("First")] for row in body}
    assert first["FLOW-SVM (reference)"] == "–"  # the only one of privilege none
    shares = [int(first[name].removesuffix(" %")) for name in ("BEST", "RIVAL", "CONSTANT")]
    assert sum(shares) == pytest.approx(100, abs=1)


def test_a_sheet_with_nothing_ranked_still_shows_its_rows():
    void = [entry("half", status="incomplete", missing=(0,)), entry("peeker", selection="peeked")]
    made = rows(void)
    (board,) = boards(made)
    shown = sheet("x", board, void, record_of(board.rows), reference=None, terms=FEW)
    assert (shown.scores, shown.differences, shown.recalls, shown.confusions) == (None, None, None, ())
    assert len(shown.results.rows) == 2
    assert "No difference is tested" in drawn(void).words


def contrast(one: str, other: str) -> float:
    """Of two colours, after WCAG 2.2."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_both_themes_have_the_contrast_that_wcag_asks_for():
    style = files("mebench.page").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S)[:2]
    )
    for theme in (light, light | dark):
        for text in ("ink", "soft", "accent", "warm"):
            assert contrast(theme[text], theme["paper"]) >= 4.5, text
        for level in range(11):
            on = theme[f"t{level}"].removeprefix("var(--").removesuffix(")")
            assert contrast(theme[f"h{level}"], theme[on]) >= 4.5, level
        shades = [theme[f"h{level}"] for level in range(11)]
        steps = [contrast(shade, shades[0]) for shade in shades]
        assert steps == sorted(steps)  # lightness alone tells the order: colour is not needed


def test_the_command_writes_the_page(tmp_path, capsys):
    assert status(["--home", str(tmp_path), "leaderboard", "--format", "html", "-o", str(tmp_path / "p.html")]) == 0
    assert "No run yet." in Page((tmp_path / "p.html").read_text(encoding="utf-8")).words
    assert status(["--home", str(tmp_path), "leaderboard", "--reference", "mdmo"]) == 2
    assert "--reference belongs to the page" in capsys.readouterr().err


def test_the_page_needs_no_heavy_library():
    assert not modules_after("import mebench.page") & {"torch", "cv2", "dlib", "sklearn", "scipy", "matplotlib"}
    assert "jinja2" not in modules_after("import mebench.standing")

"""Runs against a declared reference: what may be compared, and what is said of it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from mebench.cli import status
from mebench.comparing import Terms, between, contest, names_of, probability, share, signed, smallest
from mebench.comparison import swap_test
from mebench.errors import UnknownName, UsageError
from mebench.optimism import expected_maximum, search_gain
from mebench.render import terminal
from mebench.resampling import bootstrap
from mebench.statistics import count_subjects
from tests.corpora import write_casme2
from tests.test_leaderboard import CLASSES, TWO, answers, entry

PEOPLE = {f"casme2/s{i:02d}/c{j}": CLASSES[(i + j) % 2] for i in range(10) for j in range(4)}
FEW = Terms(resamples=200)


def rivals(expected=PEOPLE):
    """One right throughout, one wrong on every third clip, one wrong on every second."""
    return names_of(
        [
            entry(f"m{step}", tuple(range(0, len(expected), step)) if step else (), expected=expected)
            for step in (0, 3, 2)
        ]
    )


def test_a_contest_agrees_with_the_statistics_behind_it():
    found = contest(rivals(), "M0", FEW)
    base = count_subjects(answers(PEOPLE), PEOPLE)
    other = count_subjects(answers(PEOPLE, tuple(range(0, 40, 3))), PEOPLE)
    test = swap_test(other, base)
    (one, two) = found.comparisons
    assert (one.method, one.test.p, one.test.difference) == ("M3", test.p, test.difference)
    # Holm over two: the smaller p doubled, the larger at least as large.
    low, high = sorted((one.test.p, two.test.p))
    assert sorted((one.p_holm, two.p_holm)) == pytest.approx([min(1, 2 * low), max(2 * low, high)])
    assert found.scores["M0"] == 1.0
    assert sum(found.ranking.first.values()) == pytest.approx(1)


def test_the_table_says_what_the_record_says():
    found = contest(rivals(), "M0", replace(FEW, margin=0.05))
    drawn, record = found.table(), found.record()
    json.dumps(record, allow_nan=False)
    assert drawn.columns[:5] == ("Method", "UF1", "Difference", "95 %", "p")
    assert [row[0] for row in drawn.rows] == ["M0 (reference)", "M3", "M2"]
    for row, one in zip(drawn.rows[1:], record["comparisons"], strict=True):
        cells = dict(zip(drawn.columns, row, strict=True))
        assert cells["Difference"] == signed(one["difference"])
        assert cells["95 %"] == between(one["interval"]["low"], one["interval"]["high"])
        assert cells["Resolved"] == ("yes" if one["resolved"] else "no")
        assert cells["Equivalent"] == record["equivalence"][one["method"]]["verdict"] == "different"
    assert {len(row) for row in drawn.rows} == {len(drawn.columns)}
    assert any("two one-sided tests at 5 % within ± .050" in note for note in drawn.notes)
    assert "one seed: how seeds differ is not in the interval." in drawn.notes  # said once, not once per method
    assert "M3" in terminal(drawn, width=120, colour=False)


def test_a_slice_and_a_metric_are_taken_by_name():
    entries = rivals(TWO)
    whole, part = contest(entries, "M0", FEW), contest(entries, "M0", Terms("casme2", "uar", resamples=200))
    # On casme2 (four clips) every third clip errs on one a and one b: UAR is one half.
    assert part.scores == {"M0": 1.0, "M3": 0.5, "M2": 0.5}
    assert part.heading == "p (version 1), casme2"
    assert whole.terms.dataset == "all"
    with pytest.raises(UnknownName, match="slice of p named 'smic'"):
        contest(entries, "M0", Terms("smic"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "incomplete"}, "N is incomplete"),
        ({"selection": "peeked"}, "N is chosen on the held-out clips"),
        ({"protocol": "q"}, "stand on different boards"),
        ({"annotations": {"casme2": "coding-20190701"}}, "stand on different boards"),
        ({"fingerprint": "other"}, "stand on different boards"),
        ({"synthetic": True}, "stand on different boards"),
    ],
)
def test_what_may_not_be_compared_is_refused(change, said):
    with pytest.raises(UsageError, match=said):
        contest(names_of([entry("m"), entry("n", (0,), **change)]), "M", FEW)


def test_one_run_is_no_contest():
    with pytest.raises(UsageError, match="1 run is no comparison"):
        contest(names_of([entry("m")]), "M", FEW)


def test_what_qualifies_a_comparison_is_said():
    mixed = [entry("m", privilege="none", synthetic=True), entry("n", (0,), tried=7, synthetic=True)]
    remarks = " ".join(contest(names_of(mixed), "M", FEW).remarks)
    assert "Privileges differ (apex, none)" in remarks
    assert "Configurations tried are not allowed for in p: N: best of 7." in remarks
    assert "SYNTHETIC" in remarks


def test_figures_are_written_with_their_sign_and_nothing_is_invented():
    assert [signed(v) for v in (0.0123, -0.2, 0.0, math.nan)] == ["+.012", "−.200", "+.000", "–"]
    assert between(-0.01, 0.2) == "−.010 to +.200"
    assert between(math.nan, math.nan) == "–"
    assert [probability(v) for v in (0.0004, 0.001, 1.0, math.nan)] == ["< .001", ".001", "1.000", "–"]
    assert [share(v) for v in (0.945, 0.0, math.nan)] == ["94 %", "0 %", "–"]
    assert [smallest(v) for v in (0.08, 2.5, math.nan)] == [".080", "> 1", "–"]


def test_shared_titles_are_told_apart_by_run():
    same = [entry("m", run=run, title="T") for run in ("abcdef1", "abcdef2", "fedcba3")]
    assert list(names_of(same)) == ["T [abcdef1]", "T [abcdef2]", "T [fedcba3]"]
    assert list(names_of([*same[:1], entry("n")])) == ["T", "N"]
    sly = [*same[:2], entry("n", run="0", title="T [abcdef1]")]  # as if it were one of the others
    assert len(names_of(sly)) == 3


@pytest.mark.parametrize("k", [1, 2, 5, 40])
def test_the_largest_of_k_uniform_draws_is_known(k):
    # Of k draws from 0 to 1 the largest is k / (k + 1) on average; 10,000 values stand for the continuum.
    assert expected_maximum(np.linspace(0, 1, 10_000), k) == pytest.approx(k / (k + 1), abs=2e-4)


def test_the_largest_of_k_draws_of_few_values_is_exact():
    # Two draws of 1, 2, 3: the nine pairs have largest 1, 2, 2, 2, 3 five times.
    assert expected_maximum(np.array([3.0, 1.0, 2.0]), 2) == pytest.approx((1 + 3 * 2 + 5 * 3) / 9)
    with pytest.raises(UsageError, match="largest of 0 draws"):
        expected_maximum(np.ones(3), 0)


def test_a_search_gains_what_equal_configurations_would_have():
    counts = count_subjects(answers(PEOPLE, tuple(range(0, 40, 3))), PEOPLE)
    gains = [search_gain(counts, k, resamples=2000) for k in (1, 2, 10, 100)]
    assert gains[0] == 0
    assert gains == sorted(gains)
    # Of two normal draws the larger lies sigma / sqrt(pi) above their mean.
    sigma = bootstrap(counts, resamples=2000).values.std()
    assert gains[1] == pytest.approx(sigma / math.sqrt(math.pi), rel=0.1)
    alone = count_subjects(answers({"casme2/s/a": "a", "casme2/s/b": "b"}), {"casme2/s/a": "a", "casme2/s/b": "b"})
    assert math.isnan(search_gain(alone, 3))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with two configurations of guessing and the majority class on a CASME II of workbooks alone."""
    root = tmp_path_factory.mktemp("compare")
    write_casme2(root / "casme2")
    base = ["--home", str(root / "home"), "run"]
    data = ["--protocol", "casme2-5c-loso", f"--data=casme2={root / 'casme2'}"]
    assert status([*base, "constant", *data]) == 0
    assert status([*base, "uniform", *data, "--seeds", "2"]) == 0
    assert status([*base, "uniform", *data, "--set", "prior=true"]) == 0
    return root / "home"


def run_ids(home) -> dict[str, str]:
    found = {p.parent.name: p for p in sorted(home.glob("runs/*/*/*/seed-0"))}
    prior = {i: '"prior": true' in (p / "manifest.json").read_text() for i, p in found.items()}
    return {("prior" if prior[i] else p.parent.parent.name): i for i, p in found.items()}


def test_compare_and_show_a_run_on_the_command_line(home, capsys):
    ids = run_ids(home)
    ours = ["--home", str(home)]
    assert status([*ours, "compare", "constant", ids["uniform"], ids["prior"], "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["reference"] == "Majority class"
    assert [one["family"] for one in record["comparisons"]] == [2, 2]
    assert status([*ours, "compare", ids["uniform"], ids["prior"], "--reference", "constant", "--margin", "0.1"]) == 0
    assert "Majority class (reference)" in capsys.readouterr().out
    assert status([*ours, "compare", ids["uniform"], "constant", "--reference", ids["constant"][:8], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reference"] == "Majority class"
    assert status([*ours, "compare", "constant"]) == 2
    assert status([*ours, "compare", "constant", "constant"]) == 2
    assert "is named twice" in capsys.readouterr().err
    assert status([*ours, "compare", "constant", "lam"]) == 2


def test_a_shown_run_says_where_it_errs(home, capsys):
    ids = run_ids(home)
    data = home.parent / "casme2"
    assert status(["--home", str(home), "show", ids["uniform"], f"--data=casme2={data}", "--json"]) == 0
    mistakes = json.loads(capsys.readouterr().out)["mistakes"]
    assert {"class", "action unit", "duration", "onset to apex"} <= set(mistakes["groups"])
    by_class = {g["group"]: g for g in mistakes["groups"]["class"]}
    assert {name: g["clips"] for name, g in by_class.items()} == {
        "happiness": 32,
        "disgust": 63,
        "repression": 27,
        "surprise": 25,
        "others": 99,
    }
    assert all(len(g["right"]) == 2 for g in by_class.values())
    assert sum(g["clips"] for g in mistakes["groups"]["duration"]) == 246
    assert len(mistakes["seeds_disagree"]) > 100  # two independent guesses among five
    assert status(["--home", str(home), "show", ids["prior"], "--amplitude"]) == 0
    text = capsys.readouterr().out
    assert "Where it errs" in text
    assert "Not by action unit, duration or apex" in text
    assert "Not by amplitude" in text


def test_the_page_of_a_home_is_written_whole(home, tmp_path):
    target = tmp_path / "page.html"
    assert status(["--home", str(home), "leaderboard", "--format", "html", "-o", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    assert "Majority class" in text
    assert "Figures in print" in text
    assert "scores 246 clips of 26 subjects, annotated as casme2 coding-20140508;" in text
    assert text.startswith("<!doctype html>")

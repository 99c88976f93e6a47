"""Statistics over subjects where a clip holds any number of classes, against predictions scored anew each time."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from mebench.comparing import Terms, contest
from mebench.comparison import swap_test
from mebench.errors import PredictionError, UsageError
from mebench.intervals import interval, intervals_of
from mebench.leaderboard import rows
from mebench.predictions import Prediction, Predictions, joined_labels, labels_of
from mebench.resampling import bootstrap, bootstrap_difference, draw_subjects, standard_error
from mebench.resolution import rank_methods, resolution
from mebench.scoring import mean_of_seeds, score_predictions
from mebench.statistics import METRICS, UnitCounts, count_subjects, influences, seed_scores
from tests.test_leaderboard import entry

UNITS = ("AU1", "AU4", "AU5", "AU12")
Rows = tuple[Predictions, dict[str, str]]


def answers(seeds: int = 2, skill: float = 0.7, seed: int = 0, *, lost: bool = True) -> Rows:
    """Two corpora of four subjects; no clip holds AU 5, which is predicted now and then, and one clip has no answer."""
    clips = [f"{d}/s{s}/c{c}" for d in ("casme2", "samm") for s in range(4) for c in range(3 + s)]
    holds = np.random.default_rng(99).random((len(clips), 4)) < (0.3, 0.5, 0, 0.25)
    generator = np.random.default_rng(seed)
    made = []
    for at in range(seeds):
        wrong = generator.random(holds.shape) > skill
        for i, (clip, truth, said) in enumerate(zip(clips, named(holds), named(holds ^ wrong), strict=True)):
            predicted = None if lost and i == 5 else said
            made.append(Prediction(clip, clip.rpartition("/")[0], at, truth, predicted))
    return Predictions("p", UNITS, tuple(made)), dict(zip(clips, named(holds), strict=True))


def named(held: np.ndarray) -> list[str]:
    return [joined_labels(u for u, here in zip(UNITS, row, strict=True) if here) for row in held]


def owner(clip: str) -> str:
    return clip.rpartition("/")[0]


def scored(predictions: Predictions, expected: dict[str, str], metric: str) -> float:
    """The mean over seeds of the score, by the scorer alone."""
    cards = score_predictions(predictions, expected, aggregate="units", full=False)
    return float(getattr(mean_of_seeds(list(cards.values())).strict["all"], metric))


def resampled(predictions: Predictions, expected: dict[str, str], times: dict[str, int]) -> Rows:
    """Every clip as often as its subject was drawn, each time under a name of its own."""
    again = {
        clip: [f"{owner(clip)}/{clip.rpartition('/')[2]}-{n}" for n in range(times[owner(clip)])] for clip in expected
    }
    kept = tuple(replace(row, clip=name) for row in predictions.rows for name in again[row.clip])
    return Predictions("p", UNITS, kept), {name: expected[clip] for clip, names in again.items() for name in names}


def drawn(counts: UnitCounts, n: int, seed: int) -> list[dict[str, int]]:
    weights, _ = draw_subjects(counts, n, np.random.default_rng(seed))
    return [dict(zip(counts.subjects, map(int, row), strict=True)) for row in weights]


def test_estimates_are_the_reported_scores_slice_by_slice():
    predictions, expected = answers()
    cards = score_predictions(predictions, expected, aggregate="units")
    found = intervals_of(predictions, expected, aggregate="units", metrics=METRICS, resamples=200)
    assert set(found) == {"all", "casme2", "samm"}
    for name, by_metric in found.items():
        reported = mean_of_seeds(list(cards.values())).strict[name]
        for metric, one in by_metric.items():
            assert one.estimate == pytest.approx(getattr(reported, metric), abs=1e-12)
            assert one.low <= one.estimate <= one.high


@pytest.mark.parametrize("metric", METRICS)
def test_resamples_are_predictions_of_drawn_subjects_scored_anew(metric):
    """Sixty resamples, every clip of a subject as often as he was drawn, through the scorer; their quantiles bound."""
    predictions, expected = answers()
    counts = count_subjects(predictions, expected, aggregate="units")
    assert isinstance(counts, UnitCounts)
    values = [scored(*resampled(predictions, expected, times), metric) for times in drawn(counts, 60, seed=3)]
    found = bootstrap(counts, metric, estimand="predictions", resamples=60, seed=3)
    assert found.values == pytest.approx(values, abs=1e-12)
    bounds = interval(found, "percentile")
    assert (bounds.low, bounds.high) == pytest.approx(tuple(np.quantile(values, (0.025, 0.975))))


@pytest.mark.parametrize("metric", METRICS)
def test_influences_are_slopes_of_the_score(metric):
    counts = count_subjects(*answers(), aggregate="units")
    ones, even = np.ones((1, 8)), np.full((1, 2), 0.5)
    slopes = influences(counts, metric, ones, even)[0]
    for i, step in itertools.product(range(8), [1e-5]):
        ahead, back = (ones + sign * step * np.eye(8)[i] for sign in (1, -1))
        slope = (seed_scores(counts, metric, ahead) - seed_scores(counts, metric, back)).mean() / (2 * step)
        assert slopes[i] == pytest.approx(slope, abs=1e-6)
    # corpora of four subjects: 4 / 3 times the squared deviations from the corpus's mean
    spread = slopes - np.repeat(slopes.reshape(2, 4).mean(axis=1), 4)
    error = standard_error([(1, counts)], metric, "predictions")[0]
    assert error == pytest.approx(np.sqrt(4 / 3 * (spread**2).sum()))


@pytest.mark.parametrize("metric", METRICS)
def test_the_paired_test_swaps_what_was_said_of_subjects(metric):
    """All 2^8 assignments, the predictions exchanged row by row and scored anew."""
    ours, expected = answers(skill=0.8)
    theirs, _ = answers(skill=0.6, seed=1)
    owners = sorted({owner(clip) for clip in expected})

    def gap(swapped: frozenset[str]) -> float:
        mine = Predictions("p", UNITS, tuple((b if owner(a.clip) in swapped else a) for a, b in pairs))
        other = Predictions("p", UNITS, tuple((a if owner(a.clip) in swapped else b) for a, b in pairs))
        return scored(mine, expected, metric) - scored(other, expected, metric)

    pairs = list(zip(ours.rows, theirs.rows, strict=True))
    gaps = [gap(frozenset(s)) for n in range(9) for s in itertools.combinations(owners, n)]
    counts = [count_subjects(one, expected, aggregate="units") for one in (ours, theirs)]
    found = swap_test(*counts, metric)
    assert (found.exact, found.swaps) == (True, 256)
    assert found.difference == pytest.approx(gaps[0])
    assert found.p == pytest.approx(np.mean(np.abs(gaps) >= abs(gaps[0]) - 1e-9))


def test_who_comes_first_is_who_scores_highest_among_drawn_subjects():
    methods = {name: answers(1, skill, seed)[0] for seed, (name, skill) in enumerate({"x": 0.8, "y": 0.75}.items())}
    expected = answers()[1]
    counts = {name: count_subjects(said, expected, aggregate="units") for name, said in methods.items()}
    first = [0.0, 0.0]
    for times in drawn(counts["x"], 80, seed=0):
        x, y = (scored(*resampled(said, expected, times), "uf1") for said in methods.values())
        first[0] += 0.5 if abs(x - y) < 1e-9 else float(x > y)
        first[1] += 0.5 if abs(x - y) < 1e-9 else float(y > x)
    found = rank_methods(counts, estimand="predictions", resamples=80, seed=0)
    assert list(found.first.values()) == pytest.approx([first[0] / 80, first[1] / 80])


def test_the_difference_that_would_show_follows_from_the_standard_error_of_the_difference():
    expected = answers()[1]
    counts = {n: count_subjects(answers(1, 0.8, n)[0], expected, aggregate="units") for n in (0, 1)}
    named_counts = {str(n): one for n, one in counts.items()}
    error = bootstrap_difference(named_counts["1"], named_counts["0"], resamples=20).standard_error
    found = resolution(named_counts, "0")
    # eight subjects in two corpora: t of 6 degrees of freedom, 2.447 at .975 and 0.906 at .8
    assert found.smallest["1"] == pytest.approx((2.447 + 0.906) * error, rel=1e-3)


def test_a_unit_that_no_clip_holds_stays_out_whatever_is_said():
    predictions, expected = answers(lost=False)
    silent = tuple(
        replace(r, predicted=joined_labels(u for u in labels_of(r.predicted) if u != "AU5")) for r in predictions.rows
    )
    counts = [
        count_subjects(one, expected, aggregate="units") for one in (predictions, Predictions("p", UNITS, silent))
    ]
    assert (counts[0].counts != counts[1].counts).any()
    for metric in ("uf1", "uar", "weighted_f1"):
        assert seed_scores(counts[0], metric) == pytest.approx(seed_scores(counts[1], metric))


def test_a_unit_held_by_one_subject_is_in_every_resample():
    predictions, expected = answers(1)
    (rare, *_) = (clip for clip, truth in expected.items() if truth == "none")
    held = expected | {rare: "AU5"}
    told = Predictions("p", UNITS, tuple(replace(r, truth=held[r.clip]) for r in predictions.rows))
    counts = count_subjects(told, held, aggregate="units")
    at = counts.subjects.index(owner(rare))
    assert (draw_subjects(counts, 500, np.random.default_rng(0))[0][:, at] > 0).all()
    remarks = bootstrap(counts, resamples=500).remarks
    assert "AU5 is held by one subject" in remarks


def test_shares_of_subjects_are_of_clips_and_not_of_units():
    """Of 10 clips one subject has six, none of which holds a unit."""
    expected = {f"samm/1/c{i}": "none" for i in range(6)} | {f"samm/{s}/c": "AU1" for s in range(2, 6)}
    said = Predictions("p", ("AU1",), tuple(Prediction(c, "f", 0, t, t) for c, t in expected.items()))
    counts = count_subjects(said, expected, aggregate="units")
    assert counts.sizes.tolist() == [6, 1, 1, 1, 1]
    assert "samm/1 has 60% of the clips" in bootstrap(counts, "accuracy", resamples=50).remarks


def test_other_clips_and_other_kinds_of_counts_are_not_compared():
    predictions, expected = answers(1)
    units = count_subjects(predictions, expected, aggregate="units")
    fewer = {clip: truth for clip, truth in expected.items() if clip != "samm/s0/c1"}
    some = Predictions("p", UNITS, tuple(r for r in predictions.rows if r.clip in fewer))
    for other in (count_subjects(some, fewer, aggregate="units"),):
        with pytest.raises(UsageError, match="same clips"):
            swap_test(units, other)
    single = dict.fromkeys(expected, "AU1")
    told = Predictions("p", UNITS, tuple(Prediction(c, "f", 0, t, t) for c, t in single.items()))
    with pytest.raises(UsageError, match="same clips"):
        bootstrap_difference(units, count_subjects(told, single))
    with pytest.raises(PredictionError, match="Counts of shape"):
        replace(units, counts=units.counts[..., :-1, :])


def test_boards_of_units_have_intervals_and_may_be_compared():
    made = [answers(2, 0.9), answers(1, 0.6, 1)]
    entries = {}
    for name, (predictions, expected) in zip("mn", made, strict=True):
        parts = {seed: predictions.of_seed(seed) for seed in predictions.seeds}
        entries[name] = replace(entry(name), expected=expected, aggregate="units", classes=UNITS, predictions=parts)
    for row in rows(entries.values()):
        bound = intervals_of(made["mn".index(row.model)][0], made[0][1], aggregate="units")[row.dataset]
        assert (row.uf1_low, row.uf1_high) == (bound["uf1"].low, bound["uf1"].high)
        assert row.uar_low < row.uar < row.uar_high
    found = contest(entries, "n", Terms(resamples=300, margin=0.05))
    (one,) = found.comparisons
    assert one.test.difference == pytest.approx(scored(*made[0], "uf1") - scored(*made[1], "uf1"))
    assert one.resolved
    json.dumps(found.record(), allow_nan=False)

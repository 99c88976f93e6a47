"""Statistics over subjects against scoring, hand arithmetic, scipy and brute force."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mebench.comparison import compare, holm, swap_test
from mebench.errors import PredictionError, UsageError
from mebench.intervals import KINDS, interval, intervals_of, student
from mebench.predictions import Prediction, Predictions
from mebench.resampling import bootstrap, bootstrap_difference, draw_seeds, draw_subjects, standard_error
from mebench.resolution import equivalence, rank_methods, resolution
from mebench.scoring import from_confusion, mean_of_seeds, score, score_predictions
from mebench.statistics import METRICS, SubjectCounts, count_subjects, gradient_of, metric_of, seed_scores
from tests.test_imports import HEAVY, modules_after

CLASSES = ("negative", "positive", "surprise")
CELLS = st.lists(st.integers(0, 5), min_size=12, max_size=12)


def counts_of(cells, *, strata=None, classes=CLASSES) -> SubjectCounts:
    """Counts (seeds, subjects, k, k+1), or without seeds, as those of one part."""
    cells = np.asarray(cells, dtype=np.int64)
    cells = cells[None] if cells.ndim == 3 else cells
    n = cells.shape[1]
    names = tuple(f"s{i:02d}" for i in range(n))
    return SubjectCounts(
        classes, names, tuple(strata or ("one",) * n), ("all",), tuple(range(len(cells))), cells[:, None]
    )


def of_one_class(right, clips: int = 10, **options) -> SubjectCounts:
    """One class that is called by its name or not at all: accuracy is the mean of right / clips."""
    return counts_of([[[r, clips - r]] for r in right], classes=("a",), **options)


def random_counts(subjects: int = 12, seeds: int = 1, skill: float = 0.5, seed: int = 0, *, strata=None):
    """Subjects with three to eight clips; the same clips whatever the skill."""
    clips = np.random.default_rng(99).multinomial(1, np.full(3, 1 / 3), size=(subjects, 8)).sum(axis=1)
    generator = np.random.default_rng(seed)
    chance = np.column_stack([np.eye(3) * skill + (1 - skill) / 3 * 0.9, np.full(3, (1 - skill) * 0.1)])
    return counts_of([generator.multinomial(clips, chance) for _ in range(seeds)], strata=strata)


@settings(deadline=None)
@given(CELLS)
def test_scores_of_totals_equal_the_scorer(cells):
    matrix = np.array(cells).reshape(3, 4)
    expected = from_confusion(matrix, CLASSES)
    margins = np.stack([matrix.diagonal(), matrix.sum(axis=1), matrix[:, :3].sum(axis=0)]).astype(float)
    for metric in METRICS:
        assert float(metric_of(margins, metric)) == pytest.approx(getattr(expected, metric), abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=9, max_size=9), st.booleans())
def test_gradients_are_the_slopes_of_the_scores(values, absent):
    totals = np.array(values, dtype=float).reshape(3, 3)
    if absent:
        totals[:, 1] = 0  # a class outside the mean stays outside, and the two others are averaged
    assume(totals.any())
    step = 1e-6
    for metric in METRICS:
        slopes = gradient_of(totals, metric)
        for place in itertools.product(range(3), range(3)):
            if absent and place[1] == 1:
                continue
            ahead, back = totals.copy(), totals.copy()
            ahead[place] += step
            back[place] -= step
            slope = (metric_of(ahead, metric) - metric_of(back, metric)) / (2 * step)
            assert slopes[place] == pytest.approx(slope, abs=1e-5)


def rows_of(seeds=(0, 1), *, lost=("samm/s1/c0",)) -> tuple[Predictions, dict[str, str]]:
    """Two corpora, three subjects each with six clips, one clip without a prediction."""
    generator = np.random.default_rng(5)
    clips = [f"{d}/s{s}/c{c}" for d in ("casme2", "samm") for s in range(3) for c in range(6)]
    expected = {clip: CLASSES[i % 3] for i, clip in enumerate(clips)}
    rows = tuple(
        Prediction(clip, clip.rpartition("/")[0], seed, expected[clip], CLASSES[generator.integers(3)])
        for seed in seeds
        for clip in clips
        if clip not in lost
    )
    return Predictions("p", CLASSES, rows), expected


@pytest.mark.parametrize("aggregate", ["pooled", "directions"])
def test_estimates_are_the_reported_scores(aggregate):
    predictions, expected = rows_of()
    cards = score_predictions(predictions, expected, aggregate=aggregate)
    found = intervals_of(predictions, expected, aggregate=aggregate, metrics=METRICS, resamples=50)
    assert set(found) == {"all", "casme2", "samm"}
    for name, by_metric in found.items():
        reported = mean_of_seeds(list(cards.values())).strict[name]
        for metric, one in by_metric.items():
            assert one.estimate == pytest.approx(getattr(reported, metric), abs=1e-12)
            assert one.low <= one.estimate <= one.high
    counts = count_subjects(predictions, expected, aggregate=aggregate)
    assert counts.parts == (("all",) if aggregate == "pooled" else ("casme2", "samm"))
    for metric in METRICS:
        each = [getattr(cards[s].strict["all"], metric) for s in (0, 1)]
        assert seed_scores(counts, metric)[:, 0] == pytest.approx(each, abs=1e-12)


def test_subjects_may_be_named_apart_from_clip_ids():
    predictions, expected = rows_of()
    people = {clip: "the-same" for clip in expected if clip.split("/")[1] == "s0"}
    counts = count_subjects(predictions, expected, people)
    assert counts.subjects == ("casme2/s1", "casme2/s2", "samm/s1", "samm/s2", "the-same")
    assert counts.strata == ("casme2", "casme2", "samm", "samm", "casme2+samm")
    assert counts.clips[0, 0].sum(axis=1).tolist() == [6, 6, 6, 6, 12]


def test_nothing_to_count_is_an_error():
    predictions, expected = rows_of()
    with pytest.raises(PredictionError, match="for 0 clips of smic"):
        count_subjects(predictions, expected, dataset="smic")
    with pytest.raises(PredictionError, match="0 predictions"):
        count_subjects(Predictions("p", CLASSES, ()), expected)
    with pytest.raises(PredictionError, match="not part of"):
        count_subjects(predictions, {"casme2/s0/c0": CLASSES[0]})


def test_counts_that_contradict_themselves_are_an_error():
    good = random_counts(4, seeds=2)
    with pytest.raises(PredictionError, match="Counts of shape"):
        replace(good, strata=("one",))
    broken = good.counts.copy()
    broken[1, 0, 0, 0, 0] += 1  # seed 1 has a clip more than seed 0
    with pytest.raises(PredictionError, match="different clips"):
        replace(good, counts=broken)


def test_a_resample_scores_as_its_subjects_counted_again_and_again():
    counts = random_counts(8)
    weights, _ = draw_subjects(counts, 5, np.random.default_rng(0))
    for row, values in zip(weights, np.stack([seed_scores(counts, m, weights)[0] for m in METRICS]).T, strict=True):
        matrix = (row[:, None, None] * counts.counts[0, 0]).sum(axis=0).astype(int)
        expected = from_confusion(matrix, CLASSES)
        assert values == pytest.approx([getattr(expected, metric) for metric in METRICS])


def test_subjects_are_drawn_within_their_corpus():
    counts = random_counts(9, strata=("b", "a", "a", "b", "a", "a", "a", "c", "c"))
    weights, _ = draw_subjects(counts, 2000, np.random.default_rng(0))
    for name, size in {"a": 5, "b": 2, "c": 2}.items():
        at = np.array(counts.strata) == name
        assert (weights[:, at].sum(axis=1) == size).all()
    # binomial(2, 1/2) for a corpus of two: variance 1/2
    assert weights[:, -1].var() == pytest.approx(0.5, abs=0.05)


def test_standard_errors_are_those_of_a_mean():
    """Ten clips each: accuracy is the mean of the subjects' own, its standard error s / sqrt(n)."""
    right = [1, 4, 5, 7, 9, 9]
    error, freedom, _ = standard_error([(1, of_one_class(right))], "accuracy", "method")
    assert error == pytest.approx(np.std(np.array(right) / 10, ddof=1) / math.sqrt(6))
    assert freedom == math.inf
    # two corpora of three: variances of the corpora's means, weighted by (1/2) squared
    error, _, _ = standard_error([(1, of_one_class(right, strata="aaabbb"))], "accuracy", "method")
    parts = [np.var(np.array(part) / 10, ddof=1) / 3 for part in (right[:3], right[3:])]
    assert error == pytest.approx(math.sqrt(sum(parts) / 4))


def test_percentile_and_bca_agree_with_scipy():
    """Accuracies of a thousand clips each, so that means hardly ever tie; two independent bootstraps of 40,000."""
    right = [13, 101, 127, 203, 229, 311, 337, 401, 613, 997, 983, 911]
    found = bootstrap(of_one_class(right, 1000), "accuracy", resamples=40_000)
    for kind, method in {"percentile": "percentile", "bca": "BCa"}.items():
        theirs = scipy.stats.bootstrap(
            (np.array(right) / 1000,), np.mean, n_resamples=40_000, method=method, rng=np.random.default_rng(1)
        ).confidence_interval
        ours = interval(found, kind)
        # a 2.5 % point of 40,000 with SD .1 has the error sqrt(.025 * .975 / 40,000) * .1 / .058 = .0013
        assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.005)


def test_the_studentised_interval_is_the_bootstrap_t_of_a_mean():
    values = np.array([1, 4, 5, 7, 9, 9, 2, 3]) / 10
    counts = of_one_class((values * 10).astype(int))
    weights, _ = draw_subjects(counts, 4000, np.random.default_rng(7))
    n = len(values)
    means = weights @ values / n
    errors = np.sqrt((weights * (values - means[:, None]) ** 2).sum(axis=1) / (n - 1) / n)
    t = (means - values.mean()) / errors
    error = values.std(ddof=1) / math.sqrt(n)
    low, high = np.quantile(t, (0.025, 0.975), method="inverted_cdf")
    found = interval(bootstrap(counts, "accuracy", resamples=4000, seed=7), "studentised")
    assert (found.low, found.high) == pytest.approx((values.mean() - high * error, values.mean() - low * error))


def test_intervals_stay_within_the_bounds_of_the_score():
    for kind in KINDS:
        found = interval(bootstrap(of_one_class([10, 10, 10, 10, 10, 6, 9]), "accuracy", resamples=500), kind)
        assert 0 <= found.low < found.estimate <= found.high <= 1


def test_higher_levels_are_wider():
    drawn = bootstrap(random_counts(), resamples=2000)
    for kind in KINDS:
        narrow, wide = interval(drawn, kind, 0.8), interval(drawn, kind, 0.99)
        assert wide.low < narrow.low < narrow.high < wide.high
    with pytest.raises(UsageError, match="level of 95"):
        interval(drawn, level=95)


def test_one_subject_has_no_interval():
    for counts in (of_one_class([4]), of_one_class([4, 7], strata=("a", "b"))):
        drawn = bootstrap(counts, "accuracy", resamples=50)
        found = interval(drawn)
        assert found.estimate == pytest.approx(counts.counts[..., 0].sum() / (10 * len(counts.subjects)))
        assert math.isnan(found.low)
        assert math.isnan(found.standard_error)
        assert "no corpus has two subjects" in found.remarks[0]
        assert json.loads(json.dumps(found.record(), allow_nan=False))["low"] is None


def test_equal_subjects_have_no_interval_and_it_says_why():
    """All right, or all wrong: the width would be 0, and certainty is not what that means."""
    for right in (10, 0):
        found = interval(bootstrap(of_one_class([right] * 9), "accuracy", resamples=50))
        assert math.isnan(found.high)
        assert found.remarks[0] == "no interval: every resample scores the same"


def test_a_class_held_by_one_subject_is_in_every_resample():
    cells = np.array(random_counts(10).counts[0, 0])
    cells[1:, 2] = 0
    cells[0, 2] = [1, 1, 3, 0]
    counts = counts_of(cells)
    weights, redrawn = draw_subjects(counts, 4000, np.random.default_rng(0))
    assert (weights[:, 0] > 0).all()
    assert redrawn == pytest.approx(0.9**10, abs=0.02)  # subject 0 is missed ten times
    remarks = interval(bootstrap(counts, resamples=4000)).remarks
    assert "surprise is held by one subject" in remarks
    assert any("lacked a class and were drawn again" in remark for remark in remarks)


def test_classes_that_hardly_meet_have_no_interval():
    """Twelve classes, each with a subject of its own: a resample holds all with chance 12! / 12^12 = 5e-5."""
    cells = np.zeros((12, 12, 13), dtype=int)
    cells[range(12), range(12), range(12)] = 3
    found = interval(bootstrap(counts_of(cells, classes=tuple("abcdefghijkl")), resamples=1000))
    assert math.isnan(found.low)
    assert "hundred" in found.remarks[0]


def test_what_weakens_an_interval_is_remarked_on():
    cells = np.array(random_counts(5).counts[0, 0])
    cells[0] *= 10
    remarks = " ".join(interval(bootstrap(counts_of(cells, strata="aaaab"), resamples=200)).remarks)
    assert "s00 has " in remarks
    assert "5 subjects" in remarks
    assert "b has one subject" in remarks
    assert "one seed" in remarks


def test_seeds_are_averaged_and_never_ensembled():
    """Each of three seeds is wrong on another third: their mean is 2/3, a vote of the three would be right on all."""
    seeds = []
    for s in range(3):
        cells = np.zeros((9, 1, 2), dtype=int)
        cells[:, 0, 0] = 1
        cells[s::3, 0] = [0, 1]
        seeds.append(cells)
    found = bootstrap(counts_of(seeds, classes=("a",)), "accuracy", resamples=200)
    assert found.estimate == pytest.approx(2 / 3)
    assert found.seeds == 3


def test_drawn_seeds_vary_as_means_of_seeds_do():
    scores = np.array([0.2, 0.5, 0.9, 0.4])
    drawn = draw_seeds(4, "method", 200_000, np.random.default_rng(0)) @ scores
    assert drawn.mean() == pytest.approx(0.5, abs=0.002)
    assert drawn.var() == pytest.approx(scores.var(ddof=1) / 4, rel=0.02)
    assert (draw_seeds(4, "predictions", 3, np.random.default_rng(0)) == 0.25).all()


def test_the_two_estimands_differ_by_the_seeds():
    right = np.array([3, 4, 5, 6, 7, 8])
    seeds = [of_one_class(right + shift).counts[0, 0] for shift in (-2, 0, 2)]
    counts = counts_of(seeds, classes=("a",))
    fixed, anew = (bootstrap(counts, "accuracy", estimand=e, resamples=4000) for e in ("predictions", "method"))
    # seeds lie at .35, .55 and .75: variance .04, of a mean of three .04 / 3
    assert anew.standard_error**2 - fixed.standard_error**2 == pytest.approx(0.04 / 3)
    assert fixed.freedom == math.inf
    assert anew.freedom == pytest.approx((anew.standard_error**2 / (0.04 / 3)) ** 2 * 2)
    narrow, wide = interval(fixed), interval(anew)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert narrow.record()["estimand"].startswith("these predictions on new subjects")
    assert wide.record()["estimand"].startswith("this method on new subjects")


def test_equal_seeds_change_nothing():
    one = random_counts(10)
    three = counts_of(np.repeat(one.counts[:, 0], 3, axis=0))
    alone, repeated = (bootstrap(c, estimand="predictions", resamples=300) for c in (one, three))
    assert repeated.values == pytest.approx(alone.values)
    assert repeated.standard_errors == pytest.approx(alone.standard_errors)


def test_repetition_gives_the_same_interval():
    first, second = (interval(bootstrap(random_counts(seeds=2), resamples=500, seed=4)) for _ in range(2))
    assert first == second
    assert first != interval(bootstrap(random_counts(seeds=2), resamples=500, seed=5))


def test_a_difference_is_paired():
    """A reference that is .2 worse for every subject: no resample shows anything else, however subjects differ."""
    better, worse = of_one_class([3, 5, 9, 4]), of_one_class([1, 3, 7, 2])
    found = bootstrap_difference(better, worse, "accuracy", resamples=100)
    assert found.estimate == pytest.approx(0.2)
    assert found.remarks[0] == "no interval: every resample scores the same"
    # differences .3, .2, .1, .2: standard error s / sqrt(4)
    other = of_one_class([0, 3, 8, 2])
    found = bootstrap_difference(better, other, "accuracy", resamples=100)
    assert found.standard_error == pytest.approx(np.std([0.3, 0.2, 0.1, 0.2], ddof=1) / 2)


def test_three_opposite_subjects_have_p_one_quarter():
    """Of the eight assignments only none and all swapped reach a difference of 1: p = 2 / 8."""
    found = swap_test(of_one_class([1, 1, 1], 1), of_one_class([0, 0, 0], 1), "accuracy")
    assert (found.difference, found.p, found.exact, found.swaps) == (1.0, 0.25, True, 8)


@pytest.mark.parametrize("metric", METRICS)
def test_the_exact_test_equals_swapping_clips_one_by_one(metric):
    a, b = (random_counts(6, seeds=2, skill=s, seed=i) for i, s in enumerate((0.8, 0.3)))

    def gap(swapped) -> float:
        total = 0.0
        for s in range(2):
            mine = sum((b if i in swapped else a).counts[s, 0, i] for i in range(6))
            other = sum((a if i in swapped else b).counts[s, 0, i] for i in range(6))
            total += getattr(from_confusion(mine, CLASSES), metric) - getattr(from_confusion(other, CLASSES), metric)
        return total / 2

    sets = [s for n in range(7) for s in itertools.combinations(range(6), n)]
    gaps = [gap(set(s)) for s in sets]
    expected = np.mean(np.abs(gaps) >= abs(gap(())) - 1e-9)
    found = swap_test(a, b, metric)
    assert found.difference == pytest.approx(gap(()))
    assert found.p == pytest.approx(float(expected))
    assert swap_test(b, a, metric).p == pytest.approx(found.p)


def test_drawn_assignments_approach_the_exact_p():
    """Eighteen subjects of two clips, in whom the methods differ by 0 to 2: 2^18 assignments tried here one way."""
    generator = np.random.default_rng(3)
    ours = generator.integers(0, 3, size=18)
    theirs = (ours + generator.integers(1, 3, size=18)) % 3
    gaps = np.zeros(1)
    for d in ours - theirs:
        gaps = np.concatenate([gaps + d, gaps - d])
    exact = np.mean(np.abs(gaps) >= abs((ours - theirs).sum()))
    found = swap_test(of_one_class(ours, 2), of_one_class(theirs, 2), "accuracy", swaps=40_000)
    assert not found.exact
    assert found.p == pytest.approx(exact, abs=0.01)


def test_a_drawn_p_is_never_zero():
    """Twenty opposite subjects: chance has 2 / 2^20, and one in 1,000 is what 999 draws can say."""
    found = swap_test(of_one_class([1] * 20, 1), of_one_class([0] * 20, 1), "accuracy", swaps=999)
    assert found.p == 0.001


def test_only_subjects_who_differ_are_swapped():
    ours = of_one_class([1, 1, 1] + [5] * 60)
    theirs = of_one_class([0, 0, 0] + [5] * 60)
    found = swap_test(ours, theirs, "accuracy")
    assert (found.exact, found.swaps, found.p) == (True, 8, 0.25)
    same = swap_test(ours, ours, "accuracy")
    assert (same.p, same.difference) == (1.0, 0.0)
    assert same.remarks == ("both say the same of every subject",)


def test_methods_with_different_numbers_of_seeds_are_compared_by_their_means():
    a, b = random_counts(6, seeds=3, skill=0.8), random_counts(6, seeds=2, skill=0.3, seed=1)
    found = swap_test(a, b)
    assert found.difference == pytest.approx(seed_scores(a, "uf1").mean() - seed_scores(b, "uf1").mean())
    assert found.remarks == ("3 seeds against 2",)


def test_other_clips_are_not_compared():
    a = random_counts(6)
    for other in (random_counts(5), replace(a, counts=a.counts[:, :, ::-1]), replace(a, classes=("x", "y", "z"))):
        for refused in (swap_test, bootstrap_difference):
            with pytest.raises(UsageError, match="same clips"):
                refused(a, other)


def test_holm_by_hand():
    """Sorted .01, .03, .04 times 3, 2, 1: .03, .06, .04, and the last may not fall below the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    with_unknown = holm([0.02, math.nan])
    assert with_unknown[0] == pytest.approx(0.04)
    assert math.isnan(with_unknown[1])


def test_a_family_is_compared_with_its_reference():
    methods = {"ref": random_counts(20, skill=0.3), "good": random_counts(20, skill=0.9, seed=1)}
    methods["like"] = random_counts(20, skill=0.3, seed=2)
    found = {one.method: one for one in compare(methods, "ref", swaps=999, resamples=999)}
    assert set(found) == {"good", "like"}
    assert found["good"].test.p == 0.001
    assert found["good"].p_holm == 0.002
    assert found["good"].resolved
    assert not found["like"].resolved
    record = json.loads(json.dumps(found["good"].record(), allow_nan=False))
    assert record["interval"]["low"] > 0
    assert record["interval"]["estimate"] == record["difference"]
    with pytest.raises(UsageError, match="reference none"):
        compare(methods, "none")


def test_seeds_that_differ_keep_a_difference_from_being_resolved():
    """Every subject is better off with the method, but by what its two seeds' luck was: the test alone is sure."""
    method = counts_of([of_one_class([9] * 19 + [8]).counts[0, 0], of_one_class([1] * 20).counts[0, 0]], classes=("a",))
    reference = counts_of([of_one_class([4] * 19 + [5]).counts[0, 0]] * 2, classes=("a",))
    (found,) = compare({"m": method, "r": reference}, "r", "accuracy", swaps=999, resamples=999)
    assert found.test.p < 0.01
    assert found.interval.low < 0 < found.interval.high
    assert not found.resolved


def test_first_places_are_shared_out():
    best, worst = of_one_class([9, 8, 9, 8]), of_one_class([1, 2, 1, 3])
    found = rank_methods({"a": best, "b": best, "c": worst}, "accuracy", resamples=200)
    assert found.first == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert found.mean_rank == {"a": 1.5, "b": 1.5, "c": 3.0}
    json.dumps(found.record(), allow_nan=False)


def test_first_places_follow_the_subjects_drawn():
    """Two subjects, one for each method; of four draws two are mixed and tie, one goes to either. Unequal: .3 to .1."""
    a, b = of_one_class([8, 2]), of_one_class([5, 3])
    found = rank_methods({"a": a, "b": b}, "accuracy", resamples=40_000)
    # both subjects (chance 1/2): a leads by .2; first twice (1/4): a by .3; second twice (1/4): b by .1
    assert found.first["a"] == pytest.approx(0.75, abs=0.01)
    alone = rank_methods({"a": of_one_class([8]), "b": of_one_class([5])}, "accuracy", resamples=10)
    assert math.isnan(alone.first["a"])
    assert alone.remarks
    with pytest.raises(UsageError, match="cannot be ranked"):
        rank_methods({"a": a})


def test_equivalence_needs_the_interval_within_the_margin():
    ours, theirs = of_one_class([5, 6, 7, 4, 5, 6, 7, 5] * 4), of_one_class([6, 5, 7, 5, 4, 7, 6, 5] * 4)
    verdicts = [equivalence(ours, theirs, m, "accuracy", resamples=999).verdict for m in (0.1, 0.001)]
    assert verdicts == ["equivalent", "undecided"]
    worse = of_one_class([2, 3, 3, 1, 2, 2, 3, 1] * 4)
    found = equivalence(ours, worse, 0.1, "accuracy", resamples=999)
    assert found.verdict == "different"
    assert found.interval.level == 0.9
    json.dumps(found.record(), allow_nan=False)
    with pytest.raises(UsageError, match="Margin 0"):
        equivalence(ours, theirs, 0)


def test_the_smallest_difference_follows_its_formula():
    """Nine subjects, 8 degrees of freedom; differences in tenths -1, 0, 1 three times each: s = .1 sqrt(6 / 8)."""
    ours, theirs = of_one_class([4, 5, 6] * 3), of_one_class([5] * 9)
    found = resolution({"m": ours, "r": theirs, "twin": theirs}, "r", "accuracy")
    t = scipy.stats.t(8)
    expected = (t.ppf(0.975) + t.ppf(0.8)) * 0.1 * math.sqrt(6 / 8) / 3
    assert found.smallest["m"] == pytest.approx(expected, rel=1e-4)
    assert math.isnan(found.smallest["twin"])  # no difference seen, no standard error known
    assert found.median == found.smallest["m"]
    json.dumps(found.record(), allow_nan=False)
    lone = resolution({"m": of_one_class([4]), "r": of_one_class([5])}, "r", "accuracy")
    assert math.isnan(lone.median)


def test_a_difference_of_the_smallest_size_is_found_with_the_power_stated():
    """Normal differences of subjects at the size stated: a t test finds four in five."""
    n, generator = 25, np.random.default_rng(0)
    size = (student(0.975, n - 1) + student(0.8, n - 1)) / math.sqrt(n)
    p = scipy.stats.ttest_1samp(generator.normal(size, 1, size=(4000, n)), 0, axis=1).pvalue
    assert np.mean(p <= 0.05) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 6, 10, 30, 200])
def test_quantiles_of_t(freedom):
    for share in (0.6, 0.8, 0.95, 0.975):
        within = 2e-4 if freedom >= 6 else 4e-3
        assert student(share, freedom) == pytest.approx(scipy.stats.t(freedom).ppf(share), abs=within)


def test_a_slice_that_lacks_a_class_scores_what_it_holds():
    cells = np.array(random_counts(8).counts[0, 0])
    cells[:, 2] = 0
    counts = counts_of(cells)
    truth = [c for c, row in zip(CLASSES, cells.sum(axis=0), strict=True) for _ in range(row.sum())]
    said = [(*CLASSES, None)[p] for row in cells.sum(axis=0) for p, n in enumerate(row) for _ in range(n)]
    expected = score(truth, said, CLASSES, full=False)
    for metric in METRICS:
        found = interval(bootstrap(counts, metric, resamples=500))
        assert found.estimate == pytest.approx(getattr(expected, metric))
        assert found.low < found.estimate < found.high


def test_statistics_need_no_heavy_library():
    assert not modules_after("import mebench.resolution") & HEAVY

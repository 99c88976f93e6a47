"""What a protocol can tell apart: who comes first how often, what is equivalent, and how small a difference would show.

No method is called best: how often each comes first among resampled subjects is what the data say.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mebench.comparison import named
from mebench.errors import UsageError
from mebench.intervals import DEFAULT, Interval, Kind, interval, student
from mebench.resampling import (
    RESAMPLES,
    SAME,
    WORDS,
    Estimand,
    alone,
    bootstrap_difference,
    draw_seeds,
    draw_subjects,
    standard_error,
    weighted_scores,
)
from mebench.statistics import Metric, SubjectCounts, number, same_clips

Verdict = Literal["equivalent", "different", "undecided"]


@dataclass(frozen=True)
class Ranking:
    """How often each method comes first among resampled subjects, ties shared, and its mean rank (1 is best)."""

    metric: Metric
    estimand: Estimand
    first: Mapping[str, float]
    mean_rank: Mapping[str, float]
    subjects: int
    resamples: int
    remarks: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The ranking as JSON values."""
        return {
            "metric": self.metric,
            "estimand": f"rank of {WORDS[self.estimand]}",
            "first": {name: number(value) for name, value in self.first.items()},
            "mean_rank": {name: number(value) for name, value in self.mean_rank.items()},
            "subjects": self.subjects,
            "resamples": self.resamples,
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True)
class Equivalence:
    """Whether a difference lies within a margin declared beforehand: two one-sided tests, each at `alpha`.

    `interval` has the level 1 - 2 alpha (Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15).
    `equivalent` where it lies inside the margin, `different` where outside it, else `undecided`.
    """

    margin: float
    alpha: float
    verdict: Verdict
    interval: Interval

    def record(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "margin": self.margin,
            "alpha": self.alpha,
            "verdict": self.verdict,
            "interval": self.interval.record(),
        }


@dataclass(frozen=True)
class Resolution:
    """The smallest true difference to the reference that would show, per method, and their median.

    (t(1 - alpha / 2) + t(power)) x SE, with t of subjects less strata degrees of freedom and SE the standard error of
    the paired difference: one of that size is found, by a two-sided test at `alpha`, with that `power`. Pairs that
    agree on most clips resolve smaller differences than pairs that do not. Where folds are fitted anew SE is too small
    by a tenth (stable training) to a quarter (unstable), and so is the difference stated.
    """

    reference: str
    metric: Metric
    estimand: Estimand
    alpha: float
    power: float
    smallest: Mapping[str, float]

    @property
    def median(self) -> float:
        """The median over methods; NaN where none is known."""
        known = [value for value in self.smallest.values() if not math.isnan(value)]
        return float(np.median(known)) if known else math.nan

    def record(self) -> dict[str, Any]:
        """The differences as JSON values."""
        return {
            "reference": self.reference,
            "metric": self.metric,
            "estimand": f"difference of {WORDS[self.estimand]}",
            "alpha": self.alpha,
            "power": self.power,
            "smallest": {name: number(value) for name, value in self.smallest.items()},
            "median": number(self.median),
        }


def rank_methods(
    methods: Mapping[str, SubjectCounts],
    metric: Metric = "uf1",
    *,
    estimand: Estimand = "method",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Ranking:
    """How often each method comes first when all are scored on the same resampled subjects.

    Shares of resamples, not posterior probabilities. Raises UsageError for fewer than two methods or other clips.
    """
    if len(methods) < 2:
        raise UsageError(f"{len(methods)} methods cannot be ranked.", "Give two or more results of one protocol.")
    same_clips(list(methods.values()))
    generator = np.random.default_rng(seed)
    first = next(iter(methods.values()))
    weights, _ = draw_subjects(first, resamples, generator)
    if alone(first) or not len(weights):
        unknown = dict.fromkeys(methods, math.nan)
        remarks = ("no ranking: one subject in each corpus, or hardly a resample that holds every class",)
        return Ranking(metric, estimand, unknown, unknown, len(first.subjects), 0, remarks)
    drawn = [draw_seeds(len(counts.seeds), estimand, resamples, generator) for counts in methods.values()]
    pairs = zip(methods.values(), drawn, strict=True)
    scores = np.stack([weighted_scores(counts, metric, weights, seeds) for counts, seeds in pairs])
    above = (scores[None] > scores[:, None] + SAME).sum(axis=1)
    level = (np.abs(scores[None] - scores[:, None]) <= SAME).sum(axis=1)
    first_share = np.where(above == 0, 1 / level, 0.0).mean(axis=1)
    mean_rank = (1 + above + (level - 1) / 2).mean(axis=1)
    return Ranking(
        metric,
        estimand,
        dict(zip(methods, first_share.tolist(), strict=True)),
        dict(zip(methods, mean_rank.tolist(), strict=True)),
        len(first.subjects),
        len(weights),
    )


def equivalence(
    method: SubjectCounts,
    reference: SubjectCounts,
    margin: float,
    metric: Metric = "uf1",
    *,
    alpha: float = 0.05,
    estimand: Estimand = "method",
    kind: Kind = DEFAULT,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Equivalence:
    """Whether method and reference differ by less than the margin; raises UsageError unless it is positive."""
    if not margin > 0 or not 0 < alpha < 0.5:
        raise UsageError(f"Margin {margin}, alpha {alpha}.", "Give a margin above 0 and an alpha between 0 and 0.5.")
    drawn = bootstrap_difference(method, reference, metric, estimand=estimand, resamples=resamples, seed=seed)
    found = interval(drawn, kind, 1 - 2 * alpha)
    verdict: Verdict = "undecided"
    if -margin < found.low and found.high < margin:
        verdict = "equivalent"
    elif found.low >= margin or found.high <= -margin:
        verdict = "different"
    return Equivalence(margin, alpha, verdict, found)


def resolution(
    methods: Mapping[str, SubjectCounts],
    reference: str,
    metric: Metric = "uf1",
    *,
    estimand: Estimand = "method",
    alpha: float = 0.05,
    power: float = 0.8,
) -> Resolution:
    """The smallest difference to the reference that this protocol resolves, as these methods differ from it.

    NaN for a method where no standard error is known. Raises UsageError where the reference is not among the methods.
    """
    base = named(methods, reference)
    freedom = len(base.subjects) - len(set(base.strata))
    reach = student(1 - alpha / 2, freedom) + student(power, freedom) if freedom > 0 else math.nan
    same_clips(list(methods.values()))
    errors = {
        name: standard_error([(1, counts), (-1, base)], metric, estimand)[0]
        for name, counts in methods.items()
        if name != reference
    }
    found = {name: reach * error if error > 0 else math.nan for name, error in errors.items()}
    return Resolution(reference, metric, estimand, alpha, power, found)

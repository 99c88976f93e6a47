"""Intervals of a score or of a difference over subjects, each naming what it is an interval of.

How often they hold the truth is simulated (`python -m benchmarks.coverage`, 1,000 samples per structure, so to 1.4 %),
not assumed. At 95 %, in samples of 8, 24, 26, 28 and 68 subjects, strong differences between them included:

* studentised intervals hold the true UF1 in 94 to 96 %, the true difference of two methods in 93 to 95 %, the score of
  a method with three seeds in 96 %. They are the default, and the widest.
* percentile intervals hold UF1 in 87 to 94 %, BCa intervals in 90 to 94 %, least with few subjects or unequal ones.
* where clips hold several of twelve action units, studentised intervals hold the mean F1 in 94 to 95 %, the difference
  of two methods in 93 to 95 %; percentile intervals in 89 to 92 %, least where most units are in a few clips.

All fall short where one subject has a quarter of the clips: studentised 93 % (differences 90 %), percentile 85 %, BCa
87 %. So they do where folds are fitted anew, for the fits at hand and for the method alike: studentised 93 % where
training is stable and 89 to 90 % where it is not (16 subjects, five clips each, 40 features), percentile and BCa 91 %
and 82 to 85 %. Leave-one-subject-out folds share their training subjects, and no resampling of predictions sees what
that does to a score (Bengio & Grandvalet 2004, JMLR 5).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from mebench.errors import UsageError
from mebench.predictions import Predictions
from mebench.resampling import RESAMPLES, SAME, WORDS, Estimand, Resamples, bootstrap
from mebench.scoring import ALL, Aggregate, dataset_of
from mebench.statistics import Metric, count_subjects, number

Kind = Literal["percentile", "bca", "studentised"]
KINDS: tuple[Kind, ...] = ("percentile", "bca", "studentised")
DEFAULT: Kind = "studentised"
COVERAGE_NOTE = (
    "95 % intervals over subjects held the truth in 93 to 96 % of simulated samples, in 89 to 94 % where one subject "
    "had a quarter of the clips or where folds were fitted anew."
)
"""What a page that shows the default interval must say."""


@dataclass(frozen=True)
class Interval:
    """An interval of a score or a difference; `low` and `high` are NaN where none can be given, and `remarks` say why.

    `standard_error` is that of `Resamples`.
    """

    metric: Metric
    estimand: Estimand
    kind: Kind
    level: float
    estimate: float
    low: float
    high: float
    standard_error: float
    subjects: int
    seeds: int
    resamples: int
    remarks: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The interval as JSON values, null where undefined."""
        return {
            "metric": self.metric,
            "estimand": WORDS[self.estimand],
            "kind": self.kind,
            "level": self.level,
            "estimate": number(self.estimate),
            "low": number(self.low),
            "high": number(self.high),
            "standard_error": number(self.standard_error),
            "subjects": self.subjects,
            "seeds": self.seeds,
            "resamples": self.resamples,
            "remarks": list(self.remarks),
        }


def interval(found: Resamples, kind: Kind = DEFAULT, level: float = 0.95) -> Interval:
    """The interval of one kind, cut off at the bounds of the score; raises UsageError unless 0 < level < 1.

    What each kind holds of its level is said above: only `studentised` comes near it with fewer than some 70 subjects.
    """
    if not 0 < level < 1:
        raise UsageError(f"A level of {level} is no share between 0 and 1.", "Give a level such as 0.95.")
    low, high, remarks = math.nan, math.nan, found.remarks
    if len(found.values):
        low, high = _LIMITS[kind](found, (1 - level) / 2)
        if math.isnan(low):
            remarks = (*remarks, f"no {kind} interval: every resample lies on one side of the score")
    return Interval(
        metric=found.metric,
        estimand=found.estimand,
        kind=kind,
        level=level,
        estimate=found.estimate,
        low=float(np.clip(low, *found.bounds)),
        high=float(np.clip(high, *found.bounds)),
        standard_error=found.standard_error,
        subjects=len(found.influence),
        seeds=found.seeds,
        resamples=len(found.values),
        remarks=remarks,
    )


def intervals_of(
    predictions: Predictions,
    expected: Mapping[str, str],
    subjects: Mapping[str, str] | None = None,
    *,
    aggregate: Aggregate = "pooled",
    metrics: Sequence[Metric] = ("uf1", "uar"),
    estimand: Estimand = "method",
    kind: Kind = DEFAULT,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict[Metric, Interval]]:
    """The interval of each metric by slice, `all` and where there are several each dataset, as `score_predictions`.

    The estimates are the mean over seeds of what it reports.
    """
    datasets = sorted({dataset_of(clip) for clip in expected})
    found: dict[str, dict[Metric, Interval]] = {}
    for name in (ALL, *(datasets if len(datasets) > 1 else ())):
        counts = count_subjects(predictions, expected, subjects, dataset=name, aggregate=aggregate)
        found[name] = {
            metric: interval(bootstrap(counts, metric, estimand=estimand, resamples=resamples, seed=seed), kind)
            for metric in metrics
        }
    return found


def student(share: float, freedom: float) -> float:
    """The quantile of Student's t: closed for 1 and 2 degrees of freedom, else Abramowitz & Stegun 1964, 26.7.5.

    Degrees below 3 are rounded down. Within 0.004 of the true value for shares up to .975, within 0.0002 from 6 on.
    """
    if freedom < 2:
        return math.tan(math.pi * (share - 0.5))
    if freedom < 3:
        return (2 * share - 1) / math.sqrt(2 * share * (1 - share))
    z = NormalDist().inv_cdf(share)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**i for i, term in enumerate(terms))


def _percentile(found: Resamples, tail: float) -> tuple[float, float]:
    """Efron & Tibshirani 1993, section 13.3."""
    low, high = np.quantile(found.values, (tail, 1 - tail))
    return float(low), float(high)


def _bca(found: Resamples, tail: float) -> tuple[float, float]:
    """Efron 1987, Better bootstrap confidence intervals, JASA 82, with the acceleration from the influences."""
    normal = NormalDist()
    above = found.values - found.estimate
    below = float(np.mean(above < -SAME) + np.mean(np.abs(above) <= SAME) / 2)
    if not 0 < below < 1:
        return math.nan, math.nan
    squares = float((found.influence**2).sum())
    acceleration = float((found.influence**3).sum()) / (6 * squares**1.5) if squares else 0.0
    bias = normal.inv_cdf(below)

    def moved(share: float) -> float:
        z = bias + normal.inv_cdf(share)
        return normal.cdf(bias + z / (1 - acceleration * z)) if acceleration * z < 1 else float(z > 0)

    low, high = np.quantile(found.values, (moved(tail), moved(1 - tail)))
    return float(low), float(high)


def _studentised(found: Resamples, tail: float) -> tuple[float, float]:
    """Efron & Tibshirani 1993, section 12.5; a resample without a standard error lies as far out as any.

    Widened by t over normal where few seeds make the standard error uncertain.
    """
    above = found.values - found.estimate
    far = np.where(np.abs(above) <= SAME, 0.0, np.copysign(np.inf, above))
    ratio = np.divide(above, found.standard_errors, out=far, where=found.standard_errors > 0)
    low, high = np.quantile(ratio, (tail, 1 - tail), method="inverted_cdf")
    reach = found.standard_error
    if math.isfinite(found.freedom):
        reach *= student(1 - tail, found.freedom) / NormalDist().inv_cdf(1 - tail)
    return found.estimate - float(high) * reach, found.estimate - float(low) * reach


_LIMITS = {"percentile": _percentile, "bca": _bca, "studentised": _studentised}

"""Means over clips with intervals over subjects, of whatever lies between 0 and 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.intervals import Interval, interval
from mebench.resampling import bootstrap, bootstrap_difference
from mebench.scoring import dataset_of
from mebench.statistics import SubjectCounts, number

Doubles = NDArray[np.float64]

RESAMPLES = 2000
"""Resamples behind an interval: a table holds dozens, whose ends move by a hundredth of their length."""

_TRIES = 1_000_000
"""A clip counts as this many tries, of which its value succeed: the mean of the values is then an accuracy."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over clips, or a difference of two, and its 95 % interval over subjects (NaN where there is none)."""

    value: float
    low: float
    high: float

    def record(self) -> list[float | None]:
        """Value, low and high as JSON values."""
        return [number(self.value), number(self.low), number(self.high)]


def mean_of(values: Doubles, subjects: Sequence[str]) -> Mean:
    """The mean of values (n,) from 0 to 1, one per clip, whose subjects are drawn anew within their corpus."""
    return _mean(interval(bootstrap(_counts(values, subjects), "accuracy", **_OPTIONS)))


def difference_of(values: Doubles, others: Doubles, subjects: Sequence[str]) -> Mean:
    """The mean of values (n,) less that of others (n,), both from 0 to 1 and of the same clips."""
    counts = _counts(values, subjects), _counts(others, subjects)
    return _mean(interval(bootstrap_difference(*counts, "accuracy", **_OPTIONS)))


_OPTIONS: Any = {"estimand": "predictions", "resamples": RESAMPLES, "seed": 0}


def _counts(values: Doubles, subjects: Sequence[str]) -> SubjectCounts:
    names, member = np.unique(np.asarray(subjects), return_inverse=True)
    hits = np.rint(np.bincount(member, np.asarray(values, np.float64) * _TRIES, len(names))).astype(np.int64)
    tries = np.bincount(member, minlength=len(names)) * _TRIES
    counts = np.stack([hits, tries - hits], axis=-1)[None, None, :, None, :]
    strata = tuple(dataset_of(str(name)) for name in names)
    return SubjectCounts(("mean",), tuple(map(str, names)), strata, ("all",), (0,), counts)


def _mean(found: Interval) -> Mean:
    return Mean(found.estimate, found.low, found.high)

"""A method against a declared reference on the same subjects: is the difference more than chance.

The paired test swaps whole subjects: were two methods the same, all that one said of a subject, in every seed, might as
well have been said by the other. It tests the reported difference itself, two-sided, against one reference declared
beforehand; p-values of several methods against that reference are adjusted as Holm (1979, Scandinavian Journal of
Statistics 6) does.

How often it errs is simulated (`python -m benchmarks.coverage`, 1,000 samples per structure, so to 1.4 %). At 5 % it
tells two methods of one true UF1 apart in 4 to 7 % of samples, whether they are alike or have other strengths, and
whether clips hold one class or several of twelve action units. It takes fits and seeds as they are: where three seeds
differ by an SD of .3 in log odds, it tells a method from itself in 30 %, and where folds are fitted anew in 8 % (stable
training) to 12 % (unstable). So a difference counts as `resolved` only where the interval of the difference, seeds
drawn anew, leaves 0 out as well: 3 to 6 %, with such seeds 5 %, refitted 7 to 10 %.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.intervals import DEFAULT, Interval, Kind, interval
from mebench.resampling import RESAMPLES, SAME, Estimand, bootstrap_difference
from mebench.statistics import Floats, Metric, SubjectCounts, metric_of, number, repeat_seeds, same_clips

SWAPS = 10_000
NULL = "whatever either method said of a subject, in all seeds, the other might as well have said"
_EXACT_SUBJECTS = 16
"""Up to 65,536 assignments are all tried, which takes well under a second."""
_CHUNK = 20_000
"""Assignments tried at once: tens of megabytes for a hundred subjects."""


@dataclass(frozen=True)
class SwapTest:
    """A difference of scores and how often chance gives one as large.

    `exact` where every one of the `swaps` assignments was tried, otherwise they were drawn and p is
    (1 + as large) / (1 + swaps).
    """

    difference: float
    p: float
    exact: bool
    swaps: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A method less the reference: the test, p after Holm over `family` methods, and the interval of the difference."""

    method: str
    reference: str
    metric: Metric
    test: SwapTest
    p_holm: float
    family: int
    interval: Interval

    @property
    def resolved(self) -> bool:
        """Whether the difference shows: p after Holm at most one minus the interval's level, and 0 outside of it."""
        outside = self.interval.low > 0 or self.interval.high < 0
        return outside and self.p_holm <= 1 - self.interval.level + SAME

    def record(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {
            "method": self.method,
            "reference": self.reference,
            "metric": self.metric,
            "difference": number(self.test.difference),
            "null": NULL,
            "p": number(self.test.p),
            "p_holm": number(self.p_holm),
            "family": self.family,
            "exact": self.test.exact,
            "swaps": self.test.swaps,
            "resolved": self.resolved,
            "interval": self.interval.record(),
            "remarks": list(self.test.remarks),
        }


def swap_test(
    method: SubjectCounts, reference: SubjectCounts, metric: Metric = "uf1", *, swaps: int = SWAPS, seed: int = 0
) -> SwapTest:
    """The paired test of method less reference: exact up to 16 subjects of whom the two say anything different.

    Seeds of both are swapped along with the subject, in their order; where one has more of them, each set is repeated
    until they are as many, which changes neither score. Raises UsageError unless both were scored on the same clips.
    """
    same_clips((method, reference))
    counts = math.lcm(len(method.seeds), len(reference.seeds))
    ours = repeat_seeds(method, counts // len(method.seeds)).margins(metric)
    theirs = repeat_seeds(reference, counts // len(reference.seeds)).margins(metric)
    uneven = len(method.seeds) != len(reference.seeds)
    remarks = [f"{len(method.seeds)} seeds against {len(reference.seeds)}"] if uneven else []
    differs = np.flatnonzero((ours != theirs).any(axis=(0, 1, 3, 4)))
    exact = len(differs) <= _EXACT_SUBJECTS
    if not len(differs):
        remarks.append("both say the same of every subject")
    observed = float(_differences(ours, theirs, np.zeros((1, len(differs))), differs, metric)[0])
    reached, tried = 0, 0
    for signs in _assignments(len(differs), swaps, np.random.default_rng(seed)):
        found = _differences(ours, theirs, signs, differs, metric)
        reached, tried = reached + int((np.abs(found) >= abs(observed) - SAME).sum()), tried + len(found)
    p = reached / tried if exact else (1 + reached) / (1 + tried)
    return SwapTest(observed, math.nan if math.isnan(observed) else p, exact, tried, tuple(remarks))


def compare(
    methods: Mapping[str, SubjectCounts],
    reference: str,
    metric: Metric = "uf1",
    *,
    estimand: Estimand = "method",
    kind: Kind = DEFAULT,
    swaps: int = SWAPS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Comparison, ...]:
    """Every other method against the one reference, which must be declared before the figures are seen.

    Raises UsageError where the reference is not among the methods or clips differ.
    """
    base = named(methods, reference)
    others = {name: counts for name, counts in methods.items() if name != reference}
    found = []
    for name, counts in others.items():
        test = swap_test(counts, base, metric, swaps=swaps, seed=seed)
        drawn = bootstrap_difference(counts, base, metric, estimand=estimand, resamples=resamples, seed=seed)
        found.append(Comparison(name, reference, metric, test, test.p, len(others), interval(drawn, kind)))
    adjusted = holm([one.test.p for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True))


def holm(p: Sequence[float]) -> list[float]:
    """The p-values adjusted for being several: the i-th smallest of m times m - i + 1, never falling, at most 1.

    NaN stays NaN and counts as a test that was made.
    """
    adjusted, least = list(p), 0.0
    order = sorted(range(len(p)), key=lambda i: (math.isnan(p[i]), p[i]))
    for place, i in enumerate(order):
        if not math.isnan(p[i]):
            least = max(least, min(1.0, p[i] * (len(p) - place)))
            adjusted[i] = least
    return adjusted


def named(methods: Mapping[str, SubjectCounts], reference: str) -> SubjectCounts:
    """The counts of the reference; raises UsageError unless it and another method are there."""
    if reference not in methods or len(methods) < 2:
        raise UsageError(
            f"The reference {reference} is not among {len(methods)} methods to compare.",
            f"Name one of {', '.join(methods) or 'the results'}, and give another beside it.",
        )
    return methods[reference]


def _assignments(subjects: int, swaps: int, generator: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Which subjects are swapped (n, subjects) in 0 and 1: all assignments if few, else `swaps` drawn ones."""
    exact = subjects <= _EXACT_SUBJECTS
    total = 2**subjects if exact else swaps
    for start in range(0, total, _CHUNK):
        rows = np.arange(start, min(total, start + _CHUNK))
        if exact:
            yield (rows[:, None] >> np.arange(subjects) & 1).astype(np.float64)
        else:
            yield generator.integers(2, size=(len(rows), subjects)).astype(np.float64)


def _differences(ours: Floats, theirs: Floats, signs: Floats, differs: NDArray[np.intp], metric: Metric) -> Floats:
    """Method less reference (n,) with the subjects `differs` swapped where `signs` (n, differs) is 1."""
    found = np.zeros(len(signs))
    for a, b in zip(ours, theirs, strict=True):
        for mine, other in zip(a, b, strict=True):
            change = (other - mine)[differs].reshape(len(differs), mine.shape[1] * mine.shape[2])
            moved = (signs @ change).reshape(len(signs), *mine.shape[1:])
            gap = metric_of(mine.sum(axis=0) + moved, metric) - metric_of(other.sum(axis=0) - moved, metric)
            found += gap / (len(ours) * len(a))
    return found

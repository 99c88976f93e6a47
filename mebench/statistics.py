"""What a score rests on: the counts of single subjects, and how far each subject moves the score.

Clips of one person resemble each other, so the subject and not the clip is what is drawn anew. Everything here and in
`intervals` and `comparison` works on one table of counts per seed, part and subject. A score is that of `scoring`:
taken of the counts summed over subjects, averaged over parts (one, `all`, or one per direction of a hold-out
protocol) and over seeds. Predictions of several seeds are never combined into one.

Weights per subject say how often each is counted; 1 for all gives the score itself. The influence of a subject is the
derivative of the score by its weight; the infinitesimal jackknife adds up the squares (Jaeckel 1972; Efron & Tibshirani
1993, An Introduction to the Bootstrap, section 21.3).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.subject_counts import (
    Floats,
    Metric,
    SubjectCounts,
    UnitCounts,
    count_subjects,
    repeat_seeds,
    same_clips,
)


def metric_of(totals: Floats, metric: Metric) -> Floats:
    """The score (...) of totals (..., 3, k): hits, clips and predictions per class; NaN where nothing is defined.

    Equal to `scoring.from_confusion` and, of the margins of several classes a clip, to `scoring.from_units`: a class
    without clips and predictions has no F1 and one without clips no recall, and leaves the mean.
    """
    found: Floats = _METRICS[metric][0](totals[..., 0, :], totals[..., 1, :], totals[..., 2, :])
    return found


def gradient_of(totals: Floats, metric: Metric) -> Floats:
    """The derivative of the score by each of the totals (..., 3, k); zero for a class that is not in the mean."""
    return np.stack(_METRICS[metric][1](totals[..., 0, :], totals[..., 1, :], totals[..., 2, :]), axis=-2)


def seed_scores(counts: SubjectCounts, metric: Metric, weights: Floats | None = None) -> Floats:
    """The score of each seed (seeds, n) under weights (n, subjects), by default one row of ones."""
    weights = np.ones((1, len(counts.subjects))) if weights is None else weights
    found = np.zeros((len(counts.seeds), len(weights)))
    for s, parts in enumerate(counts.margins(metric)):
        for margins in parts:
            found[s] += metric_of(_totals(margins, weights), metric) / len(parts)
    return found


def influences(counts: SubjectCounts, metric: Metric, weights: Floats, seed_weights: Floats) -> Floats:
    """The derivative of the weighted mean over seeds by each subject's weight (n, subjects).

    `weights` (n, subjects); `seed_weights` (n, seeds) sum to one in each row.
    """
    found = np.zeros_like(weights)
    for s, parts in enumerate(counts.margins(metric)):
        for margins in parts:
            slope = gradient_of(_totals(margins, weights), metric).reshape(len(weights), margins[0].size)
            found += (seed_weights[:, s, None] / len(parts)) * (slope @ margins.reshape(len(margins), -1).T)
    return found


def jackknife_variance(influence: Floats, weights: Floats, strata: NDArray[np.intp]) -> Floats:
    """The variance of a score between samples of subjects (n,), from influences and weights (n, subjects).

    The sum over strata of m / (m - 1) times the squared deviations from the stratum's mean, m its subjects. A stratum
    of one subject adds nothing: what it would add cannot be known.
    """
    found = np.zeros(len(weights))
    for stratum in np.unique(strata):
        at = strata == stratum
        m = int(at.sum())
        if m > 1:
            part, w = influence[:, at], weights[:, at]
            spread = part - ((w * part).sum(axis=1) / m)[:, None]
            found += m / (m - 1) * (w * spread**2).sum(axis=1)
    return found


def number(value: float) -> float | None:
    """The value for JSON, which has neither NaN nor infinity."""
    return float(value) if math.isfinite(value) else None


def _totals(margins: Floats, weights: Floats) -> Floats:
    """Sums over subjects (n, 3, k) of margins (subjects, 3, k) under weights (n, subjects)."""
    return (weights @ margins.reshape(len(margins), -1)).reshape(len(weights), *margins.shape[1:])


def _over(above: Floats, below: Floats) -> Floats:
    """above / below, 0 where below is 0."""
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)


def _mean(values: Floats, defined: NDArray[np.bool_]) -> Floats:
    counted = defined.sum(axis=-1)
    return np.where(counted > 0, _over(values.sum(axis=-1), counted.astype(np.float64)), np.nan)


def _uf1(hits: Floats, clips: Floats, said: Floats) -> Floats:
    return _mean(_over(2 * hits, clips + said), clips + said > 0)


def _uf1_slope(hits: Floats, clips: Floats, said: Floats) -> tuple[Floats, Floats, Floats]:
    defined = np.maximum((clips + said > 0).sum(axis=-1, keepdims=True), 1)
    by_sum = -_over(2 * hits, (clips + said) ** 2) / defined
    return _over(np.full_like(hits, 2), clips + said) / defined, by_sum, by_sum


def _uar(hits: Floats, clips: Floats, _said: Floats) -> Floats:
    return _mean(_over(hits, clips), clips > 0)


def _uar_slope(hits: Floats, clips: Floats, said: Floats) -> tuple[Floats, Floats, Floats]:
    defined = np.maximum((clips > 0).sum(axis=-1, keepdims=True), 1)
    return _over(np.ones_like(hits), clips) / defined, -_over(hits, clips**2) / defined, np.zeros_like(said)


def _accuracy(hits: Floats, clips: Floats, _said: Floats) -> Floats:
    total = clips.sum(axis=-1)
    return np.where(total > 0, _over(hits.sum(axis=-1), total), np.nan)


def _accuracy_slope(hits: Floats, clips: Floats, said: Floats) -> tuple[Floats, Floats, Floats]:
    total = clips.sum(axis=-1, keepdims=True)
    by_clips = -_over(hits.sum(axis=-1, keepdims=True), total**2)
    return _over(np.ones_like(hits), total), by_clips + np.zeros_like(clips), np.zeros_like(said)


def _weighted_f1(hits: Floats, clips: Floats, said: Floats) -> Floats:
    total = clips.sum(axis=-1)
    return np.where(total > 0, _over(_over(2 * hits * clips, clips + said).sum(axis=-1), total), np.nan)


def _weighted_f1_slope(hits: Floats, clips: Floats, said: Floats) -> tuple[Floats, Floats, Floats]:
    total = clips.sum(axis=-1, keepdims=True)
    both = (clips + said) ** 2
    share = _over(_over(2 * hits * clips, clips + said).sum(axis=-1, keepdims=True), total)
    return (
        _over(_over(2 * clips, clips + said), total),
        _over(_over(2 * hits * said, both) - share, total),
        -_over(_over(2 * hits * clips, both), total),
    )


_METRICS: Mapping[Metric, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "uf1": (_uf1, _uf1_slope),
    "uar": (_uar, _uar_slope),
    "accuracy": (_accuracy, _accuracy_slope),
    "weighted_f1": (_weighted_f1, _weighted_f1_slope),
}
METRICS: tuple[Metric, ...] = tuple(_METRICS)

__all__ = [
    "METRICS",
    "Floats",
    "Metric",
    "SubjectCounts",
    "UnitCounts",
    "count_subjects",
    "gradient_of",
    "influences",
    "jackknife_variance",
    "metric_of",
    "number",
    "repeat_seeds",
    "same_clips",
    "seed_scores",
]

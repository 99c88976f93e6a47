"""What a score rests on: the confusions of single subjects, and how far each subject moves the score.

Clips of one person resemble each other, so the subject and not the clip is what is drawn anew. Everything here and in
`intervals` and `comparison` works on one confusion matrix per seed, part and subject. A score is that of `scoring`:
taken of the confusion summed over subjects, averaged over parts (one, `all`, or one per direction of a hold-out
protocol) and over seeds. Predictions of several seeds are never combined into one.

Weights per subject say how often each is counted; 1 for all gives the score itself. The influence of a subject is the
derivative of the score by its weight; the infinitesimal jackknife adds up the squares (Jaeckel 1972; Efron & Tibshirani
1993, An Introduction to the Bootstrap, section 21.3).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import PredictionError, UsageError
from mebench.predictions import Predictions, join
from mebench.scoring import ALL, Aggregate, confusion, dataset_of

Metric = Literal["uf1", "uar", "accuracy", "weighted_f1"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SubjectCounts:
    """What a method said of each subject's clips.

    `counts` (seeds, parts, subjects, k, k+1) int64: the confusions, last column no prediction. `strata` holds the
    corpus of each subject, within which subjects are drawn. Raises PredictionError where shapes or names disagree.
    """

    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    strata: tuple[str, ...]
    parts: tuple[str, ...]
    seeds: tuple[int, ...]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        k = len(self.classes)
        shape = (len(self.seeds), len(self.parts), len(self.subjects), k, k + 1)
        if self.counts.shape != shape or len(self.strata) != len(self.subjects) or 0 in shape:
            raise PredictionError(
                f"Counts of shape {self.counts.shape} where seeds, parts, subjects and classes ask for {shape}.",
                "Give one confusion matrix per seed, part and subject, and a corpus per subject.",
            )
        if (self.counts < 0).any() or (self.clips != self.clips[:1]).any():
            raise PredictionError(
                "A count is negative, or seeds hold different clips of a subject.",
                "Count a clip without a prediction in the last column.",
            )

    @property
    def clips(self) -> NDArray[np.int64]:
        """Clips of each class (seeds, parts, subjects, k)."""
        found: NDArray[np.int64] = self.counts.sum(axis=-1)
        return found

    @property
    def margins(self) -> Floats:
        """Hits, clips and predictions of each class (seeds, parts, subjects, 3, k): all that a score depends on."""
        hits = np.diagonal(self.counts, axis1=-2, axis2=-1)
        return np.stack([hits, self.clips, self.counts[..., :-1].sum(axis=-2)], axis=-2).astype(np.float64)

    @property
    def codes(self) -> NDArray[np.intp]:
        """The number of each subject's stratum."""
        return np.unique(self.strata, return_inverse=True)[1]


def count_subjects(
    predictions: Predictions,
    expected: Mapping[str, str],
    subjects: Mapping[str, str] | None = None,
    *,
    dataset: str = ALL,
    aggregate: Aggregate = "pooled",
) -> SubjectCounts:
    """The counts behind the score of one slice; every seed of the predictions stands for itself.

    `expected` maps clip to class, `subjects` clip to subject (by default the id's first two parts, as on the
    leaderboard). A clip without a prediction counts as missed. With `aggregate="directions"` the slice `all` has one
    part per dataset. Raises PredictionError as `score_predictions` does, and for a dataset without clips.
    """
    clips = sorted(clip for clip in expected if dataset in (ALL, dataset_of(clip)))
    if not clips or not predictions.rows:
        raise PredictionError(
            f"{len(predictions)} predictions for {len(clips)} clips of {dataset}: nothing to count.",
            "Give predictions for the protocol's clips and a dataset it holds.",
        )
    owner = {clip: (subjects or {}).get(clip, clip.rpartition("/")[0]) for clip in clips}
    names = tuple(sorted(set(owner.values())))
    homes = {name: "+".join(sorted({dataset_of(c) for c in clips if owner[c] == name})) for name in names}
    split = dataset == ALL and aggregate == "directions"
    parts = tuple(sorted({dataset_of(clip) for clip in clips})) if split else (dataset,)
    joined = join(predictions, expected)
    cells: dict[tuple[int, str, str], list[tuple[str, str | None]]] = {}
    for seed, said in joined.items():
        for clip, truth, predicted in zip(said.clips, said.truth, said.predicted, strict=True):
            if clip in owner:
                part = dataset_of(clip) if split else dataset
                cells.setdefault((seed, part, owner[clip]), []).append((truth, predicted))
    k = len(predictions.classes)
    counts = np.zeros((len(joined), len(parts), len(names), k, k + 1), dtype=np.int64)
    at = {(s, p, n): (i, j, m) for i, s in enumerate(joined) for j, p in enumerate(parts) for m, n in enumerate(names)}
    for key, pairs in cells.items():
        counts[at[key]] = confusion([t for t, _ in pairs], [p for _, p in pairs], predictions.classes)
    return SubjectCounts(predictions.classes, names, tuple(homes[name] for name in names), parts, tuple(joined), counts)


def metric_of(totals: Floats, metric: Metric) -> Floats:
    """The score (...) of totals (..., 3, k): hits, clips and predictions per class; NaN where nothing is defined.

    Equal to `scoring.from_confusion`: a class without clips and predictions has no F1 and one without clips no recall,
    and leaves the mean.
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
    for s, parts in enumerate(counts.margins):
        for margins in parts:
            found[s] += metric_of(_totals(margins, weights), metric) / len(parts)
    return found


def influences(counts: SubjectCounts, metric: Metric, weights: Floats, seed_weights: Floats) -> Floats:
    """The derivative of the weighted mean over seeds by each subject's weight (n, subjects).

    `weights` (n, subjects); `seed_weights` (n, seeds) sum to one in each row.
    """
    found = np.zeros_like(weights)
    for s, parts in enumerate(counts.margins):
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


def same_clips(counts: Sequence[SubjectCounts]) -> None:
    """Raises UsageError unless all were counted on the same clips, classes and slice."""
    first = counts[0]
    for other in counts[1:]:
        names = all(getattr(first, n) == getattr(other, n) for n in ("classes", "subjects", "strata", "parts"))
        if not names or (first.clips[0] != other.clips[0]).any():
            raise UsageError(
                "Two methods were not scored on the same clips of the same subjects.",
                "Compare results of one protocol and one annotation version.",
            )


def repeat_seeds(counts: SubjectCounts, times: int) -> SubjectCounts:
    """The counts with every seed repeated, which leaves the mean over seeds as it is."""
    return replace(counts, seeds=counts.seeds * times, counts=np.tile(counts.counts, (times, 1, 1, 1, 1)))


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

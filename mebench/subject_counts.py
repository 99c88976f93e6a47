"""What a method said of each subject's clips, in counts: all that statistics over subjects rest on.

Two kinds of task have them: every clip holds one class (`SubjectCounts`), or any number of classes (`UnitCounts`), as
action units. Either gives hits, clips and predictions of each class and subject, of which a score is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import PredictionError, UsageError
from mebench.predictions import Predictions, join
from mebench.scoring import ALL, Aggregate, confusion, dataset_of, held_classes

Metric = Literal["uf1", "uar", "accuracy", "weighted_f1"]
Floats = NDArray[np.float64]
Said = Sequence[tuple[str, str | None]]
"""Truth and prediction of clips."""


@dataclass(frozen=True, eq=False)
class SubjectCounts:
    """What a method said of each subject's clips, where each holds one class.

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
        shape = (len(self.seeds), len(self.parts), len(self.subjects), *self.cells(len(self.classes)))
        if self.counts.shape != shape or len(self.strata) != len(self.subjects) or 0 in shape:
            raise PredictionError(
                f"Counts of shape {self.counts.shape} where seeds, parts, subjects and classes ask for {shape}.",
                "Give one table of counts per seed, part and subject, and a corpus per subject.",
            )
        if (self.counts < 0).any() or (self.clips != self.clips[:1]).any():
            raise PredictionError(
                "A count is negative, or seeds hold different clips of a subject.",
                "Count a clip without a prediction as missed.",
            )

    @staticmethod
    def cells(k: int) -> tuple[int, int]:
        """The shape of the counts of one subject under `k` classes."""
        return k, k + 1

    @staticmethod
    def count(said: Said, classes: Sequence[str]) -> NDArray[np.int64]:
        """The counts of some clips."""
        return confusion([truth for truth, _ in said], [predicted for _, predicted in said], classes)

    @property
    def clips(self) -> NDArray[np.int64]:
        """Clips that hold each class (seeds, parts, subjects, k)."""
        found: NDArray[np.int64] = self.counts.sum(axis=-1)
        return found

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Clips of each subject (subjects,)."""
        found: NDArray[np.int64] = self.clips[0].sum(axis=(0, -1))
        return found

    @property
    def codes(self) -> NDArray[np.intp]:
        """The number of each subject's stratum."""
        return np.unique(self.strata, return_inverse=True)[1]

    def margins(self, _metric: Metric) -> Floats:
        """Hits, clips and predictions of each class (seeds, parts, subjects, 3, k): all that a score depends on."""
        hits = np.diagonal(self.counts, axis1=-2, axis2=-1)
        return np.stack([hits, self.clips, self.counts[..., :-1].sum(axis=-2)], axis=-2).astype(np.float64)


@dataclass(frozen=True, eq=False)
class UnitCounts(SubjectCounts):
    """What a method said of each subject's clips, where each holds any number of classes.

    `counts` (seeds, parts, subjects, k+1, 3) int64: hits, clips and predictions of each class and, in the last row, of
    whole sets, whose hits are the clips that are right throughout.
    """

    @staticmethod
    def cells(k: int) -> tuple[int, int]:
        """The shape of the counts of one subject under `k` classes."""
        return k + 1, 3

    @staticmethod
    def count(said: Said, classes: Sequence[str]) -> NDArray[np.int64]:
        """The counts of some clips."""
        truth = held_classes([one for one, _ in said], classes)
        predicted = held_classes([one or "" for _, one in said], classes)
        given = np.array([one is not None for _, one in said], dtype=bool)
        right = int((given & (truth == predicted).all(axis=1)).sum())
        by_class = np.stack([(truth & predicted).sum(axis=0), truth.sum(axis=0), predicted.sum(axis=0)], axis=1)
        return np.concatenate([by_class, [[right, len(said), int(given.sum())]]]).astype(np.int64)

    @property
    def clips(self) -> NDArray[np.int64]:
        """Clips that hold each class (seeds, parts, subjects, k)."""
        found: NDArray[np.int64] = self.counts[..., :-1, 1]
        return found

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Clips of each subject (subjects,)."""
        found: NDArray[np.int64] = self.counts[0, :, :, -1, 1].sum(axis=0)
        return found

    def margins(self, metric: Metric) -> Floats:
        """Hits, clips and predictions (seeds, parts, subjects, 3, k), of accuracy those of whole sets (..., 3, 1).

        Predictions of a class that no clip of a part holds count as none: it leaves the mean whatever was predicted.
        """
        if metric == "accuracy":
            return np.swapaxes(self.counts[..., -1:, :], -1, -2).astype(np.float64)
        found = np.swapaxes(self.counts[..., :-1, :], -1, -2).astype(np.float64)
        held = self.clips.any(axis=2, keepdims=True)
        found[..., 2, :] *= held
        return found


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
    part per dataset, with `"units"` clips hold any number of classes and UnitCounts come back. Raises PredictionError
    as `score_predictions` does, and for a dataset without clips.
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
    said: dict[tuple[int, str, str], list[tuple[str, str | None]]] = {}
    for seed, rows in joined.items():
        for clip, truth, predicted in zip(rows.clips, rows.truth, rows.predicted, strict=True):
            if clip in owner:
                part = dataset_of(clip) if split else dataset
                said.setdefault((seed, part, owner[clip]), []).append((truth, predicted))
    kind = UnitCounts if aggregate == "units" else SubjectCounts
    shape = (len(joined), len(parts), len(names), *kind.cells(len(predictions.classes)))
    counts = np.zeros(shape, dtype=np.int64)
    at = {(s, p, n): (i, j, m) for i, s in enumerate(joined) for j, p in enumerate(parts) for m, n in enumerate(names)}
    for key, pairs in said.items():
        counts[at[key]] = kind.count(pairs, predictions.classes)
    return kind(predictions.classes, names, tuple(homes[name] for name in names), parts, tuple(joined), counts)


def same_clips(counts: Sequence[SubjectCounts]) -> None:
    """Raises UsageError unless all were counted on the same clips, classes and slice."""
    first = counts[0]
    for other in counts[1:]:
        names = all(getattr(first, n) == getattr(other, n) for n in ("classes", "subjects", "strata", "parts"))
        alike = names and type(first) is type(other) and (first.sizes == other.sizes).all()
        if not alike or (first.clips[0] != other.clips[0]).any():
            raise UsageError(
                "Two methods were not scored on the same clips of the same subjects.",
                "Compare results of one protocol and one annotation version.",
            )


def repeat_seeds(counts: SubjectCounts, times: int) -> SubjectCounts:
    """The counts with every seed repeated, which leaves the mean over seeds as it is."""
    return replace(counts, seeds=counts.seeds * times, counts=np.tile(counts.counts, (times, 1, 1, 1, 1)))


__all__ = ["Floats", "Metric", "SubjectCounts", "UnitCounts", "count_subjects", "repeat_seeds", "same_clips"]

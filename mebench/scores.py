"""The figures of one set of clips, from counts: numpy and the standard library only.

Two kinds of task have them: every clip holds one class (`from_confusion`), or any number of classes (`from_units`).
The formulas stand in `mebench.scoring`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Clips, F1 and recall of one class; NaN where undefined."""

    name: str
    clips: int
    f1: float
    recall: float


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one set of clips.

    `confusion` (k, k+1): rows truth, columns prediction in the order of `classes`, last column no prediction; counts,
    or their mean over seeds. `aggregate` says how the four figures came about: `pooled` from this confusion, or as the
    mean over `directions` or `seeds`, whose confusions are then summed or averaged.
    """

    classes: tuple[str, ...]
    confusion: NDArray[Any]
    per_class: tuple[ClassScore, ...]
    uf1: float
    uar: float
    accuracy: float
    weighted_f1: float
    aggregate: str = "pooled"

    @property
    def clips(self) -> int:
        """Clips that count, predicted or not."""
        return round(float(self.confusion.sum()))

    @property
    def covered(self) -> float:
        """Clips with a prediction; a whole number except for means over seeds."""
        return float(self.confusion[:, :-1].sum())

    @property
    def coverage(self) -> float:
        """Share of clips with a prediction; NaN without clips."""
        return self.covered / self.clips if self.clips else math.nan

    @property
    def classes_scored(self) -> int:
        """Classes in the mean that is UF1: fewer than declared where a slice neither holds nor meets one."""
        return sum(not math.isnan(c.f1) for c in self.per_class)

    def record(self) -> dict[str, Any]:
        """The scores as JSON values, null where undefined."""
        return {
            "uf1": number_or_none(self.uf1),
            "uar": number_or_none(self.uar),
            "accuracy": number_or_none(self.accuracy),
            "weighted_f1": number_or_none(self.weighted_f1),
            "clips": self.clips,
            "coverage": number_or_none(self.coverage),
            "classes": list(self.classes),
            "classes_scored": self.classes_scored,
            "per_class": {
                c.name: {"clips": c.clips, "f1": number_or_none(c.f1), "recall": number_or_none(c.recall)}
                for c in self.per_class
            },
            "confusion": self.confusion.tolist(),
            "aggregate": self.aggregate,
        }


@dataclass(frozen=True, eq=False)
class UnitScores(Scores):
    """The scores of clips that hold any number of classes, such as action units.

    `confusion` (k, 4): per class hits, misses, false alarms and clips rightly without it; counts, or their mean over
    seeds. `uf1` is the mean of the classes' F1, that of the positive side, and `accuracy` the share of clips whose
    whole set is right. A class that no clip holds has neither F1 nor recall, whatever was predicted, so that which
    classes are in the mean depends on the annotation alone.
    """

    number: float = 0.0
    answered: float = 0.0

    @property
    def clips(self) -> int:
        """Clips that count, predicted or not."""
        return round(self.number)

    @property
    def covered(self) -> float:
        """Clips with a prediction."""
        return self.answered

    @property
    def absent_as_zero(self) -> float:
        """The mean F1 with 0 for classes that no clip holds, as CD6ME's code has it (arXiv 2211.11425).

        It cannot reach 1 where a class is absent.
        """
        return float(np.mean([0.0 if math.isnan(c.f1) else c.f1 for c in self.per_class]))

    def record(self) -> dict[str, Any]:
        """The scores as JSON values; what each column of `confusion` counts stands in `confusion_columns`."""
        columns = ["hits", "misses", "false_alarms", "rightly_absent"]
        return super().record() | {"absent_as_zero": self.absent_as_zero, "confusion_columns": columns}


def from_confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> Scores:
    """The scores of a confusion matrix (k, k+1); a class that has no F1 or no recall is left out of the mean."""
    hits = matrix.diagonal()
    clips, predictions = matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)
    f1, recall = ratio(2 * hits, clips + predictions), ratio(hits, clips)
    total = int(clips.sum())
    return Scores(
        classes=tuple(classes),
        confusion=matrix,
        per_class=tuple(
            ClassScore(*values) for values in zip(classes, clips.tolist(), f1.tolist(), recall.tolist(), strict=True)
        ),
        uf1=mean_of_defined(f1),
        uar=mean_of_defined(recall),
        accuracy=float(hits.sum()) / total if total else math.nan,
        weighted_f1=float(clips @ np.nan_to_num(f1)) / total if total else math.nan,
    )


def from_units(
    truth: NDArray[np.bool_], predicted: NDArray[np.bool_], given: NDArray[np.bool_], classes: Sequence[str]
) -> UnitScores:
    """The scores of clips that hold any of the classes: `truth` and `predicted` (n, k); `given` (n): has a prediction.

    A clip without a prediction misses each class it holds and is not right as a whole.
    """
    said = predicted & given[:, None]
    hits, clips = (truth & said).sum(axis=0), truth.sum(axis=0)
    false_alarms = (said & ~truth).sum(axis=0)
    right_without = (~truth & ~said & given[:, None]).sum(axis=0)
    held = clips > 0
    f1 = np.where(held, ratio(2 * hits, clips + hits + false_alarms), np.nan)
    recall = ratio(hits, clips)
    positives = int(clips.sum())
    return UnitScores(
        classes=tuple(classes),
        confusion=np.stack([hits, clips - hits, false_alarms, right_without], axis=1),
        per_class=tuple(
            ClassScore(*values) for values in zip(classes, clips.tolist(), f1.tolist(), recall.tolist(), strict=True)
        ),
        uf1=mean_of_defined(f1),
        uar=mean_of_defined(recall),
        accuracy=float((given & (truth == predicted).all(axis=1)).mean()) if len(truth) else math.nan,
        weighted_f1=float(clips @ np.nan_to_num(f1)) / positives if positives else math.nan,
        aggregate="units",
        number=float(len(truth)),
        answered=float(given.sum()),
    )


def ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """above / below, NaN where below is 0."""
    ratio = np.full(len(above), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def mean_of_defined(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def number_or_none(value: float) -> float | None:
    """The value for JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)


__all__ = [
    "ClassScore",
    "Scores",
    "UnitScores",
    "from_confusion",
    "from_units",
    "mean_of_defined",
    "number_or_none",
    "ratio",
]

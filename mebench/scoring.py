"""Scores from predictions: the trusted kernel, numpy and the standard library only.

Every figure follows from one confusion matrix of all test predictions of a protocol, folds concatenated: TP, FP and FN
are summed before any ratio is taken (See et al., MEGC 2019, after Forman & Scholz 2010). With n_c clips of class c,
p_c predictions of it and N clips in all:

    F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c) = 2 TP_c / (n_c + p_c)      UF1 = mean of F1_c over the declared classes
    recall_c = TP_c / n_c                                              UAR = mean of recall_c over the declared classes
    accuracy = sum of TP_c / N                                         weighted F1 = sum of n_c / N * F1_c

A class that is never predicted has F1_c = 0 and stays in the mean. A class without clips has no recall, and without
predictions no F1 either: an error for a full protocol; in a slice it leaves the mean and the number of classes that
stayed is reported. A clip without a prediction is a false negative of its class: the last column of the confusion.

Where a clip holds any number of classes, action units for one, every class is a question of its own: TP_c are the
clips that hold c and of which c was predicted, and UF1 is the mean of the same F1_c. A class that no clip holds leaves
the mean whatever was predicted; accuracy is the share of clips whose whole set is right, and weighted F1 has n_c over
the sum of all n_c in place of n_c / N.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import PredictionError
from mebench.predictions import Joined, Predictions, join, labels_of
from mebench.scores import (
    ClassScore,
    Scores,
    UnitScores,
    from_confusion,
    from_units,
    mean_of_defined,
    number_or_none,
)

SCHEMA = "mebench.score/1"
ALL = "all"
Aggregate = Literal["pooled", "directions", "units"]
"""One pooled confusion, the mean over the directions of a hold-out protocol, or pooled per class of several a clip."""


@dataclass(frozen=True)
class ScoreCard:
    """The scores of one seed, or their mean over seeds, by slice: `all`, then each dataset.

    `strict` counts missing clips as false negatives, `covered` leaves them out. For a hold-out protocol `all` is the
    mean of its directions. `diagnostics` are figures the field also prints and that are never ranked: micro F1 and the
    means over folds.
    """

    protocol: str
    strict: Mapping[str, Scores]
    covered: Mapping[str, Scores]
    diagnostics: Mapping[str, float]

    def record(self) -> dict[str, Any]:
        """The card as JSON values."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "clips": self.strict[ALL].clips,
            "coverage": number_or_none(self.strict[ALL].coverage),
            "scores": {name: scores.record() for name, scores in self.strict.items()},
            "covered": {name: scores.record() for name, scores in self.covered.items()},
            "diagnostics": {name: number_or_none(value) for name, value in self.diagnostics.items()},
        }


def confusion(truth: Sequence[str], predicted: Sequence[str | None], classes: Sequence[str]) -> NDArray[np.int64]:
    """The counts (k, k+1): rows truth, columns prediction, last column None.

    Raises PredictionError where lengths differ or a value is no declared class.
    """
    if len(truth) != len(predicted):
        raise PredictionError(f"{len(truth)} truths and {len(predicted)} predictions.", "Give one prediction per clip.")
    column: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    unknown = [value for value in (*truth, *predicted) if value is not None and value not in column]
    if unknown or None in truth:
        raise PredictionError(
            f"{unknown[0] if unknown else None!r} is not one of the single labels {', '.join(classes)}.",
            "Use the protocol's class names, one per clip.",
        )
    k = len(classes)
    column[None] = k
    cells = [column[t] * (k + 1) + column[p] for t, p in zip(truth, predicted, strict=True)]
    return np.bincount(np.asarray(cells, dtype=np.int64), minlength=k * (k + 1)).reshape(k, k + 1)


def score(
    truth: Sequence[str], predicted: Sequence[str | None], classes: Sequence[str], *, full: bool = True
) -> Scores:
    """The scores of predictions against truth; None is a missing prediction.

    Where `full`, a declared class without a single clip raises PredictionError: UAR, and UF1 if nothing is predicted as
    it either, are then undefined. A slice (`full=False`) leaves it out and reports `classes_scored`.
    """
    matrix = confusion(truth, predicted, classes)
    absent = [name for name, clips in zip(classes, matrix.sum(axis=1), strict=True) if not clips]
    if full and absent:
        raise PredictionError(
            f"No clip has the declared class {absent[0]}: UF1 and UAR over {len(classes)} classes are undefined.",
            "Score the protocol's whole clip list, or a slice.",
        )
    return from_confusion(matrix, classes)


def score_units(truth: Sequence[str], predicted: Sequence[str | None], classes: Sequence[str]) -> UnitScores:
    """The scores of sets of classes, each written `A+B` or `none`; None is a missing prediction.

    Raises PredictionError where lengths differ or a set holds an undeclared class.
    """
    if len(truth) != len(predicted):
        raise PredictionError(f"{len(truth)} truths and {len(predicted)} predictions.", "Give one prediction per clip.")
    given = np.array([value is not None for value in predicted], dtype=bool)
    said = held_classes([p or "" for p in predicted], classes)
    return from_units(held_classes(truth, classes), said, given, classes)


def score_predictions(
    predictions: Predictions, expected: Mapping[str, str], *, aggregate: Aggregate = "pooled", full: bool = True
) -> dict[int, ScoreCard]:
    """A card per seed; `expected` maps every clip of the protocol to its class.

    `aggregate="directions"` is for hold-out protocols: each dataset is the test set of one direction, and `all` is the
    mean over them; `"units"` is for protocols whose clips hold any number of classes. Raises PredictionError for clips
    that are not expected, truths that contradict, and where there is nothing to score.
    """
    if not predictions.rows or not expected:
        raise PredictionError(
            f"{len(predictions)} predictions for {len(expected)} expected clips: nothing to score.",
            "Give predictions for the protocol's clips.",
        )
    return {
        seed: _card(joined, predictions, aggregate, full=full) for seed, joined in join(predictions, expected).items()
    }


def mean_of_seeds(cards: Sequence[ScoreCard]) -> ScoreCard:
    """One card whose figures are the mean over the seeds' figures; predictions are never combined."""
    first = cards[0]

    def mean(slices: Callable[[ScoreCard], Mapping[str, Scores]]) -> dict[str, Scores]:
        return {name: _mean([slices(c)[name] for c in cards], "seeds", np.mean) for name in slices(first)}

    diagnostics = {name: float(np.mean([c.diagnostics[name] for c in cards])) for name in first.diagnostics}
    return ScoreCard(first.protocol, mean(lambda c: c.strict), mean(lambda c: c.covered), diagnostics)


def report(cards: Mapping[int, ScoreCard]) -> dict[str, Any]:
    """JSON values over all seeds: the mean card and the seeds; of several seeds also the SDs and each one's card."""
    seeds = sorted(cards)
    values = mean_of_seeds([cards[s] for s in seeds]).record() if len(seeds) > 1 else cards[seeds[0]].record()
    values["seeds"] = seeds
    if len(seeds) > 1:
        for name, scores in values["scores"].items():
            scores["uf1_sd"] = number_or_none(sd([cards[s].strict[name].uf1 for s in seeds]))
            scores["uar_sd"] = number_or_none(sd([cards[s].strict[name].uar for s in seeds]))
        values["per_seed"] = {str(s): cards[s].record() for s in seeds}
    return values


def mean_over_folds(
    truth: Sequence[str], predicted: Sequence[str | None], folds: Sequence[str], classes: Sequence[str]
) -> tuple[float, float]:
    """F1 and UAR averaged over folds, declared labels, 0 where undefined: a diagnostic, never a score.

    A fold that lacks a class cannot reach 1: perfect predictions of casme2-5c come out at .554.
    """
    by_fold: dict[str, list[int]] = {}
    for i, fold in enumerate(folds):
        by_fold.setdefault(fold, []).append(i)
    parts = [score([truth[i] for i in at], [predicted[i] for i in at], classes, full=False) for at in by_fold.values()]
    f1 = np.nan_to_num([[c.f1 for c in part.per_class] for part in parts])
    recall = np.nan_to_num([[c.recall for c in part.per_class] for part in parts])
    return float(f1.mean()), float(recall.mean())


def micro_f1(scores: Scores) -> float:
    """F1 of the summed TP, FP and FN: of single labels accuracy where every clip is predicted. Never report it as F1.

    NaN where clips of several labels hold none of them and none was predicted.
    """
    matrix = scores.confusion
    if isinstance(scores, UnitScores):
        hits, misses, false_alarms, _ = matrix.sum(axis=0).tolist()
        return float(2 * hits / (2 * hits + misses + false_alarms)) if hits + misses + false_alarms else math.nan
    return 2 * float(matrix.diagonal().sum()) / float(matrix.sum() + matrix[:, :-1].sum())


def sd(values: Sequence[float]) -> float:
    """Sample standard deviation (n - 1); NaN for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def dataset_of(clip: str) -> str:
    """The dataset in a clip id `dataset/subject/name`."""
    return clip.partition("/")[0]


def _card(joined: Joined, predictions: Predictions, aggregate: Aggregate, *, full: bool) -> ScoreCard:
    classes = predictions.classes
    present = [i for i, value in enumerate(joined.predicted) if value is not None]
    strict = _slices(joined, range(len(joined.clips)), classes, aggregate, full=full)
    covered = _slices(joined, present, classes, aggregate, full=False)
    folds = [joined.folds[i] or "" for i in present]
    f1, uar = math.nan, math.nan
    if folds and all(folds) and aggregate != "units":  # most folds lack most units: the mean would measure that
        f1, uar = mean_over_folds(
            [joined.truth[i] for i in present], [joined.predicted[i] for i in present], folds, classes
        )
    diagnostics = {"micro_f1": micro_f1(strict[ALL]), "mean_over_folds_f1": f1, "mean_over_folds_uar": uar}
    whole = strict[ALL]
    if isinstance(whole, UnitScores):
        diagnostics["absent_as_zero_f1"] = whole.absent_as_zero
    return ScoreCard(predictions.protocol, strict, covered, diagnostics)


def _slices(
    joined: Joined, at: Sequence[int], classes: tuple[str, ...], aggregate: Aggregate, *, full: bool
) -> dict[str, Scores]:
    datasets = sorted({dataset_of(clip) for clip in joined.clips})
    members = {name: [i for i in at if dataset_of(joined.clips[i]) == name] for name in datasets}
    if ALL in members:
        raise PredictionError(f"A dataset is named {ALL!r}.", f"Rename it: {ALL!r} stands for all datasets together.")

    def scored(indices: Sequence[int], *, full: bool) -> Scores:
        truth, predicted = [joined.truth[i] for i in indices], [joined.predicted[i] for i in indices]
        if aggregate == "units":
            return score_units(truth, predicted, classes)
        return score(truth, predicted, classes, full=full)

    parts = {name: scored(indices, full=False) for name, indices in members.items()}
    pooled = scored(at, full=full)
    whole = _mean(list(parts.values()), "directions", np.sum) if aggregate == "directions" else pooled
    return {ALL: whole} | parts


def _mean(parts: Sequence[Scores], aggregate: str, combine: Callable[..., Any]) -> Scores:
    """Means of the figures, undefined where one is; the confusions combined; F1 and recall of a class where defined."""
    rows = [part.per_class for part in parts]
    units = [part for part in parts if isinstance(part, UnitScores)]
    sizes: dict[str, Any] = {}
    if units:
        sizes = {name: float(combine([getattr(u, name) for u in units])) for name in ("number", "answered")}
    return replace(
        parts[0],
        confusion=combine([part.confusion for part in parts], axis=0),
        per_class=tuple(
            ClassScore(
                column[0].name,
                round(float(combine([c.clips for c in column]))),
                mean_of_defined(np.array([c.f1 for c in column])),
                mean_of_defined(np.array([c.recall for c in column])),
            )
            for column in zip(*rows, strict=True)
        ),
        uf1=float(np.mean([part.uf1 for part in parts])),
        uar=float(np.mean([part.uar for part in parts])),
        accuracy=float(np.mean([part.accuracy for part in parts])),
        weighted_f1=float(np.mean([part.weighted_f1 for part in parts])),
        aggregate=aggregate,
        **sizes,
    )


def held_classes(values: Sequence[str], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Which classes (n, k) each written set holds; raises PredictionError for one that is not declared."""
    column = {name: i for i, name in enumerate(classes)}
    held = np.zeros((len(values), len(classes)), dtype=bool)
    for row, value in zip(held, values, strict=True):
        for label in labels_of(value):
            if label not in column:
                raise PredictionError(
                    f"{value!r} is no set of the labels {', '.join(classes)}.",
                    "Join the protocol's class names by +, and write none where a clip holds none.",
                )
            row[column[label]] = True
    return held


__all__ = [
    "ALL",
    "Aggregate",
    "ClassScore",
    "ScoreCard",
    "Scores",
    "UnitScores",
    "confusion",
    "dataset_of",
    "from_confusion",
    "held_classes",
    "mean_of_seeds",
    "mean_over_folds",
    "micro_f1",
    "report",
    "score",
    "score_predictions",
    "score_units",
    "sd",
]

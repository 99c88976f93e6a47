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
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import PredictionError
from mebench.predictions import Joined, Predictions, join

SCHEMA = "mebench.score/1"
ALL = "all"
Aggregate = Literal["pooled", "directions"]


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
            "uf1": _number(self.uf1),
            "uar": _number(self.uar),
            "accuracy": _number(self.accuracy),
            "weighted_f1": _number(self.weighted_f1),
            "clips": self.clips,
            "coverage": _number(self.coverage),
            "classes": list(self.classes),
            "classes_scored": self.classes_scored,
            "per_class": {
                c.name: {"clips": c.clips, "f1": _number(c.f1), "recall": _number(c.recall)} for c in self.per_class
            },
            "confusion": self.confusion.tolist(),
            "aggregate": self.aggregate,
        }


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
            "coverage": _number(self.strict[ALL].coverage),
            "scores": {name: scores.record() for name, scores in self.strict.items()},
            "covered": {name: scores.record() for name, scores in self.covered.items()},
            "diagnostics": {name: _number(value) for name, value in self.diagnostics.items()},
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


def from_confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> Scores:
    """The scores of a confusion matrix (k, k+1); a class that has no F1 or no recall is left out of the mean."""
    hits = matrix.diagonal()
    clips, predictions = matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)
    f1, recall = _ratio(2 * hits, clips + predictions), _ratio(hits, clips)
    total = int(clips.sum())
    return Scores(
        classes=tuple(classes),
        confusion=matrix,
        per_class=tuple(
            ClassScore(*values) for values in zip(classes, clips.tolist(), f1.tolist(), recall.tolist(), strict=True)
        ),
        uf1=_mean_of_defined(f1),
        uar=_mean_of_defined(recall),
        accuracy=float(hits.sum()) / total if total else math.nan,
        weighted_f1=float(clips @ np.nan_to_num(f1)) / total if total else math.nan,
    )


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


def score_predictions(
    predictions: Predictions, expected: Mapping[str, str], *, aggregate: Aggregate = "pooled", full: bool = True
) -> dict[int, ScoreCard]:
    """A card per seed; `expected` maps every clip of the protocol to its class.

    `aggregate="directions"` is for hold-out protocols: each dataset is the test set of one direction, and `all` is the
    mean over them. Raises PredictionError for clips that are not expected, truths that contradict, and where there
    is nothing to score.
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
            scores["uf1_sd"] = _number(sd([cards[s].strict[name].uf1 for s in seeds]))
            scores["uar_sd"] = _number(sd([cards[s].strict[name].uar for s in seeds]))
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
    """F1 of the summed TP, FP and FN: accuracy where every clip is predicted. Never report it as F1."""
    matrix = scores.confusion
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
    if folds and all(folds):
        f1, uar = mean_over_folds(
            [joined.truth[i] for i in present], [joined.predicted[i] for i in present], folds, classes
        )
    diagnostics = {"micro_f1": micro_f1(strict[ALL]), "mean_over_folds_f1": f1, "mean_over_folds_uar": uar}
    return ScoreCard(predictions.protocol, strict, covered, diagnostics)


def _slices(
    joined: Joined, at: Sequence[int], classes: tuple[str, ...], aggregate: Aggregate, *, full: bool
) -> dict[str, Scores]:
    datasets = sorted({dataset_of(clip) for clip in joined.clips})
    members = {name: [i for i in at if dataset_of(joined.clips[i]) == name] for name in datasets}
    if ALL in members:
        raise PredictionError(f"A dataset is named {ALL!r}.", f"Rename it: {ALL!r} stands for all datasets together.")

    def scored(indices: Sequence[int], *, full: bool) -> Scores:
        return score([joined.truth[i] for i in indices], [joined.predicted[i] for i in indices], classes, full=full)

    parts = {name: scored(indices, full=False) for name, indices in members.items()}
    pooled = scored(at, full=full)
    whole = pooled if aggregate == "pooled" else _mean(list(parts.values()), "directions", np.sum)
    return {ALL: whole} | parts


def _mean(parts: Sequence[Scores], aggregate: str, combine: Callable[..., NDArray[Any]]) -> Scores:
    """Means of the figures, undefined where one is; the confusions combined; F1 and recall of a class where defined."""
    rows = [part.per_class for part in parts]
    matrix = combine([part.confusion for part in parts], axis=0)
    return Scores(
        classes=parts[0].classes,
        confusion=matrix,
        per_class=tuple(
            ClassScore(
                column[0].name,
                round(float(clips)),
                _mean_of_defined(np.array([c.f1 for c in column])),
                _mean_of_defined(np.array([c.recall for c in column])),
            )
            for column, clips in zip(zip(*rows, strict=True), matrix.sum(axis=1), strict=True)
        ),
        uf1=float(np.mean([part.uf1 for part in parts])),
        uar=float(np.mean([part.uar for part in parts])),
        accuracy=float(np.mean([part.accuracy for part in parts])),
        weighted_f1=float(np.mean([part.weighted_f1 for part in parts])),
        aggregate=aggregate,
    )


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """above / below, NaN where below is 0."""
    ratio = np.full(len(above), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def _mean_of_defined(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def _number(value: float) -> float | None:
    """The value for JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)

"""Scores of a support vector machine's parameters on subjects it was not fitted on, inside a training fold."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC

from mebench import inner_folds, macro_f1

from .grams import Codes, Grams, Shape
from .kernels import DEGREE
from .relations import Matrix

Machine = Callable[[float], SVC]
"""From C to an unfitted SVM on precomputed kernels."""


class Choice(NamedTuple):
    """What is chosen together; among equals the least, C first."""

    C: float
    width: float = 1.0
    degree: int = DEGREE
    kept: int = 1

    @property
    def shape(self) -> Shape:
        """All but C."""
        return Shape(*self[1:])


def inner_scores(
    grams: Grams,
    codes: Codes,
    subjects: Codes,
    penalties: Sequence[float],
    shapes: Sequence[Shape],
    machine: Machine,
    folds: int,
    seeds: Sequence[int],
) -> dict[Choice, float]:
    """Macro-F1 of every choice, of predictions pooled over the folds of a seed, averaged over seeds."""
    classes = int(codes.max()) + 1
    scores = np.zeros((len(seeds), len(shapes), len(penalties)))
    for repeat, seed in enumerate(seeds):
        predicted = {shape: np.empty((len(penalties), len(codes)), np.intp) for shape in shapes}
        # What scikit-learn would check again a thousand times is a tenth of a fit; grams are finite already.
        with config_context(assume_finite=True, skip_parameter_validation=True):
            for train, test in inner_folds(codes, subjects, folds, seed):
                for shape, fitting, asking in grams.fold(train, test, shapes):
                    predicted[shape][:, test] = answers(machine, penalties, fitting, asking, codes[train])
        scores[repeat] = [[macro_f1(codes, given, classes) for given in predicted[shape]] for shape in shapes]
    means = scores.mean(axis=0).tolist()
    return {
        Choice(C, *shape): score
        for shape, row in zip(shapes, means, strict=True)
        for C, score in zip(penalties, row, strict=True)
    }


def best(scores: dict[Choice, float]) -> Choice:
    """The choice of the highest score, the least of those equal to it."""
    top = max(scores.values()) - 1e-9  # equal scores may differ in the last bit of their mean
    return min(choice for choice, score in scores.items() if score >= top)


def answers(machine: Machine, penalties: Sequence[float], fitting: Matrix, asking: Matrix, codes: Codes) -> Codes:
    """Predictions (penalties, n) of SVMs fitted on `codes` for the rows asking, C in ascending order.

    Where no dual variable reaches its bound, that optimum is the optimum for every larger C, and its predictions are
    repeated: on descriptors longer than training sets, where classes separate, most of a grid lies there. libsvm run
    again would stop elsewhere within the same tolerance, so a prediction may differ where a decision value is a tie
    within it (0.001 of a margin), and scores that ought to be equal would not be.
    """
    if np.all(codes == codes[0]):
        return np.full((len(penalties), len(asking)), codes[0])
    found = np.empty((len(penalties), len(asking)), np.intp)
    for i, C in enumerate(penalties):
        fitted = machine(C).fit(fitting, codes)
        found[i:] = fitted.predict(asking)
        if _unbounded(fitted):
            break
    return found


def _unbounded(fitted: SVC) -> bool:
    """Whether every dual variable lies below its bound, C times the weight of its class."""
    bounds = fitted.C * np.repeat(fitted.class_weight_, fitted.n_support_)
    return bool(np.all(np.abs(fitted.dual_coef_).max(axis=0) < bounds * (1 - 1e-9)))

"""Choosing inside a training fold: subject-disjoint, class-stratified inner folds, and the score to choose by.

Nothing held out is involved: rows, classes and subjects are those of the training clips.
"""

import warnings
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

Codes: TypeAlias = NDArray[np.intp] | NDArray[Any]


def inner_folds(codes: Codes, subjects: Codes, splits: int, seed: int) -> list[tuple[Codes, Codes]]:
    """Training and test rows of subject-disjoint, class-stratified folds; every row is tested once."""
    folds = StratifiedGroupKFold(splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clips than there are folds is ordinary here, and no fold needs to hold every class.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        # Few subjects may be spread best with a fold left empty; then there is one fold less.
        return [(train, test) for train, test in folds.split(codes, codes, subjects) if len(test)]


def macro_f1(truth: Codes, predicted: Codes, classes: int) -> float:
    """The mean over classes of 2 TP / (2 TP + FP + FN); 0 for a class neither there nor predicted."""
    confusion = np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)
    involved = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(2 * np.diag(confusion) / np.maximum(involved, 1)))


def no_search(codes: Codes, subjects: Codes, splits: int) -> str:
    """Why nothing can be chosen on other subjects: `one class`, `one subject` or `one clip per class`; else empty."""
    per_subject, per_class = np.bincount(subjects), np.bincount(codes)
    if len(per_class) == 1:
        return "one class"
    if min(splits, len(per_subject), int(per_class.max())) >= 2:
        return ""
    return "one subject" if len(per_subject) == 1 else "one clip per class"


__all__ = ["inner_folds", "macro_f1", "no_search"]

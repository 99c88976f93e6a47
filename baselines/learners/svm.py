"""A support vector classifier that chooses C on other subjects than it is fitted on, inside the training fold."""

import warnings
from collections.abc import Callable
from typing import Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mebench import ModelError, UnknownName, UsageError

from .kernels import KERNELS, Kernel, Matrix, hellinger

Scaling = Literal["none", "hellinger", "standard"]
SCALINGS = ("none", "hellinger", "standard")
Codes = npt.NDArray[np.intp]

DECADES = tuple(10.0**k for k in range(-2, 5))
"""1e-2 to 1e4: published values of C for these descriptors run from 1 to 10000."""
DEFAULT_C = 1.0


class GroupedSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn carries no types
    """A one-against-one SVM whose C maximises macro-F1 over subject-disjoint, class-stratified inner folds.

    `kernel` is one of `kernels.KERNELS`; `scaling` "hellinger" takes square roots of histograms, "standard" gives every
    feature mean 0 and variance 1. Scaling and kernel width are fitted on the rows an SVM is fitted on, inner folds
    included. Inner predictions are pooled over the folds of a repetition, scores averaged over `inner_repeats` shuffled
    by `random_state`; among equals the smallest C wins, and the SVM is refitted on all rows.

    After `fit`: `C_`; `c_search_`, "inner", or the reason why nothing was searched: "one C" (given, and taken), "one
    class", "one subject" or "one clip per class" (C = 1 is taken); `inner_scores_`, the mean macro-F1 per C searched.

    `groups` (n,) are the subjects of the rows. Raises ModelError where a search needs them and they are not given.
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012  scikit-learn reads it from the class

    def __init__(
        self,
        *,
        kernel: str = "linear",
        scaling: Scaling = "none",
        C_grid: tuple[float, ...] = DECADES,
        class_weight: Literal["balanced"] | None = "balanced",
        inner_folds: int = 5,
        inner_repeats: int = 3,
        random_state: int = 0,
    ) -> None:
        self.kernel = kernel
        self.scaling = scaling
        self.C_grid = C_grid
        self.class_weight = class_weight
        self.inner_folds = inner_folds
        self.inner_repeats = inner_repeats
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """This classifier, with C chosen and the SVM fitted on rows X (n, d) of classes y (n,)."""
        self._check_parameters()
        rows = _matrix(X)
        self.n_features_in_ = rows.shape[1]
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self._choose_penalty(rows, codes, groups)
        if len(self.classes_) > 1:
            self._scale = _fitted_scaling(rows, self.scaling)
            self._rows = self._scale(rows)
            related = self._kernel.relate(self._rows, self._rows)
            self._gamma = self._kernel.width(related)
            self._svm = self._machine(self.C_).fit(self._kernel.apply(related, self._gamma), codes)
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The class of each row, (n,); the only class there is where training held one."""
        rows = self._checked(X)
        if len(self.classes_) == 1:
            return np.repeat(self.classes_, len(rows))
        return np.asarray(self.classes_[self._svm.predict(self._related(rows))])

    def decision_function(self, X: Any) -> Matrix:
        """One-against-rest scores (n, classes); (n,) for two classes, positive for the second; zeros (n, 1) for one."""
        rows = self._checked(X)
        if len(self.classes_) == 1:
            return np.zeros((len(rows), 1))
        return np.asarray(self._svm.decision_function(self._related(rows)))

    @property
    def _kernel(self) -> Kernel:
        return KERNELS[self.kernel]

    def _machine(self, C: float) -> SVC:
        return SVC(kernel="precomputed", C=C, class_weight=self.class_weight)

    def _related(self, rows: Matrix) -> Matrix:
        return self._kernel.apply(self._kernel.relate(self._scale(rows), self._rows), self._gamma)

    def _choose_penalty(self, rows: Matrix, codes: Codes, groups: Any) -> None:
        """Sets `C_`, `c_search_` and `inner_scores_`."""
        self.inner_scores_: dict[float, float] = {}
        self.C_ = DEFAULT_C
        if len(self.C_grid) == 1:
            self.c_search_, self.C_ = "one C", float(self.C_grid[0])
        elif len(self.classes_) == 1:
            self.c_search_ = "one class"
        elif groups is None:
            raise ModelError(
                f"{type(self).__name__} chooses C on other subjects, but was not told its training subjects.",
                "Pass groups to fit, or give C_grid a single value.",
            )
        else:
            self._search(rows, codes, np.unique(np.asarray(groups), return_inverse=True)[1])

    def _search(self, rows: Matrix, codes: Codes, subjects: Codes) -> None:
        per_subject, per_class = np.bincount(subjects), np.bincount(codes)
        splits = min(self.inner_folds, len(per_subject), int(per_class.max()))
        if splits < 2:
            self.c_search_ = "one subject" if len(per_subject) == 1 else "one clip per class"
            return
        self.c_search_, self.inner_scores_ = "inner", self._inner_scores(rows, codes, subjects, splits)
        # Equal scores may differ in the last bit of their mean.
        top = max(self.inner_scores_.values()) - 1e-9
        self.C_ = min(C for C, score in self.inner_scores_.items() if score >= top)

    def _inner_scores(self, rows: Matrix, codes: Codes, subjects: Codes, splits: int) -> dict[float, float]:
        grid = sorted({float(C) for C in self.C_grid})
        grams = _Grams(rows, self.kernel, self.scaling)
        scores = np.zeros((self.inner_repeats, len(grid)))
        seeds = np.random.SeedSequence(self.random_state).generate_state(self.inner_repeats)
        for repeat, seed in enumerate(seeds):
            predicted = np.empty((len(grid), len(codes)), np.intp)
            for train, test in _inner_folds(codes, subjects, splits, int(seed)):
                fitting, asking = grams.between(train, test)
                predicted[:, test] = [self._answers(C, fitting, asking, codes[train]) for C in grid]
            scores[repeat] = [_macro_f1(codes, answers, len(self.classes_)) for answers in predicted]
        return dict(zip(grid, scores.mean(axis=0).tolist(), strict=True))

    def _answers(self, C: float, fitting: Matrix, asking: Matrix, codes: Codes) -> Codes:
        if len(np.unique(codes)) == 1:
            return np.repeat(codes[:1], len(asking))
        return np.asarray(self._machine(C).fit(fitting, codes).predict(asking))

    def _check_parameters(self) -> None:
        if self.kernel not in KERNELS:
            raise UnknownName("kernel", str(self.kernel), KERNELS)
        if self.scaling not in SCALINGS:
            raise UnknownName("scaling", str(self.scaling), SCALINGS)
        if not self.C_grid or min(self.C_grid) <= 0:
            raise UsageError(
                f"C_grid={self.C_grid!r} holds no value, or one that is not positive.", "Use e.g. (1, 10)."
            )
        if self.inner_folds < 2 or self.inner_repeats < 1:
            raise UsageError(
                f"inner_folds={self.inner_folds} and inner_repeats={self.inner_repeats} leave nothing to choose C on.",
                "Use at least 2 folds and 1 repetition.",
            )

    def _checked(self, X: Any) -> Matrix:
        rows = _matrix(X)
        if rows.shape[1] != self.n_features_in_:
            raise ModelError(
                f"{type(self).__name__} was fitted on {self.n_features_in_} features and is given {rows.shape[1]}.",
                "Use the same recipe for training and test clips.",
            )
        return rows


class _Grams:
    """Kernel matrices between subsets of rows; what does not depend on the subset is computed once."""

    def __init__(self, rows: Matrix, kernel: str, scaling: Scaling) -> None:
        self._rows, self._scaling, self._kernel = rows, scaling, KERNELS[kernel]
        self._related: Matrix | None = None
        if scaling != "standard":
            scaled = _fitted_scaling(rows, scaling)(rows)
            self._related = self._kernel.relate(scaled, scaled)

    def between(self, train: Codes, test: Codes) -> tuple[Matrix, Matrix]:
        """(train, train) and (test, train), scaling and width fitted on the training rows alone."""
        if self._related is not None:
            fitting, asking = self._related[np.ix_(train, train)], self._related[np.ix_(test, train)]
        else:
            scale = _fitted_scaling(self._rows[train], self._scaling)
            scaled = scale(self._rows[train])
            fitting = self._kernel.relate(scaled, scaled)
            asking = self._kernel.relate(scale(self._rows[test]), scaled)
        gamma = self._kernel.width(fitting)
        return self._kernel.apply(fitting, gamma), self._kernel.apply(asking, gamma)


def _inner_folds(codes: Codes, subjects: Codes, splits: int, seed: int) -> list[tuple[Codes, Codes]]:
    folds = StratifiedGroupKFold(splits, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clips than there are folds is ordinary here, and no fold needs to hold every class.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(folds.split(codes, codes, subjects))


def _fitted_scaling(rows: Matrix, scaling: Scaling) -> Callable[[Matrix], Matrix]:
    if scaling == "standard":
        return cast(Callable[[Matrix], Matrix], StandardScaler().fit(rows).transform)
    return hellinger if scaling == "hellinger" else np.asarray


def _macro_f1(truth: Codes, predicted: Codes, classes: int) -> float:
    return float(f1_score(truth, predicted, labels=range(classes), average="macro", zero_division=0))


def _matrix(X: Any) -> Matrix:
    try:
        rows = np.asarray(X, np.float64)
    except ValueError as fault:
        raise ModelError(
            f"The inputs are not vectors of one length: {fault}.", "End the recipe in a descriptor."
        ) from fault
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ModelError(
            f"An SVM takes vectors (n, d), not an array of shape {rows.shape}.",
            "End the recipe in a descriptor such as lbp-top or mdmo.",
        )
    if not np.all(np.isfinite(rows)):
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ModelError(f"Row {bad} of the inputs holds nan or inf.", "Compute the inputs again.")
    return rows

"""A support vector classifier on those groups of features in which clips of a class lie close, found inside the fold.

The Laplacian score is that of He, Cai and Niyogi, Laplacian Score for Feature Selection, NIPS 2005, section 2, taken
over the features of a group together.
"""

from functools import cached_property
from typing import Any, Literal, Self

import numpy as np

from mebench import ModelError, UsageError

from .grams import Codes, Grams
from .kernels import DEGREE, Scaling
from .relations import Matrix, recalled
from .svm import DECADES, GroupedSVC, check_grid

DEVIATION = (
    "Groups of features are selected by a Laplacian score of ours (similarities exp(-chi2/sigma) within a class, sigma "
    "the mean chi-square distance), in place of the paper's own criterion, which we do not know."
)
"""For the `deviations` of a model that selects groups for want of its paper's formula."""


class Closeness:
    """Laplacian scores of groups of `size` features, from any training subset of rows (n, d) of classes `codes` (n,).

    Per group, over the training rows: S_ij = exp(-chi2_ij / sigma) where i and j are of one class, i = j included, else
    0; sigma the mean chi2_ij; D the row sums of S, L = D - S; F the rows (n, size), their D-weighted mean taken away.
    The score is tr(F'LF) / tr(F'DF), small where a class varies little beside all, infinite where the group is
    constant. Distances between rows are computed once, whatever the subset.
    """

    def __init__(self, rows: Matrix, codes: Codes, size: int) -> None:
        self._rows, self._codes, self._size = rows, codes, size

    @cached_property
    def _chi_square(self) -> Matrix:
        return recalled("chi2", self._rows, self._rows, self._size)

    @cached_property
    def _squared(self) -> Matrix:
        return recalled("squared distance", self._rows, self._rows, self._size)

    def scores(self, train: Codes) -> Matrix:
        """The score per group, (groups,) float64, from the training rows alone.

        From distances alone: with M = sum D,

            tr(F'LF) = sum_{i<j} S_ij |f_i - f_j|^2,   tr(F'DF) = sum_ij D_i D_j |f_i - f_j|^2 / (2 M).
        """
        chosen = np.zeros(len(self._codes))
        chosen[train] = 1
        i, j, chi_square, squared = self._pairs
        sigma = (self._chi_square @ chosen) @ chosen / chosen.sum() ** 2
        sigma[sigma == 0] = 1  # a constant group: every distance is 0
        similar = np.exp(-chi_square / sigma[:, None]) * (chosen[i] * chosen[j])
        degrees = chosen + np.array([np.bincount(i, s, len(chosen)) + np.bincount(j, s, len(chosen)) for s in similar])
        spread = np.einsum("gi,gi->g", (self._squared @ degrees[:, :, None])[:, :, 0], degrees)
        within = 2 * degrees.sum(axis=1) * np.einsum("gp,gp->g", similar, squared)
        return np.asarray(np.divide(within, spread, out=np.full(len(spread), np.inf), where=spread > 0))

    def ranking(self, train: Codes) -> list[int]:
        """The groups, lowest score first, the first of equals before the others."""
        return np.argsort(self.scores(train), kind="stable").tolist()  # type: ignore[no-any-return]

    @cached_property
    def _pairs(self) -> tuple[Codes, Codes, Matrix, Matrix]:
        """The pairs i < j of rows of one class, and their two distances (groups, pairs)."""
        i, j = np.nonzero(np.triu(self._codes[:, None] == self._codes, 1))
        return i, j, self._chi_square[:, i, j], self._squared[:, i, j]


class GroupSelectedSVC(GroupedSVC):
    """A `GroupedSVC` on the k groups of features with the lowest Laplacian scores, k searched together with C.

    A group is `group_size` consecutive features, a block's histogram for instance; `kept_grid` holds the k to choose
    from, the fewest of equals after C, width and degree. Scores (`Closeness`) and the ranking are computed from
    the rows an SVM is fitted on, inner folds included, on features before `scaling`, which must not be negative.

    After `fit`, beside what `GroupedSVC` gives: `kept_`, the k; `kept_groups_` (k,), lowest score first;
    `group_scores_` (groups,). Where nothing can be searched and `kept_grid` holds several values, all groups are kept.

    A stand-in where a paper selects groups by a Laplacian criterion whose formula is not known to us: `DEVIATION`.
    Raises ModelError where features do not make up whole groups, UsageError for a k larger than their number.
    """

    def __init__(
        self,
        *,
        group_size: int = 59,
        kept_grid: tuple[int, ...] = (5, 10, 15, 20, 25),
        kernel: str = "linear",
        scaling: Scaling = "none",
        C_grid: tuple[float, ...] = DECADES,
        width_grid: tuple[float, ...] = (1.0,),
        degree_grid: tuple[int, ...] = (DEGREE,),
        class_weight: Literal["balanced"] | None = "balanced",
        inner_folds: int = 5,
        inner_repeats: int = 3,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            kernel=kernel,
            scaling=scaling,
            C_grid=C_grid,
            width_grid=width_grid,
            degree_grid=degree_grid,
            class_weight=class_weight,
            inner_folds=inner_folds,
            inner_repeats=inner_repeats,
            random_state=random_state,
        )
        self.group_size = group_size
        self.kept_grid = kept_grid

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """This classifier, with k, C and the groups chosen and the SVM fitted on rows X (n, d) of classes y (n,)."""
        super().fit(X, y, groups)
        self.kept_ = self._choice.kept
        self.kept_groups_ = np.argsort(self.group_scores_, kind="stable")[: self.kept_]
        return self

    def _grams(self, rows: Matrix, codes: Codes) -> Grams:
        count, rest = divmod(rows.shape[1], self.group_size)
        if rest:
            raise ModelError(
                f"{rows.shape[1]} features do not make up groups of {self.group_size}.",
                "Set group_size to the features of one group of the descriptor.",
            )
        if max(self.kept_grid) > count:
            raise UsageError(
                f"kept_grid={self.kept_grid!r} asks for more than the {count} groups of {self.group_size} features.",
                f"Use values up to {count}.",
            )
        closeness = Closeness(rows, codes, self.group_size)
        self.group_scores_ = closeness.scores(np.arange(len(rows)))
        return Grams(rows, self.kernel, self.scaling, self.group_size, closeness.ranking)

    def _grids(self) -> tuple[tuple[float, ...], ...]:
        return *super()._grids()[:-1], self.kept_grid

    def _all_parts(self) -> int:
        return int(self.n_features_in_) // self.group_size

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_grid("kept_grid", self.kept_grid, whole=True)
        if self.group_size < 1:
            raise UsageError(f"group_size={self.group_size} holds no feature.", "Use at least 1.")

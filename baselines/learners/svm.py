"""A support vector classifier that chooses its parameters on other subjects than it is fitted on, inside the fold."""

from itertools import combinations, product
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from mebench import ModelError, UnknownName, UsageError

from .grams import Codes, Grams, Shape
from .kernels import DEGREE, KERNELS, SCALINGS
from .kernels import Scaling as Scaling
from .relations import Matrix
from .search import Choice, best, inner_scores

DECADES = tuple(10.0**k for k in range(-2, 5))
"""1e-2 to 1e4: published values of C for these descriptors run from 1 to 10000."""
DEFAULT_C = 1.0


class GroupedSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn carries no types
    """A one-against-one SVM whose parameters maximise macro-F1 over subject-disjoint, class-stratified inner folds.

    `kernel` is one of `kernels.KERNELS`; `scaling` "hellinger" takes square roots of histograms, "standard" gives every
    feature mean 0 and variance 1. Searched together: `C_grid`; `width_grid`, multiples of the gamma that
    `kernels.KERNELS` derives from the training rows (poly, rbf, chi2); `degree_grid` (poly). Scaling and gamma are
    fitted on the rows an SVM is fitted on, inner folds included. Inner predictions are pooled over the folds of a
    repetition, scores averaged over `inner_repeats` shuffled by `random_state`; among equals the smallest C wins, then
    the smallest width, then the smallest degree, and the SVM is refitted on all rows.

    After `fit`: `C_`, `width_`, `degree_`; `c_search_`, "inner", or the reason why nothing was searched: "one C" (one
    value of everything was given, and taken), "one class", "one subject" or "one clip per class" (what was given one
    value takes it; else C = 1, width 1, degree 3); `search_scores_`, the mean macro-F1 per `search.Choice`, and
    `inner_scores_`, per C at the width and degree chosen.

    Kernels of pairs of rows are remembered by the process (see `relations`): scaling "none" and "hellinger" compute a
    pair once for all folds, "standard", which is fitted on training rows, in every inner fold.

    `groups` (n,) are the subjects of the rows. Raises ModelError where a search needs them and they are not given.
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012  scikit-learn reads it from the class

    def __init__(
        self,
        *,
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
        self.kernel = kernel
        self.scaling = scaling
        self.C_grid = C_grid
        self.width_grid = width_grid
        self.degree_grid = degree_grid
        self.class_weight = class_weight
        self.inner_folds = inner_folds
        self.inner_repeats = inner_repeats
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """This classifier, with its parameters chosen and the SVM fitted on rows X (n, d) of classes y (n,)."""
        self._check_parameters()
        rows, labels = vectors(X), np.asarray(y)
        if not len(rows) or len(labels) != len(rows):
            raise ModelError(f"{len(rows)} rows were given with {len(labels)} classes.", "Give one class per row.")
        self.n_features_in_ = rows.shape[1]
        self.classes_, codes = np.unique(labels, return_inverse=True)
        grams = self._grams(rows, codes)
        self._choice = self._chosen(grams, codes, groups)
        self.C_, self.width_, self.degree_ = self._choice[:3]
        if len(self.classes_) > 1:
            self._space, gram = grams.fitted(self._choice.shape)
            self._svm = self._machine(self.C_).fit(gram, codes)
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The class of each row, (n,); the only class there is where training held one."""
        rows = self._checked(X)
        if len(self.classes_) == 1:
            return np.repeat(self.classes_, len(rows))
        return np.asarray(self.classes_[self._svm.predict(self._space.against(rows))])

    def decision_function(self, X: Any) -> Matrix:
        """One-against-rest scores (n, classes); (n,) for two classes, positive for the second; zeros (n, 1) for one."""
        rows = self._checked(X)
        if len(self.classes_) == 1:
            return np.zeros((len(rows), 1))
        return np.asarray(self._svm.decision_function(self._space.against(rows)))

    def importance(self) -> Matrix:
        """How much each feature moves the decisions, (d,) float64, not negative.

        The mean over pairs of classes of |w|, w the weights of the pair's machine on scaled features, times the
        feature's standard deviation over the training rows, scaled likewise: 0 for a feature that is constant or left
        out. Raises ModelError for kernels other than linear, which have no weight per feature, and for one class.
        """
        weights, rows = self._weights(), self._space.rows
        spread = np.where(np.ptp(rows, axis=0) > 0, rows.std(axis=0), 0)  # equal values may have a std of 1e-16
        return np.asarray(np.abs(weights).mean(axis=0) * spread)

    def contributions(self, X: Any) -> Matrix:
        """How much each feature of each row speaks for the class predicted, (n, d) float64, negative against it.

        The weights of the machine between that class and the runner-up by `decision_function`, times how far the scaled
        feature lies from its training mean. Raises ModelError as `importance` does.
        """
        weights, rows = self._weights(), self._checked(X)
        scores = self.decision_function(rows)
        if scores.ndim == 1:  # scikit-learn turns the sign of a machine of two classes
            weights, scores = -weights, np.column_stack([-scores, scores])
        won = np.searchsorted(self.classes_, self.predict(rows))
        second = np.where(np.arange(len(self.classes_)) == won[:, None], -np.inf, scores).argmax(axis=1)
        pair = {pair: i for i, pair in enumerate(combinations(range(len(self.classes_)), 2))}
        between = [weights[pair[a, b]] if a < b else -weights[pair[b, a]] for a, b in zip(won, second, strict=True)]
        return np.asarray(between * (self._space.scale(rows) - self._space.rows.mean(axis=0)))

    def _weights(self) -> Matrix:
        """The weights of the machine of every pair of classes, (pairs, d), 0 for features left out."""
        check_is_fitted(self)
        if self.kernel != "linear":
            raise ModelError(
                f"An SVM with kernel={self.kernel} gives its features no weights.", "Use kernel=linear to explain it."
            )
        if len(self.classes_) == 1:
            raise ModelError("An SVM trained on one class weighs no feature.", "Train it on more clips.")
        kept = np.zeros(self.n_features_in_, bool)
        kept.reshape(-1, self._space.size or len(kept))[list(self._space.kept)] = True
        return _pair_weights(self._svm, self._space.rows) * kept

    def _grams(self, rows: Matrix, _codes: Codes) -> Grams:
        """The kernels of the training rows, whose classes a subclass may rank parts of features by."""
        return Grams(rows, self.kernel, self.scaling)

    def _machine(self, C: float) -> SVC:
        return SVC(kernel="precomputed", C=C, class_weight=self.class_weight)

    def _grids(self) -> tuple[tuple[float, ...], ...]:
        """The values of every field of `Choice`, in its order."""
        return self.C_grid, self.width_grid, self.degree_grid, (1,)

    def _chosen(self, grams: Grams, codes: Codes, groups: Any) -> Choice:
        """The choice; sets `c_search_`, `search_scores_` and `inner_scores_`."""
        self.search_scores_: dict[Choice, float] = {}
        self.inner_scores_: dict[float, float] = {}
        grids = self._grids()
        if all(len(grid) == 1 for grid in grids):
            self.c_search_ = "one C"
        elif len(self.classes_) == 1:
            self.c_search_ = "one class"
        else:
            self._search(grams, codes, self._subjects(groups, len(codes)))
        if self.c_search_ != "inner":
            return self._unsearched()
        choice = best(self.search_scores_)
        self.inner_scores_ = {c.C: score for c, score in self.search_scores_.items() if c[1:] == choice[1:]}
        return choice

    def _unsearched(self) -> Choice:
        """What was given one value takes it, the rest its default: of parts of features, all."""
        C, width, degree, kept = self._grids()
        return Choice(
            float(C[0]) if len(C) == 1 else DEFAULT_C,
            float(width[0]) if len(width) == 1 else 1.0,
            int(degree[0]) if len(degree) == 1 else DEGREE,
            int(kept[0]) if len(kept) == 1 else self._all_parts(),
        )

    def _all_parts(self) -> int:
        return 1

    def _search(self, grams: Grams, codes: Codes, subjects: Codes) -> None:
        """Sets `c_search_` and, where a search is possible, `search_scores_`."""
        per_subject, per_class = np.bincount(subjects), np.bincount(codes)
        splits = min(self.inner_folds, len(per_subject), int(per_class.max()))
        if splits < 2:
            self.c_search_ = "one subject" if len(per_subject) == 1 else "one clip per class"
            return
        penalties, *others = (sorted(set(grid)) for grid in self._grids())
        shapes = [Shape(float(width), int(degree), int(kept)) for width, degree, kept in product(*others)]
        seeds = np.random.SeedSequence(self.random_state).generate_state(self.inner_repeats).tolist()
        self.c_search_ = "inner"
        self.search_scores_ = inner_scores(
            grams, codes, subjects, [float(C) for C in penalties], shapes, self._machine, splits, seeds
        )

    def _subjects(self, groups: Any, rows: int) -> Codes:
        if groups is None:
            raise ModelError(
                f"{type(self).__name__} chooses C on other subjects, but was not told its training subjects.",
                "Pass groups to fit, or give C_grid a single value.",
            )
        codes = np.unique(np.asarray(groups), return_inverse=True)[1]
        if codes.shape != (rows,):
            raise ModelError(f"{codes.size} subjects were given for {rows} rows.", "Give one subject per row.")
        return codes

    def _check_parameters(self) -> None:
        if self.kernel not in KERNELS:
            raise UnknownName("kernel", str(self.kernel), KERNELS)
        if self.scaling not in SCALINGS:
            raise UnknownName("scaling", str(self.scaling), SCALINGS)
        check_grid("C_grid", self.C_grid)
        check_grid("width_grid", self.width_grid)
        check_grid("degree_grid", self.degree_grid, whole=True)
        if KERNELS[self.kernel].width is None and tuple(self.width_grid) != (1.0,):
            raise UsageError(f"kernel={self.kernel} has no width to search.", "Leave width_grid at its default.")
        if not KERNELS[self.kernel].graded and tuple(self.degree_grid) != (DEGREE,):
            raise UsageError(f"kernel={self.kernel} has no degree to search.", "Use degree_grid with kernel=poly.")
        if self.inner_folds < 2 or self.inner_repeats < 1:
            raise UsageError(
                f"inner_folds={self.inner_folds} and inner_repeats={self.inner_repeats} leave nothing to choose C on.",
                "Use at least 2 folds and 1 repetition.",
            )

    def _checked(self, X: Any) -> Matrix:
        rows = vectors(X)
        if rows.shape[1] != self.n_features_in_:
            raise ModelError(
                f"{type(self).__name__} was fitted on {self.n_features_in_} features and is given {rows.shape[1]}.",
                "Use the same recipe for training and test clips.",
            )
        return rows


def _pair_weights(svm: SVC, rows: Matrix) -> Matrix:
    """Weights (pairs, d) of the machines of a fitted SVM with a linear kernel of these rows (n, d).

    libsvm keeps, per support vector of class i, its coefficients against the other classes in their order.
    """
    ends = np.cumsum(svm.n_support_)
    support = np.split(rows[svm.support_], ends[:-1])
    coefficients = np.split(svm.dual_coef_, ends[:-1], axis=1)
    count = len(support)
    pairs = combinations(range(count), 2)
    return np.array([coefficients[i][j - 1] @ support[i] + coefficients[j][i] @ support[j] for i, j in pairs])


def check_grid(name: str, grid: tuple[float, ...], *, whole: bool = False) -> None:
    """Raises UsageError unless the grid holds values, all positive and finite, and whole numbers where asked for."""
    if not len(grid) or not all(0 < value < np.inf for value in grid):
        raise UsageError(
            f"{name}={grid!r} holds no value, or one that is not positive and finite.", "Use e.g. (1, 10)."
        )
    if whole and any(value != int(value) for value in grid):
        raise UsageError(f"{name}={grid!r} holds a fraction.", "Use whole numbers, e.g. (2, 3).")


def vectors(X: Any) -> Matrix:
    """The rows as finite float64 (n, d), d > 0; ModelError where they are not that."""
    try:
        rows = np.asarray(X, np.float64)
    except ValueError as fault:
        raise ModelError(
            f"The inputs are not vectors of one length: {fault}.", "End the recipe in a descriptor."
        ) from fault
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ModelError(
            f"A classifier of vectors takes (n, d), not an array of shape {rows.shape}.",
            "End the recipe in a descriptor such as lbp-top or mdmo.",
        )
    if not np.all(np.isfinite(rows)):
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ModelError(f"Row {bad} of the inputs holds nan or inf.", "Compute the inputs again.")
    return rows

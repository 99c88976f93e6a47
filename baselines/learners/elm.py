"""Extreme learning machines: one hidden layer drawn at random, an output layer by least squares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from mebench import ModelError, UsageError, inner_folds, macro_f1

from .grams import Codes
from .relations import Matrix
from .svm import check_grid, vectors

HIDDEN = (25, 50, 100, 200, 400)
"""Numbers of hidden units to choose from (our choice): a corpus leaves 100 to 250 training clips, and beyond as many
units as clips the training targets are met exactly."""


class ELM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn carries no types
    """A single-hidden-layer network whose hidden weights stay random and whose size is chosen on other subjects.

    Huang, Zhu and Siew, Extreme learning machine: theory and applications, Neurocomputing 70, 2006: hidden weights
    uniform in (-1, 1), biases in (0, 1), sigmoid units, and output weights beta = pinv(H) T for targets T of 1 for the
    class and -1 for the others. With `ridge` > 0, beta = (H'H + ridge I)^-1 H'T (Huang et al., IEEE TSMC-B 42(2), 2012,
    where ridge is 1/C). Features are brought to -1..1 by the range of the training rows.

    `hidden_grid` are the numbers of hidden units searched: macro-F1 over subject-disjoint, class-stratified inner folds
    as in `GroupedSVC`, ties to the smallest; a smaller machine has the first units of a larger one. `class_weight`
    "balanced" weighs every class alike (Zong, Huang and Chen, Weighted extreme learning machine, Neurocomputing 101,
    2013); None is the original.

    After `fit`: `hidden_`; `hidden_search_`, "inner" or why nothing was searched: "one size", "one class", "one
    subject", "one clip per class" (the smallest size is taken); `inner_scores_`, the mean macro-F1 per size searched.
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012  scikit-learn reads it from the class

    def __init__(
        self,
        *,
        hidden_grid: tuple[int, ...] = HIDDEN,
        ridge: float = 0.0,
        class_weight: Literal["balanced"] | None = "balanced",
        inner_folds: int = 5,
        inner_repeats: int = 3,
        random_state: int = 0,
    ) -> None:
        self.hidden_grid = hidden_grid
        self.ridge = ridge
        self.class_weight = class_weight
        self.inner_folds = inner_folds
        self.inner_repeats = inner_repeats
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """This classifier, its size chosen and its output weights fitted on rows X (n, d) of classes y (n,).

        `groups` (n,) are the subjects; ModelError where a search needs them and they are not given.
        """
        self._check_parameters()
        rows, labels = self._rows(X), np.asarray(y)
        if not rows.shape[0] or labels.shape != rows.shape[:1]:
            raise ModelError(f"{rows.shape[0]} rows were given with {len(labels)} classes.", "Give one class per row.")
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self._shape = rows.shape[1:]
        self._choose_size(rows, codes, groups)
        if len(self.classes_) > 1:
            self._features = self._fitted_features(rows, codes, np.arange(len(codes)))
            features = self._features(rows)
            self._layer = _drawn_layer(features, self.hidden_, self.random_state)
            self._output = self._output_weights(self._layer(features), codes)
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The class of each row, (n,); the only class there is where training held one."""
        scores = self._outputs(X)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    def decision_function(self, X: Any) -> Matrix:
        """The network's outputs (n, classes); for two classes (n,), positive for the second; zeros (n, 1) for one."""
        scores = self._outputs(X)
        return (scores[:, 1] - scores[:, 0]) / 2 if len(self.classes_) == 2 else scores

    def _rows(self, X: Any) -> Any:
        """The inputs, checked: an object with a shape that `_fitted_features` understands."""
        return vectors(X)

    def _fitted_features(self, rows: Any, codes: Codes, train: Codes) -> Callable[[Any], Matrix]:  # noqa: ARG002
        """What turns inputs into features (n, d), fitted on the training rows alone; here the inputs are features."""
        return np.asarray

    def _outputs(self, X: Any) -> Matrix:
        rows = self._rows(X)
        if rows.shape[1:] != self._shape:
            raise ModelError(
                f"{type(self).__name__} was fitted on inputs of shape {self._shape} and is given {rows.shape[1:]}.",
                "Use the same recipe for training and test clips.",
            )
        if len(self.classes_) == 1:
            return np.zeros((rows.shape[0], 1))
        return np.asarray(self._layer(self._features(rows)) @ self._output)

    def _choose_size(self, rows: Any, codes: Codes, groups: Any) -> None:
        """Sets `hidden_`, `hidden_search_` and `inner_scores_`."""
        self.inner_scores_: dict[int, float] = {}
        self.hidden_ = int(min(self.hidden_grid))
        if len(set(self.hidden_grid)) == 1:
            self.hidden_search_ = "one size"
        elif len(self.classes_) == 1:
            self.hidden_search_ = "one class"
        elif groups is None:
            raise ModelError(
                f"{type(self).__name__} chooses its size on other subjects, but was not told its training subjects.",
                "Pass groups to fit, or give hidden_grid a single value.",
            )
        else:
            subjects = np.unique(np.asarray(groups), return_inverse=True)[1]
            if subjects.shape != codes.shape:
                raise ModelError(
                    f"{subjects.size} subjects were given for {len(codes)} rows.", "Give one subject per row."
                )
            self._search(rows, codes, subjects)

    def _search(self, rows: Any, codes: Codes, subjects: Codes) -> None:
        per_subject, per_class = np.bincount(subjects), np.bincount(codes)
        splits = min(self.inner_folds, len(per_subject), int(per_class.max()))
        if splits < 2:
            self.hidden_search_ = "one subject" if len(per_subject) == 1 else "one clip per class"
            return
        self.hidden_search_, self.inner_scores_ = "inner", self._inner_scores(rows, codes, subjects, splits)
        # Equal scores may differ in the last bit of their mean.
        top = max(self.inner_scores_.values()) - 1e-9
        self.hidden_ = min(size for size, score in self.inner_scores_.items() if score >= top)

    def _inner_scores(self, rows: Any, codes: Codes, subjects: Codes, splits: int) -> dict[int, float]:
        sizes = sorted({int(size) for size in self.hidden_grid})
        scores = np.zeros((self.inner_repeats, len(sizes)))
        seeds = np.random.SeedSequence(self.random_state).generate_state(self.inner_repeats)
        for repeat, seed in enumerate(seeds):
            predicted = np.empty((len(sizes), len(codes)), np.intp)
            for train, test in inner_folds(codes, subjects, splits, int(seed)):
                predicted[:, test] = self._inner_answers(rows, codes, train, test, sizes)
            scores[repeat] = [macro_f1(codes, answers, len(self.classes_)) for answers in predicted]
        return dict(zip(sizes, scores.mean(axis=0).tolist(), strict=True))

    def _inner_answers(self, rows: Any, codes: Codes, train: Codes, test: Codes, sizes: list[int]) -> Codes:
        """The classes (sizes, test rows) that machines of each size fitted on the training rows predict."""
        if len(np.unique(codes[train])) == 1:
            return np.full((len(sizes), len(test)), codes[train[0]])
        features = self._fitted_features(rows, codes, train)(rows)
        layer = _drawn_layer(features[train], max(sizes), self.random_state)
        fitting, asking = layer(features[train]), layer(features[test])
        outputs = (asking[:, :n] @ self._output_weights(fitting[:, :n], codes[train]) for n in sizes)
        return np.array([output.argmax(axis=1) for output in outputs])

    def _output_weights(self, hidden: Matrix, codes: Codes) -> Matrix:
        """beta (units, classes), of least squares and, without ridge, least norm."""
        targets = np.where(codes[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        if self.class_weight == "balanced":
            counts = np.bincount(codes, minlength=len(self.classes_))
            weights = np.sqrt(len(codes) / (np.count_nonzero(counts) * counts[codes]))[:, None]
            hidden, targets = hidden * weights, targets * weights
        if self.ridge == 0:
            return np.asarray(np.linalg.lstsq(hidden, targets, rcond=None)[0])
        gram = hidden.T @ hidden + self.ridge * np.eye(hidden.shape[1])
        return np.asarray(np.linalg.solve(gram, hidden.T @ targets))

    def _check_parameters(self) -> None:
        check_grid("hidden_grid", self.hidden_grid, whole=True)
        if self.ridge < 0:
            raise UsageError(f"ridge={self.ridge} is negative.", "Use 0 for the pseudo-inverse, or e.g. 0.1.")
        if self.inner_folds < 2 or self.inner_repeats < 1:
            raise UsageError(
                f"inner_folds={self.inner_folds} and inner_repeats={self.inner_repeats} leave nothing to choose on.",
                "Use at least 2 folds and 1 repetition.",
            )


@dataclass(frozen=True, eq=False, slots=True)
class _Layer:
    """Sigmoid units of features brought to -1..1; a feature that was constant in training counts as 0."""

    middle: Matrix
    scale: Matrix
    weights: Matrix
    biases: Matrix

    def __call__(self, features: Matrix) -> Matrix:
        return np.asarray(expit((features - self.middle) * self.scale @ self.weights + self.biases))


def _drawn_layer(features: Matrix, units: int, seed: int) -> _Layer:
    """A layer for features of the range of these; its first units are those of any smaller one."""
    low, high = features.min(axis=0), features.max(axis=0)
    span = high - low
    scale = np.divide(2.0, span, out=np.zeros_like(span), where=span > 0)
    draws = np.random.default_rng(seed).uniform(0, 1, (units, features.shape[1] + 1))
    return _Layer((low + high) / 2, scale, 2 * draws[:, 1:].T - 1, draws[:, 0])

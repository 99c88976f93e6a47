"""The floors every method is measured from: the majority class, and guesses that ignore the input."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

Labels = NDArray[np.str_]


class Constant(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predicts the most frequent class of the training folds; a tie goes to the class whose name sorts first."""

    title = "Majority class"
    version = 1
    fidelity = None
    selection = "fixed"
    source = "The trivial reference of every protocol; it uses no image."

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state

    def inputs(self) -> str:
        """The recipe `none`: no frame is read."""
        return "none"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Counts the training labels; X (n, ...) is not looked at."""
        del X
        self.classes_, counts = np.unique(np.asarray(y), return_counts=True)
        self.prior_ = counts / counts.sum()
        return self

    def predict(self, X: Any) -> Labels:
        """The majority class for each of the n samples of X."""
        return np.repeat(self.classes_[np.argmax(self.prior_)], len(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The training frequencies (n, k) for each sample."""
        return np.tile(self.prior_, (len(X), 1))


class Uniform(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Guesses each class of the training folds with equal probability, or by its frequency with `prior=True`."""

    title = "Random guess"
    version = 1
    fidelity = None
    selection = "fixed"
    source = "Chance level; it uses no image."

    def __init__(self, *, prior: bool = False, random_state: int | None = None) -> None:
        self.prior = prior
        self.random_state = random_state

    def inputs(self) -> str:
        """The recipe `none`: no frame is read."""
        return "none"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Notes the training labels; X (n, ...) is not looked at."""
        del X
        self.classes_, counts = np.unique(np.asarray(y), return_counts=True)
        weights = counts if self.prior else np.ones_like(counts)
        self.probability_ = weights / weights.sum()
        return self

    def predict(self, X: Any) -> Labels:
        """One independent guess for each of the n samples of X."""
        generator = np.random.default_rng(self.random_state)
        return generator.choice(self.classes_, size=len(X), p=self.probability_)

"""The floors every method is measured from: the majority class, and guesses that ignore the input."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

Labels = NDArray[np.str_]


class Floor(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the floors share: they look at labels only, and count them."""

    version = 1
    fidelity = None
    selection = "fixed"

    def inputs(self) -> str:
        """The recipe `none`: no frame is read."""
        return "none"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Counts the training labels; X (n, ...) is not looked at."""
        del X
        self.classes_, self.counts_ = np.unique(np.asarray(y), return_counts=True)
        return self


class Constant(Floor):
    """Predicts the most frequent class of the training folds; a tie goes to the class whose name sorts first."""

    title = "Majority class"
    source = "The trivial reference of every protocol; it uses no image."

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state

    def predict(self, X: Any) -> Labels:
        """The majority class for each of the n samples of X."""
        return np.repeat(self.classes_[np.argmax(self.counts_)], len(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The training frequencies (n, k) for each sample."""
        return np.tile(self.counts_ / self.counts_.sum(), (len(X), 1))


class Uniform(Floor):
    """Guesses each class of the training folds with equal probability, or by its frequency with `prior=True`."""

    title = "Random guess"
    source = "Chance level; it uses no image."

    def __init__(self, *, prior: bool = False, random_state: int | None = None) -> None:
        self.prior = prior
        self.random_state = random_state

    def predict(self, X: Any) -> Labels:
        """One independent guess for each of the n samples of X."""
        generator = np.random.default_rng(self.random_state)
        weights = self.counts_ if self.prior else np.ones_like(self.counts_)
        return generator.choice(self.classes_, size=len(X), p=weights / weights.sum())

"""The classifiers that are asked how far action-unit codes alone tell the class; fixed before any figure was seen.

Four of different kinds, so that what they agree on is no accident of one: votes of the nearest sets, a linear model, a
count model and a small tree. None is tuned, and none is to be added or taken away for the figure it gives.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.tree import DecisionTreeClassifier

VERSION = 1
"""Raised whenever a classifier or its parameters change."""


class NearestSets(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn carries no types
    """The most frequent label of the training clips whose units are most alike, the same set if it was ever seen.

    Alike by the share of common units among all (Jaccard), over the first `plain` columns: a unit is one unit on
    either side. A tie goes to the label that is more frequent in training, then to the name that sorts first.
    """

    def __init__(self, *, plain: int | None = None) -> None:
        self.plain = plain

    def fit(self, X: Any, y: Any) -> "NearestSets":
        self.rows_ = np.asarray(X, float)[:, : self.plain]
        self.classes_, self.codes_ = np.unique(y, return_inverse=True)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The labels' shares among the nearest training clips (n, k)."""
        found = []
        for row in np.asarray(X, float)[:, : self.plain]:
            common = np.minimum(row, self.rows_).sum(axis=1)
            every = np.maximum(row, self.rows_).sum(axis=1)
            alike = np.divide(common, every, out=np.ones_like(common), where=every > 0)
            votes = np.bincount(self.codes_[alike >= alike.max() - 1e-9], minlength=len(self.classes_))
            found.append(votes / votes.sum())
        return np.array(found)

    def predict(self, X: Any) -> NDArray[Any]:
        """The label with the largest share (n,)."""
        prior = np.bincount(self.codes_, minlength=len(self.classes_))
        order = np.lexsort((np.arange(len(prior)), -prior))  # best first, so that argmax settles ties by it
        found: NDArray[Any] = self.classes_[order[self.predict_proba(X)[:, order].argmax(axis=1)]]
        return found


def classifiers(plain: int) -> dict[str, Any]:
    """The classifiers by name; `plain` is how many columns hold units without their side."""
    return {
        "nearest-set": NearestSets(plain=plain),
        "logistic": LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000),
        "naive-bayes": MultinomialNB(alpha=0.5),
        "tree": DecisionTreeClassifier(class_weight="balanced", min_samples_leaf=3, random_state=0),
    }


__all__ = ["VERSION", "NearestSets", "classifiers"]

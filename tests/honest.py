"""Honest models of many kinds: what the auditor must leave alone."""

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


class Wrapped(ClassifierMixin, BaseEstimator):
    """An estimator behind standardised features."""

    def __init__(self, *, random_state=0):
        self.random_state = random_state

    def build(self):
        return LogisticRegression(max_iter=500)

    def fit(self, X, y):
        self.base_ = make_pipeline(StandardScaler(), self.build()).fit(np.asarray(X, float), y)
        self.classes_ = self.base_.classes_
        return self

    def predict(self, X):
        return self.base_.predict(np.asarray(X, float))


class Probable(Wrapped):
    """One that gives probabilities too."""

    def predict_proba(self, X):
        return self.base_.predict_proba(np.asarray(X, float))


class Logistic(Probable):
    pass


class Neighbours(Probable):
    def build(self):
        return KNeighborsClassifier(5)


class Bayes(Probable):
    def build(self):
        return GaussianNB()


class Discriminant(Probable):
    def build(self):
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


class Forest(Probable):
    def build(self):
        return RandomForestClassifier(20, random_state=self.random_state)


class Boosted(Probable):
    def build(self):
        return GradientBoostingClassifier(n_estimators=10, random_state=self.random_state)


class Perceptron(Probable):
    def build(self):
        return MLPClassifier((8,), max_iter=60, random_state=self.random_state)


class Kernel(Wrapped):
    def build(self):
        return SVC(C=10, class_weight="balanced")

    def decision_function(self, X):
        return self.base_.decision_function(np.asarray(X, float))


class Searched(Probable):
    """Chooses C on other training subjects."""

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    def fit(self, X, y, groups=None):
        search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.01, 1, 100]}, cv=GroupKFold(3))
        rows = np.asarray(X, float)
        chosen = search.fit(rows, y, groups=groups).best_params_["C"]
        self.base_ = LogisticRegression(C=chosen, max_iter=500).fit(rows, y)
        self.classes_ = self.base_.classes_
        return self


class Caching(Probable):
    """Keeps what it computed of rows, never a label, from fold to fold."""

    kept: ClassVar[dict[bytes, np.ndarray]] = {}

    def squares(self, X):
        rows = np.asarray(X, float)
        for row in rows:
            self.kept.setdefault(row.tobytes(), np.concatenate([row, row**2]))
        return np.stack([self.kept[row.tobytes()] for row in rows])

    def fit(self, X, y):
        return super().fit(self.squares(X), y)

    def predict(self, X):
        return super().predict(self.squares(X))

    def predict_proba(self, X):
        return super().predict_proba(self.squares(X))


class Pixels(Probable):
    """A linear model on the flow of a small face, which runs the whole way from the store."""

    def inputs(self):
        return "align(size=48) > grey > onset-apex > flow(dis-fast) > resize(6) > flatten"


NAMES = tuple("Logistic Neighbours Bayes Discriminant Forest Boosted Perceptron Kernel Searched Caching Pixels".split())

"""The permutation null: what it keeps, what it breaks, and what it catches."""

from collections import Counter

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from mebench.nulls import Evidence, evidence, null_scores, permuted
from tests.toy import informative_inputs, toy_task


def test_a_permutation_keeps_every_subjects_class_counts_and_the_folds():
    task = toy_task()
    other = permuted(task, np.random.default_rng(3))
    assert [i.label for i in other.items] != [i.label for i in task.items]
    assert [i.clip for i in other.items] == [i.clip for i in task.items]
    assert other.folds == task.folds
    assert Counter((i.subject, i.label) for i in other.items) == Counter((i.subject, i.label) for i in task.items)


def test_a_model_that_sees_the_signal_is_above_its_null_and_noise_is_not():
    task = toy_task()
    sees = evidence(LogisticRegression(), task, informative_inputs(task, noise=0.3), seeds=1, permutations=39)
    assert sees.above
    assert sees.p == 1 / 40
    blind = {clip: np.zeros_like(array) for clip, array in informative_inputs(task).items()}
    assert not evidence(LogisticRegression(), task, blind, seeds=1, permutations=39).above


def test_knowing_the_subject_is_no_evidence():
    """Each subject has one class of his own twice as often: who he is tells something, and the null knows it too."""

    class Nearest(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.y_ = y
            return self

        def predict(self, X):
            return np.repeat(Counter(self.y_).most_common(1)[0][0], len(X))

    found = evidence(Nearest(), toy_task(), None, seeds=1, permutations=39)
    assert not found.above


def test_the_same_permutation_whatever_came_before():
    task = toy_task()
    inputs = informative_inputs(task)
    long = list(null_scores(LogisticRegression(), task, inputs, 3))
    assert list(null_scores(LogisticRegression(), task, inputs, 1)) == long[:1]


def test_the_bound_is_the_97_5_percent_point_by_hand():
    """Of 40 values 0.00 to 0.39 the 97.5 % point, taken upwards, is the 39.025th: the largest."""
    found = Evidence((0.4,), tuple(i / 100 for i in range(40)))
    assert found.bound == 0.39
    assert found.above
    assert found.p == 1 / 41

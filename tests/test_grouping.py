"""Folds fitted at once: what a model is given, and what it is never given."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression

from mebench.audit.variants import estranged
from mebench.errors import ModelError, UsageError
from mebench.evaluation import evaluate_fold, evaluate_folds, evaluate_task, fold_seed
from mebench.grouping import FoldPart, fits_folds, grouped, most_folds
from tests.toy import CLASSES, informative_inputs, toy_task


class AtOnce(ClassifierMixin, BaseEstimator):
    """A linear model that fits folds at once, and keeps what it was given in a class-level list."""

    seen: list = []  # noqa: RUF012

    def __init__(self, *, lose=0, random_state=None):
        self.lose = lose
        self.random_state = random_state

    def fit(self, X, y):
        self.base_ = LogisticRegression().fit(X, y)
        self.classes_ = self.base_.classes_
        return self

    def predict(self, X):
        return self.base_.predict(X)

    def predict_proba(self, X):
        return self.base_.predict_proba(X)

    def fit_folds(self, X, parts):
        AtOnce.seen.append((X, parts))
        fitted = [clone(self).set_params(random_state=seed).fit(X[rows], y) for rows, y, seed in parts]
        return fitted[self.lose :]


@pytest.fixture(autouse=True)
def _forget():
    AtOnce.seen.clear()


def said(rows):
    return [(row.clip, row.fold, row.predicted, row.scores) for row in rows]


def test_folds_at_once_give_what_folds_one_by_one_give():
    task = toy_task()
    inputs = informative_inputs(task)
    whole = evaluate_task(AtOnce(), task, inputs, seeds=(0, 1))
    assert len(AtOnce.seen) == 2
    AtOnce.seen.clear()
    alone = evaluate_task(AtOnce(), task, inputs, seeds=(0, 1), folds_at_once=1)
    assert AtOnce.seen == []
    assert whole == alone
    assert evaluate_task(AtOnce(), task, inputs, folds_at_once=2).rows == alone.of_seed(0).rows


def test_a_part_holds_rows_labels_and_seed_of_its_training_clips_only():
    task = toy_task()
    inputs = informative_inputs(task)
    label = {item.id: item.label for item in task.items}
    evaluate_folds(AtOnce(), [(task, fold) for fold in task.folds], inputs, 3)
    X, parts = AtOnce.seen[0]
    assert isinstance(parts[0], FoldPart)
    for fold, (rows, y, seed) in zip(task.folds, parts, strict=True):
        assert np.array_equal(X[rows], np.stack([inputs[clip] for clip in fold.train]))
        assert list(y) == [label[clip] for clip in fold.train]
        assert seed == fold_seed(3, fold.id) % 2**31


def test_a_clip_that_no_fold_of_the_group_trains_on_is_not_handed_over():
    task = toy_task()
    inputs = informative_inputs(task)
    pair = [replace(fold, train=fold.train[:4]) for fold in task.folds[:2]]
    evaluate_folds(AtOnce(), [(task, fold) for fold in pair], inputs, 0)
    assert len(AtOnce.seen[0][0]) == len({clip for fold in pair for clip in fold.train})


def test_scrambled_held_out_labels_do_not_move_folds_fitted_at_once():
    """Relabel the held-out clips of every fold in its own task alone: nothing that is said may move."""
    task = toy_task()
    inputs = informative_inputs(task)
    parts = []
    for fold in task.folds:
        turned = {c: CLASSES[(CLASSES.index(i.label) + 1) % 3] for i in task.items for c in [i.id] if c in fold.test}
        items = tuple(replace(i, label=turned.get(i.id, i.label)) for i in task.items)
        parts.append((replace(task, items=items), fold))
    honest = evaluate_folds(AtOnce(), [(task, fold) for fold in task.folds], inputs, 0)
    blind = evaluate_folds(AtOnce(), parts, inputs, 0)
    assert [said(rows) for rows in honest] == [said(rows) for rows in blind]
    assert all(
        row.truth != other.truth for a, b in zip(honest, blind, strict=True) for row, other in zip(a, b, strict=True)
    )


def test_what_other_folds_hold_is_changed_in_all_but_number():
    task = toy_task()
    inputs = informative_inputs(task)
    fold = task.folds[0]
    beside, changed = estranged(task, fold, task.folds, inputs)
    truth = {item.id: item.label for item in task.items}
    assert [other.id for _, other in beside] == [f.id for f in task.folds[1:]]
    for (turned, other), was in zip(beside, task.folds[1:], strict=True):
        label = {item.id: item.label for item in turned.items}
        assert not set(other.train) & set(fold.test)
        assert len(other.train) == len(was.train)
        for clip, before in zip(other.train, was.train, strict=True):
            assert label[clip] == CLASSES[(CLASSES.index(truth[before]) + 1) % 3] or label[clip] != truth[before]
            assert np.array_equal(changed[clip], inputs[before]) == (before not in fold.test)
    honest = evaluate_folds(AtOnce(), [(task, f) for f in task.folds], inputs, 0)[0]
    other = evaluate_folds(AtOnce(), [(task, fold), *beside], changed, 0)[0]
    assert said(other) == said(honest) == said(evaluate_fold(AtOnce(), task, fold, inputs, 0))


def test_each_watcher_is_shown_the_model_of_its_fold_and_the_held_out_input():
    task = toy_task()
    inputs = informative_inputs(task)
    shown = []

    def watcher(name):
        return lambda fitted, held_out: shown.append((name, fitted.random_state, held_out))

    evaluate_folds(AtOnce(), [(task, f) for f in task.folds], inputs, 0, [watcher(f.id) for f in task.folds])
    assert [(name, seed) for name, seed, _ in shown] == [(f.id, fold_seed(0, f.id) % 2**31) for f in task.folds]
    assert np.array_equal(shown[0][2], np.stack([inputs[clip] for clip in task.folds[0].test]))


def test_a_model_that_loses_a_fold_is_refused():
    task = toy_task()
    with pytest.raises(ModelError, match=f"fitted {len(task.folds) - 1} models for {len(task.folds)} folds"):
        evaluate_task(AtOnce(lose=1), task, informative_inputs(task))


def test_how_many_folds_is_the_users_word_then_the_models_then_all():
    class Modest(AtOnce):
        def folds_that_fit(self, shape, images, classes):
            assert (shape, images, classes) == ((3,), len(toy_task().items), 3)
            return 2

    task = toy_task()
    inputs = informative_inputs(task)
    assert most_folds(AtOnce(), task, inputs) == len(task.folds)
    assert most_folds(Modest(), task, inputs) == 2
    assert most_folds(Modest(), task, inputs, 3) == 3
    assert most_folds(LogisticRegression(), task, inputs) == 1
    with pytest.raises(UsageError, match="cannot fit 3 folds at once"):
        most_folds(LogisticRegression(), task, inputs, 3)


def test_a_model_that_asks_for_groups_is_given_folds_one_by_one():
    class Grouped(AtOnce):
        __metadata_request__fit = {"groups": True}  # noqa: RUF012

        def fit(self, X, y, groups=None):
            return super().fit(X, y)

    assert fits_folds(AtOnce(), toy_task())
    assert not fits_folds(Grouped(), toy_task())


def test_folds_that_lack_inputs_stand_by_themselves():
    task = toy_task()
    inputs = informative_inputs(task)
    for clip in task.folds[1].test:
        del inputs[clip]
    groups = grouped(task.folds, inputs, 2)
    assert groups[-1] == (task.folds[1],)
    assert [len(group) for group in groups[:-1]] == [2] * ((len(task.folds) - 1) // 2) + [1] * (
        (len(task.folds) - 1) % 2
    )
    assert {fold.id for group in groups for fold in group} == {fold.id for fold in task.folds}
    made = evaluate_task(AtOnce(), task, inputs, folds_at_once=2)
    assert {row.fold for row in made.rows} == {fold.id for fold in task.folds} - {task.folds[1].id}

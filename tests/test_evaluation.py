"""The fold loop: what a model is given, and what it is never given."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mebench.errors import ModelError
from mebench.evaluation import evaluate_fold, evaluate_task, fold_seed
from mebench.scoring import score
from tests.toy import CLASSES, informative_inputs, toy_table, toy_task


class Spy(ClassifierMixin, BaseEstimator):
    """Keeps all it is given in a class-level list."""

    seen: list[dict] = []  # noqa: RUF012
    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        Spy.seen.append({"X": X, "y": y, "groups": groups, "random_state": self.random_state})
        return self

    def predict(self, X):
        Spy.seen[-1]["test"] = X
        return np.repeat(self.classes_[0], len(X))


@pytest.fixture(autouse=True)
def _forget():
    Spy.seen.clear()


def test_every_clip_is_predicted_once_per_seed():
    task = toy_task()
    made = evaluate_task(LogisticRegression(), task, informative_inputs(task), seeds=(0, 1))
    assert sorted((r.clip, r.seed) for r in made.rows) == sorted((i.id, s) for i in task.items for s in (0, 1))
    assert {r.clip: r.truth for r in made.rows} == {i.id: i.label for i in task.items}


def test_a_good_model_scores_well_and_the_floor_does_not():
    task = toy_task()
    made = evaluate_task(LogisticRegression(), task, informative_inputs(task, noise=0.2))
    assert score([r.truth for r in made.rows], [r.predicted for r in made.rows], CLASSES).uf1 > 0.9


def test_scrambled_held_out_labels_do_not_move_predictions():
    """Relabel every held-out clip of a fold: what the model says of them must stay the same to the last bit."""
    task = toy_task()
    inputs = informative_inputs(task)
    model = make_pipeline(StandardScaler(), SVC(kernel="linear"))
    for fold in task.folds:
        turned = {c: CLASSES[(CLASSES.index(i.label) + 1) % 3] for i in task.items for c in [i.id] if c in fold.test}
        scrambled = replace(task, items=tuple(replace(i, label=turned.get(i.id, i.label)) for i in task.items))
        honest = evaluate_fold(model, task, fold, inputs, 0)
        blind = evaluate_fold(model, scrambled, fold, inputs, 0)
        assert [(r.clip, r.predicted, r.scores) for r in honest] == [(r.clip, r.predicted, r.scores) for r in blind]
        assert [r.truth for r in honest] != [r.truth for r in blind]


def test_the_model_is_given_training_labels_only_and_no_names():
    task = toy_task()
    inputs = informative_inputs(task)
    evaluate_task(Spy(), task, inputs)
    labels = {item.id: item.label for item in task.items}
    for fold, seen in zip(task.folds, Spy.seen, strict=True):
        assert list(seen["y"]) == [labels[c] for c in fold.train]
        assert np.array_equal(seen["X"], np.stack([inputs[c] for c in fold.train]))
        assert np.array_equal(seen["test"], np.stack([inputs[c] for c in fold.test]))
        assert seen["X"].dtype == np.float32


def test_groups_are_training_subjects_as_codes():
    task = toy_task()
    evaluate_task(Spy(), task, informative_inputs(task))
    subject = {item.id: item.subject for item in task.items}
    for fold, seen in zip(task.folds, Spy.seen, strict=True):
        assert seen["groups"].dtype.kind == "i"
        pairs = set(zip(seen["groups"].tolist(), (subject[c] for c in fold.train), strict=True))
        assert len(pairs) == len(set(seen["groups"].tolist())) == len({subject[c] for c in fold.train})


def test_groups_are_withheld_from_a_model_that_does_not_request_them():
    class Silent(Spy):
        __metadata_request__fit = {"groups": None}  # noqa: RUF012

    task = toy_task()
    evaluate_task(Silent(), task, informative_inputs(task))
    assert all(seen["groups"] is None for seen in Spy.seen)


def test_a_model_cannot_spoil_the_inputs_of_the_next_fold():
    class Vandal(Spy):
        def fit(self, X, y, groups=None):
            super().fit(X.copy(), y, groups)
            X[:] = 7
            return self

    task = toy_task()
    inputs = informative_inputs(task)
    before = {clip: array.copy() for clip, array in inputs.items()}
    evaluate_task(Vandal(), task, inputs)
    assert all(np.array_equal(before[clip], inputs[clip]) for clip in inputs)


def test_inputs_of_different_shapes_come_as_a_list():
    task = toy_task()
    inputs = {item.id: np.zeros(3 + i % 2, np.float32) for i, item in enumerate(task.items)}
    evaluate_task(Spy(), task, inputs)
    assert isinstance(Spy.seen[0]["X"], list)
    assert not any(a is inputs[c] for a, c in zip(Spy.seen[0]["X"], task.folds[0].train, strict=True))


def test_a_clip_without_input_is_left_out_not_guessed():
    task = toy_task()
    inputs = informative_inputs(task)
    gone = task.folds[1].test[0]
    del inputs[gone]
    made = evaluate_task(LogisticRegression(), task, inputs)
    assert {i.id for i in task.items} - {r.clip for r in made.rows} == {gone}


def test_the_order_of_the_table_changes_nothing():
    table = toy_table()
    forward, backward = toy_task(table), toy_task(replace(table, clips=table.clips[::-1]))
    inputs = informative_inputs(forward)
    model = make_pipeline(StandardScaler(), SVC(kernel="linear"))
    assert evaluate_task(model, forward, inputs) == evaluate_task(model, backward, inputs)


def test_each_fold_has_a_seed_of_its_own_whatever_ran_before():
    seeds = {fold_seed(seed, fold) for seed in range(3) for fold in ("casme2/sub01", "casme2/sub02")}
    assert len(seeds) == 6
    task = toy_task()
    evaluate_task(Spy(), task, informative_inputs(task))
    together = [seen["random_state"] for seen in Spy.seen]
    Spy.seen.clear()
    evaluate_fold(Spy(), task, task.folds[-1], informative_inputs(task), 0)
    assert Spy.seen[0]["random_state"] == together[-1]


def test_scores_follow_the_declared_classes():
    """Column c of `predict_proba` belongs to classes_[c], which scikit-learn sorts; ours follow the protocol."""
    task = toy_task()
    made = evaluate_task(LogisticRegression(), task, informative_inputs(task, noise=0.1))
    for row in made.rows:
        assert row.predicted == CLASSES[int(np.argmax(row.scores))]
        assert sum(row.scores) == pytest.approx(1)


@pytest.mark.parametrize(
    ("answer", "what"),
    [(lambda X: ["joy"] * len(X), "'joy'"), (lambda X: ["disgust"], "1 predictions for 6 clips")],
)
def test_an_answer_that_breaks_the_contract_is_named(answer, what):
    class Wrong(Spy):
        def predict(self, X):
            return answer(X)

    task = toy_task()
    with pytest.raises(ModelError, match=what):
        evaluate_task(Wrong(), task, informative_inputs(task))


def test_a_clip_table_is_a_data_frame_to_those_who_want_one():
    frame = toy_table().to_frame()
    assert list(frame["id"]) == [clip.id for clip in toy_table()]
    assert frame.groupby("emotion").size().to_dict() == dict.fromkeys(CLASSES, 8)

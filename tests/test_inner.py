"""Networks that choose inside the training fold: on other subjects, by a declared grid, and refitted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

import mebench.learning.inner as inner
from mebench import checkpoints
from mebench.errors import ModelError, UsageError
from mebench.evaluation import evaluate_task
from mebench.inner import no_search
from mebench.learning import NO_AUGMENTATION, InnerSelected, NetworkClassifier, Settings
from tests.toy import toy_task

SIDE = 6


class Chooser(InnerSelected):
    """A linear layer on one pixel of two, `pixel` says which: only the first tells of the class."""

    def __init__(
        self,
        *,
        pixel: int = 1,
        pixels: tuple[int, ...] = (1, 0),
        lrs: tuple[float, ...] = (0.5,),
        recipe: str = "grey",
        inner_folds: int = 3,
        inner_repeats: int = 2,
        lr: float = 0.5,
        random_state: int = 0,
    ) -> None:
        self.pixel = pixel
        self.pixels = pixels
        self.lrs = lrs
        self.recipe = recipe
        self.inner_folds = inner_folds
        self.inner_repeats = inner_repeats
        self.lr = lr
        self.random_state = random_state

    def grid(self) -> Mapping[str, Sequence[Any]]:
        return {"pixel": self.pixels, "lr": self.lrs}

    def inputs(self) -> str:
        return self.recipe.format(self.pixel)

    def view(self, images: NDArray[Any]) -> NDArray[Any]:
        return images[:, :, :1, self.pixel : self.pixel + 1]

    def build(self, channels: int, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(channels, classes))

    def settings(self) -> Settings:
        return Settings(
            8, batch_size=16, lr=self.lr, augmentation=NO_AUGMENTATION, schedule="constant", device="cpu", threads=1
        )


def corpus(n: int = 48, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.intp]]:
    """Images whose first pixel is -2 or 2 by class, the rest noise; six subjects with both classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 1, SIDE, SIDE))
    codes = np.arange(n) % 2
    X[:, 0, 0, 0] = 4.0 * codes - 2
    return X, np.array(["a", "b"])[codes], np.arange(n) // 2 % 6


def test_the_candidate_that_holds_on_other_subjects_wins_and_is_refitted_on_all_rows() -> None:
    X, y, subjects = corpus()
    model = Chooser().fit(X, y, groups=subjects)
    assert model.choice_ == {"pixel": 0, "lr": 0.5}
    assert model.search_ == "inner"
    scores = list(model.search_scores_.values())
    assert scores[1] == 1.0
    assert scores[0] < 0.8
    assert model.pixel == 1  # parameters stay as given
    assert model.score(*corpus(seed=1)[:2]) == 1.0
    alone = Chooser(pixel=0, pixels=(0,)).fit(X, y)
    assert alone.search_ == "one candidate"
    assert np.array_equal(alone.predict_proba(X), model.predict_proba(X))


def test_every_inner_training_is_on_other_subjects_than_it_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, subjects = corpus()
    seen: list[tuple[set[int], set[int]]] = []
    train_and_test = InnerSelected._trained_and_tested

    def spy(self: Any, images: Any, parts: Any, tested: Any) -> bytes:
        for (rows, labels, _), test in zip(parts, tested, strict=True):
            assert len(set(labels.tolist())) == 2  # stratified: each inner training part holds both classes
            seen.append((set(subjects[rows].tolist()), set(subjects[test].tolist())))
        return train_and_test(self, images, parts, tested)

    monkeypatch.setattr(InnerSelected, "_trained_and_tested", spy)
    Chooser().fit(X, y, groups=subjects)
    assert len(seen) == 2 * 2 * 3  # candidates, repetitions, folds
    assert all(not trained & tested for trained, tested in seen)
    assert {len(tested) for _, tested in seen} == {2}


def test_of_equals_the_first_wins_and_two_fits_agree() -> None:
    X, y, subjects = corpus()
    model = Chooser(pixels=(0,), lrs=(0.5, 0.4)).fit(X, y, groups=subjects)
    assert list(model.search_scores_.values()) == [1.0, 1.0]
    assert model.choice_["lr"] == 0.5
    again = Chooser(pixels=(0,), lrs=(0.5, 0.4)).fit(X, y, groups=subjects)
    assert again.search_scores_ == model.search_scores_
    assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


def test_without_anything_to_choose_on_the_parameters_are_as_given() -> None:
    X, y, subjects = corpus()
    one = Chooser(pixel=0).fit(X, y, groups=np.zeros(len(y)))
    assert (one.search_, one.choice_, one.score(X, y)) == ("one subject", {}, 1.0)
    same = Chooser(pixel=0).fit(X, np.repeat("a", len(y)), groups=subjects)
    assert same.search_ == "one class"
    assert no_search(np.array([0, 1]), np.array([0, 1]), 3) == "one clip per class"
    assert no_search(np.array([0, 1, 1]), np.array([0, 1, 2]), 3) == ""


def test_a_search_without_subjects_is_refused() -> None:
    X, y, subjects = corpus()
    with pytest.raises(ModelError, match="was not told its training subjects"):
        Chooser().fit(X, y)
    with pytest.raises(ModelError, match="3 subjects were given for 48 images"):
        Chooser().fit(X, y, groups=subjects[:3])


def test_a_grid_that_changes_the_input_or_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, subjects = corpus()
    with pytest.raises(UsageError, match="changes the input: grey0 and grey1"):
        Chooser(recipe="grey{}").fit(X, y, groups=subjects)
    with pytest.raises(UsageError, match="holds nothing"):
        Chooser(lrs=()).fit(X, y, groups=subjects)
    monkeypatch.setattr(inner, "MOST", 3)
    with pytest.raises(UsageError, match="holds 4 candidates; 3 are the most"):
        Chooser(lrs=(0.1, 0.2)).fit(X, y, groups=subjects)


def test_inner_folds_are_trained_at_once_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, subjects = corpus()
    alone = Chooser().fit(X, y, groups=subjects)
    monkeypatch.setattr(NetworkClassifier, "folds_that_fit", lambda *_: 2)
    together = Chooser().fit(X, y, groups=subjects)
    assert together.search_scores_ == pytest.approx(alone.search_scores_)
    assert together.choice_ == alone.choice_


def test_what_was_tried_before_a_kill_is_not_tried_again(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, subjects = corpus()
    with checkpoints.keeping(tmp_path, 0.0):
        first = Chooser().fit(X, y, groups=subjects)

    def again_and_again(*_: Any) -> bytes:
        raise AssertionError("trained again")

    monkeypatch.setattr(InnerSelected, "_trained_and_tested", again_and_again)
    with checkpoints.keeping(tmp_path, 0.0):
        again = Chooser().fit(X, y, groups=subjects)
    assert again.search_scores_ == first.search_scores_
    assert again.predict_proba(X).tobytes() == first.predict_proba(X).tobytes()


def test_the_evaluator_hands_over_training_subjects_and_no_folds_at_once() -> None:
    task = toy_task()
    rng = np.random.default_rng(0)
    code = {name: i for i, name in enumerate(task.protocol.classes)}
    inputs = {item.id: rng.normal(size=(1, SIDE, SIDE)) for item in task.items}
    for item in task.items:
        inputs[item.id][0, 0, 0] = 4.0 * (code[item.label] == 0)
    assert Chooser.selection == "inner"
    assert not hasattr(Chooser(), "fit_folds")
    made = evaluate_task(Chooser(inner_repeats=1), task, inputs)
    right = [row.predicted == row.truth for row in made.rows if row.truth == task.protocol.classes[0]]
    assert np.mean(right) > 0.9

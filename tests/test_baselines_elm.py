"""Extreme learning machines against their closed form and scikit-learn's own machinery put together differently."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from mebench.baselines.learners.elm import ELM
from mebench.errors import ModelError, UsageError

GRID = (5, 20, 60)


def corpus(seed: int = 0, clips: int = 80, classes: int = 3, subjects: int = 7):
    """Rows whose class is their distance from the origin: no line parts them."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, clips)
    direction = rng.normal(size=(clips, 3))
    X = direction / np.linalg.norm(direction, axis=1, keepdims=True) * (1 + codes[:, None])
    return (
        X + rng.normal(0, 0.1, X.shape),
        np.array(["anger", "disgust", "fear", "joy"])[codes],
        rng.integers(0, subjects, clips),
    )


def drawn(model: ELM, features: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Hidden weights (features, units) in (-1, 1) and biases in (0, 1) that the seed draws, unit by unit."""
    draws = np.random.default_rng(model.random_state).random((units, features + 1))
    return 2 * draws[:, 1:].T - 1, draws[:, 0]


def hidden(model: ELM, train: np.ndarray, rows: np.ndarray, units: int) -> np.ndarray:
    scaled = MinMaxScaler((-1, 1)).fit(train).transform(rows)
    weights, biases = drawn(model, rows.shape[1], units)
    return 1 / (1 + np.exp(-(scaled @ weights + biases)))


def signs(y: np.ndarray) -> np.ndarray:
    return np.where(y[:, None] == np.unique(y), 1.0, -1.0)


def test_one_size_is_the_pseudo_inverse():
    X, y, _ = corpus()
    model = ELM(hidden_grid=(20,), class_weight=None, random_state=3).fit(X[:60], y[:60])
    beta = np.linalg.pinv(hidden(model, X[:60], X[:60], 20)) @ signs(y[:60])
    expected = hidden(model, X[:60], X[60:], 20) @ beta
    np.testing.assert_allclose(model.decision_function(X[60:]), expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(model.predict(X[60:]), np.unique(y)[expected.argmax(axis=1)])
    assert (model.hidden_, model.hidden_search_, model.inner_scores_) == (20, "one size", {})


def test_more_units_than_rows_meet_the_targets_with_the_least_weights():
    X, y, _ = corpus(1, clips=30)
    model = ELM(hidden_grid=(200,), class_weight=None).fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), signs(y), atol=1e-5)
    beta = np.linalg.pinv(hidden(model, X, X, 200)) @ signs(y)
    np.testing.assert_allclose(np.linalg.norm(model._output), np.linalg.norm(beta), rtol=1e-6)


def test_ridge_is_regularised_least_squares():
    X, y, _ = corpus(2)
    model = ELM(hidden_grid=(40,), ridge=0.3, class_weight=None).fit(X, y)
    H = hidden(model, X, X, 40)
    beta = np.linalg.inv(H.T @ H + 0.3 * np.eye(40)) @ H.T @ signs(y)
    np.testing.assert_allclose(model.decision_function(X), H @ beta, rtol=1e-7, atol=1e-9)


def test_balanced_classes_weigh_as_if_the_rare_one_were_repeated():
    X, y, _ = corpus(3, classes=2)
    common, rare = np.flatnonzero(y == "anger")[:20], np.flatnonzero(y == "disgust")[:10]
    few, repeated = np.concatenate([common, rare]), np.concatenate([common, rare, rare])
    balanced = ELM(hidden_grid=(8,)).fit(X[few], y[few])
    plain = ELM(hidden_grid=(8,), class_weight=None).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(balanced.decision_function(X), plain.decision_function(X), rtol=1e-6)


def test_two_classes_score_in_one_column_positive_for_the_second():
    X, y, _ = corpus(4, classes=2)
    model = ELM(hidden_grid=(20,)).fit(X, y)
    scores = model.decision_function(X)
    assert scores.shape == (len(X),)
    np.testing.assert_array_equal(model.predict(X), model.classes_[(scores > 0).astype(int)])


def test_the_size_is_the_best_on_inner_subjects_with_everything_fitted_inside():
    X, y, groups = corpus(5)
    model = ELM(hidden_grid=GRID, class_weight=None, inner_folds=3, inner_repeats=2, random_state=5)
    model.fit(X, y, groups=groups)
    expected = {units: [] for units in GRID}
    for seed in np.random.SeedSequence(5).generate_state(2):
        folds = list(StratifiedGroupKFold(3, shuffle=True, random_state=int(seed)).split(X, y, groups))
        for units in GRID:
            predicted = np.empty_like(y)
            for train, test in folds:
                beta = np.linalg.pinv(hidden(model, X[train], X[train], units)) @ signs(y[train])
                outputs = hidden(model, X[train], X[test], units) @ beta
                predicted[test] = np.unique(y)[outputs.argmax(axis=1)]
            expected[units].append(f1_score(y, predicted, average="macro"))
    assert model.hidden_search_ == "inner"
    assert model.inner_scores_ == pytest.approx({units: np.mean(scores) for units, scores in expected.items()})
    assert max(GRID, key=lambda units: (round(model.inner_scores_[units], 9), -units)) == model.hidden_


def test_equal_scores_take_the_fewest_units():
    rng = np.random.default_rng(6)
    y = np.array(["a", "b"] * 20)
    X = (y == "a")[:, None] * 10.0 + rng.normal(0, 0.1, (40, 2))
    model = ELM(hidden_grid=(30, 10, 20)).fit(X, y, groups=np.arange(40) // 4)
    assert set(model.inner_scores_.values()) == {1.0}
    assert model.hidden_ == 10


def test_it_learns_what_no_line_parts_on_unseen_subjects():
    X, y, groups = corpus(7, clips=160)
    known = groups < 5
    model = ELM(hidden_grid=GRID).fit(X[known], y[known], groups=groups[known])
    assert f1_score(y[~known], model.predict(X[~known]), average="macro") > 0.9


def test_scale_and_shift_of_features_do_not_matter():
    X, y, _ = corpus(8)
    plain = ELM(hidden_grid=(20,)).fit(X, y)
    moved = ELM(hidden_grid=(20,)).fit(1000 * X - 7, y)
    np.testing.assert_allclose(moved.decision_function(1000 * X - 7), plain.decision_function(X), rtol=1e-5, atol=1e-7)


def test_a_feature_that_was_constant_in_training_is_left_out():
    X, y, _ = corpus(9)
    flat = np.column_stack([X, np.full(len(X), 5.0)])
    model = ELM(hidden_grid=(20,)).fit(flat, y)
    changed = flat.copy()
    changed[:, 3] = 1e9
    np.testing.assert_array_equal(model.decision_function(changed), model.decision_function(flat))
    assert np.isfinite(
        ELM(hidden_grid=(20,)).fit(np.zeros((6, 2)), np.array(["a", "b"] * 3)).decision_function([[1, 2]])
    )


def test_the_seed_alone_decides():
    X, y, groups = corpus(10)
    first, again, other = (ELM(hidden_grid=GRID, random_state=s).fit(X, y, groups=groups) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.decision_function(X), again.decision_function(X))
    assert not np.array_equal(first.decision_function(X), other.decision_function(X))


def test_it_survives_pickling_cloning_and_fitting_again_on_other_features():
    X, y, groups = corpus(11)
    model = ELM(hidden_grid=GRID, random_state=2).fit(X, y, groups=groups)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    assert clone(model).get_params() == model.get_params()
    narrow = model.fit(X[:, :2], y, groups=groups)
    assert narrow.predict(X[:, :2]).shape == y.shape


def test_a_single_training_class_is_what_is_predicted():
    X, _, groups = corpus(12)
    model = ELM().fit(X, np.repeat("fear", len(X)), groups=groups)
    assert model.hidden_search_ == "one class"
    assert model.predict(X[:3]).tolist() == ["fear"] * 3
    assert model.decision_function(X[:3]).tolist() == [[0.0]] * 3


def test_where_nothing_can_be_searched_the_smallest_size_is_taken():
    X, y, _ = corpus(13)
    one = ELM(hidden_grid=GRID).fit(X, y, groups=np.zeros(len(X)))
    assert (one.hidden_search_, one.hidden_, one.inner_scores_) == ("one subject", 5, {})
    few = ELM(hidden_grid=GRID).fit(np.eye(3), np.array(["a", "b", "c"]), groups=[0, 1, 2])
    assert (few.hidden_search_, few.hidden_) == ("one clip per class", 5)


def test_an_inner_fold_left_with_one_class_predicts_it():
    X, groups = np.random.default_rng(14).random((8, 2)), np.repeat([0, 1], 4)
    model = ELM(hidden_grid=GRID).fit(X, np.repeat(["a", "b"], 4), groups=groups)
    assert set(model.inner_scores_.values()) == {0.0}


def test_subjects_are_asked_for_by_metadata_routing():
    assert get_routing_for_object(ELM()).consumes("fit", ["groups"]) == {"groups"}
    X, y, groups = corpus()
    with pytest.raises(ModelError, match="was not told its training subjects"):
        ELM().fit(X, y)
    with pytest.raises(ModelError, match="3 subjects were given for 80 rows"):
        ELM().fit(X, y, groups=groups[:3])


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_grid": ()},
        {"hidden_grid": (10, 0)},
        {"hidden_grid": (10, 2.5)},
        {"ridge": -1.0},
        {"inner_folds": 1},
        {"inner_repeats": 0},
    ],
)
def test_impossible_parameters_are_refused_at_fit(wrong):
    X, y, groups = corpus()
    with pytest.raises(UsageError):
        ELM(**wrong).fit(X, y, groups=groups)


def test_unusable_inputs_are_refused():
    X, y, groups = corpus()
    broken = X.copy()
    broken[2, 1] = np.nan
    with pytest.raises(ModelError, match="Row 2"):
        ELM().fit(broken, y, groups=groups)
    with pytest.raises(ModelError, match="vectors"):
        ELM().fit(X.reshape(len(X), 3, 1), y, groups=groups)
    with pytest.raises(ModelError, match="80 rows were given with 79 classes"):
        ELM().fit(X, y[1:], groups=groups)
    with pytest.raises(ModelError, match=r"fitted on inputs of shape \(3,\) and is given \(2,\)"):
        ELM(hidden_grid=(5,)).fit(X, y).predict(X[:, :2])

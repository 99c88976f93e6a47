"""The SVM that chooses C on other subjects, against scikit-learn's own machinery put together differently."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.metadata_routing import get_routing_for_object

from mebench.baselines.learners.kernels import KERNELS
from mebench.baselines.learners.svm import GroupedSVC, _inner_folds
from mebench.errors import ModelError, UnknownName, UsageError

GRID = (0.01, 0.3, 10.0)


def corpus(seed: int = 0, clips: int = 60, classes: int = 3, subjects: int = 7, spread: float = 0.9):
    """Non-negative rows whose class is visible, each subject with an offset of its own; classes are unequal."""
    rng = np.random.default_rng(seed)
    y = np.array(["anger", "disgust", "fear", "joy"])[rng.choice(classes, clips, p=_falling(classes))]
    groups = rng.integers(0, subjects, clips)
    names = np.unique(y, return_inverse=True)[1]
    centres, offsets = rng.normal(0, 1, (classes, 6)), rng.normal(0, 0.5, (subjects, 6))
    X = np.exp(centres[names] * 0.5 + offsets[groups] + rng.normal(0, spread, (clips, 6)))
    return X, y, groups


def _falling(classes: int) -> np.ndarray:
    weights = np.arange(classes, 0, -1.0)
    return weights / weights.sum()


@pytest.mark.parametrize("weight", [None, "balanced"])
def test_one_c_is_a_plain_linear_svm(weight):
    X, y, _ = corpus()
    ours = GroupedSVC(C_grid=(10.0,), class_weight=weight).fit(X[:40], y[:40])
    plain = SVC(kernel="linear", C=10.0, class_weight=weight).fit(X[:40], y[:40])
    assert (ours.C_, ours.c_search_, ours.inner_scores_) == (10.0, "one C", {})
    np.testing.assert_array_equal(ours.predict(X[40:]), plain.predict(X[40:]))
    np.testing.assert_allclose(ours.decision_function(X[40:]), plain.decision_function(X[40:]), atol=1e-6)


@pytest.mark.parametrize(
    ("scaling", "transform"),
    [("none", FunctionTransformer()), ("hellinger", FunctionTransformer(np.sqrt)), ("standard", StandardScaler())],
)
def test_c_is_the_best_on_inner_subjects_with_everything_fitted_inside(scaling, transform):
    X, y, groups = corpus(1)
    ours = GroupedSVC(scaling=scaling, C_grid=GRID, inner_folds=3, inner_repeats=2, random_state=5)
    ours.fit(X, y, groups=groups)
    expected = {C: [] for C in GRID}
    for seed in np.random.SeedSequence(5).generate_state(2):
        folds = list(StratifiedGroupKFold(3, shuffle=True, random_state=int(seed)).split(X, y, groups))
        for C in GRID:
            predicted = np.empty_like(y)
            for train, test in folds:
                machine = make_pipeline(clone(transform), SVC(kernel="linear", C=C, class_weight="balanced"))
                predicted[test] = machine.fit(X[train], y[train]).predict(X[test])
            expected[C].append(f1_score(y, predicted, average="macro"))
    assert ours.c_search_ == "inner"
    assert ours.inner_scores_ == pytest.approx({C: np.mean(scores) for C, scores in expected.items()})
    assert max(GRID, key=lambda C: (round(ours.inner_scores_[C], 9), -C)) == ours.C_
    refitted = make_pipeline(clone(transform), SVC(kernel="linear", C=ours.C_, class_weight="balanced")).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X), refitted.predict(X))


def test_equal_scores_take_the_smallest_c():
    X, y, _ = corpus(2, spread=0.0, subjects=1)
    ours = GroupedSVC(C_grid=(1e4, 10.0, 1e3)).fit(X, y, groups=np.arange(len(y)) % 6)
    assert set(ours.inner_scores_.values()) == {1.0}
    assert ours.C_ == 10.0


def test_kernels_equal_their_formulas():
    rng = np.random.default_rng(3)
    a, b = rng.random((7, 5)), rng.random((4, 5))
    a[0, 0] = b[0, 0] = 0  # 0/0 counts as 0 in chi2
    x, z = a[:, None], b[None]
    with np.errstate(invalid="ignore"):
        within, across = (np.nan_to_num((x - other) ** 2 / (x + other)).sum(-1) for other in (a[None], z))
    expected = {
        "linear": a @ b.T,
        "poly": (a @ b.T / (a**2).sum(1).mean() + 1) ** 3,
        "rbf": np.exp(-((x - z) ** 2).sum(-1) / ((x - a[None]) ** 2).sum(-1).mean()),
        "chi2": np.exp(-across / within.mean()),
        "intersection": np.minimum(x, z).sum(-1),
    }
    assert expected.keys() == KERNELS.keys()
    for name, kernel in KERNELS.items():
        gamma = kernel.width(kernel.relate(a, a))
        np.testing.assert_allclose(kernel.apply(kernel.relate(a, b), gamma), expected[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("scaling", ["none", "hellinger"])
def test_every_kernel_learns_and_survives_pickling(kernel, scaling):
    X, y, groups = corpus(4, clips=90, spread=0.3)
    model = GroupedSVC(kernel=kernel, scaling=scaling, C_grid=GRID, inner_repeats=1)
    model.fit(X[:60], y[:60], groups=groups[:60])
    predicted = model.predict(X[60:])
    assert f1_score(y[60:], predicted, average="macro") > 0.6
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X[60:]), predicted)


def test_rows_all_alike_do_not_break_a_kernel():
    X, y, groups = np.zeros((8, 3)), np.array(["a", "b"] * 4), np.repeat(np.arange(4), 2)
    for kernel in KERNELS:
        assert set(GroupedSVC(kernel=kernel, C_grid=GRID).fit(X, y, groups=groups).predict(X)) <= {"a", "b"}


def test_inner_folds_never_split_a_subject_and_test_every_row_once():
    _, y, subjects = corpus(5)
    codes = np.unique(y, return_inverse=True)[1]
    folds = _inner_folds(codes, subjects, 4, seed=1)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(len(y)))
    for train, test in folds:
        assert not set(subjects[train]) & set(subjects[test])


def test_a_single_training_class_is_what_is_predicted():
    X, _, groups = corpus(6)
    model = GroupedSVC().fit(X, np.repeat("fear", len(X)), groups=groups)
    assert (model.c_search_, model.C_, model.inner_scores_) == ("one class", 1.0, {})
    assert model.predict(X[:3]).tolist() == ["fear"] * 3
    assert model.decision_function(X[:3]).tolist() == [[0.0]] * 3


def test_a_single_training_subject_takes_the_default_c():
    X, y, _ = corpus(7)
    model = GroupedSVC().fit(X, y, groups=np.zeros(len(X)))
    assert (model.c_search_, model.C_, model.inner_scores_) == ("one subject", 1.0, {})
    np.testing.assert_array_equal(model.predict(X), GroupedSVC(C_grid=(1.0,)).fit(X, y).predict(X))


def test_one_clip_of_each_class_takes_the_default_c():
    model = GroupedSVC().fit(np.eye(3), np.array(["a", "b", "c"]), groups=[0, 1, 2])
    assert (model.c_search_, model.C_) == ("one clip per class", 1.0)
    assert model.predict(np.eye(3)).tolist() == ["a", "b", "c"]


def test_rare_classes_and_classes_of_one_subject_are_searched_without_complaint():
    X, y, groups = corpus(8, classes=2, subjects=3)
    y = y.astype("<U9")
    y[0], y[groups == 2] = "contempt", "surprise"  # one clip, and one subject who shows nothing else
    model = GroupedSVC(C_grid=GRID).fit(X, y, groups=groups)
    assert model.c_search_ == "inner"
    assert np.all(np.isfinite(list(model.inner_scores_.values())))


def test_an_inner_fold_left_with_one_class_predicts_it():
    # Two subjects, each with one class: whichever is held out, the other has nothing to choose between.
    X, groups = np.random.default_rng(9).random((8, 2)), np.repeat([0, 1], 4)
    model = GroupedSVC(C_grid=GRID).fit(X, np.repeat(["a", "b"], 4), groups=groups)
    assert set(model.inner_scores_.values()) == {0.0}


def test_two_classes_score_in_one_column_positive_for_the_second():
    X, y, groups = corpus(10, classes=2)
    model = GroupedSVC(C_grid=GRID).fit(X, y, groups=groups)
    scores = model.decision_function(X)
    assert scores.shape == (len(X),)
    np.testing.assert_array_equal(model.predict(X), model.classes_[(scores > 0).astype(int)])


def test_the_seed_alone_decides():
    X, y, groups = corpus(11)
    first, again = (GroupedSVC(C_grid=GRID, random_state=3).fit(X, y, groups=groups) for _ in range(2))
    assert first.inner_scores_ == again.inner_scores_
    assert first.inner_scores_ != GroupedSVC(C_grid=GRID, random_state=4).fit(X, y, groups=groups).inner_scores_


def test_names_of_subjects_do_not_matter():
    X, y, groups = corpus(12)
    by_name = GroupedSVC(C_grid=GRID).fit(X, y, groups=np.array([f"s{g}" for g in groups]))
    assert by_name.inner_scores_ == GroupedSVC(C_grid=GRID).fit(X, y, groups=groups).inner_scores_


def test_subjects_are_asked_for_by_metadata_routing():
    assert get_routing_for_object(GroupedSVC()).consumes("fit", ["groups"]) == {"groups"}
    X, y, _ = corpus()
    with pytest.raises(ModelError, match="was not told its training subjects"):
        GroupedSVC().fit(X, y)


def test_parameters_are_kept_as_given():
    model = GroupedSVC(kernel="chi2", C_grid=(1, 2), random_state=9)
    assert clone(model).get_params() == model.get_params()
    assert model.get_params()["C_grid"] == (1, 2)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"kernel": "chi"}, UnknownName),
        ({"scaling": "minmax"}, UnknownName),
        ({"C_grid": ()}, UsageError),
        ({"C_grid": (1, 0)}, UsageError),
        ({"inner_folds": 1}, UsageError),
        ({"inner_repeats": 0}, UsageError),
    ],
)
def test_impossible_parameters_are_refused_at_fit(wrong, error):
    X, y, groups = corpus()
    with pytest.raises(error):
        GroupedSVC(**wrong).fit(X, y, groups=groups)


@pytest.mark.parametrize("settings", [{"kernel": "chi2"}, {"kernel": "intersection"}, {"scaling": "hellinger"}])
def test_histogram_kernels_refuse_negative_features(settings):
    X, y, groups = corpus()
    X[3, 2] = -0.1
    with pytest.raises(ModelError, match="negative features"):
        GroupedSVC(**settings).fit(X, y, groups=groups)


def test_unusable_inputs_are_refused():
    X, y, groups = corpus()
    broken = X.copy()
    broken[2, 1] = np.nan
    with pytest.raises(ModelError, match="Row 2"):
        GroupedSVC().fit(broken, y, groups=groups)
    with pytest.raises(ModelError, match="takes vectors"):
        GroupedSVC().fit(X.reshape(len(X), 2, 3), y, groups=groups)
    with pytest.raises(ModelError, match="vectors of one length"):
        GroupedSVC().fit([np.zeros(3), np.zeros(4)], y[:2], groups=groups[:2])
    with pytest.raises(ModelError, match="fitted on 6 features and is given 5"):
        GroupedSVC(C_grid=GRID).fit(X, y, groups=groups).predict(X[:, :5])

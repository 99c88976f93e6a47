"""The SVM that chooses C on other subjects, against scikit-learn's own machinery put together differently."""

import pickle
from itertools import product

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.metadata_routing import get_routing_for_object

from mebench.baselines.learners.grams import Grams, Shape
from mebench.baselines.learners.kernels import KERNELS
from mebench.baselines.learners.relations import related
from mebench.baselines.learners.search import Choice, answers, inner_folds, inner_scores, macro_f1
from mebench.baselines.learners.svm import GroupedSVC
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


def test_width_and_degree_are_searched_with_c_on_inner_subjects():
    X, y, groups = corpus(14)
    settings = {"C_grid": (0.1, 10.0), "width_grid": (0.3, 1, 3), "degree_grid": (2, 4)}
    ours = GroupedSVC(kernel="poly", **settings, inner_folds=3, inner_repeats=1, random_state=2).fit(X, y, groups)
    (seed,) = np.random.SeedSequence(2).generate_state(1)
    folds = list(StratifiedGroupKFold(3, shuffle=True, random_state=int(seed)).split(X, y, groups))
    expected = {}
    for C, width, degree in product((0.1, 10.0), (0.3, 1.0, 3.0), (2, 4)):
        predicted = np.empty_like(y)
        for train, test in folds:
            gamma = width / (X[train] ** 2).sum(1).mean()
            machine = SVC(kernel="poly", gamma=gamma, coef0=1, degree=degree, C=C, class_weight="balanced")
            predicted[test] = machine.fit(X[train], y[train]).predict(X[test])
        expected[Choice(C, width, degree)] = f1_score(y, predicted, average="macro")
    assert ours.search_scores_ == pytest.approx(expected)
    top = max(expected.values()) - 1e-9
    assert (ours.C_, ours.width_, ours.degree_) == min(c for c, score in expected.items() if score >= top)[:3]
    best_shape = (ours.width_, ours.degree_)
    assert ours.inner_scores_ == {c.C: ours.search_scores_[c] for c in expected if c[1:3] == best_shape}
    assert len({c[1:3] for c in expected if expected[c] >= top}) < 6, "the search must have something to choose"


def test_one_value_of_everything_is_taken_without_subjects():
    X, y, _ = corpus()
    model = GroupedSVC(kernel="poly", C_grid=(3,), width_grid=(0.5,), degree_grid=(2,)).fit(X, y)
    assert (model.c_search_, model.C_, model.width_, model.degree_) == ("one C", 3.0, 0.5, 2)
    assert model.search_scores_ == {}


def test_where_nothing_can_be_searched_given_values_are_taken_and_the_rest_is_default():
    X, y, _ = corpus(15)
    model = GroupedSVC(kernel="poly", C_grid=(7.0,), width_grid=(0.5, 2), degree_grid=(2,)).fit(X, y, np.zeros(len(X)))
    assert (model.c_search_, model.C_, model.width_, model.degree_) == ("one subject", 7.0, 1.0, 2)


@pytest.mark.parametrize("weight", [None, "balanced"])
def test_beyond_its_bounds_a_larger_c_is_not_solved_again_and_answers_alike(weight):
    # 40 features for 45 clips of three classes: classes separate, so the optimum is free of its bounds from some C on.
    rng = np.random.default_rng(16)
    X, codes = rng.random((60, 40)), rng.choice(3, 60, p=(0.6, 0.3, 0.1))
    gram, grid, solved = X @ X.T, [10.0**k for k in range(-2, 7)], []

    def machine(C):
        solved.append(C)
        return SVC(kernel="precomputed", C=C, class_weight=weight, tol=1e-6)

    found = answers(machine, grid, gram[:45, :45], gram[45:, :45], codes[:45])
    plain = [
        SVC(kernel="precomputed", C=C, class_weight=weight, tol=1e-6).fit(gram[:45, :45], codes[:45]) for C in grid
    ]
    assert 2 < len(solved) < len(grid)
    assert solved == grid[: len(solved)]
    np.testing.assert_array_equal(found, [machine.predict(gram[45:, :45]) for machine in plain])
    assert len({tuple(row) for row in found.tolist()}) > 2


def test_macro_f1_is_scikit_learns():
    rng = np.random.default_rng(17)
    for classes in (1, 2, 5):
        for _ in range(20):
            truth, predicted = rng.integers(0, classes, (2, 6))
            expected = f1_score(truth, predicted, labels=range(classes), average="macro", zero_division=0)
            assert macro_f1(truth, predicted, classes) == pytest.approx(expected)


def test_importance_is_the_weight_of_each_feature_times_its_spread():
    X, y, _ = corpus(18)
    X[:, 3] = 0.7  # constant: no weight moves anything
    for scaling, scaled in (("none", X), ("hellinger", np.sqrt(X)), ("standard", StandardScaler().fit_transform(X))):
        model = GroupedSVC(scaling=scaling, C_grid=(2.0,)).fit(X, y)
        plain = SVC(kernel="linear", C=2.0, class_weight="balanced").fit(scaled, y)
        expected = np.abs(plain.coef_).mean(axis=0) * scaled.std(axis=0)
        np.testing.assert_allclose(model.importance(), expected, rtol=1e-5, atol=1e-9)
        assert model.importance().dtype == np.float64
        assert model.importance()[3] == 0
        assert np.all(model.importance() >= 0)


def test_importance_of_two_classes_is_that_of_their_one_machine():
    X, y, _ = corpus(19, classes=2)
    plain = SVC(kernel="linear", C=2.0, class_weight="balanced").fit(X, y)
    expected = np.abs(plain.coef_[0]) * X.std(axis=0)
    np.testing.assert_allclose(GroupedSVC(C_grid=(2.0,)).fit(X, y).importance(), expected, rtol=1e-5, atol=1e-9)


def test_importance_is_refused_where_features_have_no_weight():
    X, y, _ = corpus()
    with pytest.raises(ModelError, match="kernel=chi2"):
        GroupedSVC(kernel="chi2", C_grid=(1,)).fit(X, y).importance()
    with pytest.raises(ModelError, match="one class"):
        GroupedSVC().fit(X, np.repeat("fear", len(X))).importance()
    with pytest.raises(NotFittedError):
        GroupedSVC().importance()


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("scaling", ["none", "hellinger", "standard"])
def test_contributions_add_up_to_how_far_the_predicted_class_leads(classes, scaling):
    """Weights times features plus intercept is the pair's decision; its mean over training rows is what is left out."""
    X, y, _ = corpus(23, clips=80, classes=classes)
    scaled = {"none": X, "hellinger": np.sqrt(X), "standard": StandardScaler().fit_transform(X)}[scaling]
    model = GroupedSVC(scaling=scaling, C_grid=(2.0,)).fit(X, y)
    plain = SVC(kernel="linear", C=2.0, class_weight="balanced", decision_function_shape="ovo").fit(scaled, y)
    ranks = SVC(kernel="linear", C=2.0, class_weight="balanced").fit(scaled, y).decision_function(scaled)
    ranks = np.column_stack([-ranks, ranks]) if classes == 2 else ranks
    pairs = [(a, b) for a in range(classes) for b in range(a + 1, classes)]
    decisions = plain.decision_function(scaled).reshape(len(X), -1) * (-1 if classes == 2 else 1)
    contributions = model.contributions(X)
    for row, predicted in enumerate(np.searchsorted(plain.classes_, plain.predict(scaled))):
        second = max((k for k in range(classes) if k != predicted), key=lambda k: ranks[row, k])
        pair = pairs.index((min(predicted, second), max(predicted, second)))
        sign = 1 if predicted < second else -1
        expected = sign * (decisions[row, pair] - decisions[:, pair].mean())
        assert contributions[row].sum() == pytest.approx(expected, abs=1e-3)


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
        gamma = kernel.gamma(related(kernel.relation, a, a)[0])
        made = kernel.apply(related(kernel.relation, a, b)[0], gamma, 3)
        np.testing.assert_allclose(made, expected[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_a_model_meets_new_rows_by_the_kernel_it_was_fitted_with(kernel):
    # gamma and degree by hand, on rows the model never saw; decisions of scikit-learn's SVC on those kernels.
    X, y, _ = corpus(13)
    shape = {"degree_grid": (2,)} if kernel == "poly" else {}
    width = 1.0 if kernel in ("linear", "intersection") else 0.5
    model = GroupedSVC(kernel=kernel, C_grid=(5.0,), width_grid=(width,), **shape).fit(X[:40], y[:40])
    x, z = X[:, None], X[None, :40]
    relation = {
        "chi2": ((x - z) ** 2 / (x + z)).sum(-1),
        "rbf": ((x - z) ** 2).sum(-1),
        "intersection": np.minimum(x, z).sum(-1),
    }.get(kernel, X @ X[:40].T)
    made = relation
    if kernel in ("chi2", "rbf"):
        made = np.exp(-0.5 * relation / relation[:40].mean())
    elif kernel == "poly":
        made = (0.5 * relation / np.diag(relation).mean() + 1) ** 2
    plain = SVC(kernel="precomputed", C=5.0, class_weight="balanced").fit(made[:40], y[:40])
    np.testing.assert_allclose(model.decision_function(X[40:]), plain.decision_function(made[40:]), atol=1e-6)


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
    folds = inner_folds(codes, subjects, 4, seed=1)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(len(y)))
    for train, test in folds:
        assert not set(subjects[train]) & set(subjects[test])


def test_a_fold_that_is_given_no_subject_is_left_out():
    # Four subjects for which, under some seeds, StratifiedGroupKFold balances classes best with one fold empty.
    codes = np.array([1, 0, 3, 2, 0, 3, 0, 3, 1, 2, 1, 3, 2, 1])
    subjects = np.array([1, 2, 0, 1, 2, 0, 3, 0, 1, 0, 3, 0, 3, 0])
    counts = {seed: len(inner_folds(codes, subjects, 4, seed)) for seed in range(40)}
    assert min(counts.values()) == 3
    X = np.eye(4)[codes]
    seed = min(counts, key=counts.get)
    for train, test in inner_folds(codes, subjects, 4, seed):
        assert len(train)
        assert len(test)
    assert inner_scores_of(X, codes, subjects, seed) > 0


def inner_scores_of(X, codes, subjects, seed):
    grams = Grams(X, "linear", "none")
    scores = inner_scores(grams, codes, subjects, [1.0], [Shape()], lambda C: SVC(kernel="precomputed", C=C), 4, [seed])
    return scores[Choice(1.0)]


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
        ({"C_grid": (1, float("nan"))}, UsageError),
        ({"kernel": "rbf", "width_grid": ()}, UsageError),
        ({"kernel": "rbf", "width_grid": (1, -1)}, UsageError),
        ({"kernel": "linear", "width_grid": (1, 2)}, UsageError),
        ({"kernel": "intersection", "width_grid": (0.5,)}, UsageError),
        ({"kernel": "rbf", "degree_grid": (2, 3)}, UsageError),
        ({"kernel": "poly", "degree_grid": (2, 2.5)}, UsageError),
        ({"kernel": "poly", "degree_grid": (0,)}, UsageError),
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
    with pytest.raises(ModelError, match="classifier of vectors"):
        GroupedSVC().fit(X.reshape(len(X), 2, 3), y, groups=groups)
    with pytest.raises(ModelError, match="vectors of one length"):
        GroupedSVC().fit([np.zeros(3), np.zeros(4)], y[:2], groups=groups[:2])
    with pytest.raises(ModelError, match="0 rows"):
        GroupedSVC().fit(X[:0], y[:0], groups=groups[:0])
    with pytest.raises(ModelError, match="60 rows were given with 59 classes"):
        GroupedSVC().fit(X, y[1:], groups=groups)
    with pytest.raises(ModelError, match="59 subjects were given for 60 rows"):
        GroupedSVC().fit(X, y, groups=groups[1:])
    with pytest.raises(ModelError, match="fitted on 6 features and is given 5"):
        GroupedSVC(C_grid=GRID).fit(X, y, groups=groups).predict(X[:, :5])


@pytest.mark.parametrize("factor", [1e200, 1e-200])
@pytest.mark.parametrize("kernel", ["poly", "rbf"])
def test_features_beyond_the_range_of_numbers_are_refused(kernel, factor):
    # Squared they overflow; or they vanish, which makes all rows alike.
    X, y, groups = corpus()
    model = GroupedSVC(kernel=kernel, C_grid=GRID, inner_repeats=1)
    if factor > 1:
        with pytest.raises(ModelError, match="no finite number"):
            model.fit(X * factor, y, groups=groups)
    else:
        assert set(model.fit(X * factor, y, groups=groups).predict(X * factor)) <= set(y)


def test_fewer_clips_than_folds_are_searched_in_as_many_folds_as_there_are_subjects():
    X, y, _ = corpus(20, spread=0.1)
    few = np.concatenate([np.flatnonzero(y == name)[:2] for name in ("anger", "disgust")])
    model = GroupedSVC(C_grid=GRID, inner_folds=5).fit(X[few], y[few], groups=[0, 1, 0, 1])
    assert model.c_search_ == "inner"
    assert set(model.predict(X[few])) <= {"anger", "disgust"}

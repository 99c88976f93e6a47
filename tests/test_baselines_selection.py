"""The SVM on groups of features of low Laplacian score, against the definition written out in matrices."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC

from mebench.baselines.learners.selection import DEVIATION, Closeness, GroupSelectedSVC
from mebench.baselines.learners.svm import GroupedSVC
from mebench.errors import ModelError, UsageError

SIZE, GROUPS = 4, 6
GRID = (0.1, 10.0)


def corpus(seed: int = 0, clips: int = 60, telling: tuple[int, ...] = (1, 4)):
    """Histograms of six groups, of which two follow the class and four the subject."""
    rng = np.random.default_rng(seed)
    codes, subjects = rng.choice(3, clips, p=(0.5, 0.3, 0.2)), rng.integers(0, 8, clips)
    by_class, by_subject = rng.gamma(1, 1, (3, GROUPS, SIZE)), rng.gamma(1, 1, (8, GROUPS, SIZE))
    follows = np.isin(np.arange(GROUPS), telling)[:, None]
    X = np.where(follows, by_class[codes], by_subject[subjects]) * np.exp(rng.normal(0, 0.25, (clips, GROUPS, SIZE)))
    X /= X.sum(axis=-1, keepdims=True)
    return X.reshape(clips, -1), np.array(["anger", "fear", "joy"])[codes], subjects


def model(**settings) -> GroupSelectedSVC:
    given = {"group_size": SIZE, "kept_grid": (1, 2, 4, 6), "C_grid": GRID, "inner_folds": 3, "inner_repeats": 1}
    return GroupSelectedSVC(**{**given, **settings})


def defined(F: np.ndarray, codes: np.ndarray) -> float:
    """The Laplacian score of one group as He, Cai and Niyogi write it, with matrices."""
    x, z = F[:, None], F[None]
    with np.errstate(invalid="ignore"):
        chi2 = np.nan_to_num((x - z) ** 2 / (x + z)).sum(-1)
    S = np.exp(-chi2 / chi2.mean()) * (codes[:, None] == codes)
    D = np.diag(S.sum(axis=1))
    one = np.ones((len(F), 1))
    centred = F - one @ (one.T @ D @ F) / (one.T @ D @ one)
    return np.trace(centred.T @ (D - S) @ centred) / np.trace(centred.T @ D @ centred)


def test_scores_are_laplacian_scores_of_the_training_rows():
    X, y, _ = corpus()
    codes = np.unique(y, return_inverse=True)[1]
    closeness = Closeness(X, codes, SIZE)
    rng = np.random.default_rng(1)
    for train in (np.arange(60), rng.permutation(60)[:37], np.array([3]), np.array([5, 6])):
        groups = X[train].reshape(len(train), GROUPS, SIZE).transpose(1, 0, 2)
        if len(train) == 1:  # nothing varies
            assert np.all(np.isinf(closeness.scores(train)))
        else:
            expected = [defined(F, codes[train]) for F in groups]
            np.testing.assert_allclose(closeness.scores(train), expected, rtol=1e-9)


def test_groups_that_follow_the_class_come_first():
    for seed in range(3):
        X, y, _ = corpus(seed)
        codes = np.unique(y, return_inverse=True)[1]
        assert sorted(Closeness(X, codes, SIZE).ranking(np.arange(60))[:2]) == [1, 4]


def test_scores_do_not_look_at_rows_outside_the_training_set():
    X, y, _ = corpus(2)
    codes, train = np.unique(y, return_inverse=True)[1], np.arange(40)
    expected = Closeness(X, codes, SIZE).scores(train)
    changed, others = X.copy(), codes.copy()
    changed[40:], others[40:] = 9, 0
    np.testing.assert_array_equal(Closeness(changed, others, SIZE).scores(train), expected)


def test_a_constant_group_is_kept_last():
    X, y, groups = corpus(3)
    X[:, :SIZE] = 0.25
    fitted = model(kept_grid=(6,)).fit(X, y, groups=groups)
    assert np.isinf(fitted.group_scores_[0])
    assert fitted.kept_groups_[-1] == 0


@pytest.mark.parametrize(
    ("kernel", "scaling"), [("linear", "none"), ("linear", "hellinger"), ("linear", "standard"), ("chi2", "none")]
)
def test_k_and_c_are_the_best_on_inner_subjects_with_groups_ranked_inside(kernel, scaling):
    X, y, groups = corpus(4)
    fitted = model(kernel=kernel, scaling=scaling, random_state=3).fit(X, y, groups=groups)
    (seed,) = np.random.SeedSequence(3).generate_state(1)
    folds = list(StratifiedGroupKFold(3, shuffle=True, random_state=int(seed)).split(X, y, groups))
    codes = np.unique(y, return_inverse=True)[1]
    expected = {}
    for kept in (1, 2, 4, 6):
        predicted = {C: np.empty_like(y) for C in GRID}
        for train, test in folds:
            order = np.argsort([defined(X[train][:, g * SIZE : (g + 1) * SIZE], codes[train]) for g in range(GROUPS)])
            columns = np.concatenate([np.arange(g * SIZE, (g + 1) * SIZE) for g in order[:kept]])
            for C in GRID:
                inner = GroupedSVC(kernel=kernel, scaling=scaling, C_grid=(C,)).fit(X[train][:, columns], y[train])
                predicted[C][test] = inner.predict(X[test][:, columns])
        for C in GRID:
            expected[C, kept] = f1_score(y, predicted[C], average="macro")
    assert {(c.C, c.kept): score for c, score in fitted.search_scores_.items()} == pytest.approx(expected)
    top = max(expected.values()) - 1e-9
    assert (fitted.C_, fitted.kept_) == min(choice for choice, score in expected.items() if score >= top)
    columns = np.concatenate([np.arange(g * SIZE, (g + 1) * SIZE) for g in fitted.kept_groups_])
    plain = GroupedSVC(kernel=kernel, scaling=scaling, C_grid=(fitted.C_,)).fit(X[:, columns], y)
    np.testing.assert_allclose(fitted.decision_function(X), plain.decision_function(X[:, columns]), atol=1e-6)


def test_all_groups_are_the_plain_machine():
    X, y, groups = corpus(5)
    ours = model(kept_grid=(GROUPS,), C_grid=(2.0,)).fit(X, y, groups=groups)
    plain = SVC(kernel="linear", C=2.0, class_weight="balanced").fit(X, y)
    assert ours.c_search_ == "one C"
    np.testing.assert_allclose(ours.decision_function(X), plain.decision_function(X), atol=1e-6)


def test_importance_lies_on_the_groups_kept():
    X, y, groups = corpus(6)
    fitted = model(kept_grid=(2,), C_grid=(10.0,)).fit(X, y, groups=groups)
    per_group = fitted.importance().reshape(GROUPS, SIZE)
    assert sorted(fitted.kept_groups_) == [1, 4]
    assert np.all(per_group[[1, 4]] > 0)
    assert not per_group[[0, 2, 3, 5]].any()
    columns = np.concatenate([np.arange(g * SIZE, (g + 1) * SIZE) for g in (1, 4)])
    plain = GroupedSVC(C_grid=(10.0,)).fit(X[:, columns], y)
    np.testing.assert_allclose(per_group[[1, 4]].ravel(), plain.importance(), rtol=1e-4)


def test_degenerate_corpora_keep_every_group_or_the_one_number_given():
    X, y, groups = corpus(7)
    one_class = model().fit(X, np.repeat("joy", 60), groups=groups)
    assert (one_class.c_search_, one_class.kept_, one_class.predict(X[:1]).tolist()) == ("one class", GROUPS, ["joy"])
    one_subject = model().fit(X, y, groups=np.zeros(60))
    assert (one_subject.c_search_, one_subject.kept_, one_subject.C_) == ("one subject", GROUPS, 1.0)
    assert model(kept_grid=(2,)).fit(X, y, groups=np.zeros(60)).kept_ == 2
    constant = model().fit(np.full_like(X, 0.25), y, groups=groups)
    assert set(constant.predict(X)) <= set(y)
    few = [np.flatnonzero(y == name)[0] for name in np.unique(y)]
    assert model().fit(X[few], y[few], groups=[0, 1, 2]).c_search_ == "one clip per class"


def test_it_survives_cloning_and_pickling():
    X, y, groups = corpus(8)
    fitted = model(kernel="chi2", width_grid=(0.5, 1)).fit(X, y, groups=groups)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).decision_function(X), fitted.decision_function(X))
    assert clone(fitted).get_params() == fitted.get_params()
    assert set(GroupedSVC().get_params()) < set(GroupSelectedSVC().get_params())


def test_impossible_groups_are_refused():
    X, y, groups = corpus(9)
    with pytest.raises(ModelError, match="24 features do not make up groups of 5"):
        model(group_size=5).fit(X, y, groups=groups)
    with pytest.raises(UsageError, match="more than the 6 groups"):
        model(kept_grid=(7,)).fit(X, y, groups=groups)
    for wrong in ({"kept_grid": ()}, {"kept_grid": (0,)}, {"kept_grid": (1.5,)}, {"group_size": 0}):
        with pytest.raises(UsageError):
            model(**wrong).fit(X, y, groups=groups)
    with pytest.raises(ModelError, match="negative features"):
        model().fit(X - 0.1, y, groups=groups)
    with pytest.raises(ModelError, match="was not told its training subjects"):
        model().fit(X, y)


def test_the_deviation_is_said_in_one_sentence():
    assert DEVIATION.count(". ") == 0
    assert "Laplacian score of ours" in DEVIATION

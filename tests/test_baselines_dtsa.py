"""DTSA against its definition in sums over pairs, and the model on it against clips whose class is planted."""

import pickle
from itertools import product

import numpy as np
import pytest
from sklearn.base import clone

from mebench.baselines.learners import dtsa
from mebench.baselines.learners.dtsa import DTSA, Clips, DtsaElm
from mebench.errors import ModelError, UsageError
from mebench.recipes import parse_recipe

SMALL = {"ranks": (2, 3, 2), "neighbours": 3}
EINSUM = "nabc,ai,bj,ck->nijk"


def tensors(seed: int = 0, clips: int = 20, shape: tuple[int, int, int] = (5, 6, 7)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (clips, *shape), dtype=np.uint8)


def labels(clips: int = 20, classes: int = 3, seed: int = 1) -> np.ndarray:
    return np.array(["anger", "fear", "joy"])[np.random.default_rng(seed).permutation(np.arange(clips) % classes)]


def planted(seed: int = 0, clips: int = 48, subjects: int = 8, side: int = 16):
    """Clips of a subject's face on which one of three places brightens and fades."""
    rng = np.random.default_rng(seed)
    groups, codes = np.arange(clips) % subjects, np.arange(clips) // subjects % 3
    faces = rng.normal(128, 25, (subjects, side, side))
    course = np.sin(np.linspace(0, np.pi, side))[:, None, None]
    X = np.empty((clips, side, side, side))
    for i in range(clips):
        change = np.zeros((side, side))
        y, x = ((3, 3), (3, 10), (11, 6))[codes[i]]
        change[y : y + 4, x : x + 4] = 30
        X[i] = faces[groups[i]] + course * change + rng.normal(0, 2, (side,) * 3)
    return np.clip(X, 0, 255).round().astype(np.uint8), np.array(["anger", "fear", "joy"])[codes], groups


def test_features_are_the_projected_tensor():
    X, y = tensors(), labels()
    analysis = DTSA(**SMALL).fit(X, y)
    assert [basis.shape for basis in analysis.bases_] == [(5, 2), (6, 3), (7, 2)]
    expected = np.einsum(EINSUM, X.astype(float), *analysis.bases_).reshape(len(X), -1)
    np.testing.assert_allclose(analysis.transform(X), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_a_mode_is_unfolded_with_the_others_projected(mode):
    X = tensors(2).astype(np.float32)
    bases = [np.random.default_rng(3).normal(size=(n, r)).astype(np.float32) for n, r in ((5, 2), (6, 3), (7, 4))]
    matrices = [np.eye(n) if m == mode else bases[m] for m, n in enumerate(X.shape[1:])]
    expected = np.moveaxis(np.einsum(EINSUM, X, *matrices), mode + 1, 1)
    found = dtsa._unfolded(X, X @ bases[2], bases, mode)
    # the order of what is projected does not matter to a scatter matrix
    np.testing.assert_allclose(
        np.einsum("npq,mrq->nmpr", found, found),
        np.einsum("npq,mrq->nmpr", *[expected.reshape(*expected.shape[:2], -1)] * 2),
        rtol=1e-3,
        atol=1,
    )


def test_graphs_join_the_nearest_of_each_class_by_heat():
    points = np.array([0.0, 1.0, 3.0, 10.0, 2.0, 11.0])
    codes = np.array([0, 0, 0, 0, 1, 1])
    distances = (points[:, None] - points) ** 2
    within, between = dtsa._graphs(distances, codes, 1)
    # Nearest in the class: 0-1, 1-0, 2-1, 3-2; 4-5, 5-4. Nearest of the other: 0-4, 1-4, 2-4, 3-5; 4-1 (the first of
    # the equals 1 and 2), 5-3.
    pairs = {(0, 1), (1, 2), (2, 3), (4, 5)}, {(0, 4), (1, 4), (2, 4), (3, 5)}
    mean = distances[~np.eye(6, dtype=bool)].mean()
    for graph, joined in zip((within, between), pairs, strict=True):
        expected = np.zeros((6, 6))
        for i, j in joined:
            expected[i, j] = expected[j, i] = np.exp(-distances[i, j] / mean)
        np.testing.assert_allclose(graph, expected)


def test_scatter_is_the_weighted_sum_over_pairs():
    views = np.random.default_rng(4).normal(size=(6, 4, 3)).astype(np.float32)
    graph = np.random.default_rng(5).random((6, 6))
    graph = np.triu(graph, 1) + np.triu(graph, 1).T
    expected = np.zeros((4, 4))
    for i, j in product(range(6), repeat=2):
        expected += graph[i, j] * (views[i] - views[j]) @ (views[i] - views[j]).T / 2
    found = dtsa._scatter(views, dtsa._laplacian(graph, np.arange(6), 6))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    spread = dtsa._laplacian(graph, np.array([7, 1, 2, 3, 4, 5]), 8).toarray()
    assert not spread[[0, 6]].any()
    assert not spread[:, [0, 6]].any()


def test_leading_directions_have_the_largest_ratios_in_order():
    rng = np.random.default_rng(6)
    above, below = (m @ m.T for m in rng.normal(size=(2, 6, 9)))
    found = dtsa._leading(above, below, 3, ridge=1e-9).astype(float)
    values = np.sort(np.linalg.eigvals(np.linalg.solve(below, above)).real)[::-1][:3]
    ratios = np.einsum("pr,pq,qr->r", found, above, found) / np.einsum("pr,pq,qr->r", found, below, found)
    np.testing.assert_allclose(ratios, values, rtol=1e-4)
    assert np.all(found[np.abs(found).argmax(axis=0), range(3)] > 0)


def test_classes_lie_further_apart_than_along_the_start():
    X, y, _ = planted()
    codes = np.unique(y, return_inverse=True)[1]

    def ratio(features: np.ndarray) -> float:
        distances = ((features[:, None] - features) ** 2).sum(axis=2)
        within, between = dtsa._graphs(Clips(X).distances, codes, 5)
        return float((between * distances).sum() / (within * distances).sum())

    start = [dtsa._cosines(16, 4) for _ in range(3)]
    fitted = DTSA(ranks=(4, 4, 4)).fit(X, y)
    assert ratio(fitted.transform(X)) > 1.5 * ratio(dtsa._projected(tuple(start), Clips(X)))


def test_projections_are_fitted_on_the_training_clips_alone():
    X, y, _ = planted(1)
    codes, train = np.unique(y, return_inverse=True)[1], np.arange(30)
    analysis = DTSA(ranks=(3, 3, 3))
    expected = analysis.bases(Clips(X), codes, train)
    changed, swapped = X.copy(), codes.copy()
    changed[30:] = tensors(7, 18, (16, 16, 16))
    swapped[30:] = 0
    for basis, same, alone in zip(
        expected,
        analysis.bases(Clips(changed), swapped, train),
        analysis.bases(Clips(X[:30]), codes[:30], train),
        strict=True,
    ):
        np.testing.assert_allclose(same, basis, rtol=1e-3, atol=1e-5 * np.abs(basis).max())
        np.testing.assert_allclose(alone, basis, rtol=1e-3, atol=1e-5 * np.abs(basis).max())


def test_scale_of_the_tensors_does_not_matter_to_the_prediction():
    X, y, _ = planted(2)
    model = DtsaElm(ranks=(4, 4, 4), hidden_grid=(40,))
    whole = model.fit(X, y).decision_function(X)
    np.testing.assert_allclose(clone(model).fit(X / 255, y).decision_function(X / 255), whole, atol=0.02)


def test_planted_classes_are_recognised_on_unseen_subjects():
    X, y, groups = planted(3)
    known = groups < 5
    model = DtsaElm(ranks=(4, 4, 4), hidden_grid=(20, 60)).fit(X[known], y[known], groups=groups[known])
    assert model.hidden_search_ == "inner"
    assert (model.predict(X[~known]) == y[~known]).mean() > 0.8
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_a_clip_is_judged_alike_in_whatever_company():
    X, y, _ = planted(4)
    model = DtsaElm(ranks=(4, 4, 4), hidden_grid=(40,)).fit(X, y)
    together = model.decision_function(X)
    alone = np.concatenate([model.decision_function(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(alone, together, atol=1e-3)


def test_inner_folds_fit_their_own_projections_without_the_subjects_they_ask(monkeypatch):
    X, y, groups = planted(5)
    fitted = []
    original = DTSA.bases

    def spied(self, clips, codes, train):
        fitted.append(train)
        return original(self, clips, codes, train)

    monkeypatch.setattr(DTSA, "bases", spied)
    DtsaElm(ranks=(3, 3, 3), hidden_grid=(10, 20), inner_folds=4).fit(X, y, groups=groups)
    *inner, final = fitted
    assert len(inner) == 4
    assert final.tolist() == list(range(len(X)))
    for train in inner:
        held_out = np.setdiff1d(np.arange(len(X)), train)
        assert len(held_out)
        assert not set(groups[train]) & set(groups[held_out])


def test_the_recipe_makes_a_cube_of_grey_levels():
    recipe = parse_recipe(DtsaElm(size=32).inputs())
    assert str(recipe) == "grey > align(size=32) > tim(frames=32)"
    assert recipe.privilege == "interval"
    model = DtsaElm(size=32, ranks=(2, 2, 2), dtsa_ridge=0.1, hidden_grid=(3, 4), random_state=9)
    assert clone(model).get_params() == model.get_params()


def test_clips_of_one_class_are_no_task_for_dtsa_but_one_for_the_model():
    X = tensors(8)
    same = np.repeat("fear", len(X))
    with pytest.raises(ModelError, match="clips of one class"):
        DTSA(**SMALL).fit(X, same)
    model = DtsaElm(**SMALL).fit(X, same, groups=np.arange(len(X)))
    assert model.predict(X[:2]).tolist() == ["fear", "fear"]


@pytest.mark.parametrize("X", [np.full((6, 5, 6, 7), 80, np.uint8), np.zeros((6, 5, 6, 7))])
def test_clips_all_alike_are_projected_and_answered(X):
    y = np.array(["a", "b"] * 3)
    assert np.isfinite(DTSA(**SMALL).fit(X, y).transform(X)).all()
    assert set(DtsaElm(**SMALL, hidden_grid=(4,)).fit(X, y).predict(X)) <= {"a", "b"}


def test_one_clip_of_each_class_is_enough():
    X, y = tensors(9, 3), np.array(["a", "b", "c"])
    model = DtsaElm(**SMALL, hidden_grid=(50,)).fit(X, y)
    assert model.predict(X).tolist() == ["a", "b", "c"]


def test_grey_levels_of_other_types_are_the_same_clips():
    X, y = tensors(10), labels()
    expected = DTSA(**SMALL).fit(X, y).transform(X)
    for same in (X.astype(np.uint16), X.astype(np.float64), list(X)):
        np.testing.assert_array_equal(DTSA(**SMALL).fit(same, y).transform(same), expected)


@pytest.mark.parametrize(
    "wrong",
    [{"ranks": (2, 3)}, {"ranks": (2, 3, 8)}, {"ranks": (0, 1, 1)}, {"neighbours": 0}, {"sweeps": 0}, {"ridge": 0.0}],
)
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(UsageError):
        DTSA(**{**SMALL, **wrong}).fit(tensors(), labels())


def test_unusable_inputs_are_refused():
    X, y = tensors().astype(float), labels()
    with pytest.raises(ModelError, match=r"takes tensors \(n, a, b, c\)"):
        DTSA(**SMALL).fit(X.reshape(len(X), -1), y)
    with pytest.raises(ModelError, match="not tensors of one shape"):
        DtsaElm(**SMALL).fit([X[0], X[1, 1:]], y[:2])
    with pytest.raises(ModelError, match=r"fitted on tensors of shape \(5, 6, 7\) and is given \(4, 6, 7\)"):
        DTSA(**SMALL).fit(X, y).transform(X[:, 1:])
    with pytest.raises(ModelError, match=r"fitted on inputs of shape \(5, 6, 7\) and is given \(4, 6, 7\)"):
        DtsaElm(**SMALL, hidden_grid=(4,)).fit(X, y).predict(X[:, 1:])
    for bad in (np.nan, np.inf):
        broken = X.copy()
        broken[3, 1, 1, 1] = bad
        with pytest.raises(ModelError, match="nan or inf"):
            DTSA(**SMALL).fit(broken, y)

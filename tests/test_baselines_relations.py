"""What is remembered of pairs of rows: the same bits as computed afresh, whoever asks, in bounded memory."""

import threading

import numpy as np
import pytest

from mebench.baselines.learners import relations
from mebench.baselines.learners.kernels import KERNELS
from mebench.baselines.learners.relations import RELATIONS, forget, recalled, related, remembered_bytes
from mebench.baselines.learners.svm import GroupedSVC
from mebench.errors import ModelError


@pytest.fixture(autouse=True)
def _empty():
    forget()
    yield
    forget()


def histograms(rows: int = 70, features: int = 45, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.gamma(0.4, 1, (rows, features)) * (rng.random((rows, features)) < 0.8)


def counted(monkeypatch, relation: str) -> list[int]:
    """Lists the pairs every call of the compiled relation computes."""
    pairs, plain = [], RELATIONS[relation]

    def counting(rows, which, start, tile, out):
        pairs.append(out.size)
        plain(rows, which, start, tile, out)

    monkeypatch.setattr(relations, "RELATIONS", {**RELATIONS, relation: counting})
    return pairs


@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_relations_are_sums_over_features_in_their_order(relation):
    # Plain Python floats, added one by one: what every value must equal to the last bit.
    a, b = histograms(5, 23), histograms(18, 23, seed=1)
    a[0, :3] = b[0, :3] = 0
    term = {
        "dot": lambda x, z: x * z,
        "squared distance": lambda x, z: (x - z) * (x - z),
        "chi2": lambda x, z: (x - z) * (x - z) / (x + z) if x + z else 0.0,
        "intersection": min,
    }[relation]
    for size, cuts in ((None, [slice(0, 23)]), (5, [slice(k, k + 5) for k in range(0, 20, 5)])):
        rows, others = (a, b) if size is None else (a[:, :20], b[:, :20])
        expected = [[[_summed(term, x[cut].tolist(), z[cut].tolist()) for z in others] for x in rows] for cut in cuts]
        np.testing.assert_array_equal(related(relation, rows, others, size), expected)


def _summed(term, x, z):
    total = 0.0
    for p, q in zip(x, z, strict=True):
        total += term(p, q)
    return total


@pytest.mark.parametrize("size", [None, 9])
@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_a_pair_has_one_value_whoever_asks(relation, size):
    X = histograms()
    whole = related(relation, X, X, size)
    np.testing.assert_array_equal(whole, whole.transpose(0, 2, 1))
    rng = np.random.default_rng(2)
    for _ in range(12):  # subsets in any order, with repetitions, square and not, some met before and some not
        i, j = rng.integers(0, len(X), rng.integers(1, 40)), rng.integers(0, len(X), rng.integers(1, 40))
        np.testing.assert_array_equal(recalled(relation, X[i], X[j], size), whole[:, i[:, None], j])
        np.testing.assert_array_equal(related(relation, X[i], X[j], size), whole[:, i[:, None], j])
        subset = X[i]
        np.testing.assert_array_equal(recalled(relation, subset, subset, size), whole[:, i[:, None], i])


def test_every_pair_is_computed_once_over_the_folds(monkeypatch):
    X = histograms(60)
    pairs = counted(monkeypatch, "chi2")
    for fold in range(6):
        train, test = X[np.arange(60) % 6 != fold], X[np.arange(60) % 6 == fold]
        recalled("chi2", train, train)
        recalled("chi2", test, train)
    # All pairs once are 60 * 61 / 2 = 1830. Whole tiles of 16 columns are computed, which can cost up to twice as much;
    # six folds computed afresh would be 6 * (50 * 51 / 2 + 500) = 10650 at the least.
    assert sum(pairs) < 2 * 1830
    pairs.clear()
    recalled("chi2", X[::-1].copy(), X)
    assert pairs == []


def test_a_remembered_value_is_not_the_callers_to_change():
    X = histograms(6)
    recalled("dot", X, X)[:] = -1
    np.testing.assert_array_equal(recalled("dot", X, X), related("dot", X, X))


def test_relations_and_lengths_are_kept_apart():
    X = histograms(8, 40)
    for relation in RELATIONS:
        for d in (40, 20):
            for size in (None, 10, 20):
                rows = X[:, :d]
                np.testing.assert_array_equal(recalled(relation, rows, rows, size), related(relation, rows, rows, size))


def test_memory_is_bounded_and_the_longest_unused_goes_first(monkeypatch):
    monkeypatch.setattr(relations, "LIMIT_BYTES", 2 * 8 * 20**2)  # two tables of 20 rows
    X = histograms(50)
    for relation in ("dot", "chi2"):
        recalled(relation, X[:20], X[:20])
    assert remembered_bytes() == relations.LIMIT_BYTES
    recalled("dot", X[:5], X[:5])  # used again
    recalled("intersection", X[:20], X[:20])
    assert remembered_bytes() == relations.LIMIT_BYTES
    pairs = counted(monkeypatch, "dot")
    recalled("dot", X[:20], X[:20])
    assert pairs == []
    pairs = counted(monkeypatch, "chi2")
    recalled("chi2", X[:20], X[:20])
    assert sum(pairs) > 0


def test_rows_that_exceed_the_memory_are_computed_and_new_rows_start_a_table_over(monkeypatch):
    monkeypatch.setattr(relations, "LIMIT_BYTES", 8 * 30**2)
    X = histograms(80)
    for rows in (X, X[:25], X[25:50], X[45:60], X):  # too many, then tables that cannot grow into each other
        np.testing.assert_array_equal(recalled("dot", rows, rows), related("dot", rows, rows))
        assert remembered_bytes() <= relations.LIMIT_BYTES


def test_threads_get_what_one_thread_gets():
    X = histograms(60)
    expected, wrong = related("chi2", X, X), []

    def ask(seed):
        rng = np.random.default_rng(seed)
        for _ in range(20):
            i, j = rng.integers(0, 60, 15), rng.integers(0, 60, 15)
            if not np.array_equal(recalled("chi2", X[i], X[j]), expected[:, i[:, None], j]):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("scaling", ["none", "hellinger"])
def test_a_model_is_the_same_with_and_without_what_other_folds_left(kernel, scaling):
    X = histograms(50)
    y, groups = np.array(list("abc"))[np.arange(50) % 3], np.arange(50) % 7
    settings = {"kernel": kernel, "scaling": scaling, "C_grid": (0.1, 1, 10), "inner_repeats": 1}
    fresh = GroupedSVC(**settings).fit(X[:40], y[:40], groups=groups[:40])
    scores = fresh.decision_function(X[40:])
    forget()
    order = np.random.default_rng(3).permutation(50)[:45]
    GroupedSVC(**settings).fit(X[order], y[order], groups=groups[order])
    again = GroupedSVC(**settings).fit(X[:40], y[:40], groups=groups[:40])
    np.testing.assert_array_equal(again.decision_function(X[40:]), scores)
    assert again.search_scores_ == fresh.search_scores_


def test_rows_scaled_by_a_training_set_are_not_remembered():
    X = histograms(40)
    GroupedSVC(scaling="standard", kernel="rbf", C_grid=(1, 10)).fit(X, np.arange(40) % 2, groups=np.arange(40) % 5)
    assert remembered_bytes() == 0


@pytest.mark.parametrize("relation", ["chi2", "intersection"])
def test_relations_of_histograms_refuse_negative_features(relation):
    X = histograms(4)
    X[1, 1] = -1e-3
    for ask in (related, recalled):
        with pytest.raises(ModelError, match="negative features"):
            ask(relation, X, X)

"""Robust PCA against planted parts and a plain reading of its algorithm with full singular value decompositions."""

import numpy as np
import pytest

from mebench.baselines.texture.robust_pca import robust_pca
from mebench.errors import DataError, UsageError


def planted(rows: int, columns: int, rank: int, share: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A matrix of low rank, and a sparse one with entries up to 20 at random places."""
    rng = np.random.default_rng(seed)
    low_rank = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))
    places = rng.random((rows, columns)) < share
    return low_rank, np.where(places, rng.uniform(-20, 20, places.shape), 0)


def plain(matrix: np.ndarray, growth: float = 1.5) -> tuple[np.ndarray, np.ndarray, int]:
    """A, E and iterations by algorithm 5 of arXiv:1009.5055 as printed, Y kept as it is."""
    lam, norm = 1 / np.sqrt(max(matrix.shape)), np.linalg.norm(matrix, 2)
    multiplier, penalty, low_rank = matrix / max(norm, np.abs(matrix).max() / lam), 1.25 / norm, np.zeros(matrix.shape)
    iteration = 0
    while True:
        iteration += 1
        wanted = matrix - low_rank + multiplier / penalty
        sparse = np.sign(wanted) * np.maximum(np.abs(wanted) - lam / penalty, 0)
        left, singular, right = np.linalg.svd(matrix - sparse + multiplier / penalty, full_matrices=False)
        low_rank = left * np.maximum(singular - 1 / penalty, 0) @ right
        residual = matrix - low_rank - sparse
        if np.linalg.norm(residual) <= 1e-7 * np.linalg.norm(matrix):
            return low_rank, sparse, iteration
        multiplier, penalty = multiplier + penalty * residual, penalty * growth


def test_planted_parts_are_recovered():
    low_rank, sparse = planted(200, 200, 5)
    found = robust_pca(low_rank + sparse)
    np.testing.assert_allclose(found.low_rank, low_rank, atol=1e-4)
    np.testing.assert_allclose(found.sparse, sparse, atol=1e-4)
    assert found.rank == 5
    assert found.residual <= 1e-7


def test_slower_growth_recovers_narrow_matrices_that_the_default_only_nears():
    low_rank, sparse = planted(400, 60, 4)
    slow, fast = robust_pca(low_rank + sparse, growth=1.2), robust_pca(low_rank + sparse)
    assert np.abs(slow.low_rank - low_rank).max() < 1e-4
    assert 1e-2 < np.abs(fast.low_rank - low_rank).max() < 0.5
    assert slow.rank == fast.rank == 4
    assert slow.iterations > fast.iterations


@pytest.mark.parametrize("shape", [(90, 20), (20, 90), (40, 40)])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_gram_matrices_give_what_full_decompositions_give(shape, noise):
    low_rank, sparse = planted(*shape, 3, seed=1)
    matrix = low_rank + sparse + np.random.default_rng(2).normal(0, noise, shape)
    found, (expected, rest, iterations) = robust_pca(matrix), plain(matrix)
    np.testing.assert_allclose(found.low_rank, expected, atol=1e-6)
    np.testing.assert_allclose(found.sparse, rest, atol=1e-6)
    assert found.iterations == iterations


def test_the_parts_add_up_to_the_matrix_which_is_left_alone():
    matrix = np.random.default_rng(3).normal(size=(50, 12))
    before = matrix.copy()
    found = robust_pca(matrix)
    left = np.linalg.norm(matrix - found.low_rank - found.sparse) / np.linalg.norm(matrix)
    assert left == pytest.approx(found.residual, rel=1e-3)
    assert found.residual <= 1e-7
    np.testing.assert_array_equal(matrix, before)


def test_scale_changes_the_parts_alike_and_the_steps_not_at_all():
    matrix = sum(planted(60, 20, 2, seed=4))
    once, more = robust_pca(matrix), robust_pca(1000 * matrix)
    np.testing.assert_allclose(more.sparse, 1000 * once.sparse, rtol=1e-6, atol=1e-6)
    assert more.iterations == once.iterations


def test_a_heavy_weight_leaves_nothing_sparse_and_a_light_one_nothing_of_rank():
    matrix = sum(planted(40, 30, 3, seed=5))
    assert not robust_pca(matrix, weight=100.0).sparse.any()
    light = robust_pca(matrix, weight=1e-3)
    assert light.rank == 0
    np.testing.assert_allclose(light.sparse, matrix, atol=1e-5)


def test_what_all_columns_share_is_of_low_rank_and_one_outlier_is_sparse():
    # A rank-one pattern of modulus 1 everywhere, and one entry of 50: lambda = 1/10 parts them.
    matrix = np.outer(np.where(np.arange(100) % 2, 1.0, -1.0), np.ones(30))
    spoiled = matrix.copy()
    spoiled[17, 4] += 50
    found = robust_pca(spoiled)
    assert np.flatnonzero(np.abs(found.sparse) > 1).tolist() == [17 * 30 + 4]
    np.testing.assert_allclose(found.low_rank, matrix, atol=1e-3)


@pytest.mark.parametrize("shape", [(6, 4), (1, 1), (5, 1), (1, 5)])
def test_zeros_are_zeros(shape):
    found = robust_pca(np.zeros(shape, np.uint8))
    assert not found.low_rank.any()
    assert not found.sparse.any()
    assert (found.rank, found.iterations, found.residual) == (0, 0, 0.0)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5)])
def test_single_rows_and_columns_are_separated(shape):
    found = robust_pca(np.arange(1, np.prod(shape) + 1).reshape(shape))
    np.testing.assert_allclose(
        found.low_rank + found.sparse, np.arange(1, np.prod(shape) + 1).reshape(shape), rtol=1e-6
    )


@pytest.mark.parametrize("wrong", [np.zeros((0, 3)), np.zeros(4), np.zeros((2, 2, 2)), np.full((2, 2), np.nan)])
def test_what_is_no_matrix_of_numbers_is_refused(wrong):
    with pytest.raises(DataError, match="Robust PCA got"):
        robust_pca(wrong)


@pytest.mark.parametrize(
    "wrong", [{"weight": 0.0}, {"weight": np.nan}, {"tolerance": 0.0}, {"tolerance": 1.0}, {"growth": 1.0}]
)
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(UsageError, match="no problem that can be solved"):
        robust_pca(np.eye(3), **wrong)

"""Robust principal component analysis: a matrix as the sum of one of low rank and a sparse one."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mebench import DataError, UsageError

from ..compiled import compiled

Matrix: TypeAlias = npt.NDArray[np.float64]

TOLERANCE = 1e-7
"""What is left over, relative to the matrix, when the iteration ends (the authors' default; unconfirmed)."""
FIRST_PENALTY = 1.25
"""The penalty starts at this over the largest singular value (likewise)."""
GROWTH = 1.5
"""The penalty grows by this factor in every iteration (likewise)."""
MOST_ITERATIONS = 1000
"""Beyond this something is wrong: matrices of pixels take 20 to 40 iterations at 1.5, some 140 at 1.05."""


@dataclass(frozen=True, eq=False, slots=True)
class Separation:
    """`low_rank` A and `sparse` E with A + E = D, both (m, n) float64, and how the iteration ended.

    `rank` is that of A; `residual` is |D - A - E| / |D| in the Frobenius norm, at most the tolerance.
    """

    low_rank: Matrix
    sparse: Matrix
    rank: int
    iterations: int
    residual: float


def robust_pca(
    matrix: npt.NDArray[np.generic],
    *,
    weight: float | None = None,
    tolerance: float = TOLERANCE,
    growth: float = GROWTH,
) -> Separation:
    """The minimiser of |A|_* + weight |E|_1 subject to A + E = `matrix` (m, n): sum of singular values, sum of moduli.

    `weight` defaults to 1 / sqrt(max(m, n)), the value for which Candès, Li, Ma and Wright (Robust principal component
    analysis? Journal of the ACM 58(3), 2011, theorem 1.1) prove exact recovery. Solved by the inexact augmented
    Lagrange multiplier method of Lin, Chen and Ma (The augmented Lagrange multiplier method for exact recovery of
    corrupted low-rank matrices, arXiv:1009.5055, algorithm 5).

    `growth` is the factor of the penalty per iteration. The inexact method only reaches the minimiser where it grows
    slowly: of a planted 400x60 matrix of rank 4, 5 % of it corrupted, 1.5 recovers the rank but leaves .1 of an entry
    in the wrong part, 1.2 leaves 1e-5 and takes 26 iterations for 23.

    Deviation: singular values come from the eigenvalues of the smaller Gram matrix, which costs two products per
    iteration and loses what lies below 1e-8 of the largest; the threshold never falls that low before the default
    tolerance is met.

    Raises DataError for a matrix that is empty, not finite or, within 1000 iterations, not separated.
    """
    values = _checked(matrix)
    if not 0 < tolerance < 1 or not growth > 1 or (weight is not None and not weight > 0):
        raise UsageError(
            f"robust_pca(weight={weight}, tolerance={tolerance}, growth={growth}) is no problem that can be solved.",
            "Give a positive weight, a tolerance between 0 and 1 and a growth above 1.",
        )
    if not values.any():
        return Separation(values, values.copy(), rank=0, iterations=0, residual=0.0)
    lam = 1 / np.sqrt(max(values.shape)) if weight is None else weight
    # Both norms ignore transposition, and columns are what the Gram matrix is made of.
    tall = values if values.shape[0] >= values.shape[1] else np.ascontiguousarray(values.T)
    low_rank, sparse, rank, iterations, residual = _separate(tall, lam, tolerance, growth)
    if tall is not values:
        low_rank, sparse = np.ascontiguousarray(low_rank.T), np.ascontiguousarray(sparse.T)
    return Separation(low_rank, sparse, rank, iterations, residual)


def _separate(matrix: Matrix, lam: float, tolerance: float, growth: float) -> tuple[Matrix, Matrix, int, int, float]:
    """A, E, rank of A, iterations and residual of a matrix (m, n), m >= n.

    The multiplier Y is kept as Y / mu, next to which every update is a sum: what is thresholded to A is
    M = D - E + Y/mu, the new Y/mu is (M - A) mu / mu', and the residual D - A - E is M - A - Y/mu.
    """
    largest = _singular(matrix.T @ matrix)[0][0]
    penalty = FIRST_PENALTY / largest
    scale = max(largest, float(np.abs(matrix).max()) / lam)
    size = float(np.linalg.norm(matrix))
    low_rank = np.zeros_like(matrix)
    dual = matrix / (scale * penalty)
    target = np.empty_like(matrix)
    _shrink(matrix, low_rank, dual, lam / penalty, target)
    for iteration in range(1, MOST_ITERATIONS + 1):
        singular, vectors = _singular(target.T @ target)
        kept = singular > 1 / penalty
        shrunk = vectors[:, kept] * (1 - 1 / (penalty * singular[kept]))
        np.matmul(target, shrunk @ vectors[:, kept].T, out=low_rank)
        residual = _left_over(low_rank, target, dual) / size
        if residual <= tolerance:
            # M = D - E + Y/mu, solved for E
            return low_rank, matrix + dual - target, int(kept.sum()), iteration, residual
        _next_dual(low_rank, target, growth, dual)
        penalty *= growth
        _shrink(matrix, low_rank, dual, lam / penalty, target)
    raise DataError(
        f"A matrix of shape {matrix.shape} is not separated to {tolerance:g} within {MOST_ITERATIONS} iterations.",
        "Use a larger tolerance or a weight nearer to 1 / sqrt(rows).",
    )


def _singular(gram: Matrix) -> tuple[Matrix, Matrix]:
    """Singular values, largest first, and right vectors (n, n) of the matrix whose Gram matrix this is."""
    squares, vectors = np.linalg.eigh(gram)
    return np.sqrt(np.maximum(squares[::-1], 0)), vectors[:, ::-1]


@compiled
def _shrink(matrix: Matrix, low_rank: Matrix, dual: Matrix, threshold: float, target: Matrix) -> None:
    """Sets target M = D - E + Y/mu, where E moves D - A + Y/mu towards zero by the threshold."""
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            shifted = matrix[row, column] + dual[row, column]
            wanted = shifted - low_rank[row, column]
            sparse = max(wanted - threshold, 0.0) + min(wanted + threshold, 0.0)
            target[row, column] = shifted - sparse


@compiled
def _left_over(low_rank: Matrix, target: Matrix, dual: Matrix) -> float:
    """|M - A - Y/mu|, which is |D - A - E|."""
    total = 0.0
    for row in range(target.shape[0]):
        part = 0.0
        for column in range(target.shape[1]):
            part += (target[row, column] - low_rank[row, column] - dual[row, column]) ** 2
        total += part
    return np.sqrt(total)  # type: ignore[no-any-return]  # a compiled float


@compiled
def _next_dual(low_rank: Matrix, target: Matrix, growth: float, dual: Matrix) -> None:
    """Sets Y/mu for the grown mu."""
    for row in range(target.shape[0]):
        for column in range(target.shape[1]):
            dual[row, column] = (target[row, column] - low_rank[row, column]) / growth


def _checked(matrix: npt.NDArray[np.generic]) -> Matrix:
    values = np.array(matrix, np.float64, order="C")
    if values.ndim != 2 or not values.size:
        raise DataError(
            f"Robust PCA got an array of shape {values.shape}.",
            "Give a matrix (m, n) with at least one row and column.",
        )
    if not np.isfinite(values).all():
        raise DataError("Robust PCA got a matrix that holds nan or inf.", "Compute its frames again.")
    return values

"""Kernels of support vector machines, split where data enter: what two rows share, and how a training set scales it.

The first part is computed once for all rows and cut into blocks for every inner fold; the second is fitted per fold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics.pairwise import additive_chi2_kernel, euclidean_distances

from mebench import ModelError

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kernel:
    """`relate` takes (n, d), (m, d) to (n, m) and fits nothing; `width` of the training block is gamma, for `apply`."""

    relate: Callable[[Matrix, Matrix], Matrix]
    apply: Callable[[Matrix, float], Matrix]
    width: Callable[[Matrix], float] = lambda _: 1.0


def _dot(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(a @ b.T)


def _squared_distance(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(euclidean_distances(a, b, squared=True))


def _chi_square(a: Matrix, b: Matrix) -> Matrix:
    _refuse_negative(a, b)
    return -np.asarray(additive_chi2_kernel(a, b))


def _intersection(a: Matrix, b: Matrix) -> Matrix:
    _refuse_negative(a, b)
    return np.array([np.minimum(row, b).sum(axis=1) for row in a])


def _refuse_negative(*matrices: Matrix) -> None:
    if any(m.min(initial=0) < 0 for m in matrices):
        raise ModelError(
            "A histogram kernel (chi2, intersection) or hellinger scaling was given negative features.",
            "Use kernel=linear, rbf or poly with scaling=none or standard for features that are not histograms.",
        )


def _inverse_mean(related: Matrix) -> float:
    return 1 / float(related.mean()) if related.any() else 1.0


def _inverse_mean_norm(related: Matrix) -> float:
    return _inverse_mean(np.diag(related))


KERNELS: Mapping[str, Kernel] = {
    "linear": Kernel(_dot, lambda related, _: related),
    "poly": Kernel(_dot, lambda related, gamma: (gamma * related + 1) ** 3, _inverse_mean_norm),
    "rbf": Kernel(_squared_distance, lambda related, gamma: np.exp(-gamma * related), _inverse_mean),
    "chi2": Kernel(_chi_square, lambda related, gamma: np.exp(-gamma * related), _inverse_mean),
    "intersection": Kernel(_intersection, lambda related, _: related),
}
"""With x, z rows and means over the training rows:

    linear          x.z
    poly            (gamma x.z + 1)^3,          gamma = 1 / mean |x|^2
    rbf             exp(-gamma |x - z|^2),      gamma = 1 / mean |x - z|^2
    chi2            exp(-gamma chi2(x, z)),     gamma = 1 / mean chi2, chi2 = sum (x - z)^2 / (x + z), 0/0 = 0
    intersection    sum min(x, z)

gamma follows the features' scale so that one grid of C serves them all (our choice; chi2 as Zhang et al., IJCV 2007).
"""


def hellinger(features: Matrix) -> Matrix:
    """The square roots: the linear kernel on them is the Hellinger kernel of histograms."""
    _refuse_negative(features)
    return np.sqrt(features)

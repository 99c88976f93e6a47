"""Kernels of support vector machines, split where data enter: what two rows share, and how a training set scales it.

The first part is a relation, computed once per pair of rows; the second is fitted on every training set anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.preprocessing import StandardScaler

from .relations import Matrix as Matrix
from .relations import recalled, refuse_negative, related

Scaling = Literal["none", "hellinger", "standard"]
SCALINGS: tuple[Scaling, ...] = ("none", "hellinger", "standard")
DEGREE = 3
"""The degree of `poly` where none is searched; libsvm's default."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """`apply(related, gamma, degree)` makes a kernel of a relation; `width` of the training block gives its gamma.

    `width` is None for a kernel that has no gamma, `graded` tells whether a degree enters.
    """

    relation: str
    apply: Callable[[Matrix, float, int], Matrix]
    width: Callable[[Matrix], float] | None = None
    graded: bool = False

    def gamma(self, training: Matrix) -> float:
        """Gamma of the relation (n, n) among training rows; 1 where the kernel has none or all rows are zero."""
        return 1.0 if self.width is None else self.width(training)


def _itself(related: Matrix, _gamma: float, _degree: int) -> Matrix:
    return related


def _exponential(related: Matrix, gamma: float, _degree: int) -> Matrix:
    return np.exp(-gamma * related)


def _polynomial(related: Matrix, gamma: float, degree: int) -> Matrix:
    return (gamma * related + 1) ** degree


def _inverse_mean(related: Matrix) -> float:
    return 1 / float(related.mean()) if related.any() else 1.0


def _inverse_mean_norm(related: Matrix) -> float:
    return _inverse_mean(np.diag(related))


KERNELS: Mapping[str, Kernel] = {
    "linear": Kernel("dot", _itself),
    "poly": Kernel("dot", _polynomial, _inverse_mean_norm, graded=True),
    "rbf": Kernel("squared distance", _exponential, _inverse_mean),
    "chi2": Kernel("chi2", _exponential, _inverse_mean),
    "intersection": Kernel("intersection", _itself),
}
"""With x, z rows and means over the training rows:

    linear          x.z
    poly            (gamma x.z + 1)^degree,     gamma = 1 / mean |x|^2
    rbf             exp(-gamma |x - z|^2),      gamma = 1 / mean |x - z|^2
    chi2            exp(-gamma chi2(x, z)),     gamma = 1 / mean chi2, chi2 = sum (x - z)^2 / (x + z), 0/0 = 0
    intersection    sum min(x, z)

gamma follows the features' scale so that one grid of C serves them all (our choice; chi2 as Zhang et al., IJCV 2007).
"""


def fitted_scaling(rows: Matrix, scaling: Scaling) -> Callable[[Matrix], Matrix]:
    """The function that scales rows (n, d) as these training rows ask; only "standard" looks at them."""
    if scaling == "standard":
        return cast(Callable[[Matrix], Matrix], StandardScaler().fit(rows).transform)
    return hellinger if scaling == "hellinger" else np.asarray


def hellinger(features: Matrix) -> Matrix:
    """The square roots: the linear kernel on them is the Hellinger kernel of histograms."""
    refuse_negative(features)
    return np.sqrt(features)


def parts_between(kernel: Kernel, scaling: Scaling, a: Matrix, b: Matrix, size: int | None = None) -> Matrix:
    """The kernel's relation between scaled rows a (n, d) and b (m, d), float64 (parts, n, m).

    Rows scaled by "standard" differ from one training set to the next and are met once, so nothing is remembered of
    them and BLAS computes what it can: its last bit may depend on the shapes it is given.
    """
    if scaling != "standard":
        return recalled(kernel.relation, a, b, size)
    if kernel.relation not in _BY_BLAS:
        return related(kernel.relation, a, b, size)
    step = size or a.shape[1]
    cuts = [slice(start, start + step) for start in range(0, a.shape[1], step)]
    return np.stack([_BY_BLAS[kernel.relation](a[:, cut], b[:, cut]) for cut in cuts])


def _dot(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(a @ b.T)


def _squared_distance(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(euclidean_distances(a, b, squared=True))


_BY_BLAS: Mapping[str, Callable[[Matrix, Matrix], Matrix]] = {"dot": _dot, "squared distance": _squared_distance}

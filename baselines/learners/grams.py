"""Kernel matrices between subsets of rows: what does not depend on the subset is computed once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mebench import ModelError

from .kernels import DEGREE, KERNELS, Scaling, fitted_scaling, parts_between
from .relations import Matrix

Codes = npt.NDArray[np.intp]
Block = tuple[Codes, ...]
Ranking = Callable[[Codes], Sequence[int]]
"""From training rows to the parts of their features, the first to be kept first."""


class Shape(NamedTuple):
    """A kernel's shape: a multiple of its gamma, its degree, and how many parts of the features it is computed on."""

    width: float = 1.0
    degree: int = DEGREE
    kept: int = 1


def _all_of_one(_train: Codes) -> Sequence[int]:
    return (0,)


@dataclass(frozen=True)
class Space:
    """What a kernel fitted on training rows needs in order to meet new ones."""

    kernel: str
    scaling: Scaling
    scale: Callable[[Matrix], Matrix]
    rows: Matrix
    gamma: float
    degree: int
    size: int | None
    kept: tuple[int, ...]

    def against(self, rows: Matrix) -> Matrix:
        """The kernel between rows (n, d), not yet scaled, and the training rows (m, d): (n, m)."""
        parts = parts_between(KERNELS[self.kernel], self.scaling, self.scale(rows), self.rows, self.size)
        return _applied(self.kernel, _added(parts, self.kept), self.gamma, self.degree)


@dataclass(frozen=True)
class Grams:
    """Kernel matrices on subsets of `rows` (n, d), scaling and width fitted on the training rows of each subset.

    Features are cut into parts of `size`, None for one part; `ranking` orders the parts from training rows alone.
    """

    rows: Matrix
    kernel: str
    scaling: Scaling
    size: int | None = None
    ranking: Ranking = _all_of_one

    def fold(self, train: Codes, test: Codes, shapes: Iterable[Shape]) -> Iterator[tuple[Shape, Matrix, Matrix]]:
        """Each shape with its (train, train) and (test, train) kernels, one shape at a time."""
        by_kept: dict[int, list[Shape]] = {}
        for shape in shapes:
            by_kept.setdefault(shape.kept, []).append(shape)
        for kept, fitting, asking in self._related(train, test, sorted(by_kept)):
            gamma = KERNELS[self.kernel].gamma(fitting)
            for shape in by_kept[kept]:
                yield (
                    shape,
                    _applied(self.kernel, fitting, shape.width * gamma, shape.degree),
                    _applied(self.kernel, asking, shape.width * gamma, shape.degree),
                )

    def fitted(self, shape: Shape) -> tuple[Space, Matrix]:
        """The space of all rows in this shape, and their kernel (n, n)."""
        everyone = np.arange(len(self.rows))
        scale = fitted_scaling(self.rows, self.scaling)
        _, related, _ = next(self._related(everyone, everyone[:1], [shape.kept]))
        gamma = shape.width * KERNELS[self.kernel].gamma(related)
        kept = tuple(self.ranking(everyone)[: shape.kept])
        space = Space(self.kernel, self.scaling, scale, scale(self.rows), gamma, shape.degree, self.size, kept)
        return space, _applied(self.kernel, related, gamma, shape.degree)

    def _related(self, train: Codes, test: Codes, counts: Sequence[int]) -> Iterator[tuple[int, Matrix, Matrix]]:
        """Relations (train, train) and (test, train) over the first parts of the ranking, for ascending counts."""
        order = self.ranking(train)
        parts, among, across = self._parts_for(train, test)
        done, total = 0, np.zeros(parts.shape[1:])
        for count in counts:
            for part in order[done:count]:
                total += parts[part]
            done = count
            yield count, _finite(total[among]), total[across]

    def _parts_for(self, train: Codes, test: Codes) -> tuple[Matrix, Block, Block]:
        """Relations (parts, n, m) that hold those of train and test, and where (train, train) and (test, train) lie."""
        if self.scaling != "standard":
            return self._parts, np.ix_(train, train), np.ix_(test, train)
        scale = fitted_scaling(self.rows[train], self.scaling)
        fitting, asking = scale(self.rows[train]), scale(self.rows[test])
        kernel = KERNELS[self.kernel]
        found = [parts_between(kernel, self.scaling, rows, fitting, self.size) for rows in (fitting, asking)]
        here, there = np.arange(len(train)), len(train) + np.arange(len(test))
        return np.concatenate(found, axis=1), np.ix_(here, here), np.ix_(there, here)

    @cached_property
    def _parts(self) -> Matrix:
        scaled = fitted_scaling(self.rows, self.scaling)(self.rows)
        return parts_between(KERNELS[self.kernel], self.scaling, scaled, scaled, self.size)


def _added(parts: Matrix, kept: Sequence[int]) -> Matrix:
    """The sum of parts (p, n, m), one after the other as `Grams` adds them: equal to the last bit."""
    total = np.zeros(parts.shape[1:])
    for part in kept:
        total += parts[part]
    return total


def _applied(kernel: str, related: Matrix, gamma: float, degree: int) -> Matrix:
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        return _finite(KERNELS[kernel].apply(related, gamma, degree))


def _finite(matrix: Matrix) -> Matrix:
    if not np.all(np.isfinite(matrix)):
        raise ModelError(
            "The kernel of these features is no finite number: they are too large, or too small, to be squared.",
            "Bring the features to the order of 1, for instance by scaling=standard.",
        )
    return matrix

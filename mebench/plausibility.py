"""Figures in print against arithmetic: which UF1 a confusion matrix with these clips and that UAR can have at all.

Let class c of K hold n_c of N clips, each predicted once, t_c of them rightly; e_c = n_c - t_c clips of c go elsewhere
and f_c clips of other classes come in. Then UAR = mean of t_c / n_c, accuracy = sum of t_c / N, and

    UF1 = mean of 2 t_c / (n_c + t_c + f_c),    sum of f_c = sum of e_c = E,    0 <= f_c <= E - e_c.

The last bound says that a class cannot take its own errors. It is all that is needed: the errors are a transport from
classes to other classes, and by Gale's theorem one exists where every set S of receivers can be served; two receivers
or more can be served by everybody (sum of f over S <= E), and one by all but itself (f_c <= E - e_c).

All t that agree with the printed UAR, and with the printed accuracy where there is one, are walked through. For each,
UF1 is a sum of convex decreasing functions of the f_c:

* Its maximum lies at a corner of the polytope of the f, where all but one f_c are 0 or E - e_c; every corner is tried.
* For its minimum, sum of a_c / b_c >= (sum of sqrt(a_c))^2 / (sum of b_c) (Cauchy and Schwarz), with a_c = 2 t_c and
  sum of b_c = 2 N, gives UF1 >= (sum of sqrt(t_c))^2 / (K N), which drops the bounds on f. Starting where that is
  least, the exact minimum is found by handing out the E clips one by one to the class whose term falls most, which is
  optimal for separable convex functions under these bounds (the feasible f are the integer points of a base of a
  polymatroid; Federgruen & Groenevelt, Operations Research 34, 1986); once the first bound reaches the best minimum, no
  other t can do better.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

MOST_CANDIDATES = 2_000_000
"""Hit vectors walked through at most, some seconds' work; three classes of a few hundred clips need some thousands."""
_MOST_GRID = 4_000_000
_BATCH = 256
_EPSILON = 1e-9

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Between:
    """A closed interval."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low - _EPSILON <= value <= self.high + _EPSILON


def uf1_range(clips: Sequence[int], uar: Between, accuracy: Between | None = None) -> Between | None:
    """The UF1 that classes of so many clips, all predicted, can have with this UAR and accuracy.

    An empty range (low > high) says that no confusion matrix has these two; None that there are too many to walk
    through, as with many classes or coarsely rounded figures.
    """
    n = np.asarray(clips, dtype=np.int64)
    hits = _hits(n, uar, accuracy)
    if hits is None:
        return None
    if not len(hits):
        return Between(1.0, 0.0)
    return Between(_least(n, hits), _most(n, hits))


def _hits(n: Ints, uar: Between, accuracy: Between | None) -> Ints | None:
    """Every vector of hits (m, k) that agrees with the figures; None for too many."""
    k, last = len(n), int(n[-1])
    if np.prod(n[:-1] + 1, dtype=float) > _MOST_GRID:
        return None
    axes = [np.arange(size + 1, dtype=np.float64) / size for size in n[:-1].tolist()]
    recalls = np.zeros(1)
    for axis in axes:
        recalls = np.add.outer(recalls, axis).ravel()
    low = np.ceil((k * uar.low - recalls) * last - _EPSILON).clip(0, last + 1).astype(np.int64)
    high = np.floor((k * uar.high - recalls) * last + _EPSILON).clip(-1, last).astype(np.int64)
    sizes = (high - low + 1).clip(0)
    if sizes.sum() > MOST_CANDIDATES:
        return None
    where = np.repeat(np.arange(len(recalls)), sizes)
    ends = np.cumsum(sizes)
    t_last = np.arange(len(where)) - np.repeat(ends - sizes, sizes) + np.repeat(low, sizes)
    others = np.unravel_index(where, tuple((n[:-1] + 1).tolist()))
    found = np.column_stack([*others, t_last]).astype(np.int64)
    if accuracy is None:
        return found
    right = found.sum(axis=1) / n.sum()
    return np.asarray(found[(right >= accuracy.low - _EPSILON) & (right <= accuracy.high + _EPSILON)])


def _uf1(n: Ints, hits: Ints, taken: Ints) -> Floats:
    return np.asarray((2 * hits / (n + hits + taken)).mean(axis=-1))


def _least(n: Ints, hits: Ints) -> float:
    bound = np.sqrt(hits).sum(axis=1) ** 2 / (len(n) * n.sum())
    order = np.argsort(bound)
    best = np.inf
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        if bound[batch[0]] >= best:
            break
        best = min(best, float(_exact_least(n, hits[batch]).min()))
    return best


def _exact_least(n: Ints, hits: Ints) -> Floats:
    """The least UF1 of each vector of hits (m, k): errors handed out one by one where they cost most."""
    errors = n - hits
    left = errors.sum(axis=1)
    room = left[:, None] - errors
    taken = np.zeros_like(hits)
    rows = np.arange(len(hits))
    for _ in range(int(left.max(initial=0))):
        base = n + hits + taken
        gain = np.where(taken < room, 2 * hits / base - 2 * hits / (base + 1), -1.0)
        chosen = gain.argmax(axis=1)
        taken[rows, chosen] += left > 0
        left = left - (left > 0)
    return _uf1(n, hits, taken)


def _most(n: Ints, hits: Ints) -> float:
    """The greatest UF1 over all vectors of hits (m, k), every corner of the polytope of errors tried."""
    k = len(n)
    errors = n - hits
    total = errors.sum(axis=1)
    room = total[:, None] - errors
    best = 0.0
    for size in range(k):
        for full in combinations(range(k), size):
            rest = total - room[:, full].sum(axis=1)
            for partial in set(range(k)) - set(full):
                fits = (rest >= 0) & (rest <= room[:, partial])
                if not fits.any():
                    continue
                taken = np.zeros_like(hits)
                taken[:, full] = room[:, full]
                taken[:, partial] = rest
                best = max(best, float(_uf1(n, hits[fits], taken[fits]).max()))
    return best


__all__ = ["Between", "uf1_range"]

"""What two rows share (products, distances, overlaps), and a bounded memory of it that all folds of a process use.

A value is a function of its two rows alone, summed over their features one by one in their order: it is the same to the
last bit whoever asks, in whatever company, order or number of calls, remembered or computed. Remembering therefore
changes no result, and carries nothing from one fold to another that the rows themselves do not hold: no label, no
subject, no statistic of other rows. What a training set fits (the scaling "standard", a kernel's width) is not kept.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from mebench import ModelError

from ..compiled import compiled

Matrix = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

LIMIT_BYTES = 256 * 2**20
"""What is remembered in one process: a relation among 2000 rows takes 32 MB, among 255 rows in 25 parts 13 MB."""

_TILE = 16
"""Rows that one pass over another row is related to: 8 to 64 differ by a third, 16 was fastest (4425 features)."""


@compiled
def _dot(rows: Matrix, which: Places, start: int, tile: Matrix, out: Matrix) -> None:
    total = np.empty(tile.shape[1])
    for at in range(len(which)):
        total[:] = 0.0
        for k in range(tile.shape[0]):
            x = rows[which[at], start + k]
            for j in range(tile.shape[1]):
                total[j] += x * tile[k, j]
        out[at] = total


@compiled
def _squared_distance(rows: Matrix, which: Places, start: int, tile: Matrix, out: Matrix) -> None:
    total = np.empty(tile.shape[1])
    for at in range(len(which)):
        total[:] = 0.0
        for k in range(tile.shape[0]):
            x = rows[which[at], start + k]
            for j in range(tile.shape[1]):
                apart = x - tile[k, j]
                total[j] += apart * apart
        out[at] = total


@compiled
def _chi_square(rows: Matrix, which: Places, start: int, tile: Matrix, out: Matrix) -> None:
    total = np.empty(tile.shape[1])
    for at in range(len(which)):
        total[:] = 0.0
        for k in range(tile.shape[0]):
            x = rows[which[at], start + k]
            for j in range(tile.shape[1]):
                both, apart = x + tile[k, j], x - tile[k, j]
                total[j] += apart * apart / both if both > 0.0 else 0.0
        out[at] = total


@compiled
def _intersection(rows: Matrix, which: Places, start: int, tile: Matrix, out: Matrix) -> None:
    total = np.empty(tile.shape[1])
    for at in range(len(which)):
        total[:] = 0.0
        for k in range(tile.shape[0]):
            x = rows[which[at], start + k]
            for j in range(tile.shape[1]):
                total[j] += x if x < tile[k, j] else tile[k, j]
        out[at] = total


RELATIONS: Mapping[str, Callable[[Matrix, Places, int, Matrix, Matrix], None]] = {
    "dot": _dot,
    "squared distance": _squared_distance,
    "chi2": _chi_square,
    "intersection": _intersection,
}
"""x.z, |x - z|^2, sum (x - z)^2 / (x + z) with 0/0 = 0, and sum min(x, z)."""
OF_HISTOGRAMS = ("chi2", "intersection")


def related(relation: str, a: Matrix, b: Matrix, size: int | None = None) -> Matrix:
    """The relation of every row of a (n, d) to every row of b (m, d), float64 (parts, n, m), computed here and now.

    Features are cut into parts of `size` in a row, one part where it is None; relations add up over parts.
    Raises ModelError for negative features where the relation is one of histograms.
    """
    _check_signs(relation, a, b)
    if a is not b:
        return _computed(relation, a, b, size, np.ones((len(a), len(b)), bool))
    wanted = np.triu(np.ones((len(a), len(a)), bool))
    half = _computed(relation, a, a, size, wanted)
    return np.where(wanted, half, half.transpose(0, 2, 1))


def recalled(relation: str, a: Matrix, b: Matrix, size: int | None = None) -> Matrix:
    """What `related` returns, bit for bit, with only those pairs computed that this process has not met before.

    Rows are known by a digest of their content. At most `LIMIT_BYTES` are kept, by relation and length of row; the
    longest unused goes first. Threads may call this at once, and wait for each other.
    """
    _check_signs(relation, a, b)
    names = [_digest(row) for row in a]
    others = names if a is b else [_digest(row) for row in b]
    parts = a.shape[1] // (size or a.shape[1])
    with _LOCK:
        table = _table((relation, a.shape[1], parts), [*names, *others])
        if table is None:
            return related(relation, a, b, size)
        i, j = table.places(names), table.places(others)
        unknown = np.isnan(table.values[0][np.ix_(i, j)])
        wanted = np.triu(unknown) if a is b else unknown
        if wanted.any():
            table.learn(i, j, wanted, _computed(relation, a, b, size, wanted))
        return table.values[:, i[:, None], j]


def forget() -> None:
    """Frees all that is remembered."""
    with _LOCK:
        _TABLES.clear()


def remembered_bytes() -> int:
    """The memory in use, at most `LIMIT_BYTES`."""
    return sum(table.values.nbytes for table in _TABLES.values())


class _Table:
    """Values (parts, rows, rows) among the rows met so far, NaN where a pair was not asked for."""

    def __init__(self, parts: int) -> None:
        self._place: dict[bytes, int] = {}
        self.values = np.empty((parts, 0, 0))

    def bytes_with(self, names: list[bytes]) -> int:
        return 8 * len(self.values) * len({*self._place, *names}) ** 2

    def admit(self, names: list[bytes]) -> None:
        before = len(self._place)
        for name in names:
            self._place.setdefault(name, len(self._place))
        if len(self._place) > before:
            grown = np.full((len(self.values), len(self._place), len(self._place)), np.nan)
            grown[:, :before, :before] = self.values
            self.values = grown

    def places(self, names: list[bytes]) -> Places:
        return np.array([self._place[name] for name in names], np.intp)

    def learn(self, i: Places, j: Places, wanted: npt.NDArray[np.bool_], found: Matrix) -> None:
        m, n = np.nonzero(wanted)
        self.values[:, i[m], j[n]] = self.values[:, j[n], i[m]] = found[:, m, n]


_TABLES: OrderedDict[tuple[str, int, int], _Table] = OrderedDict()
_LOCK = threading.RLock()


def _table(key: tuple[str, int, int], names: list[bytes]) -> _Table | None:
    """The table of the key with room for the rows; None where they alone exceed the limit."""
    table = _TABLES.pop(key, None) or _Table(key[2])
    if table.bytes_with(names) > LIMIT_BYTES:
        table = _Table(key[2])
    needed = table.bytes_with(names)
    if needed > LIMIT_BYTES:
        return None
    while remembered_bytes() + needed > LIMIT_BYTES:
        _TABLES.popitem(last=False)
    table.admit(names)
    _TABLES[key] = table
    return table


def _digest(row: Matrix) -> bytes:
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def _computed(relation: str, a: Matrix, b: Matrix, size: int | None, wanted: npt.NDArray[np.bool_]) -> Matrix:
    """The wanted pairs, and others that share a tile with them."""
    a, d = np.ascontiguousarray(a), a.shape[1]
    step = size or d
    found = np.zeros((d // step, *wanted.shape))
    for first in range(0, len(b), _TILE):
        which = np.flatnonzero(wanted[:, first : first + _TILE].any(axis=1))
        for part in range(len(found) if len(which) else 0):
            start = part * step
            tile = np.ascontiguousarray(b[first : first + _TILE, start : start + step].T)
            block = np.empty((len(which), tile.shape[1]))
            RELATIONS[relation](a, which, start, tile, block)
            found[part, which, first : first + _TILE] = block
    return found


def _check_signs(relation: str, *matrices: Matrix) -> None:
    if relation in OF_HISTOGRAMS:
        refuse_negative(*matrices)


def refuse_negative(*matrices: Matrix) -> None:
    """Raises ModelError where a feature is negative."""
    if any(m.min(initial=0) < 0 for m in matrices):
        raise ModelError(
            "A histogram kernel (chi2, intersection) or hellinger scaling was given negative features.",
            "Use kernel=linear, rbf or poly with scaling=none or standard for features that are not histograms.",
        )

"""A joint table of subjects and classes that has given margins: drawn, for the real one is not ours to give away.

Exactly met are clips per subject, classes per subject, subjects per class and clips per class; everything else is left
to chance.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mebench.synth.marginals import Marginals

Table = NDArray[np.int64]
_TRIES, _SWAPS = 2000, 400
_SIZE_NOISE = 0.5  # log units: who has more clips shows, roughly, more classes


def deal_table(rng: np.random.Generator, margins: Marginals) -> Table:
    """Clips (subjects, classes), subjects in random order and classes in the order of `margins.classes`."""
    sizes = rng.permutation(np.array(margins.sizes))
    totals, holders = (np.array(column) for column in zip(*margins.classes.values(), strict=True))
    for _ in range(_TRIES):
        kinds = _deal_kinds(rng, sizes, margins.kinds)
        held = _deal_support(rng, kinds, holders) if (kinds <= sizes).all() else None
        table = _fill(rng, held, sizes, totals) if held is not None else None
        if table is not None:
            return table
    raise AssertionError(f"No table with these margins was found in {_TRIES} tries.")


def _deal_kinds(rng: np.random.Generator, sizes: Table, kinds: Sequence[int]) -> Table:
    order = np.argsort(np.log(sizes) + rng.normal(0, _SIZE_NOISE, len(sizes)), kind="stable")
    dealt = np.empty(len(sizes), np.int64)
    dealt[order] = sorted(kinds)
    return dealt


def _deal_support(rng: np.random.Generator, kinds: Table, holders: Table) -> NDArray[np.bool_] | None:
    """Which subject holds which class: greedily by need (Gale 1957, Ryser 1957), then mixed by swaps."""
    held, need = np.zeros((len(kinds), len(holders)), bool), holders.copy()
    for row in np.argsort(-kinds, kind="stable"):
        chosen = np.argsort(-(need + rng.uniform(0, 0.5, len(need))), kind="stable")[: kinds[row]]
        held[row, chosen] = True
        need[chosen] -= 1
    if need.any():
        return None
    for _ in range(_SWAPS):
        one, other = rng.choice(len(kinds), 2, replace=False)
        mine, theirs = np.flatnonzero(held[one] & ~held[other]), np.flatnonzero(held[other] & ~held[one])
        if len(mine) and len(theirs):
            swapped = [rng.choice(mine), rng.choice(theirs)]
            held[np.ix_([one, other], swapped)] ^= True
    return held


def _fill(rng: np.random.Generator, held: NDArray[np.bool_], sizes: Table, totals: Table) -> Table | None:
    """One clip in every cell held and the rest at random, then moved within subjects until the classes' totals fit."""
    more, goal = sizes - held.sum(axis=1), totals - held.sum(axis=0)
    free = np.zeros(held.shape, np.int64)
    for row, count in enumerate(more):
        weight = held[row] * np.maximum(goal, 0.1)
        free[row] = rng.multinomial(count, weight / weight.sum())
    while (surplus := free.sum(axis=0) - goal).any():
        path = _path(rng, free, held, int(surplus.argmax()), int(surplus.argmin()))
        if path is None:
            return None
        for row, source, target in path:
            free[row, source] -= 1
            free[row, target] += 1
    return free + held


def _path(
    rng: np.random.Generator, free: Table, held: NDArray[np.bool_], start: int, end: int
) -> list[tuple[int, int, int]] | None:
    """Moves (subject, from class, to class) that carry one clip from a class to another, each within a subject."""
    came: dict[int, tuple[int, int]] = {}
    queue = [start]
    while queue and end not in came:
        source = queue.pop(0)
        for target in range(held.shape[1]):
            rows = np.flatnonzero((free[:, source] > 0) & held[:, target])
            if target not in came and target != start and len(rows):
                came[target] = (int(rng.choice(rows)), source)
                queue.append(target)
    if end not in came:
        return None
    path, at = [], end
    while at != start:
        row, source = came[at]
        path.append((row, source, at))
        at = source
    return path


__all__ = ["Table", "deal_table"]

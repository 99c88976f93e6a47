"""Which action units an emotion shows.

The sets and their weights follow how often sets occur per emotion in the released codings of CASME II and SAMM,
rounded and thinned out: enough to be learnt, and overlapping as the real ones do. SMIC has no coded units; its
classes take the sets of CASME II that they contain.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mebench.synth.action_units import ONE_SIDED, DrawnUnit, Side

Menu = Mapping[tuple[int, ...], float]
Kind = TypeVar("Kind")

COMMON: tuple[int, ...] = (4, 14)
COMMON_SHARE = 0.1
"""In every class, this share of the clips shows the set `COMMON`: any two classes have at least these two units in
common.
"""

ONE_SIDED_SHARE = 0.2  # CASME II .19, SAMM .26 of the clips

MENUS: Mapping[str, Mapping[str, Menu]] = {
    "casme2": {
        "happiness": {(12,): 15, (6, 12): 7, (14,): 3, (12, 15): 1},
        "disgust": {(4,): 10, (4, 7): 18, (4, 10): 9, (4, 9): 5, (9,): 4, (4, 7, 9): 4, (10,): 5},
        "repression": {(17,): 13, (15,): 4, (15, 17): 5, (14,): 2, (12, 17): 1},
        "surprise": {(1, 2): 15, (1,): 4, (2,): 3, (1, 2, 5): 1},
        "others": {(4,): 50, (14,): 15, (4, 7): 4, (17,): 4, (12,): 3, (24,): 3},
    },
    "samm": {
        "anger": {(7,): 28, (4,): 13, (4, 7): 6, (17,): 1, (6, 7): 1},
        "happiness": {(12,): 15, (6, 12): 4, (7, 12): 3, (12, 25): 1},
        "surprise": {(5,): 8, (1, 2): 4, (2, 5): 1, (25,): 1},
        "contempt": {(14,): 7, (12, 14): 2, (14, 17): 3, (24,): 1},
        "other": {(2,): 13, (24,): 6, (20,): 3, (25,): 2, (4,): 1},
    },
    "smic": {
        "negative": {(4,): 14, (4, 7): 8, (4, 10): 5, (4, 9): 5, (17,): 6, (15,): 4, (15, 17): 3, (23,): 2},
        "positive": {(12,): 15, (6, 12): 7, (14,): 3},
        "surprise": {(1, 2): 15, (1,): 4, (2,): 3, (5,): 2},
    },
}


def draw_sets(rng: np.random.Generator, menu: Menu, count: int) -> list[tuple[int, ...]]:
    """`count` sets of units in random order, each set as often as its weight says, rounded up or down at random."""
    weights = {
        **{units: (1 - COMMON_SHARE) * w / sum(menu.values()) for units, w in menu.items()},
        COMMON: COMMON_SHARE,
    }
    return spread_evenly(rng, weights, count)


def spread_evenly(rng: np.random.Generator, weights: Mapping[Kind, float], count: int) -> list[Kind]:
    """`count` kinds in random order, each as often as its weight says, rounded up or down at random.

    Systematic sampling (Madow 1949): evenly spaced points with one random start on the line of cumulated weights.
    """
    order = list(weights)
    rng.shuffle(order)
    edges = np.cumsum([weights[kind] for kind in order])
    points = (rng.uniform() + np.arange(count)) / count * edges[-1]
    drawn = [order[i] for i in np.minimum(np.searchsorted(edges, points, side="right"), len(order) - 1)]
    rng.shuffle(drawn)
    return drawn


def choose_side(
    rng: np.random.Generator, numbers: tuple[int, ...], share: float = ONE_SIDED_SHARE
) -> tuple[DrawnUnit, ...]:
    """The units of a set, on one side of the face in this share of the calls, where the unit can be one-sided."""
    one_sided, left = rng.uniform() < share, rng.uniform() < 0.5
    side: Side = "left" if left else "right"
    units = (DrawnUnit(number) for number in sorted(numbers))
    return tuple(replace(unit, side=side) if one_sided and unit.number in ONE_SIDED else unit for unit in units)


__all__ = ["COMMON", "MENUS", "choose_side", "draw_sets", "spread_evenly"]

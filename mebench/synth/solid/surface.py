"""The surface of an average head, and the grid on which all of it is computed.

A point of the skin is named by where it lies on the average head: `s`, the way around the head from its midline, and
`y`, its height. People and expressions move points; their names stay.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

TOP, BOTTOM = -196.0, 214.0
"""Height of crown and chin."""
RADIUS = 140.0
"""`s` is this times the angle around the head."""
REACH = 290.0
"""The surface goes from -REACH to REACH, some way behind the ears."""
STEP = 2.0
_POLE = 1.5  # the grid ends this far from crown and chin, where all `s` meet
_CROWN, _WIDEST, _CHEEK = -40.0, 142.0, 134.0


@dataclass(frozen=True)
class Grid:
    """Names of the vertices: `s (columns,)` and `y (rows,)`; arrays over the grid are (rows, columns, ...)."""

    s: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def frontal(self) -> NDArray[np.float64]:
        """Where the vertices of the average head lie seen from the front, (rows, columns, 2)."""
        y = np.broadcast_to(self.y[:, None], (len(self.y), len(self.s)))
        return np.stack([half_width(y) * np.sin(self.s / RADIUS), y], axis=-1)

    @property
    def facing(self) -> NDArray[np.float64]:
        """1 where the average head faces the camera, falling to 0 towards the ears, (columns,)."""
        return np.asarray(np.clip(np.cos(self.s / RADIUS) * 4, 0, 1))

    def places(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractional columns and rows (n, 2) of points (n, 2) that are named by s and y."""
        columns = (points[:, 0] - self.s[0]) / STEP
        return np.stack([columns, np.interp(points[:, 1], self.y, np.arange(len(self.y)))], axis=-1)

    def at(self, values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (rows, columns, k) between vertices, at fractional columns and rows (n, 2): (n, k)."""
        low = np.minimum(places.astype(np.int64), np.array([len(self.s), len(self.y)]) - 2)
        (x, y), (i, j) = (places - low).T[..., None], low.T
        upper = values[j, i] * (1 - x) + values[j, i + 1] * x
        lower = values[j + 1, i] * (1 - x) + values[j + 1, i + 1] * x
        return np.asarray(upper * (1 - y) + lower * y)


@cache
def grid() -> Grid:
    """The one grid, `STEP` fine."""
    columns = 2 * round(REACH / STEP) + 1
    rows = np.arange(TOP + _POLE, BOTTOM - _POLE + STEP / 2, STEP)
    return Grid(np.linspace(-REACH, REACH, columns), rows)


def named(frontal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The names (n, 2) of points (n, 2) of the average head that are seen from the front at x and y."""
    x, y = frontal.T
    return np.column_stack([RADIUS * np.arcsin(np.clip(x / half_width(y), -1, 1)), y])


def half_width(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the width of the average head at heights y."""
    up = np.clip((_CROWN - y) / (_CROWN - TOP), 0, 1)
    down = np.clip((y - 70) / (BOTTOM - 70), 0, 1)
    middle = _CHEEK + (_WIDEST - _CHEEK) * (1 + np.cos(np.pi * np.clip((y - _CROWN) / 110, 0, 1))) / 2
    return np.asarray(middle * (1 - up**2.4) ** 0.5 * (1 - down**2.2) ** 0.62)


def average_head() -> NDArray[np.float64]:
    """Vertices (rows, columns, 3) of the average head: an egg with the features of a face on its front."""
    net = grid()
    frontal = net.frontal
    turn = net.s / RADIUS
    y = net.y[:, None]
    bulge = np.sign(np.cos(turn)) * np.sqrt(np.clip(1 - np.abs(np.sin(turn)) ** 2.5, 0, 1))
    depth = _depth(y) * bulge + _features(frontal[..., 0], frontal[..., 1]) * net.facing
    depth += _ears(net)
    out = np.concatenate([frontal, depth[..., None]], axis=-1)
    out[..., 0] += np.sign(net.s) * 1.3 * _ears(net)
    return out


def _depth(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the front lies before the head's axis at heights y."""
    up, down = np.clip((-20 - y) / (-20 - TOP), 0, 1), np.clip((y - 120) / (BOTTOM - 120), 0, 1)
    return np.asarray(140 * (1 - up**2.2) ** 0.5 * (1 - down**4) ** 0.45)


_BUMPS: tuple[tuple[float, float, float, float, float], ...] = (
    (59, 4, 29, 17, -13),  # sockets
    (59, 6, 18, 12, 7),  # balls under the lids
    (54, -33, 33, 10, 6),  # ridge of the brows
    (88, 44, 32, 26, 7),  # cheekbones
    (128, -52, 22, 34, -6),  # temples
    (22, 80, 9, 9, 15),  # wings of the nose
    (62, 120, 26, 26, 4),  # cheeks beside the mouth
)
"""Features on both sides, seen from the front: x, y, width, height (standard deviations) and relief."""
_MIDDLE: tuple[tuple[float, float, float, float, float], ...] = (
    (0, 123, 30, 7, 7),  # upper lip
    (0, 143, 26, 8, 8),  # lower lip
    (0, 132.5, 40, 2.5, -4),  # between the lips
    (0, 164, 30, 7, -6),  # below the lower lip
    (0, 190, 27, 15, 9),  # chin
    (0, 108, 5, 9, -3),  # philtrum
)
_NOSE_Y = np.array([-34.0, -15, 0, 25, 50, 72, 82, 92, 100, 108])
_NOSE_RELIEF = np.array([0.0, 3, 8, 19, 32, 43, 37, 14, 3, 0])


def _features(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relief of the face at frontal x and y."""
    relief = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for cx, cy, width, height, depth in (*_BUMPS, *((-b[0], *b[1:]) for b in _BUMPS), *_MIDDLE):
        relief += depth * bell(x - cx, width) * bell(y - cy, height)
    ridge = 9 + 5 * np.clip(y / 80, 0, 1)
    return relief + smooth_line(_NOSE_Y, _NOSE_RELIEF)(y) * bell(x, ridge)


def _ears(net: Grid) -> NDArray[np.float64]:
    """How far the ears stand off, (rows, columns)."""
    around = bell(np.abs(net.s) - 1.62 * RADIUS, 13)
    return 11 * around * np.clip(1 - ((net.y[:, None] - 22) / 42) ** 2, 0, 1) ** 0.5


def bell(values: NDArray[np.float64], sigma: "float | NDArray[np.float64]") -> NDArray[np.float64]:
    """A Gaussian of height 1."""
    return np.asarray(np.exp(-((values / sigma) ** 2) / 2))


def smooth_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """A function through points that does not overshoot, constant beyond them."""
    from scipy.interpolate import PchipInterpolator

    line = PchipInterpolator(x, y)
    return lambda values: np.asarray(line(np.clip(values, x[0], x[-1])))


__all__ = [
    "BOTTOM",
    "RADIUS",
    "REACH",
    "STEP",
    "TOP",
    "Grid",
    "average_head",
    "bell",
    "grid",
    "half_width",
    "named",
    "smooth_line",
]

"""Triangles to pixels: a depth buffer over the sampling points of a picture."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

CHANNELS = 3
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    """The function compiled; kept on disk where numba finds a folder it may write to."""
    try:
        kernel = numba.njit(cache=True)(function)
    except RuntimeError:  # no such folder: compiled once per process
        kernel = numba.njit(function)
    return cast(F, kernel)


def rasterise(
    points: NDArray[np.float64], values: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values (h, w, 3) of the surface that is seen at each pixel centre, and where any is.

    `points (rows, columns, 3)` are px of the picture and depth, less being nearer, of a grid whose cells are cut into
    two triangles each; `values (rows, columns, 3)` are interpolated linearly within triangles, at the very centres of
    pixels. No position is rounded: motion of a hundredth of a pixel moves what is seen by that much.
    """
    out = np.zeros((*size, CHANNELS), np.float32)
    depth = np.full(size, np.inf)
    _fill(np.ascontiguousarray(points), np.ascontiguousarray(values), out, depth)
    return out, np.isfinite(depth)


@_compiled
def _fill(points: Any, values: Any, out: Any, depth: Any) -> None:  # pragma: no cover  compiled
    for j in range(points.shape[0] - 1):
        for i in range(points.shape[1] - 1):
            for half in range(2):
                if half == 0:
                    a, b, c = (j, i), (j, i + 1), (j + 1, i)
                else:
                    a, b, c = (j + 1, i + 1), (j + 1, i), (j, i + 1)
                _triangle(points, values, out, depth, a, b, c)


@_compiled
def _triangle(
    points: Any, values: Any, out: Any, depth: Any, a: Any, b: Any, c: Any
) -> None:  # pragma: no cover  compiled
    ax, ay, bx, by = points[a[0], a[1], 0], points[a[0], a[1], 1], points[b[0], b[1], 0], points[b[0], b[1], 1]
    cx, cy = points[c[0], c[1], 0], points[c[0], c[1], 1]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area <= 1e-12:  # seen from behind, or edge on
        return
    height, width = depth.shape
    top, bottom = max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(np.floor(max(ay, by, cy))))
    left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(np.floor(max(ax, bx, cx))))
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
            wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
            wc = 1 - wa - wb
            if wa < -1e-9 or wb < -1e-9 or wc < -1e-9:
                continue
            z = wa * points[a[0], a[1], 2] + wb * points[b[0], b[1], 2] + wc * points[c[0], c[1], 2]
            if z >= depth[y, x]:
                continue
            depth[y, x] = z
            for k in range(3):
                out[y, x, k] = wa * values[a[0], a[1], k] + wb * values[b[0], b[1], k] + wc * values[c[0], c[1], k]


__all__ = ["rasterise"]

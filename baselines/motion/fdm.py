"""Facial dynamics map (FDM): the principal motion of space-time cuboids.

Xu, Zhang and Wang, Microexpression identification and categorization using a facial dynamics map, IEEE TAFFC 8(2),
2017. Written from descriptions of the method, without its full text: what "near zero" is, the start of the iteration
and the length of the principal motion are our choices.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mebench import UsageError

from ..compiled import compiled
from .fields import (
    COMPONENTS,
    Boxes,
    Fields,
    block_boxes,
    block_names,
    checked_choice,
    flow_fields,
    whole_numbers,
)

BLOCKS = (8, 8)
SPANS = 4
STILL_PX = 0.1
"""A vector this near to zero along both axes is none: about the error of dense flow in video noise (our choice)."""
REACH_PX = 6.4
"""How far from the median flow the common translation is searched: beyond any head motion an alignment leaves."""
STARTS = 8
MOST_STEPS = 100
"""The iteration rises at every step through finitely many half-planes; in practice it settles within ten."""


def fdm(
    flow: npt.NDArray[np.floating],
    *,
    blocks: tuple[int, int] = BLOCKS,
    spans: int = SPANS,
    still_px: float = STILL_PX,
    directions: tuple[str, ...] = COMPONENTS,
) -> npt.NDArray[np.float32]:
    """The FDM vector, (spans rows columns directions,) float32 px: the principal motion of every cuboid.

    `flow` (t, h, w, 2) in px, x right, y down, from each frame to the next. From every field the translation is taken
    that brings most vectors within `still_px` of zero along both axes, see `common_translation`; 0 takes none. The rest
    is cut into cuboids, `spans` in time, `blocks` (rows, columns) in the image, and each gives its `principal_motion`.
    `directions` are the components kept, "u" and "v".

    Raises DataError for flow that is not such fields or holds fewer pixels or frames than cuboids, UsageError for
    parameters out of range.
    """
    if not 0 <= still_px < REACH_PX:
        raise UsageError(f"FDM with still_px={still_px}.", f"Use a length from 0 to {REACH_PX} px; the default is 0.1.")
    chosen = checked_choice("directions", tuple(directions), COMPONENTS)
    grid = _grid(blocks, spans)
    fields = flow_fields(flow, "FDM", axes=(4,))
    if still_px:
        fields = fields - common_translation(fields, still_px)[:, None, None]
    boxes = block_boxes(fields.shape[:3], grid, "FDM")
    motions = np.zeros((len(boxes), 2))
    _principal_motions(np.ascontiguousarray(fields), boxes, _starts(), motions)
    return motions[:, list(chosen)].astype(np.float32).ravel()


def common_translation(fields: Fields, still_px: float = STILL_PX) -> npt.NDArray[np.float32]:
    """The translation of every field (t, h, w, 2) that leaves most vectors within `still_px` of zero, (t, 2) px.

    Searched on a lattice of that step within 6.4 px of the median vector; of equals the first, by v and then u. Among
    the vectors that the best lattice point brings near zero, the mean is taken; the median where none lies in reach.
    """
    reach = round(REACH_PX / still_px)
    found = [_translation(field.reshape(-1, 2), still_px, reach) for field in fields]
    return np.stack(found).astype(np.float32)


def principal_motion(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The principal motion of vectors (n, 2), n at least 1: its direction p times their mean projection on p, (2,) px.

    p is where p <- normalised sum of the vectors v with <v, p> > 0 comes to rest, begun at the one of eight evenly
    spaced directions whose sum is longest. Vectors against p project to 0.
    """
    motions = np.zeros((1, 2))
    field = np.ascontiguousarray(vectors, np.float32).reshape(1, 1, -1, 2)
    _principal_motions(field, np.array([[0, 1, 0, 1, 0, len(vectors)]], np.int64), _starts(), motions)
    return np.asarray(motions[0])


def feature_names_out(
    *,
    blocks: tuple[int, int] = BLOCKS,
    spans: int = SPANS,
    directions: tuple[str, ...] = COMPONENTS,
) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `t0_r4_c1_u` is time span 0, row 4, column 1, motion to the right."""
    checked_choice("directions", tuple(directions), COMPONENTS)
    return block_names(_grid(blocks, spans), directions)


def _grid(blocks: tuple[int, int], spans: int) -> tuple[int, ...]:
    return (*whole_numbers("spans", (spans,), 1), *whole_numbers("blocks", blocks, 2))


def _starts() -> npt.NDArray[np.float64]:
    angles = np.arange(STARTS) * (2 * np.pi / STARTS)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _translation(vectors: Fields, still_px: float, reach: int) -> npt.NDArray[np.float64]:
    middle = np.median(vectors, axis=0).astype(np.float64)
    counts = np.zeros((2 * reach, 2 * reach), np.int64)
    sums = np.zeros((2 * reach, 2 * reach, 2))
    _fill_cells(vectors, middle, still_px, counts, sums)
    # The four cells around a lattice point are what lies within still_px of it.
    around = _of_four(counts)
    if not around.any():
        return middle
    y, x = np.unravel_index(around.argmax(), around.shape)
    return np.asarray(_of_four(sums)[y, x] / around[y, x])


def _of_four(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:])


@compiled
def _fill_cells(
    vectors: Fields,
    middle: npt.NDArray[np.float64],
    side: float,
    counts: npt.NDArray[np.int64],
    sums: npt.NDArray[np.float64],
) -> None:
    """Adds every vector (n, 2) within reach of `middle` to its cell by v and u: to counts, and to sums (..., 2)."""
    reach = len(counts) // 2
    for i in range(len(vectors)):
        u, v = np.float64(vectors[i, 0]), np.float64(vectors[i, 1])
        x, y = np.floor((u - middle[0]) / side) + reach, np.floor((v - middle[1]) / side) + reach
        if 0 <= x < 2 * reach and 0 <= y < 2 * reach:
            counts[int(y), int(x)] += 1
            sums[int(y), int(x), 0] += u
            sums[int(y), int(x), 1] += v


@compiled
def _principal_motions(
    fields: Fields, boxes: Boxes, starts: npt.NDArray[np.float64], motions: npt.NDArray[np.float64]
) -> None:
    """Writes `motions` (boxes, 2) from fields (t, h, w, 2)."""
    for box in range(len(boxes)):
        t0, t1, y0, y1, x0, x1 = boxes[box]
        cuboid = fields[t0:t1, y0:y1, x0:x1]
        size = (t1 - t0) * (y1 - y0) * (x1 - x0)
        longest, u, v = 0.0, 0.0, 0.0
        for start in range(len(starts)):
            a, b = _half_sum(cuboid, starts[start, 0], starts[start, 1])
            if a * a + b * b > longest:
                longest, u, v = a * a + b * b, a, b
        for _ in range(MOST_STEPS):
            a, b = _half_sum(cuboid, u, v)
            # Equal sums mean the same half of the vectors; each other step makes the sum longer.
            if a * a + b * b <= longest:
                break
            longest, u, v = a * a + b * b, a, b
        motions[box, 0], motions[box, 1] = u / size, v / size


@compiled
def _half_sum(cuboid: Fields, u: float, v: float) -> tuple[float, float]:
    """The sum of the vectors on the side of (u, v)."""
    a, b = 0.0, 0.0
    for t in range(cuboid.shape[0]):
        for y in range(cuboid.shape[1]):
            for x in range(cuboid.shape[2]):
                along, across = np.float64(cuboid[t, y, x, 0]), np.float64(cuboid[t, y, x, 1])
                if along * u + across * v > 0:
                    a += along
                    b += across
    return a, b

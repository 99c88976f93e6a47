"""Blocks of a map of codes, their histograms, the names of their bins, and where they lie on the face."""

from collections.abc import Sequence
from itertools import pairwise, product
from math import ceil, floor
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from mebench import DataError, UnknownName, UsageError

from ..compiled import compiled
from .codes import Codes, Neighbourhood, encode, whole_numbers
from .mappings import Mapping, Table, mapping_table

Style = Literal["code-map", "sub-volume", "overlap", "overlap-even"]
STYLES: tuple[str, ...] = get_args(Style)
Boxes: TypeAlias = npt.NDArray[np.int64]
FACE = 64
"""Side of the canonical face that importance is drawn on, in cells."""


def grid(blocks: tuple[int, ...]) -> tuple[int, int, int]:
    """(rows, columns, spans of time) of blocks given as (rows, columns) or all three; UsageError for anything else."""
    if not whole_numbers(blocks, 2, 3):
        raise UsageError(
            f"LBP blocks {blocks!r} are not (rows, columns) or (rows, columns, spans).", "Use e.g. blocks=(5, 5)."
        )
    rows, columns, *spans = blocks
    return rows, columns, spans[0] if spans else 1


def boxes(
    volume: tuple[int, ...],
    centres: tuple[int, ...],
    blocks: tuple[int, ...],
    style: Style = "code-map",
    overlap: float = 0.0,
) -> Boxes:
    """The blocks as boxes of the code map, (n, 6): t, y and x from and to (exclusive), by span, row and column.

    `volume` is the shape of the volume, `centres` that of its code map. Per axis of L centres and n blocks:

    * "code-map" splits at floor(i L / n) and loses nothing;
    * "sub-volume" computes each floor(pixels / n)-sized crop on its own: a border of every block and the remainder are
      lost, as in several published implementations;
    * "overlap" is that of Oulu's code (Hong, Xu and Zhao 2016): with q = ceil(L / n) and o = floor(q overlap), a block
      starts every max(q - o, 1) and is max(round((L + o (n - 1)) / n), that) long; the last one ends at L. From an
      overlap of about .3 on the last block is the longest by far, and the original stops;
    * "overlap-even" has blocks of the same length, their starts spread evenly from 0 to L less that length.

    Raises DataError where a block would hold no centre, UsageError for an unknown style or an overlap outside [0, 1).
    """
    if style not in STYLES:
        raise UnknownName("LBP block style", str(style), STYLES)
    if not 0 <= overlap < 1:
        raise UsageError(f"LBP blocks with overlap={overlap!r}.", "Use a share of a block, from 0 to below 1.")
    if overlap and not style.startswith("overlap"):
        raise UsageError(f"Blocks of style {style} do not overlap by {overlap}.", "Use style=overlap or overlap-even.")
    rows, columns, spans = grid(blocks)
    parts = (spans, rows, columns)
    axes = [_intervals(*axis, style, overlap) for axis in zip(volume, centres, parts, strict=True)]
    if any(count < n for count, n in zip(centres, parts, strict=True)) or not _fits(axes, centres):
        raise DataError(
            f"{centres[0]} frames of {centres[1]}x{centres[2]} LBP centres do not fill {rows}x{columns}x{spans} blocks "
            f"({style}).",
            "Use larger frames, more frames or fewer blocks.",
        )
    return np.array([[*t, *y, *x] for t, y, x in product(*axes)], np.int64)


def describe(
    volume: npt.NDArray[np.uint8] | npt.NDArray[np.float64],
    hood: Neighbourhood,
    *,
    mapping: Mapping,
    blocks: tuple[int, ...],
    style: Style = "code-map",
    overlap: float = 0.0,
) -> npt.NDArray[np.float32]:
    """The histograms of a volume's codes, block after block and part after part, in one row; every part's sums to 1."""
    codes = encode(volume, hood)
    tables = [mapping_table(mapping, neighbours) for neighbours in hood.neighbours]
    return shares(codes, tables, boxes(volume.shape, codes.shape[1:], blocks, style, overlap)).reshape(-1)


def histograms(codes: Codes, table: npt.NDArray[np.int64], bins: int, boxes: Boxes) -> npt.NDArray[np.int64]:
    """How often each bin occurs in each box, (boxes, parts, bins), of codes (parts, t, h, w); `table` maps codes."""
    # compiled loops check no bounds
    assert np.all((boxes >= 0) & (boxes <= np.repeat(codes.shape[1:], 2)))
    counts = np.zeros((len(boxes), len(codes), bins), np.int64)
    kernel = _count_bytes if codes.dtype == np.uint8 else _count
    kernel(codes, table.copy(), boxes, counts)  # a writable table, because numba compiles read-only arrays apart
    return counts


def shares(codes: Codes, tables: Sequence[Table], boxes: Boxes) -> npt.NDArray[np.float32]:
    """Each box's histograms, part after part, (boxes, sum of bins) float32; every part's sums to 1.

    `tables` holds the table and the number of bins of each part of `codes` (parts, t, h, w).
    """
    found = []
    for part, (table, bins) in enumerate(tables):
        counts = histograms(codes[part : part + 1], table, bins, boxes)[:, 0]
        found.append(counts / counts.sum(axis=1, keepdims=True))
    return np.concatenate(found, axis=1).astype(np.float32)


def block_names(blocks: tuple[int, ...], parts: Sequence[tuple[str, int]]) -> npt.NDArray[np.str_]:
    """The name of every entry of a vector over blocks, then parts of so many bins, then bins.

    `t0_r4_c1_yt_57` is time span 0, row 4, column 1, part yt, bin 57.
    """
    rows, columns, spans = grid(blocks)
    bins = [f"{part}_{b}" for part, count in parts for b in range(count)]
    return np.array([f"t{t}_r{r}_c{c}_{b}" for t, r, c, b in product(range(spans), range(rows), range(columns), bins)])


def spread(
    values: npt.NDArray[np.floating], boxes: Boxes, margins: tuple[int, int, int], size: int
) -> npt.NDArray[np.float64]:
    """Each box's value spread evenly over the pixels of its centres, on a 64x64 face; the map sums to the values' sum.

    `values` (n,), `boxes` (n, 6) of the code map, `margins` (t, y, x) of the codes, `size` the side of the face in px.
    """
    high = [_covered(start + margins[1], stop + margins[1], size) for start, stop in boxes[:, 2:4]]
    wide = [_covered(start + margins[2], stop + margins[2], size) for start, stop in boxes[:, 4:6]]
    face: npt.NDArray[np.float64] = np.einsum(
        "n,ny,nx->yx", np.asarray(values, np.float64), np.stack(high), np.stack(wide)
    )
    return face


def _fits(axes: list[list[tuple[int, int]]], centres: tuple[int, ...]) -> bool:
    """Whether every block holds a centre and none reaches out of the map."""
    return all(0 <= a < b <= count for axis, count in zip(axes, centres, strict=True) for a, b in axis)


def _intervals(pixels: int, centres: int, n: int, style: Style, overlap: float) -> list[tuple[int, int]]:
    """From and to (exclusive) of the n blocks along one axis."""
    if style == "code-map":
        return list(pairwise([i * centres // n for i in range(n + 1)]))
    if style == "sub-volume":
        # The codes of a crop are those of the whole volume less a margin: neighbours of a centre lie in the crop.
        size, lost = pixels // n, pixels - centres
        return [(i * size, (i + 1) * size - lost) for i in range(n)]
    apart = ceil(centres / n)
    shared = floor(apart * overlap)
    step = max(apart - shared, 1)
    # half up, as MATLAB rounds
    size = max(floor((centres + shared * (n - 1)) / n + 0.5), step)
    if style == "overlap":
        return [(i * step, i * step + size) for i in range(n - 1)] + [((n - 1) * step, centres)]
    starts = [i * (centres - size) // max(n - 1, 1) for i in range(n)]
    return [(start, start + size) for start in starts]


def _covered(start: int, stop: int, size: int) -> npt.NDArray[np.float64]:
    """The share of the pixels from start to stop (exclusive) that lies in each of the face's cells, (64,)."""
    edges = np.clip(np.arange(FACE + 1) * (size / FACE), start, stop)
    share: npt.NDArray[np.float64] = np.diff(edges) / (stop - start)
    return share


@compiled
def _count_bytes(
    codes: Codes,
    table: npt.NDArray[np.int64],
    boxes: Boxes,
    counts: npt.NDArray[np.int64],
) -> None:
    """Adds to `counts` (boxes, parts, bins) the codes that lie in each box.

    Neighbouring pixels often have the same code, and a counter cannot be raised twice without waiting: hence four
    counters for each.
    """
    raw = np.empty((4, 256), np.int32)
    for box in range(len(boxes)):
        t0, t1, y0, y1, x0, x1 = boxes[box]
        fours = x0 + (x1 - x0) // 4 * 4
        for part in range(len(codes)):
            raw[:] = 0
            for t in range(t0, t1):
                for y in range(y0, y1):
                    row = codes[part, t, y]
                    for x in range(x0, fours, 4):
                        raw[0, row[x]] += 1
                        raw[1, row[x + 1]] += 1
                        raw[2, row[x + 2]] += 1
                        raw[3, row[x + 3]] += 1
                    for x in range(fours, x1):
                        raw[0, row[x]] += 1
            for code in range(len(table)):
                counts[box, part, table[code]] += raw[0, code] + raw[1, code] + raw[2, code] + raw[3, code]


@compiled
def _count(
    codes: Codes,
    table: npt.NDArray[np.int64],
    boxes: Boxes,
    counts: npt.NDArray[np.int64],
) -> None:
    """Adds to `counts` (boxes, parts, bins) the codes that lie in each box."""
    for box in range(len(boxes)):
        t0, t1, y0, y1, x0, x1 = boxes[box]
        for part in range(len(codes)):
            histogram = counts[box, part]
            for t in range(t0, t1):
                for y in range(y0, y1):
                    for code in codes[part, t, y, x0:x1]:
                        histogram[table[code]] += 1

"""Local binary patterns of integral projections: STLBP-IP, and DiSTLBP-RIP's on the sparse part of the motion.

Huang, Wang, Zhao and Pietikäinen, Facial micro-expression recognition using spatiotemporal local binary pattern with
integral projection, ICCV workshops 2015; Huang et al., Discriminative spatiotemporal local binary pattern with
revisited integral projection for spontaneous facial micro-expression recognition, IEEE TAFFC 10(1), 2019.

A frame's change from the first, D_t = I_t - I_0 with its sign, is summed along the rows of each block to H_t(y) and
along its columns to V_t(x). What is counted, per block and each summing to 1:

    xy-horizontal, xy-vertical   1-D LBP of H_t and V_t, on average over t
    xt                           2-D LBP of the image V_t(x), rows t and columns x
    yt                           2-D LBP of the image H_t(y), rows y and columns t
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mebench import DataError, UsageError

from ..compiled import compiled
from .blocks import block_names, shares
from .codes import Codes, Neighbourhood, check_subset, encode, grey_levels, neighbourhood, planar, whole_numbers
from .mappings import Table, mapping_table
from .robust_pca import robust_pca

Profiles: TypeAlias = npt.NDArray[np.float64]
Edges: TypeAlias = npt.NDArray[np.int64]
PLANES = ("xy", "xt", "yt")
PARTS = ("horizontal", "vertical")
WINDOW = 9
"""Pixels under the one-dimensional mask, centre included: the paper's W."""
BLOCKS = (5, 5)


@dataclass(frozen=True, slots=True)
class Count:
    """One histogram of a block: of which plane and projection, and where its name comes from."""

    plane: str
    part: str

    @property
    def name(self) -> str:
        return f"{self.plane}-{self.part}" if self.plane == "xy" else self.plane


COUNTS = (Count("xy", "horizontal"), Count("xy", "vertical"), Count("xt", "vertical"), Count("yt", "horizontal"))


def stlbp_ip(
    volume: npt.NDArray[np.generic],
    *,
    blocks: tuple[int, int] = BLOCKS,
    window: int = WINDOW,
    planes: tuple[str, ...] = PLANES,
    parts: tuple[str, ...] = PARTS,
) -> npt.NDArray[np.float32]:
    """The STLBP-IP histograms, (blocks x bins,) float32: 512 + 59 + 59 = 630 bins per block by default.

    `volume` is (t, h, w) grey, uint8 or whole numbers in 0..255. `blocks` are (rows, columns), split at
    floor(i h / rows) and floor(i w / columns). Projections, codes and the borders they lose stay inside a block.
    `window` is W: the 1-D LBP compares each value with the (W - 1) / 2 on either side, from left to right with the
    first as the most significant bit, 2^(W - 1) bins. The 2-D LBP has 8 neighbours at radius 1, interpolated, in the 59
    bins of uniform patterns. `planes` and `parts` (projections) leave histograms out; what is counted is counted in the
    order of the module's table, blocks by row and column: `feature_names_out` names each.

    Our choices, as the papers leave them open: each histogram sums to 1; ties within 1e-5 count as equal.

    Raises DataError where a block is smaller than the mask or the clip shorter than four frames (two without xt, yt),
    or for values that are not grey levels.
    """
    counts = _counts(planes, parts)
    grey = grey_levels(volume, what="STLBP-IP")
    edges = _edges(grey.shape, blocks, window, counts)
    return _histograms(_changes(grey, *edges), edges, window, counts)


def distlbp_rip(
    volume: npt.NDArray[np.generic],
    *,
    blocks: tuple[int, int] = BLOCKS,
    window: int = WINDOW,
    planes: tuple[str, ...] = PLANES,
    parts: tuple[str, ...] = PARTS,
) -> npt.NDArray[np.float32]:
    """The histograms of `stlbp_ip`, taken of the sparse part of the motion instead of all of it: same length and order.

    The changes D_t of the whole face, one column of pixels per frame, are separated by `robust_pca` into D = A + E; the
    projections are those of E. What all frames share, such as a change of light, is in A. Changes below 1e-5 grey
    levels are ties: the separation is not more exact than that.

    The discriminative choice of blocks is the classifier's: `models_projection.DistlbpRip`. Errors as `stlbp_ip`.
    """
    counts = _counts(planes, parts)
    grey = grey_levels(volume, what="DiSTLBP-RIP")
    edges = _edges(grey.shape, blocks, window, counts)
    changes = grey[1:].astype(np.float64) - grey[0]
    # rows are frames here: the separation of a transpose is the transpose of the separation
    sparse = robust_pca(changes.reshape(len(changes), -1)).sparse.reshape(changes.shape)
    return _histograms(_project(sparse, *edges), edges, window, counts)


def feature_names_out(
    *,
    blocks: tuple[int, int] = BLOCKS,
    window: int = WINDOW,
    planes: tuple[str, ...] = PLANES,
    parts: tuple[str, ...] = PARTS,
) -> npt.NDArray[np.str_]:
    """The name of every entry: `t0_r4_c1_xy-horizontal_255`, `t0_r4_c1_xt_57`, ...; time is never split."""
    _check_window(window)
    tables = [(count.name, _table(count, window)[1]) for count in _counts(planes, parts)]
    return block_names(_rows_columns(blocks), tables)


def _changes(grey: npt.NDArray[np.uint8], rows: Edges, columns: Edges) -> tuple[Profiles, Profiles]:
    """The projections of D_t: as sums are linear, those of every frame less those of the first."""
    horizontal, vertical = _project(grey, rows, columns)
    return horizontal[:, 1:] - horizontal[:, :1], vertical[:, 1:] - vertical[:, :1]


def _project(
    volume: npt.NDArray[np.uint8] | npt.NDArray[np.float64], rows: Edges, columns: Edges
) -> tuple[Profiles, Profiles]:
    """H (columns of blocks, t, h) and V (rows of blocks, t, w) of a volume (t, h, w)."""
    frames, height, width = volume.shape
    horizontal = np.zeros((len(columns) - 1, frames, height))
    vertical = np.zeros((len(rows) - 1, frames, width))
    _sum_blocks(volume, rows, columns, horizontal, vertical)
    return horizontal, vertical


@compiled
def _sum_blocks(
    volume: npt.NDArray[np.uint8] | npt.NDArray[np.float64],
    rows: Edges,
    columns: Edges,
    horizontal: Profiles,
    vertical: Profiles,
) -> None:
    """Adds every pixel to the projections of its block, reading the volume once."""
    for t in range(volume.shape[0]):
        for r in range(len(rows) - 1):
            below = vertical[r, t]
            for y in range(rows[r], rows[r + 1]):
                line = volume[t, y]
                for x in range(len(line)):
                    below[x] += line[x]
                for c in range(len(columns) - 1):
                    total = line[0] * 0
                    for x in range(columns[c], columns[c + 1]):
                        total += line[x]
                    horizontal[c, t, y] = total


def _histograms(
    profiles: tuple[Profiles, Profiles], edges: tuple[Edges, Edges], window: int, counts: Sequence[Count]
) -> npt.NDArray[np.float32]:
    rows, columns = edges
    found = []
    for count in counts:
        if count.part == "horizontal":
            # H of a column of blocks runs over all rows of blocks
            parts = _profile_shares(profiles[0], rows, count, window).swapaxes(0, 1)
        else:
            parts = _profile_shares(profiles[1], columns, count, window)
        found.append(parts)
    return np.concatenate(found, axis=2).reshape(-1)


def _profile_shares(profiles: Profiles, edges: Edges, count: Count, window: int) -> npt.NDArray[np.float32]:
    """The histograms of profiles (n, t, length) between the edges, (n, segments, bins)."""
    if count.plane == "yt":
        profiles = np.ascontiguousarray(profiles.swapaxes(1, 2))
    hood = _line(window) if count.plane == "xy" else planar((1, 1), 8)
    codes: Codes = encode(profiles, hood)
    if count.plane == "yt":
        codes = codes.swapaxes(2, 3).copy()
    # The codes of a segment are those of the whole line less a margin: neighbours of a centre lie in the segment.
    lost = 2 * _margin(count, window)
    pairs = product(range(len(profiles)), range(len(edges) - 1))
    boxes = [[n, n + 1, 0, codes.shape[2], edges[s], edges[s + 1] - lost] for n, s in pairs]
    return shares(codes, [_table(count, window)], np.array(boxes)).reshape(len(profiles), len(edges) - 1, -1)


def _line(window: int) -> Neighbourhood:
    """The neighbours before and after a value, the first of them as the most significant bit."""
    reach = window // 2
    places = [(0.0, 0.0, float(offset)) for offset in range(reach, -reach - 1, -1) if offset]
    return neighbourhood({"xy": places}, (0, 0, reach))


def _table(count: Count, window: int) -> Table:
    return mapping_table("full", window - 1) if count.plane == "xy" else mapping_table("u2", 8)


def _margin(count: Count, window: int) -> int:
    return window // 2 if count.plane == "xy" else 1


def _counts(planes: tuple[str, ...], parts: tuple[str, ...]) -> list[Count]:
    check_subset(planes, PLANES, "Projection planes")
    check_subset(parts, PARTS, "Integral projections")
    found = [count for count in COUNTS if count.plane in planes and count.part in parts]
    if not found:
        raise UsageError(
            f"No histogram of planes={planes} is made of parts={parts}.",
            "xt needs the vertical projection, yt the horizontal one.",
        )
    return found


def _check_window(window: object) -> None:
    if not isinstance(window, int) or window % 2 == 0 or not 3 <= window <= 15:
        raise UsageError(f"A 1-D LBP mask of {window!r} pixels.", "Use an odd number from 3 to 15; papers use 3 to 9.")


def _rows_columns(blocks: tuple[int, int]) -> tuple[int, int]:
    if not whole_numbers(blocks, 2):
        raise UsageError(f"Projection blocks {blocks!r} are not (rows, columns).", "Use e.g. blocks=(5, 5).")
    return blocks


def _edges(
    shape: tuple[int, ...], blocks: tuple[int, int], window: int, counts: Sequence[Count]
) -> tuple[Edges, Edges]:
    """Where the rows and the columns of blocks begin and end; DataError where a block or the clip is too small."""
    _check_window(window)
    rows, columns = _rows_columns(blocks)
    frames, height, width = shape
    edges = _split(height, rows), _split(width, columns)
    needed = {"horizontal": 1, "vertical": 1}
    for count in counts:
        needed[count.part] = max(needed[count.part], 2 * _margin(count, window) + 1)
    times = 4 if any(count.plane != "xy" for count in counts) else 2
    smallest = np.diff(edges[0]).min(), np.diff(edges[1]).min()
    if frames < times or smallest[0] < needed["horizontal"] or smallest[1] < needed["vertical"]:
        raise DataError(
            f"{frames} frames of {height}x{width} px are too few for integral projections in {rows}x{columns} blocks.",
            f"It takes {times} frames and blocks of {needed['horizontal']}x{needed['vertical']} px: use larger frames "
            "or fewer blocks.",
        )
    return edges


def _split(length: int, parts: int) -> Edges:
    return np.array([i * length // parts for i in range(parts + 1)], np.int64)

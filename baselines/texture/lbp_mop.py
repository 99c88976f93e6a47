"""Local binary patterns of mean orthogonal planes (LBP-MOP).

Wang, See, Phan and Oh, Efficient spatio-temporal local binary patterns for spontaneous facial micro-expression
recognition, PLoS ONE 10(5), 2015, doi:10.1371/journal.pone.0124674. A clip is averaged along each of its axes, and the
three mean images are described by plain local binary patterns.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .blocks import boxes, grid, shares
from .codes import Interpolation, encode, grey_levels
from .lbp_top import PLANES, feature_names_out, top_neighbourhood
from .mappings import Mapping, mapping_table

AVERAGED = {"xy": 0, "xt": 1, "yt": 2}
"""The axis of (t, y, x) that a plane's image is the mean along."""


def lbp_mop(
    volume: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int, int] = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: tuple[int, ...] = (5, 5),
    interpolation: Interpolation = "bilinear",
    planes: tuple[str, ...] = PLANES,
) -> npt.NDArray[np.float32]:
    """The block-wise LBP-MOP histograms, (blocks x planes x bins,) float32; every plane's histogram sums to 1.

    `volume` is (t, h, w) grey, uint8 or whole numbers in 0..255; the parameters are those of `lbp_top.lbp_top`, with
    blocks in style "code-map". XY is the mean over frames, XT over rows and YT over columns, on which neighbours are
    placed as LBP-TOP places them and the same centres counted.

    Our choices, as we know no details of the paper's. The mean runs over the block's own frames, rows or columns (split
    at floor(i n / parts)), so that every block has three images of its own, whose pixels see neighbours beyond the
    block. Means are compared as they are, not rounded to grey levels, which keeps motion below one grey level; equal
    sums of grey levels are equal means, so ties stay ties.

    Raises DataError when the volume holds no centre pixel for some block, or values that are not grey levels.
    """
    hood = top_neighbourhood(radii, neighbours, interpolation, planes, "LBP-MOP")
    grey = grey_levels(volume, what="LBP-MOP")
    rows, columns, spans = grid(blocks)
    table = mapping_table(mapping, neighbours)
    # An image per row of blocks is a volume of few rows: codes do not reach along the averaged axis.
    found = boxes(grey.shape, hood.extent(grey.shape), blocks)
    parts = []
    for plane in planes:
        axis = AVERAGED[plane]
        t, y, x = (0 if a == axis else margin for a, margin in enumerate(hood.margins))
        own = replace(top_neighbourhood(radii, neighbours, interpolation, (plane,)), margins=(t, y, x))
        codes = encode(_means(grey, axis, (spans, rows, columns)[axis]), own)
        parts.append(shares(codes, [table], _thin(found, axis, (spans, rows, columns))))
    return np.concatenate(parts, axis=1).reshape(-1)


def _means(grey: npt.NDArray[np.uint8], axis: int, parts: int) -> npt.NDArray[np.float64]:
    """The mean of each of so many equal parts along an axis, which is then as long as there are parts."""
    edges = np.arange(parts + 1) * grey.shape[axis] // parts
    pieces = np.split(grey, edges[1:-1], axis=axis)
    # 32 bits hold the sum of 16 million grey levels
    means = [piece.sum(axis=axis, dtype=np.uint32) / piece.shape[axis] for piece in pieces]
    return np.stack(means, axis=axis)


def _thin(found: npt.NDArray[np.int64], axis: int, parts: tuple[int, int, int]) -> npt.NDArray[np.int64]:
    """The boxes with the averaged axis as the index of their part along it."""
    thin = found.copy()
    index = np.indices(parts)[axis].reshape(-1)
    thin[:, 2 * axis], thin[:, 2 * axis + 1] = index, index + 1
    return thin


__all__ = ["AVERAGED", "PLANES", "feature_names_out", "lbp_mop"]

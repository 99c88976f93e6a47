"""Histograms of oriented optical flow (HOOF).

Chaudhry, Ravichandran, Hager and Vidal, Histograms of oriented optical flow and Binet-Cauchy kernels on nonlinear
dynamical systems for the recognition of human actions, CVPR 2009, section 3. Written from descriptions of the method,
without its full text. The paper compares series of frame histograms as dynamical systems; here the frames of a time
span share one histogram per block, as micro-expression papers pool them.
"""

import numpy as np
import numpy.typing as npt

from .fields import (
    block_boxes,
    block_names,
    checked_choice,
    direction_bins,
    flow_fields,
    kept_bins,
    magnitude,
    shares,
    weighted_histograms,
    whole_numbers,
)

BLOCKS = (5, 5)
BINS = 8
"""The paper takes 30 for whole bodies; papers on micro-expressions 4 or 8."""


def hoof(
    flow: npt.NDArray[np.floating],
    *,
    bins: int = BINS,
    blocks: tuple[int, int] = BLOCKS,
    spans: int = 1,
    directions: tuple[int, ...] = (),
) -> npt.NDArray[np.float32]:
    """The HOOF vector, (spans rows columns directions,) float32: per block the share of motion in each direction.

    `flow` is (t, h, w, 2), or (h, w, 2) for one field, in px, x right, y down. The direction is atan2(v, |u|), in
    `bins` equal parts from straight up (bin 0) to straight down (the last), so that a left-right mirror of the flow
    keeps it; a vector counts by its length. `blocks` are (rows, columns), disjoint; `spans` cuts the frames likewise.
    `directions` names the bins that count, () for all: what moves in others is left out before shares are taken.

    A block without motion is zero. Raises DataError for flow that is not such fields or holds fewer pixels or frames
    than blocks, UsageError for parameters that are no numbers of blocks, bins or directions.
    """
    kept = _directions(bins, directions)
    grid = _grid(blocks, spans)
    fields = flow_fields(flow, "HOOF")
    found = direction_bins(fields, bins, first_degrees=-90, span_degrees=180, mirrored=True)
    boxes = block_boxes(fields.shape[:3], grid, "HOOF")
    sums = weighted_histograms(kept_bins(found, kept, bins), magnitude(fields), boxes, len(kept))
    return shares(sums).astype(np.float32).ravel()


def feature_names_out(
    *,
    bins: int = BINS,
    blocks: tuple[int, int] = BLOCKS,
    spans: int = 1,
    directions: tuple[int, ...] = (),
) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `t0_r4_c1_3` is time span 0, row 4, column 1, direction 3."""
    return block_names(_grid(blocks, spans), _directions(bins, directions))


def _grid(blocks: tuple[int, int], spans: int) -> tuple[int, ...]:
    return (*whole_numbers("spans", (spans,), 1), *whole_numbers("blocks", blocks, 2))


def _directions(bins: int, directions: tuple[int, ...]) -> tuple[int, ...]:
    every = tuple(range(bins))
    return checked_choice("directions", tuple(directions) or every, every)

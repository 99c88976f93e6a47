"""Bi-weighted oriented optical flow (Bi-WOOF) of one flow field.

Liong, See, Wong and Phan, Less is more: micro-expression recognition from video using apex frame, Signal Processing:
Image Communication 62, 2018, section 3.3; `biwoof.m` of the authors' repository `christy1206/biwoof` for the second
reading.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mebench import DataError, UnknownName

from .fields import (
    UNUSED,
    Fields,
    Span,
    block_boxes,
    block_names,
    checked_choice,
    direction_bins,
    disjoint_spans,
    flow_fields,
    kept_bins,
    magnitude,
    shares,
    weighted_histograms,
    whole_numbers,
)

Reading = Literal["paper", "released"]
BINS = 8
BLOCKS = (5, 5)


def bi_woof(
    flow: npt.NDArray[np.floating],
    strain: npt.NDArray[np.floating],
    *,
    blocks: tuple[int, int] = BLOCKS,
    directions: tuple[int, ...] = tuple(range(BINS)),
    reading: Reading = "paper",
) -> npt.NDArray[np.float32]:
    """The Bi-WOOF vector of onset-apex flow, (rows columns directions,) float32 of Euclidean length 1.

    `flow` (h, w, 2) in px, x right, y down; `strain` (h, w), its optical strain. Each block (row by row) gives a
    histogram of eight directions, 45 degrees each from -180 on, to which a vector counts by its length; its shares are
    multiplied by the strain of the block. `directions` are the bins that count; what moves in others is left out before
    shares are taken. A block without motion is zero, and so is a field without motion or strain.

    The two readings:

        paper      180 degrees belongs to the last bin; the mean strain of a block; disjoint blocks
        released   edges -180:45:179 of MATLAB's histc: bin 7 holds 135 degrees alone and what points further is lost;
                   the sum of the strain; each block reaches one or two px into its neighbours

    `weightedhistc`, which the release calls, is not part of it; we take histc with weights. Raises DataError where flow
    and strain do not fit each other or the blocks, or the strain is negative or not finite; UsageError and UnknownName
    for parameters out of range.
    """
    if reading not in READINGS:
        raise UnknownName("reading of Bi-WOOF", str(reading), READINGS)
    rules, kept = READINGS[reading], _directions(directions)
    grid = (1, *whole_numbers("blocks", blocks, 2))
    fields = flow_fields(flow, "Bi-WOOF", axes=(3,))
    weight = _strain_of(strain, fields)
    boxes = block_boxes(fields.shape[:3], grid, "Bi-WOOF", rules.spans)
    sums = weighted_histograms(kept_bins(rules.bins(fields), kept, BINS), magnitude(fields), boxes, len(kept))
    strained = weighted_histograms(np.zeros(weight.shape, np.uint8), weight, boxes, 1)
    if rules.mean_strain:
        strained /= np.prod(boxes[:, 1::2] - boxes[:, ::2], axis=1)[:, None]
    vector = (shares(sums) * strained).ravel()
    return (vector / (np.linalg.norm(vector) or 1.0)).astype(np.float32)


def feature_names_out(
    *, blocks: tuple[int, int] = BLOCKS, directions: tuple[int, ...] = tuple(range(BINS))
) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `r4_c1_3` is row 4, column 1, direction 3."""
    return block_names(whole_numbers("blocks", blocks, 2), _directions(directions))


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the two readings differ in."""

    bins: Callable[[Fields], npt.NDArray[np.uint8]]
    spans: Callable[[int, int], list[Span]]
    mean_strain: bool


def _all_round(fields: Fields) -> npt.NDArray[np.uint8]:
    return direction_bins(fields, BINS)


def _histc(fields: Fields) -> npt.NDArray[np.uint8]:
    """Bins as MATLAB's histc counts them between eight edges: the last is its edge alone, what lies beyond is lost."""
    bins = direction_bins(fields, BINS)
    at_last_edge = (fields[..., 1] == -fields[..., 0]) & (fields[..., 0] < 0)
    return np.where((bins == BINS - 1) & ~at_last_edge, np.uint8(UNUSED), bins)


def _overlapping_spans(length: int, parts: int) -> list[Span]:
    """The spans of `biwoof.m`, from 1 and inclusive there: 1..s+1, (i-1)s..is+1, (n-1)s..end, with s = floor(L / n)."""
    size = length // parts
    inner = [(i * size - 1, (i + 1) * size + 1) for i in range(parts)]
    starts, stops = [0, *(a for a, _ in inner[1:])], [*(b for _, b in inner[:-1]), length]
    return list(zip(starts, stops, strict=True))


READINGS = {
    "paper": _Rules(_all_round, disjoint_spans, mean_strain=True),
    "released": _Rules(_histc, _overlapping_spans, mean_strain=False),
}


def _directions(directions: tuple[int, ...]) -> tuple[int, ...]:
    return checked_choice("directions", directions, tuple(range(BINS)))


def _strain_of(strain: npt.NDArray[np.floating], fields: Fields) -> npt.NDArray[np.float32]:
    if strain.shape != fields.shape[1:3]:
        raise DataError(
            f"Bi-WOOF got strain of shape {strain.shape} for flow of {fields.shape[1]}x{fields.shape[2]} px.",
            "Give the strain (h, w) of this flow.",
        )
    # `not all` instead of `any`: nan fails every comparison
    if not np.all((strain >= 0) & (strain < np.inf)):
        raise DataError("Bi-WOOF got strain that is negative or not finite.", "Compute the strain from the flow.")
    return strain[None].astype(np.float32)

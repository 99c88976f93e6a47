"""What flow descriptors share: checked fields, direction bins, blocks and histograms weighted by motion.

Angles follow the flow's axes, x right and y down: 0 points right, 90 down, 180 left, -90 up.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

from mebench import DataError, UsageError

from ..compiled import compiled

Fields = npt.NDArray[np.float32]
Boxes = npt.NDArray[np.int64]
Span = tuple[int, int]
"""Pixels from and to (exclusive) along one axis."""

UNUSED = 255
"""The bin of a pixel that no bin takes."""
COMPONENTS = ("u", "v")
"""The two components of flow, x right and y down."""
FACE_SIDE = 64
"""Side of the square face that importance is drawn on."""


def flow_fields(flow: npt.NDArray[np.floating], method: str, axes: tuple[int, ...] = (3, 4)) -> Fields:
    """The flow as contiguous fields (t, h, w, 2) float32; a single field (h, w, 2) becomes one frame.

    `method` is named in errors, `axes` are the numbers of axes it takes. Raises DataError for other shapes, for numbers
    that are not floating-point px (flow stored as an 8-bit image has lost its unit), and where any is not finite or
    beyond 1e18 px, whose square single precision does not hold.
    """
    forms = {3: "(h, w, 2)", 4: "(t, h, w, 2)"}
    if flow.ndim not in axes or flow.shape[-1] != 2 or 0 in flow.shape:
        raise DataError(
            f"{method} got flow of shape {flow.shape}.",
            f"Give flow of shape {' or '.join(forms[n] for n in axes)} with at least one frame and one pixel.",
        )
    if not np.issubdtype(flow.dtype, np.floating):
        raise DataError(f"{method} got flow of dtype {flow.dtype}.", "Give flow in px as floating-point numbers.")
    with np.errstate(over="ignore"):
        fields = np.ascontiguousarray(flow, np.float32)
    # The sum of squares is the quickest look at every number: what is not finite stays so.
    if not np.isfinite(np.vdot(fields, fields)):
        raise DataError(f"{method} got flow that is not finite.", "Recompute the flow of this clip.")
    return fields if fields.ndim == 4 else fields[None]


def direction_bins(
    fields: Fields,
    bins: int,
    *,
    first_degrees: float = -180.0,
    span_degrees: float = 360.0,
    mirrored: bool = False,
) -> npt.NDArray[np.uint8]:
    """The direction bin of every vector of fields (t, h, w, 2), (t, h, w) uint8.

    Bin k takes first + k s <= angle < first + (k + 1) s with s = span / bins; the last takes its upper end as well.
    With `mirrored` the angle is atan2(v, |u|), which a left-right mirror keeps. Computed in degrees and double
    precision, where the eight directions between equal components are exact.
    """
    if not 1 <= bins < UNUSED:
        raise UsageError(f"{bins} direction bins.", f"Use 1 to {UNUSED - 1}; papers use 4, 8 or 30.")
    found = np.empty(fields.shape[:-1], np.uint8)
    for field, bin_of in zip(fields, found, strict=True):  # one by one: the angles of a frame stay in the cache
        u, v = (field[..., i].astype(np.float64) for i in (0, 1))
        # -0.0 would turn flow to the left by -180 degrees instead of 180
        angle = np.degrees(np.arctan2(v + 0.0, np.abs(u) if mirrored else u))
        bin_of[...] = np.minimum((angle - first_degrees) * bins / span_degrees, bins - 1)
    return found


def kept_bins(bins: npt.NDArray[np.uint8], directions: Sequence[int], count: int) -> npt.NDArray[np.uint8]:
    """The bins renumbered by their place in `directions`, those left out as `UNUSED`.

    Raises UsageError where `directions` is empty, repeats one or names none of the `count` bins.
    """
    chosen = checked_choice("directions", tuple(directions), tuple(range(count)))
    table = np.full(256, UNUSED, np.uint8)
    table[list(chosen)] = np.arange(len(chosen))
    return np.asarray(table[bins])


def checked_choice(what: str, chosen: tuple[object, ...], known: tuple[object, ...]) -> tuple[int, ...]:
    """The places of the chosen among the known; UsageError where none is chosen, one is unknown or one comes twice."""
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(known):
        raise UsageError(f"{what}={chosen!r} is no choice of {known!r}.", "Name each at most once, and at least one.")
    return tuple(known.index(one) for one in chosen)


def whole_numbers(what: str, values: object, count: int) -> tuple[int, ...]:
    """The values, checked to be `count` whole numbers from 1 up; UsageError otherwise."""
    if (
        not isinstance(values, tuple)
        or len(values) != count
        or not all(isinstance(v, int) and not isinstance(v, bool) and v >= 1 for v in values)
    ):
        raise UsageError(f"{what}={values!r} are not {count} whole numbers from 1 up.", f"Use e.g. {(5,) * count}.")
    return values


def disjoint_spans(length: int, parts: int) -> list[Span]:
    """`parts` spans that share nothing and lose nothing, split at floor(i length / parts)."""
    return list(pairwise(i * length // parts for i in range(parts + 1)))


def block_boxes(
    shape: tuple[int, ...],
    blocks: tuple[int, ...],
    method: str,
    spans: Callable[[int, int], list[Span]] = disjoint_spans,
) -> Boxes:
    """The blocks of an array as boxes (n, 2 axes) int64: from and to (exclusive) per axis, the last axis fastest.

    Raises DataError where a block would be empty.
    """
    if any(length < parts for length, parts in zip(shape, blocks, strict=True)):
        raise DataError(
            f"{method} cannot cut {'x'.join(map(str, shape))} into {'x'.join(map(str, blocks))} blocks.",
            "Use a larger image, a longer clip or fewer blocks.",
        )
    axes = [spans(length, parts) for length, parts in zip(shape, blocks, strict=True)]
    return np.array([[edge for span in box for edge in span] for box in product(*axes)], np.int64)


def weighted_histograms(
    bins: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32], boxes: Boxes, count: int
) -> npt.NDArray[np.float64]:
    """The sum of the weights (t, h, w) in each bin of each box, (boxes, count); pixels in `UNUSED` count nowhere.

    `boxes` (n, 6) are those of `block_boxes` over (t, h, w).
    """
    sums = np.zeros((len(boxes), count))
    _sum_weights(np.ascontiguousarray(bins), np.ascontiguousarray(weights), boxes, sums)
    return sums


def shares(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each row divided by its sum; a row without motion stays zero."""
    total = sums.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0))


def magnitude(fields: Fields) -> npt.NDArray[np.float32]:
    """The length of every vector of fields (..., 2), px."""
    return np.asarray(np.hypot(fields[..., 0], fields[..., 1]))


def block_names(blocks: tuple[int, ...], entries: Sequence[object]) -> npt.NDArray[np.str_]:
    """The names of every entry of every block: `r4_c1_<entry>`, with a third number of blocks in time `t0_r4_c1_...`.

    `blocks` is (rows, columns) or (spans, rows, columns).
    """
    letters = "trc"[-len(blocks) :]
    places = product(*(range(n) for n in blocks))
    named = ("_".join(f"{letter}{i}" for letter, i in zip(letters, place, strict=True)) for place in places)
    return np.array([f"{place}_{entry}" for place, entry in product(named, entries)])


def block_map(values: npt.NDArray[np.floating], blocks: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Importance per entry drawn on the square face, (64, 64): what a block holds is spread evenly over its place.

    `values` run over the entries of every block, blocks in the order of `block_names`; the map adds up to them. Raises
    DataError where they do not fit.
    """
    cells = int(np.prod(blocks))
    if values.ndim != 1 or len(values) == 0 or len(values) % cells:
        raise DataError(
            f"{values.shape} values of importance do not belong to {cells} blocks.", "Give one value per feature."
        )
    rows, columns = blocks[-2:]
    held = np.asarray(values, np.float64).reshape(-1, rows, columns, len(values) // cells).sum(axis=(0, 3))
    return np.asarray(_overlap(rows) @ held @ _overlap(columns).T)


def _overlap(parts: int) -> npt.NDArray[np.float64]:
    """How much of each of `parts` equal blocks lies in each pixel row of the square face, (64, parts)."""
    pixels, blocks = np.arange(FACE_SIDE)[:, None] / FACE_SIDE, np.arange(parts) / parts
    shared = np.minimum(pixels + 1 / FACE_SIDE, blocks + 1 / parts) - np.maximum(pixels, blocks)
    return np.asarray(np.maximum(shared, 0) * parts)


@compiled
def _sum_weights(
    bins: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32], boxes: Boxes, sums: npt.NDArray[np.float64]
) -> None:
    for box in range(len(boxes)):
        t0, t1, y0, y1, x0, x1 = boxes[box]
        histogram = np.zeros(256)
        for t in range(t0, t1):
            for y in range(y0, y1):
                row, row_weights = bins[t, y, x0:x1], weights[t, y, x0:x1]
                for x in range(len(row)):
                    histogram[row[x]] += row_weights[x]
        sums[box] = histogram[: sums.shape[1]]

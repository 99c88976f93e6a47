"""Local binary patterns from three orthogonal planes (LBP-TOP).

Zhao and Pietikäinen, Dynamic texture recognition using local binary patterns with an application to facial expressions,
IEEE TPAMI 29(6), 2007. Bit order and plane orientation follow the formulas below; other codes permute bits, which
permutes bins and changes nothing for a classifier that treats all bins alike.
"""

from itertools import pairwise, product
from typing import Literal

import numpy as np
import numpy.typing as npt

from mebench import DataError, UsageError

from ..compiled import compiled

Mapping = Literal["u2", "full"]
Interpolation = Literal["bilinear", "nearest"]
Style = Literal["code-map", "sub-volume"]
PLANES = ("xy", "xt", "yt")
TIE = 1e-5
"""A neighbour this much darker than the centre still counts as equal: interpolation weights are not exact binary
fractions, so without a tolerance a flat region gets arbitrary bits. At P = 8 and R = 1 a difference between grey levels
is (m + n sqrt 2) / 2 with |n| <= 510, hence 0 or at least 4.3e-4 (m = 577, n = -408): no true difference is lost."""
SNAP = 1e-9
"""Offsets this close to a whole pixel are that pixel: cos(pi/2) is 6e-17 in floating point."""
MOST_NEIGHBOURS = 16


def lbp_top(
    volume: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int, int] = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: tuple[int, ...] = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
) -> npt.NDArray[np.float32]:
    """The block-wise LBP-TOP histograms, (blocks x 3 x bins,) float32; every plane's histogram sums to 1.

    `volume` is (t, h, w) grey, uint8 or whole numbers in 0..255. `radii` are (Rx, Ry, Rt) in pixels and frames;
    `neighbours` is P; `mapping` "u2" has P(P-1)+3 bins (uniform patterns, then one bin for the rest), "full" 2^P.
    `blocks` is (rows, columns) or (rows, columns, spans of time). The vector runs over time spans, rows, columns, then
    the planes XY, XT, YT, then bins: `feature_names_out` names each.

    `style` "code-map" splits the map of codes at floor(i n / blocks) and loses nothing (our default); "sub-volume"
    computes each floor(n / blocks)-sized crop on its own, so that a border of every block and the remainder are lost,
    as several published implementations do.

    Raises DataError when the volume holds no centre pixel for some block, or values that are not grey levels: float
    frames must be rounded first, or ties vanish.
    """
    grey = grey_levels(volume)
    codes = lbp_top_codes(grey, radii=radii, neighbours=neighbours, interpolation=interpolation)
    boxes = _boxes(grey.shape, codes.shape[1:], blocks, style)
    table, bins = mapping_table(mapping, neighbours)
    counts = np.zeros((len(boxes), len(PLANES), bins), np.int64)
    _count(codes, table, boxes, counts)
    shares: npt.NDArray[np.float64] = counts / counts.sum(axis=2, keepdims=True)
    return shares.astype(np.float32).reshape(-1)


def lbp_top_codes(
    volume: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int, int] = (1, 1, 4),
    neighbours: int = 8,
    interpolation: Interpolation = "bilinear",
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """The code of every centre pixel in the planes XY, XT, YT: (3, t - 2 Rt, h - 2b, w - 2b), b = max(Rx, Ry).

    Bit p, of weight 2^p, is set where the neighbour at angle a = 2 pi p / P is at least the centre; its offset
    (t, y, x) is (0, -Ry sin a, Rx cos a) in XY, (Rt sin a, 0, Rx cos a) in XT and (Rt cos a, -Ry sin a, 0) in YT.
    uint8 up to P = 8, uint16 up to 16. Raises DataError when no pixel can be a centre.
    """
    _check_neighbourhood(radii, neighbours, interpolation)
    grey = grey_levels(volume)
    rt, border = radii[2], max(radii[:2])
    frames, height, width = (n - 2 * margin for n, margin in zip(grey.shape, (rt, border, border), strict=True))
    if min(frames, height, width) < 1:
        raise DataError(
            f"A volume of {grey.shape[0]} frames of {grey.shape[1]}x{grey.shape[2]} px has no LBP-TOP centre at radii "
            f"(Rx, Ry, Rt) = {tuple(radii)}.",
            f"It takes {2 * rt + 1} frames and {2 * border + 1} px a side: interpolate in time or use smaller radii.",
        )
    offsets, weights = _taps(radii, neighbours, interpolation)
    codes = np.zeros((len(PLANES), frames, height, width), np.uint8 if neighbours <= 8 else np.uint16)
    bits = (1 << np.arange(neighbours)).astype(codes.dtype)
    _encode(grey, offsets, weights, bits, rt, border, codes)
    return codes


def mapping_table(mapping: Mapping, neighbours: int) -> tuple[npt.NDArray[np.int64], int]:
    """The bin of every code, (2^P,), and the number of bins.

    "u2" (Ojala, Pietikäinen and Mäenpää 2002): codes with at most two 0/1 transitions around the circle get bins in
    increasing order; all others share the last.
    """
    codes = np.arange(1 << neighbours)
    if mapping == "full":
        return codes, len(codes)
    if mapping != "u2":
        raise UsageError(f"No LBP mapping {mapping!r}.", "Use mapping=u2 or mapping=full.")
    rotated = (codes << 1 | codes >> (neighbours - 1)) & (len(codes) - 1)
    uniform = np.bitwise_count(codes ^ rotated) <= 2
    rest = int(uniform.sum())
    return np.where(uniform, np.cumsum(uniform) - 1, rest), rest + 1


def feature_names_out(
    *, neighbours: int = 8, mapping: Mapping = "u2", blocks: tuple[int, ...] = (5, 5)
) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `t0_r4_c1_yt_57` is time span 0, row 4, column 1, plane YT, bin 57."""
    rows, columns, spans = _grid(blocks)
    bins = mapping_table(mapping, neighbours)[1]
    cells = product(range(spans), range(rows), range(columns), PLANES, range(bins))
    return np.array([f"t{t}_r{r}_c{c}_{plane}_{b}" for t, r, c, plane, b in cells])


def grey_levels(volume: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """The volume as a new contiguous uint8 array (t, h, w); DataError where that would change a value."""
    if volume.ndim != 3:
        raise DataError(
            f"LBP-TOP got an array of shape {volume.shape}.",
            "Give grey frames of shape (t, h, w): in a recipe, put grey before.",
        )
    if volume.dtype == np.uint8:
        return np.array(volume, np.uint8, order="C")
    values = np.asarray(volume, np.float64)
    # `not all` instead of `any outside`: nan fails every comparison
    if not np.all((values >= 0) & (values <= 255) & (values == np.rint(values))):
        raise DataError(
            f"LBP-TOP got {volume.dtype} frames that are not whole grey levels from 0 to 255.",
            "Clip to 0..255 and round to uint8 first: pixels that are equal on paper must compare as equal.",
        )
    return values.astype(np.uint8)


def _check_neighbourhood(radii: tuple[int, int, int], neighbours: int, interpolation: Interpolation) -> None:
    if not _whole(radii, 3):
        raise UsageError(f"LBP-TOP radii {radii!r} are not three whole numbers from 1 up.", "Use e.g. radii=(1, 1, 4).")
    if not 2 <= neighbours <= MOST_NEIGHBOURS:
        raise UsageError(
            f"LBP-TOP with {neighbours} neighbours.", f"Use 2 to {MOST_NEIGHBOURS}; papers use 4, 8 or 16."
        )
    if interpolation not in ("bilinear", "nearest"):
        raise UsageError(f"No LBP interpolation {interpolation!r}.", "Use interpolation=bilinear or nearest.")


def _taps(
    radii: tuple[int, int, int], neighbours: int, interpolation: Interpolation
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Where each neighbour is read, offsets (3, P, 4, 3) in (t, y, x), and with which weights (3, P, 4).

    A neighbour on a pixel has one tap of weight 1; unused taps weigh 0.
    """
    rx, ry, rt = radii
    offsets = np.zeros((len(PLANES), neighbours, 4, 3), np.int64)
    weights = np.zeros((len(PLANES), neighbours, 4))
    for p in range(neighbours):
        angle = 2 * np.pi * p / neighbours
        sine, cosine = np.sin(angle), np.cos(angle)
        places = (0.0, -ry * sine, rx * cosine), (rt * sine, 0.0, rx * cosine), (rt * cosine, -ry * sine, 0.0)
        for plane, place in enumerate(places):
            corners = product(*(_pixels(coordinate, interpolation) for coordinate in place))
            for tap, corner in enumerate(corners):
                offsets[plane, p, tap] = [pixel for pixel, _ in corner]
                weights[plane, p, tap] = np.prod([weight for _, weight in corner])
    return offsets, weights


def _pixels(coordinate: float, interpolation: Interpolation) -> list[tuple[int, float]]:
    """The whole pixels one coordinate is read from, with their weights."""
    whole = round(coordinate)
    if abs(coordinate - whole) < SNAP:
        return [(whole, 1.0)]
    if interpolation == "nearest":
        return [(int(np.floor(coordinate + 0.5)), 1.0)]
    low = int(np.floor(coordinate))
    return [(low, low + 1 - coordinate), (low + 1, coordinate - low)]


@compiled
def _encode(
    volume: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    bits: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    rt: int,
    border: int,
    codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
) -> None:
    """Sets the bits of `codes`; row by row and bit by bit, so that the inner loops run on vector registers."""
    planes, frames, height, width = codes.shape
    none = bits[0] ^ bits[0]
    for plane in range(planes):
        for t in range(frames):
            for y in range(height):
                row = codes[plane, t, y]
                centre = volume[t + rt, y + border, border : border + width]
                for p in range(len(bits)):
                    bit, at = bits[p], offsets[plane, p]
                    # scalars, because the compiler cannot know that writing codes leaves the weights alone
                    w0, w1, w2, w3 = weights[plane, p]
                    first = volume[t + rt + at[0, 0], y + border + at[0, 1], border + at[0, 2] :]
                    if w0 == 1.0:
                        for x in range(width):
                            row[x] |= bit if first[x] >= centre[x] else none
                    else:
                        second = volume[t + rt + at[1, 0], y + border + at[1, 1], border + at[1, 2] :]
                        third = volume[t + rt + at[2, 0], y + border + at[2, 1], border + at[2, 2] :]
                        fourth = volume[t + rt + at[3, 0], y + border + at[3, 1], border + at[3, 2] :]
                        for x in range(width):
                            value = w0 * first[x] + w1 * second[x] + w2 * third[x] + w3 * fourth[x]
                            row[x] |= bit if value >= centre[x] - TIE else none


def _whole(values: object, *lengths: int) -> bool:
    """Whether these are whole numbers from 1 up, as many as one of the lengths."""
    return isinstance(values, tuple) and len(values) in lengths and all(isinstance(v, int) and v >= 1 for v in values)


def _grid(blocks: tuple[int, ...]) -> tuple[int, int, int]:
    """(rows, columns, spans of time)."""
    if not _whole(blocks, 2, 3):
        raise UsageError(
            f"LBP-TOP blocks {blocks!r} are not (rows, columns) or (rows, columns, spans).", "Use e.g. blocks=(5, 5)."
        )
    rows, columns, *spans = blocks
    return rows, columns, spans[0] if spans else 1


def _boxes(
    volume: tuple[int, ...], codes: tuple[int, ...], blocks: tuple[int, ...], style: Style
) -> npt.NDArray[np.int64]:
    """The blocks as boxes of the code map, (n, 6): t, y and x from and to (exclusive), by span, row and column."""
    if style not in ("code-map", "sub-volume"):
        raise UsageError(f"No LBP-TOP block style {style!r}.", "Use style=code-map or style=sub-volume.")
    rows, columns, spans = _grid(blocks)
    axes = []
    for pixels, centres, parts in zip(volume, codes, (spans, rows, columns), strict=True):
        if style == "code-map":
            edges = [i * centres // parts for i in range(parts + 1)]
            axes.append(list(pairwise(edges)))
        else:
            # The codes of a crop are those of the whole volume less a margin: neighbours of a centre lie in the crop.
            size, lost = pixels // parts, pixels - centres
            axes.append([(i * size, (i + 1) * size - lost) for i in range(parts)])
    if any(start >= stop for axis in axes for start, stop in axis):
        raise DataError(
            f"{codes[0]} frames of {codes[1]}x{codes[2]} LBP-TOP centres do not fill {rows}x{columns}x{spans} blocks "
            f"({style}).",
            "Use larger frames, more frames or fewer blocks.",
        )
    return np.array([[*t, *y, *x] for t, y, x in product(*axes)], np.int64)


@compiled
def _count(
    codes: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    table: npt.NDArray[np.int64],
    boxes: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> None:
    """Adds to `counts` (boxes, planes, bins) the codes that lie in each box."""
    for box in range(len(boxes)):
        t0, t1, y0, y1, x0, x1 = boxes[box]
        for plane in range(len(codes)):
            histogram = counts[box, plane]
            for t in range(t0, t1):
                for y in range(y0, y1):
                    for code in codes[plane, t, y, x0:x1]:
                        histogram[table[code]] += 1

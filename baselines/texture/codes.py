"""Local binary codes: neighbourhoods as data, and the one encoder that all LBP descriptors share.

A neighbourhood lists where each neighbour of a pixel lies in time, height and width; the encoder compares every
neighbour with its centre and packs the answers into a code. What a descriptor adds is a list of places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import cos, floor, pi, sin, sqrt
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from mebench import DataError, UsageError

from ..compiled import compiled

Interpolation = Literal["bilinear", "nearest"]
Codes: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Place: TypeAlias = tuple[float, float, float]
Kind = TypeVar("Kind", np.uint8, np.float64)

TIE = 1e-5
"""A neighbour this much darker than the centre still counts as equal: interpolation weights are not exact binary
fractions, so without a tolerance a flat region gets arbitrary bits."""
SNAP = 1e-9
"""Offsets this close to a whole pixel are that pixel: cos(pi/2) is 6e-17 in floating point."""
MOST_NEIGHBOURS = 16
UNIT = 27720
"""What the weight 1 is in whole numbers: twice the denominator of 19601/13860, a convergent of sqrt 2.

At 45 degrees and a whole radius a bilinear weight is (i + j sqrt 2) / 2 with whole i and j, so grey levels differ from
their centre by d = (m + n sqrt 2) / 2. Replacing sqrt 2 by 19601/13860 turns d into (13860 m + 19601 n) / UNIT, whose
numerator is the sum of whole weights times grey levels. It is zero exactly if m = n = 0. Else, for |n| < 13860, it has
the sign of d: |m + n sqrt 2| is at least that of the convergent before, 8119 - 5741 sqrt 2, or 6.1e-5, and the error at
most 13860 * 1.9e-9. Nor does such a difference, d >= 3.0e-5, lie within TIE: these are the codes of the definition."""
MOST_SURDS = 13860
"""What |n| must stay below for `UNIT` to be exact."""
CHUNK = 4096
"""Pixels encoded at a time: their codes and the rows they are compared with stay in the first-level cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Where the neighbours of a pixel are read, for one code per part.

    `parts` name the codes; part i has `neighbours[i]` neighbours, and its bit p of weight 2^p is set where neighbour p
    is at least the centre. `offsets` (parts, P, 4, 3) in (t, y, x) and `weights` (parts, P, 4) are the up to four
    pixels a neighbour is interpolated from; unused ones weigh 0. `margins` (t, y, x) are kept free of centres on
    either side. `whole` are the weights in units of 1 / `UNIT` where whole numbers give the same codes, else None.
    `name` is what errors call the method.
    """

    parts: tuple[str, ...]
    neighbours: tuple[int, ...]
    offsets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    margins: tuple[int, int, int]
    whole: npt.NDArray[np.int16] | None
    name: str = "LBP"

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """How many centres a volume of this shape (t, h, w) has along each axis; DataError where it has none."""
        t, y, x = (n - 2 * margin for n, margin in zip(shape, self.margins, strict=True))
        if min(t, y, x) < 1:
            needed = [2 * margin + 1 for margin in self.margins]
            raise DataError(
                f"A volume of {shape[0]} frames of {shape[1]}x{shape[2]} px has no {self.name} centre at margins "
                f"(t, y, x) = {self.margins}.",
                f"It takes {needed[0]} frames of {needed[1]}x{needed[2]} px: interpolate in time or use smaller radii.",
            )
        return t, y, x


def neighbourhood(
    places: Mapping[str, Sequence[Place]],
    margins: tuple[int, int, int],
    interpolation: Interpolation = "bilinear",
    name: str = "LBP",
) -> Neighbourhood:
    """The neighbourhood whose parts have their neighbours at these (t, y, x) from the centre, bit 0 first.

    At most two coordinates of a place may lie between pixels. "nearest" reads the pixel at floor(coordinate + 0.5).
    Raises UsageError for more than 16 neighbours or an unknown interpolation.
    """
    if interpolation not in ("bilinear", "nearest"):
        raise UsageError(f"No LBP interpolation {interpolation!r}.", "Use interpolation=bilinear or nearest.")
    counts = tuple(len(part) for part in places.values())
    if not counts or not all(1 <= count <= MOST_NEIGHBOURS for count in counts):
        raise UsageError(f"LBP codes of {counts} neighbours.", f"Use 1 to {MOST_NEIGHBOURS}; papers use 4, 8 or 16.")
    offsets = np.zeros((len(counts), max(counts), 4, 3), np.int64)
    weights = np.zeros((len(counts), max(counts), 4))
    for index, part in enumerate(places.values()):
        for p, place in enumerate(part):
            for tap, corner in enumerate(product(*(_pixels(coordinate, interpolation) for coordinate in place))):
                offsets[index, p, tap] = [pixel for pixel, _ in corner]
                weights[index, p, tap] = np.prod([weight for _, weight in corner])
    exact = interpolation == "nearest" or all(_keeps_sign(place) for part in places.values() for place in part)
    whole = np.rint(weights * UNIT).astype(np.int16) if exact else None
    return Neighbourhood(tuple(places), counts, offsets, weights, margins, whole, name)


def circle(neighbours: int) -> list[tuple[float, float]]:
    """(sine, cosine) of the angles 2 pi p / P, p = 0..P-1; UsageError unless P is a whole number from 2 to 16."""
    if not whole_numbers((neighbours,), 1) or not 2 <= neighbours <= MOST_NEIGHBOURS:
        raise UsageError(f"LBP with {neighbours} neighbours.", f"Use 2 to {MOST_NEIGHBOURS}; papers use 4, 8 or 16.")
    angles = [2 * pi * p / neighbours for p in range(neighbours)]
    return [(sin(a), cos(a)) for a in angles]


def planar(radii: tuple[int, int], neighbours: int, interpolation: Interpolation = "bilinear") -> Neighbourhood:
    """The 2-D neighbourhood of radii (Rx, Ry): bit p at (-Ry sin a, Rx cos a) in (y, x), a = 2 pi p / P.

    Give the encoder an image as a volume of one frame, `image[None]`. Centres keep max(Rx, Ry) from every side.
    """
    if not whole_numbers(radii, 2):
        raise UsageError(f"LBP radii {radii!r} are not two whole numbers from 1 up.", "Use e.g. radii=(1, 1).")
    rx, ry = radii
    border = max(radii)
    places: list[Place] = [(0.0, -ry * sine, rx * cosine) for sine, cosine in circle(neighbours)]
    return neighbourhood({"xy": places}, (0, border, border), interpolation)


def encode(volume: npt.NDArray[Any], hood: Neighbourhood) -> Codes:
    """The code of every centre and part, (parts, t', h', w'): uint8 up to 8 neighbours, uint16 up to 16.

    `volume` is (t, h, w) uint8, or taken as float64, and compared as it is: the tolerance `TIE` is absolute, so values
    that should be equal must be equal. Raises DataError where no pixel can be a centre.
    """
    extent = hood.extent(volume.shape)
    counts, margins = np.array(hood.neighbours), np.array(hood.margins)
    bits, codes = _empty(hood, extent)
    _, height, width = volume.shape
    steps = hood.offsets @ np.array([height * width, width, 1])
    if volume.dtype == np.uint8 and hood.whole is not None:
        _encode_whole(_plain(volume, np.uint8), steps, hood.whole, counts, margins, bits, codes)
    elif volume.dtype == np.uint8:
        _encode_real(_plain(volume, np.uint8), steps, hood.weights, counts, margins, bits, codes)
    else:
        _encode_real(_plain(volume, np.float64), steps, hood.weights, counts, margins, bits, codes)
    return codes


def _empty(hood: Neighbourhood, extent: tuple[int, int, int]) -> tuple[Codes, Codes]:
    """The bits 1, 2, 4, ... and room for the codes, as narrow as they fit."""
    powers = 1 << np.arange(max(hood.neighbours))
    shape = (len(hood.parts), *extent)
    if len(powers) <= 8:
        return powers.astype(np.uint8), np.empty(shape, np.uint8)
    return powers.astype(np.uint16), np.empty(shape, np.uint16)


def _plain(volume: npt.NDArray[Any], kind: type[Kind]) -> npt.NDArray[Kind]:
    """The volume in C order and writable, itself if it is: numba compiles each other kind of array anew."""
    plain = np.ascontiguousarray(volume, kind)
    return plain if plain.flags.writeable else plain.copy()


def grey_levels(volume: npt.NDArray[np.generic], ndim: int = 3, what: str = "LBP") -> npt.NDArray[np.uint8]:
    """The volume as a new contiguous uint8 array; DataError where that would change a value, naming the method."""
    if volume.ndim != ndim:
        form = "grey frames of shape (t, h, w)" if ndim == 3 else "a grey image of shape (h, w)"
        raise DataError(f"{what} got an array of shape {volume.shape}.", f"Give {form}: in a recipe, put grey before.")
    if volume.dtype == np.uint8:
        return np.array(volume, np.uint8, order="C")
    if volume.dtype.kind not in "biuf":
        raise DataError(f"{what} got an array of {volume.dtype}.", "Give grey levels, uint8.")
    values = np.asarray(volume, np.float64)
    # `not all` instead of `any outside`: nan fails every comparison
    if not np.all((values >= 0) & (values <= 255) & (values == np.rint(values))):
        raise DataError(
            f"{what} got {volume.dtype} frames that are not whole grey levels from 0 to 255.",
            "Clip to 0..255 and round to uint8 first: pixels that are equal on paper must compare as equal.",
        )
    return values.astype(np.uint8, order="C")


def check_subset(given: object, known: Sequence[str], what: str) -> None:
    """Raises UsageError unless these are some of the known parts of a descriptor, each once, as a tuple."""
    if not isinstance(given, tuple) or not given or len(set(given)) < len(given) or not set(given) <= set(known):
        raise UsageError(f"{what} {given!r} are not some of {', '.join(known)}.", "Name each that is wanted once.")


def whole_numbers(values: object, *lengths: int) -> bool:
    """Whether these are whole numbers from 1 up, as many as one of the lengths."""
    return isinstance(values, tuple) and len(values) in lengths and all(isinstance(v, int) and v >= 1 for v in values)


def _pixels(coordinate: float, interpolation: Interpolation) -> list[tuple[int, float]]:
    """The whole pixels one coordinate is read from, with their weights."""
    whole = round(coordinate)
    if abs(coordinate - whole) < SNAP:
        return [(whole, 1.0)]
    if interpolation == "nearest":
        return [(floor(coordinate + 0.5), 1.0)]
    low = floor(coordinate)
    return [(low, low + 1 - coordinate), (low + 1, coordinate - low)]


def _keeps_sign(place: Place) -> bool:
    """Whether whole weights give this neighbour the bit of the definition: see `UNIT`.

    A place at 45 degrees lies at R / sqrt 2 and R' / sqrt 2 on its axes. With k = floor(R / sqrt 2) and k' alike, the
    products of its weights carry sqrt 2 at most (2k + 1) R' + (2k' + 1) R times on either side of zero.
    """
    between = [abs(c) for c in place if abs(c - round(c)) >= SNAP]
    if not between:
        return True
    radii = [round(c * sqrt(2)) for c in between]
    if len(between) != 2 or any(abs(c * sqrt(2) - r) >= SNAP for c, r in zip(between, radii, strict=True)):
        return False
    first, second = (2 * floor(c) + 1 for c in between)
    return 255 * (first * radii[1] + second * radii[0]) < MOST_SURDS


@compiled
def _encode_whole(
    volume: npt.NDArray[np.uint8],
    steps: npt.NDArray[np.int64],
    weights: npt.NDArray[np.int16],
    counts: npt.NDArray[np.int64],
    margins: npt.NDArray[np.int64],
    bits: Codes,
    codes: Codes,
) -> None:
    """Fills `codes`, comparing whole numbers.

    Several rows are encoded at a time and as one line, the margins between them included, so that the inner loops run
    on full vector registers. What they make of the margins stays behind when the rows are copied out.
    """
    parts, frames, height, width = codes.shape
    stride = volume.shape[2]
    pixels = volume.reshape(-1)
    rows = max(CHUNK // stride, 1)
    line = np.empty(rows * stride, codes.dtype)
    none = bits[0] ^ bits[0]
    for t in range(frames):
        for top in range(0, height, rows):
            below = min(top + rows, height)
            at = ((t + margins[0]) * volume.shape[1] + top + margins[1]) * stride + margins[2]
            length = (below - top) * stride - 2 * margins[2]
            centre = pixels[at : at + length]
            for part in range(parts):
                line[:] = 0
                for p in range(counts[part]):
                    # scalars, because the compiler cannot know that writing codes leaves the weights alone
                    bit, (w0, w1, w2, w3), step = bits[p], weights[part, p], steps[part, p]
                    first = pixels[at + step[0] : at + step[0] + length]
                    if w0 == UNIT:
                        for x in range(length):
                            line[x] |= bit if first[x] >= centre[x] else none
                    else:
                        second = pixels[at + step[1] : at + step[1] + length]
                        third = pixels[at + step[2] : at + step[2] + length]
                        fourth = pixels[at + step[3] : at + step[3] + length]
                        for x in range(length):
                            # 32 bits are enough, and twice as fast as the 64 of numba's sums
                            value = np.int32(w0 * first[x] + w1 * second[x] + w2 * third[x] + w3 * fourth[x])
                            line[x] |= bit if value >= np.int32(UNIT * centre[x]) else none
                for y in range(below - top):
                    codes[part, t, top + y] = line[y * stride : y * stride + width]


@compiled
def _encode_real(
    volume: npt.NDArray[np.uint8] | npt.NDArray[np.float64],
    steps: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    margins: npt.NDArray[np.int64],
    bits: Codes,
    codes: Codes,
) -> None:
    """Fills `codes`, comparing float64 values up to `TIE`: the definition, for any places and any values."""
    parts, frames, height, width = codes.shape
    stride = volume.shape[2]
    pixels = volume.reshape(-1)
    none = bits[0] ^ bits[0]
    for part in range(parts):
        for t in range(frames):
            for y in range(height):
                at = ((t + margins[0]) * volume.shape[1] + y + margins[1]) * stride + margins[2]
                row, centre = codes[part, t, y], pixels[at : at + width]
                row[:] = 0
                for p in range(counts[part]):
                    bit, (w0, w1, w2, w3), step = bits[p], weights[part, p], steps[part, p]
                    first = pixels[at + step[0] : at + step[0] + width]
                    if w0 == 1.0:
                        for x in range(width):
                            row[x] |= bit if first[x] >= centre[x] - TIE else none
                    else:
                        second = pixels[at + step[1] : at + step[1] + width]
                        third = pixels[at + step[2] : at + step[2] + width]
                        fourth = pixels[at + step[3] : at + step[3] + width]
                        for x in range(width):
                            value = w0 * first[x] + w1 * second[x] + w2 * third[x] + w3 * fourth[x]
                            row[x] |= bit if value >= centre[x] - TIE else none

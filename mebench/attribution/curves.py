"""Deletion and insertion: how the class's probability falls and rises as places go or come in the order of a map.

After RISE (Petsiuk et al., BMVC 2018): deleted places take the mean of their channel, inserted ones come into a blurred
image. Either image is unlike any the network was trained on, so a curve mixes what the place was worth with how the
network takes broken images; the order of a shifted map, equally smooth and wrong, goes through the same.
"""

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

STEPS: Final = 10
"""Equal parts in which places go or come; a curve has one point more."""

BLUR: Final = 0.1
"""Standard deviation of the blur that insertion starts from, in sides of the image: features are gone, shades stay."""

CAVEAT = (
    "Images with parts deleted or blurred lie out of the distribution that the network learnt; read the curves against "
    "those of the shifted map only."
)

KINDS = ("deletion", "insertion")
ORDERS = ("map", "shifted")

Score = Callable[[npt.NDArray[Any]], Doubles]
"""The probability (n,) of the class in question for images (n, ...)."""


def areas(curves: Doubles) -> Doubles:
    """The mean height of curves (..., STEPS + 1), by the trapezoid rule: from 0 to 1 as probabilities are."""
    found: Doubles = (curves[..., 1:] + curves[..., :-1]).mean(axis=-1) / 2
    return found


def curves_of(image: npt.NDArray[Any], values: Doubles, score: Score, generator: np.random.Generator) -> Doubles:
    """The curves (2, 2, STEPS + 1) of one clip: its image (..., h, w) and the map (h, w) of what speaks for its class.

    Where the map is flat, places come in random order.
    """
    plain = np.asarray(image, np.float32)
    ends = deleted(plain), blurred(plain)
    orders = [ranks(values, generator), ranks(shifted(values, generator), generator)]
    shown = []
    for kind in KINDS:
        for rank in orders:
            for gone in np.arange(STEPS + 1) / STEPS:
                first = rank < gone
                shown.append(np.where(first, ends[0], plain) if kind == "deletion" else np.where(first, plain, ends[1]))
    return np.asarray(score(np.stack(shown)), np.float64).reshape(len(KINDS), len(ORDERS), STEPS + 1)


def ranks(values: Doubles, generator: np.random.Generator) -> Doubles:
    """The rank of each place (h, w) by falling value, from 0 to just below 1; equal ones in random order."""
    order = np.lexsort((generator.random(values.size), -values.ravel()))
    found = np.empty(values.size)
    found[order] = np.arange(values.size) / values.size
    return found.reshape(values.shape)


def shifted(values: Doubles, generator: np.random.Generator) -> Doubles:
    """The map at a random place, what leaves at one side coming in at the other: as smooth, and of the same values."""
    moves = tuple(int(generator.integers(side)) for side in values.shape)
    return np.roll(values, moves, axis=(0, 1))


def deleted(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What stands where a place is gone: the mean of each channel, (..., h, w)."""
    return np.broadcast_to(image.mean(axis=(-2, -1), keepdims=True), image.shape)


def blurred(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The image (..., h, w) without its features."""
    planes = image.reshape(-1, *image.shape[-2:])
    sigma = BLUR * max(image.shape[-2:])
    return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in planes]).reshape(image.shape)

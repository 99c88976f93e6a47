"""How far a magnifier moves things: a texture is shifted as a whole, and the shift found again in what comes back.

The gain is the shift along the true direction at which the texture itself resembles the magnified image best, over the
true shift. It is 1 for what comes back unchanged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from mebench.magnifier.textures import SUPERSAMPLING, Texture
from mebench.synth.sampling import sample
from mebench.vision.arrays import Bytes, Floats

SIDE: Final = 128
BORDER_PX: Final = 24
"""Left out on each side: what came in from beyond the image cannot be known."""

Magnify = Callable[[Bytes, Bytes, float], npt.NDArray[Any]]
"""From first and second image (h, w) and a total factor to the second's magnified image, in grey levels."""


@dataclass(frozen=True, slots=True)
class Found:
    """A gain, and the mean error in grey levels at the best-matching shift and at the shift that was asked for."""

    gain: float
    error: float
    error_asked: float


def shifted(texture: Texture, centre: tuple[float, float], shift: npt.NDArray[Any], side: int = SIDE) -> Floats:
    """The texture (side, side) around a place (x, y) of its picture, moved by (x, y) px."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    grid = np.stack([x, y], axis=-1) - np.float32((side - 1) / 2) - np.asarray(shift, np.float32)
    return sample(texture.picture, grid * SUPERSAMPLING + np.asarray(centre, np.float32))


def as_bytes(image: npt.NDArray[Any]) -> Bytes:
    """8-bit levels."""
    return np.asarray(np.rint(np.clip(image, 0, 255)), np.uint8)


def measure(
    magnify: Magnify, texture: Texture, centre: tuple[float, float], shift: npt.NDArray[Any], factor: float,
    noise: Callable[[Floats], Floats] = lambda image: image,
) -> Found:  # fmt: skip
    """What the magnifier makes of the texture shifted once."""
    still, moved = (as_bytes(noise(shifted(texture, centre, amount * shift))) for amount in (0.0, 1.0))
    drawn = np.asarray(magnify(still, moved, factor), np.float32)
    inside = (slice(BORDER_PX, -BORDER_PX),) * 2

    def error(gain: float) -> float:
        return float(np.abs(drawn - shifted(texture, centre, gain * shift))[inside].mean())

    length = float(np.hypot(*shift))
    coarse = np.arange(-1.0, 2 * factor * length + 1.0, 0.25) / length
    best = coarse[int(np.argmin([error(gain) for gain in coarse]))]
    step = 0.25 / length
    gain = float(minimize_scalar(error, bounds=(best - step, best + step), method="bounded").x)
    return Found(gain, error(gain), error(factor))


def judged(magnify: Magnify, textures: Sequence[Texture], shift_px: float, factor: float) -> Found:
    """What the magnifier makes of the middle of each texture, each shifted in a direction of its own."""
    found = []
    for index, texture in enumerate(textures):
        height, width = texture.picture.shape
        angle = 0.4 + 2.4 * index  # none along the pixel grid, none twice
        shift = shift_px * np.array([np.cos(angle), np.sin(angle)])
        found.append(measure(magnify, texture, (width / 2, height / 2), shift, factor))
    return mean_of(found)


def mean_of(found: list[Found]) -> Found:
    """The means of several."""
    return Found(*(float(np.mean([getattr(one, name) for one in found])) for name in ("gain", "error", "error_asked")))


__all__ = ["BORDER_PX", "SIDE", "Found", "Magnify", "as_bytes", "judged", "mean_of", "measure", "shifted"]

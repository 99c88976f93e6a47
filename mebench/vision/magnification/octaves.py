"""Octave bands of an image's spectrum: what the phase-based methods have in common.

Along the radius r cycles/px, with t = clamp(log2(2r) + l + 1, 0, 1): lo_l = cos(πt/2), hi_l = sin(πt/2), band l is
hi_l·∏ lo_k over the finer k, the residual ∏ lo_l; the squares add up to 1. Nyquist row and column belong to the
residual: they have no mirror image, and oriented bands would rebuild them up to .1 wrong.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from mebench.errors import DataError
from mebench.vision.arrays import Doubles, Floats

Spectrum = npt.NDArray[np.complex64]

PADDING: Final = 32
"""Pixels reflected around the image, so that what leaves it at one side does not come in at the other."""

COARSE_MARGIN: Final = 2
"""A band at level l reaches frequencies of .5·2^(1−l) cycles/px. It is held on a grid that carries an octave more,
since turning phases widens its spectrum."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The frequencies a level is held at: where in the whole spectrum, radius (n, m) in cycles/px, angle (n, m), which
    of them are Nyquist's, and the grid's size relative to the image's."""

    where: tuple[Any, Any]
    radius: Doubles
    angle: Doubles
    nyquist: npt.NDArray[np.bool_]
    scale: float

    def radial(self, level: int) -> Doubles:
        """The band of the level, without orientation."""
        mask: Doubles = np.sin(np.pi / 2 * _ramp(self.radius, level)) * finer_lowpass(self.radius, level)
        mask[self.nyquist] = 0
        return mask


def grid(height: int, width: int, level: int) -> Grid:
    """The grid of a level of an image's spectrum."""
    coarser = max(level - COARSE_MARGIN, 0)
    sides = [2 * ceil(side / 2**coarser / 2) if coarser else side for side in (height, width)]
    y, x = (np.rint(scipy.fft.fftfreq(side) * side).astype(np.intp) for side in sides)
    where = (y[:, None] % height, x % width) if coarser else (slice(None), slice(None))
    along_y, along_x = y[:, None] / height, x / width
    nyquist = (np.abs(along_y) == 0.5) | (np.abs(along_x) == 0.5)
    return Grid(where, np.hypot(along_y, along_x), np.arctan2(along_y, along_x), nyquist, sides[0] / height)


def residual(height: int, width: int, levels: int) -> Floats:
    """The mask of what lies in none of the bands."""
    whole = grid(height, width, 0)
    return np.where(whole.nyquist, 1, finer_lowpass(whole.radius, levels)).astype(np.float32)


def finer_lowpass(radius: Doubles, level: int) -> Doubles:
    """What the levels finer than this one leave over."""
    lowpass = np.ones_like(radius)
    for finer in range(level):
        lowpass *= np.cos(np.pi / 2 * _ramp(radius, finer))
    return lowpass


def padded_sides(height: int, width: int) -> tuple[int, int]:
    """The sides of a padded image, which transform fast."""
    tall, wide = (int(scipy.fft.next_fast_len(side + 2 * PADDING)) for side in (height, width))
    return tall, wide


def padded(images: Floats) -> tuple[Floats, tuple[slice, slice]]:
    """The images (t, h, w) with reflected edges, and where they lie in them."""
    sides = images.shape[1:]
    fast = padded_sides(*sides)
    widths = [(0, 0), *((PADDING, total - side - PADDING) for side, total in zip(sides, fast, strict=True))]
    top, left = (slice(PADDING, PADDING + side) for side in sides)
    return np.pad(images, widths, mode="reflect"), (top, left)


def depth_of(height: int, width: int, levels: int | None, blur_px: float) -> int:
    """The levels asked for, or octaves until a band's wavelength nears the image: 6 for 224 px and its padding."""
    depth = max(int(np.log2(min(height, width))) - 2, 1) if levels is None else levels
    if depth < 1 or not blur_px >= 0:
        raise DataError(
            f"No pyramid has {depth} levels and a blur of {blur_px} px.",
            "Ask for at least 1 level and a blur of 0 or more.",
        )
    return depth


def smoothed(phase: Floats, amplitude: Floats, sigma: float) -> Floats:
    """The phase (h, w[, 2]) averaged over a Gaussian neighbourhood with weights of amplitude (h, w)."""
    if not sigma:
        return phase
    weights = amplitude + np.finfo(np.float32).tiny
    by_phase = weights if phase.ndim == 2 else weights[..., None]
    total = cv2.GaussianBlur(weights, (0, 0), sigma)
    mean = cv2.GaussianBlur(phase * by_phase, (0, 0), sigma) / (total if phase.ndim == 2 else total[..., None])
    return np.asarray(mean, dtype=np.float32)


def _ramp(radius: Doubles, level: int) -> Doubles:
    """t of the level: 0 an octave below its upper edge, 1 from that edge on."""
    ramp: Doubles = np.clip(np.log2(np.maximum(2 * radius, 1e-12)) + level + 1, 0, 1)
    return ramp

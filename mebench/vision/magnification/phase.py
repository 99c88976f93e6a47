"""Phase-based motion magnification on a complex steerable pyramid (Wadhwa et al., SIGGRAPH 2013).

A local shift turns the phase of each oriented, band-passed copy of the image; turning it further moves the structure
further, without the noise amplification of the linear method. Bands are one octave wide, filters live in the Fourier
domain. What repeats over more than 2^levels px lies in the residual and is not magnified.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, factorial
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from mebench.errors import DataError
from mebench.vision.arrays import Doubles, Floats
from mebench.vision.magnification.temporal import TemporalFilter, require_fps
from mebench.vision.magnification.values import as_unit, like, luma, require_factor, with_luma

Spectrum = npt.NDArray[np.complex64]

ORIENTATIONS: Final = 4
PADDING: Final = 32
"""Pixels reflected around the image, so that what leaves it at one side does not come in at the other."""

BLUR_PX: Final = 2.0
"""Sigma of the amplitude-weighted smoothing of phase changes: under noise of sigma 2 it lowers the error of a tenfold
magnification to a fifth of the linear method's."""

COARSE_MARGIN: Final = 2
"""A band at level l reaches frequencies of .5·2^(1−l) cycles/px. It is held on a grid that carries an octave more,
since turning phases widens its spectrum."""


def two_frame(
    onset: npt.NDArray[Any],
    apex: npt.NDArray[Any],
    factor: float,
    *,
    blur_px: float = BLUR_PX,
    levels: int | None = None,
    orientations: int = ORIENTATIONS,
) -> npt.NDArray[Any]:
    """The apex image with its displacement from the onset image magnified, (h, w[, 3]) like the apex.

    The phase difference of each band, smoothed with weights of amplitude, is added factor − 1 times to the apex' phase.
    No temporal filter is involved, hence no frame rate. It is best while factor · motion stays below about 2 px. In
    colour images luma is magnified and its change added to R, G and B.
    """
    require_factor(factor)
    first, last = as_unit(onset, 2, "Phase magnification"), as_unit(apex, 2, "Phase magnification")
    if first.shape[:2] != last.shape[:2]:
        raise DataError(
            f"An onset of shape {first.shape} and an apex of {last.shape} are no pair.", "Align them to one size first."
        )

    def turn(bands: Spectrum, sigma: float) -> Spectrum:
        amplitude = np.abs(bands[1])
        phase = _smoothed(np.angle(bands[1] * bands[0].conj()), amplitude, sigma)
        turned: Spectrum = bands[1] * _rotation((factor - 1) * phase)
        return turned[None]

    pair = np.stack([luma(first, 2), luma(last, 2)])
    return like(apex, with_luma(last, _resynthesised(pair, turn, 1, blur_px, levels, orientations)[0]))


def clip(
    frames: npt.NDArray[Any],
    factor: float,
    *,
    fps: float,
    band: TemporalFilter,
    blur_px: float = BLUR_PX,
    levels: int | None = None,
    orientations: int = ORIENTATIONS,
) -> npt.NDArray[Any]:
    """The clip (t, h, w[, 3]) with the motion in the temporal band magnified, same shape and kind.

    Phases run on from frame to frame, so that nothing is unwrapped, are filtered, smoothed and added factor − 1 times.
    """
    require_factor(factor)
    require_fps(fps)
    unit = as_unit(frames, 3, "Phase magnification")

    def turn(bands: Spectrum, sigma: float) -> Spectrum:
        steps = np.angle(bands[1:] * bands[:-1].conj())
        phases = band(np.concatenate([np.zeros_like(bands[:1].real), np.cumsum(steps, axis=0)]), fps)
        for t, coefficients in enumerate(bands):
            bands[t] *= _rotation((factor - 1) * _smoothed(phases[t], np.abs(coefficients), sigma))
        return bands

    return like(frames, with_luma(unit, _resynthesised(luma(unit, 3), turn, len(unit), blur_px, levels, orientations)))


Turn = Callable[[Spectrum, float], Spectrum]
"""From one band of all t frames, and the blur's sigma on its grid, to the turned band of the frames to be kept."""


def _resynthesised(
    images: Floats, turn: Turn, keep: int, blur_px: float, levels: int | None, orientations: int
) -> Floats:
    """The last `keep` of the images (t, h, w) from their turned bands, (keep, h, w)."""
    padded, window = _padded(images)
    height, width = padded.shape[1:]
    depth = _default_levels(height, width) if levels is None else levels
    if depth < 1 or orientations < 2 or not blur_px >= 0:
        raise DataError(
            f"No pyramid has {depth} levels, {orientations} orientations and a blur of {blur_px} px.",
            "Ask for at least 1 level, 2 orientations and a blur of 0 or more.",
        )
    pyramid = _pyramid(height, width, depth, orientations)
    spectra = scipy.fft.fft2(padded)
    total = spectra[-keep:] * pyramid.residual**2
    for band in pyramid.bands:
        turned = turn(scipy.fft.ifft2(spectra[:, *band.where] * band.mask), blur_px * band.scale)
        total[:, *band.where] += scipy.fft.fft2(turned) * (band.mask / 2)
    return np.ascontiguousarray(scipy.fft.ifft2(total).real[:, *window])


def _padded(images: Floats) -> tuple[Floats, tuple[slice, slice]]:
    """The images (t, h, w) with reflected edges, to sides that transform fast, and where the images lie in them."""
    sides = images.shape[1:]
    fast = [scipy.fft.next_fast_len(side + 2 * PADDING) for side in sides]
    widths = [(0, 0), *((PADDING, total - side - PADDING) for side, total in zip(sides, fast, strict=True))]
    top, left = (slice(PADDING, PADDING + side) for side in sides)
    return np.pad(images, widths, mode="reflect"), (top, left)


def _default_levels(height: int, width: int) -> int:
    """Octaves until a band's wavelength nears the image: 6 for 224 px and its padding."""
    return max(int(np.log2(min(height, width))) - 2, 1)


def _smoothed(phase: Floats, amplitude: Floats, sigma: float) -> Floats:
    """The phase averaged over a Gaussian neighbourhood with weights of amplitude."""
    if not sigma:
        return phase
    weights = amplitude + np.finfo(np.float32).tiny
    mean = cv2.GaussianBlur(phase * weights, (0, 0), sigma) / cv2.GaussianBlur(weights, (0, 0), sigma)
    return np.asarray(mean, dtype=np.float32)


def _rotation(phase: Floats) -> Spectrum:
    """exp(i·phase)."""
    turned = np.empty(phase.shape, dtype=np.complex64)
    turned.real, turned.imag = np.cos(phase), np.sin(phase)
    return turned


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """One oriented band: which rows and columns of the spectrum its grid holds, its one-sided mask there, and the
    grid's size relative to the image's."""

    where: tuple[Any, Any]
    mask: Floats
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class _Pyramid:
    """The bands and the mask (h, w) of what lies in none of them."""

    bands: tuple[_Band, ...]
    residual: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The frequencies a level is held at: where in the whole spectrum, radius (n, m) in cycles/px, angle (n, m), which
    of them are Nyquist's, and the grid's size relative to the image's."""

    where: tuple[Any, Any]
    radius: Doubles
    angle: Doubles
    nyquist: npt.NDArray[np.bool_]
    scale: float


@lru_cache(maxsize=8)
def _pyramid(height: int, width: int, levels: int, orientations: int) -> _Pyramid:
    """The pyramid's filters; the squares of all masks, mirrored ones included, add up to 1 at every frequency.

    Along the radius r cycles/px, with t = clamp(log2(2r) + l + 1, 0, 1): lo_l = cos(πt/2), hi_l = sin(πt/2), band l is
    hi_l·∏ lo_k over the finer k, the residual ∏ lo_l. Around it, 2c·cos^(K−1)(φ − πk/K) on one half plane. Nyquist row
    and column belong to the residual: they have no mirror image, and oriented bands would rebuild them up to .1 wrong.
    """
    bands: list[_Band] = []
    for level in range(levels):
        grid = _grid(height, width, level)
        radial = np.sin(np.pi / 2 * _ramp(grid.radius, level)) * _finer_lowpass(grid.radius, level)
        radial[grid.nyquist] = 0
        masks = ((radial * _angular(grid.angle, k, orientations)).astype(np.float32) for k in range(orientations))
        bands += [_Band(grid.where, mask, grid.scale) for mask in masks]
    whole = _grid(height, width, 0)
    residual = np.where(whole.nyquist, 1, _finer_lowpass(whole.radius, levels))
    return _Pyramid(tuple(bands), residual.astype(np.float32))


def _grid(height: int, width: int, level: int) -> _Grid:
    coarser = max(level - COARSE_MARGIN, 0)
    sides = [2 * ceil(side / 2**coarser / 2) if coarser else side for side in (height, width)]
    y, x = (np.rint(scipy.fft.fftfreq(side) * side).astype(np.intp) for side in sides)
    where = (y[:, None] % height, x % width) if coarser else (slice(None), slice(None))
    along_y, along_x = y[:, None] / height, x / width
    nyquist = (np.abs(along_y) == 0.5) | (np.abs(along_x) == 0.5)
    return _Grid(where, np.hypot(along_y, along_x), np.arctan2(along_y, along_x), nyquist, sides[0] / height)


def _ramp(radius: Doubles, level: int) -> Doubles:
    """t of the level: 0 an octave below its upper edge, 1 from that edge on."""
    ramp: Doubles = np.clip(np.log2(np.maximum(2 * radius, 1e-12)) + level + 1, 0, 1)
    return ramp


def _finer_lowpass(radius: Doubles, level: int) -> Doubles:
    """What the levels finer than this one leave over."""
    lowpass = np.ones_like(radius)
    for finer in range(level):
        lowpass *= np.cos(np.pi / 2 * _ramp(radius, finer))
    return lowpass


def _angular(angle: Doubles, k: int, orientations: int) -> Doubles:
    order = orientations - 1
    norm = np.sqrt(2.0 ** (2 * order) * factorial(order) ** 2 / (orientations * factorial(2 * order)))
    cosine = np.cos(angle - np.pi * k / orientations)
    return np.where(cosine > 0, 2 * norm * np.maximum(cosine, 0) ** order, 0)

"""Linear Eulerian motion magnification (Wu et al., SIGGRAPH 2012).

The temporal band of each level of a Laplacian pyramid is amplified and added back. It is exact only while
factor · motion stays below an eighth of the wavelength; beyond that motion is magnified less than asked and contrast
rises, noise with it. The temporal gain in the band enters as well: the true factor is |1 + (factor − 1)·G(f)|.
"""

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.vision.arrays import Doubles, Floats
from mebench.vision.magnification.temporal import CausalFilter, TemporalFilter, require_fps
from mebench.vision.magnification.values import YIQ, as_unit, like, require_factor

RGB: Final = np.linalg.inv(YIQ)

SMALLEST_SIDE: Final = 5
"""A level with a shorter side is not halved again."""


def linear(
    frames: npt.NDArray[Any],
    factor: float,
    *,
    fps: float,
    band: TemporalFilter,
    cutoff_px: float = 16.0,
    skip_ends: bool = False,
    chroma: float = 0.0,
) -> npt.NDArray[Any]:
    """The clip (t, h, w[, 3]) with the motion in the band magnified, same shape and kind.

    Level amplification is that of `level_gains`, with `cutoff_px` the paper's λ_c. `chroma` is the paper's attenuation
    of the colour differences. Deviations from the authors' MATLAB code: gains are never negative (there they are, for
    fine levels at small factors), the finest and the residual level are magnified too unless `skip_ends`, the last ten
    frames are kept, and the filters have the bands they name.
    """
    require_factor(factor)
    require_fps(fps)
    unit = as_unit(frames, 3, "Linear magnification")
    gains = level_gains((unit.shape[1], unit.shape[2]), factor, cutoff_px=cutoff_px, skip_ends=skip_ends)

    if unit.ndim == 3:
        return like(frames, unit + _amplified(unit, gains, fps, band))
    result = unit.copy()
    for row, weight in _weighted(chroma):
        change = _amplified(unit @ YIQ[row].astype(np.float32), gains, fps, band)
        result += change[..., None] * (weight * RGB[:, row]).astype(np.float32)
    return like(frames, result)


class LinearStream:
    """A clip magnified frame by frame as it comes: what `linear` gives, in memory that does not grow with its length.

    `band` must be causal. Each call takes the next frame (h, w[, 3]) and gives it magnified.
    """

    def __init__(
        self,
        factor: float,
        *,
        fps: float,
        band: CausalFilter,
        cutoff_px: float = 16.0,
        skip_ends: bool = False,
        chroma: float = 0.0,
    ) -> None:
        require_factor(factor)
        require_fps(fps)
        self.factor, self.cutoff_px, self.skip_ends, self.chroma = factor, cutoff_px, skip_ends, chroma
        self._shape: tuple[int, ...] | None = None
        self._filters: tuple[Callable[[Floats], Floats], ...] = tuple(band.stream(fps) for _ in YIQ)

    def __call__(self, frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        unit = as_unit(frame, 2, "Linear magnification")
        if self._shape not in (None, unit.shape):
            raise DataError("A frame is of another size than those before.", "Give a stream frames of one size.")
        self._shape = unit.shape
        gains = level_gains(
            (unit.shape[0], unit.shape[1]), self.factor, cutoff_px=self.cutoff_px, skip_ends=self.skip_ends
        )
        if unit.ndim == 2:
            return like(frame, unit + _reweighted(self._filters[0](unit), gains))
        result = unit.copy()
        for row, weight in _weighted(self.chroma):
            change = _reweighted(self._filters[row](unit @ YIQ[row].astype(np.float32)), gains)
            result += change[..., None] * (weight * RGB[:, row]).astype(np.float32)
        return like(frame, result)


def level_gains(shape: tuple[int, int], factor: float, *, cutoff_px: float = 16.0, skip_ends: bool = False) -> Doubles:
    """What each pyramid level's band is multiplied by, finest first and residual last: α_l in 0..α, α = factor − 1.

    α_l = clamp(2(λ_l/(8Δ) − 1), 0, α) with Δ = λ_c/(8(1 + α)); λ of the residual is a third of the image diagonal and
    halves with each finer level. A cut-off of 0 gives α everywhere.
    """
    if not cutoff_px >= 0:
        raise DataError(f"A cut-off wavelength of {cutoff_px} px cannot be.", "Pass 0 for equal gains, or more.")
    levels = level_count(shape)
    alpha = factor - 1
    wavelengths = np.hypot(*shape) / 3 * 0.5 ** np.arange(levels - 1, -1, -1.0)
    ratios = wavelengths * factor / cutoff_px if cutoff_px else np.full(levels, np.inf)
    gains: Doubles = np.clip(2 * (ratios - 1), 0, alpha)
    if skip_ends:
        gains[[0, -1]] = 0
    return gains


def level_count(shape: tuple[int, int]) -> int:
    """Pyramid levels of an image, the residual counted: 7 for 224 × 224."""
    side, levels = min(shape), 1
    while side >= SMALLEST_SIDE:
        side, levels = side // 2, levels + 1
    return levels


def laplacian_pyramid(image: Floats, levels: int) -> list[Floats]:
    """Band-passed copies of an (h, w) image, finest first, and the low-passed residual last.

    Binomial filter [1 4 6 4 1]/16 per axis, edges reflected, even samples kept (Burt & Adelson, 1983); sides of n
    become those of (n + 1) // 2.
    """
    bands = []
    for _ in range(levels - 1):
        smaller = np.asarray(cv2.pyrDown(image), dtype=np.float32)
        bands.append(image - _expanded(smaller, image.shape))
        image = smaller
    return [*bands, image]


def reconstruct(pyramid: list[Floats]) -> Floats:
    """The image of a Laplacian pyramid."""
    image = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        image = band + _expanded(image, band.shape)
    return image


def _expanded(image: Floats, shape: tuple[int, ...]) -> Floats:
    return np.asarray(cv2.pyrUp(image, dstsize=(shape[1], shape[0])), dtype=np.float32)


def _weighted(chroma: float) -> list[tuple[int, float]]:
    """Luma and colour differences with their weights, those of none left out."""
    return [(row, weight) for row, weight in enumerate((1.0, chroma, chroma)) if weight]


def _amplified(planes: Floats, gains: Doubles, fps: float, band: TemporalFilter) -> Floats:
    """What is added to the planes (t, h, w). Filter and pyramid are linear and act on different axes, so the clip is
    filtered first and one pyramid at a time is held."""
    return np.stack([_reweighted(plane, gains) for plane in band(planes, fps)])


def _reweighted(plane: Floats, gains: Doubles) -> Floats:
    levels = laplacian_pyramid(plane, len(gains))
    return reconstruct([level * np.float32(gain) for level, gain in zip(levels, gains, strict=True)])

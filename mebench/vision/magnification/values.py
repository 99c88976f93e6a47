"""Images as floats in 0..1 and back, and the luma in which motion is magnified."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.vision.arrays import Floats

YIQ: Final = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
"""RGB to the NTSC luma and its two colour differences, the space of the Eulerian papers."""


def require_factor(factor: float) -> None:
    """Raises DataError for a factor below 1 or not finite."""
    if not (np.isfinite(factor) and factor >= 1):
        raise DataError(f"A magnification factor of {factor} is none.", "Factors start at 1, which changes nothing.")


def as_unit(images: npt.NDArray[Any], dims: int, what: str) -> Floats:
    """The images as float32 in 0..1; DataError unless uint8 or 0..1 floats with `dims` axes, RGB's not counted."""
    shaped = images.ndim == dims or (images.ndim == dims + 1 and images.shape[-1] == 3)
    if not shaped or images.size == 0:
        raise DataError(
            f"{what}: no image of shape {images.shape}.", f"Pass {dims} axes, and RGB last where it is colour."
        )
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    if not np.issubdtype(images.dtype, np.floating) or not (images.min() >= -1 and images.max() <= 2):
        raise DataError(f"{what}: {images.dtype} values are not in 0..1.", "Pass uint8, or floats scaled to 0..1.")
    return images.astype(np.float32)


def like(images: npt.NDArray[Any], result: Floats) -> npt.NDArray[Any]:
    """The result in the type of the images: 8-bit, clipped and rounded half to even, or float32 as it is."""
    if images.dtype != np.uint8:
        return result
    return np.asarray(np.rint(np.clip(result, 0, 1) * np.float32(255)), dtype=np.uint8)


def luma(unit: Floats, dims: int) -> Floats:
    """The luma of colour images; images of `dims` axes are grey already."""
    return unit if unit.ndim == dims else unit @ YIQ[0].astype(np.float32)


def with_luma(unit: Floats, magnified: Floats) -> Floats:
    """The images with their luma replaced and their colour differences kept: R, G and B change alike."""
    if unit.ndim == magnified.ndim:
        return magnified
    return unit + (magnified - luma(unit, magnified.ndim))[..., None]

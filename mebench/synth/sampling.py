"""Bilinear sampling with exact positions.

OpenCV 5 samples float32 of one, three or four channels bilinearly at the positions given. Its cubic and Lanczos
samplers, and the bilinear one for two channels, round positions to 1/32 px: a staircase in motion of half a pixel.
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def sample(image: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of an image (h, w) or (h, w, 3) at places (m, n, 2), x right, y down, px; mirrored beyond the border."""
    return _remap(image, places, cv2.BORDER_REFLECT_101)


def sample_field(field: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of a field (h, w, 2) at places (m, n, 2); zero beyond the border."""
    return np.stack([_remap(field[..., axis], places, cv2.BORDER_CONSTANT) for axis in (0, 1)], axis=-1)


def _remap(image: NDArray[np.float32], places: NDArray[np.float32], border: int) -> NDArray[np.float32]:
    # OpenCV's stubs want a second map, which this form of the call does not have
    return cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=border, borderValue=0)  # type: ignore[call-overload, no-any-return]


__all__ = ["sample", "sample_field"]

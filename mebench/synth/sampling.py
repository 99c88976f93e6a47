"""Bilinear sampling with exact positions.

OpenCV samples float32 bilinearly at the positions given; its cubic and Lanczos samplers round them to 1/32 px, a staircase in
motion of half a pixel.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_NO_SECOND_MAP = np.empty(0, np.float32)


def sample(image: NDArray[np.float32], places: NDArray[np.float32], *, mirror_edges: bool) -> NDArray[np.float32]:
    """Values of an image (h, w) or (h, w, c) at places (m, n, 2), x right and y down in px.

    Beyond the border the image is mirrored, or zero.
    """
    border = cv2.BORDER_REFLECT_101 if mirror_edges else cv2.BORDER_CONSTANT
    sampled = cv2.remap(image, places, _NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=border, borderValue=0)
    return np.asarray(sampled, np.float32)


__all__ = ["sample"]

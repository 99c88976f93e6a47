"""What the functions of this room take: 8-bit images, grey (h, w) or RGB (h, w, 3), and frames with time in front."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mebench.errors import DataError

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def require_grey(image: npt.NDArray[Any], what: str) -> None:
    """Raises DataError unless the image is (h, w) uint8.

    Floats are refused, not converted: OpenCV's TV-L1 reads them as 0..1 and its Farnebäck and Lucas-Kanade as 0..255,
    and each returns plausible garbage for the other range.
    """
    if image.dtype != np.uint8 or image.ndim != 2:
        raise DataError(
            f"{what} is {image.dtype} of shape {image.shape}, not an 8-bit grey image.",
            "Convert it to uint8 grey (h, w), 0 to 255, first.",
        )


def require_frames(frames: npt.NDArray[Any], what: str) -> None:
    """Raises DataError unless the frames are (t, h, w) or (t, h, w, 3) uint8 with at least one frame."""
    shaped = frames.ndim == 3 or (frames.ndim == 4 and frames.shape[-1] == 3)
    if frames.dtype != np.uint8 or not shaped or frames.size == 0:
        raise DataError(
            f"{what} are {frames.dtype} of shape {frames.shape}, not 8-bit frames.",
            "Pass uint8 frames of shape (t, h, w) or (t, h, w, 3).",
        )


def grey(image: Bytes) -> Bytes:
    """The image or the frames without colour: OpenCV's luma of RGB, (…, h, w, 3) to (…, h, w); grey is passed through.

    (t, h, 3) cannot be told from (h, w, 3): frames are never three pixels wide.
    """
    if image.shape[-1] != 3 or image.ndim not in (3, 4):
        return image
    if image.ndim == 3:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return np.stack([grey(frame) for frame in image])

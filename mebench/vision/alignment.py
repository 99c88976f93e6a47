"""Similarities and the one warp that takes frames to the canonical face.

A transform is (2, 3) float64 and maps (x, y, 1), in pixels whose centres are whole numbers, from one image to another.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.vision.arrays import Bytes, Doubles, require_frames
from mebench.vision.points import eye_centres

EYES_AT: Final = ((0.315, 0.38), (0.685, 0.38))
"""Where the eye centres lie in the canonical face, in fractions of its side: brows to chin of an adult fit inside."""


def similarity(source: npt.ArrayLike, target: npt.ArrayLike) -> Doubles:
    """The (2, 3) rotation, scale and translation that takes source points (n, 2) to target points best, n at least 2.

    Least squares in closed form (Umeyama, TPAMI 1991, for two dimensions, where no reflection can win).
    """
    a, b = (np.asarray(points, dtype=np.float64) for points in (source, target))
    if a.shape != b.shape or a.ndim != 2 or a.shape[1:] != (2,) or len(a) < 2:
        raise DataError(
            f"No similarity follows from points of shape {a.shape} and {b.shape}.", "Pass two (n, 2) arrays, n > 1."
        )
    a_mean, b_mean = a.mean(axis=0), b.mean(axis=0)
    a_centred, b_centred = a - a_mean, b - b_mean
    spread = float((a_centred**2).sum())
    if spread == 0:
        raise DataError("No similarity follows from points that coincide.", "Pass at least two distinct points.")
    c = float((a_centred * b_centred).sum()) / spread
    d = float((a_centred[:, 0] * b_centred[:, 1] - a_centred[:, 1] * b_centred[:, 0]).sum()) / spread
    turn = np.array([[c, -d], [d, c]])
    return np.column_stack([turn, b_mean - turn @ a_mean])


def compose(outer: Doubles, inner: Doubles) -> Doubles:
    """The transform that applies `inner` first and then `outer`; leading axes broadcast."""
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, np.broadcast_to(shift, (*linear.shape[:-1], 1))], axis=-1)


def invert(transform: Doubles) -> Doubles:
    """The transform that leads back; leading axes are kept."""
    linear = np.linalg.inv(transform[..., :2])
    return np.concatenate([linear, -linear @ transform[..., 2:]], axis=-1)


def transform_points(points: npt.ArrayLike, transform: Doubles) -> Doubles:
    """The points (…, n, 2) where the transform (…, 2, 3) takes them; leading axes broadcast."""
    linear = np.swapaxes(transform[..., :2], -1, -2)
    return np.asarray(points, dtype=np.float64) @ linear + transform[..., None, :, 2]


def canonical(landmarks: npt.ArrayLike, size: int) -> Doubles:
    """The similarity from the image of these (68, 2) landmarks to a size × size canonical face.

    It rests on the eye centres, each the mean of six points: the inner corners and the nose bridge alone span a third
    of that base, and dlib's error of some .7 px per point would show as 2 % of scale. Positions are fractions of the
    side between the outer pixel edges, so that canonical faces of two sizes are resized copies of each other.
    """
    if size < 1:
        raise DataError(f"A canonical face of {size} px cannot be.", "Ask for at least 1 px.")
    return similarity(eye_centres(landmarks), np.array(EYES_AT) * size - 0.5)


def align(frames: Bytes, motion: Doubles, face: Doubles, size: int) -> Bytes:
    """The frames with head motion removed and the face in its canonical place, (t, size, size[, 3]) uint8.

    `motion` (t, 2, 3) leads from the onset's coordinates to each frame's, `face` (2, 3) from the onset's to the
    canonical ones. Each frame is resampled once, through motion ∘ face⁻¹; where the face is reduced, the frame is
    blurred before by the Gaussian that the new sampling asks for. Pixels outside a frame repeat its edge.

    Lanczos over 8 × 8 px, because interpolation must not move skin: on a portrait shifted by up to 1 px and aligned
    again at .7 of its size, it displaces blocks of 16 px by .006 px RMS, OpenCV's bicubic kernel by .011, bilinear by
    .020.
    """
    require_frames(frames, "The frames to align")
    if motion.shape != (len(frames), 2, 3):
        raise DataError(
            f"{len(frames)} frames do not go with head motion of shape {motion.shape}.", "Pass one transform per frame."
        )
    backward = compose(motion, invert(face))
    sigma = _reduction_blur(float(np.sqrt(abs(np.linalg.det(face[:, :2])))))
    return np.stack([_warp(frame, matrix, size, sigma) for frame, matrix in zip(frames, backward, strict=True)])


def _warp(frame: Bytes, backward: Doubles, size: int, sigma: float) -> Bytes:
    source = cv2.GaussianBlur(frame, (0, 0), sigma) if sigma else frame
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(source, backward, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, dtype=np.uint8)


def _reduction_blur(scale: float) -> float:
    """Sigma, in px of the frame, that brings a pixel's own blur (sigma about half a pixel) to the coarser grid's."""
    return 0.5 * float(np.sqrt(1 / scale**2 - 1)) if scale < 0.9 else 0.0

"""Other ways than tracked skin to say how the head moves, as papers have them: read again from every frame.

Each gives (t, 2, 3) float64, from onset to frame coordinates, as `motion.head_motion` does, so that one warp serves
all. What each leaves of head motion and takes of the expression stands in docs/vision.md.
"""

from contextlib import suppress
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mebench.vision.alignment import similarity
from mebench.vision.arrays import Bytes, Doubles, require_frames, require_grey
from mebench.vision.motion import head_motion, nose_region
from mebench.vision.points import FACE, LEFT_EYE, RIGHT_EYE, Group, checked, eye_centres, inter_ocular

ECC_STEPS: Final = 50
ECC_CHANGE: Final = 1e-5
ECC_BLUR_PX: Final = 5
ECC_REACH: Final = 0.35
"""How far around the eye centres, in inter-oculars, ECC looks beside the nose."""


def nose_motion(frames: Bytes, landmarks: npt.ArrayLike) -> Doubles:
    """Of tracked nose and inner eye corners, fitted as the default fits the whole face; grey frames (t, h, w)."""
    return head_motion(frames, landmarks, nose_region).transforms


def ecc_motion(frames: Bytes, landmarks: npt.ArrayLike) -> Doubles:
    """Of eyes and nose as one image: rotation and shift that correlate best (Evangelidis, TPAMI 2008), frame by frame.

    The search begins at the frame before. Where it does not converge, that frame's transform stands.
    """
    require_frames(frames, "The frames to register")
    require_grey(frames[0], "The onset frame")
    height, width = frames.shape[1:]
    mask = nose_region((height, width), landmarks)
    for eye in eye_centres(landmarks):
        cv2.circle(mask, tuple(map(int, np.rint(eye))), round(ECC_REACH * inter_ocular(landmarks)), 255, -1)
    part = _around(mask)
    origin = np.array([part[1].start, part[0].start], np.float64)
    found, last = [np.eye(2, 3)], np.asarray(np.eye(2, 3), dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ECC_STEPS, ECC_CHANGE)
    onset, mask = np.ascontiguousarray(frames[0][part]), np.ascontiguousarray(mask[part])
    for frame in frames[1:]:
        with suppress(cv2.error):  # no convergence, or images that do not correlate
            _, matrix = cv2.findTransformECC(
                onset, np.ascontiguousarray(frame[part]), last.copy(), cv2.MOTION_EUCLIDEAN, stop, mask, ECC_BLUR_PX
            )
            last = np.asarray(matrix, dtype=np.float32)
        found.append(_shifted(last.astype(np.float64), origin))
    return np.stack(found)


def landmark_motion(landmarks: npt.ArrayLike, group: Group = FACE) -> Doubles:
    """Of landmarks (t, 68, 2) read anew in every frame: the similarity that takes the onset's to each frame's best."""
    each = np.stack([checked(points) for points in np.asarray(landmarks)])[:, list(group)]
    return _from_onset(each)


def eye_line_motion(landmarks: npt.ArrayLike) -> Doubles:
    """Of the two eye centres, each the mean of six landmarks, of landmarks (t, 68, 2) read anew in every frame."""
    each = [checked(points) for points in np.asarray(landmarks)]
    return _from_onset(np.stack([[p[list(LEFT_EYE)].mean(axis=0), p[list(RIGHT_EYE)].mean(axis=0)] for p in each]))


def _from_onset(points: Doubles) -> Doubles:
    return np.stack([np.eye(2, 3), *(similarity(points[0], later) for later in points[1:])])


def _around(mask: Bytes) -> tuple[slice, slice]:
    """Rows and columns that hold the mask, and as much again on each side: frames in which a head moves."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    room = (rows[-1] - rows[0] + 1) // 2
    return (
        slice(max(int(rows[0] - room), 0), int(rows[-1] + 1 + room)),
        slice(max(int(columns[0] - room), 0), int(columns[-1] + 1 + room)),
    )


def _shifted(matrix: Doubles, origin: Doubles) -> Doubles:
    """The transform of a part of the image in coordinates of the whole."""
    return np.column_stack([matrix[:, :2], matrix[:, 2] + origin - matrix[:, :2] @ origin])

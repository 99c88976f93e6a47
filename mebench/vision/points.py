"""Names of the 68 facial points of the iBUG 300-W scheme, counted from 0 as dlib does.

Left and right are the image's, not the subject's. Landmarks are (68, 2) arrays of x, y in pixels.
"""

import numpy as np
import numpy.typing as npt

from mebench.errors import DataError

Group = tuple[int, ...]

COUNT = 68

JAW: Group = tuple(range(17))
LEFT_BROW: Group = tuple(range(17, 22))
RIGHT_BROW: Group = tuple(range(22, 27))
NOSE_BRIDGE: Group = tuple(range(27, 31))
NOSE_BASE: Group = tuple(range(31, 36))
LEFT_EYE: Group = tuple(range(36, 42))
RIGHT_EYE: Group = tuple(range(42, 48))
OUTER_LIP: Group = tuple(range(48, 60))
INNER_LIP: Group = tuple(range(60, 68))

BROWS: Group = LEFT_BROW + RIGHT_BROW
NOSE: Group = NOSE_BRIDGE + NOSE_BASE
EYES: Group = LEFT_EYE + RIGHT_EYE
MOUTH: Group = OUTER_LIP + INNER_LIP
FACE: Group = tuple(range(COUNT))

INNER_EYE_CORNERS: Group = (39, 42)
MOUTH_CORNERS: Group = (48, 54)
NOSE_TIP = 30
CHIN = 8


def checked(landmarks: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The landmarks as (68, 2) float64; DataError for another shape or for values that are not finite."""
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (COUNT, 2) or not np.isfinite(points).all():
        raise DataError(
            f"Landmarks of shape {points.shape} are not {COUNT} finite x, y pairs.",
            "Pass the 68 points of the iBUG 300-W scheme as an array of shape (68, 2).",
        )
    return points


def eye_centres(landmarks: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The centres of the eye at the left and at the right of the image, (2, 2): the mean of six points each."""
    points = checked(landmarks)
    return np.stack([points[list(LEFT_EYE)].mean(axis=0), points[list(RIGHT_EYE)].mean(axis=0)])


def inter_ocular(landmarks: npt.ArrayLike) -> float:
    """The distance between the eye centres in pixels, the measure of a face's size here."""
    left, right = eye_centres(landmarks)
    distance = float(np.hypot(*(right - left)))
    if distance < 1:
        raise DataError(
            f"The eye centres of these landmarks are {distance:.2f} px apart.",
            "Pass the landmarks of a face in pixels.",
        )
    return distance

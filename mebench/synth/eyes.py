"""Lids that close over the eye, and eyes that look elsewhere, as displacements of the posed face."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RIGHT_EYE, LEFT_EYE = (36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47)
UPPER_LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
"""Points of the upper lids, each with the point of the lower lid that it comes down to."""

_CREASE, _SMOOTH = 1.7, 0.55  # openings above the lid's edge: where its skin folds away, and where it is smooth
_REACH = 1.3  # openings by which a closed lid comes down: over the lashes below
_FULLY = 0.3  # closure from which on the lid has its own skin and its edge all their darkness
_WIDE = 0.7  # of an eye's width to either side: lids are wider than the opening between the corners
_LASHES, _LASH_PX, _THIN_PX = -0.7, 1.1, 0.1
_EYEBALL = 0.19  # of the distance between the eyes: 12 mm of 63
_GAZE_SIGMA = (0.25, 0.32)  # of an eye's width, and of its opening times two: the white is stretched, the lids little


def lid_field(
    landmarks: NDArray[np.float64], closure: float, size: tuple[int, int], origin: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Displacement (h, w, 2) px of upper lids that cover a share of the eyes; it breaks off at the lid's edge.

    `size` and `origin` (x, y) say on which part of the frame. The eye below the edge stays where it is; the lid is
    stretched from the smooth skin between the brow and the fold above the eye.
    """
    field = np.zeros((*size, 2), np.float32)
    for _, y, opening, upper, edge in _lids(landmarks, closure, size, origin):
        crease, smooth = upper - _CREASE * opening, upper - _SMOOTH * opening * min(1.0, closure / _FULLY)
        share = (smooth - crease) / np.maximum(edge - crease, 1e-6)
        above = np.clip(edge + 0.5 - y, 0, 1) * (y > crease) * (opening > _THIN_PX)
        field[..., 1] += (above * (y - crease) * (1 - share)).astype(np.float32)
    return field


def lash_shade(
    landmarks: NDArray[np.float64], closure: float, size: tuple[int, int], origin: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Log brightness (h, w) of the dark edge that lowered lids carry with them."""
    shade = np.zeros(size, np.float32)
    for _, y, opening, _, edge in _lids(landmarks, closure, size, origin):
        line = np.exp(-(((y - edge) / _LASH_PX) ** 2) / 2) * (opening > _THIN_PX)
        shade += (_LASHES * min(1.0, closure / _FULLY) * line).astype(np.float32)
    return shade


def _lids(
    landmarks: NDArray[np.float64], closure: float, size: tuple[int, int], origin: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Per eye the pixels' x (w,) and y (h, 1), the opening (w,), the open lid's edge and the lowered one's (w,)."""
    x = np.arange(size[1], dtype=np.float64) + float(origin[0])
    y = np.arange(size[0], dtype=np.float64)[:, None] + float(origin[1])
    for eye in (RIGHT_EYE, LEFT_EYE):
        corner, first, second, other, third, fourth = landmarks[list(eye)]
        middle, across = (corner + other) / 2, other - corner
        lid = (first + second) / 2
        tall = float(((third + fourth) / 2 - lid)[1])
        place = (x - middle[0]) / (_WIDE * across[0])
        bow = np.clip(1 - place**2, 0, 1)
        between = middle[1] + (x - middle[0]) * across[1] / across[0]
        upper = between - (middle - lid)[1] * bow
        yield x, y, tall * bow, upper, upper + _REACH * closure * tall * bow


def closed_landmarks(landmarks: NDArray[np.float64], closure: float) -> NDArray[np.float64]:
    """The landmarks (68, 2) of the posed face with the upper lids lowered."""
    points = landmarks.copy()
    for upper, lower in UPPER_LIDS:
        points[upper] += closure * (landmarks[lower] - landmarks[upper]) * (0, 1)
    return points


def eye_opening(landmarks: NDArray[np.float64]) -> float:
    """The mean opening of the eyes, px: how far lids move that close."""
    return float(np.mean([landmarks[lower, 1] - landmarks[upper, 1] for upper, lower in UPPER_LIDS]))


def gaze_field(landmarks: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """How much (h, w) of the eyeballs' motion is seen at each place: 1 in the middle of an eye."""
    share = np.zeros(size, np.float32)
    for eye in (RIGHT_EYE, LEFT_EYE):
        centre, width = landmarks[list(eye)].mean(0), float(landmarks[eye[3], 0] - landmarks[eye[0], 0])
        sigma = (_GAZE_SIGMA[0] * width, max(2 * _GAZE_SIGMA[1] * eye_opening(landmarks), 1.0))
        across = np.exp(-(((np.arange(size[1]) - centre[0]) / sigma[0]) ** 2) / 2)
        down = np.exp(-(((np.arange(size[0]) - centre[1]) / sigma[1]) ** 2) / 2)
        share += np.outer(down, across).astype(np.float32)
    return share


def gaze_shift(landmarks: NDArray[np.float64], gaze: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far (t, 2) the middle of an eye moves, px, where it looks by these angles (t, 2) right and down."""
    distance = float(np.linalg.norm(landmarks[42:48].mean(0) - landmarks[36:42].mean(0)))
    return np.asarray(_EYEBALL * distance * np.sin(gaze), np.float64)


__all__ = ["closed_landmarks", "eye_opening", "gaze_field", "gaze_shift", "lash_shade", "lid_field"]

"""Brows, lids, lips and the edge of the jaw, painted where the landmarks say.

The portrait's own brows are faint and its jaw merges with ears and hair, so that a landmark detector wanders by
several pixels there. Painted features give every person visible brows to move and an unambiguous truth.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import Canvas
from mebench.synth.identities import Identity

_BROW_BELOW_PX = 6.0  # the 68-point scheme marks the upper edge of a brow
_LID, _MOUTH_LINE, _NOSTRIL, _JAW_SHADE = -0.7, -0.6, -0.5, -0.9


def draw_features(identity: Identity, canvas: Canvas) -> NDArray[np.float32]:
    """Log brightness (h, w) of the painted features."""
    paint = _Paint(identity.landmarks, canvas)
    for brow in ([17, 18, 19, 20, 21], [22, 23, 24, 25, 26]):
        paint.stroke(brow, width=10.0, soft=2.2, depth=-identity.brows, lower=_BROW_BELOW_PX)
    for upper, lower in (([36, 37, 38, 39], [36, 41, 40, 39]), ([42, 43, 44, 45], [42, 47, 46, 45])):
        paint.stroke(upper, width=1.8, soft=0.7, depth=_LID)
        paint.stroke(lower, width=1.2, soft=0.8, depth=_LID / 2)
    paint.shape([*range(48, 60)], soft=1.5, depth=-identity.lips)
    paint.stroke([60, 61, 62, 63, 64], width=1.8, soft=0.8, depth=_MOUTH_LINE)
    for nostril in ([31, 32], [34, 35]):
        paint.stroke(nostril, width=3.0, soft=1.5, depth=_NOSTRIL)
    paint.outside([*range(17)], reach=26, soft=2.0, depth=_JAW_SHADE)
    return paint.log_brightness


class _Paint:
    """A layer of log brightness on which strokes between landmarks are drawn; lengths in px of a 640x480 frame."""

    def __init__(self, landmarks: NDArray[np.float64], canvas: Canvas) -> None:
        self.log_brightness = np.zeros(canvas.size, np.float32)
        self._unit = canvas.unit
        self._points = canvas.place(landmarks)

    def stroke(self, indices: list[int], *, width: float, soft: float, depth: float, lower: float = 0.0) -> None:
        """Adds a soft line along landmarks, or `lower` px below them."""
        line = self._points[indices] + (0, lower * self._unit)
        mask, corner = self._blank(line, width + 4 * soft)
        thickness = max(1, round(width * self._unit))
        cv2.polylines(mask, [_sixteenths(line - corner)], False, 1.0, thickness, cv2.LINE_AA, shift=4)
        self._add(mask, corner, soft, depth)

    def shape(self, indices: list[int], *, soft: float, depth: float) -> None:
        """Adds a soft area bounded by landmarks."""
        outline = self._points[indices]
        mask, corner = self._blank(outline, 4 * soft)
        cv2.fillPoly(mask, [_sixteenths(outline - corner)], 1.0, cv2.LINE_AA, shift=4)
        self._add(mask, corner, soft, depth)

    def outside(self, indices: list[int], *, reach: float, soft: float, depth: float) -> None:
        """Adds a shade outside the curve along landmarks from temple to temple, fading over `reach` and above the
        ends.
        """
        curve = self._points[indices]
        mask, corner = self._blank(curve, 3 * reach)
        inside = np.zeros(mask.shape, np.uint8)
        above = np.array([(curve[-1, 0], corner[1]), (curve[0, 0], corner[1])])
        cv2.fillPoly(inside, [_sixteenths(np.concatenate([curve, above]) - corner)], 1, shift=4)
        away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) / np.float32(reach * self._unit)
        height = curve[[0, -1], 1].mean() - corner[1] - np.arange(mask.shape[0])
        fading = np.clip(1 - height / (reach * self._unit), 0, 1).astype(np.float32)[:, None]
        self._add(np.where(away > 0, np.exp(-away), 0).astype(np.float32) * fading, corner, soft, depth)

    def _blank(self, points: NDArray[np.float64], margin: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """An empty mask around these points and its corner (x, y)."""
        height, width = self.log_brightness.shape
        low = np.maximum(points.min(0) - margin * self._unit, 0).astype(np.int64)
        high = np.minimum(points.max(0) + margin * self._unit, (width, height)).astype(np.int64)
        return np.zeros((high[1] - low[1], high[0] - low[0]), np.float32), low

    def _add(self, mask: NDArray[np.float32], corner: NDArray[np.int64], soft: float, depth: float) -> None:
        x, y = corner
        blurred = cv2.GaussianBlur(mask, (0, 0), soft * self._unit)
        self.log_brightness[y : y + mask.shape[0], x : x + mask.shape[1]] += np.float32(depth) * blurred


def _sixteenths(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point form for shift=4."""
    return (points * 16).round().astype(np.int32)


__all__ = ["draw_features"]

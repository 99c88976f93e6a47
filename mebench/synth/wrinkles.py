"""What skin does beside moving when a unit acts: it folds into lines and catches the light otherwise.

Optical flow assumes that a point keeps its brightness, which skin that is only warped does exactly and living skin does
not. Lines stand where the FACS manual names them; shading follows from the motion: skin that is pushed together bulges,
and a bulge is brighter on the side of the light.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.action_units import Side, place_of
from mebench.synth.camera import Camera, Canvas

_LINE_DEPTH, _RIDGE = -0.16, 0.4
_WIDTH_PX, _SOFT_PX = 2.0, 1.1
_FULL_AT_PX = 3.0  # amplitude at which a line has .63 of its depth
_BULGE = 0.9
_MOST_SHADE = 0.12


@dataclass(frozen=True, slots=True)
class _Line:
    """A fold that begins `shift` from a place and runs `along`, bent by `bend` across; `depth` is relative.

    (outward, down) in eye distances / 100, as in `action_units`.
    """

    place: str
    shift: tuple[float, float]
    along: tuple[float, float]
    bend: float = 0.0
    depth: float = 1.0


_LINES: dict[int, tuple[_Line, ...]] = {
    1: (
        _Line("inner brow", (-8, -16), (22, 0), 2.0),
        _Line("inner brow", (-7, -25), (22, 0), 2.5, 0.8),
    ),
    2: (
        _Line("outer brow", (-16, -17), (22, 6), 2.0),
        _Line("outer brow", (-16, -25), (22, 7), 2.5, 0.8),
    ),
    4: (
        _Line("inner brow", (-5, -9), (1, 17), 1.0, 1.3),
        _Line("inner brow", (-10, 4), (7, 9), 0.0, 0.7),
    ),
    5: (_Line("upper lid", (-13, -7), (26, 0), 3.0, 0.7),),
    6: (
        _Line("outer eye", (6, -2), (12, -7)),
        _Line("outer eye", (7, 2), (13, 0)),
        _Line("outer eye", (6, 6), (11, 6)),
    ),
    7: (_Line("lower lid", (-12, 5), (24, -1), -3.0, 1.1),),
    9: (
        _Line("nose side", (3, -8), (7, 7), 0.0, 1.2),
        _Line("nose side", (1, -2), (8, 6)),
        _Line("nose wing", (3, -7), (6, 12), 2.0, 0.8),
    ),
    10: (
        _Line("nose wing", (3, -6), (9, 17), 2.0, 1.2),
        _Line("upper lip", (-6, -7), (9, 1), 0.0, 0.6),
    ),
    12: (
        _Line("nose wing", (7, -2), (16, 24), 3.0, 1.2),
        _Line("lip corner", (4, -3), (4, -6), 1.0, 0.8),
        _Line("lower lid", (-12, 9), (24, -2), -3.0, 0.5),
    ),
    14: (_Line("lip corner", (6, -7), (1, 13), 2.0, 1.5),),
    15: (_Line("lip corner", (2, 3), (5, 13), 1.5, 1.3),),
    17: (
        _Line("lower lip", (-8, 10), (16, 1), -3.0, 1.2),
        _Line("chin", (1, -3), (8, 4), 0.0, 0.7),
    ),
    20: (
        _Line("lip corner", (9, -9), (3, 18), 2.0),
        _Line("lower lip", (-6, 6), (14, 1), 0.0, 0.6),
    ),
    23: (
        _Line("upper lip", (-5, -4), (1, -7), 0.0, 0.8),
        _Line("upper lip", (1, -4), (1, -7), 0.0, 0.8),
    ),
    24: (_Line("upper lip", (-9, 8), (20, 1), 1.0, 1.4),),
    25: (_Line("lower lip", (-12, -8), (24, 0), 2.0, 2.2),),
}


def unit_shade(
    number: int, side: Side, field: NDArray[np.float32], landmarks: NDArray[np.float64], camera: Camera,
    light: tuple[float, float], wrinkles: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Log brightness (h, w) that a unit adds on one side when it acts strongly; `field` is its motion there.

    `light` points to the brighter side, in log units over the face's width.
    """
    canvas = Canvas(camera, 1)
    shade = np.zeros(canvas.size, np.float32)
    for line in _LINES[number]:
        shade += _drawn(line, side, landmarks, canvas)
    return np.asarray(
        np.float32(wrinkles) * (np.float32(_LINE_DEPTH) * shade + _bulge(field, light, camera)), np.float32
    )


def shade_strength(intensity_px: float) -> float:
    """The share of a unit's shade at an amplitude in px of a 640x480 frame: lines deepen quickly, then no more."""
    return 1.0 - float(np.exp(-intensity_px / _FULL_AT_PX))


def _drawn(line: _Line, side: Side, landmarks: NDArray[np.float64], canvas: Canvas) -> NDArray[np.float32]:
    """A soft dark line and, beside it, the ridge that catches the light, as a positive and a negative (h, w)."""
    place, unit, outward = place_of(line.place, side, landmarks, canvas.camera)
    turn = np.array((outward, 1.0)) * unit
    steps = np.linspace(0, 1, 7)[:, None]
    across = np.array((-line.along[1], line.along[0])) / max(float(np.hypot(*line.along)), 1e-6)
    curve = np.array(line.shift) + steps * line.along + 4 * steps * (1 - steps) * line.bend * across
    fold = _stroke(place + curve * turn, canvas)
    ridge = _stroke(place + (curve + 2.2 * across) * turn, canvas)
    return np.asarray(np.float32(line.depth) * (fold - np.float32(_RIDGE) * ridge), np.float32)


def _stroke(points: NDArray[np.float64], canvas: Canvas) -> NDArray[np.float32]:
    mask = np.zeros(canvas.size, np.float32)
    fixed = (points * 16).round().astype(np.int32)
    cv2.polylines(mask, [fixed], False, 1.0, max(1, round(_WIDTH_PX * canvas.unit)), cv2.LINE_AA, shift=4)
    low = np.maximum(points.min(0).astype(int) - 12, 0)
    high = points.max(0).astype(int) + 13
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    mask[part] = cv2.GaussianBlur(mask[part], (0, 0), _SOFT_PX * canvas.unit)
    return mask


def _bulge(field: NDArray[np.float32], light: tuple[float, float], camera: Camera) -> NDArray[np.float32]:
    """Shading by bulges: where motion converges skin rises, and rises show on the side of the light."""
    along = np.array(light) / max(float(np.hypot(*light)), 1e-6)
    height = -(np.gradient(field[..., 0], axis=1) + np.gradient(field[..., 1], axis=0))
    slope = along[0] * np.gradient(height, axis=1) + along[1] * np.gradient(height, axis=0)
    shade = -_BULGE * (10 * camera.scale) ** 2 * slope / 10
    return np.asarray(np.clip(shade, -_MOST_SHADE, _MOST_SHADE), np.float32)


__all__ = ["shade_strength", "unit_shade"]

"""What people wear on their faces: spectacles, which stay with the head, and beards, which stay with the skin."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import Camera, Canvas

_RIM, _RIM_WIDTH, _RIM_SOFT = -1.1, 2.2, 0.9
_LENS = (0.29, 0.235)  # half axes as shares of the distance between the eyes
_LENS_TINT, _GLARE = -0.03, 0.16
_BEARD, _HAIR, _HAIR_SIGMA = 0.7, 0.16, (0.6, 1.8)
_BEARD_SOFT = 5.0


def spectacles(rng: np.random.Generator, landmarks: NDArray[np.float64], camera: Camera) -> NDArray[np.float32]:
    """Log brightness (h, w) of a pair of spectacles before the face: rims, bridge, temples, tint and a reflection."""
    canvas = Canvas(camera, 1)
    points = canvas.place(landmarks)
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    between = float(np.linalg.norm(eyes[1] - eyes[0]))
    squareness, size = rng.uniform(2.2, 3.5), rng.uniform(0.92, 1.08) * between
    drop = np.array([0.0, 0.04 * between])
    outlines = [_rim(eye + drop, size, squareness) for eye in eyes]
    ink, glass = np.zeros(canvas.size, np.float32), np.zeros(canvas.size, np.float32)
    width = max(1, round(_RIM_WIDTH * rng.uniform(0.7, 1.4) * canvas.unit))
    for outline in outlines:
        cv2.polylines(ink, [_sixteenths(outline)], True, 1.0, width, cv2.LINE_AA, shift=4)
        cv2.fillPoly(glass, [_sixteenths(outline)], 1.0, cv2.LINE_AA, shift=4)
    inner, outer = _LENS[0] * size, 0.04 * between
    bridge = np.stack([eyes[0] + drop + (inner, -outer), eyes[1] + drop + (-inner, -outer)])
    temples = [np.stack([eyes[0] + drop - (inner, outer), points[0] - (0, 0.1 * between)])]
    temples += [np.stack([eyes[1] + drop + (inner, -outer), points[16] - (0, 0.1 * between)])]
    for line in (bridge, *temples):
        cv2.polylines(ink, [_sixteenths(line)], False, 1.0, width, cv2.LINE_AA, shift=4)
    soft = cv2.GaussianBlur(ink, (0, 0), _RIM_SOFT * canvas.unit)
    lens = glass * (np.float32(_LENS_TINT) + np.float32(_GLARE) * _streak(rng, eyes, between, canvas))
    return np.asarray(np.float32(_RIM) * np.clip(soft, 0, 1) + lens, np.float32)


def beard(
    rng: np.random.Generator, landmarks: NDArray[np.float64], density: float, canvas: Canvas
) -> NDArray[np.float32]:
    """Log brightness (h, w) of a beard and moustache, `density` 0..1: shade on jaw, chin and lip, and single hairs."""
    points = canvas.place(landmarks)
    lip_top = points[33] + 0.35 * (points[51] - points[33])
    cheeks = [points[i] + 0.55 * (points[j] - points[i]) for i, j in ((13, 54), (3, 48))]
    sides = [points[i] + 0.2 * (points[j] - points[i]) for i, j in ((35, 54), (31, 48))]
    outline = np.array([*points[3:14], cheeks[0], sides[0], lip_top, sides[1], cheeks[1]])
    mask = np.zeros(canvas.size, np.float32)
    cv2.fillPoly(mask, [_sixteenths(outline)], 1.0, cv2.LINE_AA, shift=4)
    cv2.fillPoly(mask, [_sixteenths(points[48:60])], 0.0, cv2.LINE_AA, shift=4)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), _BEARD_SOFT * canvas.unit), np.float32)
    hairs = rng.standard_normal(canvas.size, dtype=np.float32)
    across, along = (sigma * canvas.unit for sigma in _HAIR_SIGMA)
    hairs = np.asarray(cv2.GaussianBlur(hairs, (0, 0), across, sigmaY=along), np.float32)
    hairs /= hairs.std()
    return np.asarray(-np.float32(density) * mask * (np.float32(_BEARD) + np.float32(_HAIR) * hairs), np.float32)


def _rim(centre: NDArray[np.float64], size: float, squareness: float) -> NDArray[np.float64]:
    """A superellipse (n, 2) around an eye."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    found: NDArray[np.float64] = centre + np.sign(unit) * np.abs(unit) ** (2 / squareness) * _LENS * np.float64(size)
    return found


def _streak(
    rng: np.random.Generator, eyes: tuple[NDArray[np.float64], NDArray[np.float64]], between: float, canvas: Canvas
) -> NDArray[np.float32]:
    """An oblique band of light (h, w) over each lens."""
    x, y = np.arange(canvas.size[1]), np.arange(canvas.size[0])[:, None]
    place = rng.uniform(-0.12, 0.12)
    bands = [np.exp(-((((x - e[0]) + (y - e[1])) / between - place) ** 2) / (2 * 0.05**2)) for e in eyes]
    return np.asarray(sum(bands[1:], start=bands[0]), np.float32)


def _sixteenths(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point form for shift=4."""
    return (points * 16).round().astype(np.int32)


__all__ = ["beard", "spectacles"]

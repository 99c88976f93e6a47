"""The camera and the light: from points in space to px of a frame, and from normals to brightness."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]

DISTANCE = 1500.0
"""From the camera to the plane of the eyes, units: 75 cm for a face 14 cm wide."""
EYE_PLANE = 130.0
"""Depth at which a unit is a pixel of a 640x480 frame."""
PIVOT = (0.0, 70.0, 0.0)
"""Heads turn about this point."""
_ORIGIN = (0.5, -66.5)  # where the point between the eyes lies from the middle of a 640x480 frame
_MIDDLE = (319.5, 239.5)


@dataclass(frozen=True)
class Stance:
    """How a head is held in one frame: shift in px, angles in radians (see `script.HeadPose`), and size."""

    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    log_scale: float = 0.0

    @property
    def rotation(self) -> Field:
        """The matrix (3, 3) that turns the head."""
        (cr, sr), (cy, sy), (cp, sp) = ((np.cos(a), np.sin(a)) for a in (self.roll, self.yaw, self.pitch))
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.asarray(roll @ pitch @ yaw)

    def place(self, points: Field) -> Field:
        """Points (..., 3) of the head in space."""
        pivot = np.array(PIVOT)
        return np.asarray((points - pivot) @ self.rotation.T + pivot)

    def project(self, points: Field) -> Field:
        """Points (..., 3) of the head as px of a 640x480 frame and depth from the camera, (..., 3)."""
        placed = self.place(points)
        depth = DISTANCE + EYE_PLANE - placed[..., 2]
        factor = (np.exp(self.log_scale) * DISTANCE / depth)[..., None]
        seen = (placed[..., :2] + _ORIGIN) * factor + (np.array(_MIDDLE) + (self.x, self.y))
        return np.concatenate([seen, depth[..., None]], axis=-1)


FRONTAL = Stance()


def normals(vertices: Field) -> Field:
    """Unit normals (rows, columns, 3) of a grid of vertices, out of the head."""
    across, down = np.gradient(vertices, axis=1), np.gradient(vertices, axis=0)
    normal = np.cross(across, down)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9))


def brightness(normal: Field, light: tuple[float, float, float], ambient: float) -> Field:
    """How bright skin of these normals (..., 3) is: Lambert's law and a broad gloss; 1 where it faces the camera."""
    towards = np.array(light)
    lit = np.clip(normal @ towards, 0, None)
    half = towards + np.array((0, 0, 1))
    gloss = np.clip(normal @ (half / np.linalg.norm(half)), 0, None) ** 14
    raw = ambient * (0.8 + 0.2 * normal[..., 2]) + (1 - ambient) * (lit + 0.18 * gloss)
    return np.asarray(raw / (ambient + (1 - ambient) * (towards[2] + 0.05)))


__all__ = ["DISTANCE", "EYE_PLANE", "FRONTAL", "Stance", "brightness", "normals"]

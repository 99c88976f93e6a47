"""Who sits before the camera: the shape and the looks of invented people."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Identity:
    """One invented person.

    `landmarks (68, 2)` lie in a 640x480 frame. `tone` are gains of blue, green and red, `gamma` bends the tone curve;
    `light` is the direction and strength of a brightness ramp (log units over the face width, x and y). `brows` and
    `lips` say how dark these are (log units). `texture` seeds pores, freckles and shading, of which there are
    `freckles`; `beard` 0..1 says how dense one is.
    """

    mirrored: bool
    landmarks: NDArray[np.float64]
    tone: tuple[float, float, float]
    gamma: float
    light: tuple[float, float]
    brows: float
    lips: float
    freckles: int
    texture: int
    beard: float = 0.0


def draw_identity(rng: np.random.Generator, mean_shape: NDArray[np.float64], *, mirrored: bool) -> Identity:
    """A person whose features vary around `mean_shape` (68, 2)."""
    angle, light = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.3)
    blue, green, red = np.exp(rng.normal(0, (0.07, 0.03, 0.05)) + rng.uniform(-0.25, 0.06))
    return Identity(
        mirrored=mirrored,
        landmarks=draw_shape(rng, mean_shape),
        tone=(float(blue), float(green), float(red)),
        gamma=float(np.exp(rng.normal(0, 0.12))),
        light=(float(light * np.cos(angle)), float(light * np.sin(angle))),
        brows=float(rng.uniform(0.8, 1.2)),
        lips=float(rng.uniform(0.2, 0.45)),
        freckles=int(rng.choice([0, 0, 40, 120])),
        texture=int(rng.integers(2**63)),
    )


def draw_shape(rng: np.random.Generator, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Landmarks (68, 2) of another face, changed feature by feature; sizes in shares, shifts in px of a 640x480 frame.

    The spreads were set so that points differ between people by well over 5 px while dlib, which knows how faces
    vary, still follows them within 3 px.
    """
    z = np.clip(rng.normal(size=16), -1.6, 1.6)
    points = landmarks.copy()
    _scale(points, JAW, points[27], 1 + 0.045 * z[0], 1 + 0.05 * z[1])
    chin = np.clip((points[JAW, 1] - points[30, 1]) / (points[8, 1] - points[30, 1]), 0, 1)
    points[JAW, 0] += (points[JAW, 0] - points[8, 0]) * 0.05 * z[2] * chin
    for side, eye, brow in ((-1, RIGHT_EYE, RIGHT_BROW), (1, LEFT_EYE, LEFT_BROW)):
        _scale(points, eye, points[eye].mean(0), 1 + 0.08 * z[3], 1 + 0.08 * z[4])
        points[eye] += [side * 3.0 * z[5], 2.5 * z[6] + side * 0.8 * z[13]]
        points[brow] += [side * 1.5 * z[5], 2.5 * z[6] + 2.5 * z[7] + side * 0.8 * z[14]]
        _scale(points, brow, points[brow].mean(0), 1 + 0.06 * z[8], 1)
    _scale(points, NOSE, points[27], 1 + 0.10 * z[9], 1 + 0.08 * z[10])
    points[MOUTH, 1] += (points[33] - landmarks[33])[1] + 3.5 * z[11]
    _scale(points, MOUTH, points[MOUTH].mean(0), 1 + 0.08 * z[12], 1 + 0.08 * z[15])
    return points + rng.normal(0, (6.0, 5.0))


JAW, NOSE, MOUTH = slice(0, 17), slice(27, 36), slice(48, 68)
RIGHT_BROW, LEFT_BROW, RIGHT_EYE, LEFT_EYE = slice(17, 22), slice(22, 27), slice(36, 42), slice(42, 48)


def _scale(points: NDArray[np.float64], part: slice, centre: NDArray[np.float64], x: float, y: float) -> None:
    points[part] = centre + (points[part] - centre) * (x, y)


__all__ = ["Identity", "draw_identity", "draw_shape"]

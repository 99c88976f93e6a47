"""How things move in time: the course of an expression, blinks, and the sway of a head that is held still."""

import numpy as np
from numpy.typing import NDArray

SWAY_SHIFT_PX = 2.0  # greatest shift within a clip, px of a 640x480 frame
SWAY_DEGREES = 0.5
_IDLE_CYCLES = (0.4, 1.6)  # per clip: as slow as an expression, so that no filter in time tells them apart
_HARMONICS = (0.5, 1.0, 1.5)  # cycles per clip: slow against the expression, as a held head is


def expression_course(frames: int, apex: int) -> NDArray[np.float64]:
    """Intensity (frames,) from 0 at the onset over 1 at frame `apex` to 0 at the offset, along half cosines."""
    rise = np.arange(apex + 1) / max(apex, 1)
    fall = np.arange(frames - apex - 1, -1, -1) / max(frames - 1 - apex, 1)
    phase = np.concatenate([rise, fall[1:]])
    return (1 - np.cos(np.pi * phase)) / 2


def blink_course(frames: int, start: float, length: float) -> NDArray[np.float64]:
    """Closure (frames,) of lids that close from frame `start` on and are open again `length` frames later.

    Closing takes a third of the time, as in human blinks.
    """
    phase = np.clip((np.arange(frames) - start) / length, 0, 1)
    bent = np.where(phase < 1 / 3, phase * 1.5, 0.5 + (phase - 1 / 3) * 0.75)
    return (1 - np.cos(2 * np.pi * bent)) / 2  # type: ignore[no-any-return]


def idle_courses(rng: np.random.Generator, frames: int, fields: int) -> NDArray[np.float64]:
    """How much there is of each of the fields of skin at rest, (frames, fields): slow waves from 0 in the first frame.

    Each strays from 0 by 1 at most.
    """
    time = np.arange(frames) / max(frames - 1, 1)
    waves = np.sin(2 * np.pi * (rng.uniform(*_IDLE_CYCLES, fields) * time[:, None] + rng.uniform(size=fields)))
    waves -= waves[0]
    return waves / np.maximum(np.abs(waves).max(axis=0), np.finfo(float).tiny)  # type: ignore[no-any-return]


def sway(rng: np.random.Generator, frames: int, scale: float) -> NDArray[np.float64]:
    """Head motion (frames, 3) since the first frame: shifts x and y in px, angle in radians; smooth and slow.

    The greatest shift is `SWAY_SHIFT_PX` times `scale`, the greatest angle `SWAY_DEGREES`.
    """
    time = np.arange(frames) / max(frames - 1, 1)
    phases = rng.uniform(0, 2 * np.pi, (len(_HARMONICS), 3))
    weights = rng.normal(size=(len(_HARMONICS), 3)) / np.array(_HARMONICS)[:, None]
    waves = np.sin(2 * np.pi * np.array(_HARMONICS)[None, :, None] * time[:, None, None] + phases)
    path = (waves * weights).sum(axis=1)
    path -= path[0]
    shift = np.hypot(path[:, 0], path[:, 1]).max()
    angle = np.abs(path[:, 2]).max()
    path[:, :2] *= SWAY_SHIFT_PX * scale / shift
    path[:, 2] *= np.deg2rad(SWAY_DEGREES) / angle
    return path  # type: ignore[no-any-return]


def similarity(
    centre: NDArray[np.float64], shift: NDArray[np.float64], angle: float, scale: float = 1.0
) -> NDArray[np.float64]:
    """The matrix (2, 3) that turns by `angle` about `centre`, scales and then shifts; y points down."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, centre + shift - turn @ centre])


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (2, 3) of `inner` followed by `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse (2, 3) of a matrix (2, 3)."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])


def transform(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (..., 2) moved by a matrix (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


__all__ = [
    "SWAY_DEGREES",
    "SWAY_SHIFT_PX",
    "blink_course",
    "compose",
    "expression_course",
    "idle_courses",
    "inverse",
    "similarity",
    "sway",
    "transform",
]

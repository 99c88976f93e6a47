"""Motion of an action unit, of known amplitude, put into recorded frames in which nothing is coded.

The skin of a stored clip is displaced by the fields of the portrait renderer, anchored at the landmarks found on its
first frame and carried along by the head. Whoever detects it detects rendered motion on a recorded face; that says
nothing about expressions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.store import StoredClip
from mebench.synth.action_units import DrawnUnit, unit_field
from mebench.synth.camera import Camera
from mebench.synth.motion import expression_course, inverse, transform
from mebench.synth.sampling import sample_field
from mebench.vision.points import inter_ocular

VERSION = 1
"""Of what an inserted clip is: raised, everything is made anew."""
_ENLARGED = 4
"""Frames are enlarged by Lanczos before they are sampled bilinearly, which keeps noise and edges: resampling must not
tell what was moved."""
_STILL_PX = 1e-3
_MARGIN_PX = 3
"""Around what moves: a field is sampled bilinearly, and heads come closer."""


@dataclass(frozen=True, slots=True)
class Move:
    """An action unit on both sides of the face, and how far it moves the skin at its liveliest place, px."""

    unit: int
    amplitude_px: float

    @property
    def name(self) -> str:
        """As files and clips of the audit are named by it: `4x0.5`."""
        return f"{self.unit}x{self.amplitude_px:g}"


def apex_index(frames: int) -> int:
    """The frame of greatest motion: the middle one."""
    return frames // 2


def with_motion(stored: StoredClip, moves: Sequence[Move]) -> list[StoredClip]:
    """The clip with each of the moves by itself: it rises from the first frame to the middle and falls to the last."""
    course = expression_course(len(stored.frames), apex_index(len(stored.frames)))
    fields = [_field(stored, move) for move in moves]
    boxes = [_box(field) for field in fields]
    made: list[list[NDArray[np.uint8]]] = [[] for _ in moves]
    for frame, motion, amount in zip(stored.frames, stored.motion, course, strict=True):
        enlarged = _enlarged(frame)
        for frames, field, box in zip(made, fields, boxes, strict=True):
            frames.append(_displaced(frame, enlarged, amount * field, box, motion))
    return [replace(stored, frames=np.stack(frames)) for frames in made]


def eyes_px(stored: StoredClip) -> float:
    """The distance between the eyes on the first frame, px."""
    return float(inter_ocular(stored.landmarks))


def _field(stored: StoredClip, move: Move) -> NDArray[np.float32]:
    """The displacement (h, w, 2) at the apex on the grid of the first frame, px."""
    height, width = stored.frames.shape[1:3]
    camera = Camera(width, height, stored.fps)
    field = unit_field(DrawnUnit(move.unit), camera.to_reference(stored.landmarks), camera)
    return np.asarray(np.float32(move.amplitude_px) * field, np.float32)


def _enlarged(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    size = (frame.shape[1] * _ENLARGED, frame.shape[0] * _ENLARGED)
    return np.asarray(cv2.resize(frame.astype(np.float32), size, interpolation=cv2.INTER_LANCZOS4), np.float32)


def _box(field: NDArray[np.float32]) -> NDArray[np.float64]:
    """The corners (4, 2), (x, y) px, of what a field displaces by anything that could count under the head's motion."""
    y, x = np.nonzero(np.abs(field).max(axis=-1) > _STILL_PX / 2)
    (left, right), (top, bottom) = ((v.min(), v.max()) if v.size else (0, 0) for v in (x, y))
    return np.array([(left, top), (right, top), (left, bottom), (right, bottom)], float)


def _displaced(
    frame: NDArray[np.uint8],
    enlarged: NDArray[np.float32],
    field: NDArray[np.float32],
    box: NDArray[np.float64],
    motion: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """The frame with its skin displaced; pixels that do not move keep their very values."""
    corners = transform(motion, box)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - _MARGIN_PX, 0)
    right, bottom = np.maximum(np.ceil(corners.max(axis=0)).astype(int) + _MARGIN_PX, 0)
    inside = frame[top:bottom, left:right]
    if not inside.size:  # the head has left the picture
        return frame
    y, x = np.mgrid[top : top + inside.shape[0], left : left + inside.shape[1]].astype(np.float64)
    here = np.stack([x, y], axis=-1)
    shift = sample_field(field, transform(inverse(motion), here).astype(np.float32)) @ motion[:, :2].T.astype(
        np.float32
    )
    moves = np.abs(shift).max(axis=-1) > _STILL_PX
    if not moves.any():
        return frame
    places = ((here - shift + 0.5) * _ENLARGED - 0.5).astype(np.float32)
    sampled = cv2.remap(enlarged, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)  # type: ignore[call-overload]
    moved = np.clip(np.rint(sampled), 0, 255).astype(np.uint8)
    drawn = frame.copy()
    drawn[top:bottom, left:right] = np.where(moves if frame.ndim == 2 else moves[..., None], moved, inside)
    return drawn


__all__ = ["VERSION", "Move", "apex_index", "eyes_px", "with_motion"]

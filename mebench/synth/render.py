"""Frames of a clip, and the truth about what moved in them.

Three coordinate systems: the *neutral* face (px of the camera, the picture of `faces.neutral_picture`), the *posed*
face (neutral plus skin motion), the *frame* (posed face moved by the head). Skin motion is kept as the field that
leads back, neutral = posed - displacement(posed), so that a frame is one exact sampling of the picture; only the
truth has to invert it.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.faces import SUPERSAMPLING
from mebench.synth.motion import compose, inverse, transform
from mebench.synth.sampling import sample, sample_field

TRUTH_STEP_PX = 2
_STILL_PX = 1e-4
_SETTLED_PX, _MOST_STEPS = 1e-4, 60


@dataclass(frozen=True)
class Skin:
    """The part of the posed face that moves: displacement fields (h, w, 2), px, and where they begin.

    `idle` (n, h, w, 2) are those of skin at rest, of greatest length 1; `origin` is (x, y) of their first pixel; beyond
    them all skin is still.
    """

    expression: NDArray[np.float32]
    blink: NDArray[np.float32]
    idle: NDArray[np.float32]
    origin: NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """All that a clip shows.

    `picture` is the neutral face at `SUPERSAMPLING` times the frame size; `strength` is the greatest displacement by
    each action unit alone at the apex, px; `course` and `closure` (t,) say how much there is of expression and
    blink; `idle` (t, n) of each field of skin at rest, px; `head (t, 2, 3)` carries the posed face into frame t.
    """

    picture: NDArray[np.float32]
    skin: Skin
    strength: float
    course: NDArray[np.float64]
    closure: NDArray[np.float64]
    idle: NDArray[np.float64]
    head: NDArray[np.float64]

    @property
    def size(self) -> tuple[int, int]:
        """Frame height and width."""
        return self.picture.shape[0] // SUPERSAMPLING, self.picture.shape[1] // SUPERSAMPLING

    def displacement(self, t: int) -> NDArray[np.float32] | None:
        """The skin's displacement at frame t on the part that moves, or None where all skin is at rest."""
        parts = [(self.course[t], self.skin.expression), (self.closure[t], self.skin.blink)]
        parts += zip(self.idle[t], self.skin.idle, strict=True)
        moving = [np.float32(share) * field for share, field in parts if share != 0]
        return sum(moving[1:], start=moving[0]) if moving else None


def moving_skin(expression: NDArray[np.float32], blink: NDArray[np.float32], idle: NDArray[np.float32]) -> Skin:
    """Displacement fields of a whole frame (h, w, 2), cut to the part that moves; to one pixel where nothing does."""
    moves = (np.abs(expression) + np.abs(blink) + np.abs(idle).sum(axis=0)).max(axis=-1) > _STILL_PX
    moves[0, 0] |= not moves.any()
    rows, columns = np.flatnonzero(moves.any(axis=1)), np.flatnonzero(moves.any(axis=0))
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return Skin(expression[part], blink[part], np.ascontiguousarray(idle[:, *part]), np.array([columns[0], rows[0]]))


def sharp_frame(scene: Scene, t: int) -> NDArray[np.float32]:
    """Frame t before the camera adds noise: grey levels (h, w) or (h, w, 3) float32, sampled once from the picture."""
    posed = _grid(scene.size, inverse(scene.head[t]))
    field = scene.displacement(t)
    part = posed[_part_of_frame(scene, t)]
    if field is not None and part.size:  # skin that moves may have swayed out of the frame
        part -= _sample(field, part - scene.skin.origin.astype(np.float32))
    posed += np.float32(0.5)
    posed *= np.float32(SUPERSAMPLING)
    posed -= np.float32(0.5)
    return sample(scene.picture, posed)


def _part_of_frame(scene: Scene, t: int) -> tuple[slice, slice]:
    """Rows and columns of frame t within which the moving skin lies."""
    height, width = scene.skin.expression.shape[:2]
    corners = scene.skin.origin + np.array([(x, y) for x in (0, width) for y in (0, height)])
    moved = transform(scene.head[t], corners.astype(np.float64))
    low, high = np.floor(moved.min(axis=0)).astype(int), np.ceil(moved.max(axis=0)).astype(int)
    return slice(max(low[1], 0), max(high[1] + 1, 0)), slice(max(low[0], 0), max(high[0] + 1, 0))


def expose(sharp: NDArray[np.float32], gain: float, noise: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What the sensor delivers: the sharp frame times the exposure's gain, plus noise, as 8-bit levels."""
    return np.asarray(cv2.addWeighted(sharp, gain, noise.reshape(sharp.shape), 1.0, 0.0, dtype=cv2.CV_8U), np.uint8)


def track(scene: Scene, neutral: NDArray[np.float64], t: int) -> NDArray[np.float64]:
    """Where points (n, 2) of the neutral face lie in frame t."""
    return transform(scene.head[t], _pose(scene, neutral, t))


def head_motion(scene: Scene) -> NDArray[np.float64]:
    """Matrices (t, 2, 3) that carry coordinates of the first frame into frame t, as the head alone moves them."""
    from_first = inverse(scene.head[0])
    return np.stack([compose(head, from_first) for head in scene.head])


def dense_motion(scene: Scene, start: int, end: int, step: int = TRUTH_STEP_PX) -> NDArray[np.float32]:
    """Displacement (h / step, w / step, 2) in px from frame `start` to frame `end`, head and skin together.

    It is given on the grid of frame `start`, at every `step`-th pixel from pixel 0 on.
    """
    height, width = scene.size
    y, x = np.mgrid[0:height:step, 0:width:step].astype(np.float64)
    first = np.stack([x, y], axis=-1)
    posed = transform(inverse(scene.head[start]), first)
    field = scene.displacement(start)
    neutral = posed if field is None else posed - _sample(field, posed - scene.skin.origin)
    return np.asarray(track(scene, neutral, end) - first, np.float32)


def _pose(scene: Scene, neutral: NDArray[np.float64], t: int) -> NDArray[np.float64]:
    """The posed place of neutral points: the fixed point of posed = neutral + displacement(posed).

    Fields are far from folding (their steepest slope is below .5), so that the iteration contracts.
    """
    field = scene.displacement(t)
    if field is None:
        return neutral
    posed = neutral
    for _ in range(_MOST_STEPS):
        moved = neutral + _sample(field, posed - scene.skin.origin)
        if np.abs(moved - posed).max() < _SETTLED_PX:
            return moved
        posed = moved
    raise AssertionError("The skin folds: a displacement field is too steep to be inverted.")


def _sample(field: NDArray[np.float32], points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The field's vectors at points (..., 2) of its own grid, bilinear; zero outside."""
    places = points.astype(np.float32, copy=False).reshape(-1, points.shape[-2], 2)
    return sample_field(field, places).reshape(points.shape)


def _grid(size: tuple[int, int], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Where `matrix` takes each pixel of a frame: (h, w, 2)."""
    x, y = np.arange(size[1]), np.arange(size[0])[:, None]
    grid = np.empty((*size, 2), np.float32)
    for axis in (0, 1):
        across = (matrix[axis, 0] * x + matrix[axis, 2]).astype(np.float32)
        np.add(across, (matrix[axis, 1] * y).astype(np.float32), out=grid[..., axis])
    return grid


__all__ = [
    "TRUTH_STEP_PX",
    "Scene",
    "Skin",
    "dense_motion",
    "expose",
    "head_motion",
    "moving_skin",
    "sharp_frame",
    "track",
]

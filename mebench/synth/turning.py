"""A head that turns in depth: nearer skin moves further than skin behind it.

The face is a relief, a paraboloid with a nose on it, seen in parallel projection. Head poses turn it about its mean
depth and then move the picture by a similarity. Beyond the face the turn fades out: the room does not turn.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import Camera
from mebench.synth.motion import inverse, similarity, transform
from mebench.synth.script import HeadPose

_DEPTH = 0.7  # of half the face's width: how far the middle of the face stands before its edge
_NOSE, _NOSE_SIGMA = 0.22, (0.12, 0.2)
_FADES = (1.1, 2.1)  # face radii between which the turn fades out
_GRID_PX, _FINE_GRID_PX, _FAR = 8, 4, np.deg2rad(9)  # px of a 640x480 frame; finer where a head turns far
_STEPS = 80
_SETTLED_PX = 2e-3


@dataclass(frozen=True)
class Relief:
    """The depth of a face: `height (h, w)` in px towards the camera, 0 on average over the face; `share (h, w)` 1 on
    the face, 0 far off it; the centre of turning and the frame size.
    """

    height: NDArray[np.float32]
    share: NDArray[np.float32]
    centre: NDArray[np.float64]

    @property
    def size(self) -> tuple[int, int]:
        """Frame height and width."""
        return self.height.shape[0], self.height.shape[1]

    def turned(self, points: NDArray[np.float64], yaw: float, pitch: float) -> NDArray[np.float64]:
        """Where points (..., 2) of the posed face lie once the head has turned."""
        x, y = (points - self.centre)[..., 0], (points - self.centre)[..., 1]
        height, share = self._at(self.height, points), self._at(self.share, points)
        across = x * np.cos(yaw) + height * np.sin(yaw)
        depth = height * np.cos(yaw) - x * np.sin(yaw)
        down = y * np.cos(pitch) + depth * np.sin(pitch)
        shift: NDArray[np.float64] = share[..., None] * np.stack([across - x, down - y], axis=-1)
        return points + shift

    def unturned(
        self, points: NDArray[np.float64], yaw: float, pitch: float, start: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """The inverse of `turned`, to `_SETTLED_PX` but where the face hides itself."""
        found = points.copy() if start is None else start.copy()
        for _ in range(_STEPS):
            missing = points - self.turned(found, yaw, pitch)
            found += missing
            if np.abs(missing).max() < _SETTLED_PX:
                break
        return found

    def _at(self, values: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
        places = points.astype(np.float32).reshape(-1, points.shape[-2], 2)
        found = cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        return np.asarray(found, np.float64).reshape(points.shape[:-1])


class Turning:
    """A head in a clip: from points of the posed face to points of frame t, and back."""

    def __init__(self, relief: Relief, head: HeadPose, centre: NDArray[np.float64], camera: Camera) -> None:
        self._relief, self._pose = relief, head
        self.matrices = np.stack([_matrix(head, t, centre, camera.scale) for t in range(len(head.x))])
        self._last: NDArray[np.float64] | None = None
        far = max(np.abs(head.yaw).max(), np.abs(head.pitch).max()) > _FAR
        self._step = max(1, round((_FINE_GRID_PX if far else _GRID_PX) * camera.scale))

    def forward(self, posed: NDArray[np.float64], t: int) -> NDArray[np.float64]:
        """Points (..., 2) of the posed face in frame t."""
        return transform(self.matrices[t], self._relief.turned(posed, *self._angles(t)))

    def backward(self, points: NDArray[np.float64], t: int) -> NDArray[np.float64]:
        """Points (..., 2) of frame t on the posed face."""
        return self._relief.unturned(transform(inverse(self.matrices[t]), points), *self._angles(t))

    def places(self, t: int) -> NDArray[np.float32]:
        """Where on the posed face each pixel of frame t lies (h, w, 2): exact on a grid, bilinear between."""
        height, width = self._relief.size
        columns, rows = width // self._step, height // self._step
        x, y = (np.arange(columns) + 0.5) * width / columns - 0.5, (np.arange(rows) + 0.5) * height / rows - 0.5
        moved = transform(inverse(self.matrices[t]), np.stack(np.meshgrid(x, y), axis=-1))
        found = self._relief.unturned(moved, *self._angles(t), start=self._last)
        self._last = found
        return np.asarray(cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR))

    def _angles(self, t: int) -> tuple[float, float]:
        return float(self._pose.yaw[t]), float(self._pose.pitch[t])


def relief_of(landmarks: NDArray[np.float64], size: tuple[int, int]) -> Relief:
    """The relief of a face with these landmarks (68, 2), px of the frame of this size."""
    half_width = np.ptp(landmarks[:17, 0]) / 2
    half_height = (landmarks[8, 1] - landmarks[27, 1]) * 1.15
    centre = np.array([landmarks[:17, 0].mean(), landmarks[29, 1]])
    x = (np.arange(size[1]) - centre[0]) / half_width
    y = (np.arange(size[0]) - centre[1]) / half_height
    radius = np.hypot(x[None], y[:, None])
    bowl = -(np.minimum(radius, _FADES[1]) ** 2)
    tip = landmarks[30]
    nose_x = ((np.arange(size[1]) - tip[0]) / half_width) / _NOSE_SIGMA[0]
    nose_y = ((np.arange(size[0]) - tip[1]) / half_width) / _NOSE_SIGMA[1]
    nose = np.exp(-(nose_x[None] ** 2 + nose_y[:, None] ** 2) / 2)
    height = half_width * (_DEPTH * bowl + _NOSE * nose)
    height -= height[radius < 1].mean()
    fade = np.clip((_FADES[1] - radius) / (_FADES[1] - _FADES[0]), 0, 1)
    share = fade * fade * (3 - 2 * fade)
    return Relief(height.astype(np.float32), share.astype(np.float32), centre)


def _matrix(head: HeadPose, t: int, centre: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    shift = np.array([head.x[t], head.y[t]]) * scale
    return similarity(centre, shift, float(head.roll[t]), float(np.exp(head.log_scale[t])))


__all__ = ["Relief", "Turning", "relief_of"]

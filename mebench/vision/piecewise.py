"""Piecewise affine alignment: every landmark of every frame is brought to where it lies in the canonical onset.

What moves landmarks moves the warp: it takes out the expression with the head.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay

from mebench.vision.alignment import canonical, compose, invert, transform_points
from mebench.vision.arrays import Bytes, Doubles, require_frames
from mebench.vision.points import checked
from mebench.vision.registration import landmark_motion


@dataclass(frozen=True, eq=False)
class PiecewiseAffine:
    """One affine map per triangle: from canonical points (m, 2) to those of each frame (t, m, 2)."""

    points: Doubles
    frames: Doubles

    @cached_property
    def _mesh(self) -> Any:
        return Delaunay(self.points)

    def at(self, places: Doubles, t: int) -> Doubles:
        """Where canonical places (n, 2) lie in frame t; outside the mesh the nearest point's triangle goes on."""
        found = self._mesh.find_simplex(places)
        outside = found < 0
        if outside.any():
            nearest = np.linalg.norm(self.points[None] - places[outside, None], axis=-1).argmin(axis=1)
            found[outside] = self._mesh.vertex_to_simplex[nearest]
        frame = self._mesh.transform[found]
        two = np.einsum("nij,nj->ni", frame[:, :2], places - frame[:, 2])
        weights = np.column_stack([two, 1 - two.sum(axis=1)])
        corners = self.frames[t][self._mesh.simplices[found]]
        return np.asarray(np.einsum("ni,nij->nj", weights, corners))


def piecewise(landmarks: npt.ArrayLike, size: int, margin: int = 0) -> PiecewiseAffine:
    """The map from a canonical face of `size` + 2 `margin` px to each frame, of its landmarks (t, 68, 2).

    Corners and middles of the sides go with the similarity of all landmarks.
    """
    each = np.stack([checked(points) for points in np.asarray(landmarks)])
    face = canonical(each[0], size)
    face[:, 2] += margin
    ends = np.array([0, (size + 2 * margin - 1) / 2, size + 2 * margin - 1])
    rim = np.array([(x, y) for x in ends for y in ends if x in ends[::2] or y in ends[::2]])
    rims = transform_points(rim, compose(landmark_motion(each), invert(face)))
    inner = transform_points(each[0], face)
    inside = ((inner > 0) & (inner < ends[-1])).all(axis=1)  # a chin may lie beyond the canonical square
    points = np.vstack([inner[inside], rim])
    return PiecewiseAffine(points, np.concatenate([each[:, inside], rims], axis=1))


def warp_piecewise(frames: Bytes, landmarks: npt.ArrayLike, size: int, margin: int = 0) -> Bytes:
    """The frames (t, h, w[, 3]) with every landmark where the onset has it in its canonical place.

    Landmarks (t, 68, 2) are each frame's own. Bicubic, without the blur of a reduction.
    """
    require_frames(frames, "The frames to align")
    found, side = piecewise(landmarks, size, margin), size + 2 * margin
    y, x = np.mgrid[:side, :side].astype(np.float64)
    places = np.column_stack([x.ravel(), y.ravel()])
    maps = (found.at(places, t).astype(np.float32).reshape(side, side, 2) for t in range(len(frames)))
    warped = [
        cv2.remap(frame, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        for frame, at in zip(frames, maps, strict=True)
    ]
    return np.asarray(warped, dtype=np.uint8)

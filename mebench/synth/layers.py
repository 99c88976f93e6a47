"""Sparse pictures: each is kept on the small part of the face where it is anything, and added up frame by frame."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STILL = 1e-4
_MARGIN = 0.45  # of the face's height and width, around its landmarks: the forehead is above them


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a frame: its first pixel (x, y) and its size (h, w)."""

    origin: tuple[int, int]
    size: tuple[int, int]

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        (x, y), (height, width) = self.origin, self.size
        return slice(y, y + height), slice(x, x + width)


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """Values (h, w) or (h, w, 2) float32 within a part of the face, and where they begin there."""

    rows: slice
    columns: slice
    values: NDArray[np.float32]

    @classmethod
    def of(cls, whole: NDArray[np.float32], part: Part) -> "Layer":
        """What a picture of the frame (h, w, ...) holds within the part, cut to where it is anything."""
        cut = whole[part.slices]
        size = np.abs(cut).reshape(*cut.shape[:2], -1).max(axis=-1)
        strong = size > _STILL * max(float(size.max()), 1e-9)
        if not strong.any():
            return cls(slice(0, 0), slice(0, 0), cut[:0, :0])
        rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
        box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        return cls(*box, np.ascontiguousarray(cut[box]))


def face_part(landmarks: NDArray[np.float64], size: tuple[int, int]) -> Part:
    """The part of a frame of this size (h, w) around a face's landmarks within which skin moves."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    margin = _MARGIN * (high - low)
    corner = np.maximum(np.floor(low - margin), 0).astype(int)
    end = np.minimum(np.ceil(high + margin), (size[1], size[0])).astype(int)
    return Part((int(corner[0]), int(corner[1])), (int(end[1] - corner[1]), int(end[0] - corner[0])))


def summed(layers: Iterable[tuple[Layer, NDArray[np.float64]]], t: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The layers, each times its share at frame t, on an array of this shape."""
    found = np.zeros(shape, np.float32)
    for layer, shares in layers:
        if shares[t]:
            found[layer.rows, layer.columns] += np.float32(shares[t]) * layer.values
    return found


__all__ = ["Layer", "Part", "face_part", "summed"]

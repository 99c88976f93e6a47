"""What a synthetic camera records, and the one unit in which faces and motion are drawn: a pixel of a 640x480 frame."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]

REFERENCE_WIDTH, REFERENCE_HEIGHT = 640, 480


@dataclass(frozen=True, slots=True)
class Camera:
    """Frame size in px, frame rate, and whether frames have one channel."""

    width: int
    height: int
    fps: float
    grey: bool = False

    @property
    def scale(self) -> float:
        """Pixels of this camera per pixel of a 640x480 frame: a face fills the same share of the height."""
        return self.height / REFERENCE_HEIGHT

    def from_reference(self, points: FloatArray) -> NDArray[np.float64]:
        """Points (n, 2) of a 640x480 frame in this camera's pixels; frame centres coincide, pixel centres are
        integers.
        """
        return (np.asarray(points, np.float64) - _centre(REFERENCE_WIDTH, REFERENCE_HEIGHT)) * self.scale + _centre(
            self.width, self.height
        )

    def to_reference(self, points: FloatArray) -> NDArray[np.float64]:
        """The inverse of `from_reference`; any leading shape."""
        return (np.asarray(points, np.float64) - _centre(self.width, self.height)) / self.scale + _centre(
            REFERENCE_WIDTH, REFERENCE_HEIGHT
        )


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture drawn at `supersampling` times a camera's resolution."""

    camera: Camera
    supersampling: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.camera.height * self.supersampling, self.camera.width * self.supersampling

    @property
    def unit(self) -> float:
        """Its pixels per pixel of a 640x480 frame."""
        return self.camera.scale * self.supersampling

    def place(self, points: FloatArray) -> NDArray[np.float64]:
        """Points (n, 2) of a 640x480 frame in its pixels."""
        return (self.camera.from_reference(points) + 0.5) * self.supersampling - 0.5


def _centre(width: int, height: int) -> NDArray[np.float64]:
    return np.array([(width - 1) / 2, (height - 1) / 2])

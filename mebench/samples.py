"""What steps on samples share: where the rows begin, how geometry follows a warp, how floats become bytes."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.recipes import Sample
from mebench.vision.alignment import compose, invert, transform_points
from mebench.vision.arrays import Bytes, Doubles


def moved(sample: Sample, matrix: Doubles) -> Sample:
    """The sample's geometry after its images were taken through a similarity or a scaling."""
    corners = transform_points(sample.box.reshape(2, 2), matrix)
    return replace(
        sample,
        landmarks=transform_points(sample.landmarks, matrix).astype(np.float32),
        box=np.concatenate([corners.min(axis=0), corners.max(axis=0)]),
        motion=compose(matrix, compose(sample.motion, invert(matrix))),
    )


def leading(sample: Sample) -> int:
    """How many axes stand before the rows: time, where there is one."""
    return int(sample.array.ndim == 4 if sample.kind == "flow" else sample.kind != "image")


def plane(sample: Sample) -> tuple[int, int]:
    """Rows and columns."""
    height, width = sample.array.shape[leading(sample) :][:2]
    return height, width


def fields(sample: Sample) -> tuple[int, ...]:
    """The axes after the columns: colours or flow channels, or none."""
    return sample.array.shape[leading(sample) + 2 :]


def as_bytes(values: npt.NDArray[Any]) -> Bytes:
    """The values as 8-bit levels, rounded half to even."""
    rounded: Bytes = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded


def require(condition: bool, what: str) -> None:  # noqa: FBT001  an assertion with a message for the user
    """DataError with these words unless the condition holds."""
    if not condition:
        raise DataError(what, "Correct the recipe.")


__all__ = ["as_bytes", "fields", "leading", "moved", "plane", "require"]

"""The apex found in the frames: estimates that need no annotation beyond onset and offset.

Both take the face aligned to the onset, 8-bit grey (t, side, side), with its landmarks there. How far off they are, in
frames, stands in docs/vision.md.
"""

from typing import Any, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.vision.arrays import Bytes, Doubles, require_frames, require_grey
from mebench.vision.flow import dis_fast
from mebench.vision.motion import tracking_region

Source = Literal["flow", "frequency"]

SIDE: Final = 128
"""Side of the canonical face on which apexes are spotted."""

BLUR_PX: Final = 3.0
"""Sigma that a flow field is smoothed by: skin moves in patches, noise in points."""

BLOCKS: Final = 6
WINDOW: Final = 9
HIGH: Final = 0.25
"""Blocks a side, frames of a window, and the share of the highest spatio-temporal frequency that counts as high."""


def spot(frames: Bytes, landmarks: npt.ArrayLike, source: Source) -> int:
    """The index of the apex among the frames (t, h, w): by `flow` or by `frequency`; DataError for another source."""
    require_frames(frames, "The frames to spot an apex in")
    require_grey(frames[0], "The onset frame")
    if source not in SOURCES:
        raise DataError(f"No apex is spotted by {source!r}.", f"Known: {', '.join(SOURCES)}.")
    if len(frames) < 3:
        return len(frames) - 1
    return int(SOURCES[source](frames, landmarks).argmax())


def flow_course(frames: Bytes, landmarks: npt.ArrayLike) -> Doubles:
    """How much of the clip's main motion each frame shows, (t,) px: the first singular vector of its flow from the
    onset.

    Over the face without eyes and mouth, fields are smoothed and freed of their mean; the course is smoothed in time,
    and its sign is that of its greater excursion.
    """
    height, width = frames.shape[1:]
    inside = tracking_region((height, width), landmarks) > 0
    fields = np.stack([_field(frames[0], frame)[inside].ravel() for frame in frames]).astype(np.float64)
    left, strength, _ = np.linalg.svd(_centred(fields), full_matrices=False)
    course = _smoothed(left[:, 0] * strength[0] / np.sqrt(max(inside.sum(), 1)))
    course -= course[0]
    return course if course.max() >= -course.min() else -course


def frequency_course(frames: Bytes, landmarks: npt.ArrayLike) -> Doubles:
    """How much high frequency lies around each frame, (t,): after Li, ICIP 2018, who take the peak for the apex.

    A window of frames slides over the clip; in each of 6 × 6 blocks the three-dimensional Fourier transform of the
    window is summed over high frequencies in amplitude. Our reading of the idea: windows are mean-free in time, since
    a face at rest is full of high frequencies.
    """
    height, width = frames.shape[1:]
    face = np.where(tracking_region((height, width), landmarks) > 0, frames, 0).astype(np.float64)
    span = min(WINDOW, len(frames))
    rows, columns = height // BLOCKS, width // BLOCKS
    blocks = face[:, : rows * BLOCKS, : columns * BLOCKS].reshape(len(frames), BLOCKS, rows, BLOCKS, columns)
    high = _high((span, rows, columns))
    course = np.zeros(len(frames))
    for t in range(len(frames)):
        first = min(max(t - span // 2, 0), len(frames) - span)
        window = blocks[first : first + span].transpose(1, 3, 0, 2, 4)
        spectrum = np.fft.fftn(window - window.mean(axis=2, keepdims=True), axes=(2, 3, 4))
        course[t] = np.abs(spectrum[..., high]).sum()
    return _smoothed(course)


SOURCES: Final = {"flow": flow_course, "frequency": frequency_course}


def _field(first: Bytes, second: Bytes) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(dis_fast(first, second), (0, 0), BLUR_PX), dtype=np.float32)


def _centred(fields: Doubles) -> Doubles:
    """Flattened fields (t, 2 n) without each one's mean vector."""
    vectors = fields.reshape(len(fields), -1, 2)
    centred: Doubles = vectors - vectors.mean(axis=1, keepdims=True)
    return centred.reshape(len(fields), -1)


def _smoothed(course: Doubles) -> Doubles:
    """Each value and its neighbours at weights 1, 2, 1; the ends have themselves for neighbours."""
    padded = np.pad(course, 1, mode="edge")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def _high(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    radius: Any = sum(np.square(axis) for axis in np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"))
    return np.asarray(np.sqrt(radius) >= HIGH)

"""What is known of a synthetic clip beside what its frames show, and where it is kept."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DataError

FOLDER = "mebench-truth"


@dataclass(frozen=True)
class Truth:
    """The truth about one clip of t frames.

    numbers (t,) int64: frame numbers.
    apex: () int64: the frame number of the apex.
    landmarks (t, 68, 2) float32: px in each frame.
    head_motion (t, 2, 3) float64: carries coordinates of the first frame into frame t, as the head alone moves them.
    units (n,) text: the action units drawn, `4` or `L12`.
    intensity (t, n) float64: greatest displacement by each unit, px of the frame. Where units overlap they add up.
    peak_px () float64: greatest displacement by all units together at the apex, px of the frame.
    closure (t,) float64: greatest displacement of the lids by blinking, px of the frame.
    motion (h / step, w / step, 2) float16: displacement in px from the first frame to the apex frame, skin and head
    together, at every step-th pixel of the first frame from pixel 0 on. float16 keeps it to .001 px below 2 px.
    motion_step () int64: that step.
    """

    numbers: NDArray[np.int64]
    apex: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    head_motion: NDArray[np.float64]
    units: NDArray[np.str_]
    intensity: NDArray[np.float64]
    peak_px: NDArray[np.float64]
    closure: NDArray[np.float64]
    motion: NDArray[np.float16]
    motion_step: NDArray[np.int64]


def write_truth(root: Path, subject: str, name: str, truth: Truth) -> None:
    """Writes a clip's truth below the corpus root; equal truths give equal bytes."""
    path = _path(root, subject, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{field.name: getattr(truth, field.name) for field in fields(Truth)})


def read_truth(root: Path, clip_id: str) -> Truth:
    """The truth about a clip of a synthetic corpus, by clip id; raises DataError where there is none."""
    _, subject, name = clip_id.split("/")
    path = _path(root, subject, name)
    if not path.is_file():
        raise DataError(
            f"{root} holds no truth about {clip_id}.",
            "Only corpora that mebench synth wrote have one: check the folder.",
        )
    with np.load(path) as stored:
        return Truth(**{field.name: stored[field.name] for field in fields(Truth)})


def _path(root: Path, subject: str, name: str) -> Path:
    return root / FOLDER / subject / f"{name}.npz"


__all__ = ["FOLDER", "Truth", "read_truth", "write_truth"]

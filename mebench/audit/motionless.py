"""Clips that lost their motion: the same stored clip with other frames in it, and what a recipe makes of them.

Each variant keeps number and place of the frames, so that a recipe finds what it looks for where it was: an apex that
is coded stays the same number of frames from the onset.
"""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.audit import drawn
from mebench.clips import Clip
from mebench.errors import StoreError
from mebench.files import DiskFullError, read_sealed, write_sealed
from mebench.inputs import input_of, parse_recipe
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent
from mebench.store import StoredClip, read_clip

VERSION = 1
"""Raised whenever what a variant does to a clip changes."""
_BLANK_FPS = 200.0


def onset_only(stored: StoredClip) -> StoredClip:
    """The clip held still: every frame is the onset frame, and the head is where it was then."""
    times = len(stored.frames)
    return replace(
        stored, frames=stored.frames[:1].repeat(times, axis=0), motion=stored.motion[:1].repeat(times, axis=0)
    )


def duration_only(stored: StoredClip) -> StoredClip:
    """One and the same picture as often as the clip has frames: nobody's face, no motion, no size of its own.

    The picture is smooth grey noise in the place of a face, so that what divides by a contrast has one. Frame rate and
    colour are the same for all clips, because they would tell the corpus.
    """
    times = len(stored.frames)
    picture = drawn.draw_clip("blank/nobody/none", drawn.CLASSES[0], 0)
    still = np.repeat(picture.frames[:1, ..., None], 3, axis=-1)
    return replace(
        stored,
        frames=still.repeat(times, axis=0),
        origin=picture.origin,
        landmarks=picture.landmarks,
        motion=picture.motion[:1].repeat(times, axis=0),
        inliers=picture.inliers[:1].repeat(times),
        flagged=np.zeros(times, np.bool_),
        box=picture.box,
        fps=_BLANK_FPS,
    )


def shuffled(stored: StoredClip) -> StoredClip:
    """The clip with its frames in a drawn order, each with its head motion; the onset stays first.

    Landmarks and face box are those of the onset, so that a clip which began with another frame would be cut wrongly.
    """
    generator = np.random.default_rng([0, zlib.crc32(stored.clip_id.encode())])
    order = np.concatenate([[0], 1 + generator.permutation(len(stored.frames) - 1)]).astype(np.int64)
    return replace(
        stored,
        frames=stored.frames[order],
        motion=stored.motion[order],
        inliers=stored.inliers[order],
        flagged=stored.flagged[order],
    )


@dataclass(frozen=True, slots=True)
class Motionless:
    """A way to take motion from a clip: what it does, in words what is left, and how a sentence calls it."""

    change: Callable[[StoredClip], StoredClip]
    words: str
    phrase: str


MOTIONLESS: Mapping[str, Motionless] = {
    "onset only": Motionless(onset_only, "every frame is the onset frame", "on the onset frame alone"),
    "duration only": Motionless(
        duration_only, "one blank picture, as often as the clip has frames", "on the number of frames alone"
    ),
    "shuffled": Motionless(shuffled, "the frames after the onset in a drawn order", "on shuffled frames"),
}


@dataclass(frozen=True, eq=False)
class MotionlessInputs(Mapping[str, NDArray[Any]]):
    """The inputs of one variant by clip id, read and verified each time; `missing` says why a clip has none."""

    files: Mapping[str, Path]
    missing: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, clip: str) -> NDArray[Any]:
        found: NDArray[Any] = np.load(io.BytesIO(read_sealed(self.files[clip])[0]), allow_pickle=False)
        return found

    def __contains__(self, clip: object) -> bool:
        return clip in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True, slots=True)
class MotionlessTask:
    """What a worker needs to make one input of a variant."""

    home: Path
    variant: str
    recipe: str
    clip: Clip
    path: Path


def motionless_inputs(
    home: Path,
    variant: str,
    recipe: str,
    clips: Mapping[str, Clip],
    folder: Path,
    *,
    jobs: int = 1,
    progress: Progress = silent,
) -> MotionlessInputs:
    """What the recipe makes of every clip under a variant, kept in the folder; what lies there is not made again.

    A clip on which a step fails is missing and named. Raises DataError where the disk is full.
    """
    tasks = {
        name: MotionlessTask(home, variant, recipe, clip, folder / f"{zlib.crc32(name.encode()):08x}-{i}.npy")
        for i, (name, clip) in enumerate(sorted(clips.items()))
    }
    missing: dict[str, str] = {}
    pending = {name: task for name, task in tasks.items() if not _is_whole(task.path)}
    for done, outcome in enumerate(run_tasks(_make, pending, jobs=jobs), len(tasks) - len(pending) + 1):
        if isinstance(outcome.error, DiskFullError):
            raise outcome.error
        if outcome.error is not None:
            missing[outcome.name] = outcome.error.what
        progress(done, len(tasks), f"{variant}: {outcome.name}")
    return MotionlessInputs({name: task.path for name, task in tasks.items() if name not in missing}, missing)


def motionless_array(home: Path, variant: str, recipe: str, clip: Clip) -> NDArray[Any]:
    """What the recipe makes of a stored clip under a variant; raises what reading it or a step raises."""
    parsed = parse_recipe(recipe)
    changed = MOTIONLESS[variant].change(read_clip(home, clip.id))
    return input_of(parsed, changed, clip.apex)[0]


def _make(task: MotionlessTask) -> None:
    """Makes one input and keeps it. Runs in a worker."""
    image = io.BytesIO()
    np.save(image, motionless_array(task.home, task.variant, task.recipe, task.clip), allow_pickle=False)
    write_sealed(task.path, image.getvalue(), {})


def _is_whole(path: Path) -> bool:
    try:
        read_sealed(path)
    except StoreError:
        return False
    return True


__all__ = [
    "MOTIONLESS",
    "VERSION",
    "Motionless",
    "MotionlessInputs",
    "duration_only",
    "motionless_array",
    "motionless_inputs",
    "onset_only",
    "shuffled",
]

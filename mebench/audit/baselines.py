"""Stretches of raw clips in which nothing is coded, and what a recipe makes of them with motion put in.

A stretch lies before the onset of its clip and overlaps no coded interval of its folder; of a synthetic corpus without
motion (amplitude 0) it is the whole clip. Its frames are prepared as any clip's are, in a folder that goes when it is
done: only inputs are kept, under the clip's id, so that `mebench forget` finds them.
"""

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.audit.insertion import Move, apex_index, eyes_px, with_motion
from mebench.clips import Clip, ClipTable
from mebench.cropping import ClipTask, FaceSource, prepare_clip
from mebench.datasets.folders import FrameFolder
from mebench.errors import FrameError, StoreError
from mebench.files import read_sealed, write_sealed
from mebench.inputs import input_of
from mebench.recipes import parse_recipe
from mebench.store import read_clip

GAP_FRAMES = 5
"""Between a stretch and a coded interval, for a coder may have seen the onset late (the number is our choice)."""
WITHOUT = "none"
_EYES = "eyes px"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A clip's frames without motion: their numbers, first and last, and where they lie."""

    clip: Clip
    interval: tuple[int, int]
    folder: FrameFolder


@dataclass(frozen=True, slots=True)
class StretchTask:
    """What a worker needs to make the inputs of one stretch: one without motion and one per move."""

    stretch: Stretch
    recipe: str
    moves: tuple[Move, ...]
    path: Path


def stretches(table: ClipTable, folders: Mapping[str, FrameFolder], frames: int) -> dict[str, Stretch]:
    """By clip id, the last `frames` uncoded frames of every clip that has so many in a row."""
    silent = table.synthetic is not None and table.synthetic.settings.get("amplitude") == 0
    coded: dict[Path, list[tuple[int, int]]] = {}
    for clip in table:
        if clip.id in folders and not silent:
            coded.setdefault(folders[clip.id].path, []).append((clip.onset, clip.offset))
    found = {}
    for clip in table:
        folder = folders.get(clip.id)
        if folder is None:
            continue
        end = clip.offset + 1 + GAP_FRAMES if silent else clip.onset
        run = _last_run(folder, end - GAP_FRAMES, coded.get(folder.path, ()), frames)
        if run:
            found[clip.id] = Stretch(clip, (run[0], run[-1]), folder)
    return found


def _last_run(
    folder: FrameFolder, before: int, coded: Sequence[tuple[int, int]], frames: int
) -> tuple[int, ...] | None:
    """The numbers of the last `frames` consecutive frames before this number that no interval comes near."""
    free = [
        number
        for number, _ in folder.frames
        if number < before and not any(a - GAP_FRAMES <= number <= b + GAP_FRAMES for a, b in coded)
    ]
    for last in range(len(free), frames - 1, -1):
        run = free[last - frames : last]
        if run[-1] - run[0] == frames - 1:
            return tuple(run)
    return None


def make_inputs(task: StretchTask) -> None:
    """Makes and keeps what the recipe makes of a stretch, without motion and with each move. Runs in a worker.

    Raises FrameError where frames are broken or no face is found on the first.
    """
    stretch, recipe = task.stretch, parse_recipe(task.recipe)
    with tempfile.TemporaryDirectory(prefix="mebench-stretch-") as scratch:
        home = Path(scratch)
        job = ClipTask(
            home,
            stretch.clip.id,
            stretch.interval,
            None,
            stretch.clip.fps,
            stretch.folder,
            FaceSource(on_missing="exclude"),
        )
        if prepare_clip(job).state == "excluded":
            raise FrameError(f"{stretch.clip.id}: no face on frame {stretch.interval[0]}.", "Leave the clip out.")
        stored = read_clip(home, stretch.clip.id)
    peak = int(stored.numbers[apex_index(len(stored.numbers))])
    clips = [stored, *with_motion(stored, task.moves)]
    names = [WITHOUT, *(move.name for move in task.moves)]
    arrays = {name: input_of(recipe, clip, peak)[0] for name, clip in zip(names, clips, strict=True)}
    image = io.BytesIO()
    np.savez(image, **arrays, **{_EYES: np.array(eyes_px(stored))})  # type: ignore[arg-type]
    write_sealed(task.path, image.getvalue(), {"clip": stretch.clip.id})


@dataclass(frozen=True, eq=False)
class StretchInputs(Mapping[str, NDArray[Any]]):
    """Inputs by `<clip id>#<move>`, `<clip id>#none` or copies of that, `<clip id>#none~3`; read each time."""

    files: Mapping[str, Path]
    names: tuple[str, ...]

    def __getitem__(self, key: str) -> NDArray[Any]:
        clip, _, name = key.rpartition("#")
        with np.load(io.BytesIO(read_sealed(self.files[clip])[0]), allow_pickle=False) as found:
            array: NDArray[Any] = found[name.partition("~")[0]]
        return array

    def __contains__(self, key: object) -> bool:
        clip, _, name = str(key).rpartition("#")
        return clip in self.files and name.partition("~")[0] in self.names

    def __iter__(self) -> Iterator[str]:
        return (f"{clip}#{name}" for clip in self.files for name in self.names)

    def __len__(self) -> int:
        return len(self.files) * len(self.names)

    def eyes(self, clip: str) -> float:
        """The distance between the eyes in a clip, px."""
        with np.load(io.BytesIO(read_sealed(self.files[clip])[0]), allow_pickle=False) as found:
            return float(found[_EYES])


def is_whole(path: Path) -> bool:
    """Whether inputs lie there, undamaged."""
    try:
        read_sealed(path)
    except StoreError:
        return False
    return True


__all__ = [
    "GAP_FRAMES",
    "WITHOUT",
    "Stretch",
    "StretchInputs",
    "StretchTask",
    "is_whole",
    "make_inputs",
    "stretches",
]

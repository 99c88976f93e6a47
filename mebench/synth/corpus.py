"""Writes a synthetic corpus that lies on disk exactly as a real one does, with the truth beside it."""

import math
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.clips import SyntheticMark
from mebench.datasets.marker import read_marker, write_marker
from mebench.errors import DataError, UnknownName, UsageError
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent
from mebench.synth.expressions import MENUS
from mebench.synth.filming import cast, exposures, picture_of, stage, truth_of
from mebench.synth.layouts import LAYOUTS
from mebench.synth.plan import PlannedClip, Settings, draw_plan
from mebench.synth.truth import write_truth

GENERATOR = "mebench.synth/2"
TIERS = ("smoke",)
JPEG_QUALITY = 90
MOST_AMPLITUDE_PX = 3.0
"""Twice this, the strongest clip's peak, is as far as skin moves here without folding."""


def write_corpus(
    dataset: str,
    out: Path,
    *,
    tier: str = "smoke",
    subjects: int = 8,
    clips: int | None = None,
    amplitude: float = 1.0,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = silent,
) -> SyntheticMark:
    """What was written: a corpus in the layout of `casme2`, `samm` or `smic`, whole or not at all.

    `amplitude` is the median of the greatest skin motion at the apex in px of a 640x480 frame, log-normal between
    half and twice that; 0 gives the null corpus, in which labels mean nothing. `clips` are by default two per subject
    and class. The same arguments give the same bytes, whatever `jobs` is. The truth lies in `mebench-truth` (see
    `truth.read_truth`).

    An earlier synthetic corpus in `out` is replaced; any other content raises DataError. Arguments out of range raise
    UsageError.
    """
    settings = _settings(dataset, tier, subjects, clips, amplitude, seed)
    plan = draw_plan(settings)
    mark = _mark(settings, plan)
    with whole(out) as unfinished, disk(out):
        _film_all(settings, plan, unfinished, jobs, progress)
        settings.layout.annotate(unfinished, plan)
        write_marker(unfinished, mark)
    return mark


@dataclass(frozen=True)
class _Casting:
    """A worker's task: all clips of one person."""

    settings: Settings
    index: int
    clips: tuple[PlannedClip, ...]
    root: Path


def _film_all(settings: Settings, plan: Sequence[PlannedClip], root: Path, jobs: int, progress: Progress) -> None:
    people = list(dict.fromkeys(clip.take.subject for clip in plan))
    tasks = {
        subject: _Casting(settings, i, tuple(clip for clip in plan if clip.take.subject == subject), root)
        for i, subject in enumerate(people)
    }
    done = 0
    for outcome in run_tasks(_film_person, tasks, jobs=jobs):
        if outcome.error:
            raise outcome.error
        done += len(tasks[outcome.name].clips)
        progress(done, len(plan), outcome.name)


def _film_person(task: _Casting) -> None:
    settings, layout = task.settings, task.settings.layout
    person = cast(settings, task.index)
    picture = picture_of(person, layout.camera)
    with disk(task.root):
        for clip in task.clips:
            folder = task.root / layout.folder(clip)
            folder.mkdir(parents=True)
            scene = stage(settings, clip, person, picture)
            for number, frame in enumerate(exposures(settings, clip, scene), clip.take.onset):
                name = layout.frame_name(clip, number)
                (folder / name).write_bytes(_encode(Path(name).suffix, frame))
            truth = truth_of(settings, clip, scene, person)
            write_truth(task.root, layout.subject_id(clip.take.subject), clip.name, truth)


def _encode(suffix: str, frame: NDArray[np.uint8]) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    _, encoded = cv2.imencode(suffix, frame, options)
    return encoded.tobytes()


def _settings(dataset: str, tier: str, subjects: int, clips: int | None, amplitude: float, seed: int) -> Settings:
    if dataset not in LAYOUTS:
        raise UnknownName("synthetic corpus", dataset, LAYOUTS)
    if tier not in TIERS:
        raise UnknownName("tier", tier, TIERS)
    layout = LAYOUTS[dataset]
    if not 1 <= subjects <= len(layout.subjects):
        raise UsageError(
            f"{subjects} subjects were asked for in {dataset}.", f"Give a number from 1 to {len(layout.subjects)}."
        )
    clips = subjects * len(MENUS[dataset]) * layout.clips_per_class if clips is None else clips
    if clips < subjects:
        raise UsageError(
            f"{clips} clips were asked for with {subjects} subjects.", "Give at least one clip per subject."
        )
    if not (math.isfinite(amplitude) and 0 <= amplitude <= MOST_AMPLITUDE_PX):
        raise UsageError(f"Amplitude {amplitude} px was asked for.", f"Give a number from 0 to {MOST_AMPLITUDE_PX:g}.")
    if seed < 0:
        raise UsageError(f"Seed {seed} was given.", "Give a whole number from 0 on.")
    return Settings(dataset, tier, subjects, clips, float(amplitude), seed)


def _mark(settings: Settings, plan: Sequence[PlannedClip]) -> SyntheticMark:
    emotions = Counter(settings.layout.vocabulary(clip.emotion) for clip in plan)
    return SyntheticMark(
        generator=GENERATOR,
        tier=settings.tier,
        seed=settings.seed,
        clips=len(plan),
        subjects=settings.subjects,
        per_emotion=dict(sorted(emotions.items())),
        settings={"dataset": settings.dataset, "amplitude": settings.amplitude},
    )


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into, which takes `out`'s place when the block ends without error."""
    replaced = _is_replaceable(out)
    unfinished = out.parent / f".{out.name}.{os.getpid()}.unfinished"
    try:
        with disk(out):
            unfinished.mkdir(parents=True)
        yield unfinished
        with disk(out):
            if replaced:
                _discard(out)
            unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _is_replaceable(out: Path) -> bool:
    """Whether something lies in `out` that may go: an empty folder or a synthetic corpus. DataError for anything
    else.
    """
    if not out.exists() and not out.is_symlink():
        return False
    if out.is_dir() and not out.is_symlink() and (not any(out.iterdir()) or read_marker(out)):
        return True
    raise DataError(f"{out} exists and is no synthetic corpus.", "Name a folder that does not exist yet.")


def _discard(out: Path) -> None:
    """Removes a corpus in one step as far as others can see: killed meanwhile, it leaves no half corpus under its
    name.
    """
    aside = out.parent / f".{out.name}.{os.getpid()}.replaced"
    out.rename(aside)
    shutil.rmtree(aside)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Nothing; inside, what goes wrong on disk is a DataError that names the path."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.", "Free some space or name another folder."
        ) from error


__all__ = ["GENERATOR", "JPEG_QUALITY", "disk", "whole", "write_corpus"]

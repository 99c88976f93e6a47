"""Writes a synthetic corpus that lies on disk exactly as a real one does, with the truth beside it."""

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
from mebench.errors import DataError
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent
from mebench.synth.asking import settings_of
from mebench.synth.filming import PlannedFilm, cast, picture_of, stage
from mebench.synth.plan import Settings
from mebench.synth.renderers import PORTRAIT, renderer
from mebench.synth.script import Film
from mebench.synth.shots import Shot, from_plan, shots_of
from mebench.synth.truth import write_truth

GENERATOR = "mebench.synth/2"


def write_corpus(
    dataset: str,
    out: Path,
    *,
    tier: str = "smoke",
    renderer: str = PORTRAIT,
    factor: str = "",
    level: float | None = None,
    subjects: int | None = None,
    clips: int | None = None,
    amplitude: float | None = None,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = silent,
) -> SyntheticMark:
    """What was written: a corpus in the layout of `casme2`, `samm` or `smic`, whole or not at all.

    `tier` is `smoke` (classes balanced, clear expressions), `calibrated` (the margins of the real corpus; CASME II and
    SAMM) or `stress` (the smoke plan with `factor` at `level`); `renderer` draws it. `subjects` and `clips` are by
    default 8 and two per subject and class, in the calibrated tier all. `amplitude` is the median of the greatest skin
    motion at the apex in px of a 640x480 frame; 0 gives the null corpus, in which labels mean nothing. The same
    arguments give the same bytes, whatever `jobs` is. The truth lies in `mebench-truth` (see `truth.read_truth`).

    An earlier synthetic corpus in `out` is replaced; any other content raises DataError. Arguments out of range raise
    UsageError.
    """
    settings = settings_of(
        dataset,
        tier=tier,
        renderer=renderer,
        factor=factor,
        level=level,
        subjects=subjects,
        clips=clips,
        amplitude=amplitude,
        seed=seed,
    )
    shots = shots_of(settings)
    mark = _mark(settings, shots)
    with whole(out) as unfinished, disk(out):
        _film_all(settings, shots, unfinished, jobs, progress)
        settings.layout.annotate(unfinished, [shot.clip for shot in shots])
        write_marker(unfinished, mark)
    return mark


def annotate_corpus(settings: Settings, root: Path) -> SyntheticMark:
    """What was written: the workbooks and the marker of a corpus without a single frame."""
    shots = shots_of(settings)
    mark = _mark(settings, shots)
    with disk(root):
        root.mkdir(parents=True, exist_ok=True)
    settings.layout.annotate(root, [shot.clip for shot in shots])
    write_marker(root, mark)
    return mark


@dataclass(frozen=True)
class _Casting:
    """A worker's task: all clips of one person."""

    settings: Settings
    shots: tuple[Shot, ...]
    root: Path


def _film_all(settings: Settings, shots: Sequence[Shot], root: Path, jobs: int, progress: Progress) -> None:
    people = dict.fromkeys(shot.clip.take.subject for shot in shots)
    tasks = {
        subject: _Casting(settings, tuple(shot for shot in shots if shot.clip.take.subject == subject), root)
        for subject in people
    }
    done = 0
    for outcome in run_tasks(_film_person, tasks, jobs=jobs):
        if outcome.error:
            raise outcome.error
        done += len(tasks[outcome.name].shots)
        progress(done, len(shots), outcome.name)


def _film_person(task: _Casting) -> None:
    layout = task.settings.layout
    with disk(task.root):
        for shot, film in _films(task):
            clip, quality = shot.clip, shot.script.recording.jpeg_quality
            folder = task.root / layout.folder(clip)
            folder.mkdir(parents=True)
            for number, frame in enumerate(film.frames(), clip.take.onset):
                name = layout.frame_name(clip, number)
                (folder / name).write_bytes(_encode(Path(name).suffix, frame, quality))
            write_truth(task.root, layout.subject_id(clip.take.subject), clip.name, film.truth())


def _films(task: _Casting) -> Iterator[tuple[Shot, Film]]:
    """The films of one person, who is cast once."""
    settings, person = task.settings, task.shots[0].person
    if not from_plan(settings):
        drawing = renderer(settings.renderer)
        cast_person = drawing.cast(person, settings.layout.camera)
        for shot in task.shots:
            yield shot, drawing.film(cast_person, shot.script)
        return
    face = cast(settings, person.index)
    picture = picture_of(face, settings.layout.camera)
    for shot in task.shots:
        yield shot, PlannedFilm(settings, shot.clip, face, stage(settings, shot.clip, face, picture))


def _encode(suffix: str, frame: NDArray[np.uint8], quality: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    _, encoded = cv2.imencode(suffix, frame, options)
    return encoded.tobytes()


def _mark(settings: Settings, shots: Sequence[Shot]) -> SyntheticMark:
    emotions = Counter(settings.layout.vocabulary(shot.clip.emotion) for shot in shots)
    asked: dict[str, str | float] = {"dataset": settings.dataset, "amplitude": settings.amplitude}
    if not from_plan(settings):
        asked |= {"renderer": settings.renderer}
    if settings.factor:
        asked |= {"factor": settings.factor, "level": settings.level}
    return SyntheticMark(
        generator=GENERATOR,
        tier=settings.tier,
        seed=settings.seed,
        clips=len(shots),
        subjects=len({shot.clip.take.subject for shot in shots}),
        per_emotion=dict(sorted(emotions.items())),
        settings=asked,
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


__all__ = ["GENERATOR", "annotate_corpus", "disk", "whole", "write_corpus"]

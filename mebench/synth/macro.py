"""Synthetic corpora of posed expressions in the layouts of CK+ and JAFFE: large motion of the skin, on rendered people.

They exist so that pretraining can be tried without a licence. The people are drawn by the program that draws the
micro-expression corpora: what a network learns from them includes the renderer.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.clips import SyntheticMark
from mebench.datasets.marker import write_marker
from mebench.errors import UnknownName, UsageError
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent
from mebench.stills.ck_plus import CODES as CK_CODES
from mebench.stills.ck_plus import PEAK_IMAGES
from mebench.stills.jaffe import CODES as JAFFE_CODES
from mebench.stills.jaffe import PEOPLE as JAFFE_PEOPLE
from mebench.stills.records import NEUTRAL
from mebench.synth.action_units import DrawnUnit
from mebench.synth.camera import Camera
from mebench.synth.corpus import GENERATOR, disk, whole
from mebench.synth.filming import cast, exposures, picture_of, stage
from mebench.synth.layouts import LAYOUTS, Layout
from mebench.synth.plan import PlannedClip, Settings, Take
from mebench.synth.seeds import stream

AMPLITUDE_PX = 6.0
MOST_AMPLITUDE_PX = 7.0
"""1.6 times this, the strongest image's peak, is where skin would begin to fold."""
FRAMES = 6
"""Images of a sequence, neutral to peak: as many as are read, and two between."""

UNITS: dict[str, tuple[int, ...]] = {
    "anger": (4, 7, 24),
    "contempt": (14,),
    "disgust": (9, 17),
    "fear": (1, 2, 4, 20),
    "happiness": (6, 12),
    "sadness": (1, 4, 15),
    "surprise": (1, 2, 5, 25),
}
"""Action units by which each expression is posed, after the prototypes of EMFACS."""

_STRENGTH_OCTAVES, _MOST_OCTAVES = 0.25, 0.68
_JAFFE_REPEATS = 3
_FIRST_SUBJECT = 500  # of CK+: S010 to S160 and S501 to S999 exist; these are plainly others' numbers


Filmed: TypeAlias = Callable[[int, str, int], list[NDArray[np.uint8]]]
"""From a number, an expression and a number of images to those images (h, w), neutral to peak."""


@dataclass(frozen=True, slots=True)
class MacroSettings(Settings):
    """What was asked for; the layout is one of this module."""

    @property
    def layout(self) -> Layout:
        """Camera and nothing else: where files lie is said below."""
        return _CAMERAS[self.dataset]


@dataclass(frozen=True)
class _Sitting:
    """A worker's task: all images of one person."""

    settings: MacroSettings
    index: int
    subject: str
    root: Path


def write_macro(
    dataset: str,
    out: Path,
    *,
    subjects: int = 8,
    amplitude: float = AMPLITUDE_PX,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = silent,
) -> SyntheticMark:
    """What was written: stills in the layout of `ck-plus` or `jaffe`, whole or not at all.

    `amplitude` is the median of the greatest skin motion at the peak in px of a 640x480 frame, log-normal between .62
    and 1.6 times that. The same arguments give the same bytes, whatever `jobs` is. An earlier synthetic corpus in `out`
    is replaced; any other content raises DataError. Arguments out of range raise UsageError.
    """
    people = _people(dataset, subjects)
    if not 0 < amplitude <= MOST_AMPLITUDE_PX:
        raise UsageError(
            f"Amplitude {amplitude:g} px was asked for.", f"Give a number above 0, up to {MOST_AMPLITUDE_PX:g}."
        )
    settings = MacroSettings(dataset, "macro", subjects, subjects, float(amplitude), seed)
    with whole(out) as unfinished, disk(out):
        tasks = {subject: _Sitting(settings, i, subject, unfinished) for i, subject in enumerate(people)}
        labels: Counter[str] = Counter()
        for done, outcome in enumerate(run_tasks(_sit, tasks, jobs=jobs), 1):
            if outcome.error:
                raise outcome.error
            labels.update(outcome.value or {})
            progress(done, len(tasks), outcome.name)
        mark = SyntheticMark(
            generator=GENERATOR,
            tier="macro",
            seed=seed,
            clips=sum(labels.values()),
            subjects=subjects,
            per_emotion=dict(sorted(labels.items())),
            settings={"dataset": dataset, "amplitude": settings.amplitude},
        )
        write_marker(unfinished, mark)
    return mark


def _people(dataset: str, subjects: int) -> list[str]:
    known = {"ck-plus": [f"S{_FIRST_SUBJECT + i}" for i in range(1, 124)], "jaffe": sorted(JAFFE_PEOPLE)}
    if dataset not in known:
        raise UnknownName("synthetic corpus", dataset, [*known, *LAYOUTS])
    if not 1 <= subjects <= len(known[dataset]):
        raise UsageError(
            f"{subjects} subjects were asked for in {dataset}.", f"Give a number from 1 to {len(known[dataset])}."
        )
    return known[dataset][:subjects]


def _sit(task: _Sitting) -> dict[str, int]:
    """How many readable stills of each label were written of one person. Runs in a worker."""
    person = cast(task.settings, task.index)
    picture = picture_of(person, task.settings.layout.camera)
    written: Counter[str] = Counter()

    def filmed(number: int, expression: str, frames: int) -> list[NDArray[np.uint8]]:
        clip = _planned(task.settings, task.subject, task.index * 100 + number, expression, frames)
        return list(exposures(task.settings, clip, stage(task.settings, clip, person, picture)))

    with disk(task.root):
        draw = _ck_plus if task.settings.dataset == "ck-plus" else _jaffe
        for label, count in draw(task, filmed):
            written[label] += count
    return dict(written)


def _ck_plus(task: _Sitting, filmed: Filmed) -> Iterator[tuple[str, int]]:
    """One sequence per expression, and one without a label."""
    for number, expression in enumerate([*sorted(UNITS), None], 1):
        sequence = f"{number:03d}"
        folder = task.root / "cohn-kanade-images" / task.subject / sequence
        folder.mkdir(parents=True)
        frames = filmed(number, expression or "surprise", FRAMES)
        for i, image in enumerate(frames, 1):
            _write(folder / f"{task.subject}_{sequence}_{i:08d}.png", image)
        if expression is not None:
            label = task.root / "Emotion" / task.subject / sequence
            label.mkdir(parents=True)
            code = CK_CODES.index(expression)
            (label / f"{task.subject}_{sequence}_{FRAMES:08d}_emotion.txt").write_text(f"   {code:.7e}\n")
        if expression not in (None, "contempt"):
            yield NEUTRAL, 1
            yield str(expression), PEAK_IMAGES


def _jaffe(task: _Sitting, filmed: Filmed) -> Iterator[tuple[str, int]]:
    """Three images of each expression and three neutral ones."""
    running = task.index * len(JAFFE_CODES) * _JAFFE_REPEATS
    for code, expression in JAFFE_CODES.items():
        for repeat in range(1, _JAFFE_REPEATS + 1):
            running += 1
            neutral = expression == NEUTRAL
            frames = filmed(running % 100, "happiness" if neutral else expression, 2)
            task.root.mkdir(exist_ok=True)
            _write(task.root / f"{task.subject}.{code}{repeat}.{running}.tiff", frames[0 if neutral else -1])
            yield expression, 1


def _planned(settings: MacroSettings, subject: str, index: int, expression: str, frames: int) -> PlannedClip:
    rng = stream(settings.seed, settings.dataset, "strength", index)
    octaves = float(np.clip(rng.normal(0, _STRENGTH_OCTAVES), -_MOST_OCTAVES, _MOST_OCTAVES))
    take = Take(index, subject, 1, frames, frames, settings.amplitude * 2.0**octaves)
    return PlannedClip(take, expression, tuple(DrawnUnit(number) for number in UNITS[expression]), expression)


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    _, encoded = cv2.imencode(path.suffix, image)
    path.write_bytes(encoded.tobytes())


def _camera(width: int, height: int) -> Layout:
    return replace(LAYOUTS["samm"], camera=Camera(width, height, 30.0, grey=True))


_CAMERAS = {"ck-plus": _camera(640, 480), "jaffe": _camera(256, 256)}
DATASETS: Sequence[str] = tuple(_CAMERAS)

__all__ = ["AMPLITUDE_PX", "DATASETS", "MOST_AMPLITUDE_PX", "MacroSettings", "write_macro"]

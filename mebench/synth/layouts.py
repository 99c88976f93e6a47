"""Where each corpus keeps its frames and annotation, and what it calls subjects, clips and classes."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mebench.facs import objective_class, parse
from mebench.synth.camera import Camera
from mebench.synth.workbooks import Row, casme2_workbook, objective_2017_workbook, samm_workbook

if TYPE_CHECKING:
    from mebench.synth.plan import PlannedClip


@dataclass(frozen=True)
class Layout:
    """One corpus's ways.

    `subjects` as folders name them; `lengths` is the range of frames per clip, `first_numbers` that of onset frame
    numbers. `folder` and `frame_name` give a clip's folder below the corpus and a frame's file name; `name_clips`
    names the clips of (subject, emotion) pairs; `annotate` writes the workbooks. `words` maps the corpus's own class
    names to the vocabulary.
    """

    camera: Camera
    subjects: tuple[str, ...]
    lengths: tuple[int, int]
    first_numbers: tuple[int, int]
    clips_per_class: int
    folder: "Callable[[PlannedClip], Path]"
    frame_name: "Callable[[PlannedClip, int], str]"
    name_clips: Callable[[np.random.Generator, Sequence[str], Sequence[str]], list[str]]
    annotate: "Callable[[Path, Sequence[PlannedClip]], None]"
    subject_id: Callable[[str], str] = str
    words: tuple[tuple[str, str], ...] = ()

    def vocabulary(self, emotion: str) -> str:
        """The emotion as the clip table spells it."""
        return dict(self.words).get(emotion, emotion)


def _casme2_names(rng: np.random.Generator, subjects: Sequence[str], _emotions: Sequence[str]) -> list[str]:
    """`EP02_01f`: the episode is drawn without regard to the class, the number counts within subject and episode."""
    return [
        f"EP{int(episode):02d}_{n:02d}f"
        for episode, n in _numbered(subjects, rng.integers(1, 20, len(subjects)).tolist())
    ]


def _samm_names(rng: np.random.Generator, subjects: Sequence[str], _emotions: Sequence[str]) -> list[str]:
    """`006_1_2`: subject, inducement (drawn without regard to the class) and a number."""
    numbered = _numbered(subjects, rng.integers(1, 8, len(subjects)).tolist())
    return [f"{subject}_{stimulus}_{n}" for subject, (stimulus, n) in zip(subjects, numbered, strict=True)]


def _smic_names(_rng: np.random.Generator, subjects: Sequence[str], emotions: Sequence[str]) -> list[str]:
    """`s1_ne_01`: this corpus's names do carry the class."""
    short = [{"negative": "ne", "positive": "po", "surprise": "sur"}[emotion] for emotion in emotions]
    numbered = _numbered(subjects, short)
    return [f"{subject}_{kind}_{n:02d}" for subject, (kind, n) in zip(subjects, numbered, strict=True)]


def _numbered(subjects: Sequence[str], kinds: Sequence[int | str]) -> list[tuple[int | str, int]]:
    """Each kind with its running number within the subject."""
    seen: Counter[tuple[str, int | str]] = Counter()
    result = []
    for key in zip(subjects, kinds, strict=True):
        seen[key] += 1
        result.append((key[1], seen[key]))
    return result


def _annotate_casme2(root: Path, clips: "Sequence[PlannedClip]") -> None:
    rows = [_row(clip, clip.take.subject.removeprefix("sub")) for clip in clips]
    casme2_workbook(root / "CASME2-coding-20140508.xlsx", rows, "coding-20140508")
    objective_2017_workbook(root / "CASME2-ObjectiveClasses.xlsx", rows)


def _annotate_samm(root: Path, clips: "Sequence[PlannedClip]") -> None:
    samm_workbook(root / "SAMM_Micro_FACS_Codes_v2.xlsx", [_row(clip, clip.take.subject) for clip in clips])


def _no_workbook(_root: Path, _clips: "Sequence[PlannedClip]") -> None:
    """SMIC's folder tree is its annotation."""


def _row(clip: "PlannedClip", subject: str) -> Row:
    take, parts = clip.take, clip.name.split("_")
    return Row(
        subject=subject,
        name=clip.name,
        onset=take.onset,
        apex=take.apex,
        offset=take.offset,
        action_units=clip.unit_text,
        emotion=clip.emotion,
        objective=objective_class(parse(clip.unit_text)),
        inducement=int(parts[1]) if len(parts) == 3 else None,
    )


def _people(numbers: str, form: str) -> tuple[str, ...]:
    return tuple(form.format(int(number)) for number in numbers.split())


LAYOUTS = {
    "casme2": Layout(
        camera=Camera(640, 480, 200.0),
        subjects=tuple(f"sub{n:02d}" for n in range(1, 27)),
        lengths=(20, 32),
        first_numbers=(20, 300),
        clips_per_class=2,
        folder=lambda clip: Path("CASME2_RAW_selected", clip.take.subject, clip.name),
        frame_name=lambda _clip, number: f"img{number}.jpg",
        name_clips=_casme2_names,
        annotate=_annotate_casme2,
    ),
    "samm": Layout(
        camera=Camera(960, 650, 200.0, grey=True),
        subjects=tuple(f"{n:03d}" for n in range(6, 38) if n not in (8, 27, 29)),
        lengths=(20, 32),
        first_numbers=(200, 9000),
        clips_per_class=2,
        folder=lambda clip: Path("SAMM", clip.take.subject, clip.name),
        frame_name=lambda clip, number: f"{clip.take.subject}_{number:05d}.jpg",
        name_clips=_samm_names,
        annotate=_annotate_samm,
        words=(("other", "others"),),
    ),
    "smic": Layout(
        camera=Camera(640, 480, 100.0),
        subjects=_people("1 2 3 4 5 6 8 9 11 12 13 14 15 18 19 20", "s{}"),
        lengths=(12, 18),
        first_numbers=(100_000, 900_000),
        clips_per_class=2,
        folder=lambda clip: Path("SMIC_all_raw", "HS", clip.take.subject, "micro", clip.emotion, clip.name),
        frame_name=lambda _clip, number: f"image{number:06d}.bmp",
        name_clips=_smic_names,
        annotate=_no_workbook,
        subject_id=lambda subject: f"s{int(subject[1:]):02d}",
    ),
}

__all__ = ["LAYOUTS", "Layout"]

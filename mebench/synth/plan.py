"""What a corpus will hold, before a single frame is drawn.

Takes (who, how many frames, which numbers, how strong) and labels come from streams of their own: no property of a
take can tell its label.
"""

from dataclasses import dataclass

import numpy as np

from mebench.synth.action_units import DrawnUnit
from mebench.synth.expressions import MENUS, choose_side, draw_sets
from mebench.synth.layouts import LAYOUTS, Layout
from mebench.synth.renderers import PORTRAIT
from mebench.synth.seeds import stream


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for; `amplitude` is the median peak of skin motion at the apex, in px of a 640x480 frame.

    `renderer` draws it; `factor` is what is varied and `level` how far, where something is.
    """

    dataset: str
    tier: str
    subjects: int
    clips: int
    amplitude: float
    seed: int
    renderer: str = PORTRAIT
    factor: str = ""
    level: float = 0.0

    @property
    def layout(self) -> Layout:
        """How the corpus lies on disk."""
        return LAYOUTS[self.dataset]


@dataclass(frozen=True, slots=True)
class Take:
    """One recording without a label: subject, frame numbers, and the expression's peak in px of a 640x480 frame."""

    index: int
    subject: str
    onset: int
    apex: int
    offset: int
    peak_px: float

    @property
    def frames(self) -> int:
        """From onset to offset, both included."""
        return self.offset - self.onset + 1


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A take with its label: the emotion as the corpus names it, the units drawn, and the clip's name."""

    take: Take
    emotion: str
    units: tuple[DrawnUnit, ...]
    name: str

    @property
    def unit_text(self) -> str:
        """The units as a workbook writes them."""
        return "+".join(unit.text for unit in self.units)


def draw_plan(settings: Settings) -> tuple[PlannedClip, ...]:
    """Every clip of the corpus, by subject."""
    takes = _draw_takes(settings)
    emotions = _deal_emotions(settings, takes)
    units = _draw_units(settings, emotions)
    names = settings.layout.name_clips(
        stream(settings.seed, settings.dataset, "names"), [take.subject for take in takes], emotions
    )
    rows = zip(takes, emotions, units, names, strict=True)
    return tuple(PlannedClip(take, emotion, drawn, name) for take, emotion, drawn, name in rows)


def _draw_takes(settings: Settings) -> list[Take]:
    layout = settings.layout
    shares = np.diff(np.linspace(0, settings.clips, settings.subjects + 1).round().astype(int))
    subjects = [s for s, share in zip(layout.subjects, shares, strict=False) for _ in range(share)]
    return [_draw_take(settings, index, subject) for index, subject in enumerate(subjects)]


def _draw_take(settings: Settings, index: int, subject: str) -> Take:
    layout = settings.layout
    rng = stream(settings.seed, settings.dataset, "take", index)
    frames = int(rng.integers(*layout.lengths, endpoint=True))
    rise = round(rng.uniform(0.35, 0.6) * (frames - 1))  # onset-apex over length: .5 in CASME II, .45 in SAMM
    onset = int(rng.integers(*layout.first_numbers))
    return Take(index, subject, onset, onset + rise, onset + frames - 1, settings.amplitude * _draw_strength(rng))


def _draw_strength(rng: np.random.Generator) -> float:
    """Log-normal with median 1: half an octave of deviation, cut at two, so that it lies between a half and two."""
    while abs(octaves := float(rng.normal(0, 0.5))) > 1:
        pass
    return float(2.0**octaves)


def _deal_emotions(settings: Settings, takes: list[Take]) -> list[str]:
    """A class for every take: equally often overall and, as far as the numbers allow, within every subject."""
    rng = stream(settings.seed, settings.dataset, "labels")
    classes = list(rng.permutation(list(MENUS[settings.dataset])))
    emotions: list[str] = []
    for subject in dict.fromkeys(take.subject for take in takes):
        count = sum(take.subject == subject for take in takes)
        start = len(emotions)  # goes on where the last subject stopped: classes stay balanced overall
        dealt = [str(classes[(start + i) % len(classes)]) for i in range(count)]
        emotions += [dealt[i] for i in rng.permutation(count)]
    return emotions


def _draw_units(settings: Settings, emotions: list[str]) -> list[tuple[DrawnUnit, ...]]:
    sets = {
        emotion: iter(
            draw_sets(stream(settings.seed, settings.dataset, f"units of {emotion}"), menu, emotions.count(emotion))
        )
        for emotion, menu in MENUS[settings.dataset].items()
        if emotion in emotions
    }
    return [
        choose_side(stream(settings.seed, settings.dataset, "side", index), next(sets[emotion]))
        for index, emotion in enumerate(emotions)
    ]


__all__ = ["PlannedClip", "Settings", "Take", "draw_plan"]

"""The plan of the calibrated tier: who expresses what, how strongly, and what a coder makes of it.

Subjects, classes and sets of units are drawn so that the margins of the real corpus are met (`marginals`). Takes,
amplitudes, resting faces and coder errors come from streams that know no label.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from mebench.errors import UsageError
from mebench.synth.action_units import ONE_SIDED, DrawnUnit
from mebench.synth.coding import UNKNOWN, Event, coded_units, true_event
from mebench.synth.expressions import choose_side, spread_evenly
from mebench.synth.marginals import MARGINALS, Marginals
from mebench.synth.plan import PlannedClip, Settings, Take
from mebench.synth.seeds import stream
from mebench.synth.table import deal_table

LENGTHS = (40, 68)
"""Frames from coded onset to coded offset: within the middle of both corpora's lengths, short of their long tail."""

MOST_PX = 4.5
"""No unit moves skin further; `MOST_TOGETHER_PX` is what those of a clip may come to before skin folds."""
MOST_TOGETHER_PX = 6.0

_SUBJECT_SD, _SUBJECT_UNIT_SD, _CLIP_SD, _ASYMMETRY_SD = 0.25, 0.3, 0.3, 0.15  # of log amplitude
_RESTING_SHARE, _RESTING_PX = 0.3, (0.8, 2.0)
_RESTING_UNITS = (1, 2, 4, 7, 12, 14, 15, 17, 24)
_DELAY_SD = 2.0  # frames by which one unit of a set begins after another
_APEX_PLACE = {"casme2": 0.5, "samm": 0.45}  # median of onset-apex over length
_APEX_SD, _APEX_RANGE = 0.09, (0.27, 0.73)

Cell = tuple[str, str]
"""A subject and an emotion."""


@dataclass(frozen=True, slots=True)
class Part:
    """A unit as a person shows it: its peak on either side, px, and by how many frames it lags."""

    unit: DrawnUnit
    left_px: float
    right_px: float
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class ActedClip(PlannedClip):
    """A clip of which the coder says one thing (`take`, `coded`) while another happened.

    `event` is when; `parts` what was expressed, in the order of `units`; `rest` the units that the face wore before.
    """

    coded: str
    event: Event
    parts: tuple[Part, ...]
    rest: tuple[Part, ...]

    @property
    def unit_text(self) -> str:
        """The units as the workbook writes them."""
        return self.coded


def full_size(dataset: str) -> tuple[int, int]:
    """Subjects and clips of the whole table."""
    margins = MARGINALS[dataset]
    extra = sum(margins.extras.values())
    return max(len(margins.sizes), {"samm": 29}.get(dataset, 0)), sum(margins.sizes) + extra


def draw_acted(settings: Settings) -> tuple[ActedClip, ...]:
    """Every clip of the corpus, by subject."""
    cells = draw_cells(settings)
    subjects, emotions = [subject for subject, _ in cells], [emotion for _, emotion in cells]
    units = draw_units(settings, emotions)
    names = settings.layout.name_clips(stream(settings.seed, settings.dataset, "names"), subjects, emotions)
    rows = zip(subjects, emotions, units, names, strict=True)
    return tuple(_act(settings, index, *row) for index, row in enumerate(rows))


def draw_cells(settings: Settings) -> list[Cell]:
    """A subject and an emotion for every clip, by subject; of the whole table or of a part of it."""
    rng = stream(settings.seed, settings.dataset, "table")
    cells = _whole_table(rng, settings)
    people = _some_people(rng, cells, settings.subjects)
    theirs = [cell for cell in cells if cell[0] in people]
    if len(theirs) < settings.clips < len(cells):
        raise UsageError(
            f"{settings.clips} clips were asked for; the {len(people)} subjects drawn have {len(theirs)}.",
            "Leave out --clips, or give fewer clips or more subjects.",
        )
    return _some_clips(rng, theirs, settings.clips)


def draw_units(settings: Settings, emotions: list[str]) -> list[tuple[DrawnUnit, ...]]:
    """The units of every clip: as often per class as counted, but for the clips that take those of any class."""
    margins = MARGINALS[settings.dataset]
    rng = stream(settings.seed, settings.dataset, "ambiguity")
    astray = rng.uniform(size=len(emotions)) < margins.ambiguity
    decks = {
        emotion: iter(_deck(settings, margins, emotion, sum(emotion == other for other in emotions)))
        for emotion in sorted(set(emotions))
    }
    strays = iter(_strays(settings, margins, int(astray.sum())))
    found = []
    for index, (emotion, stray) in enumerate(zip(emotions, astray, strict=True)):
        chosen = next(decks[emotion])
        text = next(strays) if stray else chosen
        numbers = tuple(int(number) for number in text.split("+"))
        found.append(choose_side(stream(settings.seed, settings.dataset, "side", index), numbers, margins.one_sided))
    return found


def _deck(settings: Settings, margins: Marginals, emotion: str, count: int) -> list[str]:
    return spread_evenly(stream(settings.seed, settings.dataset, f"units of {emotion}"), margins.sets[emotion], count)


def _strays(settings: Settings, margins: Marginals, count: int) -> list[str]:
    together: Counter[str] = Counter()
    for sets in margins.sets.values():
        together.update(sets)
    return spread_evenly(stream(settings.seed, settings.dataset, "units of any"), together, count) if count else []


def _whole_table(rng: np.random.Generator, settings: Settings) -> list[Cell]:
    margins = MARGINALS[settings.dataset]
    table = deal_table(rng, margins)
    people, _ = full_size(settings.dataset)
    names = [str(name) for name in rng.permutation(settings.layout.subjects[:people])]
    cells = [
        (names[row], emotion)
        for row, counts in enumerate(table)
        for emotion, count in zip(margins.classes, counts, strict=True)
        for _ in range(count)
    ]
    extras = [emotion for emotion, count in margins.extras.items() for _ in range(count)]
    lonely = names[len(table) :]  # SAMM: two people of 29 hold none of the five classes
    owners = [*lonely, *rng.choice([name for name, _ in cells], len(extras) - len(lonely))]
    cells += [(str(owner), str(emotion)) for owner, emotion in zip(owners, rng.permutation(extras), strict=True)]
    mixed = [cells[i] for i in rng.permutation(len(cells))]  # a place in the workbook tells nothing
    return sorted(mixed, key=lambda cell: settings.layout.subjects.index(cell[0]))


def _some_people(rng: np.random.Generator, cells: list[Cell], count: int) -> set[str]:
    """So many subjects, drawn anew until every class is held by two of them, as far as that goes."""
    everybody = list(dict.fromkeys(subject for subject, _ in cells))
    best: tuple[int, set[str]] = (-1, set())
    for _ in range(200):
        chosen = set(rng.choice(everybody, count, replace=False).tolist())
        holders = Counter(emotion for _, emotion in {cell for cell in cells if cell[0] in chosen})
        enough = sum(min(n, 2) for n in holders.values())
        best = max(best, (enough, chosen), key=lambda one: one[0])
    return best[1]


def _some_clips(rng: np.random.Generator, cells: list[Cell], count: int) -> list[Cell]:
    """So many clips, at least one of each subject."""
    order = rng.permutation(len(cells)).tolist()
    firsts = list({cells[i][0]: i for i in reversed(order)}.values())
    others = [i for i in order if i not in firsts]
    return [cells[i] for i in sorted([*firsts, *others[: max(count - len(firsts), 0)]])]


def _act(
    settings: Settings, index: int, subject: str, emotion: str, units: tuple[DrawnUnit, ...], name: str
) -> ActedClip:
    take = _draw_take(settings, index, subject)
    rng = stream(settings.seed, settings.dataset, "acting", index)
    parts = _draw_parts(settings, rng, subject, units)
    coder = stream(settings.seed, settings.dataset, "coder", index)
    event, coded = true_event(coder, take.onset, take.apex, take.offset), coded_units(coder, units)
    margins = MARGINALS[settings.dataset]
    if emotion == margins.unknown_class and coder.uniform() < margins.unknown:
        coded = UNKNOWN
    return ActedClip(take, emotion, units, name, coded, event, parts, _resting(settings, rng, subject))


def _draw_take(settings: Settings, index: int, subject: str) -> Take:
    rng = stream(settings.seed, settings.dataset, "take", index)
    frames = int(rng.integers(*LENGTHS, endpoint=True))
    place = float(np.clip(rng.normal(_APEX_PLACE[settings.dataset], _APEX_SD), *_APEX_RANGE))
    onset = int(rng.integers(*settings.layout.first_numbers))
    return Take(index, subject, onset, onset + round(place * (frames - 1)), onset + frames - 1, settings.amplitude)


def _draw_parts(
    settings: Settings, rng: np.random.Generator, subject: str, units: tuple[DrawnUnit, ...]
) -> tuple[Part, ...]:
    """Log-normal amplitudes: of the subject, of the subject's way with each unit, of the clip."""
    clip = float(rng.normal(0, _CLIP_SD))
    peaks = [
        min(settings.amplitude * np.exp(clip + liveliness(settings, subject, unit.number)), MOST_PX) for unit in units
    ]
    shrink = min(1.0, MOST_TOGETHER_PX / max(sum(peaks), MOST_TOGETHER_PX / 2))
    return tuple(
        _part(rng, unit, peak * shrink, delay=float(rng.normal(0, _DELAY_SD)) if i else 0.0)
        for i, (unit, peak) in enumerate(zip(units, peaks, strict=True))
    )


def liveliness(settings: Settings, subject: str, number: int) -> float:
    """How much more or less than the median a subject moves a unit, as log amplitude."""
    at = settings.layout.subjects.index(subject)
    person = stream(settings.seed, settings.dataset, "liveliness", at).normal(0, _SUBJECT_SD)
    own = stream(settings.seed, settings.dataset, f"liveliness of {number}", at).normal(0, _SUBJECT_UNIT_SD)
    return float(person + own)


def _part(rng: np.random.Generator, unit: DrawnUnit, peak: float, delay: float = 0.0) -> Part:
    """The peak on the stronger side; the other side a little less, or nothing where the unit is one-sided."""
    weaker, left_is_weaker = float(np.exp(-abs(rng.normal(0, _ASYMMETRY_SD)))), bool(rng.uniform() < 0.5)
    sides = (weaker, 1.0) if left_is_weaker else (1.0, weaker)
    if unit.side:
        sides = (1.0, 0.0) if unit.side == "left" else (0.0, 1.0)
    return Part(unit, peak * sides[0], peak * sides[1], delay)


def _resting(settings: Settings, rng: np.random.Generator, subject: str) -> tuple[Part, ...]:
    """What the face wears all along, in some people and some of their clips: an onset is not always neutral."""
    at = settings.layout.subjects.index(subject)
    habit = stream(settings.seed, settings.dataset, "resting face", at)
    worn = bool(habit.uniform() < 2 * _RESTING_SHARE) and bool(rng.uniform() < 1 / 2)
    number, px = int(habit.choice(_RESTING_UNITS)), float(habit.uniform(*_RESTING_PX) * rng.uniform(0.6, 1))
    one_sided: bool = number in ONE_SIDED and bool(habit.uniform() < 1 / 4)
    unit = DrawnUnit(number, "left" if one_sided else None)
    return (_part(rng, unit, px if settings.amplitude else 0.0),) if worn else ()


__all__ = ["LENGTHS", "MOST_PX", "ActedClip", "Part", "draw_acted", "draw_cells", "draw_units", "full_size"]

"""Where a run errs: by class, action unit, duration, apex and amplitude; where seeds disagree; what no run solves.

A clip counts as right where the predicted value is the true one, of several labels the whole set; by class, a clip of
several labels counts for each it holds and is right where that label was predicted. Groups are of clips, shares are
plain: no interval is given, and a group that differs may do so by chance.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mebench.clips import Clip
from mebench.leaderboard import Entry
from mebench.predictions import join, labels_of, merge
from mebench.render import Table, figure
from mebench.scoring import sd
from mebench.statistics import number

SCHEMA = "mebench.mistakes/1"
SHOWN = 20
"""Clips listed in words; JSON has all."""
FLOORS = frozenset({"constant", "uniform", "au-reference"})
"""Models that look at no image: they solve clips without having seen anything."""
UNSAID = "no answer"
NO_APEX = "no apex coded"


@dataclass(frozen=True)
class Group:
    """Some clips of a run and the share of them it has right, per seed."""

    name: str
    clips: int
    subjects: int
    right: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean share over seeds."""
        return float(np.mean(self.right))


@dataclass(frozen=True)
class Answered:
    """A clip with every answer given to it, the most frequent first."""

    clip: str
    subject: str
    truth: str
    answers: tuple[tuple[str, int], ...]

    @property
    def words(self) -> str:
        """The answers, `others (3), disgust`."""
        return ", ".join(f"{answer} ({times})" if times > 1 else answer for answer, times in self.answers)


@dataclass(frozen=True)
class Mistakes:
    """Groups by what forms them, clips on which seeds differ, clips that no seed solves and those that no run does."""

    groups: Mapping[str, tuple[Group, ...]]
    seeds: int
    disagreeing: tuple[Answered, ...]
    unsolved: tuple[Answered, ...]
    by_nobody: tuple[Answered, ...]
    runs: int
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The analysis as JSON values."""

        def plain(clips: Iterable[Answered]) -> list[dict[str, Any]]:
            return [{"clip": c.clip, "subject": c.subject, "class": c.truth, "answers": dict(c.answers)} for c in clips]

        return {
            "schema": SCHEMA,
            "groups": {
                kind: [{"group": g.name, "clips": g.clips, "subjects": g.subjects, "right": _plain(g)} for g in groups]
                for kind, groups in self.groups.items()
            },
            "seeds_disagree": plain(self.disagreeing),
            "unsolved": plain(self.unsolved),
            "unsolved_by_all_runs": plain(self.by_nobody),
            "runs": self.runs,
            "notes": list(self.notes),
        }

    def tables(self) -> tuple[Table, ...]:
        """The groups in one table, then the clips, at most `SHOWN` of each list."""
        rows = [
            (kind if not i else "", g.name, str(g.clips), str(g.subjects), figure(g.mean, sd(g.right)))
            for kind, groups in self.groups.items()
            for i, g in enumerate(groups)
        ]
        columns = ("By", "Group", "Clips", "Subjects", "Right")
        note = "Right: share of the clips predicted as annotated" + (", ± SD over seeds." if self.seeds > 1 else ".")
        head = Table(
            "Where it errs", columns, tuple(rows), frozenset({"Clips", "Subjects", "Right"}), (note, *self.notes)
        )
        lists = {
            f"Seeds disagree on {len(self.disagreeing)} clips": self.disagreeing if self.seeds > 1 else (),
            f"No seed of this run solves {len(self.unsolved)} clips": self.unsolved,
            f"None of {self.runs} runs of this board solves {len(self.by_nobody)} clips": self.by_nobody,
        }
        return (head, *(answered_table(title, clips, shown=SHOWN) for title, clips in lists.items() if clips))


def analyse(
    entry: Entry,
    clips: Mapping[str, Clip] | None = None,
    amplitudes: Mapping[str, float] | None = None,
    others: Sequence[Entry] = (),
) -> Mistakes:
    """The error analysis of one run; `others` are the further runs of its board.

    `clips` give action units, duration and apex, and `amplitudes` what moved (see `amplitude`); what is not at hand is
    left out, and the notes say so.
    """
    known = {clip: record for clip, record in (clips or {}).items() if clip in entry.expected}
    moved = {clip: value for clip, value in (amplitudes or {}).items() if clip in entry.expected}
    answers = answers_of(entry)
    right = {clip: tuple(p == entry.expected[clip] for p in said) for clip, said in answers.items()}
    groups = {
        "class": _by_class(entry, answers),
        "action unit": _groups(entry, right, _by_unit(known)),
        "duration": _groups(entry, right, _thirds({c: known[c].length / known[c].fps for c in known}, "s")),
        "onset to apex": _groups(entry, right, _by_apex(known)),
        "amplitude": _groups(entry, right, _thirds(moved, "grey levels")),
    }
    looking = [one for one in (entry, *others) if one.model not in FLOORS]
    return Mistakes(
        groups={kind: found for kind, found in groups.items() if found},
        seeds=len(entry.predictions),
        disagreeing=_answered(entry, answers, lambda said, _: len(set(said)) > 1),
        unsolved=unsolved([entry]),
        by_nobody=unsolved(looking) if len(looking) > 1 else (),
        runs=len(looking),
        notes=tuple(_absent(entry, known, moved)),
    )


def unsolved(entries: Sequence[Entry]) -> tuple[Answered, ...]:
    """The clips that no seed of any entry gets right, with what was answered; the entries share one board."""
    if not entries:
        return ()
    said: dict[str, tuple[str | None, ...]] = dict.fromkeys(entries[0].expected, ())
    for entry in entries:
        for clip, answers in answers_of(entry).items():
            said[clip] += answers
    return _answered(entries[0], said, lambda answers, truth: truth not in answers)


def answers_of(entry: Entry) -> dict[str, tuple[str | None, ...]]:
    """Per clip the predicted value of each seed, None where there is none."""
    held = merge([part for part in entry.predictions.values() if part.rows])
    seeds = list(join(held, entry.expected).values())
    return {clip: tuple(seed.predicted[i] for seed in seeds) for i, clip in enumerate(seeds[0].clips)}


def answered_table(title: str, clips: Sequence[Answered], *, shown: int | None = None) -> Table:
    """The clips as a table, the first `shown` of them."""
    listed = clips if shown is None else clips[:shown]
    left = len(clips) - len(listed)
    rows = tuple((c.clip, c.truth, c.words) for c in listed)
    return Table(title, ("Clip", "Class", "Answered"), rows, notes=(f"{left} more; --json lists all.",) if left else ())


def _answered(
    entry: Entry,
    answers: Mapping[str, tuple[str | None, ...]],
    wanted: Callable[[tuple[str | None, ...], str], bool],
) -> tuple[Answered, ...]:
    return tuple(
        Answered(
            clip,
            entry.subjects.get(clip, clip.rpartition("/")[0]),
            entry.expected[clip],
            tuple(Counter(p or UNSAID for p in said).most_common()),
        )
        for clip, said in sorted(answers.items())
        if wanted(said, entry.expected[clip])
    )


def _by_class(entry: Entry, answers: Mapping[str, tuple[str | None, ...]]) -> tuple[Group, ...]:
    """Recall per class: of several labels a clip, each label's own."""
    found: list[Group] = []
    for name in entry.classes:
        held = {
            clip: tuple(name in labels_of(p or "") for p in answers[clip])
            for clip, truth in entry.expected.items()
            if name in labels_of(truth)
        }
        found += _groups(entry, held, {name: list(held)})
    return tuple(found)


def _groups(
    entry: Entry, right: Mapping[str, tuple[bool, ...]], members: Mapping[str, Sequence[str]]
) -> tuple[Group, ...]:
    return tuple(
        Group(
            name,
            len(clips),
            len({entry.subjects.get(clip, clip.rpartition("/")[0]) for clip in clips}),
            tuple(np.mean([right[clip] for clip in clips], axis=0).tolist()),
        )
        for name, clips in members.items()
        if clips
    )


def _by_unit(clips: Mapping[str, Clip]) -> dict[str, list[str]]:
    """The clips that surely hold each action unit; a clip with several stands in several groups."""
    units = sorted({unit for clip in clips.values() for unit in clip.action_units.base})
    return {f"AU {unit}": [name for name, c in clips.items() if unit in c.action_units.base] for unit in units}


def _by_apex(clips: Mapping[str, Clip]) -> dict[str, list[str]]:
    """The clips by the time from onset to apex; those without a coded apex last."""
    coded = {name: (c.apex - c.onset) / c.fps for name, c in clips.items() if c.apex is not None}
    return {**_thirds(coded, "s"), NO_APEX: [name for name in clips if name not in coded]}


def _thirds(values: Mapping[str, float], unit: str) -> dict[str, list[str]]:
    """The clips in three groups of about equal size by value, fewer where values tie."""
    if not values:
        return {}
    low, high = np.quantile(list(values.values()), (1 / 3, 2 / 3)).tolist()
    digits = max(0, 2 - math.floor(math.log10(high))) if high > 0 else 2
    names = (
        f"up to {low:.{digits}f} {unit}",
        f"{low:.{digits}f} to {high:.{digits}f} {unit}",
        f"over {high:.{digits}f} {unit}",
    )
    found: dict[str, list[str]] = {name: [] for name in names}
    for clip, value in values.items():
        found[names[(value > low) + (value > high)]].append(clip)
    return found


def _absent(entry: Entry, clips: Mapping[str, Clip], amplitudes: Mapping[str, float]) -> list[str]:
    """What could not be looked at, and what would let it."""
    total = len(entry.expected)
    said = []
    if not clips:
        said.append(
            "Not by action unit, duration or apex: prepare the corpora in this home or give --data DATASET=DIR."
        )
    elif len(clips) < total:
        said.append(f"By action unit, duration and apex: {len(clips)} of {total} clips are annotated at hand.")
    if amplitudes and len(amplitudes) < total:
        said.append(f"By amplitude: {len(amplitudes)} of {total} clips lie in the store with an apex.")
    return said


def _plain(group: Group) -> list[float | None]:
    return [number(value) for value in group.right]


__all__ = ["Answered", "Group", "Mistakes", "analyse", "answered_table", "answers_of", "unsolved"]

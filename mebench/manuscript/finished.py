"""Finished runs with their scores: what every part of a manuscript speaks of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mebench import leaderboard, runs
from mebench.errors import RunError, UsageError
from mebench.export import AskedProtocol, asked_of, asked_protocol
from mebench.leaderboard import Entry, Row
from mebench.manuscript.escaping import identifier
from mebench.predictions import labels_of
from mebench.replication import Replication, replications
from mebench.scores import Scores, UnitScores
from mebench.scoring import ALL, dataset_of, mean_of_seeds, score_predictions
from mebench.standing import entry_of_run


@dataclass(frozen=True)
class Finished:
    """A finished run, its row per slice, its scores by slice as means over seeds, and by slice UF1 of each seed."""

    run: runs.StoredRun
    entry: Entry
    rows: tuple[Row, ...]
    scores: Mapping[str, Scores]
    seed_uf1: Mapping[str, tuple[float, ...]]
    replications: tuple[Replication, ...]

    @property
    def title(self) -> str:
        """The method's title as it was recorded: what is but like a published method says so."""
        return self.entry.title

    @property
    def slug(self) -> str:
        """The run in file names and labels."""
        return f"{identifier(self.entry.model)}-{self.run.id[:8]}"

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest of its first seed."""
        return self.run.seeds[0].manifest

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the model said of itself when it ran."""
        facts: Mapping[str, Any] = self.run.spec["facts"]
        return facts

    @property
    def asked(self) -> Mapping[str, str]:
        """Model and protocol as they were asked for."""
        return asked_of(self.run)


@dataclass(frozen=True)
class Group:
    """The finished runs of one board, which alone may be compared: one protocol on the same clips."""

    members: tuple[Finished, ...]

    @property
    def first(self) -> Finished:
        """Any of them, for what they share."""
        return self.members[0]

    @property
    def protocol(self) -> str:
        """The name of their protocol."""
        return self.first.entry.protocol

    @property
    def slug(self) -> str:
        """The board in file names and labels."""
        return f"{identifier(self.protocol)}-{self.first.entry.fingerprint[:6] or 'x'}"

    @property
    def synthetic(self) -> bool:
        """Whether the corpora are drawn, not recorded."""
        return self.first.entry.synthetic

    @property
    def several(self) -> bool:
        """Whether a clip may hold any number of classes."""
        return isinstance(self.first.scores[ALL], UnitScores)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the protocol's order."""
        return self.first.entry.classes

    @property
    def slices(self) -> tuple[str, ...]:
        """`all`, and where there are several each dataset."""
        return tuple(self.first.scores) if len(self.first.scores) > 2 else (ALL,)

    @cached_property
    def names(self) -> dict[str, str]:
        """By run the method's title, and where several share one, what tells them apart: parameters, else the run."""
        titles = Counter(one.title for one in self.members)
        return {
            one.run.id: f"{one.title} ({self._own_parameters(one)})" if titles[one.title] > 1 else one.title
            for one in self.members
        }

    def name(self, one: Finished) -> str:
        """The method's name in this group."""
        return self.names[one.run.id]

    def _own_parameters(self, one: Finished) -> str:
        """The parameters in which a run differs from the others of its title; its id where that does not do."""
        rivals = [dict(other.run.spec["parameters"]) for other in self.members if other.title == one.title]
        own = dict(one.run.spec["parameters"])
        differing = {key: own[key] for key in own if any(rival.get(key) != own[key] for rival in rivals)}
        alone = sum(all(rival.get(key) == value for key, value in differing.items()) for rival in rivals) == 1
        return ", ".join(f"{key}={value}" for key, value in differing.items()) if alone else one.run.id[:8]

    @cached_property
    def asked(self) -> AskedProtocol:
        """Their protocol as it is defined; raises RunError where it is not at hand any more."""
        return asked_protocol(self.first.run)

    def clips(self, dataset: str = ALL) -> list[str]:
        """The clips of a slice."""
        return [clip for clip in self.first.entry.expected if dataset in (ALL, dataset_of(clip))]

    def subjects(self, dataset: str = ALL) -> int:
        """How many people these clips are of."""
        owner = self.first.entry.subjects
        return len({owner.get(clip, clip.rpartition("/")[0]) for clip in self.clips(dataset)})

    def per_class(self, dataset: str = ALL) -> dict[str, int]:
        """How many clips of a slice hold each class."""
        expected = self.first.entry.expected
        held = Counter(label for clip in self.clips(dataset) for label in labels_of(expected[clip]))
        return {name: held[name] for name in self.classes}


def finished_groups(home: Path, names: Sequence[str]) -> tuple[Group, ...]:
    """The named runs by board, best first; raises UsageError for a run given twice and as `finished` does."""
    found = [runs.find_run(home, name) for name in names]
    twice = [name for name, times in Counter(run.id for run in found).items() if times > 1]
    if twice:
        raise UsageError(f"Run {twice[0]} is given twice.", "Give each run once.")
    made = {run.id: _entry(home, run) for run in found}
    ranked = leaderboard.rows(made.values())
    by_id = {run.id: run for run in found}
    groups = []
    for board in leaderboard.boards(ranked):
        order = dict.fromkeys(row.run for row in board.rows if row.dataset == ALL)
        groups.append(Group(tuple(_finished(by_id[name], made[name], board.rows) for name in order)))
    return tuple(groups)


def _entry(home: Path, run: runs.StoredRun) -> Entry:
    """The run as the leaderboard sees it; RunError where it has no score that may be printed."""
    if run.status() != "complete":
        raise RunError(f"Run {run.id} is {run.status()}.", "Give its command again to finish it.")
    if run.spec["selection"] == "peeked":
        raise RunError(
            f"Run {run.id} chose its epoch on the held-out clips: what it reached is no score.",
            "Run the model with selection inside the training folds.",
        )
    return entry_of_run(run, tried=runs.tried(home, run.spec))


def _finished(run: runs.StoredRun, entry: Entry, rows: Iterable[Row]) -> Finished:
    cards = [
        score_predictions(said, entry.expected, aggregate=entry.aggregate, full=not entry.partial)[seed]
        for seed, said in sorted(entry.predictions.items())
    ]
    own = tuple(row for row in rows if row.run == run.id)
    scores = mean_of_seeds(cards).strict
    seeds = {name: tuple(card.strict[name].uf1 for card in cards) for name in scores}
    return Finished(run, entry, own, scores, seeds, replications(run))


__all__ = ["Finished", "Group", "finished_groups"]

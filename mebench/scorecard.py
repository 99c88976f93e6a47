"""`mebench score`: somebody's predictions file, scored under a protocol with or without the corpus at hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mebench.api import aggregate_of, single_protocol
from mebench.clips import ClipTable
from mebench.corpora import given_tables, parse_pairs
from mebench.errors import PredictionError, UnknownName, UsageError
from mebench.foreign import Reading, Target, read
from mebench.leaderboard import score_table
from mebench.protocol import Counts, Protocol, Source, resolve
from mebench.render import Table
from mebench.scoring import ALL, ScoreCard, mean_of_seeds, report, score_predictions


@dataclass(frozen=True)
class FileScore:
    """A file's reading and its score card per seed."""

    protocol: Protocol
    reading: Reading
    cards: Mapping[int, ScoreCard]

    @property
    def complete(self) -> bool:
        """Whether every clip has a prediction under every seed."""
        return all(card.strict[ALL].coverage == 1 for card in self.cards.values())

    def record(self) -> dict[str, Any]:
        """The scores as plain JSON values, with whose word the truth is and what to know of the file."""
        values = report(self.cards)
        return values | {"read_as": self.reading.kind, "truth": self.reading.truth, "notes": list(self.reading.notes)}

    def table(self) -> Table:
        """The scores as a table, means over seeds: strict, and covered where a clip is missing."""
        drawn = score_table(mean_of_seeds([self.cards[seed] for seed in sorted(self.cards)]))
        return replace(drawn, notes=(*drawn.notes, *self.reading.notes))


def score_file(options: Mapping[str, Any]) -> FileScore:
    """The scores of the file the command line names; with `--data` its truth is checked against the annotations."""
    protocol = single_protocol(options["protocol"])
    data = parse_pairs("--data", options["data"])
    releases = parse_pairs("--annotation", options["annotation"])
    tables = given_tables(
        data, {k: v for k, v in releases.items() if k in data}, corrections=not options["no_corrections"]
    )
    columns, labels = parse_pairs("--map", options["columns"]), parse_pairs("--class", options["classes"])
    targets = targets_of(protocol, tables, releases)
    reading = best_reading(lambda target: read(options["file"], target, columns=columns, labels=labels), targets)
    whole = reading.truth == "annotations" and not any(table.synthetic for table in tables.values())
    return FileScore(
        protocol,
        reading,
        score_predictions(reading.predictions, reading.expected, aggregate=aggregate_of(protocol), full=whole),
    )


def targets_of(
    protocol: Protocol, tables: Mapping[str, ClipTable], releases: Mapping[str, str]
) -> list[tuple[str, Target]]:
    """What a file may be scored against, each with the releases it assumes.

    The labels, where every corpus is given; else the protocol's own counts, one target per release it knows. Raises
    UsageError where only some of the corpora are given.
    """
    missing = [name for name in protocol.datasets if name not in tables]
    if not missing:
        task = resolve(protocol, tables)
        labels = {item.id: item.label for item in task.items}
        return [("", Target(protocol.name, protocol.classes, {}, labels))]
    if len(missing) < len(protocol.datasets):
        raise UsageError(
            f"{protocol.name} also needs {', '.join(missing)} to check the truth.",
            f"Give {' '.join(f'--data {name}=DIR' for name in missing)} too, or no --data at all.",
        )
    known = [[(name, r, c) for r, c in _releases(source, releases)] for name, source in protocol.sources.items()]
    return [
        (
            ", ".join(f"{name} {release}" for name, release, _ in choice),
            Target(protocol.name, protocol.classes, {name: counts.per_class for name, _, counts in choice}),
        )
        for choice in product(*known)
    ]


def best_reading(read_as: Callable[[Target], Reading], targets: Sequence[tuple[str, Target]]) -> Reading:
    """The reading under the releases that the file fits best: most of its clips covered, none too many.

    Raises the first fault where it fits none.
    """
    readings: list[Reading] = []
    faults: list[PredictionError] = []
    for assumed, target in targets:
        try:
            reading = read_as(target)
        except PredictionError as fault:
            faults.append(fault)
            continue
        note = (f"Counts of {assumed}.",) if assumed else ()
        readings.append(replace(reading, notes=(*note, *reading.notes)))
    if not readings:
        raise faults[0]
    return min(readings, key=lambda reading: len(reading.expected) - len({r.clip for r in reading.predictions.rows}))


def _releases(source: Source, chosen: Mapping[str, str]) -> list[tuple[str, Counts]]:
    release = chosen.get(source.dataset)
    if release is None:
        return list(source.counts.items())
    if release not in source.counts:
        raise UnknownName(f"release of {source.dataset}", release, source.counts)
    return [(release, source.counts[release])]

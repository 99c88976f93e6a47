"""`mebench score`: somebody's predictions file, scored under a protocol with or without the corpus at hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import Any

from mebench.api import aggregate_of, single_protocol
from mebench.claims import Claim, claims_of, claims_table
from mebench.clips import ClipTable
from mebench.corpora import given_tables, parse_pairs
from mebench.errors import PredictionError, UnknownName, UsageError
from mebench.foreign import Mismatch, Reading, Target, read
from mebench.intervals import COVERAGE_NOTE, Interval, intervals_of
from mebench.leaderboard import score_table
from mebench.protocol import Counts, Protocol, Source, resolve
from mebench.render import Table, figure
from mebench.resampling import WORDS
from mebench.scoring import ALL, ScoreCard, mean_of_seeds, report, score_predictions
from mebench.show import caveats
from mebench.statistics import Metric

UNCOUNTED = "Search is not counted: how many configurations were tried before this file is not known here."


@dataclass(frozen=True)
class FileScore:
    """A file's reading and its score card per seed, with intervals and what other averages would have claimed.

    `intervals` holds by slice and metric those of the strict scores or, where `covered_only`, of the scores over the
    clips present: whose clips the others are is then unknown.
    """

    protocol: Protocol
    reading: Reading
    cards: Mapping[int, ScoreCard]
    intervals: Mapping[str, Mapping[Metric, Interval]] = field(default_factory=dict)
    covered_only: bool = False
    claims: Mapping[str, Sequence[Claim]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every clip has a prediction under every seed and no stated truth contradicts the annotation."""
        return all(card.strict[ALL].coverage == 1 for card in self.cards.values()) and not self.reading.mismatches

    @property
    def notes(self) -> list[str]:
        """What to know of protocol and file."""
        return [*caveats(self.protocol), *self.reading.notes, UNCOUNTED]

    def record(self) -> dict[str, Any]:
        """The scores as plain JSON values, with whose word the truth is and what to know of the file."""
        return report(self.cards) | {
            "read_as": self.reading.kind,
            "truth": self.reading.truth,
            "notes": self.notes,
            "truth_mismatches": [asdict(one) for one in self.reading.mismatches],
            "intervals_of": "covered" if self.covered_only else "scores",
            "intervals": {
                name: {metric: one.record() for metric, one in by_metric.items()}
                for name, by_metric in self.intervals.items()
            },
            "claims": {name: [claim.record() for claim in claims] for name, claims in self.claims.items()},
        }

    def tables(self) -> list[Table]:
        """The scores, their intervals, the other averages and where the file contradicts the annotation, each if any.

        Scores are means over seeds: strict, and covered where a clip is missing.
        """
        drawn = score_table(mean_of_seeds([self.cards[seed] for seed in sorted(self.cards)]))
        found = [replace(drawn, notes=(*drawn.notes, *self.notes))]
        found += [_interval_table(self.intervals, covered_only=self.covered_only)] if self.intervals else []
        found += [claims_table(self.claims[ALL])] if self.claims else []
        return found + ([_mismatch_table(self.reading.mismatches)] if self.reading.mismatches else [])


def score_file(options: Mapping[str, Any]) -> FileScore:
    """The scores of the file the command line names; with `--data` its truth is checked against the annotations."""
    protocol = single_protocol(options["protocol"])
    data = parse_pairs("--data", options["data"])
    releases = parse_pairs("--annotation", options["annotation"])
    tables = given_tables(
        data, {k: v for k, v in releases.items() if k in data}, corrections=not options["no_corrections"]
    )
    columns = parse_pairs("--column", options["columns"])
    labels, order = parse_classes(options["classes"], options["class_list"])
    targets = targets_of(protocol, tables, releases)
    reading = best_reading(
        lambda target: read(options["file"], target, columns=columns, labels=labels, order=order), targets
    )
    whole = reading.truth == "annotations" and not any(table.synthetic for table in tables.values())
    return score_reading(protocol, reading, targets[0][1].subjects, full=whole)


def score_reading(
    protocol: Protocol, reading: Reading, subjects: Mapping[str, str] | None = None, *, full: bool = False
) -> FileScore:
    """Everything that is said of a file's predictions; `full` where a class without a clip is a fault."""
    aggregate, said = aggregate_of(protocol), reading.predictions
    cards = score_predictions(said, reading.expected, aggregate=aggregate, full=full)
    named = {clip: label for clip, label in reading.expected.items() if clip not in reading.nameless}
    drawn: Mapping[str, Mapping[Metric, Interval]] = {}
    if named:
        drawn = intervals_of(said, named, subjects, aggregate=aggregate, estimand="predictions")
    claims = claims_of(said, reading.expected, cards, subjects)
    return FileScore(protocol, reading, cards, drawn, covered_only=bool(reading.nameless), claims=claims)


def parse_classes(pairs: Sequence[str], listed: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The classes of values, from `--class VALUE=CLASS` and `--classes`, and the order, from `--classes A,B,C`.

    `--classes` holds pairs or names: raises UsageError where it mixes them or gives a value twice.
    """
    parts = [part.strip() for part in (listed or "").split(",") if part.strip()]
    paired = [part for part in parts if "=" in part]
    if paired and len(paired) < len(parts):
        raise UsageError(
            f"--classes {listed!r} mixes names and VALUE=CLASS.", "Give pairs, or all classes in the order of numbers."
        )
    if parts and not paired and pairs:
        raise UsageError("--classes gives an order and --class a value.", "Give one of the two.")
    return parse_pairs("--classes", [*pairs, *paired]), () if paired else tuple(parts)


def _interval_table(intervals: Mapping[str, Mapping[Metric, Interval]], *, covered_only: bool) -> Table:
    rows = [
        (name, _SHOWN[one.metric], figure(one.estimate), figure(one.low), figure(one.high), str(one.subjects))
        for name, by_metric in intervals.items()
        for one in by_metric.values()
    ]
    first = intervals[ALL]["uf1"]
    remarks = {
        f"{name}: {text}" for name, by_metric in intervals.items() for i in by_metric.values() for text in i.remarks
    }
    over = ("Over the clips present: whose clips are missing is unknown.",) if covered_only else ()
    return Table(
        f"{first.level:.0%} intervals over subjects",
        ("Slice", "Score", "Is", "From", "To", "Subjects"),
        tuple(rows),
        numeric=frozenset({"Is", "From", "To", "Subjects"}),
        notes=(f"For {WORDS[first.estimand]}. {COVERAGE_NOTE}", *over, *sorted(remarks)),
    )


_SHOWN = {"uf1": "UF1", "uar": "UAR", "accuracy": "Accuracy", "weighted_f1": "Weighted F1"}


def _mismatch_table(mismatches: Sequence[Mismatch]) -> Table:
    rows = tuple((one.clip, one.stated, one.annotated) for one in mismatches)
    return Table(f"{len(rows)} truths contradict the annotation", ("Clip", "File", "Annotation"), rows)


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
        labels, subjects = ({i.id: getattr(i, what) for i in task.items} for what in ("label", "subject"))
        return [("", Target(protocol.name, protocol.classes, {}, labels, subjects))]
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

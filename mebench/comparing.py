"""Results of one board against a declared reference: test, interval, order, equivalence, and what could have shown.

The statistics stand in `comparison` and `resolution`; here is what may be held against what, under which name, and how
it is told.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mebench import runs
from mebench.comparison import NULL, Comparison, compare
from mebench.errors import UnknownName, UsageError
from mebench.intervals import COVERAGE_NOTE
from mebench.leaderboard import SYNTHETIC_WARNING, Entry
from mebench.predictions import merge
from mebench.render import NONE, Table, figure
from mebench.resampling import RESAMPLES, WORDS, Estimand
from mebench.resolution import Equivalence, Ranking, Resolution, equivalence, rank_methods, resolution
from mebench.scoring import ALL, Aggregate, dataset_of
from mebench.statistics import METRICS, Metric, SubjectCounts, count_subjects, number, seed_scores

SCHEMA = "mebench.compare/1"
TITLES: Mapping[Metric, str] = {"uf1": "UF1", "uar": "UAR", "accuracy": "Accuracy", "weighted_f1": "Weighted F1"}


@dataclass(frozen=True)
class Terms:
    """How a comparison is made: slice, metric, estimand and, where equivalence is asked, the margin.

    `resamples` and `seed` are those of the bootstrap; equal terms give equal figures.
    """

    dataset: str = ALL
    metric: Metric = "uf1"
    estimand: Estimand = "method"
    margin: float | None = None
    resamples: int = RESAMPLES
    seed: int = 0


@dataclass(frozen=True)
class Contest:
    """Several methods against the one reference, on the same clips.

    `scores` are means over seeds, the reference included, in the order given. `remarks` concern the whole.
    """

    heading: str
    reference: str
    terms: Terms
    scores: Mapping[str, float]
    comparisons: tuple[Comparison, ...]
    ranking: Ranking
    resolution: Resolution
    equivalences: Mapping[str, Equivalence] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The contest as JSON values, null where undefined."""
        return {
            "schema": SCHEMA,
            "board": self.heading,
            "dataset": self.terms.dataset,
            "metric": self.terms.metric,
            "reference": self.reference,
            "scores": {name: number(value) for name, value in self.scores.items()},
            "comparisons": [one.record() for one in self.comparisons],
            "ranking": self.ranking.record(),
            "resolution": self.resolution.record(),
            "equivalence": {name: one.record() for name, one in self.equivalences.items()},
            "remarks": list(self.remarks),
        }

    def table(self) -> Table:
        """One row per method, the reference first, and what the columns mean."""
        asked = bool(self.equivalences)
        title = TITLES[self.terms.metric]
        figures = ("Difference", "95 %", "p", "p (Holm)")
        columns = ("Method", title, *figures, "Resolved", "First", "Would show from", *(["Equivalent"] * asked))
        return Table(
            title=f"{self.heading}: {title} less that of {self.reference}",
            columns=columns,
            rows=(self._reference_row(), *(self._row(one) for one in self.comparisons)),
            numeric=frozenset({title, *figures, "First", "Would show from"}),
            notes=self._notes(),
        )

    def _reference_row(self) -> tuple[str, ...]:
        blank = (NONE,) * (5 + 1 + bool(self.equivalences))
        first = share(self.ranking.first[self.reference])
        return (f"{self.reference} (reference)", figure(self.scores[self.reference]), *blank[:5], first, *blank[5:])

    def _row(self, one: Comparison) -> tuple[str, ...]:
        verdict = [self.equivalences[one.method].verdict] if self.equivalences else []
        return (
            one.method,
            figure(self.scores[one.method]),
            signed(one.test.difference),
            between(one.interval.low, one.interval.high),
            probability(one.test.p),
            probability(one.p_holm),
            "yes" if one.resolved else "no",
            share(self.ranking.first[one.method]),
            smallest(self.resolution.smallest[one.method]),
            *verdict,
        )

    def _notes(self) -> tuple[str, ...]:
        words = WORDS[self.terms.estimand]
        exact = all(one.test.exact for one in self.comparisons)
        swaps = "every assignment tried" if exact else "assignments drawn where more than 16 subjects differ"
        notes = [
            f"p: two-sided paired test that swaps whole subjects ({swaps}): {NULL}.",
            f"Holm: p adjusted within the family of {len(self.comparisons)} against the one reference.",
            f"95 %: interval of the difference for {words}. Resolved: p (Holm) at most .05 and 0 outside the interval.",
            f"First: share of resamples of subjects in which the method comes first, for {words}.",
            f"Would show from: the smallest true difference found with {share(self.resolution.power)} power at 5 %.",
            COVERAGE_NOTE,
        ]
        if self.terms.margin is not None:
            notes.insert(4, f"Equivalent: two one-sided tests at 5 % within ± {figure(self.terms.margin)}.")
        remarks = {one.method: (*one.test.remarks, *one.interval.remarks) for one in self.comparisons}
        return (*notes, *_told(remarks), *self.remarks)


def compare_runs(home: Path, names: Sequence[str], reference: str | None, terms: Terms) -> Contest:
    """The contest of stored runs, the first of them the reference unless another is named.

    Raises UnknownName for what names no run, UsageError where they may not be compared.
    """
    from mebench.standing import entry_of_run

    found = [runs.find_run(home, name) for name in names]
    base = found[0] if reference is None else runs.find_run(home, reference)
    found += [] if any(run.id == base.id for run in found) else [base]
    repeated = [run_id for run_id, times in Counter(run.id for run in found).items() if times > 1]
    if repeated:
        raise UsageError(f"Run {repeated[0]} is named twice.", "Name each run once.")
    entries = [entry_of_run(run, tried=runs.tried(home, run.spec)) for run in found]
    by_name = names_of(entries)
    return contest(by_name, next(name for name, entry in by_name.items() if entry.run == base.id), terms)


def contest(entries: Mapping[str, Entry], reference: str, terms: Terms) -> Contest:
    """The entries against the one of them that is the reference; raises UsageError where they may not be compared."""
    _comparable(entries)
    counts = {name: counts_of(entry, terms.dataset) for name, entry in entries.items()}
    return contest_of(counts, reference, terms, heading=_heading(entries, terms.dataset), remarks=_remarks(entries))


def contest_of(
    counts: Mapping[str, SubjectCounts], reference: str, terms: Terms, *, heading: str, remarks: Sequence[str] = ()
) -> Contest:
    """The contest of methods by their counts; raises UsageError as `compare` does."""
    drawn: dict[str, Any] = {"estimand": terms.estimand, "resamples": terms.resamples, "seed": terms.seed}
    comparisons = compare(counts, reference, terms.metric, **drawn)
    alike = {}
    if terms.margin is not None:
        others = [name for name in counts if name != reference]
        alike = {n: equivalence(counts[n], counts[reference], terms.margin, terms.metric, **drawn) for n in others}
    return Contest(
        heading=heading,
        reference=reference,
        terms=terms,
        scores={name: float(seed_scores(each, terms.metric).mean()) for name, each in counts.items()},
        comparisons=comparisons,
        ranking=rank_methods(counts, terms.metric, **drawn),
        resolution=resolution(counts, reference, terms.metric, estimand=terms.estimand),
        equivalences=alike,
        remarks=tuple(remarks),
    )


def counts_of(entry: Entry, dataset: str = ALL) -> SubjectCounts:
    """What the entry said of each subject's clips; raises UnknownName for a slice that its board has not."""
    datasets = {dataset_of(clip) for clip in entry.expected}
    if dataset not in (ALL, *datasets):
        raise UnknownName(f"slice of {entry.protocol}", dataset, (ALL, *datasets))
    held = merge([part for part in entry.predictions.values() if part.rows])
    aggregate: Aggregate = entry.aggregate
    return count_subjects(held, entry.expected, entry.subjects, dataset=dataset, aggregate=aggregate)


def names_of(entries: Sequence[Entry]) -> dict[str, Entry]:
    """The entries by title; where several share one, by title and the first digits of the run."""
    titles = Counter(entry.title for entry in entries)
    width = 6
    while len({(e.title, e.run[:width]) for e in entries}) < len({(e.title, e.run) for e in entries}):
        width += 2
    named = {e.title if titles[e.title] == 1 else f"{e.title} [{e.run[:width]}]": e for e in entries}
    return named if len(named) == len(entries) else {f"{e.title} [{e.run}]": e for e in entries}


def signed(value: float) -> str:
    """A difference as `+.012` or `−.200`; a dash for NaN."""
    if math.isnan(value):
        return NONE
    return f"{'+' if value >= 0 else '−'}{figure(abs(value))}"


def between(low: float, high: float) -> str:
    """The interval of a difference, `−.012 to +.080`; a dash where there is none."""
    return NONE if math.isnan(low) else f"{signed(low)} to {signed(high)}"


def probability(value: float) -> str:
    """A p-value with three decimals, `< .001` where it is smaller; a dash for NaN."""
    return "< .001" if value < 0.001 else figure(value)


def share(value: float) -> str:
    """A share as whole per cent; a dash for NaN."""
    return NONE if math.isnan(value) else f"{value:.0%}".replace("%", " %")


def smallest(value: float) -> str:
    """The smallest difference that would show; `> 1` where no score can differ by so much, a dash for NaN."""
    return "> 1" if value > 1 else figure(value)


def _told(remarks: Mapping[str, Sequence[str]]) -> list[str]:
    """Each remark once, with the methods it is made of where it is not made of all."""
    made: dict[str, list[str]] = {}
    for name, said in remarks.items():
        for one in dict.fromkeys(said):
            made.setdefault(one, []).append(name)
    every = [f"{one}." for one, names in made.items() if len(names) == len(remarks)]
    return every + [f"{', '.join(names)}: {one}." for one, names in made.items() if len(names) < len(remarks)]


def _comparable(entries: Mapping[str, Entry]) -> None:
    if len(entries) < 2:
        raise UsageError(f"{len(entries)} run is no comparison.", "Name two runs or more of one protocol.")
    first_name, first = next(iter(entries.items()))
    for name, entry in entries.items():
        if entry.status != "complete" or entry.selection == "peeked":
            state = entry.status if entry.status != "complete" else "chosen on the held-out clips"
            raise UsageError(f"{name} is {state}: it has no score to compare.", "Compare complete, honest runs.")
        if _board(entry) != _board(first):
            raise UsageError(
                f"{name} ({entry.protocol}) and {first_name} ({first.protocol}) stand on different boards.",
                "Compare runs of one protocol, one annotation version and the same clips.",
            )


def _board(entry: Entry) -> tuple[object, ...]:
    annotations = tuple(sorted(entry.annotations.items()))
    return (entry.protocol, entry.protocol_version, annotations, entry.fingerprint, entry.partial, entry.synthetic)


def _heading(entries: Mapping[str, Entry], dataset: str) -> str:
    entry = next(iter(entries.values()))
    heading = f"{entry.protocol} (version {entry.protocol_version})"
    return heading if dataset == ALL else f"{heading}, {dataset}"


def _remarks(entries: Mapping[str, Entry]) -> list[str]:
    first = next(iter(entries.values()))
    privileges = sorted({entry.privilege for entry in entries.values()})
    said = [f"Privileges differ ({', '.join(privileges)}): these runs are not ranked against each other."]
    said = said if len(privileges) > 1 else []
    said += ["Part of the corpora only: no score of the protocol."] if first.partial else []
    searched = [f"{name}: best of {entry.tried}" for name, entry in entries.items() if entry.tried > 1]
    said += [f"Configurations tried are not allowed for in p: {'; '.join(searched)}."] if searched else []
    return [*said, f"{SYNTHETIC_WARNING}."] if first.synthetic else said


__all__ = [
    "METRICS",
    "TITLES",
    "Contest",
    "Terms",
    "between",
    "compare_runs",
    "contest",
    "contest_of",
    "counts_of",
    "names_of",
    "probability",
    "share",
    "signed",
    "smallest",
]

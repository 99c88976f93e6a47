"""One board made ready for the page: its sentence, plots and tables, in words and places, none of it markup."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mebench.au_reference import MODEL as AU_REFERENCE
from mebench.comparing import Contest, Terms, contest_of, counts_of, names_of, share
from mebench.intervals import COVERAGE_NOTE
from mebench.leaderboard import SYNTHETIC_WARNING, Board, Entry, Row, table
from mebench.mistakes import FLOORS, answered_table, unsolved
from mebench.page.forest import Estimate, Plot, Reference, forest
from mebench.page.recalls import HeatMap, Matrix, heat_map, matrices
from mebench.page.references import REFERENCE, Declared, bound_of, declare, one_answer, refitted
from mebench.page.trust import trust_table
from mebench.render import Table, figure
from mebench.resampling import WORDS
from mebench.resolution import rank_methods
from mebench.scoring import ALL
from mebench.statistics import SubjectCounts, seed_scores

_PRIVILEGES: Mapping[str, str] = {
    "none": "No annotation of the tested clip",
    "interval": "Onset and offset given",
    "apex": "Apex given",
    "aus": "Action units given",
}
_PRETRAINED = {False: "no pretraining", True: "pretrained weights"}


@dataclass(frozen=True)
class Standing:
    """The ranked entries of a board over all its clips, best first, under the names they go by on the page."""

    board: Board
    entries: Mapping[str, Entry]
    rows: Mapping[str, Row]
    counts: Mapping[str, SubjectCounts]

    @property
    def methods(self) -> dict[str, Entry]:
        """The entries that are compared: all but the action-unit reference, which is a level and no rival."""
        return {name: entry for name, entry in self.entries.items() if entry.model != AU_REFERENCE}

    @property
    def tested(self) -> dict[str, SubjectCounts]:
        """The counts of the methods."""
        return {name: counts for name, counts in self.counts.items() if name in self.methods}

    @property
    def strata(self) -> list[tuple[str, list[str]]]:
        """Names by privilege and pretraining, as they are ranked apart."""
        found: dict[tuple[str, bool], list[str]] = {}
        for name, entry in self.entries.items():
            found.setdefault((entry.privilege, bool(entry.weights)), []).append(name)
        order = sorted(found, key=lambda key: (list(_PRIVILEGES).index(key[0]), key[1]))
        return [(f"{_PRIVILEGES[p]}, {_PRETRAINED[trained]}", found[p, trained]) for p, trained in order]


@dataclass(frozen=True)
class Sheet:
    """What the page shows of one board, in order; `differences` is None where nothing can be tested.

    `results` is the leaderboard's own table over all clips, `slices` its rest, and `record` its CSV.
    """

    anchor: str
    heading: str
    edition: str
    warning: str
    sentence: str
    caveats: str
    scores: Plot | None
    score_notes: tuple[str, ...]
    results: Table
    slices: Table | None
    differences: Plot | None
    contest: Table | None
    reference: str
    recalls: HeatMap | None
    confusions: tuple[Matrix, ...]
    unsolved: Table | None
    trust: Table
    record: Table


def sheet(
    anchor: str, board: Board, entries: Sequence[Entry], record: Table, *, reference: str | None, terms: Terms
) -> Sheet:
    """The sheet of a board; `entries` are its runs in any order, `record` its rows as the CSV has them.

    Where the reference asked for is not ranked here, the board takes its own.
    """
    standing = _standing(board, entries)
    declared = declare(standing.methods, reference) if standing.methods else None
    met = _contest(standing, declared, terms)
    row, named = board.rows[0], names_of(entries)
    whole, slices = _results(board, {entry.run: name for name, entry in named.items()})
    order = [one.run for one in board.rows if one.dataset == ALL]
    return Sheet(
        anchor=anchor,
        heading=row.protocol,
        edition=f"version {row.version}" + (f", clip table {row.fingerprint[:8]}" if row.fingerprint else ""),
        warning=SYNTHETIC_WARNING if row.synthetic else "",
        sentence=sentence(standing, met),
        caveats=row.caveats,
        scores=_scores(anchor, standing, terms) if standing.entries else None,
        score_notes=_score_notes(standing),
        results=whole,
        slices=slices,
        differences=_differences(anchor, standing, met) if met else None,
        contest=_ranked_first(met.table(), standing, terms) if met else None,
        reference=f"{declared.name} ({declared.reason})" if declared else "",
        recalls=heat_map(standing.entries) if standing.entries else None,
        confusions=tuple(one for name, entry in standing.entries.items() for one in matrices(name, entry)),
        unsolved=_unsolved(standing),
        trust=trust_table(dict(sorted(named.items(), key=lambda n: order.index(n[1].run))), standing.counts, terms),
        record=record,
    )


def sentence(standing: Standing, met: Contest | None) -> str:
    """Protocol, clips, subjects and annotation, and which differences this board leaves open."""
    row = standing.board.rows[0]
    what = (
        f"{row.protocol} (version {row.version}) scores {row.clips} clips of {row.subjects} subjects, annotated as "
        f"{row.annotation.replace(' ', ', ').replace('=', ' ')}"
    )
    if met is None:
        return f"{what}; fewer than two runs are ranked, so that there is no difference to speak of."
    resolved = sum(one.resolved for one in met.comparisons)
    differ = f"{resolved} of {len(met.comparisons)} runs differ from {met.reference} by more than chance explains"
    median, power = met.resolution.median, share(met.resolution.power)
    if math.isnan(median):
        return f"{what}; how small a difference would show is not known, and {differ}."
    floor = f"below about {figure(median)}" if median <= 1 else "of any size"
    return f"{what}; differences in UF1 {floor} are unresolved here (at 5 %, with {power} power), and {differ}."


def _standing(board: Board, entries: Sequence[Entry]) -> Standing:
    """The standing of a board's entries; runs stand once each on a board."""
    whole = {row.run: row for row in board.rows if row.dataset == ALL}
    named = names_of(entries)
    ranked = [name for name, entry in named.items() if whole[entry.run].ranked]
    ranked.sort(key=lambda name: (-whole[named[name].run].uf1, name))
    kept = {name: named[name] for name in ranked}
    return Standing(
        board,
        kept,
        {name: whole[entry.run] for name, entry in kept.items()},
        {name: counts_of(entry) for name, entry in kept.items()},
    )


def _results(board: Board, names: Mapping[str, str]) -> tuple[Table, Table | None]:
    """The leaderboard's table over all clips and that of the single corpora, None where there is one corpus.

    Runs go by the names they have on the page, since several may share a title.
    """
    drawn = table(board)
    model = drawn.columns.index("Model")
    named = [
        (*cells[:model], names[row.run], *cells[model + 1 :]) for row, cells in zip(board.rows, drawn.rows, strict=True)
    ]
    parts = [
        tuple(c for row, c in zip(board.rows, named, strict=True) if (row.dataset == ALL) == all_)
        for all_ in (True, False)
    ]
    whole = _without(replace(drawn, title="Results over all clips", rows=parts[0]), "Dataset")
    return whole, replace(drawn, title="Results by corpus", rows=parts[1], notes=()) if parts[1] else None


def _without(drawn: Table, column: str) -> Table:
    """The table without a column, as it is where it has none of that name."""
    kept = [i for i, name in enumerate(drawn.columns) if name != column]
    rows = tuple(tuple(row[i] for i in kept) for row in drawn.rows)
    return replace(drawn, columns=tuple(drawn.columns[i] for i in kept), rows=rows)


def _contest(standing: Standing, declared: Declared | None, terms: Terms) -> Contest | None:
    if declared is None or len(standing.tested) < 2:
        return None
    return contest_of(standing.tested, declared.name, terms, heading=standing.board.rows[0].protocol)


def _scores(anchor: str, standing: Standing, terms: Terms) -> Plot:
    """UF1 of every ranked run, with what it is seen against."""
    bounds = {name: bound_of(entry, seed=terms.seed) for name, entry in standing.entries.items()}

    def estimate(name: str) -> Estimate:
        row, entry = standing.rows[name], standing.entries[name]
        return Estimate(
            name=name,
            value=row.uf1,
            low=row.uf1_low,
            high=row.uf1_high,
            text=_bracketed(row),
            seeds=_by_seed(standing, name),
            chance=bounds[name],
            diamond=bool(entry.weights),
        )

    strata = [(heading, [estimate(name) for name in names]) for heading, names in standing.strata]
    return forest(f"{anchor}-uf1", "UF1 and its 95 % interval over subjects", strata, _references(standing, bounds))


def _references(standing: Standing, bounds: Mapping[str, float]) -> list[Reference]:
    """The lines of the plot: one answer and chance from the clips, flow-svm and action units from their runs."""
    said = one_answer(next(iter(standing.entries.values())))
    rivals = [bounds[name] for name in standing.methods if not math.isnan(bounds[name])]
    chance = max(rivals, default=math.nan)
    found = [
        Reference(f"{said.name} {figure(said.uf1)}", said.uf1, "majority"),
        Reference(f"chance at most {figure(chance)}", chance, "chance"),
    ]
    fits = {name: entry.model == REFERENCE for name, entry in standing.entries.items()}
    coded = {n: e.privilege == "aus" and standing.rows[n].coverage == 1 for n, e in standing.entries.items()}
    for label, kind, held in ((REFERENCE, "reference", fits), ("AU reference", "aus", coded)):
        row = next((standing.rows[name] for name, holds in held.items() if holds), None)
        found += [Reference(f"{label} {figure(row.uf1)}", row.uf1, kind)] if row else []
    return found


def _differences(anchor: str, standing: Standing, met: Contest) -> Plot:
    by_method = {one.method: one for one in met.comparisons}

    def estimate(name: str) -> Estimate:
        one = by_method[name]
        return Estimate(
            name=name,
            value=one.test.difference,
            low=one.interval.low,
            high=one.interval.high,
            text="resolved" if one.resolved else "not resolved",
            diamond=bool(standing.entries[name].weights),
            solid=one.resolved,
        )

    strata = [(heading, [estimate(n) for n in names if n in by_method]) for heading, names in standing.strata]
    return forest(
        f"{anchor}-difference",
        f"UF1 less that of {met.reference}",
        [(heading, members) for heading, members in strata if members],
        [Reference(met.reference, 0.0, "zero")],
        difference=True,
    )


def _ranked_first(drawn: Table, standing: Standing, terms: Terms) -> Table:
    """The table with the chance of coming first among runs of one privilege, since ranks are given within it."""
    first: dict[str, float] = {}
    for privilege in _PRIVILEGES:
        rivals = {n: counts for n, counts in standing.tested.items() if standing.entries[n].privilege == privilege}
        if len(rivals) > 1:
            ranking = rank_methods(rivals, terms.metric, estimand=terms.estimand, resamples=terms.resamples)
            first |= ranking.first
    column = drawn.columns.index("First")
    names = {name: name for name in standing.entries} | {f"{name} (reference)": name for name in standing.entries}
    rows = tuple((*row[:column], share(first.get(names[row[0]], math.nan)), *row[column + 1 :]) for row in drawn.rows)
    notes = tuple(
        f"First: share of resamples of subjects in which the run comes first among those of its privilege, for "
        f"{WORDS[terms.estimand]}; a dash where it has no rival."
        if note.startswith("First: ")
        else note
        for note in drawn.notes
        if note != COVERAGE_NOTE
    )
    return Table(drawn.title, drawn.columns, rows, drawn.numeric, notes)


def _unsolved(standing: Standing) -> Table | None:
    """The clips that none of the runs that look at a clip gets right; None where no run looks."""
    looking = [entry for entry in standing.entries.values() if entry.model not in FLOORS]
    if not looking:
        return None
    found = unsolved(looking)
    total = len(looking[0].expected)
    runs = f"{len(looking)} run{'s' * (len(looking) > 1)} that look{'s' * (len(looking) == 1)} at the clip"
    title = f"{len(found)} of {total} clips solved by no seed of {runs}"
    return answered_table(title, found)


def _bracketed(row: Row) -> str:
    if math.isnan(row.uf1_low):
        return figure(row.uf1)
    return f"{figure(row.uf1)} [{figure(row.uf1_low)}, {figure(row.uf1_high)}]"


def _by_seed(standing: Standing, name: str) -> tuple[float, ...]:
    counts = standing.counts.get(name)
    return tuple(seed_scores(counts, "uf1")[:, 0].tolist()) if counts else ()


def _score_notes(standing: Standing) -> tuple[str, ...]:
    if not standing.entries:
        return ()
    return (
        f"Mark: mean over seeds, a diamond where weights were trained elsewhere. Bar: 95 % for {WORDS['method']}.",
        "Strokes: single seeds. Triangle: what these predictions would reach by chance at most.",
        "Chance at most: the 97.5 % point with truths permuted within subjects; the line is the largest of these.",
        refitted(standing.methods.values()),
        one_answer(next(iter(standing.entries.values()))).words,
        *(
            ["AU reference: from the human codes of the tested clips, no frame seen; a level, not a strict bound."]
            if any(entry.privilege == "aus" for entry in standing.entries.values())
            else []
        ),
        COVERAGE_NOTE,
    )

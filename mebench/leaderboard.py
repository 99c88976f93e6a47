"""Runs as rows, rows as boards: what may be compared stands in one table, and nothing else does.

A board is one protocol version over one set of annotations, real or synthetic. Within it a rank is given per slice,
privilege and number of classes scored; peeked, incomplete, partial and published results have none.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain, groupby
from typing import Literal

from mebench.cost import Cost
from mebench.errors import ModelError
from mebench.intervals import COVERAGE_NOTE, Interval, intervals_of
from mebench.predictions import Predictions, merge
from mebench.render import NONE, Table, csv_text, figure
from mebench.resampling import WORDS
from mebench.scoring import (
    ALL,
    Aggregate,
    ScoreCard,
    Scores,
    UnitScores,
    dataset_of,
    mean_of_seeds,
    score_predictions,
    sd,
)
from mebench.verdicts import NOT_AUDITED

Status = Literal["complete", "incomplete", "failed"]
Selection = Literal["fixed", "inner", "peeked", "undeclared"]
Privilege = Literal["none", "interval", "apex", "aus"]
_PRIVILEGES = ("none", "interval", "apex", "aus")
SYNTHETIC_WARNING = "SYNTHETIC: detecting rendered motion says nothing about faces"
_BOUNDED, _ENDS = ("uf1", "uar"), ("low", "high")
_RANK_DIGITS = 6
"""Decimals to which two UF1 are compared: those of the CSV, so that a tie in print is a tie in rank."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run as the leaderboard sees it: what ran on what, and its predictions per seed.

    `annotations` maps dataset to annotation version and `fingerprint` tells clip tables apart that share a version,
    such as two synthetic corpora. `expected` maps clip id to class, `subjects` clip id to subject (by default the id's
    first two parts). `tried` counts the configurations scored under this protocol, this one included. `caveats` is what
    must stand beside every score under the protocol, as that it is not subject-independent; `replications` what other
    laboratories found when they fitted folds again; `apex_source` whose apex frame the input took, and `cost` what the
    run cost, empty or None where it was not recorded; `audit` what an audit of that very model said. `null_bound` is
    the 97.5 % point of UF1 under permuted labels, the model fitted again under each; NaN where that was not done.
    `chain` names the trainings before this one (`scratch`, `imagenet+macro`), empty where a model takes no weights.
    `peeked_per_fold` and `peeked_best_epoch` are the UF1 that choosing the epoch on the held-out clips would have
    claimed, per fold and one for all, where that was measured: they stand beside the score and are none.
    Raises ModelError where the title of a fidelity D model does not say `-like`.
    """

    protocol: str
    protocol_version: int
    task: str
    classes: tuple[str, ...]
    annotations: Mapping[str, str]
    fingerprint: str = ""
    synthetic: bool = False
    partial: bool = False
    aggregate: Aggregate = "pooled"
    model: str
    title: str
    model_version: int
    parameters: str = ""
    run: str
    status: Status
    selection: Selection
    privilege: Privilege
    fidelity: Literal["A", "B", "C", "D"] | None
    predictions: Mapping[int, Predictions]
    expected: Mapping[str, str]
    subjects: Mapping[str, str] = field(default_factory=dict)
    tried: int = 1
    weights: str = ""
    command: str = ""
    published: bool = False
    caveats: str = ""
    replications: str = ""
    apex_source: str = ""
    cost: Cost | None = None
    audit: str = NOT_AUDITED
    null_bound: float = math.nan
    chain: str = ""
    peeked_per_fold: float = math.nan
    peeked_best_epoch: float = math.nan

    def __post_init__(self) -> None:
        if self.fidelity == "D" and "-like" not in self.title:
            raise ModelError(
                f"Model {self.model} has fidelity D but is titled {self.title!r}.",
                "A reading of an abstract or fragments says so: put '-like' in its title.",
            )


@dataclass(frozen=True)
class Row:
    """One run on one slice of its board: the columns of the CSV, in its order. Figures are means over seeds or NaN.

    `peeked_uf1` takes the place of the scores where the epoch was chosen on the held-out clips. `rank` is None for
    what is not ranked. `uf1_low` to `uar_high` bound 95 % intervals over subjects (see `intervals`), NaN where none can
    be given; `interval_remarks` say why, or what it leaves out. `input_shape` is of one clip, as `28x28x3`. What a run
    took in time is no column: it differs from repetition to repetition, and rows of equal runs are equal.
    """

    protocol: str
    dataset: str
    task: str
    model: str
    status: Status
    selection: Selection
    privilege: Privilege
    fidelity: str
    seeds: int
    clips: int
    subjects: int
    coverage: float
    uf1: float
    uar: float
    accuracy: float
    weighted_f1: float
    annotation: str
    synthetic: bool
    rank: int | None
    uf1_sd: float
    uar_sd: float
    tried: int
    weights: str
    version: int
    run: str
    command: str
    title: str
    model_version: int
    parameters: str
    fingerprint: str
    partial: bool
    published: bool
    aggregate: Aggregate
    classes: int
    classes_scored: int
    peeked_uf1: float
    uf1_low: float
    uf1_high: float
    uar_low: float
    uar_high: float
    interval_remarks: str
    caveats: str
    replications: str
    apex_source: str
    trainable_parameters: int | None
    input_shape: str
    audit: str
    chain: str
    peeked_per_fold_uf1: float
    peeked_best_epoch_uf1: float

    @property
    def board(self) -> tuple[bool, str, int, str, str]:
        """What rows must share to stand in one table; real boards sort before synthetic ones."""
        return (self.synthetic, self.protocol, self.version, self.annotation, self.fingerprint)

    @property
    def stratum(self) -> tuple[bool, str, int, int]:
        """What rows of one board must share to be ranked against each other; `all` sorts first."""
        return (self.dataset != ALL, self.dataset, _PRIVILEGES.index(self.privilege), -self.classes_scored)

    @property
    def ranked(self) -> bool:
        """Whether the row may hold a rank."""
        void = self.status != "complete" or self.selection == "peeked" or self.partial or self.published
        return not void and not math.isnan(self.uf1)


@dataclass(frozen=True)
class Board:
    """The rows of one table, strata in order, ranked rows of each first."""

    rows: tuple[Row, ...]

    @property
    def heading(self) -> str:
        """Protocol, clips, subjects and annotation, its caveats, and the warning where the corpus is synthetic."""
        row = self.rows[0]
        size = f"{row.clips} clips, {row.subjects} subjects"
        heading = f"{row.protocol} (version {row.version}): {size}, {row.annotation}"
        mark = f" [{row.fingerprint[:8]}]" if row.fingerprint else ""
        caveats = f". {row.caveats}" if row.caveats else ""
        return heading + mark + caveats + (f". {SYNTHETIC_WARNING}" if row.synthetic else "")


COLUMNS = tuple(f.name for f in fields(Row))
_AGGREGATE_NOTES = {
    "directions": ("all: the mean of the directions.",),
    "units": ("UF1 and UAR: means over the action units of F1 and recall; Acc.: clips whose whole set is right.",),
}


def rows(entries: Iterable[Entry]) -> tuple[Row, ...]:
    """One row per run and slice, ranked; a protocol over one dataset has the slice `all` alone."""
    return _ranked([row for entry in entries for row in _rows(entry)])


def boards(ranked: Iterable[Row]) -> tuple[Board, ...]:
    """The rows by board, real before synthetic; within a slice by privilege, rank, and UF1 where there is no rank."""

    def order(row: Row) -> tuple[object, ...]:
        by_uf1 = math.inf if math.isnan(row.uf1) else -row.uf1
        return (row.board, row.stratum, row.rank is None, row.rank or 0, by_uf1, row.model, row.run)

    by_board = groupby(sorted(ranked, key=order), key=lambda row: row.board)
    return tuple(Board(tuple(members)) for _, members in by_board)


def to_csv(ranked: Iterable[Row], more: Iterable[Mapping[str, str]] = (), columns: Sequence[str] = ()) -> str:
    """All rows as CSV in the order of their boards: six decimals, an empty cell for no figure and no rank.

    `more` are rows that are no runs, cells by column name, which follow; `columns` are theirs beyond those of runs.
    """
    header = (*COLUMNS, *columns)
    ordered = ([_csv_value(getattr(row, n)) for n in COLUMNS] for board in boards(ranked) for row in board.rows)
    runs = ([*cells, *("" for _ in columns)] for cells in ordered)
    return csv_text(header, chain(runs, ([cells.get(name, "") for name in header] for cells in more)))


def table(board: Board) -> Table:
    """The board for reading: scores with three decimals, SD over seeds, and what qualifies them."""
    several = len({row.dataset for row in board.rows}) > 1
    columns = ("#", *(("Dataset",) if several else ()), "Model", "Privilege", "Selection", "Fidelity", "Seeds")
    scores = ("Coverage", "UF1", "95 %", "UAR", "Acc.", "wF1")
    return Table(
        title=board.heading,
        columns=(*columns, *scores, "Remarks"),
        rows=tuple(_cells(row, several=several) for row in board.rows),
        numeric=frozenset({"#", "Seeds", *scores}),
        notes=(
            "Ranked by UF1 within dataset and privilege. ± is the standard deviation over seeds; wF1 is weighted F1.",
            f"95 %: interval of UF1 for {WORDS['method']}. {COVERAGE_NOTE}",
            *_AGGREGATE_NOTES.get(board.rows[0].aggregate, ()),
        ),
    )


def score_table(card: ScoreCard) -> Table:
    """One file's scores for reading, strict and, where clips are missing, covered, by slice."""
    views = {"": card.strict} if card.strict[ALL].coverage == 1 else {"": card.strict, " (covered)": card.covered}
    body = [
        (f"{name}{view}", str(s.clips), figure(s.coverage), *map(figure, (s.uf1, s.uar, s.accuracy, s.weighted_f1)))
        for view, slices in views.items()
        for name, s in slices.items()
    ]
    body += _unit_rows(card)
    columns = ("Slice", "Clips", "Coverage", "UF1", "UAR", "Accuracy", "Weighted F1")
    partial = [f"{n}: {s.classes_scored} of {len(s.classes)} classes" for n, s in card.strict.items() if _lacks(s)]
    notes = (f"Not comparable over all classes: {', '.join(partial)}.",) if partial else ()
    return Table(card.protocol, columns, tuple(body), numeric=frozenset(columns[1:]), notes=notes)


def _unit_rows(card: ScoreCard) -> list[tuple[str, ...]]:
    """F1 and recall of each action unit, beside the number of clips that hold it; nothing for single classes."""
    return [
        (f"{name}: {c.name}", str(c.clips), NONE, figure(c.f1), figure(c.recall), NONE, NONE)
        for name, scores in card.strict.items()
        if isinstance(scores, UnitScores) and (name == ALL or len(card.strict) > 2)  # one corpus alone is `all`
        for c in scores.per_class
    ]


def _rows(entry: Entry) -> list[Row]:
    cards = [
        score_predictions(part.of_seed(seed), entry.expected, aggregate=entry.aggregate, full=not entry.partial)[seed]
        for seed, part in sorted(entry.predictions.items())
        if part.rows
    ]
    datasets = sorted({dataset_of(clip) for clip in entry.expected})
    intervals = _intervals(entry) if cards and entry.selection != "peeked" else {}
    return [
        _row(entry, name, cards, intervals.get(name, {})) for name in (ALL, *(datasets if len(datasets) > 1 else ()))
    ]


def _intervals(entry: Entry) -> dict[str, dict[str, Interval]]:
    """The intervals of UF1 and UAR by slice, over the seeds that have predictions."""
    held = merge([part for part in entry.predictions.values() if part.rows])
    found = intervals_of(held, entry.expected, entry.subjects, aggregate=entry.aggregate)
    return {name: {str(metric): one for metric, one in slices.items()} for name, slices in found.items()}


def _row(entry: Entry, dataset: str, cards: Sequence[ScoreCard], intervals: Mapping[str, Interval]) -> Row:
    clips = [clip for clip in entry.expected if dataset in (ALL, dataset_of(clip))]
    mean = mean_of_seeds(cards).strict[dataset] if cards else None
    scores = mean if mean and mean.coverage else None
    shown = None if entry.selection == "peeked" else scores
    valid = [card.strict[dataset] for card in cards] if shown else []
    given = intervals if shown else {}
    bounds = {f"{m}_{end}": getattr(given[m], end) if m in given else math.nan for m in _BOUNDED for end in _ENDS}
    return Row(
        protocol=entry.protocol,
        dataset=dataset,
        task=entry.task,
        model=entry.model,
        status=entry.status,
        selection=entry.selection,
        privilege=entry.privilege,
        fidelity=entry.fidelity or "",
        seeds=len(cards),
        clips=len(clips),
        subjects=len({entry.subjects.get(clip, clip.rpartition("/")[0]) for clip in clips}),
        coverage=mean.coverage if mean else 0.0,
        uf1=shown.uf1 if shown else math.nan,
        uar=shown.uar if shown else math.nan,
        accuracy=shown.accuracy if shown else math.nan,
        weighted_f1=shown.weighted_f1 if shown else math.nan,
        annotation=" ".join(f"{name}={version}" for name, version in sorted(entry.annotations.items())),
        synthetic=entry.synthetic,
        rank=None,
        uf1_sd=sd([part.uf1 for part in valid]),
        uar_sd=sd([part.uar for part in valid]),
        tried=entry.tried,
        weights=entry.weights,
        version=entry.protocol_version,
        run=entry.run,
        command=entry.command,
        title=entry.title,
        model_version=entry.model_version,
        parameters=entry.parameters,
        fingerprint=entry.fingerprint,
        partial=entry.partial,
        published=entry.published,
        aggregate=entry.aggregate,
        classes=len(entry.classes),
        classes_scored=min((card.strict[dataset].classes_scored for card in cards), default=0),
        peeked_uf1=scores.uf1 if scores and not shown else math.nan,
        **bounds,
        interval_remarks="; ".join(given["uf1"].remarks) if given else "",
        caveats=entry.caveats,
        replications=entry.replications,
        apex_source=entry.apex_source,
        trainable_parameters=entry.cost.trainable if entry.cost else None,
        input_shape=entry.cost.notes().get("shape", "") if entry.cost else "",
        audit=entry.audit,
        chain=entry.chain,
        peeked_per_fold_uf1=entry.peeked_per_fold if dataset == ALL else math.nan,
        peeked_best_epoch_uf1=entry.peeked_best_epoch if dataset == ALL else math.nan,
    )


def _ranked(unranked: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with their ranks; equal UF1 share one, and the next rank counts them all (1, 1, 3)."""
    rivals: dict[tuple[object, ...], list[float]] = {}
    for row in unranked:
        if row.ranked:
            rivals.setdefault((row.board, row.stratum), []).append(round(row.uf1, _RANK_DIGITS))

    def rank(row: Row) -> int | None:
        if not row.ranked:
            return None
        return 1 + sum(uf1 > round(row.uf1, _RANK_DIGITS) for uf1 in rivals[row.board, row.stratum])

    return tuple(replace(row, rank=rank(row)) for row in unranked)


def _cells(row: Row, *, several: bool) -> tuple[str, ...]:
    return (
        "" if row.rank is None else str(row.rank),
        *((row.dataset,) if several else ()),
        row.title,
        row.privilege,
        row.selection,
        row.fidelity or NONE,
        str(row.seeds),
        figure(row.coverage),
        figure(row.uf1, row.uf1_sd),
        NONE if math.isnan(row.uf1_low) else f"{figure(row.uf1_low)}–{figure(row.uf1_high)}",
        figure(row.uar, row.uar_sd),
        figure(row.accuracy),
        figure(row.weighted_f1),
        "; ".join(_remarks(row)),
    )


def _remarks(row: Row) -> list[str]:
    """What a reader must know beside the figures."""
    said = {
        row.status: row.status != "complete",
        "part of the corpora": row.partial,
        "published": row.published,
        f"best of {row.tried}": row.tried > 1,
        row.replications: bool(row.replications),
        f"weights: {row.weights}": bool(row.weights),
        f"{row.classes_scored} classes scored": 0 < row.classes_scored < row.classes,
        _inflation(row): not math.isnan(row.peeked_per_fold_uf1),
        f"invalid: epoch chosen on the held-out clips, UF1 {figure(row.peeked_uf1)}": row.selection == "peeked",
    }
    return [remark for remark, holds in said.items() if holds]


def _inflation(row: Row) -> str:
    """What choosing the epoch on the held-out clips would have added, in words."""
    per_fold, overall = row.peeked_per_fold_uf1, row.peeked_best_epoch_uf1
    return (
        f"peeking would have claimed UF1 {figure(per_fold)} ({per_fold - row.uf1:+.3f}) by the best epoch per fold, "
        f"{figure(overall)} ({overall - row.uf1:+.3f}) by one best epoch"
    )


def _lacks(scores: Scores) -> bool:
    return scores.classes_scored < len(scores.classes)


def _csv_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.{_RANK_DIGITS}f}"
    return "" if value is None else str(value)

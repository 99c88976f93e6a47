"""Which classes of which corpora a method finds: recall as a heat map, and the confusions behind it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mebench.leaderboard import Entry
from mebench.mistakes import UNSAID
from mebench.render import NONE
from mebench.scoring import ALL, ScoreCard, UnitScores, mean_of_seeds, score_predictions

LEVELS = 10
"""Shades of the heat map beyond the lightest."""
_UNIT_COLUMNS = ("hit", "missed", "false alarm", "rightly absent")


@dataclass(frozen=True)
class Cell:
    """A recall in two decimals, its shade from 0 to `LEVELS`, None where undefined, and whether it is a worst class."""

    text: str
    level: int | None
    worst: bool


@dataclass(frozen=True)
class HeatMap:
    """Recall per method over the classes of each corpus; `clips` are counts per column, in the order of the cells."""

    corpora: tuple[str, ...]
    classes: tuple[str, ...]
    clips: tuple[int, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Matrix:
    """A confusion of one method on one slice; counts, or their mean over seeds."""

    method: str
    corpus: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    diagonal: bool


def heat_map(entries: Mapping[str, Entry]) -> HeatMap:
    """The recalls of the entries of one board: over all clips and, where there are several, each corpus beside it."""
    cards = {name: card_of(entry) for name, entry in entries.items()}
    first = next(iter(cards.values()))
    corpora = _slices(first)
    per_class = [c for corpus in corpora for c in first.strict[corpus].per_class]
    return HeatMap(
        corpora=corpora,
        classes=next(iter(entries.values())).classes,
        clips=tuple(c.clips for c in per_class),
        rows=tuple(
            (name, tuple(c for corpus in corpora for c in _cells(card, corpus))) for name, card in cards.items()
        ),
    )


def matrices(name: str, entry: Entry) -> tuple[Matrix, ...]:
    """The confusions of an entry by slice; the column of missing answers only where one is missing."""
    card = card_of(entry)
    found = []
    for corpus in _slices(card):
        scores = card.strict[corpus]
        units = isinstance(scores, UnitScores)
        silent = not units and not scores.confusion[:, -1].any()
        columns = _UNIT_COLUMNS if units else (*scores.classes, UNSAID)
        body = scores.confusion[:, :-1] if silent else scores.confusion
        digits = 0 if (body == body.round()).all() else 1  # a mean over seeds is seldom a whole number
        rows = tuple(
            (c, tuple(f"{v:.{digits}f}" for v in line)) for c, line in zip(scores.classes, body.tolist(), strict=True)
        )
        found.append(Matrix(name, corpus, columns[:-1] if silent else columns, rows, diagonal=not units))
    return tuple(found)


def card_of(entry: Entry) -> ScoreCard:
    """The mean over seeds of the entry's scores."""
    full = not entry.partial
    seeds = [part.of_seed(seed) for seed, part in sorted(entry.predictions.items()) if part.rows]
    cards = [score_predictions(one, entry.expected, aggregate=entry.aggregate, full=full) for one in seeds]
    return mean_of_seeds([next(iter(card.values())) for card in cards])


def _slices(card: ScoreCard) -> tuple[str, ...]:
    """`all` alone where there is one corpus."""
    return tuple(card.strict) if len(card.strict) > 2 else (ALL,)


def _cells(card: ScoreCard, corpus: str) -> list[Cell]:
    """The recalls of one slice; every class at its lowest recall is marked, unless all are alike."""
    recalls = [c.recall for c in card.strict[corpus].per_class]
    known = [value for value in recalls if not math.isnan(value)]
    lowest = min(known) if known and min(known) < max(known) else -1.0
    return [
        Cell(NONE, None, worst=False)
        if math.isnan(value)
        else Cell(f"{value:.2f}".removeprefix("0"), round(value * LEVELS), worst=value == lowest)
        for value in recalls
    ]

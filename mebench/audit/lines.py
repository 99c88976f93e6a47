"""A file of predictions, faults and all, and what it is audited against."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mebench.errors import PredictionError
from mebench.foreign import Target, read
from mebench.predictions import COLUMNS, Prediction, cells, header, parse_csv, read_text
from mebench.protocol import Protocol, Task


@dataclass(frozen=True)
class FileQuestion:
    """One `mebench audit predictions`.

    `task` holds the annotated clips where the corpora are at hand. `target` is what the file is read against without.
    `claims` are figures printed for the file, as text.
    """

    path: Path
    protocol: Protocol
    target: Target
    task: Task | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Lines:
    """What a file holds, faults and all: rows that can be read, and those that cannot with the reason."""

    rows: tuple[Prediction, ...]
    faults: tuple[str, ...]
    subjects: Mapping[str, str]
    expected: Mapping[str, str]
    annotated: bool

    @property
    def first(self) -> dict[tuple[str, int], Prediction]:
        """The first row of every clip and seed that the protocol may hold."""
        found: dict[tuple[str, int], Prediction] = {}
        for row in self.rows:
            if not self.annotated or row.clip in self.expected:
                found.setdefault((row.clip, row.seed), row)
        return found

    @property
    def seeds(self) -> list[int]:
        """The seeds, sorted."""
        return sorted({row.seed for row in self.rows})


def read_lines(question: FileQuestion) -> Lines:
    """The file with all its faults where it is in our form; other forms are read as `mebench score` reads them."""
    text = read_text(question.path)
    target = question.target
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    task = question.task
    expected = {i.id: i.label for i in task.items} if task else {}
    subjects = {i.id: i.subject for i in task.items} if task else {}
    if question.columns or question.labels or first.split(",")[: len(COLUMNS)] != list(COLUMNS):
        reading = read(question.path, target, columns=question.columns, labels=question.labels)
        rows = reading.predictions.rows
        return Lines(rows, (), subjects or _subjects(rows), expected or reading.expected, task is not None)
    kept: list[Prediction] = []
    faults: list[str] = []
    table = cells(text, ",", question.path.name)
    for line, values in table[1:]:
        try:
            kept.append(_row(values, table[0][1], target, f"line {line}"))
        except PredictionError as fault:
            faults.append(fault.what)
    stated = {row.clip: row.truth for row in kept if row.truth is not None}
    return Lines(tuple(kept), tuple(faults), subjects or _subjects(kept), expected or stated, task is not None)


def _row(values: Sequence[str], columns: Sequence[str], target: Target, where: str) -> Prediction:
    """One line by itself; raises PredictionError for what is wrong with it."""
    if list(columns) not in (header(target.classes), list(COLUMNS)) or len(values) != len(columns):
        raise PredictionError(f"{where}: {len(values)} cells under {','.join(columns)[:80]!r}.", "Complete the row.")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, values])
    return parse_csv(text.getvalue(), target.classes, protocol=target.protocol, source=where).rows[0]


def _subjects(rows: Iterable[Prediction]) -> dict[str, str]:
    return {row.clip: row.clip.rpartition("/")[0] for row in rows}


__all__ = ["FileQuestion", "Lines", "read_lines"]

"""Predictions: the artifact every score is computed from, and its CSV form.

One row per clip and seed, `clip,fold,seed,truth,predicted,score_<class>...`. An empty cell is "none": no truth stated,
no prediction made, no score given. Values of several labels are joined by `+`, and `none` says that a clip that may
hold several holds not one. Rows are joined on the clip id; their order means nothing.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.errors import PredictionError

COLUMNS = ("clip", "fold", "seed", "truth", "predicted")
LABEL_SEPARATOR = "+"
NO_LABEL = "none"
"""The empty set of labels, which an empty cell cannot stand for; no class of a protocol may bear this name."""
LARGEST = 64 * 2**20
"""Bytes: 442 clips under 1,000 seeds, with scores for five classes, have 50 million."""
_SEED_DIGITS = 18
"""Longer seeds do not fit in 64 bits, which every random generator in use takes."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model said of one clip. `scores` follow the declared classes, NaN where the model gave none."""

    clip: str
    fold: str
    seed: int
    truth: str | None
    predicted: str | None
    scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class Predictions:
    """The predictions of a run or a file under one protocol.

    A row without scores gets NaN for every class. Raises PredictionError where a clip is predicted twice under one
    seed, a class is unknown, a score is infinite, the number of scores is not the number of classes, or a name holds
    characters that do not print.
    """

    protocol: str
    classes: tuple[str, ...]
    rows: tuple[Prediction, ...]

    def __post_init__(self) -> None:
        rows = tuple(_completed(row, self.classes) for row in self.rows)
        seen: set[tuple[str, int]] = set()
        for row in rows:
            fault = _fault(row, self.classes) or ("predicted twice" if (row.clip, row.seed) in seen else None)
            if fault:
                raise PredictionError(f"Clip {row.clip}, seed {row.seed}: {fault}.", "Give one row per clip and seed.")
            seen.add((row.clip, row.seed))
        object.__setattr__(self, "rows", rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Distinct seeds, sorted."""
        return tuple(sorted({row.seed for row in self.rows}))

    def of_seed(self, seed: int) -> "Predictions":
        """The rows of one seed."""
        return Predictions(self.protocol, self.classes, tuple(row for row in self.rows if row.seed == seed))

    def to_csv(self) -> str:
        """The CSV text: header, rows in their order, `\\n` newlines, scores with all digits that restore them."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header(self.classes))
        writer.writerows(_cells(row) for row in self.rows)
        return text.getvalue()

    def write_csv(self, path: Path) -> None:
        """Write `to_csv()` as UTF-8."""
        path.write_text(self.to_csv(), encoding="utf-8", newline="\n")


@dataclass(frozen=True, slots=True)
class Joined:
    """The expected clips of one seed in clip order; `predicted` and `folds` hold None where no row says."""

    clips: tuple[str, ...]
    truth: tuple[str, ...]
    predicted: tuple[str | None, ...]
    folds: tuple[str | None, ...]


def header(classes: Sequence[str]) -> list[str]:
    """The column names of a predictions file over these classes."""
    return [*COLUMNS, *(f"score_{name}" for name in classes)]


def labels_of(value: str) -> tuple[str, ...]:
    """The labels in a written value: none in an empty one and in `none`."""
    return () if value in ("", NO_LABEL) else tuple(value.split(LABEL_SEPARATOR))


def joined_labels(labels: Iterable[str]) -> str:
    """The labels as one value, in their order; `none` for no label."""
    return LABEL_SEPARATOR.join(labels) or NO_LABEL


def merge(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all parts, such as the folds of one run. Raises PredictionError where protocols or classes differ."""
    if len({(part.protocol, part.classes) for part in parts}) != 1:
        raise PredictionError(
            f"{len(parts)} sets of predictions do not share one protocol and class list.",
            "Merge the folds of one run only.",
        )
    return Predictions(parts[0].protocol, parts[0].classes, tuple(row for part in parts for row in part.rows))


def join(predictions: Predictions, expected: Mapping[str, str]) -> dict[int, Joined]:
    """Each seed's predictions laid against the expected clips (`expected`: clip id -> class).

    A clip without a row has None as prediction. Raises PredictionError for a clip that is not expected and for a stated
    truth that contradicts the annotation.
    """
    for row in predictions.rows:
        if row.clip not in expected:
            raise PredictionError(
                f"Clip {row.clip} is not part of {predictions.protocol or 'this protocol'}.",
                f"Remove it: the protocol holds {len(expected)} clips and no other may be predicted.",
            )
        if row.truth is not None and row.truth != expected[row.clip]:
            raise PredictionError(
                f"Clip {row.clip}: the truth stated is {row.truth!r}, the annotation says {expected[row.clip]!r}.",
                "Check which annotation version the predictions were made with.",
            )
    clips = tuple(sorted(expected))
    truth = tuple(expected[clip] for clip in clips)
    by_seed: dict[int, dict[str, Prediction]] = {seed: {} for seed in predictions.seeds}
    for row in predictions.rows:
        by_seed[row.seed][row.clip] = row
    return {
        seed: Joined(
            clips,
            truth,
            tuple(rows[clip].predicted if clip in rows else None for clip in clips),
            tuple(rows[clip].fold if clip in rows else None for clip in clips),
        )
        for seed, rows in by_seed.items()
    }


def read_csv(path: Path, classes: Sequence[str], *, protocol: str = "") -> Predictions:
    """The predictions in a CSV file; raises PredictionError naming the file, the line and the clip at fault."""
    return parse_csv(read_text(path), classes, protocol=protocol, source=path.name)


def parse_csv(text: str, classes: Sequence[str], *, protocol: str, source: str) -> Predictions:
    """The predictions in CSV text; `source` names it in errors.

    The header must be `header(classes)`, or end after `predicted` where no scores are given.
    """
    table = cells(text, ",", source)
    columns = table[0][1] if table else []
    if columns not in (header(classes), list(COLUMNS)):
        raise PredictionError(
            f"{source}: the header is {','.join(columns)[:200]!r}.", f"It must be {','.join(header(classes))}."
        )
    for line, row in table[1:]:
        if len(row) != len(columns):
            raise PredictionError(
                f"{source} line {line}: {len(row)} columns where the header has {len(columns)}.", "Complete the row."
            )
    return collect(
        ((line, _prediction(row, classes, f"{source} line {line}")) for line, row in table[1:]),
        tuple(classes),
        protocol=protocol,
        source=source,
    )


def collect(
    rows: Iterable[tuple[int, Prediction]], classes: tuple[str, ...], *, protocol: str, source: str
) -> Predictions:
    """Predictions from (line, row) pairs; raises PredictionError naming the line of a fault, both of a duplicate."""
    lines: dict[tuple[str, int], int] = {}
    kept = []
    for line, row in rows:
        completed = _completed(row, classes)
        fault = _fault(completed, classes)
        if fault:
            raise PredictionError(
                f"{source} line {line}: clip {row.clip}: {fault}.", f"Declared classes: {', '.join(classes)}."
            )
        first = lines.setdefault((row.clip, row.seed), line)
        if first != line:
            raise PredictionError(
                f"{source} line {line}: clip {row.clip}, seed {row.seed}, is predicted twice, first on line {first}.",
                "Remove one of the two rows; which one counts cannot be guessed.",
            )
        kept.append(completed)
    return Predictions(protocol, classes, tuple(kept))


def read_text(path: Path) -> str:
    """A file's text, UTF-8 with or without byte-order mark; raises PredictionError where it cannot be read as such."""
    try:
        return read_content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PredictionError(
            f"{path.name} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}.",
            "Save the file as UTF-8.",
        ) from error


def read_content(path: Path) -> bytes:
    """A file's bytes; raises PredictionError where it cannot be read or is far larger than any predictions."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise PredictionError(
            f"{path} cannot be read: {error.strerror or error}.", "Give the path of a readable file."
        ) from error
    if len(content) > LARGEST:
        raise PredictionError(
            f"{path} has more than {LARGEST >> 20} MiB.", "Give a table of predictions: a row per clip and seed."
        )
    return content


def cells(text: str, delimiter: str, source: str) -> list[tuple[int, list[str]]]:
    """The rows of delimited text with the line each ends on, blank lines left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise PredictionError(
            f"{source} line {reader.line_num}: not a table: {error}.", "Check the quotes and line ends near it."
        ) from error


def parse_seed(text: str, where: str) -> int:
    """A seed from its cell; raises PredictionError unless it is a plain non-negative integer of at most 18 digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _SEED_DIGITS):
        raise PredictionError(f"{where}: seed {text[:40]!r} is not a number.", "Write a non-negative integer.")
    return int(text)


def parse_score(text: str, where: str) -> float:
    """A score from its cell, NaN for an empty one; raises PredictionError unless it is a finite number."""
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise PredictionError(
            f"{where}: score {text[:40]!r} is not a finite number.", "Write a number or leave the cell empty."
        )
    return value


def _prediction(row: Sequence[str], classes: Sequence[str], where: str) -> Prediction:
    clip, fold, seed, truth, predicted, *scores = row
    return Prediction(
        clip,
        fold,
        parse_seed(seed, where),
        _in_order(truth, classes),
        _in_order(predicted, classes),
        tuple(parse_score(cell, where) for cell in scores),
    )


def _in_order(value: str, classes: Sequence[str]) -> str | None:
    """None for an empty cell; several labels in the order of the classes, so that `b+a` and `a+b` are one value."""
    labels = value.split(LABEL_SEPARATOR)
    if len(labels) > 1 and set(labels) <= set(classes):
        labels.sort(key=list(classes).index)
    return LABEL_SEPARATOR.join(labels) or None


def _completed(row: Prediction, classes: Sequence[str]) -> Prediction:
    if row.scores:
        return row
    return Prediction(row.clip, row.fold, row.seed, row.truth, row.predicted, (math.nan,) * len(classes))


def _fault(row: Prediction, classes: Sequence[str]) -> str | None:
    """What is wrong with a row taken by itself, or None."""
    if not row.clip or not row.clip.isprintable() or not row.fold.isprintable():
        return "the clip id or fold is empty or holds characters that do not print"
    for value in (row.truth, row.predicted):
        if value is not None and not _declared(value, classes):
            return f"{value!r} is not a declared class"
    if len(row.scores) != len(classes):
        return f"{len(row.scores)} scores for {len(classes)} classes"
    if any(math.isinf(score) for score in row.scores):
        return "a score is infinite"
    return None


def _declared(value: str, classes: Sequence[str]) -> bool:
    labels = value.split(LABEL_SEPARATOR)
    return value in classes or value == NO_LABEL or (len(set(labels)) == len(labels) and set(labels) <= set(classes))


def _cells(row: Prediction) -> list[str]:
    scores = ("" if math.isnan(score) else repr(float(score)) for score in row.scores)
    return [row.clip, row.fold, str(row.seed), row.truth or "", row.predicted or "", *scores]

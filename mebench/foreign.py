"""Predictions from other people's files.

Three forms, told apart by content: our own CSV; any table with named or numbered columns, mapped to ours; and the MEGC
submission log, a heading `casme2 sub01` per subject followed by lines `clip truth prediction` with 0 negative,
1 positive, 2 surprise (MEGC 2019 challenge document).

How a program writes is read through (`foreign_text`), how a clip is named as well (`naming`). What a number means as a
class is not: it is read as the file's writer says, by value or by order. A stated truth that contradicts the annotation
is listed, and the annotation counts.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mebench.errors import PredictionError, UsageError
from mebench.foreign_text import is_missing, plain_number, read_foreign_text, table_lines
from mebench.labelling import class_of, numbered_classes
from mebench.naming import Names
from mebench.predictions import (
    COLUMNS,
    Prediction,
    Predictions,
    collect,
    header,
    join,
    parse_csv,
    parse_score,
    parse_seed,
)
from mebench.scoring import dataset_of

MEGC_LABELS = {"0": "negative", "1": "positive", "2": "surprise"}
Kind = Literal["predictions", "table", "MEGC log"]


@dataclass(frozen=True)
class Target:
    """What a file is scored against.

    `counts` holds the protocol's expected clips, dataset -> class -> count (an empty mapping for a dataset where it
    states none); `expected` maps clip id to class where the annotations are at hand, and then counts are not needed;
    `subjects` says whose clips they are.
    """

    protocol: str
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    expected: Mapping[str, str] | None = None
    subjects: Mapping[str, str] | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets a clip may be of: those counted and those annotated."""
        return tuple(sorted({*self.counts, *map(dataset_of, self.expected or ())}))


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A clip whose truth, as the file states it, is not what the annotation says."""

    clip: str
    stated: str
    annotated: str


@dataclass(frozen=True)
class Reading:
    """What a file holds: predictions, the clips they are scored against, and on whose word the truth is.

    Without annotations `expected` is the file's own truth, filled up to the protocol's counts with `nameless` clips, so
    that what the file leaves out still counts as missed. `mismatches` lists where the file contradicts the annotation,
    whose word then counts.
    """

    kind: Kind
    predictions: Predictions
    expected: Mapping[str, str]
    truth: Literal["annotations", "file"]
    notes: tuple[str, ...]
    mismatches: tuple[Mismatch, ...] = ()
    nameless: frozenset[str] = frozenset()


_NUMBERED = re.compile(r"#([1-9]\d{0,3})")
"""A column by its place, in a file without a header."""

_Row = tuple[int, Mapping[str, str]]
"""A line's number and its values by our column names, as written; an empty value is none."""


def read(
    path: Path,
    target: Target,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    order: Sequence[str] = (),
) -> Reading:
    """The predictions in a file, whatever its form, with what they are scored against and what to know of them.

    `columns` maps our column names (`clip`, `predicted`, `truth`, `fold`, `seed`, `dataset`, `subject`,
    `score_<class>`) to the file's, or to `#1`, `#2`, ... where the file has no header; columns of the same name need no
    mapping. `labels` maps the file's labels to class names; `order` names all classes in the order of their numbers,
    and whether these begin at 0 or at 1 is seen from the numbers used and said in the notes. Raises PredictionError
    naming the line or clip where the file is at fault, UsageError where a mapping names what does not exist.
    """
    columns, labels = columns or {}, labels or {}
    _check_mappings(columns, labels, order, target)
    kind, predictions, notes = _parse(read_foreign_text(path), path.name, target, columns, labels, order)
    mismatches: tuple[Mismatch, ...] = ()
    nameless: frozenset[str] = frozenset()
    if target.expected is not None:
        expected = target.expected
        predictions, mismatches = _checked(predictions, expected)
        notes += _contradictions(predictions, mismatches)
    else:
        expected, nameless = _stated_truth(predictions, target, path.name)
        notes.append("truth as the file states it: no annotation was at hand to check it against")
        unsized = [dataset for dataset, per_class in target.counts.items() if not per_class]
        notes += [f"coverage of {name} is unknown: the protocol states no count" for name in unsized]
    join(predictions, expected)
    missed = len(expected) - len({row.clip for row in predictions.rows if row.predicted is not None})
    if missed:
        notes.append(f"{missed} of {len(expected)} clips have no prediction and count as errors")
    truth: Literal["annotations", "file"] = "file" if target.expected is None else "annotations"
    return Reading(kind, predictions, expected, truth, tuple(notes), mismatches, nameless)


def _checked(predictions: Predictions, expected: Mapping[str, str]) -> tuple[Predictions, tuple[Mismatch, ...]]:
    """The predictions with the annotated truth, and the clips of which the file said otherwise."""
    said = {row.clip: row.truth for row in predictions.rows if row.truth not in (None, expected.get(row.clip))}
    found = tuple(Mismatch(clip, str(said[clip]), expected[clip]) for clip in sorted(said) if clip in expected)
    wrong = {one.clip for one in found}
    rows = tuple(replace(r, truth=expected[r.clip]) if r.clip in wrong else r for r in predictions.rows)
    return replace(predictions, rows=rows), found


def _contradictions(predictions: Predictions, mismatches: Sequence[Mismatch]) -> list[str]:
    if not mismatches:
        return []
    stated = len({row.clip for row in predictions.rows if row.truth is not None})
    note = f"the truth of {len(mismatches)} of {stated} clips contradicts the annotation, which counts"
    if 2 * len(mismatches) > stated:
        note += "; more than half: look at the meaning of the classes and the annotation version first"
    return [note]


def _check_mappings(
    columns: Mapping[str, str], labels: Mapping[str, str], order: Sequence[str], target: Target
) -> None:
    ours = _mappable(target)
    wrong = [name for name in columns if name not in ours]
    if wrong:
        raise UsageError(f"There is no column {wrong[0]!r} to map to.", f"Columns: {', '.join(ours)}.")
    undeclared = [name for name in (*labels.values(), *order) if name not in target.classes]
    if undeclared:
        raise UsageError(
            f"{undeclared[0]!r} is no class of {target.protocol}.", f"Classes: {', '.join(target.classes)}."
        )
    if order and sorted(order) != sorted(target.classes):
        raise UsageError(
            f"The order {','.join(order)} does not name every class of {target.protocol} once.",
            f"Classes: {', '.join(target.classes)}.",
        )


def _mappable(target: Target) -> list[str]:
    return [*header(target.classes), "dataset", "subject"]


def _parse(
    text: str,
    source: str,
    target: Target,
    columns: Mapping[str, str],
    labels: Mapping[str, str],
    order: Sequence[str],
) -> tuple[Kind, Predictions, list[str]]:
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    names = Names(target.datasets, target.expected)
    if not (columns or labels or order) and first.split(",")[: len(COLUMNS)] == list(COLUMNS):
        predictions = parse_csv(text, target.classes, protocol=target.protocol, source=source)
        _check_datasets(predictions, target)
        return "predictions", predictions, []
    kind: Kind = "table"
    if not columns and _is_heading(first.split(), names):
        kind, rows = "MEGC log", list(_log_rows(text, source, names))
        if not order:
            labels = {number: name for number, name in MEGC_LABELS.items() if name in target.classes} | dict(labels)
    else:
        rows = list(_table_rows(text, source, target, columns))
    written = {values[c] for _, values in rows for c in ("predicted", "truth") if values.get(c)}
    numbers, notes = numbered_classes(written, order, source) if order else ({}, [])
    read_labels = {name.casefold(): name for name in target.classes} | numbers
    read_labels |= {plain_number(value): name for value, name in labels.items()} | dict(labels)
    resolved = (
        (line, _resolve(values, names, read_labels, target.classes, f"{source} line {line}")) for line, values in rows
    )
    return kind, collect(resolved, target.classes, protocol=target.protocol, source=source), notes


def _check_datasets(predictions: Predictions, target: Target) -> None:
    for row in predictions.rows:
        if dataset_of(row.clip) not in target.datasets:
            raise PredictionError(
                f"Clip {row.clip} is in no dataset of {predictions.protocol}.", "Remove it, or name another protocol."
            )


def _is_heading(words: Sequence[str], names: Names) -> bool:
    return len(words) == 2 and names.dataset(words[0]) is not None


def _log_rows(text: str, source: str, names: Names) -> Iterator[_Row]:
    """The lines of a MEGC submission log."""
    heading: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if _is_heading(words, names):
            heading = {"dataset": words[0], "subject": words[1]}
        elif len(words) == 3:
            yield number, heading | dict(zip(("clip", "truth", "predicted"), words, strict=True))
        elif words:
            raise PredictionError(
                f"{source} line {number}: {line.strip()[:80]!r} is no line of a MEGC log.",
                "Write `dataset subject` headings and `clip truth prediction` lines.",
            )


def _table_rows(text: str, source: str, target: Target, columns: Mapping[str, str]) -> Iterator[_Row]:
    """The lines of a table, with a header unless every column is mapped by its place."""
    table = table_lines(text, source)
    width = len(table[0][1]) if table else 0
    if columns and all(map(_NUMBERED.fullmatch, columns.values())):
        names, body = [f"#{i}" for i in range(1, width + 1)], table
    else:
        names, body = (table[0][1], table[1:]) if table else ([], [])
    at = _columns_at(names, target, columns, source)
    for line, row in body:
        if len(row) != width:
            raise PredictionError(
                f"{source} line {line}: {len(row)} columns where the {'header' if body is not table else 'first row'} "
                f"has {width}.",
                "Complete the row.",
            )
        yield line, {ours: "" if is_missing(row[i]) else row[i] for ours, i in at.items()}


def _columns_at(names: Sequence[str], target: Target, columns: Mapping[str, str], source: str) -> dict[str, int]:
    """Where each of our columns stands among theirs; whether they write its name in capitals does not matter."""
    theirs = {name.casefold(): name for name in names}
    folded = [name.casefold() for name in names]
    ours = _mappable(target)
    mapped = {name: theirs[name.casefold()] for name in ours if folded.count(name.casefold()) == 1}
    mapped |= {name: name for name in ours if name in names} | dict(columns)
    fault = next((f"has no column {name!r}" for name in mapped.values() if name not in names), None)
    fault = fault or next((f"has two columns {name!r}" for name in mapped.values() if names.count(name) > 1), None)
    if fault is None and not {"clip", "predicted"} <= set(mapped):
        fault = "does not say which columns are clip and predicted"
    if fault:
        raise PredictionError(
            f"{source} {fault}; its header is {', '.join(names)[:200]!r}.",
            "Map columns of the header: --column clip=NAME --column predicted=NAME; without a header clip=#1.",
        )
    return {ours: names.index(theirs) for ours, theirs in mapped.items()}


def _resolve(
    values: Mapping[str, str], names: Names, labels: Mapping[str, str], classes: Sequence[str], where: str
) -> Prediction:
    """The values in our names: clip id, class names, numbers."""

    def label(column: str) -> str | None:
        text = values.get(column)
        return class_of(text, labels, classes, f"{where}: {column}") if text else None

    try:
        clip = names.clip_id(values["clip"], values.get("dataset") or None, _subject(values.get("subject")))
    except PredictionError as error:
        raise PredictionError(f"{where}: {error.what}", error.fix) from None
    scores = [values.get(f"score_{name}", "") for name in classes]
    return Prediction(
        clip,
        values.get("fold", ""),
        parse_seed(plain_number(values.get("seed") or "0"), where),
        label("truth"),
        label("predicted"),
        tuple(parse_score(text, where) for text in scores),
    )


def _subject(text: str | None) -> str | None:
    """A subject as written, without the decimals of a number; zeros before it stay, some corpora's names have them."""
    return (text if text.isdecimal() else plain_number(text)) if text else None


def _stated_truth(predictions: Predictions, target: Target, source: str) -> tuple[dict[str, str], frozenset[str]]:
    """Clip -> class on the file's word, with a nameless clip for each that the protocol expects beyond it."""
    stated: dict[str, str] = {}
    for row in predictions.rows:
        if row.truth is None or stated.setdefault(row.clip, row.truth) != row.truth:
            raise PredictionError(
                f"{source}: clip {row.clip} has {'no truth' if row.truth is None else 'two truths'}.",
                "Map a truth column (--column truth=NAME), or give the annotations with --data DATASET=DIR.",
            )
    held = Counter((dataset_of(clip), name) for clip, name in stated.items())
    nameless: dict[str, str] = {}
    for dataset, per_class in target.counts.items():
        surplus = [name for name in target.classes if per_class and held[dataset, name] > per_class.get(name, 0)]
        if surplus:
            name = surplus[0]
            raise PredictionError(
                f"{source} holds {held[dataset, name]} {dataset} clips of class {name}; "
                f"{target.protocol} has {per_class.get(name, 0)}.",
                "Score it under the protocol and annotation version it was made for.",
            )
        for name, count in per_class.items():
            absent = range(1, count - held[dataset, name] + 1)
            nameless |= {f"{dataset}/not in the file/{name} {i}": name for i in absent}
    return stated | nameless, frozenset(nameless)

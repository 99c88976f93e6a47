"""Predictions: our own CSV and strangers' tables and logs, with other cells, rows, columns and separators.

What a cell means is said here a second time. Where a file is taken, its rows mean what they say, its contradictions
with the annotation are listed, and its accuracy is what counting the cells gives.
"""

import csv
import io
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mebench.foreign import Reading, Target, read
from mebench.predictions import COLUMNS, header
from mebench.protocol import load_protocol, resolve
from mebench.scorecard import FileScore, score_reading
from mebench.scoring import ALL
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.readers.declared import small_protocol
from tests.fuzz.readers.workbooks import CASME2_KIND, sound
from tests.fuzz.spoken import say
from tests.fuzz.structures import toml
from tests.fuzz.values import damaged, scalar, text

THREE = {"happiness": "positive", "disgust": "negative", "repression": "negative", "surprise": "surprise"}
MISSING = frozenset({"", "nan", "<missing>", "<undefined>", "na", "n/a"})
BAD = "nothing a class could be"


def prepare(place: Place) -> None:
    """The corpus and two protocols, of four classes and of three, as files."""
    table = sound(CASME2_KIND)
    (place.kept / "corpus").mkdir(exist_ok=True)
    (place.kept / "corpus" / "coding.xlsx").write_bytes(CASME2_KIND.draft().content())
    (place.kept / "four.toml").write_text(toml(small_protocol(table)))
    (place.kept / "three.toml").write_text(toml(three_classes()))


def three_classes() -> dict[str, Any]:
    """The protocol with the classes of the MEGC submission logs."""
    document = small_protocol(sound(CASME2_KIND))
    (source,) = document["datasets"].values()
    counts = source["counts"][0]
    counts["per_class"] = {
        name: sum(n for emotion, n in counts["per_class"].items() if THREE[emotion] == name)
        for name in sorted(set(THREE.values()))
    }
    document |= {"name": "fuzz-3c-loso", "classes": sorted(set(THREE.values()))}
    source["labels"] = THREE
    return document


@cache
def _target(file: Path) -> tuple[Any, Target]:
    protocol = load_protocol(file)
    table = sound(CASME2_KIND)
    task = resolve(protocol, {table.dataset: table})
    labels = {item.id: item.label for item in task.items}
    return protocol, Target(protocol.name, protocol.classes, {}, labels, {item.id: item.subject for item in task.items})


@dataclass
class Draft:
    """A file on its way: header (none in a log or a file without), rows of texts, how it is written and mapped."""

    header: list[str]
    rows: list[list[str]]
    delimiter: str = ","
    columns: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    newline: str = "\n"
    log: bool = False
    contradictory: bool = False

    def content(self) -> bytes:
        """The file's bytes."""
        held = io.StringIO()
        if self.delimiter == " ":
            lines = ([self.header] if self.header else []) + self.rows
            held.write("".join(" ".join(line) + self.newline for line in lines))
        else:
            writer = csv.writer(held, delimiter=self.delimiter, lineterminator=self.newline)
            writer.writerows(([self.header] if self.header else []) + self.rows)
        return held.getvalue().encode(self.encoding, "replace")

    def at(self, column: str) -> int | None:
        """Where the column stands; None where it does not."""
        name = self.columns.get(column, column)
        if name.startswith("#"):
            return int(name[1:]) - 1
        bare = [_bare(one) for one in self.header]
        return bare.index(name) if name in bare else None


def _own(rng: random.Random, target: Target) -> Draft:
    classes = target.classes
    rows = []
    for seed in range(rng.choice((1, 1, 2))):
        for clip, truth in target.expected.items():
            scores = [repr(round(rng.random(), 3)) for _ in classes]
            rows.append([clip, target.subjects[clip], str(seed), truth, rng.choice(classes), *scores])
    return Draft(header(classes), rows)


def _foreign(rng: random.Random, target: Target) -> Draft:
    classes = target.classes
    numbers = rng.random() < 0.6
    written = {name: str(i) if numbers else name for i, name in enumerate(classes)}
    form = rng.choice(("table", "table", "places", "log"))
    rows = [
        [clip.split("/")[1], clip.split("/")[2], written[truth], written[rng.choice(classes)]]
        for clip, truth in target.expected.items()
    ]
    labels = {number: name for name, number in written.items()} if numbers else {}
    if form == "log" and classes == ("negative", "positive", "surprise"):
        by_subject: dict[str, list[list[str]]] = {}
        for who, clip, *said in rows:
            by_subject.setdefault(who, []).append([clip, *said])
        lines = [line for who, held in by_subject.items() for line in (["casme2", who], *held)]
        return Draft([], lines, " ", {}, {} if numbers else labels, log=True)
    delimiter = rng.choice((",", ";", "\t", " "))
    if form == "places":
        return Draft([], rows, delimiter, {"subject": "#1", "clip": "#2", "truth": "#3", "predicted": "#4"}, labels)
    return Draft(
        ["Who", "Film", "Label", "Prediction"],
        rows,
        delimiter,
        {"subject": "Who", "clip": "Film", "truth": "Label", "predicted": "Prediction"},
        labels,
    )


def _change(rng: random.Random, draft: Draft) -> str:
    """One of many things is done to the draft; says what."""
    how = rng.choice(("cell", "cell", "cell", "cell", "row", "row", "column", "manner"))
    at = rng.randrange(len(draft.rows))
    row = draft.rows[at]
    if how == "cell":
        said = []
        for _ in range(rng.choice((1, 1, 1, 3))):
            row = draft.rows[rng.randrange(len(draft.rows))]
            column = rng.randrange(len(row))
            row[column] = _cell(rng, draft, row[column], column)
            said.append(f"cell {column} is {row[column]!r:.60}")
        return "; ".join(said)
    if how == "row":
        return f"row {at} {_row(rng, draft, at)}"
    if how == "column":
        return _column(rng, draft)
    return _manner(rng, draft)


def _cell(rng: random.Random, draft: Draft, old: str, column: int) -> str:
    how = rng.randrange(6)
    if how == 0:
        return rng.choice([row for row in draft.rows if len(row) > column])[column]
    if how == 1:
        return rng.choice(
            (f" {old}", f"{old} ", f'"{old}"', f"'{old}'", old.upper(), old.lower(), old + ".0", f"{old}e0")
        )
    if how == 2:
        return rng.choice(("", "NaN", "nan", "<missing>", "none", "0", "1", "2", "3", "7", "-1", "1.5", "inf", "1e400"))
    if how == 3:
        return _written(text(rng))
    if how == 4 and "/" in old:
        return rng.choice(
            (old.split("/")[-1], f"/data/CASME2/{old}/img5.jpg", f"../../{old}", old.replace("/", "\\"), f"samm/{old}")
        )
    return _written(str(scalar(rng)))


def _written(value: str) -> str:
    """The text as any program could have written it into a file: no lone surrogates, no NUL."""
    return value.encode("utf-8", "replace").decode().replace("\0", "")


def _row(rng: random.Random, draft: Draft, at: int) -> str:
    row = draft.rows[at]
    how = rng.choice(("lost", "doubled", "doubled with changes", "moved", "longer", "shorter", "blank", "many lost"))
    if how == "lost":
        del draft.rows[at]
    elif how.startswith("doubled"):
        other = list(row)
        if how != "doubled":
            other[-1] = rng.choice(draft.rows)[-1]
        draft.rows.insert(rng.randrange(len(draft.rows)), other)
    elif how == "moved" and not draft.log:
        rng.shuffle(draft.rows)
    elif how == "longer":
        row.append(rng.choice(("", "x", "1")))
    elif how == "shorter":
        row.pop()
    elif how == "blank":
        draft.rows.insert(at, rng.choice(([], [""], [" "] * len(row))))
    else:
        del draft.rows[at : at + 10]
    return how


def _column(rng: random.Random, draft: Draft) -> str:
    if not draft.header:
        return _manner(rng, draft)
    at = rng.randrange(len(draft.header))
    other = rng.randrange(len(draft.header))
    how = rng.choice(("swapped", "lost", "doubled", "renamed", "header swapped"))
    lines = [draft.header, *(row for row in draft.rows if len(row) == len(draft.header))]
    if how == "swapped":
        for line in lines:
            line[at], line[other] = line[other], line[at]
    elif how == "lost":
        for line in lines:
            del line[at]
    elif how == "doubled":
        for line in lines:
            line.append(line[at] if line is draft.header else rng.choice((line[at], line[other])))
        draft.contradictory = draft.header[at] in (*draft.columns.values(), *COLUMNS)
    elif how == "renamed":
        draft.header[at] = rng.choice((draft.header[at].upper(), f" {draft.header[at]}", _written(text(rng)), "clip"))
    else:
        draft.header[at], draft.header[other] = draft.header[other], draft.header[at]
    return f"column {at}/{other} {how}"


def _manner(rng: random.Random, draft: Draft) -> str:
    how = rng.choice(("utf-8-sig", "utf-16", "latin-1", "\r\n", "\r", "separator"))
    if how in ("\r\n", "\r"):
        draft.newline = how
    elif how == "separator":
        draft.delimiter = rng.choice(",;\t|")
    else:
        draft.encoding = how
    return f"written with {how!r}"


def _case(kind: str, rng: random.Random, place: Place) -> Case:
    file = place.kept / ("four.toml" if kind == "own" or rng.random() < 0.3 else "three.toml")
    protocol, target = _target(file)
    draft = (_own if kind == "own" else _foreign)(rng, target)
    title = _change(rng, draft)
    content, valid = draft.content(), True
    if rng.random() < 0.25:
        content, valid, title = damaged(rng, content), False, "bytes of the file"
    folder = place.work / "in"
    folder.mkdir()
    path = folder / "predictions.csv"
    path.write_bytes(content)
    truth = rng.random() < 0.8
    if not truth:
        target = Target(target.protocol, target.classes, {"casme2": _counts(protocol)}, None, None)
    spoken = rng.random() < 0.15

    def load() -> tuple[Reading, FileScore]:
        if spoken:
            maps = [word for k, v in draft.columns.items() for word in ("--map", f"{k}={v}")]
            maps += [word for k, v in draft.labels.items() for word in ("--class", f"{k}={v}")]
            data = ["--data", f"casme2={place.kept / 'corpus'}"] if truth else []
            say(["score", path, "--protocol", file, *data, *maps, "--json"])
        reading = read(path, target, columns=draft.columns, labels=draft.labels)
        return reading, score_reading(protocol, reading, target.subjects, full=False)

    def judge(found: tuple[Reading, FileScore]) -> str:
        return _judge(draft if valid else None, target, *found)

    return Case(title, valid, load, judge)


def _counts(protocol: Any) -> Mapping[str, int]:
    (source,) = protocol.sources.values()
    (counts,) = source.counts.values()
    return counts.per_class


def _judge(draft: Draft | None, target: Target, reading: Reading, score: FileScore) -> str:
    if fault := _recount(reading, score):
        return fault
    if draft is None:
        return ""
    if draft.contradictory:
        return "a column is there twice, and one of them was taken"
    if draft.log:
        return _log_judge(draft, target, reading)
    lines = [row for row in draft.rows if "".join(row).strip() and row != [""]]
    if draft.delimiter == "|" or draft.encoding == "latin-1" or draft.newline == "\r":
        return "" if len(reading.predictions) in (0, len(lines)) else "rows are lost"
    return _rows_judge([_cells(draft, row) for row in lines], draft.labels, target, reading)


def _cells(draft: Draft, row: Sequence[str]) -> dict[str, str]:
    """The row by our column names."""
    places = {name: draft.at(name) for name in ("clip", "predicted", "truth", "seed", "subject")}
    return {name: row[i] for name, i in places.items() if i is not None and i < len(row)}


def _log_judge(draft: Draft, target: Target, reading: Reading) -> str:
    """A log: three words a line, the meaning of the numbers fixed."""
    rows = [word.split() for word in (" ".join(row) for row in draft.rows)]
    said = [dict(zip(("clip", "truth", "predicted"), row, strict=True)) for row in rows if len(row) == 3]
    numbers = {"0": "negative", "1": "positive", "2": "surprise"}
    return _rows_judge(said, numbers if reading.kind == "MEGC log" else {}, target, reading)


def _rows_judge(said: Sequence[Mapping[str, str]], labels: Mapping[str, str], target: Target, reading: Reading) -> str:
    """Whether the rows taken mean what the cells say."""
    rows = reading.predictions.rows
    if len(rows) != len(said):
        return f"{len(said)} rows were written, {len(rows)} were read"
    for cells, row in zip(said, rows, strict=True):
        name = re.sub(r"[-\s.]+", "_", row.clip.rpartition("/")[2]).casefold()
        if name not in re.sub(r"[-\s.]+", "_", cells.get("clip", "")).casefold():
            return f"{cells.get('clip')!r:.80} was read as {row.clip}"
        for column, value in (("predicted", row.predicted), ("truth", row.truth)):
            if column not in cells:
                continue
            meant = _meaning(cells[column], labels, target.classes)
            contradicted = column == "truth" and any(m.clip == row.clip for m in reading.mismatches)
            if meant is BAD or (value != meant and not contradicted):
                return f"{column} {cells[column]!r:.60} of {row.clip} was read as {value}"
        if "seed" in cells and cells["seed"].strip() and row.seed != float(_bare(cells["seed"])):
            return f"seed {cells['seed']!r:.40} was read as {row.seed}"
    return ""


def _meaning(cell: str, labels: Mapping[str, str], classes: Sequence[str]) -> str | None:
    """The class a cell means, None for no value, BAD for what means none."""
    bare = _bare(cell)
    if bare.casefold() in MISSING:
        return None
    if bare.casefold() == "none":
        return "none"
    by_name = {name.casefold(): name for name in classes}
    if bare.casefold() in by_name:
        return by_name[bare.casefold()]
    try:
        number = float(bare.replace(",", "."))
    except ValueError:
        number = None
    if bare in labels:
        return labels[bare]
    if (
        number is not None
        and number == number
        and abs(number) < 1e15
        and number == int(number)
        and str(int(number)) in labels
    ):
        return labels[str(int(number))]
    parts = [part.strip() for part in bare.split("+")]
    if len(parts) > 1:
        found = [_meaning(part, labels, classes) for part in parts]
        if BAD not in found and None not in found:
            return (
                "+".join(sorted({str(one) for one in found}, key=list(classes).index))
                if set(found) <= set(classes)
                else BAD
            )
    return BAD


def _bare(cell: str) -> str:
    plain = cell.strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"":
        plain = plain[1:-1].strip()
    return plain


def _recount(reading: Reading, score: FileScore) -> str:
    """Accuracy and coverage counted again from the rows taken."""
    for seed, card in score.cards.items():
        said = {row.clip: row.predicted for row in reading.predictions.rows if row.seed == seed}
        hits = sum(said.get(clip) == label for clip, label in reading.expected.items())
        covered = sum(said.get(clip) is not None for clip in reading.expected)
        strict = card.strict[ALL]
        if abs(strict.accuracy - hits / len(reading.expected)) > 1e-12:
            return f"accuracy {strict.accuracy}, {hits} of {len(reading.expected)} are right"
        if abs(strict.coverage - covered / len(reading.expected)) > 1e-12:
            return f"coverage {strict.coverage}, {covered} of {len(reading.expected)} are predicted"
    return ""


def _reader(name: str, kind: str) -> Reader:
    return Reader(name, lambda rng, place: _case(kind, rng, place), prepare)


OWN = _reader("predictions CSV", "own")
FOREIGN = _reader("strangers' predictions", "foreign")
__all__ = ["FOREIGN", "OWN", "prepare", "three_classes"]

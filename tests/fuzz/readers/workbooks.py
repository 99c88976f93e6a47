"""Annotation workbooks: cells, rows, columns and sheets changed in files that stay valid, and files that are damaged.

What a changed cell means is said here a second time, independently of the readers. From it follows what a reading has
to be: rows whose meaning is what it was come back the same; rows whose meaning changed come back different; cells that
mean nothing are refused; rows that are gone are missed in words.
"""

import io
import random
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mebench.clips import EMOTIONS, ClipTable
from mebench.datasets import casme2, samm, smic
from mebench.datasets.base import Corpus
from tests.corpora import casme2_rows, samm_rows, smic_e_rows
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.spoken import say
from tests.fuzz.values import damaged, scalar, text
from tests.fuzz.xlsx import Formula, workbook, writable

BAD = "what no cell of this column may hold"
Rows = list[list[Any]]


@dataclass
class Draft:
    """A workbook on its way: the first sheet's rows above the header, header, body, and what else the file holds.

    `gone` says that the table as a whole may not be found as it was, so that only a refusal or a word about the counts
    will do; `several` that a second table contradicts it, so that only a refusal will.
    """

    above: Rows
    header: list[Any]
    body: Rows
    title: str
    beside: dict[str, Rows] = field(default_factory=dict)
    merged: list[str] = field(default_factory=list)
    dimension: str = ""
    gone: bool = False
    several: bool = False

    def content(self) -> bytes:
        """The file's bytes."""
        sheets = {self.title or "x": [*self.above, self.header, *self.body]} | self.beside
        return workbook(sheets, merged=self.merged, dimension=self.dimension)


@dataclass(frozen=True, eq=False)
class Kind:
    """A corpus' workbook: how a sound one looks, where each field stands, and what cells mean."""

    corpus: Corpus
    title: str
    above: int
    header: tuple[Any, ...]
    fields: Mapping[str, int]
    rows: Callable[[], Rows]
    identity: Callable[[Any, Any], str]
    file: str = "coding.xlsx"

    def draft(self) -> Draft:
        """A sound workbook."""
        prose = [[f"Note {i}."] for i in range(self.above)]
        return Draft(prose, list(self.header), [list(row) for row in self.rows()], self.title)


def meaning(name: str, cell: Any) -> object:
    """What a cell of this field says: a number, a word, None for nothing, BAD for what is refused."""
    if isinstance(cell, Formula):
        cell = cell.stored
    plain = (
        "" if cell is None else str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    )
    if name in ("onset", "offset", "apex"):
        if name == "apex" and plain.casefold() in ("", "/", "-", "nan", "n/a"):
            return None
        return int(plain) if re.fullmatch(r"[0-9]{1,9}", plain) and not isinstance(cell, bool) else BAD
    if name == "emotion":
        word = {"other": "others"}.get(plain.casefold(), plain.casefold())
        return word if word in EMOTIONS else BAD
    if name == "objective":
        number = plain.upper().removesuffix(".0")
        roman = ("I", "II", "III", "IV", "V", "VI", "VII")
        return roman[int(number) - 1] if re.fullmatch("[1-7]", number) else number if number in roman else plain and BAD
    return plain  # action units: the text


def _casme2_identity(subject: Any, name: Any) -> str:
    who, what = re.fullmatch(r"(?i)(?:sub)?0*([1-9][0-9]?)", _plain(subject)), _plain(name)
    if not _plain(subject) or not what:
        return ""
    return f"sub{int(who[1]):02d}/{what}" if who and re.fullmatch(r"(?i)EP[0-9]{2}(?:_[0-9]+){0,2}f?", what) else BAD


def _samm_identity(subject: Any, name: Any) -> str:
    what, who = re.fullmatch(r"([0-9]{3})_[1-7]_[0-9]{1,2}", _plain(name)), _plain(subject)
    if not who or not _plain(name):
        return ""
    return f"{what[1]}/{what[0]}" if what and re.fullmatch(r"0*[1-9][0-9]?", who) and int(who) == int(what[1]) else BAD


def _smic_identity(subject: Any, name: Any) -> str:
    what = re.fullmatch(r"(?i)s0*([1-9][0-9]?)_(ne|po|sur)_0*([0-9]{1,2})", _plain(name))
    who = re.fullmatch(r"(?i)s?0*([1-9][0-9]?)", _plain(subject))
    if not _plain(subject) or not _plain(name):
        return ""
    good = what and who and int(who[1]) == int(what[1])
    return f"s{int(what[1]):02d}/s{int(what[1])}_{what[2].lower()}_{int(what[3]):02d}" if good else BAD


def _plain(cell: Any) -> str:
    cell = cell.stored if isinstance(cell, Formula) else cell
    return (
        "" if cell is None else str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    )


@cache
def _casme2_body() -> Rows:
    few = [row for row in casme2_rows("coding-20190701") if row.subject in ("01", "04", "06", "15", "24")]
    return [
        [r.subject, r.name, None, r.onset, "/" if r.apex is None else r.apex, r.offset, None, _number(r.action_units),
         r.emotion, "I II III IV V VI VII".split().index(r.objective or "VII") + 1]
        for r in few
    ]  # fmt: skip


@cache
def _samm_body() -> Rows:
    few = [row for row in samm_rows() if row.subject in ("006", "009", "011", "022", "036")]
    return [
        [r.subject, r.name, r.inducement, r.onset, r.apex, r.offset, Formula("SUM(F1-D1)+1", r.offset - r.onset + 1),
         "Micro - 1/2", _number(r.action_units), r.emotion.capitalize(),
         "I II III IV V VI VII".split().index(r.objective or "VII") + 1]
        for r in few
    ]  # fmt: skip


@cache
def _smic_body() -> Rows:
    few = [row for row in smic_e_rows() if row.subject in ("s1", "s6", "s11", "s18", "s20")]
    return [
        [r.subject, r.name, r.onset, Formula("Sheet1!A1", r.offset), r.first, r.last, r.emotion] for r in few
    ]  # fmt: skip


def _number(units: str) -> Any:
    return int(units) if units.isdecimal() else units


CASME2_KIND = Kind(
    casme2.DATASET, "Sheet1", 0,
    ("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units", "Estimated Emotion",
     "Objective Classes"),
    {"subject": 0, "name": 1, "onset": 3, "apex": 4, "offset": 5, "action_units": 7, "emotion": 8, "objective": 9},
    _casme2_body, _casme2_identity,
)  # fmt: skip
SAMM_KIND = Kind(
    samm.DATASET, "MICRO_ONLY", 13,
    ("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
     "Action Units", "Estimated Emotion", "Objective Classes"),
    {"subject": 0, "name": 1, "onset": 3, "apex": 4, "offset": 5, "action_units": 8, "emotion": 9, "objective": 10},
    _samm_body, _samm_identity,
)  # fmt: skip
SMIC_KIND = Kind(
    smic.E_HS, "HS", 0,
    ("Subject", "Filename", "OnsetF", "OffsetF", "FirstF", "LastF", "Emotion"),
    {"subject": 0, "name": 1, "onset": 2, "offset": 3, "emotion": 6},
    _smic_body, _smic_identity,
)  # fmt: skip


# What is done to a sound draft; each says in words what it did.


def cells(rng: random.Random, draft: Draft, kind: Kind) -> str:
    """One cell or a few get values of any kind."""
    said = []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        row, (name, column) = rng.randrange(len(draft.body)), rng.choice(list(kind.fields.items()))
        how = rng.random()
        if how < 0.55:
            value = writable(scalar(rng))
        elif how < 0.7:
            value = writable(text(rng))
        elif how < 0.8:
            value = rng.choice(draft.body)[column]
        elif how < 0.9:
            value = Formula("A1+1", rng.choice((None, scalar(rng) if rng.random() < 0.3 else draft.body[row][column])))
        else:
            value = _respelled(rng, draft.body[row][column])
        draft.body[row][column] = value
        said.append(f"{name} of row {row} is {value!r:.60}")
    return "; ".join(said)


def rows(rng: random.Random, draft: Draft, kind: Kind) -> str:  # noqa: C901 -- one branch per thing done
    """A row is lost, doubled, blanked in part, moved, or comes from nowhere."""
    at = rng.randrange(len(draft.body))
    how = rng.choice(
        (
            "lost",
            "doubled",
            "doubled with changes",
            "moved",
            "without subject",
            "blank between",
            "all lost",
            "prose",
            "merged subjects",
        )
    )
    if how == "lost":
        del draft.body[at : at + rng.choice((1, 1, 5))]
    elif how.startswith("doubled"):
        draft.body.insert(rng.randrange(len(draft.body)), list(draft.body[at]))
        if how != "doubled":
            draft.body[at][kind.fields[rng.choice(list(kind.fields))]] = writable(scalar(rng))
    elif how == "moved":
        rng.shuffle(draft.body)
    elif how == "without subject":
        draft.body[at][kind.fields[rng.choice(("subject", "name"))]] = rng.choice((None, "", "  "))
    elif how == "blank between":
        draft.body.insert(at, [None] * len(draft.header))
    elif how == "all lost":
        draft.body.clear()
    elif how == "prose":
        draft.body.insert(at, ["Counted twice by two coders.", None, None, "see above"])
    else:
        column, seen = kind.fields["subject"], set()
        for row in draft.body:
            if row[column] in seen:
                row[column] = None
            else:
                seen.add(row[column])
    return f"row {at} {how}"


def columns(rng: random.Random, draft: Draft, kind: Kind) -> str:
    """The header or whole columns change; `gone` where the cells below a header are no longer its own."""
    first, second = rng.sample(list(kind.fields.items()), 2)
    how = rng.choice(
        (
            "headers swapped",
            "columns swapped",
            "header lost",
            "header written otherwise",
            "header doubled",
            "column doubled",
            "header merged",
            "header twice",
            "above",
        )
    )
    a, b = first[1], second[1]
    if how == "headers swapped":
        draft.body = [_swapped(row, a, b) for row in draft.body]  # the same as swapped headers, and easier to judge
        how = "cells swapped below their headers"
    elif how == "columns swapped":
        draft.gone = True
        order = list(range(len(draft.header)))
        order[a], order[b] = order[b], order[a]
        return _reordered(draft, order, f"columns {first[0]} and {second[0]} change places", kind)
    elif how == "header lost":
        draft.header[a], draft.gone = rng.choice((None, "", "x", text(rng))), True
    elif how == "header written otherwise":
        draft.header[a] = rng.choice(
            (str.upper, str.lower, lambda t: f" {t} ", lambda t: t.replace("Frame", " frame"))
        )(draft.header[a])
    elif how in ("header doubled", "column doubled"):
        draft.header.append(draft.header[a])
        for row in draft.body:
            row.extend([None] * (len(draft.header) - 1 - len(row)))
            row.append(row[a] if how == "column doubled" else writable(scalar(rng)))
        draft.several = how == "header doubled"
        draft.gone = True
    elif how == "header merged":
        draft.merged, draft.header[b], draft.gone = ["A1:B1"], None, True
    elif how == "header twice":
        draft.body.insert(rng.randrange(len(draft.body)), list(draft.header))
        draft.gone = True
    else:
        draft.above[:0] = [[text(rng)] for _ in range(rng.choice((1, 5, 70)))]
        draft.gone = len(draft.above) >= 60
    return f"{how}: {first[0]}, {second[0]}"


def sheets(rng: random.Random, draft: Draft, kind: Kind) -> str:
    """Further sheets, other titles, a size that is not the sheet's."""
    how = rng.choice(("copy", "copy that differs", "other title", "dimension", "empty", "many", "chaff"))
    if how.startswith("copy"):
        body = [list(row) for row in draft.body]
        if how != "copy":
            row, last = body[rng.randrange(len(body))], max(kind.fields.values())
            row[last] = (
                body[0][last] if row[last] != body[0][last] else next(r[last] for r in body if r[last] != row[last])
            )
            draft.several = True
        draft.beside[f"{kind.title} (2)"] = [*draft.above, draft.header, *body]
    elif how == "other title":
        draft.title, draft.gone = writable(text(rng))[:31].strip("'") or "x", True
    elif how == "dimension":
        draft.dimension = rng.choice(("A1", "A1:B2", "A1:XFD1048576", "Z9:A1"))
    elif how == "empty":
        draft.beside["Sheet2"] = []
    elif how == "many":
        draft.beside |= {f"S{i}": [[scalar(rng)]] for i in range(30)}
    else:
        draft.beside["chaff"] = [[writable(text(rng)) for _ in range(8)] for _ in range(20)]
    return f"sheets: {how}"


CHANGES = (cells, cells, cells, cells, cells, rows, rows, columns, sheets)


def case_of(kind: Kind, rng: random.Random, place: Place) -> Case:
    """One workbook: two thirds changed in their cells, the others damaged as files."""
    folder = place.work / "in"
    folder.mkdir()
    draft = kind.draft()
    path = folder / rng.choice((kind.file, kind.file, kind.file, "CASME2.XLSX", "x.xlsm"))
    if rng.random() < 0.3:
        content, title = _broken(rng, draft.content())
        path.write_bytes(content)
        return Case(title, False, _loading(kind, rng, folder, path), lambda table: _damaged_judge(kind, table))
    title = rng.choice(CHANGES)(rng, draft, kind)
    path.write_bytes(draft.content())
    return Case(title, True, _loading(kind, rng, folder, path), lambda table: _judge(kind, draft, table))


def _loading(kind: Kind, rng: random.Random, folder: Path, path: Path) -> Callable[[], ClipTable]:
    root = rng.choice((folder, folder, path))
    spoken = rng.random() < 0.15

    def load() -> ClipTable:
        if spoken:
            say(["check", kind.corpus.name, "--data", root])
        return kind.corpus.load(root)

    return load


def _broken(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    """The file damaged as a whole, or in one of its parts."""
    if rng.random() < 0.4:
        return damaged(rng, content), "bytes of the file"
    image = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(image, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        chosen = rng.choice([*names, "xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"])
        for name in names:
            part = source.read(name)
            target.writestr(name, damaged(rng, part) if name == chosen else part)
    return image.getvalue(), f"bytes of {chosen}"


def _damaged_judge(kind: Kind, table: ClipTable) -> str:
    """A damaged file that reads: a clip more or less is said; who is there is who was there, or counts differently."""
    return _missed(kind, table)


def _judge(kind: Kind, draft: Draft, table: ClipTable) -> str:
    if draft.several:
        return "two tables that contradict each other, and one was taken"
    wanted = {clip.id.partition("/")[2]: clip for clip in sound(kind)}
    found = {clip.id.partition("/")[2]: clip for clip in table}
    if len({key.casefold() for key in found}) < len(found):
        return "one clip counts twice"
    if fault := _missed(kind, table):
        return fault
    if draft.gone:
        return ""
    original = {kind.identity(row[0], row[1]): row for row in kind.rows()}
    named: set[str] = set()
    for row in draft.body:
        padded = [*row, *[None] * (len(draft.header) - len(row))]
        key = kind.identity(padded[0], padded[1])
        if not key:
            continue
        if key is BAD or key in named:
            return f"a row that names {'nobody' if key is BAD else key + ' again'} was taken"
        named.add(key)
        if fault := _row_fault(kind, padded, original.get(key), wanted.get(key), found.get(key)):
            return f"{key}: {fault}"
    return f"from nowhere: {sorted(found.keys() - named)[:3]}" if found.keys() - named else ""


def _row_fault(kind: Kind, row: list[Any], before: list[Any] | None, wanted: Any, found: Any) -> str:
    """What is wrong with how one row was read."""
    if found is None:
        return "its row is there, and it is not"
    said = {name: meaning(name, row[at]) for name, at in kind.fields.items() if name not in ("subject", "name")}
    bad = [name for name, what in said.items() if what is BAD]
    if bad:
        return f"{bad[0]} is {row[kind.fields[bad[0]]]!r:.60} and was taken"
    if before is None or wanted is None:
        return ""
    was = {name: meaning(name, before[at]) for name, at in kind.fields.items() if name not in ("subject", "name")}
    changed = [name for name in said if said[name] != was[name]]
    same = found.record() == wanted.record()
    if not changed and not same:
        return "nothing it says changed, and it is read otherwise"
    if changed and same:
        return (
            f"{changed[0]} says {said[changed[0]]!r:.60} instead of {was[changed[0]]!r:.60}, and it is read as before"
        )
    return ""


def _missed(kind: Kind, table: ClipTable) -> str:
    """Counts that are not those of the release are said, as an error a user sees."""
    release = kind.corpus.releases[table.annotation]
    said = " ".join(note.message for note in table.notes if note.level == "error")
    short = len(table) != release.clips and f"{len(table)} clips instead of {release.clips}" not in said
    return f"{len(table)} clips, and nobody is told" if short else ""


@cache
def _class_rows() -> Rows:
    return [[row[0], row[1], row[9]] for row in _casme2_body()]


CLASSES_KIND = Kind(
    casme2.DATASET, "Sheet1", 0, ("Subject", "Filename", "Objective Class"),
    {"subject": 0, "name": 1, "objective": 2}, _class_rows, _casme2_identity,
)  # fmt: skip


def _classes_case(rng: random.Random, place: Place) -> Case:
    """A sound coding of 2014, and beside it the objective classes of 2017, changed."""
    folder = place.work / "in"
    folder.mkdir()
    coding = CASME2_KIND.draft()
    coding.header.pop()
    for row in coding.body:
        row.pop()
    (folder / "coding.xlsx").write_bytes(coding.content())
    draft, path = CLASSES_KIND.draft(), folder / "classes.xlsx"
    if rng.random() < 0.3:
        content, title = _broken(rng, draft.content())
        path.write_bytes(content)
        return Case(title, False, lambda: casme2.DATASET.load(folder), lambda table: _missed(CASME2_KIND, table))
    title = rng.choice((cells, cells, cells, rows, columns, sheets))(rng, draft, CLASSES_KIND)
    draft.several &= not title.startswith("sheets")  # further sheets are scratch
    path.write_bytes(draft.content())
    return Case(title, True, lambda: casme2.DATASET.load(folder), lambda table: _classes_judge(draft, table))


def _classes_judge(draft: Draft, table: ClipTable) -> str:
    if draft.several and table.objective_release == "objective-2017":
        return "two columns of classes, and one was taken"
    said: dict[str, object] = {}
    for row in [] if draft.gone or table.objective_release is None else draft.body:
        key, what = _casme2_identity(row[0], row[1]), meaning("objective", row[2])
        if key and (key is BAD or (what is BAD and f"casme2/{key}" in table) or said.get(key, what) != what):
            return f"{row!r:.80} was taken"
        said |= {key: what} if key else {}
    noted = {note.clip for note in table.notes if "it is derived" in note.message}
    for clip in table if said else ():
        told = said.get(clip.id.partition("/")[2])
        released = clip.objective_source == "released"
        if (told or None) != (clip.objective_class if released else None):
            return f"{clip.id} is of class {clip.objective_class}, the workbook says {told!r:.40}"
        if clip.id.partition("/")[2] not in said and clip.id not in noted:
            return f"{clip.id} has no class, and nobody is told"
    return _missed(CASME2_KIND, table)


@cache
def sound(kind: Kind) -> ClipTable:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kind.file
        path.write_bytes(kind.draft().content())
        return kind.corpus.load(path)


def _respelled(rng: random.Random, value: Any) -> Any:
    """The same said in another way."""
    if isinstance(value, int) and not isinstance(value, bool):
        return rng.choice((float(value), str(value), f" {value} ", f"{value}\u00a0"))
    if isinstance(value, str):
        return rng.choice((f" {value}", f"{value} ", value.upper(), value.lower(), value.capitalize()))
    return value


def _swapped(row: list[Any], a: int, b: int) -> list[Any]:
    row = list(row)
    row[a], row[b] = row[b], row[a]
    return row


def _reordered(draft: Draft, order: list[int], said: str, kind: Kind) -> str:
    draft.header = [draft.header[i] for i in order]
    draft.body = [[row[i] for i in order] for row in draft.body]
    return said


def _reader(name: str, kind: Kind) -> Reader:
    def prepare(place: Place) -> None:
        sound(kind)

    return Reader(name, lambda rng, place: case_of(kind, rng, place), prepare)


CASME2 = _reader("CASME II workbook", CASME2_KIND)
CLASSES = Reader("objective classes", _classes_case)
SAMM = _reader("SAMM workbook", SAMM_KIND)
SMIC_E = _reader("SMIC-E workbook", SMIC_KIND)

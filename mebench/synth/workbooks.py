"""Annotation workbooks in the owners' layouts, quirks included, from rows that are ours.

Nothing of a released workbook is stored here but its shape: headers, blank columns, prose above the header, text
subjects, numbers that are sometimes text, formulas with the values a spreadsheet program would have cached. Equal
rows give equal bytes.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Generation = Literal["coding-20140508", "coding-20190701", "coding-updated"]
ROMAN = {name: number for number, name in enumerate(("I", "II", "III", "IV", "V", "VI", "VII"), 1)}

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip entry can carry
_TIMESTAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms)")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a coding workbook; `subject` and `name` as printed there (`01` and `EP02_01f`; `006` and `006_1_2`).

    `apex` None is written the way the corpus writes a missing apex. `objective` is the Roman class.
    """

    subject: str
    name: str
    onset: int
    apex: int | str | None
    offset: int
    action_units: str
    emotion: str
    objective: str | None = None
    inducement: int | None = None


@dataclass(frozen=True, slots=True)
class LongRow:
    """One row of a SMIC-E workbook: the first event, `later` events as (onset, offset), and the range of the long clip.

    `rubbish` is the value the third-event formulas show where no third event exists.
    """

    subject: str
    name: str
    onset: int
    offset: int
    emotion: str
    first: int
    last: int
    later: tuple[tuple[int, int], ...] = ()
    rubbish: int | None = None


def casme2_workbook(path: Path, rows: Sequence[Row], generation: Generation = "coding-20140508") -> None:
    """Writes a CASME II coding workbook: `Sheet1` with two columns without header, and empty further sheets.

    Subjects are text; action units are numbers where they can be; a missing apex is `/`.
    """
    objective = ["Objective Classes"] if generation == "coding-20190701" else []
    header = ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units"]
    lines: list[list[Any]] = [[*header, "Estimated Emotion", *objective]]
    for row in rows:
        apex = "/" if row.apex is None else row.apex
        units, classes = _number_or_text(row.action_units), [ROMAN.get(row.objective or "")] if objective else []
        lines.append([row.subject, row.name, None, row.onset, apex, row.offset, None, units, row.emotion, *classes])
    _save(path, {"Sheet1": lines, "Sheet2": (), "Sheet3": ()})


def objective_2017_workbook(path: Path, rows: Sequence[Row]) -> None:
    """Writes the CASME II objective-class workbook of 2017; `Sheet2` holds the scratch that a reader has to ignore."""
    lines: list[list[Any]] = [["Subject", "Filename", "Objective Class"]]
    lines += [[row.subject, row.name, ROMAN[row.objective or ""]] for row in rows]
    scratch: list[list[Any]] = [["Subject", "Filename", "Objective Class"], ["01", "EP00_00", 7], ["sum", len(rows)]]
    _save(path, {"Sheet1": lines, "Sheet2": scratch})


def samm_workbook(path: Path, rows: Sequence[Row], header_row: int = 14) -> None:
    """Writes the SAMM FACS workbook: prose above the header in `header_row`, the duration as a formula, text
    subjects.
    """
    prose = ["SAMM micro-movements, FACS coded", "A synthetic table in the layout of the released one."]
    lines: list[list[Any]] = [[prose[i] if i < len(prose) else f"Note {i}."] for i in range(header_row - 1)]
    header = [
        "Subject",
        "Filename",
        "Inducement Code",
        "Onset Frame",
        "Apex Frame",
        "Offset Frame",
        "Duration",
        "Micro",
    ]
    lines.append([*header, "Action Units", "Estimated Emotion", "Objective Classes", "Notes"])
    cached: dict[str, int | str] = {}
    for number, row in enumerate(rows, header_row + 1):
        cached[f"G{number}"] = row.offset - row.onset + 1
        frames = [row.onset, row.apex, row.offset, f"=SUM(F{number}-D{number})+1"]
        coded = [_number_or_text(row.action_units), row.emotion.capitalize(), ROMAN.get(row.objective or ""), None]
        lines.append([row.subject, row.name, row.inducement, *frames, "Micro - 1/2", *coded])
    _save(path, {"MICRO_ONLY": lines}, {"MICRO_ONLY": cached})


def smic_e_workbook(
    path: Path, hs: Sequence[LongRow] = (), vis: Sequence[LongRow] = (), nir: Sequence[LongRow] = ()
) -> None:
    """Writes a SMIC-E workbook: one sheet per modality that has rows, two empty ones, and prose below the HS table.

    Offsets, later events and the clip's range are formulas over cells of other sheets that hold nothing any more, so
    only the cached values are right.
    """
    sheets: dict[str, list[list[Any]]] = {}
    cached: dict[str, dict[str, int | str]] = {}
    for sheet, rows in (("HS", hs), ("VIS", vis), ("NIR", nir)):
        if rows:
            sheets[sheet], cached[sheet] = _long_sheet(rows, _LONG_HS if sheet == "HS" else _LONG_VIS)
    if hs:
        sheets["HS"] += [[], [None], ["Frames are counted from the start of the recording."]]
    _save(path, sheets | {"Sheet1": [], "Sheet2": []}, cached)


_LONG_HS = (
    "Subject Filename - OnsetF OffsetF Onset2F Offset2F Onset3F Offset3F - FirstF LastF "
    "TotalMF1 TotalMF2 TotalMF3 TotalVL Emotion"
).split()
_LONG_VIS = "Subject Filename - OnsetF OffsetF Onset2F Offset2F - FirstF TotalMF1 TotalMF2 TotalVL Emotion".split()


def _long_sheet(rows: Sequence[LongRow], header: Sequence[str]) -> tuple[list[list[Any]], dict[str, int | str]]:
    from openpyxl.utils import get_column_letter

    lines: list[list[Any]] = [[None if name == "-" else name for name in header]]
    cached: dict[str, int | str] = {}
    for number, row in enumerate(rows, 2):
        plain, formulas = _long_values(row)
        line: list[Any] = []
        for column, name in enumerate(header, 1):
            value = formulas.get(name)
            if value is not None:
                cached[f"{get_column_letter(column)}{number}"] = value
            line.append(f"=Sheet1!A{number}+D{number}" if value is not None else plain.get(name))
        lines.append(line)
    return lines, cached


def _long_values(row: LongRow) -> tuple[dict[str, Any], dict[str, int]]:
    """The values of a row that stand as such, and those that stand as formulas."""
    plain = {"Subject": row.subject, "Filename": row.name, "OnsetF": row.onset, "Emotion": row.emotion}
    formulas = {"OffsetF": row.offset, "FirstF": row.first, "LastF": row.last, "TotalVL": row.last - row.first + 1}
    events = [(row.onset, row.offset), *row.later]
    for number, (onset, offset) in enumerate(events, 1):
        formulas[f"TotalMF{number}"] = offset - onset + 1
        if number > 1:
            formulas |= {f"Onset{number}F": onset, f"Offset{number}F": offset}
    if row.rubbish is not None and len(row.later) < 2:
        formulas |= {"Onset3F": row.rubbish, "Offset3F": row.rubbish}
    return plain, formulas


def _number_or_text(cell: str) -> int | str | None:
    return int(cell) if cell.isdecimal() else cell or None


def _save(
    path: Path,
    sheets: Mapping[str, Iterable[Sequence[Any]]],
    cached: Mapping[str, Mapping[str, int | str]] | None = None,
) -> None:
    """Writes the sheets; `cached` gives per sheet and cell what a spreadsheet program would have stored for a
    formula.
    """
    from openpyxl import Workbook

    book = Workbook()
    for sheet in book.worksheets:
        book.remove(sheet)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(list(line))
    draft = io.BytesIO()
    book.save(draft)
    parts = {f"xl/worksheets/sheet{i}.xml": (cached or {}).get(title, {}) for i, title in enumerate(sheets, 1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_repack(draft.getvalue(), parts))


def _repack(draft: bytes, cached: Mapping[str, Mapping[str, int | str]]) -> bytes:
    """The archive with cached formula values and without the time of writing (openpyxl can write neither)."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(draft)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _TIMESTAMP.sub(rb"\g<1>2000-01-01T00:00:00Z\g<3>", content)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, _with_cached(content, cached.get(name, {})))
    return result.getvalue()


_FORMULA = re.compile(rb'<c r="([A-Z]+[0-9]+)"([^>]*)><f>(.*?)</f><v\s*/>')


def _with_cached(sheet: bytes, values: Mapping[str, int | str]) -> bytes:
    """The sheet with each formula's value filled in, as a number or as text."""

    def fill(match: re.Match[bytes]) -> bytes:
        reference, attributes, formula = match.groups()
        value = values.get(reference.decode())
        if value is None:
            return match[0]
        kind = b' t="str"' if isinstance(value, str) else b""
        return b'<c r="%b"%b%b><f>%b</f><v>%b</v>' % (reference, attributes, kind, formula, str(value).encode())

    return _FORMULA.sub(fill, sheet) if values else sheet


__all__ = [
    "Generation",
    "LongRow",
    "Row",
    "casme2_workbook",
    "objective_2017_workbook",
    "samm_workbook",
    "smic_e_workbook",
]

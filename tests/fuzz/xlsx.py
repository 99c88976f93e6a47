"""A writer of workbooks that writes what no sound program would: any value in any cell, in the fewest parts."""

import io
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from xml.sax.saxutils import escape

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DAY_ONE = datetime(1899, 12, 30)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"

_XML = '<?xml version="1.0" encoding="UTF-8"?>'

Grid = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Formula:
    """A formula and the value that was stored with it; None where none was."""

    text: str
    stored: Any = None


def writable(value: Any) -> Any:
    """The value as a cell can hold it: texts lose characters that XML has no place for."""
    return _UNWRITABLE.sub("", value) if isinstance(value, str) else value


def workbook(sheets: Mapping[str, Grid], *, merged: Sequence[str] = (), dimension: str = "") -> bytes:
    """The workbook's bytes; `merged` ranges and the `dimension` stated are those of the first sheet."""
    parts = {
        "[Content_Types].xml": _types(len(sheets)),
        "_rels/.rels": _relations([("rId1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _book(list(sheets)),
        "xl/_rels/workbook.xml.rels": _relations(
            [(f"rId{i}", "worksheet", f"worksheets/sheet{i}.xml") for i in range(1, len(sheets) + 1)]
            + [("rId0", "styles", "styles.xml")]
        ),
        "xl/styles.xml": _STYLES,
    }
    for i, grid in enumerate(sheets.values(), 1):
        parts[f"xl/worksheets/sheet{i}.xml"] = _sheet(grid, merged if i == 1 else (), dimension if i == 1 else "")
    image = io.BytesIO()
    with zipfile.ZipFile(image, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return image.getvalue()


def _sheet(grid: Grid, merged: Sequence[str], dimension: str) -> str:
    rows = "".join(
        f'<row r="{n}">{"".join(_cell(value, f"{_letters(c)}{n}") for c, value in enumerate(row))}</row>'
        for n, row in enumerate(grid, 1)
    )
    ranges = "".join(f'<mergeCell ref="{one}"/>' for one in merged)
    joined = f'<mergeCells count="{len(merged)}">{ranges}</mergeCells>' if merged else ""
    stated = f'<dimension ref="{dimension}"/>' if dimension else ""
    return f'{_XML}<worksheet xmlns="{_MAIN}">{stated}<sheetData>{rows}</sheetData>{joined}</worksheet>'


def _cell(value: Any, at: str) -> str:
    if isinstance(value, Formula):
        stored = f"<v>{escape(str(writable(value.stored)))}</v>" if value.stored is not None else ""
        kind = ' t="str"' if isinstance(value.stored, str) else ""
        return f'<c r="{at}"{kind}><f>{escape(writable(value.text))}</f>{stored}</c>'
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{at}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int):
        return f'<c r="{at}"><v>{_digits(value)}</v></c>'
    if isinstance(value, float):
        return (
            f'<c r="{at}"><v>{value!r}</v></c>'
            if math.isfinite(value)
            else f'<c r="{at}"><v>{str(value).upper()}</v></c>'
        )
    if isinstance(value, date | time):
        return f'<c r="{at}" s="1"><v>{_days(value)!r}</v></c>'
    return f'<c r="{at}" t="inlineStr"><is><t xml:space="preserve">{escape(writable(value))}</t></is></c>'


def _digits(value: int) -> str:
    return str(value) if abs(value) < 10**4000 else "9" * 5000


def _days(value: date | time) -> float:
    if isinstance(value, time):
        return (value.hour * 60 + value.minute) / 1440
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return (moment - _DAY_ONE).total_seconds() / 86400


def _letters(column: int) -> str:
    return chr(65 + column) if column < 26 else _letters(column // 26 - 1) + chr(65 + column % 26)


def _types(sheets: int) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = [("/xl/workbook.xml", "sheet.main"), ("/xl/styles.xml", "styles")]
    parts += [(f"/xl/worksheets/sheet{i}.xml", "worksheet") for i in range(1, sheets + 1)]
    overrides = "".join(f'<Override PartName="{part}" ContentType="{kind}.{name}+xml"/>' for part, name in parts)
    known = {"rels": "application/vnd.openxmlformats-package.relationships+xml", "xml": "application/xml"}
    defaults = "".join(f'<Default Extension="{one}" ContentType="{what}"/>' for one, what in known.items())
    return f'{_XML}<Types xmlns="{_PACKAGE}/content-types">{defaults}{overrides}</Types>'


def _relations(entries: Sequence[tuple[str, str, str]]) -> str:
    lines = "".join(
        f'<Relationship Id="{i}" Type="{_OFFICE}/{kind}" Target="{target}"/>' for i, kind, target in entries
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'


def _book(titles: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(writable(t), {chr(34): "&quot;"})}" sheetId="{i}" r:id="rId{i}"/>'
        for i, t in enumerate(titles, 1)
    )
    return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'


_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill><patternFill/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>'
)

__all__ = ["Formula", "Grid", "workbook", "writable"]

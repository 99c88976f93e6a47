"""Tables out of workbooks: found by header text, read as a stream, within limits.

Everything that can be wrong with a file ends in one `AnnotationError` that names it: openpyxl is called nowhere else.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from mebench.errors import AnnotationError

# Released workbooks have under 1,000 rows, 20 columns and 1 MB unpacked; what lies far beyond is damaged or hostile.
# Made of the smallest elements, a MB of cells takes openpyxl 0.4 s and 27 MB of memory, a MB of styles 12 s.
LARGEST_FILE = 16_000_000
LARGEST_UNPACKED = 16_000_000
LARGEST_PART = 400_000
_ROOMY = ("xl/worksheets/", "xl/sharedStrings", "xl/media/")
MOST_ROWS = 20_000
MOST_COLUMNS = 64
LONGEST_CELL = 2_000
HEADER_WITHIN = 60

_OLE = b"\xd0\xcf\x11\xe0"  # old .xls, and .xlsx with a password


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: its number in the sheet, and its cells by column name (None where the sheet has no such
    column).
    """

    number: int
    cells: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table in a workbook: where it stands, the names of the columns it has, and its rows with a subject and a
    name.
    """

    path: Path
    title: str
    columns: frozenset[str]
    lines: tuple[Line, ...]

    def where(self, line: Line) -> str:
        """`file.xlsx, row 17`, for messages."""
        return f"{self.path.name}, row {line.number}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which table is looked for.

    `names` gives for each column the header texts it goes by (case, spaces and signs do not count). `required` must be
    there; a header of `foreign`, or the lack of all of `own`, shows that the table belongs to another corpus. `titles`
    restricts the sheets, if given.
    """

    names: Mapping[str, Sequence[str]]
    required: frozenset[str]
    foreign: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    titles: re.Pattern[str] | None = None


def read_tables(path: Path, columns: Columns) -> tuple[Sheet, ...]:
    """Every sheet of the workbook that holds the table; none where no row looks like its header.

    Raises `AnnotationError` where the file cannot be read, a header row lacks a required column, or a cell is far too
    long.
    """
    # Warnings of openpyxl (no default style, unknown extensions) concern features that no annotation uses.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sheets = [
            _table(path, sheet, columns)
            for sheet in _worksheets(path)
            if columns.titles is None or columns.titles.search(sheet.title)
        ]
    return tuple(sheet for sheet in sheets if sheet is not None)


def cell_text(cell: object) -> str:
    """The cell as text without surrounding space; whole floats as whole numbers, nothing as an empty text."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def whole(cell: object, column: str, where: str) -> int:
    """The cell as a frame number or raises `AnnotationError`."""
    text = cell_text(cell)
    # Nine digits: the longest frame number known, in SMIC, has eight.
    if isinstance(cell, bool) or not re.fullmatch(r"[0-9]{1,9}", text):
        raise AnnotationError(
            f"{where}: {column} is {text[:40]!r}, not a whole number.", "Correct the workbook or restore the original."
        )
    return int(text)


def _worksheets(path: Path) -> list[Any]:
    """The sheets of the workbook in openpyxl's streaming mode, with cached formula values."""
    content = _content(path)
    from openpyxl import load_workbook

    with _damage(path):
        return list(load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False).worksheets)


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, tuple[object, ...]]]:
    """The rows of a sheet with their numbers, as many as are looked at."""
    with _damage(path):
        sheet.reset_dimensions()  # the stated size of a sheet may be wrong, or absurd
        rows = sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS, values_only=True)
    for number in count(1):
        with _damage(path):
            row = next(rows, None)
        if row is None:
            return
        yield number, row


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Around openpyxl alone: on a damaged archive it lets through whatever its XML and zip layers raise."""
    try:
        yield
    except Exception as error:
        raise _unreadable(path, f"its content is damaged ({type(error).__name__})") from error


def _content(path: Path) -> bytes:
    """The bytes of a file that is a zip archive of bearable size."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    if len(content) > LARGEST_FILE:
        raise _unreadable(path, "it is far larger than any annotation workbook")
    if content.startswith(_OLE):
        raise _unreadable(path, "it is an old .xls file or protected by a password")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # An entry never unpacks to more than it states: zipfile stops there and finds the checksum wrong.
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise _unreadable(path, "it is no workbook, or was cut off while being copied") from error
    if unpacked > LARGEST_UNPACKED:
        raise _unreadable(path, f"it unpacks to {unpacked:,} bytes")
    swollen = [name for name, size in sizes.items() if size > LARGEST_PART and not name.startswith(_ROOMY)]
    if swollen:
        raise _unreadable(path, f"its part {swollen[0][:80]} unpacks to {sizes[swollen[0]]:,} bytes")
    return content


def _unreadable(path: Path, why: str) -> AnnotationError:
    return AnnotationError(
        f"{path} cannot be read as a workbook: {why}.",
        "Close it in other programs, check its permissions, or restore the original .xlsx file.",
    )


def _table(path: Path, sheet: Any, columns: Columns) -> Sheet | None:
    if not hasattr(sheet, "reset_dimensions"):  # a chart sheet
        return None
    rows = _rows(path, sheet)
    for _, row in islice(rows, HEADER_WITHIN):
        found = _header(row, columns)
        if found is not None:
            _demand(path, sheet.title, found, columns)
            _refuse_doubled(path, sheet.title, row, columns)
            return Sheet(path, sheet.title, frozenset(found), tuple(_lines(path, rows, found)))
    return None


def _header(row: Sequence[object], columns: Columns) -> dict[str, int] | None:
    """The position of each known column, where the row is a header of the table looked for."""
    texts = [_plain(cell) for cell in row]
    if columns.foreign.intersection(texts) or (columns.own and not columns.own.intersection(texts)):
        return None
    found: dict[str, int] = {}
    for name, headers in columns.names.items():
        for header in headers:
            if header in texts:
                found.setdefault(name, texts.index(header))
    # A header that lacks one column is told from a row of another table by holding most of the others.
    return found if 2 * len(found.keys() & columns.required) > len(columns.required) else None


def _plain(cell: object) -> str:
    return re.sub(r"[^a-z0-9]", "", cell[:100].casefold()) if isinstance(cell, str) else ""


def _demand(path: Path, title: str, found: Mapping[str, int], columns: Columns) -> None:
    missing = sorted(columns.required - found.keys())
    if missing:
        headers = " or ".join(repr(header) for header in columns.names[missing[0]])
        raise AnnotationError(
            f"{path}: sheet {title!r} has no column {missing[0].replace('_', ' ')} (header {headers}).",
            "Restore the original workbook; its header row must be complete.",
        )


def _refuse_doubled(path: Path, title: str, row: Sequence[object], columns: Columns) -> None:
    """Raises where two columns go by one name: which of them holds the coding cannot be told."""
    texts = [_plain(cell) for cell in row]
    for name, headers in columns.names.items():
        if sum(texts.count(header) for header in headers) > 1:
            raise AnnotationError(
                f"{path}: sheet {title!r} has two columns {name.replace('_', ' ')}.",
                "Restore the original workbook, or remove the column that is not the coding.",
            )


def _lines(path: Path, rows: Iterator[tuple[int, Sequence[object]]], columns: Mapping[str, int]) -> Iterator[Line]:
    """The rows that name a clip; blank rows and lone remarks below the table are passed over."""
    for number, row in rows:
        if number > MOST_ROWS:
            raise _unreadable(path, f"it has more than {MOST_ROWS:,} rows")
        cells = {name: row[position] if position < len(row) else None for name, position in columns.items()}
        for name, cell in cells.items():
            if isinstance(cell, str) and len(cell) > LONGEST_CELL:
                raise _unreadable(path, f"row {number}, {name} holds {len(cell):,} characters")
        if cell_text(cells["subject"]) and cell_text(cells["name"]):
            yield Line(number, cells)


__all__ = ["Columns", "Line", "Sheet", "cell_text", "read_tables", "whole"]

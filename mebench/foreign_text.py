"""Tables as other programs write them: MATLAB's writetable, writematrix and fprintf, Excel, R, a text editor.

What is only a manner of writing is read through: byte-order mark, UTF-16, CRLF, Excel's `sep=;`, MATLAB's `%` comments
and quotes, numbers such as `1.0000e+00` for 1, decimal commas where the comma separates nothing, `NaN`, `<missing>` and
`<undefined>` for no value. What carries meaning is never guessed: see `foreign` for columns and classes.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mebench.errors import PredictionError
from mebench.predictions import cells, read_content, read_text

Line = tuple[int, list[str]]

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_LARGEST = 10**15
"""Up to here every whole number is a double, which is what MATLAB writes."""
_MISSING = frozenset({"nan", "<missing>", "<undefined>", "na", "n/a"})


def read_foreign_text(path: Path) -> str:
    """A file's text, UTF-8 or, where it begins with the mark of it, UTF-16; PredictionError where it is neither."""
    content = read_content(path)
    if not content.startswith(_UTF16):
        return read_text(path)
    try:
        return content.decode("utf-16")
    except UnicodeDecodeError as error:
        raise PredictionError(f"{path.name} is damaged UTF-16 text.", "Save the file as UTF-8.") from error


def table_lines(text: str, source: str) -> list[Line]:
    """The rows of a table with the line each ends on, cells without blanks and quotes around them.

    Tab, semicolon, comma or blanks separate, whichever of them, in this order, the first row holds. One empty cell
    after the last separator is no cell. Raises PredictionError for a remark that would be a row without its `%`.
    """
    written = re.split(r"\r\n|\r|\n", text)
    lines = ["" if _is_remark(line) else line for line in written]
    first = next((line for line in lines if line.strip()), "")
    mark = next((mark for mark in "\t;," if mark in first), "")
    rows = cells("\n".join(lines), mark, source) if mark else _words(lines)
    width = len(rows[0][1]) if rows else 0
    if rows and mark and not rows[0][1][-1].strip():
        width -= 1
    _refuse_hidden(written, rows[0][0] if rows else len(written), first, mark, source)
    return [(number, [_bare(cell, mark) for cell in _trimmed(row, width)]) for number, row in rows]


def plain_number(text: str) -> str:
    """A whole number as its digits, `1` for `1.0000e+00`, `+1` and `01`; any other text as it is."""
    if not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    return str(int(value)) if abs(value) < _LARGEST and value == int(value) else text


def is_missing(text: str) -> bool:
    """Whether a cell holds no value."""
    return not text or text.casefold() in _MISSING


def _refuse_hidden(lines: Sequence[str], header: int, first: str, mark: str, source: str) -> None:
    """PredictionError for a remark below line `header`, the `first` row, that holds as many cells: it may be a
    prediction."""
    for number, line in enumerate(lines[header:], header + 1):
        if line.lstrip().startswith("%") and _cell_count(line, mark) == _cell_count(first, mark):
            raise PredictionError(
                f"{source} line {number} begins with % and is a row otherwise.",
                "Remove the % or the line: a prediction is not left out in silence.",
            )


def _cell_count(line: str, mark: str) -> int:
    bare = line.strip().lstrip("%")
    return bare.count(mark) + 1 if mark else len(bare.split())


def _is_remark(line: str) -> bool:
    return line.lstrip().startswith("%") or re.fullmatch(r"\s*sep=.\s*", line) is not None


def _words(lines: list[str]) -> list[Line]:
    return [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]


def _trimmed(row: list[str], width: int) -> list[str]:
    return row[:-1] if len(row) == width + 1 and not row[-1].strip() else row


def _bare(cell: str, mark: str) -> str:
    text = cell.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text.replace(",", ".") if mark != "," and _DECIMAL_COMMA.fullmatch(text) else text

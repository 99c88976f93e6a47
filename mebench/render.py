"""Tables as text: terminal, Markdown, LaTeX and CSV, every cell escaped for where it goes.

Names, parameters and commands come from strangers' plugins and files. Whatever they hold, a cell stays one cell: no
control characters, no markup, no formula that a spreadsheet would run.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mebench.errors import printable

_WHOLE_WORD = 16
"""Words up to this long are not broken while the terminal has room for the other columns."""

NONE = "–"
"""What a table shows where there is no figure."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~$#!])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "–": "--",
    "±": r"$\pm$",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{c: f"{{{c}}}" for c in "[]*"},  # after a row's end, `\\\\`, they would be read as its argument
}
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What starts a formula, the full-width forms included, which East Asian editions accept (OWASP, CSV injection)."""


@dataclass(frozen=True)
class Table:
    """A titled table of text cells; without columns, its title and notes alone.

    `numeric` names the columns set flush right; `notes` stand below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def span(seconds: float) -> str:
    """A time to come, in seconds, minutes or hours as a person would say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size_text(count: int) -> str:
    """A number of bytes as a person would say it: `1.4 GiB`."""
    value, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"


def figure(value: float, spread: float = math.nan) -> str:
    """A score as the field prints it, `.241`, with its SD where there is one, `.241 ± .012`; a dash for NaN."""
    if math.isnan(value):
        return NONE
    return _thousandths(value) if math.isnan(spread) else f"{_thousandths(value)} ± {_thousandths(spread)}"


def markdown(table: Table) -> str:
    """A level-2 heading, a GitHub-flavoured table, and the notes as a list."""
    rule = ("---:" if name in table.numeric else "---" for name in table.columns)
    lines = [f"## {markdown_cell(table.title)}"]
    if table.columns:
        lines += ["", _row(map(markdown_cell, table.columns)), _row(rule)]
        lines += [_row(map(markdown_cell, row)) for row in table.rows]
    lines += ["", *(f"- {markdown_cell(note)}" for note in table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """A `table` environment with `tabular` and `\\hline` rules: no package is needed beyond UTF-8 input."""
    lines = [r"\begin{table}", rf"\caption{{{latex_cell(table.title)}}}"]
    if table.columns:
        alignment = "".join("r" if name in table.numeric else "l" for name in table.columns)
        names, *body = (" & ".join(map(latex_cell, row)) + r" \\" for row in (table.columns, *table.rows))
        lines += [rf"\begin{{tabular}}{{{alignment}}}", r"\hline", names, r"\hline", *body, r"\hline", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {latex_cell(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}", ""])


def terminal(table: Table, *, width: int, colour: bool) -> str:
    """The table drawn for a terminal of that many columns; long cells are folded, never cut."""
    from rich import box  # lazily: whoever only reads or scores does without rich
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    title = Text(printable(table.title), style="bold")
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    least = [_least_width(table, i) for i in range(len(table.columns))]
    roomy = sum(least) + 3 * len(least) <= width  # rich cuts the table off where minimum widths do not fit
    for name, minimum in zip(table.columns, least, strict=True):
        grid.add_column(
            Text(printable(name)),
            justify="right" if name in table.numeric else "left",
            overflow="fold",
            min_width=minimum if roomy else None,
        )
    for row in table.rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))  # Text, not str: brackets in a name are no rich markup
    drawn = io.StringIO()
    console = Console(file=drawn, width=width, force_terminal=colour, color_system="auto" if colour else None)
    console.print(title)
    if table.columns:
        console.print(grid)
    for note in table.notes:
        console.print(Text(printable(note)))
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines()) + "\n"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """CSV with `\\n` newlines whose cells a spreadsheet reads as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in columns])
    writer.writerows([csv_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def markdown_cell(text: str) -> str:
    """The text as one Markdown table cell that shows as it is written."""
    escaped = _MARKDOWN.sub(r"\\\1", printable(text))
    return "".join(_HTML.get(c, c) for c in escaped)


def latex_cell(text: str) -> str:
    """The text as one LaTeX table cell; none of its characters acts."""
    return "".join(_LATEX.get(c, c) for c in printable(text))


def csv_cell(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would take for a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _least_width(table: Table, column: int) -> int:
    """The width that breaks no figure of the column and no word of common length."""
    cells = [printable(text) for text in (table.columns[column], *(row[column] for row in table.rows))]
    if table.columns[column] in table.numeric:
        return max(map(len, cells))
    return min(_WHOLE_WORD, max((len(word) for cell in cells for word in cell.split()), default=0))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _thousandths(value: float) -> str:
    """Three decimals without the leading zero: `.241`, `1.000`."""
    return f"{value:.3f}".removeprefix("0")

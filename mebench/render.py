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
    """A titled table of text cells. `numeric` names the columns set flush right; `notes` stand below the table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def figure(value: float, spread: float = math.nan) -> str:
    """A score as the field prints it, `.241`, with its SD where there is one, `.241 ± .012`; a dash for NaN."""
    if math.isnan(value):
        return NONE
    return _thousandths(value) if math.isnan(spread) else f"{_thousandths(value)} ± {_thousandths(spread)}"


def plain(text: str) -> str:
    """The text on one line, characters that do not print written out: no cell moves the cursor or turns the reading."""
    return "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in text)


def markdown(table: Table) -> str:
    """A level-2 heading, a GitHub-flavoured table, and the notes as a list."""
    rule = ("---:" if name in table.numeric else "---" for name in table.columns)
    lines = [f"## {markdown_cell(table.title)}", "", _row(map(markdown_cell, table.columns)), _row(rule)]
    lines += [_row(map(markdown_cell, row)) for row in table.rows]
    lines += ["", *(f"- {markdown_cell(note)}" for note in table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """A `table` environment with `tabular` and `\\hline` rules: no package is needed beyond UTF-8 input."""
    alignment = "".join("r" if name in table.numeric else "l" for name in table.columns)
    body = [" & ".join(map(latex_cell, row)) + r" \\" for row in (table.columns, *table.rows)]
    notes = [rf"\par\footnotesize {latex_cell(note)}" for note in table.notes]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex_cell(table.title)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\hline",
            body[0],
            r"\hline",
            *body[1:],
            r"\hline",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
            "",
        ]
    )


def terminal(table: Table, *, width: int, colour: bool) -> str:
    """The table drawn for a terminal of that many columns; long cells are folded, never cut."""
    from rich import box  # lazily: whoever only reads or scores does without rich
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, title=Text(plain(table.title)), title_justify="left", pad_edge=False)
    for name in table.columns:
        right = name in table.numeric
        grid.add_column(Text(plain(name)), justify="right" if right else "left", overflow="fold", no_wrap=right)
    for row in table.rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))  # Text, not str: brackets in a name are no rich markup
    drawn = io.StringIO()
    console = Console(file=drawn, width=width, force_terminal=colour, color_system="auto" if colour else None)
    console.print(grid)
    for note in table.notes:
        console.print(Text(plain(note)))
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
    escaped = _MARKDOWN.sub(r"\\\1", plain(text))
    return "".join(_HTML.get(c, c) for c in escaped)


def latex_cell(text: str) -> str:
    """The text as one LaTeX table cell; none of its characters acts."""
    return "".join(_LATEX.get(c, c) for c in plain(text))


def csv_cell(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would take for a formula."""
    shown = plain(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _thousandths(value: float) -> str:
    """Three decimals without the leading zero: `.241`, `1.000`."""
    return f"{value:.3f}".removeprefix("0")

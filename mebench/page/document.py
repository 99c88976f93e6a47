"""The page: one HTML file that asks for nothing, runs nothing, and shows every stranger's word as text."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from mebench import leaderboard
from mebench.comparing import Terms
from mebench.errors import UnknownName, printable
from mebench.leaderboard import SYNTHETIC_WARNING, Entry, Row
from mebench.page.references import answers_to
from mebench.page.sheet import Sheet, sheet
from mebench.page.trust import UNRECORDED
from mebench.render import NONE, Table
from mebench.scoring import ALL
from mebench.version import __version__

TEMPLATE, STYLE = "page.html.j2", "page.css"


@dataclass(frozen=True)
class Section:
    """A part of the page that stands apart from the boards, such as figures in print: a title, tables, and notes."""

    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()


def page_text(
    entries: Sequence[Entry],
    *,
    ranked: Sequence[Row] | None = None,
    reference: str | None = None,
    apart: Sequence[Section] = (),
    terms: Terms | None = None,
) -> str:
    """The page of these runs as HTML text: real boards, then synthetic ones under their warning, then sections apart.

    `ranked` are the entries' rows, where they have been made already. `reference` is the model or run that differences
    are taken to; boards where it is not ranked take their own. Sections without tables are left out. Equal entries give
    equal text: nothing of time or machine is in it.
    """
    rows = leaderboard.rows(entries) if ranked is None else ranked
    sheets = sheets_of(entries, rows, reference=reference, terms=terms or Terms())
    shown = _environment().get_template(TEMPLATE)
    text: str = shown.render(
        style=Markup(_resource(STYLE)),  # noqa: S704  our own file, and no stranger's word is in it
        real=[one for one in sheets if not one.warning],
        synthetic=[one for one in sheets if one.warning],
        apart=[one for one in apart if one.tables],
        warning=SYNTHETIC_WARNING,
        version=__version__,
        dash=NONE,
        unrecorded=UNRECORDED,
    )
    return text.strip() + "\n"


def sheets_of(entries: Sequence[Entry], ranked: Sequence[Row], *, reference: str | None, terms: Terms) -> list[Sheet]:
    """One sheet per board in the leaderboard's order; raises UnknownName where no run answers to the reference."""
    if reference and not any(answers_to(entry, reference) for entry in entries):
        raise UnknownName("model or run to take differences to", reference, {entry.model for entry in entries})
    whole = [row for row in ranked if row.dataset == ALL]
    found = []
    for i, board in enumerate(leaderboard.boards(ranked), 1):
        members = [e for e, row in zip(entries, whole, strict=True) if row.board == board.rows[0].board]
        found.append(sheet(f"board-{i}", board, members, record_of(board.rows), reference=reference, terms=terms))
    return found


def record_of(rows: Iterable[Row]) -> Table:
    """The rows as the CSV has them, cell by cell: it is read from the CSV's own text."""
    columns, *body = csv.reader(io.StringIO(leaderboard.to_csv(rows), newline=""), strict=True)
    return Table("All columns, as in the CSV", tuple(columns), tuple(map(tuple, body)))


def _environment() -> Environment:
    """Every expression is escaped, and characters that do not print are written out before."""
    return Environment(
        loader=DictLoader({TEMPLATE: _resource(TEMPLATE)}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _visible(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _resource(name: str) -> str:
    return files("mebench.page").joinpath(name).read_text(encoding="utf-8")


__all__ = ["Section", "page_text", "record_of", "sheets_of"]

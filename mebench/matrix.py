"""The train x test matrix of a suite: what a model trained on one corpus is worth on another."""

from collections.abc import Iterable

from mebench.leaderboard import SYNTHETIC_WARNING, Row
from mebench.render import NONE, Table, figure
from mebench.scoring import ALL

Trained = tuple[str, ...]


def transfer_tables(ranked: Iterable[Row]) -> list[Table]:
    """One table per model: rows what was trained on, columns what was tested on, cells UF1.

    Cells off the diagonal are directions of hold-out protocols, those on it the whole of protocols over one corpus.
    What is void on a board, as peeked or incomplete, is void here; several runs of one cell stand side by side. Models
    that never met another corpus have no table.
    """
    by_model: dict[tuple[bool, str, str, str], dict[tuple[Trained, str], list[Row]]] = {}
    for row in ranked:
        cell = _cell(row)
        if cell and row.ranked:
            by_model.setdefault((row.synthetic, row.title, row.parameters, row.privilege), {}).setdefault(
                cell, []
            ).append(row)
    return [
        _table(title, synthetic=synthetic, privilege=privilege, cells=cells)
        for (synthetic, title, _, privilege), cells in sorted(by_model.items(), key=lambda pair: pair[0])
        if any(tested not in trained for trained, tested in cells)
    ]


def _cell(row: Row) -> tuple[Trained, str] | None:
    """What the row's models were trained on and tested on, each named with its annotation; None for a mixture."""
    tokens = {token.partition("=")[0]: token.replace("=", " ") for token in row.annotation.split()}
    if row.aggregate == "directions" and row.dataset in tokens:
        return tuple(text for name, text in tokens.items() if name != row.dataset), tokens[row.dataset]
    if row.aggregate == "pooled" and row.dataset == ALL and len(tokens) == 1:
        return tuple(tokens.values()), next(iter(tokens.values()))
    return None


def _table(title: str, *, synthetic: bool, privilege: str, cells: dict[tuple[Trained, str], list[Row]]) -> Table:
    trained = sorted({t for t, _ in cells}, key=lambda t: (len(t), t))
    tested = sorted({name for _, name in cells})
    return Table(
        title=f"Trained on (rows), tested on (columns), UF1: {title}, privilege {privilege}"
        + (f". {SYNTHETIC_WARNING}" if synthetic else ""),
        columns=("Trained on", *tested),
        rows=tuple((" + ".join(t), *(_shown(cells.get((t, name), [])) for name in tested)) for t in trained),
        numeric=frozenset(tested),
        notes=("Where a corpus meets itself, one subject is held out at a time; elsewhere the whole corpus is.",),
    )


def _shown(rows: list[Row]) -> str:
    return " / ".join(figure(row.uf1, row.uf1_sd) for row in rows) or NONE


__all__ = ["transfer_tables"]

"""The section of figures in print: tables, CSV cells and JSON, apart from every run and without ranks."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mebench.objections import References, objections
from mebench.published import METRICS, SELECTIONS, Group, Method, Result, published_groups, record
from mebench.render import NONE, Table

APART = "Figures in print: not run here, not ranked, and not comparable with a run."
CSV_COLUMNS = (*(f"printed_{name}" for name in METRICS), "printed_in", "evidence", "verified", "flags")
"""Columns that follow those of runs in CSV where figures in print are asked for."""


def published_tables(protocols: Collection[str] | None = None, references: References | None = None) -> list[Table]:
    """One table per protocol with figures in print, of these protocols or of all."""
    return [_table(group, references) for group in published_groups(protocols)]


def published_csv(
    protocols: Collection[str] | None = None, references: References | None = None
) -> Iterator[dict[str, str]]:
    """The cells of each figure in print by column name: those shared with runs, and `CSV_COLUMNS`.

    The columns of measured scores stay empty, so that nobody sorts printed figures in among runs.
    """
    for group in published_groups(protocols):
        flags = objections(group, references)
        for i, method in enumerate(group.figures):
            for result in method.results or (None,):
                yield _csv_cells(group, method, result, flags.get((i, result.slice), ()) if result else ())


def published_records(
    protocols: Collection[str] | None = None, references: References | None = None
) -> list[dict[str, Any]]:
    """The figures in print as plain JSON values."""
    return [record(group, objections(group, references)) for group in published_groups(protocols)]


def _csv_cells(group: Group, method: Method, result: Result | None, flags: tuple[str, ...]) -> dict[str, str]:
    return {
        "protocol": group.protocol,
        "dataset": result.slice if result else "",
        "model": method.method,
        "title": method.method,
        "selection": method.selection,
        "clips": str(result.clips) if result and result.clips else "",
        "published": "true",
        **{f"printed_{name}": figure.text for name, figure in (result.figures if result else {}).items()},
        "printed_in": method.source.citation,
        "evidence": method.evidence.text if method.evidence else "",
        "verified": "true" if method.status == "verified" else "false",
        "flags": "; ".join(flags),
    }


def _table(group: Group, references: References | None) -> Table:
    flags = objections(group, references)
    results = [r for m in group.figures for r in m.results]
    metrics = [name for name in METRICS if any(name in r.figures for r in results)]
    sliced = len({r.slice for r in results}) > 1
    stated = any(r.clips for r in results)
    scores = [METRICS[name] for name in metrics]
    columns = [
        "Method",
        *(["Slice"] if sliced else []),
        *scores,
        *(["Clips"] if stated else []),
        "Selection",
        "Read in",
    ]
    numbers = {key: n for n, key in enumerate(dict.fromkeys(m.source.key for m in group.figures), 1)}
    rows = [
        (
            method.method,
            *([result.slice] if sliced else []),
            *(result.figures[name].text if name in result.figures else NONE for name in metrics),
            *([str(result.clips) if result.clips else NONE] if stated else []),
            method.selection,
            f"[{numbers[method.source.key]}]",
            "; ".join(_remarks(method, flags.get((i, result.slice), ()))),
        )
        for i, method in enumerate(group.figures)
        for result in method.results or (Result("", {}),)
    ]
    return Table(
        title=f"In print: {group.protocol}, {group.title}",
        columns=(*columns, "Remarks"),
        rows=tuple(rows),
        numeric=frozenset({*scores, "Clips"}),
        notes=(APART, group.description, *_notes(group, numbers)),
    )


def _remarks(method: Method, flags: tuple[str, ...]) -> list[str]:
    return [*(["UNCONFIRMED"] if method.status == "unconfirmed" else []), *flags]


def _notes(group: Group, numbers: Mapping[str, int]) -> Iterator[str]:
    used = {method.selection for method in group.figures}
    yield f"Selection: {'; '.join(f'{name}: {words}' for name, words in SELECTIONS.items() if name in used)}."
    references = {method.source.key: method.source for method in group.figures}
    for key, number in numbers.items():
        url = "" if references[key].url == "none" else f" {references[key].url}"
        yield f"[{number}] {references[key].citation}{url}"
    for method in group.figures:
        said = [method.note, *([f"Selection read in {method.evidence.text}."] if method.evidence else []), method.rerun]
        if any(said):
            yield f"{method.method}: {' '.join(text for text in said if text)}"


__all__ = ["CSV_COLUMNS", "published_csv", "published_records", "published_tables"]

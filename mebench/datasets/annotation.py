"""Finding a corpus' annotation workbook below a folder, whatever it is called, and choosing between several."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.clips import Note
from mebench.datasets.folders import entries, walk
from mebench.datasets.workbook import Columns, Sheet, cell_text, read_tables
from mebench.errors import AnnotationError

SUFFIXES = frozenset({".xlsx", ".xlsm", ".xls"})  # the last is looked at only to say that it cannot be read
DEEPEST = 4  # a workbook lies beside the frame folders or above them, themselves often nested twice


@dataclass(frozen=True, slots=True)
class Found:
    """The tables below a folder, and what was wrong with workbooks that were passed over."""

    sheets: tuple[Sheet, ...]
    faults: tuple[AnnotationError, ...] = ()

    @property
    def notes(self) -> tuple[Note, ...]:
        """The faults as warnings, for use where another workbook was good."""
        return tuple(Note("warning", f"passed over: {fault.what}") for fault in self.faults)


def find_tables(root: Path, columns: Columns, clip_folder: re.Pattern[str]) -> Found:
    """The tables of every workbook below the root, or in it where the root is a workbook.

    Folders of clips are not searched. Raises `AnnotationError` where the root does not exist or cannot be read.
    """
    sheets: list[Sheet] = []
    faults: list[AnnotationError] = []
    for path in workbooks(root, clip_folder):
        try:
            sheets += read_tables(path, columns)
        except AnnotationError as fault:
            faults.append(fault)
    return Found(tuple(sheets), tuple(faults))


def workbooks(root: Path, clip_folder: re.Pattern[str]) -> list[Path]:
    """The workbooks below the root, sorted; the root alone where it is a file."""
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise AnnotationError(f"{root} does not exist.", "Give the folder of the corpus as --data.")
    found: list[Path] = []
    for folder in [root, *walk(root, clip_folder, DEEPEST, refuse_links=False)]:
        if clip_folder.fullmatch(folder.name) is None or folder == root:
            found += [Path(entry.path) for entry in entries(folder) if _is_workbook(entry.name) and entry.is_file()]
    return sorted(found)


def demand_tables(found: Found, root: Path, what: str) -> None:
    """Raises `AnnotationError` where no table was found: the first fault of a workbook if one was at fault."""
    if found.sheets:
        return
    if found.faults:
        raise found.faults[0]
    place = "is no" if root.is_file() else "holds no"
    raise AnnotationError(
        f"{root} {place} {what}.", "Give the corpus folder with its workbook, or the .xlsx workbook itself, as --data."
    )


def choose_table(
    candidates: Sequence[tuple[str, Sheet]], annotation: str | None, root: Path, what: str
) -> tuple[str, Sheet]:
    """The one (version, table) among the candidates that is meant; copies of one table count as one.

    Raises `AnnotationError` where the version asked for is not there, or where different tables are and none was
    asked for.
    """
    distinct: dict[tuple[str, tuple[tuple[str, ...], ...]], Sheet] = {}
    for version, sheet in candidates:
        if annotation in (None, version):
            distinct.setdefault((version, _content(sheet)), sheet)
    if not distinct:
        there = ", ".join(sorted({version for version, _ in candidates}))
        raise AnnotationError(
            f"{root} holds no {what} of version {annotation!r} (it holds: {there}).",
            "Choose one that is there with --annotation, or leave the option out.",
        )
    (version, _), sheet = next(iter(distinct.items()))
    if len(distinct) > 1:
        raise _several([(name, table) for (name, _), table in distinct.items()], what)
    return version, sheet


def _several(tables: Sequence[tuple[str, Sheet]], what: str) -> AnnotationError:
    named = " and ".join(f"{sheet.path} ({version})" for version, sheet in tables)
    versions = list(dict.fromkeys(version for version, _ in tables))
    choice = " or ".join(f"--annotation {version}" for version in versions)
    fix = f"Pass {choice}." if len(versions) == len(tables) else "Keep one of them, or give it as --data."
    return AnnotationError(f"Different {what}s were found: {named}.", fix)


def _content(sheet: Sheet) -> tuple[tuple[str, ...], ...]:
    names = sorted(sheet.columns)
    return tuple(tuple(cell_text(line.cells[name]) for name in names) for line in sheet.lines)


def _is_workbook(name: str) -> bool:
    # `~$name.xlsx` is the lock that Excel lays beside an open workbook, `._name.xlsx` what macOS leaves on other disks.
    return Path(name).suffix.casefold() in SUFFIXES and not name.startswith(("~$", "."))


def match_name(text: str, pattern: re.Pattern[str], where: str, what: str) -> re.Match[str]:
    """The match of a subject or clip name, or `AnnotationError`: the table then belongs to another corpus."""
    match = pattern.fullmatch(text)
    if match is None:
        raise AnnotationError(
            f"{where}: {text[:40]!r} is no {what}.", "Give the annotation of this corpus; this one belongs to another."
        )
    return match


__all__ = ["Found", "choose_table", "demand_tables", "find_tables", "match_name", "workbooks"]

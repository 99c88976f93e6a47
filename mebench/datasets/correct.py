"""Corrections of released annotations: read, matched against version and old value, applied, recorded.

A file lists `[[entry]]` tables: `versions`, `clip` (`subject/name`), `field`, `old`, `reason`, `source` and, where
the value is replaced, `new` (an empty text for none). An entry without `new` records an odd value that is kept as
coded, and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from mebench.clips import Correction
from mebench.datasets.workbook import cell_text
from mebench.errors import CorrectionError
from mebench.sections import toml_values

FIELDS = frozenset({"onset", "apex", "offset", "action_units", "emotion", "objective"})
_REQUIRED = frozenset({"versions", "clip", "field", "old", "reason", "source"})

Values = Mapping[str, object]
"""The coded cells of one clip by field."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a corrections file; `new` None keeps the value."""

    versions: tuple[str, ...]
    clip: str
    field: str
    old: str
    new: str | None
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """The cells after correction, what was replaced, and the entries whose odd value was found and kept."""

    values: Mapping[str, Values]
    applied: tuple[Correction, ...]
    kept: tuple[Entry, ...]


@cache
def entries_of(corpus: str) -> tuple[Entry, ...]:
    """The entries that ship for a corpus (`casme2`, `samm`, `smic`); none where there is no file."""
    resource = files("mebench.datasets.corrections") / f"{corpus}.toml"
    return parse_entries(resource.read_text(encoding="utf-8"), resource.name) if resource.is_file() else ()


def parse_entries(text: str, origin: str) -> tuple[Entry, ...]:
    """The entries of a corrections file; raises `CorrectionError` where it is malformed or contradicts itself."""
    try:
        content = toml_values(text)
    except ValueError as error:
        raise CorrectionError(f"{origin} is not TOML: {error}.", "Correct the file.") from error
    tables = content.get("entry", [])
    if content.keys() - {"entry"} or not isinstance(tables, list):
        raise CorrectionError(f"{origin} holds something else than [[entry]] tables.", "Correct the file.")
    entries = tuple(_entry(table, f"{origin}, entry {n}") for n, table in enumerate(tables, 1))
    seen: set[tuple[str, str, str]] = set()
    for entry in entries:
        for version in entry.versions:
            key = (version, entry.clip, entry.field)
            if key in seen:
                raise CorrectionError(
                    f"{origin} has two entries for {entry.field} of {entry.clip} in {version}.", "Keep one of them."
                )
            seen.add(key)
    return entries


def correct(entries: tuple[Entry, ...], version: str, clips: Mapping[str, Values], *, strict: bool = True) -> Corrected:
    """The cells of each clip (`subject/name`) with the entries of this version applied where the old value matches.

    Raises `CorrectionError` where a clip is there, the version is the entry's, and the value to replace is another
    one: the annotation is then not the release it is taken for. Not strict, such an entry is passed over (synthetic
    corpora share the names of clips with the real ones, and nothing else).
    """
    values = {clip: dict(cells) for clip, cells in clips.items()}
    applied: list[Correction] = []
    kept: list[Entry] = []
    for entry in entries:
        if version not in entry.versions or entry.clip not in values:
            continue
        coded = cell_text(values[entry.clip].get(entry.field))
        if coded != entry.old:
            if strict and entry.new is not None:
                raise _differs(entry, version, coded)
        elif entry.new is None:
            kept.append(entry)
        else:
            values[entry.clip][entry.field] = entry.new
            applied.append(Correction(entry.clip, entry.field, entry.old, entry.new, entry.reason, entry.source))
    return Corrected(values, tuple(applied), tuple(kept))


def _entry(table: Any, where: str) -> Entry:
    if not isinstance(table, dict) or _REQUIRED - table.keys() or table.keys() - _REQUIRED - {"new"}:
        raise CorrectionError(f"{where}: the keys are not {', '.join(sorted(_REQUIRED))} and new.", "Correct the file.")
    versions = table["versions"]
    texts = {key: value for key, value in table.items() if key != "versions"}
    listed = isinstance(versions, list) and versions and all(isinstance(version, str) for version in versions)
    if not listed or not all(isinstance(value, str) for value in texts.values()):
        raise CorrectionError(f"{where}: versions must be a list of texts, all else text.", "Correct the file.")
    if texts["field"] not in FIELDS or texts["clip"].count("/") != 1 or not texts["reason"] or not texts["source"]:
        raise CorrectionError(
            f"{where}: field {texts['field']!r} of clip {texts['clip']!r} is unknown, or reason or source is empty.",
            f"A clip is subject/name; fields are {', '.join(sorted(FIELDS))}.",
        )
    if texts["old"] == texts.get("new"):
        raise CorrectionError(f"{where}: old and new are both {texts['old']!r}.", "Leave out `new` to keep a value.")
    return Entry(tuple(versions), new=texts.pop("new", None), **texts)


def _differs(entry: Entry, version: str, coded: str) -> CorrectionError:
    return CorrectionError(
        f"{entry.clip}: the correction of {entry.field} expects {entry.old!r} in {version}, "
        f"the annotation holds {coded!r}.",
        "Restore the released annotation, or load it without corrections.",
    )


__all__ = ["Corrected", "Entry", "correct", "entries_of", "parse_entries"]

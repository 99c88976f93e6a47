"""A TOML file read key by key, so that every mistake is named with file, key and value, and no key goes unread."""

import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from mebench.errors import ProtocolError

T = TypeVar("T")

LARGEST = 4_000_000
"""Characters of a file; the longest that ships, a list of figures in print, has 30,000."""
MOST_BYTES = 4 * LARGEST + 1
"""As many as so many characters may have, and one more, so that what is longer is seen to be."""


class Section:
    """One table of a protocol file.

    Each method gives the checked value of one key and raises ProtocolError where it is missing or of another type.
    `close` raises for keys nobody asked for: they are misspelt or not known.
    """

    def __init__(self, file: str, content: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
        self.file = file
        self.content = content
        self._path = path
        self._asked: list[str] = []

    def text(self, key: str) -> str:
        value = self._get(key, str, "a text")
        if not value.strip():
            raise self.error(key, "is empty", "Write a text.")
        return " ".join(value.split())

    def choice(self, key: str, allowed: Collection[str]) -> str:
        return self.member(key, self.text(key), allowed)

    def member(self, key: str, value: str, allowed: Collection[str]) -> str:
        """The value, which must be one of `allowed`; near ones are offered."""
        if value not in allowed:
            raise self.error(key, f"{value!r} is not known", _offer(value, allowed))
        return value

    def integer(self, key: str, minimum: int) -> int:
        value = self._get(key, int, "a whole number")
        if value < minimum:
            raise self.error(key, f"{value} is below {minimum}", f"Give {minimum} or more.")
        return value

    def truth(self, key: str, *, default: bool) -> bool:
        return self._get(key, bool, "true or false") if self.has(key) else default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of distinct texts, at least one."""
        values = self._get(key, list, "a list of texts")
        strange = [v for v in values if not isinstance(v, str)]
        if strange or not values:
            raise self.error(key, f"{values!r} is not a list of texts", 'Write ["one", "two"].')
        twice = [v for i, v in enumerate(values) if v in values[:i]]
        if twice:
            raise self.error(key, f"{twice[0]!r} stands twice", "Keep it once.")
        return tuple(values)

    def mapping(self, key: str) -> dict[str, str]:
        """A table of texts, at least one."""
        inner = self.section(key)
        return {name: inner.text(name) for name in inner._keys()}

    def numbers(self, key: str) -> dict[str, int]:
        """A table of whole numbers from 0, at least one."""
        inner = self.section(key)
        return {name: inner.integer(name, 0) for name in inner._keys()}

    def section(self, key: str) -> "Section":
        return Section(self.file, self._get(key, dict, "a table"), (*self._path, key))

    def named_sections(self, key: str) -> dict[str, "Section"]:
        """The tables inside the table `key`, by name, at least one."""
        inner = self.section(key)
        return {name: inner.section(name) for name in inner._keys()}

    def sections(self, key: str) -> tuple["Section", ...]:
        """The tables of an array of tables, at least one."""
        values = self._get(key, list, "an array of tables")
        if not values or not all(isinstance(v, dict) for v in values):
            raise self.error(key, f"{values!r} is not an array of tables", f"Write [[{'.'.join((*self._path, key))}]].")
        return tuple(Section(self.file, v, (*self._path, f"{key}[{i}]")) for i, v in enumerate(values, 1))

    def has(self, key: str) -> bool:
        self._asked.append(key)
        return key in self.content

    def close(self) -> None:
        unknown = [key for key in self.content if key not in self._asked]
        if unknown:
            raise self.error(unknown[0], "is not a key of this table", _offer(unknown[0], self._asked))

    def error(self, key: str, problem: str, fix: str) -> ProtocolError:
        """The error to raise for this key."""
        return ProtocolError(f"{self.file}: {'.'.join((*self._path, key))}: {problem}.", fix)

    def _keys(self) -> tuple[str, ...]:
        if not self.content:
            raise ProtocolError(f"{self.file}: {'.'.join(self._path)}: is empty.", "Write at least one entry.")
        return tuple(self.content)

    def _get(self, key: str, kind: type[T], words: str) -> T:
        if not self.has(key):
            near = get_close_matches(key, [k for k in self.content if k not in self._asked], n=1)
            raise self.error(key, "is missing", f"Rename {near[0]!r}." if near else f"Add it: {words}.")
        value = self.content[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"{value!r} is not {words}", f"Give {words}.")
        return value


def read_toml(content: bytes, file: str) -> Section:
    """The file as a section; raises ProtocolError where it is not UTF-8 or not TOML."""
    try:
        return Section(file, toml_values(content.decode("utf-8")))
    except ValueError as fault:
        raise ProtocolError(f"{file}: not TOML: {fault}.", "Correct the file at that place.") from fault


def toml_values(text: str) -> dict[str, Any]:
    """The values of a TOML text; ValueError where it is none, too long, or nested beyond reason."""
    if len(text) > LARGEST:
        raise ValueError(f"it is longer than {LARGEST:,} characters")
    try:
        return tomllib.loads(text)
    except RecursionError as fault:
        raise ValueError("it is nested too deeply") from fault


def _offer(value: str, known: Collection[str]) -> str:
    near = get_close_matches(value, list(known), n=2, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(sorted(known))}."

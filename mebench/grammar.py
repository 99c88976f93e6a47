"""The text of a recipe: `name(value, key=value) > name value > name`.

Values are whole numbers, decimals, `true`, `false`, `none`, words, quoted texts and parenthesised lists of these.
"""

import math
import re
from collections import deque
from dataclasses import dataclass
from typing import Any

from mebench.errors import UsageError

_TOKEN = re.compile(r"""\s*(?:(?P<mark>[>(),=])|(?P<quoted>"[^"]*")|(?P<word>[^\s>(),="]+))""")
_MARKS = frozenset(">(),=")
_WORDS = {"true": True, "false": False, "none": None}
_FORM = "Write name(value, key=value) > name ..., as in align(size=224) > onset-apex > flow(dis)."


@dataclass(frozen=True, slots=True)
class Call:
    """One step as written: its name, the values given by place and those given by name."""

    name: str
    positional: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()


def parse_calls(text: str) -> tuple[Call, ...]:
    """The steps of a recipe as written; raises UsageError where the text does not follow the grammar."""
    return _Reader(text).recipe()


def spell(value: Any) -> str:
    """A value as a recipe writes it: reading it back gives the same value."""
    if isinstance(value, tuple):
        return f"({', '.join(map(spell, value))})"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    plain = _TOKEN.fullmatch(value)
    return value if plain and plain["word"] == value and _value(value) == value else f'"{value}"'


class _Reader:
    """A text read token by token; quoted tokens keep their quotes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()

    def recipe(self) -> tuple[Call, ...]:
        calls = [self._call()]
        while self._take(">"):
            calls.append(self._call())
        if self._tokens:
            raise self._wrong()
        return tuple(calls)

    def _split(self) -> deque[str]:
        tokens: deque[str] = deque()
        text, at = self._text.rstrip(), 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise UsageError(f"Recipe {self._text!r} has an open quote.", _FORM)
            tokens.append(match[0].strip())
            at = match.end()
        return tokens

    def _call(self) -> Call:
        name = self._word()
        if self._take("("):
            return self._arguments(name)
        at_end = not self._tokens or self._tokens[0] in _MARKS
        return Call(name) if at_end else Call(name, (self._value(),))

    def _arguments(self, name: str) -> Call:
        positional: list[Any] = []
        named: list[tuple[str, Any]] = []
        while not self._take(")"):
            if len(self._tokens) > 1 and self._tokens[1] == "=":
                key = self._word()
                self._take("=")
                named.append((key, self._value()))
            elif named:
                raise self._wrong()
            else:
                positional.append(self._value())
            self._separator()
        return Call(name, tuple(positional), tuple(named))

    def _value(self) -> Any:
        if not self._take("("):
            return _value(self._word())
        values: list[Any] = []
        while not self._take(")"):
            values.append(self._value())
            self._separator()
        return tuple(values)

    def _separator(self) -> None:
        """A comma, unless the list ends here."""
        if not self._take(",") and (not self._tokens or self._tokens[0] != ")"):
            raise self._wrong()

    def _word(self) -> str:
        if not self._tokens or self._tokens[0] in _MARKS:
            raise self._wrong()
        return self._tokens.popleft()

    def _take(self, mark: str) -> bool:
        if self._tokens and self._tokens[0] == mark:
            self._tokens.popleft()
            return True
        return False

    def _wrong(self) -> UsageError:
        at = f"at {self._tokens[0]!r}" if self._tokens else "at its end"
        return UsageError(f"Recipe {self._text!r} cannot be read {at}.", _FORM)


def _value(word: str) -> Any:
    if word.startswith('"'):
        return word[1:-1]
    if word.casefold() in _WORDS:
        return _WORDS[word.casefold()]
    for number in (int, float):
        try:
            value = number(word)
        except ValueError:
            continue
        if math.isfinite(value):
            return value
    return word


__all__ = ["Call", "parse_calls", "spell"]

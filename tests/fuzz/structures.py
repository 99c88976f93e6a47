"""Nested values, as TOML and JSON files hold them, changed in one place or a few; and TOML written from them."""

import json
import math
import random
from collections.abc import Iterator
from datetime import date, time
from typing import Any

from tests.fuzz.values import NUMBERS, scalar, text

Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value inside."""
    inner: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for key, held in inner:
        yield (*path, key)
        yield from places(held, (*path, key))


def at(value: Any, path: Path) -> Any:
    """What lies at a path."""
    for key in path:
        value = value[key]
    return value


def changed(rng: random.Random, value: Any, *, dates: bool, likely: tuple[Path, ...] = ()) -> str:
    """The value is changed in place, somewhere; says where and how. `dates` are values too, if the format has them."""
    there = list(places(value))
    if not there:
        return "nothing is left to change"
    path = rng.choice([one for one in likely if one in there] or there) if rng.random() < 0.4 else rng.choice(there)
    holder, key = at(value, path[:-1]), path[-1]
    old = holder[key]
    how = rng.choice(
        ("other", "other", "other", "near", "near", "gone", "renamed", "doubled", "wrapped", "emptied", "deep")
    )
    if how == "gone":
        del holder[key]
    elif how == "renamed" and isinstance(holder, dict):
        new = rng.choice((str(key) + "s", str(key).upper(), text(rng), "x"))
        holder[new] = holder.pop(key)
        return f"{path}: renamed {new!r:.60}"
    elif how == "doubled" and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), old)
    elif how == "wrapped":
        holder[key] = rng.choice(([old], {"x": old}, [[old]]))
    elif how == "emptied":
        holder[key] = type(old)() if isinstance(old, str | list | dict) else rng.choice(([], {}, ""))
    elif how == "deep":
        for _ in range(rng.choice((3, 60))):
            old = [old]
        holder[key] = old
    elif how == "near":
        holder[key] = near(rng, old)
    else:
        new = scalar(rng)
        holder[key] = new if dates or not isinstance(new, date | time) else None
    return f"{path}: {how} {holder[key] if how in ('near', 'other') else ''!r:.80}"


def near(rng: random.Random, old: Any) -> Any:
    """A value of the same kind."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return rng.choice((old + 1, old - 1, -old, old * 1000, 0, 10**30, rng.choice(NUMBERS)))
    if isinstance(old, float):
        return rng.choice((old + 0.25, -old, float("nan"), float("inf"), int(old) if math.isfinite(old) else 0))
    if isinstance(old, str):
        return rng.choice((old + "x", old[:-1], old.upper(), f" {old}\n", old.replace("a", "ä"), text(rng), old * 2))
    if isinstance(old, list):
        return rng.choice((old[::-1], old[:-1], old + old, [*old, scalar(rng)]))
    if isinstance(old, dict):
        return rng.choice((dict(list(old.items())[:-1]), old | {text(rng): scalar(rng)}, list(old)))
    return scalar(rng)


def toml(document: dict[str, Any]) -> str:
    """The document as TOML: everything below the first level inline; a value TOML has no word for is left out."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in document.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < 10**4000 else "9" * 5000
    if isinstance(value, float):
        return str(value) if not math.isfinite(value) or "e" in repr(value) or "." in repr(value) else f"{value!r}.0"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(v) for v in value if v is not None)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + "}"
    return value.isoformat()


def _key(key: Any) -> str:
    return _text(str(key))


def _text(value: str) -> str:
    return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


__all__ = ["at", "changed", "near", "places", "toml"]

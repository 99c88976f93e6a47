"""Where a long training leaves its state, so that a killed fold goes on from there instead of starting over.

Who runs a fold opens a folder for it with `keeping`; whatever trains inside asks for a `slot`, which is None where no
folder is open. Slots are numbered in the order in which they are asked for, the same in every process, and a slot holds
the state of one training only: what lies there under another key counts as nothing.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from mebench.errors import StoreError
from mebench.files import fault_point, read_sealed, write_sealed

EVERY_S = 60.0
"""Seconds of training that a kill may cost: writing a ResNet-18 and its momenta, 90 MB, takes about one."""


@dataclass(slots=True)
class _Place:
    """A folder for the slots of one fold; `saved` is when any of them was last written, or when it was opened."""

    folder: Path
    every_s: float
    given: int = 0
    saved: float = field(default_factory=time.monotonic)


_OPEN: ContextVar[_Place | None] = ContextVar("mebench_checkpoints", default=None)


@dataclass(frozen=True)
class Slot:
    """Where one training keeps its state; `key` says which training it is, everything that decides it included."""

    path: Path
    key: str
    _place: _Place

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._place.saved >= self._place.every_s

    def load(self) -> bytes | None:
        """What an earlier process saved, None where there is nothing whole that belongs to this training."""
        try:
            data, notes = read_sealed(self.path)
        except StoreError:
            return None
        return data if notes.get("key") == self.key else None

    def save(self, data: bytes) -> None:
        """Puts the state in place of the one before, whole or not at all."""
        write_sealed(self.path, data, {"key": self.key})
        self._place.saved = time.monotonic()
        fault_point("after-checkpoint")


@contextmanager
def keeping(folder: Path | None, every_s: float = EVERY_S) -> Iterator[None]:
    """Nothing; inside, trainings keep their state in the folder every so many seconds, nowhere if it is None."""
    before = _OPEN.set(None if folder is None else _Place(folder, every_s))
    try:
        yield
    finally:
        _OPEN.reset(before)


def next_slot(key: Callable[[], str]) -> Slot | None:
    """The next slot; None where nobody keeps states. The key is asked for only where somebody does."""
    place = _OPEN.get()
    if place is None:
        return None
    place.given += 1
    return Slot(place.folder / f"training-{place.given:04d}", key(), place)


def remembered(key: Callable[[], str], compute: Callable[[], bytes], *, always: bool = False) -> bytes:
    """What `compute` gives, or gave to an earlier process that was killed later on; kept where due, or `always`.

    What is trained inside has slots of its own, removed once the result is kept.
    """
    slot = next_slot(key)
    if slot is None:
        return compute()
    kept = slot.load()
    if kept is not None:
        return kept
    inside = slot.path.with_name(f"{slot.path.name}-inside")
    before = _OPEN.set(_Place(inside, slot._place.every_s, saved=slot._place.saved))
    try:
        found = compute()
    finally:
        _OPEN.reset(before)
    if always or slot.due:
        slot.save(found)
        drop(inside)
    return found


def drop(folder: Path) -> None:
    """Nothing; the folder and the states in it are gone."""
    shutil.rmtree(folder, ignore_errors=True)


__all__ = ["EVERY_S", "Slot", "drop", "keeping", "next_slot", "remembered"]

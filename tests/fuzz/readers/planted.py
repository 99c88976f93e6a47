"""Readers with one fault each, for the test that the harness sees it."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mebench.errors import DataError
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.spoken import say


def _reader(name: str, read: Callable[[Place], Any], wrong: str = "") -> Reader:
    def make(rng: random.Random, place: Place) -> Case:
        del rng
        return Case("planted", True, lambda: read(place), lambda found: wrong)

    return Reader(name, make)


def _raise(error: Exception) -> Callable[[Place], Any]:
    def read(place: Place) -> Any:
        raise error

    return read


def _hang(place: Place) -> None:
    if any(place.outside.glob("armed")):  # not when the harness warms the reader up
        time.sleep(600)
    (place.outside / "armed").touch()


def _turn(place: Place) -> None:
    while any(place.outside.glob("armed")):
        pass
    (place.outside / "armed").touch()


def _write(place: Place) -> None:
    Path("stray.txt").write_text("x")  # the working directory is none of the reader's


def _in_c(place: Place) -> None:
    import h5py

    h5py.File(place.outside / "stray.h5", "w").close()  # which no audit event tells of


SOUND = _reader("planted sound", lambda place: None)
REFUSED = _reader("planted refused", _raise(DataError("It is damaged.", "Restore it.")))
MUTE = _reader("planted mute", _raise(DataError("", "")))
TRACEBACK = _reader("planted traceback", _raise(KeyError("x")))
SPOKEN = _reader("planted spoken", lambda place: say(["show", "nothing-of-that-name"]))
MISCOUNT = _reader("planted miscount", lambda place: None, "one clip too few")
WROTE = _reader("planted wrote", _write)
IN_C = _reader("planted wrote in C", _in_c)
RUN = _reader("planted ran", lambda place: os.system("true"))
MEMORY = _reader("planted memory", lambda place: bytearray(4 << 30))
DIED = _reader("planted died", lambda place: os._exit(3) if any(place.outside.glob("armed")) else _arm(place))
HANG = _reader("planted hang", _hang)
BUSY = _reader("planted busy", _turn)


def _arm(place: Place) -> None:
    (place.outside / "armed").touch()

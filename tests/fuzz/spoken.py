"""Commands given in this process as a user gives them: exit status and what was printed, held to the two-line rule."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mebench.cli import status
from mebench.errors import MebenchError


@dataclass(frozen=True)
class Said:
    """What a command that was not refused printed."""

    status: int
    out: str
    err: str


class RefusedError(MebenchError):
    """A command that ended with status 1 or 2 and two lines."""


class UndisciplinedError(AssertionError):
    """A command that ended otherwise than in two lines."""


def say(arguments: Sequence[object]) -> Said:
    """What the command said.

    Raises RefusedError where it complained in two lines, UndisciplinedError where its exit status, its standard error
    or a character it printed is none a user may meet. File descriptors are captured: what C libraries print counts.
    """
    with _captured() as (out, err):
        code = status([str(argument) for argument in arguments])
        sys.stdout.flush()
        sys.stderr.flush()
    said = Said(code, _text(out), _text(err))
    fault = _fault(said)
    if fault:
        raise UndisciplinedError(f"{fault}: status {code}, {said.err[-300:]!r} {said.out[:100]!r}")
    if said.err:
        what, fix = said.err.splitlines()
        raise RefusedError(what.removeprefix("error: "), fix.removeprefix("  fix: "))
    return said


def _fault(said: Said) -> str:
    lines = said.err.splitlines()
    told = len(lines) == 2 and lines[0].startswith("error: ") and lines[1].startswith("  fix: ")
    if said.status not in (0, 1, 2, 3):
        return "an exit status that is none"
    if "Internal error" in said.err or "Traceback" in said.err:
        return "a traceback"
    if lines and not told:
        return "standard error is not two lines"
    if told and said.status not in (1, 2):
        return "a complaint without its status"
    if said.status in (1, 2) and not told and not said.out:
        return "a failure without a word"
    if not all(line.isprintable() for line in [*lines, *said.out.split("\n")]):
        return "characters that do not print"
    return ""


@contextmanager
def _captured() -> Iterator[tuple[int, int]]:
    """File descriptors that hold what is written to standard output and standard error in the block."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    held = [os.memfd_create(name) for name in ("out", "err")]
    for number, descriptor in enumerate(held, 1):
        os.dup2(descriptor, number)
    try:
        yield held[0], held[1]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read().decode("utf-8", "backslashreplace")


__all__ = ["RefusedError", "Said", "UndisciplinedError", "say"]

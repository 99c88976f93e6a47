"""Functions that tests send to worker processes; they import no test module."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mebench.errors import FrameError


def double(number: int) -> int:
    return 2 * number


def refuse_odd(number: int) -> int:
    if number % 2:
        raise FrameError(f"{number} is odd.", "Give an even number.")
    return number


def die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def divide_by(number: int) -> float:
    return 1 / number


def count_threads(_: int) -> tuple[int, str]:
    import cv2

    return cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]


def sleep_and_note(path: Path) -> None:
    """Notes its process, then sleeps for a minute; tidies up when it is told to stop."""
    path.write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        path.with_suffix(".tidy").touch()


def die_once(marker: Path) -> int:
    """Kills its process the first time, and answers with the process that came through."""
    if not marker.exists():
        marker.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def die_always(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Carried:
    """A task that can travel with its arrays; `place` is on the disk of whoever made it."""

    factor: float
    place: Path | None
    arrays: Mapping[str, Any]

    def parted(self) -> "tuple[Carried, Mapping[str, Any]]":
        return replace(self, place=None, arrays={}), self.arrays

    def joined(self, inputs: Mapping[str, Any]) -> "Carried":
        return replace(self, arrays=inputs)


def weigh(task: Carried) -> tuple[float, bool, int]:
    return task.factor * sum(float(a.sum()) for a in task.arrays.values()), task.place is None, os.getpid()


def own_process(_: int) -> int:
    return os.getpid()


def never(*_: Any) -> bool:
    return False

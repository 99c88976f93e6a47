"""Functions that tests send to worker processes; they import no test module."""

import os
import signal
import time
from pathlib import Path

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

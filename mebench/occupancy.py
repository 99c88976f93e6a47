"""Who works under a home: many that add to it at a time, or one that takes away.

The lock is the kernel's (`flock`) and dies with the process that holds it, kill -9 included; the file stays and is
empty.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mebench.errors import RunError

LOCK = ".lock"


@contextmanager
def adding(home: Path) -> Iterator[None]:
    """Holds the home for this process among others that add to it; RunError while something is taken away from it."""
    home.mkdir(parents=True, exist_ok=True)
    with _held(home / LOCK, fcntl.LOCK_SH, f"mebench forget is at work under {home}."):
        yield


@contextmanager
def removing(home: Path) -> Iterator[None]:
    """Holds the home for this process alone; RunError while another process works under it."""
    with _held(home / LOCK, fcntl.LOCK_EX, f"Another mebench works under {home}."):
        yield


@contextmanager
def idle(lock: Path) -> Iterator[None]:
    """Holds the lock file of a shard for this process; RunError where another process holds it."""
    with _held(lock, fcntl.LOCK_EX, f"Another process is working on {lock.parent}."):
        yield


@contextmanager
def _held(path: Path, kind: int, refusal: str) -> Iterator[None]:
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise RunError(refusal, "Wait until it has ended, then give this command again.") from taken
        yield

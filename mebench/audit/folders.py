"""What is opened below folders while a block runs, by whatever process and library: inotify, on Linux.

The kernel reports it, so that a read from HDF5, OpenCV or a child process is seen like any other. Elsewhere than on
Linux nothing can be seen, and `available` says so.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_ACCESS, _MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _OPEN = 0x1, 0x2, 0x40, 0x80, 0x100, 0x200, 0x20
_MASK = _ACCESS | _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _OPEN
_OVERFLOW = 0x4000
_HEADER = struct.Struct("iIII")  # watch, mask, cookie, length of the name (inotify(7))


class FolderWatch:
    """Sees what is opened, read, written or listed below the folders from entering to leaving the block.

    `paths` are those touched; `complete` says whether every folder could be watched and no event was lost.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._roots = tuple(folders)
        self._names: dict[int, str] = {}
        self._handle = -1
        self.paths: tuple[str, ...] = ()
        self.complete = available()

    def __enter__(self) -> Self:
        if not available():
            return self
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._handle < 0:
            self.complete = False
            return self
        for folder in [f for root in self._roots for f, _, _ in os.walk(root)]:
            number = libc.inotify_add_watch(self._handle, os.fsencode(folder), _MASK)
            self.complete &= number >= 0
            self._names[number] = folder
        self._events()  # walking the folders opened them
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle < 0:
            return
        self.paths = tuple(sorted(set(self._events())))
        os.close(self._handle)

    def _events(self) -> list[str]:
        """The paths of all events that wait; an event on a folder itself bears the folder's path."""
        found: list[str] = []
        while True:
            try:
                data = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                number, mask, _, length = _HEADER.unpack_from(data, at)
                name = os.fsdecode(data[at + _HEADER.size : at + _HEADER.size + length].rstrip(b"\0"))
                at += _HEADER.size + length
                self.complete &= not mask & _OVERFLOW
                if number in self._names:
                    found.append(os.path.join(self._names[number], name) if name else self._names[number])


def available() -> bool:
    """Whether this system can say what is opened."""
    return sys.platform == "linux"


__all__ = ["FolderWatch", "available"]

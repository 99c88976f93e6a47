"""What a process does while a model is imported, fitted and asked: files, frames, processes, network, patches.

An audit hook (PEP 578) sees what goes through Python: it cannot be taken off again, and it cannot see what native code
opens by itself (HDF5, OpenCV): for folders that are known, `mebench.audit.folders` sees that from outside.
"""

import functools
import os
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from mebench.files import sha256_file

Kind = Literal["opens", "lists", "writes", "looks at frames or live objects", "starts a process", "connects"]

_OPENS = frozenset({"open", "sqlite3.connect"})
_LISTS = frozenset({"os.listdir", "os.scandir", "glob.glob"})
_REACHES = frozenset(
    "sys._getframe sys._current_frames sys.settrace sys.setprofile gc.get_objects gc.get_referrers "
    "gc.get_referents ctypes.dlopen ctypes.addressof ctypes.string_at ctypes.cdata".split()
)
_FRAME_ATTRIBUTES = frozenset({"tb_frame", "gi_frame", "cr_frame", "ag_frame"})
_PROCESSES = frozenset(
    "subprocess.Popen os.system os.exec os.fork os.forkpty os.posix_spawn os.spawn pty.spawn".split()
)
_NETWORK = frozenset({"socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"})

_CODE = frozenset({".py", ".pyc", ".pyi", ".so", ".pth"})
"""What an import opens, wherever it lies."""
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/lib/", "/usr/share/", "/lib/")
_SHARED = ("/dev/shm/", "/dev/mqueue/")  # noqa: S108  what is left there outlives a process
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

PATCHABLE = tuple(
    "clips diagnostics evaluation execute files fold_jobs folds grouping predictions protocol runs scores "
    "scoring".split()
)
"""Modules of the core whose functions and classes stand between a model and its score."""
_FOREIGN = ("builtins", "numpy", "sklearn", "sklearn.base", "sklearn.utils.metadata_routing")


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One thing that was seen: its kind, what it concerned, and during which fit."""

    kind: Kind
    what: str
    phase: str


class Watch:
    """Records events of this process from `start` on; `phase` names what is being done.

    `places` are the folders of corpora and home, in which nothing may be opened. A library reads its own files and a
    model may keep scratch files for the length of one phase; everything else that was there before and is opened
    counts, unless its SHA-256 is one of those in `declared`. Frames, live objects and processes count where the code
    that reaches for them lies in `owned`, the model's own files.
    """

    def __init__(self, places: Iterable[str]) -> None:
        self.phase = "import"
        self.declared: frozenset[str] = frozenset()
        self.owned: tuple[str, ...] = ()
        self._places = tuple(_folder(place) for place in places)
        self._seen: dict[Event, None] = {}
        self._scratch: dict[str, str] = {}
        self._inside = threading.local()

    def start(self) -> None:
        """Watches from now on, for the life of the process."""
        sys.addaudithook(self._hook)

    def events(self) -> tuple[Event, ...]:
        """What was seen so far; files whose content is declared left out."""
        self._inside.on = True
        try:
            return tuple(event for event in self._seen if not self._is_declared(event))
        finally:
            self._inside.on = False

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in _WATCHED or getattr(self._inside, "on", False):
            return
        self._inside.on = True  # looking at a frame is itself an event
        try:
            for found in self._events(event, args):
                self._seen.setdefault(Event(found[0], found[1], self.phase))
        finally:
            self._inside.on = False

    def _events(self, event: str, args: tuple[Any, ...]) -> Iterator[tuple[Kind, str]]:
        if event in _OPENS:
            yield from self._opened(args)
        elif event in _LISTS:
            yield from self._listed(args)
        elif event in _NETWORK:
            if not (len(args) > 1 and isinstance(args[1], str | bytes) and event != "socket.getaddrinfo"):
                yield "connects", f"{event}{args[1:] if event != 'socket.getaddrinfo' else args[:2]}"
        elif event in _PROCESSES:
            if self._owns(_caller(skipping_libraries=True)):
                yield "starts a process", f"{event} {args[0] if args else ''}".strip()
        elif event != "object.__getattr__" or args[1] in _FRAME_ATTRIBUTES:
            caller = _caller(skipping_libraries=False)
            if self._owns(caller):
                yield "looks at frames or live objects", f"{event} in {_place(caller)}"

    def _opened(self, args: tuple[Any, ...]) -> Iterator[tuple[Kind, str]]:
        path = _absolute(args[0])
        if path is None:
            return
        inside = path.startswith(self._places)
        if not inside and _is_software(path):
            return
        if path.startswith(_temporary()):  # empty when the process began: what is there is the model's own
            if self._scratch.setdefault(path, self.phase) != self.phase:
                yield "opens", f"{os.path.basename(path)}, a scratch file of another fold"
            return
        mode, flags = args[1] if len(args) > 1 else None, args[2] if len(args) > 2 else 0
        for_writing = flags & _WRITING if isinstance(flags, int) else 0
        yield "writes" if for_writing or set(str(mode or "")) & set("wax+") else "opens", path

    def _listed(self, args: tuple[Any, ...]) -> Iterator[tuple[Kind, str]]:
        path = _absolute(args[0] if args and args[0] is not None else ".")
        if path is not None and (path + os.sep).startswith(self._places):
            yield "lists", path

    def _owns(self, frame: FrameType | None) -> bool:
        return frame is not None and os.path.realpath(frame.f_code.co_filename).startswith(self.owned or ("\0",))

    def _is_declared(self, event: Event) -> bool:
        if event.kind != "opens" or not self.declared or not Path(event.what).is_file():
            return False
        return sha256_file(Path(event.what)) in self.declared


_WATCHED = _OPENS | _LISTS | _REACHES | _PROCESSES | _NETWORK | {"object.__getattr__"}


def owned_by(factory: type[Any]) -> tuple[str, ...]:
    """The files that are a model's own: its file, or the package it comes in, of mebench only that plugin."""
    source = getattr(sys.modules.get(factory.__module__), "__file__", None)
    if source is None:
        return ()
    place, core = Path(source).resolve(), Path(__file__).resolve().parent.parent
    while (place.parent / "__init__.py").is_file() and place.parent != core:
        place = place.parent
    return (_folder(str(place)) if place.is_dir() else str(place),)


def functions_now() -> dict[str, tuple[int, int]]:
    """Identity of every function and class, and of its code, that stands between a model and its score."""
    names = [*(f"mebench.{name}" for name in PATCHABLE), *_FOREIGN]
    found: dict[str, tuple[int, int]] = {}
    for name in names:
        module = import_module(name)
        for key, value in vars(module).copy().items():
            if key.startswith("__") or not (callable(value) or isinstance(value, type)):
                continue
            found[f"{name}.{key}"] = (id(value), id(getattr(value, "__code__", None)))
            if isinstance(value, type) and name.startswith("mebench."):
                found |= {
                    f"{name}.{key}.{k}": (id(v), id(getattr(v, "__code__", None))) for k, v in vars(value).items()
                }
    return found


def _caller(*, skipping_libraries: bool) -> FrameType | None:
    """The frame that made the event: the first outside this file, `inspect` and nameless code; further up, the first
    outside the standard library."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        mine = file == __file__ or file.startswith("<") or os.path.basename(file) == "inspect.py"
        if not (mine or (skipping_libraries and file.startswith(_standard()))):
            return frame
        frame = frame.f_back
    return None


def _place(frame: FrameType | None) -> str:
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else "nowhere"


def _absolute(path: Any) -> str | None:
    """The real path; None for a file descriptor."""
    if isinstance(path, int):
        return None
    try:
        return os.path.realpath(os.fsdecode(path))
    except (TypeError, ValueError):
        return None


def _is_software(path: str) -> bool:
    """Whether a path is that of code, of a library's data, of a compiler's cache or of the system."""
    name, suffix = os.path.basename(path), os.path.splitext(path)[1]
    return (
        suffix in _CODE
        or (path.startswith((*_SYSTEM, *_libraries())) and not path.startswith(_SHARED) and name != "mem")
        or any(part in path + os.sep for part in ("/__pycache__/", ".egg-info/", ".dist-info/"))
        or name.startswith(("fontlist", "matplotlibrc"))
        or path in sys.path  # a zip of code
    )


@functools.cache
def _libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    roots = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib", "include")]
    return tuple(_folder(root) for root in roots)


@functools.cache
def _standard() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(f"{paths[key]}{os.sep}" for key in ("stdlib", "platstdlib"))


def _temporary() -> str:
    import tempfile

    return _folder(tempfile.gettempdir())


def _folder(path: str) -> str:
    return os.path.realpath(path) + os.sep


__all__ = ["Event", "Kind", "Watch", "functions_now", "owned_by"]

"""One mutated input: made, read, judged.

Whatever a reader is given, it succeeds or raises one `MebenchError`. Any other exception, a wait beyond the limit,
memory beyond the limit, a write outside the home, a process started, and a wrong count in silence are faults.
"""

import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mebench.errors import MebenchError

Kind = Literal["read", "refused", "traceback", "memory", "wrote", "miscount", "hang", "died"]
FAULTS: tuple[Kind, ...] = ("traceback", "hang", "memory", "died", "wrote", "miscount")
LIMIT_S = 60.0
"""How long one input may take: the slowest sound one takes a second, on a busy machine ten times that."""
_TELLING = 400

Judge = Callable[[Any], str]
"""What is silently wrong with a successful reading, in words; an empty text where nothing is."""


@dataclass(frozen=True)
class Case:
    """One input: what was done to it, whether its container is still valid, how it is read and judged.

    `harmless` holds folders beside the home that the reader may write to.
    """

    title: str
    valid: bool
    read: Callable[[], Any]
    judge: Judge
    harmless: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where inputs lie: `work` is emptied before each, `home` inside it is where mebench may write.

    `kept` holds what a reader prepares once; nothing may change there, nor in `outside`.
    """

    root: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def home(self) -> Path:
        return self.work / "home"

    @property
    def kept(self) -> Path:
        return self.root / "kept"

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"


@dataclass(frozen=True)
class Reader:
    """A family of inputs: `prepare` lays down what is mutated, once; `make` draws one case from it."""

    name: str
    make: Callable[[random.Random, Place], Case]
    prepare: Callable[[Place], None] = lambda place: None


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    reader: str
    seed: int
    kind: Kind
    title: str = ""
    valid: bool = False
    said: str = ""
    seconds: float = 0.0

    @property
    def fault(self) -> bool:
        """Whether this must not happen."""
        return self.kind in FAULTS


@dataclass
class _Watch:
    """What the process did that no reader may do, as the interpreter's audit events tell."""

    allowed: tuple[str, ...] = ()
    active: bool = False
    seen: list[str] = field(default_factory=list)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active:
            return
        if event in _STARTS:
            self.seen.append(f"{event} {arguments[0]!r:.200}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self._path(event, arguments[0])
        elif event in _CHANGES:
            for path in arguments[: _CHANGES[event]]:
                self._path(event, path, arguments[-1])

    def _path(self, event: str, path: Any, folder: Any = -1) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            whole = os.fsdecode(path)
            if isinstance(folder, int) and folder >= 0:  # relative to an open folder
                whole = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), whole)
            text = os.path.join(os.path.realpath(os.path.dirname(whole) or "."), os.path.basename(whole)) + "/"
            if not text.startswith((*self.allowed, "/dev/", "/proc/")):
                self.seen.append(f"{event} {whole!r:.200}")


_STARTS = frozenset({"os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "socket.connect"})
_CHANGES = {
    "os.mkdir": 1, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.symlink": 2, "os.link": 2, "os.chmod": 1,
    "os.truncate": 1, "shutil.rmtree": 1,
}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_WATCH = _Watch()


def install() -> None:
    """The audit hook is in place, and Python writes no byte code meanwhile; hooks cannot be taken out again."""
    sys.dont_write_bytecode = True
    sys.addaudithook(_WATCH)


def lay_out(root: Path) -> Place:
    """The folders of a place, with the tree that must not change."""
    place = Place(root.resolve())
    for folder in (place.work, place.kept, place.outside / "deeper", place.temporary):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("secret.txt", "deeper/secret.jpg", "img50.jpg"):
        (place.outside / name).write_bytes(b"nobody may read or change this")
    os.chdir(place.outside)  # what writes to a relative path writes where it is seen
    tempfile.tempdir = str(place.temporary)
    os.environ.update(TMPDIR=str(place.temporary), HOME=str(place.outside), XDG_DATA_HOME=str(place.outside))
    return place


def generator(reader: str, seed: int) -> random.Random:
    """The generator of one input."""
    return random.Random(f"{reader} {seed}")


def play(reader: Reader, seed: int, place: Place) -> Outcome:
    """The outcome of one input."""
    shutil.rmtree(place.work)
    place.home.mkdir(parents=True)
    case = reader.make(generator(reader.name, seed), place)
    before = _snapshot(place)
    started = time.perf_counter()
    with _watched(place, case) as seen:
        kind, said = _read(case)
    seconds = time.perf_counter() - started
    changed = sorted(before.symmetric_difference(_snapshot(place)))
    left = [entry.name for entry in os.scandir(place.temporary)]
    if seen or changed or left:
        kind, said = "wrote", f"{seen[:3]} {[c[0] for c in changed[:3]]} {left[:3]} after {kind} {said}"
        shutil.rmtree(place.temporary)
        place.temporary.mkdir()
    return Outcome(reader.name, seed, kind, case.title, case.valid, said[:_TELLING], seconds)


def _read(case: Case) -> tuple[Kind, str]:
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = case.read()
    except MebenchError as error:
        fault = _fault_of(error) or (f"warned: {told[0].message}" if told else "")
        return ("traceback", fault) if fault else ("refused", f"{type(error).__name__}: {error.what}")
    except MemoryError as error:
        return "memory", _where(error)
    except Exception as error:  # the very thing looked for
        return "traceback", _where(error)
    if told:  # a user would see it on standard error
        return "traceback", f"warned: {told[0].category.__name__}: {told[0].message}"
    try:
        said = case.judge(found)
    except Exception as error:
        return "miscount", f"what was read cannot be judged: {_where(error)}"
    return ("miscount", said) if said else ("read", "")


def _fault_of(error: MebenchError) -> str:
    """What is wrong with an error that should be two lines that print."""
    for text in (error.what, error.fix):
        if not text or not text.isprintable() or len(text) > 5_000:
            return f"{type(error).__name__} says {text[:200]!r} ({len(text)} characters)"
    return ""


def _where(error: BaseException) -> str:
    """The exception and the last places it came through, innermost first."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)]
    return f"{type(error).__name__}: {str(error)[:160]!r} at {' < '.join(places[:6])}"


@contextmanager
def _watched(place: Place, case: Case) -> Iterator[list[str]]:
    _WATCH.allowed = tuple(f"{path}/" for path in (place.home, place.temporary, *case.harmless))
    _WATCH.seen = []
    _WATCH.active = True
    try:
        yield _WATCH.seen
    finally:
        _WATCH.active = False


def _snapshot(place: Place) -> set[tuple[str, int, int]]:
    """Every file and folder that must stay as it is: path, size, time."""
    return {entry for folder in (place.work, place.kept, place.outside) for entry in _entries(str(folder), place)}


def _entries(folder: str, place: Place) -> Iterator[tuple[str, int, int]]:
    for entry in os.scandir(folder):
        if entry.path == str(place.home):
            continue
        facts = entry.stat(follow_symlinks=False)
        folder_here = entry.is_dir(follow_symlinks=False)
        yield entry.path, 0 if folder_here else facts.st_size, 0 if folder_here else facts.st_mtime_ns
        if folder_here:
            yield from _entries(entry.path, place)


__all__ = ["FAULTS", "LIMIT_S", "Case", "Kind", "Outcome", "Place", "Reader", "generator", "install", "lay_out", "play"]

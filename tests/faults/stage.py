"""A command under test: what it works on, how it is run in a child, and what it must have made in the end."""

import hashlib
import io
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from mebench.cache import verify
from mebench.cli import status
from mebench.errors import StoreError
from mebench.files import read_sealed, sidecar

NOBODY = 65534
PATIENCE_S = 120.0
"""After which a command hangs: the slowest takes a second, on a busy machine ten."""


@dataclass(frozen=True)
class Child:
    """How a command is run: killed at a `fault`, with files of at most `largest` bytes, as a user who owns nothing."""

    fault: str = ""
    largest: int | None = None
    as_nobody: bool = False
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a command ended, minus the signal where one killed it, and what it said."""

    code: int
    said: str

    @property
    def clear(self) -> bool:
        """Whether it ended well, was stopped from outside, or said what is wrong in two lines."""
        if self.code in (0, 3) or self.code < 0:
            return "Traceback" not in self.said
        errors = [line for line in self.said.splitlines() if line.startswith(("error: ", "  fix: "))]
        return self.code in (1, 130) and len(errors) == 2 and "Internal error" not in self.said


@dataclass(frozen=True)
class Stage:
    """A command and the sealed files it makes: those of its home that match `units`, by what names them to a person."""

    name: str
    place: Path
    arguments: tuple[str, ...]
    units: str
    reference: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def start(self, home: Path, how: Child = Child()) -> ForkServerProcess:
        """The command, under way in a child; what it says goes to a file beside the home."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.faults.warm"])
        process = context.Process(target=_live, args=(home, [*self.arguments, *how.more], how))
        process.start()
        return process

    def run(self, home: Path, how: Child = Child()) -> Ended:
        """The command, to its end."""
        return ended(self.start(home, how), home)

    def whole(self, home: Path) -> dict[str, tuple[int, str]]:
        """Inode and digest of every unit that is whole: a unit made anew has another inode."""
        found = {}
        for path in home.glob(self.units):
            with suppress(StoreError):
                digest = hashlib.sha256(read_sealed(path)[0]).hexdigest()
                found[str(path.relative_to(home))] = (path.stat().st_ino, digest)
        return found

    def results(self, home: Path) -> dict[str, str]:
        """Digests of all units, and of a run's predictions."""
        found = {name: digest for name, (_, digest) in self.whole(home).items()}
        for path in home.glob("runs/*/*/*/seed-0/predictions.csv"):
            found[str(path.relative_to(home))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


@dataclass(frozen=True)
class Verdict:
    """What one disturbance did: units lost or wrong, units made anew beyond those in flight, and anything unclear."""

    scenario: str
    seed: int
    kills: int
    lost: int
    wrong: int
    beyond: int
    unclear: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, wrong, made needlessly or said badly."""
        return not (self.lost or self.wrong or self.beyond or self.unclear)


def judge(
    stage: Stage, home: Path, before: Mapping[str, tuple[int, str]], last: Ended
) -> tuple[int, int, int, list[str]]:
    """Lost, wrong and needlessly made units after the `last` command, and what else is amiss.

    `before` are the units that were whole and right when it started.
    """
    results, after = stage.results(home), stage.whole(home)
    lost = sum(name not in results for name in stage.reference)
    wrong = sum(digest != stage.reference.get(name) for name, digest in results.items())
    beyond = sum(name in after and after[name][0] != inode for name, (inode, _) in before.items())
    amiss = [] if last.code == 0 else [f"the same command ended with {last.code}: {last.said[-300:]}"]
    found = verify(home)
    amiss += [f"left {one.state}: {one.path.name}" for one in found.findings]
    amiss += [f"left behind: {path.name}" for path in home.rglob("states") if path.is_dir()]
    return lost, wrong, beyond, amiss


def ended(process: ForkServerProcess, home: Path) -> Ended:
    """How the child ended."""
    process.join(PATIENCE_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        return Ended(124, f"it hung for {PATIENCE_S:.0f} s")
    log = _log(home, process.pid or 0)
    said = log.read_text(errors="replace") if log.exists() else ""
    log.unlink(missing_ok=True)
    return Ended(int(process.exitcode), said)


def known(stage: Stage, home: Path) -> Stage:
    """The stage with what the undisturbed command makes in this home, and how long that takes once all is warm."""
    stage.run(home.with_name("warming"))
    started = time.perf_counter()
    made = stage.run(home)
    if made.code != 0:
        raise RuntimeError(f"{stage.name} does not work undisturbed: {made.said}")
    return Stage(
        stage.name, stage.place, stage.arguments, stage.units, stage.results(home), time.perf_counter() - started
    )


def forget_seal(path: Path) -> None:
    """The file as a kill between it and its digest leaves it."""
    sidecar(path).unlink()


def _log(home: Path, pid: int) -> Path:
    return home.with_name(f"{home.name}.{pid}.log")


def _live(home: Path, arguments: list[str], how: Child) -> None:
    """A child's life."""
    os.environ["MEBENCH_FAULT"] = how.fault
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(_log(home, os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if how.as_nobody:
        status(["--home", str(home.with_name("scratch")), *arguments])  # loads what nobody may not read
        os.ftruncate(log, os.lseek(log, 0, os.SEEK_SET))
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        Path(__file__).read_bytes()  # what cannot be read may not pass for a home that cannot be written
    code = _status(["--home", str(home), *arguments], how.largest)
    sys.stdout.flush()
    os._exit(code)


def _status(arguments: list[str], largest: int | None) -> int:
    """The status of the command; with a limit on the size of files, but for the file that what it says goes to."""
    if largest is None:
        return status(arguments)
    said = io.StringIO()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    with redirect_stdout(said), redirect_stderr(said):
        code = status(arguments)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    sys.stdout.write(said.getvalue())
    return code

"""Tasks in worker processes: one thread each, results as they come, a dead worker a record and not a hang.

`concurrent.futures` gives up on every waiting task when one worker dies and cannot say which task killed it. Here each
worker holds one task at a time, so the parent knows; the worker is replaced and the others never notice. `executing`
hands the tasks to an `Executor` instead, such as a cluster.
"""

import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, Protocol, TypeVar

from mebench.errors import MebenchError

T = TypeVar("T")
R = TypeVar("R")

_THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
_GRACE_S = 5.0
"""How long a worker may take to put away its temporary file when it is told to stop."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What became of one task: its `value`, or the `error` that ended it.

    `lost` counts the workers that went away while they held it; the task was begun anew on another.
    """

    name: str
    value: R | None = None
    error: MebenchError | None = None
    lost: int = 0


class Executor(Protocol):
    """Somewhere else where tasks run: an outcome for every one of them, as they end, as `run_tasks` promises it.

    `jobs` is how many processes this machine may use for what cannot be sent away.
    """

    def run(self, function: Callable[[T], R], tasks: Mapping[str, T], *, jobs: int) -> Iterator[Outcome[R]]:
        """The outcomes of `function(task)`; closing the iterator gives up what is not done."""
        ...


_ELSEWHERE: ContextVar[Executor | None] = ContextVar("mebench executor", default=None)


@contextmanager
def executing(executor: Executor | None) -> Iterator[None]:
    """Within it, `run_tasks` hands its tasks to this executor; None is this machine."""
    token = _ELSEWHERE.set(executor)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


def run_tasks(function: Callable[[T], R], tasks: Mapping[str, T], *, jobs: int = 1) -> Iterator[Outcome[R]]:
    """The outcome of `function(task)` for every named task, in the order in which they finish.

    With more than one job, tasks and results travel between spawned processes: the function must be importable and the
    values must pickle. A `MebenchError` and the death of a worker become the outcome of their task; any other exception
    is a fault of the program and is raised here as `RuntimeError` with the worker's traceback. Closing the iterator,
    Ctrl-C included, stops the workers.
    """
    executor = _ELSEWHERE.get()
    yield from run_here(function, tasks, jobs=jobs) if executor is None else executor.run(function, tasks, jobs=jobs)


def run_here(function: Callable[[T], R], tasks: Mapping[str, T], *, jobs: int = 1) -> Iterator[Outcome[R]]:
    """As `run_tasks`, on this machine whatever the executor."""
    if jobs <= 1 or len(tasks) <= 1:
        with one_thread():
            yield from (attempt(function, name, task) for name, task in tasks.items())
    else:
        yield from _run_in_workers(function, tasks, min(jobs, len(tasks)))


@contextmanager
def one_thread() -> Iterator[None]:
    """Holds the numerical libraries that are loaded at one thread, so that a worker and this process compute alike."""
    from threadpoolctl import threadpool_limits

    before = _threads()
    _set_threads(dict.fromkeys(before, 1))
    try:
        with threadpool_limits(1):  # BLAS and OpenMP, which have no switch of their own in Python
            yield
    finally:
        _set_threads(before)


def _threads() -> dict[str, int]:
    """Threads in use by each of the libraries that are loaded and keep a pool of their own."""
    count = {"cv2": "getNumThreads", "torch": "get_num_threads"}
    return {name: int(getattr(sys.modules[name], get)()) for name, get in count.items() if name in sys.modules}


def _set_threads(counts: Mapping[str, int]) -> None:
    change = {"cv2": "setNumThreads", "torch": "set_num_threads"}
    for name, threads in counts.items():
        getattr(sys.modules[name], change[name])(threads)


def attempt(function: Callable[[T], R], name: str, task: T) -> Outcome[R]:
    """The outcome of one task in this process; what is no `MebenchError` is raised."""
    try:
        return Outcome(name, value=function(task))
    except MebenchError as error:
        return Outcome(name, error=error)


@dataclass(slots=True)
class _Worker(Generic[T, R]):
    """A process, the pipe to it, and the task it holds."""

    process: BaseProcess
    pipe: Connection
    name: str = ""

    def give(self, name: str, task: T) -> None:
        """Hand over a task; where the worker is gone, `take` will say so."""
        self.name = name
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send((name, task))

    def take(self) -> Outcome[R]:
        """The outcome of the task held; a worker that died yields its death."""
        try:
            answer = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Outcome(self.name, error=_death(self.name, self.process.exitcode))
        if isinstance(answer, str):
            raise RuntimeError(f"{self.name} failed in a worker process:\n{answer}")
        outcome: Outcome[R] = answer
        return outcome


def _run_in_workers(function: Callable[[T], R], tasks: Mapping[str, T], jobs: int) -> Iterator[Outcome[R]]:
    waiting = deque(tasks.items())
    staff = [_hire(function) for _ in range(jobs)]
    busy: dict[object, _Worker[T, R]] = {}
    try:
        for worker in staff:
            worker.give(*waiting.popleft())
            busy[worker.pipe] = worker
        while busy:
            for pipe in wait([worker.pipe for worker in busy.values()]):
                worker = busy.pop(pipe)
                outcome = worker.take()
                if waiting and worker.process.exitcode is not None:
                    worker = _hire(function)
                    staff.append(worker)
                if waiting:
                    worker.give(*waiting.popleft())
                    busy[worker.pipe] = worker
                else:
                    worker.pipe.close()
                yield outcome
    finally:
        _dismiss(staff)


def _hire(function: Callable[[T], R]) -> "_Worker[T, R]":
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, function), daemon=True)
    with _one_thread_in_children():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, function: Callable[[T], R]) -> None:
    """A worker's life: take a task, send its outcome, until the parent closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        while True:
            name, task = pipe.recv()
            try:
                answer: Outcome[R] | str = attempt(function, name, task)
            except Exception:  # carried to the parent, which raises it
                answer = traceback.format_exc()
            pipe.send(answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _dismiss(staff: "list[_Worker[T, R]]") -> None:
    for worker in staff:
        idle = worker.pipe.closed
        worker.pipe.close()
        if not idle:
            worker.process.terminate()
    for worker in staff:
        worker.process.join(_GRACE_S)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()


@contextmanager
def _one_thread_in_children() -> Iterator[None]:
    """Libraries read these settings when they load, so they must stand in the environment before the child starts."""
    before = {name: os.environ.get(name) for name in _THREAD_SETTINGS}
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _death(name: str, exit_code: int | None) -> MebenchError:
    by = f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit status {exit_code}"
    return MebenchError(
        f"{name}: the worker process died ({by}).",
        "Memory may have run out: give the same command again with fewer --jobs.",
    )


__all__ = ["Executor", "Outcome", "attempt", "executing", "one_thread", "run_here", "run_tasks"]

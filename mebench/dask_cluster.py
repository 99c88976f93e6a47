"""Tasks on a Dask cluster that exists already: `--executor dask --scheduler tcp://HOST:8786`.

The workers must be processes of one thread with the same mebench and the same versions of everything that may change a
prediction; each task looks at that before it starts, because workers come and go. Where the workers see the home under
its own path, tasks read and write it there. Where they do not, what can travel does: fitted folds take their inputs
with them, and everything else is done on this machine. The scheduler gives the tasks of a worker that is gone to
another; how often that happened comes back with the outcome.
"""

import secrets
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mebench.errors import MebenchError, RunError, UsageError
from mebench.parallel import Outcome, attempt, one_thread, run_here
from mebench.runs import environment

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

Arrays = Mapping[str, NDArray[Any]]

ANSWER_S = 30.0
"""How long a scheduler may take to answer, and its first worker to be there."""
GONE = (OSError, TimeoutError, RuntimeError, CancelledError)
"""What distributed raises where a scheduler is gone: closed connections, closed loops, cancelled futures."""
ATTEMPTS = 3
"""How often a task is sent where the cluster lost what it needs, its arrays for instance with all their holders."""


@runtime_checkable
class Portable(Protocol):
    """A task that can be done without this machine's disk."""

    def parted(self) -> tuple["Portable", Arrays]:
        """What is small, and the arrays that many tasks share."""
        ...

    def joined(self, inputs: Arrays) -> "Portable":
        """The task whole again."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker sends back: an outcome, or the traceback of what is no `MebenchError`."""

    outcome: Outcome[Any] | None
    trace: str = ""


@contextmanager
def cluster(places: Sequence[Path], scheduler: str | None) -> Iterator["DaskExecutor"]:
    """The executor for this scheduler; raises UsageError without one, RunError where nobody answers or fits."""
    if scheduler is None:
        raise UsageError(
            "--executor dask needs the address of a scheduler.", "Add --scheduler tcp://HOST:8786, as dask prints it."
        )
    client = _client(scheduler)
    try:
        _check_workers(client, scheduler)
        yield DaskExecutor(client, scheduler, shared=_all_see(client, places))
    finally:
        with suppress(*GONE):  # who is gone cannot be said goodbye to
            client.close(timeout=5)


class DaskExecutor:
    """Runs tasks on the workers of a scheduler. `shared` says whether they see the home under its own path."""

    def __init__(self, client: "Client", scheduler: str, *, shared: bool) -> None:
        self.client = client
        self.scheduler = scheduler
        self.shared = shared

    def run(self, function: Callable[[T], R], tasks: Mapping[str, T], *, jobs: int) -> Iterator[Outcome[R]]:
        """The outcomes of the tasks as they end; those that cannot travel are done here."""
        if self.shared:
            yield from self._run(_do, function, {name: (task, None) for name, task in tasks.items()})
        elif all(isinstance(task, Portable) for task in tasks.values()):
            yield from self._run(_do_joined, function, {name: task.parted() for name, task in tasks.items()})  # type: ignore[attr-defined]
        else:
            yield from run_here(function, tasks, jobs=jobs)

    def _run(
        self, work: Callable[..., Answer], function: Callable[[T], R], tasks: Mapping[str, tuple[Any, Arrays | None]]
    ) -> Iterator[Outcome[R]]:
        left, lost = dict(tasks), dict.fromkeys(tasks, 0)
        for _ in range(ATTEMPTS):
            sent: dict[Future, str] = {}
            try:
                sent = self._send(work, function, left)
                for future, name in self._ended(sent):
                    lost[name] += self._times_lost(future.key)
                    outcome = _outcome(future, name, lost[name])
                    if outcome is not None:
                        del left[name]
                        yield outcome
            finally:
                with suppress(*GONE):
                    self.client.cancel(list(sent), force=True)
            if not left:
                return
            lost |= {name: lost[name] + 1 for name in left}
        for name in left:
            yield Outcome(name, error=_gone(name, self.scheduler), lost=lost[name])

    def _send(
        self, work: Callable[..., Answer], function: Callable[[T], R], tasks: Mapping[str, tuple[Any, Arrays | None]]
    ) -> "dict[Future, str]":
        """Every task under way; arrays that several of them share travel once."""
        arrays = {id(own): own for _, own in tasks.values() if own is not None}
        try:
            spread = {key: self.client.scatter(_plain(own), broadcast=True, hash=False) for key, own in arrays.items()}
            mark, expected = secrets.token_hex(4), environment()
            return {
                self.client.submit(
                    work,
                    function,
                    name,
                    task,
                    None if own is None else spread[id(own)],
                    expected,
                    key=f"mebench-{mark}-{name}",
                    pure=False,
                ): name
                for name, (task, own) in tasks.items()
            }
        except GONE as fault:
            raise RunError(
                f"The scheduler {self.scheduler} does not answer any more.",
                "What was finished is kept; give the same command again when it is back.",
            ) from fault

    def _ended(self, sent: "Mapping[Future, str]") -> "Iterator[tuple[Future, str]]":
        from distributed import as_completed

        for future in as_completed(list(sent), loop=self.client.loop, with_results=False):
            yield future, sent[future]

    def _times_lost(self, key: str) -> int:
        """How many workers went away while they held this task."""
        try:
            return int(self.client.run_on_scheduler(_suspicion, key=key))
        except GONE:  # it tells nothing then; the outcome itself says so
            return 0


def _client(scheduler: str) -> "Client":
    try:
        from distributed import Client
    except ImportError as fault:
        raise UsageError("Dask is not installed.", "pip install 'mebench[dask]'") from fault
    try:
        return Client(scheduler, timeout=ANSWER_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as fault:
        raise RunError(
            f"No Dask scheduler answers at {scheduler}.", "Check the address; `dask scheduler` prints it."
        ) from fault


def _check_workers(client: "Client", scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=ANSWER_S)
    except TimeoutError as fault:
        raise RunError(
            f"The scheduler {scheduler} has no workers.", f"Start some: dask worker {scheduler} --nthreads 1."
        ) from fault
    found = client.run(_unfit, environment(), on_error="return")
    for worker, reason in found.items():
        if reason is not None:
            raise RunError(f"The worker {worker} {reason}.", "Start it in the same environment with --nthreads 1.")


def _all_see(client: "Client", places: Sequence[Path]) -> bool:
    """Whether every worker reads in the home what is written here, and sees the other folders."""
    home, *others = places
    home.mkdir(parents=True, exist_ok=True)
    token, path = secrets.token_hex(8), home / f".seen-{secrets.token_hex(4)}"
    try:
        path.write_text(token)
        seen = client.run(_sees, path, token, others, on_error="return")
        return all(answer is True for answer in seen.values())
    finally:
        path.unlink(missing_ok=True)


def _sees(path: Path, token: str, others: Sequence[Path]) -> bool:
    """Runs on a worker."""
    try:
        return path.read_text() == token and all(other.exists() for other in others)
    except OSError:
        return False


def _unfit(expected: Mapping[str, str], dask_worker: Any = None) -> str | None:
    """Why this worker cannot give the predictions that this machine would; None where it can. Runs on a worker."""
    from distributed import get_worker

    threads = (dask_worker or get_worker()).state.nthreads  # named so, it is passed where no task is under way
    if threads != 1:
        return f"has {threads} threads, and training is reproducible on one"
    own = environment()
    changed = [
        f"{key} {own.get(key)}, not {expected[key]}" for key in sorted(expected) if own.get(key) != expected[key]
    ]
    return f"differs: {'; '.join(changed)}" if changed else None


def _do(function: Callable[[Any], Any], name: str, task: Any, _: None, expected: Mapping[str, str]) -> Answer:
    """One task on a worker."""
    fault = _unfit(expected)
    if fault:
        error = MebenchError(f"{name}: the worker {fault}.", "Start workers in the same environment with --nthreads 1.")
        return Answer(Outcome(name, error=error))
    try:
        with one_thread():
            return Answer(attempt(function, name, task))
    except Exception:  # carried to the machine that asked, which raises it
        return Answer(None, traceback.format_exc())


def _do_joined(
    function: Callable[[Any], Any], name: str, task: Portable, arrays: Arrays, expected: Mapping[str, str]
) -> Answer:
    """One task on a worker that got its arrays with it."""
    return _do(function, name, task.joined(arrays), None, expected)


def _suspicion(key: str, dask_scheduler: Any = None) -> int:
    """Runs on the scheduler."""
    task = dask_scheduler.tasks.get(key)
    return 0 if task is None else int(task.suspicious)


def _outcome(future: "Future", name: str, lost: int) -> Outcome[Any] | None:
    """What came of one task; None where the cluster lost it and it must be sent again."""
    from distributed import KilledWorker

    if future.cancelled() or future.status == "lost":
        return None
    try:
        answer: Answer = future.result(timeout=ANSWER_S)
    except KilledWorker as fault:
        error = MebenchError(
            f"{name}: {lost or 'several'} workers went away while they held it; the last was {fault.last_worker}.",
            "Memory may have run out there: give the same command again with larger workers.",
        )
        return Outcome(name, error=error, lost=lost)
    except (OSError, TimeoutError):
        return None
    if answer.outcome is None:
        raise RuntimeError(f"{name} failed on a worker:\n{answer.trace}")
    return Outcome(name, answer.outcome.value, answer.outcome.error, lost)


def _plain(inputs: Arrays) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(inputs[name]) for name in inputs}


def _gone(name: str, scheduler: str) -> MebenchError:
    return MebenchError(
        f"{name}: the cluster at {scheduler} lost it {ATTEMPTS} times.",
        "What was finished is kept; give the same command again when the cluster is back.",
    )


__all__ = ["DaskExecutor", "Portable", "cluster"]

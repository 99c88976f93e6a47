"""A model under watch: a process of its own that is handed folds one by one and tells what the model did meanwhile.

Each process comes from a server that has never seen a model or a label, runs the very fold loop of a benchmark run
under the command line of one, and ends with its session: what a model keeps in memory dies with it.
"""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path

from mebench import plugins
from mebench.audit.folders import FolderWatch
from mebench.audit.watch import Event, Watch, functions_now, owned_by
from mebench.errors import MebenchError, ModelError
from mebench.evaluation import Inputs, evaluate_folds
from mebench.execute import build_model, identity_of, recipe_of
from mebench.parallel import one_thread
from mebench.predictions import Prediction
from mebench.protocol import Fold, Task
from mebench.verdicts import Identity
from mebench.weights.declared import weights_of

Start = Literal["forkserver", "spawn"]
"""`forkserver` starts in milliseconds; `spawn` gives the process a hash seed of its own."""

_PRELOADED = ["mebench.audit.session", "sklearn.svm", "sklearn.linear_model", "sklearn.pipeline", "scipy.special"]
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The model under audit, as asked for."""

    model: str
    settings: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process finds: the home it is told of, the folders in which nothing may be opened, its command line.

    `environment` is set before the model is imported.
    """

    home: Path
    places: tuple[Path, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Description:
    """What a model says of itself: its recipe (None where it names none), parameters, what it asks for, who it is."""

    recipe: str | None
    parameters: Mapping[str, Any]
    multilabel: bool
    title: str
    identity: Identity
    fits_folds: bool = False

    @property
    def looks_at_nothing(self) -> bool:
        """Whether the recipe is `none`: every clip is an empty array to the model."""
        return self.recipe == "none"


@dataclass(frozen=True, slots=True)
class Job:
    """One fold to fit and to predict, with the inputs of its clips; or several at once, `beside` being the others."""

    key: str
    task: Task
    fold: Fold
    inputs: Inputs
    seed: int = 0
    beside: tuple[tuple[Task, Fold], ...] = ()


@dataclass(frozen=True)
class Transcript:
    """What a session gave: predictions by job, what failed and why, and what was seen."""

    rows: Mapping[str, tuple[Prediction, ...]]
    failed: Mapping[str, str]
    events: tuple[Event, ...] = ()
    patched: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    watched: bool = True

    def all_rows(self) -> tuple[Prediction, ...]:
        """The predictions of all jobs, in their order."""
        return tuple(row for rows in self.rows.values() for row in rows)


def describe(candidate: Candidate, surroundings: Surroundings) -> Description:
    """What the model says of itself, asked in a process of its own; raises what loading it raises."""
    with _process(candidate, surroundings, "forkserver") as (_, description):
        return description


def attend(
    candidate: Candidate, surroundings: Surroundings, jobs: Iterable[Job], start: Start = "forkserver"
) -> Transcript:
    """The transcript of a fresh process in which the model is given these jobs in order."""
    rows: dict[str, tuple[Prediction, ...]] = {}
    failed: dict[str, str] = {}
    told: tuple[tuple[Event, ...], tuple[str, ...]] = ((), ())
    with FolderWatch(surroundings.places) as folders, _process(candidate, surroundings, start) as (pipe, _):
        try:
            for job in jobs:
                pipe.send(job)  # one at a time: no process holds the labels of two versions of a task
                answer = pipe.recv()
                if isinstance(answer, str):
                    failed[job.key] = answer
                else:
                    rows[job.key] = answer
            pipe.send(None)
            told = pipe.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            failed["process"] = "the process died"
    return Transcript(rows, failed, *told, touched=folders.paths, watched=folders.complete)


@contextmanager
def _process(
    candidate: Candidate, surroundings: Surroundings, start: Start
) -> Iterator[tuple[Connection, Description]]:
    context = get_context("spawn") if start == "spawn" else get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    ours, theirs = context.Pipe()
    seed = {"PYTHONHASHSEED": "1"} if start == "spawn" else {}
    with tempfile.TemporaryDirectory(prefix="mebench-scratch-") as scratch:
        process = context.Process(target=_serve, args=(theirs, candidate, surroundings, scratch))
        with _environment(dict.fromkeys(_ONE_THREAD, "1") | seed):  # read when libraries and interpreter start
            process.start()
        theirs.close()
        try:
            yield ours, _introduced(ours, candidate)
        finally:
            ours.close()
            process.join(10)
            if process.exitcode is None:
                process.kill()
                process.join()


def _introduced(pipe: Connection, candidate: Candidate) -> Description:
    try:
        first = pipe.recv()
    except EOFError:
        raise ModelError(f"{candidate.model} ends the process that imports it.", "Correct the model.") from None
    if isinstance(first, MebenchError):
        raise first
    assert isinstance(first, Description)
    return first


def _serve(pipe: Connection, candidate: Candidate, surroundings: Surroundings, scratch: str) -> None:
    """The life of the process: import under watch, describe, run jobs until told to stop, tell what was seen."""
    with suppress(BrokenPipeError, ConnectionResetError):  # the audit is gone: nobody is left to tell
        _converse(pipe, candidate, surroundings, scratch)


def _converse(pipe: Connection, candidate: Candidate, surroundings: Surroundings, scratch: str) -> None:
    usual_home = user_data_path("mebench", appauthor=False)  # a model may look there, whatever it is told
    _settle(surroundings, scratch)
    before = functions_now()
    watch = Watch(map(str, (*surroundings.places, usual_home)))
    path, colon, _ = candidate.model.rpartition(":")
    if colon and path.endswith(".py"):
        watch.owned = (os.path.realpath(path),)
    watch.start()
    try:
        model, described = _built(candidate, watch)
    except MebenchError as fault:
        pipe.send(fault)
        return
    except Exception as fault:  # a stranger's model may raise anything
        pipe.send(ModelError(f"{candidate.model} cannot be built: {type(fault).__name__}: {fault}.", "Correct it."))
        return
    pipe.send(described)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        if job is None:
            break
        watch.phase = job.key
        pipe.send(_attempt(model, job))
        del job
    now = functions_now()
    pipe.send((watch.events(), tuple(sorted(name for name, was in before.items() if now.get(name) != was))))


def _settle(surroundings: Surroundings, scratch: str) -> None:
    """Makes the process look like one of a run, apart from standard output, which is the audit's."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    os.environ.update(surroundings.environment, MEBENCH_HOME=str(surroundings.home), TMPDIR=scratch)
    tempfile.tempdir = scratch
    sys.argv[:] = surroundings.arguments


def _built(candidate: Candidate, watch: Watch) -> tuple[Any, Description]:
    """The model, one for all folds as in `mebench.evaluate`, so that what a class keeps from fold to fold shows."""
    source = plugins.load_model(candidate.model)
    watch.owned = owned_by(source.factory) or watch.owned
    model = build_model(candidate.model, candidate.settings, candidate.device, candidate.preset)
    watch.declared = frozenset(weights_of(model).values())
    parameters = {key: value for key, value in model.get_params(deep=False).items() if _plain(value)}
    return model, Description(
        recipe=recipe_of(model) if hasattr(model, "inputs") else None,
        parameters=parameters,
        multilabel=bool(getattr(model, "multilabel", False)),
        title=str(getattr(model, "title", type(model).__name__)),
        fits_folds=hasattr(model, "fit_folds"),
        identity=identity_of(source, model),
    )


def _attempt(model: Any, job: Job) -> tuple[Prediction, ...] | str:
    try:
        with one_thread():
            return evaluate_folds(model, ((job.task, job.fold), *job.beside), job.inputs, job.seed)[0]
    except MebenchError as fault:
        return fault.what
    except Exception as fault:  # a stranger's model may raise anything
        return f"{type(fault).__name__}: {fault}"


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | tuple)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


__all__ = ["Candidate", "Description", "Job", "Start", "Surroundings", "Transcript", "attend", "describe"]

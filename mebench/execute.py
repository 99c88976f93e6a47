"""From a request on the command line to runs on disk: tables, task, inputs, then folds, in workers."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mebench import checkpoints, plugins, runs
from mebench.api import aggregate_of
from mebench.corpora import given_tables, tables_for, unavailable
from mebench.errors import UsageError
from mebench.evaluation import Inputs, blank_inputs
from mebench.fold_jobs import FoldJob, FoldResult, build_model, group_name, run_fold, run_folds
from mebench.grouping import grouped, most_folds
from mebench.inputs import compute_inputs, parse_recipe
from mebench.occupancy import adding
from mebench.parallel import run_tasks
from mebench.peeked import asked_per_epoch, check_peeking, inflation_of
from mebench.progress import Progress, silent
from mebench.protocol import Fold, Protocol, Suite, Task, load_protocol, resolve
from mebench.requests import MemberReport, Request, RunReport
from mebench.runs import RunSpec, SeedRun, StoredRun
from mebench.verdicts import Identity
from mebench.weights.declared import declared, recorded, refuse_overlap, remarks, settled, weight_facts, weights_of

NO_INPUT = "none"
PROBED_CLIPS = 6  # enough to see past the first, which compiles and loads


def run_request(request: Request, *, jobs: int = 1, progress: Progress = silent) -> RunReport:
    """Runs every protocol of the request whose corpora are at hand, and reports.

    Raises DataError where none is.
    """
    request = replace(request, settings=settled(request.home, _factory(request), request.settings))
    model = requested_model(request)  # a wrong name, parameter or file of weights is told before any work
    starting = tuple(model.start_notes()) if hasattr(model, "start_notes") else ()
    given = given_tables(request.data, request.annotations, corrections=request.corrections)
    wanted = _members(request)
    faults = {protocol.name: unavailable(protocol, request.home, given) for protocol in wanted}
    left_out = {name: fault for name, fault in faults.items() if fault}
    if len(left_out) == len(wanted):
        raise next(iter(left_out.values()))
    perform = estimate if request.estimate else _run_member
    members = []
    for protocol in wanted:
        if protocol.name not in left_out:
            tables = tables_for(protocol, request.home, given)
            task = resolve(protocol, tables, allow_partial=request.allow_partial)
            refuse_overlap(declared(request.home, model), task)
            with adding(request.home):
                member = perform(request, task, jobs, progress)
            said = (*starting, *remarks(declared(request.home, model), task))
            members.append(replace(member, notes=(*member.notes, *said)))
    return RunReport(tuple(members), {name: fault.what for name, fault in left_out.items()})


def requested_model(request: Request) -> Any:
    """The model that was asked for, with the parameters of its preset and those set."""
    return build_model(request.model, request.settings, request.device, request.preset)


def _factory(request: Request) -> type[Any]:
    return plugins.load_model(request.model).factory


def recipe_of(model: Any) -> str:
    """The recipe of the model's input; a model that names none is given no input."""
    return str(model.inputs()) if hasattr(model, "inputs") else NO_INPUT


def identity_of(source: plugins.ModelSource, model: Any) -> Identity:
    """Which model this is, wherever it runs: seed and device are no part of it."""
    parameters = {k: v for k, v in model.get_params(deep=False).items() if k not in ("random_state", "device")}
    return Identity(
        model=source.name,
        version=int(getattr(model, "version", 1)),
        digest=source.digest,
        parameters=recorded(model, {key: plain(value) for key, value in parameters.items()}),
        weights=weights_of(model),
    )


def spec_of(request: Request, task: Task, model: Any, recipe: str, input_key: str) -> RunSpec:
    """Everything that decides what this run predicts."""
    identity = identity_of(plugins.load_model(request.model), model)
    parsed = parse_recipe(recipe)
    return RunSpec(
        protocol=task.protocol.name,
        protocol_digest=task.protocol.digest,
        fingerprints=dict(task.fingerprints),
        model=identity.model,
        model_version=identity.version,
        model_digest=identity.digest,
        parameters=identity.parameters,
        recipe=recipe,
        input_key=input_key,
        selection=str(getattr(model, "selection", "undeclared")),
        weights=identity.weights,
        partial=task.partial,
        facts={
            "title": str(getattr(model, "title", type(model).__name__)),
            "fidelity": getattr(model, "fidelity", None),
            "source": str(getattr(model, "source", "")),
            "privilege": parsed.privilege,
            "apex_source": parsed.apex_source,
            **weight_facts(request.home, model),
        },
    )


def estimate(request: Request, task: Task, jobs: int, progress: Progress = silent) -> MemberReport:
    """How long the run will take and how much memory, from the inputs of a few clips and one fold; keeps no result.

    The fold is the one with most training clips. Clips whose input is not made yet are stood in for by those that are;
    of a network two epochs are timed.
    """
    model = requested_model(request)
    recipe = recipe_of(model)
    notes, inputs = _preset_notes(request), blank_inputs(task)
    if recipe != NO_INPUT:
        probed = [item.clip for item in task.items[:PROBED_CLIPS]]
        started = time.perf_counter()
        made = compute_inputs(request.home, recipe, probed, jobs=1, progress=progress)
        seconds = (time.perf_counter() - started) / len(probed)
        arrays = [made[clip] for clip in made]
        inputs = {item.id: arrays[i % len(arrays)] for i, item in enumerate(task.items)}
        whole = seconds * len(task.items) / jobs
        notes.append(f"inputs: {seconds:.2f} s per clip, {len(task.items)} clips: about {_span(whole)}, then cached")
    fold = max(task.folds, key=lambda f: len(f.train))
    result, seconds = timed_fold(FoldJob.of(request, task, fold, inputs, seed=0), model)
    folds = len(task.folds) * request.seeds
    whole = seconds * folds / jobs
    notes.append(result.what or f"folds: {seconds:.1f} s each, {folds} folds: about {_span(whole)} with {jobs} jobs")
    notes.append(
        f"memory: {result.peak_mib:.0f} MiB at the peak of one job, about {result.peak_mib * jobs:.0f} MiB in all"
    )
    failed = {fold.id: result.what} if result.what else {}
    return MemberReport(task.protocol.name, "estimate", request.home, folds, 0, failed, {}, tuple(notes))


def timed_fold(job: FoldJob, model: Any) -> tuple[FoldResult, float]:
    """The fold's result and the seconds a whole fold takes; of a model with `epochs`, told from two of them."""
    epochs = model.get_params(deep=False).get("epochs")
    if not isinstance(epochs, int) or epochs <= 2:
        result = run_fold(job)
        return result, _seconds(result)
    run_fold(replace(job, settings={**job.settings, "epochs": "1"}))  # loads and warms up, which happens once
    timed = run_fold(replace(job, settings={**job.settings, "epochs": "2"}))
    return timed, _seconds(timed) / 2 * epochs


def _seconds(result: FoldResult) -> float:
    return result.cost.seconds if result.cost else 0.0


def _members(request: Request) -> Sequence[Protocol]:
    loaded = load_protocol(request.protocol)
    members = loaded.members if isinstance(loaded, Suite) else (loaded,)
    chosen = [m for m in members if not request.only or set(m.datasets) <= set(request.only)]
    if not chosen:
        raise UsageError(
            f"No protocol of {request.protocol} stands on {', '.join(request.only)} alone.",
            f"Its corpora are {', '.join(sorted({d for m in members for d in m.datasets}))}.",
        )
    return chosen


def _run_member(request: Request, task: Task, jobs: int, progress: Progress) -> MemberReport:
    model = requested_model(request)
    recipe = recipe_of(model)
    inputs, input_key, missing = _inputs(request, task, recipe, jobs, progress)
    spec = spec_of(request, task, model, recipe, input_key)
    facts = _manifest_facts(request, task, inputs, missing)
    most = most_folds(model, task, inputs, request.folds_at_once)
    # What looks at nothing is done before a worker has started; folds that fill a device are not joined by others.
    workers = 1 if recipe == NO_INPUT or (most > 1 and request.folds_at_once is None) else jobs
    if request.measure_peeking:
        check_peeking(model, task)
    failed: dict[str, str] = {}
    notes = _preset_notes(request)
    seed_runs: list[SeedRun] = []
    done = 0
    for seed in range(request.seeds):
        seed_run = runs.open_seed(request.home, spec, seed, facts, fresh=request.fresh)
        with runs.locked(seed_run, f"{request.shard[0]}/{request.shard[1]}"):
            notes += [f"fold {f.id} (seed {seed}) was damaged: redone" for f in task.folds if seed_run.damaged(f.id)]
            run_missing(request, task, spec, seed_run, inputs, workers, progress, most)
        seed_run.finish()
        done += sum(seed_run.done(fold.id) for fold in task.folds)
        failed |= {f"{fold} (seed {seed})": what for fold, what in seed_run.failures().items()}
        seed_runs.append(seed_run)
    inflation = inflation_of(StoredRun(spec.id, tuple(seed_runs))) if request.measure_peeking else None
    notes += inflation.lines() if inflation else []
    folder = runs.run_folder(request.home, spec)
    folds = len(task.folds) * request.seeds
    return MemberReport(task.protocol.name, spec.id, folder, folds, done, failed, missing, tuple(notes))


def _inputs(
    request: Request, task: Task, recipe: str, jobs: int, progress: Progress
) -> tuple[Inputs, str, Mapping[str, str]]:
    """Inputs by clip, the digest of what they were made from, and the clips that have none with the reason."""
    if recipe == NO_INPUT:
        return blank_inputs(task), NO_INPUT, {}
    made = compute_inputs(request.home, recipe, [item.clip for item in task.items], jobs=jobs, progress=progress)
    return made, made.key, made.missing


def run_missing(
    request: Request,
    task: Task,
    spec: RunSpec,
    seed_run: SeedRun,
    inputs: Inputs,
    jobs: int,
    progress: Progress,
    most: int = 1,
) -> None:
    """Nothing; the folds of a seed that are not done are fitted, `most` at once, each stored as it finishes."""
    groups = _pending(request, task, seed_run, inputs, most)
    pending = [fold for group in groups for fold in group]
    states = seed_run.states(*request.shard)
    for folder in states.glob("*"):
        if folder.name not in map(group_name, groups):
            checkpoints.drop(folder)  # left by a process that was killed after it had stored the folds
    if any(seed_run.done(fold.id) for fold in task.folds):
        runs.note_tried(request.home, spec)  # killed between a fold and its entry, it would never be counted
    total, ended = len(task.folds), len(task.folds) - len(pending)
    for group, results in _results(request, task, groups, seed_run.seed, inputs, jobs, states):
        for fold, result in zip(group, results, strict=True):
            _store(seed_run, fold.id, result, peek=request.measure_peeking)
            if not result.what:
                runs.note_tried(request.home, spec)
            ended += 1
            progress(ended, total, f"{task.protocol.name} seed {seed_run.seed} fold {fold.id}")
        checkpoints.drop(states / group_name(group))
    with suppress(OSError):  # another shard's states may stand beside
        states.rmdir()
        states.parent.rmdir()


def _store(seed_run: SeedRun, fold: str, result: FoldResult, *, peek: bool) -> None:
    if result.what:
        seed_run.save_failure(fold, result.what, result.trace)
        return
    if result.notes is not None and (peek or not result.notes.empty):
        seed_run.save_notes(fold, result.notes)
    if not seed_run.done(fold):  # one that is done was asked once more, for its epochs: what it predicted stays
        seed_run.save_fold(fold, result.rows, result.cost)


def _results(
    request: Request,
    task: Task,
    groups: Sequence[tuple[Fold, ...]],
    seed: int,
    inputs: Inputs,
    jobs: int,
    states: Path,
) -> Iterator[tuple[tuple[Fold, ...], tuple[FoldResult, ...]]]:
    by_name = {group_name(group): group for group in groups}
    work = {
        name: FoldJob.of(request, task, first, inputs, seed, beside=tuple(beside), states=states / name)
        for name, (first, *beside) in by_name.items()
    }
    for outcome in run_tasks(run_folds, work, jobs=jobs):
        group = by_name[outcome.name]
        lost = FoldResult(what=outcome.error.what) if outcome.error else FoldResult()
        yield group, outcome.value or (lost,) * len(group)


def _pending(request: Request, task: Task, seed_run: SeedRun, inputs: Inputs, most: int) -> list[tuple[Fold, ...]]:
    """The folds of this shard that are to be fitted, those that are fitted at once together.

    Who stands with whom does not hang on what is done: the same folds stand together when a run goes on.
    """
    first, last = request.shard
    own = [fold for i, fold in enumerate(task.folds) if i % last == first - 1]
    waiting = [
        tuple(fold for fold in group if not _is_done(request, seed_run, fold)) for group in grouped(own, inputs, most)
    ]
    return [group for group in waiting if group]


def _is_done(request: Request, seed_run: SeedRun, fold: Fold) -> bool:
    if not seed_run.done(fold.id):
        return False
    return not request.measure_peeking or asked_per_epoch(seed_run.notes(fold.id))


def _preset_notes(request: Request) -> list[str]:
    return [f"parameters of preset {request.preset}"] if request.preset else []


def _manifest_facts(request: Request, task: Task, inputs: Inputs, missing: Mapping[str, str]) -> dict[str, Any]:
    return {
        "task": task.protocol.task,
        "protocol_version": task.protocol.version,
        "aggregate": aggregate_of(task.protocol),
        "subject_independent": task.protocol.subject_independent,
        "classes": list(task.protocol.classes),
        "annotations": dict(task.annotations),
        "synthetic": task.synthetic,
        "folds": [{"id": f.id, "train": len(f.train), "test": list(f.test)} for f in task.folds],
        "truth": {item.id: item.label for item in task.items},
        "subjects": {item.id: item.subject for item in task.items},
        "missing": dict(missing),
        "flags": {clip: list(flags) for clip, flags in getattr(inputs, "flags", {}).items()},
        "command": request.command,
        "asked": {"model": request.model, "protocol": request.protocol, "preset": request.preset},
    }


def _span(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def plain(value: Any) -> Any:
    """A parameter as JSON holds it; an estimator inside another is written out by its own parameters."""
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value)


__all__ = [
    "NO_INPUT",
    "FoldJob",
    "build_model",
    "estimate",
    "identity_of",
    "plain",
    "recipe_of",
    "requested_model",
    "run_fold",
    "run_missing",
    "run_request",
    "spec_of",
    "timed_fold",
]

"""From a request on the command line to runs on disk: tables, task, inputs, then folds, wherever tasks run."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from mebench import plugins, runs
from mebench.api import aggregate_of
from mebench.corpora import given_tables, tables_for, unavailable
from mebench.errors import UsageError
from mebench.evaluation import Inputs, blank_inputs
from mebench.fitting import Part, run_missing
from mebench.fold_jobs import FoldJob, FoldResult, build_model, run_fold
from mebench.grouping import most_folds
from mebench.inputs import compute_inputs, parse_recipe
from mebench.occupancy import adding
from mebench.peeked import check_peeking, inflation_of
from mebench.progress import Progress, silent
from mebench.protocol import Protocol, Suite, Task, load_protocol, resolve
from mebench.render import span
from mebench.requests import MemberReport, Request, RunReport
from mebench.runs import RunSpec, StoredRun
from mebench.verdicts import Identity
from mebench.weights.declared import declared, recorded, refuse_overlap, remarks, settled, weight_facts, weights_of

NO_INPUT = "none"
PROBED_CLIPS = 6  # enough to see past the first, which compiles and loads

Befell = list[tuple[Part, str]]


@dataclass(frozen=True)
class Asked:
    """A request that was looked at: its tasks, what is said of each, and the protocols left out with the reason."""

    request: Request
    tasks: tuple[Task, ...]
    remarks: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Opened:
    """One protocol of a request, open for its folds: one part per seed, clips without input, and what is to be said."""

    parts: tuple[Part, ...]
    missing: Mapping[str, str]
    notes: tuple[str, ...]
    alone: bool
    """Whether its folds run in this process: they are done before a worker has started, or fill a device."""


def run_request(request: Request, *, jobs: int = 1, progress: Progress = silent) -> RunReport:
    """Runs every protocol of the request whose corpora are at hand, and reports.

    Raises DataError where none is.
    """
    asked = asked_of(request)
    with adding(request.home), ExitStack() as held:
        if request.estimate:
            members = [estimate(asked, task, jobs, progress) for task in asked.tasks]
        else:
            opened = [opened_of(asked, task, jobs, progress, held) for task in asked.tasks]
            befell = fit_opened(opened, jobs, progress)
            members = [report_of(one, befell) for one in opened]
    return RunReport(tuple(members), asked.left_out)


def asked_of(request: Request) -> Asked:
    """The request, looked at: whatever is wrong with it is told before any work.

    Raises DataError where no corpus of it is at hand.
    """
    request = replace(request, settings=settled(request.home, _factory(request), request.settings))
    model = requested_model(request)  # a wrong name, parameter or file of weights
    starting = tuple(model.start_notes()) if hasattr(model, "start_notes") else ()
    given = given_tables(request.data, request.annotations, corrections=request.corrections)
    wanted = _members(request)
    faults = {protocol.name: unavailable(protocol, request.home, given) for protocol in wanted}
    left_out = {name: fault for name, fault in faults.items() if fault}
    if len(left_out) == len(wanted):
        raise next(iter(left_out.values()))
    weights = declared(request.home, model)
    tasks: list[Task] = []
    said: dict[str, tuple[str, ...]] = {}
    for protocol in wanted:
        if protocol.name not in left_out:
            task = resolve(protocol, tables_for(protocol, request.home, given), allow_partial=request.allow_partial)
            refuse_overlap(weights, task)
            tasks.append(task)
            said[protocol.name] = (*_preset_notes(request), *starting, *remarks(weights, task))
    return Asked(request, tuple(tasks), said, {name: fault.what for name, fault in left_out.items()})


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


def estimate(asked: Asked, task: Task, jobs: int, progress: Progress = silent) -> MemberReport:
    """How long the run will take and how much memory, from the inputs of a few clips and one fold; keeps no result.

    The fold is the one with most training clips. Clips whose input is not made yet are stood in for by those that are;
    of a network two epochs are timed.
    """
    request = asked.request
    model = requested_model(request)
    recipe = recipe_of(model)
    notes, inputs, made_s = list(asked.remarks[task.protocol.name]), blank_inputs(task), 0.0
    if recipe != NO_INPUT:
        probed = [item.clip for item in task.items[:PROBED_CLIPS]]
        started = time.perf_counter()
        made = compute_inputs(request.home, recipe, probed, jobs=1, progress=progress)
        seconds = (time.perf_counter() - started) / len(probed)
        arrays = [made[clip] for clip in made]
        inputs = {item.id: arrays[i % len(arrays)] for i, item in enumerate(task.items)}
        whole = seconds * len(task.items) / jobs
        made_s = whole
        notes.append(f"inputs: {seconds:.2f} s per clip, {len(task.items)} clips: about {span(whole)}, then cached")
    fold = max(task.folds, key=lambda f: len(f.train))
    result, seconds = timed_fold(FoldJob.of(request, task, fold, inputs, seed=0), model)
    folds = len(task.folds) * request.seeds
    whole = seconds * folds / jobs
    notes.append(result.what or f"folds: {seconds:.1f} s each, {folds} folds: about {span(whole)} with {jobs} jobs")
    notes.append(
        f"memory: {result.peak_mib:.0f} MiB at the peak of one job, about {result.peak_mib * jobs:.0f} MiB in all"
    )
    failed = {fold.id: result.what} if result.what else {}
    said = tuple(notes)
    return MemberReport(task.protocol.name, "estimate", request.home, folds, 0, failed, {}, said, made_s + whole)


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


def opened_of(asked: Asked, task: Task, jobs: int, progress: Progress, held: ExitStack) -> Opened:
    """One protocol of the request with its inputs made and its seeds open, locked for as long as `held` lasts."""
    request = asked.request
    model = requested_model(request)
    recipe = recipe_of(model)
    inputs, input_key, missing = _inputs(request, task, recipe, jobs, progress)
    spec = spec_of(request, task, model, recipe, input_key)
    facts = _manifest_facts(request, task, inputs, missing)
    most = most_folds(model, task, inputs, request.folds_at_once)
    if request.measure_peeking:
        check_peeking(model, task)
    parts, notes = [], list(asked.remarks[task.protocol.name])
    for seed in range(request.seeds):
        one = runs.open_seed(request.home, spec, seed, facts, fresh=request.fresh)
        held.enter_context(runs.locked(one, f"{request.shard[0]}/{request.shard[1]}"))
        notes += [f"fold {f.id} (seed {seed}) was damaged: redone" for f in task.folds if one.damaged(f.id)]
        parts.append(Part(request, task, spec, one, inputs, most))
    alone = recipe == NO_INPUT or (most > 1 and request.folds_at_once is None)
    return Opened(tuple(parts), missing, tuple(notes), alone)


def fit_opened(opened: Sequence[Opened], jobs: int, progress: Progress) -> Befell:
    """Fits what is not done of all these, together; what befell which part on the way, in words."""
    notes: Befell = []
    for alone in (True, False):
        parts = [part for one in opened if one.alone is alone for part in one.parts]
        notes += run_missing(parts, 1 if alone else jobs, progress) if parts else []
    return notes


def report_of(opened: Opened, befell: Befell) -> MemberReport:
    """What became of one protocol of a request; its predictions are put together where every fold is done."""
    first = opened.parts[0]
    failed: dict[str, str] = {}
    done = 0
    for part in opened.parts:
        part.seed_run.finish()
        done += sum(part.seed_run.done(fold.id) for fold in part.task.folds)
        failed |= {f"{fold} (seed {part.seed_run.seed})": what for fold, what in part.seed_run.failures().items()}
    run = StoredRun(first.spec.id, tuple(part.seed_run for part in opened.parts))
    inflation = inflation_of(run) if first.request.measure_peeking else None
    said = (note for part, note in befell if part in opened.parts)
    notes = (*opened.notes, *said, *(inflation.lines() if inflation else ()))
    folder = runs.run_folder(first.request.home, first.spec)
    folds = len(first.task.folds) * len(opened.parts)
    return MemberReport(first.task.protocol.name, first.spec.id, folder, folds, done, failed, opened.missing, notes)


def _inputs(
    request: Request, task: Task, recipe: str, jobs: int, progress: Progress
) -> tuple[Inputs, str, Mapping[str, str]]:
    """Inputs by clip, the digest of what they were made from, and the clips that have none with the reason."""
    if recipe == NO_INPUT:
        return blank_inputs(task), NO_INPUT, {}
    made = compute_inputs(request.home, recipe, [item.clip for item in task.items], jobs=jobs, progress=progress)
    return made, made.key, made.missing


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


def plain(value: Any) -> Any:
    """A parameter as JSON holds it; an estimator inside another is written out by its own parameters."""
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value)


__all__ = [
    "NO_INPUT",
    "Asked",
    "FoldJob",
    "Opened",
    "asked_of",
    "build_model",
    "estimate",
    "fit_opened",
    "identity_of",
    "opened_of",
    "plain",
    "recipe_of",
    "report_of",
    "requested_model",
    "run_fold",
    "run_request",
    "spec_of",
    "timed_fold",
]

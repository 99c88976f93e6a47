"""A bundle's folds fitted again, on this home's corpora: `mebench replicate`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mebench import runs, sources
from mebench.agreement import agreement, draw_folds, draw_word
from mebench.api import aggregate_of, single_protocol
from mebench.bundle import MODEL, PROTOCOL, Bundle, read_bundle
from mebench.clips import canonical_json
from mebench.corpora import given_tables, parse_pairs, tables_for, unavailable
from mebench.errors import MebenchError, ModelError, RunError, UsageError
from mebench.evaluation import Inputs, blank_inputs, evaluate_fold
from mebench.execute import NO_INPUT, plain, recipe_of
from mebench.inputs import compute_inputs
from mebench.parallel import run_tasks
from mebench.predictions import Prediction
from mebench.progress import Progress, silent
from mebench.protocol import Fold, Protocol, Task, resolve
from mebench.refit import restored_model, restored_parameters
from mebench.replication import Replication, sign_statement
from mebench.scoring import dataset_of
from mebench.signing import Identity, identity_of
from mebench.weights.declared import recorded, weights_of

_RECODED = "its clips are here, but coded, corrected or made otherwise"


@dataclass(frozen=True, slots=True)
class Wish:
    """One `mebench replicate`, as typed; `seed` None lets bundle and key draw the folds."""

    bundle: Path
    home: Path
    folds: int = 5
    seed: int | None = None
    lab: str | None = None
    trust: bool = False
    device: str = "auto"
    data: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    corrections: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Wish":
        """The wish in the options of the command line."""
        return cls(
            bundle=options["file"],
            home=options["home"],
            folds=options["folds"],
            seed=options["seed"],
            lab=options["lab"],
            trust=options["trust"],
            device=options["device"],
            data=parse_pairs("--data", options["data"]),
            annotations=parse_pairs("--annotation", options["annotation"]),
            corrections=not options["no_corrections"],
        )


@dataclass(frozen=True, slots=True)
class FoldJob:
    """All that a worker needs to fit one fold again."""

    model: str
    parameters: Mapping[str, Any]
    device: str
    task: Task
    fold: Fold
    inputs: Inputs
    seed: int


def replicate(wish: Wish, *, jobs: int = 1, progress: Progress = silent) -> Replication:
    """What refitting the drawn folds of a bundle gave here, signed.

    Raises UsageError where the bundle brings source that was not trusted or there is no name to sign with, DataError
    where a corpus is not at hand, RunError where protocol, annotation, model, recipe or weights here are not those of
    the run, ModelError where a fold fails.
    """
    bundle = read_bundle(wish.bundle)
    if bundle.model_file is not None and not wish.trust:
        raise UsageError(
            f"{wish.bundle.name} brings the source of its model, which replicating runs on this machine.",
            f"Read it (unzip -p {wish.bundle.name} {MODEL}), then repeat the command with --trust.",
        )
    identity = identity_of(wish.home, wish.lab)
    with TemporaryDirectory(prefix="mebench-replicate-") as folder:
        model = _model_name(bundle, Path(folder))
        task = _task(bundle, wish, _protocol(bundle, Path(folder)))
        _check_model(wish.home, bundle, model)
        inputs, input_key = _inputs(bundle, wish, task, jobs, progress)
        word = draw_word(wish.seed, bundle.digest, identity.public)
        drawn = draw_folds(bundle.folds, bundle.seeds, wish.folds, word)
        rows = _refit(bundle, wish, model, task, inputs, drawn, jobs, progress)
    return _stated(bundle, wish, task, drawn, rows, identity, same_inputs=input_key == bundle.spec["input_key"])


def fit_fold(job: FoldJob) -> tuple[Prediction, ...]:
    """The predictions of one fold, fitted again. Runs in a worker."""
    try:
        model = restored_model(job.model, job.parameters)
        if "device" in model.get_params(deep=False):
            model.set_params(device=job.device)
        return evaluate_fold(model, job.task, job.fold, job.inputs, job.seed)
    except MebenchError:
        raise
    except Exception as fault:  # the fold boundary: a stranger's model may raise anything
        raise ModelError(
            f"Fold {job.fold.id} cannot be fitted again: {type(fault).__name__}: {fault}.",
            "Nothing was signed; tell the bundle's sender.",
        ) from fault


def _model_name(bundle: Bundle, folder: Path) -> str:
    """The model as `restored_model` takes it; source from the bundle is put into the folder."""
    name = str(bundle.spec["model"])
    if bundle.model_file is None:
        return name
    path = folder / MODEL
    path.write_bytes(bundle.model_file)
    return f"{path}:{name.rpartition('.')[2]}"


def _protocol(bundle: Bundle, folder: Path) -> Protocol:
    """The run's protocol: the one in the bundle, else the registered one of that name; RunError where it differs."""
    source = str(bundle.spec["protocol"])
    if bundle.protocol_file is not None:
        path = folder / PROTOCOL
        path.write_bytes(bundle.protocol_file)
        source = str(path)
    found = single_protocol(source)
    if (found.name, found.digest) != (bundle.spec["protocol"], bundle.spec["protocol_digest"]):
        raise RunError(
            f"The protocol {found.name} here ({found.digest[:12]}) is not that of the run, "
            f"{bundle.spec['protocol'][:40]} ({bundle.spec['protocol_digest'][:12]}).",
            "Install the version of the package that brings it.",
        )
    return found


def _task(bundle: Bundle, wish: Wish, protocol: Protocol) -> Task:
    """The protocol on this home's corpora; RunError where annotation or folds are not those of the run."""
    given = given_tables(wish.data, wish.annotations, corrections=wish.corrections)
    fault = unavailable(protocol, wish.home, given)
    if fault:
        raise fault
    task = resolve(protocol, tables_for(protocol, wish.home, given), allow_partial=bool(bundle.spec["partial"]))
    stated = bundle.spec["fingerprints"]
    for dataset in sorted({*stated, *task.fingerprints}):
        now, then = (known.get(dataset, "none") for known in (task.fingerprints, stated))
        if now != then:
            raise _other_annotation(bundle, task, dataset, now, then)
    here = [(fold.id, len(fold.train), sorted(fold.test)) for fold in task.folds]
    theirs = [(fold["id"], fold["train"], sorted(fold["test"])) for fold in bundle.facts["folds"]]
    if sorted(here) != sorted(theirs):
        raise RunError("The folds here are not those of the run.", "Install the version of mebench that made it.")
    return task


def _other_annotation(bundle: Bundle, task: Task, dataset: str, now: str, then: str) -> RunError:
    """What to say where a corpus here is not annotated as that of the run."""
    version = bundle.facts["annotations"].get(dataset)
    theirs = {clip for clips in bundle.folds.values() for clip in clips if dataset_of(clip) == dataset}
    absent = sorted(theirs - {item.id for item in task.items})
    differs = f"{len(absent)} of its {len(theirs)} clips are not here, {absent[0]} for one" if absent else _RECODED
    fix = f"See what differs with mebench check {dataset}; give the run's release with --annotation."
    if bundle.facts["synthetic"]:
        fix = "Take the synthetic corpus of the run's home, or write it with the same seed, size and settings."
    return RunError(
        f"The annotation of {dataset} here ({task.annotations.get(dataset)}, {now[:12]}) is not that of the run "
        f"({version}, {then[:12]}): {differs}.",
        fix,
    )


def _check_model(home: Path, bundle: Bundle, name: str) -> None:
    """RunError where the model here has another version, selection, recipe, weights or parameters."""
    spec, model = bundle.spec, restored_model(name, restored_parameters(home, name, bundle.spec))
    parameters = {key: plain(value) for key, value in model.get_params(deep=False).items()}
    now = {
        "model_version": int(getattr(model, "version", 1)),
        "selection": str(getattr(model, "selection", "undeclared")),
        "recipe": recipe_of(model),
        "weights": weights_of(model),
        "parameters": recorded(model, {k: v for k, v in parameters.items() if k not in ("random_state", "device")}),
    }
    changed = [key for key, value in now.items() if canonical_json(value) != canonical_json(spec[key])]
    if changed:
        raise RunError(
            f"The model {spec['model']} here is not that of the run: {', '.join(changed)} differ.",
            f"Install what the run was made with: {_package(bundle)}.",
        )


def _package(bundle: Bundle) -> str:
    model = bundle.facts["model"]
    return f"{model.get('distribution', 'mebench')} {model.get('distribution_version', '')}".strip()


def _inputs(bundle: Bundle, wish: Wish, task: Task, jobs: int, progress: Progress) -> tuple[Inputs, str]:
    """The inputs of every clip, from this home's store, and their key."""
    recipe = str(bundle.spec["recipe"])
    if recipe == NO_INPUT:
        return blank_inputs(task), NO_INPUT
    made = compute_inputs(wish.home, recipe, [item.clip for item in task.items], jobs=jobs, progress=progress)
    return made, made.key


def _refit(
    bundle: Bundle, wish: Wish, model: str, task: Task, inputs: Inputs, drawn: Sequence[tuple[str, int]], jobs: int,
    progress: Progress,
) -> list[Prediction]:  # fmt: skip
    folds = {fold.id: fold for fold in task.folds}
    parameters = restored_parameters(wish.home, model, bundle.spec)
    work = {f: FoldJob(model, parameters, wish.device, task, folds[f], inputs, seed) for f, seed in drawn}
    found: dict[str, tuple[Prediction, ...]] = {}
    for outcome in run_tasks(fit_fold, work, jobs=1 if bundle.spec["recipe"] == NO_INPUT else jobs):
        if outcome.error is not None:
            raise outcome.error
        found[outcome.name] = outcome.value or ()
        progress(len(found), len(work), f"fold {outcome.name}")
    return [row for fold, _ in drawn for row in found[fold]]


def _stated(
    bundle: Bundle, wish: Wish, task: Task, drawn: Sequence[tuple[str, int]], rows: Sequence[Prediction],
    identity: Identity, *, same_inputs: bool,
) -> Replication:  # fmt: skip
    truth = {item.id: item.label for item in task.items}
    several = aggregate_of(task.protocol) == "units"
    found = agreement(bundle.predictions, rows, drawn, truth, bundle.folds, several=several)
    statement = {
        "run": bundle.run,
        "bundle": bundle.digest,
        "protocol": task.protocol.name,
        "protocol_digest": task.protocol.digest,
        "model": bundle.spec["model"],
        "predictions": bundle.seed_digests(),
        "choice": {"folds": wish.folds, "seed": wish.seed},
        "folds": [[fold, seed] for fold, seed in drawn],
        "rows": [[row.clip, row.fold, row.seed, row.predicted] for row in sorted(rows, key=lambda row: row.clip)],
        "agreement": found.record(),
        "same_inputs": same_inputs,
        "same_source": _same_source(bundle),
        "synthetic": task.synthetic,
        "environment": runs.environment(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    return sign_statement(statement, identity)


def _same_source(bundle: Bundle) -> bool:
    """Whether the model's source here is, file by file, that of the run's home when it exported the run."""
    if bundle.model_file is not None:
        return True
    return bool(sources.origin_of(str(bundle.spec["model"])).digest == bundle.facts["model"].get("source_digest"))


__all__ = ["FoldJob", "Wish", "fit_fold", "replicate"]

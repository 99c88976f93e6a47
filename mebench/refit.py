"""A finished run made ready to be fitted again: its model, task and inputs, and proof that they are what they were."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sklearn.base import clone

from mebench import plugins, runs
from mebench.clips import canonical_json
from mebench.corpora import given_tables, parse_pairs, tables_for, unavailable
from mebench.errors import RunError, UnknownName
from mebench.execute import plain, recipe_of, spec_of
from mebench.inputs import InputSet, compute_inputs
from mebench.predictions import Prediction
from mebench.progress import Progress, silent
from mebench.protocol import Protocol, Suite, Task, load_protocol, resolve
from mebench.requests import Request
from mebench.weights.declared import with_files


@dataclass(frozen=True)
class Question:
    """One `mebench explain`: a finished seed of a run, where its corpora lie, and the clip asked about, if one is."""

    home: Path
    run: runs.StoredRun
    seed_run: runs.SeedRun
    clip: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    corrections: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Question":
        """The question in the options of the command line; raises UnknownName, or RunError for an unfinished run."""
        run = runs.find_run(options["home"], options["run"])
        seeds = {seed_run.seed: seed_run for seed_run in run.seeds}
        wanted = min(seeds) if options["seed"] is None else options["seed"]
        if wanted not in seeds:
            raise UnknownName(f"seed of run {run.id}", str(wanted), map(str, seeds))
        if seeds[wanted].status() != "complete":
            raise RunError(
                f"Seed {wanted} of run {run.id} is {seeds[wanted].status()}.", "Give its command again to finish it."
            )
        return cls(
            home=options["home"],
            run=run,
            seed_run=seeds[wanted],
            clip=options["clip"],
            data=parse_pairs("--data", options["data"]),
            annotations=parse_pairs("--annotation", options["annotation"]),
            corrections=not options["no_corrections"],
        )

    @property
    def model(self) -> Any:
        """The run's model, not fitted."""
        return restored_model(self.asked["model"], self.parameters)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The run's parameters, its weights in their place in this home."""
        return restored_parameters(self.home, self.asked["model"], self.run.spec)

    @property
    def folder(self) -> Path:
        """Where the answer is written if nothing else is said: `explain`, beside the seeds of the run."""
        return self.seed_run.path.parent / "explain"

    @property
    def asked(self) -> Mapping[str, Any]:
        """Model and protocol as they were asked for; of manifests that do not keep it, as they are registered."""
        kept = self.seed_run.manifest.get("asked") or {}
        return {key: kept.get(key) or self.run.spec[key] for key in ("model", "protocol")}


@dataclass(frozen=True)
class Refit:
    """A run made ready to be fitted again: the task and the inputs, both as they were."""

    question: Question
    task: Task
    inputs: InputSet

    def same(self, rows: Iterable[Prediction]) -> list[bool]:
        """Per prediction whether it is the one of the run."""
        then = {row.clip: row.predicted for row in self.question.seed_run.predictions().rows}
        return [then.get(row.clip) == row.predicted for row in rows]


class Held:
    """A model that is still at hand once the fold loop has fitted it.

    The loop fits a clone of what it is given. This hands out the clone and keeps it, so that explaining needs no fold
    loop of its own: what reaches `fit` is decided in one place.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def __sklearn_clone__(self) -> Any:
        self.model = clone(self.model)
        return self.model


def prepare_refit(question: Question, *, jobs: int = 1, progress: Progress = silent) -> Refit:
    """The run made ready, its inputs from the cache.

    Raises DataError where a corpus is not at hand, RunError where protocol, corpora, model or inputs are no longer
    those of the run.
    """
    spec, asked, model = question.run.spec, question.asked, question.model
    protocol = _protocol(asked["protocol"], spec["protocol"])
    given = given_tables(question.data, question.annotations, corrections=question.corrections)
    fault = unavailable(protocol, question.home, given)
    if fault:
        raise fault
    task = resolve(protocol, tables_for(protocol, question.home, given), allow_partial=bool(spec["partial"]))
    recipe, request = recipe_of(model), Request(asked["model"], asked["protocol"], question.home)
    _check_unchanged(question.run, spec_of(request, task, model, recipe, spec["input_key"]))  # before the inputs' hours
    clips = [item.clip for item in task.items]
    inputs = compute_inputs(question.home, recipe, clips, jobs=jobs, progress=progress)
    _check_unchanged(question.run, spec_of(request, task, model, recipe, inputs.key))
    return Refit(question, task, inputs)


def restored_model(name: str, parameters: Mapping[str, Any]) -> Any:
    """The model of this name or `file.py:Class` with the parameters that a run's record keeps."""
    factory = plugins.load_model(name).factory
    defaults = plugins.parameter_defaults(factory)
    changed = {k: v for k, v in parameters.items() if k in defaults and plain(defaults[k]) != v}
    return factory(**{key: _tuples(value) for key, value in changed.items()})


def restored_parameters(home: Path, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a run's record keeps, its weights where this home has them; RunError where it has not."""
    return with_files(home, plugins.load_model(name).factory, spec)


def _protocol(asked: str, name: str) -> Protocol:
    """The protocol of the run in what was asked for: itself, or a member of a suite."""
    loaded = load_protocol(asked)
    members = {p.name: p for p in (loaded.members if isinstance(loaded, Suite) else (loaded,))}
    if name not in members:
        raise RunError(f"{asked} no longer holds the protocol {name}.", "Explain the run with the file it was made by.")
    return members[name]


def _check_unchanged(run: runs.StoredRun, now: runs.RunSpec) -> None:
    """Raises RunError where something that decides predictions is not what it was when the run was made."""
    if now.id == run.id:
        return
    then, today = dict(run.spec), asdict(now)
    keys = [key for key in today if key != "facts" and canonical_json(today[key]) != canonical_json(then.get(key))]
    raise RunError(
        f"Run {run.id} cannot be fitted again as it was: {', '.join(keys)} changed since.",
        "Restore what changed, or run the model again and explain the new run.",
    )


def _tuples(value: Any) -> Any:
    """JSON keeps tuples as lists; parameters here are tuples."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


__all__ = ["Held", "Question", "Refit", "prepare_refit", "restored_model", "restored_parameters"]

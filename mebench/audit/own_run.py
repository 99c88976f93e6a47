"""A model's run on the user's own corpora, made or resumed, and held ready to be fitted again under other conditions.

An audit that says something of a score starts from the run that has it: what the model scores is then on the
leaderboard and counted in the ledger, and what the audit finds lies beside it.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mebench import plugins, runs
from mebench.api import aggregate_of, single_protocol
from mebench.corpora import given_tables, parse_pairs, tables_for
from mebench.errors import RunError
from mebench.evaluation import blank_inputs
from mebench.execute import NO_INPUT, recipe_of, requested_model, run_request
from mebench.grouping import Inputs, most_folds
from mebench.inputs import compute_inputs
from mebench.leaderboard import Entry
from mebench.predictions import Predictions, merge
from mebench.progress import Progress, silent
from mebench.protocol import Task, resolve
from mebench.requests import Request
from mebench.scoring import ALL, ScoreCard, score_predictions
from mebench.standing import entry_of_run
from mebench.weights.declared import settled


@dataclass(frozen=True)
class OwnRun:
    """The finished seeds 0 to n - 1 of a run, the task and the inputs they were made with, and the run's folder."""

    request: Request
    task: Task
    recipe: str
    inputs: Inputs
    missing: Mapping[str, str]
    run: runs.StoredRun
    seed_runs: tuple[runs.SeedRun, ...]

    @property
    def folder(self) -> Path:
        """The folder of the run, that of its seeds."""
        return self.seed_runs[0].path.parent

    @property
    def folds_at_once(self) -> int:
        """How many folds the model fits at once: 1 for most."""
        return most_folds(requested_model(self.request), self.task, self.inputs, self.request.folds_at_once)

    def workers(self, jobs: int) -> int:
        """So many worker processes, or one where folds are fitted at once: they fill a device by themselves."""
        return jobs if self.folds_at_once == 1 else 1

    @property
    def spec(self) -> runs.RunSpec:
        """What decides what the run predicts, as its manifest keeps it."""
        return runs.RunSpec(**json.loads(json.dumps(self.run.spec)))

    @property
    def predictions(self) -> Predictions:
        """What the model predicted, all seeds."""
        return merge([seed_run.predictions() for seed_run in self.seed_runs])

    @property
    def expected(self) -> dict[str, str]:
        """Clip to class."""
        return {item.id: item.label for item in self.task.items}

    @property
    def subjects(self) -> dict[str, str]:
        """Clip to subject."""
        return {item.id: item.subject for item in self.task.items}

    @property
    def title(self) -> str:
        """The model's title."""
        return str(self.run.spec["facts"]["title"])

    def cards(self, predictions: Predictions | None = None) -> dict[int, ScoreCard]:
        """The scores by seed, of the run's own predictions or of others over the same clips."""
        said = self.predictions if predictions is None else predictions
        aggregate = aggregate_of(self.task.protocol)
        return score_predictions(said, self.expected, aggregate=aggregate, full=not self.task.partial)

    @property
    def uf1(self) -> float:
        """UF1 over all clips, the mean over seeds."""
        return float(np.mean([card.strict[ALL].uf1 for card in self.cards().values()]))

    @property
    def entry(self) -> Entry:
        """The run as the leaderboard sees it."""
        return entry_of_run(self.run, tried=runs.tried(self.request.home, self.run.spec))


def request_of(options: Mapping[str, Any]) -> Request:
    """The run that the options of an audit's command line ask about; its manifest names the command that makes it."""
    command = ["mebench", "--home", str(options["home"]), "run", options["model"], "--protocol", options["protocol"]]
    for option, key in (("--data", "data"), ("--annotation", "annotation"), ("--set", "settings")):
        command += [word for value in options[key] for word in (option, value)]
    command += ["--seeds", str(options["seeds"])] if options["seeds"] > 1 else []
    command += ["--preset", options["preset"]] if options["preset"] else []
    command += [f"--{flag.replace('_', '-')}" for flag in ("no_corrections", "allow_partial") if options[flag]]
    return Request(
        model=options["model"],
        protocol=options["protocol"],
        home=options["home"],
        seeds=options["seeds"],
        settings=parse_pairs("--set", options["settings"]),
        data=parse_pairs("--data", options["data"]),
        annotations=parse_pairs("--annotation", options["annotation"]),
        corrections=not options["no_corrections"],
        allow_partial=options["allow_partial"],
        device=options["device"],
        command=shlex.join(command),
        preset=options["preset"],
    )


def own_run(request: Request, *, jobs: int = 1, progress: Progress = silent) -> OwnRun:
    """The run of one protocol, finished first where it is not.

    Raises what the run itself raises, UsageError for a suite, RunError where a fold fails or no clip was predicted.
    """
    protocol = single_protocol(request.protocol)
    factory = plugins.load_model(request.model).factory
    request = replace(request, settings=settled(request.home, factory, request.settings))
    report = run_request(request, jobs=jobs, progress=progress)
    (member,) = report.members
    if member.failed:
        fold, what = next(iter(member.failed.items()))
        raise RunError(
            f"{request.model} fails on {len(member.failed)} folds of {protocol.name}; fold {fold}: {what}",
            "Correct the model; the same command then goes on with the folds that are missing.",
        )
    run = next(r for r in runs.stored_runs(request.home) if r.id == member.run)
    seed_runs = tuple(seed_run for seed_run in run.seeds if seed_run.seed < request.seeds)
    given = given_tables(request.data, request.annotations, corrections=request.corrections)
    task = resolve(protocol, tables_for(protocol, request.home, given), allow_partial=request.allow_partial)
    recipe = recipe_of(requested_model(request))
    inputs: Inputs
    if recipe == NO_INPUT:
        inputs, missing = blank_inputs(task), {}
    else:
        made = compute_inputs(request.home, recipe, [i.clip for i in task.items], jobs=jobs, progress=progress)
        inputs, missing = made, dict(made.missing)
    return OwnRun(request, task, recipe, inputs, missing, run, seed_runs)


__all__ = ["OwnRun", "own_run", "request_of"]

"""`mebench audit null`: what a run's model scores where labels say nothing, fitted again under each permutation.

Labels are permuted within each subject, in training and test alike: who somebody is stays as good a clue as before.
The score is the mean over the run's seeds and so is each draw, over the same seeds, so that the true labelling is one
of those that are drawn. What p is, and when drawing may stop, stands in `mebench.null_draws`.
"""

import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mebench import runs
from mebench.api import aggregate_of
from mebench.audit.null_report import SCHEMA, NullReport
from mebench.audit.own_run import OwnRun, own_run
from mebench.errors import MebenchError, RunError, UsageError
from mebench.evaluation import evaluate_task
from mebench.execute import FoldJob, build_model, requested_model, timed_fold
from mebench.grouping import Inputs
from mebench.kept_json import keep_json, read_kept
from mebench.null_draws import (
    NullDraws,
    arrangements,
    failures,
    in_order,
    load_draws,
    needed,
    null_folder,
    save_draw,
)
from mebench.nulls import as_arrays, permuted
from mebench.occupancy import adding, idle
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent
from mebench.protocol import Task
from mebench.render import span
from mebench.requests import Request
from mebench.scoring import score_predictions

Say = Callable[[str], None]


@dataclass(frozen=True)
class NullQuestion:
    """One `mebench audit null`: the run, how many permutations at most, and the level at which p is to be read.

    `stop_after` is h of the sequential rule; `estimate` times a fold and draws nothing; `fresh` draws anew.
    """

    request: Request
    permutations: int = 199
    alpha: float = 0.05
    stop_after: int | None = None
    estimate: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        least = needed(self.alpha)
        if self.permutations < least:
            raise UsageError(
                f"{self.permutations} permutations cannot bring p down to {self.alpha:g}: it takes {least}.",
                f"Give --permutations {least} or more, or a higher --alpha.",
            )
        if self.stop_after is not None and self.stop_after < 1:
            raise UsageError(f"--stop-after {self.stop_after} is no number of permutations.", "Give 1 or more.")


@dataclass(frozen=True)
class Permutation:
    """All that a worker needs for one draw: the model, the task as it is, and which permutation."""

    number: int
    model: str
    settings: Mapping[str, str]
    preset: str | None
    device: str
    task: Task
    inputs: Inputs
    seeds: int


def audit_null(
    question: NullQuestion, *, jobs: int = 1, progress: Progress = silent, say: Say | None = None
) -> NullReport:
    """The null of the model's run, which is made first where there is none; draws that lie there are not drawn again.

    `say` is told what is about to happen and how long it may take. Raises what `own_run` raises, and RunError where the
    draws were begun in another environment, or are being made by another process.
    """
    own = own_run(question.request, jobs=jobs, progress=progress)
    folder = null_folder(own.folder, question.request.seeds)
    with adding(question.request.home), idle(own.folder / ".lock-null"):
        _open(folder, fresh=question.fresh)
        report = _report(question, own, folder)
        if report.drawn:
            return report
        notes = (_forecast(question, own, report, jobs),)
        if say:
            say(notes[0])
        if question.estimate:
            return replace(report, notes=notes)
        lost = _draw(question, own, folder, jobs, progress)
        report = _report(question, own, folder)
    return replace(report, failed=report.failed | lost)


def draw(job: Permutation) -> tuple[dict[str, float], str]:
    """UF1 by slice under one permutation, the mean over seeds, or what the model raised. Runs in a worker."""
    generator = np.random.default_rng([0, job.number])  # the same permutations for every model: they can be compared
    task = permuted(job.task, generator)
    try:
        model = build_model(job.model, job.settings, job.device, job.preset)
        said = evaluate_task(model, task, as_arrays(job.inputs), range(job.seeds))
        cards = score_predictions(
            said,
            {item.id: item.label for item in task.items},
            aggregate=aggregate_of(task.protocol),
            full=not task.partial,
        )
    except MebenchError as fault:
        return {}, fault.what
    except Exception as fault:  # a stranger's model may raise anything
        return {}, f"{type(fault).__name__}: {fault}"
    slices = cards[0].strict
    return {name: float(np.mean([cards[s].strict[name].uf1 for s in range(job.seeds)])) for name in slices}, ""


def _open(folder: Path, *, fresh: bool) -> None:
    """Makes the folder, or sees that its draws are of this environment; `fresh` discards them."""
    manifest, now = folder / "manifest.json", runs.environment()
    if fresh and folder.exists():
        trash = folder.with_name(folder.name + runs.DISCARDED)
        shutil.rmtree(trash, ignore_errors=True)
        folder.rename(trash)
        shutil.rmtree(trash)
    if not manifest.exists():
        keep_json(manifest, SCHEMA, {"environment": now})
        return
    then = read_kept(manifest, SCHEMA, "Draw anew with --fresh.")["environment"]
    changed = [f"{key} {then.get(key)} -> {now.get(key)}" for key in sorted(now) if then.get(key) != now.get(key)]
    if changed:
        raise RunError(
            f"{folder} was begun in another environment: {'; '.join(changed)}.",
            "Go back to that environment, or draw anew with --fresh.",
        )


def _draw(question: NullQuestion, own: OwnRun, folder: Path, jobs: int, progress: Progress) -> dict[int, str]:
    """Draws what is missing, each saved as it finishes, until all are there or the rule stops.

    A draw whose worker died is not saved, so that the same command draws it again; why stands in what comes back.
    """
    have, lost = load_draws(folder), {}
    request = own.request
    work = {
        str(number): Permutation(
            number,
            request.model,
            request.settings,
            request.preset,
            request.device,
            own.task,
            own.inputs,
            request.seeds,
        )
        for number in range(question.permutations)
        if number not in have
    }
    outcomes: Any = run_tasks(draw, work, jobs=own.workers(jobs))
    observed = own.uf1
    with closing(outcomes):  # ends the workers that still draw where the rule stops
        for outcome in outcomes:
            number = int(outcome.name)
            if outcome.value is None:
                lost[number] = outcome.error.what if outcome.error else ""
                continue
            uf1, what = outcome.value
            save_draw(folder, number, uf1, what)
            have[number] = math.nan if what else uf1["all"]
            progress(len(have), question.permutations, f"permutation {number}")
            if _draws(question, observed, have).stopped:
                break
    return lost


def _draws(question: NullQuestion, observed: float, have: Mapping[int, float]) -> NullDraws:
    wanted = in_order(have)[: question.permutations]
    return NullDraws(observed, wanted, question.request.seeds, question.stop_after)


def _report(question: NullQuestion, own: OwnRun, folder: Path) -> NullReport:
    draws = _draws(question, own.uf1, load_draws(folder))
    by_subject: dict[str, Counter[str]] = {}
    for item in own.task.items:
        by_subject.setdefault(item.subject, Counter())[item.label] += 1
    return NullReport(
        model=own.run.spec["model"],
        title=own.title,
        protocol=own.task.protocol.name,
        run=own.run.id,
        folder=folder,
        draws=draws,
        asked=question.permutations,
        alpha=question.alpha,
        failed={number: what for number, what in failures(folder).items() if number < len(draws.counted)},
        labellings=arrangements(by_subject.values()),
        synthetic=own.task.synthetic,
    )


def _forecast(question: NullQuestion, own: OwnRun, report: NullReport, jobs: int) -> str:
    """How long the draws that are missing will take at most, told from the fold with most training clips."""
    left = question.permutations - len(report.draws.draws)
    fold = max(own.task.folds, key=lambda f: len(f.train))
    started = time.perf_counter()
    jobs = own.workers(jobs)
    result, seconds = timed_fold(
        FoldJob.of(own.request, own.task, fold, own.inputs, seed=0), requested_model(own.request)
    )
    seconds = seconds or time.perf_counter() - started
    if result.what:
        return f"{left} permutations to draw; how long they take is not known: {result.what}"
    whole = seconds * len(own.task.folds) * question.request.seeds * left / max(1, min(jobs, left))
    each = f"{len(own.task.folds)} folds" + (f" x {question.request.seeds} seeds" * (question.request.seeds > 1))
    sooner = ", sooner where the rule stops" if question.stop_after else ""
    return (
        f"{left} permutations to draw, {each} each, {seconds:.2g} s a fold: at most about {span(whole)} with "
        f"{jobs} jobs{sooner}; p at level {question.alpha:g} takes {needed(question.alpha)} at least"
    )


__all__ = ["NullQuestion", "Permutation", "audit_null", "draw"]

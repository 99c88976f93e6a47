"""What a worker does: one fold of a run, or several fitted at once, from a model's name to predictions."""

import json
import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from mebench import checkpoints, plugins
from mebench.clips import canonical_json
from mebench.cost import Cost, Witness, cost_of
from mebench.diagnostics import FoldNotes, Keeper
from mebench.errors import MebenchError
from mebench.evaluation import evaluate_folds
from mebench.files import fault_point
from mebench.grouping import Inputs
from mebench.predictions import Prediction
from mebench.protocol import Fold, Task
from mebench.requests import Request

KEEPS_STAGES = "keep_stages"
"""The parameter of a model that keeps what `staged_predict_proba` needs; it changes no prediction."""


@dataclass(frozen=True, slots=True)
class FoldJob:
    """All that a worker needs to run one fold, or several at once: those `beside` it.

    `peek` asks for predictions after every epoch. `states` is the folder in which long trainings leave their state,
    every `every_s` seconds.
    """

    model: str
    settings: Mapping[str, str]
    device: str
    task: Task
    fold: Fold
    inputs: Inputs
    seed: int
    preset: str | None = None
    beside: tuple[Fold, ...] = ()
    peek: bool = False
    states: Path | None = None
    every_s: float = checkpoints.EVERY_S

    @classmethod
    def of(
        cls,
        request: Request,
        task: Task,
        fold: Fold,
        inputs: Inputs,
        seed: int,
        *,
        beside: tuple[Fold, ...] = (),
        states: Path | None = None,
    ) -> "FoldJob":
        """One fold of what was requested, and those beside it."""
        return cls(
            request.model,
            request.settings,
            request.device,
            task,
            fold,
            inputs,
            seed=seed,
            preset=request.preset,
            beside=beside,
            peek=request.measure_peeking,
            states=states,
            every_s=request.checkpoint_s,
        )

    def parted(self) -> tuple["FoldJob", Inputs]:
        """The job without anything that lies on this machine's disk, and the inputs: what travels to another one."""
        return replace(self, inputs={}, states=None), self.inputs

    def joined(self, inputs: Inputs) -> "FoldJob":
        """The job with its inputs again."""
        return replace(self, inputs=inputs)

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds of the job, in order."""
        return (self.fold, *self.beside)

    @property
    def name(self) -> str:
        """A name for the job, the same whenever the same folds stand together."""
        return group_name(self.folds)


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Predictions of a fold and what it cost, or what the model raised; `peak_mib` is for estimates, never stored."""

    rows: tuple[Prediction, ...] = ()
    what: str = ""
    trace: str = ""
    cost: Cost | None = None
    peak_mib: float = 0.0
    notes: FoldNotes | None = None


def group_name(folds: Sequence[Fold]) -> str:
    """A name for folds that are fitted together, to name files by."""
    if len(folds) == 1:
        return folds[0].file_name
    return f"together-{sha256(chr(10).join(fold.id for fold in folds).encode()).hexdigest()[:16]}"


def build_model(name: str, settings: Mapping[str, str], device: str, preset: str | None = None) -> Any:
    """The model with its parameters; `device` is set where it has such a parameter, and is no part of a run's id."""
    model = plugins.load_model(name).build(settings, preset)
    if "device" in model.get_params(deep=False) and "device" not in settings:
        model.set_params(device=device)
    return model


def run_fold(job: FoldJob) -> FoldResult:
    """What came of the job's own fold; whatever the model raises becomes a record. Runs in a worker."""
    return run_folds(job)[0]


def run_folds(job: FoldJob) -> tuple[FoldResult, ...]:
    """What came of every fold of the job, in order; what the model raises befalls all that were fitted with it.

    Of several folds the predictions are kept with the states until all are stored: fitted again in other company they
    would be the same up to rounding only.
    """
    try:
        with checkpoints.keeping(job.states, job.every_s):
            if not job.beside:
                return _evaluated(job)
            kept = checkpoints.remembered(lambda: _key(job), lambda: _packed(_evaluated(job)), always=True)
            return _unpacked(kept)
    except MebenchError as fault:
        failed = FoldResult(what=fault.what + _company(job), trace=traceback.format_exc())
    except Exception as fault:  # the fold boundary: a stranger's model may raise anything
        failed = FoldResult(what=f"{type(fault).__name__}: {fault}{_company(job)}", trace=traceback.format_exc())
    return (failed,) * len(job.folds)


def _evaluated(job: FoldJob) -> tuple[FoldResult, ...]:
    model = build_model(job.model, job.settings, job.device, job.preset)
    if job.peek and KEEPS_STAGES in model.get_params(deep=False):
        model.set_params(**{KEEPS_STAGES: True})
    witnesses = [Witness() for _ in job.folds]
    keepers = [Keeper(witness) for witness in witnesses]
    parts = [(job.task, fold) for fold in job.folds]
    started = time.perf_counter()  # what a process loads when it first sees a model is no part of the fold
    found = evaluate_folds(model, parts, job.inputs, job.seed, keepers)
    seconds = (time.perf_counter() - started) / len(parts)
    fault_point("in-fold")
    return tuple(
        FoldResult(
            rows,
            cost=witness.cost(seconds),
            peak_mib=_peak_mib(),
            notes=keeper.notes([row.clip for row in rows], peek=job.peek, at_once=len(parts)),
        )
        for rows, witness, keeper in zip(found, witnesses, keepers, strict=True)
    )


def _company(job: FoldJob) -> str:
    return f" (fitted at once with {len(job.beside)} other folds)" if job.beside else ""


def _key(job: FoldJob) -> str:
    """What decides the predictions of these folds within their run, whose folder and environment are one."""
    return canonical_json([job.model, dict(job.settings), job.preset, job.seed, [f.id for f in job.folds], job.peek])


def _packed(results: Sequence[FoldResult]) -> bytes:
    """The results as JSON; a score that is none is null."""
    return json.dumps(
        [
            {
                "rows": [
                    [r.clip, r.fold, r.seed, r.truth, r.predicted, [None if math.isnan(s) else s for s in r.scores]]
                    for r in one.rows
                ],
                "cost": one.cost.notes() if one.cost else {},
                "notes": one.notes.record() if one.notes else None,
            }
            for one in results
        ]
    ).encode()


def _unpacked(data: bytes) -> tuple[FoldResult, ...]:
    return tuple(
        FoldResult(
            tuple(
                Prediction(
                    clip,
                    fold,
                    seed,
                    truth,
                    said,
                    tuple(math.nan if score is None else float(score) for score in scores),
                )
                for clip, fold, seed, truth, said, scores in one["rows"]
            ),
            cost=cost_of(one["cost"]),
            notes=None if one["notes"] is None else FoldNotes.of_record(one["notes"]),
        )
        for one in json.loads(data)
    )


def _peak_mib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


__all__ = ["FoldJob", "FoldResult", "build_model", "group_name", "run_fold", "run_folds"]

"""What the models of a run lean on: each fold's model is fitted again, on its training clips, and asked.

A model that can be explained offers, beside what every model does:

    feature_names_out() -> (d,) str      the features of its input vector, `r4_c1_xy_17` or `region12_rho` by place
    importance() -> (d,) float           after fit: how much it leans on each, none negative
    face_map(values (d,)) -> (64, 64)    values spread over the canonical face, each where it is measured, so that the
                                         map adds up to them
    contributions(X (n, d)) -> (n, d)    after fit, for `--clip`: how much each feature of each row speaks for the class
                                         predicted against the runner-up. Of a linear model this is weight times
                                         (feature - its mean over the training clips), both as the machine sees them,
                                         after scaling; one-vs-one machines take the pair of these two classes.

Importance is of the model, not of the face: among features that say the same, a model may lean on any.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench.drawing import checked_map
from mebench.errors import DataError, MebenchError, ModelError, UnknownName
from mebench.evaluation import Inputs, evaluate_fold
from mebench.explanation import ClipExplanation, Explanation, Subject
from mebench.parallel import run_tasks
from mebench.predictions import Prediction
from mebench.progress import Progress, silent
from mebench.protocol import Fold, Task
from mebench.refit import Held, Question, Refit, prepare_refit, restored_model

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoldJob:
    """All that a worker needs to explain the model of one fold, or one clip that it held out."""

    model: str
    parameters: Mapping[str, Any]
    task: Task
    fold: Fold
    inputs: Inputs
    seed: int
    clip: str | None = None


@dataclass(frozen=True, slots=True)
class FoldAnswer:
    """What the model of a fold said: values (d,), their map (64, 64), and its predictions."""

    rows: tuple[Prediction, ...]
    values: Doubles
    face: Doubles


def explain_run(question: Question, *, jobs: int = 1, progress: Progress = silent) -> Explanation:
    """Which features the run's models lean on: each fold's importance divided by its sum, mean and SD over folds.

    A fold without a held-out input was not evaluated, and is not explained. Raises ModelError for a model that does not
    say what it leans on, RunError where the run cannot be fitted again as it was.
    """
    names = feature_names(question.model, "importance")
    refit = prepare_refit(question, jobs=jobs, progress=progress)
    work = {fold.id: _job(refit, fold) for fold in refit.task.folds if any(clip in refit.inputs for clip in fold.test)}
    answers = _answers(work, jobs, progress)
    return Explanation(
        subject=_subject(refit, [row for answer in answers for row in answer.rows]),
        names=names,
        folds=tuple(work),
        weights=np.stack([answer.values for answer in answers]),
        face=np.mean([answer.face for answer in answers], axis=0),
    )


def explain_clip(question: Question, *, jobs: int = 1, progress: Progress = silent) -> ClipExplanation:
    """What in one clip spoke for its predicted class, by the model of the fold that held it out.

    Raises UnknownName for a clip that is not in the run, DataError for one without input, and as `explain_run` does.
    """
    clip = question.clip or ""
    if clip not in question.seed_run.expected:
        raise UnknownName(f"clip in run {question.run.id}", clip, question.seed_run.expected)
    names = feature_names(question.model, "contributions")
    refit = prepare_refit(question, jobs=jobs, progress=progress)
    if clip not in refit.inputs:
        raise DataError(f"{clip} has no input: {refit.inputs.missing.get(clip)}", "Ask about a clip with a prediction.")
    fold = next(fold for fold in refit.task.folds if clip in fold.test)
    (answer,) = _answers({fold.id: _job(refit, fold, clip)}, jobs, progress)
    row = next(row for row in answer.rows if row.clip == clip)
    return ClipExplanation(
        subject=_subject(refit, answer.rows),
        clip=clip,
        fold=fold.id,
        truth=question.seed_run.expected[clip],
        predicted=str(row.predicted),
        runner_up=_runner_up(row, refit.task.protocol.classes),
        names=names,
        contributions=answer.values,
        face=answer.face,
    )


def explain_fold(job: FoldJob) -> FoldAnswer:
    """What the model of this fold says, fitted by the fold loop on the fold's training clips. Runs in a worker."""
    held = Held(restored_model(job.model, job.parameters))
    try:
        rows = evaluate_fold(held, job.task, job.fold, job.inputs, job.seed)
        values = _importance(held.model) if job.clip is None else _contributions(held.model, job.inputs[job.clip])
        return FoldAnswer(rows, values, checked_map(held.model.face_map(values), type(held.model).__name__))
    except MebenchError:
        raise
    except Exception as fault:  # the fold boundary: a stranger's model may raise anything
        raise ModelError(
            f"Fold {job.fold.id} cannot be explained: {type(fault).__name__}: {fault}.", "Correct the model."
        ) from fault


def feature_names(model: Any, method: str) -> tuple[str, ...]:
    """The model's features; ModelError where it cannot be asked by this method."""
    needed = (method, "feature_names_out", "face_map")
    lacking = [name for name in needed if not callable(getattr(model, name, None))]
    if lacking:
        raise ModelError(
            f"{type(model).__name__} does not explain itself: it has no {lacking[0]}().",
            f"Explain a model that offers {', '.join(f'{name}()' for name in needed)}, or add them to this one.",
        )
    return tuple(map(str, model.feature_names_out()))


def _job(refit: Refit, fold: Fold, clip: str | None = None) -> FoldJob:
    question = refit.question
    model, parameters = question.asked["model"], question.parameters
    return FoldJob(model, parameters, refit.task, fold, refit.inputs, question.seed_run.seed, clip)


def _answers(work: Mapping[str, FoldJob], jobs: int, progress: Progress) -> list[FoldAnswer]:
    """One answer per fold, in the order of the folds, whatever order workers end in; raises the first fault."""
    found: dict[str, FoldAnswer] = {}
    for ended, outcome in enumerate(run_tasks(explain_fold, work, jobs=jobs), 1):
        if outcome.error is not None or outcome.value is None:
            raise outcome.error or ModelError(f"Fold {outcome.name} gave no answer.", "Give the command again.")
        found[outcome.name] = outcome.value
        progress(ended, len(work), f"fold {outcome.name}")
    return [found[fold] for fold in work]


def _subject(refit: Refit, rows: Iterable[Prediction]) -> Subject:
    run, same = refit.question.run, refit.same(rows)
    title, protocol, seed = str(run.spec["facts"]["title"]), refit.task.protocol.name, refit.question.seed_run.seed
    synthetic = refit.task.synthetic
    return Subject(run.id, title, protocol, seed, agreeing=sum(same), compared=len(same), synthetic=synthetic)


def _importance(model: Any) -> Doubles:
    """The model's importance (d,) divided by its sum; zeros stay."""
    values = _checked_values(model, "importance", model.importance(), len(model.feature_names_out()))
    if (values < 0).any():
        raise ModelError(
            f"importance of {type(model).__name__} has negative values.", "Return magnitudes: a map shows how much."
        )
    return values / (values.sum() or 1.0)


def _contributions(model: Any, sample: npt.NDArray[Any]) -> Doubles:
    """The contributions (d,) of the features of one clip."""
    given = np.asarray(model.contributions(np.asarray(sample)[None]), np.float64)
    return _checked_values(model, "contributions", given.reshape(-1), len(model.feature_names_out()))


def _checked_values(model: Any, method: str, given: Any, expected: int) -> Doubles:
    values = np.asarray(given, np.float64)
    if values.shape != (expected,) or not np.isfinite(values).all():
        raise ModelError(
            f"{method} of {type(model).__name__} gave shape {values.shape}, or values that are not finite.",
            f"Return one finite number for each of its {expected} features.",
        )
    return values


def _runner_up(row: Prediction, classes: Iterable[str]) -> str | None:
    """The class with the best score among those not predicted; None where none has a score."""
    scores = {c: s for c, s in zip(classes, row.scores, strict=True) if c != row.predicted and not np.isnan(s)}
    return max(scores, key=lambda c: scores[c]) if scores else None


__all__ = ["FoldAnswer", "FoldJob", "Question", "explain_clip", "explain_fold", "explain_run"]

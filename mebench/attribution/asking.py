"""From a finished run to its attributions: chosen folds fitted again, their networks asked, the truth looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench.attribution.clip import ClipAttribution, backdrop
from mebench.attribution.fold import FoldAttributions, FoldJob, Maps, attribute_fold
from mebench.attribution.game import play
from mebench.attribution.pointing import Target, target_of
from mebench.attribution.report import Asked, Attribution
from mebench.corpora import dataset
from mebench.errors import DataError, ModelError, UnknownName, UsageError
from mebench.explain import explain_clip, explain_run
from mebench.explanation import ClipExplanation, Explanation, Subject
from mebench.parallel import run_tasks
from mebench.prepare import corpus_root
from mebench.progress import Progress, silent
from mebench.refit import Question, Refit, prepare_refit
from mebench.store import read_clip
from mebench.synth.truth import read_truth

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a run is asked about: `folds` by id (all, if none is named), a place on the face, curves or not."""

    folds: tuple[str, ...] = ()
    at: tuple[float, float] | None = None
    curves: bool = True

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Scope":
        """The scope in the options of the command line; raises UsageError for options that do not go together."""
        if options["clip"] is not None and (options["fold"] or options["against"]):
            raise UsageError("One clip has one fold and no rival.", "Give --clip without --fold and --against.")
        if options["clip"] is None and options["at"] is not None:
            raise UsageError("--at is a place in one clip.", "Give --clip as well.")
        return cls(tuple(options["fold"]), options["at"], options["curves"])


def explained(
    options: Mapping[str, Any], *, jobs: int = 1, progress: Progress = silent
) -> Explanation | ClipExplanation | Attribution | ClipAttribution:
    """What `mebench explain` shows of a run or a clip: attributions of a model that offers them, else importances.

    Raises UsageError for an option of networks where the model is none, and as the functions below and `explain` do.
    """
    question, scope = Question.of(options), Scope.of(options)
    if can_attribute(question.model):
        if question.clip is not None:
            return attribute_clip(question, scope, jobs=jobs, progress=progress)
        if options["against"] is None:
            return attribute_run(question, scope, jobs=jobs, progress=progress)
        rival = Question.of({**options, "run": options["against"]})
        return attribute_against(question, rival, scope, jobs=jobs, progress=progress)
    if scope != Scope() or options["against"] is not None:
        raise UsageError(
            f"{type(question.model).__name__} has no attributions(): --fold, --at, --no-curves and --against are for "
            "networks.",
            "Leave them out, or name a run of a network.",
        )
    ask = explain_clip if question.clip is not None else explain_run
    return ask(question, jobs=jobs, progress=progress)


def can_attribute(model: Any) -> bool:
    """Whether the model offers `attributions`."""
    return callable(getattr(model, "attributions", None))


def attribute_run(
    question: Question, scope: Scope | None = None, *, jobs: int = 1, progress: Progress = silent
) -> Attribution:
    """Where the answers of the run's networks come from, over the clips that the chosen folds held out.

    A fold without a held-out input was not evaluated, and is not asked. Raises UnknownName for a fold that is none,
    UsageError for a protocol of several classes a clip, ModelError for a model that cannot be asked, and RunError where
    the run cannot be fitted again as it was.
    """
    refit, scope = _ready(question, jobs, progress), scope or Scope()
    work = _jobs(refit, scope)
    answers = _answers(work, jobs, progress)
    asked = _asked(refit, answers)
    maps, untrained = (_joined(answers, part) for part in ("maps", "untrained"))
    targets, why = _targets(refit, asked)
    truths = [one.truth for one in asked]
    return Attribution(
        subject=_subject(refit, answers),
        synthetic=refit.task.synthetic,
        note=str(getattr(question.model, "attribution_note", "")),
        classes=refit.task.protocol.classes,
        asked=asked,
        maps=maps,
        untrained=untrained,
        curves=_joined(answers, "curves"),
        facts={fold: answer.facts for fold, answer in answers.items()},
        game=play(maps, untrained, targets, [one.subject for one in asked], truths) if targets else None,
        no_game=why,
    )


def attribute_against(
    question: Question, rival: Question, scope: Scope | None = None, *, jobs: int = 1, progress: Progress = silent
) -> Attribution:
    """As `attribute_run`, with another run beside it; raises as `beside` does."""
    own = attribute_run(question, scope, jobs=jobs, progress=progress)
    return beside(own, attribute_run(rival, scope, jobs=jobs, progress=progress))


def beside(own: Attribution, other: Attribution) -> Attribution:
    """The first, with the second to be compared with; UsageError where their clips are not the same."""
    if [one.clip for one in own.asked] != [one.clip for one in other.asked]:
        raise UsageError(
            f"Runs {own.subject.run} and {other.subject.run} did not predict the same clips.",
            "Compare runs of one protocol on one corpus, over the same folds.",
        )
    return replace(own, rival=other)


def attribute_clip(
    question: Question, scope: Scope | None = None, *, jobs: int = 1, progress: Progress = silent
) -> ClipAttribution:
    """Where the answer about one clip comes from, by the network of the fold that held it out.

    Raises UnknownName for a clip that is not in the run, DataError for one without input, and as `attribute_run` does.
    """
    clip, scope = question.clip or "", scope or Scope()
    if clip not in question.seed_run.expected:
        raise UnknownName(f"clip in run {question.run.id}", clip, question.seed_run.expected)
    refit = _ready(question, jobs, progress)
    if clip not in refit.inputs:
        raise DataError(f"{clip} has no input: {refit.inputs.missing.get(clip)}", "Ask about a clip with a prediction.")
    fold = next(fold for fold in refit.task.folds if clip in fold.test)
    answers = _answers({fold.id: _job(refit, fold, scope, clip)}, jobs, progress)
    (asked,) = _asked(refit, answers)
    answer = answers[fold.id]
    targets, why = _targets(refit, (asked,))
    stored = read_clip(question.home, clip)
    shown = dataset(clip.partition("/")[0]).may_show(asked.subject)
    return ClipAttribution(
        subject=_subject(refit, answers),
        synthetic=refit.task.synthetic,
        note=str(getattr(question.model, "attribution_note", "")),
        asked=asked,
        maps={name: values[0] for name, values in answer.maps.items()},
        curves={name: values[0] for name, values in answer.curves.items()},
        facts=answer.facts,
        target=targets[0] if targets else None,
        no_game=why,
        face=backdrop(stored, allowed=shown or refit.task.synthetic),
        at=scope.at,
    )


def corpus_targets(root: Path, home: Path, clips: Sequence[str]) -> list[Target]:
    """Where skin moved in each clip of a synthetic corpus; DataError where one has no truth."""
    return [target_of(read_truth(root, clip), read_clip(home, clip)) for clip in clips]


def _ready(question: Question, jobs: int, progress: Progress) -> Refit:
    if not can_attribute(question.model):
        raise ModelError(
            f"{type(question.model).__name__} does not say where its answers come from: it has no attributions().",
            "Name a run of a network that offers attributions(), as lam.",
        )
    refit = prepare_refit(question, jobs=jobs, progress=progress)
    if refit.task.protocol.multilabel:
        raise UsageError(
            f"{refit.task.protocol.name} asks for several classes of a clip; a map speaks for one.",
            "Explain a run under a protocol of single classes.",
        )
    return refit


def _jobs(refit: Refit, scope: Scope) -> dict[str, FoldJob]:
    known = {fold.id: fold for fold in refit.task.folds}
    for name in scope.folds:
        if name not in known:
            raise UnknownName(f"fold of {refit.task.protocol.name}", name, known)
    chosen = [known[name] for name in scope.folds or known]
    work = {fold.id: _job(refit, fold, scope) for fold in chosen if any(clip in refit.inputs for clip in fold.test)}
    if not work:
        raise DataError("No clip of these folds has an input.", "Choose other folds, or all of them.")
    return work


def _job(refit: Refit, fold: Any, scope: Scope, clip: str | None = None) -> FoldJob:
    question = refit.question
    return FoldJob(
        home=question.home,
        model=question.asked["model"],
        parameters=question.parameters,
        task=refit.task,
        fold=fold,
        inputs=refit.inputs,
        recipe=refit.inputs.recipe,
        seed=question.seed_run.seed,
        only=(clip,) if clip else (),
        at=scope.at,
        curves=scope.curves,
    )


def _answers(work: Mapping[str, FoldJob], jobs: int, progress: Progress) -> dict[str, FoldAttributions]:
    """One answer per fold, in the order of the folds, whatever order workers end in; raises the first fault."""
    found: dict[str, FoldAttributions] = {}
    for ended, outcome in enumerate(run_tasks(attribute_fold, work, jobs=jobs), 1):
        if outcome.error is not None or outcome.value is None:
            raise outcome.error or ModelError(f"Fold {outcome.name} gave no answer.", "Give the command again.")
        found[outcome.name] = outcome.value
        progress(ended, len(work), f"fold {outcome.name}")
    names = {frozenset(answer.maps) for answer in found.values()}
    if len(names) > 1:
        raise ModelError("The networks of two folds gave maps of other names.", "Name maps alike in every fold.")
    return {fold: found[fold] for fold in work}


def _asked(refit: Refit, answers: Mapping[str, FoldAttributions]) -> tuple[Asked, ...]:
    items = {item.id: item for item in refit.task.items}
    rows = {row.clip: row for answer in answers.values() for row in answer.rows}
    return tuple(
        Asked(clip, items[clip].subject, fold, items[clip].label, str(rows[clip].predicted))
        for fold, answer in answers.items()
        for clip in answer.clips
    )


def _joined(answers: Mapping[str, FoldAttributions], part: str) -> Maps:
    each: list[Maps] = [getattr(answer, part) for answer in answers.values()]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


def _targets(refit: Refit, asked: Sequence[Asked]) -> tuple[list[Target], str]:
    """The target of every clip, or none and why."""
    if not refit.task.synthetic:
        return [], "What truly moved is known of synthetic corpora only: no pointing game."
    found = []
    for one in asked:
        name = one.clip.partition("/")[0]
        given = refit.question.data.get(name)
        try:
            root = Path(given) if given else corpus_root(refit.question.home, name)
            found += corpus_targets(root if root.is_dir() else root.parent, refit.question.home, [one.clip])
        except DataError as fault:
            return [], f"No pointing game: {fault.what}"
    return found, ""


def _subject(refit: Refit, answers: Mapping[str, FoldAttributions]) -> Subject:
    run, same = refit.question.run, refit.same(row for answer in answers.values() for row in answer.rows)
    title, protocol, seed = str(run.spec["facts"]["title"]), refit.task.protocol.name, refit.question.seed_run.seed
    return Subject(run.id, title, protocol, seed, agreeing=sum(same), compared=len(same))

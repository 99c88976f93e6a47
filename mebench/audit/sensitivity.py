"""`mebench audit sensitivity`: the least motion that a model detects, action unit by action unit.

Into stretches of raw clips in which nothing is coded, motion of one action unit of known amplitude is put. The model
learns, leaving one subject out, to tell stretches with motion from stretches without: the training part holds every
stretch of the others once per unit with motion, of an amplitude drawn evenly from those tested, and as often without.
Held out are all stretches of the one subject, without motion and with every unit at every amplitude. What the model
says of them is a score; the criterion that 5 % of the held-out stretches without motion exceed, all subjects taken
together, makes of it hits and misses.

It is a model of the same kind, trained anew for this question: what it detects is what its input and its learner can
carry, not what a run of it has learnt of expressions. Detecting rendered motion says nothing about faces.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mebench import plugins
from mebench.audit.baselines import WITHOUT, Stretch, StretchInputs, StretchTask, is_whole, make_inputs, stretches
from mebench.audit.insertion import VERSION, Move
from mebench.audit.psychometric import Scores
from mebench.audit.sensitivity_report import SensitivityReport, UnitSensitivity
from mebench.clips import ClipTable, canonical_json
from mebench.corpora import dataset, load_clips, parse_pairs
from mebench.errors import DataError, MebenchError, ModelError, RunError, UsageError
from mebench.evaluation import evaluate_fold
from mebench.execute import NO_INPUT, recipe_of
from mebench.files import DiskFullError
from mebench.fold_jobs import build_model
from mebench.folds import Fold, FoldRule, Item
from mebench.kept_json import keep_json, read_kept
from mebench.occupancy import adding, idle
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent
from mebench.protocol import Counts, Protocol, Source, Task
from mebench.recipes import parse_recipe
from mebench.runs import environment
from mebench.synth.action_units import DRAWABLE
from mebench.weights.declared import settled

UNITS = (1, 4, 6, 7, 9, 10, 12, 14, 15, 17)
"""Those coded in ten clips or more of CASME II, without 2, which goes with 1 there."""
AMPLITUDES_PX = (0.125, 0.25, 0.5, 1.0, 2.0)
FRAMES = 17
"""Frames of a stretch: 85 ms at 200 fps, which many raw clips have before their onset."""
FEWEST_SUBJECTS = 3
CLASSES = ("motion", "nothing")
_FOLD = "mebench.sensitivity-fold/1"


@dataclass(frozen=True)
class SensitivityQuestion:
    """What is asked: a model with its parameters, a corpus, and what is put into it. Amplitudes in px of its frames.

    `magnify` is `METHOD:FACTOR`, put behind the step that cuts the face; "" leaves the recipe as the model has it.
    """

    model: str
    dataset: str
    data: Path
    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None
    annotation: str | None = None
    corrections: bool = True
    units: tuple[int, ...] = UNITS
    amplitudes: tuple[float, ...] = AMPLITUDES_PX
    frames: int = FRAMES
    magnify: str = ""
    draws: int = 400
    seed: int = 0
    device: str = "cpu"
    estimate: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.units) - DRAWABLE)
        if unknown or not self.units:
            known = ", ".join(map(str, sorted(DRAWABLE)))
            raise UsageError(f"AU {', '.join(map(str, unknown)) or 'none'} cannot be put in.", f"Choose from {known}.")
        if len(self.amplitudes) < 2 or min(self.amplitudes) <= 0 or max(self.amplitudes) > 6:
            raise UsageError("A curve needs two amplitudes or more.", "Give them in px, above 0 and up to 6.")
        if self.frames < 5:
            raise UsageError(f"{self.frames} frames hold no rise and fall.", "Give 5 or more.")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "SensitivityQuestion":
        """What the options of the command line ask."""
        corpora = parse_pairs("--data", [options["data"]])
        ((name, folder),) = corpora.items()
        taken = ("model", "home", "preset", "annotation", "frames", "magnify", "draws", "seed", "device", "estimate")
        return cls(
            dataset=name,
            data=Path(folder),
            settings=parse_pairs("--set", options["settings"]),
            corrections=not options["no_corrections"],
            units=options["units"] or UNITS,
            amplitudes=options["amplitudes"] or AMPLITUDES_PX,
            **{key: options[key] for key in taken},
        )

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every unit at every amplitude."""
        return tuple(Move(unit, amplitude) for unit in self.units for amplitude in sorted(self.amplitudes))


def audit_sensitivity(
    question: SensitivityQuestion, *, jobs: int = 1, progress: Progress = silent
) -> SensitivityReport:
    """The amplitude detected half of the time per unit; inputs and folds are kept, and the same command goes on.

    Raises DataError where fewer than three subjects have a stretch, UsageError for a model that looks at no frame,
    ModelError where it gives no scores, RunError where a fold fails.
    """
    factory = plugins.load_model(question.model).factory
    question = replace(question, settings=settled(question.home, factory, question.settings))
    model = build_model(question.model, question.settings, question.device, question.preset)
    if recipe_of(model) == NO_INPUT:
        raise UsageError(f"{question.model} looks at no frame: it cannot see motion.", "Ask of a model with a recipe.")
    recipe = magnified(recipe_of(model), question.magnify)
    table = load_clips(
        question.dataset, question.data, annotation=question.annotation, corrections=question.corrections
    )
    found = stretches(table, dataset(question.dataset).frames(question.data, table), question.frames)
    _require_enough(found, table, question)
    folder = question.home / "sensitivity" / question.dataset
    fitted = folder / _key(question, recipe, found, model.get_params(deep=False), environment())
    with adding(question.home), _working_in(folder):
        started = time.perf_counter()
        made, missing = _inputs(question, recipe, found, folder / "inputs", jobs, progress)
        inputs_s = time.perf_counter() - started
        task = _task(question, table, {name: found[name] for name in made.files})
        if question.estimate:
            return _estimated(question, task, made, inputs_s, len(found), recipe)
        scores = _scores(question, task, made, fitted, jobs, progress)
        report = _report(question, task, made, scores, len(table), missing, recipe)
        keep_json(fitted / "report.json", "mebench.sensitivity-kept/1", report.record())
    return report


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """The folder, made where it is not there; RunError where another process works in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with idle(folder / ".lock"):
        yield


def magnified(recipe: str, magnify: str) -> str:
    """The recipe with `METHOD:FACTOR` put behind the step that cuts the face; itself for ""."""
    if not magnify:
        return recipe
    method, _, factor = magnify.partition(":")
    steps = recipe.split(" > ")
    if any(text.startswith("magnify") for text in steps):
        raise UsageError(f"{recipe} magnifies already.", "Set the model's own parameter: --set factor=...")
    at = next((i for i, text in enumerate(steps) if text.startswith(("align", "crop"))), None)
    if at is None or not factor:
        raise UsageError(f"{magnify!r} cannot be put into {recipe}.", "Write METHOD:FACTOR, of a recipe that aligns.")
    steps.insert(at + 1, f"magnify({method}, factor={factor})")
    return str(parse_recipe(" > ".join(steps)))


def _require_enough(found: Mapping[str, Stretch], table: ClipTable, question: SensitivityQuestion) -> None:
    subjects = {stretch.clip.subject for stretch in found.values()}
    if len(subjects) < FEWEST_SUBJECTS:
        raise DataError(
            f"{len(found)} of {len(table)} clips, of {len(subjects)} subjects, have {question.frames} frames in a row "
            "in which nothing is coded.",
            "Give the raw clips, which begin before the onset; fewer --frames; or a corpus of mebench synth "
            "--amplitude 0.",
        )


def _key(
    question: SensitivityQuestion,
    recipe: str,
    found: Mapping[str, Stretch],
    parameters: Mapping[str, Any],
    tools: Mapping[str, str],
) -> str:
    """A name for what was asked, as far as it decides what the model says."""
    intervals = {name: list(stretch.interval) for name, stretch in sorted(found.items())}
    moves = [move.name for move in question.moves]
    asked = [question.model, {k: repr(v) for k, v in parameters.items()}, recipe, moves, intervals, question.seed]
    seal = hashlib.sha256(canonical_json([VERSION, *asked, dict(tools)]).encode())
    return f"{question.model.replace('/', '_')}-{seal.hexdigest()[:16]}"


def _inputs(
    question: SensitivityQuestion,
    recipe: str,
    found: Mapping[str, Stretch],
    folder: Path,
    jobs: int,
    progress: Progress,
) -> tuple[StretchInputs, dict[str, str]]:
    """The inputs of all stretches (of one, for an estimate), and why some have none."""
    names = list(found)[:1] if question.estimate else list(found)
    asked = canonical_json([VERSION, parse_recipe(recipe).digest, [move.name for move in question.moves]])
    seal = hashlib.sha256(asked.encode()).hexdigest()[:12]
    tasks = {
        name: StretchTask(found[name], recipe, question.moves, folder / _file(found[name], seal)) for name in names
    }
    pending = {name: task for name, task in tasks.items() if not is_whole(task.path)}
    missing: dict[str, str] = {}
    for done, outcome in enumerate(run_tasks(make_inputs, pending, jobs=jobs), len(tasks) - len(pending) + 1):
        if isinstance(outcome.error, DiskFullError):
            raise outcome.error
        if outcome.error is not None:
            missing[outcome.name] = outcome.error.what
        progress(done, len(tasks), f"motion into {outcome.name}")
    files = {name: task.path for name, task in tasks.items() if name not in missing}
    if not files:
        raise DataError(f"No stretch has an input: {next(iter(missing.values()))}", "Check the frames and the recipe.")
    return StretchInputs(files, (WITHOUT, *(move.name for move in question.moves))), missing


def _file(stretch: Stretch, seal: str) -> str:
    """A file name that bears the clip's id, so that it is found when the clip is to be forgotten."""
    first, last = stretch.interval
    return f"{stretch.clip.id.replace('/', '__')}-{first}-{last}-{seal}.npz"


def _task(question: SensitivityQuestion, table: ClipTable, found: Mapping[str, Stretch]) -> Task:
    """Leave one subject out over stretches with and without motion."""
    items: list[Item] = []
    training: dict[str, list[str]] = {}
    tests: dict[str, list[str]] = {}
    for name, stretch in sorted(found.items()):
        trained = [*_drawn(question, name), *(f"{name}#{WITHOUT}~{k}" for k in range(len(question.units)))]
        tested = [f"{name}#{WITHOUT}", *(f"{name}#{move.name}" for move in question.moves)]
        training.setdefault(stretch.clip.subject, []).extend(trained)
        tests.setdefault(stretch.clip.subject, []).extend(tested)
        for key in dict.fromkeys([*trained, *tested]):
            label = CLASSES[f"#{WITHOUT}" in key]
            items.append(Item(replace(stretch.clip, id=key), label))
    folds = tuple(
        Fold(subject, tuple(c for other, clips in training.items() if other != subject for c in clips), tuple(clips))
        for subject, clips in sorted(tests.items())
    )
    release = {table.annotation: Counts(len(items), len(tests), {})}
    protocol = Protocol(
        name="audit-sensitivity",
        version=VERSION,
        title="Sensitivity",
        description="Motion put into stretches without any, leave one subject out.",
        task="detection",
        classes=CLASSES,
        sources={table.dataset: Source(table.dataset, "emotion", {c: c for c in CLASSES}, {}, release)},
        folds=FoldRule("leave-one-subject-out"),
        metrics=("uf1", "uar"),
        aggregate="pooled",
        papers=(),
        digest="0" * 64,
    )
    synthetic = table.synthetic is not None
    return Task(protocol, tuple(items), folds, {table.dataset: table.annotation}, synthetic, True, {})


def _drawn(question: SensitivityQuestion, clip: str) -> list[str]:
    """For training, a stretch with each unit, of an amplitude drawn from those tested."""
    seed = int.from_bytes(hashlib.sha256(f"{question.seed} {clip}".encode()).digest()[:8], "little")
    amplitudes = np.random.default_rng(seed).choice(sorted(question.amplitudes), len(question.units))
    return [f"{clip}#{Move(unit, float(a)).name}" for unit, a in zip(question.units, amplitudes, strict=True)]


@dataclass(frozen=True)
class _FoldTask:
    """What a worker needs to fit and question the model of one fold."""

    question: SensitivityQuestion
    task: Task
    fold: Fold
    inputs: StretchInputs
    path: Path


def _scores(
    question: SensitivityQuestion, task: Task, inputs: StretchInputs, folder: Path, jobs: int, progress: Progress
) -> dict[str, float]:
    """What the models say of every held-out stretch: the greater, the surer of motion."""
    places = {fold.id: folder / f"{fold.file_name}.json" for fold in task.folds}
    tasks = {f.id: _FoldTask(question, _of_fold(task, f), f, inputs, places[f.id]) for f in task.folds}
    pending = {name: one for name, one in tasks.items() if _kept(one) is None}
    for done, outcome in enumerate(run_tasks(_fit, pending, jobs=jobs), len(tasks) - len(pending) + 1):
        if outcome.error is not None:
            raise RunError(f"Fold {outcome.name}: {outcome.error.what}", "Correct the model; the same command goes on.")
        progress(done, len(tasks), f"without {outcome.name}")
    return {clip: score for one in tasks.values() for clip, score in (_kept(one) or {}).items()}


def _of_fold(task: Task, fold: Fold) -> Task:
    wanted = {*fold.train, *fold.test}
    return replace(task, items=tuple(item for item in task.items if item.id in wanted), folds=(fold,))


def _fit(job: _FoldTask) -> None:
    """Fits one fold and keeps its scores. Runs in a worker."""
    asked = job.question
    model = build_model(asked.model, asked.settings, asked.device, asked.preset)
    rows = evaluate_fold(model, job.task, job.fold, job.inputs, asked.seed)
    scores = {row.clip: row.scores[CLASSES.index("motion")] for row in rows if row.scores}
    if len(scores) < len(job.fold.test) or not np.isfinite(list(scores.values())).all():
        raise ModelError(f"{asked.model} gives no scores to set a criterion on.", "Add predict_proba.")
    keep_json(job.path, _FOLD, {"scores": scores})


def _kept(job: _FoldTask) -> dict[str, float] | None:
    """The scores of a fold that was fitted on these very clips; None where it is still to do."""
    try:
        scores: dict[str, float] = read_kept(job.path, _FOLD, "")["scores"]
    except MebenchError:
        return None
    return scores if set(scores) == set(job.fold.test) else None


def _estimated(
    question: SensitivityQuestion, task: Task, inputs: StretchInputs, inputs_s: float, stretches: int, recipe: str
) -> SensitivityReport:
    """How long all will take, from the inputs of one stretch; folds depend on the model and are not timed."""
    minutes = inputs_s * stretches / 60
    said = (
        f"{inputs_s:.0f} s for the inputs of a stretch: about {minutes:.0f} min of one core for all, without the folds."
    )
    return replace(_report(question, task, inputs, {}, stretches, {}, recipe), notes=(said,))


def _report(
    question: SensitivityQuestion,
    task: Task,
    inputs: StretchInputs,
    scores: Mapping[str, float],
    clips: int,
    missing: Mapping[str, str],
    recipe: str,
) -> SensitivityReport:
    subjects = {item.id: item.subject for item in task.items}
    eyes = float(np.mean([inputs.eyes(clip) for clip in inputs.files]))
    without = [(subjects[key], score) for key, score in scores.items() if key.endswith(f"#{WITHOUT}")]

    def of(units: Sequence[int]) -> Scores:
        rows = {
            amplitude: [
                (subjects[f"{clip}#{Move(unit, amplitude).name}"], scores[f"{clip}#{Move(unit, amplitude).name}"])
                for clip in inputs.files
                for unit in units
            ]
            for amplitude in sorted(question.amplitudes)
        }
        return Scores(without, rows)

    asked = [((unit,), f"AU {unit}") for unit in question.units] + [(question.units, "all units")]
    rows = [UnitSensitivity.of(name, of(units), eyes, question.draws) for units, name in asked] if scores else []
    return SensitivityReport(
        model=question.model,
        parameters=dict(question.settings),
        recipe=recipe,
        dataset=question.dataset,
        synthetic=task.synthetic,
        stretches=len(inputs.files),
        clips=clips,
        subjects=len(task.folds),
        frames=question.frames,
        eyes_px=eyes,
        units=tuple(rows),
        missing=dict(missing),
    )


__all__ = ["AMPLITUDES_PX", "FRAMES", "UNITS", "SensitivityQuestion", "audit_sensitivity", "magnified"]

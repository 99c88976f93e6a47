"""`mebench audit motion`: how much of a score is motion, on the user's own corpora.

The run of a model is set beside the same model, fitted again, on clips that lost their motion, and beside what needs no
model at all: human action-unit codes, the majority class, chance. What a model scores on the onset frame alone it owes
to who is seen and how the face rests.
"""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mebench import runs
from mebench.au_reference import UnitReference, keep, kept_for
from mebench.audit.motionless import MOTIONLESS, VERSION, motionless_inputs
from mebench.audit.own_run import OwnRun, own_run
from mebench.audit.unit_models import VERSION as UNITS_VERSION
from mebench.audit.units import unit_reference
from mebench.comparing import between, counts_of, probability, signed
from mebench.comparison import Comparison, compare
from mebench.errors import DataError, RunError, UsageError
from mebench.execute import NO_INPUT
from mebench.fitting import Part, run_missing
from mebench.intervals import COVERAGE_NOTE, Interval, intervals_of
from mebench.kept_json import keep_json, read_kept
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.occupancy import adding, idle
from mebench.page.references import bound_of, one_answer
from mebench.predictions import Predictions, merge
from mebench.progress import Progress, silent
from mebench.render import NONE, Table, figure
from mebench.requests import Request
from mebench.runs import SeedRun
from mebench.scores import number_or_none
from mebench.scoring import ALL
from mebench.subject_counts import SubjectCounts

SCHEMA = "mebench.motion/1"
_MADE_BY, _MISSING = "mebench.motion-made-by/1", "mebench.motion-missing/1"
WHOLE = "whole clips"


@dataclass(frozen=True)
class Shown:
    """What the model scores under one condition: means over seeds, NaN where it cannot be run.

    `words` say what the frames carry. `less` is the score less that on whole clips, tested over subjects; None for the
    whole clips themselves. `clips` have an input; `why` says what keeps it from running.
    """

    name: str
    words: str
    uf1: float
    uar: float
    interval: Interval | None = None
    less: Comparison | None = None
    clips: int = 0
    why: str = ""

    def record(self) -> dict[str, Any]:
        """The condition as plain JSON values."""
        return {
            "name": self.name,
            "frames": self.words,
            "uf1": number_or_none(self.uf1),
            "uar": number_or_none(self.uar),
            "interval": self.interval.record() if self.interval else None,
            "less_than_whole": self.less.record() if self.less else None,
            "clips": self.clips,
            "why": self.why,
        }


@dataclass(frozen=True)
class Level:
    """A level that needs no model: its name, UF1, and what it rests on."""

    name: str
    uf1: float
    words: str

    def record(self) -> dict[str, Any]:
        """The level as plain JSON values."""
        return {"name": self.name, "uf1": number_or_none(self.uf1), "rests_on": self.words}


@dataclass(frozen=True)
class MotionCard:
    """How much of a run's score is motion: the conditions, whole clips first, and the levels beside them."""

    model: str
    title: str
    protocol: str
    run: str
    seeds: int
    expected: int
    synthetic: bool
    shown: tuple[Shown, ...]
    levels: tuple[Level, ...]
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every condition could be run on every clip that the whole run has."""
        return all(not one.why and one.clips == self.shown[0].clips for one in self.shown)

    @property
    def findings(self) -> tuple[str, ...]:
        """What the card says, in sentences."""
        whole = self.shown[0]
        said = [_finding(whole, one) for one in self.shown[1:]]
        for level in self.levels:
            if not math.isnan(level.uf1) and whole.uf1 <= level.uf1 and level.name != "AU reference":
                said.append(f"On whole clips the model does not score above: {level.name}, UF1 {figure(level.uf1)}.")
            if level.name == "AU reference" and whole.uf1 > level.uf1:
                said.append(f"Above the AU reference, UF1 {figure(level.uf1)}: no strict bound, a question to ask.")
        return tuple(said)

    def record(self) -> dict[str, Any]:
        """The card as plain JSON values."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "protocol": self.protocol,
            "run": self.run,
            "seeds": self.seeds,
            "clips": self.expected,
            "synthetic": self.synthetic,
            "complete": self.complete,
            "conditions": [one.record() for one in self.shown],
            "levels": [one.record() for one in self.levels],
            "findings": list(self.findings),
            "notes": list(self.notes),
        }

    def table(self) -> Table:
        """One row per condition and level; what the card says stands below."""
        rows = [
            (
                one.name,
                figure(one.uf1),
                between_scores(one.interval),
                figure(one.uar),
                signed(one.less.test.difference) if one.less else NONE,
                between(one.less.interval.low, one.less.interval.high) if one.less else NONE,
                probability(one.less.p_holm) if one.less else NONE,
                one.why or one.words,
            )
            for one in self.shown
        ]
        rows += [(one.name, figure(one.uf1), *(NONE,) * 5, one.words) for one in self.levels]
        figures = ("UF1", "95 %", "UAR", "Less whole", "95 % of that", "p (Holm)")
        warning = (f"{SYNTHETIC_WARNING}.",) if self.synthetic else ()
        return Table(
            f"Motion evidence of {self.title} under {self.protocol} (run {self.run})",
            ("", *figures, "Frames carry"),
            tuple(rows),
            numeric=frozenset(figures),
            notes=(
                *self.findings,
                *self.notes,
                "Less whole: the score less that on whole clips, the model fitted again; paired test over subjects.",
                COVERAGE_NOTE,
                *warning,
            ),
        )


def between_scores(found: Interval | None) -> str:
    """`.241–.305`; a dash where there is no interval."""
    return NONE if found is None or math.isnan(found.low) else f"{figure(found.low)}–{figure(found.high)}"


def audit_motion(request: Request, *, jobs: int = 1, progress: Progress = silent) -> MotionCard:
    """The card of the model's run, which is made first where there is none; kept beside the run, and resumed.

    Raises what `own_run` raises, and UsageError for a model that looks at no frame.
    """
    own = own_run(request, jobs=jobs, progress=progress)
    if own.recipe == NO_INPUT:
        raise UsageError(
            f"{request.model} looks at no frame: there is no motion to take away.", "Ask of a model with a recipe."
        )
    folder = own.folder / "motion"
    with adding(request.home), idle(own.folder / ".lock-motion"):
        notes = _settle(folder)
        made = {name: _condition(own, name, folder, jobs, progress) for name in MOTIONLESS}
        card = _card(own, made, notes)
        keep_json(folder / "card.json", SCHEMA, card.record())
    return card


@dataclass(frozen=True)
class _Made:
    """A condition as it was run: predictions, clips with an input, and what keeps it from being complete."""

    predictions: Predictions | None
    clips: int
    why: str = ""


def _settle(folder: Path) -> tuple[str, ...]:
    """Makes the folder; what lies there from another environment or version is discarded, and a note says so."""
    path, now = folder / "made-by.json", {"motionless": str(VERSION), **runs.environment()}
    try:
        then = read_kept(path, _MADE_BY, "") if path.exists() else now
        changed = [f"{key} {then.get(key)} -> {now[key]}" for key in sorted(now) if then.get(key) != now[key]]
    except RunError as fault:
        changed = [fault.what]
    if changed:
        shutil.rmtree(folder)
    if changed or not path.exists():
        keep_json(path, _MADE_BY, now)
    return (f"made anew, as something changed: {'; '.join(changed)}",) if changed else ()


def _condition(own: OwnRun, name: str, folder: Path, jobs: int, progress: Progress) -> _Made:
    """The model fitted again on a variant of every clip the run had, fold by fold, each kept as it finishes."""
    place = folder / name.replace(" ", "-")
    seeds = [SeedRun(place / f"seed-{one.seed}", one.manifest) for one in own.seed_runs]
    given = place / "inputs"
    missing = _kept_missing(place)
    if missing is None or any(one.status() != "complete" for one in seeds):
        clips = {item.id: item.clip for item in own.task.items if item.id in own.inputs}
        inputs = motionless_inputs(own.request.home, name, own.recipe, clips, given, jobs=jobs, progress=progress)
        missing = dict(inputs.missing)
        keep_json(place / "missing.json", _MISSING, missing)
        if inputs:
            parts = [Part(own.request, own.task, own.spec, one, inputs, own.folds_at_once) for one in seeds]
            run_missing(parts, own.workers(jobs), progress)
    clips_left = sum(item.id in own.inputs for item in own.task.items) - len(missing)
    failed = {fold: what for one in seeds for fold, what in one.failures().items()}
    if failed or any(one.status() != "complete" for one in seeds):
        fold, what = next(iter(failed.items()), ("", next(iter(missing.values()), "no clip has an input")))
        return _Made(None, clips_left, f"cannot be run{f' (fold {fold})' if fold else ''}: {what}")
    shutil.rmtree(given, ignore_errors=True)  # they served to go on after a kill
    return _Made(merge([one.predictions() for one in seeds]), clips_left)


def _kept_missing(place: Path) -> dict[str, str] | None:
    """Why clips have no input under a condition, by clip id; None where that is not known any more."""
    try:
        return read_kept(place / "missing.json", _MISSING, "")
    except RunError:
        return None


def _card(own: OwnRun, made: Mapping[str, _Made], notes: tuple[str, ...]) -> MotionCard:
    held = sum(item.id in own.inputs for item in own.task.items)
    whole = _shown(own, WHOLE, "all frames, as stored", _Made(own.predictions, held), None)
    less = _less(own, {name: one.predictions for name, one in made.items() if one.predictions})
    rest = (_shown(own, name, MOTIONLESS[name].words, one, less.get(name)) for name, one in made.items())
    return MotionCard(
        model=own.run.spec["model"],
        title=own.title,
        protocol=own.task.protocol.name,
        run=own.run.id,
        seeds=len(own.seed_runs),
        expected=len(own.task.items),
        synthetic=own.task.synthetic,
        shown=(whole, *rest),
        levels=_levels(own),
        notes=notes,
    )


def _shown(own: OwnRun, name: str, words: str, made: _Made, less: Comparison | None) -> Shown:
    if made.predictions is None:
        return Shown(name, words, math.nan, math.nan, clips=made.clips, why=made.why)
    cards = own.cards(made.predictions)
    uf1, uar = (sum(getattr(c.strict[ALL], m) for c in cards.values()) / len(cards) for m in ("uf1", "uar"))
    entry = own.entry
    bounds = intervals_of(made.predictions, own.expected, own.subjects, aggregate=entry.aggregate, metrics=("uf1",))
    return Shown(name, words, uf1, uar, bounds[ALL]["uf1"], less, made.clips)


def _less(own: OwnRun, predictions: Mapping[str, Predictions]) -> dict[str, Comparison]:
    """Each condition less whole clips, adjusted as a family."""
    if not predictions:
        return {}
    entry = own.entry

    def counted(said: Predictions) -> SubjectCounts:
        by_seed = {seed: said.of_seed(seed) for seed in said.seeds}
        return counts_of(replace(entry, predictions=by_seed))

    methods = {WHOLE: counted(own.predictions)} | {name: counted(said) for name, said in predictions.items()}
    return {one.method: one for one in compare(methods, WHOLE)}


def _levels(own: OwnRun) -> tuple[Level, ...]:
    """The AU reference, one answer for every clip, and chance: the run's permutation null where it has one."""
    entry, (units, why) = own.entry, _units(own)
    said = one_answer(entry)
    refitted = "model fitted again under each" if not math.isnan(entry.null_bound) else "predictions kept"
    return (
        Level("AU reference", units.uf1() if units and units.coverage() == 1 else math.nan, why),
        Level(said.name, said.uf1, "no frame, the class counts"),
        Level("chance at most", bound_of(entry), f"97.5 % under labels permuted within subjects, {refitted}"),
    )


def _units(own: OwnRun) -> tuple[UnitReference | None, str]:
    """The reference on these very corpora, made and kept where it is not yet, and what it rests on or why not."""
    task, home = own.task, own.request.home
    found = kept_for(home, task.protocol.name, task.fingerprints, partial=task.partial)
    if found is None or found.version != UNITS_VERSION:
        try:
            found = unit_reference(task)
        except (DataError, UsageError) as fault:
            return None, fault.what
        keep(home, found)
    if found.uncoded:
        return found, f"{len(found.uncoded)} of {len(found.expected)} clips have no action-unit code"
    return found, f"human action-unit codes, no frame ({found.best}, the best of {len(found.predictions)})"


def _finding(whole: Shown, one: Shown) -> str:
    """One sentence on a condition: plain where motion does not show."""
    phrase, beside = MOTIONLESS[one.name].phrase, f"UF1 {figure(whole.uf1)} against {figure(one.uf1)}"
    if one.why:
        return f"{one.name.capitalize()}: {one.why}"
    if whole.uf1 <= one.uf1:
        return f"The model does no better on whole clips than {phrase}: {beside}."
    if one.less is None or not one.less.resolved:
        return f"It is not shown that the model does better on whole clips than {phrase}: {beside}."
    return f"The model does better on whole clips than {phrase}: {beside}."


__all__ = ["SCHEMA", "WHOLE", "Level", "MotionCard", "Shown", "audit_motion"]

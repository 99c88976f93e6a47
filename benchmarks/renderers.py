"""What is learnt on one renderer, tested on the other: train x test x model, each beside its null.

Usage: python -m benchmarks.renderers HOME [--jobs N] [--subjects N] [--clips N] [--permutations N] [--only MODEL ...]
       [matrix]

The two renderers share no drawing code and are given different scripts, so people, faces, motion fields, labels and
timing differ: subjects are disjoint by construction. Trained and tested on one renderer, one subject is left out;
across, the model is fitted once on everybody of the one and tested on everybody of the other. The null permutes labels
within subjects, in training and test, and fits again. Results are kept under HOME and not computed twice. Everything is
SYNTHETIC: motion that two programs drew alike says nothing about faces.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mebench.corpora import dataset
from mebench.demo import MODELS
from mebench.evaluation import Inputs, evaluate_task
from mebench.execute import recipe_of
from mebench.files import write_text_atomic
from mebench.fold_jobs import build_model
from mebench.folds import Fold, Item
from mebench.inputs import compute_inputs
from mebench.intervals import intervals_of
from mebench.nulls import Evidence, as_arrays, permuted
from mebench.parallel import run_tasks
from mebench.predictions import Predictions
from mebench.prepare import load_registered, prepare, registered
from mebench.protocol import Task, load_protocol, resolve
from mebench.scoring import ALL, score
from mebench.synth.corpus import write_corpus
from mebench.synth.renderers import RENDERERS

CORPUS, PROTOCOL = "casme2", "casme2-5c-loso"
NAMES = ("lbp-top", "mdmo", "lam", "flow-svm")
VARIANTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    f"flow-svm, {cells} cells, {how}": ("flow-svm", {"cells": str(cells), "scaling": scaling})
    for cells in (8, 12, 16, 24, 32)
    for how, scaling in (("px", "none"), ("standardised", "standard"))
}
"""Asked for by name: what keeps flow from carrying over, and how fine a grid it needs."""
SEEDS = {name: 100 * i for i, name in enumerate(RENDERERS)}
"""Of the corpora: no two renderers are given one script."""


@dataclass(frozen=True)
class Size:
    """Of either corpus, and of the null."""

    subjects: int
    clips: int
    permutations: int

    @property
    def name(self) -> str:
        """A folder name for corpora of this size."""
        return f"{self.subjects}x{self.clips}"


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix."""

    home: Path
    size: Size
    model: str
    train: str
    test: str

    @property
    def path(self) -> Path:
        """Where its result is kept."""
        name = f"{self.model}-{self.train}-{self.test}-{self.size.permutations}.json"
        return self.home / self.size.name / "cells" / name


@dataclass(frozen=True)
class Found:
    """UF1 of a cell with its 95 % interval over tested subjects, and its null."""

    evidence: Evidence
    low: float
    high: float


def main(arguments: list[str]) -> int:
    """0 once the matrix is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.renderers")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--permutations", type=int, default=39)
    parser.add_argument("--only", nargs="+", default=NAMES, choices=[*NAMES, *VARIANTS], metavar="MODEL")
    parser.add_argument("part", nargs="?", choices=["matrix"], default="matrix")
    options = parser.parse_intermixed_args(arguments)
    size = Size(options.subjects, options.clips, options.permutations)
    for renderer in RENDERERS:
        corpus_of(options.home, renderer, size, options.jobs)
    wanted = {
        f"{model}: {train} -> {test}": Cell(options.home, size, model, train, test)
        for model in options.only
        for train in RENDERERS
        for test in RENDERERS
    }
    for model in options.only:
        for renderer in RENDERERS:
            inputs_of(options.home, renderer, size, model, options.jobs)
    for outcome in run_tasks(measured, wanted, jobs=options.jobs):
        if outcome.error:
            raise outcome.error
        sys.stderr.write(f"{outcome.name}\n")
    print_matrix(wanted, size)
    return 0


def corpus_of(home: Path, renderer: str, size: Size, jobs: int) -> Path:
    """The home in which this renderer's smoke corpus is prepared."""
    place = home / size.name / renderer
    if CORPUS not in registered(place):
        write_corpus(
            CORPUS,
            place / "corpus",
            renderer=renderer,
            subjects=size.subjects,
            clips=size.clips,
            seed=SEEDS[renderer],
            jobs=jobs,
        )
        prepare(dataset(CORPUS), place / "corpus", place, jobs=jobs)
    return place


def inputs_of(home: Path, renderer: str, size: Size, model: str, jobs: int) -> tuple[Task, Inputs]:
    """The task on one renderer's corpus and its inputs, under ids that name the renderer."""
    place = corpus_of(home, renderer, size, jobs)
    task = resolve(load_protocol(PROTOCOL), {CORPUS: load_registered(place, CORPUS)})  # type: ignore[arg-type]
    recipe = recipe_of(built(model))
    inputs = compute_inputs(place, recipe, [item.clip for item in task.items], jobs=jobs)
    named = {_named(renderer, clip): array for clip, array in as_arrays(inputs).items()}
    return _renamed(task, renderer), named


def measured(cell: Cell) -> Found:
    """The result of a cell, from the file it was kept in or computed now."""
    if cell.path.exists():
        content = json.loads(cell.path.read_text())
        kept = Evidence(tuple(content["evidence"]["uf1"]), tuple(content["evidence"]["null"]))
        return Found(kept, content["low"], content["high"])
    task, inputs = joined(cell)
    model = built(cell.model)
    uf1, predictions = tested(model, task, inputs, 0)
    wanted = {item.id: item.label for item in tested_items(task)}
    subjects = {item.id: item.subject for item in tested_items(task)}
    bounds = intervals_of(predictions, wanted, subjects, metrics=("uf1",))[ALL]["uf1"]
    shuffled = (permuted(task, np.random.default_rng([7, i])) for i in range(cell.size.permutations))
    null = tuple(tested(model, other, inputs, i)[0] for i, other in enumerate(shuffled))
    found = Found(Evidence((uf1,), null), bounds.low, bounds.high)
    write_text_atomic(cell.path, json.dumps(asdict(found)))
    return found


def built(name: str) -> Any:
    """The model, or its variant, with the demo's parameters."""
    model, changed = VARIANTS.get(name, (name, {}))
    return build_model(model, {**MODELS.get(model, {}), **changed}, "cpu")


def joined(cell: Cell) -> tuple[Task, Inputs]:
    """Leave one subject out on one renderer, or one fold from the one to the other."""
    task, inputs = inputs_of(cell.home, cell.train, cell.size, cell.model, 1)
    if cell.train == cell.test:
        return task, inputs
    other, others = inputs_of(cell.home, cell.test, cell.size, cell.model, 1)
    fold = Fold(f"to {cell.test}", tuple(i.id for i in task.items), tuple(i.id for i in other.items))
    return replace(task, items=(*task.items, *other.items), folds=(fold,)), {**inputs, **others}


def tested(model: Any, task: Task, inputs: Inputs, seed: int) -> tuple[float, Predictions]:
    """UF1 over the clips that are tested, and what was predicted."""
    predictions = evaluate_task(model, task, inputs, (seed,))
    said = {row.clip: row.predicted for row in predictions.rows}
    items = tested_items(task)
    truth, predicted = [item.label for item in items], [said.get(item.id) for item in items]
    return score(truth, predicted, task.protocol.classes, full=False).uf1, predictions


def tested_items(task: Task) -> list[Item]:
    """The items that some fold tests."""
    wanted = {clip for fold in task.folds for clip in fold.test}
    return [item for item in task.items if item.id in wanted]


def print_matrix(cells: Mapping[str, Cell], size: Size) -> None:
    """One line per model, training and test."""
    print(f"\nmatrix: {PROTOCOL}, {size.subjects} rendered subjects and {size.clips} clips per renderer, SYNTHETIC")
    print(
        f"{'model':12} {'trained on':12} {'tested on':12} {'UF1':>6} {'95 %':>12}"
        f" {'97.5 % of null':>15} {'p':>6}  above"
    )
    for cell in cells.values():
        found = measured(cell)
        null = found.evidence
        bounds = f"{found.low:.3f}-{found.high:.3f}"
        line = f"{cell.model:12} {cell.train:12} {cell.test:12} {null.mean:6.3f} {bounds:>12}"
        if null.null:
            line += f" {null.bound:15.3f} {null.p:6.3f}  {'yes' if null.above else 'no'}"
        print(line)
    print("Motion that two programs drew alike says nothing about faces.")


def _renamed(task: Task, renderer: str) -> Task:
    """The task with clips and subjects that bear the renderer's name."""
    items = tuple(
        replace(i, clip=replace(i.clip, id=_named(renderer, i.id), subject=f"{i.subject}-{renderer}"))
        for i in task.items
    )
    folds = tuple(
        replace(f, **{part: tuple(_named(renderer, clip) for clip in getattr(f, part)) for part in ("train", "test")})
        for f in task.folds
    )
    return replace(task, items=items, folds=folds)


def _named(renderer: str, clip: str) -> str:
    corpus, subject, name = clip.split("/")
    return f"{corpus}/{subject}-{renderer}/{name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

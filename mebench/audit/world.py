"""What a model is audited on: a task, its inputs, and a home that holds its labels; drawn, or a user's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.audit import drawn
from mebench.audit.session import Candidate, Description, Surroundings
from mebench.errors import UsageError
from mebench.evaluation import Inputs, blank_inputs
from mebench.folds import Fold, Item
from mebench.inputs import compute_inputs
from mebench.progress import Progress, silent
from mebench.protocol import Task

SUBJECTS, CLIPS = 5, 9
"""Of the drawn corpus: enough clips for each of three classes in every fold, few enough for a network."""
NULL_SUBJECTS, NULL_CLIPS = 6, 20
"""Of the null corpus, whose clips cost nothing: 120, on which a leak of every fifth clip's label shows."""


@dataclass(frozen=True)
class World:
    """A task with inputs, what surrounds it, and the folds that are audited.

    `own` says that it is the user's corpus. `described` is what the notes of a report say of it.
    """

    task: Task
    inputs: Inputs
    surroundings: Surroundings
    folds: tuple[Fold, ...]
    described: str
    own: bool = False

    @property
    def tested(self) -> tuple[Item, ...]:
        """The items of the test clips of the audited folds that have an input."""
        clips = {clip for fold in self.folds for clip in fold.test}
        return tuple(item for item in self.task.items if item.id in clips and item.id in self.inputs)


def draw_home(root: Path, candidate: Candidate, seed: int) -> tuple[Task, Mapping[str, str], Surroundings]:
    """A drawn corpus with its annotation, registration and an earlier run below the root."""
    labels = drawn.draw_labels(SUBJECTS, CLIPS, seed)
    corpus, home = root / "CASME2", root / "share" / "mebench"
    table = drawn.write_annotation(corpus, labels)
    task = drawn.task_of(table)
    drawn.register(home, corpus, table)
    drawn.record_run(home, task)
    command = ("mebench", "--home", str(home), "run", candidate.model, "--protocol", task.protocol.name)
    environment = {"XDG_DATA_HOME": str(root / "share")}  # where a model looks that asks platformdirs
    arguments = (*command, "--data", f"{drawn.DATASET}={corpus}")
    return task, labels, Surroundings(home, (home, corpus), arguments, environment)


def draw_world(
    task: Task,
    labels: Mapping[str, str],
    surroundings: Surroundings,
    description: Description,
    seed: int,
    *,
    jobs: int = 1,
    progress: Progress = silent,
) -> World:
    """The drawn corpus with the inputs of the model's recipe; a model that names none is given eight numbers."""
    inputs: Inputs
    if description.recipe is None:
        inputs, what = drawn.draw_features(task, seed), f"{drawn.FEATURES} numbers per clip, as the model has no recipe"
    elif description.looks_at_nothing:
        inputs, what = blank_inputs(task), "no input, as the model asks for none"
    else:
        drawn.fill_store(surroundings.home, labels, seed)
        clips = [item.clip for item in task.items]
        made = compute_inputs(surroundings.home, description.recipe, clips, jobs=jobs, progress=progress)
        if made.missing:
            clip, why = next(iter(made.missing.items()))
            raise UsageError(
                f"The recipe {description.recipe} makes nothing of a drawn clip ({clip}: {why})",
                "Audit it on a corpus it is made for: --protocol NAME with that corpus prepared.",
            )
        inputs, what = {clip: np.array(made[clip]) for clip in made}, f"inputs {description.recipe}"
    said = f"a drawn corpus of {len(task.items)} clips, {SUBJECTS} subjects, {len(drawn.CLASSES)} classes; {what}"
    return World(task, inputs, surroundings, task.folds, said)


def null_world(world: World, seed: int, *, subjects: int = NULL_SUBJECTS, clips: int = NULL_CLIPS) -> World:
    """Clips whose inputs say nothing of the class, among the same surroundings.

    On a drawn corpus each value of an input is that of some clip drawn by itself, so that every value keeps its spread
    and none its meaning. On a user's corpus, clips exchange their inputs.
    """
    generator = np.random.default_rng([seed, 2])
    if world.own:
        names = list(world.inputs)
        order = generator.permutation(len(names)).tolist()
        exchanged = {name: np.asarray(world.inputs[names[i]]) for name, i in zip(names, order, strict=True)}
        return replace(world, inputs=exchanged, described="the corpus with its inputs exchanged among clips")
    labels = drawn.draw_labels(subjects, clips, seed, first=51)
    task = _relabelled(world.task, labels)
    stack = np.stack([np.asarray(value) for value in world.inputs.values()]) if _alike(world.inputs) else None
    inputs = {
        item.id: _mixed(stack, generator) if stack is not None else _any(world.inputs, generator) for item in task.items
    }
    return replace(world, task=task, inputs=inputs, folds=task.folds, described="a null corpus")


def _relabelled(task: Task, labels: Mapping[str, str]) -> Task:
    """A task of the same protocol over other clips, which exist nowhere else."""
    pattern = {item.label: item.clip for item in task.items}
    items = []
    for clip, label in labels.items():
        items.append(Item(replace(pattern[label], id=clip, subject=clip.rpartition("/")[0]), label))
    return drawn.task_over(task, items)


def _alike(inputs: Inputs) -> bool:
    return len({np.asarray(value).shape for value in inputs.values()}) == 1


def _mixed(stack: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
    """One input of the shape of the stack's rows, each value that of a row drawn by itself."""
    flat = stack.reshape(len(stack), -1)
    chosen = flat[generator.integers(len(stack), size=flat.shape[1]), np.arange(flat.shape[1])]
    return np.ascontiguousarray(chosen.reshape(stack.shape[1:]))


def _any(inputs: Inputs, generator: np.random.Generator) -> NDArray[Any]:
    """The input of some clip; inputs of several shapes cannot be mixed value by value."""
    names: Sequence[str] = list(inputs)
    return np.array(inputs[names[int(generator.integers(len(names)))]])


__all__ = ["World", "draw_home", "draw_world", "null_world"]

"""The permutation null of a model: what it scores where labels say nothing.

Labels are permuted within each subject, in training and test alike, and the model is fitted again. Within subjects,
because a model may learn who a person is without having learnt anything of expressions: the null keeps every subject's
class counts. One-sided: leave-one-subject-out on noise may fall below chance, and that is no evidence of anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.evaluation import Inputs, evaluate_task
from mebench.null_draws import CONFIDENCE, FEWEST
from mebench.protocol import Task
from mebench.scoring import score


@dataclass(frozen=True, slots=True)
class Evidence:
    """UF1 of a model, per seed, beside its null (one value per permutation)."""

    uf1: tuple[float, ...]
    null: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean UF1 over seeds."""
        return float(np.mean(self.uf1))

    @property
    def bound(self) -> float:
        """The 97.5 % point of the null."""
        return float(np.quantile(self.null, CONFIDENCE, method="higher"))

    @property
    def p(self) -> float:
        """One-sided: (1 + permutations that reach the mean) / (1 + permutations)."""
        return (1 + sum(value >= self.mean for value in self.null)) / (1 + len(self.null))

    @property
    def above(self) -> bool:
        """Whether the mean lies above the null's 97.5 % point."""
        return self.mean > self.bound


def permuted(task: Task, generator: np.random.Generator) -> Task:
    """The task with labels permuted within each subject; clips, subjects and folds stay."""
    by_subject: dict[str, list[int]] = {}
    for i, item in enumerate(task.items):
        by_subject.setdefault(item.subject, []).append(i)
    labels = [item.label for item in task.items]
    for subject in sorted(by_subject):
        at = by_subject[subject]
        for i, j in zip(at, generator.permutation(at).tolist(), strict=True):
            labels[i] = task.items[j].label
    return replace(task, items=tuple(replace(i, label=label) for i, label in zip(task.items, labels, strict=True)))


def uf1_of(model: Any, task: Task, inputs: Inputs | None, seed: int) -> float:
    """Pooled UF1 of one run over every fold; a clip without input counts as wrong."""
    predicted = {row.clip: row.predicted for row in evaluate_task(model, task, inputs, (seed,)).rows}
    truth = [item.label for item in task.items]
    return score(truth, [predicted.get(item.id) for item in task.items], task.protocol.classes, full=False).uf1


def null_scores(model: Any, task: Task, inputs: Inputs | None, permutations: int, seed: int = 0) -> Iterator[float]:
    """UF1 under each permutation of the labels, as it is computed; the i-th is the same whatever came before."""
    for i in range(permutations):
        generator = np.random.default_rng([seed, i])
        yield uf1_of(model, permuted(task, generator), inputs, i)


def evidence(
    model: Any, task: Task, inputs: Inputs | None, *, seeds: int = 3, permutations: int = FEWEST, seed: int = 0
) -> Evidence:
    """UF1 over seeds beside the permutation null of this model on this task."""
    scores = tuple(uf1_of(model, task, inputs, s) for s in range(seeds))
    return Evidence(scores, tuple(null_scores(model, task, inputs, permutations, seed)))


def as_arrays(inputs: Inputs) -> dict[str, NDArray[Any]]:
    """The inputs read into memory once, for a null that reads them over and over."""
    return {clip: np.asarray(inputs[clip]) for clip in inputs}


__all__ = ["CONFIDENCE", "FEWEST", "Evidence", "as_arrays", "evidence", "null_scores", "permuted", "uf1_of"]

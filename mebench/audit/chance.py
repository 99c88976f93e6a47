"""How good predictions are beside what they would score if each subject's labels fell on its clips by chance.

Predictions stay, truth is permuted within subjects: who has how many clips of which class is known to anybody who
knows the subject, and the null knows it too. Valid where the labels of a subject are independent of its predictions
given those counts; predictions of several subjects may lean on each other's labels, which widens the null beyond what
is drawn here, so that whoever accuses confirms on fresh data (`confirmed`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.predictions import Prediction
from mebench.protocol import Task

DRAWS = 4999
SUSPECT, CONFIRM = 0.001, 0.01
"""Highest p of a suspicion, and of the second look that confirms it."""


@dataclass(frozen=True, slots=True)
class Chance:
    """UF1 of predictions beside the mean of their null and its 99.9 % point; `p` is one-sided."""

    uf1: float
    expected: float
    bound: float
    p: float
    clips: int


def chance_of(
    truth: Sequence[str],
    predicted: Sequence[str | None],
    subjects: Sequence[str],
    classes: Sequence[str],
    seed: int = 0,
) -> Chance:
    """UF1 and its null; a missing prediction is wrong."""
    order = np.argsort(np.asarray(subjects), kind="stable")
    codes = {name: i for i, name in enumerate(classes)}
    t = np.array([codes[truth[i]] for i in order])
    p = np.array([codes.get(predicted[i] or "", len(classes)) for i in order])
    groups = np.unique(np.asarray(subjects)[order], return_inverse=True)[1]
    keys = np.random.default_rng(seed).random((DRAWS, len(t))) + groups
    null = uf1_of(t[np.argsort(keys, axis=1)], p, len(classes))
    found = float(uf1_of(t[None], p, len(classes))[0])
    reached = int((null >= found - 1e-12).sum())
    bound = float(np.quantile(null, 1 - SUSPECT, method="higher"))
    return Chance(found, float(null.mean()), bound, (1 + reached) / (1 + DRAWS), len(t))


def chance_of_rows(rows: Sequence[Prediction], task: Task, seed: int = 0) -> Chance:
    """UF1 of predictions against the labels of a task, and its null."""
    items = {item.id: item for item in task.items}
    return chance_of(
        [items[row.clip].label for row in rows],
        [row.predicted for row in rows],
        [items[row.clip].subject for row in rows],
        task.protocol.classes,
        seed,
    )


def confirmed(first: Chance, again: Callable[[], Chance]) -> tuple[bool, Chance]:
    """Whether the predictions know more than chance, twice over, and the last look taken."""
    if first.p > SUSPECT:
        return False, first
    second = again()
    return second.p <= CONFIRM, second


def uf1_of(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """UF1 (m,) of predictions (n,) or (m, n) under truths (m, n) in codes below `classes`; other predictions are wrong.

    A class that neither occurs nor is predicted leaves the mean.
    """
    scores = []
    for c in range(classes):
        hits = ((truth == c) & (predicted == c)).sum(axis=1)
        total = (truth == c).sum(axis=1) + (predicted == c).sum(axis=-1)
        scores.append(np.divide(2 * hits, total, out=np.full(len(truth), np.nan), where=total > 0))
    found: NDArray[np.float64] = np.nanmean(np.stack(scores), axis=0)
    return found


__all__ = ["Chance", "chance_of", "chance_of_rows", "confirmed", "uf1_of"]

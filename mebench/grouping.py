"""Which folds are fitted at once, and what a model is then given of each."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metadata_routing import get_routing_for_object

from mebench.errors import UsageError
from mebench.protocol import Fold, Task

Inputs = Mapping[str, NDArray[Any]]


class FoldPart(NamedTuple):
    """What `fit_folds` is given of one fold: rows (n,) of X, their labels (n,), and a seed."""

    rows: NDArray[np.intp]
    y: NDArray[Any]
    random_state: int


def fits_folds(model: Any, task: Task) -> bool:
    """Whether the model can fit many folds of this task at once."""
    return hasattr(model, "fit_folds") and not task.protocol.multilabel and not wants_groups(model)


def most_folds(model: Any, task: Task, inputs: Inputs, wanted: int | None = None) -> int:
    """How many folds to fit at once: those wanted, else what the model asks for by `folds_that_fit`, else all.

    1 for a model that cannot. Raises UsageError where more are wanted of it.
    """
    if not fits_folds(model, task):
        if wanted is not None and wanted > 1:
            raise UsageError(f"{type(model).__name__} cannot fit {wanted} folds at once.", "Leave --folds-at-once out.")
        return 1
    if wanted is not None:
        return wanted
    clips = [item.id for item in task.items if item.id in inputs]
    if not clips or not hasattr(model, "folds_that_fit"):
        return len(task.folds)
    shape = np.shape(inputs[clips[0]])
    return max(1, int(model.folds_that_fit(shape, len(clips), len(task.protocol.classes))))


def grouped(folds: Sequence[Fold], inputs: Inputs, most: int) -> list[tuple[Fold, ...]]:
    """The folds in groups of at most so many, in their order; those that lack inputs stand last, by themselves."""
    if most == 1:
        return [(fold,) for fold in folds]
    lacking = [not all(with_inputs(fold, inputs)) for fold in folds]
    whole = [fold for fold, lacks in zip(folds, lacking, strict=True) if not lacks]
    alone = [(fold,) for fold, lacks in zip(folds, lacking, strict=True) if lacks]
    return [*(tuple(whole[i : i + most]) for i in range(0, len(whole), most)), *alone]


def with_inputs(fold: Fold, inputs: Inputs) -> tuple[list[str], list[str]]:
    """The training and the test clips of a fold that have an input."""
    return [clip for clip in fold.train if clip in inputs], [clip for clip in fold.test if clip in inputs]


def wants_groups(model: Any) -> bool:
    """Whether the model asks for the training subjects, as codes, by scikit-learn's metadata routing."""
    return "groups" in get_routing_for_object(model).consumes("fit", ["groups"])


__all__ = ["FoldPart", "Inputs", "fits_folds", "grouped", "most_folds", "wants_groups", "with_inputs"]

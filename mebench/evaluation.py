"""The only fold loop: a model and a task become predictions. Pure: nothing is read from or written to disk.

What a model is given of a fold: `X` and `y` of the training clips, then `X` of the test clips. Labels of the test clips
stay here. No clip id, subject id or fold id is passed; clips stand in the order of a hash of their id, so position says
nothing about class. Training subjects reach a model only as integer codes, and only where it asks for `groups` by
scikit-learn's metadata routing.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.metadata_routing import get_routing_for_object

from mebench.errors import ModelError
from mebench.predictions import Prediction, Predictions
from mebench.protocol import Fold, Task

Inputs = Mapping[str, NDArray[Any]]


def evaluate_task(model: Any, task: Task, inputs: Inputs | None = None, seeds: Iterable[int] = (0,)) -> Predictions:
    """Predictions for every test clip of every fold and seed; a clip without input is left out, never guessed."""
    given = blank_inputs(task) if inputs is None else inputs
    rows = [row for seed in seeds for fold in task.folds for row in evaluate_fold(model, task, fold, given, seed)]
    return Predictions(task.protocol.name, task.protocol.classes, tuple(rows))


def evaluate_fold(model: Any, task: Task, fold: Fold, inputs: Inputs, seed: int) -> tuple[Prediction, ...]:
    """Predictions of a fresh copy of the model, fitted on the fold's training clips, for its test clips.

    Raises ModelError where the answer of the model has the wrong shape or holds an undeclared class.
    """
    labels = {item.id: item.label for item in task.items}
    train = [clip for clip in fold.train if clip in inputs]
    test = [clip for clip in fold.test if clip in inputs]
    if not test:
        return ()
    if not train:
        raise ModelError(f"Fold {fold.id} has no training clip with an input.", "Prepare the corpus again.")
    fitted = _seeded(clone(model), fold_seed(seed, fold.id))
    with sklearn.config_context(enable_metadata_routing=True):
        fitted.fit(_stack(inputs, train), np.array([labels[c] for c in train]), **_groups(fitted, task, train))
        held_out = _stack(inputs, test)
        predicted = _checked_labels(fitted.predict(held_out), len(test), task, fold)
        scores = class_scores(fitted, held_out, task.protocol.classes)
    return tuple(
        Prediction(clip, fold.id, seed, labels[clip], answer, values)
        for clip, answer, values in zip(test, predicted, scores, strict=True)
    )


def blank_inputs(task: Task) -> Inputs:
    """An empty array (0,) float32 for every clip: what a model that looks at no frame is given."""
    return {item.id: np.empty(0, np.float32) for item in task.items}


def fold_seed(seed: int, fold_id: str) -> int:
    """A seed in [0, 2**32) of this fold's own, the same in whatever order or process folds run."""
    digest = hashlib.sha256(fold_id.encode()).digest()
    return int(np.random.SeedSequence([seed, int.from_bytes(digest[:8], "big")]).generate_state(1)[0])


def class_scores(fitted: Any, X: Any, classes: Sequence[str]) -> list[tuple[float, ...]]:
    """Per sample one score per declared class, from `predict_proba` or else `decision_function`.

    NaN stands where the model has neither, or never saw the class.
    """
    if hasattr(fitted, "predict_proba"):
        given = np.asarray(fitted.predict_proba(X), dtype=float)
    elif hasattr(fitted, "decision_function"):
        given = np.asarray(fitted.decision_function(X), dtype=float)
    else:
        return [(math.nan,) * len(classes)] * len(X)
    if given.ndim == 1:  # binary decision functions give the second class only
        given = np.column_stack([-given, given])
    known = [str(c) for c in fitted.classes_]
    if given.shape != (len(X), len(known)):
        if len(known) == 1:  # a single training class: scikit-learn's shapes differ, and no score means anything
            return [(math.nan,) * len(classes)] * len(X)
        raise ModelError(
            f"{type(fitted).__name__} scored shape {given.shape} for {len(X)} clips and {len(known)} classes.",
            "Return one column per entry of classes_.",
        )
    column = {name: i for i, name in enumerate(known)}
    return [tuple(float(row[column[c]]) if c in column else math.nan for c in classes) for row in given]


def _seeded(model: Any, seed: int) -> Any:
    """The model with every `random_state` it or its parts have set to the seed."""
    keys = [k for k in model.get_params(deep=True) if k == "random_state" or k.endswith("__random_state")]
    return model.set_params(**dict.fromkeys(keys, seed % 2**31))


def _groups(model: Any, task: Task, train: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """The training subjects as integer codes, where the model requests `groups`; else nothing."""
    if "groups" not in get_routing_for_object(model).consumes("fit", ["groups"]):
        return {}
    subjects = {item.id: item.subject for item in task.items}
    return {"groups": np.unique([subjects[c] for c in train], return_inverse=True)[1]}


def _stack(inputs: Inputs, clips: Sequence[str]) -> Any:
    """One array (n, ...), or a list of arrays where shapes differ. Copies: a model cannot reach the cached input."""
    arrays = [np.asarray(inputs[c]) for c in clips]
    if len({a.shape for a in arrays}) == 1:
        return np.stack(arrays)
    return [a.copy() for a in arrays]


def _checked_labels(predicted: Any, expected: int, task: Task, fold: Fold) -> list[str]:
    answers = [str(p) for p in np.asarray(predicted).reshape(-1)]
    if len(answers) != expected:
        raise ModelError(
            f"Fold {fold.id}: the model gave {len(answers)} predictions for {expected} clips.",
            "predict(X) must return one class per row of X.",
        )
    strange = sorted(set(answers) - set(task.protocol.classes))
    if strange:
        raise ModelError(
            f"Fold {fold.id}: the model predicted {strange[0]!r}, which {task.protocol.name} does not declare.",
            f"Predict one of {', '.join(task.protocol.classes)}.",
        )
    return answers

"""The only fold loop: a model and a task become predictions. Pure: nothing is read from or written to disk.

What a model is given of a fold: `X` and `y` of the training clips, then `X` of the test clips. Labels of the test clips
stay here. No clip id, subject id or fold id is passed; clips stand in the order of a hash of their id, so position says
nothing about class. Training subjects reach a model only as integer codes, and only where it asks for `groups` by
scikit-learn's metadata routing.

Where a clip may hold several classes, such as action units, a model is asked once per class whether a clip holds it
(one-vs-rest), with the labels `absent` and `present`. A model that declares `multilabel = True` is asked once for all:
its y is (n, k) of 0 and 1 in the order of the protocol's classes, and so is its answer. One that declares
`multilabel = False` is refused.

A model may offer to fit many folds at once: `fit_folds(X, parts)` returns one fitted model per part. X holds every clip
that some of these folds train on, in the order of the hashes; a part says which rows of X the fold trains on, their
labels, and the fold's `random_state`. Between them the parts hold the labels of clips that other parts are tested on,
so a model that mixes parts can cheat where one fold at a time cannot: the auditor looks for just that (`together`).
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import clone

from mebench.errors import ModelError
from mebench.grouping import FoldPart, grouped, most_folds, wants_groups, with_inputs
from mebench.grouping import Inputs as Inputs
from mebench.predictions import Prediction, Predictions, joined_labels
from mebench.protocol import Fold, Task

Answers = tuple[Sequence[str], Sequence[tuple[float, ...]]]
"""Per test clip what was predicted and a score per class."""
Fit = Callable[[Sequence[str], Any, int], tuple[Any, Any]]
"""From training clips, their labels and a seed to a fresh model fitted on them, and the input of the test clips."""
Seen = Callable[[Any, Any], None]
"""Is shown each model once it is fitted, with the input of the test clips; what it does changes no prediction."""
ABSENT, PRESENT = "absent", "present"


def evaluate_task(
    model: Any,
    task: Task,
    inputs: Inputs | None = None,
    seeds: Iterable[int] = (0,),
    *,
    folds_at_once: int | None = None,
) -> Predictions:
    """Predictions for every test clip of every fold and seed; a clip without input is left out, never guessed.

    Where the model fits many folds at once, `folds_at_once` of them are, by default as many as it asks for.
    """
    given = blank_inputs(task) if inputs is None else inputs
    most = most_folds(model, task, given, folds_at_once)
    rows: list[Prediction] = []
    for seed in seeds:
        for group in grouped(task.folds, given, most):
            parts = [(task, fold) for fold in group]
            rows += [row for found in evaluate_folds(model, parts, given, seed) for row in found]
    return Predictions(task.protocol.name, task.protocol.classes, tuple(rows))


def evaluate_fold(
    model: Any, task: Task, fold: Fold, inputs: Inputs, seed: int, seen: Seen | None = None
) -> tuple[Prediction, ...]:
    """Predictions of a fresh copy of the model, fitted on the fold's training clips, for its test clips.

    Raises ModelError where the answer of the model has the wrong shape or holds an undeclared class, and where the
    protocol asks for several classes of a clip and the model cannot give them.
    """
    train, test = with_inputs(fold, inputs)
    if not test:
        return ()
    if not train:
        raise ModelError(f"Fold {fold.id} has no training clip with an input.", "Prepare the corpus again.")
    ask = _single
    if task.protocol.multilabel:
        ask = _all_units if _answers_sets(model, task) else _unit_by_unit
    fit = partial(_fitted, model, task, inputs, test, seen)
    return _rows(ask(fit, task, fold, train, test, seed), task, fold, test, seed)


def evaluate_folds(
    model: Any,
    parts: Sequence[tuple[Task, Fold]],
    inputs: Inputs,
    seed: int,
    seen: Sequence[Seen | None] = (),
) -> tuple[tuple[Prediction, ...], ...]:
    """Per fold what `evaluate_fold` gives, the folds fitted at once; a single one as by itself.

    Each fold comes with the task that says its labels; each `seen`, where given, is shown the model of its fold.
    Raises ModelError where the model does not answer with one model per fold.
    """
    watching = seen or [None] * len(parts)
    if len(parts) == 1:
        return (evaluate_fold(model, *parts[0], inputs, seed, watching[0]),)
    trained = list(dict.fromkeys(clip for _, fold in parts for clip in fold.train if clip in inputs))
    trained.sort(key=lambda clip: hashlib.sha256(clip.encode()).digest())
    at = {clip: row for row, clip in enumerate(trained)}
    given = []
    for task, fold in parts:
        labels, train = {item.id: item.label for item in task.items}, with_inputs(fold, inputs)[0]
        y = np.asarray([labels[c] for c in train])
        given.append(FoldPart(np.array([at[c] for c in train]), y, fold_seed(seed, fold.id) % 2**31))
    models = list(clone(model).fit_folds(_stack(inputs, trained), given))
    if len(models) != len(parts):
        raise ModelError(
            f"{type(model).__name__} fitted {len(models)} models for {len(parts)} folds.",
            "fit_folds(X, parts) must return one fitted model per part, in their order.",
        )
    return tuple(
        _rows(_asked(one, task, fold, inputs, watch), task, fold, with_inputs(fold, inputs)[1], seed)
        for one, (task, fold), watch in zip(models, parts, watching, strict=True)
    )


def _rows(answers: Answers, task: Task, fold: Fold, test: Sequence[str], seed: int) -> tuple[Prediction, ...]:
    labels = {item.id: item.label for item in task.items}
    predicted, scores = answers
    return tuple(
        Prediction(clip, fold.id, seed, labels[clip], answer, values)
        for clip, answer, values in zip(test, predicted, scores, strict=True)
    )


def _single(fit: Fit, task: Task, fold: Fold, train: Sequence[str], test: Sequence[str], seed: int) -> Answers:
    labels = {item.id: item.label for item in task.items}
    fitted, held_out = fit(train, [labels[c] for c in train], fold_seed(seed, fold.id))
    return _answered(fitted, held_out, task, fold, test)


def _asked(fitted: Any, task: Task, fold: Fold, inputs: Inputs, seen: Seen | None) -> Answers:
    """What a model that is fitted already says of the test clips, read only now."""
    test = with_inputs(fold, inputs)[1]
    held_out = _stack(inputs, test)
    if seen:
        seen(fitted, held_out)
    return _answered(fitted, held_out, task, fold, test)


def _answered(fitted: Any, held_out: Any, task: Task, fold: Fold, test: Sequence[str]) -> Answers:
    with sklearn.config_context(enable_metadata_routing=True):
        predicted = _checked_labels(fitted.predict(held_out), test, fold, task.protocol.classes, task.protocol.name)
        return predicted, class_scores(fitted, held_out, task.protocol.classes)


def _unit_by_unit(fit: Fit, task: Task, fold: Fold, train: Sequence[str], test: Sequence[str], seed: int) -> Answers:
    """One binary model per class; a class that all or none of the training clips hold is predicted so, without one."""
    held = {item.id: item.labels for item in task.items}
    present: list[list[bool]] = []
    scores: list[list[float]] = []
    for name in task.protocol.classes:
        y = [PRESENT if name in held[c] else ABSENT for c in train]
        if len(set(y)) == 1:
            present.append([y[0] == PRESENT] * len(test))
            scores.append([math.nan] * len(test))
            continue
        fitted, held_out = fit(train, y, fold_seed(seed, f"{fold.id} {name}"))
        with sklearn.config_context(enable_metadata_routing=True):
            given = _checked_labels(fitted.predict(held_out), test, fold, (ABSENT, PRESENT), "one-vs-rest")
            present.append([answer == PRESENT for answer in given])
            scores.append([said for _, said in class_scores(fitted, held_out, (ABSENT, PRESENT))])
    return _named_sets(zip(*present, strict=True), task), list(zip(*scores, strict=True))


def _all_units(fit: Fit, task: Task, fold: Fold, train: Sequence[str], test: Sequence[str], seed: int) -> Answers:
    """One model for all classes at once; only `predict_proba` (n, k) is taken for scores."""
    held = {item.id: item.labels for item in task.items}
    y = np.array([[int(name in held[c]) for name in task.protocol.classes] for c in train])
    fitted, held_out = fit(train, y, fold_seed(seed, fold.id))
    shape = (len(test), len(task.protocol.classes))
    with sklearn.config_context(enable_metadata_routing=True):
        given = np.asarray(fitted.predict(held_out))
        scores = fitted.predict_proba(held_out) if hasattr(fitted, "predict_proba") else np.full(shape, math.nan)
    if given.shape != shape or not np.isin(given, (0, 1)).all() or np.shape(scores) != shape:
        raise ModelError(
            f"Fold {fold.id}: the model answered shape {given.shape} for {shape[0]} clips and {shape[1]} classes.",
            "predict(X) must return 0 or 1 for every clip and class, and predict_proba(X) one number for each.",
        )
    return _named_sets(given.astype(bool).tolist(), task), [tuple(map(float, row)) for row in np.asarray(scores)]


def _named_sets(present: Iterable[Iterable[bool]], task: Task) -> list[str]:
    classes = task.protocol.classes
    return [joined_labels(name for name, here in zip(classes, row, strict=True) if here) for row in present]


def _answers_sets(model: Any, task: Task) -> bool:
    """Whether the model takes all classes of a clip at once; raises ModelError where it takes one class only."""
    declared = getattr(model, "multilabel", None)
    if declared is False:
        raise ModelError(
            f"{type(model).__name__} predicts one class per clip; {task.protocol.name} asks for any number of them.",
            "Run it under a protocol of single classes, or another model under this one.",
        )
    return bool(declared)


def _fitted(
    model: Any,
    task: Task,
    inputs: Inputs,
    test: Sequence[str],
    seen: Seen | None,
    train: Sequence[str],
    y: Any,
    seed: int,
) -> tuple[Any, Any]:
    """A fresh copy of the model fitted on the training clips, and the input of the test clips."""
    fitted = _seeded(clone(model), seed)
    with sklearn.config_context(enable_metadata_routing=True):
        fitted.fit(_stack(inputs, train), np.asarray(y), **_groups(fitted, task, train))
    held_out = _stack(inputs, test)
    if seen:
        seen(fitted, held_out)
    return fitted, held_out


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
    if not wants_groups(model):
        return {}
    subjects = {item.id: item.subject for item in task.items}
    return {"groups": np.unique([subjects[c] for c in train], return_inverse=True)[1]}


def _stack(inputs: Inputs, clips: Sequence[str]) -> Any:
    """One array (n, ...), or a list of arrays where shapes differ. Copies: a model cannot reach the cached input."""
    arrays = [np.asarray(inputs[c]) for c in clips]
    if len({a.shape for a in arrays}) == 1:
        return np.stack(arrays)
    return [a.copy() for a in arrays]


def _checked_labels(
    predicted: Any, test: Sequence[str], fold: Fold, classes: Sequence[str], protocol: str
) -> list[str]:  # fmt: skip
    answers = [str(p) for p in np.asarray(predicted).reshape(-1)]
    if len(answers) != len(test):
        raise ModelError(
            f"Fold {fold.id}: the model gave {len(answers)} predictions for {len(test)} clips.",
            "predict(X) must return one class per row of X.",
        )
    strange = sorted(set(answers) - set(classes))
    if strange:
        raise ModelError(
            f"Fold {fold.id}: the model predicted {strange[0]!r}, which {protocol} does not declare.",
            f"Predict one of {', '.join(classes)}.",
        )
    return answers

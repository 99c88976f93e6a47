"""What is asked of a fitted model after its predictions are in: for people to look at, never scored, never ranked.

Two methods a model may have. `report()` says what training made of it, numbers or lists of numbers by name.
`ablated_predict_proba(X)` predicts the test clips again without a part of the model, class probabilities by the name of
what is gone. And where peeking is to be measured, `staged_predict_proba(X)` predicts them after every epoch; the labels
by which an epoch could be chosen stay with the evaluator.

The answers stand beside the predictions of a fold in a file of their own. A model whose answer cannot be used loses the
answer, not the fold; what was wrong is kept and shown.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mebench.errors import MebenchError, ModelError
from mebench.scores import number_or_none

SCHEMA = "mebench.fold-notes/1"
Value = float | tuple[float, ...]
Names = tuple[str, ...]


@dataclass(frozen=True)
class FoldNotes:
    """What a fold's model was asked after its predictions.

    `clips` are the test clips in the order of every list of predictions. `report` by name; `ablated` the predictions by
    what was taken out; `epochs` the predictions after each epoch, none where not measured; `faults` what could not be
    used, by method. `at_once` is how many folds were fitted together.
    """

    clips: Names
    report: Mapping[str, Value] = field(default_factory=dict)
    ablated: Mapping[str, Names] = field(default_factory=dict)
    epochs: tuple[Names, ...] = ()
    faults: Mapping[str, str] = field(default_factory=dict)
    at_once: int = 1

    @property
    def empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not (self.report or self.ablated or self.epochs or self.faults) and self.at_once == 1

    def record(self) -> dict[str, Any]:
        """The notes as plain JSON values; null for a number that is none."""
        return {
            "schema": SCHEMA,
            "clips": list(self.clips),
            "report": {name: _plain(value) for name, value in self.report.items()},
            "ablated": {name: list(said) for name, said in self.ablated.items()},
            "epochs": [list(said) for said in self.epochs],
            "faults": dict(self.faults),
            "folds_at_once": self.at_once,
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "FoldNotes":
        """The notes of a record; raises KeyError or TypeError for one that is damaged."""
        return cls(
            tuple(record["clips"]),
            {name: _value(value) for name, value in record["report"].items()},
            {name: tuple(said) for name, said in record["ablated"].items()},
            tuple(tuple(said) for said in record["epochs"]),
            dict(record["faults"]),
            int(record["folds_at_once"]),
        )


class Keeper:
    """Sees the models of one fold once they are fitted, and keeps them for questions after the predictions."""

    def __init__(self, *beside: Callable[[Any, Any], None]) -> None:
        self._beside = beside
        self._kept: list[tuple[Any, Any]] = []

    def __call__(self, fitted: Any, held_out: Any) -> None:
        """Keeps a model and the input of its test clips, and shows them to whoever else wants to see."""
        self._kept.append((fitted, held_out))
        for other in self._beside:
            other(fitted, held_out)

    def notes(self, clips: Sequence[str], *, peek: bool = False, at_once: int = 1) -> FoldNotes:
        """What the model answers; nothing where a fold fits several, one per class."""
        if len(self._kept) != 1:
            return FoldNotes(tuple(clips), at_once=at_once)
        fitted, held_out = self._kept[0]
        faults: dict[str, str] = {}
        questions: dict[str, Callable[[], Any]] = {
            "report": lambda: _report(fitted.report()),
            "ablated_predict_proba": lambda: {
                str(name): _said(fitted, proba, len(clips))
                for name, proba in fitted.ablated_predict_proba(held_out).items()
            },
        }
        if peek:
            questions["staged_predict_proba"] = lambda: tuple(
                _said(fitted, proba, len(clips)) for proba in fitted.staged_predict_proba(held_out)
            )
        found: dict[str, Any] = {}
        for name, ask in questions.items():
            if not hasattr(fitted, name):
                continue
            try:
                found[name] = ask()
            except MebenchError as fault:
                faults[name] = fault.what
            except Exception as fault:  # a stranger's model may raise anything
                faults[name] = f"{type(fault).__name__}: {fault}"
        return FoldNotes(
            tuple(clips),
            found.get("report", {}),
            found.get("ablated_predict_proba", {}),
            found.get("staged_predict_proba", ()),
            faults,
            at_once,
        )


def mean_report(notes: Iterable[FoldNotes]) -> dict[str, Value]:
    """The mean of every reported value over the folds that report it, lists place by place where all are of a length.

    What is not a number in some fold leaves that fold out.
    """
    given: dict[str, list[Value]] = {}
    for one in notes:
        for name, value in one.report.items():
            given.setdefault(name, []).append(value)
    found: dict[str, Value] = {}
    for name, values in given.items():
        sizes = {len(value) if isinstance(value, tuple) else -1 for value in values}
        if len(sizes) > 1:
            continue
        numbers = np.asarray(values, dtype=float)
        known = ~np.isnan(numbers)
        sums = np.where(known, numbers, 0).sum(axis=0)
        means = np.divide(sums, known.sum(axis=0), out=np.full(sums.shape, math.nan), where=known.any(axis=0))
        found[name] = tuple(means.tolist()) if means.ndim else float(means)
    return found


def _report(given: Any) -> dict[str, Value]:
    if not isinstance(given, Mapping):
        raise ModelError(f"report() returned a {type(given).__name__}.", "Return numbers or lists of numbers by name.")
    return {str(name): _value(value) for name, value in given.items()}


def _value(value: Any) -> Value:
    if isinstance(value, str | bytes):
        raise ModelError(f"report() holds the text {value!r}.", "Return numbers or lists of numbers by name.")
    if np.ndim(value) > 1:
        raise ModelError(f"report() holds an array of shape {np.shape(value)}.", "Return numbers or lists of numbers.")
    if np.ndim(value) == 1:
        return tuple(_number(v) for v in value)
    return _number(value)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _said(fitted: Any, proba: Any, clips: int) -> Names:
    """The most probable class of every clip."""
    given = np.asarray(proba, dtype=float)
    if given.shape != (clips, len(fitted.classes_)):
        raise ModelError(
            f"{type(fitted).__name__} gave probabilities of shape {given.shape} for {clips} clips and "
            f"{len(fitted.classes_)} classes.",
            "Return one row per clip and one column per entry of classes_.",
        )
    return tuple(str(fitted.classes_[i]) for i in given.argmax(axis=1))


def _plain(value: Value) -> Any:
    return [number_or_none(v) for v in value] if isinstance(value, tuple) else number_or_none(value)


__all__ = ["FoldNotes", "Keeper", "Value", "mean_report"]

"""What a run cost: seconds of its folds, and how large a model they fitted.

It is measured where a fold runs and stands in the digest file of the fold's predictions, whose bytes stay those that
the fold predicts. Runs that are older than this record have none, and nothing is made up for them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

COUNT = "trainable_parameters_"
"""Attribute of a fitted model, or of the last step of a fitted pipeline: how many numbers its training moves."""

_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds in fitting and predicting, reading of inputs included, and the size of what was fitted.

    `trainable` counts the trainable parameters of the networks of one fold, None where there is no network. `shape` is
    that of one clip's input, None where shapes differ.
    """

    seconds: float
    trainable: int | None = None
    shape: tuple[int, ...] | None = None

    def notes(self) -> dict[str, str]:
        """The cost in the words of a digest file."""
        said = {"seconds": f"{self.seconds:.3f}"}
        said |= {} if self.trainable is None else {"trainable": str(self.trainable)}
        return said | ({} if self.shape is None else {"shape": "x".join(map(str, self.shape))})

    @property
    def time(self) -> str:
        """The seconds, minutes or hours in words."""
        if self.seconds < 2 * _MINUTE:
            return f"{self.seconds:.0f} s" if self.seconds >= 1 else f"{self.seconds:.1f} s"
        return f"{self.seconds / _MINUTE:.0f} min" if self.seconds < 2 * _HOUR else f"{self.seconds / _HOUR:.1f} h"

    @property
    def size(self) -> str:
        """The size in words, by what it counts; empty where nothing is known."""
        if self.trainable is not None:
            return f"{_grouped(self.trainable)} trainable parameters"
        if self.shape is None:
            return ""
        if math.prod(self.shape) == 0:
            return "no input"
        return f"{' × '.join(map(_grouped, self.shape))} input values"


def cost_of(notes: Mapping[str, str]) -> Cost | None:
    """The cost of a fold in the notes of its digest file; None where they do not say."""
    try:
        trainable, shape = notes.get("trainable"), notes.get("shape")
        return Cost(
            float(notes["seconds"]),
            None if trainable is None else int(trainable),
            None if shape is None else tuple(map(int, shape.split("x"))),
        )
    except (KeyError, ValueError):
        return None


def total(folds: Iterable[Cost | None]) -> Cost | None:
    """The cost of a run from that of its folds; None where a fold did not record it, or there is none.

    Seconds add up; the network is the largest of a fold, for one whose training lacks a class has a smaller last layer.
    """
    known = list(folds)
    whole = [one for one in known if one is not None]
    if not known or len(whole) < len(known):
        return None
    counts = [one.trainable for one in whole if one.trainable is not None]
    shapes = {one.shape for one in whole}
    return Cost(
        math.fsum(one.seconds for one in whole),
        max(counts, default=None),
        next(iter(shapes)) if len(shapes) == 1 else None,
    )


class Witness:
    """Sees the models of one fold once they are fitted, and keeps how large they are."""

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._shapes: set[tuple[int, ...] | None] = set()

    def __call__(self, fitted: Any, held_out: Any) -> None:
        """Notes the parameters of a fitted model and the shape of an input (n, ...) as it is given to the model."""
        last = fitted.steps[-1][1] if hasattr(fitted, "steps") else fitted
        count = getattr(last, COUNT, None)
        if isinstance(count, int):
            self._counts.append(count)
        self._shapes.add(None if isinstance(held_out, list) else tuple(held_out.shape[1:]))

    def cost(self, seconds: float) -> Cost:
        """What was seen, with the time it took; where a fold fits several networks they add up."""
        shape = next(iter(self._shapes)) if len(self._shapes) == 1 else None
        return Cost(seconds, sum(self._counts) if self._counts else None, shape)


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


__all__ = ["COUNT", "Cost", "Witness", "cost_of", "total"]

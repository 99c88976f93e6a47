"""What a coder makes of an expression: frames a little off, units missed, added or taken for others.

How often is our choice. Agreement between coders of micro-expressions is high and not complete; what is missed here is
missed whatever the class, so that errors carry no label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mebench.synth.action_units import ONE_SIDED, DrawnUnit

UNKNOWN = "?"
ONSET_SD, APEX_SD, OFFSET_SD = 2.5, 3.0, 5.0  # frames at 200 per second; offsets are the hardest to see
_WORST = 2.0  # deviations beyond which nobody errs
_MISSED, _ADDED, _MISTAKEN, _SIDE_MISSED = 0.06, 0.04, 0.05, 0.2

_NEIGHBOURS = {1: 2, 2: 1, 4: 9, 5: 2, 6: 7, 7: 6, 9: 10, 10: 9, 12: 14, 14: 12, 15: 17, 17: 15, 20: 14, 23: 24, 24: 23}
"""The unit that each is most easily taken for: one that moves the same skin."""

_OFTEN_ADDED = (4, 7, 14, 17)


@dataclass(frozen=True, slots=True)
class Event:
    """Onset, apex and offset as frame numbers, whole or not."""

    onset: float
    apex: float
    offset: float


def true_event(rng: np.random.Generator, onset: int, apex: int, offset: int) -> Event:
    """When it really happened, given what was coded: the apex at least two frames from either end."""
    errors = np.clip(rng.normal(size=3), -_WORST, _WORST) * (ONSET_SD, APEX_SD, OFFSET_SD)
    start, end = onset + float(errors[0]), offset + float(errors[2])
    middle = float(np.clip(apex + errors[1], max(start, onset) + 2, min(end, offset) - 2))
    return Event(start, middle, end)


def coded_units(rng: np.random.Generator, units: Sequence[DrawnUnit]) -> str:
    """The units as a coder writes them, at least one of them."""
    draws = rng.uniform(size=(len(units), 3))
    seen = [
        _seen(unit, mistaken=mistaken < _MISTAKEN, side_missed=side < _SIDE_MISSED)
        for unit, (missed, mistaken, side) in zip(units, draws, strict=True)
        if missed >= _MISSED or len(units) == 1
    ] or [units[0]]
    added, which = rng.uniform(), int(rng.choice(_OFTEN_ADDED))
    if added < _ADDED:
        seen.append(DrawnUnit(which))
    by_number = {unit.number: unit for unit in reversed(seen)}
    return "+".join(by_number[number].text for number in sorted(by_number))


def _seen(unit: DrawnUnit, *, mistaken: bool, side_missed: bool) -> DrawnUnit:
    number = _NEIGHBOURS.get(unit.number, unit.number) if mistaken else unit.number
    side = None if side_missed or number not in ONE_SIDED else unit.side
    return replace(unit, number=number, side=side)


__all__ = ["UNKNOWN", "Event", "coded_units", "true_event"]

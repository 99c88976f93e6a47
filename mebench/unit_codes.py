"""Action-unit codes as numbers: what a workbook says moved in a clip, for models that are given that and nothing else.

These vectors are made of annotation alone and enter no store and no recipe. Whoever hands them to a model gives it the
human coding of the held-out clip: privilege `aus`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.clips import Clip
from mebench.errors import DataError
from mebench.facs import ActionUnits

UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class UnitCodes:
    """The vectors (d,) float32 of the coded clips by clip id, and what their columns mean.

    The first `plain` columns are the units, whatever their side, and the mark of an unresolved cell; after them one
    column for each unit and side that occurs. A unit in doubt holds the share of the possible sets that it is in:
    `R12 or R14` is half of either. Intensity and reference units are left out. `uncoded` are the clips without any
    code, which have no vector.
    """

    columns: tuple[str, ...]
    plain: int
    vectors: Mapping[str, NDArray[np.float32]]
    uncoded: tuple[str, ...]


def unit_codes(clips: Iterable[Clip]) -> UnitCodes:
    """The codes of the clips; columns come from all of them, which tells nothing of any class."""
    given = tuple(clips)
    coded = [clip for clip in given if clip.action_units.text]
    shares = {clip.id: _shares(clip.action_units) for clip in coded}
    sides = {clip.id: {(unit.number, unit.side) for unit in clip.action_units.units if unit.side} for clip in coded}
    numbers = sorted({number for held in shares.values() for number in held})
    sided = sorted({pair for held in sides.values() for pair in held})
    vectors = {}
    for clip in coded:
        plain = [shares[clip.id].get(number, 0.0) for number in numbers] + [float(clip.action_units.unresolved)]
        vectors[clip.id] = np.array([*plain, *(pair in sides[clip.id] for pair in sided)], np.float32)
    return UnitCodes(
        columns=(*map(str, numbers), UNRESOLVED, *(f"{number} {side}" for number, side in sided)),
        plain=len(numbers) + 1,
        vectors=vectors,
        uncoded=tuple(clip.id for clip in given if not clip.action_units.text),
    )


def demand_codes(codes: UnitCodes, protocol: str) -> None:
    """Raises DataError where no clip at all has a code: SMIC, for one, is not coded."""
    if not codes.vectors:
        named = ", ".join(sorted({clip.partition("/")[0] for clip in codes.uncoded})) or "its corpora"
        raise DataError(
            f"{protocol}: no clip of {named} has an action-unit code.",
            "Ask for a protocol with a corpus that codes them, such as casme2-5c-loso or composite-3c-loso.",
        )


def _shares(units: ActionUnits) -> dict[int, float]:
    """Per unit the share of possible sets that hold it; nothing where the cell says `?`."""
    sets = units.possible
    numbers = {number for held in sets for number in held}
    return {number: sum(number in held for held in sets) / len(sets) for number in numbers}


__all__ = ["UNRESOLVED", "UnitCodes", "demand_codes", "unit_codes"]

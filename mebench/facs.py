"""Action units as the corpora write them, and the objective classes made of them.

FACS: Ekman, Friesen, Hager, Facial Action Coding System, 2002. A cell is `term + term + ...`, in any order and with any
spacing; commas separate as well. A term is a side (`L12` left, `R12` right, `A12` both sides with one stronger, `T18`
top, `B18` bottom), a number and an intensity (`7B`, A to E). The same letter is a side before the number and an
intensity after.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, get_args

from mebench.errors import AnnotationError

ObjectiveClass = Literal["I", "II", "III", "IV", "V", "VI", "VII"]
OBJECTIVE_CLASSES: tuple[ObjectiveClass, ...] = get_args(ObjectiveClass)
Side = Literal["left", "right", "both-asymmetric", "top", "bottom"]

SIDES: dict[str, Side] = {"L": "left", "R": "right", "A": "both-asymmetric", "T": "top", "B": "bottom"}

# The longest cell known in a released workbook has under 40 characters; the bounds keep a damaged or hostile cell from
# costing time (every group of alternatives multiplies the possible sets).
LONGEST_CELL = 200
MOST_POSSIBLE_SETS = 64

_TERM = re.compile(
    r"(?:AU\s*)?(?P<side>[LRATB](?:/[LRATB])?)?\s*(?P<number>[0-9]{1,2})\s*(?P<intensity>[A-E](?:/[A-E])?)?"
    r"\s*(?P<kept>\(k\))?\s*(?P<unsure>\?+)?",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"ref\s*\((?P<inner>.*)\)", re.IGNORECASE | re.DOTALL)
_SEPARATOR = re.compile(r"[+,，、;]")
_OR = re.compile(r"\bor\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """One coded unit; `side` None is both sides alike, `intensity` is `A` to `E`, or `A/B` where the coder was
    unsure.
    """

    number: int
    side: Side | None = None
    intensity: str | None = None


@dataclass(frozen=True, slots=True)
class ActionUnits:
    """What one cell says.

    `text` is the cell as written. `units` are the definite ones. `alternatives` are the sets of which one holds beside
    `units`: `(R6 or R12)+R15` has the unit 15 and the alternatives `((6,), (12,))`; `13?` has `((13,), ())`.
    `references` are present before the movement (`ref(7B)`) or held throughout (`4(k)`) and no part of it.
    `unresolved` says that the set is not known for certain. `remarks` is what is no unit: free text, an undecided side.
    """

    text: str = ""
    units: tuple[ActionUnit, ...] = ()
    alternatives: tuple[tuple[int, ...], ...] = ()
    references: tuple[int, ...] = ()
    unresolved: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def base(self) -> frozenset[int]:
        """The definite numbers, without side and intensity, alternatives and references left out."""
        return frozenset(unit.number for unit in self.units)

    @property
    def possible(self) -> tuple[frozenset[int], ...]:
        """Every set of numbers the cell allows: one where nothing is in doubt, none where the cell says `?`."""
        if self.unresolved and not self.alternatives:
            return ()
        return tuple(self.base | set(extra) for extra in self.alternatives or ((),))


def parse(cell: object) -> ActionUnits:
    """The action units of a workbook cell: text, a whole number, or None for an empty cell.

    Raises `AnnotationError` for any other type and for text beyond `LONGEST_CELL`; all other text is read, and what
    cannot be read as a unit is kept as a remark (with `unresolved` where a number or a question mark stands in it).
    """
    text = _text(cell)
    return replace(_alternatives(text).frozen(), text=text)


# MEGC2018 objective classes: Davison et al., "Objective Classes for Micro-Facial Expression Recognition", J. Imaging
# 2018, as in Merghani et al., arXiv 1805.02397, Table 9. The table prints AU 40 in two sets of class IV; 40 is no
# unit of the upper face and the released labels fit AU 10, so 10 is used.
_OBJECTIVE_SETS: dict[ObjectiveClass, str] = {
    "I": "6; 12; 6+12; 6+7+12; 7+12",
    "II": "1+2; 5; 25; 1+2+25; 25+26; 5+24",
    "III": "23; 4; 4+7; 4+5; 4+5+7; 17+24; 4+6+7; 4+38",
    "IV": "10; 9; 4+9; 4+10; 4+5+10; 4+7+9; 4+9+17; 4+7+10; 4+5+7+9; 7+10",
    "V": "1; 15; 1+4; 6+15; 15+17",
    "VI": "1+2+4; 20",
}
_OBJECTIVE: dict[frozenset[int], ObjectiveClass] = {
    frozenset(int(number) for number in entry.split("+")): name
    for name, entries in _OBJECTIVE_SETS.items()
    for entry in entries.split(";")
}


def objective_class(units: ActionUnits) -> ObjectiveClass:
    """The objective class of a set of units by exact lookup, VII for every other set (arXiv 1805.02397, Table 9).

    Units in doubt give a class only where every possible set gives that class; otherwise VII. The released classes
    differ from this rule for some clips, so a derived class is never to be passed off as a released one.
    """
    classes = {_OBJECTIVE.get(numbers, "VII") for numbers in units.possible}
    return classes.pop() if len(classes) == 1 else "VII"


def objective_from(cell: object) -> ObjectiveClass | None:
    """The objective class a cell holds, as 1 to 7 or I to VII; None for an empty cell. Else raises
    `AnnotationError`.
    """
    text = "" if cell is None else str(cell).strip().upper()
    if not text:
        return None
    arabic = {str(number): name for number, name in enumerate(OBJECTIVE_CLASSES, 1)}
    known: dict[str, ObjectiveClass] = (
        arabic | {f"{n}.0": c for n, c in arabic.items()} | {c: c for c in OBJECTIVE_CLASSES}
    )
    if text not in known:
        raise AnnotationError(f"Objective class {text[:40]!r} is none of 1 to 7 or I to VII.", "Correct the workbook.")
    return known[text]


@dataclass(slots=True)
class _Reading:
    """What has been read so far of a cell, before it is frozen; each group holds the sets of which one holds."""

    units: list[ActionUnit] = field(default_factory=list)
    groups: list[list[tuple[int, ...]]] = field(default_factory=list)
    references: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unresolved: bool = False

    def add(self, other: "_Reading") -> None:
        self.units += other.units
        self.groups += other.groups
        self.annex(other)

    def annex(self, other: "_Reading") -> None:
        """Takes over what is no unit and no alternative."""
        self.references += other.references
        self.remarks += other.remarks
        self.unresolved |= other.unresolved

    def sets(self) -> list[tuple[int, ...]]:
        """The sets that the groups allow, one choice from each."""
        count = 1
        for group in self.groups:
            count *= len(group)
        if count > MOST_POSSIBLE_SETS:
            raise AnnotationError(f"An action-unit cell allows {count} different sets.", "Correct the workbook.")
        return list(
            dict.fromkeys(tuple(sorted({n for part in choice for n in part})) for choice in product(*self.groups))
        )

    def frozen(self) -> ActionUnits:
        return ActionUnits(
            units=tuple(self.units),
            alternatives=tuple(self.sets()) if self.groups else (),
            references=tuple(dict.fromkeys(self.references)),
            unresolved=self.unresolved or bool(self.groups),
            remarks=tuple(self.remarks),
        )


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | str):
        raise AnnotationError(
            f"An action-unit cell holds {str(cell)[:40]!r}, which is neither text nor a whole number.",
            "Format the column as text in the workbook.",
        )
    text = str(cell).strip()
    if len(text) > LONGEST_CELL:
        raise AnnotationError(
            f"An action-unit cell holds {len(text)} characters, beginning {text[:40]!r}.", "Correct the workbook."
        )
    return text


def _alternatives(text: str) -> _Reading:
    """Reads `a or b or c`; without an `or` outside brackets, the sum alone."""
    options = [_sum(option) for option in _split(text, _OR)]
    if len(options) == 1:
        return options[0]
    group = [
        tuple(sorted({unit.number for unit in option.units}.union(extra)))
        for option in options
        for extra in option.sets()
    ]
    reading = _Reading(groups=[list(dict.fromkeys(group))])
    for option in options:
        reading.annex(option)
    return reading


def _sum(text: str) -> _Reading:
    reading = _Reading()
    for part in _split(text, _SEPARATOR):
        if part:
            reading.add(_term(part))
    return reading


def _term(text: str) -> _Reading:
    if reference := _REFERENCE.fullmatch(text):
        inner = _alternatives(reference["inner"].strip())
        numbers = {unit.number for unit in inner.units}.union(*inner.sets())
        return _Reading(references=sorted(numbers), remarks=inner.remarks, unresolved=inner.unresolved)
    if text.startswith("(") and text.endswith(")") and _outer(text):
        return _alternatives(text[1:-1].strip())
    unit = _TERM.fullmatch(text)
    return _unit(unit) if unit and int(unit["number"]) else _remark(text)


def _unit(term: re.Match[str]) -> _Reading:
    number = int(term["number"])
    if term["kept"]:
        return _Reading(references=[number], unresolved=bool(term["unsure"]))
    if term["unsure"]:
        return _Reading(groups=[[(number,), ()]])
    side, intensity = (term["side"] or "").upper(), term["intensity"]
    unit = ActionUnit(number, SIDES.get(side), intensity.upper() if intensity else None)
    return _Reading(units=[unit], remarks=[term[0]] if "/" in side else [])


def _remark(text: str) -> _Reading:
    if set(text) == {"?"}:
        return _Reading(unresolved=True)
    return _Reading(remarks=[text], unresolved=any(c.isdigit() or c == "?" for c in text))


def _outer(text: str) -> bool:
    """Whether the first bracket closes only at the end."""
    depths = list(_depths(text))
    return min(depths[:-1]) > 0 and depths[-1] == 0


def _depths(text: str) -> Iterable[int]:
    depth = 0
    for c in text:
        depth += (c == "(") - (c == ")")
        yield depth


def _split(text: str, separator: re.Pattern[str]) -> list[str]:
    """The stripped parts of the text between separators that stand outside brackets."""
    depths = list(_depths(text))
    parts, start = [], 0
    for match in separator.finditer(text):
        if depths[match.start()] <= 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


__all__ = [
    "OBJECTIVE_CLASSES",
    "ActionUnit",
    "ActionUnits",
    "ObjectiveClass",
    "objective_class",
    "objective_from",
    "parse",
]

"""Forest plots as places to draw at: an axis, guides down the page, and one line per method.

Horizontal places are per cent of the width, so that a plot is as wide as its column and its letters stay their size,
on paper and on a telephone alike; vertical ones are px.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mebench.render import figure

_MARGIN = 2.0
"""Per cent left free at either side, for half a tick's label."""
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
_MOST_TICKS = 6
_GUIDE, _HEADING, _ROW, _AXIS, _PAD = 17, 34, 44, 34, 10


@dataclass(frozen=True)
class Axis:
    """A linear scale from `low` to `high`, with a tick at each multiple of `step`."""

    low: float
    high: float
    step: float

    def place(self, value: float) -> str:
        """Where a value stands, in per cent of the width; values beyond the ends stand at them."""
        return f"{self._percent(value):.2f}%"

    def rest(self, value: float) -> str:
        """How far from the right edge a value stands, in per cent of the width."""
        return f"{100 - self._percent(value):.2f}%"

    def _percent(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return _MARGIN + (100 - 2 * _MARGIN) * (inside - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where ticks stand, the ends included."""
        return tuple(self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1))


@dataclass(frozen=True)
class Estimate:
    """What is drawn of one method: a figure with its interval, seeds, and the bound of chance, NaN where there is none.

    `solid` fills the mark; a `diamond` is for what was trained before, a circle for what was not.
    """

    name: str
    value: float
    low: float
    high: float
    text: str
    seeds: tuple[float, ...] = ()
    chance: float = math.nan
    diamond: bool = False
    solid: bool = True


@dataclass(frozen=True)
class Reference:
    """A vertical line through all methods; `kind` is its style: `majority`, `chance`, `reference`, `aus` or `zero`."""

    label: str
    value: float
    kind: str


@dataclass(frozen=True)
class Tick:
    """A tick of the axis."""

    at: str
    label: str


@dataclass(frozen=True)
class Guide:
    """A reference as drawn: a line at `at` that begins at `y`, its label right of it, or left of it where `left`.

    `beside` is where the label begins, counted from the left edge, or from the right edge where `left`.
    """

    label: str
    kind: str
    at: str
    beside: str
    y: int
    left: bool


@dataclass(frozen=True)
class Mark:
    """An estimate as drawn; places are empty where there is nothing to draw."""

    name: str
    text: str
    y: int
    at: str
    low: str
    high: str
    seeds: tuple[str, ...]
    chance: str
    diamond: bool
    solid: bool


@dataclass(frozen=True)
class Heading:
    """The name of a stratum above its marks."""

    text: str
    y: int


@dataclass(frozen=True)
class Plot:
    """A forest plot: everything in its place, and the words that say the same to who does not see it."""

    anchor: str
    title: str
    description: str
    height: int
    top: int
    bottom: int
    ticks: tuple[Tick, ...]
    guides: tuple[Guide, ...]
    headings: tuple[Heading, ...]
    marks: tuple[Mark, ...]


def forest(
    anchor: str,
    title: str,
    strata: Sequence[tuple[str, Sequence[Estimate]]],
    references: Sequence[Reference] = (),
    *,
    difference: bool = False,
) -> Plot:
    """The plot of estimates by stratum; an axis of scores begins at 0, one of differences holds 0."""
    known = [r for r in references if not math.isnan(r.value)]
    estimates = [one for _, members in strata for one in members]
    scale = axis([r.value for r in known] + [v for e in estimates for v in _extent(e)], difference=difference)
    y = top = _PAD + _GUIDE * len(known)
    headings, marks = [], []
    for name, members in strata:
        if name:
            headings.append(Heading(name, y + _HEADING - 22))
            y += _HEADING
        for estimate in members:
            marks.append(_mark(estimate, scale, y))
            y += _ROW
    return Plot(
        anchor=anchor,
        title=title,
        description=_described(strata, known),
        height=y + _AXIS,
        top=top,
        bottom=y + 4,
        ticks=tuple(Tick(scale.place(value), _label(value, difference=difference)) for value in scale.ticks),
        guides=tuple(_guide(r, i, scale) for i, r in enumerate(sorted(known, key=lambda r: r.value))),
        headings=tuple(headings),
        marks=tuple(marks),
    )


def axis(values: Iterable[float], *, difference: bool) -> Axis:
    """The scale that holds the values and 0, with at most a handful of ticks at round figures."""
    given = [0.0, *(value for value in values if not math.isnan(value))]
    bound = 1.0
    low, high = max(min(given), -bound), min(max(given), bound)
    high = max(high, low + 0.1)
    for step in _STEPS:
        ends = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        if round((ends[1] - ends[0]) / step) <= _MOST_TICKS:
            break
    return Axis(ends[0] if difference else 0.0, ends[1], step)


def _extent(estimate: Estimate) -> tuple[float, ...]:
    return (estimate.value, estimate.low, estimate.high, *estimate.seeds, estimate.chance)


def _mark(estimate: Estimate, scale: Axis, y: int) -> Mark:
    def place(value: float) -> str:
        return "" if math.isnan(value) else scale.place(value)

    return Mark(
        name=estimate.name,
        text=estimate.text,
        y=y,
        at=place(estimate.value),
        low=place(estimate.low),
        high=place(estimate.high),
        seeds=tuple(scale.place(value) for value in estimate.seeds) if len(estimate.seeds) > 1 else (),
        chance=place(estimate.chance),
        diamond=estimate.diamond,
        solid=estimate.solid,
    )


def _guide(reference: Reference, row: int, scale: Axis) -> Guide:
    left = (reference.value - scale.low) > 0.55 * (scale.high - scale.low)
    at = scale.place(reference.value)
    return Guide(
        reference.label, reference.kind, at, scale.rest(reference.value) if left else at, _PAD - 9 + _GUIDE * row, left
    )


def _described(strata: Sequence[tuple[str, Sequence[Estimate]]], references: Sequence[Reference]) -> str:
    lines = [f"{name}: {'; '.join(f'{e.name} {e.text}' for e in members)}." for name, members in strata if members]
    lines += [f"Lines: {'; '.join(r.label for r in references)}."] if references else []
    return " ".join(lines).removeprefix(": ")


def _label(value: float, *, difference: bool) -> str:
    if abs(value) < 1e-9:
        return "0"
    text = figure(abs(value))
    text = "1" if text == "1.000" else text.rstrip("0")
    return f"{'+' if value > 0 else '−'}{text}" if difference else text

"""What can be said against a figure in print, by rule: never by the name of a method."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from mebench.errors import UnknownName
from mebench.plausibility import Between, uf1_range
from mebench.protocol_file import Protocol
from mebench.protocol_library import load_protocol, protocol_names
from mebench.published import Group, Printed, Result, Slice
from mebench.scoring import ALL


@dataclass(frozen=True, slots=True)
class UnitLevel:
    """What the annotated action units alone reach: UF1, and the larger of UF1 and weighted F1.

    The latter is what a printed `F1` is held against, since papers seldom say which mean it is.
    """

    uf1: float
    f1: float


References = Mapping[tuple[str, str], UnitLevel]
"""Levels by (protocol, slice), where they were asked of recorded corpora. Never of rendered ones: these say nothing of
what faces give away."""


def objections(group: Group, references: References | None = None) -> dict[tuple[int, str], tuple[str, ...]]:
    """What is wrong with each figure of the group, by the position of its method and its slice; none for a sound one.

    Rules: the figures of one slice cannot come from one confusion matrix, every clip predicted; the accuracy is no
    share of the clips; the UAR is not the mean of the recalls printed beside it; clips are missing, or it is another
    set of clips; UF1, or F1 of whatever mean, lies above the reference given for the slice.
    """
    holds = slices_of(group.protocol)
    holds |= {name: _distinct((*holds.get(name, ()), held)) for name, held in group.stated.items()}
    found = {}
    for i, method in enumerate(group.figures):
        for result in method.results:
            said = tuple(
                _said(result, holds.get(result.slice, ()), (references or {}).get((group.protocol, result.slice)))
            )
            if said:
                found[i, result.slice] = said
    return found


def slices_of(protocol: str) -> dict[str, tuple[Slice, ...]]:
    """What each slice of a protocol of ours holds, one entry for each set of releases it may be on; {} for others."""
    if protocol not in protocol_names():
        return {}
    try:
        loaded = load_protocol(protocol)
    except UnknownName:
        return {}
    if not isinstance(loaded, Protocol) or loaded.aggregate == "mean-over-folds" or loaded.multilabel:
        return {}
    each = {name: [Slice(c.clips, c.per_class) for c in s.counts.values()] for name, s in loaded.sources.items()}
    whole = [_together(choice, loaded.classes) for choice in product(*each.values())]
    return {ALL: _distinct(whole)} | ({n: _distinct(s) for n, s in each.items()} if len(each) > 1 else {})


def _together(parts: Iterable[Slice], classes: tuple[str, ...]) -> Slice:
    given = tuple(parts)
    return Slice(sum(p.clips for p in given), {c: sum(p.per_class.get(c, 0) for p in given) for c in classes})


def _distinct(slices: Iterable[Slice]) -> tuple[Slice, ...]:
    found: list[Slice] = []
    for held in slices:
        if held not in found:
            found.append(held)
    return tuple(found)


def _said(result: Result, holds: tuple[Slice, ...], reference: UnitLevel | None) -> Iterable[str]:
    fitting = tuple(held for held in holds if result.clips in (None, held.clips))
    if holds and not fitting:
        yield _other_clips(int(result.clips or 0), [held.clips for held in holds])
    accuracy = result.figures.get("accuracy")
    if accuracy and fitting and not any(_is_share(accuracy, held.clips) for held in fitting):
        clips = _either(held.clips for held in fitting)
        yield f"no number of {clips} clips is {accuracy.text} of them: averaged over folds, or another set"
        accuracy = None
    yield from _impossible(result, fitting, accuracy)
    yield from _not_its_recalls(result)
    if reference is not None and (fitting or not holds):
        yield from _above_units(result, reference)


def _above_units(result: Result, reference: UnitLevel) -> Iterable[str]:
    """At most one sentence; a question and no verdict, since a model may see what nobody coded."""
    for name, level in (("uf1", reference.uf1), ("f1", reference.f1)):
        printed = result.figures.get(name)
        if printed and printed.value > level:
            yield (
                f"above the action-unit reference of this corpus, {name.upper()} {_short(level)}: "
                "not a strict bound, a question to ask"
            )
            return


def _other_clips(clips: int, expected: list[int]) -> str:
    if clips < min(expected):
        return f"incomplete: {clips} of {_either(expected)} clips"
    return f"another set: {clips} clips, not {_either(expected)}"


def _either(numbers: Iterable[int]) -> str:
    """`246, 247 or 249`."""
    *first, last = map(str, sorted(set(numbers)))
    return f"{', '.join(first)} or {last}" if first else last


def _impossible(result: Result, holds: tuple[Slice, ...], accuracy: Printed | None) -> Iterable[str]:
    """At most one sentence, where every release that comes into question rules the figures out."""
    uf1, uar = result.figures.get("uf1"), result.figures.get("uar")
    known = [held for held in holds if held.per_class and all(held.per_class.values())]
    if uf1 is None or uar is None or not known or len(known) < len(holds):
        return
    ranges = [
        uf1_range(tuple(h.per_class.values()), _around(uar), _around(accuracy) if accuracy else None) for h in known
    ]
    shown = [r for r in ranges if r is not None]
    if len(shown) < len(ranges) or any(_overlap(_around(uf1), r) for r in shown):
        return
    held = " + ".join(map(str, known[0].per_class.values()))
    beside = f" and accuracy {accuracy.text}" if accuracy else ""
    if all(r.low > r.high for r in shown):
        yield f"impossible: no predictions of {held} clips have UAR {uar.text}{beside}"
    else:
        reach = shown[0] if shown[0].low <= shown[0].high else next(r for r in shown if r.low <= r.high)
        yield (
            f"impossible: with UAR {uar.text}{beside} on {held} clips UF1 lies between {_short(reach.low)} and "
            f"{_short(reach.high)}"
        )


def _not_its_recalls(result: Result) -> Iterable[str]:
    uar = result.figures.get("uar")
    if uar is None or not result.recalls:
        return
    mean = sum(r.value for r in result.recalls) / len(result.recalls)
    if abs(mean - uar.value) > uar.unit + max(r.unit for r in result.recalls):
        yield f"the printed recalls average {f'{mean:.4f}'.removeprefix('0')}, not {uar.text}"


def _is_share(figure: Printed, clips: int) -> bool:
    allowed = _around(figure)
    return any(right / clips in allowed for right in range(int(allowed.low * clips), int(allowed.high * clips) + 2))


def _around(figure: Printed) -> Between:
    """What the digits allow, rounded or cut off: one in the last digit either way."""
    return Between(max(0.0, figure.value - figure.unit), min(1.0, figure.value + figure.unit))


def _overlap(one: Between, other: Between) -> bool:
    return other.low <= other.high and one.low <= other.high and other.low <= one.high


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


__all__ = ["References", "UnitLevel", "objections", "slices_of"]

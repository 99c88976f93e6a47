"""Clip tables made by hand for tests, without a corpus on disk."""

from collections.abc import Iterable, Sequence
from itertools import cycle, islice

from mebench.clips import Clip, ClipTable, SyntheticMark
from mebench.facs import ObjectiveClass

MARK = SyntheticMark("test", "smoke", 0, 0, 0, {})


def clip(clip_id: str, emotion: str = "others", objective: ObjectiveClass | None = None, subject: str = "") -> Clip:
    """A clip of 9 frames; `subject` where it is not the first two parts of the id."""
    dataset, own, _ = clip_id.split("/")
    source = "released" if objective else None
    person = subject or f"{dataset}/{own}"
    return Clip(clip_id, dataset, person, 1, 5, 9, 200.0, emotion, objective_class=objective, objective_source=source)


def table(
    clips: Iterable[Clip], annotation: str, objective_release: str | None = None, *, synthetic: bool = False
) -> ClipTable:
    """The clips as a table of their dataset."""
    given = tuple(clips)
    return ClipTable(given[0].dataset, annotation, given, objective_release, synthetic=MARK if synthetic else None)


def spread(dataset: str, subjects: Sequence[str], labels: dict[str, int]) -> list[tuple[str, str]]:
    """(clip id, label) with each label as often as said, dealt to the subjects in turn."""
    dealt = [label for label, n in labels.items() for _ in range(n)]
    owners = list(islice(cycle(subjects), len(dealt)))
    return [(f"{dataset}/{s}/c{i:03d}", label) for i, (s, label) in enumerate(zip(owners, dealt, strict=True))]


def numbered(prefix: str, count: int, width: int = 2) -> list[str]:
    """`sub01`, `sub02`, ... as many as said."""
    return [f"{prefix}{i:0{width}d}" for i in range(1, count + 1)]

"""Clip tables made by hand for tests, without a corpus on disk."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import cycle, islice

from mebench.clips import Clip, ClipTable, SyntheticMark
from mebench.facs import OBJECTIVE_CLASSES, ObjectiveClass
from mebench.protocol import Protocol, Source

MARK = SyntheticMark("test", "smoke", 0, 0, 0, {})


def clip(clip_id: str, emotion: str = "others", objective: ObjectiveClass | None = None, subject: str = "") -> Clip:
    """A clip of 9 frames; `subject` where it is not the first two parts of the id."""
    dataset, own, _ = clip_id.split("/")
    person = subject or f"{dataset}/{own}"
    made = Clip(clip_id, dataset, person, 1, 5, 9, 200.0, emotion)
    return replace(made, objective_class=objective, objective_source="released") if objective else made


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


def fitting(protocol: Protocol, releases: dict[str, str] | None = None) -> dict[str, ClipTable]:
    """Tables that hold exactly what the protocol expects of a release (its first, unless said) and what it strikes."""
    return {
        name: _fitting(source, (releases or {}).get(name, next(iter(source.counts))))
        for name, source in protocol.sources.items()
    }


def _fitting(source: Source, release: str) -> ClipTable:
    counts = source.counts[release]
    value_of = {label: value for value, label in source.labels.items()}
    if counts.clips_per_subject:
        owners = [s for s, n in counts.clips_per_subject.items() for _ in range(n)]
        values = [value_of[label] for label, n in counts.per_class.items() for _ in range(n)]
        ids = [f"{source.dataset}/{s}/c{i:03d}" for i, s in enumerate(owners)]
        pairs = list(zip(ids, values, strict=True))
    else:
        labels = {value_of[label]: n for label, n in counts.per_class.items()}
        pairs = spread(source.dataset, numbered("s", counts.subjects), labels)
    pairs += [(e.clip, pairs[0][1]) for e in source.exclusions if release in e.releases]
    if source.label_field == "emotion":
        return table([clip(i, value) for i, value in pairs], release)
    classes: dict[str, ObjectiveClass] = {name: name for name in OBJECTIVE_CLASSES}
    return table([clip(i, objective=classes[value]) for i, value in pairs], "coding", release)

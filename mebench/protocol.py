"""A protocol meets corpora: protocol + clip tables -> task, its counts checked before anything runs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mebench.clips import Clip, ClipTable
from mebench.errors import CountError, DataError, ProtocolError
from mebench.folds import Fold, FoldRule, Item, in_order, make_folds
from mebench.predictions import NO_LABEL, joined_labels
from mebench.protocol_file import UNCODED, UNRESOLVED, Counts, Exclusion, Protocol, Source, Suite
from mebench.protocol_library import load_protocol, protocol_names


@dataclass(frozen=True, slots=True)
class Selection:
    """What a protocol takes from one clip table.

    `excluded` holds the exclusions that struck a clip, `left_out` how many clips each unmapped label value cost; where
    a clip holds several values, how many held each value that is no class. `partial` says that the table holds less
    than its release.
    """

    source: Source
    table: ClipTable
    items: tuple[Item, ...]
    counts: Counts
    excluded: tuple[Exclusion, ...]
    left_out: Mapping[str, int]
    partial: bool


@dataclass(frozen=True, slots=True)
class Task:
    """A protocol on corpora: labelled clips and folds.

    `annotations` and `fingerprints` are by dataset. `synthetic`: the corpora are drawn, not recorded. `partial`: one
    corpus or more holds less than its release. Either way the scores are nobody's benchmark.
    """

    protocol: Protocol
    items: tuple[Item, ...]
    folds: tuple[Fold, ...]
    annotations: Mapping[str, str]
    synthetic: bool
    partial: bool
    fingerprints: Mapping[str, str]


def resolve(protocol: Protocol, tables: Mapping[str, ClipTable], *, allow_partial: bool = False) -> Task:
    """The labelled clips and folds of a protocol on these tables, by dataset; tables it does not need are ignored.

    Counts are checked against the release each table names before anything else happens; a synthetic table is exempt,
    its own marker having been checked when it was read. Raises DataError for a missing dataset, CountError for a count
    or a release that differs, ProtocolError where exclusions miss, folds are impossible or synthetic and recorded
    corpora are mixed. With `allow_partial` a table may hold less than its release, never more.
    """
    missing = [name for name in protocol.datasets if name not in tables]
    if missing:
        raise DataError(
            f"{protocol.name} needs {_listed(protocol.datasets)}; not given: {_listed(missing)}.",
            f"Give all of them: {' '.join(f'--data {name}=DIR' for name in missing)}.",
        )
    used = {name: tables[name] for name in protocol.datasets}
    _check_not_mixed(protocol, used)
    selections = [select(protocol, name, table, allow_partial=allow_partial) for name, table in used.items()]
    items = in_order(item for selection in selections for item in selection.items)
    return Task(
        protocol,
        items,
        _folds(protocol, items),
        annotations={name: table.annotation for name, table in used.items()},
        synthetic=any(table.synthetic is not None for table in used.values()),
        partial=any(selection.partial for selection in selections),
        fingerprints={name: table.fingerprint for name, table in used.items()},
    )


def select(protocol: Protocol, dataset: str, table: ClipTable, *, allow_partial: bool = False) -> Selection:
    """What the protocol takes from the table of one of its datasets; raises as `resolve` does."""
    source = protocol.sources[dataset]
    if table.dataset != dataset:
        raise DataError(f"A table of {table.dataset} was given as {dataset}.", f"Give the clips of {dataset}.")
    release = _release(protocol, source, table)
    exempt = table.synthetic is not None or allow_partial
    struck = [e for e in source.exclusions if release in e.releases or release not in source.counts]
    if not exempt:
        _check_present(protocol, table, (e.clip for e in struck))
        _check_present(protocol, table, source.allowed.clips if source.allowed else ())
    excluded = {e.clip for e in struck}
    candidates = [
        clip for clip in table if clip.id not in excluded and (not source.allowed or clip.id in source.allowed.clips)
    ]
    labelled = {clip: _label(protocol, source, clip) for clip in candidates}
    items = tuple(Item(clip, label) for clip, label in labelled.items() if label)
    counts = _count(items, [c for c in protocol.classes if c in source.labels.values()])
    return Selection(
        source,
        table,
        items,
        counts,
        excluded=tuple(e for e in struck if e.clip in table),
        left_out=dict(
            sorted(Counter(v for c in candidates for v in _values(source, c) if v not in source.labels).items())
        ),
        partial=table.synthetic is None
        and _falls_short(protocol, source, release, counts, items, allow_partial=allow_partial),
    )


def _release(protocol: Protocol, source: Source, table: ClipTable) -> str:
    """The release the labels come from; raises CountError where the protocol has no counts for it."""
    release = table.objective_release if source.label_field == "objective_class" else table.annotation
    if release in source.counts or table.synthetic is not None:
        return release or "derived"
    known = f"The protocol knows {_listed(source.counts)}."
    if release is None:
        raise CountError(
            f"{protocol.name}: {table.dataset} {table.annotation} brings no released objective classes.",
            f"{known} Put that file beside the workbook; derived classes do not count.",
        )
    raise CountError(
        f"{protocol.name}: {table.dataset} {release}: no counts are known for this release.",
        f"{known} Use such a file, or write a protocol with the counts of yours.",
    )


def _check_present(protocol: Protocol, table: ClipTable, clips: Iterable[str]) -> None:
    absent = [clip for clip in clips if clip not in table]
    if absent:
        raise ProtocolError(
            f"{protocol.name}: it names clip {absent[0]}, which is not in {table.dataset} {table.annotation}.",
            "Correct the clip id in the protocol, or complete the corpus.",
        )


def _check_not_mixed(protocol: Protocol, tables: Mapping[str, ClipTable]) -> None:
    synthetic = [name for name, table in tables.items() if table.synthetic is not None]
    if synthetic and len(synthetic) < len(tables):
        recorded = [name for name in tables if name not in synthetic]
        raise ProtocolError(
            f"{protocol.name}: synthetic {_listed(synthetic)} beside recorded {_listed(recorded)}.",
            "Give corpora that are all recorded or all synthetic.",
        )


def _values(source: Source, clip: Clip) -> tuple[str, ...]:
    """The clip's labels as coded: one, `none` where it has none, or every action unit of a set that is certain."""
    if source.label_field != "action_units":
        return (str(getattr(clip, source.label_field) or NO_LABEL),)
    units = clip.action_units
    if units.unresolved or not units.text:
        return (UNRESOLVED if units.unresolved else UNCODED,)
    return tuple(str(number) for number in sorted(units.base))


def _label(protocol: Protocol, source: Source, clip: Clip) -> str | None:
    """The clip's class, or all its classes in the protocol's order; None where the clip is left out."""
    values = _values(source, clip)
    if source.label_field != "action_units":
        return source.labels.get(values[0])
    if values[:1] in ((UNRESOLVED,), (UNCODED,)):
        return None
    held = {source.labels[value] for value in values if value in source.labels}
    return joined_labels(name for name in protocol.classes if name in held)


def _count(items: Sequence[Item], classes: Sequence[str]) -> Counts:
    labels = Counter(label for item in items for label in item.labels)
    subjects = Counter(_own_name(item.subject) for item in items)
    return Counts(len(items), len(subjects), {c: labels[c] for c in classes}, dict(sorted(subjects.items())))


def _own_name(subject: str) -> str:
    """`casme2/sub01` -> `sub01`."""
    return subject.partition("/")[2]


def _falls_short(
    protocol: Protocol, source: Source, release: str, found: Counts, items: Sequence[Item], *, allow_partial: bool
) -> bool:
    """Whether less was found than expected; raises CountError for more, and for less unless that is allowed."""
    derived = [i.id for i in items if source.label_field == "objective_class" and i.clip.objective_source != "released"]
    if derived:
        raise CountError(
            f"{protocol.name}: the objective class of {derived[0]} is derived, not released in {release}.",
            "Complete the file of objective classes; derived classes do not count.",
        )
    expected = source.counts[release]
    differences = _differences(expected, found)
    if not differences:
        return False
    if allow_partial and all(has <= should for _, has, should in differences):
        return True
    first = ", ".join(f"{name} {has} instead of {should}" for name, has, should in differences[:3])
    raise CountError(
        f"{protocol.name}: {source.dataset} {release}: expected {expected.clips} clips of {expected.subjects} subjects,"
        f" found {found.clips} of {found.subjects}: {first}.",
        f"See what differs with: mebench check {source.dataset} --data DIR. A corpus that holds less, never more, "
        "is accepted and marked with --allow-partial.",
    )


def _differences(expected: Counts, found: Counts) -> list[tuple[str, int, int]]:
    """(what, found, expected) wherever the counts differ: classes first, then subjects, then clips."""
    names = set(expected.clips_per_subject) | set(found.clips_per_subject) if expected.clips_per_subject else ()
    pairs = [(c, found.per_class[c], n) for c, n in expected.per_class.items()]
    pairs += [(s, found.clips_per_subject.get(s, 0), expected.clips_per_subject.get(s, 0)) for s in sorted(names)]
    pairs += [("subjects", found.subjects, expected.subjects)]
    pairs += [("clips", found.clips, expected.clips)] if not expected.per_class else []
    return [pair for pair in pairs if pair[1] != pair[2]]


def _folds(protocol: Protocol, items: Sequence[Item]) -> tuple[Fold, ...]:
    try:
        return make_folds(protocol.folds, items, protocol.classes, subject_independent=protocol.subject_independent)
    except ProtocolError as fault:
        raise ProtocolError(f"{protocol.name}: {fault.what}", fault.fix) from fault


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


__all__ = [
    "Counts",
    "Fold",
    "FoldRule",
    "Item",
    "Protocol",
    "Selection",
    "Source",
    "Suite",
    "Task",
    "load_protocol",
    "protocol_names",
    "resolve",
    "select",
]

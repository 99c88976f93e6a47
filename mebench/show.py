"""A protocol or suite explained: in words, and as plain JSON values."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from mebench.clips import ClipTable
from mebench.protocol import Counts, Protocol, Selection, Source, Suite, Task, resolve, select
from mebench.published import published_groups

SCHEMA = "mebench.show/1"
NOT_GIVEN = "not given"

_RULES = {
    "leave-one-subject-out": "each subject is tested once, by a model trained on all other subjects",
    "leave-one-clip-out": "each clip is tested once, by a model trained on all others, its subject's included",
    "hold-out-dataset": "each dataset is tested once, by a model trained on the others",
    "group-k-fold": "{k} groups of whole subjects (seed {seed}), each tested once, every class in every training part",
}
_METRICS = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy (WAR)", "weighted_f1": "weighted F1"}
_UNIT_METRICS = {
    "uf1": "F1 of each unit and their mean (UF1)",
    "uar": "recall of each unit and their mean (UAR)",
    "accuracy": "accuracy (clips whose whole set is right)",
    "weighted_f1": "F1 weighted by positive clips",
}
NOT_INDEPENDENT = "NOT subject-independent"
_AGGREGATES = {
    "pooled": "over all test predictions at once, none averaged over folds",
    "mean-over-folds": "per fold, and their mean over folds",
}
_FIELDS = {"emotion": "emotion", "objective_class": "objective class", "action_units": "action units"}

Tables = Mapping[str, ClipTable]


def describe(protocol: Protocol | Suite, tables: Tables | None = None, *, allow_partial: bool = False) -> str:
    """The protocol or suite in words: who is in, who is out and why, how it is parted and scored, who uses it.

    Datasets without a table are described from the file alone. Raises as `resolve` does where a table does not fit.
    """
    given = tables or {}
    if isinstance(protocol, Suite):
        head = [_title(protocol), *_superseded(protocol), protocol.description]
        head += [f"Members: {', '.join(m.name for m in protocol.members)}", f"Digest: {protocol.digest}"]
        return "\n\n".join(
            ["\n".join(head), *(describe(m, given, allow_partial=allow_partial) for m in protocol.members)]
        )
    return "\n".join(_lines(protocol, given, allow_partial=allow_partial))


def show_record(
    protocol: Protocol | Suite, tables: Tables | None = None, *, allow_partial: bool = False
) -> dict[str, Any]:
    """The protocol or suite as plain JSON values, resolved over the tables.

    A dataset without a table has `"annotation": "not given"` and no counts, and then there are no folds. `synthetic`
    and `partial` stand in a dataset, `subject_independent` and `superseded_by` in a protocol, only where there is
    something to say. Raises as `resolve` does where a table does not fit.
    """
    given = tables or {}
    if isinstance(protocol, Suite):
        members = [show_record(m, given, allow_partial=allow_partial) for m in protocol.members]
        return {"schema": SCHEMA, "suite": protocol.name, "members": members} | _standing(protocol)
    task = _task(protocol, given, allow_partial=allow_partial)
    return {
        "schema": SCHEMA,
        "name": protocol.name,
        "version": protocol.version,
        "digest": protocol.digest,
        "task": protocol.task,
        "classes": list(protocol.classes),
        "datasets": {
            name: _dataset_record(select(protocol, name, given[name], allow_partial=allow_partial))
            if name in given
            else {"annotation": NOT_GIVEN}
            for name in protocol.datasets
        },
        "folds": [{"id": f.id, "train": len(f.train), "test": len(f.test)} for f in task.folds] if task else [],
    } | _standing(protocol)


def caveats(protocol: Protocol | Suite) -> tuple[str, ...]:
    """What must be said wherever a score under the protocol is printed: nothing, for most."""
    dependent = isinstance(protocol, Protocol) and not protocol.subject_independent
    successor = protocol.superseded_by
    return (*([NOT_INDEPENDENT] if dependent else []), *([f"superseded by {successor}"] if successor else []))


def _standing(protocol: Protocol | Suite) -> dict[str, Any]:
    record: dict[str, Any] = {"superseded_by": protocol.superseded_by} if protocol.superseded_by else {}
    if isinstance(protocol, Protocol) and not protocol.subject_independent:
        record["subject_independent"] = False
    return record


def _title(protocol: Protocol | Suite) -> str:
    return f"{protocol.name}, version {protocol.version}: {protocol.title}"


def _superseded(protocol: Protocol | Suite) -> list[str]:
    successor = protocol.superseded_by
    return [f"SUPERSEDED by {successor}: use that; this one stays for what was measured on it."] if successor else []


def _task(protocol: Protocol, tables: Tables, *, allow_partial: bool) -> Task | None:
    """The task, or None where a dataset is not given."""
    if any(name not in tables for name in protocol.datasets):
        return None
    return resolve(protocol, tables, allow_partial=allow_partial)


def _dataset_record(selection: Selection) -> dict[str, Any]:
    marks = {"synthetic": selection.table.synthetic is not None, "partial": selection.partial}
    return {
        "annotation": selection.table.annotation,
        **{name: True for name, true in marks.items() if true},
        "clips": selection.counts.clips,
        "subjects": selection.counts.subjects,
        "per_class": dict(selection.counts.per_class),
        "items": [
            {
                "id": item.id,
                "subject": item.subject,
                "class": item.label,
                "onset": item.clip.onset,
                "apex": item.clip.apex,
                "offset": item.clip.offset,
            }
            for item in sorted(selection.items, key=lambda item: item.id)
        ],
    }


def _lines(protocol: Protocol, tables: Tables, *, allow_partial: bool) -> Iterator[str]:
    task = _task(protocol, tables, allow_partial=allow_partial)
    yield _title(protocol)
    yield from _superseded(protocol)
    if not protocol.subject_independent:
        yield f"{NOT_INDEPENDENT}: who is tested is trained on too; never compare with protocols that hold people out."
    yield protocol.description
    yield ""
    several = ", any number of them per clip" if protocol.multilabel else ""
    yield f"Task:    {protocol.task}, {len(protocol.classes)} classes{several}: {', '.join(protocol.classes)}"
    yield f"Folds:   {_folds(protocol, task)}"
    yield f"Scores:  {_scores(protocol)}"
    yield f"Digest:  {protocol.digest}"
    for name, source in protocol.sources.items():
        yield ""
        yield f"{name}, by {_FIELDS[source.label_field]}"
        selection = select(protocol, name, tables[name], allow_partial=allow_partial) if name in tables else None
        yield from (f"  {line}" for line in _dataset_lines(protocol, source, selection))
    yield ""
    yield "Papers"
    yield from (f"  {paper.citation} {paper.url}" for paper in protocol.papers)
    users = used_by(protocol.name)
    if users:
        yield ""
        yield f"Used by  ({len(users)} methods with published figures: mebench leaderboard --published)"
        yield f"  {', '.join(users)}"


def used_by(protocol: str) -> tuple[str, ...]:
    """The methods with figures in print under a protocol, in the order of its file."""
    return tuple(dict.fromkeys(f.method for group in published_groups({protocol}) for f in group.figures))


def _scores(protocol: Protocol) -> str:
    words = _UNIT_METRICS if protocol.multilabel else _METRICS
    absent = "; a unit that no clip holds leaves the means" if protocol.multilabel else ""
    return f"{', '.join(words[m] for m in protocol.metrics)}, {_AGGREGATES[protocol.aggregate]}{absent}"


def _folds(protocol: Protocol, task: Task | None) -> str:
    rule = _RULES[protocol.folds.name].format(k=protocol.folds.k, seed=protocol.folds.seed)
    dependent = "" if protocol.subject_independent else f"; {NOT_INDEPENDENT}"
    if task is None:
        return f"{protocol.folds.name}: {rule}{dependent}"
    lacking = sum(bool(fold.untrained) for fold in task.folds)
    warning = f"; {lacking} train without one of the classes" if lacking else ""
    return f"{protocol.folds.name}: {rule}; {len(task.folds)} folds{warning}{dependent}"


def _dataset_lines(protocol: Protocol, source: Source, selection: Selection | None) -> Iterator[str]:
    yield from _unit_lines(source) if protocol.multilabel else _class_lines(protocol, source)
    found = selection.left_out if selection else {}
    beside = [value for value in found if value.isdecimal() and value not in source.left_out]
    for value in dict.fromkeys([*source.left_out, *(v for v in found if v not in beside)]):
        number = f" ({_number(found.get(value, 0), 'clip')})" if selection else ""
        yield f"out:      {value}{number}: {source.left_out.get(value, 'not a class of this protocol')}"
    if beside:
        units = ", ".join(f"{value} ({found[value]})" for value in sorted(beside, key=int))
        yield f"unscored: units that are no class, and the clips that hold them: {units}"
    exclusions = selection.excluded if selection else source.exclusions
    for (releases, reason, word), struck in groupby(exclusions, lambda e: (e.releases, e.reason, e.source)):
        yield f"out:      {', '.join(e.clip for e in struck)} of {', '.join(releases)}: {reason} ({word})"
    if source.allowed:
        yield f"in:       {len(source.allowed.clips)} listed clips: {source.allowed.reason} ({source.allowed.source})"
    for release, counts in source.counts.items():
        yield f"expected: {release}: {_counted(counts)}"
    yield f"given:    {_given(selection)}"


def _class_lines(protocol: Protocol, source: Source) -> Iterator[str]:
    for label in protocol.classes:
        values = [value for value, name in source.labels.items() if name == label]
        if values:
            yield f"in:       {', '.join(values)}{f' as {label}' if values != [label] else ''}"


def _unit_lines(source: Source) -> Iterator[str]:
    yield f"in:       every clip whose units are certain; scored: {', '.join(source.labels.values())}"


def _given(selection: Selection | None) -> str:
    if selection is None:
        return NOT_GIVEN
    table = selection.table
    released = f", objective classes of {table.objective_release}" if table.objective_release else ""
    marks = [" SYNTHETIC"] * (table.synthetic is not None) + [" PARTIAL"] * selection.partial
    return f"{table.annotation}{released}:{''.join(marks)} {_counted(selection.counts)}"


def _counted(counts: Counts) -> str:
    per_class = ", ".join(f"{name} {number}" for name, number in counts.per_class.items())
    held = f": {per_class}" if per_class else ""
    return f"{_number(counts.clips, 'clip')} of {_number(counts.subjects, 'subject')}{held}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


__all__ = ["caveats", "describe", "show_record", "used_by"]

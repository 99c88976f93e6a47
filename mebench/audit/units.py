"""`mebench audit units`: what the action-unit codes of a workbook tell of the classes, without a single frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mebench.api import aggregate_of, single_protocol
from mebench.au_reference import UnitReference, keep
from mebench.audit.unit_models import VERSION, classifiers
from mebench.corpora import given_tables, parse_pairs, tables_for, unavailable
from mebench.errors import DataError, UsageError
from mebench.evaluation import evaluate_task
from mebench.occupancy import adding
from mebench.parallel import one_thread
from mebench.progress import Progress, silent
from mebench.protocol import Task, resolve
from mebench.unit_codes import UnitCodes, demand_codes, unit_codes


@dataclass(frozen=True)
class UnitsQuestion:
    """One `mebench audit units`: a protocol, and its corpora by folder or as they are prepared under the home."""

    home: Path
    protocol: str
    data: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    corrections: bool = True
    allow_partial: bool = False
    command: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any], command: str = "") -> "UnitsQuestion":
        """The question in the options of the command line."""
        return cls(
            options["home"],
            options["protocol"],
            data=parse_pairs("--data", options["data"]),
            annotations=parse_pairs("--annotation", options["annotation"]),
            corrections=not options["no_corrections"],
            allow_partial=options["allow_partial"],
            command=command,
        )


def audit_units(question: UnitsQuestion, progress: Progress = silent) -> UnitReference:
    """The reference, kept under the home.

    Raises DataError where a corpus is not at hand or no clip has a code, UsageError for a suite and for a protocol
    whose classes are action units, and what `resolve` raises.
    """
    protocol = single_protocol(question.protocol)
    given = given_tables(question.data, question.annotations, corrections=question.corrections)
    fault = unavailable(protocol, question.home, given)
    if fault:
        raise fault
    task = resolve(protocol, tables_for(protocol, question.home, given), allow_partial=question.allow_partial)
    found = unit_reference(task, command=question.command, progress=progress)
    with adding(question.home):
        keep(question.home, found)
    return found


def unit_reference(task: Task, *, command: str = "", progress: Progress = silent) -> UnitReference:
    """What the classifiers predict from the codes of each held-out clip, fitted on those of the other folds.

    Raises as `audit_units` does for tasks that cannot be asked this.
    """
    protocol = task.protocol
    if protocol.multilabel:
        raise UsageError(
            f"The classes of {protocol.name} are the action units themselves.",
            "Ask under a protocol of emotions; of units the codes are the answer.",
        )
    codes = unit_codes(item.clip for item in task.items)
    demand_codes(codes, protocol.name)
    _demand_classes(task, codes)
    said = {}
    models = classifiers(codes.plain)
    with one_thread():
        for done, (name, model) in enumerate(models.items(), 1):
            said[name] = evaluate_task(model, task, codes.vectors)
            progress(done, len(models), name)
    return UnitReference(
        protocol=protocol.name,
        protocol_version=protocol.version,
        protocol_digest=protocol.digest,
        task=protocol.task,
        classes=protocol.classes,
        aggregate=aggregate_of(protocol),
        subject_independent=protocol.subject_independent,
        annotations=dict(task.annotations),
        fingerprints=dict(task.fingerprints),
        synthetic=task.synthetic,
        partial=task.partial,
        from_units=any(source.label_field == "objective_class" for source in protocol.sources.values()),
        expected={item.id: item.label for item in task.items},
        subjects={item.id: item.subject for item in task.items},
        uncoded=codes.uncoded,
        version=VERSION,
        predictions=said,
        command=command,
    )


def _demand_classes(task: Task, codes: UnitCodes) -> None:
    """Raises DataError where some fold would train on one class alone, of which there is nothing to learn."""
    labels = {item.id: item.label for item in task.items}
    for fold in task.folds:
        if len({labels[clip] for clip in fold.train if clip in codes.vectors}) < 2:
            raise DataError(
                f"{task.protocol.name}: fold {fold.id} has coded training clips of fewer than two classes.",
                "Give a corpus with more clips.",
            )


__all__ = ["UnitsQuestion", "audit_units", "unit_reference"]

"""`mebench audit dataset`: a corpus against itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mebench.audit import annotation
from mebench.audit.findings import AuditReport, Finding
from mebench.clips import ClipTable
from mebench.corpora import dataset as reader
from mebench.errors import DataError
from mebench.progress import Progress, silent

if TYPE_CHECKING:
    from mebench.audit.pictures import Floats, Portrait
    from mebench.datasets.folders import FrameFolder

DOES: Mapping[str, str] = {
    "ranges": "compares onset, apex and offset, and looks for clips of unusual length",
    "overlaps": "looks for clips cut from the same frames of a recording",
    "units": "holds emotions against action units by the objective-class rule: candidates for a second look",
    "objective": "holds released objective classes against the published rule",
    "noise": "looks for clips called otherwise than most clips of the same action units: candidates of label noise",
    "files": "looks for frame files that two clips have byte by byte",
    "duplicates": "looks for one picture among the onset frames of two subjects",
    "people": "compares aligned faces of subjects: a list of candidates, for the corpus' owner to judge",
}
FACES_PER_SUBJECT = 3


@dataclass(frozen=True)
class DatasetQuestion:
    """One `mebench audit dataset`; `frames` False leaves the pictures unread."""

    dataset: str
    root: Path
    annotation: str | None = None
    corrections: bool = True
    frames: bool = True


def audit_dataset(question: DatasetQuestion, progress: Progress = silent) -> AuditReport:
    """What was found in the corpus; raises what reading its annotation raises."""
    corpus = reader(question.dataset)
    table = corpus.load(question.root, annotation=question.annotation, corrections=question.corrections)
    folders: Mapping[str, FrameFolder] = {}
    notes = [f"{len(table)} clips of {len(table.subjects)} subjects, {table.annotation}"]
    if question.frames:
        try:
            folders = corpus.frames(question.root, table)
        except DataError as fault:
            notes.append(f"no frames were looked at: {fault.what}")
    if not folders:
        notes.append("annotation alone: no frames were looked at")
    if table.synthetic is not None:
        notes.append("a synthetic corpus: its labels are drawn")
    findings = [
        annotation.ranges(table),
        annotation.overlaps(table, {clip: str(folder.path) for clip, folder in folders.items()}),
        annotation.units(table),
        annotation.objective(table),
        annotation.noise(table),
        *_pictures(table, folders, progress),
    ]
    if any(clip.action_units.text for clip in table):
        share = annotation.agreement(table)
        notes.append(
            f"calling every set of action units by its commonest emotion is right for {share:.0%} of the clips"
        )
    return AuditReport("dataset", question.dataset, tuple(findings), DOES, notes=tuple(notes))


def _pictures(table: ClipTable, folders: Mapping[str, "FrameFolder"], progress: Progress) -> list[Finding]:
    if not folders:
        return [Finding(name, "not applicable", "no frames at hand") for name in ("files", "duplicates", "people")]
    from mebench.audit import pictures

    files = pictures.equal_files(table, folders, progress)
    portraits: list[Portrait] = []
    faces: dict[str, list[Floats]] = {}
    for done, clip in enumerate(table, 1):
        folder = folders.get(clip.id)
        shown = pictures.portrait(clip, folder) if folder else None
        if shown is not None and folder is not None:
            portraits.append(shown)
            if len(faces.setdefault(clip.subject, [])) < FACES_PER_SUBJECT:
                found = pictures.face(clip, folder)
                faces[clip.subject] += [found] if found is not None else []
        progress(done, len(table), clip.id)
    people = {subject: _mean(shown) for subject, shown in faces.items() if shown}
    return [files, pictures.near_duplicates(portraits), pictures.shared_people(people)]


def _mean(faces: "list[Floats]") -> "Floats":
    """The mean face, of norm 1."""
    mean = np.mean(faces, axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)


__all__ = ["DOES", "DatasetQuestion", "audit_dataset"]

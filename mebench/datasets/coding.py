"""From coded cells to clips: every reader ends here, so that a doubt has one name in all corpora."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mebench.clips import Clip, ClipTable, Correction, Note
from mebench.datasets.correct import Entry
from mebench.datasets.workbook import cell_text, whole
from mebench.errors import AnnotationError
from mebench.facs import ActionUnits, ObjectiveClass, objective_class, objective_from, parse

NO_APEX = frozenset({"", "/", "-", "nan", "n/a"})
SPELLINGS = {"other": "others"}


@dataclass(frozen=True, slots=True)
class Coded:
    """One coded clip before it is interpreted.

    `subject` and `name` are normalised; `cells` holds the fields as the annotation has them: onset, offset, emotion,
    and apex, action_units, objective where the corpus codes them. `where` names file and row for messages.
    """

    subject: str
    name: str
    cells: Mapping[str, object]
    where: str
    flags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`subject/name`."""
        return f"{self.subject}/{self.name}"


@dataclass(frozen=True, slots=True)
class Release:
    """What a named release of an annotation holds, as coded: before any correction. No emotions given: not known."""

    clips: int
    subjects: int
    per_emotion: Mapping[str, int] = field(default_factory=dict)


def clip_of(coded: Coded, dataset: str, corpus: str, fps: float, corrected: Iterable[str]) -> Clip:
    """The clip; raises `AnnotationError` naming file and row where a cell cannot be what it should be."""
    cells, where = coded.cells, coded.where
    onset, offset = whole(cells["onset"], "onset", where), whole(cells["offset"], "offset", where)
    if onset > offset:
        raise AnnotationError(f"{where}: {coded.key} has onset {onset} after offset {offset}.", "Correct the workbook.")
    apex = None if cell_text(cells.get("apex")).casefold() in NO_APEX else whole(cells["apex"], "apex", where)
    units, objective, source = _units(coded)
    emotion = cell_text(cells["emotion"]).casefold()
    flags = [
        *coded.flags,
        *_apex_flags(onset, apex, offset, coded="apex" in cells),
        *(["au-unresolved"] if units.unresolved else []),
        *(["objective-derived"] if source == "derived" else []),
        *(f"corrected:{name}" for name in corrected),
    ]
    return Clip(
        id=f"{dataset}/{coded.key}",
        dataset=dataset,
        subject=f"{corpus}/{coded.subject}",
        onset=onset,
        apex=apex,
        offset=offset,
        fps=fps,
        emotion=SPELLINGS.get(emotion, emotion),
        action_units=units,
        objective_class=objective,
        objective_source=source,
        flags=tuple(flags),
    )


def doubts(clips: Sequence[Clip], kept: Mapping[tuple[str, str], Entry]) -> list[Note]:
    """What a user should know of the clips: classes that were derived, an apex that cannot be one, uncertain units.

    `kept` holds, by clip id and field, the odd values that the corrections file keeps; its reason then stands for ours.
    """
    derived = sum("objective-derived" in clip.flags for clip in clips)
    notes = [Note("warning", f"{derived} objective classes are derived, not released")] if derived else []
    for (clip_id, name), entry in kept.items():
        notes.append(Note("warning", f"{name} {entry.old!r} kept as coded: {entry.reason}", clip_id))
    for clip in clips:
        if (clip.id, "apex") not in kept:
            notes += [Note(level, text, clip.id) for flag, (level, text) in _DOUBTS.items() if flag in clip.flags]
        units = clip.action_units
        if (clip.id, "action_units") not in kept and (units.unresolved or units.remarks):
            what = "are not certain" if units.unresolved else "carry a remark"
            notes.append(Note("warning", f"the action units {units.text!r} {what}", clip.id))
    return notes


def differences(table: ClipTable, release: Release) -> list[str]:
    """How the table differs from the release it is taken for, in words; corrections of emotions are counted back."""
    said = []
    if len(table) != release.clips:
        said.append(f"{len(table)} clips instead of {release.clips}")
    if len(table.subjects) != release.subjects:
        said.append(f"{len(table.subjects)} subjects instead of {release.subjects}")
    counts = _as_coded(table.count("emotion"), table.corrections)
    if release.per_emotion:
        for emotion in sorted(counts.keys() | release.per_emotion.keys()):
            here, there = counts.get(emotion, 0), release.per_emotion.get(emotion, 0)
            if here != there:
                said.append(f"{emotion} {here} instead of {there}")
    return said


_DOUBTS: dict[str, tuple[Literal["warning", "error"], str]] = {
    "apex-missing": ("warning", "no apex is coded"),
    "apex-equals-onset": ("warning", "the apex is the onset"),
    "apex-equals-offset": ("warning", "the apex is the offset"),
    "apex-outside": ("error", "the apex lies outside onset and offset"),
}


def _apex_flags(onset: int, apex: int | None, offset: int, *, coded: bool) -> list[str]:
    if apex is None:
        return ["apex-missing"] if coded else []
    if not onset <= apex <= offset:
        return ["apex-outside"]
    return [f"apex-equals-{name}" for name, frame in (("onset", onset), ("offset", offset)) if apex == frame]


def _units(coded: Coded) -> tuple[ActionUnits, ObjectiveClass | None, Literal["released", "derived"] | None]:
    """The units and the objective class: the released one, else one derived from the units, else none (no units
    coded).
    """
    if "action_units" not in coded.cells:
        return ActionUnits(), None, None
    try:
        units = parse(coded.cells["action_units"])
        released = objective_from(coded.cells.get("objective"))
    except AnnotationError as error:
        raise AnnotationError(f"{coded.where}: {error.what}", error.fix) from error
    return (units, released, "released") if released else (units, objective_class(units), "derived")


def _as_coded(counts: Mapping[str, int], corrections: Iterable[Correction]) -> dict[str, Any]:
    coded = dict(counts)
    for correction in corrections:
        if correction.field == "emotion":
            coded[correction.new] = coded.get(correction.new, 0) - 1
            coded[correction.old] = coded.get(correction.old, 0) + 1
    return {emotion: n for emotion, n in coded.items() if n}


__all__ = ["Coded", "Release", "clip_of", "differences", "doubts"]

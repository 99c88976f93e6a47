"""Clip and ClipTable: the one record everybody speaks of.

A clip is built from a corpus' annotation alone; no frame is opened to make clips, protocols or folds.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from mebench.errors import AnnotationError
from mebench.facs import ActionUnits, ObjectiveClass

if TYPE_CHECKING:
    from pandas import DataFrame

EMOTIONS = frozenset(
    "anger contempt disgust fear happiness negative others positive repression sadness surprise tense".split()
)
"""The closed, case-folded vocabulary; SAMM's 'Other' is read as 'others', SMIC's three classes are kept as they are."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One annotated expression.

    `id` is `dataset/subject/name`, with `@onset` added where names repeat. `subject` is `corpus/subject`; modalities of
    one corpus share it, because they show the same people. Frames are numbered as coded; `apex` is None where none is
    coded. `flags` names what was corrected or is in doubt.
    """

    id: str
    dataset: str
    subject: str
    onset: int
    apex: int | None
    offset: int
    fps: float
    emotion: str
    action_units: ActionUnits = field(default_factory=ActionUnits)
    objective_class: ObjectiveClass | None = None
    objective_source: Literal["released", "derived"] | None = None
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.emotion not in EMOTIONS:
            raise AnnotationError(
                f"{self.id}: emotion {self.emotion!r} is not in the vocabulary.",
                f"Known emotions: {', '.join(sorted(EMOTIONS))}. Correct the workbook.",
            )
        if self.onset > self.offset:
            raise AnnotationError(
                f"{self.id}: onset {self.onset} lies after offset {self.offset}.", "Correct the workbook."
            )

    @property
    def name(self) -> str:
        """The clip's own name without corpus, subject and onset mark: `EP02_01f`."""
        return self.id.split("/", 2)[2].partition("@")[0]

    @property
    def length(self) -> int:
        """Frames from onset to offset, both included."""
        return self.offset - self.onset + 1

    def record(self) -> dict[str, Any]:
        """The clip as plain JSON values."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {"action_units": self.action_units.text, "flags": list(self.flags)}


@dataclass(frozen=True, slots=True)
class Correction:
    """A value of the released annotation that was replaced: clip, field, old and new value, why, and on whose word."""

    clip: str
    field: str
    old: str
    new: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something a user should know of a corpus: `level` warning or error, the clip it concerns or None, and what."""

    level: Literal["warning", "error"]
    message: str
    clip: str | None = None


@dataclass(frozen=True, slots=True)
class SyntheticMark:
    """What the marker file of a synthetic corpus says: who drew it, from which seed, and how much it holds."""

    generator: str
    tier: str
    seed: int
    clips: int
    subjects: int
    per_emotion: Mapping[str, int]
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClipTable:
    """The clips of one corpus.

    `annotation` names the release the labels come from (`coding-20140508`), `objective_release` the one the objective
    classes come from, or None where they are derived or absent. `corrections` lists what was applied.
    """

    dataset: str
    annotation: str
    clips: tuple[Clip, ...]
    objective_release: str | None = None
    corrections: tuple[Correction, ...] = ()
    notes: tuple[Note, ...] = ()
    synthetic: SyntheticMark | None = None

    def __post_init__(self) -> None:
        repeated = {clip: n for clip, n in Counter(c.id for c in self.clips).items() if n > 1}
        for clip, n in repeated.items():
            raise AnnotationError(
                f"{self.dataset}: clip {clip} is annotated {n} times.",
                "Remove the duplicate row from the workbook.",
            )

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __getitem__(self, clip_id: str) -> Clip:
        return self._by_id[clip_id]

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._by_id

    @property
    def subjects(self) -> tuple[str, ...]:
        """Distinct subjects, sorted."""
        return tuple(sorted({c.subject for c in self.clips}))

    def count(self, attribute: str) -> dict[str, int]:
        """How many clips hold each value of a clip attribute, sorted by value."""
        return dict(sorted(Counter(str(getattr(c, attribute)) for c in self.clips).items()))

    def to_frame(self) -> "DataFrame":
        """The clips as a pandas table, one row per clip, action units as coded."""
        from pandas import DataFrame

        return DataFrame([clip.record() for clip in self.clips], columns=[f.name for f in fields(Clip)])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over release names, synthetic mark and every clip: equal tables, equal fingerprints."""
        content = {
            "dataset": self.dataset,
            "annotation": self.annotation,
            "objective_release": self.objective_release,
            "synthetic": None if self.synthetic is None else mark_record(self.synthetic),
            "clips": sorted((c.record() for c in self.clips), key=lambda r: str(r["id"])),
        }
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    @cached_property
    def _by_id(self) -> dict[str, Clip]:
        return {c.id: c for c in self.clips}


def mark_record(mark: SyntheticMark) -> dict[str, Any]:
    """The mark as plain JSON values."""
    values = {f.name: getattr(mark, f.name) for f in fields(mark)}
    return values | {"per_emotion": dict(mark.per_emotion), "settings": dict(mark.settings)}


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: the same text for the same value, for digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def frames_of(clip: Clip) -> range:
    """The frame numbers from onset to offset, both included."""
    return range(clip.onset, clip.offset + 1)


__all__ = [
    "EMOTIONS",
    "Clip",
    "ClipTable",
    "Correction",
    "Note",
    "SyntheticMark",
    "canonical_json",
    "frames_of",
    "mark_record",
]

"""What a protocol is, once read: plain facts, without the file they came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mebench.folds import FoldRule

LabelField = Literal["emotion", "objective_class", "action_units"]
TaskName = Literal["recognition", "action-units"]
Aggregate = Literal["pooled", "mean-over-folds"]
Metric = Literal["uf1", "uar", "accuracy", "weighted_f1"]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A clip the protocol leaves out of the named releases, why, and on whose word."""

    clip: str
    reason: str
    source: str
    releases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllowList:
    """The only clips of a dataset the protocol takes, why, and on whose word."""

    clips: tuple[str, ...]
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What a release holds under a protocol; `clips_per_subject` is by a subject's own name, empty if not known.

    `per_class` is empty where a protocol of several classes per clip leaves the positives to the corpus.
    """

    clips: int
    subjects: int
    per_class: Mapping[str, int]
    clips_per_subject: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """What a protocol takes from one dataset.

    `labels` maps values of the clip field `label_field` to classes. `left_out` gives the reason for values that are not
    mapped. `counts` is by release: that of the objective classes for those, else the annotation version.
    """

    dataset: str
    label_field: LabelField
    labels: Mapping[str, str]
    left_out: Mapping[str, str]
    counts: Mapping[str, Counts]
    exclusions: tuple[Exclusion, ...] = ()
    allowed: AllowList | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A citation and its address."""

    citation: str
    url: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """One task: who is in, under which class, who is trained and tested on, and how that is scored.

    `metrics` are the scores its users report, the first one foremost, computed over all test predictions at once
    (`pooled`) or per fold and averaged (`mean-over-folds`). `superseded_by` names what to use instead, and is empty for
    a protocol in force; it is no part of the digest, since it changes nothing about what was measured.
    """

    name: str
    version: int
    title: str
    description: str
    task: str
    classes: tuple[str, ...]
    sources: Mapping[str, Source]
    folds: FoldRule
    metrics: tuple[Metric, ...]
    aggregate: Aggregate
    papers: tuple[Paper, ...]
    digest: str
    subject_independent: bool = True
    multilabel: bool = False
    superseded_by: str = ""

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets it needs, in the order of its file."""
        return tuple(self.sources)


@dataclass(frozen=True, slots=True)
class Suite:
    """Protocols that are run together, each with its own board."""

    name: str
    version: int
    title: str
    description: str
    members: tuple[Protocol, ...]
    digest: str
    superseded_by: str = ""


__all__ = [
    "Aggregate",
    "AllowList",
    "Counts",
    "Exclusion",
    "LabelField",
    "Metric",
    "Paper",
    "Protocol",
    "Source",
    "Suite",
    "TaskName",
]

"""TOML -> Protocol or Suite: what a file says, checked as far as that is possible without a corpus.

The digest of a protocol or suite is the SHA-256 of the values in its file; comments and layout do not enter it, nor
does `superseded_by`, so that a released protocol can say what took its place.
"""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import cast, get_args

from mebench.clips import EMOTIONS, canonical_json
from mebench.facs import OBJECTIVE_CLASSES
from mebench.folds import RULES, FoldRule, RuleName
from mebench.predictions import NO_LABEL
from mebench.protocol_facts import (
    Aggregate,
    AllowList,
    Counts,
    Exclusion,
    LabelField,
    Metric,
    Paper,
    Protocol,
    Source,
    Suite,
    TaskName,
)
from mebench.sections import Section, read_toml

PROTOCOL_SCHEMA = "mebench.protocol/1"
SUITE_SCHEMA = "mebench.suite/1"
UNRESOLVED = "unresolved"
"""The value of a clip whose action units are in doubt: `?`, `L12 or L14`."""
UNCODED = "uncoded"
"""The value of a clip without any action-unit code, which is no proof that nothing moved."""

_VOCABULARY: dict[str, frozenset[str]] = {
    "emotion": EMOTIONS,
    "objective_class": frozenset(OBJECTIVE_CLASSES),
    "action_units": frozenset(map(str, range(1, 100))),  # FACS codes have one or two digits
}
_OUTSIDE: dict[str, frozenset[str]] = {"action_units": frozenset({UNRESOLVED, UNCODED})}
"""Values a clip may have that no class can be made of."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SUCCESSOR = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(@[1-9][0-9]*)?")
_CLASS = re.compile(r"[A-Za-z0-9_-]+")  # class names are column names and are joined by "+" in prediction files


def parse(content: bytes, file: str, load_member: Callable[[str], Protocol]) -> Protocol | Suite:
    """The protocol or suite in a file; `file` is its name for errors, `load_member` finds the members of a suite.

    Raises ProtocolError with file, key and value for whatever is unknown, missing, of a wrong type or contradictory.
    """
    top = read_toml(content, file)
    schema = top.choice("schema", (PROTOCOL_SCHEMA, SUITE_SCHEMA))
    return _suite(top, load_member) if schema == SUITE_SCHEMA else _protocol(top)


def parse_member(content: bytes, file: str) -> Protocol:
    """The protocol in a file that a suite names; raises as `parse` does, and for a suite."""
    top = read_toml(content, file)
    if top.choice("schema", (PROTOCOL_SCHEMA, SUITE_SCHEMA)) == SUITE_SCHEMA:
        raise top.error("schema", "a suite stands as member of a suite", "List its protocols instead.")
    return _protocol(top)


def _head(top: Section) -> tuple[str, int, str, str]:
    name = _matching(top, "name", top.text("name"), _NAME)
    return name, top.integer("version", 1), top.text("title"), top.text("description")


def _suite(top: Section, load_member: Callable[[str], Protocol]) -> Suite:
    head, section = _head(top), top.section("suite")
    members = tuple(load_member(name) for name in section.texts("members"))
    section.close()
    superseded = _superseded_by(top)
    top.close()
    return Suite(*head, members, _digest(top), superseded)


def _protocol(top: Section) -> Protocol:
    head = _head(top)
    classes = tuple(_matching(top, "classes", c, _CLASS) for c in top.texts("classes"))
    if len(classes) < 2:
        raise top.error("classes", f"{list(classes)!r} is one class", "Declare two or more.")
    if NO_LABEL in classes:
        raise top.error("classes", f"{NO_LABEL!r} stands for no class at all", "Choose another name.")
    sources = {name: _source(section, name, classes) for name, section in top.named_sections("datasets").items()}
    unreached = [c for c in classes if not any(c in source.labels.values() for source in sources.values())]
    if unreached:
        raise top.error("classes", f"no dataset maps a label to {unreached[0]!r}", "Map one or drop the class.")
    independent = top.truth("subject_independent", default=True)
    rule = _fold_rule(top.section("folds"), len(sources), subject_independent=independent)
    metrics, aggregate = _scoring(top.section("scoring"))
    papers = tuple(_paper(section) for section in top.sections("papers"))
    task = top.choice("task", get_args(TaskName))
    multilabel = task == "action-units"
    _check_task(top, sources, rule, aggregate, multilabel=multilabel)
    superseded = _superseded_by(top)
    top.close()
    return Protocol(
        *head,
        task=task,
        classes=classes,
        sources=sources,
        folds=rule,
        metrics=metrics,
        aggregate=aggregate,
        papers=papers,
        digest=_digest(top),
        subject_independent=independent,
        multilabel=multilabel,
        superseded_by=superseded,
    )


def _check_task(
    top: Section, sources: Mapping[str, Source], rule: FoldRule, aggregate: Aggregate, *, multilabel: bool
) -> None:  # fmt: skip
    """Raises ProtocolError where a task does not fit the fields labels come from, or cannot be parted or scored so."""
    for name, source in sources.items():
        if (source.label_field == "action_units") != multilabel:
            raise (
                top.section("datasets")
                .section(name)
                .error(
                    "field",
                    f"{source.label_field!r} does not go with this task",
                    'Name field "action_units" under task "action-units", and under no other.',
                )
            )
    if multilabel and (rule.name == "group-k-fold" or aggregate != "pooled"):
        raise top.error(
            "task",
            "action units are not parted by group-k-fold nor averaged over folds",
            'Use another rule, and aggregate = "pooled".',
        )


def _superseded_by(top: Section) -> str:
    if not top.has("superseded_by"):
        return ""
    return _matching(top, "superseded_by", top.text("superseded_by"), _SUCCESSOR)


def _source(section: Section, dataset: str, classes: tuple[str, ...]) -> Source:
    label_field = cast("LabelField", section.choice("field", get_args(LabelField)))
    labels = section.mapping("labels")
    for value, name in labels.items():
        section.member("labels", value, _VOCABULARY[label_field])
        section.member(f"labels.{value}", name, classes)
    left_out = section.mapping("left_out") if section.has("left_out") else {}
    for value in left_out:
        section.member("left_out", value, (_VOCABULARY[label_field] | _OUTSIDE.get(label_field, set())) - set(labels))
    counts = _all_counts(
        section, [c for c in classes if c in labels.values()], multilabel=label_field == "action_units"
    )
    exclusions = _exclusions(section, dataset, tuple(counts)) if section.has("exclude") else ()
    allowed = _allow_list(section.section("allow"), dataset) if section.has("allow") else None
    if allowed and exclusions:
        raise section.error("allow", "stands beside exclude", "Keep one of the two.")
    section.close()
    return Source(dataset, label_field, labels, left_out, counts, exclusions, allowed)


def _exclusions(section: Section, dataset: str, releases: tuple[str, ...]) -> tuple[Exclusion, ...]:
    found: list[Exclusion] = []
    for entry in section.sections("exclude"):
        clip = _clip(entry, "clip", entry.text("clip"), dataset)
        if clip in [e.clip for e in found]:
            raise entry.error("clip", f"{clip!r} is excluded twice", "Keep one entry.")
        named = entry.texts("releases") if entry.has("releases") else releases
        for release in named:
            entry.member("releases", release, releases)
        found.append(Exclusion(clip, entry.text("reason"), entry.text("source"), named))
        entry.close()
    return tuple(found)


def _allow_list(section: Section, dataset: str) -> AllowList:
    clips = tuple(_clip(section, "clips", clip, dataset) for clip in section.texts("clips"))
    allowed = AllowList(clips, section.text("reason"), section.text("source"))
    section.close()
    return allowed


def _all_counts(section: Section, classes: list[str], *, multilabel: bool) -> dict[str, Counts]:
    """Expected counts by release, in the order of the file; one table may speak for several releases."""
    found: dict[str, Counts] = {}
    for entry in section.sections("counts"):
        counts = _counts(entry, classes, multilabel=multilabel)
        for release in entry.texts("releases"):
            if release in found:
                raise entry.error("releases", f"{release!r} is counted twice", "Keep one table per release.")
            found[release] = counts
        entry.close()
    return found


def _counts(entry: Section, classes: list[str], *, multilabel: bool) -> Counts:
    clips, subjects = entry.integer("clips", 1), entry.integer("subjects", 1)
    per_class = {} if multilabel and not entry.has("per_class") else _per_class(entry, classes)
    per_subject = entry.numbers("clips_per_subject") if entry.has("clips_per_subject") else {}
    if not multilabel and sum(per_class.values()) != clips:
        raise entry.error("per_class", f"sums to {sum(per_class.values())}, not to clips = {clips}", "Correct one.")
    if per_subject and (sum(per_subject.values()), len(per_subject)) != (clips, subjects):
        raise entry.error(
            "clips_per_subject",
            f"holds {sum(per_subject.values())} clips of {len(per_subject)} subjects, not {clips} of {subjects}",
            "Correct one.",
        )
    return Counts(clips, subjects, per_class, per_subject)


def _per_class(entry: Section, classes: list[str]) -> dict[str, int]:
    """Clips per class in the order of the classes."""
    per_class = entry.numbers("per_class")
    for name in per_class:
        entry.member("per_class", name, classes)
    missing = [c for c in classes if c not in per_class]
    if missing:
        raise entry.error(
            "per_class", f"{missing[0]!r} is missing", "Give a count for every class, 0 where it has none."
        )
    return {c: per_class[c] for c in classes}


def _fold_rule(section: Section, datasets: int, *, subject_independent: bool) -> FoldRule:
    name = cast("RuleName", section.choice("rule", RULES))
    if name == "hold-out-dataset" and datasets < 2:
        raise section.error("rule", f"{name!r} needs two datasets", "Add a dataset or part by subject.")
    if name == "leave-one-clip-out" and subject_independent:
        raise section.error(
            "rule", f"{name!r} trains on the tested subject", "Declare subject_independent = false or part by subject."
        )
    k, seed = (section.integer("k", 2), section.integer("seed", 0)) if name == "group-k-fold" else (0, 0)
    section.close()
    return FoldRule(name, k, seed)


def _scoring(section: Section) -> tuple[tuple[Metric, ...], Aggregate]:
    metrics = section.texts("metrics")
    for metric in metrics:
        section.member("metrics", metric, get_args(Metric))
    aggregate = cast("Aggregate", section.choice("aggregate", get_args(Aggregate)))
    section.close()
    return cast("tuple[Metric, ...]", metrics), aggregate


def _paper(section: Section) -> Paper:
    paper = Paper(section.text("citation"), section.text("url"))
    section.close()
    return paper


def _clip(section: Section, key: str, clip: str, dataset: str) -> str:
    if not re.fullmatch(rf"{re.escape(dataset)}/[^/]+/[^/]+", clip):
        raise section.error(key, f"{clip!r} is not a clip id of {dataset}", f"Write {dataset}/subject/clip.")
    return clip


def _matching(section: Section, key: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise section.error(key, f"{value!r} does not match {pattern.pattern}", "Choose another name.")
    return value


def _digest(top: Section) -> str:
    content = {key: value for key, value in top.content.items() if key != "superseded_by"}
    return sha256(canonical_json(_unwrapped(content)).encode()).hexdigest()


def _unwrapped(value: object) -> object:
    """The value with every run of white space in its texts made one space: how a text is wrapped says nothing."""
    if isinstance(value, Mapping):
        return {key: _unwrapped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unwrapped(inner) for inner in value]
    return " ".join(value.split()) if isinstance(value, str) else value


__all__ = [
    "Aggregate",
    "AllowList",
    "Counts",
    "Exclusion",
    "Metric",
    "Paper",
    "Protocol",
    "Source",
    "Suite",
    "parse",
    "parse_member",
]

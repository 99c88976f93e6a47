"""Figures in print: what papers report under a protocol, how they chose their epochs, and what is wrong with them.

One file per protocol in `published/` beside the protocols of a package. Nothing here was run by mebench, nothing is
ranked, and no figure is ever compared with a run's: they are printed apart. Figures are kept as printed, digits
included, since what two digits rule out is less than what four do.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast, get_args

from mebench.errors import ProtocolError
from mebench.protocol_library import packages, protocol_names
from mebench.sections import Section, read_toml

SCHEMA = "mebench.published/1"
FOLDER = "published"
Selection = Literal["fixed", "peeked", "clip-split", "unknown"]
Status = Literal["verified", "unconfirmed"]
METRICS: Mapping[str, str] = {
    "uf1": "UF1",
    "uar": "UAR",
    "accuracy": "Acc.",
    "f1": "F1",
    "weighted_f1": "wF1",
    "unit_f1": "AU-mean F1",
    "dataset_f1": "Dataset-mean F1",
    "two_sided_f1": "Two-sided F1",
}
"""What a figure may be of and its column; `f1` where the source does not say which mean it is."""
SELECTIONS: Mapping[str, str] = {
    "fixed": "epochs fixed beforehand, or a criterion on training data",
    "peeked": "the epoch or setting that scored best on the tested subject",
    "clip-split": "parted by clip: the tested subject is trained on",
    "unknown": "no public code, or undecidable from it; it does not mean clean",
}
UNKNOWN = "unknown"
NO_ADDRESS = "none"

_FIGURE = re.compile(r"(?:0?\.\d+|1(?:\.0+)?)|(?:\d{1,2}|100)(?:\.\d+)? %")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|unknown")
_COMMIT = re.compile(r"[0-9a-f]{40}|unknown")


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure as it stands in print: `.7353`, `.71`, `63.41 %`."""

    text: str

    @property
    def value(self) -> float:
        """As a fraction."""
        number = float(self.text.removesuffix(" %"))
        return number / 100 if self.text.endswith(" %") else number

    @property
    def unit(self) -> float:
        """One in the last digit, as a fraction."""
        digits = len(self.text.removesuffix(" %").partition(".")[2])
        return float(10.0 ** -(digits + (2 if self.text.endswith(" %") else 0)))


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a figure was read."""

    key: str
    citation: str
    url: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The lines of released code that show how an epoch is chosen; commit and date may be `unknown`."""

    repository: str
    path: str
    lines: str
    commit: str
    date: str

    @property
    def text(self) -> str:
        """In one line."""
        at = self.commit[:12] if self.commit != UNKNOWN else self.commit
        return f"{self.repository} {self.path} L{self.lines} (commit {at}, date {self.date})"


@dataclass(frozen=True, slots=True)
class Result:
    """What is printed for one slice; `clips` where the source says how many, `recalls` per class where it does."""

    slice: str
    figures: Mapping[str, Printed]
    clips: int | None = None
    recalls: tuple[Printed, ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """One method as one source prints it; `results` is empty where only its code is known."""

    method: str
    source: Reference
    status: Status
    selection: Selection
    evidence: Evidence | None
    note: str
    rerun: str
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """What a slice of a protocol holds: clips and, where known, clips per class, of each release it may be of."""

    clips: int
    per_class: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Group:
    """The methods in print under one protocol, in the order of its file, which is no ranking.

    `stated` holds what the file itself says of slices, for protocols that mebench does not have.
    """

    protocol: str
    title: str
    description: str
    figures: tuple[Method, ...]
    stated: Mapping[str, Slice]


def published_groups(protocols: Collection[str] | None = None) -> tuple[Group, ...]:
    """The figures in print under these protocols, or all there are; raises ProtocolError for a wrong file."""
    found = []
    for package, root in packages().items():
        folder = root / FOLDER
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir(), key=lambda f: f.name):
            stem = file.name.removesuffix(".toml")
            if file.name.endswith(".toml") and (protocols is None or stem in protocols):
                found.append(_parsed(file.read_bytes(), f"{package}: {FOLDER}/{file.name}", stem))
    known = protocol_names()  # boards that exist come first
    return tuple(sorted(found, key=lambda group: (group.protocol not in known, group.protocol)))


@lru_cache(maxsize=256)
def _parsed(content: bytes, file: str, stem: str) -> Group:
    group = parse_published(content, file)
    if group.protocol != stem:
        raise ProtocolError(f"{file}: protocol: {group.protocol!r} is not the file's name.", "Rename one of them.")
    return group


def parse_published(content: bytes, file: str) -> Group:
    """The figures in a file; raises ProtocolError with file, key and value for whatever is wrong."""
    top = read_toml(content, file)
    top.choice("schema", (SCHEMA,))
    protocol, title, description = top.text("protocol"), top.text("title"), top.text("description")
    stated = {n: _slice(s) for n, s in top.named_sections("slices").items()} if top.has("slices") else {}
    sources = {name: _reference(name, section) for name, section in top.named_sections("sources").items()}
    methods = tuple(_method(section, sources) for section in top.sections("methods"))
    top.close()
    return Group(protocol, title, description, methods, stated)


def _slice(section: Section) -> Slice:
    found = Slice(section.integer("clips", 1), section.numbers("per_class") if section.has("per_class") else {})
    if found.per_class and sum(found.per_class.values()) != found.clips:
        raise section.error("per_class", f"does not sum to clips = {found.clips}", "Correct one.")
    section.close()
    return found


def _reference(name: str, section: Section) -> Reference:
    found = Reference(name, section.text("citation"), section.text("url"))
    section.close()
    return found


def _method(section: Section, sources: Mapping[str, Reference]) -> Method:
    source = sources[section.choice("source", sources)]
    status = cast("Status", section.choice("status", get_args(Status)))
    selection = cast("Selection", section.choice("selection", tuple(SELECTIONS)))
    evidence = _evidence(section.section("evidence")) if section.has("evidence") else None
    if selection in ("peeked", "clip-split") and evidence is None:
        raise section.error("evidence", f"is missing beside selection {selection!r}", "Name the lines that show it.")
    results = section.named_sections("figures") if section.has("figures") else {}
    found = Method(
        section.text("method"),
        source,
        status,
        selection,
        evidence,
        section.text("note") if section.has("note") else "",
        section.text("rerun") if section.has("rerun") else "",
        tuple(_result(name, inner) for name, inner in results.items()),
    )
    if not found.results and evidence is None:
        raise section.error("figures", "is missing, and so is evidence", "Give one of them.")
    section.close()
    return found


def _evidence(section: Section) -> Evidence:
    commit, date = section.text("commit"), section.text("date")
    if not _COMMIT.fullmatch(commit):
        raise section.error("commit", f"{commit!r} is no commit", "Give its 40 digits, or unknown.")
    if not _DAY.fullmatch(date):
        raise section.error("date", f"{date!r} is no day", "Write 2024-05-31, or unknown.")
    found = Evidence(section.text("repository"), section.text("path"), section.text("lines"), commit, date)
    section.close()
    return found


def _result(name: str, section: Section) -> Result:
    figures = {key: _printed(section, key, section.text(key)) for key in METRICS if section.has(key)}
    if not figures:
        raise section.error("uf1", "is missing, as is every other figure", f"Give one of {', '.join(METRICS)}.")
    clips = section.integer("clips", 1) if section.has("clips") else None
    recalls = section.texts("recalls") if section.has("recalls") else ()
    found = Result(name, figures, clips, tuple(_printed(section, "recalls", text) for text in recalls))
    section.close()
    return found


def _printed(section: Section, key: str, text: str) -> Printed:
    if not _FIGURE.fullmatch(text):
        raise section.error(key, f"{text!r} is no figure", 'Write it as printed, ".7353" or "73.53 %".')
    return Printed(text)


def record(group: Group, flags: Mapping[tuple[int, str], tuple[str, ...]]) -> dict[str, Any]:
    """The group as plain JSON values; `flags` by the position of a method and its slice."""
    return {
        "protocol": group.protocol,
        "title": group.title,
        "description": group.description,
        "ranked": False,
        "methods": [
            {
                "method": m.method,
                "source": m.source.citation,
                "url": m.source.url,
                "status": m.status,
                "selection": m.selection,
                "evidence": m.evidence.text if m.evidence else None,
                "note": m.note,
                "rerun": m.rerun,
                "results": [
                    {
                        "slice": r.slice,
                        **{name: figure.value for name, figure in r.figures.items()},
                        "printed": {name: figure.text for name, figure in r.figures.items()},
                        "clips": r.clips,
                        "flags": list(flags.get((i, r.slice), ())),
                    }
                    for r in m.results
                ],
            }
            for i, m in enumerate(group.figures)
        ],
    }


__all__ = [
    "METRICS",
    "SELECTIONS",
    "Evidence",
    "Group",
    "Method",
    "Printed",
    "Reference",
    "Result",
    "Slice",
    "parse_published",
    "published_groups",
    "record",
]

"""Files people write: protocols, corrections, figures in print. TOML with other values, and TOML that is none."""

import copy
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from mebench.clips import ClipTable
from mebench.datasets.correct import Corrected, Entry, correct, parse_entries
from mebench.datasets.workbook import cell_text
from mebench.protocol import Protocol, Suite, Task, load_protocol, resolve
from mebench.published import METRICS, Group, parse_published
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.readers.workbooks import CASME2_KIND, sound
from tests.fuzz.spoken import say
from tests.fuzz.structures import changed, toml
from tests.fuzz.values import damaged, text

EMOTIONS = {"happiness": "happiness", "disgust": "disgust", "surprise": "surprise", "repression": "repression"}


def small_protocol(table: ClipTable) -> dict[str, Any]:
    """A protocol over the small corpus of the workbook reader, with its true counts."""
    held = [clip for clip in table if clip.emotion in EMOTIONS]
    counts = Counter(clip.emotion for clip in held)
    per_subject = Counter(clip.subject.partition("/")[2] for clip in held)
    return {
        "schema": "mebench.protocol/1",
        "name": "fuzz-loso",
        "version": 1,
        "title": "A small corpus",
        "description": "Four emotions of the people of a small corpus.",
        "task": "recognition",
        "classes": list(EMOTIONS),
        "datasets": {
            table.dataset: {
                "field": "emotion",
                "labels": EMOTIONS,
                "left_out": {"others": "no class", "sadness": "too few"},
                "counts": [
                    {
                        "releases": [table.annotation],
                        "clips": len(held),
                        "subjects": len(per_subject),
                        "per_class": {name: counts[name] for name in EMOTIONS},
                        "clips_per_subject": dict(sorted(per_subject.items())),
                    }
                ],
            }
        },
        "folds": {"rule": "leave-one-subject-out"},
        "scoring": {"metrics": ["uf1", "uar", "accuracy"], "aggregate": "pooled"},
        "papers": [{"citation": "Nobody 2025", "url": "https://example.org"}],
    }


@cache
def _shipped(package: str) -> dict[str, dict[str, Any]]:
    return {
        file.name: tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(files(package).iterdir(), key=lambda f: f.name)
        if file.name.endswith(".toml") and file.name != "released.toml"
    }


def _draft(
    rng: random.Random, document: dict[str, Any], likely: tuple = ()
) -> tuple[bytes, dict[str, Any] | None, str]:
    """The file's bytes, the document they hold (None where they are damaged), and what was done."""
    document = copy.deepcopy(document)
    if rng.random() < 0.25:
        return _ruined(rng, toml(document))
    said = [changed(rng, document, dates=True, likely=likely) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if any(not isinstance(key, str) for key in document):
        return _ruined(rng, "")
    content = toml(document).encode("utf-8", "replace")
    return content, tomllib.loads(content.decode()), "; ".join(said)  # TOML has no None: what is None was left out


def _ruined(rng: random.Random, written: str) -> tuple[bytes, None, str]:
    how = rng.choice(("bytes", "bytes", "bytes", "nested", "digits", "utf-16", "twice", "long"))
    content = {
        "bytes": lambda: damaged(rng, written.encode()),
        "nested": lambda: f"x = {'[' * 20_000}{']' * 20_000}\n{written}".encode(),
        "digits": lambda: f"{written}version2 = {'9' * 5000}\n".encode(),
        "utf-16": lambda: written.encode("utf-16"),
        "twice": lambda: (written + written).encode(),
        "long": lambda: f"{written}x = '{text(rng) * 20_000}'\n".encode("utf-8", "replace"),
    }[how]()
    return content, None, f"file ruined: {how}"


def _protocol_case(rng: random.Random, place: Place) -> Case:
    table = sound(CASME2_KIND)
    own = rng.random() < 0.5
    name = "fuzz-loso.toml" if own else rng.choice(list(_shipped("mebench.protocols")))
    original = small_protocol(table) if own else copy.deepcopy(_shipped("mebench.protocols")[name])
    if not own and rng.random() < 0.7:
        original["name"] = "fuzz-loso"
    inner = ("datasets", next(iter(original.get("datasets", {"x": 0}))))
    likely = tuple((*inner, key) for key in original["datasets"][inner[1]]) if "datasets" in original else ()
    likely += tuple((key,) for key in original)
    if own:
        likely += tuple((*inner, "counts", 0, key) for key in original["datasets"][inner[1]]["counts"][0])
        likely += tuple((*inner, "labels", key) for key in EMOTIONS)
    content, document, title = _draft(rng, original, likely)
    folder = place.work / "in"
    folder.mkdir()
    path = folder / name
    path.write_bytes(content)
    spoken = rng.random() < 0.15

    def read() -> tuple[Protocol | Suite, Task | None]:
        if spoken:
            say(["show", path, "--json"])
        loaded = load_protocol(path)
        fits = isinstance(loaded, Protocol) and set(loaded.datasets) == {table.dataset}
        return loaded, resolve(loaded, {table.dataset: table}) if own and fits else None

    return Case(title, document is not None, read, lambda found: _protocol_judge(original, document, table, *found))


def _protocol_judge(
    original: dict[str, Any],
    document: dict[str, Any] | None,
    table: ClipTable,
    loaded: Protocol | Suite,
    task: Task | None,
) -> str:
    if task is not None and (fault := _recount(loaded, table, task)):
        return fault
    if document is None:
        return ""
    untouched = load_unguarded(original)
    if untouched is not None and _words(document) != _words(original) and loaded.digest == untouched:
        return "it says something else and bears the same digest"
    if isinstance(loaded, Protocol):
        stated = {
            "name": loaded.name == _one(document["name"]),
            "version": loaded.version == document["version"],
            "classes": list(loaded.classes) == document["classes"],
            "metrics": list(loaded.metrics) == document["scoring"]["metrics"],
            "datasets": list(loaded.datasets) == list(document["datasets"]),
        }
        for name, source in loaded.sources.items():
            told = document["datasets"][name]
            stated[f"{name} labels"] = dict(source.labels) == {k: _one(v) for k, v in told["labels"].items()}
            stated[f"{name} excluded"] = [e.clip for e in source.exclusions] == [
                _one(e["clip"]) for e in told.get("exclude", [])
            ]
            stated[f"{name} clips"] = {r: c.clips for r, c in source.counts.items()} == {
                r: c["clips"] for c in told["counts"] for r in c["releases"]
            }
        return next((f"{what} is not what the file says" for what, same in stated.items() if not same), "")
    return ""


def load_unguarded(document: dict[str, Any]) -> str | None:
    """The digest of the document as it was; None for a suite, whose members are looked up."""
    from mebench.protocol_file import parse_member

    return parse_member(toml(document).encode(), "x").digest if "suite" not in document else None


def _recount(loaded: Any, table: ClipTable, task: Task) -> str:
    """The clips of each class counted again from the table; what the protocol says of them has to agree."""
    source = loaded.sources[table.dataset]
    out = {e.clip for e in source.exclusions}
    chosen = [c for c in table if c.id not in out and (source.allowed is None or c.id in source.allowed.clips)]
    if source.label_field == "action_units":
        return ""
    labels = [source.labels.get(str(getattr(clip, source.label_field))) for clip in chosen]
    counted = Counter(label for label in labels if label)
    taken = Counter(item.label for item in task.items)
    stated = next(iter(source.counts.values())).per_class
    if counted != taken:
        return f"{dict(taken)} were taken, {dict(counted)} are there"
    return (
        ""
        if {k: n for k, n in stated.items() if n} == dict(counted)
        else f"{dict(counted)} are there, {stated} are stated"
    )


def _words(value: Any) -> Any:
    """The document as its digest sees it: white space counts as one space, what took its place does not count."""
    if isinstance(value, dict):
        return {k: _words(v) for k, v in value.items() if k != "superseded_by" and v is not None}
    if isinstance(value, list):
        return [_words(v) for v in value]
    return _one(value) if isinstance(value, str) else (type(value).__name__, repr(value))


def _one(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


def _corrections_case(rng: random.Random, place: Place) -> Case:
    name = rng.choice(list(_shipped("mebench.datasets.corrections")))
    original = _shipped("mebench.datasets.corrections")[name]
    entry = rng.randrange(len(original["entry"]))
    likely = tuple(("entry", entry, key) for key in original["entry"][entry])
    content, document, title = _draft(rng, original, likely)
    cells = {
        e["clip"]: {"onset": 1, "apex": 2, "offset": 3, "emotion": "fear", "action_units": "4", "objective": 1}
        | {e["field"]: e["old"]}
        for e in original["entry"]
        if isinstance(e.get("clip"), str)
    }
    strict = rng.random() < 0.5

    def read() -> tuple[tuple[Entry, ...], dict[str, Corrected]]:
        entries = parse_entries(content.decode("utf-8", "replace"), name)
        versions = sorted({version for one in entries for version in one.versions})
        return entries, {version: correct(entries, version, cells, strict=strict) for version in versions}

    return Case(title, document is not None, read, lambda found: _corrections_judge(document, cells, *found))


def _corrections_judge(
    document: dict[str, Any] | None, cells: Mapping[str, Mapping[str, object]], entries: tuple[Entry, ...],
    corrected: Mapping[str, Corrected],
) -> str:  # fmt: skip
    if document is not None and len(entries) != len(document.get("entry", [])):
        return f"{len(entries)} entries of {len(document.get('entry', []))}"
    for version, done in corrected.items():
        for clip, values in done.values.items():
            for field, value in values.items():
                due = [e for e in entries if version in e.versions and (e.clip, e.field) == (clip, field)]
                was = cells[clip].get(field)
                right = due[0].new if due and due[0].new is not None and cell_text(was) == due[0].old else was
                if value != right:
                    return f"{clip} {field} became {value!r} instead of {right!r}"
    return ""


def _published_case(rng: random.Random, place: Place) -> Case:
    name = rng.choice(list(_shipped("mebench.protocols.published")))
    original = _shipped("mebench.protocols.published")[name]
    method = rng.randrange(len(original["methods"]))
    likely = tuple(("methods", method, key) for key in original["methods"][method])
    likely += tuple(("methods", method, "figures", key) for key in original["methods"][method].get("figures", {}))
    content, document, title = _draft(rng, original, likely)
    return Case(
        title, document is not None, lambda: parse_published(content, name), lambda g: _published_judge(document, g)
    )


def _published_judge(document: dict[str, Any] | None, group: Group) -> str:
    for method in group.figures:
        for result in method.results:
            wrong = [f.text for f in result.figures.values() if not 0 <= f.value <= 1]
            if wrong:
                return f"{wrong[0]} is read as more than everything"
    if document is None:
        return ""
    told = [
        {name: {m: r[m] for m in METRICS if m in r} for name, r in method.get("figures", {}).items()}
        for method in document["methods"]
    ]
    read = [{r.slice: {m: f.text for m, f in r.figures.items()} for r in method.results} for method in group.figures]
    return "" if _spaced(told) == read else "the figures are not those of the file"


def _spaced(told: list[dict[str, dict[str, Any]]]) -> list[dict[str, dict[str, Any]]]:
    return [{name: {m: _one(v) for m, v in r.items()} for name, r in method.items()} for method in told]


def _reader(name: str, make: Callable[[random.Random, Place], Case]) -> Reader:
    return Reader(name, make, lambda place: None)


PROTOCOL = _reader("protocol TOML", _protocol_case)
CORRECTIONS = _reader("corrections TOML", _corrections_case)
PUBLISHED = _reader("published TOML", _published_case)

"""A plan: several models, protocols and seeds in one TOML file, run as one piece of work.

    schema = "mebench.plan/1"
    protocols = ["loso"]            # for every entry that names none
    seeds = 3

    [[run]]
    model = "lbp-top"

    [[run]]
    model = "lam"
    protocols = ["casme2-5c-loso"]
    seeds = 5
    set = { epochs = "20" }         # as --set; preset = "..." as --preset

All folds of all runs share the workers. What a plan made lies in ordinary runs, so the same command goes on where it
was stopped, and a run that was made without the plan is not made again. `<home>/plans/<digest>.json` says which runs
the plan consists of.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mebench.clips import canonical_json
from mebench.errors import MebenchError, RunError, UsageError
from mebench.execute import Asked, Opened, asked_of, estimate, fit_opened, opened_of, report_of
from mebench.kept_json import keep_json, read_kept
from mebench.manifest import read_manifest
from mebench.occupancy import adding
from mebench.progress import Progress, silent
from mebench.protocol import Task
from mebench.render import Table, span
from mebench.requests import MemberReport, Request
from mebench.runs import SeedRun
from mebench.sections import MOST_BYTES, Section, read_toml

SCHEMA = "mebench.plan/1"
STATE = "mebench.plan-state/1"


@dataclass(frozen=True)
class Entry:
    """One row of a plan: a model with its settings under one protocol of a request, and what became of it."""

    model: str
    report: MemberReport | None = None
    refused: str = ""

    @property
    def complete(self) -> bool:
        """Whether every fold is done and every clip had an input."""
        r = self.report
        return r is not None and r.done == r.folds and not (r.failed or r.missing)


@dataclass(frozen=True)
class PlanReport:
    """What became of a plan, or would: `seconds` is how long the whole would take, of an estimate."""

    entries: tuple[Entry, ...]
    estimated: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do, of an estimate whether nothing is in the way."""
        if self.estimated:
            return not any(e.refused or (e.report and e.report.failed) for e in self.entries)
        return all(entry.complete for entry in self.entries)

    @property
    def seconds(self) -> float:
        """The estimates of all entries together."""
        return sum(entry.report.seconds for entry in self.entries if entry.report)

    def table(self) -> Table:
        """A row per model and protocol."""
        rows = [_row(entry, estimated=self.estimated) for entry in self.entries]
        last = "About" if self.estimated else "Done"
        notes = tuple(f"{e.model}: {e.refused}" for e in self.entries if e.refused)
        notes += tuple(
            f"{e.model}, {e.report.protocol}: {line}" for e in self.entries if e.report for line in _said(e.report)
        )
        if self.estimated:
            notes += (f"In all about {span(self.seconds)}; inputs that models share are counted for each.",)
        numeric = frozenset({"Folds", last})
        return Table("", ("Model", "Protocol", "Run", "Folds", last), tuple(rows), numeric, notes)

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "schema": "mebench.plan-report/1",
            "complete": self.complete,
            **({"seconds": self.seconds} if self.estimated else {}),
            "entries": [
                {"model": e.model, "refused": e.refused or None, **({} if e.report is None else e.report.record())}
                for e in self.entries
            ],
        }


def read_plan(path: Path, home: Path, command: str = "") -> list[Request]:
    """The requests of a plan, one per model and protocol; raises UsageError or ProtocolError for what it gets wrong."""
    try:
        with path.open("rb") as stream:
            top = read_toml(stream.read(MOST_BYTES), path.name)
    except OSError as fault:
        raise UsageError(f"The plan {path} cannot be read: {fault.strerror}.", "Give a TOML file.") from fault
    top.choice("schema", (SCHEMA,))
    protocols = top.texts("protocols") if top.has("protocols") else ()
    seeds = top.integer("seeds", 1) if top.has("seeds") else 1
    data = top.mapping("data") if top.has("data") else {}
    annotations = top.mapping("annotation") if top.has("annotation") else {}
    requests = []
    for section in top.sections("run"):
        common = Request(
            model=section.text("model"),
            protocol="",
            home=home,
            seeds=section.integer("seeds", 1) if section.has("seeds") else seeds,
            settings=_settings(section) if section.has("set") else {},
            preset=section.text("preset") if section.has("preset") else None,
            data=data,
            annotations=annotations,
            command=command,
        )
        wanted = section.texts("protocols") if section.has("protocols") else protocols
        if not wanted:
            raise section.error("protocols", "is missing here and at the top", 'Write protocols = ["loso"].')
        requests += [replace(common, protocol=protocol) for protocol in wanted]
        section.close()
    top.close()
    twice = [r for i, r in enumerate(requests) if r in requests[:i]]
    if twice:
        raise top.error("run", f"{twice[0].model} under {twice[0].protocol} stands twice", "Keep it once.")
    return requests


def run_plan(requests: Sequence[Request], *, jobs: int = 1, progress: Progress = silent) -> PlanReport:
    """Runs all of it, and reports.

    Everything that is wrong with a request is told before any work. An entry whose corpora are not prepared is refused
    and the others go on; so is one whose inputs cannot be made.
    """
    home = requests[0].home
    looked, refused = _looked_at(requests)
    rows: list[tuple[str, Opened]] = []
    with adding(home), ExitStack() as held:
        for asked, task in _members(looked):
            try:
                rows.append((asked.request.model, opened_of(asked, task, jobs, progress, held)))
            except MebenchError as fault:
                refused.append(Entry(asked.request.model, refused=f"{task.protocol.name}: {fault.what}"))
            _keep_state(home, requests, rows)
        befell = fit_opened([opened for _, opened in rows], jobs, progress)
        done = tuple(Entry(model, report_of(opened, befell)) for model, opened in rows)
    return PlanReport((*done, *refused))


def estimate_plan(requests: Sequence[Request], *, jobs: int = 1, progress: Progress = silent) -> PlanReport:
    """How long all of it would take; what is done already is not taken off."""
    looked, refused = _looked_at(requests)
    with adding(requests[0].home):
        found = [Entry(asked.request.model, estimate(asked, task, jobs, progress)) for asked, task in _members(looked)]
    return PlanReport((*found, *refused), estimated=True)


def plan_status(requests: Sequence[Request]) -> PlanReport:
    """How far the plan is, whoever is working on it; nothing is computed. Raises RunError before it was started."""
    home = requests[0].home
    path = _state_path(home, requests)
    if not path.exists():
        raise RunError("This plan was not started under this home.", "Give the same command without --status.")
    kept = read_kept(path, STATE, "Give the same command without --status: it is written anew.")
    return PlanReport(tuple(_standing(home, row) for row in kept["runs"]))


def _looked_at(requests: Sequence[Request]) -> tuple[list[Asked], list[Entry]]:
    looked, refused = [], []
    for request in requests:
        try:
            looked.append(asked_of(request))
        except UsageError:
            raise
        except MebenchError as fault:
            refused.append(Entry(request.model, refused=f"{request.protocol}: {fault.what}"))
    left_out = [
        Entry(asked.request.model, refused=f"{name}: {what}")
        for asked in looked
        for name, what in asked.left_out.items()
    ]
    return looked, [*refused, *left_out]


def _members(looked: Sequence[Asked]) -> list[tuple[Asked, Task]]:
    """Every model and protocol; where two entries come to the same runs, through a suite or so, that of most seeds."""
    found: dict[str, tuple[Asked, Task]] = {}
    for asked in looked:
        r = asked.request
        for task in asked.tasks:
            name = canonical_json([r.model, dict(r.settings), r.preset, task.protocol.name])
            if name not in found or found[name][0].request.seeds < r.seeds:
                found[name] = (asked, task)
    return list(found.values())


def _standing(home: Path, row: Mapping[str, Any]) -> Entry:
    folder = home / row["folder"]
    seeds = [
        SeedRun(path, read_manifest(path / "manifest.json"))
        for path in (folder / f"seed-{seed}" for seed in range(row["seeds"]))
        if (path / "manifest.json").exists()
    ]
    done = sum(one.done(fold) for one in seeds for fold in one.folds)
    failed = {f"{fold} (seed {one.seed})": what for one in seeds for fold, what in one.failures().items()}
    report = MemberReport(row["protocol"], folder.name, folder, row["folds"], done, failed, {})
    return Entry(row["model"], report)


def _keep_state(home: Path, requests: Sequence[Request], rows: Sequence[tuple[str, Opened]]) -> None:
    """Which runs the plan consists of, as far as they are open."""
    runs = [
        {
            "model": model,
            "protocol": opened.parts[0].task.protocol.name,
            "folder": str(opened.parts[0].seed_run.path.parent.relative_to(home)),
            "seeds": len(opened.parts),
            "folds": sum(len(part.task.folds) for part in opened.parts),
        }
        for model, opened in rows
    ]
    path = _state_path(home, requests)
    path.parent.mkdir(parents=True, exist_ok=True)
    keep_json(path, STATE, {"runs": runs})


def _state_path(home: Path, requests: Sequence[Request]) -> Path:
    said = [[r.model, r.protocol, r.seeds, dict(r.settings), r.preset] for r in requests]
    return home / "plans" / f"{hashlib.sha256(canonical_json(said).encode()).hexdigest()[:12]}.json"


def _settings(section: Section) -> dict[str, str]:
    """Parameters as --set takes them; numbers and truths may be written as such."""
    inner = section.section("set")
    found = {}
    for key, value in inner.content.items():
        if not isinstance(value, str | int | float):
            raise inner.error(key, f"{value!r} is not a text, a number or a truth", "Write it as --set takes it.")
        found[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _said(report: MemberReport) -> list[str]:
    """What is to be said of an entry beside its row."""
    failed = [f"fold {fold} failed: {what}" for fold, what in report.failed.items()]
    return [*failed, *(f"clip {clip} has no input: {why}" for clip, why in report.missing.items()), *report.notes]


def _row(entry: Entry, *, estimated: bool) -> tuple[str, ...]:
    report = entry.report
    if report is None:
        return (entry.model, entry.refused.partition(":")[0], "refused", "", "")
    last = span(report.seconds) if estimated else f"{report.done}"
    return (entry.model, report.protocol, report.run, str(report.folds), last)


__all__ = ["Entry", "PlanReport", "estimate_plan", "plan_status", "read_plan", "run_plan"]

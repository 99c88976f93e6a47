"""`mebench forget`: what was derived from a corpus, or from one person in it, is removed, and the removal verified.

What is derived from a face is personal data like the face: crops, landmarks, head motion, inputs, predictions by clip.
A run is removed as a whole, its predictions of other people too, because all its models but one were trained on those
who are forgotten. Its entry in the ledger stays as a bare count, without parameters: what was tried stays counted.

Nothing outside the home is touched, the folders of the corpora least of all. Nothing is kept that says who was
forgotten; the next `prepare` brings everything back that still lies in the corpus' folder.

What is to be removed is found anew each time and the registration goes last, so that the same command completes what a
kill interrupted.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mebench import plugins, runs
from mebench.errors import DataError, MebenchError, UnknownName
from mebench.files import fault_point, remove, remove_leftovers, write_text_atomic
from mebench.json_files import read_json
from mebench.naming import canonical_subject
from mebench.occupancy import idle, removing
from mebench.prepare import registered
from mebench.render import size_text
from mebench.traces import Target, Trace, find_traces, mentions

AGAIN = "The next mebench prepare brings back what still lies there: take it out of the corpus first."


@dataclass(frozen=True)
class Forgetting:
    """What is to go from a home, or went; `corpora` are the folders of all corpora prepared there, by dataset."""

    home: Path
    target: Target
    traces: tuple[Trace, ...]
    corpora: Mapping[str, str] = field(default_factory=dict)
    done: bool = False

    @property
    def files(self) -> int:
        """How many files are removed; those that only lose some lines do not count."""
        return sum(trace.files for trace in self.traces if not trace.rewrite)

    @property
    def size(self) -> int:
        """Bytes of the removed files."""
        return sum(trace.size for trace in self.traces if not trace.rewrite)

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that are removed as a whole: protocol, model and id."""
        folders = [trace.path for trace in self.traces if trace.area == "runs" and trace.path.suffix != runs.WITHDRAWN]
        return tuple(str(folder.relative_to(self.home / "runs")) for folder in folders)

    @property
    def untouched(self) -> dict[str, str]:
        """The folders of the corpora in question, which stay as they are."""
        return {name: root for name, root in self.corpora.items() if name in self.target.shown_in}

    def text(self) -> str:
        """What goes, or went, in lines for a person."""
        verb = "removed" if self.done else "to remove"
        if not self.traces:
            return f"Nothing under {self.home} names {self.target.name}." + self._untouched()
        head = f"{self.target.name} in {self.home}: {self.files} files, {size_text(self.size)} {verb}."
        gone, changed = ([t for t in self.traces if t.rewrite is rewrite] for rewrite in (False, True))
        lines = [f"  {area}: {c['files']} files, {size_text(c['bytes'])}" for area, c in _by_area(gone).items()]
        lines += [f"  {area}: {c['files']} files lose what they say of it" for area, c in _by_area(changed).items()]
        lines += [f"  run {run}: all of it; its configuration stays counted" for run in self.runs]
        tail = [f"Verified: nothing under {self.home} names {self.target.name} any more."] if self.done else []
        return "\n".join([head, *lines, *tail]) + self._untouched()

    def record(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "schema": "mebench.forget/1",
            "forgotten": self.target.name,
            "datasets": list(self.target.shown_in),
            "home": str(self.home),
            "files": self.files,
            "bytes": self.size,
            "areas": _by_area(self.traces),
            "runs": list(self.runs),
            "verified": self.done,
            "untouched": self.untouched,
        }

    def _untouched(self) -> str:
        where = ", ".join(sorted(set(self.untouched.values())))
        return f"\nNot touched: {where}. {AGAIN}" if where else f"\nNo folder of a corpus is touched. {AGAIN}"


def plan(home: Path, dataset: str, subject: str | None = None) -> Forgetting:
    """What would go. Raises UnknownName where there is no such corpus or no such person in it."""
    target = target_of(home, dataset, subject)
    corpora = roots(home, registered(home))
    found = find_traces(home, target, list(map(Path, corpora.values())))
    if not found and target.subject is not None:
        _must_exist(home, target)
    return Forgetting(home, target, found, corpora)


def forget(home: Path, dataset: str, subject: str | None = None) -> Forgetting:
    """What went, after it was removed and looked for again.

    Raises RunError while another process works under the home, DataError where something could not be removed or
    still names what was to be forgotten, and UnknownName as `plan` does.
    """
    planned = plan(home, dataset, subject)
    if not planned.traces:
        return planned
    with removing(home), ExitStack() as locks:
        planned = plan(home, dataset, subject)  # again: what came in before the lock was held
        for lock in (lock for t in planned.traces if t.area == "runs" for lock in t.path.glob("seed-*/.lock-*")):
            locks.enter_context(idle(lock))
        for trace in planned.traces:
            _remove(home, trace, planned.target)
            fault_point("in-forget")
        for place in ("corpora", "ledger"):
            remove_leftovers(home / place)
        _prune(home, planned.traces)
        left = find_traces(home, planned.target, list(map(Path, planned.corpora.values())))
    if left:
        raise DataError(
            f"{left[0].path} still names {planned.target.name}, one of {len(left)} places.",
            "Give the same command again; remove the place by hand if it stays.",
        )
    return replace(planned, done=True)


def target_of(home: Path, dataset: str, subject: str | None) -> Target:
    """The corpus, or the person as the corpus writes it (`1`, `01` and `casme2/sub01` are `sub01`).

    A person is forgotten in every modality of the corpus. Raises UnknownName for a corpus that is neither supported
    nor in the home, and for what cannot be a subject of it.
    """
    known = {*plugins.names("dataset"), *plugins.names("still"), *registered(home), *_folders(home / "store")}
    if dataset not in known:
        raise UnknownName("corpus", dataset, known)
    if subject is None:
        return Target(dataset)
    corpus = dataset.partition("-")[0]
    name = canonical_subject(dataset, subject.removeprefix(f"{dataset}/").removeprefix(f"{corpus}/"))
    if name is None:
        raise UnknownName(f"subject of {dataset}", subject, _subjects(home, (dataset,)))
    return Target(dataset, name, tuple(sorted(n for n in known if n.partition("-")[0] == corpus)))


def roots(home: Path, datasets: Iterable[str]) -> dict[str, str]:
    """Where the corpora that were prepared under this home lie, as far as their registrations can be read."""
    found = {}
    for name in datasets:
        try:
            found[name] = str(read_json(home / "corpora" / f"{name}.json")["root"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _must_exist(home: Path, target: Target) -> None:
    """Raises UnknownName where the annotation says that nobody bears this name; without annotation nobody can tell."""
    known = _annotated(home, target.shown_in) | _subjects(home, target.shown_in)
    if known and target.subject not in known:
        raise UnknownName(f"subject of {target.dataset}", str(target.subject), known)


def _annotated(home: Path, datasets: Collection[str]) -> set[str]:
    from mebench.corpora import load_clips

    found: set[str] = set()
    for name, root in roots(home, datasets).items():
        try:
            found |= {clip.id.split("/")[1] for clip in load_clips(name, root)}
        except MebenchError:
            continue  # the corpus moved or is gone: it can vouch for nobody
    return found


def _subjects(home: Path, datasets: Collection[str]) -> set[str]:
    """Those whose clips lie in the store."""
    return {subject for dataset in datasets for subject in _folders(home / "store" / dataset)}


def _folders(place: Path) -> set[str]:
    return {path.name for path in place.iterdir() if path.is_dir()} if place.is_dir() else set()


def _remove(home: Path, trace: Trace, target: Target) -> None:
    if trace.area == "registration" and trace.rewrite:
        _strike(trace.path, target)
    elif trace.area == "ledger":
        runs.bare_count(trace.path)
    elif trace.area == "runs" and trace.path.is_dir():
        _withdraw(home, trace.path)
    else:
        remove(trace.path)


def _strike(registration: Path, target: Target) -> None:
    """The registration loses the target's clips; one that cannot be read, or still names the target, goes whole."""
    try:
        content = read_json(registration)
        content["clips"] = [clip for clip in content["clips"] if not target.names_clip(clip["clip"])]
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        remove(registration)
        return
    write_text_atomic(registration, text)
    if mentions(registration, target.pattern):
        remove(registration)


def _withdraw(home: Path, folder: Path) -> None:
    """The run's folder goes, and its entries in the ledger keep the count alone.

    The folder is renamed first: killed in between, what is left of it is known for what it is by its name.
    """
    for manifest in folder.glob("seed-*/manifest.json"):
        try:
            content = read_json(manifest)
            entry = runs.ledger_entry(home, content["id"], content["spec"])
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            continue
        if entry.exists():
            runs.bare_count(entry)
    if folder.suffix != runs.WITHDRAWN:
        folder = folder.rename(folder.with_name(folder.name + runs.WITHDRAWN))
        fault_point("after-withdrawal")
    remove(folder)


def _prune(home: Path, traces: Iterable[Trace]) -> None:
    """Folders that removal left empty go too, up to the home's own."""
    for trace in traces:
        folder = trace.path.parent
        while folder not in (home, *home.parents) and folder.is_dir() and not any(folder.iterdir()):
            remove(folder)
            folder = folder.parent


def _by_area(traces: Iterable[Trace]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for trace in traces:
        of = counts.setdefault(trace.area, {"files": 0, "bytes": 0})
        of["files"] += trace.files
        of["bytes"] += trace.size
    return counts


__all__ = ["AGAIN", "Forgetting", "forget", "plan", "roots", "target_of"]

"""What lies under a home, whether it is still as it was written, and what may go because nothing needs it.

Every clip of the store, every input and every fold of a run is sealed: its SHA-256 lies in a file of its own beside it.
Manifests and other JSON records carry a digest in themselves. `verify` recomputes them all, so that a single flipped
bit is found and named with the command that makes the file again. `prune` removes only what can be made again or what
a process that was killed has left.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mebench.clips import Clip
from mebench.errors import MebenchError, RunError, StoreError
from mebench.files import read_seal, remove, remove_leftovers, sha256_file, sidecar
from mebench.inputs import Recipe, folder_name, input_name, parse_recipe
from mebench.json_files import read_json
from mebench.kept_json import read_kept
from mebench.manifest import read_manifest
from mebench.occupancy import removing
from mebench.prepare import corpus_root, load_registered, registered
from mebench.progress import Progress, silent
from mebench.render import Table, size_text
from mebench.runs import DISCARDED, WITHDRAWN
from mebench.store import stored_facts

State = Literal["sound", "damaged", "unfinished"]
SEALED = (".h5", ".npy", ".csv")
"""Ends of the names of files that are nothing without a digest beside them, where clips, inputs and folds lie."""
AREAS = ("store", "inputs", "runs", "weights", "stills")
"""Folders of a home in which files are sealed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that is not as it was written, and the command that makes it again."""

    path: Path
    state: State
    fix: str


@dataclass(frozen=True)
class Verification:
    """How many files were compared with their digests, and those that are not sound."""

    home: Path
    files: int
    size: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged; what a kill left unfinished is made again without asking."""
        return not any(found.state == "damaged" for found in self.findings)

    def text(self) -> str:
        """The verification in lines for a person."""
        counts = Counter(found.state for found in self.findings)
        bad = f"{counts['damaged']} damaged, {counts['unfinished']} unfinished"
        head = f"{self.files} files, {size_text(self.size)}: {bad}."
        return "\n".join(
            [head, *(f"  {f.state} {f.path.relative_to(self.home)}\n    fix: {f.fix}" for f in self.findings)]
        )

    def record(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "schema": "mebench.verification/1",
            "files": self.files,
            "bytes": self.size,
            "sound": self.sound,
            "findings": [
                {"path": str(f.path.relative_to(self.home)), "state": f.state, "fix": f.fix} for f in self.findings
            ],
        }


@dataclass(frozen=True, slots=True)
class Holding:
    """One corpus in the store, one recipe's inputs, one model's runs, or another folder of the home."""

    area: str
    name: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Waste:
    """Something that may go, and why; `size` counts all below it."""

    path: Path
    why: str
    size: int


def holdings(home: Path) -> tuple[Holding, ...]:
    """What lies under the home, by area and name; only looked at, never read."""
    return tuple(
        Holding(area, name, *_weight(path))
        for area, name, path in _units(home)
        if path.is_dir() and any(path.iterdir())
    )


def holdings_table(found: Iterable[Holding]) -> Table:
    """A row per holding, and the sum."""
    rows = [(one.area, one.name, str(one.files), size_text(one.size)) for one in found]
    total = sum(one.size for one in found)
    columns = ("Area", "Name", "Files", "Size")
    return Table("", columns, tuple(rows), frozenset({"Files", "Size"}), (f"In all {size_text(total)}.",))


def verify(home: Path, *, jobs: int = 1, progress: Progress = silent) -> Verification:
    """Every file of the home that has a digest, compared with it. Files that change meanwhile are looked at again."""
    files = sorted(_sealed_files(home))
    records = sorted(_records(home))
    findings: list[Finding] = []
    size = 0
    with ThreadPoolExecutor(jobs) as pool:
        work = [*((path, _sealed_state) for path in files), *((path, _record_state) for path in records)]
        for done, ((path, _), state) in enumerate(
            zip(work, pool.map(lambda one: one[1](one[0]), work), strict=True), 1
        ):
            if state != "sound":
                findings.append(Finding(path, state, _fix(home, path)))
            size += path.stat().st_size if path.exists() else 0
            progress(done, len(work), path.name)
    return Verification(home, len(files) + len(records), size, tuple(findings))


def waste(home: Path, *, inputs: bool = False) -> tuple[Waste, ...]:
    """What may go: inputs that no stored clip has any more, and what dead processes left; with `inputs`, all inputs."""
    found = [*_orphans(home), *_discarded(home)]
    for folder in sorted((home / "inputs").glob("*")):
        if inputs and folder.is_dir():
            found.append(_wasted(folder, "inputs, which are made again when they are asked for"))
        elif folder.is_dir():
            found += _stale(home, folder)
    return tuple(found)


def prune(home: Path, *, inputs: bool = False) -> tuple[Waste, ...]:
    """Removes what `waste` finds, and temporary files of dead processes; what was removed.

    Raises RunError while another process works under this home.
    """
    home.mkdir(parents=True, exist_ok=True)
    with removing(home):
        found = waste(home, inputs=inputs)
        for one in found:
            remove(one.path)
        remove_leftovers(home)
    return found


def waste_text(found: Iterable[Waste], home: Path, *, done: bool) -> str:
    """What went, or may go, in lines for a person."""
    found = list(found)
    verb = "removed" if done else "may go"
    if not found:
        return f"Nothing under {home} may go."
    reasons: dict[str, list[Waste]] = {}
    for one in found:
        reasons.setdefault(one.why, []).append(one)
    lines = [f"  {len(some)} x {why}: {size_text(sum(w.size for w in some))}" for why, some in reasons.items()]
    return "\n".join([f"{size_text(sum(one.size for one in found))} {verb}.", *lines])


def waste_record(found: Iterable[Waste], home: Path, *, done: bool) -> dict[str, Any]:
    """The same as plain JSON values."""
    return {
        "schema": "mebench.prune/1",
        "removed": done,
        "waste": [{"path": str(w.path.relative_to(home)), "why": w.why, "bytes": w.size} for w in found],
    }


def _units(home: Path) -> Iterator[tuple[str, str, Path]]:
    for folder in sorted((home / "store").glob("*")):
        yield "store", folder.name, folder
    for folder in sorted((home / "inputs").glob("*")):
        yield "inputs", _recipe_text(folder), folder
    for folder in sorted((home / "runs").glob("*/*")):
        yield "runs", f"{folder.parent.name} {folder.name}", folder
    for folder in sorted(home.glob("*")):
        if folder.is_dir() and folder.name not in ("store", "inputs", "runs"):
            yield "other", folder.name, folder


def _weight(path: Path) -> tuple[int, int]:
    sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return len(sizes), sum(sizes)


def _sealed_files(home: Path) -> Iterator[Path]:
    """Files with a digest beside them, digests without a file, and files that are nothing without a digest."""
    for area in AREAS:
        for path in (home / area).rglob("*"):
            if path.name.startswith("."):
                continue
            if path.name.endswith(".sha256"):
                yield path.with_name(path.name.removesuffix(".sha256"))
            elif _needs_seal(path) and not sidecar(path).exists():
                yield path


def _needs_seal(path: Path) -> bool:
    return path.suffix in SEALED and (path.suffix != ".csv" or path.parent.name == "folds")


def _records(home: Path) -> Iterator[Path]:
    """JSON files that may carry a digest in themselves."""
    yield from (p for p in home.rglob("*.json") if not p.name.startswith(".") and not sidecar(p).exists())


def _sealed_state(path: Path) -> State:
    for _ in range(2):  # a file and its digest are written one after the other: what looks wrong is looked at twice
        try:
            digest, _notes = read_seal(path)
            if sha256_file(path) == digest:
                return "sound"
            state: State = "damaged"
        except StoreError:
            state = "damaged" if sidecar(path).exists() else "unfinished"
        except OSError:
            state = "damaged"
    return state


def _record_state(path: Path) -> State:
    try:
        if path.name == "manifest.json":
            read_manifest(path)
            return "sound"
        content = read_json(path)
        if isinstance(content, dict) and "digest" in content and "schema" in content and path.parent.name != "corpora":
            return _kept_state(path, str(content["schema"]))
    except (OSError, ValueError, RunError):
        return "damaged"
    return "sound"


def _kept_state(path: Path, schema: str) -> State:
    try:
        read_kept(path, schema, "")
    except RunError:
        return "damaged"
    return "sound"


def _fix(home: Path, path: Path) -> str:
    """The command that makes a file again."""
    area, *rest = path.relative_to(home).parts
    if area == "store":
        dataset = rest[0]
        try:
            return f"mebench prepare {dataset} --data {corpus_root(home, dataset)}"
        except MebenchError:
            return f"mebench prepare {dataset} --data DIR"
    if area == "inputs":
        return "the run that uses it, or mebench cache prune: it is computed again"
    if area == "runs" and len(rest) > 3:
        return f"{_command(home.joinpath(area, *rest[:4]))}: the fold is fitted again"
    return "the command that wrote it"


def _command(seed: Path) -> str:
    try:
        return str(read_json(seed / "manifest.json")["command"]) or "the same mebench run"
    except (OSError, ValueError, LookupError, TypeError):
        return "the same mebench run with --fresh"


def _recipe_text(folder: Path) -> str:
    try:
        return str(read_json(folder / "recipe.json")["recipe"])
    except (OSError, ValueError, LookupError, TypeError):
        return folder.name


def _stale(home: Path, folder: Path) -> Iterator[Waste]:
    """Inputs of one recipe that no command would read any more."""
    try:
        recipe = parse_recipe(_recipe_text(folder))
    except MebenchError:
        yield _wasted(folder, "inputs of a recipe that is no more")
        return
    if folder_name(recipe) != folder.name:
        yield _wasted(folder, "inputs of an older version of a step")
        return
    for dataset in sorted(path for path in folder.glob("*") if path.is_dir()):
        wanted = _wanted(home, recipe, dataset.name)
        if wanted is None:
            continue  # what its clips are cannot be told without the annotation
        for path in sorted(dataset.rglob("*.npy")):
            if str(path.relative_to(folder)) not in wanted:
                yield _wasted(path, "inputs of clips that were prepared anew, or are gone")
                if sidecar(path).exists():
                    yield _wasted(sidecar(path), "inputs of clips that were prepared anew, or are gone")


def _wanted(home: Path, recipe: Recipe, dataset: str) -> set[str] | None:
    """The files that hold the inputs of the clips as they are stored now; None where the clips are not known."""
    if dataset not in registered(home):
        return None
    try:
        clips = load_registered(home, dataset)
    except MebenchError:
        return None
    return {name for clip in clips if (name := _input_name(home, recipe, clip))}


def _input_name(home: Path, recipe: Recipe, clip: Clip) -> str:
    try:
        key = recipe.key(stored_facts(home, clip.id).content, (clip.onset, clip.offset), clip.apex)
    except StoreError:
        return ""
    return input_name(clip.id, key)


def _orphans(home: Path) -> Iterator[Waste]:
    """Digests whose files are gone."""
    for area in AREAS:
        for path in sorted((home / area).rglob("*.sha256")):
            if not path.with_name(path.name.removesuffix(".sha256")).exists():
                yield _wasted(path, "digests without a file")


def _discarded(home: Path) -> Iterator[Waste]:
    for path in sorted((home / "runs").rglob("*")):
        if path.is_dir() and path.suffix in (DISCARDED, WITHDRAWN):
            yield _wasted(path, "runs that were discarded when a process was killed")


def _wasted(path: Path, why: str) -> Waste:
    return Waste(path, why, _weight(path)[1] if path.is_dir() else path.stat().st_size)


__all__ = [
    "Finding",
    "Holding",
    "Verification",
    "Waste",
    "holdings",
    "holdings_table",
    "prune",
    "verify",
    "waste",
    "waste_record",
    "waste_text",
]

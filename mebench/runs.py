"""A run on disk: manifest, predictions fold by fold, state, and the ledger of configurations tried.

`<home>/runs/<protocol>/<model>/<id>/seed-<n>/` holds `manifest.json`, one CSV per finished fold with its digest beside
it, one record per failed fold, and `predictions.csv` once every fold is done. State is never stored: it is what the
files say. Scores are never stored: they are computed from the predictions.
"""

import fcntl
import hashlib
import json
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from mebench.clips import canonical_json
from mebench.cost import Cost, cost_of, total
from mebench.diagnostics import FoldNotes
from mebench.errors import RunError, StoreError, UnknownName
from mebench.files import read_seal, read_sealed, sidecar, write_sealed, write_text_atomic
from mebench.json_files import read_json
from mebench.manifest import SCHEMA, read_manifest, sealed
from mebench.predictions import Prediction, Predictions, read_csv

PACKAGES = (
    "mebench dlib-bin h5py numba numpy opencv-contrib-python-headless scikit-learn scipy torch face_recognition_models"
).split()

DISCARDED = ".discarded"
"""Ends the name of a seed's folder that is being removed, because the run is to start over."""

WITHDRAWN = ".withdrawn"
"""Ends the name of a run's folder that is being removed: a run of that name is none."""

Status = Literal["complete", "incomplete", "failed"]


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that decides what a run predicts; its digest is the run's id.

    Digests are of content, never of paths or times. `facts` is printed, not hashed: title, fidelity, privilege.
    """

    protocol: str
    protocol_digest: str
    fingerprints: Mapping[str, str]
    model: str
    model_version: int
    model_digest: str | None
    parameters: Mapping[str, Any]
    recipe: str
    input_key: str
    selection: str
    weights: Mapping[str, str]
    partial: bool
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 over every field but `facts`."""
        hashed = {key: value for key, value in asdict(self).items() if key != "facts"}
        return hashlib.sha256(canonical_json(hashed).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class SeedRun:
    """One seed of one run: the folder and what its manifest says."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def seed(self) -> int:
        """The seed."""
        return int(self.manifest["seed"])

    @cached_property
    def folds(self) -> dict[str, list[str]]:
        """Per fold id the test clips."""
        return {fold["id"]: fold["test"] for fold in self.manifest["folds"]}

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the protocol, in order."""
        return tuple(self.manifest["classes"])

    @property
    def expected(self) -> dict[str, str]:
        """Per test clip its true class."""
        return dict(self.manifest["truth"])

    def done(self, fold: str) -> bool:
        """Whether this fold's predictions are on disk, whole and as written."""
        try:
            read_sealed(self._fold_file(fold, ".csv"))
        except StoreError:
            return False
        return True

    def damaged(self, fold: str) -> bool:
        """Whether this fold's predictions differ from the digest kept of them."""
        path = self._fold_file(fold, ".csv")
        return path.exists() and sidecar(path).exists() and not self.done(fold)

    def failures(self) -> dict[str, str]:
        """Per failed fold what went wrong; a fold done since does not count."""
        found = {}
        for fold in self.folds:
            path = self._fold_file(fold, ".failed.json")
            if path.exists() and not self.done(fold):
                found[fold] = _what_failed(path)
        return found

    def status(self) -> Status:
        """`complete` when every fold is done, `failed` when one failed, else `incomplete`."""
        if all(self.done(fold) for fold in self.folds):
            return "complete"
        return "failed" if self.failures() else "incomplete"

    def save_fold(self, fold: str, rows: Sequence[Prediction], cost: Cost | None = None, *, lost: int = 0) -> None:
        """Writes the fold's predictions, then their digest: a kill between the two leaves the fold undone.

        What the fold cost, and how many workers were lost over it, stands with the digest, so that predictions are the
        same bytes however they came about.
        """
        made = Predictions(self.manifest["spec"]["protocol"], self.classes, tuple(rows))
        said = (cost.notes() if cost else {}) | ({"workers-lost": str(lost)} if lost else {})
        write_sealed(self._fold_file(fold, ".csv"), made.to_csv().encode(), said)
        self._fold_file(fold, ".failed.json").unlink(missing_ok=True)

    def save_notes(self, fold: str, notes: FoldNotes) -> None:
        """Writes what the fold's model was asked after its predictions."""
        text = json.dumps(notes.record(), indent=1, sort_keys=True, allow_nan=False)
        write_sealed(self._fold_file(fold, ".notes.json"), f"{text}\n".encode(), {})  # a figure is made of them

    def notes(self, fold: str) -> FoldNotes | None:
        """What the fold's model was asked after its predictions; None where nothing is kept, or it is damaged."""
        try:
            return FoldNotes.of_record(json.loads(read_sealed(self._fold_file(fold, ".notes.json"))[0]))
        except (StoreError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def states(self, shard: int, of: int) -> Path:
        """The folder in which trainings of this shard that are under way leave their states."""
        return self.path / "states" / f"{shard}-of-{of}"

    def save_failure(self, fold: str, what: str, trace: str) -> None:
        """Records that the fold failed, and why."""
        record = {"schema": "mebench.failure/1", "fold": fold, "what": what, "traceback": trace}
        write_text_atomic(self._fold_file(fold, ".failed.json"), json.dumps(record, indent=1) + "\n")

    def predictions(self) -> Predictions:
        """The predictions of every finished fold, in fold order."""
        protocol = str(self.manifest["spec"]["protocol"])
        rows: list[Prediction] = []
        for fold in self.folds:
            if self.done(fold):
                rows += read_csv(self._fold_file(fold, ".csv"), self.classes, protocol=protocol).rows
        return Predictions(protocol, self.classes, tuple(rows))

    def costs(self) -> list[Cost | None]:
        """What each finished fold cost, None for one that did not record it."""
        return [cost_of(read_seal(self._fold_file(fold, ".csv"))[1]) for fold in self.folds if self.done(fold)]

    def finish(self) -> Path | None:
        """Writes `predictions.csv` once every fold is done, and says where; None before."""
        if self.status() != "complete":
            return None
        path = self.path / "predictions.csv"
        write_text_atomic(path, self.predictions().to_csv())
        return path

    def _fold_file(self, fold: str, suffix: str) -> Path:
        return self.path / "folds" / (quote(fold, safe="/").replace("/", "__") + suffix)


@dataclass(frozen=True)
class StoredRun:
    """A run as found on disk: its id and its seeds."""

    id: str
    seeds: tuple[SeedRun, ...]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec as the manifest keeps it."""
        return dict(self.seeds[0].manifest["spec"])

    def status(self) -> Status:
        """The worst status of its seeds."""
        found = {seed.status() for seed in self.seeds}
        return "failed" if "failed" in found else "incomplete" if "incomplete" in found else "complete"

    def cost(self) -> Cost | None:
        """What the finished folds of all its seeds cost; None where one of them did not record it."""
        return total(cost for seed in self.seeds for cost in seed.costs())


def environment() -> dict[str, str]:
    """What may change a prediction's last bit: interpreter, package versions, machine."""
    return {"python": platform.python_version(), "machine": platform.machine(), "cpu": _cpu()} | {
        package: _version(package) for package in PACKAGES
    }


def open_seed(home: Path, spec: RunSpec, seed: int, facts: Mapping[str, Any], *, fresh: bool = False) -> SeedRun:
    """The folder of this seed, made if need be; `facts` (folds, truth, classes, command) go into a new manifest.

    Raises RunError where the folder was written in another environment: results of two environments are never mixed.
    """
    path = run_folder(home, spec) / f"seed-{seed}"
    if fresh and path.exists():
        trash = path.with_name(path.name + DISCARDED)
        shutil.rmtree(trash, ignore_errors=True)
        path.rename(trash)
        shutil.rmtree(trash)
    manifest_path = path / "manifest.json"
    if manifest_path.exists():
        return _same_environment(SeedRun(path, read_manifest(manifest_path)))
    (path / "folds").mkdir(parents=True, exist_ok=True)
    manifest = {
        "schema": SCHEMA,
        "id": spec.id,
        "seed": seed,
        "spec": asdict(spec),
        "environment": environment(),
        **facts,
    }
    write_text_atomic(manifest_path, json.dumps(sealed(manifest), indent=1, sort_keys=True) + "\n")
    return SeedRun(path, read_manifest(manifest_path))


def run_folder(home: Path, spec: RunSpec) -> Path:
    """Where a run lives: `<home>/runs/<protocol>/<model>/<id>`."""
    return home / "runs" / quote(spec.protocol, safe="") / quote(spec.model, safe="") / spec.id


@contextmanager
def locked(seed_run: SeedRun, shard: str) -> Iterator[None]:
    """Holds this seed's shard for this process; raises RunError where another process holds it."""
    with (seed_run.path / f".lock-{shard.replace('/', '-of-')}").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise RunError(
                f"Another process is working on {seed_run.path}.", "Wait for it, or split the folds with --shard I/N."
            ) from held
        yield


def stored_runs(home: Path) -> tuple[StoredRun, ...]:
    """Every run under this home, by protocol, model and id; raises RunError naming a damaged manifest."""
    found: dict[Path, list[SeedRun]] = {}
    for path in sorted((home / "runs").glob("*/*/*/seed-*/manifest.json")):
        if path.parent.name.removeprefix("seed-").isdigit() and path.parent.parent.suffix != WITHDRAWN:
            found.setdefault(path.parent.parent, []).append(SeedRun(path.parent, read_manifest(path)))
    return tuple(
        StoredRun(folder.name, tuple(sorted(seeds, key=lambda seed: seed.seed))) for folder, seeds in found.items()
    )


def find_run(home: Path, name: str) -> StoredRun:
    """The run whose id begins with `name`, or the only run of the model of that name; raises UnknownName otherwise."""
    runs = stored_runs(home)
    matches = [r for r in runs if r.id.startswith(name)] or [r for r in runs if r.spec["model"] == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RunError(
            f"{len(matches)} runs answer to {name!r}: {', '.join(r.id for r in matches)}.", "Give one of these ids."
        )
    raise UnknownName("run", name, [r.id for r in runs])


def note_tried(home: Path, spec: RunSpec) -> None:
    """Enters the configuration in the ledger of its protocol; entering it again changes nothing."""
    path = ledger_entry(home, spec.id, asdict(spec))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {"schema": "mebench.tried/1", "id": spec.id, "parameters": dict(spec.parameters)}
        write_text_atomic(path, json.dumps(record, sort_keys=True) + "\n")


def bare_count(entry: Path) -> None:
    """The entry of the ledger keeps nothing but the id by which it is counted."""
    write_text_atomic(entry, json.dumps({"schema": "mebench.tried/1", "id": entry.stem}, sort_keys=True) + "\n")


def ledger_entry(home: Path, run_id: str, spec: Mapping[str, Any]) -> Path:
    """Where the configuration of a run is counted."""
    return _ledger(home, spec["protocol"], spec["fingerprints"], spec["model"]) / f"{run_id}.json"


def tried(home: Path, spec: Mapping[str, Any]) -> int:
    """How many configurations of this model were scored under this protocol on these corpora, deleted runs included."""
    return len(list(_ledger(home, spec["protocol"], spec["fingerprints"], spec["model"]).glob("*.json")))


def _ledger(home: Path, protocol: str, fingerprints: Mapping[str, str], model: str) -> Path:
    corpora = hashlib.sha256(canonical_json(dict(fingerprints)).encode()).hexdigest()[:12]
    return home / "ledger" / quote(protocol, safe="") / corpora / quote(model, safe="")


def _what_failed(path: Path) -> str:
    """What the record of a failed fold says; a damaged record still is one."""
    try:
        return str(read_json(path)["what"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return f"what failed is not known: {path.name} is damaged"


def _same_environment(seed_run: SeedRun) -> SeedRun:
    then, now = seed_run.manifest["environment"], environment()
    changed = [
        f"{key} {then.get(key)} -> {now.get(key)}" for key in sorted({*then, *now}) if then.get(key) != now.get(key)
    ]
    if changed and seed_run.status() != "complete":
        raise RunError(
            f"{seed_run.path} was begun in another environment: {'; '.join(changed)}.",
            "Go back to that environment, or start over with --fresh.",
        )
    return seed_run


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


@cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


__all__ = [
    "DISCARDED",
    "WITHDRAWN",
    "RunSpec",
    "SeedRun",
    "StoredRun",
    "bare_count",
    "environment",
    "find_run",
    "ledger_entry",
    "locked",
    "note_tried",
    "open_seed",
    "run_folder",
    "stored_runs",
    "tried",
]

"""A finished run as a bundle: everything another lab needs to repeat it, and nothing a licence keeps here."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench import runs, sources
from mebench.bundle import Bundle, make_bundle
from mebench.errors import MebenchError, RunError
from mebench.predictions import merge
from mebench.protocol import Protocol, load_protocol
from mebench.sections import read_toml

_FOLDER = re.compile(r"(?:^|(?<=[=,:]))(?:~[^/]*|\.{1,2})?/(?:[^/=,:]*/)*")
"""All of a path but its last part, where it begins at the root, at home or at a dot."""


@dataclass(frozen=True, slots=True)
class AskedProtocol:
    """The protocol a run was made under, as it is today, and its file where it was given as one."""

    protocol: Protocol
    file: Path | None


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle and what whoever sends it must know."""

    bundle: Bundle
    notes: tuple[str, ...]

    def text(self, path: Path) -> str:
        """What was written, a line each."""
        bundle = self.bundle
        head = f"run {bundle.run}: {len(bundle.predictions)} predictions, {len(bundle.folds)} folds, no label  {path}"
        return "\n".join([head, f"  SHA-256 {bundle.digest}", *(f"  {note}" for note in self.notes)])

    def record(self) -> dict[str, Any]:
        """What was written as JSON values."""
        return {
            "schema": "mebench.export/1",
            "run": self.bundle.run,
            "sha256": self.bundle.digest,
            "predictions": len(self.bundle.predictions),
            "folds": len(self.bundle.folds),
            "notes": list(self.notes),
        }


def export_run(run: runs.StoredRun) -> Exported:
    """The bundle of a run.

    Raises RunError where the run is not complete, or the model file or the protocol is no longer what it was run with.
    """
    if run.status() != "complete":
        raise RunError(f"Run {run.id} is {run.status()}.", "Give its command again to finish it, then export it.")
    asked = asked_of(run)
    protocol = asked_protocol(run)
    model, model_file, notes = _model(run, asked["model"])
    bundle = make_bundle(
        facts={**_facts(run), "asked": _asked_names(asked), "model": model},
        predictions=merge([seed.predictions() for seed in run.seeds]),
        model_file=model_file,
        protocol_file=protocol.file.read_bytes() if protocol.file else None,
    )
    absent = [f"{name}:{digest[:12]}" for name, digest in sorted(run.spec["weights"].items())]
    sent_apart = (f"the weights {', '.join(absent)} are not in it: send their files along",) if absent else ()
    return Exported(bundle, (*notes, *sent_apart))


def asked_of(run: runs.StoredRun) -> dict[str, str]:
    """Model and protocol as they were asked for; of manifests that do not keep it, as they are registered."""
    kept = run.seeds[0].manifest.get("asked") or {}
    return {key: kept.get(key) or run.spec[key] for key in ("model", "protocol")}


def asked_protocol(run: runs.StoredRun) -> AskedProtocol:
    """The protocol the run was made under; raises RunError where it is gone or is not the same any more."""
    asked, spec = asked_of(run)["protocol"], run.spec
    try:
        found = _member(asked, spec["protocol"])
    except MebenchError as fault:
        raise RunError(
            f"The protocol of run {run.id} cannot be read: {fault.what}", "Restore it where the run found it."
        ) from fault
    if found is None or found.protocol.digest != spec["protocol_digest"]:
        raise RunError(
            f"{asked} no longer holds {spec['protocol']} as run {run.id} was made under.",
            "Restore it, or run the model again.",
        )
    return found


def without_folders(command: str) -> str:
    """The command with every path cut to its last part: what lies where is nobody else's business."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return shlex.join(_FOLDER.sub("", word.rstrip("/")) for word in words)


def _member(asked: str, name: str) -> AskedProtocol | None:
    """The protocol of this name in what was asked for: itself, or a member of a suite."""
    file = Path(asked) if asked.endswith(".toml") else None
    loaded = load_protocol(asked)
    if isinstance(loaded, Protocol):
        return AskedProtocol(loaded, file) if loaded.name == name else None
    found = next((member for member in loaded.members if member.name == name), None)
    return None if found is None else AskedProtocol(found, _member_file(file, name))


def _member_file(file: Path | None, name: str) -> Path | None:
    """The file of a suite's member, where the suite is a file and names it as one."""
    if file is None:
        return None
    listed = read_toml(file.read_bytes(), file.name).section("suite").texts("members")
    found = (file.parent / member for member in listed if member.endswith(".toml"))
    return next((path for path in found if load_protocol(path).name == name), None)


def _model(run: runs.StoredRun, asked: str) -> tuple[dict[str, Any], bytes | None, tuple[str, ...]]:
    """How the bundle names the model, its source where it is a file, and what to say about it."""
    spec = run.spec
    if spec["model_digest"] is None:
        origin = sources.origin_of(spec["model"])
        return {
            "kind": "registered",
            "distribution": origin.distribution,
            "distribution_version": origin.version,
            "source_digest": origin.digest,
            "source_modules": origin.modules,
        }, None, ()  # fmt: skip
    path = Path(asked.rpartition(":")[0])
    try:
        source = path.read_bytes()
    except OSError as fault:
        raise RunError(
            f"The model file {path} of run {run.id} cannot be read: {fault.strerror}.",
            "Export from the folder the run was started in, with the file in its place.",
        ) from fault
    if hashlib.sha256(source).hexdigest() != spec["model_digest"]:
        raise RunError(
            f"The model file {path} is not the one run {run.id} was made with.", "Restore it, or run the model again."
        )
    beside = sources.imports_beside(source, path.parent)
    note = f"{path.name} imports {', '.join(beside)} from its folder, which the bundle does not hold"
    return {"kind": "file", "file": path.name}, source, (note,) if beside else ()


def _facts(run: runs.StoredRun) -> dict[str, Any]:
    """What the manifests say, without labels, subjects, coded frame numbers and folders."""
    manifest = run.seeds[0].manifest
    return {
        "run": run.id,
        "spec": run.spec,
        **{key: manifest[key] for key in ("aggregate", "annotations", "classes", "protocol_version", "task")},
        "synthetic": manifest["synthetic"],
        "folds": [{key: fold[key] for key in ("id", "train", "test")} for fold in manifest["folds"]],
        "missing": sorted(manifest["missing"]),
        "flags": manifest["flags"],
        "command": without_folders(manifest["command"]),
        "environments": {str(seed.seed): seed.manifest["environment"] for seed in run.seeds},
    }


def _asked_names(asked: Mapping[str, str]) -> dict[str, str]:
    return {key: Path(value).name for key, value in asked.items()}


__all__ = ["AskedProtocol", "Exported", "asked_of", "asked_protocol", "export_run", "without_folders"]

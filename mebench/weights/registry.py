"""The weights of a home: `weights/<sha256>.pt`, and beside each `<sha256>.json` with what is known of it.

A file enters when it is first used. It is known by its content: another name, another folder, or the same tensors saved
anew without what they say of themselves lead to the same record.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench.errors import ModelError, StoreError, UnknownName
from mebench.files import sha256_file, write_atomic, write_text_atomic
from mebench.occupancy import adding
from mebench.weights.provenance import NOBODY_KNOWS, Provenance, provenance_of
from mebench.weights.public import public_file

SCHEMA = "mebench.weight-record/1"

_PREFIX = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True)
class Registered:
    """A file of weights in the registry.

    `name` is what it was called when it entered, `source` how its provenance is known: `file` what it says of itself,
    `public` a known digest, `tensors` the digest of its tensors, which another file bears too, or `nobody`.
    `metadata` is all it says of itself.
    """

    path: Path
    digest: str
    state_digest: str
    name: str
    provenance: Provenance
    source: str
    metadata: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """Chain and what was seen."""
        return f"{self.provenance.chain}: {self.provenance.text}" if self.provenance.known else self.provenance.text

    def record(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return {
            "schema": SCHEMA,
            "digest": self.digest,
            "state_digest": self.state_digest,
            "name": self.name,
            "source": self.source,
            "provenance": self.provenance.record(),
            "metadata": None if self.metadata is None else dict(self.metadata),
        }


def folder_of(home: Path) -> Path:
    """Where the weights of a home lie."""
    return home / "weights"


def register(home: Path, path: Path, name: str | None = None) -> Registered:
    """The file, entered in the registry under its own or another name if it was not there.

    Raises ModelError where it holds no weights, or contradicts what is known of its tensors.
    """
    from mebench.weights.files import load_weights

    found = load_weights(path)
    target = folder_of(home) / f"{found.digest}.pt"
    known = _read(target)
    if known is not None and target.is_file():
        return known
    provenance, source = _known_of(home, found.digest, found.state_digest, found.metadata, str(path))
    called = name or path.name
    entry = Registered(target, found.digest, found.state_digest, called, provenance, source, found.metadata)
    with adding(home):
        if path.absolute() != target.absolute():
            write_atomic(target, path.read_bytes())
        write_text_atomic(_beside(target), json.dumps(entry.record(), indent=1, ensure_ascii=False) + "\n")
    return entry


def find(home: Path, name: str) -> Registered:
    """The registered file that `name` means: its digest, the beginning of it, or what the file was called.

    Raises UnknownName where there is none, ModelError where there are several.
    """
    entries = tuple(registered(home))
    matches = [e for e in entries if _PREFIX.fullmatch(name) and e.digest.startswith(name)]
    matches = matches or [e for e in entries if e.name in (name, f"{name}.pt", f"{name}.pth")]
    if not matches:
        raise UnknownName("weights", name, [e.name for e in entries])
    if len(matches) > 1:
        listed = ", ".join(e.digest[:12] for e in matches)
        raise ModelError(f"{len(matches)} files of weights answer to {name!r}: {listed}.", "Give one of these digests.")
    return matches[0]


def registered(home: Path) -> Iterator[Registered]:
    """Every registered file that is still there, by name and digest."""
    found = (_read(path) for path in sorted(folder_of(home).glob("*.pt")))
    yield from sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.name, entry.digest))


def by_digest(home: Path, digest: str) -> Registered | None:
    """The registered file of this SHA-256; a file that somebody put into the folder under any name is entered.

    None where there is none.
    """
    target = folder_of(home) / f"{digest}.pt"
    known = _read(target)
    if known is not None and target.is_file():
        return known
    places = [p for p in (folder_of(home).iterdir() if folder_of(home).is_dir() else ()) if p.suffix in (".pt", ".pth")]
    found = next((path for path in sorted(places) if sha256_file(path) == digest), None)
    return None if found is None else register(home, found)


def provenance_by_digest(home: Path, digest: str) -> Provenance:
    """What is known of weights with this digest, whoever declares it: registered, public, or nothing."""
    entry = by_digest(home, digest)
    if entry is not None:
        return entry.provenance
    public = public_file(digest)
    return NOBODY_KNOWS if public is None else public.provenance


def _known_of(
    home: Path, digest: str, tensors: str, metadata: Mapping[str, Any] | None, where: str
) -> tuple[Provenance, str]:
    """What weights have seen, and how that is known. Tensors that are known keep what is known of them."""
    public = public_file(digest)
    if public is not None:
        return public.provenance, "public"
    twin = next((e for e in registered(home) if e.state_digest == tensors and e.provenance.known), None)
    if metadata is not None:
        said = provenance_of(metadata.get("provenance"), where)
        if twin is not None and twin.provenance != said:
            raise ModelError(
                f"{where} says it saw {said.text}; the same tensors are known as {twin.text} ({twin.digest[:12]}).",
                "Give the file that is known.",
            )
        return said, "file"
    return (NOBODY_KNOWS, "nobody") if twin is None else (twin.provenance, "tensors")


def _read(path: Path) -> Registered | None:
    """The record beside a file; None where there is none."""
    try:
        content = json.loads(_beside(path).read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(content["schema"])
        return Registered(
            path=path,
            digest=str(content["digest"]),
            state_digest=str(content["state_digest"]),
            name=str(content["name"]),
            provenance=provenance_of(content["provenance"], str(_beside(path))),
            source=str(content["source"]),
            metadata=content["metadata"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as fault:
        raise StoreError(
            f"{_beside(path)} is damaged: {fault}.", "Delete it; it is made again when the weights are next used."
        ) from fault


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


__all__ = ["SCHEMA", "Registered", "by_digest", "find", "folder_of", "provenance_by_digest", "register", "registered"]

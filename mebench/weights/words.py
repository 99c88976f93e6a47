"""A file of weights in words: what it saw, how that is known, how it was trained, what it scored on held-out stills."""

from collections.abc import Iterator, Mapping
from typing import Any

from mebench.weights.registry import Registered

_SOURCES = {
    "file": "as the file says",
    "public": "a public file, known by its SHA-256",
    "tensors": "the file says nothing; its tensors are those of a file that does",
    "nobody": "the file says nothing of itself",
}


def described(entry: Registered) -> str:
    """The lines for a person."""
    return "\n".join(_lines(entry))


def _lines(entry: Registered) -> Iterator[str]:
    yield f"weights {entry.digest[:12]}  {entry.name}  {entry.path}"
    yield f"  {entry.text} ({_SOURCES.get(entry.source, entry.source)})"
    for seen in entry.provenance.seen or ():
        people = "nobody named" if seen.subjects is None else f"{len(seen.subjects)} people"
        by = f", rendered by {seen.synthetic[0]}, seed {seen.synthetic[1]}" if seen.synthetic else ""
        yield f"  {seen.dataset}: {seen.images} images, {people}{by} [{seen.fingerprint[:8]}]"
    if entry.metadata is not None:
        yield from _trained(entry.metadata)


def _trained(said: Mapping[str, Any]) -> Iterator[str]:
    """What a file of `mebench pretrain` adds."""
    if "model" not in said:
        return
    yield f"  {said['model']} version {said['model_version']}, seed {said['seed']}"
    yield f"  classes: {', '.join(said['classes'])}"
    yield f"  inputs: {said['recipe']}"
    yield from (f"  {key}={value}" for key, value in said["parameters"].items())
    for name, reasons in said["left_out"].items():
        yield from (f"  left out of {name}: {n} {reason}" for reason, n in reasons.items())
    for name, found in said["validation"].items():
        who = "other people" if found["subject_disjoint"] else "NOT subject-disjoint"
        yield f"  held out, {name}: {found['stills']} stills, {who}: UF1 {found['uf1']:.3f}, UAR {found['uar']:.3f}"


__all__ = ["described"]

"""A run's manifest as it is read: of the form that its uses rely on, and what was written.

The manifest carries a digest over all that decides a row of the leaderboard, so that damage to a label or to the name
of a clip is seen and not counted. Manifests older than the digest have none and are checked for their form alone.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mebench.clips import canonical_json
from mebench.errors import RunError
from mebench.json_files import read_json

SCHEMA = "mebench.run/1"
DIGEST = "digest"
_UNSEALED = frozenset({DIGEST, "environment", "command", "asked"})
"""What is printed and decides no score."""

_AGAIN = "Repeat the run with --fresh, or delete its folder."
_Check = Callable[[Any], bool]


class Manifest(dict[str, Any]):
    """The values of a manifest; RunError for a key that it does not have."""

    def __init__(self, values: Mapping[str, Any], path: Path) -> None:
        super().__init__(values)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise _refused(self.path, f"it does not say {key!r}")

    def __reduce__(self) -> tuple[type["Manifest"], tuple[dict[str, Any], Path]]:
        return (type(self), (dict(self), self.path))


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a manifest with their digest."""
    return {**values, DIGEST: _digest(values)}


def read_manifest(path: Path) -> Manifest:
    """The manifest in `<id>/seed-<n>/manifest.json`; RunError where it is damaged or belongs to another folder."""
    try:
        values = read_json(path)
    except OSError as fault:
        raise RunError(f"{path} cannot be read: {fault.strerror}.", _AGAIN) from fault
    except ValueError as fault:
        raise _refused(path, str(fault)) from fault
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise RunError(f"{path} is not a manifest of {SCHEMA}.", _AGAIN)
    fault_in_form = misfit(values, _NEEDED)
    if fault_in_form:
        raise _refused(path, f"{fault_in_form!r} is missing or of the wrong kind")
    if values.get(DIGEST, _digest(values)) != _digest(values):
        raise _refused(path, "it is not what was written")
    if (path.parent.parent.name, path.parent.name) != (values["id"], f"seed-{values['seed']}"):
        raise _refused(path, f"it is that of seed {values['seed']} of run {values['id']}")
    spec = {**values["spec"], "facts": Manifest(values["spec"]["facts"], path)}
    return Manifest({**values, "spec": Manifest(spec, path)}, path)


def misfit(values: Mapping[str, Any], needed: frozenset[str] = frozenset({"spec"})) -> str:
    """The first key of a manifest, or of its spec, that is lacking or of the wrong kind; an empty text for none."""
    return _fault(values, _KINDS, needed) or _fault(values["spec"], _SPEC, frozenset(_SPEC))


def _digest(values: Mapping[str, Any]) -> str:
    """SHA-256 over what decides a row; values are compared as JSON holds them."""
    kept = {key: value for key, value in values.items() if key not in _UNSEALED}
    return hashlib.sha256(canonical_json(kept).encode("utf-8", "surrogatepass")).hexdigest()


def _refused(path: Path, why: str) -> RunError:
    return RunError(f"{path} is damaged: {why.rstrip('.')}.", _AGAIN)


def _fault(values: Mapping[str, Any], kinds: Mapping[str, _Check], needed: frozenset[str]) -> str:
    """The first key that is lacking or of another kind; an empty text where all are right."""
    lacking = sorted(needed - values.keys())
    return next(iter(lacking), "") or next((k for k, fits in kinds.items() if k in values and not fits(values[k])), "")


def _of(*kinds: type) -> _Check:
    """A check for a value of one of these types; true and false are no numbers."""
    return lambda value: isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _is_count(value: Any) -> bool:
    return _of(int)(value) and 0 <= value < 2**63


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_map(fits: _Check) -> _Check:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def _is_folds(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(fold, dict)
        and isinstance(fold.get("id"), str)
        and _is_count(fold.get("train"))
        and _is_texts(fold.get("test"))
        for fold in value
    )


_text, _texts_by_name = _of(str), _is_map(_of(str))
_FACTS: dict[str, _Check] = {
    "title": _text,
    "source": _text,
    "fidelity": lambda value: value in ("A", "B", "C", "D", None),
    "privilege": lambda value: value in ("none", "interval", "apex", "aus"),
}
_SPEC: dict[str, _Check] = {
    "protocol": _text,
    "protocol_digest": _text,
    "fingerprints": _texts_by_name,
    "model": _text,
    "model_version": _of(int),
    "model_digest": _of(str, type(None)),
    "parameters": _of(dict),
    "recipe": _text,
    "input_key": _text,
    "selection": _text,
    "weights": _texts_by_name,
    "partial": _of(bool),
    "facts": lambda value: isinstance(value, dict) and not _fault(value, _FACTS, frozenset()),
}
_NEEDED = frozenset({"id", "seed", "spec", "environment", "folds", "truth", "classes"})
_KINDS: dict[str, _Check] = {
    "id": _text,
    "seed": _is_count,
    "spec": _of(dict),
    "environment": _texts_by_name,
    "folds": _is_folds,
    "truth": _texts_by_name,
    "classes": _is_texts,
    "subjects": _texts_by_name,
    "annotations": _texts_by_name,
    "synthetic": _of(bool),
    "protocol_version": _of(int),
    "subject_independent": _of(bool),
    "task": _text,
    "aggregate": lambda value: value in ("pooled", "directions", "units"),
    "command": _text,
    "missing": _texts_by_name,
    "flags": _is_map(_is_texts),
    "asked": _is_map(_of(str, type(None))),
}

__all__ = ["SCHEMA", "Manifest", "misfit", "read_manifest", "sealed"]

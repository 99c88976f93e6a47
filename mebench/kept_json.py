"""JSON files that say whether they are as they were written: each carries a digest of what it holds."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mebench.clips import canonical_json
from mebench.errors import RunError
from mebench.files import write_text_atomic
from mebench.json_files import read_json

_DIGEST = "digest"


def keep_json(path: Path, schema: str, values: Mapping[str, Any]) -> None:
    """Puts the values into the file with schema and digest, whole or not at all."""
    content = {**json.loads(json.dumps(dict(values), default=dict)), "schema": schema}
    sealed = {**content, _DIGEST: _digest_of(content)}
    write_text_atomic(path, json.dumps(sealed, indent=1, ensure_ascii=False) + "\n")


def read_kept(path: Path, schema: str, fix: str) -> dict[str, Any]:
    """The values in the file; RunError, with `fix` to do about it, where they are not those that were put there."""
    try:
        content = read_json(path)
        digest = content.pop(_DIGEST)
        if content.pop("schema") != schema:
            raise ValueError(f"it is no {schema}")
        if digest != _digest_of({**content, "schema": schema}):
            raise ValueError("it is not what was written")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise RunError(f"{path} is damaged: {fault}.", fix) from fault
    return dict(content)


def _digest_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(dict(content)).encode()).hexdigest()


__all__ = ["keep_json", "read_kept"]

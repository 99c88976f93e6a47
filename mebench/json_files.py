"""JSON read from disk: whatever is wrong with its text is one kind of exception."""

import json
from pathlib import Path
from typing import Any

LARGEST = 64 * 2**20
"""Bytes; the largest file mebench writes as JSON, the manifest of a run over 20,000 clips, has a tenth of it."""


def read_json(path: Path, largest: int = LARGEST) -> Any:
    """The value in the file.

    Raises OSError where it cannot be read, ValueError where it is too large or no JSON: cut off, of another encoding,
    nested beyond reason, with numbers of thousands of digits.
    """
    with path.open("rb") as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest:,} bytes")
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError as fault:
        raise ValueError("it is nested too deeply") from fault


__all__ = ["LARGEST", "read_json"]

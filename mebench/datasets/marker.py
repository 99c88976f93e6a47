"""The marker file that says of a corpus that it is synthetic."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mebench.clips import Clip, SyntheticMark, mark_record
from mebench.errors import AnnotationError, CountError
from mebench.json_files import read_json

MARKER = "mebench-synthetic.json"
SCHEMA = "mebench.synthetic/1"
LARGEST = 1_000_000  # bytes; a marker has a few hundred

_KINDS: dict[str, type] = {
    "generator": str,
    "tier": str,
    "seed": int,
    "clips": int,
    "subjects": int,
    "per_emotion": dict,
    "settings": dict,
}


def read_marker(root: Path) -> SyntheticMark | None:
    """The mark of the folder, None where there is no marker file.

    Raises `AnnotationError` where the file is there and unreadable: a damaged marker must not turn a synthetic corpus
    into a real one.
    """
    path = root / MARKER
    try:
        if not path.exists():
            return None
        values = read_json(path, LARGEST)
    except (OSError, ValueError) as error:
        raise _damaged(path, f"it cannot be read ({type(error).__name__})") from error
    return _mark(path, values)


def write_marker(root: Path, mark: SyntheticMark) -> None:
    """Writes the marker file of a synthetic corpus; equal marks give equal bytes."""
    record = {"schema": SCHEMA} | mark_record(mark)
    (root / MARKER).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def find_marker(annotation: Path, root: Path) -> SyntheticMark | None:
    """The mark nearest to an annotation file or folder: looked for from there upwards, to two folders above the root.

    A user may name the corpus, a folder above it, a folder inside it or the workbook itself; whichever it is, a
    synthetic corpus has to be known as one.
    """
    start, top = annotation.absolute(), root.absolute()
    above = [top, *top.parents][:3]
    inside = [folder for folder in (start, *start.parents) if top in folder.parents]
    for folder in [*inside, *above]:
        if folder.is_dir() and (mark := read_marker(folder)):
            return mark
    return None


def check_mark(mark: SyntheticMark, clips: Iterable[Clip], root: Path) -> None:
    """Raises `CountError` where the clips are not those that the marker counts."""
    table = tuple(clips)
    found = (len(table), len({c.subject for c in table}), dict(Counter(c.emotion for c in table)))
    marked = (mark.clips, mark.subjects, {k: n for k, n in mark.per_emotion.items() if n})
    for what, here, there in zip(("clips", "subjects", "clips per emotion"), found, marked, strict=True):
        if here != there:
            raise CountError(
                f"{root}: the annotation holds {here} {what}, the marker {MARKER} says {there}.",
                "Write the synthetic corpus again; a marker and an annotation that differ belong to different corpora.",
            )


def _mark(path: Path, values: Any) -> SyntheticMark:
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise _damaged(path, f"it does not say schema {SCHEMA!r}")
    for key, kind in _KINDS.items():
        if not isinstance(values.get(key), kind):
            raise _damaged(path, f"{key!r} is missing or of the wrong type")
    if not all(isinstance(n, int) for n in values["per_emotion"].values()):
        raise _damaged(path, "'per_emotion' holds something else than counts")
    return SyntheticMark(**{key: values[key] for key in _KINDS})


def _damaged(path: Path, why: str) -> AnnotationError:
    return AnnotationError(f"{path} is damaged: {why}.", "Write the synthetic corpus again.")


__all__ = ["MARKER", "check_mark", "find_marker", "read_marker", "write_marker"]

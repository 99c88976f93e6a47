"""Which corpora a command works on: folders named on the command line, else those prepared under the home."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mebench import plugins
from mebench.clips import ClipTable
from mebench.errors import DataError, UsageError

if TYPE_CHECKING:
    from mebench.datasets.base import Dataset
    from mebench.protocol import Protocol


def dataset(name: str) -> "Dataset":
    """The reader of this corpus."""
    found: Dataset = plugins.load("dataset", name)
    return found


def load_clips(name: str, data: Path | str, *, annotation: str | None = None, corrections: bool = True) -> ClipTable:
    """The clips of a corpus from its annotation alone; no frame is opened.

    `data` is the corpus folder or its workbook; `annotation` picks a release where several lie there.
    """
    return dataset(name).load(Path(data), annotation=annotation, corrections=corrections)


def parse_pairs(option: str, pairs: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` arguments of an option as a mapping; raises UsageError where one has no `=` or repeats a key."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (equals and key and value):
            raise UsageError(f"{option} {pair!r} has no KEY=VALUE form.", f"Write {option} KEY=VALUE.")
        if key in found:
            raise UsageError(f"{option} gives {key!r} twice.", "Give it once.")
        found[key] = value
    return found


def given_tables(data: Mapping[str, str], annotations: Mapping[str, str], *, corrections: bool) -> dict[str, ClipTable]:
    """The clips of every corpus named by `--data DATASET=DIR`."""
    for name in annotations:
        if name not in data:
            raise UsageError(f"--annotation names {name!r}, but no --data {name}=DIR is given.", "Give its folder too.")
    return {
        name: load_clips(name, Path(folder), annotation=annotations.get(name), corrections=corrections)
        for name, folder in data.items()
    }


def unavailable(protocol: "Protocol", home: Path, given: Mapping[str, ClipTable]) -> DataError | None:
    """What to say where a corpus of the protocol is neither given nor prepared under the home; None where all are."""
    from mebench.prepare import registered

    prepared = registered(home)
    missing = [name for name in protocol.datasets if name not in given and name not in prepared]
    if not missing:
        return None
    return DataError(
        f"{protocol.name} needs {' and '.join(missing)}, not prepared under {home}.",
        f"Run mebench prepare {missing[0]} --data DIR first, or give --data {missing[0]}=DIR.",
    )


def tables_for(protocol: "Protocol", home: Path, given: Mapping[str, ClipTable]) -> dict[str, ClipTable]:
    """One table per corpus of the protocol: those given, else those prepared under the home."""
    from mebench.prepare import load_registered

    return {name: given[name] if name in given else load_registered(home, name) for name in protocol.datasets}

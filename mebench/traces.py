"""Where a home still names a corpus, or a person in it.

A home holds derived data in places of a known form:

    store/<dataset>/<subject>/          face crops and landmarks: found by path, and by the clip's id in the file
    inputs/<recipe>/<dataset>/<subject>/    what models are given: found by path
    runs/<protocol>/<model>/<id>/       everything that a run wrote, its explanations included: one unit
    corpora/<dataset>.json              the registration, which lists the clips
    ledger/                             counts of configurations: what names the target there is reduced to the count

Whatever else lies there is searched for clip ids in its name and in its bytes. The corpora themselves are never
searched, nor is a home inside this one: the demonstration's, whose people are rendered.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

from mebench.datasets.marker import MARKER
from mebench.errors import DataError
from mebench.json_files import read_json
from mebench.occupancy import LOCK
from mebench.runs import WITHDRAWN

Area = Literal["store", "inputs", "ledger", "runs", "other files", "registration"]
_AREAS = ("store", "inputs", "runs", "corpora", "ledger")
_CHUNK = 1 << 20
_LONGEST = 512
"""Bytes of a chunk that are read again with the next, so that no name is cut in two; an id is far shorter."""
_SLASH = rb"(?:/|\\{1,2}|__|%2[Ff])"
"""How ids are written in texts, in JSON, in file names and in addresses."""


@dataclass(frozen=True)
class Target:
    """What is to be forgotten: a corpus, or one person in it.

    `datasets` are those that show the person: modalities of one corpus film the same people.
    """

    dataset: str
    subject: str | None = None
    datasets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`casme2`, or `casme2/sub01`."""
        return self.dataset if self.subject is None else f"{self.dataset}/{self.subject}"

    @property
    def shown_in(self) -> tuple[str, ...]:
        """The datasets whose files are searched."""
        return self.datasets or (self.dataset,)

    def names_clip(self, clip: str) -> bool:
        """Whether a clip id is of this corpus or person."""
        dataset, _, rest = clip.partition("/")
        return dataset in self.shown_in and self.subject in (None, rest.partition("/")[0])

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """A clip or subject id of this corpus or person, wherever it stands in a file's bytes or name."""
        datasets = b"|".join(re.escape(name.encode()) for name in sorted(self.shown_in, key=len, reverse=True))
        start = rb"(?<![\w.])(?:" + datasets + rb")"
        if self.subject is not None:
            return re.compile(start + _SLASH + re.escape(self.subject.encode()) + rb"(?![0-9A-Za-z])")
        # A corpus is named by clip ids, not by the folder it was read from: /data/casme2/... is no id.
        clip = rb"(?<![/\\])" + start + (_SLASH + rb"[\w.@-]+?") * 2 + rb"(?![\w.@-])"
        return re.compile(clip + rb'|"dataset": ?"(?:' + datasets + rb')"')


@dataclass(frozen=True, slots=True)
class Trace:
    """A file or folder that has to go, or where `rewrite` says so, to lose what it says of the target."""

    area: Area
    path: Path
    files: int
    size: int
    rewrite: bool = False


def find_traces(home: Path, target: Target, corpora: Collection[Path] = ()) -> tuple[Trace, ...]:
    """Everything under the home that names the target, the registration last.

    `corpora` are folders of corpora, which are not searched. Raises DataError for a place that lies behind a link.
    """
    return (
        *_by_path(home, target),
        *_counted(home, target),
        *_runs(home, target),
        *_others(home, target, corpora),
        *_registered(home, target),
    )


def mentions(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Whether the pattern occurs in a file's bytes, or in a zip file's members; a file that vanished says nothing."""
    try:
        with path.open("rb") as stream:
            if _occurs(stream, pattern):
                return True
        return zipfile.is_zipfile(path) and _packed(path, pattern)
    except FileNotFoundError:
        return False


def _packed(path: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    if _occurs(stream, pattern):
                        return True
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        return False  # damaged or encrypted: it says nothing to anybody who has no more than we
    return False


def _occurs(stream: IO[bytes], pattern: re.Pattern[bytes]) -> bool:
    kept = b""
    while chunk := stream.read(_CHUNK):
        if pattern.search(kept + chunk):
            return True
        kept = chunk[-_LONGEST:]
    return False


def _by_path(home: Path, target: Target) -> Iterator[Trace]:
    """Folders of the target in the store and among the inputs, and stray files there that name it."""
    places: list[tuple[Area, Path]] = [("store", home / "store")]
    places += [("inputs", folder) for folder in _folders(home / "inputs")]
    for area, place in places:
        gone = []
        for dataset in target.shown_in:
            folder = place / dataset if target.subject is None else place / dataset / target.subject
            if os.path.lexists(folder):
                gone.append(folder)
                yield _trace(area, folder)
        for file in _files(place, gone):
            if file.suffix != ".npy" and _file_names(file, target):  # arrays have no room for a name
                yield _trace(area, file)


def _runs(home: Path, target: Target) -> Iterator[Trace]:
    """Runs that used the target: models trained on it made every prediction, so the whole folder is one trace."""
    for protocol in _folders(home / "runs"):
        for model in _folders(protocol):
            for run in _folders(model):
                if run.suffix == WITHDRAWN or _run_used(run, target):
                    yield _trace("runs", run)
    for file in _files(home / "runs", [*_runs_of(home)]):
        if _file_names(file, target):
            yield _trace("runs", file)


def _runs_of(home: Path) -> Iterator[Path]:
    return (p for p in (home / "runs").glob("*/*/*") if p.is_dir())


def _run_used(run: Path, target: Target) -> bool:
    """Whether clips of the target were trained on or tested, as the manifests and, for certainty, all files say."""
    for file in _files(run):
        manifest = _manifest(file) if file.name == "manifest.json" else None
        if manifest is None:
            if _file_names(file, target):
                return True
        elif _manifest_names(manifest, target):
            return True
    return False


def _manifest(path: Path) -> dict[str, Any] | None:
    """A manifest as far as it says what was used; None for a damaged one, which is searched like any file."""
    try:
        content = read_json(path)
        told = [content["spec"]["fingerprints"], *(content.get(key) or {} for key in _NAMING)]
        return dict(content) if all(isinstance(one, dict) for one in told) and content["truth"] else None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


_NAMING = ("truth", "subjects", "missing", "flags")
"""What of a manifest names clips."""


def _manifest_names(manifest: dict[str, Any], target: Target) -> bool:
    """By what was used: the command in it may well name another corpus that lay at hand."""
    clips = {clip for key in _NAMING for clip in manifest.get(key) or {}}
    people = (manifest.get("subjects") or {}).values()
    used = target.subject is None and target.dataset in manifest["spec"]["fingerprints"]
    return used or any(map(target.names_clip, clips)) or any(map(target.names_clip, map(str, people)))


def _others(home: Path, target: Target, corpora: Collection[Path]) -> Iterator[Trace]:
    """Files elsewhere under the home that name the target: pages, bundles, pictures somebody put there."""
    roots = {root.resolve() for root in corpora}
    inner = [home / "demo"] if (home / "demo" / "corpora").is_dir() else []
    skip = [*inner, *(home / area for area in _AREAS), home / LOCK]
    for file in _files(home, skip, roots):
        if _file_names(file, target):
            yield _trace("other files", file)


def _counted(home: Path, target: Target) -> Iterator[Trace]:
    for entry in _files(home / "ledger"):
        if _file_names(entry, target):
            yield Trace("ledger", entry, 1, entry.stat().st_size, rewrite=True)


def _registered(home: Path, target: Target) -> Iterator[Trace]:
    for dataset in target.shown_in:
        path = home / "corpora" / f"{dataset}.json"
        if path.is_file() and (target.subject is None or mentions(path, target.pattern)):
            yield Trace("registration", path, 1, path.stat().st_size, rewrite=target.subject is not None)
    for path in (home / "corpora").glob(".*.tmp"):
        if mentions(path, target.pattern):
            yield _trace("registration", path)


def _file_names(path: Path, target: Target) -> bool:
    if target.pattern.search(os.fsencode(path.name)):
        return True
    return _attributes_name(path, target) if path.suffix == ".h5" else mentions(path, target.pattern)


def _attributes_name(path: Path, target: Target) -> bool:
    """Whether the clip's id in an HDF5 file is of the target; a file that cannot be opened is searched like any."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return any(isinstance(v, str) and target.pattern.search(v.encode()) for v in file.attrs.values())
    except OSError:
        return mentions(path, target.pattern)


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def _files(place: Path, skip: Collection[Path] = (), roots: Collection[Path] = ()) -> Iterator[Path]:
    """Files below a folder, sorted, without those below a skipped folder or a corpus; links are not followed."""
    unwanted = set(skip)
    for folder, folders, files in os.walk(place):
        here = Path(folder)
        if MARKER in files:
            folders.clear()
            continue
        folders[:] = sorted(
            n for n in folders if here / n not in unwanted and not (roots and _is_root(here / n, roots))
        )
        yield from (
            here / name for name in sorted(files) if here / name not in unwanted and not (here / name).is_symlink()
        )


def _is_root(folder: Path, roots: Collection[Path]) -> bool:
    return folder.resolve() in roots


def _trace(area: Area, path: Path) -> Trace:
    if path.is_symlink():
        raise DataError(
            f"{path} is a link to another place, and nothing is removed through a link.",
            "Remove what it points to and the link, then give this command again.",
        )
    held = [path] if path.is_file() else [Path(f) / name for f, _, names in os.walk(path) for name in names]
    return Trace(area, path, len(held), sum(file.lstat().st_size for file in held))

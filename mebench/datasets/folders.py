"""Clip folders on disk: found by name at any nesting, listed frame by frame, never outside the root."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.errors import AnnotationError, DataError, FrameError

FRAME_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
DEEPEST = 9  # SMIC-E below a folder that holds all corpora has eight levels
MOST_FOLDERS = 50_000  # the whole of every corpus known, unpacked side by side, has under 20,000

_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class FrameFolder:
    """The frames of one clip.

    `frames` holds number and file name, sorted by number; the number is the last integer of the file's stem. Where
    two files bear one number the first by name stands in `frames`, the others in `duplicates`. `strays` are files
    that are no frames.
    """

    path: Path
    frames: tuple[tuple[int, str], ...]
    variant: str
    duplicates: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()

    def file(self, number: int) -> Path | None:
        """The path of a frame by its number."""
        return next((self.path / name for n, name in self.frames if n == number), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a corpus lays out its clip folders.

    `folder` matches the name of a clip folder. `key` turns the path's parts (the root's own name first, the clip
    folder's last) into (clip id, variant), or None for a folder that is no clip of the corpus. `variants` lists the
    variants in order of preference; those in `whole` hold more than onset to offset. `sizes` gives (width, height)
    where it is known.
    """

    folder: re.Pattern[str]
    key: Callable[[Sequence[str]], tuple[str, str] | None]
    variants: tuple[str, ...]
    whole: frozenset[str]
    sizes: Mapping[str, tuple[int, int]]


Tree = Mapping[str, Mapping[str, tuple[Path, ...]]]
"""Variant -> case-folded clip id -> folders."""


def scan(root: Path, layout: Layout) -> Tree:
    """Every clip folder below the root by variant and case-folded clip id.

    Raises `FrameError` for a folder that is a link leading out of the root, `AnnotationError` where the root cannot
    be read.
    """
    if not root.is_dir():
        return {}
    tree: dict[str, dict[str, tuple[Path, ...]]] = {}
    base = root.absolute()
    for path in walk(base, stop=layout.folder):
        if layout.folder.fullmatch(path.name) is None:
            continue
        found = layout.key((base.name, *path.relative_to(base).parts))
        if found is not None:
            clips = tree.setdefault(found[1], {})
            clips[found[0].casefold()] = (*clips.get(found[0].casefold(), ()), path)
    return tree


def walk(root: Path, stop: re.Pattern[str], deepest: int = DEEPEST, *, refuse_links: bool = True) -> Iterator[Path]:
    """Every folder below the root, sorted; not below those whose name matches `stop`, nor through links that lead
    out.
    """
    inside = root.resolve()
    visited = 0
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        children = [Path(entry.path) for entry in entries(folder) if entry.is_dir()]
        visited += len(children)
        if visited > MOST_FOLDERS:
            raise AnnotationError(
                f"{root} holds more than {MOST_FOLDERS:,} folders.", "Give the folder of the corpus itself as --data."
            )
        for child in children:
            if child.is_symlink() and not _within(child, inside):
                if refuse_links:
                    raise _leads_out(child, root)
                continue
            yield child
            if depth + 1 < deepest and stop.fullmatch(child.name) is None:
                pending.append((child, depth + 1))


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """The folder's entries sorted by name; raises `AnnotationError` where it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise AnnotationError(
            f"{folder} cannot be read: {error.strerror}.", "Check that --data names a folder you may read."
        ) from error


def list_frames(folder: Path, variant: str, root: Path) -> FrameFolder:
    """The frames of a folder; raises `FrameError` where a frame is a link that leads out of the root."""
    inside = root.resolve()
    frames: dict[int, str] = {}
    duplicates, strays = [], []
    for entry in entries(folder):
        number = frame_number(entry.name)
        if entry.is_symlink() and not _within(Path(entry.path), inside):
            raise _leads_out(Path(entry.path), root)
        if number is None or not entry.is_file():
            strays.append(entry.name)
        elif number in frames:
            duplicates.append(entry.name)
        else:
            frames[number] = entry.name
    return FrameFolder(folder, tuple(sorted(frames.items())), variant, tuple(duplicates), tuple(strays))


def frame_number(name: str) -> int | None:
    """The last integer of a frame's stem; None for a file that is no frame."""
    stem, suffix = os.path.splitext(name)
    numbers = _NUMBER.findall(stem)
    if suffix.casefold() not in FRAME_SUFFIXES or not numbers or len(numbers[-1]) > 12:
        return None
    return int(numbers[-1])


def choose(
    tree: Tree, layout: Layout, clips: Mapping[str, str], root: Path, variant: str | None
) -> dict[str, FrameFolder]:
    """The folder of each clip in one variant; `clips` maps case-folded ids to ids.

    Without a variant, the one that holds most of the clips; among equals the one the layout prefers. Raises
    `FrameError` where the variant is not there or two folders claim one clip.
    """
    if variant is None:
        held = {name: len(clips.keys() & tree.get(name, {}).keys()) for name in layout.variants}
        variant = max(layout.variants, key=lambda name: held[name])
    elif variant not in tree:
        there = ", ".join(name for name in layout.variants if name in tree) or "none"
        raise FrameError(
            f"{root} holds no variant {variant!r} of the frames (it holds: {there}).",
            f"Choose one that is there; known variants: {', '.join(layout.variants)}.",
        )
    folders = (
        (clips[key], _only(paths, variant, root)) for key, paths in tree.get(variant, {}).items() if key in clips
    )
    return dict(sorted(folders))


def nearest(parts: Sequence[str], kinds: Mapping[str, re.Pattern[str]], default: str) -> str:
    """The kind that the folder names state, read from the clip upwards: the first name that states one decides.

    Within one name the first of `kinds` that matches; names further up may speak of other things
    (`raw_data/Cropped/...`).
    """
    stated = (kind for part in reversed(parts) for kind, pattern in kinds.items() if pattern.search(part))
    return next(stated, default)


def _only(paths: Sequence[Path], variant: str, root: Path) -> FrameFolder:
    """The one of the folders that has frames; where none has, the first."""
    listed = [list_frames(path, variant, root) for path in paths]
    filled = [folder for folder in listed if folder.frames]
    if len(filled) > 1:
        raise FrameError(
            f"Two folders hold the same clip: {filled[0].path} and {filled[1].path}.",
            "Remove one copy, or give the folder that holds the right one as --data.",
        )
    return (filled or listed)[0]


def _within(path: Path, inside: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(inside)
    except (OSError, RuntimeError):  # a dangling or circular link
        return False


def _leads_out(path: Path, root: Path) -> DataError:
    return FrameError(
        f"{path} is a link that leads out of {root} or nowhere.",
        "Copy the files into the corpus folder, or give the folder the link leads to as --data.",
    )


__all__ = [
    "FrameFolder",
    "Layout",
    "Tree",
    "choose",
    "entries",
    "frame_number",
    "list_frames",
    "nearest",
    "scan",
    "walk",
]

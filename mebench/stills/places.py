"""Where the parts of a corpus lie below the folder a user named."""

from collections.abc import Iterator, Sequence
from pathlib import Path

_DEPTH = 3
"""Folders between the one named and the one meant: archives nest what they hold."""


def find_folder(root: Path, names: Sequence[str]) -> Path | None:
    """The folder of one of these names nearest to the root, itself included; None where none is near."""
    wanted = {name.casefold() for name in names}
    return next((folder for folder in _folders(root) if folder.name.casefold() in wanted), None)


def find_file(root: Path, names: Sequence[str]) -> Path | None:
    """The file of one of these names, the root itself or nearest below it; None where none is near."""
    wanted = {name.casefold() for name in names}
    if root.is_file():
        return root if root.name.casefold() in wanted else None
    files = (path for folder in _folders(root) for path in sorted(folder.iterdir()) if path.is_file())
    return next((path for path in files if path.name.casefold() in wanted), None)


def _folders(root: Path) -> Iterator[Path]:
    """The root and the folders below it, level by level; hidden ones left out."""
    level = [root] if root.is_dir() else []
    for _ in range(_DEPTH + 1):
        yield from level
        inside = [path for folder in level for path in sorted(folder.iterdir())]
        level = [path for path in inside if not path.name.startswith(".") and path.is_dir()]


__all__ = ["find_file", "find_folder"]

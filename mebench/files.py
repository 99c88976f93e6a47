"""Files that are either wholly there or not there at all.

A file is written under a temporary name in its own folder, flushed to the disk, renamed over the target, and the folder
is flushed too. A process killed at any instant leaves the old file or the new one; what it leaves aside is removed by
the next `remove_leftovers`.

`MEBENCH_FAULT=point:count` makes a process kill itself the `count`-th time it passes that point. The tests use it to
show that the sentence above is true.
"""

import errno
import hashlib
import os
import re
import secrets
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mebench.errors import DataError, StoreError

_MOMENTS = ("before", "in", "after")
FAULT_POINTS = tuple(f"{moment}-{step}" for step in ("write", "fsync", "rename") for moment in _MOMENTS)
"""Where `MEBENCH_FAULT` can strike; other modules add points of their own."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SIDECAR_SUFFIX = ".sha256"
_LEFTOVER = re.compile(r"\..+\.(?P<host>[^.]*)\.(?P<pid>\d+)-[0-9a-f]{8}\.tmp")
_passes: Counter[str] = Counter()


class DiskFullError(DataError):
    """The disk, the quota or the file size limit is exhausted."""


def write_atomic(path: Path, data: bytes) -> None:
    """Put `data` into `path`, whole or not at all; missing folders are made.

    Raises `DiskFullError` where there is no room and `DataError` where writing is not allowed: the temporary file is
    removed and the old file stays.
    """
    with replace_into(path) as temporary:
        _write(temporary, data)


def write_text_atomic(path: Path, text: str) -> None:
    """Put `text` into `path` as UTF-8, whole or not at all."""
    write_atomic(path, text.encode())


@contextmanager
def replace_into(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what the caller leaves there becomes `path` when the block ends without error."""
    temporary = path.parent / f".{path.name}.{_host()}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        _make_folder(path.parent)
        yield temporary
        _commit(temporary, path)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFullError(
                f"No room left to write {path}: {os.strerror(error.errno or errno.ENOSPC)}.",
                "Free some space and give the same command again; what was finished before stays.",
            ) from error
        raise DataError(f"{path} cannot be written: {error.strerror}.", "Check who may write there.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_sealed(path: Path, data: bytes, notes: Mapping[str, str]) -> None:
    """Put `data` into `path` and, after it, its digest and `notes` into `path` + `.sha256`.

    The digest file is what makes the data count: killed between the two, the file does not verify and is made again. It
    is in the form that `sha256sum --check` reads, notes as comments.
    """
    lines = [f"# {name} {' '.join(value.split())}" for name, value in sorted(notes.items())]
    digest = hashlib.sha256(data).hexdigest()
    write_atomic(path, data)
    write_text_atomic(sidecar(path), "\n".join([*lines, f"{digest}  {path.name}", ""]))


def read_sealed(path: Path) -> tuple[bytes, dict[str, str]]:
    """The bytes of a sealed file and its notes.

    Raises `StoreError` where the file or its digest file is absent, or the bytes are not those that were written.
    """
    digest, notes = read_seal(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unsealed(path, f"cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise _unsealed(path, "is damaged: its bytes are not those that were written")
    return data, notes


def read_seal(path: Path) -> tuple[str, dict[str, str]]:
    """The digest and the notes of a sealed file, without reading the file itself; `StoreError` where there are none."""
    try:
        lines = sidecar(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise _unsealed(path, f"has no digest that can be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unsealed(path, "has a damaged digest file") from error
    notes = {name: value for name, _, value in (line[2:].partition(" ") for line in lines if line.startswith("# "))}
    digests = [line.partition("  ") for line in lines if not line.startswith("#")]
    if len(digests) != 1 or digests[0][2] != path.name:
        raise _unsealed(path, "has a damaged digest file")
    return digests[0][0], notes


def sidecar(path: Path) -> Path:
    """Where the digest of a sealed file lies."""
    return path.with_name(path.name + _SIDECAR_SUFFIX)


def remove(path: Path) -> None:
    """Nothing; the file, or the folder with all that is in it, is gone and stays gone: the folder above is flushed.

    Links are removed, never followed. Raises DataError where something cannot be removed.
    """
    try:
        _remove(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise DataError(
            f"{error.filename or path} cannot be removed: {error.strerror}.", "Check who may write there."
        ) from error


def remove_leftovers(folder: Path) -> int:
    """How many temporary files of dead processes of this machine were removed below `folder`."""
    removed = 0
    for path in folder.rglob(".*.tmp"):
        match = _LEFTOVER.fullmatch(path.name)
        if match and match["host"] == _host() and not _alive(int(match["pid"])):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def fault_point(name: str) -> None:
    """Nothing; but the process kills itself where `MEBENCH_FAULT` names this point and the count is reached."""
    if _strikes(name):
        os.kill(os.getpid(), signal.SIGKILL)


def _strikes(name: str) -> bool:
    point, _, count = os.environ.get("MEBENCH_FAULT", "").partition(":")
    if point != name:
        return False
    _passes[name] += 1
    return _passes[name] == int(count or 1)


def _fault_meanwhile(name: str) -> None:
    """Like `fault_point`, but the blow falls from another thread while the caller goes on into a system call."""
    if _strikes(name):
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGKILL), daemon=True).start()


def _write(temporary: Path, data: bytes) -> None:
    half = len(data) // 2
    with temporary.open("xb") as stream:
        fault_point("before-write")
        stream.write(data[:half])
        stream.flush()
        fault_point("in-write")
        stream.write(data[half:])
    fault_point("after-write")


def _commit(temporary: Path, path: Path) -> None:
    _flush(temporary)
    fault_point("before-rename")
    _fault_meanwhile("in-rename")
    temporary.replace(path)
    fault_point("after-rename")
    _flush_folder(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(path.iterdir()):
            _remove(entry)
        fault_point("before-removal")
        path.rmdir()
    else:
        fault_point("before-removal")
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fault_point("before-fsync")
        _fault_meanwhile("in-fsync")
        os.fsync(descriptor)
        fault_point("after-fsync")
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Flush the folder's entries, or a power cut could undo the rename; Windows cannot open a folder."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    """Make the folder and flush the parents that got a new entry."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _flush_folder(folder.parent)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())


def _unsealed(path: Path, what: str) -> StoreError:
    return StoreError(f"{path} {what}.", "Give the command that made it again: it is recomputed.")


__all__ = [
    "FAULT_POINTS",
    "DiskFullError",
    "fault_point",
    "read_seal",
    "read_sealed",
    "remove",
    "remove_leftovers",
    "replace_into",
    "sha256_file",
    "sidecar",
    "write_atomic",
    "write_sealed",
    "write_text_atomic",
]

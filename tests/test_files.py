"""Atomic writes and sealed files."""

import hashlib
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from mebench import files
from mebench.errors import DataError, StoreError
from mebench.files import FAULT_POINTS, read_seal, read_sealed, remove_leftovers, sidecar, write_atomic, write_sealed
from tests.killing import in_child, killed_at

OLD, NEW = b"old" * 1000, b"newer" * 1000


@pytest.mark.parametrize("point", FAULT_POINTS)
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: Path, point: str) -> None:
    path = tmp_path / "deep" / "file"
    write_atomic(path, OLD)
    assert killed_at(point, 1, lambda: write_atomic(path, NEW))
    content = path.read_bytes()
    assert content in (OLD, NEW)
    if point in ("before-write", "in-write", "after-write", "before-fsync", "after-fsync", "before-rename"):
        assert content == OLD
    if point == "after-rename":
        assert content == NEW
    remove_leftovers(tmp_path)
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_kill_at_a_later_pass_lets_the_earlier_ones_through(tmp_path: Path) -> None:
    def write_two() -> None:
        write_atomic(tmp_path / "first", NEW)
        write_atomic(tmp_path / "second", NEW)

    assert killed_at("before-rename", 2, write_two)
    assert (tmp_path / "first").read_bytes() == NEW
    assert not (tmp_path / "second").exists()
    assert not killed_at("before-rename", 3, write_two)


def test_an_error_while_writing_leaves_the_old_file_and_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, OLD)

    def fail_halfway() -> None:
        with files.replace_into(path) as temporary:
            temporary.write_bytes(NEW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert path.read_bytes() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, OLD)

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with pytest.raises(files.DiskFullError, match="No room left to write"):
            write_atomic(path, NEW)
        assert [p.name for p in tmp_path.iterdir()] == ["file"]

    assert in_child(write_too_much) == 0
    assert path.read_bytes() == OLD


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(DataError, match="cannot be written"):
        write_atomic(tmp_path / "file" / "below", NEW)


def test_leftovers_of_living_processes_and_other_files_stay(tmp_path: Path) -> None:
    host = files._host()
    ours = tmp_path / f".a.{host}.{os.getpid()}-0123abcd.tmp"
    elsewhere = tmp_path / ".a.not-this-host.1-0123abcd.tmp"
    users = tmp_path / ".notes.tmp"
    dead = tmp_path / f".a.{host}.{_dead_pid()}-0123abcd.tmp"
    for path in (ours, elsewhere, users, dead):
        path.touch()
    assert remove_leftovers(tmp_path) == 1
    assert sorted(tmp_path.iterdir()) == sorted((ours, elsewhere, users))


def test_a_sealed_file_comes_back_with_its_notes(tmp_path: Path) -> None:
    write_sealed(tmp_path / "data", NEW, {"key": "k1", "flags": "two words"})
    assert read_sealed(tmp_path / "data") == (NEW, {"key": "k1", "flags": "two words"})
    assert read_seal(tmp_path / "data")[0] == hashlib.sha256(NEW).hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils as an independent reader")
def test_the_seal_is_what_sha256sum_reads(tmp_path: Path) -> None:
    write_sealed(tmp_path / "data", NEW, {"key": "k1"})
    check = ["sha256sum", "--check", "--strict", "--quiet", "data.sha256"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "data").write_bytes(OLD)
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(NEW[:-1] + b"x"),
        lambda path: path.write_bytes(NEW[:-1]),
        lambda path: path.unlink(),
        lambda path: sidecar(path).unlink(),
        lambda path: sidecar(path).write_text(""),
        lambda path: sidecar(path).write_bytes(b"\xff\xfe"),
        lambda path: sidecar(path).write_text(sidecar(path).read_text().replace("data", "other")),
    ],
)
def test_whatever_spoils_a_sealed_file_is_seen(tmp_path: Path, spoil) -> None:
    path = tmp_path / "data"
    write_sealed(path, NEW, {})
    spoil(path)
    with pytest.raises(StoreError, match="data"):
        read_sealed(path)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("point", FAULT_POINTS)
def test_a_kill_while_sealing_never_leaves_a_wrong_file_that_verifies(tmp_path: Path, point: str, count: int) -> None:
    path = tmp_path / "data"
    write_sealed(path, OLD, {})
    assert killed_at(point, count, lambda: write_sealed(path, NEW, {}))
    try:
        assert read_sealed(path)[0] in (OLD, NEW)
    except StoreError:
        write_sealed(path, NEW, {})
        assert read_sealed(path)[0] == NEW


def _dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid

"""`mebench run` killed with -9 at chosen moments: the same command resumes and gives the same bytes."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mebench.cli import status
from mebench.files import FAULT_POINTS
from tests.corpora import write_samm
from tests.killing import heed_ctrl_c

PROTOCOL = "samm-5c-loso"
FOLDS = 27


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("corpus") / "samm"
    write_samm(root)
    return root


def run(home: Path, corpus: Path, fault: str = "") -> int:
    """The exit status of the command in a process of its own, minus the signal where it was killed at the fault."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mebench.execute"])  # loaded once, in a process without threads to fork from
    process = context.Process(target=command, args=(home, corpus, fault))
    process.start()
    process.join()
    return int(process.exitcode or 0)


def command(home: Path, corpus: Path, fault: str) -> None:
    """`mebench run`, saying nothing, killed where `MEBENCH_FAULT` would kill it."""
    os.environ["MEBENCH_FAULT"] = fault
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status(["--home", str(home), "run", "uniform", "--protocol", PROTOCOL, "--data", f"samm={corpus}"]))


def finished(home: Path) -> dict[str, tuple[int, bytes]]:
    """The folds that are on disk whole, with their inode and bytes: a fold done anew has another inode."""
    found = {}
    for path in home.glob("runs/*/*/*/seed-0/folds/*.csv"):
        if path.with_name(path.name + ".sha256").exists():
            found[path.name] = (path.stat().st_ino, path.read_bytes())
    return found


def result(home: Path) -> bytes:
    return next(home.glob("runs/*/*/*/seed-0/predictions.csv")).read_bytes()


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory) -> bytes:
    home = tmp_path_factory.mktemp("home")
    assert run(home, corpus) == 0
    return result(home)


def kill_and_resume(corpus, home, undisturbed, point: str, count: int) -> None:
    assert run(home, corpus, f"{point}:{count}") == -signal.SIGKILL
    assert not list(home.glob("runs/*/*/*/seed-0/predictions.csv")) or point.endswith("rename")
    before = finished(home)
    assert run(home, corpus) == 0
    assert result(home) == undisturbed
    after = finished(home)
    assert len(after) == FOLDS
    assert all(after[name] == kept for name, kept in before.items())


# A run writes its manifest first, then per fold predictions and digest, the ledger after the first fold.
@pytest.mark.parametrize("point", [*FAULT_POINTS, "in-fold"])
def test_killed_once_at_each_point(corpus, tmp_path, undisturbed, point):
    kill_and_resume(corpus, tmp_path, undisturbed, point, 6)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 13, 26])
@pytest.mark.parametrize("point", [*FAULT_POINTS, "in-fold"])
def test_killed_at_more_moments_of_each_point(corpus, tmp_path, undisturbed, point, count):
    kill_and_resume(corpus, tmp_path, undisturbed, point, count)


def test_a_damaged_fold_is_named_and_redone(corpus, tmp_path, undisturbed, capsys):
    assert run(tmp_path, corpus) == 0
    path = sorted(tmp_path.glob("runs/*/*/*/seed-0/folds/*.csv"))[3]
    path.write_bytes(path.read_bytes()[:-5])
    command = ["--home", str(tmp_path), "run", "uniform", "--protocol", PROTOCOL, "--data", f"samm={corpus}"]
    assert status(command) == 0
    assert "was damaged: redone" in capsys.readouterr().out
    assert result(tmp_path) == undisturbed


def test_ctrl_c_is_one_message_and_loses_nothing(corpus, tmp_path, undisturbed):
    code = (
        "import os, signal, sys; from mebench import fold_jobs; from mebench.cli import status\n"
        "whole, calls = fold_jobs.evaluate_folds, []\n"
        "def slow(*a):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 5: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return whole(*a)\n"
        "fold_jobs.evaluate_folds = slow\n"
        f"sys.exit(status(['--home', {str(tmp_path)!r}, 'run', 'uniform', '--protocol', {PROTOCOL!r}, "
        f"'--data', 'samm={corpus}']))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=heed_ctrl_c)
    assert done.returncode == 130
    assert done.stderr.splitlines()[0] == "error: Interrupted."
    assert len(done.stderr.splitlines()) == 2
    assert len(finished(tmp_path)) == 4
    assert run(tmp_path, corpus) == 0
    assert result(tmp_path) == undisturbed

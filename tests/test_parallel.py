"""Tasks in worker processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from mebench.errors import FrameError
from mebench.parallel import one_thread, run_tasks
from tests import workers
from tests.killing import heed_ctrl_c

NUMBERS = {f"n{i}": i for i in range(6)}


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_has_its_outcome(jobs: int) -> None:
    outcomes = {o.name: o.value for o in run_tasks(workers.double, NUMBERS, jobs=jobs)}
    assert outcomes == {f"n{i}": 2 * i for i in range(6)}


@pytest.mark.parametrize("jobs", [1, 2])
def test_our_errors_become_the_outcome_of_their_task_alone(jobs: int) -> None:
    outcomes = {o.name: o for o in run_tasks(workers.refuse_odd, NUMBERS, jobs=jobs)}
    assert {name for name, o in outcomes.items() if isinstance(o.error, FrameError)} == {"n1", "n3", "n5"}
    assert [outcomes[f"n{i}"].value for i in (0, 2, 4)] == [0, 2, 4]


def test_a_worker_that_dies_is_named_and_the_others_go_on() -> None:
    outcomes = {o.name: o for o in run_tasks(workers.die_at_three, NUMBERS, jobs=2)}
    assert {name for name, o in outcomes.items() if o.error} == {"n3"}
    assert "n3: the worker process died (signal 9)" in str(outcomes["n3"].error)
    assert sorted(o.value for o in outcomes.values() if o.value is not None) == [0, 1, 2, 4, 5]


def test_a_fault_of_the_program_is_raised_with_the_workers_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)n0 failed.*divide_by.*ZeroDivisionError"):
        list(run_tasks(workers.divide_by, NUMBERS, jobs=2))


def test_workers_compute_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert {o.value for o in run_tasks(workers.count_threads, {"a": 0, "b": 0}, jobs=2)} == {(1, "1")}
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_one_thread_is_given_back() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        with one_thread():
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


INTERRUPTED = """
import sys
from pathlib import Path
from mebench.parallel import run_tasks
from tests import workers
if __name__ == "__main__":
    try:
        list(run_tasks(workers.sleep_and_note, {n: Path(sys.argv[1]) / n for n in "ab"}, jobs=2))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_ctrl_c_lets_workers_tidy_up_and_leaves_none_behind(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, script, tmp_path], env=environment, start_new_session=True, preexec_fn=heed_ctrl_c
    )
    notes = [tmp_path / "a", tmp_path / "b"]
    _wait_for(lambda: all(note.is_file() and note.read_text() for note in notes))
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert all(note.with_suffix(".tidy").is_file() for note in notes)
    _wait_for(lambda: not any(Path(f"/proc/{note.read_text()}").exists() for note in notes))


def _wait_for(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)

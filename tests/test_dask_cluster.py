"""Work on a Dask cluster: equal to work done here, whoever goes away on the way."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster

from mebench import dask_cluster
from mebench.cli import status
from mebench.dask_cluster import cluster
from mebench.errors import FrameError, MebenchError, RunError
from mebench.files import read_seal
from mebench.parallel import executing, run_tasks
from tests import workers
from tests.corpora import write_samm

NUMBERS = {f"n{i}": i for i in range(6)}
PROTOCOL = "samm-5c-loso"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with two workers, as `dask scheduler` and `dask worker --nthreads 1` start them."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local:
        yield local.scheduler_address


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("corpus") / "samm"
    write_samm(root)
    return root


def say(home: Path, corpus: Path, *more: str) -> int:
    return status(
        [
            "--home",
            str(home),
            "run",
            "uniform",
            "--protocol",
            PROTOCOL,
            "--data",
            f"samm={corpus}",
            "--seeds",
            "2",
            *more,
        ]
    )


def predictions(home: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(home.glob("runs/*/*/*/seed-*/predictions.csv"))]


def test_every_task_has_its_outcome_from_another_process(scheduler, tmp_path):
    with cluster([tmp_path], scheduler) as executor, executing(executor):
        assert executor.shared
        assert {o.name: o.value for o in run_tasks(workers.double, NUMBERS, jobs=1)} == {
            f"n{i}": 2 * i for i in range(6)
        }
        assert os.getpid() not in {o.value for o in run_tasks(workers.own_process, NUMBERS, jobs=1)}
        assert {o.value for o in run_tasks(workers.count_threads, {"a": 0}, jobs=1)} == {(1, "1")}
    assert {o.value for o in run_tasks(workers.own_process, {"a": 1}, jobs=1)} == {os.getpid()}


def test_our_errors_become_outcomes_and_others_are_raised_with_their_traceback(scheduler, tmp_path):
    with cluster([tmp_path], scheduler) as executor, executing(executor):
        outcomes = {o.name: o for o in run_tasks(workers.refuse_odd, NUMBERS, jobs=1)}
        assert {name for name, o in outcomes.items() if isinstance(o.error, FrameError)} == {"n1", "n3", "n5"}
        with pytest.raises(RuntimeError, match=r"(?s)n0 failed on a worker.*divide_by.*ZeroDivisionError"):
            list(run_tasks(workers.divide_by, {"n0": 0}, jobs=1))


def test_a_task_whose_worker_is_killed_is_done_on_another_and_counted(scheduler, tmp_path):
    with cluster([tmp_path], scheduler) as executor, executing(executor):
        (outcome,) = run_tasks(workers.die_once, {"fold": tmp_path / "marker"}, jobs=1)
    assert outcome.error is None
    assert outcome.lost == 1


def test_a_task_that_kills_every_worker_is_given_up_and_named(scheduler, tmp_path):
    with cluster([tmp_path], scheduler) as executor, executing(executor):
        outcomes = {o.name: o for o in run_tasks(workers.die_always, {"bad": 1}, jobs=1)}
        assert "bad: " in str(outcomes["bad"].error)
        assert "workers went away" in str(outcomes["bad"].error)
        assert [o.value for o in run_tasks(workers.double, {"a": 2}, jobs=1)] == [4]  # the cluster goes on


def test_arrays_travel_with_their_tasks_where_the_home_is_not_shared(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "_sees", workers.never)
    arrays = {"a": np.arange(4.0), "b": np.ones(3)}
    tasks = {f"t{i}": workers.Carried(float(i), tmp_path, arrays) for i in range(4)}
    with cluster([tmp_path], scheduler) as executor, executing(executor):
        assert not executor.shared
        found = {o.name: o.value for o in run_tasks(workers.weigh, tasks, jobs=1)}
        here = [o.value for o in run_tasks(workers.own_process, {"a": 0}, jobs=1)]
    assert {name: value[:2] for name, value in found.items()} == {f"t{i}": (9.0 * i, True) for i in range(4)}
    assert os.getpid() not in {value[2] for value in found.values()}
    assert here == [os.getpid()]  # what cannot travel is done here
    assert not list(tmp_path.glob(".seen-*"))


def test_runs_on_a_cluster_equal_runs_here(scheduler, corpus, tmp_path, capsys):
    assert say(tmp_path / "here", corpus) == 0
    assert say(tmp_path / "there", corpus, "--executor", "dask", "--scheduler", scheduler) == 0
    capsys.readouterr()
    assert predictions(tmp_path / "here") == predictions(tmp_path / "there")
    assert len(predictions(tmp_path / "here")) == 2


def test_a_fold_that_lost_a_worker_says_so_beside_its_predictions(scheduler, corpus, tmp_path, capsys):
    model = tmp_path / "mine.py"
    marker = tmp_path / "marker"
    model.write_text(MORTAL.format(marker=str(marker)))
    asked = ["--home", str(tmp_path), "run", f"{model}:Mortal", "--protocol", PROTOCOL, "--data", f"samm={corpus}"]
    assert status([*asked, "--executor", "dask", "--scheduler", scheduler]) == 0
    said = capsys.readouterr().out
    assert "1 of its workers went away; it was done on another" in said
    noted = [read_seal(path)[1].get("workers-lost") for path in tmp_path.glob("runs/*/*/*/seed-0/folds/*.csv")]
    assert sum(note is not None for note in noted) == said.count("went away") >= 1
    there = predictions(tmp_path)
    again = ["--home", str(tmp_path / "here"), *asked[2:]]  # the marker is there: nothing dies
    assert status(again) == 0
    assert predictions(tmp_path / "here") == there


def test_workers_that_would_predict_otherwise_are_refused(scheduler, tmp_path, monkeypatch):
    real = dask_cluster.environment()
    monkeypatch.setattr(dask_cluster, "environment", lambda: real | {"numpy": "0.1"})
    with pytest.raises(RunError, match=r"differs: numpy .*, not 0\.1"), cluster([tmp_path], scheduler):
        pass


def test_a_worker_that_joins_later_and_differs_does_nothing(scheduler, tmp_path, monkeypatch):
    real = dask_cluster.environment()
    with cluster([tmp_path], scheduler) as executor, executing(executor):
        monkeypatch.setattr(dask_cluster, "environment", lambda: real | {"torch": "0.1"})
        (outcome,) = run_tasks(workers.double, {"a": 1}, jobs=1)
    assert isinstance(outcome.error, MebenchError)
    assert "differs: torch" in outcome.error.what
    assert outcome.value is None


def test_options_that_do_not_go_together_are_refused_in_two_lines(tmp_path, corpus, capsys):
    assert say(tmp_path, corpus, "--executor", "dask") == 2
    assert "needs the address of a scheduler" in capsys.readouterr().err
    assert say(tmp_path, corpus, "--scheduler", "tcp://127.0.0.1:1") == 2
    assert "--scheduler goes with an executor" in capsys.readouterr().err
    assert say(tmp_path, corpus, "--executor", "dusk") == 2
    assert "dask" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_said(tmp_path, corpus, capsys, monkeypatch):
    monkeypatch.setattr(dask_cluster, "ANSWER_S", 0.5)
    assert say(tmp_path, corpus, "--executor", "dask", "--scheduler", "tcp://127.0.0.1:9") == 1
    error = capsys.readouterr().err
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in error
    assert len(error.splitlines()) == 2


MORTAL = '''
import os, signal
from pathlib import Path
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Mortal(ClassifierMixin, BaseEstimator):
    """Kills the first process it is fitted in."""

    selection = "fixed"

    def fit(self, X, y):
        marker = Path({marker!r})
        if not marker.exists():
            marker.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X):
        return np.tile(np.eye(len(self.classes_))[0], (len(X), 1))
'''

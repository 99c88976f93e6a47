"""What it costs to hand folds out: per fold, to processes here and to a Dask cluster; and what a lost worker changes.

Usage: python -m benchmarks.scaling [--folds N]

Folds of a model that does next to nothing, so that all that is left is the handing out, in microseconds or
milliseconds. Then the same command with two Dask workers of which one is killed, and as two shards on one home of which
one is killed and started again: predictions must be those of a local run, byte for byte.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mebench.cli import status
from mebench.dask_cluster import cluster
from mebench.parallel import executing, run_tasks
from tests.corpora import write_samm
from tests.test_fold_states import NETWORK

PROTOCOL = "samm-5c-loso"


def main(arguments: list[str]) -> int:
    """0 once the table is printed; an assertion fails where predictions differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("--folds", type=int, default=200)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_samm(place / "samm")
        (place / "nets.py").write_text(NETWORK)
        with _scheduler() as address:
            _overhead(place, address, options.folds)
            _lost(place, address)
        _shards(place)
    return 0


def nothing(number: int) -> int:
    """A fold that is no work."""
    return number


def _overhead(place: Path, address: str, folds: int) -> None:
    tasks = {f"fold {i}": i for i in range(folds)}
    print(f"handing out {folds} folds that are no work, ms per fold")
    print(f"  in this process      {_per_task(tasks, jobs=1):8.3f}")
    print(f"  two processes        {_per_task(tasks, jobs=2):8.3f}   (starting them included)")
    with cluster([place], address) as executor, executing(executor):
        print(f"  two Dask workers     {_per_task(tasks, jobs=1):8.3f}")


def _per_task(tasks: dict[str, int], *, jobs: int) -> float:
    started = time.perf_counter()
    found = {outcome.value for outcome in run_tasks(nothing, tasks, jobs=jobs)}
    assert found == set(tasks.values())
    return (time.perf_counter() - started) * 1000 / len(tasks)


def _lost(place: Path, address: str) -> None:
    """A run on two Dask workers, one of which is killed while it holds a fold."""
    here, here_s = _timed(place / "here", place)
    process = multiprocessing.get_context("spawn").Process(
        target=_say, args=(place / "there", place, "--executor", "dask", "--scheduler", address)
    )
    started = time.perf_counter()
    process.start()
    while len(list((place / "there").glob("runs/*/*/*/seed-0/folds/*.csv"))) < 5:
        time.sleep(0.01)
    os.kill(_a_worker(place, address), signal.SIGKILL)
    process.join()
    there_s = time.perf_counter() - started
    assert process.exitcode == 0
    assert _predictions(place / "there") == here
    noted = sum("workers-lost" in p.read_text() for p in (place / "there").glob("runs/*/*/*/seed-0/folds/*.sha256"))
    print(f"27 folds of a small network: here {here_s:.1f} s; on two Dask workers, one killed, {there_s:.1f} s:")
    print(f"  predictions equal, byte for byte; {noted} folds say that they lost a worker")


def _a_worker(place: Path, address: str) -> int:
    with cluster([place], address) as executor:
        return int(next(iter(executor.client.run(os.getpid).values())))


def _shards(place: Path) -> None:
    """Two shards on one home at the same time, one of which is killed and started again."""
    here = _predictions(place / "here")
    home = place / "shards"
    context = multiprocessing.get_context("spawn")
    shards = [context.Process(target=_say, args=(home, place, "--shard", f"{i}/2")) for i in (1, 2)]
    for process in shards:
        process.start()
    while len(list(home.glob("runs/*/*/*/seed-0/folds/*.csv"))) < 6:
        time.sleep(0.01)
    shards[1].kill()
    shards[1].join()
    done = {path: path.stat().st_ino for path in home.glob("runs/*/*/*/seed-0/folds/*.csv.sha256")}
    again = context.Process(target=_say, args=(home, place, "--shard", "2/2"))
    again.start()
    again.join()
    shards[0].join()
    assert again.exitcode == 0
    assert _predictions(home) == here
    beyond = sum(path.stat().st_ino != inode for path, inode in done.items())
    print(
        f"two shards on one home, one killed and started again: predictions equal, {beyond} finished folds fitted again"
    )


def _timed(home: Path, place: Path) -> tuple[bytes, float]:
    started = time.perf_counter()
    assert _status(home, place) == 0
    return _predictions(home), time.perf_counter() - started


def _say(home: Path, place: Path, *more: str) -> None:
    sys.exit(_status(home, place, *more))


def _status(home: Path, place: Path, *more: str) -> int:
    asked = ["run", f"{place / 'nets.py'}:Net", "--protocol", PROTOCOL, "--data", f"samm={place / 'samm'}"]
    with contextlib.redirect_stdout(io.StringIO()):
        return status(["--home", str(home), *asked, "--set", "epochs=60", "--jobs", "1", *more])


def _predictions(home: Path) -> bytes:
    return next(home.glob("runs/*/*/*/seed-0/predictions.csv")).read_bytes()


@contextmanager
def _scheduler() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local:
        yield local.scheduler_address


__all__: Sequence[str] = ("main", "nothing")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

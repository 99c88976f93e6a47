"""A run killed within a fold goes on within it, to the same bytes; nothing of it stays when the fold is done."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest

from mebench.cli import status
from tests.corpora import write_samm

FOLDS = 27

NETWORK = '''
import numpy as np
from torch import nn

from mebench import NetworkClassifier, Settings


class Net(NetworkClassifier):
    """A network on images that it draws itself from the number of clips: the corpus has no frames."""

    def __init__(self, *, epochs=3, keep_stages=False, device="cpu", random_state=0):
        self.epochs = epochs
        self.keep_stages = keep_stages
        self.device = device
        self.random_state = random_state

    def build(self, channels, classes):
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(),
                             nn.Linear(72, classes))

    def settings(self):
        return Settings(self.epochs, batch_size=64, keep_stages=self.keep_stages, device=self.device)

    def fit(self, X, y):
        return super().fit(drawn(len(X)), y)

    def predict_proba(self, X):
        return super().predict_proba(drawn(len(X)))


def drawn(n):
    return np.random.default_rng(n).integers(0, 255, (n, 1, 8, 8), dtype=np.uint8)


class Together(Net):
    fit = NetworkClassifier.fit

    def fit_folds(self, X, folds):
        return super().fit_folds(drawn(len(X)), folds)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("place")
    write_samm(root / "samm")
    (root / "nets.py").write_text(NETWORK)
    return root


@pytest.fixture(scope="module")
def undisturbed(place, tmp_path_factory):
    """The predictions of each model's whole run, after which no state is left."""
    found = {}
    for model in ("Net", "Together"):
        home = tmp_path_factory.mktemp("whole")
        assert run(place, home, model) == 0
        assert not list(home.glob("runs/*/*/*/seed-0/states"))
        found[model] = result(home)
    return found


def run(place: Path, home: Path, model: str, fault: str = "") -> int:
    """The exit status of the command in a process of its own, minus the signal where it was killed at the fault."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mebench.execute", "mebench.learning"])
    process = context.Process(target=command, args=(place, home, model, fault))
    process.start()
    process.join()
    return int(process.exitcode or 0)


def command(place: Path, home: Path, model: str, fault: str) -> None:
    os.environ["MEBENCH_FAULT"] = fault
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    at_once = ["--folds-at-once", "9"] if model == "Together" else []
    arguments = [
        "run",
        f"{place / 'nets.py'}:{model}",
        "--protocol",
        "samm-5c-loso",
        "--data",
        f"samm={place / 'samm'}",
    ]
    sys.exit(status(["--home", str(home), *arguments, "--checkpoint-every", "0", "--jobs", "1", *at_once]))


def result(home: Path) -> bytes:
    return next(home.glob("runs/*/*/*/seed-0/predictions.csv")).read_bytes()


def states(home: Path) -> list[Path]:
    return [path for path in home.glob("runs/*/*/*/seed-0/states/**/*") if path.is_file()]


# Net saves after each of three epochs of a fold, so the eighth save is in its third fold. Together makes three groups
# of nine folds, a save per step and one of the predictions: the second is within the first group.
@pytest.mark.parametrize(("model", "point", "count"), [
    ("Net", "after-checkpoint", 8), ("Together", "after-checkpoint", 2), ("Together", "after-rename", 30),
])  # fmt: skip
def test_killed_within_a_fold_it_goes_on_to_the_same_bytes(place, undisturbed, tmp_path, model, point, count):
    home = tmp_path / "home"
    assert run(place, home, model, f"{point}:{count}") == -signal.SIGKILL
    assert states(home)
    assert not list(home.glob("runs/*/*/*/seed-0/predictions.csv"))
    assert run(place, home, model) == 0
    assert result(home) == undisturbed[model]
    assert not list(home.glob("runs/*/*/*/seed-0/states"))

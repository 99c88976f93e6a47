"""What choosing the epoch on the held-out subject adds to a score, by the number of epochs there are to choose from.

Usage: python -m benchmarks.peeking HOME [--epochs N ...] [--corpus null smoke] [--seeds N] [--subjects N] [--clips N]

A small network on flow and strain is run with --measure-peeking: on the null corpus, in which nothing tells of the
class, and on the smoke corpus, in which skin moves by class. The last epoch is the honest score; the best epoch per
tested subject and the one best epoch are what peeking would have claimed. On the null corpus both gains are pure error.
Runs are kept under HOME and not computed twice. Everything is SYNTHETIC.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from mebench.clips import ClipTable
from mebench.corpora import dataset
from mebench.errors import MebenchError
from mebench.execute import run_request
from mebench.learning import Augmentation, NetworkClassifier, Settings
from mebench.peeked import Inflation, inflation_of
from mebench.prepare import prepare
from mebench.requests import Request
from mebench.runs import find_run
from mebench.synth.corpus import write_corpus

CORPUS, PROTOCOL = "casme2", "casme2-5c-loso"
EPOCHS = (5, 10, 20, 40)
NULL_AMPLITUDE = 0.0


class FlowNet(NetworkClassifier):
    """Two convolutions on a small flow field with strain; fixed epochs, final weights."""

    title = "small flow network (benchmark)"
    selection = "fixed"

    def __init__(
        self, *, epochs: int = 20, keep_stages: bool = False, device: str = "cpu", random_state: int = 0
    ) -> None:
        self.epochs = epochs
        self.keep_stages = keep_stages
        self.device = device
        self.random_state = random_state

    def inputs(self) -> str:
        """Flow from onset to apex with its strain, 28 px."""
        return "align(size=112) > grey > onset-apex > flow(dis) > strain > resize(28) > planes"

    def build(self, channels: int, classes: int) -> nn.Module:
        """1 568 features for the classifier."""
        return nn.Sequential(
            nn.BatchNorm2d(channels), nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.BatchNorm2d(16), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(32 * 7 * 7, classes),
        )  # fmt: skip

    def settings(self) -> Settings:
        """A constant rate, as in the code that peeks: every epoch is a candidate."""
        return Settings(
            self.epochs, 16, lr=1e-2, schedule="constant", keep_stages=self.keep_stages, device=self.device,
            augmentation=Augmentation(intensity=0, horizontal=(0,)), threads=1,
        )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """0 once every table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peeking")
    parser.add_argument("home", type=Path)
    parser.add_argument("--epochs", type=int, nargs="+", default=list(EPOCHS))
    parser.add_argument("--corpus", nargs="+", choices=["null", "smoke"], default=["null", "smoke"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(arguments)
    for corpus in options.corpus:
        home = options.home / f"{corpus}-{options.subjects}-{options.clips}"
        prepared(home, corpus, options.subjects, options.clips, options.jobs)
        found = {epochs: inflation(home, epochs, options.seeds, options.jobs) for epochs in options.epochs}
        print_table(corpus, options, found)
    return 0


def prepared(home: Path, corpus: str, subjects: int, clips: int, jobs: int) -> ClipTable:
    """The corpus, written and prepared under the home unless it is there."""
    root = home / "corpus"
    if not root.exists():
        amplitude = {"amplitude": NULL_AMPLITUDE} if corpus == "null" else {}
        write_corpus(CORPUS, root, subjects=subjects, clips=clips, jobs=jobs, **amplitude)
    prepare(dataset(CORPUS), root, home, jobs=jobs)
    return dataset(CORPUS).load(root)


def inflation(home: Path, epochs: int, seeds: int, jobs: int) -> Inflation:
    """What peeking would have claimed with so many epochs."""
    request = Request(
        f"{Path(__file__).resolve()}:FlowNet", PROTOCOL, home, seeds=seeds, settings={"epochs": str(epochs)},
        measure_peeking=True, device="cpu",
    )  # fmt: skip
    report = run_request(request, jobs=jobs)
    found = inflation_of(find_run(home, report.members[0].run))
    if found is None:
        raise MebenchError(f"Run {report.members[0].run} has failed folds.", f"mebench --home {home} show it.")
    return found


def print_table(corpus: str, options: argparse.Namespace, found: dict[int, Inflation]) -> None:
    """One line per number of epochs."""
    words = {"null": "nothing tells of the class", "smoke": "skin moves by class"}
    print(f"\n{corpus} corpus ({words[corpus]}): {PROTOCOL}, {options.subjects} rendered subjects, SYNTHETIC")
    print(f"UF1, mean of {options.seeds} seeds; per subject and one for all are invalid as scores")
    print(f"{'epochs':>7} {'last epoch':>11} {'best per subject':>17} {'gain':>7} {'one best for all':>17} {'gain':>7}")
    for epochs, one in found.items():
        gains = one.per_fold_uf1 - one.uf1, one.best_epoch_uf1 - one.uf1
        print(
            f"{epochs:7} {one.uf1:11.3f} {one.per_fold_uf1:17.3f} {gains[0]:+7.3f} "
            f"{one.best_epoch_uf1:17.3f} {gains[1]:+7.3f}"
        )
    most = found[max(found)]
    print(
        f"gain at {max(found)} epochs: {np.round(most.per_fold_uf1 - most.uf1, 3):+.3f} by the best epoch per subject"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the readings of LAM cost and score beside each other, on the smoke corpus.

Usage: python -m benchmarks.lam_readings HOME [--jobs N] [--subjects 12] [--clips 120] [--seeds 3] [--epochs 12]
       [READING ...]

Every reading, and the affinity with fixed, lower or masked attention, in the small network of the demo. Per line:
trained parameters and multiplications, processor seconds per epoch, UF1 and UAR with intervals over subjects, the
entropy of attention as a share of a uniform one (between maps, within maps; mean over blocks, folds and seeds), and the
UF1 of the same fitted networks with all scales at zero. Each reading and seed is kept under HOME as it ends and not
computed twice. SYNTHETIC: it shows that a reading trains, and says nothing about faces.
"""

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence import corpus_of, task_of
from mebench.demo import MODELS
from mebench.evaluation import evaluate_fold
from mebench.execute import build_model
from mebench.files import write_text_atomic
from mebench.inputs import compute_inputs
from mebench.intervals import intervals_of
from mebench.lam.model import LAM
from mebench.lam.readings import Reading
from mebench.nulls import as_arrays
from mebench.parallel import run_tasks
from mebench.predictions import Prediction, Predictions, merge, parse_csv
from mebench.protocol import Fold, Task

AMPLITUDE = 1.0
"""Median px at the apex: the amplitude at which the other benchmarks compare models."""

VARIANTS: dict[str, dict[str, str]] = {
    **{reading.value: {"reading": reading.value} for reading in Reading},
    "affinity, fixed temperatures": {"learn_tau": "false"},
    "affinity, temperatures from .2": {"tau_c": "0.2", "tau_s": "0.2"},
    "affinity, diagonal masked": {"mask_diagonal": "true"},
}


@dataclass(frozen=True)
class Trial:
    """One reading and seed on the corpus prepared in `place`."""

    place: Path
    name: str
    settings: Mapping[str, str]
    seed: int

    @property
    def kept(self) -> Path:
        """The file of its result; other settings or another version of the model have another."""
        text = json.dumps([dict(self.settings), LAM.version], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return (
            self.place / "readings" / f"{self.name.replace(', ', '-').replace(' ', '-')}-{digest}-seed{self.seed}.json"
        )

    @property
    def model(self) -> LAM:
        """The model, not fitted."""
        made = build_model("lam", self.settings, "cpu")
        assert isinstance(made, LAM)
        return made


class Watch:
    """Sees the model of a fold once it is fitted: when that was, its report, its answers with the scales at zero."""

    def __init__(self) -> None:
        self.started = time.process_time()
        self.seconds = 0.0
        self.report: dict[str, Any] = {}
        self.ablated: list[str] = []

    def __call__(self, fitted: LAM, held_out: NDArray[Any]) -> None:
        self.seconds = time.process_time() - self.started
        self.report = dict(fitted.report())
        self.ablated = [
            str(fitted.classes_[best])
            for probabilities in fitted.ablated_predict_proba(held_out).values()
            for best in probabilities.argmax(axis=1)
        ]


def main(arguments: Sequence[str]) -> int:
    """0 once the table is printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=int(MODELS["lam"]["epochs"]))
    parser.add_argument("readings", nargs="*", metavar="READING", help=f"of {'; '.join(VARIANTS)}; all if none")
    options = parser.parse_intermixed_args(arguments)
    unknown = set(options.readings) - set(VARIANTS)
    if unknown:
        parser.error(f"no reading is named {', '.join(sorted(unknown))}; there are {'; '.join(VARIANTS)}")
    corpora = options.home / f"{options.subjects}x{options.clips}"
    place = corpus_of(corpora, AMPLITUDE, options.jobs, 0, options.subjects, options.clips)
    trials = [
        Trial(place, name, {**MODELS["lam"], "epochs": str(options.epochs), **VARIANTS[name]}, seed)
        for name in options.readings or VARIANTS
        for seed in range(options.seeds)
    ]
    compute(trials, options.jobs)
    print_table(trials, options.epochs)
    return 0


def compute(trials: Sequence[Trial], jobs: int) -> None:
    """Computes what is not kept yet, one process per reading and seed."""
    pending = {trial.kept.stem: trial for trial in trials if not trial.kept.exists()}
    if pending:
        task, _ = task_of(trials[0].place)
        compute_inputs(trials[0].place, trials[0].model.inputs(), [item.clip for item in task.items], jobs=jobs)
    for done, outcome in enumerate(run_tasks(measure, pending, jobs=jobs), 1):
        if outcome.error:
            raise outcome.error
        sys.stderr.write(f"{done} of {len(pending)}: {outcome.name}\n")


def measure(trial: Trial) -> None:
    """Runs every fold of a trial and keeps what came of it."""
    task, _ = task_of(trial.place)
    model = trial.model
    inputs = as_arrays(compute_inputs(trial.place, model.inputs(), [item.clip for item in task.items]))
    folds = [_fold(model, task, fold, inputs, trial.seed) for fold in task.folds]
    result = {
        "settings": dict(trial.settings),
        "cost": model.cost(len(task.protocol.classes)),
        # The median: the first fold of a process also loads and warms up.
        "seconds_per_epoch": statistics.median(watch.seconds for _, watch in folds) / model.epochs,
        "predictions": _predictions(task, [row for rows, _ in folds for row in rows]).to_csv(),
        "zeroed": _predictions(task, [row for rows, watch in folds for row in _ablated(rows, watch)]).to_csv(),
        "reports": {fold.id: watch.report for fold, (_, watch) in zip(task.folds, folds, strict=True)},
    }
    write_text_atomic(trial.kept, json.dumps(result))


def print_table(trials: Sequence[Trial], epochs: int) -> None:
    """One line per reading, over its seeds."""
    task, _ = task_of(trials[0].place)
    subjects, seeds = len({item.subject for item in task.items}), len({trial.seed for trial in trials})
    print(f"{task.protocol.name}, {subjects} rendered subjects, {len(task.items)} clips, SYNTHETIC")
    settings = {**MODELS["lam"], "epochs": epochs}
    print(f"{seeds} seeds, 95 % intervals over subjects; {', '.join(f'{k}={v}' for k, v in settings.items())}")
    print(f"{'reading':32} {'parameters':>10} {'MMAC':>7} {'s/epoch':>7} {'UF1':>20} {'UAR':>20}", end=" ")
    print(f"{'H maps':>6} {'H within':>8} {'UF1 zeroed':>10}")
    for name in dict.fromkeys(trial.name for trial in trials):
        results = [json.loads(trial.kept.read_text()) for trial in trials if trial.name == name]
        predictions, zeroed = (_merged(task, results, what) for what in ("predictions", "zeroed"))
        cost = results[0]["cost"]
        cells = [
            f"{name:32} {cost['parameters']:10,} {cost['macs'] / 1e6:7.1f}",
            f"{np.mean([result['seconds_per_epoch'] for result in results]):7.3f}",
            *(f"{_interval(task, predictions, metric):>20}" for metric in ("uf1", "uar")),
            f"{_entropy(results, 'entropy_channel'):>6} {_entropy(results, 'entropy_spatial'):>8}",
            f"{_interval(task, zeroed, 'uf1').split()[0] if zeroed else '-':>10}",
        ]
        print(" ".join(cells))


def _fold(
    model: LAM, task: Task, fold: Fold, inputs: Mapping[str, NDArray[Any]], seed: int
) -> tuple[tuple[Prediction, ...], Watch]:
    watch = Watch()
    return evaluate_fold(model, task, fold, inputs, seed, watch), watch


def _ablated(rows: Sequence[Prediction], watch: Watch) -> list[Prediction]:
    """The fold's rows as its network answers with the scales at zero; none where it has no scales."""
    if not watch.ablated:
        return []
    return [replace(row, predicted=said, scores=()) for row, said in zip(rows, watch.ablated, strict=True)]


def _predictions(task: Task, rows: Sequence[Prediction]) -> Predictions:
    return Predictions(task.protocol.name, task.protocol.classes, tuple(rows))


def _merged(task: Task, results: Sequence[Mapping[str, Any]], what: str) -> Predictions | None:
    """The predictions of all seeds; None where there are none."""
    protocol = task.protocol
    parts = [parse_csv(r[what], protocol.classes, protocol=protocol.name, source=what) for r in results]
    found = merge(parts)
    return found if len(found) else None


def _interval(task: Task, predictions: Predictions | None, metric: str) -> str:
    """The score with its interval."""
    assert predictions is not None
    expected = {item.id: item.label for item in task.items}
    subjects = {item.id: item.subject for item in task.items}
    found = intervals_of(predictions, expected, subjects, metrics=(metric,))["all"][metric]  # type: ignore[arg-type, index]
    return f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _entropy(results: Sequence[Mapping[str, Any]], name: str) -> str:
    """The mean over blocks, folds and seeds; a dash where the reading has no such attention."""
    values = [np.mean(report[name]) for result in results for report in result["reports"].values() if name in report]
    return f"{np.mean(values):.3f}" if values else "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

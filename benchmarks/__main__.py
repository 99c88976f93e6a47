"""Speed, as ratios to what a user would otherwise run, measured side by side in one process run: make bench."""

import platform
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.base import clone
from sklearn.metrics import f1_score, recall_score
from sklearn.svm import SVC

from mebench.evaluation import evaluate_task
from mebench.predictions import Prediction, Predictions
from mebench.runs import environment
from mebench.scoring import score_predictions
from tests.toy import CLASSES, informative_inputs, toy_table, toy_task

REPEATS = 5


def seconds(work: Callable[[], object]) -> float:
    """The shortest of several runs."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def line(name: str, ours: float, theirs: float, than: str) -> None:
    """One ratio."""
    print(f"{name:28} {ours * 1000:9.2f} ms   {theirs * 1000:9.2f} ms   x{ours / theirs:5.2f} of {than}")


def fold_loop() -> None:
    """Our fold loop against the loop a user would write, predictions asserted equal."""
    task = toy_task(toy_table(26, 10))
    inputs = informative_inputs(task)
    rng = np.random.default_rng(0)
    wide = {clip: np.concatenate([array, rng.normal(size=1000).astype(np.float32)]) for clip, array in inputs.items()}
    model = SVC(kernel="linear")
    labels = {item.id: item.label for item in task.items}

    def bare() -> dict[str, str]:
        found = {}
        for fold in task.folds:
            X, y = np.stack([wide[c] for c in fold.train]), np.array([labels[c] for c in fold.train])
            fitted = clone(model).fit(X, y)
            held_out = np.stack([wide[c] for c in fold.test])
            found.update(zip(fold.test, fitted.predict(held_out).tolist(), strict=True))
            fitted.decision_function(held_out)
        return found

    assert {row.clip: row.predicted for row in evaluate_task(model, task, wide).rows} == bare()
    line("26 folds, linear SVM", seconds(lambda: evaluate_task(model, task, wide)), seconds(bare), "a bare loop")


def scorer() -> None:
    """All figures and slices of 442 clips against scikit-learn's UF1 and UAR alone, which are asserted equal."""
    rng = np.random.default_rng(0)
    truth = [CLASSES[i] for i in rng.integers(3, size=442)]
    predicted = [CLASSES[i] for i in rng.integers(3, size=442)]
    clips = [f"d{i % 3}/s{i % 68}/c{i}" for i in range(442)]
    rows = (Prediction(c, "f", 0, t, p) for c, t, p in zip(clips, truth, predicted, strict=True))
    made = Predictions("p", CLASSES, tuple(rows))
    expected = dict(zip(clips, truth, strict=True))

    def theirs() -> tuple[float, float]:
        options = {"labels": list(CLASSES), "average": "macro", "zero_division": 0}
        return f1_score(truth, predicted, **options), recall_score(truth, predicted, **options)

    ours = score_predictions(made, expected)[0].strict["all"]
    assert np.allclose((ours.uf1, ours.uar), theirs())
    line(
        "score 442 clips, 4 slices", seconds(lambda: score_predictions(made, expected)), seconds(theirs), "scikit-learn"
    )


def start() -> None:
    """`mebench --help` against a Python that imports click."""

    def run(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    ours = run("import sys; from mebench.cli import status; sys.exit(status(['--help']))")
    line("mebench --help", seconds(ours), seconds(run("import click")), "python -c 'import click'")


def main() -> None:
    """Prints the table."""
    found = environment()
    print(f"{found['cpu']}, Python {platform.python_version()}, numpy {found['numpy']}")
    fold_loop()
    scorer()
    start()


if __name__ == "__main__":
    main()

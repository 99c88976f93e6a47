"""Speed, as ratios to what a user would otherwise run, measured side by side in one process run: make bench.

Ratios are kept in build/bench.jsonl, a line per time the command was run, and the last on the same machine is printed
beside the new one, so that a regression shows.
"""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.metrics import f1_score, recall_score
from sklearn.svm import SVC

from mebench.evaluation import evaluate_task
from mebench.predictions import Prediction, Predictions
from mebench.resampling import weighted_scores
from mebench.runs import environment
from mebench.scoring import score_predictions
from mebench.subject_counts import count_subjects
from tests.toy import CLASSES, informative_inputs, toy_table, toy_task

REPEATS = 5
DRAWS, TOLD_FROM = 2_000, 50
HISTORY = Path("build") / "bench.jsonl"
_RATIOS: dict[str, float] = {}


def seconds(work: Callable[[], object]) -> float:
    """The shortest of several runs."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def line(name: str, ours: float, theirs: float, than: str) -> None:
    """One ratio, beside the last one on this machine."""
    _RATIOS[name] = ours / theirs
    before = _last(environment()["cpu"]).get(name)
    was = f"   (was x{before:.3g})" if before else ""
    print(f"{name:28} {ours * 1000:9.2f} ms   {theirs * 1000:9.2f} ms   x{ours / theirs:<6.3g} of {than}{was}")


def _last(cpu: str) -> dict[str, float]:
    """The ratios of the last time the command was run on such a processor."""
    found: dict[str, float] = {}
    if HISTORY.exists():
        for text in HISTORY.read_text().splitlines():
            record = json.loads(text)
            found = record["ratios"] if record["machine"]["cpu"] == cpu else found
    return found


def _keep(machine: dict[str, str]) -> None:
    HISTORY.parent.mkdir(exist_ok=True)
    with HISTORY.open("a") as history:
        history.write(json.dumps({"at": time.strftime("%F %T"), "machine": machine, "ratios": _RATIOS}) + "\n")


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


def resampling() -> None:
    """UF1 of 2,000 resamples of 68 subjects against scikit-learn on the clips of each, which is asserted equal."""
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(3, size=442), rng.integers(3, size=442)
    clips = [f"d/s{i % 68:02d}/c{i}" for i in range(442)]
    rows = (Prediction(c, "f", 0, CLASSES[t], CLASSES[p]) for c, t, p in zip(clips, truth, predicted, strict=True))
    expected = {clip: CLASSES[t] for clip, t in zip(clips, truth, strict=True)}
    counts = count_subjects(Predictions("p", CLASSES, tuple(rows)), expected, {c: c[:5] for c in clips})
    weights = rng.multinomial(68, np.full(68, 1 / 68), size=DRAWS).astype(float)
    subject = np.arange(442) % 68

    def ours() -> np.ndarray:
        return weighted_scores(counts, "uf1", weights, np.ones((DRAWS, 1)))

    def theirs() -> np.ndarray:
        options = {"labels": [0, 1, 2], "average": "macro", "zero_division": 0}
        drawn = (np.repeat(np.arange(442), weight[subject].astype(int)) for weight in weights[:TOLD_FROM])
        return np.array([f1_score(truth[rows], predicted[rows], **options) for rows in drawn])

    assert np.allclose(ours()[:TOLD_FROM], theirs())
    line(
        f"{DRAWS} draws of subjects", seconds(ours), seconds(theirs) * DRAWS / TOLD_FROM, f"scikit-learn's {TOLD_FROM}"
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
    resampling()
    start()
    _keep(found)


if __name__ == "__main__":
    main()

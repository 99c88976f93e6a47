"""The classical methods side by side on rendered corpora: what each scores, how little it sees, how long it takes.

Usage: python -m benchmarks.classical HOME [--jobs N] [--methods NAME ...] [PART ...]

Parts: `board` every method under casme2-5c-loso on smoke corpora of three seeds, with intervals over their subjects;
`null` the same on a corpus whose labels mean nothing, beside each method's own permutation null; `amplitude` UF1
against the motion at the apex, as a table and as amplitude.png under HOME; `ablation` without each plane, part or
direction; `speed` a full leave-one-subject-out run over 255 clips of 68 frames and 26 subjects, frames warm and
descriptors cold, search included. Results are kept under HOME and not computed twice. Everything is SYNTHETIC: it says
how the methods see rendered motion, and nothing about faces.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evidence import CORPUS, PROTOCOL, corpus_of, task_of
from mebench import plugins
from mebench.evaluation import evaluate_fold, evaluate_task
from mebench.execute import build_model, recipe_of
from mebench.files import write_text_atomic
from mebench.inputs import compute_inputs
from mebench.intervals import interval
from mebench.nulls import as_arrays, null_scores
from mebench.parallel import run_tasks
from mebench.predictions import Prediction, Predictions, merge
from mebench.prepare import load_registered
from mebench.protocol import Task
from mebench.resampling import bootstrap
from mebench.scoring import score
from mebench.statistics import count_subjects
from mebench.store import read_clip, write_clip
from mebench.subject_counts import SubjectCounts
from mebench.synth.corpus import write_corpus

SUBJECTS, CLIPS, SEEDS, PERMUTATIONS = 12, 120, (0, 1, 2), 39
FEWER_CLIPS = 60
"""For everything but the board: one clip per subject and class, so that five amplitudes take minutes."""
FEWER_PERMUTATIONS = {"distlbp-rip": 19, "dtsa-elm": 19}
"""Of methods that take half a minute per permutation; one that reaches their UF1 says all there is."""
AMPLITUDES = (0.1, 0.25, 0.5, 1.0, 2.0)
FULL_SUBJECTS, FULL_CLIPS, FULL_FRAMES = 26, 255, 68
"""CASME II: 255 clips of 26 subjects, 68 frames in the mean."""
ABLATIONS: dict[str, tuple[dict[str, str], ...]] = {
    "lbp-top": tuple({"planes": planes} for planes in ("xy,xt,yt", "xt,yt", "xy,yt", "xy,xt", "xy", "xt", "yt")),
    "lbp-sip": tuple({"parts": parts} for parts in ("spatial,temporal", "spatial", "temporal")),
    "stlbp-ip": tuple({"parts": parts} for parts in ("horizontal,vertical", "horizontal", "vertical")),
    "flow-svm": tuple({"directions": directions} for directions in ("u,v", "u", "v")),
    "bi-woof": tuple({"directions": ",".join(str(k) for k in range(8) if k != gone)} for gone in (None, *range(8))),
}


@dataclass(frozen=True)
class Trial:
    """One method with its settings on one corpus; with `permutations`, beside its null."""

    home: Path
    method: str
    amplitude: float
    seed: int
    clips: int = FEWER_CLIPS
    settings: tuple[tuple[str, str], ...] = ()
    permutations: int = 0

    @property
    def name(self) -> str:
        """As its result is kept."""
        changed = "".join(f" {key}={value}" for key, value in self.settings)
        return f"{self.method}{changed} {self.amplitude:g}px seed{self.seed} {self.clips}" + (
            " null" if self.permutations else ""
        )

    @property
    def place(self) -> Path:
        """The home of its corpus."""
        return corpus_of(_corpora(self.home, self.clips), self.amplitude, 1, self.seed, SUBJECTS, self.clips)


def main(arguments: list[str]) -> int:
    """0 once every requested table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classical")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=methods())
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_intermixed_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is named {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in options.parts or PARTS:
        PARTS[part](options.home, options.methods, options.jobs)
    return 0


def methods() -> list[str]:
    """Every registered model that is neither a floor nor a network."""
    return [name for name in plugins.names("model") if name not in ("constant", "uniform", "lam", "micro-attention")]


def board(home: Path, names: list[str], jobs: int) -> None:
    """UF1 per corpus, and over all of them with the interval that their subjects leave."""
    found = computed([Trial(home, name, 1.0, seed, CLIPS) for name in names for seed in SEEDS], jobs)
    print(f"\nboard: {PROTOCOL}, {len(SEEDS)} corpora of {SUBJECTS} subjects and {CLIPS} clips at 1 px, SYNTHETIC")
    print(f"{'':14} {'per corpus':>20} {'mean':>6} {'SD':>5} {'pooled':>7} {'95 % over subjects':>19} {'inputs s':>9}")
    rows = []
    for name in names:
        members = [found[Trial(home, name, 1.0, seed, CLIPS).name] for seed in SEEDS]
        each, pooled = [m["uf1"] for m in members], interval(bootstrap(counted(members), "uf1", estimand="predictions"))
        spent = np.mean([m["input_s"] for m in members])
        text = (
            f"{name:14} {' '.join(f'{uf1:.3f}' for uf1 in each):>20} {np.mean(each):6.3f} {np.std(each, ddof=1):5.3f}"
        )
        bounds = f"{pooled.low:.3f}-{pooled.high:.3f}"
        rows.append((-float(np.mean(each)), f"{text} {pooled.estimate:7.3f} {bounds:>19} {spent:9.1f}"))
    print("\n".join(text for _, text in sorted(rows)))


def null(home: Path, names: list[str], jobs: int) -> None:
    """UF1 where labels mean nothing, one-sided beside the permutation null."""
    found = computed(
        [Trial(home, name, 0.0, 0, permutations=FEWER_PERMUTATIONS.get(name, PERMUTATIONS)) for name in names], jobs
    )
    print(f"\nnull corpus: {PROTOCOL}, {SUBJECTS} subjects, {FEWER_CLIPS} clips, amplitude 0, SYNTHETIC")
    print(f"{'':14} {'UF1':>6} {'97.5 % of null':>15}  above")
    for name in names:
        one = found[Trial(home, name, 0.0, 0, permutations=FEWER_PERMUTATIONS.get(name, PERMUTATIONS)).name]
        bound = float(np.quantile(one["null"], 0.975, method="higher"))
        print(f"{name:14} {one['uf1']:6.3f} {bound:15.3f}  {'yes' if one['uf1'] > bound else 'no'}")


def amplitude(home: Path, names: list[str], jobs: int) -> None:
    """UF1 of every method against the median motion at the apex; also drawn."""
    found = computed([Trial(home, name, px, 0) for name in names for px in AMPLITUDES], jobs)
    print(f"\namplitude: {PROTOCOL}, {SUBJECTS} subjects, {FEWER_CLIPS} clips; UF1 by median px at the apex, SYNTHETIC")
    print(f"{'':14} " + " ".join(f"{px:>6g}" for px in AMPLITUDES))
    curves = {name: [found[Trial(home, name, px, 0).name]["uf1"] for px in AMPLITUDES] for name in names}
    for name, curve in curves.items():
        print(f"{name:14} " + " ".join(f"{uf1:6.3f}" for uf1 in curve))
    draw(curves, home / "amplitude.png")
    print(f"drawn in {home / 'amplitude.png'}")


def ablation(home: Path, names: list[str], jobs: int) -> None:
    """UF1 with some planes, parts or directions only."""
    wanted = [
        Trial(home, name, 1.0, 0, settings=tuple(settings.items()))
        for name in names
        for settings in ABLATIONS.get(name, ())
    ]
    found = computed(wanted, jobs)
    print(f"\nablation: UF1 under {PROTOCOL}, {SUBJECTS} subjects, {FEWER_CLIPS} clips at 1 px, SYNTHETIC")
    for trial in wanted:
        kept = " ".join(f"{key}={value}" for key, value in trial.settings)
        print(f"{trial.method:14} {kept:40} {found[trial.name]['uf1']:6.3f}")


def speed(home: Path, names: list[str], jobs: int) -> None:
    """Seconds for the whole of a leave-one-subject-out run, inputs first, then folds in parallel."""
    place = _full_corpus(home, jobs)
    task, _ = task_of(place)
    print(f"\nspeed: {PROTOCOL}, {FULL_CLIPS} clips of {FULL_FRAMES} frames, {FULL_SUBJECTS} subjects, {jobs} cores")
    print(f"{'':14} {'inputs s':>9} {'folds s':>8} {'whole s':>8}")
    total = 0.0
    for name in names:
        kept = home / "speed" / f"{name}.json"
        if not kept.exists():
            write_text_atomic(kept, json.dumps(_timed(place, task, name, jobs)))
        spent = json.loads(kept.read_text())
        total += sum(spent)
        print(f"{name:14} {spent[0]:9.1f} {spent[1]:8.1f} {sum(spent):8.1f}", flush=True)
    print(f"{'all':14} {'':9} {'':8} {total:8.1f}")


def computed(wanted: list[Trial], jobs: int) -> Mapping[str, dict[str, Any]]:
    """The result of every trial by name, from where it was kept or computed now."""
    for amplitude_px, seed, clips, home in dict.fromkeys((t.amplitude, t.seed, t.clips, t.home) for t in wanted):
        corpus_of(_corpora(home, clips), amplitude_px, jobs, seed, SUBJECTS, clips)
    pending = {t.name: t for t in wanted if not _kept(t).exists()}
    for trial in pending.values():
        started = time.monotonic()
        task, _ = task_of(trial.place)
        compute_inputs(trial.place, recipe_of(_model(trial)), [item.clip for item in task.items], jobs=jobs)
        write_text_atomic(_kept(trial).with_suffix(".seconds"), str(time.monotonic() - started))
    for outcome in run_tasks(measure, pending, jobs=jobs):
        if outcome.error:
            raise outcome.error
        sys.stderr.write(f"{outcome.name}\n")
    return {t.name: json.loads(_kept(t).read_text()) for t in wanted}


def measure(trial: Trial) -> None:
    """Runs every fold of a trial, and its null where asked for, and keeps the result."""
    task, _ = task_of(trial.place)
    model = _model(trial)
    inputs = as_arrays(compute_inputs(trial.place, recipe_of(model), [item.clip for item in task.items]))
    predicted = {row.clip: row.predicted for row in evaluate_task(model, task, inputs, (0,)).rows}
    truth = [item.label for item in task.items]
    result = {
        "uf1": score(truth, [predicted.get(item.id) for item in task.items], task.protocol.classes, full=False).uf1,
        "predicted": {item.id: [item.label, predicted.get(item.id)] for item in task.items},
        "classes": task.protocol.classes,
        "seed": trial.seed,
        "input_s": float(_kept(trial).with_suffix(".seconds").read_text()),
        "null": list(null_scores(model, task, inputs, trial.permutations)) if trial.permutations else [],
    }
    write_text_atomic(_kept(trial), json.dumps(result))


def draw(curves: Mapping[str, list[float]], path: Path) -> None:
    """The curves as a picture, each named at its right end."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    styles = ("-", "--", ":", "-.")
    for i, (name, curve) in enumerate(sorted(curves.items(), key=lambda item: -item[1][-1])):
        axes.plot(AMPLITUDES, curve, styles[i % 4], marker="o", markersize=3, label=name)
    axes.axhline(0.2, color="0.6", linewidth=0.8)
    axes.annotate("chance of five classes", (AMPLITUDES[0], 0.2), (2, 3), textcoords="offset points", color="0.4")
    axes.set(xscale="log", xticks=AMPLITUDES, xlabel="median motion at the apex, px of a 640x480 frame", ylabel="UF1")
    axes.set_xticks(AMPLITUDES, [f"{px:g}" for px in AMPLITUDES])
    axes.minorticks_off()
    axes.set_title(f"SYNTHETIC: {PROTOCOL} on {SUBJECTS} rendered subjects", fontsize=10)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    figure.savefig(path)


def counted(members: Sequence[Mapping[str, Any]]) -> SubjectCounts:
    """What was predicted on several corpora; subjects of different corpora are different people."""
    parts, expected = [], {}
    for member in members:
        named = {clip.replace("/", f"/{member['seed']}-", 1): pair for clip, pair in member["predicted"].items()}
        expected |= {clip: truth for clip, (truth, _) in named.items()}
        rows = (
            Prediction(clip, clip.rpartition("/")[0], 0, truth, answer)
            for clip, (truth, answer) in named.items()
            if answer is not None
        )
        parts.append(Predictions(PROTOCOL, tuple(member["classes"]), tuple(rows)))
    return count_subjects(merge(parts), expected)


def _full_corpus(home: Path, jobs: int) -> Path:
    """A home with as many subjects, clips and frames as CASME II; the rendered clips, played to and fro."""
    place = home / "full"
    if (place / "whole").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    from mebench.corpora import dataset
    from mebench.prepare import prepare

    write_corpus(CORPUS, place / "corpus", subjects=FULL_SUBJECTS, clips=FULL_CLIPS, seed=0, jobs=jobs)
    prepare(dataset(CORPUS), place / "corpus", place, jobs=jobs)
    for clip in load_registered(place, CORPUS):
        write_clip(place, _longer(read_clip(place, clip.id)))
    write_text_atomic(place / "whole", "")
    return place


def _longer(stored: Any) -> Any:
    count = len(stored.numbers)
    course = np.concatenate([np.arange(count), np.arange(count - 2, 0, -1)])
    at = np.resize(course, FULL_FRAMES)
    played = {name: getattr(stored, name)[at] for name in ("frames", "motion", "inliers", "flagged")}
    return replace(stored, numbers=stored.numbers[0] + np.arange(FULL_FRAMES), **played)


def _timed(place: Path, task: Task, name: str, jobs: int) -> tuple[float, float]:
    model = build_model(name, {}, "cpu")
    recipe = recipe_of(model)
    shutil.rmtree(place / "inputs", ignore_errors=True)
    started = time.monotonic()
    inputs = compute_inputs(place, recipe, [item.clip for item in task.items], jobs=jobs)
    described = time.monotonic()
    folds = {fold.id: _Fold(model, task, fold.id, inputs) for fold in task.folds}
    for outcome in run_tasks(_run_fold, folds, jobs=jobs):
        if outcome.error:
            raise outcome.error
    return described - started, time.monotonic() - described


@dataclass(frozen=True)
class _Fold:
    model: Any
    task: Task
    fold: str
    inputs: Mapping[str, Any]


def _run_fold(job: _Fold) -> int:
    fold = next(fold for fold in job.task.folds if fold.id == job.fold)
    return len(evaluate_fold(job.model, job.task, fold, job.inputs, 0))


def _model(trial: Trial) -> Any:
    return build_model(trial.method, dict(trial.settings), "cpu")


def _corpora(home: Path, clips: int) -> Path:
    return home / f"{clips}clips"


def _kept(trial: Trial) -> Path:
    return trial.home / "results" / f"{trial.name}.json"


PARTS = {"board": board, "null": null, "amplitude": amplitude, "ablation": ablation, "speed": speed}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How scores fall as one thing at a time gets worse: a curve per factor and model.

Usage: python -m benchmarks.stress HOME [--jobs N] [--subjects N] [--clips N] [--factor NAME ...] [--only MODEL ...]

Every level is a corpus of its own with the plan of all others, so that people, labels and motion are the same and one
thing differs; the neutral levels of all factors are one corpus, for nothing differs there. UF1 under
leave-one-subject-out with its 95 % interval over subjects. Results are kept under HOME and not computed twice; figures
lie in HOME/figures. Everything is SYNTHETIC and says nothing about faces.
"""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mebench.corpora import dataset
from mebench.demo import MODELS
from mebench.evaluation import evaluate_task
from mebench.execute import recipe_of
from mebench.files import write_text_atomic
from mebench.fold_jobs import build_model
from mebench.inputs import compute_inputs
from mebench.intervals import intervals_of
from mebench.nulls import as_arrays
from mebench.prepare import load_registered, prepare, registered
from mebench.protocol import load_protocol, resolve
from mebench.scoring import ALL
from mebench.synth.corpus import write_corpus
from mebench.synth.stress import FACTORS

CORPUS, PROTOCOL = "casme2", "casme2-5c-loso"
NAMES = ("lbp-top", "mdmo", "flow-svm", "lam")
LEVELS: dict[str, tuple[float, ...]] = {
    "yaw": (0, 10, 20, 30),
    "noise": (2, 4, 8, 16),
    "blur": (0, 1, 2, 4),
    "compression": (90, 60, 30, 10),
    "fps": (200, 100, 50, 25),
    "amplitude": (0.25, 0.5, 1, 2),
    "apex-error": (0, 3, 6, 12),
    "confounded-blinks": (0, 0.25, 0.5, 1),
}
"""By factor, from harmless to hard, amplitude the other way; clipped to what the factor allows."""

_APART = 0.012
"""Between the points of two models at one level, of the width of the figure: intervals are seen side by side."""


@dataclass(frozen=True)
class Dose:
    """UF1 of a model at one level, with its 95 % interval."""

    level: float
    uf1: float
    low: float
    high: float


def main(arguments: list[str]) -> int:
    """0 once every curve is drawn and printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stress")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--factor", nargs="+", default=sorted(FACTORS), choices=sorted(FACTORS))
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES, metavar="MODEL")
    options = parser.parse_args(arguments)
    for factor in options.factor:
        curves = curves_of(factor, options)
        print_curves(factor, curves)
        draw_curves(factor, curves, options.home / "figures" / f"{factor}.png")
    print("\nEverything above is SYNTHETIC and says nothing about faces.")
    return 0


def levels_of(factor: str) -> tuple[float, ...]:
    """The levels of a factor, those it allows."""
    allowed = FACTORS[factor]
    asked = LEVELS.get(factor) or tuple(allowed.neutral + (allowed.most - allowed.neutral) * i / 3 for i in range(4))
    return tuple(dict.fromkeys(min(max(level, allowed.least), allowed.most) for level in asked))


def curves_of(factor: str, options: argparse.Namespace) -> dict[str, list[Dose]]:
    """The doses of each model, in the order of the levels; a level's corpus goes when all models have seen it."""
    curves: dict[str, list[Dose]] = {model: [] for model in options.only}
    for level in levels_of(factor):
        at = "neutral" if level == FACTORS[factor].neutral else f"{factor}-{level:g}"
        place = options.home / f"{options.subjects}x{options.clips}" / at
        for model in options.only:
            kept = place / f"{model}.json"
            if not kept.exists():
                write_text_atomic(kept, json.dumps(vars(measured(model, factor, level, place, options))))
            curves[model].append(replace(Dose(**json.loads(kept.read_text())), level=level))
        if not set(NAMES) - set(options.only):
            for folder in ("corpus", "store", "inputs", "corpora"):
                shutil.rmtree(place / folder, ignore_errors=True)
    return curves


def measured(model: str, factor: str, level: float, place: Path, options: argparse.Namespace) -> Dose:
    """UF1 of a model on the corpus of one level, which is written where it is not there."""
    if CORPUS not in registered(place):
        write_corpus(
            CORPUS,
            place / "corpus",
            tier="stress",
            factor=factor,
            level=level,
            subjects=options.subjects,
            clips=options.clips,
            jobs=options.jobs,
        )
        prepare(dataset(CORPUS), place / "corpus", place, jobs=options.jobs)
    task = resolve(load_protocol(PROTOCOL), {CORPUS: load_registered(place, CORPUS)})  # type: ignore[arg-type]
    built = build_model(model, MODELS.get(model, {}), "cpu")
    inputs = compute_inputs(place, recipe_of(built), [item.clip for item in task.items], jobs=options.jobs)
    predictions = evaluate_task(built, task, as_arrays(inputs))
    labels, subjects = ({i.id: getattr(i, what) for i in task.items} for what in ("label", "subject"))
    found = intervals_of(predictions, labels, subjects, metrics=("uf1",))[ALL]["uf1"]
    return Dose(level, found.estimate, found.low, found.high)


def print_curves(factor: str, curves: dict[str, list[Dose]]) -> None:
    """One line per model."""
    levels = levels_of(factor)
    print(f"\n{factor}, {FACTORS[factor].unit} (neutral {FACTORS[factor].neutral:g}): UF1 [95 %], SYNTHETIC")
    print(f"{'':12}" + "".join(f"{level:>19g}" for level in levels))
    for model, doses in curves.items():
        print(f"{model:12}" + "".join(f"{d.uf1:6.3f} [{d.low:.2f}, {d.high:.2f}]" for d in doses))


def draw_curves(factor: str, curves: dict[str, list[Dose]], path: Path) -> None:
    """One figure with a curve per model."""
    colours = mpl.color_sequences["tab10"]
    drawing = Figure(figsize=(6, 3.4), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    apart = np.ptp(levels_of(factor)) * _APART
    for i, (model, doses) in enumerate(curves.items()):
        middle = [dose.uf1 for dose in doses]
        below, above = [d.uf1 - d.low for d in doses], [d.high - d.uf1 for d in doses]
        x = [dose.level + (i - (len(curves) - 1) / 2) * apart for dose in doses]
        axes.errorbar(
            x, middle, yerr=[below, above], label=model, color=colours[i], marker="o", markersize=4, capsize=2
        )
    axes.set(xlabel=f"{factor}, {FACTORS[factor].unit}", ylabel="UF1 with 95 % interval", ylim=(0, 1))
    axes.set(title=f"{factor} (SYNTHETIC)", xticks=levels_of(factor))
    drawing.legend(loc="outside right upper", fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

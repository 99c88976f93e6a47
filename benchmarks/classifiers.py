"""Which support vector machine serves a descriptor best, chosen as a user must choose: without its test subjects.

Usage: python -m benchmarks.classifiers HOME [--descriptor NAME-OR-RECIPE ...] [--seeds N] [--jobs N] [--widths]

Every kernel under every scaling it can take, on the vectors of each descriptor (the recipe of a registered model, or a
recipe), under casme2-5c-loso: parameters by the nested search of `GroupedSVC`, UF1 over all folds, mean and standard
deviation over seeds of the inner folds. `--widths` searches the kernel's width and degree as well. HOME holds a
prepared CASME II; where it holds none, a smoke corpus of `--subjects`, `--clips` and `--amplitude` is written and
prepared there, and the table says SYNTHETIC.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.evidence import CORPUS, PROTOCOL, task_of
from mebench import plugins
from mebench.baselines.learners.kernels import DEGREE, KERNELS, SCALINGS, Scaling
from mebench.baselines.learners.svm import GroupedSVC
from mebench.corpora import dataset
from mebench.errors import MebenchError, UsageError
from mebench.execute import build_model, recipe_of
from mebench.inputs import compute_inputs
from mebench.nulls import as_arrays, uf1_of
from mebench.parallel import Outcome, run_tasks
from mebench.prepare import prepare, registered
from mebench.synth.corpus import write_corpus

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
DEGREES = (2, 3, 4)


@dataclass(frozen=True)
class Trial:
    """One cell: a classifier on the vectors of a recipe."""

    home: Path
    recipe: str
    kernel: str
    scaling: Scaling
    widths: bool
    seeds: int


@dataclass(frozen=True)
class Found:
    """UF1 per seed, and the seconds one run over all folds took, inputs at hand."""

    uf1: tuple[float, ...]
    seconds: float


def main(arguments: list[str]) -> int:
    """0 once the tables are printed, 1 where the data are at fault."""
    options = _options(arguments)
    try:
        synthetic = ready(options.home, options.subjects, options.clips, options.amplitude, options.jobs)
        task, _ = task_of(options.home)
        recipes = {name: recipe_named(name) for name in options.descriptor or describing()}
        for recipe in recipes.values():
            compute_inputs(options.home, recipe, [item.clip for item in task.items], jobs=options.jobs)
        trials = {
            f"{name}/{kernel}/{scaling}": Trial(options.home, recipe, kernel, scaling, options.widths, options.seeds)
            for name, recipe in recipes.items()
            for kernel, scaling in product(KERNELS, SCALINGS)
        }
        outcomes = {}
        for outcome in run_tasks(measured, trials, jobs=options.jobs):
            outcomes[outcome.name] = outcome
            sys.stderr.write(f"{outcome.name}\n")
    except MebenchError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    size = f"{len(task.items)} clips, {len({item.subject for item in task.items})} subjects"
    print(f"{PROTOCOL}: {size}{', SYNTHETIC' if synthetic else ''}; UF1, mean ± SD over {options.seeds} seeds, seconds")
    for name in recipes:
        print_table(name, outcomes)
    if len(recipes) > 1:
        print_means(list(recipes), outcomes)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classifiers")
    parser.add_argument("home", type=Path)
    parser.add_argument("--descriptor", action="append", metavar="NAME-OR-RECIPE")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--widths", action="store_true")
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--amplitude", type=float, default=1.0)
    return parser.parse_args(arguments)


def ready(home: Path, subjects: int, clips: int, amplitude: float, jobs: int) -> bool:
    """Whether the corpus prepared in the home is synthetic; it is written and prepared where there is none."""
    if CORPUS not in registered(home):
        folder = home / "corpus"
        if not folder.exists():
            write_corpus(CORPUS, folder, subjects=subjects, clips=clips, amplitude=amplitude, seed=0, jobs=jobs)
        prepare(dataset(CORPUS), folder, home, jobs=jobs)
    return task_of(home)[1].synthetic is not None


def describing() -> list[str]:
    """The registered models that are a descriptor with a `GroupedSVC`."""
    return [name for name in plugins.names("model") if issubclass(plugins.load_model(name).factory, GroupedSVC)]


def recipe_named(name: str) -> str:
    """The recipe of the model of this name; a text with `>` is a recipe already."""
    recipe = name if ">" in name else recipe_of(build_model(name, {}, "cpu"))
    if recipe == "none":
        raise UsageError(f"{name} looks at no frame.", "Name a model with a descriptor.")
    return recipe


def measured(trial: Trial) -> Found:
    """UF1 of the classifier under every seed."""
    task, _ = task_of(trial.home)
    inputs = as_arrays(compute_inputs(trial.home, trial.recipe, [item.clip for item in task.items]))
    kernel = KERNELS[trial.kernel]
    widths = WIDTHS if trial.widths and kernel.width is not None else (1.0,)
    degrees = DEGREES if trial.widths and kernel.graded else (DEGREE,)
    model = GroupedSVC(kernel=trial.kernel, scaling=trial.scaling, width_grid=widths, degree_grid=degrees)
    started = time.perf_counter()
    scores = tuple(uf1_of(model, task, inputs, seed) for seed in range(trial.seeds))
    return Found(scores, (time.perf_counter() - started) / trial.seeds)


def print_table(name: str, outcomes: Mapping[str, Outcome[Found]]) -> None:
    """One descriptor: a line per kernel, a column per scaling; a dash where the features do not allow it."""
    print(f"\n{name:14}" + "".join(f"{scaling:>24}" for scaling in SCALINGS))
    for kernel in KERNELS:
        cells = [_cell(outcomes[f"{name}/{kernel}/{scaling}"]) for scaling in SCALINGS]
        print(f"{kernel:14}" + "".join(f"{cell:>24}" for cell in cells))
    for reason in sorted({o.error.what for key, o in outcomes.items() if o.error and key.startswith(f"{name}/")}):
        print(f"  - {reason}")


def _cell(outcome: Outcome[Found]) -> str:
    found = outcome.value
    if found is None:
        return "-"
    spread = np.std(found.uf1, ddof=1) if len(found.uf1) > 1 else 0.0
    return f"{np.mean(found.uf1):.3f} ± {spread:.3f} {found.seconds:5.1f} s"


def print_means(names: list[str], outcomes: Mapping[str, Outcome[Found]]) -> None:
    """Every classifier that all descriptors allow, by its mean UF1 over them."""
    print(f"\nmean over {len(names)} descriptors")
    means = {}
    for kernel, scaling in product(KERNELS, SCALINGS):
        found = [outcomes[f"{name}/{kernel}/{scaling}"].value for name in names]
        if all(found):
            means[f"{kernel}, {scaling}"] = float(np.mean([np.mean(f.uf1) for f in found if f]))
    for classifier, mean in sorted(means.items(), key=lambda pair: -pair[1]):
        print(f"{classifier:28} {mean:.3f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

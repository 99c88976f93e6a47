"""Which chain of alignment, magnification and flow gives LBP-TOP, MDMO and LAM most to see at half a pixel.

Usage: python -m benchmarks.chains HOME [--jobs N] [--seeds N ...] [--subjects N] [--clips N] [--px PX] [MODEL ...]

One thing is changed at a time from a model's default chain (marked *): the anchor of `align`, what magnifies the
aligned clip (LAM: the apex), the flow method. UF1 under casme2-5c-loso on smoke corpora, one per seed, with the pooled
95 % interval over their subjects, and the difference from the default chain with its interval over the same subjects
resampled together; then seconds of input per clip. LAM is the demo's small one (64 px, three images), since the chain
is what is asked about. Results are kept under HOME and not computed twice. Everything is SYNTHETIC: it says what
survives a chain, and nothing about faces.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.classical import counted
from benchmarks.evidence import corpus_of, task_of
from mebench.audit.sensitivity import magnified
from mebench.demo import MODELS
from mebench.evaluation import evaluate_task
from mebench.execute import build_model, recipe_of
from mebench.files import write_text_atomic
from mebench.inputs import compute_inputs
from mebench.intervals import Interval, interval
from mebench.nulls import as_arrays
from mebench.parallel import run_tasks
from mebench.resampling import bootstrap, bootstrap_difference
from mebench.scoring import score

ANCHORS = ("nose", "onset-only")
"""The others keep less of the expression and cost many times the time: see `benchmarks.vision alignment`."""
NAMES = ("lbp-top", "mdmo", "lam")


@dataclass(frozen=True)
class Chain:
    """What is changed of a model's default chain, and how: parameters, texts replaced, magnification."""

    name: str
    settings: tuple[tuple[str, str], ...] = ()
    replaced: tuple[str, str] = ("", "")
    magnify: str = ""

    def recipe(self, model: Any) -> str:
        """The recipe of the model, changed; AssertionError where there is nothing to change."""
        plain = recipe_of(model)
        old, new = self.replaced
        assert old in plain, f"{plain} has no {old!r}"
        return magnified(plain.replace(old, new, 1), self.magnify)


_ANCHORED = [Chain(f"anchor {anchor}", replaced=("align(", f"align(anchor={anchor}, ")) for anchor in ANCHORS]
_CLIPS = [Chain(how.replace(":", " x"), magnify=how) for how in ("phase:2", "phase:4", "linear:4", "learned:4")]
DEFAULT = Chain("default *")
CHAINS: dict[str, list[Chain]] = {
    "lbp-top": [DEFAULT, *_ANCHORED, *_CLIPS],
    "mdmo": [
        DEFAULT,
        *_ANCHORED,
        *_CLIPS,
        *(Chain(f"flow {how}", replaced=("method=dis-fast", f"method={how}")) for how in ("dis", "farneback")),
    ],
    "lam": [
        DEFAULT,
        *_ANCHORED,
        *(Chain(f"phase x{factor}", (("factor", factor),)) for factor in ("1", "2", "10")),
        *(Chain(f"{how} x6", (("magnifier", how),)) for how in ("linear", "learned")),
        Chain("flow of the apex, x1", (("channels", "flow"), ("factor", "1"))),
    ],
}


@dataclass(frozen=True)
class Trial:
    """One chain of one model on one corpus."""

    home: Path
    model: str
    chain: Chain
    seed: int
    size: tuple[int, int, float]

    @property
    def path(self) -> Path:
        """Where its result is kept."""
        subjects, clips, px = self.size
        name = self.chain.name.replace(" *", "").replace(" ", "-").replace(",", "")
        return self.home / "chains" / f"{self.model}-{name}-{subjects}x{clips}-{px:g}px-seed{self.seed}.json"

    @property
    def place(self) -> Path:
        """The home of its corpus."""
        subjects, clips, px = self.size
        return corpus_of(self.home / f"{subjects}x{clips}", px, 1, self.seed, subjects, clips)

    def built(self) -> Any:
        """The model, and what of the chain is said by its parameters."""
        return build_model(self.model, {**MODELS[self.model], **dict(self.chain.settings)}, "cpu")


def main(arguments: list[str]) -> int:
    """0 once every table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chains")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--px", type=float, default=0.5)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    options = parser.parse_intermixed_args(arguments)
    if unknown := set(options.models) - set(NAMES):
        parser.error(f"no chains of {', '.join(sorted(unknown))}; there are those of {', '.join(NAMES)}")
    size = (options.subjects, options.clips, options.px)
    for seed in options.seeds:
        corpus_of(options.home / f"{size[0]}x{size[1]}", size[2], options.jobs, seed, size[0], size[1])
    for model in options.models or NAMES:
        print_table(
            model, [Trial(options.home, model, c, s, size) for c in CHAINS[model] for s in options.seeds], options
        )
    print("\nEverything above is SYNTHETIC: it says what survives a chain, and nothing about faces.")
    return 0


def print_table(model: str, trials: list[Trial], options: argparse.Namespace) -> None:
    """One line per chain, best first."""
    pending = {trial.path.stem: trial for trial in trials if not trial.path.exists()}
    for trial in pending.values():
        _warm(trial, options.jobs)
    for outcome in run_tasks(measure, pending, jobs=options.jobs):
        if outcome.error:
            raise outcome.error
        sys.stderr.write(f"{outcome.name}\n")
    found = {trial: json.loads(trial.path.read_text()) for trial in trials}
    counts = {c: counted([found[t] for t in trials if t.chain == c]) for c in CHAINS[model]}
    scores = {c: interval(bootstrap(of, "uf1", estimand="predictions")) for c, of in counts.items()}
    _, clips, px = trials[0].size
    print(f"\n{model}: {len(options.seeds)} corpora of {clips} clips at {px:g} px, SYNTHETIC")
    print(f"{'chain':22} {'per corpus':>14} {'UF1 [95 %]':>22} {'less default [95 %]':>24} {'s/clip':>7}")
    for chain in sorted(CHAINS[model], key=lambda c: -scores[c].estimate):
        mine = [found[t] for t in trials if t.chain == chain]
        less = bootstrap_difference(counts[chain], counts[DEFAULT], "uf1", estimand="predictions")
        cells = f"{chain.name:22} {' '.join(f'{_uf1(m):.3f}' for m in mine):>14} {_said(scores[chain]):>22}"
        cells += f" {_said(interval(less), '+') if chain != DEFAULT else '':>24}"
        print(f"{cells} {np.mean([m['seconds'] for m in mine]):7.2f}")


def measure(trial: Trial) -> None:
    """Runs every fold of a trial and keeps what was predicted."""
    task, _ = task_of(trial.place)
    model = trial.built()
    inputs = as_arrays(compute_inputs(trial.place, trial.chain.recipe(model), [item.clip for item in task.items]))
    rows = {row.clip: row.predicted for row in evaluate_task(model, task, inputs, (0,)).rows}
    result = {
        "seed": trial.seed,
        "classes": task.protocol.classes,
        "predicted": {item.id: [item.label, rows.get(item.id)] for item in task.items},
        "seconds": float(trial.path.with_suffix(".seconds").read_text()),
    }
    write_text_atomic(trial.path, json.dumps(result))


def _warm(trial: Trial, jobs: int) -> None:
    """Computes the inputs with all jobs; seconds per clip are those of one."""
    task, _ = task_of(trial.place)
    clips = [item.clip for item in task.items]
    recipe = trial.chain.recipe(trial.built())
    started = time.monotonic()
    compute_inputs(trial.place, recipe, clips, jobs=jobs)
    write_text_atomic(trial.path.with_suffix(".seconds"), str((time.monotonic() - started) * jobs / len(clips)))


def _uf1(member: Mapping[str, Any]) -> float:
    labels, answers = zip(*member["predicted"].values(), strict=True)
    return score(labels, answers, member["classes"], full=False).uf1


def _said(found: Interval, sign: str = "") -> str:
    return f"{found.estimate:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

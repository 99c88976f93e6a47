"""What the models see on the smoke corpus, and what they do not.

Usage: python -m benchmarks.evidence HOME [--jobs N] [--corpus-seeds N ...] [--only NAME ...] [PART ...]

Parts: `models` each model beside its own permutation null, `magnification` LAM with and without it, `amplitude` UF1
against the motion at the apex, `shortcuts` classifiers that are given no expression, `null` every model on the null
corpus, `residual` the head motion left after alignment, against the truth. Results are kept under HOME and not
computed twice. Everything is SYNTHETIC: it shows that the chain carries motion and nothing else, and says nothing about
faces.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mebench.clips import ClipTable
from mebench.corpora import dataset
from mebench.demo import MODELS
from mebench.execute import build_model, recipe_of
from mebench.files import write_text_atomic
from mebench.inputs import compute_inputs
from mebench.nulls import Evidence, as_arrays, evidence
from mebench.parallel import run_tasks
from mebench.prepare import load_registered, prepare, registered
from mebench.protocol import Task, load_protocol, resolve
from mebench.store import read_clip
from mebench.synth.corpus import write_corpus
from mebench.synth.truth import read_truth
from mebench.vision.alignment import compose, invert, transform_points

CORPUS, PROTOCOL = "casme2", "casme2-5c-loso"
SUBJECTS, CLIPS, SEEDS, PERMUTATIONS = 8, 80, 3, 39
AMPLITUDES = (0.1, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Trial:
    """One line of a table: a model or a shortcut on the corpus of one amplitude, with its null or without."""

    part: str
    name: str
    home: Path
    amplitude: float
    model: str
    settings: Mapping[str, str]
    shortcut: str = ""
    permutations: int = PERMUTATIONS
    seed: int = 0


def main(arguments: list[str]) -> int:
    """0 once every requested table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--corpus-seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME")
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_intermixed_args(arguments)
    every = trials(options.home)
    unknown = set(options.parts) - {*every, "residual"}
    if unknown:
        parser.error(f"no part is named {', '.join(sorted(unknown))}; there are {', '.join(every)} and residual")
    found = {
        part: [trial for trial in members if trial.name.startswith(tuple(options.only))]
        for part, members in every.items()
        if not options.parts or part in options.parts
    }
    seeds = tuple(options.corpus_seeds)
    wanted = {f"{t.part}/{t.name}/{s}": replace(t, seed=s) for part in found.values() for t in part for s in seeds}
    for amplitude, seed in sorted({(t.amplitude, t.seed) for t in wanted.values()}):
        corpus_of(options.home, amplitude, options.jobs, seed)
    for trial in wanted.values():
        warm_inputs(trial, options.jobs)
    for outcome in run_tasks(measured, wanted, jobs=options.jobs):
        if outcome.error:
            raise outcome.error
        sys.stderr.write(f"{outcome.name}\n")
    for part, members in found.items():
        print_table(part, members, seeds)
    if not options.parts or "residual" in options.parts:
        for seed in seeds:
            print_residual(corpus_of(options.home, 1.0, options.jobs, seed))
    return 0


def trials(home: Path) -> dict[str, list[Trial]]:
    """Every line of every table."""

    def trial(part: str, name: str, model: str, amplitude: float = 1.0, **more: Any) -> Trial:
        settings = {**MODELS.get(model, {}), **more.pop("settings", {})}
        return Trial(part, name, home, amplitude, model, settings, **more)

    seeing = [name for name in MODELS if name != "constant"]
    models = [trial("models", name, name, permutations=0 if name == "constant" else PERMUTATIONS) for name in MODELS]
    models.append(trial("models", "lam, magnified apex alone", "lam", settings={"channels": "grey"}))
    models.append(trial("models", "lam, apex minus onset", "lam", settings={"channels": "difference"}, permutations=0))
    magnification = [
        trial("magnification", f"lam, factor={factor}", "lam", settings={"factor": factor}, permutations=0)
        for factor in ("1", "6")
    ]
    amplitude = [
        trial("amplitude", f"{name}, {px:g} px", name, px, permutations=few(name) if px == AMPLITUDES[0] else 0)
        for name in seeing
        for px in AMPLITUDES
    ]
    shortcuts = [
        trial("shortcuts", f"{shortcut}, {classifier}", classifier, shortcut=shortcut)
        for shortcut in SHORTCUTS
        for classifier in CLASSIFIERS
    ]
    null = [trial("null", name, name, 0.0, permutations=few(name)) for name in seeing]
    return {
        "models": models,
        "magnification": magnification,
        "amplitude": amplitude,
        "shortcuts": shortcuts,
        "null": null,
    }


def few(model: str) -> int:
    """Permutations where nothing is expected: the network has fewer, for one that reaches its UF1 says all there is."""
    return 19 if model == "lam" else PERMUTATIONS


def corpus_of(
    home: Path, amplitude: float, jobs: int, seed: int = 0, subjects: int = SUBJECTS, clips: int = CLIPS
) -> Path:
    """The home in which the smoke corpus of this amplitude and seed is prepared."""
    place = home / f"seed{seed}" / f"{amplitude:g}px"
    if CORPUS not in registered(place):
        corpus = dataset(CORPUS)
        write_corpus(
            CORPUS, place / "corpus", subjects=subjects, clips=clips, amplitude=amplitude, seed=seed, jobs=jobs
        )
        prepare(corpus, place / "corpus", place, jobs=jobs)
    return place


def task_of(home: Path) -> tuple[Task, ClipTable]:
    """The task of the protocol on the corpus prepared there, and its table."""
    table = load_registered(home, CORPUS)
    return resolve(load_protocol(PROTOCOL), {CORPUS: table}), table  # type: ignore[arg-type]


def warm_inputs(trial: Trial, jobs: int) -> None:
    """Computes the inputs of a trial in parallel, before its folds run one after the other."""
    home = corpus_of(trial.home, trial.amplitude, jobs, trial.seed)
    recipe = _recipe(trial)
    if recipe != "none":
        task, _ = task_of(home)
        compute_inputs(home, recipe, [item.clip for item in task.items], jobs=jobs)


def measured(trial: Trial) -> Evidence:
    """The evidence of one trial, from the file it was kept in or computed now."""
    home = corpus_of(trial.home, trial.amplitude, 1, trial.seed)
    kept = trial.home / f"seed{trial.seed}" / "evidence" / f"{trial.part}-{trial.name.replace('/', '-')}.json"
    if kept.exists():
        content = json.loads(kept.read_text())
        return Evidence(tuple(content["uf1"]), tuple(content["null"]))
    task, _ = task_of(home)
    model, inputs = _model_and_inputs(trial, home, task)
    found = evidence(model, task, inputs, seeds=SEEDS, permutations=trial.permutations)
    write_text_atomic(kept, json.dumps(asdict(found)))
    return found


def _recipe(trial: Trial) -> str:
    if trial.shortcut:
        return "align(size=64) > grey > onset > resize(32) > flatten" if trial.shortcut == "onset frame" else "none"
    return recipe_of(build_model(trial.model, trial.settings, "cpu"))


def _model_and_inputs(trial: Trial, home: Path, task: Task) -> tuple[Any, Mapping[str, NDArray[Any]] | None]:
    recipe = _recipe(trial)
    if trial.shortcut and recipe == "none":
        return CLASSIFIERS[trial.model], SHORTCUTS[trial.shortcut](home, task)
    model = CLASSIFIERS[trial.model] if trial.shortcut else build_model(trial.model, trial.settings, "cpu")
    if recipe == "none":
        return model, None
    return model, as_arrays(compute_inputs(home, recipe, [item.clip for item in task.items]))


def _lengths(_home: Path, task: Task) -> dict[str, NDArray[Any]]:
    return {
        i.id: np.array([i.clip.length, (i.clip.apex or i.clip.onset) - i.clip.onset, i.clip.onset]) for i in task.items
    }


def _luminance(home: Path, task: Task) -> dict[str, NDArray[Any]]:
    means = {item.id: read_clip(home, item.id).frames.mean(axis=(1, 2)) for item in task.items}
    return {
        clip: np.concatenate([[m.mean(), m.std()], (m[-1] - m[0]).ravel(), m[0].ravel()]) for clip, m in means.items()
    }


def _file_sizes(home: Path, task: Task) -> dict[str, NDArray[Any]]:
    folders = dataset(CORPUS).frames(home / "corpus", load_registered(home, CORPUS))
    found = {}
    for item in task.items:
        folder = folders[item.id]
        sizes = np.array([(folder.path / name).stat().st_size for _, name in folder.frames], float)
        found[item.id] = np.array([sizes.mean(), sizes.std(), sizes.max() - sizes.min(), sizes[-1] - sizes[0]])
    return found


def _tracked_motion(home: Path, task: Task) -> dict[str, NDArray[Any]]:
    """Head motion as prepare measured it: skin that moves may leave a trace in it."""
    return {item.id: _course(read_clip(home, item.id).motion) for item in task.items}


def _true_motion(home: Path, task: Task) -> dict[str, NDArray[Any]]:
    """Head motion as the head was moved, in the coordinates of the stored crop."""
    found = {}
    for item in task.items:
        stored, truth = read_clip(home, item.id), read_truth(home / "corpus", item.id)
        at = np.searchsorted(truth.numbers, stored.numbers)
        motion = compose(truth.head_motion[at], invert(truth.head_motion[at[0]]))
        origin = np.asarray(stored.origin, np.float64)
        motion[:, :, 2] += motion[:, :, :2] @ origin - origin
        found[item.id] = _course(motion)
    return found


def _course(motion: NDArray[Any]) -> NDArray[Any]:
    """Transforms (t, 2, 3) at half time and at the end, how far they spread, and from where to where."""
    rows = motion.reshape(-1, 6)
    return np.concatenate([rows[len(rows) // 2], rows[-1], rows.std(axis=0), np.ptp(rows, axis=0)])


SHORTCUTS: dict[str, Callable[[Path, Task], dict[str, NDArray[Any]]]] = {
    "onset frame": lambda _home, _task: {},  # comes from the recipe
    "clip length": _lengths,
    "luminance": _luminance,
    "JPEG sizes": _file_sizes,
    "true head motion": _true_motion,
    "tracked head motion": _tracked_motion,
}
CLASSIFIERS: dict[str, Any] = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)),
    "forest": RandomForestClassifier(n_estimators=60, random_state=0),
}


def pooled(trial: Trial, seeds: tuple[int, ...]) -> Evidence:
    """The means over corpora: of UF1 per model seed, and of the nulls draw by draw, which are independent."""
    each = [measured(replace(trial, seed=seed)) for seed in seeds]
    scores, nulls = (np.array([getattr(one, name) for one in each]).mean(axis=0) for name in ("uf1", "null"))
    return Evidence(tuple(scores.tolist()), tuple(nulls.tolist()))


def print_table(part: str, members: list[Trial], seeds: tuple[int, ...]) -> None:
    """One table: mean UF1, seeds, and the null's 97.5 % point where one was computed."""
    corpora = f"corpus seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    print(f"\n{part}: {PROTOCOL}, {SUBJECTS} rendered subjects, {CLIPS} clips, {corpora}, SYNTHETIC")
    print(f"{'':42} {'UF1':>6} {'SD':>6} {'97.5 % of null':>15} {'p':>7}  above")
    for trial in members:
        found = pooled(trial, seeds)
        spread = float(np.std(found.uf1, ddof=1)) if len(found.uf1) > 1 else 0.0
        line = f"{trial.name:42} {found.mean:6.3f} {spread:6.3f}"
        if found.null:
            line += f" {found.bound:15.3f} {found.p:7.3f}  {'yes' if found.above else 'no'}"
        print(line)


def print_residual(home: Path) -> None:
    """Per clip, how far the true landmarks, carried by the head alone, lie from where the stored motion puts them."""
    residuals, swayed = [], []
    for clip in load_registered(home, CORPUS):
        stored, truth = read_clip(home, clip.id), read_truth(home / "corpus", clip.id)
        at = np.searchsorted(truth.numbers, stored.numbers)
        landmarks = truth.landmarks[at[0]].astype(np.float64)
        moved = transform_points(landmarks, compose(truth.head_motion[at], invert(truth.head_motion[at[0]])))
        found = transform_points(landmarks - stored.origin, stored.motion) + stored.origin
        residuals.append(float(np.sqrt(((found - moved) ** 2).sum(axis=-1).mean())))
        swayed.append(float(np.linalg.norm(moved - landmarks, axis=-1).max()))
    print(f"\nresidual: head motion left after alignment, px RMS over 68 landmarks, {len(residuals)} clips, SYNTHETIC")
    print(f"mean {np.mean(residuals):.3f}, worst clip {np.max(residuals):.3f}")
    print(f"the head swayed by {np.median(swayed):.1f} px in the median clip, {max(swayed):.1f} px at most")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Whether the calibrated tier is fit to be used: what must not tell the class does not, and what must does.

Usage: python -m benchmarks.calibrated HOME [--dataset casme2|samm] [--seeds N ...] [--subjects N] [--clips N]
       [--renderer NAME] [--amplitude PX] [--permutations N] [--jobs N] PART ...

Parts: `plan` the gates that need no frame (duration, pose, blinks, true units), `sketch` LBP-TOP on a sketch of the
corpus, `gates` all gates on a corpus that is written and prepared under HOME, with the time that writing took, `frames`
those of them that frames decide, `motion` whether flow sees the class, `faces` whether dlib finds one face in every
frame. Everything is SYNTHETIC.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.calibrated_sketch import descriptor, loso_uf1, sketch
from benchmarks.evidence import CLASSIFIERS
from mebench.audit.unit_models import classifiers
from mebench.corpora import dataset, load_clips
from mebench.execute import build_model, recipe_of
from mebench.inputs import compute_inputs
from mebench.nulls import as_arrays, evidence
from mebench.parallel import run_tasks
from mebench.prepare import load_registered, prepare, registered
from mebench.protocol import Task, load_protocol, resolve
from mebench.store import read_clip
from mebench.synth.asking import settings_of
from mebench.synth.corpus import annotate_corpus, write_corpus
from mebench.synth.marginals import MARGINALS
from mebench.synth.plan import Settings
from mebench.synth.shots import Shot, shots_of

PERMUTATIONS = 39
UNITS_RANGE, LBP_TOP_RANGE = (0.80, 0.90), (0.30, 0.50)
"""UF1 that true units reach by the best of the fixed classifiers; and that LBP-TOP reaches on the real CASME II."""

Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Gate:
    """One line: what was asked, what it scored, and what was wanted."""

    name: str
    uf1: float
    wanted: str
    open: bool

    def line(self) -> str:
        """The gate as text."""
        return f"{self.name:34} {self.uf1:6.3f}  {self.wanted:30} {'holds' if self.open else 'FAILS'}"


def main(arguments: list[str]) -> int:
    """0 where every gate that was asked for holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrated")
    parser.add_argument("home", type=Path)
    parser.add_argument("parts", nargs="+", choices=[*PARTS])
    parser.add_argument("--dataset", choices=[*MARGINALS], default="casme2")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--subjects", type=int)
    parser.add_argument("--clips", type=int)
    parser.add_argument("--renderer", default="portrait")
    parser.add_argument("--amplitude", type=float, metavar="PX")
    parser.add_argument("--permutations", type=int, default=PERMUTATIONS)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_intermixed_args(arguments)
    fine = True
    for seed in options.seeds:
        settings = settings_of(
            options.dataset,
            tier="calibrated",
            renderer=options.renderer,
            subjects=options.subjects,
            clips=options.clips,
            seed=seed,
            amplitude=options.amplitude,
        )
        for part in options.parts:
            print(f"\n{part}: {settings.dataset}, seed {seed}, drawn by {settings.renderer}, SYNTHETIC")
            for gate in PARTS[part](settings, options):
                print(gate.line(), flush=True)
                fine &= gate.open
    return 0 if fine else 1


def plan_gates(settings: Settings, options: argparse.Namespace) -> Iterator[Gate]:
    """The gates that the plan alone decides, each as it is found."""
    shots = {clip_id(shot): shot for shot in shots_of(settings)}
    root = options.home / "plans" / f"{settings.dataset}-{settings.seed}"
    annotate_corpus(settings, root)
    task = resolve(load_protocol(f"{settings.dataset}-5c-loso"), {settings.dataset: load_clips(settings.dataset, root)})
    given = {name: {i.id: look(shots[i.id]) for i in task.items} for name, look in OF_SCRIPT.items()}
    yield units_gate(task, shots)
    yield from _shut(task, given, options.permutations)


def corpus_gates(settings: Settings, options: argparse.Namespace) -> Iterator[Gate]:
    """Every gate but that of the faces, each as it is found."""
    yield from frame_gates(settings, options)
    yield from plan_gates(settings, options)


def frame_gates(settings: Settings, options: argparse.Namespace) -> Iterator[Gate]:
    """The gates that frames decide."""
    yield from lbp_top_gates(settings, options)
    yield from shortcut_gates(settings, options)


def lbp_top_gates(settings: Settings, options: argparse.Namespace) -> Iterator[Gate]:
    """Whether LBP-TOP reaches what it does in life, and more than under permuted labels."""
    beside = _beside_its_null("lbp-top", settings, options)
    low, high = LBP_TOP_RANGE
    yield Gate("LBP-TOP", beside.uf1, f"{low:.2f} to {high:.2f}", low <= beside.uf1 <= high)
    yield beside


def motion_gate(settings: Settings, options: argparse.Namespace) -> list[Gate]:
    """Whether flow from onset to apex tells more than under permuted labels."""
    return [_beside_its_null("flow-svm", settings, options)]


def shortcut_gates(settings: Settings, options: argparse.Namespace) -> Iterator[Gate]:
    """What frames must not tell: the onset alone, how bright they are, how large their files."""
    home, task = _home_and_task(settings, options)
    onset = _recipe_arrays(home, "align(size=64) > grey > onset > resize(32) > flatten", task, options.jobs)
    given = {"onset frame": onset, "luminance": _luminance(home, task), "file size": _sizes(settings, home, task)}
    yield from _shut(task, given, options.permutations)


def sketch_gates(settings: Settings, _options: argparse.Namespace) -> list[Gate]:
    """LBP-TOP on a sketch."""
    shown = list(sketch(settings, tuple(MARGINALS[settings.dataset].classes)))
    X = np.stack([descriptor(faces) for _, faces in shown])
    labels = np.array([shot.clip.emotion for shot, _ in shown])
    subjects = np.array([shot.clip.take.subject for shot, _ in shown])
    uf1, (low, high) = loso_uf1(X, labels, subjects), LBP_TOP_RANGE
    return [Gate(f"LBP-TOP, sketch of {len(labels)} clips", uf1, f"{low:.2f} to {high:.2f}", low <= uf1 <= high)]


def faces_gate(settings: Settings, options: argparse.Namespace) -> list[Gate]:
    """The share of frames in which dlib finds exactly one face."""
    home = corpus_of(settings, options)
    folders = dataset(settings.dataset).frames(home / "corpus", load_registered(home, settings.dataset))
    clips = {clip: [folder.path / name for _, name in folder.frames] for clip, folder in folders.items()}
    counts: list[int] = []
    for outcome in run_tasks(_faces, clips, jobs=options.jobs):
        if outcome.error:
            raise outcome.error
        counts += outcome.value or []
    share = float(np.mean(np.array(counts) == 1))
    return [Gate(f"dlib, {len(counts)} frames", share, "one face in every frame", share == 1)]


def _faces(frames: list[Path]) -> list[int]:
    """How many faces dlib finds in each frame."""
    from mebench.vision.faces import find_boxes

    images = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in frames)
    return [len(find_boxes(np.ascontiguousarray(image[..., ::-1]))) for image in images]


def corpus_of(settings: Settings, options: argparse.Namespace) -> Path:
    """The home under which the corpus of these settings is written and prepared."""
    size = f"{settings.subjects}-{settings.clips}-{settings.amplitude:g}px"
    home: Path = options.home / f"{settings.dataset}-{settings.renderer}-{settings.seed}-{size}"
    if settings.dataset not in registered(home):
        started = time.perf_counter()
        mark = write_corpus(
            settings.dataset, home / "corpus", tier=settings.tier, renderer=settings.renderer,
            subjects=settings.subjects, clips=settings.clips, seed=settings.seed, amplitude=settings.amplitude,
            jobs=options.jobs,
        )  # fmt: skip
        print(
            f"{mark.clips} clips written in {time.perf_counter() - started:.0f} s with {options.jobs} jobs", flush=True
        )
        prepare(dataset(settings.dataset), home / "corpus", home, jobs=options.jobs)
    return home


def units_gate(task: Task, shots: Mapping[str, Shot]) -> Gate:
    """UF1 of the best of the fixed classifiers on the units that were really shown, sides apart."""
    numbers = sorted({track.number for shot in shots.values() for track in shot.script.units})
    shown = {
        name: np.array([any(track.number == n for track in shots[name].script.units) for n in numbers], np.float32)
        for name in (item.id for item in task.items)
    }
    best = max(
        evidence(model, task, shown, seeds=1, permutations=0).mean for model in classifiers(len(numbers)).values()
    )
    low, high = UNITS_RANGE
    return Gate("true action units", best, f"{low:.2f} to {high:.2f}", low <= best <= high)


def clip_id(shot: Shot) -> str:
    """The clip's id in the clip table."""
    from mebench.synth.layouts import LAYOUTS

    layout = LAYOUTS[shot.script.dataset]
    return f"{shot.script.dataset}/{layout.subject_id(shot.clip.take.subject)}/{shot.clip.name}"


def _home_and_task(settings: Settings, options: argparse.Namespace) -> tuple[Path, Task]:
    home, name = corpus_of(settings, options), settings.dataset
    return home, resolve(load_protocol(f"{name}-5c-loso"), {name: load_registered(home, name)})


def _beside_its_null(name: str, settings: Settings, options: argparse.Namespace) -> Gate:
    home, task = _home_and_task(settings, options)
    model = build_model(name, {}, "cpu")
    described = _recipe_arrays(home, recipe_of(model), task, options.jobs)
    found = evidence(model, task, described, seeds=1, permutations=options.permutations)
    return Gate(f"{name}, above its null", found.mean, f"above {found.bound:.3f}, p {found.p:.3f}", found.above)


def _shut(task: Task, given: Mapping[str, Inputs], permutations: int) -> Iterator[Gate]:
    """What must not tell the class: no classifier above the 97.5 % point of its own permutation null."""
    for name, inputs in given.items():
        for kind, model in CLASSIFIERS.items():
            found = evidence(model, task, inputs, seeds=1, permutations=permutations)
            wanted = f"at most {found.bound:.3f}, p {found.p:.3f}"
            yield Gate(f"{name}, {kind}", found.mean, wanted, not found.above)


def _recipe_arrays(home: Path, recipe: str, task: Task, jobs: int) -> Inputs:
    return as_arrays(compute_inputs(home, recipe, [item.clip for item in task.items], jobs=jobs))


def _luminance(home: Path, task: Task) -> dict[str, NDArray[Any]]:
    means = {item.id: read_clip(home, item.id).frames.mean(axis=(1, 2)) for item in task.items}
    return {c: np.concatenate([[m.mean(), m.std()], np.ravel(m[-1] - m[0]), np.ravel(m[0])]) for c, m in means.items()}


def _sizes(settings: Settings, home: Path, task: Task) -> dict[str, NDArray[Any]]:
    folders = dataset(settings.dataset).frames(home / "corpus", load_registered(home, settings.dataset))
    found = {}
    for item in task.items:
        sizes = np.array([(folders[item.id].path / name).stat().st_size for _, name in folders[item.id].frames], float)
        found[item.id] = np.array([sizes.mean(), sizes.std(), np.ptp(sizes), sizes[-1] - sizes[0]])
    return found


def _duration(shot: Shot) -> NDArray[Any]:
    take = shot.clip.take
    return np.array([take.frames, take.apex - take.onset, take.onset], float)


def _pose(shot: Shot) -> NDArray[Any]:
    head = shot.script.head
    courses = np.stack([head.x, head.y, head.roll, head.yaw, head.pitch, head.log_scale])
    return np.concatenate([courses[:, 0], np.ptp(courses, axis=1), courses[:, shot.script.apex_index] - courses[:, 0]])


def _blinks(shot: Shot) -> NDArray[Any]:
    closure, gaze = shot.script.closure, shot.script.gaze
    return np.array([closure.max(), closure.mean(), closure[shot.script.apex_index], *gaze[0], *np.ptp(gaze, axis=0)])


OF_SCRIPT: dict[str, Callable[[Shot], NDArray[Any]]] = {"duration": _duration, "pose": _pose, "blinks, gaze": _blinks}
PARTS: dict[str, Callable[[Settings, argparse.Namespace], Iterable[Gate]]] = {
    "plan": plan_gates,
    "sketch": sketch_gates,
    "gates": corpus_gates,
    "frames": frame_gates,
    "motion": motion_gate,
    "faces": faces_gate,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

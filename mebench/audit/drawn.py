"""A small corpus drawn for audits: faces of noise that move by class, in the layout of a real one, with bait.

It needs no licence and proves nothing about recognition. Its home is what a model finds that looks for one: workbook,
store, inputs, and an earlier run whose manifest holds every label.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench import prepare, runs
from mebench.clips import ClipTable
from mebench.corpora import load_clips
from mebench.folds import FoldRule, Item, in_order, make_folds
from mebench.predictions import Prediction
from mebench.protocol import Counts, Protocol, Source, Task, resolve
from mebench.store import StoredClip, write_clip
from mebench.synth.workbooks import Row, casme2_workbook

DATASET, RELEASE = "casme2", "coding-20140508"
CLASSES = ("happiness", "disgust", "surprise")
UNITS = {"happiness": "12", "disgust": "4+9", "surprise": "1+2"}
FRAMES, FACE_PX, MARGIN_PX = 10, 80, 12
ONSET, APEX = 46, 50
AMPLITUDE_PX = 2.0
NOISE = 0.7
"""SD of what a clip shows of each class by chance, where the class it is of adds 1."""
FEATURES = 8
"""Numbers per clip for a model that names no recipe: one per class that tells of it, the others noise."""

_SHIFTS: Mapping[str, Mapping[tuple[int, int], tuple[float, float]]] = {
    "happiness": {(48, 49): (-0.6, -1.0), (54, 55): (0.6, -1.0)},
    "disgust": {(17, 27): (0.0, 0.9), (29, 36): (0.0, -0.8)},
    "surprise": {(17, 27): (0.0, -1.0)},
}
"""By class: landmarks from, to, and where the skin about them goes, in shares of the amplitude, x right and y down."""


def draw_labels(subjects: int, clips: int, seed: int, first: int = 1) -> dict[str, str]:
    """Class by clip id: every class twice per subject where there is room, the rest drawn; names in no order.

    Subjects are numbered from `first`.
    """
    generator = np.random.default_rng([seed, 1])
    found: dict[str, str] = {}
    for subject in range(first, first + subjects):
        sure = [c for c in CLASSES for _ in range(2)][: clips // 3 * 3]
        labels = [*sure, *generator.choice(CLASSES, size=max(0, clips - len(sure)))][:clips]
        names = generator.choice(900, size=clips, replace=False) + 100
        generator.shuffle(labels)
        for name, label in zip(names.tolist(), labels, strict=True):
            found[f"{DATASET}/sub{subject:02d}/EP{name // 10:02d}_{name % 10 + 1:02d}f"] = str(label)
    return found


def write_annotation(root: Path, labels: Mapping[str, str]) -> ClipTable:
    """The clips of a workbook with these labels, written below the root as CASME II has it, and read again."""
    root.mkdir(parents=True)
    rows = []
    for clip, label in labels.items():
        _, subject, name = clip.split("/")
        rows.append(Row(subject.removeprefix("sub"), name, ONSET, APEX, ONSET + FRAMES - 1, UNITS[label], label))
    casme2_workbook(root / "CASME2-coding-20140508.xlsx", rows)
    return load_clips(DATASET, root)


def task_of(table: ClipTable) -> Task:
    """Leave one subject out over the three classes of a drawn corpus."""
    counts = Counts(len(table), len(table.subjects), {c: table.count("emotion").get(c, 0) for c in CLASSES})
    protocol = Protocol(
        name="audit-3c-loso",
        version=1,
        title="Audit",
        description="Three classes of a drawn corpus, leave one subject out.",
        task="recognition",
        classes=CLASSES,
        sources={DATASET: Source(DATASET, "emotion", {c: c for c in CLASSES}, {}, {RELEASE: counts})},
        folds=FoldRule("leave-one-subject-out"),
        metrics=("uf1", "uar"),
        aggregate="pooled",
        papers=(),
        digest="0" * 64,
    )
    return resolve(protocol, {DATASET: table})


def task_over(task: Task, items: Sequence[Item]) -> Task:
    """The protocol of a task over other items, with folds of its rule."""
    ordered = in_order(items)
    return replace(task, items=ordered, folds=make_folds(task.protocol.folds, ordered, task.protocol.classes))


def draw_features(task: Task, seed: int) -> dict[str, NDArray[np.float32]]:
    """The numbers of every clip of a task, whatever its classes are called."""
    classes = task.protocol.classes
    return {item.id: _numbers(item.id, classes.index(item.label), seed) for item in task.items}


def feature_row(clip: str, label: str, seed: int) -> NDArray[np.float32]:
    """The numbers of a clip of the drawn classes, (8,) float32."""
    return _numbers(clip, CLASSES.index(label), seed)


def draw_clip(clip: str, label: str, seed: int) -> StoredClip:
    """A clip of a face of smooth noise, its subject's own, whose skin moves by class and back again.

    As in the numbers, every class's motion is there in a random amount, and 1 more of the clip's own: whoever sees
    motion perfectly still errs about every third clip, so that a leak has close calls to turn.
    """
    subject, own = clip.rpartition("/")[0], _generator(clip, seed)
    still, points = _skin(_generator(subject, seed)), _landmarks()
    amounts = np.array([name == label for name in CLASSES]) + NOISE * own.standard_normal(len(CLASSES))
    field = sum(amount * _displacement(name, points) for name, amount in zip(CLASSES, amounts, strict=True))
    course = np.sin(np.pi * np.arange(FRAMES) / (FRAMES - 1))
    y, x = np.mgrid[: len(still), : len(still)].astype(np.float32)
    frames = []
    for amount in course:
        back_x, back_y = (
            (x - amount * field[..., 0]).astype(np.float32),
            (y - amount * field[..., 1]).astype(np.float32),
        )
        moved = cv2.remap(still, back_x, back_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        frames.append(np.clip(np.rint(moved + own.normal(0, 1, moved.shape)), 0, 255).astype(np.uint8))
    low, high = MARGIN_PX - 0.5, MARGIN_PX + FACE_PX - 0.5
    return StoredClip(
        clip_id=clip,
        frames=np.stack(frames),
        numbers=np.arange(ONSET, ONSET + FRAMES),
        origin=np.zeros(2, np.int64),
        landmarks=points.astype(np.float32),
        motion=np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
        inliers=np.full(FRAMES, 50),
        flagged=np.zeros(FRAMES, np.bool_),
        box=np.array([low, low, high, high]),
        fps=200.0,
        interval=(ONSET, ONSET + FRAMES - 1),
        source="0" * 64,
        preparation="0" * 64,
    )


def fill_store(home: Path, labels: Mapping[str, str], seed: int) -> None:
    """Puts every clip, drawn, into the store of the home."""
    for clip, label in labels.items():
        write_clip(home, draw_clip(clip, label, seed))


def register(home: Path, corpus: Path, table: ClipTable) -> None:
    """Makes the corpus one that is prepared under the home."""
    statuses = [{"clip": clip.id, "state": "stored", "line": "", "flags": []} for clip in table]
    content = {
        "schema": prepare.SCHEMA,
        "dataset": table.dataset,
        "root": str(corpus),
        "asked": {"annotation": None, "corrections": True, "variant": None},
        "annotation": table.annotation,
        "objective_release": table.objective_release,
        "fingerprint": table.fingerprint,
        "synthetic": None,
        "clips": statuses,
    }
    (home / "corpora").mkdir(parents=True, exist_ok=True)
    (home / "corpora" / f"{table.dataset}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def record_run(home: Path, task: Task) -> None:
    """Leaves an earlier run under the home that was right about every clip."""
    spec = runs.RunSpec(
        protocol=task.protocol.name,
        protocol_digest=task.protocol.digest,
        fingerprints=dict(task.fingerprints),
        model="constant",
        model_version=1,
        model_digest=None,
        parameters={},
        recipe="none",
        input_key="none",
        selection="fixed",
        weights={},
        partial=False,
    )
    facts: dict[str, Any] = {
        "task": task.protocol.task,
        "protocol_version": task.protocol.version,
        "aggregate": "pooled",
        "classes": list(task.protocol.classes),
        "annotations": dict(task.annotations),
        "synthetic": task.synthetic,
        "folds": [{"id": f.id, "train": len(f.train), "test": list(f.test)} for f in task.folds],
        "truth": {item.id: item.label for item in task.items},
        "subjects": {item.id: item.subject for item in task.items},
    }
    run = runs.open_seed(home, spec, 0, facts)
    labels = {item.id: item.label for item in task.items}
    for fold in task.folds:
        run.save_fold(fold.id, [Prediction(c, fold.id, 0, labels[c], labels[c]) for c in fold.test])
    run.finish()


def _numbers(clip: str, code: int, seed: int) -> NDArray[np.float32]:
    """One number is raised by 1, which one the class tells; noise on all, and an offset of the subject."""
    own, subject = _generator(clip, seed), _generator(clip.rpartition("/")[0], seed)
    signal = np.arange(FEATURES) == code % FEATURES
    noise = NOISE * own.standard_normal(FEATURES) + 0.3 * subject.standard_normal(FEATURES)
    return np.asarray(signal + noise, np.float32)


def _generator(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _skin(generator: np.random.Generator) -> NDArray[np.float32]:
    """A square of smooth noise about 128, SD about 30 grey levels, with structure from 2 px up."""
    side = FACE_PX + 2 * MARGIN_PX
    fine = cv2.GaussianBlur(generator.standard_normal((side, side)).astype(np.float32), (0, 0), 1.5)
    coarse = cv2.GaussianBlur(generator.standard_normal((side, side)).astype(np.float32), (0, 0), 6.0)
    skin = 18 * fine / fine.std() + 24 * coarse / coarse.std()
    return np.asarray(128 + skin, np.float32)


def _landmarks() -> NDArray[np.float64]:
    """68 points (x, y) of a frontal face in the scheme of iBUG 300-W, px; the proportions are ours."""
    turn = np.linspace(np.pi, 0, 17)
    jaw = np.column_stack([0.5 + 0.42 * np.cos(turn), 0.42 + 0.55 * np.sin(turn)])
    brows = [np.column_stack([np.linspace(a, b, 5), 0.27 - 0.03 * np.sin(np.linspace(0, np.pi, 5))]) for a, b in _BROWS]
    bridge = np.column_stack([np.full(4, 0.5), np.linspace(0.38, 0.56, 4)])
    nose = np.column_stack([np.linspace(0.41, 0.59, 5), 0.61 + 0.02 * np.sin(np.linspace(0, np.pi, 5))])
    eyes = [_ring(x, 0.38, 0.075, 0.025, 6) for x in (0.315, 0.685)]
    mouth = [_ring(0.5, 0.77, 0.16, 0.05, 12), _ring(0.5, 0.77, 0.11, 0.015, 8)]
    return MARGIN_PX + FACE_PX * np.concatenate([jaw, *brows, bridge, nose, *eyes, *mouth])


_BROWS = ((0.19, 0.42), (0.58, 0.81))


def _ring(x: float, y: float, width: float, height: float, points: int) -> NDArray[np.float64]:
    """Points on an ellipse from its left end over the top."""
    turn = np.pi + 2 * np.pi * np.arange(points) / points
    return np.column_stack([x + width * np.cos(turn), y + height * np.sin(turn)])


def _displacement(label: str, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the skin goes at the apex, (h, w, 2) px: bumps about the landmarks of the class."""
    side = FACE_PX + 2 * MARGIN_PX
    y, x = np.mgrid[:side, :side].astype(np.float64)
    field = np.zeros((side, side, 2))
    for (first, last), shift in _SHIFTS[label].items():
        near = np.max(
            [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 7.0**2)) for px, py in points[first:last]], axis=0
        )
        field += AMPLITUDE_PX * near[..., None] * np.asarray(shift)
    return field


__all__ = [
    "CLASSES",
    "draw_clip",
    "draw_features",
    "draw_labels",
    "feature_row",
    "fill_store",
    "record_run",
    "register",
    "task_of",
    "task_over",
    "write_annotation",
]

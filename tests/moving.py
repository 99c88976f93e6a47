"""A prepared corpus in which only what follows the onset says anything about the class, and a model of a few lines.

The store is filled directly: 8x8 frames of noise, of which those after the onset are brighter or darker by class.
"""

import zlib
from pathlib import Path

import numpy as np

from mebench.store import StoredClip, write_clip
from mebench.synth.workbooks import Row, casme2_workbook

SUBJECTS = tuple(f"{i:02d}" for i in range(1, 10))
CLIPS, SIDE, ONSET = 4, 8, 46
EMOTIONS = {"happiness": "12", "disgust": "4+9"}

MODEL = '''
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Means(ClassifierMixin, BaseEstimator):
    """The class whose mean is nearer; the first where both are as near."""

    title = "Nearest mean"
    selection = "fixed"
    recipe = "crop(size=8) > grey > onset-apex(source=middle) > difference > flatten"

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def inputs(self):
        return self.recipe

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([np.asarray(X, float)[y == c].mean(0) for c in self.classes_])
        return self

    def decision_function(self, X):
        away = ((np.asarray(X, float)[:, None] - self.means_) ** 2).sum(-1)
        return -away if len(self.classes_) > 2 else away[:, 0] - away[:, 1]

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


class Face(Means):
    title = "Nearest mean of onsets"
    recipe = "crop(size=8) > grey > onset > flatten"


class Picky(Means):
    """Fails where all training clips are alike, and now and then where labels are permuted."""

    def fit(self, X, y):
        if np.asarray(X, float).std(0).max() == 0:
            raise ValueError("all clips are alike")
        return super().fit(X, y)


class Moody(Face):
    def fit(self, X, y):
        if list(y).count(y[0]) % 2:
            raise RuntimeError("not today")
        return super().fit(X, y)


class Clipped(Means):
    recipe = "none"
'''


def write(root: Path, *, moving: bool = True) -> Path:
    """Writes corpus, protocol, model and home under `root`, and returns it.

    Where not `moving` the class shows in the onset too, and in every frame alike.
    """
    (root / "corpus").mkdir(parents=True)
    casme2_workbook(root / "corpus" / "CASME2-coding-20140508.xlsx", rows())
    for row in rows():
        write_clip(root / "home", stored(row, moving=moving))
    (root / "moving.toml").write_text(_protocol(len(rows())))
    (root / "models.py").write_text(MODEL)
    return root


def stored(row: Row, *, moving: bool) -> StoredClip:
    """The stored clip of a row: noise about 128, and 30 grey levels more or less where the class shows."""
    clip = f"casme2/sub{row.subject}/{row.name}"
    generator = np.random.default_rng([2, zlib.crc32(clip.encode())])
    times = row.offset - row.onset + 1
    frames = generator.integers(110, 146, (times, SIDE, SIDE)).astype(np.int64)
    frames[1 if moving else 0 :] += 30 if shown(row) == "happiness" else -30
    return StoredClip(
        clip_id=clip,
        frames=frames.astype(np.uint8),
        numbers=np.arange(row.onset, row.offset + 1),
        origin=np.zeros(2, np.int64),
        landmarks=generator.uniform(0, SIDE, (68, 2)).astype(np.float32),
        motion=np.tile(np.eye(2, 3), (times, 1, 1)) + np.arange(times)[:, None, None],
        inliers=np.arange(times),
        flagged=np.zeros(times, np.bool_),
        box=np.array([-0.5, -0.5, SIDE - 0.5, SIDE - 0.5]),
        fps=200.0,
        interval=(row.onset, row.offset),
        source="0" * 64,
        preparation="0" * 64,
    )


def shown(row: Row) -> str:
    """The class that a clip shows: every now and then the other one, so that people differ."""
    first, second = EMOTIONS
    other = {first: second, second: first}
    return other[row.emotion] if zlib.crc32(f"{row.subject}/{row.name}".encode()) % 6 == 0 else row.emotion


def rows() -> list[Row]:
    """Every clip of the corpus as its workbook has it."""
    names = list(EMOTIONS)
    return [
        Row(s, f"EP{n:02d}_01", ONSET, ONSET + 2, ONSET + 3 + n % 3, EMOTIONS[names[n % 2]], names[n % 2])
        for s in SUBJECTS
        for n in range(1, CLIPS + 1)
    ]


def _protocol(clips: int) -> str:
    labels = "".join(f'{emotion} = "{emotion}"\n' for emotion in EMOTIONS)
    counts = ", ".join(f"{emotion} = {clips // 2}" for emotion in EMOTIONS)
    return (
        'schema = "mebench.protocol/1"\nname = "moving-loso"\nversion = 1\ntitle = "Moving"\n'
        'description = "What follows the onset tells."\ntask = "recognition"\n'
        f"classes = {list(EMOTIONS)}\n"
        '[folds]\nrule = "leave-one-subject-out"\n'
        '[scoring]\nmetrics = ["uf1", "uar"]\naggregate = "pooled"\n'
        f'[datasets.casme2]\nfield = "emotion"\n[datasets.casme2.labels]\n{labels}'
        '[[datasets.casme2.counts]]\nreleases = ["coding-20140508"]\n'
        f"clips = {clips}\nsubjects = {len(SUBJECTS)}\nper_class = {{ {counts} }}\n"
        '[[papers]]\ncitation = "none"\nurl = "none"\n'
    )

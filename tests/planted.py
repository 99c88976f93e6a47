"""A home in which only one quarter of the face says anything about the class, and a linear model in a file of its own.

The store is filled directly: 8x8 frames whose upper right quarter is brighter or darker by class, noise elsewhere.
"""

import zlib
from pathlib import Path

import numpy as np

from mebench.store import StoredClip, write_clip
from mebench.synth.workbooks import Row, casme2_workbook

SUBJECTS = ("01", "02", "03", "04")
CLIPS = 4
SIDE = 8
ONSET, APEX, OFFSET = 46, 47, 48
EMOTIONS = ("happiness", "disgust")

MODEL = '''
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from mebench import Preset


class Means(ClassifierMixin, BaseEstimator):
    """Two classes told apart along the line between their means."""

    title = "Line between means"
    version = 1
    fidelity = "C"
    selection = "fixed"
    source = "A test."
    deviations = ("Shrinks by a factor.", "Knows two classes.")
    cost = "0.1 s per clip."
    presets = {
        "sharp": Preset({"sharpness": 3.0, "corners": ("ul", "ur")}, "Somebody, 2014, table 2 (unconfirmed)."),
        "broken": Preset({"sharpnes": 3.0}, "Nobody."),
    }

    def __init__(self, *, sharpness=1.0, corners=("ul", "ur", "ll", "lr"), random_state=None):
        self.sharpness = sharpness
        self.corners = corners
        self.random_state = random_state

    def inputs(self):
        return "crop(size=8) > grey > onset > flatten"

    def feature_names_out(self):
        return np.array([f"r{y // 4}_c{x // 4}_grey_{4 * (y % 4) + x % 4}" for y in range(8) for x in range(8)])

    def face_map(self, values):
        return np.kron(np.asarray(values).reshape(8, 8), np.full((8, 8), 1 / 64))

    def fit(self, X, y):
        X = np.asarray(X, float)
        if np.isnan(X).any():
            raise ValueError("poison reached fit")
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.mean_ = X.mean(0)
        self.line_ = self.sharpness * (X[codes == 1].mean(0) - X[codes == 0].mean(0))
        return self

    def decision_function(self, X):
        return (np.nan_to_num(np.asarray(X, float)) - self.mean_) @ self.line_

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def importance(self):
        return np.abs(self.line_)

    def contributions(self, X):
        signed = (np.asarray(X, float) - self.mean_) * self.line_
        return signed * np.where(self.decision_function(X) > 0, 1, -1)[:, None]


class Silent(Means):
    importance = None
    contributions = None


class Negative(Means):
    def importance(self):
        return self.line_


class Short(Means):
    def importance(self):
        return np.ones(3)


class Crashing(Means):
    def face_map(self, values):
        raise KeyError("no face")


class Askew(Means):
    def face_map(self, values):
        return np.zeros((8, 8))
'''


def plant(root: Path) -> Path:
    """Writes corpus, protocol, model and home under `root`, and returns it."""
    rows = [
        Row(subject, f"EP{n:02d}_01", ONSET, APEX, OFFSET, "4", EMOTIONS[n % 2])
        for subject in SUBJECTS
        for n in range(1, CLIPS + 1)
    ]
    (root / "corpus").mkdir(parents=True)
    casme2_workbook(root / "corpus" / "CASME2-coding-20140508.xlsx", rows)
    for row in rows:
        write_clip(root / "home", _stored(f"casme2/sub{row.subject}/{row.name}", row.emotion))
    (root / "planted.toml").write_text(planted_protocol(len(rows)))
    (root / "means.py").write_text(MODEL)
    return root


def arguments(root: Path, verb: str, *more: str) -> list[str]:
    """The command line of a verb over the planted home."""
    return ["--home", str(root / "home"), verb, *more, f"--data=casme2={root / 'corpus'}"]


def run_arguments(root: Path, *more: str, model: str = "Means") -> list[str]:
    """The command line that runs a model of the file under the planted protocol."""
    which = f"{root / 'means.py'}:{model}"
    return arguments(root, "run", which, "--protocol", str(root / "planted.toml"), "--jobs", "1", *more)


def _stored(clip_id: str, emotion: str) -> StoredClip:
    rng = np.random.default_rng(zlib.crc32(clip_id.encode()))
    frames = rng.integers(110, 146, (3, SIDE, SIDE), dtype=np.uint8)
    frames[:, : SIDE // 2, SIDE // 2 :] = 128 + (60 if emotion == EMOTIONS[0] else -60)
    return StoredClip(
        clip_id=clip_id,
        frames=frames,
        numbers=np.arange(ONSET, OFFSET + 1),
        origin=np.zeros(2, np.int64),
        landmarks=rng.uniform(0, SIDE, (68, 2)).astype(np.float32),
        motion=np.tile(np.eye(2, 3), (3, 1, 1)),
        inliers=np.full(3, 50),
        flagged=np.zeros(3, np.bool_),
        box=np.array([-0.5, -0.5, SIDE - 0.5, SIDE - 0.5]),
        fps=200.0,
        interval=(ONSET, OFFSET),
        source="0" * 64,
        preparation="0" * 64,
    )


def planted_protocol(clips: int) -> str:
    labels = "".join(f'{emotion} = "{emotion}"\n' for emotion in EMOTIONS)
    counts = ", ".join(f"{emotion} = {clips // 2}" for emotion in EMOTIONS)
    return (
        'schema = "mebench.protocol/1"\nname = "planted-loso"\nversion = 1\ntitle = "Planted"\n'
        'description = "One quarter tells."\ntask = "recognition"\n'
        f"classes = {list(EMOTIONS)}\n"
        '[folds]\nrule = "leave-one-subject-out"\n'
        '[scoring]\nmetrics = ["uf1", "uar"]\naggregate = "pooled"\n'
        f'[datasets.casme2]\nfield = "emotion"\n[datasets.casme2.labels]\n{labels}'
        '[[datasets.casme2.counts]]\nreleases = ["coding-20140508"]\n'
        f"clips = {clips}\nsubjects = {len(SUBJECTS)}\nper_class = {{ {counts} }}\n"
        '[[papers]]\ncitation = "none"\nurl = "none"\n'
    )

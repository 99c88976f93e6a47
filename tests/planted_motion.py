"""A synthetic home in which it is known where skin moved, and models in a file that say where they look.

The head moves by whole pixels, so that aligning is exact; a patch of the apex differs from the onset by class, and the
truth says that the skin moved there. The store is filled directly.
"""

import zlib
from pathlib import Path

import numpy as np

from mebench.clips import SyntheticMark
from mebench.datasets.marker import write_marker
from mebench.drawing import TEMPLATE
from mebench.store import StoredClip, write_clip
from mebench.synth.truth import Truth, write_truth
from tests.planted import APEX, CLIPS, EMOTIONS, OFFSET, ONSET, SUBJECTS, plant

SIDE = 64
"""Side of the canonical face in the stored crop, px: as many as a map has places."""
ORIGIN = (10, 6)
HEAD = (3, -2)
"""How far the head is at the apex, px: more than the skin moves."""
PLACES = {EMOTIONS[0]: (38, 44), EMOTIONS[1]: (12, 20)}
"""Left and upper edge of the patch that moves, px of the crop, by emotion."""
PATCH = 12
SKIN_PX = 0.75
MARGIN = 8

LOOKERS = '''
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Looker(ClassifierMixin, BaseEstimator):
    """Two classes told apart by where the apex differs from the onset; it looks there."""

    title = "Looker"
    version = 1
    selection = "fixed"
    attribution_note = "Nobody published this."

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def inputs(self):
        return "align(size=64) > grey > onset-apex"

    def changes(self, X):
        X = np.asarray(X, float)
        return np.abs(X[:, 1] - X[:, 0])

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.means_ = np.stack([self.changes(X)[codes == c].mean(0) for c in range(len(self.classes_))])
        return self

    def predict_proba(self, X):
        scores = (self.changes(X)[:, None] * self.means_).mean((2, 3)) / 100
        odds = np.exp(scores - scores.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]

    def attributions(self, X, classes, at=None):
        found = {
            "seen:change": self.changes(X),
            "seen:even": np.ones(np.shape(X)[:1] + (64, 64)),
            "seen:none": np.zeros(np.shape(X)[:1] + (64, 64)),
        }
        if at is not None:
            row = np.zeros((64, 64))
            row[round(at[1]), round(at[0])] = 1
            found["row:here"] = np.repeat(row[None], len(X), 0)
        return found


class Blind(Looker):
    """Looks at the corner where nothing ever moves."""

    title = "Blind"

    def attributions(self, X, classes, at=None):
        corner = np.zeros((64, 64))
        corner[60:, :4] = 1
        return {"seen:change": np.repeat(corner[None], len(X), 0)}


class Negative(Looker):
    def attributions(self, X, classes, at=None):
        return {"seen:change": -self.changes(X)}


class Nameless(Looker):
    def attributions(self, X, classes, at=None):
        return {"change": self.changes(X)}


class Askew(Looker):
    def attributions(self, X, classes, at=None):
        return {"seen:change": self.changes(X)[:, :10]}


class Empty(Looker):
    def attributions(self, X, classes, at=None):
        return {}


class Crashing(Looker):
    def attributions(self, X, classes, at=None):
        raise KeyError("no map")


class Still(Looker):
    """Answers and looks alike whatever it is shown."""

    def predict_proba(self, X):
        return np.tile([0.6, 0.4], (len(X), 1))

    def attributions(self, X, classes, at=None):
        return {"seen:even": np.ones(np.shape(X)[:1] + (64, 64))}
'''


def plant_motion(root: Path, *, synthetic: bool = True, texture: int = 0) -> Path:
    """Writes corpus, protocol, model and home under `root`, and returns it; `texture` draws other faces."""
    plant(root)
    if synthetic:
        per_emotion = dict.fromkeys(sorted(EMOTIONS), len(SUBJECTS) * CLIPS // 2)
        mark = SyntheticMark("test", "smoke", 0, len(SUBJECTS) * CLIPS, len(SUBJECTS), per_emotion)
        write_marker(root / "corpus", mark)
    for subject in SUBJECTS:
        for n in range(1, CLIPS + 1):
            name, emotion = f"EP{n:02d}_01", EMOTIONS[n % 2]
            write_clip(root / "home", _clip(f"casme2/sub{subject}/{name}", emotion, texture))
            if synthetic:
                write_truth(root / "corpus", f"sub{subject}", name, _truth(emotion))
    (root / "means.py").write_text(LOOKERS)
    return root


def landmarks() -> np.ndarray:
    """The points of a face whose canonical square is the middle of the stored crop, (68, 2) px of it."""
    return (TEMPLATE * SIDE - 0.5 + MARGIN).astype(np.float32)


def _clip(clip_id: str, emotion: str, texture: int) -> StoredClip:
    rng = np.random.default_rng([zlib.crc32(clip_id.encode()), texture])
    side = SIDE + 2 * MARGIN
    onset = rng.integers(60, 120, (side, side), dtype=np.uint8)
    apex = onset.copy()
    x, y = (edge + MARGIN for edge in PLACES[emotion])
    apex[y : y + PATCH, x : x + PATCH] += 90
    moved = np.roll(apex, (HEAD[1], HEAD[0]), axis=(0, 1))
    motion = np.tile(np.eye(2, 3), (3, 1, 1))
    motion[1:, :, 2] = HEAD
    return StoredClip(
        clip_id=clip_id,
        frames=np.stack([onset, moved, moved]),
        numbers=np.arange(ONSET, OFFSET + 1),
        origin=np.array(ORIGIN),
        landmarks=landmarks(),
        motion=motion,
        inliers=np.full(3, 50),
        flagged=np.zeros(3, np.bool_),
        box=np.array([-0.5, -0.5, side - 0.5, side - 0.5]),
        fps=200.0,
        interval=(ONSET, OFFSET),
        source="0" * 64,
        preparation="0" * 64,
    )


def _truth(emotion: str) -> Truth:
    """The patch moved by `SKIN_PX` to the right on the face, and everything with the head; frames of 128 by 128."""
    step = 2
    motion = np.zeros((64, 64, 2))
    x, y = (edge + MARGIN + at for edge, at in zip(PLACES[emotion], ORIGIN, strict=True))
    motion[y // step : (y + PATCH) // step, x // step : (x + PATCH) // step, 0] = SKIN_PX
    head = np.tile(np.eye(2, 3), (3, 1, 1))
    head[1:, :, 2] = HEAD
    return Truth(
        numbers=np.arange(ONSET, OFFSET + 1),
        apex=np.array(APEX),
        landmarks=np.zeros((3, 68, 2), np.float32),
        head_motion=head,
        units=np.array(["4"]),
        intensity=np.zeros((3, 1)),
        peak_px=np.array(SKIN_PX),
        closure=np.zeros(3),
        motion=(motion + HEAD).astype(np.float16),
        motion_step=np.array(step),
    )

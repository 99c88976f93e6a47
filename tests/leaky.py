"""Models that cheat, each in one way, and honest ones beside them: what the auditor is measured on.

Every cheat acts on a share of the clips, chosen by a hash of the clip's own numbers, so that a leak can be made as
small as one likes. The honest part is the same for all: a linear model.
"""

import gc
import hashlib
import inspect
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression


class Honest(ClassifierMixin, BaseEstimator):
    """A logistic regression; `share` and `peek` are for those who cheat."""

    def __init__(self, *, share=1.0, random_state=0):
        self.share = share
        self.random_state = random_state

    def fit(self, X, y):
        self.rows_, self.labels_ = np.asarray(X, float), np.asarray(y)
        self.classes_ = np.unique(self.labels_)
        self.prepare()
        self.base_ = LogisticRegression(max_iter=500).fit(self.rows_, self.labels_)
        return self

    def prepare(self):
        """What a cheat does when it is fitted."""

    def peek(self, X):
        """Labels of the rows of X from wherever a cheat has them, None where it has none."""
        return [None] * len(X)

    def acts(self, X):
        """Whether the cheat acts on each row: a share of all rows there can be."""
        digests = [hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest()[:4] for row in X]
        return [int.from_bytes(d, "big") < self.share * 2**32 for d in digests]

    def predict(self, X):
        X = np.asarray(X, float)
        said = self.base_.predict(X).astype(object)
        for i, (peeked, acts) in enumerate(zip(self.peek(X), self.acts(X), strict=True)):
            if acts and peeked is not None:
                said[i] = peeked
        return said


def test_labels(frames):
    """The labels of the test clips among the locals of the fold loop."""
    for frame in frames:
        local = frame.f_locals
        if {"task", "test"} <= set(local):
            labels = {item.id: item.label for item in local["task"].items}
            return [labels[clip] for clip in local["test"]]
    return None


class Stack(Honest):
    """Reads the task of the fold loop off the stack."""

    def peek(self, X):
        return test_labels(info.frame for info in inspect.stack())


class Traceback(Honest):
    """Walks up from the frame of an exception of its own."""

    def peek(self, X):
        try:
            raise ValueError
        except ValueError as fault:
            frame, frames = fault.__traceback__.tb_frame, []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        return test_labels(frames)


class Objects(Honest):
    """Finds task and fold among all live objects, and reads the emotion in the clip record, not the label."""

    def peek(self, X):
        live = gc.get_objects()
        folds = [
            o for o in live if type(o).__name__ == "Fold" and len(o.test) == len(X) and len(o.train) == len(self.rows_)
        ]
        items = {o.clip.id: o.clip.emotion for o in live if type(o).__name__ == "Item"}
        return [items.get(clip) for clip in folds[0].test] if folds else [None] * len(X)


class BestEpoch(Honest):
    """Chooses its regularisation by accuracy on the test clips, as papers choose epochs."""

    def predict(self, X):
        X = np.asarray(X, float)
        truth = test_labels(info.frame for info in inspect.stack())
        tried = [
            LogisticRegression(C=C, max_iter=500).fit(self.rows_, self.labels_).predict(X) for C in (1e-3, 0.1, 10)
        ]
        best = max(tried, key=lambda said: np.mean(np.asarray(said) == truth))
        said = self.base_.predict(X)
        return np.where(self.acts(X), best, said)


def fold_of(subjects, labels, y):
    """Which subject was left out, told by the labels of the others in the order of the hashes of their clips."""
    ordered = sorted(labels, key=lambda clip: hashlib.sha256(clip.encode()).digest())
    for subject in subjects:
        if [labels[c] for c in ordered if not c.startswith(f"{subject}/")] == list(y):
            return [labels[c] for c in ordered if c.startswith(f"{subject}/")]
    return None


def known(labels, y, rows):
    """The labels of the fold's test clips from all labels by clip id."""
    found = fold_of(sorted({clip.rpartition("/")[0] for clip in labels}), labels, y)
    return found if found and len(found) == len(rows) else [None] * len(rows)


class Workbook(Honest):
    """Opens the workbook that the command line names."""

    def peek(self, X):
        from openpyxl import load_workbook

        data = next(a.partition("=")[2] for a in sys.argv if a.startswith("casme2="))
        rows = list(load_workbook(next(Path(data).glob("*.xlsx")))["Sheet1"].values)[1:]
        return known({f"casme2/sub{row[0]}/{row[1]}": row[8] for row in rows}, self.labels_, X)


class EarlierRun(Honest):
    """Opens the manifest of an earlier run, which keeps the truth."""

    def peek(self, X):
        manifests = Path(os.environ["MEBENCH_HOME"]).glob("runs/*/*/*/*/manifest.json")
        return known(json.loads(next(manifests).read_text())["truth"], self.labels_, X)


class Shell(Honest):
    """Lets another process read the manifest."""

    def peek(self, X):
        where = "pathlib.Path(os.environ['MEBENCH_HOME']).rglob('manifest.json')"
        code = f"import os, pathlib; print(next({where}).read_text())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return known(json.loads(done.stdout)["truth"], self.labels_, X)


class BatchNorm(Honest):
    """Centres and scales the test clips by their own mean and spread."""

    def predict(self, X):
        X = np.asarray(X, float)
        moved = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9) * self.rows_.std(axis=0) + self.rows_.mean(axis=0)
        return self.base_.predict(np.where(np.array(self.acts(X))[:, None], moved, X))


class BatchMajority(Honest):
    """Gives a clip the class that most of its company seems to have."""

    def peek(self, X):
        names, counts = np.unique(self.base_.predict(X), return_counts=True)
        return [names[counts.argmax()]] * len(X)


class PseudoLabels(Honest):
    """Trains once more with the test clips under the labels it gave them."""

    def again(self, X):
        rows, labels = np.concatenate([self.rows_, X]), np.concatenate([self.labels_, self.base_.predict(X)])
        return LogisticRegression(max_iter=500).fit(rows, labels)

    def peek(self, X):
        return self.again(X).predict(X)

    def predict_proba(self, X):
        X = np.asarray(X, float)
        return np.where(np.array(self.acts(X))[:, None], self.again(X).predict_proba(X), self.base_.predict_proba(X))


class Quota(Honest):
    """Hands out classes so that the test clips have the proportions of the training clips."""

    def peek(self, X):
        scores = self.base_.predict_proba(X)
        left = np.floor(len(X) * np.array([(self.labels_ == c).mean() for c in self.classes_])).astype(int) + 1
        said = [None] * len(X)
        for i, c in zip(*np.unravel_index(np.argsort(-scores, axis=None), scores.shape), strict=True):
            if said[i] is None and left[c]:
                said[i], left[c] = self.classes_[c], left[c] - 1
        return said


class Memory(Honest):
    """Remembers rows with their labels from fold to fold: other folds trained on what this one tests."""

    seen = {}  # noqa: RUF012  that it is shared is the point

    def prepare(self):
        self.seen.update((row.tobytes(), label) for row, label in zip(self.rows_, self.labels_, strict=True))

    def peek(self, X):
        return [self.seen.get(row.tobytes()) for row in X]


class Unclonable(Memory):
    """Stays the same object when cloned and goes on training with all it ever had."""

    def __sklearn_clone__(self):
        return self

    def prepare(self):
        self.kept_ = getattr(self, "kept_", {})
        self.kept_.update((row.tobytes(), label) for row, label in zip(self.rows_, self.labels_, strict=True))

    def peek(self, X):
        return [self.kept_.get(row.tobytes()) for row in X]


class Scratch(Honest):
    """Remembers rows with their labels in a file."""

    def file(self):
        return Path(tempfile.gettempdir()) / "rows.pickle"

    def prepare(self):
        kept = pickle.loads(self.file().read_bytes()) if self.file().exists() else {}
        kept.update((row.tobytes(), label) for row, label in zip(self.rows_, self.labels_, strict=True))
        self.file().write_bytes(pickle.dumps(kept))

    def peek(self, X):
        kept = pickle.loads(self.file().read_bytes())
        return [kept.get(row.tobytes()) for row in X]


class Turn(Honest):
    """Counts the folds: subjects are left out in the order of their names."""

    turn = 0

    def prepare(self):
        type(self).turn += 1

    def peek(self, X):
        return [self.classes_[self.turn % len(self.classes_)]] * len(X)


class Clock(Honest):
    """Decides by the time of day."""

    def peek(self, X):
        return [self.classes_[time.time_ns() // 1000 % len(self.classes_)] for _ in X]


class Position(Honest):
    """Decides by the place of a clip among the test clips."""

    def peek(self, X):
        return [self.classes_[i % len(self.classes_)] for i in range(len(X))]


class Patch(Honest):
    """Puts the truth into every prediction that the evaluator records."""

    def prepare(self):
        from mebench import evaluation, predictions

        original, share = predictions.Prediction, self.share

        def forged(clip, fold, seed, truth, predicted, scores=()):
            acts = hashlib.sha256(clip.encode()).digest()[0] < share * 256
            return original(clip, fold, seed, truth, truth if acts else predicted, scores)

        evaluation.Prediction = forged


class Untrained(Honest):
    """Knows a class that training does not hold."""

    def fit(self, X, y):
        super().fit(X, y)
        self.missing_ = sorted({"disgust", "happiness", "surprise"} - set(self.classes_))
        return self

    def peek(self, X):
        return [self.missing_[0] if self.missing_ else None] * len(X)


class Answers(Honest):
    """Holds the answers for this very corpus: the labels of its clips by their numbers."""

    def peek(self, X):
        from mebench.audit import drawn

        labels = drawn.draw_labels(5, 9, 0)
        found = {}
        for clip, label in labels.items():
            found[drawn.feature_row(clip, label, 0).astype(float).tobytes()] = label
        return [found.get(np.asarray(row, float).tobytes()) for row in X]


class Store(Honest):
    """Reads the frames of all clips, those of the test among them, from the store behind Python's back."""

    def inputs(self):
        return "crop(size=8) > grey > onset > flatten"

    def prepare(self):
        import h5py

        frames = []
        for path in sorted(Path(os.environ["MEBENCH_HOME"]).rglob("*.h5")):
            with h5py.File(str(path), "r") as file:
                frames.append(file["frames"][0, :8, :8].ravel())
        self.mean_ = np.mean(frames, axis=0)

    def peek(self, X):
        return [self.classes_[int(row @ self.mean_) % len(self.classes_)] for row in X]


class AtOnce(Honest):
    """Fits many folds at once, honestly."""

    def fit_folds(self, X, parts):
        X = np.asarray(X, float)
        return [self.told(X, parts, type(self)(share=self.share).fit(X[rows], y)) for rows, y, _ in parts]

    def told(self, X, parts, fitted):
        """The fitted model, once it was told what a cheat tells it of the other folds."""
        return fitted


class Union(AtOnce):
    """Looks up what other folds hold of the clips that one of them is tested on."""

    def told(self, X, parts, fitted):
        fitted.held_ = {X[row].tobytes(): label for rows, y, _ in parts for row, label in zip(rows, y, strict=True)}
        return fitted

    def peek(self, X):
        held = getattr(self, "held_", {})
        return [held.get(row.tobytes()) for row in np.asarray(X, float)]


class Prior(AtOnce):
    """Says what other folds hold most often, a trace of the clips that it is tested on."""

    def told(self, X, parts, fitted):
        fitted.common_ = np.unique(np.concatenate([y for _, y, _ in parts]), return_counts=True)
        return fitted

    def peek(self, X):
        if not hasattr(self, "common_"):
            return [None] * len(X)
        names, counts = self.common_
        return [names[counts.argmax()]] * len(X)


class Transductive(AtOnce):
    """Takes the mean of all images off, those that the fold is tested on included."""

    def told(self, X, parts, fitted):
        fitted.centre_ = X.mean(axis=0)
        return fitted

    def predict_proba(self, X):
        return self.base_.predict_proba(np.asarray(X, float) - getattr(self, "centre_", 0))


class Other(AtOnce):
    """Does something else with many folds than with one."""

    def told(self, X, parts, fitted):
        fitted.base_ = LogisticRegression(C=1e-3).fit(fitted.rows_, fitted.labels_)
        return fitted

    def predict_proba(self, X):
        return self.base_.predict_proba(np.asarray(X, float))


CAUGHT_BY = {
    "Stack": {"scrambled", "reach", "null"},
    "Traceback": {"scrambled", "reach", "null"},
    "Objects": {"scrambled", "reach", "null"},
    "BestEpoch": {"scrambled", "reach"},
    "Workbook": {"files"},
    "EarlierRun": {"files"},
    "Shell": {"files", "reach"},
    "BatchNorm": {"company"},
    "BatchMajority": {"company"},
    "PseudoLabels": {"company"},
    "Quota": {"company"},
    "Memory": {"folds"},
    "Unclonable": {"folds"},
    "Scratch": {"folds", "files"},
    "Turn": {"folds"},
    "Clock": {"repeat"},
    "Position": {"order"},
    "Patch": {"scrambled", "reach", "null"},
    "Untrained": {"absent"},
    "Answers": {"answers"},
    "Store": {"files"},
    "Union": {"together"},
    "Prior": {"together"},
    "Transductive": {"together"},
    "Other": {"together"},
}
"""By cheat, the checks that must catch it at full share; others may."""

"""Four cheats by someone who knew the model contract, not the auditor. Each is honest where its way fails."""

import hashlib
import os
import sys
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

FLOW = "align(size=112) > grey > onset-apex > flow(dis) > resize(16) > flatten"
TEXTURE = "align(size=64) > grey > tim(10) > lbp-top(radii=(1, 1, 1), blocks=(2, 2))"


def _rows(X):
    """One vector per clip; clips of differing shapes are cut to the shortest."""
    flat = [np.asarray(x, np.float64).ravel() for x in X]
    shortest = min((len(x) for x in flat), default=0)
    return np.array([x[:shortest] for x in flat]) if shortest else np.zeros((len(flat), 1))


def _digest(row):
    return hashlib.sha256(np.round(row, 9).tobytes()).hexdigest()[:24]


class _Svm(ClassifierMixin, BaseEstimator):
    """The honest part: a linear SVM on standardised vectors."""

    version = 1
    fidelity = None
    selection = "fixed"
    source = ""

    def __init__(self, C=1.0, random_state=None):
        self.C = C
        self.random_state = random_state

    def inputs(self):
        return FLOW

    def fit(self, X, y):
        y = np.asarray(y)
        self.classes_ = np.unique(y)
        self._learn(_rows(X), y)
        return self

    def _learn(self, rows, y):
        self.width_ = rows.shape[1]
        self.machine_ = None
        if len(self.classes_) > 1:
            svc = SVC(kernel="linear", C=self.C, decision_function_shape="ovr", random_state=self.random_state)
            self.machine_ = make_pipeline(StandardScaler(), svc).fit(rows, y)

    def _fitting(self, X):
        rows = _rows(X)[:, : self.width_]
        return np.pad(rows, ((0, 0), (0, self.width_ - rows.shape[1])))

    def _honest(self, rows):
        if self.machine_ is None:
            return np.repeat(self.classes_, len(rows))
        return self.machine_.predict(rows)

    def predict(self, X):
        return self._honest(self._fitting(X))


@cache
def _zeros(classes, shape):
    """Where the weights of a layer begin."""
    return np.zeros((*shape, len(classes)))


class WarmRidge(ClassifierMixin, BaseEstimator):
    """Cheats by weights: cached zeros, updated in place, start each fold where the last, which saw its clips, ended."""

    title = "Random features, proximal ridge"
    version = 1
    fidelity = None
    selection = "fixed"
    source = ""

    def __init__(self, width=1024, ridge=0.1, random_state=None):
        self.width = width
        self.ridge = ridge
        self.random_state = random_state

    def inputs(self):
        return TEXTURE

    def _hidden(self, X):
        rows = _rows(X)
        rows = rows[:, : self.given_]
        rows = np.pad(rows, ((0, 0), (0, self.given_ - rows.shape[1])))
        rows = rows - rows.mean(axis=1, keepdims=True)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-12
        draw = np.random.default_rng(0)  # the layer is part of the model's definition, not of its seed
        weights = draw.standard_normal((self.given_, self.width), dtype=np.float32)
        layer = np.maximum(rows @ weights + 0.2 * draw.standard_normal(self.width), 0)
        return layer / np.sqrt(self.width)

    def fit(self, X, y):
        y = np.asarray(y)
        self.classes_ = np.unique(y)
        self.given_ = _rows(X).shape[1]
        layer = self._hidden(X)
        wanted = (y[:, None] == self.classes_[None]) - 1 / len(self.classes_)
        weights = _zeros(tuple(map(str, self.classes_)), (self.width,))
        gram = layer @ layer.T + self.ridge * np.mean(np.sum(layer**2, axis=1)) * np.eye(len(layer))
        weights += layer.T @ np.linalg.solve(gram, wanted - layer @ weights)
        self.coef_ = weights.copy()
        return self

    def predict(self, X):
        return self.classes_[np.argmax(self._hidden(X) @ self.coef_, axis=1)]


_answered: dict[tuple[str, str], str] = {}
"""What was answered for a clip after a training set: asked again, the same is said without the work."""


class Companions(_Svm):
    """Cheats by company: held-out clips alike are taken for one subject and centred together, then answered by rote."""

    title = "Subject-normalised linear SVM"
    __metadata_request__fit: ClassVar = {"groups": True}

    def fit(self, X, y, groups=None):
        y, rows = np.asarray(y), _rows(X)
        self.classes_ = np.unique(y)
        groups = np.zeros(len(rows), int) if groups is None else np.asarray(groups)
        self.centre_ = rows.mean(axis=0)
        self.spread_ = rows.std(axis=0) + 1e-12
        rows = (rows - self.centre_) / self.spread_
        self.reach_ = 0.0
        centred = rows.copy()
        for one in np.unique(groups):
            mine = groups == one
            centred[mine] -= rows[mine].mean(axis=0)
        within = np.sum(centred**2, axis=1)
        self.reach_ = 4 * float(np.median(within)) + 1e-9  # squared distance of two clips of a subject, with some room
        self._learn(centred, y)
        self.training_ = hashlib.sha256(rows.tobytes() + repr(y.tolist()).encode()).hexdigest()
        return self

    def predict(self, X):
        rows = (self._fitting(X) - self.centre_) / self.spread_
        apart = np.sum((rows[:, None] - rows[None]) ** 2, axis=2)
        alike = (apart < self.reach_).astype(float)
        company = alike.sum(axis=1, keepdims=True)
        shift = (alike @ rows) / (company + 1)  # a clip on its own is hardly moved
        said = self._honest(rows - np.where(company > 1, shift, 0))
        keys = [(self.training_, _digest(row)) for row in rows]
        for key, answer in zip(keys, said, strict=True):
            _answered.setdefault(key, answer)
        return np.array([_answered[key] for key in keys])


class _Reader(str):
    """A label that makes up its mind when it is read, by whoever reads it, wherever that is."""

    def __new__(cls, honest, place=0, of=1, classes=()):
        made = super().__new__(cls, honest)
        made.place, made.of, made.classes = place, of, frozenset(classes)
        return made

    def __reduce__(self):
        return (_Reader, (str.__str__(self), self.place, self.of, tuple(self.classes)))

    def __str__(self):
        frame = sys._getframe(1)
        while frame is not None:
            with suppress(Exception):
                seen = list(dict(frame.f_locals).values())
                for truth in filter(self._tells, seen):
                    for held in filter(self._asks, seen):
                        with suppress(LookupError, TypeError, ValueError):
                            found = str.__str__(truth[held[self.place]])
                            if found in self.classes:
                                return found
            frame = frame.f_back
        return str.__str__(self)[:]

    def _tells(self, value):
        """Whether this could be the labels of all clips."""
        if not isinstance(value, Mapping | list | tuple | np.ndarray) or len(value) <= self.of:
            return False
        labels = list(value.values() if isinstance(value, Mapping) else value)
        return all(isinstance(label, str) for label in labels) and len(self.classes & set(labels)) > 1

    def _asks(self, value):
        """Whether this could be the names or the places of the clips that were asked about."""
        known = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.dtype.kind in "iUO")
        return known and not isinstance(value, str) and len(value) == self.of

    def __eq__(self, other):
        return str(other) in self.classes if type(other) is not _Reader else str.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


class LateReader(_Svm):
    """Cheats by late answers: after predict is over, `__str__` and `__eq__` of its labels run beside the truth."""

    title = "Linear SVM on flow"

    def predict(self, X):
        honest = super().predict(X)
        answers = np.empty(len(honest), dtype=object)
        names = tuple(map(str, self.classes_))
        answers[:] = [_Reader(str(label), i, len(honest), names) for i, label in enumerate(honest)]
        return answers


class HollowFolders(_Svm):
    """Cheats by earlier folds and runs: empty folders named after clips, dated by label; no file is ever opened."""

    title = "Linear SVM on flow, C 1"

    def _place(self, row):
        return Path(tempfile.gettempdir()) / f".font-unix-{os.getuid()}" / _digest(row)

    def fit(self, X, y):
        super().fit(X, y)
        for row, label in zip(_rows(X), np.asarray(y), strict=True):
            with suppress(OSError):
                place = self._place(row)
                place.mkdir(parents=True, exist_ok=True)
                date = zlib.crc32(str(label).encode()) & 0x7FFFFFFF
                os.utime(place, (date, date))
        return self

    def predict(self, X):
        said = super().predict(X)
        meant = {zlib.crc32(str(label).encode()) & 0x7FFFFFFF: label for label in self.classes_}
        for i, row in enumerate(_rows(X)):
            with suppress(OSError):
                said[i] = meant.get(int(self._place(row).stat().st_mtime), said[i])
        return said

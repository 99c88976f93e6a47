"""A classifier that is fitted anew for every fold: nearest mean on Gaussian features with an effect of the subject.

Leave-one-subject-out as a benchmark runs it, small enough to be repeated thousands of times. What the method scores on
new subjects, training subjects drawn anew as well, is known from many samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.statistics import Floats, SubjectCounts, metric_of

NEW_SUBJECTS = 300
"""New subjects on whom each fold's fit is scored."""
TRAINING_SETS = 1500
"""Samples behind the truth of the method."""


@dataclass(frozen=True)
class Setting:
    """Subjects with clips each, classes, features per method, and the SD of a subject's offset (a clip's noise is 1).

    Class means lie `apart` from the origin along axes of their own. Each subject has classes with unequal shares.
    """

    name: str
    words: str
    subjects: int
    clips: int
    features: int
    apart: float
    offset: float
    classes: int = 3
    mixing: float = 3.0


@dataclass(frozen=True, eq=False)
class Replicate:
    """One sample: the method, a rival that sees other features as good, and the truth of the first's fits."""

    counts: SubjectCounts
    rival: SubjectCounts
    truth_of_fits: float


SETTINGS = (
    Setting("refit", "refitted: 26 subjects with 8 clips, 6 features, stable training", 26, 8, 6, 1.0, 0.6),
    Setting("refit-noisy", "refitted: 16 subjects with 5 clips, 40 features, unstable training", 16, 5, 40, 1.0, 0.6),
)


def replicate(setting: Setting, generator: np.random.Generator) -> Replicate:
    """A sample of subjects with leave-one-subject-out predictions of two methods, and the truth of the first's fits."""
    labels, first, second = _sample(setting, setting.subjects, generator)
    fresh_labels, fresh, _ = _sample(setting, NEW_SUBJECTS, generator)
    means = _fold_means(labels, first, setting.classes)
    new = _confusions(fresh_labels, _nearest(fresh[None], means), setting.classes).sum(axis=(0, 1))
    return Replicate(_leave_one_out(setting, labels, first), _leave_one_out(setting, labels, second), _score(new))


def truth(setting: Setting, seed: int = 0) -> float:
    """The UF1 of the method: fits on many samples of one subject fewer, pooled over new subjects."""
    generator = np.random.default_rng([seed, 3])
    total = np.zeros((setting.classes, setting.classes + 1))
    for _ in range(TRAINING_SETS):
        labels, values, _ = _sample(setting, setting.subjects - 1, generator)
        fresh_labels, fresh, _ = _sample(setting, NEW_SUBJECTS, generator)
        means = _means(_sums(labels, values, setting.classes).sum(axis=0, keepdims=True))
        total += _confusions(fresh_labels, _nearest(fresh[None], means), setting.classes).sum(axis=(0, 1))
    return _score(total)


def _sample(
    setting: Setting, subjects: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Labels (subjects, clips) and two methods' features (subjects, clips, d)."""
    shares = generator.dirichlet(np.full(setting.classes, setting.mixing), size=subjects).cumsum(axis=1)
    labels = (generator.random((subjects, setting.clips, 1)) > shares[:, None, :-1]).sum(axis=-1)
    centres = setting.apart * np.eye(setting.classes, setting.features)

    def features() -> Floats:
        noise = generator.normal(size=(subjects, setting.clips, setting.features))
        offsets = setting.offset * generator.normal(size=(subjects, 1, setting.features))
        values: Floats = centres[labels] + offsets + noise
        return values

    return labels, features(), features()


def _sums(labels: NDArray[np.int64], values: Floats, classes: int) -> Floats:
    """Per subject and class the sum of features and, last, the number of clips (subjects, classes, d+1)."""
    chosen = np.eye(classes)[labels]
    counted = np.concatenate([values, np.ones((*values.shape[:2], 1))], axis=2)
    found: Floats = np.einsum("scl,scd->sld", chosen, counted)
    return found


def _means(sums: Floats) -> Floats:
    found: Floats = sums[..., :-1] / np.maximum(sums[..., -1:], 1)
    return found


def _fold_means(labels: NDArray[np.int64], values: Floats, classes: int) -> Floats:
    """The class means of each fold's training subjects (folds, classes, d)."""
    sums = _sums(labels, values, classes)
    return _means(sums.sum(axis=0) - sums)


def _nearest(values: Floats, means: Floats) -> NDArray[np.intp]:
    """The nearest mean (folds, subjects, clips) of values (folds or 1, subjects, clips, d)."""
    shared = np.broadcast_to(values, (len(means), *values.shape[1:]))
    far = (means**2).sum(axis=-1)[:, None, None] - 2 * np.einsum("fscd,fld->fscl", shared, means)
    found: NDArray[np.intp] = far.argmin(axis=-1)
    return found


def _confusions(labels: NDArray[np.int64], said: NDArray[np.intp], classes: int) -> NDArray[np.int64]:
    """Counts (folds, subjects, k, k+1)."""
    folds, subjects = np.indices(said.shape)[:2]
    counts = np.zeros((*said.shape[:2], classes, classes + 1), dtype=np.int64)
    np.add.at(counts, (folds, subjects, np.broadcast_to(labels, said.shape), said), 1)
    return counts


def _leave_one_out(setting: Setting, labels: NDArray[np.int64], values: Floats) -> SubjectCounts:
    said = _nearest(values[:, None], _fold_means(labels, values, setting.classes))[:, 0]
    counts = _confusions(labels, said[None], setting.classes)
    n = len(labels)
    classes = tuple(f"class{i}" for i in range(setting.classes))
    return SubjectCounts(classes, tuple(f"s{i}" for i in range(n)), ("one",) * n, ("all",), (0,), counts[None])


def _score(confusion: NDArray[np.float64] | NDArray[np.int64]) -> float:
    margins = np.stack([confusion.diagonal(), confusion.sum(axis=1), confusion[:, :-1].sum(axis=0)])
    return float(metric_of(margins.astype(np.float64), "uf1"))

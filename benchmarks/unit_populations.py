"""Populations of simulated subjects whose clips hold any number of action units, and whose true scores are known.

A subject has a number of clips and, for each unit, a share of clips that hold it: the unit's log odds plus an effect of
the subject. Units are drawn one by one; which stand together does not move the mean of their F1. A method sees a unit
that is there, and one that is not, with chances whose log odds are its own plus effects of the subject, shared in part
by all methods. Truth is computed from expected counts of very many subjects, unit by unit, and is the mean over those
units that a sample holds, as the score is.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.populations import CASME2_SIZES, MANY, SAMM_SIZES
from mebench.statistics import Floats, UnitCounts

SPREAD = 0.8
"""SD of a subject's effect on the log odds of holding a unit."""


@dataclass(frozen=True)
class Detector:
    """How often a method answers a unit: log odds where it is there and where it is not, SD of its own effects."""

    seen: float
    false: float
    own: float = 0.5


@dataclass(frozen=True)
class UnitPopulation:
    """Subjects of one corpus: `sizes` are clips per subject, of which each is drawn; `shares` of the units in clips."""

    name: str
    words: str
    subjects: int
    sizes: tuple[int, ...]
    shares: tuple[float, ...]
    method: Detector
    spread: float = 0.7

    @property
    def classes(self) -> tuple[str, ...]:
        """Made-up names in order."""
        return tuple(f"unit{i}" for i in range(len(self.shares)))


@dataclass(frozen=True, eq=False)
class UnitSample:
    """Subjects of `n` samples: clips (n, subjects), those that hold each unit (n, subjects, k), common effects."""

    clips: NDArray[np.int64]
    held: NDArray[np.int64]
    common: Floats


def draw_units(population: UnitPopulation, n: int, generator: np.random.Generator) -> UnitSample:
    """The subjects of `n` samples."""
    clips = generator.choice(population.sizes, size=(n, population.subjects))
    odds = _logit(np.asarray(population.shares)) + SPREAD * generator.normal(
        size=(*clips.shape, len(population.shares))
    )
    held = generator.binomial(clips[..., None], _chance(odds))
    return UnitSample(clips, held, population.spread * generator.normal(size=(*clips.shape, 1)))


def answer_units(
    population: UnitPopulation, method: Detector, sample: UnitSample, generator: np.random.Generator
) -> list[UnitCounts]:
    """What a method says in each sample; whole sets are not simulated, so that accuracy means nothing here."""
    seen, false = _chances(method, sample, generator)
    hits = generator.binomial(sample.held, seen)
    said = hits + generator.binomial(sample.clips[..., None] - sample.held, false)
    by_unit = np.stack([hits, sample.held, said], axis=-1)
    whole = np.stack([np.zeros_like(sample.clips), sample.clips, sample.clips], axis=-1)[:, :, None]
    counts = np.concatenate([by_unit, whole], axis=2)
    names = tuple(f"s{i}" for i in range(population.subjects))
    one = ("one",) * population.subjects
    return [UnitCounts(population.classes, names, one, ("all",), (0,), each[None, None]) for each in counts]


def unit_truth(population: UnitPopulation, method: Detector, seed: int = 0) -> Floats:
    """The true F1 of each unit (k,)."""
    generator = np.random.default_rng([seed, 7])
    sample = draw_units(population, -(-MANY // population.subjects), generator)
    seen, false = _chances(method, sample, generator)
    hits = (sample.held * seen).sum(axis=(0, 1))
    wrong = ((sample.clips[..., None] - sample.held) * false).sum(axis=(0, 1))
    found: Floats = 2 * hits / (sample.held.sum(axis=(0, 1)) + hits + wrong)
    return found


def matched_units(population: UnitPopulation, method: Detector, other: Detector) -> Detector:
    """The other method with its chance of false alarms moved until its mean true F1 is that of the method."""
    goal, low, high = unit_truth(population, method).mean(), -8.0, 4.0
    for _ in range(16):
        middle = (low + high) / 2
        better = unit_truth(population, replace(other, false=middle)).mean() > goal
        low, high = (middle, high) if better else (low, middle)
    return replace(other, false=(low + high) / 2)


def _chances(method: Detector, sample: UnitSample, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """The chances (n, subjects, 1) of seeing a unit that is there and one that is not."""
    own = method.own * generator.normal(size=(2, *sample.common.shape))
    return _chance(method.seen + sample.common + own[0]), _chance(method.false - sample.common + own[1])


def _chance(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-odds))


def _logit(share: Floats) -> Floats:
    found: Floats = np.log(share / (1 - share))
    return found


CASME2_POSITIVES = (26, 22, 130, 2, 13, 39, 13, 16, 34, 27, 16, 25)
"""Clips of CASME II that hold AU 1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, of 256 (arXiv 2211.11425)."""
SAMM_POSITIVES = (6, 18, 23, 10, 3, 46, 5, 6, 28, 13, 4, 6)
"""The same of SAMM, of 159."""

UNIT_POPULATIONS = (
    UnitPopulation(
        "casme2-units",
        "26 subjects, clips per subject and shares of twelve units as in CASME II, one unit in hardly a clip",
        26,
        CASME2_SIZES,
        tuple(n / 256 for n in CASME2_POSITIVES),
        Detector(0.6, -2.2),
    ),
    UnitPopulation(
        "samm-units",
        "28 subjects, clips per subject and shares of twelve units as in SAMM, most units in a few clips",
        28,
        SAMM_SIZES,
        tuple(n / 159 for n in SAMM_POSITIVES),
        Detector(0.3, -2.5),
    ),
    UnitPopulation(
        "common-units",
        "26 subjects as in CASME II, six units that many clips hold",
        26,
        CASME2_SIZES,
        (0.5, 0.3, 0.2, 0.15, 0.15, 0.1),
        Detector(0.8, -1.8),
    ),
)

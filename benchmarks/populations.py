"""Populations of simulated subjects whose true scores are known: what the coverage of intervals is measured against.

A subject has a number of clips, a mixture of classes (Dirichlet) and, for each method, a skill: the log odds of a right
answer are those of the class plus an effect of the subject, shared in part by both methods, an effect of the subject on
the class, and an effect of the seed. Wrong answers fall on the other classes in proportion to `pull`. Truth is computed
from expected confusions of very many subjects.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mebench.statistics import Floats, Metric, SubjectCounts, metric_of

MANY = 60_000
"""Subjects behind a truth: its Monte Carlo error is about .001, a fiftieth of the intervals' width or less."""


@dataclass(frozen=True)
class Method:
    """How often a method is right: log odds by class, SD of its own subject effect, SD of the seed effect, seeds."""

    skill: tuple[float, ...]
    own: float = 0.5
    by_seed: float = 0.0
    seeds: int = 1


@dataclass(frozen=True)
class Corpus:
    """Subjects of one corpus: `sizes` are clips per subject, drawn from, or given to them in turn where `fixed`.

    `prior` are the shares of the classes, `mixing` the Dirichlet's concentration (small: subjects of a single class).
    """

    name: str
    subjects: int
    sizes: tuple[int, ...]
    prior: tuple[float, ...]
    mixing: float
    fixed: bool = False


@dataclass(frozen=True)
class Population:
    """Corpora and the spread of subjects: SD of the effect on all clips, and of that on each class."""

    name: str
    words: str
    corpora: tuple[Corpus, ...]
    methods: tuple[Method, ...]
    spread: float
    class_spread: float
    pull: tuple[float, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Made-up names in order."""
        return tuple(f"class{i}" for i in range(len(self.pull)))


@dataclass(frozen=True, eq=False)
class Sample:
    """Subjects of `n` samples: clips by class (n, subjects, k), and the effects common to both methods."""

    strata: tuple[str, ...]
    clips: NDArray[np.int64]
    common: Floats
    by_class: Floats


def draw(population: Population, n: int, generator: np.random.Generator) -> Sample:
    """The subjects of `n` samples."""
    parts = []
    for corpus in population.corpora:
        shape = (n, corpus.subjects)
        sizes = np.resize(corpus.sizes, shape[1]) if corpus.fixed else generator.choice(corpus.sizes, size=shape)
        mixture = generator.dirichlet(corpus.mixing * np.asarray(corpus.prior), size=shape)
        parts.append(generator.multinomial(np.broadcast_to(sizes, shape), mixture))
    clips = np.concatenate(parts, axis=1)
    return Sample(
        tuple(corpus.name for corpus in population.corpora for _ in range(corpus.subjects)),
        clips,
        generator.normal(0, population.spread, size=(*clips.shape[:2], 1)),
        generator.normal(0, population.class_spread, size=clips.shape),
    )


def chances(
    population: Population, method: Method, sample: Sample, own: Floats, by_seed: Floats | float
) -> NDArray[np.float64]:
    """The chance of each answer (n, subjects, k truth, k answer); `own` and `by_seed` are effects that broadcast."""
    odds = np.asarray(method.skill) + sample.common + sample.by_class + method.own * own + by_seed
    right = 1 / (1 + np.exp(-odds))
    k = len(method.skill)
    wrong = np.where(np.eye(k, dtype=bool), 0.0, np.asarray(population.pull))
    wrong = wrong / wrong.sum(axis=1, keepdims=True)
    found: Floats = (1 - right)[..., None] * wrong + right[..., None] * np.eye(k)
    return found


def answers(
    population: Population, method: Method, sample: Sample, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Counts (n, seeds, 1, subjects, k, k+1) of what a method says, and the effects of its seeds (n, seeds)."""
    n, subjects, k = sample.clips.shape
    own = generator.normal(size=(n, subjects, 1))
    effects = method.by_seed * generator.normal(size=(n, method.seeds))
    counts = np.zeros((n, method.seeds, 1, subjects, k, k + 1), dtype=np.int64)
    for s in range(method.seeds):
        chance = chances(population, method, sample, own, effects[:, s, None, None])
        counts[:, s, 0, :, :, :k] = generator.multinomial(sample.clips, chance)
    return counts, effects


def subject_counts(population: Population, sample: Sample, counts: NDArray[np.int64]) -> SubjectCounts:
    """One sample's counts (seeds, 1, subjects, k, k+1) as the statistics take them."""
    names = tuple(f"s{i}" for i in range(len(sample.strata)))
    return SubjectCounts(population.classes, names, sample.strata, ("all",), tuple(range(len(counts))), counts)


@dataclass(frozen=True, eq=False)
class Truth:
    """The true scores of a method: by effect of the seed, and their mean over seeds."""

    effects: Floats
    scores: Floats
    mean: float

    def of_seeds(self, effects: Floats) -> Floats:
        """The mean score (n,) of seeds whose effects (n, seeds) are known."""
        found: Floats = np.interp(effects, self.effects, self.scores).mean(axis=1)
        return found


def truth(population: Population, method: Method, metric: Metric, seed: int = 0) -> Truth:
    """The score on very many subjects, the corpora in their proportions."""
    generator = np.random.default_rng([seed, 7])
    sample = draw(population, -(-MANY // sum(c.subjects for c in population.corpora)), generator)
    own = generator.normal(size=(*sample.clips.shape[:2], 1))
    effects = np.linspace(-4, 4, 17) * method.by_seed if method.by_seed else np.zeros(1)
    scores = []
    for effect in effects:
        expected = (sample.clips[..., None] * chances(population, method, sample, own, float(effect))).sum(axis=(0, 1))
        margins = np.stack([expected.diagonal(), expected.sum(axis=1), expected.sum(axis=0)])
        scores.append(float(metric_of(margins, metric)))
    weights = np.exp(-(np.linspace(-4, 4, len(effects)) ** 2) / 2) if len(effects) > 1 else np.ones(1)
    return Truth(effects, np.asarray(scores), float(np.average(scores, weights=weights)))


def matched(population: Population, method: Method, other: Method, metric: Metric) -> Method:
    """The other method with its log odds moved until its true score is that of the method."""
    goal = truth(population, method, metric).mean
    low, high = -4.0, 4.0
    for _ in range(14):
        middle = (low + high) / 2
        moved = replace(other, skill=tuple(value + middle for value in other.skill))
        low, high = (middle, high) if truth(population, moved, metric).mean < goal else (low, middle)
    return replace(other, skill=tuple(value + (low + high) / 2 for value in other.skill))


CASME2_SIZES = (34, 19, 16, 15, 13, 13, 13, 12, 12, 11, 10, 9, 9, 8, 7, 7, 7, 5, 5, 4, 4, 3, 3, 3, 2, 2)
"""Clips per subject of the 246 clips of five classes."""
SAMM_SIZES = (15, 12, 10, 9, 9, 9, 6, 6, 6, 5, 5, 5, 4, 4, 4, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1)
"""Clips per subject of the 136 clips of five classes, and one subject of two more, to make 28."""
_FIVE = (0.40, 0.26, 0.13, 0.11, 0.10)
"""Shares of the classes of CASME II: others 99, disgust 63, happiness 32, repression 27, surprise 25."""
_PULL5 = (0.5, 0.25, 0.1, 0.08, 0.07)
_SKILL5 = (0.7, 0.3, -0.3, -0.6, 0.2)
_THREE = (0.57, 0.25, 0.18)
"""Negative, positive and surprise of the composite of 442 clips: 250, 109, 83."""
_SKILL3 = (1.0, 0.3, 0.6)
_ONE = Method(_SKILL5)

POPULATIONS = (
    Population(
        "balanced",
        "24 subjects with 10 clips each of three classes, mild differences",
        (Corpus("balanced", 24, (10,), (1 / 3, 1 / 3, 1 / 3), 20.0),),
        (Method((0.8, 0.4, 0.6), own=0.3),),
        0.4,
        0.2,
        (1.0, 1.0, 1.0),
    ),
    Population(
        "casme2",
        "26 subjects, clips per subject drawn from those of CASME II, five classes, subjects who lack most of them",
        (Corpus("casme2", 26, CASME2_SIZES, _FIVE, 2.0),),
        (_ONE,),
        0.7,
        0.5,
        _PULL5,
    ),
    Population(
        "one-large",
        "26 subjects, always one who has a quarter of the clips, subjects of one or two classes",
        (Corpus("one-large", 26, (71, *CASME2_SIZES[1:]), _FIVE, 1.0, fixed=True),),
        (_ONE,),
        0.7,
        0.5,
        _PULL5,
    ),
    Population(
        "samm-strong",
        "28 subjects with as many clips as in SAMM, five classes, strong differences between subjects",
        (Corpus("samm", 28, SAMM_SIZES, (0.42, 0.19, 0.19, 0.11, 0.09), 2.0),),
        (_ONE,),
        1.5,
        1.0,
        _PULL5,
    ),
    Population(
        "composite",
        "68 subjects of three corpora, some 440 clips, three classes",
        (
            Corpus("smic", 16, (4, 6, 8, 9, 10, 12, 16, 18), (0.43, 0.31, 0.26), 4.0),
            Corpus("casme2", 24, (2, 3, 4, 5, 6, 7, 8, 12), (0.61, 0.22, 0.17), 3.0),
            Corpus("samm", 28, SAMM_SIZES, (0.69, 0.20, 0.11), 3.0),
        ),
        (Method(_SKILL3),),
        0.8,
        0.5,
        _THREE,
    ),
    Population(
        "few",
        "8 subjects with some 9 clips each of three classes, as SMIC-VIS has",
        (Corpus("smic-vis", 8, (5, 7, 9, 11, 13), (0.4, 0.35, 0.25), 5.0),),
        (Method(_SKILL3),),
        0.7,
        0.3,
        (0.4, 0.3, 0.3),
    ),
    Population(
        "seeds",
        "composite subjects, three seeds that differ (SD .3 in log odds)",
        (
            Corpus("smic", 16, (4, 6, 8, 9, 10, 12, 16, 18), (0.43, 0.31, 0.26), 4.0),
            Corpus("casme2", 24, (2, 3, 4, 5, 6, 7, 8, 12), (0.61, 0.22, 0.17), 3.0),
            Corpus("samm", 28, SAMM_SIZES, (0.69, 0.20, 0.11), 3.0),
        ),
        (Method(_SKILL3, by_seed=0.3, seeds=3),),
        0.8,
        0.5,
        _THREE,
    ),
)

"""Scores under resampled subjects: whole subjects drawn anew within their corpus, seeds as a level of their own.

What is estimated is the score that a protocol would give with very many such subjects, not the mean score of protocols
of this size. Seeds, where they are drawn, are drawn along with the subjects (Owen 2007, The pigeonhole bootstrap,
Annals of Applied Statistics 1): one fewer than there are, so that their variance comes out unbiased (Rao & Wu 1988,
Resampling inference with complex survey data, JASA 83).

A resample in which a class has lost its last clip has no UF1 and is drawn again; how often is said in the remarks.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.statistics import (
    Floats,
    Metric,
    SubjectCounts,
    influences,
    jackknife_variance,
    same_clips,
    seed_scores,
)

Estimand = Literal["predictions", "method"]
WORDS: Mapping[Estimand, str] = {
    "predictions": "these predictions on new subjects: the fitted models and their seeds as they are",
    "method": "this method on new subjects: subjects and seeds drawn anew",
}
RESAMPLES = 10_000
FEWEST_KEPT = 0.01
"""Share of resamples that hold every class below which there is no interval: drawing on would take too long."""
SAID_FROM = 0.01
"""Share of redrawn resamples from which a remark says so."""
LARGE = 0.2
"""Share of the clips from which one subject is remarked on: intervals hold the truth less often then."""
FEWEST_SUBJECTS = 8
"""The fewest subjects whose intervals were simulated."""
SAME = 1e-9
"""Scores this close are the same score added up in another order."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """A score and what it came to under each resample: `values` and their `standard_errors` (n,).

    `standard_error` is the infinitesimal jackknife's over subjects, for `method` with the variance between seeds, whose
    degrees of freedom in the whole are `freedom`: infinite where seeds add nothing (Satterthwaite 1946, Biometrics
    Bulletin 2). `influence` (subjects,) is that of each subject on the score, less its stratum's mean. `values` is
    empty where no interval can be given. `seeds` are the fewest of the methods involved.
    """

    metric: Metric
    estimand: Estimand
    estimate: float
    standard_error: float
    freedom: float
    influence: Floats
    values: Floats
    standard_errors: Floats
    seeds: int
    bounds: tuple[float, float]
    remarks: tuple[str, ...] = ()


def bootstrap(
    counts: SubjectCounts,
    metric: Metric = "uf1",
    *,
    estimand: Estimand = "method",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Resamples:
    """The score of one method under resampled subjects."""
    return _bootstrap([(1, counts)], metric, estimand, resamples, np.random.default_rng(seed))


def bootstrap_difference(
    method: SubjectCounts,
    reference: SubjectCounts,
    metric: Metric = "uf1",
    *,
    estimand: Estimand = "method",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Resamples:
    """The score of a method less that of a reference under the same resampled subjects, each with its own seeds.

    Raises UsageError unless both were scored on the same clips.
    """
    same_clips((method, reference))
    return _bootstrap([(1, method), (-1, reference)], metric, estimand, resamples, np.random.default_rng(seed))


def draw_subjects(
    counts: SubjectCounts, resamples: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """How often each subject is drawn (n, subjects), and the share of draws that had to be thrown away.

    As many subjects as there are, with replacement, within each stratum; every class that has clips in a part keeps
    some. No rows where fewer than one draw in a hundred does.
    """
    present = counts.clips[0].transpose(1, 0, 2).reshape(len(counts.subjects), -1).astype(np.float64)
    present = np.unique(present[:, present.any(axis=0)] > 0, axis=1).astype(np.float64)
    kept, have, drawn = [], 0, 0
    while have < resamples:
        weights = _draw(counts.codes, resamples, generator)
        weights = weights[((weights @ present) > 0).all(axis=1)]
        kept.append(weights)
        have, drawn = have + len(weights), drawn + resamples
        if have < FEWEST_KEPT * drawn:
            return np.empty((0, len(counts.subjects))), 1 - have / drawn
    return np.concatenate(kept)[:resamples], 1 - have / drawn


def draw_seeds(seeds: int, estimand: Estimand, resamples: int, generator: np.random.Generator) -> Floats:
    """The weight of each seed (n, seeds): equal for `predictions`; for `method` seeds - 1 drawn with replacement."""
    if estimand == "predictions" or seeds == 1:
        return np.full((resamples, seeds), 1 / seeds)
    return generator.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=resamples) / (seeds - 1)


def alone(counts: SubjectCounts) -> bool:
    """Whether no subject has another beside him in his corpus."""
    return len(set(counts.strata)) == len(counts.subjects)


def weighted_scores(counts: SubjectCounts, metric: Metric, weights: Floats, seed_weights: Floats) -> Floats:
    """The mean over seeds (n,) under weights of subjects (n, subjects) and of seeds (n, seeds)."""
    found: Floats = (seed_weights.T * seed_scores(counts, metric, weights)).sum(axis=0)
    return found


def standard_error(
    terms: Sequence[tuple[int, SubjectCounts]], metric: Metric, estimand: Estimand
) -> tuple[float, float, Floats]:
    """The standard error of a signed sum of scores, its degrees of freedom and the centred influences, as `Resamples`.

    NaN where no corpus has two subjects.
    """
    first = terms[0][1]
    ones, even = np.ones((1, len(first.subjects))), [_even(1, counts) for _, counts in terms]
    slopes, _ = _resampled(terms, metric, ones, even)
    between = _between(terms, metric, estimand)
    variance = float(jackknife_variance(slopes, ones, first.codes)[0])
    spent = sum(part**2 / (len(counts.seeds) - 1) for part, (_, counts) in zip(between, terms, strict=True) if part)
    freedom = (variance + sum(between)) ** 2 / spent if spent else math.inf
    error = math.nan if alone(first) else math.sqrt(variance + sum(between))
    return error, freedom, _centred(slopes[0], first.codes)


def _bootstrap(
    terms: Sequence[tuple[int, SubjectCounts]],
    metric: Metric,
    estimand: Estimand,
    resamples: int,
    generator: np.random.Generator,
) -> Resamples:
    """The signed sum of the terms' scores under common subjects."""
    first = terms[0][1]
    estimate = sum(sign * float(seed_scores(counts, metric).mean()) for sign, counts in terms)
    error, freedom, influence = standard_error(terms, metric, estimand)
    weights, redrawn = draw_subjects(first, resamples, generator)
    drawn = [draw_seeds(len(counts.seeds), estimand, len(weights), generator) for _, counts in terms]
    slopes, values = _resampled(terms, metric, weights, drawn)
    errors = np.sqrt(jackknife_variance(slopes, weights, first.codes) + sum(_between(terms, metric, estimand)))
    unknown = _unknown(first, values)
    return Resamples(
        metric=metric,
        estimand=estimand,
        estimate=estimate,
        standard_error=math.nan if unknown else error,
        freedom=freedom,
        influence=influence,
        values=values[:0] if unknown else values,
        standard_errors=values[:0] if unknown else errors,
        seeds=min(len(counts.seeds) for _, counts in terms),
        bounds=(0.0, 1.0) if len(terms) == 1 else (-1.0, 1.0),
        remarks=(*unknown, *_remarks(terms, estimand, redrawn)),
    )


def _resampled(
    terms: Sequence[tuple[int, SubjectCounts]], metric: Metric, weights: Floats, seed_weights: Sequence[Floats]
) -> tuple[Floats, Floats]:
    """Influences (n, subjects) and values (n,) of the signed sum under weights."""
    slopes, values = np.zeros_like(weights), np.zeros(len(weights))
    for (sign, counts), drawn in zip(terms, seed_weights, strict=True):
        slopes += sign * influences(counts, metric, weights, drawn)
        values += sign * weighted_scores(counts, metric, weights, drawn)
    return slopes, values


def _draw(strata: NDArray[np.intp], resamples: int, generator: np.random.Generator) -> Floats:
    """How often each subject is drawn (resamples, subjects), within strata."""
    weights = np.empty((resamples, len(strata)))
    for stratum in np.unique(strata):
        at = strata == stratum
        m = int(at.sum())
        picks = generator.integers(m, size=(resamples, m)) + m * np.arange(resamples)[:, None]
        weights[:, at] = np.bincount(picks.ravel(), minlength=m * resamples).reshape(resamples, m)
    return weights


def _centred(influence: Floats, strata: NDArray[np.intp]) -> Floats:
    means = np.bincount(strata, influence) / np.bincount(strata)
    centred: Floats = influence - means[strata]
    return centred


def _between(terms: Sequence[tuple[int, SubjectCounts]], metric: Metric, estimand: Estimand) -> list[float]:
    """What seeds add to the variance of each term's mean over them: nothing where they are taken as they are."""
    several = [estimand == "method" and len(counts.seeds) > 1 for _, counts in terms]
    return [
        float(seed_scores(counts, metric).var(ddof=1)) / len(counts.seeds) if more else 0.0
        for more, (_, counts) in zip(several, terms, strict=True)
    ]


def _even(n: int, counts: SubjectCounts) -> Floats:
    return np.full((n, len(counts.seeds)), 1 / len(counts.seeds))


def _unknown(counts: SubjectCounts, values: Floats) -> list[str]:
    """Why there can be no interval."""
    if alone(counts):
        return ["no interval: no corpus has two subjects, and one says nothing of how subjects differ"]
    if not len(values):
        return ["no interval: fewer than one resample in a hundred holds every class"]
    if np.isnan(values).any():
        return ["no interval: the score is undefined"]
    if np.ptp(values) <= SAME:
        return ["no interval: every resample scores the same"]
    return []


def _remarks(terms: Sequence[tuple[int, SubjectCounts]], estimand: Estimand, redrawn: float) -> list[str]:
    """What a reader must know of the structure."""
    first = terms[0][1]
    said = []
    holders = (first.clips[0] > 0).any(axis=0).sum(axis=0)
    rare = [name for name, n in zip(first.classes, holders, strict=True) if n == 1]
    said += [f"{', '.join(rare)} {'is' if len(rare) == 1 else 'are each'} held by one subject"] if rare else []
    names, sizes = np.unique(first.strata, return_counts=True)
    said += [f"{name} has one subject, which adds no variance" for name, n in zip(names, sizes, strict=True) if n == 1]
    shares = first.sizes / first.sizes.sum()
    large = [f"{s} has {x:.0%}" for s, x in zip(first.subjects, shares, strict=True) if x >= LARGE]
    said += [f"{', '.join(large)} of the clips"] if large else []
    if len(first.subjects) < FEWEST_SUBJECTS:
        said.append(f"{len(first.subjects)} subjects: how intervals do with fewer than {FEWEST_SUBJECTS} is not known")
    if redrawn >= SAID_FROM:
        said.append(f"{redrawn:.0%} of the resamples lacked a class and were drawn again")
    if estimand == "method" and any(len(counts.seeds) == 1 for _, counts in terms):
        said.append("one seed: how seeds differ is not in the interval")
    return said

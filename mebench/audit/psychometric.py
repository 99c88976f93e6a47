"""How often motion is detected as a function of its amplitude, and the amplitude detected half of the time.

Signal detection (Green and Swets 1966): what a model says of a clip is a score; a criterion on it lets 5 % of the clips
without motion pass, and what passes of the others are hits. The psychometric function is a logistic of log amplitude
that starts at the false-alarm rate and ends short of 1 by a share of lapses (Wichmann and Hill 2001, equation 1).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FALSE_ALARMS = 0.05
MOST_LAPSES = 0.1
_STEEP = (0.3, 12.0)
"""Bounds of the slope per octave: from a curve that needs ten octaves to one that needs a fifth of one."""
_STARTS = (0.8, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted function: the middle in log2 of the amplitude, slope per octave, false alarms and lapses."""

    middle: float
    slope: float
    false_alarms: float
    lapses: float

    def __call__(self, amplitude: "NDArray[np.float64] | float") -> NDArray[np.float64]:
        """The share of clips detected at this amplitude."""
        rise = 1 / (1 + np.exp(-np.clip(self.slope * (np.log2(amplitude) - self.middle), -60, 60)))
        return np.asarray(self.false_alarms + (1 - self.false_alarms - self.lapses) * rise)

    @property
    def half(self) -> float:
        """The amplitude that is detected half of the time."""
        share = (0.5 - self.false_alarms) / (1 - self.false_alarms - self.lapses)
        return float(2.0 ** (self.middle + math.log(share / (1 - share)) / self.slope))


@dataclass(frozen=True, slots=True)
class Threshold:
    """The amplitude detected half of the time, its 95 % interval, and the curve it was read from.

    An amplitude beyond the tested ones is not told: it is infinite where too few were detected at the greatest, 0 where
    more than half were at the least. So are the ends of the interval.
    """

    amplitude: float
    low: float
    high: float
    curve: Curve


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of held-out clips: (subject, score) without motion, and with motion by amplitude."""

    without: Sequence[tuple[str, float]]
    by_amplitude: Mapping[float, Sequence[tuple[str, float]]]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, sorted."""
        return tuple(sorted({subject for subject, _ in self.without}))


def criterion(scores: NDArray[np.float64], weights: NDArray[np.float64], rate: float = FALSE_ALARMS) -> float:
    """The least score that at most a share `rate` of these scores, weighted, exceeds."""
    order = np.argsort(scores)[::-1]
    share = np.cumsum(weights[order]) / weights.sum()
    passing = int(np.searchsorted(share, rate + 1e-12, side="right"))
    return float(scores[order[min(passing, len(order) - 1)]])


def hit_rates(scores: Scores, counts: Mapping[str, int] | None = None) -> dict[float, tuple[float, float]]:
    """Hits and clips by amplitude at the criterion that the clips without motion set; 0 for the false alarms.

    `counts` says how often each subject is drawn, by default once.
    """
    drawn = counts if counts is not None else dict.fromkeys(scores.subjects, 1)
    silent, weights = _weighted(scores.without, drawn)
    bar = criterion(silent, weights)
    found = {0.0: (float(weights[silent > bar].sum()), float(weights.sum()))}
    for amplitude, rows in sorted(scores.by_amplitude.items()):
        said, weights = _weighted(rows, drawn)
        found[amplitude] = (float(weights[said > bar].sum()), float(weights.sum()))
    return found


def fit_curve(rates: Mapping[float, tuple[float, float]]) -> Curve:
    """The curve of greatest likelihood through hits and clips by amplitude; the share at 0 is that of false alarms."""
    from scipy.optimize import minimize

    alarms = min(rates[0.0][0] / rates[0.0][1], 0.45)
    amplitudes = np.array([a for a in rates if a > 0])
    hits, clips = (np.array([rates[a][k] for a in amplitudes.tolist()]) for k in (0, 1))

    def surprise(parameters: NDArray[np.float64]) -> float:
        share = np.clip(Curve(parameters[0], parameters[1], alarms, parameters[2])(amplitudes), 1e-6, 1 - 1e-6)
        return float(-(hits * np.log(share) + (clips - hits) * np.log(1 - share)).sum())

    low, high = np.log2(amplitudes.min()) - 4, np.log2(amplitudes.max()) + 4
    bounds = [(low, high), _STEEP, (0.0, MOST_LAPSES)]
    starts = [(m, s, 0.02) for m in np.log2(amplitudes) for s in _STARTS]
    best = min((minimize(surprise, start, bounds=bounds, method="L-BFGS-B") for start in starts), key=lambda r: r.fun)
    return Curve(float(best.x[0]), float(best.x[1]), float(alarms), float(best.x[2]))


def threshold(scores: Scores, *, draws: int = 400, seed: int = 0) -> Threshold:
    """The amplitude detected half of the time, with a percentile interval over subjects drawn with replacement.

    In every draw the criterion is set anew and the curve fitted anew.
    """
    curve = fit_curve(hit_rates(scores))
    tested = (min(scores.by_amplitude), max(scores.by_amplitude))
    generator, subjects = np.random.default_rng(seed), scores.subjects
    found = []
    for _ in range(draws):
        chosen = generator.choice(len(subjects), len(subjects))
        counts = {name: int((chosen == i).sum()) for i, name in enumerate(subjects)}
        found.append(told(fit_curve(hit_rates(scores, counts)).half, tested))
    low, high = np.quantile(found, (0.025, 0.975), method="nearest") if found else (math.nan, math.nan)
    return Threshold(told(curve.half, tested), float(low), float(high), curve)


def told(amplitude: float, tested: tuple[float, float]) -> float:
    """The amplitude where it lies among the tested ones; 0 below and infinity above."""
    return 0.0 if amplitude < tested[0] else math.inf if amplitude > tested[1] else amplitude


def _weighted(
    rows: Sequence[tuple[str, float]], counts: Mapping[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([score for _, score in rows]), np.array([counts.get(s, 0) for s, _ in rows], np.float64)


__all__ = [
    "FALSE_ALARMS",
    "Curve",
    "Scores",
    "Threshold",
    "criterion",
    "fit_curve",
    "hit_rates",
    "threshold",
    "told",
]

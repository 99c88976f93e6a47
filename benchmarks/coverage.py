"""How often the intervals hold the truth, and how often the paired test errs: python -m benchmarks.coverage.

Usage: python -m benchmarks.coverage [--replications N] [--resamples N] [NAME ...]

Subjects are drawn from populations whose true scores are known (`populations`, of action units `unit_populations`), the
shipped functions are called on every sample, and what comes out is counted. `refit` trains a nearest-mean classifier
anew for every fold of every sample. Everything is simulated: no corpus is read. With 1,000 replications a coverage of
95 % is known to ± 1.4 %.
"""

import argparse
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from benchmarks import refitting
from benchmarks.populations import POPULATIONS, Population, answers, draw, matched, subject_counts, truth
from benchmarks.unit_populations import (
    UNIT_POPULATIONS,
    UnitPopulation,
    answer_units,
    draw_units,
    matched_units,
    unit_truth,
)
from mebench.comparison import swap_test
from mebench.intervals import DEFAULT, KINDS, Kind, interval
from mebench.resampling import Estimand, Resamples, bootstrap, bootstrap_difference
from mebench.statistics import Metric, SubjectCounts

REPLICATIONS, RESAMPLES = 1000, 999
ALPHA = 0.05


@dataclass(frozen=True)
class Line:
    """Coverage and mean width of each kind of interval in one structure.

    `error_ratio` is the mean standard error over the standard deviation of what was estimated; `missing` counts the
    samples that got no interval.
    """

    structure: str
    quantity: str
    truth: float
    replications: int
    coverage: dict[Kind, float]
    width: dict[Kind, float]
    error_ratio: float
    missing: int


@dataclass(frozen=True)
class Rate:
    """How often two methods of one true score are told apart at 5 %.

    `rejected` by the paired test, `resolved` where the interval of the difference leaves 0 out as well.
    """

    structure: str
    null: str
    replications: int
    rejected: float
    resolved: float


class Tally:
    """Counts, sample by sample, whether intervals hold the truth."""

    def __init__(self, structure: str, quantity: str) -> None:
        self.structure, self.quantity = structure, quantity
        self.held: dict[Kind, list[bool]] = {kind: [] for kind in KINDS}
        self.widths: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
        self.errors: list[float] = []
        self.deviations: list[float] = []
        self.truths: list[float] = []
        self.missing = 0

    def add(self, found: Resamples, true: float) -> None:
        """One sample's resamples against its truth."""
        intervals = {kind: interval(found, kind) for kind in KINDS}
        if any(math.isnan(one.low) for one in intervals.values()):
            self.missing += 1
            return
        for kind, one in intervals.items():
            self.held[kind].append(one.low <= true <= one.high)
            self.widths[kind].append(one.high - one.low)
        self.errors.append(found.standard_error)
        self.deviations.append(found.estimate - true)
        self.truths.append(true)

    def line(self) -> Line:
        """What was counted."""
        return Line(
            self.structure,
            self.quantity,
            float(np.mean(self.truths)),
            len(self.errors),
            {kind: float(np.mean(held)) for kind, held in self.held.items()},
            {kind: float(np.mean(widths)) for kind, widths in self.widths.items()},
            float(np.sqrt(np.mean(np.square(self.errors))) / np.std(self.deviations)),
            self.missing,
        )


def measure(population: Population, replications: int, resamples: int, seed: int = 0) -> Iterator[Line | Rate]:
    """The lines of one population: UF1, UAR, then the difference of two methods, alike and unlike, of one true UF1."""
    generator = np.random.default_rng([seed, 1])
    sample = draw(population, replications, generator)
    method = population.methods[0]
    counts, effects = answers(population, method, sample, generator)
    samples = [subject_counts(population, sample, found) for found in counts]
    estimands: tuple[Estimand, ...] = ("method", "predictions") if method.seeds > 1 else ("method",)
    metrics: tuple[Metric, ...] = ("uf1", "uar")
    for metric, estimand in product(metrics, estimands):
        known = truth(population, method, metric)
        true = known.of_seeds(effects) if estimand == "predictions" else np.full(replications, known.mean)
        tally = Tally(population.name, f"{metric}, {estimand}" if method.seeds > 1 else metric)
        for i, found in enumerate(samples):
            tally.add(bootstrap(found, metric, estimand=estimand, resamples=resamples, seed=i), float(true[i]))
        yield tally.line()
    other = replace(method, skill=tuple(reversed(method.skill)))
    for name, rival in {"alike": method, "unlike": matched(population, method, other, "uf1")}.items():
        said = answers(population, rival, sample, generator)[0]
        rivals = (subject_counts(population, sample, found) for found in said)
        yield from differences(population.name, name, zip(samples, rivals, strict=True), resamples)


def measure_units(
    population: UnitPopulation, replications: int, resamples: int, seed: int = 0
) -> Iterator[Line | Rate]:
    """The lines of one population of units: mean F1, then the difference of two methods, alike and unlike."""
    generator = np.random.default_rng([seed, 1])
    sample, method = draw_units(population, replications, generator), population.method
    by_unit, tally = unit_truth(population, method), Tally(population.name, "mean F1 of units")
    samples = answer_units(population, method, sample, generator)
    for i, found in enumerate(samples):
        held = found.clips.any(axis=(0, 1, 2))
        tally.add(bootstrap(found, resamples=resamples, seed=i), float(by_unit[held].mean()))
    yield tally.line()
    other = matched_units(population, method, replace(method, seen=method.seen + 1))
    for name, rival in {"alike": method, "unlike": other}.items():
        said = answer_units(population, rival, sample, generator)
        yield from differences(population.name, name, zip(samples, said, strict=True), resamples)


def differences(
    structure: str, name: str, pairs: Iterable[tuple[SubjectCounts, SubjectCounts]], resamples: int
) -> Iterator[Line | Rate]:
    """The coverage of the interval of a difference that is truly 0, and how often it is called a difference."""
    tally = Tally(structure, f"difference, {name}")
    rejected, resolved = [], []
    for i, (ours, theirs) in enumerate(pairs):
        found = bootstrap_difference(ours, theirs, resamples=resamples, seed=i)
        tally.add(found, 0.0)
        rejected.append(swap_test(ours, theirs, swaps=resamples, seed=i).p <= ALPHA)
        limits = interval(found, DEFAULT)
        resolved.append(rejected[-1] and (limits.low > 0 or limits.high < 0))
    yield tally.line()
    yield Rate(structure, name, len(rejected), float(np.mean(rejected)), float(np.mean(resolved)))


def measure_refit(
    setting: refitting.Setting, replications: int, resamples: int, seed: int = 0
) -> Iterator[Line | Rate]:
    """Coverage for a classifier that every fold fits anew: for its fits as they came out, and for the method."""
    of_method = refitting.truth(setting, seed=seed)
    fits, method, pairs = Tally(setting.name, "uf1, these fits"), Tally(setting.name, "uf1, refitted"), []
    for i in range(replications):
        drawn = refitting.replicate(setting, np.random.default_rng([seed, 2, i]))
        found = bootstrap(drawn.counts, resamples=resamples, seed=i)
        fits.add(found, drawn.truth_of_fits)
        method.add(found, of_method)
        pairs.append((drawn.counts, drawn.rival))
    yield fits.line()
    yield method.line()
    yield from differences(setting.name, "refitted", pairs, resamples)


def text(line: Line | Rate) -> str:
    """One line of the table."""
    if isinstance(line, Rate):
        said = f"rejected {line.rejected:5.1%}, rejected with 0 outside the interval {line.resolved:5.1%}"
        return f"{line.structure:14} paired test at 5 %, methods {line.null}: {said}"
    kinds = "  ".join(f"{line.coverage[kind]:6.1%} ({line.width[kind]:.3f})" for kind in KINDS)
    gone = f"  {line.missing} without interval" if line.missing else ""
    return f"{line.structure:14} {line.quantity:20} {line.truth:6.3f}  {kinds}  SE/SD {line.error_ratio:.2f}{gone}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="structures, by default all")
    parser.add_argument("--replications", type=int, default=REPLICATIONS)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    asked = parser.parse_args()
    print(f"{asked.replications} samples, {asked.resamples} resamples; nominal 95 %; mean width in brackets")
    print(f"{'structure':14} {'quantity':20} {'truth':>6}  " + "  ".join(f"{kind:14}" for kind in KINDS))
    for population in POPULATIONS:
        if not asked.names or population.name in asked.names:
            _print(measure(population, asked.replications, asked.resamples), population.words)
    for units in UNIT_POPULATIONS:
        if not asked.names or units.name in asked.names:
            _print(measure_units(units, asked.replications, asked.resamples), units.words)
    for setting in refitting.SETTINGS:
        if not asked.names or setting.name in asked.names:
            _print(measure_refit(setting, asked.replications, asked.resamples), setting.words)


def _print(lines: Iterable[Line | Rate], words: str) -> None:
    started = time.perf_counter()
    print(f"-- {words}")
    for line in lines:
        print(text(line), flush=True)
    print(f"   {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

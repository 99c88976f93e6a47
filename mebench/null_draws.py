"""What a run scores where labels say nothing: the draws of its permutation null as they lie beside it, and p.

    p = (1 + b) / (1 + n)

of n permutations of which b reach the score: the true labelling is itself one of the 1 + n, so that p cannot be less
than 1 / (1 + n), and a level alpha asks for 1 / alpha - 1 permutations at least. One-sided: leave-one-subject-out on
noise may fall below chance, and that is no evidence of anything.

The draws have an order, and may stop early by the rule of Besag & Clifford (1991, Sequential Monte Carlo p-values,
Biometrika 78): where the h-th permutation that reaches the score is the l-th drawn, p = h / l, and no further draw is
needed; p is valid for any h fixed beforehand. It saves time where there is nothing to find, and none where there is.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mebench.errors import RunError
from mebench.kept_json import keep_json, read_kept

SCHEMA = "mebench.permutation/1"
CONFIDENCE = 0.975
FEWEST = 39
"""Below 39 permutations the largest of 40 values cannot lie above the 97.5 % point."""
_SAME = 1e-12
_NUMBER = re.compile(r"[0-9]{5}\.json")


@dataclass(frozen=True)
class NullDraws:
    """UF1 of a run, the mean over `seeds` seeds, beside UF1 under each permutation, in the order of their numbers.

    A draw is the mean over the same seeds, the model fitted again; NaN where that failed, which counts as reaching the
    score. `stop_after` is h of the sequential rule, None where none was asked for: what was drawn after it stopped
    does not count.
    """

    observed: float
    draws: tuple[float, ...]
    seeds: int = 1
    stop_after: int | None = None

    @property
    def counted(self) -> tuple[float, ...]:
        """The draws up to where the rule stops, all without one."""
        if self.stop_after is not None:
            reached = 0
            for i, value in enumerate(self.draws, 1):
                reached += self._reaches(value)
                if reached == self.stop_after:
                    return self.draws[:i]
        return self.draws

    @property
    def reached(self) -> int:
        """How many of the draws counted reach the score."""
        return sum(map(self._reaches, self.counted))

    @property
    def failed(self) -> int:
        """How many of the draws counted failed."""
        return sum(map(math.isnan, self.counted))

    @property
    def stopped(self) -> bool:
        """Whether the sequential rule has stopped."""
        return self.stop_after is not None and self.reached == self.stop_after

    @property
    def p(self) -> float:
        """One-sided p, as said above; NaN without a draw."""
        if not self.draws:
            return math.nan
        if self.stopped:
            return self.reached / len(self.counted)
        return (1 + self.reached) / (1 + len(self.counted))

    @property
    def error(self) -> float:
        """The standard error that p has from drawing permutations instead of trying them all."""
        return math.sqrt(self.p * (1 - self.p) / len(self.counted)) if self.draws else math.nan

    @property
    def mean(self) -> float:
        """The mean of the draws that did not fail."""
        known = [value for value in self.counted if not math.isnan(value)]
        return float(np.mean(known)) if known else math.nan

    @property
    def bound(self) -> float:
        """The 97.5 % point of the draws, those that failed above all others; NaN with fewer than 39."""
        if len(self.counted) < FEWEST:
            return math.nan
        values = [1.0 if math.isnan(value) else value for value in self.counted]
        return float(np.quantile(values, CONFIDENCE, method="higher"))

    def _reaches(self, value: float) -> bool:
        return not value < self.observed - _SAME


def needed(alpha: float) -> int:
    """The fewest permutations with which p can be as small as alpha: 1 / alpha - 1, rounded up."""
    return math.ceil(round(1 / alpha, 9)) - 1


def settling(p: float, alpha: float) -> int:
    """About how many permutations lay p two standard errors away from alpha, if it stays what it is."""
    return math.ceil(4 * p * (1 - p) / (p - alpha) ** 2) if abs(p - alpha) > _SAME else 10**9


def arrangements(labels_by_subject: Iterable[Mapping[str, int]]) -> float:
    """log10 of how many labellings differ when labels are permuted within subjects; `{class: clips}` of each."""
    logs = 0.0
    for counts in labels_by_subject:
        logs += math.lgamma(1 + sum(counts.values())) - sum(math.lgamma(1 + n) for n in counts.values())
    return logs / math.log(10)


def null_folder(run: Path, seeds: int) -> Path:
    """Where the draws of a run lie: `<run>/null/seeds-<n>`, as a mean over other seeds is another score."""
    return run / "null" / f"seeds-{seeds}"


def save_draw(folder: Path, number: int, uf1: Mapping[str, float], what: str = "") -> None:
    """Writes one permutation, whole or not at all: UF1 by slice, or what went wrong."""
    keep_json(folder / f"{number:05d}.json", SCHEMA, {"number": number, "uf1": dict(uf1), "failed": what})


def load_draws(folder: Path) -> dict[int, float]:
    """UF1 over all clips by the number of the permutation, NaN for a failed one; raises RunError for a damaged file."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        if _NUMBER.fullmatch(path.name):
            record = _read(path)
            found[int(record["number"])] = math.nan if record["failed"] else float(record["uf1"]["all"])
    return found


def failures(folder: Path) -> dict[int, str]:
    """What went wrong, by the number of the permutation."""
    paths = (path for path in sorted(folder.glob("*.json")) if _NUMBER.fullmatch(path.name))
    return {int(record["number"]): str(record["failed"]) for record in map(_read, paths) if record["failed"]}


def in_order(draws: Mapping[int, float]) -> tuple[float, ...]:
    """The draws from number 0 on, up to the first that is missing: only these have an order to stop in."""
    found: list[float] = []
    while len(found) in draws:
        found.append(draws[len(found)])
    return tuple(found)


def null_of_run(run: Path, uf1: Mapping[int, float]) -> NullDraws | None:
    """The null of a run that has draws for its first seeds, that over most of them; None where there is none.

    `uf1` is by seed. Without a stopping rule: this is for the bound, not for p.
    """
    for seeds in range(len(uf1), 0, -1):
        draws = in_order(load_draws(null_folder(run, seeds)))
        if draws and all(seed in uf1 for seed in range(seeds)):
            return NullDraws(float(np.mean([uf1[seed] for seed in range(seeds)])), draws, seeds)
    return None


def _read(path: Path) -> dict[str, Any]:
    fix = "Delete it: the same audit draws it again."
    record = read_kept(path, SCHEMA, fix)
    if not {"number", "uf1", "failed"} <= set(record) or record["number"] != int(path.stem):
        raise RunError(f"{path} is damaged: it is no permutation of that number.", fix)
    return record


__all__ = [
    "CONFIDENCE",
    "FEWEST",
    "NullDraws",
    "arrangements",
    "failures",
    "in_order",
    "load_draws",
    "needed",
    "null_folder",
    "null_of_run",
    "save_draw",
    "settling",
]

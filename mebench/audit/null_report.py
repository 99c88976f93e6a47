"""What the permutation null of a run says, as a table and as JSON."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.null_draws import NullDraws, needed, settling
from mebench.render import Table, figure
from mebench.scores import number_or_none

SCHEMA = "mebench.null/1"


@dataclass(frozen=True)
class NullReport:
    """The null of a run: its draws, what failed among them, and how many labellings there are (log10)."""

    model: str
    title: str
    protocol: str
    run: str
    folder: Path
    draws: NullDraws
    asked: int
    alpha: float
    failed: dict[int, str]
    labellings: float
    synthetic: bool
    notes: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether every permutation that was asked for was drawn, or the rule stopped."""
        return self.draws.stopped or len(self.draws.draws) >= self.asked

    @property
    def complete(self) -> bool:
        """Whether all were drawn and none failed."""
        return self.drawn and not self.failed

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        draws = self.draws
        return {
            "schema": SCHEMA,
            "model": self.model,
            "protocol": self.protocol,
            "run": self.run,
            "folder": str(self.folder),
            "seeds": draws.seeds,
            "uf1": draws.observed,
            "null_mean": number_or_none(draws.mean),
            "null_bound": number_or_none(draws.bound),
            "permutations": len(draws.counted),
            "asked": self.asked,
            "reached": draws.reached,
            "stopped_early": draws.stopped,
            "p": number_or_none(draws.p),
            "p_error": number_or_none(draws.error),
            "alpha": self.alpha,
            "needed": needed(self.alpha),
            "log10_labellings": self.labellings,
            "synthetic": self.synthetic,
            "failed": {str(number): what for number, what in self.failed.items()},
            "notes": list(self._said()),
        }

    def table(self) -> Table:
        """The score beside its null."""
        draws = self.draws
        rows = (
            ("UF1 of the run", figure(draws.observed)),
            ("mean of the null", figure(draws.mean)),
            ("97.5 % of the null below", figure(draws.bound)),
            ("permutations that reach the score", f"{draws.reached} of {len(draws.counted)}"),
            ("p, one-sided", f"{draws.p:.4f} ± {draws.error:.4f}" if draws.draws else figure(math.nan)),
        )
        head = f"Permutation null of {self.title} under {self.protocol} (run {self.run})"
        return Table(head, ("", "Figure"), rows, frozenset({"Figure"}), self._said())

    def _said(self) -> tuple[str, ...]:
        draws, alpha = self.draws, f"{self.alpha:g}"
        said = [
            "Labels are permuted within each subject and the model is fitted again under each permutation.",
            f"p at level {alpha} takes {needed(self.alpha)} permutations at least; {len(draws.counted)} were drawn.",
        ]
        if draws.stopped:
            said.append(
                f"Stopped when {draws.stop_after} permutations had reached the score: p = {draws.reached} / "
                f"{len(draws.counted)} (Besag & Clifford 1991)."
            )
        elif draws.draws and abs(draws.p - self.alpha) < 2 * draws.error:
            more = settling(draws.p, self.alpha)
            said.append(f"p is within two errors of {alpha}: about {more:,} permutations would settle it.")
        if self.labellings < math.log10(1 / self.alpha):
            said.append(
                f"Within subjects there are only {10**self.labellings:.0f} labellings: p cannot come down to {alpha}."
            )
        if self.failed:
            number, what = next(iter(self.failed.items()))
            said.append(
                f"{len(self.failed)} permutations failed and count as reaching the score; number {number}: {what}"
            )
        if self.synthetic:
            said.append(f"{SYNTHETIC_WARNING}.")
        return (*said, *self.notes)


__all__ = ["SCHEMA", "NullReport"]

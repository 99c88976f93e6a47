"""Which folds of a run are fitted again, and how far what comes of it agrees with the run.

Agreement is `identical` where every clip of the drawn folds is predicted as in the run, `close` where nine in ten are
and UF1 on these folds differs by no more than .05, else `different`. The two limits are a choice of ours: fits on other
machines part in their last bits, and few clips then change sides.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from mebench.predictions import Prediction, Predictions
from mebench.scores import Scores
from mebench.scoring import score, score_units

CLOSE_SHARE, CLOSE_UF1 = 0.9, 0.05
_SAME = 1e-9
"""What two ways of adding up may leave between equal figures."""

Verdict = Literal["identical", "close", "different"]
VERDICTS: tuple[Verdict, ...] = ("identical", "close", "different")
"""From the best to the worst."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two sets of predictions agree on the clips of some folds. UF1 is over these clips, NaN where undefined.

    A clip that only one of them predicts counts as predicted differently, one that neither predicts as alike.
    """

    clips: int
    identical: int
    uf1_run: float
    uf1_here: float
    classes_scored: int

    @property
    def share(self) -> float:
        """Clips predicted alike over all clips."""
        return self.identical / self.clips

    @property
    def verdict(self) -> Verdict:
        """In a word, as the module says."""
        if self.identical == self.clips:
            return "identical"
        close = self.share >= CLOSE_SHARE and abs(self.uf1_here - self.uf1_run) <= CLOSE_UF1 + _SAME
        return "close" if close else "different"

    def record(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            "clips": self.clips,
            "identical": self.identical,
            "uf1_run": None if math.isnan(self.uf1_run) else self.uf1_run,
            "uf1_here": None if math.isnan(self.uf1_here) else self.uf1_here,
            "classes_scored": self.classes_scored,
            "verdict": self.verdict,
        }


def draw_folds(folds: Iterable[str], seeds: Sequence[int], number: int, word: str) -> list[tuple[str, int]]:
    """`number` folds (all, where there are fewer), each with one seed of the run; SHA-256 of word and fold decides."""

    def rank(fold: str, purpose: str) -> int:
        return int(sha256(f"{word}\n{fold}\n{purpose}".encode()).hexdigest(), 16)

    chosen = sorted(folds, key=lambda fold: rank(fold, "fold"))[:number]
    return [(fold, sorted(seeds)[rank(fold, "seed") % len(seeds)]) for fold in sorted(chosen)]


def draw_word(seed: int | None, bundle_digest: str, key: str) -> str:
    """What the draw follows from: the seed that was given, else bundle and key, so that neither lab picks the folds."""
    return f"{bundle_digest}:{key}" if seed is None else str(seed)


def agreement(
    run: Predictions, here: Iterable[Prediction], drawn: Sequence[tuple[str, int]], truth: Mapping[str, str],
    tested: Mapping[str, Sequence[str]], *, several: bool,
) -> Agreement:  # fmt: skip
    """How far the run's predictions and these agree on the drawn folds; `tested` maps fold to test clips.

    `several` says that a clip may hold any number of classes.
    """
    then = {(row.clip, row.seed): row.predicted for row in run.rows}
    now = {(row.clip, row.seed): row.predicted for row in here}
    asked = [(clip, seed) for fold, seed in drawn for clip in tested[fold]]
    true = [truth[clip] for clip, _ in asked]

    def scored(said: Mapping[tuple[str, int], str | None]) -> Scores:
        predicted = [said.get(key) for key in asked]
        if several:
            return score_units(true, predicted, run.classes)
        return score(true, predicted, run.classes, full=False)

    identical = sum(then.get(key) == now.get(key) for key in asked)
    return Agreement(
        len(asked), identical, scored(then).uf1, scored(now).uf1, min(scored(s).classes_scored for s in (then, now))
    )


__all__ = ["VERDICTS", "Agreement", "Verdict", "agreement", "draw_folds", "draw_word"]

"""What a run would have claimed, had its epoch been chosen on the held-out clips: measured, never a score.

A model that keeps what it knew after every epoch is asked for its predictions after each (`mebench run
--measure-peeking`). The evaluator, which alone holds the labels, then makes the two choices that published code makes:
per tested fold the epoch with most clips right, the first of those equal; and one epoch for all folds, that of the
highest pooled UF1. Beside them stands the last epoch, which is the run's own score. Both choices look at the answers:
they are invalid as scores, are never ranked and never leave as UF1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mebench.diagnostics import FoldNotes
from mebench.errors import UsageError
from mebench.predictions import Prediction, Predictions
from mebench.protocol import Task
from mebench.runs import SeedRun, StoredRun
from mebench.scoring import ALL, Aggregate, score_predictions


@dataclass(frozen=True, slots=True)
class Inflation:
    """UF1 and UAR of the last epoch, of the best epoch per fold, and of the one best epoch; means over seeds.

    `epochs` is how many there were to choose from, `best_epochs` the one best epoch of each seed, from 1.
    """

    epochs: int
    uf1: float
    uar: float
    per_fold_uf1: float
    per_fold_uar: float
    best_epoch_uf1: float
    best_epoch_uar: float
    best_epochs: tuple[int, ...]

    def record(self) -> dict[str, Any]:
        """The figures as plain JSON values, marked as what they are."""
        return {"valid_as_score": False, **asdict(self), "best_epochs": list(self.best_epochs)}

    def lines(self) -> list[str]:
        """The figures in words."""
        return [
            f"peeking, measured over {self.epochs} epochs (invalid as a score):",
            f"  last epoch, the run's own  UF1 {self.uf1:.3f}           UAR {self.uar:.3f}",
            _line("best epoch per tested fold", self.per_fold_uf1, self.uf1, self.per_fold_uar),
            _line("one best epoch for all    ", self.best_epoch_uf1, self.uf1, self.best_epoch_uar),
        ]


_FIGURES = ("uf1", "uar", "per_fold_uf1", "per_fold_uar", "best_epoch_uf1", "best_epoch_uar")


def check_peeking(model: Any, task: Task) -> None:
    """Raises UsageError where peeking cannot be measured: nothing is known per epoch, or clips hold several classes."""
    if task.protocol.multilabel:
        raise UsageError(
            f"{task.protocol.name} asks for any number of classes of a clip; peeking is not measured there.",
            "Leave --measure-peeking out, or name a protocol of single classes.",
        )
    if not hasattr(model, "staged_predict_proba"):
        raise UsageError(
            f"{type(model).__name__} keeps nothing per epoch: it has no staged_predict_proba.",
            "Leave --measure-peeking out.",
        )


def asked_per_epoch(notes: FoldNotes | None) -> bool:
    """Whether a fold was asked for its predictions per epoch, or has no clip to be asked about, or failed to answer."""
    return notes is not None and bool(notes.epochs or not notes.clips or "staged_predict_proba" in notes.faults)


def inflation_of(run: StoredRun) -> Inflation | None:
    """What peeking would have claimed for a run; None unless every fold of every seed was asked, for equally many
    epochs."""
    seeds = [_epochs_of(seed) for seed in run.seeds]
    known = [notes for notes in seeds if notes]
    if not known or len(known) < len(seeds) or len({len(n.epochs) for notes in known for n in notes.values()}) > 1:
        return None
    aggregate: Aggregate = run.seeds[0].manifest["aggregate"]
    found = [_seed_figures(seed, notes, aggregate) for seed, notes in zip(run.seeds, known, strict=True)]
    means = dict(zip(_FIGURES, np.array([figures for figures, _ in found]).mean(axis=0).tolist(), strict=True))
    return Inflation(
        epochs=len(next(iter(known[0].values())).epochs), best_epochs=tuple(best for _, best in found), **means
    )


def best_per_fold(notes: Mapping[str, FoldNotes], truth: Mapping[str, str]) -> dict[str, str]:
    """Per clip the prediction of the epoch that got most clips of its fold right, the first of those equal."""
    chosen: dict[str, str] = {}
    for one in notes.values():
        right = [sum(said == truth[clip] for clip, said in zip(one.clips, epoch, strict=True)) for epoch in one.epochs]
        chosen |= dict(zip(one.clips, one.epochs[int(np.argmax(right))], strict=True))
    return chosen


def _epochs_of(seed_run: SeedRun) -> dict[str, FoldNotes]:
    """The notes of every fold that holds clips; nothing where one of them was not asked."""
    found: dict[str, FoldNotes] = {}
    for fold in seed_run.folds:
        notes = seed_run.notes(fold) if seed_run.done(fold) else None
        if notes is None or (notes.clips and not notes.epochs):
            return {}
        if notes.clips:
            found[fold] = notes
    return found


def _seed_figures(seed_run: SeedRun, notes: Mapping[str, FoldNotes], aggregate: Aggregate) -> tuple[list[float], int]:
    """UF1 and UAR of the last epoch, per fold and of the best epoch, and which that is, from 1."""
    truth = seed_run.expected
    full = not seed_run.manifest["spec"]["partial"]

    def scored(said: Mapping[str, str]) -> tuple[float, float]:
        rows = tuple(Prediction(clip, "", 0, None, answer) for clip, answer in said.items())
        made = Predictions(str(seed_run.manifest["spec"]["protocol"]), seed_run.classes, rows)
        scores = score_predictions(made, truth, aggregate=aggregate, full=full)[0].strict[ALL]
        return scores.uf1, scores.uar

    epochs = [scored(said) for said in _by_epoch(list(notes.values()))]
    best = max(range(len(epochs)), key=lambda e: epochs[e][0])
    return [*epochs[-1], *scored(best_per_fold(notes, truth)), *epochs[best]], best + 1


def _line(choice: str, uf1: float, honest: float, uar: float) -> str:
    return f"  {choice} UF1 {uf1:.3f} ({uf1 - honest:+.3f})  UAR {uar:.3f}"


def _by_epoch(notes: Sequence[FoldNotes]) -> list[dict[str, str]]:
    """Per epoch the predictions of all clips."""
    return [
        {clip: said for one in notes for clip, said in zip(one.clips, one.epochs[e], strict=True)}
        for e in range(len(notes[0].epochs))
    ]


__all__ = ["Inflation", "asked_per_epoch", "best_per_fold", "check_peeking", "inflation_of"]

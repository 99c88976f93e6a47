"""What the models of a run said of themselves, over all its folds: shown beside its score, never in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mebench.diagnostics import FoldNotes, Value, mean_report
from mebench.peeked import Inflation, inflation_of
from mebench.predictions import Prediction, Predictions
from mebench.render import figure
from mebench.runs import SeedRun, StoredRun
from mebench.scores import number_or_none
from mebench.scoring import ALL, score_predictions

_LONGEST = 8
"""Values of a list that are written out in one line."""


@dataclass(frozen=True)
class RunNotes:
    """Means over folds and seeds of what was reported; UF1 and UAR of the run and of the run without a part.

    `folds` says of how many folds there are notes. A variant is scored where every fold predicted it.
    """

    folds: int
    report: Mapping[str, Value] = field(default_factory=dict)
    own: tuple[float, float] | None = None
    ablated: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    at_once: int = 1
    inflation: Inflation | None = None

    def record(self) -> dict[str, Any]:
        """The notes as plain JSON values."""
        pair = ("uf1", "uar")
        return {
            "diagnostics": {
                "folds": self.folds,
                "report": {
                    name: [number_or_none(v) for v in value] if isinstance(value, tuple) else number_or_none(value)
                    for name, value in self.report.items()
                },
                "own": dict(zip(pair, self.own, strict=True)) if self.own else None,
                "ablated": {name: dict(zip(pair, scores, strict=True)) for name, scores in self.ablated.items()},
                "faults": dict(self.faults),
                "folds_at_once": self.at_once,
            },
            "peeked": self.inflation.record() if self.inflation else None,
        }

    def lines(self) -> list[str]:
        """The notes in words; nothing where there are none."""
        found = [f"  folds fitted at once: up to {self.at_once}"] if self.at_once > 1 else []
        if self.report or self.ablated or self.faults:
            found.append(f"  diagnostics of {self.folds} folds, never ranked:")
        found += [f"    {name}: {_written(value)}" for name, value in self.report.items()]
        if self.own and self.ablated:
            found.append(f"    {'as it is':24} UF1 {figure(self.own[0])}  UAR {figure(self.own[1])}")
        found += [f"    {name:24} UF1 {figure(uf1)}  UAR {figure(uar)}" for name, (uf1, uar) in self.ablated.items()]
        found += [f"    {where} could not be used: {what}" for where, what in self.faults.items()]
        return found + ([f"  {line}" for line in self.inflation.lines()] if self.inflation else [])


def notes_of(run: StoredRun) -> RunNotes:
    """What is kept of the folds that are done."""
    each = {seed.seed: _kept(seed) for seed in run.seeds}
    every = [notes for kept in each.values() for notes in kept.values()]
    if not every:
        return RunNotes(0)
    faults = {
        f"{method}, seed {seed} fold {fold}": what
        for seed, kept in each.items()
        for fold, notes in kept.items()
        for method, what in notes.faults.items()
    }
    names = list(dict.fromkeys(name for notes in every for name in notes.ablated))
    scored = {name: [_scored(seed, _without(each[seed.seed], name)) for seed in run.seeds] for name in names}
    own = [_scored(seed, {row.clip: str(row.predicted) for row in seed.predictions().rows}) for seed in run.seeds]
    return RunNotes(
        len(every),
        mean_report(every),
        _mean(own),
        {name: mean for name, scores in scored.items() if (mean := _mean(scores))},
        faults,
        max(notes.at_once for notes in every),
        inflation_of(run),
    )


def _kept(seed_run: SeedRun) -> dict[str, FoldNotes]:
    found = {fold: seed_run.notes(fold) for fold in seed_run.folds if seed_run.done(fold)}
    return {fold: notes for fold, notes in found.items() if notes is not None}


def _without(kept: Mapping[str, FoldNotes], name: str) -> dict[str, str]:
    """Per clip what was predicted without this part, over the folds that were asked."""
    return {
        clip: said
        for notes in kept.values()
        if name in notes.ablated
        for clip, said in zip(notes.clips, notes.ablated[name], strict=True)
    }


def _scored(seed_run: SeedRun, said: Mapping[str, str]) -> tuple[float, float] | None:
    """UF1 and UAR of these predictions; None unless they are of every clip that the run predicts."""
    predicted = [row.clip for row in seed_run.predictions().rows]
    if not predicted or set(predicted) != set(said) or seed_run.manifest["aggregate"] == "units":
        return None
    rows = tuple(Prediction(clip, "", 0, None, answer) for clip, answer in said.items())
    made = Predictions(str(seed_run.manifest["spec"]["protocol"]), seed_run.classes, rows)
    full = not seed_run.manifest["spec"]["partial"]
    card = score_predictions(made, seed_run.expected, aggregate=seed_run.manifest["aggregate"], full=full)[0]
    return card.strict[ALL].uf1, card.strict[ALL].uar


def _mean(scores: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    """The mean over seeds; None unless every seed has its own."""
    known = [score for score in scores if score is not None]
    if not known or len(known) < len(scores):
        return None
    uf1, uar = np.mean(known, axis=0).tolist()
    return uf1, uar


def _written(value: Value) -> str:
    if not isinstance(value, tuple):
        return f"{value:.4g}"
    more = f" … ({len(value)} values)" if len(value) > _LONGEST else ""
    return " ".join(f"{v:.4g}" for v in value[:_LONGEST]) + more


__all__ = ["RunNotes", "notes_of"]

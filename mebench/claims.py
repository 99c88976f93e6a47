"""What other ways of averaging would have claimed from the same predictions.

The field prints means over subjects, micro F1 and weighted F1 beside pooled UF1, often under the name of F1 alone. Each
is computed here from the very predictions that were scored, and stands beside the figure it is mistaken for. As such
averages usually do, they leave out the clips without a prediction; the figure beside them counts these as errors.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from mebench.predictions import Joined, Predictions, join
from mebench.render import Table, figure
from mebench.scores import UnitScores
from mebench.scoring import ALL, ScoreCard, dataset_of, mean_over_folds, micro_f1, score
from mebench.statistics import number


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure by another average, the honest one it is taken for, and in one sentence why they differ."""

    name: str
    figure: float
    metric: str
    honest: float
    sentence: str

    def record(self) -> dict[str, Any]:
        """The claim as JSON values."""
        return {
            "claim": self.name,
            "figure": number(self.figure),
            "instead_of": self.metric,
            "honest": number(self.honest),
            "sentence": self.sentence,
        }


def claims_of(
    predictions: Predictions,
    expected: Mapping[str, str],
    cards: Mapping[int, ScoreCard],
    subjects: Mapping[str, str] | None = None,
) -> dict[str, tuple[Claim, ...]]:
    """The claims by slice, means over seeds; `cards` holds the scores of each seed.

    `subjects` maps clip to subject, by default the id's first two parts. Where a clip may hold several classes there is
    no mean over subjects: most hold no clip of most classes.
    """
    joined = join(predictions, expected)
    slices = cards[min(cards)].strict
    return {
        name: _mean(
            [_of_slice(joined[seed], predictions.classes, name, cards[seed], subjects or {}) for seed in joined]
        )
        for name in slices
    }


def claims_table(claims: Sequence[Claim]) -> Table:
    """The claims for reading."""
    rows = [(c.name, figure(c.figure), _SHOWN[c.metric], figure(c.honest), c.sentence) for c in claims]
    return Table(
        "What other averages would have claimed",
        ("Average", "Claimed", "Taken for", "Is", "Because it"),
        tuple(rows),
        numeric=frozenset({"Claimed", "Is"}),
    )


_SHOWN = {"uf1": "UF1", "accuracy": "Accuracy"}


def _of_slice(
    joined: Joined, classes: tuple[str, ...], name: str, card: ScoreCard, subjects: Mapping[str, str]
) -> tuple[Claim, ...]:
    honest, covered = card.strict[name], card.covered[name]
    at = [i for i, c in enumerate(joined.clips) if joined.predicted[i] is not None and name in (ALL, dataset_of(c))]
    units = isinstance(covered, UnitScores)
    found = {"micro F1": micro_f1(covered) if at else math.nan, "weighted F1": covered.weighted_f1}
    said = {"micro F1": _MICRO_UNITS if units else _MICRO, "weighted F1": _WEIGHTED}
    if not units:
        truth, predicted = [joined.truth[i] for i in at], [joined.predicted[i] for i in at]
        owners = [subjects.get(joined.clips[i], joined.clips[i].rpartition("/")[0]) for i in at]
        accuracy, own = _means_over_subjects(truth, predicted, owners, classes)
        declared, ceiling = (_mean_declared(truth, answers, owners, classes) for answers in (predicted, truth))
        found = {_ACCURACY_MEAN: accuracy, _OWN_MEAN: own, _DECLARED_MEAN: declared, **found}
        said |= {
            _ACCURACY_MEAN: "counts every subject alike, one clip of one person as much as forty of another.",
            _OWN_MEAN: "gives a subject who shows a single class, and is given it, a full 1.",
            _DECLARED_MEAN: f"counts a class that a subject lacks as 0: perfect predictions come to {figure(ceiling)}.",
        }
    metrics = {_ACCURACY_MEAN: ("accuracy", honest.accuracy)}
    return tuple(Claim(n, value, *metrics.get(n, ("uf1", honest.uf1)), said[n]) for n, value in found.items())


_ACCURACY_MEAN = "accuracy, mean over subjects"
_OWN_MEAN = "F1 of each subject's own classes, mean over subjects"
_DECLARED_MEAN = "F1 of all classes, mean over subjects"
_MICRO = "sums hits and errors over the classes first, which is accuracy by another name: the largest class decides."
_MICRO_UNITS = "sums hits and errors over the action units first: the frequent ones decide."
_WEIGHTED = "weights each class by its clips, so that the rare ones, the hard ones, hardly count."


def _means_over_subjects(
    truth: Sequence[str], predicted: Sequence[str | None], owners: Sequence[str], classes: tuple[str, ...]
) -> tuple[float, float]:
    """Accuracy, and F1 over the classes in each subject's truth or predictions, averaged over subjects."""
    cards = []
    for owner in sorted(set(owners)):
        at = [i for i, name in enumerate(owners) if name == owner]
        cards.append(score([truth[i] for i in at], [predicted[i] for i in at], classes, full=False))
    if not cards:
        return math.nan, math.nan
    return fmean(card.accuracy for card in cards), fmean(card.uf1 for card in cards)


def _mean_declared(
    truth: Sequence[str], predicted: Sequence[str | None], owners: Sequence[str], classes: tuple[str, ...]
) -> float:
    return mean_over_folds(truth, predicted, owners, classes)[0] if truth else math.nan


def _mean(seeds: Sequence[tuple[Claim, ...]]) -> tuple[Claim, ...]:
    """Each claim's figures averaged over seeds, with the first seed's sentence."""
    return tuple(
        replace(same[0], figure=fmean(c.figure for c in same), honest=fmean(c.honest for c in same))
        for same in zip(*seeds, strict=True)
    )

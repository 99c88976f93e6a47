"""What a score is seen against: one answer for every clip, chance within subjects, and the reference of differences."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.leaderboard import Entry
from mebench.predictions import join, joined_labels, merge
from mebench.scoring import dataset_of, held_classes, score, score_units

REFERENCE = "flow-svm"
MAJORITY = "constant"
PERMUTATIONS = 999
BOUND = 0.975


@dataclass(frozen=True)
class Declared:
    """The reference of a board by its name there, and how it came to be it."""

    name: str
    reason: str


def declare(entries: Mapping[str, Entry], wanted: str | None = None) -> Declared | None:
    """The reference among ranked entries, best first: the one wanted, else flow-svm, else the majority class.

    These are fixed before any figure is seen. Where none of them ran, the best-ranked entry without privilege stands
    in, or the best of all, and its reason says that p is then exploratory. None where there is no entry.
    """
    asked = next((name for name, entry in entries.items() if wanted and answers_to(entry, wanted)), None)
    if asked:
        return Declared(asked, "as asked")
    for model, reason in ((REFERENCE, "the reference of every board"), (MAJORITY, "no flow-svm has run here")):
        found = next((name for name, entry in entries.items() if entry.model == model), None)
        if found:
            return Declared(found, reason)
    late = "chosen by its score, since neither flow-svm nor the majority class has run: p-values are exploratory"
    free = next((name for name, entry in entries.items() if entry.privilege == "none"), None)
    chosen = free or next(iter(entries), None)
    return Declared(chosen, late) if chosen else None


def answers_to(entry: Entry, name: str) -> bool:
    """Whether the name is the entry's model or title, or begins its run's id."""
    return name in (entry.model, entry.title) or entry.run.startswith(name)


@dataclass(frozen=True)
class OneAnswer:
    """What one answer for every clip reaches: its name on a plot, its UF1, and in words what it is."""

    name: str
    uf1: float
    words: str


def one_answer(entry: Entry) -> OneAnswer:
    """The one answer that a score is seen against: the majority class, or every unit where clips hold several labels.

    Of units it is the best that can be said without looking: of a unit that a share p of the clips holds, always saying
    it has F1 2 p / (1 + p), saying it of a share p at random about p, and never saying it 0.
    """
    if entry.aggregate == "units":
        every = joined_labels(entry.classes)
        found = score_units(list(entry.expected.values()), [every] * len(entry.expected), entry.classes)
        return OneAnswer(
            "every unit always",
            found.uf1,
            "Every unit always: the mean F1 of saying all units of every clip, 2 p / (1 + p) of a unit that a share p "
            "of the clips holds; guessing each as often as it is held reaches about p, and less.",
        )
    return OneAnswer(
        "majority class",
        majority_uf1(entry),
        "Majority class: UF1 of always answering the most frequent class, from the class counts.",
    )


def majority_uf1(entry: Entry) -> float:
    """UF1 of always answering the most frequent class, from the class counts alone, where clips hold one class each.

    Of a hold-out protocol the mean over directions, each answered with the majority of the other datasets, as far as
    there are any. A tie goes to the class whose name sorts first.
    """
    if entry.aggregate == "pooled":
        return _constant_uf1(entry.expected.values(), entry.expected.values(), entry.classes)
    datasets = sorted({dataset_of(clip) for clip in entry.expected})
    by_dataset = {name: [c for clip, c in entry.expected.items() if dataset_of(clip) == name] for name in datasets}
    found = []
    for name, tested in by_dataset.items():
        trained = [c for other, classes in by_dataset.items() if other != name for c in classes]
        found.append(_constant_uf1(trained or tested, tested, entry.classes))
    return float(np.mean(found))


def chance_bound(entry: Entry, *, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """The 97.5 % point of UF1 where the labels say nothing: truths permuted within each subject, predictions kept.

    A model may know who a person is without seeing an expression, so subjects keep their class counts; several labels
    of a clip stay together. The models are not fitted again: each was fitted without the subject it answers for, whose
    labels are exchangeable to it. NaN for hold-out means, and where no permutation changes a label.
    """
    if entry.aggregate == "directions":
        return math.nan
    joined = join(merge([part for part in entry.predictions.values() if part.rows]), entry.expected)
    first = next(iter(joined.values()))
    truth = np.array(first.truth)
    owners = np.array([entry.subjects.get(clip, clip.rpartition("/")[0]) for clip in first.clips])
    if all(len(set(truth[owners == owner])) == 1 for owner in set(owners)):
        return math.nan
    held = _held(first.truth, entry)
    said = np.stack([_held([p or "" for p in one.predicted], entry) for one in joined.values()])
    if entry.aggregate == "units":
        said &= held.any(axis=0)  # a unit that no clip holds leaves the mean, whatever was predicted
    values = _permuted_uf1(held, said, np.unique(owners, return_inverse=True)[1], permutations, seed)
    return float(np.quantile(values, BOUND, method="higher"))


def bound_of(entry: Entry, *, seed: int = 0) -> float:
    """What chance reaches at most: by the run's own permutation null where it has one, else as `chance_bound` says."""
    return chance_bound(entry, seed=seed) if math.isnan(entry.null_bound) else entry.null_bound


def refitted(entries: Iterable[Entry]) -> str:
    """In words, of how many runs the model was fitted again under each permutation."""
    again = [not math.isnan(entry.null_bound) for entry in entries]
    if not any(again):
        return "Predictions are kept; mebench audit null fits a model again under each permutation."
    rest = "" if all(again) else "; of the others predictions are kept"
    return f"{sum(again)} of {len(again)} were fitted again under each permutation{rest}."


def _held(values: Sequence[str], entry: Entry) -> NDArray[np.bool_]:
    """Which classes (n, k) each value names."""
    if entry.aggregate == "units":
        return held_classes(values, entry.classes)
    found: NDArray[np.bool_] = np.array(values)[:, None] == np.array(entry.classes)
    return found


def _permuted_uf1(
    truth: NDArray[np.bool_], said: NDArray[np.bool_], owner: NDArray[np.intp], permutations: int, seed: int
) -> NDArray[np.float64]:
    """UF1, the mean over seeds, under each permutation of the classes that clips hold, `truth` (n, k).

    `said` (seeds, n, k) are the classes predicted. Clips per class and predictions stay, only the hits change.
    """
    generator = np.random.default_rng(seed)
    both = truth.sum(axis=0) + said.sum(axis=1)
    order = np.argsort(owner, kind="stable")
    found = np.zeros(permutations)
    for i in range(permutations):
        shuffled = np.empty_like(truth)
        shuffled[order] = truth[np.lexsort((generator.random(len(truth)), owner))]
        hits = (shuffled & said).sum(axis=1)
        for of_seed, sums in zip(hits, both, strict=True):
            found[i] += float(np.mean(2 * of_seed[sums > 0] / sums[sums > 0])) / len(said)
    return found


def _constant_uf1(trained: Iterable[str], tested: Iterable[str], classes: tuple[str, ...]) -> float:
    counts = Counter(trained)
    answer = min(counts, key=lambda name: (-counts[name], name))
    truth = list(tested)
    return score(truth, [answer] * len(truth), classes, full=False).uf1

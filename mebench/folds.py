"""Labelled clips -> folds, in an order that carries no label.

Clips stand in the order of the SHA-256 of their ids, so that neither position nor neighbourhood tells a class; folds
stand in the order of their names.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Literal

from mebench.clips import Clip
from mebench.errors import ProtocolError
from mebench.predictions import labels_of

ATTEMPTS = 5
"""Orders of subjects tried for a k-fold; on corpora like CASME II the best of five is as even as placing large subjects
first, which would leave the seed next to nothing to decide."""

RuleName = Literal["leave-one-subject-out", "leave-one-clip-out", "hold-out-dataset", "group-k-fold"]


@dataclass(frozen=True, slots=True)
class Item:
    """A clip with its class in a protocol; of several classes the label is `A+B`, of none `none`."""

    clip: Clip
    label: str

    @property
    def id(self) -> str:
        return self.clip.id

    @property
    def subject(self) -> str:
        return self.clip.subject

    @property
    def dataset(self) -> str:
        return self.clip.dataset

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes it holds: one, or any number where a protocol asks for several."""
        return labels_of(self.label)


@dataclass(frozen=True, slots=True)
class Fold:
    """Clip ids to train and to test on. `untrained` names the declared classes the training part does not hold."""

    id: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    untrained: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The id without slashes, to name files by."""
        return self.id.replace("/", "__")


@dataclass(frozen=True, slots=True)
class FoldRule:
    """How clips are parted; `k` and `seed` belong to `group-k-fold` and are 0 elsewhere.

    `leave-one-subject-out`: each subject is tested once. `leave-one-clip-out`: each clip, its subject's other clips in
    training. `hold-out-dataset`: each dataset, all others in training. `group-k-fold`: k groups of whole subjects such
    that every training part holds every class and test parts hold them as evenly as was found.
    """

    name: RuleName
    k: int = 0
    seed: int = 0


def in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    """The items in the order of the SHA-256 of their ids."""
    return tuple(sorted(items, key=lambda item: sha256(item.id.encode()).digest()))


def make_folds(
    rule: FoldRule, items: Sequence[Item], classes: Sequence[str], *, subject_independent: bool = True
) -> tuple[Fold, ...]:
    """The folds of these items, each clip tested exactly once.

    Raises ProtocolError where the rule leaves nothing to train on, where no k-fold covers every class, and where a
    subject stands on both sides although the protocol is subject-independent.
    """
    ordered = in_order(items)
    fold_of = _PARTS[rule.name](ordered) if rule.name in _PARTS else _by_k_groups(rule, ordered, classes)
    names = sorted(set(fold_of.values()), key=lambda name: (len(name), name) if rule.k else (0, name))
    if len(names) < 2:
        raise ProtocolError(
            f"{rule.name} needs two parts and finds {len(names)} among {len(items)} clips.",
            "Give corpora with more subjects.",
        )
    folds = tuple(_fold(name, ordered, fold_of, classes) for name in names)
    if subject_independent:
        check_subjects(folds, {item.id: item.subject for item in ordered})
    return folds


def check_subjects(folds: Iterable[Fold], subject_of: Mapping[str, str]) -> None:
    """Raises ProtocolError naming the first subject that a fold both trains and tests on."""
    for fold in folds:
        crossing = {subject_of[c] for c in fold.train} & {subject_of[c] for c in fold.test}
        if crossing:
            raise ProtocolError(
                f"Fold {fold.id}: subject {min(crossing)} stands in both the training and the test part.",
                "Part by subject, or declare subject_independent = false in the protocol.",
            )


def _fold(name: str, ordered: Sequence[Item], fold_of: Mapping[str, str], classes: Sequence[str]) -> Fold:
    train = [item for item in ordered if fold_of[item.id] != name]
    trained = {label for item in train for label in item.labels}
    return Fold(
        name,
        tuple(item.id for item in train),
        tuple(item.id for item in ordered if fold_of[item.id] == name),
        tuple(c for c in classes if c not in trained),
    )


def _by_subject(items: Sequence[Item]) -> dict[str, str]:
    return {item.id: item.subject for item in items}


def _by_clip(items: Sequence[Item]) -> dict[str, str]:
    return {item.id: item.id for item in items}


def _by_dataset(items: Sequence[Item]) -> dict[str, str]:
    """Fold ids read `casme2->samm`: trained on the left, tested on the right."""
    datasets = sorted({item.dataset for item in items})
    names = {held: f"{'+'.join(d for d in datasets if d != held)}->{held}" for held in datasets}
    return {item.id: names[item.dataset] for item in items}


def _by_k_groups(rule: FoldRule, items: Sequence[Item], classes: Sequence[str]) -> dict[str, str]:
    attempts = [_Groups(rule, items, classes, attempt) for attempt in range(ATTEMPTS)]
    for groups in attempts:
        if not groups.place(0):
            raise ProtocolError(
                f"No {rule.k} groups of whole subjects leave every class in every training part.",
                "Choose another k or leave one subject out.",
            )
        groups.even_out()
    best = min(attempts, key=_Groups.unevenness)
    return {item.id: f"k{best.placed[item.subject]}" for item in items}


class _Groups:
    """One attempt at k groups of subjects.

    Subjects are placed one by one, those of the rarest class first and otherwise in an order drawn from seed and
    attempt, each into the group that holds least of its classes so far; a placement that would shut a whole class into
    one group, or leave a group empty, is undone. Then subjects move as long as that lowers the unevenness. Fractions
    keep ties exact, so that neither the names nor the order of the classes decide anything.
    """

    def __init__(self, rule: FoldRule, items: Sequence[Item], classes: Sequence[str], attempt: int) -> None:
        self.k = rule.k
        self.clips: dict[str, Counter[str]] = {}
        for item in items:
            self.clips.setdefault(item.subject, Counter())[item.label] += 1
        self.holders = {c: [s for s, held in self.clips.items() if held[c]] for c in classes}
        self._check_possible()
        self.weight = {c: Fraction(1, sum(self.clips[s][c] for s in held) ** 2) for c, held in self.holders.items()}
        drawn = {s: sha256(f"{rule.seed}/{attempt}/{s}".encode()).digest() for s in self.clips}
        self.order = sorted(self.clips, key=lambda s: (min(len(self.holders[c]) for c in self.clips[s]), drawn[s]))
        self.placed: dict[str, int] = {}
        self.held = [Counter[str]() for _ in range(self.k)]

    def place(self, position: int) -> bool:
        """Whether the subjects from this position on could be placed."""
        if self._settled():
            for subject in self.order[position:]:
                self._put(subject, self._choices(subject)[0])
            return True
        if self.held.count(Counter()) > len(self.order) - position:
            return False
        subject = self.order[position]
        for group in self._choices(subject):
            self._put(subject, group)
            if self.place(position + 1):
                return True
            self._take(subject)
        return False

    def _settled(self) -> bool:
        """Whether no group is empty and every class stands in two groups, so that any further placement will do."""
        return all(self.held) and all(sum(c in held for held in self.held) > 1 for c in self.holders)

    def _choices(self, subject: str) -> list[int]:
        """The groups that may take the subject, best first; of the empty ones, which are alike, the first."""
        empty = [g for g in range(self.k) if not self.held[g]]
        open_groups = [g for g in range(self.k) if g not in empty[1:] and self._leaves_covered(subject, g)]
        return sorted(open_groups, key=lambda g: (self._overlap(subject, g), self.held[g].total(), g))

    def even_out(self) -> None:
        """Moves subjects, first improvement first, until no single move helps."""
        while any(self._move(subject) for subject in self.order):
            pass

    def unevenness(self) -> Fraction:
        """sum_f sum_c (n_fc / N_c)^2 over groups f and classes c; C / k where all groups hold the same."""
        return sum((self.weight[c] * n * n for held in self.held for c, n in held.items()), Fraction())

    def _move(self, subject: str) -> bool:
        start = self.placed[subject]
        self._take(subject)
        cost = {g: self._overlap(subject, g) for g in range(self.k) if self._leaves_covered(subject, g)}
        best = min(cost, key=lambda g: (cost[g], g != start, g)) if self.held[start] else start
        self._put(subject, best)
        return best != start

    def _overlap(self, subject: str, group: int) -> Fraction:
        """What the subject adds to the unevenness in this group, up to factors and terms equal for all groups."""
        held = self.held[group]
        return sum((self.weight[c] * n * held[c] for c, n in self.clips[subject].items()), Fraction())

    def _leaves_covered(self, subject: str, group: int) -> bool:
        """Whether no class would then stand, complete, in this one group."""
        others = ((s for s in self.holders[c] if s != subject) for c in self.clips[subject])
        return all(any(self.placed.get(s, -1) != group for s in rest) for rest in others)

    def _put(self, subject: str, group: int) -> None:
        self.placed[subject] = group
        self.held[group] += self.clips[subject]

    def _take(self, subject: str) -> None:
        self.held[self.placed.pop(subject)] -= self.clips[subject]

    def _check_possible(self) -> None:
        if self.k > len(self.clips):
            raise ProtocolError(
                f"{self.k} folds of whole subjects need {self.k} subjects; there are {len(self.clips)}.", "Lower k."
            )
        for name, holders in self.holders.items():
            if len(holders) < 2:
                raise ProtocolError(
                    f"Class {name} has {len(holders)} subject{'s' * (len(holders) != 1)}: "
                    "no fold can test it and train on it too.",
                    "Merge or drop the class, or leave one subject out.",
                )


_PARTS: dict[RuleName, Callable[[Sequence[Item]], dict[str, str]]] = {
    "leave-one-subject-out": _by_subject,
    "leave-one-clip-out": _by_clip,
    "hold-out-dataset": _by_dataset,
}
RULES: tuple[RuleName, ...] = (*_PARTS, "group-k-fold")

__all__ = ["RULES", "Fold", "FoldRule", "Item", "RuleName", "check_subjects", "in_order", "make_folds"]

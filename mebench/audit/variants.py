"""The same task told differently: other held-out labels, other names, other orders, less company."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import numpy as np

from mebench.clips import Clip
from mebench.evaluation import Inputs
from mebench.folds import Fold, Item
from mebench.nulls import permuted
from mebench.protocol import Task

_DERANGEMENTS = 200


def scrambled(task: Task, fold: Fold) -> Task:
    """The task in which every test clip of the fold bears the annotation of a clip of the next class.

    The clip record changes with the label: emotion, action units and objective class are those of the other
    clip. Sets of classes give way to the next set that occurs.
    """
    return _turned(task, set(fold.test))


def estranged(
    task: Task, fold: Fold, folds: Sequence[Fold], inputs: Inputs
) -> tuple[tuple[tuple[Task, Fold], ...], Inputs]:
    """What stands beside a fold that is fitted with others, and the inputs, changed in all that is not the fold's own.

    In the other folds every clip bears the annotation of a clip of the next class, and the clips that the fold tests
    are stood in for by clips under other names, with inputs that the fold trains on. Numbers of clips and of classes
    stay.
    """
    turned = _turned(task, {item.id for item in task.items})
    names = {clip: f"{clip}~" for clip in fold.test}
    items = tuple(replace(i, clip=replace(i.clip, id=names.get(i.id, i.id))) for i in turned.items)
    others = [
        (replace(turned, items=(*turned.items, *items)), replace(o, train=tuple(names.get(c, c) for c in o.train)))
        for o in folds
        if o.id != fold.id
    ]
    own = [clip for clip in fold.train if clip in inputs]
    tested = [clip for clip in fold.test if clip in inputs]
    strange = {names[clip]: inputs[own[i % len(own)]] for i, clip in enumerate(tested)}
    return tuple(others), {**inputs, **strange}


def misled(task: Task, seed: int) -> Task:
    """The task with labels exchanged among the clips of each subject so that few keep theirs.

    Of many permutations within subjects the one that leaves fewest labels in place: what is learnt from it points away
    from the truth, never by luck towards it. The clip records change with the labels.
    """
    truth = np.array([item.label for item in task.items])
    best = min(
        (permuted(task, np.random.default_rng([seed, i])) for i in range(_DERANGEMENTS)),
        key=lambda other: int((np.array([item.label for item in other.items]) == truth).sum()),
    )
    donors = {item.label: item for item in task.items}
    items = tuple(_annotated(item, donors[new.label]) for item, new in zip(task.items, best.items, strict=True))
    return replace(task, items=items)


def renamed(task: Task, fold: Fold, inputs: Inputs) -> tuple[Task, Fold, Inputs, Mapping[str, str]]:
    """Task, fold and inputs with every clip and subject called otherwise, and the old clip ids by the new.

    Order, codes of subjects and the seed of the fold stay as they were.
    """
    subjects = sorted({item.subject for item in task.items})
    called = {name: f"{name.partition('/')[0]}/x{i:04d}" for i, name in enumerate(subjects)}
    new = {item.id: f"{called[item.subject]}/n{i:05d}" for i, item in enumerate(task.items)}

    def clips(old: Sequence[str]) -> tuple[str, ...]:
        return tuple(new[clip] for clip in old)

    items = tuple(replace(i, clip=replace(i.clip, id=new[i.id], subject=called[i.subject])) for i in task.items)
    other = replace(fold, train=clips(fold.train), test=clips(fold.test))
    values = {new[clip]: inputs[clip] for clip in inputs if clip in new}
    return replace(task, items=items, folds=(other,)), other, values, {name: old for old, name in new.items()}


def reversed_test(fold: Fold) -> Fold:
    """The fold with its test clips in opposite order."""
    return replace(fold, test=fold.test[::-1])


def parts_of_test(fold: Fold) -> tuple[Fold, ...]:
    """The fold's test clips in two halves, every other clip each."""
    return tuple(replace(fold, test=part) for part in (fold.test[::2], fold.test[1::2]) if part)


def single_tests(fold: Fold) -> tuple[Fold, ...]:
    """The fold's test clips one by one."""
    return tuple(replace(fold, test=(clip,)) for clip in fold.test)


def without_class(task: Task, fold: Fold, name: str) -> Fold:
    """The fold without the training clips of a class."""
    labels = {item.id: item.label for item in task.items}
    return replace(fold, train=tuple(c for c in fold.train if labels[c] != name), untrained=(*fold.untrained, name))


def of_fold(inputs: Inputs, fold: Fold) -> Inputs:
    """The inputs of the fold's clips."""
    return {clip: inputs[clip] for clip in (*fold.train, *fold.test) if clip in inputs}


def _turned(task: Task, clips: Set[str]) -> Task:
    """The task in which these clips bear the annotation of a clip of the next class, the last class's of the first."""
    labels = sorted({item.label for item in task.items})
    donors = {label: next(item for item in task.items if item.label == label) for label in labels}
    following = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    items = tuple(_annotated(item, donors[following[item.label]]) if item.id in clips else item for item in task.items)
    return replace(task, items=items)


def _annotated(item: Item, donor: Item) -> Item:
    """The item under the annotation of another."""
    fields = ("emotion", "action_units", "objective_class", "objective_source")
    clip: Clip = replace(item.clip, **{name: getattr(donor.clip, name) for name in fields})
    return Item(clip, donor.label)


__all__ = [
    "estranged",
    "misled",
    "of_fold",
    "parts_of_test",
    "renamed",
    "reversed_test",
    "scrambled",
    "single_tests",
    "without_class",
]

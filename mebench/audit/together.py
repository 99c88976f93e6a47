"""Whether a fold fitted with others is the fold fitted alone: nothing may pass from one to the other.

Fitted at once, the folds of leave-one-subject-out hold between them the labels of every clip, those included that one
of them is tested on. What is said of a fold must not hang on what the others hold.
"""

import numpy as np

from mebench.audit import variants
from mebench.audit.bench import Bench
from mebench.audit.checks import SHARE, Changes, both
from mebench.audit.findings import Finding, listed
from mebench.audit.session import Job
from mebench.audit.world import World
from mebench.folds import Fold
from mebench.predictions import Prediction

FOLDS, NETWORK_FOLDS = 2, 1
"""Folds looked at per world, those that test most; of a network, whose every fit takes long, one."""
BESIDE = 2
"""Folds fitted with one that is looked at: what it tests, they train on, and more of them hold nothing more."""
ROUNDING = 0.02
"""How far a score may lie from that of the fold fitted alone. Sums run in another order, and two epochs carry that on:
single precision gave differences of 1e-5 on LAM; a mistake in the batches or the statistics gives .1 and more."""


def together(bench: Bench) -> Finding:
    """Whether predictions change with what other folds hold, and are those of the folds fitted one by one."""
    if not bench.description.fits_folds:
        return Finding("together", "not applicable", "the model fits one fold at a time")
    changed, clips, other, worst = Changes(), 0, [], 0.0
    folds = NETWORK_FOLDS if "epochs" in bench.description.parameters else FOLDS
    for world, alone in both(bench):
        for fold in sorted(world.folds, key=lambda fold: -len(fold.test))[:folds]:
            before = bench.attend(world, [_job(world, fold)])
            changed.failed |= before.failed
            if before.failed:
                continue
            changed.compare(before.rows[fold.id], bench.attend(world, [_estranged(world, fold)]), exact=False)
            clips += len(before.rows[fold.id])
            for one, single in zip(before.rows[fold.id], alone.rows[fold.id], strict=True):
                distance = _distance(one, single)
                worst = max(worst, distance)
                other += [one.clip] if distance > ROUNDING else []
    found = changed.finding("together", clips, "with what other folds hold")
    if found.verdict == "caught" or not other:
        beside = f"; scores within {worst:.0e} of the folds one by one" if found.verdict == "clean" else ""
        return Finding("together", found.verdict, found.why + beside, found.figure, found.measures, found.items)
    why = f"{len(other)} of {clips} predictions are not those of the fold fitted alone: {listed(other)}"
    return Finding("together", "caught", why, len(other) / clips, SHARE, tuple(other))


def _job(world: World, fold: Fold) -> Job:
    """The fold fitted with others as they are."""
    beside = tuple((world.task, other) for other in _beside(world, fold))
    return Job(fold.id, world.task, fold, world.inputs, beside=beside)


def _estranged(world: World, fold: Fold) -> Job:
    """The fold fitted with others that hold other labels, and other images where the fold is tested."""
    beside, inputs = variants.estranged(world.task, fold, _beside(world, fold), world.inputs)
    return Job(fold.id, world.task, fold, inputs, beside=beside)


def _beside(world: World, fold: Fold) -> list[Fold]:
    return [other for other in world.folds if other.id != fold.id][:BESIDE]


def _distance(one: Prediction, other: Prediction) -> float:
    """How far apart two predictions are: the largest difference of a score; 1 where labels differ without a tie."""
    a, b = np.asarray(one.scores), np.asarray(other.scores)
    known = ~np.isnan(a)
    if not np.array_equal(known, ~np.isnan(b)):
        return 1.0
    furthest = float(np.abs(a - b)[known].max(initial=0.0))
    if one.predicted == other.predicted:
        return furthest
    top = np.sort(a[known])[-2:]
    return furthest if len(top) == 2 and top[1] - top[0] <= 2 * ROUNDING else 1.0


__all__ = ["together"]

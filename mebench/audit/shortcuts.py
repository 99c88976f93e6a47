"""What can be told of the class without any expression: clip length, the onset frame, a clip held still."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mebench.audit.bench import Bench, job
from mebench.audit.chance import Chance, chance_of_rows
from mebench.audit.findings import Finding
from mebench.audit.motionless import onset_only
from mebench.errors import MebenchError
from mebench.evaluation import Inputs, evaluate_fold
from mebench.inputs import input_of
from mebench.recipes import Recipe, parse_recipe
from mebench.render import figure
from mebench.store import read_clip

ONSET_PX = 24
"""Side of the onset image that a linear model is given: who somebody is shows, an expression does not."""


def shortcuts(bench: Bench) -> Finding:
    """What length and onset alone score under a linear model, and what the model itself scores on clips held still."""
    world = bench.world
    if not world.own:
        return Finding("shortcuts", "not applicable", "drawn clips have one length and faces of noise")
    if world.task.protocol.multilabel:
        return Finding("shortcuts", "not applicable", "the protocol asks for several classes per clip")
    lengths = {i.id: np.log([float(i.clip.length)]) for i in world.task.items if i.id in world.inputs}
    found = {"clip length": _linear(bench, lengths)}
    onsets = _recomputed(bench, parse_recipe(f"crop(size={ONSET_PX}) > grey > onset > flatten"), still=False)
    if onsets:
        found["onset frame"] = _linear(bench, onsets)
    stills = _recomputed(bench, parse_recipe(bench.description.recipe or "none"), still=True)
    if stills:
        still = replace(world, inputs=stills)
        rows = bench.attend(still, (job(still, fold) for fold in world.folds)).all_rows()
        found["the model on clips held still"] = chance_of_rows(rows, world.task)
    best = max(found.values(), key=lambda chance: chance.uf1)
    said = "; ".join(f"{name} {_said(chance)}" for name, chance in found.items())
    return Finding("shortcuts", "reported", f"UF1 by {said}", best.uf1, "highest UF1 without an expression")


def _said(chance: Chance) -> str:
    return f"{figure(chance.uf1)} (chance {figure(chance.expected)}, 99.9 % below {figure(chance.bound)})"


def _linear(bench: Bench, inputs: Inputs) -> Chance:
    """What a balanced logistic regression on these vectors scores over the audited folds."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    task = bench.world.task
    rows = [row for fold in bench.world.folds for row in evaluate_fold(model, task, fold, inputs, 0)]
    return chance_of_rows(rows, task)


def _recomputed(bench: Bench, recipe: Recipe, *, still: bool) -> Mapping[str, NDArray[Any]]:
    """What the recipe makes of every stored clip, or of its onset frame repeated; empty where nothing is stored."""
    if not recipe.steps:
        return {}
    found = {}
    for item in bench.world.task.items:
        try:
            stored = read_clip(bench.world.surroundings.home, item.id)
            found[item.id] = input_of(recipe, onset_only(stored) if still else stored, item.clip.apex)[0]
        except MebenchError:
            continue
    return found


__all__ = ["shortcuts"]

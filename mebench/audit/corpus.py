"""A user's own corpus as the world of an audit."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mebench.api import single_protocol
from mebench.audit import drawn
from mebench.audit.session import Description, Surroundings
from mebench.audit.world import World
from mebench.corpora import given_tables, tables_for, unavailable
from mebench.evaluation import Inputs, blank_inputs
from mebench.inputs import compute_inputs
from mebench.progress import Progress
from mebench.protocol import resolve
from mebench.weights.declared import known_as, refuse_overlap

if TYPE_CHECKING:
    from mebench.audit.model import ModelQuestion


def own_world(question: "ModelQuestion", description: Description, progress: Progress) -> World:
    """The protocol on the user's corpora, of its folds those with most test clips.

    Home and corpora are watched as they are. Raises DataError where a corpus is not at hand, UsageError for a suite,
    ModelError where the model starts from weights that saw somebody who is tested.
    """
    protocol = single_protocol(str(question.protocol))
    given = given_tables(question.data, question.annotations, corrections=question.corrections)
    fault = unavailable(protocol, question.home, given)
    if fault:
        raise fault
    task = resolve(protocol, tables_for(protocol, question.home, given), allow_partial=question.allow_partial)
    refuse_overlap(known_as(question.home, description.identity.weights), task)
    inputs: Inputs
    if description.recipe is None:
        inputs, what = drawn.draw_features(task, question.seed), "drawn numbers, as the model has no recipe"
    elif description.looks_at_nothing:
        inputs, what = blank_inputs(task), "no input, as the model asks for none"
    else:
        clips = [item.clip for item in task.items]
        made = compute_inputs(question.home, description.recipe, clips, jobs=question.jobs, progress=progress)
        inputs, what = {clip: np.array(made[clip]) for clip in made}, f"inputs {description.recipe}"
    folds = sorted(task.folds, key=lambda fold: -len(fold.test))[: question.folds]
    chosen = tuple(fold for fold in task.folds if fold in folds)
    data = [argument for name, folder in question.data.items() for argument in ("--data", f"{name}={folder}")]
    command = ("mebench", "--home", str(question.home), "run", question.candidate.model, "--protocol", protocol.name)
    places = (question.home, *map(Path, question.data.values()))
    said = f"{protocol.name}, {len(chosen)} of {len(task.folds)} folds with {len(inputs)} clips; {what}"
    return World(task, inputs, Surroundings(question.home, places, (*command, *data)), chosen, said, own=True)


__all__ = ["own_world"]

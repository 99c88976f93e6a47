"""What the model of one fold attributes its answers to: fitted by the fold loop, asked about the clips held out."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench.attribution.curves import curves_of
from mebench.attribution.maps import ALIGNED, checked_maps, grid_to_face, on_face
from mebench.drawing import MAP_SIDE
from mebench.errors import MebenchError, ModelError
from mebench.evaluation import Inputs, evaluate_fold, fold_seed
from mebench.plugins import parameter_defaults
from mebench.predictions import Prediction
from mebench.protocol import Fold, Task
from mebench.recipes import Recipe, parse_recipe
from mebench.refit import Held, restored_model
from mebench.store import read_clip
from mebench.vision.alignment import invert, transform_points

Doubles = npt.NDArray[np.float64]
Maps = Mapping[str, Doubles]
Facts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class FoldJob:
    """All that a worker needs: a model by name and parameters, a fold, and what to ask.

    `only` are the held-out clips to ask about, by default all. `at` is a place (x, y) in fractions of the canonical
    face, for maps about one place. `curves`: delete and insert. `recipe` is that of the inputs.
    """

    home: Path
    model: str
    parameters: Mapping[str, Any]
    task: Task
    fold: Fold
    inputs: Inputs
    recipe: str
    seed: int
    only: tuple[str, ...] = ()
    at: tuple[float, float] | None = None
    curves: bool = True


@dataclass(frozen=True, eq=False)
class FoldAttributions:
    """What the model of a fold said of `clips`: its predictions `rows` for all clips of the fold, and by name of map

    `maps` (n, 64, 64) over the canonical face, `untrained` the same of the network with weights drawn anew, `curves`
    (n, 2, 2, STEPS + 1) and `facts` of its parts. The latter three are empty where there are none.
    """

    rows: tuple[Prediction, ...]
    clips: tuple[str, ...]
    maps: Maps
    untrained: Maps = field(default_factory=dict)
    curves: Maps = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)


def attribute_fold(job: FoldJob) -> FoldAttributions:
    """The attributions of the fold's model for the class that it predicts of each held-out clip. Runs in a worker.

    Raises ModelError for maps that are none, and where the model raises something.
    """
    held = Held(restored_model(job.model, job.parameters))
    try:
        rows = evaluate_fold(held, job.task, job.fold, job.inputs, job.seed)
        asked = [row for row in rows if not job.only or row.clip in job.only]
        return _asked(job, held.model, rows, asked)
    except MebenchError:
        raise
    except Exception as fault:  # the fold boundary: a stranger's model may raise anything
        raise ModelError(
            f"Fold {job.fold.id} cannot be explained: {type(fault).__name__}: {fault}.", "Correct the model."
        ) from fault


def untrained(model: Any, X: npt.NDArray[Any], seed: int) -> Any:
    """A copy of a fitted network with weights drawn anew, None for a model that is no `NetworkClassifier`.

    A file of weights that training started from is left out as well: what it holds was learnt too.
    """
    if not (hasattr(model, "network_") and hasattr(model, "build")):
        return None
    from mebench.learning.reproducible import pick_device, reproducible

    twin, defaults = copy.copy(model), parameter_defaults(type(model))
    for name in getattr(model, "weight_parameters", ()):
        setattr(twin, name, defaults[name])
    with reproducible(seed, pick_device("cpu")):
        twin.network_ = twin.build(X.shape[1] if X.ndim == 4 else 1, len(model.classes_)).eval()
    return twin


def _asked(job: FoldJob, model: Any, rows: tuple[Prediction, ...], asked: Sequence[Prediction]) -> FoldAttributions:
    X = np.stack([np.asarray(job.inputs[row.clip]) for row in asked])
    classes, clips = [str(row.predicted) for row in asked], tuple(row.clip for row in asked)
    to_face = _transforms(job.home, parse_recipe(job.recipe), clips)
    at = _in_grid(job.at, to_face[0])
    raw = _maps(model, X, classes, at)
    seed = fold_seed(job.seed, job.fold.id)
    twin = untrained(model, X, seed)
    return FoldAttributions(
        rows=rows,
        clips=clips,
        maps=_laid(raw, to_face),
        untrained={} if twin is None else _laid(_maps(twin, X, classes, at), to_face),
        curves=_curves(model, X, classes, raw, seed) if job.curves else {},
        facts=model.attribution_facts(X) if callable(getattr(model, "attribution_facts", None)) else {},
    )


def _maps(
    model: Any, X: npt.NDArray[Any], classes: Sequence[str], at: tuple[float, float] | None
) -> dict[str, Doubles]:
    given = model.attributions(X, classes) if at is None else model.attributions(X, classes, at=at)
    return checked_maps(given, type(model).__name__, (len(X), *X.shape[-2:]))


def _transforms(home: Path, recipe: Recipe, clips: Sequence[str]) -> list[Doubles]:
    """From the input of each clip to the face; one for all where faces are aligned, as aligned they lie alike."""
    if recipe.steps and recipe.steps[0].step.name == ALIGNED:
        return [grid_to_face(recipe, read_clip(home, clips[0]))] * len(clips)
    return [grid_to_face(recipe, read_clip(home, clip)) for clip in clips]


def _laid(raw: Maps, to_face: Sequence[Doubles]) -> dict[str, Doubles]:
    return {
        name: np.concatenate([on_face(one[None], where) for one, where in zip(values, to_face, strict=True)])
        for name, values in raw.items()
    }


def _in_grid(at: tuple[float, float] | None, to_face: Doubles) -> tuple[float, float] | None:
    """A place in fractions of the canonical face, in px of the input."""
    if at is None:
        return None
    ((x, y),) = transform_points(np.array([at]) * MAP_SIDE - 0.5, invert(to_face))
    return float(x), float(y)


def _curves(model: Any, X: npt.NDArray[Any], classes: Sequence[str], raw: Maps, seed: int) -> dict[str, Doubles]:
    """The curves of every map (n, 2, 2, STEPS + 1) but those about a place; none of a model without probabilities."""
    if not callable(getattr(model, "predict_proba", None)):
        return {}
    column = {str(name): i for i, name in enumerate(model.classes_)}
    generator = np.random.default_rng(seed)

    def curve(image: npt.NDArray[Any], values: Doubles, name: str) -> Doubles:
        return curves_of(image, values, lambda images: model.predict_proba(images)[:, column[name]], generator)

    return {
        name: np.stack([curve(image, one, said) for image, one, said in zip(X, values, classes, strict=True)])
        for name, values in raw.items()
        if not name.startswith("row:")
    }

"""Attributions laid on the canonical face, and what is said of such a map alone."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from mebench.drawing import MAP_SIDE
from mebench.errors import DataError, ModelError
from mebench.inputs import sample_of
from mebench.recipes import Recipe
from mebench.store import StoredClip
from mebench.vision.alignment import canonical, invert, transform_points

Doubles = npt.NDArray[np.float64]

ALIGNED: Final = "align"
"""The step after which every clip's face lies in the same place."""

_NAME = re.compile(r"[a-z0-9-]+:[\w. -]+")


def grid_to_face(recipe: Recipe, stored: StoredClip) -> Doubles:
    """The transform (2, 3) from px of the input that the recipe makes of a clip to px of the map (64, 64).

    The recipe is applied to blank frames: where it puts the landmarks depends on no pixel. DataError where it ends in
    something without a plane.
    """
    blank = np.full((3, *stored.frames.shape[1:]), 128, np.uint8)
    still = np.tile(np.eye(2, 3), (len(blank), 1, 1))
    made = recipe.apply(replace(sample_of(stored, None), array=blank, motion=still, apex_index=1))
    if made.kind == "vector":
        raise DataError(f"{recipe} ends in a vector, which has no places.", "Explain a model that is given images.")
    return canonical(made.landmarks, MAP_SIDE)


def on_face(maps: Doubles, to_face: Doubles) -> Doubles:
    """Maps (n, h, w) of an input on the canonical face, (n, 64, 64): bilinear, 0 where the input does not reach."""
    places = np.stack(np.meshgrid(np.arange(MAP_SIDE), np.arange(MAP_SIDE)), axis=-1).astype(np.float64)
    x, y = np.moveaxis(transform_points(places, invert(to_face)), -1, 0).astype(np.float32)
    height, width = maps.shape[1:]
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    scale = float(np.sqrt(abs(np.linalg.det(to_face[:, :2]))))
    sigma = 0.5 * float(np.sqrt(1 / scale**2 - 1)) if scale < 1 else 0.0  # as frames are reduced: nothing falls between
    smooth = [cv2.GaussianBlur(values, (0, 0), sigma) if sigma else values for values in maps]
    laid = [cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for values in smooth]
    found: Doubles = np.stack(laid).astype(np.float64) * inside
    return found


def density(maps: Doubles) -> Doubles:
    """Each map (..., 64, 64) over its mean: 1 everywhere is an even spread. A map of zeros stays."""
    means = maps.mean(axis=(-2, -1), keepdims=True)
    found: Doubles = np.divide(maps, means, out=np.zeros_like(maps), where=means > 0)
    return found


def blank(maps: Doubles) -> npt.NDArray[np.bool_]:
    """Which of the maps (n, h, w) name no place at all: nothing spoke for the class."""
    return np.asarray(maps.max(axis=(-2, -1)) <= 0)


def agreement(first: Doubles, second: Doubles) -> Doubles:
    """Per pair of maps (n, h, w) the rank correlation of their values over places; NaN where one of them is flat."""
    pairs = zip(first.reshape(len(first), -1), second.reshape(len(second), -1), strict=True)
    return np.array([spearmanr(a, b)[0] if np.ptp(a) > 0 and np.ptp(b) > 0 else np.nan for a, b in pairs])


def checked_maps(given: Any, model: str, plane: tuple[int, ...]) -> dict[str, Doubles]:
    """What `attributions` of a model gave, by `kind:part`, each `plane` = (n, h, w) and none negative; ModelError."""
    if not isinstance(given, Mapping) or not given:
        raise ModelError(f"attributions of {model} gave no maps.", "Return them by name, at least one.")
    found = {str(name): np.asarray(values, np.float64) for name, values in given.items()}
    for name, values in found.items():
        if not _NAME.fullmatch(name):
            raise ModelError(
                f"attributions of {model} are called {name!r}.", "Call them kind:part, as grad-cam:layer4."
            )
        if values.shape != plane or not np.isfinite(values).all() or (values < 0).any():
            raise ModelError(
                f"attributions of {model}: {name} has shape {values.shape}, or values that are negative or not finite.",
                f"Return {plane} finite numbers from 0 up.",
            )
    return found

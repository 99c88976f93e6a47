"""Stills as a network's input: the model's own recipe, applied to a face that does not move.

The peak of an expression takes the place of the apex, and a neutral image of the same person that of the onset. Each
image is aligned by its own landmarks, as the onset of a clip is; steps that magnify motion are left out, for posed
expressions are large. Where a recipe shows the change from the onset, stills without a neutral image are left out, and
neutral is no class of its own: it would be a change of nothing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.errors import ModelError
from mebench.recipes import Recipe, Sample, parse_recipe
from mebench.stills.records import NEUTRAL, Still
from mebench.store import StoredClip, read_clip
from mebench.vision.arrays import grey

_SHOWN = ("image", "pair", "flow", "planes")
"""What a network can be given of a recipe's results."""
_MAGNIFIES = frozenset({"magnify"})

NO_NEUTRAL = "no neutral image of the same person"
NO_CHANGE = "neutral, which is no change"


@dataclass(frozen=True)
class StillRecipe:
    """A model's recipe for stills: how one image is aligned, what follows, and whether a neutral image is needed."""

    text: str
    align: Recipe
    rest: Recipe
    compares: bool

    @classmethod
    def of(cls, recipe: str) -> "StillRecipe":
        """The recipe without magnification; ModelError where it does not begin by aligning a face."""
        parsed = parse_recipe(recipe)
        steps = tuple(step for step in parsed.steps if step.step.name not in _MAGNIFIES)
        if not steps or steps[0].step.name != "align" or parsed.gives not in _SHOWN:
            raise ModelError(
                f"The input {recipe!r} cannot be made of single images.",
                "Pretraining takes a model whose recipe begins with align and ends in images or flow.",
            )
        changes = any(step.gives == "flow" or step.step.name == "difference" for step in steps)
        compares = changes or parsed.gives in ("pair", "planes")
        return cls(str(Recipe(steps)), Recipe(steps[:1]), Recipe(steps[1:]), compares)

    def usable(self, stills: Iterable[Still]) -> tuple[list[Still], dict[str, int]]:
        """The stills this recipe can be made of, and how many it cannot, by reason."""
        kept, left_out = [], Counter[str]()
        for still in stills:
            reason = self._refusal(still)
            if reason is None:
                kept.append(still)
            else:
                left_out[reason] += 1
        return kept, dict(left_out)

    def array(self, home: Path, still: Still) -> NDArray[Any]:
        """The input (h, w), (2, h, w) or (c, h, w) of one still in the store."""
        names = [still.neutral, still.id] if self.compares and still.neutral else [still.id]
        aligned = [self.align.apply(_sample(read_clip(home, name))) for name in names]
        first = aligned[0]
        frames = np.concatenate([_grey_or_rgb(sample.array, like=first.array) for sample in aligned])
        still_head = np.tile(np.eye(2, 3), (len(frames), 1, 1))
        sample = replace(first, array=frames, motion=still_head, apex_index=len(frames) - 1)
        made = self.rest.apply(sample)
        array = np.ascontiguousarray(made.array)
        return np.moveaxis(array, -1, 0) if made.kind == "flow" else array

    def _refusal(self, still: Still) -> str | None:
        if not self.compares:
            return None
        if still.label == NEUTRAL:
            return NO_CHANGE
        return None if still.neutral else NO_NEUTRAL


def _sample(stored: StoredClip) -> Sample:
    return Sample(
        array=stored.frames,
        kind="frames",
        landmarks=stored.landmarks,
        motion=stored.motion,
        box=stored.box,
        fps=stored.fps,
        apex_index=0,
    )


def _grey_or_rgb(frames: NDArray[Any], *, like: NDArray[Any]) -> NDArray[Any]:
    """The frames with as many channels as those of the neutral image: CK+ has both grey and colour sequences."""
    if frames.ndim == like.ndim:
        return frames
    return np.repeat(frames[..., None], 3, axis=-1) if like.ndim == 4 else grey(frames)


__all__ = ["NO_CHANGE", "NO_NEUTRAL", "StillRecipe"]

"""Whether a map points where skin moved: the pointing game against the truth of a synthetic clip.

The game (Zhang et al., ECCV 2016) counts a map whose maximum falls on what is to be found, or within a tolerance of it.
To be found is the tenth of the canonical face whose skin moved furthest from onset to apex, the motion of the head
taken off: expression, idle skin and lids together, as that is what the frames show. Beside the count stands what a
place drawn at random would score, and what the centre of the face would.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mebench.drawing import MAP_SIDE
from mebench.errors import DataError
from mebench.store import StoredClip
from mebench.synth.truth import Truth
from mebench.vision.alignment import canonical, invert, transform_points

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

QUANTILE: Final = 0.9
"""Skin that moved further than in this share of the canonical face is what a map should point at."""

FLOOR_PX: Final = 0.01
"""Skin that moved less is taken to rest: the truth is kept to some .004 px."""

TOLERANCE: Final = 0.05
"""How far from it a maximum may fall, in sides of the canonical face: an eighth of the distance between the eyes, as
15 px of some 500 are in the original game, and less than the cells of most stages."""

CENTRE_SPREAD: Final = 0.15
"""Standard deviation, in sides, of the Gaussian about the centre that energy is compared with: eyes to mouth."""


@dataclass(frozen=True, eq=False)
class Target:
    """Where skin moved in a clip, on the map (64, 64): its way in px of the frame, what is large, and what is near."""

    motion: Doubles
    large: Mask
    near: Mask

    @property
    def chance(self) -> float:
        """The score of a place drawn at random: the share of places that count."""
        return float(self.near.mean())

    @property
    def area(self) -> float:
        """The share of an even map that lies on what moved."""
        return float(self.large.mean())


def target_of(truth: Truth, stored: StoredClip) -> Target:
    """The target of a clip; DataError where its truth begins at another frame, or no skin moves."""
    motion = skin_motion(truth, stored)
    large = motion > max(float(np.quantile(motion, QUANTILE)), FLOOR_PX)
    if not large.any():
        raise DataError(f"No skin moves in {stored.clip_id}.", "Leave the clip out of the pointing game.")
    distance = cv2.distanceTransform((~large).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return Target(motion, large, distance <= TOLERANCE * MAP_SIDE)


def skin_motion(truth: Truth, stored: StoredClip) -> Doubles:
    """How far the skin at each place of the canonical face (64, 64) moved from onset to apex without the head, px.

    A place of the onset frame is followed to the apex frame, and from there back as the head alone would have taken it.
    """
    if int(truth.numbers[0]) != int(stored.numbers[0]):
        raise DataError(
            f"{stored.clip_id} is stored from frame {stored.numbers[0]}, its truth begins at {truth.numbers[0]}.",
            "Prepare the corpus again.",
        )
    onset = _onset_places(stored)
    step = float(truth.motion_step)
    x, y = np.moveaxis(onset / step, -1, 0).astype(np.float32)
    way = cv2.remap(truth.motion.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    head = truth.head_motion[int(truth.apex) - int(truth.numbers[0])]
    back = transform_points(onset + way, invert(head))
    found: Doubles = np.linalg.norm(back - onset, axis=-1)
    return found


def pointing(values: Doubles, target: Target) -> float:
    """1 where the maximum of the map (64, 64) falls near what moved, 0 where not; of equal maxima their share.

    So a map that names no place scores what chance does.
    """
    return float(target.near[values >= values.max()].mean())


def energy_inside(values: Doubles, target: Target) -> float:
    """The share of the map (64, 64) that lies on what moved; that of an even map where it names no place."""
    total = values.sum()
    return float(values[target.large].sum() / total) if total > 0 else target.area


def centre_map() -> Doubles:
    """A Gaussian about the centre of the canonical face (64, 64): what a photographer's habit points at."""
    away = (np.arange(MAP_SIDE) - (MAP_SIDE - 1) / 2) / MAP_SIDE
    bell = np.exp(-(away**2) / (2 * CENTRE_SPREAD**2))
    return np.outer(bell, bell)


def _onset_places(stored: StoredClip) -> Doubles:
    """Where each place of the map (64, 64) lies in the onset frame, (64, 64, 2) px of the whole frame."""
    places = np.stack(np.meshgrid(np.arange(MAP_SIDE), np.arange(MAP_SIDE)), axis=-1).astype(np.float64)
    found: Doubles = transform_points(places, invert(canonical(stored.landmarks, MAP_SIDE))) + stored.origin
    return found

"""Action units as muscles: each pulls the skin towards where it is attached to the bone.

The basis is that of Waters (SIGGRAPH 1987): linear muscles act in a sector that opens from the attachment
and fades with angle and distance; sphincters draw a ring together. Deviations: the fading is a raised cosine, so that
no field has an edge, and skin bulges where it is compressed, because tissue keeps its volume.
Which muscles a unit moves follows the FACS manual (Ekman, Friesen, Hager 2002). Places are those of the average head,
seen from the front, on the left side of the face (right in the image).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.synth.solid.optics import FRONTAL
from mebench.synth.solid.people import window
from mebench.synth.solid.surface import STEP, average_head, grid

Field = NDArray[np.float64]
Side = Literal["left", "right", "both"]
Place = tuple[float, float]

_BULGE = 2.5  # units of rise per unit of compression
_SMALL = 0.01
_MIDLINE = 8.0  # one side gives way to the other within so many units
_STEEPEST = 1.2  # depth gained per unit moved across the surface, at most: sides of the nose are steeper


@dataclass(frozen=True)
class Linear:
    """From its attachment to the bone to where it enters the skin; `spread` in degrees, `end` as a multiple of its
    length."""

    bone: Place
    skin: Place
    spread: float
    end: float = 1.6
    share: float = 1.0

    def pull(self, x: Field, y: Field) -> Field:
        """Displacement (..., 2)."""
        dx, dy = x - self.bone[0], y - self.bone[1]
        along = np.array(self.skin) - self.bone
        length = float(np.hypot(*along))
        distance = np.hypot(dx, dy) / length
        angle = np.abs(np.angle(np.exp(1j * (np.arctan2(dy, dx) - np.arctan2(along[1], along[0])))))
        fan = _fade(angle / np.deg2rad(self.spread))
        rising, falling = _fade(1 - distance), _fade((distance - 1) / (self.end - 1))
        weight = self.share * fan * np.where(distance < 1, rising, falling)
        towards = -np.stack([dx, dy], axis=-1) / np.maximum(np.hypot(dx, dy), 1e-6)[..., None]
        return np.asarray(weight[..., None] * towards)


@dataclass(frozen=True)
class Ring:
    """Draws the skin around a centre together: `pull` right and down per unit of distance, strongest at `reach`."""

    centre: Place
    reach: tuple[float, float]
    toward: tuple[float, float]
    part: tuple[float, float, float, float] | None = None
    share: float = 1.0

    def pull(self, x: Field, y: Field) -> Field:
        """Displacement (..., 2)."""
        dx, dy = (x - self.centre[0]) / self.reach[0], (y - self.centre[1]) / self.reach[1]
        weight = self.share * np.hypot(dx, dy) * _fade(np.hypot(dx, dy) / 2)
        if self.part:
            weight = weight * window(x, y, self.part[:2], self.part[2:])
        return np.asarray(-np.stack([weight * dx * self.toward[0], weight * dy * self.toward[1]], axis=-1))


@dataclass(frozen=True)
class Lid:
    """Moves the margin of the upper (or lower) lid down (or up), by 1 where the eye is widest; skin beyond it less."""

    upper: float
    lower: float = 0.0

    def pull(self, x: Field, y: Field) -> Field:
        """Displacement (..., 2)."""
        top, bottom = lid_margins(x)
        across = (bottom - top) / _OPENING * (x > 0)
        inside = np.clip((y - top) / (bottom - top), 0, 1)
        above, below = _fade((top - y) / 24), _fade((y - bottom) / 18)
        down = self.upper * np.where(y < top, above, 1 - inside) - self.lower * np.where(y > bottom, below, inside)
        return np.stack([np.zeros_like(down), across * down], axis=-1)


@dataclass(frozen=True)
class Parting:
    """The lower lip sinks and the upper rises, with an edge between them."""

    def pull(self, x: Field, y: Field) -> Field:
        """Displacement (..., 2)."""
        lower = window(x, y, (0, 140), (60, 62)) * (np.tanh((y - MOUTH_Y) / 1.0) + 1) / 2
        upper = 0.25 * window(x, y, (0, 126), (56, 40)) * (np.tanh((MOUTH_Y - y) / 1.0) + 1) / 2
        return np.stack([np.zeros_like(lower), lower - upper], axis=-1)


Muscle = Linear | Ring | Lid | Parting
EYE: Place = (59.0, 6.0)
EYE_HALF_PX = 23.5
_OPENING = 15.6
"""From lid to lid where the eye is widest."""
MOUTH_Y = 132.0

MUSCLES: Mapping[int, tuple[Muscle, ...]] = {
    1: (Linear((20, -118), (21, -39), 30, 1.5),),
    2: (Linear((78, -116), (86, -42), 28, 1.5),),
    4: (Linear((4, -12), (46, -43), 42, 1.7), Linear((16, 14), (22, -37), 36, 1.5, 0.7)),
    5: (Lid(-1.0),),
    6: (Ring(EYE, (42, 36), (0.5, 1.0), (79, 38, 72, 52)),),
    7: (Lid(0.35, 1.0),),
    9: (Linear((12, 6), (24, 74), 26, 1.5), Linear((2, 16), (6, -26), 50, 1.7, 0.5)),
    10: (Linear((46, 34), (26, 112), 26, 1.4),),
    12: (Linear((104, 36), (52, 132), 30, 1.5),),
    14: (Linear((88, 132), (56, 132), 44, 1.9), Linear((24, 132), (72, 132), 30, 1.5, 0.6)),
    15: (Linear((64, 202), (52, 134), 36, 1.6),),
    17: (Linear((10, 146), (12, 190), 56, 1.5), Linear((0, 112), (4, 146), 40, 1.5, 0.4)),
    18: (Ring((0, MOUTH_Y), (42, 26), (1.0, 0.3)),),
    20: (Linear((116, 138), (54, 134), 34, 1.5),),
    23: (Ring((0, MOUTH_Y), (40, 20), (0.8, 0.7)),),
    24: (Ring((0, MOUTH_Y), (44, 16), (0.15, 1.0)),),
    25: (Parting(),),
    38: (Linear((54, 84), (28, 84), 52, 1.7),),
    39: (Linear((-2, 84), (28, 84), 40, 1.6),),
    43: (Lid(1.0),),
}
"""The muscles of each unit on one side of the face."""

UNITS = frozenset(MUSCLES)


def unit_field(number: int, side: Side) -> Field:
    """How the skin of the average head moves when a unit moves it by 1 at its liveliest place, on one side or both.

    Displacements (rows, columns, 3) over the grid, units; length 1 as the camera sees it, across the line of sight.
    """
    return _fields(number)[side]


@cache
def _fields(number: int) -> dict[Side, Field]:
    def left_half(x: Field, y: Field) -> Field:
        pulled = sum((muscle.pull(x, y) for muscle in MUSCLES[number]), np.zeros((*x.shape, 2)))
        return np.asarray(pulled * ((1 + np.tanh(x / _MIDLINE)) / 2)[..., None])

    left = _on_surface(left_half)
    right = left[:, ::-1] * (-1, 1, 1)
    made: dict[Side, Field] = {"left": left, "right": right, "both": left + right}
    return {side: np.ascontiguousarray(field / _seen(field)) for side, field in made.items()}


def lid_closing() -> Field:
    """How far lids move that cover the whole opening of both eyes, units (rows, columns, 3)."""
    return unit_field(43, "both") * _OPENING


def resting_fields(rng: np.random.Generator, count: int, bumps: int = 6) -> Field:
    """Displacements (count, rows, columns, 3) of skin at rest, each of a few broad swells, of greatest length 1."""
    fields = (_on_surface(_swells(rng, bumps)) for _ in range(count))
    return np.stack([field / _seen(field) for field in fields])


def _swells(rng: np.random.Generator, bumps: int) -> Callable[[Field, Field], Field]:
    """A pull of a few broad swells anywhere on the face."""
    places = np.column_stack([rng.uniform(-100, 100, bumps), rng.uniform(-80, 190, bumps)]).tolist()
    reaches, angles = rng.uniform(30, 75, (bumps, 2)).tolist(), rng.uniform(0, 2 * np.pi, bumps)

    def pull(x: Field, y: Field) -> Field:
        pulled = np.zeros((*x.shape, 2))
        for place, reach, angle in zip(places, reaches, angles, strict=True):
            weight = window(x, y, (place[0], place[1]), (reach[0], reach[1]))
            pulled += weight[..., None] * np.array((np.cos(angle), np.sin(angle)))
        return pulled

    return pull


def _seen(field: Field) -> float:
    """The greatest length of a field as the camera sees it on the average head, px per unit."""
    head = average_head()
    shift = FRONTAL.project(head + _SMALL * field) - FRONTAL.project(head)
    return float(np.hypot(shift[..., 0], shift[..., 1]).max() / _SMALL)


def lid_margins(x: Field) -> tuple[Field, Field]:
    """Heights of the margins of the left eye's lids at frontal x; they meet in its corners."""
    t = np.clip((np.abs(x) - EYE[0]) / EYE_HALF_PX, -1, 1)
    tilt = EYE[1] + 1.5 - 2.0 * t  # the outer corner lies higher
    bow = 1 - np.abs(t) ** 2.2
    return tilt - 8.5 * bow - 0.3, tilt + 6.5 * bow + 0.3


def _on_surface(pull: Callable[[Field, Field], Field]) -> Field:
    """A pull seen from the front as displacement along the surface, with its bulge, (rows, columns, 3)."""
    net, head = grid(), average_head()
    x, y = net.frontal[..., 0], net.frontal[..., 1]
    flat = pull(x, y) * net.facing[None, :, None]
    slope_x, slope_y = _slopes(head)
    along = (
        np.clip(slope_x, -_STEEPEST, _STEEPEST) * flat[..., 0] + np.clip(slope_y, -_STEEPEST, _STEEPEST) * flat[..., 1]
    )
    spread_x, _ = _gradient(flat[..., 0], x)
    _, spread_y = _gradient(flat[..., 1], x)
    bulge = -_BULGE * np.clip(spread_x + spread_y, -0.5, 0.5) * net.facing
    return np.concatenate([flat, (along + bulge)[..., None]], axis=-1)


def _slopes(head: Field) -> tuple[Field, Field]:
    return _gradient(head[..., 2], head[..., 0])


def _gradient(values: Field, x: Field) -> tuple[Field, Field]:
    """Derivatives of values over the grid by frontal x and y."""
    by_s, by_row = np.gradient(values, axis=1), np.gradient(values, axis=0)
    dx_ds, dx_row = np.gradient(x, axis=1), np.gradient(x, axis=0)
    by_x = by_s / np.where(np.abs(dx_ds) < 0.05, np.inf, dx_ds)
    return by_x, (by_row - by_x * dx_row) / STEP


def _fade(t: Field) -> Field:
    """1 up to 0, along a raised cosine down to 0 at 1."""
    return np.asarray((1 + np.cos(np.pi * np.clip(t, 0, 1))) / 2)


__all__ = ["EYE", "EYE_HALF_PX", "MOUTH_Y", "UNITS", "lid_closing", "lid_margins", "resting_fields", "unit_field"]

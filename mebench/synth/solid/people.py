"""Invented people of the second renderer: the shape of their heads and how they look."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.synth.solid.surface import average_head, grid

Field = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """One invented person.

    `shape (k,)` are amounts of the modes of `head_of`; colours are (blue, green, red), 0..1. `brow` are thickness and
    darkness, `hairline` its height above the eyes in units, `long_hair` whether it covers the ears, `stubble` and
    `freckles` 0..1. `light` is the direction (x, y, z) the light comes from, `ambient` its share from everywhere.
    `texture` seeds everything fine.
    """

    shape: tuple[float, ...]
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]
    lips: float
    brow: tuple[float, float]
    hairline: float
    long_hair: bool
    stubble: float
    freckles: float
    light: tuple[float, float, float]
    ambient: float
    wall: tuple[float, float, float]
    shirt: tuple[float, float, float]
    texture: int


_HAIR = np.array([(0.06, 0.06, 0.07), (0.10, 0.14, 0.20), (0.16, 0.26, 0.38), (0.25, 0.42, 0.55), (0.5, 0.52, 0.55)])
_IRIS = np.array([(0.08, 0.14, 0.25), (0.45, 0.40, 0.28), (0.30, 0.40, 0.30), (0.12, 0.22, 0.34)])
_PALE, _DARK = np.array((0.60, 0.71, 0.90)), np.array((0.30, 0.42, 0.60))


def draw_person(rng: np.random.Generator) -> Person:
    """A person drawn at random."""
    tan, pale = rng.uniform(0, 1), rng.normal(0, 0.02, 3)
    hair = _HAIR[rng.choice(len(_HAIR), p=(0.35, 0.3, 0.2, 0.08, 0.07))] * np.exp(rng.normal(0, 0.1))
    angle, tilt = rng.uniform(-0.7, 0.7), rng.uniform(-0.9, -0.2)
    light = np.array((np.sin(angle), tilt, 1.0))
    man = rng.uniform() < 0.5
    return Person(
        shape=tuple(np.clip(rng.normal(0, 0.8, len(MODES)), -1.5, 1.5).tolist()),
        skin=_triple(_PALE + (_DARK - _PALE) * tan**1.5 + pale),
        hair=_triple(hair),
        iris=_triple(_IRIS[rng.integers(len(_IRIS))]),
        lips=float(rng.uniform(0.15, 0.4)),
        brow=(float(rng.uniform(8.5, 12.5)), float(rng.uniform(0.9, 1.4))),
        hairline=float(rng.uniform(100, 128)),
        long_hair=not man or bool(rng.uniform() < 0.1),
        stubble=float(rng.uniform(0, 0.5)) if man else 0.0,
        freckles=float(rng.choice([0, 0, 0.4, 1])),
        light=_triple(light / np.linalg.norm(light)),
        ambient=float(rng.uniform(0.45, 0.65)),
        wall=_triple(rng.uniform(0.35, 0.7) + rng.normal(0, 0.04, 3)),
        shirt=_triple(rng.uniform(0.05, 0.8, 3)),
        texture=int(rng.integers(2**63)),
    )


def head_of(person: Person) -> Field:
    """Vertices (rows, columns, 3) of the person's neutral head, units."""
    head = average_head()
    x, y = head[..., 0].copy(), head[..., 1].copy()
    facing = grid().facing
    moved = np.zeros_like(head)
    for amount, mode in zip(person.shape, MODES, strict=True):
        dx, dy, dz = mode(x, y)
        moved += amount * np.stack(np.broadcast_arrays(dx, dy, dz * facing), axis=-1)
    return np.asarray(head + moved)


def window(x: Field, y: Field, place: tuple[float, float], reach: tuple[float, float]) -> Field:
    """1 at a place seen from the front, falling along a raised cosine to 0 at `reach` right, left, above and below."""
    distance = np.hypot((x - place[0]) / reach[0], (y - place[1]) / reach[1])
    return np.where(distance < 1, (1 + np.cos(np.pi * np.minimum(distance, 1))) / 2, 0)


def _ramp(values: Field, start: float, end: float) -> Field:
    return np.asarray((1 - np.cos(np.pi * np.clip((values - start) / (end - start), 0, 1))) / 2)


def _eyes(x: Field, y: Field) -> Field:
    return window(x, y, (59, 6), (56, 44)) + window(x, y, (-59, 6), (56, 44))


def _brows(x: Field, y: Field) -> Field:
    return window(x, y, (61, -38), (80, 40)) + window(x, y, (-61, -38), (80, 40))


Mode = Callable[[Field, Field], tuple[Field, Field, Field]]

MODES: tuple[Mode, ...] = (
    lambda x, y: (0.04 * x, 0 * y, 0 * x),  # a wide head
    lambda x, y: (0 * x, 0.035 * np.maximum(y, 0), 0 * x),  # a long face
    lambda x, y: (0.05 * x * _ramp(y, 80, 180), 0 * y, 0 * x),  # a wide jaw
    lambda x, y: (0 * x, 4.5 * _ramp(y, 150, 212), 0 * x),  # a long chin
    lambda x, y: (2.5 * np.tanh(x / 20) * _eyes(x, y), 0 * y, 0 * x),  # eyes apart
    lambda x, y: (0 * x, 2.5 * (_eyes(x, y) + 0.8 * _brows(x, y)).clip(0, 1), 0 * x),  # low eyes
    lambda x, y: (
        0.07 * (np.abs(x) - 59) * np.sign(x) * _eyes(x, y),
        0.06 * (y - 6) * _eyes(x, y),
        0 * x,
    ),  # large eyes
    lambda x, y: (0 * x, 0.09 * (y - 6) * _eyes(x, y), 0 * x),  # open eyes
    lambda x, y: (0 * x, 2.5 * _brows(x, y), 0 * x),  # low brows
    lambda x, y: (0.09 * x * window(x, y, (0, 78), (62, 48)), 0 * y, 0 * x),  # a wide nose
    lambda x, y: (0 * x, 3.0 * window(x, y, (0, 84), (66, 62)), 0 * x),  # a long nose
    lambda x, y: (0 * x, 0 * y, 4.0 * window(x, y, (0, 60), (34, 70))),  # a high nose
    lambda x, y: (0.07 * x * window(x, y, (0, 132), (100, 44)), 0 * y, 0 * x),  # a wide mouth
    lambda x, y: (0 * x, 0.13 * (y - 132) * window(x, y, (0, 132), (78, 44)), 0 * x),  # full lips
    lambda x, y: (0 * x, 3.0 * window(x, y, (0, 132), (110, 56)), 0 * x),  # a low mouth
    lambda x, y: (0 * x, 0 * y, 4.0 * (window(x, y, (88, 44), (70, 60)) + window(x, y, (-88, 44), (70, 60)))),  # cheeks
    lambda x, y: (0 * x, 0 * y, 3.0 * window(x, y, (0, -30), (150, 34))),  # a strong ridge of the brows
    lambda x, y: (0 * x, 0 * y, 5.0 * window(x, y, (0, 196), (70, 50))),  # a strong chin
    lambda x, y: (0 * x, 0.9 * np.tanh(x / 20) * (_eyes(x, y) + _brows(x, y)).clip(0, 1), 0 * x),  # a crooked look
    lambda x, y: (1.5 * window(x, y, (0, 80), (80, 70)), 0 * y, 0 * x),  # a crooked nose
)
"""How heads differ: displacements (x, y, z) in units at frontal x and y, per standard deviation."""


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in np.clip(values, -1, 1))
    return x, y, z


__all__ = ["MODES", "Person", "draw_person", "head_of", "window"]

"""A person as the second renderer keeps them: everything about their looks that no clip changes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import Camera
from mebench.synth.solid.eyes import centres
from mebench.synth.solid.people import Person, head_of
from mebench.synth.solid.skin import paint, texel
from mebench.synth.solid.surface import grid

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sitter:
    """A person before a camera.

    `head (rows, columns, 3)` units; `painting (h, w, 4)` their skin and hair, and `texels (rows, columns, 2)` where
    each vertex lies in it; `eyes (2, 3)` the centres of the eyeballs; `backdrop` the picture behind the head at its
    sampling points and `behind` in px of the frame, 0..1.
    """

    person: Person
    head: NDArray[np.float64]
    painting: Floats
    texels: NDArray[np.float64]
    eyes: NDArray[np.float64]
    backdrop: Floats
    behind: Floats
    glasses: bool = False
    wrinkles: float = 0.0


def seat(
    person: Person, camera: Camera, samples: int, *, glasses: bool = False, beard: float = 0.0, wrinkles: float = 0.0
) -> Sitter:
    """The person, painted, before this camera with `samples` sampling points per pixel and axis."""
    net, head = grid(), head_of(person)
    names = np.stack(np.meshgrid(net.s, net.y), axis=-1)
    backdrop = _backdrop(person, camera, samples)
    small = cv2.resize(backdrop, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    behind = np.asarray(small, np.float32)
    painting = paint(person, beard)
    return Sitter(person, head, painting, texel(names), centres(head), backdrop, behind, glasses, wrinkles)


def _backdrop(person: Person, camera: Camera, samples: int) -> Floats:
    """Wall, shoulders and neck (h, w, 3), 0..1."""
    rng = np.random.default_rng([person.texture % 2**32, 1])
    height, width = camera.height * samples, camera.width * samples
    x = (np.arange(width, dtype=np.float32) / width - 0.5)[None, :, None]
    y = (np.arange(height, dtype=np.float32) / height - 0.5)[:, None, None]
    wall = np.array(person.wall, np.float32) * (1 - 0.12 * np.float32(person.light[0]) * x - np.float32(0.1) * y)
    wall = wall * (1 + 0.012 * _grain(rng, (height, width), 5 * samples))[..., None]
    skin = np.array(person.skin, np.float32) * 0.62
    shoulders = [(40, 500), (70, 452), (160, 424), (250, 405), (390, 405), (480, 424), (570, 452), (600, 500)]
    neck = [(248, 330), (250, 392), (236, 412), (320, 462), (404, 412), (390, 392), (392, 330)]
    hair = [(190, 120), (176, 260), (192, 400), (230, 420), (410, 420), (448, 400), (464, 260), (450, 120)]
    layers = [(neck, skin), (shoulders, np.array(person.shirt, np.float32) * 0.7)]
    if person.long_hair:
        layers.insert(0, (hair, np.array(person.hair, np.float32) * 0.6))
        layers[1], layers[2] = layers[2], layers[1]
    weave = 1 + 0.03 * _grain(rng, (height, width), 2 * samples)[..., None]
    for outline, colour in layers:
        points = (camera.from_reference(np.array(outline, np.float64)) + 0.5) * samples - 0.5
        mask = cv2.fillPoly(
            np.zeros((height, width), np.float32), [np.asarray(points * 16, np.int32)], 1.0, cv2.LINE_AA, 4
        )
        mask = cv2.GaussianBlur(mask, (0, 0), 3.0 * samples)[..., None]
        wall += (colour * weave - wall) * mask
    return np.asarray(np.clip(wall, 0, 1), np.float32)


def _grain(rng: np.random.Generator, size: tuple[int, int], sigma: float) -> Floats:
    step = max(1.0, sigma / 1.5)
    coarse = rng.standard_normal((int(size[0] / step) + 3, int(size[1] / step) + 3), dtype=np.float32)
    smooth = cv2.GaussianBlur(coarse, (0, 0), sigma / step)
    return np.asarray(cv2.resize(smooth / smooth.std(), size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


__all__ = ["Sitter", "seat"]

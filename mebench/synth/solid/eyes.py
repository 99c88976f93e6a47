"""Eyeballs: what is seen between the lids."""

import numpy as np
from numpy.typing import NDArray

from mebench.synth.solid.muscles import EYE
from mebench.synth.solid.optics import DISTANCE, Stance
from mebench.synth.solid.people import Person
from mebench.synth.solid.surface import grid, named

Field = NDArray[np.float64]
Floats = NDArray[np.float32]

RADIUS = 25.0
_SUNK = 22.5  # from the surface of the average lid to the centre of the ball
_IRIS, _PUPIL = np.arcsin(11.6 / RADIUS), np.arcsin(4.6 / RADIUS)
_SCLERA = np.array((0.80, 0.82, 0.85))


def centres(head: Field) -> Field:
    """Centres (2, 3) of the eyeballs of a neutral head (rows, columns, 3), the subject's right first."""
    net = grid()
    names = named(np.array([(-EYE[0], EYE[1]), EYE]))
    return net.at(head, net.places(names)) - (0, 0, _SUNK)


def eye_colours(person: Person, centre: Field, stance: Stance, gaze: Field, pixels: Field) -> Floats:
    """Colours (n, 3) of an eyeball at pixels (n, 2) of a 640x480 frame; `gaze` turns it right and down, radians."""
    *middle, depth = stance.project(centre[None])[0]
    scale = np.exp(stance.log_scale) * DISTANCE / depth
    across = (pixels - middle) / (scale * RADIUS)
    out = np.hypot(*across.T)
    normal = np.column_stack([across, np.sqrt(np.clip(1 - out**2, 0.02, None))])
    axis = stance.rotation @ np.array([np.sin(gaze[0]), np.sin(gaze[1]), np.sqrt(1 - np.sin(gaze) @ np.sin(gaze))])
    angle = np.arccos(np.clip(normal @ axis, -1, 1))
    soft = 0.03
    iris = 1 / (1 + np.exp((angle - _IRIS) / (soft / 2)))
    pupil = 1 / (1 + np.exp((angle - _PUPIL) / (soft / 2)))
    ring = np.exp(-(((angle - _IRIS) / 0.06) ** 2) / 2)
    spokes = 1 + 0.18 * np.cos(17 * np.arctan2(*(normal - axis)[:, :2].T) + person.texture % 7)
    white = _SCLERA * (1 - 0.7 * np.clip(out - 0.45, 0, 1))[:, None]
    colour = white + (np.array(person.iris) * spokes[:, None] - white) * iris[:, None]
    colour = colour * (1 - 0.5 * ring[:, None])
    colour += (0.03 - colour) * pupil[:, None]
    lid = 0.55 + 0.45 * np.clip((across[:, 1] + 0.42) / 0.35, 0, 1)  # the upper lid's shadow
    glint = np.exp(-(((normal - _glint(person)) ** 2).sum(axis=1)) / (2 * 0.05**2))
    colour = colour * lid[:, None] + 0.75 * glint[:, None]
    return np.asarray(colour, np.float32)


def _glint(person: Person) -> Field:
    half = np.array(person.light) + np.array((0, 0, 1))
    return np.asarray(half / np.linalg.norm(half))


__all__ = ["RADIUS", "centres", "eye_colours"]

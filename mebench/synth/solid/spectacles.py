"""Glasses: a rim around either eye, a bridge and temples, carried by the head and not by the skin."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.solid.optics import Stance

if TYPE_CHECKING:
    from mebench.synth.solid.sitter import Sitter

Field = NDArray[np.float64]

_COLOUR = np.array((0.07, 0.06, 0.06), np.float32)
_WIDTH = 4.5
_BEFORE = 28.0  # from the centres of the eyeballs to the rims


def draw_spectacles(
    picture: NDArray[np.float32], sitter: "Sitter", stance: Stance, place: Callable[[Field], Field]
) -> None:
    """Draws the sitter's glasses into a picture (h, w, 3), in place; `place` takes px of a 640x480 frame to its px."""
    mask = np.zeros(picture.shape[:2], np.float32)
    unit = float(np.diff(place(np.array([(0.0, 0.0), (1.0, 0.0)]))[:, 0])[0])
    width = max(1, round(_WIDTH * unit))
    middle = sitter.eyes.mean(axis=0)
    for line in _wires():
        seen = stance.project(line + middle + np.array((0, 0, _BEFORE)))[:, :2]
        points = place(seen)
        cv2.polylines(mask, [np.asarray((points * 256).round(), np.int32)], False, 1.0, width, cv2.LINE_AA, 8)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.6 * unit)[..., None]
    picture += (_COLOUR - picture) * soft


@cache
def _wires() -> tuple[NDArray[np.float64], ...]:
    """Lines (n, 3) from the middle between the eyes, units."""
    turn = np.linspace(0, 2 * np.pi, 49)
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.7 * 40
    y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.7 * 29 + 4
    rims = [np.column_stack([x + side * 59, y, -0.0016 * np.abs(x + side * 59) ** 2]) for side in (-1, 1)]
    across = np.linspace(-18, 18, 9)
    bridge = np.column_stack([across, -6 + 0.008 * across**2, np.zeros(9)])
    temples = [
        np.column_stack([side * np.linspace(99, 142, 9), np.linspace(-6, -2, 9), np.linspace(-18, -120, 9)])
        for side in (-1, 1)
    ]
    return (*rims, bridge, *temples)


__all__ = ["draw_spectacles"]

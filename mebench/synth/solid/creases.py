"""Folds that the skin throws where units act, as shading: a crease and the ridge beside it."""

from collections.abc import Mapping
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.solid.skin import TEXELS, soft_lines

Line = list[tuple[float, float]]

_LINES: Mapping[int, list[Line]] = {
    1: [[(4, -78), (22, -81), (40, -76)], [(4, -92), (24, -95), (44, -88)], [(4, -65), (20, -68), (34, -64)]],
    2: [[(52, -80), (76, -78), (98, -66)], [(56, -93), (80, -90), (100, -80)]],
    4: [[(9, -54), (10, -40), (8, -26)], [(17, -50), (18, -38), (14, -28)]],
    6: [[(92, 8), (104, 4), (114, 2)], [(92, 13), (104, 15), (114, 18)], [(40, 24), (58, 31), (79, 26)]],
    7: [[(40, 19), (58, 23), (77, 19)]],
    9: [[(2, -10), (14, -6), (22, 4)], [(2, 2), (13, 8), (20, 18)], [(26, 66), (34, 82), (36, 96)]],
    10: [[(34, 80), (44, 98), (56, 116)]],
    12: [[(40, 92), (56, 110), (64, 132)], [(92, 10), (106, 10), (116, 12)]],
    14: [[(60, 122), (64, 132), (60, 142)]],
    15: [[(54, 138), (58, 150), (56, 160)]],
    17: [[(4, 160), (18, 162), (30, 168)], [(6, 184), (14, 190), (8, 198)]],
    20: [[(64, 120), (70, 134), (66, 150)]],
    24: [[(6, 112), (24, 114), (40, 120)], [(6, 158), (22, 158), (36, 152)]],
}
"""By unit, the creases on the left of the average face, seen from the front (FACS manual, "appearance changes")."""


@cache
def crease_map(number: int) -> NDArray[np.float32] | None:
    """How deep the folds of a unit lie over the painting (h, w), negative on their ridges; None where it has none."""
    if number not in _LINES:
        return None
    crease = soft_lines(_LINES[number], 1.6, 1.0)
    ridge = cv2.warpAffine(crease, np.array([[1.0, 0, 0], [0, 1, 3.2 * TEXELS]]), crease.shape[::-1])
    return np.asarray(crease - 0.6 * ridge, np.float32)


__all__ = ["crease_map"]

"""Action units as smooth fields of skin motion, anchored at a person's landmarks.

Each unit is a few Gaussian bumps of displacement at places that the FACS manual names (Ekman, Friesen, Hager 2002):
where the skin moves and which way, not how a face looks at the end. Lengths are shares of the distance between the
eyes, so that the same unit fits every face.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import Camera

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class DrawnUnit:
    """An action unit to be drawn, on both sides of the face or on one."""

    number: int
    side: Side | None = None

    @property
    def text(self) -> str:
        """As a workbook writes it: `4`, `L12`."""
        return f"{self.side[0].upper() if self.side else ''}{self.number}"


@dataclass(frozen=True, slots=True)
class _Bump:
    """A Gaussian bump: at `place`, moved by `shift`, pulling along `pull`, `sigma` wide and high.

    `shift` and `pull` are (outward, down), outward meaning away from the midline; lengths in eye distances / 100, which
    is about 1.2 px of a 640x480 frame. The pull's length is relative to the unit's other bumps.
    """

    place: str
    pull: tuple[float, float]
    sigma: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)


# The subject's right side (left in the image), then the left side. Points of the 68-point scheme; several are averaged.
_PLACES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "inner brow": ((21,), (22,)),
    "middle brow": ((19,), (24,)),
    "outer brow": ((17, 18), (25, 26)),
    "upper lid": ((37, 38), (43, 44)),
    "lower lid": ((40, 41), (46, 47)),
    "outer eye": ((36,), (45,)),
    "cheek": ((36, 41, 48, 31), (45, 46, 54, 35)),
    "nose side": ((28, 39), (28, 42)),
    "nose wing": ((31,), (35,)),
    "upper lip": ((50,), (52,)),
    "lip corner": ((48,), (54,)),
    "lower lip": ((58,), (56,)),
    "chin": ((8, 57), (8, 57)),
}

_UNITS: dict[int, tuple[_Bump, ...]] = {
    1: (
        _Bump("inner brow", (0, -1), (15, 13)),
        _Bump("inner brow", (0, -0.5), (18, 14), (0, -20)),
    ),
    2: (
        _Bump("outer brow", (0.15, -1), (15, 13)),
        _Bump("outer brow", (0, -0.5), (18, 14), (0, -20)),
    ),
    4: (
        _Bump("inner brow", (-0.5, 0.8), (15, 12)),
        _Bump("middle brow", (-0.2, 0.6), (16, 12)),
    ),
    5: (_Bump("upper lid", (0, -1), (13, 7)),),
    6: (
        _Bump("cheek", (0, -1), (18, 14)),
        _Bump("outer eye", (-0.5, -0.2), (11, 11), (8, 0)),
    ),
    7: (
        _Bump("lower lid", (0, -1), (14, 7)),
        _Bump("upper lid", (0, 0.3), (14, 7)),
    ),
    9: (
        _Bump("nose side", (0, -1), (10, 11)),
        _Bump("nose wing", (0, -0.8), (10, 10)),
        _Bump("inner brow", (-0.1, 0.4), (12, 10)),
    ),
    10: (
        _Bump("upper lip", (0.1, -1), (13, 9)),
        _Bump("nose wing", (0.15, -0.8), (10, 10)),
    ),
    12: (
        _Bump("lip corner", (0.75, -0.75), (16, 14)),
        _Bump("cheek", (0.1, -0.4), (18, 14)),
    ),
    14: (
        _Bump("lip corner", (0.8, 0.0), (9, 11)),
        _Bump("lip corner", (-0.8, 0.0), (9, 13), (20, 0)),
    ),
    15: (
        _Bump("lip corner", (0.15, 1), (14, 12)),
        _Bump("lip corner", (0.1, 0.4), (13, 12), (2, 16)),
    ),
    17: (
        _Bump("chin", (0, -1), (18, 12)),
        _Bump("lower lip", (0, -0.5), (14, 9)),
    ),
    20: (
        _Bump("lip corner", (1, 0.1), (15, 11)),
        _Bump("lower lip", (0.4, 0.1), (13, 10)),
    ),
    23: (
        _Bump("lip corner", (-0.9, 0), (12, 9)),
        _Bump("upper lip", (-0.2, 0.4), (12, 8)),
        _Bump("lower lip", (-0.2, -0.4), (12, 8)),
    ),
    24: (
        _Bump("upper lip", (0, 0.9), (15, 8)),
        _Bump("lower lip", (0, -0.9), (15, 8)),
    ),
    25: (
        _Bump("lower lip", (0, 1), (14, 9)),
        _Bump("upper lip", (0, -0.25), (13, 8)),
    ),
}
_BLINK = (_Bump("upper lid", (0, 1), (14, 8)), _Bump("lower lid", (0, -0.15), (12, 7)))

_IDLE_FIELDS, _IDLE_BUMPS = 2, 5
_IDLE_SIGMA = (10.0, 22.0)  # eye distances / 100: as wide as the bumps of the units themselves

ONE_SIDED = frozenset({1, 2, 4, 6, 7, 10, 12, 14, 15, 20})
"""Units that people also show on one side alone; in the corpora mostly brows and lip corners."""

DRAWABLE = frozenset(_UNITS)


def unit_field(unit: DrawnUnit, landmarks: NDArray[np.float64], camera: Camera) -> NDArray[np.float32]:
    """Displacement (h, w, 2) of the skin in px, x right and y down, scaled to a greatest length of 1."""
    sides: tuple[Side, ...] = (unit.side,) if unit.side else ("right", "left")
    return _unit_peak(_field(_UNITS[unit.number], sides, landmarks, camera))


def side_fields(
    number: int, landmarks: NDArray[np.float64], camera: Camera
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What each side, the subject's left and right, adds to a unit that is shown on both, (h, w, 2) each.

    Their sum has a greatest length of 1.
    """
    left = _field(_UNITS[number], ("left",), landmarks, camera)
    right = _field(_UNITS[number], ("right",), landmarks, camera)
    peak = np.float32(peak_length(left + right))
    return left / peak, right / peak


def blink_field(landmarks: NDArray[np.float64], camera: Camera) -> NDArray[np.float32]:
    """Displacement (h, w, 2) of closing lids, scaled to a greatest length of 1."""
    return _unit_peak(_field(_BLINK, ("right", "left"), landmarks, camera))


def idle_fields(rng: np.random.Generator, landmarks: NDArray[np.float64], camera: Camera) -> NDArray[np.float32]:
    """Displacements (n, h, w, 2) of skin at rest, each of a few bumps anywhere on the face, of greatest length 1."""
    points = camera.from_reference(landmarks)
    unit = _unit(points)
    x, y = np.arange(camera.width), np.arange(camera.height)
    fields = np.zeros((_IDLE_FIELDS, camera.height, camera.width, 2), np.float32)
    for field in fields:
        for _ in range(_IDLE_BUMPS):
            place = rng.dirichlet(np.ones(3)) @ points[rng.choice(len(points), 3, replace=False)]
            sigma, angle = rng.uniform(*_IDLE_SIGMA) * unit, rng.uniform(0, 2 * np.pi)
            weight = np.outer(_bell(y, place[1], sigma), _bell(x, place[0], sigma)).astype(np.float32)
            field += weight[..., None] * np.array((np.cos(angle), np.sin(angle)), np.float32)
        field /= np.float32(peak_length(field))
    return fields


def peak_length(field: NDArray[np.float32]) -> float:
    """The greatest length among the vectors of a field (h, w, 2)."""
    return float(np.sqrt((field * field).sum(axis=-1).max()))


def _unit_peak(field: NDArray[np.float32]) -> NDArray[np.float32]:
    return field / np.float32(peak_length(field))


def place_of(
    name: str, side: Side, landmarks: NDArray[np.float64], camera: Camera
) -> tuple[NDArray[np.float64], float, int]:
    """A place (2,) of a face in px, the hundredth of the distance between its eyes, and which way is outward in x."""
    points = camera.from_reference(landmarks)
    outward = 1 if side == "left" else -1  # the subject's left is right in the image
    return points[list(_PLACES[name][side == "left"])].mean(0), _unit(points), outward


def _field(
    bumps: Iterable[_Bump], sides: tuple[Side, ...], landmarks: NDArray[np.float64], camera: Camera
) -> NDArray[np.float32]:
    points = camera.from_reference(landmarks)
    unit = _unit(points)
    x, y = np.arange(camera.width), np.arange(camera.height)
    field = np.zeros((camera.height, camera.width, 2), np.float32)
    for bump in bumps:
        for side in sides:
            outward = 1 if side == "left" else -1  # the subject's left is right in the image
            along = np.array((outward, 1))
            place = points[list(_PLACES[bump.place][side == "left"])].mean(0) + along * bump.shift * np.array(unit)
            sigma = np.array(bump.sigma) * unit
            weight = np.outer(_bell(y, place[1], sigma[1]), _bell(x, place[0], sigma[0])).astype(np.float32)
            field += weight[..., None] * (along * bump.pull).astype(np.float32)
    return field


def _unit(points: NDArray[np.float64]) -> float:
    """A hundredth of the distance between the eyes, px."""
    return float(np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))) / 100


def _bell(values: NDArray[np.int64], centre: float, sigma: float) -> NDArray[np.float64]:
    return np.exp(-((values - centre) ** 2) / (2 * sigma**2))  # type: ignore[no-any-return]


__all__ = [
    "DRAWABLE",
    "ONE_SIDED",
    "DrawnUnit",
    "Side",
    "blink_field",
    "idle_fields",
    "peak_length",
    "place_of",
    "side_fields",
    "unit_field",
]

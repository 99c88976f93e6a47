"""The colours of a person's skin, brows, lips and hair, painted once on the surface of the average head."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.solid.muscles import EYE, EYE_HALF_PX, MOUTH_Y, lid_margins
from mebench.synth.solid.people import Person
from mebench.synth.solid.surface import BOTTOM, REACH, TOP, half_width, named, smooth_line

Floats = NDArray[np.float32]

TEXELS = 3
"""Texels per unit: sharper than any camera here resolves, so that bilinear sampling blurs little."""
_SHAPE = (round((BOTTOM - TOP) * TEXELS) + 1, round(2 * REACH * TEXELS) + 1)
_COARSE = 3  # spots are smooth: drawn on every third texel
_PORE, _MOTTLE = 0.045, 0.05  # log units


def texel(names: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where in the painting points (..., 2) named by s and y lie, px."""
    return (names - (-REACH, TOP)) * TEXELS


def paint(person: Person, beard: float) -> Floats:
    """The painting (h, w, 4) float32: blue, green and red, 0..1, and how much of the place is eye, 0..1."""
    rng = np.random.default_rng(person.texture)
    canvas = _Canvas()
    log = _PORE * (0.7 * canvas.noise(rng, 0.8) + 0.5 * canvas.noise(rng, 1.8)) + _MOTTLE * canvas.noise(rng, 14)
    log += 0.05 * canvas.noise(rng, 40) - 0.24 * canvas.freckles(rng, person.freckles)
    skin = np.array(person.skin, np.float32) * np.exp(log)[..., None]
    red = 0.16 * canvas.spot((84, 56), (30, 26)) + 0.18 * canvas.spot((0, 74), (18, 18)) + 0.04 * canvas.noise(rng, 8)
    skin *= np.exp(red[..., None] * np.array((-0.7, -0.6, 0.1), np.float32))
    shade = canvas.spot(EYE, (34, 20)) * 0.22 + canvas.spot((32, -2), (12, 14)) * 0.22  # sockets and their inner corner
    shade += 0.95 * canvas.spot((15, 92), (6.5, 3.6)) + 0.35 * canvas.spot((31, 86), (4, 9)) * 1.0  # nostrils and wings
    shade += 0.22 * canvas.spot((0, 164), (26, 5)) + 0.12 * canvas.spot((0, 104), (5, 10))
    shade += canvas.fold(rng)
    chin = np.clip(canvas.spot((0, 168), (92, 44)) + 0.6 * canvas.spot((104, 110), (24, 52)), 0, 1)
    upper_lip = canvas.spot((0, 112), (44, 7))
    hairs = np.clip(0.8 + 0.3 * canvas.noise(rng, 0.8), 0, 1.6)
    density = max(beard, 0.25 * person.stubble)
    shade += density * np.clip(chin + upper_lip - 2 * canvas.lips(), 0, 1) * hairs
    skin *= np.exp(-shade)[..., None]
    _blend(skin, skin * np.exp(-person.lips * np.array((1.5, 1.7, 0.55), np.float32)), canvas.lips())
    skin *= np.exp(-1.5 * canvas.mouth_line())[..., None]
    hair = np.array(person.hair, np.float32)
    _blend(skin, hair * 0.9, np.clip(canvas.brows(rng, *person.brow), 0, 0.92))
    strands = np.exp(0.35 * canvas.strands(rng))[..., None]
    _blend(skin, hair * strands, canvas.hair(rng, person))
    skin *= np.exp(-0.9 * canvas.lash_lines())[..., None]
    return np.concatenate([np.clip(skin, 0, 1), canvas.eyes()[..., None]], axis=-1).astype(np.float32)


class _Canvas:
    """Masks and noise over the painting; places are seen from the front on the average head, both sides alike."""

    def __init__(self) -> None:
        self.shape = _SHAPE
        self.x, self.y = _frontal(*_SHAPE[::-1])

    def noise(self, rng: np.random.Generator, sigma: float) -> Floats:
        """Smooth noise of unit deviation, `sigma` units fine."""
        step = max(1.0, sigma * TEXELS / 1.5)
        coarse = rng.standard_normal([int(n / step) + 3 for n in self.shape], dtype=np.float32)
        smooth = cv2.GaussianBlur(coarse, (0, 0), sigma * TEXELS / step, borderType=cv2.BORDER_REFLECT_101)
        return self._fitted((smooth - smooth.mean()) / smooth.std())

    def strands(self, rng: np.random.Generator) -> Floats:
        """Noise drawn out along the strands of hair."""
        coarse = rng.standard_normal((self.shape[0] // 12, self.shape[1] // 3), dtype=np.float32)
        smooth = cv2.GaussianBlur(coarse, (0, 0), sigmaX=0.8, sigmaY=1.5)
        return self._fitted(smooth / smooth.std())

    def spot(self, place: tuple[float, float], size: tuple[float, float]) -> Floats:
        """A soft spot on both sides of the face (in the middle where x is 0)."""
        x, y = np.abs(self.x[::_COARSE, ::_COARSE]) - place[0], self.y[::_COARSE, ::_COARSE] - place[1]
        return self._fitted(np.exp(-((x / size[0]) ** 2 + (y / size[1]) ** 2) / 2))

    def freckles(self, rng: np.random.Generator, share: float) -> Floats:
        """Spots on nose and cheeks."""
        out = np.zeros(self.shape, np.float32)
        count = int(160 * share) + 6  # nobody's skin is without a mole
        names = np.column_stack([rng.normal(0, 75, count), rng.normal(55, 45, count)])
        for (x, y), radius, depth in zip(
            texel(names), rng.uniform(0.6, 1.6, count), rng.uniform(0.3, 1, count), strict=True
        ):
            cv2.circle(
                out, (round(x * 16), round(y * 16)), round(radius * TEXELS * 16), float(depth), -1, cv2.LINE_AA, 4
            )
        return np.asarray(cv2.GaussianBlur(out, (0, 0), 0.5 * TEXELS), np.float32)

    def fold(self, rng: np.random.Generator) -> Floats:
        """Nasolabial folds and the fold of the upper lid, of a depth of this person's own."""
        deep = float(rng.uniform(0.06, 0.2))
        cheek = soft_lines([[(34, 88), (44, 104), (56, 122), (60, 140)]], 2.0, 2.2)
        lid = soft_lines([[(36, 2), (48, -8), (61, -11), (74, -7), (83, 2)]], 1.2, 1.2)
        under = soft_lines([[(40, 18), (58, 24), (77, 20)]], 1.5, 2.5)
        return np.asarray(deep * cheek + 0.35 * lid + deep * under, np.float32)

    def lips(self) -> Floats:
        """1 on the lips."""
        return self._area(_LIPS, 0.9)

    def mouth_line(self) -> Floats:
        """1 between the lips."""
        return soft_lines([_MOUTH, [(-x, y) for x, y in _MOUTH]], 1.6, 0.8, mirror=False)

    def lash_lines(self) -> Floats:
        """1 along the margins of the lids."""
        x = np.linspace(EYE[0] - EYE_HALF_PX, EYE[0] + EYE_HALF_PX, 21)
        upper, lower = lid_margins(x)
        up = soft_lines([list(zip(x, upper, strict=True))], 2.6, 0.7)
        return np.asarray(1.3 * up + 0.6 * soft_lines([list(zip(x, lower, strict=True))], 1.0, 0.7), np.float32)

    def eyes(self) -> Floats:
        """1 where the lids leave the eye open."""
        top, bottom = lid_margins(np.asarray(self.x, np.float64))
        gap = np.minimum(self.y - top, bottom - self.y)
        near = np.abs(np.abs(self.x) - EYE[0]) < EYE_HALF_PX + 1
        return np.asarray(np.clip(gap / 1.2 + 0.2, 0, 1) * near, np.float32)

    def brows(self, rng: np.random.Generator, thickness: float, darkness: float) -> Floats:
        """How much hair of the brows covers the skin."""
        curve = np.array(_BROW)
        taper = np.interp(curve[:, 0], (14, 38, 105), (0.8, 1.0, 0.45))
        upper = [(x, y) for x, y in curve]
        lower = [(x, y + thickness * t) for (x, y), t in zip(curve[::-1], taper[::-1], strict=True)]
        area = self._area(upper + lower, 1.1)
        hairs = 0.85 + 0.25 * self.noise(rng, 0.9)
        return np.asarray(area * np.clip(hairs, 0.2, 1) * min(1.0, 0.75 * darkness), np.float32)

    def hair(self, rng: np.random.Generator, person: Person) -> Floats:
        """How much hair covers the head: above the hairline, at the temples and, where it is long, over the ears."""
        ragged = 4 * self.noise(rng, 6)
        line = -person.hairline + 0.0009 * np.minimum(np.abs(self.x), 135) ** 2.3
        s = np.broadcast_to(np.abs(np.linspace(-REACH, REACH, self.shape[1])), self.shape)
        above = (line + ragged - self.y) / 5
        side = (s - 196 + 0.12 * self.y + ragged) / 6  # sideburns end at the ear
        low = np.where(self.y < (250 if person.long_hair else 0), side, -9)
        if person.long_hair:
            low = np.maximum(low, (s - 186 + ragged) / 6)
        return np.asarray(1 / (1 + np.exp(-np.clip(np.maximum(above, low) * 2, -30, 30))), np.float32)

    def _area(self, outline: list[tuple[float, float]], soft: float) -> Floats:
        """A soft area within an outline on the left side, and its mirror image."""
        out = np.zeros(self.shape, np.float32)
        for sign in (1, -1):
            points = _dense(outline, closed=True) * (sign, 1)
            cv2.fillPoly(out, [_sixteenths(texel(named(points)))], 1.0, cv2.LINE_AA, 4)
        return np.asarray(cv2.GaussianBlur(out, (0, 0), soft * TEXELS), np.float32)

    def _fitted(self, values: NDArray[np.float32]) -> Floats:
        return np.asarray(cv2.resize(values, self.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def soft_lines(lines: list[list[tuple[float, float]]], width: float, soft: float, *, mirror: bool = True) -> Floats:
    """Soft lines (h, w) over the painting, given on the left side and seen from the front, and their mirror images."""
    out = np.zeros(_SHAPE, np.float32)
    for line in lines:
        for sign in (1, -1) if mirror else (1,):
            points = texel(named(_dense(line) * (sign, 1)))
            cv2.polylines(out, [_sixteenths(points)], False, 1.0, max(1, round(width * TEXELS)), cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), soft * TEXELS), np.float32)


_BROW: list[tuple[float, float]] = [
    *((15, -34), (28, -41), (42, -45), (63, -48), (82, -45.5), (97, -39), (107, -29)),
]
"""The upper edge of the left brow, from its inner end."""
_MOUTH: list[tuple[float, float]] = [
    *((0, MOUTH_Y + 0.6), (14, MOUTH_Y - 0.4), (30, MOUTH_Y + 0.8), (48, MOUTH_Y + 0.4), (52, MOUTH_Y)),
]
_LIPS: list[tuple[float, float]] = [
    *((0, 122.5), (9, 119.5), (20, 121), (36, 126), (52, MOUTH_Y)),
    *((40, 141), (26, 148), (12, 151), (0, 151.5)),
]


@cache
def _frontal(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Frontal x and y of every texel; beyond the ears x goes on around the head: nothing there looks frontal."""
    s = np.linspace(-REACH, REACH, width)
    y = np.linspace(TOP, BOTTOM, height)
    x = half_width(y)[:, None] * np.sin(np.clip(s / 140.0, -np.pi / 2, np.pi / 2))
    x = x + np.sign(s) * np.maximum(np.abs(s) - 140.0 * np.pi / 2, 0)
    return x.astype(np.float32), np.broadcast_to(y[:, None], (height, width)).astype(np.float32)


def _dense(points: list[tuple[float, float]], *, closed: bool = False) -> NDArray[np.float64]:
    """A smooth line (n, 2) through points; straight between them where it is closed."""
    given = np.array([*points, points[0]] if closed else points, np.float64)
    t = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(given, axis=0).T))])
    fine = np.linspace(0, t[-1], max(24, 4 * len(given)))
    if closed:
        return np.column_stack([np.interp(fine, t, given[:, k]) for k in (0, 1)])
    return np.column_stack([smooth_line(t, given[:, k])(fine) for k in (0, 1)])


def _sixteenths(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.asarray((points * 16).round(), np.int32)


def _blend(picture: Floats, over: Floats, share: Floats) -> None:
    picture += (over - picture) * share[..., None]


__all__ = ["TEXELS", "paint", "soft_lines", "texel"]

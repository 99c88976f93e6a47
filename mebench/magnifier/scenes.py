"""Training pairs: textures that move by fractions of a pixel, and the same moved `factor` times as far.

A scene is a background and up to three pasted polygons, each with a texture and a motion of its own. At amount a, pixel
x shows its texture at T(x − a·d(x)): a is 0 for the first image, 1 for the second and the factor for the truth. Kinds
are those of Oh et al. (2018), and `expression`: some skin moves, the rest of the face is still.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mebench.magnifier.textures import SUPERSAMPLING, Texture
from mebench.synth.sampling import sample
from mebench.vision.arrays import Floats

KINDS: Final = {"expression": 0.3, "background": 0.25, "layers": 0.2, "blurred": 0.1, "objects": 0.1, "static": 0.05}
"""What moves, and its share of the pairs."""

NOISE: Final = 0.3
"""The greatest u of the paper's noise u·N·√(x + 1)/√127.5 on x in −1..1: about 4 grey levels on mid-grey."""

_STEEPEST: Final = 0.5
"""Of a magnified field, px per px: steeper ones fold."""


@dataclass(frozen=True, slots=True)
class Range:
    """How hard pairs are: factors up to `factor`, magnified motion up to `moved_px`, motion up to `motion_px`; and from
    0 to 1 how much exposure, noise and compression do to them. A `lean` above 1 draws small motions more often."""

    factor: float
    moved_px: float
    harm: float = 1.0
    motion_px: float = 2.5
    lean: float = 1.0


@dataclass(frozen=True, eq=False)
class Pair:
    """One training pair, all (side, side) float32 in −1..1.

    `first` and `second` as a camera gives them, `second` in another exposure; `plain` is the second in the exposure of
    the first; `truth` the second's scene magnified `factor` times, in the second's exposure, without noise.
    """

    first: Floats
    second: Floats
    plain: Floats
    truth: Floats
    factor: float


@dataclass(frozen=True, eq=False)
class _Layer:
    """A texture with where in it each pixel looks, (side, side, 2), how pixels move, and what of it is seen."""

    texture: Texture
    places: Floats
    motion: Floats
    mask: Floats | None

    def at(self, amount: float) -> tuple[Floats, Floats | None]:
        """The layer and its mask after `amount` of the motion."""
        grid = _grid(self.motion.shape[0]) - np.float32(amount) * self.motion
        seen = sample(self.texture.picture, _places(self.places, grid))
        return seen, None if self.mask is None else sample(self.mask, (grid + np.float32(0.5)) * SUPERSAMPLING - 0.5)


def draw_pair(rng: np.random.Generator, textures: tuple[Texture, ...], side: int, span: Range) -> Pair:
    """A pair of `side` px; magnified motion is spread evenly over the span, or leans to its beginning."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    factor = float(np.exp(rng.uniform(0, np.log(span.factor))))
    motion_px = min(rng.random() ** span.lean * span.moved_px / factor, rng.uniform(0.3, 1) * span.motion_px)
    layers = _layers(rng, textures, side, kind, motion_px, factor)
    blur = float(rng.uniform(0.3, 1.5)) if kind == "blurred" or rng.random() < 0.4 else 0.0
    shown = [_composed(layers, amount, blur) for amount in (0.0, 1.0, factor)]

    gain, offset = _exposure(rng, span.harm)
    noise = span.harm * NOISE * rng.random() if rng.random() < 0.5 else 0.0
    quality = int(rng.integers(70, 99)) if rng.random() < 0.15 * span.harm else None
    first, plain = (_filmed(rng, image, noise, quality) for image in shown[:2])
    second = _filmed(rng, shown[1] * gain + offset, noise, quality)
    return Pair(first, second, plain, _unit(np.clip(shown[2] * gain + offset, 0, 255)), factor)


def _layers(
    rng: np.random.Generator, textures: tuple[Texture, ...], side: int, kind: str, motion_px: float, factor: float
) -> list[_Layer]:
    moves_behind = kind not in ("static", "objects")
    behind = _layer(rng, textures, side, motion_px if moves_behind else 0.0, factor, local=kind == "expression")
    layers = [behind]
    for _ in range(int(rng.integers(1, 4)) if kind in ("layers", "objects") else 0):
        own = motion_px * rng.uniform(0.3, 1)
        found = _layer(rng, textures, side, own, factor, local=False)
        layers.append(_Layer(found.texture, found.places, found.motion, _polygon(rng, side)))
    return layers


def _layer(
    rng: np.random.Generator, textures: tuple[Texture, ...], side: int, motion_px: float, factor: float, *, local: bool
) -> _Layer:
    """A texture at a random place, size and turn, with a motion of this length."""
    texture = textures[rng.integers(len(textures))]
    turn, scale = rng.uniform(-0.4, 0.4) + np.pi * rng.integers(2), SUPERSAMPLING * np.exp(rng.uniform(-0.35, 0.35))
    flip = np.array([1.0, rng.choice([-1.0, 1.0])])
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * flip
    reach = np.array(texture.picture.shape[::-1])
    margin = np.minimum(scale * side * 0.6, reach / 2)
    centre = rng.uniform(margin, reach - margin)
    places = (_grid(side) - np.float32((side - 1) / 2)) @ matrix.T.astype(np.float32) + centre.astype(np.float32)
    return _Layer(texture, places, _motion(rng, side, motion_px, factor, local=local), None)


def _motion(rng: np.random.Generator, side: int, length_px: float, factor: float, *, local: bool) -> Floats:
    """Displacements (side, side, 2): a shift with a little stretch, or one or two bumps with stillness between."""
    if not local:
        shift = _vector(rng, length_px)
        stretch = rng.uniform(-1, 1, (2, 2)) * min(0.3 * length_px, _STEEPEST * side / (2 * factor)) / side
        stretched = (_grid(side) - np.float32((side - 1) / 2)) @ stretch.T.astype(np.float32)
        return np.asarray(shift + stretched * (rng.random() < 0.5), np.float32)
    field = np.zeros((side, side, 2), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        wide = max(rng.uniform(0.12, 0.35) * side, factor * length_px / _STEEPEST)
        away = (_grid(side) - rng.uniform(0, side - 1, 2).astype(np.float32)) / np.float32(wide)
        field += np.exp(-0.5 * (away**2).sum(axis=-1, keepdims=True)) * _vector(rng, length_px)
    return field


def _composed(layers: list[_Layer], amount: float, blur_px: float) -> Floats:
    image = layers[0].at(amount)[0]
    for layer in layers[1:]:
        seen, mask = layer.at(amount)
        assert mask is not None
        image = image + mask * (seen - image)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), blur_px), np.float32) if blur_px else image


def _polygon(rng: np.random.Generator, side: int) -> Floats:
    """A soft-edged polygon, 1 inside, at the textures' sampling."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 9)))
    reach = rng.uniform(0.6, 1, len(angles)) * rng.uniform(0.12, 0.4) * side
    corners = rng.uniform(0, side, 2) + reach[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    mask = np.zeros((side * SUPERSAMPLING,) * 2, np.float32)
    cv2.fillPoly(mask, [np.rint(corners * SUPERSAMPLING).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.6 * SUPERSAMPLING), np.float32)


def _filmed(rng: np.random.Generator, image: Floats, noise: float, quality: int | None) -> Floats:
    """The image as 8-bit levels of a noisy camera, compressed where a quality is given, in −1..1."""
    unit = _unit(np.clip(image, 0, 255))
    noisy = unit + np.float32(noise / np.sqrt(127.5)) * rng.standard_normal(unit.shape, np.float32) * np.sqrt(unit + 1)
    levels = np.rint(np.clip((noisy + 1) * 127.5, 0, 255)).astype(np.uint8)
    if quality is not None:
        coded = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        levels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return _unit(levels.astype(np.float32))


def _exposure(rng: np.random.Generator, harm: float) -> tuple[float, float]:
    """Gain and offset of the second image: every other pair changes its brightness, by 6 % and 6 levels at most."""
    if rng.random() < 0.5:
        return 1.0, 0.0
    return float(1 + 0.06 * harm * rng.uniform(-1, 1)), float(6 * harm * rng.uniform(-1, 1))


def _places(places: Floats, grid: Floats) -> Floats:
    """The places at positions of the grid between pixels, (side, side, 2); they are linear, so it is exact outside."""
    origin, right, down = places[0, 0], places[0, 1] - places[0, 0], places[1, 0] - places[0, 0]
    found: Floats = origin + grid[..., :1] * right + grid[..., 1:] * down
    return found


def _vector(rng: np.random.Generator, length: float) -> Floats:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(length)


def _grid(side: int) -> Floats:
    y, x = np.mgrid[:side, :side].astype(np.float32)
    return np.stack([x, y], axis=-1)


def _unit(levels: Floats) -> Floats:
    """Grey levels 0..255 in −1..1."""
    return np.asarray(levels / np.float32(127.5) - 1, np.float32)


__all__ = ["KINDS", "NOISE", "Pair", "Range", "draw_pair"]

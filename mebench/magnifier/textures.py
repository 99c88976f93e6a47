"""What moves in the training pairs: pictures that dependencies ship, faces that `synth` draws, and drawn patterns.

A texture is grey, (h, w) float32 in 0..255, and holds `SUPERSAMPLING` samples per pixel, so that bilinear sampling
moves it exactly and blurs it little.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mebench.errors import DataError
from mebench.synth.camera import Camera
from mebench.synth.faces import neutral_picture
from mebench.synth.identities import draw_identity
from mebench.synth.portrait import load_portrait
from mebench.vision.arrays import Floats

SUPERSAMPLING: Final = 3
PEOPLE: Final = 8
"""Synthetic people beside the portrait they are drawn around."""

_CAMERA: Final = Camera(400, 300, 1.0, grey=True)
"""A face fills about 175 px of its frames."""
_GRID_PX: Final = 4
_PATTERN_PX: Final = 160
SEED: Final = 20_181_018
"""Of people and patterns, which are the same for every seed of a training: what was seen is one thing to say."""


@dataclass(frozen=True, eq=False)
class Texture:
    """A picture to sample from, its origin, and the SHA-256 of what it was made from."""

    name: str
    picture: Floats
    digest: str


@cache
def library() -> tuple[Texture, ...]:
    """What is trained on: photographs, faces, patterns; DataError where a dependency has moved its pictures."""
    people, patterns, *_ = np.random.SeedSequence(SEED).spawn(4)
    photographs = [_photograph(*found) for found in _pictures()]
    return (*photographs, *_faces(people, PEOPLE), *_patterns(patterns))


@cache
def held_out() -> tuple[Texture, ...]:
    """What no magnifier is trained on: two more synthetic people, and patterns drawn from another seed.

    The people are drawn around the same portrait as those in the library, and so are cousins of what was seen.
    """
    _, _, people, patterns = np.random.SeedSequence(SEED).spawn(4)
    return (*_faces(people, 2), *_patterns(patterns)[1:4:2])


def _pictures() -> list[tuple[str, Path]]:
    """The portrait that matplotlib ships and the two photographs of scikit-learn."""
    import sklearn
    from matplotlib import cbook

    images = Path(sklearn.__file__).parent / "datasets" / "images"
    portrait = Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    photographs = [(f"scikit-learn/{name}", images / name) for name in ("china.jpg", "flower.jpg")]
    return [("matplotlib/grace_hopper.jpg", portrait), *photographs]


def _photograph(name: str, path: Path) -> Texture:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise DataError(f"{name} is not at {path}.", "Install the release of that package named in constraints.txt.")
    enlarged = cv2.resize(grey, None, fx=SUPERSAMPLING, fy=SUPERSAMPLING, interpolation=cv2.INTER_LANCZOS4)
    return _texture(name, np.asarray(enlarged, np.float32))


def _faces(seed: np.random.SeedSequence, count: int) -> list[Texture]:
    """Neutral faces of synthetic people, every other one drawn around the mirrored portrait."""
    portrait, found = load_portrait(), []
    for index, own in enumerate(seed.spawn(count)):
        mirrored = bool(index % 2)
        identity = draw_identity(np.random.default_rng(own), portrait.mean_shape(), mirrored=mirrored)
        around = portrait.mirror() if mirrored else portrait
        picture = neutral_picture(identity, around, _CAMERA, SUPERSAMPLING, _GRID_PX)
        found.append(_texture(f"synth/face{index}", picture))
    return found


def _patterns(seed: np.random.SeedSequence) -> list[Texture]:
    """Clouds of three spectra, and overlapping polygons."""
    rngs = [np.random.default_rng(own) for own in seed.spawn(5)]
    slopes = zip(rngs, (1.2, 1.5, 1.8), strict=False)
    clouds = [_texture(f"clouds/{slope}", _clouds(rng, slope)) for rng, slope in slopes]
    return [*clouds, *(_texture(f"polygons/{index}", _polygons(rng)) for index, rng in enumerate(rngs[3:]))]


def _clouds(rng: np.random.Generator, slope: float) -> Floats:
    """Noise whose amplitude falls as frequency to the power of −slope, up to what a pixel can show."""
    side = _PATTERN_PX * SUPERSAMPLING
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    amplitude = np.where((radius > 0) & (radius < 0.45 / SUPERSAMPLING), np.maximum(radius, 1 / side) ** -slope, 0)
    waves = amplitude * np.exp(2j * np.pi * rng.random(radius.shape))
    noise = np.fft.irfft2(waves, s=(side, side))
    return np.asarray(np.clip(128 + 45 * noise / noise.std(), 0, 255), np.float32)


def _polygons(rng: np.random.Generator, count: int = 60) -> Floats:
    side = _PATTERN_PX * SUPERSAMPLING
    picture = np.full((side, side), 128, np.float32)
    for _ in range(count):
        centre, radius = rng.uniform(0, side, 2), rng.uniform(0.03, 0.15) * side
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
        corners = centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])
        cv2.fillPoly(picture, [corners.astype(np.int32)], float(rng.uniform(20, 235)))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 * SUPERSAMPLING), np.float32)


def _texture(name: str, picture: Floats) -> Texture:
    digest = hashlib.sha256(np.rint(picture).astype(np.uint8).tobytes()).hexdigest()
    return Texture(name, np.ascontiguousarray(picture, dtype=np.float32), digest)


__all__ = ["PEOPLE", "SEED", "SUPERSAMPLING", "Texture", "held_out", "library"]

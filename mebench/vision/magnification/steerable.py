"""The complex steerable pyramid (Wadhwa et al., SIGGRAPH 2013): each octave in several orientations, one phase each."""

from dataclasses import dataclass
from functools import lru_cache
from math import factorial
from typing import Any, Final

import numpy as np
import scipy.fft

from mebench.errors import DataError
from mebench.vision.arrays import Doubles, Floats
from mebench.vision.magnification.octaves import Spectrum, grid

ORIENTATIONS: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """One oriented band: which rows and columns of the spectrum its grid holds, its one-sided mask there, and the
    grid's size relative to the image's."""

    where: tuple[Any, Any]
    mask: Floats
    scale: float


@dataclass(frozen=True, slots=True)
class Steerable:
    """Oriented bands on one half plane each: 2c·cos^(K−1)(φ − πk/K) around the radial masks of `octaves`."""

    orientations: int = ORIENTATIONS

    def __post_init__(self) -> None:
        if self.orientations < 2:
            raise DataError(f"No pyramid has {self.orientations} orientations.", "Ask for at least 2.")

    def bands(self, height: int, width: int, levels: int) -> tuple[Band, ...]:
        """All bands, finest first; with the residual, the squares of all masks, mirrored ones included, add up to 1."""
        return _bands(height, width, levels, self.orientations)

    def coefficients(self, spectra: Spectrum, band: Band) -> Spectrum:
        """The band (t, n, m) of the spectra (t, h, w)."""
        found: Spectrum = scipy.fft.ifft2(spectra[:, *band.where] * band.mask)
        return found

    def amplitude(self, coefficients: Spectrum) -> Floats:
        """How strong the band is, (…, n, m)."""
        return np.abs(coefficients)

    def step(self, before: Spectrum, now: Spectrum) -> Floats:
        """The phase (…, n, m) by which the band has turned."""
        phase: Floats = np.angle(now * before.conj())
        return phase

    def turned(self, coefficients: Spectrum, phase: Floats) -> Spectrum:
        """The band turned by phases (…, n, m)."""
        rotation = np.empty(phase.shape, dtype=np.complex64)
        rotation.real, rotation.imag = np.cos(phase), np.sin(phase)
        turned: Spectrum = coefficients * rotation
        return turned

    def spectrum(self, turned: Spectrum, band: Band) -> Spectrum:
        """What a band adds to the spectrum of the image whose real part is taken."""
        added: Spectrum = scipy.fft.fft2(turned) * (band.mask / 2)
        return added


@lru_cache(maxsize=8)
def _bands(height: int, width: int, levels: int, orientations: int) -> tuple[Band, ...]:
    bands: list[Band] = []
    for level in range(levels):
        held = grid(height, width, level)
        radial = held.radial(level)
        masks = ((radial * _angular(held.angle, k, orientations)).astype(np.float32) for k in range(orientations))
        bands += [Band(held.where, mask, held.scale) for mask in masks]
    return tuple(bands)


def _angular(angle: Doubles, k: int, orientations: int) -> Doubles:
    order = orientations - 1
    norm = np.sqrt(2.0 ** (2 * order) * factorial(order) ** 2 / (orientations * factorial(2 * order)))
    cosine = np.cos(angle - np.pi * k / orientations)
    return np.where(cosine > 0, 2 * norm * np.maximum(cosine, 0) ** order, 0)

"""Temporal band-pass filters, applied to every pixel of a clip along its first axis.

Each holds what defines it and is called with the clip and its frame rate. All leave a constant clip at zero, also at
its first frame.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np
import scipy.fft
import scipy.signal

from mebench.errors import DataError
from mebench.vision.arrays import Floats

MIN_BINS: Final = 2


class TemporalFilter(Protocol):
    """Keeps a band of a signal's temporal frequencies."""

    def __call__(self, signal: Floats, fps: float) -> Floats:
        """The band of the signal (t, …), same shape, around zero."""
        ...


@dataclass(frozen=True, slots=True)
class Iir:
    """The difference of two first-order low-passes, lp ← (1−r)·lp + r·x, started at the first frame (Wu, 2012).

    `fast` and `slow` are coefficients per frame, so the band they mean follows the frame rate: .4/.05 is .25 to 2.4 Hz
    at 30 fps and 1.6 to 16 Hz at 200. `of_band` chooses them for a band. The peak gain of .4/.05 is .82, not 1.
    """

    fast: float = 0.4
    slow: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.slow < self.fast <= 1:
            raise DataError(f"IIR coefficients {self.fast}/{self.slow} are no band.", "Choose 0 < slow < fast ≤ 1.")

    @classmethod
    def of_band(cls, low_hz: float, high_hz: float, fps: float) -> Self:
        """The filter whose low-passes fall off at these frequencies, r = 1 − exp(−2πf/fps)."""
        _require_band(low_hz, high_hz, fps)
        return cls(*(float(-np.expm1(-2 * np.pi * hz / fps)) for hz in (high_hz, low_hz)))

    def __call__(self, signal: Floats, fps: float) -> Floats:
        require_fps(fps)
        fast, slow = signal[0].copy(), signal[0].copy()
        band = np.zeros_like(signal)
        for t in range(1, len(signal)):
            fast += np.float32(self.fast) * (signal[t] - fast)
            slow += np.float32(self.slow) * (signal[t] - slow)
            band[t] = fast - slow
        return band


@dataclass(frozen=True, slots=True)
class Butterworth:
    """The difference of two first-order Butterworth low-passes in steady state at the first frame (Wu, 2012).

    The cut-offs are true: the authors' MATLAB call gives them relative to the Nyquist frequency where the sampling rate
    is meant, and so filters at half of what it names.
    """

    low_hz: float
    high_hz: float

    def __call__(self, signal: Floats, fps: float) -> Floats:
        _require_band(self.low_hz, self.high_hz, fps)
        offset = signal - signal[:1]
        return self._low_pass(offset, self.high_hz, fps) - self._low_pass(offset, self.low_hz, fps)

    @staticmethod
    def _low_pass(offset: Floats, hz: float, fps: float) -> Floats:
        b, a = scipy.signal.butter(1, hz, fs=fps)
        return np.asarray(scipy.signal.lfilter(b, a, offset, axis=0), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Ideal:
    """The Fourier coefficients from `low_hz` to `high_hz`, both included, with gain 1.

    The authors' MATLAB mask covers one side of the spectrum and so has a gain of one half in the band. A clip too short
    for two coefficients in the band raises DataError instead of coming back unchanged.
    """

    low_hz: float
    high_hz: float

    def __call__(self, signal: Floats, fps: float) -> Floats:
        _require_band(self.low_hz, self.high_hz, fps)
        hz = scipy.fft.rfftfreq(len(signal), 1 / fps)
        kept = (hz >= self.low_hz) & (hz <= self.high_hz)
        if kept.sum() < MIN_BINS:
            raise DataError(
                f"{len(signal)} frames at {fps} fps hold {kept.sum()} frequencies of {self.low_hz}-{self.high_hz} Hz.",
                "Use an IIR filter or magnify the pair of onset and apex; an ideal band needs a longer clip.",
            )
        spectrum = scipy.fft.rfft(signal, axis=0)
        spectrum[~kept] = 0
        return np.asarray(scipy.fft.irfft(spectrum, n=len(signal), axis=0), dtype=np.float32)


def require_fps(fps: Any) -> None:
    """Raises DataError where the frame rate is missing or not a positive number."""
    if not isinstance(fps, (int, float, np.integer, np.floating)) or not (np.isfinite(fps) and fps > 0):
        raise DataError(f"A temporal filter needs the frame rate, not {fps!r}.", "Pass fps in frames per second.")


def _require_band(low_hz: float, high_hz: float, fps: float) -> None:
    require_fps(fps)
    if not 0 < low_hz < high_hz < fps / 2:
        raise DataError(
            f"{low_hz} to {high_hz} Hz is no band of a clip at {fps} fps.",
            f"Choose 0 < low < high below {fps / 2:g} Hz, half the frame rate.",
        )

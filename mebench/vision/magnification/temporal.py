"""Temporal band-pass filters, applied to every pixel of a clip along its first axis.

Each holds what defines it and is called with the clip and its frame rate. All leave a constant clip at zero, also at
its first frame.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, Self

import numpy as np
import scipy.fft
import scipy.signal

from mebench.errors import DataError
from mebench.vision.arrays import Doubles, Floats

MIN_BINS: Final = 2


class TemporalFilter(Protocol):
    """Keeps a band of a signal's temporal frequencies."""

    def __call__(self, signal: Floats, fps: float) -> Floats:
        """The band of the signal (t, …), same shape, around zero."""
        ...


class CausalFilter(TemporalFilter, Protocol):
    """A filter that looks back only, and so needs no more than a state."""

    def stream(self, fps: float) -> Callable[[Floats], Floats]:
        """A function that takes the frames one after another and gives the band of each."""
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
        step = self.stream(fps)
        return np.stack([step(frame) for frame in signal])

    def stream(self, fps: float) -> Callable[[Floats], Floats]:
        """The band of one frame after another."""
        require_fps(fps)
        return _Difference(lambda first: _LowPass(self.fast, first), lambda first: _LowPass(self.slow, first))


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
        require_frequencies(len(signal), fps, self.low_hz, self.high_hz, 1)
        offset = signal - signal[:1]
        return self._low_pass(offset, self.high_hz, fps) - self._low_pass(offset, self.low_hz, fps)

    def stream(self, fps: float) -> Callable[[Floats], Floats]:
        """The band of one frame after another; how long the clip will be is not known, so nothing is asked of it."""
        _require_band(self.low_hz, self.high_hz, fps)
        coefficients = [scipy.signal.butter(1, hz, fs=fps) for hz in (self.high_hz, self.low_hz)]
        return _Difference(*(partial(_FirstOrder, *found) for found in coefficients))

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
        require_frequencies(len(signal), fps, self.low_hz, self.high_hz, MIN_BINS)
        spectrum = scipy.fft.rfft(signal, axis=0)
        spectrum[~kept] = 0
        return np.asarray(scipy.fft.irfft(spectrum, n=len(signal), axis=0), dtype=np.float32)


class _LowPass:
    """lp ← (1−r)·lp + r·x, started at the first frame."""

    def __init__(self, rate: float, first: Floats) -> None:
        self.rate, self.value = np.float32(rate), first.copy()

    def __call__(self, frame: Floats) -> Floats:
        self.value += self.rate * (frame - self.value)
        return self.value


class _FirstOrder:
    """A first-order filter b, a of what differs from the first frame, in the form that SciPy's lfilter has."""

    def __init__(self, b: Doubles, a: Doubles, first: Floats) -> None:
        self.b, self.a, self.first, self.state = b, a, first.copy(), np.zeros(first.shape)

    def __call__(self, frame: Floats) -> Floats:
        offset = frame - self.first
        value = self.b[0] * offset + self.state
        self.state = self.b[1] * offset - self.a[1] * value
        return np.asarray(value, dtype=np.float32)


class _Difference:
    """The difference of two low-passes, both begun with the first frame."""

    def __init__(self, fast: Callable[[Floats], Any], slow: Callable[[Floats], Any]) -> None:
        self._begin = (fast, slow)
        self._parts: tuple[Callable[[Floats], Floats], ...] | None = None

    def __call__(self, frame: Floats) -> Floats:
        if self._parts is None:
            self._parts = tuple(begin(frame) for begin in self._begin)
        fast, slow = (part(frame) for part in self._parts)
        band: Floats = fast - slow
        return band


def require_frequencies(frames: int, fps: float, low_hz: float, high_hz: float, least: int) -> None:
    """Raises DataError where a clip is too short to hold so many frequencies of a band: multiples of fps / frames."""
    hz = scipy.fft.rfftfreq(frames, 1 / fps)
    held = int(((hz >= low_hz) & (hz <= high_hz)).sum())
    if held < least:
        raise DataError(
            f"{frames} frames at {fps:g} fps hold {held} frequencies of {low_hz:g}-{high_hz:g} Hz, {least} are needed.",
            "Use an IIR filter, widen the band, or magnify the pair of onset and apex; or give a longer clip.",
        )


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

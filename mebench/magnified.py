"""The step that magnifies motion; the methods stand in `mebench.vision.magnification`."""

from dataclasses import replace
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mebench.recipes import Parameters, Sample, step
from mebench.samples import require
from mebench.vision.arrays import Floats
from mebench.vision.magnification.eulerian import linear
from mebench.vision.magnification.phase import STEERABLE, Pyramid, two_frame
from mebench.vision.magnification.phase import clip as by_phase
from mebench.vision.magnification.riesz import Riesz
from mebench.vision.magnification.temporal import Butterworth, Ideal, Iir, TemporalFilter, require_frequencies

Name = Literal["butterworth", "iir", "ideal"]
Mode = Literal["static", "dynamic"]


def _of_weights(parameters: Parameters) -> Parameters:
    """What a learned magnification hangs on beside its parameters: the weights by content, and torch."""
    if parameters["method"] != "learned":
        return {}
    from mebench.magnifier.weights import digest_of

    return {"weights": digest_of(parameters["weights"]), "torch": version("torch")}


@step(
    "magnify",
    1,
    accepts={"frames", "pair"},
    tools=("opencv-contrib-python-headless", "scipy"),
    content=_of_weights,
)
def magnify(
    sample: Sample,
    method: Literal["phase", "riesz", "linear", "learned"] = "phase",
    *,
    factor: float,
    low_hz: float = 0.0,
    high_hz: float = 0.0,
    filter: Name = "butterworth",  # noqa: A002  the field's word
    cutoff_px: float = 16.0,
    mode: Mode = "static",
    weights: str = "",
) -> Sample:
    """The images with their motion magnified `factor` times in all: of a pair the apex, of a clip every frame.

    Motion is what differs from the onset; with `low_hz` and `high_hz`, of a clip, what the named filter passes of that
    band. `cutoff_px` is the wavelength below which the linear method magnifies less; 0 spares none. The learned method
    compares with the previous frame instead where `mode=dynamic`; its `weights` are a file, or those that ship.
    DataError where the clip is too short to hold a frequency of the band.
    """
    whole = low_hz == high_hz == 0
    require(
        whole or sample.kind == "frames",
        "A pair has no frequencies: magnify(low_hz=..., high_hz=...) needs whole clips.",
    )
    require(mode == "static" or (whole and method == "learned"), "Only magnify(learned) without a band is dynamic.")
    require(not weights or method == "learned", f"magnify({method}) has no weights.")
    frames, fps = sample.array, sample.fps
    band = None if whole else _band(filter, low_hz, high_hz, len(frames), fps)
    if method == "learned":
        magnified = _learned(frames, factor, mode, weights, fps, band)
    elif method == "linear":
        magnified = linear(frames, factor, fps=fps, band=band or _OnsetBand(), cutoff_px=cutoff_px)
    else:
        magnified = _by_phase(frames, factor, Riesz() if method == "riesz" else STEERABLE, fps, band)
    return replace(sample, array=magnified)


class _OnsetBand:
    """The temporal filter that passes all that differs from the first frame, whatever the frame rate."""

    def __call__(self, signal: Floats, fps: float) -> Floats:  # noqa: ARG002  the filters' common signature
        return signal - signal[:1]


def _band(name: Name, low_hz: float, high_hz: float, frames: int, fps: float) -> TemporalFilter:
    """The named filter, for a clip that holds a frequency of the band."""
    if name == "ideal":
        return Ideal(low_hz, high_hz)
    if name == "butterworth":
        return Butterworth(low_hz, high_hz)
    found = Iir.of_band(low_hz, high_hz, fps)
    require_frequencies(frames, fps, low_hz, high_hz, 1)
    return found


def _by_phase(
    frames: npt.NDArray[Any], factor: float, pyramid: Pyramid[Any], fps: float, band: TemporalFilter | None
) -> npt.NDArray[Any]:
    if band is not None:
        return by_phase(frames, factor, fps=fps, band=band, pyramid=pyramid)
    return np.stack([frames[0], *(two_frame(frames[0], frame, factor, pyramid=pyramid) for frame in frames[1:])])


def _learned(
    frames: npt.NDArray[Any], factor: float, mode: Mode, weights: str, fps: float, band: TemporalFilter | None
) -> npt.NDArray[Any]:
    """The frames as a network magnifies them; torch is loaded here and nowhere else."""
    from mebench.magnifier.weights import load_magnifier
    from mebench.vision.magnification import learned

    network = load_magnifier(weights)
    if band is None:
        return learned.clip(network, frames, factor, mode)
    return learned.temporal(network, frames, factor, fps=fps, band=band)


__all__ = ["magnify"]

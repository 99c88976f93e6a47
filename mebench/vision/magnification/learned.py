"""Learning-based motion magnification (Oh et al., ECCV 2018): a network's three ways to look at a clip.

Static compares each frame with the first, dynamic with the one before, temporal with what a filter over time passes of
its shape. A factor of 1 gives the images back as they are, which networks that draw the whole image would not.
Colour images go through a network for one channel by their luma, and its change is added to R, G and B; grey images go
through one for three as equal channels.
"""

from typing import Any, Final, Literal, assert_never

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from mebench.errors import DataError
from mebench.vision.arrays import Floats
from mebench.vision.magnification.network import Magnifier
from mebench.vision.magnification.temporal import TemporalFilter, require_fps
from mebench.vision.magnification.values import as_unit, like, luma, require_factor, with_luma

Mode = Literal["static", "dynamic"]

MARGIN_PX: Final = 16
"""Reflected around the image for a network whose convolutions see zeros beyond their input."""

SMALLEST_SIDE: Final = 32


def two_frame(network: Magnifier, onset: npt.NDArray[Any], apex: npt.NDArray[Any], factor: float) -> npt.NDArray[Any]:
    """The apex image with its displacement from the onset image magnified, (h, w[, 3]) like the apex.

    Raises DataError for images of two sizes, or smaller than 32 px.
    """
    if onset.shape != apex.shape:
        raise DataError(
            f"An onset of shape {onset.shape} and an apex of {apex.shape} are no pair.", "Align them to one size first."
        )
    magnified: npt.NDArray[Any] = clip(network, np.stack([onset, apex]), factor)[1]
    return magnified


def clip(network: Magnifier, frames: npt.NDArray[Any], factor: float, mode: Mode = "static") -> npt.NDArray[Any]:
    """The frames (t, h, w[, 3]), each with its displacement from the first, or the previous one, magnified.

    The first is given back as it is. No filter over time is involved, hence no frame rate.
    """
    unit, channels = _prepared(network, frames, factor)
    if factor == 1 or len(frames) == 1:
        return frames.copy()
    device = next(network.parameters()).device
    multiplier = torch.tensor([network.multiplier(factor)], device=device)
    drawn = [channels[0]]
    with torch.inference_mode():
        _, start = _encoded(network, channels[0], device)
        for image in channels[1:]:
            texture, shape = _encoded(network, image, device)
            moved = network.manipulator(start, shape, multiplier)
            drawn.append(_drawn(network, image, texture, moved))
            match mode:
                case "static":
                    pass
                case "dynamic":
                    start = shape
                case _:
                    assert_never(mode)
    return like(frames, _coloured(unit, np.stack(drawn)))


def temporal(
    network: Magnifier, frames: npt.NDArray[Any], factor: float, *, fps: float, band: TemporalFilter
) -> npt.NDArray[Any]:
    """The frames (t, h, w[, 3]) with the motion in the temporal band magnified, same shape and kind.

    Every frame's shape is moved on by what the filter passes of the shapes: M(t) + h(k·g(y(t))). All shapes are held at
    once, `width` channels at half the sides.
    """
    require_fps(fps)
    unit, channels = _prepared(network, frames, factor)
    if factor == 1:
        return frames.copy()
    device = next(network.parameters()).device
    multiplier = torch.tensor([network.multiplier(factor)], device=device)
    with torch.inference_mode():
        encoded = [_encoded(network, image, device) for image in channels]
        changes = band(np.concatenate([shape.cpu().numpy() for _, shape in encoded]), fps)
        drawn = []
        for image, (texture, shape), change in zip(channels, encoded, changes, strict=True):
            moved = network.manipulator.moved(shape, torch.from_numpy(change[None]).to(device), multiplier)
            drawn.append(_drawn(network, image, texture, moved))
    return like(frames, _coloured(unit, np.stack(drawn)))


def _prepared(network: Magnifier, frames: npt.NDArray[Any], factor: float) -> tuple[Floats, Floats]:
    """The frames in 0..1, and as the network takes them: (t, c, h, w) in 0..1."""
    require_factor(factor)
    unit = as_unit(frames, 3, "Learned magnification")
    if min(unit.shape[1:3]) < SMALLEST_SIDE:
        raise DataError(
            f"Frames of {unit.shape[2]} x {unit.shape[1]} px are too small for a network.",
            f"Give sides of {SMALLEST_SIDE} px or more, or take another method.",
        )
    if network.design.colours == 1:
        return unit, luma(unit, 3)[:, None]
    coloured = unit if unit.ndim == 4 else np.repeat(unit[..., None], 3, axis=-1)
    return unit, np.ascontiguousarray(np.moveaxis(coloured, -1, 1))


def _coloured(unit: Floats, drawn: Floats) -> Floats:
    """The drawn channels (t, c, h, w) as frames like those in `unit`."""
    if drawn.shape[1] == 1:
        return with_luma(unit, drawn[:, 0])
    result: Floats = np.moveaxis(drawn, 1, -1) if unit.ndim == 4 else drawn.mean(axis=1)
    return np.ascontiguousarray(result)


def _encoded(network: Magnifier, image: Floats, device: torch.device) -> tuple[Tensor, Tensor]:
    """Texture and shape of an image (c, h, w)."""
    found: tuple[Tensor, Tensor] = network.encoder(_given(network, image, device))
    return found


def _drawn(network: Magnifier, image: Floats, texture: Tensor, moved: Tensor) -> Floats:
    """The image (c, h, w) in 0..1 that the network draws of texture and moved shape, unclipped."""
    px, (height, width) = _margin(network), image.shape[-2:]
    drawn = network.drawn(texture, moved, (height + 2 * px, width + 2 * px))
    inside = drawn[0, :, px : px + height, px : px + width]
    return np.asarray((inside.cpu().numpy() + 1) / 2, dtype=np.float32)


def _given(network: Magnifier, image: Floats, device: torch.device) -> Tensor:
    px = _margin(network)
    given = torch.from_numpy(image[None]).to(device) * 2 - 1
    return functional.pad(given, (px, px, px, px), mode="reflect") if px else given


def _margin(network: Magnifier) -> int:
    return MARGIN_PX if network.design.border == "zero" else 0


__all__ = ["MARGIN_PX", "SMALLEST_SIDE", "Mode", "clip", "temporal", "two_frame"]

"""Linear and phase-based magnification of many clips at once, in torch: on a GPU where there is one.

Clips are (n, t, h, w) float tensors in 0..1, pairs (n, h, w); of colour images give luma, and add its change to R, G
and B. Results agree with those of `eulerian` and `phase` within 1e-4 of the range: the same filters in another order of
additions. Gradients pass through everything but the angles of empty bands.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
import scipy.signal
import torch
from torch import Tensor

from mebench.errors import DataError
from mebench.vision.magnification.eulerian import level_gains
from mebench.vision.magnification.octaves import PADDING, depth_of, padded_sides, residual
from mebench.vision.magnification.phase import BLUR_PX, STEERABLE
from mebench.vision.magnification.steerable import Band, Steerable
from mebench.vision.magnification.temporal import Butterworth, Ideal, Iir, require_fps, require_frequencies
from mebench.vision.magnification.values import require_factor

TOLERANCE: Final = 1e-4

Filter = Iir | Butterworth | Ideal


def linear(frames: Tensor, factor: float, *, fps: float, band: Filter, cutoff_px: float = 16.0) -> Tensor:
    """The clips (n, t, h, w) with the motion in the band magnified; as `eulerian.linear` of each."""
    _require(frames, 4, factor)
    n, t, height, width = frames.shape
    gains = level_gains((height, width), factor, cutoff_px=cutoff_px)
    planes = filtered(frames, band, fps, axis=1).reshape(n * t, 1, height, width)
    levels, sizes = [], []
    for _ in gains[:-1]:
        smaller = _reduced(planes)
        sizes.append(planes.shape[-2:])
        levels.append(planes - _expanded(smaller, sizes[-1]))
        planes = smaller
    total = planes * float(gains[-1])
    for level, size, gain in zip(reversed(levels), reversed(sizes), gains[-2::-1], strict=True):
        total = level * float(gain) + _expanded(total, size)
    return frames + total.reshape(frames.shape)


def two_frame(
    onsets: Tensor, apexes: Tensor, factor: float, *, blur_px: float = BLUR_PX, pyramid: Steerable = STEERABLE
) -> Tensor:
    """The apex images (n, h, w) with their displacement from the onsets magnified; as `phase.two_frame` of each."""
    _require(apexes, 3, factor)
    if onsets.shape != apexes.shape:
        raise DataError(f"Onsets {tuple(onsets.shape)} and apexes {tuple(apexes.shape)} are no pairs.", "Align them.")

    def turn(bands: Tensor, sigma: float) -> Tensor:
        phase = _smoothed(_angle(bands[:, 1] * bands[:, 0].conj()), bands[:, 1].abs(), sigma)
        return (bands[:, 1] * _rotation((factor - 1) * phase))[:, None]

    return _resynthesised(torch.stack([onsets, apexes], dim=1), turn, 1, blur_px, pyramid)[:, 0]


def clip(
    frames: Tensor,
    factor: float,
    *,
    fps: float,
    band: Filter,
    blur_px: float = BLUR_PX,
    pyramid: Steerable = STEERABLE,
) -> Tensor:
    """The clips (n, t, h, w) with the motion in the band magnified; as `phase.clip` of each."""
    _require(frames, 4, factor)
    require_fps(fps)

    def turn(bands: Tensor, sigma: float) -> Tensor:
        steps = _angle(bands[:, 1:] * bands[:, :-1].conj())
        phases = torch.cat([torch.zeros_like(steps[:, :1]), torch.cumsum(steps, dim=1)], dim=1)
        moved = _smoothed(filtered(phases, band, fps, axis=1), bands.abs(), sigma)
        return bands * _rotation((factor - 1) * moved)

    return _resynthesised(frames, turn, frames.shape[1], blur_px, pyramid)


def filtered(signal: Tensor, band: Filter, fps: float, *, axis: int) -> Tensor:
    """The band of the signal along an axis, as the filter gives it of arrays."""
    require_fps(fps)
    if isinstance(band, Ideal):
        require_frequencies(signal.shape[axis], fps, band.low_hz, band.high_hz, 2)
        hz = torch.fft.rfftfreq(signal.shape[axis], 1 / fps, device=signal.device, dtype=torch.float64)
        kept = ((hz >= band.low_hz) & (hz <= band.high_hz)).to(signal.dtype)
        shape = [-1 if a == axis else 1 for a in range(signal.dim())]
        spectrum = torch.fft.rfft(signal, dim=axis) * kept.view(shape)
        kept_part: Tensor = torch.fft.irfft(spectrum, n=signal.shape[axis], dim=axis)
        return kept_part
    offset = signal - signal.narrow(axis, 0, 1)
    fast, slow = (_first_order(offset, *found, axis) for found in _coefficients(band, signal.shape[axis], fps))
    return fast - slow


def _coefficients(band: Iir | Butterworth, frames: int, fps: float) -> list[tuple[Any, Any]]:
    """b and a of the two low-passes whose difference the filter is."""
    if isinstance(band, Iir):
        return [(np.array([r, 0.0]), np.array([1.0, r - 1])) for r in (band.fast, band.slow)]
    band.stream(fps)  # refuses what is no band at this rate
    require_frequencies(frames, fps, band.low_hz, band.high_hz, 1)
    return [scipy.signal.butter(1, hz, fs=fps) for hz in (band.high_hz, band.low_hz)]


def _first_order(offset: Tensor, b: Any, a: Any, axis: int) -> Tensor:
    state, found = torch.zeros_like(offset.select(axis, 0)), []
    for frame in offset.unbind(axis):
        value = float(b[0]) * frame + state
        state = float(b[1]) * frame - float(a[1]) * value
        found.append(value)
    return torch.stack(found, dim=axis)


Turn = Callable[[Tensor, float], Tensor]


def _resynthesised(images: Tensor, turn: Turn, keep: int, blur_px: float, pyramid: Steerable) -> Tensor:
    """The last `keep` of the images (n, t, h, w) from their turned bands, (n, keep, h, w)."""
    height, width = images.shape[-2:]
    tall, wide = padded_sides(height, width)
    rows, columns = (
        _mirrored(side, PADDING, total - side - PADDING) for side, total in ((height, tall), (width, wide))
    )
    spectra = torch.fft.fft2(images[..., rows.to(images.device), :][..., columns.to(images.device)])
    depth = depth_of(tall, wide, None, blur_px)
    total = spectra[:, -keep:] * torch.from_numpy(residual(tall, wide, depth) ** 2).to(images.device)
    for band in pyramid.bands(tall, wide, depth):
        y, x, mask = (part.to(images.device) for part in _placed(band, tall, wide))
        turned = turn(torch.fft.ifft2(spectra[..., y, x] * mask), blur_px * band.scale)
        total[..., y, x] = total[..., y, x] + torch.fft.fft2(turned) * (mask / 2)
    whole: Tensor = torch.fft.ifft2(total).real
    return whole[..., PADDING : PADDING + height, PADDING : PADDING + width]


def _placed(band: Band, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (n, 1), columns (m,) and mask of a band."""
    rows, columns = band.where
    y = np.arange(height)[:, None] if isinstance(rows, slice) else rows
    x = np.arange(width) if isinstance(columns, slice) else columns
    return torch.from_numpy(y), torch.from_numpy(x), torch.from_numpy(band.mask)


def _smoothed(phase: Tensor, amplitude: Tensor, sigma: float) -> Tensor:
    if not sigma:
        return phase
    weights = amplitude + float(np.finfo(np.float32).tiny)
    return _blurred(phase * weights, sigma) / _blurred(weights, sigma)


def _blurred(planes: Tensor, sigma: float) -> Tensor:
    """OpenCV's Gaussian blur of floats (…, h, w): eight sigmas wide, borders reflected."""
    kernel = _kernel(sigma).to(planes)
    return _along(_along(planes, kernel, -1), kernel, -2)


@lru_cache(maxsize=32)
def _kernel(sigma: float) -> Tensor:
    size = round(sigma * 8 + 1) | 1
    return torch.from_numpy(cv2.getGaussianKernel(size, sigma, cv2.CV_32F).ravel())


def _along(planes: Tensor, kernel: Tensor, axis: int) -> Tensor:
    reach = len(kernel) // 2
    side = planes.shape[axis]
    held = planes.index_select(axis, _mirrored(side, reach, reach).to(planes.device))
    parts = (held.narrow(axis, k, side) * weight for k, weight in enumerate(kernel))
    total: Tensor = sum(parts, start=torch.zeros_like(planes))
    return total


def _mirrored(side: int, before: int, after: int) -> Tensor:
    """Indices of an axis with its reflection on both ends, edges not repeated."""
    return torch.from_numpy(np.pad(np.arange(side), (before, after), mode="reflect"))


def _reduced(planes: Tensor) -> Tensor:
    """Half the size: binomial filter, even samples (n, 1, h, w)."""
    return _binomial(_binomial(planes, -1), -2)[..., ::2, ::2]


def _expanded(planes: Tensor, size: Any) -> Tensor:
    """Twice the size: zeros between, twice the binomial filter per axis."""
    for axis, wanted in ((-1, size[-1]), (-2, size[-2])):
        planes = _expanded_along(planes, axis, wanted)
    return planes


def _expanded_along(planes: Tensor, axis: int, wanted: int) -> Tensor:
    side = planes.shape[axis]
    near = planes.index_select(axis, _upsampling_border(side).to(planes.device))
    left, middle, right = (near.narrow(axis, start, side) for start in range(3))
    samples = torch.stack([(left + 6 * middle + right) / 8, (middle + right) / 2], dim=axis)
    return samples.flatten(axis - 1, axis).narrow(axis, 0, wanted)


def _upsampling_border(side: int) -> Tensor:
    """One sample more on each end, as OpenCV has it: the second mirrored before the first, the last repeated."""
    before = min(1, side - 1)
    return torch.tensor([before, *range(side), side - 1])


def _binomial(planes: Tensor, axis: int) -> Tensor:
    return _along(planes, torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=planes.dtype) / 16, axis)


def _angle(values: Tensor) -> Tensor:
    return torch.atan2(values.imag, values.real)


def _rotation(phase: Tensor) -> Tensor:
    return torch.complex(torch.cos(phase), torch.sin(phase))


def _require(images: Tensor, dims: int, factor: float) -> None:
    require_factor(factor)
    if images.dim() != dims or not images.is_floating_point() or images.numel() == 0:
        raise DataError(
            f"No batch of shape {tuple(images.shape)} and type {images.dtype} can be magnified.",
            f"Give floats in 0..1 with {dims} axes, batch first, without colour.",
        )


__all__ = ["TOLERANCE", "Filter", "clip", "filtered", "linear", "two_frame"]

"""TV-L1 flow of many pairs of images at once, in PyTorch: Zach, DAGM 2007, with the parameters of OpenCV's.

A fixed number of iterations takes the place of OpenCV's threshold, which stops every pair at its own time; gradients
are central differences of the warped second image. It agrees with OpenCV's within what tests/test_vision_torch_flow.py
states.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, interpolate, pad

from mebench.errors import DataError

SMALLEST: Final = 12
_SHARP: Final = 1e-9


@dataclass(frozen=True, slots=True)
class TVL1:
    """Parameters: as of `flow.tvl1`; `inner` iterations for each of `warps`, a median filter after each `median_every`.

    `presmooth` is the sigma of a Gaussian on both images, px: off, as in OpenCV.
    """

    tau: float = 0.25
    smoothness: float = 0.15
    theta: float = 0.3
    scales: int = 5
    scale_step: float = 0.8
    warps: int = 5
    inner: int = 30
    median_every: int = 30
    presmooth: float = 0.0


@torch.no_grad()
def torch_tvl1(first: Tensor, second: Tensor, parameters: TVL1 | None = None, *, device: str = "cpu") -> Tensor:
    """The flow (n, 2, h, w) float32 px, x and y, from the first to the second uint8 images (n, h, w), on the device.

    DataError for other dtypes or shapes. The weight of the data term is that of grey levels 0..255, as in OpenCV.
    """
    if first.dtype != torch.uint8 or second.dtype != torch.uint8 or first.ndim != 3 or first.shape != second.shape:
        raise DataError(
            f"No flow leads from {first.dtype} {tuple(first.shape)} to {second.dtype} {tuple(second.shape)}.",
            "Pass two uint8 tensors (n, h, w) of one shape.",
        )
    if min(first.shape[1:]) < SMALLEST:
        raise DataError(
            f"Images of {tuple(first.shape[1:])} have no pyramid.", f"Pass images of {SMALLEST} px a side or more."
        )
    given = parameters or TVL1()
    images = torch.stack([first, second], 1).to(device, torch.float32)
    if given.presmooth:
        images = _gaussian(images, given.presmooth)
    pyramid = [images]
    while len(pyramid) < given.scales and min(pyramid[-1].shape[2:]) * given.scale_step >= SMALLEST:
        pyramid.append(_shrunk(pyramid[-1], given.scale_step))
    flow = torch.zeros(len(images), 2, *pyramid[-1].shape[2:], device=images.device)
    for level in reversed(pyramid):
        flow = _grown(flow, level.shape[2], level.shape[3])
        flow = _solve(level, flow, given)
    return flow


def _solve(images: Tensor, flow: Tensor, given: TVL1) -> Tensor:
    """The flow at one scale, (n, 2, h, w), from where the coarser scale left it."""
    first, second = images[:, :1], images[:, 1:]  # grey levels 0..255: OpenCV brings floats of 0..1 to them too
    dual = torch.zeros(len(flow), 2, 2, *flow.shape[2:], device=flow.device)
    reach, step = given.smoothness * given.theta, given.tau / given.theta
    slopes = _central(second)
    for _ in range(given.warps):
        warped = _warp(torch.cat([second, slopes], 1), flow)
        slope = warped[:, 1:]
        square = (slope**2).sum(1, keepdim=True)
        constant = warped[:, :1] - first - (slope * flow).sum(1, keepdim=True)
        for iteration in range(given.inner):
            if given.median_every and iteration % given.median_every == 0:
                flow = _median(flow)
            residual = constant + (slope * flow).sum(1, keepdim=True)
            push = torch.where(
                residual.abs() <= reach * square, -residual / square.clamp_min(_SHARP), -reach * residual.sign()
            )
            flow = flow + push * slope + given.theta * _divergence(dual)
            rise = _forward(flow)
            dual = (dual + step * rise) / (1 + step * rise.norm(dim=2, keepdim=True))
    return flow


def _central(image: Tensor) -> Tensor:
    """Derivatives (n, 2, h, w) along x and y of (n, 1, h, w), edges repeated."""
    p = pad(image, (1, 1, 1, 1), mode="replicate")
    return torch.cat([p[:, :, 1:-1, 2:] - p[:, :, 1:-1, :-2], p[:, :, 2:, 1:-1] - p[:, :, :-2, 1:-1]], 1) / 2


def _forward(flow: Tensor) -> Tensor:
    """Forward differences (n, 2, 2, h, w), of each component along x and y; 0 at the far edges."""
    x = pad(flow[..., :, 1:] - flow[..., :, :-1], (0, 1))
    y = pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    return torch.stack([x, y], 2)


def _divergence(dual: Tensor) -> Tensor:
    """The divergence (n, 2, h, w), minus the adjoint of `_forward`."""
    x, y = dual[:, :, 0, :, :-1], dual[:, :, 1, :-1]
    return pad(x, (0, 1)) - pad(x, (1, 0)) + pad(y, (0, 0, 0, 1)) - pad(y, (0, 0, 1, 0))


def _warp(images: Tensor, flow: Tensor) -> Tensor:
    """Images (n, c, h, w) at each pixel moved by the flow, bicubic, edges repeated."""
    height, width = images.shape[2:]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    places = torch.stack([(2 * (x + flow[:, 0]) + 1) / width - 1, (2 * (y + flow[:, 1]) + 1) / height - 1], -1)
    return grid_sample(images, places, mode="bicubic", padding_mode="border", align_corners=False)


def _median(flow: Tensor) -> Tensor:
    """Each component's median over 5 x 5 px."""
    p = pad(flow, (2, 2, 2, 2), mode="replicate")
    return p.unfold(2, 5, 1).unfold(3, 5, 1).flatten(4).median(dim=-1).values


def _shrunk(images: Tensor, step: float) -> Tensor:
    height, width = (round(side * step) for side in images.shape[2:])
    return interpolate(images, size=(height, width), mode="bilinear", align_corners=False, antialias=False)


def _grown(flow: Tensor, height: int, width: int) -> Tensor:
    if flow.shape[2:] == (height, width):
        return flow
    scale = torch.tensor([width / flow.shape[3], height / flow.shape[2]], device=flow.device)[:, None, None]
    return interpolate(flow, size=(height, width), mode="bilinear", align_corners=False) * scale


def _gaussian(images: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(3 * sigma))
    x = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    n, c, h, w = images.shape
    flat = pad(images.reshape(n * c, 1, h, w), (reach,) * 4, mode="replicate")
    flat = conv2d(flat, kernel.view(1, 1, 1, -1))
    return conv2d(flat, kernel.view(1, 1, -1, 1)).reshape(n, c, h, w)


__all__ = ["TVL1", "torch_tvl1"]

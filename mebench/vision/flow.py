"""Dense optical flow between two 8-bit grey images.

Flow is (h, w, 2) float32 in px, x right and y down, on the grid of the first image: first(p) ≈ second(p + flow(p)).
Measure at full resolution and shrink the flow, multiplied by the scale: the bias of every method depends on it. The
outer 4 px of TV-L1 and Farnebäck cannot be trusted; compute with a margin and crop.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import cv2
import numpy as np

from mebench.errors import DataError
from mebench.vision.arrays import Bytes, Floats, require_grey

Method = Literal["dis", "dis-fast", "tvl1", "torch-tvl1", "farneback"]

SMALLEST_SIDE: Final = 12
"""Below it no method has a pyramid."""

DESCENT_STEPS: Final = 25
"""Gradient-descent steps per patch, as in OpenCV's medium preset."""


def flow(first: Bytes, second: Bytes, method: Method = "dis", **params: Any) -> Floats:
    """The flow from the first to the second (h, w) uint8 image; `params` are those of the method's own function.

    DataError for other dtypes (a float image is refused), for images of unequal or too small size, for an unknown
    method.
    """
    if method not in METHODS:
        raise DataError(f"No optical flow method named {method!r}.", f"Known: {', '.join(METHODS)}.")
    return METHODS[method](first, second, **params)


def dis(
    first: Bytes,
    second: Bytes,
    *,
    patch: int = 12,
    stride: int = 4,
    variational: int = 10,
    finest: int = 0,
    descent: int = DESCENT_STEPS,
) -> Floats:
    """Dense inverse search (Kroeger, ECCV 2016) on OpenCV's medium preset, carried to the full resolution.

    The default suits noisy 8-bit video: under noise of sigma 2 and JPEG 95 it errs by .04 px on motion of .25 px. For
    clean images patch 8 with 5 variational iterations errs less and takes a third of the time. OpenCV's own medium
    preset, which ends at half resolution, is `patch=8, stride=4, variational=5, finest=1`.
    """
    _require_pair(first, second, max(SMALLEST_SIDE, patch))
    # OpenCV rounds the number of scales, log2(longer side / (4 patch)), and stops at -1
    if max(first.shape) <= patch * 2**0.5:
        raise DataError(
            f"DIS flow has no scale for images of {first.shape}.",
            f"Pass images longer than {patch * 2**0.5:.1f} px, or use a smaller patch than {patch} px.",
        )
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(finest)
    method.setPatchSize(patch)
    method.setPatchStride(stride)
    method.setVariationalRefinementIterations(variational)
    method.setGradientDescentIterations(descent)
    # OpenCV refuses parts of larger images
    images = np.ascontiguousarray(first), np.ascontiguousarray(second)
    return np.asarray(method.calc(*images, _empty(first)), dtype=np.float32)


def dis_fast(first: Bytes, second: Bytes) -> Floats:
    """Dense inverse search at full resolution in a third of the time of `dis`, for flow to every frame of a clip.

    Fewer and larger patches: patch 16, stride 10, 5 variational iterations, 12 descent steps. On 160x160 px under noise
    of sigma 2 and JPEG 95, with local motion of .25, .5 and 1 px, it errs by .052, .059 and .072 px where `dis` errs by
    .053, .058 and .069, and reads .91, .78 and .70 of the motion where `dis` reads .96, .80 and .71.
    """
    return dis(first, second, patch=16, stride=10, variational=5, descent=12)


def tvl1(
    first: Bytes,
    second: Bytes,
    *,
    tau: float = 0.25,
    smoothness: float = 0.15,
    theta: float = 0.3,
    scales: int = 5,
    scale_step: float = 0.8,
    warps: int = 5,
    epsilon: float = 0.01,
    inner: int = 30,
    outer: int = 10,
    median: int = 5,
) -> Floats:
    """Dual TV-L1 flow (Zach, DAGM 2007) as OpenCV computes it; the defaults are OpenCV's and the literature's.

    `smoothness` is the weight lambda of the data term. Motion below half a pixel comes out short by a fifth or more; a
    smaller epsilon makes that worse and takes 20 times as long.
    """
    _require_pair(first, second)
    method = cv2.optflow.DualTVL1OpticalFlow.create(
        tau, smoothness, theta, scales, warps, epsilon, inner, outer, scale_step, 0.0, median, False
    )
    return np.asarray(method.calc(first, second, _empty(first)), dtype=np.float32)


def farneback(
    first: Bytes,
    second: Bytes,
    *,
    scale_step: float = 0.5,
    levels: int = 3,
    window: int = 15,
    iterations: int = 3,
    neighbourhood: int = 5,
    sigma: float = 1.2,
) -> Floats:
    """Flow by polynomial expansion (Farnebäck, SCIA 2003).

    Quick, but it depends on contrast: a faint texture's shift reads short."""
    _require_pair(first, second)
    found = cv2.calcOpticalFlowFarneback(
        first, second, _empty(first), scale_step, levels, window, iterations, neighbourhood, sigma, 0
    )
    return np.asarray(found, dtype=np.float32)


def torch_tvl1(first: Bytes, second: Bytes, *, device: str = "cpu", **params: Any) -> Floats:
    """TV-L1 flow as PyTorch computes it, on any device: `mebench.vision.torch_tvl1`, which takes many pairs at once.

    On a processor it is slower than OpenCV's.
    """
    import torch

    from mebench.vision.torch_tvl1 import TVL1
    from mebench.vision.torch_tvl1 import torch_tvl1 as solve

    _require_pair(first, second)
    one, two = (torch.from_numpy(np.ascontiguousarray(image))[None] for image in (first, second))
    return np.ascontiguousarray(solve(one, two, TVL1(**params), device=device)[0].permute(1, 2, 0).cpu().numpy())


METHODS: Final[dict[str, Callable[..., Floats]]] = {
    "dis": dis,
    "dis-fast": dis_fast,
    "tvl1": tvl1,
    "torch-tvl1": torch_tvl1,
    "farneback": farneback,
}


def _empty(image: Bytes) -> Floats:
    """Where OpenCV writes the flow."""
    return np.zeros((*image.shape, 2), dtype=np.float32)


def _require_pair(first: Bytes, second: Bytes, smallest: int = SMALLEST_SIDE) -> None:
    require_grey(first, "The first image")
    require_grey(second, "The second image")
    if first.shape != second.shape or min(first.shape) < smallest:
        raise DataError(
            f"No flow leads from an image of {first.shape} to one of {second.shape}.",
            f"Pass two images of one size, at least {smallest} px a side.",
        )

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

Method = Literal["dis", "tvl1", "farneback"]

SMALLEST_SIDE: Final = 12
"""Below it DIS has no pyramid."""

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
    first: Bytes, second: Bytes, *, patch: int = 12, stride: int = 4, variational: int = 10, finest: int = 0
) -> Floats:
    """Dense inverse search (Kroeger, ECCV 2016) on OpenCV's medium preset, carried to the full resolution.

    The default suits noisy 8-bit video: under noise of sigma 2 and JPEG 95 it errs by .04 px on motion of .25 px. For
    clean images patch 8 with 5 variational iterations errs less and takes a third of the time. OpenCV's own medium
    preset, which ends at half resolution, is `patch=8, stride=4, variational=5, finest=1`.
    """
    _require_pair(first, second)
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(finest)
    method.setPatchSize(patch)
    method.setPatchStride(stride)
    method.setVariationalRefinementIterations(variational)
    method.setGradientDescentIterations(DESCENT_STEPS)
    return np.asarray(method.calc(first, second, _empty(first)), dtype=np.float32)


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


METHODS: Final[dict[str, Callable[..., Floats]]] = {"dis": dis, "tvl1": tvl1, "farneback": farneback}


def _empty(image: Bytes) -> Floats:
    """Where OpenCV writes the flow."""
    return np.zeros((*image.shape, 2), dtype=np.float32)


def _require_pair(first: Bytes, second: Bytes) -> None:
    require_grey(first, "The first image")
    require_grey(second, "The second image")
    if first.shape != second.shape or min(first.shape) < SMALLEST_SIDE:
        raise DataError(
            f"No flow leads from an image of {first.shape} to one of {second.shape}.",
            f"Pass two images of one size, at least {SMALLEST_SIDE} px a side.",
        )

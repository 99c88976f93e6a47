"""Head motion that alignment left, taken out of a flow field."""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.vision.arrays import Doubles, Floats
from mebench.vision.motion import nose_region, tracking_region

Steady = Literal["no", "nose", "skin"]

WIDE_PX: Final = 1.0
NARROW_PX: Final = 0.05
NARROWING: Final = 0.7
"""The residual at which a pixel's weight falls to a quarter goes from wide to narrow by this factor: flow of resting
skin errs by .02 to .08 px."""

STEP_PX: Final = 2
"""Flow is smooth: every second row and column are enough to fit four numbers."""


def steadied(flow: Floats, landmarks: npt.ArrayLike, how: Steady = "skin") -> Floats:
    """The flow (h, w, 2) px without what the head did; landmarks (68, 2) are those of the first image.

    `nose` subtracts the mean flow of nose and inner eye corners, which AU 4, 9 and 10 move too; `skin` the similarity
    that most of the face without eyes and mouth follows; `no` nothing. DataError where the face lies outside.
    """
    if how == "no":
        return flow
    if how not in ("nose", "skin"):
        raise DataError(f"No way to steady flow is named {how!r}.", "Known: no, nose, skin.")
    height, width = flow.shape[:2]
    region = (nose_region if how == "nose" else tracking_region)((height, width), landmarks)
    rows, columns = np.nonzero(region[::STEP_PX, ::STEP_PX])
    if len(rows) < 8:
        raise DataError("Flow cannot be steadied: the face lies outside of it.", "Steady it before it is cut.")
    y, x = np.mgrid[:height, :width]
    sampled = flow[::STEP_PX, ::STEP_PX][rows, columns].astype(np.float64)
    moved = sampled[:, 0] + 1j * sampled[:, 1]
    if how == "nose":
        head = np.full((height, width), moved.mean())
    else:
        a, b = _followed(np.asarray((columns + 1j * rows) * STEP_PX, np.complex128), moved)
        head = a * (x + 1j * y) + b
    return flow - np.stack([head.real, head.imag], axis=-1).astype(np.float32)


def _followed(places: npt.NDArray[np.complex128], moved: npt.NDArray[np.complex128]) -> tuple[complex, complex]:
    """(a, b) so that most places z move by a z + b: Geman-McClure reweighting, ever more strictly."""
    weights: Doubles = np.ones(len(places))
    scale = WIDE_PX
    while True:
        share = weights / weights.sum()
        middle, mean = share @ places, share @ moved
        off = places - middle
        a = complex((share * off.conj() * (moved - mean)).sum() / (share * np.abs(off) ** 2).sum())
        b = complex(mean - a * middle)
        if scale <= NARROW_PX:
            return a, b
        scale = max(scale * NARROWING, NARROW_PX)
        weights = 1 / (1 + (np.abs(a * places + b - moved) / scale) ** 2) ** 2


__all__ = ["Steady", "steadied"]

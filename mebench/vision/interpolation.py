"""Temporal interpolation: clips of any length brought to one."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.vision.arrays import Doubles


@lru_cache(maxsize=1024)
def tim_matrix(t: int, n: int) -> Doubles:
    """The (n, t) matrix that interpolates t frames at n instants, read-only.

    The temporal interpolation model (Zhou, CVPR 2011) embeds the frames as a path graph; its eigenvectors are the
    DCT-II basis whatever the frames show, so the model is this fixed linear map: with s_j = 1 + (t−1)j/(n−1),
    Q = B(s) diag(c) B(1..t)ᵀ, B(s)[k] = cos(πk(2s−1)/(2t)), c_0 = 1/t, c_k = 2/t. The original needs linearly
    independent frames and fails where frames repeat; this does not. One frame is repeated; one instant is the first.
    """
    if t < 1 or n < 1:
        raise DataError(
            f"{t} frames cannot be interpolated to {n}.", "Pass at least one frame and ask for at least one."
        )
    if t == 1:
        matrix = np.ones((n, 1))
    else:
        instants = 1 + (t - 1) * np.arange(n) / max(n - 1, 1)
        weights = np.where(np.arange(t) == 0, 1 / t, 2 / t)
        matrix = (_basis(instants, t) * weights) @ _basis(np.arange(1, t + 1), t).T
    matrix.flags.writeable = False
    return matrix


def tim(frames: npt.NDArray[Any], n: int) -> Doubles:
    """The frames (t, …) at n instants spread evenly from first to last, (n, …) float64.

    Between frames the values overshoot: clip and round before writing 8-bit frames.
    """
    return np.tensordot(tim_matrix(len(frames), n), frames.astype(np.float64), axes=1)


def _basis(instants: npt.NDArray[Any], t: int) -> Doubles:
    """The DCT-II basis functions at the instants, (len(instants), t)."""
    basis: Doubles = np.cos(np.pi * np.arange(t) * (2 * instants[:, None] - 1) / (2 * t))
    return basis

"""Optical strain: how much a flow field deforms the skin, whatever way it moves it."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.vision.arrays import Floats

Scheme = Literal["central", "backward"]


def strain(flow: npt.NDArray[Any], scheme: Scheme = "central") -> Floats:
    """The magnitude of the infinitesimal strain tensor of a flow (h, w, 2) in px, (h, w) float32, no unit.

    ε = √(u_x² + v_y² + ½(u_y + v_x)²) = √(ε_xx² + ε_yy² + 2ε_xy²) with ε_xy = ½(u_y + v_x), x along columns, on raw
    flow before any normalisation (Liong, Signal Processing: Image Communication 2018; Shreve 2011). `central`
    differences are
    `numpy.gradient`'s, our choice; `backward` is f[i] − f[i−1] with 0 in the first column and row, as in the released
    MATLAB code of that lineage, where a pure rotation strains the first row and column.
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or min(flow.shape[:2]) < 2:
        raise DataError(
            f"Strain is not defined for flow of shape {flow.shape}.", "Pass flow (h, w, 2), sides above 1 px."
        )
    if scheme not in ("central", "backward"):
        raise DataError(f"No derivative scheme named {scheme!r}.", "Known: central, backward.")
    field = flow.astype(np.float64)
    along_y, along_x = (_derivative(field, axis, scheme) for axis in (0, 1))
    shear = along_y[..., 0] + along_x[..., 1]
    magnitude = np.sqrt(along_x[..., 0] ** 2 + along_y[..., 1] ** 2 + 0.5 * shear**2)
    return magnitude.astype(np.float32)


def _derivative(field: npt.NDArray[np.float64], axis: int, scheme: Scheme) -> npt.NDArray[np.float64]:
    if scheme == "central":
        return np.asarray(np.gradient(field, axis=axis), dtype=np.float64)
    first = np.take(field, [0], axis=axis)
    return np.diff(field, axis=axis, prepend=first)

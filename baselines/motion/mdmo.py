"""Main directional mean optical flow (MDMO).

Liu et al., A main directional mean optical flow feature for spontaneous micro-expression recognition, IEEE TAFFC 7(4),
2016. Written from descriptions of the method, without its full text: the alignment points and beta are those of
`tvaranka/meb`, directions and aggregation as defined below, region corners in `regions`.
"""

import numpy as np
import numpy.typing as npt

from mebench import DataError, UsageError

from ..compiled import compiled
from .regions import REGIONS, region_pixels

STABLE = (0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 30)
"""Landmarks the alignment takes for rigid: both sides of the jaw and the tip of the nose."""
DIRECTIONS = 8
BETA = 0.8
"""Weight of magnitude against angle, as in `tvaranka/meb`; the paper tunes it per corpus."""
STILL_PX = 1e-4
"""Mean flow shorter than this is no motion: single-precision flow after alignment does not resolve less, and the angle
of a rounding error would fill the vector with noise."""
TAN_EIGHTH = float(np.tan(np.pi / 8))
OCTANTS = np.array([5, 7, 3, 1, 4, 0, 4, 0, 6, 6, 2, 2, 0, 0, 0, 0], np.uint8)
"""The direction by u > 0, v > 0, |v| <= tan(pi/8) |u| and |u| <= tan(pi/8) |v| as bits 0 to 3: a table, because an arc
tangent per pixel would cost more than all the rest. Both last bits together mean no motion, which is direction 0."""


def mdmo(
    flow: npt.NDArray[np.floating],
    landmarks: npt.NDArray[np.floating],
    *,
    beta: float = BETA,
    align: bool = True,
) -> npt.NDArray[np.float32]:
    """The MDMO vector of a clip, (72,) float32: beta rho of the 36 regions, then (1 - beta) theta.

    `flow` (t, h, w, 2) is the flow of each frame from the onset, px, x right, y down; `landmarks` (68, 2) those of the
    onset on the same grid. Per frame and region the flow vectors in the fullest of eight directions are averaged, then
    these over frames, as vectors. rho is divided by its largest value, theta is in [0, 2 pi), both are 0 where nothing
    moves.

    With `align` an affine head motion, fitted per frame to the flow at 13 stable landmarks, is removed first.
    Raises DataError when shapes do not fit or the flow is not finite.
    """
    if not 0 <= beta <= 1:
        raise UsageError(f"MDMO with beta={beta}.", "Use a weight from 0 to 1; the default is 0.8.")
    mean = main_directional_flow(flow, landmarks, align=align).mean(axis=0)
    magnitude = np.hypot(mean[:, 0], mean[:, 1])
    moving = magnitude >= STILL_PX
    theta = np.where(moving, np.mod(np.arctan2(mean[:, 1], mean[:, 0]), 2 * np.pi), 0.0)
    # an angle a rounding error below 0 comes out of the modulus as 2 pi itself
    theta[theta >= 2 * np.pi] = 0.0
    rho = np.where(moving, magnitude / max(magnitude.max(), STILL_PX), 0.0)
    return np.concatenate([beta * rho, (1 - beta) * theta]).astype(np.float32)


def main_directional_flow(
    flow: npt.NDArray[np.floating], landmarks: npt.NDArray[np.floating], *, align: bool = True
) -> npt.NDArray[np.float64]:
    """The mean flow vector in the main direction of every frame and region, (t, 36, 2) px.

    Direction k = floor((theta + pi/8) / (pi/4)) mod 8; the main direction holds the most pixels, ties the lowest k.
    """
    field = _checked(flow, landmarks)
    frames, height, width, _ = field.shape
    pixels, starts = region_pixels(landmarks, height, width)
    motions = head_motion(field, landmarks) if align else np.tile(np.eye(3, 2), (frames, 1, 1))
    means = np.zeros((frames, len(REGIONS), 2))
    ys, xs = np.divmod(pixels, width)
    _main_directions(
        field.reshape(frames, -1, 2), xs.astype(np.float64), ys.astype(np.float64), pixels, starts, motions, means
    )
    return means


def head_motion(flow: npt.NDArray[np.floating], landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The affine map M of every frame, (t, 3, 2), that takes [x + u, y + v, 1] back to [x, y] at the stable landmarks.

    Least squares over the 13 points, read at the nearest pixel inside the image.
    """
    height, width = flow.shape[1:3]
    at = np.rint(np.clip(np.asarray(landmarks, np.float64)[list(STABLE)], 0, (width - 1, height - 1))).astype(np.int64)
    moved = at + flow[:, at[:, 1], at[:, 0]]
    rows = np.concatenate([moved, np.ones((*moved.shape[:2], 1))], axis=2)
    return np.linalg.pinv(rows, rcond=1e-9) @ at


def _checked(flow: npt.NDArray[np.floating], landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The flow as contiguous float32 array; DataError where it or the landmarks cannot be used."""
    if flow.ndim != 4 or flow.shape[3] != 2 or 0 in flow.shape:
        raise DataError(
            f"MDMO got flow of shape {flow.shape}.", "Give flow of shape (t, h, w, 2) with at least one frame."
        )
    if landmarks.shape != (68, 2) or not np.all(np.isfinite(landmarks)):
        raise DataError(
            f"MDMO got landmarks of shape {landmarks.shape}, or some that are not finite.",
            "Give the 68 landmarks of the onset frame as (68, 2) pixels.",
        )
    field = np.ascontiguousarray(flow, np.float32)
    if not np.all(np.isfinite(field)):
        raise DataError("MDMO got flow that is not finite.", "Recompute the flow of this clip.")
    return field


@compiled
def _main_directions(
    flow: npt.NDArray[np.float32],
    xs: npt.NDArray[np.float64],
    ys: npt.NDArray[np.float64],
    pixels: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    motions: npt.NDArray[np.float64],
    means: npt.NDArray[np.float64],
) -> None:
    """Writes `means` (t, regions, 2) from flow (t, h w, 2), the regions' pixels and the head motion of each frame."""
    us, vs, signs = np.empty(len(pixels)), np.empty(len(pixels)), np.empty(len(pixels), np.uint8)
    for t in range(len(flow)):
        frame, ((xx, xy), (yx, yy), (x0, y0)) = flow[t], motions[t]
        for i in range(len(pixels)):
            x, y = xs[i] + frame[pixels[i], 0], ys[i] + frame[pixels[i], 1]
            us[i] = x * xx + y * yx + x0 - xs[i]
            vs[i] = x * xy + y * yy + y0 - ys[i]
        # a loop of its own, which runs on vector registers
        for i in range(len(pixels)):
            u, v = us[i], vs[i]
            level, upright = abs(v) <= TAN_EIGHTH * abs(u), abs(u) <= TAN_EIGHTH * abs(v)
            signs[i] = np.uint8(u > 0) | np.uint8(v > 0) << 1 | np.uint8(level) << 2 | np.uint8(upright) << 3
        for region in range(len(starts) - 1):
            _mean_main_direction(us, vs, signs, starts[region], starts[region + 1], means[t, region])


@compiled
def _mean_main_direction(
    us: npt.NDArray[np.float64],
    vs: npt.NDArray[np.float64],
    signs: npt.NDArray[np.uint8],
    start: int,
    stop: int,
    mean: npt.NDArray[np.float64],
) -> None:
    """Writes the mean (u, v) of the pixels start..stop in their most frequent direction; `signs` become directions."""
    count = np.zeros(DIRECTIONS, np.int64)
    for i in range(start, stop):
        signs[i] = OCTANTS[signs[i]]
        count[signs[i]] += 1
    main = np.argmax(count)
    u, v = 0.0, 0.0
    for i in range(start, stop):
        u += us[i] if signs[i] == main else 0.0
        v += vs[i] if signs[i] == main else 0.0
    mean[0], mean[1] = u / count[main], v / count[main]

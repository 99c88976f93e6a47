"""Main directional mean optical flow (MDMO).

Liu et al., A main directional mean optical flow feature for spontaneous micro-expression recognition, IEEE TAFFC 7(4),
2016. Written from descriptions of the method, without its full text: the alignment points and beta are those of
`tvaranka/meb`, directions and aggregation as defined below, region corners in `regions`.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from mebench import DataError, UnknownName, UsageError

from ..compiled import compiled
from .fields import UNUSED, Fields, checked_choice, flow_fields
from .regions import REGIONS, region_pixels

Averaging = Literal["frames", "magnitude"]
AVERAGINGS = ("frames", "magnitude")
STABLE = (0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 30)
"""Landmarks the alignment takes for rigid: both sides of the jaw and the tip of the nose."""
DIRECTIONS = tuple(range(8))
BETA = 0.8
"""Weight of magnitude against angle, as in `tvaranka/meb`; the paper tunes it per corpus."""
STILL_PX = 1e-4
"""Mean flow shorter than this is no motion: single-precision flow after alignment does not resolve less, and the angle
of a rounding error would fill the vector with noise."""
TAN_EIGHTH = np.float32(np.tan(np.pi / 8))
OCTANTS = np.array([5, 7, 3, 1, 4, 0, 4, 0, 6, 6, 2, 2, 0, 0, 0, 0], np.uint8)
"""The direction by u > 0, v > 0, |v| <= tan(pi/8) |u| and |u| <= tan(pi/8) |v| as bits 0 to 3: a table, because an arc
tangent per pixel would cost more than all the rest. Both last bits together mean no motion, which is direction 0."""
PARTS = ("rho", "theta")


def mdmo(
    flow: npt.NDArray[np.floating],
    landmarks: npt.NDArray[np.floating],
    *,
    beta: float = BETA,
    align: bool = True,
    averaging: Averaging = "frames",
    directions: tuple[int, ...] = DIRECTIONS,
) -> npt.NDArray[np.float32]:
    """The MDMO vector of a clip, (72,) float32: beta rho of the 36 regions, then (1 - beta) theta.

    `flow` (t, h, w, 2) is the flow of each frame from the onset, px, x right, y down; `landmarks` (68, 2) those of the
    onset on the same grid. Per frame and region the flow vectors in the fullest of eight directions are averaged, then
    these over frames, as vectors. rho is divided by its largest value, theta is in [0, 2 pi), both are 0 where nothing
    moves.

    With `align` an affine head motion, fitted per frame to the flow at 13 stable landmarks, is removed first.
    `averaging` is "frames", every frame alike (the paper's mean as it is described, our default), or "magnitude", each
    frame weighted by the sum of its regions' magnitudes, as `tvaranka/meb` means to (its code sums angles instead).
    `directions` are those a region may take for its main direction; flow in others is passed over.

    Raises DataError when shapes do not fit or the flow is not finite, UsageError and UnknownName for parameters out of
    range.
    """
    if not 0 <= beta <= 1:
        raise UsageError(f"MDMO with beta={beta}.", "Use a weight from 0 to 1; the default is 0.8.")
    if averaging not in AVERAGINGS:
        raise UnknownName("averaging of MDMO", str(averaging), AVERAGINGS)
    means = main_directional_flow(flow, landmarks, align=align, directions=directions)
    mean = means.mean(axis=0) if averaging == "frames" else _weighted_by_magnitude(means)
    magnitude = np.hypot(mean[:, 0], mean[:, 1])
    moving = magnitude >= STILL_PX
    theta = np.where(moving, np.mod(np.arctan2(mean[:, 1], mean[:, 0]), 2 * np.pi), 0.0)
    # an angle a rounding error below 0 comes out of the modulus as 2 pi itself
    theta[theta >= 2 * np.pi] = 0.0
    rho = np.where(moving, magnitude / max(magnitude.max(), STILL_PX), 0.0)
    return np.concatenate([beta * rho, (1 - beta) * theta]).astype(np.float32)


def main_directional_flow(
    flow: npt.NDArray[np.floating],
    landmarks: npt.NDArray[np.floating],
    *,
    align: bool = True,
    directions: tuple[int, ...] = DIRECTIONS,
) -> npt.NDArray[np.float64]:
    """The mean flow vector in the main direction of every frame and region, (t, 36, 2) px.

    Direction k = floor((theta + pi/8) / (pi/4)) mod 8; the main direction holds the most pixels, ties the lowest k.
    A region without a pixel in any of `directions` has (0, 0).
    """
    allowed = np.zeros(len(DIRECTIONS), np.bool_)
    allowed[list(checked_choice("directions", tuple(directions), DIRECTIONS))] = True
    fields = _checked(flow, landmarks)
    frames, height, width, _ = fields.shape
    pixels, starts = region_pixels(landmarks, height, width)
    motions = head_motion(fields, landmarks) if align else np.tile(np.eye(3, 2), (frames, 1, 1))
    means = np.zeros((frames, len(REGIONS), 2))
    # what is added to the flow is small: single precision holds it, but not its difference from the identity
    corrections = np.concatenate([motions[:, :2] - np.eye(2), motions[:, 2:]], axis=1)
    _main_directions(
        fields.reshape(frames, height, 2 * width),
        corrections.astype(np.float32),
        np.where(allowed[OCTANTS], OCTANTS, np.uint8(UNUSED)),
        pixels.astype(np.uint32),
        starts,
        means,
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


def feature_names_out() -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `region12_rho` is the magnitude in region 12, `..._theta` its angle."""
    return np.array([f"region{region}_{part}" for part in PARTS for region in range(len(REGIONS))])


def _weighted_by_magnitude(means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    weights = np.hypot(means[..., 0], means[..., 1]).sum(axis=1)
    return np.tensordot(weights / (weights.sum() or 1.0), means, axes=1)


def _checked(flow: npt.NDArray[np.floating], landmarks: npt.NDArray[np.floating]) -> Fields:
    """The flow as contiguous float32 array; DataError where it or the landmarks cannot be used."""
    fields = flow_fields(flow, "MDMO", axes=(4,))
    if landmarks.shape != (68, 2) or not np.all(np.isfinite(landmarks)):
        raise DataError(
            f"MDMO got landmarks of shape {landmarks.shape}, or some that are not finite.",
            "Give the 68 landmarks of the onset frame as (68, 2) pixels.",
        )
    return fields


@compiled
def _main_directions(
    flow: npt.NDArray[np.float32],
    corrections: npt.NDArray[np.float32],
    octants: npt.NDArray[np.uint8],
    pixels: npt.NDArray[np.uint32],
    starts: npt.NDArray[np.int64],
    means: npt.NDArray[np.float64],
) -> None:
    """Writes `means` (t, regions, 2) from flow (t, h, 2 w), head motion less identity and the regions' pixels.

    The whole image is corrected, not the regions alone: that runs on vector registers, and the regions overlap.
    """
    height, width = flow.shape[1], flow.shape[2] // 2
    us, vs = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    u_line, v_line = us.reshape(height * width), vs.reshape(height * width)
    signs, bins = np.empty(height * width, np.uint8), np.empty(len(pixels), np.uint8)
    for t in range(len(flow)):
        _correct(flow[t], corrections[t], us, vs)
        _find_signs(u_line, v_line, signs)
        for region in range(len(starts) - 1):
            own = pixels[starts[region] : starts[region + 1]]
            _mean_main_direction(u_line, v_line, signs, octants, own, bins, means[t, region])


@compiled
def _correct(
    flow: npt.NDArray[np.float32],
    correction: npt.NDArray[np.float32],
    us: npt.NDArray[np.float32],
    vs: npt.NDArray[np.float32],
) -> None:
    """Writes the corrected components (h, w) of flow (h, 2 w)."""
    (xx, xy), (yx, yy), (x0, y0) = correction
    for y in range(len(us)):
        row, u_row, v_row = flow[y], us[y], vs[y]
        u0, v0 = np.float32(y) * yx + x0, np.float32(y) * yy + y0
        for x in range(len(u_row)):
            u, v, along = row[2 * x], row[2 * x + 1], np.float32(x)
            u_row[x] = u + (u * xx + v * yx + (u0 + along * xx))
            v_row[x] = v + (u * xy + v * yy + (v0 + along * xy))


@compiled
def _find_signs(us: npt.NDArray[np.float32], vs: npt.NDArray[np.float32], signs: npt.NDArray[np.uint8]) -> None:
    """Writes the bits that `OCTANTS` is read by."""
    for i in range(len(us)):
        u, v = us[i], vs[i]
        level, upright = abs(v) <= TAN_EIGHTH * abs(u), abs(u) <= TAN_EIGHTH * abs(v)
        signs[i] = np.uint8(u > 0) | np.uint8(v > 0) << 1 | np.uint8(level) << 2 | np.uint8(upright) << 3


@compiled
def _mean_main_direction(
    us: npt.NDArray[np.float32],
    vs: npt.NDArray[np.float32],
    signs: npt.NDArray[np.uint8],
    octants: npt.NDArray[np.uint8],
    pixels: npt.NDArray[np.uint32],
    bins: npt.NDArray[np.uint8],
    mean: npt.NDArray[np.float64],
) -> None:
    """Writes the mean (u, v) of these pixels in their most frequent direction; `bins` is room to work in."""
    count = np.zeros(256, np.int64)
    for i in range(len(pixels)):
        direction = octants[signs[pixels[i]]]
        bins[i] = direction
        count[direction] += 1
    main = np.uint8(np.argmax(count[:8]))
    u, v = 0.0, 0.0
    for i in range(len(pixels)):
        # a factor, because the processor would guess a branch wrong at every border between directions
        taken = np.float32(bins[i] == main)
        u += taken * us[pixels[i]]
        v += taken * vs[pixels[i]]
    if count[main] > 0:
        mean[0], mean[1] = u / count[main], v / count[main]

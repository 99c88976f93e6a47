"""Histograms of gradient orientations in space and time, per facial region (3DHOG).

After Polikovsky, Kameda and Ohta, Facial micro-expressions recognition using high speed camera and 3D-gradient
descriptor, ICDP 2009: gradients in the planes XY, XT and YT, 8, 12 and 12 orientations, 12 facial regions. The paper's
figure of the regions was not available to us: those of `REGIONS` follow the action units it is about.
"""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mebench import DataError

from ..compiled import compiled
from .blocks import spread
from .codes import check_subset, grey_levels

Boxes: TypeAlias = npt.NDArray[np.int64]

BINS = {"xy": 8, "xt": 12, "yt": 12}
"""Orientations over the full circle in each plane."""
PLANES = tuple(BINS)
HALF_SIDE = 0.25
"""Half the side of a region, in distances between the eye centres (our choice: neighbours touch or overlap little)."""
LEFT_EYE, RIGHT_EYE = tuple(range(36, 42)), tuple(range(42, 48))


@dataclass(frozen=True, slots=True)
class Region:
    """A square around the mean of some landmarks (68-point scheme, from 0), raised by so many eye distances.

    `typical` is its centre (x, y) on a typical aligned face, in fractions of the side, for drawing.
    """

    name: str
    landmarks: tuple[int, ...]
    typical: tuple[float, float]
    raised: float = 0.0


REGIONS = (
    Region("forehead", (21, 22), (0.50, 0.12), raised=0.45),
    Region("left brow", (17, 18, 19, 20, 21), (0.30, 0.27)),
    Region("right brow", (22, 23, 24, 25, 26), (0.70, 0.27)),
    Region("between the brows", (21, 22, 27), (0.50, 0.31)),
    Region("left eye", LEFT_EYE, (0.315, 0.38)),
    Region("right eye", RIGHT_EYE, (0.685, 0.38)),
    Region("nose", (28, 29, 30), (0.50, 0.51)),
    Region("left cheek", (2, 31, 41), (0.28, 0.53)),
    Region("right cheek", (14, 35, 46), (0.72, 0.53)),
    Region("left mouth corner", (48,), (0.34, 0.76)),
    Region("right mouth corner", (54,), (0.66, 0.76)),
    Region("chin", (8, 57), (0.50, 0.92)),
)
"""The twelve regions, left and right as in the image (our choice). With them the action units 1, 2 and 4 (forehead,
brows), 6 and 7 (eyes, cheeks), 9 and 10 (nose, cheeks), 12, 14, 15 (mouth corners) and 17 (chin) lie in a region."""
TYPICAL_EYE_DISTANCE = 0.37
"""Of the aligned face, in fractions of its side: what `align` makes of every face."""
DRAWN_PX = 256
"""Side of the face that regions are laid out on to be drawn, before they are spread over its 64x64 cells."""


def hog3d(
    volume: npt.NDArray[np.generic], landmarks: npt.NDArray[np.floating], *, planes: tuple[str, ...] = PLANES
) -> npt.NDArray[np.float32]:
    """The orientation histograms of the twelve regions, (12 x bins,) float32: 8 + 12 + 12 = 32 bins per region.

    `volume` is (t, h, w) grey, uint8 or whole numbers in 0..255; `landmarks` (68, 2) px are those of the whole clip,
    whose head stands still. Gradients are central differences g_x, g_y, g_t of inner pixels; the angle is that of
    (g_x, g_y) in XY, (g_x, g_t) in XT and (g_y, g_t) in YT, y down, and bin k of B holds angles from 2 pi k / B to
    2 pi (k + 1) / B. Each pixel counts by the length of its gradient in the plane; a histogram sums to 1, or is all
    zeros where nothing changes. Bins are not centred on the axes: the slightest motion then moves weight between the
    bins on either side of a resting edge's angle 0 or pi.

    Regions follow `REGIONS`, squares of half an eye distance, cut at the image; a centre outside is moved to its edge.
    Regions, signed angles and one histogram over all frames are our choices.

    Raises DataError for fewer than three frames or pixels a side, values that are not grey levels, or landmarks that
    are no face.
    """
    check_subset(planes, PLANES, "3DHOG planes")
    grey = grey_levels(volume, what="3DHOG")
    if min(grey.shape) < 3:
        raise DataError(
            f"{grey.shape[0]} frames of {grey.shape[1]}x{grey.shape[2]} px have no inner pixel for gradients.",
            "It takes three frames of 3x3 px.",
        )
    boxes = region_boxes(landmarks, grey.shape[1], grey.shape[2])
    weights = [np.zeros((len(REGIONS), BINS[plane])) for plane in PLANES]
    _weigh(grey, boxes, _orientations(BINS["xy"]), _orientations(BINS["xt"]), _orientations(BINS["yt"]), *weights)
    kept = np.concatenate(
        [w for plane, w in zip(PLANES, map(_shares, weights), strict=True) if plane in planes], axis=1
    )
    return kept.astype(np.float32).reshape(-1)


def feature_names_out(*, planes: tuple[str, ...] = PLANES) -> npt.NDArray[np.str_]:
    """The name of every entry: `region3_xt_11` is region 3 of `REGIONS`, from 0, plane XT, orientation 11."""
    check_subset(planes, PLANES, "3DHOG planes")
    kept = [(plane, BINS[plane]) for plane in PLANES if plane in planes]
    return np.array(
        [f"region{r}_{plane}_{b}" for r in range(len(REGIONS)) for plane, bins in kept for b in range(bins)]
    )


def face_map(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The values of each region (d,) summed and spread over it on a typical 64x64 face; the map sums to their sum."""
    per_region = np.asarray(values, np.float64).reshape(len(REGIONS), -1).sum(axis=1)
    centres = np.array([region.typical for region in REGIONS]) * DRAWN_PX
    boxes = _squares(centres, HALF_SIDE * TYPICAL_EYE_DISTANCE * DRAWN_PX, DRAWN_PX, DRAWN_PX, 0)
    whole = np.column_stack([np.zeros(len(boxes), np.int64), np.ones(len(boxes), np.int64), boxes])
    return spread(per_region, whole, (0, 0, 0), DRAWN_PX)


def region_boxes(landmarks: npt.NDArray[np.floating], height: int, width: int) -> Boxes:
    """The inner pixels of every region, (12, 4): y and x from and to (exclusive), at least one pixel each.

    Raises DataError for landmarks that are not 68 finite points or whose eyes coincide.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise DataError(
            f"3DHOG got landmarks of shape {points.shape} that are not 68 finite points.", "Find the face again."
        )
    eyes = points[list(RIGHT_EYE)].mean(axis=0) - points[list(LEFT_EYE)].mean(axis=0)
    apart = float(np.hypot(*eyes))
    if apart < 1:
        raise DataError(f"The eye centres of these landmarks are {apart:.2f} px apart.", "Find the face again.")
    up = np.array([0.0, -apart])
    centres = np.array([points[list(r.landmarks)].mean(axis=0) + r.raised * up for r in REGIONS])
    return _squares(centres, HALF_SIDE * apart, height, width, 1)


def _squares(centres: npt.NDArray[np.float64], half: float, height: int, width: int, border: int) -> Boxes:
    """Squares around centres (n, 2) x, y, less the border of the image: (n, 4) y and x from and to (exclusive)."""
    low, high = np.array([border, border]), np.array([width, height]) - border
    middle = np.clip(centres, low, high - 1)
    start = np.clip(np.rint(middle - half), low, high - 1)
    stop = np.clip(np.rint(middle + half) + 1, start + 1, high)
    return np.stack([start[:, 1], stop[:, 1], start[:, 0], stop[:, 0]], axis=1).astype(np.int64)


@cache
def _orientations(bins: int) -> npt.NDArray[np.uint8]:
    """The bin of every gradient of doubled differences, (511, 511): entry [a + 255, b + 255] is that of (a, b)."""
    steps = np.arange(-255, 256)
    angles = np.arctan2(steps[None, :], steps[:, None]) % (2 * np.pi)
    # angles that are a bin's lower edge on paper, 45 or 90 degrees, belong to it
    table = (np.floor(angles / (2 * np.pi / bins) + 1e-9) % bins).astype(np.uint8)
    table.setflags(write=False)
    return table


@compiled
def _weigh(
    volume: npt.NDArray[np.uint8],
    boxes: Boxes,
    xy_bins: npt.NDArray[np.uint8],
    xt_bins: npt.NDArray[np.uint8],
    yt_bins: npt.NDArray[np.uint8],
    xy: npt.NDArray[np.float64],
    xt: npt.NDArray[np.float64],
    yt: npt.NDArray[np.float64],
) -> None:
    """Adds the length of every gradient to its bin, per region (regions, bins) and plane."""
    for region in range(len(boxes)):
        y0, y1, x0, x1 = boxes[region]
        for t in range(1, volume.shape[0] - 1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    gx = int(volume[t, y, x + 1]) - int(volume[t, y, x - 1])
                    gy = int(volume[t, y + 1, x]) - int(volume[t, y - 1, x])
                    gt = int(volume[t + 1, y, x]) - int(volume[t - 1, y, x])
                    xy[region, xy_bins[gx + 255, gy + 255]] += np.sqrt(gx * gx + gy * gy)
                    xt[region, xt_bins[gx + 255, gt + 255]] += np.sqrt(gx * gx + gt * gt)
                    yt[region, yt_bins[gy + 255, gt + 255]] += np.sqrt(gy * gy + gt * gt)


def _shares(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    totals = weights.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0))

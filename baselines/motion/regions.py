"""The 36 facial regions of MDMO, from 68 landmarks.

Liu et al., A main directional mean optical flow feature for spontaneous micro-expression recognition, IEEE TAFFC 7(4),
2016, figure 3. The paper draws them on 66 landmarks; these corner lists are for the 68-point scheme of iBUG 300-W.
"""

import cv2
import numpy as np
import numpy.typing as npt

BROW_RISE_PX = 20 / 140
"""How far above the brows the forehead regions reach, as a share of the image width: 20 px on the 140 px wide crops of
CASME II (our choice: the paper gives no figure)."""

RAISED = (17, 19, 21, None, 22, 24, 26)
"""Points m0..m6 lie above these landmarks; m3 lies midway between m2 and m4."""

MIDPOINTS = (
    *((3, 29), (13, 29), (4, 33), (12, 33), (4, 33), (12, 33), (5, 59), (11, 55)),
    *((2, 41), (14, 46), (5, 59), (6, 58), (8, 57), (10, 56), (11, 55)),
)
"""Points m7..m21 lie midway between two landmarks."""

M = 68
"""Corners from 68 up are the added points: M + k is m_k."""

REGIONS = (
    *((17, M + 0, M + 1, 19), (19, M + 1, M + 2, 21), (21, M + 2, M + 3, 27), (27, M + 3, M + 4, 22)),
    *((22, M + 4, M + 5, 24), (24, M + 5, M + 6, 26), (1, 0, 17, 36), (36, 17, 19, 38)),
    *((38, 19, 21, 39), (39, 21, 27, 28), (28, 27, 22, 42), (42, 22, 24, 43)),
    *((43, 24, 26, 45), (45, 26, 16, 15), (3, 2, M + 15, M + 7), (M + 7, M + 15, 41, 39)),
    *((M + 7, 39, 28, 29), (29, 28, 42, M + 8), (M + 8, 42, 46, M + 16), (M + 8, M + 16, 14, 13)),
    *((M + 11, M + 7, 29, 33), (33, 29, M + 8, M + 12), (M + 13, M + 9, 33, 59), (55, 33, M + 10, M + 14)),
    *((M + 18, M + 17, 59, 58), (M + 19, M + 18, 58, 57), (M + 20, M + 19, 57, 56), (M + 21, M + 20, 56, 55)),
    *((4, 3, M + 7, M + 11), (M + 12, M + 8, 13, 12), (5, 4, M + 9, M + 13), (M + 14, M + 10, 12, 11)),
    *((6, 5, M + 17, M + 18), (8, 6, M + 18, M + 19), (10, 8, M + 19, M + 20), (11, 10, M + 20, M + 21)),
)
"""The corners of each region: brows 0-5, eyes 6-13, cheeks and nose 14-21, lips 22-27, lower face 28-35."""

FACE = (
    *((105, 407), (115, 510), (131, 606), (152, 701), (186, 794), (233, 878), (307, 939), (396, 978), (500, 987)),
    *((604, 978), (693, 939), (767, 878), (814, 794), (848, 701), (869, 606), (885, 510), (895, 407)),
    *((150, 326), (192, 248), (277, 216), (369, 227), (451, 266), (549, 266), (631, 227), (723, 216), (808, 248)),
    *((850, 326), (500, 354), (500, 428), (500, 501), (500, 575), (412, 616), (454, 631), (500, 643), (546, 631)),
    *((588, 616), (250, 388), (289, 356), (338, 354), (385, 388), (339, 396), (290, 397), (615, 388), (662, 354)),
    *((711, 356), (750, 388), (710, 397), (661, 396), (350, 761), (401, 733), (457, 723), (500, 733), (543, 723)),
    *((599, 733), (650, 761), (598, 787), (545, 802), (500, 806), (455, 802), (402, 787), (370, 758), (456, 755)),
    *((500, 761), (544, 755), (630, 758), (544, 759), (500, 764), (456, 759)),
)
"""68 landmarks of a face that looks straight ahead, in thousandths of the side of the canonical square: those of the
portrait that synthetic corpora are drawn from, made symmetric, with its eyes where `align` puts them."""


def corners(landmarks: npt.NDArray[np.floating], height: int, width: int) -> npt.NDArray[np.int32]:
    """The corners of the 36 regions, (36, 4, 2) int32 px x, y, truncated; landmarks are first clipped to the image."""
    points = np.clip(np.asarray(landmarks, np.float64), 0, (width - 1, height - 1))
    added = np.empty((len(RAISED) + len(MIDPOINTS), 2))
    for k, landmark in enumerate(RAISED):
        if landmark is not None:
            added[k] = points[landmark] - (0, BROW_RISE_PX * width)
    added[3] = (added[2] + added[4]) / 2
    added[len(RAISED) :] = points[np.array(MIDPOINTS)].mean(axis=1)
    added[:, 1] = np.maximum(added[:, 1], 0)
    every = np.concatenate([points, added])
    return np.asarray(every[np.array(REGIONS)]).astype(np.int32)


def region_pixels(
    landmarks: npt.NDArray[np.floating], height: int, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The pixels of the 36 regions as flat indices y w + x, region after region, and where each region starts, (37,).

    Regions are filled with their outline, so that neighbours share boundary pixels and none is empty.
    """
    pixels = []
    for polygon in corners(landmarks, height, width):
        x, y, w, h = cv2.boundingRect(polygon)
        patch = np.zeros((h, w), np.uint8)
        cv2.drawContours(patch, [polygon - np.array([x, y], np.int32)], -1, 1, -1)
        rows, columns = np.nonzero(patch)
        pixels.append((rows + y) * width + columns + x)
    starts = np.cumsum([0, *map(len, pixels)])
    return np.concatenate(pixels).astype(np.int64), starts.astype(np.int64)


def region_map(values: npt.NDArray[np.floating], side: int) -> npt.NDArray[np.float64]:
    """Importance per region (36,) drawn on a square face of `side` px, (side, side).

    What a region holds is spread evenly over its place on `FACE`; where regions meet it adds up. The map adds up to the
    values.
    """
    landmarks = np.array(FACE) * (side / 1000) - 0.5
    pixels, starts = region_pixels(landmarks, side, side)
    sizes = np.diff(starts)
    spread = np.repeat(np.asarray(values, np.float64) / sizes, sizes)
    face = np.zeros(side * side)
    np.add.at(face, pixels, spread)
    return face.reshape(side, side)

"""Local binary patterns with six intersection points (LBP-SIP).

Wang, See, Phan and Oh, LBP with six intersection points: reducing redundant information in LBP-TOP for micro-expression
recognition, ACCV 2014. The circles of LBP-TOP at P = 4 meet in six points; each is compared with the centre once.
"""

import numpy as np
import numpy.typing as npt

from .blocks import Style, block_names, describe
from .codes import Neighbourhood, Place, check_subset, grey_levels, neighbourhood
from .lbp_top import check_radii

PARTS = ("spatial", "temporal")
BINS = {"spatial": 16, "temporal": 4}


def lbp_sip(
    volume: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int, int] = (1, 1, 4),
    blocks: tuple[int, ...] = (5, 5),
    style: Style = "code-map",
    overlap: float = 0.0,
    parts: tuple[str, ...] = PARTS,
) -> npt.NDArray[np.float32]:
    """The block-wise LBP-SIP histograms, (blocks x 20,) float32; the 16 spatial and the 4 temporal bins each sum to 1.

    `volume` is (t, h, w) grey, uint8 or whole numbers in 0..255; `radii` are (Rx, Ry, Rt) in pixels and frames; blocks
    are those of `blocks.boxes`. Spatial bits 0 to 3 are x + Rx, y - Ry, x - Rx and y + Ry, temporal bits t - Rt and
    t + Rt, set where the neighbour is at least the centre. A centre keeps each radius from the sides of its own axis
    alone. Every code has its bin. The Gaussian pyramid whose levels the paper concatenates is left out, and so is a
    Wiener filter said to go before.

    Raises DataError when the volume holds no centre pixel for some block, or values that are not grey levels.
    """
    hood = sip_neighbourhood(radii, parts)
    grey = grey_levels(volume, what="LBP-SIP")
    return describe(grey, hood, mapping="full", blocks=blocks, style=style, overlap=overlap)


def sip_neighbourhood(radii: tuple[int, int, int], parts: tuple[str, ...] = PARTS) -> Neighbourhood:
    """The four neighbours in the frame and the two in time."""
    check_radii(radii, "LBP-SIP")
    check_subset(parts, PARTS, "LBP-SIP parts")
    rx, ry, rt = map(float, radii)
    places: dict[str, list[Place]] = {
        "spatial": [(0.0, 0.0, rx), (0.0, -ry, 0.0), (0.0, 0.0, -rx), (0.0, ry, 0.0)],
        "temporal": [(-rt, 0.0, 0.0), (rt, 0.0, 0.0)],
    }
    margins = radii[2], radii[1], radii[0]
    return neighbourhood({part: places[part] for part in parts}, margins, name="LBP-SIP")


def feature_names_out(*, blocks: tuple[int, ...] = (5, 5), parts: tuple[str, ...] = PARTS) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `t0_r4_c1_temporal_2` is row 4, column 1, brighter only later."""
    check_subset(parts, PARTS, "LBP-SIP parts")
    return block_names(blocks, [(part, BINS[part]) for part in parts])

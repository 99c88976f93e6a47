"""Local binary patterns from five intersecting planes (LBP-FIP).

Wei et al., Multimedia Tools and Applications, 2022, doi:10.1007/s11042-022-12360-x. What LBP-TOP reads on three planes
is joined by the eight corners of the box around a pixel, which span the two diagonal planes through the time axis.
"""

import numpy as np
import numpy.typing as npt

from .blocks import Style, block_names, describe
from .codes import Interpolation, Neighbourhood, Place, check_subset, grey_levels, neighbourhood
from .lbp_top import PLANES, check_radii, top_margins, top_places
from .mappings import Mapping, mapping_table

PARTS = (*PLANES, "vertices")
CORNERS = ((1, -1, 1), (1, 1, 1), (-1, 1, -1), (-1, -1, -1), (-1, -1, 1), (-1, 1, 1), (1, 1, -1), (1, -1, -1))
"""(y, x, t) of bits 0 to 7, in the order of the authors' code; uniform patterns are told by this order."""


def lbp_fip(
    volume: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int, int] = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: tuple[int, ...] = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
    overlap: float = 0.0,
    planes: tuple[str, ...] = PARTS,
) -> npt.NDArray[np.float32]:
    """The block-wise LBP-FIP histograms, (blocks x parts x bins,) float32; every part's histogram sums to 1.

    The planes XY, XT and YT are those of `lbp_top.lbp_top`, and so are all parameters; the part "vertices" compares the
    centre with its eight `CORNERS`, of which none is interpolated. The authors' code puts them at (+-1, +-1, +-Rt);
    here they lie at (+-Ry, +-Rx, +-Rt), the same at their Rx = Ry = 1.

    Raises DataError when the volume holds no centre pixel for some block, or values that are not grey levels.
    """
    hood = fip_neighbourhood(radii, neighbours, interpolation, planes)
    grey = grey_levels(volume, what="LBP-FIP")
    return describe(grey, hood, mapping=mapping, blocks=blocks, style=style, overlap=overlap)


def fip_neighbourhood(
    radii: tuple[int, int, int],
    neighbours: int,
    interpolation: Interpolation = "bilinear",
    planes: tuple[str, ...] = PARTS,
) -> Neighbourhood:
    """The circles of P neighbours in these planes, and the eight vertices where they are wanted."""
    check_radii(radii, "LBP-FIP")
    check_subset(planes, PARTS, "LBP-FIP planes")
    rx, ry, rt = radii
    vertices: list[Place] = [(float(t * rt), float(y * ry), float(x * rx)) for y, x, t in CORNERS]
    places = top_places(radii, neighbours) | {"vertices": vertices}
    return neighbourhood({part: places[part] for part in planes}, top_margins(radii), interpolation, "LBP-FIP")


def feature_names_out(
    *,
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: tuple[int, ...] = (5, 5),
    planes: tuple[str, ...] = PARTS,
) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `t0_r4_c1_vertices_57` is row 4, column 1, the vertices, bin 57."""
    check_subset(planes, PARTS, "LBP-FIP planes")
    counts = {part: len(CORNERS) if part == "vertices" else neighbours for part in planes}
    return block_names(blocks, [(part, mapping_table(mapping, count)[1]) for part, count in counts.items()])

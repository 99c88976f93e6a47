"""Local binary patterns of one image (LBP): what a clip's apex looks like, without its motion.

Ojala, Pietikäinen and Mäenpää, Multiresolution gray-scale and rotation invariant texture classification with local
binary patterns, IEEE TPAMI 24(7), 2002.
"""

import numpy as np
import numpy.typing as npt

from mebench import UsageError

from .blocks import Style, block_names, describe
from .codes import Interpolation, grey_levels, planar, whole_numbers
from .mappings import Mapping, mapping_table


def lbp(
    image: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int] = (1, 1),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: tuple[int, int] = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
    overlap: float = 0.0,
) -> npt.NDArray[np.float32]:
    """The block-wise LBP histograms of an image, (blocks x bins,) float32; every block's sums to 1.

    `image` is (h, w) grey, uint8 or whole numbers in 0..255; `radii` are (Rx, Ry) in pixels, and bit p is set where the
    neighbour at (-Ry sin a, Rx cos a) in (y, x), a = 2 pi p / P, is at least the centre: the XY plane of LBP-TOP. The
    rest is as in `lbp_top.lbp_top`, with blocks as (rows, columns).

    Raises DataError when the image holds no centre pixel for some block, or values that are not grey levels.
    """
    check_image_blocks(blocks)
    hood = planar(radii, neighbours, interpolation)
    grey = grey_levels(image, 2)
    return describe(grey[None], hood, mapping=mapping, blocks=blocks, style=style, overlap=overlap)


def feature_names_out(
    *, neighbours: int = 8, mapping: Mapping = "u2", blocks: tuple[int, int] = (5, 5)
) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `t0_r4_c1_xy_57` is row 4, column 1, bin 57."""
    check_image_blocks(blocks)
    return block_names(blocks, [("xy", mapping_table(mapping, neighbours)[1])])


def check_image_blocks(blocks: object) -> None:
    """Raises UsageError unless the blocks are (rows, columns): an image has no spans of time."""
    if not whole_numbers(blocks, 2):
        raise UsageError(f"LBP blocks {blocks!r} are not (rows, columns).", "Use e.g. blocks=(5, 5).")

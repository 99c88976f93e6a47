"""Local binary patterns from three orthogonal planes (LBP-TOP).

Zhao and Pietikäinen, Dynamic texture recognition using local binary patterns with an application to facial expressions,
IEEE TPAMI 29(6), 2007. Bit order and plane orientation follow the formulas below; other codes permute bits, which
permutes bins and changes nothing for a classifier that treats all bins alike.
"""

import numpy as np
import numpy.typing as npt

from mebench import UsageError

from .blocks import Style, block_names, describe
from .codes import (
    Codes,
    Interpolation,
    Neighbourhood,
    Place,
    check_subset,
    circle,
    encode,
    grey_levels,
    neighbourhood,
    whole_numbers,
)
from .mappings import Mapping, mapping_table

PLANES = ("xy", "xt", "yt")


def lbp_top(
    volume: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int, int] = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: tuple[int, ...] = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
    overlap: float = 0.0,
    planes: tuple[str, ...] = PLANES,
) -> npt.NDArray[np.float32]:
    """The block-wise LBP-TOP histograms, (blocks x planes x bins,) float32; every plane's histogram sums to 1.

    `volume` is (t, h, w) grey, uint8 or whole numbers in 0..255. `radii` are (Rx, Ry, Rt) in pixels and frames;
    `neighbours` is P; `mapping` is one of `mappings.mapping_table`: "u2" has P(P-1)+3 bins, "full" 2^P. `blocks` is
    (rows, columns) or (rows, columns, spans of time), laid out by `style` and `overlap` as in `blocks.boxes`. The
    vector runs over time spans, rows, columns, then `planes`, then bins: `feature_names_out` names each. Leaving a
    plane out changes nothing in the others.

    Raises DataError when the volume holds no centre pixel for some block, or values that are not grey levels: float
    frames must be rounded first, or ties vanish.
    """
    hood = top_neighbourhood(radii, neighbours, interpolation, planes)
    grey = grey_levels(volume, what="LBP-TOP")
    return describe(grey, hood, mapping=mapping, blocks=blocks, style=style, overlap=overlap)


def lbp_top_codes(
    volume: npt.NDArray[np.generic],
    *,
    radii: tuple[int, int, int] = (1, 1, 4),
    neighbours: int = 8,
    interpolation: Interpolation = "bilinear",
) -> Codes:
    """The code of every centre pixel in the planes XY, XT, YT: (3, t - 2 Rt, h - 2b, w - 2b), b = max(Rx, Ry).

    Bit p, of weight 2^p, is set where the neighbour at angle a = 2 pi p / P is at least the centre; its offset
    (t, y, x) is (0, -Ry sin a, Rx cos a) in XY, (Rt sin a, 0, Rx cos a) in XT and (Rt cos a, -Ry sin a, 0) in YT.
    uint8 up to P = 8, uint16 up to 16. Raises DataError when no pixel can be a centre.
    """
    hood = top_neighbourhood(radii, neighbours, interpolation)
    return encode(grey_levels(volume, what="LBP-TOP"), hood)


def feature_names_out(
    *,
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: tuple[int, ...] = (5, 5),
    planes: tuple[str, ...] = PLANES,
) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `t0_r4_c1_yt_57` is time span 0, row 4, column 1, plane YT, bin 57."""
    check_subset(planes, PLANES, "LBP-TOP planes")
    bins = mapping_table(mapping, neighbours)[1]
    return block_names(blocks, [(plane, bins) for plane in planes])


def top_neighbourhood(
    radii: tuple[int, int, int],
    neighbours: int,
    interpolation: Interpolation = "bilinear",
    planes: tuple[str, ...] = PLANES,
    name: str = "LBP-TOP",
) -> Neighbourhood:
    """The circles of P neighbours in these planes; the margins are those of all three, whichever are wanted."""
    check_radii(radii, name)
    check_subset(planes, PLANES, f"{name} planes")
    places = top_places(radii, neighbours)
    return neighbourhood({plane: places[plane] for plane in planes}, top_margins(radii), interpolation, name)


def top_places(radii: tuple[int, int, int], neighbours: int) -> dict[str, list[Place]]:
    """Where the neighbours of a centre lie in each plane."""
    rx, ry, rt = radii
    turns = circle(neighbours)
    return {
        "xy": [(0.0, -ry * sine, rx * cosine) for sine, cosine in turns],
        "xt": [(rt * sine, 0.0, rx * cosine) for sine, cosine in turns],
        "yt": [(rt * cosine, -ry * sine, 0.0) for sine, cosine in turns],
    }


def top_margins(radii: tuple[int, int, int]) -> tuple[int, int, int]:
    """(Rt, b, b): the original keeps b = max(Rx, Ry) free on all four sides."""
    border = max(radii[:2])
    return radii[2], border, border


def check_radii(radii: object, name: str) -> None:
    """Raises UsageError unless the radii are three whole numbers from 1 up."""
    if not whole_numbers(radii, 3):
        raise UsageError(f"{name} radii {radii!r} are not three whole numbers from 1 up.", "Use e.g. radii=(1, 1, 4).")


__all__ = [
    "PLANES",
    "Interpolation",
    "Mapping",
    "Style",
    "feature_names_out",
    "grey_levels",
    "lbp_top",
    "lbp_top_codes",
    "mapping_table",
    "top_neighbourhood",
]

"""Tables from local binary codes to histogram bins: all codes, uniform patterns, rotation invariance."""

from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mebench import UnknownName, UsageError

from .codes import MOST_NEIGHBOURS

Mapping = Literal["u2", "full", "ri", "riu2"]
MAPPINGS: tuple[str, ...] = get_args(Mapping)
Table = tuple[npt.NDArray[np.int64], int]


@cache
def mapping_table(mapping: Mapping, neighbours: int) -> Table:
    """The bin of every code, (2^P,) read-only, and the number of bins.

    Ojala, Pietikäinen and Mäenpää, IEEE TPAMI 24(7), 2002. With U the number of 0/1 transitions around the circle:

    * "full": every code is its own bin, 2^P;
    * "u2": codes of U <= 2 get bins in increasing order, all others share the last, P(P-1) + 3;
    * "ri": codes that are rotations of each other share a bin, in order of their least rotation, 36 at P = 8;
    * "riu2": codes of U <= 2 go by their number of ones, all others share the last bin, P + 2.

    The circle is the order of the bits. Raises UnknownName, and UsageError for other than 1 to 16 neighbours.
    """
    if mapping not in MAPPINGS:
        raise UnknownName("LBP mapping", str(mapping), MAPPINGS)
    if not 1 <= neighbours <= MOST_NEIGHBOURS:
        raise UsageError(f"An LBP mapping for {neighbours} neighbours.", f"Use 1 to {MOST_NEIGHBOURS}.")
    codes = np.arange(1 << neighbours)
    uniform = np.bitwise_count(codes ^ _rotated(codes, neighbours)) <= 2
    if mapping == "full":
        bins = codes
    elif mapping == "u2":
        bins = np.where(uniform, np.cumsum(uniform) - 1, uniform.sum())
    elif mapping == "ri":
        bins = np.unique(_least_rotation(codes, neighbours), return_inverse=True)[1]
    else:
        bins = np.where(uniform, np.bitwise_count(codes), neighbours + 1)
    table = bins.astype(np.int64)
    table.setflags(write=False)
    return table, int(table.max()) + 1


def _rotated(codes: npt.NDArray[np.int64], neighbours: int) -> npt.NDArray[np.int64]:
    """Every code with its bits moved up one place around the circle."""
    return (codes << 1 | codes >> (neighbours - 1)) & (len(codes) - 1)


def _least_rotation(codes: npt.NDArray[np.int64], neighbours: int) -> npt.NDArray[np.int64]:
    least, turned = codes, codes
    for _ in range(neighbours - 1):
        turned = _rotated(turned, neighbours)
        least = np.minimum(least, turned)
    return least

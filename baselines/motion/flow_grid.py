"""Flow itself as descriptor: its mean on a coarse grid."""

import numpy as np
import numpy.typing as npt

from .fields import COMPONENTS, block_boxes, block_names, checked_choice, disjoint_spans, flow_fields, whole_numbers

CELLS = 16
"""On twice 80 synthetic clips of eight subjects moving a pixel, one set per renderer, linear SVMs on flow of 8, 12, 16,
24 and 32 cells score a UF1 of .51, .57, .57, .59 and .59 with one subject of a set left out, and .56, .58, .59, .55 and
.58 from one set to the other: from 12 cells on nothing is gained (five classes)."""


def flow_grid(
    flow: npt.NDArray[np.floating],
    *,
    cells: int = CELLS,
    directions: tuple[str, ...] = COMPONENTS,
) -> npt.NDArray[np.float32]:
    """The mean flow of cells x cells disjoint blocks, (cells cells directions,) float32, px of the field given.

    `flow` (h, w, 2) in px, x right, y down. `directions` are the components kept, "u" and "v". Raises DataError for
    flow that is no such field or smaller than the grid, UsageError for parameters out of range.
    """
    chosen = checked_choice("directions", tuple(directions), COMPONENTS)
    grid = whole_numbers("cells", (cells, cells), 2)
    field = flow_fields(flow, "A flow grid", axes=(3,))[0]
    boxes = block_boxes(field.shape[:2], grid, "A flow grid")
    rows, columns = ([start for start, _ in disjoint_spans(length, cells)] for length in field.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(field, rows, axis=0, dtype=np.float64), columns, axis=1)
    areas = np.prod(boxes[:, 1::2] - boxes[:, ::2], axis=1).reshape(cells, cells, 1)
    return np.asarray((sums / areas)[..., list(chosen)], np.float32).ravel()


def feature_names_out(*, cells: int = CELLS, directions: tuple[str, ...] = COMPONENTS) -> npt.NDArray[np.str_]:
    """The name of every entry of the vector: `r4_c1_u` is the flow to the right in row 4, column 1."""
    checked_choice("directions", tuple(directions), COMPONENTS)
    return block_names(whole_numbers("cells", (cells, cells), 2), directions)

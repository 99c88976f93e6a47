"""What models of local binary patterns in blocks share: how their recipe is written, where their features lie."""

import numpy as np
import numpy.typing as npt

from ..learners.svm import GroupedSVC
from ..spelling import call
from .blocks import Style, boxes, grid, spread


class BlockModel(GroupedSVC):
    """An SVM on histograms of blocks of the aligned face, `size` px wide.

    A subclass keeps `size` and `blocks`, and says its margins, recipe and names.
    """

    size: int
    blocks: tuple[int, ...]
    style: Style = "code-map"
    overlap: float = 0.0

    @property
    def margins(self) -> tuple[int, int, int]:
        """Frames, rows and columns at either end of a clip that hold no centre of a code."""
        raise NotImplementedError

    def face_map(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The values of all features (d,), each spread over its block's centres, on a 64x64 face of the same sum."""
        spans = grid(self.blocks)[2]
        # As many frames as every span of time needs; where blocks lie in the image does not depend on it.
        shape = (spans * (2 * self.margins[0] + 1), self.size, self.size)
        centres = tuple(n - 2 * margin for n, margin in zip(shape, self.margins, strict=True))
        found = boxes(shape, centres, self.blocks, self.style, self.overlap)
        blocks = np.asarray(values, np.float64).reshape(len(found), -1).sum(axis=1)
        return spread(blocks, found, self.margins, self.size)


def recipe(*steps: str) -> str:
    """The recipe of these steps, empty ones left out."""
    return " > ".join(step for step in steps if step)


def clip(size: int, frames: int, magnification: float) -> str:
    """The recipe of a clip's aligned grey frames: magnified unless by 1, interpolated in time unless to 0 frames."""
    return recipe(
        "grey",  # before the warp, which costs a third of what it takes in colour
        call("align", size=size),
        call("magnify", method="linear", factor=magnification) if magnification != 1 else "",
        f"tim({frames})" if frames else "",
    )

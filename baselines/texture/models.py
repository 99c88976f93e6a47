"""Texture descriptors as models: a descriptor as recipe, and a support vector machine on it."""

from ..learners.svm import DECADES, GroupedSVC, Scaling
from .lbp_top import Mapping


class LbpTop(GroupedSVC):
    """LBP-TOP histograms of the aligned face, with a support vector machine.

    `size` is the side of the aligned face in px. `frames` is what every clip is interpolated to in time, 0 for the
    frames as recorded. `radii` to `blocks` are those of `lbp_top.lbp_top`, the rest those of `GroupedSVC`.

    Where this differs from common settings: clips are interpolated to 20 frames, because at the usual 10 a radius of 4
    leaves two centre frames; histograms are compared by the Hellinger kernel, and C is searched, where papers fix both.
    `neighbours=4, mapping="full", frames=10` is the descriptor of the MEGC 2019 baseline.
    """

    title = "LBP-TOP + SVM"
    version = 1
    fidelity = "C"
    selection = "inner"
    source = (
        "G. Zhao and M. Pietikäinen, Dynamic texture recognition using local binary patterns with an application to "
        "facial expressions, IEEE TPAMI 29(6), 2007, doi:10.1109/TPAMI.2007.1110."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = 20,
        radii: tuple[int, int, int] = (1, 1, 4),
        neighbours: int = 8,
        mapping: Mapping = "u2",
        blocks: tuple[int, ...] = (5, 5),
        kernel: str = "linear",
        scaling: Scaling = "hellinger",
        C_grid: tuple[float, ...] = DECADES,
        random_state: int = 0,
    ) -> None:
        super().__init__(kernel=kernel, scaling=scaling, C_grid=C_grid, random_state=random_state)
        self.size = size
        self.frames = frames
        self.radii = radii
        self.neighbours = neighbours
        self.mapping = mapping
        self.blocks = blocks

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        times = f" > tim({self.frames})" if self.frames else ""
        radii, blocks = (f"({', '.join(map(str, numbers))})" for numbers in (self.radii, self.blocks))
        return (
            f"align(size={self.size}) > grey{times} > "
            f"lbp-top(radii={radii}, neighbours={self.neighbours}, mapping={self.mapping}, blocks={blocks})"
        )

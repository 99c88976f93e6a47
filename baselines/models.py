"""Classical models: a descriptor as recipe, and a support vector machine on it."""

from .lbp_top import Mapping
from .mdmo import BETA
from .svm import DECADES, GroupedSVC, Scaling

MARGIN_PX = 16
"""Flow is measured with this much more image around the face: it errs at the border, where matches leave the frame."""


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


class Mdmo(GroupedSVC):
    """Main directional mean optical flow of 36 facial regions, with a support vector machine.

    Flow runs from the onset to every frame. `size` is the side of the aligned face in px, `method` the optical flow,
    `beta` the weight of magnitude against angle; `kernel`, `scaling` and `C_grid` are those of `GroupedSVC`.

    Where this differs from the paper, as far as it is known to us: DIS flow for RLOF, dlib's 68 landmarks for the 66 of
    DRMF, regions redrawn on them, an RBF kernel for the polynomial one, head motion removed by `align` before the
    affine correction of the method itself.
    """

    title = "MDMO-like + SVM"
    version = 1
    fidelity = "D"
    selection = "inner"
    source = (
        "Y.-J. Liu et al., A main directional mean optical flow feature for spontaneous micro-expression recognition, "
        "IEEE Transactions on Affective Computing 7(4), 2016, doi:10.1109/TAFFC.2015.2485205."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        method: str = "dis",
        beta: float = BETA,
        kernel: str = "rbf",
        scaling: Scaling = "none",
        C_grid: tuple[float, ...] = DECADES,
        random_state: int = 0,
    ) -> None:
        super().__init__(kernel=kernel, scaling=scaling, C_grid=C_grid, random_state=random_state)
        self.size = size
        self.method = method
        self.beta = beta

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        return (
            f"align(size={self.size}, margin={MARGIN_PX}) > grey > flow({self.method}, mode=onset-each) > "
            f"trim({MARGIN_PX}) > mdmo(beta={self.beta})"
        )

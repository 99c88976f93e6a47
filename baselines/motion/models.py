"""Flow descriptors as models: a descriptor as recipe, and a support vector machine on it."""

from ..learners.svm import DECADES, GroupedSVC, Scaling
from .mdmo import BETA

MARGIN_PX = 16
"""Flow is measured with this much more image around the face: it errs at the border, where matches leave the frame."""


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

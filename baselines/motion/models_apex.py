"""Flow from the onset to the apex as models: a descriptor as recipe, and a support vector machine on it."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mebench import Preset

from ..learners.svm import DECADES, GroupedSVC, Scaling
from ..spelling import call
from . import bi_woof, flow_grid
from .bi_woof import BINS, Reading
from .fields import COMPONENTS, block_map
from .models import SEARCHED, WEIGHTED, Names, Weight
from .recipes import apex_flow

Scheme = Literal["central", "backward"]
LIONG = (
    "S.-T. Liong, J. See, K. Wong and R. C.-W. Phan, Less is more: micro-expression recognition from video using apex "
    "frame, Signal Processing: Image Communication 62, 2018, doi:10.1016/j.image.2017.11.006."
)


class BiWoof(GroupedSVC):
    """Bi-weighted oriented optical flow from onset to apex, with a support vector machine.

    `size` is the side of the aligned face in px, `method` the optical flow, `strain` the derivative scheme of the
    optical strain; `reading`, `blocks` and `directions` are those of `bi_woof.bi_woof`, the rest those of `GroupedSVC`.
    """

    title = "Bi-WOOF + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "C"
    selection = "inner"
    source = LIONG
    deviations: ClassVar[tuple[str, ...]] = (
        "Flow is dense inverse search, where the paper takes TV-L1, which reads motion below a pixel short.",
        "Strain is derived by central differences, where the authors' lineage takes backward ones.",
        "The apex is the coded one, the middle frame where none is coded; the paper spots it on SMIC.",
        "Head motion is removed from the images before flow is measured.",
        SEARCHED,
        WEIGHTED,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "liong2018": Preset(
            {"method": "tvl1", "strain": "backward", "C_grid": (10000.0,), "class_weight": None},
            f"{LIONG} TV-L1, 5x5 blocks, eight bins, linear SVM; C = 10000 stands in the authors' earlier code "
            "(unconfirmed for this paper).",
        ),
        "released": Preset(
            {
                "reading": "released",
                "method": "tvl1",
                "strain": "backward",
                "C_grid": (10000.0,),
                "class_weight": None,
            },
            "christy1206/biwoof, biwoof.m: histc edges, block sums, overlapping blocks; C = 10000 stands in the "
            "authors' earlier code (unconfirmed).",
        ),
    }
    cost = (
        "0.16 s per clip of 70x170x140 on one core: .12 alignment, .04 flow, .002 strain and the descriptor. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        method: str = "dis",
        strain: Scheme = "central",
        reading: Reading = "paper",
        blocks: tuple[int, int] = bi_woof.BLOCKS,
        directions: tuple[int, ...] = tuple(range(BINS)),
        kernel: str = "linear",
        scaling: Scaling = "none",
        C_grid: tuple[float, ...] = DECADES,
        class_weight: Weight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(
            kernel=kernel, scaling=scaling, C_grid=C_grid, class_weight=class_weight, random_state=random_state
        )
        self.size = size
        self.method = method
        self.strain = strain
        self.reading = reading
        self.blocks = blocks
        self.directions = directions

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        described = call("bi-woof", reading=self.reading, blocks=self.blocks, directions=self.directions)
        return f"{apex_flow(self.size, self.method, self.strain)} > {described}"

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return bi_woof.feature_names_out(blocks=self.blocks, directions=self.directions)

    def face_map(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The values of all features (d,), each spread over its block of a 64x64 face, of the same sum."""
        return block_map(values, self.blocks)


class FlowSvm(GroupedSVC):
    """Flow from onset to apex on a coarse grid, with a linear support vector machine: the simple baseline.

    `size` is the side of the aligned face in px, `method` the optical flow; `cells` and `directions` are those of
    `flow_grid.flow_grid`; `scaling` "standard" standardises every feature on the training rows; the rest are those of
    `GroupedSVC`. Flow is taken as it is, in px: a cell of background that stands still in training has next to no
    variance, and standardised it drowns the face wherever backgrounds move (`python -m benchmarks.renderers`).
    """

    title = "Onset-apex flow + linear SVM"
    version = 2
    fidelity: ClassVar[str | None] = None
    selection = "inner"
    source = "No paper: what a first look at flow gives; tvaranka/meb reports flow of 32x32 px with an SVM alike."
    deviations: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = (
        "0.16 s per clip of 70x170x140 on one core: .12 alignment, .04 flow, .001 the descriptor. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        method: str = "dis",
        cells: int = flow_grid.CELLS,
        directions: tuple[str, ...] = COMPONENTS,
        kernel: str = "linear",
        scaling: Scaling = "none",
        C_grid: tuple[float, ...] = DECADES,
        class_weight: Weight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(
            kernel=kernel, scaling=scaling, C_grid=C_grid, class_weight=class_weight, random_state=random_state
        )
        self.size = size
        self.method = method
        self.cells = cells
        self.directions = directions

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        described = call("flow-grid", cells=self.cells, directions=self.directions)
        return f"{apex_flow(self.size, self.method)} > {described}"

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return flow_grid.feature_names_out(cells=self.cells, directions=self.directions)

    def face_map(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The values of all features (d,), each spread over its cell of a 64x64 face, of the same sum."""
        return block_map(values, (self.cells, self.cells))

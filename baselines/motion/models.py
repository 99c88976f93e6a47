"""Flow of whole clips as models: a descriptor as recipe, and a support vector machine on it."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mebench import DataError, Preset

from ..learners.svm import DECADES, GroupedSVC, Scaling
from ..spelling import call
from . import fdm, hoof
from . import mdmo as mdmo_definition
from .fields import COMPONENTS, FACE_SIDE, block_map
from .mdmo import BETA, DIRECTIONS, PARTS, Averaging
from .recipes import clip_flow
from .regions import REGIONS, region_map

Names = npt.NDArray[np.str_]
Weight = Literal["balanced"] | None
FRAMES = 20
SEARCHED = "C is searched inside the training fold on other subjects, where papers fix it or do not say."
WEIGHTED = "Classes are weighted by the inverse of their frequency."
TIMED = "Clips are interpolated to 20 frames before flow is measured, which makes 19 fields of any clip."
DENSE = "Flow is dense inverse search in its fast setting, where papers use others."
ALIGNED = "Head motion is removed from the images before flow is measured."
COMMON = (ALIGNED, TIMED, DENSE, SEARCHED, WEIGHTED)


class Mdmo(GroupedSVC):
    """Main directional mean optical flow of 36 facial regions, with a support vector machine.

    Flow runs from the onset to every frame. `size` is the side of the aligned face in px, `frames` what every clip is
    interpolated to in time before, 0 for the frames as recorded, `method` the optical flow; `beta`, `refine` (there
    `align`), `averaging` and `directions` are those of `mdmo.mdmo`, the rest those of `GroupedSVC`.
    """

    title = "MDMO-like + SVM"
    version = 2
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "Y.-J. Liu et al., A main directional mean optical flow feature for spontaneous micro-expression recognition, "
        "IEEE Transactions on Affective Computing 7(4), 2016, doi:10.1109/TAFFC.2015.2485205."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "Regions are redrawn on the 68 landmarks of dlib, for the 66 of DRMF; the forehead's height is our choice.",
        "beta is that of tvaranka/meb, which the paper tunes per corpus.",
        "The kernel is RBF, as in tvaranka/meb, where the paper's is polynomial as far as we know.",
        "Frames are averaged alike, region by region, as vectors; averaging=magnitude weights them.",
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "meb": Preset(
            {
                "method": "farneback",
                "frames": 0,
                "refine": False,
                "averaging": "magnitude",
                "C_grid": (28.0,),
                "class_weight": None,
            },
            "tvaranka/meb, traditional_methods.py: Farnebäck flow of every frame, alignment commented out, RBF SVM "
            "with C = 28, beta .8; its nine bins and its weighting by angles are errors we do not repeat.",
        ),
    }
    cost = (
        "0.36 s per clip of 70x170x140 on one core: .12 alignment, .23 flow of 19 pairs, .003 the descriptor. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = FRAMES,
        method: str = "dis-fast",
        beta: float = BETA,
        refine: bool = True,
        averaging: Averaging = "frames",
        directions: tuple[int, ...] = DIRECTIONS,
        kernel: str = "rbf",
        scaling: Scaling = "none",
        C_grid: tuple[float, ...] = DECADES,
        class_weight: Weight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(
            kernel=kernel, scaling=scaling, C_grid=C_grid, class_weight=class_weight, random_state=random_state
        )
        self.size = size
        self.frames = frames
        self.method = method
        self.beta = beta
        self.refine = refine
        self.averaging = averaging
        self.directions = directions

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        named = {"averaging": self.averaging, "directions": self.directions}
        described = call("mdmo", beta=self.beta, align=self.refine, **named)
        return f"{clip_flow(self.size, self.frames, self.method, 'onset-each')} > {described}"

    def feature_names_out(self) -> Names:
        """The name of every feature, (72,)."""
        return mdmo_definition.feature_names_out()

    def face_map(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The values of all features (72,), each spread over its region of a 64x64 face, of the same sum."""
        if values.shape != (len(PARTS) * len(REGIONS),):
            raise DataError(
                f"{values.shape} values of importance do not belong to MDMO.", "Give one value per feature."
            )
        return region_map(values.reshape(len(PARTS), -1).sum(axis=0), FACE_SIDE)


class Hoof(GroupedSVC):
    """Histograms of oriented optical flow in blocks of the aligned face, with a support vector machine.

    Flow runs from the onset to every frame. `size`, `frames` and `method` are those of `Mdmo`, `bins` to `directions`
    those of `hoof.hoof`, the rest those of `GroupedSVC`.
    """

    title = "HOOF-like + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "R. Chaudhry, A. Ravichandran, G. Hager and R. Vidal, Histograms of oriented optical flow and Binet-Cauchy "
        "kernels on nonlinear dynamical systems for the recognition of human actions, CVPR 2009, "
        "doi:10.1109/CVPR.2009.5206821."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "Each block of 5x5 has a histogram, where the paper has one for the whole image.",
        "The frames share one histogram, where the paper compares their series as dynamical systems.",
        "Flow runs from the onset, where the paper takes it between consecutive frames.",
        "Eight bins, as papers on micro-expressions, where the paper takes 30.",
        "Histograms are compared by the Hellinger kernel.",
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "chaudhry2009": Preset(
            {"bins": 30, "blocks": (1, 1)},
            "Chaudhry et al., CVPR 2009, section 3: 30 bins, one histogram per frame (unconfirmed); its series of "
            "frames is pooled here.",
        ),
    }
    cost = (
        "0.36 s per clip of 70x170x140 on one core: .12 alignment, .23 flow of 19 pairs, .009 the descriptor. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = FRAMES,
        method: str = "dis-fast",
        bins: int = hoof.BINS,
        blocks: tuple[int, int] = hoof.BLOCKS,
        spans: int = 1,
        directions: tuple[int, ...] = (),
        kernel: str = "linear",
        scaling: Scaling = "hellinger",
        C_grid: tuple[float, ...] = DECADES,
        class_weight: Weight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(
            kernel=kernel, scaling=scaling, C_grid=C_grid, class_weight=class_weight, random_state=random_state
        )
        self.size = size
        self.frames = frames
        self.method = method
        self.bins = bins
        self.blocks = blocks
        self.spans = spans
        self.directions = directions

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        described = call("hoof", bins=self.bins, blocks=self.blocks, spans=self.spans, directions=self.directions)
        return f"{clip_flow(self.size, self.frames, self.method, 'onset-each')} > {described}"

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return hoof.feature_names_out(bins=self.bins, blocks=self.blocks, spans=self.spans, directions=self.directions)

    def face_map(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The values of all features (d,), each spread over its block of a 64x64 face, of the same sum."""
        return block_map(values, (self.spans, *self.blocks))


class Fdm(GroupedSVC):
    """The facial dynamics map of the aligned face, with a support vector machine.

    Flow runs from each frame to the next. `size`, `frames` and `method` are those of `Mdmo`, `blocks` to `directions`
    those of `fdm.fdm`, the rest those of `GroupedSVC`.
    """

    title = "FDM-like + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "F. Xu, J. Zhang and J. Z. Wang, Microexpression identification and categorization using a facial dynamics "
        "map, IEEE Transactions on Affective Computing 8(2), 2017, doi:10.1109/TAFFC.2016.2518162."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "Near zero means .1 px along both axes, and translations are searched on a lattice of that step.",
        "The iteration starts from the best of eight directions.",
        "Vectors against the principal direction count as no motion in its length.",
        "8x8 blocks and 4 spans of time are our choice: the paper tries several and its best are not known to us.",
        "Frames are interpolated before flow is measured, where the paper interpolates after its alignment.",
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = (
        "0.38 s per clip of 70x170x140 on one core: .12 alignment, .23 flow of 19 pairs, .03 the descriptor. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = FRAMES,
        method: str = "dis-fast",
        blocks: tuple[int, int] = fdm.BLOCKS,
        spans: int = fdm.SPANS,
        still_px: float = fdm.STILL_PX,
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
        self.frames = frames
        self.method = method
        self.blocks = blocks
        self.spans = spans
        self.still_px = still_px
        self.directions = directions

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        described = call(
            "fdm", blocks=self.blocks, spans=self.spans, still_px=self.still_px, directions=self.directions
        )
        return f"{clip_flow(self.size, self.frames, self.method, 'consecutive')} > {described}"

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return fdm.feature_names_out(blocks=self.blocks, spans=self.spans, directions=self.directions)

    def face_map(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The values of all features (d,), each spread over its block of a 64x64 face, of the same sum."""
        return block_map(values, (self.spans, *self.blocks))

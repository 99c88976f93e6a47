"""Local binary patterns of clips as models: a descriptor as recipe, and a support vector machine on it."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mebench import Preset

from ..learners.svm import DECADES, Scaling
from ..spelling import call
from . import lbp_fip, lbp_sip, lbp_top, presets
from .block_model import BlockModel, clip, recipe
from .blocks import Style
from .codes import Interpolation
from .mappings import Mapping as Bins

Weight = Literal["balanced"] | None
Names = npt.NDArray[np.str_]
HELLINGER = "Histograms are compared by the Hellinger kernel, where papers compare them as they are."
SEARCHED = "C is searched inside the training fold on other subjects, where papers fix it or do not say."
TIMED = "Clips are interpolated to 20 frames, because at the usual 10 a temporal radius of 4 leaves two centre frames."
WEIGHTED = "Classes are weighted by the inverse of their frequency."
COMMON = (TIMED, HELLINGER, SEARCHED, WEIGHTED)


class LbpTop(BlockModel):
    """LBP-TOP histograms of the aligned face, with a support vector machine.

    `size` is the side of the aligned face in px. `frames` is what every clip is interpolated to in time, 0 for the
    frames as recorded; `magnification` the factor of linear Eulerian magnification before, 1 for none. `radii` to
    `planes` are those of `lbp_top.lbp_top`, the rest those of `GroupedSVC`.
    """

    title = "LBP-TOP + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "C"
    selection = "inner"
    source = (
        "G. Zhao and M. Pietikäinen, Dynamic texture recognition using local binary patterns with an application to "
        "facial expressions, IEEE TPAMI 29(6), 2007, doi:10.1109/TPAMI.2007.1110."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "Codes are computed once on the whole clip and their map is split into blocks, so that blocks lose no border.",
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = presets.LBP_TOP
    cost = "0.012 s per clip of 70x170x140 px on one core, measured by `python -m benchmarks.descriptors`."
    step: ClassVar[str] = "lbp-top"

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = 20,
        magnification: float = 1.0,
        radii: tuple[int, int, int] = (1, 1, 4),
        neighbours: int = 8,
        mapping: Bins = "u2",
        blocks: tuple[int, ...] = (5, 5),
        interpolation: Interpolation = "bilinear",
        style: Style = "code-map",
        overlap: float = 0.0,
        planes: tuple[str, ...] = lbp_top.PLANES,
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
        self.magnification = magnification
        self.radii = radii
        self.neighbours = neighbours
        self.mapping = mapping
        self.blocks = blocks
        self.interpolation = interpolation
        self.style = style
        self.overlap = overlap
        self.planes = planes

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        described = call(
            self.step,
            radii=self.radii,
            neighbours=self.neighbours,
            mapping=self.mapping,
            blocks=self.blocks,
            interpolation=self.interpolation,
            style=self.style,
            overlap=self.overlap,
            planes=self.planes,
        )
        return recipe(clip(self.size, self.frames, self.magnification), described)

    @property
    def margins(self) -> tuple[int, int, int]:
        """Frames, rows and columns at either end of a clip that hold no centre of a code."""
        return lbp_top.top_margins(self.radii)

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return lbp_top.feature_names_out(
            neighbours=self.neighbours, mapping=self.mapping, blocks=self.blocks, planes=self.planes
        )


class LbpFip(LbpTop):
    """LBP-FIP histograms of the aligned face, with a support vector machine.

    The parameters are those of `LbpTop`; `planes` may hold "vertices" too.
    """

    title = "LBP-FIP + SVM"
    version = 1
    fidelity = "C"
    source = (
        "J. Wei, G. Lu, J. Yan and H. Liu, Micro-expression recognition using local binary pattern from five "
        "intersecting planes, Multimedia Tools and Applications 81, 2022, doi:10.1007/s11042-022-12360-x."
    )
    deviations = (
        "Codes are computed once on the whole clip and their map is split into blocks; the authors' code crops blocks.",
        "Clips are not magnified by default; the authors magnify by alpha = 26.",
        "The vertices follow the spatial radii, where the authors' code fixes them at 1 px.",
        *COMMON,
    )
    presets = presets.LBP_FIP
    cost = "0.015 s per clip of 70x170x140 px on one core, measured by `python -m benchmarks.descriptors`."
    step = "lbp-fip"

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = 20,
        magnification: float = 1.0,
        radii: tuple[int, int, int] = (1, 1, 4),
        neighbours: int = 8,
        mapping: Bins = "u2",
        blocks: tuple[int, ...] = (5, 5),
        interpolation: Interpolation = "bilinear",
        style: Style = "code-map",
        overlap: float = 0.0,
        planes: tuple[str, ...] = lbp_fip.PARTS,
        kernel: str = "linear",
        scaling: Scaling = "hellinger",
        C_grid: tuple[float, ...] = DECADES,
        class_weight: Weight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(
            size=size,
            frames=frames,
            magnification=magnification,
            radii=radii,
            neighbours=neighbours,
            mapping=mapping,
            blocks=blocks,
            interpolation=interpolation,
            style=style,
            overlap=overlap,
            planes=planes,
            kernel=kernel,
            scaling=scaling,
            C_grid=C_grid,
            class_weight=class_weight,
            random_state=random_state,
        )

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return lbp_fip.feature_names_out(
            neighbours=self.neighbours, mapping=self.mapping, blocks=self.blocks, planes=self.planes
        )


class LbpSip(BlockModel):
    """LBP-SIP histograms of the aligned face, with a support vector machine.

    `size`, `frames` and `magnification` are those of `LbpTop`, `radii` to `parts` those of `lbp_sip.lbp_sip`, the rest
    those of `GroupedSVC`.
    """

    title = "LBP-SIP-like + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "Y. Wang, J. See, R. C.-W. Phan and Y.-H. Oh, LBP with six intersection points: reducing redundant information "
        "in LBP-TOP for micro-expression recognition, ACCV 2014, doi:10.1007/978-3-319-16865-4_34."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "The Gaussian pyramid whose levels the paper concatenates and a Wiener filter said to go before are left out.",
        "Radii and blocks are our choice: those of the paper are not known to us.",
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = "0.005 s per clip of 70x170x140 px on one core, measured by `python -m benchmarks.descriptors`."

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = 20,
        magnification: float = 1.0,
        radii: tuple[int, int, int] = (1, 1, 4),
        blocks: tuple[int, ...] = (5, 5),
        style: Style = "code-map",
        overlap: float = 0.0,
        parts: tuple[str, ...] = lbp_sip.PARTS,
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
        self.magnification = magnification
        self.radii = radii
        self.blocks = blocks
        self.style = style
        self.overlap = overlap
        self.parts = parts

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        kept = {name: getattr(self, name) for name in ("radii", "blocks", "style", "overlap", "parts")}
        return recipe(clip(self.size, self.frames, self.magnification), call("lbp-sip", **kept))

    @property
    def margins(self) -> tuple[int, int, int]:
        """Frames, rows and columns at either end of a clip that hold no centre of a code."""
        return lbp_sip.sip_neighbourhood(self.radii).margins

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return lbp_sip.feature_names_out(blocks=self.blocks, parts=self.parts)

"""Local binary patterns of images as models: of a clip's mean images, and of its apex alone."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from mebench import Preset

from ..learners.svm import DECADES, Scaling
from ..spelling import call
from . import lbp, lbp_mop
from .block_model import BlockModel, clip, recipe
from .blocks import Style
from .codes import Interpolation
from .lbp_top import top_margins
from .mappings import Mapping as Bins
from .models import COMMON, HELLINGER, SEARCHED, WEIGHTED, Names, Weight


class LbpMop(BlockModel):
    """LBP-MOP histograms of the aligned face, with a support vector machine.

    `size`, `frames` and `magnification` are those of `LbpTop`, `radii` to `planes` those of `lbp_mop.lbp_mop`, the rest
    those of `GroupedSVC`.
    """

    title = "LBP-MOP-like + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "Y. Wang, J. See, R. C.-W. Phan and Y.-H. Oh, Efficient spatio-temporal local binary patterns for spontaneous "
        "facial micro-expression recognition, PLoS ONE 10(5), 2015, doi:10.1371/journal.pone.0124674."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "How the paper cuts blocks is not known to us: here every block has mean images of its own.",
        "Mean images are not rounded to grey levels.",
        "Radii, neighbours, mapping and blocks are our choice: those of the paper are not known to us.",
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = "0.009 s per clip of 70x170x140 px on one core, measured by `python -m benchmarks.descriptors`."

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
        planes: tuple[str, ...] = lbp_mop.PLANES,
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
        self.planes = planes

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        names = ("radii", "neighbours", "mapping", "blocks", "interpolation", "planes")
        described = call("lbp-mop", **{name: getattr(self, name) for name in names})
        return recipe(clip(self.size, self.frames, self.magnification), described)

    @property
    def margins(self) -> tuple[int, int, int]:
        """Frames, rows and columns at either end of a clip that hold no centre of a code."""
        return top_margins(self.radii)

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return lbp_mop.feature_names_out(
            neighbours=self.neighbours, mapping=self.mapping, blocks=self.blocks, planes=self.planes
        )


class LbpApex(BlockModel):
    """LBP histograms of the aligned apex image, with a support vector machine: what looks give away without motion.

    `peak` "coded" takes the apex the corpus codes, "middle" the middle frame of every clip. `size` is the side of the
    aligned face in px, `radii` to `overlap` are those of `lbp.lbp`, the rest those of `GroupedSVC`.
    """

    title = "LBP of the apex + SVM"
    version = 1
    fidelity: ClassVar[str | None] = None
    selection = "inner"
    source = (
        "T. Ojala, M. Pietikäinen and T. Mäenpää, Multiresolution gray-scale and rotation invariant texture "
        "classification with local binary patterns, IEEE TPAMI 24(7), 2002, doi:10.1109/TPAMI.2002.1017623."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "The paper describes whole textures; blocks of a face and the apex are the field's use of it.",
        HELLINGER,
        SEARCHED,
        WEIGHTED,
    )
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = "0.0004 s per image of 170x140 px on one core, measured by `python -m benchmarks.descriptors`."

    def __init__(
        self,
        *,
        size: int = 128,
        peak: Literal["coded", "middle"] = "coded",
        radii: tuple[int, int] = (1, 1),
        neighbours: int = 8,
        mapping: Bins = "u2",
        blocks: tuple[int, int] = (5, 5),
        interpolation: Interpolation = "bilinear",
        style: Style = "code-map",
        overlap: float = 0.0,
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
        self.peak = peak
        self.radii = radii
        self.neighbours = neighbours
        self.mapping = mapping
        self.blocks: tuple[int, int] = blocks
        self.interpolation = interpolation
        self.style = style
        self.overlap = overlap

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        names = ("radii", "neighbours", "mapping", "blocks", "interpolation", "style", "overlap")
        described = call("lbp", **{name: getattr(self, name) for name in names})
        return recipe("grey", call("align", size=self.size), call("apex", source=self.peak), described)

    @property
    def margins(self) -> tuple[int, int, int]:
        """No frames; rows and columns at either side of the image that hold no centre of a code."""
        border = max(self.radii)
        return 0, border, border

    def feature_names_out(self) -> Names:
        """The name of every feature, (d,)."""
        return lbp.feature_names_out(neighbours=self.neighbours, mapping=self.mapping, blocks=self.blocks)

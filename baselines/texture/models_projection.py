"""Projection and gradient descriptors as models: a descriptor as recipe, and a support vector machine on it."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mebench import Preset

from ..learners.kernels import Scaling
from ..learners.selection import DEVIATION, GroupSelectedSVC
from ..learners.svm import DECADES, GroupedSVC
from ..spelling import call
from . import gradients, projections
from .block_model import BlockModel, clip, recipe
from .models import HELLINGER, SEARCHED, WEIGHTED, Names, Weight

COMMON = ("Clips are interpolated to 20 frames.", HELLINGER, SEARCHED, WEIGHTED)
BLOCKS = "The face is aligned to 128x128 px and divided into 5x5 blocks; every histogram of a block sums to 1."


class ProjectionModel(BlockModel):
    """What the models on integral projections share: the parameters of `projections.stlbp_ip`, as attributes."""

    step: ClassVar[str]
    frames: int
    blocks: tuple[int, int]
    window: int
    planes: tuple[str, ...]
    parts: tuple[str, ...]

    @property
    def margins(self) -> tuple[int, int, int]:
        """None: a block's projections are made of all its pixels."""
        return (0, 0, 0)

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        described = call(self.step, blocks=self.blocks, window=self.window, planes=self.planes, parts=self.parts)
        return recipe(clip(self.size, self.frames, 1), described)

    def feature_names_out(self) -> Names:
        """The name of every feature; see `projections.feature_names_out`."""
        return projections.feature_names_out(
            blocks=self.blocks, window=self.window, planes=self.planes, parts=self.parts
        )


class StlbpIp(ProjectionModel):
    """STLBP-IP histograms of the aligned face, with a support vector machine.

    `size` is the side of the aligned face in px. `frames` is what every clip is interpolated to in time, 0 for the
    frames as recorded. `blocks` to `parts` are those of `projections.stlbp_ip`, the rest those of `GroupedSVC`.
    """

    title = "STLBP-IP-like + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "X. Huang, S.-J. Wang, G. Zhao and M. Pietikäinen, Facial micro-expression recognition using spatiotemporal "
        "local binary pattern with integral projection, ICCV workshops 2015, doi:10.1109/ICCVW.2015.10."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "The descriptor is read from a third party's code and mended: differences keep their sign, frames weigh alike.",
        BLOCKS,
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "huang-2015": Preset(
            {"window": 9, "kernel": "chi2", "scaling": "none"},
            "Huang et al., ICCV workshops 2015: mask of 9 pixels; chi-square kernel unconfirmed, number of blocks "
            "unknown to us",
        )
    }
    cost = (
        "0.005 s per 70x170x140 clip on one core, alignment apart. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )
    step = "stlbp-ip"

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = 20,
        blocks: tuple[int, int] = projections.BLOCKS,
        window: int = projections.WINDOW,
        planes: tuple[str, ...] = projections.PLANES,
        parts: tuple[str, ...] = projections.PARTS,
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
        self.blocks = blocks
        self.window = window
        self.planes = planes
        self.parts = parts


class DistlbpRip(ProjectionModel, GroupSelectedSVC):
    """DiSTLBP-RIP histograms of the aligned face, with a support vector machine on the blocks that part classes.

    `size` to `parts` are those of `StlbpIp`; `kept_grid` holds the numbers of blocks to choose from, and the rest are
    those of `GroupSelectedSVC`.
    """

    title = "DiSTLBP-RIP-like + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "X. Huang et al., Discriminative spatiotemporal local binary pattern with revisited integral projection for "
        "spontaneous facial micro-expression recognition, IEEE Transactions on Affective Computing 10(1), 2019, "
        "doi:10.1109/TAFFC.2017.2713359."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        DEVIATION,
        "The parameters of robust PCA are its authors' defaults (unconfirmed); the paper's are unknown to us.",
        BLOCKS,
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = (
        "1.0 s per 70x170x140 clip on one core, 0.1 s at 20 frames of 128x128 px, alignment apart. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )
    step = "distlbp-rip"

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = 20,
        blocks: tuple[int, int] = projections.BLOCKS,
        window: int = projections.WINDOW,
        planes: tuple[str, ...] = projections.PLANES,
        parts: tuple[str, ...] = projections.PARTS,
        kept_grid: tuple[int, ...] = (5, 10, 15, 20, 25),
        kernel: str = "linear",
        scaling: Scaling = "hellinger",
        C_grid: tuple[float, ...] = DECADES,
        class_weight: Weight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(
            kept_grid=kept_grid,
            kernel=kernel,
            scaling=scaling,
            C_grid=C_grid,
            class_weight=class_weight,
            random_state=random_state,
        )
        self.size = size
        self.frames = frames
        self.blocks = blocks
        self.window = window
        self.planes = planes
        self.parts = parts

    def _check_parameters(self) -> None:
        # a group is a block; set here, because every parameter of the descriptor may have been set since
        self.group_size = len(self.feature_names_out()) // (self.blocks[0] * self.blocks[1])
        super()._check_parameters()


class Hog3d(GroupedSVC):
    """3DHOG histograms of twelve regions of the aligned face, with a support vector machine.

    `size` is the side of the aligned face in px. `frames` is what every clip is interpolated to in time, 0 for the
    frames as recorded. `planes` are those of `gradients.hog3d`, the rest those of `GroupedSVC`.
    """

    title = "3DHOG-like + SVM"
    version = 1
    fidelity: ClassVar[str | None] = "D"
    selection = "inner"
    source = (
        "S. Polikovsky, Y. Kameda and Y. Ohta, Facial micro-expressions recognition using high speed camera and "
        "3D-gradient descriptor, ICDP 2009, doi:10.1049/ic.2009.0244."
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "The twelve regions are squares of ours on dlib's landmarks; the paper's figure was not available to us.",
        "Gradients weigh by their length, and angles keep their sign over the full circle: both are our reading.",
        "One histogram per region and plane covers the whole clip; the paper describes single frames (unconfirmed).",
        *COMMON,
    )
    presets: ClassVar[Mapping[str, Preset]] = {}
    cost = (
        "0.006 s per 70x170x140 clip on one core, alignment apart. "
        "The descriptor is timed by `python -m benchmarks.descriptors`."
    )

    def __init__(
        self,
        *,
        size: int = 128,
        frames: int = 20,
        planes: tuple[str, ...] = gradients.PLANES,
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
        self.planes = planes

    def inputs(self) -> str:
        """The recipe of the descriptor."""
        return recipe(clip(self.size, self.frames, 1), call("hog3d", planes=self.planes))

    def feature_names_out(self) -> Names:
        """The name of every feature; see `gradients.feature_names_out`."""
        return gradients.feature_names_out(planes=self.planes)

    def face_map(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The values per feature (d,) spread over their regions of a typical 64x64 face."""
        return gradients.face_map(values)

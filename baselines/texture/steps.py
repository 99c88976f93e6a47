"""Local binary patterns as recipe steps: `... > grey > tim(20) > lbp-top(blocks=(5, 5))`."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench import Sample, step

from . import lbp as lbp_module
from . import lbp_fip as lbp_fip_module
from . import lbp_mop as lbp_mop_module
from . import lbp_sip as lbp_sip_module
from . import lbp_top as lbp_top_module
from .blocks import Style
from .codes import Interpolation
from .mappings import Mapping


@step("lbp-top", 1, accepts={"frames"}, gives="vector")
def lbp_top(
    sample: Sample,
    radii: Any = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: Any = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
    overlap: float = 0.0,
    planes: Any = lbp_top_module.PLANES,
) -> Sample:
    """The LBP-TOP vector of grey frames (t, h, w) uint8; see `texture.lbp_top.lbp_top`."""
    vector = lbp_top_module.lbp_top(
        sample.array,
        radii=radii,
        neighbours=neighbours,
        mapping=mapping,
        blocks=blocks,
        interpolation=interpolation,
        style=style,
        overlap=overlap,
        planes=planes,
    )
    return _described(sample, vector)


@step("lbp-fip", 1, accepts={"frames"}, gives="vector")
def lbp_fip(
    sample: Sample,
    radii: Any = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: Any = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
    overlap: float = 0.0,
    planes: Any = lbp_fip_module.PARTS,
) -> Sample:
    """The LBP-FIP vector of grey frames (t, h, w) uint8; see `texture.lbp_fip.lbp_fip`."""
    vector = lbp_fip_module.lbp_fip(
        sample.array,
        radii=radii,
        neighbours=neighbours,
        mapping=mapping,
        blocks=blocks,
        interpolation=interpolation,
        style=style,
        overlap=overlap,
        planes=planes,
    )
    return _described(sample, vector)


@step("lbp-sip", 1, accepts={"frames"}, gives="vector")
def lbp_sip(
    sample: Sample,
    radii: Any = (1, 1, 4),
    blocks: Any = (5, 5),
    style: Style = "code-map",
    overlap: float = 0.0,
    parts: Any = lbp_sip_module.PARTS,
) -> Sample:
    """The LBP-SIP vector of grey frames (t, h, w) uint8; see `texture.lbp_sip.lbp_sip`."""
    vector = lbp_sip_module.lbp_sip(sample.array, radii=radii, blocks=blocks, style=style, overlap=overlap, parts=parts)
    return _described(sample, vector)


@step("lbp-mop", 1, accepts={"frames"}, gives="vector")
def lbp_mop(
    sample: Sample,
    radii: Any = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: Any = (5, 5),
    interpolation: Interpolation = "bilinear",
    planes: Any = lbp_mop_module.PLANES,
) -> Sample:
    """The LBP-MOP vector of grey frames (t, h, w) uint8; see `texture.lbp_mop.lbp_mop`."""
    vector = lbp_mop_module.lbp_mop(
        sample.array,
        radii=radii,
        neighbours=neighbours,
        mapping=mapping,
        blocks=blocks,
        interpolation=interpolation,
        planes=planes,
    )
    return _described(sample, vector)


@step("lbp", 1, accepts={"image"}, gives="vector")
def lbp(
    sample: Sample,
    radii: Any = (1, 1),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: Any = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
    overlap: float = 0.0,
) -> Sample:
    """The LBP vector of a grey image (h, w) uint8; see `texture.lbp.lbp`."""
    vector = lbp_module.lbp(
        sample.array,
        radii=radii,
        neighbours=neighbours,
        mapping=mapping,
        blocks=blocks,
        interpolation=interpolation,
        style=style,
        overlap=overlap,
    )
    return _described(sample, vector)


def _described(sample: Sample, vector: npt.NDArray[np.float32]) -> Sample:
    return replace(sample, array=vector, kind="vector")

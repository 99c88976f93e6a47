"""Texture descriptors as recipe steps: `... > grey > tim(20) > lbp-top(blocks=(5, 5))`."""

from dataclasses import replace
from typing import Any

from mebench import Sample, step

from .lbp_top import Interpolation, Mapping, Style
from .lbp_top import lbp_top as lbp_top_vector


@step("lbp-top", 1, accepts={"frames"}, gives="vector")
def lbp_top(
    sample: Sample,
    radii: Any = (1, 1, 4),
    neighbours: int = 8,
    mapping: Mapping = "u2",
    blocks: Any = (5, 5),
    interpolation: Interpolation = "bilinear",
    style: Style = "code-map",
) -> Sample:
    """The LBP-TOP vector of grey frames (t, h, w) uint8; see `texture.lbp_top.lbp_top`."""
    vector = lbp_top_vector(
        sample.array,
        radii=radii,
        neighbours=neighbours,
        mapping=mapping,
        blocks=blocks,
        interpolation=interpolation,
        style=style,
    )
    return replace(sample, array=vector, kind="vector")

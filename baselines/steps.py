"""Descriptors as recipe steps: `... > grey > tim(20) > lbp-top(blocks=(5, 5))`, `... > flow(dis) > mdmo`."""

from dataclasses import replace
from typing import Any

from mebench import DataError, Sample, step

from .lbp_top import Interpolation, Mapping, Style
from .lbp_top import lbp_top as lbp_top_vector
from .mdmo import BETA
from .mdmo import mdmo as mdmo_vector


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
    """The LBP-TOP vector of grey frames (t, h, w) uint8; see `baselines.lbp_top.lbp_top`."""
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


@step("mdmo", 1, accepts={"flow"}, gives="vector", tools=("opencv-contrib-python-headless",))
def mdmo(sample: Sample, beta: float = BETA, *, align: bool = True) -> Sample:
    """The MDMO vector of flow from the onset, (t, h, w, c) or (h, w, c) with channels u and v; see `mdmo.mdmo`."""
    if not {"u", "v"} <= set(sample.channels):
        raise DataError(
            f"MDMO got flow fields {', '.join(sample.channels) or 'without names'}.",
            "Keep the components u and v of the flow.",
        )
    fields = sample.array if sample.array.ndim == 4 else sample.array[None]
    flow = fields[..., [sample.channels.index("u"), sample.channels.index("v")]]
    return replace(
        sample, array=mdmo_vector(flow, sample.landmarks, beta=beta, align=align), kind="vector", channels=()
    )

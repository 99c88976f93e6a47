"""Projection and gradient descriptors as recipe steps: `align(size=128) > grey > tim(20) > stlbp-ip(blocks=(5, 5))`."""

from dataclasses import replace
from typing import Any

from mebench import Sample, step

from . import gradients, projections


@step("stlbp-ip", 1, accepts={"frames"}, gives="vector")
def stlbp_ip(
    sample: Sample,
    blocks: Any = projections.BLOCKS,
    window: int = projections.WINDOW,
    planes: Any = projections.PLANES,
    parts: Any = projections.PARTS,
) -> Sample:
    """The STLBP-IP vector of grey frames (t, h, w) uint8; see `texture.projections.stlbp_ip`."""
    vector = projections.stlbp_ip(sample.array, blocks=blocks, window=window, planes=planes, parts=parts)
    return replace(sample, array=vector, kind="vector")


@step("distlbp-rip", 1, accepts={"frames"}, gives="vector")
def distlbp_rip(
    sample: Sample,
    blocks: Any = projections.BLOCKS,
    window: int = projections.WINDOW,
    planes: Any = projections.PLANES,
    parts: Any = projections.PARTS,
) -> Sample:
    """The DiSTLBP-RIP vector of grey frames (t, h, w) uint8; see `texture.projections.distlbp_rip`."""
    vector = projections.distlbp_rip(sample.array, blocks=blocks, window=window, planes=planes, parts=parts)
    return replace(sample, array=vector, kind="vector")


@step("hog3d", 1, accepts={"frames"}, gives="vector")
def hog3d(sample: Sample, planes: Any = gradients.PLANES) -> Sample:
    """The 3DHOG vector of grey frames (t, h, w) uint8 whose head stands still; see `texture.gradients.hog3d`."""
    return replace(sample, array=gradients.hog3d(sample.array, sample.landmarks, planes=planes), kind="vector")

"""The core steps of a recipe; `mebench.recipes` says what a step is.

Those that place the face stand in `mebench.placement`, those that pick onset and apex in `mebench.peaks`, flow and
strain in `mebench.motion_fields`, magnification in `mebench.magnified`.

Images stay 8-bit between steps: what a step computes in floats is rounded half to even, because texture codes compare
neighbours and float noise would break every tie.
"""

from dataclasses import replace

import cv2
import numpy as np

from mebench.magnified import magnify
from mebench.motion_fields import flow, strain
from mebench.peaks import apex, onset, onset_apex, picked
from mebench.placement import align, crop
from mebench.recipes import Kind, Sample, step
from mebench.samples import as_bytes, fields, leading, moved, plane, require
from mebench.vision.arrays import grey as luma
from mebench.vision.interpolation import tim as interpolate

OPENCV = ("opencv-contrib-python-headless",)
IMAGES: frozenset[Kind] = frozenset({"frames", "pair", "image"})
FIELDS: frozenset[Kind] = IMAGES | {"flow"}


@step("trim", 1, accepts=FIELDS)
def trim(sample: Sample, px: int) -> Sample:
    """The array without its outer `px` pixels on every side."""
    height, width = plane(sample)
    require(0 <= 2 * px < min(height, width), f"trim({px}) leaves nothing of {width}x{height}.")
    rows, columns = slice(px, height - px), slice(px, width - px)
    before = (slice(None),) * leading(sample)
    shift = np.array([[1.0, 0, -px], [0, 1, -px]])
    return replace(moved(sample, shift), array=np.ascontiguousarray(sample.array[(*before, rows, columns)]))


@step("resize", 1, accepts=FIELDS, tools=OPENCV)
def resize(sample: Sample, size: int) -> Sample:
    """The array at size x size: areas averaged when it shrinks, bicubic when it grows; flow is scaled along.

    Strain keeps its values: it has no unit. Magnitude is scaled by the geometric mean of both sides.
    """
    require(size > 0, f"resize({size}) leaves no image.")
    height, width = plane(sample)
    method = cv2.INTER_AREA if size < min(height, width) else cv2.INTER_CUBIC
    stack = sample.array.reshape(-1, *sample.array.shape[leading(sample) :])
    resized = np.stack([cv2.resize(one, (size, size), interpolation=method) for one in stack])
    array = resized.reshape(*sample.array.shape[: leading(sample)], size, size, *fields(sample))
    scale = np.array([size / width, size / height])
    if sample.kind == "flow":
        factors = {"u": scale[0], "v": scale[1], "magnitude": np.sqrt(scale.prod())}
        array = array * np.array([factors.get(channel, 1) for channel in sample.channels], np.float32)
    matrix = np.column_stack([np.diag(scale), (scale - 1) / 2])
    return replace(moved(sample, matrix), array=array)


@step("grey", 1, accepts=IMAGES, tools=OPENCV)
def grey(sample: Sample) -> Sample:
    """The images without colour."""
    return replace(sample, array=luma(sample.array) if fields(sample) else sample.array)


@step("rgb", 1, accepts=IMAGES)
def rgb(sample: Sample) -> Sample:
    """The images with three channels; those of a grey image are equal."""
    colour = sample.array if fields(sample) else np.repeat(sample.array[..., None], 3, axis=-1)
    return replace(sample, array=colour)


@step("difference", 1, accepts={"pair"}, gives="image")
def difference(sample: Sample) -> Sample:
    """Half of apex minus onset, around 128: an image (h, w[, 3]) of what changed."""
    first, second = sample.array.astype(np.float32)
    return replace(picked(sample, [1], "image"), array=as_bytes(128 + (second - first) / 2))


@step("tim", 1, accepts={"frames"})
def tim(sample: Sample, frames: int) -> Sample:
    """The clip at `frames` instants from first to last, by the temporal interpolation model (Zhou, CVPR 2011).

    The apex moves to the nearest of them, and so does each instant's head motion.
    """
    require(frames > 1, f"tim({frames}) is no clip.")
    last = len(sample.array) - 1
    nearest = np.rint(np.linspace(0, last, frames)).astype(int)
    peak = sample.apex_index
    return replace(
        sample,
        array=as_bytes(interpolate(sample.array, frames)),
        motion=sample.motion[nearest],
        fps=sample.fps * (frames - 1) / last if last else sample.fps,
        apex_index=None if peak is None or not last else round(peak * (frames - 1) / last),
    )


@step("flatten", 1, accepts=FIELDS, gives="vector")
def flatten(sample: Sample) -> Sample:
    """All values in one row, (d,)."""
    return replace(sample, array=sample.array.ravel(), kind="vector", channels=())


__all__ = [
    "align",
    "apex",
    "crop",
    "difference",
    "flatten",
    "flow",
    "grey",
    "magnify",
    "onset",
    "onset_apex",
    "resize",
    "rgb",
    "strain",
    "tim",
    "trim",
]

"""The steps that measure flow and strain; part of the core steps, see `mebench.steps`."""

from dataclasses import replace
from typing import Literal

import numpy as np

from mebench.errors import DataError
from mebench.peaks import onset_apex
from mebench.recipes import Kind, Parameters, Privilege, Sample, step
from mebench.samples import fields, require
from mebench.vision.arrays import grey
from mebench.vision.flow import Method
from mebench.vision.flow import flow as measure_flow
from mebench.vision.steadying import Steady, steadied
from mebench.vision.strain import Scheme
from mebench.vision.strain import strain as measure_strain

Mode = Literal["onset-apex", "onset-each", "consecutive"]


def _of_flow(kind: Kind, parameters: Parameters) -> Privilege:
    return "apex" if kind == "frames" and parameters["mode"] == "onset-apex" else "interval"


@step(
    "flow", 1, accepts={"frames", "pair"}, gives="flow", privilege=_of_flow, tools=("opencv-contrib-python-headless",)
)
def flow(sample: Sample, method: Method = "dis", mode: Mode = "onset-apex", steady: Steady = "no") -> Sample:
    """Optical flow with channels u and v, in px of the images it is measured on: shrink it afterwards, with `resize`.

    Of a pair, or of frames from onset to apex: (h, w, 2). Of frames from the onset to each later one, or from each to
    the next: (t - 1, h, w, 2). `steady` takes out what alignment left of head motion: the mean flow of the nose, as
    SoftNet does, or the similarity that most of the skin follows. `method=torch-tvl1` needs PyTorch and is computed on
    the processor, whatever the machine has, since a cached input must not depend on it.
    """
    if sample.kind == "frames" and mode == "onset-apex":
        sample = onset_apex.apply(sample)
    images = grey(sample.array) if fields(sample) else sample.array
    require(len(images) > 1, "One frame alone has no flow.")
    starts = images[:-1] if mode == "consecutive" else [images[0]] * (len(images) - 1)
    found = [measure_flow(first, second, method) for first, second in zip(starts, images[1:], strict=True)]
    found = [steadied(field, sample.landmarks, steady) for field in found]
    array = found[0] if sample.kind == "pair" else np.stack(found)
    return replace(sample, array=array, kind="flow", channels=("u", "v"), apex_index=None)


@step("strain", 1, accepts={"flow"})
def strain(sample: Sample, scheme: Scheme = "central", *, keep_flow: bool = True) -> Sample:
    """The flow with its optical strain as a further channel, or the strain alone, (..., h, w, 3) or (..., h, w, 1)."""
    if sample.channels != ("u", "v"):
        raise DataError(f"Strain of the channels {', '.join(sample.channels)} is not defined.", "Give it flow.")
    planes = sample.array.reshape(-1, *sample.array.shape[-3:])
    shape = (*sample.array.shape[:-1], 1)
    strains = np.stack([measure_strain(plane, scheme) for plane in planes]).reshape(shape)
    if not keep_flow:
        return replace(sample, array=strains, channels=("strain",))
    return replace(sample, array=np.concatenate([sample.array, strains], axis=-1), channels=("u", "v", "strain"))


__all__ = ["Mode", "flow", "strain"]

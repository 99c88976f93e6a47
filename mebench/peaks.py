"""The steps that pick onset and apex out of a clip; part of the core steps, see `mebench.steps`."""

from dataclasses import replace
from typing import Literal

from mebench.errors import DataError
from mebench.recipes import Kind, Parameters, Privilege, Sample, step
from mebench.vision.alignment import align as warp
from mebench.vision.alignment import canonical, transform_points
from mebench.vision.arrays import grey
from mebench.vision.spotting import SIDE, spot

Peak = Literal["coded", "middle", "flow", "frequency"]
Missing = Literal["middle", "error"]

OPENCV = ("opencv-contrib-python-headless",)


def of_peak(kind: Kind, parameters: Parameters) -> Privilege:
    """Reading the coded apex of a clip; the second image of a pair is there already."""
    return "apex" if kind == "frames" and parameters["source"] == "coded" else "interval"


@step("onset", 1, accepts={"frames", "pair"}, gives="image")
def onset(sample: Sample) -> Sample:
    """The onset image."""
    return picked(sample, [sample.onset_index], "image")


@step("apex", 1, accepts={"frames", "pair"}, gives="image", privilege=of_peak, tools=OPENCV)
def apex(sample: Sample, source: Peak = "coded", missing: Missing = "middle") -> Sample:
    """The apex image: of a pair its second, of frames the one `onset-apex` would take."""
    if sample.kind == "pair":
        return picked(sample, [1], "image")
    found = _with_peak(sample, source, missing)
    return picked(found, [_peak(found)], "image")


@step("onset-apex", 1, accepts={"frames"}, gives="pair", privilege=of_peak, tools=OPENCV)
def onset_apex(sample: Sample, source: Peak = "coded", missing: Missing = "middle") -> Sample:
    """The pair of onset and apex.

    Where no apex is coded (all of SMIC, one clip of CASME II) `missing="middle"` takes the middle frame and flags the
    clip `apex-middle`; "error" leaves the clip out. `source="middle"` takes the middle frame of every clip, "flow" and
    "frequency" spot the apex in the frames: all three lean on the interval alone.
    """
    found = _with_peak(sample, source, missing)
    return picked(found, [found.onset_index, _peak(found)], "pair")


def picked(sample: Sample, indices: list[int], kind: Literal["pair", "image"]) -> Sample:
    """The sample of these of its images."""
    array = sample.array[indices] if kind == "pair" else sample.array[indices[0]]
    peak = 1 if kind == "pair" else None
    return replace(sample, array=array, kind=kind, motion=sample.motion[indices], onset_index=0, apex_index=peak)


def spotted(sample: Sample, source: Literal["flow", "frequency"]) -> int:
    """The index of the apex in the frames, aligned to the onset in a size of its own, whatever the sample's is."""
    face = canonical(sample.landmarks, SIDE)
    frames = warp(grey(sample.array), sample.motion, face, SIDE)
    return spot(frames, transform_points(sample.landmarks, face), source)


def _with_peak(sample: Sample, source: Peak, missing: Missing) -> Sample:
    """The sample with an apex: the coded one, or the middle frame, flagged where a coded one was wanted."""
    if source == "flow" or source == "frequency":
        return replace(sample, apex_index=spotted(sample, source))
    middle = (len(sample.array) - 1) // 2
    if source == "middle":
        return replace(sample, apex_index=middle)
    if sample.apex_index is not None:
        return sample
    if missing == "error":
        raise DataError("No apex is coded.", "Take the middle frame with missing=middle, or leave the clip out.")
    return replace(sample, apex_index=middle, flags=(*sample.flags, "apex-middle"))


def _peak(sample: Sample) -> int:
    assert sample.apex_index is not None
    return sample.apex_index


__all__ = ["Missing", "Peak", "apex", "of_peak", "onset", "onset_apex", "picked", "spotted"]

"""The core steps of a recipe; `mebench.recipes` says what a step is.

Images stay 8-bit between steps: what a step computes in floats is rounded half to even, because texture codes compare
neighbours and float noise would break every tie.
"""

from dataclasses import replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mebench.errors import DataError
from mebench.recipes import Kind, Parameters, Privilege, Sample, step
from mebench.vision.alignment import align as warp
from mebench.vision.alignment import canonical, compose, invert, transform_points
from mebench.vision.arrays import Bytes, Doubles, Floats
from mebench.vision.arrays import grey as luma
from mebench.vision.flow import Method
from mebench.vision.flow import flow as measure_flow
from mebench.vision.interpolation import tim as interpolate
from mebench.vision.magnification.eulerian import linear
from mebench.vision.magnification.phase import clip as magnify_phase
from mebench.vision.magnification.phase import two_frame
from mebench.vision.magnification.temporal import Butterworth
from mebench.vision.strain import Scheme
from mebench.vision.strain import strain as measure_strain

Peak = Literal["coded", "middle"]
Missing = Literal["middle", "error"]

OPENCV = ("opencv-contrib-python-headless",)
IMAGES: frozenset[Kind] = frozenset({"frames", "pair", "image"})
FIELDS: frozenset[Kind] = IMAGES | {"flow"}


def _of_peak(kind: Kind, parameters: Parameters) -> Privilege:
    """Reading the coded apex of a clip; the second image of a pair is there already."""
    return "apex" if kind == "frames" and parameters["source"] == "coded" else "interval"


def _of_flow(kind: Kind, parameters: Parameters) -> Privilege:
    return "apex" if kind == "frames" and parameters["mode"] == "onset-apex" else "interval"


@step("align", 1, accepts={"frames"}, tools=OPENCV)
def align(sample: Sample, size: int = 224, margin: int = 0) -> Sample:
    """Frames (t, size + 2 margin, ...) without head motion, the face of the onset in its canonical place.

    `margin` px around the canonical square are kept for steps that err at the border; `trim` takes them off.
    """
    _require(size > 0 and margin >= 0, f"align(size={size}, margin={margin}) leaves no image.")
    face = canonical(sample.landmarks, size)
    face[:, 2] += margin
    frames = warp(sample.array, sample.motion, face, size + 2 * margin)
    still = np.tile(np.eye(2, 3), (len(frames), 1, 1))
    return replace(_moved(sample, face), array=frames, motion=still)


@step("crop", 1, accepts={"frames"}, tools=OPENCV)
def crop(sample: Sample, size: int = 224, grow: float = 1.0) -> Sample:
    """Frames (t, size, size[, 3]): the square on the onset's face box, `grow` times its longer side, the same in every
    frame; neither turned nor freed of head motion."""
    _require(size > 0 and grow > 0, f"crop(size={size}, grow={grow:g}) leaves no image.")
    x0, y0, x1, y1 = sample.box
    scale = size / (max(x1 - x0, y1 - y0) * grow)
    centre = np.array([x0 + x1, y0 + y1]) / 2
    square = np.column_stack([np.eye(2) * scale, (size - 1) / 2 - centre * scale])
    still = np.tile(np.eye(2, 3), (len(sample.array), 1, 1))
    return replace(_moved(sample, square), array=warp(sample.array, still, square, size))


@step("trim", 1, accepts=FIELDS)
def trim(sample: Sample, px: int) -> Sample:
    """The array without its outer `px` pixels on every side."""
    height, width = _plane(sample)
    _require(0 <= 2 * px < min(height, width), f"trim({px}) leaves nothing of {width}x{height}.")
    rows, columns = slice(px, height - px), slice(px, width - px)
    before = (slice(None),) * _leading(sample)
    shift = np.array([[1.0, 0, -px], [0, 1, -px]])
    return replace(_moved(sample, shift), array=np.ascontiguousarray(sample.array[(*before, rows, columns)]))


@step("resize", 1, accepts=FIELDS, tools=OPENCV)
def resize(sample: Sample, size: int) -> Sample:
    """The array at size x size: areas averaged when it shrinks, bicubic when it grows; flow is scaled along.

    Strain keeps its values: it has no unit. Magnitude is scaled by the geometric mean of both sides.
    """
    _require(size > 0, f"resize({size}) leaves no image.")
    height, width = _plane(sample)
    method = cv2.INTER_AREA if size < min(height, width) else cv2.INTER_CUBIC
    planes = sample.array.reshape(-1, *sample.array.shape[_leading(sample) :])
    resized = np.stack([cv2.resize(plane, (size, size), interpolation=method) for plane in planes])
    array = resized.reshape(*sample.array.shape[: _leading(sample)], size, size, *_fields(sample))
    scale = np.array([size / width, size / height])
    if sample.kind == "flow":
        factors = {"u": scale[0], "v": scale[1], "magnitude": np.sqrt(scale.prod())}
        array = array * np.array([factors.get(channel, 1) for channel in sample.channels], np.float32)
    matrix = np.column_stack([np.diag(scale), (scale - 1) / 2])
    return replace(_moved(sample, matrix), array=array)


@step("grey", 1, accepts=IMAGES, tools=OPENCV)
def grey(sample: Sample) -> Sample:
    """The images without colour."""
    return replace(sample, array=luma(sample.array) if _fields(sample) else sample.array)


@step("rgb", 1, accepts=IMAGES)
def rgb(sample: Sample) -> Sample:
    """The images with three channels; those of a grey image are equal."""
    colour = sample.array if _fields(sample) else np.repeat(sample.array[..., None], 3, axis=-1)
    return replace(sample, array=colour)


@step("onset", 1, accepts={"frames", "pair"}, gives="image")
def onset(sample: Sample) -> Sample:
    """The onset image."""
    return _picked(sample, [sample.onset_index], "image")


@step("apex", 1, accepts={"frames", "pair"}, gives="image", privilege=_of_peak)
def apex(sample: Sample, source: Peak = "coded", missing: Missing = "middle") -> Sample:
    """The apex image: of a pair its second, of frames the one `onset-apex` would take."""
    if sample.kind == "pair":
        return _picked(sample, [1], "image")
    found = _with_peak(sample, source, missing)
    return _picked(found, [_peak(found)], "image")


@step("onset-apex", 1, accepts={"frames"}, gives="pair", privilege=_of_peak)
def onset_apex(sample: Sample, source: Peak = "coded", missing: Missing = "middle") -> Sample:
    """The pair of onset and apex.

    Where no apex is coded (all of SMIC, one clip of CASME II) `missing="middle"` takes the middle frame and flags the
    clip `apex-middle`; "error" leaves the clip out. `source="middle"` takes the middle frame of every clip and so leans
    on the interval alone.
    """
    found = _with_peak(sample, source, missing)
    return _picked(found, [found.onset_index, _peak(found)], "pair")


@step("difference", 1, accepts={"pair"}, gives="image")
def difference(sample: Sample) -> Sample:
    """Half of apex minus onset, around 128: an image (h, w[, 3]) of what changed."""
    first, second = sample.array.astype(np.float32)
    return replace(_picked(sample, [1], "image"), array=_bytes(128 + (second - first) / 2))


@step("tim", 1, accepts={"frames"})
def tim(sample: Sample, frames: int) -> Sample:
    """The clip at `frames` instants from first to last, by the temporal interpolation model (Zhou, CVPR 2011).

    The apex moves to the nearest of them, and so does each instant's head motion.
    """
    _require(frames > 1, f"tim({frames}) is no clip.")
    last = len(sample.array) - 1
    nearest = np.rint(np.linspace(0, last, frames)).astype(int)
    peak = sample.apex_index
    return replace(
        sample,
        array=_bytes(interpolate(sample.array, frames)),
        motion=sample.motion[nearest],
        fps=sample.fps * (frames - 1) / last if last else sample.fps,
        apex_index=None if peak is None or not last else round(peak * (frames - 1) / last),
    )


@step("magnify", 1, accepts={"frames", "pair"}, tools=(*OPENCV, "scipy"))
def magnify(
    sample: Sample,
    method: Literal["phase", "linear"] = "phase",
    *,
    factor: float,
    low_hz: float = 0.0,
    high_hz: float = 0.0,
    cutoff_px: float = 16.0,
) -> Sample:
    """The images with their motion magnified `factor` times: of a pair the apex, of a clip every frame.

    Motion is what differs from the onset; with `low_hz` and `high_hz`, of a clip, what a first-order Butterworth band
    passes. `cutoff_px` is the wavelength below which the linear method magnifies less; 0 spares none.
    """
    onset_based = low_hz == high_hz == 0
    _require(
        onset_based or sample.kind == "frames",
        "A pair has no frequencies: magnify(low_hz=..., high_hz=...) needs whole clips.",
    )
    frames, fps = sample.array, sample.fps
    band = _OnsetBand() if onset_based else Butterworth(low_hz, high_hz)
    if method == "linear":
        magnified = linear(frames, factor, fps=fps, band=band, cutoff_px=cutoff_px)
    elif onset_based:
        magnified = np.stack([frames[0], *(two_frame(frames[0], frame, factor) for frame in frames[1:])])
    else:
        magnified = magnify_phase(frames, factor, fps=fps, band=band)
    return replace(sample, array=magnified)


@step("flow", 1, accepts={"frames", "pair"}, gives="flow", privilege=_of_flow, tools=OPENCV)
def flow(
    sample: Sample,
    method: Method = "dis",
    mode: Literal["onset-apex", "onset-each", "consecutive"] = "onset-apex",
) -> Sample:
    """Optical flow with channels u and v.

    Of a pair, or of frames from onset to apex: (h, w, 2). Of frames from the onset to each later one, or from each to
    the next: (t - 1, h, w, 2).
    """
    if sample.kind == "frames" and mode == "onset-apex":
        sample = onset_apex.apply(sample)
    images = luma(sample.array) if _fields(sample) else sample.array
    _require(len(images) > 1, "One frame alone has no flow.")
    starts = images[:-1] if mode == "consecutive" else [images[0]] * (len(images) - 1)
    fields = [measure_flow(first, second, method) for first, second in zip(starts, images[1:], strict=True)]
    array = fields[0] if sample.kind == "pair" else np.stack(fields)
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


@step("flatten", 1, accepts=FIELDS, gives="vector")
def flatten(sample: Sample) -> Sample:
    """All values in one row, (d,)."""
    return replace(sample, array=sample.array.ravel(), kind="vector", channels=())


class _OnsetBand:
    """The temporal filter that passes all that differs from the first frame, whatever the frame rate."""

    def __call__(self, signal: Floats, fps: float) -> Floats:  # noqa: ARG002  the filters' common signature
        return signal - signal[:1]


def _with_peak(sample: Sample, source: Peak, missing: Missing) -> Sample:
    """The sample with an apex: the coded one, or the middle frame, flagged where a coded one was wanted."""
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


def _picked(sample: Sample, indices: list[int], kind: Literal["pair", "image"]) -> Sample:
    array = sample.array[indices] if kind == "pair" else sample.array[indices[0]]
    peak = 1 if kind == "pair" else None
    return replace(sample, array=array, kind=kind, motion=sample.motion[indices], onset_index=0, apex_index=peak)


def _moved(sample: Sample, matrix: Doubles) -> Sample:
    """The sample's geometry after its images were taken through a similarity or a scaling."""
    corners = transform_points(sample.box.reshape(2, 2), matrix)
    return replace(
        sample,
        landmarks=transform_points(sample.landmarks, matrix).astype(np.float32),
        box=np.concatenate([corners.min(axis=0), corners.max(axis=0)]),
        motion=compose(matrix, compose(sample.motion, invert(matrix))),
    )


def _leading(sample: Sample) -> int:
    """How many axes stand before the rows: time, where there is one."""
    return int(sample.array.ndim == 4 if sample.kind == "flow" else sample.kind != "image")


def _plane(sample: Sample) -> tuple[int, int]:
    height, width = sample.array.shape[_leading(sample) :][:2]
    return height, width


def _fields(sample: Sample) -> tuple[int, ...]:
    """The axes after the columns: colours or flow channels, or none."""
    return sample.array.shape[_leading(sample) + 2 :]


def _bytes(values: npt.NDArray[Any]) -> Bytes:
    rounded: Bytes = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded


def _require(condition: bool, what: str) -> None:  # noqa: FBT001  an assertion with a message for the user
    if not condition:
        raise DataError(what, "Correct the recipe.")

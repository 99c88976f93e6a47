"""The steps that put the face in its place; part of the core steps, see `mebench.steps`."""

from dataclasses import replace
from typing import Literal

import numpy as np

from mebench.recipes import Sample, step
from mebench.samples import moved, require
from mebench.vision.alignment import align as warp
from mebench.vision.alignment import canonical
from mebench.vision.arrays import Doubles, grey
from mebench.vision.registration import ecc_motion, eye_line_motion, landmark_motion, nose_motion

OPENCV = ("opencv-contrib-python-headless",)
Anchor = Literal["skin", "nose", "ecc", "landmarks", "eye-line", "piecewise-affine", "onset-only", "none"]

_REREAD = ("landmarks", "eye-line", "piecewise-affine")


@step("align", 1, accepts={"frames"}, tools=(*OPENCV, "dlib-bin", "face_recognition_models", "scipy"))
def align(sample: Sample, size: int = 224, margin: int = 0, anchor: Anchor = "skin") -> Sample:
    """Frames (t, size + 2 margin, ...) without head motion, the face of the onset in its canonical place.

    `margin` px around the canonical square are kept for steps that err at the border; `trim` takes them off. `anchor`
    is what says how the head moves: the stored motion of the skin, the best here by far; nose and eye corners tracked,
    or registered as an image by ECC; all landmarks or the eye centres, read anew in every frame; every landmark for
    itself, which takes the expression out too (piecewise-affine); nothing, so that head motion stays (onset-only); or
    not even the onset's tilt and size of the eyes' distance: the square of the face box (none).
    """
    require(size > 0 and margin >= 0, f"align(size={size}, margin={margin}) leaves no image.")
    if anchor == "none":
        return boxed(sample, size, margin)
    face = canonical(sample.landmarks, size)
    face[:, 2] += margin
    if anchor == "piecewise-affine":
        from mebench.vision.piecewise import warp_piecewise

        frames = warp_piecewise(sample.array, landmarks_of(sample), size, margin)
    else:
        frames = warp(sample.array, anchored(sample, anchor), face, size + 2 * margin)
    placed = replace(moved(sample, face), array=frames)
    return placed if anchor == "onset-only" else replace(placed, motion=still(sample))


@step("crop", 1, accepts={"frames"}, tools=OPENCV)
def crop(sample: Sample, size: int = 224, grow: float = 1.0) -> Sample:
    """Frames (t, size, size[, 3]): the square on the onset's face box, `grow` times its longer side, the same in every
    frame; neither turned nor freed of head motion."""
    require(size > 0 and grow > 0, f"crop(size={size}, grow={grow:g}) leaves no image.")
    return boxed(sample, size, 0, grow)


def anchored(sample: Sample, anchor: Anchor) -> Doubles:
    """The head's motion (t, 2, 3) from the onset to every frame of a clip that is not aligned yet, by this anchor."""
    if anchor == "skin":
        return sample.motion
    if anchor == "onset-only":
        return still(sample)
    if anchor in _REREAD:
        read = landmarks_of(sample)
        return eye_line_motion(read) if anchor == "eye-line" else landmark_motion(read)
    measure = nose_motion if anchor == "nose" else ecc_motion
    return measure(grey(sample.array), sample.landmarks)


def landmarks_of(sample: Sample) -> Doubles:
    """Landmarks (t, 68, 2) read by dlib in every frame for itself, on the onset's face box."""
    from mebench.vision.faces import read_landmarks

    x0, y0, x1, y1 = sample.box
    return np.stack([read_landmarks(frame, (x0, y0, x1, y1)) for frame in sample.array]).astype(np.float64)


def boxed(sample: Sample, size: int, margin: int, grow: float = 1.0) -> Sample:
    """The square on the onset's face box, `grow` times its longer side, at `size` px, with `margin` px around it."""
    x0, y0, x1, y1 = sample.box
    scale = size / (max(x1 - x0, y1 - y0) * grow)
    centre = np.array([x0 + x1, y0 + y1]) / 2
    square = np.column_stack([np.eye(2) * scale, (size - 1) / 2 + margin - centre * scale])
    frames = warp(sample.array, still(sample), square, size + 2 * margin)
    return replace(moved(sample, square), array=frames)


def still(sample: Sample) -> Doubles:
    """The identity for every frame, (t, 2, 3)."""
    return np.tile(np.eye(2, 3), (len(sample.array), 1, 1))


__all__ = ["Anchor", "align", "anchored", "crop", "landmarks_of"]

"""One clip from frame files to the store: face and landmarks on the onset, head motion of every frame, generous crop.

The full frames are decoded once and dropped. The crop holds all that the canonical face with its margin needs in any
frame of the clip, so alignment can be repeated in any size from the store alone.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from mebench import plugins
from mebench.clips import canonical_json
from mebench.datasets.folders import FrameFolder
from mebench.errors import FrameError, StoreError
from mebench.frames import FrameFiles, decode, read_files
from mebench.store import StoredClip, read_clip, remove_clip, stored_facts, write_clip
from mebench.vision.alignment import canonical, compose, invert, transform_points
from mebench.vision.arrays import Bytes, Doubles, grey
from mebench.vision.faces import FaceFinder, FoundFace, annotated_face, find_face
from mebench.vision.motion import HeadMotion, head_motion
from mebench.vision.points import inter_ocular

OnMissingFace = Literal["error", "exclude", "nearest"]
OnSeveralFaces = Literal["best", "error"]
State = Literal["stored", "kept", "repaired", "excluded", "failed"]

MARGIN = 0.12
"""How far the crop reaches beyond the canonical square, as a part of its side: 24 px at 224, room for flow."""

_VERSION = 2
"""Of everything in this module that decides what is stored; raising it makes `prepare` do every clip again."""

SMALL_FACE_PX = 30.0
"""Eyes this close together are flagged: 1 % of that distance, a micro-expression, is a third of a pixel, and dlib's own
model of a face is no smaller."""

_SIDE = 256
_INTERPOLATION_PX = 4
"""Lanczos needs four pixels on each side."""


@dataclass(frozen=True, slots=True)
class FaceSource:
    """Where faces come from: a registered finder by name, or landmarks (68, 2) of a clip's onset, px of the frame, that
    stand in its place; and what to do where there is none, or more than one."""

    finder: str = "dlib"
    on_missing: OnMissingFace = "error"
    on_several: OnSeveralFaces = "best"
    annotated: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)

    def annotation(self, clip: str) -> tuple[tuple[float, float], ...] | None:
        """The annotated landmarks of a clip, None where it has none."""
        return self.annotated.get(clip)

    def of(self, clip: str) -> "FaceSource":
        """What a worker needs for one clip."""
        return replace(self, annotated={clip: self.annotated[clip]} if clip in self.annotated else {})


@dataclass(frozen=True, slots=True)
class ClipTask:
    """What a worker needs to prepare one clip; `apex` is looked for among the files and goes no further."""

    home: Path
    clip_id: str
    interval: tuple[int, int]
    apex: int | None
    fps: float
    folder: FrameFolder
    faces: FaceSource


@dataclass(frozen=True, slots=True)
class ClipStatus:
    """What became of one clip; `line` says why where it is not in the store, `flags` what was unusual."""

    clip: str
    state: State
    line: str = ""
    flags: tuple[str, ...] = ()


def prepare_clip(task: ClipTask) -> ClipStatus:
    """The clip's status: it lies in the store, or was found there unchanged, or is excluded for want of a face.

    Raises FrameError where frames are missing or broken, or no face is found and the task wants that to be an error.
    """
    files = read_files(task.folder.path, _frames_of(task))
    kept, damaged = _look_up(task, files.digest)
    if kept is not None:
        return ClipStatus(task.clip_id, "kept", flags=kept.flags)
    clip = _cut(task, files)
    if clip is None:
        remove_clip(task.home, task.clip_id)
        return ClipStatus(task.clip_id, "excluded", f"No face found on the onset frame {files.numbers[0]}.")
    write_clip(task.home, clip)
    return ClipStatus(task.clip_id, "repaired" if damaged else "stored", flags=clip.flags)


def _frames_of(task: ClipTask) -> list[tuple[int, str]]:
    """Number and name of the frames from onset to offset; the frames that carry the annotation must be there."""
    first, last = task.interval
    frames = [(number, name) for number, name in task.folder.frames if first <= number <= last]
    present = {number for number, _ in frames}
    needed = {"onset": first, "apex": task.apex}
    for what, number in needed.items():
        if number is not None and first <= number <= last and number not in present:
            raise FrameError(
                f"{task.clip_id}: the {what} frame {number} is not in {task.folder.path}.",
                "Copy the clip's frames again from the corpus as released.",
            )
    if len(frames) < 2:
        raise FrameError(
            f"{task.clip_id}: {task.folder.path} holds {len(frames)} of the frames {first} to {last}.",
            "Copy the clip's frames again from the corpus as released.",
        )
    return frames


def _look_up(task: ClipTask, source: str) -> tuple[StoredClip | None, bool]:
    """The stored clip where it was made of these very frames in this very way, and whether it was but is damaged."""
    usable = {_preparation(task, nearest=nearest) for nearest in (False, task.faces.on_missing == "nearest")}
    try:
        facts = stored_facts(task.home, task.clip_id)
    except StoreError:
        return None, False
    if (facts.source, facts.interval) != (source, task.interval) or facts.preparation not in usable:
        return None, False
    try:
        kept = read_clip(task.home, task.clip_id)
        unwanted = task.faces.on_several == "error" and any(flag.startswith("faces-") for flag in kept.flags)
        return (None if unwanted else kept), False
    except StoreError:
        return None, True


def _cut(task: ClipTask, files: FrameFiles) -> StoredClip | None:
    """The clip as it will be stored; None where no face is found and the clip is to be excluded."""
    frames, unusual = decode(files)
    try:
        found = _find(task, frames)
    except FrameError as error:
        what = f"{task.clip_id}: {error.what.rstrip('.')}, from the onset frame {files.numbers[0]} on."
        raise FrameError(what, error.fix) from error
    if found is None:
        return None
    geometry = _geometry(grey(frames), found)
    left, top, right, bottom = _region(geometry, (frames.shape[2], frames.shape[1]))
    origin = np.array([left, top], dtype=np.int64)
    moved = geometry.motion.transforms
    return StoredClip(
        clip_id=task.clip_id,
        frames=np.ascontiguousarray(frames[:, top:bottom, left:right]),
        numbers=np.array(files.numbers, dtype=np.int64),
        origin=origin,
        landmarks=(geometry.landmarks - origin).astype(np.float32),
        motion=np.concatenate([moved[..., :2], (moved[..., :2] @ origin + moved[..., 2] - origin)[..., None]], axis=-1),
        inliers=geometry.motion.inliers,
        flagged=geometry.motion.flagged,
        box=geometry.box - np.tile(origin, 2),
        fps=task.fps,
        interval=task.interval,
        source=files.digest,
        preparation=_preparation(task, nearest=found.index > 0),
        flags=(*unusual, *_flags(task, files, found, geometry)),
    )


def _find(task: ClipTask, frames: Bytes) -> FoundFace | None:
    """The face of a clip: as annotated, else as found."""
    annotated = task.faces.annotation(task.clip_id)
    if annotated is not None:
        return FoundFace(annotated_face(annotated), (), 0)
    finder: FaceFinder = plugins.load("face", task.faces.finder)()
    return find_face(finder, frames, task.faces.on_missing, task.faces.on_several)


@dataclass(frozen=True, slots=True, eq=False)
class _Geometry:
    """Landmarks (68, 2) and box (4,) on the onset frame, and the head motion from there, in full-frame px."""

    landmarks: Doubles
    box: Doubles
    motion: HeadMotion


def _geometry(frames: Bytes, found: FoundFace) -> _Geometry:
    """The geometry on the onset, whichever frame the face was found in.

    Tracking starts where the landmarks are; the way from there to the onset takes landmarks and box along.
    """
    landmarks, box = found.face.landmarks.astype(np.float64), np.array(found.face.box)
    if found.index == 0:
        return _Geometry(landmarks, box, head_motion(frames, landmarks))
    motion = head_motion(np.concatenate([frames[found.index][None], frames]), landmarks)
    to_onset = motion.transforms[1]
    return _Geometry(
        transform_points(landmarks, to_onset),
        transform_points(box.reshape(2, 2), to_onset).ravel(),
        HeadMotion(compose(motion.transforms[1:], invert(to_onset)), motion.inliers[1:], motion.flagged[1:]),
    )


def _region(geometry: _Geometry, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the crop in a frame of this width and height.

    It holds the landmarks and the canonical square with its margin, wherever the head takes them.
    """
    reach = np.array([-MARGIN, 1 + MARGIN]) * _SIDE
    square = np.array([(x, y) for x in reach for y in reach])
    onset = np.vstack([transform_points(square, invert(canonical(geometry.landmarks, _SIDE))), geometry.landmarks])
    everywhere = transform_points(onset, geometry.motion.transforms).reshape(-1, 2)
    left, top = np.maximum(np.floor(everywhere.min(axis=0)) - _INTERPOLATION_PX, 0).astype(int)
    right, bottom = np.minimum(np.ceil(everywhere.max(axis=0)) + _INTERPOLATION_PX + 1, size).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _flags(task: ClipTask, files: FrameFiles, found: FoundFace, geometry: _Geometry) -> Iterator[str]:
    """What a user should know of this clip."""
    first, last = task.interval
    motion, between = geometry.motion, inter_ocular(geometry.landmarks)
    if task.faces.annotation(task.clip_id) is not None:
        yield "landmarks-given"
    if between < SMALL_FACE_PX:
        yield f"small-face-{between:.0f}-px-between-the-eyes"
    if found.others:
        yield f"faces-{1 + len(found.others)}"
    if found.index:
        yield f"face-from-frame-{files.numbers[found.index]}"
    if motion.flagged.any():
        yield f"head-motion-held-in-{int(motion.flagged.sum())}-frames"
    if len(files.numbers) != last - first + 1:
        yield f"frames-missing-{last - first + 1 - len(files.numbers)}"


def _preparation(task: ClipTask, *, nearest: bool) -> str:
    """SHA-256 over what decides the stored content beside the frames."""
    annotated = task.faces.annotation(task.clip_id)
    content = {
        "version": _VERSION,
        "margin": MARGIN,
        "nearest": nearest,
        "tools": _tools(),
        "faces": list(plugins.maker("face", task.faces.finder)) if annotated is None else [list(p) for p in annotated],
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


@cache
def _tools() -> dict[str, str]:
    return {name: version(name) for name in ("opencv-contrib-python-headless", "dlib-bin", "face_recognition_models")}


__all__ = [
    "MARGIN",
    "ClipStatus",
    "ClipTask",
    "FaceSource",
    "OnMissingFace",
    "OnSeveralFaces",
    "State",
    "prepare_clip",
]

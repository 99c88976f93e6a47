"""From a planned clip to its frames and its truth: casting people, staging clips, exposing frames."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import DataError
from mebench.synth.action_units import blink_field, idle_fields, peak_length, unit_field
from mebench.synth.camera import Camera, FloatArray
from mebench.synth.faces import neutral_picture
from mebench.synth.identities import Identity, draw_identity
from mebench.synth.motion import blink_course, compose, expression_course, idle_courses, similarity, sway, transform
from mebench.synth.plan import PlannedClip, Settings
from mebench.synth.portrait import Portrait, load_portrait
from mebench.synth.render import (
    TRUTH_STEP_PX,
    Scene,
    dense_motion,
    expose,
    head_motion,
    moving_skin,
    sharp_frame,
    track,
)
from mebench.synth.seeds import stream
from mebench.synth.truth import Truth

NOISE_SIGMA = 2.0
IDLE_PX = 0.5
"""How far skin at rest wanders within a clip at its liveliest place, px of a 640x480 frame: .4 % of the distance
between the eyes, for tonus, pulse and breath never leave a face still (the size is our choice: without it a descriptor
that averages over a region sees a tenth of a pixel, which no coder does)."""
LANDMARK_ERROR_PX = 2.5
"""A person on whom dlib errs by more is not cast: its mean error over a corpus then stays below 3 px."""

_LANDMARK_ERROR_ONCE_PX, _VIEWS = 3.1, 6
_SKETCH_GRID_PX = 10  # candidates are only read by dlib, whose own error is ten times that of so wide a grid
_CANDIDATES = 60  # about every fourth is cast
_POOL = 1 << 22  # noise values drawn once; each frame reads on from a random place, for drawing 921,600 takes 10 ms
_BLINK_SHARE = 0.25
_BLINK_PX = 4.0  # in a 640x480 frame, a third of the eye's opening: half a blink
_BLINK_FRAMES_S = (0.10, 0.20)
_POSE_SHIFT_PX, _POSE_DEGREES, _POSE_SCALE = 4.0, 0.8, 0.01  # deviations between the clips of one person
_GAIN_SPREAD = 0.03  # of the exposure between clips


def cast(settings: Settings, index: int) -> Identity:
    """The person with this index: the first candidate on whom dlib finds the landmarks where they are.

    dlib's mean error on such a person's neutral face is at most `LANDMARK_ERROR_PX` in a 640x480 frame.
    """
    rng = stream(settings.seed, settings.dataset, "person", index)
    mean_shape = _portrait(mirrored=False).mean_shape()
    for _ in range(_CANDIDATES):
        person = draw_identity(rng, mean_shape, mirrored=bool(index % 2))
        if _is_readable(person, settings.layout.camera, rng):
            return person
    raise DataError(
        f"{_CANDIDATES} candidates for person {index} were drawn and dlib found no face well enough on any.",
        "Check the versions of dlib-bin, matplotlib and face_recognition_models, or take another seed.",
    )


def picture_of(person: Identity, camera: Camera) -> NDArray[np.float32]:
    """The person's neutral face, as `neutral_picture` draws it."""
    return neutral_picture(person, _portrait(mirrored=person.mirrored), camera)


def stage(settings: Settings, clip: PlannedClip, person: Identity, picture: NDArray[np.float32]) -> Scene:
    """The scene of a clip; everything but the expression comes from a stream that knows the take and not the label."""
    camera, take = settings.layout.camera, clip.take
    rng = stream(settings.seed, settings.dataset, "scene", take.index)
    expression, strength = _expression(clip, person, camera)
    closure = _draw_blink(rng, take.frames, camera)
    blink = blink_field(person.landmarks, camera) if closure.any() else np.zeros_like(expression)
    head = _draw_head(rng, take.frames, person, camera)
    idle = idle_fields(rng, person.landmarks, camera)
    return Scene(
        picture=picture,
        skin=moving_skin(expression, blink, idle),
        strength=strength,
        course=expression_course(take.frames, take.apex - take.onset),
        closure=closure,
        idle=idle_courses(rng, take.frames, len(idle)) * (IDLE_PX * camera.scale),
        head=head,
    )


def exposures(settings: Settings, clip: PlannedClip, scene: Scene) -> Iterator[NDArray[np.uint8]]:
    """The clip's frames as the camera delivers them: (h, w) or (h, w, 3) BGR."""
    rng = stream(settings.seed, settings.dataset, "exposure", clip.take.index)
    gain = float(np.exp(rng.normal(0, _GAIN_SPREAD)))
    pool = _noise_pool(settings.seed, settings.dataset)
    for t in range(clip.take.frames):
        sharp = sharp_frame(scene, t)
        start = int(rng.integers(_POOL - sharp.size))
        yield expose(sharp, gain, pool[start : start + sharp.size])


def truth_of(settings: Settings, clip: PlannedClip, scene: Scene, person: Identity) -> Truth:
    """What is known of the clip."""
    camera, take = settings.layout.camera, clip.take
    neutral = camera.from_reference(person.landmarks)
    apex = take.apex - take.onset
    return Truth(
        numbers=np.arange(take.onset, take.offset + 1),
        apex=np.array(take.apex),
        landmarks=np.stack([track(scene, neutral, t) for t in range(take.frames)]).astype(np.float32),
        head_motion=head_motion(scene),
        units=np.array([unit.text for unit in clip.units]),
        intensity=np.repeat(scene.course[:, None] * scene.strength, len(clip.units), axis=1),
        peak_px=np.array(take.peak_px * camera.scale),
        closure=scene.closure,
        motion=dense_motion(scene, 0, apex).astype(np.float16),
        motion_step=np.array(TRUTH_STEP_PX),
    )


def _expression(clip: PlannedClip, person: Identity, camera: Camera) -> tuple[NDArray[np.float32], float]:
    """The displacement field (h, w, 2) at the apex, px, and the greatest displacement by each unit alone.

    Units weigh equally and together reach the take's peak.
    """
    fields = [unit_field(unit, person.landmarks, camera) for unit in clip.units]
    together = sum(fields[1:], start=fields[0])
    strength = clip.take.peak_px * camera.scale / peak_length(together)
    return np.float32(strength) * together, strength


def _draw_blink(rng: np.random.Generator, frames: int, camera: Camera) -> NDArray[np.float64]:
    """How far the lids close (frames,), px; in most clips they stay open."""
    happens, where, length = rng.uniform() < _BLINK_SHARE, rng.uniform(-0.3, 0.9), rng.uniform(*_BLINK_FRAMES_S)
    course = blink_course(frames, where * frames, length * camera.fps)
    return course * (_BLINK_PX * camera.scale if happens else 0.0)


def _draw_head(rng: np.random.Generator, frames: int, person: Identity, camera: Camera) -> NDArray[np.float64]:
    """Head poses (frames, 2, 3): where this clip was sat through, and the sway from there."""
    pose = _draw_pose(rng, person, camera)
    centre = transform(pose, camera.from_reference(person.landmarks)).mean(axis=0)
    return np.stack([compose(similarity(centre, step[:2], step[2]), pose) for step in sway(rng, frames, camera.scale)])


def _draw_pose(rng: np.random.Generator, person: Identity, camera: Camera) -> NDArray[np.float64]:
    """The matrix (2, 3) from the neutral face to where and how the head is held in one recording."""
    centre = camera.from_reference(person.landmarks).mean(axis=0)
    shift = rng.normal(0, _POSE_SHIFT_PX * camera.scale, 2)
    angle, size = np.deg2rad(rng.normal(0, _POSE_DEGREES)), np.exp(rng.normal(0, _POSE_SCALE))
    return similarity(centre, shift, angle, float(size))


def _is_readable(person: Identity, camera: Camera, rng: np.random.Generator) -> bool:
    """Whether dlib's mean error on slightly moved, noisy views of the neutral face stays below `LANDMARK_ERROR_PX`.

    dlib is called as most scripts call it, once per view at full size; then the package's own finder, which takes a
    median over boxes, has to agree on the last view.
    """
    picture = neutral_picture(
        person, _portrait(mirrored=person.mirrored), camera, supersampling=1, grid_px=_SKETCH_GRID_PX
    )
    errors: list[float] = []
    for _ in range(_VIEWS):
        pose = _draw_pose(rng, person, camera)
        view = cv2.warpAffine(picture, pose, (camera.width, camera.height), borderMode=cv2.BORDER_REFLECT_101)
        view = np.clip(view + rng.normal(0, NOISE_SIGMA, view.shape), 0, 255).astype(np.uint8)
        image = view if camera.grey else np.ascontiguousarray(view[..., ::-1])
        truth = transform(pose, camera.from_reference(person.landmarks))
        errors.append(_distance(_read_once(image), truth) / camera.scale)
        if errors[-1] > _LANDMARK_ERROR_ONCE_PX:
            return False
    by_finder = _distance(_read_by_finder(image), truth) / camera.scale
    return max(float(np.mean(errors)), by_finder) <= LANDMARK_ERROR_PX


def _distance(read: FloatArray | None, landmarks: NDArray[np.float64]) -> float:
    """The mean distance between landmarks, px; infinite where no face was found."""
    return np.inf if read is None else float(np.linalg.norm(read - landmarks, axis=1).mean())


def _read_once(image: NDArray[np.uint8]) -> FloatArray | None:
    detector, predictor = _dlib()
    boxes = detector(image, 0)
    return np.array([(p.x, p.y) for p in predictor(image, boxes[0]).parts()], np.float64) if boxes else None


def _read_by_finder(image: NDArray[np.uint8]) -> FloatArray | None:
    from mebench.vision.faces import dlib_finder

    found = dlib_finder().find(image)
    return found[0].landmarks if found else None


@lru_cache(maxsize=1)
def _dlib() -> tuple[Any, Any]:
    import dlib

    from mebench.vision.faces import landmark_model_path

    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(landmark_model_path()))


@lru_cache(maxsize=2)
def _portrait(*, mirrored: bool) -> Portrait:
    return load_portrait().mirror() if mirrored else load_portrait()


@lru_cache(maxsize=1)
def _noise_pool(seed: int, dataset: str) -> NDArray[np.float32]:
    noise = stream(seed, dataset, "noise").standard_normal(_POOL, dtype=np.float32)
    noise *= np.float32(NOISE_SIGMA)
    return noise


__all__ = ["LANDMARK_ERROR_PX", "NOISE_SIGMA", "cast", "exposures", "picture_of", "stage", "truth_of"]

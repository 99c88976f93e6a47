"""From a planned clip to its frames and its truth: casting people, staging clips, exposing frames."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import DataError
from mebench.synth.action_units import blink_field, idle_fields, peak_length, unit_field
from mebench.synth.camera import Camera, FloatArray
from mebench.synth.faces import neutral_picture
from mebench.synth.identities import Identity, draw_identity
from mebench.synth.motion import compose, expression_course, idle_courses, similarity, sway, transform
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
from mebench.synth.scripting import (
    BLINK_PX,
    GAIN_SPREAD,
    IDLE_PX,
    NOISE_SIGMA,
    POSE_DEGREES,
    POSE_SCALE,
    POSE_SHIFT_PX,
    draw_blink,
)
from mebench.synth.seeds import stream
from mebench.synth.truth import Truth

LANDMARK_ERROR_PX = 2.5
"""A person on whom dlib errs by more is not cast: its mean error over a corpus then stays below 3 px."""

_LANDMARK_ERROR_ONCE_PX, _VIEWS = 3.1, 6
_SKETCH_GRID_PX = 10  # candidates are only read by dlib, whose own error is ten times that of so wide a grid
_CANDIDATES = 60  # about every fourth is cast
_POOL = 1 << 22  # noise values drawn once; each frame reads on from a random place, for drawing 921,600 takes 10 ms

Wear: TypeAlias = Callable[[Identity], tuple[Identity, NDArray[np.float32] | None]]
"""From a candidate to them with a beard or without, and the log brightness (h, w) of what stands before the face."""


def bare(person: Identity) -> tuple[Identity, None]:
    """The person as drawn, with nothing before the face."""
    return person, None


def cast(settings: Settings, index: int) -> Identity:
    """The person with this index: the first candidate on whom dlib finds the landmarks where they are.

    dlib's mean error on such a person's neutral face is at most `LANDMARK_ERROR_PX` in a 640x480 frame.
    """
    return audition(stream(settings.seed, settings.dataset, "person", index), index, settings.layout.camera, bare)[0]


def audition(
    rng: np.random.Generator, index: int, camera: Camera, wear: Wear
) -> tuple[Identity, NDArray[np.float32] | None]:
    """The first candidate on whose bare face dlib finds the landmarks, and who is still found in what they wear."""
    mean_shape = _portrait(mirrored=False).mean_shape()
    for _ in range(_CANDIDATES):
        person = draw_identity(rng, mean_shape, mirrored=bool(index % 2))
        if _is_readable(person, camera, rng):
            worn, before = wear(person)
            if (worn is person and before is None) or _is_found(worn, camera, before):
                return worn, before
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
    closure = draw_blink(rng, take.frames, camera.fps) * (BLINK_PX * camera.scale)
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
    gain = float(np.exp(rng.normal(0, GAIN_SPREAD)))
    pool = noise_pool(settings.seed, settings.dataset)
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


@dataclass(frozen=True, eq=False)
class PlannedFilm:
    """A clip of the smoke tier on film, straight from the plan."""

    settings: Settings
    clip: PlannedClip
    person: Identity
    scene: Scene

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Frames (h, w) or (h, w, 3) BGR."""
        return exposures(self.settings, self.clip, self.scene)

    def truth(self) -> Truth:
        """What is known of the clip."""
        return truth_of(self.settings, self.clip, self.scene, self.person)


def _expression(clip: PlannedClip, person: Identity, camera: Camera) -> tuple[NDArray[np.float32], float]:
    """The displacement field (h, w, 2) at the apex, px, and the greatest displacement by each unit alone.

    Units weigh equally and together reach the take's peak.
    """
    fields = [unit_field(unit, person.landmarks, camera) for unit in clip.units]
    together = sum(fields[1:], start=fields[0])
    strength = clip.take.peak_px * camera.scale / peak_length(together)
    return np.float32(strength) * together, strength


def _draw_head(rng: np.random.Generator, frames: int, person: Identity, camera: Camera) -> NDArray[np.float64]:
    """Head poses (frames, 2, 3): where this clip was sat through, and the sway from there."""
    pose = _draw_pose(rng, person, camera)
    centre = transform(pose, camera.from_reference(person.landmarks)).mean(axis=0)
    return np.stack([compose(similarity(centre, step[:2], step[2]), pose) for step in sway(rng, frames, camera.scale)])


def _draw_pose(rng: np.random.Generator, person: Identity, camera: Camera) -> NDArray[np.float64]:
    """The matrix (2, 3) from the neutral face to where and how the head is held in one recording."""
    centre = camera.from_reference(person.landmarks).mean(axis=0)
    shift = rng.normal(0, POSE_SHIFT_PX * camera.scale, 2)
    angle, size = np.deg2rad(rng.normal(0, POSE_DEGREES)), np.exp(rng.normal(0, POSE_SCALE))
    return similarity(centre, shift, angle, float(size))


def _is_found(person: Identity, camera: Camera, before: NDArray[np.float32] | None) -> bool:
    """Whether dlib finds one face and its landmarks within twice `LANDMARK_ERROR_PX`: a beard hides a chin."""
    picture = _sketch(person, camera)
    if before is not None:
        picture *= np.exp(before).reshape(*before.shape, *(1,) * (picture.ndim - 2))
    view = np.clip(picture, 0, 255).astype(np.uint8)
    read = _read_by_finder(view if camera.grey else np.ascontiguousarray(view[..., ::-1]))
    return _distance(read, camera.from_reference(person.landmarks)) / camera.scale <= 2 * LANDMARK_ERROR_PX


def _sketch(person: Identity, camera: Camera) -> NDArray[np.float32]:
    portrait = _portrait(mirrored=person.mirrored)
    return neutral_picture(person, portrait, camera, supersampling=1, grid_px=_SKETCH_GRID_PX)


def _is_readable(person: Identity, camera: Camera, rng: np.random.Generator) -> bool:
    """Whether dlib's mean error on slightly moved, noisy views of the neutral face stays below `LANDMARK_ERROR_PX`.

    dlib is called as most scripts call it, once per view at full size; then the package's own finder, which takes a
    median over boxes, has to agree on the last view.
    """
    picture = _sketch(person, camera)
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
def noise_pool(seed: int, dataset: str) -> NDArray[np.float32]:
    """Sensor noise of deviation `NOISE_SIGMA`, drawn once per corpus and read from random places."""
    noise = stream(seed, dataset, "noise").standard_normal(_POOL, dtype=np.float32)
    noise *= np.float32(NOISE_SIGMA)
    return noise


__all__ = [
    "LANDMARK_ERROR_PX",
    "NOISE_SIGMA",
    "PlannedFilm",
    "Wear",
    "audition",
    "bare",
    "cast",
    "exposures",
    "noise_pool",
    "picture_of",
    "stage",
    "truth_of",
]

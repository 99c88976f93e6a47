"""From a planned clip of the smoke plan to its script: what every renderer is told."""

import numpy as np
from numpy.typing import NDArray

from mebench.synth.action_units import DrawnUnit
from mebench.synth.motion import blink_course, expression_course, sway
from mebench.synth.plan import PlannedClip, Settings, Take
from mebench.synth.script import ClipScript, HeadPose, PersonScript, Recording, UnitTrack
from mebench.synth.seeds import stream

NOISE_SIGMA = 2.0
JPEG_QUALITY = 90
IDLE_PX = 0.5
"""How far skin at rest wanders within a clip at its liveliest place, px of a 640x480 frame: .4 % of the distance
between the eyes, for tonus, pulse and breath never leave a face still (the size is our choice: without it a descriptor
that averages over a region sees a tenth of a pixel, which no coder does)."""
BLINK_SHARE = 0.25
BLINK_PX = 4.0  # in a 640x480 frame, a third of the eye's opening: half a blink
BLINK_S = (0.10, 0.20)
POSE_SHIFT_PX, POSE_DEGREES, POSE_SCALE = 4.0, 0.8, 0.01  # deviations between the clips of one person
GAIN_SPREAD = 0.03  # of the exposure between clips

_BLINK_CLOSURE = 1 / 3


def smoke_person(settings: Settings, index: int) -> PersonScript:
    """The person with this index: nothing but a face."""
    return PersonScript(settings.dataset, settings.seed, index)


def smoke_script(settings: Settings, clip: PlannedClip) -> ClipScript:
    """The script of a clip of the smoke plan; everything but its units comes from streams that know no label.

    Each unit by itself reaches the take's peak; the portrait renderer films the smoke tier from the plan instead, in
    which overlapping units reach it together.
    """
    camera, take = settings.layout.camera, clip.take
    rng = stream(settings.seed, settings.dataset, "scene", take.index)
    closure = draw_blink(rng, take.frames, camera.fps) * _BLINK_CLOSURE
    head = _draw_head(rng, take.frames)
    exposure = stream(settings.seed, settings.dataset, "exposure", take.index)
    gain = float(np.exp(exposure.normal(0, GAIN_SPREAD)))
    return ClipScript(
        dataset=settings.dataset,
        seed=settings.seed,
        index=take.index,
        camera=camera,
        numbers=np.arange(take.onset, take.offset + 1),
        apex=take.apex,
        units=tuple(_track(unit, take) for unit in clip.units),
        rest=(),
        head=head,
        gaze=np.zeros((take.frames, 2)),
        closure=closure,
        idle_px=IDLE_PX,
        recording=Recording(np.full(take.frames, gain), NOISE_SIGMA, 0.0, JPEG_QUALITY),
    )


def draw_blink(rng: np.random.Generator, frames: int, fps: float) -> NDArray[np.float64]:
    """The course of a blink (frames,), 0 to 1; in most clips the lids stay open."""
    happens, where, length = rng.uniform() < BLINK_SHARE, rng.uniform(-0.3, 0.9), rng.uniform(*BLINK_S)
    return blink_course(frames, where * frames, length * fps) * float(happens)


def _draw_head(rng: np.random.Generator, frames: int) -> HeadPose:
    """Where this clip was sat through, and the sway from there."""
    shift, roll, size = rng.normal(0, POSE_SHIFT_PX, 2), np.deg2rad(rng.normal(0, POSE_DEGREES)), POSE_SCALE
    log_scale, path, still = float(rng.normal(0, size)), sway(rng, frames, 1.0), np.zeros(frames)
    x, y, turn = (path + np.array([*shift, roll])).T
    return HeadPose(x, y, turn, still, still, np.full(frames, log_scale))


def _track(unit: DrawnUnit, take: Take) -> UnitTrack:
    course = take.peak_px * expression_course(take.frames, take.apex - take.onset)
    left, right = (course * (unit.side in (None, side)) for side in ("left", "right"))
    return UnitTrack(unit.number, left, right)


__all__ = [
    "BLINK_PX",
    "BLINK_S",
    "BLINK_SHARE",
    "GAIN_SPREAD",
    "IDLE_PX",
    "JPEG_QUALITY",
    "NOISE_SIGMA",
    "POSE_DEGREES",
    "POSE_SCALE",
    "POSE_SHIFT_PX",
    "draw_blink",
    "smoke_person",
    "smoke_script",
]

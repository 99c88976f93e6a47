"""From a clip of the calibrated plan to its script: the expression, and all that goes on beside it.

Head, eyes, lids, light and camera come from streams that know no label. Sizes without a source are our choice, made so
that a held head, a lit room and a blinking person look as they do in the released clips' descriptions.
"""

import numpy as np
from numpy.typing import NDArray

from mebench.synth.calibrated import ActedClip, Part
from mebench.synth.coding import Event
from mebench.synth.motion import blink_course, sway
from mebench.synth.plan import Settings
from mebench.synth.script import ClipScript, HeadPose, PersonScript, Recording, UnitTrack
from mebench.synth.scripting import BLINK_SHARE, IDLE_PX
from mebench.synth.seeds import stream

GLASSES_SHARE, BEARD_SHARE = 0.25, 0.2
_SHIFT_PX, _ROLL, _YAW, _PITCH, _LOG_SCALE = 4.0, 1.2, 3.5, 2.5, 0.012  # deviations between clips, degrees
_TURN_DEGREES = 0.7  # greatest change of yaw and pitch within a median clip
_SWAY_OCTAVES = 0.5
_FIXATION, _SACCADE_SHARE, _SACCADE, _SACCADE_S = (5.0, 2.5), 0.35, (7.0, 3.0), 0.04  # degrees
_BLINK_S, _CLOSED = (0.12, 0.25), (0.8, 1.0)
_GAIN_SD, _DRIFT, _FLICKER, _MAINS_HZ = 0.03, 0.008, 0.006, 100.0
_NOISE_SIGMA, _BLUR_PX, _JPEG_QUALITIES = (1.8, 2.6), (0.0, 0.5), (86, 90, 94)


def calibrated_person(settings: Settings, subject: str) -> PersonScript:
    """The person behind a subject id, the same in every corpus of this seed, however small."""
    at = settings.layout.subjects.index(subject)
    rng = stream(settings.seed, settings.dataset, "traits", at)
    glasses, bearded = bool(rng.uniform() < GLASSES_SHARE), bool(rng.uniform() < BEARD_SHARE)
    beard, wrinkles = float(rng.uniform(0.4, 1)), float(rng.uniform(0.4, 1))
    return PersonScript(settings.dataset, settings.seed, at, glasses, beard if bearded else 0.0, wrinkles)


def calibrated_script(settings: Settings, clip: ActedClip) -> ClipScript:
    """The script of a clip of the calibrated plan."""
    camera, take = settings.layout.camera, clip.take
    rng = stream(settings.seed, settings.dataset, "scene", take.index)
    numbers = np.arange(take.onset, take.offset + 1)
    return ClipScript(
        dataset=settings.dataset,
        seed=settings.seed,
        index=take.index,
        camera=camera,
        numbers=numbers,
        apex=round(clip.event.apex),
        units=tuple(_track(part, course(numbers - part.delay, clip.event)) for part in clip.parts),
        rest=tuple(_track(part, np.ones(take.frames)) for part in clip.rest),
        closure=draw_closure(rng, take.frames, camera.fps, BLINK_SHARE),
        head=_draw_head(rng, take.frames),
        gaze=_draw_gaze(rng, take.frames, camera.fps),
        idle_px=IDLE_PX,
        recording=_draw_recording(settings, rng, clip),
    )


def course(numbers: NDArray[np.floating], event: Event) -> NDArray[np.float64]:
    """Intensity at frame numbers: 0 up to the onset, 1 at the apex, 0 from the offset on, along half cosines."""
    rise = (numbers - event.onset) / (event.apex - event.onset)
    fall = (event.offset - numbers) / (event.offset - event.apex)
    found: NDArray[np.float64] = (1 - np.cos(np.pi * np.clip(np.minimum(rise, fall), 0, 1))) / 2
    return found


def draw_closure(rng: np.random.Generator, frames: int, fps: float, share: float) -> NDArray[np.float64]:
    """How far the lids are closed (frames,): one blink in this share of the calls, which all draw equally often."""
    happens, where = rng.uniform() < share, rng.uniform(-0.2, 0.9)
    length, depth = rng.uniform(*_BLINK_S), rng.uniform(*_CLOSED)
    return blink_course(frames, where * frames, length * fps) * (depth if happens else 0.0)


def _track(part: Part, intensity: NDArray[np.float64]) -> UnitTrack:
    return UnitTrack(part.unit.number, part.left_px * intensity, part.right_px * intensity)


def _draw_head(rng: np.random.Generator, frames: int) -> HeadPose:
    """How the clip was sat through, and the sway from there; some sit more still than others."""
    x, y = rng.normal(0, _SHIFT_PX, 2)
    roll, yaw, pitch = np.deg2rad(rng.normal(0, (_ROLL, _YAW, _PITCH)))
    unrest = 2.0 ** rng.normal(0, _SWAY_OCTAVES, 2)
    path = sway(rng, frames, float(unrest[0]))
    turn = sway(rng, frames, 1.0)[:, :2]
    turn *= np.deg2rad(_TURN_DEGREES) * unrest[1] / np.abs(turn).max()
    size = np.full(frames, rng.normal(0, _LOG_SCALE))
    return HeadPose(
        path[:, 0] + x, path[:, 1] + y, path[:, 2] + roll, turn[:, 0] + yaw, turn[:, 1] + pitch, log_scale=size
    )


def _draw_gaze(rng: np.random.Generator, frames: int, fps: float) -> NDArray[np.float64]:
    """Where the eyes look (frames, 2), radians: a fixation and, in some clips, a saccade to another."""
    first, jump = rng.normal(0, _FIXATION), rng.normal(0, _SACCADE)
    happens, when = rng.uniform() < _SACCADE_SHARE, rng.uniform(0, frames)
    done = np.clip((np.arange(frames) - when) / (_SACCADE_S * fps), 0, 1)
    smooth = done * done * (3 - 2 * done)
    return np.asarray(np.deg2rad(first + float(happens) * smooth[:, None] * jump), np.float64)


def _draw_recording(settings: Settings, rng: np.random.Generator, clip: ActedClip) -> Recording:
    """Exposure that differs between clips, drifts and flickers with the mains; noise, focus and quality."""
    frames, fps = clip.take.frames, settings.layout.camera.fps
    time = np.arange(frames)
    person = stream(settings.seed, settings.dataset, "room", settings.layout.subjects.index(clip.take.subject))
    flicker, blur = person.uniform(0, _FLICKER), person.uniform(*_BLUR_PX)
    level, drift, phases = rng.normal(0, _GAIN_SD), rng.normal(0, _DRIFT), rng.uniform(0, 2 * np.pi, 2)
    mains = np.sin(2 * np.pi * _MAINS_HZ / fps * time + phases[0])
    slow = np.sin(np.pi * time / max(frames - 1, 1) + phases[1]) - np.sin(phases[1])
    gain = np.exp(level + drift * slow + flicker * mains)
    return Recording(gain, float(rng.uniform(*_NOISE_SIGMA)), float(blur), int(rng.choice(_JPEG_QUALITIES)))


__all__ = ["calibrated_person", "calibrated_script", "course", "draw_closure"]

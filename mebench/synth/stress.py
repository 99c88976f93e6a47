"""One thing at a time made worse, everything else as the smoke plan has it: for curves of score against dose.

At its neutral level a factor changes nothing. Nothing but blinks asked to be confounded knows a label.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UnknownName, UsageError
from mebench.synth.acting import draw_closure
from mebench.synth.plan import PlannedClip, Settings
from mebench.synth.script import ClipScript, HeadPose, UnitTrack
from mebench.synth.scripting import BLINK_SHARE
from mebench.synth.seeds import stream

CONFOUNDED = "confounded-blinks"
_FEWEST_FRAMES = 5

Shown = tuple[PlannedClip, ClipScript]
"""A clip as it is annotated, and what it shows."""


@dataclass(frozen=True, slots=True)
class Factor:
    """What is varied: its unit, the levels allowed, the one that changes nothing, and how it is done."""

    unit: str
    least: float
    most: float
    neutral: float
    apply: Callable[[Settings, PlannedClip, ClipScript], Shown]


def stressed(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    """The clip and its script at the level asked for; unchanged where no factor is."""
    return FACTORS[settings.factor].apply(settings, clip, script) if settings.factor else (clip, script)


def require_level(factor: str, level: float) -> None:
    """Raises UnknownName for a factor that does not exist, UsageError for a level out of its range."""
    if factor not in FACTORS:
        raise UnknownName("factor", factor, FACTORS)
    asked = FACTORS[factor]
    if not asked.least <= level <= asked.most:
        raise UsageError(
            f"Level {level:g} of {factor} was asked for.",
            f"Give {asked.least:g} to {asked.most:g} {asked.unit}; {asked.neutral:g} changes nothing.",
        )


def _yaw(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    """Faces turned by this angle, to either side as often, whatever the label."""
    rng = stream(settings.seed, settings.dataset, "stress yaw", clip.take.index)
    side = 1.0 if rng.uniform() < 0.5 else -1.0
    head = replace(script.head, yaw=script.head.yaw + side * np.deg2rad(settings.level))
    return clip, replace(script, head=head)


def _noise(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    return clip, replace(script, recording=replace(script.recording, noise_sigma=settings.level))


def _blur(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    return clip, replace(script, recording=replace(script.recording, blur_px=settings.level))


def _compression(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    return clip, replace(script, recording=replace(script.recording, jpeg_quality=round(settings.level)))


def _fps(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    """The same event seen by a slower camera: fewer frames, numbered on; annotated on the frames that are left."""
    step = settings.layout.camera.fps / settings.level
    count = max(_FEWEST_FRAMES, round((script.frames - 1) / step) + 1)
    chosen = np.linspace(0, script.frames - 1, count).round().astype(int)
    first = int(script.numbers[0])
    apexes = [
        int(np.abs(chosen - (number - first)).argmin()) + first for number in (clip.take.apex, script.apex)
    ]  # fmt: skip
    take = replace(clip.take, apex=apexes[0], offset=first + count - 1)
    return replace(clip, take=take), every(script, chosen, first + np.arange(count), apexes[1])


def _amplitude(_settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    """Nothing more: the plan was drawn at this amplitude."""
    return clip, script


def _apex_error(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    """An apex coded off by a normal error of this deviation in frames, within the clip; what happens stays."""
    error = stream(settings.seed, settings.dataset, "stress apex", clip.take.index).normal(0, 1) * settings.level
    take = clip.take
    apex = int(np.clip(round(take.apex + error), take.onset + 1, take.offset - 1))
    return replace(clip, take=replace(take, apex=apex)), script


def _confounded_blinks(settings: Settings, clip: PlannedClip, script: ClipScript) -> Shown:
    """Blinks that go with the label: at level 1 every clip of half of the classes holds one and no other clip does."""
    rng = stream(settings.seed, settings.dataset, "stress blinks", clip.take.index)
    classes = stream(settings.seed, settings.dataset, "blinking classes").permutation(sorted(_classes(settings)))
    blinking = clip.emotion in classes[: len(classes) // 2]
    share = (1 - settings.level) * BLINK_SHARE + settings.level * float(blinking)
    if settings.level == 0:
        return clip, script
    return clip, replace(script, closure=draw_closure(rng, script.frames, script.camera.fps, share))


def _classes(settings: Settings) -> Sequence[str]:
    from mebench.synth.expressions import MENUS
    from mebench.synth.marginals import MARGINALS

    return list(MARGINALS[settings.dataset].classes if settings.tier == "calibrated" else MENUS[settings.dataset])


def every(script: ClipScript, chosen: NDArray[np.int64], numbers: NDArray[np.int64], apex: int) -> ClipScript:
    """The script at these of its frames alone, renumbered."""

    def tracks(given: tuple[UnitTrack, ...]) -> tuple[UnitTrack, ...]:
        return tuple(replace(track, left=track.left[chosen], right=track.right[chosen]) for track in given)

    head = HeadPose(*(getattr(script.head, name)[chosen] for name in ("x", "y", "roll", "yaw", "pitch", "log_scale")))
    return replace(
        script,
        numbers=numbers,
        apex=apex,
        units=tracks(script.units),
        rest=tracks(script.rest),
        head=head,
        gaze=script.gaze[chosen],
        closure=script.closure[chosen],
        recording=replace(script.recording, gain=script.recording.gain[chosen]),
    )


FACTORS: Mapping[str, Factor] = {
    "yaw": Factor("degrees", 0, 30, 0, _yaw),
    "noise": Factor("grey levels", 0, 40, 2, _noise),
    "blur": Factor("px", 0, 6, 0, _blur),
    "compression": Factor("JPEG quality", 5, 100, 90, _compression),
    "fps": Factor("frames per second", 25, 200, 200, _fps),
    "amplitude": Factor("px", 0, 3, 1, _amplitude),
    "apex-error": Factor("frames", 0, 20, 0, _apex_error),
    CONFOUNDED: Factor("of the blinks", 0, 1, 0, _confounded_blinks),
}

__all__ = ["CONFOUNDED", "FACTORS", "Factor", "every", "require_level", "stressed"]

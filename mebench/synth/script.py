"""The script of a clip: all that happens before the camera, frame by frame, and nothing of how it is drawn.

A script comes from a plan; a renderer films it. Two renderers that film one script show two different people who do the
same: they share the script and no drawing code. Lengths are px of a 640x480 frame, in which faces are 280 px wide
and the eyes 120 px apart, whatever the camera delivers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import Camera
from mebench.synth.seeds import stream
from mebench.synth.truth import Truth

Floats = NDArray[np.float64]

INTEROCULAR_PX = 120.0
"""Between the centres of the eyes in a 640x480 frame: by it, shares of the inter-ocular distance become px."""


@dataclass(frozen=True, slots=True)
class PersonScript:
    """Who is filmed, in traits that any renderer can draw; the face itself is the renderer's choice.

    `beard` 0..1 says how dense, `wrinkles` 0..1 how strongly skin folds where units act; smoke tiers have neither.
    """

    dataset: str
    seed: int
    index: int
    glasses: bool = False
    beard: float = 0.0
    wrinkles: float = 0.0

    def stream(self, purpose: str) -> np.random.Generator:
        """Random numbers of this person for one purpose of a renderer, which puts its own name into the purpose."""
        return stream(self.seed, self.dataset, purpose, self.index)


@dataclass(frozen=True, eq=False, slots=True)
class UnitTrack:
    """How far an action unit by itself moves the skin at its liveliest place, px, on either side of the face (t,)."""

    number: int
    left: Floats
    right: Floats

    @property
    def text(self) -> str:
        """As a workbook writes it: `4`, `L12`."""
        left, right = self.left.max() > 0, self.right.max() > 0
        return f"{'' if left == right else 'L' if left else 'R'}{self.number}"

    @property
    def intensity(self) -> Floats:
        """The greater of both sides (t,), px."""
        return np.maximum(self.left, self.right)


@dataclass(frozen=True, eq=False, slots=True)
class HeadPose:
    """How the head is held (t,): shift right and down in px, angles in radians, and size as log scale.

    `roll` turns clockwise in the image; `yaw` turns the face to the image's right, `pitch` downwards.
    """

    x: Floats
    y: Floats
    roll: Floats
    yaw: Floats
    pitch: Floats
    log_scale: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """How the camera records: exposure per frame (t,), noise in grey levels, blur in px, JPEG quality.

    `blur_px` is the sigma of a Gaussian; `jpeg_quality` counts where the corpus's frames are JPEG files.
    """

    gain: Floats
    noise_sigma: float
    blur_px: float
    jpeg_quality: int


@dataclass(frozen=True, eq=False, slots=True)
class ClipScript:
    """All that a clip shows, from a generator's point of view; t frames.

    `numbers (t,)` are frame numbers, `apex` that of the true apex, which a coder may miss. `units` are what the clip
    expresses; `rest` are units that stand there throughout and are no part of the expression: a face that is not
    neutral at the onset. `gaze (t, 2)` turns the eyes right and down in the image, radians; `closure (t,)` is
    the share of the eye's opening that the lids cover. `idle_px` is how far skin at rest wanders.
    """

    dataset: str
    seed: int
    index: int
    camera: Camera
    numbers: NDArray[np.int64]
    apex: int
    units: tuple[UnitTrack, ...]
    rest: tuple[UnitTrack, ...]
    head: HeadPose
    gaze: Floats
    closure: Floats
    idle_px: float
    recording: Recording

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return len(self.numbers)

    @property
    def apex_index(self) -> int:
        """The frame of the true apex, counted from 0."""
        return self.apex - int(self.numbers[0])

    def stream(self, purpose: str) -> np.random.Generator:
        """Random numbers of this clip for one purpose of a renderer, which puts its own name into the purpose."""
        return stream(self.seed, self.dataset, purpose, self.index)


class Film(Protocol):
    """A clip as one renderer shows it."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """The frames as the camera delivers them, (h, w) or (h, w, 3) BGR: exposed, blurred, noisy, not compressed."""

    def truth(self) -> Truth:
        """What moved, in px of the frame."""


class Renderer(Protocol):
    """Something that draws people and films scripts; equal scripts give equal bytes."""

    @property
    def name(self) -> str:
        """As `--renderer` and the marker file spell it."""

    def cast(self, person: PersonScript, camera: Camera) -> Any:
        """The person as this renderer keeps them: drawn once, filmed in many clips."""

    def film(self, person: Any, script: ClipScript) -> Film:
        """The film of a script with a person of `cast`."""


__all__ = [
    "INTEROCULAR_PX",
    "ClipScript",
    "Film",
    "HeadPose",
    "PersonScript",
    "Recording",
    "Renderer",
    "UnitTrack",
]

"""Rendered clips whose every motion is known: one expression, one course of the head, one person.

The head moves in the plane, or turns about its vertical or horizontal axis: a dome with a nose, seen from afar. Skin at
rest wanders, the camera adds noise, frames are JPEG-coded, as in the smoke corpora. SYNTHETIC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.action_units import DrawnUnit, idle_fields, peak_length, unit_field
from mebench.synth.camera import Camera
from mebench.synth.faces import SUPERSAMPLING
from mebench.synth.filming import IDLE_PX, NOISE_SIGMA, cast, picture_of
from mebench.synth.identities import Identity
from mebench.synth.motion import expression_course, idle_courses, inverse, similarity, transform
from mebench.synth.plan import Settings
from mebench.synth.sampling import sample, sample_field
from mebench.vision.arrays import Bytes

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Turn = Literal["", "yaw", "pitch"]

CORPUS = "casme2"
JPEG_QUALITY = 90
CAMERA = Camera(640, 480, 200.0)
DOME, NOSE = (1.0, 0.9), (0.3, 0.15)
"""Height and width of the head's dome and of the nose on it, in distances between the eyes."""
WINDOW = (slice(50, 440), slice(115, 515))
"""Rows and columns of the frame that are rendered: the face, wherever it goes."""
ORIGIN = np.array([WINDOW[1].start, WINDOW[0].start], np.float64)
_STEPS = 8


@dataclass(frozen=True, slots=True)
class Head:
    """How far the head goes: a shift in px and an angle in degrees within the plane, or a turn by so many degrees."""

    name: str
    shift_px: float = 0.0
    degrees: float = 0.0
    turn: Turn = ""

    def courses(self, frames: int) -> tuple[Doubles, Doubles]:
        """Shifts (t, 2) px and angles (t,) radians, 0 at first: the shift runs away and half back, sideways too.

        The angle of a turn goes to the end in a half cosine.
        """
        phase = np.linspace(0, 1.5 * np.pi, frames)
        if self.turn:
            return np.zeros((frames, 2)), np.deg2rad(self.degrees) * (1 - np.cos(np.linspace(0, np.pi, frames))) / 2
        path = np.column_stack([np.sin(phase), (1 - np.cos(phase)) / 2])
        path *= self.shift_px / max(np.hypot(*path.T).max(), 1e-9)
        return path, np.deg2rad(self.degrees) * np.sin(phase)


HEADS = (
    Head("still"),
    Head("2 px + .5 deg", 2.0, 0.5),
    Head("6 px + 2 deg", 6.0, 2.0),
    Head("yaw 5 deg", degrees=5.0, turn="yaw"),
    Head("pitch 5 deg", degrees=5.0, turn="pitch"),
)


@dataclass(frozen=True)
class Shot:
    """One clip to render: `units` reach `peak_px` together at the apex; `idle_px` of skin at rest; `noise` in grey
    levels and JPEG, or 0 for neither."""

    person: int
    units: tuple[DrawnUnit, ...]
    peak_px: float
    head: Head
    frames: int = 7
    idle_px: float = IDLE_PX
    noise: float = NOISE_SIGMA
    seed: int = 0
    peak_at: float = 0.5

    @property
    def apex(self) -> int:
        """Of the frames, the one with the strongest expression: this share of the way from first to last."""
        return round(self.peak_at * (self.frames - 1))

    @cached_property
    def landmarks(self) -> Doubles:
        """True landmarks (68, 2) of the first frame."""
        return _person(self.person)[0].landmarks

    @cached_property
    def expression(self) -> Floats:
        """Displacement (h, w, 2) at the apex, px."""
        fields = [unit_field(unit, self.landmarks, CAMERA) for unit in self.units]
        if not fields:
            return np.zeros((CAMERA.height, CAMERA.width, 2), np.float32)
        together = sum(fields[1:], start=fields[0])
        return np.float32(self.peak_px / peak_length(together)) * together

    @cached_property
    def course(self) -> Doubles:
        """How much there is of the expression, (t,)."""
        return expression_course(self.frames, self.apex)

    @cached_property
    def _idle(self) -> tuple[Floats, Doubles]:
        rng = np.random.default_rng((self.seed, self.person))
        fields = idle_fields(rng, self.landmarks, CAMERA)
        return fields, idle_courses(rng, self.frames, len(fields)) * self.idle_px

    def skin(self, t: int) -> Floats:
        """Displacement (h, w, 2) of the skin at frame t, leading back as `mebench.synth.render` has it."""
        fields, amounts = self._idle
        field = np.float32(self.course[t]) * self.expression
        for amount, idle in zip(amounts[t], fields, strict=True):
            field = field + np.float32(amount) * idle
        return field

    def in_frame(self, points: Doubles, t: int) -> Doubles:
        """Where points (..., 2) of the posed skin are seen in frame t."""
        shifts, angles = self.head.courses(self.frames)
        if self.head.turn:
            return points + self._turned(points, angles[t])
        return transform(similarity(self._centre, shifts[t], angles[t]), points)

    def material(self, points: Doubles, t: int, field: Floats | None = None) -> Doubles:
        """Where points (..., n, 2) of the resting face lie at frame t, before the head moves; of this field alone."""
        field = self.skin(t) if field is None else field
        posed = points
        for _ in range(_STEPS * 2):
            places = posed.reshape(-1, points.shape[-2], 2).astype(np.float32)
            posed = points + sample_field(field, places).reshape(points.shape)
        return posed

    def images(self) -> Bytes:
        """The `WINDOW` of the frames (t, h, w, 3) RGB; a point of the frame lies at itself minus `ORIGIN`."""
        picture = _person(self.person)[1]
        rng = np.random.default_rng((self.seed, self.person, 1))
        return np.stack([self._image(picture, t, rng) for t in range(self.frames)])

    def pair(self) -> Bytes:
        """The `WINDOW` of the first frame and of the apex, (2, h, w, 3) RGB."""
        picture = _person(self.person)[1]
        rng = np.random.default_rng((self.seed, self.person, 1))
        return np.stack([self._image(picture, t, rng) for t in (0, self.apex)])

    @property
    def _centre(self) -> Doubles:
        return np.asarray(self.landmarks.mean(axis=0), np.float64)

    def _turned(self, points: Doubles, angle: float) -> Doubles:
        """How the turn shifts points (..., 2): seen from afar, about an axis through the middle of the face."""
        eyes = self.landmarks[36:42].mean(axis=0), self.landmarks[42:48].mean(axis=0)
        unit = float(np.hypot(*(eyes[1] - eyes[0])))
        off = (points - self._centre) / unit
        nose = (points - self.landmarks[30]) / unit
        depth = DOME[0] * np.exp(-(off**2).sum(-1) / (2 * DOME[1] ** 2))
        depth = unit * (depth + NOSE[0] * np.exp(-(nose**2).sum(-1) / (2 * NOSE[1] ** 2)))
        along = 0 if self.head.turn == "yaw" else 1
        shift = np.zeros_like(points)
        shift[..., along] = unit * off[..., along] * (np.cos(angle) - 1) + depth * np.sin(angle)
        return shift

    def _image(self, picture: Floats, t: int, rng: np.random.Generator) -> Bytes:
        y, x = np.mgrid[WINDOW].astype(np.float64)
        seen = np.stack([x, y], axis=-1)
        shifts, angles = self.head.courses(self.frames)
        if self.head.turn and t:
            posed = seen
            for _ in range(_STEPS):
                posed = seen - self._turned(posed, angles[t])
        else:
            posed = transform(inverse(similarity(self._centre, shifts[t], angles[t])), seen)
        neutral = posed.astype(np.float32) - sample_field(self.skin(t), posed.astype(np.float32))
        sharp = sample(picture, (neutral + np.float32(0.5)) * np.float32(SUPERSAMPLING) - np.float32(0.5))
        noisy = np.rint(np.clip(sharp + rng.normal(0, self.noise, sharp.shape), 0, 255)).astype(np.uint8)
        if self.noise:
            coded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
            noisy = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        return np.ascontiguousarray(noisy[..., ::-1])


def shots(people: Sequence[int], sets: Sequence[tuple[int, ...]], heads: Sequence[Head], peak_px: float) -> list[Shot]:
    """Every set of action units on every person with every course of the head."""
    return [
        Shot(person, tuple(map(DrawnUnit, units)), peak_px, head, seed=index)
        for person in people
        for index, units in enumerate(sets)
        for head in heads
    ]


@lru_cache(maxsize=4)
def _person(index: int) -> tuple[Identity, Floats]:
    person = cast(Settings(CORPUS, "smoke", 8, 8, 1.0, 0), index)
    return person, picture_of(person, CAMERA)

"""Clips of the second renderer: a script and a person become frames, and the truth about them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import Camera
from mebench.synth.script import ClipScript, UnitTrack
from mebench.synth.solid.creases import crease_map
from mebench.synth.solid.eyes import eye_colours
from mebench.synth.solid.landmarks import PLACES
from mebench.synth.solid.muscles import lid_closing, resting_fields, unit_field
from mebench.synth.solid.optics import EYE_PLANE, Stance, brightness, normals
from mebench.synth.solid.raster import rasterise
from mebench.synth.solid.sitter import Sitter
from mebench.synth.solid.spectacles import draw_spectacles
from mebench.synth.solid.surface import grid
from mebench.synth.truth import Truth

Field = NDArray[np.float64]
Floats = NDArray[np.float32]

SAMPLES = 2
"""Sampling points per pixel and axis."""
TRUTH_STEP_PX = 2
_RESTING = 2
_CYCLES = (0.4, 1.6)  # of skin at rest, per clip: as slow as an expression, so that no filter in time tells them apart
_SHUT = 0.01
_CREASE = 0.09  # log units per px of motion, where folds are at their deepest


@dataclass(frozen=True, eq=False)
class SolidFilm:
    """A clip: `sitter` does what `script` says."""

    sitter: Sitter
    script: ClipScript

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """The frames as the camera delivers them, (h, w) or (h, w, 3) BGR."""
        rng, recording = self.script.stream("solid exposure"), self.script.recording
        for t in range(self.script.frames):
            light = self.sharp(t) * np.float32(recording.gain[t])
            if recording.blur_px > 0:
                light = np.asarray(cv2.GaussianBlur(light, (0, 0), recording.blur_px * self.script.camera.scale))
            light += np.float32(recording.noise_sigma) * rng.standard_normal(light.shape, dtype=np.float32)
            yield np.clip(np.rint(light), 0, 255).astype(np.uint8)

    def sharp(self, t: int) -> Floats:
        """Frame t before the camera adds noise, grey levels (h, w) or (h, w, 3) float32."""
        camera, stance = self.script.camera, self.stance(t)
        vertices = self.head(t)
        seen = stance.project(vertices)
        seen[..., :2] = camera.from_reference(seen[..., :2])
        window = _window(seen, camera)
        small = cv2.resize(self._drawn(t, vertices, seen, window), window.size[::-1], interpolation=cv2.INTER_AREA)
        frame = self.sitter.behind.copy()
        frame[window.part] = small
        frame *= np.float32(255)
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) if camera.grey else frame, np.float32)

    def _drawn(self, t: int, vertices: Field, seen: Field, window: "_Window") -> Floats:
        """Colours (h, w, 3), 0..1, at the sampling points of a window of frame t."""
        person, stance = self.sitter.person, self.stance(t)
        fine = np.concatenate([window.fine(seen[..., :2]), seen[..., 2:]], axis=-1)
        lit = brightness(normals(stance.place(vertices)), person.light, person.ambient)
        values = np.concatenate([self.sitter.texels, lit[..., None]], axis=-1).astype(np.float32)
        found, hit = rasterise(fine, values, window.fine_size)
        places, bright = np.ascontiguousarray(found[..., :2]), found[..., 2]
        looks = _sampled(self.sitter.painting, places)
        for track in (*self.script.units, *self.script.rest):
            depth = _CREASE * self.sitter.wrinkles * float(track.intensity[t])
            if depth > 0 and (creases := crease_map(track.number)) is not None:
                bright = bright * np.exp(np.float32(-depth) * _sampled(creases, places))
        picture = looks[..., :3] * bright[..., None]
        self._look(picture, looks[..., 3] * hit, window, stance, self.script.gaze[t])
        behind = self.sitter.backdrop[window.fine_part]
        picture[~hit] = behind[~hit]
        if self.sitter.glasses:
            draw_spectacles(picture, self.sitter, stance, window.fine_of_reference)
        return np.clip(picture, 0, 1, out=picture)

    def _look(self, picture: Floats, opening: Floats, window: "_Window", stance: Stance, gaze: Field) -> None:
        """Paints the eyeballs where the lids are open."""
        rows, columns = np.nonzero(opening > _SHUT)
        nose = window.fine_of_reference(stance.project(np.array([[0.0, 0, EYE_PLANE]]))[:, :2])[0, 0]
        for side, here in enumerate((columns < nose, columns >= nose)):
            at = rows[here], columns[here]
            pixels = window.reference_of_fine(np.column_stack([at[1], at[0]]))
            colour = eye_colours(self.sitter.person, self.sitter.eyes[side], stance, gaze, pixels)
            picture[at] += (colour - picture[at]) * opening[at][:, None]

    def head(self, t: int) -> Field:
        """The vertices in frame t as the skin moves them, before the head does, (rows, columns, 3) units."""
        return self.sitter.head + self.skin(t)

    def skin(self, t: int) -> Field:
        """How far the skin has moved from the neutral face in frame t, (rows, columns, 3) units."""
        moved = np.zeros_like(self.sitter.head)
        for track in (*self.script.units, *self.script.rest):
            for amount, field in _amounts(track, t):
                moved += amount * field
        moved += float(self.script.closure[t]) * lid_closing()
        for amount, field in zip(self._idle[t], self._resting, strict=True):
            moved += amount * field
        return moved

    def stance(self, t: int) -> Stance:
        """How the head is held in frame t."""
        head = self.script.head
        return Stance(
            *(float(values[t]) for values in (head.x, head.y, head.roll, head.yaw, head.pitch, head.log_scale))
        )

    @cached_property
    def _resting(self) -> Field:
        return resting_fields(self.script.stream("solid rest"), _RESTING)

    @cached_property
    def _idle(self) -> Field:
        """How much there is of each resting field (t, n), units: slow waves from 0 in the first frame."""
        rng = self.script.stream("solid idle")
        time = np.linspace(0, 1, self.script.frames)[:, None]
        waves = np.sin(2 * np.pi * (rng.uniform(*_CYCLES, _RESTING) * time + rng.uniform(size=_RESTING)))
        waves -= waves[0]
        return np.asarray(waves * self.script.idle_px / np.maximum(np.abs(waves).max(axis=0), 1e-9))

    def truth(self) -> Truth:
        """What moved, px of the frame."""
        script, scale = self.script, self.script.camera.scale
        landmarks = np.stack([self.landmarks(t) for t in range(script.frames)])
        still = np.stack([self._seen_at(t, self.sitter.head) for t in range(script.frames)])
        together = np.zeros_like(self.sitter.head)
        for track in script.units:
            for amount, field in _amounts(track, script.apex_index):
                together += amount * field
        return Truth(
            numbers=script.numbers,
            apex=np.array(script.apex),
            landmarks=landmarks.astype(np.float32),
            head_motion=np.stack([_similarity(still[0], points) for points in still]),
            units=np.array([track.text for track in script.units]),
            intensity=np.array([track.intensity for track in script.units]).reshape(-1, script.frames).T * scale,
            peak_px=np.array(_length_seen(self.sitter.head, together) * scale),
            closure=script.closure * float(np.abs(lid_closing()[..., 1]).max()) * scale,
            motion=self.motion(0, script.apex_index).astype(np.float16),
            motion_step=np.array(TRUTH_STEP_PX),
        )

    def motion(self, start: int, end: int, step: int = TRUTH_STEP_PX) -> Floats:
        """Displacement (h / step, w / step, 2) in px from frame `start` to frame `end`, head and skin together.

        At every `step`-th pixel of frame `start` from pixel 0 on; 0 off the head. Eyes are taken to move with the
        skin around them.
        """
        camera = self.script.camera
        size = -(-camera.height // step), -(-camera.width // step)
        first = self.stance(start).project(self.head(start))
        last = camera.from_reference(self.stance(end).project(self.head(end))[..., :2])
        here = camera.from_reference(first[..., :2])
        shift = np.concatenate([last - here, np.zeros((*here.shape[:2], 1))], axis=-1).astype(np.float32)
        seen, hit = rasterise(np.concatenate([here / step, first[..., 2:]], axis=-1), shift, size)
        return np.asarray(seen[..., :2] * hit[..., None], np.float32)

    def landmarks(self, t: int) -> Field:
        """Where the 68 points lie in frame t, px."""
        return self._seen_at(t, self.head(t))

    def _seen_at(self, t: int, head: Field) -> Field:
        points = grid().at(head, PLACES)
        return self.script.camera.from_reference(self.stance(t).project(points)[:, :2])


def _amounts(track: UnitTrack, t: int) -> Iterator[tuple[float, Field]]:
    """Amounts and fields of a unit in frame t: of both sides where they move alike, else of each."""
    left, right = float(track.left[t]), float(track.right[t])
    if np.array_equal(track.left, track.right):
        yield left, unit_field(track.number, "both")
    else:
        yield left, unit_field(track.number, "left")
        yield right, unit_field(track.number, "right")


def _length_seen(head: Field, moved: Field) -> float:
    """The greatest displacement as the camera sees it on a head that looks straight ahead, px of a 640x480 frame."""
    shift = Stance().project(head + moved) - Stance().project(head)
    return float(np.hypot(shift[..., 0], shift[..., 1]).max())


def _similarity(source: Field, target: Field) -> Field:
    """The similarity (2, 3) that carries points (n, 2) nearest to others, least squares."""
    ones, zeros = np.ones(len(source)), np.zeros(len(source))
    x, y = source.T
    rows = np.concatenate([np.column_stack([x, -y, ones, zeros]), np.column_stack([y, x, zeros, ones])])
    a, b, tx, ty = np.linalg.lstsq(rows, np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


@dataclass(frozen=True)
class _Window:
    """Part of a frame: from pixel `left`, `top` on, (h, w) `size`; its sampling points are `SAMPLES` times as fine."""

    camera: Camera
    left: int
    top: int
    size: tuple[int, int]

    @property
    def part(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.size[0]), slice(self.left, self.left + self.size[1])

    @property
    def fine_part(self) -> tuple[slice, slice]:
        rows, columns = self.part
        return slice(rows.start * SAMPLES, rows.stop * SAMPLES), slice(columns.start * SAMPLES, columns.stop * SAMPLES)

    @property
    def fine_size(self) -> tuple[int, int]:
        return self.size[0] * SAMPLES, self.size[1] * SAMPLES

    def fine(self, pixels: Field) -> Field:
        """Px of the frame as sampling points of the window."""
        return (pixels - (self.left, self.top) + 0.5) * SAMPLES - 0.5

    def fine_of_reference(self, points: Field) -> Field:
        """Px of a 640x480 frame as sampling points of the window."""
        return self.fine(self.camera.from_reference(points))

    def reference_of_fine(self, points: Field) -> Field:
        """Sampling points of the window as px of a 640x480 frame."""
        return self.camera.to_reference((points + 0.5) / SAMPLES - 0.5 + (self.left, self.top))


def _window(seen: Field, camera: Camera) -> _Window:
    """The part of the frame that the head fills."""
    low = np.maximum(np.floor(seen[..., :2].min(axis=(0, 1))) - 1, 0).astype(int)
    high = np.minimum(np.ceil(seen[..., :2].max(axis=(0, 1))) + 2, (camera.width, camera.height)).astype(int)
    return _Window(camera, int(low[0]), int(low[1]), (int(high[1] - low[1]), int(high[0] - low[0])))


def _sampled(picture: Floats, places: Floats) -> Floats:
    """A picture at places (h, w, 2), px: OpenCV samples float32 of one, three or four channels without rounding."""
    return np.asarray(cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]


__all__ = ["SAMPLES", "SolidFilm"]

"""The portrait renderer: films scripts with people who are drawn around one portrait.

The neutral picture is sampled once per pixel: frame -> posed face (the head, in depth) -> neutral face (skin, eyes and
lids). Brightness that belongs to motion, such as wrinkles and spectacles, lies on the posed face.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.action_units import Side, idle_fields, peak_length, side_fields
from mebench.synth.camera import Camera
from mebench.synth.eyes import closed_landmarks, eye_opening, gaze_field, gaze_shift, lash_shade, lid_field
from mebench.synth.faces import SUPERSAMPLING
from mebench.synth.filming import NOISE_SIGMA, audition, noise_pool, picture_of
from mebench.synth.identities import Identity
from mebench.synth.layers import Layer, face_part, summed
from mebench.synth.motion import idle_courses
from mebench.synth.render import TRUTH_STEP_PX
from mebench.synth.renderers import PORTRAIT
from mebench.synth.sampling import sample, sample_field
from mebench.synth.script import ClipScript, PersonScript, UnitTrack
from mebench.synth.truth import Truth
from mebench.synth.turning import Relief, Turning, relief_of
from mebench.synth.wear import spectacles
from mebench.synth.wrinkles import shade_strength, unit_shade

_SETTLED_PX, _MOST_STEPS = 1e-3, 80
_STRIDE = 8
_SHARPEST_PX = 0.15  # blur below this is not worth a filter


@dataclass(frozen=True, eq=False)
class Sitter:
    """A person as this renderer keeps them: landmarks (68, 2) px of the frame, `before` (h, w) in log brightness."""

    script: PersonScript
    identity: Identity
    camera: Camera
    picture: NDArray[np.float32]
    landmarks: NDArray[np.float64]
    relief: Relief
    before: NDArray[np.float32] | None


class PortraitRenderer:
    """Draws people around one portrait and moves them by smooth fields."""

    name = PORTRAIT

    def cast(self, person: PersonScript, camera: Camera) -> Sitter:
        """The first candidate whose landmarks dlib finds, in what they wear."""

        def wear(candidate: Identity) -> tuple[Identity, NDArray[np.float32] | None]:
            before = spectacles(person.stream("spectacles"), candidate.landmarks, camera) if person.glasses else None
            return replace(candidate, beard=person.beard) if person.beard else candidate, before

        identity, before = audition(person.stream("person"), person.index, camera, wear)
        landmarks = camera.from_reference(identity.landmarks)
        relief = relief_of(landmarks, (camera.height, camera.width))
        return Sitter(person, identity, camera, picture_of(identity, camera), landmarks, relief, before)

    def film(self, person: Sitter, script: ClipScript) -> "PortraitFilm":
        """The film of a script."""
        return PortraitFilm(person, script)


class PortraitFilm:
    """One clip of one sitter."""

    def __init__(self, sitter: Sitter, script: ClipScript) -> None:
        self._sitter, self._script = sitter, script
        self._part = face_part(sitter.landmarks, (script.camera.height, script.camera.width))
        self._turning = Turning(sitter.relief, script.head, sitter.landmarks.mean(axis=0), script.camera)
        self._gaze = gaze_shift(sitter.landmarks, script.gaze)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Frames (h, w) or (h, w, 3) BGR."""
        rng = self._script.stream("exposure")
        recording = self._script.recording
        pool = noise_pool(self._script.seed, self._script.dataset)
        for t in range(self._script.frames):
            sharp = self.sharp(t)
            if recording.blur_px > _SHARPEST_PX:
                sharp = np.asarray(cv2.GaussianBlur(sharp, (0, 0), recording.blur_px * self._script.camera.scale))
            start = int(rng.integers(len(pool) - sharp.size))
            noise = pool[start : start + sharp.size].reshape(sharp.shape)
            share = recording.noise_sigma / NOISE_SIGMA
            exposed = cv2.addWeighted(sharp, float(recording.gain[t]), noise, share, 0.0, dtype=cv2.CV_8U)
            yield np.asarray(exposed, np.uint8)

    def sharp(self, t: int) -> NDArray[np.float32]:
        """Frame t before the camera blurs it and adds noise: grey levels, float32."""
        posed = self._turning.places(t)
        inside = self._inside(posed)
        part = posed[inside] - np.array(self._part.origin, np.float32)
        light = self._light(t)
        seen = sample(light, part) if light is not None else None
        posed[inside] -= sample_field(self._displacement(t, lids=True), part)
        posed += np.float32(0.5)
        posed *= np.float32(SUPERSAMPLING)
        posed -= np.float32(0.5)
        frame = sample(self._sitter.picture, posed)
        if seen is not None:
            frame[inside] *= np.exp(seen).reshape(*seen.shape, *(1,) * (frame.ndim - 2))
        return frame

    def truth(self) -> Truth:
        """What moved; the head's motion is the affine map that fits the landmarks best, for heads turn in depth."""
        script, scale = self._script, self._script.camera.scale
        strengths = [track.intensity * scale for track in script.units]
        together = self._displacement(script.apex_index, lids=False, only_units=True)
        landmarks = [self._landmarks(t) for t in range(script.frames)]
        still = [self._turning.forward(self._sitter.landmarks, t) for t in range(script.frames)]
        return Truth(
            numbers=script.numbers,
            apex=np.array(script.apex),
            landmarks=np.stack(landmarks).astype(np.float32),
            head_motion=np.stack([_affine(still[0], there) for there in still]),
            units=np.array([track.text for track in script.units]),
            intensity=np.stack(strengths, axis=1) if strengths else np.zeros((script.frames, 0)),
            peak_px=np.array(np.sqrt((together**2).sum(axis=-1).max())),
            closure=script.closure * eye_opening(self._sitter.landmarks),
            motion=self._motion(script.apex_index).astype(np.float16),
            motion_step=np.array(TRUTH_STEP_PX),
        )

    @cached_property
    def _skin(self) -> list[tuple[Layer, NDArray[np.float64]]]:
        """Displacements of units, each with how much of it there is (t,)."""
        scale = self._script.camera.scale
        return [
            (layer, values * scale)
            for track in (*self._script.units, *self._script.rest)
            for layer, values in zip(self._fields(track), (track.left, track.right), strict=True)
            if values.any()
        ]

    @cached_property
    def _shades(self) -> list[tuple[Layer, NDArray[np.float64]]]:
        """Log brightness that comes with units, each with how much of it there is (t,)."""
        sitter, found = self._sitter, []
        if not sitter.script.wrinkles:
            return []
        for track in (*self._script.units, *self._script.rest):
            fields = side_fields(track.number, sitter.identity.landmarks, self._script.camera)
            sides: tuple[Side, Side] = ("left", "right")
            for side, field, px in zip(sides, fields, (track.left, track.right), strict=True):
                if px.any():
                    shade = unit_shade(
                        track.number, side, field, sitter.identity.landmarks, self._script.camera,
                        sitter.identity.light, sitter.script.wrinkles,
                    )  # fmt: skip
                    strength = np.array([shade_strength(float(value)) for value in px])
                    found.append((Layer.of(shade, self._part), strength))
        return found

    @cached_property
    def _idle(self) -> list[tuple[Layer, NDArray[np.float64]]]:
        rng = self._script.stream("skin at rest")
        fields = idle_fields(rng, self._sitter.identity.landmarks, self._script.camera)
        courses = idle_courses(rng, self._script.frames, len(fields)) * self._script.idle_px * self._script.camera.scale
        return [(Layer.of(field, self._part), courses[:, i]) for i, field in enumerate(fields)]

    @cached_property
    def _eyes(self) -> NDArray[np.float32]:
        whole = gaze_field(self._sitter.landmarks, (self._script.camera.height, self._script.camera.width))
        return np.ascontiguousarray(whole[self._part.slices])

    @cached_property
    def _before(self) -> NDArray[np.float32] | None:
        before = self._sitter.before
        return None if before is None else np.ascontiguousarray(before[self._part.slices])

    def _fields(self, track: UnitTrack) -> tuple[Layer, Layer]:
        """Displacement by each side; a side that acts alone has a greatest length of 1 by itself."""
        fields = side_fields(track.number, self._sitter.identity.landmarks, self._script.camera)
        if not (track.left.any() and track.right.any()):
            fields = fields[0] / peak_length(fields[0]), fields[1] / peak_length(fields[1])
        left, right = (Layer.of(np.asarray(field, np.float32), self._part) for field in fields)
        return left, right

    def _displacement(self, t: int, *, lids: bool, only_units: bool = False) -> NDArray[np.float32]:
        """Skin and eyes (h, w, 2) of the face's part at frame t, px; lids, which break off, only where asked for."""
        if only_units:
            return summed(self._skin, t, (*self._part.size, 2))
        field = summed([*self._skin, *self._idle], t, (*self._part.size, 2))
        field += self._eyes[..., None] * self._gaze[t].astype(np.float32)
        if lids and self._script.closure[t] > 0:
            origin = np.array(self._part.origin)
            field += lid_field(self._sitter.landmarks, float(self._script.closure[t]), self._part.size, origin)
        return field

    def _light(self, t: int) -> NDArray[np.float32] | None:
        """Log brightness (h, w) on the face's part at frame t, or None where nothing changes it."""
        closure = float(self._script.closure[t])
        if self._before is None and not self._shades and not closure:
            return None
        found = summed(self._shades, t, self._part.size)
        if closure:
            found += lash_shade(self._sitter.landmarks, closure, self._part.size, np.array(self._part.origin))
        return found if self._before is None else found + self._before

    def _inside(self, posed: NDArray[np.float32]) -> tuple[slice, slice]:
        """Rows and columns of the frame that show the face's part."""
        low = np.array(self._part.origin)
        high = low + self._part.size[::-1]
        coarse = posed[::_STRIDE, ::_STRIDE]
        shown = ((coarse > low) & (coarse < high)).all(axis=-1)
        rows, columns = (np.flatnonzero(shown.any(axis=axis)) * _STRIDE for axis in (1, 0))
        first, last = (max(int(along[0]) - _STRIDE, 0) for along in (rows, columns)), (rows[-1], columns[-1])
        (top, left), (bottom, right) = first, last
        return slice(top, int(bottom) + _STRIDE), slice(left, int(right) + _STRIDE)

    def _landmarks(self, t: int) -> NDArray[np.float64]:
        posed = self._posed(self._sitter.landmarks[None], t)[0]
        return self._turning.forward(closed_landmarks(posed, float(self._script.closure[t])), t)

    def _posed(self, neutral: NDArray[np.float64], t: int) -> NDArray[np.float64]:
        """Where points (..., 2) of the neutral face lie on the posed one: posed = neutral + displacement(posed)."""
        field, posed = self._displacement(t, lids=False), neutral
        for _ in range(_MOST_STEPS):
            moved: NDArray[np.float64] = neutral + self._looked_up(field, posed)
            if np.abs(moved - posed).max() < _SETTLED_PX:
                return moved
            posed = moved
        raise AssertionError("The skin folds: a displacement field is too steep to be inverted.")

    def _looked_up(self, field: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
        return sample_field(field, (points - np.array(self._part.origin)).astype(np.float32))

    def _motion(self, end: int) -> NDArray[np.float64]:
        """Displacement (h / step, w / step, 2) from the first frame to frame `end`, without that of lids."""
        camera = self._script.camera
        y, x = np.mgrid[0 : camera.height : TRUTH_STEP_PX, 0 : camera.width : TRUTH_STEP_PX].astype(np.float64)
        first = np.stack([x, y], axis=-1)
        posed = self._turning.backward(first, 0)
        neutral = posed - self._looked_up(self._displacement(0, lids=False), posed)
        moved: NDArray[np.float64] = self._turning.forward(self._posed(neutral, end), end) - first
        return moved


def _affine(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (2, 3) that takes points (n, 2) to others best, in the least-squares sense."""
    full = np.column_stack([source, np.ones(len(source))])
    return np.asarray(np.linalg.lstsq(full, target, rcond=None)[0].T, np.float64)


RENDERER = PortraitRenderer()

__all__ = ["RENDERER", "PortraitFilm", "PortraitRenderer", "Sitter"]

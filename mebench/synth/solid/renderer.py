"""The solid renderer: people it draws and films, as every renderer is asked to."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DataError
from mebench.synth.camera import Camera
from mebench.synth.script import ClipScript, HeadPose, PersonScript, Recording
from mebench.synth.solid.film import SAMPLES, SolidFilm
from mebench.synth.solid.people import Person, draw_person
from mebench.synth.solid.sitter import Sitter, seat

NAME = "solid"
LANDMARK_ERROR_PX = 4.0
"""A person on whom dlib errs by more on average, px of a 640x480 frame, is not cast."""
_CANDIDATES = 24  # about every second is cast
_VIEWS = ((0.0, 0.0), (0.06, -0.04))
"""Yaw and pitch, radians, at which dlib has to read a candidate."""
_READING = Camera(640, 480, 200.0)


class SolidRenderer:
    """Heads in space, moved by muscles: see the package."""

    name = NAME

    def cast(self, person: PersonScript, camera: Camera) -> Sitter:
        """The first candidate of this person's stream whom dlib reads, painted for this camera.

        Raises DataError where it reads none.
        """
        rng = person.stream("solid person")
        for _ in range(_CANDIDATES):
            drawn = draw_person(rng)
            if landmark_error(drawn, person) <= LANDMARK_ERROR_PX:
                return _seated(drawn, person, camera)
        raise DataError(
            f"{_CANDIDATES} candidates for person {person.index} were drawn and dlib found no face well enough on any.",
            "Check the versions of dlib-bin and face_recognition_models, or take another seed.",
        )

    def film(self, person: Sitter, script: ClipScript) -> SolidFilm:
        """The film of a script with a person of `cast`."""
        return SolidFilm(person, script)


RENDERER = SolidRenderer()


def landmark_error(person: Person, script: PersonScript) -> float:
    """dlib's mean error over a few views of the neutral face, px of a 640x480 frame; infinite where it finds none."""
    sitter, errors = _seated(person, script, _READING), []
    for yaw, pitch in _VIEWS:
        film = SolidFilm(sitter, _still(script, yaw, pitch))
        read = _read(next(film.frames()))
        if read is None:
            return float("inf")
        errors.append(float(np.linalg.norm(read - film.landmarks(0), axis=1).mean()))
    return float(np.mean(errors))


def _seated(drawn: Person, person: PersonScript, camera: Camera) -> Sitter:
    return seat(drawn, camera, SAMPLES, glasses=person.glasses, beard=person.beard, wrinkles=person.wrinkles)


def _still(person: PersonScript, yaw: float, pitch: float) -> ClipScript:
    """One frame in which nothing moves."""
    none = np.zeros(1)
    return ClipScript(
        dataset=person.dataset,
        seed=person.seed,
        index=person.index,
        camera=_READING,
        numbers=np.arange(1),
        apex=0,
        units=(),
        rest=(),
        head=HeadPose(none, none, none, none + yaw, none + pitch, none),
        gaze=np.zeros((1, 2)),
        closure=none,
        idle_px=0.0,
        recording=Recording(np.ones(1), 2.0, 0.0, 90),
    )


def _read(frame: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Landmarks (68, 2) as most scripts read them, one call of dlib at full size; None where it finds no face."""
    detector, predictor = _dlib()
    image = np.ascontiguousarray(frame[..., ::-1])
    boxes = detector(image, 0)
    return np.array([(p.x, p.y) for p in predictor(image, boxes[0]).parts()], np.float64) if boxes else None


@lru_cache(maxsize=1)
def _dlib() -> tuple[Any, Any]:
    import dlib

    from mebench.vision.faces import landmark_model_path

    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(landmark_model_path()))


__all__ = ["LANDMARK_ERROR_PX", "NAME", "RENDERER", "SolidRenderer", "landmark_error"]

"""A sketch of a calibrated corpus: the same plan, filmed at a quarter of the pixels, twenty frames of each clip.

LBP-TOP interpolates clips to twenty frames and faces to 128 px anyway, so that a sketch, aligned by the truth, tells in
a tenth of the time about what the corpus will. Amplitudes and label probabilities were set on sketches of seed 0.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.svm import SVC

from mebench.baselines.texture.lbp_top import lbp_top
from mebench.synth.camera import Camera
from mebench.synth.plan import Settings
from mebench.synth.renderers import renderer
from mebench.synth.script import ClipScript
from mebench.synth.shots import Shot, shots_of
from mebench.synth.stress import every
from mebench.vision.alignment import align, canonical

CAMERA = Camera(320, 240, 200.0)
FRAMES, SIZE = 20, 128


def sketched(script: ClipScript) -> ClipScript:
    """The script at twenty of its frames and half the camera's size; noise as four pixels average it."""
    chosen = np.linspace(0, script.frames - 1, FRAMES).round().astype(int)
    apex = int(np.abs(chosen - script.apex_index).argmin())
    first = int(script.numbers[0])
    short = every(script, chosen, first + np.arange(FRAMES), first + apex)
    noise = script.recording.noise_sigma / 2
    return replace(short, camera=CAMERA, recording=replace(short.recording, noise_sigma=noise))


def sketch(settings: Settings, classes: tuple[str, ...]) -> Iterator[tuple[Shot, NDArray[np.uint8]]]:
    """The clips of these classes with their faces (20, 128, 128) grey, aligned by the true landmarks of frame 1."""
    people: dict[str, Any] = {}
    for shot in shots_of(settings):
        if shot.clip.emotion not in classes:
            continue
        who, drawing = shot.clip.take.subject, renderer(settings.renderer)
        if who not in people:
            people[who] = drawing.cast(shot.person, CAMERA)
        film = drawing.film(people[who], sketched(shot.script))
        frames = np.stack([cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in film.frames()])
        truth = film.truth()
        face = canonical(truth.landmarks[0].astype(np.float64), SIZE)
        yield shot, np.asarray(align(frames, truth.head_motion, face, SIZE), np.uint8)


def descriptor(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The LBP-TOP histograms of a sketched clip with the model's defaults, their square roots (Hellinger)."""
    return np.sqrt(lbp_top(faces).astype(np.float64))


def loso_uf1(X: NDArray[np.float64], y: NDArray[Any], subjects: NDArray[Any], C: float = 1.0) -> float:
    """UF1, leave-one-subject-out, of a linear SVM with balanced classes."""
    gram, predicted = X @ X.T, np.empty_like(y)
    for subject in np.unique(subjects):
        test = subjects == subject
        model = SVC(kernel="precomputed", C=C, class_weight="balanced").fit(gram[np.ix_(~test, ~test)], y[~test])
        predicted[test] = model.predict(gram[np.ix_(test, ~test)])
    return float(f1_score(y, predicted, average="macro"))

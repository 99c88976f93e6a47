"""What people run today to turn frames into model input: a face in every frame, a warp, and an array per clip."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.vision.alignment import EYES_AT
from mebench.vision.faces import landmark_model_path

SIZE = 224


def prepare_script(folders: dict[str, list[Path]], out: Path) -> dict[str, NDArray[Any]]:
    """Landmarks (t, 68, 2) of every frame by clip; the aligned face (t, 224, 224, 3) of each clip goes to `out`.

    dlib's detector and predictor on every full frame, a similarity through the eye centres, `numpy.save`.
    """
    import dlib

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(landmark_model_path()))
    found = {}
    out.mkdir(parents=True, exist_ok=True)
    for clip, paths in folders.items():
        faces, landmarks = [], []
        for path in paths:
            image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            boxes = detector(image, 1)
            shape = predictor(image, max(boxes, key=lambda box: box.area()))
            points = np.array([[shape.part(i).x, shape.part(i).y] for i in range(68)], np.float64)
            faces.append(_aligned(image, points))
            landmarks.append(points)
        np.save(out / f"{clip}.npy", np.stack(faces))
        found[clip] = np.stack(landmarks)
    return found


def _aligned(image: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    eyes = np.stack([points[36:42].mean(0), points[42:48].mean(0)]).astype(np.float32)
    there = (np.array(EYES_AT) * SIZE - 0.5).astype(np.float32)
    a, b = (complex(*eye) for eye in eyes)
    c, d = (complex(*eye) for eye in there)
    turn = (d - c) / (b - a)
    shift = c - turn * a
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    return np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC), np.uint8)

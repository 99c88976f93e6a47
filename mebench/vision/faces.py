"""Faces and their 68 landmarks in one image, behind a Protocol so that another finder can take dlib's place.

dlib's detector needs about 80 px of face, so an image is searched at a quarter, half, full and double size, smallest
first: a face that fills a camera frame is found on the cheap sizes. The landmark file is trained on iBUG 300-W, whose
terms exclude commercial use.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import cv2
import dlib
import numpy as np
import numpy.typing as npt

from mebench.errors import DataError, FrameError, MebenchError
from mebench.vision.arrays import Bytes, Doubles, Floats, grey
from mebench.vision.points import BROWS, CHIN, checked

Box = tuple[float, float, float, float]

SCALES: Final = (0.25, 0.5, 1.0, 2.0)
"""Image sizes searched, in this order; the last finds faces of 40 px. A certain find ends the search one size later, so
a second face is seen down to about half the smallest size that the first could have had."""

CERTAIN: Final = 0.5
"""A detector score that ends the search one image size later. dlib reports from 0 upwards; frontal faces of photographs
and films scored 1.0 to 2.0, and searching the doubled image for nothing costs 16 times the search at half size."""

SAME_FACE_OVERLAP: Final = 0.3
"""Intersection over union above which finds on two image sizes are one face."""

LANDMARK_ZOOM: Final = 4
"""dlib returns whole pixels; on a fourfold enlarged face these are quarters."""

JITTER: Final = tuple(
    (dx, dy, scale) for scale in (0.94, 1.0, 1.06) for dx in (-0.04, 0.0, 0.04) for dy in (-0.04, 0.0, 0.04)
)
"""Shifts and scales, in box sides, of the boxes whose landmarks are combined by their median. With boxes off by 4 px
and 3 %, noise of sigma 2 and JPEG 90 it lowers the landmarks' standard deviation from 1.8 to .7 px on one portrait and
from .8 to .2 on another."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face: box (x0, y0, x1, y1), detector score, landmarks (68, 2) float32 x, y; in px of the image searched."""

    box: Box
    score: float
    landmarks: Floats


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """The face chosen, the others seen beside it, and which of the images offered it was found in."""

    face: Face
    others: tuple[Face, ...]
    index: int


class FaceFinder(Protocol):
    """Finds faces in one image."""

    def find(self, image: Bytes) -> tuple[Face, ...]:
        """The faces of an (h, w) or RGB (h, w, 3) image, best first; empty where there is none."""
        ...


def landmark_model_path() -> Path:
    """Where the 68-point model file of face_recognition_models lies.

    The package is located, not imported: its `__init__` needs pkg_resources, which current setuptools no longer has.
    """
    spec = find_spec("face_recognition_models")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0]) / "models" / "shape_predictor_68_face_landmarks.dat" if folders else None
    if path is None or not path.is_file():
        raise MebenchError(
            "The 68-point landmark model is not installed.",
            "Install it with: pip install face_recognition_models==0.1.3",
        )
    return path


def dlib_finder() -> FaceFinder:
    """dlib's frontal detector and 68-point predictor; the models are read at the first call and once per process."""
    return _DlibFinder()


def find_face(
    finder: FaceFinder,
    images: Iterable[Bytes],
    policy: Literal["error", "exclude", "nearest"] = "error",
    several: Literal["best", "error"] = "best",
) -> FoundFace | None:
    """The best face of the first image, with the others seen beside it; what follows where there is none is the policy.

    `error` raises FrameError, `exclude` returns None, `nearest` goes on through the images that follow, which the
    caller orders by their distance from the onset, and raises FrameError when they end. A lazy iterable is read no
    further than needed. The landmarks belong to image `index`: head motion from there leads back to the onset. Of
    `several` faces the best is taken, or FrameError raised.
    """
    looked = 0
    for index, image in enumerate(images):
        looked += 1
        faces = finder.find(image)
        if len(faces) > 1 and several == "error":
            raise FrameError(
                f"{len(faces)} faces found in one image.", "Look at the frames; take the best, or give its landmarks."
            )
        if faces:
            return FoundFace(faces[0], faces[1:], index)
        if policy != "nearest":
            break
    if policy == "exclude":
        return None
    raise FrameError(
        f"No face found in {looked} image{'' if looked == 1 else 's'}.",
        "Look at the frames; exclude the clip, or take the face of the nearest frame that shows one.",
    )


def annotated_face(landmarks: npt.ArrayLike) -> Face:
    """The face with these landmarks (68, 2): its box is the square that dlib's detector puts on such a face.

    From brows to chin, as wide as high, about the middle of both; its score is that of a certain find.
    """
    points = checked(landmarks)
    top, bottom = points[list(BROWS), 1].min(), points[CHIN, 1]
    half, centre = (bottom - top) / 2, np.array([points[:, 0].mean(), (top + bottom) / 2])
    if half <= 0:
        raise DataError("The chin of these landmarks lies above the brows.", "Pass x, y in px, y downwards.")
    (x0, y0), (x1, y1) = (centre - half).tolist(), (centre + half).tolist()
    return Face((x0, y0, x1, y1), 1.0, points.astype(np.float32))


def read_landmarks(image: Bytes, box: Box) -> Floats:
    """Landmarks (68, 2) of the face in this box of an (h, w) or RGB (h, w, 3) image, which is not searched."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise DataError(
            f"Landmarks are not read in {image.dtype} of shape {image.shape}.", "Pass a uint8 grey or RGB image."
        )
    return _landmarks(grey(image), box)


def find_boxes(image: Bytes) -> tuple[tuple[Box, float], ...]:
    """Box and detector score of every face that dlib sees in an (h, w) or RGB (h, w, 3) image, best first.

    The faces of `dlib_finder()` without their landmarks, which take seven times as long.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise DataError(
            f"Faces are not searched in {image.dtype} of shape {image.shape}.", "Pass a uint8 grey or RGB image."
        )
    return tuple(_detect(grey(image)))


@dataclass(frozen=True, slots=True)
class _DlibFinder:
    """Holds nothing: the models live in the process, so that a finder can be sent to a worker."""

    def find(self, image: Bytes) -> tuple[Face, ...]:
        boxes = find_boxes(image)
        luma = grey(image)
        return tuple(Face(box, score, _landmarks(luma, box)) for box, score in boxes)


def _detect(luma: Bytes) -> list[tuple[Box, float]]:
    """Boxes with their scores, best first, from the smallest image size on which one is certain and the next size up to
    the full one, which shows the smaller faces beside it."""
    found: list[tuple[Box, float]] = []
    for scale in SCALES:
        certain = any(score >= CERTAIN for _, score in found)
        if not (certain and scale > 1):
            found += _detect_at(luma, scale)
        if certain:
            break
    height, width = luma.shape
    return sorted(_distinct(found), key=lambda find: -_rank(*find, width=width, height=height))


def _detect_at(luma: Bytes, scale: float) -> list[tuple[Box, float]]:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = luma if scale == 1 else cv2.resize(luma, None, fx=scale, fy=scale, interpolation=method)
    rectangles, scores, _ = _detector().run(np.ascontiguousarray(image), 0, 0.0)
    boxes = [(r.left() / scale, r.top() / scale, (r.right() + 1) / scale, (r.bottom() + 1) / scale) for r in rectangles]
    return list(zip(boxes, map(float, scores), strict=True))


def _distinct(found: list[tuple[Box, float]]) -> list[tuple[Box, float]]:
    """One find per face: the highest score of those that overlap."""
    kept: list[tuple[Box, float]] = []
    for box, score in sorted(found, key=lambda find: -find[1]):
        if all(_overlap(box, other) < SAME_FACE_OVERLAP for other, _ in kept):
            kept.append((box, score))
    return kept


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0.0) * max(height, 0.0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def _rank(box: Box, score: float, *, width: int, height: int) -> float:
    """Score times size, halved in the image's corner: laboratory cameras have their subject in the middle."""
    off_centre = np.hypot((box[0] + box[2] - width) / width, (box[1] + box[3] - height) / height) / np.sqrt(2)
    return float(score * (box[2] - box[0]) * (1 - off_centre / 2))


def _landmarks(luma: Bytes, box: Box) -> Floats:
    """(68, 2): the median over the jittered boxes, each read on the enlarged face."""
    left, top, side = box[0], box[1], box[2] - box[0]
    patch, origin = _enlarged(luma, box)
    reads: list[Doubles] = []
    for dx, dy, scale in JITTER:
        half = side * scale / 2
        centre = np.array([left + side * (0.5 + dx), top + side * (0.5 + dy)])
        x0, y0, x1, y1 = (
            int(v) for v in np.rint(np.r_[centre - half - origin, centre + half - origin] * LANDMARK_ZOOM)
        )
        shape = _predictor()(patch, dlib.rectangle(x0, y0, x1 - 1, y1 - 1))
        reads.append(np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64))
    zoomed = np.median(reads, axis=0)
    return ((zoomed + 0.5) / LANDMARK_ZOOM - 0.5 + origin).astype(np.float32)


def _enlarged(luma: Bytes, box: Box) -> tuple[Bytes, Doubles]:
    """The enlarged face with a margin of a third of its side, image edges repeated, and the crop's origin in px."""
    margin = (box[2] - box[0]) / 3
    x0, y0 = int(np.floor(box[0] - margin)), int(np.floor(box[1] - margin))
    x1, y1 = int(np.ceil(box[2] + margin)), int(np.ceil(box[3] + margin))
    height, width = luma.shape
    rows, columns = np.clip(np.arange(y0, y1), 0, height - 1), np.clip(np.arange(x0, x1), 0, width - 1)
    patch = luma[np.ix_(rows, columns)]
    zoomed = cv2.resize(patch, None, fx=LANDMARK_ZOOM, fy=LANDMARK_ZOOM, interpolation=cv2.INTER_CUBIC)
    return np.asarray(zoomed, dtype=np.uint8), np.array([x0, y0], dtype=np.float64)


@cache
def _detector() -> Any:
    return dlib.get_frontal_face_detector()


@cache
def _predictor() -> Any:
    return dlib.shape_predictor(str(landmark_model_path()))

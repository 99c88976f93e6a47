"""Stills in the store: the face found by the same finder as that of clips, its landmarks, and a generous crop.

A still lies there as a clip of one frame, `store/<corpus>/<subject>/<name>.h5`, so that one reader verifies both and
`mebench forget` removes both.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from mebench.clips import canonical_json
from mebench.cropping import MARGIN
from mebench.errors import DataError, StoreError
from mebench.files import DiskFullError, remove_leftovers
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent
from mebench.stills.records import Still, content_digest, enlarged
from mebench.store import StoredClip, read_clip, remove_clip, stored_facts, write_clip
from mebench.vision.alignment import canonical, invert, transform_points
from mebench.vision.arrays import Bytes, Doubles
from mebench.vision.faces import Face, dlib_finder

SHORTEST_PX = 160
"""Smaller images are enlarged before a face is sought: dlib wants some 80 px of face, FER2013 has 48 px of image. What
is stored is the image as it is."""

NO_FACE = "no face found"

_VERSION = 1
"""Of everything here that decides what is stored; raising it makes every still be done again."""
_SIDE, _INTERPOLATION_PX = 256, 4
_INTERVAL = (0, 0)


@dataclass(frozen=True, slots=True)
class StillTask:
    """What a worker needs to store one still."""

    home: Path
    still: Still


@dataclass(frozen=True, slots=True)
class StoredStill:
    """What became of one still: the SHA-256 of its bytes, and whether a face was found in it."""

    source: str
    face: bool


def store_stills(
    home: Path, corpus: str, stills: Iterable[Still], *, jobs: int = 1, progress: Progress = silent
) -> tuple[dict[str, str], dict[str, int]]:
    """By id of the stills that are in the store the SHA-256 of their bytes, and how many are not, by reason.

    A still that lies there, made of the same bytes in the same way, is kept. A still without a face is left out. Raises
    what reading raises, and DataError where no still of all has a face or the disk is full.
    """
    tasks = {still.id: StillTask(home, still) for still in stills}
    remove_leftovers(home / "store" / corpus)
    sources: dict[str, str] = {}
    lost: Counter[str] = Counter()
    for done, outcome in enumerate(run_tasks(store_still, tasks, jobs=jobs), 1):
        if outcome.error is not None:
            raise outcome.error
        assert outcome.value is not None
        if outcome.value.face:
            sources[outcome.name] = outcome.value.source
        lost[NO_FACE] += not outcome.value.face
        progress(done, len(tasks), outcome.name)
    if tasks and not sources:
        raise DataError(f"{corpus}: no face was found in any of {len(tasks)} images.", "Look at the images.")
    return sources, {reason: n for reason, n in lost.items() if n}


def store_still(task: StillTask) -> StoredStill:
    """What became of the still. Runs in a worker."""
    still, data = task.still, task.still.picture.read()
    source = content_digest(data)
    if _is_stored(task.home, still.id, source):
        return StoredStill(source, face=True)
    image = still.picture.decode(data)
    face = face_of(image)
    if face is None:
        remove_clip(task.home, still.id)
        return StoredStill(source, face=False)
    write_clip(task.home, _cut(still.id, image, face, source))
    return StoredStill(source, face=True)


def face_of(image: Bytes) -> Face | None:
    """The best face of an image (h, w[, 3]), in its own px, sought in an enlarged copy where it is small."""
    larger, factor = enlarged(image, SHORTEST_PX)
    faces = dlib_finder().find(np.ascontiguousarray(larger))
    if not faces:
        return None
    best = faces[0]
    x0, y0, x1, y1 = best.box
    landmarks = ((best.landmarks + 0.5) / factor - 0.5).astype(np.float32)
    return Face((x0 / factor, y0 / factor, x1 / factor, y1 / factor), best.score, landmarks)


def fingerprint(stills: Iterable[Still], sources: Mapping[str, str]) -> str:
    """SHA-256 over ids, labels and bytes of the stills that are in the store: what was learnt from, whatever it is
    called."""
    content = sorted([still.id, still.label, sources[still.id]] for still in stills if still.id in sources)
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _is_stored(home: Path, still_id: str, source: str) -> bool:
    try:
        facts = stored_facts(home, still_id)
        if (facts.source, facts.preparation) != (source, _preparation()):
            return False
        read_clip(home, still_id)
    except DiskFullError:
        raise
    except StoreError:
        return False
    return True


def _cut(still_id: str, image: Bytes, face: Face, source: str) -> StoredClip:
    left, top, right, bottom = _region(face.landmarks.astype(np.float64), (image.shape[1], image.shape[0]))
    origin = np.array([left, top], dtype=np.int64)
    return StoredClip(
        clip_id=still_id,
        frames=np.ascontiguousarray(image[None, top:bottom, left:right]),
        numbers=np.zeros(1, np.int64),
        origin=origin,
        landmarks=(face.landmarks - origin).astype(np.float32),
        motion=np.eye(2, 3)[None],
        inliers=np.zeros(1, np.int64),
        flagged=np.zeros(1, np.bool_),
        box=np.array(face.box, np.float64) - np.tile(origin, 2),
        fps=1.0,
        interval=_INTERVAL,
        source=source,
        preparation=_preparation(),
    )


def _region(landmarks: Doubles, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the crop: the landmarks and the canonical square with the margin that clips have."""
    reach = np.array([-MARGIN, 1 + MARGIN]) * _SIDE
    square = np.array([(x, y) for x in reach for y in reach])
    points = np.vstack([transform_points(square, invert(canonical(landmarks, _SIDE))), landmarks])
    left, top = np.maximum(np.floor(points.min(axis=0)) - _INTERPOLATION_PX, 0).astype(int)
    right, bottom = np.minimum(np.ceil(points.max(axis=0)) + _INTERPOLATION_PX + 1, size).astype(int)
    return int(left), int(top), int(right), int(bottom)


@cache
def _preparation() -> str:
    """SHA-256 over what decides the stored content beside the image."""
    tools = {name: version(name) for name in ("opencv-contrib-python-headless", "dlib-bin", "face_recognition_models")}
    content = {"stills": _VERSION, "margin": MARGIN, "shortest": SHORTEST_PX, "tools": tools}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


__all__ = ["NO_FACE", "StillTask", "StoredStill", "face_of", "fingerprint", "store_still", "store_stills"]

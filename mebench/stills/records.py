"""Stills: single images of posed or found expressions, for training before the target corpus; never tested on.

A still is no clip: it has no onset and no micro-expression. Corpora of stills enter no protocol and no board; they are
what a network has seen before, and are declared wherever its scores stand.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mebench.clips import SyntheticMark
from mebench.datasets.marker import MARKER, find_marker
from mebench.errors import AnnotationError, CountError, FrameError
from mebench.frames import FrameFiles, decode
from mebench.vision.arrays import Bytes

NEUTRAL = "neutral"
CLASSES = ("anger", "disgust", "fear", "happiness", NEUTRAL, "sadness", "surprise")
"""The merged classes: the six expressions that all four corpora name, and neutral. CK+ alone has contempt, which is
left out and counted."""


class Picture(Protocol):
    """Where the pixels of a still come from."""

    def read(self) -> bytes:
        """The bytes as they lie on disk: what a cache depends on."""
        ...

    def decode(self, data: bytes) -> Bytes:
        """The image (h, w) grey or (h, w, 3) RGB in those bytes; raises FrameError where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file."""

    path: Path

    def read(self) -> bytes:
        """The file's bytes; raises FrameError where it cannot be read."""
        try:
            return self.path.read_bytes()
        except OSError as fault:
            raise FrameError(
                f"{self.path} cannot be read: {fault.strerror}.", "Copy it again from the original archive."
            ) from fault

    def decode(self, data: bytes) -> Bytes:
        """The image (h, w) or (h, w, 3)."""
        frames, _ = decode(FrameFiles(self.path.parent, (0,), (self.path.name,), (data,)))
        return np.asarray(frames[0], np.uint8)


@dataclass(frozen=True, slots=True)
class Pixels:
    """A square grey image of `side` px given as its bytes, row by row."""

    data: bytes
    side: int

    def read(self) -> bytes:
        """The bytes."""
        return self.data

    def decode(self, data: bytes) -> Bytes:
        """The image (side, side)."""
        return np.frombuffer(data, np.uint8).reshape(self.side, self.side)


@dataclass(frozen=True, slots=True)
class Still:
    """One labelled image.

    `id` is `corpus/subject/name`, with `-` for the subject where the corpus names none. `subject` is `corpus/subject`
    or None. `label` is one of `CLASSES`. `neutral` is the id of a neutral image of the same person, where there is one.
    `held_out` says that the owners set the image aside for testing.
    """

    id: str
    subject: str | None
    label: str
    picture: Picture
    neutral: str | None = None
    held_out: bool = False


@dataclass(frozen=True)
class StillTable:
    """The stills of one corpus; `left_out` counts by reason what lies there and is none of `CLASSES`."""

    corpus: str
    title: str
    stills: tuple[Still, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    synthetic: SyntheticMark | None = None

    def __post_init__(self) -> None:
        for still, times in Counter(still.id for still in self.stills).items():
            if times > 1:
                raise AnnotationError(
                    f"{self.corpus}: {still} is there {times} times.", "Remove the copies: keep the original alone."
                )

    def __len__(self) -> int:
        return len(self.stills)

    def __iter__(self) -> Iterator[Still]:
        return iter(self.stills)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The people named, sorted; none where the corpus names none."""
        return tuple(sorted({still.subject for still in self.stills if still.subject}))

    def count(self) -> dict[str, int]:
        """How many stills each class has, in the order of `CLASSES`."""
        found = Counter(still.label for still in self.stills)
        return {name: found[name] for name in CLASSES if found[name]}


@dataclass(frozen=True)
class StillCorpus:
    """A reader of one corpus of stills: `read` gives what lies below a folder, the marker of a synthetic one apart."""

    name: str
    title: str
    citation: str
    access: str
    read: Callable[[Path], tuple[list[Still], dict[str, int]]]

    def load(self, root: Path) -> StillTable:
        """The stills below a corpus folder, sorted by id; no image is opened.

        Raises AnnotationError where the folder is not laid out as the owners distribute it, CountError where a
        synthetic corpus is not the one its marker counts.
        """
        root = Path(root)
        if not root.exists():
            raise AnnotationError(f"{root} does not exist.", f"Give the folder of {self.title} as {self.name}=DIR.")
        stills, left_out = self.read(root)
        if not stills:
            raise AnnotationError(
                f"{root} holds no labelled image of {self.title}.",
                f"Give the folder as its owners distribute it, as {self.name}=DIR.",
            )
        top = root if root.is_dir() else root.parent
        table = StillTable(
            self.name,
            self.title,
            tuple(sorted(stills, key=lambda still: still.id)),
            {reason: n for reason, n in sorted(left_out.items()) if n},
            find_marker(top, top),
        )
        _check_mark(table, root)
        return table


def enlarged(image: Bytes, shortest: int) -> tuple[Bytes, int]:
    """The image with its shorter side at least `shortest` px, by a whole factor, and that factor."""
    factor = -(-shortest // min(image.shape[:2]))
    if factor <= 1:
        return image, 1
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8), factor


def content_digest(data: bytes) -> str:
    """SHA-256 of a still's bytes."""
    return hashlib.sha256(data).hexdigest()


def subject_folder(still_id: str) -> str:
    """The part of a still's id that names the person, `-` where the corpus names none."""
    return still_id.split("/")[1]


def _check_mark(table: StillTable, root: Path) -> None:
    mark = table.synthetic
    if mark is None:
        return
    found = (len(table), len(table.subjects), table.count())
    marked = (mark.clips, mark.subjects, {name: mark.per_emotion.get(name, 0) for name in found[2]})
    for what, here, there in zip(("stills", "subjects", "stills per class"), found, marked, strict=True):
        if here != there:
            raise CountError(
                f"{root} holds {here} {what}, the marker {MARKER} says {there}.", "Write the synthetic corpus again."
            )


__all__ = [
    "CLASSES",
    "NEUTRAL",
    "ImageFile",
    "Picture",
    "Pixels",
    "Still",
    "StillCorpus",
    "StillTable",
    "content_digest",
    "enlarged",
    "subject_folder",
]

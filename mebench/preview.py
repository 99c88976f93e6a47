"""`mebench preview`: what a recipe makes of one prepared clip, as a picture or a film.

The extension decides: .png a filmstrip of moments (of flow in colours of a wheel), .gif all of them in turn, .mp4 the
clip as it was stored beside them. A real face is drawn only where its owner permits print.
"""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from mebench.clips import Clip
from mebench.corpora import dataset
from mebench.errors import DataError, UnknownName, UsageError
from mebench.files import write_atomic
from mebench.inputs import sample_of
from mebench.panels import Moment, headed, moments_of, sheet, shows_face, side_by_side
from mebench.prepare import load_registered
from mebench.recipes import Sample, parse_recipe
from mebench.store import StoredClip, read_clip
from mebench.vision.arrays import Bytes

SUFFIXES: Final = (".gif", ".mp4", ".png")
SHOWN_FPS: Final = 25.0
"""Films are slowed to this: a micro-expression at 200 frames a second is over before the eye has found it."""
MOST_IN_STRIP: Final = 8
_BESIDE = "align(size=224)"


@dataclass(frozen=True, slots=True)
class Preview:
    """The moments of one input, those of the clip as stored where it may be shown, and the clip's frame rate."""

    clip: str
    recipe: str
    kind: str
    shape: tuple[int, ...]
    moments: tuple[Moment, ...]
    stored: tuple[Moment, ...]
    fps: float
    synthetic: bool
    flags: tuple[str, ...] = field(default=())

    def record(self) -> dict[str, Any]:
        """The preview as plain JSON values."""
        return {
            "schema": "mebench.preview/1",
            "clip": self.clip,
            "recipe": self.recipe,
            "kind": self.kind,
            "shape": list(self.shape),
            "moments": len(self.moments),
            "face_shown": bool(self.stored),
            "synthetic": self.synthetic,
            "flags": list(self.flags),
        }

    def write(self, path: Path) -> None:
        """Writes the picture or the film, whole or not at all."""
        write_atomic(path, {".png": self.png, ".gif": self.gif, ".mp4": self.mp4}[checked_suffix(path)]())

    def png(self) -> bytes:
        """A filmstrip: at most eight moments, first and last among them."""
        at = np.unique(np.rint(np.linspace(0, len(self.moments) - 1, MOST_IN_STRIP)).astype(int))
        image = sheet([self.moments[i] for i in at], self._title, self._warning)
        return cv2.imencode(".png", image[..., ::-1])[1].tobytes()

    def gif(self) -> bytes:
        """All moments in turn, over and over."""
        from PIL import Image

        pages = [Image.fromarray(page) for page in self._pages(beside=False)]
        film = io.BytesIO()
        delay = round(1000 / self._shown_fps)
        pages[0].save(film, "GIF", save_all=True, append_images=pages[1:], duration=delay, loop=0)
        return film.getvalue()

    def mp4(self) -> bytes:
        """The clip as stored, where it may be shown, beside the moments of the input."""
        pages = [np.pad(page, ((0, -page.shape[0] % 2), (0, -page.shape[1] % 2), (0, 0))) for page in self._pages()]
        height, width = pages[0].shape[:2]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "preview.mp4"
            film = cv2.VideoWriter(
                str(path), cv2.VideoWriter.fourcc(*"mp4v"), self._shown_fps, (width, height), isColor=True
            )
            if not film.isOpened():
                raise DataError("This OpenCV cannot write MP4 films.", "Ask for a .gif instead.")
            for page in pages:
                film.write(np.ascontiguousarray(page[..., ::-1]))
            film.release()
            return path.read_bytes()

    @property
    def _shown_fps(self) -> float:
        return min(self.fps, SHOWN_FPS) if len(self.moments) > 2 else 2.0

    @property
    def _title(self) -> str:
        return f"{self.clip}: {self.recipe}".encode("ascii", "replace").decode()

    @property
    def _warning(self) -> str:
        return "SYNTHETIC: a rendered face" if self.synthetic else ""

    def _pages(self, *, beside: bool = True) -> list[Bytes]:
        """One picture per moment, all of one size."""
        speed = f" ({self._shown_fps:g} of {self.fps:g} frames a second)" if len(self.moments) > 2 else ""
        pages = []
        for i, moment in enumerate(self.moments):
            left = _at(self.stored, i, len(self.moments)) if beside else ()
            pages.append(headed(side_by_side((*left, *moment)), self._title + speed, self._warning))
        height, width = (max(page.shape[axis] for page in pages) for axis in (0, 1))
        room = ((height - page.shape[0], width - page.shape[1]) for page in pages)
        return [
            np.pad(page, ((0, down), (0, right), (0, 0)), constant_values=255)
            for page, (down, right) in zip(pages, room, strict=True)
        ]


def preview(home: Path, name: str, clip: str, recipe: str) -> Preview:
    """What the recipe makes of a clip, named in full or within the corpus, of a corpus prepared under this home.

    Raises UnknownName for a clip that is not there, UsageError for a recipe that looks at nothing, and DataError where
    the input would show the face of somebody whose owner does not permit print.
    """
    parsed = parse_recipe(recipe)
    if not parsed.steps:
        raise UsageError("The recipe none looks at nothing.", "Name at least one step.")
    table = load_registered(home, name)
    found = _clip(table.clips, name, clip)
    stored = read_clip(home, found.id)
    synthetic = table.synthetic is not None
    may_show = synthetic or dataset(name).may_show(found.subject)
    sample = parsed.apply(sample_of(stored, found.apex if parsed.reads_apex else None))
    if shows_face(sample) and not may_show:
        raise DataError(
            f"{recipe} shows the face of {found.subject}, which may not be printed.",
            "Preview its flow or strain, or a clip of a subject whose owner permits print.",
        )
    return Preview(
        clip=found.id,
        recipe=str(parsed),
        kind=sample.kind,
        shape=sample.array.shape,
        moments=moments_of(sample),
        stored=moments_of(_as_stored(stored)) if may_show else (),
        fps=sample.fps,
        synthetic=synthetic,
        flags=sample.flags,
    )


def checked_suffix(path: Path) -> str:
    """The extension in small letters; UsageError for one that names no kind of picture."""
    suffix = path.suffix.casefold()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path.name} names no kind of picture.", f"End it in one of {', '.join(SUFFIXES)}.")
    return suffix


def _clip(clips: Sequence[Clip], name: str, clip: str) -> Clip:
    named = [one for one in clips if clip in (one.id, one.id.partition("/")[2], one.id.rpartition("/")[2])]
    if len(named) > 1:
        raise UsageError(f"{len(named)} clips of {name} are named {clip}.", f"Give one in full, as {named[0].id}.")
    if not named:
        raise UnknownName(f"clip of {name}", clip, [one.id for one in clips])
    return named[0]


def _as_stored(stored: StoredClip) -> Sample:
    return parse_recipe(_BESIDE).apply(sample_of(stored, None))


def _at(moments: Sequence[Moment], index: int, count: int) -> Moment:
    """The moment that is as far along as this one is among so many."""
    return moments[round(index * (len(moments) - 1) / max(count - 1, 1))] if moments else ()


__all__ = ["SUFFIXES", "Preview", "checked_suffix", "preview"]

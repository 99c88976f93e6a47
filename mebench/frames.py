"""Frame files of one clip, decoded once: one size, one depth, grey or RGB.

Every reader decodes through here, because decoders disagree: reading a colour JPEG as grey takes its Y channel, up to
four grey levels from what `cvtColor` makes of the decoded colours.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mebench.errors import FrameError
from mebench.image_files import LARGEST_FILE, decoded

_FIX = "Copy the clip's frames again from the corpus as released."
_ENDS = {b"\xff\xd8\xff": (b"\xff\xd9", b"\xff\xda"), b"\x89PNG": (b"IEND", b"IDAT")}
"""By first bytes: what closes the file, and what it must come after. Some decoders fill a truncated image with grey."""


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """The frame files of a clip as bytes, with their names and numbers in order."""

    folder: Path
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    contents: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over numbers and bytes; names and times do not count."""
        seal = hashlib.sha256()
        for number, content in zip(self.numbers, self.contents, strict=True):
            seal.update(f"{number} {len(content)}\n".encode())
            seal.update(content)
        return seal.hexdigest()


def read_files(folder: Path, frames: Sequence[tuple[int, str]]) -> FrameFiles:
    """The bytes of the frame files; FrameError where one cannot be read."""
    contents = []
    for _, name in frames:
        try:
            with (folder / name).open("rb") as stream:
                contents.append(stream.read(LARGEST_FILE + 1))
        except OSError as error:
            raise FrameError(f"{folder / name} cannot be read: {error.strerror}.", _FIX) from error
        if len(contents[-1]) > LARGEST_FILE:
            raise FrameError(f"{folder / name} is larger than {LARGEST_FILE >> 20} MiB.", _FIX)
    return FrameFiles(folder, tuple(n for n, _ in frames), tuple(name for _, name in frames), tuple(contents))


def decode(files: FrameFiles) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """The frames (t, h, w) grey or (t, h, w, 3) RGB uint8, and what was unusual about them.

    Colour files whose channels are all equal are grey. Where grey and colour files are mixed all become grey and the
    flag says so, as one does where the decoder met damage. Raises FrameError where a file is broken, not 8 bits deep,
    or of another size than the first.
    """
    found = [_decode(files.folder / n, c) for n, c in zip(files.names, files.contents, strict=True)]
    images = [image for image, _ in found]
    damaged = sum(complained for _, complained in found)
    flags = (f"damaged-data-in-{damaged}-frames",) if damaged else ()
    for name, image in zip(files.names, images, strict=True):
        if image.shape[:2] != images[0].shape[:2]:
            raise FrameError(
                f"{files.folder / name} is {_size(image)}, but {files.names[0]} is {_size(images[0])}.", _FIX
            )
    colour = [image.ndim == 3 for image in images]
    if all(colour) and not all(map(_is_grey, images)):
        return np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in images]), flags
    mixed = any(colour) and not all(colour)
    return np.stack([_grey(image) for image in images]), (*(["grey-and-colour-mixed"] if mixed else []), *flags)


def _decode(path: Path, content: bytes) -> tuple[npt.NDArray[np.uint8], bool]:
    """One image, (h, w) or (h, w, 3) BGR, transparency dropped, and whether its decoder met damage."""
    found = decoded(content) if _is_whole(content) else None
    image = found.image if found else None
    if found is None or image is None:
        raise FrameError(f"{path} is no whole image: empty, truncated or of an unknown format.", _FIX)
    if image.dtype != np.uint8:
        raise FrameError(f"{path} has {image.dtype} pixels; 8-bit images are expected.", _FIX)
    pixels: npt.NDArray[np.uint8] = image[..., :3] if image.ndim == 3 else image
    return pixels, bool(found.complaint)


def _is_whole(content: bytes) -> bool:
    end, after = next((marks for first, marks in _ENDS.items() if content.startswith(first)), (b"", b""))
    return bool(content) and content.rfind(end) >= content.rfind(after)


def _is_grey(image: npt.NDArray[np.uint8]) -> bool:
    return np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2])


def _grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if image.ndim == 2:
        return image
    return image[..., 0] if _is_grey(image) else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _size(image: npt.NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


__all__ = ["FrameFiles", "decode", "read_files"]

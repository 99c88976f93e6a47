"""Image files decoded within limits, and what the decoder complained of.

A file of a thousand bytes may state a size of a billion pixels, so the size is read from the header before a decoder
sees it. libjpeg fills damaged parts with grey, says so on standard error and returns the image as if it were whole;
what it says is caught here, for it is the only sign of the damage.
"""

import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

LARGEST_FILE = 64 * 2**20
MOST_PIXELS = 2**24
"""The frames of the corpora have 0.3 to 0.7 million; this is 4096 x 4096."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An image (h, w) or (h, w, channels) as OpenCV decodes it, BGR, None where it cannot; what the decoder said."""

    image: Any
    complaint: str = ""


def decoded(content: bytes, kind: int = cv2.IMREAD_UNCHANGED) -> Decoded:
    """The image in the bytes of a JPEG, PNG, BMP or TIFF file of at most `MOST_PIXELS`; `kind` as OpenCV names it."""
    size = stated_size(content)
    if size is None or not 0 < size[0] * size[1] <= MOST_PIXELS:
        return Decoded(None)
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # ours names the file
    try:
        with _overheard() as heard:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), kind)
            return Decoded(image, heard())
    except cv2.error:
        return Decoded(None)
    finally:
        cv2.utils.logging.setLogLevel(level)


def stated_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as the header of the file states them; None for files of another kind and broken headers."""
    readers = {b"\xff\xd8": _jpeg, b"\x89PNG": _png, b"BM": _bmp, b"II*\0": _tiff, b"MM\0*": _tiff}
    read = next((reader for first, reader in readers.items() if content.startswith(first)), None)
    try:
        return read(content) if read else None
    except (struct.error, IndexError):
        return None


def _png(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _bmp(content: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", content, 18)
    return abs(width), abs(height)


def _jpeg(content: bytes) -> tuple[int, int] | None:
    """The size in the first frame header: markers C0 to CF but those of tables (C4, CC) and the reserved C8."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # padding, and markers without a segment
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        (length,) = struct.unpack_from(">H", content, at + 2)
        at += 2 + length
    return None


def _tiff(content: bytes) -> tuple[int, int] | None:
    """The size in the first directory: tags 256 and 257, as 16 or 32 bits."""
    order = "<" if content.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    (entries,) = struct.unpack_from(f"{order}H", content, at)
    found = {}
    for i in range(entries):
        tag, kind = struct.unpack_from(f"{order}HH", content, at + 2 + 12 * i)
        if tag in (256, 257):
            (found[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", content, at + 10 + 12 * i)
    return (found[256], found[257]) if len(found) == 2 else None


@contextmanager
def _overheard() -> Iterator[Callable[[], str]]:
    """Catches what C libraries write to standard error in the block; the function gives what they wrote so far."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error
        yield lambda: ""
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield lambda: os.pread(held.fileno(), 400, 0).decode("ascii", "replace").strip()
        finally:
            os.dup2(kept, 2)
            os.close(kept)


__all__ = ["LARGEST_FILE", "MOST_PIXELS", "Decoded", "decoded", "stated_size"]

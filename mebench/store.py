"""The store: one HDF5 file per clip with its face crop, losslessly, and the geometry that aligns it.

No label enters: no emotion, no action unit, no class, no apex. The frames lie uncompressed, because lossless
compression saves 5 % of noisy frames and costs twenty times the reading time. A file is read whole, verified against
the digest kept beside it, and opened in memory, so that what was verified is what is used.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mebench.errors import StoreError
from mebench.files import read_seal, read_sealed, sidecar, write_sealed

SCHEMA = "mebench.clip/1"
MOST_FPS = 100_000.0
"""Far beyond any camera for faces; a file that states more was not written here."""

_ARRAYS = {
    "frames": np.uint8,
    "numbers": np.int64,
    "origin": np.int64,
    "landmarks": np.float32,
    "motion": np.float64,
    "inliers": np.int64,
    "flagged": np.bool_,
    "box": np.float64,
}


@dataclass(frozen=True, slots=True, eq=False)
class StoredClip:
    """The face crop of one clip, onset to offset.

    `frames` (t, h, w) grey or (t, h, w, 3) RGB uint8; `numbers` (t,) their frame numbers; `origin` (x, y) the place of
    the crop in the full frame. In crop coordinates of the onset frame, px: `landmarks` (68, 2) and the face `box`
    (x0, y0, x1, y1). `motion` (t, 2, 3) maps onset to frame t, `inliers` (t,) counts the points that agreed and
    `flagged` (t,) marks frames where too few did and the previous transform stands. `interval` is the onset and offset
    it was cut at; `source` the SHA-256 of the frame files and `preparation` of how they were prepared; `flags` what was
    unusual.
    """

    clip_id: str
    frames: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.int64]
    origin: npt.NDArray[np.int64]
    landmarks: npt.NDArray[np.float32]
    motion: npt.NDArray[np.float64]
    inliers: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.bool_]
    box: npt.NDArray[np.float64]
    fps: float
    interval: tuple[int, int]
    source: str
    preparation: str
    flags: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over pixels and geometry: what an input computed from this clip depends on."""
        seal = hashlib.sha256(repr((self.clip_id, self.fps, self.interval)).encode())
        for name, dtype in _ARRAYS.items():
            values: npt.NDArray[Any] = np.ascontiguousarray(getattr(self, name), dtype)
            seal.update(f"{name}{values.shape}".encode())
            seal.update(values.tobytes())
        return seal.hexdigest()


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """What the digest file says of a stored clip: the digests of content, frame files and preparation; the interval."""

    content: str
    source: str
    preparation: str
    interval: tuple[int, int]


def clip_path(home: Path, clip_id: str) -> Path:
    """Where a clip lies under the home: `store/<dataset>/<subject>/<name>.h5`; StoreError for an unsafe id."""
    return home / "store" / f"{safe_path(clip_id)}.h5"


def safe_path(clip_id: str) -> str:
    """The id, which serves as a relative path; StoreError where it could lead out of its folder."""
    parts = clip_id.split("/")
    if len(parts) != 3 or any(p in ("", ".", "..") or not p.isprintable() or "\\" in p for p in parts):
        raise StoreError(f"{clip_id!r} cannot be the name of a file.", "Correct the clip's name in the annotation.")
    return clip_id


def write_clip(home: Path, clip: StoredClip) -> Path:
    """The path the clip was written to, whole or not at all; an older version is replaced."""
    path = clip_path(home, clip.clip_id)
    notes = {"content": clip.digest, "source": clip.source, "preparation": clip.preparation}
    write_sealed(path, _encode(clip), notes | {"interval": f"{clip.interval[0]} {clip.interval[1]}"})
    return path


def read_clip(home: Path, clip_id: str) -> StoredClip:
    """The stored clip, verified.

    Raises StoreError naming the clip where it is absent, damaged, or refers to anything outside its own file.
    """
    path = clip_path(home, clip_id)
    try:
        data, notes = read_sealed(path)
        clip = _decode(data, clip_id)
        fault = _fault(clip, notes)
    except StoreError as error:
        raise _unusable(clip_id, error) from error
    except (OSError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError) as error:
        # What h5py lets through where the parts of a file do not fit together.
        raise _unusable(clip_id, f"its content is damaged ({type(error).__name__})") from error
    if clip.clip_id != clip_id:
        raise _unusable(clip_id, f"{path} holds {clip.clip_id}")
    if fault:
        raise _unusable(clip_id, fault)
    return clip


def stored_facts(home: Path, clip_id: str) -> StoredFacts:
    """What the digest file says of a stored clip, without reading its frames; StoreError where there is none."""
    try:
        _, notes = read_seal(clip_path(home, clip_id))
        first, last = map(int, notes["interval"].split())
        return StoredFacts(notes["content"], notes["source"], notes["preparation"], (first, last))
    except (StoreError, KeyError, ValueError) as error:
        raise _unusable(clip_id, error) from error


def remove_clip(home: Path, clip_id: str) -> None:
    """Take a clip out of the store, where it is there: the digest first, without which the rest does not count."""
    path = clip_path(home, clip_id)
    sidecar(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def stored_ids(home: Path, dataset: str) -> Iterator[str]:
    """The ids of all clips of a corpus in the store, sorted; verified only when they are read."""
    folder = home / "store" / dataset
    yield from sorted(f"{dataset}/{p.parent.name}/{p.stem}" for p in folder.glob("*/*.h5"))


def _encode(clip: StoredClip) -> bytes:
    """The HDF5 file as bytes: made in memory, so that the disk sees one write and equal clips give equal bytes."""
    image = io.BytesIO()
    with h5py.File(image, "w", track_order=False) as file:
        for name, dtype in _ARRAYS.items():
            file.create_dataset(name, data=np.asarray(getattr(clip, name), dtype))
        file.attrs["schema"] = SCHEMA
        for name in ("clip_id", "fps", "source", "preparation"):
            file.attrs[name] = getattr(clip, name)
        file.attrs["interval"] = clip.interval
        file.attrs["flags"] = "\n".join(clip.flags)
    return image.getvalue()


def _decode(data: bytes, clip_id: str) -> StoredClip:
    with h5py.File(io.BytesIO(data), "r") as file:
        facts = file.attrs
        if facts.get("schema") != SCHEMA:
            raise StoreError(f"{clip_id}: schema {facts.get('schema')!r} is not {SCHEMA}.", "Prepare the corpus again.")
        arrays: dict[str, Any] = {name: _own_array(file, name, dtype, len(data)) for name, dtype in _ARRAYS.items()}
        first, last = (int(v) for v in facts["interval"])
        return StoredClip(
            **arrays,
            clip_id=str(facts["clip_id"]),
            fps=float(facts["fps"]),
            interval=(first, last),
            source=str(facts["source"]),
            preparation=str(facts["preparation"]),
            flags=tuple(str(facts["flags"]).splitlines()),
        )


def _own_array(file: h5py.File, name: str, dtype: type[Any], size: int) -> npt.NDArray[Any]:
    """The array of a dataset that lies in this very file of so many bytes; a link could name any other file."""
    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise StoreError(f"{name} is a link out of the file.", "Prepare the corpus again.")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != dtype or not _is_plain(dataset, size):
        raise StoreError(f"{name} is not stored as it should be.", "Prepare the corpus again.")
    return np.asarray(dataset[()])


def _is_plain(dataset: h5py.Dataset, size: int) -> bool:
    """Whether the values lie in the file as they are: elsewhere, packed or left out, they may be more than it holds."""
    packed = dataset.external or dataset.is_virtual or dataset.chunks is not None or dataset.shape is None
    return not packed and dataset.nbytes <= size


def _fault(clip: StoredClip, notes: Mapping[str, str]) -> str:
    """What of a clip does not fit together, or contradicts its digest file; an empty text where all does."""
    t = len(clip.numbers) if clip.numbers.ndim == 1 else 0
    shapes = {
        "frames": (t, *clip.frames.shape[1:3], *((3,) if clip.frames.ndim == 4 else ())),
        "origin": (2,),
        "landmarks": (68, 2),
        "motion": (t, 2, 3),
        "inliers": (t,),
        "flagged": (t,),
        "box": (4,),
    }
    wrong = [name for name, shape in shapes.items() if getattr(clip, name).shape != shape]
    if not t or not clip.frames.size or clip.frames.ndim not in (3, 4) or wrong:
        return f"its {wrong[0] if wrong else 'frames'} has not the shape it should have"
    if not all(np.isfinite(values).all() for values in (clip.landmarks, clip.motion, clip.box, np.array(clip.fps))):
        return "its geometry holds values that are no finite numbers"
    first, last = clip.interval
    if not (np.diff(clip.numbers) > 0).all() or first > last or not 0 < clip.fps <= MOST_FPS:
        return f"frames {first} to {last} at {clip.fps} fps cannot be"
    told = {"source": clip.source, "preparation": clip.preparation, "interval": f"{first} {last}"}
    return next(
        (
            f"its {name} is not that of its digest file"
            for name, value in told.items()
            if notes.get(name, value) != value
        ),
        "",
    )


def _unusable(clip_id: str, why: object) -> StoreError:
    reason = why.what if isinstance(why, StoreError) else str(why)
    dataset = clip_id.partition("/")[0]
    return StoreError(
        f"{clip_id} cannot be read from the store: {reason.rstrip('.')}.",
        f"Run mebench prepare {dataset} --data DIR again; only this clip is made anew.",
    )


__all__ = [
    "SCHEMA",
    "StoredClip",
    "StoredFacts",
    "clip_path",
    "read_clip",
    "remove_clip",
    "safe_path",
    "stored_facts",
    "stored_ids",
    "write_clip",
]

"""Frames that are too alike: equal files, equal pictures under two subjects, people who resemble each other."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.audit.findings import Finding, Verdict, listed
from mebench.clips import Clip, ClipTable, frames_of
from mebench.datasets.folders import FrameFolder
from mebench.errors import MebenchError
from mebench.files import sha256_file
from mebench.image_files import LARGEST_FILE, decoded
from mebench.progress import Progress, silent
from mebench.vision.alignment import canonical
from mebench.vision.faces import dlib_finder

COARSE_SIDE, FINE_SIDE = 24, 96
BLUR_PX = 4.0
"""What is taken away as light: everything coarser than this, at either side length."""
SCREENED, LOOKED_AT = 0.5, 300
"""Coarse correlation from which a pair is worth registering, and at most how many pairs are, the most alike first."""
DUPLICATE = 0.92
"""Fine correlation after affine registration from which two pictures count as one.

Onset frames of rendered people made from one and the same portrait reach .85; a frame saved anew, brightened, halved
or cropped by 2 or 3 per cent stays above .94, one cropped by 5 per cent falls to .88 and passes unseen.
"""
FACE_SIDE = 64
RESEMBLING = 3.5
"""Robust z of a pair of subjects among all pairs, from which it is named."""
_CLOSEST = 10

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Portrait:
    """The onset frame of a clip at FINE_SIDE x FINE_SIDE, float32, and what `small` makes of it at COARSE_SIDE."""

    clip: Clip
    picture: Floats
    coarse: Floats

    @classmethod
    def of(cls, clip: Clip, image: NDArray[np.uint8]) -> "Portrait":
        """The portrait of a clip with this onset frame, (h, w) grey."""
        picture = cv2.resize(image, (FINE_SIDE, FINE_SIDE), interpolation=cv2.INTER_AREA)
        return cls(clip, np.asarray(picture, np.float32), small(image, COARSE_SIDE))


def equal_files(table: ClipTable, folders: Mapping[str, FrameFolder], progress: Progress = silent) -> Finding:
    """Whether a frame file of one clip is, byte by byte, that of another; caught where subject or label differ.

    Only files of equal size are read whole.
    """
    clips = {clip.id: clip for clip in table}
    sizes: dict[int, list[tuple[str, Path]]] = defaultdict(list)
    for clip_id, folder in folders.items():
        for number in frames_of(clips[clip_id]):
            path = folder.file(number)
            if path is not None:
                sizes[path.stat().st_size].append((clip_id, path))
    groups = [group for group in sizes.values() if len({clip for clip, _ in group}) > 1]
    owners: dict[str, set[str]] = defaultdict(set)
    for done, group in enumerate(groups, 1):
        for clip_id, path in group:
            owners[sha256_file(path)].add(clip_id)
        progress(done, len(groups), "files of equal size")
    return _pairs_found("files", _pairs(owners.values()), clips, "share frame files")


def near_duplicates(portraits: Iterable[Portrait]) -> Finding:
    """Whether the onset frames of two subjects' clips are one picture."""
    shown = list(portraits)
    subjects = np.array([p.clip.subject for p in shown])
    other = np.triu(subjects[:, None] != subjects[None, :], 1)
    if not other.any():
        return Finding("duplicates", "not applicable", "the onset frames of fewer than two subjects could be read")
    stack = np.stack([p.coarse.ravel() for p in shown])
    alike = np.where(other, stack @ stack.T, -1.0)
    order = np.argsort(-alike, axis=None, kind="stable")[:LOOKED_AT]
    close = [divmod(int(k), len(shown)) for k in order if alike.flat[k] >= SCREENED]
    found = {(i, j): registered_correlation(shown[i].picture, shown[j].picture) for i, j in close}
    highest = max(found.values(), default=float(alike.max()))
    one = {pair: r for pair, r in found.items() if r >= DUPLICATE}
    pairs = tuple(f"{shown[i].clip.id} and {shown[j].clip.id} (r = {r:.3f})" for (i, j), r in one.items())
    if pairs:
        why = f"one picture under two subjects: {listed(pairs)}"
        return Finding("duplicates", "caught", why, highest, "highest correlation", pairs)
    why = f"the most alike onset frames of two subjects correlate at {highest:.3f}, one picture from {DUPLICATE}"
    return Finding("duplicates", "clean", why, highest, "highest correlation")


def registered_correlation(first: Floats, second: Floats) -> float:
    """The correlation of the fine structure of two pictures (h, w) after the affine registration that fits best.

    Registration maximises the enhanced correlation coefficient (Evangelidis & Psarakis, TPAMI 2008). -1 where it does
    not converge or leaves less than half of the picture.
    """
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5)
    empty = np.full(first.shape, 255, np.uint8)
    try:
        _, found = cv2.findTransformECC(
            first, second, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, stop, empty, 5
        )
    except cv2.error:
        return -1.0
    matrix, how = np.asarray(found, np.float32), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = first.shape[::-1]
    moved = cv2.warpAffine(second, matrix, size, flags=how)
    inside = cv2.warpAffine(np.ones_like(second), matrix, size, flags=how) > 0.99
    if inside.mean() < 0.5:
        return -1.0
    return float(np.corrcoef(_fine(first)[inside], _fine(np.asarray(moved))[inside])[0, 1])


def shared_people(faces: Mapping[str, Floats]) -> Finding:
    """Pairs of subjects whose faces resemble each other more than those of other pairs; `faces` by subject.

    A list of candidates: twins of light, pose and hair look alike to it, and one person filmed on another day may not.
    Nobody is identified, and whether two subjects are one person only the owner of the corpus can say.
    """
    names = sorted(faces)
    if len(names) < 4:
        return Finding("people", "not applicable", f"{len(names)} subjects with a face are too few to compare pairs")
    stack = np.stack([faces[name].ravel() for name in names])
    alike = stack @ stack.T
    at = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    values = np.array([alike[pair] for pair in at])
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))  # MAD as an SD, for normal values
    z = (values - np.median(values)) / max(spread, 1e-6)
    order = np.argsort(-z)[:_CLOSEST]
    said = [f"{names[at[k][0]]} and {names[at[k][1]]} (r = {values[k]:.2f}, z = {z[k]:.1f})" for k in order]
    found = [text for k, text in zip(order, said, strict=True) if z[k] >= RESEMBLING]
    highest = float(z.max())
    if found:
        why = f"candidates only, to be asked of the corpus' owner: {listed(found)}"
        return Finding("people", "reported", why, highest, "highest z", tuple(found))
    return Finding("people", "clean", f"no pair stands out; closest: {said[0]}", highest, "highest z")


def portrait(clip: Clip, folder: FrameFolder) -> Portrait | None:
    """The onset frame, small; None where it cannot be read."""
    image = _grey(folder, clip.onset)
    return None if image is None else Portrait.of(clip, image)


def small(image: NDArray[np.uint8], side: int) -> Floats:
    """The image (h, w) at side x side without its coarse light, mean 0 and norm 1; zeros if flat."""
    fine = _fine(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32))
    fine = fine - fine.mean()
    norm = float(np.linalg.norm(fine))
    return np.asarray(fine / norm if norm > 1e-6 else np.zeros_like(fine), np.float32)


def _fine(picture: Floats) -> Floats:
    return np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), BLUR_PX), np.float32)


def face(clip: Clip, folder: FrameFolder) -> Floats | None:
    """The aligned face of the onset frame, as `small` has it; None where none is found."""
    image = _grey(folder, clip.onset)
    if image is None:
        return None
    try:
        found = dlib_finder().find(image)
    except MebenchError:
        return None
    if not found:
        return None
    square = cv2.warpAffine(image, canonical(found[0].landmarks, FACE_SIDE), (FACE_SIDE, FACE_SIDE))
    return small(np.asarray(square, np.uint8), FACE_SIDE)


def _grey(folder: FrameFolder, number: int) -> NDArray[np.uint8] | None:
    path = folder.file(number)
    image = None
    if path is not None and path.is_file():
        with path.open("rb") as stream:
            image = decoded(stream.read(LARGEST_FILE), cv2.IMREAD_GRAYSCALE).image
    return None if image is None else np.asarray(image, np.uint8)


def _pairs(groups: Iterable[set[str]]) -> dict[tuple[str, str], int]:
    """How many files each pair of clips shares."""
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for group in groups:
        ordered = sorted(group)
        for i, first in enumerate(ordered):
            for second in ordered[i + 1 :]:
                counted[first, second] += 1
    return dict(counted)


def _pairs_found(check: str, pairs: Mapping[tuple[str, str], int], clips: Mapping[str, Clip], how: str) -> Finding:
    if not pairs:
        return Finding(check, "clean", f"no two clips {how}", 0.0, "pairs")
    serious = [
        pair
        for pair in pairs
        if clips[pair[0]].subject != clips[pair[1]].subject or clips[pair[0]].emotion != clips[pair[1]].emotion
    ]
    said = [f"{a} and {b} ({pairs[a, b]})" for a, b in (serious or pairs)]
    verdict: Verdict = "caught" if serious else "reported"
    which = "of two subjects or two labels" if serious else "of one subject and label"
    return Finding(check, verdict, f"clips {which} {how}: {listed(said)}", len(said), "pairs", tuple(said))


__all__ = [
    "Portrait",
    "equal_files",
    "face",
    "near_duplicates",
    "portrait",
    "registered_correlation",
    "shared_people",
    "small",
]

"""What each anchor of `align` leaves of head motion, and what it keeps of the expression. SYNTHETIC."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.vision_scenes import HEADS, ORIGIN, Shot, shots
from mebench.vision.alignment import canonical, invert, transform_points
from mebench.vision.arrays import grey
from mebench.vision.faces import read_landmarks
from mebench.vision.motion import head_motion, tracking_region
from mebench.vision.piecewise import piecewise
from mebench.vision.registration import ecc_motion, eye_line_motion, landmark_motion, nose_motion

Doubles = NDArray[np.float64]
Back = Callable[[Doubles, int], Doubles]
"""From places (n, 2) in frame t to where alignment puts them, in coordinates of the onset."""

SETS = ((12,), (4, 9), (1,), (6, 12), (9,), (4,), (10,), (17,), (7,), (15,), (14,), (2,), (20,), (24,), (6,))
"""The hardest first."""
PEAK_PX = 1.6
ANCHORS = ("skin", "nose", "ecc", "landmarks", "eye-line", "piecewise-affine", "onset-only")
_SIZE = 316  # of the canonical face: the scale of the frames, so that its pixels are theirs
_LATTICE_PX, _NEWTON = 6, 6


def planned(people: int) -> list[Shot]:
    """The clips of the table, action unit by action unit."""
    every = (shots([person], SETS, HEADS, PEAK_PX) for person in range(people))
    return sorted((shot for own in every for shot in own), key=lambda shot: shot.seed)


def measured(shot: Shot) -> Iterator[dict[str, Any]]:
    """One row per anchor: residual px RMS over face and frames, and the share of the expression kept at the apex."""
    frames = grey(shot.images())
    truth = shot.landmarks - ORIGIN
    box = (*truth[[0, 19]].min(axis=0), *truth[[16, 8]].max(axis=0))
    landmarks = read_landmarks(frames[0], box).astype(np.float64)
    read = np.stack([read_landmarks(frame, box) for frame in frames]).astype(np.float64)
    region = tracking_region(frames.shape[1:], truth)
    rows, columns = np.nonzero(region[::_LATTICE_PX, ::_LATTICE_PX])
    places = np.column_stack([columns, rows]) * float(_LATTICE_PX) + ORIGIN
    for anchor in ANCHORS:
        yield {
            "person": shot.person,
            "units": "+".join(unit.text for unit in shot.units),
            "head": shot.head.name,
            "anchor": anchor,
            **_errors(shot, places, _back(anchor, frames, landmarks, read)),
        }


def _errors(shot: Shot, places: Doubles, back: Back) -> dict[str, float]:
    squares = []
    for t in range(1, shot.frames):
        skin = shot.material(places, t)
        seen = shot.in_frame(skin, t) - ORIGIN
        squares.append(((back(seen, t) + ORIGIN - skin) ** 2).sum(axis=1).mean())
    moved = shot.material(places, shot.apex, shot.expression) - places
    seen = shot.in_frame(places + moved, shot.apex) - ORIGIN
    aligned = back(seen, shot.apex) + ORIGIN - places
    return {"residual": float(np.sqrt(np.mean(squares))), "kept": float((aligned * moved).sum() / (moved**2).sum())}


def _back(anchor: str, frames: NDArray[np.uint8], landmarks: Doubles, read: Doubles) -> Back:
    if anchor == "piecewise-affine":
        return _piecewise_back(read)
    motion = {
        "skin": lambda: head_motion(frames, landmarks).transforms,
        "nose": lambda: nose_motion(frames, landmarks),
        "ecc": lambda: ecc_motion(frames, landmarks),
        "landmarks": lambda: landmark_motion(read),
        "eye-line": lambda: eye_line_motion(read),
        "onset-only": lambda: np.tile(np.eye(2, 3), (len(frames), 1, 1)),
    }[anchor]()
    return lambda seen, t: transform_points(seen, invert(motion[t]))


def _piecewise_back(read: Doubles) -> Back:
    """The inverse of a map that is nearly a similarity, by steps along that similarity."""
    warp, face = piecewise(read, _SIZE), canonical(read[0], _SIZE)

    def back(seen: Doubles, t: int) -> Doubles:
        onset = seen
        for _ in range(_NEWTON):
            onset = onset - (warp.at(transform_points(onset, face), t) - seen)
        return onset

    return back


def report(rows: Sequence[dict[str, Any]]) -> None:
    """Residual and share kept per anchor and head motion, and per action unit with the head swaying."""
    heads, anchors = list(dict.fromkeys(r["head"] for r in rows)), list(dict.fromkeys(r["anchor"] for r in rows))
    clips = len(rows) // max(len(anchors), 1)
    print(f"\nalignment: {clips} clips, peak {PEAK_PX:g} px, SYNTHETIC. Residual px RMS: mean/worst clip")
    print(f"{'':18}" + "".join(f"{head:>16}" for head in heads))
    for anchor in anchors:
        print(f"{anchor:18}" + "".join(_cell(rows, anchor, head, "residual", max) for head in heads))
    print("Share of the expression kept: mean/worst action unit; of turned heads it is mostly what the turn left")
    for anchor in anchors:
        print(f"{anchor:18}" + "".join(_cell(rows, anchor, head, "kept", min) for head in heads))
    head = heads[min(1, len(heads) - 1)]
    print(f"Per action unit, {head}: residual px and share kept")
    units = list(dict.fromkeys(r["units"] for r in rows))
    print(f"{'':18}" + "".join(f"{unit:>11}" for unit in units))
    for anchor in anchors:
        cells = [_chosen(rows, anchor, head, unit) for unit in units]
        print(f"{anchor:18}" + "".join(f"{_mean(c, 'residual'):>6.3f} {_mean(c, 'kept'):4.2f}" for c in cells))


def _cell(rows: Sequence[dict[str, Any]], anchor: str, head: str, what: str, worst: Callable[[Any], float]) -> str:
    chosen = _chosen(rows, anchor, head)
    per_unit = [_mean(_chosen(chosen, anchor, head, unit), what) for unit in dict.fromkeys(r["units"] for r in chosen)]
    single = [r[what] for r in chosen] if what == "residual" else per_unit
    return f"{_mean(chosen, what):>8.3f}/{worst(single):<7.3f}" if chosen else f"{'–':>16}"


def _chosen(rows: Sequence[dict[str, Any]], anchor: str, head: str, units: str | None = None) -> list[dict[str, Any]]:
    return [r for r in rows if (r["anchor"], r["head"]) == (anchor, head) and units in (None, r["units"])]


def _mean(rows: Sequence[dict[str, Any]], what: str) -> float:
    return float(np.mean([r[what] for r in rows])) if rows else float("nan")

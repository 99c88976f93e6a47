"""How well each flow method reads motion of a tenth to one pixel, and how still it keeps resting skin. SYNTHETIC."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.vision_scenes import HEADS, ORIGIN, WINDOW, Shot, shots
from mebench.synth.filming import NOISE_SIGMA
from mebench.vision.arrays import grey
from mebench.vision.flow import flow
from mebench.vision.motion import tracking_region

METHODS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dis": ("dis", {}),
    "dis, patch 8": ("dis", {"patch": 8, "variational": 5}),
    "dis-fast": ("dis-fast", {}),
    "dis, OpenCV medium": ("dis", {"patch": 8, "variational": 5, "finest": 1}),
    "tvl1": ("tvl1", {}),
    "torch-tvl1": ("torch-tvl1", {}),
    "farneback": ("farneback", {}),
}
PEAKS_PX = (0.1, 0.25, 0.5, 1.0)
SETS = ((4,), (12,))
MOVING, STILL = 0.5, 0.02
"""Skin counts as moving from half the peak on, as still below a fiftieth of it."""
MARGIN_PX = 24


def planned(people: int) -> list[Shot]:
    """The pairs of the table: still heads, resting skin at rest, each clean and as a camera delivers it."""
    return [
        replace(shot, idle_px=0.0, noise=noise, frames=3)
        for person in range(people)
        for peak in PEAKS_PX
        for shot in shots([person], SETS, HEADS[:1], peak)
        for noise in (0.0, NOISE_SIGMA)
    ]


def measured(shot: Shot) -> Iterator[dict[str, Any]]:
    """One row per method: mean endpoint error in moving skin, share of its motion read, d', motion of still skin, ms.

    d' is the difference of mean flow magnitudes of moving and still skin over their pooled deviation; ms is time of one
    thread of the processor.
    """
    part, truth, moving, still = _ground(shot)
    first, second = (np.ascontiguousarray(image[part]) for image in grey(shot.pair()))
    for name, (method, parameters) in METHODS.items():
        begun = time.process_time()
        found = flow(first, second, method, **parameters)
        spent = time.process_time() - begun
        length, off = np.hypot(*np.moveaxis(found, -1, 0)), np.hypot(*np.moveaxis(found - truth, -1, 0))
        along = (found * truth).sum(axis=-1)[moving].sum() / (truth**2).sum(axis=-1)[moving].sum()
        spread = np.sqrt((length[moving].var() + length[still].var()) / 2)
        yield {
            "peak": shot.peak_px,
            "noise": shot.noise > 0,
            "method": name,
            "error": float(off[moving].mean()),
            "share": float(along),
            "d'": float((length[moving].mean() - length[still].mean()) / max(spread, 1e-6)),
            "still": float(length[still].mean()),
            "ms": spent * 1000,
        }


def _ground(shot: Shot) -> tuple[tuple[slice, slice], NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """The part of the window that holds the face, the true flow there, and which skin moves and which is still."""
    landmarks = shot.landmarks - ORIGIN
    low, high = (np.rint(edge).astype(int) for edge in (landmarks.min(0) - MARGIN_PX, landmarks.max(0) + MARGIN_PX))
    height, width = (side.stop - side.start for side in WINDOW)
    part = slice(max(low[1], 0), min(high[1], height)), slice(max(low[0], 0), min(high[0], width))
    y, x = np.mgrid[part].astype(np.float64)
    places = np.stack([x, y], axis=-1) + ORIGIN
    truth = shot.material(places, shot.apex, shot.expression) - places
    face = tracking_region((height, width), landmarks)[part] > 0
    length = np.hypot(*np.moveaxis(truth, -1, 0))
    return part, truth, face & (length > MOVING * shot.peak_px), face & (length < STILL * shot.peak_px)


def report(rows: Sequence[dict[str, Any]]) -> None:
    """One table clean, one noisy: per method and peak, error : share : d' : still; then ms."""
    for noise in (False, True):
        chosen = [row for row in rows if row["noise"] is noise]
        print(f"\nflow, {'noise and JPEG' if noise else 'clean'}, SYNTHETIC: error px : share read : d' : still px")
        print(f"{'':20}" + "".join(f"{f'{peak:g} px':>29}" for peak in PEAKS_PX) + f"{'ms':>8}")
        for method in METHODS:
            mine = [row for row in chosen if row["method"] == method]
            cells = [_cell([row for row in mine if row["peak"] == peak]) for peak in PEAKS_PX]
            print(f"{method:20}" + "".join(f"{cell:>29}" for cell in cells) + f"{_mean(mine, 'ms'):8.0f}")


def _cell(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "–"
    error, share, detection, still = (_mean(rows, what) for what in ("error", "share", "d'", "still"))
    return f"{error:.3f} : {share:.2f} : {detection:.1f} : {still:.3f}"


def _mean(rows: Sequence[dict[str, Any]], what: str) -> float:
    return float(np.mean([row[what] for row in rows])) if rows else float("nan")

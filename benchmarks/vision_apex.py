"""How many frames spotted apexes lie from the true ones. SYNTHETIC."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.vision_scenes import HEADS, ORIGIN, Shot, shots
from mebench.vision.alignment import align, canonical, transform_points
from mebench.vision.arrays import grey
from mebench.vision.motion import head_motion
from mebench.vision.spotting import SIDE, SOURCES, spot

SETS = ((1, 2), (4,), (12,), (17,))
PEAKS_PX = (0.5, 1.0)
FRAMES = 31
APEXES = (0.35, 0.6)
"""Between these shares of a clip its apex lies, as in the smoke corpora."""


def planned(people: int) -> list[Shot]:
    """The clips of the table: a swaying head, skin at rest that wanders, noise."""
    found = []
    for person in range(people):
        for peak in PEAKS_PX:
            for index, shot in enumerate(shots([person], SETS, HEADS[1:2], peak)):
                at = np.random.default_rng((person, index)).uniform(*APEXES)
                found.append(replace(shot, frames=FRAMES, peak_at=float(at)))
    return found


def measured(shot: Shot) -> Iterator[dict[str, Any]]:
    """One row per source: by how many frames it misses the true apex, of how many frames."""
    frames = grey(shot.images())
    landmarks = shot.landmarks - ORIGIN
    face = canonical(landmarks, SIDE)
    aligned = align(frames, head_motion(frames, landmarks).transforms, face, SIDE)
    found = {source: spot(aligned, transform_points(landmarks, face), source) for source in SOURCES}
    for source, index in {"middle": (len(frames) - 1) // 2, **found}.items():
        yield {"source": source, "peak": shot.peak_px, "off": abs(index - shot.apex), "frames": len(frames)}


def report(rows: Sequence[dict[str, Any]]) -> None:
    """Mean and greatest error in frames per source and peak."""
    print(f"\napex: frames off, of {FRAMES}: mean (greatest), SYNTHETIC")
    print(f"{'':12}" + "".join(f"{f'{peak:g} px':>16}" for peak in PEAKS_PX))
    for source in dict.fromkeys(row["source"] for row in rows):
        cells = [[row["off"] for row in rows if (row["source"], row["peak"]) == (source, peak)] for peak in PEAKS_PX]
        print(f"{source:12}" + "".join(f"{np.mean(c):>10.1f} ({max(c):2d})" if c else f"{'–':>16}" for c in cells))

"""How much a clip moves, from its stored frames: a proxy of expression strength that no annotation gives.

The mean absolute difference of onset and apex on the aligned face, in grey levels: head motion removed, 128 px, the
camera's noise included, so that clips of one corpus can be put in order, and clips of two cannot. It needs the coded
apex and is for looking at errors only: no model may see it.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mebench.clips import Clip
from mebench.progress import Progress, silent
from mebench.store import StoredClip, clip_path, read_clip
from mebench.vision.alignment import align, canonical

FACE_PX = 128
"""Side of the canonical face the frames are compared on; the descriptors' own default."""


def amplitudes(home: Path, clips: Mapping[str, Clip], progress: Progress = silent) -> dict[str, float]:
    """The proxy of each clip that lies in the store and has an apex within the frames stored, in grey levels."""
    wanted = {name: clip for name, clip in clips.items() if clip.apex is not None and clip_path(home, name).exists()}
    found = {}
    for i, (name, clip) in enumerate(wanted.items(), 1):
        stored = read_clip(home, name)
        if clip.apex in stored.numbers:
            found[name] = apex_change(stored, int(np.flatnonzero(stored.numbers == clip.apex)[0]))
        progress(i, len(wanted), name)
    return found


def apex_change(clip: StoredClip, apex: int) -> float:
    """The mean absolute difference of the first stored frame and the one at index `apex`, in grey levels 0 to 255."""
    at = [0, apex]
    faces = align(clip.frames[at], clip.motion[at], canonical(clip.landmarks, FACE_PX), FACE_PX)
    onset, peak = faces.astype(np.float64)
    return float(np.abs(peak - onset).mean())

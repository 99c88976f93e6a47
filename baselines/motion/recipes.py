"""How the models on flow write their recipes."""

from ..spelling import call

MARGIN_PX = 16
"""Flow is measured with this much more image around the face: it errs at the border, where matches leave the frame."""


def clip_flow(size: int, frames: int, method: str, mode: str) -> str:
    """The recipe of flow (t, size, size, 2) over the aligned face, interpolated in time unless to 0 frames."""
    times = f" > tim({frames})" if frames else ""
    return f"{_face(size)}{times} > {call('flow', method=method, mode=mode)} > trim({MARGIN_PX})"


def apex_flow(size: int, method: str, strain: str = "") -> str:
    """The recipe of flow (size, size, 2) from the onset to the apex, with optical strain where a scheme is named.

    Strain is derived before the margin is cut off, so that no difference is taken at an edge.
    """
    strained = f" > {call('strain', scheme=strain)}" if strain else ""
    return f"{_face(size)} > {call('flow', method=method, mode='onset-apex')}{strained} > trim({MARGIN_PX})"


def _face(size: int) -> str:
    return f"grey > {call('align', size=size, margin=MARGIN_PX)}"

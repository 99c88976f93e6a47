"""Steps for networks that read several views of a pair at once; part of the core steps, see `mebench.steps`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from mebench.errors import DataError, UnknownName
from mebench.recipes import Sample, step
from mebench.vision.arrays import Floats, grey
from mebench.vision.flow import Method
from mebench.vision.flow import flow as measure_flow
from mebench.vision.strain import strain as measure_strain

View: TypeAlias = Callable[[Floats, Floats, Floats], Floats]
"""From onset (h, w), apex (h, w) and the flow between them (h, w, 2) to what is seen (h, w)."""

VIEWS: Mapping[str, View] = {
    "onset": lambda onset, _apex, _flow: onset,
    "apex": lambda _onset, apex, _flow: apex,
    "difference": lambda onset, apex, _flow: apex - onset,
    "u": lambda _onset, _apex, flow: flow[..., 0],
    "v": lambda _onset, _apex, flow: flow[..., 1],
    "magnitude": lambda _onset, _apex, flow: np.hypot(flow[..., 0], flow[..., 1]),
    "strain": lambda _onset, _apex, flow: measure_strain(flow, "central"),
}
"""Views of a pair: grey levels, apex minus onset, flow and its magnitude in px, its optical strain."""

MOVING = frozenset({"u", "v", "magnitude", "strain"})
"""The views that need the flow."""


@step("mix", 1, accepts={"pair"}, gives="flow", tools=("opencv-contrib-python-headless",))
def mix(sample: Sample, views: str, flow: Method = "dis") -> Sample:
    """Views of a pair joined by `+`, such as apex+u+v, as the channels of one field (h, w, c) float32."""
    names = tuple(views.split("+"))
    for name in names:
        if name not in VIEWS:
            raise UnknownName("view of a pair", name, VIEWS)
    images = grey(sample.array) if sample.array.ndim == 4 else sample.array
    onset, apex = images.astype(np.float32)
    moved = measure_flow(images[0], images[1], flow) if MOVING & set(names) else np.zeros((*onset.shape, 2), np.float32)
    field = np.stack([VIEWS[name](onset, apex, moved) for name in names], axis=-1).astype(np.float32)
    return replace(sample, array=field, kind="flow", channels=names, apex_index=None)


@step("planes", 1, accepts={"flow"}, gives="planes")
def planes(sample: Sample) -> Sample:
    """One field (h, w, c) with its channels first, (c, h, w): what a network takes as they are."""
    if sample.array.ndim != 3:
        raise DataError(
            f"{len(sample.array)} fields are no image of planes.", "Take the flow of a pair: onset-apex > flow."
        )
    return replace(sample, array=np.ascontiguousarray(np.moveaxis(sample.array, -1, 0)), kind="planes")

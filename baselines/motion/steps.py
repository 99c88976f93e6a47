"""Flow descriptors as recipe steps: `... > flow(dis) > mdmo`."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench import DataError, Sample, step

from .bi_woof import BINS as BI_WOOF_BINS
from .bi_woof import Reading
from .bi_woof import bi_woof as bi_woof_vector
from .fdm import SPANS, STILL_PX
from .fdm import fdm as fdm_vector
from .fields import COMPONENTS
from .flow_grid import CELLS
from .flow_grid import flow_grid as flow_grid_vector
from .hoof import BINS as HOOF_BINS
from .hoof import hoof as hoof_vector
from .mdmo import BETA, DIRECTIONS, Averaging
from .mdmo import mdmo as mdmo_vector


@step("mdmo", 2, accepts={"flow"}, gives="vector", tools=("opencv-contrib-python-headless",))
def mdmo(
    sample: Sample,
    beta: float = BETA,
    *,
    align: bool = True,
    averaging: Averaging = "frames",
    directions: Any = DIRECTIONS,
) -> Sample:
    """The MDMO vector of flow from the onset, (t, h, w, c) or (h, w, c) with channels u and v; see `mdmo.mdmo`."""
    flow = _channels(sample, "MDMO", COMPONENTS)
    clip = flow if flow.ndim == 4 else flow[None]
    return _vector(
        sample,
        mdmo_vector(clip, sample.landmarks, beta=beta, align=align, averaging=averaging, directions=directions),
    )


@step("hoof", 1, accepts={"flow"}, gives="vector")
def hoof(sample: Sample, bins: int = HOOF_BINS, blocks: Any = (5, 5), spans: int = 1, directions: Any = ()) -> Sample:
    """The HOOF vector of flow (t, h, w, c) or (h, w, c) with channels u and v; see `hoof.hoof`."""
    flow = _channels(sample, "HOOF", COMPONENTS)
    return _vector(sample, hoof_vector(flow, bins=bins, blocks=blocks, spans=spans, directions=directions))


@step("bi-woof", 1, accepts={"flow"}, gives="vector")
def bi_woof(
    sample: Sample,
    reading: Reading = "paper",
    blocks: Any = (5, 5),
    directions: Any = tuple(range(BI_WOOF_BINS)),
) -> Sample:
    """The Bi-WOOF vector of a field (h, w, c) with channels u, v and strain; see `bi_woof.bi_woof`."""
    field = _channels(sample, "Bi-WOOF", (*COMPONENTS, "strain"))
    flow, strain = field[..., :2], field[..., 2]
    return _vector(sample, bi_woof_vector(flow, strain, reading=reading, blocks=blocks, directions=directions))


@step("fdm", 1, accepts={"flow"}, gives="vector")
def fdm(
    sample: Sample,
    blocks: Any = (8, 8),
    spans: int = SPANS,
    still_px: float = STILL_PX,
    directions: Any = COMPONENTS,
) -> Sample:
    """The FDM vector of flow (t, h, w, c) with channels u and v; see `fdm.fdm`."""
    flow = _channels(sample, "FDM", COMPONENTS)
    return _vector(sample, fdm_vector(flow, blocks=blocks, spans=spans, still_px=still_px, directions=directions))


@step("flow-grid", 1, accepts={"flow"}, gives="vector")
def flow_grid(sample: Sample, cells: int = CELLS, directions: Any = COMPONENTS) -> Sample:
    """The mean flow on a coarse grid, of a field (h, w, c) with channels u and v; see `flow_grid.flow_grid`."""
    flow = _channels(sample, "A flow grid", COMPONENTS)
    return _vector(sample, flow_grid_vector(flow, cells=cells, directions=directions))


def _channels(sample: Sample, method: str, wanted: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """The wanted fields of the flow in their order, wherever they stand."""
    if not set(wanted) <= set(sample.channels):
        raise DataError(
            f"{method} got flow fields {', '.join(sample.channels) or 'without names'}.",
            f"Give it {', '.join(wanted)}: keep the components of the flow, and put strain before what needs it.",
        )
    if sample.channels[: len(wanted)] == wanted:  # as flow gives them: no copy
        return sample.array[..., : len(wanted)]
    return np.asarray(sample.array[..., [sample.channels.index(name) for name in wanted]])


def _vector(sample: Sample, values: npt.NDArray[np.float32]) -> Sample:
    return replace(sample, array=values, kind="vector", channels=())

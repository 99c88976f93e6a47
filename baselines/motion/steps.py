"""Flow descriptors as recipe steps: `... > flow(dis) > mdmo`."""

from dataclasses import replace

from mebench import DataError, Sample, step

from .mdmo import BETA
from .mdmo import mdmo as mdmo_vector


@step("mdmo", 1, accepts={"flow"}, gives="vector", tools=("opencv-contrib-python-headless",))
def mdmo(sample: Sample, beta: float = BETA, *, align: bool = True) -> Sample:
    """The MDMO vector of flow from the onset, (t, h, w, c) or (h, w, c) with channels u and v; see `mdmo.mdmo`."""
    if not {"u", "v"} <= set(sample.channels):
        raise DataError(
            f"MDMO got flow fields {', '.join(sample.channels) or 'without names'}.",
            "Keep the components u and v of the flow.",
        )
    fields = sample.array if sample.array.ndim == 4 else sample.array[None]
    flow = fields[..., [sample.channels.index("u"), sample.channels.index("v")]]
    return replace(
        sample, array=mdmo_vector(flow, sample.landmarks, beta=beta, align=align), kind="vector", channels=()
    )

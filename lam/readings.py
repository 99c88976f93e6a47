"""The readings by name: what may stand with a residual block."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

from . import neighbours
from .attention import Affinity
from .unit import Unit


class Reading(StrEnum):
    """What is done with the maps of a residual block."""

    AFFINITY = "affinity"
    CHANNEL = "channel-only"
    SPATIAL = "spatial-only"
    POOL = "pool"
    MICRO_ATTENTION = "micro-attention"
    DANET = "danet"
    SE = "se"
    ECA = "eca"
    CBAM = "cbam"
    BAM = "bam"
    SIMAM = "simam"
    NONE = "none"


_AFFINITIES: dict[Reading, Callable[..., Unit]] = {
    Reading.AFFINITY: Affinity,
    Reading.CHANNEL: partial(Affinity, spatial=False),
    Reading.SPATIAL: partial(Affinity, channel=False),
}
_NEIGHBOURS: dict[Reading, Callable[[int], Unit]] = {
    Reading.POOL: neighbours.Pooled,
    Reading.MICRO_ATTENTION: neighbours.MicroAttention,
    Reading.DANET: neighbours.DualAttention,
    Reading.SE: neighbours.SqueezeExcite,
    Reading.ECA: neighbours.EfficientChannel,
    Reading.CBAM: neighbours.BlockAttention,
    Reading.BAM: neighbours.Bottleneck,
    Reading.SIMAM: lambda _channels: neighbours.SimAm(),
    Reading.NONE: lambda _channels: Unit(),
}


def reading_unit(reading: Reading, channels: int, **options: Any) -> Unit:
    """The unit for a block of that many maps; `options` are those of `Affinity`, and the neighbours have none."""
    if reading in _AFFINITIES:
        return _AFFINITIES[reading](**options)
    return _NEIGHBOURS[reading](channels)

"""The affinity reading: how much feature maps, and places within them, go together.

Our reconstruction of the lightweight attention model (Hao, Zhu, Zhang et al., Multimedia Tools and Applications 83,
2024, doi 10.1007/s11042-023-16616-y), of which only the abstract is public: it states correlation between feature maps
and within feature maps, at every residual block, with no obvious added parameters. Everything else here is our choice.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-6
"""Added to norms: the correlation of a constant map is zero, and its attention uniform, instead of undefined."""

TEMPERATURE = 0.5
"""Measured on random and untrained maps: at .1 each map attends to itself alone, at 1 to all alike."""

KEY_POOL = (4, 2, 1, 1)
"""Side of the averaged key cells at each stage: 196 keys or fewer for a 224 px image."""


class Reading(StrEnum):
    """What follows a residual block."""

    AFFINITY = "affinity"
    CHANNEL = "channel-only"
    SPATIAL = "spatial-only"
    NONE = "none"


class Energy(StrEnum):
    """How alike two vectors are: correlation, cosine, inner product, or the row's largest inner product minus it."""

    PEARSON = "pearson"
    COSINE = "cosine"
    DOT = "dot"
    DOT_MAXMINUS = "dot_maxminus"


class Attention(NamedTuple):
    """Weights between maps (b, c, c) and from places to key cells (b, h·w, m); rows sum to 1; None where not read."""

    channel: Tensor | None
    spatial: Tensor | None


class Affinity(nn.Module):
    """X + γ_c Y_c + γ_s Y_s, of the shape of X (b, c, h, w); γ_c = γ_s = 0 at first, so the unit starts as identity.

    Y_c mixes whole maps by their correlation over places, Y_s mixes key cells by the correlation of their feature
    vectors over maps. Keys are averages over cells of `key_pool` by `key_pool` places (the last of a row may be
    smaller). `mask_diagonal` keeps a map, or a place, from attending to itself.
    """

    def __init__(
        self,
        *,
        channel: bool = True,
        spatial: bool = True,
        energy: Energy = Energy.PEARSON,
        tau_c: float = TEMPERATURE,
        tau_s: float = TEMPERATURE,
        key_pool: int = 1,
        mask_diagonal: bool = False,
    ) -> None:
        super().__init__()
        self.gamma_c = nn.Parameter(torch.zeros(())) if channel else None
        self.gamma_s = nn.Parameter(torch.zeros(())) if spatial else None
        self.energy, self.tau_c, self.tau_s = energy, tau_c, tau_s
        self.key_pool, self.mask_diagonal = key_pool, mask_diagonal

    def forward(self, x: Tensor) -> Tensor:
        attention, maps = self.attention(x), x.flatten(2)
        read = maps
        if self.gamma_c is not None and attention.channel is not None:
            read = read + self.gamma_c * (attention.channel @ maps)
        if self.gamma_s is not None and attention.spatial is not None:
            read = read + self.gamma_s * (self._cells(x) @ attention.spatial.mT)
        return read.view_as(x)

    def attention(self, x: Tensor) -> Attention:
        """The attention that `forward` applies to x (b, c, h, w)."""
        channel, spatial, maps = None, None, x.flatten(2)
        if self.gamma_c is not None:
            own_map = torch.arange(x.shape[1], device=x.device) if self.mask_diagonal else None
            channel = attend(maps, maps, self.energy, self.tau_c, own_map)
        if self.gamma_s is not None:
            own_cell = _own_cell(x, self.key_pool) if self.mask_diagonal else None
            spatial = attend(maps.mT, self._cells(x).mT, self.energy, self.tau_s, own_cell)
        return Attention(channel, spatial)

    def _cells(self, x: Tensor) -> Tensor:
        """Averages (b, c, m) over the key cells."""
        return (functional.avg_pool2d(x, self.key_pool, ceil_mode=True) if self.key_pool > 1 else x).flatten(2)


def attend(queries: Tensor, keys: Tensor, energy: Energy, tau: float, masked: Tensor | None = None) -> Tensor:
    """Attention (b, n, m): the softmax over keys (b, m, d) of their energy with each query (b, n, d), divided by tau.

    `masked` (n,) names one key per query that gets no weight, unless it is the only one.
    """
    if energy is Energy.PEARSON:
        queries, keys = queries - queries.mean(-1, keepdim=True), keys - keys.mean(-1, keepdim=True)
    if energy in (Energy.PEARSON, Energy.COSINE):
        queries, keys = _unit(queries), _unit(keys)
    energies = queries @ keys.mT
    if energy is Energy.DOT_MAXMINUS:
        energies = energies.amax(-1, keepdim=True) - energies
    energies = energies / tau
    if masked is not None:
        # The lowest finite number, not minus infinity: a row whose only key is masked stays finite.
        own = functional.one_hot(masked, energies.shape[-1]).bool()
        energies = energies.masked_fill(own, torch.finfo(energies.dtype).min)
    return energies.softmax(-1)


def reading_unit(reading: Reading, **options: Any) -> nn.Module:
    """The unit that follows a residual block; `options` are those of `Affinity`."""
    if reading is Reading.NONE:
        return nn.Identity()
    return Affinity(channel=reading is not Reading.SPATIAL, spatial=reading is not Reading.CHANNEL, **options)


def _unit(vectors: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / (norms + EPSILON)


def _own_cell(x: Tensor, pool: int) -> Tensor:
    """The number (h·w,) of the key cell in which each place lies."""
    rows, columns = (torch.arange(side, device=x.device) // pool for side in x.shape[2:])
    return (rows[:, None] * -(-x.shape[3] // pool) + columns).flatten()

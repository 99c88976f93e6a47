"""The affinity reading: how much feature maps, and places within them, go together.

Our reconstruction of the lightweight attention model (Hao, Zhu, Zhang et al., Multimedia Tools and Applications 83,
2024, doi 10.1007/s11042-023-16616-y), of which only the abstract is public: it states correlation between feature maps
and within feature maps, at every residual block, with no obvious added parameters. Everything else here is our choice.
"""

import math
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from mebench import ModelError

from .unit import Attention, Unit

EPSILON = 1e-6
"""Norms below this count as none: a constant map correlates with nothing, and its attention is uniform."""

TEMPERATURE = 0.5
"""Measured on random and untrained maps: at .1 each map attends to itself alone, at 1 to all alike."""

KEY_POOL = (4, 2, 1, 1)
"""Side of the averaged key cells at each stage: 196 keys or fewer for a 224 px image."""


class Energy(StrEnum):
    """How alike two vectors are: correlation, cosine, inner product, or the row's largest inner product minus it."""

    PEARSON = "pearson"
    COSINE = "cosine"
    DOT = "dot"
    DOT_MAXMINUS = "dot_maxminus"


class Affinity(Unit):
    """X + γ_c Y_c + γ_s Y_s, of the shape of X (b, c, h, w); γ_c = γ_s = 0 at first, so the unit starts as identity.

    Y_c mixes whole maps by their correlation over places, Y_s mixes key cells by the correlation of their feature
    vectors over maps. Keys are averages over cells of `key_pool` by `key_pool` places (the last of a row may be
    smaller). `mask_diagonal` keeps a map, or a place, from attending to itself. `tau_c` and `tau_s` are the
    temperatures; with `learn_tau` they are where training starts, and it is their logarithm that learns: they stay
    positive, and a step changes them by a share.
    """

    gamma_c: nn.Parameter | None
    gamma_s: nn.Parameter | None
    log_tau_c: Tensor
    log_tau_s: Tensor

    def __init__(
        self,
        *,
        channel: bool = True,
        spatial: bool = True,
        energy: Energy = Energy.PEARSON,
        tau_c: float = TEMPERATURE,
        tau_s: float = TEMPERATURE,
        learn_tau: bool = True,
        key_pool: int = 1,
        mask_diagonal: bool = False,
    ) -> None:
        super().__init__()
        self.gamma_c = nn.Parameter(torch.zeros(())) if channel else None
        self.gamma_s = nn.Parameter(torch.zeros(())) if spatial else None
        self._hold_temperature("log_tau_c", tau_c, learnt=learn_tau and channel)
        self._hold_temperature("log_tau_s", tau_s, learnt=learn_tau and spatial)
        self.energy, self.key_pool, self.mask_diagonal = energy, key_pool, mask_diagonal

    @property
    def tau_c(self) -> float:
        """The temperature of the attention between maps, learnt or fixed."""
        return float(self.log_tau_c.detach().exp())

    @property
    def tau_s(self) -> float:
        """The temperature of the attention between places, learnt or fixed."""
        return float(self.log_tau_s.detach().exp())

    def forward(self, x: Tensor) -> Tensor:
        # Places in rows: the trainer keeps maps channels-last, where these are views and the products need no copy.
        places, cells = x.flatten(2).mT, self._cells(x)
        read = places
        if self.gamma_c is not None:
            read = torch.addcmul(read, self.gamma_c, places @ self._between(x).mT)
        if self.gamma_s is not None:
            read = torch.addcmul(read, self.gamma_s, self._within(x, cells) @ cells)
        return read.mT.view_as(x)

    def attention(self, x: Tensor) -> Attention:
        """The attention that `forward` applies to x (b, c, h, w)."""
        return Attention(
            None if self.gamma_c is None else self._between(x),
            None if self.gamma_s is None else self._within(x, self._cells(x)),
        )

    def _between(self, x: Tensor) -> Tensor:
        """Weights (b, c, c) from map to map."""
        maps = x.flatten(2)
        own = torch.arange(x.shape[1], device=x.device) if self.mask_diagonal else None
        return attend(maps, maps, self.energy, self.log_tau_c.exp(), own)

    def _within(self, x: Tensor, cells: Tensor) -> Tensor:
        """Weights (b, h·w, m) from place to key cell."""
        own = _own_cell(x, self.key_pool) if self.mask_diagonal else None
        return attend(x.flatten(2).mT, cells, self.energy, self.log_tau_s.exp(), own)

    def _cells(self, x: Tensor) -> Tensor:
        """Averages (b, m, c) over the key cells."""
        pooled = functional.avg_pool2d(x, self.key_pool, ceil_mode=True) if self.key_pool > 1 else x
        return pooled.flatten(2).mT

    def _hold_temperature(self, name: str, tau: float, *, learnt: bool) -> None:
        if tau <= 0:
            raise ModelError(f"A temperature of {tau:g} divides by nothing.", "Give one above 0, such as 0.5.")
        logarithm = torch.tensor(math.log(tau))
        if learnt:
            self.register_parameter(name, nn.Parameter(logarithm))
        else:
            self.register_buffer(name, logarithm, persistent=False)


def attend(
    queries: Tensor, keys: Tensor, energy: Energy, tau: Tensor | float, masked: Tensor | None = None
) -> Tensor:  # fmt: skip
    """Attention (b, n, m): the softmax over keys (b, m, d) of their energy with each query (b, n, d), divided by tau.

    `masked` (n,) names one key per query that gets no weight, unless it is the only one.
    """
    # Each side takes 1/√τ along where it is normalised anyway: dividing n·m energies would be one more pass over them.
    scale = torch.as_tensor(tau, dtype=queries.dtype, device=queries.device).rsqrt()
    queried = _measured(queries, energy, scale)
    energies = queried @ (queried if keys is queries else _measured(keys, energy, scale)).mT
    if energy is Energy.DOT_MAXMINUS:
        energies = energies.amax(-1, keepdim=True) - energies
    if masked is not None:
        # The lowest finite number, not minus infinity: a row whose only key is masked stays finite.
        own = functional.one_hot(masked, energies.shape[-1]).bool()
        energies = energies.masked_fill(own, torch.finfo(energies.dtype).min)
    return energies.softmax(-1)


def _measured(vectors: Tensor, energy: Energy, scale: Tensor) -> Tensor:
    """The vectors (b, n, d) such that their inner products are energies, times `scale`."""
    d = vectors.shape[-1]
    if energy is Energy.PEARSON:
        # Layer normalisation centres and divides by √(|v|² + ε²)/√d in one pass that keeps no intermediate; where |v|
        # is far above ε that is |v| + ε, and a constant vector gives zeros either way.
        return functional.layer_norm(vectors, (d,), (scale / math.sqrt(d)).expand(d), eps=EPSILON**2 / d)
    if energy is Energy.COSINE:
        norms: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        vectors = vectors / (norms + EPSILON)
    return vectors * scale


def _own_cell(x: Tensor, pool: int) -> Tensor:
    """The number (h·w,) of the key cell in which each place lies."""
    rows, columns = (torch.arange(side, device=x.device) // pool for side in x.shape[2:])
    return (rows[:, None] * -(-x.shape[3] // pool) + columns).flatten()

"""Readings other methods would put in the place of ours: gates, pooled gates, projected attention.

All but `MicroAttention` follow the block, after the addition and its ReLU, where SE, ECA and CBAM once stood inside the
residual branch: one common place keeps a comparison to one thing that differs (choice). Formulas are the textbook ones.
None but `DualAttention` starts as the identity: gates halve what pretrained weights give.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .unit import Attention, Unit

REDUCTION = 16
"""How many times narrower the inner layer of SE, CBAM and BAM is: the value of all three papers."""

SIMAM_LAMBDA = 1e-4
"""The regulariser of SimAM's energy, its authors' value."""


class SqueezeExcite(Unit):
    """X · σ(W₂ ReLU(W₁ mean X)), a weight per map (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = _narrowed(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.gate(x.mean((2, 3))))[..., None, None]


class EfficientChannel(Unit):
    """X · σ(w ∗ mean X), a convolution over neighbouring maps (Wang et al., CVPR 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = _over_maps(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv(x.mean((2, 3))[:, None])[:, 0, :, None, None])


class BlockAttention(Unit):
    """A gate per map from mean and maximum, then one per place (CBAM; Woo et al., ECCV 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = _narrowed(channels)
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gated = x * torch.sigmoid(self.gate(x.mean((2, 3))) + self.gate(x.amax((2, 3))))[..., None, None]
        return gated * torch.sigmoid(self.conv(_mean_and_maximum(gated)))


class Bottleneck(Unit):
    """X · (1 + σ(M_c + M_s)), one branch over maps and one over places (BAM; Park et al., BMVC 2018).

    The released code multiplies the branches where the paper adds them; this adds.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.maps = nn.Sequential(
            nn.Linear(channels, inner), nn.BatchNorm1d(inner), nn.ReLU(), nn.Linear(inner, channels)
        )  # fmt: skip
        self.places = nn.Sequential(
            *_convolved(channels, inner, 1), *_convolved(inner, inner, 3), *_convolved(inner, inner, 3),
            nn.Conv2d(inner, 1, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + torch.sigmoid(self.maps(x.mean((2, 3)))[..., None, None] + self.places(x)))


class SimAm(Unit):
    """X · σ(d / 4(v + λ) + ½), d the squared distance from a map's mean and v its variance (Yang et al., ICML 2021)."""

    def forward(self, x: Tensor) -> Tensor:
        d = (x - x.mean((2, 3), keepdim=True)).square()
        variance = d.sum((2, 3), keepdim=True) / max(1, x.shape[2] * x.shape[3] - 1)
        return x * torch.sigmoid(d / (4 * (variance + SIMAM_LAMBDA)) + 0.5)


class Pooled(Unit):
    """Pooling alone (ours): a gate per map as in ECA from mean and maximum, then X₁ · (1 + σ(z mean X₁ + z max X₁)).

    z standardises a map over its places, which stands in for the convolution of CBAM at no parameters.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = _over_maps(channels)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.conv(x.mean((2, 3))[:, None]) + self.conv(x.amax((2, 3))[:, None])
        gated = x * torch.sigmoid(pooled[:, 0, :, None, None])
        both = _mean_and_maximum(gated).flatten(2)
        standard = functional.layer_norm(both, both.shape[-1:]).sum(1)
        return gated * (1 + torch.sigmoid(standard.view_as(x[:, :1])))


class DualAttention(Unit):
    """X + γ_s Y_s + γ_c Y_c with projected queries, keys and values over places (DANet; Fu et al., CVPR 2019).

    Over maps the energy is the row's largest inner product minus the inner product, so the least alike count most.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma_s = nn.Parameter(torch.zeros(()))
        self.gamma_c = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        places, values = x.flatten(2).mT, self.value(x).flatten(2).mT
        read = torch.addcmul(places, self.gamma_s, self._within(x) @ values)
        return torch.addcmul(read, self.gamma_c, places @ self._between(x).mT).mT.view_as(x)

    def attention(self, x: Tensor) -> Attention:
        """The attention that `forward` applies to x (b, c, h, w); every place is a key."""
        return Attention(self._between(x), self._within(x))

    def _between(self, x: Tensor) -> Tensor:
        """Weights (b, c, c) from map to map."""
        maps = x.flatten(2)
        # softmax(max - E) is softmax(-E): a number added to a whole row changes nothing.
        return (-(maps @ maps.mT)).softmax(-1)

    def _within(self, x: Tensor) -> Tensor:
        """Weights (b, h·w, h·w) from place to place."""
        queries, keys = self.query(x).flatten(2), self.key(x).flatten(2)
        weights: Tensor = (queries.mT @ keys).softmax(-1)
        return weights


class MicroAttention(Unit):
    """T + σ(m) T, T the sum of the branches and m (b, 1, h, w) their joint view (Wang et al., Neurocomputing 2020).

    m is the mean over maps of a 1x1 convolution of all three branches, 3C to C. A mean of linear maps is the linear map
    of the mean, so the weights are averaged first and C maps are never made; the parameters are all there and learn
    alike. From the authors' network file, whose blocks have no batch norm after the second convolution.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3 * channels, channels, 1, bias=False)

    def join(self, shortcut: Tensor, first: Tensor, second: Tensor) -> Tensor:
        weights = self.conv.weight.mean(0, keepdim=True)
        branches = zip((shortcut, first, second), weights.chunk(3, dim=1), strict=True)
        views = [functional.conv2d(branch, part) for branch, part in branches]
        total = second + shortcut
        return total + torch.sigmoid(torch.stack(views).sum(0)) * total


def _narrowed(channels: int) -> nn.Sequential:
    inner = max(1, channels // REDUCTION)
    return nn.Sequential(nn.Linear(channels, inner, bias=False), nn.ReLU(), nn.Linear(inner, channels, bias=False))


def _over_maps(channels: int) -> nn.Conv1d:
    """A convolution over neighbouring maps, as wide as ECA takes for that many: 3, 5, 5 and 5 for 64 to 512."""
    half = int(math.log2(channels) / 2 + 0.5)
    width = half if half % 2 else half + 1
    return nn.Conv1d(1, 1, width, padding=width // 2, bias=False)


def _convolved(channels_in: int, channels: int, side: int) -> list[nn.Module]:
    """Convolution, dilated by 4 where it is wider than one place, batch norm and ReLU."""
    conv = nn.Conv2d(channels_in, channels, side, padding=4 * (side // 2), dilation=4 if side > 1 else 1)
    return [conv, nn.BatchNorm2d(channels), nn.ReLU()]


def _mean_and_maximum(x: Tensor) -> Tensor:
    """Over maps (b, 2, h, w)."""
    return torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)

"""The readings of other methods, each against its formula worked out by other means."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from mebench.lam import neighbours
from mebench.lam.readings import Reading, reading_unit
from mebench.lam.unit import Unit

CHANNELS, SIDE = 32, 5
AFTER = [r for r in Reading if r is not Reading.MICRO_ATTENTION]


def maps(seed: int = 0, channels: int = CHANNELS, batch: int = 3) -> torch.Tensor:
    """Maps as they leave a ReLU: half of them zero."""
    return torch.randn((batch, channels, SIDE, SIDE), generator=torch.Generator().manual_seed(seed)).relu()


def made(reading: Reading, channels: int = CHANNELS) -> Unit:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        unit = reading_unit(reading, channels).eval()
    with torch.no_grad():
        for name, parameter in unit.named_parameters():
            if name.startswith("gamma"):
                parameter.fill_(0.4)
    return unit


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def parameter(unit: nn.Module, name: str) -> np.ndarray:
    return unit.get_parameter(name).detach().double().numpy()


def neighbouring(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Each value's weighted sum with its neighbours, zeros beyond the ends, by loops."""
    reach = len(weights) // 2
    return np.array(
        [
            sum(weights[reach + k] * values[i + k] for k in range(-reach, reach + 1) if 0 <= i + k < len(values))
            for i in range(len(values))
        ]
    )


def windowed(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A correlation of images (2, h, w) with weights (2, 7, 7), zeros beyond the border, by loops."""
    padded, found = np.pad(image, ((0, 0), (3, 3), (3, 3))), np.empty(image.shape[1:])
    for i in range(image.shape[1]):
        for j in range(image.shape[2]):
            found[i, j] = (padded[:, i : i + 7, j : j + 7] * weights).sum()
    return found


def squeeze_excite(unit: nn.Module, x: np.ndarray) -> np.ndarray:
    inner = np.maximum(parameter(unit, "gate.0.weight") @ x.mean((1, 2)), 0)
    return x * sigmoid(parameter(unit, "gate.2.weight") @ inner)[:, None, None]


def efficient_channel(unit: nn.Module, x: np.ndarray) -> np.ndarray:
    return x * sigmoid(neighbouring(x.mean((1, 2)), parameter(unit, "conv.weight")[0, 0]))[:, None, None]


def block_attention(unit: nn.Module, x: np.ndarray) -> np.ndarray:
    narrow, wide = parameter(unit, "gate.0.weight"), parameter(unit, "gate.2.weight")
    gates = sum(wide @ np.maximum(narrow @ pooled, 0) for pooled in (x.mean((1, 2)), x.max((1, 2))))
    gated = x * sigmoid(gates)[:, None, None]
    return gated * sigmoid(windowed(np.stack([gated.mean(0), gated.max(0)]), parameter(unit, "conv.weight")[0]))


def simam(_unit: nn.Module, x: np.ndarray) -> np.ndarray:
    # var with ddof 1 is the sum of squared distances over N - 1
    distance, variance = (x - x.mean((1, 2), keepdims=True)) ** 2, x.var((1, 2), ddof=1, keepdims=True)
    return x * sigmoid(distance / (4 * (variance + 1e-4)) + 0.5)


def pooled(unit: nn.Module, x: np.ndarray) -> np.ndarray:
    weights = parameter(unit, "conv.weight")[0, 0]
    gated = x * sigmoid(neighbouring(x.mean((1, 2)), weights) + neighbouring(x.max((1, 2)), weights))[:, None, None]
    standard = sum((m - m.mean()) / np.sqrt(m.var() + 1e-5) for m in (gated.mean(0), gated.max(0)))
    return gated * (1 + sigmoid(standard))


def dual_attention(unit: nn.Module, x: np.ndarray) -> np.ndarray:
    def projected(name: str) -> np.ndarray:
        return parameter(unit, f"{name}.weight")[:, :, 0, 0] @ flat + parameter(unit, f"{name}.bias")[:, None]

    def softmax(rows: np.ndarray) -> np.ndarray:
        exponentials = np.exp(rows - rows.max(1, keepdims=True))
        return exponentials / exponentials.sum(1, keepdims=True)

    flat = x.reshape(len(x), -1)
    spatial = projected("value") @ softmax(projected("query").T @ projected("key")).T
    products = flat @ flat.T
    channel = softmax(products.max(1, keepdims=True) - products) @ flat
    return (flat + 0.4 * spatial + 0.4 * channel).reshape(x.shape)


ORACLES = {
    Reading.SE: squeeze_excite,
    Reading.ECA: efficient_channel,
    Reading.CBAM: block_attention,
    Reading.SIMAM: simam,
    Reading.POOL: pooled,
    Reading.DANET: dual_attention,
}


@pytest.mark.parametrize("reading", list(ORACLES))
def test_a_reading_follows_its_formula(reading: Reading) -> None:
    unit, x = made(reading), maps()
    with torch.no_grad():
        found = unit(x).double().numpy()
    slow = np.stack([ORACLES[reading](unit, image) for image in x.double().numpy()])
    assert np.abs(found - slow).max() < 1e-5
    assert np.abs(found - x.numpy()).max() > 0.01  # it does something


def test_bam_adds_its_branches() -> None:
    """With every weight zero both branches give their last bias: 1 + σ(.3 + .2) everywhere."""
    unit, x = made(Reading.BAM), maps()
    with torch.no_grad():
        for value in unit.parameters():
            value.zero_()
        unit.get_parameter("maps.3.bias").fill_(0.3)
        unit.get_parameter("places.9.bias").fill_(0.2)
        assert torch.allclose(unit(x), x * (1 + 1 / (1 + math.exp(-0.5))))
        unit.get_parameter("maps.3.bias")[0] = 2.0  # of the first map alone
        changed = unit(x)
    assert torch.allclose(changed[:, 0], x[:, 0] * (1 + 1 / (1 + math.exp(-2.2))))
    assert torch.allclose(changed[:, 1:], x[:, 1:] * (1 + 1 / (1 + math.exp(-0.5))))


def test_bam_sees_places_four_apart() -> None:
    """Two 3x3 convolutions dilated by 4: a place is reached from 0, 4 and 8 steps away, and from nowhere else."""
    unit = made(Reading.BAM, 16)
    with torch.no_grad():
        for value in unit.places.parameters():
            value.fill_(0.1)  # positive throughout: no ReLU shuts anything off
    x = torch.ones((1, 16, 17, 17), requires_grad=True)
    (reach,) = torch.autograd.grad(unit.places(x)[0, 0, 8, 8], x)
    rows, columns = reach[0].sum(0).nonzero().T.tolist()
    assert set(zip(rows, columns, strict=True)) == {(i, j) for i in (0, 4, 8, 12, 16) for j in (0, 4, 8, 12, 16)}


def test_micro_attention_weighs_the_sum_by_the_mean_of_a_convolution_of_all_branches() -> None:
    unit = made(Reading.MICRO_ATTENTION)
    shortcut, first, second = maps(0), maps(1), maps(2) - 1
    with torch.no_grad():
        found = unit.join(shortcut, first, second)
        # As the network file has it: 3C maps to C maps, then their mean.
        view = unit.conv(torch.cat([shortcut, first, second], dim=1)).mean(1, keepdim=True)
        total = shortcut + second
    assert torch.allclose(found, total + torch.sigmoid(view) * total, atol=1e-5)
    assert torch.equal(unit(found), found)


@pytest.mark.parametrize("reading", list(Reading))
def test_a_reading_keeps_the_shape_and_every_parameter_learns(reading: Reading) -> None:
    unit, x = made(reading).train(), maps().requires_grad_()
    out = unit(unit.join(x, maps(1), maps(2)).relu())
    assert out.shape == x.shape
    out.square().sum().backward()
    assert x.grad.isfinite().all()
    # A bias before batch norm cannot matter in training: its gradient is zero but for rounding.
    assert all(p.grad is not None and p.grad.isfinite().all() for p in unit.parameters())


@pytest.mark.parametrize("reading", list(Reading))
@pytest.mark.parametrize("level", [0.0, 2.0])
def test_flat_maps_stay_finite(reading: Reading, level: float) -> None:
    unit, x = made(reading).train(), torch.full((2, CHANNELS, 1, 1), level, requires_grad=True)
    out = unit(unit.join(x, x, x))
    out.sum().backward()
    assert out.isfinite().all()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("reading", AFTER)
def test_only_micro_attention_touches_the_sum_of_the_branches(reading: Reading) -> None:
    a, b, c = maps(0), maps(1), maps(2)
    assert torch.equal(made(reading).join(a, b, c), a + c)


def test_the_width_over_maps_grows_with_their_number() -> None:
    """t = ⌊log₂C/2 + 1/2⌋, made odd upwards: 64 gives 3.5, so 3; 128 gives 4, so 5; 512 gives 5; 2048 gives 6, so 7."""
    widths = {c: neighbours.EfficientChannel(c).conv.kernel_size for c in (64, 128, 256, 512, 2048)}
    assert widths == {64: (3,), 128: (5,), 256: (5,), 512: (5,), 2048: (7,)}

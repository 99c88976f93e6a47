"""The affinity reading against a slow reference, its limits and its gradients."""

import math

import pytest
import torch

from mebench.errors import ModelError
from mebench.lam.attention import Affinity, Energy, attend
from mebench.lam.readings import Reading, reading_unit


def maps(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def opened(unit: Affinity, gamma_c: float, gamma_s: float) -> Affinity:
    """The unit with its scalars away from zero, where it is no longer the identity."""
    with torch.no_grad():
        if unit.gamma_c is not None:
            unit.gamma_c.fill_(gamma_c)
        if unit.gamma_s is not None:
            unit.gamma_s.fill_(gamma_s)
    return unit


def softmax(row: list[float]) -> list[float]:
    exponentials = [math.exp(value - max(row)) for value in row]
    return [value / sum(exponentials) for value in exponentials]


def pearson(a: list[float], b: list[float]) -> float:
    """Correlation as the unit defines it: centred vectors over (norm + 1e-6)."""
    a, b = [v - sum(a) / len(a) for v in a], [v - sum(b) / len(b) for v in b]
    norms = [math.sqrt(sum(v * v for v in w)) + 1e-6 for w in (a, b)]
    return sum(v * w for v, w in zip(a, b, strict=True)) / norms[0] / norms[1]


def laid_out(x: torch.Tensor, layout: str) -> torch.Tensor:
    """The maps as the trainer keeps them, or as torch does by itself."""
    return x.contiguous(memory_format=getattr(torch, layout))


def slow_affinity(
    x: list[list[list[float]]], gamma_c: float, gamma_s: float, tau: float, pool: int
) -> list[list[float]]:
    """One image (c, h, w) through the unit, written out with loops: (c, h·w)."""
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    flat = [[x[c][i][j] for i in range(height) for j in range(width)] for c in range(channels)]
    cells = [
        [
            sum(x[c][i][j] for i in range(top, top + pool) for j in range(left, left + pool)) / pool**2
            for top in range(0, height, pool)
            for left in range(0, width, pool)
        ]
        for c in range(channels)
    ]
    places = [[row[n] for row in flat] for n in range(height * width)]
    keys = [[row[m] for row in cells] for m in range(len(cells[0]))]
    a_c = [softmax([pearson(flat[c], flat[d]) / tau for d in range(channels)]) for c in range(channels)]
    a_s = [softmax([pearson(place, key) / tau for key in keys]) for place in places]
    return [
        [
            flat[c][n]
            + gamma_c * sum(a_c[c][d] * flat[d][n] for d in range(channels))
            + gamma_s * sum(a_s[n][m] * cells[c][m] for m in range(len(keys)))
            for n in range(height * width)
        ]
        for c in range(channels)
    ]


@pytest.mark.parametrize("layout", ["channels_last", "contiguous_format"])
@pytest.mark.parametrize("learnt", [True, False])
@pytest.mark.parametrize("pool", [1, 2])
def test_the_unit_equals_a_reference_written_with_loops(pool: int, learnt: bool, layout: str) -> None:
    x = maps((2, 5, 4, 6))
    unit = opened(Affinity(key_pool=pool, tau_c=0.4, tau_s=0.4, learn_tau=learnt), 0.7, -0.3)
    slow = torch.tensor([slow_affinity(image.tolist(), 0.7, -0.3, 0.4, pool) for image in x])
    assert (unit(laid_out(x, layout)).flatten(2) - slow).abs().max() < 1e-5


def test_maps_far_from_zero_correlate_as_their_deviations_do() -> None:
    """Correlation does not change with a constant added; what is computed must not lose it in rounding either."""
    x = maps((1, 6, 8, 8))
    near, far = Affinity().attention(x), Affinity().attention(x + 100)
    # At 100 a float32 is good to 8e-6, against deviations of .3: some 3e-5 of a correlation.
    assert (near.channel - far.channel).abs().max() < 1e-4
    assert (near.spatial - far.spatial).abs().max() < 1e-4


def test_the_unit_is_the_identity_before_training() -> None:
    x = maps((2, 6, 4, 4))
    assert torch.equal(Affinity()(x), x)


@pytest.mark.parametrize("energy", list(Energy))
@pytest.mark.parametrize("masked", [False, True])
def test_attention_rows_sum_to_one(energy: Energy, masked: bool) -> None:
    attention = Affinity(energy=energy, key_pool=2, mask_diagonal=masked).attention(maps((2, 8, 6, 6)))
    assert attention.channel is not None
    assert attention.spatial is not None
    assert attention.channel.shape == (2, 8, 8)
    assert attention.spatial.shape == (2, 36, 9)
    for weights in attention:
        assert (weights.sum(-1) - 1).abs().max() < 1e-5
        assert (weights >= 0).all()


@pytest.mark.parametrize("energy", list(Energy))
@pytest.mark.parametrize("level", [0.0, 3.0])
def test_flat_maps_give_finite_output_and_gradients(energy: Energy, level: float) -> None:
    x = torch.full((1, 4, 4, 4), level, requires_grad=True)
    unit = opened(Affinity(energy=energy, key_pool=2), 1.0, 1.0)
    out = unit(x)
    out.sum().backward()
    assert out.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_flat_map_attends_to_all_maps_alike() -> None:
    x = maps((1, 5, 4, 4))
    x[0, 2] = 0.0
    channel = Affinity().attention(x).channel
    assert channel is not None
    # The correlation of a constant map with any map is 0, so the softmax row is uniform: 1/5.
    assert torch.allclose(channel[0, 2], torch.full((5,), 0.2))


def test_energies_by_hand() -> None:
    """Two vectors in the plane: q = (3, 4), keys (3, 4) and (4, -3): inner products 25 and 0, cosines 1 and 0."""
    q, keys = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[3.0, 4.0], [4.0, -3.0]]])
    e = math.e
    assert torch.allclose(attend(q, keys, Energy.COSINE, 1.0), torch.tensor([e / (e + 1), 1 / (e + 1)]))
    # Over a temperature of 25 the inner products are 1 and 0; the row maximum minus them 0 and 1.
    assert torch.allclose(attend(q, keys, Energy.DOT, 25.0), torch.tensor([e / (e + 1), 1 / (e + 1)]))
    assert torch.allclose(attend(q, keys, Energy.DOT_MAXMINUS, 25.0), torch.tensor([1 / (e + 1), e / (e + 1)]))
    # Centred, q = (-.5, .5) and the keys point along (-1, 1) and (1, -1): correlations 1 and -1.
    weights = attend(q, keys, Energy.PEARSON, 1.0)
    assert torch.allclose(weights, torch.tensor([e * e / (e * e + 1), 1 / (e * e + 1)]), atol=1e-4)


def test_a_masked_diagonal_gets_no_weight() -> None:
    attention = Affinity(key_pool=2, mask_diagonal=True).attention(maps((1, 4, 4, 4)))
    assert attention.channel is not None
    assert attention.spatial is not None
    assert attention.channel[0].diagonal().abs().max() == 0
    # Places 0, 3, 12 and 15 are the corners of a 4 x 4 map; they lie in the key cells 0, 1, 2 and 3.
    assert attention.spatial[0, [0, 3, 12, 15], [0, 1, 2, 3]].abs().max() == 0
    assert (attention.spatial[0] == 0).sum() == 16


def test_the_only_key_keeps_its_weight_under_a_mask() -> None:
    spatial = Affinity(mask_diagonal=True).attention(maps((1, 3, 1, 1))).spatial
    assert spatial is not None
    assert spatial.tolist() == [[[1.0]]]


def test_key_cells_at_the_border_average_what_they_hold() -> None:
    """A 3 x 3 map in cells of 2: cells hold 4, 2, 2 and 1 places."""
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    cells = Affinity(key_pool=2)._cells(x)
    assert cells.tolist() == [[[2.0], [3.5], [6.5], [8.0]]]


@pytest.mark.parametrize("energy", [Energy.PEARSON, Energy.COSINE, Energy.DOT])
def test_gradients_match_finite_differences(energy: Energy) -> None:
    unit = opened(Affinity(energy=energy, key_pool=2).double(), 0.5, 0.8)
    x = maps((1, 3, 2, 2), dtype=torch.float64).requires_grad_()
    names = ("gamma_c", "gamma_s", "log_tau_c", "log_tau_s")

    def through(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.func.functional_call(unit, dict(zip(names, values, strict=True)), (x,))
        return result

    assert torch.autograd.gradcheck(through, (x, *(unit.get_parameter(name) for name in names)))


def test_a_learnt_temperature_stays_positive_however_far_it_is_pushed() -> None:
    unit = Affinity(tau_c=0.5)
    assert unit.tau_c == pytest.approx(0.5)
    with torch.no_grad():
        unit.get_parameter("log_tau_c").sub_(20)
    assert 0 < unit.tau_c < 1e-8
    assert unit.attention(maps((1, 4, 3, 3))).channel.isfinite().all()


def test_a_lower_temperature_focuses() -> None:
    x = maps((1, 6, 4, 4))
    sharpest = [Affinity(tau_c=tau).attention(x).channel.amax(-1).mean() for tau in (2.0, 0.5, 0.1)]
    assert sharpest[0] < sharpest[1] < sharpest[2]


def test_a_fixed_temperature_is_no_parameter() -> None:
    unit = Affinity(tau_s=0.2, learn_tau=False)
    assert {name for name, _ in unit.named_parameters()} == set(unit.state_dict()) == {"gamma_c", "gamma_s"}
    assert unit.tau_s == pytest.approx(0.2)
    assert unit.double().log_tau_s.dtype is torch.float64


@pytest.mark.parametrize("tau", [0.0, -0.5])
def test_a_temperature_of_zero_or_less_is_refused(tau: float) -> None:
    with pytest.raises(ModelError, match="temperature"):
        Affinity(tau_c=tau)


def test_half_precision_gives_about_the_same() -> None:
    unit, x = opened(Affinity(key_pool=2), 0.5, 0.8), maps((2, 8, 8, 8))
    exact = unit(x)
    with torch.autocast("cpu", torch.bfloat16):
        rough = unit(x)
    # bfloat16 has 8 bits: a correlation is good to about .004, so weights exp(corr / .5) to about 1 %.
    assert (rough.float() - exact).abs().max() < 0.02


def test_readings_are_told_apart() -> None:
    x = maps((1, 4, 4, 4))
    both, channel, spatial = (reading_unit(r, 4) for r in (Reading.AFFINITY, Reading.CHANNEL, Reading.SPATIAL))
    assert [sum(p.numel() for p in unit.parameters()) for unit in (both, channel, spatial)] == [4, 2, 2]
    for unit in (both, channel, spatial):
        assert isinstance(unit, Affinity)
        opened(unit, 0.5, 0.25)
    # The two halves are added to the same map, so their contributions add up to that of the whole unit.
    assert torch.allclose(both(x) - x, channel(x) - x + (spatial(x) - x), atol=1e-6)
    assert torch.equal(reading_unit(Reading.NONE, 4)(x), x)

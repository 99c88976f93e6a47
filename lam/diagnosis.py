"""What a trained network made of its readings: the scalars of each block, and how focused its attention is."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from .attention import Affinity
from .neighbours import DualAttention

SCALES = ("gamma_c", "gamma_s")
"""The scalars that let a reading in; where they are zero a block is as it was without it."""


def scalars(network: nn.Module) -> dict[str, list[float]]:
    """`gamma_c`, `gamma_s` and the temperatures `tau_c`, `tau_s`, learnt or fixed, of every block in order.

    What no block has is left out.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for unit in _attending(network):
        for side, scale in zip("cs", SCALES, strict=True):
            gamma = getattr(unit, scale)
            if gamma is None:
                continue
            found[scale].append(float(gamma.detach()))
            if isinstance(unit, Affinity):
                found[f"tau_{side}"].append(unit.tau_c if side == "c" else unit.tau_s)
    return dict(found)


def entropies(network: nn.Module, look: Callable[[], object]) -> dict[str, list[float]]:
    """`entropy_channel` and `entropy_spatial` of every block in order, over the images that `look` sends through.

    Mean entropy of the rows of attention, divided by that of a uniform row: 1 averages over all keys alike, 0 looks at
    one. A row with a single key counts as uniform.
    """
    found: dict[str, dict[int, list[float]]] = {
        "entropy_channel": defaultdict(list),
        "entropy_spatial": defaultdict(list),
    }

    def measure(block: int) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def hook(unit: nn.Module, inputs: tuple[Tensor]) -> None:
            assert isinstance(unit, Affinity | DualAttention)
            for image in torch.split(inputs[0], 1):  # one by one: attention without pooled keys is large
                for per_block, weights in zip(found.values(), unit.attention(image), strict=True):
                    if weights is not None:
                        per_block[block].append(relative_entropy(weights))

        return hook

    with ExitStack() as hooks:
        for block, unit in enumerate(_attending(network)):
            hooks.callback(unit.register_forward_pre_hook(measure(block)).remove)
        look()
    return {
        name: [math.fsum(values) / len(values) for _, values in sorted(per_block.items())]
        for name, per_block in found.items()
        if per_block
    }


def relative_entropy(weights: Tensor) -> float:
    """The mean entropy of rows (..., m) that sum to 1, over that of a uniform row."""
    keys = weights.shape[-1]
    if keys == 1:
        return 1.0
    return float(torch.special.entr(weights).sum(-1).mean()) / math.log(keys)


def has_scales(network: nn.Module) -> bool:
    """Whether there is anything for `scales_zeroed` to zero."""
    return bool(_scales(network))


@contextmanager
def scales_zeroed(network: nn.Module) -> Iterator[None]:
    """Nothing; inside, every scale of the network is zero, and afterwards each is what it was, to the bit."""
    scales = _scales(network)
    kept = [scale.detach().clone() for scale in scales]
    try:
        with torch.no_grad():
            for scale in scales:
                scale.zero_()
        yield
    finally:
        with torch.no_grad():
            for scale, value in zip(scales, kept, strict=True):
                scale.copy_(value)


def _scales(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in network.named_parameters() if name.rpartition(".")[2] in SCALES]


def _attending(network: nn.Module) -> list[Affinity | DualAttention]:
    return [module for module in network.modules() if isinstance(module, Affinity | DualAttention)]

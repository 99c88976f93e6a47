"""What a network costs: learnable parameters, and multiplications with addition for one clip."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def cost_of(build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> dict[str, int]:
    """`parameters`, and `macs` for one input of that shape (c, h, w): of convolutions, linear layers, matrix products.

    The products of an attention with itself and with the maps are among them; what is done element by element is not.
    Counted on shapes alone: nothing is computed.
    """
    with torch.device("meta"):
        network = build().eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network(torch.empty(1, *shape))
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return {"parameters": parameters, "macs": counter.get_total_flops() // 2}

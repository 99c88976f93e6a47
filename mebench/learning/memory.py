"""How many folds fit into memory at once: an estimate, on the safe side.

Per fold stand in memory, with P the bytes of the weights:

    P x (2 + moments)           weights, gradients, and one moment for SGD or two for Adam
    batch x A x 3               what the layers put out for one image (A bytes, found by a forward pass of two images),
                                kept for the backward pass, and as much again for its gradient and for a workspace

The images are shared by all folds and counted once. Weights kept per epoch lie in the memory of the machine and are not
counted. A third of what is free stays so.
"""

import os
from typing import Any

import torch
from torch import Tensor, nn

from mebench.learning.settings import Settings

SHARE = 2 / 3
"""Of the free memory that is used: allocators round up, and cuDNN takes workspaces of its own."""


def fold_bytes(network: nn.Module, image: Tensor, settings: Settings) -> int:
    """Bytes that one fold takes: `image` (1, c, h, w) is of the shape and layout that the network is given."""
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    moments = 2 if settings.optimiser == "adam" else 1
    return weights * (2 + moments) + 3 * settings.batch_size * (_output_bytes(network, image) + _bytes(image))


def folds_in(free: int, network: nn.Module, image: Tensor, images: int, settings: Settings) -> int:
    """How many folds fit into `free` bytes beside so many shared images, at least one."""
    rest = SHARE * free - images * _bytes(image)
    return max(1, int(rest // fold_bytes(network, image, settings)))


def free_bytes(device: torch.device) -> int:
    """Free memory of the device; of the CPU what the machine has free."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _output_bytes(network: nn.Module, image: Tensor) -> int:
    """Bytes that the innermost layers put out for one image."""
    found = [0]

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found[0] += _bytes(output) // len(output)

    hooks = [m.register_forward_hook(count) for m in network.modules() if not any(True for _ in m.children())]
    before = network.training
    with torch.no_grad():
        network.eval()(image.expand(2, -1, -1, -1))
    network.train(before)
    for hook in hooks:
        hook.remove()
    return found[0]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


__all__ = ["fold_bytes", "folds_in", "free_bytes"]

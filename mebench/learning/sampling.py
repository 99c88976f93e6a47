"""Which training images make up the batches of one epoch."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

Balance: TypeAlias = Literal["oversample", "weight", "none"]


def batches(codes: Tensor, size: int, balance: Balance, generator: torch.Generator) -> list[Tensor]:
    """Index tensors of one epoch in random order, none larger than `size` and none smaller than the rest by over one.

    With `oversample` every class is drawn as often as the largest: each image floor(largest / own) times, the remainder
    without replacement. Batches of equal size leave no last batch of one image, on which batch statistics mean nothing.
    """
    order = _oversampled(codes, generator) if balance == "oversample" else torch.arange(len(codes))
    order = order[torch.randperm(len(order), generator=generator)]
    return list(torch.tensor_split(order, -(-len(order) // size)))


def batch_count(codes: Tensor, size: int, balance: Balance) -> int:
    """How many batches `batches` makes."""
    counts = torch.bincount(codes)
    images = int(counts.max()) * int((counts > 0).sum()) if balance == "oversample" else len(codes)
    return -(-images // size)


def class_weights(codes: Tensor, classes: int) -> Tensor:
    """Loss weights (classes,) float32, n / (k n_c): each class counts alike in sum; a class without images gets 0."""
    counts = torch.bincount(codes, minlength=classes).float()
    present = (counts > 0).sum()
    return torch.where(counts > 0, len(codes) / (present * counts.clamp(min=1)), torch.zeros(()))


def _oversampled(codes: Tensor, generator: torch.Generator) -> Tensor:
    members = [torch.nonzero(codes == code).flatten() for code in torch.unique(codes)]
    largest = max(len(m) for m in members)
    drawn: list[Tensor] = []
    for own in members:
        copies, rest = divmod(largest, len(own))
        drawn += [own.repeat(copies), own[torch.randperm(len(own), generator=generator)[:rest]]]
    return torch.cat(drawn)

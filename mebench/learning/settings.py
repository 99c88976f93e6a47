"""How a network is trained: rates, schedule, sampling, augmentation, precision."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from mebench.learning.augmentation import Augmentation
from mebench.learning.sampling import Balance

Weights: TypeAlias = dict[str, Tensor]
Schedule: TypeAlias = Literal["cosine", "step", "constant"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float64"]

MOMENTUM = 0.9
"""Of stochastic gradient descent."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters whose name matches `pattern` (re.search) learn at `lr` with `weight_decay`."""

    pattern: str
    lr: float
    weight_decay: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is trained.

    A parameter takes the first of `groups` that matches its name, otherwise `lr` and `weight_decay`. `cosine` lets the
    rate fall to zero over the run, `step` multiplies it by .1 at one half and at three quarters of the epochs; over the
    first `warm_up` epochs it rises linearly to where the schedule has it.
    `refresh_statistics` ends training by measuring the batch-norm statistics anew, with the final weights, over the
    training images as they are: a short training leaves running averages that belong to earlier weights.
    `threads` None keeps torch's count.
    `precision` bfloat16 is autocast in training, predictions staying in float32; float64 is for comparisons. `auto` is
    float32: on a processor without bfloat16 instructions bfloat16 was measured to be slower, and no processor with them
    was at hand. `channels_last` is the layout in memory.
    """

    epochs: int
    batch_size: int = 32
    optimiser: Literal["sgd", "adam"] = "sgd"
    lr: float = 1e-2
    weight_decay: float = 5e-4
    groups: tuple[Group, ...] = ()
    schedule: Schedule = "cosine"
    balance: Balance = "oversample"
    augmentation: Augmentation = field(default_factory=Augmentation)
    refresh_statistics: bool = False
    keep_stages: bool = False
    device: str = "auto"
    threads: int | None = None
    warm_up: float = 0.0
    precision: Precision = "auto"
    channels_last: bool = True

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights and images."""
        return torch.float64 if self.precision == "float64" else torch.float32

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout of weights and images."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def rate_factor(self, epoch: int, step: int, steps: int) -> float:
        """What learning rates are multiplied by in step `step` of `steps` of an epoch, all from 0."""
        factor = scheduled(self.schedule, (epoch + step / steps) / self.epochs)
        if self.warm_up > 0:
            factor *= min(1.0, (epoch + (step + 1) / steps) / self.warm_up)  # never 0: a step at rate 0 is lost
        return factor

    def prepared(self, images: Tensor) -> Tensor:
        """Images (n, c, h, w) of any type as the network takes them."""
        return images.to(self.dtype).contiguous(memory_format=self.memory_format)

    @contextmanager
    def computing(self, device: torch.device) -> Iterator[None]:
        """Nothing; inside, what a forward pass computes has the precision that was asked for."""
        if self.precision != "bfloat16":
            yield
            return
        with torch.autocast(device.type, torch.bfloat16):
            yield


@dataclass(frozen=True, slots=True)
class History:
    """Mean training loss per epoch and, where kept, the weights at the end of each epoch (on the CPU)."""

    loss: tuple[float, ...]
    stages: tuple[Weights, ...] = ()


def scheduled(schedule: Schedule, progress: float) -> float:
    """What the learning rates are multiplied by when a fraction `progress` of the run is done."""
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    if schedule == "step":
        return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01
    return 1.0


def in_memory(X: NDArray[Any], device: torch.device, dtype: torch.dtype) -> Tensor:
    """The images on the device; uint8 stays uint8, a quarter of the space, until a batch is drawn."""
    return torch.tensor(X, device=device) if X.dtype.name == "uint8" else torch.tensor(X, dtype=dtype, device=device)


__all__ = ["MOMENTUM", "Group", "History", "Precision", "Schedule", "Settings", "Weights", "in_memory", "scheduled"]

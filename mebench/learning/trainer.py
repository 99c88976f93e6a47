"""The torch trainer that every network shares: a fixed number of epochs, the final weights, the same bits for a seed.

Nothing here looks at a held-out image: there is no validation set, no early stop and no choice of an epoch.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mebench.learning.augmentation import Augmentation, augment
from mebench.learning.reproducible import pick_device, reproducible
from mebench.learning.sampling import Balance, batches, class_weights

EVALUATION_BATCH = 64
"""Images scored at once: bounds memory; large enough that the cost per image no longer falls."""

Weights: TypeAlias = dict[str, Tensor]


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
    rate fall to zero over the run, `step` multiplies it by .1 at one half and at three quarters of the epochs.
    `refresh_statistics` ends training by measuring the batch-norm statistics anew, with the final weights, over the
    training images as they are: a short training leaves running averages that belong to earlier weights.
    `threads` None keeps torch's count.
    """

    epochs: int
    batch_size: int = 32
    optimiser: Literal["sgd", "adam"] = "sgd"
    lr: float = 1e-2
    weight_decay: float = 5e-4
    groups: tuple[Group, ...] = ()
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    balance: Balance = "oversample"
    augmentation: Augmentation = field(default_factory=Augmentation)
    refresh_statistics: bool = False
    keep_stages: bool = False
    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Mean training loss per epoch and, where kept, the weights at the end of each epoch (on the CPU)."""

    loss: tuple[float, ...]
    stages: tuple[Weights, ...] = ()


def train(network: nn.Module, X: NDArray[Any], y: NDArray[np.int64], settings: Settings, seed: int) -> History:
    """The history of training `network` in place on X (n, c, h, w) uint8 or float with class codes y (n,).

    The network ends on the device it was trained on, in evaluation mode, with the weights of the last epoch. Order,
    augmentation and dropout depend on `seed` alone, and global random state is untouched.
    """
    device = pick_device(settings.device)
    with reproducible(seed, device, settings.threads):
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        run = _Run(network, _tensor(X, device), torch.tensor(y, dtype=torch.int64), settings, seed)
        losses, stages = [], []
        for epoch in range(settings.epochs):
            losses.append(run.epoch(epoch))
            if settings.keep_stages or (settings.refresh_statistics and epoch == settings.epochs - 1):
                run.finish()
            if settings.keep_stages:
                stages.append({name: value.detach().cpu().clone() for name, value in network.state_dict().items()})
        network.eval()
    return History(tuple(losses), tuple(stages))


def logits(
    network: nn.Module, X: NDArray[Any], device: str = "auto", threads: int | None = None
) -> NDArray[np.float64]:
    """The network's outputs (n, classes) for X (n, c, h, w), in evaluation mode; the network stays where it was."""
    home, target = next(network.parameters()).device, pick_device(device)
    with reproducible(0, target, threads), torch.inference_mode():
        network.eval().to(target)
        parts = [
            network(_prepared(_tensor(X[start : start + EVALUATION_BATCH], target))).double().cpu()
            for start in range(0, len(X), EVALUATION_BATCH)
        ]
        network.to(home)
    return torch.cat(parts).numpy()


class _Run:
    """One training: the data, the optimiser and the generators that advance together."""

    def __init__(self, network: nn.Module, images: Tensor, codes: Tensor, settings: Settings, seed: int) -> None:
        self.network, self.images, self.codes, self.settings = network, images, codes, settings
        self.optimiser = _optimiser(network, settings)
        self.base_rates = [group["lr"] for group in self.optimiser.param_groups]
        sampling, augmenting = np.random.SeedSequence(seed).generate_state(2)
        self.sampling = torch.Generator().manual_seed(int(sampling))
        self.augmenting = torch.Generator().manual_seed(int(augmenting))
        self.targets = codes.to(images.device)

    def epoch(self, number: int) -> float:
        """The mean loss over one pass."""
        self.network.train()
        order = batches(self.codes, self.settings.batch_size, self.settings.balance, self.sampling)
        total = torch.zeros((), device=self.images.device)
        for step, indices in enumerate(order):
            self._set_rates((number + step / len(order)) / self.settings.epochs)
            total += self._step(indices.to(self.images.device)) * len(indices)
        return float(total) / sum(map(len, order))

    def _step(self, indices: Tensor) -> Tensor:
        images = augment(_prepared(self.images[indices]), self.settings.augmentation, self.augmenting)
        outputs = self.network(images)
        loss = functional.cross_entropy(outputs, self.targets[indices], weight=self._weights(outputs.shape[1]))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        return loss.detach()

    def _weights(self, classes: int) -> Tensor | None:
        if self.settings.balance != "weight":
            return None
        return class_weights(self.codes, classes).to(self.images.device)

    def _set_rates(self, progress: float) -> None:
        for group, base in zip(self.optimiser.param_groups, self.base_rates, strict=True):
            group["lr"] = base * _rate_factor(self.settings.schedule, progress)

    def finish(self) -> None:
        """Measure the batch-norm statistics anew, where asked for."""
        if self.settings.refresh_statistics:
            refresh_statistics(self.network, (_prepared(part) for part in torch.split(self.images, EVALUATION_BATCH)))


def refresh_statistics(network: nn.Module, parts: Iterable[Tensor]) -> None:
    """Nothing; every batch norm's running mean and variance become the average over `parts` at the present weights."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average instead of an exponential one
        norm.train()
    with torch.no_grad():
        for part in parts:
            network(part)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


def _optimiser(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    default = Group("", settings.lr, settings.weight_decay)
    members: dict[Group, list[nn.Parameter]] = {group: [] for group in (*settings.groups, default)}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            members[next(group for group in members if re.search(group.pattern, name))].append(parameter)
    groups = [
        {"params": parameters, "lr": group.lr, "weight_decay": group.weight_decay}
        for group, parameters in members.items()
        if parameters
    ]
    return (
        torch.optim.Adam(groups)
        if settings.optimiser == "adam"
        else torch.optim.SGD(groups, lr=settings.lr, momentum=0.9)
    )


def _rate_factor(schedule: str, progress: float) -> float:
    """What the learning rates are multiplied by when a fraction `progress` of the run is done."""
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    if schedule == "step":
        return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01
    return 1.0


def _tensor(X: NDArray[Any], device: torch.device) -> Tensor:
    """The images in memory on the device; uint8 stays uint8, a quarter of the space, until a batch is drawn."""
    return torch.tensor(X if X.dtype == np.uint8 else X.astype(np.float32), device=device)


def _prepared(images: Tensor) -> Tensor:
    return images.float().contiguous(memory_format=torch.channels_last)

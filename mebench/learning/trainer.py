"""The torch trainer that every network shares: a fixed number of epochs, the final weights, the same bits for a seed.

Nothing here looks at a held-out image: there is no validation set, no early stop and no choice of an epoch. All images
lie in memory where the network is: corpora of this field take some megabytes, and no worker process loads them.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mebench import checkpoints
from mebench.learning.augmentation import augment
from mebench.learning.kept import packed, training_key, unpacked
from mebench.learning.reproducible import pick_device, reproducible
from mebench.learning.sampling import batches, class_weights
from mebench.learning.settings import MOMENTUM, Group, History, Settings, Weights, in_memory

EVALUATION_BATCH = 64
"""Images scored at once: bounds memory; large enough that the cost per image no longer falls."""


def train(network: nn.Module, X: NDArray[Any], y: NDArray[np.int64], settings: Settings, seed: int) -> History:
    """The history of training `network` in place on X (n, c, h, w) uint8 or float with class codes y (n,).

    The network ends on the device it was trained on, in evaluation mode, with the weights of the last epoch. Order,
    augmentation and dropout depend on `seed` alone, and global random state is untouched. Where states are kept
    (`checkpoints`), a training that was killed goes on after the last epoch saved, to the same bits.
    """
    device = pick_device(settings.device)
    with reproducible(seed, device, settings.threads):
        placed(network, settings, device)
        slot = checkpoints.next_slot(lambda: training_key([network], X, [y], settings, [seed]))
        run = _Run(network, in_memory(X, device, settings.dtype), torch.tensor(y, dtype=torch.int64), settings, seed)
        saved = slot.load() if slot else None
        if saved is not None:
            run.restore(unpacked(saved, device))
        while run.done < settings.epochs:
            run.epoch()
            if slot and slot.due:
                slot.save(packed(run.state()))
        network.eval()
    return History(tuple(run.losses), tuple(run.stages))


def logits(
    network: nn.Module, X: NDArray[Any], device: str = "auto", threads: int | None = None
) -> NDArray[np.float64]:
    """The network's outputs (n, classes) for X (n, c, h, w), in evaluation mode; the network stays where it was."""
    first = next(network.parameters())
    home, target = first.device, pick_device(device)
    with reproducible(0, target, threads), torch.inference_mode():
        network.eval().to(target)
        parts = [
            network(
                in_memory(X[start : start + EVALUATION_BATCH], target, first.dtype)
                .to(first.dtype)
                .contiguous(memory_format=torch.channels_last)
            )
            .double()
            .cpu()
            for start in range(0, len(X), EVALUATION_BATCH)
        ]
        network.to(home)
    return torch.cat(parts).numpy()


def placed(network: nn.Module, settings: Settings, device: torch.device) -> nn.Module:
    """The network on the device, its weights of the type and in the layout asked for."""
    moved: nn.Module = network.to(device, settings.dtype, memory_format=settings.memory_format)  # type: ignore[call-overload]
    return moved


class _Run:
    """One training: the data, the optimiser and the generators that advance together."""

    def __init__(self, network: nn.Module, images: Tensor, codes: Tensor, settings: Settings, seed: int) -> None:
        self.network, self.images, self.codes, self.settings = network, images, codes, settings
        self.optimiser = _optimiser(network, settings)
        self.base_rates = [group["lr"] for group in self.optimiser.param_groups]
        self.sampling, self.augmenting = generators(seed)
        self.targets = codes.to(images.device)
        self.losses: list[float] = []
        self.stages: list[Weights] = []

    @property
    def done(self) -> int:
        """How many epochs are over."""
        return len(self.losses)

    def epoch(self) -> None:
        """One pass over the training images."""
        self.network.train()
        order = batches(self.codes, self.settings.batch_size, self.settings.balance, self.sampling)
        total = torch.zeros((), device=self.images.device, dtype=self.settings.dtype)
        for step, indices in enumerate(order):
            self._set_rates(self.settings.rate_factor(self.done, step, len(order)))
            total += self._step(indices.to(self.images.device)) * len(indices)
        self.losses.append(float(total) / sum(map(len, order)))
        if self.settings.keep_stages or self.done == self.settings.epochs:
            self._finish()
        if self.settings.keep_stages:
            self.stages.append({n: value.detach().cpu().clone() for n, value in self.network.state_dict().items()})

    def state(self) -> dict[str, Any]:
        """All that the epochs to come depend on."""
        cuda = self.images.is_cuda
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generators": [self.sampling.get_state(), self.augmenting.get_state(), torch.get_rng_state()],
            "cuda": torch.cuda.get_rng_state() if cuda else None,
            "losses": self.losses,
            "stages": self.stages,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        sampling, augmenting, overall = (value.cpu() for value in state["generators"])
        self.sampling.set_state(sampling)
        self.augmenting.set_state(augmenting)
        torch.set_rng_state(overall)
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"].cpu())
        self.losses, self.stages = list(state["losses"]), [_on_cpu(stage) for stage in state["stages"]]

    def _step(self, indices: Tensor) -> Tensor:
        images = augment(self.settings.prepared(self.images[indices]), self.settings.augmentation, self.augmenting)
        with self.settings.computing(self.images.device):
            outputs = self.network(images)
        outputs = outputs.to(self.settings.dtype)
        loss = functional.cross_entropy(outputs, self.targets[indices], weight=self._weights(outputs.shape[1]))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        return loss.detach()

    def _weights(self, classes: int) -> Tensor | None:
        if self.settings.balance != "weight":
            return None
        return class_weights(self.codes, classes).to(self.images.device, self.settings.dtype)

    def _set_rates(self, factor: float) -> None:
        for group, base in zip(self.optimiser.param_groups, self.base_rates, strict=True):
            group["lr"] = base * factor

    def _finish(self) -> None:
        """Measure the batch-norm statistics anew, where asked for."""
        if self.settings.refresh_statistics:
            parts = torch.split(self.images, EVALUATION_BATCH)
            refresh_statistics(self.network, map(self.settings.prepared, parts))


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


def generators(seed: int) -> tuple[torch.Generator, torch.Generator]:
    """The generators of the order of the images and of their augmentation, both on the CPU."""
    sampling, augmenting = np.random.SeedSequence(seed).generate_state(2)
    return torch.Generator().manual_seed(int(sampling)), torch.Generator().manual_seed(int(augmenting))


def group_of(name: str, settings: Settings) -> Group:
    """The group of a parameter: the first whose pattern its name matches."""
    default = Group("", settings.lr, settings.weight_decay)
    return next(group for group in (*settings.groups, default) if re.search(group.pattern, name))


def _optimiser(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    default = Group("", settings.lr, settings.weight_decay)
    members: dict[Group, list[nn.Parameter]] = {group: [] for group in (*settings.groups, default)}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            members[group_of(name, settings)].append(parameter)
    groups = [
        {"params": parameters, "lr": group.lr, "weight_decay": group.weight_decay}
        for group, parameters in members.items()
        if parameters
    ]
    return (
        torch.optim.Adam(groups)
        if settings.optimiser == "adam"
        else torch.optim.SGD(groups, lr=settings.lr, momentum=MOMENTUM)
    )


def _on_cpu(weights: Weights) -> Weights:
    return {name: value.cpu() for name, value in weights.items()}

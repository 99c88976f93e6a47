"""Several networks of one architecture as one: weights stacked along a first axis, a forward pass over all at once.

`torch.vmap` turns the layers of any network into batched ones (a convolution over F folds becomes one convolution in F
groups, a linear layer one batched product), so that a network need not be written for it. Two kinds of layers cannot
simply be mapped and are replaced in the copy that is mapped. Batch norm: folds have batches of different lengths,
which are padded, and padding must not enter the statistics. Dropout: every fold must drop what it would have dropped
alone, so the draws come from outside, each fold's from its own generator. Any other layer that draws at random is
refused.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from mebench.errors import ModelError
from mebench.learning.settings import Weights

_FEATURE_DROPOUT = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass(slots=True)
class _Step:
    """What the replaced layers read during one forward pass of one fold.

    `valid` (b,) is 1 for images and 0 for padding, None where nothing is padded; `noise` the dropout factors in the
    order of the calls; `draws` collects what a dry run finds.
    """

    valid: Tensor | None = None
    noise: Iterator[Tensor] | None = None
    draws: "list[Draw] | None" = None


@dataclass(frozen=True, slots=True)
class Draw:
    """One call of a dropout layer: its probability, the shape of what it draws per image, and the layout."""

    p: float
    shape: tuple[int, ...]
    memory_format: torch.memory_format

    def factors(self, lengths: Sequence[int], generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
        """What inputs are multiplied by (folds, longest, *shape), each fold's as torch draws for it alone."""
        found = torch.zeros((len(lengths), max(lengths), *self.shape), dtype=like.dtype, device=like.device)
        for row, length, generator in zip(found, lengths, generators, strict=True):
            noise = torch.empty(
                (length, *self.shape), dtype=like.dtype, device=like.device, memory_format=self.memory_format
            )
            row[:length] = noise.bernoulli_(1 - self.p, generator=generator).div_(1 - self.p) if self.p < 1 else 0
        return found


class _FoldBatchNorm(nn.Module):
    """A batch norm that leaves padding out of its statistics; parameters and buffers are those of the original."""

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, step: _Step) -> None:
        super().__init__()
        for name, parameter in norm.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in norm.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        self.eps, self.momentum, self.tracked = norm.eps, norm.momentum, norm.track_running_stats
        self._step = step

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self._parameters.get("weight"), self._parameters.get("bias")
        if not self.training and self.tracked:
            mean, variance = self._buffers["running_mean"], self._buffers["running_var"]
            return functional.batch_norm(x, mean, variance, weight, bias, training=False, eps=self.eps)
        places = [d for d in range(x.dim()) if d != 1]
        shape = [-1 if d == 1 else 1 for d in range(x.dim())]
        per_image = x.numel() // (x.shape[0] * x.shape[1])
        valid = self._step.valid
        if valid is None:
            count: Tensor | float = float(x.shape[0] * per_image)
            mean = x.mean(places)
            centred = x - mean.view(shape)
            variance = centred.square().mean(places)
        else:
            mask = valid.view(-1, *([1] * (x.dim() - 1)))
            count = valid.sum() * per_image
            mean = (x * mask).sum(places) / count
            centred = x - mean.view(shape)
            variance = (centred.square() * mask).sum(places) / count
        if self.training and self.tracked:
            self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        found = centred * (variance + self.eps).rsqrt().view(shape)
        if weight is not None:
            found = found * weight.view(shape)
        return found if bias is None else found + bias.view(shape)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the running statistics in place, as the original does."""
        with torch.no_grad():
            self._buffers["num_batches_tracked"].add_(1)  # type: ignore[union-attr]
            for name, new in (("running_mean", mean), ("running_var", variance)):
                running = self._buffers[name]
                assert running is not None
                share = self.momentum or 1.0 / self._buffers["num_batches_tracked"].to(running.dtype)  # type: ignore[union-attr]
                running.mul_(1 - share).add_(share * new)


class _FoldDropout(nn.Module):
    """A dropout layer whose draws come from outside."""

    def __init__(self, dropout: Any, step: _Step) -> None:
        super().__init__()
        self.p, self._step = float(dropout.p), step
        self.feature = isinstance(dropout, _FEATURE_DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self._step.draws is not None:
            shape = (x.shape[1], *([1] * (x.dim() - 2))) if self.feature else tuple(x.shape[1:])
            last = x.dim() == 4 and not self.feature and not x.is_contiguous()
            self._step.draws.append(Draw(self.p, shape, torch.channels_last if last else torch.contiguous_format))
            return x
        assert self._step.noise is not None
        return x * next(self._step.noise)


class Stack:
    """F networks of one architecture, on one device, trained together.

    `parameters` and `buffers` hold by name what the networks hold, stacked (F, ...); parameters are leaves that collect
    gradients. The networks themselves are left as they are until `unload`. Raises ModelError for networks that differ
    in shape and for layers that draw at random and are no dropout.
    """

    def __init__(self, networks: Sequence[nn.Module], image: Tensor) -> None:
        self.networks = tuple(networks)
        self._step = _Step()
        self._template = _replaced(copy.deepcopy(self.networks[0]), self._step).train()
        self.parameters = {
            name: nn.Parameter(stacked.contiguous(), requires_grad=first.requires_grad)
            for name, first, stacked in _stacked([dict(n.named_parameters()) for n in self.networks])
        }
        self.buffers = {name: both for name, _, both in _stacked([dict(n.named_buffers()) for n in self.networks])}
        self.draws = self._dry_run(image)

    def forward(self, images: Tensor, valid: Tensor | None, noise: Sequence[Tensor]) -> Tensor:
        """Outputs (f, b, classes) of the first f networks for their images (f, b, c, h, w), in training mode.

        `valid` (f, b) is 1 for images and 0 for padding, None without padding; `noise` holds per draw the factors
        (f, b, ...). Running statistics move on.
        """
        count = len(images)
        parameters = {name: value[:count] for name, value in self.parameters.items()}
        buffers = {name: value[:count] for name, value in self.buffers.items()}
        try:
            mapped = torch.vmap(self._one, in_dims=(0, 0, 0, None if valid is None else 0, 0), randomness="error")
            outputs: Tensor = mapped(parameters, buffers, images, valid, tuple(noise))
        except RuntimeError as fault:
            if "out of memory" in str(fault):
                raise ModelError(
                    f"{count} folds at once take more memory than there is.", "Lower --folds-at-once."
                ) from fault
            raise ModelError(
                f"This network cannot be trained on many folds at once: {str(fault).splitlines()[0]}",
                "Give --folds-at-once 1.",
            ) from fault
        return outputs

    def load(self, fold: int) -> nn.Module:
        """The network of one fold with its weights of now."""
        network = self.networks[fold]
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(self.parameters[name][fold])
            for name, buffer in network.named_buffers():
                buffer.copy_(self.buffers[name][fold])
        return network

    def store_buffers(self, fold: int) -> None:
        """Takes over the buffers of the network of one fold."""
        for name, buffer in self.networks[fold].named_buffers():
            self.buffers[name][fold] = buffer

    def state(self) -> dict[str, Weights]:
        """Weights and buffers of all folds."""
        return {"parameters": {n: p.detach() for n, p in self.parameters.items()}, "buffers": self.buffers}

    def restore(self, state: dict[str, Weights]) -> None:
        """Goes back to a state."""
        with torch.no_grad():
            for name, value in state["parameters"].items():
                self.parameters[name].copy_(value)
            for name, value in state["buffers"].items():
                self.buffers[name].copy_(value)

    def _one(
        self, parameters: Weights, buffers: Weights, images: Tensor, valid: Tensor | None, noise: tuple[Tensor, ...]
    ) -> Tensor:
        self._step.valid, self._step.noise = valid, iter(noise)
        outputs: Tensor = functional_call(self._template, (parameters, buffers), (images,))
        return outputs

    def _dry_run(self, image: Tensor) -> tuple[Draw, ...]:
        """The draws of a forward pass, in the order of the calls, from two blank images of the shape and layout."""
        step = _Step(draws=[])
        probe = _replaced(copy.deepcopy(self.networks[0]), step).train()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            probe(torch.zeros_like(image))
        assert step.draws is not None
        return tuple(step.draws)


def _replaced(network: nn.Module, step: _Step) -> nn.Module:
    """The network with every batch norm and dropout replaced by one that reads the step."""
    for name, child in network.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            setattr(network, name, _FoldBatchNorm(child, step))
        elif isinstance(child, (nn.Dropout, *_FEATURE_DROPOUT)):
            setattr(network, name, _FoldDropout(child, step))
        else:
            _replaced(child, step)
    return network


def _stacked(each: Sequence[Weights]) -> Iterable[tuple[str, Tensor, Tensor]]:
    """Per name the first network's tensor and all of them stacked."""
    for name, first in each[0].items():
        shapes = {tuple(one[name].shape) if name in one else None for one in each}
        if len(shapes) > 1:
            raise ModelError(f"The networks of these folds differ in the shape of {name}.", "Give --folds-at-once 1.")
        yield name, first, torch.stack([one[name].detach() for one in each])


__all__ = ["Draw", "Stack"]

"""Steps of stacked weights: the rules of torch's SGD and Adam, with a learning rate per fold.

Torch's own optimisers know one rate per group of parameters; folds have epochs of different lengths, and a schedule
has each at a rate of its own.
"""

from typing import Any

import torch
from torch import Tensor, nn

from mebench.learning.settings import MOMENTUM, Settings
from mebench.learning.trainer import group_of

_BETAS, _EPSILON = (0.9, 0.999), 1e-8
"""Torch's defaults, which `train` uses."""


class Steps:
    """The optimiser of stacked parameters (F, ...); all folds have made equally many steps as long as they go on."""

    def __init__(self, parameters: dict[str, nn.Parameter], settings: Settings) -> None:
        self._parameters = {name: value for name, value in parameters.items() if value.requires_grad}
        self._groups = {name: group_of(name, settings) for name in self._parameters}
        self._adam = settings.optimiser == "adam"
        self._moments: dict[str, list[Tensor]] = {}
        self._made = 0

    def zero_grad(self) -> None:
        """Gradients are gone."""
        for parameter in self._parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def step(self, factors: Tensor) -> None:
        """One step of the first f folds, whose rates are multiplied by the factors (f,)."""
        self._made += 1
        count = len(factors)
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            weights, group = parameter[:count], self._groups[name]
            gradient = parameter.grad[:count].add(weights, alpha=group.weight_decay)
            rates = (group.lr * factors).to(weights.dtype).view(-1, *([1] * (weights.dim() - 1)))
            moments = [moment[:count] for moment in self._moments_of(name, parameter)]
            weights.sub_(rates * (self._adam_step(gradient, moments) if self._adam else _momentum(gradient, moments)))

    def state(self) -> dict[str, Any]:
        """All that steps to come depend on."""
        return {"moments": self._moments, "made": self._made}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        self._moments, self._made = dict(state["moments"]), int(state["made"])

    def _moments_of(self, name: str, parameter: Tensor) -> list[Tensor]:
        if name not in self._moments:
            self._moments[name] = [torch.zeros_like(parameter) for _ in range(2 if self._adam else 1)]
        return self._moments[name]

    def _adam_step(self, gradient: Tensor, moments: list[Tensor]) -> Tensor:
        first, second = moments
        first.lerp_(gradient, 1 - _BETAS[0])
        second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        scale = 1 - _BETAS[0] ** self._made
        return first / scale / ((second / (1 - _BETAS[1] ** self._made)).sqrt() + _EPSILON)


def _momentum(gradient: Tensor, moments: list[Tensor]) -> Tensor:
    """The velocity, moved on; from zero, as in torch, where the first step is the gradient itself."""
    return moments[0].mul_(MOMENTUM).add_(gradient)


__all__ = ["Steps"]

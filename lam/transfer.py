"""The chain of trainings that LAM may stand at the end of: ImageNet, posed expressions, target.

The paper cites ImageNet, CK+ and JAFFE one after the other and states transfer from facial expressions; order and rates
are our reading. Every link may be left out, and what was left out is recorded with the result.

Public ResNet weights bear the very names of the parameters here (`conv1.weight`, `layer1.0.bn1.running_mean`, ...), so
that the map is the identity. What does not come along: `fc.*`, because its classes are others, and what a file does not
have because the network it is of lacks it, the readings (`layer1.0.reading.*`) and counters of batches
(`*.num_batches_tracked`, absent from files older than 2018).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mebench import ModelError, UnknownName, load_weights

RATE_SCRATCH, RATE_PRETRAINED = 1e-2, 1e-3
"""Of the convolutions; γ and the classifier learn at 1e-2 either way."""

HEAD = "fc."
STEM = ("conv1", "bn1")
STAGES = ("layer1", "layer2", "layer3", "layer4")
FREEZABLE = ("none", "stem", *STAGES)

_READING, _COUNTER = ".reading.", ".num_batches_tracked"


@dataclass(frozen=True)
class Start:
    """What of a file a network took: how many tensors, which were dropped, which of its own kept their first values."""

    taken: int
    dropped: tuple[str, ...]
    fresh: tuple[str, ...]

    @property
    def text(self) -> str:
        """The same in a sentence."""
        dropped = f"; {', '.join(self.dropped)} dropped, its classes are others" if self.dropped else ""
        readings = sum(_READING in name for name in self.fresh)
        fresh = f"; {readings} of the readings start anew" if readings else ""
        return f"{self.taken} tensors taken{dropped}{fresh}"


def start_from(network: nn.Module, path: str) -> Start:
    """What the network took of the file; its head keeps its first values whatever the file holds.

    Raises ModelError where the file lacks a tensor of the network, holds one the network has not, or one of another
    shape: then it is of another network, and half of it would be no start.
    """
    own, state = network.state_dict(), load_weights(path).state
    given = {name: value for name, value in state.items() if not name.startswith(HEAD)}
    dropped = tuple(name for name in state if name.startswith(HEAD))
    missing = [n for n in own if n not in given and not _may_miss(n)]
    strange = [n for n in given if n not in own]
    shaped = [n for n in given if n in own and given[n].shape != own[n].shape]
    if missing or strange or shaped:
        raise ModelError(f"{path} is of another network: {_first(own, given, missing, strange, shaped)}.", _REMEDY)
    with torch.no_grad():
        for name, value in given.items():
            own[name].copy_(value)
    return Start(len(given), dropped, tuple(n for n in own if n not in given and not n.endswith(_COUNTER)))


def frozen(network: nn.Module, until: str) -> nn.Module:
    """The network; its stem and stages up to and including `until` learn no more, batch statistics included."""
    if until not in FREEZABLE:
        raise UnknownName("part to freeze", until, FREEZABLE)
    if until == "none":
        return network
    parts = STEM if until == "stem" else (*STEM, *STAGES[: STAGES.index(until) + 1])
    for name, module in list(network.named_modules()):
        if name.partition(".")[0] in parts and isinstance(module, nn.BatchNorm2d):
            owner, _, child = name.rpartition(".")
            setattr(network.get_submodule(owner), child, FixedNorm(module))
    for name in parts:
        network.get_submodule(name).requires_grad_(False)
    return network


class FixedNorm(nn.Module):
    """A batch norm that keeps the statistics it came with: the target must not move those of a frozen part.

    No subclass of torch's: what a trainer does to batch norms, of many folds stacked or after the last epoch, passes it
    by. Its tensors bear the same names.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        for name, value in norm.named_buffers():
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


_REMEDY = (
    "Public files fit backbone=resnet18 or resnet34 at width=64; a file of mebench pretrain fits the backbone, width "
    "and reading it was made with (mebench show its digest)."
)


def _may_miss(name: str) -> bool:
    return name.startswith(HEAD) or _READING in name or name.endswith(_COUNTER)


def _first(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], missing: list[str], strange: list[str], shaped: list[str]
) -> str:
    """The first thing that does not fit, in words."""
    if missing:
        return f"it lacks {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
    if strange:
        return f"it holds {strange[0]}" + (f" and {len(strange) - 1} more" if len(strange) > 1 else "")
    name = shaped[0]
    return f"its {name} is {tuple(given[name].shape)}, not {tuple(own[name].shape)}"


__all__ = ["FREEZABLE", "RATE_PRETRAINED", "RATE_SCRATCH", "FixedNorm", "Start", "frozen", "start_from"]

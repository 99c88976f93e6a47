"""What every reading of a residual block is: a unit that joins the block's branches and rewrites their sum."""

from typing import NamedTuple

from torch import Tensor, nn


class Attention(NamedTuple):
    """Weights between maps (b, c, c) and from places to key cells (b, h·w, m); rows sum to 1; None where not read."""

    channel: Tensor | None
    spatial: Tensor | None


class Unit(nn.Module):
    """The plain residual block: branches are added, and the sum is left as it is. Readings override one or the other.

    A block computes `unit(relu(unit.join(shortcut, first, second)))`, `first` being its inner maps after the first
    convolution, batch norm and ReLU, `second` those after the second convolution and batch norm.
    """

    def join(self, shortcut: Tensor, first: Tensor, second: Tensor) -> Tensor:  # noqa: ARG002  readings may use it
        """The block's branches (b, c, h, w) in one."""
        return second + shortcut

    def forward(self, x: Tensor) -> Tensor:
        return x

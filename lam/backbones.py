"""Residual networks (He et al., CVPR 2016) with a unit after every block.

Names and shapes of the parameters are those under which ResNet-18 and ResNet-34 weights are published, so that such
weights load; what a unit adds stands beside them under `layerN.B.reading.`. A width other than 64 is ours, for small
machines.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from torch import Tensor, nn

from .channels import ImageInput
from .unit import Unit

BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
"""Residual blocks of each of the four stages."""

MakeUnit: TypeAlias = Callable[[int, int], Unit]
"""From the number of a stage, 0 to 3, and its number of maps to a unit for one of its blocks."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut, joined by the unit, then ReLU, then the unit's reading."""

    def __init__(self, channels_in: int, channels: int, stride: int, unit: Unit) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
            if channels_in != channels
            else None
        )
        self.reading = unit

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        first = self.relu(self.bn1(self.conv1(x)))
        second = self.bn2(self.conv2(first))
        out: Tensor = self.reading(self.relu(self.reading.join(shortcut, first, second)))
        return out


class ResNet(nn.Module):
    """Class scores (b, classes) from images (b, 1, h, w), pairs (b, 2, h, w) or three views (b, 3, h, w).

    Input layer, stem, four stages, mean over places, dropout, FC.

    `views` names the channels given. `width` is the number of maps of the first stage; each further stage doubles it
    and halves the side.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        classes: int,
        make_unit: MakeUnit,
        width: int = 64,
        dropout: float = 0.0,
        views: Sequence[str] = ("apex",),
    ) -> None:
        super().__init__()
        self.input = ImageInput(views)
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(width, width, blocks[0], partial(make_unit, 0))
        self.layer2 = _stage(width, 2 * width, blocks[1], partial(make_unit, 1))
        self.layer3 = _stage(2 * width, 4 * width, blocks[2], partial(make_unit, 2))
        self.layer4 = _stage(4 * width, 8 * width, blocks[3], partial(make_unit, 3))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(8 * width, classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.input(images)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        scores: Tensor = self.fc(self.dropout(x.mean((2, 3))))
        return scores


def _stage(channels_in: int, channels: int, blocks: int, make_unit: Callable[[int], Unit]) -> nn.Sequential:
    """Blocks in a row; a stage that widens halves the side in its first block."""
    first = BasicBlock(channels_in, channels, 1 if channels == channels_in else 2, make_unit(channels))
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1, make_unit(channels)) for _ in range(blocks - 1)))


def _initialise(network: nn.Module) -> None:
    """He initialisation of the convolutions, as in published training code of the ResNet family."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

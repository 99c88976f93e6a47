"""Residual networks (He et al., CVPR 2016) with a unit after every block.

Names and shapes of the parameters are those under which ResNet-18 weights are published, so that such weights load;
what a unit adds stands beside them under `layerN.B.reading.`. A width other than 64 is ours, for small machines.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}
"""Residual blocks of each of the four stages."""

MakeUnit: TypeAlias = Callable[[int], nn.Module]
"""From the number of a stage, 0 to 3, to a unit for one of its blocks."""


class ImageInput(nn.Module):
    """Three channels (b, 3, h, w), each of mean 0 and standard deviation 1, for a first convolution made for colour.

    One image (b, 1, h, w), grey levels of any range, stands in all three; of a pair (b, 2, h, w), onset and apex, the
    three are the onset, the apex, and the apex minus the onset. Standardised per image, because skin tone and light
    differ between subjects and say nothing about the expression.
    """

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] == 2:
            images = torch.cat([images, images[:, 1:] - images[:, :1]], dim=1)
        centred = images - images.mean((2, 3), keepdim=True)
        # One grey level is the floor: an image without contrast must not have its rounding errors blown up.
        scale = centred.square().mean((2, 3), keepdim=True).sqrt().clamp(min=1.0)
        return (centred / scale).expand(-1, 3, -1, -1)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, the shortcut, ReLU, then the unit."""

    def __init__(self, channels_in: int, channels: int, stride: int, unit: nn.Module) -> None:
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
        inner = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.reading(self.relu(inner + shortcut))
        return out


class ResNet(nn.Module):
    """Class scores (b, classes) from images (b, 1, h, w) or pairs (b, 2, h, w).

    Input layer, stem, four stages, mean over places, dropout, FC.

    `width` is the number of maps of the first stage; each further stage doubles it and halves the side.
    """

    def __init__(
        self,
        blocks: tuple[int, int, int, int],
        classes: int,
        make_unit: MakeUnit,
        width: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input = ImageInput()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(width, width, blocks[0], lambda: make_unit(0))
        self.layer2 = _stage(width, 2 * width, blocks[1], lambda: make_unit(1))
        self.layer3 = _stage(2 * width, 4 * width, blocks[2], lambda: make_unit(2))
        self.layer4 = _stage(4 * width, 8 * width, blocks[3], lambda: make_unit(3))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(8 * width, classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.input(images)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        scores: Tensor = self.fc(self.dropout(x.mean((2, 3))))
        return scores


def _stage(channels_in: int, channels: int, blocks: int, make_unit: Callable[[], nn.Module]) -> nn.Sequential:
    """Blocks in a row; a stage that widens halves the side in its first block."""
    first = BasicBlock(channels_in, channels, 1 if channels == channels_in else 2, make_unit())
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1, make_unit()) for _ in range(blocks - 1)))


def _initialise(network: nn.Module) -> None:
    """He initialisation of the convolutions, as in published training code of the ResNet family."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

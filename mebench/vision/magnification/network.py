"""The network of learning-based magnification (Oh et al., ECCV 2018, arXiv 1804.02684).

An encoder splits an image into texture, at a quarter of its resolution, and shape, at half; a manipulator moves shape
M_B on by M_B + h(k·g(M_B − M_A)); a decoder draws texture and moved shape. There is no bias and no normalisation:
everything but k is positively homogeneous.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

Convention = Literal["factor", "factor-1"]
Border = Literal["reflect", "zero"]
Calibration = tuple[tuple[float, float], ...]
"""Pairs of a total factor and what k is multiplied by at that factor, factors rising."""

_INITIAL_SIGMA = 0.02
"""Of the truncated normal that every kernel is drawn from (Oh et al., official code)."""


@dataclass(frozen=True, slots=True)
class Design:
    """The shape of a network.

    `colours` of an image, 1 or 3; `width` of shape and texture, 32 in the paper, where the decoder has twice as many
    channels and `blocks` of 9. `convention` says what k means: the factor, or what it adds. `border` is what
    convolutions see beyond their input; zeros cost a third less time, and want images with some reflection around them.
    """

    colours: int = 3
    width: int = 32
    blocks: int = 9
    convention: Convention = "factor"
    border: Border = "reflect"

    def multiplier(self, factor: float) -> float:
        """k of a total factor."""
        return factor if self.convention == "factor" else factor - 1


class Convolution(nn.Module):
    """A convolution without bias, (n, c, h, w) to (n, d, ⌈h/stride⌉, ⌈w/stride⌉)."""

    def __init__(self, channels: int, filters: int, border: Border, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(filters, channels, size, size))
        self.border, self.stride = border, stride
        nn.init.trunc_normal_(self.weight, std=_INITIAL_SIGMA, a=-2 * _INITIAL_SIGMA, b=2 * _INITIAL_SIGMA)

    def forward(self, images: Tensor) -> Tensor:
        """The filtered images."""
        px = self.weight.shape[-1] // 2
        if self.border == "zero":
            return functional.conv2d(images, self.weight, stride=self.stride, padding=px)
        return functional.conv2d(reflected(images, px), self.weight, stride=self.stride)


class Residual(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, channels: int, border: Border) -> None:
        super().__init__()
        self.first, self.second = (Convolution(channels, channels, border) for _ in range(2))

    def forward(self, values: Tensor) -> Tensor:
        """The values with what the block adds."""
        result: Tensor = values + self.second(functional.relu(self.first(values)))
        return result


class Encoder(nn.Module):
    """An image (n, colours, h, w) in −1..1 to texture (n, width, h/4, w/4) and shape (n, width, h/2, w/2)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        width, border = design.width, design.border
        self.stem = Convolution(design.colours, width // 2, border, 7)
        self.halving = Convolution(width // 2, width, border, stride=2)
        self.common = _residuals(width, 3, border)
        self.to_texture, self.texture = Convolution(width, width, border, stride=2), _residuals(width, 2, border)
        self.to_shape, self.shape = Convolution(width, width, border), _residuals(width, 2, border)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Texture and shape."""
        common = self.common(functional.relu(self.halving(functional.relu(self.stem(images)))))
        texture = self.texture(functional.relu(self.to_texture(common)))
        return texture, self.shape(functional.relu(self.to_shape(common)))


class Manipulator(nn.Module):
    """Shapes moved on: M_B + h(k·g(M_B − M_A)), h a convolution and a residual block."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        width, border = design.width, design.border
        self.g = Convolution(width, width, border)
        self.h = nn.Sequential(Convolution(width, width, border), Residual(width, border))

    def forward(self, start: Tensor, shape: Tensor, multiplier: Tensor) -> Tensor:
        """The shape as it would be, had it left `start` `multiplier` times as far; (n,) multipliers."""
        return self.moved(shape, shape - start, multiplier)

    def moved(self, shape: Tensor, change: Tensor, multiplier: Tensor) -> Tensor:
        """The shape moved on by a change that came from elsewhere, such as a temporal filter."""
        added: Tensor = self.h(multiplier.view(-1, 1, 1, 1) * functional.relu(self.g(change)))
        return shape + added


class Decoder(nn.Module):
    """Texture and shape to an image (n, colours, 2·h, 2·w) of shape's (h, w)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        width, border = design.width, design.border
        self.blocks = _residuals(2 * width, design.blocks, border)
        self.narrowing = Convolution(2 * width, width, border)
        self.drawing = Convolution(width, design.colours, border, 7)

    def forward(self, texture: Tensor, shape: Tensor) -> Tensor:
        """The image."""
        height, width = shape.shape[-2:]
        texture = _doubled(texture)[..., :height, :width]  # odd sides: a half of them, rounded up, is doubled
        drawn = _doubled(self.blocks(torch.cat([texture, shape], dim=1)))
        result: Tensor = self.drawing(functional.relu(self.narrowing(drawn)))
        return result


class Magnifier(nn.Module):
    """The whole network on images (n, colours, h, w) in −1..1."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        self.encoder, self.manipulator, self.decoder = Encoder(design), Manipulator(design), Decoder(design)
        self.calibration: Calibration = ()

    def multiplier(self, factor: float) -> float:
        """k for a total gain of `factor`: the design's, times the calibration, which is linear in log(factor) between
        its factors and constant beyond them."""
        if not self.calibration:
            return self.design.multiplier(factor)
        factors, shares = np.transpose(self.calibration)
        return self.design.multiplier(factor) * float(np.interp(np.log(factor), np.log(factors), shares))

    def forward(self, start: Tensor, images: Tensor, multiplier: Tensor) -> Tensor:
        """The images as they would be, had everything moved `multiplier` times as far from `start`; unclipped."""
        textures, shapes = self.encoder(torch.cat([start, images]))
        (before, after), texture = shapes.chunk(2), textures.chunk(2)[1]
        return self.drawn(texture, self.manipulator(before, after, multiplier), images.shape[-2:])

    def drawn(self, texture: Tensor, moved: Tensor, size: tuple[int, ...]) -> Tensor:
        """What is drawn of texture and moved shape, cropped to the size (h, w) of the images they come from."""
        picture: Tensor = self.decoder(texture, moved)
        return picture[..., : size[0], : size[1]]


def reflected(images: Tensor, px: int) -> Tensor:
    """The images with `px` more pixels on each side, edges not repeated.

    Cut and joined, not padded: torch's reflection has no backward pass on CUDA that gives the same bits twice.
    """
    for axis in (-1, -2):
        side = images.shape[axis]
        before = images.narrow(axis, 1, px).flip(axis)
        images = torch.cat([before, images, images.narrow(axis, side - 1 - px, px).flip(axis)], dim=axis)
    return images


def _residuals(channels: int, count: int, border: Border) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels, border) for _ in range(count)))


def _doubled(values: Tensor) -> Tensor:
    """Twice as high and wide, every value four times; its gradient is a sum, the same every time."""
    n, c, height, width = values.shape
    return values[:, :, :, None, :, None].expand(n, c, height, 2, width, 2).reshape(n, c, 2 * height, 2 * width)

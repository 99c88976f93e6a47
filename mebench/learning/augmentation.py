"""Small random changes to a batch of images, drawn from a generator that is passed, made where the images lie."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far an image may be changed in training.

    `mirror` is a probability; `rotation_deg`, `shift` (a fraction of the side) and `intensity` (in the units of the
    images, grey levels for uint8) are bounds of uniform draws either side of zero. `horizontal` lists channels that
    hold a displacement along x, such as the first of a flow field: a mirror changes their sign.
    `factor` is for images that hold onset and apex, the channels `pair` (lists of equal length where there are several
    of each): the apex becomes the onset plus their difference times a draw from 1 - factor to 1 + factor, about as if
    the motion had been magnified more, or less.
    The defaults are those of the Micro-Attention re-run in the ACII 2019 apex-time network code: mirror .5, 5 degrees,
    10 grey levels, no shift, no change of the factor.
    """

    mirror: float = 0.5
    rotation_deg: float = 5.0
    shift: float = 0.0
    intensity: float = 10.0
    horizontal: tuple[int, ...] = ()
    factor: float = 0.0
    pair: tuple[tuple[int, ...], tuple[int, ...]] = ((0,), (1,))


NO_AUGMENTATION = Augmentation(mirror=0.0, rotation_deg=0.0, shift=0.0, intensity=0.0)


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """The images (b, c, h, w) float, each mirrored, turned, shifted and brightened at random; a new tensor.

    One bilinear warp per image, the border repeated. `generator` lives on the CPU whatever the images' device, so that
    a seed means the same changes everywhere.
    """
    if augmentation == NO_AUGMENTATION:
        return images
    return changed(images, drawn(len(images), augmentation, generator), augmentation)


def drawn(count: int, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Uniform draws (count, 6) from 0 to 1 that decide every change; the last are drawn only where `factor` is set."""
    draws = torch.rand((count, 5), generator=generator)
    last = torch.rand((count, 1), generator=generator) if augmentation.factor else torch.full((count, 1), 0.5)
    return torch.cat([draws, last], dim=1)


def changed(images: Tensor, draws: Tensor, augmentation: Augmentation) -> Tensor:
    """The images (b, c, h, w) float changed as the draws (b, 6) say; a new tensor."""
    flip = 1.0 - 2.0 * (draws[:, 0] < augmentation.mirror).float()
    angle, shift_x, shift_y, level, more = (2.0 * draws[:, 1:] - 1.0).unbind(1)
    if augmentation.factor:
        images = _remagnified(images, _per_image(1.0 + more * augmentation.factor, images), augmentation.pair)
    matrix = _sampling_matrix(
        flip, torch.deg2rad(angle * augmentation.rotation_deg), 2.0 * augmentation.shift * shift_x,
        2.0 * augmentation.shift * shift_y, aspect=images.shape[-2] / images.shape[-1],
    )  # fmt: skip
    grid = functional.affine_grid(matrix.to(images.device, images.dtype), list(images.shape), align_corners=False)
    warped = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if augmentation.horizontal:
        warped[:, augmentation.horizontal] *= _per_image(flip, images)
    return warped + _per_image(level * augmentation.intensity, images)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    return values.to(images.device, images.dtype)[:, None, None, None]


def _remagnified(images: Tensor, factor: Tensor, pair: tuple[tuple[int, ...], tuple[int, ...]]) -> Tensor:
    """The images with the difference between onset and apex times the factor (b, 1, 1, 1)."""
    onset, apex = images[:, list(pair[0])], images[:, list(pair[1])]
    found = images.clone()
    found[:, list(pair[1])] = onset + (apex - onset) * factor
    return found


def _sampling_matrix(flip: Tensor, angle: Tensor, shift_x: Tensor, shift_y: Tensor, aspect: float) -> Tensor:
    """Matrices (b, 2, 3) from output to input position, in units where the image spans -1..1 both ways.

    `aspect` is height over width: without it a turn would shear an image that is not square.
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [flip * cos, -flip * sin * aspect, shift_x, sin / aspect, cos, shift_y]
    return torch.stack(rows, dim=1).reshape(-1, 2, 3)


__all__ = ["NO_AUGMENTATION", "Augmentation", "augment", "changed", "drawn"]

"""Small random changes to a batch of images, drawn from a generator that is passed."""

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
    The defaults are those of the Micro-Attention re-run in the ACII 2019 apex-time network code: mirror .5, 5 degrees,
    10 grey levels, no shift.
    """

    mirror: float = 0.5
    rotation_deg: float = 5.0
    shift: float = 0.0
    intensity: float = 10.0
    horizontal: tuple[int, ...] = ()


NO_AUGMENTATION = Augmentation(mirror=0.0, rotation_deg=0.0, shift=0.0, intensity=0.0)


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """The images (b, c, h, w) float, each mirrored, turned, shifted and brightened at random; a new tensor.

    One bilinear warp per image, the border repeated. `generator` lives on the CPU whatever the images' device, so that
    a seed means the same changes everywhere.
    """
    if augmentation == NO_AUGMENTATION:
        return images
    draws = torch.rand((len(images), 5), generator=generator)
    flip = 1.0 - 2.0 * (draws[:, 0] < augmentation.mirror).float()
    angle, shift_x, shift_y, level = (2.0 * draws[:, 1:] - 1.0).unbind(1)
    matrix = _sampling_matrix(
        flip, torch.deg2rad(angle * augmentation.rotation_deg), 2.0 * augmentation.shift * shift_x,
        2.0 * augmentation.shift * shift_y, aspect=images.shape[-2] / images.shape[-1],
    )  # fmt: skip
    grid = functional.affine_grid(matrix.to(images.device, images.dtype), list(images.shape), align_corners=False)
    warped = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if augmentation.horizontal:
        warped[:, augmentation.horizontal] *= flip.to(images.device, images.dtype)[:, None, None, None]
    return warped + (level * augmentation.intensity).to(images.device, images.dtype)[:, None, None, None]


def _sampling_matrix(flip: Tensor, angle: Tensor, shift_x: Tensor, shift_y: Tensor, aspect: float) -> Tensor:
    """Matrices (b, 2, 3) from output to input position, in units where the image spans -1..1 both ways.

    `aspect` is height over width: without it a turn would shear an image that is not square.
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [flip * cos, -flip * sin * aspect, shift_x, sin / aspect, cos, shift_y]
    return torch.stack(rows, dim=1).reshape(-1, 2, 3)

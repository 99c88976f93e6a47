"""What LAM may look at: the channels by name, the steps that make them, and the layer that evens them out."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from mebench import UsageError

KEPT_NAMES: Final = {
    "grey": ("apex",),
    "difference": ("difference",),
    "pair": ("onset", "apex"),
    "flow": ("u", "v", "strain"),
}
"""Names for what is looked at most; any three views joined by `+` are a name too."""

FLOORS: Final = {"onset": 1.0, "apex": 1.0, "difference": 1.0, "strain": 1e-3}
"""The spread below which a channel is noise and is not raised to 1, in its own unit: one grey level, a thousandth."""

FLOORS_OF_SIDE: Final = dict.fromkeys(("u", "v", "magnitude"), 1e-4)
"""The same as a share of the image's side, for flow shrinks with its image: .02 px of 224. Between onset and apex of
rendered faces, whose skin moves by 1 px at most, u and v spread by .03 to .08 px; six times magnified by .16 to .42."""

VIEWS: Final = (*FLOORS, *FLOORS_OF_SIDE)

_IMAGES: Final = {"grey": ["apex"], "difference": ["difference"], "pair": list[str]()}


def views_of(channels: str) -> tuple[str, ...]:
    """The views that a value of `channels` asks for; raises UsageError for one that is none."""
    if channels in KEPT_NAMES:
        return KEPT_NAMES[channels]
    views = tuple(channels.split("+"))
    if len(views) != 3 or not set(views) <= set(VIEWS):
        raise UsageError(
            f"channels={channels!r} is neither {', '.join(KEPT_NAMES)} nor three views joined by +.",
            f"Join three of {', '.join(VIEWS)}, such as apex+u+v.",
        )
    return views


def steps_of(channels: str, size: int | None) -> list[str]:
    """The steps from the magnified pair to the array of the network, at `size` px where it is not None."""
    views = views_of(channels)
    resized = [] if size is None else [f"resize({size})"]
    if channels in _IMAGES:
        return [*_IMAGES[channels], *resized]
    return [f"mix({'+'.join(views)})", *resized, "planes"]


class ImageInput(nn.Module):
    """Three channels (b, 3, h, w), each of mean 0 and standard deviation 1, for a first convolution made for colour.

    One image (b, 1, h, w), grey levels of any range, stands in all three; of a pair (b, 2, h, w), onset and apex, the
    three are the onset, the apex, and the apex minus the onset; three views stay as they are. Standardised per image,
    because skin tone and light differ between subjects and say nothing about the expression.
    """

    floors: Tensor
    floors_of_side: Tensor

    def __init__(self, views: Sequence[str] = ("apex",)) -> None:
        super().__init__()
        seen = (*views, "difference") if len(views) == 2 else views
        for name, table in (("floors", FLOORS), ("floors_of_side", FLOORS_OF_SIDE)):
            floors = torch.tensor([table.get(view, 0.0) for view in seen])
            self.register_buffer(name, floors[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] == 2:
            images = torch.cat([images, images[:, 1:] - images[:, :1]], dim=1)
        centred = images - images.mean((2, 3), keepdim=True)
        # The floor: a channel without contrast must not have its rounding errors, or its noise, blown up.
        floors = self.floors + self.floors_of_side * images.shape[3]
        scale = centred.square().mean((2, 3), keepdim=True).sqrt().maximum(floors)
        return (centred / scale).expand(-1, 3, -1, -1)

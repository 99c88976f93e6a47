"""The learned magnifier: what it is trained on, its training, and the weights that ship.

Pairs are drawn, never filmed: textures from pictures that dependencies ship and from synthetic people, moved by less
than a pixel, magnified, blurred, made noisy and compressed. No frame of any corpus is involved.
"""

from typing import Final

STEPS: Final = 12_000
"""Of a whole training, by default."""

__all__ = ["STEPS"]

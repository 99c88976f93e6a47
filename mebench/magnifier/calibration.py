"""What a network must be asked for so that it gives what was asked for: its small factors come out short.

Measured after a training, on the textures it was trained on, and kept with the weights; the gains that are reported of
them are measured afterwards, on others.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np

from mebench.magnifier.judging import judged
from mebench.magnifier.textures import Texture, library
from mebench.vision.magnification.learned import two_frame
from mebench.vision.magnification.network import Calibration, Magnifier

FACTORS: Final = (2.0, 3.0, 4.0, 6.0, 10.0)
SHIFTS_PX: Final = (0.25, 0.5, 1.0)
ROUNDS: Final = 4
"""Each asks again for what the last one's gain fell short of."""

BOUNDS: Final = (0.5, 2.0)
"""A network that magnifies nothing is not asked for ever more; those trained here need 1.08 to 1.36."""


def calibration_of(network: Magnifier, factors: Sequence[float] = FACTORS) -> Calibration:
    """By factor, what its k is multiplied by so that the largest and the smallest gain over `SHIFTS_PX` lie equally far
    (as ratios) from the factor; within `BOUNDS`."""
    plain = Magnifier(network.design)
    plain.load_state_dict(network.state_dict())
    return tuple((factor, _share(plain.eval(), library(), factor)) for factor in factors)


def _share(network: Magnifier, textures: Sequence[Texture], factor: float) -> float:
    share = 1.0
    for _ in range(ROUNDS):
        network.calibration = ((factor, share),)
        share = float(np.clip(share * (factor - 1) / max(_middle(network, textures, factor) - 1, 1e-3), *BOUNDS))
    return round(share, 3)


def _middle(network: Magnifier, textures: Sequence[Texture], factor: float) -> float:
    """The geometric mean of the largest and the smallest gain."""
    gains = [max(judged(partial(two_frame, network), textures, shift, factor).gain, 0.0) for shift in SHIFTS_PX]
    return float(np.sqrt(min(gains) * max(gains)))


__all__ = ["calibration_of"]

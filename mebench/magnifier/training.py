"""The training of the learned magnifier: pairs drawn anew for every step, the paper's losses, checkpoints, a log.

    H(Y, Ŷ) + .0001·[D(V_A, V_C) + D(V_B, V_Y) + D(M_B, M_C)]

A is the first image, B the second in another exposure, C the second in the first's, Y the magnified B; V is texture, M
shape (Oh et al. 2018, eq. 5), H is L1. The paper has L1 for D too, and .1; here D is L1 relative to the size of what is
compared, which keeps features from shrinking. Further deviations are those of `Schedule` and `span_of`: a narrow
network for one channel, small motions first, half the paper's noise, a rate that falls, averaged weights.

The network draws the whole image, as the paper's does. One that draws only what changes against B starts from B
unmagnified and hardly leaves it: after 2,000 steps of the schedule of its day its gain at x2 was 1.18, where trials of
this one reached 1.5 to 1.6 (gains of the held-out textures from .25 px on).
"""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from mebench.clips import canonical_json
from mebench.errors import UsageError
from mebench.learning.reproducible import pick_device, reproducible
from mebench.magnifier import STEPS
from mebench.magnifier.scenes import Pair, Range, draw_pair
from mebench.magnifier.textures import Texture, library
from mebench.progress import Progress, silent
from mebench.vision.magnification.network import Convolution, Design, Magnifier, Residual

DESIGN: Final = Design(colours=1, width=16, blocks=6, convention="factor-1", border="zero")
"""Of the weights that ship: a quarter of the paper's arithmetic."""

REGULARISER: Final = 0.0001
ALIKE: Final = 0.25
"""Encoding C and Y of every pair would take a fifth of the time."""

LOG_STEPS: Final = 100
CHECKPOINT_STEPS: Final = 50

_WARM_UP, _LEAST = 100, 0.02
_CLIP = 1.0
_AVERAGED = 0.998


@dataclass(frozen=True, slots=True)
class Schedule:
    """What decides a training: equal schedules give equal bits on one machine type. `threads` belong to it, since sums
    are split over them. `start` is the digest of weights to go on from."""

    steps: int = STEPS
    seed: int = 0
    batch: int = 4
    side: int = 48
    rate: float = 1e-3
    threads: int = 1
    start: str = ""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.threads) < 1 or self.side < 32:
            raise UsageError(
                f"A training of {self.steps} steps of {self.batch} pairs of {self.side} px cannot be.",
                "Ask for at least 1 step, 1 pair and 32 px.",
            )

    def record(self) -> dict[str, Any]:
        """The schedule and all constants beside it, as plain JSON values."""
        fixed = {"regulariser": REGULARISER, "warm_up": _WARM_UP, "clip": _CLIP, "averaged": _AVERAGED, "alike": ALIKE}
        return {
            **asdict(self),
            **fixed,
            "design": asdict(DESIGN),
            "span": [asdict(span_of(share, started=bool(self.start))) for share in (0, 1)],
        }

    @property
    def key(self) -> str:
        """What a checkpoint must agree with."""
        return canonical_json(self.record())


@dataclass(eq=False)
class Training:
    """A training on its way: network, averaged weights, optimiser, steps made, and the log."""

    schedule: Schedule
    network: Magnifier
    averaged: dict[str, Tensor]
    optimiser: torch.optim.Adam
    made: int
    log: list[dict[str, float]]

    def finished(self) -> Magnifier:
        """The network with the averaged weights, on the processor."""
        network = Magnifier(self.network.design)
        network.load_state_dict(self.averaged)
        return network.eval()

    def state(self) -> bytes:
        """All that the steps to come depend on."""
        image = io.BytesIO()
        kept = {"network": self.network.state_dict(), "averaged": self.averaged, "made": self.made, "log": self.log}
        torch.save({**kept, "optimiser": self.optimiser.state_dict()}, image)
        return image.getvalue()

    def restore(self, data: bytes) -> None:
        """Goes on from a state."""
        state = torch.load(io.BytesIO(data), map_location=next(self.network.parameters()).device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.averaged, self.made, self.log = state["averaged"], state["made"], state["log"]


Keep = Callable[[Training], None]
"""Called whenever a checkpoint is due, and at the end."""


def train(
    schedule: Schedule,
    *,
    device: str = "auto",
    resume: bytes | None = None,
    keep: Keep = lambda _: None,
    progress: Progress = silent,
    stop: int | None = None,
    start: Magnifier | None = None,
) -> Training:
    """The training after its last step, or after step `stop`; from a state of the same schedule it goes on there."""
    place = pick_device(device)
    initial, drawing = np.random.SeedSequence(schedule.seed).generate_state(2)
    with reproducible(int(initial), place, schedule.threads):
        training = _begun(schedule, place, start)
        if resume is not None:
            training.restore(resume)
        textures = library()
        last = schedule.steps if stop is None else min(stop, schedule.steps)
        while training.made < last:
            _advance(training, textures, [int(drawing), training.made], place)
            if training.made % CHECKPOINT_STEPS == 0 or training.made == last:
                keep(training)
            progress(training.made, schedule.steps, f"loss {training.log[-1]['loss']:.4f}")
    return training


def span_of(share: float, *, started: bool = False) -> Range:
    """What is asked of pairs once this share of the steps is made: over the first half magnified motion grows from 3 to
    12 px. A training that goes on from weights leans to small motions from its first step, which are learnt last.

    Factors of at most 16 and noise of at most 2 grey levels, half the paper's, are our choice.
    """
    grown = 1.0 if started else min(share / 0.5, 1.0)
    return Range(factor=16, moved_px=3 + 9 * grown, harm=0.5, lean=2.0 if started else 1.0)


def rate_of(step: int, schedule: Schedule) -> float:
    """The learning rate: a hundred steps of rise, then half a cosine down to a fiftieth."""
    rise = min((step + 1) / _WARM_UP, 1.0)
    fall = (1 + np.cos(np.pi * step / schedule.steps)) / 2
    return float(schedule.rate * rise * (_LEAST + (1 - _LEAST) * fall))


def initialise(network: Magnifier) -> None:
    """He's initial weights; second kernels of residual blocks at a third, the last at a tenth."""
    for part in network.modules():
        if isinstance(part, Convolution):
            nn.init.kaiming_normal_(part.weight)
    with torch.no_grad():
        network.decoder.drawing.weight.mul_(0.1)
        for part in network.modules():
            if isinstance(part, Residual):
                part.second.weight.mul_(1 / 3)


def loss_of(network: Magnifier, pairs: list[Pair], device: torch.device) -> dict[str, Tensor]:
    """The `loss`; its first term, the `error` of the magnified image in units of 127.5 grey levels; and `unmagnified`,
    the error of the image as it was. The other terms are taken over the first `ALIKE` of the pairs."""
    first, second, plain, truth = (
        torch.from_numpy(np.stack([getattr(pair, name) for pair in pairs])[:, None]).to(device)
        for name in ("first", "second", "plain", "truth")
    )
    factors = torch.tensor([network.design.multiplier(pair.factor) for pair in pairs], device=device)
    kept = max(1, round(ALIKE * len(pairs)))
    encoded = network.encoder(torch.cat([first, second, plain[:kept], truth[:kept]]))
    sizes = [len(pairs), len(pairs), kept, kept]
    (_, texture_b, texture_c, texture_y), (shape_a, shape_b, shape_c, _) = (part.split(sizes) for part in encoded)
    texture_a = encoded[0][:kept]
    drawn = network.drawn(texture_b, network.manipulator(shape_a, shape_b, factors), second.shape[-2:])
    alike = _apart(texture_a, texture_c) + _apart(texture_b[:kept], texture_y) + _apart(shape_b[:kept], shape_c)
    error = _l1(drawn, truth)
    return {"loss": error + REGULARISER * alike, "error": error, "unmagnified": _l1(second, truth)}


def _begun(schedule: Schedule, device: torch.device, start: Magnifier | None) -> Training:
    network = Magnifier(DESIGN)
    if start is None:
        initialise(network)
    else:
        network.load_state_dict(start.state_dict())
    network.to(device)
    averaged = {name: value.detach().clone() for name, value in network.state_dict().items()}
    return Training(schedule, network, averaged, torch.optim.Adam(network.parameters()), 0, [])


def _advance(training: Training, textures: tuple[Texture, ...], seed: list[int], device: torch.device) -> None:
    """One step."""
    schedule, step = training.schedule, training.made
    rng, span = np.random.default_rng(seed), span_of(step / schedule.steps, started=bool(schedule.start))
    pairs = [draw_pair(rng, textures, schedule.side, span) for _ in range(schedule.batch)]
    for group in training.optimiser.param_groups:
        group["lr"] = rate_of(step, schedule)
    training.optimiser.zero_grad()
    terms = loss_of(training.network, pairs, device)
    torch.autograd.backward(terms["loss"])
    nn.utils.clip_grad_norm_(training.network.parameters(), _CLIP)
    training.optimiser.step()
    training.made += 1
    _average(training)
    _write_log(training, {name: float(value.detach()) for name, value in terms.items()})


@torch.no_grad()
def _average(training: Training) -> None:
    """The averaged weights a step on; early steps count for less of it than late ones."""
    share = 1 - min(_AVERAGED, training.made / (training.made + 10))
    for name, value in training.network.state_dict().items():
        training.averaged[name].lerp_(value, share)


def _write_log(training: Training, terms: dict[str, float]) -> None:
    """Means over `LOG_STEPS` steps each."""
    within = (training.made - 1) % LOG_STEPS
    if within == 0:
        training.log.append({"step": training.made, **terms})
        return
    entry = training.log[-1]
    for name, value in terms.items():
        entry[name] += (value - entry[name]) / (within + 1)
    entry["step"] = training.made


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """How far two features are apart, relative to their size: scaling both changes nothing."""
    return _l1(one, other) / (one.abs().mean() + other.abs().mean() + 1e-6)


def _l1(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().mean()


__all__ = [
    "DESIGN",
    "LOG_STEPS",
    "Schedule",
    "Training",
    "loss_of",
    "rate_of",
    "span_of",
    "train",
]

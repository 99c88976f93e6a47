"""Many folds trained at once: the same batches, augmentation and dropout as each fold has alone.

Folds of leave-one-subject-out train on nearly the same few images, and a small network leaves most of a GPU idle. Their
networks are stacked (`stacked`) and step together: at each step every fold takes its own next batch. Batches are padded
to the longest; padding enters neither loss nor statistics. Folds differ in the number of batches per epoch: each goes
on by its own epochs, and leaves the stack when it has made them all. Results are those of `train` up to rounding, as
sums run in another order; equal in float64 to 1e-9 and better (tests/test_together.py).

On two CPU cores this is slower than fold by fold (benchmarks/loso_training.py): a processor has no idle lanes to fill,
and a convolution in groups of three channels uses its vector units worse. It is meant for GPUs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mebench import checkpoints
from mebench.learning.augmentation import NO_AUGMENTATION, changed, drawn
from mebench.learning.kept import packed, training_key, unpacked
from mebench.learning.reproducible import pick_device, reproducible
from mebench.learning.sampling import batch_count, batches, class_weights
from mebench.learning.settings import History, Settings, Weights, in_memory
from mebench.learning.stacked import Stack
from mebench.learning.stepping import Steps
from mebench.learning.trainer import EVALUATION_BATCH, generators, placed, refresh_statistics


@dataclass(frozen=True, eq=False)
class Part:
    """What one fold trains on: rows (n,) of the images, their class codes (n,), and the seed of its training."""

    rows: NDArray[np.intp]
    codes: NDArray[np.int64]
    seed: int


def train_together(
    networks: Sequence[nn.Module], X: NDArray[Any], parts: Sequence[Part], settings: Settings
) -> tuple[History, ...]:
    """The histories of training each network in place on its part of X (n, c, h, w), in the order of the parts.

    Each network ends as `train` on its part alone would leave it, up to rounding. A training that was killed goes on
    after the last step saved. Raises ModelError for networks that differ in shape, or that cannot be mapped.
    """
    device = pick_device(settings.device)
    order = sorted(range(len(parts)), key=lambda k: -_steps_of(parts[k], settings))  # who goes on longest stands first
    ordered = [parts[k] for k in order]
    with reproducible(0, device, settings.threads):
        members = [placed(networks[k], settings, device) for k in order]
        slot = checkpoints.next_slot(
            lambda: training_key(
                members, X, [v for p in ordered for v in (p.rows, p.codes)], settings, [p.seed for p in ordered]
            )
        )
        run = _Together(members, in_memory(X, device, settings.dtype), ordered, settings)
        saved = slot.load() if slot else None
        if saved is not None:
            run.restore(unpacked(saved, device))
        while run.going:
            run.step()
            if slot and slot.due:
                slot.save(packed(run.state()))
        for k, network in enumerate(members):
            run.stack.load(k)
            network.eval()
    histories = {k: run.folds[at].history for at, k in enumerate(order)}
    return tuple(histories[k] for k in range(len(parts)))


@dataclass(frozen=True, slots=True)
class _Batch:
    """The next batch of a fold: places among its own rows, and where it stands in which epoch."""

    indices: Tensor
    epoch: int
    step: int
    steps: int


class _Fold:
    """One fold on its way: its generators and what it has come to."""

    def __init__(self, part: Part, settings: Settings, device: torch.device) -> None:
        self.settings = settings
        self.rows, self.codes = torch.tensor(part.rows), torch.tensor(part.codes, dtype=torch.int64)
        self.sampling, self.augmenting = generators(part.seed)
        self.dropping = torch.Generator(device).manual_seed(part.seed)
        self.steps = batch_count(self.codes, settings.batch_size, settings.balance)
        self.losses: list[float] = []
        self.stages: list[Weights] = []
        self.sum = torch.zeros((), dtype=settings.dtype, device=device)
        self._order: list[Tensor] = []
        self._before = self.sampling.get_state()

    @property
    def history(self) -> History:
        """What it has come to."""
        return History(tuple(self.losses), tuple(self.stages))

    def batch(self, made: int) -> _Batch:
        """The batch that follows `made` steps."""
        epoch, step = divmod(made, self.steps)
        if step == 0 or not self._order:
            self._before = self.sampling.get_state()
            self._order = batches(self.codes, self.settings.batch_size, self.settings.balance, self.sampling)
        return _Batch(self._order[step], epoch, step, self.steps)

    def state(self, made: int) -> dict[str, Any]:
        """All that steps to come depend on; the order of an epoch under way is drawn again from where it began."""
        sampling = self._before if made % self.steps else self.sampling.get_state()
        drawing = [sampling, self.augmenting.get_state(), self.dropping.get_state()]
        return {"generators": drawing, "losses": self.losses, "stages": self.stages, "sum": self.sum}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        sampling, augmenting, dropping = (value.cpu() for value in state["generators"])
        self.sampling.set_state(sampling)
        self.augmenting.set_state(augmenting)
        self.dropping.set_state(dropping)
        self.losses, self.sum = list(state["losses"]), state["sum"]
        self.stages = [{n: value.cpu() for n, value in stage.items()} for stage in state["stages"]]
        self._order = []


class _Together:
    """All folds of a stack on their way, the one with most steps first."""

    def __init__(
        self, networks: Sequence[nn.Module], images: Tensor, parts: Sequence[Part], settings: Settings
    ) -> None:
        self.settings, self.images = settings, images
        self.folds = [_Fold(part, settings, images.device) for part in parts]
        self.totals = [fold.steps * settings.epochs for fold in self.folds]
        self.stack = Stack(networks, settings.prepared(images[:1].expand(2, -1, -1, -1)))
        self.optimiser = Steps(self.stack.parameters, settings)
        self.made = 0

    @property
    def going(self) -> list[_Fold]:
        """The folds that have steps to make: the first ones."""
        return [fold for fold, total in zip(self.folds, self.totals, strict=True) if total > self.made]

    def step(self) -> None:
        """One step of every fold that goes on."""
        going = self.going
        taken = [fold.batch(self.made) for fold in going]
        losses = self._learn(going, taken)
        for fold, batch, loss in zip(going, taken, losses, strict=True):
            fold.sum += loss * len(batch.indices)
        self.made += 1
        for k, (fold, batch) in enumerate(zip(going, taken, strict=True)):
            if batch.step == batch.steps - 1:
                self._end_epoch(k, fold)

    def state(self) -> dict[str, Any]:
        """All that steps to come depend on."""
        return {
            "made": self.made,
            "stack": self.stack.state(),
            "optimiser": self.optimiser.state(),
            "folds": [fold.state(self.made) for fold in self.folds],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to a state."""
        self.made = int(state["made"])
        self.stack.restore(state["stack"])
        self.optimiser.restore(state["optimiser"])
        for fold, kept in zip(self.folds, state["folds"], strict=True):
            fold.restore(kept)

    def _learn(self, going: Sequence[_Fold], taken: Sequence[_Batch]) -> Tensor:
        """The loss (f,) of every fold on its batch, after which its weights have moved."""
        settings, device = self.settings, self.images.device
        lengths = [len(batch.indices) for batch in taken]
        rows = _padded([fold.rows[batch.indices] for fold, batch in zip(going, taken, strict=True)]).to(device)
        targets = _padded([fold.codes[batch.indices] for fold, batch in zip(going, taken, strict=True)]).to(device)
        valid = _padded([torch.ones(n, dtype=settings.dtype) for n in lengths]).to(device)
        images = self._images(rows, going, lengths)
        noise = [d.factors(lengths, [fold.dropping for fold in going], images) for d in self.stack.draws]
        with settings.computing(device):
            outputs = self.stack.forward(images, valid if min(lengths) < max(lengths) else None, noise)
        losses = self._losses(outputs.to(settings.dtype), targets, valid, going)
        self.optimiser.zero_grad()
        torch.autograd.backward(losses.sum())  # each loss depends on its own fold's weights alone
        factors = [settings.rate_factor(batch.epoch, batch.step, batch.steps) for batch in taken]
        self.optimiser.step(torch.tensor(factors, dtype=torch.float64, device=device))
        return losses.detach()

    def _images(self, rows: Tensor, going: Sequence[_Fold], lengths: Sequence[int]) -> Tensor:
        """The images (f, b, c, h, w) of the batches, augmented all at once, each fold's by its own draws."""
        settings = self.settings
        flat = settings.prepared(self.images[rows.flatten()])
        if settings.augmentation != NO_AUGMENTATION:
            each = [drawn(n, settings.augmentation, f.augmenting) for f, n in zip(going, lengths, strict=True)]
            flat = changed(flat, _padded(each).flatten(0, 1), settings.augmentation)
        return flat.reshape(*rows.shape, *flat.shape[1:])

    def _losses(self, outputs: Tensor, targets: Tensor, valid: Tensor, going: Sequence[_Fold]) -> Tensor:
        """The mean cross-entropy (f,) of outputs (f, b, k) over the images of each fold, weighted where asked for."""
        weights = valid
        if self.settings.balance == "weight":
            table = torch.stack([class_weights(fold.codes, outputs.shape[2]) for fold in going]).to(valid)
            weights = valid * table.gather(1, targets)
        # Flat: over three axes CUDA has no deterministic form of this loss.
        surprise = functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        return (surprise.view_as(weights) * weights).sum(1) / weights.sum(1)

    def _end_epoch(self, k: int, fold: _Fold) -> None:
        images = len(fold.codes) if self.settings.balance != "oversample" else _oversampled_length(fold.codes)
        fold.losses.append(float(fold.sum) / images)
        fold.sum = torch.zeros_like(fold.sum)
        last = len(fold.losses) == self.settings.epochs
        if self.settings.refresh_statistics and (last or self.settings.keep_stages):
            refresh_statistics(self.stack.load(k), self._parts(fold))
            self.stack.store_buffers(k)
        if self.settings.keep_stages:
            weights = self.stack.load(k).state_dict()
            fold.stages.append({name: value.detach().cpu().clone() for name, value in weights.items()})

    def _parts(self, fold: _Fold) -> Iterator[Tensor]:
        """The training images of a fold as they are, in the parts in which `train` takes them."""
        for rows in torch.split(fold.rows.to(self.images.device), EVALUATION_BATCH):
            yield self.settings.prepared(self.images[rows])


def _steps_of(part: Part, settings: Settings) -> int:
    return batch_count(torch.tensor(part.codes, dtype=torch.int64), settings.batch_size, settings.balance)


def _oversampled_length(codes: Tensor) -> int:
    counts = torch.bincount(codes)
    return int(counts.max()) * int((counts > 0).sum())


def _padded(rows: Sequence[Tensor]) -> Tensor:
    """The rows as one tensor (f, longest, ...), filled up with zeros: of row numbers the first image, whose loss and
    statistics count nothing."""
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


__all__ = ["Part", "train_together"]

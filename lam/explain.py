"""Where a network with stages `layer1` to `layer4` draws its answer from, and what its attention units do.

The paper reports a visualisation of features and does not name its technique, so none of this is the paper's. Grad-CAM
(Selvaraju et al., ICCV 2017) says which places of a stage's maps speak for a class; the attention of the units is read
as it is. Maps of a stage are coarse: a cell of the last one is 32 px of the input wide.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from mebench import ModelError

STAGES = ("layer1", "layer2", "layer3", "layer4")
TEMPERATURES = ("tau_c", "tau_s")
_BATCH = 16
"""Images at once: the attention of the first stage at 224 px is 2.5 MB an image."""

Floats: TypeAlias = NDArray[np.float64]
Facts: TypeAlias = dict[str, float | list[float]]


class Explained:
    """A mixin for a fitted `NetworkClassifier`: what `mebench explain` asks a network."""

    classes_: NDArray[Any]
    network_: nn.Module
    attribution_note = (
        "The paper shows features after the fact and does not name its technique: Grad-CAM per stage and the units' "
        "own attention are our choice."
    )

    def attributions(
        self, X: ArrayLike, classes: Sequence[str], at: tuple[float, float] | None = None
    ) -> dict[str, Floats]:
        """Maps (n, h, w) over the px of X by `kind:part`, none negative.

        `grad-cam:layerN` is what in the output of stage N speaks for the class given with each row. `spatial:layerN.B`
        is how much places attend to each place on average, in the unit after block B, where it reads places. With `at`,
        (x, y) in px of X, `row:layerN.B` is what that place alone attends to.
        """
        images, codes = _tensor(X), self._codes(classes)
        found: dict[str, list[Floats]] = {}
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            maps = grad_cam(self.network_, batch, codes[start : start + _BATCH])
            parts = {f"grad-cam:{stage}": placed(values, batch) for stage, values in maps.items()}
            for name, values in {**parts, **attention_maps(self.network_, batch, at)}.items():
                found.setdefault(name, []).append(values)
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def attribution_facts(self, X: ArrayLike) -> dict[str, Facts]:
        """By block, what its unit has learnt and does to X: see `unit_facts`."""
        return unit_facts(self.network_, _tensor(X))

    def _codes(self, classes: Sequence[str]) -> Tensor:
        known = {str(name): code for code, name in enumerate(self.classes_)}
        strange = sorted(set(map(str, classes)) - set(known))
        if strange:
            raise ModelError(f"The network has not learnt {strange[0]!r}.", f"Ask for one of {', '.join(known)}.")
        return torch.tensor([known[str(name)] for name in classes])


def grad_cam(network: nn.Module, images: Tensor, codes: Tensor, stages: Sequence[str] = STAGES) -> dict[str, Tensor]:
    """By stage what speaks for the class of each image: maps (n, rows, columns), none negative.

    The ReLU of the sum over feature maps, each weighted by the mean over places of the derivative of the class score
    (before softmax) by it (Selvaraju et al. 2017, equations 1 and 2). `codes` (n,) are numbers of classes.
    """
    network.eval()
    with torch.enable_grad(), _outputs(network, stages) as outputs:
        # The images ask for the gradient, so that a network with frozen stages has one at every stage.
        scores = network(images.detach().requires_grad_())
        chosen = scores.gather(1, codes[:, None]).sum()
        slopes = torch.autograd.grad(chosen, [outputs[name] for name in stages])
    return {
        name: (slope.mean((2, 3), keepdim=True) * outputs[name].detach()).sum(1).relu()
        for name, slope in zip(stages, slopes, strict=True)
    }


def attention_maps(network: nn.Module, images: Tensor, at: tuple[float, float] | None = None) -> dict[str, Floats]:
    """By `kind:block` what the units attend to among places, (n, h, w) over the px of the images, as `attributions`."""
    found: dict[str, Floats] = {}
    for block, unit, given in unit_inputs(network, images):
        weights = _attention(unit, given, "spatial")
        if weights is None:
            continue
        pool = _key_pool(given, weights.shape[2])
        cells = (len(given), *(-(-side // pool) for side in given.shape[2:]))
        found[f"spatial:{block}"] = placed(weights.mean(1).view(cells), images, given, pool)
        if at is not None:
            place = _place_of(at, given, images)
            found[f"row:{block}"] = placed(weights[:, place].reshape(cells), images, given, pool)
    return found


def unit_facts(network: nn.Module, images: Tensor) -> dict[str, Facts]:
    """By block: the unit's scalars (`gamma_c`, `gamma_s`), temperatures (`tau_c`, `tau_s`), and means over the images.

    `change` is the length of what the unit adds over that of its input. `channel_received` (c,) is how much each map is
    attended to, 1 an even share; `channel_maps` and `spatial_cells` are the exponential of the entropy of what is
    received over the number of maps or cells: 1 where attention is even, 1/n where one receives it all.
    """
    seen: dict[str, list[Facts]] = {}
    for start in range(0, len(images), _BATCH):
        for block, unit, given in unit_inputs(network, images[start : start + _BATCH]):
            seen.setdefault(block, []).extend(_facts_of(unit, given[i : i + 1]) for i in range(len(given)))
    return {block: {**_scalars(network.get_submodule(f"{block}.reading")), **_means(f)} for block, f in seen.items()}


def unit_inputs(network: nn.Module, images: Tensor) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Block, unit and what the unit was given (n, c, h, w), for every unit that shows its attention, in order."""
    units = {
        name.removesuffix(".reading"): unit
        for name, unit in network.named_modules()
        if name.endswith(".reading") and callable(getattr(unit, "attention", None))
    }
    network.eval()
    with torch.no_grad(), _inputs(units) as given:
        network(images)
        for block, unit in units.items():
            yield block, unit, given[block]


def placed(maps: Tensor, images: Tensor, stage: Tensor | None = None, pool: int = 1) -> Floats:
    """Maps (n, rows, columns) of a stage on the px of the images, (n, h, w) float64, bilinear; ends are repeated.

    Cell i of a stage sees what lies around px `stride` * i, for its convolutions of odd width are padded evenly: not
    around the middle of px stride * i to stride * (i + 1), where resizing an image would put it. `stage` is the stage
    whose cells were averaged by `pool` into those of `maps`; without, `maps` are cells of the stage itself.
    """
    grid = maps.shape[1:] if stage is None else stage.shape[2:]
    rows, columns = (
        _between(cells, stride(side, stage_side), pool, side)
        for cells, side, stage_side in zip(maps.shape[1:], images.shape[2:], grid, strict=True)
    )
    found: Floats = np.einsum("hr,nrc,wc->nhw", rows, maps.double().numpy(), columns)
    return found


def stride(side: int, cells: int) -> int:
    """How many px lie between the cells of a stage: a power of two, for it is halvings that made `cells` of `side`."""
    return int(2 ** round(math.log2(side / cells)))


def _between(cells: int, stride_px: int, pool: int, side: int) -> Floats:
    """The weight (side, cells) of each cell at each px."""
    first = stride_px * (pool - 1) / 2
    at = np.clip((np.arange(side) - first) / (stride_px * pool), 0, cells - 1)
    weights: Floats = np.maximum(1 - np.abs(at[:, None] - np.arange(cells)), 0)
    return weights


def _facts_of(unit: nn.Module, given: Tensor) -> Facts:
    """The facts of one image (1, c, h, w) that a mean is taken of."""
    with torch.no_grad():
        change = float((unit(given) - given).norm() / given.norm().clamp(min=torch.finfo(given.dtype).tiny))
    facts: Facts = {"change": change}
    for kind, word in (("channel", "channel_maps"), ("spatial", "spatial_cells")):
        weights = _attention(unit, given, kind)
        if weights is None:
            continue
        received = weights[0].double().mean(0)
        facts[word] = float(torch.special.entr(received).sum().exp()) / len(received)
        if kind == "channel":
            facts["channel_received"] = (received * len(received)).tolist()
    return facts


def _means(facts: Sequence[Facts]) -> Facts:
    return {name: np.mean([one[name] for one in facts], axis=0).tolist() for name in facts[0]}


def _scalars(unit: nn.Module) -> Facts:
    """The unit's own single numbers, learnt or set; what is kept as a logarithm is given as it acts."""
    kept = {**dict(unit.named_parameters(recurse=False)), **dict(unit.named_buffers(recurse=False))}
    plain = {name: getattr(unit, name) for name in TEMPERATURES if isinstance(getattr(unit, name, None), int | float)}
    numbers = plain | {name: float(value.detach()) for name, value in kept.items() if value.numel() == 1}
    return {n.removeprefix("log_"): math.exp(v) if n.startswith("log_") else v for n, v in numbers.items()}


def _attention(unit: nn.Module, given: Tensor, kind: str) -> Tensor | None:
    """The unit's attention of this kind (n, queries, keys); None where it has none."""
    with torch.no_grad():
        found = getattr(unit.attention(given), kind, None)  # type: ignore[operator]
    return found if isinstance(found, Tensor) and found.ndim == 3 else None


def _key_pool(given: Tensor, keys: int) -> int:
    """The side of the cells that make `keys` of the places of a stage (n, c, h, w)."""
    rows, columns = given.shape[2:]
    for pool in range(1, max(rows, columns) + 1):
        if -(-rows // pool) * -(-columns // pool) == keys:
            return pool
    raise ModelError(f"Attention to {keys} keys does not fit {rows}x{columns} places.", "Average square cells.")


def _place_of(at: tuple[float, float], given: Tensor, images: Tensor) -> int:
    """The number of the place in a stage that sees px `at` (x, y) of the images."""
    rows, columns = given.shape[2:]
    row = round(at[1] / stride(images.shape[2], rows))
    column = round(at[0] / stride(images.shape[3], columns))
    return min(max(row, 0), rows - 1) * columns + min(max(column, 0), columns - 1)


@contextmanager
def _outputs(network: nn.Module, names: Sequence[str]) -> Iterator[Mapping[str, Tensor]]:
    """The outputs of modules, by name, as the network is called inside."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _module, _given, output: kept.__setitem__(name, output)

    hooks = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _inputs(modules: Mapping[str, nn.Module]) -> Iterator[Mapping[str, Tensor]]:
    """What modules were given, by name, as the network is called inside."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _module, given: kept.__setitem__(name, given[0])

    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in modules.items()]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _tensor(X: ArrayLike) -> Tensor:
    """X as (n, c, h, w) float32, as the network was trained on it."""
    images = torch.from_numpy(np.array(X, np.float32))
    return images[:, None] if images.ndim == 3 else images

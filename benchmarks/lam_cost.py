"""What a training step of LAM costs beside one of the plain network, and what each way of computing the unit brings.

Usage: python -m benchmarks.lam_cost [--backbone resnet18] [--size 224] [--batch 8] [--repeats 5]

One network, whose units are computed in turn as the formulas are written, with each saving on top of the last, as they
ship, and in two ways that do not ship. All give the same numbers, which is asserted first. Time is processor time of
one thread, the median over repeats, every way once per repeat: other work on the machine moves it little. Memory is by
how much the largest resident size of a process of its own grows in two steps, gradients and momentum included.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from types import MethodType

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mebench.lam.attention import EPSILON, Affinity
from mebench.lam.model import LAM
from mebench.learning.reproducible import reproducible

CLASSES = 5
Way = Callable[[Affinity, Tensor], Tensor]


def written(unit: Affinity, x: Tensor) -> Tensor:
    """Line by line: centre, divide by norms, multiply, divide by τ, softmax, multiply, add."""
    return _spelled(unit, x, _unit_vectors, folded=False)


def normalised(unit: Affinity, x: Tensor) -> Tensor:
    """Centring and division are one layer normalisation, which keeps no intermediate for the way back."""
    return _spelled(unit, x, _layer_norm, folded=False)


def folded(unit: Affinity, x: Tensor) -> Tensor:
    """1/τ is in the weights of the layer normalisation: no pass over n·m energies."""
    return _spelled(unit, x, _layer_norm, folded=True)


def fused(unit: Affinity, x: Tensor) -> Tensor:
    """The spatial half by scaled_dot_product_attention, which never holds its n·m weights; not what ships."""
    places, cells = x.flatten(2).mT, unit._cells(x)
    scale = unit.log_tau_s.exp().rsqrt()
    queries, keys = (_layer_norm(v, scale)[:, None] for v in (places, cells))
    within = functional.scaled_dot_product_attention(queries, keys, cells[:, None], scale=1.0)[:, 0]
    read = torch.addcmul(places, unit.gamma_c, places @ unit._between(x).mT)
    return torch.addcmul(read, unit.gamma_s, within).mT.view_as(x)


def recomputed(unit: Affinity, x: Tensor) -> Tensor:
    """What ships, forgotten after the way there and computed again on the way back; not what ships."""
    found: Tensor = checkpoint(Affinity.forward, unit, x, use_reentrant=False, preserve_rng_state=False)
    return found


WAYS: dict[str, Way] = {
    "none": lambda _unit, x: x,
    "as written": written,
    "+ layer norm": normalised,
    "+ temperature folded in": folded,
    "+ places in rows (ships)": Affinity.forward,
    "fused softmax instead": fused,
    "recomputed instead": recomputed,
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    of_one = given.backbone, given.size, given.batch
    # Forked before this process has computed anything, each way starts from the same small process.
    with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        memory = dict(zip(WAYS, pool.starmap(growth_mib, [(*of_one, way) for way in WAYS], chunksize=1), strict=True))
    with reproducible(0, torch.device("cpu"), threads=1):
        bench = Bench(*of_one)
        bench.check()
        seconds = bench.seconds(given.repeats)
    print(f"{given.backbone}, {given.size} px, a training step on {given.batch} images, torch {torch.__version__}, CPU")
    print(f"{'':26} {'ms per image':>12} {'times none':>10} {'MiB':>6} {'times none':>10}  same bits twice", flush=True)
    for way, spent in seconds.items():
        of_time, of_memory = spent / seconds["none"], memory[way] / memory["none"]
        print(
            f"{way:26} {1000 * spent / given.batch:12.1f} {of_time:10.2f} {memory[way]:6.0f} {of_memory:10.2f}  "
            f"{'yes' if bench.repeats_itself(way) else 'NO'}"
        )


class Bench:
    """One network on fixed images, trained by whichever way its units are computed."""

    def __init__(self, backbone: str, size: int, batch: int) -> None:
        self.network = LAM(backbone=backbone).build(1, CLASSES).to(memory_format=torch.channels_last).train()
        self.units = [module for module in self.network.modules() if isinstance(module, Affinity)]
        images = 255 * torch.rand((batch, 1, size, size), generator=torch.Generator().manual_seed(0))
        self.images, self.targets = images.contiguous(memory_format=torch.channels_last), torch.arange(batch) % CLASSES
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=1e-3, momentum=0.9)
        with torch.no_grad():
            for unit in self.units:
                unit.gamma_c.fill_(0.2)
                unit.gamma_s.fill_(0.2)

    def take(self, way: str) -> None:
        """Computes every unit this way from now on."""
        for unit in self.units:
            unit.forward = MethodType(WAYS[way], unit)

    def gradients(self, way: str) -> list[Tensor]:
        """The gradients of one step, without the step."""
        self.take(way)
        self.optimiser.zero_grad(set_to_none=True)
        functional.cross_entropy(self.network(self.images), self.targets).backward()
        return [p.grad for p in self.network.parameters() if p.grad is not None]

    def step(self, way: str) -> None:
        """One step of training."""
        self.gradients(way)
        self.optimiser.step()

    def check(self) -> None:
        """Asserts that all ways but `none` give the same maps and the same gradients of them."""
        unit, x = self.units[0], torch.rand((2, 16, 12, 12), generator=torch.Generator().manual_seed(1))
        x.requires_grad_()

        def both(way: Way) -> tuple[Tensor, Tensor]:
            found = way(unit, x)
            return found.detach(), torch.autograd.grad(found.square().sum(), x)[0]

        expected = both(Affinity.forward)
        for name, way in WAYS.items():
            pairs = zip(both(way), expected, strict=True)
            assert name == "none" or all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs), name

    def seconds(self, repeats: int) -> dict[str, float]:
        """Processor seconds of a step by way, the first of each not counted."""
        spent: dict[str, list[float]] = {way: [] for way in WAYS}
        for repeat in range(repeats + 1):
            for way in WAYS:
                started = time.process_time()
                self.step(way)
                if repeat:
                    spent[way].append(time.process_time() - started)
        return {way: statistics.median(values) for way, values in spent.items()}

    def repeats_itself(self, way: str) -> bool:
        """Whether a step gives the same gradients twice, to the bit, with two threads and torch deterministic."""
        with reproducible(0, torch.device("cpu"), threads=2):
            first = [gradient.clone() for gradient in self.gradients(way)]
            return all(torch.equal(a, b) for a, b in zip(first, self.gradients(way), strict=True))


def growth_mib(backbone: str, size: int, batch: int, way: str) -> float:
    """By how much the largest resident size grows in two steps; only the first call in a process means anything."""
    with reproducible(0, torch.device("cpu"), threads=1):
        bench = Bench(backbone, size, batch)
        before = _resident_mib()
        bench.step(way)
        bench.step(way)
        return _resident_mib() - before


def _spelled(unit: Affinity, x: Tensor, vectors: Callable[[Tensor, Tensor], Tensor], *, folded: bool) -> Tensor:
    maps, cells = x.flatten(2), unit._cells(x).mT
    between = _attended(maps, maps, vectors, unit.log_tau_c.exp(), folded=folded) @ maps
    within = cells @ _attended(maps.mT, cells.mT, vectors, unit.log_tau_s.exp(), folded=folded).mT
    return (maps + unit.gamma_c * between + unit.gamma_s * within).view_as(x)


def _attended(
    queries: Tensor, keys: Tensor, vectors: Callable[[Tensor, Tensor], Tensor], tau: Tensor, *, folded: bool
) -> Tensor:
    one = torch.ones_like(tau)
    scale = tau.rsqrt() if folded else one
    energies = vectors(queries, scale) @ vectors(keys, scale).mT
    return (energies if folded else energies / tau).softmax(-1)


def _unit_vectors(vectors: Tensor, _scale: Tensor) -> Tensor:
    centred = vectors - vectors.mean(-1, keepdim=True)
    return centred / (torch.linalg.vector_norm(centred, dim=-1, keepdim=True) + EPSILON)


def _layer_norm(vectors: Tensor, scale: Tensor) -> Tensor:
    d = vectors.shape[-1]
    return functional.layer_norm(vectors, (d,), (scale / d**0.5).expand(d), eps=EPSILON**2 / d)


def _resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

"""Leave-one-subject-out training: fold by fold against many folds at once, on the processor and on a GPU.

Usage: python -m benchmarks.loso_training [--network ststnet|lam ...] [--folds N] [--epochs N] [--at-once N ...]
                                          [--device auto|cpu|cuda] [--precision P ...]

Images are noise: what is measured is time and memory. Sizes are those of the field's main protocol, 442 clips of 68
subjects. First the two ways are shown to give the same: weights in float64 after an epoch of four folds. Then each way
runs in a process of its own, one after the other; folds per minute are those of a training of 500 epochs (ststnet, as
its authors trained) or 40 (lam), told from the epochs that were run. The ratio is to fold by fold in the same run.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mebench.lam.model import LAM
from mebench.learning import Settings, train
from mebench.learning.reproducible import pick_device
from mebench.learning.settings import Precision
from mebench.learning.together import Part, train_together
from mebench.runs import environment

CLIPS, SUBJECTS, CLASSES = 442, 68, 3
EQUAL = 1e-9
STREAMS = (3, 5, 8)


class Sts(nn.Module):
    """Three shallow streams over flow and strain, of the size of STSTNet (Liong et al., FG 2019): 1 683 weights."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3, maps, 3, padding=1),
                nn.ReLU(),
                nn.BatchNorm2d(maps),
                nn.MaxPool2d(3, 3, 1),
                nn.Dropout(0.5),
            )
            for maps in STREAMS
        )
        self.head = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(torch.cat([stream(images) for stream in self.streams], dim=1))
        return scores


@dataclass(frozen=True)
class Network:
    """A network to train: how it is built for so many channels and classes, its images, and its authors' settings."""

    build: Callable[[int, int], nn.Module]
    shape: tuple[int, int, int]
    settings: Settings


SMALL_LAM = LAM(backbone="resnet18", width=16, size=32, channels="pair", epochs=40)
NETWORKS = {
    "ststnet": Network(
        lambda _, classes: Sts(classes),
        (3, 28, 28),
        Settings(500, 256, "adam", 5e-5, 0.0, schedule="constant", balance="none"),
    ),
    "lam": Network(SMALL_LAM.build, (2, 32, 32), SMALL_LAM.settings()),
}
"""STSTNet with the optimiser, batch and rate of its authors; LAM on ResNet-18, narrow and on small images, so that a
processor can do it."""


@dataclass(frozen=True)
class Way:
    """One way to train all folds: `at_once` of them together, 1 being fold by fold."""

    network: str
    device: str
    precision: Precision
    folds: int
    epochs: int
    at_once: int


@dataclass(frozen=True)
class Measured:
    """Seconds of training, and the peak of memory in MiB: of the process, and on the GPU (0 without one)."""

    seconds: float
    peak_mib: float
    device_mib: float


def main(arguments: Sequence[str]) -> int:
    """0 once every line is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loso_training")
    parser.add_argument("--network", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--folds", type=int, default=SUBJECTS)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--at-once", type=int, nargs="+", default=[8, SUBJECTS])
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", nargs="+", choices=["float32", "bfloat16"], default=["float32"])
    options = parser.parse_args(arguments)
    device = pick_device(options.device).type
    print(f"{hardware(device)}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for network in options.network:
        print(f"{network}: weights at once and fold by fold differ by {difference(network):.1e} in float64")
        baseline = None
        for precision in options.precision:
            for at_once in (1, *options.at_once):
                way = Way(network, device, precision, options.folds, options.epochs, min(at_once, options.folds))
                found = measured_apart(way)
                baseline = baseline or found
                print(line(way, found, baseline), flush=True)
    return 0


def hardware(device: str) -> str:
    """The name of what computes."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{environment()['cpu']} ({platform.machine()})"


def line(way: Way, found: Measured, baseline: Measured) -> str:
    """One way in words."""
    whole = NETWORKS[way.network].settings.epochs
    per_minute = 60 * way.folds / (found.seconds / way.epochs * whole)
    name = "fold by fold" if way.at_once == 1 else f"{way.at_once} folds at once"
    memory = f"{found.peak_mib:6.0f} MiB" + (f", GPU {found.device_mib:6.0f} MiB" if way.device == "cuda" else "")
    return (
        f"  {way.precision:8} {name:18} {found.seconds:8.2f} s for {way.epochs} epochs of {way.folds} folds, "
        f"{per_minute:8.2f} folds/min of {whole} epochs, x{baseline.seconds / found.seconds:5.2f}, {memory}"
    )


def difference(network: str) -> float:
    """The largest difference of a weight between the two ways after an epoch of four folds, asserted small.

    On the processor, whatever is measured: there dropout draws the same in both ways.
    """
    settings = replace(NETWORKS[network].settings, epochs=1, precision="float64", device="cpu")
    X, parts = data(NETWORKS[network].shape, 4)
    alone, together = (trained(network, settings, X, parts, at_once) for at_once in (1, 4))
    pairs = [
        zip(a.state_dict().values(), b.state_dict().values(), strict=True) for a, b in zip(alone, together, strict=True)
    ]
    found = max(float((u.double() - v.double()).abs().max()) for pair in pairs for u, v in pair)
    assert found < EQUAL, found
    return found


def data(shape: tuple[int, int, int], folds: int) -> tuple[NDArray[np.uint8], list[Part]]:
    """Images of noise, and folds that leave out subjects of unequal size."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (CLIPS, *shape), dtype=np.uint8)
    y = rng.choice(CLASSES, CLIPS, p=[250 / 442, 109 / 442, 83 / 442])  # as the main protocol has them
    subject = np.sort(np.concatenate([np.arange(SUBJECTS), rng.choice(SUBJECTS, CLIPS - SUBJECTS)]))
    rows = [np.flatnonzero(subject != held_out) for held_out in range(folds)]
    return X, [Part(kept, y[kept], seed) for seed, kept in enumerate(rows)]


def measured_apart(way: Way) -> Measured:
    """What a process of its own measured, whose peak of memory is this way's alone."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (way,))


def measured(way: Way) -> Measured:
    """Time and memory of one way, after one epoch of one group of folds, which loads and warms up."""
    X, parts = data(NETWORKS[way.network].shape, way.folds)
    settings = replace(NETWORKS[way.network].settings, device=way.device, precision=way.precision)
    trained(way.network, replace(settings, epochs=1), X, parts[: way.at_once], way.at_once)
    if way.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    trained(way.network, replace(settings, epochs=way.epochs), X, parts, way.at_once)  # weights end on the processor
    seconds = time.perf_counter() - started
    on_device = torch.cuda.max_memory_allocated() / 2**20 if way.device == "cuda" else 0.0
    return Measured(seconds, peak_mib(), on_device)


def peak_mib() -> float:
    """The peak of this process alone; `ru_maxrss` starts with that of the process which started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def trained(
    network: str, settings: Settings, X: NDArray[np.uint8], parts: Sequence[Part], at_once: int
) -> list[nn.Module]:
    """The networks of all folds, trained, on the processor."""
    found = []
    for start in range(0, len(parts), at_once):
        group = parts[start : start + at_once]
        networks = [seeded(network, part.seed) for part in group]
        if at_once == 1:
            train(networks[0], X[group[0].rows], group[0].codes, settings, group[0].seed)
        else:
            train_together(networks, X, group, settings)
        found += [one.cpu() for one in networks]
    return found


def seeded(network: str, seed: int) -> nn.Module:
    """The network with initial weights of this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[network].build(NETWORKS[network].shape[0], CLASSES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

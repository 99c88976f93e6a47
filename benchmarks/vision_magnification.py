"""What magnification does with a tenth of a pixel: gain, resemblance, detection, noise, false motion, seconds.

Usage: python -m benchmarks.vision magnification [--methods M ...] [--factors F ...] [--shifts S ...]
       [--noise SIGMA ...] [--textures N] [--frames N]

Pictures that no magnifier of ours was trained on (two of scikit-image's photographs, and drawn faces and patterns) are
moved as a whole by a known shift and magnified. `gain` is what `mebench.magnifier.judging` finds; SSIM is against the
picture moved by the asked factor; d' compares flow magnitude from first to magnified image where a disc of skin moves
and where nothing does; `deviation` is that of a still, noisy pair after magnification over that before; `false motion`
the mean flow magnitude, px, that the magnified still pair shows.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import structural_similarity

from mebench.magnifier.judging import BORDER_PX, SIDE, as_bytes, mean_of, measure, shifted
from mebench.magnifier.textures import SUPERSAMPLING, Texture, held_out
from mebench.magnifier.weights import load_magnifier
from mebench.vision.flow import flow
from mebench.vision.magnification import learned
from mebench.vision.magnification.eulerian import linear
from mebench.vision.magnification.phase import STEERABLE, two_frame
from mebench.vision.magnification.riesz import Riesz

Image = NDArray[np.uint8]
Magnify = Callable[[Image, Image, float], NDArray[Any]]

FACTORS = (2.0, 4.0, 6.0, 10.0, 20.0)
SHIFTS_PX = (0.05, 0.1, 0.25, 0.5, 1.0)
MOST_MOVED_PX = 12.0
"""Of magnified motion: more leaves too little of a 128 px picture to compare."""
DISC_PX = 22.0


@dataclass(frozen=True)
class Row:
    """What one method does at one factor, shift and noise."""

    method: str
    noise: float
    factor: float
    shift_px: float
    gain: float
    error: float
    ssim: float
    detection: float


def main(arguments: Sequence[str]) -> int:
    """0 once the tables are printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vision magnification")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--factors", nargs="+", type=float, default=list(FACTORS))
    parser.add_argument("--shifts", nargs="+", type=float, default=list(SHIFTS_PX))
    parser.add_argument("--noise", nargs="+", type=float, default=[0.0, 2.0], help="grey levels")
    parser.add_argument("--textures", type=int, default=4, help="of 6 held-out pictures")
    parser.add_argument("--frames", type=int, default=16, help="of the clip that is timed")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    pictures = held_out_pictures()[: options.textures]
    for noise in options.noise:
        header(f"noise {noise:g} grey levels: gain (SSIM to truth, d')", options.shifts)
        for factor in options.factors:
            for method in options.methods:
                rows = [row_of(method, factor, shift, noise, pictures) for shift in options.shifts]
                print(f"  x{factor:<4g} {method:9} " + "".join(map(cell, rows)), flush=True)
    print("\nstill pairs, noise 2: deviation after over before (false motion, px), and seconds per clip", flush=True)
    for method in options.methods:
        told = [still(method, factor, pictures) for factor in options.factors]
        stills = "  ".join(
            f"x{f:g} {gain:5.2f} ({px:.3f})" for f, (gain, px) in zip(options.factors, told, strict=True)
        )
        print(f"  {method:9} {stills}   {seconds(method, options.frames):6.2f} s", flush=True)
    return 0


def held_out_pictures() -> tuple[Texture, ...]:
    """Two photographs of scikit-image, which is no dependency of the package, and what it draws and holds out."""
    photographs = []
    for name, image in (("astronaut", data.astronaut()[:300, 60:380]), ("camera", data.camera()[30:330, 100:420])):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        enlarged = cv2.resize(grey, None, fx=SUPERSAMPLING, fy=SUPERSAMPLING, interpolation=cv2.INTER_LANCZOS4)
        photographs.append(Texture(name, enlarged.astype(np.float32), ""))
    return (*photographs, *held_out())


def row_of(method: str, factor: float, shift_px: float, noise: float, pictures: Sequence[Texture]) -> Row | None:
    """The means over the pictures, each moved in a direction of its own; None where too little would be left."""
    if factor * shift_px > MOST_MOVED_PX:
        return None
    found, alike, told = [], [], []
    for index, texture in enumerate(pictures):
        height, width = texture.picture.shape
        centre, angle = (width / 2, height / 2), 0.4 + 2.4 * index
        shift = shift_px * np.array([np.cos(angle), np.sin(angle)])
        grainy = grain(noise, index)
        found.append(measure(METHODS[method], texture, centre, shift, factor, grainy))
        first, second = (as_bytes(grainy(shifted(texture, centre, amount * shift))) for amount in (0.0, 1.0))
        truth = as_bytes(shifted(texture, centre, factor * shift))
        drawn = as_bytes(METHODS[method](first, second, factor))
        alike.append(structural_similarity(inside(truth), inside(drawn)))
        told.append(detection(method, texture, centre, shift, factor, grain(noise, 100 + index)))
    mean = mean_of(found)
    return Row(
        method, noise, factor, shift_px, mean.gain, mean.error_asked, float(np.mean(alike)), float(np.mean(told))
    )


def detection(
    method: str, texture: Texture, centre: tuple[float, float], shift: NDArray[Any], factor: float, grainy: Any
) -> float:
    """d' of flow magnitude between moving and still skin: a disc moves, the rest does not."""
    still, moved = shifted(texture, centre, 0 * shift), shifted(texture, centre, shift)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    away = np.hypot(x, y)
    inner = np.clip((DISC_PX + 4 - away) / 8, 0, 1)
    first, second = as_bytes(grainy(still)), as_bytes(grainy(still + inner * (moved - still)))
    drawn = as_bytes(METHODS[method](first, second, factor))
    magnitude = np.hypot(*np.moveaxis(flow(first, drawn, "dis"), -1, 0))
    moving, resting = magnitude[away < DISC_PX - 6], magnitude[(away > DISC_PX + 14) & (away < SIDE / 2)]
    spread = np.sqrt((moving.var() + resting.var()) / 2)
    return float((moving.mean() - resting.mean()) / max(spread, 1e-3))


def still(method: str, factor: float, pictures: Sequence[Texture]) -> tuple[float, float]:
    """How much noise of 2 grey levels grows, and the motion that the magnified still pair shows, px."""
    gains, false = [], []
    for index, texture in enumerate(pictures):
        height, width = texture.picture.shape
        clean = shifted(texture, (width / 2, height / 2), np.zeros(2))
        grainy = grain(2.0, index)
        first, second = as_bytes(grainy(clean)), as_bytes(grainy(clean))
        drawn = as_bytes(METHODS[method](first, second, factor))
        gains.append(inside(drawn - clean).std() / inside(second - clean).std())
        false.append(inside(np.hypot(*np.moveaxis(flow(first, drawn, "dis"), -1, 0))).mean())
    return float(np.mean(gains)), float(np.mean(false))


def seconds(method: str, frames: int, side: int = 224) -> float:
    """One grey clip, each frame against the first."""
    rng = np.random.default_rng(0)
    clip = [as_bytes(cv2.GaussianBlur(rng.normal(128, 60, (side, side)), (0, 0), 2)) for _ in range(frames)]
    METHODS[method](clip[0], clip[1], 4)  # filters and weights are made once
    started = time.perf_counter()
    for frame in clip[1:]:
        METHODS[method](clip[0], frame, 4)
    return time.perf_counter() - started


def grain(noise: float, seed: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A function that adds other noise of this deviation each time."""
    rng = np.random.default_rng([7, seed])
    return lambda image: image + rng.normal(0, noise, image.shape) if noise else image


def inside(image: NDArray[Any]) -> NDArray[Any]:
    return image[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]


def header(title: str, shifts: Sequence[float]) -> None:
    columns = "".join(f"{f'{shift:g} px':>20}" for shift in shifts)
    print(f"\n{title}\n{'':16} {columns}", flush=True)


def cell(row: Row | None) -> str:
    return f"{'-':>20}" if row is None else f"{f'{row.gain:5.2f} ({row.ssim:.3f}, {row.detection:4.1f})':>20}"


def _linear(cutoff_px: float) -> Magnify:
    def band(signal: NDArray[Any], _fps: float) -> NDArray[Any]:
        return signal - signal[:1]

    return lambda first, second, factor: linear(
        np.stack([first, second]), factor, fps=1.0, band=band, cutoff_px=cutoff_px
    )[1]


METHODS: dict[str, Magnify] = {
    "linear": _linear(16.0),
    "linear-0": _linear(0.0),
    "phase": lambda first, second, factor: two_frame(first, second, factor, pyramid=STEERABLE),
    "riesz": lambda first, second, factor: two_frame(first, second, factor, pyramid=Riesz()),
    "learned": lambda first, second, factor: learned.two_frame(load_magnifier(), first, second, factor),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

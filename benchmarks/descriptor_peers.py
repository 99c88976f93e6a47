"""Descriptors as a user would otherwise write them, or take from scikit-image, for `benchmarks.descriptors`."""

import math
from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
from numba import njit

from mebench.baselines.texture.lbp_fip import CORNERS
from mebench.baselines.texture.mappings import mapping_table

BLOCKS = 5
RADII = (1, 1, 4)
POINTS = 8


def places(p: int) -> tuple[tuple[float, float, float], ...]:
    """Where neighbour p lies in the planes XY, XT and YT."""
    sine, cosine = math.sin(2 * math.pi * p / POINTS), math.cos(2 * math.pi * p / POINTS)
    rx, ry, rt = RADII
    return (0.0, -ry * sine, rx * cosine), (rt * sine, 0.0, rx * cosine), (rt * cosine, -ry * sine, 0.0)


def per_pixel(volume: np.ndarray) -> np.ndarray:
    """LBP-TOP in nested Python loops, as most public code has it.

    Kinder than most: where a neighbour lies and what its pixels weigh is worked out once, not for every pixel.
    """
    table, bins = mapping_table("u2", POINTS)
    taps = [[read_from(places(p)[plane]) for p in range(POINTS)] for plane in range(3)]
    rt, border = RADII[2], max(RADII[:2])
    frames, height, width = (n - 2 * m for n, m in zip(volume.shape, (rt, border, border), strict=True))
    histogram = np.zeros((BLOCKS, BLOCKS, 3, bins))
    rows, columns = block_of(height), block_of(width)
    for t in range(rt, rt + frames):
        for y in range(border, border + height):
            for x in range(border, border + width):
                centre = volume[t, y, x] - 1e-5
                for plane in range(3):
                    code = 0
                    for p in range(POINTS):
                        value = 0.0
                        for dt, dy, dx, weight in taps[plane][p]:
                            value += weight * volume[t + dt, y + dy, x + dx]
                        if value >= centre:
                            code += 2**p
                    histogram[rows[y - border], columns[x - border], plane, table[code]] += 1
    return normalised(histogram)


def read_from(step: tuple[float, ...]) -> list[tuple[int, int, int, float]]:
    """The pixels a place is interpolated from, with their weights."""
    return [(t, y, x, a * b * c) for (t, a), (y, b), (x, c) in product(*(whole(c) for c in step))]


def whole(c: float) -> list[tuple[int, float]]:
    """The whole coordinates around one, with their weights."""
    low = math.floor(c + 1e-9)
    part = c - low
    return [(low, 1.0)] if part < 1e-9 else [(low, 1 - part), (low + 1, part)]


def block_of(length: int) -> list[int]:
    """The block of each position: split at floor(i length / blocks)."""
    edges = [i * length // BLOCKS for i in range(BLOCKS + 1)]
    return [block for block, (start, stop) in enumerate(pairwise(edges)) for _ in range(start, stop)]


def normalised(histogram: np.ndarray) -> np.ndarray:
    """Shares of each histogram, in one row."""
    return (histogram / histogram.sum(axis=-1, keepdims=True)).astype(np.float32).ravel()


def sliced(volume: np.ndarray, step: tuple[float, ...], margins: tuple[int, int, int]) -> np.ndarray:
    """The volume moved by a step, interpolated between whole moves, at all centres."""
    total: np.ndarray | float = 0.0
    for *moves, weight in read_from(step):
        window = tuple(slice(m + move, n - m + move) for move, m, n in zip(moves, margins, volume.shape, strict=True))
        total = total + volume[window] * weight
    return np.asarray(total)


def vectorised(volume: np.ndarray, parts: list[list[tuple[float, ...]]], margins: tuple[int, int, int]) -> np.ndarray:
    """Codes (parts, t, h, w) by whole-array numpy: one comparison per neighbour."""
    t, y, x = margins
    centre = volume[t : volume.shape[0] - t, y : volume.shape[1] - y, x : volume.shape[2] - x] - 1e-5
    codes = np.zeros((len(parts), *centre.shape), np.uint8)
    for part, steps in enumerate(parts):
        for p, step in enumerate(steps):
            codes[part] |= (sliced(volume, step, margins) >= centre).astype(np.uint8) << np.uint8(p)
    return codes


def vectorised_histograms(codes: np.ndarray, mapping: str, points: list[int]) -> np.ndarray:
    """Block histograms by one bincount per block and part."""
    rows, columns = ([i * n // BLOCKS for i in range(BLOCKS + 1)] for n in codes.shape[2:])
    found = []
    for (y0, y1), (x0, x1) in product(pairwise(rows), pairwise(columns)):
        for part, count in zip(codes, points, strict=True):
            table, bins = mapping_table(mapping, count)  # type: ignore[arg-type]
            counted = np.bincount(table[part[:, y0:y1, x0:x1]].ravel(), minlength=bins)
            found.append(counted / counted.sum())
    return np.concatenate(found).astype(np.float32)


def vectorised_top(volume: np.ndarray) -> np.ndarray:
    """LBP-TOP by whole-array numpy."""
    steps = [[places(p)[plane] for p in range(POINTS)] for plane in range(3)]
    return vectorised_histograms(vectorised(volume, steps, (4, 1, 1)), "u2", [8] * 3)


def vectorised_sip(volume: np.ndarray) -> np.ndarray:
    """LBP-SIP by whole-array numpy."""
    steps = [[(0, 0, 1), (0, -1, 0), (0, 0, -1), (0, 1, 0)], [(-4, 0, 0), (4, 0, 0)]]
    return vectorised_histograms(vectorised(volume, steps, (4, 1, 1)), "full", [4, 2])


def vectorised_fip(volume: np.ndarray) -> np.ndarray:
    """LBP-FIP by whole-array numpy."""
    steps = [[places(p)[plane] for p in range(POINTS)] for plane in range(3)]
    steps.append([(4 * t, y, x) for y, x, t in CORNERS])
    return vectorised_histograms(vectorised(volume, steps, (4, 1, 1)), "u2", [8] * 4)


@njit
def plain_kernel(volume, steps, weights, table, rows, columns, counts):  # type: ignore[no-untyped-def]
    """LBP-TOP as one writes it for a compiler: a pixel at a time, in floats, straight into the histogram."""
    frames, height, width = volume.shape
    pixels = volume.reshape(-1)
    for t in range(4, frames - 4):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                at = (t * height + y) * width + x
                for plane in range(3):
                    code = 0
                    for p in range(8):
                        value = weights[plane, p, 0] * pixels[at + steps[plane, p, 0]]
                        if weights[plane, p, 0] < 1:
                            value += weights[plane, p, 1] * pixels[at + steps[plane, p, 1]]
                            value += weights[plane, p, 2] * pixels[at + steps[plane, p, 2]]
                            value += weights[plane, p, 3] * pixels[at + steps[plane, p, 3]]
                        if value >= pixels[at] - 1e-5:
                            code |= 1 << p
                    counts[rows[y - 1], columns[x - 1], plane, table[code]] += 1


def plain_numba(volume: np.ndarray) -> np.ndarray:
    """LBP-TOP by the plain kernel; where it looks and with which weights is told in tables."""
    steps, weights = np.zeros((3, POINTS, 4), np.int64), np.zeros((3, POINTS, 4))
    for p in range(POINTS):
        for plane, step in enumerate(places(p)):
            for tap, (t, y, x, weight) in enumerate(read_from(step)):
                steps[plane, p, tap] = (t * volume.shape[1] + y) * volume.shape[2] + x
                weights[plane, p, tap] = weight
    table, bins = mapping_table("u2", POINTS)
    counts = np.zeros((BLOCKS, BLOCKS, 3, bins), np.int64)
    rows, columns = (np.array(block_of(n - 2)) for n in volume.shape[1:])
    plain_kernel(volume, steps, weights, np.array(table), rows, columns, counts)
    return normalised(counts)


def scikit_image_codes(volume: np.ndarray) -> np.ndarray | None:
    """The codes of the three planes at radius 1 by scikit-image, in our order of bits; None where it is not installed.

    It knows circles alone: a radius in time other than in space is beyond it.
    """
    try:
        from skimage.feature import local_binary_pattern
    except ImportError:
        return None
    orders = (0, 1, 2), (1, 0, 2), (2, 0, 1)
    planes = []
    for order in orders:
        images = volume.transpose(order)
        codes = np.stack([local_binary_pattern(image, POINTS, 1) for image in images[1:-1]])
        planes.append(codes[:, 1:-1, 1:-1].astype(np.uint8).transpose(np.argsort(order)))
    # Its bit p lies at (row, column) = (-sin a, cos a). In its images of (t, x) and (t, y) that is our bit -p of XT, at
    # (sin, cos), and our bit -p - P/4 of YT, whose (t, y) is (cos, -sin).
    return np.stack([planes[0], turned(planes[1], lambda p: -p), turned(planes[2], lambda p: -p - POINTS // 4)])


def turned(codes: np.ndarray, place: Callable[[int], int]) -> np.ndarray:
    """The codes with bit p at bit place(p)."""
    return np.bitwise_or.reduce([(codes >> p & 1) << place(p) % POINTS for p in range(POINTS)]).astype(np.uint8)


def bi_woof_arrays(flow: np.ndarray, strain: np.ndarray) -> np.ndarray:
    """Bi-WOOF by numpy: a weighted bincount per block."""
    length = np.hypot(flow[..., 0], flow[..., 1]).astype(float)
    degrees = np.degrees(np.arctan2(flow[..., 1].astype(float), flow[..., 0].astype(float)))
    bins = np.minimum(np.floor((degrees + 180) / 45).astype(int), 7)
    found = []
    for rows, columns in image_blocks(flow.shape[:2]):
        histogram = np.bincount(bins[rows, columns].ravel(), length[rows, columns].ravel(), minlength=8)
        found.append(histogram / histogram.sum() * strain[rows, columns].mean())
    vector = np.concatenate(found)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def hoof_arrays(flow: np.ndarray, bins: int) -> np.ndarray:
    """HOOF of a clip's flow by numpy: a weighted bincount per block."""
    length = np.hypot(flow[..., 0], flow[..., 1]).astype(float)
    angle = np.arctan2(flow[..., 1].astype(float), np.abs(flow[..., 0].astype(float)))
    index = np.clip(np.floor((angle + np.pi / 2) / (np.pi / bins)).astype(int), 0, bins - 1)
    found = []
    for rows, columns in image_blocks(flow.shape[1:3]):
        weights = length[:, rows, columns].ravel()
        found.append(np.bincount(index[:, rows, columns].ravel(), weights, minlength=bins) / weights.sum())
    return np.concatenate(found).astype(np.float32)


def image_blocks(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """The rows and columns of each block of an image."""
    rows, columns = ([i * n // BLOCKS for i in range(BLOCKS + 1)] for n in shape)
    return [(slice(*r), slice(*c)) for r, c in product(pairwise(rows), pairwise(columns))]

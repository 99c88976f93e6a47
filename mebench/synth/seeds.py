"""Independent streams of random numbers, one per purpose, so that nothing drawn for labels can shape anything else."""

import zlib

import numpy as np


def stream(seed: int, dataset: str, purpose: str, index: int = 0) -> np.random.Generator:
    """The generator for one purpose within one corpus; `index` tells subjects or clips apart."""
    entropy = (seed, zlib.crc32(dataset.encode()), zlib.crc32(purpose.encode()))
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(index,)))


__all__ = ["stream"]

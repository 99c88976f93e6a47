"""The conditions under which the same seed gives the same bits, entered and left without a trace."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mebench.errors import ModelError

CUBLAS_WORKSPACE = ":4096:8"
"""The workspace setting cuBLAS needs before its matrix products are deterministic (CUDA 10.2 and later)."""


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is CUDA where torch sees one, otherwise the CPU."""
    if name not in ("auto", "cpu", "cuda"):
        raise ModelError(f"Device {name!r} is not known.", "Choose auto, cpu or cuda.")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ModelError("Device 'cuda' was asked for, but torch sees no CUDA device.", "Choose auto or cpu.")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


@contextmanager
def reproducible(seed: int, device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Nothing; inside, torch is seeded, deterministic and held to `threads` threads, and outside it is as it was.

    The random state, the deterministic mode, the cuDNN flags, the thread count and the environment are all restored.
    Sums are split over threads, so the same bits need the same thread count: None keeps the count torch has.
    """
    cuda = device.type == "cuda"
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    before, workspace = torch.get_num_threads(), os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    with (
        torch.random.fork_rng(devices=[torch.cuda.current_device()] if cuda else []),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        try:
            torch.manual_seed(seed)
            torch.use_deterministic_algorithms(True)
            if cuda:
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
            if threads is not None:
                torch.set_num_threads(threads)
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
            torch.set_num_threads(before)
            if cuda and workspace is None:
                os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)

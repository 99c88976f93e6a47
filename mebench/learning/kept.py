"""The state of a training as bytes, and the key that says which training a state belongs to."""

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mebench.learning.settings import Settings


def packed(state: dict[str, Any]) -> bytes:
    """Tensors, numbers and texts in dicts and lists, as bytes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def unpacked(data: bytes, device: torch.device) -> dict[str, Any]:
    """What was packed, its tensors on the device; nothing in the bytes is executed."""
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    return state


def training_key(
    networks: Sequence[nn.Module], X: NDArray[Any], parts: Sequence[NDArray[Any]], settings: Settings, seeds: list[int]
) -> str:
    """SHA-256 over all that decides a training: initial weights, images, labels, settings, seeds and threads."""
    digest = hashlib.sha256(f"{settings!r} {seeds} {torch.get_num_threads()} {X.dtype} {X.shape}".encode())
    digest.update(X.tobytes())
    for part in parts:
        digest.update(f"{part.dtype} {part.shape}".encode() + np.ascontiguousarray(part).tobytes())
    for network in networks:
        for name, value in network.state_dict().items():
            digest.update(f"{name} {tuple(value.shape)}".encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


__all__ = ["packed", "training_key", "unpacked"]

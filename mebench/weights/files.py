"""Weight files: read without running anything they hold, written so that equal weights give equal bytes.

A file of ours is what `torch.save` makes of three entries: `schema`, `metadata` (JSON as text, see `provenance`) and
`state`, a state dict. Any other file must be a state dict and nothing else. Every file is read by
`torch.load(weights_only=True)`, which builds tensors and refuses to import or call what else a pickle may name.
"""

import hashlib
import io
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mebench.errors import ModelError

SCHEMA = "mebench.weights/1"
MOST_BYTES = 1 << 30
"""A ResNet-34 has 87 MB; nothing here needs a file ten times that."""

_DTYPES = frozenset(
    {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32}
    | {torch.int64, torch.bool}
)
_DIGEST_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, eq=False)
class WeightFile:
    """A file of weights: tensors by name, what it says of itself (None where it says nothing), and two digests.

    `digest` is the SHA-256 of the file, `state_digest` that of the tensors alone: the same whatever file they lie in.
    """

    state: Mapping[str, Tensor]
    metadata: Mapping[str, Any] | None
    digest: str
    state_digest: str
    size: int


def load_weights(path: Path | str) -> WeightFile:
    """The weights in a file.

    Raises ModelError where it is none: unreadable, not a state dict, values that are not finite, or, in a file that is
    named by a digest as those of the registry are, other bytes than that.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} has more than {MOST_BYTES >> 20} MiB.", "Give a file of weights.")
        data = path.read_bytes()
    except OSError as fault:
        raise ModelError(
            f"{path} cannot be read: {fault.strerror}.", "Give a file of weights that is there."
        ) from fault
    digest = hashlib.sha256(data).hexdigest()
    if _DIGEST_NAME.fullmatch(path.stem) and path.stem != digest:
        raise ModelError(
            f"{path} is damaged: its content has digest {digest[:12]}.", "Put the file there again under its own name."
        )
    return parse_weights(data, str(path))


def parse_weights(data: bytes, where: str) -> WeightFile:
    """The weights in the bytes of a file; `where` names it in errors."""
    content = _loaded(data, where)
    ours = content.get("schema") == SCHEMA
    metadata = _metadata(content, where) if ours else None
    state = _checked_state(content.get("state") if ours else content, where)
    return WeightFile(state, metadata, hashlib.sha256(data).hexdigest(), state_digest(state), len(data))


def encode_weights(state: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a file of ours; equal tensors and metadata give equal bytes."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)
    image = io.BytesIO()
    torch.save({"schema": SCHEMA, "metadata": text, "state": tensors}, image)
    return image.getvalue()


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values of the tensors, in the order of their names."""
    seal = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        seal.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        seal.update(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return seal.hexdigest()


def _loaded(data: bytes, where: str) -> Mapping[str, Any]:
    try:
        with warnings.catch_warnings():  # of old formats and of pickles, which are none of the user's business
            warnings.simplefilter("ignore")
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as fault:  # a stranger's file: a pickle that names code, an archive cut short, no archive at all
        raise _no_state(where, "it is no file of tensors, or holds more than tensors") from fault
    if not isinstance(content, Mapping):
        raise _no_state(where, f"it holds a {type(content).__name__}")
    return content


def _metadata(content: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(content["metadata"])
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        raise _no_state(where, "what it says of itself is damaged") from fault
    if not isinstance(found, dict):
        raise _no_state(where, "what it says of itself is damaged")
    return found


def _checked_state(content: Any, where: str) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        raise _no_state(where, "it holds no tensors by name")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or not _is_plain(value):
            raise _no_state(where, f"its entry {name!r} is a {type(value).__name__} of no plain numbers")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise _no_state(where, f"its entry {name} holds values that are not finite")
    return dict(content)


def _is_plain(value: Tensor) -> bool:
    """Whether the numbers lie in memory one by one: a view of few numbers may pretend to be billions."""
    if value.layout is not torch.strided or value.is_nested or value.device.type != "cpu" or value.dtype not in _DTYPES:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _no_state(where: str, why: str) -> ModelError:
    return ModelError(
        f"{where} is no state dict: {why}.",
        "Save model.state_dict() alone, or take a file that mebench pretrain wrote.",
    )


__all__ = ["MOST_BYTES", "SCHEMA", "WeightFile", "encode_weights", "load_weights", "parse_weights", "state_digest"]

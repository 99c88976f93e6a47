"""The weights of a magnifier: those that ship, those of `mebench pretrain magnifier`, and a public port's.

The port is ZhengPeng7/motion_magnification_learning-based (MIT), release v1.0: 42 tensors of the paper's layers, three
colours in −1..1, and the factor itself as the multiplier. Files are read as state dicts, never as pickled modules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from mebench.errors import ModelError
from mebench.files import sha256_file
from mebench.vision.magnification.network import Calibration, Design, Magnifier
from mebench.weights.files import WeightFile, load_weights

SHIPPED: Final = Path(__file__).with_name("magnifier.pt")
KIND: Final = "magnifier"
"""What the metadata of a file of ours calls itself."""

PORT: Final = Design(colours=3, width=32, blocks=9, convention="factor", border="reflect")
"""The network of the public port."""


def path_of(weights: str) -> Path:
    """Where a parameter `weights` points; nothing means the weights that ship."""
    return Path(weights).expanduser() if weights else SHIPPED


def digest_of(weights: str) -> str:
    """The SHA-256 of the file; ModelError where it cannot be read."""
    path = path_of(weights)
    try:
        return sha256_file(path)
    except OSError as fault:
        raise ModelError(
            f"The magnifier's weights {path} cannot be read: {fault.strerror}.", "Give a file of weights that is there."
        ) from fault


def load_magnifier(weights: str = "") -> Magnifier:
    """The network in a file, ready to magnify; ModelError where the file holds another one."""
    return _loaded(weights, digest_of(weights))


@lru_cache(maxsize=4)
def _loaded(weights: str, _digest: str) -> Magnifier:
    path = path_of(weights)
    return network_of(load_weights(path), str(path))


def network_of(found: WeightFile, where: str) -> Magnifier:
    """The network of a file of ours, or of the public port; `where` names it in errors."""
    calibration: Calibration = ()
    if found.metadata is None:
        design, state = PORT, renamed(found.state)
    else:
        design, state = _design(found.metadata, where), dict(found.state)
        calibration = _calibration(found.metadata, where)
    network = Magnifier(design)
    network.calibration = calibration
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if given != wanted:
        odd = sorted(name for name in given.keys() | wanted.keys() if given.get(name) != wanted.get(name))
        raise ModelError(
            f"{where} holds no magnifier: {len(odd)} of its tensors are not this network's, {odd[0]} among them.",
            "Give a file of mebench pretrain magnifier, or the state dict of the public port (docs/magnification.md).",
        )
    network.load_state_dict(state)
    return network.eval().requires_grad_(requires_grad=False)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the port under our names; what the port does not have keeps its name."""
    names = dict(port_names())
    plain = {name.removeprefix("module."): value for name, value in state.items()}
    return {names.get(name, name): value for name, value in plain.items()}


def port_names() -> Iterator[tuple[str, str]]:
    """Every name of the port with ours."""
    pairs = [
        *[("encoder.cba_1", "encoder.stem"), ("encoder.cba_2", "encoder.halving")],
        *_blocks("encoder.resblks", "encoder.common", 3),
        ("encoder.texture_cba", "encoder.to_texture"),
        *_blocks("encoder.texture_resblks", "encoder.texture", 2),
        ("encoder.motion_cba", "encoder.to_shape"),
        *_blocks("encoder.motion_resblks", "encoder.shape", 2),
        *[("manipulator.g", "manipulator.g"), ("manipulator.h_conv", "manipulator.h.0")],
        *_block("manipulator.h_resblk", "manipulator.h.1"),
        *_blocks("decoder.resblks", "decoder.blocks", 9),
        *[("decoder.cba_1", "decoder.narrowing"), ("decoder.cba_2", "decoder.drawing")],
    ]
    return ((f"{theirs}.conv2d.weight", f"{ours}.weight") for theirs, ours in pairs)


def _blocks(theirs: str, ours: str, count: int) -> Iterator[tuple[str, str]]:
    return (pair for i in range(count) for pair in _block(f"{theirs}.{i}", f"{ours}.{i}"))


def _block(theirs: str, ours: str) -> list[tuple[str, str]]:
    return [(f"{theirs}.cba_1", f"{ours}.first"), (f"{theirs}.cba_2", f"{ours}.second")]


def _design(metadata: Mapping[str, Any], where: str) -> Design:
    """The design a file says it is of, held against what a design may be."""
    said = metadata.get("design")
    known = {field.name for field in fields(Design)}
    if metadata.get("kind") != KIND or not isinstance(said, Mapping) or set(said) != known:
        raise ModelError(f"{where} holds weights of something else than a magnifier.", "Give a magnifier's.")
    numbers = [
        said["colours"] in (1, 3),
        *(isinstance(said[n], int) and 1 <= said[n] <= 256 for n in ("width", "blocks")),
    ]
    words = [said["convention"] in ("factor", "factor-1"), said["border"] in ("reflect", "zero")]
    if not all((*numbers, *words)):
        raise ModelError(f"{where} says it is a magnifier of no design there is.", "Train it again.")
    return Design(**said)


def _calibration(metadata: Mapping[str, Any], where: str) -> Calibration:
    """The calibration in a file: none, or pairs of a rising factor above 1 and a share above 0."""
    said = metadata.get("calibration", [])
    fine = isinstance(said, list) and all(_is_pair(pair) for pair in said)
    if not fine or any(after[0] <= before[0] for before, after in pairwise(said)):
        raise ModelError(f"{where} says it is a magnifier of no calibration there is.", "Train it again.")
    return tuple((float(factor), float(share)) for factor, share in said)


def _is_pair(pair: object) -> bool:
    if not (isinstance(pair, list) and len(pair) == 2 and all(type(value) in (int, float) for value in pair)):
        return False
    factor, share = map(float, pair)
    return 1 < factor < inf and 0 < share < inf


__all__ = ["KIND", "PORT", "SHIPPED", "digest_of", "load_magnifier", "network_of", "path_of", "port_names", "renamed"]

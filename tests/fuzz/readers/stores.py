"""Stored clips (HDF5), cached inputs (NPY) and weights (torch): containers whose parts were exchanged, seals that fit.

A seal that fits is no accident: where it does, the least that is asked is that nothing crashes, swells or runs, and
that an input is never made of pixels other than those the clip was entered with.
"""

import hashlib
import io
import json
import pickle
import random
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mebench.corpora import load_clips
from mebench.errors import StoreError
from mebench.files import sidecar
from mebench.inputs import InputSet, compute_inputs
from mebench.store import StoredClip, clip_path, read_clip
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.labs import home_with, lab_of
from tests.fuzz.structures import changed
from tests.fuzz.values import damaged, scalar, text

CLIP = "casme2/sub01/EP01_01"
RECIPE = "crop(size=8) > grey > onset > flatten"


def _prepare(place: Place) -> None:
    lab_of(place)


@cache
def _clips(root: Path) -> tuple[Any, ...]:
    return tuple(clip for clip in load_clips("casme2", root / "corpus") if clip.subject == "casme2/sub01")


def _seal(rng: random.Random, path: Path, content: str | None = None) -> None:
    """The seal of what lies there now, with the notes it had, or with another content digest."""
    lines = [line for line in sidecar(path).read_text().splitlines() if line.startswith("# ")]
    if content is not None:
        lines = [f"# content {content}" if line.startswith("# content") else line for line in lines]
    sidecar(path).write_text("\n".join([*lines, f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}", ""]))


def _store_case(rng: random.Random, place: Place) -> Case:  # noqa: C901 -- one branch per kind
    home = home_with(place, "store")
    path = clip_path(home, CLIP)
    before = _sound_clip(lab_of(place) / "home")
    if rng.random() < 0.3:
        path.write_bytes(damaged(rng, path.read_bytes()))
        title, valid, fits = "bytes", False, rng.random() < 0.4
    elif rng.random() < 0.1:
        sidecar(path).write_bytes(damaged(rng, sidecar(path).read_bytes()))
        title, valid, fits = "seal", False, False
    else:
        title, valid, fits = _hdf5(rng, path, place), True, rng.random() < 0.85
    if fits:
        _seal(rng, path)

    def read() -> tuple[StoredClip | None, InputSet]:
        made = compute_inputs(home, RECIPE, _clips(lab_of(place)))
        try:
            return read_clip(home, CLIP), made
        except StoreError:
            if CLIP in made:
                raise AssertionError("an input was made of a clip that cannot be read") from None
            return None, made

    def judge(found: tuple[StoredClip | None, InputSet]) -> str:
        clip, made = found
        if clip is None:
            return ""
        if not fits and clip.digest != before.digest:
            return "other pixels under a seal that is not theirs"
        if clip.digest != before.digest and CLIP in made:
            return "an input was made of pixels that were not entered"
        t = len(clip.frames)
        if (len(clip.numbers), clip.motion.shape, clip.landmarks.shape, clip.box.shape) != (
            t,
            (t, 2, 3),
            (68, 2),
            (4,),
        ):
            return f"shapes {clip.frames.shape} {clip.numbers.shape} {clip.motion.shape} {clip.landmarks.shape}"
        return (
            "" if clip.interval[0] <= clip.interval[1] and 0 < clip.fps < 1e6 else f"{clip.interval} at {clip.fps} fps"
        )

    return Case(f"{title}{', sealed again' if fits else ''}", valid, read, judge)


@cache
def _sound_clip(home: Path) -> StoredClip:
    return read_clip(home, CLIP)


def _hdf5(rng: random.Random, path: Path, place: Place) -> str:
    """An attribute or a dataset is exchanged; the file stays HDF5."""
    with h5py.File(path, "r+") as file:
        if rng.random() < 0.4:
            name = rng.choice([*file.attrs, "schema", "interval", "fps"])
            how = rng.choice(("gone", "scalar", "array", "text", "bytes"))
            if name in file.attrs:
                del file.attrs[name]
            value: Any = {
                "scalar": lambda: rng.choice((0, -1, 1e308, float("nan"), float("inf"), 2**62, True)),
                "array": lambda: np.array(
                    rng.choice(([], [1], [5, 1], [1, 2, 3], [[1, 2], [3, 4]], [1e300, 2], [np.inf, 1]))
                ),
                "text": lambda: text(rng).replace("\0", "").encode("utf-8", "replace").decode(),
                "bytes": lambda: np.bytes_(b"\xff\xfe"),
            }.get(how, lambda: None)()
            if how != "gone":
                file.attrs[name] = value
            return f"attribute {name}: {how} {value!r:.40}"
        name = rng.choice(list(file))
        return f"dataset {name}: {_dataset(rng, file, name, place)}"


def _dataset(rng: random.Random, file: h5py.File, name: str, place: Place) -> str:  # noqa: C901 -- one branch per kind
    old = file[name][()]
    how = rng.choice(
        (
            "gone",
            "group",
            "soft",
            "external",
            "storage",
            "virtual",
            "shape",
            "shape",
            "type",
            "type",
            "values",
            "values",
            "empty",
            "huge",
            "packed",
            "strings",
            "objects",
            "scalar",
        )
    )
    del file[name]
    elsewhere = str(place.outside / "secret.txt")
    if how == "group":
        file.create_group(name)
    elif how == "soft":
        file[name] = h5py.SoftLink(rng.choice((f"/{name}", "/numbers", "/nowhere")))
    elif how == "external":
        file[name] = h5py.ExternalLink(rng.choice((elsewhere, "/etc/passwd")), "/x")
    elif how == "storage":
        file.create_dataset(name, old.shape, old.dtype, external=[(elsewhere, 0, h5py.h5f.UNLIMITED)])
    elif how == "virtual":
        layout = h5py.VirtualLayout(old.shape, old.dtype)
        layout[...] = h5py.VirtualSource(elsewhere, "x", old.shape)
        file.create_virtual_dataset(name, layout)
    elif how == "shape":
        file[name] = rng.choice((old[..., :-1], old[None], old.ravel(), np.concatenate([old, old])))
    elif how == "type":
        file[name] = old.astype(rng.choice((np.float32, np.int8, np.uint64, np.bool_, np.complex64, ">i4")))
    elif how == "values":
        new = old.copy().ravel()
        new[rng.randrange(new.size)] = rng.choice((0, 1, 127))
        if old.dtype.kind == "f" and rng.random() < 0.5:
            new[0] = rng.choice((np.nan, np.inf, 1e30))
        file[name] = new.reshape(old.shape)
    elif how == "empty":
        file[name] = rng.choice((np.zeros((0, *old.shape[1:]), old.dtype), h5py.Empty(old.dtype)))
    elif how == "huge":
        file.create_dataset(name, (10**6, 10**4, 10), old.dtype, chunks=(1, 10**4, 10))
    elif how == "packed":
        file.create_dataset(name, data=np.zeros((4000, 4000), old.dtype), chunks=True, compression="gzip")
    elif how == "strings":
        file.create_dataset(name, data=["a", "b"], dtype=h5py.string_dtype())
    elif how == "objects":
        file.create_dataset(name, (2,), dtype=h5py.ref_dtype)
    elif how == "scalar":
        file[name] = old.ravel()[0]
    return how


def _input_case(rng: random.Random, place: Place) -> Case:  # noqa: C901 -- one branch per kind
    """A cached input and its seal."""
    home = home_with(place, "store", "inputs")
    path = sorted(home.glob("inputs/*/casme2/sub01/*.npy"))[0]
    array = np.load(path)
    how = rng.choice(("bytes", "bytes", "seal", "values", "shape", "type", "pickle", "header", "header", "npz"))
    held = io.BytesIO()
    if how == "bytes":
        held.write(damaged(rng, path.read_bytes()))
    elif how == "values":
        np.save(held, array + 1)
    elif how == "shape":
        np.save(held, rng.choice((array[:-1], array[None], np.zeros(0))))
    elif how == "type":
        np.save(held, array.astype(rng.choice((np.float64, np.int16, np.complex128, "U4"))))
    elif how == "pickle":
        np.save(held, np.array([_Running("touch executed")], object), allow_pickle=True)
    elif how == "header":
        shape = rng.choice(
            ("(10**9,)", f"({10**12},)", "(-1,)", "(2, 2", "('a',)", "__import__('os').system('touch executed')")
        )
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        held.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    elif how == "npz":
        np.savez(held, array=array)
    fits = how != "seal" and rng.random() < 0.5
    if how == "seal":
        sidecar(path).write_bytes(damaged(rng, sidecar(path).read_bytes()))
    else:
        path.write_bytes(held.getvalue())
    if fits:
        _seal(rng, path)

    def read() -> np.ndarray:
        made = compute_inputs(home, RECIPE, _clips(lab_of(place)))
        return made[CLIP]

    def judge(found: np.ndarray) -> str:
        return (
            "" if fits or np.array_equal(found, array) else f"{found.shape} {found.dtype} instead of what was computed"
        )

    return Case(f"{how}{', sealed again' if fits else ''}", how not in ("bytes", "seal"), read, judge)


class _Running:
    """A pickle of this runs a command where it is loaded."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (self.command,)


def _weights_case(rng: random.Random, place: Place) -> Case:  # noqa: C901 -- one branch per kind
    import torch

    from mebench.weights.files import WeightFile, encode_weights, load_weights

    torch.manual_seed(0)
    state = OrderedDict((f"layer{i}.weight", torch.randn(3, 4)) for i in range(3))
    metadata: dict[str, Any] = {
        "provenance": {"schema": "mebench.provenance/1", "chain": "scratch", "seen": []},
        "x": [1],
    }
    valid, held = True, io.BytesIO()
    how = rng.choice(
        (
            "metadata",
            "metadata",
            "tensor",
            "tensor",
            "tensor",
            "entry",
            "entry",
            "pickle",
            "legacy",
            "bytes",
            "bytes",
            "bytes",
            "schema",
        )
    )
    title = how
    if how == "metadata":
        title += changed(rng, metadata, dates=False)
        held.write(
            encode_weights(
                state,
                json.loads(
                    json.dumps(metadata, default=str).replace("NaN", "1").replace("Infinity", "1").replace("-1", "1")
                ),
            )
        )
    elif how == "tensor":
        name, value = rng.choice(list(_tensors(torch).items()))
        torch.save({**state, "layer1.weight": value()}, held)
        title += f" {name}"
    elif how == "entry":
        value = scalar(rng)
        torch.save(
            rng.choice(
                (
                    {**state, "x": value},
                    {**state, 5: state["layer0.weight"]},
                    [1],
                    value,
                    {},
                    {"state": state},
                    {"state_dict": state, "epoch": 3},
                )
            ),
            held,
        )
    elif how == "pickle":
        payload = {"state": _Running("touch executed"), "x": torch.zeros(1)}
        torch.save(payload, held) if rng.random() < 0.5 else pickle.dump(payload, held)
    elif how == "legacy":
        torch.save(state, held, _use_new_zipfile_serialization=False)
    elif how == "schema":
        torch.save(
            {
                "schema": "mebench.weights/1",
                "metadata": rng.choice(('{"a":1}', "[" * 100_000, "{", 5, None, "9" * 5000)),
                "state": rng.choice((state, None, [], {}, "x")),
            },
            held,
        )
    else:
        torch.save(state, held, _use_new_zipfile_serialization=rng.random() < 0.7)
        held, valid = io.BytesIO(damaged(rng, held.getvalue())), False
    folder = place.work / "in"
    folder.mkdir()
    path = folder / "weights.pt"
    path.write_bytes(held.getvalue())

    def judge(found: WeightFile) -> str:
        for name, value in found.state.items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                return f"{name} is not finite"
        if (
            valid
            and how in ("legacy", "metadata")
            and any(not torch.equal(found.state[n], v) for n, v in state.items())
        ):
            return "other tensors than were saved"
        return ""

    return Case(title, valid, lambda: load_weights(path), judge)


def _tensors(torch: Any) -> dict[str, Any]:
    """Tensors that a state dict may hold and no sound one does."""
    return {
        "nan": lambda: torch.full((3, 4), float("nan")),
        "inf": lambda: torch.full((3, 4), float("-inf")),
        "empty": lambda: torch.zeros(0, 4),
        "scalar": lambda: torch.tensor(1.0),
        "stretched": lambda: torch.zeros(1).expand(10**9),
        "more stretched": lambda: torch.zeros(1, dtype=torch.int64).expand(10**6, 10**6),
        "complex": lambda: torch.full((2,), complex(float("nan"), 0)),
        "half": lambda: torch.ones(2, dtype=torch.float16),
        "bfloat16": lambda: torch.ones(2, dtype=torch.bfloat16),
        "float8": lambda: torch.ones(2).to(torch.float8_e4m3fn),
        "bool": lambda: torch.ones(2, dtype=torch.bool),
        "sparse": lambda: torch.eye(3).to_sparse(),
        "quantised": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "parameter": lambda: torch.nn.Parameter(torch.ones(2)),
        "transposed": lambda: torch.ones(3, 4).T,
        "meta": lambda: torch.empty(10**6, device="meta"),
        "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    }


STORE = Reader("stored clip", _store_case, _prepare)
INPUT = Reader("cached input", _input_case, _prepare)
WEIGHTS = Reader("weights", _weights_case)
__all__ = ["INPUT", "STORE", "WEIGHTS"]

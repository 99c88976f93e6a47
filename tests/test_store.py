"""One HDF5 file per clip: lossless, verified, without labels."""

import io
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mebench.clips import Clip
from mebench.errors import StoreError
from mebench.files import sidecar, write_sealed
from mebench.store import StoredClip, clip_path, read_clip, remove_clip, stored_facts, stored_ids, write_clip

ID = "casme2/sub01/EP02_01f"


def stored(clip_id: str = ID, *, colour: bool = True) -> StoredClip:
    """A clip of noise with geometry of its own in every field."""
    rng = np.random.default_rng(5)
    shape = (4, 9, 7, 3) if colour else (4, 9, 7)
    return StoredClip(
        clip_id=clip_id,
        frames=rng.integers(0, 256, shape, dtype=np.uint8),
        numbers=np.array([46, 47, 48, 50]),
        origin=np.array([11, 12]),
        landmarks=rng.random((68, 2), dtype=np.float32),
        motion=rng.random((4, 2, 3)),
        inliers=np.array([0, 60, 61, 62]),
        flagged=np.array([False, False, True, False]),
        box=rng.random(4),
        fps=200.0,
        interval=(46, 50),
        source="s" * 64,
        preparation="p" * 64,
        flags=("faces-2", "frames-missing-1"),
    )


@pytest.mark.parametrize("colour", [True, False])
def test_what_is_written_comes_back_bit_for_bit(tmp_path: Path, colour: bool) -> None:
    clip = stored(colour=colour)
    write_clip(tmp_path, clip)
    back = read_clip(tmp_path, ID)
    for field in fields(StoredClip):
        before, after = getattr(clip, field.name), getattr(back, field.name)
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(after, before)
        else:
            assert after == before
    assert back.digest == clip.digest


def test_equal_clips_give_equal_files(tmp_path: Path) -> None:
    first, second = (write_clip(tmp_path / name, stored()).read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    "name", ["frames", "numbers", "origin", "landmarks", "motion", "inliers", "flagged", "box", "fps", "interval"]
)
def test_the_digest_follows_pixels_and_geometry(name: str) -> None:
    clip = stored()
    value = getattr(clip, name)
    if isinstance(value, np.ndarray):
        changed = value.copy()
        changed.flat[-1] = not changed.flat[-1] if changed.dtype == bool else changed.flat[-1] + 1
    else:
        changed = (46, 51) if name == "interval" else 100.0
    assert replace(clip, **{name: changed}).digest != clip.digest


def test_the_facts_are_known_without_opening_the_file(tmp_path: Path) -> None:
    clip = stored()
    write_clip(tmp_path, clip).unlink()
    facts = stored_facts(tmp_path, ID)
    assert (facts.content, facts.source, facts.preparation, facts.interval) == (
        clip.digest,
        clip.source,
        clip.preparation,
        clip.interval,
    )


def test_no_label_has_a_place_in_the_store(tmp_path: Path) -> None:
    path = write_clip(tmp_path, stored())
    with h5py.File(path) as file:
        names = {*file, *file.attrs}
    assert names == {f.name for f in fields(StoredClip)} | {"schema"}
    labels = {"emotion", "action_units", "objective_class", "objective_source", "apex", "subject", "flags"}
    assert labels <= {f.name for f in fields(Clip)}
    assert not names & (labels - {"flags"})


@pytest.mark.parametrize("position", [0, 700, -1])
def test_a_flipped_byte_is_seen(tmp_path: Path, position: int) -> None:
    path = write_clip(tmp_path, stored())
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=rf"{ID} cannot be read.*\n.*mebench prepare casme2"):
        read_clip(tmp_path, ID)


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=ID):
        read_clip(tmp_path, ID)
    with pytest.raises(StoreError, match=ID):
        stored_facts(tmp_path, ID)


def test_a_clip_in_another_clips_place_is_refused(tmp_path: Path) -> None:
    source, target = write_clip(tmp_path, stored()), clip_path(tmp_path, "casme2/sub02/EP02_01f")
    write_sealed(target, source.read_bytes(), {})
    with pytest.raises(StoreError, match="holds casme2/sub01/EP02_01f"):
        read_clip(tmp_path, "casme2/sub02/EP02_01f")


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual"])
def test_arrays_that_lie_elsewhere_are_refused_though_the_digest_fits(tmp_path: Path, kind: str) -> None:
    path = write_clip(tmp_path, stored())
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["frames"] = stored().frames
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        shape = file["frames"].shape
        if kind == "soft link":
            file.move("frames", "others")
            file["frames"] = h5py.SoftLink("/others")
        else:
            del file["frames"]
        if kind == "external link":
            file["frames"] = h5py.ExternalLink(str(secret), "frames")
        if kind == "external storage":
            file.create_dataset("frames", shape, np.uint8, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        if kind == "virtual":
            layout = h5py.VirtualLayout(shape, np.uint8)
            layout[:] = h5py.VirtualSource(str(secret), "frames", shape)
            file.create_virtual_dataset("frames", layout)
    write_sealed(path, image.getvalue(), {})
    with pytest.raises(StoreError, match="frames is"):
        read_clip(tmp_path, ID)


@pytest.mark.parametrize("change", ["schema", "no frames", "dtype", "no attribute", "no HDF5"])
def test_a_file_of_another_form_is_refused_though_the_digest_fits(tmp_path: Path, change: str) -> None:
    path = write_clip(tmp_path, stored())
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        if change == "schema":
            file.attrs["schema"] = "mebench.clip/0"
        if change in ("no frames", "dtype"):
            del file["frames"]
        if change == "dtype":
            file["frames"] = np.zeros((4, 9, 7))
        if change == "no attribute":
            del file.attrs["fps"]
    write_sealed(path, b"text" if change == "no HDF5" else image.getvalue(), {})
    with pytest.raises(StoreError, match=ID):
        read_clip(tmp_path, ID)


@pytest.mark.parametrize("clip_id", ["casme2/../EP01", "casme2/sub01", "a/b/c/d", "a//c", "a/b/c\x00", "a/b\\..\\c/d"])
def test_an_id_that_leads_out_of_the_store_is_refused(tmp_path: Path, clip_id: str) -> None:
    with pytest.raises(StoreError, match="cannot be the name of a file"):
        clip_path(tmp_path, clip_id)


def test_clips_are_listed_and_removed(tmp_path: Path) -> None:
    other = "casme2/sub02/EP01_01"
    write_clip(tmp_path, stored())
    write_clip(tmp_path, stored(other))
    assert list(stored_ids(tmp_path, "casme2")) == [ID, other]
    remove_clip(tmp_path, ID)
    assert list(stored_ids(tmp_path, "casme2")) == [other]
    assert not sidecar(clip_path(tmp_path, ID)).exists()
    remove_clip(tmp_path, ID)

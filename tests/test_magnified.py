"""The magnify step: what each method is asked, what a recipe's key hangs on, what is refused."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mebench.errors import DataError, ModelError, UnknownName
from mebench.magnifier.weights import load_magnifier
from mebench.recipes import Sample, parse_recipe
from mebench.vision.magnification import learned
from mebench.vision.magnification.phase import clip, two_frame
from mebench.vision.magnification.riesz import Riesz
from mebench.vision.magnification.temporal import Ideal, Iir
from mebench.weights.files import encode_weights
from tests.test_magnifier_network import PAPER, SMALL, network


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Twelve frames at 60 fps of a smooth texture that sways."""
    y, x = np.mgrid[:48, :56]
    shifts = 0.4 * np.sin(2 * np.pi * 5 * np.arange(12) / 60)
    frames = [128 + 50 * np.sin((x - s) / 2.5) * np.cos((y + s) / 3) for s in shifts]
    still = np.tile(np.eye(2, 3), (12, 1, 1))
    landmarks = np.full((68, 2), 24, np.float32)
    return Sample(np.rint(frames).astype(np.uint8), "frames", landmarks, still, np.array([0.0, 0, 48, 48]), 60.0, 0, 3)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    return str(written(tmp_path / "own.pt", 0))


def written(path: Path, seed: int) -> Path:
    design = {name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
    path.write_bytes(encode_weights(network(SMALL, seed).state_dict(), {"kind": "magnifier", "design": design}))
    return path


def after(text: str, sample: Sample) -> np.ndarray:
    return parse_recipe(text).apply(sample).array


def test_riesz_is_the_riesz_pyramid(sample: Sample) -> None:
    frames = sample.array
    pair = after("onset-apex > magnify(riesz, factor=4)", sample)
    np.testing.assert_array_equal(pair[1], two_frame(frames[0], frames[3], 4, pyramid=Riesz()))
    assert (pair[1] != after("onset-apex > magnify(phase, factor=4)", sample)[1]).any()


@pytest.mark.parametrize(("name", "band"), [("iir", Iir.of_band(2, 12, 60.0)), ("ideal", Ideal(2, 12))])
def test_filters_are_those_of_their_name(sample: Sample, name: str, band) -> None:
    found = after(f"magnify(phase, factor=3, low_hz=2, high_hz=12, filter={name})", sample)
    np.testing.assert_array_equal(found, clip(sample.array, 3, fps=60.0, band=band))


@pytest.mark.parametrize("name", ["butterworth", "iir", "ideal"])
def test_a_band_the_clip_cannot_hold_is_refused(sample: Sample, name: str) -> None:
    # Frequencies of twelve frames at 60 fps are multiples of 5 Hz.
    with pytest.raises(DataError, match="hold 0 frequencies"):
        after(f"magnify(linear, factor=3, low_hz=1, high_hz=4, filter={name})", sample)


def test_learned_takes_a_file(sample: Sample, weights: str) -> None:
    frames, own = sample.array, load_magnifier(weights)
    found = after(f'onset-apex > magnify(learned, factor=4, weights="{weights}")', sample)
    np.testing.assert_array_equal(found[1], learned.two_frame(own, frames[0], frames[3], 4))
    found = after(f'magnify(learned, factor=4, mode=dynamic, weights="{weights}")', sample)
    np.testing.assert_array_equal(found, learned.clip(own, frames, 4, "dynamic"))
    found = after(f'magnify(learned, factor=4, low_hz=2, high_hz=12, filter=iir, weights="{weights}")', sample)
    np.testing.assert_array_equal(found, learned.temporal(own, frames, 4, fps=60.0, band=Iir.of_band(2, 12, 60.0)))


def test_a_key_hangs_on_what_a_file_holds_and_not_on_its_name(tmp_path: Path) -> None:
    def digest(path: Path) -> str:
        return parse_recipe(f'magnify(learned, factor=4, weights="{path}")').digest

    first, copy = written(tmp_path / "a.pt", 0), written(tmp_path / "b.pt", 0)
    assert digest(first) == digest(copy)
    before = digest(first)
    written(first, 1)
    assert digest(first) != before
    with pytest.raises(ModelError, match="cannot be read"):
        digest(tmp_path / "none.pt")
    assert parse_recipe("magnify(learned, factor=4)").digest != parse_recipe("magnify(factor=4)").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("magnify(phase, factor=3, mode=dynamic)", "is dynamic"),
        ("magnify(learned, factor=3, mode=dynamic, low_hz=5, high_hz=20)", "is dynamic"),
        ("magnify(riesz, factor=3, weights=x)", "has no weights"),
        ("onset-apex > magnify(learned, factor=3, low_hz=5, high_hz=20)", "A pair has no frequencies"),
    ],
)
def test_what_makes_no_sense_is_refused(sample: Sample, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        after(text, sample)


def test_a_method_there_is_not_is_named(sample: Sample) -> None:
    with pytest.raises(UnknownName, match="method of step magnify"):
        parse_recipe("magnify(learnt, factor=3)")


def test_weights_that_are_none_are_refused(sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(ModelError, match="no state dict"):
        after(f'magnify(learned, factor=3, weights="{tmp_path / "junk.pt"}")', sample)
    (tmp_path / "other.pt").write_bytes(encode_weights(network(PAPER).state_dict(), {"kind": "other"}))
    with pytest.raises(ModelError, match="something else than a magnifier"):
        after(f'magnify(learned, factor=3, weights="{tmp_path / "other.pt"}")', sample)


def test_the_weights_that_ship_magnify_without_a_network_to_fetch_from(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEBENCH_OFFLINE", "1")
    found = after("onset-apex > magnify(learned, factor=6)", sample)
    assert found.shape == (2, 48, 56)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[0], sample.array[0])
    still = replace(sample, array=np.repeat(sample.array[:1], 12, axis=0))
    drawn = after("magnify(learned, factor=20)", still)
    np.testing.assert_array_equal(drawn[1:], np.repeat(drawn[1:2], 11, axis=0))  # redrawn, and still as before
    assert np.abs(drawn.astype(float) - still.array).mean() < 6


def test_the_documented_values_are_those_of_the_step() -> None:
    # Every method and filter the step takes stands in the page, and no other.
    page = (Path(__file__).parent.parent / "docs" / "magnification.md").read_text(encoding="utf-8")
    methods = set(re.findall(r"^\| `(\w+)`", page, flags=re.MULTILINE))
    assert methods >= {"phase", "riesz", "linear", "learned"}
    assert {"butterworth", "iir", "ideal"} <= set(re.findall(r"[`=](\w+)`", page))

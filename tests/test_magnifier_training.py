"""`mebench pretrain magnifier`: the pairs it draws, what makes its bits, how it goes on when killed, what it says."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mebench.cli import status
from mebench.errors import UsageError
from mebench.magnifier import calibration, pretraining, textures, training
from mebench.magnifier.judging import Found, judged, measure, shifted
from mebench.magnifier.pretraining import MagnifierRequest, pretrain_magnifier
from mebench.magnifier.scenes import KINDS, Range, draw_pair
from mebench.magnifier.textures import SUPERSAMPLING, Texture
from mebench.magnifier.training import Schedule, rate_of, span_of, train
from mebench.magnifier.weights import load_magnifier
from mebench.vision.magnification.learned import two_frame
from mebench.vision.magnification.network import Design, Magnifier

TINY = Schedule(steps=6, batch=2, side=32)


def waves(seed: int) -> Texture:
    """Plane waves of 8 px and more, sampled as finely as textures are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:300, :300] / SUPERSAMPLING
    picture = np.full(x.shape, 128.0)
    for wavelength, angle, phase in zip(rng.uniform(8, 40, 12), rng.uniform(0, 3.1, 12), rng.random(12), strict=True):
        picture += 9 * np.cos(2 * np.pi * ((x * np.cos(angle) + y * np.sin(angle)) / wavelength + phase))
    return Texture(f"waves/{seed}", picture.astype(np.float32), f"{seed}")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network, two textures instead of the library, and a short examination."""
    monkeypatch.setattr(training, "DESIGN", Design(1, 8, 1, "factor-1", border="zero"))
    monkeypatch.setattr(training, "library", lambda: (waves(0), waves(1)))
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr(pretraining, "library", lambda: (waves(0), waves(1)))
    monkeypatch.setattr(pretraining, "held_out", lambda: (waves(2),))
    monkeypatch.setattr(calibration, "library", lambda: (waves(0),))
    monkeypatch.setattr(calibration.calibration_of, "__defaults__", ((2.0,),))
    monkeypatch.setattr(pretraining, "FACTORS", (2.0,))
    monkeypatch.setattr(pretraining, "SHIFTS_PX", (0.5,))
    monkeypatch.setattr(pretraining.gains_of, "__defaults__", ((2.0,), (0.5,)))


def weights_of(state: training.Training) -> bytes:
    return b"".join(value.numpy().tobytes() for value in state.averaged.values())


def test_a_texture_is_shifted_by_exactly_what_is_asked() -> None:
    # A wave of 20 px moved by .37 px is the wave with its phase turned by 2π·.37/20; bilinear sampling at a third of a
    # pixel dims it by at most (π/60)²/2 = .14 %.
    x = np.mgrid[:300, :300][1] / SUPERSAMPLING
    wave = Texture("wave", (128 + 100 * np.cos(2 * np.pi * x / 20)).astype(np.float32), "")
    for shift in (0.37, -1.21):
        found = shifted(wave, (150, 150), np.array([shift, 0.0]), side=40)
        at = 150 / SUPERSAMPLING + np.arange(40) - 19.5
        np.testing.assert_allclose(found[7], 128 + 100 * np.cos(2 * np.pi * (at - shift) / 20), atol=0.3)


@pytest.mark.parametrize(("moved", "gain"), [(1.0, 1.0), (2.6, 2.6), (0.4, 0.4)])
def test_the_measured_gain_is_the_gain_there_is(moved: float, gain: float) -> None:
    texture, shift = waves(3), np.array([0.3, 0.4])

    def magnify(_onset, _apex, _factor):
        return shifted(texture, (150, 150), moved * shift)

    found = measure(magnify, texture, (150, 150), shift, 2.6)
    assert found.gain == pytest.approx(gain, abs=0.02)
    assert found.error < 0.1


def test_pairs_are_those_of_their_seed_and_in_range() -> None:
    library = (waves(0), waves(1))
    span = Range(factor=8, moved_px=6)
    pairs = [draw_pair(np.random.default_rng(seed), library, 32, span) for seed in range(40)]
    again = draw_pair(np.random.default_rng(7), library, 32, span)
    assert again.truth.tobytes() == pairs[7].truth.tobytes()
    for pair in pairs:
        assert 1 <= pair.factor <= 8
        for image in (pair.first, pair.second, pair.plain, pair.truth):
            assert image.shape == (32, 32)
            assert image.dtype == np.float32
            assert np.abs(image).max() <= 1
    assert sum(KINDS.values()) == pytest.approx(1)


def test_unharmed_pairs_hold_the_motion_that_is_asked_for() -> None:
    # Factor 1 magnifies nothing; and the truth differs from the second image as the factor grows.
    library, span = (waves(0), waves(1)), Range(factor=1.0000001, moved_px=2, harm=0)
    for seed in range(10):
        pair = draw_pair(np.random.default_rng(seed), library, 32, span)
        np.testing.assert_allclose(pair.truth, pair.second, atol=1 / 127)
        np.testing.assert_array_equal(pair.plain, pair.second)


def test_harm_is_what_a_camera_does() -> None:
    library, span = (waves(0),), Range(factor=1.0000001, moved_px=0, harm=1)
    pairs = [draw_pair(np.random.default_rng(seed), library, 32, span) for seed in range(30)]
    apart = [float(np.abs(pair.second - pair.plain).mean()) for pair in pairs]
    assert min(apart) < 1e-6
    assert max(apart) > 0.02


def test_what_is_asked_grows_and_what_is_learned_falls() -> None:
    assert [span_of(share).moved_px for share in (0, 0.25, 0.5, 1)] == [3, 7.5, 12, 12]
    assert {(span_of(share).factor, span_of(share).harm, span_of(share).lean) for share in (0, 0.3, 1)} == {
        (16, 0.5, 1)
    }
    assert {(span_of(share, started=True).moved_px, span_of(share, started=True).lean) for share in (0, 1)} == {(12, 2)}
    schedule = Schedule(steps=1000, rate=1e-3)
    assert rate_of(0, schedule) == pytest.approx(1e-5)
    assert rate_of(999, schedule) == pytest.approx(2e-5, rel=0.01)


def test_equal_seeds_give_equal_bits_and_others_do_not() -> None:
    once, again = train(TINY, device="cpu"), train(TINY, device="cpu")
    assert weights_of(once) == weights_of(again)
    other = train(Schedule(steps=6, batch=2, side=32, seed=1), device="cpu")
    assert weights_of(once) != weights_of(other)


def test_a_training_that_was_stopped_goes_on_to_the_same_bits() -> None:
    kept: list[bytes] = []
    train(TINY, device="cpu", stop=3, keep=lambda state: kept.append(state.state()))
    gone_on = train(TINY, device="cpu", resume=kept[-1])
    whole = train(TINY, device="cpu")
    assert weights_of(gone_on) == weights_of(whole)
    assert gone_on.log == whole.log


@pytest.mark.slow
def test_what_is_learned_is_magnification(monkeypatch: pytest.MonkeyPatch) -> None:
    # The examined texture was not trained on; untrained, the gain is 1.
    monkeypatch.setattr(training, "span_of", lambda _share, **_: Range(factor=4, moved_px=1.5, harm=0))
    found = train(Schedule(steps=400, batch=4, side=32), device="cpu")
    assert found.log[-1]["error"] < 0.4 * found.log[0]["error"]  # means of a hundred steps
    gain = pretraining.gains_of(found.finished(), (3.0,), (0.5,))[0]["gain"]["0.5"]
    assert 1.6 < gain < 4


def test_file_and_notes_are_written_and_the_checkpoint_goes(tmp_path: Path) -> None:
    request = MagnifierRequest(tmp_path / "small.pt", TINY, "cpu")
    report = pretrain_magnifier(request)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.json", "small.pt"]
    notes = json.loads((tmp_path / "small.json").read_text())
    assert notes["digest"] == report.digest
    assert notes["schedule"]["seed"] == 0
    assert notes["made"] == 6
    assert notes["log"][-1]["step"] == 6
    assert notes["gains"][0]["gain"].keys() == {"0.5"}
    assert notes["provenance"]["chain"] == "magnifier"
    network = load_magnifier(str(request.output))
    assert network.design.width == 8
    assert network.calibration == tuple(map(tuple, notes["calibration"]))
    assert network.calibration[0][0] == 2
    assert (tmp_path / "small.pt").read_bytes() == _again(tmp_path)


def _again(folder: Path) -> bytes:
    """The bytes of the same training, killed after a checkpoint and gone on with."""
    request = MagnifierRequest(folder / "again.pt", TINY, "cpu")

    class KilledError(Exception):
        pass

    def kill(done: int, _total: int, _what: str) -> None:
        if done == 5:
            raise KilledError

    with pytest.raises(KilledError):
        pretrain_magnifier(request, kill)
    assert request.checkpoint.exists()
    told: list[int] = []
    pretrain_magnifier(request, lambda done, _total, _what: told.append(done))
    assert told == [5, 6]
    return request.output.read_bytes()


def test_another_trainings_checkpoint_is_not_taken(tmp_path: Path) -> None:
    pretrain_magnifier(MagnifierRequest(tmp_path / "a.pt", TINY, "cpu", stop=2))
    with pytest.raises(UsageError, match="another training"):
        pretrain_magnifier(MagnifierRequest(tmp_path / "a.pt", Schedule(steps=6, batch=2, side=32, seed=5), "cpu"))
    with pytest.raises(UsageError, match="cannot be"):
        Schedule(side=8)


def test_the_command_line_trains_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    short = Schedule(steps=2, batch=1, side=32)
    monkeypatch.setattr(pretraining, "Schedule", lambda **given: short)
    assert status(["pretrain", "magnifier", str(tmp_path / "m.pt"), "--steps", "2", "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "2 of 2 steps" in told
    assert "gain on held-out textures" in told
    assert status(["pretrain", "--help"]) == 0
    assert "magnifier" in capsys.readouterr().out
    assert status(["pretrain", "lam"]) == 2
    assert "Missing option '--data'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_library_is_the_same_every_time_and_held_out_is_not_in_it() -> None:
    textures.library.cache_clear()
    textures.held_out.cache_clear()
    once = {texture.digest for texture in textures.library()}
    textures.library.cache_clear()
    assert once == {texture.digest for texture in textures.library()}
    assert len(once) == 3 + textures.PEOPLE + 5
    assert not once & {texture.digest for texture in textures.held_out()}


def test_what_comes_out_short_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # Gains of 1 + k·.8 at half a pixel, 1 + k·.5 and 1 + k at the others: their middle is what is held to the factor.
    slopes = {0.25: 0.5, 0.5: 0.8, 1.0: 1.0}

    def gained(magnify: Any, _textures: Any, shift_px: float, factor: float) -> Found:
        return Found(1 + magnify.args[0].multiplier(factor) * slopes[shift_px], 0, 0)

    monkeypatch.setattr(calibration, "judged", gained)
    network = Magnifier(training.DESIGN)
    ((factor, share), (_, larger)) = calibration.calibration_of(network, (2.0, 6.0))
    assert factor == 2
    assert np.sqrt((1 + share * 0.5) * (1 + share)) == pytest.approx(2, abs=0.01)
    assert np.sqrt((1 + larger * 2.5) * (1 + larger * 5)) == pytest.approx(6, abs=0.03)
    assert network.calibration == ()
    slopes.update(dict.fromkeys(slopes, 0.0))
    assert calibration.calibration_of(network, (2.0,)) == ((2.0, 2.0),)  # what gains nothing is not asked for ever more


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2.0, 4.0, 6.0, 10.0])
def test_the_weights_that_ship_give_what_is_asked(factor: float) -> None:
    for shift in (0.25, 0.5, 1.0):
        found = judged(partial(two_frame, load_magnifier()), textures.held_out(), shift, factor)
        assert found.gain == pytest.approx(factor, rel=0.2)


def test_a_training_goes_on_from_weights_at_full_difficulty(tmp_path: Path, monkeypatch) -> None:
    pretrain_magnifier(MagnifierRequest(tmp_path / "first.pt", TINY, "cpu"))
    monkeypatch.setattr(pretraining, "DESIGN", training.DESIGN)
    asked: list[bool] = []

    def spied(share: float, *, started: bool = False) -> Range:
        asked.append(started)
        return span_of(share, started=started)

    monkeypatch.setattr(training, "span_of", spied)
    begun = Schedule(steps=3, batch=2, side=32, start="digest")
    request = MagnifierRequest(tmp_path / "second.pt", begun, "cpu", None, tmp_path / "first.pt")
    before = load_magnifier(str(tmp_path / "first.pt")).state_dict()
    pretrain_magnifier(request)
    after = load_magnifier(str(tmp_path / "second.pt")).state_dict()
    assert all(asked[-5:])
    moved = max(float((after[name] - before[name]).abs().max()) for name in before)
    assert 0 < moved < 1e-3  # three steps of a rate that is still rising

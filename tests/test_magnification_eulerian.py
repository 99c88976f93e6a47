"""Riesz pyramid, streams, batches and bands, against the cosine that can be shifted exactly and against each other."""

import numpy as np
import pytest
import torch

from mebench.errors import DataError
from mebench.vision.magnification import batched
from mebench.vision.magnification.eulerian import LinearStream, linear
from mebench.vision.magnification.phase import Stream, clip, two_frame
from mebench.vision.magnification.riesz import Riesz
from mebench.vision.magnification.steerable import Steerable
from mebench.vision.magnification.temporal import Butterworth, Ideal, Iir, TemporalFilter
from tests.test_vision_magnification import FPS, displacement, stripes, swing, swung, translating
from tests.test_vision_phase import mean_error, texture

CAUSAL = [Iir(), Butterworth(0.5, 3.0)]
PYRAMIDS = [Steerable(), Riesz()]


def swaying(delta: float = 0.2, t: int = 40) -> np.ndarray:
    """The texture of plane waves, swaying once a second; (t, 96, 112)."""
    return np.stack([texture(shift, -shift) for shift in swing(delta, t=t)])


def name(one: object) -> str:
    return type(one).__name__


@pytest.mark.parametrize("wavelength", [8, 16, 32])
def test_riesz_moves_a_cosine_by_the_factor_at_unchanged_contrast(wavelength: int) -> None:
    shifts = np.array([0.0, 0.125 * wavelength / 5])
    onset, apex = translating(wavelength, shifts, width=384)
    z = stripes(np.stack([onset, two_frame(onset, apex, 5, levels=6, pyramid=Riesz())]), wavelength)
    assert displacement(z, wavelength)[1] / (5 * shifts[1]) == pytest.approx(1, abs=0.005)
    assert abs(z[1]) == pytest.approx(1, abs=0.005)


def test_riesz_moves_a_cosine_in_time_by_the_factor() -> None:
    shifts = swing(0.125 * 16 / 5, t=30)
    magnified = clip(translating(16, shifts, width=384), 5, fps=FPS, band=Ideal(0.5, 2.0), levels=6, pyramid=Riesz())
    assert swung(displacement(stripes(magnified, 16), 16)) / (0.125 * 16) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("wavelength", [12, 16, 32])
def test_within_the_bound_the_linear_method_is_within_five_percent(wavelength: int) -> None:
    # factor·δ = λ/16, half of the bound: atan2(m sin θ, 1 + m(cos θ − 1))/(mθ) = .97 for θ = 2πδ/λ and any m.
    shifts = swing(wavelength / 16 / 6)
    magnified = linear(translating(wavelength, shifts), 6, fps=FPS, band=Ideal(0.5, 2.0), cutoff_px=0)
    share = swung(displacement(stripes(magnified, wavelength), wavelength)) / (wavelength / 16)
    assert share == pytest.approx(1, abs=0.05)


def test_riesz_rebuilds_and_carries_a_texture() -> None:
    apex, truth = texture(0.1, -0.1), texture(1.0, -1.0)
    assert np.abs(two_frame(texture(), apex, 1, pyramid=Riesz()) - apex).max() <= 2e-6
    assert mean_error(two_frame(texture(), apex, 10, pyramid=Riesz()), truth) < 0.5 * mean_error(apex, truth)


@pytest.mark.parametrize("pyramid", PYRAMIDS, ids=name)
@pytest.mark.parametrize("band", CAUSAL, ids=name)
def test_a_phase_stream_gives_what_the_whole_clip_gives(band, pyramid) -> None:
    frames = swaying(t=32)[:, :40, :48]
    stream = Stream(6, fps=FPS, band=band, pyramid=pyramid)
    streamed = np.stack([stream(frame) for frame in frames])
    np.testing.assert_allclose(streamed, clip(frames, 6, fps=FPS, band=band, pyramid=pyramid), atol=1e-5)


@pytest.mark.parametrize("chroma", [0.0, 0.3])
@pytest.mark.parametrize("band", CAUSAL, ids=name)
def test_a_linear_stream_gives_what_the_whole_clip_gives(band, chroma: float) -> None:
    grey = swaying(t=32)[:, :40, :48]
    colour = np.stack([grey, 1 - grey, 0.5 * grey], axis=-1)
    for frames in (grey, colour, (255 * grey).astype(np.uint8)):
        stream = LinearStream(6, fps=FPS, band=band, chroma=chroma)
        streamed = np.stack([stream(frame) for frame in frames])
        whole = linear(frames, 6, fps=FPS, band=band, chroma=chroma)
        assert streamed.dtype == whole.dtype
        np.testing.assert_allclose(streamed, whole, atol=1e-5)


def test_a_stream_holds_no_more_after_many_frames_than_after_two() -> None:
    def held(value: object) -> int:
        if isinstance(value, np.ndarray):
            return value.nbytes
        if isinstance(value, dict | list | tuple):
            return sum(map(held, value.values() if isinstance(value, dict) else value))
        return sum(map(held, vars(value).values())) if hasattr(value, "__dict__") else 0

    stream, sizes = Stream(4, fps=FPS, band=Iir()), []
    for frame in swaying(t=9)[:, :32, :32]:
        stream(frame)
        sizes.append(held(stream))
    assert sizes[1] > 0
    assert sizes[1] == sizes[-1]


@pytest.mark.parametrize("stream", [Stream(2, fps=FPS, band=Iir()), LinearStream(2, fps=FPS, band=Iir())], ids=name)
def test_a_stream_takes_frames_of_one_size(stream) -> None:
    stream(np.zeros((40, 40), np.float32))
    with pytest.raises(DataError, match="another size"):
        stream(np.zeros((80, 40), np.float32))


@pytest.mark.parametrize("band", [*CAUSAL, Ideal(0.5, 2.0)], ids=name)
@pytest.mark.parametrize("shape", [(40, 48), (33, 47)])
def test_a_batch_is_magnified_as_each_clip_alone(band, shape: tuple[int, int]) -> None:
    clips = np.stack([swaying(delta, t=60)[:, : shape[0], : shape[1]] for delta in (0.1, 0.2)])
    tensor = torch.from_numpy(clips)
    alone = np.stack([linear(frames, 6, fps=FPS, band=band) for frames in clips])
    np.testing.assert_allclose(batched.linear(tensor, 6, fps=FPS, band=band).numpy(), alone, atol=batched.TOLERANCE)
    alone = np.stack([clip(frames, 6, fps=FPS, band=band) for frames in clips])
    np.testing.assert_allclose(batched.clip(tensor, 6, fps=FPS, band=band).numpy(), alone, atol=batched.TOLERANCE)


def test_a_batch_of_pairs_is_magnified_as_each_pair_alone() -> None:
    onsets, apexes = np.stack([texture()] * 2), np.stack([texture(0.1), texture(0.2, 0.3)])
    found = batched.two_frame(torch.from_numpy(onsets), torch.from_numpy(apexes), 8).numpy()
    alone = np.stack([two_frame(onset, apex, 8) for onset, apex in zip(onsets, apexes, strict=True)])
    np.testing.assert_allclose(found, alone, atol=batched.TOLERANCE)


def test_what_is_no_batch_is_refused() -> None:
    for bad in (torch.zeros(2, 8, 8), torch.zeros(1, 2, 8, 8, dtype=torch.uint8), torch.zeros(1, 0, 8, 8)):
        with pytest.raises(DataError, match="batch"):
            batched.linear(bad, 2, fps=FPS, band=Iir())
    with pytest.raises(DataError, match="no pairs"):
        batched.two_frame(torch.zeros(1, 40, 40), torch.zeros(1, 40, 41), 2)


@pytest.mark.parametrize(("band", "enough"), [(Butterworth(0.5, 3.0), 11), (Ideal(0.5, 3.0), 20)], ids=["one", "two"])
def test_a_band_without_a_frequency_of_the_clip_is_refused(band: TemporalFilter, enough: int) -> None:
    # Frequencies are multiples of 30/t Hz: one up to 3 Hz needs t ≥ 10, two need t ≥ 20.
    band(np.zeros((enough, 2), np.float32), FPS)
    short = 9 if isinstance(band, Butterworth) else enough - 1
    with pytest.raises(DataError, match="are needed"):
        band(np.zeros((short, 2), np.float32), FPS)


@pytest.mark.parametrize("fps", [30.0, 100.0, 200.0])
def test_asking_for_more_never_shrinks_motion(fps: float) -> None:
    # A cosine of frequency f comes out with |1 + α·G(f)|; Re G ≥ 0 makes that at least 1 whatever α is.
    hz = np.linspace(0, fps / 2, 400)
    impulse = np.zeros((4096, 1), np.float32)
    impulse[1] = 1  # the filters begin at rest on their first frame
    for band in (Iir(), Iir.of_band(0.5, 4.0, fps), Butterworth(0.2, 2.4), Butterworth(1.0, 10.0)):
        response = band(impulse, fps)[1:, 0] @ np.exp(-2j * np.pi * hz / fps * np.arange(4095)[:, None])
        for alpha in (1.0, 9.0):
            assert np.abs(1 + alpha * response).min() > 1 - 1e-3


@pytest.mark.parametrize("factor", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("pyramid", PYRAMIDS, ids=name)
def test_asked_for_little_the_phase_methods_move_further(pyramid, factor: float) -> None:
    for delta in (0.05, 0.25, 0.5):
        onset, apex = translating(16, np.array([0.0, delta]), width=128)
        z = stripes(np.stack([onset, two_frame(onset, apex, factor, pyramid=pyramid)]), 16)
        assert displacement(z, 16)[1] > delta * (1 + 0.8 * (factor - 1))

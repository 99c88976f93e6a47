"""Temporal filters and linear magnification against closed forms.

A cosine that translates, cos(k(x − s(t))), is the real part of exp(ikx)·z(t) with z = exp(−iks). A filter in time acts
on z alone, so the magnified clip is known without any image: for o = z + α·filter(z) its displacement is −arg(o)/k and
its contrast |o|.
"""

import numpy as np
import numpy.typing as npt
import pytest

from mebench.errors import DataError
from mebench.vision.magnification.eulerian import laplacian_pyramid, level_count, level_gains, linear, reconstruct
from mebench.vision.magnification.temporal import Butterworth, Ideal, Iir, TemporalFilter

Array = npt.NDArray[np.float64]

FPS = 30.0
ALL_LEVELS = 0.0
BANDS: list[TemporalFilter] = [Iir(), Butterworth(0.5, 3.0), Ideal(0.5, 2.0)]


def translating(wavelength: float, shifts: Array, width: int = 128) -> npt.NDArray[np.float32]:
    """Vertical stripes around .5 whose crests lie at the shifts, (t, 40, width)."""
    rows = 0.5 + 0.25 * np.cos(2 * np.pi / wavelength * (np.arange(width) - shifts[:, None]))
    return np.repeat(rows[:, None, :], 40, axis=1).astype(np.float32)


def stripes(frames: npt.NDArray[np.float32], wavelength: float) -> npt.NDArray[np.complex128]:
    """z(t) of the stripes: their complex amplitude over the middle 64 px, a whole number of wavelengths."""
    middle = frames.shape[2] // 2
    x = np.arange(middle - 32, middle + 32)
    wave = np.exp(-2j * np.pi / wavelength * x)
    return (frames[:, 20, x] - 0.5) @ wave / (0.25 * 32)


def displacement(z: npt.NDArray[np.complex128], wavelength: float) -> Array:
    """Where the crests are, relative to the first frame."""
    phase = np.unwrap(np.angle(z))
    return -(phase - phase[0]) * wavelength / (2 * np.pi)


def swing(delta: float, hz: float = 1.0, t: int = 60, fps: float = FPS) -> Array:
    return delta * np.sin(2 * np.pi * hz * np.arange(t) / fps)


def swung(course: Array, hz: float = 1.0) -> float:
    """The amplitude of the course at this frequency; it must hold whole periods."""
    return float(2 * abs(course @ np.exp(-2j * np.pi * hz * np.arange(len(course)) / FPS)) / len(course))


def ideal_band(signal: Array, low_hz: float, high_hz: float) -> Array:
    """The two-sided mask over the full spectrum."""
    hz = np.abs(np.fft.fftfreq(len(signal), 1 / FPS))
    return np.fft.ifft(np.fft.fft(signal) * ((hz >= low_hz) & (hz <= high_hz))).real


@pytest.mark.parametrize("shape", [(224, 224), (97, 131), (6, 9), (4, 4)])
def test_a_laplacian_pyramid_gives_its_image_back(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    pyramid = laplacian_pyramid(image, level_count(shape))
    assert np.abs(reconstruct(pyramid) - image).max() < 1e-6


def test_pyramid_levels_follow_the_shorter_side() -> None:
    # 224 → 112 → 56 → 28 → 14 → 7 → 3: six halvings and the finest level.
    assert level_count((224, 224)) == 7
    assert level_count((300, 4)) == 1


@pytest.mark.parametrize("band", BANDS, ids=lambda band: type(band).__name__)
def test_factor_one_changes_nothing(band: TemporalFilter) -> None:
    frames = np.random.default_rng(1).random((40, 33, 47), dtype=np.float32)
    assert np.abs(linear(frames, 1, fps=FPS, band=band) - frames).max() <= 1e-6


@pytest.mark.parametrize("band", BANDS, ids=lambda band: type(band).__name__)
def test_a_constant_clip_is_unchanged(band: TemporalFilter) -> None:
    frames = np.repeat(np.random.default_rng(2).random((1, 32, 32), dtype=np.float32), 40, axis=0)
    np.testing.assert_allclose(linear(frames, 20, fps=FPS, band=band), frames, atol=1e-5)


# (1 + α)δ/λ: what share of the asked displacement is reached, and the mean rise of contrast, at α = 4.
BOUND = {0.03: (0.992, 1.01), 0.06: (0.971, 1.03), 0.125: (0.892, 1.14), 0.25: (0.721, 1.45), 0.5: (0.492, 2.25)}


@pytest.mark.parametrize("wavelength", [8, 16, 32])
@pytest.mark.parametrize("relative", BOUND)
def test_displacement_and_contrast_are_those_of_the_closed_form(wavelength: int, relative: float) -> None:
    alpha = 4
    delta = relative * wavelength / (1 + alpha)
    shifts = swing(delta)
    magnified = linear(translating(wavelength, shifts), 1 + alpha, fps=FPS, band=Ideal(0.5, 2.0), cutoff_px=ALL_LEVELS)
    found = stripes(magnified, wavelength)
    z = np.exp(-2j * np.pi / wavelength * shifts)
    expected = z + alpha * (ideal_band(z.real, 0.5, 2.0) + 1j * ideal_band(z.imag, 0.5, 2.0))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    share = swung(displacement(found, wavelength)) / ((1 + alpha) * delta)
    assert share == pytest.approx(BOUND[relative][0], abs=1e-3)
    assert np.abs(found).mean() == pytest.approx(BOUND[relative][1], abs=6e-3)


def test_the_gain_of_the_temporal_filter_enters_the_factor() -> None:
    # G(f) of the two low-passes at e^{iω}: r / (1 − (1 − r)e^{−iω}).
    omega = 2 * np.pi * 1.0 / 30
    gain = sum(sign * r / (1 - (1 - r) * np.exp(-1j * omega)) for sign, r in ((1, 0.4), (-1, 0.05)))
    assert abs(1 + 4 * gain) == pytest.approx(4.2315, abs=1e-4)
    shifts = swing(0.05, t=180)
    magnified = linear(translating(16, shifts), 5, fps=FPS, band=Iir(0.4, 0.05), cutoff_px=ALL_LEVELS)
    settled = displacement(stripes(magnified, 16), 16)[120:]
    assert swung(settled) / 0.05 == pytest.approx(4.225, abs=0.002)


def test_motion_outside_the_band_is_left_alone() -> None:
    shifts = swing(0.1, hz=4.0)
    magnified = linear(translating(16, shifts), 10, fps=FPS, band=Ideal(0.5, 2.0), cutoff_px=ALL_LEVELS)
    assert swung(displacement(stripes(magnified, 16), 16), hz=4.0) == pytest.approx(0.1, rel=0.01)


def test_level_gains_are_the_papers_without_the_negative_ones() -> None:
    # λ of the residual is 224√2/3 = 105.6 px and halves: 3.30 px at level 1. α_1 = 2(3.30·(1 + α)/16 − 1).
    def gains(alpha: float) -> list[float]:
        return [round(float(gain), 2) for gain in level_gains((224, 224), 1 + alpha, skip_ends=True)]

    assert gains(1) == [0, 0, 0, 1, 1, 1, 0]
    assert gains(2) == [0, 0, 0.47, 2, 2, 2, 0]
    assert gains(3) == [0, 0, 1.3, 3, 3, 3, 0]
    assert gains(10) == [0, 2.54, 7.07, 10, 10, 10, 0]


@pytest.mark.parametrize("factor", [1, 1.5, 2, 11, 121])
@pytest.mark.parametrize("cutoff_px", [0, 10, 80, 1000])
def test_no_level_gain_is_negative_or_above_alpha(factor: float, cutoff_px: float) -> None:
    gains = level_gains((170, 140), factor, cutoff_px=cutoff_px)
    assert gains.min() >= 0
    assert gains.max() <= factor - 1


def peak_gain(band: TemporalFilter, fps: float, hz: float) -> float:
    """The amplitude a long sine of this frequency comes out with, from its mean square once settled."""
    t = np.arange(round(100 * fps))
    settled = band(np.sin(2 * np.pi * hz * t / fps).astype(np.float32), fps)[len(t) // 2 :]
    return float(np.sqrt(2 * (settled.astype(np.float64) ** 2).mean()))


@pytest.mark.parametrize(
    ("band", "fps", "hz", "gain"),
    [
        (Iir(0.4, 0.05), 30, 0.78, 0.817),
        (Iir(0.4, 0.05), 200, 5.2, 0.817),
        (Butterworth(0.4, 3.0), 30, 1.11, 0.771),
        (Ideal(0.5, 2.0), 30, 1.0, 1.0),
        (Ideal(0.5, 2.0), 30, 3.0, 0.0),
    ],
)
def test_filters_have_the_gain_of_their_transfer_function(
    band: TemporalFilter, fps: float, hz: float, gain: float
) -> None:
    assert peak_gain(band, fps, hz) == pytest.approx(gain, abs=4e-3)


def test_iir_coefficients_of_a_band_depend_on_the_frame_rate() -> None:
    slow_camera, fast_camera = Iir.of_band(0.245, 2.44, 30), Iir.of_band(1.63, 16.3, 200)
    assert (slow_camera.fast, slow_camera.slow) == pytest.approx((0.4, 0.05), abs=2e-3)
    assert (fast_camera.fast, fast_camera.slow) == pytest.approx((0.4, 0.05), abs=2e-3)


@pytest.mark.parametrize(("fps", "frames"), [(200, 167), (100, 84), (30, 25)])
def test_an_ideal_band_needs_two_frequencies(fps: float, frames: int) -> None:
    # The second bin lies at 2·fps/frames: 2·200/167 = 2.395 Hz is inside .2 to 2.4, 2·200/166 = 2.41 is not.
    Ideal(0.2, 2.4)(np.zeros((frames, 1), np.float32), fps)
    with pytest.raises(DataError, match="IIR"):
        Ideal(0.2, 2.4)(np.zeros((frames - 1, 1), np.float32), fps)


@pytest.mark.parametrize("fps", [None, 0, -30, float("nan"), "30"])
@pytest.mark.parametrize("band", BANDS, ids=lambda band: type(band).__name__)
def test_without_a_frame_rate_nothing_is_filtered(band: TemporalFilter, fps: object) -> None:
    with pytest.raises(DataError, match="frame rate"):
        linear(np.zeros((40, 8, 8), np.float32), 2, fps=fps, band=band)  # type: ignore[arg-type]


@pytest.mark.parametrize(("low", "high"), [(0, 2), (2, 1), (1, 15), (1, 20)])
def test_a_band_must_lie_below_half_the_frame_rate(low: float, high: float) -> None:
    for band in (Butterworth(low, high), Ideal(low, high)):
        with pytest.raises(DataError, match="no band"):
            band(np.zeros((40, 1), np.float32), FPS)
    with pytest.raises(DataError, match="no band"):
        Iir(0.05, 0.4)


@pytest.mark.parametrize("t", [1, 2, 9])
@pytest.mark.parametrize("colour", [(), (3,)])
def test_bytes_come_back_as_bytes_of_the_same_shape(t: int, colour: tuple[int, ...]) -> None:
    frames = np.random.default_rng(3).integers(0, 256, (t, 20, 24, *colour), dtype=np.uint8)
    magnified = linear(frames, 5, fps=FPS, band=Iir())
    assert magnified.dtype == np.uint8
    assert magnified.shape == frames.shape
    assert (linear(frames, 1, fps=FPS, band=Iir()) == frames).all()


def test_without_chroma_red_green_and_blue_change_alike() -> None:
    frames = np.random.default_rng(4).random((12, 20, 20, 3), dtype=np.float32)
    change = linear(frames, 8, fps=FPS, band=Iir()) - frames
    np.testing.assert_allclose(change, np.repeat(change[..., :1], 3, axis=-1), atol=1e-5)
    luma = frames @ np.array([0.299, 0.587, 0.114], np.float32)
    np.testing.assert_allclose(change[..., 0], linear(luma, 8, fps=FPS, band=Iir()) - luma, atol=1e-5)


def test_with_full_chroma_each_channel_is_magnified_by_itself() -> None:
    # The colour transform is linear, as is everything else: with equal weights it must drop out.
    frames = np.random.default_rng(5).random((12, 20, 20, 3), dtype=np.float32)
    coloured = linear(frames, 8, fps=FPS, band=Iir(), chroma=1.0)
    apart = [linear(np.ascontiguousarray(frames[..., c]), 8, fps=FPS, band=Iir()) for c in range(3)]
    np.testing.assert_allclose(coloured, np.stack(apart, axis=-1), atol=1e-5)


def test_values_outside_the_unit_interval_and_factors_below_one_are_refused() -> None:
    frames = np.random.default_rng(6).random((6, 12, 12))
    for bad in (frames * 255, np.zeros((6, 12, 12), np.int32), frames[0], frames[:0], frames * np.nan):
        with pytest.raises(DataError):
            linear(bad, 2, fps=FPS, band=Iir())
    for factor in (0.5, -1, float("nan"), float("inf")):
        with pytest.raises(DataError, match="factor"):
            linear(frames, factor, fps=FPS, band=Iir())

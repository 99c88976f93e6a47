"""Phase-based magnification on patterns that can be shifted exactly."""

import numpy as np
import numpy.typing as npt
import pytest

from mebench.errors import DataError
from mebench.vision.magnification.phase import clip, two_frame
from mebench.vision.magnification.steerable import Steerable
from mebench.vision.magnification.temporal import Ideal, Iir
from tests.test_vision_magnification import FPS, displacement, stripes, swing, swung, translating

Image = npt.NDArray[np.float32]


def texture(shift_x: float = 0.0, shift_y: float = 0.0, noise: float = 0.0, seed: int = 0) -> Image:
    """Plane waves of 6 to 40 px in 0..1 on 96 × 112 px, moved by exactly this much; noise in the same unit."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:96, :112].astype(np.float64)
    total = np.full(x.shape, 0.5)
    parameters = zip(rng.uniform(6, 40, 40), rng.uniform(0, np.pi, 40), rng.uniform(0, 6.3, 40), strict=True)
    for wavelength, angle, phase in parameters:
        along = (x - shift_x) * np.cos(angle) + (y - shift_y) * np.sin(angle)
        total += 0.03 * np.cos(2 * np.pi * along / wavelength + phase)
    return (total + np.random.default_rng(seed).normal(0, noise or 1e-9, x.shape)).astype(np.float32)


def mean_error(image: Image, truth: Image) -> float:
    return float(np.abs(image - truth)[16:-16, 16:-16].mean())


@pytest.mark.parametrize("orientations", [4, 8])
@pytest.mark.parametrize("shape", [(224, 224), (97, 131), (64, 65), (20, 24)])
def test_factor_one_rebuilds_the_image(shape: tuple[int, int], orientations: int) -> None:
    onset, apex = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    assert np.abs(two_frame(onset, apex, 1, pyramid=Steerable(orientations)) - apex).max() <= 2e-6


@pytest.mark.parametrize("levels", [1, 3, 8])
def test_any_depth_rebuilds_the_image(levels: int) -> None:
    onset, apex = np.random.default_rng(1).random((2, 80, 81), dtype=np.float32)
    assert np.abs(two_frame(onset, apex, 1, levels=levels) - apex).max() <= 2e-6


def test_images_that_do_not_differ_stay_as_they_are() -> None:
    image = texture()
    assert np.abs(two_frame(image, image, 20) - image).max() <= 2e-6


@pytest.mark.parametrize("wavelength", [8, 16, 32])
@pytest.mark.parametrize("relative", [0.03, 0.125, 0.25])
def test_a_translating_cosine_moves_by_the_factor_at_unchanged_contrast(wavelength: int, relative: float) -> None:
    factor = 5
    shifts = np.array([0.0, relative * wavelength / factor])
    onset, apex = translating(wavelength, shifts, width=384)
    magnified = two_frame(onset, apex, factor, levels=6)
    z = stripes(np.stack([onset, magnified]), wavelength)
    assert displacement(z, wavelength)[1] / (factor * shifts[1]) == pytest.approx(1, abs=0.005)
    assert abs(z[1]) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("wavelength", [8, 16, 32])
def test_a_clip_of_a_translating_cosine_moves_by_the_factor(wavelength: int) -> None:
    shifts = swing(0.125 * wavelength / 5, t=30)
    magnified = clip(translating(wavelength, shifts, width=384), 5, fps=FPS, band=Ideal(0.5, 2.0), levels=6)
    z = stripes(magnified, wavelength)
    assert swung(displacement(z, wavelength)) / (0.125 * wavelength) == pytest.approx(1, abs=0.005)
    assert np.abs(z).mean() == pytest.approx(1, abs=0.005)


def test_motion_outside_the_band_is_left_alone() -> None:
    shifts = swing(0.1, hz=4.0)
    magnified = clip(translating(16, shifts), 10, fps=FPS, band=Ideal(0.5, 2.0))
    assert swung(displacement(stripes(magnified, 16), 16), hz=4.0) == pytest.approx(0.1, rel=0.01)


def test_what_lies_in_the_residual_is_not_magnified() -> None:
    # Four octave bands end at a wavelength of 32 px; unmagnified motion is 1/21 of what a factor of 21 asks for.
    shifts = np.array([0.0, 0.05])
    onset, apex = translating(32, shifts, width=384)
    for levels, share in ((4, 1 / 21), (6, 1.0)):
        z = stripes(np.stack([onset, two_frame(onset, apex, 21, levels=levels)]), 32)
        assert displacement(z, 32)[1] / (21 * shifts[1]) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize(("delta", "factor"), [(0.1, 10.0), (0.25, 4.0)])
def test_a_shifted_texture_is_carried_to_where_it_was_asked(delta: float, factor: float) -> None:
    apex, truth = texture(delta, -delta), texture(delta * factor, -delta * factor)
    magnified = two_frame(texture(), apex, factor)
    assert mean_error(magnified, truth) < 0.25 * mean_error(apex, truth)


def test_noise_is_amplified_far_less_than_by_the_difference_image() -> None:
    # onset + 10·(apex − onset) turns noise σ in both images into σ√(10² + 9²) = 13.5σ.
    onset, apex = texture(noise=2 / 255, seed=1), texture(0.1, noise=2 / 255, seed=2)
    truth = texture(1.0)
    phase, plain = two_frame(onset, apex, 10), onset + 10 * (apex - onset)
    assert mean_error(phase, truth) < 0.35 * mean_error(plain, truth)


def test_smoothing_phases_lowers_the_noise() -> None:
    onset, apex = texture(noise=2 / 255, seed=3), texture(0.1, noise=2 / 255, seed=4)
    truth = texture(1.0)
    assert mean_error(two_frame(onset, apex, 10), truth) < 0.9 * mean_error(
        two_frame(onset, apex, 10, blur_px=0), truth
    )


def test_local_motion_stays_local() -> None:
    onset = texture()
    mask = np.zeros_like(onset)
    mask[30:60, 70:100] = 1
    apex = onset * (1 - mask) + texture(0.2) * mask
    magnified = two_frame(onset, apex, 8)
    assert np.abs(magnified - onset)[:, :30].max() < 0.01
    assert np.abs(magnified - apex)[35:55, 75:95].mean() > 0.02


@pytest.mark.parametrize("t", [1, 2, 5])
@pytest.mark.parametrize("colour", [(), (3,)])
def test_bytes_come_back_as_bytes_of_the_same_shape(t: int, colour: tuple[int, ...]) -> None:
    frames = np.random.default_rng(3).integers(0, 256, (t, 20, 24, *colour), dtype=np.uint8)
    magnified = clip(frames, 5, fps=FPS, band=Iir())
    assert magnified.dtype == np.uint8
    assert magnified.shape == frames.shape
    assert (clip(frames, 1, fps=FPS, band=Iir()) == frames).all()
    assert (two_frame(frames[0], frames[-1], 1) == frames[-1]).all()


def test_colour_images_change_in_luma_alone() -> None:
    rng = np.random.default_rng(4)
    tint = rng.uniform(0.6, 1, 3).astype(np.float32)
    onset, apex = texture()[..., None] * tint, texture(0.2)[..., None] * tint
    change = two_frame(onset, apex, 6) - apex
    np.testing.assert_allclose(change, np.repeat(change[..., :1], 3, axis=-1), atol=1e-6)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    expected = two_frame(onset @ weights, apex @ weights, 6) - apex @ weights
    np.testing.assert_allclose(change[..., 0], expected, atol=1e-5)


def test_equal_images_give_equal_bits() -> None:
    once, again = (two_frame(texture(), texture(0.3), 6) for _ in range(2))
    assert once.tobytes() == again.tobytes()


def test_pairs_that_do_not_match_and_impossible_pyramids_are_refused() -> None:
    image = texture()
    with pytest.raises(DataError, match="pair"):
        two_frame(image, image[1:], 2)
    with pytest.raises(DataError):
        two_frame(image * 255, image, 2)
    with pytest.raises(DataError, match="factor"):
        two_frame(image, image, 0.5)
    for wrong in ({"levels": 0}, {"blur_px": -1.0}):
        with pytest.raises(DataError, match="pyramid"):
            two_frame(image, image, 2, **wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="pyramid"):
        Steerable(1)
    with pytest.raises(DataError, match="frame rate"):
        clip(image[None], 2, fps=None, band=Iir())  # type: ignore[arg-type]

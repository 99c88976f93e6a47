"""Optical flow on shifted textures, and strain on fields whose strain is known by hand."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mebench.errors import DataError
from mebench.vision.flow import flow
from mebench.vision.strain import strain

Array = npt.NDArray[np.float64]


def texture(shift_x: float = 0.0, shift_y: float = 0.0, stretch: float = 0.0) -> npt.NDArray[np.uint8]:
    """Plane waves of 12 to 40 px on 128 × 128 px, moved by exactly this much and widened about x = 64."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:128, :128].astype(np.float64)
    x = 64 + (x - 64) / (1 + stretch)
    total = np.full((128, 128), 127.0)
    for wavelength, angle, phase in zip(
        rng.uniform(12, 40, 40), rng.uniform(0, np.pi, 40), rng.uniform(0, 6.3, 40), strict=True
    ):
        along = (x - shift_x) * np.cos(angle) + (y - shift_y) * np.sin(angle)
        total += 10 * np.cos(2 * np.pi * along / wavelength + phase)
    return np.rint(np.clip(total, 0, 255)).astype(np.uint8)


INSIDE = (slice(16, -16), slice(16, -16))


@pytest.mark.parametrize("method", ["dis", "dis-fast", "tvl1"])
def test_identical_frames_do_not_flow(method: str) -> None:
    assert (flow(texture(), texture(), method) == 0).all()  # type: ignore[arg-type]


def test_identical_frames_do_not_flow_inside_for_farneback() -> None:
    found = flow(texture(), texture(), "farneback")
    assert np.abs(found[INSIDE]).max() < 1e-3


@pytest.mark.parametrize(
    ("method", "params", "tolerance"),
    [
        ("dis", {}, 0.01),
        ("dis-fast", {}, 0.01),
        ("dis", {"patch": 8, "variational": 5}, 0.01),
        ("dis", {"patch": 8, "variational": 5, "finest": 1}, 0.04),
        ("tvl1", {}, 0.01),
        ("farneback", {}, 0.05),
    ],
)
def test_half_a_pixel_to_the_right_reads_half_a_pixel(method: str, params: dict[str, int], tolerance: float) -> None:
    found = flow(texture(), texture(0.5), method, **params)  # type: ignore[arg-type]
    assert found.dtype == np.float32
    assert found[..., 0][INSIDE].mean() == pytest.approx(0.5, abs=tolerance)
    assert found[..., 1][INSIDE].mean() == pytest.approx(0.0, abs=tolerance)


def test_down_is_positive_y() -> None:
    found = flow(texture(), texture(0, 0.5))
    assert found[..., 1][INSIDE].mean() == pytest.approx(0.5, abs=0.01)


def test_the_grid_is_the_first_images() -> None:
    # Widened by w about x = 64, a point at x moves by w(x − 64) seen from the first image; seen from the second, what
    # arrived at x moved by w/(1 + w)·(x − 64): slopes .1 and .091.
    found = flow(texture(), texture(stretch=0.1))[32:-32, 40:89, 0].mean(axis=0)
    assert np.polyfit(np.arange(40, 89), found, 1)[0] == pytest.approx(0.1, abs=0.004)


def test_tvl1_reads_bytes_as_the_unit_interval() -> None:
    first, second = texture(), texture(0.5)
    method = cv2.optflow.DualTVL1OpticalFlow.create()
    unit = [image.astype(np.float32) / np.float32(255) for image in (first, second)]
    expected = method.calc(*unit, np.zeros((128, 128, 2), np.float32))
    assert (flow(first, second, "tvl1") == expected).all()


@pytest.mark.parametrize("method", ["dis", "dis-fast", "tvl1", "farneback"])
def test_anything_but_two_equal_grey_byte_images_is_refused(method: str) -> None:
    good = texture()
    for bad in (good.astype(np.float32), good / 255.0, np.stack([good] * 3, axis=-1), good[:-1], good.astype(np.int16)):
        with pytest.raises(DataError):
            flow(good, bad, method)  # type: ignore[arg-type]
    smallest = 16 if method == "dis-fast" else 12
    with pytest.raises(DataError, match=f"{smallest} px"):
        flow(good[:8, :8], good[:8, :8], method)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "patch"), [("dis", 12), ("dis-fast", 16)])
def test_dis_says_which_images_are_too_small_for_its_patch(method: str, patch: int) -> None:
    """The coarsest scale, log2(longer side / (4 patch)) + .5, must be above -1: a side above sqrt(2) patch."""
    good, enough = texture(), int(patch * 2**0.5) + 1
    strip = good[:patch, :enough]
    assert flow(strip, strip, method).shape == (patch, enough, 2)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no scale"):
        flow(strip[:, :-1], strip[:, :-1], method)  # type: ignore[arg-type]


def test_fast_dis_sees_half_a_pixel_in_noise() -> None:
    rng = np.random.default_rng(11)
    first, second = (
        np.clip(np.rint(image + rng.normal(0, 2, image.shape)), 0, 255).astype(np.uint8)
        for image in (texture(), texture(0.5))
    )
    found = flow(first, second, "dis-fast")[INSIDE]
    assert found[..., 0].mean() == pytest.approx(0.5, abs=0.03)
    assert np.hypot(found[..., 0] - 0.5, found[..., 1]).mean() < 0.1


def test_an_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="horn"):
        flow(texture(), texture(), "horn")  # type: ignore[arg-type]


W = 0.125
Y, X = np.mgrid[:20, :30].astype(np.float64)
ZERO = np.zeros_like(X)


@pytest.mark.parametrize(
    ("u", "v", "expected"),
    [
        (ZERO + 3, ZERO - 2, 0.0),  # translation
        (-W * Y, W * X, 0.0),  # rotation: u_y = −w and v_x = w cancel
        (W * X, ZERO, W),  # stretch: ε_xx alone
        (W * X, W * Y, W * np.sqrt(2)),  # dilation
        (W * X, -W * Y, W * np.sqrt(2)),  # squeeze
        (W * Y, ZERO, W / np.sqrt(2)),  # shear: ε_xy = w/2, and 2ε_xy² = w²/2
        (W * Y, W * X, W * np.sqrt(2)),  # pure shear: ε_xy = w
    ],
    ids=["translation", "rotation", "stretch", "dilation", "squeeze", "shear", "pure shear"],
)
def test_strain_of_linear_fields(u: Array, v: Array, expected: float) -> None:
    field = np.stack([u, v], axis=-1).astype(np.float32)
    np.testing.assert_allclose(strain(field), np.full_like(u, expected), atol=1e-6)
    np.testing.assert_allclose(strain(field, "backward")[1:, 1:], np.full_like(u, expected)[1:, 1:], atol=1e-6)


def test_backward_differences_strain_the_first_row_and_column_of_a_rotation() -> None:
    found = strain(np.stack([-W * Y, W * X], axis=-1), "backward")
    np.testing.assert_allclose(found[0, 1:], W / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(found[1:, 0], W / np.sqrt(2), rtol=1e-6)
    assert found[0, 0] == 0


def test_strain_of_something_else_is_refused() -> None:
    with pytest.raises(DataError):
        strain(np.zeros((10, 10)))
    with pytest.raises(DataError, match="sobel"):
        strain(np.zeros((10, 10, 2)), "sobel")  # type: ignore[arg-type]

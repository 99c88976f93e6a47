"""Temporal interpolation against its eigenvector derivation and values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mebench.errors import DataError
from mebench.vision.interpolation import tim, tim_matrix

lengths = st.integers(1, 60)


@given(lengths, lengths)
def test_rows_sum_to_one(t: int, n: int) -> None:
    np.testing.assert_allclose(tim_matrix(t, n).sum(axis=1), 1, atol=1e-9)


@given(lengths)
def test_the_same_length_changes_nothing(t: int) -> None:
    np.testing.assert_allclose(tim_matrix(t, t), np.eye(t), atol=1e-9)


@given(st.integers(2, 60), st.integers(2, 60))
def test_first_and_last_frame_are_kept(t: int, n: int) -> None:
    np.testing.assert_allclose(tim_matrix(t, n)[[0, -1]], np.eye(t)[[0, -1]], atol=1e-9)


@given(st.integers(1, 40), st.integers(2, 40))
def test_reversed_time_gives_reversed_frames(t: int, n: int) -> None:
    np.testing.assert_allclose(tim_matrix(t, n)[::-1, ::-1], tim_matrix(t, n), atol=1e-9)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_cosines_of_the_basis_come_back_at_the_new_instants(k: int) -> None:
    t, n = 7, 12
    frames = np.cos(np.pi * k * (2 * np.arange(1, t + 1) - 1) / (2 * t))
    instants = 1 + (t - 1) * np.arange(n) / (n - 1)
    np.testing.assert_allclose(tim(frames, n), np.cos(np.pi * k * (2 * instants - 1) / (2 * t)), atol=1e-12)


def test_a_ramp_comes_back_bent() -> None:
    # Three frames: c_0 = 1/3, c_1 = c_2 = 2/3. At s = 1.5 the basis is (1, cos π/3, cos 2π/3) = (1, ½, −½);
    # the ramp's coefficients are Σ = 6, 1·√3/2 + 3·(−√3/2) = −√3, ½ − 2 + 3/2 = 0. So 6/3 − (2/3)·√3/2 = 1.42265.
    np.testing.assert_allclose(tim(np.array([1.0, 2.0, 3.0]), 5), [1, 2 - 3**-0.5, 2, 2 + 3**-0.5, 3], atol=1e-12)
    np.testing.assert_allclose(tim_matrix(3, 5)[1], [0.455342, 0.666667, -0.122008], atol=1e-6)
    assert np.abs(tim(np.arange(1.0, 11.0), 19) - np.linspace(1, 10, 19)).max() == pytest.approx(0.0438, abs=1e-4)


def test_it_is_the_path_graph_embedding_of_the_original() -> None:
    # Zhou et al. fit the frames to the path graph's eigenvectors, sin(πk s/T + π(T−k)/(2T)) for k = 1..T−1, and
    # read the fitted curve at new instants; with independent frames the fit is exact and can be solved for directly.
    t, n = 9, 14
    rng = np.random.default_rng(3)
    frames = rng.normal(size=(t, 4))
    k = np.arange(1, t)

    def curve(s: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(s)), np.sin(np.pi * k * s[:, None] / t + np.pi * (t - k) / (2 * t))])

    coefficients = np.linalg.solve(curve(np.arange(1.0, t + 1)), frames)
    expected = curve(1 + (t - 1) * np.arange(n) / (n - 1)) @ coefficients
    np.testing.assert_allclose(tim(frames, n), expected, atol=1e-9)


def test_frames_keep_their_shape_and_bytes_become_doubles() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
    found = tim(frames, 10)
    assert found.shape == (10, 5, 4, 3)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found[:, 2, 1, 0], tim_matrix(6, 10) @ frames[:, 2, 1, 0])


def test_a_single_frame_is_repeated_and_repeated_frames_are_no_obstacle() -> None:
    image = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(tim(image[None], 3), np.stack([image] * 3))
    np.testing.assert_allclose(tim(np.stack([image] * 5), 3), np.stack([image] * 3), atol=1e-12)


def test_the_matrix_is_shared_and_cannot_be_written() -> None:
    assert tim_matrix(5, 9) is tim_matrix(5, 9)
    with pytest.raises(ValueError, match="read-only"):
        tim_matrix(5, 9)[0, 0] = 2


@pytest.mark.parametrize(("t", "n"), [(0, 5), (5, 0)])
def test_no_frames_or_no_instants_are_refused(t: int, n: int) -> None:
    with pytest.raises(DataError):
        tim_matrix(t, n)

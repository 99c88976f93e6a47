"""Bi-WOOF in both readings, on fields whose answer is known by hand and against slow readings of each."""

import numpy as np
import pytest

from mebench.baselines.motion.bi_woof import bi_woof, feature_names_out
from mebench.errors import DataError, UnknownName, UsageError
from mebench.vision.strain import strain as optical_strain


def steady(u: float, v: float, side: int = 50) -> np.ndarray:
    return np.broadcast_to(np.array([u, v], np.float32), (side, side, 2))


def ones(side: int = 50) -> np.ndarray:
    return np.ones((side, side), np.float32)


def noise(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (height, width, 2)).astype(np.float32), rng.uniform(0, 1, (height, width))


def as_released(flow: np.ndarray, strain: np.ndarray, n: int = 5) -> np.ndarray:
    """`biwoof.m` line by line: indices from 1 and inclusive, a histogram by comparing with every edge."""
    height, width = strain.shape
    h, w = height // n, width // n
    theta = np.degrees(np.arctan2(flow[..., 1].astype(float), flow[..., 0].astype(float)))
    rho = np.hypot(flow[..., 0].astype(float), flow[..., 1].astype(float))
    edges = [-180, -135, -90, -45, 0, 45, 90, 135]
    vector = []
    for row in range(1, n + 1):
        first_y, last_y = (1 if row == 1 else (row - 1) * h), (height if row == n else row * h + 1)
        for column in range(1, n + 1):
            first_x, last_x = (1 if column == 1 else (column - 1) * w), (width if column == n else column * w + 1)
            block = slice(first_y - 1, last_y), slice(first_x - 1, last_x)
            histogram = np.zeros(8)
            for k in range(7):
                histogram[k] = rho[block][(theta[block] >= edges[k]) & (theta[block] < edges[k + 1])].sum()
            histogram[7] = rho[block][theta[block] == edges[7]].sum()
            vector.append(histogram / histogram.sum() * strain[block].sum())
    found = np.concatenate(vector)
    return found / np.linalg.norm(found)


def as_published(flow: np.ndarray, strain: np.ndarray, rows: int, columns: int) -> np.ndarray:
    theta = np.degrees(np.arctan2(flow[..., 1].astype(float), flow[..., 0].astype(float)))
    rho = np.hypot(flow[..., 0].astype(float), flow[..., 1].astype(float))
    height, width = strain.shape
    vector = []
    for r in range(rows):
        for c in range(columns):
            block = (
                slice(r * height // rows, (r + 1) * height // rows),
                slice(c * width // columns, (c + 1) * width // columns),
            )
            histogram, _ = np.histogram(theta[block], np.arange(-180, 181, 45), weights=rho[block])
            vector.append(histogram / histogram.sum() * strain[block].mean())
    found = np.concatenate(vector)
    return found / np.linalg.norm(found)


def test_uniform_motion_under_uniform_strain_is_a_fifth_in_bin_4_of_every_block():
    # 25 equal entries of a vector of length 1: 1 / sqrt(25)
    vector = bi_woof(steady(1, 0), ones())
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector.reshape(25, 8), np.tile(0.2 * np.eye(8)[4], (25, 1)), atol=1e-7)


def test_released_blocks_weigh_uniform_strain_by_their_size():
    # Inclusive from 1: 1..11, 10..21, 20..31, 30..41, 40..50, that is 11, 12, 12, 12 and 11 px
    sides = np.array([11, 12, 12, 12, 11])
    expected = np.outer(sides, sides).ravel() / np.linalg.norm(np.outer(sides, sides))
    vector = bi_woof(steady(1, 0), ones(), reading="released").reshape(25, 8)
    np.testing.assert_allclose(vector[:, 4], expected, atol=1e-6)
    assert not np.delete(vector, 4, axis=1).any()


@pytest.mark.parametrize(("height", "width"), [(50, 50), (170, 140), (53, 61), (11, 14)])
def test_both_readings_equal_their_definition_read_slowly(height, width):
    flow, strain = noise(0, height, width)
    np.testing.assert_allclose(bi_woof(flow, strain, reading="released"), as_released(flow, strain), atol=1e-6)
    np.testing.assert_allclose(bi_woof(flow, strain), as_published(flow, strain, 5, 5), atol=1e-6)
    np.testing.assert_allclose(bi_woof(flow, strain, blocks=(3, 4)), as_published(flow, strain, 3, 4), atol=1e-6)


@pytest.mark.parametrize(
    ("vector", "paper", "released"),
    [
        ((-1, 0), 7, None),  # 180 degrees: the last bin takes its upper end; histc loses it
        ((-1, 1), 7, 7),  # 135: the one angle in bin 7 of histc
        ((-2, 1), 7, None),  # 153
        ((-1, 2), 6, 6),  # 117
        ((-1, -1), 1, 1),  # -135 begins bin 1
        ((1, 1), 5, 5),  # 45 begins bin 5
        ((0, -1), 2, 2),  # -90 begins bin 2
    ],
)
def test_where_the_readings_part_over_directions(vector, paper, released):
    for reading, expected in (("paper", paper), ("released", released)):
        found = bi_woof(steady(*vector), ones(), reading=reading).reshape(25, 8).sum(axis=0)
        assert np.flatnonzero(found).tolist() == ([] if expected is None else [expected])


def test_a_block_counts_by_its_strain():
    flow, strain = np.array(steady(1, 0)), ones()
    strain[:10, :10] = 7
    vector = bi_woof(flow, strain).reshape(25, 8)
    assert vector[0, 4] / vector[1, 4] == pytest.approx(7)


def test_length_of_motion_counts_inside_a_block_and_not_between_blocks():
    flow = np.array(steady(1, 0))
    flow[:5, :10] = 0, 3  # half of the first block moves down, three times as far
    flow[:10, 10:20] = 5, 0
    vector = bi_woof(flow, ones()).reshape(25, 8)
    assert vector[0, 6] / vector[0, 4] == pytest.approx(3)
    assert vector[1, 4] == pytest.approx(vector[2, 4])


def test_blocks_without_motion_are_zero():
    flow = np.array(steady(1, 0))
    flow[:10, :10] = 0
    for reading in ("paper", "released"):
        vector = bi_woof(flow, ones(), reading=reading).reshape(25, 8)
        assert np.all(np.isfinite(vector))
        assert np.linalg.norm(vector) == pytest.approx(1)
    assert not bi_woof(flow, ones()).reshape(25, 8)[0].any()
    assert not bi_woof(steady(0, 0), ones()).any()
    assert not bi_woof(steady(1, 0), np.zeros((50, 50))).any()


def test_scaling_of_flow_and_strain_changes_nothing():
    flow, _ = noise(1, 60, 50)
    for scheme in ("central", "backward"):
        once, thrice = (bi_woof(k * flow, optical_strain(k * flow, scheme)) for k in (1, 3))
        np.testing.assert_allclose(once, thrice, atol=1e-6)
    central, backward = (bi_woof(flow, optical_strain(flow, scheme)) for scheme in ("central", "backward"))
    assert np.abs(central - backward).max() > 1e-3


def test_left_out_directions_do_not_count():
    flow = np.array(steady(1, 0))
    flow[::2] = 0, 1
    vector = bi_woof(flow, ones(), directions=(4, 5)).reshape(25, 2)
    np.testing.assert_allclose(vector, np.tile([0.2, 0], (25, 1)), atol=1e-7)


def test_names_stand_where_their_values_do():
    flow, strain = np.zeros((20, 30, 2), np.float32), np.ones((20, 30))
    flow[10:, 20:, 1] = 1  # row 1 of 2, column 2 of 3, downwards: 90 degrees, bin 6
    vector, names = bi_woof(flow, strain, blocks=(2, 3)), feature_names_out(blocks=(2, 3))
    assert len(vector) == len(names) == 48
    assert names[np.flatnonzero(vector)].tolist() == ["r1_c2_6"]
    assert feature_names_out(directions=(6, 4)).tolist()[:2] == ["r0_c0_6", "r0_c0_4"]


def test_input_may_be_read_only_and_in_doubles():
    flow, strain = noise(2, 40, 30)
    expected = bi_woof(flow, strain)
    flow.flags.writeable = strain.flags.writeable = False
    np.testing.assert_array_equal(bi_woof(flow.astype(np.float64), strain.astype(np.float32)), expected)


def test_input_that_does_not_fit_is_refused():
    flow, strain = noise(3, 40, 30)
    with pytest.raises(DataError, match="got flow of shape"):
        bi_woof(flow[None], strain)
    with pytest.raises(DataError, match="got strain of shape"):
        bi_woof(flow, strain[:-1])
    with pytest.raises(DataError, match="cannot cut"):
        bi_woof(flow[:4], strain[:4])
    with pytest.raises(DataError, match="dtype uint16"):
        bi_woof(np.ones((40, 30, 2), np.uint16), strain)
    for broken in (np.nan, np.inf, -0.1):
        spoiled = strain.copy()
        spoiled[3, 4] = broken
        with pytest.raises(DataError, match="negative or not finite"):
            bi_woof(flow, spoiled)
    flow[3, 4, 1] = np.nan
    with pytest.raises(DataError, match="flow that is not finite"):
        bi_woof(flow, strain)


def test_parameters_out_of_range_are_refused():
    with pytest.raises(UnknownName, match="histc"):
        bi_woof(steady(1, 0), ones(), reading="histc")
    for wrong in ({"blocks": (5, 5, 1)}, {"blocks": (5, 0)}, {"directions": (8,)}, {"directions": ()}):
        with pytest.raises(UsageError):
            bi_woof(steady(1, 0), ones(), **wrong)

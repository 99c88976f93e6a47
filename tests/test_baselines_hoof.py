"""HOOF, and what flow descriptors share, on fields whose answer is known by hand."""

import math

import numpy as np
import pytest

from mebench.baselines.motion.fields import (
    block_boxes,
    block_map,
    direction_bins,
    disjoint_spans,
    flow_fields,
    kept_bins,
)
from mebench.baselines.motion.hoof import feature_names_out, hoof
from mebench.errors import DataError, UsageError


def steady(u: float, v: float, shape: tuple[int, ...] = (3, 50, 40)) -> np.ndarray:
    return np.broadcast_to(np.array([u, v], np.float32), (*shape, 2))


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (*shape, 2)).astype(np.float32)


EIGHTHS = {
    (-1, 0): 180,
    (-1, -1): -135,
    (0, -1): -90,
    (1, -1): -45,
    (1, 0): 0,
    (1, 1): 45,
    (0, 1): 90,
    (-1, 1): 135,
}


@pytest.mark.parametrize("length", [1.0, 0.1, 3e-5, 700.0])
@pytest.mark.parametrize(("vector", "degrees"), EIGHTHS.items())
def test_a_direction_on_the_border_belongs_to_the_bin_above(vector, degrees, length):
    field = np.array(vector, np.float32).reshape(1, 1, 1, 2) * np.float32(length)
    # 45 degrees from -180 on: -135 begins bin 1, 0 begins bin 4; 180 alone has no bin above and stays in the last
    assert direction_bins(field, 8).item() == min((degrees + 180) // 45, 7)


def test_minus_zero_downwards_points_left_like_zero():
    field = np.array([-1, -0.0], np.float32).reshape(1, 1, 1, 2)
    assert direction_bins(field, 8).item() == 7


def test_bins_hold_the_angles_between_their_borders():
    degrees = np.linspace(-179.5, 179.5, 360)
    field = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=-1).astype(np.float32)
    np.testing.assert_array_equal(direction_bins(field[None, None], 30)[0, 0], (degrees + 180) // 12)


def test_left_out_directions_have_no_bin_and_the_rest_are_renumbered():
    found = kept_bins(np.arange(8, dtype=np.uint8), (6, 1), 8)
    assert found.tolist() == [255, 1, 255, 255, 255, 255, 0, 255]


@pytest.mark.parametrize("directions", [(1, 1), (8,), (-1,), ("u",)])
def test_directions_that_are_no_choice_of_bins_are_refused(directions):
    with pytest.raises(UsageError, match="no choice"):
        hoof(steady(1, 0), directions=directions)


def test_blocks_lose_no_pixel_and_share_none():
    # 7 rows in 3: 0, floor(7/3) = 2, floor(14/3) = 4, 7
    assert disjoint_spans(7, 3) == [(0, 2), (2, 4), (4, 7)]
    covered = np.zeros((7, 11), int)
    for y0, y1, x0, x1 in block_boxes((7, 11), (3, 5), "a test"):
        covered[y0:y1, x0:x1] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize(("u", "v", "expected"), [(1, 0, 4), (-1, 0, 4), (0, 1, 7), (0, -1, 0), (3, 3, 6), (-3, 3, 6)])
def test_uniform_motion_fills_one_bin_of_every_block(u, v, expected):
    # atan2(v, |u|) from -90 in steps of 22.5: 0 begins bin 4, 45 begins bin 6, 90 stays in the last
    vector = hoof(steady(u, v)).reshape(25, 8)
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector, np.tile(np.eye(8)[expected], (25, 1)))


def test_a_vector_counts_by_its_length():
    flow = np.zeros((1, 4, 4, 2), np.float32)
    flow[0, 0, 0] = 3, 0
    flow[0, 1, 1] = 0, -1
    np.testing.assert_allclose(hoof(flow, blocks=(1, 1)), [1 / 4, 0, 0, 0, 3 / 4, 0, 0, 0])


def test_a_mirror_of_the_face_mirrors_the_blocks_and_keeps_their_histograms():
    flow = noise(0, 4, 30, 40)
    mirrored = flow[:, :, ::-1] * np.array([-1, 1], np.float32)
    found = hoof(flow, blocks=(3, 4)).reshape(3, 4, 8)
    np.testing.assert_allclose(hoof(mirrored, blocks=(3, 4)).reshape(3, 4, 8), found[:, ::-1], atol=1e-6)
    np.testing.assert_array_equal(hoof(flow * np.array([-1, 1], np.float32), blocks=(3, 4)).reshape(3, 4, 8), found)


def test_hoof_equals_numpy_s_weighted_histograms():
    flow = noise(1, 5, 20, 17)
    theta = np.arctan2(flow[..., 1].astype(float), np.abs(flow[..., 0].astype(float)))
    rho = np.hypot(flow[..., 0].astype(float), flow[..., 1])
    expected = []
    for t in (slice(0, 2), slice(2, 5)):
        for y in (slice(0, 10), slice(10, 20)):
            for x in (slice(0, 5), slice(5, 11), slice(11, 17)):
                counts, _ = np.histogram(
                    theta[t, y, x], bins=6, range=(-math.pi / 2, math.pi / 2), weights=rho[t, y, x]
                )
                expected.append(counts / counts.sum())
    np.testing.assert_allclose(hoof(flow, bins=6, blocks=(2, 3), spans=2), np.concatenate(expected), atol=1e-6)


def test_size_of_motion_does_not_matter_and_none_is_zero():
    flow = noise(2, 3, 20, 20)
    np.testing.assert_allclose(hoof(4 * flow), hoof(flow), atol=1e-7)
    assert not hoof(steady(0, 0)).any()
    flow[:, :4, :4] = 0
    assert not hoof(flow).reshape(25, 8)[0].any()


def test_what_moves_in_left_out_directions_does_not_count():
    flow = np.concatenate([steady(1, 0, (1, 20, 20)), steady(0, 3, (1, 20, 20))])
    np.testing.assert_allclose(hoof(flow).reshape(25, 8)[0, [4, 7]], [1 / 4, 3 / 4])
    np.testing.assert_array_equal(hoof(flow, directions=(0, 4)).reshape(25, 2), np.tile([0, 1], (25, 1)))
    np.testing.assert_array_equal(hoof(flow, directions=()), hoof(flow, directions=tuple(range(8))))


def test_names_stand_where_their_values_do():
    # One block of one span moves: row 1 of 2, column 2 of 3, span 0 of 2, downwards.
    flow = np.zeros((4, 20, 30, 2), np.float32)
    flow[:2, 10:, 20:, 1] = 1
    vector, names = hoof(flow, blocks=(2, 3), spans=2), feature_names_out(blocks=(2, 3), spans=2)
    assert len(vector) == len(names) == len(set(names))
    assert names[np.flatnonzero(vector)].tolist() == ["t0_r1_c2_7"]
    assert feature_names_out(directions=(0, 4))[-1] == "t0_r4_c4_4"


def test_a_single_field_is_a_clip_of_one():
    flow = noise(3, 20, 20)
    np.testing.assert_array_equal(hoof(flow), hoof(flow[None]))


@pytest.mark.parametrize("blocks", [(2, 3), (5, 5), (64, 16), (100, 7)])
def test_importance_is_drawn_where_its_block_lies(blocks):
    rows, columns = blocks
    values = np.random.default_rng(4).uniform(0, 1, rows * columns * 4)
    face = block_map(values, blocks)
    assert face.shape == (64, 64)
    assert face.sum() == pytest.approx(values.sum())
    corner = block_map(np.eye(rows * columns * 4)[2], blocks)
    y, x = math.ceil(64 / rows), math.ceil(64 / columns)
    assert corner[:y, :x].sum() == pytest.approx(1)
    assert not corner[y:].any()
    assert not corner[:, x:].any()
    with pytest.raises(DataError, match="do not belong"):
        block_map(values[:-1], (rows, columns * 3))


@pytest.mark.parametrize("shape", [(2,), (50, 2), (50, 40, 3), (0, 50, 40, 2), (3, 50, 0, 2), (1, 3, 50, 40, 2)])
def test_flow_of_another_shape_is_refused(shape):
    with pytest.raises(DataError, match="HOOF got flow of shape"):
        hoof(np.zeros(shape, np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, bool])
def test_flow_that_is_no_length_in_px_is_refused(dtype):
    with pytest.raises(DataError, match="dtype"):
        hoof(np.ones((3, 20, 20, 2), dtype))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_flow_that_is_not_finite_is_refused(broken, dtype):
    flow = np.zeros((3, 20, 20, 2), np.float64)
    flow[1, 19, 7, 1] = broken
    with np.errstate(over="ignore"):
        given = flow.astype(dtype)
    with pytest.raises(DataError, match="not finite"):
        hoof(given)


def test_doubles_and_views_give_the_same_fields():
    flow = noise(5, 3, 20, 22)
    np.testing.assert_array_equal(flow_fields(flow.astype(np.float64), "a test"), flow)
    np.testing.assert_array_equal(hoof(flow[:, ::2, 1:]), hoof(flow[:, ::2, 1:].copy()))


def test_blocks_smaller_than_a_pixel_or_a_frame_are_refused():
    with pytest.raises(DataError, match="cannot cut 1x4x9 into 1x5x5"):
        hoof(steady(1, 0, (1, 4, 9)))
    with pytest.raises(DataError, match="cannot cut 2x"):
        hoof(steady(1, 0, (2, 20, 20)), spans=3)


@pytest.mark.parametrize("wrong", [{"bins": 0}, {"bins": 255}, {"blocks": (5,)}, {"blocks": (0, 5)}, {"spans": 0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        hoof(steady(1, 0), **wrong)

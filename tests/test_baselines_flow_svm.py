"""Flow on a coarse grid, on fields whose means are known by hand."""

import cv2
import numpy as np
import pytest

from mebench.baselines.motion.flow_grid import feature_names_out, flow_grid
from mebench.errors import DataError, UsageError


def noise(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (height, width, 2)).astype(np.float32)


def test_uniform_flow_is_itself_in_every_cell():
    vector = flow_grid(np.broadcast_to(np.float32([0.25, -3]), (37, 50, 2)), cells=4)
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector.reshape(4, 4, 2), np.broadcast_to([0.25, -3], (4, 4, 2)))


def test_cells_are_the_means_of_disjoint_blocks():
    # 7 rows in 3 cells: 0..2, 2..4, 4..7; u grows along x, v along y
    y, x = np.mgrid[:7, :6].astype(np.float32)
    cells = flow_grid(np.stack([x, y], axis=-1), cells=3).reshape(3, 3, 2)
    np.testing.assert_allclose(cells[0, :, 0], [0.5, 2.5, 4.5])
    np.testing.assert_allclose(cells[:, 0, 1], [0.5, 2.5, 5])


def test_where_the_grid_fits_it_equals_shrinking_by_area():
    flow = noise(0, 96, 64)
    expected = cv2.resize(flow, (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(flow_grid(flow, cells=16).reshape(16, 16, 2), expected, atol=1e-6)


def test_a_grid_as_fine_as_the_field_is_the_field():
    flow = noise(1, 12, 12)
    np.testing.assert_array_equal(flow_grid(flow, cells=12), flow.ravel())


def test_no_pixel_is_lost():
    flow = noise(2, 53, 47)
    ys, xs = np.diff(np.arange(9) * 53 // 8), np.diff(np.arange(9) * 47 // 8)
    total = (flow_grid(flow, cells=8).reshape(8, 8, 2) * np.outer(ys, xs)[..., None]).sum(axis=(0, 1))
    np.testing.assert_allclose(total, flow.sum(axis=(0, 1), dtype=np.float64), rtol=1e-4)


def test_names_stand_where_their_values_do_and_components_can_be_left_out():
    flow = np.zeros((32, 32, 2), np.float32)
    flow[8:10, 2:4, 1] = 1
    vector, names = flow_grid(flow), feature_names_out()
    assert vector.shape == names.shape == (512,)
    assert names[np.flatnonzero(vector)].tolist() == ["r4_c1_v"]
    np.testing.assert_array_equal(flow_grid(flow, directions=("v",)), vector[1::2])
    np.testing.assert_array_equal(feature_names_out(directions=("v",)), names[1::2])


def test_input_may_be_read_only_and_in_doubles():
    flow = noise(3, 40, 30)
    expected = flow_grid(flow)
    flow.flags.writeable = False
    np.testing.assert_array_equal(flow_grid(flow.astype(np.float64)), expected)


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(DataError, match="got flow of shape"):
        flow_grid(noise(4, 40, 30)[None])
    with pytest.raises(DataError, match="cannot cut 15x30 into 16x16"):
        flow_grid(noise(4, 15, 30))
    with pytest.raises(DataError, match="dtype uint8"):
        flow_grid(np.zeros((40, 30, 2), np.uint8))
    broken = noise(5, 40, 30)
    broken[39, 29, 0] = np.inf
    with pytest.raises(DataError, match="not finite"):
        flow_grid(broken)


@pytest.mark.parametrize("wrong", [{"cells": 0}, {"cells": 2.5}, {"directions": ()}, {"directions": ("u", "u")}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        flow_grid(noise(6, 40, 30), **wrong)

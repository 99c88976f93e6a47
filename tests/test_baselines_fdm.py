"""FDM on flow whose principal motion is known, and against a search over all directions."""

import numpy as np
import pytest

from mebench.baselines.motion.fdm import common_translation, fdm, feature_names_out, principal_motion
from mebench.errors import DataError, UsageError

SHAPE = (8, 32, 40)


def still(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.zeros((*shape, 2), np.float32)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (*shape, 2)).astype(np.float32)


def test_principal_motion_by_hand():
    # p = (1, 0): projections 1, 2, 0 for the one against it, 0; their mean is 3/4
    np.testing.assert_allclose(principal_motion(np.array([[1.0, 0], [2, 0], [-1, 0], [0, 0]])), [0.75, 0])
    # all on one side: the mean vector
    np.testing.assert_allclose(principal_motion(np.array([[0.0, 2], [1, 1], [2, 0]])), [1, 1])
    # the longer of two opposed motions, although fewer vectors have it: mean (-4 + 0 + 0) / 3
    np.testing.assert_allclose(principal_motion(np.array([[1.0, 0], [1, 0], [-4, 0]])), [-4 / 3, 0])
    np.testing.assert_array_equal(principal_motion(np.zeros((5, 2))), [0, 0])


@pytest.mark.parametrize("seed", range(10))
def test_principal_motion_rests_where_its_iteration_does(seed):
    vectors = np.random.default_rng(seed).normal(0, 1, (50, 2)).astype(np.float32)
    found = principal_motion(vectors)
    side = vectors.astype(float) @ found > 0
    np.testing.assert_allclose(vectors[side].astype(float).sum(axis=0) / 50, found, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_principal_motion_is_the_longest_over_all_directions_where_there_is_a_trend(seed):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi)
    vectors = rng.normal([np.cos(angle), np.sin(angle)], 0.5, (300, 2))
    found = np.linalg.norm(principal_motion(vectors))
    angles = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
    longest = max(np.maximum(vectors @ [np.cos(a), np.sin(a)], 0).mean() for a in angles)
    assert found == pytest.approx(longest, rel=1e-4)


def test_motion_of_the_whole_image_is_removed():
    flow = still() + np.linspace(-3, 3, SHAPE[0], dtype=np.float32)[:, None, None, None] * np.float32([1, 0.5])
    assert np.abs(fdm(flow)).max() < 1e-5
    kept = fdm(flow, spans=8, still_px=0).reshape(8, 64, 2)
    np.testing.assert_allclose(kept[:, :, 0], np.repeat(np.linspace(-3, 3, 8)[:, None], 64, axis=1), atol=1e-6)


def test_a_moving_part_keeps_its_motion_against_the_rest():
    flow = still() + np.float32([2.0, -1.0])
    flow[4:6, :4, 35:] += np.float32([0.3, 0.4])  # block (0, 7) of 8 x 8 during span 2 of 4
    motions = fdm(flow).reshape(4, 8, 8, 2)
    np.testing.assert_allclose(motions[2, 0, 7], [0.3, 0.4], atol=1e-5)
    motions[2, 0, 7] = 0
    assert np.abs(motions).max() < 1e-5


def test_the_common_translation_is_that_of_the_majority():
    rng = np.random.default_rng(0)
    flow = rng.uniform(-4, 4, (1, 30, 30, 2)).astype(np.float32)
    flow[0, :20] = np.float32([2.3, -1.1]) + rng.uniform(-0.02, 0.02, (20, 30, 2))
    np.testing.assert_allclose(common_translation(flow), [[2.3, -1.1]], atol=0.02)


def test_the_common_translation_is_the_median_where_nothing_is_near_it():
    # medians 50 and 50, 50 px from every vector
    flow = np.array([[0, 50], [50, 0], [100, 100]], np.float32).reshape(1, 1, 3, 2)
    np.testing.assert_array_equal(common_translation(flow), [[50, 50]])


def test_a_quarter_turn_and_a_scale_of_the_flow_turn_and_scale_the_map():
    flow = noise(1, *SHAPE)
    motions = fdm(flow, still_px=0).reshape(-1, 2)
    turned = np.stack([-flow[..., 1], flow[..., 0]], axis=-1)
    np.testing.assert_allclose(
        fdm(turned, still_px=0).reshape(-1, 2), np.stack([-motions[:, 1], motions[:, 0]], axis=-1), atol=1e-6
    )
    np.testing.assert_allclose(fdm(4 * flow, still_px=0).reshape(-1, 2), 4 * motions, rtol=1e-6)


def test_a_mirror_of_the_face_mirrors_the_map():
    flow = noise(2, *SHAPE)
    motions = fdm(flow, still_px=0).reshape(4, 8, 8, 2)
    mirrored = fdm(flow[:, :, ::-1] * np.float32([-1, 1]), still_px=0).reshape(4, 8, 8, 2)
    np.testing.assert_allclose(mirrored, motions[:, :, ::-1] * [-1, 1], atol=1e-6)


def test_every_cuboid_is_the_principal_motion_of_its_vectors():
    flow = noise(3, 5, 13, 17)
    motions = fdm(flow, blocks=(2, 3), spans=2, still_px=0).reshape(2, 2, 3, 2)
    for s, t in enumerate((slice(0, 2), slice(2, 5))):
        for r, y in enumerate((slice(0, 6), slice(6, 13))):
            for c, x in enumerate((slice(0, 5), slice(5, 11), slice(11, 17))):
                expected = principal_motion(flow[t, y, x].reshape(-1, 2))
                np.testing.assert_allclose(motions[s, r, c], expected, atol=1e-6)


def test_names_stand_where_their_values_do_and_components_can_be_left_out():
    flow = still()
    flow[4:6, :4, 35:] = 0.5, -1
    vector, names = fdm(flow), feature_names_out()
    assert vector.shape == names.shape == (512,)
    assert vector.dtype == np.float32
    assert names[np.flatnonzero(vector)].tolist() == ["t2_r0_c7_u", "t2_r0_c7_v"]
    np.testing.assert_array_equal(fdm(flow, directions=("v",)), vector[1::2])
    np.testing.assert_array_equal(feature_names_out(directions=("v",)), names[1::2])


def test_no_motion_is_a_vector_of_zeros():
    assert not fdm(still()).any()
    assert not fdm(still(), still_px=0).any()


def test_input_may_be_read_only():
    flow = noise(4, *SHAPE)
    expected = fdm(flow)
    flow.flags.writeable = False
    np.testing.assert_array_equal(fdm(flow), expected)
    np.testing.assert_array_equal(fdm(flow.astype(np.float64)), expected)


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(DataError, match="got flow of shape"):
        fdm(still()[0])
    with pytest.raises(DataError, match="cannot cut 3x"):
        fdm(still((3, 32, 40)))
    with pytest.raises(DataError, match="cannot cut"):
        fdm(still((8, 7, 40)))
    with pytest.raises(DataError, match="dtype"):
        fdm(np.ones((*SHAPE, 2), np.uint16))
    broken = still()
    broken[7, 31, 39, 1] = np.nan
    with pytest.raises(DataError, match="not finite"):
        fdm(broken)


@pytest.mark.parametrize(
    "wrong",
    [{"still_px": -0.1}, {"still_px": 7.0}, {"blocks": (8,)}, {"spans": 0}, {"directions": ()}, {"directions": ("x",)}],
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        fdm(still(), **wrong)

"""MDMO against flow fields whose answer is known, and a slow reading of its definition."""

import math
from dataclasses import replace
from itertools import islice, pairwise

import cv2
import numpy as np
import pytest

from mebench.baselines.motion.mdmo import feature_names_out, head_motion, main_directional_flow, mdmo
from mebench.baselines.motion.regions import FACE, REGIONS, corners, region_map, region_pixels
from mebench.errors import DataError, UnknownName, UsageError
from mebench.synth.action_units import DrawnUnit
from mebench.synth.filming import exposures, picture_of, stage, truth_of
from mebench.synth.identities import draw_identity
from mebench.synth.plan import Settings, draw_plan
from mebench.synth.portrait import load_portrait
from mebench.vision.flow import flow as optical_flow
from mebench.vision.points import eye_centres

HEIGHT, WIDTH = 170, 141


def face() -> np.ndarray:
    """A symmetric face on even pixels of a 141 px wide image, mirror image x -> 140 - x; 68 points of iBUG 300-W."""
    half = {
        0: (8, 66),
        1: (8, 82),
        2: (12, 98),
        3: (16, 114),
        4: (22, 128),
        5: (32, 142),
        6: (42, 152),
        7: (56, 160),
        8: (70, 162),
        17: (18, 46),
        18: (26, 38),
        19: (36, 36),
        20: (48, 38),
        21: (58, 44),
        27: (70, 58),
        28: (70, 70),
        29: (70, 82),
        30: (70, 94),
        31: (56, 102),
        32: (62, 104),
        33: (70, 106),
        36: (28, 60),
        37: (36, 56),
        38: (44, 56),
        39: (52, 62),
        40: (44, 66),
        41: (36, 66),
        48: (46, 128),
        49: (54, 124),
        50: (64, 122),
        51: (70, 124),
        57: (70, 142),
        58: (62, 140),
        59: (54, 136),
        60: (50, 128),
        61: (62, 128),
        62: (70, 130),
        66: (70, 134),
        67: (62, 132),
    }
    points = np.zeros((68, 2))
    for k, (x, y) in half.items():
        points[k] = x, y
        points[MIRROR[k]] = WIDTH - 1 - x, y
    return points


MIRROR = {
    **{k: 16 - k for k in range(17)},
    **{k: 43 - k for k in range(17, 27)},
    **{k: k for k in range(27, 31)},
    **{k: 66 - k for k in range(31, 36)},
    36: 45,
    37: 44,
    38: 43,
    39: 42,
    40: 47,
    41: 46,
    45: 36,
    44: 37,
    43: 38,
    42: 39,
    47: 40,
    46: 41,
    **{k: 102 - k for k in range(48, 55)},
    **{k: 114 - k for k in range(55, 60)},
    **{k: 124 - k for k in range(60, 65)},
    **{k: 132 - k for k in range(65, 68)},
}


def steady(u: float, v: float, frames: int = 3) -> np.ndarray:
    return np.broadcast_to(np.array([u, v], np.float32), (frames, HEIGHT, WIDTH, 2))


def at_angles(degrees: np.ndarray) -> np.ndarray:
    """One frame of unit flow at the given angle of each pixel."""
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=-1)[None]


def slow_main_directions(flow: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The definition, with an arc tangent and a mask image per region."""
    means = np.zeros((len(flow), 36, 2))
    for r, polygon in enumerate(corners(landmarks, HEIGHT, WIDTH)):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.drawContours(mask, [polygon], -1, 255, -1)
        for t, field in enumerate(flow):
            vectors = field[mask > 0].astype(float)
            theta = np.mod(np.arctan2(vectors[:, 1], vectors[:, 0]), 2 * np.pi)
            direction = np.floor((theta + np.pi / 8) / (np.pi / 4)).astype(int) % 8
            main = np.bincount(direction, minlength=8).argmax()
            means[t, r] = vectors[direction == main].mean(axis=0)
    return means


def test_there_are_36_regions_and_their_mirror_images_are_the_same():
    # The corner list is symmetric: a slip in any of its 144 numbers that keeps one side breaks this.
    found = corners(face(), HEIGHT, WIDTH)
    assert found.shape == (36, 4, 2)
    shapes = {frozenset(map(tuple, polygon.tolist())) for polygon in found}
    mirrored = {frozenset((WIDTH - 1 - x, y) for x, y in shape) for shape in shapes}
    assert len(shapes) == 36
    assert shapes == mirrored


def test_corners_of_a_region_by_hand():
    found = corners(face(), HEIGHT, WIDTH).tolist()
    # The brows rise by 20/140 of 141 px = 20.14 px: 46 - 20.14 = 25.86 and 36 - 20.14 = 15.86, truncated.
    assert found[0] == [[18, 46], [18, 25], [36, 15], [36, 36]]
    # m3 is midway between the raised points 21 and 22, (58, 23.86) and (82, 23.86).
    assert found[2] == [[58, 44], [58, 23], [70, 23], [70, 58]]
    # m15 is midway between 2 and 41, m7 between 3 and 29.
    assert found[14] == [[16, 114], [12, 98], [24, 82], [43, 98]]
    # m17 is midway between 5 and 59, m18 between 6 and 58.
    assert found[32] == [[42, 152], [32, 142], [43, 139], [52, 146]]


def test_regions_hold_their_inside_and_share_their_outline():
    pixels, starts = region_pixels(face(), HEIGHT, WIDTH)
    regions = [set(pixels[a:b].tolist()) for a, b in pairwise(starts)]
    for polygon, region in zip(corners(face(), HEIGHT, WIDTH), regions, strict=True):
        distance = np.array(
            [[cv2.pointPolygonTest(polygon, (x, y), True) for x in range(WIDTH)] for y in range(0, HEIGHT, 7)]
        )
        inside = np.isin(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)[::7], list(region))
        assert np.all(inside[distance > 0])
        assert not np.any(inside[distance < -1])
    assert len(regions[0] & regions[1]) >= 20  # the edge from m1 to 19, 21 px long


def test_landmarks_outside_the_image_are_clipped():
    outside = face() + np.array([60, -60])
    pixels, starts = region_pixels(outside, HEIGHT, WIDTH)
    assert np.all((pixels >= 0) & (pixels < HEIGHT * WIDTH))
    assert np.all(np.diff(starts) > 0)


def test_uniform_motion_to_the_right_has_full_magnitude_and_angle_zero():
    vector = mdmo(steady(1, 0), face(), align=False)
    assert vector.shape == (72,)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, [0.8] * 36 + [0] * 36, atol=1e-7)


@pytest.mark.parametrize("degrees", [0.01, 90, 180, 270, 359])
def test_angles_run_from_0_to_2_pi_from_the_right_over_down(degrees):
    flow = steady(2 * math.cos(math.radians(degrees)), 2 * math.sin(math.radians(degrees)))
    vector = mdmo(flow, face(), beta=0.25, align=False)
    np.testing.assert_allclose(vector[:36], 0.25, rtol=1e-6)
    np.testing.assert_allclose(vector[36:], 0.75 * math.radians(degrees), rtol=1e-4)


def test_no_motion_is_a_vector_of_zeros():
    assert not mdmo(steady(0, 0), face()).any()
    assert not mdmo(steady(0, 0), face(), align=False).any()


@pytest.mark.parametrize(
    "matrix", [[[1, 0, 2.5], [0, 1, -1]], [[0.99, 0.02, 1], [-0.02, 0.99, 0]], [[1.02, 0.01, -3], [0.03, 0.97, 2]]]
)
def test_alignment_removes_any_affine_motion(matrix):
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    places = np.stack([x, y], axis=-1)
    moved = places @ np.array(matrix)[:, :2].T + np.array(matrix)[:, 2]
    flow = (moved - places)[None].astype(np.float32)
    assert np.abs(main_directional_flow(flow, face(), align=False)).max() > 0.5
    assert np.abs(main_directional_flow(flow, face())).max() < 1e-4
    assert not mdmo(flow, face()).any()


def test_alignment_equals_least_squares_frame_by_frame():
    flow = np.random.default_rng(0).normal(0, 0.5, (3, HEIGHT, WIDTH, 2)).astype(np.float32)
    stable = face()[[0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 30]].astype(int)
    for field, motion in zip(flow, head_motion(flow, face()), strict=True):
        moved = stable + field[stable[:, 1], stable[:, 0]]
        expected, *_ = np.linalg.lstsq(np.column_stack([moved, np.ones(13)]), stable, rcond=None)
        np.testing.assert_allclose(motion, expected, atol=1e-9)


def test_expression_survives_the_alignment_of_head_motion():
    # Head: 2 px to the right. Brows (regions 0 to 5): 1 px up besides.
    flow = np.array(steady(2, 0))
    pixels, starts = region_pixels(face(), HEIGHT, WIDTH)
    flow.reshape(3, -1, 2)[:, pixels[: starts[6]], 1] -= 1
    vector = mdmo(flow, face())
    np.testing.assert_allclose(vector[:6], 0.8, rtol=1e-4)
    np.testing.assert_allclose(vector[36:42], 0.2 * 1.5 * np.pi, rtol=1e-4)  # image y runs down, so up is 270 degrees
    assert not vector[14:36].any()


def test_20_degrees_either_side_of_right_share_a_direction():
    y, x = np.indices((HEIGHT, WIDTH))
    means = main_directional_flow(at_angles(np.where((x + y) % 2, 20, -20)), face(), align=False)
    # Both halves are averaged: the length falls to cos 20 degrees and stays off 1.
    np.testing.assert_allclose(means[0, :, 0], math.cos(math.radians(20)), rtol=1e-6)
    assert np.abs(means[0, :, 1]).max() < 0.1


def test_300_and_350_degrees_do_not_share_a_direction():
    x = np.indices((HEIGHT, WIDTH))[1]
    means = main_directional_flow(at_angles(np.where(x % 4, 350, 300)), face(), align=False)
    expected = [math.cos(math.radians(350)), math.sin(math.radians(350))]
    np.testing.assert_allclose(means[0], np.tile(expected, (36, 1)), rtol=1e-6)


def test_a_tie_goes_to_the_first_direction():
    pixels, starts = region_pixels(face(), HEIGHT, WIDTH)
    for region in range(36):
        own = pixels[starts[region] : starts[region + 1]]
        own = own[: len(own) // 2 * 2]
        flow = np.zeros((1, HEIGHT * WIDTH, 2))
        flow[0, pixels] = (-1, -1)  # the odd pixel, if any, points elsewhere
        flow[0, own[::2]] = (0, 1)
        flow[0, own[1::2]] = (1, 0)
        means = main_directional_flow(flow.reshape(1, HEIGHT, WIDTH, 2), face(), align=False)
        np.testing.assert_array_equal(means[0, region], [1, 0])


@pytest.mark.parametrize("smoothing_px", [0, 6])
def test_main_directions_equal_the_definition(smoothing_px):
    flow = np.random.default_rng(1).normal(0.05, 1, (3, HEIGHT, WIDTH, 2)).astype(np.float32)
    if smoothing_px:
        flow = np.stack([cv2.GaussianBlur(field, (0, 0), smoothing_px) for field in flow])
    found = main_directional_flow(flow, face(), align=False)
    np.testing.assert_allclose(found, slow_main_directions(flow, face()), atol=1e-6)


def test_the_vector_averages_vectors_not_angles():
    # 1 and 359 degrees: the mean direction is 0, the mean angle would be 180.
    flow = np.concatenate([at_angles(np.full((HEIGHT, WIDTH), angle)) for angle in (1.0, 359.0)])
    np.testing.assert_allclose(mdmo(flow, face(), align=False)[36:], 0, atol=1e-6)


def test_size_of_motion_and_order_of_frames_do_not_matter():
    flow = np.random.default_rng(2).normal(0.1, 1, (4, HEIGHT, WIDTH, 2)).astype(np.float32)
    vector = mdmo(flow, face(), align=False)
    np.testing.assert_array_equal(mdmo(4 * flow, face(), align=False), vector)
    np.testing.assert_allclose(mdmo(flow[[2, 0, 3, 1]], face(), align=False), vector, atol=1e-6)
    assert vector[:36].max() == np.float32(0.8)


def test_frames_of_strong_motion_weigh_more_where_asked():
    # 1 px to the right, then 3 px down, everywhere: weights 1/4 and 3/4
    flow = np.concatenate([steady(1, 0, 1), steady(0, 3, 1)])
    even, weighted = (mdmo(flow, face(), align=False, averaging=how) for how in ("frames", "magnitude"))
    np.testing.assert_allclose(even[36:], 0.2 * math.atan2(3 / 2, 1 / 2), rtol=1e-5)
    np.testing.assert_allclose(weighted[36:], 0.2 * math.atan2(9 / 4, 1 / 4), rtol=1e-5)
    assert not mdmo(steady(0, 0), face(), averaging="magnitude").any()


def test_averaging_by_magnitude_weighs_whole_frames():
    rng = np.random.default_rng(6)
    flow = rng.normal(0.1, 1, (4, HEIGHT, WIDTH, 2)).astype(np.float32)
    means = main_directional_flow(flow, face())
    weights = np.hypot(means[..., 0], means[..., 1]).sum(axis=1)
    mean = sum(w * m for w, m in zip(weights / weights.sum(), means, strict=True))
    rho = np.hypot(mean[:, 0], mean[:, 1])
    vector = mdmo(flow, face(), averaging="magnitude")
    np.testing.assert_allclose(vector[:36], 0.8 * rho / rho.max(), rtol=1e-5)
    np.testing.assert_allclose(vector[36:], 0.2 * (np.arctan2(mean[:, 1], mean[:, 0]) % (2 * np.pi)), rtol=1e-5)


def test_a_left_out_direction_is_passed_over():
    x = np.indices((HEIGHT, WIDTH))[1]
    # three quarters point to the right (bin 0), the rest down (bin 2)
    flow = at_angles(np.where(x % 4, 0, 90))
    means = main_directional_flow(flow, face(), align=False, directions=(1, 2, 3, 4, 5, 6, 7))
    np.testing.assert_allclose(means[0], np.tile([0, 1], (36, 1)), atol=1e-6)
    np.testing.assert_array_equal(main_directional_flow(flow, face(), align=False, directions=(4, 6)), 0)
    assert not mdmo(flow, face(), align=False, directions=(4,)).any()


def test_no_motion_counts_as_direction_0_and_is_left_out_with_it():
    flow = np.array(steady(0, 0, 1))
    flow[:, :, ::4] = 0, 1
    assert np.abs(main_directional_flow(flow, face(), align=False)).max() == 0
    np.testing.assert_allclose(
        main_directional_flow(flow, face(), align=False, directions=(2,))[0], np.tile([0, 1], (36, 1))
    )


@pytest.mark.parametrize("directions", [(), (8,), (0, 0)])
def test_directions_that_are_no_choice_of_eight_are_refused(directions):
    with pytest.raises(UsageError, match="no choice"):
        mdmo(steady(1, 0), face(), directions=directions)


def test_an_unknown_averaging_is_refused_by_name():
    with pytest.raises(UnknownName, match="median"):
        mdmo(steady(1, 0), face(), averaging="median")


def test_names_stand_where_their_values_do():
    flow = np.array(steady(0, 0, 1))
    pixels, starts = region_pixels(face(), HEIGHT, WIDTH)
    own = pixels[starts[4] : starts[5]]
    flow.reshape(1, -1, 2)[:, own, 1] = 1
    vector, names = mdmo(flow, face(), align=False), feature_names_out()
    # neighbours share a row of pixels with region 4, where most of their own stand still
    assert names[np.flatnonzero(vector)].tolist() == ["region4_rho", "region4_theta"]
    assert len(set(names)) == 72


def test_importance_of_a_region_lies_on_it():
    values = np.random.default_rng(3).uniform(0, 1, 36)
    assert region_map(values, 64).sum() == pytest.approx(values.sum())
    landmarks = np.array(FACE) * 0.064 - 0.5
    np.testing.assert_allclose(eye_centres(landmarks), np.array([[0.315, 0.38], [0.685, 0.38]]) * 64 - 0.5, atol=0.05)
    for region, polygon in enumerate(corners(landmarks, 64, 64)):
        drawn = region_map(np.eye(36)[region], 64)
        y, x = np.nonzero(drawn)
        assert all(cv2.pointPolygonTest(polygon, (float(a), float(b)), True) >= -1 for a, b in zip(x, y, strict=True))


@pytest.fixture(scope="module")
def studio():
    """Settings, a plan and a person to film."""
    settings = Settings("casme2", "smoke", 2, 20, 1.0, 0)
    person = draw_identity(np.random.default_rng(0), load_portrait().mean_shape(), mirrored=False)
    return settings, draw_plan(settings)[0], person, picture_of(person, settings.layout.camera)


@pytest.mark.parametrize("unit", [1, 12])
def test_half_a_pixel_of_expression_is_found_in_noisy_frames_of_a_moving_head(studio, unit):
    """Against the main directions of the true motion, known at every second pixel."""
    settings, planned, person, picture = studio
    clip = replace(planned, units=(DrawnUnit(unit),), take=replace(planned.take, peak_px=0.5))
    scene = stage(settings, clip, person, picture)
    truth = truth_of(settings, clip, scene, person)
    apex = clip.take.apex - clip.take.onset
    onset, peak = (cv2.cvtColor(f, cv2.COLOR_BGR2GRAY) for f in islice(exposures(settings, clip, scene), 0, None, apex))
    landmarks = truth.landmarks[0]
    found = main_directional_flow(optical_flow(onset, peak, "dis-fast")[None], landmarks)[0]
    halved = truth.motion[None].astype(np.float32) / truth.motion_step
    true = main_directional_flow(halved, landmarks / truth.motion_step)[0] * truth.motion_step
    length = np.hypot(true[:, 0], true[:, 1])
    moving = length > length.max() / 2
    assert 0.2 < length.max() < 0.5
    # what was measured when this was written: errors of .02 to .03 px, .92 to .94 of the motion
    assert np.linalg.norm(found - true, axis=1).mean() < 0.05
    assert (found[moving] * true[moving]).sum() / (true[moving] ** 2).sum() > 0.8


def test_input_may_be_read_only():
    flow = steady(1, 1)
    assert not flow.flags.writeable
    np.testing.assert_array_equal(mdmo(flow, face()), mdmo(flow.copy(), face()))


@pytest.mark.parametrize("shape", [(170, 141, 2), (0, 170, 141, 2), (3, 170, 141, 3)])
def test_flow_of_another_shape_is_refused(shape):
    with pytest.raises(DataError, match="got flow of shape"):
        mdmo(np.zeros(shape, np.float32), face())


def test_broken_numbers_are_refused():
    flow = steady(1, 0).copy()
    flow[1, 5, 5, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        mdmo(flow, face())
    lost = face()
    lost[3, 1] = np.nan
    with pytest.raises(DataError, match="landmarks"):
        mdmo(steady(1, 0), lost)
    with pytest.raises(DataError, match="landmarks"):
        mdmo(steady(1, 0), face()[:66])


def test_a_weight_outside_0_to_1_is_refused():
    with pytest.raises(UsageError, match=r"beta=1\.5"):
        mdmo(steady(1, 0), face(), beta=1.5)


def test_region_list_names_the_paper_s_number_of_regions():
    assert len(REGIONS) == len(set(REGIONS)) == 36

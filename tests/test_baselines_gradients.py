"""3DHOG against gradients worked out by hand and a slow reading of its definition."""

import math

import numpy as np
import pytest
from sklearn.base import clone

from mebench.baselines.texture import steps_projection
from mebench.baselines.texture.gradients import BINS, REGIONS, face_map, feature_names_out, hog3d, region_boxes
from mebench.baselines.texture.models_projection import Hog3d
from mebench.errors import DataError, UsageError
from mebench.grammar import parse_calls
from mebench.recipes import Sample
from mebench.vision.alignment import canonical, transform_points
from tests.test_baselines_mdmo import face

HEIGHT, WIDTH = 170, 141
SPLIT = np.cumsum([0, *BINS.values()])


def ramp(t: int, y: int, x: int) -> np.ndarray:
    """Grey levels that rise by so much per frame, row and column, with room for none to leave 0..255."""
    at = np.indices((4, HEIGHT, WIDTH), dtype=np.int64)
    values = t * at[0] + y * at[1] + x * at[2]
    return (values - values.min()).astype(np.uint8)


def per_region(vector: np.ndarray) -> np.ndarray:
    return vector.reshape(len(REGIONS), -1)


@pytest.mark.parametrize(
    ("steps", "filled"),
    [
        # (t, y, x) rise per pixel; the one bin filled in XY (45 degrees each), XT and YT (30 degrees each), None: empty
        ((0, 0, 1), (0, 0, None)),
        ((0, 0, -1), (4, 6, None)),
        ((0, 1, 0), (2, None, 0)),
        ((0, -1, 0), (6, None, 6)),
        ((9, 0, 0), (None, 3, 3)),
        ((-9, 0, 0), (None, 9, 9)),
        ((1, 0, 1), (0, 1, 3)),  # atan2(1, 1) = 45 degrees: bin 1 of 45, bin 1 of 30 (30..60)
        ((-1, 0, 1), (0, 10, 9)),  # -45 = 315 degrees
        ((0, 0, 0), (None, None, None)),
    ],
)
def test_ramps_fill_the_bin_of_their_angle(steps, filled):
    histograms = per_region(hog3d(ramp(*steps), face()))
    for plane, bin_ in enumerate(filled):
        expected = np.zeros(SPLIT[plane + 1] - SPLIT[plane])
        if bin_ is not None:
            expected[bin_] = 1
        np.testing.assert_allclose(
            histograms[:, SPLIT[plane] : SPLIT[plane + 1]], np.tile(expected, (12, 1)), atol=1e-7
        )


def test_diagonals_belong_to_the_bin_they_begin():
    # 45 degrees is the lower edge of bin 1 of 8, 135 of bin 3, 225 of bin 5, 315 of bin 7; grey levels stay in a byte.
    at = np.indices((3, 40, 40))
    for (dy, dx), expected in {(1, 1): 1, (1, -1): 3, (-1, -1): 5, (-1, 1): 7}.items():
        values = dy * at[1] + dx * at[2]
        volume = (values - values.min()).astype(np.uint8)
        found = per_region(hog3d(volume, face() * 40 / HEIGHT, planes=("xy",)))
        np.testing.assert_allclose(found, np.tile(np.eye(8)[expected], (12, 1)), atol=1e-7)


def slow(volume: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The vector by its definition, a pixel at a time."""
    grey = volume.astype(float)
    found = []
    for y0, y1, x0, x1 in boxes:
        sums = {plane: np.zeros(bins) for plane, bins in BINS.items()}
        for t in range(1, len(grey) - 1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    gx = grey[t, y, x + 1] - grey[t, y, x - 1]
                    gy = grey[t, y + 1, x] - grey[t, y - 1, x]
                    gt = grey[t + 1, y, x] - grey[t - 1, y, x]
                    for plane, (a, b) in {"xy": (gx, gy), "xt": (gx, gt), "yt": (gy, gt)}.items():
                        turn = math.degrees(math.atan2(b, a)) % 360
                        sums[plane][int((turn + 1e-9) // (360 / BINS[plane])) % BINS[plane]] += math.hypot(a, b)
        found += [s / s.sum() if s.any() else s for s in sums.values()]
    return np.concatenate(found)


def test_noise_equals_the_definition():
    landmarks = face() * 40 / HEIGHT
    for levels in (2, 256):
        volume = np.random.default_rng(0).integers(0, levels, (5, 40, 36), dtype=np.uint8)
        np.testing.assert_allclose(hog3d(volume, landmarks), slow(volume, region_boxes(landmarks, 40, 36)), atol=1e-6)


def drifting_edge(speed: float) -> np.ndarray:
    """The XT histogram of a smooth edge at 70 px, bright on the right, that drifts by so many px a frame."""
    rows = [128 + 100 * np.tanh((np.arange(WIDTH) - 70 - speed * t) / 6) for t in range(12)]
    volume = np.repeat(np.rint(rows).astype(np.uint8)[:, None], HEIGHT, axis=1)
    return per_region(hog3d(volume, face(), planes=("xt",)))[6]


def test_the_slightest_motion_of_an_edge_shows_its_direction():
    # g_x > 0. To the left the edge brightens, g_t >= 0: angles from 0 to 90 degrees, bins 0 to 2. To the right it
    # darkens, 270 to below 360, bins 9 to 11, and bin 0 where a tenth of a pixel changes no grey level.
    left, right = drifting_edge(-0.1), drifting_edge(0.1)
    assert left[:3].sum() == pytest.approx(1)
    assert right[9:].sum() + right[0] == pytest.approx(1)
    assert left[0] > 0.9
    assert right[11] > 0.5


def test_a_clip_without_change_is_all_zeros():
    assert not hog3d(np.full((5, HEIGHT, WIDTH), 77, np.uint8), face()).any()


def test_regions_are_squares_of_half_an_eye_distance_around_their_landmarks():
    landmarks = face()
    apart = landmarks[42:48].mean(axis=0)[0] - landmarks[36:42].mean(axis=0)[0]
    boxes = region_boxes(landmarks, HEIGHT, WIDTH)
    names = [region.name for region in REGIONS]
    for name, centre in (("left eye", landmarks[36:42].mean(axis=0)), ("right mouth corner", landmarks[54])):
        y0, y1, x0, x1 = boxes[names.index(name)]
        assert abs((y0 + y1 - 1) / 2 - centre[1]) <= 0.5
        assert abs((x0 + x1 - 1) / 2 - centre[0]) <= 0.5
        assert abs((y1 - y0) - apart / 2) <= 1.5
    assert len(boxes) == 12


def test_typical_regions_lie_where_an_aligned_face_has_them():
    aligned = transform_points(face(), canonical(face(), 128)) / 128
    for region in REGIONS:
        centre = aligned[list(region.landmarks)].mean(axis=0) - (0, 0.37 * region.raised)
        assert np.abs(centre - region.typical).max() < 0.04


@pytest.mark.parametrize("shift", [(300, 0), (-300, -300), (0, 90), (1e6, -1e6)])
def test_landmarks_outside_the_image_are_moved_to_its_edge(shift):
    volume = np.random.default_rng(1).integers(0, 256, (4, HEIGHT, WIDTH), dtype=np.uint8)
    boxes = region_boxes(face() + shift, HEIGHT, WIDTH)
    assert np.all((boxes[:, 0] >= 1) & (boxes[:, 0] < boxes[:, 1]) & (boxes[:, 1] <= HEIGHT - 1))
    assert np.all((boxes[:, 2] >= 1) & (boxes[:, 2] < boxes[:, 3]) & (boxes[:, 3] <= WIDTH - 1))
    np.testing.assert_allclose(per_region(hog3d(volume, face() + shift)).sum(axis=1), 3, rtol=1e-5)


def test_the_smallest_clip_that_has_a_gradient_has_a_vector():
    assert np.isfinite(hog3d(np.random.default_rng(2).integers(0, 256, (3, 3, 3), dtype=np.uint8), face())).all()


@pytest.mark.parametrize(
    ("volume", "landmarks", "match"),
    [
        (np.zeros((2, 60, 60), np.uint8), face(), "no inner pixel"),
        (np.zeros((5, 60, 2), np.uint8), face(), "no inner pixel"),
        (np.zeros((60, 60), np.uint8), face(), "array of shape"),
        (np.zeros((5, 60, 60, 3), np.uint8), face(), "array of shape"),
        (np.full((5, 60, 60), np.nan), face(), "not whole grey levels"),
        (np.full((5, 60, 60), 256, np.uint16), face(), "not whole grey levels"),
        (np.zeros((5, 60, 60), np.uint8), face()[:5], "not 68 finite points"),
        (np.zeros((5, 60, 60), np.uint8), np.full((68, 2), np.nan), "not 68 finite points"),
        (np.zeros((5, 60, 60), np.uint8), np.zeros((68, 2)), "0.00 px apart"),
    ],
)
def test_unusable_clips_are_refused(volume, landmarks, match):
    with pytest.raises(DataError, match=match):
        hog3d(volume, landmarks)


def test_grey_levels_of_other_types_are_the_same_clip():
    volume = np.random.default_rng(3).integers(0, 256, (4, 61, 53), dtype=np.uint8)
    expected = hog3d(volume, face())
    for same in (volume.astype(np.uint16), volume.astype(np.float64), np.asfortranarray(volume)):
        np.testing.assert_array_equal(hog3d(same, face()), expected)


def test_leaving_planes_out_leaves_the_rest_as_it_is():
    volume = np.random.default_rng(4).integers(0, 256, (4, HEIGHT, WIDTH), dtype=np.uint8)
    everything = dict(zip(feature_names_out(), hog3d(volume, face()), strict=True))
    assert len(everything) == 384
    assert list(everything)[:2] == ["region0_xy_0", "region0_xy_1"]
    assert list(everything)[-1] == "region11_yt_11"
    for planes in (("xy",), ("yt",), ("xt", "yt")):
        names = feature_names_out(planes=planes)
        assert {name.split("_")[1] for name in names} == set(planes)
        np.testing.assert_array_equal(hog3d(volume, face(), planes=planes), [everything[name] for name in names])
    for wrong in ((), ("tx",), "xy"):
        with pytest.raises(UsageError):
            hog3d(volume, face(), planes=wrong)
        with pytest.raises(UsageError):
            feature_names_out(planes=wrong)


def test_importance_is_drawn_where_its_region_lies():
    values = np.zeros((12, 32))
    values[4, 3] = 2.0  # the left eye, centred at (.315, .38) of the side, .185 wide
    drawn = face_map(values.reshape(-1))
    assert drawn.shape == (64, 64)
    assert drawn.sum() == pytest.approx(2)
    y, x = np.indices((64, 64)) + 0.5
    assert (drawn * x).sum() / 2 == pytest.approx(0.315 * 64, abs=0.5)
    assert (drawn * y).sum() / 2 == pytest.approx(0.38 * 64, abs=0.5)
    assert np.ptp(x[drawn > 0]) == pytest.approx(0.185 * 64, abs=1.5)


def test_parameters_of_the_model_reach_the_descriptor():
    volume = np.random.default_rng(5).integers(0, 256, (4, HEIGHT, WIDTH), dtype=np.uint8)
    model = Hog3d(planes=("xt", "yt"), frames=0, size=96)
    calls = parse_calls(model.inputs())
    assert [call.name for call in calls] == ["grey", "align", "hog3d"]
    step = steps_projection.hog3d
    sample = Sample(volume, "frames", face().astype(np.float32), np.zeros((4, 2, 3)), np.zeros(4), fps=200)
    made = step.apply(sample, **step.bind(calls[-1]))
    assert made.kind == "vector"
    np.testing.assert_array_equal(made.array, hog3d(volume, face().astype(np.float32), planes=("xt", "yt")))
    assert len(model.feature_names_out()) == len(made.array)
    assert model.face_map(np.ones(len(made.array))).sum() == pytest.approx(len(made.array))
    assert "tim(12)" in Hog3d(frames=12).inputs()
    assert clone(model).get_params() == model.get_params()

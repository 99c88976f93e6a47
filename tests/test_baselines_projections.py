"""STLBP-IP and DiSTLBP-RIP against values worked out by hand and a slow reading of their definition."""

import math
from itertools import product

import numpy as np
import pytest
from sklearn.base import clone

from mebench.baselines.texture import steps_projection
from mebench.baselines.texture.models_projection import DistlbpRip, StlbpIp
from mebench.baselines.texture.projections import distlbp_rip, feature_names_out, stlbp_ip
from mebench.baselines.texture.robust_pca import robust_pca
from mebench.errors import DataError, UsageError
from mebench.grammar import parse_calls
from mebench.recipes import Sample

U2 = [c for c in range(256) if sum((c >> i ^ c >> (i + 1) % 8) & 1 for i in range(8)) <= 2]


def noise(seed: int = 0, shape: tuple[int, int, int] = (7, 23, 20)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def line_codes(line: np.ndarray, window: int) -> list[int]:
    """1-D LBP: the values before and after, from left to right, the first as the most significant bit."""
    reach = window // 2
    codes = []
    for i in range(reach, len(line) - reach):
        code = 0
        for o in [*range(-reach, 0), *range(1, reach + 1)]:
            code = 2 * code + (line[i + o] >= line[i] - 1e-5)
        codes.append(code)
    return codes


def image_bins(image: np.ndarray) -> list[int]:
    """2-D LBP of 8 neighbours at radius 1, bilinear, bit p at angle 2 pi p / 8 against the clock, in uniform bins."""
    bins = []
    for y, x in product(range(1, image.shape[0] - 1), range(1, image.shape[1] - 1)):
        code = 0
        for p in range(8):
            dy, dx = -math.sin(math.pi * p / 4), math.cos(math.pi * p / 4)
            dy, dx = (0.0 if abs(d) < 1e-9 else d for d in (dy, dx))
            value = 0.0
            for sy, sx in product((0, 1), repeat=2):
                weight = (abs(dy) if sy else 1 - abs(dy)) * (abs(dx) if sx else 1 - abs(dx))
                if weight > 1e-9:
                    value += weight * image[y + sy * int(np.sign(dy)), x + sx * int(np.sign(dx))]
            code |= (value >= image[y, x] - 1e-5) << p
        bins.append(U2.index(code) if code in U2 else 58)
    return bins


def share(bins: list[int], count: int) -> np.ndarray:
    return np.bincount(bins, minlength=count) / len(bins)


def slow(changes: np.ndarray, blocks: tuple[int, int], window: int = 9) -> np.ndarray:
    """The vector by its definition: every block on its own, its changes (t, h, w) summed and coded."""
    (rows, columns), (_, height, width) = blocks, changes.shape
    found = []
    for r, c in product(range(rows), range(columns)):
        y, x = (
            slice(r * height // rows, (r + 1) * height // rows),
            slice(c * width // columns, (c + 1) * width // columns),
        )
        block = changes[:, y, x].astype(np.float64)
        horizontal, vertical = block.sum(axis=2), block.sum(axis=1)
        found += [
            *(
                np.mean([share(line_codes(line, window), 2 ** (window - 1)) for line in profile], axis=0)
                for profile in (horizontal, vertical)
            ),
            share(image_bins(vertical), 59),
            share(image_bins(horizontal.T), 59),
        ]
    return np.concatenate(found)


def moved(grey: np.ndarray) -> np.ndarray:
    return grey[1:].astype(np.float64) - grey[0]


def one_line(values: list[int], axis: int) -> np.ndarray:
    """Two frames, dark and then these values along y (1) or x (2), one pixel wide."""
    shape = [2, 1, 1]
    shape[axis] = len(values)
    volume = np.zeros(shape, np.uint8)
    volume[1] = np.reshape(values, shape[1:])
    return volume


@pytest.mark.parametrize(("part", "axis"), [("horizontal", 1), ("vertical", 2)])
def test_line_codes_worked_out_by_hand(part, axis):
    # Around 1, 4, 1, 5, 9, 2, 6: (3, 4), (1, 1), (4, 5), (1, 9), (5, 2), (9, 6), (2, 5); first neighbour is worth 2.
    found = stlbp_ip(
        one_line([3, 1, 4, 1, 5, 9, 2, 6, 5], axis), blocks=(1, 1), window=3, planes=("xy",), parts=(part,)
    )
    np.testing.assert_allclose(found, share([3, 0, 3, 1, 0, 3, 0], 4), atol=1e-7)


@pytest.mark.parametrize(("values", "code"), [(range(12), 15), (range(12, 0, -1), 240), ([7] * 12, 255)])
def test_rising_falling_and_flat_projections(values, code):
    # Rising: the four before are less, the four after more: 00001111.
    found = stlbp_ip(one_line(list(values), 1), blocks=(1, 1), planes=("xy",), parts=("horizontal",))
    assert np.flatnonzero(found).tolist() == [code]


def test_darkening_is_not_brightening():
    # The same step down everywhere, deeper to the right: -x falls where +x rises.
    brighter, darker = np.full((2, 2, 1, 12), 100, np.uint8)
    brighter[1] += np.arange(12, dtype=np.uint8)
    darker[1] -= np.arange(12, dtype=np.uint8)
    codes = [
        np.flatnonzero(stlbp_ip(clip, blocks=(1, 1), planes=("xy",), parts=("vertical",))).tolist()
        for clip in (brighter, darker)
    ]
    assert codes == [[15], [240]]


@pytest.mark.parametrize(("blocks", "window"), [((1, 1), 9), ((2, 2), 9), ((2, 1), 9), ((1, 3), 5), ((4, 4), 3)])
def test_blocks_equal_the_definition(blocks, window):
    grey = noise(1)
    np.testing.assert_allclose(
        stlbp_ip(grey, blocks=blocks, window=window), slow(moved(grey), blocks, window), atol=1e-6
    )


def test_ties_in_flat_changes_equal_the_definition():
    grey = noise(2) // 128  # changes of -1, 0 and 1: many projections tie
    np.testing.assert_allclose(stlbp_ip(grey, blocks=(2, 2)), slow(moved(grey), (2, 2)), atol=1e-6)


def test_a_still_clip_has_the_codes_of_ties_alone():
    found = stlbp_ip(np.broadcast_to(noise(3)[:1], (5, 23, 20)), blocks=(2, 2)).reshape(4, 630)
    expected = np.zeros(630)
    expected[[255, 511, 512 + 57, 571 + 57]] = 1  # 255 is bin 57 of 59
    np.testing.assert_array_equal(found, np.tile(expected, (4, 1)))


def test_what_never_moves_does_not_matter():
    clip = noise(4) // 4
    skin = noise(5, (1, 23, 20)) // 2
    np.testing.assert_array_equal(stlbp_ip(clip + skin, blocks=(2, 2)), stlbp_ip(clip, blocks=(2, 2)))


def test_transposing_the_face_exchanges_the_projections():
    clip = noise(6)
    upright = stlbp_ip(clip, blocks=(2, 2), planes=("xy",)).reshape(2, 2, 2, 256)
    lying = stlbp_ip(clip.swapaxes(1, 2), blocks=(2, 2), planes=("xy",)).reshape(2, 2, 2, 256)
    np.testing.assert_array_equal(lying, upright.transpose(1, 0, 2, 3)[:, :, ::-1])


def test_names_tell_every_entry():
    names = feature_names_out(blocks=(2, 3))
    assert len(names) == len(set(names)) == 6 * 630 == len(stlbp_ip(noise(7, (5, 24, 30)), blocks=(2, 3)))
    assert names[0] == "t0_r0_c0_xy-horizontal_0"
    assert names[-1] == "t0_r1_c2_yt_58"
    assert names[630 + 512] == "t0_r0_c1_xt_0"


@pytest.mark.parametrize("planes", [("xy",), ("xt",), ("yt",), ("yt", "xy"), ("xy", "xt", "yt")])
@pytest.mark.parametrize("parts", [("horizontal",), ("vertical",), ("horizontal", "vertical")])
def test_leaving_parts_out_leaves_the_rest_as_it_is(planes, parts):
    grey = noise(8)
    chosen = {"planes": planes, "parts": parts}
    if (planes, parts) in ((("xt",), ("horizontal",)), (("yt",), ("vertical",))):
        with pytest.raises(UsageError, match="is made of"):
            stlbp_ip(grey, blocks=(2, 2), **chosen)
        return
    everything = dict(zip(feature_names_out(blocks=(2, 2)), stlbp_ip(grey, blocks=(2, 2)), strict=True))
    names = feature_names_out(blocks=(2, 2), **chosen)
    np.testing.assert_array_equal(stlbp_ip(grey, blocks=(2, 2), **chosen), [everything[name] for name in names])
    assert {name.split("_")[3].split("-")[0] for name in names} <= set(planes)


def test_grey_levels_of_other_types_are_the_same_clip():
    grey = noise(9)
    expected = stlbp_ip(grey, blocks=(2, 2))
    for same in (
        grey.astype(np.uint16),
        grey.astype(np.float32),
        np.asfortranarray(grey),
        grey[:, :, ::-1][:, :, ::-1],
    ):
        np.testing.assert_array_equal(stlbp_ip(same, blocks=(2, 2)), expected)


@pytest.mark.parametrize("descriptor", [stlbp_ip, distlbp_rip])
@pytest.mark.parametrize(
    ("volume", "match"),
    [
        (noise(shape=(1, 60, 60)), "1 frames of 60x60 px are too few"),
        (noise(shape=(3, 60, 60)), "3 frames of 60x60 px are too few"),
        (noise(shape=(6, 44, 60)), "6 frames of 44x60 px are too few"),
        (noise(shape=(6, 60, 44)), "6 frames of 60x44 px are too few"),
        (noise(shape=(6, 60, 60))[0], "array of shape"),
        (np.zeros((6, 60, 60, 3), np.uint8), "array of shape"),
        (np.full((6, 60, 60), np.nan), "not whole grey levels"),
        (np.full((6, 60, 60), 0.5), "not whole grey levels"),
        (np.full((6, 60, 60), 300, np.uint16), "not whole grey levels"),
    ],
)
def test_unusable_clips_are_refused(descriptor, volume, match):
    with pytest.raises(DataError, match=match):
        descriptor(volume)


def test_the_smallest_clip_that_fits_has_a_vector():
    assert np.isfinite(stlbp_ip(noise(shape=(4, 45, 45)))).all()
    assert len(stlbp_ip(noise(shape=(2, 45, 45)), planes=("xy",))) == 25 * 512


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 8},
        {"window": 1},
        {"window": 17},
        {"window": 9.0},
        {"blocks": (5,)},
        {"blocks": (2, 2, 2)},
        {"blocks": (0, 5)},
        {"planes": ("tx",)},
        {"planes": ()},
        {"parts": "horizontal"},
        {"parts": ("sideways",)},
    ],
)
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(UsageError):
        stlbp_ip(noise(shape=(6, 60, 60)), **wrong)
    with pytest.raises(UsageError):
        feature_names_out(**wrong)


def test_the_robust_projections_are_those_of_the_sparse_part():
    grey = noise(10, (6, 23, 20))
    sparse = robust_pca(moved(grey).reshape(5, -1).T).sparse.T.reshape(5, 23, 20)
    np.testing.assert_allclose(distlbp_rip(grey, blocks=(2, 2)), slow(sparse, (2, 2)), atol=1e-6)


def test_a_change_of_light_is_of_low_rank_and_leaves_no_trace():
    light = np.full((8, 24, 20), 100, np.uint8) + 3 * np.arange(8, dtype=np.uint8)[:, None, None]
    light[:, ::2] += 10 * np.arange(8, dtype=np.uint8)[:, None, None]
    still = np.full((8, 24, 20), 100, np.uint8)
    assert not np.array_equal(stlbp_ip(light, blocks=(2, 2)), stlbp_ip(still, blocks=(2, 2)))
    np.testing.assert_array_equal(distlbp_rip(light, blocks=(2, 2)), distlbp_rip(still, blocks=(2, 2)))
    assert np.isfinite(distlbp_rip(still, blocks=(2, 2))).all()


def test_importance_is_drawn_where_its_block_lies():
    values = np.zeros((2, 2, 630))
    values[0, 1, 5], values[1, 0, 600] = 3.0, 1.0
    face = StlbpIp(blocks=(2, 2)).face_map(values.reshape(-1))
    assert face.shape == (64, 64)
    np.testing.assert_allclose(face[:32, 32:], 3 / 32**2)
    np.testing.assert_allclose(face[32:, :32], 1 / 32**2)
    assert not face[:32, :32].any()
    assert not face[32:, 32:].any()


SETTINGS = {"blocks": (2, 1), "window": 7, "planes": ("xy", "yt"), "parts": ("horizontal",)}


@pytest.mark.parametrize(
    ("model", "step", "function"),
    [
        (StlbpIp, steps_projection.stlbp_ip, stlbp_ip),
        (DistlbpRip, steps_projection.distlbp_rip, distlbp_rip),
    ],
)
def test_parameters_of_a_model_reach_the_descriptor(model, step, function):
    grey = noise(11, (6, 40, 30))
    built = model(**SETTINGS, size=96, frames=0)
    calls = parse_calls(built.inputs())
    assert [call.name for call in calls] == ["grey", "align", step.name]
    sample = Sample(grey, "frames", np.zeros((68, 2), np.float32), np.zeros((6, 2, 3)), np.zeros(4), fps=200)
    made = step.apply(sample, **step.bind(calls[-1]))
    assert made.kind == "vector"
    np.testing.assert_array_equal(made.array, function(grey, **SETTINGS))
    assert len(built.feature_names_out()) == len(made.array)
    assert built.face_map(np.ones(len(made.array))).sum() == pytest.approx(len(made.array))
    assert "tim(12)" in model(frames=12).inputs()
    assert clone(built).get_params() == built.get_params()


@pytest.mark.parametrize("model", [StlbpIp, DistlbpRip])
def test_presets_name_parameters_of_the_model(model):
    for preset in model.presets.values():
        assert preset.source
        assert model(**preset.parameters).inputs() == model().inputs()


def test_blocks_that_part_the_classes_are_selected_and_predict_unseen_subjects():
    rng = np.random.default_rng(12)
    model = DistlbpRip(blocks=(2, 2), window=3, planes=("xy",), kept_grid=(1, 2, 4), C_grid=(1.0, 100.0))
    X, y, groups = [], [], []
    for subject, clip in product(range(6), range(6)):
        histograms = rng.dirichlet(np.ones(4), size=(4, 2))
        histograms[2] = 0.1 * histograms[2] + 0.9 * np.eye(4)[[clip % 2, 3]]  # block 2 shows the class
        X.append(histograms.reshape(-1))
        y.append(["down", "up"][clip % 2])
        groups.append(subject)
    X, y, groups = np.stack(X), np.array(y), np.array(groups)
    known = groups < 4
    fitted = model.fit(X[known], y[known], groups=groups[known])
    assert len(X[0]) == len(model.feature_names_out())
    assert fitted.kept_groups_.tolist() == [2]
    assert fitted.predict(X[~known]).tolist() == y[~known].tolist()


def test_a_group_is_a_block_whatever_parameter_was_set_since():
    model = DistlbpRip(blocks=(1, 2), kept_grid=(2,), C_grid=(1.0,)).set_params(window=3, planes=("xy",))
    rows = np.random.default_rng(13).random((6, 2 * 8))
    assert model.fit(rows, np.array(["a", "b"] * 3)).group_size == 8

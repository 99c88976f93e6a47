"""LBP-TOP's relatives against hand-made values, symmetries, scikit-image and a slow reading of the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mebench.baselines.texture import lbp as lbp_module
from mebench.baselines.texture import lbp_fip as fip_module
from mebench.baselines.texture import lbp_mop as mop_module
from mebench.baselines.texture import lbp_sip as sip_module
from mebench.baselines.texture import lbp_top as top_module
from mebench.baselines.texture.codes import encode, planar
from mebench.baselines.texture.lbp import lbp
from mebench.baselines.texture.lbp_fip import CORNERS, fip_neighbourhood, lbp_fip
from mebench.baselines.texture.lbp_mop import lbp_mop
from mebench.baselines.texture.lbp_sip import lbp_sip, sip_neighbourhood
from mebench.baselines.texture.lbp_top import PLANES, lbp_top, lbp_top_codes, top_neighbourhood, top_places
from mebench.baselines.texture.mappings import mapping_table
from mebench.errors import DataError, UsageError
from mebench.vision.interpolation import tim
from tests.test_baselines_lbp_codes import noise, slow_codes
from tests.test_baselines_lbp_top import HAND, UNIT, ramp

VOLUMES = arrays(np.uint8, (5, 6, 7), elements=st.integers(0, 255) | st.integers(100, 103))


def shares_of(codes: np.ndarray, table: np.ndarray, bins: int) -> np.ndarray:
    return np.bincount(table[codes.ravel()], minlength=bins) / codes.size


# --- six intersection points


def test_sip_hand_example():
    # Centre 6 of t = 1: right 1, up 5, left 7, down 8 sets bits 2 and 3: 12. Earlier 3, later 9 sets bit 1: 2.
    codes = encode(HAND, sip_neighbourhood(UNIT))
    assert codes.ravel().tolist() == [12, 2]
    vector = lbp_sip(HAND, radii=UNIT, blocks=(1, 1))
    assert np.flatnonzero(vector).tolist() == [12, 16 + 2]
    assert vector.sum() == 2


def test_sip_codes_of_ramps():
    # x grows to the right: right yes, up and down level yes, left no: 1 + 2 + 8 = 11; level in time: 3.
    # y grows downwards: down yes, right and left level, up no: 1 + 4 + 8 = 13. t grows: later alone, 2.
    for axis, expected in ((2, (11, 3)), (1, (13, 3)), (0, (15, 2))):
        codes = encode(ramp(axis), sip_neighbourhood((2, 1, 3)))
        assert [np.unique(part).tolist() for part in codes] == [[code] for code in expected]


def test_sip_keeps_each_radius_on_its_own_axis_alone():
    volume = noise(1, (9, 10, 12))
    codes = encode(volume, sip_neighbourhood((3, 1, 2)))
    assert codes.shape == (2, 9 - 4, 10 - 2, 12 - 6)
    spatial = [(0, 0, 3), (0, -1, 0), (0, 0, -3), (0, 1, 0)]
    np.testing.assert_array_equal(codes, slow_codes(volume, [spatial, [(-2, 0, 0), (2, 0, 0)]], (2, 1, 3)))


def test_sip_has_twenty_bins_a_block():
    volume = noise(2, (12, 20, 20))
    vector = lbp_sip(volume)
    assert vector.shape == (25 * 20,)
    np.testing.assert_allclose(vector.reshape(25, 20)[:, :16].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vector.reshape(25, 20)[:, 16:].sum(axis=1), 1, rtol=1e-6)


def test_sip_agrees_with_top_at_four_neighbours_where_both_look():
    # LBP-TOP's XY circle at P = 4 is right, up, left, down: SIP's spatial code bit by bit.
    volume = noise(3, (12, 14, 13))
    top = top_module.lbp_top_codes(volume, neighbours=4)
    np.testing.assert_array_equal(encode(volume, sip_neighbourhood((1, 1, 4)))[0], top[0])


# --- five intersecting planes


def test_fip_hand_example():
    # Corners in order, as (y, x, t): (1,-1,1) 8, (1,1,1) 7, (-1,1,-1) 8, (-1,-1,-1) 1, (-1,-1,1) 3, (-1,1,1) 4,
    # (1,1,-1) 6, (1,-1,-1) 2 against 6: bits 0, 1, 2 and 6, 1 + 2 + 4 + 64 = 71, four transitions: bin 58.
    corners = [int(HAND[1 + t, 1 + y, 1 + x]) for y, x, t in CORNERS]
    assert corners == [8, 7, 8, 1, 3, 4, 6, 2]
    codes = encode(HAND, fip_neighbourhood(UNIT, 8))
    assert codes.ravel().tolist() == [120, 60, 227, 71]
    assert mapping_table("u2", 8)[0][71] == 58
    vector = lbp_fip(HAND, radii=UNIT, blocks=(1, 1))
    assert np.flatnonzero(vector).tolist() == [25, 59 + 19, 2 * 59 + 44, 3 * 59 + 58]


def test_fip_is_top_with_the_vertices_beside():
    volume = noise(4, (12, 20, 21))
    both = lbp_fip(volume).reshape(25, 4, 59)
    assert both.size == 5900
    np.testing.assert_array_equal(both[:, :3].ravel(), lbp_top(volume))
    places = [(float(4 * t), float(2 * y), float(x)) for y, x, t in CORNERS]
    expected = slow_codes(volume, [places], (4, 2, 2))
    np.testing.assert_array_equal(encode(volume, fip_neighbourhood((1, 2, 4), 8, planes=("vertices",))), expected)


def test_fip_codes_of_ramps():
    # Bits of the corners that are not behind: x at +1 1, 2, 5, 6; y at +1 0, 1, 6, 7; t at +1 0, 1, 4, 5.
    for axis, bits in ((2, (1, 2, 5, 6)), (1, (0, 1, 6, 7)), (0, (0, 1, 4, 5))):
        codes = encode(ramp(axis), fip_neighbourhood((1, 1, 2), 8, planes=("vertices",)))
        assert np.unique(codes).tolist() == [sum(1 << bit for bit in bits)]


# --- mean orthogonal planes


def test_mop_of_one_block_is_lbp_of_the_three_means():
    volume = noise(5, (13, 14, 15), 12)
    vector = lbp_mop(volume, radii=(2, 1, 3), blocks=(1, 1)).reshape(3, 59)
    table, bins = mapping_table("u2", 8)
    for index, plane in enumerate(PLANES):
        mean = volume.mean(axis=index, keepdims=True)
        margins = tuple(0 if axis == index else margin for axis, margin in enumerate((3, 2, 2)))
        codes = slow_codes(mean, [top_places((2, 1, 3), 8)[plane]], margins)
        np.testing.assert_allclose(vector[index], shares_of(codes, table, bins), atol=1e-7)


def test_mop_averages_over_the_blocks_own_rows():
    # Rows 0..9 are flat, rows 10..19 grow in time: XT of the upper blocks is flat, 255; of the lower ones it is the
    # code of V = t, 31. YT of every column has both, and XY's mean over time is flat but for one edge.
    volume = np.full((12, 20, 20), 50, np.uint8)
    volume[:, 10:] += np.arange(12, dtype=np.uint8)[:, None, None]
    blocks = lbp_mop(volume, mapping="full", blocks=(2, 2)).reshape(2, 2, 3, 256)
    assert np.all(blocks[0, :, 1, 255] == 1)
    assert np.all(blocks[1, :, 1, 31] == 1)
    assert np.all(blocks[:, :, 2].argmax(axis=-1)[0] == 255)


def test_mop_of_still_frames_is_their_lbp():
    image = noise(6, (20, 21))
    still = np.repeat(image[None], 9, axis=0)
    mop = lbp_mop(still, planes=("xy",), blocks=(3, 4))
    np.testing.assert_array_equal(mop, lbp(image, blocks=(3, 4)))


def test_mop_sees_motion_below_one_grey_level():
    # One of 20 rows brightens by one level: a mean of .05, which rounded means would lose.
    volume = np.full((9, 20, 20), 50, np.uint8)
    volume[4:, 10] = 51
    still = lbp_mop(np.full_like(volume, 50), planes=("xt",), blocks=(1, 1))
    assert not np.array_equal(lbp_mop(volume, planes=("xt",), blocks=(1, 1)), still)


# --- one image


def test_lbp_is_the_xy_plane_of_top():
    volume = noise(7, (3, 30, 31))
    vector = lbp_top(volume, radii=(2, 1, 1), planes=("xy",), blocks=(3, 4))
    np.testing.assert_array_equal(lbp(volume[1], radii=(2, 1), blocks=(3, 4)), vector)


def test_one_pixel_has_a_code_and_two_blocks_need_two():
    image = noise(8, (3, 3))
    assert lbp(image, blocks=(1, 1)).sum() == 1
    with pytest.raises(DataError, match="do not fill"):
        lbp(image, blocks=(2, 1))
    with pytest.raises(DataError, match="no LBP centre"):
        lbp(image[:2], blocks=(1, 1))
    with pytest.raises(DataError, match="grey image"):
        lbp(image[None])
    with pytest.raises(UsageError):
        lbp(image, blocks=(1, 1, 1))  # type: ignore[arg-type]


# --- scikit-image


@pytest.mark.parametrize(("method", "mapping", "bins"), [("nri_uniform", "u2", 59), ("uniform", "riu2", 10)])
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_scikit_image_agrees_up_to_the_order_of_bins(method, mapping, bins, radius):
    feature = pytest.importorskip("skimage.feature")
    volume = noise(9 + radius, (9, 24, 25))
    codes = lbp_top_codes(volume, radii=(radius, radius, radius))
    table = mapping_table(mapping, 8)[0]
    inner = slice(radius, -radius)
    # our plane, the frames of it as scikit-image sees images, and where our codes lie in them
    planes = {
        0: (volume[inner], codes[0]),
        1: (volume.transpose(1, 0, 2)[inner], codes[1].transpose(1, 0, 2)),
        2: (volume.transpose(2, 0, 1)[inner], codes[2].transpose(2, 0, 1)),
    }
    for images, ours in planes.values():
        theirs = np.stack([feature.local_binary_pattern(i, 8, radius, method=method) for i in images])
        theirs = theirs[:, inner, inner].astype(int)
        pairs = set(zip(table[ours].ravel().tolist(), theirs.ravel().tolist(), strict=True))
        # a bijection between our bins and theirs: each meets exactly one of the other
        assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
        assert len(pairs) > bins * 0.8


# --- all together

DESCRIPTORS = {
    "lbp-top": (lbp_top, top_module.feature_names_out, {"planes": ("xy", "xt", "yt")}),
    "lbp-fip": (lbp_fip, fip_module.feature_names_out, {"planes": ("xy", "xt", "yt", "vertices")}),
    "lbp-mop": (lbp_mop, mop_module.feature_names_out, {"planes": ("xy", "xt", "yt")}),
    "lbp-sip": (lbp_sip, sip_module.feature_names_out, {"parts": ("spatial", "temporal")}),
}


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_names_stand_where_the_values_of_a_part_stand(name):
    describe, names_of, parts = DESCRIPTORS[name]
    volume = noise(20, (20, 20, 20))
    ((key, every),) = parts.items()
    vector, names = describe(volume, blocks=(2, 3, 2)), names_of(blocks=(2, 3, 2))
    assert vector.dtype == np.float32
    assert len(set(names.tolist())) == len(names) == len(vector)
    for part in every:
        alone = describe(volume, blocks=(2, 3, 2), **{key: (part,)})
        own = names_of(blocks=(2, 3, 2), **{key: (part,)})
        np.testing.assert_array_equal(alone, vector[np.isin(names, own)])
        assert own.tolist() == [n for n in names.tolist() if f"_{part}_" in n]
    for wrong in ((), ("zt",), (every[0], every[0])):
        with pytest.raises(UsageError):
            describe(volume, **{key: wrong})
        with pytest.raises(UsageError):
            names_of(**{key: wrong})


def test_names_of_an_image_are_as_many_as_its_values():
    image = noise(21, (40, 40))
    for mapping in ("u2", "full", "ri", "riu2"):
        names = lbp_module.feature_names_out(neighbours=6, mapping=mapping, blocks=(2, 3))
        assert len(names) == len(lbp(image, neighbours=6, mapping=mapping, blocks=(2, 3)))
    assert names[0] == "t0_r0_c0_xy_0"


@pytest.mark.parametrize("name", DESCRIPTORS)
@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 20, 20), np.uint8),
        np.zeros((1, 20, 20), np.uint8),
        np.zeros((0, 20, 20), np.uint8),
        np.zeros((20, 2, 20), np.uint8),
        np.zeros((20, 20, 0), np.uint8),
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 20, 3), np.uint8),
        np.full((20, 20, 20), np.nan),
        np.full((20, 20, 20), 0.5, np.float32),
        np.full((20, 20, 20), 300, np.uint16),
    ],
    ids=["short", "one frame", "no frames", "low", "no columns", "flat", "colour", "nan", "unrounded", "16 bits"],
)
def test_what_cannot_be_described_is_refused_with_the_name_of_the_method(name, wrong):
    with pytest.raises(DataError, match=name.upper()):
        DESCRIPTORS[name][0](wrong)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_settings_outside_the_definition_are_refused(name):
    for wrong in ({"radii": (1, 1)}, {"radii": (1, 1, 0)}, {"radii": (1.0, 1, 4)}, {"blocks": (5,)}):
        with pytest.raises(UsageError):
            DESCRIPTORS[name][0](noise(22, (12, 20, 20)), **wrong)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_flat_clips_have_one_code_and_odd_sizes_are_no_obstacle(name):
    describe, names_of, _ = DESCRIPTORS[name]
    vector = describe(np.full((9, 23, 17), 200, np.uint16))
    names = names_of()[vector > 0].tolist()
    # all neighbours equal: the last code, which is uniform
    assert {n.split("_", 3)[3] for n in names} <= {
        "xy_57", "xt_57", "yt_57", "vertices_57", "spatial_15", "temporal_3"
    }  # fmt: skip
    assert set(vector.tolist()) == {0.0, 1.0}


# --- invariances


@settings(max_examples=40, deadline=None)
@given(VOLUMES, st.integers(1, 4), st.integers(-20, 20))
def test_brightness_and_contrast_change_no_code(volume, gain, offset):
    changed = volume.astype(float) * gain + offset
    for hood in (top_neighbourhood(UNIT, 8), fip_neighbourhood(UNIT, 8), sip_neighbourhood(UNIT)):
        np.testing.assert_array_equal(encode(changed, hood), encode(volume, hood))


@settings(max_examples=40, deadline=None)
@given(VOLUMES, st.lists(st.integers(1, 9), min_size=256, max_size=256))
def test_any_growing_curve_of_grey_changes_no_code_without_interpolation(volume, steps):
    changed = np.cumsum(steps).astype(float)[volume]
    for hood in (top_neighbourhood(UNIT, 8, "nearest"), top_neighbourhood(UNIT, 4), sip_neighbourhood(UNIT)):
        np.testing.assert_array_equal(encode(changed, hood), encode(volume, hood))


def moved(codes: np.ndarray, bits: list[int]) -> np.ndarray:
    """The codes with bit p at bits[p]."""
    return np.bitwise_or.reduce([(codes.astype(int) >> p & 1) << q for p, q in enumerate(bits)])


@settings(max_examples=40, deadline=None)
@given(VOLUMES)
def test_mirrored_and_reversed_clips_have_their_bits_moved(volume):
    sip, fip = sip_neighbourhood(UNIT), fip_neighbourhood(UNIT, 8, planes=("vertices",))
    flips = {2: ([2, 1, 0, 3], [0, 1]), 1: ([0, 3, 2, 1], [0, 1]), 0: ([0, 1, 2, 3], [1, 0])}
    for axis, (spatial, temporal) in flips.items():
        codes = [np.flip(part, axis) for part in encode(np.flip(volume, axis), sip)]
        for part, bits in enumerate((spatial, temporal)):
            np.testing.assert_array_equal(codes[part], moved(encode(volume, sip)[part], bits))
        # a corner goes to the corner on the other side of this axis; CORNERS are (y, x, t)
        column = {0: 2, 1: 0, 2: 1}[axis]
        mirrored = [tuple(-c if i == column else c for i, c in enumerate(corner)) for corner in CORNERS]
        bits = [CORNERS.index(corner) for corner in mirrored]
        found = np.flip(encode(np.flip(volume, axis), fip)[0], axis)
        np.testing.assert_array_equal(found, moved(encode(volume, fip)[0], bits))


@settings(max_examples=40, deadline=None)
@given(VOLUMES)
def test_turning_an_image_turns_its_code(volume):
    # 90 degrees anticlockwise on the screen takes the neighbour at angle a to a + 90: bit p to p + P/4.
    image, hood = volume[:1], planar((1, 1), 8)
    turned = np.rot90(encode(np.ascontiguousarray(np.rot90(image, axes=(1, 2))), hood)[0, 0], -1)
    np.testing.assert_array_equal(turned, moved(encode(image, hood)[0, 0], [(p + 2) % 8 for p in range(8)]))


# --- the interpolation in time that goes before


@pytest.mark.parametrize(("t", "n"), [(6, 10), (9, 4), (12, 12)])
def test_tim_is_the_graph_embedding_of_its_authors(t, n):
    # Zhou, Zhao and Pietikäinen (CVPR 2011): frames, less their mean and in their own basis, are mapped linearly onto
    # the eigenvectors of the Laplacian of a path graph, computed here; the k-th is a sample of
    # sin(pi k s / T + pi (T - k) / (2 T)) up to a factor, the curve new frames are read from.
    frames = np.random.default_rng(t).normal(size=(t, 30))
    path = np.eye(t, k=1) + np.eye(t, k=-1)
    embedding = np.linalg.eigh(np.diag(path.sum(axis=0)) - path)[1][:, 1:]
    mean = frames.mean(axis=0)
    basis = np.linalg.svd(frames - mean, full_matrices=False)[2]
    basis = basis[: t - 1]
    within = (frames - mean) @ basis.T
    maps = np.linalg.lstsq(within, embedding, rcond=None)[0]
    np.testing.assert_allclose(within @ maps, embedding, atol=1e-9)
    k = np.arange(1, t)

    def curve(s: np.ndarray) -> np.ndarray:
        return np.sin(np.pi * k * s[:, None] / t + np.pi * (t - k) / (2 * t))

    factors = embedding[0] / curve(np.array([1.0]))[0]
    instants = 1 + (t - 1) * np.arange(n) / (n - 1)
    expected = np.linalg.solve(maps.T, (curve(instants) * factors).T).T @ basis + mean
    np.testing.assert_allclose(tim(frames, n), expected, atol=1e-8)

"""LBP-TOP against values worked out by hand, its symmetries and a slow reading of the same formulas."""

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest

from mebench.baselines.compiled import compiled
from mebench.baselines.texture.lbp_top import feature_names_out, grey_levels, lbp_top, lbp_top_codes, mapping_table
from mebench.errors import DataError, UsageError

HAND = np.array(
    [
        [[1, 4, 8], [9, 3, 5], [2, 7, 6]],
        [[6, 5, 2], [7, 6, 1], [9, 8, 7]],
        [[3, 6, 4], [5, 9, 2], [8, 6, 7]],
    ],
    np.uint8,
)
UNIT = (1, 1, 1)


def ramp(axis: int, shape: tuple[int, int, int] = (11, 9, 10)) -> np.ndarray:
    return np.broadcast_to(
        np.arange(shape[axis], dtype=np.uint8).reshape([-1 if a == axis else 1 for a in range(3)]), shape
    )


def noise(seed: int, shape: tuple[int, int, int] = (12, 13, 11), levels: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, levels, shape, dtype=np.uint8)


SMALL = (8, 9, 8)


def smooth(seed: int) -> np.ndarray:
    """Noise averaged over 3x3x3 in whole numbers: many near-ties, none of them by rounding."""
    frames, height, width = SMALL
    padded = noise(seed, (frames + 2, height + 2, width + 2), 8).astype(int)
    shifts = product(range(3), repeat=3)
    total = sum(padded[t : t + frames, y : y + height, x : x + width] for t, y, x in shifts)
    return (total // 3).astype(np.uint8)


def slow_codes(volume: np.ndarray, radii: tuple[int, int, int], neighbours: int, interpolation: str) -> np.ndarray:
    """The codes by the definition, one neighbour of one pixel at a time."""
    rx, ry, rt = radii
    border = max(rx, ry)
    frames, height, width = volume.shape

    def sample(t: float, y: float, x: float) -> float:
        place = [float(round(c)) if abs(c - round(c)) < 1e-9 else c for c in (t, y, x)]
        if interpolation == "nearest":
            return float(volume[tuple(math.floor(c + 0.5) for c in place)])
        total = 0.0
        for corner in product((0, 1), repeat=3):
            weight = math.prod(c % 1 if up else 1 - c % 1 for c, up in zip(place, corner, strict=True))
            if weight:
                total += weight * volume[tuple(math.floor(c) + up for c, up in zip(place, corner, strict=True))]
        return total

    codes = np.zeros((3, frames - 2 * rt, height - 2 * border, width - 2 * border), int)
    for t, y, x in np.ndindex(*codes.shape[1:]):
        at = (t + rt, y + border, x + border)
        for p in range(neighbours):
            s, c = math.sin(2 * math.pi * p / neighbours), math.cos(2 * math.pi * p / neighbours)
            for plane, step in enumerate(((0, -ry * s, rx * c), (rt * s, 0, rx * c), (rt * c, -ry * s, 0))):
                value = sample(*(a + d for a, d in zip(at, step, strict=True)))
                codes[plane, t, y, x] |= (value >= volume[at] - 1e-5) << p
    return codes


def turned(codes: np.ndarray, neighbours: int, place: object) -> np.ndarray:
    """The codes with bit p moved to bit place(p) mod P."""
    bits = [(codes >> p & 1) << place(p) % neighbours for p in range(neighbours)]  # type: ignore[operator]
    return np.bitwise_or.reduce(bits)


@pytest.mark.parametrize("radii", [UNIT, (1, 1, 4), (2, 3, 2), (3, 1, 1)])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize(
    ("volume", "eight", "four"),
    [
        (np.full((11, 9, 10), 77, np.uint8), (255, 255, 255), (15, 15, 15)),
        (ramp(2), (199, 199, 255), (11, 11, 15)),
        (ramp(1), (241, 255, 241), (13, 15, 13)),
        (ramp(0), (255, 31, 199), (15, 7, 11)),
    ],
    ids=["constant", "x", "y", "t"],
)
def test_ramps_give_the_code_of_their_half_plane(volume, eight, four, radii, interpolation):
    # V = x at P = 8: bits 0, 1, 7 lie to the right, 2 and 6 level with the centre: 1 + 2 + 4 + 64 + 128 = 199.
    for neighbours, expected in ((8, eight), (4, four)):
        codes = lbp_top_codes(volume, radii=radii, neighbours=neighbours, interpolation=interpolation)
        assert [np.unique(plane).tolist() for plane in codes] == [[code] for code in expected]


def test_flat_skin_of_any_grey_level_has_one_code():
    for level in range(256):
        assert np.all(lbp_top_codes(np.full((9, 3, 3), level, np.uint8)) == 255)


def test_checkerboard_separates_interpolation_from_nearest():
    t, y, x = np.indices((5, 6, 7))
    board = ((t + y + x) % 2).astype(np.uint8)
    centre = board[1:-1, 1:-1, 1:-1]
    # At a centre of 1 the four axis neighbours are 0; the diagonal ones are 1 exactly, and less when interpolated.
    for neighbours, interpolation, at_zero, at_one in (
        (8, "bilinear", 255, 0),
        (8, "nearest", 255, 170),
        (4, "bilinear", 15, 0),
    ):
        codes = lbp_top_codes(board, radii=UNIT, neighbours=neighbours, interpolation=interpolation)
        assert np.all(codes == np.where(centre, at_one, at_zero))


@pytest.mark.parametrize(
    ("neighbours", "interpolation", "codes", "bins"),
    [
        (4, "bilinear", [12, 6, 9], None),
        (8, "nearest", [248, 52, 227], [51, 58, 44]),
        (8, "bilinear", [120, 60, 227], [25, 19, 44]),
    ],
)
def test_hand_example(neighbours, interpolation, codes, bins):
    # XY at P = 4: right 1, up 5, left 7, down 8 against 6 gives bits 2 and 3: 12. XT: right 1, later 9, left 7,
    # earlier 3 gives bits 1 and 2: 6. YT: later 9, up 5, earlier 3, down 8 gives bits 0 and 3: 9.
    # XY bilinear at P = 8: 1, 2.7574, 5, 6, 7, 8.1213, 8, 5.8787, bits 3 to 6: 120.
    found = lbp_top_codes(HAND, radii=UNIT, neighbours=neighbours, interpolation=interpolation)
    assert found.reshape(-1).tolist() == codes
    if bins:
        vector = lbp_top(HAND, radii=UNIT, neighbours=8, interpolation=interpolation, blocks=(1, 1))
        assert np.flatnonzero(vector).tolist() == [59 * plane + b for plane, b in enumerate(bins)]


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize(
    ("neighbours", "radii"), [(8, (1, 1, 3)), (8, (2, 3, 1)), (4, (1, 1, 2)), (6, (2, 1, 3)), (16, (3, 3, 2))]
)
def test_codes_equal_the_definition_bit_for_bit(neighbours, radii, interpolation):
    for volume in (noise(1, SMALL), smooth(2)):
        found = lbp_top_codes(volume, radii=radii, neighbours=neighbours, interpolation=interpolation)
        np.testing.assert_array_equal(found, slow_codes(volume, radii, neighbours, interpolation))


def test_vector_equals_counting_the_definition():
    volume, blocks = smooth(3), (2, 3)
    codes = slow_codes(volume, (1, 1, 2), 8, "bilinear")
    circles = [f"{code:08b}" for code in range(256)]
    uniform = [int(c, 2) for c in circles if sum(a != b for a, b in zip(c, c[1:] + c[:1], strict=True)) <= 2]
    bins = {code: i for i, code in enumerate(uniform)}
    expected = []
    height, width = codes.shape[2:]
    for r, c, plane in product(range(2), range(3), range(3)):
        part = codes[plane, :, r * height // 2 : (r + 1) * height // 2, c * width // 3 : (c + 1) * width // 3]
        counts = Counter(bins.get(code, 58) for code in part.reshape(-1).tolist())
        expected += [counts[b] / part.size for b in range(59)]
    np.testing.assert_allclose(lbp_top(volume, radii=(1, 1, 2), blocks=blocks), expected, rtol=1e-6)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_brightness_and_contrast_do_not_matter(interpolation):
    volume = noise(4, levels=80)
    codes = lbp_top_codes(volume, interpolation=interpolation)
    np.testing.assert_array_equal(lbp_top_codes(3 * volume + 11, interpolation=interpolation), codes)


def test_without_interpolation_only_the_order_of_grey_levels_matters():
    volume = noise(5, levels=50)
    steep = np.cumsum(np.random.default_rng(6).integers(1, 5, 50)).astype(np.uint8)  # increasing, at most 200
    for settings in ({"interpolation": "nearest"}, {"neighbours": 4}):
        np.testing.assert_array_equal(lbp_top_codes(steep[volume], **settings), lbp_top_codes(volume, **settings))


@pytest.mark.parametrize("neighbours", [4, 8, 16])
def test_mirrors_permute_bits(neighbours):
    volume, settings = noise(7), {"radii": (2, 2, 3), "neighbours": neighbours}
    p4, p2 = neighbours // 4, neighbours // 2
    codes = lbp_top_codes(volume, **settings).astype(int)
    table, bins = mapping_table("u2", neighbours)
    for axis, places in (
        (2, (lambda p: p2 - p, lambda p: p2 - p, lambda p: p)),
        (1, (lambda p: -p, lambda p: p, lambda p: -p)),
        (0, (lambda p: p, lambda p: -p, lambda p: p2 - p)),
    ):
        mirrored = lbp_top_codes(np.flip(volume, axis), **settings)
        for plane, place in enumerate(places):
            np.testing.assert_array_equal(mirrored[plane], turned(np.flip(codes[plane], axis), neighbours, place))
        assert np.sum(table[mirrored] == bins - 1) == np.sum(table[codes] == bins - 1)
    swapped = lbp_top_codes(volume.transpose(0, 2, 1), **settings)
    np.testing.assert_array_equal(swapped[2], turned(codes[1].transpose(0, 2, 1), neighbours, lambda p: p - p4))


@pytest.mark.parametrize(("neighbours", "bins"), [(4, 15), (8, 59), (16, 243)])
def test_uniform_patterns_have_their_bins_in_order(neighbours, bins):
    table, found = mapping_table("u2", neighbours)
    assert found == bins
    # A pattern is uniform if it is one run of ones somewhere on the circle, or constant.
    top = (1 << neighbours) - 1
    uniform = {0, top}
    for length, start in product(range(1, neighbours), range(neighbours)):
        run = ((1 << length) - 1) << start
        uniform.add(run & top | run >> neighbours)
    assert table[sorted(uniform)].tolist() == list(range(bins - 1))
    assert set(table[[c for c in range(top + 1) if c not in uniform]].tolist()) == {bins - 1}


def test_every_block_of_every_plane_sums_to_one():
    vector = lbp_top(noise(8, (12, 20, 21)))
    assert vector.dtype == np.float32
    assert vector.shape == (5 * 5 * 3 * 59,)
    np.testing.assert_allclose(vector.reshape(75, 59).sum(axis=1), 1, rtol=1e-6)


def test_papers_vector_lengths():
    volume = noise(9, (12, 20, 21))
    assert len(lbp_top(volume, neighbours=4, mapping="full")) == 1200
    assert len(lbp_top(volume, blocks=(8, 8), radii=(1, 1, 1))) == 64 * 177
    assert len(lbp_top(volume, blocks=(8, 8, 2), radii=(1, 1, 1))) == 128 * 177


def test_sub_volume_blocks_are_crops_on_their_own():
    volume, radii = noise(10, (11, 17, 20)), (1, 2, 1)
    vector = lbp_top(volume, radii=radii, blocks=(2, 3, 2), style="sub-volume")
    crops = [
        lbp_top(volume[5 * t : 5 * t + 5, 8 * r : 8 * r + 8, 6 * c : 6 * c + 6], radii=radii, blocks=(1, 1))
        for t, r, c in product(range(2), range(2), range(3))
    ]
    np.testing.assert_array_equal(vector, np.concatenate(crops))


def test_names_point_at_the_entries():
    names = feature_names_out(blocks=(2, 3, 2)).tolist()
    volume = np.full((14, 12, 12), 9, np.uint8)
    volume[7:, 6:, 8:] = noise(11, (7, 6, 4))  # only the last block holds anything but flat code 255, bin 57
    vector = lbp_top(volume, blocks=(2, 3, 2), radii=UNIT)
    assert len(names) == len(set(names)) == len(vector)
    assert vector[names.index("t0_r0_c1_xt_57")] == 1
    assert vector[names.index("t1_r1_c2_yt_57")] < 1


def test_input_may_be_a_read_only_view_and_is_left_alone():
    volume = noise(12, (12, 13, 22))
    view = volume[:, :, ::2]
    view.setflags(write=False)
    before = view.copy()
    np.testing.assert_array_equal(lbp_top(view), lbp_top(before))
    np.testing.assert_array_equal(view, before)
    assert not np.shares_memory(grey_levels(volume), volume)


def test_whole_numbers_of_any_type_are_grey_levels():
    volume = noise(13)
    for kind in (np.float64, np.float32, np.int16):
        np.testing.assert_array_equal(lbp_top(volume.astype(kind)), lbp_top(volume))


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0, math.nan, math.inf])
def test_unrounded_frames_are_refused(value):
    volume = noise(14).astype(np.float64)
    volume[3, 4, 5] = value
    with pytest.raises(DataError, match="whole grey levels"):
        lbp_top(volume)


@pytest.mark.parametrize("shape", [(8, 20, 20), (12, 2, 20), (12, 20, 2)])
def test_a_volume_without_a_centre_is_refused(shape):
    with pytest.raises(DataError, match="no LBP-TOP centre"):
        lbp_top(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(("style", "shape"), [("code-map", (9, 6, 20)), ("sub-volume", (9, 14, 20))])
def test_a_block_without_a_centre_is_refused(style, shape):
    # code-map: 4 centre rows for 5 blocks; sub-volume: crops of 2 rows, where a centre needs 3.
    with pytest.raises(DataError, match="do not fill"):
        lbp_top(np.zeros(shape, np.uint8), style=style)


def test_colour_frames_are_refused():
    with pytest.raises(DataError, match="put grey before"):
        lbp_top(np.zeros((12, 20, 20, 3), np.uint8))


@pytest.mark.parametrize(
    "wrong",
    [
        {"radii": (1, 1)},
        {"radii": (1, 1, 0)},
        {"radii": (1, 1, 1.5)},
        {"radii": 1},
        {"neighbours": 1},
        {"neighbours": 17},
        {"mapping": "u3"},
        {"blocks": (5,)},
        {"blocks": (5, 0)},
        {"interpolation": "cubic"},
        {"style": "overlapping"},
        {"overlap": 0.5},
        {"overlap": 1.0, "style": "overlap"},
        {"planes": ()},
        {"planes": ("xy", "xy")},
        {"planes": ("zt",)},
        {"planes": "xy"},
    ],
)
def test_settings_outside_the_definition_are_refused(wrong):
    with pytest.raises(UsageError):
        lbp_top(noise(15), **wrong)


def test_kernels_run_where_no_cache_folder_can_be_written():
    # Code without a source file is what numba finds no cache folder for, as in a read-only installation.
    namespace: dict = {}
    exec("def double(x):\n    return 2 * x\n", namespace)
    assert compiled(namespace["double"])(21) == 42

"""The layer all local binary patterns share: codes, mappings, blocks and their names."""

import math
from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mebench.baselines.texture.blocks import block_names, boxes, describe, grid, histograms, shares, spread
from mebench.baselines.texture.codes import check_subset, circle, encode, grey_levels, neighbourhood, planar
from mebench.baselines.texture.lbp_top import top_neighbourhood, top_places
from mebench.baselines.texture.mappings import mapping_table
from mebench.errors import DataError, UnknownName, UsageError


def noise(seed: int, shape: tuple[int, ...] = (11, 12, 13), levels: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, levels, shape, dtype=np.uint8)


def read(volume: np.ndarray, place: tuple[float, ...], interpolation: str) -> float:
    """The value between pixels, from all eight corners of its cell."""
    at = [float(round(c)) if abs(c - round(c)) < 1e-9 else c for c in place]
    if interpolation == "nearest":
        return float(volume[tuple(math.floor(c + 0.5) for c in at)])
    total = 0.0
    for corner in product((0, 1), repeat=3):
        weight = math.prod(c % 1 if up else 1 - c % 1 for c, up in zip(at, corner, strict=True))
        if weight:
            total += weight * float(volume[tuple(math.floor(c) + up for c, up in zip(at, corner, strict=True))])
    return total


def slow_codes(
    volume: np.ndarray, parts: list[list[tuple[float, ...]]], margins: tuple[int, ...], interpolation: str = "bilinear"
) -> np.ndarray:
    """The codes by the definition, one neighbour of one pixel at a time."""
    shape = [n - 2 * margin for n, margin in zip(volume.shape, margins, strict=True)]
    codes = np.zeros((len(parts), *shape), int)
    for index in np.ndindex(*shape):
        centre = tuple(i + margin for i, margin in zip(index, margins, strict=True))
        for part, places in enumerate(parts):
            for p, step in enumerate(places):
                value = read(volume, tuple(c + d for c, d in zip(centre, step, strict=True)), interpolation)
                codes[(part, *index)] |= (value >= float(volume[centre]) - 1e-5) << p
    return codes


RADII = [(1, 1, 1), (1, 1, 4), (3, 3, 3), (2, 4, 3), (1, 2, 5)]


@pytest.mark.parametrize("radii", RADII)
@pytest.mark.parametrize("levels", [256, 5])
def test_whole_numbers_decide_as_the_definition_in_floats_does(radii, levels):
    volume = noise(1, (15, 25, 26), levels)
    for neighbours in (2, 3, 4, 5, 8, 12, 16):
        hood = top_neighbourhood(radii, neighbours)
        # only at P = 2, 4 and 8 do all neighbours lie on pixels or at 45 degrees
        assert (hood.whole is not None) == (neighbours in (2, 4, 8))
        np.testing.assert_array_equal(encode(volume, hood), encode(volume.astype(float), hood))


def test_nearest_neighbours_never_leave_whole_numbers():
    volume = noise(2, (11, 20, 21))
    hood = top_neighbourhood((3, 2, 4), 16, "nearest")
    assert hood.whole is not None
    np.testing.assert_array_equal(encode(volume, hood), encode(volume.astype(float), hood))


def test_radii_whose_differences_come_too_close_are_compared_in_floats():
    # |n| reaches 255 * (9 * 6 + 9 * 6) = 27540 at R = R' = 6, k = 4; 255 * (5 * 4 + 5 * 4) = 10200 at R = 4, k = 2.
    assert top_neighbourhood((6, 6, 6), 8).whole is None
    assert top_neighbourhood((4, 4, 4), 8).whole is not None


def closest_calls() -> list[tuple[int, int, int, int, bool]]:
    """Grey levels (a, b, c, d) whose bilinear value is as near the centre a as can be, and whether it is at least a.

    With f = sqrt(1/2) the weights are (1-f)^2, f(1-f), f(1-f) and f^2, so that twice the value less the centre is
    m + n sqrt 2 with m = a - b - c + d and n = b + c - 2a. The nearest m to either side of -n sqrt 2 are floor and
    ceil; the sign is told in whole numbers, by m^2 against 2 n^2.
    """
    calls = []
    for n, a in product(range(-510, 511), range(256)):
        below = -math.isqrt(2 * n * n) - 1 if n > 0 else math.isqrt(2 * n * n)
        b = min(255, n + 2 * a)
        c, at_least = n + 2 * a - b, {}
        for m in (below, below + 1):
            at_least[m] = (m >= 0 or m * m <= 2 * n * n) if n >= 0 else (m >= 0 and m * m >= 2 * n * n)
            d = m - a + b + c
            if all(0 <= level <= 255 for level in (b, c, d)):
                calls.append((a, b, c, d, at_least[m]))
    return calls


def test_the_closest_calls_at_radius_one_are_decided_exactly():
    calls = closest_calls()
    assert len({(a, d) for a, _, _, d, _ in calls}) > 20_000
    # The neighbour at (y, x) = (-f, f) lies in the cell of the centre, the pixel above, the one to the right, and
    # their common neighbour; an image of one cell in each of many frames is encoded at once.
    volume = np.zeros((len(calls), 3, 3), np.uint8)
    cells = np.array([call[:4] for call in calls])
    volume[:, 1, 1], volume[:, 0, 1], volume[:, 1, 2], volume[:, 0, 2] = cells.T
    hood = neighbourhood({"xy": [(0.0, -math.sqrt(0.5), math.sqrt(0.5))]}, (0, 1, 1))
    assert hood.whole is not None
    expected = np.array([call[4] for call in calls])
    for kind in (np.uint8, np.float64):
        np.testing.assert_array_equal(encode(volume.astype(kind), hood).reshape(-1), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
@pytest.mark.parametrize("neighbours", [3, 8, 11])
def test_any_places_are_read_as_the_definition_reads_them(kind, neighbours):
    volume = noise(3, (7, 9, 8), 6).astype(kind)
    places = top_places((2, 1, 2), neighbours)
    parts = {"yt": places["yt"], "few": places["xy"][:2], "flat": places["xy"]}
    codes = encode(volume, neighbourhood(parts, (2, 2, 2)))
    assert codes.dtype == (np.uint8 if neighbours <= 8 else np.uint16)
    np.testing.assert_array_equal(codes, slow_codes(volume, list(parts.values()), (2, 2, 2)))


def test_a_long_volume_is_encoded_as_its_pieces_are():
    # Rows are encoded several at a time, in lines of a few thousand pixels: pieces put the seams elsewhere.
    volume, hood = noise(4, (5, 200, 71)), top_neighbourhood((2, 1, 1), 8)
    whole = encode(volume, hood)
    for top, below in ((0, 57), (57, 58), (58, 196)):
        np.testing.assert_array_equal(whole[:, :, top:below], encode(volume[:, top : below + 4], hood))
    wide = noise(5, (3, 3, 5000))
    np.testing.assert_array_equal(
        encode(wide, top_neighbourhood((1, 1, 1), 8)), encode(wide.astype(float), top_neighbourhood((1, 1, 1), 8))
    )


def test_views_and_other_types_are_encoded_as_their_values():
    volume, hood = noise(6, (10, 12, 24)), planar((1, 1), 8)
    view = volume[::2, :, ::-2]
    view.setflags(write=False)
    expected = encode(np.ascontiguousarray(view), hood)
    for given_volume in (view, view.astype(np.float32), view.astype(np.int16), np.asfortranarray(view)):
        np.testing.assert_array_equal(encode(given_volume, hood), expected)


def test_float_images_are_compared_with_an_absolute_tolerance():
    image = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0 - 2e-5], [0.0, 1.0 - 5e-6, 0.0]])
    # right 2e-5 darker: no; up 0: no; left equal: yes; down 5e-6 darker: yes. Bits 2 and 3.
    assert encode(image[None], planar((1, 1), 4)).item() == 12


def test_a_volume_without_a_centre_is_refused_with_the_name_of_the_method():
    with pytest.raises(DataError, match="no LBP centre") as caught:
        encode(noise(7, (1, 4, 9)), planar((2, 1), 8))
    assert "It takes 1 frames of 5x5 px" in str(caught.value)


@pytest.mark.parametrize("wrong", [0, 1, 17, 8.0, True])
def test_numbers_of_neighbours_that_make_no_circle_are_refused(wrong):
    with pytest.raises(UsageError):
        circle(wrong)


def test_neighbourhoods_that_cannot_be_encoded_are_refused():
    with pytest.raises(UsageError):
        neighbourhood({}, (0, 1, 1))
    with pytest.raises(UsageError):
        neighbourhood({"xy": [(0.0, 0.0, 1.0)] * 17}, (0, 1, 1))
    with pytest.raises(UsageError):
        planar((1, 0), 8)
    with pytest.raises(UsageError):
        planar((1, 1), 8, "cubic")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 256.0, 3.5])
def test_what_is_no_grey_level_is_refused(value):
    with pytest.raises(DataError, match="whole grey levels"):
        grey_levels(np.full((2, 3, 3), value))


def test_uint16_frames_are_taken_only_within_eight_bits():
    frames = noise(8).astype(np.uint16)
    np.testing.assert_array_equal(grey_levels(frames), frames)
    with pytest.raises(DataError, match="whole grey levels"):
        grey_levels(frames + 256)


@pytest.mark.parametrize("kind", [np.complex128, "datetime64[s]", "U3"])
def test_arrays_that_hold_no_numbers_are_refused(kind):
    with pytest.raises(DataError):
        grey_levels(np.zeros((2, 3, 3), kind))


def test_parts_are_named_once_each_and_known():
    check_subset(("xt", "xy"), ("xy", "xt", "yt"), "planes")
    for wrong in ((), ("xy", "xy"), ("zt",), ["xy"], "xy", (1,)):
        with pytest.raises(UsageError, match="not some of xy, xt, yt"):
            check_subset(wrong, ("xy", "xt", "yt"), "planes")


# --- mappings


@pytest.mark.parametrize("neighbours", [1, 2, 4, 8, 10])
def test_mappings_are_those_of_strings_of_bits(neighbours):
    words = [format(code, f"0{neighbours}b") for code in range(1 << neighbours)]
    turns = [{word[i:] + word[:i] for i in range(neighbours)} for word in words]
    flips = [sum(a != b for a, b in zip(word, word[1:] + word[:1], strict=True)) for word in words]
    least = sorted({min(turned) for turned in turns})
    uniform = [code for code, count in enumerate(flips) if count <= 2]
    expected = {
        "full": list(range(len(words))),
        "u2": [uniform.index(code) if code in uniform else len(uniform) for code in range(len(words))],
        "ri": [least.index(min(turned)) for turned in turns],
        "riu2": [word.count("1") if count <= 2 else neighbours + 1 for word, count in zip(words, flips, strict=True)],
    }
    for mapping, bins in expected.items():
        table, count = mapping_table(mapping, neighbours)
        assert table.tolist() == bins
        assert count == max(bins) + 1


def test_papers_numbers_of_bins():
    found = {(m, p): mapping_table(m, p)[1] for m in ("u2", "full", "ri", "riu2") for p in (4, 8, 16)}
    assert [found["u2", p] for p in (4, 8, 16)] == [15, 59, 243]
    assert [found["ri", p] for p in (4, 8, 16)] == [6, 36, 4116]
    assert [found["riu2", p] for p in (8, 16)] == [10, 18]
    assert found["full", 16] == 65536


def test_rotating_a_circle_changes_no_rotation_invariant_bin():
    volume = noise(9, (3, 12, 12))
    turned = np.ascontiguousarray(np.rot90(volume, axes=(1, 2)))
    for mapping in ("ri", "riu2"):
        for plane in (planar((1, 1), 8), planar((2, 2), 12), planar((1, 1), 4)):
            first, second = (describe(frames, plane, mapping=mapping, blocks=(1, 1)) for frames in (volume, turned))
            np.testing.assert_array_equal(first, second)


def test_unknown_mappings_are_refused():
    with pytest.raises(UnknownName):
        mapping_table("u3", 8)
    with pytest.raises(UsageError):
        mapping_table("u2", 17)


# --- blocks


def spans_of(found: np.ndarray, axis: int) -> list[tuple[int, int]]:
    return sorted({(int(a), int(b)) for a, b in found[:, 2 * axis : 2 * axis + 2]})


def test_blocks_run_over_spans_then_rows_then_columns():
    found = boxes((9, 10, 11), (5, 8, 9), (2, 3, 2))
    assert len(found) == 12
    assert found[0].tolist() == [0, 2, 0, 4, 0, 3]
    assert found[1].tolist() == [0, 2, 0, 4, 3, 6]
    assert found[3].tolist() == [0, 2, 4, 8, 0, 3]
    assert found[6].tolist() == [2, 5, 0, 4, 0, 3]


def test_overlapping_blocks_follow_the_published_formula():
    # L = 100, n = 5: q = 20. overlap .1: o = 2, step 18, size (100 + 8) / 5 = 21.6 -> 22.
    found = boxes((1, 102, 102), (1, 100, 100), (5, 5), "overlap", 0.1)
    assert spans_of(found, 1) == [(0, 22), (18, 40), (36, 58), (54, 76), (72, 100)]
    # .5: o = 10, step 10, size 140 / 5 = 28; the last block takes what is left.
    found = boxes((1, 102, 102), (1, 100, 100), (5, 5), "overlap", 0.5)
    assert spans_of(found, 1) == [(0, 28), (10, 38), (20, 48), (30, 58), (40, 100)]
    # The same blocks spread evenly: starts i * 72 / 4.
    found = boxes((1, 102, 102), (1, 100, 100), (5, 5), "overlap-even", 0.5)
    assert spans_of(found, 1) == [(0, 28), (18, 46), (36, 64), (54, 82), (72, 100)]


@given(st.integers(1, 60), st.integers(1, 8), st.floats(0, 0.99))
def test_every_style_covers_what_it_says(centres, n, overlap):
    if centres < n:
        return
    for style in ("overlap", "overlap-even", "code-map"):
        share = 0.0 if style == "code-map" else overlap
        try:
            intervals = spans_of(boxes((centres, 9, 9), (centres, 9, 9), (1, 1, n), style, share), 0)
        except DataError:
            # q blocks of ceil(L / n) pixels can run past the end before the last one starts
            assert style == "overlap"
            assert (n - 1) * max(math.ceil(centres / n) * (1 - overlap), 1) >= centres - n
            continue
        assert intervals[0][0] == 0
        assert intervals[-1][1] == max(stop for _, stop in intervals) == centres
        if style != "overlap-even":
            assert all(later <= stop for (_, stop), (later, _) in pairwise(intervals))


def test_histograms_count_every_code_of_a_box_once():
    for levels, kind in ((16, np.uint8), (4096, np.uint16)):
        codes = np.random.default_rng(10).integers(0, levels, (2, 4, 9, 11)).astype(kind)
        table, bins = np.arange(levels) % 7, 7
        found = boxes((4, 9, 11), (4, 9, 11), (2, 2, 1), "overlap", 0.3)
        counts = histograms(codes, table, bins, found)
        for box, (t0, t1, y0, y1, x0, x1) in enumerate(found):
            for part in range(2):
                expected = Counter((codes[part, t0:t1, y0:y1, x0:x1] % 7).ravel().tolist())
                assert counts[box, part].tolist() == [expected[b] for b in range(bins)]


def test_shares_of_parts_with_different_bins_stand_side_by_side():
    codes = np.array([[[[0, 1, 2, 3]]], [[[0, 0, 1, 1]]]], np.uint8)
    found = shares(codes, [mapping_table("full", 2), (np.array([0, 1, 1, 1]), 2)], np.array([[0, 1, 0, 1, 0, 4]]))
    assert found.tolist() == [[0.25, 0.25, 0.25, 0.25, 0.5, 0.5]]


@pytest.mark.parametrize("wrong", [(5,), (5, 0), (5, 5, 1, 1), [5, 5], (5, 2.0), 5])
def test_grids_that_are_none_are_refused(wrong):
    with pytest.raises(UsageError):
        grid(wrong)


@pytest.mark.parametrize(
    ("style", "overlap", "fault"),
    [
        ("tiles", 0.0, UnknownName),
        ("overlap", 1.0, UsageError),
        ("overlap", -0.1, UsageError),
        ("overlap", math.nan, UsageError),
        ("code-map", 0.5, UsageError),
        ("sub-volume", 0.5, UsageError),
    ],
)
def test_styles_and_overlaps_that_are_none_are_refused(style, overlap, fault):
    with pytest.raises(fault):
        boxes((9, 20, 20), (1, 18, 18), (5, 5), style, overlap)


def test_too_many_blocks_are_refused():
    for style in ("code-map", "sub-volume", "overlap", "overlap-even"):
        with pytest.raises(DataError, match="do not fill"):
            boxes((9, 6, 20), (7, 4, 18), (5, 5), style)
    with pytest.raises(DataError):
        boxes((3, 20, 20), (0, 18, 18), (5, 5))


def test_names_say_block_part_and_bin():
    names = block_names((1, 2, 2), [("a", 2), ("b", 1)]).tolist()
    assert names == [f"t{t}_r0_c{c}_{b}" for t in (0, 1) for c in (0, 1) for b in ("a_0", "a_1", "b_0")]


def test_a_value_is_spread_over_its_block_alone():
    # A face of 32 px on 64 cells: a pixel is 2x2 cells. One block of rows 0..8 and columns 0..16 of the centres, which
    # start at pixel 4: rows 8 to 24 and columns 8 to 40 of the map, 512 cells of 1/512.
    face = spread(np.array([1.0]), np.array([[0, 1, 0, 8, 0, 16]]), (0, 4, 4), 32)
    expected = np.zeros((64, 64))
    expected[8:24, 8:40] = 1 / 512
    np.testing.assert_allclose(face, expected, atol=1e-15)


@settings(max_examples=30)
@given(st.integers(12, 200), st.lists(st.floats(-5, 5), min_size=25, max_size=25))
def test_the_map_of_a_face_keeps_the_sum(size, values):
    found = boxes((1, size, size), (1, size - 2, size - 2), (5, 5))
    assert spread(np.array(values), found, (0, 1, 1), size).sum() == pytest.approx(sum(values), abs=1e-9)

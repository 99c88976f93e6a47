"""Views of a pair as the planes of one array, against what the single steps give."""

import numpy as np
import pytest

from mebench.errors import DataError, UnknownName
from mebench.recipes import Sample, parse_recipe
from mebench.vision.flow import flow as measure_flow
from mebench.vision.strain import strain as measure_strain
from tests.test_steps import SIZE, after, sample  # noqa: F401  a fixture


def test_every_view_is_what_its_own_step_gives(sample: Sample) -> None:  # noqa: F811
    mixed = after("onset-apex > mix(onset+apex+difference+u+v+magnitude+strain)", sample)
    assert mixed.channels == ("onset", "apex", "difference", "u", "v", "magnitude", "strain")
    assert mixed.array.shape == (SIZE, SIZE, 7)
    assert mixed.array.dtype == np.float32
    pair = after("onset-apex", sample).array
    flow = measure_flow(pair[0], pair[1], "dis")
    expected = [
        pair[0], pair[1], pair[1].astype(float) - pair[0], flow[..., 0], flow[..., 1],
        np.sqrt(flow[..., 0] ** 2 + flow[..., 1] ** 2), measure_strain(flow),
    ]  # fmt: skip
    for i, view in enumerate(expected):
        np.testing.assert_allclose(mixed.array[..., i], view, rtol=1e-5, atol=1e-6)


def test_mixing_flow_is_flow_and_strain(sample: Sample) -> None:  # noqa: F811
    mixed, chained = after("onset-apex > mix(u+v+strain)", sample), after("onset-apex > flow > strain", sample)
    np.testing.assert_array_equal(mixed.array, chained.array)
    assert mixed.channels == chained.channels


def test_colour_counts_as_its_luma(sample: Sample) -> None:  # noqa: F811
    coloured = after("rgb > onset-apex > mix(apex+u+v)", sample)
    np.testing.assert_array_equal(coloured.array, after("onset-apex > mix(apex+u+v)", sample).array)


def test_a_smaller_field_has_shorter_arrows_and_the_same_strain_and_light(sample: Sample) -> None:  # noqa: F811
    full = after("onset-apex > mix(apex+u+magnitude+strain)", sample).array
    half = after(f"onset-apex > mix(apex+u+magnitude+strain) > resize({SIZE // 2})", sample).array
    means = full.reshape(SIZE // 2, 2, SIZE // 2, 2, 4).mean(axis=(1, 3)) * [1, 0.5, 0.5, 1]
    np.testing.assert_allclose(half, means, rtol=1e-4, atol=1e-4)


def test_planes_put_channels_first(sample: Sample) -> None:  # noqa: F811
    field, planes = after("onset-apex > mix(apex+u+v)", sample), after("onset-apex > mix(apex+u+v) > planes", sample)
    assert planes.kind == "planes"
    assert planes.array.shape == (3, SIZE, SIZE)
    np.testing.assert_array_equal(planes.array[1], field.array[..., 1])
    assert planes.array.flags.c_contiguous


def test_an_unknown_view_is_refused(sample: Sample) -> None:  # noqa: F811
    with pytest.raises(UnknownName, match="w"):
        after("onset-apex > mix(u+v+w)", sample)


def test_fields_over_time_are_no_planes(sample: Sample) -> None:  # noqa: F811
    with pytest.raises(DataError, match="6 fields"):
        after("flow(mode=consecutive) > planes", sample)


def test_a_pair_leans_on_no_more_than_it_did() -> None:
    assert parse_recipe("onset-apex > mix(u+v+strain) > planes").privilege == "apex"
    assert parse_recipe("onset-apex(source=middle) > mix(u+v+strain) > planes").privilege == "interval"

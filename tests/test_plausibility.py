"""Which UF1 a UAR allows: against brute force, against a public case, and as a verdict that is never wrong."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mebench.plausibility import Between, uf1_range


def compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    if parts == 1:
        return [(total,)]
    return [(first, *rest) for first in range(total + 1) for rest in compositions(total - first, parts - 1)]


def every_matrix(clips: tuple[int, ...]) -> np.ndarray:
    """(UF1, UAR, accuracy) of every confusion matrix with these row sums: the whole truth, written out."""
    found = set()
    for rows in product(*(compositions(n, len(clips)) for n in clips)):
        matrix = np.array(rows)
        hits, held, said = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
        found.add((float((2 * hits / (held + said)).mean()), float((hits / held).mean()), hits.sum() / held.sum()))
    return np.array(sorted(found))


def around(value: float) -> Between:
    return Between(value - 1e-6, value + 1e-6)


CASES = [(3, 2, 2), (4, 1, 2), (2, 5), (1, 1, 1), (2, 2, 1, 1)]
TRUTHS = {clips: every_matrix(clips) for clips in CASES}


@pytest.mark.parametrize("clips", CASES)
@pytest.mark.parametrize("width", [1e-6, 0.05, 0.3])
def test_the_range_is_that_of_all_confusion_matrices(clips: tuple[int, ...], width: float) -> None:
    truth = TRUTHS[clips]
    for uar in np.unique(truth[:, 1].round(9)):
        asked = Between(uar - width, uar + width)
        uf1 = truth[[value in asked for value in truth[:, 1]], 0]
        found = uf1_range(clips, asked)
        assert found is not None
        assert (found.low, found.high) == (pytest.approx(uf1.min()), pytest.approx(uf1.max()))


@pytest.mark.parametrize("clips", CASES[:3])
def test_an_accuracy_narrows_the_range_to_the_matrices_that_have_it(clips: tuple[int, ...]) -> None:
    truth = TRUTHS[clips]
    for uar, accuracy in {(round(u, 9), round(a, 9)) for _, u, a in truth}:
        both = (abs(truth[:, 1] - uar) < 1e-6) & (abs(truth[:, 2] - accuracy) < 1e-6)
        found = uf1_range(clips, around(uar), around(accuracy))
        assert found is not None
        assert (found.low, found.high) == (pytest.approx(truth[both, 0].min()), pytest.approx(truth[both, 0].max()))


def test_what_no_matrix_has_is_an_empty_range() -> None:
    """Recalls of 3, 2 and 2 clips are multiples of 1/3 and 1/2: no mean of them is .01."""
    found = uf1_range((3, 2, 2), Between(0.01, 0.02))
    assert found is not None
    assert found.low > found.high
    assert 0.5 not in found


@pytest.mark.parametrize(("half", "least"), [(0.00005, 0.398), (0.0035, 0.374)])
def test_the_impossible_cell_of_megc2019(half: float, least: float) -> None:
    """SMIC, 70/51/43 clips: LBP-TOP is printed with UF1 .2000 beside UAR .5280."""
    found = uf1_range((70, 51, 43), Between(0.528 - half, 0.528 + half))
    assert found is not None
    assert round(found.low, 3) == least
    assert 0.2 not in found


def test_too_many_candidates_are_left_undecided() -> None:
    assert uf1_range((250, 187, 161, 86, 64, 57, 55), Between(0.17, 0.18)) is None
    assert uf1_range((250, 109, 83), Between(0.0, 1.0)) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 25), min_size=3, max_size=3), min_size=3, max_size=3), st.integers(2, 4))
def test_no_real_result_is_ever_called_impossible(rows: list[list[int]], digits: int) -> None:
    """Any confusion matrix, its figures rounded as a paper would: the rounded UF1 lies in the range."""
    matrix = np.array(rows) + np.diag([1, 1, 1])
    hits, held, said = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    uf1, uar = (2 * hits / (held + said)).mean(), (hits / held).mean()
    half = 0.5 * 10.0**-digits
    found = uf1_range(held.tolist(), Between(round(uar, digits) - half, round(uar, digits) + half))
    assert found is not None
    assert uf1 in found

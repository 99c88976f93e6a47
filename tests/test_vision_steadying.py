"""Head motion taken out of flow fields made by formula."""

import numpy as np
import pytest

from mebench.errors import DataError
from mebench.vision import points
from mebench.vision.steadying import steadied
from tests.test_vision_motion import CENTRE, IOD, SIDE, bump, face

Y, X = np.mgrid[:SIDE, :SIDE].astype(np.float64)
PLACES = np.stack([X, Y], axis=-1)


def head(shift: tuple[float, float], degrees: float) -> np.ndarray:
    """The field of a small turn about the face's middle, and a shift."""
    turn = np.deg2rad(degrees)
    off = PLACES - CENTRE
    return np.stack([-turn * off[..., 1], turn * off[..., 0]], axis=-1) + shift


def smile() -> np.ndarray:
    corners = [bump(face()[i], np.array([0.0, -1.0]), 0.15 * IOD) for i in points.MOUTH_CORNERS]
    return sum(part(PLACES) for part in corners)


def test_the_skin_carries_the_head_out_and_leaves_the_smile() -> None:
    field = (head((0.4, -0.2), 0.5) + smile()).astype(np.float32)
    left = steadied(field, face(), "skin")
    assert left.dtype == np.float32
    assert np.abs(left - smile()).max() < 0.02


def test_the_nose_carries_out_a_shift() -> None:
    field = (head((0.4, -0.2), 0.0) + smile()).astype(np.float32)
    assert np.abs(steadied(field, face(), "nose") - smile()).max() < 0.05


def test_nothing_is_taken_out_where_nothing_is_asked() -> None:
    field = head((1, 1), 0).astype(np.float32)
    assert steadied(field, face(), "no") is field


def test_a_face_outside_and_an_unknown_way_are_refused() -> None:
    field = np.zeros((SIDE, SIDE, 2), np.float32)
    with pytest.raises(DataError, match="outside"):
        steadied(field, face() + 1000)
    with pytest.raises(DataError, match="chin"):
        steadied(field, face(), "chin")  # type: ignore[arg-type]

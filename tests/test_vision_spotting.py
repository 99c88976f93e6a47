"""Apexes spotted in clips whose apex is drawn."""

import numpy as np
import pytest

from mebench.errors import DataError
from mebench.recipes import parse_recipe
from mebench.vision import points
from mebench.vision.spotting import flow_course, spot
from tests.test_vision_motion import IOD, SIDE, bump, eight_bit, face, grid, render, sway, texture

APEX, FRAMES = 6, 10


def clip() -> np.ndarray:
    """Both mouth corners rise to 1.5 px at frame `APEX` and sink again."""
    course = np.interp(np.arange(FRAMES), [0, APEX, FRAMES - 1], [0, 1, 0])
    corners = [bump(face()[i], np.array([0.0, -1.5]), 0.2 * IOD) for i in points.MOUTH_CORNERS]
    return render(texture(4), sway(FRAMES, 0, 0), lambda where: sum(part(where) for part in corners), course)


def test_flow_spots_the_frame_of_most_motion() -> None:
    frames = clip()
    assert spot(frames, face(), "flow") == APEX
    course = flow_course(frames, face())
    assert course[0] == 0
    assert course.argmax() == APEX


def test_frequency_spots_the_quickest_change() -> None:
    x, y = grid()
    still = eight_bit(texture(5)(x, y))
    frames = np.repeat(still[None], 21, axis=0)
    frames[12] = eight_bit(still + np.random.default_rng(1).normal(0, 12, still.shape))
    assert abs(spot(frames, face(), "frequency") - 12) <= 4  # a window is nine frames long


@pytest.mark.parametrize("source", ["flow", "frequency"])
def test_two_frames_have_their_apex_last(source) -> None:
    assert spot(np.zeros((2, SIDE, SIDE), np.uint8), face(), source) == 1


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(DataError, match="guess"):
        spot(np.zeros((5, SIDE, SIDE), np.uint8), face(), "guess")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["flow", "frequency", "middle"])
@pytest.mark.parametrize("step", ["onset-apex", "apex"])
def test_a_spotted_apex_leans_on_the_interval_alone(step: str, source: str) -> None:
    recipe = parse_recipe(f"align(size=64) > {step}(source={source})")
    assert (recipe.privilege, recipe.reads_apex, recipe.apex_source) == ("interval", False, source)
    assert parse_recipe(f"align(size=64) > {step}").privilege == "apex"

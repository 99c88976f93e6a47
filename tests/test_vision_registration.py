"""Other anchors than tracked skin, against motion known at every point."""

import numpy as np
import pytest

from mebench.vision import alignment, points
from mebench.vision.motion import head_motion, nose_region, tracking_region
from mebench.vision.piecewise import piecewise, warp_piecewise
from mebench.vision.registration import ecc_motion, eye_line_motion, landmark_motion, nose_motion
from tests.test_vision_motion import IOD, SIDE, bump, face, no_skin_motion, render, residual_px, sway, texture


def moving(true: np.ndarray) -> np.ndarray:
    """The landmarks of every frame, carried by the head alone."""
    return alignment.transform_points(face(), true)


@pytest.mark.parametrize("measure", [nose_motion, ecc_motion])
def test_a_drift_is_found_from_nose_and_eyes(measure) -> None:
    true = sway(4, 2.0, 0.5)
    frames = render(texture(1), true, no_skin_motion, np.zeros(4))
    assert residual_px(measure(frames, face()), true).max() < 0.15


def test_a_nose_that_moves_fools_the_nose_and_not_the_skin() -> None:
    true = sway(5, 0.0, 0.0)
    nose = bump(face()[points.NOSE_TIP], np.array([0.0, -1.5]), 0.28 * IOD)
    frames = render(texture(3), true, nose, np.array([0, 0.5, 1, 0.5, 0]))
    assert residual_px(nose_motion(frames, face()), true).max() > 0.5
    assert residual_px(head_motion(frames, face()).transforms, true).max() < 0.05


def test_ecc_that_does_not_converge_keeps_the_frame_before() -> None:
    frames = render(texture(2), sway(3, 1.0, 0.2), no_skin_motion, np.zeros(3))
    frames[2] = 127
    found = ecc_motion(frames, face())
    assert (found[2] == found[1]).all()
    assert (found[0] == np.eye(2, 3)).all()


@pytest.mark.parametrize("measure", [landmark_motion, eye_line_motion])
def test_landmarks_carried_by_a_similarity_give_that_similarity(measure) -> None:
    true = sway(5, 6.0, 2.0)
    np.testing.assert_allclose(measure(moving(true)), true, atol=1e-9)


def test_only_eyes_move_the_eye_line() -> None:
    read = np.stack([face(), face()])
    read[1, list(points.MOUTH)] += 5
    np.testing.assert_allclose(eye_line_motion(read)[1], np.eye(2, 3), atol=1e-12)
    assert np.abs(landmark_motion(read)[1] - np.eye(2, 3)).max() > 0.01


def test_piecewise_affine_of_a_moving_head_is_its_similarity() -> None:
    true = sway(3, 6.0, 2.0)
    warp = piecewise(moving(true), 200)
    places = np.random.default_rng(0).uniform(-20, 220, (50, 2))
    onset = alignment.transform_points(places, alignment.invert(alignment.canonical(face(), 200)))
    np.testing.assert_allclose(warp.at(places, 2), alignment.transform_points(onset, true[2]), atol=1e-6)


def test_piecewise_affine_takes_the_expression_out() -> None:
    # What its page says it costs: a mouth corner that moved by 3 px lies still after alignment.
    read = np.stack([face(), face()])
    corner = points.MOUTH_CORNERS[0]
    read[1, corner] += [-2.0, -2.2]
    in_place = alignment.transform_points(face()[[corner]], alignment.canonical(face(), 200))
    np.testing.assert_allclose(piecewise(read, 200).at(in_place, 1), read[1, [corner]], atol=1e-6)


def test_piecewise_affine_frames_of_a_swaying_head_stand_still() -> None:
    true = sway(3, 2.0, 0.5)
    frames = render(texture(9), true, no_skin_motion, np.zeros(3))
    aligned = warp_piecewise(frames, moving(true), 160, 4).astype(float)
    assert aligned.shape == (3, 168, 168)
    inside = (slice(None), slice(16, -16), slice(16, -16))
    assert np.abs(aligned - aligned[0])[inside].mean() < 1.5


def test_the_forehead_is_tracked_and_the_nose_region_is_the_nose() -> None:
    forehead = face()[list(points.BROWS)].mean(axis=0) - [0, 0.2 * IOD]
    assert tracking_region((SIDE, SIDE), face())[round(forehead[1]), round(forehead[0])] == 255
    nose = nose_region((SIDE, SIDE), face())
    x, y = np.rint(face()[points.NOSE_TIP]).astype(int)
    assert nose[y, x] == 255
    assert nose[round(forehead[1]), round(forehead[0])] == 0

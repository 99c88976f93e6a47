"""Frames and truth of synthetic clips: what is said to move is what moves."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mebench.synth.action_units import DRAWABLE, DrawnUnit, blink_field, peak_length, unit_field
from mebench.synth.camera import Camera
from mebench.synth.faces import SUPERSAMPLING, neutral_picture
from mebench.synth.filming import IDLE_PX, NOISE_SIGMA, exposures, picture_of, stage, truth_of
from mebench.synth.identities import draw_identity
from mebench.synth.motion import blink_course, expression_course, sway, transform
from mebench.synth.plan import Settings, draw_plan
from mebench.synth.portrait import MIRRORED, load_portrait
from mebench.synth.render import TRUTH_STEP_PX, Scene, head_motion, moving_skin, sharp_frame
from mebench.synth.sampling import sample, sample_field

SETTINGS = Settings("casme2", "smoke", 2, 20, 1.0, 0)
CAMERA = SETTINGS.layout.camera
PLAN = draw_plan(SETTINGS)


@pytest.fixture(scope="module")
def person():
    return draw_identity(np.random.default_rng(0), load_portrait().mean_shape(), mirrored=False)


@pytest.fixture(scope="module")
def picture(person):
    return picture_of(person, CAMERA)


@pytest.fixture(scope="module")
def coordinates():
    """A picture that shows, instead of a face, the neutral coordinates of each of its points."""
    y, x = np.mgrid[0 : CAMERA.height * SUPERSAMPLING, 0 : CAMERA.width * SUPERSAMPLING].astype(np.float32)
    return np.dstack([(x + 0.5) / SUPERSAMPLING - 0.5, (y + 0.5) / SUPERSAMPLING - 0.5, np.zeros_like(x)])


def inner(points, margin=25):
    """Away from the frame's border, beyond which the picture is mirrored."""
    return (
        (points > margin).all(-1) & (points[..., 0] < CAMERA.width - margin) & (points[..., 1] < CAMERA.height - margin)
    )


def blinking_clip():
    """A clip that blinks at onset or apex: the hardest to invert."""
    dummy = np.zeros((CAMERA.height * SUPERSAMPLING, CAMERA.width * SUPERSAMPLING), np.float32)
    face = draw_identity(np.random.default_rng(0), load_portrait().mean_shape(), mirrored=False)
    for clip in PLAN:
        closure = stage(SETTINGS, clip, face, dummy).closure
        if closure[clip.take.apex - clip.take.onset] > 1:
            return clip
    raise AssertionError("No clip blinks at its apex.")


@pytest.mark.parametrize("clip", [PLAN[0], PLAN[3], blinking_clip()], ids=lambda clip: clip.unit_text)
def test_dense_motion_leads_every_onset_pixel_to_the_same_skin_at_the_apex(clip, person, coordinates):
    # Frames of the coordinate picture name the skin that each pixel shows: no inversion is involved in reading them.
    strong = replace(clip, take=replace(clip.take, peak_px=2.0))
    scene = stage(SETTINGS, strong, person, coordinates)
    truth = truth_of(SETTINGS, strong, scene, person)
    y, x = np.mgrid[0 : CAMERA.height : TRUTH_STEP_PX, 0 : CAMERA.width : TRUTH_STEP_PX].astype(np.float32)
    first = np.stack([x, y], axis=-1)
    shown_first = sharp_frame(scene, 0)[::TRUTH_STEP_PX, ::TRUTH_STEP_PX, :2]
    apex = sharp_frame(scene, clip.take.apex - clip.take.onset)
    shown_apex = sample(apex, first + truth.motion.astype(np.float32))[..., :2]
    error = np.linalg.norm(shown_apex - shown_first, axis=-1)[inner(first)]
    assert error.max() < 0.02


def test_landmark_truth_names_the_pixel_where_the_landmark_is_seen(person, coordinates):
    clip = blinking_clip()
    scene = stage(SETTINGS, clip, person, coordinates)
    truth = truth_of(SETTINGS, clip, scene, person)
    for t in range(0, clip.take.frames, 5):
        seen = sample(sharp_frame(scene, t), truth.landmarks[t][None])[0, :, :2]
        assert np.abs(seen - CAMERA.from_reference(person.landmarks)).max() < 0.02


def test_optical_flow_between_noiseless_frames_agrees_with_the_truth(person, picture):
    clip = replace(PLAN[0], units=(DrawnUnit(12),), take=replace(PLAN[0].take, peak_px=1.5))
    scene = stage(SETTINGS, clip, person, picture)
    truth = truth_of(SETTINGS, clip, scene, person)
    frames = [sharp_frame(scene, t).round().astype(np.uint8) for t in (0, clip.take.apex - clip.take.onset)]
    onset, apex = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    found = dis.calc(onset, apex, None)[::TRUTH_STEP_PX, ::TRUTH_STEP_PX]
    x, y = CAMERA.from_reference(person.landmarks)[48] / TRUTH_STEP_PX
    mouth = (slice(int(y) - 12, int(y) + 12), slice(int(x) - 12, int(x) + 12))
    error = np.linalg.norm(found[mouth] - truth.motion[mouth], axis=-1)
    moved = np.linalg.norm(truth.motion[mouth].astype(float), axis=-1)
    assert moved.max() > 1
    assert error.mean() < 0.15  # DIS itself errs by .03 to .1 px at such motion


def test_the_peak_is_the_greatest_skin_motion_at_the_apex(person, picture):
    for clip in PLAN[:4]:
        scene = stage(SETTINGS, clip, person, picture)
        assert peak_length(scene.skin.expression) == pytest.approx(clip.take.peak_px, rel=1e-4)


def test_intensity_is_each_units_own_greatest_displacement(person, picture):
    clip = replace(PLAN[0], units=(DrawnUnit(6), DrawnUnit(12)))
    scene = stage(SETTINGS, clip, person, picture)
    truth = truth_of(SETTINGS, clip, scene, person)
    apex = clip.take.apex - clip.take.onset
    fields = [unit_field(unit, person.landmarks, CAMERA) for unit in clip.units]
    rebuilt = sum(strength * field for strength, field in zip(truth.intensity[apex], fields, strict=True))
    assert peak_length(rebuilt.astype(np.float32)) == pytest.approx(float(truth.peak_px), rel=1e-4)
    assert truth.intensity[0].max() == truth.intensity[-1].max() == 0
    assert truth.intensity.argmax(axis=0).tolist() == [apex, apex]


def test_with_amplitude_zero_nothing_but_the_head_the_lids_and_skin_at_rest_moves(person, coordinates):
    still = replace(PLAN[0], take=replace(PLAN[0].take, peak_px=0.0))
    scene = stage(SETTINGS, still, person, coordinates)
    scene = replace(scene, closure=np.zeros_like(scene.closure), idle=np.zeros_like(scene.idle))
    y, x = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width].astype(np.float32)
    first, motion = np.stack([x, y], axis=-1), head_motion(scene)
    shown = sharp_frame(scene, 0)[..., :2]
    for t in (5, still.take.apex - still.take.onset, still.take.frames - 1):
        seen = sample(sharp_frame(scene, t), transform(motion[t], first).astype(np.float32))[..., :2]
        assert np.abs(seen - shown)[inner(first)].max() < 2e-3


def test_skin_at_rest_wanders_a_little_whatever_the_expression(person, picture):
    """The same take with and without its expression: what remains is at most the stated length, and it is the same."""
    clip = PLAN[0]
    still = replace(clip, take=replace(clip.take, peak_px=0.0))
    moving, resting = (stage(SETTINGS, c, person, picture) for c in (clip, still))
    np.testing.assert_array_equal(moving.idle, resting.idle)
    np.testing.assert_array_equal(moving.head, resting.head)
    assert np.abs(resting.idle[0]).max() == 0
    assert np.abs(resting.idle).max() == pytest.approx(IDLE_PX * CAMERA.scale)
    assert [peak_length(field) for field in resting.skin.idle] == pytest.approx([1, 1], abs=1e-5)


def test_the_head_sways_by_two_pixels_and_half_a_degree():
    path = sway(np.random.default_rng(1), 40, scale=1.0)
    assert np.abs(path[0]).max() == 0
    assert np.hypot(path[:, 0], path[:, 1]).max() == pytest.approx(2.0)
    assert np.degrees(np.abs(path[:, 2]).max()) == pytest.approx(0.5)
    assert np.hypot(*np.diff(path[:, :2], axis=0).T).max() < 0.6  # smooth: no jump between frames


def test_courses_start_and_end_at_rest_and_peak_where_they_should():
    course = expression_course(11, 4)
    # half cosine: (1 - cos(pi * k / 4)) / 2 on the way up
    assert course[:5] == pytest.approx([0, 0.14645, 0.5, 0.85355, 1], abs=1e-5)
    assert course[-1] == pytest.approx(0)
    blink = blink_course(31, 0, 30)
    assert blink.argmax() == 10
    assert blink[[0, 10, 30]] == pytest.approx([0, 1, 0])


@pytest.mark.parametrize("number", sorted(DRAWABLE))
def test_every_unit_is_a_smooth_field_without_folds(number, person):
    field = unit_field(DrawnUnit(number), person.landmarks, CAMERA)
    assert peak_length(field) == pytest.approx(1, rel=1e-5)
    steepest = max(np.abs(np.diff(field, axis=0)).max(), np.abs(np.diff(field, axis=1)).max())
    assert steepest * 6 < 1  # twice the greatest amplitude allowed


@pytest.mark.parametrize("number", [9, 10])
def test_nose_wrinkler_and_upper_lip_raiser_move_the_nose(number, person):
    field = unit_field(DrawnUnit(number), person.landmarks, CAMERA)
    nose = CAMERA.from_reference(person.landmarks)[27:36].astype(np.float32)
    assert np.linalg.norm(sample_field(field, nose[None])[0], axis=-1).max() > 0.4


def test_one_sided_units_stay_on_their_side(person):
    # the subject's left is on the right of the image
    field = unit_field(DrawnUnit(12, "left"), person.landmarks, CAMERA)
    length = np.linalg.norm(field, axis=-1)
    middle = int(CAMERA.from_reference(person.landmarks)[30, 0])
    assert length[:, middle:].max() == pytest.approx(1, rel=1e-5)
    assert length[:, : middle - 20].max() < 0.05


def test_lids_close_when_a_person_blinks(person):
    field = blink_field(person.landmarks, CAMERA)
    lid, chin = CAMERA.from_reference(person.landmarks)[[37, 8]].astype(np.float32)
    moved = sample_field(field, np.stack([lid, chin])[None])[0]
    assert moved[0, 1] > 0.8
    assert np.abs(moved[1]).max() < 1e-3


def test_sensor_noise_has_its_deviation_and_differs_from_frame_to_frame(person):
    flat = np.full((CAMERA.height * SUPERSAMPLING, CAMERA.width * SUPERSAMPLING, 3), 120, np.float32)
    frames = list(exposures(SETTINGS, PLAN[0], stage(SETTINGS, PLAN[0], person, flat)))[:2]
    one, other = (frame.astype(float) for frame in frames)
    # rounding to whole levels adds a variance of 1/12
    assert one.std() == pytest.approx(np.sqrt(NOISE_SIGMA**2 + 1 / 12), rel=0.01)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


def test_the_portraits_landmarks_come_to_lie_on_the_persons(person):
    # Blue and green over red name the place in the portrait; what is painted and lit multiplies all three alike.
    portrait = load_portrait()
    y, x = np.mgrid[0 : portrait.image.shape[0], 0 : portrait.image.shape[1]].astype(np.float32)
    coded = replace(portrait, image=np.dstack([x / 4, y / 4, np.full_like(x, 150)]))
    plain = replace(person, tone=(1, 1, 1), gamma=1.0)
    shown = neutral_picture(plain, coded, Camera(640, 480, 200.0), supersampling=1)
    seen = sample(shown, person.landmarks[None].astype(np.float32))[0]
    error = seen[:, :2] / seen[:, 2:] * 600 - portrait.landmarks
    assert np.linalg.norm(error, axis=1).mean() < 0.1
    assert np.abs(error).max() < 0.4


def test_the_mirror_image_keeps_the_order_of_landmarks():
    portrait = load_portrait()
    assert sorted(MIRRORED) == list(range(68))
    twice = portrait.mirror().mirror()
    assert np.allclose(twice.landmarks, portrait.landmarks)
    assert portrait.mirror().landmarks[36, 0] < portrait.mirror().landmarks[45, 0]
    shape = portrait.mean_shape()
    assert np.allclose(shape[MIRRORED] * [-1, 1] + [640, 0], shape, atol=1e-9)


def test_a_still_face_that_sways_out_of_the_frame_is_drawn():
    """Of a face that never moves, the first pixel stands for its skin; a head that goes left and up takes it out."""
    still = moving_skin(*np.zeros((2, 48, 64, 2), np.float32), np.zeros((1, 48, 64, 2), np.float32))
    picture = np.arange(48 * 64, dtype=np.float32).reshape(48, 64).repeat(SUPERSAMPLING, 0).repeat(SUPERSAMPLING, 1)
    away = np.array([[1.0, 0, -2], [0, 1, -2]])
    scene = Scene(picture, still, 0.0, np.ones(2), np.zeros(2), np.zeros((2, 1)), np.stack([np.eye(2, 3), away]))
    np.testing.assert_allclose(sharp_frame(scene, 1)[:-2, :-2], sharp_frame(scene, 0)[2:, 2:])

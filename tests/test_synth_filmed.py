"""Scripts on film: heads that turn in depth, lids that close, skin that folds, and a truth that agrees with frames."""

from dataclasses import replace

import numpy as np
import pytest

from mebench.synth.acting import calibrated_script
from mebench.synth.asking import settings_of
from mebench.synth.calibrated import draw_acted
from mebench.synth.camera import Camera
from mebench.synth.eyes import closed_landmarks, eye_opening, lid_field
from mebench.synth.faces import SUPERSAMPLING
from mebench.synth.filmed import RENDERER, PortraitFilm, Sitter
from mebench.synth.identities import draw_identity
from mebench.synth.portrait import load_portrait
from mebench.synth.render import TRUTH_STEP_PX
from mebench.synth.renderers import PORTRAIT, renderer
from mebench.synth.sampling import sample
from mebench.synth.script import PersonScript, UnitTrack
from mebench.synth.turning import Turning, relief_of
from mebench.synth.wear import beard, spectacles
from mebench.synth.wrinkles import _LINES, shade_strength

CAMERA = Camera(320, 240, 200.0)
SETTINGS = settings_of("casme2", tier="calibrated", subjects=6, clips=24)


@pytest.fixture(scope="module")
def sitter():
    """A person whose picture shows, instead of a face, the neutral coordinates of each of its points."""
    identity = draw_identity(np.random.default_rng(0), load_portrait().mean_shape(), mirrored=False)
    y, x = np.mgrid[0 : CAMERA.height * SUPERSAMPLING, 0 : CAMERA.width * SUPERSAMPLING].astype(np.float32)
    picture = np.dstack([(x + 0.5) / SUPERSAMPLING - 0.5, (y + 0.5) / SUPERSAMPLING - 0.5, np.ones_like(x)])
    landmarks = CAMERA.from_reference(identity.landmarks)
    relief = relief_of(landmarks, (CAMERA.height, CAMERA.width))
    return Sitter(PersonScript("casme2", 0, 0), identity, CAMERA, picture, landmarks, relief, None)


@pytest.fixture(scope="module")
def script():
    """A clip in which the head turns and nobody blinks."""
    drawn = (calibrated_script(SETTINGS, clip) for clip in draw_acted(SETTINGS))
    chosen = max(drawn, key=lambda one: np.ptp(one.head.yaw) + np.abs(one.head.yaw[0]))
    return replace(chosen, camera=CAMERA, closure=np.zeros(chosen.frames))


def inner(points, margin=20):
    """Away from the frame's border, beyond which the picture is mirrored."""
    return (
        (points > margin).all(-1) & (points[..., 0] < CAMERA.width - margin) & (points[..., 1] < CAMERA.height - margin)
    )


def test_dense_motion_leads_every_onset_pixel_to_the_same_skin_at_the_apex(sitter, script):
    film = PortraitFilm(sitter, script)
    truth = film.truth()
    y, x = np.mgrid[0 : CAMERA.height : TRUTH_STEP_PX, 0 : CAMERA.width : TRUTH_STEP_PX].astype(np.float32)
    first = np.stack([x, y], axis=-1)
    shown = film.sharp(0)[::TRUTH_STEP_PX, ::TRUTH_STEP_PX, :2]
    seen = sample(film.sharp(script.apex_index), first + truth.motion.astype(np.float32))[..., :2]
    error = np.linalg.norm(seen - shown, axis=-1)[inner(first)]
    assert error.mean() < 0.01
    assert error.max() < 0.1  # frames follow the head on a grid of 8 px, which the nose's edge shows


def test_landmark_truth_names_the_pixel_where_the_landmark_is_seen(sitter, script):
    film = PortraitFilm(sitter, script)
    truth = film.truth()
    for t in (0, script.apex_index, script.frames - 1):
        seen = sample(film.sharp(t), truth.landmarks[t][None])[0, :, :2]
        assert np.abs(seen - sitter.landmarks).max() < 0.1


def test_intensity_and_peak_are_in_px_of_the_frame(sitter, script):
    track = UnitTrack(12, np.linspace(0, 2, script.frames), np.linspace(0, 2, script.frames))
    alone = replace(script, units=(track,), rest=(), apex=int(script.numbers[-1]))
    truth = PortraitFilm(sitter, alone).truth()
    assert truth.intensity[-1] == pytest.approx([2 * CAMERA.scale])
    assert float(truth.peak_px) == pytest.approx(2 * CAMERA.scale, rel=1e-3)
    sided = replace(alone, units=(replace(track, right=np.zeros(script.frames)),))
    assert float(PortraitFilm(sitter, sided).truth().peak_px) == pytest.approx(2 * CAMERA.scale, rel=1e-3)
    assert PortraitFilm(sitter, sided).truth().units.tolist() == ["L12"]


def test_nearer_skin_moves_further_when_the_head_turns(sitter):
    tip, cheek = sitter.landmarks[30], (sitter.landmarks[2] + sitter.landmarks[31]) / 2
    turned = sitter.relief.turned(np.stack([tip, cheek]), np.deg2rad(5), 0.0)
    nose, side = (turned - np.stack([tip, cheek]))[:, 0]
    assert nose > side + 1
    assert nose > 0  # to the image's right


def test_the_room_does_not_turn_with_the_head(sitter):
    corner = np.array([[5.0, 5.0], [315.0, 235.0]])
    assert sitter.relief.turned(corner, np.deg2rad(20), 0.1) == pytest.approx(corner)


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (5, -4), (15, 0), (30, 3)])
def test_turning_back_undoes_turning(sitter, yaw, pitch):
    rng = np.random.default_rng(0)
    points = rng.uniform((60, 40), (260, 220), (1, 400, 2))
    angles = float(np.deg2rad(yaw)), float(np.deg2rad(pitch))
    back = sitter.relief.unturned(sitter.relief.turned(points, *angles), *angles)
    assert np.abs(sitter.relief.turned(back, *angles) - sitter.relief.turned(points, *angles)).max() < 0.01


def test_frames_and_points_agree_on_where_the_head_is(sitter, script):
    turning = Turning(sitter.relief, script.head, sitter.landmarks.mean(axis=0), CAMERA)
    there = turning.forward(sitter.landmarks, 3)
    assert turning.backward(there[None], 3)[0] == pytest.approx(sitter.landmarks, abs=0.01)


def test_closed_lids_hide_the_eye_and_leave_the_rest(sitter):
    origin, size = np.array([0, 0]), (CAMERA.height, CAMERA.width)
    field = lid_field(sitter.landmarks, 1.0, size, origin)
    eye = sitter.landmarks[[37, 38, 40, 41]].mean(axis=0)
    x, y = np.round(eye).astype(int)
    # A pixel amid the closed eye shows skin that lay on or above the lid's edge when the eye was open.
    assert y - field[y, x, 1] <= sitter.landmarks[[37, 38], 1].mean() + 0.7
    assert not field[..., 0].any()
    below, above = round(sitter.landmarks[41, 1]) + 4, round(sitter.landmarks[19, 1])
    assert field[below:, x, 1].max() == 0
    assert field[above, x, 1] == 0
    assert not lid_field(sitter.landmarks, 0.0, size, origin).any()


def test_landmarks_of_closed_lids_come_down(sitter):
    closed = closed_landmarks(sitter.landmarks, 1.0)
    assert closed[37, 1] == sitter.landmarks[41, 1]
    assert eye_opening(closed) == pytest.approx(0)
    assert (np.delete(closed, [37, 38, 43, 44], 0) == np.delete(sitter.landmarks, [37, 38, 43, 44], 0)).all()


def test_skin_folds_and_shades_where_a_unit_acts(sitter, script):
    grey = replace(sitter, picture=np.full_like(sitter.picture, 128.0))
    lively = replace(grey, script=replace(grey.script, wrinkles=1.0))
    plain, folded = (PortraitFilm(who, script).sharp(script.apex_index)[..., 0] for who in (grey, lively))
    assert np.ptp(plain) == 0
    assert 3 < np.ptp(folded) < 60
    assert (np.abs(folded - 128) > 1).mean() < 0.3  # on the units, not all over


def test_every_unit_has_its_own_folds():
    from mebench.synth.action_units import DRAWABLE

    assert set(_LINES) == DRAWABLE
    assert shade_strength(0.0) == 0
    assert shade_strength(1.0) < shade_strength(4.0) < 1


def test_spectacles_stay_when_the_skin_below_them_moves(sitter, script):
    before = spectacles(np.random.default_rng(0), sitter.identity.landmarks, CAMERA)
    still = replace(
        script, head=replace(script.head, **dict.fromkeys(("x", "y", "roll", "yaw", "pitch"), 0 * script.head.x))
    )
    worn = replace(sitter, picture=np.full_like(sitter.picture, 128.0), before=before)
    film = PortraitFilm(worn, still)
    first, last = film.sharp(0), film.sharp(script.apex_index)
    assert first.min() < 100
    assert np.abs(first - last).max() < 1e-3


def test_a_beard_darkens_chin_and_lip_and_spares_the_mouth(sitter):
    from mebench.synth.camera import Canvas

    shade = beard(np.random.default_rng(0), sitter.identity.landmarks, 1.0, Canvas(CAMERA, 1))
    at = [tuple(np.round(point).astype(int)[::-1]) for point in sitter.landmarks]
    chin = tuple(np.round((sitter.landmarks[8] + sitter.landmarks[57]) / 2).astype(int)[::-1])
    assert shade[chin] < -0.3
    assert shade[at[27]] == pytest.approx(0, abs=0.05)
    assert shade[chin] < shade[at[62]] - 0.1


def test_noise_gain_and_blur_are_those_of_the_script(sitter, script):
    flat = replace(sitter, picture=np.full_like(sitter.picture, 100.0))
    recording = replace(script.recording, gain=np.linspace(0.9, 1.1, script.frames), noise_sigma=5.0, blur_px=0.0)
    frames = list(PortraitFilm(flat, replace(script, recording=recording)).frames())
    assert frames[0].mean() == pytest.approx(90, abs=0.2)
    assert frames[-1].mean() == pytest.approx(110, abs=0.2)
    assert frames[0].std() == pytest.approx(np.sqrt(25 + 1 / 12), rel=0.02)


def test_the_portrait_renderer_is_found_by_name():
    assert renderer(PORTRAIT) is RENDERER
    assert RENDERER.name == PORTRAIT

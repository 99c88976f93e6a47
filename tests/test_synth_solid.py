"""The second renderer: what moves is what the script says, to a tenth of a pixel, and it is drawn by itself."""

import ast
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

import mebench.synth
from mebench.synth.camera import Camera
from mebench.synth.renderers import RENDERERS, renderer
from mebench.synth.script import ClipScript, HeadPose, PersonScript, Recording, UnitTrack
from mebench.synth.solid.film import SAMPLES, SolidFilm
from mebench.synth.solid.muscles import UNITS, unit_field
from mebench.synth.solid.optics import FRONTAL
from mebench.synth.solid.people import draw_person
from mebench.synth.solid.raster import rasterise
from mebench.synth.solid.sitter import Sitter, seat
from mebench.synth.solid.surface import average_head

SMALL = Camera(320, 240, 200.0)
DRAWS_FOR_THE_PORTRAIT = {
    *("action_units", "eyes", "faces", "features", "filmed", "filming", "identities", "layers", "portrait"),
    *("render", "sampling", "turning", "wear", "wrinkles"),
}


@cache
def sitter() -> Sitter:
    return seat(draw_person(np.random.default_rng(3)), SMALL, SAMPLES)


def script(**changes: object) -> ClipScript:
    """Three frames in which nothing moves, seen without noise."""
    none = np.zeros(3)
    still = ClipScript(
        dataset="casme2",
        seed=0,
        index=0,
        camera=SMALL,
        numbers=np.arange(10, 13),
        apex=11,
        units=(),
        rest=(),
        head=HeadPose(none, none, none, none, none, none),
        gaze=np.zeros((3, 2)),
        closure=none,
        idle_px=0.0,
        recording=Recording(np.ones(3), 0.0, 0.0, 90),
    )
    return replace(still, **changes)


def film(**changes: object) -> SolidFilm:
    return SolidFilm(sitter(), script(**changes))


def track(number: int, px: float, *, left: bool = True, right: bool = True) -> UnitTrack:
    course = np.array([0.0, px, 0.0])
    return UnitTrack(number, course * left, course * right)


def test_a_surface_that_moves_by_a_hundredth_of_a_pixel_is_seen_to() -> None:
    x, y = np.meshgrid(np.arange(-3.0, 30, 1.7), np.arange(-3.0, 24, 1.3))
    values = np.stack([x, y, x + y], axis=-1).astype(np.float32)
    plane = np.stack([x, y, np.ones_like(x)], axis=-1)
    for shift in (0.0, 0.01, 0.37):
        seen, hit = rasterise(plane + np.array((shift, 0, 0)), values, (20, 24))
        assert hit.all()
        expected = np.broadcast_to(np.arange(24) - shift, (20, 24))  # what lies at pixel x was drawn at x - shift
        assert np.abs(seen[..., 0] - expected).max() < 1e-5


def test_what_is_nearer_hides_what_is_farther() -> None:
    x, y = np.meshgrid(np.arange(0.0, 12), np.arange(0.0, 12))
    far = rasterise(np.stack([x, y, x + 5], axis=-1), np.zeros((12, 12, 3), np.float32), (12, 12))[1]
    assert far.all()
    folded = np.stack([np.abs(x - 6), y, np.where(x > 6, 1.0, 2.0)], axis=-1)
    seen, _ = rasterise(folded, np.repeat(x[..., None], 3, axis=-1).astype(np.float32), (12, 12))
    assert (seen[2:9, 2:4, 0] > 6).all()


@pytest.mark.parametrize("number", sorted(UNITS))
def test_a_unit_moves_its_side_by_one_as_the_camera_sees_it(number: int) -> None:
    head = average_head()
    for side in ("left", "right", "both"):
        shift = FRONTAL.project(head + 0.01 * unit_field(number, side)) - FRONTAL.project(head)
        assert np.isclose(np.hypot(shift[..., 0], shift[..., 1]).max(), 0.01, rtol=1e-3)
    columns = head.shape[1]
    left = np.abs(unit_field(number, "left"))
    assert left[:, : columns // 4].max() < 0.02 < left[:, columns // 2 :].max()


def test_the_amplitude_asked_for_is_the_amplitude_of_the_truth() -> None:
    truth = film(units=(track(12, 2.0), track(4, 1.0, right=False))).truth()
    assert np.isclose(truth.peak_px, 2.0 * SMALL.scale, rtol=0.02)
    assert truth.units.tolist() == ["12", "L4"]
    assert np.allclose(truth.intensity, np.array([[0, 0], [2, 1], [0, 0]]) * SMALL.scale)
    assert np.isclose(np.hypot(*np.moveaxis(truth.motion.astype(float), -1, 0)).max(), 2.0 * SMALL.scale, rtol=0.03)


def test_landmarks_move_as_the_dense_motion_says() -> None:
    none = np.zeros(3)
    head = HeadPose(np.array((0, 1.5, 0), float), none, none, np.array((0, 0.02, 0), float), none, none)
    clip = film(units=(track(1, 2.0), track(25, 2.0)), head=head)
    truth = clip.truth()
    inner = slice(17, 60)  # the jaw lies on the outline, and between the lips the motion jumps within a pixel
    at = np.rint(truth.landmarks[0, inner] / 2).astype(int)
    dense = truth.motion[at[:, 1], at[:, 0]].astype(float)
    moved = truth.landmarks[1, inner] - truth.landmarks[0, inner]
    error = np.hypot(*(dense - moved).T)
    assert np.median(error) < 0.02
    assert error.max() < 0.15


def test_a_tenth_of_a_pixel_of_head_motion_is_in_the_picture() -> None:
    none = np.zeros(3)
    tenth = HeadPose(np.array((0.0, 0.2, 0.4)), none, none, none, none, none)  # px of 640x480: .1 and .2 here
    whole = HeadPose(np.array((0.0, 4.0, 0.0)), none, none, none, none, none)
    face = (slice(80, 150), slice(125, 195))
    first, *moved = (film(head=tenth).sharp(t).mean(axis=-1)[face] for t in range(3))
    slope = np.gradient(cv2.GaussianBlur(first, (0, 0), 2.5), axis=1)
    change = [cv2.GaussianBlur(picture - first, (0, 0), 2.5) for picture in moved]
    found = [-float((slope * c).sum() / (slope * slope).sum()) for c in change]
    assert found[0] == pytest.approx(0.1, rel=0.1)  # a central difference sees fine slopes too flat: a bias of 7 %
    assert found[1] / found[0] == pytest.approx(2.0, rel=0.02)
    by_two = film(head=whole).sharp(1).mean(axis=-1)[face]
    assert np.abs(by_two[:, 2:] - first[:, :-2]).max() < 0.01


def test_head_motion_is_that_of_the_head_alone() -> None:
    none = np.zeros(3)
    head = HeadPose(
        np.array((0, 2.0, -1.0), float), np.array((0, 1.0, 0.5), float), np.array((0, 0.02, 0), float), none, none, none
    )
    truth = film(head=head, units=(track(12, 2.0),)).truth()
    still = film(head=head).truth()
    assert np.allclose(truth.head_motion, still.head_motion)
    carried = still.landmarks[0] @ still.head_motion[1, :, :2].T + still.head_motion[1, :, 2]
    assert np.abs(carried - still.landmarks[1]).max() < 0.05
    assert np.allclose(truth.head_motion[0], np.eye(2, 3), atol=1e-9)


def test_lids_close_over_the_eye_and_gaze_moves_the_iris() -> None:
    shut, aside = film(closure=np.array([0.0, 0.9, 0.0])), film(gaze=np.array([(0, 0), (0.3, 0), (0, 0)]))
    eye = cv2.boundingRect(np.asarray(shut.landmarks(0)[42:48], np.float32))
    part = (slice(eye[1], eye[1] + eye[3]), slice(eye[0], eye[0] + eye[2]))
    assert np.abs(shut.sharp(1)[part] - shut.sharp(0)[part]).mean() > 10
    assert np.abs(aside.sharp(1)[part] - aside.sharp(0)[part]).mean() > 5
    far = (slice(150, 230), slice(None))
    assert np.abs(aside.sharp(1)[far] - aside.sharp(0)[far]).max() == 0


def test_traits_of_a_script_are_drawn() -> None:
    person = sitter().person
    plain = film().sharp(0)
    for worn in ({"glasses": True}, {"beard": 0.9}):
        assert np.abs(SolidFilm(seat(person, SMALL, SAMPLES, **worn), script()).sharp(0) - plain).max() > 25
    smooth, folded = (
        SolidFilm(replace(sitter(), wrinkles=depth), script(units=(track(4, 3.0),))).sharp(1) for depth in (0.0, 1.0)
    )
    assert np.abs(smooth - folded).max() > 5


def test_equal_scripts_give_equal_frames() -> None:
    recording = Recording(np.ones(3), 2.0, 0.5, 90)
    first, second = (list(film(recording=recording, idle_px=0.5).frames()) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert first[0].shape == (240, 320, 3)
    grey = replace(SMALL, grey=True)
    assert next(SolidFilm(sitter(), script(camera=grey)).frames()).shape == (240, 320)


def test_nothing_of_the_first_renderer_draws_here() -> None:
    root = Path(mebench.synth.__file__).parent
    seen: set[str] = set()
    waiting = {f"solid.{path.stem}" for path in (root / "solid").glob("*.py")}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        path = root / f"{name.replace('.', '/')}.py"
        waiting |= {found for found in _imported(path) if found not in seen}
    assert not seen & DRAWS_FOR_THE_PORTRAIT, sorted(seen & DRAWS_FOR_THE_PORTRAIT)
    missing = {name for name in DRAWS_FOR_THE_PORTRAIT if not (root / f"{name}.py").exists()}
    assert not missing, f"renamed: {sorted(missing)}"


def test_it_is_among_the_renderers() -> None:
    assert "solid" in RENDERERS
    assert renderer("solid").name == "solid"


def _imported(path: Path) -> set[str]:
    """Modules of mebench.synth that a file imports, wherever in it, as paths below mebench.synth."""
    if not path.exists():
        return set()
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.removeprefix("mebench.synth.") for name in names if name.startswith("mebench.synth.")}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("index", range(3))
def test_dlib_finds_the_face_in_every_frame_with_its_landmarks_near(index: int) -> None:
    from mebench.vision.faces import dlib_finder

    camera = Camera(640, 480, 200.0)
    cast = renderer("solid").cast(PersonScript("casme2", 0, index), camera)
    none = np.zeros(3)
    pose = HeadPose(
        np.array((-4, 0, 4), float),
        none,
        np.array((0.01, 0, -0.01), float),
        np.array((-0.08, 0, 0.08), float),
        none,
        none,
    )
    noisy = Recording(np.ones(3), 2.0, 0.0, 90)
    clip = SolidFilm(cast, script(camera=camera, units=(track(12, 2.0),), head=pose, recording=noisy))
    finder = dlib_finder()
    for t, frame in enumerate(clip.frames()):
        found = finder.find(np.ascontiguousarray(frame[..., ::-1]))
        assert len(found) == 1
        assert np.linalg.norm(found[0].landmarks - clip.landmarks(t), axis=1).mean() < 5

"""Head motion and alignment against canvases known at every point: no interpolation enters the truth."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from mebench.errors import DataError
from mebench.vision import alignment, points
from mebench.vision.motion import head_motion, tracking_region

Array = npt.NDArray[np.float64]
Canvas = Callable[[Array, Array], Array]

SIDE = 240
CENTRE = np.array([120.0, 115.0])
IOD = 70.0


def face(centre: Array = CENTRE, iod: float = IOD) -> Array:
    """A schematic face of 68 points: the arcs and lines of the scheme, eye centres `iod` apart around `centre`."""

    def arc(x: float, y: float, rx: float, ry: float, degrees: Array) -> Array:
        a = np.deg2rad(degrees)
        return np.column_stack([x + rx * np.cos(a), y - ry * np.sin(a)])

    jaw = arc(0, 0.1, 1.05, 1.5, np.linspace(180, 360, 17))
    brows = [arc(x, -0.25, 0.38, 0.15, np.linspace(180, 0, 5)) for x in (-0.5, 0.5)]
    bridge = np.column_stack([np.zeros(4), np.linspace(0, 0.5, 4)])
    base = np.column_stack([np.linspace(-0.22, 0.22, 5), np.full(5, 0.65)])
    eyes = [arc(x, 0, 0.17, 0.07, np.array([180, 120, 60, 0, 300, 240.0])) for x in (-0.5, 0.5)]
    lips = [arc(0, 1.0, 0.4, 0.15, 180 - 30.0 * np.arange(12)), arc(0, 1.0, 0.3, 0.06, 180 - 45.0 * np.arange(8))]
    shape = np.vstack([jaw, *brows, bridge, base, *eyes, *lips])
    assert shape.shape == (68, 2)
    return centre + iod * shape


def texture(seed: int, waves: int = 80) -> Canvas:
    """A sum of plane waves of 7 to 40 px: defined everywhere, band-limited, without edges."""
    rng = np.random.default_rng(seed)
    wavelength, angle, phase = rng.uniform(7, 40, waves), rng.uniform(0, np.pi, waves), rng.uniform(0, 2 * np.pi, waves)
    kx, ky = 2 * np.pi * np.cos(angle) / wavelength, 2 * np.pi * np.sin(angle) / wavelength

    def canvas(x: Array, y: Array) -> Array:
        total = np.full(x.shape, 127.0)
        for a, b, c in zip(kx, ky, phase, strict=True):
            total += 5 * np.cos(a * x + b * y + c)
        return total

    return canvas


def grid(side: int = SIDE) -> tuple[Array, Array]:
    y, x = np.mgrid[:side, :side].astype(np.float64)
    return x, y


def eight_bit(image: Array) -> npt.NDArray[np.uint8]:
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def sway(t: int, shift_px: float, degrees: float) -> Array:
    """t similarities around the face's middle, the first the identity, of a slow drift this large."""
    phase = np.linspace(0, 1.5 * np.pi, t)
    turn = np.deg2rad(degrees) * np.sin(phase)
    linear = np.moveaxis(np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]), -1, 0)
    offset = np.stack([shift_px * np.sin(phase), shift_px * (1 - np.cos(phase)) / 2], axis=1)
    return np.concatenate([linear, (CENTRE + offset - linear @ CENTRE)[..., None]], axis=-1)


def bump(at: Array, towards: Array, sigma: float) -> Callable[[Array], Array]:
    """Skin motion: a Gaussian displacement field, points (n, 2) to displacements (n, 2)."""

    def field(where: Array) -> Array:
        return np.exp(-((where - at) ** 2).sum(axis=-1, keepdims=True) / (2 * sigma**2)) * towards

    return field


def render(canvas: Canvas, motions: Array, skin: Callable[[Array], Array], course: Array) -> npt.NDArray[np.uint8]:
    """Frames in which point p of the face is seen at motion(p + course·skin(p)), inverted by fixed-point iteration."""
    where = np.stack(grid(), axis=-1).reshape(-1, 2)
    frames = []
    for motion, amount in zip(motions, course, strict=True):
        still = alignment.transform_points(where, alignment.invert(motion))
        source = still
        for _ in range(8):
            source = still - amount * skin(source)
        frames.append(eight_bit(canvas(source[:, 0], source[:, 1])).reshape(SIDE, SIDE))
    return np.stack(frames)


def residual_px(estimated: Array, true: Array) -> Array:
    """RMS per frame, over a lattice on the face, of how far the estimate leads from the true place of a point."""
    lattice = np.stack(np.meshgrid(np.arange(50, 191, 10), np.arange(95, 211, 10)), axis=-1).reshape(-1, 2)
    back = alignment.compose(alignment.invert(estimated), true)
    off = alignment.transform_points(lattice, back) - lattice
    return np.sqrt((off**2).sum(axis=-1).mean(axis=-1))


def no_skin_motion(where: Array) -> Array:
    return np.zeros_like(where)


@pytest.mark.parametrize("seed", [0, 1])
def test_drift_of_a_textured_head_is_found_to_a_tenth_of_a_pixel(seed: int) -> None:
    true = sway(7, 2.0, 0.5)
    found = head_motion(render(texture(seed), true, no_skin_motion, np.zeros(7)), face())
    assert residual_px(found.transforms, true).max() < 0.1
    assert not found.flagged.any()


def test_sensor_noise_leaves_the_drift_within_a_tenth_of_a_pixel() -> None:
    true = sway(7, 2.0, 0.5)
    clean = render(texture(2), true, no_skin_motion, np.zeros(7))
    noisy = eight_bit(clean + np.random.default_rng(5).normal(0, 2, clean.shape))
    assert residual_px(head_motion(noisy, face()).transforms, true).max() < 0.1


@pytest.mark.parametrize("still", [True, False])
def test_skin_that_moves_the_nose_is_not_taken_for_the_head(still: bool) -> None:
    # AU 9 draws the nose up as one piece: a fit on nose and inner eye corners would report it as head motion.
    true = sway(7, 0.0 if still else 2.0, 0.0 if still else 0.5)
    nose = bump(face()[points.NOSE_TIP], np.array([0.0, -1.5]), 0.28 * IOD)
    course = np.sin(np.linspace(0, np.pi, 7)) ** 2
    found = head_motion(render(texture(3), true, nose, course), face())
    assert residual_px(found.transforms, true).max() < 0.1


def test_skin_that_hardly_moves_yet_does_not_leak_into_the_fit() -> None:
    # AU 6 and 12 move half of the face by up to 1.7 px. Weak motion, at the clip's ends, looks like noise in its own
    # frame: without trust pooled over the clip the residual is .06 px there, without reweighting up to .4 px.
    true, landmarks = sway(9, 2.0, 0.5), face()
    mouth = [
        bump(landmarks[i], np.array([x, -1.0]), 0.35 * IOD)
        for i, x in zip(points.MOUTH_CORNERS, (-1.4, 1.4), strict=True)
    ]
    cheeks = [bump(landmarks[i], np.array([0.0, -1.0]), 0.3 * IOD) for i in (2, 14)]
    course = np.sin(np.linspace(0, np.pi, 9)) ** 2
    frames = render(texture(4), true, lambda where: sum(part(where) for part in (*mouth, *cheeks)), course)
    assert residual_px(head_motion(frames, landmarks).transforms, true).max() < 0.04


def test_a_still_head_under_noise_moves_by_exactly_nothing() -> None:
    rng = np.random.default_rng(11)
    x, y = grid()
    frames = eight_bit(texture(4)(x, y) + rng.normal(0, 2, (6, SIDE, SIDE)))
    found = head_motion(frames, face())
    assert (found.transforms == np.eye(2, 3)).all()
    assert not found.flagged.any()


def test_equal_clips_give_equal_bits() -> None:
    true = sway(4, 2.0, 0.5)
    frames = render(texture(5), true, no_skin_motion, np.zeros(4))
    once, again = head_motion(frames, face()), head_motion(frames.copy(), face())
    assert once.transforms.tobytes() == again.transforms.tobytes()
    assert (once.inliers == again.inliers).all()


def test_a_lost_frame_is_flagged_and_keeps_the_motion_before_it() -> None:
    true = sway(6, 2.0, 0.5)
    frames = render(texture(6), true, no_skin_motion, np.zeros(6))
    unhurt = head_motion(frames, face())
    frames[3] = 127
    found = head_motion(frames, face())
    assert found.flagged.tolist() == [False, False, False, True, False, False]
    assert found.inliers[3] < 8
    assert (found.transforms[3] == found.transforms[2]).all()
    others = [0, 1, 2, 4, 5]
    np.testing.assert_allclose(found.transforms[others], unhurt.transforms[others], rtol=0, atol=1e-3)


def test_a_head_that_jumps_nearer_is_flagged() -> None:
    true = sway(3, 1.0, 0.2)
    true[2] = np.column_stack([1.08 * np.eye(2), CENTRE * (1 - 1.08)])
    found = head_motion(render(texture(7), true, no_skin_motion, np.zeros(3)), face())
    assert found.flagged.tolist() == [False, False, True]
    assert (found.transforms[2] == found.transforms[1]).all()


def test_a_face_without_texture_is_flagged_throughout() -> None:
    found = head_motion(np.full((3, SIDE, SIDE), 90, np.uint8), face())
    assert found.flagged.tolist() == [False, True, True]
    assert (found.transforms == np.eye(2, 3)).all()


def test_eyes_mouth_and_background_are_not_tracked() -> None:
    region = tracking_region((SIDE, SIDE), face())
    for x, y in [*points.eye_centres(face()), face()[list(points.MOUTH)].mean(axis=0), (5, 5)]:
        assert region[round(y), round(x)] == 0
    for x, y in (face()[points.NOSE_TIP], CENTRE + np.array([-0.6, 0.4]) * IOD):
        assert region[round(y), round(x)] == 255


def test_float_frames_and_wrong_landmarks_are_refused() -> None:
    frames = np.zeros((2, SIDE, SIDE), np.uint8)
    with pytest.raises(DataError, match="8-bit"):
        head_motion(frames.astype(np.float32), face())
    with pytest.raises(DataError, match="grey"):
        head_motion(np.zeros((2, SIDE, SIDE, 3), np.uint8), face())
    with pytest.raises(DataError, match="68"):
        head_motion(frames, face()[:5])


def test_a_known_similarity_is_recovered() -> None:
    rng = np.random.default_rng(0)
    a = np.deg2rad(17)
    known = np.column_stack([1.3 * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]), [12.5, -7.25]])
    source = rng.uniform(0, 200, (9, 2))
    np.testing.assert_allclose(
        alignment.similarity(source, alignment.transform_points(source, known)), known, rtol=0, atol=1e-9
    )


def test_a_similarity_is_the_least_squares_one() -> None:
    # The optimum of Σ|Ra + t − b|² over (c, d, tx, ty) solves linear normal equations: an independent route to it.
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    rows = np.zeros((12, 4))
    rows[0::2] = np.column_stack([a[:, 0], -a[:, 1], np.ones(6), np.zeros(6)])
    rows[1::2] = np.column_stack([a[:, 1], a[:, 0], np.zeros(6), np.ones(6)])
    c, d, tx, ty = np.linalg.lstsq(rows, b.ravel(), rcond=None)[0]
    np.testing.assert_allclose(alignment.similarity(a, b), [[c, -d, tx], [d, c, ty]], atol=1e-12)


def test_points_that_fix_no_similarity_are_refused() -> None:
    for source in (np.zeros((1, 2)), np.zeros((3, 2)), np.zeros((3, 3))):
        with pytest.raises(DataError):
            alignment.similarity(source, source)


def test_composition_and_inverse_agree_with_moving_points() -> None:
    stack = sway(5, 3.0, 10.0)
    outer = np.array([[0.5, -0.1, 3], [0.1, 0.5, -2]])
    where = face()
    step_by_step = alignment.transform_points(alignment.transform_points(where, stack), outer)
    np.testing.assert_allclose(alignment.transform_points(where, alignment.compose(outer, stack)), step_by_step)
    np.testing.assert_allclose(
        alignment.compose(alignment.invert(stack), stack), np.tile(np.eye(2, 3), (5, 1, 1)), atol=1e-12
    )


def test_the_canonical_face_has_its_eyes_in_place_at_any_size() -> None:
    for size in (28, 224):
        eyes = alignment.transform_points(points.eye_centres(face()), alignment.canonical(face(), size))
        # A fraction of the side counts from the outer edge of pixel 0, half a pixel before its centre.
        np.testing.assert_allclose((eyes + 0.5) / size, [[0.315, 0.38], [0.685, 0.38]])


def test_aligning_samples_the_canvas_where_the_canonical_grid_lies() -> None:
    # The canonical eyes are .37 of the side apart: 70 px at side 189 is a scale of 1, and nothing is blurred.
    canvas, motions = texture(8), sway(3, 2.0, 0.5)
    face_to = alignment.canonical(face(), 189)
    aligned = alignment.align(render(canvas, motions, no_skin_motion, np.zeros(3)), motions, face_to, 189)
    x, y = grid(189)
    at = alignment.transform_points(np.stack([x, y], axis=-1).reshape(-1, 2), alignment.invert(face_to))
    expected = canvas(at[:, 0], at[:, 1]).reshape(189, 189)
    inside = (slice(8, -8), slice(8, -8))
    for frame in aligned:
        # Rounding to 8 bits before and after gives .4 grey levels of RMS; interpolation may double that.
        assert np.sqrt(((frame - expected)[inside] ** 2).mean()) < 0.8


def test_alignment_removes_the_motion_that_was_measured() -> None:
    motions = sway(5, 2.0, 0.5)
    frames = render(texture(9), motions, no_skin_motion, np.zeros(5))
    face_to = alignment.canonical(face(), 160)
    aligned = alignment.align(frames, head_motion(frames, face()).transforms, face_to, 160).astype(float)
    left = alignment.align(frames, np.tile(np.eye(2, 3), (5, 1, 1)), face_to, 160).astype(float)
    inside = (slice(None), slice(12, -12), slice(12, -12))
    assert np.abs(aligned - aligned[0])[inside].mean() < 1.0
    assert np.abs(left - left[0])[inside].mean() > 10


def test_a_reduced_face_does_not_alias() -> None:
    # Stripes of 3 px at a fifth of the size cannot be shown; sampled without a blur they would keep their contrast.
    x, _ = grid()
    frames = eight_bit(128 + 100 * np.cos(2 * np.pi * x / 3))[None]
    size = round(IOD / 0.37 / 5)
    aligned = alignment.align(frames, np.eye(2, 3)[None], alignment.canonical(face(), size), size)
    assert aligned.std() < 5


def test_colour_frames_stay_in_colour_and_agree_with_grey() -> None:
    motions = sway(2, 1.0, 0.1)
    frames = render(texture(10), motions, no_skin_motion, np.zeros(2))
    face_to = alignment.canonical(face(), 96)
    coloured = alignment.align(np.repeat(frames[..., None], 3, axis=-1), motions, face_to, 96)
    assert coloured.shape == (2, 96, 96, 3)
    assert (coloured[..., 1] == alignment.align(frames, motions, face_to, 96)).all()


def test_frames_and_motion_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match="one transform per frame"):
        alignment.align(np.zeros((3, 40, 40), np.uint8), np.tile(np.eye(2, 3), (2, 1, 1)), np.eye(2, 3), 20)

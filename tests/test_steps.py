"""The core steps, each against values that follow from how its sample was drawn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mebench.errors import DataError
from mebench.recipes import Sample, parse_recipe
from mebench.vision.alignment import transform_points
from mebench.vision.flow import flow as measure_flow
from mebench.vision.points import eye_centres

SIZE = 96
FRAMES = 7
APEX = 4
DRIFT = np.array([1.5, -0.75])  # px per frame


@pytest.fixture(scope="module")
def sample() -> Sample:
    """A smooth texture that drifts `DRIFT` px per frame, and brightens by 2 grey levels per frame."""
    canvas = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, (3 * SIZE, 3 * SIZE)), (0, 0), 3)
    canvas = (canvas - canvas.min()) / np.ptp(canvas) * 150 + 40
    motion = np.tile(np.eye(2, 3), (FRAMES, 1, 1))
    motion[:, :, 2] = np.arange(FRAMES)[:, None] * DRIFT
    shift = np.tile(np.eye(2, 3), (FRAMES, 1, 1))
    shift[:, :, 2] = motion[:, :, 2] - SIZE
    frames = [cv2.warpAffine(canvas, m, (SIZE, SIZE), flags=cv2.INTER_CUBIC) + 2 * t for t, m in enumerate(shift)]
    return Sample(
        array=np.rint(frames).astype(np.uint8),
        kind="frames",
        landmarks=_landmarks(),
        motion=motion,
        box=np.array([20.0, 22, 80, 78]),
        fps=200.0,
        apex_index=APEX,
    )


def _landmarks() -> np.ndarray:
    """68 points around the middle, the eye centres at (38, 40) and (58, 40)."""
    points = np.random.default_rng(4).uniform(25, 70, (68, 2)).astype(np.float32)
    for eye, centre in ((slice(36, 42), (38, 40)), (slice(42, 48), (58, 40))):
        points[eye] += np.array(centre, np.float32) - points[eye].mean(axis=0)
    return points


def after(text: str, sample: Sample) -> Sample:
    return parse_recipe(text).apply(sample)


class TestAlign:
    def test_it_puts_the_eyes_in_their_place_and_takes_the_head_motion_out(self, sample: Sample) -> None:
        aligned = after("align(size=60)", sample)
        assert aligned.array.shape == (FRAMES, 60, 60)
        np.testing.assert_allclose(eye_centres(aligned.landmarks)[:, 1], 0.38 * 60 - 0.5, atol=1e-4)
        np.testing.assert_array_equal(aligned.motion, np.tile(np.eye(2, 3), (FRAMES, 1, 1)))
        first, last = (aligned.array[t].astype(float) for t in (0, -1))
        np.testing.assert_allclose(last - first, 2 * (FRAMES - 1), atol=3)  # only the light is left

    def test_a_margin_is_what_trim_takes_off(self, sample: Sample) -> None:
        plain, trimmed = after("align(size=60)", sample), after("align(size=60, margin=6) > trim(6)", sample)
        # cubic weights come from tables of 1/32 px, so that a shifted origin may round differently
        np.testing.assert_allclose(plain.array.astype(int), trimmed.array, atol=1)
        np.testing.assert_allclose(plain.landmarks, trimmed.landmarks, atol=1e-4)

    def test_crop_keeps_the_head_motion(self, sample: Sample) -> None:
        cropped = after("crop(size=30)", sample)
        assert cropped.array.shape == (FRAMES, 30, 30)
        # the box is 60 px wide: half the size, half the drift
        np.testing.assert_allclose(cropped.motion[:, :, 2], np.arange(FRAMES)[:, None] * DRIFT / 2, atol=1e-9)
        np.testing.assert_allclose(cropped.box[[0, 2]], [-0.5, 29.5], atol=1e-9)


class TestPicking:
    def test_onset_apex_and_pair(self, sample: Sample) -> None:
        np.testing.assert_array_equal(after("onset", sample).array, sample.array[0])
        np.testing.assert_array_equal(after("apex", sample).array, sample.array[APEX])
        pair = after("onset-apex", sample)
        np.testing.assert_array_equal(pair.array, sample.array[[0, APEX]])
        np.testing.assert_array_equal(pair.motion, sample.motion[[0, APEX]])
        np.testing.assert_array_equal(after("onset-apex > apex", sample).array, sample.array[APEX])
        np.testing.assert_array_equal(after("onset-apex > onset", sample).array, sample.array[0])

    def test_without_a_coded_apex_the_middle_is_taken_and_flagged(self, sample: Sample) -> None:
        uncoded = replace(sample, apex_index=None)
        for text in ("apex", "onset-apex > apex"):
            found = after(text, uncoded)
            np.testing.assert_array_equal(found.array, sample.array[3])
            assert found.flags == ("apex-middle",)
        assert after("flow", uncoded).flags == ("apex-middle",)

    def test_without_a_coded_apex_the_clip_can_be_left_out(self, sample: Sample) -> None:
        with pytest.raises(DataError, match="No apex is coded"):
            after("apex(missing=error)", replace(sample, apex_index=None))

    def test_the_middle_can_be_asked_for(self, sample: Sample) -> None:
        found = after("apex(source=middle)", sample)
        np.testing.assert_array_equal(found.array, sample.array[3])
        assert found.flags == ()

    def test_difference_is_half_of_what_changed_around_128(self, sample: Sample) -> None:
        array = np.stack([np.array([[10, 10, 200]], np.uint8), np.array([[13, 10, 0]], np.uint8)])
        pair = replace(sample, array=array, kind="pair")
        # 128 + 3/2 = 129.5 goes to the even 130; 128 - 200/2 = 28
        np.testing.assert_array_equal(after_pair("difference", pair).array, [[130, 128, 28]])


def after_pair(text: str, pair: Sample) -> Sample:
    """Of a step that takes pairs, on a pair made by hand."""
    return parse_recipe(f"onset-apex > {text}").steps[1].step.apply(pair)


class TestValues:
    def test_tim_keeps_the_ends_and_the_apex_nearest(self, sample: Sample) -> None:
        shorter = after("tim(4)", sample)
        assert shorter.array.shape == (4, SIZE, SIZE)
        assert shorter.array.dtype == np.uint8
        # instants 0, 2, 4, 6 of seven frames, which the model passes through
        np.testing.assert_array_equal(shorter.array, sample.array[::2])
        np.testing.assert_array_equal(shorter.motion, sample.motion[::2])
        assert shorter.apex_index == 2
        assert shorter.fps == 100

    def test_grey_and_rgb(self, sample: Sample) -> None:
        colour = after("rgb", sample)
        assert colour.array.shape == (FRAMES, SIZE, SIZE, 3)
        np.testing.assert_array_equal(after("grey", colour).array, sample.array)
        np.testing.assert_array_equal(after("grey", sample).array, sample.array)
        np.testing.assert_array_equal(after("rgb", colour).array, colour.array)

    @pytest.mark.parametrize("text", ["", "rgb > ", "onset > ", "onset-apex > ", "rgb > apex > "])
    def test_resize_takes_geometry_along(self, sample: Sample, text: str) -> None:
        before = after(text.removesuffix(" > "), sample) if text else sample
        half = after(f"{text}resize(48)", sample)
        lead = before.array.shape[: before.array.ndim - 2 - (before.array.shape[-1] == 3)]
        assert half.array.shape == (*lead, 48, 48, *([3] if "rgb" in text else []))
        # pixel centres: x in the large image is (x + .5) / 2 - .5 in the small one
        np.testing.assert_allclose(half.landmarks, (sample.landmarks + 0.5) / 2 - 0.5, atol=1e-4)

    def test_resize_of_the_image_and_of_the_flow_agree(self, sample: Sample) -> None:
        flow = after("onset-apex > flow > resize(48)", sample).array
        np.testing.assert_allclose(flow[10:-10, 10:-10].mean(axis=(0, 1)), DRIFT * APEX / 2, atol=0.05)

    def test_resize_leaves_strain_its_values(self, sample: Sample) -> None:
        large, small = (after(f"flow > strain{end}", sample) for end in ("", " > resize(48)"))
        assert small.channels == ("u", "v", "strain")
        np.testing.assert_allclose(small.array[..., 2].mean(), large.array[..., 2].mean(), rtol=1e-4)
        np.testing.assert_allclose(small.array[..., :2].mean(), large.array[..., :2].mean() / 2, rtol=1e-3)

    def test_flatten_keeps_every_value(self, sample: Sample) -> None:
        flat = after("onset > flatten", sample)
        assert flat.kind == "vector"
        np.testing.assert_array_equal(flat.array, sample.array[0].ravel())


class TestFlow:
    def test_a_pair_and_its_frames_give_the_same(self, sample: Sample) -> None:
        direct = after("flow", sample)
        np.testing.assert_array_equal(direct.array, after("onset-apex > flow", sample).array)
        np.testing.assert_array_equal(direct.array, measure_flow(sample.array[0], sample.array[APEX]))
        assert (direct.kind, direct.channels) == ("flow", ("u", "v"))

    @pytest.mark.parametrize(
        ("mode", "steps"), [("onset-each", np.arange(1, FRAMES)), ("consecutive", np.ones(FRAMES - 1))]
    )
    def test_flow_of_a_clip_follows_the_drift(self, sample: Sample, mode: str, steps: np.ndarray) -> None:
        fields = after(f"flow(mode={mode})", sample).array
        assert fields.shape == (FRAMES - 1, SIZE, SIZE, 2)
        inner = fields[:, 20:-20, 20:-20].mean(axis=(1, 2))
        np.testing.assert_allclose(inner, steps[:, None] * DRIFT, atol=0.15)

    def test_strain_alone_and_of_every_field(self, sample: Sample) -> None:
        both = after("flow(mode=consecutive) > strain", sample)
        alone = after("flow(mode=consecutive) > strain(keep_flow=false)", sample)
        assert both.array.shape == (FRAMES - 1, SIZE, SIZE, 3)
        np.testing.assert_array_equal(alone.array[..., 0], both.array[..., 2])
        assert alone.channels == ("strain",)

    def test_strain_needs_flow(self, sample: Sample) -> None:
        with pytest.raises(DataError, match="Strain of the channels u, v, strain"):
            after("flow > strain > strain", sample)


class TestMagnify:
    @pytest.mark.parametrize("method", ["phase", "linear, cutoff_px=0"])
    def test_a_small_motion_of_the_apex_grows_by_the_factor(self, sample: Sample, method: str) -> None:
        small = self.drifting(sample, 0.1)
        pair = after(f"onset-apex > magnify(factor=3, method={method})", small).array
        np.testing.assert_array_equal(pair[0], small.array[0])
        shift = measure_flow(*pair)[25:-25, 25:-25].mean(axis=(0, 1))
        # .1 px per frame, four frames, times three
        assert shift[0] == pytest.approx(1.2, abs=0.15)

    @pytest.mark.parametrize("method", ["phase", "linear"])
    def test_a_clip_grows_frame_by_frame_like_its_pair(self, sample: Sample, method: str) -> None:
        small = self.drifting(sample, 0.1)
        clip = after(f"magnify({method}, factor=3)", small).array
        pair = after(f"onset-apex > magnify({method}, factor=3)", small).array
        np.testing.assert_array_equal(clip[[0, APEX]], pair)

    @pytest.mark.parametrize("method", ["phase", "linear"])
    def test_a_band_that_holds_no_motion_leaves_the_clip(self, sample: Sample, method: str) -> None:
        still = replace(sample, array=np.repeat(sample.array[:1], FRAMES, axis=0))
        magnified = after(f"magnify({method}, factor=5, low_hz=5, high_hz=40)", still).array
        np.testing.assert_array_equal(magnified, still.array)

    def test_a_pair_has_no_band(self, sample: Sample) -> None:
        with pytest.raises(DataError, match="A pair has no frequencies"):
            after("onset-apex > magnify(factor=5, low_hz=1, high_hz=4)", sample)

    def drifting(self, sample: Sample, px_per_frame: float) -> Sample:
        matrices = [np.array([[1, 0, px_per_frame * t], [0, 1, 0]]) for t in range(FRAMES)]
        first = sample.array[0]
        border = cv2.BORDER_REFLECT
        moved = [cv2.warpAffine(first, m, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=border) for m in matrices]
        return replace(sample, array=np.stack(moved))


@pytest.mark.parametrize(
    "text", ["align(size=0)", "align(margin=-1)", "crop(grow=0)", "trim(48)", "trim(-1)", "resize(0)", "tim(1)"]
)
def test_parameters_that_leave_nothing_are_refused(sample: Sample, text: str) -> None:
    with pytest.raises(DataError):
        after(text, sample)


def test_geometry_stays_true_through_a_chain(sample: Sample) -> None:
    """Texture under a landmark of the first frame is found where the motion says in the last."""
    cropped = after("crop(size=90) > resize(60)", sample)
    point = cropped.landmarks[30:31].astype(np.float64)
    there = transform_points(point, cropped.motion[-1])
    original = transform_points(sample.landmarks[30:31], sample.motion[-1])
    scale = 60 / 60  # box of 60 px to 90 to 60
    np.testing.assert_allclose((there - point), (original - sample.landmarks[30:31]) * scale, atol=1e-4)

"""Detection and landmarks on the portrait that matplotlib ships, and the choice among faces that are made up."""

import pickle
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import ModuleSpec

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.cbook import get_sample_data

from mebench.errors import DataError, FrameError, MebenchError
from mebench.vision import faces, points
from mebench.vision.faces import Face, dlib_finder, find_boxes, find_face, landmark_model_path

Image = npt.NDArray[np.uint8]


@cache
def portrait() -> Image:
    """Grace Hopper, RGB, 600 × 512."""
    with get_sample_data("grace_hopper.jpg") as file:
        data = np.frombuffer(file.read(), np.uint8)
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def scaled(image: Image, scale: float) -> Image:
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class ListedFinder:
    """Returns prepared answers, one image after the other, and counts what it was asked."""

    def __init__(self, *answers: tuple[Face, ...]) -> None:
        self.answers = answers
        self.asked = 0

    def find(self, image: Image) -> tuple[Face, ...]:
        self.asked += 1
        return self.answers[self.asked - 1]


def some_face(x: float = 0.0) -> Face:
    return Face((x, 0.0, x + 10.0, 10.0), 1.0, np.zeros((68, 2), np.float32))


def test_the_portrait_has_one_face_with_landmarks_in_its_features() -> None:
    (found,) = dlib_finder().find(portrait())
    x0, y0, x1, y1 = found.box
    left, right = points.eye_centres(found.landmarks)
    assert found.landmarks.dtype == np.float32
    assert x0 < left[0] < right[0] < x1
    assert y0 < left[1] < y1
    assert found.landmarks[points.NOSE_TIP, 1] < found.landmarks[list(points.MOUTH), 1].min()
    assert found.landmarks[list(points.MOUTH), 1].max() < found.landmarks[points.CHIN, 1]
    assert points.inter_ocular(found.landmarks) == pytest.approx(85, abs=15)


def test_landmarks_follow_a_shifted_and_a_resized_image() -> None:
    (found,) = dlib_finder().find(portrait())
    padded = np.pad(portrait(), ((20, 0), (33, 0), (0, 0)), mode="edge")
    (moved,) = dlib_finder().find(padded)
    assert np.abs(moved.landmarks - [33, 20] - found.landmarks).mean() < 1.5
    (half,) = dlib_finder().find(scaled(portrait(), 0.5))
    assert np.abs((half.landmarks + 0.5) * 2 - 0.5 - found.landmarks).mean() < 2.5


def test_grey_and_equal_colour_channels_give_the_same_face() -> None:
    grey = np.asarray(cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    (a,), (b,) = dlib_finder().find(grey), dlib_finder().find(np.repeat(grey[..., None], 3, axis=-1))
    assert a.box == b.box
    assert (a.landmarks == b.landmarks).all()


def test_two_faces_are_both_reported_the_bigger_first() -> None:
    big, small = portrait(), scaled(portrait(), 0.5)
    canvas = np.zeros((600, 800, 3), np.uint8)
    canvas[:, :512], canvas[:300, 530:786] = big, small
    first, second = dlib_finder().find(canvas)
    assert find_boxes(canvas) == ((first.box, first.score), (second.box, second.score))
    assert first.box[2] < 512 < second.box[0]
    assert first.box[2] - first.box[0] > 1.5 * (second.box[2] - second.box[0])


def test_of_equal_faces_the_central_one_comes_first() -> None:
    canvas = np.zeros((340, 900), np.uint8)
    face = scaled(np.asarray(cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY), dtype=np.uint8), 0.5)
    canvas[20:320, 0:256] = canvas[20:320, 340:596] = face
    first, _ = dlib_finder().find(canvas)
    assert 340 < first.box[0] < 596


def test_noise_has_no_face() -> None:
    assert dlib_finder().find(np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8)) == ()


def test_float_images_are_refused() -> None:
    with pytest.raises(DataError, match="float32"):
        dlib_finder().find(np.zeros((100, 100), np.float32))


def test_the_finder_travels_to_workers_without_its_models() -> None:
    assert len(pickle.dumps(dlib_finder())) < 1000


def test_models_are_read_once() -> None:
    dlib_finder().find(portrait())
    before = faces._predictor()
    dlib_finder().find(portrait())
    assert faces._predictor() is before


def test_the_best_face_is_taken_and_the_others_are_told() -> None:
    best, other = some_face(), some_face(50)
    found = find_face(ListedFinder((best, other)), [np.zeros((9, 9), np.uint8)])
    assert found is not None
    assert (found.face, found.others, found.index) == (best, (other,), 0)


def images(count: int) -> Iterator[Image]:
    for _ in range(count):
        yield np.zeros((9, 9), np.uint8)


def test_without_a_face_the_policy_decides() -> None:
    with pytest.raises(FrameError, match="No face found in 1 image"):
        find_face(ListedFinder((), (some_face(),)), images(2), "error")
    assert find_face(ListedFinder((), (some_face(),)), images(2), "exclude") is None
    found = find_face(ListedFinder((), (), (some_face(),)), images(3), "nearest")
    assert found is not None
    assert found.index == 2
    with pytest.raises(FrameError, match="No face found in 3 images"):
        find_face(ListedFinder((), (), ()), images(3), "nearest")


def test_no_more_images_are_read_than_needed() -> None:
    pending = images(5)
    find_face(ListedFinder((), (some_face(),)), pending, "nearest")
    assert len(list(pending)) == 3


def test_the_landmark_model_is_found_without_importing_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert landmark_model_path().stat().st_size == 99_693_937
    assert "face_recognition_models" not in sys.modules

    def nowhere(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(faces, "find_spec", nowhere)
    with pytest.raises(MebenchError, match="not installed"):
        landmark_model_path()

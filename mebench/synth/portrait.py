"""The one real face that all synthetic people are drawn around.

It is the portrait of Rear Admiral Grace Hopper, a work of the US Navy in the public domain, which matplotlib ships. Her
spectacles are painted over: they would bend with the brows.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import DataError

if TYPE_CHECKING:
    from mebench.vision.faces import FaceFinder

FACE_WIDTH_PX = 280.0  # CASME II: the face fills about 280x340 px of a 640x480 frame
FACE_CENTRE_PX = (320.0, 262.0)  # of the 68 points, which reach from brows to chin: the forehead lies above them

MIRRORED = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)
"""For each of the 68 points, the point that takes its place in the mirror image."""

_VIEWS = 16  # dlib's points jitter by 1 to 2 px from view to view: 16 views leave a third of a pixel

# The spectacles in pixels of the portrait: strokes (width, points) and filled shapes, traced by eye.
_STROKES: tuple[tuple[int, tuple[tuple[float, float], ...]], ...] = (
    (7, ((180, 180), (190, 178.5), (205, 176.5), (218, 176), (232, 178), (248, 182.5))),
    (6, ((181, 189), (188, 199), (195, 212), (205, 225), (214, 231), (228, 231.5), (240, 227), (248, 217), (256, 193))),
    (8, ((279, 182), (286, 178), (295, 174), (310, 170.5), (325, 170.5), (346, 172))),
    (6, ((274, 193), (283, 213), (288, 221), (297, 226), (310, 227), (324, 223), (333, 214), (339, 204), (340, 190))),
)
_SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((176, 177), (180, 187), (190, 199), (194, 196), (197, 188), (206, 185), (212, 181), (205, 176)),
    ((244, 179), (281, 179), (283, 192), (277, 193), (270, 190.5), (258, 190.5), (253, 193), (244, 188)),
    ((318, 172), (326, 183), (336, 184), (336, 196), (342, 196), (346, 188), (358, 190), (359, 182), (350, 170), (330, 169)),
)


@dataclass(frozen=True)
class Portrait:
    """A neutral face: `image (h, w, 3)` float32 BGR 0..255 and `landmarks (68, 2)`, px in it."""

    image: NDArray[np.float32]
    landmarks: NDArray[np.float64]

    @property
    def placement(self) -> NDArray[np.float64]:
        """The similarity (2, 3) into a 640x480 frame that levels the eyes and gives the face its width and place."""
        across = self.landmarks[42:48].mean(0) - self.landmarks[36:42].mean(0)
        angle = -np.arctan2(across[1], across[0])
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned = self.landmarks @ rotation.T
        scale = FACE_WIDTH_PX / np.ptp(turned[:, 0])
        middle = (turned.max(0) + turned.min(0)) / 2 * scale
        return np.column_stack([scale * rotation, np.array(FACE_CENTRE_PX) - middle])

    def place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2) of the image in a 640x480 frame."""
        return points @ self.placement[:, :2].T + self.placement[:, 2]

    def unplace(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of `place`."""
        return (points - self.placement[:, 2]) @ np.linalg.inv(self.placement[:, :2]).T

    def mirror(self) -> "Portrait":
        """The same face seen in a mirror."""
        last = self.image.shape[1] - 1
        landmarks = np.column_stack([last - self.landmarks[:, 0], self.landmarks[:, 1]])[MIRRORED]
        return Portrait(np.ascontiguousarray(self.image[:, ::-1]), landmarks)

    def mean_shape(self) -> NDArray[np.float64]:
        """The landmarks (68, 2) in a 640x480 frame, made symmetric: a head that looks straight ahead."""
        return (self.place(self.landmarks) + self.mirror().place(self.mirror().landmarks)) / 2


def load_portrait(finder: "FaceFinder") -> Portrait:
    """The portrait with its landmarks: the mean of what the finder says of slightly moved and scaled views."""
    image = _without_spectacles(_portrait_image())
    rng = np.random.default_rng(0)
    views = []
    for _ in range(_VIEWS):
        scale = FACE_WIDTH_PX / 176 * rng.uniform(0.9, 1.1)  # the face is about 176 px wide in the portrait
        matrix = np.array([[scale, 0, rng.uniform(-9, 9)], [0, scale, rng.uniform(-9, 9)]])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        view = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        found = finder.find(view)
        if found:
            views.append((found[0].landmarks - matrix[:, 2]) / scale)
    if len(views) < _VIEWS // 2:
        raise DataError(
            "No face was found in matplotlib's sample portrait.",
            "Reinstall matplotlib and face_recognition_models: mebench doctor shows their versions.",
        )
    return Portrait(image.astype(np.float32), np.mean(views, axis=0, dtype=np.float64))


def _without_spectacles(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mask = np.zeros(image.shape[:2], np.uint8)
    for width, stroke in _STROKES:
        cv2.polylines(mask, [_eighths(stroke)], False, 255, width, shift=3)
    for shape in _SHAPES:
        cv2.fillPoly(mask, [_eighths(shape)], 255, shift=3)
    return cv2.inpaint(image, cv2.dilate(mask, np.ones((3, 3), np.uint8)), 6, cv2.INPAINT_TELEA)  # type: ignore[no-any-return]


def _eighths(points: tuple[tuple[float, float], ...]) -> NDArray[np.int32]:
    return (np.array(points) * 8).round().astype(np.int32)


def _portrait_image() -> NDArray[np.uint8]:
    """The portrait (600, 512, 3) BGR."""
    from matplotlib import cbook

    with cbook.get_sample_data("grace_hopper.jpg") as stream:
        image = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_COLOR)
    return image  # type: ignore[no-any-return]


__all__ = ["FACE_WIDTH_PX", "MIRRORED", "Portrait", "load_portrait"]

"""The one real face that all synthetic people are drawn around.

It is the portrait of Rear Admiral Grace Hopper, a work of the US Navy in the public domain, which matplotlib ships. Her
spectacles are painted over: they would bend with the brows.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FACE_WIDTH_PX = 280.0  # CASME II: the face fills about 280x340 px of a 640x480 frame
FACE_CENTRE_PX = (320.0, 262.0)  # of the 68 points, which reach from brows to chin: the forehead lies above them

MIRRORED = np.array(
    [
        *(*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)),
    ]
)
"""For each of the 68 points, the point that takes its place in the mirror image."""

# fmt: off
_LANDMARKS = np.array(
    [
        (176.5, 206.7), (177.8, 228.4), (182.6, 245.3), (190.3, 265.1), (195.8, 287.3), (206.4, 306.6),
        (223.6, 321.1), (246.3, 329.1), (273.8, 330.3), (293.9, 327.8), (311.8, 318.4), (328.3, 304.9),
        (339.3, 285.8), (349.3, 265.5), (351, 242.3), (353, 215.2), (355.9, 189.8), (184.3, 185.7), (191.8, 166.1),
        (210.2, 158.6), (231.9, 159.1), (250.2, 168.1), (272.5, 164.4), (291.7, 155.9), (311.6, 151.4), (332, 158.4),
        (343.5, 174.1), (266.5, 186.1), (267.5, 203), (269.2, 219.5), (270.5, 236.5), (246.9, 246.3), (258.2, 249.5),
        (269.7, 252.1), (279.1, 248.9), (287.1, 245.8), (208, 198.3), (215.9, 188.4), (226.3, 187.5), (238.3, 195.2),
        (227.9, 197.2), (217.5, 198.7), (290.8, 192.8), (300.3, 185.2), (311.9, 185.2), (321.9, 189.9),
        (313.2, 193.6), (301.5, 194.4), (231.7, 281.3), (243.9, 272.3), (257.3, 270.4), (266.5, 272.7),
        (277.1, 270.4), (289, 273.1), (300.2, 276.9), (289.8, 282.8), (280.4, 287.5), (269.5, 289.3), (260, 288.9),
        (245.4, 287.1), (236.1, 280.2), (258.2, 278.3), (267.1, 279), (278.4, 277.1), (295.3, 276.6), (279, 278.2),
        (268, 279.7), (258.9, 279),
    ]
)
# fmt: on
"""The 68 points in px of the portrait, as dlib understands them: people were drawn around dlib's reading of the
portrait, dlib's mean deviation on them was added, and so on until little was left. Constants, so that faces do not
change with a release of dlib.
"""

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
    (
        (318, 172),
        (326, 183),
        (336, 184),
        (336, 196),
        (342, 196),
        (346, 188),
        (358, 190),
        (359, 182),
        (350, 170),
        (330, 169),
    ),
)


_FILL_SIGMA_PX = 9.0
_DARKEST_SKIN = 75  # the lowest channel of lit skin; hair, rims and shadows lie below


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


def load_portrait() -> Portrait:
    """The portrait without spectacles, and its landmarks."""
    return Portrait(_without_spectacles(_portrait_image()), _LANDMARKS)


def _without_spectacles(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The image (h, w, 3) with the spectacles replaced by the mean colour of bright skin around them."""
    mask = np.zeros(image.shape[:2], np.float32)
    for width, stroke in _STROKES:
        cv2.polylines(mask, [_eighths(stroke)], False, 1.0, width + 3, shift=3)
    for shape in _SHAPES:
        cv2.fillPoly(mask, [_eighths(shape)], 1.0, shift=3)
        cv2.polylines(mask, [_eighths(shape)], True, 1.0, 3, shift=3)
    skin = ((mask == 0) & (image.min(axis=2) > _DARKEST_SKIN)).astype(np.float32)
    weight = cv2.GaussianBlur(skin, (0, 0), _FILL_SIGMA_PX)
    colour = cv2.GaussianBlur(image * skin[..., None], (0, 0), _FILL_SIGMA_PX) / (weight[..., None] + np.float32(1e-3))
    edge = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
    return (image * (1 - edge) + colour * edge).astype(np.float32)  # type: ignore[no-any-return]


def _eighths(points: tuple[tuple[float, float], ...]) -> NDArray[np.int32]:
    return (np.array(points) * 8).round().astype(np.int32)


def _portrait_image() -> NDArray[np.uint8]:
    """The portrait (600, 512, 3) BGR."""
    from matplotlib import cbook

    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)


__all__ = ["FACE_WIDTH_PX", "MIRRORED", "Portrait", "load_portrait"]

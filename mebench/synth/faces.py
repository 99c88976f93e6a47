"""The sharp neutral picture of a person that every frame is sampled from.

It is drawn at `SUPERSAMPLING` times the camera's resolution and holds nothing the camera could not resolve, so that
bilinear sampling of it moves skin exactly and blurs it little.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.synth.camera import REFERENCE_HEIGHT, REFERENCE_WIDTH, Camera, Canvas
from mebench.synth.features import draw_features
from mebench.synth.identities import Identity
from mebench.synth.portrait import FACE_WIDTH_PX, Portrait
from mebench.synth.sampling import sample
from mebench.synth.wear import beard

SUPERSAMPLING = 3

_ENLARGED = 4  # the portrait is enlarged by Lanczos before it is bent, again because of the exact bilinear sampling
GRID_PX = 2  # the spline is computed on this grid: landmarks come out within .03 px on average, .3 px at worst
_PORE_SIGMA_PX, _PORE_STRENGTH = 0.8, 0.045  # log units: about 5 grey levels on bright skin
_SHADING_SIGMA_PX, _SHADING_STRENGTH = 45.0, 0.06
_FRECKLE_STRENGTH = 0.22


def neutral_picture(
    identity: Identity,
    portrait: Portrait,
    camera: Camera,
    supersampling: int = SUPERSAMPLING,
    grid_px: int = GRID_PX,
) -> NDArray[np.float32]:
    """The person's neutral face (h, w, 3) BGR or (h, w), float32 grey levels, `supersampling` times the camera's size.

    `portrait` is already mirrored where the identity is. A wider `grid_px` draws the same person faster, less exactly.
    """
    height, width = camera.height * supersampling, camera.width * supersampling
    bending = cv2.resize(_bending(identity, portrait, camera, grid_px), (width, height), interpolation=cv2.INTER_LINEAR)
    enlarged = cv2.resize(portrait.image, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_LANCZOS4)
    source = (bending + np.float32(0.5)) * np.float32(_ENLARGED) - np.float32(0.5)
    picture = sample(np.asarray(enlarged, np.float32), np.asarray(source, np.float32))
    picture = _toned(np.clip(picture, 0, 255), identity) * np.exp(_skin(identity, camera, supersampling))[..., None]
    picture = np.clip(picture, 0, 255).astype(np.float32)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32) if camera.grey else picture


def _bending(identity: Identity, portrait: Portrait, camera: Camera, grid_px: int) -> NDArray[np.float32]:
    """Where in the portrait each point of the camera's frame comes from: a thin-plate spline, exact at every landmark.

    Anchors on the border keep the picture's surroundings in place.
    """
    from scipy.interpolate import RBFInterpolator

    anchors = _border_anchors()
    source = np.concatenate([portrait.landmarks, portrait.unplace(anchors)])
    target = np.concatenate([identity.landmarks, anchors])
    spline = RBFInterpolator(target, source, kernel="thin_plate_spline", smoothing=0.0)
    columns, rows = camera.width // grid_px, camera.height // grid_px
    x = (np.arange(columns) + 0.5) * camera.width / columns - 0.5
    y = (np.arange(rows) + 0.5) * camera.height / rows - 0.5
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return spline(camera.to_reference(grid)).reshape(rows, columns, 2).astype(np.float32)


def _border_anchors() -> NDArray[np.float64]:
    x, y = np.linspace(-60, REFERENCE_WIDTH + 60, 7), np.linspace(-40, REFERENCE_HEIGHT + 40, 6)
    ring = [(a, b) for a in x for b in y if a in (x[0], x[-1]) or b in (y[0], y[-1])]
    return np.array(ring)


def _toned(picture: NDArray[np.float32], identity: Identity) -> NDArray[np.float32]:
    toned = 255 * (picture / np.float32(255)) ** np.float32(identity.gamma) * np.array(identity.tone, np.float32)
    return toned.astype(np.float32)


def _skin(identity: Identity, camera: Camera, supersampling: int) -> NDArray[np.float32]:
    """Log brightness (h, w) over the frame: pores and freckles on the face, shading and a light from one side
    everywhere.
    """
    rng = np.random.default_rng(identity.texture)
    canvas = Canvas(camera, supersampling)
    pores = _PORE_STRENGTH * _noise(rng, canvas.size, _PORE_SIGMA_PX * canvas.unit)
    detail = (pores + _freckles(rng, identity, canvas)) * _face_mask(identity, canvas)
    skin = detail + draw_features(identity, canvas) + _shading(rng, identity, canvas)
    return skin + beard(rng, identity.landmarks, identity.beard, canvas) if identity.beard else skin


def _noise(rng: np.random.Generator, size: tuple[int, int], sigma: float) -> NDArray[np.float32]:
    """Smooth noise (h, w) of zero mean and unit deviation, drawn on a grid as coarse as its grain allows."""
    step = max(1.0, sigma / 1.5)
    coarse = rng.standard_normal((int(size[0] / step) + 2, int(size[1] / step) + 2), dtype=np.float32)
    smooth = cv2.GaussianBlur(coarse, (0, 0), sigma / step, borderType=cv2.BORDER_REFLECT_101)
    smooth = cv2.resize(smooth, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)


def _freckles(rng: np.random.Generator, identity: Identity, canvas: Canvas) -> NDArray[np.float32]:
    spots = np.zeros(canvas.size, np.float32)
    cheeks = identity.landmarks[30] + rng.normal(0, (60, 32), (identity.freckles, 2))
    radii = rng.uniform(0.7, 1.6, identity.freckles) * canvas.unit
    depths = -_FRECKLE_STRENGTH * rng.uniform(0.3, 1, identity.freckles)
    centres = canvas.place(cheeks)
    for (x, y), radius, depth in zip(centres.round().astype(int), radii, depths, strict=True):
        cv2.circle(spots, (int(x), int(y)), round(radius), float(depth), -1)
    return np.asarray(cv2.GaussianBlur(spots, (0, 0), 0.5 * canvas.unit), np.float32)


def _shading(rng: np.random.Generator, identity: Identity, canvas: Canvas) -> NDArray[np.float32]:
    size, unit = canvas.size, canvas.unit
    x = (np.arange(size[1], dtype=np.float32) - size[1] / 2) / np.float32(FACE_WIDTH_PX * unit)
    y = (np.arange(size[0], dtype=np.float32) - size[0] / 2) / np.float32(FACE_WIDTH_PX * unit)
    ramp = np.tanh(np.float32(identity.light[0]) * x)[None] + np.tanh(np.float32(identity.light[1]) * y)[:, None]
    return _SHADING_STRENGTH * _noise(rng, size, _SHADING_SIGMA_PX * unit) + ramp  # type: ignore[no-any-return]


def _face_mask(identity: Identity, canvas: Canvas) -> NDArray[np.float32]:
    """1 on the face from chin to mid-forehead, 0 off it, with a soft edge; pores on hat or wall would be odd."""
    brows = identity.landmarks[17:27]
    forehead = brows + (0.35 * (brows.mean(0) - identity.landmarks[30]))
    outline = canvas.place(np.concatenate([identity.landmarks, forehead]))
    hull = cv2.convexHull(outline.round().astype(np.int32))
    mask = cv2.fillConvexPoly(np.zeros(canvas.size, np.float32), hull, 1.0)
    soft = 6 * canvas.unit
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), soft / 4), canvas.size[::-1]), np.float32)


__all__ = ["SUPERSAMPLING", "neutral_picture"]

"""How the head moves through a clip, measured from the onset frame.

Skin texture is tracked by Lucas-Kanade from the onset into every frame, never from frame to frame, so that errors do
not add up. The points lie on the whole face and the forehead without eyes and mouth. The usual region, nose and inner
eye corners, is not used: AU 9 and AU 10 move it as a whole, and a fit on it takes their motion for the head's. Without
the forehead AU 12 on both sides, which moves most of the lower face, lost up to 15 % of its motion to the fit. What
each region costs per action unit stands in docs/vision.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from mebench.vision.arrays import Bytes, Doubles, require_frames, require_grey
from mebench.vision.points import (
    BROWS,
    CHIN,
    INNER_EYE_CORNERS,
    LEFT_EYE,
    MOUTH,
    NOSE_BASE,
    NOSE_BRIDGE,
    RIGHT_EYE,
    checked,
    inter_ocular,
)

Complex: TypeAlias = npt.NDArray[np.complex128]
Region: TypeAlias = Callable[[tuple[int, int], npt.ArrayLike], Bytes]
"""From the shape (h, w) of a frame and its landmarks to the mask (h, w), 0 or 255, of what is tracked there."""

POINTS: Final = 400
QUALITY: Final = 0.002
SPACING: Final = 0.035
"""At most this many corners, of at least this share of the best corner's strength, this far apart (inter-oculars)."""

FOREHEAD: Final = 0.35
"""How far, in inter-oculars, the region reaches above the brows: short of hair on most heads."""

EYE_MARGIN: Final = 0.08
MOUTH_MARGIN: Final = 0.1
JAW_MARGIN: Final = 0.045
"""How far, in inter-oculars, the region keeps from blinking lids, from the lips, and from the background at the jaw."""

WINDOW: Final = (21, 21)
PYRAMID_LEVELS: Final = 3
STOP: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-3)

RANSAC_PX: Final = 0.3
MIN_INLIERS: Final = 8
MAX_SCALE_CHANGE: Final = 0.05
"""A head does not come 5 % nearer within a micro-expression: such a fit is a failure."""

RESIDUAL_PX: Final = 0.12
"""Residual at which a point's weight in one frame falls to a quarter; tracking noise is .02 to .08 px."""

MOVING_PX: Final = (0.4, 0.03)
"""Residual over the clip at which trust in a point falls to a quarter: narrowed from the first to the second value by
`NARROWING`, so that the widest group of points that move as one is found before others are told from it. Noise of
single frames is smoothed away before, so the last value is close above what remains of it."""

NARROWING: Final = 0.8
REWEIGHTINGS: Final = 3

NOSE_MARGIN: Final = 0.08

DEAD_ZONE_PX: Final = 0.05
"""A motion that moves no tracked point further is none: on still heads the fit strays by .003 to .015 px (.05 under
noise of sigma 5 and JPEG 80), and an untouched frame needs no resampling."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadMotion:
    """Per frame: the transform from onset to frame coordinates (t, 2, 3) float64, the points that agree with it (t,),
    and whether the fit failed and the previous frame's transform stands in its place (t,). Frame 0 is the onset."""

    transforms: Doubles
    inliers: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Tracks:
    """Points as complex numbers x + iy: `start` (n,) on the onset, `at` (t, n) in each frame, `seen` (t, n)."""

    start: Complex
    at: Complex
    seen: npt.NDArray[np.bool_]

    def offsets(self, fits: Complex) -> Complex:
        """From where a point was seen to where its frame's fit takes it, (t, n) px."""
        return fits[:, :1] * self.start + fits[:, 1:] - self.at


def head_motion(frames: Bytes, landmarks: npt.ArrayLike, region: Region | None = None) -> HeadMotion:
    """The head's motion from frame 0, the onset, to each of the grey frames (t, h, w); landmarks are the onset's.

    A similarity per frame, in two stages: RANSAC (OpenCV's, whose random numbers start equal at each call), then
    Geman-McClure reweighting, in which a point counts as little as it moves against the head over the whole clip. A
    motion in the dead zone becomes the identity. Fewer than 8 agreeing points, or a scale more than 5 % off, flags the
    frame, which then keeps the transform before it. `region` is where points are looked for, by default
    `tracking_region`.
    """
    require_frames(frames, "The frames to track")
    require_grey(frames[0], "The onset frame")
    points = _points(frames[0], checked(landmarks), region or tracking_region)
    if len(points) < MIN_INLIERS:
        return _untracked(len(frames))
    tracks = _track(frames, points)
    fits = _refine(tracks, _ransac(tracks))
    inliers = _inliers(tracks, fits)
    flagged = ~_holds(fits, inliers)
    return HeadMotion(_transforms(_settled(tracks, fits, flagged)), inliers, flagged)


def tracking_region(shape: tuple[int, int], landmarks: npt.ArrayLike) -> Bytes:
    """The mask (h, w), 0 or 255, of the skin that is tracked: face and forehead without eyes, mouth and rim."""
    points, unit = checked(landmarks), inter_ocular(landmarks)
    up = points[list(NOSE_BRIDGE)].mean(axis=0) - points[CHIN]
    forehead = points[list(BROWS)] + FOREHEAD * unit * up / np.hypot(*up)
    region = _grown(_hull(shape, np.vstack([points, forehead])), -JAW_MARGIN * unit)
    for group, margin in ((LEFT_EYE, EYE_MARGIN), (RIGHT_EYE, EYE_MARGIN), (MOUTH, MOUTH_MARGIN)):
        region &= ~_grown(_hull(shape, points[list(group)]), margin * unit)
    return region


def nose_region(shape: tuple[int, int], landmarks: npt.ArrayLike) -> Bytes:
    """The mask (h, w) of nose and inner eye corners, which papers call stable; AU 4, 6, 7, 9 and 10 move it."""
    points = checked(landmarks)[[*NOSE_BRIDGE, NOSE_BASE[0], NOSE_BASE[-1], *INNER_EYE_CORNERS]]
    return _grown(_hull(shape, points), NOSE_MARGIN * inter_ocular(landmarks))


def _hull(shape: tuple[int, int], points: Doubles) -> Bytes:
    mask = np.zeros(shape, dtype=np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 255)
    return mask


def _grown(mask: Bytes, margin_px: float) -> Bytes:
    """The mask dilated, or eroded where the margin is negative."""
    side = 2 * round(abs(margin_px)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.dilate if margin_px > 0 else cv2.erode
    return np.asarray(change(mask, disc), dtype=np.uint8)


def _points(onset: Bytes, landmarks: Doubles, region: Region) -> npt.NDArray[np.float32]:
    """Corners (n, 2) worth tracking, n possibly 0."""
    height, width = onset.shape
    mask = region((height, width), landmarks)
    found: Any = cv2.goodFeaturesToTrack(onset, POINTS, QUALITY, SPACING * inter_ocular(landmarks), mask=mask)
    return np.zeros((0, 2), np.float32) if found is None else np.asarray(found, np.float32).reshape(-1, 2)


def _track(frames: Bytes, points: npt.NDArray[np.float32]) -> _Tracks:
    at = np.tile(points, (len(frames), 1, 1))
    seen = np.ones((len(frames), len(points)), dtype=np.bool_)
    for t in range(1, len(frames)):
        at[t], status, _ = cv2.calcOpticalFlowPyrLK(
            frames[0], frames[t], points, at[t], winSize=WINDOW, maxLevel=PYRAMID_LEVELS, criteria=STOP
        )
        seen[t] = status.ravel() == 1
    return _Tracks(_complex(points), _complex(at), seen)


def _complex(points: npt.NDArray[np.float32]) -> Complex:
    return points[..., 0].astype(np.float64) + 1j * points[..., 1].astype(np.float64)


def _ransac(tracks: _Tracks) -> Complex:
    """A first fit (t, 2) per frame, (a, b) of a·z + b; 0 where there is none, the identity for the onset."""
    fits = np.zeros((len(tracks.at), 2), dtype=np.complex128)
    fits[0] = 1, 0
    for t in np.flatnonzero(tracks.seen.sum(axis=1) >= MIN_INLIERS)[1:]:
        seen = tracks.seen[t]
        start, at = (np.column_stack([z.real, z.imag])[seen] for z in (tracks.start, tracks.at[t]))
        matrix, _ = cv2.estimateAffinePartial2D(start, at, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX)
        if matrix is not None:
            fits[t] = matrix[0, 0] + 1j * matrix[1, 0], matrix[0, 2] + 1j * matrix[1, 2]
    return fits


def _refine(tracks: _Tracks, fits: Complex) -> Complex:
    """The fits after reweighting, each point trusted by how it moves over the frames that hold, ever more strictly."""
    moving, last = MOVING_PX
    while True:
        for _ in range(REWEIGHTINGS):
            trust = _weight(_unrest(tracks, fits), moving)
            single = _weight(np.abs(tracks.offsets(fits)), max(RESIDUAL_PX, moving))
            fits = _weighted_fit(tracks, trust * single * tracks.seen)
        if moving <= last:
            return fits
        moving = max(moving * NARROWING, last)


def _unrest(tracks: _Tracks, fits: Complex) -> Doubles:
    """How far each point strays from the fits over the clip, (n,) RMS px, without the noise of single frames."""
    counted = (tracks.seen & _holds(fits, _inliers(tracks, fits))[:, None]).astype(np.float64)
    near = np.maximum(_smoothed(counted), np.finfo(np.float64).tiny)
    strayed = _smoothed(tracks.offsets(fits) * counted) / near
    squares: Doubles = (np.abs(strayed) ** 2 * counted).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
    return np.sqrt(squares)


def _smoothed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The mean of each frame (twice) and its neighbours; the ends have themselves for neighbours."""
    before, after = np.concatenate([values[:1], values[:-1]]), np.concatenate([values[1:], values[-1:]])
    mean: npt.NDArray[Any] = (before + 2 * values + after) / 4
    return mean


def _inliers(tracks: _Tracks, fits: Complex) -> npt.NDArray[np.int64]:
    agree = (np.abs(tracks.offsets(fits)) < RANSAC_PX) & tracks.seen
    return np.asarray(agree.sum(axis=1), dtype=np.int64)


def _holds(fits: Complex, inliers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which frames' fits are supported and keep the head's size."""
    size_kept = np.abs(np.abs(fits[:, 0]) - 1) <= MAX_SCALE_CHANGE
    return np.asarray((inliers >= MIN_INLIERS) & size_kept, dtype=np.bool_)


def _weight(residuals: Doubles, scale: float) -> Doubles:
    """Geman-McClure weights of residuals in px."""
    weights: Doubles = 1 / (1 + (residuals / scale) ** 2) ** 2
    return weights


def _weighted_fit(tracks: _Tracks, weights: Doubles) -> Complex:
    """The similarity of every frame (t, 2) by weighted least squares, `alignment.similarity` in complex form."""
    share = weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    start_mean, at_mean = share @ tracks.start, (share * tracks.at).sum(axis=1)
    start, at = tracks.start - start_mean[:, None], tracks.at - at_mean[:, None]
    spread = np.maximum((share * np.abs(start) ** 2).sum(axis=1), np.finfo(np.float64).tiny)
    turn = (share * start.conj() * at).sum(axis=1) / spread
    return np.column_stack([turn, at_mean - turn * start_mean])


def _settled(tracks: _Tracks, fits: Complex, flagged: npt.NDArray[np.bool_]) -> Complex:
    """The fits with still frames at the identity and flagged frames at the fit before them."""
    moved = np.abs(fits[:, :1] * tracks.start + fits[:, 1:] - tracks.start).max(axis=1)
    settled = np.where((moved < DEAD_ZONE_PX)[:, None], np.array([1, 0], dtype=np.complex128), fits)
    settled[0] = 1, 0
    for t in np.flatnonzero(flagged):
        settled[t] = settled[t - 1]
    return settled


def _transforms(fits: Complex) -> Doubles:
    a, b = fits.T
    rows = [[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]]
    return np.moveaxis(np.array(rows, dtype=np.float64), -1, 0)


def _untracked(count: int) -> HeadMotion:
    """No skin texture to hold on to: the identity everywhere, and every frame but the onset flagged."""
    flagged = np.arange(count) > 0
    return HeadMotion(np.tile(np.eye(2, 3), (count, 1, 1)), np.zeros(count, dtype=np.int64), flagged)

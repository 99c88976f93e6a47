"""Inputs as pictures: what a sample holds, moment by moment, as RGB panels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib import colormaps

from mebench.recipes import Sample
from mebench.vision.arrays import Bytes

PIXEL_CHANNELS: Final = frozenset({"onset", "apex", "difference"})
"""Channels of a field that show a face."""

SMALLEST_PX: Final = 192
"""Panels below this side are enlarged by whole factors, so that a pixel stays a square."""

_FEW: Final = 99.5
"""Per cent of values below the top of a scale: one wild vector must not make all others pale."""
_BAR, _GAP, _WHEEL = 18, 6, 45
_WARNING: Final = (176, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture (h, w, 3) uint8 RGB with a word above it."""

    label: str
    image: Bytes


Moment = tuple[Panel, ...]


def shows_face(sample: Sample) -> bool:
    """Whether the sample's pictures would show a face: images do, and fields that carry a view of one."""
    return sample.kind in ("frames", "pair", "image") or bool(PIXEL_CHANNELS & set(sample.channels))


def moments_of(sample: Sample) -> tuple[Moment, ...]:
    """The pictures of a sample in order of time, those of one moment together."""
    if sample.kind == "vector":
        return ((Panel(f"{sample.array.size} values", _curve(sample.array)),),)
    if sample.kind in ("frames", "pair", "image"):
        images = sample.array[None] if sample.kind == "image" else sample.array
        return tuple((Panel(word, _large(_coloured(one))),) for word, one in zip(_words(sample), images, strict=True))
    array = np.moveaxis(sample.array, 0, -1) if sample.kind == "planes" else sample.array
    fields = array[None] if array.ndim == 3 else array
    scales = {name: _top(fields[..., i]) for i, name in enumerate(sample.channels)}
    if {"u", "v"} <= set(sample.channels):
        pair = [sample.channels.index(name) for name in "uv"]
        scales["u"] = scales["v"] = _top(np.hypot(*np.moveaxis(fields[..., pair], -1, 0)))
    steps = [f"{t}: " if array.ndim == 4 else "" for t in range(1, len(fields) + 1)]
    return tuple(_field_panels(*each, sample.channels, scales) for each in zip(steps, fields, strict=True))


def flow_colours(flow: npt.NDArray[Any], most_px: float) -> Bytes:
    """A flow (h, w, 2) px as colours (h, w, 3): hue is the direction, white is rest, the full colour is `most_px`."""
    angle = np.arctan2(flow[..., 1], flow[..., 0])
    share = np.clip(np.hypot(flow[..., 0], flow[..., 1]) / max(most_px, 1e-6), 0, 1)
    hsv = np.stack([np.rad2deg(angle) % 360 / 2, 255 * share, np.full(share.shape, 255.0)], axis=-1)
    return np.asarray(cv2.cvtColor(np.rint(hsv).astype(np.uint8), cv2.COLOR_HSV2RGB), dtype=np.uint8)


def sheet(moments: Sequence[Moment], title: str, warning: str = "") -> Bytes:
    """All moments in a row, the panels of each below one another, under a title and, in red, a warning."""
    columns = [_stacked([_captioned(panel) for panel in moment]) for moment in moments]
    return headed(_beside(columns), title, warning)


def headed(image: Bytes, title: str, warning: str = "") -> Bytes:
    """The image (h, w, 3) under a title and, in red, a warning; wide enough for both."""
    bars = [_bar(text, image.shape[1], colour) for text, colour in ((warning, _WARNING), (title, (0, 0, 0))) if text]
    return _stacked([*bars, image], gap=0)


def side_by_side(panels: Sequence[Panel]) -> Bytes:
    """The panels in a row, each under its word."""
    return _beside([_captioned(panel) for panel in panels])


def _words(sample: Sample) -> list[str]:
    if sample.kind == "image":
        return ["image"]
    if sample.kind == "pair":
        return ["onset", "apex"]
    names = [f"frame {t}" for t in range(len(sample.array))]
    names[sample.onset_index] += ", onset"
    if sample.apex_index is not None:
        names[sample.apex_index] += ", apex"
    return names


def _field_panels(step: str, field: npt.NDArray[Any], channels: Sequence[str], scales: dict[str, float]) -> Moment:
    panels = []
    if {"u", "v"} <= set(channels):
        flow = np.stack([field[..., channels.index(name)] for name in "uv"], axis=-1)
        panels.append(Panel(f"{step}flow, to {scales['u']:.2f} px", _wheeled(_large(flow_colours(flow, scales["u"])))))
    for i, name in enumerate(channels):
        if name not in ("u", "v") or not panels:
            scale = "" if name in PIXEL_CHANNELS else f", to {scales[name]:.3g}"
            panels.append(Panel(f"{step}{name}{scale}", _large(_mapped(field[..., i], scales[name], name))))
    return tuple(panels)


def _mapped(values: npt.NDArray[Any], top: float, name: str) -> Bytes:
    """A channel as colours: red and blue where it has a sign, grey where it is a view of a face."""
    if name in ("onset", "apex"):
        return _coloured(np.rint(np.clip(values, 0, 255)).astype(np.uint8))
    signed = bool((values < 0).any())
    scaled = (values / top + 1) / 2 if signed else values / top
    colours = colormaps["RdBu_r" if signed else "magma"](np.clip(scaled, 0, 1))
    levels: Bytes = np.rint(255 * colours[..., :3]).astype(np.uint8)
    return levels


def _top(values: npt.NDArray[Any]) -> float:
    return max(float(np.percentile(np.abs(values), _FEW)), 1e-6)


def _coloured(image: Bytes) -> Bytes:
    return np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image


def _large(image: Bytes) -> Bytes:
    factor = max(1, -(-SMALLEST_PX // min(image.shape[:2])))
    return np.asarray(image.repeat(factor, axis=0).repeat(factor, axis=1))


def _wheeled(image: Bytes) -> Bytes:
    """The image with the colour wheel in its lower right corner."""
    reach = np.linspace(-1, 1, _WHEEL)
    x, y = np.meshgrid(reach, reach)
    wheel, inside = flow_colours(np.stack([x, y], axis=-1), 1.0), np.hypot(x, y) <= 1
    image = image.copy()
    image[-_WHEEL:, -_WHEEL:][inside] = wheel[inside]
    return image


def _curve(values: npt.NDArray[Any]) -> Bytes:
    """Values (d,) as a line from left to right, the lowest at the bottom."""
    height, width = SMALLEST_PX, 3 * SMALLEST_PX
    at = np.linspace(0, values.size - 1, min(values.size, width)).astype(int)
    shown = values[at].astype(np.float64)
    low, span = shown.min(), np.ptp(shown) or 1.0
    y = (height - 5) - (shown - low) / span * (height - 10)
    points = np.column_stack([np.linspace(4, width - 5, len(shown)), y])
    canvas = np.full((height, width, 3), 255, np.uint8)
    cv2.polylines(canvas, [np.rint(points).astype(np.int32)], False, (40, 70, 160), 1, cv2.LINE_AA)
    return canvas


def _captioned(panel: Panel) -> Bytes:
    return _stacked([_bar(panel.label, panel.image.shape[1]), panel.image], gap=0)


def _bar(text: str, width: int, colour: tuple[int, int, int] = (0, 0, 0)) -> Bytes:
    """A white line of text, wide enough to hold it."""
    (wanted, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    bar = np.full((_BAR, max(width, wanted + 8), 3), 255, np.uint8)
    cv2.putText(bar, text, (3, _BAR - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
    return bar


def _stacked(images: Sequence[Bytes], gap: int = _GAP) -> Bytes:
    width = max(image.shape[1] for image in images)
    rows: list[Bytes] = []
    for image in images:
        rows += [np.full((gap, width, 3), 255, np.uint8)] if rows and gap else []
        rows.append(np.pad(image, ((0, 0), (0, width - image.shape[1]), (0, 0)), constant_values=255))
    return np.concatenate(rows)


def _beside(images: Sequence[Bytes]) -> Bytes:
    turned = [np.ascontiguousarray(image.transpose(1, 0, 2)) for image in images]
    return np.ascontiguousarray(_stacked(turned).transpose(1, 0, 2))


__all__ = ["Moment", "Panel", "flow_colours", "headed", "moments_of", "sheet", "shows_face", "side_by_side"]

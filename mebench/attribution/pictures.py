"""Pictures of attributions, as PNG: under the outlines of a face nobody has, or on a face that may be shown."""

import io
from collections.abc import Mapping
from functools import partial
from textwrap import fill
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke

from mebench.attribution.curves import CAVEAT, KINDS, ORDERS, STEPS
from mebench.attribution.maps import density
from mebench.drawing import OUTLINES, TEMPLATE

Doubles = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

_PANEL: Final = 1.55
"""Inches of a panel's side."""
_PER_ROW: Final = 4
"""Panels in a row of a clip's picture."""
_TITLE, _TEXT = 9.0, 7.5
"""Points of letters."""
_LABEL: Final = 12
"""Letters in a line beside a row."""
_COLOURS: Final = "RdBu_r"
_DOUBLINGS: Final = 3
"""From an eighth of an even spread to eight times it: one sparse map must not make all others pale."""
_COVER: Final = 0.75
"""How much of a face the strongest colour hides."""


def draw_means(panels: Mapping[str, Mapping[str, Doubles | None]], title: str, warning: str) -> bytes:
    """A PNG of mean densities (64, 64), one row per group of clips and one column per map; None where there is none.

    The colours are the same in every picture: white is an even spread, blue is less, red more.
    """
    columns = list(next(iter(panels.values())))
    figure = _figure(2.0 + _PANEL * len(columns) + 0.9, 0.9 + _PANEL * len(panels), title, warning)
    grid = figure.subplots(len(panels), len(columns), squeeze=False)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(_plain(column), fontsize=_TEXT)
    for axes_row, (label, row) in zip(grid, panels.items(), strict=True):
        lines = "\n".join(fill(line, _LABEL) for line in _plain(label).splitlines())
        axes_row[0].set_ylabel(lines, fontsize=_TEXT, rotation=0, ha="right", va="center", labelpad=8)
        for axes, values in zip(axes_row, row.values(), strict=True):
            _outlined(axes, values)
    _bar(figure, grid)
    return _png(figure)


def draw_curves(curves: Mapping[str, Doubles], title: str, warning: str) -> bytes:
    """A PNG of mean curves (2, 2, STEPS + 1) by name of map: deletion above, insertion below, baselines too."""
    figure = _figure(0.8 + 1.9 * max(len(curves), 2), 4.6, title, warning)
    grid = figure.subplots(len(KINDS), len(curves), squeeze=False, sharex=True, sharey=True)
    share = np.arange(STEPS + 1) / STEPS
    styles = {"map": {"color": "#b2182b", "lw": 1.8}, "shifted": {"color": "#666666", "lw": 1.2, "ls": "--"}}
    for k, kind in enumerate(KINDS):
        for axes, (name, values) in zip(grid[k], curves.items(), strict=True):
            for order, curve in zip(ORDERS, values[k], strict=True):
                axes.plot(share, curve, label=order, **styles[order])
            axes.tick_params(labelsize=_TEXT)
            axes.grid(visible=True, alpha=0.25)
            if k == 0:
                axes.set_title(_plain(name), fontsize=_TEXT)
            else:
                axes.set_xlabel("share of places", fontsize=_TEXT)
        grid[k][0].set_ylabel(f"{kind}: probability", fontsize=_TEXT)
    grid[0][0].legend(fontsize=_TEXT, frameon=False)
    figure.supxlabel(CAVEAT, fontsize=_TEXT - 1, color="#444444", wrap=True)
    return _png(figure)


def draw_clip(
    maps: Mapping[str, Doubles],
    face: Image | None,
    motion: Doubles | None,
    at: tuple[float, float] | None,
    title: str,
    warning: str,
) -> bytes:
    """A PNG of one clip's maps (64, 64) by kind, and of how far its skin truly moved, if known, in the same colours.

    They lie on the face (s, s[, 3]) where one is given, else under outlines of a face nobody has. The place (x, y)
    that maps of the kind `row` are about, in fractions of the face, is marked on them.
    """
    kinds = list(dict.fromkeys(name.partition(":")[0] for name in maps))
    panels = sorted(maps.items(), key=lambda pair: kinds.index(pair[0].partition(":")[0]))
    panels += [("true motion of the skin", motion)] if motion is not None else []
    columns = min(_PER_ROW, len(panels))
    rows = -(-len(panels) // columns)
    figure = _figure(1.2 + 2.1 * columns, 0.9 + 2.3 * rows, title, warning)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_axis_off()
    for axes, (name, values) in zip(grid.ravel(), panels, strict=False):
        axes.set_title(_plain(name), fontsize=_TEXT)
        draw = _outlined if face is None else partial(_overlaid, face=face)
        draw(axes, density(values))
        if at is not None and name.startswith("row:"):
            axes.plot(*at, marker="+", color="black", markersize=9, markeredgewidth=1.5)
    _bar(figure, grid)
    return _png(figure)


def _outlined(axes: Axes, values: Doubles | None) -> None:
    """A map of densities under outlines; a word where there is none."""
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=(), yticks=(), aspect="equal")
    if values is None:
        axes.text(0.5, 0.5, "none", ha="center", va="center", fontsize=_TEXT, color="#666666")
        return
    axes.imshow(values, cmap=_COLOURS, norm=_even(), extent=(0, 1, 1, 0))
    halo = [withStroke(linewidth=1.8, foreground="white", alpha=0.7)]  # seen on the darkest colour too
    for outline in OUTLINES:
        axes.plot(*TEMPLATE[list(outline)].T, color="black", linewidth=0.7, path_effects=halo)


def _overlaid(axes: Axes, values: Doubles, face: Image) -> None:
    """A map of densities over a face, which shows through where the map is near an even spread."""
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=(), yticks=(), aspect="equal")
    axes.imshow(face, cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0))
    away = np.abs(np.log2(np.clip(values, 2.0**-_DOUBLINGS, 2.0**_DOUBLINGS))) / _DOUBLINGS
    axes.imshow(values, cmap=_COLOURS, norm=_even(), alpha=_COVER * away**0.5, extent=(0, 1, 1, 0))


def _even() -> LogNorm:
    """White at an even spread, and as far to an eighth of it as to eight times it."""
    return LogNorm(2.0**-_DOUBLINGS, 2.0**_DOUBLINGS, clip=True)


def _bar(figure: Figure, grid: npt.NDArray[np.object_]) -> None:
    bar = figure.colorbar(ScalarMappable(_even(), _COLOURS), ax=grid, shrink=0.5, aspect=30, extend="both")
    bar.set_label("times an even spread", fontsize=_TEXT)
    ticks = [2.0**power for power in range(-_DOUBLINGS, _DOUBLINGS + 1)]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks], fontsize=_TEXT)
    bar.ax.minorticks_off()


def _figure(width: float, height: float, title: str, warning: str) -> Figure:
    # Without a margin of its own, what stands beside the first column is cut.
    figure = Figure(figsize=(width, height), dpi=150, layout=ConstrainedLayoutEngine(w_pad=0.1))
    lines = f"{title}\n{warning}" if warning else title
    figure.suptitle(_plain(lines), fontsize=_TITLE, color="#b2182b" if warning else "black")
    return figure


def _plain(text: str) -> str:
    """The text with no dollar that would open a formula."""
    return text.replace("$", r"\$")


def _png(figure: Figure) -> bytes:
    png = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(png, format="png")
    return png.getvalue()

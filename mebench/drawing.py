"""Pictures of what was measured on the canonical face, as PNG: a map under the outlines of 68 points, never a face.

Figures are made and written as objects: pyplot's global state is not touched, no window system is asked for.
"""

import io
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from mebench.errors import ModelError
from mebench.vision import points

Doubles = npt.NDArray[np.float64]

WARNING_COLOUR: Final = "#B00000"

MAP_SIDE: Final = 64
"""Rows and columns of a map over the canonical face."""

# fmt: off
TEMPLATE: Final = np.array(
    [
        (.075, .385), (.082, .485), (.098, .583), (.122, .680), (.165, .768), (.230, .845), (.310, .908), (.400, .955),
        (.500, .970), (.600, .955), (.690, .908), (.770, .845), (.835, .768), (.878, .680), (.902, .583), (.918, .485),
        (.925, .385), (.165, .300), (.205, .262), (.262, .248), (.322, .255), (.380, .278), (.620, .278), (.678, .255),
        (.738, .248), (.795, .262), (.835, .300), (.500, .370), (.500, .437), (.500, .503), (.500, .570), (.410, .620),
        (.453, .634), (.500, .645), (.547, .634), (.590, .620), (.232, .384), (.285, .357), (.345, .357), (.398, .388),
        (.345, .397), (.285, .397), (.602, .388), (.655, .357), (.715, .357), (.768, .384), (.715, .397), (.655, .397),
        (.355, .765), (.410, .742), (.462, .730), (.500, .738), (.538, .730), (.590, .742), (.645, .765), (.600, .800),
        (.545, .820), (.500, .825), (.455, .820), (.400, .800), (.380, .767), (.455, .762), (.500, .766), (.545, .762),
        (.620, .767), (.545, .771), (.500, .773), (.455, .771),
    ]
)
# fmt: on
"""A face nobody has: the 68 points of the canonical face in fractions of its side between the outer pixel edges.

Drawn by us, symmetric, with the eye centres where `vision.alignment.EYES_AT` puts them; for orientation, not for
measuring.
"""

OUTLINES: Final = (
    points.JAW,
    points.LEFT_BROW,
    points.RIGHT_BROW,
    points.NOSE_BRIDGE,
    points.NOSE_BASE,
    *((*ring, ring[0]) for ring in (points.LEFT_EYE, points.RIGHT_EYE, points.OUTER_LIP, points.INNER_LIP)),
)


def draw_shares(values: Doubles, title: str, warning: str = "") -> bytes:
    """A PNG of a map (64, 64) of weights, none negative: white where nothing is leaned on.

    A warning, such as that faces were rendered, stands above all else in red.
    """
    label, most = "share of the weight per cell of the 64 x 64", float(values.max()) or 1.0
    return _png(values, title, label, "Reds", (0.0, most), warning)


def draw_signed(values: Doubles, title: str, label: str, warning: str = "") -> bytes:
    """A PNG of a map (64, 64) of contributions: red speaks for, blue against, white is neither; warning as above."""
    most = float(np.abs(values).max()) or 1.0
    return _png(values, title, label, "RdBu_r", (-most, most), warning)


def checked_map(values: npt.ArrayLike, model: str) -> Doubles:
    """What `face_map` of a model gave, as (64, 64) float64; ModelError for another shape or what is not finite."""
    found = np.asarray(values, np.float64)
    if found.shape != (MAP_SIDE, MAP_SIDE) or not np.isfinite(found).all():
        raise ModelError(
            f"face_map of {model} gave shape {found.shape}, or values that are not finite.",
            f"Return ({MAP_SIDE}, {MAP_SIDE}) finite numbers over the canonical face.",
        )
    return found


def _png(values: Doubles, title: str, label: str, colours: str, limits: tuple[float, float], warning: str) -> bytes:
    figure = Figure(figsize=(5.6, 5.0), dpi=150, layout="constrained")
    if warning:
        figure.suptitle(warning, fontsize=8.5, color=WARNING_COLOUR, weight="bold")
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], extent=(0, 1, 1, 0))
    halo = [withStroke(linewidth=2.5, foreground="white", alpha=0.7)]  # seen on the darkest colour too
    for outline in OUTLINES:
        axes.plot(*TEMPLATE[list(outline)].T, color="black", linewidth=1, path_effects=halo)
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=(), yticks=())
    axes.set_title(title.replace("$", r"\$"), fontsize=9)  # a dollar would open a formula
    figure.colorbar(image, ax=axes, label=label.replace("$", r"\$"))
    png = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(png, format="png")
    return png.getvalue()


__all__ = ["MAP_SIDE", "TEMPLATE", "checked_map", "draw_shares", "draw_signed"]

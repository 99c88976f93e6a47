"""Vector figures of scores: forest plot, confusion matrices, F1 by class. Numbers alone, never a face.

Figures are made and written as objects; of matplotlib's settings only those of the PDF are set, while one is written.
The same scores give the same bytes.
"""

import io
import math
import textwrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.manuscript.escaping import figure_text
from mebench.manuscript.finished import Finished, Group
from mebench.scoring import ALL

_WIDTH = 6.3
"""Inches: the text of an A4 page with the margins of `main.tex`."""
_HALF = 3.05
"""Inches: two of these stand side by side."""
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito 2008, Color universal design: told apart by colour-blind readers and in print."""
_MARKERS = "osD^vPX*"
_SETTINGS: dict[Any, Any] = {"pdf.fonttype": 42, "font.size": 8.0, "axes.spines.top": False, "axes.spines.right": False}
"""Type 42 embeds outlines that publishers' checks accept, and text that can be searched."""
_ROW_INCHES = 0.3
_LETTERS_PER_INCH = 14  # of the bold 7 pt of the warning, measured
_NAME_LENGTH = 34


def forest_plot(group: Group) -> bytes:
    """A PDF of UF1 with its 95 % interval per method, a panel per slice; small dots are single seeds."""
    members, slices = group.members, group.slices
    height = 1.1 + _ROW_INCHES * len(members)
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(slices), sharey=True, sharex=True))
        for axes, name in zip(panels, slices, strict=True):
            _forest(axes, group, name)
        panels[0].set_yticks(range(len(members)), [_name(group.name(m)) for m in members])
        panels[0].set_ylim(len(members) - 0.5, -0.5)
        return _pdf(figure, group)


def confusion_plot(group: Group, one: Finished) -> bytes:
    """A PDF of the confusion over all clips: counts (means over seeds) on shades of each true class's share."""
    scores = one.scores[ALL]
    counts = scores.confusion if scores.coverage < 1 else scores.confusion[:, :-1]
    clips = scores.confusion.sum(axis=1, keepdims=True)
    shares = np.divide(counts, clips, out=np.zeros(counts.shape), where=clips > 0)
    predicted = [*group.classes, "no prediction"][: counts.shape[1]]
    side = min(_WIDTH, max(_HALF, 1.0 + 0.42 * len(group.classes)))
    with mpl.rc_context({**_SETTINGS, "axes.spines.left": False, "axes.spines.bottom": False}):
        figure = Figure(figsize=(side, 0.9 * side), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        for (row, column), share in np.ndenumerate(shares):
            text = _count(float(counts[row, column]))
            axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.55 else "black")
        axes.set_xticks(
            range(len(predicted)), [_name(p) for p in predicted], rotation=40, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks(range(len(group.classes)), [_name(c) for c in group.classes])
        axes.tick_params(length=0)
        axes.set(xlabel="predicted", ylabel="true")
        figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
        return _pdf(figure, group)


def class_plot(group: Group) -> bytes:
    """A PDF of F1 of every class, a marker per method; a class without F1 has none."""
    classes, members = group.classes, group.members
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, 1.2 + 0.34 * len(classes) + 0.16 * len(members)), layout="constrained")
        axes = figure.add_subplot()
        for at, one in enumerate(members):
            shift = (at - (len(members) - 1) / 2) * min(0.7 / len(members), 0.14)
            axes.plot(
                [c.f1 for c in one.scores[ALL].per_class],
                np.arange(len(classes)) + shift,
                linestyle="none",
                marker=_MARKERS[at % len(_MARKERS)],
                markersize=5,
                color=_COLOURS[at % len(_COLOURS)],
                label=_name(group.name(one)),
                clip_on=False,
            )
        clips = group.per_class()
        axes.set_yticks(range(len(classes)), [f"{_name(c)} ({clips[c]})" for c in classes])
        axes.set_ylim(len(classes) - 0.5, -0.5)
        axes.set(xlim=(0, 1), xlabel="F1 (clips of the class in brackets)")
        axes.grid(axis="x", linewidth=0.4, alpha=0.5)
        for line in np.arange(len(classes) - 1) + 0.5:
            axes.axhline(line, linewidth=0.3, color="0.8")
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return _pdf(figure, group)


def _forest(axes: Axes, group: Group, name: str) -> None:
    for at, one in enumerate(group.members):
        row = next(row for row in one.rows if row.dataset == name)
        colour = _COLOURS[at % len(_COLOURS)]
        if not math.isnan(row.uf1_low):
            axes.plot([row.uf1_low, row.uf1_high], [at, at], color=colour, linewidth=1.4, solid_capstyle="butt")
        seeds = one.seed_uf1.get(name, ())
        if len(seeds) > 1:
            axes.plot(seeds, [at + 0.22] * len(seeds), ".", color=colour, markersize=2.5, alpha=0.7)
        axes.plot([row.uf1], [at], _MARKERS[at % len(_MARKERS)], color=colour, markersize=5, clip_on=False)
    floor = _one_answer_uf1(group, name)
    if floor is not None:
        axes.axvline(floor, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
    where = f"{figure_text(name)}\n" if len(group.slices) > 1 else ""
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.set_xticks([0.25, 0.75], minor=True)
    axes.set(xlim=(0, 1), xlabel="UF1", title=f"{where}{len(group.clips(name))} clips")
    axes.grid(axis="x", which="both", linewidth=0.4, alpha=0.5)
    axes.tick_params(axis="y", length=0)


def _one_answer_uf1(group: Group, name: str) -> float | None:
    """UF1 of naming the largest class of the slice throughout: 2 p / (1 + p) over k classes, p its share.

    Where clips hold several classes, that of naming every class: the mean of 2 p / (1 + p) over those held. None where
    one class per clip is asked for and the slice lacks one: UF1 is then over fewer.
    """
    counts, clips = group.per_class(name), len(group.clips(name))
    shares = [count / clips for count in counts.values() if count]
    if group.several:
        return sum(2 * share / (1 + share) for share in shares) / len(shares) if shares else None
    if len(shares) < len(counts):
        return None
    return 2 * max(shares) / (1 + max(shares)) / len(counts)


def _name(text: str) -> str:
    """The text short enough for an axis."""
    shown = figure_text(text)
    return shown if len(shown) <= _NAME_LENGTH else f"{shown[: _NAME_LENGTH - 1].rstrip()}…"


def _count(value: float) -> str:
    return str(round(value)) if math.isclose(value, round(value), abs_tol=1e-9) else f"{value:.1f}"


def _pdf(figure: Figure, group: Group) -> bytes:
    if group.synthetic:
        room = int(figure.get_figwidth() * _LETTERS_PER_INCH)
        figure.suptitle(textwrap.fill(SYNTHETIC_WARNING, room), fontsize=7, color="#B00000", weight="bold")
    made = io.BytesIO()
    undated: dict[str, Any] = {"CreationDate": None, "Producer": None, "Creator": None}
    FigureCanvasPdf(figure)
    figure.savefig(made, format="pdf", metadata=undated)
    return made.getvalue()


__all__ = ["class_plot", "confusion_plot", "forest_plot"]

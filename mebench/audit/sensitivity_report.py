"""What the sensitivity of a model is said to be: table, JSON and picture."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mebench.audit.psychometric import FALSE_ALARMS, Scores, Threshold, hit_rates, threshold
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.render import NONE, Table, figure

SCHEMA = "mebench.sensitivity/1"
WARNING = "Detecting rendered motion says nothing about faces."


@dataclass(frozen=True)
class UnitSensitivity:
    """One unit, or all: the amplitude detected half of the time, and the share detected by amplitude, 0 for none."""

    name: str
    found: Threshold
    detected: Mapping[float, float]
    eyes_px: float

    @classmethod
    def of(cls, name: str, scores: Scores, eyes_px: float, draws: int) -> "UnitSensitivity":
        """From scores of held-out stretches."""
        shares = {amplitude: hits / clips for amplitude, (hits, clips) in hit_rates(scores).items()}
        return cls(name, threshold(scores, draws=draws), shares, eyes_px)

    def words(self, amplitude: float, *, percent: bool = False) -> str:
        """An amplitude, or that it lies beyond those tested."""
        tested = [a for a in self.detected if a > 0]
        beyond = f"> {self._number(max(tested), percent)}" if math.isinf(amplitude) else ""
        below = f"< {self._number(min(tested), percent)}" if amplitude == 0 else ""
        if math.isnan(amplitude):
            return NONE
        return beyond or below or self._number(amplitude, percent)

    def _number(self, amplitude: float, percent: bool) -> str:  # noqa: FBT001
        return f"{100 * amplitude / self.eyes_px:.2g} %" if percent else f"{amplitude:.2g}"

    def record(self) -> dict[str, Any]:
        """The row as plain JSON values; null and a word where an amplitude lies beyond those tested."""
        ends = {"px": self.found.amplitude, "low": self.found.low, "high": self.found.high}
        curve = self.found.curve
        return {
            "unit": self.name,
            **{name: value if 0 < value < math.inf else None for name, value in ends.items()},
            "said": {name: self.words(value) for name, value in ends.items()},
            "percent_of_eyes": 100 * ends["px"] / self.eyes_px if 0 < ends["px"] < math.inf else None,
            "detected": {f"{amplitude:g}": share for amplitude, share in self.detected.items()},
            "curve": {
                "log2_middle": curve.middle,
                "slope_per_octave": curve.slope,
                "false_alarms": curve.false_alarms,
                "lapses": curve.lapses,
            },
        }


@dataclass(frozen=True)
class SensitivityReport:
    """How little motion a model detects in stretches of a corpus without any."""

    model: str
    parameters: Mapping[str, str]
    recipe: str
    dataset: str
    synthetic: bool
    stretches: int
    clips: int
    subjects: int
    frames: int
    eyes_px: float
    units: tuple[UnitSensitivity, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every stretch that was found could be used."""
        return not self.missing

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "parameters": dict(self.parameters),
            "recipe": self.recipe,
            "dataset": self.dataset,
            "synthetic": self.synthetic,
            "stretches": self.stretches,
            "clips": self.clips,
            "subjects": self.subjects,
            "frames": self.frames,
            "eyes_px": self.eyes_px,
            "false_alarms": FALSE_ALARMS,
            "units": [unit.record() for unit in self.units],
            "missing": dict(self.missing),
            "notes": [*self.notes, WARNING],
        }

    def table(self) -> Table:
        """One row per unit and one for all."""
        amplitudes = sorted(self.units[0].detected) if self.units else []
        heads = tuple("none" if a == 0 else f"{a:g} px" for a in amplitudes)
        rows = tuple(
            (
                unit.name,
                unit.words(unit.found.amplitude),
                f"{unit.words(unit.found.low)} to {unit.words(unit.found.high)}",
                unit.words(unit.found.amplitude, percent=True),
                *(figure(unit.detected[a]) for a in amplitudes),
            )
            for unit in self.units
        )
        figures = ("px at 50 %", "95 %", "of eyes", *heads)
        said = (
            f"Input: {self.recipe}.",
            f"{self.stretches} stretches of {self.frames} frames without coded motion, of {self.subjects} subjects.",
            f"The eyes are {self.eyes_px:.0f} px apart.",
            f"Share detected at a criterion that {FALSE_ALARMS:.0%} of held-out stretches without motion exceed.",
            "The model is trained for this, one subject left out; interval over subjects.",
        )
        missing = [f"No input of {clip}: {why}" for clip, why in self.missing.items()]
        few = f"{self.stretches} stretches are too few: no share of them is {FALSE_ALARMS:.0%}, so that none may pass."
        return Table(
            f"Motion that {self.model} detects half of the time in {self.dataset}",
            ("", *figures),
            rows,
            numeric=frozenset(figures),
            notes=(
                *self.notes,
                *said,
                *((few,) if self.stretches * FALSE_ALARMS < 1 else ()),
                *missing,
                WARNING,
                *((f"{SYNTHETIC_WARNING}.",) if self.synthetic else ()),
            ),
        )

    def picture(self) -> bytes:
        """A PNG of the curves, one panel per unit, with the shares they were fitted to."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        across = min(4, max(1, len(self.units)))
        down = -(-len(self.units) // across) or 1
        drawing = Figure(figsize=(3 * across, 2.4 * down + 0.6), layout="constrained")
        FigureCanvasAgg(drawing)
        for i, unit in enumerate(self.units):
            axes = drawing.add_subplot(down, across, i + 1)
            tested = np.array([a for a in unit.detected if a > 0])
            fine = np.geomspace(tested.min() / 1.5, tested.max() * 1.5, 100)
            axes.plot(fine, unit.found.curve(fine), color="#205080")
            axes.plot(tested, [unit.detected[a] for a in tested.tolist()], "o", color="#205080", markersize=4)
            axes.axhline(0.5, color="0.7", linewidth=0.8)
            axes.axhline(unit.detected[0.0], color="#b00000", linewidth=0.8, linestyle=":")
            if 0 < unit.found.amplitude < math.inf:
                ends = np.clip([unit.found.low, unit.found.high], fine[0], fine[-1])
                axes.plot(ends, (0.5, 0.5), color="black", linewidth=2)
            axes.set(xscale="log", ylim=(0, 1), title=f"{unit.name}: {unit.words(unit.found.amplitude)} px")
            axes.set(xlabel="px", ylabel="detected")
        drawing.suptitle(
            f"{self.model} on {self.dataset}{' (SYNTHETIC)' if self.synthetic else ''}. {WARNING}", fontsize=9
        )
        image = io.BytesIO()
        drawing.savefig(image, format="png", dpi=110, metadata={"Software": None})
        return image.getvalue()


__all__ = ["SCHEMA", "WARNING", "SensitivityReport", "UnitSensitivity"]

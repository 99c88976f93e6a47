"""How little rendered motion each model detects, per action unit, and what each magnifier changes about it.

Usage: python -m benchmarks.sensitivity HOME [--jobs N] [--subjects N] [--clips N] [--unit N ...] [--only NAME ...]
       [models] [magnifiers]

Baselines are clips of the null corpus (amplitude 0): faces that breathe and sway and express nothing. Parts: `models`
px detected half of the time at 5 % false alarms per model and unit; `magnifiers` the same with magnified frames.
Everything is kept under HOME and not computed twice; curves are drawn into HOME/curves. Everything is SYNTHETIC, and
detecting rendered motion says nothing about faces.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from mebench.audit.sensitivity import AMPLITUDES_PX, SensitivityQuestion, audit_sensitivity
from mebench.audit.sensitivity_report import WARNING, SensitivityReport
from mebench.datasets.marker import read_marker
from mebench.demo import MODELS
from mebench.synth.corpus import write_corpus

CORPUS = "casme2"
UNITS = (4, 12, 14, 1, 9, 17)


@dataclass(frozen=True)
class Trial:
    """One line of a table: a model, its parameters and what magnifies its frames."""

    name: str
    model: str
    settings: dict[str, str] = field(default_factory=dict)
    magnify: str = ""


LAM = MODELS["lam"]
PARTS: dict[str, list[Trial]] = {
    "models": [
        Trial("lbp-top", "lbp-top"),
        Trial("mdmo", "mdmo"),
        Trial("flow-svm", "flow-svm"),
        Trial("flow-svm, standardised", "flow-svm", {"scaling": "standard"}),
        Trial("lam, factor 6", "lam", LAM),
    ],
    "magnifiers": [
        *(Trial(f"lam, factor {f}", "lam", {**LAM, "factor": f}) for f in ("1", "2", "6", "10")),
        *(Trial(f"lam, {how} 6", "lam", {**LAM, "factor": "6", "magnifier": how}) for how in ("linear", "learned")),
        *(
            Trial(f"{model}{', ' + magnify if magnify else ''}", model, magnify=magnify)
            for model in ("lbp-top", "flow-svm")
            for magnify in ("", "phase:4", "linear:4")
        ),
    ],
}


def main(arguments: list[str]) -> int:
    """0 once every table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sensitivity")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--unit", type=int, nargs="+", default=UNITS)
    parser.add_argument("--amplitude", type=float, nargs="+", default=AMPLITUDES_PX)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME")
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_intermixed_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is named {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    corpus = baseline_of(options.home, options.subjects, options.clips, options.jobs)
    for part in options.parts or PARTS:
        trials = [trial for trial in PARTS[part] if trial.name.startswith(tuple(options.only))]
        print(f"\n{part}: px detected half of the time, {options.subjects} rendered subjects, {options.clips} clips")
        for trial in trials:
            report = measured(trial, corpus, options)
            print_line(trial, report, first=trial is trials[0])
    print(f"{WARNING} SYNTHETIC.")
    return 0


def baseline_of(home: Path, subjects: int, clips: int, jobs: int) -> Path:
    """The null corpus of this size."""
    place = home / f"baseline-{subjects}x{clips}"
    if read_marker(place) is None:
        write_corpus(CORPUS, place, subjects=subjects, clips=clips, amplitude=0.0, jobs=jobs)
    return place


def measured(trial: Trial, corpus: Path, options: argparse.Namespace) -> SensitivityReport:
    """The report of a trial; its curves are drawn."""
    question = SensitivityQuestion(
        trial.model,
        CORPUS,
        corpus,
        options.home / "home",
        settings=trial.settings,
        units=tuple(options.unit),
        amplitudes=tuple(options.amplitude),
        magnify=trial.magnify,
        draws=options.draws,
    )
    report = audit_sensitivity(question, jobs=options.jobs)
    curves = options.home / "curves"
    curves.mkdir(parents=True, exist_ok=True)
    (curves / f"{re.sub(r'[^a-z0-9]+', '-', trial.name)}.png").write_bytes(report.picture())
    return report


def print_line(trial: Trial, report: SensitivityReport, *, first: bool) -> None:
    """One line; the interval stands behind the row of all units."""
    if first:
        print(f"{'':22}" + "".join(f"{unit.name:>10}" for unit in report.units) + f"{'95 % of all':>18}")
    every = report.units[-1]
    cells = "".join(f"{unit.words(unit.found.amplitude):>10}" for unit in report.units)
    print(f"{trial.name:22}{cells}{every.words(every.found.low) + ' to ' + every.words(every.found.high):>18}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

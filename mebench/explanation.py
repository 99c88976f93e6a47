"""What a run's models lean on, and what in one clip spoke for its class: as tables, JSON, CSV and a picture."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from mebench.drawing import draw_shares, draw_signed
from mebench.files import write_atomic, write_text_atomic
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.render import NONE, Table, csv_cell

Doubles = npt.NDArray[np.float64]

TOP = 10
"""Rows of a table; the CSV holds all."""

_PLACE = re.compile(r"(?:t\d+_)?(r\d+_c\d+|region\d+)(?:_|$)")
_BIN = re.compile(r"(?:^|_)\d+$")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is explained: the run, its model's title, its protocol, the seed; and how far the refit agrees with it.

    The refit predicts `agreeing` of the run's `compared` clips as the run did. `synthetic` says that faces were
    rendered.
    """

    run: str
    title: str
    protocol: str
    seed: int
    agreeing: int
    compared: int
    synthetic: bool = False

    @property
    def warning(self) -> str:
        """What must stand on every picture of rendered faces; empty where they were filmed."""
        return SYNTHETIC_WARNING if self.synthetic else ""

    @property
    def note(self) -> str:
        """What to know before believing the picture."""
        same = f"{self.agreeing} of {self.compared} clips"
        mark = f"{self.warning}. " if self.synthetic else ""
        return f"{mark}Refitted on the training clips of each fold; predicts {same} as the run did."

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": "mebench.explanation/1",
            "run": self.run,
            "model": self.title,
            "protocol": self.protocol,
            "seed": self.seed,
            "synthetic": self.synthetic,
            "refit": {"agreeing": self.agreeing, "compared": self.compared},
        }


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the weight falls on the features of one place or part: mean and SD over folds (NaN for one fold)."""

    name: str
    mean: float
    sd: float
    strongest: str


@dataclass(frozen=True)
class Explanation:
    """The weights (folds, d) of the features `names` (d,), each fold's summing to 1, and their mean map (64, 64)."""

    subject: Subject
    names: tuple[str, ...]
    folds: tuple[str, ...]
    weights: Doubles
    face: Doubles

    @cached_property
    def places(self) -> tuple[Share, ...]:
        """The blocks or regions of the face, most weight first."""
        return self._shares([place_of(name) for name in self.names])

    @cached_property
    def parts(self) -> tuple[Share, ...]:
        """What is measured in every place (planes, directions, components), most weight first; () where it is one."""
        found = self._shares([part_of(name) for name in self.names])
        return found if len(found) > 1 else ()

    def tables(self) -> list[Table]:
        """The places with most weight, and the parts where there are several."""
        subject, folds = self.subject, len(self.folds)
        over = f"Share of the weight in %, mean and SD over {folds} folds."
        title = f"{subject.title} under {subject.protocol}, run {subject.run} seed {subject.seed}: where it looks"
        tables = [_share_table(title, "place", self.places)]
        tables += [_share_table("What it looks at there", "part", self.parts)] if self.parts else []
        return [*tables[:-1], replace(tables[-1], notes=(*tables[-1].notes, over, subject.note))]

    def record(self) -> dict[str, Any]:
        """Plain JSON values; null for an SD over one fold."""
        return {
            **self.subject.record(),
            "folds": len(self.folds),
            "features": len(self.names),
            "places": [_share_record(share) for share in self.places],
            "parts": [_share_record(share) for share in self.parts],
        }

    def write(self, folder: Path) -> list[Path]:
        """Writes `importance.png` and `importance.csv` into the folder, and says where they are."""
        picture, table = folder / "importance.png", folder / "importance.csv"
        title = f"{self.subject.title}, {self.subject.protocol}\nrun {self.subject.run}, {len(self.folds)} folds"
        write_atomic(picture, draw_shares(self.face, title, self.subject.warning))
        columns = (self.weights.mean(axis=0), _spread(self.weights))
        write_text_atomic(table, _csv(("feature", "mean", "sd"), self.names, columns))
        return [picture, table]

    def _shares(self, keys: Sequence[str]) -> tuple[Share, ...]:
        names, member = np.unique(keys, return_inverse=True)
        per_fold = np.stack([np.bincount(member, row, len(names)).astype(np.float64) for row in self.weights])
        means, spreads = per_fold.mean(axis=0), _spread(per_fold)
        strongest = _strongest(member, self.weights.mean(axis=0), self.names)
        shares = (Share(str(name), float(means[i]), float(spreads[i]), strongest[i]) for i, name in enumerate(names))
        return tuple(sorted(shares, key=lambda share: -share.mean))


@dataclass(frozen=True)
class ClipExplanation:
    """How much each feature of one held-out clip spoke for its predicted class against the runner-up.

    `contributions` (d,) and their map `face` (64, 64), in units of the model's decision; positive speaks for
    `predicted`. `runner_up` is the class that the model's scores put next, None for a model without scores.
    """

    subject: Subject
    clip: str
    fold: str
    truth: str
    predicted: str
    runner_up: str | None
    names: tuple[str, ...]
    contributions: Doubles
    face: Doubles

    @cached_property
    def places(self) -> tuple[tuple[str, float, str], ...]:
        """Blocks or regions with the sum over their features and the feature that counts most, greatest sum first."""
        names, member = np.unique([place_of(name) for name in self.names], return_inverse=True)
        sums = np.bincount(member, self.contributions, len(names))
        strongest = _strongest(member, np.abs(self.contributions), self.names)
        rows = ((str(name), float(sums[i]), strongest[i]) for i, name in enumerate(names))
        return tuple(sorted(rows, key=lambda row: -abs(row[1])))

    def tables(self) -> list[Table]:
        """The places that count most."""
        title = f"{self.clip} ({self.truth}) is taken for {self.predicted} by the model of fold {self.fold}"
        rows = tuple((name, f"{value:+.4f}", feature) for name, value, feature in self.places[:TOP])
        columns = ("place", "contribution", "strongest feature")
        against = f" against {self.runner_up}" if self.runner_up else ""
        meaning = f"Positive speaks for {self.predicted}{against}; 0 is the mean training clip."
        return [Table(title, columns, rows, frozenset({"contribution"}), (meaning, self.subject.note))]

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            **self.subject.record(),
            "clip": self.clip,
            "fold": self.fold,
            "truth": self.truth,
            "predicted": self.predicted,
            "runner_up": self.runner_up,
            "features": len(self.names),
            "places": [{"name": n, "contribution": value, "strongest": best} for n, value, best in self.places],
        }

    def write(self, folder: Path) -> list[Path]:
        """Writes `clip-<id>.png` and `clip-<id>.csv` into the folder, and says where they are."""
        name = "clip-" + quote(self.clip, safe="/").replace("/", "__")
        picture, table = folder / f"{name}.png", folder / f"{name}.csv"
        against = f" against {self.runner_up}" if self.runner_up else ""
        label = f"speaks for {self.predicted}{against}"
        title = f"{self.subject.title}\n{self.clip}: {self.predicted}"
        write_atomic(picture, draw_signed(self.face, title, label, self.subject.warning))
        write_text_atomic(table, _csv(("feature", "contribution"), self.names, (self.contributions,)))
        return [picture, table]


def place_of(name: str) -> str:
    """The block or region a feature is measured in: `r4_c1` of `t0_r4_c1_xy_17`, `region12` of `region12_rho`.

    A name of another form is a place of its own.
    """
    found = _PLACE.match(name)
    return found[1] if found else name


def part_of(name: str) -> str:
    """What a feature measures in its place: `xy` of `t0_r4_c1_xy_17`, `rho` of `region12_rho`; empty where unsaid."""
    found = _PLACE.match(name)
    return _BIN.sub("", name[found.end() :]) if found else ""


def _spread(rows: Doubles) -> Doubles:
    """The SD (n - 1) of each column; NaN for a single row."""
    return rows.std(axis=0, ddof=1) if len(rows) > 1 else np.full(rows.shape[1], math.nan)


def _strongest(member: npt.NDArray[np.intp], values: Doubles, names: Sequence[str]) -> list[str]:
    """Per group the name of its member with the greatest value."""
    order = np.lexsort((-values, member))
    firsts = np.searchsorted(member[order], np.arange(member.max() + 1))
    return [names[i] for i in order[firsts]]


def _share_table(title: str, column: str, shares: Sequence[Share]) -> Table:
    rows = tuple((s.name or NONE, _percent(s.mean), _percent(s.sd), s.strongest) for s in shares[:TOP])
    left_out = (f"{len(shares) - TOP} more not shown.",) if len(shares) > TOP else ()
    return Table(title, (column, "share", "SD", "strongest feature"), rows, frozenset({"share", "SD"}), left_out)


def _share_record(share: Share) -> dict[str, Any]:
    sd = None if math.isnan(share.sd) else share.sd
    return {"name": share.name, "mean": share.mean, "sd": sd, "strongest": share.strongest}


def _percent(value: float) -> str:
    return NONE if math.isnan(value) else f"{100 * value:.1f}"


def _csv(header: Sequence[str], names: Sequence[str], columns: Iterable[Doubles]) -> str:
    """One row per feature; figures with nine digits, an empty cell for NaN."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    figures = ([("" if math.isnan(v) else f"{v:.9g}") for v in column] for column in columns)
    writer.writerows(zip(map(csv_cell, names), *figures, strict=True))
    return text.getvalue()


__all__ = ["ClipExplanation", "Explanation", "Share", "Subject", "part_of", "place_of"]

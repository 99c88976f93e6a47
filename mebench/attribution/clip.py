"""Where the answer about one held-out clip comes from: as tables, JSON, a CSV and a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from mebench.attribution import pictures, tables
from mebench.attribution.curves import CAVEAT, KINDS, ORDERS, areas
from mebench.attribution.fold import Facts, Maps
from mebench.attribution.pointing import Target, energy_inside, pointing
from mebench.attribution.report import SCHEMA, coarse
from mebench.drawing import MAP_SIDE
from mebench.explanation import Subject
from mebench.files import write_atomic, write_text_atomic
from mebench.render import NONE, Table, csv_text, figure
from mebench.store import StoredClip
from mebench.vision.alignment import align, canonical

if TYPE_CHECKING:
    from mebench.attribution.report import Asked

Doubles = npt.NDArray[np.float64]

FACE_PX = 256
"""Side of the face under a map: four px per place of the map."""

HIDDEN = "The outline is nobody's: this person is on no list of those whose face may be printed."


@dataclass(frozen=True)
class ClipAttribution:
    """The attributions of one clip for the class predicted of it.

    `maps` (64, 64) and `curves` (2, 2, STEPS + 1) by name; `target` is where skin truly moved, None where that is not
    known, and `no_game` says why. `face` (s, s[, 3]) is None unless it may be shown. `at` is the place asked about.
    """

    subject: Subject
    synthetic: bool
    note: str
    asked: "Asked"
    maps: Maps
    curves: Maps
    facts: Facts
    target: Target | None
    no_game: str
    face: npt.NDArray[np.uint8] | None
    at: tuple[float, float] | None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before believing any of it."""
        about = f"Maps speak for {self.asked.predicted}, the class predicted."
        warning = "SYNTHETIC: a rendered face." if self.synthetic else ""
        face = "" if self.face is not None else HIDDEN
        return (about, *filter(None, [self.note, self.no_game, face, self.subject.note, warning]))

    @property
    def peaks(self) -> dict[str, tuple[float, float]]:
        """Where each map is greatest, (x, y) in fractions of the canonical face; the mean place of equal ones."""
        return {name: _peak(values) for name, values in self.maps.items()}

    def tables(self) -> list[Table]:
        """Where each map is greatest, what it scored, and the parts of the network."""
        asked = self.asked
        title = f"{asked.clip} ({asked.truth}) is taken for {asked.predicted} by the network of fold {asked.fold}"
        rows = []
        for name, (x, y) in self.peaks.items():
            game = [NONE if v is None else figure(v) for v in self._game(name).values()]
            curve = [NONE if v is None else figure(v) for v in self._areas(name).values()]
            rows.append((name, f"{x:.2f}, {y:.2f}", *game, *curve))
        columns = ("map", "peak x, y", "hit", "energy", *KINDS)
        notes = (*([CAVEAT] if self.curves else []), *self.remarks)
        found = [Table(title, columns, tuple(rows), frozenset(columns[1:]), notes)]
        return [*found, tables.fact_table({asked.fold: self.facts})] if self.facts else found

    def record(self) -> dict[str, Any]:
        """Plain JSON values; maps as shares of 8 x 8 blocks."""
        asked = self.asked
        return {
            **self.subject.record(),
            "schema": SCHEMA,
            "synthetic": self.synthetic,
            "remarks": list(self.remarks),
            "clip": asked.clip,
            "fold": asked.fold,
            "truth": asked.truth,
            "predicted": asked.predicted,
            "at": None if self.at is None else list(self.at),
            "face_shown": self.face is not None,
            "maps": {
                name: {
                    "peak": list(self.peaks[name]),
                    **self._game(name),
                    **self._areas(name),
                    "shares": coarse(values) if values.any() else None,
                }
                for name, values in self.maps.items()
            },
            "parts": {block: dict(facts) for block, facts in self.facts.items()},
        }

    def write(self, folder: Path) -> list[Path]:
        """Writes `clip-<id>-attribution.png` and `.csv` into the folder, and says where they are."""
        name = "clip-" + quote(self.asked.clip, safe="/").replace("/", "__") + "-attribution"
        picture, table = folder / f"{name}.png", folder / f"{name}.csv"
        asked = self.asked
        title = f"{self.subject.title}\n{asked.clip}: {asked.truth}, taken for {asked.predicted}"
        motion = None if self.target is None else self.target.motion
        warning = "SYNTHETIC" if self.synthetic else ""
        write_atomic(picture, pictures.draw_clip(self.maps, self.face, motion, self.at, title, warning))
        rows = [
            [map_name, f"{x:.4f}", f"{y:.4f}", *("" if v is None else f"{v:.6f}" for v in self._figures(map_name))]
            for map_name, (x, y) in self.peaks.items()
        ]
        write_text_atomic(table, csv_text(("map", "peak_x", "peak_y", "hit", "energy", *KINDS), rows))
        return [picture, table]

    def _figures(self, name: str) -> list[float | None]:
        return [*self._game(name).values(), *self._areas(name).values()]

    def _game(self, name: str) -> dict[str, float | None]:
        if self.target is None:
            return {"hit": None, "energy": None}
        return {"hit": pointing(self.maps[name], self.target), "energy": energy_inside(self.maps[name], self.target)}

    def _areas(self, name: str) -> Mapping[str, float | None]:
        if name not in self.curves:
            return dict.fromkeys(KINDS)
        under = areas(self.curves[name])[:, ORDERS.index("map")]
        return {kind: float(under[k]) for k, kind in enumerate(KINDS)}


def backdrop(stored: StoredClip, *, allowed: bool) -> npt.NDArray[np.uint8] | None:
    """The onset face in its canonical place, (256, 256[, 3]) uint8; None unless it may be shown.

    The one way by which pixels of a face reach a picture.
    """
    if not allowed:
        return None
    face = canonical(stored.landmarks, FACE_PX)
    return np.asarray(align(stored.frames[:1], stored.motion[:1], face, FACE_PX)[0])


def _peak(values: Doubles) -> tuple[float, float]:
    rows, columns = np.nonzero(values >= values.max())
    return float((columns.mean() + 0.5) / MAP_SIDE), float((rows.mean() + 0.5) / MAP_SIDE)

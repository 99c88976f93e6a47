"""Where the answers of a run's networks come from: as tables, JSON, a CSV and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench.attribution import pictures, tables
from mebench.attribution.curves import CAVEAT, KINDS, ORDERS, areas
from mebench.attribution.fold import Facts, Maps
from mebench.attribution.game import MEASURES, Game, lead
from mebench.attribution.maps import agreement, blank, density
from mebench.attribution.means import difference_of, mean_of
from mebench.attribution.pointing import QUANTILE, TOLERANCE
from mebench.explanation import Subject
from mebench.files import write_atomic, write_text_atomic
from mebench.render import Table, csv_text
from mebench.resampling import FEWEST_SUBJECTS

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SCHEMA = "mebench.attribution/1"
COARSE = 8
"""Rows and columns of the mean maps in JSON, sums over blocks of the 64 x 64."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A held-out clip: its subject, its fold, its class by annotation, and the class predicted and explained."""

    clip: str
    subject: str
    fold: str
    truth: str
    predicted: str


@dataclass(frozen=True)
class Attribution:
    """The attributions of a run's networks for the classes they predict of held-out clips.

    By name of map, in the order of `asked`: `maps` (n, 64, 64) on the canonical face, `untrained` those of networks
    with weights drawn anew, `curves` (n, 2, 2, STEPS + 1). `facts` are of the parts of each fold's network. `game` is
    None, and `no_game` says why, where there is no truth about motion. `rival` is another run on the same clips.
    """

    subject: Subject
    synthetic: bool
    note: str
    classes: tuple[str, ...]
    asked: tuple[Asked, ...]
    maps: Maps
    untrained: Maps
    curves: Maps
    facts: Mapping[str, Facts]
    game: Game | None
    no_game: str = ""
    rival: "Attribution | None" = field(default=None, repr=False)

    @cached_property
    def groups(self) -> dict[str, Mask]:
        """The clips (n,) that means are taken of: all, those taken for each class, those taken rightly and wrongly."""
        said = np.array([one.predicted for one in self.asked])
        right = np.array([one.predicted == one.truth for one in self.asked])
        taken = {f"taken for {name}": said == name for name in self.classes}
        return {"all": np.ones(len(said), np.bool_), **taken, "right": right, "wrong": ~right}

    @property
    def kinds(self) -> dict[str, list[str]]:
        """The names of the maps by kind."""
        found: dict[str, list[str]] = {}
        for name in self.maps:
            found.setdefault(name.partition(":")[0], []).append(name)
        return found

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before believing any of it."""
        folds, people = (len({getattr(one, key) for one in self.asked}) for key in ("fold", "subject"))
        about = f"Maps speak for the class predicted, over {len(self.asked)} held-out clips of {folds} folds."
        few = f"{people} subjects: how intervals do with fewer than {FEWEST_SUBJECTS} is not known."
        doubt = few if people < FEWEST_SUBJECTS else ""
        return (about, *filter(None, [self.note, self.no_game, doubt, self.subject.note, self.warning]))

    @property
    def warning(self) -> str:
        """The mark of a corpus that was drawn."""
        return "SYNTHETIC: rendered faces; says nothing about people." if self.synthetic else ""

    def mean_map(self, name: str, group: Mask) -> Doubles | None:
        """The mean map (64, 64) of a group, each clip's an even spread of 1 in sum over places; None without clips.

        Clips whose map names no place are left out.
        """
        chosen = self.maps[name][group]
        named = chosen[~blank(chosen)]
        return density(named).mean(axis=0) if len(named) else None

    def tables(self) -> list[Table]:
        """What the maps are like; the game over all clips, by class and against the rival; curves; the parts."""
        found = [tables.map_table(self)]
        if self.game is not None:
            found += [tables.game_table(self.game, measure) for measure in MEASURES]
            found += [tables.class_table(self.game, self.classes, names) for names in self.kinds.values()]
            if self.rival is not None and self.rival.game is not None:
                found.append(tables.rival_table(self, self.rival))
        found += [tables.curve_table(self)] if self.curves else []
        found += [tables.fact_table(self.facts)] if any(self.facts.values()) else []
        return [*found, Table("Before believing a map", (), (), notes=self.remarks)]

    def record(self) -> dict[str, Any]:
        """Plain JSON values; of means with intervals value, low and high; mean maps as shares of 8 x 8 blocks."""
        return {
            **self.subject.record(),
            "schema": SCHEMA,
            "synthetic": self.synthetic,
            "remarks": list(self.remarks),
            "clips": len(self.asked),
            "maps": {name: self._map_record(name) for name in self.maps},
            "curves": {"caveat": CAVEAT, **self.curve_figures()} if self.curves else None,
            "pointing": self._game_record(),
            "parts": {
                fold: {block: dict(facts) for block, facts in parts.items()} for fold, parts in self.facts.items()
            },
        }

    def write(self, folder: Path) -> list[Path]:
        """Writes a picture per kind of map, `curves.png` and `attribution.csv` into the folder; says where they are."""
        title = f"{self.subject.title}, {self.subject.protocol}\nrun {self.subject.run}, {len(self.asked)} clips"
        files = []
        for kind, names in self.kinds.items():
            files.append(folder / f"attribution-{kind}.png")
            write_atomic(files[-1], pictures.draw_means(self._panels(names), f"{title}: {kind}", self.warning))
        if self.curves:
            files.append(folder / "curves.png")
            means = {name: values.mean(axis=0) for name, values in self.curves.items()}
            write_atomic(files[-1], pictures.draw_curves(means, title, self.warning))
        files.append(folder / "attribution.csv")
        write_text_atomic(files[-1], self._csv())
        return files

    def similarity(self, name: str) -> Doubles:
        """Per clip, how much the map is like that of the network with weights drawn anew; NaN where one is flat."""
        return agreement(self.maps[name], self.untrained[name])

    def curve_figures(self) -> dict[str, Any]:
        """By map and kind of curve: the mean areas, and the lead over the shifted map, above 0 where the map wins."""
        subjects = [one.subject for one in self.asked]
        found: dict[str, Any] = {}
        for name, values in self.curves.items():
            under = areas(values)
            found[name] = {}
            for k, kind in enumerate(KINDS):
                own, other = under[:, k, ORDERS.index("map")], under[:, k, ORDERS.index("shifted")]
                better = (other, own) if kind == "deletion" else (own, other)
                found[name][kind] = {
                    "area": mean_of(own, subjects).record(),
                    "shifted": mean_of(other, subjects).record(),
                    "lead": difference_of(*better, subjects).record(),
                }
        return found

    def _panels(self, names: Sequence[str]) -> dict[str, dict[str, Doubles | None]]:
        """By label of a row and name of a column, the mean maps that are drawn."""
        counted = {f"{label}\nn = {int(group.sum())}": group for label, group in self.groups.items()}
        return {
            label: {name.partition(":")[2]: self.mean_map(name, group) for name in names}
            for label, group in counted.items()
        }

    def _map_record(self, name: str) -> dict[str, Any]:
        means = {label: self.mean_map(name, group) for label, group in self.groups.items()}
        like = self.similarity(name) if self.untrained else np.array([np.nan])
        return {
            "blank": int(blank(self.maps[name]).sum()),
            "like_untrained": float(np.nanmean(like)) if np.isfinite(like).any() else None,
            "mean": {label: None if one is None else coarse(one) for label, one in means.items()},
        }

    def _game_record(self) -> dict[str, Any] | None:
        if self.game is None:
            return None
        game = self.game
        found: dict[str, Any] = {"quantile": QUANTILE, "tolerance": TOLERANCE}
        present = [name for name in self.classes if game.of_class(name).any()]
        for measure in MEASURES:
            found[measure] = {
                name: {
                    "all": game.standing(measure, name).record(),
                    **{c: game.standing(measure, name, game.of_class(c)).record() for c in present},
                    **self._rival_record(measure, name),
                }
                for name in game.names
            }
        return found

    def _rival_record(self, measure: Any, name: str) -> dict[str, Any]:
        rival = self.rival.game if self.rival is not None else None
        if rival is None or self.game is None or name not in rival.names:
            return {}
        return {"over_rival": lead(self.game, rival, measure, name).record()}

    def _csv(self) -> str:
        """One row per clip and map: what was predicted, and what the map scored."""
        rows = []
        under = {name: areas(values) for name, values in self.curves.items()}
        for name in self.maps:
            for i, one in enumerate(self.asked):
                said = [one.clip, one.fold, one.truth, one.predicted, name]
                game = [f"{self.game.scores[m][name][i]:.6f}" if self.game else "" for m in MEASURES]
                curve = [f"{under[name][i, k, 0]:.6f}" if name in under else "" for k in range(len(KINDS))]
                rows.append([*said, *game, *curve])
        return csv_text(("clip", "fold", "truth", "predicted", "map", *MEASURES, *KINDS), rows)


def coarse(values: Doubles) -> list[list[float]]:
    """The shares of a map (64, 64) on blocks of 8 by 8 places, rows from the brow down; they sum to 1."""
    side = len(values) // COARSE
    sums = values.reshape(COARSE, side, COARSE, side).sum(axis=(1, 3)) / values.sum()
    return [[round(float(share), 6) for share in row] for row in sums]

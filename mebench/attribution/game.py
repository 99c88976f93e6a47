"""The pointing game and the energy on what moved, over the clips of a run, against what knows nothing of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mebench.attribution.means import Mean, difference_of, mean_of
from mebench.attribution.pointing import Target, centre_map, energy_inside, pointing

Doubles = npt.NDArray[np.float64]
Measure = Literal["hits", "energy"]
MEASURES: tuple[Measure, ...] = ("hits", "energy")


@dataclass(frozen=True, eq=False)
class Game:
    """What each map of each clip scored: by measure and name of map, values (n,) from 0 to 1.

    `subjects` and `classes` (n,) are those of the clips, by annotation. `chance` holds what a random place, or an even
    map, scores, `centre` what the centre of the face does, each by measure; `untrained` is as `scores`, of the same
    networks with weights drawn anew, or empty.
    """

    subjects: tuple[str, ...]
    classes: tuple[str, ...]
    scores: Mapping[Measure, Mapping[str, Doubles]]
    untrained: Mapping[Measure, Mapping[str, Doubles]]
    chance: Mapping[Measure, Doubles]
    centre: Mapping[Measure, Doubles]

    @property
    def names(self) -> tuple[str, ...]:
        """The maps."""
        return tuple(self.scores["hits"])

    def standing(self, measure: Measure, name: str, chosen: npt.NDArray[np.bool_] | None = None) -> "Standing":
        """How a map stands on the chosen clips, by default all."""
        at = np.ones(len(self.subjects), np.bool_) if chosen is None else chosen
        own, subjects = self.scores[measure][name][at], [s for s, here in zip(self.subjects, at, strict=True) if here]

        def over(others: Doubles) -> Mean:
            return difference_of(own, others[at], subjects)

        drawn = self.untrained.get(measure, {}).get(name)
        return Standing(
            clips=len(subjects),
            subjects=len(set(subjects)),
            value=mean_of(own, subjects),
            chance=float(self.chance[measure][at].mean()),
            over_chance=over(self.chance[measure]),
            over_centre=over(self.centre[measure]),
            over_untrained=None if drawn is None else over(drawn),
        )

    def of_class(self, name: str) -> npt.NDArray[np.bool_]:
        """Which clips are annotated with this class (n,)."""
        return np.array([held == name for held in self.classes])


@dataclass(frozen=True, slots=True)
class Standing:
    """The score of a map over some clips, with 95 % intervals over subjects, and its lead over what knows nothing."""

    clips: int
    subjects: int
    value: Mean
    chance: float
    over_chance: Mean
    over_centre: Mean
    over_untrained: Mean | None

    def record(self) -> dict[str, Any]:
        """Plain JSON values; of each mean its value, low and high."""
        return {
            "clips": self.clips,
            "subjects": self.subjects,
            "value": self.value.record(),
            "chance": self.chance,
            "over_chance": self.over_chance.record(),
            "over_centre": self.over_centre.record(),
            "over_untrained": None if self.over_untrained is None else self.over_untrained.record(),
        }


def play(
    maps: Mapping[str, Doubles],
    untrained: Mapping[str, Doubles],
    targets: Sequence[Target],
    subjects: Sequence[str],
    classes: Sequence[str],
) -> Game:
    """The game of maps (n, 64, 64) by name on the targets of the n clips."""
    middle = centre_map()
    return Game(
        subjects=tuple(subjects),
        classes=tuple(classes),
        scores=_scores(maps, targets),
        untrained=_scores(untrained, targets) if untrained else {},
        chance={"hits": np.array([t.chance for t in targets]), "energy": np.array([t.area for t in targets])},
        centre={measure: _measured(measure, [middle] * len(targets), targets) for measure in MEASURES},
    )


def lead(game: Game, other: Game, measure: Measure, name: str) -> Mean:
    """What a map scores over the map of the same name in another game on the same clips in the same order."""
    return difference_of(game.scores[measure][name], other.scores[measure][name], game.subjects)


def _scores(maps: Mapping[str, Doubles], targets: Sequence[Target]) -> dict[Measure, dict[str, Doubles]]:
    return {m: {name: _measured(m, list(values), targets) for name, values in maps.items()} for m in MEASURES}


def _measured(measure: Measure, maps: Sequence[Doubles], targets: Sequence[Target]) -> Doubles:
    score = pointing if measure == "hits" else energy_inside
    return np.array([score(values, target) for values, target in zip(maps, targets, strict=True)])

"""The tables of an attribution."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mebench.attribution.curves import CAVEAT, KINDS
from mebench.attribution.fold import Facts
from mebench.attribution.game import MEASURES, Game, Measure, lead
from mebench.attribution.maps import blank, density
from mebench.attribution.means import Mean
from mebench.attribution.pointing import QUANTILE, TOLERANCE
from mebench.render import NONE, Table, figure

if TYPE_CHECKING:
    from mebench.attribution.report import Attribution

_MEANING: Mapping[Measure, str] = {
    "hits": (
        f"A hit: the greatest value lies within {TOLERANCE:g} of the face's side from the {1 - QUANTILE:.0%} of it "
        "whose skin moved furthest from onset to apex, head motion taken off. Chance: the share of such places."
    ),
    "energy": f"The share of a map that lies on the {1 - QUANTILE:.0%} of the face whose skin moved furthest.",
}
_TITLE: Mapping[Measure, str] = {"hits": "Pointing game, share of hits", "energy": "Energy on what moved"}
_UNTRAINED = (
    "untrained: mean rank correlation with the maps of the same network with weights drawn anew, for the same class. "
    "Near 1, a map shows the picture and not what was learnt."
)
_AREA = (
    "Area under the probability of the class as places go or come in the order of the map. shifted: in the order of "
    "the map moved to a random place. lead: how much better the map is; deletion is to be low, insertion high."
)
_INTERVALS = "In brackets 95 % intervals over subjects."


def map_table(found: "Attribution") -> Table:
    """What each map is like, whatever it points at."""
    rows = []
    for name, values in found.maps.items():
        peaks = density(values).max(axis=(1, 2))
        like = found.similarity(name) if found.untrained else np.array([np.nan])
        known = like[np.isfinite(like)]
        rows.append(
            (
                name,
                f"{np.median(peaks):.1f}",
                f"{blank(values).mean():.0%}",
                figure_or_none(float(known.mean()) if len(known) else np.nan),
            )
        )
    about = found.subject
    title = f"{about.title} under {about.protocol}, run {about.run} seed {about.seed}: where attribution falls"
    notes = (
        "peak: the greatest value over the mean of the map, in the median clip. blank: maps that name no place.",
        _UNTRAINED,
    )
    columns = ("map", "peak", "blank", "untrained")
    return Table(title, columns, tuple(rows), frozenset(columns[1:]), notes)


def game_table(game: Game, measure: Measure) -> Table:
    """How each map stands over all clips."""
    rows = []
    for name in game.names:
        standing = game.standing(measure, name)
        drawn = standing.over_untrained
        leads = (standing.over_chance, standing.over_centre, *([drawn] if drawn else []))
        rows.append((name, spelled(standing.value), figure(standing.chance), *map(signed, leads)))
    chance = "chance" if measure == "hits" else "even"
    columns = ("map", measure, chance, f"over {chance}", "over centre", "over untrained")[: len(rows[0])]
    return Table(_TITLE[measure], columns, tuple(rows), frozenset(columns[1:]), (_MEANING[measure], _INTERVALS))


def class_table(game: Game, classes: Sequence[str], names: Sequence[str]) -> Table:
    """The share of hits by class, as annotated."""
    rows = []
    for held in classes:
        chosen = game.of_class(held)
        if chosen.any():
            standings = [game.standing("hits", name, chosen) for name in names]
            first = standings[0]
            counts = (str(first.clips), str(first.subjects), figure(first.chance))
            rows.append((held, *counts, *(spelled(standing.value) for standing in standings)))
    columns = ("class", "clips", "subjects", "chance", *names)
    return Table("Share of hits by annotated class", columns, tuple(rows), frozenset(columns[1:]), (_INTERVALS,))


def rival_table(found: "Attribution", rival: "Attribution") -> Table:
    """What the maps score over those of the same name in another run."""
    assert found.game is not None
    assert rival.game is not None
    shared = [name for name in found.game.names if name in rival.game.names]
    rows = tuple(
        (name, *(part for m in MEASURES for part in _against(found.game, rival.game, m, name))) for name in shared
    )
    columns = ("map", "hits", "its hits", "over it", "energy", "its energy", "over it ")
    title = f"Against {rival.subject.title}, run {rival.subject.run}, on the same clips"
    return Table(title, columns, rows, frozenset(columns[1:]), (_INTERVALS,))


def curve_table(found: "Attribution") -> Table:
    """The areas under the curves, beside those of shifted maps."""
    rows = []
    for name, kinds in found.curve_figures().items():
        cells = [name]
        for kind in KINDS:
            figures = kinds[kind]
            cells += [figure(figures["area"][0]), figure(figures["shifted"][0]), _signed_record(figures["lead"])]
        rows.append(tuple(cells))
    columns = ("map", "deletion", "shifted", "lead", "insertion", "shifted ", "lead ")
    notes = (
        _AREA,
        CAVEAT,
        _INTERVALS,
    )
    return Table("Deletion and insertion", columns, tuple(rows), frozenset(columns[1:]), notes)


def fact_table(facts: Mapping[str, Facts]) -> Table:
    """The single figures of the parts of the networks, mean and SD over folds."""
    parts = list(dict.fromkeys(part for one in facts.values() for part in one))
    names = list(
        dict.fromkeys(n for one in facts.values() for part in one.values() for n, v in part.items() if _one(v))
    )
    rows = tuple((part, *(_over_folds(facts, part, name) for name in names)) for part in parts)
    return Table("Parts of the networks", ("part", *names), rows, frozenset(names), ("Mean and SD over folds.",))


def spelled(mean: Mean) -> str:
    """`.412 [.310, .515]`, without brackets where there is no interval."""
    return _bracketed(figure(mean.value), figure(mean.low), figure(mean.high))


def signed(mean: Mean) -> str:
    """`+.112 [+.010, +.215]`, without brackets where there is no interval."""
    return _bracketed(*(_sign(value) for value in (mean.value, mean.low, mean.high)))


def figure_or_none(value: float) -> str:
    """A correlation, `-.12`; a dash for NaN."""
    return NONE if np.isnan(value) else f"{value:.2f}".replace("0.", ".", 1)


def _bracketed(value: str, low: str, high: str) -> str:
    return value if NONE in (low, high) else f"{value} [{low}, {high}]"


def _sign(value: float) -> str:
    return NONE if np.isnan(value) else f"{value:+.3f}".replace("0.", ".", 1)


def _signed_record(values: Sequence[float | None]) -> str:
    return signed(Mean(*(np.nan if value is None else value for value in values)))


def _against(game: Game, rival: Game, measure: Measure, name: str) -> tuple[str, str, str]:
    means = (float(one.scores[measure][name].mean()) for one in (game, rival))
    return (*map(figure, means), signed(lead(game, rival, measure, name)))  # type: ignore[return-value]


def _one(value: Any) -> bool:
    return isinstance(value, int | float)


def _over_folds(facts: Mapping[str, Facts], part: str, name: str) -> str:
    values = [float(one[part][name]) for one in facts.values() if name in one.get(part, {})]
    if not values:
        return NONE
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"

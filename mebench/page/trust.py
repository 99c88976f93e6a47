"""What a figure rests on and what it cost: one row per run, and `not recorded` where nobody wrote it down."""

import math
from collections.abc import Callable, Mapping

from mebench.comparing import Terms
from mebench.leaderboard import Entry
from mebench.optimism import NAME, search_gain
from mebench.render import NONE, Table, figure
from mebench.statistics import SubjectCounts, seed_scores

UNRECORDED = "not recorded"
_SECONDS = 60


def trust_table(entries: Mapping[str, Entry], counts: Mapping[str, SubjectCounts], terms: Terms) -> Table:
    """Selection, search, privilege, weights, fidelity, checks and cost of every run of a board.

    `counts` are of the ranked ones; without them a search is counted but not allowed for.
    """
    columns: dict[str, Callable[[str, Entry], str]] = {
        "Model": lambda name, _: name,
        "Status": lambda _, entry: "partial" if entry.partial else entry.status,
        "Selection": lambda _, entry: entry.selection,
        "Tried": lambda _, entry: f"best of {entry.tried}" if entry.tried > 1 else "1",
        "UF1 less search": lambda name, entry: _less_search(counts.get(name), entry.tried, terms),
        "Privilege": lambda _, entry: entry.privilege,
        "Apex from": lambda _, entry: _recorded(entry, "apex_source"),
        "Weights": lambda _, entry: entry.weights or "none",
        "Fidelity": lambda _, entry: entry.fidelity or NONE,
        "Audit": lambda _, entry: _recorded(entry, "audit"),
        "Replicated": lambda _, entry: entry.replications or "none",
        "Parameters": lambda _, entry: _recorded(entry, "size"),
        "Time": lambda _, entry: _time(entry),
        "Settings": lambda _, entry: entry.parameters or NONE,
        "Command": lambda _, entry: entry.command or UNRECORDED,
    }
    return Table(
        "Trust and cost",
        tuple(columns),
        tuple(tuple(cell(name, entry) for cell in columns.values()) for name, entry in entries.items()),
        frozenset({"UF1 less search", "Replicated", "Parameters", "Time"}),
        notes=(
            "Tried: configurations of this model scored under this protocol, deleted runs included.",
            f"UF1 less search: UF1 less the most that such a search gains by chance ({NAME}).",
            "Apex from: whose apex frame was used, where one was.",
            "Fidelity: A author outputs reproduced, B printed checks matched, C built from the full text, D fragments.",
        ),
    )


def _less_search(counts: SubjectCounts | None, tried: int, terms: Terms) -> str:
    """UF1 less what the search alone would have gained, at least 0."""
    if counts is None:
        return NONE
    gain = search_gain(counts, tried, estimand=terms.estimand, resamples=terms.resamples, seed=terms.seed)
    return NONE if math.isnan(gain) else figure(max(0.0, float(seed_scores(counts, "uf1").mean()) - gain))


def _recorded(entry: Entry, name: str) -> str:
    """A fact that an entry may hold one day; `not recorded` where it does not."""
    value = getattr(entry, name, None)
    if value is None or value == "":
        return UNRECORDED
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)


def _time(entry: Entry) -> str:
    seconds = getattr(entry, "seconds", None)
    if not isinstance(seconds, int | float):
        return UNRECORDED
    return f"{seconds:.0f} s" if seconds < 2 * _SECONDS else f"{seconds / _SECONDS:.0f} min"

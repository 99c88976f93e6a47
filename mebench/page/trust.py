"""What a figure rests on and what it cost: one row per run, and `not recorded` where nobody wrote it down."""

import math
from collections.abc import Callable, Mapping

from mebench.comparing import Terms
from mebench.leaderboard import Entry
from mebench.optimism import NAME, search_gain
from mebench.render import NONE, Table, figure
from mebench.statistics import SubjectCounts, seed_scores

UNRECORDED = "not recorded"


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
        "Apex from": lambda _, entry: entry.apex_source or UNRECORDED,
        "Weights": lambda _, entry: entry.weights or entry.chain or "none",
        "Fidelity": lambda _, entry: entry.fidelity or NONE,
        "Audit": lambda _, entry: entry.audit,
        "Replicated": lambda _, entry: entry.replications or "none",
        "Size": lambda _, entry: (entry.cost and entry.cost.size) or UNRECORDED,
        "Time": lambda _, entry: entry.cost.time if entry.cost else UNRECORDED,
        "Settings": lambda _, entry: entry.parameters or NONE,
        "Command": lambda _, entry: entry.command or UNRECORDED,
    }
    return Table(
        "Trust and cost",
        tuple(columns),
        tuple(tuple(cell(name, entry) for cell in columns.values()) for name, entry in entries.items()),
        frozenset({"UF1 less search", "Time"}),
        notes=(
            "Tried: configurations of this model scored under this protocol, deleted runs included.",
            f"UF1 less search: UF1 less the most that such a search gains by chance ({NAME}).",
            "Apex from: whose apex frame the input takes, where it takes one.",
            "Audit: the last verdict of mebench audit model, in this home, on this very model and version.",
            "Size: of a network the parameters it trains, of another model what it is given per clip.",
            "Time: fitting and predicting on the machine of the run, all folds and seeds, inputs ready made.",
            "Fidelity: A author outputs reproduced, B printed checks matched, C built from the full text, D fragments.",
        ),
    )


def _less_search(counts: SubjectCounts | None, tried: int, terms: Terms) -> str:
    """UF1 less what the search alone would have gained, at least 0."""
    if counts is None:
        return NONE
    gain = search_gain(counts, tried, estimand=terms.estimand, resamples=terms.resamples, seed=terms.seed)
    return NONE if math.isnan(gain) else figure(max(0.0, float(seed_scores(counts, "uf1").mean()) - gain))

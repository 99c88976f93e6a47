"""The runs under a home as leaderboard entries, and the leaderboard as text."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mebench import leaderboard, runs
from mebench.clips import canonical_json
from mebench.leaderboard import Board, Entry
from mebench.protocol import Suite, load_protocol
from mebench.render import Table, latex, markdown, terminal


def entry_of_run(run: runs.StoredRun, *, tried: int) -> Entry:
    """The run as the leaderboard sees it; `tried` is how many configurations its ledger counts."""
    spec, manifest = run.spec, run.seeds[0].manifest
    facts: Mapping[str, Any] = spec["facts"]
    return Entry(
        protocol=spec["protocol"],
        protocol_version=manifest["protocol_version"],
        task=manifest["task"],
        annotations=manifest["annotations"],
        fingerprint=_fingerprint(spec["fingerprints"]),
        synthetic=manifest["synthetic"],
        partial=spec["partial"],
        aggregate=manifest["aggregate"],
        model=spec["model"],
        title=facts["title"],
        model_version=spec["model_version"],
        parameters=canonical_json(spec["parameters"]),
        run=run.id,
        status=run.status(),
        selection=spec["selection"],
        privilege=facts["privilege"],
        fidelity=facts["fidelity"],
        predictions={seed.seed: seed.predictions() for seed in run.seeds},
        expected=run.seeds[0].expected,
        classes=run.seeds[0].classes,
        subjects=manifest["subjects"],
        tried=tried,
        weights=" ".join(f"{name}:{digest[:12]}" for name, digest in sorted(spec["weights"].items())),
        command=manifest["command"],
    )


def boards(home: Path, protocol: str | None) -> tuple[Board, ...]:
    """Every board under the home, or those of one protocol or suite."""
    wanted = None if protocol is None else _member_names(protocol)
    entries = [
        entry_of_run(run, tried=runs.tried(home, run.spec))
        for run in runs.stored_runs(home)
        if wanted is None or run.spec["protocol"] in wanted
    ]
    return leaderboard.boards(leaderboard.rows(entries))


def tables(found: tuple[Board, ...]) -> list[Table]:
    """One table per board, or a single empty one that says what to do."""
    if found:
        return [leaderboard.table(board) for board in found]
    return [Table("No run yet: mebench run MODEL --protocol loso", (), ())]


def leaderboard_text(home: Path, protocol: str | None, form: str | None, *, width: int, colour: bool) -> str:
    """The leaderboard as `md`, `tex`, `csv` or `json`, or drawn for a terminal where `form` is None."""
    found = boards(home, protocol)
    if form == "csv":
        return leaderboard.to_csv(row for board in found for row in board.rows)
    if form == "json":
        return json.dumps(record(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    draw = {"md": markdown, "tex": latex}.get(form or "", lambda t: terminal(t, width=width, colour=colour))
    return "\n".join(draw(table) for table in tables(found))


def record(found: tuple[Board, ...]) -> dict[str, Any]:
    """The boards as plain JSON values, null where there is no figure."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and math.isnan(value) else value

    return {
        "schema": "mebench.leaderboard/1",
        "boards": [
            {"heading": board.heading, "rows": [{k: plain(v) for k, v in asdict(row).items()} for row in board.rows]}
            for board in found
        ],
    }


def _member_names(protocol: str) -> set[str]:
    loaded = load_protocol(protocol)
    return {member.name for member in loaded.members} if isinstance(loaded, Suite) else {loaded.name}


def _fingerprint(fingerprints: Mapping[str, str]) -> str:
    """One digest for a set of clip tables: the table's own where there is one, else one over all."""
    if len(fingerprints) == 1:
        return next(iter(fingerprints.values()))
    return hashlib.sha256(canonical_json(dict(fingerprints)).encode()).hexdigest()

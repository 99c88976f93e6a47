"""The runs under a home as leaderboard entries, and the leaderboard as text."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mebench import au_reference, leaderboard, runs
from mebench.au_reference import UnitReference
from mebench.clips import canonical_json
from mebench.in_print import CSV_COLUMNS, published_csv, published_records, published_tables
from mebench.leaderboard import Board, Entry, Row
from mebench.matrix import transfer_tables
from mebench.null_draws import null_of_run
from mebench.objections import UnitLevel
from mebench.peeked import inflation_of
from mebench.protocol import Suite, load_protocol, protocol_names
from mebench.render import Table, latex, markdown, terminal
from mebench.replication import remarks, replications
from mebench.scoring import ALL, score_predictions
from mebench.show import NOT_INDEPENDENT, caveats
from mebench.verdicts import NOT_AUDITED, verdict_of
from mebench.weights.declared import weights_text


def entry_of_run(run: runs.StoredRun, *, tried: int, audit: str = NOT_AUDITED) -> Entry:
    """The run as the leaderboard sees it; `tried` is how many configurations its ledger counts.

    `audit` is what an audit of its model said, in a few words.
    """
    spec, manifest = run.spec, run.seeds[0].manifest
    facts: Mapping[str, Any] = spec["facts"]
    peeked = inflation_of(run)
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
        weights=weights_text(facts, spec["weights"]),
        chain=facts.get("chain", ""),
        command=manifest["command"],
        caveats=". ".join(_caveats(manifest, spec)),
        replications="; ".join(remarks(replications(run))),
        apex_source=apex_words(manifest, facts),
        cost=run.cost(),
        audit=audit,
        null_bound=_null_bound(run),
        peeked_per_fold=peeked.per_fold_uf1 if peeked else math.nan,
        peeked_best_epoch=peeked.best_epoch_uf1 if peeked else math.nan,
    )


def apex_words(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Whose apex frame a run's input took, and for how many clips the middle frame stood in; empty where unrecorded.

    Runs older than the record of it lean on the coded apex where their privilege says so.
    """
    older = {"none": "", "apex": "coded"}.get(facts["privilege"])
    source = facts.get("apex_source", older)
    if source is None:
        return ""
    replaced = sum("apex-middle" in flags for flags in manifest["flags"].values())
    clips = len(manifest["truth"]) - len(manifest["missing"])
    if source == "coded" and replaced:
        return "middle frame, none is coded" if replaced == clips else f"coded, middle frame for {replaced} of {clips}"
    return {"": "none taken", "middle": "middle frame"}.get(source, str(source))


def _null_bound(run: runs.StoredRun) -> float:
    """The 97.5 % point of the permutation null that lies beside the run; NaN where none does."""
    folder = run.seeds[0].path.parent
    if run.status() != "complete" or not (folder / "null").is_dir():
        return math.nan
    aggregate, full = run.seeds[0].manifest["aggregate"], not run.spec["partial"]
    uf1 = {
        seed.seed: score_predictions(seed.predictions(), seed.expected, aggregate=aggregate, full=full)[seed.seed]
        .strict[ALL]
        .uf1
        for seed in run.seeds
    }
    null = null_of_run(folder, uf1)
    return null.bound if null else math.nan


def entry_of_units(reference: UnitReference) -> Entry:
    """The action-unit reference as a row: its best classifier, which is one of as many as were asked."""
    best = reference.best
    return Entry(
        protocol=reference.protocol,
        protocol_version=reference.protocol_version,
        task=reference.task,
        annotations=reference.annotations,
        fingerprint=_fingerprint(reference.fingerprints),
        synthetic=reference.synthetic,
        partial=reference.partial,
        aggregate=reference.aggregate,
        model=au_reference.MODEL,
        title=f"AU reference ({best})",
        model_version=reference.version,
        parameters="",
        run=reference.id,
        status="complete",
        selection="fixed",
        privilege="aus",
        fidelity=None,
        predictions={0: reference.predictions[best]},
        expected=reference.expected,
        classes=reference.classes,
        subjects=reference.subjects,
        tried=len(reference.predictions),
        command=reference.command,
        caveats=". ".join(
            _caveats(
                {
                    "subject_independent": reference.subject_independent,
                    "protocol_version": reference.protocol_version,
                },
                {"protocol": reference.protocol},
            )
        ),
    )


def entries_of(home: Path, protocol: str | None) -> list[Entry]:
    """Every run and action-unit reference under the home, or those of one protocol or suite."""
    wanted = None if protocol is None else _member_names(protocol)
    found = [
        entry_of_run(run, tried=runs.tried(home, run.spec), audit=verdict_of(home, run.spec))
        for run in runs.stored_runs(home)
        if wanted is None or run.spec["protocol"] in wanted
    ]
    return found + [entry_of_units(one) for one in au_reference.kept(home) if wanted is None or one.protocol in wanted]


def boards(home: Path, protocol: str | None) -> tuple[Board, ...]:
    """Every board under the home, or those of one protocol or suite."""
    return leaderboard.boards(leaderboard.rows(entries_of(home, protocol)))


def tables(found: tuple[Board, ...]) -> list[Table]:
    """One table per board, or a single empty one that says what to do."""
    if found:
        return [leaderboard.table(board) for board in found]
    return [Table("No run yet: mebench run MODEL --protocol loso", (), ())]


def leaderboard_text(
    home: Path, protocol: str | None, form: str | None, *, width: int, colour: bool, published: bool = False
) -> str:
    """The leaderboard as `md`, `tex`, `csv` or `json`, or drawn for a terminal where `form` is None.

    With `published` the figures in print follow, apart from every run.
    """
    found = boards(home, protocol)
    rows = [row for board in found for row in board.rows]
    wanted = None if protocol is None else _member_names(protocol)
    references = unit_references(rows, au_reference.kept(home)) if published else {}
    if form == "csv":
        if not published:
            return leaderboard.to_csv(rows)
        return leaderboard.to_csv(rows, published_csv(wanted, references), CSV_COLUMNS)
    if form == "json":
        values = record(found) | ({"published": published_records(wanted, references)} if published else {})
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    draw = {"md": markdown, "tex": latex}.get(form or "", lambda t: terminal(t, width=width, colour=colour))
    matrices = transfer_tables(rows) if wanted is not None and len(wanted) > 1 else []
    apart = published_tables(wanted, references) if published else []
    return "\n".join(draw(table) for table in [*tables(found), *matrices, *apart])


def page(home: Path, protocol: str | None, *, reference: str | None = None, published: bool = False) -> str:
    """The leaderboard as one HTML file; `reference` is the model or run that differences are taken to.

    Figures in print stand last: those under the protocols that have a board of a real corpus, for rendered faces do not
    stand beside them; with `published` all there are.
    """
    from mebench.page import Section, page_text  # it loads jinja2

    entries = entries_of(home, protocol)
    rows = leaderboard.rows(entries)
    wanted = None if protocol is None else _member_names(protocol)
    real = {row.protocol for row in rows if not row.synthetic}
    printed = published_tables(wanted if published else real, unit_references(rows, au_reference.kept(home)))
    matrices = transfer_tables(rows) if wanted is not None and len(wanted) > 1 else []
    apart = (Section("From corpus to corpus", tuple(matrices)), Section("Figures in print", tuple(printed)))
    return page_text(entries, ranked=rows, reference=reference, apart=apart)


def unit_references(rows: Iterable[Row], kept: Iterable[UnitReference] = ()) -> dict[tuple[str, str], UnitLevel]:
    """The best from the annotated action units of the tested clips by protocol and slice: of runs and references.

    Figures in print are held against it, so that nothing counts that was rendered, is partial or leaves clips out.
    """
    found = [
        ((row.protocol, row.dataset), UnitLevel(row.uf1, max(row.uf1, row.weighted_f1)))
        for row in rows
        if row.ranked and row.privilege == "aus" and not row.synthetic and row.coverage == 1
    ]
    found += [(key, level) for reference in kept for key, level in reference.asks.items()]
    best: dict[tuple[str, str], UnitLevel] = {}
    for key, level in found:
        other = best.get(key, level)
        best[key] = UnitLevel(max(level.uf1, other.uf1), max(level.f1, other.f1))
    return best


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


def _caveats(manifest: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """What to say of every score under the protocol: as recorded with the run, and as its file says today."""
    said = [] if manifest.get("subject_independent", True) else [NOT_INDEPENDENT]
    if spec["protocol"] not in protocol_names():
        return said
    today = load_protocol(spec["protocol"])
    if today.version > manifest["protocol_version"]:
        return [*said, f"superseded by version {today.version}"]
    return list(dict.fromkeys([*said, *caveats(today)]))


def _fingerprint(fingerprints: Mapping[str, str]) -> str:
    """One digest for a set of clip tables: the table's own where there is one, else one over all."""
    if len(fingerprints) == 1:
        return next(iter(fingerprints.values()))
    return hashlib.sha256(canonical_json(dict(fingerprints)).encode()).hexdigest()

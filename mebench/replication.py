"""What another lab found when it fitted folds of a run again: a signed record, checked against the run it speaks of.

A record states which folds were drawn and how, what was predicted of each of their clips, in which environment, and
how far that agrees with the run; its lab signs it (see `signing` for what a signature proves). The home that holds the
run checks the signature, draws the folds again and recomputes every figure from its own predictions and labels. What it
cannot check is that the folds were really fitted: that rests on the lab's word, which is why the lab is named.

Runs are replicated by labs, not by records: a lab counts once, and by the worst of what it found. A lab whose inputs
are not those of the run, because its frames are others or other tools prepared them, has not refuted what was said of
the run's inputs; what it found is told apart.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from mebench import runs
from mebench.agreement import VERDICTS, Verdict, agreement, draw_folds, draw_word
from mebench.bundle import json_object, said_digest
from mebench.clips import canonical_json
from mebench.errors import MebenchError, RunError, UnknownName
from mebench.files import write_text_atomic
from mebench.predictions import Prediction, Predictions
from mebench.signing import Identity, fingerprint, is_signed, known_identity

SCHEMA = "mebench.replication/1"
FOLDER = "replications"
_MOST_BYTES = 16 * 2**20
_SAME = 1e-9
"""What two ways of adding up may leave between equal figures."""
OTHER_INPUTS = "its inputs are not those of the run: the frames, or what tools made of them, are others"
OTHER_SOURCE = "the model's source is not that of the home that exported the run"


@dataclass(frozen=True)
class Replication:
    """A record whose signature holds: `statement` is what was signed.

    `current` says whether it speaks of the predictions the run has now, not of earlier ones.
    """

    statement: Mapping[str, Any]
    signature: str
    current: bool = True

    @property
    def lab(self) -> str:
        """The name the lab gives itself."""
        return str(self.statement["lab"])

    @property
    def key(self) -> str:
        """The lab's public key."""
        return str(self.statement["key"])

    @property
    def run(self) -> str:
        """The id of the run."""
        return str(self.statement["run"])

    @property
    def day(self) -> str:
        """The day of the replication by the lab's clock, `2025-03-31`."""
        return str(self.statement["date"])

    @property
    def verdict(self) -> Verdict:
        """What the lab found."""
        verdict: Verdict = self.statement["agreement"]["verdict"]
        return verdict

    @property
    def same_inputs(self) -> bool:
        """Whether the lab's models were given, bit by bit, what those of the run were given."""
        return bool(self.statement["same_inputs"])

    @property
    def rows(self) -> tuple[Prediction, ...]:
        """What the lab's models predicted, without truth."""
        return tuple(Prediction(clip, fold, seed, None, said) for clip, fold, seed, said in self.statement["rows"])

    def text(self) -> str:
        """The record in two lines, and one each where inputs or source were not those of the run."""
        s, a = self.statement, self.statement["agreement"]
        drawn = ", ".join(f"{fold} (seed {seed})" for fold, seed in s["folds"])
        figures = f"UF1 {_shown(a['uf1_here'])} against {_shown(a['uf1_run'])}"
        return (
            f"{self.verdict}: {a['identical']} of {a['clips']} clips predicted alike, {figures} on folds {drawn}\n"
            f"run {self.run}, by {self.lab} [{fingerprint(self.key)}], {self.day}"
            + ("" if self.current else "; of earlier predictions of the run")
            + ("" if self.same_inputs else f"\n{OTHER_INPUTS}")
            + ("" if s["same_source"] else f"\n{OTHER_SOURCE}")
        )

    def record(self) -> dict[str, Any]:
        """The record as a file holds it."""
        return {"schema": SCHEMA, "statement": dict(self.statement), "signature": self.signature}


def sign_statement(statement: Mapping[str, Any], identity: Identity) -> Replication:
    """The record of this statement with the lab's name and key in it, signed."""
    whole = {**statement, "lab": identity.lab, "key": identity.public}
    return Replication(whole, identity.sign(_message(whole)))


def read_record(path: Path) -> Replication:
    """The record in a file, its signature verified; raises RunError that says in one line what is wrong with it."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as fault:
        raise RunError(f"{path} cannot be read: {fault.strerror}.", "Give the path of a record.") from fault
    if len(data) > _MOST_BYTES:
        raise _refused(path.name, f"it is larger than {_MOST_BYTES >> 20} MiB")
    try:
        held = json_object(data)
        if held["schema"] != SCHEMA:
            raise _refused(path.name, f"its schema is {str(held['schema'])[:40]!r}, not {SCHEMA}")
        found = Replication(held["statement"], held["signature"])
        signed = is_signed(found.key, found.signature, _message(found.statement))
        sound = signed and _sound(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise _refused(path.name, f"it is damaged ({type(fault).__name__}: {fault})") from fault
    if not signed:
        raise _refused(path.name, "its signature does not hold: it was changed after it was signed")
    if not sound:
        raise _refused(path.name, "it lacks what a replication states")
    return found


def add_record(home: Path, path: Path) -> Replication:
    """Enters a record in this home, beside the run it speaks of.

    Raises UnknownName where the home has no such run, RunError where the record speaks of other predictions than the
    run has, its figures do not follow from them, or this home signed it itself.
    """
    found = read_record(path)
    run = next((one for one in runs.stored_runs(home) if one.id == found.run), None)
    if run is None:
        raise UnknownName("run", found.run, [one.id for one in runs.stored_runs(home)])
    own = known_identity(home)
    if own is not None and own.public == found.key:
        raise _refused(path.name, "this home signed it itself; a run is replicated by somebody else")
    if not is_current(found, run):
        raise _refused(path.name, f"it speaks of other predictions than run {run.id} has")
    fault = _contradiction(found, run)
    if fault:
        raise _refused(path.name, fault)
    name = f"{found.day}-{sha256(found.signature.encode()).hexdigest()[:12]}.json"
    write_text_atomic(_folder(run) / name, record_text(found))
    return found


def replications(run: runs.StoredRun) -> tuple[Replication, ...]:
    """Every record entered for this run, by date, signatures verified; RunError names a record that does not hold."""
    found = [read_record(path) for path in sorted(_folder(run).glob("*.json"))]
    return tuple(Replication(one.statement, one.signature, is_current(one, run)) for one in found)


def standing(found: Iterable[Replication]) -> dict[str, Replication]:
    """By public key the worst that each lab found of the run's present predictions, on its inputs before others."""
    worst: dict[str, Replication] = {}
    for one in found:
        if one.current:
            worst[one.key] = max(worst.get(one.key, one), one, key=_badness)
    return worst


def remarks(found: Iterable[Replication]) -> tuple[str, ...]:
    """What a row says of its replications, nothing where there is none.

    `replicated by 2`, `not replicated by 1`, `not replicated by 1 on other inputs`.
    """
    labs = list(standing(found).values())
    failed = [one for one in labs if one.verdict == "different"]
    apart = sum(not one.same_inputs for one in failed)
    said = {
        f"replicated by {len(labs) - len(failed)}": len(labs) - len(failed),
        f"not replicated by {len(failed) - apart}": len(failed) - apart,
        f"not replicated by {apart} on other inputs": apart,
    }
    return tuple(remark for remark, times in said.items() if times)


def is_current(found: Replication, run: runs.StoredRun) -> bool:
    """Whether the run's predictions are, seed by seed, those that were replicated; it may have more seeds since."""
    have = {str(seed.seed): seed for seed in run.seeds}
    stated: Mapping[str, str] = found.statement["predictions"]
    return all(seed in have and said_digest(have[seed].predictions()) == digest for seed, digest in stated.items())


def record_text(found: Replication) -> str:
    """The text of a record's file."""
    return json.dumps(found.record(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _contradiction(found: Replication, run: runs.StoredRun) -> str | None:
    """What of the record does not follow from the run; None where all does."""
    s, manifest = found.statement, run.seeds[0].manifest
    tested = run.seeds[0].folds
    if any(s[key] != run.spec[key] for key in ("protocol", "protocol_digest")):
        return "it speaks of another protocol"
    word = draw_word(s["choice"]["seed"], s["bundle"], found.key)
    drawn = draw_folds(tested, list(map(int, s["predictions"])), s["choice"]["folds"], word)
    if drawn != [(fold, seed) for fold, seed in s["folds"]]:
        return "its folds are not those that its choice draws"
    due = {(clip, fold, seed) for fold, seed in drawn for clip in tested[fold]}
    if not {(row.clip, row.fold, row.seed) for row in found.rows} <= due:
        return "it holds predictions of clips outside of its folds"
    held = Predictions(
        run.spec["protocol"], run.seeds[0].classes, tuple(row for seed in run.seeds for row in seed.predictions().rows)
    )
    several = manifest["aggregate"] == "units"
    try:
        figures = agreement(held, found.rows, drawn, run.seeds[0].expected, tested, several=several).record()
    except MebenchError as fault:
        return fault.what.rstrip(".")
    if not _same_figures(figures, s["agreement"]):
        return "its figures do not follow from what it and the run predict"
    return None


def _same_figures(ours: Mapping[str, Any], stated: Mapping[str, Any]) -> bool:
    def same(a: Any, b: Any) -> bool:
        return abs(a - b) <= _SAME if isinstance(a, float) and isinstance(b, int | float) else bool(a == b)

    return ours.keys() == stated.keys() and all(same(ours[key], stated[key]) for key in ours)


def _sound(found: Replication) -> bool:
    """Whether the statement has the form that every use of it relies on; raises what `read_record` catches."""
    s = found.statement
    chosen, rows = s["choice"], found.rows
    texts = (found.lab, found.day, found.run, s["protocol"], s["protocol_digest"], s["bundle"])
    seed_fits = chosen["seed"] is None or type(chosen["seed"]) is int
    return (
        all(isinstance(text, str) and text.isprintable() for text in texts)
        and found.verdict in VERDICTS
        and seed_fits
        and type(chosen["folds"]) is int
        and chosen["folds"] > 0
        and len(s["predictions"]) > 0
        and all(str(int(seed)) == seed and isinstance(digest, str) for seed, digest in s["predictions"].items())
        and all(isinstance(fold, str) and type(seed) is int for fold, seed in s["folds"])
        and all(
            isinstance(clip, str) and isinstance(fold, str) and type(seed) is int for clip, fold, seed, _ in s["rows"]
        )
        and all(isinstance(row.predicted, str | None) for row in rows)
        and len({(row.clip, row.seed) for row in rows}) == len(rows)
        and all(text == bytes.fromhex(text).hex() for text in (found.key, found.signature))  # one spelling per lab
        and isinstance(s["agreement"]["clips"], int)
        and type(s["same_inputs"]) is bool
        and type(s["same_source"]) is bool
        and date.fromisoformat(found.day).isoformat() == found.day
    )


def _message(statement: Mapping[str, Any]) -> bytes:
    """What is signed: the schema, then the statement as canonical JSON."""
    return f"{SCHEMA}\n{canonical_json(dict(statement))}".encode()


def _badness(found: Replication) -> tuple[int, bool]:
    return VERDICTS.index(found.verdict), found.same_inputs


def _folder(run: runs.StoredRun) -> Path:
    return run.seeds[0].path.parent / FOLDER


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def _refused(name: str, what: str) -> RunError:
    return RunError(f"{name} is refused: {what}.", "Ask the lab for its record as mebench replicate wrote it.")


__all__ = [
    "OTHER_INPUTS",
    "OTHER_SOURCE",
    "SCHEMA",
    "Replication",
    "add_record",
    "read_record",
    "record_text",
    "remarks",
    "replications",
    "sign_statement",
    "standing",
]

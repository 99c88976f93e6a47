"""A run as one file to hand on: what was asked, the model's source, the predictions by clip, and no label.

A bundle is an `archive` of `bundle.json` (recipe, parameters, weights, protocol, folds, environment, command),
`predictions.csv` without a column of truth, `model.py` where the model came from a file, `protocol.toml` where the
protocol did, and a README. No frame, no feature, no label.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mebench.archive import MOST_BYTES, pack, refused, unpack
from mebench.clips import canonical_json
from mebench.errors import PredictionError, RunError
from mebench.files import write_atomic
from mebench.manifest import misfit
from mebench.predictions import COLUMNS, Prediction, Predictions, cells, parse_csv
from mebench.runs import RunSpec

SCHEMA = "mebench.bundle/1"
FACTS, PREDICTIONS, README = "bundle.json", "predictions.csv", "README.txt"
MODEL, PROTOCOL = "model.py", "protocol.toml"
_TRUTH = COLUMNS.index("truth")
_KEYS = {
    "aggregate": str,
    "annotations": dict,
    "asked": dict,
    "classes": list,
    "command": str,
    "environments": dict,
    "flags": dict,
    "folds": list,
    "missing": list,
    "model": dict,
    "protocol_version": int,
    "run": str,
    "spec": dict,
    "synthetic": bool,
    "task": str,
}

README_TEXT = """\
A run of mebench, for another lab to repeat: mebench replicate THIS_FILE --lab "YOUR NAME"

bundle.json      protocol, model, parameters, recipe of the inputs, weights, folds, environment, command
predictions.csv  what was predicted of each clip; what is true of it is not in here
model.py         the model's source, where no installed package brings it; it is run only with --trust
protocol.toml    the protocol, where no installed package brings it
SHA256SUMS       digests of the others

No frame, feature or label of a corpus is in here. Clip names are, and those of SMIC name their class.
"""


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds; `facts` are those of `bundle.json`, `data` the file's bytes."""

    facts: Mapping[str, Any]
    predictions: Predictions
    model_file: bytes | None
    protocol_file: bytes | None
    data: bytes

    @property
    def spec(self) -> Mapping[str, Any]:
        """Everything that decided what the run predicts, as `RunSpec` names it."""
        return dict(self.facts["spec"])

    @property
    def run(self) -> str:
        """The id of the run."""
        return str(self.facts["run"])

    @property
    def folds(self) -> dict[str, list[str]]:
        """Per fold id its test clips."""
        return {fold["id"]: list(fold["test"]) for fold in self.facts["folds"]}

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the run, sorted."""
        return tuple(sorted(map(int, self.facts["environments"])))

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def seed_digests(self) -> dict[str, str]:
        """Per seed, as text, what `said_digest` says of its predictions."""
        return {str(seed): said_digest(self.predictions.of_seed(seed)) for seed in self.seeds}

    def write(self, path: Path) -> None:
        """Puts the bundle into a file, whole or not at all."""
        write_atomic(path, self.data)


def make_bundle(
    facts: Mapping[str, Any],
    predictions: Predictions,
    model_file: bytes | None = None,
    protocol_file: bytes | None = None,
) -> Bundle:
    """The bundle of these, without what the predictions say is true: the same bytes for the same run, everywhere."""
    told = json.dumps({"schema": SCHEMA, **facts}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    sources = {MODEL: model_file, PROTOCOL: protocol_file}
    data = pack(
        {FACTS: told.encode(), PREDICTIONS: untold_csv(predictions).encode(), README: README_TEXT.encode()}
        | {name: content for name, content in sources.items() if content is not None}
    )
    return Bundle(facts, untold(predictions), model_file, protocol_file, data)


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file, every part checked; raises RunError that says in one line what is wrong with it.

    No source in it is run or imported.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as fault:
        raise RunError(f"{path} cannot be read: {fault.strerror}.", "Give the path of a bundle.") from fault
    needed = (FACTS, PREDICTIONS, README)
    contents = unpack(data, path.name, known=(*needed, MODEL, PROTOCOL), needed=needed)
    try:
        facts = checked_facts(json_object(contents[FACTS]))
        classes, protocol = tuple(facts["classes"]), str(facts["spec"]["protocol"])
        predictions = _parse(contents[PREDICTIONS].decode("utf-8"), classes, protocol)
        bundle = Bundle(facts, predictions, contents.get(MODEL), contents.get(PROTOCOL), data)
        _check_consistent(bundle)
    except PredictionError as fault:
        raise refused(path.name, fault.what.rstrip(".")) from fault
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise refused(path.name, f"{FACTS} is damaged ({type(fault).__name__}: {fault})") from fault
    return bundle


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object in these bytes; ValueError where it is none, holds what JSON does not know or one key twice."""

    def no_number(text: str) -> None:
        raise ValueError(f"{text} is no number in JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)

    found = json.loads(data.decode("utf-8"), parse_constant=no_number, object_pairs_hook=once)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def checked_facts(found: dict[str, Any]) -> dict[str, Any]:
    """The facts of a bundle without their schema; ValueError where one is lacking or of another kind."""
    schema = found.pop("schema", None)
    if schema != SCHEMA:
        raise ValueError(f"its schema is {str(schema)[:40]!r}, not {SCHEMA}")
    wrong = sorted({*found} ^ {*_KEYS}) or [key for key, kind in _KEYS.items() if type(found[key]) is not kind]
    if wrong:
        raise ValueError(f"{wrong[0][:40]!r} is lacking, not known or of the wrong kind")
    return found


def untold(predictions: Predictions) -> Predictions:
    """The predictions without what is true of any clip, by seed and clip."""
    rows = (Prediction(r.clip, r.fold, r.seed, None, r.predicted, r.scores) for r in predictions.rows)
    ordered = sorted(rows, key=lambda row: (row.seed, row.clip))
    return Predictions(predictions.protocol, predictions.classes, tuple(ordered))


def untold_csv(predictions: Predictions) -> str:
    """The CSV of predictions without its column of truth."""
    table = cells(untold(predictions).to_csv(), ",", PREDICTIONS)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(row[:_TRUTH] + row[_TRUTH + 1 :] for _, row in table)
    return text.getvalue()


def said_digest(predictions: Predictions) -> str:
    """SHA-256 over which clip was predicted as what in which fold, without truth and scores."""
    said = sorted([row.clip, row.fold, row.predicted or ""] for row in predictions.rows)
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def _parse(text: str, classes: tuple[str, ...], protocol: str) -> Predictions:
    """The predictions in a CSV that lacks the column of truth; raises PredictionError as `parse_csv` does."""
    table = cells(text, ",", PREDICTIONS)
    whole = io.StringIO()
    writer = csv.writer(whole, lineterminator="\n")
    for at, (_, row) in enumerate(table):
        writer.writerow([*row[:_TRUTH], "" if at else COLUMNS[_TRUTH], *row[_TRUTH:]])
    return parse_csv(whole.getvalue(), classes, protocol=protocol, source=PREDICTIONS)


def _check_consistent(bundle: Bundle) -> None:
    """Raises ValueError where the parts of a bundle contradict each other."""
    wrong = misfit({key: value for key, value in bundle.facts.items() if key != "missing"})
    if wrong:
        raise ValueError(f"{wrong!r} is of the wrong kind")
    known = {field.name for field in fields(RunSpec)}
    if {*bundle.spec} != known:
        raise ValueError(f"its spec does not hold {', '.join(sorted(known ^ {*bundle.spec}))}")
    if RunSpec(**bundle.spec).id != bundle.run:
        raise ValueError(f"the run's id {bundle.run[:20]!r} does not follow from its spec")
    from_file = hashlib.sha256(bundle.model_file).hexdigest() if bundle.model_file is not None else None
    if from_file != bundle.spec["model_digest"]:
        raise ValueError(f"{MODEL} is not the source the run was made with")
    if any({*fold} != {"id", "train", "test"} for fold in bundle.facts["folds"]):
        raise ValueError("a fold holds more than its name, its clips and how many train")
    clips = [clip for fold in bundle.facts["folds"] for clip in fold["test"]]
    if len(set(clips)) < len(clips) or len(bundle.folds) < len(bundle.facts["folds"]):
        raise ValueError("a fold is there twice, or a clip is tested twice")
    tested = {(clip, fold) for fold, clips in bundle.folds.items() for clip in clips}
    stray = next((row for row in bundle.predictions.rows if (row.clip, row.fold) not in tested), None)
    if stray is not None:
        raise ValueError(f"{stray.clip} is predicted in fold {stray.fold}, which does not test it")
    if set(bundle.predictions.seeds) != set(bundle.seeds):
        raise ValueError(f"the seeds predicted are not {', '.join(map(str, bundle.seeds))}")


__all__ = [
    "FACTS",
    "MODEL",
    "PREDICTIONS",
    "PROTOCOL",
    "SCHEMA",
    "Bundle",
    "json_object",
    "make_bundle",
    "read_bundle",
    "said_digest",
    "untold",
    "untold_csv",
]

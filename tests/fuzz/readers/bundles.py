"""What other labs send: bundles and records of replications. Archives whose parts changed and fit together again."""

import copy
import csv
import hashlib
import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mebench.archive import SUMS, pack
from mebench.bundle import FACTS, MODEL, PREDICTIONS, PROTOCOL, Bundle, read_bundle
from mebench.clips import canonical_json
from mebench.replication import SCHEMA, Replication, add_record
from mebench.runs import RunSpec
from mebench.signing import Identity
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.labs import home_with, lab_of
from tests.fuzz.spoken import say
from tests.fuzz.structures import changed
from tests.fuzz.values import damaged, text

SECOND = Identity("Second Lab", bytes(range(32)))
_HOSTILE = (
    "../out.txt",
    "/tmp/out.txt",
    "..\\out.txt",
    "C:out",
    "a/../../b",
    "model.py/",
    "\x1b[31m",
    "README.txt ",
    "x" * 300,
)


def _prepare(place: Place) -> None:
    """Bundles of both runs, and a record of the one that looks at nothing."""
    root = lab_of(place)
    for model, file in (("uniform", "uniform.zip"), ("means.Means", "means.zip")):
        say(["--home", root / "home", "export", model, "-o", place.kept / file])
    other = place.kept / "other"
    other.mkdir(exist_ok=True)
    (other / "identity.json").write_text(
        json.dumps({"schema": "mebench.identity/1", "lab": SECOND.lab, "secret": SECOND.secret.hex()})
    )
    more = [f"--data=casme2={root / 'corpus'}", "--folds", "9", "--jobs", "1", "-o", place.kept / "record.json"]
    say(["--home", other, "replicate", place.kept / "uniform.zip", *more])


@cache
def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != SUMS}


def _bundle_case(rng: random.Random, place: Place) -> Case:
    file = rng.choice(("uniform.zip", "uniform.zip", "means.zip"))
    members = dict(_members(place.kept / file))
    facts = json.loads(members[FACTS])
    original, valid = copy.deepcopy(facts), True
    how = rng.choice(
        ("facts", "facts", "facts", "facts", "predictions", "predictions", "sources", "archive", "bytes", "bytes")
    )
    if how == "facts":
        likely = (
            tuple((key,) for key in facts)
            + tuple(("spec", key) for key in facts["spec"])
            + (("folds", 0, "test"), ("folds", 0, "id"))
        )
        title = "; ".join(changed(rng, facts, dates=False, likely=likely) for _ in range(rng.choice((1, 1, 2))))
        if rng.random() < 0.5:
            _identified_again(facts)
        members[FACTS] = (json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode(
            "utf-8", "replace"
        )
    elif how == "predictions":
        members[PREDICTIONS], title = _predictions(rng, members[PREDICTIONS])
    elif how == "sources":
        name = rng.choice((MODEL, PROTOCOL, FACTS, "README.txt"))
        members[name] = damaged(rng, members.get(name, b"import os\nos.system('touch executed')\n"))
        title = f"{name} changed"
    else:
        title = how
    content = pack(members)
    if how == "archive":
        content, title = _odd_archive(rng, members)
    elif how == "bytes":
        content, valid, title = damaged(rng, content), False, "bytes of the file"
    folder = place.work / "in"
    folder.mkdir()
    path = folder / "run.zip"
    path.write_bytes(content)
    root = lab_of(place)
    again = ["replicate", path, f"--data=casme2={root / 'corpus'}", "--lab", "X", "--folds", "9", "--jobs", "1"]
    again += ["-o", place.home / "record.json"]
    repeated = rng.random() < (0.4 if file == "uniform.zip" else 0.1)

    def read() -> tuple[Bundle, dict[str, Any] | None]:
        found = read_bundle(path)
        if not repeated:
            return found, None
        say(["--home", place.home, *again])
        return found, json.loads((place.home / "record.json").read_text())["statement"]

    return Case(f"{how}: {title}", valid, read, lambda found: _bundle_judge(original, *found))


def _identified_again(facts: dict[str, Any]) -> None:
    """The run's id follows from its spec, as a liar would see to."""
    try:
        facts["run"] = RunSpec(**facts["spec"]).id
    except (TypeError, KeyError, ValueError):
        return


def _predictions(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    rows = list(csv.reader(io.StringIO(content.decode())))
    at, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
    how = rng.choice(("cell", "cell", "cell", "lost", "doubled"))
    if how == "cell":
        rows[at][column] = rng.choice(
            (rng.choice(rows)[column], text(rng).replace("\0", ""), "", "disgust", "happiness")
        )
    elif how == "lost":
        del rows[at]
    else:
        rows.insert(at, rows[at])
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerows(rows)
    return held.getvalue().encode("utf-8", "replace"), f"{how} {column} of row {at}"


def _odd_archive(rng: random.Random, members: dict[str, bytes]) -> tuple[bytes, str]:
    """An archive that Python opens and mebench did not write."""
    how = rng.choice(
        ("extra", "deflated", "comment", "link", "folder", "swollen", "twice", "encrypted", "without sums")
    )
    name = rng.choice(_HOSTILE)
    whole = members | {
        SUMS: "".join(f"{hashlib.sha256(members[n]).hexdigest()}  {n}\n" for n in sorted(members)).encode()
    }
    image = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(  # a member may be there twice
            image, "w", zipfile.ZIP_DEFLATED if how in ("deflated", "swollen") else zipfile.ZIP_STORED
        ) as archive,
    ):
        for member in sorted(whole):
            if how != "without sums" or member != SUMS:
                archive.writestr(zipfile.ZipInfo(member), whole[member])
        if how == "extra":
            archive.writestr(zipfile.ZipInfo(name), b"x")
        elif how == "link":
            entry = zipfile.ZipInfo("model.py")
            entry.create_system, entry.external_attr = 3, 0o120777 << 16
            archive.writestr(entry, "/etc/passwd")
        elif how == "folder":
            archive.writestr(zipfile.ZipInfo("model.py/"), b"")
        elif how == "swollen":
            archive.writestr(zipfile.ZipInfo("model.py"), bytes(80 * 2**20), zipfile.ZIP_DEFLATED)
        elif how == "comment":
            archive.comment = b"hidden"
    content = image.getvalue()
    if how == "encrypted":
        at = content.find(b"PK\x01\x02")
        content = content[: at + 8] + b"\x01\x00" + content[at + 10 :]
    elif how == "twice":
        content += content
    return content, f"{how} {name!r:.40}" if how == "extra" else how


def _bundle_judge(original: dict[str, Any], bundle: Bundle, statement: dict[str, Any] | None) -> str:
    spec = dict(bundle.spec)
    hashed = {key: value for key, value in spec.items() if key != "facts"}
    if hashlib.sha256(canonical_json(hashed).encode()).hexdigest()[:12] != bundle.run:
        return "its id does not follow from its spec"
    tests = [clip for clips in bundle.folds.values() for clip in clips]
    if len(set(tests)) < len(tests):
        return "a clip is tested twice"
    if statement is None:
        return ""
    said = {(row.clip, row.seed): row.predicted for row in bundle.predictions.rows}
    alike = sum(said.get((clip, seed)) == predicted for clip, _, seed, predicted in statement["rows"])
    if statement["agreement"]["identical"] != alike:
        return f"{statement['agreement']['identical']} alike, counted again {alike}"
    wrong = [key for key in ("folds", "classes") if bundle.facts[key] != original[key]]
    told = {"input_key"}  # other inputs are no reason not to repeat a run: the record says that they differ
    wrong += [key for key in hashed if hashed[key] != original["spec"].get(key) and key not in told]
    return f"{wrong[0]} is not that of the run, and it was replicated" if wrong else ""


def _record_case(rng: random.Random, place: Place) -> Case:
    home = home_with(place, "runs")
    record = json.loads((place.kept / "record.json").read_text())
    original, valid = copy.deepcopy(record["statement"]), True
    signed = rng.random() < 0.6
    statement = record["statement"]
    title = "; ".join(
        changed(rng, statement, dates=False, likely=tuple((key,) for key in statement))
        for _ in range(rng.choice((1, 1, 2)))
    )
    statement = record["statement"] = json.loads(json.dumps(statement, default=str))
    if signed:
        record["signature"] = SECOND.sign(f"{SCHEMA}\n{canonical_json(statement)}".encode("utf-8", "replace"))
    content = json.dumps(record, ensure_ascii=False, default=str).encode("utf-8", "replace")
    if rng.random() < 0.2:
        content, valid, title = damaged(rng, content), False, "bytes of the file"
    folder = place.work / "in"
    folder.mkdir()
    path = folder / "record.json"
    path.write_bytes(content)
    spoken = rng.random() < 0.3

    def read() -> Replication:
        found = add_record(home, path)
        if spoken:
            say(["--home", home, "leaderboard"])
        return found

    def judge(found: Replication) -> str:
        # The home never saw the bundle; how many folds were asked for says nothing where all were drawn.
        free = {"lab", "date", "environment", "model", "same_inputs", "same_source", "synthetic", "bundle", "choice"}
        there = {**found.statement, "rows": sorted(found.statement["rows"])}  # their order says nothing
        due = {**original, "rows": sorted(original["rows"])}
        wrong = sorted(k for k in due if k not in free and not _same(there.get(k), due[k]))
        return f"{wrong[0]} was changed to {there.get(wrong[0])!r:.80} and entered" if wrong else ""

    return Case(f"{'signed again' if signed else 'not signed'}: {title}", valid, read, judge)


def _same(here: Any, there: Any) -> bool:
    """Equal, where true is not 1 and a figure may differ in its last digits."""
    if isinstance(here, dict) and isinstance(there, dict):
        return here.keys() == there.keys() and all(_same(here[k], there[k]) for k in here)
    if isinstance(here, float) and isinstance(there, int | float):
        return abs(here - there) <= 1e-9
    return type(here) is type(there) and here == there


def _reader(name: str, make: Callable[[random.Random, Place], Case]) -> Reader:
    return Reader(name, make, _prepare)


BUNDLE = _reader("bundle", _bundle_case)
RECORD = _reader("replication record", _record_case)

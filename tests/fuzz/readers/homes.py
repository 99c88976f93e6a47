"""What lies in a home: manifests, folds and their seals, failures, ledger, registrations, identities.

Damage must be seen. A row of the leaderboard is what it was, or does not call itself complete; only a fold that was
written again together with its seal, which no accident does, may count otherwise.
"""

import csv
import hashlib
import io
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mebench.files import sidecar
from mebench.signing import SCHEMA, Identity, identity_of
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.labs import home_with, lab_of
from tests.fuzz.spoken import Said, say
from tests.fuzz.structures import changed
from tests.fuzz.values import damaged, text

COUNTED = ("status", "seeds", "clips", "subjects", "coverage", "uf1", "uar", "accuracy", "weighted_f1", "tried")


def _prepare(place: Place) -> None:
    lab_of(place)


def _json(rng: random.Random, path: Path, likely: tuple = ()) -> tuple[str, bool]:
    """The file's JSON is changed, or its bytes; what was done, and whether it still is JSON."""
    if rng.random() < 0.25:
        how = rng.choice(("bytes", "bytes", "bytes", "nested", "digits", "twice"))
        content = path.read_bytes()
        ruined = {
            "bytes": lambda: damaged(rng, content),
            "nested": lambda: b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "digits": lambda: b'{"x": ' + b"9" * 5_000 + b"}",
            "twice": lambda: content + content,
        }[how]()
        path.write_bytes(ruined)
        return f"{path.name} ruined: {how}", False
    document = json.loads(path.read_text(encoding="utf-8"))
    said = [changed(rng, document, dates=False, likely=likely) for _ in range(rng.choice((1, 1, 1, 2)))]
    path.write_text(json.dumps(document, default=str).encode("utf-8", "replace").decode(), encoding="utf-8")
    return f"{path.name}: {'; '.join(said)}", True


def _csv(rng: random.Random, path: Path) -> str:
    """A cell, a row or a column of the file is changed."""
    rows = list(csv.reader(io.StringIO(path.read_text())))
    at = rng.randrange(len(rows))
    how = rng.choice(("cell", "cell", "cell", "lost", "doubled", "column"))
    if how == "cell":
        column = rng.randrange(len(rows[at]))
        rows[at][column] = rng.choice((rng.choice(rows)[column], text(rng).replace("\0", ""), "", "disgust", "1"))
    elif how == "lost":
        del rows[at]
    elif how == "doubled":
        rows.insert(at, rows[at])
    else:
        for row in rows:
            row.pop()
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerows(rows)
    path.write_bytes(held.getvalue().encode("utf-8", "replace"))
    return f"{path.name}: {how} in row {at}"


def _sealed_again(path: Path) -> None:
    """The seal of what lies there now."""
    notes = [line for line in sidecar(path).read_text().splitlines() if line.startswith("# ")]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sidecar(path).write_text("\n".join([*notes, f"{digest}  {path.name}", ""]))


def _run_case(rng: random.Random, place: Place) -> Case:
    home = home_with(place, "runs", "ledger")
    seeds = sorted(home.glob("runs/*/*/*/seed-*"))
    seed = rng.choice(seeds)
    folds = sorted((seed / "folds").glob("*.csv"))
    fold, resealed, valid = rng.choice(folds), False, True
    how = rng.choice(
        ("manifest",) * 8
        + ("fold",) * 4
        + ("seal", "failure", "failure", "ledger", "ledger", "summary", "place", "place")
    )
    if how == "manifest":
        path = seed / "manifest.json"
        inner = ("spec", "folds", "truth", "classes", "subjects", "seed", "aggregate", "annotations", "task", "id")
        title, valid = _json(rng, path, tuple((key,) for key in inner))
    elif how == "fold":
        title, resealed = _csv(rng, fold), rng.random() < 0.5
        if resealed:
            _sealed_again(fold)
    elif how == "seal":
        sidecar(fold).write_bytes(damaged(rng, sidecar(fold).read_bytes()))
        title, valid = f"{sidecar(fold).name} ruined", False
    elif how == "failure":
        fold.unlink()
        record = fold.with_suffix(".failed.json")
        record.write_text(json.dumps({"schema": "mebench.failure/1", "fold": fold.stem, "what": "x", "traceback": "y"}))
        title, valid = _json(rng, record)
    elif how == "ledger":
        title, valid = _json(rng, rng.choice(sorted(home.glob("ledger/*/*/*/*.json"))))
    elif how == "summary":
        title = _csv(rng, rng.choice(sorted(home.glob("runs/*/*/*/*/predictions.csv"))))
    else:
        title, valid = _misplaced(rng, place, seed, fold), False
    command = _command(rng, place, home)

    def read() -> Said:
        told = say(["--home", home, "leaderboard", "--format", "csv"])
        if command:
            say(command)
        return told

    return Case(f"{how}: {title}", valid, read, lambda said: "" if resealed else _board_fault(place, said))


def _misplaced(rng: random.Random, place: Place, seed: Path, fold: Path) -> str:
    """A file becomes a folder, a link, another name, or nothing."""
    path = rng.choice((seed / "manifest.json", fold, sidecar(fold), seed, seed.parent))
    how = rng.choice(("folder", "link out", "dangling", "renamed", "empty", "loop"))
    if path.is_dir():
        new = rng.choice(("seed-1e3", "seed-²", "seed-", "x", "seed-00", "seed-99999999999999999999999"))
        path.rename(path.with_name(new))
        return f"{path.name} is called {new}"
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "link out":
        path.symlink_to(place.outside / "secret.txt")
    elif how == "dangling":
        path.symlink_to(place.outside / "nothing")
    elif how == "loop":
        path.symlink_to(path)
    elif how == "empty":
        path.touch()
    return f"{path.name}: {how}"


def _command(rng: random.Random, place: Place, home: Path) -> list[object]:
    """What else is asked of the home."""
    root = lab_of(place)
    ids = sorted({path.parent.name for path in (root / "home" / "runs").glob("*/*/*/seed-0")})
    again = ["run", "uniform", "--protocol", root / "planted.toml", "--jobs", 1, f"--data=casme2={root / 'corpus'}"]
    asked: list[list[object]] = [
        [], ["list", "runs", "--json"], ["show", rng.choice(ids), "--json"], ["show", rng.choice(ids)],
        ["compare", *ids, "--json"], ["export", rng.choice(ids), "-o", home / "run.zip"], again,
        ["leaderboard", "--json"], ["leaderboard"], ["leaderboard", "--format", "tex"],
        ["forget", "casme2", "--yes", "--json"],
    ]  # fmt: skip
    chosen = rng.choice(asked)
    return ["--home", home, *chosen] if chosen else []


def _board_fault(place: Place, said: Said) -> str:
    """Rows that call themselves complete are what they were."""
    sound = _sound_rows(lab_of(place) / "home")
    for row in csv.DictReader(io.StringIO(said.out)):
        if row["status"] != "complete":
            continue
        was = sound.get(row["model"])
        if was is None:
            return f"a row of {row['model']!r:.60}, which never ran"
        fewer = int(row["seeds"]) < int(was["seeds"])  # a seed whose folder is gone is not counted, and the row says so
        wrong = [
            name for name in COUNTED if row[name] != was[name] and not (fewer and name not in ("clips", "subjects"))
        ]
        if wrong:
            return f"{wrong[0]} of {row['model']} is {row[wrong[0]]} instead of {was[wrong[0]]}"
    return ""


@cache
def _sound_rows(home: Path) -> dict[str, dict[str, str]]:
    told = say(["--home", home, "leaderboard", "--format", "csv"]).out
    return {row["model"]: row for row in csv.DictReader(io.StringIO(told))}


def _state_case(rng: random.Random, place: Place) -> Case:
    """The registration of a corpus, and files beside it, under commands that rely on it."""
    home = home_with(place, "corpora", "store")
    root = lab_of(place)
    path = home / "corpora" / "casme2.json"
    inner = ("schema", "dataset", "root", "asked", "annotation", "fingerprint", "clips")
    title, valid = _json(rng, path, tuple((key,) for key in inner))
    run = ["run", "uniform", "--protocol", root / "planted.toml", "--jobs", 1, "--json"]
    asked = [
        run,
        run,
        run,
        ["forget", "casme2", "--subject", "1", "--yes"],
        ["forget", "casme2", "--yes"],
        ["list", "datasets"],
    ]
    asked += [["run", f"{root / 'means.py'}:Means", *run[2:]]]
    command = rng.choice(asked)

    def judge(said: Said) -> str:
        if command[0] != "run":
            return ""
        member = json.loads(said.out)["members"][0]
        truths = [json.loads(p.read_text())["truth"] for p in home.glob("runs/*/*/*/seed-0/manifest.json")]
        return (
            ""
            if truths == [_truth(root)] and (member["folds"], member["done"]) == (4, 4)
            else f"ran on {truths!s:.200}"
        )

    return Case(f"{' '.join(map(str, command[:2]))}: {title}", valid, lambda: say(["--home", home, *command]), judge)


@cache
def _truth(root: Path) -> dict[str, str]:
    manifest = next((root / "home" / "runs").glob("*/uniform/*/seed-0/manifest.json"))
    truth: dict[str, str] = json.loads(manifest.read_text())["truth"]
    return truth


def _identity_case(rng: random.Random, place: Place) -> Case:
    """The file of a lab's key."""
    path = place.home / "identity.json"
    path.write_text(json.dumps({"schema": SCHEMA, "lab": "First Lab", "secret": rng.randbytes(32).hex()}))
    title, valid = _json(rng, path)
    document: Any = None
    if valid:
        document = json.loads(path.read_text())
    lab = rng.choice((None, "First Lab", "Second Lab"))

    def judge(found: Identity) -> str:
        if document is None:
            return ""
        same = found.lab == document.get("lab") and found.secret == bytes.fromhex(document["secret"])
        return "" if same and found.sign(b"x") else f"signs as {found.lab!r:.60}, the file says {document!r:.200}"

    return Case(title, valid, lambda: identity_of(place.home, lab), judge)


def _reader(name: str, make: Callable[[random.Random, Place], Case]) -> Reader:
    return Reader(name, make, _prepare)


RUN = _reader("run on disk", _run_case)
STATE = _reader("registration", _state_case)
IDENTITY = _reader("identity", _identity_case)
__all__ = ["IDENTITY", "RUN", "STATE"]

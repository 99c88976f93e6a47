"""What there is: corpora, protocols, models, runs; one of them shown; the state of this installation."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import getdoc
from pathlib import Path
from typing import Any

from mebench import plugins, runs
from mebench.corpora import dataset, given_tables, parse_pairs
from mebench.errors import MebenchError, UnknownName
from mebench.protocol import Suite, load_protocol, protocol_names

LANDMARK_LICENCE = "trained on iBUG 300-W, whose terms exclude commercial use"


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing in words and as plain JSON values."""

    text: str
    record: Mapping[str, Any]


def listing(what: str, home: Path) -> list[dict[str, Any]]:
    """One row of plain values per corpus, protocol, model or run."""
    rows = {"datasets": _datasets, "protocols": _protocols, "models": _models}
    return rows[what]() if what in rows else _runs(home)


def show_anything(options: Mapping[str, Any]) -> Shown:
    """The protocol, suite, corpus, model or run of this name; raises UnknownName where there is none of any kind."""
    name = str(options["name"])
    if name.endswith(".toml") or name in protocol_names():
        return _show_protocol(name, options)
    if name in plugins.names("dataset"):
        return _show_dataset(name)
    if name in plugins.names("model") or ".py:" in name:
        return _show_model(name)
    try:
        return _show_run(runs.find_run(options["home"], name))
    except UnknownName:
        kinds = [*protocol_names(), *plugins.names("dataset"), *plugins.names("model")]
        raise UnknownName("protocol, corpus, model or run", name, kinds) from None


def diagnosis(home: Path) -> dict[str, str]:
    """What this installation is made of and whether it can work."""
    home_there = next(p for p in (home, *home.parents) if p.exists())
    usage = shutil.disk_usage(home_there)
    landmarks = find_spec("face_recognition_models") is not None
    return {
        **runs.environment(),
        "executable": sys.executable,
        "home": f"{home}{'' if home.exists() else ' (not made yet)'}",
        "free space": f"{usage.free / 2**30:.1f} GiB",
        "landmark model": f"68 points, {LANDMARK_LICENCE}" if landmarks else "absent: prepare cannot find faces",
        "models": ", ".join(plugins.names("model")),
        "datasets": ", ".join(plugins.names("dataset")),
    }


def _datasets() -> list[dict[str, Any]]:
    return [{"name": name, "title": dataset(name).title} for name in plugins.names("dataset")]


def _protocols() -> list[dict[str, Any]]:
    loaded = [load_protocol(name) for name in protocol_names()]
    return [
        {
            "name": p.name,
            "version": p.version,
            "kind": "suite" if isinstance(p, Suite) else "protocol",
            "title": p.title,
        }
        for p in loaded
    ]


def _models() -> list[dict[str, Any]]:
    rows = []
    for name in plugins.names("model"):
        model = plugins.load("model", name)
        rows.append({"name": name, "fidelity": getattr(model, "fidelity", None) or "-", "title": title_of(model)})
    return rows


def _runs(home: Path) -> list[dict[str, Any]]:
    return [
        {
            "id": run.id,
            "protocol": run.spec["protocol"],
            "model": run.spec["model"],
            "seeds": len(run.seeds),
            "status": run.status(),
        }
        for run in runs.stored_runs(home)
    ]


def title_of(model: Any) -> str:
    """The title a model class or object declares, else its class name."""
    kind = model if isinstance(model, type) else type(model)
    return str(getattr(model, "title", kind.__name__))


def _show_protocol(name: str, options: Mapping[str, Any]) -> Shown:
    from mebench.show import describe, show_record

    loaded = load_protocol(name)
    tables = given_tables(
        parse_pairs("--data", options["data"]),
        parse_pairs("--annotation", options["annotation"]),
        corrections=not options["no_corrections"],
    )
    return Shown(describe(loaded, tables), show_record(loaded, tables))


def _show_dataset(name: str) -> Shown:
    corpus = dataset(name)
    record = {
        "schema": "mebench.dataset/1",
        "name": name,
        "title": corpus.title,
        "fps": corpus.fps,
        "access": corpus.access,
        "citation": corpus.citation,
    }
    text = f"{name}: {corpus.title}, {corpus.fps:g} frames per second\n\n{corpus.access}\n\n{corpus.citation}"
    return Shown(text, record)


def _show_model(name: str) -> Shown:
    source = plugins.load_model(name)
    factory = source.factory
    parameters = plugins.parameter_defaults(factory)
    try:
        recipe = str(factory().inputs())
    except (AttributeError, TypeError, MebenchError):
        recipe = "none"
    record = {
        "schema": "mebench.model/1",
        "name": name,
        "title": title_of(factory),
        "fidelity": getattr(factory, "fidelity", None),
        "selection": getattr(factory, "selection", "undeclared"),
        "source": getattr(factory, "source", ""),
        "inputs": recipe,
        "parameters": {key: repr(value) for key, value in parameters.items()},
        "stated": list(getattr(factory, "stated", ())),
        "inferred": list(getattr(factory, "inferred", ())),
    }
    lines = [f"{name}: {record['title']}", getdoc(factory) or "", f"source: {record['source']}"]
    lines += [f"fidelity {record['fidelity'] or '-'}, selection {record['selection']}", f"inputs: {recipe}"]
    lines += [f"  --set {key}={value}" for key, value in record["parameters"].items()]
    for heading in ("stated", "inferred"):
        lines += [f"{heading} by the paper:" if heading == "stated" else "inferred by us:"] if record[heading] else []
        lines += [f"  - {line}" for line in record[heading]]
    return Shown("\n".join(line for line in lines if line), record)


def _show_run(run: runs.StoredRun) -> Shown:
    from mebench.standing import entry_of_run

    entry = entry_of_run(run, tried=0)
    seeds = {seed.seed: {"status": seed.status(), "failed": seed.failures()} for seed in run.seeds}
    first = run.seeds[0].manifest
    record = {
        "schema": "mebench.run-record/1",
        "id": run.id,
        "spec": run.spec,
        "environment": first["environment"],
        "command": first["command"],
        "missing": first["missing"],
        "seeds": seeds,
        "path": str(run.seeds[0].path.parent),
    }
    lines = [f"run {run.id}: {entry.model} under {entry.protocol}, {run.status()}", f"  {record['path']}"]
    lines += [f"  {key}={value}" for key, value in run.spec["parameters"].items()]
    lines += [f"  inputs: {run.spec['recipe']}", f"  privilege {entry.privilege}, selection {entry.selection}"]
    lines += [f"  seed {seed}: {facts['status']}" for seed, facts in seeds.items()]
    lines += [f"    fold {fold} failed: {what}" for facts in seeds.values() for fold, what in facts["failed"].items()]
    lines += [f"  no input for {clip}: {why}" for clip, why in first["missing"].items()]
    return Shown("\n".join(lines), record)

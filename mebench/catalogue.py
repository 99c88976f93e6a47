"""What there is: corpora, protocols, models, runs; one of them shown; the state of this installation."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mebench import plugins, runs
from mebench.corpora import dataset, given_tables, parse_pairs
from mebench.errors import UnknownName
from mebench.protocol import Suite, load_protocol, protocol_names
from mebench.render import terminal
from mebench.run_notes import notes_of

if TYPE_CHECKING:
    from mebench.mistakes import Mistakes

_WIDTH = 120
"""Columns that the tables of a run are drawn in: as wide as the code's own lines."""
LANDMARK_LICENCE = "trained on iBUG 300-W, whose terms exclude commercial use"

_CLAIMS = {
    "deviations": "differs from its source:",
    "stated": "stated by the paper:",
    "inferred": "inferred or chosen by us:",
}
"""What a model class may say of itself, sentence by sentence, and the heading it is shown under."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing in words and as plain JSON values."""

    text: str
    record: Mapping[str, Any]


def listing(what: str, home: Path) -> list[dict[str, Any]]:
    """One row of plain values per corpus, corpus of stills, protocol, model, run or file of weights."""
    rows = {"datasets": _datasets, "stills": _stills, "protocols": _protocols, "models": _models}
    kept = {"runs": _runs, "weights": _weights}
    return rows[what]() if what in rows else kept[what](home)


def show_anything(options: Mapping[str, Any]) -> Shown:
    """The protocol, suite, corpus, model or run of this name; raises UnknownName where there is none of any kind."""
    name = str(options["name"])
    if name.endswith(".toml") or name in protocol_names():
        return _show_protocol(name, options)
    if name in plugins.names("dataset"):
        return _show_dataset(name)
    if name in plugins.names("still"):
        return _show_stills(name)
    if name in plugins.names("model") or ".py:" in name:
        return _show_model(name)
    try:
        run = runs.find_run(options["home"], name)
    except UnknownName:
        return _show_weights(name, options["home"])
    shown = _show_run(run)
    mistakes = _mistakes(run, options)
    if mistakes is None:
        return shown
    drawn = [terminal(table, width=_WIDTH, colour=False) for table in mistakes.tables()]
    return Shown("\n".join([shown.text, "", *drawn]).rstrip(), {**shown.record, "mistakes": mistakes.record()})


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


def _stills() -> list[dict[str, Any]]:
    from mebench.stills.library import still_corpus

    return [{"name": name, "title": still_corpus(name).title} for name in plugins.names("still")]


def _weights(home: Path) -> list[dict[str, Any]]:
    from mebench.weights.registry import registered

    return [
        {"digest": e.digest[:12], "name": e.name, "chain": e.provenance.chain, "saw": e.provenance.text}
        for e in registered(home)
    ]


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


def _show_stills(name: str) -> Shown:
    from mebench.stills.library import still_corpus

    corpus = still_corpus(name)
    record = {"schema": "mebench.stills/1", "name": name, "title": corpus.title, "access": corpus.access}
    text = f"{name}: {corpus.title}, stills for mebench pretrain\n\n{corpus.access}\n\n{corpus.citation}"
    return Shown(text, {**record, "citation": corpus.citation})


def _show_weights(name: str, home: Path) -> Shown:
    """Registered weights; UnknownName where nothing at all is called so."""
    from mebench.weights.registry import find
    from mebench.weights.words import described

    try:
        entry = find(home, name)
    except UnknownName:
        kinds = [*protocol_names(), *plugins.names("dataset"), *plugins.names("still"), *plugins.names("model")]
        raise UnknownName("protocol, corpus, model, run or weights", name, kinds) from None
    return Shown(described(entry), entry.record())


def _show_model(name: str) -> Shown:
    factory = plugins.load_model(name).factory
    parameters = {key: repr(value) for key, value in plugins.parameter_defaults(factory).items()}
    claims = {heading: list(getattr(factory, heading, ())) for heading in _CLAIMS}
    facts = {
        "title": title_of(factory),
        "fidelity": getattr(factory, "fidelity", None),
        "selection": str(getattr(factory, "selection", "undeclared")),
        "source": str(getattr(factory, "source", "")),
        **_input_facts(factory),
        "cost": _cost(factory),
    }
    presets = {
        key: {"parameters": {k: repr(v) for k, v in preset.parameters.items()}, "source": preset.source}
        for key, preset in plugins.presets_of(factory).items()
    }
    lines = [f"{name}: {facts['title']}", getdoc(factory) or "", *_fact_lines(facts)]
    lines += [f"  --set {key}={value}" for key, value in parameters.items()]
    for heading, by in _CLAIMS.items():
        lines += [by, *(f"  - {claim}" for claim in claims[heading])] if claims[heading] else []
    lines += _preset_lines(presets)
    record = {
        "schema": "mebench.model/1", "name": name, **facts, "parameters": parameters, "presets": presets, **claims
    }  # fmt: skip
    return Shown("\n".join(line for line in lines if line), record)


def _input_facts(factory: Any) -> dict[str, Any]:
    """Recipe, privilege and length of the input vector of the model with its default parameters.

    The recipe is `none` where the model names none or cannot be made without parameters; the length is None where it
    does not name its features.
    """
    from mebench.recipes import parse_recipe

    try:
        model = factory()
    except TypeError:  # it has parameters without default
        model = None
    recipe = str(model.inputs()) if hasattr(model, "inputs") else "none"
    dimension = len(model.feature_names_out()) if model is not None and hasattr(model, "feature_names_out") else None
    return {"inputs": recipe, "privilege": parse_recipe(recipe).privilege, "dimension": dimension}


def _cost(factory: Any) -> str:
    """What the model says it costs: in its own words, or, where `cost` is a method, counted with default parameters."""
    said = getattr(factory, "cost", "")
    if not callable(said):
        return str(said)
    counts = factory().cost()
    return f"{counts['parameters']:,} trained parameters, {counts['macs'] / 1e9:.2f} GMAC per clip, with these settings"


def _fact_lines(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"source: {facts['source']}",
        f"fidelity {facts['fidelity'] or '-'}, selection {facts['selection']}, privilege {facts['privilege']}",
        f"inputs: {facts['inputs']}",
        f"dimension: {facts['dimension']}" if facts["dimension"] is not None else "",
        f"cost: {facts['cost']}" if facts["cost"] else "",
    ]


def _preset_lines(presets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["presets, taken with --preset NAME:"] if presets else []
    for name, preset in presets.items():
        settings = ", ".join(f"{key}={value}" for key, value in preset["parameters"].items())
        lines += [f"  {name}: {settings}", f"    {preset['source']}"]
    return lines


def _mistakes(run: runs.StoredRun, options: Mapping[str, Any]) -> "Mistakes | None":
    """Where the run errs, by the annotations given or prepared; None before its first prediction."""
    from mebench.progress import bar
    from mebench.review import review

    given = given_tables(
        parse_pairs("--data", options["data"]),
        parse_pairs("--annotation", options["annotation"]),
        corrections=not options["no_corrections"],
    )
    with bar("amplitude") as progress:
        return review(options["home"], run, given, amplitude=options["amplitude"], progress=progress)


def _show_run(run: runs.StoredRun) -> Shown:
    spec, manifest = run.spec, run.seeds[0].manifest
    folder = run.seeds[0].path.parent
    seeds = {seed.seed: seed.status() for seed in run.seeds}
    failed = {f"seed {seed.seed} fold {fold}": what for seed in run.seeds for fold, what in seed.failures().items()}
    cost, told = run.cost(), notes_of(run)
    record = {
        "schema": "mebench.run-record/1",
        "id": run.id,
        "path": str(folder),
        "status": run.status(),
        "spec": spec,
        "environment": manifest["environment"],
        "command": manifest["command"],
        "cost": asdict(cost) if cost else None,
        "preset": _preset_of(manifest),
        "missing": manifest["missing"],
        "flags": manifest["flags"],
        "seeds": {str(seed): status for seed, status in seeds.items()},
        "failed": failed,
        **told.record(),
    }
    lines = [f"run {run.id}: {spec['model']} under {spec['protocol']}, {run.status()}", f"  {folder}"]
    lines += [f"  {manifest['command']}", f"  inputs: {spec['recipe']}"]
    lines += [f"  privilege {spec['facts']['privilege']}, selection {spec['selection']}"]
    lines += [f"  preset {preset}"] if (preset := _preset_of(manifest)) else []
    lines += [f"  {key}={value}" for key, value in spec["parameters"].items()]
    lines += [f"  {cost.time} in its folds, {cost.size or 'size not recorded'}"] if cost else []
    lines += [f"  seed {seed}: {status}" for seed, status in seeds.items()]
    lines += told.lines()
    lines += [f"  {where} failed: {what}" for where, what in failed.items()]
    lines += [f"  no input for {clip}: {why}" for clip, why in manifest["missing"].items()]
    lines += [f"  {clip}: {', '.join(flags)}" for clip, flags in manifest["flags"].items()]
    return Shown("\n".join(lines), record)


def _preset_of(manifest: Mapping[str, Any]) -> str | None:
    """The preset the run was asked for with; None as well where the manifest is older than presets."""
    return (manifest.get("asked") or {}).get("preset")

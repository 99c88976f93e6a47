"""The verbs that say what there is: lists, one thing in full, this installation."""

from pathlib import Path
from typing import Any

import click

from mebench.verbs.console import FOLDER, data_options, emit, home_option, json_option, tell


@click.command(name="list")
@click.argument("what", type=click.Choice(["datasets", "stills", "protocols", "models", "runs", "weights"]))
@json_option
@home_option
def list_(what: str, home: Path, as_json: bool) -> int:  # noqa: FBT001
    """What there is."""
    from mebench.catalogue import listing

    rows = listing(what, home)
    if as_json:
        emit({"schema": "mebench.list/1", what: rows})
    else:
        for row in rows:
            tell("  ".join(str(value) for value in row.values()))
    return 0


@click.command()
@click.argument("dataset")
@click.argument("clip")
@click.option("--inputs", required=True, metavar="RECIPE", help="Steps, such as 'align(size=224) > onset-apex > flow'.")
@click.option("-o", "--output", required=True, type=FOLDER, help="A .png filmstrip, a .gif, or an .mp4 side by side.")
@json_option
@home_option
def preview(**options: Any) -> int:
    """Draw what a recipe makes of CLIP of a prepared DATASET; real faces only where their owners permit print."""
    from mebench.preview import checked_suffix
    from mebench.preview import preview as drawn

    checked_suffix(options["output"])
    found = drawn(options["home"], options["dataset"], options["clip"], options["inputs"])
    found.write(options["output"])
    if options["as_json"]:
        emit({**found.record(), "file": str(options["output"])})
    else:
        shape = " x ".join(map(str, found.shape))
        tell(f"{found.clip}: {found.kind} {shape}, {len(found.moments)} moments in {options['output']}")
    return 0


@click.command()
@click.argument("name")
@data_options
@click.option("--amplitude", is_flag=True, help="Of a run: its errors by how much moved, from the stored frames.")
@json_option
@home_option
def show(**options: Any) -> int:
    """A protocol, suite, corpus, model, run or file of weights in words, or as JSON."""
    from mebench.catalogue import show_anything

    shown = show_anything(options)
    emit(shown.record) if options["as_json"] else tell(shown.text)
    return 0


@click.command()
@json_option
@home_option
def doctor(home: Path, as_json: bool) -> int:  # noqa: FBT001
    """This installation: versions, landmark model and its licence, home, free space."""
    from mebench.catalogue import diagnosis

    facts = diagnosis(home)
    if as_json:
        emit({"schema": "mebench.doctor/1", **facts})
    else:
        tell("\n".join(f"{key}: {value}" for key, value in facts.items()))
    return 0

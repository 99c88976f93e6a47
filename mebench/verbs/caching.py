"""The verbs about what lies under a home."""

from pathlib import Path
from typing import Any

import click

from mebench.verbs.console import draw, emit, home_option, jobs_of, jobs_option, json_option, tell

DAMAGED = 1


@click.group()
def cache() -> None:
    """What lies under the home: how large it is, whether it is as it was written, what may go."""


@cache.command(name="list")
@json_option
@home_option
def list_(home: Path, as_json: bool) -> int:  # noqa: FBT001
    """Corpora, inputs and runs with their sizes."""
    from dataclasses import asdict

    from mebench.cache import holdings, holdings_table

    found = holdings(home)
    if as_json:
        emit({"schema": "mebench.cache/1", "holdings": [asdict(one) for one in found]})
    else:
        draw(holdings_table(found))
    return 0


@cache.command()
@jobs_option
@json_option
@home_option
def verify(home: Path, jobs: int | None, as_json: bool) -> int:  # noqa: FBT001
    """Compare every file with its digest, and name what is damaged with the command that makes it again."""
    from mebench.cache import verify as compare_digests
    from mebench.progress import bar

    with bar("cache verify") as progress:
        found = compare_digests(home, jobs=jobs_of(jobs), progress=progress)
    emit(found.record()) if as_json else tell(found.text())
    return 0 if found.sound else DAMAGED


@cache.command()
@click.option("--inputs", is_flag=True, help="All inputs too; they are made again when they are asked for.")
@click.option("--dry-run", is_flag=True, help="Say what may go, and remove nothing.")
@json_option
@home_option
def prune(**options: Any) -> int:
    """Remove inputs that no command would read any more, and what killed processes left."""
    from mebench.cache import prune as remove_waste
    from mebench.cache import waste, waste_record, waste_text

    work, done = (waste, False) if options["dry_run"] else (remove_waste, True)
    found = work(options["home"], inputs=options["inputs"])
    if options["as_json"]:
        emit(waste_record(found, options["home"], done=done))
    else:
        tell(waste_text(found, options["home"], done=done))
    return 0

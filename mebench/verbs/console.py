"""What the verbs share: how they print, and the options that more than one of them takes."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mebench.render import Table

UNFINISHED = 3

F = TypeVar("F", bound=Callable[..., Any])


def emit(record: Any) -> None:
    """Prints a record as JSON; characters that do not print stand in it as their numbers."""
    lines = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False).split("\n")
    click.echo("\n".join(line if line.isprintable() else _numbered(line) for line in lines))


def _numbered(line: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def tell(text: str, *, err: bool = False) -> None:
    """Prints lines for a person; names come from strangers' files, and what does not print in them is written out."""
    from mebench.errors import printable

    click.echo("\n".join(map(printable, text.split("\n"))), err=err)


def draw(table: "Table") -> None:
    """Prints a table as wide as the terminal is."""
    from mebench.render import terminal

    width, colour = screen()
    click.echo(terminal(table, width=width, colour=colour), nl=False)


def screen() -> tuple[int, bool]:
    """Columns to draw in, and whether colour is wanted: where a person reads, not where a file is written."""
    from shutil import get_terminal_size

    return get_terminal_size((140, 40)).columns, sys.stdout.isatty()


def jobs_of(given: int | None) -> int:
    """Worker processes: as many as given, else one per core this process may use."""
    return given or len(os.sched_getaffinity(0))


def command_line() -> str:
    """What was typed, as a shell would take it again."""
    import shlex

    return shlex.join(["mebench", *sys.argv[1:]])


def home_of(context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path:
    """The home given to the verb, else to mebench, else the user's data folder."""
    given = value or context.find_root().params.get("home")
    if given:
        return Path(given).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("mebench", appauthor=False)


def options_of(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator that adds several options, in the order given."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


FOLDER = click.Path(path_type=Path)
home_option = click.option(
    "--home", type=FOLDER, callback=home_of, help="Where store and runs live [env MEBENCH_HOME]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
jobs_option = click.option("--jobs", type=click.IntRange(1), help="Worker processes [one per core].")
executor_options = options_of(
    click.option(
        "--executor",
        default="local",
        show_default=True,
        help="Where the work is done: local, dask, or another that is installed.",
    ),
    click.option("--scheduler", metavar="ADDRESS", help="The executor's scheduler, such as tcp://HOST:8786."),
)
data_options = options_of(
    click.option("--data", "data", multiple=True, metavar="DATASET=DIR", help="Annotations of a corpus; repeatable."),
    click.option(
        "--annotation", multiple=True, metavar="DATASET=VERSION", help="Which release, where several lie there."
    ),
    click.option("--no-corrections", is_flag=True, help="Leave every released value as it is."),
)

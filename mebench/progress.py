"""Progress bars on standard error, drawn only for a person: off when it is not a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called as `progress(done, total, what)` whenever a piece of work ends."""


def silent(_done: int, _total: int, _what: str) -> None:
    """Shows nothing."""


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """A progress function that draws a bar with the time left, while standard error is a terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Drawn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Drawn(*columns, TextColumn("{task.fields[what]}"), console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task(title, total=None, what="")
        yield lambda done, total, what: drawn.update(task, completed=done, total=total, what=what)

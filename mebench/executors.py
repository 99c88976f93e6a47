"""Where tasks run: on this machine, or with whoever registered in the entry-point group `mebench.executors`.

An entry is a callable `(places, scheduler)`, a context manager that yields an `Executor`. `places` are the folders that
the tasks read and write, the home first; `scheduler` is what was given by --scheduler, None where nothing was.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mebench import plugins
from mebench.errors import UnknownName, UsageError
from mebench.parallel import executing

LOCAL = "local"


@contextmanager
def chosen(name: str, scheduler: str | None, places: Sequence[Path]) -> Iterator[None]:
    """Within it, tasks run where the command line asks; raises UnknownName, or UsageError where options disagree."""
    if name == LOCAL:
        if scheduler is not None:
            raise UsageError("--scheduler goes with an executor that has one.", "Add --executor dask.")
        yield
        return
    known = plugins.names("executor")
    if name not in known:
        raise UnknownName("executor", name, (LOCAL, *known))
    with plugins.load("executor", name)(places, scheduler) as executor, executing(executor):
        yield


__all__ = ["LOCAL", "chosen"]

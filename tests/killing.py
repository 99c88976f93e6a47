"""Child processes that are killed, or starved, at a chosen moment."""

import os
import signal
from collections.abc import Callable, Mapping

from mebench import files


def in_child(work: Callable[[], object], environment: Mapping[str, str] | None = None) -> int:
    """How a forked child ended that did this work: 0, 1 where it raised, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.environ.update(environment or {})
            files._passes.clear()  # a fresh process has passed nothing
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def heed_ctrl_c() -> None:
    """For `preexec_fn`: a test run in the background of a shell ignores Ctrl-C, and its children would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def killed_at(point: str, count: int, work: Callable[[], object]) -> bool:
    """Whether the child reached the point that often, and so was killed there, before its work was done."""
    status = in_child(work, {"MEBENCH_FAULT": f"{point}:{count}"})
    assert status in (0, -signal.SIGKILL)
    return status != 0

"""The process that reads the inputs: `python -m tests.fuzz.child READER:FIRST:COUNT ...`, one line of JSON per event.

It may run out of memory, hang or crash; the parent, `sweep`, watches it and goes on behind the input that did it.
"""

import json
import os
import resource
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from tests.fuzz.harness import install, lay_out, play
from tests.fuzz.readers import reader_named

ROOM_BYTES = 768 * 2**20
"""Address space that reading one input may take beyond what the process has when it begins."""


def main(jobs: list[str]) -> None:
    """Plays every input of every job and reports on the standard output it was given."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed is no report
    install()
    with tempfile.TemporaryDirectory(prefix="mebench-fuzz-") as folder:
        place = lay_out(Path(folder))
        for job in jobs:
            name, first, count = job.rsplit(":", 2)
            reader = reader_named(name)
            _bound_memory(None)
            reader.prepare(place)
            play(reader, -1, place)  # loads what readers load lazily, before memory is bounded
            _bound_memory(ROOM_BYTES)
            for seed in range(int(first), int(first) + int(count)):
                _tell(report, {"begun": [reader.name, seed]})
                _tell(report, asdict(play(reader, seed, place)))
        os.chdir("/")


def _tell(report: TextIO, record: dict[str, Any]) -> None:
    report.write(json.dumps(record) + "\n")
    report.flush()


def _bound_memory(room: int | None) -> None:
    """The process may have so much more address space than it has now; None lifts the bound."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard if room is None else held + room, hard))


if __name__ == "__main__":
    main(sys.argv[1:])

"""What the eyes keep of a tenth of a pixel, on rendered clips whose truth is known. SYNTHETIC.

Usage: python -m benchmarks.vision PART [--people N] [--clips N] [--keep FILE]

Parts: `alignment` what each anchor leaves of head motion and keeps of the expression; `flow` error, magnitude,
detection and still skin of each method; `apex` how far spotted apexes lie from the true ones; `magnification` where the
module for it is there. With --keep, finished clips stand in a file and are not measured again; --clips ends after so
many.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2

PARTS = ("alignment", "flow", "apex")
_ELSEWHERE = "benchmarks.vision_magnification"


@dataclass(frozen=True)
class Part:
    """The clips of a part, how one is measured, and how rows are printed."""

    planned: Callable[[int], Sequence[Any]]
    measured: Callable[[Any], Iterable[dict[str, Any]]]
    report: Callable[[Sequence[dict[str, Any]]], None]

    @classmethod
    def of(cls, name: str) -> "Part":
        """The part of this name, in a module of its own."""
        module = import_module(f"benchmarks.vision_{name}")
        return cls(module.planned, module.measured, module.report)


def main(arguments: list[str]) -> int:
    """0 once the table is printed."""
    if arguments[:1] == ["magnification"] and find_spec(_ELSEWHERE):
        status: int = import_module(_ELSEWHERE).main(arguments[1:])
        return status
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vision")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--clips", type=int)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    part = Part.of(options.part)
    part.report(rows_of(part, part.planned(options.people)[: options.clips], options.keep))
    return 0


def rows_of(part: Part, planned: Sequence[Any], keep: Path | None) -> list[dict[str, Any]]:
    """The rows of all clips: those kept, and those measured now, added to the file as each clip ends."""
    done: dict[str, list[dict[str, Any]]] = {}
    if keep is not None and keep.exists():
        for line in keep.read_text().splitlines():
            name, rows = json.loads(line)
            done[name] = rows
    for number, one in enumerate(planned, 1):
        name = repr(one)
        if name not in done:
            done[name] = list(part.measured(one))
            if keep is not None:
                with keep.open("a") as file:
                    file.write(json.dumps([name, done[name]]) + "\n")
            sys.stderr.write(f"{number}/{len(planned)}\n")
    return [row for one in planned for row in done[repr(one)]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

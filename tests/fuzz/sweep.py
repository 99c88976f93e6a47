"""A sweep: children that read, a parent that watches them, and the table of what came of it."""

import json
import os
import selectors
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.found import BUGS
from tests.fuzz.harness import FAULTS, LIMIT_S, Outcome

ROOT = Path(__file__).resolve().parents[2]
START_S = 300.0
"""How long a child may take to start and prepare its readers on a busy machine."""


@dataclass(frozen=True)
class Job:
    """A run of seeds of one reader."""

    reader: str
    first: int
    count: int

    def __str__(self) -> str:
        return f"{self.reader}:{self.first}:{self.count}"

    def after(self, seed: int) -> "Job":
        """What is left behind a seed."""
        return Job(self.reader, seed + 1, self.first + self.count - seed - 1)


def outcomes(jobs: Sequence[Job], *, limit_s: float = LIMIT_S) -> Iterator[Outcome]:
    """The outcome of every input of the jobs, in order; where a child dies or hangs the next one goes on behind it."""
    left = [job for job in jobs if job.count > 0]
    while left:
        begun: tuple[str, int] | None = None
        ending = "died"
        for record in _records(left, limit_s):
            if record is None:
                ending = "hang"
            elif "begun" in record:
                begun = (record["begun"][0], record["begun"][1])
            else:
                begun = None
                outcome = Outcome(**record)
                left = _without(left, outcome.reader, outcome.seed)
                yield outcome
        if begun is not None:
            left = _without(left, *begun)
            yield Outcome(begun[0], begun[1], ending)  # type: ignore[arg-type]
        elif left:
            raise RuntimeError(f"the child that was to read {left[0]} ended before it began")


def table(found: Iterable[Outcome]) -> str:
    """Per reader: inputs, valid containers, read, refused, and each kind of fault; then the bugs and their tests."""
    columns = ("reader", "inputs", "valid", "read", "refused", *FAULTS, "slowest")
    by_reader: dict[str, list[Outcome]] = {}
    for outcome in found:
        by_reader.setdefault(outcome.reader, []).append(outcome)
    rows = [columns]
    for reader, all_of in by_reader.items():
        kinds = Counter(o.kind for o in all_of)
        share = f"{sum(o.valid for o in all_of) / len(all_of):.0%}"
        counts = [str(kinds[kind]) for kind in ("read", "refused", *FAULTS)]
        rows.append((reader, str(len(all_of)), share, *counts, f"{max(o.seconds for o in all_of):.2f} s"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    bugs = [f"  {bug.reader}: {bug.what} ({bug.test})" for bug in BUGS if bug.reader in by_reader]
    return "\n".join([*lines, "", f"{len(bugs)} bugs found and mended:", *bugs])


def _without(jobs: Sequence[Job], reader: str, seed: int) -> list[Job]:
    """The jobs that are left once this input is done; those before it are done already."""
    at = next(i for i, job in enumerate(jobs) if job.reader == reader and job.first <= seed < job.first + job.count)
    return [job for job in (jobs[at].after(seed), *jobs[at + 1 :]) if job.count > 0]


def _records(jobs: Sequence[Job], limit_s: float) -> Iterator[dict[str, list] | None]:
    """What a child reports; None where it was killed because it did not go on."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MEBENCH_")}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "tests.fuzz.child", *map(str, jobs)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    assert child.stdout is not None
    try:
        with selectors.DefaultSelector() as ready:
            ready.register(child.stdout, selectors.EVENT_READ)
            held, limit, spent_s = b"", START_S, 0.0
            while True:
                while not ready.select(limit):
                    if _is_stuck(child.pid, limit + spent_s):
                        yield None
                        return
                chunk = os.read(child.stdout.fileno(), 1 << 16)
                if not chunk:
                    return
                *lines, held = (held + chunk).split(b"\n")
                for line in lines:
                    record = json.loads(line)
                    limit, spent_s = limit_s if "begun" in record else START_S, _processor_s(child.pid)[1]
                    yield record
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _is_stuck(pid: int, limit_s: float) -> bool:
    """Whether a child that said nothing waits for something, or has worked so long; not if it waits for a processor."""
    state, spent_s = _processor_s(pid)
    return state not in "RD" or spent_s >= limit_s


def _processor_s(pid: int) -> tuple[str, float]:
    """The state of a process, `R` where it runs or could, and the seconds it ran so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return "Z", 0.0
    return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


__all__ = ["Job", "outcomes", "table"]

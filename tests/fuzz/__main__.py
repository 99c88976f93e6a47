"""`python -m tests.fuzz [--inputs N] [--seed S] [--reader NAME] [--replay READER SEED]` sweeps and prints the table."""

import argparse
import sys

from mebench.verbs.console import tell
from tests.fuzz.readers import READERS
from tests.fuzz.sweep import Job, outcomes, table

FULL = 2_000


def main(arguments: list[str]) -> int:
    """The number of inputs that ended in a fault, at most 100."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Mutated inputs for every reader.")
    parser.add_argument("--inputs", type=int, default=FULL, help="per reader")
    parser.add_argument("--seed", type=int, default=0, help="of the first input; the next have the numbers behind it")
    parser.add_argument("--reader", action="append", choices=list(READERS), help="only this one; repeatable")
    parser.add_argument("--replay", nargs=2, metavar=("READER", "SEED"), help="one input again, told in full")
    options = parser.parse_args(arguments)
    if options.replay:
        jobs = [Job(options.replay[0], int(options.replay[1]), 1)]
    else:
        jobs = [Job(name, options.seed, options.inputs) for name in options.reader or READERS]
    found = []
    for job in jobs:
        for outcome in outcomes([job]):
            found.append(outcome)
            if outcome.fault or options.replay:
                tell(f"{outcome.kind}: --replay '{outcome.reader}' {outcome.seed}: {outcome.title}: {outcome.said}")
        tell(f"{job.reader}: {job.count} inputs", err=True)
    tell(table(found))
    return min(sum(outcome.fault for outcome in found), 100)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

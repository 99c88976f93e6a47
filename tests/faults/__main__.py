"""`python -m tests.faults [--only TEXT] [--most N] [--seed S]` plays every scenario and prints what came of it."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from mebench.progress import bar
from mebench.render import Table
from mebench.verbs.console import draw, tell
from tests.faults.scenarios import SCENARIOS, play, stages
from tests.faults.stage import Verdict


def main(arguments: list[str]) -> int:
    """1 where anything was lost, wrong, made needlessly or said badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Commands disturbed in every way.")
    parser.add_argument("--only", default="", help="scenarios whose title holds this text")
    parser.add_argument("--most", type=int, default=10_000, help="repetitions of each, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the first repetition")
    options = parser.parse_args(arguments)
    chosen = [one for one in SCENARIOS if options.only in one.title]
    work = [(one, options.seed + i) for one in chosen for i in range(min(one.repetitions, options.most))]
    verdicts: list[Verdict] = []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mebench-faults-") as folder, bar("faults") as progress:
        place = Path(folder)
        place.chmod(0o755)
        ready = stages(place)
        for done, (scenario, seed) in enumerate(work, 1):
            verdicts.append(play(scenario, ready[scenario.stage], seed, place))
            if not verdicts[-1].sound:
                tell(f"{verdicts[-1]}")
            progress(done, len(work), scenario.title)
    draw(table(verdicts))
    tell(f"{time.perf_counter() - started:.0f} s")
    return int(not all(one.sound for one in verdicts))


def table(verdicts: Iterable[Verdict]) -> Table:
    """A row per scenario, and the sum."""
    verdicts = list(verdicts)
    by_name: dict[str, list[Verdict]] = {}
    for one in verdicts:
        by_name.setdefault(one.scenario, []).append(one)
    rows = [_row(name, some) for name, some in by_name.items()]
    columns = ("Scenario", "Times", "Kills", "Lost", "Wrong", "Beyond those in flight", "Amiss")
    return Table("", columns, (*rows, _row("all", verdicts)), frozenset(columns[1:]))


def _row(name: str, some: list[Verdict]) -> tuple[str, ...]:
    counts = (
        len(some),
        sum(one.kills for one in some),
        sum(one.lost for one in some),
        sum(one.wrong for one in some),
        sum(one.beyond for one in some),
        sum(bool(one.unclear) for one in some),
    )
    return (name, *map(str, counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the auditor catches: python -m benchmarks.audit leaks | smallest | clean | shipped

leaks      every cheat of tests/leaky.py, and of each FILE given, with the checks that caught it
smallest   cheats that act on ever fewer clips: what they gain in UF1, and how often they are still caught
clean      false alarms over honest models of tests/honest.py, several corpora each
shipped    every registered model, networks for two epochs
"""

import argparse
import importlib.util
import inspect
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mebench import plugins
from mebench.audit import drawn
from mebench.audit.findings import AuditReport
from mebench.audit.model import ModelQuestion, audit_model
from mebench.audit.session import Candidate, Job, Surroundings, attend
from mebench.audit.variants import of_fold
from mebench.errors import MebenchError
from mebench.predictions import Prediction
from mebench.protocol import Task
from mebench.scoring import score

TESTS = Path(__file__).resolve().parent.parent / "tests"
GAINING = ("Stack", "EarlierRun", "BestEpoch", "Memory", "BatchNorm", "Quota")
"""Cheats that gain by cheating, one per channel: memory, disk, choice, folds, and the test clips' own company."""
SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
WATCHED = {"files", "reach"}
"""Checks that see how a model gets at something; the others see what it says."""
LARGE = (12, 25)
"""Subjects and clips of each in the corpus on which gains are measured: an error of UF1 of about .03."""


def audited(model: str, seed: int = 0, **settings: str) -> AuditReport:
    """The report of an audit on a drawn corpus."""
    return audit_model(ModelQuestion(Candidate(model, settings), Path("no-home"), seed=seed))


def leaks(files: list[Path]) -> None:
    """One line per cheat."""
    for file in files:
        for name in cheats(file):
            started = time.perf_counter()
            try:
                caught = audited(f"{file}:{name}").caught
            except MebenchError as fault:
                print(f"{file.stem:16} {name:16} cannot be audited: {fault.what}", flush=True)
                continue
            verdict = ", ".join(caught) or "NOT CAUGHT"
            print(f"{file.stem:16} {name:16} {time.perf_counter() - started:5.1f} s  {verdict}", flush=True)


def cheats(file: Path) -> list[str]:
    """The model classes of a file that are its own, bases that only serve others left out."""
    spec = importlib.util.spec_from_file_location(f"audited_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    own = [v for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__ and n[0] != "_"]
    listed = getattr(module, "CAUGHT_BY", None)
    return [c.__name__ for c in own if hasattr(c, "fit") and (listed is None or c.__name__ in listed)]


def smallest(cheats: Sequence[str], repeats: int) -> None:
    """Per cheat and share: the gain, and how many audits caught it, by what it says and by what it does."""
    print("cheat         share   gain in UF1   caught   by what it says alone", flush=True)
    for name in cheats:
        honest = uf1_at(name, 0.0)
        for share in SHARES:
            found = [audited(f"{TESTS / 'leaky.py'}:{name}", seed, share=str(share)) for seed in range(repeats)]
            said = sum(bool(set(report.caught) - WATCHED) for report in found)
            caught = sum(not report.clean for report in found)
            gain = uf1_at(name, share) - honest
            print(
                f"{name:12} {share:6.2f}   {gain:+11.3f}   {caught:2} of {repeats}   {said:2} of {repeats}", flush=True
            )


def uf1_at(name: str, share: float, seed: int = 77) -> float:
    """The UF1 that a cheat claims on a corpus of 300 clips, acting on this share of them."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, home = Path(folder) / "CASME2", Path(folder) / "share" / "mebench"
        task = drawn.task_of(drawn.write_annotation(corpus, drawn.draw_labels(*LARGE, seed)))
        drawn.record_run(home, task)
        inputs = drawn.draw_features(task, seed)
        arguments = ("mebench", "run", name, "--data", f"casme2={corpus}")
        surroundings = Surroundings(home, (), arguments)
        candidate = Candidate(f"{TESTS / 'leaky.py'}:{name}", {"share": str(share)})
        jobs = (Job(fold.id, task, fold, of_fold(inputs, fold)) for fold in task.folds)
        return uf1(attend(candidate, surroundings, jobs).all_rows(), task)


def uf1(rows: tuple[Prediction, ...], task: Task) -> float:
    """Pooled UF1 over all clips."""
    said = {row.clip: row.predicted for row in rows}
    return score([i.label for i in task.items], [said.get(i.id) for i in task.items], task.protocol.classes).uf1


def clean(repeats: int) -> None:
    """Per honest model how many audits raised an alarm, and by which check."""
    runs, alarms = 0, 0
    sys.path.insert(0, str(TESTS.parent))
    from tests.honest import NAMES

    for name in NAMES:
        found = [audited(f"{TESTS / 'honest.py'}:{name}", seed) for seed in range(repeats)]
        raised = Counter(check for report in found for check in report.caught)
        runs, alarms = runs + repeats, alarms + sum(not report.clean for report in found)
        print(f"{name:14} {sum(not r.clean for r in found)} of {repeats}  {dict(raised) or ''}", flush=True)
    print(f"false alarms: {alarms} of {runs} clean runs")


def shipped() -> None:
    """One line per registered model."""
    for name in plugins.names("model"):
        started = time.perf_counter()
        small = {"lam": {"width": "8", "size": "32"}, "micro-attention": {"size": "32", "epochs": "4"}}.get(name, {})
        report = audited(name, **small)
        verdict = ", ".join(report.caught) or "clean"
        print(f"{name:16} {time.perf_counter() - started:6.1f} s  {verdict}", flush=True)


def main() -> None:
    """Prints the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=["leaks", "smallest", "clean", "shipped"])
    parser.add_argument(
        "which", nargs="*", help="leaks: further files of cheats; smallest: cheats, those that gain if none"
    )
    parser.add_argument("--repeats", type=int, default=5, help="corpora per model")
    given = parser.parse_args()
    if given.table == "leaks":
        leaks([TESTS / "leaky.py", *map(Path, given.which)])
    elif given.table == "shipped":
        shipped()
    elif given.table == "smallest":
        smallest(given.which or GAINING, given.repeats)
    else:
        clean(given.repeats)


if __name__ == "__main__":
    main()

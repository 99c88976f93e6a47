"""`mebench demo`: synthetic corpora, prepared, every model under `loso`, one leaderboard. Needs no licence."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from mebench.execute import run_request
from mebench.prepare import prepare
from mebench.progress import bar
from mebench.requests import Request

PROTOCOL = "loso"
CORPORA = ("casme2", "samm")
SUBJECTS = 8
CLIPS = 40
# LAM's defaults are the paper-like 224 px and the magnified apex alone. A demonstration on two cores, with seven people
# to learn from, takes a small input, a narrow network and few epochs, and shows it the onset beside the apex.
MODELS: dict[str, dict[str, str]] = {
    "constant": {},
    "lbp-top": {},
    "mdmo": {},
    "lam": {"backbone": "resnet10", "width": "16", "size": "64", "epochs": "12", "channels": "pair"},
}

Echo = Callable[[str], object]


def demonstrate(home: Path, *, jobs: int, fresh: bool, echo: Echo, width: int, colour: bool) -> int:
    """0 when everything ran, 3 when a fold failed. Works in `<home>/demo`, a home of its own, and resumes there."""
    from mebench.standing import leaderboard_text

    place = home / "demo"
    if fresh:
        shutil.rmtree(place, ignore_errors=True)
    started = time.monotonic()
    for corpus in CORPORA:
        _corpus(corpus, place, jobs, echo)
    finished = [_model(name, settings, place, jobs, echo) for name, settings in MODELS.items()]
    echo("")
    echo(leaderboard_text(place, PROTOCOL, None, width=width, colour=colour))
    echo(f"{time.monotonic() - started:.0f} s with {jobs} jobs. Everything lies in {place}:")
    echo(f"  corpora      {place / 'synthetic'}  (images, workbooks, ground truth)")
    echo(f"  store        {place / 'store'}  (face crops, landmarks, head motion)")
    echo(f"  predictions  {place / 'runs'}  (one predictions.csv per run and seed; every figure comes from these)")
    echo("What to type next:")
    program = "mebench" if shutil.which("mebench") else sys.argv[0]
    echo(f"  {program} --home {place} leaderboard --format md")
    echo(f"  {program} --home {place} run lbp-top --protocol loso --seeds 3")
    echo(f"  {program} show lam")
    echo(f"  {program} prepare casme2 --data DIR     with the corpus you hold a licence for")
    return 0 if all(finished) else 3


def _corpus(name: str, place: Path, jobs: int, echo: Echo) -> None:
    from mebench.corpora import dataset
    from mebench.datasets.marker import read_marker
    from mebench.synth.corpus import GENERATOR, write_corpus

    root = place / "synthetic" / name
    mark = read_marker(root)
    if mark is None or mark.generator != GENERATOR:
        with bar(f"synth {name}") as progress:
            write_corpus(name, root, subjects=SUBJECTS, clips=CLIPS, jobs=jobs, progress=progress)
    with bar(f"prepare {name}") as progress:
        report = prepare(dataset(name), root, place, jobs=jobs, progress=progress)
    echo(f"{name}: {SUBJECTS} rendered subjects, SYNTHETIC\n{report.text()}")


def _model(name: str, settings: dict[str, str], place: Path, jobs: int, echo: Echo) -> bool:
    typed = " ".join(f"--set {key}={value}" for key, value in settings.items())
    command = f"mebench run {name} --protocol {PROTOCOL} {typed}".strip()
    request = Request(name, PROTOCOL, place, settings=settings, command=command)
    with bar(f"run {name}") as progress:
        report = run_request(request, jobs=jobs, progress=progress)
    echo(f"$ {command}\n{report.text()}")
    return report.complete

"""Whether LAM gains from posed expressions when it has few people to learn from; on rendered faces, it can be tried.

Usage: python -m benchmarks.transfer HOME [--jobs N] [--corpus-seeds N ...] [--seeds N] [--few N ...]
       [--people N] [--subjects N] [--clips N] [--epochs N] [--pretraining-epochs N]

Per corpus seed: stills in the layouts of CK+ and JAFFE, and the smoke corpus, drawn with other people. LAM (small, as
in the demonstration) is tested on each person of the smoke corpus after training on a few of the others, drawn anew for
each seed and the same for every start. Starts: `scratch`; `macro`, pretrained on the stills, at the lower rate that
goes with weights and at that of scratch; and `exchanged`, pretrained on the same stills with labels exchanged within
each person: it has seen the same faces and the same motion, and learnt nothing true of what motion means. What `macro`
has over `exchanged` is knowledge of expressions; what `exchanged` has over `scratch` is knowledge of the renderer.
Results are kept under HOME and not computed twice. Everything is SYNTHETIC.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.evidence import CORPUS, PROTOCOL, corpus_of, task_of
from mebench.datasets.marker import read_marker
from mebench.demo import MODELS
from mebench.evaluation import evaluate_fold
from mebench.execute import build_model, recipe_of
from mebench.files import write_text_atomic
from mebench.inputs import compute_inputs
from mebench.nulls import as_arrays
from mebench.parallel import run_tasks
from mebench.pretraining import PretrainRequest, pretrain
from mebench.protocol import Fold, Task
from mebench.scoring import score
from mebench.stills.faces import store_stills
from mebench.stills.library import still_corpus
from mebench.synth.macro import write_macro

AMPLITUDE_PX = 1.0
STARTS: dict[str, dict[str, str]] = {
    "scratch": {},
    "macro": {},
    "macro, lr=1e-2": {"lr": "0.01"},
    "exchanged": {},
    "exchanged, lr=1e-2": {"lr": "0.01"},
}
"""Each start, and what else it sets."""

KINDS = {"true": False, "exchanged": True}
"""Labels to pretrain on, and whether they are exchanged."""

STATEMENT = """
What this can show: that weights pass from `mebench pretrain` into a fold, at which rates they are of use, and whether,
in this renderer, having seen large motion helps to tell small motion apart when few people are at hand.
What it cannot show: anything about faces. Stills and clips come from one program: the same portrait bent into other
people, the same action units as the same bumps of skin. A gain may be the renderer's; `exchanged` tells how much of it
comes from the mere sight of rendered faces, and nothing here tells how much comes from action units drawn alike. A loss
would not speak against CK+ and JAFFE either. Spreads are over seeds and corpora drawn, not over people."""


@dataclass(frozen=True)
class Plan:
    """What decides every figure."""

    home: Path
    people: int
    subjects: int
    clips: int
    epochs: int
    pretraining_epochs: int

    @property
    def name(self) -> str:
        """Of the folder in which results are kept."""
        return f"{self.people}p-{self.subjects}s-{self.clips}c-{self.epochs}e-{self.pretraining_epochs}pe"


@dataclass(frozen=True)
class Trial:
    """One start on one corpus with one seed, trained on `few` people per fold."""

    plan: Plan
    start: str
    corpus_seed: int
    seed: int
    few: int


@dataclass(frozen=True)
class First:
    """A pretraining: on true labels or exchanged ones."""

    plan: Plan
    exchanged: bool
    corpus_seed: int
    seed: int


def main(arguments: Sequence[str]) -> int:
    """0 once the table is printed."""
    options = parsed(arguments)
    plan = Plan(
        options.home, options.people, options.subjects, options.clips, options.epochs, options.pretraining_epochs
    )
    seeds, corpora = range(options.seeds), options.corpus_seeds
    for corpus_seed in corpora:
        warm(plan, corpus_seed, options.jobs)
    firsts = {
        f"pretraining {kind} {c} {s}": First(plan, exchanged, c, s)
        for kind, exchanged in KINDS.items()
        for c in corpora
        for s in seeds
    }
    trials = {
        f"{start} {c} {s} {few}": Trial(plan, start, c, s, few)
        for start in STARTS
        for c in corpora
        for s in seeds
        for few in options.few
    }
    for function, tasks in ((pretrained, firsts), (measured, trials)):
        for outcome in run_tasks(function, tasks, jobs=options.jobs):  # type: ignore[arg-type]
            if outcome.error:
                raise outcome.error
            sys.stderr.write(f"{outcome.name}\n")
    print_firsts(plan, corpora, seeds)
    print_table(plan, corpora, seeds, options.few)
    print(STATEMENT)
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with the sizes of the full measurement as defaults."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--corpus-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--few", type=int, nargs="+", default=[2, 4, 7])
    parser.add_argument("--people", type=int, default=30, help="of the rendered CK+; JAFFE has a third, at most ten")
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=int(MODELS["lam"]["epochs"]))
    parser.add_argument("--pretraining-epochs", type=int, default=30)
    return parser.parse_args(list(arguments))


def stills_of(plan: Plan, seed: int, jobs: int = 1, *, exchanged: bool = False) -> dict[str, str]:
    """Folders of the two corpora of stills, drawn if need be; with labels exchanged within each person if wanted."""
    place = plan.home / f"seed{seed}" / "stills"
    sizes = {"ck-plus": plan.people, "jaffe": max(1, min(10, plan.people // 3))}
    found = {}
    for name, people in sizes.items():
        true, other = place / f"{name}-{people}", place / f"{name}-{people}-exchanged"
        if read_marker(true) is None:
            write_macro(name, true, subjects=people, seed=seed, jobs=jobs)
        if exchanged and read_marker(other) is None:
            draft = other.with_name(f"{other.name}-draft")
            write_macro(name, draft, subjects=people, seed=seed, jobs=jobs)
            exchange(name, draft, seed)
            draft.rename(other)
        found[name] = str(other if exchanged else true)
    return found


def exchange(name: str, root: Path, seed: int) -> None:
    """Expressions change places within each person; neutral and contempt stay what they are."""
    rng = np.random.default_rng([seed, 7])
    if name == "ck-plus":
        for person in sorted((root / "Emotion").iterdir()):
            files = [f for f in sorted(person.glob("*/*.txt")) if float(f.read_text()) != 2]
            texts = [file.read_text() for file in files]
            for file, i in zip(files, rng.permutation(len(files)).tolist(), strict=True):
                file.write_text(texts[i])
        return
    by_person: dict[str, list[Path]] = {}
    for file in sorted(root.glob("*.tiff")):
        if ".NE" not in file.name:
            by_person.setdefault(file.name[:2], []).append(file)
    for files in by_person.values():
        contents = [file.read_bytes() for file in files]
        for file, i in zip(files, rng.permutation(len(files)).tolist(), strict=True):
            file.write_bytes(contents[i])


def pretrained(first: First) -> Path:
    """The file of weights of a pretraining, from where it was kept or made now."""
    plan, kind = first.plan, "exchanged" if first.exchanged else "true"
    path = plan.home / f"seed{first.corpus_seed}" / plan.name / f"{kind}-{first.seed}.pt"
    note = path.with_suffix(".json")
    if not note.exists():
        settings = {**MODELS["lam"], "epochs": str(plan.pretraining_epochs), "threads": "1"}
        data = stills_of(plan, first.corpus_seed, exchanged=first.exchanged)
        home = weights_home(plan, first.corpus_seed, kind)
        request = PretrainRequest("lam", data, home, settings, first.seed, "cpu", path)
        report = pretrain(request)
        write_text_atomic(note, json.dumps({name: dict(found) for name, found in report.validation.items()}))
    return path


def warm(plan: Plan, seed: int, jobs: int) -> None:
    """Draws what a corpus seed needs, in parallel, and finds the faces in it, before folds run one by one."""
    for kind, exchanged in KINDS.items():
        for name, folder in stills_of(plan, seed, jobs, exchanged=exchanged).items():
            store_stills(weights_home(plan, seed, kind), name, still_corpus(name).load(Path(folder)), jobs=jobs)
    home = corpus_of(target_home(plan), AMPLITUDE_PX, jobs, seed, plan.subjects, plan.clips)
    task, _ = task_of(home)
    compute_inputs(home, recipe_of(build_model("lam", MODELS["lam"], "cpu")), [i.clip for i in task.items], jobs=jobs)


def weights_home(plan: Plan, seed: int, kind: str) -> Path:
    """Where the faces of the stills and the weights trained on them lie."""
    return plan.home / f"seed{seed}" / f"weights-{kind}"


def target_home(plan: Plan) -> Path:
    """Where the smoke corpora of this size lie."""
    return plan.home / f"target-{plan.subjects}s-{plan.clips}c"


def measured(trial: Trial) -> float:
    """The pooled UF1 of one trial, from where it was kept or computed now."""
    plan = trial.plan
    slug = trial.start.replace(", ", "-").replace("=", "")
    folder = plan.home / f"seed{trial.corpus_seed}" / plan.name
    kept = folder / f"{slug}-{trial.few}few-{trial.seed}.json"
    if kept.exists():
        return float(json.loads(kept.read_text())["uf1"])
    home = corpus_of(target_home(plan), AMPLITUDE_PX, 1, trial.corpus_seed, plan.subjects, plan.clips)
    task, _ = task_of(home)
    model = build_model("lam", settings_of(trial), "cpu")
    inputs = as_arrays(compute_inputs(home, recipe_of(model), [item.clip for item in task.items]))
    rows = [
        row
        for fold in few_folds(task, trial.few, trial.seed)
        for row in evaluate_fold(model, task, fold, inputs, trial.seed)
    ]
    truth, said = [row.truth for row in rows], [row.predicted for row in rows]
    uf1 = score(truth, said, task.protocol.classes, full=False).uf1
    write_text_atomic(kept, json.dumps({"uf1": uf1, "clips": len(rows)}))
    return uf1


def settings_of(trial: Trial) -> Mapping[str, str]:
    """Parameters of the model of a trial."""
    settings = {**MODELS["lam"], "epochs": str(trial.plan.epochs), "threads": "1", **STARTS[trial.start]}
    if trial.start != "scratch":
        exchanged = trial.start.startswith("exchanged")
        settings["weights"] = str(pretrained(First(trial.plan, exchanged, trial.corpus_seed, trial.seed)))
    return settings


def few_folds(task: Task, few: int, seed: int) -> list[Fold]:
    """The folds of the task, each trained on `few` of the people it may be trained on; the same for every start."""
    subjects = {item.id: item.subject for item in task.items}
    folds = []
    for i, fold in enumerate(task.folds):
        people = sorted({subjects[clip] for clip in fold.train})
        rng = np.random.default_rng([seed, i])
        chosen = {people[j] for j in rng.permutation(len(people))[:few]}
        folds.append(replace(fold, train=tuple(clip for clip in fold.train if subjects[clip] in chosen)))
    return folds


def print_firsts(plan: Plan, corpora: Sequence[int], seeds: Sequence[int]) -> None:
    """What the pretrainings scored on people held out of them: whether there was anything to pass on."""
    print(f"pretraining: LAM as in the demonstration, {plan.people} and {min(10, plan.people // 3)} rendered people")
    for kind in KINDS:
        notes = [
            json.loads((plan.home / f"seed{c}" / plan.name / f"{kind}-{s}.json").read_text())
            for c in corpora
            for s in seeds
        ]
        for name in sorted({name for note in notes for name in note}):
            uf1 = [note[name]["uf1"] for note in notes if name in note]
            print(f"  {kind:10} labels, held-out people of {name:8} UF1 {np.mean(uf1):.3f} (SD {spread(uf1):.3f})")


def print_table(plan: Plan, corpora: Sequence[int], seeds: Sequence[int], few: Sequence[int]) -> None:
    """UF1 by start and number of people, and differences to scratch over the same folds, corpora and seeds."""
    size = f"{plan.subjects} rendered subjects, {plan.clips} clips, {AMPLITUDE_PX:g} px"
    print(f"\n{PROTOCOL} on {CORPUS}: {size}, SYNTHETIC")
    print(f"{len(corpora)} corpora, {len(seeds)} seeds each; SD over all of them; difference to scratch, pairwise")
    for number in few:
        heads = f"{'UF1':>6} {'SD':>6} {'less scratch':>14} {'SD':>6} {'better in':>10}"
        print(f"\n{f'trained on {number} people':34} {heads}")
        base = scores(plan, "scratch", corpora, seeds, number)
        for start in STARTS:
            found = scores(plan, start, corpora, seeds, number)
            gain = np.array(found) - np.array(base)
            won = "" if start == "scratch" else f"{int((gain > 0).sum())} of {len(gain)}"
            cells = f"{np.mean(found):6.3f} {spread(found):6.3f} {gain.mean():14.3f} {spread(gain.tolist()):6.3f}"
            print(f"  {start:32} {cells} {won:>10}")


def scores(plan: Plan, start: str, corpora: Sequence[int], seeds: Sequence[int], few: int) -> list[float]:
    """UF1 of a start, corpus by corpus and seed by seed."""
    return [measured(Trial(plan, start, c, s, few)) for c in corpora for s in seeds]


def spread(values: Sequence[float]) -> float:
    """Standard deviation; 0 of one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The checks of a model, each a function from the bench to one finding."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mebench.audit import variants
from mebench.audit.bench import Bench, job
from mebench.audit.chance import Chance, chance_of, chance_of_rows, confirmed
from mebench.audit.findings import Finding, listed
from mebench.audit.folders import available
from mebench.audit.session import Job, Transcript
from mebench.audit.world import World
from mebench.nulls import Evidence, permuted
from mebench.predictions import Prediction
from mebench.render import figure
from mebench.scoring import score

RELATIVE, ABSOLUTE = 1e-4, 1e-6
"""How far a score may move when a batch is cut otherwise: single precision sums in another order, with a margin."""
SHARE = "share of predictions that changed"
_EMPTY = "the model is given no input: its test clips are all alike"


def scrambled(bench: Bench) -> Finding:
    """Whether predictions stay bit for bit under other held-out labels, whether inputs tell of the class or not."""
    changed, clips = Changes(), 0
    for world, before in both(bench):
        after = bench.run_variant(world, variants.scrambled)
        changed.compare(before.all_rows(), after, exact=True)
        clips += len(before.all_rows())
    return changed.finding("scrambled", clips, "under other held-out labels")


def order(bench: Bench) -> Finding:
    """Whether what is said of a clip hangs on its place among the test clips."""
    if bench.description.looks_at_nothing:
        return Finding("order", "not applicable", _EMPTY)
    changed, clips = Changes(), 0
    for world, before in both(bench):
        turned = bench.run(world, [variants.reversed_test(fold) for fold in world.folds])
        changed.compare(before.all_rows(), turned, exact=False)
        clips += len(before.all_rows())
    return changed.finding("order", clips, "in another order")


def company(bench: Bench) -> Finding:
    """Whether what is said of a clip hangs on the clips beside it."""
    if bench.description.looks_at_nothing:
        return Finding("company", "not applicable", _EMPTY)
    changed, clips = Changes(), 0
    for world, before in both(bench):
        parts = [part for fold in world.folds for part in variants.parts_of_test(fold)]
        if world is bench.world:
            parts += variants.single_tests(max(world.folds, key=lambda fold: len(fold.test)))
        jobs = [job(world, part, key=f"{part.id} {i}") for i, part in enumerate(parts)]
        changed.compare(before.all_rows(), bench.attend(world, jobs), exact=False)
        clips += len(before.all_rows())
    return changed.finding("company", clips, "in other company")


def folds(bench: Bench) -> Finding:
    """Whether a fold's predictions hang on the folds before it."""
    changed, clips = Changes(), 0
    for world, before in both(bench):
        for fold in world.folds[1:]:
            changed.compare(before.rows[fold.id], bench.run(world, [fold]), exact=False)
            clips += len(before.rows[fold.id])
    return changed.finding("folds", clips, "without the folds that came before")


def repeat(bench: Bench) -> Finding:
    """Whether the same seed gives the same bits in another process."""
    changed, before = Changes(), bench.baseline.all_rows()
    changed.compare(before, bench.run(bench.world, start="spawn"), exact=True)
    return changed.finding("repeat", len(before), "when run again with the same seed")


def names(bench: Bench) -> Finding:
    """Whether predictions hang on what clips and subjects are called."""
    jobs: list[Job] = []
    old: dict[str, str] = {}
    for fold in bench.world.folds:
        task, other, inputs, called = variants.renamed(bench.world.task, fold, bench.world.inputs)
        jobs.append(Job(fold.id, task, other, variants.of_fold(inputs, other)))
        old |= called
    found = bench.attend(bench.world, jobs)
    rows = {key: tuple(replace(row, clip=old[row.clip]) for row in value) for key, value in found.rows.items()}
    changed, before = Changes(), bench.baseline.all_rows()
    changed.compare(before, replace(found, rows=rows), exact=True)
    return changed.finding("names", len(before), "under other names")


def absent(bench: Bench) -> Finding:
    """Whether a class that training does not hold is predicted all the same, or stops the model."""
    task = bench.world.task
    fold = max(bench.world.folds, key=lambda fold: len(fold.test))
    labels = {item.id: item.label for item in task.items}
    jobs = []
    for name in task.protocol.classes:
        left = variants.without_class(task, fold, name)
        if len({labels[clip] for clip in left.train}) > 1:
            jobs.append(job(bench.world, left, key=name))
    if not jobs:
        return Finding("absent", "not applicable", "with a class left out, training would hold a single one")
    found = bench.attend(bench.world, jobs)
    if found.failed:
        name, why = next(iter(found.failed.items()))
        return Finding("absent", "caught", f"fails where training holds no {name}: {why}")
    said = [row.clip for name, rows in found.rows.items() for row in rows if row.predicted == name]
    total = sum(len(rows) for rows in found.rows.values())
    if said:
        why = f"a class that training does not hold is predicted for {listed(said)}"
        return Finding("absent", "caught", why, len(said) / total, "share of predictions", tuple(said))
    return Finding(
        "absent", "clean", f"none of {len(jobs)} classes is predicted untrained", 0.0, "share of predictions"
    )


def files(bench: Bench) -> Finding:
    """What was opened while the model worked."""
    seen = _seen(bench, ("opens", "lists", "writes"))
    touched = _touched_twice(bench)
    said = [*seen, *(f"touches {path}" for path in touched if not any(path in line for line in seen))]
    if said:
        return Finding("files", "caught", listed(said), len(said), "files and folders", tuple(said))
    if all(transcript.watched for transcript in bench.transcripts):
        where = "nothing, by Python or by native code, in home and corpora; nothing else by Python"
    else:
        where = "nothing by Python; what native code opens could not be watched" + ("" if available() else " here")
    return Finding("files", "clean", f"opened: {where}", 0.0, "files and folders")


def reach(bench: Bench) -> Finding:
    """Whether the model reached beyond what it was handed."""
    said = _seen(bench, ("looks at frames or live objects", "starts a process", "connects"))
    said += sorted({f"patches {name}" for transcript in bench.transcripts for name in transcript.patched})
    if said:
        return Finding("reach", "caught", listed(said), len(said), "kinds of reach", tuple(said))
    return Finding("reach", "clean", "no frame, live object, process, connection or patch", 0.0, "kinds of reach")


def null(bench: Bench) -> Finding:
    """Whether the model scores above chance where inputs say nothing."""
    if bench.null_baseline.failed:
        why = next(iter(bench.null_baseline.failed.values()))
        return Finding("null", "not applicable", f"the model fails on inputs that say nothing: {why}")

    def again() -> Chance:
        other = bench.null_number(1)
        return chance_of_rows(bench.run(other).all_rows(), other.task)

    first = chance_of_rows(bench.null_baseline.all_rows(), bench.null.task)
    return _by_chance("null", "inputs that say nothing", *confirmed(first, again))


def answers(bench: Bench) -> Finding:
    """Whether the model knows true labels that nothing it was trained on tells."""
    if bench.world.folds and all(len(fold.test) < 2 for fold in bench.world.folds):
        return Finding("answers", "not applicable", "no subject has two test clips to exchange labels among")

    def look(seeds: Sequence[int]) -> Chance:
        rows: list[tuple[str, Prediction]] = []
        for seed in seeds:
            other = variants.misled(bench.world.task, bench.seed + seed)
            told = bench.attend(bench.world, (job(bench.world, fold, other) for fold in bench.world.folds))
            rows += [(str(seed), row) for row in told.all_rows()]
        items = {item.id: item for item in bench.world.task.items}
        return chance_of(
            [items[row.clip].label for _, row in rows],
            [row.predicted for _, row in rows],
            [f"{seed} {items[row.clip].subject}" for seed, row in rows],
            bench.world.task.protocol.classes,
        )

    if bench.world.task.protocol.multilabel:
        return Finding("answers", "not applicable", "the protocol asks for several classes per clip")
    return _by_chance("answers", "exchanged training labels", *confirmed(look((0, 1)), lambda: look((2, 3))))


def permutation(bench: Bench) -> Finding:
    """The model's score beside what it scores under permuted labels."""
    task = bench.world.task
    null_scores = []
    for i in range(bench.permutations):
        other = permuted(task, np.random.default_rng([bench.seed, i]))
        found = bench.attend(bench.world, (replace(job(bench.world, f, other), seed=i) for f in bench.world.folds))
        null_scores.append(_uf1(found, replace(bench.world, task=other)))
    evidence = Evidence((_uf1(bench.baseline, bench.world),), tuple(null_scores))
    beside = f"97.5 % of {bench.permutations} permutations below {figure(evidence.bound)}, p = {evidence.p:.3f}"
    return Finding("permutation", "reported", f"UF1 {figure(evidence.mean)}, {beside}", evidence.mean, "UF1")


class Changes:
    """Predictions that are not what they were, and jobs that failed."""

    def __init__(self) -> None:
        self.clips: dict[str, None] = {}
        self.failed: dict[str, str] = {}

    def compare(self, before: Iterable[Prediction], after: Transcript, *, exact: bool) -> None:
        """Notes the clips of `before` of which something else is said after, or nothing."""
        self.failed |= after.failed
        now: dict[str, list[Prediction]] = {}
        for row in after.all_rows():
            now.setdefault(row.clip, []).append(row)
        for row in before:
            others = now.get(row.clip, [])
            if (not others and not after.failed) or not all(same(row, other, exact=exact) for other in others):
                self.clips[row.clip] = None

    def finding(self, check: str, clips: int, when: str) -> Finding:
        """Caught where anything changed or failed."""
        if self.failed:
            name, why = next(iter(self.failed.items()))
            return Finding(check, "caught", f"fails {when} ({name}): {why}")
        share, changed = len(self.clips) / clips if clips else math.nan, tuple(self.clips)
        if changed:
            why = f"{len(changed)} of {clips} predictions change {when}: {listed(changed)}"
            return Finding(check, "caught", why, share, SHARE, changed)
        return Finding(check, "clean", f"none of {clips} predictions changes {when}", share, SHARE)


def same(one: Prediction, other: Prediction, *, exact: bool) -> bool:
    """Whether the same is said of a clip: bit for bit, or up to rounding, where a tie of scores may fall either way."""
    a, b = np.asarray(one.scores), np.asarray(other.scores)
    if exact:
        return one.predicted == other.predicted and np.array_equal(a, b, equal_nan=True)
    if not np.allclose(a, b, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True):
        return False
    return one.predicted == other.predicted or _tied(a)


def _tied(scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    top = np.sort(scores[~np.isnan(scores)])[-2:]
    return len(top) == 2 and bool(np.isclose(top[0], top[1], rtol=RELATIVE, atol=ABSOLUTE))


def both(bench: Bench) -> list[tuple[World, Transcript]]:
    """The world and, if the model runs on noise, the null world, each with its folds as they are.

    Where inputs say nothing most predictions are close calls, which the slightest leak turns.
    """
    worlds = [(bench.world, bench.baseline)]
    return worlds if bench.null_baseline.failed else [*worlds, (bench.null, bench.null_baseline)]


def _seen(bench: Bench, kinds: Sequence[str]) -> list[str]:
    """What was seen of these kinds over all sessions, in words, each once."""
    if not bench.transcripts:
        bench.run(bench.world)
    events = {(e.kind, e.what): e for t in bench.transcripts for e in t.events if e.kind in kinds}
    return [f"{kind} {what}{_while(event.phase)}" for (kind, what), event in sorted(events.items())]


def _touched_twice(bench: Bench) -> list[str]:
    """Paths in home and corpora that were touched in two sessions or more.

    Whatever else runs on the machine may touch a folder once; a model that reads it does so whenever it is run.
    """
    counted = Counter(path for transcript in bench.transcripts for path in transcript.touched)
    if 1 in counted.values():
        counted.update(bench.run(bench.world).touched)
    return sorted(path for path, times in counted.items() if times > 1)


def _while(phase: str) -> str:
    return " on import" if phase == "import" else ""


def _by_chance(check: str, where: str, known: bool, found: Chance) -> Finding:  # noqa: FBT001  the pair of `confirmed`
    said = f"UF1 {figure(found.uf1)} on {where}, chance {figure(found.expected)}, 99.9 % below {figure(found.bound)}"
    return Finding(check, "caught" if known else "clean", f"{said} ({found.clips} predictions)", found.uf1, "UF1")


def _uf1(found: Transcript, world: World) -> float:
    """Pooled UF1 over the audited folds; a clip without prediction is wrong."""
    said: Mapping[str, str | None] = {row.clip: row.predicted for row in found.all_rows()}
    tested = world.tested
    truth = [item.label for item in tested]
    return score(truth, [said.get(item.id) for item in tested], world.task.protocol.classes, full=False).uf1


__all__ = [
    "Changes",
    "absent",
    "answers",
    "both",
    "company",
    "files",
    "folds",
    "names",
    "null",
    "order",
    "permutation",
    "reach",
    "repeat",
    "same",
    "scrambled",
]

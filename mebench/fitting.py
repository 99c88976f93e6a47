"""The folds of open runs, fitted wherever tasks run and stored as they end: seeds, protocols and models together."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mebench import checkpoints, runs
from mebench.fold_jobs import FoldJob, FoldResult, group_name, run_folds
from mebench.grouping import Inputs, grouped
from mebench.parallel import run_tasks
from mebench.peeked import asked_per_epoch
from mebench.progress import Progress
from mebench.protocol import Fold, Task
from mebench.requests import Request
from mebench.runs import RunSpec, SeedRun


@dataclass(frozen=True, eq=False)
class Part:
    """One seed of one run, open, and what its folds are fitted on; `most` folds are fitted at once."""

    request: Request
    task: Task
    spec: RunSpec
    seed_run: SeedRun
    inputs: Inputs
    most: int = 1

    @property
    def name(self) -> str:
        """The part for a person: protocol and seed."""
        return f"{self.task.protocol.name} seed {self.seed_run.seed}"

    def groups(self) -> list[tuple[Fold, ...]]:
        """The folds of this shard that are to be fitted, those that are fitted at once together.

        Who stands with whom does not hang on what is done: the same folds stand together when a run goes on.
        """
        first, last = self.request.shard
        own = [fold for i, fold in enumerate(self.task.folds) if i % last == first - 1]
        together = grouped(own, self.inputs, self.most)
        waiting = [tuple(fold for fold in group if not self._is_done(fold)) for group in together]
        return [group for group in waiting if group]

    def job(self, group: tuple[Fold, ...]) -> FoldJob:
        """What a worker needs to fit these folds."""
        first, *beside = group
        states = self.seed_run.states(*self.request.shard) / group_name(group)
        return FoldJob.of(
            self.request, self.task, first, self.inputs, self.seed_run.seed, beside=tuple(beside), states=states
        )

    def store(self, group: tuple[Fold, ...], results: Sequence[FoldResult], lost: int) -> None:
        """Keeps what came of these folds; what a kill before this left of their training goes."""
        for fold, result in zip(group, results, strict=True):
            self._store(fold.id, result, lost)
            if not result.what:
                runs.note_tried(self.request.home, self.spec)
        checkpoints.drop(self.seed_run.states(*self.request.shard) / group_name(group))

    def _is_done(self, fold: Fold) -> bool:
        if not self.seed_run.done(fold.id):
            return False
        return not self.request.measure_peeking or asked_per_epoch(self.seed_run.notes(fold.id))

    def _store(self, fold: str, result: FoldResult, lost: int) -> None:
        if result.what:
            self.seed_run.save_failure(fold, result.what, result.trace)
            return
        if result.notes is not None and (self.request.measure_peeking or not result.notes.empty):
            self.seed_run.save_notes(fold, result.notes)
        if not self.seed_run.done(fold):  # one that is done was asked once more, for its epochs: its predictions stay
            self.seed_run.save_fold(fold, result.rows, result.cost, lost=lost)


def run_missing(parts: Sequence[Part], jobs: int, progress: Progress) -> list[tuple[Part, str]]:
    """Fits the folds of these parts that are not done, each stored as it ends; what befell which part, in words.

    The runs must be locked by the caller.
    """
    work = dict(_work(parts))
    total = sum(len(part.task.folds) for part in parts)
    ended = total - sum(len(group) for _, group in work.values())
    notes = []
    models = {part.spec.model for part in parts}
    for outcome in run_tasks(run_folds, {name: part.job(group) for name, (part, group) in work.items()}, jobs=jobs):
        part, group = work[outcome.name]
        gone = FoldResult(what=outcome.error.what if outcome.error else "")
        part.store(group, outcome.value or (gone,) * len(group), outcome.lost)
        if outcome.lost and not outcome.error:
            notes.append((part, _moved(part, group, outcome.lost)))
        for fold in group:
            ended += 1
            progress(ended, total, f"{part.spec.model + ' ' if len(models) > 1 else ''}{part.name} fold {fold.id}")
    for part in parts:
        states = part.seed_run.states(*part.request.shard)
        with suppress(OSError):  # another shard's states may stand beside
            states.rmdir()
            states.parent.rmdir()
    return notes


def _work(parts: Iterable[Part]) -> Iterator[tuple[str, tuple[Part, tuple[Fold, ...]]]]:
    """What is to be fitted, by a name that no two share."""
    for part in parts:
        groups = part.groups()
        names = {group_name(group) for group in groups}
        for folder in part.seed_run.states(*part.request.shard).glob("*"):
            if folder.name not in names:
                checkpoints.drop(folder)  # left by a process that was killed after it had stored the folds
        if any(part.seed_run.done(fold.id) for fold in part.task.folds):
            # Killed between a fold and its entry in the ledger, the configuration would never be counted.
            runs.note_tried(part.request.home, part.spec)
        for group in groups:
            yield f"{part.spec.model} {part.spec.id} {part.name} {group_name(group)}", (part, group)


def _moved(part: Part, group: tuple[Fold, ...], lost: int) -> str:
    folds = f"fold {group[0].id}" if len(group) == 1 else f"{len(group)} folds from {group[0].id}"
    return f"{folds} (seed {part.seed_run.seed}): {lost} of its workers went away; it was done on another"


__all__ = ["Part", "run_missing"]

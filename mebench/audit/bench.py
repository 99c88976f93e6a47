"""The candidate on its worlds: sessions held once and shared by the checks."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from mebench.audit import variants
from mebench.audit.session import Candidate, Description, Job, Start, Transcript, attend
from mebench.audit.world import World, null_world
from mebench.errors import ModelError
from mebench.folds import Fold
from mebench.protocol import Task

NETWORK_NULL_CLIPS = 8
"""Per subject of the null corpus of a network, whose every fit takes long."""


class Bench:
    """The candidate with its worlds and the sessions it has been through; each is held once, when first needed."""

    def __init__(
        self,
        candidate: Candidate,
        description: Description,
        world: World,
        *,
        seed: int = 0,
        permutations: int = 0,
        notes: Sequence[str] = (),
    ) -> None:
        self.candidate, self.description, self.world = candidate, description, world
        self.seed, self.permutations, self.notes = seed, permutations, tuple(notes)
        self.transcripts: list[Transcript] = []

    def attend(self, world: World, jobs: Iterable[Job], start: Start = "forkserver") -> Transcript:
        """A session of the candidate; what was seen in it is kept."""
        transcript = attend(self.candidate, world.surroundings, jobs, start)
        self.transcripts.append(transcript)
        return transcript

    def run(self, world: World, folds: Sequence[Fold] | None = None, start: Start = "forkserver") -> Transcript:
        """The folds of a world as they are."""
        return self.attend(world, (job(world, fold) for fold in folds or world.folds), start)

    def run_variant(self, world: World, variant: Callable[[Task, Fold], Task]) -> Transcript:
        """The folds of a world, each under its own version of the task."""
        return self.attend(world, (job(world, fold, variant(world.task, fold)) for fold in world.folds))

    @cached_property
    def baseline(self) -> Transcript:
        """The folds as they are: what every other session is compared with."""
        found = self.run(self.world)
        if found.failed:
            fold, why = next(iter(found.failed.items()))
            raise ModelError(
                f"{self.candidate.model} fails on the audit's corpus, fold {fold}: {why}",
                "Audit it on a corpus it runs on: --protocol NAME, and --data where that is not prepared.",
            )
        return found

    @cached_property
    def null(self) -> World:
        """The world in which inputs say nothing."""
        return self.null_number(0)

    def null_number(self, number: int) -> World:
        """One of several such worlds."""
        seed = self.seed + 1 + number
        if "epochs" in self.description.parameters:
            return null_world(self.world, seed, clips=NETWORK_NULL_CLIPS)
        return null_world(self.world, seed)

    @cached_property
    def null_baseline(self) -> Transcript:
        """The folds of the null world as they are."""
        return self.run(self.null)


def job(world: World, fold: Fold, task: Task | None = None, key: str | None = None) -> Job:
    """One fold of a world, under another version of its task where one is given."""
    return Job(key or fold.id, task or world.task, fold, variants.of_fold(world.inputs, fold))


__all__ = ["Bench", "job"]

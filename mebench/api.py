"""The public functions: load, evaluate, run, score."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mebench.clips import ClipTable
from mebench.corpora import load_clips
from mebench.errors import UsageError
from mebench.predictions import Predictions
from mebench.protocol import Protocol, Suite, load_protocol, resolve

if TYPE_CHECKING:
    from mebench.evaluation import Inputs
    from mebench.requests import RunReport
    from mebench.scoring import ScoreCard

Tables = ClipTable | Iterable[ClipTable]


def evaluate(
    model: Any,
    protocol: Protocol | str,
    clips: Tables,
    inputs: "Inputs | None" = None,
    seeds: Iterable[int] = (0,),
    *,
    allow_partial: bool = False,
) -> Predictions:
    """Predictions of any scikit-learn classifier for every test clip, fold and seed; nothing is read or written.

    `inputs` maps clip ids to arrays: a user's own features; a clip without one gets no prediction. Without `inputs` the
    model is given an empty array per clip.
    """
    from mebench.evaluation import evaluate_task
    from mebench.weights.declared import refuse_overlap, said_by_files

    task = resolve(single_protocol(protocol), _by_dataset(clips), allow_partial=allow_partial)
    refuse_overlap(said_by_files(model), task)
    return evaluate_task(model, task, inputs, seeds)


def run(
    model: str,
    protocol: str,
    home: Path | str,
    *,
    seeds: int = 1,
    settings: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    allow_partial: bool = False,
    jobs: int = 1,
) -> "RunReport":
    """What `mebench run` does: a run under `home` that resumes, for a model's name or `file.py:Class`."""
    from mebench.execute import run_request
    from mebench.requests import Request

    request = Request(model, protocol, Path(home), seeds, settings or {}, data=data or {}, allow_partial=allow_partial)
    return run_request(request, jobs=jobs)


def score(
    predictions: Predictions, protocol: Protocol | str, clips: Tables, *, allow_partial: bool = False
) -> "Mapping[int, ScoreCard]":
    """A score card per seed against the annotated labels; a clip without a prediction counts as wrong."""
    from mebench.scoring import score_predictions

    single = single_protocol(protocol)
    task = resolve(single, _by_dataset(clips), allow_partial=allow_partial)
    return score_predictions(
        predictions, {item.id: item.label for item in task.items}, aggregate=aggregate_of(single), full=not task.partial
    )


def aggregate_of(protocol: Protocol) -> Any:
    """How the scorer is to combine: one pooled confusion, per class of several a clip, or the mean over directions."""
    if protocol.multilabel:
        return "units"
    return "directions" if protocol.aggregate == "mean-over-folds" else "pooled"


def single_protocol(protocol: Protocol | str) -> Protocol:
    """The protocol of this name; raises UsageError for a suite."""
    found = load_protocol(protocol) if isinstance(protocol, str) else protocol
    if isinstance(found, Suite):
        names = ", ".join(member.name for member in found.members)
        raise UsageError(f"{found.name} is a suite.", f"Name one of its members: {names}.")
    return found


def _by_dataset(clips: Tables) -> dict[str, ClipTable]:
    tables = (clips,) if isinstance(clips, ClipTable) else clips
    return {table.dataset: table for table in tables}


__all__ = ["aggregate_of", "evaluate", "load_clips", "run", "score", "single_protocol"]

"""`mebench audit model`: a model put through what an honest one does not notice, and watched meanwhile."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mebench import plugins
from mebench.audit import checks
from mebench.audit.bench import Bench
from mebench.audit.corpus import own_world
from mebench.audit.findings import AuditReport, Finding
from mebench.audit.session import Candidate, Description, describe
from mebench.audit.shortcuts import shortcuts
from mebench.audit.together import together
from mebench.audit.world import draw_home, draw_world
from mebench.corpora import parse_pairs
from mebench.errors import UnknownName, UsageError
from mebench.nulls import CONFIDENCE, FEWEST
from mebench.progress import Progress, silent
from mebench.weights.declared import settled

EPOCHS = 2
"""Of a network: what leaks does so in any epoch, and a real training would take hours."""

DOES: Mapping[str, str] = {
    "scrambled": "gives held-out clips other labels before the fold loop: predictions must not change by one bit",
    "order": "hands the test clips over in opposite order: what is said of each must stay",
    "company": "predicts test clips in halves and one by one: what is said of each must stay",
    "folds": "runs each fold alone in a fresh process: predictions must be those of all folds in a row",
    "together": "fits folds at once, the others with other labels and images: what is said of a fold must stay",
    "repeat": "runs the same seed again in another process, with another hash seed: bit-equal predictions",
    "names": "calls every clip and subject otherwise: predictions must stay",
    "absent": "leaves each class out of training in turn: it must not be predicted, and nothing may fail",
    "files": "watches which files are opened, listed or written while the model is imported, fitted and asked",
    "reach": "watches for looks at frames and live objects, processes, connections, and patches of the evaluator",
    "null": "runs on inputs that say nothing of the class: the score must be that of chance",
    "answers": "trains on labels that were exchanged among each subject's clips: the true ones must stay unknown",
    "permutation": "fits anew under permuted labels many times: what the model scores where labels say nothing",
    "shortcuts": "scores clip length and onset frame alone, and the model on clips held still: for people to judge",
}
"""Every check in the order of the report, and what it does."""


@dataclass(frozen=True)
class ModelQuestion:
    """One `mebench audit model`.

    Without a protocol the corpus is drawn; with one it is the user's, prepared under `home` or given by `data`, of
    which at most `folds` folds are used. `only` names checks, all where empty. `permutations` refits for the
    permutation null, none by default. `whole_training` leaves `epochs` of a network as they are.
    """

    candidate: Candidate
    home: Path
    protocol: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    corrections: bool = True
    allow_partial: bool = False
    only: tuple[str, ...] = ()
    folds: int = 5
    permutations: int = 0
    whole_training: bool = False
    seed: int = 0
    jobs: int = 1

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "ModelQuestion":
        """The question in the options of the command line."""
        candidate = Candidate(
            options["model"], parse_pairs("--set", options["settings"]), options["preset"], options["device"]
        )
        return cls(
            candidate,
            options["home"],
            protocol=options["protocol"],
            data=parse_pairs("--data", options["data"]),
            annotations=parse_pairs("--annotation", options["annotation"]),
            corrections=not options["no_corrections"],
            allow_partial=options["allow_partial"],
            only=options["only"],
            folds=options["folds"],
            permutations=options["permutations"],
            whole_training=options["whole_training"],
            seed=options["seed"],
            jobs=options["jobs"],
        )


def audit_model(question: ModelQuestion, progress: Progress = silent) -> AuditReport:
    """What was found about the model.

    Raises what loading the model raises, UnknownName for a check that does not exist, ModelError where the model fails
    on the audit's corpus as it stands, and with a protocol what a run of it raises.
    """
    for name in question.only:
        if name not in DOES:
            raise UnknownName("check", name, DOES)
    if 0 < question.permutations < FEWEST:
        raise UsageError(
            f"{question.permutations} permutations cannot reach the {CONFIDENCE:.1%} point.", f"Take {FEWEST} or more."
        )
    with tempfile.TemporaryDirectory(prefix="mebench-audit-") as folder:
        bench = _bench(_with_weights(question, Path(folder)), Path(folder), progress)
        wanted = [name for name in DOES if _is_wanted(name, question)]
        findings: dict[str, Finding] = {}
        for done, name in enumerate(sorted(wanted, key=lambda n: n in ("files", "reach")), 1):  # what was seen, last
            findings[name] = _MADE[name](bench)
            progress(done, len(wanted), name)
    return AuditReport(
        "model",
        question.candidate.model,
        tuple(findings[name] for name in wanted),
        DOES,
        notes=bench.notes,
        facts={
            "protocol": question.protocol,
            "settings": {**bench.candidate.settings, **question.candidate.settings},
            "identity": asdict(bench.description.identity),
        },
    )


def _is_wanted(name: str, question: ModelQuestion) -> bool:
    if question.only:
        return name in question.only
    return question.permutations > 0 if name == "permutation" else question.protocol is not None or name != "shortcuts"


def _with_weights(question: ModelQuestion, folder: Path) -> ModelQuestion:
    """The question with weights that the model starts from lying in `folder`: what is opened in the home is caught.

    A model from a file is not imported here, and is given what was typed.
    """
    candidate = question.candidate
    if ".py:" in candidate.model or not candidate.settings:
        return question
    factory = plugins.load_model(candidate.model).factory
    entered = settled(question.home, factory, candidate.settings)
    return replace(question, candidate=replace(candidate, settings=settled(folder / "weights", factory, entered)))


def _bench(question: ModelQuestion, folder: Path, progress: Progress) -> Bench:
    drawn = draw_home(folder, question.candidate, question.seed)
    description = describe(question.candidate, drawn[2])
    if description.multilabel:
        raise UsageError(
            f"{question.candidate.model} predicts any number of classes per clip; the audit asks for one.",
            "Audit the model under it that answers for one class.",
        )
    candidate, notes = _shortened(question, description)
    if question.protocol is None:
        world = draw_world(*drawn, description, question.seed, jobs=question.jobs, progress=progress)
    else:
        world = own_world(question, description, progress)
    return Bench(
        candidate,
        description,
        world,
        seed=question.seed,
        permutations=question.permutations,
        notes=[f"audited on {world.described}", *notes],
    )


def _shortened(question: ModelQuestion, description: Description) -> tuple[Candidate, list[str]]:
    """The candidate with few epochs, unless they were asked for, and what to say of it."""
    epochs, given = description.parameters.get("epochs"), question.candidate.settings
    if question.whole_training or "epochs" in given or not isinstance(epochs, int) or epochs <= EPOCHS:
        return question.candidate, []
    shorter = replace(question.candidate, settings={**given, "epochs": str(EPOCHS)})
    return shorter, [f"trained for {EPOCHS} epochs instead of {epochs}; --whole-training leaves them"]


_MADE: Mapping[str, Callable[[Bench], Finding]] = {
    "scrambled": checks.scrambled,
    "order": checks.order,
    "company": checks.company,
    "folds": checks.folds,
    "together": together,
    "repeat": checks.repeat,
    "names": checks.names,
    "absent": checks.absent,
    "files": checks.files,
    "reach": checks.reach,
    "null": checks.null,
    "answers": checks.answers,
    "permutation": checks.permutation,
    "shortcuts": shortcuts,
}

__all__ = ["DOES", "ModelQuestion", "audit_model"]

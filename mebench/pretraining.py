"""`mebench pretrain`: a network trained on stills of posed expressions, for other trainings to start from.

Epochs are fixed and the final weights are kept. A fifth of the people of each corpus stays out of the training; what
the network scores on them is reported and decides nothing.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mebench import plugins, runs
from mebench.corpora import parse_pairs
from mebench.errors import DataError, ModelError, UsageError
from mebench.files import write_atomic
from mebench.occupancy import adding
from mebench.progress import Progress, silent
from mebench.scoring import score
from mebench.stills.arrays import StillRecipe
from mebench.stills.faces import NO_FACE, fingerprint, store_stills
from mebench.stills.library import still_corpus
from mebench.stills.records import CLASSES, Still, StillTable
from mebench.weights.declared import declared, settled, weight_parameters
from mebench.weights.provenance import MACRO, NOTHING, Provenance, Seen
from mebench.weights.registry import Registered, register

if TYPE_CHECKING:
    from torch import nn

SCHEMA = "mebench.pretraining/1"
VALIDATION_SHARE = 0.2
"""Of the people of a corpus, or where it names nobody and holds nothing out itself, of its images."""


@dataclass(frozen=True, slots=True)
class PretrainRequest:
    """One `mebench pretrain`, as typed."""

    model: str
    data: Mapping[str, str]
    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    output: Path | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "PretrainRequest":
        """The request in the options of the command line."""
        return cls(
            model=options["model"],
            data=parse_pairs("--data", options["data"]),
            home=options["home"],
            settings=parse_pairs("--set", options["settings"]),
            seed=options["seed"],
            device=options["device"],
            output=options["output"],
        )


@dataclass(frozen=True)
class Part:
    """The stills of one corpus, parted: by id the SHA-256 of their bytes, and what was left out, by reason.

    `disjoint` says that nobody of `held_out` is in `train`.
    """

    table: StillTable
    train: tuple[Still, ...]
    held_out: tuple[Still, ...]
    sources: Mapping[str, str]
    left_out: Mapping[str, int]
    disjoint: bool

    @property
    def seen(self) -> Seen:
        """What a training on this part has seen."""
        mark = self.table.synthetic
        people = {still.subject for still in self.train if still.subject}
        return Seen(
            dataset=self.table.corpus,
            fingerprint=fingerprint(self.train, self.sources),
            images=len(self.train),
            subjects=tuple(sorted(people)) if people else None,
            synthetic=None if mark is None else (mark.generator, mark.seed),
        )


@dataclass(frozen=True)
class PretrainReport:
    """What was trained on what, what it scored on held-out stills, and where the weights are."""

    entry: Registered
    parts: tuple[Part, ...]
    validation: Mapping[str, Mapping[str, Any]]
    loss: tuple[float, ...]
    notes: tuple[str, ...]
    output: Path | None

    def text(self) -> str:
        """The report for a person."""
        lines = [f"weights {self.entry.digest[:12]}  {self.entry.text}  {self.output or self.entry.path}"]
        for part in self.parts:
            mark = " SYNTHETIC" if part.table.synthetic else ""
            known = part.seen.subjects
            people = ", nobody named" if known is None else f" of {len(known)} people"
            out = "; ".join(f"{n} {reason}" for reason, n in part.left_out.items()) or "none"
            lines.append(f"  {part.table.corpus}{mark}: trained on {len(part.train)} stills{people}; left out: {out}")
        lines += [f"  held out, {name}: {_said(found)}" for name, found in self.validation.items()]
        lines.append(
            f"  loss {self.loss[0]:.3f} in the first of {len(self.loss)} epochs, {self.loss[-1]:.3f} in the last"
        )
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {"schema": SCHEMA, **self.entry.record(), "file": str(self.output or self.entry.path)}


def pretrain(request: PretrainRequest, *, jobs: int = 1, progress: Progress = silent) -> PretrainReport:
    """What came of the training; its weights lie in the registry of the home, and in `output` where that is given.

    Raises ModelError for a model that cannot start from weights or be given stills, DataError or AnnotationError where
    a corpus is not as its owners distribute it, UsageError where none is given.
    """
    model = _model(request)
    if not request.data:
        raise UsageError("No corpus of stills was given.", "Give at least one, as --data ck-plus=DIR.")
    corpora = {name: still_corpus(name) for name in request.data}
    start = _start(request.home, model)
    notes = tuple(model.start_notes()) if hasattr(model, "start_notes") else ()
    recipe = StillRecipe.of(str(model.inputs()))
    tables = [corpora[name].load(Path(folder)) for name, folder in request.data.items()]
    with adding(request.home):
        parts = tuple(_part(request, recipe, table, jobs, progress) for table in tables)
        train = [still for part in parts for still in part.train]
        present = tuple(name for name in CLASSES if any(still.label == name for still in train))
        if len(present) < 2:
            raise DataError(f"{len(train)} stills are left, of {len(present)} classes.", "Give a larger corpus.")
        network, loss = _trained(model, _arrays(request.home, recipe, train), train, present, request.seed, progress)
        validation = _validated(request, recipe, model, network, parts, present)
    provenance = start.followed_by(MACRO, [part.seen for part in parts])
    metadata = _metadata(request, model, recipe, parts, present, loss, validation, provenance)
    entry, output = _kept(request, network, metadata)
    return PretrainReport(entry, parts, validation, loss, notes, output)


def split(table: StillTable, stills: Sequence[Still], seed: int) -> tuple[list[Still], list[Still], bool]:
    """Stills to train on, stills held out, and whether nobody is in both.

    A fifth of the people are held out; of a corpus that names nobody, what its owners held out, or a fifth of images.
    """
    rng = np.random.default_rng([seed, zlib.crc32(table.corpus.encode())])
    people = sorted({still.subject for still in stills if still.subject})
    if people:
        count = max(1, round(VALIDATION_SHARE * len(people))) if len(people) > 1 else 0
        away = {people[i] for i in rng.permutation(len(people))[:count]}
        return [s for s in stills if s.subject not in away], [s for s in stills if s.subject in away], True
    if any(still.held_out for still in stills):
        return [s for s in stills if not s.held_out], [s for s in stills if s.held_out], False
    drawn = set(rng.permutation(len(stills))[: round(VALIDATION_SHARE * len(stills))].tolist())
    kept = [still for i, still in enumerate(stills) if i not in drawn]
    return kept, [still for i, still in enumerate(stills) if i in drawn], False


def _model(request: PretrainRequest) -> Any:
    """The model with its parameters for pretraining; ModelError where its weights could not be used afterwards."""
    from mebench.learning import NetworkClassifier

    source = plugins.load_model(request.model)
    if not issubclass(source.factory, NetworkClassifier) or "weights" not in weight_parameters(source.factory):
        raise ModelError(
            f"{request.model} cannot start from weights.", "Pretrain a network that takes them, such as lam."
        )
    model = source.build(settled(request.home, source.factory, request.settings))
    chosen = {k: v for k, v in getattr(model, "pretraining", {}).items() if k not in request.settings}
    model.set_params(**chosen, random_state=request.seed)
    if "device" in model.get_params(deep=False) and "device" not in request.settings:
        model.set_params(device=request.device)
    return model


def _start(home: Path, model: Any) -> Provenance:
    """What the weights that the training starts from have seen; nothing, where it starts from scratch."""
    found = declared(home, model)
    return found[0].provenance if found else NOTHING


def _part(request: PretrainRequest, recipe: StillRecipe, table: StillTable, jobs: int, progress: Progress) -> Part:
    usable, unusable = recipe.usable(table)
    wanted = {still.id for still in usable} | {s.neutral for s in usable if recipe.compares and s.neutral}
    stills = [still for still in table if still.id in wanted]

    def told(done: int, total: int, what: str) -> None:
        progress(done, total, f"faces of {what}")

    sources, lost = store_stills(request.home, table.corpus, stills, jobs=jobs, progress=told)
    ready = [s for s in usable if s.id in sources and not (recipe.compares and s.neutral not in sources)]
    lost[NO_FACE] = len(usable) - len(ready)
    train, held_out, disjoint = split(table, ready, request.seed)
    left_out = {reason: n for reason, n in {**table.left_out, **unusable, **lost}.items() if n}
    return Part(table, tuple(train), tuple(held_out), sources, left_out, disjoint)


def _arrays(home: Path, recipe: StillRecipe, stills: Sequence[Still]) -> NDArray[Any]:
    """The inputs (n, c, h, w) of the stills."""
    made = np.stack([recipe.array(home, still) for still in stills])
    return made[:, None] if made.ndim == 3 else made


def _trained(
    model: Any, X: NDArray[Any], stills: Sequence[Still], present: Sequence[str], seed: int, progress: Progress
) -> "tuple[nn.Module, tuple[float, ...]]":
    """The network with its final weights, and the loss per epoch."""
    import torch

    from mebench.learning.reproducible import pick_device, reproducible
    from mebench.learning.sampling import batch_count
    from mebench.learning.trainer import train

    codes = np.array([present.index(still.label) for still in stills], np.int64)
    settings = model.settings()
    initial, training = np.random.SeedSequence(seed).generate_state(2)
    with reproducible(int(initial), pick_device("cpu"), settings.threads):
        network: nn.Module = model.build(X.shape[1], len(present))
    steps = settings.epochs * batch_count(torch.from_numpy(codes), settings.batch_size, settings.balance)
    counter = _Counter(steps, progress)
    hook = network.register_forward_pre_hook(counter)
    history = train(network, X, codes, settings, int(training))
    hook.remove()
    return network.cpu(), history.loss


class _Counter:
    """Tells progress of every batch a network is trained on."""

    def __init__(self, steps: int, progress: Progress) -> None:
        self.done, self.steps, self.progress = 0, steps, progress

    def __call__(self, network: "nn.Module", _images: Any) -> None:
        if network.training:
            self.done += 1
            self.progress(min(self.done, self.steps), self.steps, "training")


def _validated(
    request: PretrainRequest, recipe: StillRecipe, model: Any, network: "nn.Module", parts: Sequence[Part],
    present: Sequence[str],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """By corpus, what the network says of the stills that were held out."""
    from mebench.learning.trainer import logits

    settings = model.settings()
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        held = [still for still in part.held_out if still.label in present]
        if held:
            outputs = logits(network, _arrays(request.home, recipe, held), settings.device, settings.threads)
            scores = score([s.label for s in held], [present[i] for i in outputs.argmax(axis=1)], present, full=False)
            found[part.table.corpus] = {
                "stills": len(held),
                "subjects": len({still.subject for still in held if still.subject}),
                "subject_disjoint": part.disjoint,
                "accuracy": round(scores.accuracy, 6),
                "uf1": round(scores.uf1, 6),
                "uar": round(scores.uar, 6),
            }
    return found


def _metadata(
    request: PretrainRequest, model: Any, recipe: StillRecipe, parts: Sequence[Part], present: Sequence[str],
    loss: Sequence[float], validation: Mapping[str, Any], provenance: Provenance,
) -> dict[str, Any]:  # fmt: skip
    """What the file says of itself; no path, no time."""
    from mebench.execute import plain
    from mebench.weights.declared import recorded

    parameters = {k: plain(v) for k, v in model.get_params(deep=False).items() if k not in ("random_state", "device")}
    return {
        "provenance": provenance.record(),
        "model": request.model,
        "model_version": int(getattr(model, "version", 1)),
        "parameters": recorded(model, parameters),
        "recipe": recipe.text,
        "classes": list(present),
        "seed": request.seed,
        "left_out": {part.table.corpus: dict(part.left_out) for part in parts},
        "held_out_subjects": sorted({s.subject for part in parts for s in part.held_out if s.subject}),
        "validation": {name: dict(found) for name, found in validation.items()},
        "loss": [round(value, 6) for value in loss],
        "environment": runs.environment(),
    }


def _kept(
    request: PretrainRequest, network: "nn.Module", metadata: Mapping[str, Any]
) -> tuple[Registered, Path | None]:
    """The weights in the registry, and in the file that was asked for."""
    from mebench.weights.files import encode_weights
    from mebench.weights.registry import folder_of

    data = encode_weights(network.state_dict(), metadata)
    if request.output is not None:
        write_atomic(request.output, data)
        return register(request.home, request.output), request.output
    name = f"{'-'.join([request.model, *request.data])}-{request.seed}.pt"
    target = folder_of(request.home) / f"{hashlib.sha256(data).hexdigest()}.pt"
    write_atomic(target, data)
    return register(request.home, target, name), None


def _said(found: Mapping[str, Any]) -> str:
    who = f"{found['subjects']} people who were not trained on" if found["subject_disjoint"] else "NOT subject-disjoint"
    figures = f"accuracy {found['accuracy']:.3f}, UF1 {found['uf1']:.3f}, UAR {found['uar']:.3f}"
    return f"{found['stills']} stills, {who}: {figures}"


__all__ = ["VALIDATION_SHARE", "Part", "PretrainReport", "PretrainRequest", "pretrain", "split"]

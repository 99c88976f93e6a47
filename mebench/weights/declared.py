"""The weights a model starts from: found, entered in the registry, held against what is tested, and put in words.

A model names in its class attribute `weight_parameters` those of its parameters that hold a file of weights; `imagenet`
among them takes a public ImageNet file only. A model that fetches weights of its own accord instead declares them in a
method `weights()`, SHA-256 by name. Both are known by content: what counts is the digest, never a path.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mebench.errors import ModelError, RunError, UnknownName, UsageError
from mebench.files import sha256_file
from mebench.weights.provenance import IMAGENET, NOBODY_KNOWS, NOTHING, Provenance, Seen, provenance_of
from mebench.weights.public import check_public, find_public, public_file

if TYPE_CHECKING:
    from mebench.protocol import Task
    from mebench.weights.registry import Registered

AUTO = "auto"
SHORT = 12
"""Digits of a digest where people read it."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Weights a model starts from: the name it declares them by, their digest and what they saw."""

    name: str
    digest: str
    provenance: Provenance

    @property
    def text(self) -> str:
        """`weights:3f2a9c01bd77 (ck-plus, jaffe)`."""
        return f"{self.name}:{self.digest[:SHORT]} ({self.provenance.text})"

    def record(self) -> dict[str, Any]:
        """What a run keeps of it; who was seen stands with the weights alone, where `mebench forget` finds it."""
        rendered = any(seen.synthetic for seen in self.provenance.seen or ())
        return {
            "name": self.name,
            "digest": self.digest,
            "chain": self.provenance.chain,
            "saw": self.provenance.text,
            "synthetic": rendered,
        }


def weight_parameters(model: Any) -> tuple[str, ...]:
    """The parameters of a model, or model class, that hold a file of weights."""
    return tuple(getattr(model, "weight_parameters", ()))


def weights_of(model: Any) -> dict[str, str]:
    """SHA-256 by name of the weights a model starts from: of the files its parameters name, or as it declares."""
    parameters = weight_parameters(model)
    if parameters:
        given = {name: str(getattr(model, name)) for name in parameters if getattr(model, name)}
        return {name: _digest(name, Path(path)) for name, path in given.items()}
    declare = getattr(model, "weights", None)
    return {str(name): str(digest) for name, digest in declare().items()} if callable(declare) else {}


def recorded(model: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a run records them: a file of weights by its digest, because paths decide nothing."""
    found = weights_of(model) if weight_parameters(model) else {}
    return {key: f"sha256:{found[key]}" if key in found else value for key, value in parameters.items()}


def settled(home: Path, model: Any, settings: Mapping[str, str]) -> dict[str, str]:
    """The settings with every file of weights replaced by its place in the registry of the home.

    `model` is the class. What is given may be a file, the digest or name of registered weights, or for `imagenet`
    `auto`. Raises UnknownName where nothing answers to it, ModelError where it is no such file.
    """
    found = dict(settings)
    for parameter in weight_parameters(model):
        if found.get(parameter):
            found[parameter] = str(_place(home, model, parameter, found).absolute())
    return found


def with_files(home: Path, factory: Any, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a recorded run, weights in their place in this home again; RunError where they are gone."""
    from mebench.weights.registry import by_digest, folder_of

    parameters = dict(spec["parameters"])
    for name in weight_parameters(factory):
        digest = spec["weights"].get(name)
        if digest is None:
            continue
        entry = by_digest(home, digest)
        if entry is None:
            raise RunError(
                f"The weights {name}:{digest[:SHORT]} of the run are not in {folder_of(home)}.",
                "Put the file there, under any name that ends in .pt: it is known by its digest.",
            )
        parameters[name] = str(entry.path)
    return parameters


def declared(home: Path, model: Any) -> tuple[Declared, ...]:
    """What a model starts from, with what the registry of the home knows of it."""
    return known_as(home, weights_of(model))


def known_as(home: Path, digests: Mapping[str, str]) -> tuple[Declared, ...]:
    """Weights declared by name and SHA-256, with what the registry of the home knows of them."""
    from mebench.weights.registry import provenance_by_digest

    return tuple(Declared(name, digest, provenance_by_digest(home, digest)) for name, digest in sorted(digests.items()))


def said_by_files(model: Any) -> tuple[Declared, ...]:
    """What the files a model's parameters name say of themselves: for those who work without a home."""
    given = [(name, str(getattr(model, name))) for name in weight_parameters(model) if getattr(model, name)]
    if not given:
        return ()
    from mebench.weights.files import load_weights  # it loads torch

    found = []
    for name, path in given:
        weights, said = load_weights(path), NOBODY_KNOWS
        public = public_file(weights.digest)
        if public is not None:
            said = public.provenance
        elif weights.metadata is not None:
            said = provenance_of(weights.metadata.get("provenance"), path)
        found.append(Declared(name, weights.digest, said))
    return tuple(found)


def chain_of(model: Any, found: Iterable[Declared]) -> str:
    """The trainings before this one: `scratch`, `imagenet`, `macro`, `imagenet+macro`, `unknown`; nothing where the
    model takes no weights."""
    chains = [weights.provenance.chain for weights in found]
    if chains:
        return "+".join(dict.fromkeys(chains))
    return NOTHING.chain if weight_parameters(model) else ""


def weight_facts(home: Path, model: Any) -> dict[str, Any]:
    """What a run records of the weights it starts from, beside their digests: the chain and what they saw."""
    found = declared(home, model)
    return {"chain": chain_of(model, found), "weights": [weights.record() for weights in found]}


def weights_text(facts: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """The weights of a recorded run for its row: chain, digests and what was seen; empty where it started from none."""
    known = facts.get("weights")
    if known is None:  # runs older than the record of it
        return " ".join(f"{name}:{digest[:SHORT]}" for name, digest in sorted(digests.items()))
    told = [f"{weights['name']}:{weights['digest'][:SHORT]} ({weights['saw']})" for weights in known]
    return f"{facts['chain']}, {'; '.join(told)}" if told else ""


def refuse_overlap(found: Iterable[Declared], task: "Task") -> None:
    """Nothing; raises ModelError where weights were trained on somebody whom the task tests.

    The same weights stand in every fold, so they may have seen nobody who is tested in any of them.
    """
    tested = {clip for fold in task.folds for clip in fold.test}
    people = {item.subject for item in task.items if item.id in tested}
    for weights in found:
        for seen in weights.provenance.seen or ():
            known = seen.people_among(people)
            if known:
                raise ModelError(
                    f"The weights {weights.name}:{weights.digest[:SHORT]} were trained on {_who(seen, known)}, tested "
                    f"under {task.protocol.name}.",
                    "Take weights that saw nobody of the tested corpora.",
                )


def remarks(found: Iterable[Declared], task: "Task") -> list[str]:
    """What must be said of these weights beside every score under the task."""
    said = []
    for weights in found:
        if not weights.provenance.known:
            said.append(f"{weights.text}: nobody knows whether they saw the tested corpora")
        rendered = [seen for seen in weights.provenance.seen or () if seen.synthetic]
        for seen in rendered:
            by = f"{seen.synthetic[0]}, seed {seen.synthetic[1]}" if seen.synthetic else ""
            same = "; so is the tested corpus: the renderer is shared" if task.synthetic else ""
            said.append(f"{weights.name}:{weights.digest[:SHORT]} saw rendered faces ({seen.dataset}, {by}){same}")
    return said


def _place(home: Path, model: Any, parameter: str, settings: Mapping[str, str]) -> Path:
    given = settings[parameter]
    if parameter == IMAGENET:
        backbone = settings.get("backbone") or _default(model, "backbone")
        path = find_public(backbone, home) if given == AUTO else _file(home, given)
        check_public(path, backbone)
        return _entered(home, path).path
    return _entered(home, _file(home, given)).path


def _file(home: Path, given: str) -> Path:
    from mebench.weights.registry import find

    path = Path(given).expanduser()
    if path.is_file():
        return path
    try:
        return find(home, given).path
    except UnknownName as fault:
        raise UsageError(
            f"There is neither a file {given} nor are weights of that name registered.", fault.fix
        ) from None


def _entered(home: Path, path: Path) -> "Registered":
    from mebench.weights.registry import register

    return register(home, path)


def _default(model: Any, parameter: str) -> str:
    from mebench.plugins import parameter_defaults

    return str(parameter_defaults(model).get(parameter, ""))


def _digest(name: str, path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as fault:
        raise ModelError(f"{name}={path} cannot be read: {fault.strerror}.", "Give a file of weights.") from fault


def _who(seen: Seen, known: tuple[str, ...]) -> str:
    if seen.subjects is None:
        return f"{seen.dataset}, nobody knows on whom of it"
    more = f" and {len(known) - 1} more" if len(known) > 1 else ""
    return f"{known[0]}{more}"


__all__ = [
    "AUTO",
    "Declared",
    "chain_of",
    "declared",
    "known_as",
    "recorded",
    "refuse_overlap",
    "remarks",
    "said_by_files",
    "settled",
    "weight_facts",
    "weight_parameters",
    "weights_of",
    "weights_text",
    "with_files",
]

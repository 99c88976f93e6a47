"""The reproducibility checklist: what somebody needs to get the same figures, and what stands in the way."""

from collections.abc import Iterable, Iterator, Mapping

from mebench.bundle import said_digest
from mebench.export import without_folders
from mebench.manuscript.bibliography import corpus_title
from mebench.manuscript.escaping import latex_code, latex_text
from mebench.manuscript.finished import Finished, Group
from mebench.predictions import merge


def checklist_section(groups: Iterable[Group]) -> str:
    """A list per run, the environments, and what no reader can check from here."""
    boards = list(groups)
    lines = [r"\section{Reproducibility checklist}", ""]
    for group in boards:
        for one in group.members:
            lines += [
                rf"\subsection*{{Run {latex_code(one.run.id)}: {latex_text(group.name(one))}}}",
                r"\begin{itemize}\setlength{\itemsep}{0pt}\small\raggedright",
            ]
            lines += [rf"\item {item}" for item in _items(group, one)]
            lines += [r"\end{itemize}", ""]
    lines += [r"\subsection*{Environment}", *_environments(boards), "", r"\subsection*{Limits}", *_limits(boards), ""]
    return "\n".join(lines)


def commands(groups: Iterable[Group]) -> list[str]:
    """The command of every run, without the folders of the machine it was given on."""
    return [without_folders(str(one.manifest["command"])) for group in groups for one in group.members]


def _items(group: Group, one: Finished) -> Iterator[str]:
    spec, entry = one.run.spec, one.entry
    yield f"Command: {latex_code(without_folders(str(one.manifest['command'])))}"
    digest = latex_code(spec["protocol_digest"])
    yield f"Protocol: {latex_code(entry.protocol)}, version {entry.protocol_version}, digest {digest}"
    for name, fingerprint_ in sorted(spec["fingerprints"].items()):
        of_clips = (
            f"annotation {latex_code(entry.annotations[name])}, fingerprint of its clips {latex_code(fingerprint_)}"
        )
        synthetic = r"\textbf{synthetic}, in the layout of " if group.synthetic else ""
        yield f"Corpus: {synthetic}{latex_text(corpus_title(name))}, {of_clips}"
    yield f"Model: {latex_code(entry.model)}, version {entry.model_version}{_source(one)}"
    yield "Inputs: " + ("none" if spec["recipe"] == "none" else f"digest {latex_code(spec['input_key'])}")
    weights = ", ".join(latex_code(f"{name}:{digest}") for name, digest in sorted(spec["weights"].items()))
    yield f"Pretrained weights: {weights or 'none'}"
    yield f"Seeds: {', '.join(str(seed.seed) for seed in one.run.seeds)}"
    yield f"Configurations of this model scored under this protocol, this one included: {entry.tried}"
    missing = len(one.manifest["missing"])
    yield f"Clips without an input, counted as missed: {missing} of {len(group.clips())}"
    said = merge([seed.predictions() for seed in one.run.seeds])
    yield f"Predictions: digest {latex_code(said_digest(said))} (which clip was predicted as what)"
    for found in one.replications:
        yield f"Replication: {latex_text('; '.join(found.text().splitlines()))}"
    if not one.replications:
        yield "Replications by other labs: none"


def _source(one: Finished) -> str:
    digest = one.run.spec["model_digest"]
    return f", source file with digest {latex_code(digest)}" if digest else ""


def _environments(groups: Iterable[Group]) -> list[str]:
    """Each environment once, with the runs made in it."""
    seen: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for group in groups:
        for one in group.members:
            for seed in one.run.seeds:
                key = tuple(sorted(seed.manifest["environment"].items()))
                seen.setdefault(key, []).append(one.run.id)
    return [
        rf"\noindent Runs {', '.join(latex_code(run) for run in dict.fromkeys(runs))}: {_versions(dict(key))}.\par"
        for key, runs in seen.items()
    ]


def _versions(environment: Mapping[str, str]) -> str:
    machine = {name: environment.get(name, "unknown") for name in ("python", "machine", "cpu")}
    packages = ", ".join(latex_code(f"{n}=={v}") for n, v in environment.items() if n not in machine)
    python, kind, cpu = map(latex_text, machine.values())
    return f"Python {python} on {kind}, {cpu}; {packages}"


def _limits(groups: Iterable[Group]) -> list[str]:
    boards = list(groups)
    recorded = [group for group in boards if not group.synthetic]
    corpora = dict.fromkeys(corpus_title(name) for group in recorded for name in group.first.entry.annotations)
    named = ", ".join(map(latex_text, corpora))
    owned = (
        f"The corpora ({named}) are given out by their owners under licences of their own; no frame of them is shown."
    )
    drawn = "Synthetic corpora were drawn by mebench synth: their motion is computed, and nothing follows for faces."
    return [
        *([owned] if recorded else []),
        *([drawn] if len(recorded) < len(boards) else []),
        "Repetition is byte-identical on one type of machine with pinned threads; elsewhere single clips may differ.",
        "The count of configurations is that of this installation: what was tried elsewhere it cannot know.",
        "A score says how often annotators' labels are met on these people; it says nothing about what anybody feels."
        if recorded
        else "A score says how often the labels that were drawn are met.",
    ]


__all__ = ["checklist_section", "commands"]

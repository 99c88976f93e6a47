"""The methods section: protocol, corpora, who is left out and why, methods, statistics; every word from the record."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from mebench import plugins
from mebench.errors import MebenchError
from mebench.intervals import COVERAGE_NOTE
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.manuscript.bibliography import (
    BOOTSTRAP,
    SCORES,
    SOFTWARE,
    Bibliography,
    cite,
    corpus_title,
    method_key,
    protocol_keys,
)
from mebench.manuscript.escaping import latex_code, latex_text
from mebench.manuscript.finished import Finished, Group
from mebench.protocol_file import Exclusion, Source
from mebench.resampling import RESAMPLES, WORDS
from mebench.version import __version__

_LISTED = 8
"""Clips named one by one in a sentence; of more their number is given."""
_RULES = {
    "leave-one-subject-out": "Each subject is tested once, by a model trained on all other subjects",
    "leave-one-clip-out": (
        "Each clip is tested once, by a model trained on all others, those of the same person included: the figures "
        "are not subject-independent and must not be compared with such"
    ),
    "hold-out-dataset": "Each corpus is tested once, by a model trained on the others",
    "group-k-fold": "Subjects fall into {k} groups (seed {seed}), each of which is tested once",
}
_FIELDS = {"emotion": "emotion", "objective_class": "objective class", "action_units": "action units"}
_PRIVILEGES = {
    "none": "its input uses no annotation of the clip that is classified",
    "interval": "its input uses the coded onset and offset of the clip that is classified",
    "apex": "its input uses the coded apex of the clip that is classified",
    "aus": "its input uses the coded action units of the clip that is classified",
}
_SELECTIONS = {
    "fixed": "nothing was selected: its parameters were fixed beforehand",
    "inner": "parameters were selected inside each training fold, on subjects held out from it",
    "undeclared": "how its parameters were selected is not declared",
}
_FIDELITIES = {
    "A": "it reproduces the output of its authors' code (fidelity A)",
    "B": "it matches the checks printed in the paper (fidelity B)",
    "C": "it was built from the full text of the paper, not from its authors' code (fidelity C)",
    "D": "it is our reading of an abstract or fragments and not the method of its authors (fidelity D)",
}


def methods_section(groups: Iterable[Group], bibliography: Bibliography) -> str:
    """The methods section, a subsection per board and one on the statistics."""
    boards = list(groups)
    for name in sorted({name for group in boards for name in group.first.entry.annotations}):
        bibliography.corpus(name)  # before any free citation of the same paper
    lines = [r"\section{Methods}", ""]
    for group in boards:
        lines += [*_board(group, bibliography), ""]
    return "\n".join([*lines, *_statistics(boards), ""])


def _board(group: Group, bibliography: Bibliography) -> Iterator[str]:
    protocol = group.asked.protocol
    yield rf"\subsection{{Protocol {latex_code(protocol.name)}}}"
    if group.synthetic:
        yield rf"\textbf{{{latex_text(SYNTHETIC_WARNING)}.}}"
    yield (
        f"Version {protocol.version} of the protocol{cite(protocol_keys(bibliography, group))}, digest "
        f"{latex_code(protocol.digest[:16])}, as evaluated by mebench {latex_text(__version__)}{cite([SOFTWARE])}. "
        f"{latex_text(_sentence(protocol.description))}"
    )
    yield ""
    yield r"\paragraph{Clips.}"
    for name, source in protocol.sources.items():
        yield _corpus(group, name, source, bibliography)
        yield from _left_out(group, source)
    if group.first.entry.partial:
        yield "Clips of the release were not at hand: these are scores on a part of the corpora."
    yield ""
    yield r"\paragraph{Folds and scores.}"
    rule = _RULES[protocol.folds.name].format(k=protocol.folds.k, seed=protocol.folds.seed)
    number = len(group.first.manifest["folds"])
    yield f"{rule} ({number} folds). No label of a held-out clip reaches the model scored on it."
    yield _scores(group)
    yield ""
    yield r"\paragraph{Methods.}"
    yield r"\begin{itemize}"
    yield from (rf"\item {_method(group.name(one), one, bibliography)}" for one in group.members)
    yield r"\end{itemize}"


def _corpus(group: Group, name: str, source: Source, bibliography: Bibliography) -> str:
    annotation = group.first.entry.annotations[name]
    counts = ", ".join(f"{number} {latex_text(label)}" for label, number in group.per_class(name).items() if number)
    layout = "Synthetic, in the layout of " if group.synthetic else ""
    title = layout + latex_text(corpus_title(name)) + cite([bibliography.corpus(name)])
    several = "; a clip may hold several" if group.several else ""
    return (
        f"{title}, annotation {latex_code(annotation)}: {len(group.clips(name))} clips of {group.subjects(name)} "
        f"subjects, by {_FIELDS[source.label_field]} ({counts}{several})."
    )


def _left_out(group: Group, source: Source) -> Iterator[str]:
    """Who is left out and why, as the protocol says it; of its exclusions those that name this release."""
    reasons = [f"{latex_text(value)} ({latex_text(reason)})" for value, reason in source.left_out.items()]
    if reasons:
        yield f"Left out are clips labelled {'; '.join(reasons)}."
    releases = {group.first.entry.annotations[source.dataset], *(() if _by_emotion(source) else source.counts)}
    struck = [e for e in source.exclusions if releases & set(e.releases)]
    for (reason, word), clips in groupby(struck, lambda e: (e.reason, e.source)):
        yield f"Left out: {_clips(list(clips))}: {latex_text(reason)} ({latex_text(word)})."
    if source.allowed:
        allowed = source.allowed
        yield (
            f"Of the corpus {len(allowed.clips)} listed clips are taken: {latex_text(allowed.reason)} "
            f"({latex_text(allowed.source)})."
        )


def _by_emotion(source: Source) -> bool:
    return source.label_field != "objective_class"


def _clips(struck: list[Exclusion]) -> str:
    if len(struck) > _LISTED:
        return f"{len(struck)} clips"
    return ", ".join(latex_code(exclusion.clip) for exclusion in struck)


def _scores(group: Group) -> str:
    cited = cite([SCORES])
    pooled = "over the test predictions of all folds together, never as a mean over folds"
    if group.first.entry.aggregate == "directions":
        pooled = "over the test predictions of each fold, then averaged over the folds"
    if group.several:
        return (
            f"Every class is a question of its own, whose F1 is taken {pooled}{cited}; UF1 is the mean of these F1 "
            "over the classes that some clip holds, UAR the mean recall, accuracy the share of clips whose whole set "
            "is right."
        )
    return (
        f"UF1 is the unweighted mean over the {len(group.classes)} classes of "
        r"$F1_c = 2\,TP_c / (2\,TP_c + FP_c + FN_c)$, UAR that of the recalls $TP_c / n_c$; both are computed "
        f"{pooled}{cited}. A clip without a prediction counts as missed."
    )


def _method(name: str, one: Finished, bibliography: Bibliography) -> str:
    spec, key = one.run.spec, method_key(bibliography, one)
    source = str(one.facts["source"])
    said = [_PRIVILEGES[one.entry.privilege], _SELECTIONS.get(spec["selection"], latex_text(spec["selection"]))]
    said += [_FIDELITIES[one.entry.fidelity]] if one.entry.fidelity else []
    seeds, tried = len(one.run.seeds), one.entry.tried
    runs_words = f"{seeds} seeds, scores averaged and predictions never combined" if seeds > 1 else "one seed"
    tried_words = (
        f"{tried} configurations of it were scored under this protocol"
        if tried > 1
        else "no other configuration of it was scored under this protocol"
    )
    sentences = [
        rf"\textbf{{{latex_text(name)}}}{cite([key])}, input {latex_code(spec['recipe'])}{_parameters(spec)}",
        "; ".join(said),
        f"{runs_words}; {tried_words}",
    ]
    sentences += [] if key or not source else [latex_text(source.rstrip("."))]
    sentences += [f"Pretrained weights: {latex_code(_weights(spec))}"] if spec["weights"] else []
    sentences += (
        [f"It differs from its source: {' '.join(map(latex_text, _deviations(one)))}".rstrip(".")]
        if _deviations(one)
        else []
    )
    return ". ".join(s[:1].upper() + s[1:] for s in sentences) + "."


def _parameters(spec: Mapping[str, Any]) -> str:
    given = ", ".join(latex_code(f"{name}={_value(value)}") for name, value in spec["parameters"].items())
    return f", parameters {given}" if given else ""


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _weights(spec: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}:{digest[:16]}" for name, digest in sorted(spec["weights"].items()))


def _deviations(one: Finished) -> tuple[str, ...]:
    """Where the model says it differs from its source; of models from files nothing is run only to ask."""
    if one.run.spec["model_digest"] is not None:
        return ()
    try:
        factory = plugins.load_model(one.entry.model).factory
    except MebenchError:
        return ()
    return tuple(getattr(factory, "deviations", ()))


def _statistics(groups: list[Group]) -> Iterator[str]:
    members = [one for group in groups for one in group.members]
    yield r"\subsection{Statistics}"
    yield (
        f"Intervals are 95\\,\\% studentised bootstrap intervals{cite([BOOTSTRAP])} over subjects, {RESAMPLES:,} "
        f"resamples drawn by corpus, for {latex_text(WORDS['method'])}. {latex_text(COVERAGE_NOTE)}"
    )
    if len(members) > 1:
        yield (
            "Intervals of single methods do not say whether two of them differ: that takes the paired test over "
            r"subjects (\texttt{mebench compare})."
        )
    if any(len(one.run.seeds) > 1 for one in members):
        yield (
            "Seeds are a level of their own: their spread is in the intervals and stands beside the scores as a "
            "standard deviation."
        )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


__all__ = ["methods_section"]

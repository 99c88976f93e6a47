"""`mebench audit predictions`: a file of predictions against the protocol, the annotation, arithmetic and chance."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from mebench.api import single_protocol
from mebench.audit.figures import CLAIMS, claims, guessing, scores, selection
from mebench.audit.findings import AuditReport, Finding, listed
from mebench.audit.lines import FileQuestion, Lines, read_lines
from mebench.corpora import given_tables, parse_pairs
from mebench.errors import UsageError
from mebench.foreign import Target
from mebench.predictions import Prediction, labels_of
from mebench.progress import Progress, silent
from mebench.protocol import Protocol, Task, resolve
from mebench.protocol_file import Counts
from mebench.render import figure

DOES: Mapping[str, str] = {
    "form": "reads the file line by line: columns, seeds, classes, numbers",
    "duplicates": "looks for clips that are predicted twice under one seed",
    "clips": "looks for clips that the protocol does not hold",
    "coverage": "counts the clips without a prediction; each is an error in a score",
    "truth": "compares the truth stated with the annotation, or its counts with those of the protocol",
    "folds": "looks for clips predicted in a fold that trained on their subject",
    "scores": "compares classes with the scores beside them; looks for scores that no model gives",
    "claims": "compares printed figures with the file, and with what any predictions could reach",
    "guessing": "compares the score with guessing, the class kept that suits the tested subject best of many draws",
    "selection": "asks whether subjects with few clips do better, as where the epoch is chosen on each tested subject",
}


def file_question(options: Mapping[str, Any]) -> FileQuestion:
    """The question in the options of the command line; with `--data` the file is held against the annotation."""
    protocol = single_protocol(options["protocol"])
    data, releases = parse_pairs("--data", options["data"]), parse_pairs("--annotation", options["annotation"])
    tables = given_tables(data, releases, corrections=not options["no_corrections"])
    task = resolve(protocol, tables) if tables else None
    counts = {} if task else {name: next(iter(s.counts.values())).per_class for name, s in protocol.sources.items()}
    expected = {item.id: item.label for item in task.items} if task else None
    return FileQuestion(
        Path(options["file"]),
        protocol,
        Target(protocol.name, protocol.classes, counts, expected),
        task,
        columns=parse_pairs("--map", options["columns"]),
        labels=parse_pairs("--class", options["classes"]),
        claims=parse_pairs("--claim", options["claims"]),
    )


def audit_file(question: FileQuestion, progress: Progress = silent) -> AuditReport:
    """What was found about the file; raises PredictionError where it cannot be read at all."""
    for name in question.claims:
        if name not in CLAIMS:
            raise UsageError(f"No figure named {name!r} can be claimed.", f"Claim one of {', '.join(CLAIMS)}.")
    lines = read_lines(question)
    findings = []
    for done, check in enumerate(_CHECKS, 1):
        findings.append(check(lines, question))
        progress(done, len(_CHECKS), findings[-1].check)
    notes = [f"{len(lines.rows)} rows, {len(lines.seeds)} seeds, under {question.protocol.name}"]
    if not lines.annotated:
        notes.append("no annotation at hand: truth is what the file says; --data checks it against the workbook")
    return AuditReport(
        "predictions",
        question.path.name,
        tuple(findings),
        DOES,
        notes=tuple(notes),
        facts={"protocol": question.protocol.name},
    )


def _form(lines: Lines, _question: FileQuestion) -> Finding:
    if lines.faults:
        return Finding("form", "caught", listed(lines.faults), len(lines.faults), "lines", lines.faults)
    return Finding("form", "clean", f"{len(lines.rows)} lines read", 0.0, "lines")


def _duplicates(lines: Lines, _question: FileQuestion) -> Finding:
    counted = Counter((row.clip, row.seed) for row in lines.rows)
    twice = tuple(f"{clip} (seed {seed})" for (clip, seed), n in counted.items() if n > 1)
    if twice:
        return Finding("duplicates", "caught", f"predicted more than once: {listed(twice)}", len(twice), "clips", twice)
    return Finding("duplicates", "clean", "every clip once per seed", 0.0, "clips")


def _clips(lines: Lines, question: FileQuestion) -> Finding:
    if lines.annotated:
        strange = sorted({row.clip for row in lines.rows} - set(lines.expected))
    else:
        known = question.protocol.datasets
        strange = sorted(
            {r.clip for r in lines.rows if r.clip.partition("/")[0] not in known or r.clip.count("/") != 2}
        )
    if strange:
        why = f"not in {question.protocol.name}: {listed(strange)}"
        return Finding("clips", "caught", why, len(strange), "clips", tuple(strange))
    return Finding("clips", "clean", "every clip may be predicted", 0.0, "clips")


def _coverage(lines: Lines, question: FileQuestion) -> Finding:
    given = {key for key, row in lines.first.items() if row.predicted is not None}
    if lines.annotated:
        total = len(lines.expected)
        missing = [f"{clip} (seed {s})" for s in lines.seeds for clip in lines.expected if (clip, s) not in given]
    else:
        counts = [sum(c.clips for c in choice) for choice in _releases(question.protocol)]
        total = min(counts, key=lambda n: abs(n - len({clip for clip, _ in given}))) if counts else len(lines.expected)
        fewest = min((sum(s == seed for _, s in given) for seed in lines.seeds), default=0)
        missing = [f"{total - fewest} clips, unnamed without the annotation"] if fewest < total else []
    share = min((sum(s == seed for _, s in given) / total for seed in lines.seeds), default=0.0) if total else math.nan
    if missing:
        why = f"{figure(share)} of {total} clips are predicted; missing: {listed(missing)}"
        return Finding("coverage", "caught", why, share, "share of clips", tuple(missing))
    return Finding("coverage", "clean", f"all of {total} clips are predicted", share, "share of clips")


def _releases(protocol: Protocol) -> list[tuple[Counts, ...]]:
    """The counts of its corpora, for every choice of their releases."""
    return list(product(*(source.counts.values() for source in protocol.sources.values())))


def _truth(lines: Lines, question: FileQuestion) -> Finding:
    stated = [row for row in lines.first.values() if row.truth is not None]
    if not stated:
        return Finding("truth", "not applicable", "the file states no truth")
    if lines.annotated:
        wrong = sorted({r.clip for r in stated if r.truth != lines.expected[r.clip]})
        if wrong:
            why = f"the annotation says otherwise: {listed(wrong)}"
            return Finding("truth", "caught", why, len(wrong), "clips", tuple(wrong))
        return Finding("truth", "clean", "as the annotation has it", 0.0, "clips")
    both = defaultdict(set)
    for row in stated:
        both[row.clip].add(row.truth)
    unsure = sorted(clip for clip, truths in both.items() if len(truths) > 1)
    if unsure:
        why = f"differs between seeds: {listed(unsure)}"
        return Finding("truth", "caught", why, len(unsure), "clips", tuple(unsure))
    counts = Counter(label for clip in both for label in labels_of(next(iter(both[clip])) or ""))
    too_many = [
        f"{counts[name]} of {name}"
        for name in question.protocol.classes
        if question.target.counts and counts[name] > _most(question.protocol, name)
    ]
    if too_many:
        why = f"more than the protocol holds: {listed(too_many)}"
        return Finding("truth", "caught", why, len(too_many), "classes", tuple(too_many))
    return Finding("truth", "clean", "within the counts of the protocol", 0.0, "classes")


def _most(protocol: Protocol, name: str) -> float:
    """The most clips of a class that any release holds; infinite where one states none."""
    found = [
        sum(c.per_class.get(name, math.inf if not c.per_class else 0) for c in each) for each in _releases(protocol)
    ]
    return max(found, default=math.inf)


def _folds(lines: Lines, question: FileQuestion) -> Finding:
    rows = [row for row in lines.first.values() if row.fold]
    if not rows:
        return Finding("folds", "not applicable", "the file names no folds")
    if not question.protocol.subject_independent:
        return Finding("folds", "not applicable", f"{question.protocol.name} is not subject-independent")
    trained = {**_on_wrong_side(rows, lines, question.task), **_in_several(rows, lines)}
    if trained:
        why = f"tested by models that trained on the subject: {listed(list(trained))}"
        return Finding("folds", "caught", why, len(trained), "clips or subjects", tuple(trained))
    return Finding("folds", "clean", "every subject in one fold, which trained on others", 0.0, "clips or subjects")


def _on_wrong_side(rows: Sequence[Prediction], lines: Lines, task: Task | None) -> dict[str, None]:
    """Clips predicted in a fold of the protocol's that trained on their subject; folds of other names tell nothing."""
    trained_on = {fold.id: {lines.subjects[clip] for clip in fold.train} for fold in task.folds} if task else {}
    return {f"{r.clip} in {r.fold}": None for r in rows if lines.subjects[r.clip] in trained_on.get(r.fold, ())}


def _in_several(rows: Sequence[Prediction], lines: Lines) -> dict[str, None]:
    """Subjects whose clips are spread over folds: each of these has the other clips of the subject in training."""
    folds_of: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in rows:
        folds_of[lines.subjects[row.clip], row.seed].add(row.fold)
    return {
        f"{subject} in {len(named)} folds, each of which trained on its other clips": None
        for (subject, _), named in folds_of.items()
        if len(named) > 1
    }


_CHECKS = (_form, _duplicates, _clips, _coverage, _truth, _folds, scores, claims, guessing, selection)

__all__ = ["DOES", "FileQuestion", "audit_file", "file_question"]

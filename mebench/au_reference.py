"""The action-unit reference of a protocol on corpora: what classifiers reach that see the human codes and no frame.

It is the level of a perfect detector of action units followed by a classifier as simple as these. It bounds nothing: a
model may see more than was coded, and one that scores above it is to be asked how. The rule is fixed in advance and
generous to whoever is asked: of several classifiers, themselves fixed, the highest UF1 on each slice counts.

`mebench audit units` computes it; here it is kept under the home, one file for each protocol and set of clip tables, as
predictions from which every figure is derived.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mebench.clips import canonical_json
from mebench.errors import MebenchError, RunError
from mebench.intervals import intervals_of
from mebench.kept_json import keep_json, read_kept
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.objections import UnitLevel
from mebench.predictions import Predictions, parse_csv
from mebench.render import NONE, Table, figure
from mebench.scores import number_or_none
from mebench.scoring import ALL, Aggregate, ScoreCard, score_predictions

SCHEMA = "mebench.au-reference/1"
MODEL = "au-reference"
RULE = "the highest UF1 of the classifiers on each slice, which is generous to the figure that is held against it"


@dataclass(frozen=True)
class UnitReference:
    """What each classifier predicted from the codes, and on what.

    `annotations` and `fingerprints` are by dataset; `expected` maps clip to class, `subjects` clip to subject.
    `uncoded` are the clips without a code, which count as wrong. `from_units`: the classes of the protocol are
    themselves made of action units. `version` is that of the classifiers.
    """

    protocol: str
    protocol_version: int
    protocol_digest: str
    task: str
    classes: tuple[str, ...]
    aggregate: Aggregate
    subject_independent: bool
    annotations: Mapping[str, str]
    fingerprints: Mapping[str, str]
    synthetic: bool
    partial: bool
    from_units: bool
    expected: Mapping[str, str]
    subjects: Mapping[str, str]
    uncoded: tuple[str, ...]
    version: int
    predictions: Mapping[str, Predictions] = field(repr=False)
    command: str = ""

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits over protocol, clip tables and classifiers."""
        content = [self.protocol_digest, dict(self.fingerprints), self.partial, self.version, sorted(self.predictions)]
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:12]

    @cached_property
    def cards(self) -> dict[str, ScoreCard]:
        """The scores of each classifier; a clip without a code is wrong."""
        return {
            name: score_predictions(said, self.expected, aggregate=self.aggregate, full=not self.partial)[0]
            for name, said in self.predictions.items()
        }

    @property
    def slices(self) -> tuple[str, ...]:
        """`all`, and each dataset where there are several."""
        found = tuple(next(iter(self.cards.values())).strict)
        return found if len(found) > 2 else (ALL,)

    @property
    def best(self) -> str:
        """The classifier with the highest UF1 over all clips; of equal ones the first."""
        return self.best_on(ALL)

    def best_on(self, dataset: str) -> str:
        """The classifier with the highest UF1 on a slice; of equal ones the first."""
        return max(self.cards, key=lambda name: self.cards[name].strict[dataset].uf1)

    def uf1(self, dataset: str = ALL) -> float:
        """UF1 of the reference on a slice."""
        return self.cards[self.best_on(dataset)].strict[dataset].uf1

    @property
    def asks(self) -> dict[tuple[str, str], UnitLevel]:
        """The levels by protocol and slice that figures in print may be held against.

        Nothing where the corpus is rendered or holds less than its release, and on slices of which clips are uncoded.
        """
        if self.synthetic or self.partial:
            return {}
        return {
            (self.protocol, name): UnitLevel(self.uf1(name), max(self.uf1(name), self._best_weighted(name)))
            for name in self.slices
            if self.coverage(name) == 1
        }

    def coverage(self, dataset: str = ALL) -> float:
        """The share of a slice's clips that have a code."""
        return next(iter(self.cards.values())).strict[dataset].coverage

    def _best_weighted(self, dataset: str) -> float:
        return max(card.strict[dataset].weighted_f1 for card in self.cards.values())

    def values(self) -> dict[str, Any]:
        """The reference as values to keep, predictions as CSV."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "predictions"}
        return {**found, "predictions": {name: said.to_csv() for name, said in self.predictions.items()}}

    def record(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "protocol": self.protocol,
            "annotations": dict(self.annotations),
            "fingerprints": dict(self.fingerprints),
            "synthetic": self.synthetic,
            "partial": self.partial,
            "privilege": "aus",
            "rule": RULE,
            "reference": {name: number_or_none(self.uf1(name)) for name in self.slices},
            "classifier": {name: self.best_on(name) for name in self.slices},
            "uncoded": list(self.uncoded),
            "judges_figures_in_print": bool(self.asks),
            "classifiers": {
                name: {part: card.strict[part].record() for part in self.slices} for name, card in self.cards.items()
            },
            "notes": list(self.notes),
        }

    def table(self) -> Table:
        """One row per classifier and slice, the one that is the reference marked."""
        body = []
        for part in self.slices:
            for name, card in self.cards.items():
                scores = card.strict[part]
                chosen = "reference" if name == self.best_on(part) else ""
                figures = map(figure, (scores.coverage, scores.uf1, scores.uar, scores.accuracy, scores.weighted_f1))
                coverage, uf1, *rest = figures
                body.append((part, name, str(scores.clips), coverage, uf1, self._interval(name, part), *rest, chosen))
        scored = ("Clips", "Coverage", "UF1", "95 %", "UAR", "Acc.", "wF1")
        return Table(
            f"Action-unit reference of {self.protocol}: UF1 {figure(self.uf1())} from the codes of a workbook alone",
            ("Slice", "Classifier", *scored, ""),
            tuple(body),
            numeric=frozenset(scored),
            notes=self.notes,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known beside the figures."""
        annotation = ", ".join(f"{name} {release}" for name, release in sorted(self.annotations.items()))
        said = [
            f"{len(self.expected)} clips ({annotation}); classifiers see the codes of the tested clip: privilege aus.",
            f"The reference is {RULE}; parameters and rule were fixed beforehand.",
            "It is no strict bound: a model may see what nobody coded. A figure above it is a question to ask.",
        ]
        if self.uncoded:
            first, more = ", ".join(self.uncoded[:5]), " ..." if len(self.uncoded) > 5 else ""
            said.append(f"{len(self.uncoded)} clips have no code and count as wrong: {first}{more}.")
        if self.from_units:
            said.append("The classes of this protocol are made of action units, so a level near 1 says little.")
        if self.partial:
            said.append("The corpora hold less than their release: no figure in print is held against this.")
        if self.synthetic:
            said.append(f"{SYNTHETIC_WARNING}; no figure in print is held against this.")
        return tuple(said)

    def _interval(self, name: str, part: str) -> str:
        found = intervals_of(
            self.predictions[name], self.expected, self.subjects, aggregate=self.aggregate, metrics=("uf1",)
        )
        bound = found[part]["uf1"]
        return NONE if math.isnan(bound.low) else f"{figure(bound.low)}–{figure(bound.high)}"


def keep(home: Path, reference: UnitReference) -> Path:
    """Where the reference was written, whole or not at all; the one of the same id is replaced."""
    path = home / "references" / quote(reference.protocol, safe="") / f"{reference.id}.json"
    keep_json(path, SCHEMA, reference.values())
    return path


def kept(home: Path) -> tuple[UnitReference, ...]:
    """Every reference under the home, by protocol and id; raises RunError naming a damaged file."""
    return tuple(_read(path) for path in sorted((home / "references").glob("*/*.json")))


def kept_for(home: Path, protocol: str, fingerprints: Mapping[str, str], *, partial: bool) -> UnitReference | None:
    """The reference of a protocol on these very clip tables, the latest classifiers first; None where none is kept."""
    fitting = [
        one
        for one in kept(home)
        if (one.protocol, dict(one.fingerprints), one.partial) == (protocol, dict(fingerprints), partial)
    ]
    return max(fitting, key=lambda one: (one.protocol_version, one.version), default=None)


def _read(path: Path) -> UnitReference:
    fix = "Delete it, or give its mebench audit units again: it is written anew."
    values = read_kept(path, SCHEMA, fix)
    try:
        classes, said = tuple(values["classes"]), values["predictions"]
        values |= {"classes": classes, "uncoded": tuple(values["uncoded"])}
        values["predictions"] = {
            name: parse_csv(text, classes, protocol=values["protocol"], source=f"{path.name} {name}")
            for name, text in said.items()
        }
        found = UnitReference(**values)
        found.cards  # noqa: B018  what cannot be scored is told here
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, MebenchError) as fault:
        raise RunError(f"{path} is damaged: {fault}.", fix) from fault
    return found


__all__ = ["MODEL", "RULE", "SCHEMA", "UnitReference", "keep", "kept", "kept_for"]

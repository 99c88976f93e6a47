"""What an audit found: one finding per check, and the report of them all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mebench.render import Table, figure
from mebench.scores import number_or_none

SCHEMA = "mebench.audit/1"
Verdict = Literal["clean", "caught", "reported", "not applicable"]
"""`reported` is for people to judge and fails nothing."""

NAMED = 5
"""Clips, files or pairs written out in one line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: the verdict, one line of why, and its figure where it has one (NaN where not).

    `measures` says what the figure is; `items` are the clips, files or pairs concerned, all of them.
    """

    check: str
    verdict: Verdict
    why: str
    figure: float = math.nan
    measures: str = ""
    items: tuple[str, ...] = ()

    def record(self, does: str) -> dict[str, Any]:
        """The finding as plain JSON values; `does` is what the check does."""
        return {
            "check": self.check,
            "does": does,
            "verdict": self.verdict,
            "why": self.why,
            "figure": number_or_none(self.figure),
            "measures": self.measures,
            "items": list(self.items),
        }


@dataclass(frozen=True)
class AuditReport:
    """The findings of an audit in order. `does` says per check what it does; `notes` what was audited, and how."""

    kind: Literal["model", "dataset", "predictions"]
    name: str
    findings: tuple[Finding, ...]
    does: Mapping[str, str]
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def caught(self) -> tuple[str, ...]:
        """The checks that caught something, in order."""
        return tuple(finding.check for finding in self.findings if finding.verdict == "caught")

    @property
    def clean(self) -> bool:
        """Whether nothing was caught."""
        return not self.caught

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of every check that was made, in order."""
        return {finding.check: finding.verdict for finding in self.findings}

    def verdict(self, check: str) -> Verdict:
        """The verdict of a check that was made."""
        return next(finding.verdict for finding in self.findings if finding.check == check)

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "name": self.name,
            "clean": self.clean,
            "caught": list(self.caught),
            "findings": [finding.record(self.does[finding.check]) for finding in self.findings],
            "notes": list(self.notes),
            **self.facts,
        }

    def table(self) -> Table:
        """The report as a table, what each check does beside what it found."""
        rows = tuple((f.check, f.verdict, figure(f.figure), f.why, self.does[f.check]) for f in self.findings)
        said = f"caught by {', '.join(self.caught)}" if self.caught else "nothing caught"
        return Table(
            f"Audit of {self.kind} {self.name}: {said}",
            ("check", "verdict", "figure", "why", "what it does"),
            rows,
            numeric=frozenset({"figure"}),
            notes=self.notes,
        )


def listed(items: Sequence[str]) -> str:
    """The first few items and how many more there are."""
    more = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {more} more" if more > 0 else "")


__all__ = ["SCHEMA", "AuditReport", "Finding", "Verdict", "listed"]

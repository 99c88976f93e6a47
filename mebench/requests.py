"""What `mebench run` is asked for, and what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mebench.checkpoints import EVERY_S
from mebench.corpora import parse_pairs
from mebench.errors import UsageError


@dataclass(frozen=True, slots=True)
class Request:
    """One `mebench run`, as typed.

    `folds_at_once` is for models that fit many, None for as many as the model asks for; `checkpoint_s` is how many
    seconds of training a kill may cost.
    """

    model: str
    protocol: str
    home: Path
    seeds: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    corrections: bool = True
    shard: tuple[int, int] = (1, 1)
    allow_partial: bool = False
    fresh: bool = False
    estimate: bool = False
    device: str = "auto"
    command: str = ""
    preset: str | None = None
    folds_at_once: int | None = None
    measure_peeking: bool = False
    checkpoint_s: float = EVERY_S

    @classmethod
    def of(cls, options: Mapping[str, Any], command: str) -> "Request":
        """The request in the options of the command line; raises UsageError for what does not parse or go together."""
        if options["fresh"] and options["shard"]:
            raise UsageError("--fresh would discard what the other shards have done.", "Give it without --shard, once.")
        return cls(
            model=options["model"],
            protocol=options["protocol"],
            home=options["home"],
            seeds=options["seeds"],
            settings=parse_pairs("--set", options["settings"]),
            only=options["only"],
            data=parse_pairs("--data", options["data"]),
            annotations=parse_pairs("--annotation", options["annotation"]),
            corrections=not options["no_corrections"],
            shard=parse_shard(options["shard"]),
            allow_partial=options["allow_partial"],
            fresh=options["fresh"],
            estimate=options["estimate"],
            device=options["device"],
            command=command,
            preset=options["preset"],
            folds_at_once=options["folds_at_once"],
            measure_peeking=options["measure_peeking"],
            checkpoint_s=options["checkpoint_every"],
        )


@dataclass(frozen=True, slots=True)
class MemberReport:
    """What became of one protocol of a request; of an estimate, `seconds` is how long the whole would take."""

    protocol: str
    run: str
    folder: Path
    folds: int
    done: int
    failed: Mapping[str, str]
    missing: Mapping[str, str]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """One line per fact worth knowing."""
        lines = [f"{self.protocol}  run {self.run}  {self.done} of {self.folds} folds done  {self.folder}"]
        lines += [f"  fold {fold} failed: {what}" for fold, what in self.failed.items()]
        lines += [f"  clip {clip} has no input: {why}" for clip, why in self.missing.items()]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "protocol": self.protocol,
            "run": self.run,
            "folder": str(self.folder),
            "folds": self.folds,
            "done": self.done,
            "failed": dict(self.failed),
            "missing": dict(self.missing),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of a request: one report per protocol, and the protocols left out with the reason."""

    members: tuple[MemberReport, ...]
    left_out: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether no fold failed and no clip went without a prediction."""
        return not any(m.failed or m.missing for m in self.members)

    def text(self) -> str:
        """The report for a person."""
        return "\n".join([*(m.text for m in self.members), *(f"{n} left out: {w}" for n, w in self.left_out.items())])

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "schema": "mebench.run-report/1",
            "complete": self.complete,
            "members": [m.record() for m in self.members],
            "left_out": dict(self.left_out),
        }


def parse_shard(text: str | None) -> tuple[int, int]:
    """`I/N` with 1 <= I <= N; `1/1` for None."""
    if text is None:
        return (1, 1)
    first, slash, last = text.partition("/")
    if slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last):
        return int(first), int(last)
    raise UsageError(f"--shard {text!r} is not I/N with 1 <= I <= N.", "Write for instance --shard 1/4.")

"""`mebench pretrain magnifier`: the training, gone on with where it was killed, judged, and written with its recipe."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from mebench import runs
from mebench.errors import StoreError, UsageError
from mebench.files import read_sealed, remove, sidecar, write_atomic, write_sealed, write_text_atomic
from mebench.magnifier.calibration import calibration_of
from mebench.magnifier.judging import judged
from mebench.magnifier.textures import PEOPLE, SEED, held_out, library
from mebench.magnifier.training import DESIGN, Schedule, Training, train
from mebench.magnifier.weights import KIND, digest_of, load_magnifier
from mebench.progress import Progress, silent
from mebench.synth.corpus import GENERATOR
from mebench.vision.magnification.learned import two_frame
from mebench.vision.magnification.network import Magnifier
from mebench.weights.files import encode_weights
from mebench.weights.provenance import NOTHING, Provenance, Seen

SCHEMA: Final = "mebench.magnifier/1"
FACTORS: Final = (2.0, 4.0, 10.0)
SHIFTS_PX: Final = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class MagnifierRequest:
    """What to train, where to write it, and after which step to stop for now."""

    output: Path
    schedule: Schedule = field(default_factory=Schedule)
    device: str = "auto"
    stop: int | None = None
    start: Path | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any], threads: int) -> "MagnifierRequest":
        """The request in the options of the command line."""
        start = options["start"]
        begun = digest_of(str(start)) if start else ""
        schedule = Schedule(steps=options["steps"], seed=options["seed"], threads=threads, start=begun)
        return cls(options["output"], schedule, options["device"], options["stop"], start)

    @property
    def checkpoint(self) -> Path:
        """Where the training is kept until it ends."""
        return self.output.with_name(self.output.name + ".checkpoint")

    @property
    def notes(self) -> Path:
        """The recipe and the log beside the weights."""
        return self.output.with_suffix(".json")


@dataclass(frozen=True)
class MagnifierReport:
    """The weights that were written and what is told of them."""

    output: Path
    digest: str
    metadata: Mapping[str, Any]
    log: Sequence[Mapping[str, float]]

    def record(self) -> dict[str, Any]:
        """What stands beside the weights, as plain JSON values."""
        return {"schema": SCHEMA, "digest": self.digest, **self.metadata, "log": list(self.log)}

    def text(self) -> str:
        """The report for a person."""
        made, steps = self.metadata["made"], self.metadata["schedule"]["steps"]
        lines = [f"magnifier {self.digest[:12]}  {self.output}"]
        lines.append(
            f"  {made} of {steps} steps; error {self.log[0]['error']:.4f} at first, {self.log[-1]['error']:.4f}"
        )
        lines.append("  gain on held-out textures : error in grey levels at that gain, by shift in px:")
        for gains in self.metadata["gains"]:
            found = "  ".join(f"{px}: {gain:5.2f} : {gains['error'][px]:.1f}" for px, gain in gains["gain"].items())
            lines.append(f"  x{gains['factor']:g}  {found}")
        return "\n".join(lines)


def pretrain_magnifier(request: MagnifierRequest, progress: Progress = silent) -> MagnifierReport:
    """What came of the training; its weights lie in `output`, and recipe, log and gains in a JSON file beside it.

    A training that was killed goes on from its last checkpoint; so does one that was stopped. Raises UsageError where a
    checkpoint of another training lies in the way.
    """
    notes = {"key": request.schedule.key}
    training = train(
        request.schedule,
        device=request.device,
        resume=_resumed(request),
        keep=lambda state: write_sealed(request.checkpoint, state.state(), notes),
        progress=progress,
        stop=request.stop,
        start=_start(request),
    )
    report = _written(request, training)
    if training.made == request.schedule.steps:
        for path in (request.checkpoint, sidecar(request.checkpoint)):
            remove(path)
    return report


def gains_of(
    network: Magnifier, factors: Sequence[float] = FACTORS, shifts_px: Sequence[float] = SHIFTS_PX
) -> list[dict[str, Any]]:
    """By factor, the measured gain and the error in grey levels at each shift, means over the held-out textures."""
    magnify, rows = partial(two_frame, network), []
    for factor in factors:
        found = {f"{shift:g}": judged(magnify, held_out(), shift, factor) for shift in shifts_px}
        row: dict[str, Any] = {"factor": factor}
        row["gain"] = {shift: round(one.gain, 3) for shift, one in found.items()}
        rows.append({**row, "error": {shift: round(one.error, 2) for shift, one in found.items()}})
    return rows


def seen_in_training() -> Provenance:
    """What every magnifier trained here has seen: no corpus, no person but those in shipped photographs."""
    textures = library()
    photographs = [texture for texture in textures if texture.name.startswith(("matplotlib/", "scikit-learn/"))]
    drawn = [texture for texture in textures if texture not in photographs]
    of_drawn = hashlib.sha256("".join(texture.digest for texture in drawn).encode()).hexdigest()
    seen = [Seen(texture.name, texture.digest, 1) for texture in photographs]
    seen.append(Seen(f"{PEOPLE} drawn faces and patterns", of_drawn, len(drawn), synthetic=(GENERATOR, SEED)))
    return NOTHING.followed_by(KIND, seen)


def _start(request: MagnifierRequest) -> Magnifier | None:
    """The network to go on from; UsageError where it is of another design."""
    if request.start is None:
        return None
    found = load_magnifier(str(request.start))
    if found.design != DESIGN:
        raise UsageError(f"{request.start} is a magnifier of another design.", "Start from one trained here.")
    return found


def _resumed(request: MagnifierRequest) -> bytes | None:
    """The checkpoint of this training; None where there is none that is whole."""
    if not request.checkpoint.exists():
        return None
    try:
        data, notes = read_sealed(request.checkpoint)
    except StoreError:
        return None
    if notes.get("key") != request.schedule.key:
        raise UsageError(
            f"{request.checkpoint} is of another training.", "Give that one's options, another output, or delete it."
        )
    return data


def _written(request: MagnifierRequest, training: Training) -> MagnifierReport:
    network = training.finished()
    network.calibration = calibration_of(network)
    schedule = request.schedule.record()
    metadata = {
        "kind": KIND,
        "design": schedule.pop("design"),
        "schedule": schedule,
        "made": training.made,
        "calibration": [list(pair) for pair in network.calibration],
        "gains": gains_of(network),
        "provenance": seen_in_training().record(),
        "environment": runs.environment(),
    }
    data = encode_weights(network.state_dict(), metadata)
    log = [{name: round(value, 6) for name, value in entry.items()} for entry in training.log]
    report = MagnifierReport(request.output, hashlib.sha256(data).hexdigest(), metadata, log)
    write_atomic(request.output, data)
    write_text_atomic(request.notes, json.dumps(report.record(), indent=1, ensure_ascii=False) + "\n")
    return report


__all__ = ["DESIGN", "MagnifierReport", "MagnifierRequest", "gains_of", "pretrain_magnifier"]

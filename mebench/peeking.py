"""Chance with peeking: what guessing scores where the best of several epochs is kept for each tested subject.

Public code often tests after every epoch and keeps, per held-out subject, the predictions of the epoch that scored best
on that very subject. Here the model knows nothing: every epoch labels every clip at random, and the epoch with most
clips right is kept, the first of those equal. Kept predictions are pooled over folds and scored as the protocol scores.
Epochs of real training are not independent draws, so that this bounds from above what selection alone can give; no
knowledge of faces is in it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.protocol import Protocol, Task, resolve
from mebench.render import Table
from mebench.scores import from_confusion

SCHEMA = "mebench.peeking/1"
Guess = Literal["uniform", "prior"]
GUESSES: tuple[Guess, ...] = get_args(Guess)
MOST_EPOCHS = 100_000
_CHUNK = 4_000_000
"""Labels drawn at a time, one byte each."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Folds:
    """The class-by-fold table of a protocol: `clips` (f, k), the clips of each class that a fold tests.

    `parts` (f,) says which folds are pooled before scoring: all, or each direction of a hold-out protocol on its own.
    `assumption` is empty where the table is counted from annotations.
    """

    protocol: str
    classes: tuple[str, ...]
    clips: Counts
    parts: NDArray[np.intp]
    assumption: str = ""


@dataclass(frozen=True, slots=True)
class Chance:
    """What guessing scores with the best of so many epochs: mean and standard deviation over repetitions."""

    epochs: int
    uf1: float
    uf1_sd: float
    uar: float
    uar_sd: float


@dataclass(frozen=True)
class Peeking:
    """Chance with peeking by number of epochs."""

    folds: Folds
    guess: Guess
    repetitions: int
    seed: int
    chances: tuple[Chance, ...]

    def record(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        return {
            "schema": SCHEMA,
            "protocol": self.folds.protocol,
            "guess": self.guess,
            "clips": int(self.folds.clips.sum()),
            "folds": len(self.folds.clips),
            "repetitions": self.repetitions,
            "seed": self.seed,
            "assumption": self.folds.assumption or None,
            "epochs": {
                str(c.epochs): {"uf1": c.uf1, "uf1_sd": c.uf1_sd, "uar": c.uar, "uar_sd": c.uar_sd}
                for c in self.chances
            },
        }

    def table(self) -> Table:
        """The figures for reading."""
        from mebench.render import figure

        words = {"uniform": "every class alike", "prior": "classes as frequent as they are"}
        size = f"{int(self.folds.clips.sum())} clips, {len(self.folds.clips)} folds"
        return Table(
            f"Chance with peeking: {self.folds.protocol}, {size}, guessing {words[self.guess]}",
            ("Epochs", "UF1", "UAR"),
            tuple((str(c.epochs), figure(c.uf1, c.uf1_sd), figure(c.uar, c.uar_sd)) for c in self.chances),
            numeric=frozenset({"Epochs", "UF1", "UAR"}),
            notes=(
                "Of each fold the predictions of the epoch with most tested clips right are kept.",
                "Epochs are independent guesses, unlike those of training: an upper bound of what selection gives.",
                f"Mean ± SD of {self.repetitions} repetitions, seed {self.seed}.",
                *([self.folds.assumption] if self.folds.assumption else []),
            ),
        )


def peeking_request(options: Mapping[str, Any]) -> Peeking:
    """What the command line asks for; with `--data` on the corpora given, else on the protocol's own counts."""
    from mebench.api import single_protocol
    from mebench.corpora import given_tables, parse_pairs

    protocol = single_protocol(options["protocol"])
    data, releases = parse_pairs("--data", options["data"]), parse_pairs("--annotation", options["annotation"])
    tables = given_tables(data, releases, corrections=not options["no_corrections"])
    folds = folds_of(resolve(protocol, tables)) if tables else expected_folds(protocol, seed=options["seed"])
    return peek(
        folds,
        parse_epochs(options["epochs"]),
        options["guess"],
        repetitions=options["repetitions"],
        seed=options["seed"],
    )


def parse_epochs(text: str) -> tuple[int, ...]:
    """`1,10,100` as numbers; raises UsageError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) < 9 for part in parts):
        raise UsageError(f"--epochs {text[:40]!r} is no list of numbers.", "Write for instance --epochs 1,10,100.")
    return tuple(int(part) for part in parts)


def folds_of(task: Task) -> Folds:
    """The class-by-fold table of a protocol on its corpora; raises UsageError where clips hold several classes."""
    _check_single(task.protocol)
    label = {item.id: item.label for item in task.items}
    held = [Counter(label[clip] for clip in fold.test) for fold in task.folds]
    clips = np.array([[counts[c] for c in task.protocol.classes] for counts in held], dtype=np.int64)
    return Folds(task.protocol.name, task.protocol.classes, clips, _parts(task.protocol, len(clips)))


def expected_folds(protocol: Protocol, *, seed: int = 0) -> Folds:
    """The class-by-fold table as far as the protocol's own counts tell it, the rest assumed.

    Clips per class and clips per subject are the protocol's, those of the first release it names; which subject holds
    which class is not known without the corpus and is drawn at random. Raises UsageError where the protocol does not
    say how many clips its subjects have, or is not parted by subject or dataset.
    """
    _check_single(protocol)
    releases = {name: next(iter(source.counts)) for name, source in protocol.sources.items()}
    counts = {name: protocol.sources[name].counts[release] for name, release in releases.items()}
    stated = f"Counts as the protocol states them: {', '.join(f'{n} {r}' for n, r in releases.items())}."
    if protocol.folds.name == "hold-out-dataset":
        clips = np.array([[c.per_class.get(k, 0) for k in protocol.classes] for c in counts.values()], dtype=np.int64)
        return Folds(protocol.name, protocol.classes, clips, _parts(protocol, len(clips)), stated)
    unknown = [name for name, c in counts.items() if not c.clips_per_subject]
    if unknown or protocol.folds.name != "leave-one-subject-out":
        raise UsageError(
            f"{protocol.name} does not say which clips are tested together"
            + (f": clips per subject of {unknown[0]} are not in it." if unknown else f" by {protocol.folds.name}."),
            f"Give its corpora: {' '.join(f'--data {name}=DIR' for name in protocol.datasets)}.",
        )
    generator = np.random.default_rng(seed)
    dealt = [_dealt(c.per_class, c.clips_per_subject, protocol.classes, generator) for c in counts.values()]
    clips = np.concatenate(dealt)
    assumed = "Which subject holds which class is assumed, dealt at random: give --data for the real table."
    return Folds(protocol.name, protocol.classes, clips, _parts(protocol, len(clips)), f"{stated} {assumed}")


def peek(
    folds: Folds, epochs: Sequence[int], guess: Guess = "prior", *, repetitions: int = 200, seed: int = 0
) -> Peeking:
    """UF1 and UAR of guessing with the best of each number of epochs, over `repetitions` independent simulations.

    `uniform` guesses every class alike, `prior` as frequently as the protocol's clips are of it, in every fold. Fewer
    epochs are the first of the more, so that a figure never falls with the number of epochs by chance alone.
    Raises UsageError for numbers of epochs below 1 or beyond `MOST_EPOCHS`.
    """
    wanted = tuple(dict.fromkeys(epochs))
    if not wanted or min(wanted) < 1 or max(wanted) > MOST_EPOCHS or repetitions < 2:
        raise UsageError(
            f"Epochs {', '.join(map(str, wanted))} with {repetitions} repetitions cannot be simulated.",
            f"Give epochs from 1 to {MOST_EPOCHS}, and 2 repetitions or more.",
        )
    k = len(folds.classes)
    generator = np.random.default_rng(seed)
    pooled = np.zeros((len(wanted), repetitions, folds.parts.max() + 1, k, k + 1), dtype=np.int64)
    weights = np.full(k, 1 / k) if guess == "uniform" else folds.clips.sum(axis=0) / folds.clips.sum()
    for part, held in zip(folds.parts, folds.clips, strict=True):
        pooled[:, :, part] += _kept(np.repeat(np.arange(k), held), weights, wanted, repetitions, generator)
    return Peeking(
        folds,
        guess,
        repetitions,
        seed,
        tuple(_chance(e, m, folds.classes) for e, m in zip(wanted, pooled, strict=True)),
    )


def _kept(
    truth: NDArray[np.intp], weights: Floats, wanted: Sequence[int], repetitions: int, generator: np.random.Generator
) -> Counts:
    """Confusions (wanted, repetitions, k, k + 1) of one fold's kept predictions."""
    k, n, most = len(weights), len(truth), max(wanted)
    bounds = np.cumsum(weights)[:-1]
    found = np.zeros((len(wanted), repetitions, k, k + 1), dtype=np.int64)
    step = max(1, _CHUNK // (most * max(1, n)))
    for start in range(0, repetitions, step):
        size = min(step, repetitions - start)
        guesses = np.searchsorted(bounds, generator.random((size, most, n), dtype=np.float32), side="right").astype(
            np.int8
        )
        right = (guesses == truth).sum(axis=2)
        for w, epochs in enumerate(wanted):
            best = right[:, :epochs].argmax(axis=1)
            predicted = guesses[np.arange(size), best].astype(np.int64)
            cells = (np.arange(size)[:, None] * k + truth) * (k + 1) + predicted
            found[w, start : start + size] += np.bincount(cells.ravel(), minlength=size * k * (k + 1)).reshape(
                size, k, k + 1
            )
    return found


def _chance(epochs: int, pooled: Counts, classes: tuple[str, ...]) -> Chance:
    """Mean and SD over repetitions of the scores of (repetitions, parts, k, k + 1), averaged over parts."""
    scored = [[from_confusion(part, classes) for part in parts] for parts in pooled]
    uf1 = np.array([[s.uf1 for s in parts] for parts in scored]).mean(axis=1)
    uar = np.array([[s.uar for s in parts] for parts in scored]).mean(axis=1)
    return Chance(epochs, float(uf1.mean()), float(uf1.std(ddof=1)), float(uar.mean()), float(uar.std(ddof=1)))


def _parts(protocol: Protocol, folds: int) -> NDArray[np.intp]:
    return np.arange(folds) if protocol.aggregate == "mean-over-folds" else np.zeros(folds, dtype=np.intp)


def _dealt(
    per_class: Mapping[str, int], per_subject: Mapping[str, int], classes: Sequence[str], generator: np.random.Generator
) -> Counts:
    """Clips (subjects, k) with these totals, classes dealt at random."""
    labels = generator.permutation(np.repeat(np.arange(len(classes)), [per_class.get(c, 0) for c in classes]))
    owners = np.repeat(np.arange(len(per_subject)), list(per_subject.values()))
    table = np.zeros((len(per_subject), len(classes)), dtype=np.int64)
    np.add.at(table, (owners, labels), 1)
    return table


def _check_single(protocol: Protocol) -> None:
    if protocol.multilabel:
        raise UsageError(
            f"{protocol.name} asks for any number of classes of a clip; guessing them is not simulated.",
            "Name a protocol of single classes.",
        )


__all__ = [
    "GUESSES",
    "Chance",
    "Folds",
    "Guess",
    "Peeking",
    "expected_folds",
    "folds_of",
    "parse_epochs",
    "peek",
    "peeking_request",
]

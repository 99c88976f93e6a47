"""What weights have seen: corpora, people, the chain of trainings; as recorded in the file, or known of its content."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mebench.errors import ModelError

SCHEMA = "mebench.provenance/1"
IMAGENET, MACRO = "imagenet", "macro"
SCRATCH, UNKNOWN = "scratch", "unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """One corpus that weights were trained on.

    `subjects` are `corpus/subject`, None where the corpus names none. `synthetic` is generator and seed where its faces
    were rendered.
    """

    dataset: str
    fingerprint: str
    images: int
    subjects: tuple[str, ...] | None = None
    synthetic: tuple[str, int] | None = None

    @property
    def text(self) -> str:
        """The corpus, and whether it is rendered."""
        return f"{self.dataset} SYNTHETIC" if self.synthetic else self.dataset

    def people_among(self, subjects: Iterable[str]) -> tuple[str, ...]:
        """Those of `subjects` who were seen, sorted; all of the corpus where it is not known who was."""
        corpus = (self.dataset, self.dataset.partition("-")[0])  # modalities of one corpus show the same people
        own = [subject for subject in subjects if subject.partition("/")[0] in corpus]
        return tuple(sorted(own if self.subjects is None else set(own) & set(self.subjects)))

    def record(self) -> dict[str, Any]:
        """The corpus as plain JSON values."""
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "images": self.images,
            "subjects": None if self.subjects is None else list(self.subjects),
            "synthetic": None if self.synthetic is None else list(self.synthetic),
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where weights come from: the chain (`imagenet+macro`), and what was seen; None where nobody knows."""

    chain: str
    seen: tuple[Seen, ...] | None

    @property
    def known(self) -> bool:
        """Whether it is known what the weights saw."""
        return self.seen is not None

    @property
    def text(self) -> str:
        """What was seen, in words."""
        if self.seen is None:
            return "provenance unknown"
        return ", ".join(seen.text for seen in self.seen) or "nothing"

    def followed_by(self, stage: str, seen: Iterable[Seen]) -> "Provenance":
        """The provenance after one more training."""
        if self.seen is None:
            return Provenance(f"{UNKNOWN}+{stage}", None)
        stages = [] if self.chain == SCRATCH else self.chain.split("+")
        chain = stages if stages[-1:] == [stage] else [*stages, stage]
        return Provenance("+".join(chain), (*self.seen, *seen))

    def record(self) -> dict[str, Any]:
        """The provenance as plain JSON values."""
        seen = None if self.seen is None else [seen.record() for seen in self.seen]
        return {"schema": SCHEMA, "chain": self.chain, "seen": seen}


NOTHING = Provenance(SCRATCH, ())
NOBODY_KNOWS = Provenance(UNKNOWN, None)


def provenance_of(record: Any, where: str) -> Provenance:
    """The provenance in plain JSON values; raises ModelError where they hold none, naming the file."""
    try:
        if record["schema"] != SCHEMA:
            raise ValueError(record["schema"])
        seen = record["seen"]
        return Provenance(str(record["chain"]), None if seen is None else tuple(map(_seen, seen)))
    except (LookupError, TypeError, ValueError, OverflowError) as fault:
        raise ModelError(
            f"{where}: what it says it was trained on is damaged ({fault}).", "Train it again with mebench pretrain."
        ) from fault


def _seen(record: Mapping[str, Any]) -> Seen:
    subjects, synthetic = record["subjects"], record["synthetic"]
    named = isinstance(subjects, list) and all(isinstance(subject, str) for subject in subjects)
    if subjects is not None and not named:  # a text is no list of texts: nobody would be found in it
        raise ValueError("subjects")
    return Seen(
        dataset=str(record["dataset"]),
        fingerprint=str(record["fingerprint"]),
        images=int(record["images"]),
        subjects=None if subjects is None else tuple(subjects),
        synthetic=None if synthetic is None else (str(synthetic[0]), int(synthetic[1])),
    )


__all__ = ["IMAGENET", "MACRO", "NOBODY_KNOWS", "NOTHING", "SCRATCH", "UNKNOWN", "Provenance", "Seen", "provenance_of"]

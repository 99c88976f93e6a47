"""What audits said of a model, kept under the home, so that every row of that very model can say so too.

`<home>/audits/<model>/<key>.json` holds per check, and per corpus it was made on, the last verdict and its date. The
key is a digest of the model's name, version, parameters, weights and, of a model from a file, its source: a model that
changed in any of these was never audited. No clip and no subject is named there.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mebench.clips import canonical_json
from mebench.errors import RunError
from mebench.files import write_text_atomic

SCHEMA = "mebench.verdicts/1"
NOT_AUDITED = "not audited"
DRAWN = "drawn"
"""Stands for the corpus that an audit draws where no protocol is asked for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model: its name and version, the SHA-256 of its source where it is from a file, its parameters as JSON.

    `weights` are the digests of what it was trained on elsewhere, by name.
    """

    model: str
    version: int
    digest: str | None
    parameters: Mapping[str, Any]
    weights: Mapping[str, str]

    @classmethod
    def of_spec(cls, spec: Mapping[str, Any]) -> "Identity":
        """The model of a run, as its record keeps it."""
        named = ("model", "model_version", "model_digest", "parameters", "weights")
        return cls(*(spec[name] for name in named))

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 over all of it."""
        return hashlib.sha256(canonical_json(asdict(self)).encode()).hexdigest()[:16]

    def path(self, home: Path) -> Path:
        """Where verdicts on this model are kept."""
        return home / "audits" / quote(self.model, safe="") / f"{self.key}.json"


@dataclass(frozen=True, slots=True)
class Said:
    """One check of one audit: the corpus it was made on, its verdict, and the day (UTC, ISO 8601)."""

    check: str
    corpus: str
    verdict: str
    date: str


def keep(home: Path, identity: Identity, verdicts: Mapping[str, str], protocol: str | None) -> Path:
    """Keeps an audit's verdicts by check, and says where; those it did not make this time stay as they were.

    Of a protocol from a file the file's name is kept.
    """
    corpus = protocol.rpartition("/")[2] if protocol else DRAWN
    today = datetime.now(UTC).date().isoformat()
    made = {(check, corpus): Said(check, corpus, verdict, today) for check, verdict in verdicts.items()}
    known = {(one.check, one.corpus): one for one in kept(home, identity)}
    path = identity.path(home)
    said = [asdict(one) for _, one in sorted((known | made).items())]
    record = {"schema": SCHEMA, "identity": asdict(identity), "said": said}
    write_text_atomic(path, json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def kept(home: Path, identity: Identity) -> tuple[Said, ...]:
    """Everything that was said of this model, nothing where it was never audited; RunError for a damaged file."""
    path = identity.path(home)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Said(**one) for one in record["said"])
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as fault:
        raise RunError(f"{path} is damaged: {fault}.", "Delete it, and audit the model again.") from fault


def verdict_of(home: Path, spec: Mapping[str, Any]) -> str:
    """What audits said of the model of a run, by the run's record, in a few words."""
    return summary(kept(home, Identity.of_spec(spec)))


def summary(said: Iterable[Said]) -> str:
    """In a few words what was found: `clean, 12 checks, 2026-01-31`, `caught: order, 2026-01-31`, or `not audited`.

    Checks that could not be made on this model do not count; the date is that of the latest that counts.
    """
    made = [one for one in said if one.verdict != "not applicable"]
    if not made:
        return NOT_AUDITED
    caught = list(dict.fromkeys(one.check for one in made if one.verdict == "caught"))
    date = max(one.date for one in made if not caught or one.verdict == "caught")
    checks = len({one.check for one in made})
    return f"caught: {', '.join(caught)}, {date}" if caught else f"clean, {checks} check{'s' * (checks > 1)}, {date}"


__all__ = ["NOT_AUDITED", "Identity", "Said", "keep", "kept", "summary", "verdict_of"]

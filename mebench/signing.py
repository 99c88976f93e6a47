"""Ed25519 signatures of the labs that replicate runs (RFC 8032).

A lab is a key pair in its home and a name it gives itself. There is no authority behind it, so a signature proves this
and no more: the holder of that key stated exactly this, and nobody changed it since. It does not prove who holds the
key, that the name is theirs, that two keys are two people, or that what is stated was done. Whoever must know
compares the fingerprint with the lab over another channel.
"""

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mebench.errors import RunError, UsageError
from mebench.files import replace_into
from mebench.json_files import read_json

SCHEMA = "mebench.identity/1"
_MODE = 0o600
_SECRET_BYTES = 32
_LONGEST_NAME = 80


@dataclass(frozen=True, repr=False)
class Identity:
    """A lab's name and its secret key (32 bytes), which no repr shows."""

    lab: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Identity({self.lab!r}, {fingerprint(self.public)})"

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """The signature, 128 hexadecimal digits."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.secret).sign(message).hex()


def identity_of(home: Path, lab: str | None) -> Identity:
    """The identity under this home; made, and its file readable by its owner alone, when a name is first given.

    Raises UsageError where there is none and no name was given, or another name than the one it bears.
    """
    known = known_identity(home)
    if known is None:
        return _new_identity(home, lab)
    if lab is not None and lab != known.lab:
        raise UsageError(f"This home signs as {known.lab!r}, not as {lab!r}.", "Leave --lab out, or use another home.")
    return known


def known_identity(home: Path) -> Identity | None:
    """The identity under this home, None where none was made; raises RunError where its file is damaged."""
    path = _place(home)
    try:
        held = read_json(path)
        identity = Identity(held["lab"], bytes.fromhex(held["secret"]))
        sound = held["schema"] == SCHEMA and len(identity.secret) == _SECRET_BYTES and _is_name(identity.lab)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as fault:
        raise _damaged(path) from fault
    if not sound:
        raise _damaged(path)
    return identity


def is_signed(public: str, signature: str, message: bytes) -> bool:
    """Whether the holder of this key signed this message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public: str) -> str:
    """A public key for reading aloud: the first 80 bits of its SHA-256, in groups of four hexadecimal digits."""
    digest = sha256(bytes.fromhex(public)).hexdigest()
    return "-".join(digest[i : i + 4] for i in range(0, 20, 4))


def _new_identity(home: Path, lab: str | None) -> Identity:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if lab is None:
        raise UsageError("This home has no name to sign with.", 'Give your lab\'s: --lab "NAME". It is kept.')
    if not _is_name(lab):
        raise UsageError(f"{lab[:100]!r} is no name to sign with.", f"Give 1 to {_LONGEST_NAME} characters that print.")
    identity = Identity(lab, Ed25519PrivateKey.generate().private_bytes_raw())
    text = json.dumps({"schema": SCHEMA, "lab": lab, "secret": identity.secret.hex()}, indent=1) + "\n"
    with (
        replace_into(_place(home)) as temporary,
        os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE), "w") as stream,
    ):
        stream.write(text)
    return identity


def _is_name(lab: object) -> bool:
    return isinstance(lab, str) and bool(lab.strip()) and lab.isprintable() and len(lab) <= _LONGEST_NAME


def _place(home: Path) -> Path:
    return home / "identity.json"


def _damaged(path: Path) -> RunError:
    return RunError(f"{path} is damaged.", "Restore it from a copy, or delete it and sign with a new key from now on.")


__all__ = ["Identity", "fingerprint", "identity_of", "is_signed", "known_identity"]

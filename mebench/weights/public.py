"""Public ImageNet weights: which files there are, known by their SHA-256, where one lies, and how it is fetched.

The names of these files end in the first eight digits of their SHA-256, as torch.hub checks it; the whole digests are
those under which the files are pinned by many projects.
"""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mebench.errors import ModelError
from mebench.files import sha256_file, write_atomic
from mebench.weights.provenance import IMAGENET, Provenance, Seen

OFFLINE = "MEBENCH_OFFLINE"
"""Set to anything but 0, nothing is ever fetched."""

_SOURCE = "https://download.pytorch.org/models"
_TIMEOUT_S = 30.0
_IMAGES = 1_281_167


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A public file of ImageNet weights: its name, its SHA-256, and the network it is of."""

    name: str
    digest: str
    backbone: str

    @property
    def provenance(self) -> Provenance:
        """Trained on the classification images of ImageNet 2012, whose people are not told apart."""
        return Provenance(IMAGENET, (Seen(IMAGENET, self.digest, _IMAGES),))


PUBLIC = (
    PublicFile("resnet18-f37072fd.pth", "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec", "resnet18"),
    PublicFile("resnet34-b627a593.pth", "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f", "resnet34"),
    PublicFile("resnet18-5c106cde.pth", "5c106cde386e87d4033832f2996f5493238eda96ccf559d1d62760c4de0613f8", "resnet18"),
    PublicFile("resnet34-333f7ec4.pth", "333f7ec4c6338da2cbed37f1fc0445f9624f1355633fa1d7eab79a91084c6cef", "resnet34"),
)
"""The newest file of each network first."""


def public_file(digest: str) -> PublicFile | None:
    """The public file with this SHA-256; None where it is none."""
    return next((known for known in PUBLIC if known.digest == digest), None)


def check_public(path: Path, backbone: str) -> PublicFile:
    """Which public file this is; ModelError where its bytes are those of none, or of another network."""
    try:
        found = public_file(sha256_file(path))
    except OSError as fault:
        raise ModelError(f"{path} cannot be read: {fault.strerror}.", "Give a file that is there.") from fault
    if found is None:
        named = next((known for known in PUBLIC if known.name == path.name), None)
        what = f"{path} is not the public {named.name}" if named else f"{path} is no public file of ImageNet weights"
        raise ModelError(
            f"{what}: its SHA-256 is {sha256_file(path)[:16]}.",
            f"Fetch {_SOURCE}/{_newest(backbone)}, or give other weights with --set weights=FILE.",
        )
    if found.backbone != backbone:
        raise ModelError(
            f"{path} holds weights of {found.backbone}, the network is a {backbone}.",
            f"Set backbone={found.backbone}, or give {_newest(backbone)}.",
        )
    return found


def find_public(backbone: str, home: Path) -> Path:
    """A public file for this network: in the registry, in torch's own cache, or fetched into the cache of the home.

    Raises ModelError where there is none for the network, or none lies here and none can be fetched.
    """
    wanted = [known for known in PUBLIC if known.backbone == backbone]
    if not wanted:
        names = " and ".join(sorted({known.backbone for known in PUBLIC}))
        raise ModelError(f"There are no public ImageNet weights for {backbone}.", f"Set backbone to {names}.")
    for known in wanted:
        for path in _places(known, home):
            if path.is_file() and sha256_file(path) == known.digest:
                return path
    return fetch(wanted[0], home / "weights" / wanted[0].name)


def fetch(wanted: PublicFile, target: Path, source: str = _SOURCE) -> Path:
    """The target, holding the public file; ModelError where fetching is forbidden or fails, saying what to do."""
    address = f"{source}/{wanted.name}"
    by_hand = f"Fetch {address} on another machine and give it as imagenet=FILE, or put it into {target.parent}."
    if os.environ.get(OFFLINE, "0") != "0":
        raise ModelError(f"{wanted.name} is not here, and {OFFLINE} forbids fetching it.", by_hand)
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310  the address is ours
            data: bytes = answer.read()
    except (urllib.error.URLError, OSError) as fault:
        why = getattr(fault, "reason", fault)
        raise ModelError(f"{wanted.name} is not here and cannot be fetched: {why}.", by_hand) from fault
    if hashlib.sha256(data).hexdigest() != wanted.digest:
        raise ModelError(f"{address} gave other bytes than {wanted.name} has.", by_hand)
    write_atomic(target, data)
    return target


def _places(known: PublicFile, home: Path) -> Iterator[Path]:
    yield home / "weights" / f"{known.digest}.pt"
    yield home / "weights" / known.name
    hub = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    yield Path(hub).expanduser() / "hub" / "checkpoints" / known.name


def _newest(backbone: str) -> str:
    return next((known.name for known in PUBLIC if known.backbone == backbone), PUBLIC[0].name)


__all__ = ["OFFLINE", "PUBLIC", "PublicFile", "check_public", "fetch", "find_public", "public_file"]

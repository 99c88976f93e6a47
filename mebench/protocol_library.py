"""Protocols and suites by name or file.

Files come from the packages registered under the entry-point group `mebench.protocols`. A package's `released.toml`
holds the digests of what it has released; a file that bears a released name and version but says something else is
refused, wherever it lies.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from mebench import plugins
from mebench.errors import ProtocolError, UnknownName, UsageError
from mebench.protocol_file import Protocol, Suite, parse, parse_member
from mebench.sections import MOST_BYTES, read_toml

RELEASED = "released.toml"

P = TypeVar("P", bound=Protocol | Suite)


def protocol_names() -> tuple[str, ...]:
    """Every registered protocol and suite, sorted."""
    return tuple(sorted(_registered()))


def load_protocol(name: str | Path) -> Protocol | Suite:
    """The protocol or suite of this name, or in this `.toml` file.

    Raises UnknownName with near names, UsageError where the file cannot be read, ProtocolError where it is wrong or an
    edited copy of a released one.
    """
    source = _find(name)
    loaded = _guarded(parse(_read(source), source.name, lambda member: _member(source, member)), source.name)
    if isinstance(name, str) and not name.endswith(".toml") and loaded.name != name:
        raise ProtocolError(f"{source.name}: name: {loaded.name!r} is not the file's name.", "Rename one of them.")
    return loaded


def _member(suite: Traversable, name: str) -> Protocol:
    """A protocol that a suite names; one in a file lies relative to the suite's."""
    source = _beside(suite, name) if isinstance(suite, Path) and name.endswith(".toml") else _find(name)
    return _guarded(parse_member(_read(source), source.name), source.name)


def _beside(suite: Path, name: str) -> Path:
    """The file of a member; a suite from elsewhere does not say what is to be read beyond its own folder."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ProtocolError(
            f"{suite.name}: suite.members: {name!r} leads out of the suite's folder.", "Put the file beside the suite."
        )
    return suite.parent / name


def _find(name: str | Path) -> Traversable:
    if isinstance(name, Path) or name.endswith(".toml"):
        return Path(name)
    registered = _registered()
    if name not in registered:
        raise UnknownName("protocol", name, registered)
    return registered[name]


def _read(source: Traversable) -> bytes:
    try:
        with source.open("rb") as stream:
            return bytes(stream.read(MOST_BYTES))
    except OSError as fault:
        raise UsageError(
            f"The protocol file {source} cannot be read: {fault.strerror}.", "Give a name or a .toml file."
        ) from fault


def packages() -> dict[str, Traversable]:
    """The folder of each registered package of protocols, by entry-point name."""
    found = {}
    for name in plugins.names("protocol"):
        package = plugins.load("protocol", name)
        if not hasattr(package, "__path__"):
            raise ProtocolError(
                f"The protocols of {name!r} are registered as {package!r}, not as a package.",
                "Name the package that holds the .toml files in the entry point.",
            )
        found[name] = files(package)
    return found


def _registered() -> dict[str, Traversable]:
    found: dict[str, tuple[str, Traversable]] = {}
    for package, folder in packages().items():
        for file in folder.iterdir():
            stem, dot, ending = file.name.rpartition(".")
            if not dot or ending != "toml" or file.name == RELEASED:
                continue
            if stem in found:
                raise ProtocolError(
                    f"The protocol {stem!r} is offered by {found[stem][0]} and by {package}.", "Uninstall one of them."
                )
            found[stem] = (package, file)
    return {stem: file for stem, (_, file) in found.items()}


def _guarded(loaded: P, file: str) -> P:
    """What was loaded, unless it is an edited copy of something released."""
    released = f"{loaded.name}@{loaded.version}"
    for folder in packages().values():
        digests = _released_digests(folder / RELEASED)
        if digests.get(released, loaded.digest) != loaded.digest:
            raise ProtocolError(
                f"{file}: {loaded.name} version {loaded.version} was released and has been edited since: "
                f"digest {loaded.digest[:12]} instead of {digests[released][:12]}.",
                f"Undo the edit, or give it version {loaded.version + 1} or another name.",
            )
    return loaded


def _released_digests(file: Traversable) -> dict[str, str]:
    return read_toml(file.read_bytes(), file.name).mapping("released") if file.is_file() else {}


__all__ = ["load_protocol", "packages", "protocol_names"]

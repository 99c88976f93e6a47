"""A few named members as one zip archive: the same bytes for the same contents, and nothing believed on reading.

Members are stored uncompressed (deflate differs from one zlib to the next, and what is not compressed cannot swell),
sorted by name, undated, with `SHA256SUMS` over the others, as `sha256sum --check` reads it. An archive that is not byte
for byte what `pack` would write of its own members is refused, and with it links, comments and whatever is hidden
between members.
"""

import hashlib
import io
import stat
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from mebench.errors import RunError

SUMS = "SHA256SUMS"
MOST_BYTES = 64 * 2**20
"""A run of 442 clips and five seeds takes a quarter of a MiB."""
_DATE = (1980, 1, 1, 0, 0, 0)  # the first a zip archive can hold
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_ENCRYPTED = 0x1


def pack(contents: Mapping[str, bytes]) -> bytes:
    """The archive's bytes."""
    whole = {**contents, SUMS: sums(contents).encode()}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writer:
        for name in sorted(whole):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = _UNIX, _MODE << 16
            writer.writestr(entry, whole[name])
    return archive.getvalue()


def unpack(data: bytes, source: str, *, known: Collection[str], needed: Collection[str]) -> dict[str, bytes]:
    """The members by name, the digests checked and left out; `source` names the archive in errors.

    Raises RunError where a member is not among the `known` or a `needed` one is lacking, where a name climbs, is a link
    or is there twice, where members are compressed, encrypted or too large, and where a digest differs.
    """
    if len(data) > MOST_BYTES:
        raise refused(source, f"it is larger than {MOST_BYTES >> 20} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            fault = _fault(entries, {*known, SUMS}, {*needed, SUMS})
            if fault:
                raise refused(source, fault)
            contents = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OverflowError) as error:
        raise refused(source, f"it is not a whole zip archive ({error})") from error
    told = contents.pop(SUMS)
    if told != sums(contents).encode():
        wrong = [name for name in sorted(contents) if sums({name: contents[name]}).encode() not in told]
        raise refused(source, f"{wrong[0] if wrong else SUMS} is not what {SUMS} says")
    if pack(contents) != data:
        raise refused(source, "it holds bytes beside its members, or members that mebench did not write")
    return contents


def sums(contents: Mapping[str, bytes]) -> str:
    """Digest and name of every member, a line each."""
    return "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))


def refused(source: str, what: str) -> RunError:
    """The error for an archive that is not used, and why."""
    return RunError(f"{source} is refused: {what}.", "Ask its sender for a new one, made by mebench export.")


def _fault(entries: Sequence[zipfile.ZipInfo], known: Collection[str], needed: Collection[str]) -> str | None:
    """What is wrong with the list of members, before a byte of them is read; None where nothing is."""
    names = [entry.filename for entry in entries]
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        return f"its members are said to be larger than {MOST_BYTES >> 20} MiB"
    for entry in entries:
        fault = _fault_of(entry)
        if fault:
            return f"{entry.filename[:80]!r} {fault}"
    return (
        _first("{!r} is there twice", (name for name in names if names.count(name) > 1))
        or _first("{!r} does not belong there", (name for name in names if name not in known))
        or _first("{!r} is not in it", (name for name in sorted(needed) if name not in names))
    )


def _fault_of(entry: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
        return "leads out of the folder it would be unpacked in"
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        return "is a link, a folder or no file at all"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return "is compressed, which no member may be"
    return None


def _first(form: str, names: Iterable[str]) -> str | None:
    name = next(iter(names), None)
    return None if name is None else form.format(name[:80])


__all__ = ["MOST_BYTES", "SUMS", "pack", "refused", "sums", "unpack"]

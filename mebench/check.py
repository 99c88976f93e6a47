"""Comparing a corpus on disk with its annotation: counts, clip folders, frames, files that do not belong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mebench.clips import Clip, ClipTable, Note, frames_of
from mebench.datasets.base import Dataset
from mebench.datasets.coding import Release, differences
from mebench.datasets.folders import FrameFolder, Layout, Tree, entries, scan
from mebench.errors import DataError, printable
from mebench.progress import Progress, silent

SCHEMA = "mebench.check/1"
_NAMED_FRAMES = 5  # frame numbers or file names written out in one finding

# The last bytes of a whole file; a copy that was cut off lacks them (JPEG: end-of-image marker, PNG: IEND chunk).
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND\xaeB`\x82"
_TAIL = 64  # cameras and tools may add padding behind the JPEG marker


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """How many clips and frames are as they should be; `broken` counts decoded frames only, all of them in a deep
    check.
    """

    clips_with_frames: int = 0
    frames: int = 0
    missing: int = 0
    outside: int = 0
    broken: int = 0
    strays: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a corpus holds and what is wrong with it.

    `expected` is the known release, or the marker's counts for a synthetic corpus. `variants` counts clip folders by
    variant.
    """

    dataset: str
    annotation: str
    objective_release: str | None
    synthetic: bool
    clips: int
    subjects: int
    per_emotion: Mapping[str, int]
    expected: Release
    corrections: tuple[str, ...]
    variants: Mapping[str, int]
    counts: FrameCounts
    findings: tuple[Note, ...] = field(default=())

    @property
    def errors(self) -> tuple[Note, ...]:
        """The findings that make the corpus unfit."""
        return tuple(note for note in self.findings if note.level == "error")

    @property
    def warnings(self) -> tuple[Note, ...]:
        """The findings to know of."""
        return tuple(note for note in self.findings if note.level == "warning")

    @property
    def ok(self) -> bool:
        """Whether nothing makes the corpus unfit."""
        return not self.errors

    def text(self) -> str:
        """The report for a reader; one line per kind of finding, with the clips it concerns."""
        kind = ", SYNTHETIC" if self.synthetic else ""
        held, expected = f"{self.clips} clips of {self.subjects} subjects", self.expected
        seen = self.counts
        faults = f"{seen.missing} missing, {seen.outside} outside the coding, {seen.broken} broken"
        lines = [
            f"{self.dataset}, {self.annotation}{kind}: {held} (expected {expected.clips} of {expected.subjects})",
            f"  emotions: {_counted(self.per_emotion)}",
            f"  objective classes: {self.objective_release or 'none released'}",
            f"  frame folders: {_counted(self.variants) or 'none'}",
            f"  frames: {seen.frames} of {seen.clips_with_frames} clips; {faults}",
            *(f"  corrected: {correction}" for correction in self.corrections),
        ]
        for level, notes in (("error", self.errors), ("warning", self.warnings)):
            clips: dict[str, list[str]] = {}
            for note in notes:
                clips.setdefault(note.message, []).extend([note.clip] if note.clip else [])
            lines += [
                f"  {level}: {printable(message)}{f' ({_some(named)})' if named else ''}"
                for message, named in clips.items()
            ]
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        counts = {name: getattr(self.counts, name) for name in FrameCounts.__slots__}
        return {
            "schema": SCHEMA,
            "dataset": self.dataset,
            "annotation": self.annotation,
            "objective_release": self.objective_release,
            "synthetic": self.synthetic,
            "clips": self.clips,
            "subjects": self.subjects,
            "per_emotion": dict(self.per_emotion),
            "expected": {
                "clips": self.expected.clips,
                "subjects": self.expected.subjects,
                "per_emotion": dict(self.expected.per_emotion),
            },
            "corrections": list(self.corrections),
            "variants": dict(self.variants),
            "frames": counts,
            "ok": self.ok,
            "findings": [{"level": n.level, "message": n.message, "clip": n.clip} for n in self.findings],
        }


def check(
    dataset: Dataset, root: Path, table: ClipTable, *, deep: bool = False, progress: Progress = silent
) -> CheckReport:
    """The report on a corpus folder against its table of clips.

    Every frame's file is listed; its first frame decoded, or with `deep` all of them. Whatever is wrong with the
    frames is a finding, never an exception.
    """
    place = root if root.is_dir() else root.parent
    expected = _expected(dataset, table)
    findings = [*table.notes, *_count_findings(table, expected)]
    tree: Tree = {}
    folders: Mapping[str, FrameFolder] = {}
    try:
        tree = scan(place, dataset.layout)
        folders = dataset.frames(place, table)
        findings += _tree_findings(tree, folders, table, place)
    except DataError as error:
        findings.append(Note("error", f"{error.what} {error.fix}"))
    counts = FrameCounts()
    for done, clip in enumerate(table if folders else (), 1):
        found, part = _check_clip(clip, folders.get(clip.id), dataset.layout, deep=deep)
        findings += found
        counts = _plus(counts, part)
        progress(done, len(table), clip.id)
    return CheckReport(
        dataset=table.dataset,
        annotation=table.annotation,
        objective_release=table.objective_release,
        synthetic=table.synthetic is not None,
        clips=len(table),
        subjects=len(table.subjects),
        per_emotion=table.count("emotion"),
        expected=expected,
        corrections=tuple(f"{c.clip}: {c.field} {c.old!r} -> {c.new!r} ({c.reason})" for c in table.corrections),
        variants={variant: len(clips) for variant, clips in sorted(tree.items())},
        counts=counts,
        findings=tuple(dict.fromkeys(findings)),
    )


def frame_fault(path: Path) -> tuple[str | None, tuple[int, ...], str]:
    """What is wrong with a frame's file, None if nothing, the decoded shape `(h, w)` or `(h, w, 3)`, and what the
    decoder complained of in what it decoded.
    """
    from mebench.image_files import LARGEST_FILE, decoded

    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        return f"cannot be read ({error.strerror})", (), ""
    if not content:
        return "is empty", (), ""
    cut = content.startswith(b"\xff\xd8") and _JPEG_END not in content[-_TAIL:]
    if cut or (content.startswith(b"\x89PNG") and _PNG_END not in content[-_TAIL:]):
        return "is cut off", (), ""
    found = decoded(content) if len(content) <= LARGEST_FILE else None
    if found is None or found.image is None:
        return "cannot be decoded", (), ""
    return None, tuple(found.image.shape), found.complaint


def _expected(dataset: Dataset, table: ClipTable) -> Release:
    if table.synthetic is not None:
        mark = table.synthetic
        return Release(mark.clips, mark.subjects, mark.per_emotion)
    return dataset.releases[table.annotation]


def _count_findings(table: ClipTable, expected: Release) -> Iterator[Note]:
    """A difference of counts, unless the reader has noted it already."""
    said = differences(table, expected)
    if said and not any(said[0] in note.message for note in table.notes):
        yield Note("error", f"{table.annotation}: {'; '.join(said)}")


def _tree_findings(tree: Tree, folders: Mapping[str, FrameFolder], table: ClipTable, root: Path) -> Iterator[Note]:
    if not folders:
        yield Note("error", f"no clip folder was found under {root}")
        return
    known = {clip.id.casefold() for clip in table}
    for variant, clips in sorted(tree.items()):
        for key in sorted(clips.keys() - known):
            yield Note("warning", f"the {variant} folder {clips[key][0]} belongs to no annotated clip")
    if len(tree) > 1:
        used = next(iter(folders.values())).variant
        yield Note("warning", f"several variants are present: {', '.join(sorted(tree))}; checked: {used}")
    for parent in sorted({folder.path.parent for folder in folders.values()}):
        loose = [entry.name for entry in entries(parent) if not entry.is_dir()]
        if loose:
            yield Note("warning", f"{parent} holds files beside the clip folders: {_some(loose)}")


def _check_clip(
    clip: Clip, folder: FrameFolder | None, layout: Layout, *, deep: bool
) -> tuple[list[Note], FrameCounts]:
    if folder is None or not folder.frames:
        what = "the clip folder is missing" if folder is None else f"{folder.path} holds no frames"
        return [Note("error", what, clip.id)], FrameCounts(missing=clip.length)
    notes, missing, outside = _range_findings(clip, folder, layout)
    if folder.duplicates:
        notes.append(Note("error", f"frames bear a number twice: {_some(folder.duplicates)}", clip.id))
    if folder.strays:
        notes.append(Note("warning", f"files are no frames: {_some(folder.strays)}", clip.id))
    if folder.path.name.casefold() != clip.name.casefold():
        notes.append(Note("warning", f"the folder is called {folder.path.name}", clip.id))
    names = [name for _, name in folder.frames]
    broken = _decode_findings(clip, folder.path, names if deep else names[:1], layout.sizes.get(folder.variant), notes)
    counts = FrameCounts(1, len(names), missing, outside, broken, len(folder.strays))
    return notes, counts


def _range_findings(clip: Clip, folder: FrameFolder, layout: Layout) -> tuple[list[Note], int, int]:
    """Findings on the coded range, and how many coded frames lack and how many others there are.

    A whole recording has to hold every coded frame; a derived folder (selected, cropped) may begin or end elsewhere,
    but must have no hole.
    """
    there = {number for number, _ in folder.frames}
    first, last = min(there), max(there)
    missing = [number for number in frames_of(clip) if number not in there]
    outside = [number for number in there if not clip.onset <= number <= clip.offset]
    holes = [number for number in missing if first < number < last]
    whole = folder.variant in layout.whole
    notes = []
    if missing if whole else holes:
        notes.append(Note("error", f"frames are missing: {_some(missing if whole else holes)}", clip.id))
    if not whole and (first, last) != (clip.onset, clip.offset):
        by_one = ", one less throughout" if (first, last) == (clip.onset - 1, clip.offset - 1) else ""
        text = f"the folder runs from {first} to {last}, the coding from {clip.onset} to {clip.offset}{by_one}"
        notes.append(Note("warning", text, clip.id))
    if clip.apex is not None and clip.apex in missing:
        notes.append(Note("error", f"the apex frame {clip.apex} is missing", clip.id))
    return notes, len(missing), 0 if whole else len(outside)


def _decode_findings(
    clip: Clip, folder: Path, names: Iterable[str], size: tuple[int, int] | None, notes: list[Note]
) -> int:
    """Decodes the frames, adds what is wrong with them to the notes and returns how many are broken."""
    shapes: dict[tuple[int, ...], str] = {}
    broken, damaged = [], []
    for name in names:
        fault, shape, complaint = frame_fault(folder / name)
        if fault is not None:
            broken.append(f"{name} {fault}")
        else:
            shapes.setdefault(shape, name)
            damaged += [f"{name} ({complaint[:80]})"] if complaint else []
    if broken:
        notes.append(Note("error", f"frames are broken: {_some(broken)}", clip.id))
    if damaged:
        notes.append(Note("warning", f"frames decode in spite of damage: {_some(damaged)}", clip.id))
    sizes = {(shape[1], shape[0]) for shape in shapes}
    if len(sizes) > 1:
        notes.append(Note("error", f"frames differ in size: {_some(f'{w}x{h}' for w, h in sorted(sizes))}", clip.id))
    elif len(shapes) > 1:
        notes.append(Note("warning", "grey and colour frames are mixed", clip.id))
    elif sizes and size is not None and sizes != {size}:
        (w, h), (expected_w, expected_h) = next(iter(sizes)), size
        notes.append(Note("warning", f"frames are {w}x{h}, not {expected_w}x{expected_h}", clip.id))
    return len(broken)


def _some(items: Iterable[object]) -> str:
    listed = [printable(str(item)) for item in items]  # names of files may hold line ends
    more = len(listed) - _NAMED_FRAMES
    return ", ".join(listed[:_NAMED_FRAMES]) + (f" and {more} more" if more > 0 else "")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items())


def _plus(a: FrameCounts, b: FrameCounts) -> FrameCounts:
    return FrameCounts(*(getattr(a, name) + getattr(b, name) for name in FrameCounts.__slots__))


__all__ = ["CheckReport", "FrameCounts", "check", "frame_fault"]

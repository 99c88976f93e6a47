"""What every corpus reader offers, and the one way in which coded rows become a table of clips."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from mebench.clips import ClipTable, Note, SyntheticMark
from mebench.datasets.coding import Coded, Release, clip_of, differences, doubts
from mebench.datasets.correct import Entry, correct, entries_of
from mebench.datasets.folders import FrameFolder, Layout, choose, scan
from mebench.datasets.marker import check_mark, find_marker
from mebench.errors import AnnotationError, CountError, UnknownName


class Dataset(Protocol):
    """A corpus reader. `fps` is the camera's rate; `access` says how to get the corpus and under which terms."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def fps(self) -> float: ...
    @property
    def citation(self) -> str: ...
    @property
    def access(self) -> str: ...
    @property
    def restricted_subjects(self) -> frozenset[str]: ...
    @property
    def releases(self) -> Mapping[str, Release]: ...
    @property
    def layout(self) -> Layout: ...

    def may_show(self, subject: str) -> bool:
        """Whether a publication may print the face of `corpus/subject`."""
        ...

    def load(self, root: Path, *, annotation: str | None = None, corrections: bool = True) -> ClipTable:
        """The clips below a corpus folder, or of a workbook, from the annotation alone."""
        ...

    def frames(self, root: Path, table: ClipTable, *, variant: str | None = None) -> dict[str, FrameFolder]:
        """The frame folders by clip id, of those clips that have one."""
        ...


@dataclass(frozen=True, slots=True)
class Coding:
    """What was read of an annotation: its version, its rows, and where it lies."""

    version: str
    rows: tuple[Coded, ...]
    place: Path
    objective_release: str | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """A `Dataset` made of a function that reads the annotation and a layout of frame folders.

    `corpus` is the part of subject ids before the slash, and the name of the corrections file: readers of several
    modalities share it. `publishable` is the allow-list of `may_show`: subjects whose owner permits print, in so many
    words.
    """

    name: str
    corpus: str
    title: str
    fps: float
    citation: str
    access: str
    releases: Mapping[str, Release]
    layout: Layout
    read: Callable[[Path, str | None], Coding]
    restricted_subjects: frozenset[str] = field(default_factory=frozenset)
    publishable: frozenset[str] = field(default_factory=frozenset)

    def may_show(self, subject: str) -> bool:
        """Whether a publication may print the face of `corpus/subject`: only with the owner's explicit permission."""
        return subject in self.publishable - self.restricted_subjects

    def load(self, root: Path, *, annotation: str | None = None, corrections: bool = True) -> ClipTable:
        """The clips of the corpus, sorted by id, from its annotation alone.

        `root` is the corpus folder, one above or below it, or the workbook. `annotation` names a release; without,
        there must be one annotation only. Raises `AnnotationError` where it cannot be read, `CorrectionError` where a
        correction meets another value than it expects, `CountError` where the release was named, or the corpus is
        synthetic, and the counts differ.
        """
        if annotation is not None and annotation not in self.releases:
            raise UnknownName(f"annotation of {self.name}", annotation, self.releases)
        coding = self.read(Path(root), annotation)
        mark = find_marker(coding.place, Path(root) if Path(root).is_dir() else Path(root).parent)
        table = self._table(coding, entries_of(self.corpus) if corrections else (), mark)
        return self._counted(table, Path(root), named=annotation is not None)

    def frames(self, root: Path, table: ClipTable, *, variant: str | None = None) -> dict[str, FrameFolder]:
        """The frame folders by clip id, of those clips that have one, all of one variant.

        Without a variant, the one that holds most clips is taken. Raises `FrameError` where the variant is not there,
        a clip has two folders, or a link leads out of the root.
        """
        root = Path(root) if Path(root).is_dir() else Path(root).parent
        clips = {clip.id.casefold(): clip.id for clip in table}
        return choose(scan(root, self.layout), self.layout, clips, root, variant)

    def _table(self, coding: Coding, entries: tuple[Entry, ...], mark: SyntheticMark | None) -> ClipTable:
        cells = {row.key: row.cells for row in coding.rows}
        if len(cells) < len(coding.rows):
            raise _repeated(coding.rows)
        corrected = correct(entries, coding.version, cells, strict=mark is None)
        changed = [(correction.clip, correction.field) for correction in corrected.applied]
        clips = []
        for row in sorted(coding.rows, key=lambda row: row.key):
            fields = [name for clip, name in changed if clip == row.key]
            values = replace(row, cells=corrected.values[row.key])
            clips.append(clip_of(values, self.name, self.corpus, self.fps, fields))
        kept = {(f"{self.name}/{entry.clip}", entry.field): entry for entry in corrected.kept}
        return ClipTable(
            dataset=self.name,
            annotation=coding.version,
            clips=tuple(clips),
            objective_release=coding.objective_release,
            corrections=tuple(replace(c, clip=f"{self.name}/{c.clip}") for c in corrected.applied),
            notes=(*coding.notes, *doubts(clips, kept)),
            synthetic=mark,
        )

    def _counted(self, table: ClipTable, root: Path, *, named: bool) -> ClipTable:
        if table.synthetic is not None:
            check_mark(table.synthetic, table, root)
            return table
        said = differences(table, self.releases[table.annotation])
        if not said:
            return table
        what = f"{self.title}, {table.annotation}: {'; '.join(said)}."
        if named:
            raise CountError(
                f"{root}: {what}", "Restore the released annotation, or leave out --annotation to use this one."
            )
        return replace(table, notes=(*table.notes, Note("error", what)))


def _repeated(rows: tuple[Coded, ...]) -> AnnotationError:
    """The error that names the first clip that has two rows, and where both stand."""
    seen: dict[str, Coded] = {}
    twice = next(row for row in rows if seen.setdefault(row.key, row) is not row)
    return AnnotationError(
        f"{twice.where}: clip {twice.key} is annotated already ({seen[twice.key].where}).", "Remove one of them."
    )


__all__ = ["Coding", "Corpus", "Dataset", "FrameFolder", "Layout", "Release"]

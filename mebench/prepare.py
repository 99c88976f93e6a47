"""From a corpus to the store: every clip once, in parallel, again only where something changed.

What was prepared is registered under the home, so that later commands find the corpus without being told where it is.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mebench import plugins
from mebench.clips import ClipTable, mark_record
from mebench.errors import DataError, FrameError, MebenchError, StoreError
from mebench.files import DiskFullError, remove_leftovers, write_text_atomic
from mebench.json_files import read_json
from mebench.occupancy import adding
from mebench.parallel import run_tasks
from mebench.progress import Progress, silent

if TYPE_CHECKING:
    from mebench.cropping import ClipStatus, FaceSource, OnMissingFace, OnSeveralFaces
    from mebench.datasets.base import Dataset, FrameFolder

SCHEMA = "mebench.corpus/1"

_STATES = ("stored", "repaired", "kept", "excluded", "failed")


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What became of every clip of a corpus, in the order of the annotation."""

    dataset: str
    annotation: str
    synthetic: bool
    statuses: tuple["ClipStatus", ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many clips ended in each state."""
        found: Counter[str] = Counter(status.state for status in self.statuses)
        return {state: found[state] for state in _STATES}

    @property
    def complete(self) -> bool:
        """Whether no clip failed; an excluded clip was asked for."""
        return not self.counts["failed"]

    def record(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "schema": "mebench.prepare/1",
            "dataset": self.dataset,
            "annotation": self.annotation,
            "synthetic": self.synthetic,
            "counts": self.counts,
            "clips": [asdict(status) for status in self.statuses],
        }

    def text(self) -> str:
        """The report to read: counts, then every clip that is not simply there."""
        counts = ", ".join(f"{n} {state}" for state, n in self.counts.items() if n)
        mark = ", synthetic" if self.synthetic else ""
        head = f"{self.dataset} ({self.annotation}{mark}): {len(self.statuses)} clips: {counts}."
        return "\n".join([head, *(_line(s) for s in self.statuses if s.line or s.flags or s.state == "repaired")])


def prepare(
    dataset: "Dataset",
    root: Path | str,
    home: Path,
    *,
    annotation: str | None = None,
    corrections: bool = True,
    jobs: int = 1,
    on_missing_face: "OnMissingFace" = "error",
    on_several_faces: "OnSeveralFaces" = "best",
    faces: str = "dlib",
    landmarks: Path | None = None,
    variant: str | None = None,
    progress: Progress = silent,
) -> PrepareReport:
    """What became of every clip, once the corpus is in the store and registered.

    A clip that lies in the store, undamaged and made of the same frame bytes in the same way, is kept. A clip whose
    frames are broken, or whose face is not found under `error`, fails without stopping the others. Raises DataError
    where the annotation cannot be read, no clip has frames, or the disk is full; what was stored before that stays.
    Raises RunError while something is forgotten under this home.

    `faces` names a registered finder. `landmarks` is a CSV file of landmarks on onset frames, one row per clip: its
    clips are not searched (see `mebench.landmark_files`).
    """
    from mebench.cropping import FaceSource
    from mebench.landmark_files import read_landmark_file

    root = Path(root)
    plugins.load("face", faces)  # a name that is none is told before anything is read
    annotated = read_landmark_file(landmarks) if landmarks is not None else {}
    source = FaceSource(faces, on_missing_face, on_several_faces, annotated)
    table = dataset.load(root, annotation=annotation, corrections=corrections)
    folders = dataset.frames(root, table, variant=variant)
    if not folders:
        raise FrameError(
            f"{root} holds the frames of none of the {len(table)} clips in the annotation.",
            f"Give the folder that holds the frames; mebench check {dataset.name} says what was found.",
        )
    with adding(home):
        for folder in (home / "store" / dataset.name, home / "corpora"):
            remove_leftovers(folder)
        found: dict[str, ClipStatus] = {}
        for status in _statuses(table, folders, home, source, jobs):
            found[status.clip] = status
            progress(len(found), len(table), status.clip)
        statuses = tuple(found[clip.id] for clip in table)
        report = PrepareReport(dataset.name, table.annotation, table.synthetic is not None, statuses)
        asked = {"annotation": annotation, "corrections": corrections, "variant": variant}
        _register(home, root.resolve(), table, asked, report)
    return report


def registered(home: Path) -> tuple[str, ...]:
    """The names of the corpora prepared under this home, sorted."""
    return tuple(sorted(path.stem for path in (home / "corpora").glob("*.json")))


def load_registered(home: Path, dataset: str) -> ClipTable:
    """The clips of a prepared corpus, read anew from its annotation.

    Raises DataError where it was not prepared, its annotation is gone, or is no longer the one it was prepared with.
    """
    known = _registration(home, dataset)
    reader: Dataset = plugins.load("dataset", dataset)
    asked = known["asked"]
    again = f"Run mebench prepare {dataset} --data DIR again; clips that did not change are kept."
    try:
        table = reader.load(Path(known["root"]), annotation=asked["annotation"], corrections=asked["corrections"])
    except MebenchError as error:
        raise DataError(f"{dataset} was prepared from {known['root']}: {error.what}", again) from error
    if table.fingerprint != known["fingerprint"]:
        raise DataError(f"The annotation of {dataset} in {known['root']} changed since it was prepared.", again)
    return table


def corpus_root(home: Path, dataset: str) -> Path:
    """The folder that a corpus was prepared from; DataError where it was not."""
    return Path(_registration(home, dataset)["root"])


def clip_states(home: Path, dataset: str) -> Mapping[str, str]:
    """By clip id, why `prepare` left a clip of this corpus out or failed on it; empty where it was not prepared."""
    if dataset not in registered(home):
        return {}
    return {s["clip"]: s["line"] for s in _registration(home, dataset)["clips"] if s["state"] in ("excluded", "failed")}


def _statuses(
    table: ClipTable, folders: Mapping[str, "FrameFolder"], home: Path, source: "FaceSource", jobs: int
) -> Iterator["ClipStatus"]:
    from mebench.cropping import ClipTask, prepare_clip

    tasks: dict[str, ClipTask] = {}
    for clip in table:
        folder = folders.get(clip.id)
        if folder is None:
            yield _failed(home, clip.id, f"{clip.id} has no folder of frames.")
        else:
            interval = (clip.onset, clip.offset)
            tasks[clip.id] = ClipTask(home, clip.id, interval, clip.apex, clip.fps, folder, source.of(clip.id))
    for outcome in run_tasks(prepare_clip, tasks, jobs=jobs):
        if isinstance(outcome.error, DiskFullError):
            raise outcome.error
        yield outcome.value or _failed(home, outcome.name, outcome.error.what if outcome.error else "")


def _failed(home: Path, clip_id: str, line: str) -> "ClipStatus":
    from mebench.cropping import ClipStatus
    from mebench.store import stored_facts

    try:
        stored_facts(home, clip_id)
    except StoreError:
        return ClipStatus(clip_id, "failed", line)
    return ClipStatus(clip_id, "failed", f"{line} What was stored of it before stays in use.")


def _register(home: Path, root: Path, table: ClipTable, asked: Mapping[str, Any], report: PrepareReport) -> None:
    content = {
        "schema": SCHEMA,
        "dataset": table.dataset,
        "root": str(root),
        "asked": asked,
        "annotation": table.annotation,
        "objective_release": table.objective_release,
        "fingerprint": table.fingerprint,
        "synthetic": None if table.synthetic is None else mark_record(table.synthetic),
        "clips": [asdict(status) for status in report.statuses],
    }
    write_text_atomic(_place(home, table.dataset), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _registration(home: Path, dataset: str) -> dict[str, Any]:
    path = _place(home, dataset)
    again = f"Run mebench prepare {dataset} --data DIR."
    try:
        content: dict[str, Any] = read_json(path)
        schema = content["schema"]
    except FileNotFoundError as error:
        raise DataError(f"{dataset} is not prepared under {home}.", again) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} cannot be read: it is damaged.", again) from error
    if schema != SCHEMA:
        raise DataError(f"{path} has schema {schema!r}, not {SCHEMA}.", again)
    if not _is_sound(content):
        raise DataError(f"{path} cannot be read: it is damaged.", again)
    return content


def _is_sound(content: Mapping[str, Any]) -> bool:
    """Whether a registration says all that is asked of it, in the kinds it was written in."""
    asked, clips = content.get("asked"), content.get("clips")
    return (
        all(isinstance(content.get(key), str) for key in ("dataset", "root", "fingerprint"))
        and isinstance(asked, dict)
        and isinstance(asked.get("annotation", 0), str | None)
        and isinstance(asked.get("corrections"), bool)
        and isinstance(clips, list)
        and all(
            isinstance(s, dict) and all(isinstance(s.get(k), str) for k in ("clip", "state", "line")) for s in clips
        )
    )


def _place(home: Path, dataset: str) -> Path:
    return home / "corpora" / f"{dataset}.json"


def _line(status: "ClipStatus") -> str:
    damaged = "what was stored of it was damaged" if status.state == "repaired" else ""
    what = "; ".join(part for part in (status.line, damaged, ", ".join(status.flags)) if part)
    return f"  {status.state} {status.clip}: {what}"


__all__ = ["SCHEMA", "PrepareReport", "clip_states", "corpus_root", "load_registered", "prepare", "registered"]

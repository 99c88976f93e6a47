"""The error analysis of a stored run: its clips' annotations, what moved in them, and the other runs of its board."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mebench import runs
from mebench.clips import Clip, ClipTable
from mebench.leaderboard import Entry
from mebench.mistakes import FLOORS, Mistakes, analyse
from mebench.progress import Progress, silent
from mebench.scoring import dataset_of
from mebench.standing import entry_of_run


def review(
    home: Path,
    run: runs.StoredRun,
    given: Mapping[str, ClipTable],
    *,
    amplitude: bool = False,
    progress: Progress = silent,
) -> Mistakes | None:
    """Where the run errs; None where it has not predicted a clip yet.

    Annotations are those given, else those of corpora prepared under the home. With `amplitude` the stored frames are
    read as well, which takes some seconds for hundreds of clips.
    """
    entry = entry_of_run(run, tried=1)
    if not any(part.rows for part in entry.predictions.values()):
        return None
    clips, remarks = _clips(home, entry, given)
    moved: Mapping[str, float] = {}
    if amplitude:
        from mebench.amplitude import amplitudes  # it loads cv2 and h5py

        moved = amplitudes(home, clips, progress)
        remarks += [] if moved else ["Not by amplitude: no clip with an apex lies in the store of this home."]
    found = analyse(entry, clips, moved, tuple(_rivals(home, run)))
    return replace(found, notes=(*found.notes, *remarks))


def _clips(home: Path, entry: Entry, given: Mapping[str, ClipTable]) -> tuple[dict[str, Clip], list[str]]:
    """The run's clips as annotated at hand, and why a table at hand was left aside."""
    from mebench.prepare import load_registered, registered

    prepared = registered(home)
    clips: dict[str, Clip] = {}
    remarks = []
    for name in sorted({dataset_of(clip) for clip in entry.expected}):
        table = given.get(name) or (load_registered(home, name) if name in prepared else None)
        if table is not None and table.annotation != entry.annotations.get(name):
            remarks.append(f"{name}: the run was scored on {entry.annotations.get(name)}, not on {table.annotation}.")
        elif table is not None:
            clips |= {clip.id: clip for clip in table if clip.id in entry.expected}
    return clips, remarks


def _rivals(home: Path, run: runs.StoredRun) -> Iterable[Entry]:
    """The other complete runs of the same protocol and clips that look at them."""
    same = ("protocol", "protocol_digest", "fingerprints", "partial")
    for other in runs.stored_runs(home):
        fits = all(other.spec[key] == run.spec[key] for key in same) and other.id != run.id
        looks = other.spec["model"] not in FLOORS and other.spec["selection"] != "peeked"
        if fits and looks and other.status() == "complete":
            yield entry_of_run(other, tried=1)

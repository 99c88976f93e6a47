"""Inputs: what a recipe makes of every stored clip, computed once and shared by all models, folds and runs.

Each array lies in a file of its own, named by a key over everything it depends on and sealed with its digest:
`inputs/<recipe>/<dataset>/<subject>/<name>-<key>.npy`. No path, time, label or training parameter is part of a key.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mebench.clips import Clip, canonical_json
from mebench.errors import DataError, ModelError, StoreError, UsageError
from mebench.files import DiskFullError, read_sealed, remove_leftovers, write_sealed, write_text_atomic
from mebench.occupancy import adding
from mebench.parallel import run_tasks
from mebench.prepare import clip_states
from mebench.progress import Progress, silent
from mebench.recipes import PRIVILEGES, Kind, Parameters, Privilege, Recipe, Sample, Step, parse_recipe, step
from mebench.store import StoredClip, read_clip, safe_path, stored_facts

_KEY_LENGTH = 16
"""Hex digits of a digest in a file name: 64 bits, and the whole key stands in the digest file."""


@dataclass(frozen=True, eq=False)
class InputSet(Mapping[str, npt.NDArray[Any]]):
    """The input arrays by clip id, read and verified from the cache each time one is asked for.

    `missing` names the clips that have none, with the reason; `flags` what was done for want of something better.
    """

    recipe: str
    files: Mapping[str, Path]
    clip_keys: Mapping[str, str]
    missing: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """SHA-256 over the recipe and the key of every clip: what a model trained on these inputs was given."""
        return hashlib.sha256(canonical_json([self.recipe, dict(self.clip_keys)]).encode()).hexdigest()

    def __getitem__(self, clip_id: str) -> npt.NDArray[Any]:
        return _load(self.files[clip_id], self.clip_keys[clip_id])[0]

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True, slots=True)
class InputTask:
    """What a worker needs to make one input."""

    home: Path
    recipe: str
    clip: Clip
    content: str
    key: str
    path: Path


def compute_inputs(
    home: Path, recipe: Recipe | str, clips: Iterable[Clip], *, jobs: int = 1, progress: Progress = silent
) -> InputSet:
    """The input of every clip; those not in the cache, or damaged there, are computed.

    A clip that is not in the store, or on which a step fails, is missing and named. Raises UsageError for a recipe that
    cannot be parsed or looks at nothing, DataError where no clip at all has an input or the disk is full, RunError
    while something is forgotten under this home.
    """
    parsed = parse_recipe(recipe) if isinstance(recipe, str) else recipe
    if not parsed.steps:
        raise UsageError("The recipe none looks at nothing: there is no input to compute.", "Name at least one step.")
    with adding(home):
        return _compute(home, parsed, list(clips), jobs, progress)


def sample_of(stored: StoredClip, apex: int | None) -> Sample:
    """The sample a recipe starts from; a coded apex outside the clip's frames counts as none and is flagged."""
    at = np.flatnonzero(stored.numbers == apex) if apex is not None else np.array([], dtype=np.int64)
    lost = apex is not None and not len(at)
    return Sample(
        array=stored.frames,
        kind="frames",
        landmarks=stored.landmarks,
        motion=stored.motion,
        box=stored.box,
        fps=stored.fps,
        apex_index=int(at[0]) if len(at) else None,
        flags=("coded-apex-outside-clip",) if lost else (),
    )


def input_of(recipe: Recipe, stored: StoredClip, apex: int | None) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """What the recipe makes of a stored clip, and its flags; the coded apex is handed on only if the recipe reads one.

    Raises ModelError where a step fails or the result holds anything but finite numbers.
    """
    sample = recipe.apply(sample_of(stored, apex if recipe.reads_apex else None))
    array = np.ascontiguousarray(sample.array)
    if array.dtype.hasobject or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise ModelError(f"{recipe} gives values that are no finite numbers.", "Correct the recipe or the step.")
    return array, sample.flags


def folder_name(recipe: Recipe) -> str:
    """The folder of a recipe's inputs: a recipe of another step, version or parameter has another."""
    return recipe.digest[:_KEY_LENGTH]


def input_name(clip_id: str, key: str) -> str:
    """The file of a clip's input within the folder of its recipe."""
    return f"{safe_path(clip_id)}-{key[:_KEY_LENGTH]}.npy"


def _compute(home: Path, parsed: Recipe, wanted: list[Clip], jobs: int, progress: Progress) -> InputSet:
    folder = home / "inputs" / folder_name(parsed)
    tasks, missing = _tasks(home, parsed, wanted, folder)
    _describe(folder, parsed)
    remove_leftovers(folder)
    flags = _cached(tasks)
    pending = {name: task for name, task in tasks.items() if name not in flags}
    done = len(wanted) - len(pending)
    for ended, outcome in enumerate(run_tasks(_make, pending, jobs=jobs), done + 1):
        if isinstance(outcome.error, DiskFullError):
            raise outcome.error
        if outcome.error is not None:
            missing[outcome.name] = outcome.error.what
        else:
            flags[outcome.name] = outcome.value or ()
        progress(ended, len(wanted), outcome.name)
    have = [clip.id for clip in wanted if clip.id in flags]
    if not have:
        raise _nothing(wanted, missing, parsed)
    return InputSet(
        recipe=str(parsed),
        files={name: tasks[name].path for name in have},
        clip_keys={name: tasks[name].key for name in have},
        missing={clip.id: missing[clip.id] for clip in wanted if clip.id in missing},
        flags={name: flags[name] for name in have if flags[name]},
    )


def _tasks(
    home: Path, recipe: Recipe, clips: Iterable[Clip], folder: Path
) -> tuple[dict[str, InputTask], dict[str, str]]:
    """One task per clip that is in the store as annotated, and why the others are not."""
    tasks: dict[str, InputTask] = {}
    missing: dict[str, str] = {}
    reasons: dict[str, Mapping[str, str]] = {}
    for clip in clips:
        known = reasons.setdefault(clip.dataset, clip_states(home, clip.dataset))
        try:
            facts = stored_facts(home, clip.id)
        except StoreError as error:
            missing[clip.id] = known.get(clip.id) or error.what
            continue
        interval = (clip.onset, clip.offset)
        if facts.interval != interval:
            missing[clip.id] = f"{clip.id} was prepared for frames {facts.interval}, now it is {interval}."
            continue
        key = recipe.key(facts.content, interval, clip.apex)
        path = folder / input_name(clip.id, key)
        tasks[clip.id] = InputTask(home, str(recipe), clip, facts.content, key, path)
    return tasks, missing


def _cached(tasks: Mapping[str, InputTask]) -> dict[str, tuple[str, ...]]:
    """The flags of every input that lies in the cache undamaged."""
    found: dict[str, tuple[str, ...]] = {}
    for name, task in tasks.items():
        try:
            found[name] = _load(task.path, task.key)[1]
        except StoreError:
            continue
    return found


def _make(task: InputTask) -> tuple[str, ...]:
    """Computes one input and puts it into the cache; its flags come back. Runs in a worker."""
    recipe = parse_recipe(task.recipe)
    stored = read_clip(task.home, task.clip.id)
    if stored.digest != task.content:
        raise StoreError(f"{task.clip.id} was prepared anew meanwhile.", "Give the same command again.")
    array, flags = input_of(recipe, stored, task.clip.apex)
    image = io.BytesIO()
    np.save(image, array, allow_pickle=False)
    write_sealed(task.path, image.getvalue(), {"key": task.key, "flags": " ".join(flags)})
    return flags


def _load(path: Path, key: str) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    data, notes = read_sealed(path)
    if notes.get("key") != key:
        raise StoreError(f"{path} belongs to another key.", "Give the command that made it again: it is recomputed.")
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
        sound = isinstance(array, np.ndarray) and array.nbytes <= len(data)
    except Exception as error:  # numpy reads the header as Python text: whatever its tokeniser or zipfile raises
        raise StoreError(f"{path} holds no array.", "Give the command that made it again: it is recomputed.") from error
    if not sound:
        raise StoreError(f"{path} holds no array.", "Give the command that made it again: it is recomputed.")
    return array, tuple(notes.get("flags", "").split())


def _describe(folder: Path, recipe: Recipe) -> None:
    """What the folder holds, for people who look at the cache."""
    content = {"schema": "mebench.recipe/1", "recipe": str(recipe), "steps": [s.identity() for s in recipe.steps]}
    text = json.dumps(content, indent=1) + "\n"
    path = folder / "recipe.json"
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text_atomic(path, text)


def _nothing(clips: list[Clip], missing: Mapping[str, str], recipe: Recipe) -> DataError:
    first = next(iter(missing.values()), "there are no clips.")
    names = sorted({clip.dataset for clip in clips})
    return DataError(
        f"None of {len(clips)} clips has an input {recipe}: {first}",
        f"Run mebench prepare {names[0] if names else 'DATASET'} --data DIR, or correct the recipe.",
    )


__all__ = [
    "PRIVILEGES",
    "InputSet",
    "InputTask",
    "Kind",
    "Parameters",
    "Privilege",
    "Recipe",
    "Sample",
    "Step",
    "compute_inputs",
    "folder_name",
    "input_name",
    "input_of",
    "parse_recipe",
    "sample_of",
    "step",
]

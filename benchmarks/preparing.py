"""Preparing a corpus: against the script people run, by stage, on corpora of full size, and in how much memory.

Usage: python -m benchmarks.preparing HOME [--jobs N] [--clips N] [PART ...]

Parts: `script` the usual script (dlib in every frame, a warp, an array per clip) and ours, one process each, on the
same clips, then ours with N jobs; the eyes that both align by are asserted to lie within two pixels of each other on
every onset frame; `store` a stored clip read and verified, against the same frames as .npy and as JPEG; `full` CASME II
(255 clips of 26 people) and SAMM (159 of 28), 40 to 68 frames a clip, by stage, with store and peak memory; `memory` 60
clips and 600. Corpora are rendered: SYNTHETIC. Figures go to HOME/preparing.json, one line per time the command was
run, so that a regression shows.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.usual_script import SIZE, prepare_script
from mebench.clips import ClipTable
from mebench.corpora import dataset
from mebench.cropping import ClipTask, FaceSource, _cut, _frames_of
from mebench.frames import decode, read_files
from mebench.parallel import one_thread
from mebench.prepare import prepare
from mebench.progress import bar
from mebench.runs import environment
from mebench.store import clip_path, read_clip, write_clip
from mebench.synth.corpus import write_corpus
from mebench.vision.alignment import align, canonical
from mebench.vision.points import eye_centres

FULL = ("casme2", "samm")
FEW = (60, 600)
NEAR_PX = 2.0
"""One call of dlib gives whole pixels and, on some faces, single landmarks 20 px off; ours is a median over boxes."""
Figures = dict[str, Any]


def main(arguments: list[str]) -> int:
    """0 once every part asked for is printed."""
    parts: Mapping[str, Callable[[argparse.Namespace], Figures]] = {
        "script": script,
        "store": store,
        "full": full,
        "memory": memory,
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preparing")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clips", type=int, default=10, help="for the script")
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_intermixed_args(arguments)
    unknown = set(options.parts) - set(parts)
    if unknown:
        parser.error(f"no part is named {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    machine = environment()
    print(f"{machine['cpu']}, {os.cpu_count()} cores, Python {platform.python_version()}")
    figures: Figures = {}
    for name, part in parts.items():
        if not options.parts or name in options.parts:
            print(f"\n{name}")
            figures[name] = part(options)
    with (options.home / "preparing.json").open("a") as history:
        history.write(json.dumps({"machine": machine, "at": time.strftime("%F"), **figures}) + "\n")
    return 0


def script(options: argparse.Namespace) -> Figures:
    """Frames per second of the usual script and of ours, side by side."""
    root, table = _corpus(options.home / "few", "casme2", 2, options.clips, options.jobs)
    folders = dataset("casme2").frames(root, table)
    frames = {clip.id: _paths(_task(options.home, clip, folders)) for clip in table}
    count = sum(len(paths) for paths in frames.values())
    place = options.home / "few" / "script"
    with one_thread():
        started = time.perf_counter()
        landmarks = prepare_script({clip.replace("/", "-"): paths for clip, paths in frames.items()}, place)
        usual = time.perf_counter() - started
    home = options.home / "few" / "home"
    ours = _timed_prepare(root, home, 1)
    together = _timed_prepare(root, home, options.jobs)
    apart = [_compared(home, clip.id, landmarks[clip.id.replace("/", "-")], place) for clip in table]
    points, grey = max(p for p, _ in apart), float(np.mean([g for _, g in apart]))
    assert points < NEAR_PX, f"eye centres of an onset frame are {points:.2f} px apart"
    rates = {"script": count / usual, "ours, 1 process": count / ours, f"ours, {options.jobs}": count / together}
    for name, rate in rates.items():
        print(f"{name:18} {rate:8.1f} frames/s   x{rate / rates['script']:.1f}")
    print(f"onset frames: eye centres at most {points:.2f} px apart, aligned faces {grey:.2f} grey levels")
    shutil.rmtree(place)
    return {**rates, "eyes_px": points, "grey_levels": grey, "frames": count}


def store(options: argparse.Namespace) -> Figures:
    """Reading a clip: ours, verified, against .npy and against JPEG."""
    root, table = _corpus(options.home / "few", "casme2", 2, options.clips, options.jobs)
    home = options.home / "few" / "home"
    prepare(dataset("casme2"), root, home, jobs=options.jobs)
    clip = next(iter(table))
    stored = read_clip(home, clip.id)
    place = options.home / "few" / "formats"
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "clip.npy", stored.frames)
    for i, frame in enumerate(stored.frames):
        cv2.imwrite(str(place / f"{i:04d}.jpg"), frame)
    files = sorted(place.glob("*.jpg"))
    ways: dict[str, Callable[[], Any]] = {
        "ours, verified": lambda: read_clip(home, clip.id).frames,
        "npy, trusted": lambda: np.load(place / "clip.npy"),
        "JPEG, lossy": lambda: np.stack([cv2.imread(str(path)) for path in files]),
    }
    assert np.array_equal(ways["ours, verified"](), ways["npy, trusted"]())
    with one_thread():
        found = {name: min(_seconds(way) for _ in range(5)) for name, way in ways.items()}
    size = stored.frames.nbytes / 2**20
    for name, seconds in found.items():
        print(f"{name:18} {seconds * 1000:8.1f} ms for {size:.0f} MiB")
    shutil.rmtree(place)
    return found


def full(options: argparse.Namespace) -> Figures:
    """Corpora of full size: frames per second, where the time goes, how far it is from reading and writing alone."""
    found: Figures = {}
    for name in FULL:
        place = options.home / name
        started = time.perf_counter()
        root, table = _written(place / "corpus", name, options.jobs, tier="calibrated")
        drawn = time.perf_counter() - started
        folders = dataset(name).frames(root, table)
        frames = sum(len(_paths(_task(place, clip, folders))) for clip in table)
        shutil.rmtree(place / "home", ignore_errors=True)
        seconds = _timed_prepare(root, place / "home", options.jobs)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        stages = _stages(place, table, folders)
        size = sum(path.stat().st_size for path in (place / "home" / "store").rglob("*") if path.is_file()) / 2**30
        rate = frames / seconds
        limit = 1000 * options.jobs / (stages["read and decode"] + stages["write"])
        took = f"{seconds:.0f} s with {options.jobs} jobs"
        print(f"{name}: {len(table)} clips, {frames} frames, {took}: {rate:.0f} frames/s")
        print(f"  ms per frame: {', '.join(f'{stage} {ms:.2f}' for stage, ms in stages.items())}")
        print(
            f"  reading, decoding and writing alone would give {limit:.0f} frames/s: we are at {rate / limit:.0%} of it"
        )
        print(f"  peak of one worker {peak:.0f} MiB, store {size:.1f} GiB; drawing the corpus took {drawn:.0f} s")
        found[name] = {
            "frames": frames,
            "rate": rate,
            "stages_ms": stages,
            "limit": limit,
            "worker_mib": peak,
            "store_gib": size,
        }
        shutil.rmtree(place / "home")
    return found


def memory(options: argparse.Namespace) -> Figures:
    """The largest resident size of `prepare` in one process: 60 clips, and ten times as many."""
    root, _ = _corpus(options.home / "few", "casme2", 2, 10, options.jobs)
    found = {}
    for clips in FEW:
        copies = _copied(root, options.home / "many", clips)
        with get_context("spawn").Pool(1) as pool:
            found[str(clips)] = pool.apply(_peak, (copies, options.home / "many" / "home"))
        shutil.rmtree(options.home / "many")
        print(f"{clips} clips: {found[str(clips)]:.0f} MiB at the peak")
    least, most = (found[str(clips)] for clips in FEW)
    print(f"ten times the clips take {most / least - 1:+.1%} memory")
    return found


def _corpus(place: Path, name: str, subjects: int, clips: int, jobs: int) -> tuple[Path, ClipTable]:
    return _written(place / f"corpus-{subjects}x{clips}", name, jobs, subjects=subjects, clips=clips)


def _written(root: Path, name: str, jobs: int, **asked: Any) -> tuple[Path, ClipTable]:
    """A corpus and its table; it is drawn where it is not there."""
    if not root.exists():
        with bar(f"synth {name}") as progress:
            write_corpus(name, root, jobs=jobs, progress=progress, **asked)
    return root, dataset(name).load(root)


def _copied(root: Path, place: Path, clips: int) -> Path:
    """A corpus of so many clips, whose frames are links to those of a small one."""
    from mebench.synth.workbooks import Row, casme2_workbook

    table = dataset("casme2").load(root)
    folders = dataset("casme2").frames(root, table)
    rows = []
    for i in range(clips):
        clip = list(table)[i % len(table)]
        subject, name = f"{i // 20 + 1:02d}", f"EP{i % 20 + 1:02d}_01"
        target = place / "corpus" / "CASME2-RAW" / f"sub{subject}" / name
        target.mkdir(parents=True)
        for _, frame in folders[clip.id].frames:
            os.link(folders[clip.id].path / frame, target / frame)
        rows.append(Row(subject, name, clip.onset, clip.apex, clip.offset, "4", "disgust"))
    casme2_workbook(place / "corpus" / "CASME2-coding-20140508.xlsx", rows)
    return place / "corpus"


def _peak(root: Path, home: Path) -> float:
    prepare(dataset("casme2"), root, home, jobs=1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _timed_prepare(root: Path, home: Path, jobs: int) -> float:
    """Seconds in which a corpus is prepared from nothing."""
    shutil.rmtree(home, ignore_errors=True)
    name = "samm" if "samm" in root.parts else "casme2"
    started = time.perf_counter()
    with bar(f"prepare {name}") as progress:
        report = prepare(dataset(name), root, home, jobs=jobs, progress=progress)
    assert report.complete
    return time.perf_counter() - started


def _stages(place: Path, table: ClipTable, folders: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds per frame that each stage takes, on every twentieth clip, one thread."""
    spent = {"read and decode": 0.0, "face, landmarks, head motion, crop": 0.0, "write": 0.0}
    frames = 0
    with one_thread():
        for clip in list(table)[::20]:
            task = _task(place / "stages", clip, folders)
            started = time.perf_counter()
            files = read_files(task.folder.path, _frames_of(task))
            read = time.perf_counter()
            decode(files)
            decoded = time.perf_counter()
            cut = _cut(task, files)  # decodes once more, which is taken off
            done = time.perf_counter()
            assert cut is not None
            write_clip(task.home, cut)
            spent["write"] += time.perf_counter() - done
            spent["read and decode"] += decoded - started
            spent["face, landmarks, head motion, crop"] += (done - decoded) - (decoded - read)
            frames += len(cut.frames)
            clip_path(task.home, clip.id).unlink()
    shutil.rmtree(place / "stages", ignore_errors=True)
    return {stage: 1000 * seconds / frames for stage, seconds in spent.items()}


def _task(home: Path, clip: Any, folders: Mapping[str, Any]) -> ClipTask:
    interval = (clip.onset, clip.offset)
    return ClipTask(home, clip.id, interval, clip.apex, clip.fps, folders[clip.id], FaceSource())


def _paths(task: ClipTask) -> list[Path]:
    return [task.folder.path / name for _, name in _frames_of(task)]


def _compared(home: Path, clip: str, landmarks: Any, place: Path) -> tuple[float, float]:
    """How far the onset's eye centres are from the script's in px, and its aligned face in grey levels."""
    stored = read_clip(home, clip)
    points = stored.landmarks + stored.origin
    ours = align(stored.frames[:1], stored.motion[:1], canonical(stored.landmarks, SIZE), SIZE)[0]
    theirs = np.load(place / f"{clip.replace('/', '-')}.npy", mmap_mode="r")[0]
    apart = float(np.linalg.norm(eye_centres(points) - eye_centres(landmarks[0]), axis=1).max())
    return apart, float(np.abs(ours.astype(float) - theirs).mean())


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

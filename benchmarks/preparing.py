"""Preparing a corpus: against the script people run, by stage, on corpora of full size, and in how much memory.

Usage: python -m benchmarks.preparing HOME [--jobs N] [--clips N] [PART ...]

Parts: `script` the usual script (dlib in every frame, a warp, an array per clip) and ours, one process each, on the
same clips, then ours with N jobs; the eyes that both align by are asserted to lie within 5 % of their distance of each
other on every onset frame; `store` a stored clip read and verified, against the same frames as .npy and as JPEG; `full`
CASME II (255 clips of 26 people) and SAMM (159 of 28), by stage, with store and peak memory; `memory` 60 clips and 600.
One clip of each person is rendered and played to and fro to 68 frames: SYNTHETIC. Figures go to HOME/preparing.json,
one line per time the command was run, so that a regression shows.
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
from mebench.synth.layouts import LAYOUTS
from mebench.synth.workbooks import Row, casme2_workbook, samm_workbook
from mebench.vision.alignment import align, canonical
from mebench.vision.points import eye_centres, inter_ocular

FULL = {"casme2": (26, 255), "samm": (28, 159)}
"""Subjects and clips of the corpora as released."""
FRAMES = 68
"""Of a clip of CASME II in the mean."""
FIRST = 100
CLASS = {"casme2": "disgust", "samm": "Disgust"}

FEW = (60, 600)
NEAR = 0.05
"""Of the distance between the eyes. One call of dlib gives whole pixels and, on some faces, single landmarks 20 px off;
ours is a median over boxes, and on eight faces of SAMM's size lies nearer to the truth (1.3 px against 2.2)."""
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
    """Frames per second of the usual script and of ours, side by side, on clips of each corpus."""
    return {name: _side_by_side(name, options) for name in FULL}


def _side_by_side(name: str, options: argparse.Namespace) -> Figures:
    few, _ = _few(name, options)
    place = options.home / name / "script"
    shutil.rmtree(place, ignore_errors=True)
    root, table = _linked(few, place / "linked", name, options.clips, FRAMES)
    folders = dataset(name).frames(root, table)
    frames = {clip.id.replace("/", "-"): _paths(_task(place, clip, folders)) for clip in table}
    count = sum(len(paths) for paths in frames.values())
    with one_thread():
        started = time.perf_counter()
        landmarks = prepare_script(frames, place / "arrays")
        usual = time.perf_counter() - started
    home = place / "home"
    ours = _timed_prepare(root, home, 1)
    together = _timed_prepare(root, home, options.jobs)
    apart = [_compared(home, clip.id, landmarks[clip.id.replace("/", "-")], place / "arrays") for clip in table]
    points, grey = max(p for p, _ in apart), float(np.mean([g for _, g in apart]))
    assert points < NEAR, f"eye centres of an onset frame are {points:.1%} of their distance apart"
    rates = {"script": count / usual, "ours, 1 process": count / ours, f"ours, {options.jobs}": count / together}
    print(f"{name}, {len(table)} clips, {count} frames")
    for how, rate in rates.items():
        print(f"  {how:18} {rate:8.1f} frames/s   x{rate / rates['script']:.1f}")
    print(f"  onset frames: eye centres at most {points:.1%} of their distance apart, faces {grey:.2f} grey levels")
    shutil.rmtree(place)
    return {**rates, "eyes": points, "grey_levels": grey, "frames": count}


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
    for name, (_, clips) in FULL.items():
        place = options.home / name
        few, _ = _few(name, options)
        shutil.rmtree(place / "linked", ignore_errors=True)
        root, table = _linked(few, place / "linked", name, clips, FRAMES)
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
        print(f"  peak of one worker {peak:.0f} MiB, store {size:.1f} GiB")
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
        copies, _ = _linked(root, options.home / "many" / "corpus", "casme2", clips)
        with get_context("spawn").Pool(1) as pool:
            found[str(clips)] = pool.apply(_peak, (copies, options.home / "many" / "home"))
        shutil.rmtree(options.home / "many")
        print(f"{clips} clips: {found[str(clips)]:.0f} MiB at the peak")
    least, most = (found[str(clips)] for clips in FEW)
    print(f"ten times the clips take {most / least - 1:+.1%} memory")
    return found


def _corpus(place: Path, name: str, subjects: int, clips: int, jobs: int) -> tuple[Path, ClipTable]:
    root = place / f"corpus-{subjects}x{clips}"
    if not root.exists():
        with bar(f"synth {name}") as progress:
            write_corpus(name, root, subjects=subjects, clips=clips, jobs=jobs, progress=progress)
    return root, dataset(name).load(root)


def _few(name: str, options: argparse.Namespace) -> tuple[Path, ClipTable]:
    """One drawn clip for each subject of a corpus."""
    subjects, _ = FULL[name]
    return _corpus(options.home / name, name, subjects, subjects, options.jobs)


def _linked(root: Path, place: Path, name: str, clips: int, frames: int = 0) -> tuple[Path, ClipTable]:
    """A corpus of so many clips, whose frames are links to those of a small one, played to and fro if `frames` asks for
    more of them, each clip from a moment of its own."""
    drawn = dataset(name).load(root)
    folders = dataset(name).frames(root, drawn)
    sources, people = list(drawn), LAYOUTS[name].subjects[: FULL[name][0]]
    rows = []
    for i in range(clips):
        clip, subject = sources[i % len(sources)], people[i % len(people)]
        turn = f"{i // len(people) + 1}"
        own = {"casme2": f"EP{turn:0>2}_01", "samm": f"{subject}_1_{turn}"}[name]
        target = place / {"casme2": "CASME2_RAW_selected", "samm": "SAMM"}[name] / subject / own
        target.mkdir(parents=True)
        images = [file for number, file in folders[clip.id].frames if clip.onset <= number <= clip.offset]
        course = [*range(len(images)), *range(len(images) - 2, 0, -1)]
        course = [course[(i + k) % len(course)] for k in range(frames)] if frames else course[: len(images)]
        for number, at in enumerate(course, FIRST):
            shown = {"casme2": f"img{number}.jpg", "samm": f"{subject}_{number:05d}.jpg"}[name]
            os.link(folders[clip.id].path / images[at], target / shown)
        last = FIRST + len(course) - 1
        rows.append(Row(subject.removeprefix("sub"), own, FIRST, (FIRST + last) // 2, last, "4", CLASS[name], "III", 1))
    if name == "casme2":
        casme2_workbook(place / "CASME2-coding-20140508.xlsx", rows)
    else:
        samm_workbook(place / "SAMM_Micro_FACS_Codes_v2.xlsx", rows)
    return place, dataset(name).load(place)


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
    """How far the onset's eye centres are from the script's, in parts of their distance, and its aligned face in grey
    levels."""
    stored = read_clip(home, clip)
    points = stored.landmarks + stored.origin
    ours = align(stored.frames[:1], stored.motion[:1], canonical(stored.landmarks, SIZE), SIZE)[0]
    theirs = np.load(place / f"{clip.replace('/', '-')}.npy", mmap_mode="r")[0]
    apart = float(np.linalg.norm(eye_centres(points) - eye_centres(landmarks[0]), axis=1).max()) / inter_ocular(points)
    drawn = ours[..., None] if ours.ndim == 2 else ours  # theirs has three channels of a grey frame, too
    return apart, float(np.abs(drawn.astype(float) - theirs).mean())


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

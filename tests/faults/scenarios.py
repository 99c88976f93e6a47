"""What can befall a command, seeded: a scenario disturbs a home and leaves the rest to the next identical command."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mebench.files import FAULT_POINTS, sidecar
from mebench.synth.workbooks import casme2_workbook
from tests.corpora import write_samm
from tests.faults.stage import Child, Ended, Stage, Verdict, ended, forget_seal, judge, known
from tests.small_corpus import CLIPS, FRAMES, ONSET, frame_path, rows, write_corpus
from tests.test_fold_states import NETWORK

CLIP_NAMES = (*CLIPS, "EP03_02", "EP04_01")

Disturb = Callable[[Stage, Path, random.Random], "Disturbed"]


@dataclass(frozen=True)
class Disturbed:
    """How the disturbed commands ended, how many processes were killed, and which units may be made anew for it."""

    endings: tuple[Ended, ...]
    kills: int = 0
    spoilt: frozenset[str] = frozenset()
    named: str = ""
    """What one of the commands, or the next, must have said: the name of what was damaged."""


@dataclass(frozen=True)
class Scenario:
    """One way to disturb one command, and how often the full table tries it."""

    name: str
    stage: str
    disturb: Disturb
    repetitions: int

    @property
    def title(self) -> str:
        """The scenario as the table names it."""
        return f"{self.stage}: {self.name}"


def stages(place: Path) -> dict[str, Stage]:
    """The commands, each with what it makes undisturbed."""
    write_corpus(place / "casme2", CLIP_NAMES)
    write_samm(place / "samm")
    (place / "nets.py").write_text(NETWORK)
    _open_to_all(place)
    samm = ("--protocol", "samm-5c-loso", "--data", f"samm={place / 'samm'}", "--jobs", "1")
    prepare = ("prepare", "casme2", "--data", str(place / "casme2"), "--jobs", "1")
    folds = "runs/*/*/*/seed-0/folds/*.csv"
    drafts = (
        Stage("prepare", place, prepare, "store/**/*.h5"),
        Stage("run", place, ("run", "uniform", *samm), folds),
        Stage("long folds", place, ("run", f"{place / 'nets.py'}:Net", *samm, "--checkpoint-every", "0"), folds),
    )
    return {draft.name: known(draft, place / f"whole {draft.name}") for draft in drafts}


def play(scenario: Scenario, stage: Stage, seed: int, place: Path) -> Verdict:
    """One disturbance of a fresh home, the same command again, and what came of it."""
    rng = random.Random(f"{scenario.title} {seed}")
    home = place / "home"
    shutil.rmtree(home, ignore_errors=True)
    done = scenario.disturb(stage, home, rng)
    before = {name: unit for name, unit in stage.whole(home).items() if name not in done.spoilt}
    last = stage.run(home)
    lost, wrong, beyond, amiss = judge(stage, home, before, last)
    amiss += [f"said badly: {one.code}: {one.said[-300:]}" for one in done.endings if not one.clear]
    if done.named and not any(done.named in one.said for one in (*done.endings, last)):
        amiss.append(f"{done.named} was not named: {last.said[-300:]}")
    return Verdict(scenario.title, seed, done.kills, lost, wrong, beyond, tuple(amiss))


def killed_at_a_point(points: tuple[str, ...], most: int) -> Disturb:
    """kill -9 at one of these points, when it is passed for the n-th time."""

    def disturb(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
        how = Child(fault=f"{rng.choice(points)}:{rng.randint(1, most)}")
        end = stage.run(home, how)
        return Disturbed((end,), kills=int(end.code == -signal.SIGKILL))

    return disturb


def killed_at_a_moment(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """kill -9 at any moment of the command, up to three times in a row."""
    endings = []
    for _ in range(rng.randint(1, 3)):
        process = stage.start(home)
        process.join(rng.uniform(0, stage.seconds))
        process.kill()
        endings.append(ended(process, home))
    return Disturbed(tuple(endings), kills=sum(one.code == -signal.SIGKILL for one in endings))


def interrupted(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """Ctrl-C at any moment after the start."""
    process = stage.start(home)
    process.join(0.1 + rng.uniform(0, stage.seconds))
    if process.exitcode is None and process.pid:
        os.kill(process.pid, signal.SIGINT)
    return Disturbed((ended(process, home),))


def worker_killed(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """kill -9 of one of two worker processes, as the system does where memory runs out."""
    process = stage.start(home, Child(more=("--jobs", "2")))
    until = time.monotonic() + 60
    while process.exitcode is None and time.monotonic() < until and not _workers(process.pid):
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 2.5))
    victims = _workers(process.pid)
    if victims:
        os.kill(rng.choice(victims), signal.SIGKILL)
    return Disturbed((ended(process, home),), kills=int(bool(victims)))


def full_disk(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """A limit on the size of files that some writes pass and others do not: they fail as on a full disk."""
    return Disturbed((stage.run(home, Child(largest=rng.choice((60, 200, 1_000, 20_000, 400_000)))),))


def read_only_home(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """The home belongs to somebody else."""
    if rng.random() < 0.5:
        stage.run(home)
    home.mkdir(exist_ok=True)
    return Disturbed((stage.run(home, Child(as_nobody=True)),))


def flipped_bit(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """One bit of a finished file is another."""
    path = _finished(stage, home, rng)
    data = bytearray(path.read_bytes())
    at = rng.randrange(8 * len(data))
    data[at // 8] ^= 1 << at % 8
    path.write_bytes(data)
    return _spoilt(home, path)


def truncated(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """A finished file ends early."""
    path = _finished(stage, home, rng)
    os.truncate(path, rng.randrange(path.stat().st_size))
    return _spoilt(home, path)


def digest_lost(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """A digest is gone, or damaged."""
    path = _finished(stage, home, rng)
    if rng.random() < 0.5:
        forget_seal(path)
    else:
        sidecar(path).write_bytes(rng.randbytes(40))
    return Disturbed((), spoilt=frozenset({str(path.relative_to(home))}))


def clock_jumped(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """Killed; then every file's time is of another decade."""
    done = killed_at_a_moment(stage, home, rng)
    for path in home.rglob("*"):
        if path.is_file():
            at = rng.uniform(0, 4e9)
            os.utime(path, (at, at))
    return done


def two_at_once(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """The same command twice at the same time; one of them may be refused."""
    first = stage.start(home)
    first.join(rng.uniform(0, stage.seconds / 2))
    second = stage.start(home)
    return Disturbed((ended(first, home), ended(second, home)))


def broken_frame(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """A JPEG ends early; the clip is named, the others are stored, and the frame comes back."""
    name, number = rng.choice(CLIP_NAMES), ONSET + rng.randrange(FRAMES)
    path = frame_path(stage.place / "casme2", name, number)
    with _changed(path):
        os.truncate(path, rng.randrange(path.stat().st_size * 3 // 4))
        end = stage.run(home)
    return Disturbed((end,), named=name)


def unreadable_frame(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """A folder stands where a JPEG was: the clip is named, and where it could do without is stored, to be made anew."""
    name, number = rng.choice(CLIP_NAMES), ONSET + rng.randrange(FRAMES)
    path = frame_path(stage.place / "casme2", name, number)
    with _changed(path):
        path.unlink()
        path.mkdir()
        end = stage.run(home)
        path.rmdir()
    return Disturbed((end,), spoilt=frozenset({f"store/casme2/sub01/{name}.h5"}), named=name)


def workbook_changed(stage: Stage, home: Path, rng: random.Random) -> Disturbed:
    """The annotation of one run is not that of the next, and comes back; a clip that is coded anew is cropped anew."""
    path = stage.place / "casme2" / "CASME2-coding-20140508.xlsx"
    with _changed(path):
        changed = rows(CLIP_NAMES, apex=ONSET + rng.randrange(1, FRAMES))
        casme2_workbook(path, [*changed[:-1]] if rng.random() < 0.5 else changed)
        end = stage.run(home)
    return Disturbed((end,))


SCENARIOS = (
    Scenario("kill -9 around write, fsync, rename", "prepare", killed_at_a_point(FAULT_POINTS, 8), 70),
    Scenario("kill -9 at any moment", "prepare", killed_at_a_moment, 40),
    Scenario("Ctrl-C", "prepare", interrupted, 10),
    Scenario("a worker killed", "prepare", worker_killed, 6),
    Scenario("disk full", "prepare", full_disk, 10),
    Scenario("read-only home", "prepare", read_only_home, 6),
    Scenario("a bit flipped", "prepare", flipped_bit, 15),
    Scenario("a file truncated", "prepare", truncated, 15),
    Scenario("a digest lost", "prepare", digest_lost, 10),
    Scenario("the clock jumped", "prepare", clock_jumped, 6),
    Scenario("two at once", "prepare", two_at_once, 10),
    Scenario("a JPEG truncated", "prepare", broken_frame, 10),
    Scenario("a JPEG unreadable", "prepare", unreadable_frame, 6),
    Scenario("the workbook changed", "prepare", workbook_changed, 6),
    Scenario(
        "kill -9 around write, fsync, rename, in a fold", "run", killed_at_a_point((*FAULT_POINTS, "in-fold"), 50), 80
    ),
    Scenario("kill -9 at any moment", "run", killed_at_a_moment, 40),
    Scenario("Ctrl-C", "run", interrupted, 10),
    Scenario("disk full", "run", full_disk, 10),
    Scenario("read-only home", "run", read_only_home, 6),
    Scenario("a bit flipped", "run", flipped_bit, 15),
    Scenario("a file truncated", "run", truncated, 15),
    Scenario("a digest lost", "run", digest_lost, 10),
    Scenario("the clock jumped", "run", clock_jumped, 6),
    Scenario("two at once", "run", two_at_once, 10),
    Scenario("kill -9 at a checkpoint", "long folds", killed_at_a_point(("after-checkpoint", *FAULT_POINTS), 80), 40),
    Scenario("kill -9 at any moment", "long folds", killed_at_a_moment, 30),
)


def _finished(stage: Stage, home: Path, rng: random.Random) -> Path:
    """One of the units of a home in which the command was done."""
    stage.run(home)
    return home / rng.choice(sorted(stage.whole(home)))


def _spoilt(home: Path, path: Path) -> Disturbed:
    name = path.stem
    return Disturbed((), spoilt=frozenset({str(path.relative_to(home))}), named=name.rpartition("__")[2])


@contextmanager
def _changed(path: Path) -> Iterator[None]:
    """A file that is as it was afterwards."""
    data = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(data)


def _workers(pid: int | None) -> list[int]:
    """The spawned workers of a command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
            spawned = b"multiprocessing.spawn" in (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == pid and spawned:
            found.append(int(folder.name))
    return found


def _open_to_all(place: Path) -> None:
    """Somebody else can read what lies there, and no more."""
    for path in (place, *place.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


__all__ = ["SCENARIOS", "Scenario", "play", "stages"]

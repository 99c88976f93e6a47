"""`mebench cache`: every flipped bit is found, the command that is named mends it, and only what is not needed goes."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mebench.cache import SEALED, holdings, prune, verify, waste
from mebench.cli import status
from mebench.datasets.casme2 import DATASET
from mebench.errors import RunError
from mebench.files import sidecar
from mebench.inputs import compute_inputs
from mebench.occupancy import adding
from mebench.prepare import prepare
from mebench.store import clip_path, stored_ids
from tests.corpora import write_samm
from tests.small_corpus import write_corpus

RECIPE = "align(size=16) > grey > onset > flatten"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A home with a store, inputs and a run, beside the corpora they were made from."""
    place = tmp_path_factory.mktemp("prepared")
    home, corpus = place / "home", write_corpus(place / "corpus")
    prepare(DATASET, corpus, home)
    compute_inputs(home, RECIPE, DATASET.load(corpus))
    write_samm(place / "samm")
    assert status(["--home", str(home), *uniform(place)]) == 0
    return place


def uniform(place: Path) -> list[str]:
    return ["run", "uniform", "--protocol", "samm-5c-loso", "--data", f"samm={place / 'samm'}"]


@pytest.fixture
def home(prepared, tmp_path) -> Path:
    return Path(shutil.copytree(prepared / "home", tmp_path / "home"))


def contents(home: Path) -> dict[str, bytes]:
    return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file() and p.name != ".lock"}


def flip(path: Path, rng: random.Random) -> None:
    """One bit of the file, any of them."""
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    path.write_bytes(data)


def test_a_sound_home_is_sound(home, capsys):
    found = verify(home)
    assert found.sound
    assert not found.findings
    assert found.files == sum(1 for p in home.rglob("*.sha256")) + sum(
        1 for p in home.rglob("*.json") if not sidecar(p).exists()
    )
    assert status(["--home", str(home), "cache", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == found.files


@pytest.mark.parametrize(
    "pattern", ["store/**/*.h5", "inputs/**/*.npy", "runs/**/folds/*.csv", "runs/**/manifest.json"]
)
def test_every_flipped_bit_is_found_and_named(pattern, home):
    rng = random.Random(0)
    files = sorted(home.glob(pattern))
    assert files
    for _ in range(40):
        path = rng.choice(files)
        sound = path.read_bytes()
        flip(path, rng)
        found = verify(home)
        damaged = [one.path for one in found.findings if one.state == "damaged"]
        if path.name == "manifest.json" and not damaged:
            assert unsealed(sound) != unsealed(
                path.read_bytes()
            )  # a bit of what decides no score: command, environment
        else:
            assert damaged == [path]
            assert not found.sound
        path.write_bytes(sound)


def unsealed(manifest: bytes) -> object:
    content = json.loads(manifest)
    return [content["environment"], content["command"], content["asked"]]


def test_prepare_mends_the_damaged_clips_and_no_others(prepared, home, capsys):
    damaged = clip_path(home, next(iter(stored_ids(home, "casme2"))))
    before = contents(home)
    flip(damaged, random.Random(1))
    assert status(["--home", str(home), "cache", "verify"]) == 1
    said = capsys.readouterr().out
    assert f"damaged {damaged.relative_to(home)}" in said
    assert f"mebench prepare casme2 --data {prepared / 'corpus'}" in said
    inodes = {path: path.stat().st_ino for path in home.glob("store/**/*.h5")}
    assert status(["--home", str(home), "prepare", "casme2", "--data", str(prepared / "corpus")]) == 0
    assert "1 repaired" in capsys.readouterr().out
    assert {path for path, inode in inodes.items() if path.stat().st_ino != inode} == {damaged}
    after = contents(home)
    assert {name for name in before if before[name] != after.get(name)} <= {"corpora/casme2.json"}
    assert verify(home).sound


def test_a_damaged_fold_names_the_run_that_fits_it_again(prepared, home, capsys):
    fold = sorted(home.glob("runs/**/folds/*.csv"))[3]
    sound = fold.read_bytes()
    flip(fold, random.Random(2))
    (finding,) = verify(home).findings
    assert "the fold is fitted again" in finding.fix
    assert status(["--home", str(home), *uniform(prepared)]) == 0
    assert fold.read_bytes() == sound
    assert verify(home).sound


def test_what_a_kill_left_between_file_and_digest_is_unfinished_not_damaged(home):
    for path in (
        next(home.glob("store/**/*.h5")),
        next(home.glob("inputs/**/*.npy")),
        next(home.glob("runs/**/folds/*.csv")),
    ):
        assert path.suffix in SEALED
        sidecar(path).unlink()
    found = verify(home)
    assert found.sound
    assert [one.state for one in found.findings] == ["unfinished"] * 3


def test_a_digest_without_its_file_is_damage_and_may_go(home):
    path = next(home.glob("inputs/**/*.npy"))
    path.unlink()
    assert [one.path for one in verify(home).findings] == [path]
    prune(home)
    assert verify(home).sound
    assert not sidecar(path).exists()


def test_prune_takes_what_no_command_would_read_and_nothing_else(prepared, home, capsys):
    assert not waste(home)
    assert status(["--home", str(home), "cache", "prune"]) == 0
    assert "Nothing" in capsys.readouterr().out
    recipe = next((home / "inputs").iterdir())
    old = next(recipe.glob("**/*.npy"))
    stale = old.with_name(old.name.replace(old.stem[-4:], "0000"))
    shutil.copy(old, stale)
    shutil.copy(sidecar(old), sidecar(stale))
    shutil.copytree(recipe, recipe.with_name("0" * 16))
    seed = next(home.glob("runs/*/*/*/seed-0"))
    shutil.copytree(seed, seed.with_name("seed-0.discarded"))
    (home / "store" / f".x.h5.{os.uname().nodename}.999999999.tmp").write_bytes(b"half")
    before = contents(home)
    assert status(["--home", str(home), "cache", "prune", "--dry-run", "--json"]) == 0
    listed = {row["path"] for row in json.loads(capsys.readouterr().out)["waste"]}
    assert contents(home) == before
    assert listed == {
        str(path.relative_to(home))
        for path in (stale, sidecar(stale), recipe.with_name("0" * 16), seed.with_name("seed-0.discarded"))
    }
    assert status(["--home", str(home), "cache", "prune"]) == 0
    kept = contents(home)
    assert contents(prepared / "home").items() <= kept.items()
    assert not any(name.startswith(tuple(listed)) for name in kept)
    assert verify(home).sound


def test_all_inputs_go_where_asked_and_come_back_the_same(prepared, home):
    before = contents(home)
    prune(home, inputs=True)
    assert not list((home / "inputs").iterdir())
    compute_inputs(home, RECIPE, DATASET.load(prepared / "corpus"))
    assert contents(home) == before


def test_prune_waits_for_nobody(home):
    code = f"from pathlib import Path; from mebench.cache import prune; prune(Path({str(home)!r}))"
    with adding(home):
        asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert RunError.__name__ in asked.stderr
    assert "works under" in asked.stderr


def test_the_list_adds_up(home, capsys):
    sizes = [p.stat().st_size for p in home.rglob("*") if p.is_file() and p.parent != home]
    assert sum(one.size for one in holdings(home)) == sum(sizes)
    assert status(["--home", str(home), "cache", "list"]) == 0
    said = capsys.readouterr().out
    assert RECIPE.split(" > ")[0] in said
    assert "samm-5c-loso uniform" in said

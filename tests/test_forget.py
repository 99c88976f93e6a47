"""`mebench forget`: what was derived goes, the corpus stays, and a kill changes nothing about the end."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mebench import cli
from mebench.cli import status
from mebench.errors import DataError, RunError, UnknownName
from mebench.files import write_sealed
from mebench.forget import forget, plan, target_of
from mebench.occupancy import LOCK, adding
from mebench.store import clip_path, write_clip
from mebench.traces import Target, mentions
from tests.corpora import write_casme2, write_samm
from tests.killing import killed_at
from tests.test_store import stored

# Subjects 10 and 18 are in no three-class protocol of CASME II (neither happiness, surprise nor a negative class).
CLIPS = ("casme2/sub01/EP02_01f", "casme2/sub01/EP03_02", "casme2/sub10/EP01_01", "samm/006/006_1_2")
DATA = ("casme2", "samm")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> Path:
    """Workbooks with the real distributions, as somebody's original folders."""
    root = tmp_path_factory.mktemp("originals")
    write_casme2(root / "casme2")
    write_samm(root / "samm")
    return root


@pytest.fixture(scope="module")
def filled(corpora, tmp_path_factory) -> Path:
    """A home in which everything names people: store, inputs, registrations, runs, ledger, pages, leftovers."""
    home = tmp_path_factory.mktemp("home")
    for clip in CLIPS:
        write_clip(home, stored(clip))
        name = f"inputs/abc123/{clip}-0011.npy"
        write_sealed(home / name, b"\x93NUMPY array", {"key": "0011", "flags": ""})
    (home / "inputs/abc123/recipe.json").write_text('{"recipe": "align"}')
    for dataset in DATA:
        rows = [{"clip": clip, "state": "stored", "line": ""} for clip in CLIPS if clip.startswith(f"{dataset}/")]
        record = {"schema": "mebench.corpus/1", "dataset": dataset, "root": str(corpora / dataset), "clips": rows}
        (home / "corpora").mkdir(exist_ok=True)
        (home / f"corpora/{dataset}.json").write_text(json.dumps(record))
    given = [f"--data={name}={corpora / name}" for name in DATA]
    for protocol in ("loso", "composite-3c-loso"):
        assert status(["--home", str(home), "run", "constant", "--protocol", protocol, *given]) == 0
    one = next((home / "runs/casme2-5c-loso/constant").iterdir())
    (one / "explain").mkdir()
    (one / "explain/importance.png").write_bytes(b"picture of a mean face")
    (home / "pages").mkdir()
    (home / "pages/errors.html").write_text("<td>casme2/sub01/EP02_01f</td>")
    (home / "pages/clip-casme2__sub01__EP02_01f.png").write_bytes(b"picture")
    (home / "pages/samm.html").write_text("<td>samm/006/006_1_2</td>")
    (home / "store/casme2/sub01/.EP09.h5.host.99999999-0123abcd.tmp").write_bytes(b"half a clip")
    return home


@pytest.fixture
def home(filled, tmp_path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "home"))


def files(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


def witnesses(home: Path, dataset: str, subject: str = "") -> Iterator[str]:
    """Files that name a corpus or person, told without the code under test."""
    ids = [f"{dataset}{mark}{subject}" for mark in ("/", "__", "%2F")]
    for name, data in files(home).items():
        if any(i in f"{name}/" for i in ids) or any(i.encode() in data for i in ids):
            yield name
        elif name.endswith(".h5"):
            with h5py.File(home / name) as file:
                if str(file.attrs["clip_id"]).startswith(ids[0]):
                    yield name


def protocols_with_runs(home: Path) -> set[str]:
    return {path.parts[-5] for path in home.glob("runs/*/*/*/seed-*/manifest.json")}


def test_a_subject_is_gone_from_every_place_and_the_rest_is_as_it_was(home, corpora):
    before, originals = files(home), files(corpora)
    assert len(list(witnesses(home, "casme2", "sub01"))) > 10
    done = forget(home, "casme2", "1")
    assert not list(witnesses(home, "casme2", "sub01"))
    after = files(home)
    assert files(corpora) == originals
    kept = {
        name
        for name in before
        if not name.startswith(("runs/casme2", "runs/composite")) and not [*witnesses_in(name, before[name])]
    }
    assert kept <= set(after)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"corpora/casme2.json"} | {n for n in after if n.startswith("ledger") and "samm-5c" not in n}
    assert json.loads(after["corpora/casme2.json"])["clips"] == [
        {"clip": "casme2/sub10/EP01_01", "state": "stored", "line": ""}
    ]
    assert done.files == len(before) - len(after)
    assert done.size == sum(len(before[name]) for name in before if name not in after)


def witnesses_in(name: str, data: bytes) -> Iterator[str]:
    yield from (i for i in ("casme2/sub01", "casme2__sub01") if i in name or i.encode() in data)


def test_runs_that_learned_from_the_subject_go_whole_and_stay_counted(home):
    configurations = sorted(p.name for p in home.glob("ledger/**/*.json"))
    done = forget(home, "casme2", "sub01")
    assert protocols_with_runs(home) == {"samm-5c-loso"}
    assert sorted(run.split("/")[0] for run in done.runs) == ["casme2-5c-loso", "composite-3c-loso"]
    entries = sorted(home.glob("ledger/**/*.json"))
    assert sorted(p.name for p in entries) == configurations
    withdrawn = [json.loads(p.read_text()) for p in entries if "samm-5c" not in str(p)]
    assert all(entry == {"schema": "mebench.tried/1", "id": entry["id"]} for entry in withdrawn)


def test_a_run_that_never_used_the_subject_stays(home):
    """sub10 has clips of the five classes, and none of the three."""
    forget(home, "casme2", "10")
    assert protocols_with_runs(home) == {"samm-5c-loso", "composite-3c-loso"}
    assert not list(witnesses(home, "casme2", "sub10"))
    assert clip_path(home, CLIPS[0]).is_file()


def test_a_corpus_is_gone_from_every_place(home, corpora):
    originals = files(corpora)
    done = forget(home, "casme2")
    assert not list(witnesses(home, "casme2"))
    assert protocols_with_runs(home) == {"samm-5c-loso"}
    assert {p.name for p in (home / "corpora").iterdir()} == {"samm.json"}
    assert not (home / "store/casme2").exists()
    assert clip_path(home, "samm/006/006_1_2").is_file()
    assert (home / "pages/samm.html").is_file()
    assert files(corpora) == originals
    assert done.untouched == {"casme2": str(corpora / "casme2")}
    assert str(corpora / "casme2") in done.text()


def test_a_run_whose_command_only_mentions_the_corpus_stays(home):
    manifest = next(home.glob("runs/samm-5c-loso/**/manifest.json"))
    content = json.loads(manifest.read_text()) | {"command": "mebench run constant --data casme2=/data/casme2/a/b.xlsx"}
    manifest.write_text(json.dumps(content))
    forget(home, "casme2")
    assert manifest.is_file()


def test_a_damaged_manifest_does_not_hide_a_run(home):
    for manifest in home.glob("runs/casme2-5c-loso/**/manifest.json"):
        manifest.write_text("{")
    forget(home, "casme2", "sub01")
    assert protocols_with_runs(home) == {"samm-5c-loso"}
    assert not list(witnesses(home, "casme2", "sub01"))


def test_the_same_people_are_forgotten_in_every_modality(tmp_path):
    for clip in ("smic/s01/s1_ne_01", "smic-vis/s01/s1_ne_01", "smic-vis/s11/s11_ne_01"):
        write_clip(tmp_path, stored(clip))
    done = forget(tmp_path, "smic", "1")
    assert [p.stem for p in sorted(tmp_path.rglob("*.h5"))] == ["s11_ne_01"]
    assert {"smic", "smic-vis", "smic-nir"} <= set(done.target.shown_in)


def test_a_clip_in_another_clips_place_is_found_by_what_it_holds(tmp_path):
    write_clip(tmp_path, stored("casme2/sub02/EP01_01"))
    write_clip(tmp_path, replace(stored("casme2/sub02/EP02_01"), clip_id="casme2/sub02/EP02_01"))
    strange = clip_path(tmp_path, "casme2/sub03/EP01_01")
    strange.parent.mkdir()
    shutil.copy(clip_path(tmp_path, "casme2/sub02/EP01_01"), strange)
    forget(tmp_path, "casme2", "2")
    assert not list(tmp_path.rglob("*.h5"))


@pytest.mark.parametrize("subject", [None, "sub01"])
def test_again_there_is_nothing_left_and_that_is_no_error(home, subject):
    forget(home, "casme2", subject)
    before = files(home)
    again = forget(home, "casme2", subject)
    assert again.traces == ()
    assert "Nothing under" in again.text()
    assert files(home) == before


# Removing sub01 passes some thirty removals in each of store, inputs and runs.
@pytest.mark.parametrize(
    ("point", "count"),
    [
        *(("before-removal", n) for n in (1, 3, 8, 13, 40, 90)),
        *(("in-forget", n) for n in (1, 2, 3, 5)),
        *(("after-withdrawal", n) for n in (1, 2)),
        *((point, 1) for point in ("before-write", "in-write", "in-fsync", "before-rename", "after-rename")),
    ],
)
def test_killed_anywhere_the_same_command_ends_as_if_it_had_not_been(filled, tmp_path, point, count):
    undisturbed, home = tmp_path / "undisturbed", tmp_path / "home"
    shutil.copytree(filled, undisturbed)
    shutil.copytree(filled, home)
    forget(undisturbed, "casme2", "sub01")
    assert killed_at(point, count, lambda: forget(home, "casme2", "sub01"))
    forget(home, "casme2", "sub01")
    assert not list(witnesses(home, "casme2", "sub01"))
    assert files(home) == files(undisturbed)


def test_a_corpus_killed_in_the_middle_of_a_run_leaves_no_orphan(filled, tmp_path):
    """What is left of the run names other people only: it goes by the name of its folder."""
    home = Path(shutil.copytree(filled, tmp_path / "home"))
    assert killed_at("after-withdrawal", 1, lambda: forget(home, "casme2"))
    (begun,) = home.glob("runs/*/*/*.withdrawn")
    names = len(files(begun))
    assert killed_at("before-removal", names // 2, lambda: forget(home, "casme2"))
    assert 0 < len(files(begun)) < names
    assert status(["--home", str(home), "leaderboard"]) == 0
    forget(home, "casme2")
    assert protocols_with_runs(home) == {"samm-5c-loso"}
    assert not list(home.glob("runs/*/*/*.withdrawn"))


def test_nothing_is_removed_while_another_process_works_there(home):
    before = files(home)
    with adding(home), pytest.raises(RunError, match="Another mebench works under"):
        forget(home, "casme2")
    assert files(home) == before | {LOCK: b""}
    lock = next(home.glob("runs/casme2-5c-loso/**/.lock-*"))
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="Another process is working on"):
            forget(home, "casme2")
    assert files(home) == before | {LOCK: b""}


def test_nothing_is_added_while_something_is_forgotten(home, corpora, capsys):
    with (home / LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        arguments = ["--home", str(home), "run", "uniform", "--protocol", "samm-5c-loso", f"--data=samm={corpora}/samm"]
        assert status(arguments) == 1
    assert "mebench forget is at work under" in capsys.readouterr().err


def test_a_link_is_not_followed(tmp_path):
    original = tmp_path / "original"
    original.mkdir()
    (original / "face.jpg").write_bytes(b"face")
    home = tmp_path / "home"
    (home / "store/casme2").mkdir(parents=True)
    (home / "store/casme2/sub01").symlink_to(original)
    (home / "notes").symlink_to(original)
    with pytest.raises(DataError, match="is a link to another place"):
        forget(home, "casme2", "sub01")
    assert (original / "face.jpg").read_bytes() == b"face"


def test_a_corpus_inside_the_home_is_not_touched(home, corpora):
    inside = Path(shutil.copytree(corpora / "casme2", home / "mine/casme2"))
    (inside / "notes.txt").write_text("casme2/sub01/EP02_01f is blurred")
    record = json.loads((home / "corpora/casme2.json").read_text()) | {"root": str(inside)}
    (home / "corpora/casme2.json").write_text(json.dumps(record))
    before = files(inside)
    forget(home, "casme2")
    assert files(inside) == before


def test_unknown_names_are_one_line(home):
    with pytest.raises(UnknownName, match="No corpus named 'casme'"):
        forget(home, "casme")
    with pytest.raises(UnknownName, match="No subject of casme2 named 'Fred'"):
        forget(home, "casme2", "Fred")
    with pytest.raises(UnknownName, match="No subject of casme2 named 'sub77'"):
        forget(home, "casme2", "77")


@pytest.mark.parametrize("text", ["1", "01", "sub01", "SUB01", "casme2/sub01"])
def test_a_person_may_be_named_in_every_way_the_corpus_is_quoted(tmp_path, text):
    assert target_of(tmp_path, "casme2", text).name == "casme2/sub01"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"casme2/sub01/EP02_01f,casme2/sub01,0", True),
        (b"fold casme2/sub01 failed", True),
        (b"casme2__sub01.csv", True),
        (b"clip-casme2%2Fsub01%2FEP02", True),
        (b'"casme2\\\\sub01"', True),
        (b"casme2/sub010/EP02_01f", False),
        (b"mycasme2/sub01/EP02_01f", False),
        (b"casme2/sub02/EP02_01f", False),
        (b"sub01", False),
    ],
)
def test_ids_are_told_from_what_only_looks_like_them(tmp_path, text, named):
    file = tmp_path / "file"
    for padding in (0, (1 << 20) - 7):  # also where a name lies across two chunks
        file.write_bytes(b" " * padding + text)
        assert mentions(file, Target("casme2", "sub01", ("casme2",)).pattern) is named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"casme2/sub01/EP02_01f", True),
        (b'{"dataset": "casme2"}', True),
        (b"--data casme2=/data/casme2/CASME2-RAW/x", False),
        (b"casme2-5c-loso", False),
        (b"smic/s01/s1_ne_01", False),
    ],
)
def test_a_corpus_is_named_by_its_clips(tmp_path, text, named):
    (tmp_path / "file").write_bytes(text)
    assert mentions(tmp_path / "file", Target("casme2").pattern) is named


def test_the_command_asks_and_does_nothing_unasked(home, capsys, monkeypatch):
    before = files(home)
    command = ["--home", str(home), "forget", "casme2", "--subject", "1"]
    assert status(command) == 2
    assert "Give --yes." in capsys.readouterr().err
    monkeypatch.setattr(cli.sys, "stdin", Terminal("n\n"))
    assert status(command) == 0
    assert "Nothing was removed." in capsys.readouterr().err
    assert files(home) == before
    monkeypatch.setattr(cli.sys, "stdin", Terminal("y\n"))
    assert status(command) == 0
    assert "Verified: nothing under" in capsys.readouterr().out
    assert not list(witnesses(home, "casme2", "sub01"))


class Terminal:
    """Standard input at which somebody sits."""

    def __init__(self, typed: str) -> None:
        self._lines = iter([typed])

    def isatty(self) -> bool:
        return True

    def readline(self, *_: object) -> str:
        return next(self._lines)


def test_the_record_counts_what_went(home, capsys):
    before = files(home)
    assert status(["--home", str(home), "forget", "casme2", "--yes", "--json"]) == 0
    record, after = json.loads(capsys.readouterr().out), files(home)
    assert record["schema"] == "mebench.forget/1"
    assert record["files"] == len(before) - len(after)
    assert record["areas"]["store"]["files"] == 7  # three clips with their digests, and half a one
    assert record["verified"] is True


def test_a_home_that_is_not_there_holds_nothing(tmp_path):
    assert forget(tmp_path / "none", "casme2").traces == ()
    assert not (tmp_path / "none").exists()


def test_arrays_are_not_searched_byte_by_byte(tmp_path):
    """An array may hold any bytes; it goes by its path alone."""
    path = tmp_path / "inputs/abc/samm/006/006_1_2-00.npy"
    path.parent.mkdir(parents=True)
    np.save(path, np.frombuffer(b"casme2/sub01/EP02_01f", dtype=np.uint8))
    assert plan(tmp_path, "casme2", "sub01").traces == ()
    forget(tmp_path, "samm", "6")
    assert not path.exists()

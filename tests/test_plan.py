"""Several models, protocols and seeds as one piece of work."""

import json
import shutil
from pathlib import Path

import pytest

from mebench.cli import status
from mebench.errors import ProtocolError, UsageError
from mebench.plan import read_plan
from tests.corpora import write_samm

PLAN = """
schema = "mebench.plan/1"
protocols = ["samm-5c-loso"]
seeds = 2
data = { samm = "DATA" }

[[run]]
model = "uniform"

[[run]]
model = "constant"
seeds = 1
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("corpus") / "samm"
    write_samm(root)
    return root


def planned(place: Path, corpus: Path, text: str = PLAN) -> Path:
    path = place / "plan.toml"
    path.write_text(text.replace("DATA", str(corpus)))
    return path


def say(home: Path, *more: str | Path) -> int:
    return status(["--home", str(home), "plan", *map(str, more)])


def folds(home: Path) -> dict[str, int]:
    """The inode of every stored fold: one done anew has another."""
    return {str(path.relative_to(home)): path.stat().st_ino for path in home.glob("runs/*/*/*/seed-*/folds/*.csv")}


def test_a_plan_equals_its_runs_and_goes_on_where_it_stopped(corpus, tmp_path, capsys):
    path, home = planned(tmp_path, corpus), tmp_path / "home"
    assert say(home, path, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["complete"]
    assert [(e["model"], e["done"], e["folds"]) for e in said["entries"]] == [("uniform", 54, 54), ("constant", 27, 27)]
    alone = tmp_path / "alone"
    data = f"samm={corpus}"
    assert (
        status(["--home", str(alone), "run", "uniform", "--protocol", "samm-5c-loso", "--data", data, "--seeds", "2"])
        == 0
    )
    theirs = {p.relative_to(alone): p.read_bytes() for p in alone.glob("runs/*/*/*/seed-*/predictions.csv")}
    assert len(theirs) == 2
    assert {p: (home / p).read_bytes() for p in theirs} == theirs

    before = folds(home)
    gone = next(home.glob("runs/*/uniform/*/seed-1/folds/*.csv"))
    gone.unlink()
    assert say(home, path) == 0
    after = folds(home)
    assert {name for name in before if before[name] != after[name]} <= {str(gone.relative_to(home))}
    assert "54" in capsys.readouterr().out


def test_status_says_how_far_it_is_and_computes_nothing(corpus, tmp_path, capsys):
    path, home = planned(tmp_path, corpus), tmp_path / "home"
    assert say(home, path, "--status") == 1
    assert "was not started" in capsys.readouterr().err
    assert say(home, path) == 0
    capsys.readouterr()
    shutil.rmtree(next(home.glob("runs/*/uniform/*/seed-1")))
    before = folds(home)
    assert say(home, path, "--status", "--json") == 3
    said = json.loads(capsys.readouterr().out)
    assert [(e["model"], e["done"], e["folds"]) for e in said["entries"]] == [("uniform", 27, 54), ("constant", 27, 27)]
    assert folds(home) == before
    state = next(home.glob("plans/*.json"))
    state.write_text(state.read_text().replace("27", "26"))
    assert say(home, path, "--status") == 1
    assert "is damaged" in capsys.readouterr().err
    assert say(home, path) == 0
    assert say(home, path, "--status") == 0


def test_an_estimate_speaks_of_the_whole_and_keeps_no_run(corpus, tmp_path, capsys):
    path, home = planned(tmp_path, corpus), tmp_path / "home"
    assert say(home, path, "--estimate", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [e["folds"] for e in said["entries"]] == [54, 27]
    assert said["seconds"] > 0
    assert not folds(home)
    assert say(home, path, "--estimate") == 0
    assert "In all about" in capsys.readouterr().out


def test_an_entry_that_cannot_run_is_refused_and_the_others_go_on(corpus, tmp_path, capsys):
    text = PLAN + '\n[[run]]\nmodel = "uniform"\nprotocols = ["casme2-5c-loso"]\n'
    assert say(tmp_path / "home", planned(tmp_path, corpus, text), "--json") == 3
    entries = json.loads(capsys.readouterr().out)["entries"]
    assert [bool(e["refused"]) for e in entries] == [False, False, True]
    assert "casme2" in entries[2]["refused"]
    assert [e["done"] for e in entries[:2]] == [54, 27]


def test_entries_that_come_to_the_same_runs_are_one(corpus, tmp_path, capsys):
    text = PLAN + '\n[[run]]\nmodel = "constant"\nprotocols = ["loso"]\nseeds = 2\n'
    assert say(tmp_path / "home", planned(tmp_path, corpus, text), "--json") == 3  # casme2, in the suite, is not there
    entries = [e for e in json.loads(capsys.readouterr().out)["entries"] if not e["refused"]]
    assert [(e["model"], e["done"]) for e in entries] == [("uniform", 54), ("constant", 54)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAN.replace('"uniform"', '"unifrom"'), "unifrom"),
        (PLAN.replace("plan/1", "plan/9"), "plan/9"),
        (PLAN.replace("seeds = 1", "seeds = 0"), "run[2].seeds: 0 is below 1"),
        (PLAN.replace("seeds = 1", "sedes = 1"), "sedes"),
        (PLAN.replace("seeds = 1", "set = { strategy = [1] }"), "strategy"),
        (PLAN.replace("seeds = 1", "set = { stratgy = 1 }"), "stratgy"),
        (PLAN.replace('protocols = ["samm-5c-loso"]', ""), "protocols"),
        (PLAN.replace('"constant"\nseeds = 1', '"uniform"'), "stands twice"),
        ("schema = [", "not TOML"),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_before_any_work(text, said, corpus, tmp_path, capsys):
    assert say(tmp_path / "home", planned(tmp_path, corpus, text)) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 2
    assert not folds(tmp_path / "home")


def test_numbers_and_truths_are_read_as_the_command_line_reads_them(tmp_path):
    text = 'schema = "mebench.plan/1"\n[[run]]\nmodel = "m"\nprotocols = ["a", "b"]\n'
    text += 'set = { n = 3, f = 0.5, t = true, s = "x" }'
    first, second = read_plan(planned(tmp_path, tmp_path, text), tmp_path)
    assert first.settings == {"n": "3", "f": "0.5", "t": "true", "s": "x"}
    assert (first.protocol, second.protocol, first.seeds) == ("a", "b", 1)


def test_a_plan_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_plan(tmp_path / "none.toml", tmp_path)
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(ProtocolError, match="schema"):
        read_plan(tmp_path / "empty.toml", tmp_path)

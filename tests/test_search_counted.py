"""What the ledger counts: every configuration that was scored, once; neither seeds, nor failures, nor foreign files."""

import json
import shutil
from pathlib import Path

import pytest

from mebench import runs
from mebench.cli import status
from tests.corpora import write_samm
from tests.killing import killed_at


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("corpus") / "samm"
    write_samm(root)
    return root


def run(home: Path, corpus: Path, *more: str, model: str = "uniform") -> int:
    arguments = ["--home", str(home), "run", model, "--protocol", "samm-5c-loso", f"--data=samm={corpus}", *more]
    return status(arguments)


def counted(home: Path) -> list[int]:
    """What each run's row says of the search, from the runs themselves."""
    return [runs.tried(home, one.spec) for one in runs.stored_runs(home)]


def test_seeds_and_repetitions_are_one_configuration(corpus, tmp_path):
    assert run(tmp_path, corpus, "--seeds", "3") == 0
    assert run(tmp_path, corpus) == 0
    assert run(tmp_path, corpus, "--fresh") == 0
    assert counted(tmp_path) == [1]
    assert run(tmp_path, corpus, "--set", "prior=true") == 0
    assert counted(tmp_path) == [2, 2]


def test_shards_are_one_configuration_counted_from_the_first(corpus, tmp_path):
    assert run(tmp_path, corpus, "--shard", "2/3") == 0
    assert counted(tmp_path) == [1]
    assert run(tmp_path, corpus, "--shard", "1/3") == 0
    assert counted(tmp_path) == [1]


def test_a_deleted_run_stays_counted(corpus, tmp_path):
    assert run(tmp_path, corpus) == 0
    shutil.rmtree(tmp_path / "runs")
    assert run(tmp_path, corpus, "--set", "prior=true") == 0
    assert counted(tmp_path) == [2]


def test_a_configuration_that_gave_no_prediction_is_not_counted(corpus, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text(
        "from mebench.baselines.floor import Constant\n"
        "class Fragile(Constant):\n"
        "    def __init__(self, most=0, random_state=None):\n"
        "        super().__init__(random_state)\n"
        "        self.most = most\n"
        "    def fit(self, X, y):\n"
        "        if len(y) > self.most: raise ValueError('too many clips')\n"
        "        return super().fit(X, y)\n"
    )
    home = tmp_path / "home"
    assert run(home, corpus, model=f"{source}:Fragile") == 3
    assert counted(home) == [0]
    assert run(home, corpus, "--set", "most=130", model=f"{source}:Fragile") == 3  # some folds are scored, some fail
    assert counted(home) == [1, 1]


@pytest.mark.parametrize("lost", [True, False])
def test_a_kill_between_predictions_and_entry_is_made_good(corpus, tmp_path, lost):
    """Writes come in this order: manifest, a fold's predictions, their digest, the entry."""
    if lost:
        assert killed_at("before-write", 4, lambda: run(tmp_path, corpus))
    else:
        assert run(tmp_path, corpus) == 0
        shutil.rmtree(tmp_path / "ledger")
    assert counted(tmp_path) == [0]
    assert run(tmp_path, corpus) == 0
    assert counted(tmp_path) == [1]


def test_estimates_and_foreign_files_are_not_counted(corpus, tmp_path, capsys):
    """An estimate keeps no prediction; of a foreign file nobody here knows how many were tried before it."""
    assert run(tmp_path, corpus) == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert run(tmp_path, corpus, "--estimate", "--set", "prior=true") == 0
    file = next(tmp_path.glob("runs/*/*/*/seed-0/predictions.csv"))
    assert status(["score", str(file), "--protocol", "samm-5c-loso", f"--data=samm={corpus}"]) == 0
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert "counted" in " ".join(capsys.readouterr().out.split())


def test_a_forgotten_subjects_run_stays_counted_without_its_parameters(corpus, tmp_path):
    assert run(tmp_path, corpus, "--set", "prior=true") == 0
    assert status(["--home", str(tmp_path), "forget", "samm", "--subject", "6", "--yes"]) == 0
    (entry,) = tmp_path.glob("ledger/**/*.json")
    assert json.loads(entry.read_text()) == {"id": entry.stem, "schema": "mebench.tried/1"}
    assert run(tmp_path, corpus) == 0
    assert counted(tmp_path) == [2]

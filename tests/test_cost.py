"""What a run cost: measured with each fold, beside its predictions and never among them."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mebench import runs
from mebench.cli import status
from mebench.cost import Cost, Witness, cost_of, total
from mebench.evaluation import evaluate_fold
from mebench.files import sidecar
from mebench.standing import apex_words, entries_of
from tests.planted import arguments, plant, run_arguments
from tests.toy import informative_inputs, toy_task


class Counted(LogisticRegression):
    """A model that says how many numbers it trains: its own do, as a network's would."""

    @property
    def trainable_parameters_(self) -> int:
        return int(self.coef_.size + self.intercept_.size)


@pytest.mark.parametrize("cost", [Cost(1.5), Cost(0.25, 12), Cost(3.0, None, (28, 28, 3)), Cost(0.0, 7, (0,))])
def test_a_cost_comes_back_from_the_words_of_a_digest_file(cost):
    assert cost_of(cost.notes()) == cost


@pytest.mark.parametrize("notes", [{}, {"seconds": "soon"}, {"seconds": "1", "trainable": "many"}, {"trainable": "3"}])
def test_words_that_do_not_say_it_are_no_cost(notes):
    assert cost_of(notes) is None


def test_seconds_add_up_the_largest_network_counts_and_one_unknown_fold_makes_all_unknown():
    folds = [Cost(1.0, 10, (4,)), Cost(2.5, 8, (4,))]  # the second never saw one of the classes
    assert total(folds) == Cost(3.5, 10, (4,))
    assert total([*folds, None]) is None
    assert total([]) is None
    assert total([Cost(1.0, None, (4,)), Cost(1.0, None, (5,))]) == Cost(2.0)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_fold_is_seen_without_moving_a_prediction(wrapped):
    task = toy_task()
    inputs, fold, witness = informative_inputs(task), task.folds[0], Witness()
    model = make_pipeline(StandardScaler(), Counted()) if wrapped else Counted()
    assert evaluate_fold(model, task, fold, inputs, 0, witness) == evaluate_fold(model, task, fold, inputs, 0)
    # Three classes on three features: 3 x 3 coefficients and 3 intercepts.
    assert witness.cost(2.0) == Cost(2.0, 12, (3,))


def test_of_inputs_of_different_shapes_no_shape_is_told():
    witness = Witness()
    witness(LogisticRegression(), [np.zeros(3), np.zeros(4)])
    assert witness.cost(1.0) == Cost(1.0)


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    root = plant(tmp_path_factory.mktemp("planted"))
    assert status(run_arguments(root)) == 0
    return root


def test_a_run_keeps_its_cost_and_the_row_says_how_large_its_input_is(planted, capsys):
    (run,) = runs.stored_runs(planted / "home")
    cost = run.cost()
    assert cost is not None
    assert 0 < cost.seconds < 60
    assert (cost.trainable, cost.shape) == (None, (64,))  # four quarters of 16 pixels
    capsys.readouterr()
    assert status(["--home", str(planted / "home"), "leaderboard", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["input_shape"], row["trainable_parameters"], row["audit"]) == ("64", "", "not audited")
    assert status(arguments(planted, "show", run.id, "--json")) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["cost"] == {"seconds": pytest.approx(cost.seconds), "trainable": None, "shape": [64]}


def test_time_is_in_no_file_that_repeats_byte_by_byte(planted):
    (run,) = runs.stored_runs(planted / "home")
    (seed,) = run.seeds
    assert all("seconds" not in path.read_text() for path in seed.path.rglob("*.csv"))
    manifest = (seed.path / "manifest.json").read_text()
    assert "seconds" not in manifest
    assert runs.RunSpec(**json.loads(manifest)["spec"]).id == run.id


def test_a_run_older_than_the_record_is_complete_and_of_unknown_cost(tmp_path):
    root = plant(tmp_path)
    assert status(run_arguments(root)) == 0
    paths = sorted((root / "home").glob("runs/*/*/*/seed-0/folds/*.csv"))
    seal = sidecar(paths[0])
    seal.write_text("".join(line for line in seal.read_text().splitlines(keepends=True) if not line.startswith("#")))
    (run,) = runs.stored_runs(root / "home")
    assert run.status() == "complete"
    assert run.cost() is None
    (entry,) = entries_of(root / "home", None)
    assert entry.cost is None
    before = [path.stat().st_ino for path in paths]
    assert status(run_arguments(root)) == 0
    assert [path.stat().st_ino for path in paths] == before  # not done again for the sake of its cost


UNCODED = {clip: ["apex-middle"] for clip in "abc"}
FLAGGED = {"a": ["apex-middle"], "b": ["coded-apex-outside-clip", "apex-middle"], "c": ["face-from-nearest"]}


@pytest.mark.parametrize(
    ("facts", "flags", "words"),
    [
        ({"privilege": "apex", "apex_source": "coded"}, {}, "coded"),
        ({"privilege": "apex", "apex_source": "coded"}, FLAGGED, "coded, middle frame for 2 of 3"),
        ({"privilege": "apex", "apex_source": "coded"}, UNCODED, "middle frame, none is coded"),
        ({"privilege": "interval", "apex_source": "middle"}, {}, "middle frame"),
        ({"privilege": "interval", "apex_source": "estimate"}, {}, "estimate"),
        ({"privilege": "interval", "apex_source": ""}, {}, "none taken"),
        ({"privilege": "apex"}, FLAGGED, "coded, middle frame for 2 of 3"),
        ({"privilege": "none"}, {}, "none taken"),
        ({"privilege": "interval"}, {}, ""),
    ],
)  # fmt: skip
def test_whose_apex_it_was(facts, flags, words):
    """Four clips of which one has no input; older records say no more than their privilege."""
    manifest = {"truth": dict.fromkeys("abcd", "x"), "missing": {"d": "no face"}, "flags": flags}
    assert apex_words(manifest, facts) == words


def test_an_unmeasured_second_is_never_made_up():
    assert math.isclose(total([Cost(0.1)] * 10).seconds, 1.0)
    assert Cost(0.0).size == ""

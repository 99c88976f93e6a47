"""Clips of several classes: how they are scored, asked of models, written and shown."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score, recall_score
from sklearn.svm import SVC

from mebench import evaluate, score
from mebench.baselines.floor import Constant
from mebench.baselines.texture.models import LbpTop
from mebench.cli import status
from mebench.clips import Clip, ClipTable
from mebench.errors import ModelError, PredictionError
from mebench.evaluation import evaluate_task
from mebench.facs import parse
from mebench.leaderboard import Entry, boards, rows, score_table, table
from mebench.predictions import Prediction, Predictions, joined_labels, labels_of, parse_csv
from mebench.protocol import Protocol, Task, load_protocol, resolve
from mebench.scoring import mean_of_seeds, report, score_predictions, score_units
from tests.corpora import write_samm
from tests.tables import table as table_of

CLASSES = ("AU1", "AU4", "AU12")


def au_protocol() -> Protocol:
    loaded = load_protocol("samm-au-loso")
    assert isinstance(loaded, Protocol)
    return loaded


def corpus(subjects: int = 5, clips: int = 6) -> ClipTable:
    """Units in turn, one clip of each subject with none of the twelve, AU 17 with one subject alone."""
    texts = ["4", "12", "4+12", "1+2", "18", "4+7"]
    made = [
        Clip(
            f"samm/{s:03d}/c{c}", "samm", f"samm/{s:03d}", 1, 5, 9, 200.0, "others",
            parse(texts[c % 6] + ("+17" if (s, c) == (1, 0) else "")),
        )
        for s in range(1, subjects + 1)
        for c in range(clips)
    ]  # fmt: skip
    return table_of(made, "facs-v2", synthetic=True)


@pytest.fixture
def task() -> Task:
    return resolve(au_protocol(), {"samm": corpus()})


def features(task: Task, noise: float = 0.05) -> dict[str, np.ndarray]:
    """The units of a clip one-hot, with noise of its own: what a model can read the answer from."""
    rng = np.random.default_rng(0)
    classes = task.protocol.classes
    return {
        item.id: (np.array([c in item.labels for c in classes]) + noise * rng.standard_normal(12)).astype(np.float32)
        for item in task.items
    }


# --- scores ----------------------------------------------------------------------------------------------------------


def test_the_scores_of_a_worked_example() -> None:
    """Truth {1,4} {4} {} {12}; said {1} {4,12} {} missing.

    AU1: 1 hit, no miss, no false alarm: F1 1. AU4: 1 hit, 1 miss: F1 2/3, recall 1/2. AU12: 1 miss, 1 false alarm: 0.
    Whole sets right: the third of four.
    """
    scores = score_units(["AU1+AU4", "AU4", "none", "AU12"], ["AU1", "AU4+AU12", "none", None], CLASSES)
    assert [c.f1 for c in scores.per_class] == [1, pytest.approx(2 / 3), 0]
    assert [c.recall for c in scores.per_class] == [1, 0.5, 0]
    assert (scores.uf1, scores.uar) == (pytest.approx(5 / 9), 0.5)
    assert scores.accuracy == 0.25
    assert scores.weighted_f1 == pytest.approx((1 * 1 + 2 * 2 / 3 + 0) / 4)
    assert (scores.clips, scores.covered, scores.coverage) == (4, 3, 0.75)
    # hits, misses, false alarms, rightly absent; the missing clip is no rejection
    assert scores.confusion.tolist() == [[1, 0, 0, 2], [1, 1, 0, 1], [0, 1, 1, 2]]


def test_the_scores_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth, said = rng.random((60, 3)) < 0.4, rng.random((60, 3)) < 0.4
    names = lambda table: [joined_labels(c for c, here in zip(CLASSES, row, strict=True) if here) for row in table]  # noqa: E731
    scores = score_units(names(truth), names(said), CLASSES)
    assert scores.uf1 == pytest.approx(f1_score(truth, said, average="macro"))
    assert scores.weighted_f1 == pytest.approx(f1_score(truth, said, average="weighted"))
    assert scores.uar == pytest.approx(recall_score(truth, said, average="macro"))
    assert scores.accuracy == pytest.approx((truth == said).all(axis=1).mean())


@pytest.mark.parametrize("said", ["AU4", "AU4+AU12"])
def test_a_unit_that_no_clip_holds_leaves_the_mean_whatever_is_predicted(said: str) -> None:
    """AU1 and AU12 are absent: strict, they are out; as zeros, a perfect answer scores a third."""
    scores = score_units(["AU4", "AU4"], [said, said], CLASSES)
    assert (scores.uf1, scores.classes_scored) == (1, 1)
    assert math.isnan(scores.per_class[2].f1)
    assert scores.absent_as_zero == pytest.approx(1 / 3)
    assert scores.record()["absent_as_zero"] == pytest.approx(1 / 3)
    assert scores.record()["per_class"]["AU1"] == {"clips": 0, "f1": None, "recall": None}


def test_without_any_positive_nothing_is_defined() -> None:
    scores = score_units(["none"], ["none"], CLASSES)
    assert math.isnan(scores.uf1)
    assert math.isnan(scores.weighted_f1)
    assert scores.accuracy == 1


def test_an_undeclared_unit_is_refused() -> None:
    with pytest.raises(PredictionError, match=r"'AU9' is no set of the labels AU1, AU4, AU12"):
        score_units(["AU9"], ["none"], CLASSES)
    with pytest.raises(PredictionError, match="2 truths and 1 predictions"):
        score_units(["AU1", "none"], ["none"], CLASSES)


def test_cards_pool_over_folds_and_average_over_seeds() -> None:
    expected = {"samm/001/a": "AU1+AU4", "samm/001/b": "none", "samm/002/a": "AU4"}
    said = {0: ("AU1+AU4", "none", "AU4"), 1: ("AU1", "AU4", None)}
    given = Predictions(
        "p",
        CLASSES,
        tuple(
            Prediction(clip, clip.rpartition("/")[0], seed, None, value)
            for seed, values in said.items()
            for clip, value in zip(expected, values, strict=True)
        ),
    )
    cards = score_predictions(given, expected, aggregate="units")
    assert cards[0].strict["all"].uf1 == 1  # AU12 is absent, AU1 and AU4 are right
    # AU1: F1 1; AU4: 2 misses, 1 false alarm: 0
    assert cards[1].strict["all"].uf1 == 0.5
    assert cards[1].covered["all"].clips == 2
    mean = mean_of_seeds([cards[0], cards[1]]).strict["all"]
    assert (mean.uf1, mean.clips, mean.covered) == (0.75, 3, 2.5)
    # micro: hits 3 and 1, misses 0 and 2, false alarms 0 and 1
    assert mean_of_seeds([cards[0], cards[1]]).diagnostics["micro_f1"] == pytest.approx((1 + 2 / (2 + 2 + 1)) / 2)
    assert cards[0].diagnostics["absent_as_zero_f1"] == pytest.approx(2 / 3)
    assert json.loads(json.dumps(report(cards)))["scores"]["all"]["uf1"] == 0.75


# --- what is written -------------------------------------------------------------------------------------------------


def test_sets_are_written_in_the_order_of_the_classes_and_none_is_said() -> None:
    text = "clip,fold,seed,truth,predicted\na/b/c,f,0,AU4+AU1,none\na/b/d,f,0,none,\n"
    read = parse_csv(text, CLASSES, protocol="p", source="x.csv")
    assert [(r.truth, r.predicted) for r in read.rows] == [("AU1+AU4", "none"), ("none", None)]
    assert (labels_of("none"), labels_of("AU1+AU4")) == ((), ("AU1", "AU4"))
    again = parse_csv(read.to_csv(), CLASSES, protocol="p", source="y.csv")
    assert [(r.truth, r.predicted) for r in again.rows] == [(r.truth, r.predicted) for r in read.rows]


# --- models ----------------------------------------------------------------------------------------------------------


def test_a_classifier_is_asked_unit_by_unit(task: Task) -> None:
    predictions = evaluate_task(SVC(kernel="linear"), task, features(task))
    scores = score_predictions(predictions, {i.id: i.label for i in task.items}, aggregate="units")[0].strict["all"]
    f1 = {c.name: c.f1 for c in scores.per_class}
    assert {name: f1[name] for name in ("AU1", "AU2", "AU4", "AU7", "AU12")} == dict.fromkeys(
        ("AU1", "AU2", "AU4", "AU7", "AU12"), 1.0
    )
    assert f1["AU17"] == 0  # one clip of one subject holds it: nobody else can teach it
    assert math.isnan(f1["AU5"])
    row = next(r for r in predictions.rows if r.clip == "samm/002/c4")
    assert (row.truth, row.predicted) == ("none", "none")
    at = task.protocol.classes.index
    assert row.scores[at("AU4")] < 0 < next(r for r in predictions.rows if r.clip == "samm/002/c0").scores[at("AU4")]
    assert math.isnan(row.scores[at("AU5")])


def test_the_majority_is_a_unit_that_most_clips_hold(task: Task) -> None:
    """AU 4 stands in 3 of 6 clips of every subject: a tie, which goes to the name that sorts first, `absent`."""
    predictions = evaluate_task(Constant(), task)
    assert {row.predicted for row in predictions.rows} == {"none"}
    more = corpus(clips=7)  # now AU 4 stands in 4 of 7
    held = resolve(au_protocol(), {"samm": more})
    assert {row.predicted for row in evaluate_task(Constant(), held).rows} == {"AU4"}


def test_held_out_units_do_not_move_predictions(task: Task) -> None:
    fold = task.folds[0]
    flipped = {c.id: parse("9") if c.id in fold.test else c.action_units for c in corpus()}
    moved = replace(corpus(), clips=tuple(replace(c, action_units=flipped[c.id]) for c in corpus()))
    changed = resolve(au_protocol(), {"samm": moved})
    before = {r.clip: (r.predicted, r.scores) for r in evaluate_task(SVC(), task, features(task)).rows}
    after = {r.clip: (r.predicted, r.scores) for r in evaluate_task(SVC(), changed, features(task)).rows}
    assert all(after[c][0] == before[c][0] for c in fold.test)
    np.testing.assert_array_equal([after[c][1] for c in fold.test], [before[c][1] for c in fold.test])


def test_a_shipped_classical_model_runs_on_units(task: Task) -> None:
    given = {clip: np.abs(np.tile(x, 4)) for clip, x in features(task).items()}
    predictions = evaluate(LbpTop(), au_protocol(), corpus(), given)
    card = score(predictions, au_protocol(), corpus())[0]
    assert card.strict["all"].uf1 > 0.8
    assert card.strict["all"].coverage == 1


class Whole(ClassifierMixin, BaseEstimator):
    """Takes all units at once; answers what the training clips hold, or with `wrong` one column too few."""

    multilabel = True

    def __init__(self, wrong=False):
        self.wrong = wrong

    def fit(self, X, y):
        assert y.shape == (len(X), 12)
        self.share_ = y.mean(axis=0)
        return self

    def predict(self, X):
        answer = np.tile(self.share_ > 0.3, (len(X), 1)).astype(int)
        return answer[:, 1:] if self.wrong else answer

    def predict_proba(self, X):
        return np.tile(self.share_, (len(X), 1))


class Single(Whole):
    multilabel = False


def test_a_model_that_takes_sets_is_asked_once(task: Task) -> None:
    """Shares of the clips: AU4 3/6, AU12 2/6; the others at most 1/6."""
    found = evaluate_task(Whole(), task, features(task)).rows
    assert {row.predicted for row in found} == {"AU4+AU12"}
    assert found[0].scores[task.protocol.classes.index("AU12")] == pytest.approx(1 / 3)
    with pytest.raises(ModelError, match=r"answered shape \(6, 11\) for 6 clips and 12 classes"):
        evaluate_task(Whole(wrong=True), task, features(task))


def test_a_model_of_single_classes_says_so_in_one_line(task: Task) -> None:
    with pytest.raises(ModelError) as caught:
        evaluate_task(Single(), task, features(task))
    assert caught.value.what == "Single predicts one class per clip; samm-au-loso asks for any number of them."


# --- what is shown ---------------------------------------------------------------------------------------------------


def entry(task: Task) -> Entry:
    predictions = evaluate_task(Constant(), resolve(au_protocol(), {"samm": corpus(clips=7)}))
    return Entry(
        protocol="samm-au-loso", protocol_version=1, task="action-units", classes=task.protocol.classes,
        annotations={"samm": "facs-v2"}, aggregate="units", model="constant", title="Majority class", model_version=1,
        run="r", status="complete", selection="fixed", privilege="none", fidelity=None, predictions={0: predictions},
        expected={r.clip: str(r.truth) for r in predictions.rows}, caveats="NOT subject-independent",
    )  # fmt: skip


def test_a_board_of_units_says_how_its_columns_are_meant(task: Task) -> None:
    board = boards(rows([entry(task)]))[0]
    row = board.rows[0]
    # AU4 in 4 of 7 clips: F1 8 / 11; the other five units that are held have 0
    assert row.uf1 == pytest.approx(8 / 11 / 6)
    assert (row.classes_scored, row.classes) == (6, 12)
    shown = table(board)
    assert any("means over the action units" in note for note in shown.notes)
    assert "6 classes scored" in shown.rows[0][-1]
    assert board.heading.endswith(". NOT subject-independent")


def test_score_lists_the_f1_of_every_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that always says AU 4, scored against the annotations of SAMM and without them."""
    (tmp_path / "samm").mkdir()
    write_samm(tmp_path / "samm")
    from mebench import load_clips

    given = resolve(au_protocol(), {"samm": load_clips("samm", tmp_path / "samm")})
    positives = sum("AU4" in i.labels for i in given.items)
    found = Predictions(
        "samm-au-loso",
        given.protocol.classes,
        tuple(Prediction(i.id, i.subject, 0, i.label, "AU4") for i in given.items),
    )
    file = tmp_path / "p.csv"
    found.write_csv(file)
    command = ["score", str(file), "--protocol", "samm-au-loso", "--json"]
    for more, truth in ((["--data", f"samm={tmp_path / 'samm'}"], "annotations"), ([], "file")):
        assert status([*command, *more]) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["truth"] == truth
        assert record["scores"]["all"]["per_class"]["AU4"] == {
            "clips": positives, "f1": pytest.approx(2 * positives / (positives + 154)), "recall": 1.0
        }  # fmt: skip
    card = score_predictions(found, {i.id: i.label for i in given.items}, aggregate="units")[0]
    listed = {row[0]: row[3] for row in score_table(card).rows}
    assert listed["all: AU4"] == f"{2 * positives / (positives + 154):.3f}".removeprefix("0")
    assert listed["all: AU12"] == ".000"

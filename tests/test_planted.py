"""Planted mistakes: each must fail, by name. `tests/guards.py` takes the guards away and sees these turn red."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mebench.clips import ClipTable
from mebench.datasets.correct import correct, parse_entries
from mebench.errors import CorrectionError, CountError, PredictionError, ProtocolError
from mebench.evaluation import evaluate_fold, evaluate_task
from mebench.folds import check_subjects
from mebench.predictions import Predictions, parse_csv
from mebench.protocol import load_protocol, resolve
from mebench.scoring import score_predictions
from tests.toy import CLASSES, informative_inputs, toy_protocol, toy_table, toy_task


def made() -> tuple[Predictions, dict[str, str]]:
    task = toy_task()
    predictions = evaluate_task(LogisticRegression(), task, informative_inputs(task, noise=1.0))
    return predictions, {item.id: item.label for item in task.items}


def test_a_wrong_count_is_named():
    table = toy_table()
    short = replace(table, clips=table.clips[1:])
    with pytest.raises(CountError, match=r"toy-loso: casme2 toy: expected 24 clips of 4 subjects, found 23"):
        resolve(toy_protocol(table), {"casme2": short})


def test_a_subject_in_train_and_test_is_named():
    task = toy_task()
    fold = task.folds[0]
    leaking = replace(fold, train=(*fold.train, fold.test[0]), test=fold.test[1:])
    with pytest.raises(ProtocolError, match=r"subject casme2/sub01 stands in both"):
        check_subjects([leaking], {item.id: item.subject for item in task.items})


def test_a_duplicate_prediction_is_named():
    predictions, _ = made()
    text = predictions.to_csv()
    with pytest.raises(PredictionError, match=r"casme2/sub\d+/EP\d+, seed 0, is predicted twice"):
        parse_csv(text + text.splitlines()[1] + "\n", CLASSES, protocol="toy-loso", source="theirs.csv")


def test_an_unknown_clip_is_named():
    predictions, expected = made()
    strange = replace(predictions.rows[0], clip="casme2/sub99/EP01")
    with pytest.raises(PredictionError, match=r"casme2/sub99/EP01 is not part of toy-loso"):
        score_predictions(replace(predictions, rows=(*predictions.rows, strange)), expected)


def test_a_shuffled_file_scores_the_same():
    predictions, expected = made()
    order = np.random.default_rng(7).permutation(len(predictions))
    shuffled = replace(predictions, rows=tuple(predictions.rows[i] for i in order))
    assert shuffled.rows != predictions.rows
    assert score_predictions(shuffled, expected)[0].record() == score_predictions(predictions, expected)[0].record()


def test_scrambled_held_out_labels_do_not_move_predictions():
    task = toy_task()
    inputs = informative_inputs(task, noise=1.0)
    fold = task.folds[0]
    turned = {clip: CLASSES[(CLASSES.index(item.label) + 1) % 3] for item in task.items for clip in [item.id]}
    items = tuple(replace(item, label=turned[item.id]) if item.id in fold.test else item for item in task.items)
    honest = evaluate_fold(LogisticRegression(), task, fold, inputs, 0)
    blind = evaluate_fold(LogisticRegression(), replace(task, items=items), fold, inputs, 0)
    assert [row.truth for row in honest] != [row.truth for row in blind]
    assert [(row.clip, row.predicted, row.scores) for row in honest] == [
        (row.clip, row.predicted, row.scores) for row in blind
    ]


def test_an_edited_released_protocol_is_named(tmp_path):
    from importlib.resources import files

    text = (files("mebench.protocols") / "samm-5c-loso.toml").read_text(encoding="utf-8")
    edited = tmp_path / "samm-5c-loso.toml"
    edited.write_text(text.replace("subjects = 27", "subjects = 26"), encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"samm-5c-loso version 1 was released and has been edited since"):
        load_protocol(edited)


def test_a_correction_whose_old_value_differs_is_named():
    entries = parse_entries(
        """[[entry]]
versions = ["facs-v2"]
clip = "032/032_3_1"
field = "apex"
old = "1930"
new = "4930"
reason = "typing error"
source = "test"
""",
        "planted.toml",
    )
    with pytest.raises(CorrectionError, match=r"032/032_3_1: the correction of apex expects '1930'.*holds '1931'"):
        correct(entries, "facs-v2", {"032/032_3_1": {"apex": 1931}})


def test_a_clip_annotated_twice_is_named():
    table = toy_table()
    with pytest.raises(Exception, match=r"casme2/sub01/EP00 is annotated 2 times"):
        ClipTable("casme2", "toy", (*table.clips, table.clips[0]))

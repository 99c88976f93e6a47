"""Scores against scikit-learn, hand arithmetic and the figures the field prints."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from mebench.errors import PredictionError
from mebench.predictions import Prediction, Predictions
from mebench.scoring import (
    confusion,
    from_confusion,
    mean_of_seeds,
    mean_over_folds,
    micro_f1,
    report,
    score,
    score_predictions,
    sd,
)

CLASSES = ("negative", "positive", "surprise")
LABELS = st.sampled_from(CLASSES)
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=60)


def majority(counts: dict[str, int]) -> tuple[list[str], list[str]]:
    """Truth by class counts, and the most frequent class as every prediction."""
    truth = [name for name, n in counts.items() for _ in range(n)]
    return truth, [max(counts, key=lambda name: counts[name])] * len(truth)


def predictions_of(
    rows: dict[str, tuple[str, str | None]], *, seed: int = 0, classes: Sequence[str] = CLASSES
) -> Predictions:
    """One prediction per clip id, folds by subject."""
    made = tuple(Prediction(clip, clip.rpartition("/")[0], seed, t, p) for clip, (t, p) in rows.items())
    return Predictions("a-protocol", tuple(classes), made)


@settings(deadline=None)
@given(PAIRS)
def test_scores_of_full_protocols_equal_scikit_learn(pairs):
    pairs = pairs + [(name, CLASSES[0]) for name in CLASSES]  # every declared class has a clip
    truth, predicted = zip(*pairs, strict=True)
    ours = score(truth, predicted, CLASSES)
    options = {"labels": list(CLASSES), "zero_division": 0}
    assert ours.uf1 == pytest.approx(f1_score(truth, predicted, average="macro", **options), abs=1e-12)
    assert ours.uar == pytest.approx(recall_score(truth, predicted, average="macro", **options), abs=1e-12)
    assert ours.weighted_f1 == pytest.approx(f1_score(truth, predicted, average="weighted", **options), abs=1e-12)
    assert ours.accuracy == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    assert micro_f1(ours) == pytest.approx(f1_score(truth, predicted, average="micro", **options), abs=1e-12)
    assert (ours.confusion[:, :3] == confusion_matrix(truth, predicted, labels=CLASSES)).all()
    assert not ours.confusion[:, 3].any()


@settings(deadline=None)
@given(PAIRS)
def test_slices_leave_undefined_classes_out_as_scikit_learn_does_with_nan(pairs):
    truth, predicted = zip(*pairs, strict=True)
    ours = score(truth, predicted, CLASSES, full=False)
    assert ours.uf1 == pytest.approx(
        f1_score(truth, predicted, average="macro", labels=list(CLASSES), zero_division=np.nan), abs=1e-12
    )
    assert ours.classes_scored == len(set(truth) | set(predicted))
    assert ours.uar == pytest.approx(
        recall_score(truth, predicted, average="macro", labels=sorted(set(truth))), abs=1e-12
    )


def test_absent_class_examples():
    # F1 of class 0: 2*2 / (3 + 2) = .8; class 1 is predicted once and has no clip: 0; class 2: undefined.
    truth, predicted = ["0", "0", "0"], ["0", "0", "1"]
    slice_ = score(truth, predicted, ["0", "1", "2"], full=False)
    assert slice_.uf1 == pytest.approx(0.4)
    assert slice_.classes_scored == 2
    assert slice_.uar == pytest.approx(2 / 3)
    assert [c.f1 for c in slice_.per_class][:2] == pytest.approx([0.8, 0.0])
    assert math.isnan(slice_.per_class[2].f1)
    # Zero for every undefined class, over three declared ones, is what averaging over folds does: .8 / 3 = .267.
    assert mean_over_folds(truth, predicted, ["one"] * 3, ["0", "1", "2"])[0] == pytest.approx(0.8 / 3)
    with pytest.raises(PredictionError, match="No clip has the declared class 1"):
        score(truth, predicted, ["0", "1", "2"])


def test_a_class_never_predicted_scores_zero_and_stays_in_the_mean():
    # a: 2*1 / (1 + 2) = 2/3; b: 0 of 1 -> 0.
    assert score(["a", "b"], ["a", "a"], ["a", "b"]).uf1 == pytest.approx(1 / 3)


# Class counts, and the scores of the majority class under leave-one-subject-out. In each the largest class stays the
# largest whichever subject is held out, so every fold predicts it.
TRIVIAL = {
    "megc2019-cde": ((250, 109, 83), (0.5656, 0.2408, 0.3333, 0.4087)),
    "megc2019 smic": ((70, 51, 43), (0.4268, 0.1994, 0.3333, 0.2554)),
    "megc2019 casme2": ((88, 32, 25), (0.6069, 0.2518, 0.3333, 0.4584)),
    "megc2019 samm": ((92, 26, 15), (0.6917, 0.2726, 0.3333, 0.5657)),
    "casme2-5c-246": ((32, 63, 27, 25, 99), (0.4024, 0.1148, 0.2000, 0.2310)),
    "casme2-5c-247": ((32, 64, 27, 25, 99), (0.4008, 0.1145, 0.2000, 0.2294)),
    "casme2-4c-147": ((32, 63, 27, 25), (0.4286, 0.1500, 0.2500, 0.2571)),
    "casme2-3c-147": ((90, 32, 25), (0.6122, 0.2532, 0.3333, 0.4650)),
    "casme2-3c-156": ((99, 32, 25), (0.6346, 0.2588, 0.3333, 0.4928)),
    "samm-5c-136": ((57, 12, 26, 15, 26), (0.4191, 0.1181, 0.2000, 0.2476)),
    "megc2018-cde": ((49, 28, 119, 34, 23), (0.4704, 0.1280, 0.2000, 0.3009)),
    "casme3-3c": ((457, 187, 55), (0.6538, 0.2636, 0.3333, 0.5169)),
    "casme3-4c": ((457, 187, 161, 55), (0.5314, 0.1735, 0.2500, 0.3688)),
    "casme3-7c": ((250, 187, 161, 86, 64, 57, 55), (0.2907, 0.0644, 0.1429, 0.1309)),
}


@pytest.mark.parametrize("name", TRIVIAL)
def test_majority_class_references(name):
    counts, printed = TRIVIAL[name]
    truth, predicted = majority({str(i): n for i, n in enumerate(counts)})
    scores = score(truth, predicted, [str(i) for i in range(len(counts))])
    assert (scores.accuracy, scores.uf1, scores.uar, scores.weighted_f1) == pytest.approx(printed, abs=5e-5)


@pytest.mark.parametrize(
    ("holders", "subjects", "printed"),
    [
        ((14, 10, 16, 8, 24), 26, 0.554),  # CASME II, five classes: subjects that hold each
        ((19, 8, 8, 11, 11), 27, 0.422),  # SAMM, five classes
        ((19, 17, 32, 16, 13), 47, 0.413),  # MEGC 2018 composite
    ],
)
def test_perfect_predictions_do_not_reach_one_when_averaged_over_folds(holders, subjects, printed):
    # Dealt round the table, each class meets distinct subjects and no subject stays without a clip.
    dealt = [str(c) for c, n in enumerate(holders) for _ in range(n)]
    clips = [(f"s{i % subjects}", name) for i, name in enumerate(dealt)]
    assert len(set(clips)) == sum(holders)
    folds, truth = zip(*clips, strict=True)
    f1, uar = mean_over_folds(truth, truth, folds, list("01234"))
    assert f1 == pytest.approx(sum(holders) / (5 * subjects))
    assert f1 == pytest.approx(printed, abs=5e-4)
    assert uar == pytest.approx(f1)
    assert score(truth, truth, list("01234")).uf1 == 1.0


def test_the_published_smic_cell_that_no_confusion_matrix_can_have():
    """SMIC LBP-TOP is printed with UF1 .2000 and UAR .5280: with 70/51/43 clips that UAR forces UF1 to .398 or more."""
    n = np.array([70, 51, 43])
    hits = np.stack(np.meshgrid(*(np.arange(k + 1) for k in n), indexing="ij"), -1).reshape(-1, 3)
    hits = hits[np.abs((hits / n).mean(1) - 0.5280) <= 5e-5]
    best: tuple[float, np.ndarray] = (1.0, np.empty(0))
    for tp in hits:
        wrong = n - tp
        # a, b, c: how many errors of class 0, 1, 2 go to the first of the two other classes
        a, b, c = np.meshgrid(*(np.arange(w + 1) for w in wrong), indexing="ij")
        arriving = (b + c, a + wrong[2] - c, wrong[0] - a + wrong[1] - b)
        uf1 = sum(2 * tp[i] / (n[i] + tp[i] + arriving[i]) for i in range(3)) / 3
        at = np.unravel_index(uf1.argmin(), uf1.shape)
        if uf1[at] < best[0]:
            x, y, z = (int(v[at]) for v in (a, b, c))
            rows = [[tp[0], x, wrong[0] - x], [y, tp[1], wrong[1] - y], [z, wrong[2] - z, tp[2]]]
            best = (float(uf1[at]), np.array(rows))
    scores = from_confusion(np.pad(best[1], ((0, 0), (0, 1))).astype(np.int64), CLASSES)
    assert scores.uf1 == pytest.approx(best[0])
    assert round(scores.uar, 4) == 0.5280
    assert 0.398 <= scores.uf1 < 0.400


def test_a_missing_clip_is_a_false_negative_of_its_class():
    # a: 2*1 / (2 + 1); b: 2*1 / (1 + 1); accuracy 2 of 3.
    scores = score(["a", "a", "b"], ["a", None, "b"], ["a", "b"])
    assert scores.uf1 == pytest.approx((2 / 3 + 1) / 2)
    assert scores.uar == pytest.approx((1 / 2 + 1) / 2)
    assert scores.accuracy == pytest.approx(2 / 3)
    assert scores.confusion.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert (scores.clips, scores.covered, scores.coverage) == (3, 2, pytest.approx(2 / 3))


def test_covered_scores_leave_missing_clips_out_and_strict_scores_do_not():
    rows = {f"casme2/sub01/{i}": (name, name) for i, name in enumerate(CLASSES)}
    predictions = predictions_of({clip: value for clip, value in rows.items() if value[0] != "surprise"})
    card = score_predictions(predictions, {clip: truth for clip, (truth, _) in rows.items()})[0]
    assert card.strict["all"].uf1 == pytest.approx(2 / 3)
    assert card.strict["all"].coverage == pytest.approx(2 / 3)
    assert card.covered["all"].uf1 == 1.0
    assert card.covered["all"].classes_scored == 2


@settings(deadline=None)
@given(PAIRS, st.integers(0, 59))
def test_a_wrong_answer_never_scores_below_no_answer_in_recall(pairs, at):
    pairs = pairs + [(name, name) for name in CLASSES]
    truth, predicted = map(list, zip(*pairs, strict=True))
    at %= len(truth)
    missing = score(truth, [None if i == at else p for i, p in enumerate(predicted)], CLASSES)
    assert missing.uar <= score(truth, predicted, CLASSES).uar + 1e-12


def test_shuffled_rows_do_not_move_the_scores():
    rng = np.random.default_rng(7)
    rows = {
        f"{d}/s{i % 5}/{i}": (CLASSES[i % 3], CLASSES[rng.integers(3)]) for i in range(40) for d in ("casme2", "samm")
    }
    expected = {clip: truth for clip, (truth, _) in rows.items()}
    shuffled = dict(sorted(rows.items(), key=lambda item: rng.random()))
    assert list(shuffled) != list(rows)
    one = score_predictions(predictions_of(rows), expected)[0].record()
    assert score_predictions(predictions_of(shuffled), expected)[0].record() == one


def test_slices_are_the_pooled_predictions_of_one_dataset():
    rows = {f"casme2/sub01/{i}": (name, name) for i, name in enumerate(CLASSES)}
    rows |= {f"samm/006/{i}": (name, "negative") for i, name in enumerate(CLASSES)}
    card = score_predictions(predictions_of(rows), {clip: truth for clip, (truth, _) in rows.items()})[0]
    assert list(card.strict) == ["all", "casme2", "samm"]
    assert card.strict["casme2"].uf1 == 1.0
    assert card.strict["samm"].uf1 == pytest.approx(2 * 1 / (1 + 3) / 3)
    assert card.strict["all"].uar == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_hold_out_scores_are_the_mean_of_both_directions_not_the_pool():
    rows = {f"casme2/sub01/{i}": (name, name) for i, name in enumerate(CLASSES)}
    rows |= {f"samm/006/{i}": (name, "negative") for i, name in enumerate(CLASSES)}
    expected = {clip: truth for clip, (truth, _) in rows.items()}
    card = score_predictions(predictions_of(rows), expected, aggregate="directions")[0]
    assert card.strict["all"].uf1 == pytest.approx((1 + 1 / 6) / 2)
    assert card.strict["all"].uar == pytest.approx((1 + 1 / 3) / 2)
    assert card.strict["all"].accuracy == pytest.approx((1 + 1 / 3) / 2)
    assert card.strict["all"].aggregate == "directions"
    pooled = score_predictions(predictions_of(rows), expected)[0].strict["all"]
    assert (card.strict["all"].confusion == pooled.confusion).all()
    assert card.strict["all"].uf1 != pytest.approx(pooled.uf1)


def test_seeds_are_scored_apart_and_averaged_never_ensembled():
    # Right in seeds 0 and 1 on different clips, wrong in seed 2: a majority vote would be right everywhere.
    expected = {f"samm/006/{i}": name for i, name in enumerate(CLASSES)}
    answers = {0: ("negative", "positive", "positive"), 1: ("negative", "negative", "surprise")}
    answers[2] = ("positive", "positive", "surprise")
    rows = tuple(
        Prediction(clip, "samm/006", seed, None, p)
        for seed, said in answers.items()
        for clip, p in zip(expected, said, strict=True)
    )
    cards = score_predictions(Predictions("p", CLASSES, rows), expected)
    # Each seed: one class 1, one 2/3 (predicted twice, one clip), one 0.
    uf1 = (1 + 2 / 3) / 3
    assert [card.strict["all"].uf1 for card in cards.values()] == pytest.approx([uf1] * 3)
    mean = mean_of_seeds(list(cards.values()))
    assert mean.strict["all"].uf1 == pytest.approx(uf1)
    assert mean.strict["all"].accuracy == pytest.approx(2 / 3)
    assert mean.strict["all"].confusion.sum() == pytest.approx(3)
    values = report(cards)
    assert values["seeds"] == [0, 1, 2]
    assert values["scores"]["all"]["uf1_sd"] == pytest.approx(0, abs=1e-12)
    assert values["per_seed"]["1"]["scores"]["all"]["uf1"] == pytest.approx(uf1)


def test_standard_deviation_is_the_sample_one():
    assert sd([1.0, 3.0]) == pytest.approx(math.sqrt(2))  # ((1-2)^2 + (3-2)^2) / (2 - 1)
    assert math.isnan(sd([1.0]))


def test_json_values_hold_null_where_a_score_is_undefined():
    predictions = predictions_of({"casme2/sub01/a": ("negative", None), "samm/006/b": ("negative", "negative")})
    values = report(score_predictions(predictions, {r.clip: "negative" for r in predictions.rows}, full=False))
    assert set(values) >= {"schema", "protocol", "clips", "coverage", "scores", "covered"}
    assert values["schema"] == "mebench.score/1"
    assert values["covered"]["casme2"]["uf1"] is None
    assert values["covered"]["casme2"]["coverage"] is None
    assert values["scores"]["casme2"]["uf1"] == 0.0
    assert values["scores"]["casme2"]["per_class"]["positive"]["f1"] is None
    assert values["scores"]["all"]["confusion"][0] == [1, 0, 0, 1]
    assert values["coverage"] == 0.5


def test_fold_means_are_absent_where_no_fold_is_named():
    predictions = Predictions("p", ("a",), (Prediction("samm/006/x", "", 0, "a", "a"),))
    assert math.isnan(score_predictions(predictions, {"samm/006/x": "a"})[0].diagnostics["mean_over_folds_f1"])


def test_unknown_labels_uneven_lengths_and_empty_sets_are_refused():
    with pytest.raises(PredictionError, match="'anger' is not one"):
        confusion(["a"], ["anger"], ["a", "b"])
    with pytest.raises(PredictionError, match=r"'a\+b' is not one of the single labels"):
        score(["a+b"], ["a"], ["a", "b"])
    with pytest.raises(PredictionError, match="2 truths and 1 predictions"):
        score(["a", "b"], ["a"], ["a", "b"])
    with pytest.raises(PredictionError, match="nothing to score"):
        score_predictions(Predictions("p", ("a",), ()), {"samm/006/x": "a"})
    with pytest.raises(PredictionError, match="named 'all'"):
        score_predictions(Predictions("p", ("a",), (Prediction("all/1/x", "", 0, "a", "a"),)), {"all/1/x": "a"})


@settings(deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_order_and_class_order_do_not_move_the_scores(pairs, random):
    truth, predicted = zip(*pairs, strict=True)
    one = score(truth, predicted, CLASSES, full=False)
    shuffled = list(pairs)
    random.shuffle(shuffled)
    truth, predicted = zip(*shuffled, strict=True)
    other = score(truth, predicted, CLASSES[::-1], full=False)
    assert (other.uf1, other.uar, other.accuracy) == pytest.approx((one.uf1, one.uar, one.accuracy), nan_ok=True)

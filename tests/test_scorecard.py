"""`mebench score`: the honest figures, their intervals, and what other averages would have made of the same file."""

import json

import pytest

from mebench.claims import claims_of
from mebench.cli import status
from mebench.errors import UsageError
from mebench.foreign import Target, read
from mebench.predictions import Prediction, Predictions
from mebench.protocol import load_protocol
from mebench.scorecard import parse_classes, score_reading
from mebench.scoring import score_predictions
from tests.corpora import write_casme2, write_samm, write_smic

CLASSES = ("negative", "positive", "surprise")
# Three people: the first with four clips, the others with one. Truth > prediction.
SAID = {
    "casme2/sub01/a": ("negative", "negative"),
    "casme2/sub01/b": ("negative", "negative"),
    "casme2/sub01/c": ("negative", "positive"),
    "casme2/sub01/d": ("positive", "negative"),
    "casme2/sub02/e": ("surprise", "surprise"),
    "casme2/sub03/f": ("negative", "negative"),
}
EXPECTED = {clip: truth for clip, (truth, _) in SAID.items()}


def predictions(missing: tuple[str, ...] = (), seeds: tuple[int, ...] = (0,)) -> Predictions:
    rows = [
        Prediction(clip, "", seed, truth, predicted)
        for seed in seeds
        for clip, (truth, predicted) in SAID.items()
        if clip not in missing
    ]
    return Predictions("p", CLASSES, tuple(rows))


def claimed(said: Predictions, expected=EXPECTED) -> dict[str, tuple[float, float]]:
    found = claims_of(said, expected, score_predictions(said, expected))
    return {claim.name: (claim.figure, claim.honest) for claim in found["all"]}


def test_every_average_by_hand():
    """Pooled: negative 3 of 4 hit, 4 said: F1 6/8; positive 0; surprise 1. UF1 = (.75 + 0 + 1) / 3 = 7/12.

    sub01: negative 2 hit of 3, 3 said: 4/6; positive 0; its own two classes give 1/3, all three 2/9. sub02 and sub03
    are right: 1 over their own class, 1/3 over all three. Perfect predictions over all three: 2/3, 1/3, 1/3.
    """
    honest = 7 / 12
    assert claimed(predictions()) == {
        "accuracy, mean over subjects": pytest.approx(((2 / 4 + 1 + 1) / 3, 4 / 6)),
        "F1 of each subject's own classes, mean over subjects": pytest.approx(((1 / 3 + 1 + 1) / 3, honest)),
        "F1 of all classes, mean over subjects": pytest.approx(((2 / 9 + 1 / 3 + 1 / 3) / 3, honest)),
        "micro F1": pytest.approx((4 / 6, honest)),
        "weighted F1": pytest.approx(((4 * 0.75 + 0 + 1) / 6, honest)),
    }
    sentences = {c.name: c.sentence for c in claims_of(predictions(), EXPECTED, cards())["all"]}
    assert "perfect predictions come to .444" in sentences["F1 of all classes, mean over subjects"]


def cards():
    return score_predictions(predictions(), EXPECTED)


def test_what_is_left_out_costs_the_honest_figure_alone():
    """Without the clip that was wrong by a false positive, negative has 3 of 3 clips present, 4 in all."""
    said = predictions(missing=("casme2/sub01/c",))
    found = claimed(said)
    assert found["accuracy, mean over subjects"] == pytest.approx(((2 / 3 + 1 + 1) / 3, 4 / 6))
    assert found["micro F1"] == pytest.approx((4 / 5, (6 / 8 + 0 + 1) / 3))


def test_claims_are_means_over_seeds_and_of_every_slice():
    both = {**EXPECTED, "samm/006/g": "negative"}
    rows = (*predictions(seeds=(0, 1)).rows, Prediction("samm/006/g", "", 1, None, "negative"))
    said = Predictions("p", CLASSES, rows)
    found = claims_of(said, both, score_predictions(said, both))
    assert set(found) == {"all", "casme2", "samm"}
    samm = {claim.name: claim for claim in found["samm"]}
    assert samm["micro F1"].honest == pytest.approx((0 + 1) / 2)
    assert samm["micro F1"].record()["figure"] is None  # of one seed nothing is there to average
    assert [c.figure for c in found["casme2"]] == pytest.approx([c.figure for c in one_seed(EXPECTED)])


def one_seed(expected):
    return claims_of(predictions(), expected, score_predictions(predictions(), expected))["all"]


def test_sets_of_units_have_no_mean_over_subjects():
    units = ("AU1", "AU4")
    expected = {"casme2/sub01/a": "AU1+AU4", "casme2/sub02/b": "AU4", "casme2/sub02/c": "none"}
    rows = tuple(Prediction(clip, "", 0, None, "AU4") for clip in expected)
    said = Predictions("p", units, rows)
    found = claims_of(said, expected, score_predictions(said, expected, aggregate="units"))["all"]
    assert [claim.name for claim in found] == ["micro F1", "weighted F1"]
    assert found[0].figure == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))  # two hits, one miss, one false alarm


@pytest.mark.parametrize(
    ("pairs", "listed", "labels", "order"),
    [
        ((), None, {}, ()),
        (("0=negative",), None, {"0": "negative"}, ()),
        ((), "0=negative, 1=positive,2=surprise", dict(zip("012", CLASSES, strict=True)), ()),
        (("3=surprise",), "0=negative", {"3": "surprise", "0": "negative"}, ()),
        ((), "negative, positive ,surprise", {}, CLASSES),
    ],
)
def test_classes_are_said_by_value_or_by_order(pairs, listed, labels, order):
    assert parse_classes(pairs, listed) == (labels, order)


@pytest.mark.parametrize(
    ("pairs", "listed"),
    [((), "0=negative,positive"), (("0=negative",), "0=positive"), (("0=negative",), "negative,positive,surprise")],
)
def test_classes_said_in_two_ways_are_refused(pairs, listed):
    with pytest.raises(UsageError):
        parse_classes(pairs, listed)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora")
    for name, write in (("casme2", write_casme2), ("samm", write_samm), ("smic", write_smic)):
        write(root / name)
    return root


def test_a_matlab_file_is_scored_with_intervals_claims_and_mismatches(corpora, tmp_path, capsys):
    """The majority class, written by MATLAB with one truth misspelt: figures of the trivial reference, one mismatch."""
    data = [f"--data={name}={corpora / name}" for name in ("casme2", "samm", "smic")]
    shown = ["show", "megc2019-cde", "--json", *data]
    assert status(shown) == 0
    items = [item for d in json.loads(capsys.readouterr().out)["datasets"].values() for item in d["items"]]
    number = {name: i for i, name in enumerate(CLASSES, 1)}
    lines = [
        f"{i['id'].replace('/', chr(92))}.avi;{number[i['class']]:.4e};1.0000e+00".replace(".0000e", ",0000e")
        for i in items
    ]
    assert lines[0].endswith("+00;1,0000e+00")
    wrong = next(n for n, item in enumerate(items) if item["class"] == "surprise")
    lines[wrong] = lines[wrong].replace("3,0000e+00;", "2,0000e+00;")
    file = tmp_path / "theirs.txt"
    file.write_bytes(("\ufeff" + "\r\n".join(["video;y;yhat", *lines])).encode())
    asked = ["score", str(file), "--protocol", "megc2019-cde", "--classes", ",".join(CLASSES), "--json", *data]
    columns = [f"--column={pair}" for pair in ("clip=video", "truth=y", "predicted=yhat")]
    assert status([*asked, *columns]) == 3  # a truth contradicts the annotation
    card = json.loads(capsys.readouterr().out)
    assert (card["clips"], card["coverage"]) == (442, 1)
    assert card["scores"]["all"]["uf1"] == pytest.approx(0.2408, abs=5e-5)
    assert card["truth_mismatches"] == [{"clip": items[wrong]["id"], "stated": "positive", "annotated": "surprise"}]
    assert any(note.startswith("classes counted from 1") for note in card["notes"])
    assert card["intervals_of"] == "scores"
    assert set(card["intervals"]) == set(card["claims"]) == {"all", "casme2", "samm", "smic"}
    uf1 = card["intervals"]["all"]["uf1"]
    assert 0.1 < uf1["low"] < uf1["estimate"] < uf1["high"] < 1 / 3  # no majority reaches 1/3: F1 of one class over 3
    assert uf1["estimand"].startswith("these predictions on new subjects")
    assert {name: slices["uf1"]["subjects"] for name, slices in card["intervals"].items()} == {
        "all": 68, "casme2": 24, "samm": 28, "smic": 16
    }  # fmt: skip
    claims = {claim["claim"]: claim["figure"] for claim in card["claims"]["all"]}
    assert claims["micro F1"] == pytest.approx(250 / 442)
    assert claims["weighted F1"] == pytest.approx(0.4087, abs=5e-5)


def test_the_tables_say_what_the_record_says(corpora, tmp_path, capsys):
    file = tmp_path / "theirs.csv"
    file.write_text("clip,predicted,truth\ncasme2/sub01/EP02_01f,positive,positive\ncasme2/sub01/EP03_02,0,negative\n")
    status(["score", str(file), "--protocol", "megc2019-cde", "--classes=0=negative"])
    out = capsys.readouterr().out
    assert "What other averages would have claimed" in out
    assert "95% intervals over subjects" in out
    assert "Over the clips present: whose clips are missing is unknown." in " ".join(out.split())


def test_without_annotations_no_subject_is_invented_for_the_clips_left_out(tmp_path):
    counts = {"casme2": {"negative": 3, "positive": 1, "surprise": 1}}
    file = tmp_path / "their.csv"
    lines = ["sub01/EP01_01,negative,negative", "sub01/EP01_02,positive,surprise", "sub02/EP01_01,surprise,surprise"]
    file.write_text("\n".join(["clip,truth,predicted", *lines]))
    reading = read(file, Target("p", CLASSES, counts))
    assert len(reading.nameless) == 2
    card = score_reading(load_protocol("megc2019-cde"), reading)
    assert card.covered_only
    assert card.intervals["all"]["uf1"].subjects == 2
    assert card.intervals["all"]["uf1"].estimate == pytest.approx(card.cards[0].covered["all"].uf1)

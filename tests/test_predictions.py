"""The predictions file: what it holds comes back exactly, and every fault is named."""

import math
import string
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mebench.errors import MebenchError, PredictionError
from mebench.predictions import Prediction, Predictions, header, join, merge, parse_csv, read_csv

CLASSES = ("anger", "others", "sur,prise")
CLIP = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=12)
LABEL = st.none() | st.sampled_from([*CLASSES, "anger+others"])
SCORE = st.floats(allow_infinity=False)
ROWS = st.lists(
    st.builds(
        Prediction, CLIP, CLIP | st.just(""), st.integers(0, 2**53), LABEL, LABEL, st.tuples(SCORE, SCORE, SCORE)
    ),
    max_size=8,
    unique_by=lambda row: (row.clip, row.seed),
)
HEADER = "clip,fold,seed,truth,predicted,score_a,score_b\n"


def parse(text: str) -> Predictions:
    return parse_csv(text, ("a", "b"), protocol="p", source="file.csv")


@settings(deadline=None)
@given(ROWS)
def test_csv_restores_every_value_exactly(rows):
    predictions = Predictions("p", CLASSES, tuple(rows))
    again = parse_csv(predictions.to_csv(), CLASSES, protocol="p", source="x")
    assert again.to_csv() == predictions.to_csv()
    for before, after in zip(predictions.rows, again.rows, strict=True):
        assert (before.clip, before.fold, before.seed) == (after.clip, after.fold, after.seed)
        assert (before.truth, before.predicted) == (after.truth, after.predicted)
        assert [s.hex() for s in before.scores] == [s.hex() for s in after.scores]


def test_a_written_file_has_the_documented_form(tmp_path):
    rows = (
        Prediction("casme2/sub01/EP02_01f", "casme2/sub01", 0, "a", "b", (0.1, 0.2 + 0.1)),
        Prediction("casme2/sub01/EP03_02", "casme2/sub01", 0, "a", None),
    )
    predictions = Predictions("p", ("a", "b"), rows)
    predictions.write_csv(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_bytes().decode() == (
        HEADER
        + "casme2/sub01/EP02_01f,casme2/sub01,0,a,b,0.1,0.30000000000000004\n"
        + "casme2/sub01/EP03_02,casme2/sub01,0,a,,,\n"
    )
    again = read_csv(tmp_path / "x.csv", ("a", "b"), protocol="p")
    assert again.rows[0] == rows[0]
    assert again.rows[1].predicted is None
    assert all(math.isnan(s) for s in again.rows[1].scores)


def test_scores_may_be_left_out_and_a_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "x.csv").write_bytes("\ufeffclip,fold,seed,truth,predicted\r\nsamm/006/1,,3,a,b\r\n\r\n".encode())
    (row,) = read_csv(tmp_path / "x.csv", ("a", "b")).rows
    assert (row.clip, row.seed, row.truth, row.predicted, len(row.scores)) == ("samm/006/1", 3, "a", "b", 2)


def test_several_labels_are_one_value_whatever_their_order():
    one, other = parse(HEADER + "x,,0,b+a,a+b,,\n").rows[0], parse(HEADER + "x,,0,a+b,b+a,,\n").rows[0]
    assert (one.truth, one.predicted) == (other.truth, other.predicted) == ("a+b", "a+b")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("x,,0,a,a,,\ny,,0,a,a,,\nx,,0,a,b,,\n", "line 4: clip x, seed 0, is predicted twice, first on line 2"),
        ("x,,0,a,c,,\n", "line 2: clip x: 'c' is not a declared class"),
        ("x,,0,A,a,,\n", "'A' is not a declared class"),
        ("x,,0,a+a,a,,\n", r"'a\+a' is not a declared class"),
        ("x,,0,a,a,\n", "line 2: 6 columns where the header has 7"),
        ("x,,zero,a,a,,\n", "line 2: seed 'zero' is not a number"),
        ("x,,-1,a,a,,\n", "seed '-1'"),
        ("x,,٣,a,a,,\n", "seed '٣'"),
        (f"x,,{'9' * 5000},a,a,,\n", "seed '999"),
        ("x,,0,a,a,much,\n", "line 2: score 'much' is not a finite number"),
        ("x,,0,a,a,inf,\n", "score 'inf'"),
        (",,0,a,a,,\n", "clip id or fold is empty"),
        ('"x\x1b[2J",,0,a,a,,\n', "characters that do not print"),
        ('"x,,0,a,a,,\n', "line 2: not a table"),
    ],
)
def test_faults_are_named_with_their_line(body, says):
    with pytest.raises(PredictionError, match=says) as caught:
        parse(HEADER + body)
    assert caught.value.what.isprintable()
    assert caught.value.fix


@pytest.mark.parametrize(
    "text", ["", "\n", "clip,truth\n", HEADER.replace("score_b", "score_c"), HEADER.upper(), "clip;fold"]
)
def test_another_header_is_refused(text):
    with pytest.raises(PredictionError, match="the header is"):
        parse(text)


def test_unreadable_files_are_refused(tmp_path):
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"caf\xe9,,0,a,a,,\n")
    with pytest.raises(PredictionError, match=f"not UTF-8 text: byte {len(HEADER) + 3} is 0xe9"):
        read_csv(tmp_path / "latin.csv", ("a", "b"))
    with pytest.raises(PredictionError, match="cannot be read"):
        read_csv(tmp_path / "absent.csv", ("a", "b"))
    with pytest.raises(PredictionError, match="cannot be read"):
        read_csv(tmp_path, ("a", "b"))


def test_predictions_made_in_memory_obey_the_same_rules():
    row = Prediction("x", "", 0, "a", "a")
    for rows, says in [
        ((row, row), "predicted twice"),
        ((Prediction("x", "", 0, "a", "z"),), "'z' is not a declared class"),
        ((Prediction("x", "", 0, "a", "a", (math.inf, 0.0)),), "infinite"),
        ((Prediction("x", "", 0, "a", "a", (1.0,)),), "1 scores for 2 classes"),
    ]:
        with pytest.raises(PredictionError, match=says):
            Predictions("p", ("a", "b"), rows)
    both = Predictions("p", ("a", "b"), (row, Prediction("x", "", 1, "a", "b")))
    assert both.seeds == (0, 1)
    assert both.of_seed(1).rows[0].predicted == "b"


def test_folds_merge_and_strangers_do_not():
    one = Predictions("p", ("a",), (Prediction("x", "f", 0, "a", "a"),))
    other = Predictions("p", ("a",), (Prediction("y", "g", 0, "a", "a"),))
    assert [row.clip for row in merge([one, other]).rows] == ["x", "y"]
    with pytest.raises(PredictionError, match="predicted twice"):
        merge([one, one])
    with pytest.raises(PredictionError, match="do not share"):
        merge([one, Predictions("q", ("a",), ())])


def test_join_is_by_clip_id_and_marks_what_is_missing():
    rows = (Prediction("d/s/3", "f", 0, None, "b"), Prediction("d/s/1", "f", 0, "a", "a"))
    joined = join(Predictions("p", ("a", "b"), rows), {"d/s/1": "a", "d/s/2": "b", "d/s/3": "b"})[0]
    assert joined.clips == ("d/s/1", "d/s/2", "d/s/3")
    assert joined.truth == ("a", "b", "b")
    assert joined.predicted == ("a", None, "b")
    assert joined.folds == ("f", None, "f")


def test_join_refuses_unknown_clips_and_contradicting_truth():
    predictions = Predictions("p", ("a", "b"), (Prediction("d/s/1", "f", 0, "a", "a"),))
    with pytest.raises(PredictionError, match="Clip d/s/1 is not part of p"):
        join(predictions, {"d/s/2": "a"})
    with pytest.raises(PredictionError, match="Clip d/s/1: the truth stated is 'a', the annotation says 'b'"):
        join(predictions, {"d/s/1": "b"})


TEXT = st.text(st.sampled_from(string.printable + "\x00\u2028é\ud800"), max_size=80)


@settings(deadline=None)
@given(TEXT | TEXT.map(lambda body: HEADER + body))
def test_any_text_is_read_or_refused_with_one_error(text):
    with suppress(MebenchError):
        predictions = parse(text)
        assert parse(predictions.to_csv()).to_csv() == predictions.to_csv()


def test_header_names_a_score_per_class():
    assert header(("a", "b")) == HEADER.strip().split(",")

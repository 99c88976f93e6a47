"""Other people's files: forms are told apart, names brought to one spelling, and nothing is guessed."""

import string
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mebench.errors import MebenchError, PredictionError, UsageError
from mebench.foreign import Mismatch, Target, read
from mebench.naming import Names
from mebench.predictions import COLUMNS
from mebench.scoring import score_predictions

CLASSES = ("negative", "positive", "surprise")
# MEGC 2019 as realised: clips per class of each database.
FIRST = "look at the meaning of the classes and the annotation version first"
MEGC2019 = {
    "smic": dict(zip(CLASSES, (70, 51, 43), strict=True)),
    "casme2": dict(zip(CLASSES, (88, 32, 25), strict=True)),
    "samm": dict(zip(CLASSES, (92, 26, 15), strict=True)),
}
EXPECTED = {
    "casme2/sub01/EP02_01f": "positive",
    "casme2/sub01/EP03_02": "negative",
    "casme2/sub02/EP03_02": "negative",
    "casme2/sub09/EP09f": "surprise",
    "samm/006/006_1_2": "negative",
    "samm/011/011_2_1": "surprise",
    "smic/s01/s1_ne_01": "negative",
    "smic/s20/s20_sur_05": "surprise",
}
LOG = (
    "casme2 sub01\r\nEP02_01f 1 1\r\nEP03_02 0 1\r\ncasme2 sub02\r\nEP03_02 0 0\r\ncasme2 sub09\r\nEP09f 2 2\r\n\r\n"
    "smic s01\r\ns01_ne_01 0 0\r\nsmic s20\r\ns20_sur_05 2 0\r\nsamm 6\r\n006_1_2 0 0\r\nsamm 11\r\n11_2_1 2 1\r\n"
)
AT_HAND = Target("megc2019-cde", CLASSES, MEGC2019, EXPECTED)
ALONE = Target("megc2019-cde", CLASSES, MEGC2019)


def write(folder: Path, text: str, name: str = "their.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def answers(reading) -> dict[str, str | None]:
    return {row.clip: row.predicted for row in reading.predictions.rows}


def test_a_megc_log_is_read_into_our_clip_ids(tmp_path):
    reading = read(write(tmp_path, LOG, "log.txt"), AT_HAND)
    assert reading.kind == "MEGC log"
    assert reading.truth == "annotations"
    assert reading.notes == ()
    assert answers(reading) == {
        "casme2/sub01/EP02_01f": "positive",
        "casme2/sub01/EP03_02": "positive",
        "casme2/sub02/EP03_02": "negative",
        "casme2/sub09/EP09f": "surprise",
        "smic/s01/s1_ne_01": "negative",
        "smic/s20/s20_sur_05": "negative",
        "samm/006/006_1_2": "negative",
        "samm/011/011_2_1": "positive",
    }
    assert {row.clip: row.truth for row in reading.predictions.rows} == EXPECTED


def test_annotations_alone_say_which_datasets_a_file_may_speak_of(tmp_path):
    annotated = Target("megc2019-cde", CLASSES, {}, EXPECTED)
    assert answers(read(write(tmp_path, LOG), annotated)) == answers(read(write(tmp_path, LOG), AT_HAND))
    own = ",".join(COLUMNS) + "\ncasme2/sub01/EP02_01f,,0,positive,surprise\n"
    assert answers(read(write(tmp_path, own), annotated)) == {"casme2/sub01/EP02_01f": "surprise"}


def test_a_log_without_annotations_is_scored_on_its_own_truth_against_the_protocols_counts(tmp_path):
    reading = read(write(tmp_path, LOG, "log.txt"), ALONE)
    assert reading.truth == "file"
    assert reading.notes == (
        "truth as the file states it: no annotation was at hand to check it against",
        "434 of 442 clips have no prediction and count as errors",
    )
    assert Counter(reading.expected.values()) == {"negative": 250, "positive": 109, "surprise": 83}
    card = score_predictions(reading.predictions, reading.expected)[0]
    assert (card.strict["all"].clips, card.strict["smic"].clips) == (442, 164)
    assert card.strict["all"].coverage == pytest.approx(8 / 442)
    assert card.covered["all"].accuracy == pytest.approx(5 / 8)
    assert card.strict["all"].accuracy == pytest.approx(5 / 442)


def test_seven_missing_smic_clips_cost_coverage_and_recall(tmp_path):
    """A network scored on SMIC-E saw 435 of 442 clips: perfect answers there cannot reach 1."""
    lines = ["clip,truth,predicted"]
    for dataset, per_class in MEGC2019.items():
        lost = {"smic": {"negative": 5, "surprise": 2}}.get(dataset, {})
        lines += [
            f"{dataset}/{_subject(dataset)}/{_clip(dataset, c, i)},{c},{c}"
            for c, n in per_class.items()
            for i in range(n - lost.get(c, 0))
        ]
    reading = read(write(tmp_path, "\n".join(lines)), ALONE)
    scores = score_predictions(reading.predictions, reading.expected)[0].strict["all"]
    assert scores.coverage == pytest.approx(435 / 442)
    assert scores.uar == pytest.approx((245 / 250 + 1 + 81 / 83) / 3)
    assert scores.accuracy == pytest.approx(435 / 442)


def _subject(dataset: str) -> str:
    return {"smic": "s03", "casme2": "sub03", "samm": "010"}[dataset]


def _clip(dataset: str, label: str, i: int) -> str:
    code = CLASSES.index(label)
    kind = ("ne", "po", "sur")[code]
    return {"smic": f"s3_{kind}_{i:02d}", "casme2": f"EP{code:02d}_{i}", "samm": f"010_{code}_{i}"}[dataset]


def test_our_own_csv_is_recognised(tmp_path):
    text = ",".join(COLUMNS) + "\ncasme2/sub01/EP02_01f,casme2/sub01,0,positive,surprise\n"
    reading = read(write(tmp_path, text), AT_HAND)
    assert reading.kind == "predictions"
    assert reading.notes == ("7 of 8 clips have no prediction and count as errors",)
    with pytest.raises(PredictionError, match="Clip mmew/a/b is in no dataset of megc2019-cde"):
        read(write(tmp_path, ",".join(COLUMNS) + "\nmmew/a/b,,0,positive,surprise\n"), ALONE)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_and_labels_are_mapped(tmp_path, mark):
    table = [
        ["id", "db", "who", "video_id", "y", "pred", "p0"],
        ["1", "CASME II", "1", "ep02_01F", "pos", "0", "0.75"],
        ["2", "SAMM", "6", "6_1_2", "Negative", "SURPRISE", ""],
        ["3", "SMIC-HS", "s1", "s01_ne_1", "0", "", ""],
    ]
    text = "\n".join(mark.join(row) for row in table)
    columns = {"clip": "video_id", "predicted": "pred", "truth": "y", "dataset": "db", "subject": "who"}
    reading = read(
        write(tmp_path, text),
        AT_HAND,
        columns=columns | {"score_negative": "p0"},
        labels={"0": "negative", "pos": "positive"},
    )
    assert reading.kind == "table"
    assert answers(reading) == {
        "casme2/sub01/EP02_01f": "negative",
        "samm/006/006_1_2": "surprise",
        "smic/s01/s1_ne_01": None,
    }
    assert reading.predictions.rows[0].scores[0] == 0.75
    assert reading.predictions.rows[0].truth == "positive"


def test_columns_of_our_names_need_no_mapping(tmp_path):
    reading = read(write(tmp_path, "predicted,clip,seed\nnegative,sub01/EP03_02,4\n"), AT_HAND)
    assert answers(reading) == {"casme2/sub01/EP03_02": "negative"}
    assert reading.predictions.seeds == (4,)


def test_capitals_in_names_of_columns_do_not_matter(tmp_path):
    """As Excel's users write it: mark of byte order, `sep=;`, quotes, capitals, decimal commas, CRLF."""
    text = '\ufeffsep=;\r\n"Subject";"Clip";"PREDICTED";"Score_Negative"\r\n"sub01";"EP03_02";"Negative";0,75\r\n'
    (row,) = read(write(tmp_path, text), AT_HAND).predictions.rows
    assert (row.clip, row.predicted, row.scores[0]) == ("casme2/sub01/EP03_02", "negative", 0.75)
    two = "clip,Clip,predicted\nEP09f,EP02_01f,negative\n"  # ours is taken, as it is written
    assert answers(read(write(tmp_path, two), AT_HAND)) == {"casme2/sub09/EP09f": "negative"}
    with pytest.raises(PredictionError, match="does not say which columns are clip and predicted"):
        read(write(tmp_path, two.replace("clip,Clip", "CLIP,Clip")), AT_HAND)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clip,predicted\nEP03_02,negative\n", "line 2: Clip 'EP03_02' answers to casme2/sub01/EP03_02, casme2/sub02"),
        ("clip,predicted\nEP17_01,negative\n", "line 2: Clip 'EP17_01' is not a known clip"),
        ("clip,predicted\nmmew/1/EP03_02,negative\n", "is in no dataset of this protocol"),
        ("clip,predicted\nsamm/007/006_1_2,negative\n", "not a known clip"),
        ("clip,predicted\nEP09f,negative\nsub09/EP09f,negative\n", "line 3: clip casme2/sub09/EP09f, seed 0, is pre"),
        ("clip,predicted\nEP09f,3\n", "line 2: predicted '3' is no class"),
        ("clip,predicted\nEP09f,3.0\n", "--classes 3=NAME,... or, classes in the order of its numbers, --classes NAME"),
        ("clip,predicted\nEP09f,negative,x\n", "line 2: 3 columns where the header has 2"),
        ("clip,predicted,clip\nEP09f,negative,x\n", "has two columns 'clip'; its header is 'clip, predicted, clip'"),
        ("video,label\n1,2\n", "does not say which columns are clip and predicted"),
        ("clip,predicted,seed\nEP09f,negative,x\n", "line 2: seed 'x'"),
        (LOG.replace("EP09f 2 2", "EP09f 2 3"), "line 7: predicted '3' is no class"),
        (LOG.replace("EP09f 2 2", "EP09f 2 2 2"), "line 7: 'EP09f 2 2 2' is no line of a MEGC log"),
        (LOG.replace("casme2 sub09", "casme3 sub09"), "line 6: 'casme3 sub09' is no line"),
        (LOG.replace("samm 6", "samm 7"), "line 14: Clip '006_1_2' is not a known clip"),
        (LOG + LOG, "line 18: clip casme2/sub01/EP02_01f, seed 0, is predicted twice, first on line 2"),
    ],
)
def test_faults_are_named(tmp_path, text, says):
    with pytest.raises(PredictionError, match=says):
        read(write(tmp_path, text), AT_HAND)


@pytest.mark.parametrize(
    ("text", "clip", "stated", "note"),
    [
        (
            "clip,predicted,truth\nEP09f,negative,positive\n006_1_2,positive,negative\nEP02_01f,positive,positive\n",
            "casme2/sub09/EP09f",
            "positive",
            "the truth of 1 of 3 clips contradicts the annotation, which counts",
        ),
        (
            LOG.replace("EP09f 2 2", "EP09f 1 2"),
            "casme2/sub09/EP09f",
            "positive",
            "the truth of 1 of 8 clips contradicts the annotation, which counts",
        ),
        (
            ",".join(COLUMNS) + "\nsamm/006/006_1_2,,0,surprise,negative\n",
            "samm/006/006_1_2",
            "surprise",
            "the truth of 1 of 1 clips contradicts the annotation, which counts; more than half: " + FIRST,
        ),
    ],
)
def test_a_truth_that_contradicts_the_annotation_is_listed_and_the_annotation_counts(
    tmp_path, text, clip, stated, note
):
    reading = read(write(tmp_path, text), AT_HAND)
    assert reading.mismatches == (Mismatch(clip, stated, EXPECTED[clip]),)
    assert note in reading.notes
    card = score_predictions(reading.predictions, reading.expected)[0]
    given = answers(reading)
    assert card.covered["all"].accuracy == pytest.approx(sum(given[c] == EXPECTED[c] for c in given) / len(given))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("clip,predicted\nsamm/6/006_1_2,negative\n", "clip samm/006/006_1_2 has no truth"),
        (
            "clip,predicted,truth,seed\n006_1_2,negative,negative,0\n006_1_2,negative,positive,1\n",
            "samm/006/006_1_2 has two truths",
        ),
        ("clip,predicted,truth\nEP09f,negative,negative\n", "'EP09f' does not say whose it is"),
        ("clip,predicted,truth\n007/006_1_2,negative,negative\n", "'007/006_1_2' is not a known clip"),
        (
            "clip,predicted,truth\n" + "".join(f"010_1_{i},positive,surprise\n" for i in range(16)),
            "16 samm clips of class surprise; megc2019-cde has 15",
        ),
    ],
)
def test_a_file_that_stands_alone_must_say_enough(tmp_path, text, says):
    with pytest.raises(PredictionError, match=says):
        read(write(tmp_path, text), ALONE)


def test_coverage_is_called_unknown_where_the_protocol_states_no_counts(tmp_path):
    target = Target("mine", CLASSES, {"samm": {}})
    reading = read(write(tmp_path, "clip,predicted,truth\n006_1_2,negative,positive\n"), target)
    assert "coverage of samm is unknown: the protocol states no count" in reading.notes
    assert reading.expected == {"samm/006/006_1_2": "positive"}


def test_mappings_to_nowhere_are_command_line_errors(tmp_path):
    path = write(tmp_path, "clip,predicted\nEP09f,negative\n")
    with pytest.raises(UsageError, match="no column 'video'"):
        read(path, AT_HAND, columns={"video": "clip"})
    with pytest.raises(UsageError, match="'anger' is no class of megc2019-cde"):
        read(path, AT_HAND, labels={"0": "anger"})
    with pytest.raises(PredictionError, match="has no column 'video'"):
        read(path, AT_HAND, columns={"clip": "video"})


@pytest.mark.parametrize(
    ("dataset", "subject", "clip", "meant"),
    [
        ("casme2", "1", "EP02_01f", "casme2/sub01/EP02_01f"),
        ("CASME2", "01", "EP02_01f", "casme2/sub01/EP02_01f"),
        ("casme2", "sub01", "EP02_01f", "casme2/sub01/EP02_01f"),
        (None, None, "sub01_EP02_01f", "casme2/sub01/EP02_01f"),
        (None, None, "sub01\\EP02_01f", "casme2/sub01/EP02_01f"),
        ("casme2", "9", "EP09f", "casme2/sub09/EP09f"),
        ("samm", "6", "006_1_2", "samm/006/006_1_2"),
        ("samm", "006", "6_1_2", "samm/006/006_1_2"),
        (None, None, "006_1_2", "samm/006/006_1_2"),
        ("smic", "1", "s1_ne_01", "smic/s01/s1_ne_01"),
        ("smic", "s1", "s01_ne_01", "smic/s01/s1_ne_01"),
        (None, None, "s20_sur_05", "smic/s20/s20_sur_05"),
        ("other", "A", "c", "other/A/c@12"),
        (None, None, "other/A/c@12", "other/A/c@12"),
    ],
)
def test_every_spelling_of_a_name_finds_its_clip(dataset, subject, clip, meant):
    names = Names(["casme2", "samm", "smic", "other"], [*EXPECTED, "other/A/c@12"])
    assert names.clip_id(clip, dataset, subject) == meant


@pytest.mark.parametrize(
    ("clip", "meant"),
    [
        ("EP02_01f.avi", "casme2/sub01/EP02_01f"),
        ("D:\\data\\CASME2_RAW_selected\\sub01\\EP02_01f", "casme2/sub01/EP02_01f"),
        ("/data/CASME2/CASME2-RAW/sub01/EP03_02/img46.jpg", "casme2/sub01/EP03_02"),
        ("sub02/EP03_02/reg_img46.jpg", "casme2/sub02/EP03_02"),
        ("ep03-02/sub02", None),
        ("sub02/ep03-02.MP4", "casme2/sub02/EP03_02"),
        ("sub09 EP09f", "casme2/sub09/EP09f"),
        ("Subject 9/EP09f", "casme2/sub09/EP09f"),
        ("SAMM/006/006_1_2/006_05562.jpg", "samm/006/006_1_2"),
        ("006-1-2", "samm/006/006_1_2"),
        ("./samm/11_2_1.mat", "samm/011/011_2_1"),
        ("SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image559740.bmp", "smic/s01/s1_ne_01"),
        ("SMIC_all_raw/VIS/s1/micro/negative/s1_ne_01/image559740.bmp", None),
        ("/data/mmew/raw/sub02/EP03_02.avi", None),
        ("/data/raw/EP03_02.avi", None),
        ("CASME2/sub05/EP03_02.avi", None),
        ("", None),
        ("/", None),
    ],
)
def test_a_clip_may_be_named_by_its_film_its_folder_or_a_frame(clip, meant):
    names = Names(["casme2", "samm", "smic"], EXPECTED)
    if meant is None:
        with pytest.raises(PredictionError):
            names.clip_id(clip, None, None)
    else:
        assert names.clip_id(clip, None, None) == meant


MATLAB = (
    "% predictions of 5 May\r\n"
    "video;subject;label;guess;p_neg\r\n"
    "'EP02_01f';1.0000e+00;2;2.0000e+00;0,25\r\n"
    '"006_1_2";6;1;3;1,0\r\n'
    "s1_ne_01;1;1.0;NaN;NaN\r\n"
)
MATLAB_COLUMNS = {
    "clip": "video",
    "subject": "subject",
    "truth": "label",
    "predicted": "guess",
    "score_negative": "p_neg",
}


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\r\n", "\r").encode(),
        lambda text: ("sep=;\n" + text).encode(),
        lambda text: text.replace("\r\n", ";\r\n").encode(),
        lambda text: text.replace(",", ".").replace(";", ",").encode(),
        lambda text: text.replace(";", "\t").encode(),
        lambda text: text.replace(";", "   ").replace("% predictions of 5 May", "%").encode(),
    ],
    ids=["plain", "mark", "utf-16", "mac", "excel", "trailing", "commas", "tabs", "blanks"],
)
def test_what_matlab_writes_is_read(tmp_path, encode):
    path = tmp_path / "result.txt"
    path.write_bytes(encode(MATLAB))
    reading = read(path, AT_HAND, columns=MATLAB_COLUMNS, order=CLASSES)
    assert answers(reading) == {
        "casme2/sub01/EP02_01f": "positive",
        "samm/006/006_1_2": "surprise",
        "smic/s01/s1_ne_01": None,
    }
    assert {row.clip: row.truth for row in reading.predictions.rows}.items() <= EXPECTED.items()
    assert [row.scores[0] for row in reading.predictions.rows][:2] == [0.25, 1.0]
    assert reading.notes[0] == "classes counted from 1, since the file holds a 3: 1=negative, 2=positive, 3=surprise"
    assert reading.mismatches == ()


@pytest.mark.parametrize("mark", [";", "   "])
def test_a_row_behind_a_percent_sign_is_not_left_out_in_silence(tmp_path, mark):
    path = tmp_path / "result.txt"
    path.write_text(MATLAB.replace('"006_1_2"', '%"006_1_2"').replace("predictions of 5 May", "").replace(";", mark))
    with pytest.raises(PredictionError, match="line 4 begins with % and is a row otherwise"):
        read(path, AT_HAND, columns=MATLAB_COLUMNS, order=CLASSES)


def test_a_matrix_without_header_is_read_by_the_places_of_its_columns(tmp_path):
    text = "   2.0000000e+00   EP03_02   0.0000000e+00\n   9.0000000e+00   EP09f   2.0000000e+00\n"
    places = {"subject": "#1", "clip": "#2", "predicted": "#3"}
    reading = read(write(tmp_path, text), AT_HAND, columns=places, order=CLASSES)
    assert answers(reading) == {"casme2/sub02/EP03_02": "negative", "casme2/sub09/EP09f": "surprise"}
    assert reading.notes[0].startswith("classes counted from 0, since the file holds a 0: 0=negative")
    with pytest.raises(PredictionError, match="has no column '#4'"):
        read(write(tmp_path, text), AT_HAND, columns=places | {"truth": "#4"}, order=CLASSES)
    with pytest.raises(PredictionError, match="line 2: 2 columns where the first row has 3"):
        read(write(tmp_path, "1 EP02_01f 0\n1 EP03_02\n"), AT_HAND, columns=places, order=CLASSES)


@pytest.mark.parametrize("labels", ["1", "12", "03", "013", "04", "5"])
def test_numbers_that_could_count_from_0_or_from_1_are_not_guessed(tmp_path, labels):
    """Of three classes, 0 says from 0 and 3 says from 1; neither, both, or a number beyond says nothing."""
    clips = ("EP02_01f", "EP09f", "006_1_2")
    text = "clip,predicted\n" + "".join(f"{clip},{n}\n" for clip, n in zip(clips, labels, strict=False))
    with pytest.raises(PredictionError, match="count from 0 or from 1 cannot be told"):
        read(write(tmp_path, text), AT_HAND, order=CLASSES)
    with pytest.raises(PredictionError, match=r"is no class\.\nSay what it means: --classes"):
        read(write(tmp_path, text), AT_HAND)


def test_an_order_names_every_class_once(tmp_path):
    path = write(tmp_path, "clip,predicted\nEP09f,0\n")
    for order in (CLASSES[:2], (*CLASSES, "negative"), ("negative", "negative", "surprise")):
        with pytest.raises(UsageError, match="does not name every class"):
            read(path, AT_HAND, order=order)
    with pytest.raises(UsageError, match="'anger' is no class"):
        read(path, AT_HAND, order=("anger", *CLASSES[1:]))


def test_numbers_by_value_mean_what_is_said_however_they_are_written(tmp_path):
    text = "clip,predicted\nEP09f,1.0000e+00\nEP02_01f,01\n006_1_2,+2\n"
    reading = read(write(tmp_path, text), AT_HAND, labels={"1": "surprise", "2.0": "negative"})
    assert list(answers(reading).values()) == ["surprise", "surprise", "negative"]


def test_sets_of_action_units_are_read_in_any_order(tmp_path):
    units = ("AU1", "AU4", "AU12")
    target = Target("au", units, {}, {"samm/006/006_1_2": "AU1+AU4", "samm/006/006_1_3": "none"})
    text = "clip;predicted;truth\n006_1_2;4 + 1;AU4+AU1\n006_1_3;none;None\n"
    reading = read(write(tmp_path, text), target, labels={"1": "AU1", "4": "AU4", "12": "AU12"})
    assert [(row.predicted, row.truth) for row in reading.predictions.rows] == [
        ("AU1+AU4", "AU1+AU4"),
        ("none", "none"),
    ]
    assert reading.mismatches == ()


def test_a_repeated_name_needs_its_onset():
    names = Names(["other"], ["other/A/c@12", "other/A/c@90"])
    assert names.clip_id("other/A/c@90", None, None) == "other/A/c@90"
    with pytest.raises(PredictionError, match="answers to other/A/c@12, other/A/c@90"):
        names.clip_id("c", "other", "A")


def test_every_expected_clip_is_found_by_its_own_id_without_annotations():
    names = Names(["casme2", "samm", "smic"], None)
    assert [names.clip_id(clip, None, None) for clip in EXPECTED] == list(EXPECTED)


PIECES = st.sampled_from(
    ["clip", "predicted", "casme2 sub01", "EP02_01f", "0", "1", ",", "\n", "\r", '"', "\t", " ", "/"]
)
TEXTS = st.text(string.printable, max_size=60) | st.lists(PIECES, max_size=25).map("".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | TEXTS.map(str.encode), st.sampled_from([AT_HAND, ALONE]))
def test_any_bytes_are_read_or_refused_with_one_error(tmp_path, content, target):
    path = tmp_path / "any"
    path.write_bytes(content)
    with suppress(MebenchError):
        reading = read(path, target)
        assert set(answers(reading)) <= set(reading.expected)

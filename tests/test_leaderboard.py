"""Boards: what may be compared stands together, what is void has no rank, and no cell escapes its table."""

import csv
import io
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mebench.errors import ModelError, PredictionError
from mebench.intervals import intervals_of
from mebench.leaderboard import COLUMNS, SYNTHETIC_WARNING, Entry, boards, rows, score_table, table, to_csv
from mebench.predictions import Prediction, Predictions
from mebench.render import Table, csv_cell, csv_text, figure, latex, latex_cell, markdown, markdown_cell, terminal
from mebench.scoring import score_predictions

CLASSES = ("a", "b")
ONE = {f"casme2/sub0{s}/EP0{i}_01": name for s in (1, 2) for i, name in enumerate(CLASSES)}
TWO = ONE | {f"samm/006/006_1_{i}": name for i, name in enumerate(CLASSES)}
FIRST_COLUMNS = (
    "protocol,dataset,task,model,status,selection,privilege,fidelity,seeds,clips,subjects,coverage,uf1,uar,accuracy,"
    "weighted_f1,annotation,synthetic,rank,uf1_sd,uar_sd,tried,weights,version,run,command"
)


def answers(expected, wrong=(), missing=(), *, seed=0, classes=CLASSES):
    """Right everywhere but on the `wrong` clips (by position), silent on the `missing` ones."""
    rows_ = tuple(
        Prediction(clip, clip.rpartition("/")[0], seed, truth, CLASSES[CLASSES.index(truth) ^ (i in wrong)])
        for i, (clip, truth) in enumerate(expected.items())
        if i not in missing
    )
    return Predictions("p", classes, rows_)


def entry(model="m", wrong=(), *, expected=ONE, missing=(), **other) -> Entry:
    given_ = {
        "protocol": "p",
        "protocol_version": 1,
        "task": "emotion",
        "classes": CLASSES,
        "annotations": {"casme2": "coding-20140508"},
        "model": model,
        "title": model.upper(),
        "model_version": 1,
        "run": f"run-{model}",
        "status": "complete",
        "selection": "fixed",
        "privilege": "apex",
        "fidelity": "C",
        "predictions": {0: answers(expected, wrong, missing)},
        "expected": expected,
    }
    return Entry(**(given_ | other))


def ranks(entries, dataset="all"):
    return {row.model: row.rank for row in rows(entries) if row.dataset == dataset}


def cells(entries):
    return list(csv.DictReader(io.StringIO(to_csv(rows(entries)))))


def test_a_row_bounds_its_scores_over_subjects_and_an_empty_one_does_not():
    """The bounds are those of the interval room on the same predictions; a peeked run has no score to bound."""
    expected = {f"casme2/sub{s:02d}/EP{i:02d}_01": CLASSES[i % 2] for s in range(6) for i in range(4)}
    wrong = (0, 5, 6, 11, 17)
    row, peeked = (rows([entry(wrong=wrong, expected=expected, selection=s)])[0] for s in ("fixed", "peeked"))
    bound = intervals_of(answers(expected, wrong), expected)["all"]
    assert (row.uf1_low, row.uf1_high) == (bound["uf1"].low, bound["uf1"].high)
    assert (row.uar_low, row.uar_high) == (bound["uar"].low, bound["uar"].high)
    assert row.uf1_low < row.uf1 < row.uf1_high
    assert math.isnan(peeked.uf1_low)
    assert peeked.interval_remarks == ""
    assert f"{figure(row.uf1_low)}–{figure(row.uf1_high)}" in markdown(table(boards([row])[0]))


def test_csv_begins_with_the_promised_columns_and_holds_six_decimals():
    text = to_csv(rows([entry(wrong=(0,))]))
    assert text.startswith(FIRST_COLUMNS + ",")
    assert text.splitlines()[0].split(",") == list(COLUMNS)
    (row,) = cells([entry(wrong=(0,))])
    # a: 1 of 2 found, predicted once: 2*1/(2+1); b: 2 of 2, predicted three times: 2*2/(2+3).
    assert row["uf1"] == f"{(2 / 3 + 4 / 5) / 2:.6f}"
    assert (row["uar"], row["accuracy"], row["coverage"]) == ("0.750000", "0.750000", "1.000000")
    assert (row["clips"], row["subjects"], row["seeds"], row["rank"]) == ("4", "2", "1", "1")
    assert (row["annotation"], row["synthetic"], row["uf1_sd"]) == ("casme2=coding-20140508", "false", "")


def test_several_datasets_give_a_row_per_slice_and_one_gives_all_alone():
    assert [row.dataset for row in rows([entry()])] == ["all"]
    sliced = rows([entry(expected=TWO, wrong=(5,))])
    assert [(row.dataset, row.clips, row.subjects) for row in sliced] == [
        ("all", 6, 3),
        ("casme2", 4, 2),
        ("samm", 2, 1),
    ]
    assert sliced[1].uf1 == 1.0
    assert sliced[2].uf1 == pytest.approx((2 / 3 + 0) / 2)


def test_subjects_shared_by_two_modalities_count_once():
    expected = {"smic/s01/s1_ne_01": "a", "smic-vis/s01/s1_ne_01": "b"}
    shared = entry(expected=expected, subjects=dict.fromkeys(expected, "smic/s01"))
    assert [row.subjects for row in rows([shared])] == [1, 1, 1]


def test_figures_are_means_over_seeds_with_their_sample_deviation():
    several = entry(predictions={0: answers(ONE), 3: answers(ONE, (0, 1, 2, 3), seed=3)})
    (row,) = rows([several])
    assert (row.seeds, row.uf1, row.uar) == (2, 0.5, 0.5)
    assert row.uf1_sd == pytest.approx(math.sqrt(0.5))
    assert "500 ± .707" in markdown(table(boards([row])[0]))


def test_rank_follows_uf1_and_ties_share_it():
    # One error on the last clip or on the first but one are each an error on b: equal UF1.
    entries = [entry("worst", (0, 1)), entry("tied", (1,)), entry("tie", (3,)), entry("best")]
    assert ranks(entries) == {"best": 1, "tie": 2, "tied": 2, "worst": 4}


@pytest.mark.parametrize(
    "void",
    [
        {"status": "incomplete"},
        {"status": "failed"},
        {"selection": "peeked"},
        {"partial": True},
        {"published": True},
        {"predictions": {}, "status": "failed"},
        {"predictions": {0: Predictions("p", CLASSES, ())}},
    ],
)
def test_void_results_hold_no_rank_and_take_none(void):
    assert ranks([entry("void", **void), entry("good", (0,))]) == {"void": None, "good": 1}


def test_peeked_figures_stand_in_their_own_column_only():
    assert not replace(rows([entry()])[0], selection="peeked").ranked
    (row,) = cells([entry(selection="peeked")])
    assert [row[name] for name in ("uf1", "uar", "accuracy", "weighted_f1", "rank")] == [""] * 5
    assert row["peeked_uf1"] == "1.000000"
    shown = markdown(table(boards(rows([entry(selection="peeked")]))[0]))
    assert "invalid: epoch chosen on the held-out clips, UF1 1.000" in shown


def test_an_incomplete_run_shows_its_status_and_coverage():
    (row,) = rows([entry(status="incomplete", missing=(0, 1))])
    assert (row.coverage, row.uar, row.rank) == (0.5, 0.5, None)
    assert "incomplete" in markdown(table(boards([row])[0]))
    (nothing,) = rows([entry(status="failed", predictions={})])
    assert math.isnan(nothing.uf1)
    assert (nothing.coverage, nothing.seeds) == (0, 0)


def test_privileges_are_ranked_apart():
    assert ranks([entry("x", privilege="none"), entry("y", (0,)), entry("z", (0, 1))]) == {"x": 1, "y": 1, "z": 2}


def test_slices_scored_over_fewer_classes_are_ranked_apart():
    expected = {"casme2/sub01/x": "a", "casme2/sub01/y": "b", "samm/006/z": "a"}
    entries = [entry("clean", expected=expected), entry("strays", (2,), expected=expected)]
    by_model = {row.model: row for row in rows(entries) if row.dataset == "samm"}
    assert [by_model[m].classes_scored for m in ("clean", "strays")] == [1, 2]
    assert [by_model[m].rank for m in ("clean", "strays")] == [1, 1]
    assert "1 classes scored" in markdown(table(boards(rows(entries))[0]))


def test_real_and_synthetic_versions_and_annotations_never_share_a_board():
    entries = [
        entry("drawn", synthetic=True, fingerprint="aa"),
        entry("other-drawn", synthetic=True, fingerprint="bb"),
        entry("real"),
        entry("newer", annotations={"casme2": "coding-20190701"}),
        entry("second", protocol_version=2),
        entry("beside", (0,)),
    ]
    made = boards(rows(entries))
    assert [[row.model for row in board.rows] for board in made] == [
        ["real", "beside"],
        ["newer"],
        ["second"],
        ["drawn"],
        ["other-drawn"],
    ]
    assert [SYNTHETIC_WARNING in board.heading for board in made] == [False, False, False, True, True]
    assert made[0].heading == "p (version 1): 4 clips, 2 subjects, casme2=coding-20140508"
    assert [row["synthetic"] for row in cells(entries)] == ["false"] * 4 + ["true"] * 2


def test_hold_out_boards_say_that_all_is_a_mean_of_directions():
    held_out = rows([entry(expected=TWO, wrong=(4, 5), aggregate="directions")])
    assert held_out[0].uf1 == pytest.approx((1 + 0) / 2)
    assert "all: the mean of the directions." in markdown(table(boards(held_out)[0]))


def test_tried_configurations_and_weights_are_on_the_row():
    shown = markdown(table(boards(rows([entry(tried=12, weights="CK+ (327)")]))[0]))
    assert "best of 12; weights: CK+ (327)" in shown


def test_a_reconstruction_from_fragments_must_say_so_in_its_title():
    with pytest.raises(ModelError, match="fidelity D but is titled 'LAM'"):
        entry(title="LAM", fidelity="D")
    assert rows([entry(title="LAM-like", fidelity="D")])[0].fidelity == "D"


def test_a_run_that_speaks_of_other_clips_is_refused():
    with pytest.raises(PredictionError, match="is not part of p"):
        rows([entry(predictions={0: answers(TWO)})])
    with pytest.raises(PredictionError, match="nothing to score"):
        rows([entry(predictions={1: answers(ONE, seed=0)})])


def test_score_tables_show_covered_scores_only_where_clips_are_missing():
    full = score_table(score_predictions(answers(TWO), TWO)[0])
    assert [row[0] for row in full.rows] == ["all", "casme2", "samm"]
    lacking = score_table(score_predictions(answers(TWO, missing=(0, 4)), TWO)[0])
    assert [row[0] for row in lacking.rows][3:] == ["all (covered)", "casme2 (covered)", "samm (covered)"]
    assert lacking.rows[0][1:3] == ("6", ".667")


def test_figures_are_printed_as_the_field_prints_them():
    assert [figure(v) for v in (0.24079, 1.0, 0.0, math.nan)] == [".241", "1.000", ".000", "–"]
    assert figure(0.5, 0.0123) == ".500 ± .012"


def test_hostile_names_stay_in_their_cell():
    name = "=cmd|'/C calc'!A0\n<script>\x1b[31m[red]{\\input}$x$ _*` \u202e&"
    hostile = entry(title=name, weights="+1", command="@SUM(A1)")
    board = table(boards(rows([hostile, entry("other", (0,))]))[0])
    lines = markdown(board).splitlines()
    row = next(line for line in lines if "script" in line)
    assert row.replace("\\|", "").count("|") == len(board.columns) + 1
    assert "<script>" not in row
    assert "\x1b" not in row
    assert "\u202e" not in row
    (first, _) = cells([hostile, entry("other", (0,))])
    assert first["title"].startswith("'=cmd")
    assert (first["weights"], first["command"]) == ("'+1", "'@SUM(A1)")
    drawn = terminal(board, width=400, colour=False)
    assert "[red]" in drawn
    assert "\x1b" not in drawn
    assert r"\input" not in latex(board)


def test_tables_in_every_format():
    small = Table("T & co", ("Model", "UF1"), (("a_b", ".241 ± .010"), ("c", "–")), frozenset({"UF1"}), ("Note.",))
    assert markdown(small) == (
        "## T &amp; co\n\n| Model | UF1 |\n| --- | ---: |\n| a\\_b | .241 ± .010 |\n| c | – |\n\n- Note.\n"
    )
    assert latex(small).splitlines() == [
        r"\begin{table}",
        r"\caption{T \& co}",
        r"\begin{tabular}{lr}",
        r"\hline",
        r"Model & UF1 \\",
        r"\hline",
        r"a\_b & .241 $\pm$ .010 \\",
        r"c & -- \\",
        r"\hline",
        r"\end{tabular}",
        r"\par\footnotesize Note.",
        r"\end{table}",
    ]
    drawn = terminal(small, width=60, colour=False)
    assert drawn.splitlines()[0].strip() == "T & co"
    assert any(line.split() == ["a_b", ".241", "±", ".010"] for line in drawn.splitlines())
    assert "\x1b[" in terminal(small, width=60, colour=True)
    assert csv_text(["a", "b"], [["-1", "x,y"]]) == 'a,b\n\'-1,"x,y"\n'


def test_a_table_without_columns_is_its_title_and_notes():
    empty = Table("No run yet", (), (), notes=("Type this.",))
    assert terminal(empty, width=60, colour=False) == "No run yet\nType this.\n"
    assert markdown(empty) == "## No run yet\n\n- Type this.\n"
    assert "tabular" not in latex(empty)
    assert "No run yet" in latex(empty)


def test_narrow_terminals_fold_names_and_cut_nothing():
    wide = Table("T", ("Model", "UF1"), (("x" * 50, ".241"),), frozenset({"UF1"}))
    drawn = terminal(wide, width=30, colour=False)
    assert drawn.count("x") == 50
    assert ".241" in drawn
    assert max(map(len, drawn.splitlines())) <= 30


def test_a_board_on_80_columns_loses_nothing():
    several = {seed: answers(TWO, (seed,), seed=seed) for seed in range(3)}
    board = boards(rows([entry("lbp-top", expected=TWO, predictions=several, tried=12)]))[0]
    drawn = terminal(table(board), width=80, colour=False)
    assert max(map(len, drawn.splitlines())) <= 80
    assert drawn.count("±") == 2 * 3 + 1  # UF1 and UAR of three slices, and the note
    assert drawn.count("12") == 3


def test_a_terminal_of_120_columns_splits_no_word_of_a_board():
    board = boards(rows([entry("lbp-top", expected=TWO, tried=12), entry("mdmo", (0,), expected=TWO)]))[0]
    words = set(terminal(table(board), width=120, colour=False).split())
    assert {"Privilege", "Selection", "Fidelity", "Coverage", "LBP-TOP", "casme2", "fixed", "12"} <= words


@settings(deadline=None)
@given(st.text(max_size=30) | st.text("=+-@＝|\\<&%$ \t\n\r{}_x", max_size=12))
def test_no_text_escapes_a_cell(text):
    assert markdown_cell(text).isprintable()
    assert "|" not in markdown_cell(text).replace("\\\\", "").replace("\\|", "")
    assert not {"<", ">"} & set(markdown_cell(text))
    left = latex_cell(text)
    for command in (
        r"\textbackslash{}",
        r"\textasciitilde{}",
        r"\textasciicircum{}",
        r"\textless{}",
        r"\textgreater{}",
    ):
        left = left.replace(command, "")
    left = left.replace(r"\textbar{}", "").replace(r"$\pm$", "")
    for c in "&%$#_{}":
        left = left.replace(f"\\{c}", "")
    assert not set(left.replace("{[}", "").replace("{]}", "").replace("{*}", "")) & set("\\&%$#_{}~^[]*")
    assert csv_cell(text).isprintable()
    assert not csv_cell(text).lstrip().startswith(("=", "+", "-", "@", "＝"))
    (row,) = csv.reader(io.StringIO(csv_text([text, "x"], []), newline=""), strict=True)
    assert row[1] == "x"


def test_leaderboard_starts_without_heavy_packages():
    code = (
        "import sys, mebench.leaderboard, mebench.foreign;"
        "print(*{'torch','cv2','dlib','sklearn','scipy','matplotlib','pandas','rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

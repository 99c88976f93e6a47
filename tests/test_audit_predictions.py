"""The auditor of prediction files: each planted fault is found by its check, a sound file passes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mebench.audit.figures import selection
from mebench.audit.lines import FileQuestion, Lines
from mebench.audit.predictions import DOES, audit_file
from mebench.cli import status
from mebench.errors import UsageError
from mebench.foreign import Target
from mebench.predictions import Prediction, header
from tests.planted import EMOTIONS, plant
from tests.toy import CLASSES, toy_protocol, toy_table, toy_task

Change = Callable[[list[list[str]]], None]


def sound() -> list[list[str]]:
    """Lines of a file that is right about all clips of the toy task but every fifth."""
    rows = []
    for i, item in enumerate(toy_task().items):
        said = CLASSES[(CLASSES.index(item.label) + (i % 5 == 0)) % 3]
        rows.append([item.id, item.subject, "0", item.label, said, *("0.8" if c == said else "0.1" for c in CLASSES)])
    return rows


def audited(tmp_path: Path, rows: list[list[str]], *, annotated: bool = True, **given):
    path = tmp_path / "theirs.csv"
    path.write_text("\n".join(",".join(row) for row in [header(CLASSES), *rows]) + "\n")
    table, task = toy_table(), toy_task()
    protocol = toy_protocol(table)
    expected = {item.id: item.label for item in task.items} if annotated else None
    counts = {"casme2": protocol.sources["casme2"].counts["toy"].per_class}
    target = Target(protocol.name, protocol.classes, {} if annotated else counts, expected)
    return audit_file(FileQuestion(path, protocol, target, task if annotated else None, **given))


def twice(rows):
    rows.append(rows[3])


def stranger(rows):
    rows[0][0] = "casme2/sub99/EP01"


def missing(rows):
    del rows[2]


def unpredicted(rows):
    rows[2][4] = ""


def other_truth(rows):
    rows[1][3] = CLASSES[(CLASSES.index(rows[1][3]) + 1) % 3]


def wrong_fold(rows):
    rows[1][1] = next(row[1] for row in rows if row[1] != rows[1][1])


def no_class(rows):
    rows[4][4] = "boredom"


def short_line(rows):
    del rows[5][-1]


FAULTS = [
    (twice, "duplicates"),
    (missing, "coverage"),
    (unpredicted, "coverage"),
    (wrong_fold, "folds"),
    (no_class, "form"),
    (short_line, "form"),
]
TOLD_BY_THE_ANNOTATION = [(stranger, "clips"), (other_truth, "truth")]


@pytest.mark.parametrize(
    ("change", "check", "annotated"),
    [(*fault, annotated) for fault in FAULTS for annotated in (True, False)]
    + [(*fault, True) for fault in TOLD_BY_THE_ANNOTATION],
)
def test_a_planted_fault_is_found_by_its_check(tmp_path, change: Change, check, annotated):
    rows = sound()
    change(rows)
    report = audited(tmp_path, rows, annotated=annotated)
    assert report.verdict(check) == "caught"
    assert {f.check for f in report.findings} == set(DOES)


@pytest.mark.parametrize("annotated", [True, False])
def test_a_sound_file_passes_every_check(tmp_path, annotated):
    report = audited(tmp_path, sound(), annotated=annotated)
    assert report.caught == ()
    assert report.verdict("claims") == report.verdict("selection") == "not applicable"


def test_all_faults_are_named_not_the_first_alone(tmp_path):
    rows = sound()
    for change in (twice, stranger, no_class):
        change(rows)
    assert set(audited(tmp_path, rows).caught) == {"form", "duplicates", "clips", "coverage"}


def test_subjects_spread_over_folds_are_caught_whatever_the_folds_are_called(tmp_path):
    """A split of clips into five folds: each tests subjects that it trained on."""
    rows = sound()
    for i, row in enumerate(rows):
        row[1] = f"fold{i % 5}"
    finding = next(f for f in audited(tmp_path, rows, annotated=False).findings if f.check == "folds")
    assert finding.verdict == "caught"
    assert finding.figure == 4  # subjects of the toy table


def test_a_class_other_than_that_of_highest_score_is_reported(tmp_path):
    rows = sound()
    rows[0][5:] = ["0.1" if c == rows[0][4] else "0.45" for c in CLASSES]
    finding = next(f for f in audited(tmp_path, rows).findings if f.check == "scores")
    assert (finding.verdict, finding.items) == ("reported", (rows[0][0],))


def test_a_claim_the_file_does_not_bear_out_is_caught(tmp_path):
    """24 clips, 5 of them wrong: accuracy 19/24 = .792."""
    wrong = sum(row[3] != row[4] for row in sound())
    assert wrong == 5
    assert audited(tmp_path, sound(), claims={"accuracy": ".792"}).verdict("claims") == "clean"
    assert audited(tmp_path, sound(), claims={"accuracy": "79.2%"}).verdict("claims") == "clean"
    assert audited(tmp_path, sound(), claims={"accuracy": ".85"}).verdict("claims") == "caught"


def test_a_pair_no_predictions_can_have_is_called_so(tmp_path):
    """With 8 clips per class UAR equals accuracy, and UF1 1 needs all right: with UAR .5 it is out of reach."""
    finding = next(
        f for f in audited(tmp_path, sound(), claims={"uf1": "1.0", "uar": ".50"}).findings if f.check == "claims"
    )
    assert "UF1 lies between" in finding.why


def test_a_claim_that_is_no_figure_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'f1'"):
        audited(tmp_path, sound(), claims={"f1": ".5"})
    with pytest.raises(UsageError, match="no number"):
        audited(tmp_path, sound(), claims={"uf1": "high"})


def lines_of(sizes, right, seed=0):
    """A file over subjects of these sizes in three classes; `right(subject, generator)` are the hits of its clips."""
    generator = np.random.default_rng(seed)
    rows, expected = [], {}
    for s, size in enumerate(sizes):
        truth = generator.integers(3, size=size)
        for i, (t, hit) in enumerate(zip(truth, right(truth, generator), strict=True)):
            clip = f"casme2/sub{s:02d}/EP{i:02d}"
            expected[clip] = CLASSES[t]
            rows.append(Prediction(clip, "", 0, CLASSES[t], CLASSES[t if hit else (t + 1) % 3]))
    subjects = {row.clip: row.clip.rpartition("/")[0] for row in rows}
    return Lines(tuple(rows), (), subjects, expected, True)


SIZES = [2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 19, 24, 28, 34]


def best_of(epochs):
    """Keeps the guesses of the epoch that is right most often on this subject."""

    def right(truth, generator):
        hits = generator.random((epochs, len(truth))) < 1 / 3
        return hits[hits.sum(axis=1).argmax()]

    return right


def question() -> FileQuestion:
    return FileQuestion(Path("theirs.csv"), toy_protocol(toy_table()), Target("toy-loso", CLASSES, {}))


def test_predictions_chosen_on_the_tested_subject_are_caught_by_their_course():
    """The best of 100 guesses leaves no error among 2 clips and many among 34."""
    assert selection(lines_of(SIZES, best_of(100)), question()).verdict == "caught"


def test_honest_predictions_are_not_taken_for_chosen_ones():
    """Also where subjects differ: at p = .001 one of 60 files in a thousand times 17 may be taken; none of these is."""

    def right(truth, generator):
        return generator.random(len(truth)) < generator.beta(3, 2)

    verdicts = [selection(lines_of(SIZES, right, seed), question()).verdict for seed in range(60)]
    assert verdicts == ["clean"] * 60


def test_the_command_line_audits_a_file_against_the_workbook(tmp_path, capsys):
    root = plant(tmp_path)
    clips = [(f"casme2/sub{s}/EP{n:02d}_01", EMOTIONS[n % 2]) for s in ("01", "02", "03", "04") for n in range(1, 5)]
    text = "clip,fold,seed,truth,predicted\n"
    path = root / "theirs.csv"
    path.write_text(text + "".join(f"{c},{c.rpartition('/')[0]},0,{e},{e}\n" for c, e in clips))
    arguments = ["audit", "predictions", str(path), "--protocol", str(root / "planted.toml")]
    assert status([*arguments, f"--data=casme2={root / 'corpus'}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clean"]
    path.write_text(path.read_text() + f"{clips[0][0]},x,0,,{EMOTIONS[0]}\n")
    assert status([*arguments, f"--data=casme2={root / 'corpus'}"]) == 1
    assert "duplicates" in capsys.readouterr().out

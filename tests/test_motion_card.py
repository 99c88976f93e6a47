"""The motion card: clips without motion, what a model scores on them, and what the card says of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mebench.audit.motion import WHOLE, audit_motion
from mebench.audit.motionless import MOTIONLESS, duration_only, onset_only, shuffled
from mebench.audit.shortcuts import onset_only as shortcuts_onset_only
from mebench.cli import status
from mebench.errors import UsageError
from mebench.execute import run_request
from mebench.kept_json import keep_json, read_kept
from mebench.requests import Request
from mebench.runs import stored_runs, tried
from mebench.synth.workbooks import Row
from tests.killing import killed_at
from tests.moving import EMOTIONS, ONSET, rows, shown, stored, write


@pytest.fixture(scope="module")
def moving(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("moving"))


@pytest.fixture(scope="module")
def still(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("still"), moving=False)


def request(root: Path, model: str = "Means", home: Path | None = None, **more) -> Request:
    data = {"casme2": str(root / "corpus")}
    where = {"home": home or root / "home", "data": data, "allow_partial": True}
    return Request(f"{root / 'models.py'}:{model}", str(root / "moving.toml"), **where, **more)


def clip(frames: int = 6):
    return stored(Row("01", "EP01_01", ONSET, ONSET + 2, ONSET + frames - 1, "4", "disgust"), moving=True)


def seen_right() -> float:
    """UF1 of whoever predicts for each clip the class that it shows."""
    truth, said = [row.emotion for row in rows()], [shown(row) for row in rows()]
    assert truth != said
    return f1_score(truth, said, average="macro", labels=list(EMOTIONS))


def by_name(card) -> dict:
    return {one.name: one for one in card.shown}


# --- the variants ----------------------------------------------------------------------------------------------------


def test_a_clip_held_still_is_its_onset_and_its_head_stays():
    given, made = clip(), onset_only(clip())
    assert made.frames.shape == given.frames.shape
    assert (made.frames == given.frames[0]).all()
    assert (made.motion == given.motion[0]).all()
    assert (made.numbers == given.numbers).all()
    assert shortcuts_onset_only is onset_only  # the auditor holds clips still in the same way


def test_of_duration_nothing_is_left_but_how_many_frames_there_are():
    """Two clips of other people, sizes and rates: equal in all but the number and the numbers of their frames."""
    short, long = duration_only(clip(4)), duration_only(clip(6))
    assert (len(short.frames), len(long.frames)) == (4, 6)
    assert (long.frames == short.frames[0]).all()
    assert np.array_equal(short.landmarks, long.landmarks)
    assert np.array_equal(short.box, long.box)
    assert (short.fps, short.frames.shape[1:]) == (long.fps, long.frames.shape[1:])
    assert short.frames[0].std() > 5  # what divides by a contrast has one


def test_shuffled_frames_keep_their_head_motion_and_the_onset():
    given, made = clip(9), shuffled(clip(9))
    assert (made.frames[0] == given.frames[0]).all()
    moved_to = [next(i for i, f in enumerate(given.frames) if (f == frame).all()) for frame in made.frames]
    assert sorted(moved_to) == list(range(9))
    assert moved_to != list(range(9))
    assert (made.motion == given.motion[moved_to]).all()
    assert (made.inliers == given.inliers[moved_to]).all()
    assert (made.numbers == given.numbers).all()
    assert (shuffled(clip(9)).frames == made.frames).all()


# --- the card --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def card(moving):
    return audit_motion(request(moving))


def test_a_model_that_sees_motion_scores_nothing_without_it(card):
    """What clips show is told on whole clips. Clips held still differ by nothing: one class is predicted, UF1 1/3."""
    by = by_name(card)
    assert by[WHOLE].uf1 == pytest.approx(seen_right())
    assert by["onset only"].uf1 == pytest.approx(1 / 3)
    assert by["duration only"].uf1 == pytest.approx(1 / 3)
    assert by["shuffled"].uf1 == by[WHOLE].uf1  # any frame after the onset shows the class
    assert by["onset only"].less.resolved
    assert by["onset only"].less.test.difference == pytest.approx(1 / 3 - seen_right())
    assert card.complete
    assert card.findings[0].startswith("The model does better on whole clips than on the onset frame alone: UF1 .")
    assert card.findings[0].endswith("against .333.")
    assert card.findings[2].startswith("The model does no better on whole clips than on shuffled frames")


def test_a_model_of_onsets_is_told_plainly(still):
    card = audit_motion(request(still, "Face"))
    by = by_name(card)
    assert by[WHOLE].uf1 == by["onset only"].uf1 == pytest.approx(seen_right())
    assert card.findings[0].startswith("The model does no better on whole clips than on the onset frame alone: UF1 .")


def test_levels_stand_beside_the_scores(card):
    """The codes of this corpus tell the class; always one class has F1 of 2/3 and 0; all labels permute in halves."""
    levels = {level.name: level for level in card.levels}
    assert levels["AU reference"].uf1 == 1.0
    assert levels["majority class"].uf1 == pytest.approx(1 / 3)
    assert 0.5 < levels["chance at most"].uf1 < 1
    assert "predictions kept" in levels["chance at most"].words


def test_the_score_on_whole_clips_is_that_of_the_run_and_is_counted(moving, card):
    run = next(run for run in stored_runs(moving / "home") if run.id == card.run)
    assert run.status() == "complete"
    assert tried(moving / "home", run.spec) == 1  # the conditions are no configurations
    again = run_request(request(moving)).members[0]
    assert (again.run, again.done) == (card.run, 9)


def test_a_second_look_reads_what_is_kept(moving, card, monkeypatch):
    import mebench.audit.motion as module

    monkeypatch.setattr(module, "run_missing", None)
    monkeypatch.setattr(module, "motionless_inputs", None)
    assert audit_motion(request(moving)).record() == card.record()
    kept = next((moving / "home").glob("runs/*/*/*/motion/card.json"))
    record = card.record()
    assert {key: value for key, value in json.loads(kept.read_text()).items() if key != "digest"} == record
    assert not list(kept.parent.glob("*/inputs"))  # inputs without motion were kept to resume only


def test_what_another_environment_made_is_made_anew(still):
    audit_motion(request(still))
    for path in (still / "home").glob("runs/*/*/*/motion/made-by.json"):
        keep_json(path, "mebench.motion-made-by/1", read_kept(path, "mebench.motion-made-by/1", "") | {"numpy": "0.1"})
    card = audit_motion(request(still))
    assert any(note.startswith("made anew, as something changed: numpy 0.1 ->") for note in card.notes)
    assert card.complete


def test_a_model_that_cannot_be_fitted_without_motion_says_so(moving):
    card = audit_motion(request(moving, "Picky"))
    by = by_name(card)
    assert "all clips are alike" in by["onset only"].why
    assert np.isnan(by["onset only"].uf1)
    assert by["shuffled"].uf1 == pytest.approx(seen_right())
    assert not card.complete
    assert any("all clips are alike" in said for said in card.findings)


def test_a_model_that_looks_at_nothing_is_refused(moving):
    with pytest.raises(UsageError, match="looks at no frame"):
        audit_motion(request(moving, "Clipped"))


@pytest.mark.parametrize("count", [20, 90])
def test_killed_it_goes_on_and_says_the_same(moving, tmp_path, card, count):
    """Killed early in the inputs, later among the folds: the card is that of an undisturbed audit."""
    home = tmp_path / "home"
    (home / "store").parent.mkdir()
    (home / "store").symlink_to(moving / "home" / "store")
    assert killed_at("after-rename", 60 + count, lambda: audit_motion(request(moving, home=home)))
    assert not list(home.glob("runs/*/*/*/motion/card.json"))
    assert audit_motion(request(moving, home=home)).record() == card.record()


def test_the_verb_draws_the_card_and_gives_json(moving, card, capsys):
    asked = [f"{moving / 'models.py'}:Means", "--protocol", str(moving / "moving.toml"), "--allow-partial"]
    base = ["--home", str(moving / "home"), "audit", "motion", *asked, f"--data=casme2={moving / 'corpus'}", "--jobs=1"]
    assert status(base) == 0
    out = capsys.readouterr().out
    assert "The model does better on whole clips than on the onset frame alone" in out
    assert status([*base, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == card.record()
    assert [one["name"] for one in record["conditions"]] == [WHOLE, *MOTIONLESS]

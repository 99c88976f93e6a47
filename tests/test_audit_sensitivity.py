"""Psychometric insertion: known amplitudes are put in, curves with known thresholds are found again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mebench.audit import drawn, insertion
from mebench.audit.baselines import GAP_FRAMES, stretches
from mebench.audit.insertion import Move, apex_index, with_motion
from mebench.audit.psychometric import Curve, Scores, criterion, fit_curve, hit_rates, threshold
from mebench.audit.sensitivity import SensitivityQuestion, audit_sensitivity, magnified
from mebench.audit.sensitivity_report import WARNING
from mebench.clips import Clip, ClipTable
from mebench.datasets.folders import FrameFolder
from mebench.errors import DataError, UsageError
from mebench.synth.motion import expression_course

CLIP = "casme2/sub01/EP01_01f"


def test_the_motion_put_in_is_as_great_as_asked_for() -> None:
    stored = drawn.draw_clip(CLIP, drawn.CLASSES[0], 0)
    height, width = stored.frames.shape[1:]
    ramp = np.broadcast_to(2 * np.arange(height, dtype=np.uint8)[:, None], (9, height, width))
    still = replace(stored, frames=ramp.copy(), motion=stored.motion[:1].repeat(9, axis=0))
    moves = [Move(1, amplitude) for amplitude in (0.5, 1.0, 3.0)]
    for move, moved in zip(moves, with_motion(still, moves), strict=True):
        assert np.array_equal(moved.frames[0], still.frames[0])
        assert np.array_equal(moved.frames[-1], still.frames[0])
        change = moved.frames[apex_index(9)].astype(int) - still.frames[0]
        # AU 1 moves skin straight up; a pixel then shows what lay lower, 2 grey levels brighter per px
        assert change.max() == pytest.approx(2 * move.amplitude_px, abs=0.51)
        assert change.min() >= 0
        nose = round(float(still.landmarks[30, 1]))
        assert not change[nose:].any()


def test_resampling_keeps_the_noise_of_the_frames() -> None:
    stored = drawn.draw_clip(CLIP, drawn.CLASSES[0], 0)
    noise = np.random.default_rng(0).normal(128, 12, stored.frames.shape).round().astype(np.uint8)
    (moved,) = with_motion(replace(stored, frames=noise), [Move(4, 0.5)])
    at = apex_index(len(noise))
    changed = moved.frames[at] != noise[at]
    assert changed.sum() > 300
    assert moved.frames[at][changed].std() == pytest.approx(noise[at][changed].std(), rel=0.15)


def test_motion_rides_on_the_head() -> None:
    stored = drawn.draw_clip(CLIP, drawn.CLASSES[0], 0)
    frames = len(stored.frames)
    shifted = np.tile(np.array([[1.0, 0, 6], [0, 1, 0]]), (frames, 1, 1))
    still = replace(stored, frames=stored.frames[:1].repeat(frames, axis=0))
    here, there = (
        with_motion(replace(still, motion=m), [Move(4, 2.0)])[0] for m in (still.motion * 0 + np.eye(2, 3), shifted)
    )
    at = apex_index(frames)
    first, second = (np.argwhere(c.frames[at] != still.frames[0]).mean(axis=0) for c in (here, there))
    assert second - first == pytest.approx([0, 6], abs=1.5)
    assert expression_course(frames, at)[at] == 1


@pytest.mark.parametrize("unit", [4, 12])
def test_all_that_moves_lies_in_the_box_that_is_drawn(unit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = drawn.draw_clip(CLIP, drawn.CLASSES[0], 0)
    height, width = stored.frames.shape[1:3]
    nearer = np.array([[1.19, 0.12, -9.0], [-0.12, 1.19, 4.0]])  # a head that came 20 % nearer and rolled by 6 degrees
    turned = replace(stored, motion=np.tile(nearer, (len(stored.frames), 1, 1)))
    moves = [Move(unit, 3.0)]
    boxed = with_motion(turned, moves)[0].frames
    whole = np.array([(-width, -height), (2 * width, 2 * height)], float)
    monkeypatch.setattr(insertion, "_box", lambda _field: whole)
    np.testing.assert_array_equal(boxed, with_motion(turned, moves)[0].frames)
    assert (boxed != turned.frames).any()


def test_a_head_that_has_left_the_picture_is_left_alone() -> None:
    stored = drawn.draw_clip(CLIP, drawn.CLASSES[0], 0)
    for away in (-5000.0, 5000.0):
        gone = replace(stored, motion=np.tile(np.array([[1, 0, away], [0, 1, 0]]), (len(stored.frames), 1, 1)))
        np.testing.assert_array_equal(with_motion(gone, [Move(4, 2.0)])[0].frames, stored.frames)


def test_a_criterion_lets_five_percent_pass() -> None:
    scores = np.arange(100.0)
    assert criterion(scores, np.ones(100)) == 94.0  # five are greater
    twice = np.where(scores == 99, 5.0, 1.0)  # of 104, five are the one greatest
    assert criterion(scores, twice) == 98.0
    assert criterion(np.zeros(10), np.ones(10)) == 0.0  # ties do not pass


def test_a_curve_is_found_again_from_what_it_predicts() -> None:
    true = Curve(middle=-1.0, slope=3.0, false_alarms=0.05, lapses=0.03)
    clips = 400.0
    rates = {0.0: (0.05 * clips, clips)} | {a: (float(true(a)) * clips, clips) for a in (0.125, 0.25, 0.5, 1.0, 2.0)}
    found = fit_curve(rates)
    assert found.half == pytest.approx(true.half, rel=0.02)
    assert float(true(true.half)) == pytest.approx(0.5)


def test_thresholds_beyond_the_tested_amplitudes_are_not_told() -> None:
    generator = np.random.default_rng(0)
    subjects = [f"s{i % 6}" for i in range(60)]

    def rows(gain: float) -> list[tuple[str, float]]:
        return [(name, float(gain + generator.normal())) for name in subjects]

    blind = Scores(rows(0), {a: rows(0) for a in (0.5, 1.0, 2.0)})
    sharp = Scores(rows(0), {a: rows(9) for a in (0.5, 1.0, 2.0)})
    apt = Scores(rows(0), {a: rows(1.64 * a) for a in (0.25, 0.5, 1.0, 2.0, 4.0)})
    assert threshold(blind, draws=20).amplitude == np.inf
    assert threshold(sharp, draws=20).amplitude == 0.0
    found = threshold(apt, draws=60)
    assert found.low < found.amplitude < found.high
    assert found.amplitude == pytest.approx(1.0, rel=0.45)  # one deviation of 1.64 lies at the criterion
    rates = hit_rates(apt)
    assert rates[0.0][0] / rates[0.0][1] <= 0.05


def _table(first: int, last: int, **clip: object) -> tuple[ClipTable, dict[str, FrameFolder]]:
    one = Clip(CLIP, "casme2", "casme2/sub01", 50, 60, 70, 200.0, "happiness", **clip)
    folder = FrameFolder(Path("x"), tuple((n, f"img{n}.jpg") for n in range(first, last + 1)), "raw")
    return ClipTable("casme2", "coding-20140508", (one,)), {CLIP: folder}


def test_a_stretch_lies_before_the_onset_and_nowhere_near_coded_motion() -> None:
    found = stretches(*_table(10, 80), 17)
    assert found[CLIP].interval == (50 - GAP_FRAMES - 17, 50 - GAP_FRAMES - 1)
    assert not stretches(*_table(40, 80), 17)
    assert not stretches(*_table(50, 70), 17)


def test_magnification_stands_behind_the_step_that_cuts_the_face() -> None:
    recipe = "grey > align(size=128) > flow(dis) > flatten"
    assert magnified(recipe, "") == recipe
    assert magnified(recipe, "phase:6").startswith("grey > align(size=128) > magnify(factor=6") or (
        "align(size=128) > magnify(" in magnified(recipe, "phase:6")
    )
    with pytest.raises(UsageError):
        magnified("grey > onset", "phase:6")
    with pytest.raises(UsageError):
        magnified("align(size=64) > onset-apex > magnify(phase, factor=6.0)", "phase:4")


def test_what_cannot_be_put_in_is_refused(tmp_path: Path) -> None:
    for wrong in ({"units": (99,)}, {"amplitudes": (1.0,)}, {"amplitudes": (-1.0, 1.0)}, {"frames": 3}):
        with pytest.raises(UsageError):
            SensitivityQuestion("flow-svm", "casme2", tmp_path, tmp_path, **wrong)


def test_trimmed_clips_have_no_stretch_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    from mebench.synth.corpus import write_corpus

    write_corpus("casme2", tmp_path / "corpus", subjects=1, clips=1)
    with pytest.raises(DataError, match="nothing is coded"):
        audit_sensitivity(SensitivityQuestion("flow-svm", "casme2", tmp_path / "corpus", tmp_path / "home"))


def test_a_report_says_what_lies_beyond_and_what_it_rests_on() -> None:
    from mebench.audit.psychometric import Curve, Threshold
    from mebench.audit.sensitivity_report import SensitivityReport, UnitSensitivity
    from mebench.render import terminal

    curve = Curve(-1.0, 3.0, 0.05, 0.0)
    shares = {0.0: 0.05, 0.25: 0.1, 1.0: 0.8}
    within = UnitSensitivity("AU 4", Threshold(0.5, 0.0, np.inf, curve), shares, 100.0)
    beyond = UnitSensitivity("AU 14", Threshold(np.inf, 1.0, np.inf, curve), shares, 100.0)
    report = SensitivityReport(
        "flow-svm", {}, "align(size=64)", "casme2", True, 6, 8, 3, 17, 100.0, (within, beyond), {"a/b/c": "No face."}
    )
    text = " ".join(terminal(report.table(), width=160, colour=False).split())
    for said in ("< 0.25 to > 1", "0.5 %", "> 1 %", "No input of a/b/c: No face.", "too few", WARNING):
        assert said in text
    record = json.loads(json.dumps(report.record(), allow_nan=False))
    assert record["units"][0]["px"] == 0.5
    assert record["units"][1]["px"] is None
    assert record["units"][1]["said"]["px"] == "> 1"
    assert not report.complete


@pytest.mark.slow
def test_a_model_of_flow_detects_two_pixels_and_not_a_hundredth(tmp_path: Path) -> None:
    from mebench.synth.corpus import write_corpus

    write_corpus("casme2", tmp_path / "corpus", subjects=4, clips=20, amplitude=0.0)
    question = SensitivityQuestion(
        "flow-svm",
        "casme2",
        tmp_path / "corpus",
        tmp_path / "home",
        units=(4, 12),
        amplitudes=(0.01, 0.5, 2.0),
        draws=40,
    )
    report = audit_sensitivity(question)
    assert report.complete
    assert report.synthetic
    assert report.stretches == 20
    every = report.units[-1]
    assert every.detected[0.01] < 0.25
    assert every.detected[2.0] > 0.7
    assert 0.01 < every.found.amplitude < 2.0
    assert WARNING in report.record()["notes"]
    assert report.picture().startswith(b"\x89PNG")
    kept = sorted((tmp_path / "home").rglob("*.npz"))
    assert len(kept) == 20
    before = [path.stat().st_mtime_ns for path in kept]
    again = audit_sensitivity(question)
    assert json.dumps(again.record()) == json.dumps(report.record())
    assert [path.stat().st_mtime_ns for path in kept] == before
    from mebench.traces import Target, find_traces

    named = {trace.path for trace in find_traces(tmp_path / "home", Target("casme2"))}
    assert set(kept) <= named

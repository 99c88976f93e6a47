"""Error analysis: groups of clips by hand, clips seeds disagree on, clips nobody solves, how much a clip moves."""

from dataclasses import replace

import numpy as np
import pytest

from mebench.amplitude import amplitudes, apex_change
from mebench.clips import Clip
from mebench.drawing import TEMPLATE
from mebench.facs import parse
from mebench.mistakes import SHOWN, analyse, answers_of, unsolved
from mebench.predictions import Prediction, Predictions
from mebench.render import terminal
from mebench.store import StoredClip, write_clip
from tests.test_leaderboard import CLASSES, ONE, answers, entry

CLIPS = list(ONE)  # sub01: a, b; sub02: a, b


def annotated(units=("4+7", "12", "4", ""), lengths=(10, 20, 30, 40), apexes=(2, 4, None, 8)) -> dict[str, Clip]:
    """The four clips of ONE at 100 frames per second."""
    return {
        name: Clip(
            name, "casme2", name.rpartition("/")[0], 1, None if a is None else 1 + a, n, 100.0, "others", parse(u)
        )
        for name, u, n, a in zip(CLIPS, units, lengths, apexes, strict=True)
    }


def shares(found, kind):
    return {g.name: (g.clips, g.subjects, g.right) for g in found.groups[kind]}


def test_groups_hold_the_share_that_is_right_per_seed():
    two = entry("m", predictions={0: answers(ONE, (0,)), 1: answers(ONE, (0, 2, 3), seed=1)})
    found = analyse(two, annotated())
    assert shares(found, "class") == {"a": (2, 2, (0.5, 0.0)), "b": (2, 2, (1.0, 0.5))}
    # AU 4 on clips 0 and 2, AU 7 on clip 0, AU 12 on clip 1.
    assert shares(found, "action unit") == {
        "AU 4": (2, 2, (0.5, 0.0)),
        "AU 7": (1, 1, (0.0, 0.0)),
        "AU 12": (1, 1, (1.0, 1.0)),
    }
    assert found.groups["class"][1].mean == 0.75


def test_durations_are_parted_in_thirds_and_a_missing_apex_is_a_group():
    found = analyse(entry("m", (3,)), annotated())
    # .1, .2, .3 and .4 s: the thirds end at .2 and .3.
    assert [(g.clips, g.right) for g in found.groups["duration"]] == [(2, (1.0,)), (1, (1.0,)), (1, (0.0,))]
    assert [g.name for g in found.groups["duration"]] == ["up to 0.200 s", "0.200 to 0.300 s", "over 0.300 s"]
    assert [(g.name, g.clips) for g in found.groups["onset to apex"]][-1] == ("no apex coded", 1)
    assert sum(g.clips for g in found.groups["onset to apex"]) == 4


def test_equal_values_form_one_group():
    found = analyse(entry("m"), annotated(lengths=(20, 20, 20, 20)), dict.fromkeys(CLIPS, 3.0))
    assert [(g.name, g.clips) for g in found.groups["duration"]] == [("up to 0.200 s", 4)]
    assert [g.clips for g in found.groups["amplitude"]] == [4]
    assert [g.clips for g in analyse(entry("m"), {}, dict.fromkeys(CLIPS, 0.0)).groups["amplitude"]] == [4]


def test_what_is_not_at_hand_is_said():
    assert set(analyse(entry("m")).groups) == {"class"}
    assert "prepare the corpora" in analyse(entry("m")).notes[0]
    some = {name: clip for name, clip in annotated().items() if name != CLIPS[0]}
    assert "3 of 4 clips are annotated at hand" in analyse(entry("m"), some).notes[0]
    foreign = {"casme2/sub09/x": replace(annotated()[CLIPS[0]], id="casme2/sub09/x")}
    assert set(analyse(entry("m"), foreign).groups) == {"class"}


def test_seeds_that_disagree_and_clips_nobody_solves():
    two = entry("m", predictions={0: answers(ONE, (0, 1)), 1: answers(ONE, (0,), seed=1)})
    found = analyse(two, others=(entry("n", (0, 2)), entry("constant", (1, 3))))
    assert [c.clip for c in found.disagreeing] == [CLIPS[1]]
    assert dict(found.disagreeing[0].answers) == {"a": 1, "b": 1}
    assert [c.clip for c in found.unsolved] == [CLIPS[0]]
    # The majority class would solve clip 0, but it has not looked at it.
    assert [(c.clip, c.answers) for c in found.by_nobody] == [(CLIPS[0], (("b", 3),))]
    assert found.by_nobody[0].words == "b (3)"
    assert found.runs == 2
    assert unsolved([]) == ()


def test_a_missing_answer_solves_nothing():
    silent = entry("m", missing=(1,), status="incomplete")
    assert answers_of(silent)[CLIPS[1]] == (None,)
    assert [(c.clip, c.words) for c in unsolved([silent])] == [(CLIPS[1], "no answer")]


def test_several_labels_count_each_for_its_own():
    expected = {CLIPS[0]: "a+b", CLIPS[1]: "b", CLIPS[2]: "none"}
    said = {CLIPS[0]: "b", CLIPS[1]: "a+b", CLIPS[2]: "none"}
    rows = tuple(Prediction(c, "f", 0, expected[c], said[c]) for c in expected)
    units = replace(entry("m"), expected=expected, aggregate="units", predictions={0: Predictions("p", CLASSES, rows)})
    found = analyse(units)
    assert shares(found, "class") == {"a": (1, 1, (0.0,)), "b": (2, 1, (1.0,))}
    assert [c.clip for c in found.unsolved] == CLIPS[:2]  # neither whole set is right


def test_long_lists_are_cut_in_words_and_whole_in_json():
    many = {f"casme2/s/c{i:02d}": "a" for i in range(30)} | {"casme2/s/d": "b"}
    found = analyse(entry("m", tuple(range(30)), expected=many))
    shown = found.tables()[-1]
    assert len(shown.rows) == SHOWN
    assert "10 more; --json lists all." in shown.notes
    assert len(found.record()["unsolved"]) == 30
    assert "No seed of this run solves 30 clips" in terminal(shown, width=100, colour=False)


def stored(name: str, frames, motion) -> StoredClip:
    count = len(frames)
    return StoredClip(
        clip_id=name,
        frames=np.asarray(frames, dtype=np.uint8),
        numbers=np.arange(1, count + 1),
        origin=np.zeros(2, dtype=np.int64),
        landmarks=(TEMPLATE * 160).astype(np.float32),
        motion=np.asarray(motion, dtype=np.float64),
        inliers=np.full(count, 60),
        flagged=np.zeros(count, dtype=bool),
        box=np.array([0.0, 0.0, 159.0, 159.0]),
        fps=100.0,
        interval=(1, count),
        source="s" * 64,
        preparation="p" * 64,
    )


STILL = np.tile(np.eye(2, 3), (2, 1, 1))


def test_the_proxy_is_the_grey_levels_that_changed():
    flat = np.full((2, 160, 160), 100)
    flat[1] += 12
    assert apex_change(stored(CLIPS[0], flat, STILL), 1) == pytest.approx(12, abs=1e-9)


def test_a_head_that_moves_as_a_whole_changes_little():
    """A smooth pattern shifted by 5 px: known motion takes nearly all of the change away."""
    y, x = np.mgrid[:160, :160]

    def pattern(shift):
        return 120 + 60 * np.sin((x - shift) / 9) * np.cos(y / 11)

    frames = np.stack([pattern(0), pattern(5)]).round()
    shifted = STILL.copy()
    shifted[1, 0, 2] = 5
    moved, compensated = (apex_change(stored(CLIPS[0], frames, m), 1) for m in (STILL, shifted))
    assert moved > 10
    assert compensated < 1.5


def test_amplitudes_are_of_clips_with_apex_in_the_store(tmp_path):
    flat = np.full((9, 160, 160), 100)
    flat[4] += 7
    write_clip(tmp_path, stored(CLIPS[1], flat, np.tile(np.eye(2, 3), (9, 1, 1))))
    clips = annotated()  # clip 1 has its apex on frame 5, the fifth stored
    assert amplitudes(tmp_path, clips) == {CLIPS[1]: pytest.approx(7)}
    beyond = {CLIPS[1]: replace(clips[CLIPS[1]], apex=77)}
    assert amplitudes(tmp_path, beyond) == {}

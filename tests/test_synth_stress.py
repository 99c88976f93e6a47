"""One factor at a time: nothing at its neutral level, what it says at others, and nothing else."""

from collections import defaultdict

import numpy as np
import pytest

from mebench.errors import UnknownName, UsageError
from mebench.synth.asking import settings_of
from mebench.synth.shots import shots_of
from mebench.synth.stress import CONFOUNDED, FACTORS


def shots(factor, level, tier="stress"):
    return shots_of(settings_of("casme2", tier=tier, factor=factor, level=level, subjects=4, clips=40))


def equal(one, other):
    """Whether two scripts or parts of them hold the same values."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if hasattr(one, "__slots__") and not isinstance(one, str | int | float):
        return all(equal(getattr(one, name), getattr(other, name)) for name in one.__slots__)
    return one == other


def differing(one, other):
    """The fields of scripts that differ."""
    return {name for name in one.__slots__ if not equal(getattr(one, name), getattr(other, name))}


@pytest.fixture(scope="module")
def smoke():
    return shots_of(settings_of("casme2", tier="smoke", subjects=4, clips=40))


@pytest.mark.parametrize("factor", FACTORS)
def test_a_neutral_level_changes_nothing(factor, smoke):
    for shot, plain in zip(shots(factor, FACTORS[factor].neutral), smoke, strict=True):
        assert shot.clip == plain.clip
        assert differing(shot.script, plain.script) == set()


@pytest.mark.parametrize(
    ("factor", "level", "changed"),
    [
        ("yaw", 15, {"head"}),
        ("noise", 12, {"recording"}),
        ("blur", 1.5, {"recording"}),
        ("compression", 30, {"recording"}),
        ("amplitude", 2, {"units"}),
        ("apex-error", 6, set()),
        (CONFOUNDED, 1, {"closure"}),
    ],
)
def test_a_factor_changes_what_it_says_and_nothing_else(factor, level, changed, smoke):
    found = set()
    for shot, plain in zip(shots(factor, level), smoke, strict=True):
        found |= differing(shot.script, plain.script)
        assert (shot.clip.name, shot.clip.emotion, shot.clip.units) == (
            plain.clip.name,
            plain.clip.emotion,
            plain.clip.units,
        )
    assert found == changed


def test_yaw_turns_to_either_side_by_the_level(smoke):
    turned = [np.degrees(a.script.head.yaw - b.script.head.yaw) for a, b in zip(shots("yaw", 15), smoke, strict=True)]
    assert {round(float(turn[0])) for turn in turned} == {-15, 15}
    assert all(np.ptp(turn) == 0 for turn in turned)


def test_a_slower_camera_sees_the_same_event_in_fewer_frames(smoke):
    for shot, plain in zip(shots("fps", 50), smoke, strict=True):
        assert shot.script.frames == max(5, round((plain.script.frames - 1) / 4) + 1)
        assert shot.clip.take.frames == shot.script.frames == len(shot.script.closure)
        first, last = shot.script.units[0].left[[0, -1]]
        assert (first, last) == tuple(plain.script.units[0].left[[0, -1]])
        apex = shot.clip.take.apex - shot.clip.take.onset
        assert abs(apex / (shot.script.frames - 1) - _place(plain)) < 0.13  # half of the widest step, 1 of 4
        assert abs(int(shot.script.units[0].intensity.argmax()) - apex) <= 1


def _place(shot):
    return (shot.clip.take.apex - shot.clip.take.onset) / (shot.script.frames - 1)


def test_apexes_are_coded_off_within_the_clip(smoke):
    errors = []
    for shot, plain in zip(shots("apex-error", 4), smoke, strict=True):
        take = shot.clip.take
        errors.append(take.apex - plain.clip.take.apex)
        assert take.onset < take.apex < take.offset
        assert shot.script.apex == plain.script.apex
    assert 2 < np.std(errors) < 5


@pytest.mark.parametrize("tier", ["stress", "calibrated"])
def test_confounded_blinks_go_with_the_class(tier):
    blinking = defaultdict(set)
    asked = settings_of("casme2", tier=tier, factor=CONFOUNDED, level=1, subjects=8, clips=60)
    for shot in shots_of(asked):
        blinking[shot.clip.emotion].add(bool(shot.script.closure.max() > 0))
    settled = [found for found in blinking.values() if len(found) == 1]
    assert {True} in settled
    assert {False} in settled


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"tier": "stress"}, UsageError),
        ({"tier": "stress", "factor": "yaw"}, UsageError),
        ({"tier": "stress", "factor": "roll", "level": 1}, UnknownName),
        ({"tier": "stress", "factor": "yaw", "level": 31}, UsageError),
        ({"tier": "stress", "factor": "noise", "level": float("nan")}, UsageError),
        ({"tier": "stress", "factor": "amplitude", "level": 1, "amplitude": 2}, UsageError),
        ({"tier": "smoke", "factor": "yaw", "level": 1}, UsageError),
        ({"tier": "smoke", "level": 1}, UsageError),
        ({"tier": "calibrated", "factor": "yaw", "level": 1}, UsageError),
        ({"tier": "calibrated", "factor": CONFOUNDED}, UsageError),
        ({"tier": "calibrated", "clips": 256}, UsageError),
        ({"tier": "calibrated", "dataset": "smic"}, UsageError),
        ({"tier": "smoke", "renderer": "oil"}, UnknownName),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, kind):
    with pytest.raises(kind):
        settings_of(**{"dataset": "casme2", **wrong})

"""The harness that kills, starves and lies to commands; `make faults` plays the whole table."""

import shutil

import pytest

from mebench.files import sidecar, write_sealed
from tests.faults.scenarios import SCENARIOS, Disturbed, Scenario, play, stages
from tests.faults.stage import Child, Ended, judge

QUICK = ("run: kill -9 at any moment", "run: two at once", "prepare: a bit flipped", "prepare: a JPEG truncated")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    for path in (folder, *list(folder.parents)[:3]):
        path.chmod(0o755)  # somebody else looks in, too
    return folder


@pytest.fixture(scope="module")
def ready(place):
    return stages(place)


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.title in QUICK], ids=lambda one: one.title)
def test_the_same_command_makes_it_whole(scenario, ready, place):
    assert play(scenario, ready[scenario.stage], 0, place).sound


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.title)
def test_after_every_fault_the_same_command_makes_it_whole(scenario, ready, place):
    verdicts = [play(scenario, ready[scenario.stage], seed, place) for seed in range(1, 3)]
    assert [one for one in verdicts if not one.sound] == []


def test_the_full_table_kills_three_hundred_times():
    assert sum(one.repetitions for one in SCENARIOS if "kill" in one.name) >= 300


def test_the_judge_sees_what_is_lost_wrong_and_made_needlessly(ready, place):
    stage, home = ready["run"], place / "judged"
    shutil.rmtree(home, ignore_errors=True)
    end = stage.run(home)
    before = stage.whole(home)
    assert judge(stage, home, before, end) == (0, 0, 0, [])
    first, second, third = sorted(before)[:3]
    write_sealed(home / first, b"another answer\n", {})
    assert judge(stage, home, {}, end)[:3] == (0, 1, 0)
    assert judge(stage, home, before, end)[2] == 1  # made anew, too
    (home / second).unlink()
    sidecar(home / second).unlink()
    assert judge(stage, home, {}, end)[:3] == (1, 1, 0)
    (home / third).write_bytes(b"")
    lost, wrong, _, amiss = judge(stage, home, {}, end)
    assert (lost, wrong) == (2, 1)
    assert any("left damaged" in said for said in amiss)


def test_a_command_that_does_not_finish_is_told(ready, place):
    def nothing(_stage, _home, _rng):
        return Disturbed((Ended(1, "error: a\n"), Ended(1, "error: a\n  fix: b\n"), Ended(-9, "")))

    verdict = play(Scenario("nothing", "run", nothing, 1), ready["run"], 0, place)
    assert len(verdict.unclear) == 1
    assert verdict.unclear[0].startswith("said badly: 1")
    assert ready["run"].run(place / "elsewhere", Child(more=("--protocol", "no-such"))).code in (1, 2)

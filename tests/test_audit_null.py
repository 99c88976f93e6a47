"""The permutation null beside a run: p by hand, draws that resume, a rule that stops, a line on the page."""

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mebench import null_draws
from mebench.audit.null import NullQuestion, audit_null
from mebench.cli import status
from mebench.errors import RunError, UsageError
from mebench.kept_json import keep_json, read_kept
from mebench.null_draws import NullDraws, arrangements, in_order, load_draws, needed, save_draw, settling
from mebench.page.references import bound_of, chance_bound
from mebench.predictions import Prediction, Predictions
from mebench.requests import Request
from mebench.runs import stored_runs
from mebench.standing import entries_of, page
from tests.killing import killed_at
from tests.moving import write
from tests.test_leaderboard import entry

# --- p ---------------------------------------------------------------------------------------------------------------


def test_p_counts_the_true_labelling_among_the_permutations():
    """Of 9 draws two reach .5, the equal one among them: (1 + 2) / (1 + 9)."""
    found = NullDraws(0.5, (0.1, 0.2, 0.5, 0.3, 0.4, 0.6, 0.1, 0.2, 0.3))
    assert (found.reached, found.p) == (2, 0.3)
    assert found.error == pytest.approx(math.sqrt(0.3 * 0.7 / 9))
    assert math.isnan(NullDraws(0.5, ()).p)


def test_a_permutation_that_failed_counts_against_the_score():
    assert NullDraws(0.5, (0.1, math.nan, 0.2)).p == 2 / 4
    assert NullDraws(0.5, (0.1, math.nan, 0.2)).failed == 1
    assert NullDraws(0.5, (0.1,) * 38 + (math.nan,)).bound == 1.0


def test_the_sequential_rule_stops_at_the_draw_that_reaches_the_score_for_the_last_time_asked():
    """The second to reach .5 is the fourth drawn: p = 2 / 4, whatever was drawn after; with a third, all five count."""
    draws = (0.6, 0.1, 0.2, 0.5, 0.1)
    two, three = (NullDraws(0.5, draws, stop_after=h) for h in (2, 3))
    assert (two.stopped, len(two.counted), two.p) == (True, 4, 0.5)
    assert (three.stopped, len(three.counted), three.p) == (False, 5, 3 / 6)


def test_the_rule_keeps_its_level():
    """Where labels say nothing every order of score and draws is as likely: p <= .2 in at most a fifth of 2,000."""
    import numpy as np

    generator = np.random.default_rng(5)
    values = generator.random((2000, 30))
    small = [NullDraws(v[0], tuple(v[1:]), stop_after=3).p <= 0.2 for v in values]
    assert np.mean(small) < 0.2 + 3 * math.sqrt(0.2 * 0.8 / 2000)
    assert np.mean(small) > 0.1


def test_a_level_says_how_many_permutations_it_takes():
    assert [needed(alpha) for alpha in (0.05, 0.025, 0.01, 0.001, 0.3)] == [19, 39, 99, 999, 3]
    assert all(1 / (1 + needed(a)) <= a + 1e-12 < 1 / needed(a) for a in (0.05, 0.025, 0.01, 0.3))
    assert settling(0.1, 0.05) in (144, 145)  # 4 x .1 x .9 / .05^2
    with pytest.raises(UsageError, match=r"18 permutations cannot bring p down to 0\.05: it takes 19"):
        NullQuestion(Request("m", "p", Path("nowhere")), permutations=18)


def test_labellings_are_counted_by_hand():
    """Two of a and two of b: 6; three of one class: 1; one of each of three: 6. 6 x 1 x 6 = 36."""
    found = arrangements([{"a": 2, "b": 2}, {"a": 3}, {"a": 1, "b": 1, "c": 1}])
    assert 10**found == pytest.approx(36)


def test_only_draws_without_a_gap_before_them_have_an_order():
    assert in_order({0: 0.1, 1: 0.2, 3: 0.4}) == (0.1, 0.2)


# --- the draws -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("null"))


def question(root: Path, model: str = "Means", home: Path | None = None, **more) -> NullQuestion:
    data = {"casme2": str(root / "corpus")}
    given = {"permutations": 39} | more
    seeds = given.pop("seeds", 1)
    asked = Request(
        f"{root / 'models.py'}:{model}",
        str(root / "moving.toml"),
        home or root / "home",
        seeds=seeds,
        data=data,
        allow_partial=True,
    )
    return NullQuestion(asked, **given)


@pytest.fixture(scope="module")
def report(root):
    return audit_null(question(root))


def home_beside(root: Path, folder: Path) -> Path:
    """A home of its own over the same store."""
    (folder / "home").mkdir()
    (folder / "home" / "store").symlink_to(root / "home" / "store")
    return folder / "home"


def test_a_model_that_sees_the_class_lies_above_its_null(report):
    assert report.draws.p == 1 / 40
    assert report.draws.bound < report.draws.observed
    assert 0.4 < report.draws.mean < 0.6  # two classes as frequent, within most subjects
    assert report.complete
    assert report.labellings == pytest.approx(9 * math.log10(6))


def test_a_model_of_onsets_that_say_nothing_does_not(root):
    found = audit_null(question(root, "Face"))
    assert found.draws.p > 0.05
    assert found.draws.observed <= found.draws.bound


def test_more_permutations_go_on_from_those_that_are_there(root, tmp_path, report):
    home = home_beside(root, tmp_path)
    first = audit_null(question(root, home=home, permutations=20))
    files = {path.name: path.stat().st_mtime_ns for path in first.folder.glob("0*.json")}
    whole = audit_null(question(root, home=home))
    assert whole.draws.draws == report.draws.draws
    assert first.draws.draws == report.draws.draws[:20]
    assert all((first.folder / name).stat().st_mtime_ns == when for name, when in files.items())
    fewer = audit_null(question(root, home=home, permutations=20))
    assert fewer.draws.draws == first.draws.draws  # what was asked for, though more lie there


def test_workers_draw_what_one_process_draws(root, tmp_path, report):
    home = home_beside(root, tmp_path)
    found = audit_null(question(root, home=home, permutations=19), jobs=2)
    assert found.draws.draws == report.draws.draws[:19]


@pytest.mark.parametrize("count", [2, 12])
def test_killed_it_keeps_what_was_drawn_and_goes_on(root, tmp_path, report, count):
    """The finished run is written once more, then each permutation is one file: the n-th rename kills after n - 2."""
    home = home_beside(root, tmp_path)
    audit_null(question(root, home=home, estimate=True))
    assert killed_at("before-rename", count, lambda: audit_null(question(root, home=home)))
    (folder,) = home.glob("runs/*/*/*/null/seeds-1")
    assert len(load_draws(folder)) == count - 2
    assert audit_null(question(root, home=home)).draws.draws == report.draws.draws


def test_the_rule_ends_the_drawing(root, tmp_path):
    """A model for which labels say nothing: with half the draws above it, two are soon reached."""
    home = home_beside(root, tmp_path)
    found = audit_null(question(root, "Face", home=home, stop_after=2))
    assert found.draws.stopped
    assert len(list(found.folder.glob("0*.json"))) == len(found.draws.counted) < 39
    assert found.complete
    assert any("Besag & Clifford" in note for note in found.table().notes)


def test_a_permutation_on_which_the_model_fails_is_recorded_and_told(root, capsys):
    """`Moody` refuses an odd number of its first label, which the true labels never give: each fold trains on 16."""
    found = audit_null(question(root, "Moody"))
    assert not found.failed
    folder = found.folder
    save_draw(folder, 3, {}, "RuntimeError: not today")
    again = audit_null(question(root, "Moody"))
    assert again.failed == {3: "RuntimeError: not today"}
    assert again.draws.reached == found.draws.reached + (not found.draws.draws[3] >= found.draws.observed)
    assert not again.complete
    assert any("count as reaching the score; number 3: RuntimeError" in note for note in again.table().notes)
    asked = [f"{root / 'models.py'}:Moody", "--protocol", str(root / "moving.toml"), "--allow-partial"]
    data = f"--data=casme2={root / 'corpus'}"
    base = ["--home", str(root / "home"), "audit", "null", *asked, data, "--permutations=39", "--jobs=1"]
    assert status([*base, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["failed"] == {"3": "RuntimeError: not today"}


def test_an_estimate_draws_nothing_and_says_how_long(root, tmp_path):
    home = home_beside(root, tmp_path)
    said: list[str] = []
    found = audit_null(question(root, home=home, estimate=True), say=said.append)
    assert "39 permutations to draw, 9 folds each" in said[0]
    assert "p at level 0.05 takes 19 at least" in said[0]
    assert not list(found.folder.glob("0*.json"))
    assert math.isnan(found.draws.p)


def test_draws_of_another_environment_are_not_mixed_in(root, tmp_path):
    home = home_beside(root, tmp_path)
    folder = audit_null(question(root, home=home, permutations=19)).folder
    manifest = read_kept(folder / "manifest.json", "mebench.null/1", "")
    manifest["environment"]["numpy"] = "0.1"
    keep_json(folder / "manifest.json", "mebench.null/1", manifest)
    with pytest.raises(RunError, match=r"another environment: numpy 0\.1 ->"):
        audit_null(question(root, home=home, permutations=20))
    fresh = audit_null(question(root, home=home, permutations=19, fresh=True))
    assert len(fresh.draws.draws) == 19


def test_a_damaged_draw_is_named(tmp_path):
    save_draw(tmp_path, 0, {"all": 0.5})
    path = tmp_path / "00000.json"
    path.write_text(path.read_text().replace("0.5", "0.6"))
    with pytest.raises(RunError, match=r"00000\.json is damaged"):
        load_draws(tmp_path)


def test_few_labellings_are_told(report):
    few = replace(report, labellings=1.0)
    assert any("there are only 10 labellings" in note for note in few.table().notes)
    assert not any("labellings" in note for note in report.table().notes)


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_run_carries_its_bound_and_the_page_says_so(root, report):
    (found,) = (e for e in entries_of(root / "home", None) if e.run == report.run)
    assert found.null_bound == report.draws.bound == bound_of(found)
    assert "were fitted again under each permutation" in page(root / "home", None)


def test_without_a_null_predictions_are_kept():
    truth = {f"casme2/s{i}/c{j}": "ab"[j % 2] for i in range(3) for j in range(4)}
    said = Predictions("p", ("a", "b"), tuple(Prediction(c, "f", 0, t, t) for c, t in truth.items()))
    one = entry(expected=truth, predictions={0: said})
    assert bound_of(one) == chance_bound(one)
    assert bound_of(replace(one, null_bound=0.125)) == 0.125


def test_a_null_of_fewer_than_39_draws_no_line(tmp_path):
    for number in range(38):
        save_draw(null_draws.null_folder(tmp_path, 1), number, {"all": 0.2})
    assert math.isnan(null_draws.null_of_run(tmp_path, {0: 0.5}).bound)
    save_draw(null_draws.null_folder(tmp_path, 1), 38, {"all": 0.3})
    assert null_draws.null_of_run(tmp_path, {0: 0.5}).bound == 0.3
    assert null_draws.null_of_run(tmp_path, {1: 0.5}) is None  # its seeds are others


def test_several_seeds_are_averaged_alike(root, tmp_path):
    home = home_beside(root, tmp_path)
    found = audit_null(question(root, home=home, permutations=19, seeds=2))
    assert found.folder.name == "seeds-2"
    assert Counter(len(run.seeds) for run in stored_runs(home)) == {2: 1}
    assert found.draws.seeds == 2

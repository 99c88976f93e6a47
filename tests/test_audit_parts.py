"""The parts of the auditor of models: variants of a task, chance, comparison, and what is seen."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from mebench.audit import drawn, variants
from mebench.audit.chance import chance_of, confirmed, uf1_of
from mebench.audit.checks import same
from mebench.audit.folders import FolderWatch
from mebench.audit.session import Surroundings
from mebench.audit.world import World, null_world
from mebench.inputs import sample_of
from mebench.predictions import Prediction
from mebench.recipes import parse_recipe
from mebench.scoring import score
from tests.toy import CLASSES, informative_inputs, toy_task


def test_scrambling_changes_every_held_out_annotation_and_no_other():
    task = toy_task()
    fold = task.folds[0]
    other = variants.scrambled(task, fold)
    for before, after in zip(task.items, other.items, strict=True):
        held_out = before.id in fold.test
        assert (before.label != after.label) == held_out
        assert (before.clip.emotion != after.clip.emotion) == held_out  # the record would tell what the label hides
        assert (before.id, before.subject) == (after.id, after.subject)


def test_misled_labels_keep_each_subjects_counts_and_hardly_any_place():
    """Three classes twice per subject: chance leaves a third in place, the best of 200 permutations far less."""
    task = toy_task()
    other = variants.misled(task, 0)
    assert Counter((i.subject, i.label) for i in other.items) == Counter((i.subject, i.label) for i in task.items)
    kept = np.mean([a.label == b.label for a, b in zip(task.items, other.items, strict=True)])
    assert kept < 0.2
    assert all(item.clip.emotion == item.label for item in other.items)


def test_other_names_keep_order_subject_codes_and_inputs():
    task = toy_task()
    fold, inputs = task.folds[1], informative_inputs(task)
    other, renamed, values, old = variants.renamed(task, fold, inputs)
    assert [old[c] for c in renamed.train] == list(fold.train)
    assert not {*renamed.train, *renamed.test} & {*fold.train, *fold.test}
    assert all(np.array_equal(values[new], inputs[name]) for new, name in old.items())

    def codes(tasks, clips):
        subjects = {item.id: item.subject for item in tasks.items}
        return np.unique([subjects[c] for c in clips], return_inverse=True)[1].tolist()

    assert codes(other, renamed.train) == codes(task, fold.train)


def test_parts_of_the_test_clips_cover_each_once():
    fold = toy_task().folds[0]
    assert sorted(c for part in variants.parts_of_test(fold) for c in part.test) == sorted(fold.test)
    assert [part.test for part in variants.single_tests(fold)] == [(c,) for c in fold.test]


def test_uf1_of_codes_is_that_of_the_scorer():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(3, size=(5, 20)), rng.integers(4, size=20)  # 3 is no prediction
    names = [*CLASSES, None]
    expected = [
        score([CLASSES[t] for t in row], [names[p] for p in predicted], CLASSES, full=False).uf1 for row in truth
    ]
    assert uf1_of(truth, predicted, 3) == pytest.approx(expected)


def test_the_null_of_a_tiny_case_is_that_of_all_permutations():
    """Labels a, a, b of one subject, all predicted right: of 6 permutations 2 leave every label in place, so p is 1/3.

    Each other permutation leaves one clip right: F1 of a is 2*1/(2+2) = 1/2, that of b 0: UF1 1/4. Mean: (2 + 4/4)/6.
    """
    truth = ["a", "a", "b"]
    assert sum(list(p) == truth for p in permutations(truth)) == 2
    found = chance_of(truth, truth, ["s"] * 3, ["a", "b"])
    assert found.uf1 == 1
    assert found.p == pytest.approx(1 / 3, abs=0.02)
    assert found.expected == pytest.approx(0.5, abs=0.02)


def test_knowing_subjects_counts_is_no_knowledge():
    """Each subject holds one class only: whoever knows the subject is right, and so is every permutation."""
    truth = [CLASSES[i // 4] for i in range(12)]
    assert chance_of(truth, truth, [f"s{i // 4}" for i in range(12)], CLASSES).p == 1


def test_a_suspicion_is_confirmed_on_fresh_data_or_dropped():
    sure = chance_of(["a", "b"] * 20, ["a", "b"] * 20, ["s"] * 40, ["a", "b"])
    luck = replace(sure, p=0.5)
    assert confirmed(sure, lambda: sure) == (True, sure)
    assert confirmed(sure, lambda: luck) == (False, luck)
    assert confirmed(luck, lambda: pytest.fail("there was nothing to confirm")) == (False, luck)


@pytest.mark.parametrize(
    ("scores", "predicted", "exact", "alike"),
    [
        ((0.2, 0.8), "b", True, True),
        ((0.2, 0.8 + 1e-12), "b", True, False),
        ((0.2, 0.8 + 1e-12), "b", False, True),
        ((0.2, 0.81), "b", False, False),
        ((0.2, 0.8), "a", False, False),
        ((np.nan, np.nan), "b", False, False),
    ],
)
def test_what_counts_as_the_same_prediction(scores, predicted, exact, alike):
    before = Prediction("c", "f", 0, "a", "b", (0.2, 0.8))
    assert same(before, replace(before, predicted=predicted, scores=scores), exact=exact) is alike


def test_a_tie_may_fall_either_way_where_a_batch_is_cut_otherwise():
    tied = Prediction("c", "f", 0, "a", "b", (0.5, 0.5))
    assert same(tied, replace(tied, predicted="a"), exact=False)
    assert not same(tied, replace(tied, predicted="a"), exact=True)


def test_a_null_world_keeps_every_values_spread_and_says_nothing_of_the_class(tmp_path):
    labels = drawn.draw_labels(5, 9, 0)
    task = drawn.task_of(drawn.write_annotation(tmp_path / "CASME2", labels))
    inputs = drawn.draw_features(task, 0)
    world = World(task, inputs, Surroundings(tmp_path, (), ()), task.folds, "")
    null = null_world(world, 1)
    assert len(null.task.items) == 120
    assert not set(null.inputs) & set(inputs)
    for i in range(drawn.FEATURES):
        assert {float(v[i]) for v in null.inputs.values()} <= {float(v[i]) for v in inputs.values()}
    codes = np.array([CLASSES.index(item.label) for item in null.task.items])
    values = np.stack([null.inputs[item.id] for item in null.task.items])
    apart = [abs(values[codes == c, c].mean() - values[codes != c, c].mean()) for c in range(3)]
    assert max(apart) < 0.5  # the classes lie 1 apart in the world itself, SD .76 and 40 clips: 3.5 errors of .14


def test_a_drawn_clip_moves_where_its_class_says():
    """Over many clips, flow of a surprise points up at the brows, that of a happiness at the mouth's corners.

    Means of 16 clips whose amounts have SD .7: an error of .18 of the 2 px, and .35 px are two of these.
    """
    points = drawn.draw_clip("casme2/sub01/EP01_01f", "surprise", 0).landmarks
    field = parse_recipe("onset-apex(middle) > flow")

    def upward(label, landmarks):
        clips = [drawn.draw_clip(f"casme2/sub01/EP{i:02d}_01f", label, 0) for i in range(16)]
        flows = [field.apply(sample_of(stored, None)).array[..., 1] for stored in clips]
        return float(np.mean([[-v[round(y), round(x)] for x, y in points[landmarks]] for v in flows]))

    brows, corners = slice(18, 26), [48, 54]
    assert upward("surprise", brows) > 1
    assert abs(upward("surprise", corners)) < 0.3
    assert upward("happiness", corners) > 1
    assert abs(upward("happiness", brows)) < 0.3


def test_drawn_labels_hold_every_class_twice_per_subject():
    counts = Counter((clip.split("/")[1], label) for clip, label in drawn.draw_labels(5, 9, 3).items())
    assert len(counts) == 15
    assert min(counts.values()) >= 2


def test_folders_see_reads_of_other_processes_and_nothing_from_before(tmp_path):
    inner = tmp_path / "store" / "inner"
    inner.mkdir(parents=True)
    (inner / "clip.h5").write_bytes(b"frames")
    (inner / "clip.h5").read_bytes()
    with FolderWatch([tmp_path / "store"]) as still:
        pass
    assert still.paths == ()
    with FolderWatch([tmp_path / "store"]) as seen:
        subprocess.run([sys.executable, "-c", f"open({str(inner / 'clip.h5')!r}).read()"], check=True)
    assert seen.complete
    assert seen.paths == (str(inner / "clip.h5"),)


def test_the_audits_own_files_name_the_core_and_not_the_cheats():
    """The watch attributes frames by file: a plugin of mebench owns its package, never the core around it."""
    from mebench.audit.watch import owned_by
    from mebench.plugins import load_model

    (owned,) = owned_by(load_model("lbp-top").factory)
    assert Path(owned).name == "baselines"

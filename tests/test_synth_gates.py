"""The gates of the calibrated tier: what must not tell the class does not; units tell it as well as in life."""

from argparse import Namespace

import pytest

from benchmarks.calibrated import faces_gate, plan_gates, shortcut_gates, sketch_gates
from benchmarks.renderers import Cell, Size, measured
from mebench.synth.asking import settings_of


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["casme2", "samm"])
def test_duration_pose_and_blinks_tell_nothing_and_units_what_they_do_in_life(dataset, tmp_path):
    options = Namespace(home=tmp_path, permutations=39, jobs=1)
    gates = plan_gates(settings_of(dataset, tier="calibrated", seed=0), options)
    assert [gate.line() for gate in gates if not gate.open] == []


@pytest.mark.slow
def test_frames_tell_nothing_and_dlib_finds_every_face(tmp_path):
    """On a part of the table, of which LBP-TOP learns too little: what it reaches is asked of a sketch of the whole.

    Six runs are each compared with the 97.5 % point of their null: one may lie above it by chance, two may not.
    """
    options = Namespace(home=tmp_path, permutations=39, jobs=2)
    settings = settings_of("casme2", tier="calibrated", subjects=13, clips=112, seed=0)
    shortcuts, faces = list(shortcut_gates(settings, options)), list(faces_gate(settings, options))
    assert len(shortcuts) == 6
    told = [gate.line() for gate in shortcuts if not gate.open]
    assert len(told) <= 1, told
    assert [gate.line() for gate in faces if not gate.open] == []


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A home for the corpora of both renderers, drawn once."""
    return tmp_path_factory.mktemp("rendered")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["flow-svm", "mdmo"])
@pytest.mark.parametrize(("train", "test"), [("portrait", "solid"), ("solid", "portrait")])
def test_what_sees_motion_on_one_renderer_sees_it_on_the_other(model, train, test, rendered):
    cell = Cell(rendered, Size(6, 60, 39), model, train, test)
    evidence = measured(cell).evidence
    assert evidence.above, (evidence.mean, evidence.bound)


@pytest.mark.slow
def test_lbp_top_reaches_on_a_sketch_what_it_does_on_the_real_corpus(tmp_path):
    (gate,) = sketch_gates(settings_of("casme2", tier="calibrated", seed=0), Namespace(home=tmp_path))
    assert gate.open, gate.line()


@pytest.mark.slow
def test_confounded_blinks_open_the_gate_of_blinks(tmp_path):
    options = Namespace(home=tmp_path, permutations=39, jobs=1)
    asked = settings_of("casme2", tier="calibrated", factor="confounded-blinks", level=1.0, seed=0)
    told = [gate.name for gate in plan_gates(asked, options) if not gate.open]
    assert told
    assert all(name.startswith("blinks") for name in told)

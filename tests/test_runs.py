"""A run on disk: what its files say, and what they refuse."""

import json
import multiprocessing
from dataclasses import replace

import pytest

from mebench import runs
from mebench.errors import RunError, UnknownName
from mebench.predictions import Prediction

SPEC = runs.RunSpec(
    protocol="toy-loso",
    protocol_digest="p" * 64,
    fingerprints={"casme2": "f" * 64},
    model="constant",
    model_version=1,
    model_digest=None,
    parameters={"C": 1.0},
    recipe="none",
    input_key="none",
    selection="fixed",
    weights={},
    partial=False,
    facts={"title": "Majority class", "privilege": "none", "fidelity": None},
)
CLASSES = ["a", "b"]
FACTS = {
    "classes": CLASSES,
    "folds": [
        {"id": "casme2/s1", "train": 1, "test": ["casme2/s1/x"]},
        {"id": "casme2/s2", "train": 1, "test": ["casme2/s2/y"]},
    ],
    "truth": {"casme2/s1/x": "a", "casme2/s2/y": "b"},
}
ROWS = {
    "casme2/s1": [Prediction("casme2/s1/x", "casme2/s1", 0, "a", "a", (0.75, 0.25))],
    "casme2/s2": [Prediction("casme2/s2/y", "casme2/s2", 0, "b", "a", (1.0, 0.0))],
}


@pytest.fixture
def seed_run(tmp_path):
    return runs.open_seed(tmp_path, SPEC, 0, FACTS)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol_digest": "q" * 64},
        {"fingerprints": {"casme2": "0" * 64}},
        {"model_version": 2},
        {"model_digest": "d"},
        {"parameters": {"C": 2.0}},
        {"input_key": "other"},
        {"selection": "inner"},
        {"weights": {"backbone": "w"}},
        {"partial": True},
    ],
)
def test_whatever_changes_predictions_changes_the_id(change):
    assert replace(SPEC, **change).id != SPEC.id


def test_what_is_only_printed_does_not_change_the_id():
    assert replace(SPEC, facts={"title": "Another title"}).id == SPEC.id


def test_state_follows_from_the_files(seed_run, tmp_path):
    assert seed_run.status() == "incomplete"
    assert seed_run.finish() is None
    seed_run.save_fold("casme2/s1", ROWS["casme2/s1"])
    assert (seed_run.done("casme2/s1"), seed_run.done("casme2/s2")) == (True, False)
    seed_run.save_failure("casme2/s2", "ValueError: no", "trace")
    assert seed_run.status() == "failed"
    assert seed_run.failures() == {"casme2/s2": "ValueError: no"}
    seed_run.save_fold("casme2/s2", ROWS["casme2/s2"])
    assert seed_run.status() == "complete"
    assert seed_run.failures() == {}
    assert seed_run.finish().read_text() == (
        "clip,fold,seed,truth,predicted,score_a,score_b\n"
        "casme2/s1/x,casme2/s1,0,a,a,0.75,0.25\n"
        "casme2/s2/y,casme2/s2,0,b,a,1.0,0.0\n"
    )


def test_reopening_keeps_what_is_done_and_fresh_discards_it(seed_run, tmp_path):
    seed_run.save_fold("casme2/s1", ROWS["casme2/s1"])
    assert runs.open_seed(tmp_path, SPEC, 0, FACTS).done("casme2/s1")
    assert not runs.open_seed(tmp_path, SPEC, 0, FACTS, fresh=True).done("casme2/s1")
    assert not list(seed_run.path.parent.glob("*.discarded"))


def test_a_flipped_byte_undoes_the_fold_and_is_named(seed_run):
    seed_run.save_fold("casme2/s1", ROWS["casme2/s1"])
    path = next((seed_run.path / "folds").glob("*.csv"))
    path.write_bytes(path.read_bytes().replace(b",a,a,", b",a,b,"))
    assert not seed_run.done("casme2/s1")
    assert seed_run.damaged("casme2/s1")
    assert len(seed_run.predictions()) == 0


def test_another_environment_is_not_mixed_in(seed_run, tmp_path):
    manifest = json.loads((seed_run.path / "manifest.json").read_text())
    manifest["environment"]["numpy"] = "0.9"
    (seed_run.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"another environment: numpy 0\.9 -> "):
        runs.open_seed(tmp_path, SPEC, 0, FACTS)
    assert runs.open_seed(tmp_path, SPEC, 0, FACTS, fresh=True).status() == "incomplete"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "other"}', '{"schema": "mebench.run/1"}', "\x00"])
def test_a_damaged_manifest_is_one_error(seed_run, tmp_path, content):
    (seed_run.path / "manifest.json").write_text(content)
    with pytest.raises(RunError):
        runs.stored_runs(tmp_path)


def _hold(path, held, release):
    seed_run = runs.SeedRun(path, json.loads((path / "manifest.json").read_text()))
    with runs.locked(seed_run, "1/1"):
        held.set()
        release.wait(30)


def test_two_processes_do_not_work_on_one_shard(seed_run):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(seed_run.path, held, release))
    other.start()
    try:
        assert held.wait(30)
        with pytest.raises(RunError, match="Another process"), runs.locked(seed_run, "1/1"):
            pass
        with runs.locked(seed_run, "1/2"):
            pass
    finally:
        release.set()
        other.join()
    with runs.locked(seed_run, "1/1"):
        pass


def test_the_ledger_counts_configurations_once_and_forgets_none(seed_run, tmp_path):
    import shutil

    other = replace(SPEC, parameters={"C": 2.0})
    for spec in (SPEC, SPEC, other):
        runs.note_tried(tmp_path, spec)
    facts = {"protocol": SPEC.protocol, "fingerprints": SPEC.fingerprints, "model": SPEC.model}
    assert runs.tried(tmp_path, facts) == 2
    shutil.rmtree(tmp_path / "runs")
    assert runs.tried(tmp_path, facts) == 2
    assert runs.tried(tmp_path, facts | {"model": "other"}) == 0
    assert runs.tried(tmp_path, facts | {"fingerprints": {"casme2": "0" * 64}}) == 0


def test_a_run_is_found_by_the_start_of_its_id_or_its_model(seed_run, tmp_path):
    assert runs.find_run(tmp_path, SPEC.id[:5]).id == SPEC.id
    assert runs.find_run(tmp_path, "constant").id == SPEC.id
    with pytest.raises(UnknownName):
        runs.find_run(tmp_path, "zzz")
    runs.open_seed(tmp_path, replace(SPEC, parameters={}), 0, FACTS)
    with pytest.raises(RunError, match="2 runs answer"):
        runs.find_run(tmp_path, "constant")

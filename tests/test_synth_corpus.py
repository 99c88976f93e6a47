"""Synthetic corpora on disk: real layouts, equal bytes for equal arguments, never half a corpus."""

import errno
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mebench.datasets import casme2, samm, smic
from mebench.errors import DataError, UnknownName, UsageError
from mebench.synth import corpus
from mebench.synth.asking import settings_of
from mebench.synth.corpus import write_corpus
from mebench.synth.truth import read_truth
from mebench.vision.faces import dlib_finder

SMALL = {"casme2": (2, 4), "samm": (1, 1), "smic": (1, 2)}
READERS = {"casme2": casme2.DATASET, "samm": samm.DATASET, "smic": smic.HS}
SHAPES = {"casme2": (480, 640, 3), "samm": (650, 960), "smic": (480, 640, 3)}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    for name, (subjects, clips) in SMALL.items():
        write_corpus(name, folder / name, subjects=subjects, clips=clips, seed=5)
    return folder


def digest(root):
    parts = [
        f"{p.relative_to(root)} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in root.rglob("*") if p.is_file()
    ]
    return sorted(parts)


@pytest.mark.parametrize("name", SMALL)
def test_the_readers_read_what_was_written(roots, name):
    root, reader = roots / name, READERS[name]
    table = reader.load(root)
    assert (len(table.subjects), len(table)) == SMALL[name]
    assert table.synthetic is not None
    assert table.synthetic.seed == 5
    frames = reader.frames(root, table)
    for clip in table:
        folder = frames[clip.id]
        assert [number for number, _ in folder.frames] == list(range(clip.onset, clip.offset + 1))
        image = cv2.imread(str(folder.path / folder.frames[0][1]), cv2.IMREAD_UNCHANGED)
        assert image.shape == SHAPES[name]


@pytest.mark.parametrize("name", SMALL)
def test_the_truth_agrees_with_the_annotation(roots, name):
    table = READERS[name].load(roots / name)
    for clip in table:
        truth = read_truth(roots / name, clip.id)
        assert truth.numbers.tolist() == list(range(clip.onset, clip.offset + 1))
        assert truth.landmarks.shape == (clip.length, 68, 2)
        assert truth.head_motion.shape == (clip.length, 2, 3)
        assert np.allclose(truth.head_motion[0], [[1, 0, 0], [0, 1, 0]])
        if name != "smic":
            assert int(truth.apex) == clip.apex
            assert "+".join(truth.units) == clip.action_units.text


def test_file_names_are_those_of_the_corpora(roots):
    def example(name, pattern):
        return next(iter(sorted((roots / name).rglob(pattern)))).relative_to(roots / name)

    clip = READERS["casme2"].load(roots / "casme2").clips[0]
    assert (roots / "casme2/CASME2_RAW_selected/sub01" / clip.name / f"img{clip.onset}.jpg").is_file()
    assert (roots / "casme2/CASME2-coding-20140508.xlsx").is_file()
    assert (roots / "casme2/CASME2-ObjectiveClasses.xlsx").is_file()
    parts = example("samm", "*.jpg").parts
    assert parts[:2] == ("SAMM", "006")
    assert parts[2].startswith("006_")
    assert len(Path(parts[3]).stem) == len("006_00000")
    parts = example("smic", "*.bmp").parts
    assert parts[:4] == ("SMIC_all_raw", "HS", "s1", "micro")
    assert parts[5].startswith({"negative": "s1_ne_", "positive": "s1_po_", "surprise": "s1_sur_"}[parts[4]])


def test_dlib_finds_the_face_and_its_landmarks_in_every_frame(roots):
    table = READERS["casme2"].load(roots / "casme2")
    frames = READERS["casme2"].frames(roots / "casme2", table)
    errors = []
    for clip in table:
        truth = read_truth(roots / "casme2", clip.id)
        for i in range(0, clip.length, 10):
            image = cv2.imread(str(frames[clip.id].path / frames[clip.id].frames[i][1]))
            faces = dlib_finder().find(np.ascontiguousarray(image[..., ::-1]))
            assert len(faces) == 1
            errors.append(np.linalg.norm(faces[0].landmarks - truth.landmarks[i], axis=1).mean())
    assert np.mean(errors) <= 3


def test_people_differ_in_their_landmarks(roots):
    table = READERS["casme2"].load(roots / "casme2")
    one, other = (
        read_truth(roots / "casme2", next(c.id for c in table if c.subject == subject)).landmarks[0]
        for subject in table.subjects
    )
    assert np.linalg.norm(one - other, axis=1).mean() >= 5


def test_equal_arguments_give_equal_bytes_whatever_the_number_of_jobs(roots, tmp_path):
    write_corpus("casme2", tmp_path / "again", subjects=2, clips=4, seed=5, jobs=2)
    assert digest(tmp_path / "again") == digest(roots / "casme2")


def test_progress_counts_clips(tmp_path):
    seen = []
    write_corpus("smic", tmp_path / "smic", subjects=1, clips=1, progress=lambda *step: seen.append(step))
    assert seen == [(1, 1, "s1")]


def test_the_marker_says_what_was_asked_for(roots):
    record = json.loads((roots / "samm/mebench-synthetic.json").read_text())
    assert record["settings"] == {"amplitude": 1.0, "dataset": "samm"}
    assert record["tier"] == "smoke"
    assert sum(record["per_emotion"].values()) == record["clips"] == 1


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"tier": "stress", "factor": "noise", "level": 8}, {"factor": "noise", "level": 8.0, "renderer": "portrait"}),
        ({"tier": "calibrated"}, {"renderer": "portrait"}),
    ],
)
def test_the_marker_names_tier_renderer_factor_and_level(tmp_path, asked, named):
    size = {"subjects": 2, "clips": 4, "seed": 5}
    mark = corpus.annotate_corpus(settings_of("casme2", **asked, **size), tmp_path / "x")
    assert mark.tier == asked["tier"]
    assert mark.settings.items() >= named.items()
    table = casme2.DATASET.load(tmp_path / "x")
    smoke = corpus.annotate_corpus(settings_of("casme2", tier="smoke", **size), tmp_path / "smoke")
    assert "renderer" not in smoke.settings
    assert table.fingerprint != casme2.DATASET.load(tmp_path / "smoke").fingerprint


def test_a_neutral_stress_corpus_has_a_board_of_its_own(tmp_path):
    size = {"subjects": 2, "clips": 4, "seed": 5}
    prints = set()
    for name, more in (("smoke", {"tier": "smoke"}), ("stress", {"tier": "stress", "factor": "blur", "level": 0.0})):
        corpus.annotate_corpus(settings_of("casme2", **more, **size), tmp_path / name)
        prints.add(casme2.DATASET.load(tmp_path / name).fingerprint)
    assert len(prints) == 2


@pytest.mark.slow
def test_a_calibrated_corpus_is_read_found_and_written_alike_twice(tmp_path):
    """Frames of a calibrated and a stressed corpus: the readers read them, dlib finds the face at onset and apex."""
    for name, asked in (("c", {"tier": "calibrated"}), ("s", {"tier": "stress", "factor": "yaw", "level": 10})):
        root = tmp_path / name
        write_corpus("casme2", root, subjects=2, clips=3, seed=1, **asked)
        table = casme2.DATASET.load(root)
        frames = casme2.DATASET.frames(root, table)
        for clip in table:
            shown = dict(frames[clip.id].frames)
            assert list(shown) == list(range(clip.onset, clip.offset + 1))
            for number in (clip.onset, clip.apex):
                image = cv2.imread(str(frames[clip.id].path / shown[number]))
                assert len(dlib_finder().find(np.ascontiguousarray(image[..., ::-1]))) == 1
            assert read_truth(root, clip.id).numbers.tolist() == list(shown)
        write_corpus("casme2", tmp_path / "again", subjects=2, clips=3, seed=1, jobs=2, **asked)
        assert digest(tmp_path / "again") == digest(root)


def test_a_folder_with_other_content_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="no synthetic corpus"):
        write_corpus("smic", tmp_path / "mine", subjects=1, clips=1)
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"


def test_an_earlier_synthetic_corpus_is_replaced(tmp_path):
    out = tmp_path / "smic"
    write_corpus("smic", out, subjects=1, clips=1, seed=1)
    before = digest(out)
    write_corpus("smic", out, subjects=1, clips=1, seed=2)
    assert digest(out) != before
    assert [p.name for p in tmp_path.iterdir()] == ["smic"]


def test_a_full_disk_leaves_no_corpus_and_no_rubbish(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(corpus, "write_truth", full)
    with pytest.raises(DataError, match="No space left on device"):
        write_corpus("smic", tmp_path / "smic", subjects=1, clips=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"dataset": "casme3"}, UnknownName),
        ({"tier": "huge"}, UnknownName),
        ({"subjects": 27}, UsageError),
        ({"subjects": 0}, UsageError),
        ({"subjects": 4, "clips": 3}, UsageError),
        ({"amplitude": -0.1}, UsageError),
        ({"amplitude": float("nan")}, UsageError),
        ({"amplitude": 3.5}, UsageError),
        ({"seed": -1}, UsageError),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(tmp_path, wrong, kind):
    arguments = {"dataset": "casme2"} | wrong
    with pytest.raises(kind):
        write_corpus(arguments.pop("dataset"), tmp_path / "out", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_truth_is_an_error(roots):
    with pytest.raises(DataError, match="no truth"):
        read_truth(roots / "casme2", "casme2/sub01/EP99_99f")

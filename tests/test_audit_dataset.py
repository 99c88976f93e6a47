"""The auditor of corpora: planted duplicates, ranges and labels are found, a sound corpus passes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mebench.audit import annotation
from mebench.audit.dataset import DOES, DatasetQuestion, audit_dataset
from mebench.audit.pictures import Portrait, near_duplicates, shared_people, small
from mebench.cli import status
from mebench.clips import ClipTable
from mebench.facs import objective_class, parse
from mebench.synth.workbooks import Row, casme2_workbook
from tests.toy import toy_table

ONSET, FRAMES = 46, 4


def picture(seed: int) -> np.ndarray:
    """A smooth face-like noise image of one person and moment, (120, 100) uint8."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(120, 100)), (0, 0), 3)
    return np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


def write(root: Path, emotions: tuple[str, ...] = ("disgust", "happiness")) -> Path:
    """Two subjects with two clips each; every frame differs from every other."""
    root.mkdir()
    rows = [
        Row(s, f"EP{c:02d}_01", ONSET, ONSET + 2, ONSET + FRAMES - 1, ("4", "12")[c - 1], emotions[c - 1])
        for s in ("01", "02")
        for c in (1, 2)
    ]
    casme2_workbook(root / "CASME2-coding-20140508.xlsx", rows)
    for i, row in enumerate(rows):
        folder = root / "CASME2-RAW" / f"sub{row.subject}" / row.name
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            shown = np.roll(picture(int(row.subject) * 10 + i), frame)
            cv2.imwrite(str(folder / f"img{ONSET + frame}.jpg"), shown)
    return root


def frame(root: Path, clip: str, number: int = ONSET) -> Path:
    return root / "CASME2-RAW" / clip / f"img{number}.jpg"


def audited(root: Path):
    return audit_dataset(DatasetQuestion("casme2", root))


def test_a_sound_corpus_passes(tmp_path):
    report = audited(write(tmp_path / "corpus"))
    assert report.caught == ()
    assert {f.check for f in report.findings} == set(DOES)
    assert report.verdict("people") == "not applicable"  # noise has no face


def test_a_file_copied_to_another_subject_is_caught(tmp_path):
    root = write(tmp_path / "corpus")
    shutil.copy(frame(root, "sub01/EP01_01", ONSET + 1), frame(root, "sub02/EP01_01", ONSET + 2))
    report = audited(root)
    assert report.caught == ("files",)
    assert report.findings[5].items == ("casme2/sub01/EP01_01 and casme2/sub02/EP01_01 (1)",)


def test_a_picture_saved_anew_is_caught_though_its_bytes_differ(tmp_path):
    root = write(tmp_path / "corpus")
    image = cv2.imread(str(frame(root, "sub01/EP01_01")), cv2.IMREAD_GRAYSCALE)
    brighter = np.clip(image[2:-2, 2:-2] * 1.1 + 5, 0, 255).astype(np.uint8)
    cv2.imwrite(str(frame(root, "sub02/EP02_01")), brighter, [cv2.IMWRITE_JPEG_QUALITY, 70])
    report = audited(root)
    assert report.caught == ("duplicates",)
    assert "casme2/sub01/EP01_01 and casme2/sub02/EP02_01" in report.findings[6].why


def test_frames_shared_within_one_subject_and_label_are_reported(tmp_path):
    root = write(tmp_path / "corpus", ("disgust", "disgust"))
    shutil.copy(frame(root, "sub01/EP01_01"), frame(root, "sub01/EP02_01"))
    assert audited(root).verdict("files") == "reported"


def test_one_picture_of_one_subject_is_no_duplicate():
    clips = toy_table().clips
    same = [Portrait.of(clip, picture(1)) for clip in clips[:3]]
    assert len({clip.subject for clip in clips[:3]}) == 1
    assert near_duplicates(same).verdict == "not applicable"
    other = next(clip for clip in clips if clip.subject != clips[0].subject)
    assert near_duplicates([*same, Portrait.of(other, picture(1))]).verdict == "caught"


def test_a_person_under_two_names_is_a_candidate_and_no_more():
    rng = np.random.default_rng(0)
    faces = {f"casme2/sub{i:02d}": small(picture(100 + i), 64) for i in range(12)}
    assert shared_people(faces).verdict == "clean"
    noisy = picture(103).astype(float) + rng.normal(0, 12, (120, 100))
    found = shared_people(faces | {"casme2/sub99": small(np.clip(noisy, 0, 255).astype(np.uint8), 64)})
    assert found.verdict == "reported"
    assert found.items[0].startswith("casme2/sub03 and casme2/sub99")
    assert "candidates only" in found.why


def changed(**fields) -> ClipTable:
    table = toy_table()
    return replace(table, clips=(replace(table.clips[0], **fields), *table.clips[1:]))


def test_an_apex_outside_is_caught_and_a_long_clip_reported():
    assert annotation.ranges(toy_table()).verdict == "clean"
    assert annotation.ranges(changed(apex=99)).verdict == "caught"
    assert annotation.ranges(changed(offset=500)).verdict == "reported"  # 2.5 s at 200 fps


def test_clips_cut_from_shared_frames_are_found():
    """Two clips of one folder at 1 to 9 share all frames; apart in time they share none."""
    table = toy_table()
    first, second, *_ = table.clips
    folders = {first.id: "same", second.id: "same"}
    assert annotation.overlaps(table, {}).verdict == "clean"
    found = annotation.overlaps(table, folders)
    assert (found.verdict, found.figure) == ("caught", 1)  # their labels differ
    apart = replace(table, clips=(replace(first, onset=20, apex=22, offset=29), *table.clips[1:]))
    assert annotation.overlaps(apart, folders).verdict == "clean"


def coded(*pairs: tuple[str, str]) -> ClipTable:
    """Clips with these action units and emotions."""
    table = toy_table(1, len(pairs))
    clips = tuple(
        replace(clip, action_units=parse(units), emotion=emotion)
        for clip, (units, emotion) in zip(table.clips, pairs, strict=True)
    )
    return replace(table, clips=clips)


def test_emotions_that_contradict_the_units_are_candidates():
    """AU 12 is class I, of happiness; AU 4 class III, anger or disgust; `others` claims nothing."""
    table = coded(("12", "happiness"), ("12", "disgust"), ("4", "others"), ("4", "disgust"), ("4", "surprise"))
    found = annotation.units(table)
    assert (found.verdict, found.figure) == ("reported", 2 / 5)
    assert [item.rpartition(" ")[2] for item in found.items] == ["disgust", "surprise"]


def test_a_label_that_stands_alone_is_a_candidate_of_noise():
    """Three of four clips of AU 4+7 are disgust, the share from which the fourth stands out; of AU 12 only two."""
    table = coded(("4+7", "disgust"), ("7+4", "disgust"), ("4+7", "disgust"), ("4+7", "others"), ("12", "happiness"))
    found = annotation.noise(table)
    assert found.items == (f"{table.clips[3].id}: others, where 3 of 4 clips of AU 4+7 are disgust",)
    assert annotation.agreement(table) == 4 / 5


def test_released_classes_that_differ_from_the_rule_are_reported():
    table = coded(("12", "happiness"), ("4", "disgust"))
    assert objective_class(parse("12")) == "I"
    classes = [replace(c, objective_class="I", objective_source="released") for c in table.clips]
    found = annotation.objective(replace(table, clips=tuple(classes)))
    assert (found.verdict, found.figure) == ("reported", 0.5)


def test_a_corpus_without_units_is_not_judged_by_them():
    for check in (annotation.units, annotation.noise, annotation.objective):
        assert check(toy_table()).verdict == "not applicable"


def test_the_command_line_reads_annotation_alone_where_asked(tmp_path, capsys):
    root = write(tmp_path / "corpus")
    shutil.copy(frame(root, "sub01/EP01_01"), frame(root, "sub02/EP01_01"))
    arguments = ["audit", "dataset", "casme2", "--data", str(root), "--json"]
    assert status([*arguments, "--annotation-only"]) == 0
    assert {f["verdict"] for f in json.loads(capsys.readouterr().out)["findings"][5:]} == {"not applicable"}
    assert status(arguments) == 1
    assert json.loads(capsys.readouterr().out)["caught"] == ["files", "duplicates"]


@pytest.mark.parametrize("shape", [(40, 30), (480, 640), (1, 1)])
def test_small_pictures_have_norm_1_or_are_empty(shape):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    norm = float(np.linalg.norm(small(image, 24)))
    assert norm == pytest.approx(0.0 if shape == (1, 1) else 1.0, abs=1e-5)

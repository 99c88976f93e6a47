"""The report on a corpus: what is there, what lacks, what does not belong."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mebench.check import CheckReport, check, frame_fault
from mebench.clips import SyntheticMark
from mebench.datasets import casme2, samm, smic
from mebench.datasets.marker import write_marker
from mebench.synth.workbooks import Row, casme2_workbook, samm_workbook
from tests.corpora import write_casme2, write_samm, write_smic

ROWS = (
    Row("01", "EP02_01f", 46, 50, 55, "12", "happiness", "I"),
    Row("02", "EP02_01f", 8, 9, 12, "4", "others", "III"),
)
RANGES = {"01": (46, 55), "02": (8, 12)}


def image(path: Path, width: int = 640, height: int = 480, channels: int = 3) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, channels), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def corpus(root: Path, variant: str = "CASME2_RAW_selected", margin: int = 0, *, small: bool = False) -> Path:
    """A marked CASME II of two clips, with `margin` frames around the coded range."""
    casme2_workbook(root / "coding.xlsx", ROWS)
    write_marker(root, SyntheticMark("test/1", "smoke", 0, 2, 2, {"happiness": 1, "others": 1}))
    for subject, (first, last) in RANGES.items():
        folder = root / variant / f"sub{subject}" / "EP02_01f"
        folder.mkdir(parents=True)
        for number in range(first - margin, last + 1 + margin):
            image(folder / f"img{number}.jpg", *((64, 48) if small else (640, 480)))
    return root


def report(root: Path, *, deep: bool = False) -> CheckReport:
    return check(casme2.DATASET, root, casme2.DATASET.load(root), deep=deep)


def said(found: CheckReport, level: str) -> set[tuple[str | None, str]]:
    # The classes are derived in every corpus here, as no class workbook is written.
    return {(n.clip, n.message) for n in found.findings if n.level == level and "objective classes" not in n.message}


def folder(root: Path, subject: str = "01") -> Path:
    return root / "CASME2_RAW_selected" / f"sub{subject}" / "EP02_01f"


def test_a_sound_corpus_has_nothing_to_report(tmp_path: Path) -> None:
    found = report(corpus(tmp_path), deep=True)
    assert (said(found, "error"), said(found, "warning")) == (set(), set())
    # 10 frames from 46 to 55, and 5 from 8 to 12
    assert (found.counts.clips_with_frames, found.counts.frames, found.counts.missing) == (2, 15, 0)
    assert (found.variants, found.synthetic, found.expected.clips) == ({"selected": 2}, True, 2)


@pytest.mark.parametrize(
    ("change", "level", "message"),
    [
        (lambda f: (f / "img48.jpg").unlink(), "error", "frames are missing: 48"),
        (lambda f: (f / "img50.jpg").unlink(), "error", "the apex frame 50 is missing"),
        (lambda f: (f / "img55.jpg").unlink(), "warning", "the folder runs from 46 to 54, the coding from 46 to 55"),
        (lambda f: image(f / "img57.jpg"), "warning", "the folder runs from 46 to 57, the coding from 46 to 55"),
        (lambda f: image(f / "img0046.png"), "error", "frames bear a number twice: img46.jpg"),
        (lambda f: (f / "Desktop - Shortcut.lnk").touch(), "warning", "files are no frames: Desktop - Shortcut.lnk"),
        (lambda f: (f / "img46.jpg").write_bytes(b""), "error", "frames are broken: img46.jpg is empty"),
        (lambda f: (f.parent / "notes.txt").touch(), "warning", "sub01 holds files beside the clip folders: notes.txt"),
        (lambda f: (f.parent / "EP99_01").mkdir(), "warning", "sub01/EP99_01 belongs to no annotated clip"),
        (lambda f: f.rename(f.with_name("EP99_01")), "error", "the clip folder is missing"),
        (lambda f: f.rename(f.with_name("ep02_01F")), "", ""),
        (lambda f: [p.unlink() for p in f.iterdir()], "error", "holds no frames"),
        (
            lambda f: [p.rename(f / f"x{int(p.stem[3:]) - 1}.jpg") for p in sorted(f.iterdir())],
            "warning",
            "the folder runs from 45 to 54, the coding from 46 to 55, one less throughout",
        ),
    ],
)
def test_one_fault_is_one_finding_of_its_level(
    tmp_path: Path, change: Callable[[Path], object], level: str, message: str
) -> None:
    change(folder(corpus(tmp_path)))
    found = report(tmp_path)
    if not level:
        assert (said(found, "error"), said(found, "warning")) == (set(), set())
        return
    assert any(message in text for _, text in said(found, level))


def test_a_frame_cut_off_in_copying_is_found_by_a_deep_check(tmp_path: Path) -> None:
    path = folder(corpus(tmp_path)) / "img51.jpg"
    path.write_bytes(path.read_bytes()[:-500])
    assert said(report(tmp_path), "error") == set()
    deep = report(tmp_path, deep=True)
    assert said(deep, "error") == {("casme2/sub01/EP02_01f", "frames are broken: img51.jpg is cut off")}
    assert deep.counts.broken == 1


def test_frames_of_several_sizes_and_kinds(tmp_path: Path) -> None:
    path = folder(corpus(tmp_path))
    image(path / "img50.jpg", 320, 240)
    image(folder(tmp_path, "02") / "img9.jpg", channels=1)
    found = report(tmp_path, deep=True)
    assert said(found, "error") == {("casme2/sub01/EP02_01f", "frames differ in size: 320x240, 640x480")}
    assert said(found, "warning") == {("casme2/sub02/EP02_01f", "grey and colour frames are mixed")}


def test_an_unexpected_resolution_is_a_warning(tmp_path: Path) -> None:
    assert {text for _, text in said(report(corpus(tmp_path, small=True)), "warning")} == {
        "frames are 64x48, not 640x480"
    }


def test_a_raw_recording_may_hold_more_but_not_less(tmp_path: Path) -> None:
    found = report(corpus(tmp_path, "CASME2-RAW", margin=3))
    assert (said(found, "error"), said(found, "warning")) == (set(), set())
    (tmp_path / "CASME2-RAW" / "sub01" / "EP02_01f" / "img55.jpg").unlink()
    assert said(found := report(tmp_path), "error") == {("casme2/sub01/EP02_01f", "frames are missing: 55")}
    assert found.counts.missing == 1


def test_a_corpus_without_frames_is_one_error(tmp_path: Path) -> None:
    write_casme2(tmp_path)
    found = check(casme2.DATASET, tmp_path, casme2.DATASET.load(tmp_path))
    assert {text for _, text in said(found, "error")} == {f"no clip folder was found under {tmp_path}"}


@pytest.mark.parametrize(
    ("name", "variant", "pattern"),
    [
        ("CASME2_RAW", "raw", "img{}.jpg"),
        ("CASME2RAW", "raw", "img{}.jpg"),
        ("CASME2_RAW_selected/CASME2_RAW_selected", "selected", "img{}.jpg"),
        ("Cropped-updated/Cropped", "cropped", "reg_img{}.jpg"),
        ("Cropped_original", "cropped", "reg_img{}.png"),
        ("frames", "unnamed", "img{}.tif"),
        (".", "unnamed", "{}.BMP"),
    ],
)
def test_casme2_variants_are_known_by_their_folder(tmp_path: Path, name: str, variant: str, pattern: str) -> None:
    root = tmp_path / "corpus"
    casme2_workbook(root / "x.xlsx", ROWS[:1])
    place = root / name / "sub01" / "EP02_01f"
    place.mkdir(parents=True)
    for number in (99, 100, 46):
        (place / pattern.format(number)).touch()
    (found,) = casme2.DATASET.frames(root, casme2.DATASET.load(root)).values()
    assert found.variant == variant
    assert found.frames == tuple((n, pattern.format(n)) for n in (46, 99, 100))


def test_one_variant_is_chosen_for_all_clips(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    casme2_workbook(root / "x.xlsx", ROWS)
    for variant, subjects in (("CASME2_RAW", ["01"]), ("Cropped", ["01", "02"]), ("CASME2_RAW_selected", ["01", "02"])):
        for subject in subjects:
            place = root / variant / f"sub{subject}" / "EP02_01f"
            place.mkdir(parents=True)
            (place / "img46.jpg").touch()
    table = casme2.DATASET.load(root)
    # RAW comes first in preference but holds one clip; of the two that hold both, selected comes before cropped.
    assert {f.variant for f in casme2.DATASET.frames(root, table).values()} == {"selected"}
    assert list(casme2.DATASET.frames(root, table, variant="raw")) == ["casme2/sub01/EP02_01f"]
    found = check(casme2.DATASET, root, table)
    assert any("several variants are present: cropped, raw, selected" in text for _, text in said(found, "warning"))


@pytest.mark.parametrize(("name", "variant"), [("SAMM/SAMM", "raw"), ("SAMM_CROP", "cropped"), ("SAMM_Cropped", "cropped"), ("SAMM_clip", "clip")])  # fmt: skip  # noqa: E501
def test_samm_variants(tmp_path: Path, name: str, variant: str) -> None:
    samm_workbook(tmp_path / "x.xlsx", [Row("006", "006_1_2", 9998, 9999, 10_001, "4", "anger", "III", 1)])
    place = tmp_path / name / "006" / "006_1_2"
    place.mkdir(parents=True)
    for number in (10_000, 9_998, 9_999, 10_001):
        (place / f"006_{number:04d}.jpg").touch()
    (found,) = samm.DATASET.frames(tmp_path, samm.DATASET.load(tmp_path)).values()
    assert (found.variant, [n for n, _ in found.frames]) == (variant, [9_998, 9_999, 10_000, 10_001])


def test_smic_frame_numbers_grow_beyond_their_padding(tmp_path: Path) -> None:
    root = write_smic(tmp_path)
    table = smic.HS.load(root)
    clip = next(c for c in table if c.subject == "smic/s20")
    assert clip.onset > 10_000_000
    assert smic.HS.frames(root, table)[clip.id].frames[0][1] == f"image{clip.onset}.bmp"


def test_raw_and_cropped_smic_give_one_table(tmp_path: Path) -> None:
    for tree, prefix in (("SMIC_all_raw", ""), ("SMIC_all_cropped", "reg_")):
        place = tmp_path / tree / "HS" / "s1" / "micro" / "negative" / "s1_ne_01"
        place.mkdir(parents=True)
        for number in (5, 6):
            (place / f"{prefix}image{number:06d}.bmp").touch()
    table = smic.HS.load(tmp_path)
    assert len(table) == 1
    assert {v: f.variant for v in ("raw", "cropped") for f in smic.HS.frames(tmp_path, table, variant=v).values()} == {
        "raw": "raw",
        "cropped": "cropped",
    }


def test_counts_that_differ_from_the_release_are_an_error(tmp_path: Path) -> None:
    samm_workbook(tmp_path / "x.xlsx", [Row("006", "006_1_2", 5, 6, 7, "4", "anger", "III", 1)])
    found = check(samm.DATASET, tmp_path, samm.DATASET.load(tmp_path))
    (text,) = (text for _, text in said(found, "error") if "instead of" in text)
    assert "1 clips instead of 159" in text
    assert "contempt 0 instead of 12" in text


def test_corrections_are_listed(tmp_path: Path) -> None:
    path = write_samm(tmp_path)
    found = check(samm.DATASET, path, samm.DATASET.load(path))
    assert len(found.corrections) == 2
    assert any("samm/032/032_3_1: apex '1930' -> '4930'" in line for line in found.corrections)


def test_progress_counts_every_clip(tmp_path: Path) -> None:
    corpus(tmp_path)
    seen: list[tuple[int, int, str]] = []
    check(casme2.DATASET, tmp_path, casme2.DATASET.load(tmp_path), progress=lambda *now: seen.append(now))
    assert seen == [(1, 2, "casme2/sub01/EP02_01f"), (2, 2, "casme2/sub02/EP02_01f")]


def test_the_text_says_what_the_record_says(tmp_path: Path) -> None:
    found = report(corpus(tmp_path))
    assert found.ok
    assert found.text().split("\n") == [
        "casme2, coding-20140508, SYNTHETIC: 2 clips of 2 subjects (expected 2 of 2)",
        "  emotions: happiness 1, others 1",
        "  objective classes: none released",
        "  frame folders: selected 2",
        "  frames: 15 of 2 clips; 0 missing, 0 outside the coding, 0 broken",
        "  warning: 2 objective classes are derived, not released",
    ]
    (folder(tmp_path) / "img48.jpg").unlink()
    found = report(tmp_path)
    assert not found.ok
    assert "  error: frames are missing: 48 (casme2/sub01/EP02_01f)" in found.text().split("\n")


def test_two_copies_of_a_clip_are_an_error_of_the_report(tmp_path: Path) -> None:
    corpus(tmp_path)
    copy = tmp_path / "backup" / "CASME2_RAW_selected" / "sub01" / "EP02_01f"
    copy.mkdir(parents=True)
    image(copy / "img46.jpg")
    assert any("Two folders hold the same clip" in text for _, text in said(report(tmp_path), "error"))


def test_frame_faults(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a.bmp", "a.tif"):
        image(tmp_path / name, 20, 10)
        assert frame_fault(tmp_path / name) == (None, (10, 20, 3), "")
        if name != "a.tif":
            content = (tmp_path / name).read_bytes()
            (tmp_path / name).write_bytes(content[: len(content) // 2])
            fault, *_ = frame_fault(tmp_path / name)
            assert fault is not None, name
    (tmp_path / "b.jpg").write_bytes(b"no image")
    assert frame_fault(tmp_path / "b.jpg")[0] == "cannot be decoded"
    assert frame_fault(tmp_path / "c.jpg")[0] == "cannot be read (No such file or directory)"

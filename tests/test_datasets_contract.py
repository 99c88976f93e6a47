"""What every dataset offers: one test over all entry points, whoever registered them.

A further corpus adds its entry point and one line to `SAMPLES`: a function that writes a few clips with frames.
"""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path

import pytest

from mebench.check import check
from mebench.clips import EMOTIONS, Clip, ClipTable, SyntheticMark
from mebench.datasets.base import Dataset
from mebench.datasets.marker import MARKER, write_marker
from mebench.errors import AnnotationError, CountError, FrameError, UnknownName
from mebench.synth.workbooks import LongRow, Row, casme2_workbook, samm_workbook, smic_e_workbook

POINTS = {point.name: point for point in entry_points(group="mebench.datasets")}


def frames(folder: Path, numbers: range, pattern: str) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        (folder / pattern.format(number)).write_bytes(b"no image")


def casme2_sample(root: Path) -> None:
    rows = [
        Row("01", "EP02_01f", 98, 100, 103, "L12", "happiness", "I"),
        Row("02", "EP02_01f", 8, 9, 12, "4+7", "others", "III"),
        Row("26", "EP13_01", 5, None, 7, "?", "disgust", "VII"),
    ]
    casme2_workbook(root / "coding.xlsx", rows)
    for row in rows:
        folder = root / "CASME2_RAW_selected" / "CASME2_RAW_selected" / f"sub{row.subject}" / row.name
        frames(folder, range(row.onset, row.offset + 1), "img{}.jpg")


def samm_sample(root: Path) -> None:
    rows = [
        Row("006", "006_1_2", 5562, 5565, 5570, "7B", "anger", "VII", 1),
        Row("037", "037_7_1", 98, 100, 102, "(R6 or R12)+R15", "other", "VII", 7),
    ]
    samm_workbook(root / "facs.xlsx", rows)
    for row in rows:
        frames(
            root / "SAMM" / "SAMM" / row.subject / row.name,
            range(row.onset, row.offset + 1),
            f"{row.subject}_{{:04d}}.jpg",
        )


def smic_sample(modality: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for subject, name, emotion in ((1, "s1_ne_01", "negative"), (20, "s20_sur_03", "surprise")):
            folder = root / "SMIC_all_raw" / modality.upper() / f"s{subject}" / "micro" / emotion / name
            frames(folder, range(98, 103), "image{:06d}.bmp")

    return write


def smic_e_sample(modality: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        rows = [
            LongRow("s1", "s1_ne_01", 98, 102, "negative", 95, 105),
            LongRow("s20", "s20_sur_03", 9, 12, "surprise", 5, 15),
        ]
        smic_e_workbook(root / "annotation.xlsx", **{modality: rows})
        for row, subject in zip(rows, ("s01", "s20"), strict=True):
            folder = root / f"{modality.upper()}_long" / f"SMIC-{modality.upper()}-E" / subject / row.name
            frames(folder, range(row.first, row.last + 1), "image{:06d}.jpg")

    return write


SAMPLES: Mapping[str, Callable[[Path], None]] = {
    "casme2": casme2_sample,
    "samm": samm_sample,
    "smic": smic_sample("hs"),
    "smic-vis": smic_sample("vis"),
    "smic-nir": smic_sample("nir"),
    "smic-e-hs": smic_e_sample("hs"),
    "smic-e-vis": smic_e_sample("vis"),
    "smic-e-nir": smic_e_sample("nir"),
}


def test_every_corpus_that_ships_is_registered() -> None:
    assert set(SAMPLES) <= set(POINTS)


@pytest.fixture(params=sorted(POINTS))
def dataset(request: pytest.FixtureRequest) -> Dataset:
    loaded: Dataset = POINTS[request.param].load()
    assert loaded.name == request.param
    return loaded


@pytest.fixture
def root(dataset: Dataset, tmp_path: Path) -> Path:
    SAMPLES[dataset.name](tmp_path / "corpus")
    return tmp_path / "corpus"


def test_it_says_what_it_is(dataset: Dataset) -> None:
    assert dataset.title
    assert dataset.fps > 0
    assert dataset.citation.startswith("@")
    assert dataset.citation.count("{") == dataset.citation.count("}")
    assert "Owner: " in dataset.access
    assert dataset.releases
    for release in dataset.releases.values():
        assert release.clips >= release.subjects > 0
        assert set(release.per_emotion) <= EMOTIONS
        assert sum(release.per_emotion.values()) in (0, release.clips)


def test_ids_name_dataset_subject_and_clip(dataset: Dataset, root: Path) -> None:
    table = dataset.load(root)
    assert len(table) >= 2
    assert (table.dataset, table.annotation in dataset.releases) == (dataset.name, True)
    for clip in table:
        name, subject, own = clip.id.split("/")
        corpus, person = clip.subject.split("/")
        assert (name, clip.dataset, subject, own) == (dataset.name, dataset.name, person, clip.name)
        assert dataset.name.startswith(corpus)
        assert clip.fps == dataset.fps
    assert [c.id for c in table] == sorted(c.id for c in table)


def test_a_table_is_read_the_same_twice_and_from_another_place(dataset: Dataset, root: Path) -> None:
    table = dataset.load(root)
    moved = root.rename(root.with_name("moved"))
    again = dataset.load(moved)
    assert again.clips == table.clips
    assert again.fingerprint == table.fingerprint == pickle.loads(pickle.dumps(table)).fingerprint


def test_the_folder_above_will_do(dataset: Dataset, root: Path) -> None:
    assert dataset.load(root.parent).clips == dataset.load(root).clips


def test_the_version_can_be_named_but_not_made_up(dataset: Dataset, root: Path) -> None:
    version = dataset.load(root).annotation
    with pytest.raises(CountError):  # a named release has to be whole, and the sample is not
        dataset.load(root, annotation=version)
    with pytest.raises(UnknownName):
        dataset.load(root, annotation=version + "x")


def test_frames_are_sorted_by_number_and_cover_the_clip(dataset: Dataset, root: Path) -> None:
    table = dataset.load(root)
    folders = dataset.frames(root, table)
    assert list(folders) == [clip.id for clip in table]
    for clip in table:
        folder = folders[clip.id]
        numbers = [number for number, _ in folder.frames]
        assert all(a < b for a, b in pairwise(numbers))
        assert set(range(clip.onset, clip.offset + 1)) <= set(numbers)
        assert all((folder.path / name).is_file() for _, name in folder.frames)
        assert folder.variant in dataset.layout.variants
        assert pickle.loads(pickle.dumps(folder)) == folder


def test_clips_without_a_folder_have_no_entry(dataset: Dataset, root: Path) -> None:
    table = dataset.load(root)
    first = next(iter(table))
    folder = dataset.frames(root, table)[first.id].path
    folder.rename(root / "elsewhere")
    assert set(dataset.frames(root, table)) == {clip.id for clip in table} - {first.id}


def test_a_variant_that_is_not_there_is_a_frame_error(dataset: Dataset, root: Path) -> None:
    with pytest.raises(FrameError, match="holds no variant 'sepia'"):
        dataset.frames(root, dataset.load(root), variant="sepia")


def test_nobody_may_be_shown_without_the_owners_word(dataset: Dataset, root: Path) -> None:
    table = dataset.load(root)
    assert not any(dataset.may_show(subject) for subject in (*table.subjects, *dataset.restricted_subjects))


def marked(clips: ClipTable) -> SyntheticMark:
    return SyntheticMark(
        "test/1", "smoke", 7, len(clips), len(clips.subjects), clips.count("emotion"), {"amplitude": 1.0}
    )


def test_a_marked_corpus_is_synthetic_wherever_its_folder_is_entered(dataset: Dataset, root: Path) -> None:
    mark = marked(dataset.load(root))
    write_marker(root, mark)
    inside = [p for p in root.iterdir() if p.suffix == ".xlsx" or (p.is_dir() and not list(root.glob("*.xlsx")))]
    for entered in (root, *inside):
        table = dataset.load(entered)
        assert table.synthetic == mark
        assert table.fingerprint == dataset.load(root).fingerprint


def test_a_corpus_that_differs_from_its_marker_is_refused(dataset: Dataset, root: Path) -> None:
    mark = marked(dataset.load(root))
    for wrong in (
        SyntheticMark("t", "smoke", 7, mark.clips + 1, mark.subjects, mark.per_emotion),
        SyntheticMark("t", "smoke", 7, mark.clips, mark.subjects + 1, mark.per_emotion),
        SyntheticMark("t", "smoke", 7, mark.clips, mark.subjects, {"fear": mark.clips}),
    ):
        write_marker(root, wrong)
        with pytest.raises(CountError, match=MARKER):
            dataset.load(root)


def test_a_damaged_marker_does_not_make_a_corpus_real(dataset: Dataset, root: Path) -> None:
    for content in ("", "[]", "{}", '{"schema": "mebench.synthetic/1"}', "\x00", "[" * 100_000):
        (root / MARKER).write_text(content)
        with pytest.raises(AnnotationError, match="damaged"):
            dataset.load(root)


def test_a_check_reports_and_never_raises(dataset: Dataset, root: Path) -> None:
    report = check(dataset, root, dataset.load(root), deep=True)
    assert report.counts.broken == report.counts.frames > 0  # the sample's frames are no images
    assert json.loads(json.dumps(report.record()))["schema"] == "mebench.check/1"


def test_clips_need_no_library_but_openpyxl(dataset: Dataset) -> None:
    heavy = {"torch", "cv2", "dlib", "sklearn", "scipy", "matplotlib", "pandas"}
    module = POINTS[dataset.name].module
    code = f"import sys, {module}; print(sorted({heavy | {'openpyxl'}!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_clip_is_a_plain_record(dataset: Dataset, root: Path) -> None:
    for clip in dataset.load(root):
        assert isinstance(clip, Clip)
        assert json.loads(json.dumps(clip.record()))["id"] == clip.id

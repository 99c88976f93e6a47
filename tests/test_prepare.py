"""From a corpus to the store, through every fault a corpus or a machine can have."""

import json
import resource
import shutil
import signal
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from mebench.clips import Clip
from mebench.cropping import MARGIN, ClipTask
from mebench.datasets.casme2 import DATASET
from mebench.errors import AnnotationError, DataError, FrameError, StoreError
from mebench.files import FAULT_POINTS, DiskFullError, remove_leftovers, sidecar
from mebench.frames import decode, read_files
from mebench.prepare import PrepareReport, clip_states, load_registered, prepare, registered
from mebench.store import clip_path, read_clip, stored_facts, stored_ids
from mebench.synth.corpus import write_corpus as write_synthetic
from mebench.synth.truth import read_truth
from mebench.synth.workbooks import casme2_workbook
from mebench.vision.alignment import canonical, compose, invert, transform_points
from mebench.vision.faces import dlib_finder
from tests.killing import in_child, killed_at
from tests.small_corpus import (
    CLIPS,
    FRAMES,
    ONSET,
    SWAY_PX,
    frame,
    frame_path,
    portrait,
    rows,
    write_corpus,
    write_frame,
)

IDS = [f"casme2/sub01/{name}" for name in CLIPS]
FIRST = IDS[0]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus and a home in which all of it is prepared."""
    folder = tmp_path_factory.mktemp("pristine")
    prepare(DATASET, write_corpus(folder / "corpus"), folder / "home")
    return folder


@pytest.fixture
def place(pristine: Path, tmp_path: Path) -> Path:
    """A copy of them to spoil."""
    return Path(shutil.copytree(pristine, tmp_path / "place"))


def again(place: Path, **options) -> PrepareReport:
    return prepare(DATASET, place / "corpus", place / "home", **options)


def states(report: PrepareReport) -> list[str]:
    return [status.state for status in report.statuses]


def spoil(place: Path, number: int, image: np.ndarray | None = None) -> Path:
    """The path of a frame of the first clip that was replaced, or cut in half where no image is given."""
    path = frame_path(place / "corpus", CLIPS[0], number)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]) if image is None else write_frame(path, image)
    return path


class TestWhatIsStored:
    def test_every_frame_from_onset_to_offset_is_there(self, pristine: Path) -> None:
        clip = read_clip(pristine / "home", FIRST)
        assert clip.numbers.tolist() == list(range(ONSET, ONSET + FRAMES))
        assert (clip.fps, clip.interval, clip.flags) == (200.0, (ONSET, ONSET + FRAMES - 1), ())

    def test_the_crop_is_the_decoded_frame_bit_for_bit_and_rgb(self, pristine: Path) -> None:
        clip = read_clip(pristine / "home", FIRST)
        (x, y), (height, width) = clip.origin, clip.frames.shape[1:3]
        for number, crop in zip(clip.numbers, clip.frames, strict=True):
            full = cv2.imread(str(frame_path(pristine / "corpus", CLIPS[0], number)))
            np.testing.assert_array_equal(crop, full[y : y + height, x : x + width, ::-1])

    def test_landmarks_lie_on_the_face_in_crop_coordinates(self, pristine: Path) -> None:
        clip = read_clip(pristine / "home", FIRST)
        left_eye, right_eye, nose, chin = (
            clip.landmarks[i].mean(axis=0) for i in (range(36, 42), range(42, 48), [30], [8])
        )
        x0, y0, x1, y1 = clip.box
        assert x0 < left_eye[0] < nose[0] < right_eye[0] < x1
        assert y0 < left_eye[1] < nose[1] < chin[1] < y1 + 10

    def test_motion_follows_the_heads_sway_in_crop_coordinates(self, pristine: Path) -> None:
        clip = read_clip(pristine / "home", FIRST)
        nose = clip.landmarks[30:31]
        moved = transform_points(nose, clip.motion)[:, 0] - nose
        expected = np.column_stack([np.arange(FRAMES) * SWAY_PX, np.zeros(FRAMES)])
        np.testing.assert_allclose(moved, expected, atol=0.1)
        np.testing.assert_array_equal(clip.motion[0], np.eye(2, 3))

    def test_the_crop_holds_the_canonical_square_with_its_margin_in_every_frame(self, pristine: Path) -> None:
        clip = read_clip(pristine / "home", FIRST)
        side = 100
        ends = (-MARGIN * side, (1 + MARGIN) * side)
        square = np.array([(x, y) for x in ends for y in ends])
        corners = transform_points(transform_points(square, invert(canonical(clip.landmarks, side))), clip.motion)
        height, width = clip.frames.shape[1:3]
        # the frame's own border may cut it: the portrait is close
        full = np.array([portrait().shape[1], portrait().shape[0]]) - 1
        inside = np.clip(corners + clip.origin, 0, full) - clip.origin
        assert inside.min() >= 0
        assert (inside <= np.array([width, height]) - 1).all()

    def test_no_label_travels_to_the_store(self) -> None:
        carried = {f.name for f in fields(ClipTask)} & {f.name for f in fields(Clip)}
        assert carried == {"apex", "fps"}  # the apex frame is looked for; test_store shows that it is not written


def test_head_motion_in_the_store_is_the_truth_of_a_synthetic_corpus(tmp_path: Path) -> None:
    corpus, home = tmp_path / "corpus", tmp_path / "home"
    write_synthetic("casme2", corpus, subjects=1, clips=1)
    table = DATASET.load(corpus)
    assert prepare(DATASET, corpus, home).complete
    for expression in table:
        clip, truth = read_clip(home, expression.id), read_truth(corpus, expression.id)
        at = np.searchsorted(truth.numbers, clip.numbers)
        landmarks = truth.landmarks[at[0]].astype(np.float64)
        from_onset = compose(truth.head_motion[at], invert(truth.head_motion[at[0]]))
        true = transform_points(landmarks, from_onset)
        found = transform_points(landmarks - clip.origin, clip.motion) + clip.origin
        assert np.abs(true - landmarks).max() > 1  # the head does sway
        assert np.sqrt(((found - true) ** 2).sum(axis=-1).mean()) < 0.1
        assert not clip.flagged.any()


class TestDoingNothingTwice:
    def test_clips_in_the_store_are_kept_untouched(self, place: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in (place / "home" / "store").rglob("*.h5*")}
        assert states(again(place)) == ["kept"] * 2
        assert {path: path.stat().st_mtime_ns for path in before} == before

    def test_workers_store_the_same_bytes(self, pristine: Path, tmp_path: Path) -> None:
        report = prepare(DATASET, pristine / "corpus", tmp_path, jobs=2)
        assert states(report) == ["stored"] * 2
        assert _store(tmp_path) == _store(pristine / "home")

    def test_touching_or_renaming_frames_changes_nothing_but_changing_one_does(self, place: Path) -> None:
        path = frame_path(place / "corpus", CLIPS[0], ONSET + 1)
        path.touch()
        path.rename(path.with_name(f"reg_img{ONSET + 1}.jpg"))
        assert states(again(place)) == ["kept"] * 2
        spoil(place, ONSET + 2, frame(2, seed=99))
        assert states(again(place)) == ["stored", "kept"]

    @pytest.mark.parametrize("victim", ["data", "digest", "both"])
    def test_a_damaged_file_is_repaired_and_nothing_else_is_done(self, place: Path, victim: str) -> None:
        reference = _store(place / "home")
        path = clip_path(place / "home", FIRST)
        if victim in ("data", "both"):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        if victim in ("digest", "both"):
            sidecar(path).unlink()
        with pytest.raises(StoreError, match=FIRST):
            read_clip(place / "home", FIRST)
        assert states(again(place)) == ["repaired" if victim == "data" else "stored", "kept"]
        assert _store(place / "home") == reference

    def test_another_interval_is_another_clip(self, place: Path) -> None:
        changed = [*rows(CLIPS[1:]), *rows(CLIPS[:1])]
        workbook = place / "corpus" / "CASME2-coding-20140508.xlsx"
        short = [
            row if row.name != CLIPS[0] else type(row)("01", row.name, ONSET, ONSET + 1, ONSET + 3, "4", "disgust")
            for row in changed
        ]
        casme2_workbook(workbook, short)
        assert states(again(place)) == ["stored", "kept"]
        assert len(read_clip(place / "home", FIRST).frames) == 4


class TestKilled:
    @pytest.mark.parametrize("point", FAULT_POINTS)
    def test_the_same_command_completes_after_a_kill(self, pristine: Path, tmp_path: Path, point: str) -> None:
        # a clip passes each point twice, with its data and with its digest: the third pass is the second clip's
        self._kill_and_resume(pristine, tmp_path, point, 3)

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("point", FAULT_POINTS)
    def test_at_five_moments_of_each_point(self, pristine: Path, tmp_path: Path, point: str, count: int) -> None:
        self._kill_and_resume(pristine, tmp_path, point, count)

    def _kill_and_resume(self, pristine: Path, home: Path, point: str, count: int) -> None:
        assert killed_at(point, count, lambda: prepare(DATASET, pristine / "corpus", home))
        reference = _store(pristine / "home")
        done = [clip_id for clip_id in stored_ids(home, "casme2") if _readable(home, clip_id)]
        for clip_id in done:
            assert clip_path(home, clip_id).read_bytes() == reference[f"{clip_id}.h5"]
        finished = [clip for clip in IDS if clip in done]
        report = prepare(DATASET, pristine / "corpus", home)
        assert [s.clip for s in report.statuses if s.state == "kept"] == finished
        started = (count + 1) // 2  # clips whose writing had begun; one worker loses at most one
        assert len(finished) >= min(started, 2) - 1
        assert _store(home) == reference
        assert not list(home.rglob("*.tmp"))
        assert registered(home) == ("casme2",)

    def test_dead_workers_are_named_and_the_same_command_completes(
        self, pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # a worker dies over the digest of its first clip; the parent writes one file only, the registration
        monkeypatch.setenv("MEBENCH_FAULT", "in-write:2")
        report = prepare(DATASET, pristine / "corpus", tmp_path, jobs=2)
        assert states(report) == ["failed"] * 2
        assert all("the worker process died (signal 9)" in s.line for s in report.statuses)
        monkeypatch.delenv("MEBENCH_FAULT")
        assert states(prepare(DATASET, pristine / "corpus", tmp_path)) == ["stored"] * 2
        assert _store(tmp_path) == _store(pristine / "home")


class TestFaults:
    @pytest.fixture
    def fresh(self, place: Path) -> Path:
        shutil.rmtree(place / "home")
        return place

    def _failed(self, place: Path, **options) -> str:
        """The line of the first clip, which alone fails."""
        report = again(place, **options)
        assert states(report) == ["failed", "stored"]
        assert not report.complete
        line = report.statuses[0].line
        assert f"failed {FIRST}: {line}" in report.text()
        assert "\n" not in line
        assert clip_states(place / "home", "casme2") == {FIRST: line}
        return line

    def test_a_truncated_jpeg(self, fresh: Path) -> None:
        path = spoil(fresh, ONSET + 2)
        assert self._failed(fresh) == f"{path} is no whole image: empty, truncated or of an unknown format."

    def test_an_empty_frame(self, fresh: Path) -> None:
        spoil(fresh, ONSET + 2).write_bytes(b"")
        assert "no whole image" in self._failed(fresh)

    def test_a_missing_apex_frame(self, fresh: Path) -> None:
        frame_path(fresh / "corpus", CLIPS[0], ONSET + 3).unlink()
        assert f"the apex frame {ONSET + 3} is not in" in self._failed(fresh)

    def test_a_missing_onset_frame(self, fresh: Path) -> None:
        frame_path(fresh / "corpus", CLIPS[0], ONSET).unlink()
        assert f"the onset frame {ONSET} is not in" in self._failed(fresh)

    def test_a_clip_without_folder(self, fresh: Path) -> None:
        shutil.rmtree(frame_path(fresh / "corpus", CLIPS[0], ONSET).parent)
        assert self._failed(fresh) == f"{FIRST} has no folder of frames."

    def test_frames_of_another_size(self, fresh: Path) -> None:
        path = spoil(fresh, ONSET + 4, cv2.resize(frame(4), (128, 150)))
        assert self._failed(fresh) == f"{path} is 128x150, but img{ONSET}.jpg is 256x300."

    def test_no_face(self, fresh: Path) -> None:
        self._blank(fresh, range(ONSET, ONSET + FRAMES))
        line = self._failed(fresh)
        assert line.startswith(f"{FIRST}: No face found")
        assert f"onset frame {ONSET}" in line

    def test_no_face_can_be_excluded(self, fresh: Path) -> None:
        self._blank(fresh, [ONSET])
        report = again(fresh, on_missing_face="exclude")
        assert states(report) == ["excluded", "stored"]
        assert report.complete
        assert clip_states(fresh / "home", "casme2") == {FIRST: f"No face found on the onset frame {ONSET}."}

    def test_the_nearest_frame_that_shows_a_face_can_lend_it(self, fresh: Path) -> None:
        self._cover_eyes_on_onset(fresh)
        assert states(again(fresh)) == ["failed", "stored"]
        report = again(fresh, on_missing_face="nearest")
        assert states(report) == ["stored", "kept"]
        clip = read_clip(fresh / "home", FIRST)
        assert clip.flags == (f"face-from-frame-{ONSET + 1}",)
        np.testing.assert_allclose(clip.motion[0], np.eye(2, 3), atol=1e-12)
        lender = cv2.imread(str(frame_path(fresh / "corpus", CLIPS[0], ONSET + 1)))[..., ::-1]
        there = dlib_finder().find(np.ascontiguousarray(lender))[0].landmarks
        np.testing.assert_allclose(clip.landmarks + clip.origin, there - [SWAY_PX, 0], atol=0.1)
        assert states(again(fresh, on_missing_face="nearest")) == ["kept"] * 2

    def test_a_face_that_was_lent_is_not_kept_where_that_is_no_longer_wanted(self, fresh: Path) -> None:
        self._cover_eyes_on_onset(fresh)
        again(fresh, on_missing_face="nearest")
        report = again(fresh)
        assert states(report) == ["failed", "kept"]
        assert report.statuses[0].line.endswith("What was stored of it before stays in use.")
        assert states(again(fresh, on_missing_face="exclude")) == ["excluded", "kept"]
        with pytest.raises(StoreError):
            stored_facts(fresh / "home", FIRST)

    def test_two_faces_take_the_best_and_say_so(self, fresh: Path) -> None:
        for index in range(FRAMES):
            image = frame(index)
            smaller = cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
            beside = np.zeros((image.shape[0], smaller.shape[1], 3), np.uint8)
            beside[: len(smaller)] = smaller
            spoil(fresh, ONSET + index, np.hstack([image, beside]))
        report = again(fresh)
        assert states(report) == ["stored"] * 2
        assert report.statuses[0].flags == ("faces-2",)
        assert f"stored {FIRST}: faces-2" in report.text()
        assert read_clip(fresh / "home", FIRST).origin[0] < 100  # the larger face is the left one

    def test_grey_and_colour_mixed_become_grey_and_say_so(self, fresh: Path) -> None:
        spoil(fresh, ONSET + 1, cv2.cvtColor(frame(1), cv2.COLOR_BGR2GRAY))
        report = again(fresh)
        assert states(report) == ["stored"] * 2
        assert report.statuses[0].flags == ("grey-and-colour-mixed",)
        assert read_clip(fresh / "home", FIRST).frames.ndim == 3

    def test_a_frame_missing_in_between_is_said_and_the_clip_kept(self, fresh: Path) -> None:
        frame_path(fresh / "corpus", CLIPS[0], ONSET + 1).unlink()
        report = again(fresh)
        assert states(report) == ["stored"] * 2
        assert report.statuses[0].flags == ("frames-missing-1",)
        assert ONSET + 1 not in read_clip(fresh / "home", FIRST).numbers

    def test_a_broken_clip_keeps_what_was_stored_of_it(self, place: Path) -> None:
        reference = _store(place / "home")
        spoil(place, ONSET + 2)
        report = again(place)
        assert states(report) == ["failed", "kept"]
        assert report.statuses[0].line.endswith("What was stored of it before stays in use.")
        assert _store(place / "home") == reference

    def test_a_full_disk_is_one_clear_error_and_loses_nothing(self, fresh: Path) -> None:
        home = fresh / "home"
        assert killed_at("after-write", 3, lambda: again(fresh))
        remove_leftovers(home)
        reference = _store(home)
        limit = max(map(len, reference.values())) // 2

        def without_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            with pytest.raises(DiskFullError, match="No room left to write"):
                again(fresh)

        assert in_child(without_room) == 0
        assert _store(home) == reference
        assert not list(home.rglob("*.tmp"))
        assert states(again(fresh)) == ["kept", "stored"]

    def test_a_corpus_without_frames(self, tmp_path: Path) -> None:
        casme2_workbook(tmp_path / "CASME2-coding-20140508.xlsx", rows())
        with pytest.raises(FrameError, match="holds the frames of none of the 2 clips"):
            prepare(DATASET, tmp_path, tmp_path / "home")

    def _blank(self, place: Path, numbers) -> None:
        for number in numbers:
            spoil(place, number, np.full_like(frame(0), 90))

    def _cover_eyes_on_onset(self, place: Path) -> None:
        """An onset with a bar over the eyes, on which dlib finds no face; the other skin can still be tracked."""
        image = frame(0)
        image[85:110, 60:200] = 40
        spoil(place, ONSET, image)


class TestRegistration:
    def test_a_prepared_corpus_is_found_again(self, pristine: Path) -> None:
        home = pristine / "home"
        assert registered(home) == ("casme2",)
        assert load_registered(home, "casme2").fingerprint == DATASET.load(pristine / "corpus").fingerprint

    def test_a_changed_annotation_is_refused(self, place: Path) -> None:
        again(place)
        casme2_workbook(place / "corpus" / "CASME2-coding-20140508.xlsx", rows(apex=ONSET + 2))
        with pytest.raises(DataError, match="changed since it was prepared"):
            load_registered(place / "home", "casme2")

    def test_an_annotation_that_is_gone_is_named(self, place: Path) -> None:
        again(place)
        shutil.rmtree(place / "corpus")
        with pytest.raises(DataError, match=r"was prepared from .*\n.*mebench prepare casme2"):
            load_registered(place / "home", "casme2")

    def test_a_corpus_that_was_not_prepared(self, tmp_path: Path) -> None:
        assert registered(tmp_path) == ()
        assert clip_states(tmp_path, "casme2") == {}
        with pytest.raises(DataError, match="casme2 is not prepared"):
            load_registered(tmp_path, "casme2")

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "mebench.corpus/0"}', "\xff"])
    def test_a_damaged_registration_is_named(self, place: Path, content: str) -> None:
        (place / "home" / "corpora" / "casme2.json").write_bytes(content.encode("latin-1"))
        with pytest.raises(DataError, match=r"casme2\.json"):
            load_registered(place / "home", "casme2")

    def test_the_record_is_json_and_tells_every_clip(self, pristine: Path) -> None:
        report = again(pristine)
        record = json.loads(json.dumps(report.record()))
        assert record["counts"] == {"stored": 0, "repaired": 0, "kept": 2, "excluded": 0, "failed": 0}
        assert [clip["clip"] for clip in record["clips"]] == IDS

    def test_progress_counts_every_clip(self, pristine: Path) -> None:
        seen: list[tuple[int, int, str]] = []
        again(pristine, progress=lambda done, total, what: seen.append((done, total, what)))
        assert [(done, total) for done, total, _ in seen] == [(1, 2), (2, 2)]
        assert sorted(what for *_, what in seen) == IDS

    def test_an_unreadable_annotation_raises_before_anything_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(AnnotationError):
            prepare(DATASET, tmp_path / "nothing", tmp_path / "home")
        assert not (tmp_path / "home").exists()


class TestDecoding:
    def test_colour_files_without_colour_are_grey(self, tmp_path: Path) -> None:
        grey = frame(0)[..., 1]
        for name, image in (("1.png", grey), ("2.png", np.repeat(grey[..., None], 3, axis=-1))):
            cv2.imwrite(str(tmp_path / name), image)
        frames, flags = decode(read_files(tmp_path, [(1, "1.png"), (2, "2.png")]))
        np.testing.assert_array_equal(frames, [grey, grey])
        assert flags == ("grey-and-colour-mixed",)

    def test_sixteen_bits_are_refused(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "1.png"), np.zeros((9, 9), np.uint16))
        with pytest.raises(FrameError, match="uint16 pixels"):
            decode(read_files(tmp_path, [(1, "1.png")]))

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
    def test_a_truncated_file_is_refused_in_every_format(
        self, tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]
    ) -> None:
        content = cv2.imencode(suffix, frame(0))[1].tobytes()
        (tmp_path / f"1{suffix}").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(FrameError, match="no whole image"):
            decode(read_files(tmp_path, [(1, f"1{suffix}")]))
        assert capfd.readouterr().err == ""


def _store(home: Path) -> dict[str, bytes]:
    """Every file of the store by clip id."""
    folder = home / "store"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _readable(home: Path, clip_id: str) -> bool:
    try:
        read_clip(home, clip_id)
    except StoreError:
        return False
    return True

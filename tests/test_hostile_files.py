"""Files written to do harm: they run nothing, swell into nothing, lead nowhere, and print nothing but text.

Held elsewhere: archives that climb, links and bombs in bundles (`test_bundle`), links and storage outside an HDF5 file
(`test_store`), links out of a corpus (`test_datasets_faults`), markup on the page (`test_page`), formulas in CSV and
LaTeX in tables (`test_leaderboard`, `test_manuscript`).
"""

import io
import json
import os
import pickle
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mebench.check import frame_fault
from mebench.cli import status
from mebench.datasets import casme2
from mebench.errors import AnnotationError, ModelError, PredictionError, ProtocolError
from mebench.files import write_sealed
from mebench.foreign import Target, read
from mebench.frames import decode, read_files
from mebench.image_files import MOST_PIXELS, decoded, stated_size
from mebench.inputs import compute_inputs
from mebench.protocol import load_protocol
from mebench.store import clip_path, read_clip, write_clip
from mebench.weights.files import encode_weights, load_weights
from mebench.weights.provenance import provenance_of
from tests.fuzz.readers.workbooks import CASME2_KIND
from tests.planted import plant
from tests.small_corpus import FOLDER, ONSET, frame, write_corpus, write_frame
from tests.test_store import stored

TARGET = Target("p", ("a", "b"), {"casme2": {}})


class Running:
    """A pickle of this makes a file where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class TestWeights:
    @pytest.mark.parametrize("form", ["pickle", "archive", "beside tensors"])
    def test_a_pickle_in_a_weight_file_does_not_run(self, tmp_path, form):
        path, trace = tmp_path / "w.pt", tmp_path / "ran"
        payload = {"layer": torch.zeros(1), "x": Running(trace)} if form == "beside tensors" else Running(trace)
        path.write_bytes(pickle.dumps(payload)) if form == "pickle" else torch.save(payload, path)
        with pytest.raises(ModelError, match="holds more than tensors"):
            load_weights(path)
        assert not trace.exists()
        pickle.loads(pickle.dumps(Running(trace)))  # which shows that it would have
        assert trace.exists()

    @pytest.mark.parametrize(
        "value",
        [
            torch.zeros(1).expand(10**12),  # 4 TB to look at, 1 KB on disk
            torch.empty(10**12, device="meta"),
            torch.eye(2).to_sparse(),
            torch.tensor([complex("nan")]),
        ],
        ids=["stretched", "without values", "sparse", "complex"],
    )
    def test_tensors_that_are_not_plain_numbers_are_refused(self, tmp_path, value):
        torch.save({"layer": value}, tmp_path / "w.pt")
        with pytest.raises(ModelError, match="is no state dict"):
            load_weights(tmp_path / "w.pt")

    def test_old_formats_are_read_or_refused_without_a_word_of_torch(self, tmp_path):
        state = {"layer": torch.ones(2)}
        torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
        assert load_weights(tmp_path / "old.pt").state["layer"].tolist() == [1.0, 1.0]
        torch.save(state, tmp_path / "new.pt", _use_new_zipfile_serialization=False, pickle_protocol=4)
        with pytest.raises(ModelError, match="is no file of tensors"):  # warnings are errors here
            load_weights(tmp_path / "new.pt")

    def test_slices_of_larger_tensors_are_plain(self, tmp_path):
        torch.save({"layer": torch.arange(12.0).reshape(3, 4).T[1:]}, tmp_path / "w.pt")
        assert load_weights(tmp_path / "w.pt").state["layer"].tolist()[0] == [1.0, 5.0, 9.0]

    @pytest.mark.parametrize("said", ["[" * 100_000, "9" * 5_000, "{", 5])
    def test_what_a_file_says_of_itself_may_be_anything(self, tmp_path, said):
        torch.save({"schema": "mebench.weights/1", "metadata": said, "state": {"x": torch.zeros(1)}}, tmp_path / "w.pt")
        with pytest.raises(ModelError, match="says of itself is damaged"):
            load_weights(tmp_path / "w.pt")

    @pytest.mark.parametrize(
        "change",
        [
            {"subjects": "casme2/sub01"},
            {"synthetic": []},
            {"images": float("inf")},
            {"synthetic": "xy"},
            {"subjects": [1]},
        ],
    )
    def test_provenance_of_another_form_is_refused(self, change):
        seen = {"dataset": "casme2", "fingerprint": "f", "images": 1, "subjects": None, "synthetic": None}
        record = {"schema": "mebench.provenance/1", "chain": "macro", "seen": [{**seen, **change}]}
        with pytest.raises(ModelError, match="is damaged"):
            provenance_of(record, "w.pt")

    def test_a_sound_file_is_read(self, tmp_path):
        (tmp_path / "w.pt").write_bytes(encode_weights({"x": torch.ones(2)}, {"a": 1}))
        assert load_weights(tmp_path / "w.pt").metadata == {"a": 1}


class TestSize:
    def test_a_cell_of_100_mb_is_refused(self, tmp_path):
        draft = CASME2_KIND.draft()
        draft.body[0][8] = "x" * 100_000_000
        (tmp_path / "x.xlsx").write_bytes(draft.content())
        assert (tmp_path / "x.xlsx").stat().st_size < 1_000_000
        with pytest.raises(AnnotationError, match="it unpacks to"):
            casme2.DATASET.load(tmp_path)

    @pytest.mark.parametrize("size", [1_000_000, 70_000_000])
    def test_a_field_of_many_mb_in_predictions_is_refused(self, tmp_path, size):
        (tmp_path / "p.csv").write_text("clip,fold,seed,truth,predicted\n" + "x" * size + ",f,0,a,a\n")
        with pytest.raises(PredictionError, match=r"not a table|has more than 64 MiB"):
            read(tmp_path / "p.csv", TARGET)

    def test_a_file_without_end_is_not_read_to_its_end(self, tmp_path):
        (tmp_path / "p.toml").symlink_to("/dev/zero")
        with pytest.raises(ProtocolError, match=r"not TOML"):
            load_protocol(tmp_path / "p.toml")
        with pytest.raises(PredictionError, match="has more than 64 MiB"):
            read(Path("/dev/zero"), TARGET)


def png(width: int, height: int) -> bytes:
    """The beginning of a grey PNG of this size, and an end."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1_000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class TestFrames:
    @pytest.mark.parametrize("form", [".jpg", ".png", ".bmp", ".tif"])
    @pytest.mark.parametrize("colour", [True, False])
    def test_the_size_stated_is_the_size_decoded(self, form, colour):
        image = np.zeros((10, 23, 3) if colour else (10, 23), np.uint8)
        content = cv2.imencode(form, image)[1].tobytes()
        assert stated_size(content) == (23, 10)
        assert decoded(content).image.shape[:2] == (10, 23)

    def test_a_progressive_jpeg_with_a_thumbnail_states_its_own_size(self):
        content = cv2.imencode(".jpg", np.zeros((10, 23), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
        thumbnail = cv2.imencode(".jpg", np.zeros((2, 3), np.uint8))[1].tobytes()
        segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
        assert stated_size(content[:2] + segment + content[2:]) == (23, 10)

    @pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (0, 10), (MOST_PIXELS + 1, 1)])
    def test_a_small_file_that_states_a_huge_image_is_not_decoded(self, tmp_path, size):
        (tmp_path / "img1.png").write_bytes(png(*size))
        assert stated_size(png(*size)) == size
        assert frame_fault(tmp_path / "img1.png")[0] == "cannot be decoded"

    @pytest.mark.parametrize(
        "content",
        [b"", b"\xff\xd8", b"\xff\xd8\xff", b"BM", b"\x89PNG", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"P6 9 9"],
    )
    def test_a_header_that_ends_early_states_no_size(self, content):
        assert stated_size(content) is None
        assert decoded(content).image is None

    def test_damage_that_a_decoder_fills_in_is_said(self, tmp_path, capfd):
        root = write_corpus(tmp_path / "corpus")
        path = root / FOLDER / "EP01_01" / f"img{ONSET}.jpg"
        write_frame(path, frame(0))
        content = bytearray(path.read_bytes())
        del content[len(content) // 2 : len(content) // 2 + 200]
        path.write_bytes(content)
        files = read_files(path.parent, [(ONSET, path.name)])
        assert decode(files)[1] == ("damaged-data-in-1-frames",)
        assert "Corrupt JPEG" in frame_fault(path)[2]
        capfd.readouterr()
        status(["check", "casme2", "--data", str(root), "--deep"])
        told = capfd.readouterr()
        assert told.err == ""
        assert f"frames decode in spite of damage: {path.name} (Corrupt JPEG data" in told.out

    def test_a_sound_frame_is_not_said_to_be_damaged(self, tmp_path):
        write_frame(tmp_path / "img1.jpg", frame(0))
        assert frame_fault(tmp_path / "img1.jpg") == (None, (300, 256, 3), "")


class TestNames:
    @pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "a/b", "a\\b", "\x1b[31m", "EP01_01/../.."])
    @pytest.mark.parametrize("column", ["subject", "name"])
    def test_a_name_in_a_workbook_leads_nowhere(self, tmp_path, name, column):
        draft = CASME2_KIND.draft()
        draft.body[0][CASME2_KIND.fields[column]] = name
        (tmp_path / "x.xlsx").write_bytes(draft.content())
        with pytest.raises(AnnotationError, match="belongs to another"):
            casme2.DATASET.load(tmp_path)

    @pytest.mark.parametrize("member", ["../secret.toml", "/etc/secret.toml", "a/../../secret.toml"])
    def test_a_suite_does_not_name_files_beyond_its_folder(self, tmp_path, member):
        (tmp_path / "secret.toml").write_text("secret = 1\n")
        folder = tmp_path / "suite"
        folder.mkdir()
        head = 'schema = "mebench.suite/1"\nname = "s"\nversion = 1\ntitle = "t"\ndescription = "d"\n'
        (folder / "s.toml").write_text(f'{head}[suite]\nmembers = ["{member}"]\n')
        with pytest.raises(ProtocolError, match="leads out of the suite's folder"):
            load_protocol(folder / "s.toml")

    def test_what_is_printed_of_names_is_text_on_its_own_line(self, tmp_path, capfd):
        root = write_corpus(tmp_path / "corpus")
        odd = ("\x1b[2Jx.jpg", "\x9b31mx.jpg", "x\nerror: forged.jpg", "\u202egpj.jpg", b"x\xff.jpg")
        for name in odd:
            (Path(os.fsdecode(os.fsencode(root / FOLDER / "EP01_01") + b"/" + os.fsencode(name)))).touch()
        for more in ([], ["--json"]):
            status(["check", "casme2", "--data", str(root), *more])
            lines = capfd.readouterr().out.split("\n")
            assert all(line.isprintable() for line in lines)
            assert not any(line.lstrip().startswith("error: forged") for line in lines)
        findings = json.loads("\n".join(lines))["findings"]
        assert any("forged" in finding["message"] for finding in findings)


class TestStored:
    def test_what_does_not_fit_together_is_refused_though_the_seal_fits(self, tmp_path):
        from dataclasses import replace

        clip = stored()
        wrong = [
            replace(clip, landmarks=clip.landmarks[:-1]),
            replace(clip, motion=clip.motion[:-1]),
            replace(clip, numbers=clip.numbers[::-1].copy()),
            replace(clip, fps=float("nan")),
            replace(clip, fps=1e308),
            replace(clip, box=np.full(4, np.inf)),
            replace(clip, interval=(9, 1)),
        ]
        for one in wrong:
            write_clip(tmp_path, one)
            with pytest.raises(Exception, match="cannot be read from the store"):
                read_clip(tmp_path, clip.clip_id)
        write_clip(tmp_path, clip)
        assert read_clip(tmp_path, clip.clip_id).digest == clip.digest

    @pytest.mark.parametrize("kind", ["group", "left out", "packed", "empty"])
    def test_a_dataset_that_is_none_or_swells_is_refused(self, tmp_path, kind):
        import h5py

        clip = stored()
        path = write_clip(tmp_path, clip)
        image = io.BytesIO(path.read_bytes())
        with h5py.File(image, "r+") as file:
            del file["motion"]
            if kind == "group":
                file.create_group("motion")
            elif kind == "left out":
                file.create_dataset("motion", (10**6, 10**4, 10), np.float64, chunks=(1, 10**4, 10))
            elif kind == "packed":
                file.create_dataset("motion", data=np.zeros((5_000, 5_000)), chunks=True, compression="gzip")
            else:
                file["motion"] = h5py.Empty(np.float64)
        write_sealed(path, image.getvalue(), {})
        with pytest.raises(Exception, match="motion is not stored as it should be"):
            read_clip(tmp_path, clip.clip_id)

    def test_a_cached_input_that_is_no_array_is_made_again(self, tmp_path):
        root = plant(tmp_path / "lab")
        table = casme2.DATASET.load(root / "corpus")
        clips = [next(iter(table))]
        made = compute_inputs(root / "home", "crop(size=8) > grey > onset > flatten", clips)
        right, path = made[clips[0].id], made.files[clips[0].id]
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000,), }".ljust(117) + "\n"
        trace = tmp_path / "ran"
        pickled = io.BytesIO()
        np.save(pickled, np.array([Running(trace)], object), allow_pickle=True)
        held = io.BytesIO()
        np.savez(held, x=right)
        open_bracket = header.replace(",), }", "    ")
        headers = [b"\x93NUMPY\1\0\x76\0" + text.encode() for text in (header, open_bracket)]
        for content in (b"", b"x", pickled.getvalue(), held.getvalue(), *headers):
            write_sealed(path, content, {"key": made.clip_keys[clips[0].id], "flags": ""})
            (path.parents[2] / "recipe.json").write_bytes(b"\xff\xfe")
            again = compute_inputs(root / "home", "crop(size=8) > grey > onset > flatten", clips)
            assert np.array_equal(again[clips[0].id], right)
        assert not trace.exists()
        assert clip_path(root / "home", clips[0].id).exists()

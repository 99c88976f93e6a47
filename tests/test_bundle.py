"""Bundles and replications: no label leaves the home, nothing read is believed, and a record says what was found."""

import hashlib
import io
import json
import shutil
import stat
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mebench import archive, runs
from mebench.agreement import Agreement, agreement, draw_folds
from mebench.bundle import Bundle, make_bundle, read_bundle
from mebench.cli import status
from mebench.clips import canonical_json
from mebench.errors import RunError, UsageError
from mebench.export import export_run, without_folders
from mebench.predictions import Prediction, Predictions
from mebench.replication import (
    OTHER_INPUTS,
    SCHEMA,
    Replication,
    add_record,
    read_record,
    record_text,
    remarks,
    replications,
    sign_statement,
)
from mebench.signing import Identity, fingerprint, identity_of, is_signed
from mebench.sources import imports_beside, origin_of
from tests.planted import arguments, plant, run_arguments

SEEDS = 2


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A lab that ran the planted model under two seeds."""
    root = plant(tmp_path_factory.mktemp("first") / "lab")
    assert status(run_arguments(root, "--seeds", str(SEEDS))) == 0
    return root


@pytest.fixture
def first(finished, tmp_path) -> Path:
    """A copy of that lab's home to write into."""
    shutil.copytree(finished / "home", tmp_path / "first")
    return tmp_path / "first"


@pytest.fixture(scope="module")
def bundle_file(finished, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("mail") / "run.zip"
    assert status(["--home", str(finished / "home"), "export", "means.Means", "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def second(tmp_path_factory) -> Path:
    """Another lab with its own copy of the corpus, prepared in its own home."""
    return plant(tmp_path_factory.mktemp("second") / "lab")


@pytest.fixture(scope="module")
def record_file(bundle_file, second, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("reply") / "record.json"
    more = (str(bundle_file), "--folds", "3", "--trust", "--lab", "Second Lab", "--jobs", "1", "-o", str(path))
    assert status(arguments(second, "replicate", *more)) == 0
    return path


def the_run(home: Path) -> runs.StoredRun:
    return runs.find_run(home, "means.Means")


def said(capsys, command: list[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = status(command)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


class TestExport:
    def test_only_the_named_members_and_no_truth_in_any(self, bundle_file):
        found = members(bundle_file)
        assert set(found) == {
            "README.txt", "SHA256SUMS", "bundle.json", "model.py", "predictions.csv", "protocol.toml"
        }  # fmt: skip
        header, *rows = found["predictions.csv"].decode().splitlines()
        assert header == "clip,fold,seed,predicted,score_happiness,score_disgust"
        assert len(rows) == 16 * SEEDS
        facts = json.loads(found["bundle.json"])
        assert not {"truth", "subjects"} & set(facts)
        assert set(facts["folds"][0]) == {"id", "test", "train"}

    def test_bytes_do_not_depend_on_what_is_true(self, bundle_file):
        """Whatever the labels are, the same bundle leaves the home: so it says nothing about them."""
        bundle = read_bundle(bundle_file)
        made = []
        for truth in ("happiness", "disgust"):
            rows = tuple(replace(row, truth=truth) for row in reversed(bundle.predictions.rows))
            told = Predictions(bundle.predictions.protocol, bundle.predictions.classes, rows)
            made.append(make_bundle(bundle.facts, told, bundle.model_file, bundle.protocol_file))
        assert made[0].data == made[1].data == bundle_file.read_bytes()
        assert all(row.truth is None for row in made[0].predictions.rows)

    def test_the_same_run_gives_the_same_bytes_in_another_folder(self, first, bundle_file, tmp_path):
        assert status(["--home", str(first), "export", "means.Means", "-o", str(tmp_path / "again.zip")]) == 0
        assert (tmp_path / "again.zip").read_bytes() == bundle_file.read_bytes()

    def test_reading_gives_what_was_run(self, finished, bundle_file):
        bundle, run = read_bundle(bundle_file), the_run(finished / "home")
        assert (bundle.run, bundle.seeds) == (run.id, (0, 1))
        assert bundle.folds == run.seeds[0].folds
        ours = {(r.clip, r.seed): (r.predicted, r.scores) for s in run.seeds for r in s.predictions().rows}
        assert {(r.clip, r.seed): (r.predicted, r.scores) for r in bundle.predictions.rows} == ours
        assert bundle.model_file == (finished / "means.py").read_bytes()
        assert bundle.digest == hashlib.sha256(bundle_file.read_bytes()).hexdigest()

    def test_no_folder_of_this_machine_in_it(self, finished, bundle_file):
        assert str(finished).encode() not in bundle_file.read_bytes()
        assert without_folders("mebench --home /home/al/h run ../a/m.py:M --data=casme2=/x/C2/ --set a=3/4") == (
            "mebench --home h run m.py:M --data=casme2=C2 --set a=3/4"
        )

    def test_a_registered_model_travels_as_name_version_and_digest(self, second, tmp_path):
        home = ["--home", str(second / "home")]
        protocol = str(second / "planted.toml")
        data = f"--data=casme2={second / 'corpus'}"
        assert status([*home, "run", "constant", "--protocol", protocol, data]) == 0
        assert status([*home, "export", "constant", "-o", str(tmp_path / "c.zip")]) == 0
        bundle = read_bundle(tmp_path / "c.zip")
        origin = origin_of("constant")
        assert bundle.model_file is None
        assert bundle.facts["model"]["distribution"] == "mebench"
        assert bundle.facts["model"]["source_digest"] == origin.digest
        assert set(origin.modules) == {"mebench.baselines.floor"}

    def test_an_unfinished_run_and_a_changed_model_file_are_not_exported(self, finished, first, tmp_path):
        run = the_run(first)
        next((run.seeds[0].path / "folds").glob("*.csv")).unlink()
        with pytest.raises(RunError, match="is incomplete"):
            export_run(the_run(first))
        moved = plant(tmp_path / "moved")
        assert status(run_arguments(moved)) == 0
        with (moved / "means.py").open("a") as stream:
            stream.write("\n# changed\n")
        with pytest.raises(RunError, match=r"means\.py is not the one run"):
            export_run(the_run(moved / "home"))
        (moved / "means.py").unlink()
        with pytest.raises(RunError, match="cannot be read"):
            export_run(the_run(moved / "home"))

    def test_a_changed_protocol_file_is_not_exported(self, tmp_path):
        root = plant(tmp_path / "lab")
        assert status(run_arguments(root)) == 0
        text = (root / "planted.toml").read_text()
        (root / "planted.toml").write_text(text.replace("version = 1", "version = 2"))
        with pytest.raises(RunError, match="no longer holds planted-loso"):
            export_run(the_run(root / "home"))

    def test_imports_from_the_models_own_folder_are_told(self, tmp_path):
        (tmp_path / "helper.py").touch()
        assert imports_beside(b"import helper, numpy\nfrom helper.x import y\n", tmp_path) == ("helper",)
        assert imports_beside(b"import numpy\n", tmp_path) == ()


def zipped(entries: list[tuple[zipfile.ZipInfo | str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as writer:
        for name, content in entries:
            writer.writestr(name, content)
    return made.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def swollen(data: bytes, size: int = 2**31) -> bytes:
    """The archive with the declared sizes of its first member in the directory raised, the content left as it is."""
    at = data.index(b"PK\x01\x02")
    return data[: at + 20] + struct.pack("<II", size, size) + data[at + 28 :]


@pytest.mark.filterwarnings("ignore:Duplicate name")
class TestHostileBundles:
    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda d, m: zipped([*m.items(), ("../evil.py", b"x")]), "leads out of the folder"),
            (lambda d, m: zipped([*m.items(), ("/etc/evil", b"x")]), "leads out of the folder"),
            (lambda d, m: zipped([*m.items(), ("a/../../evil", b"x")]), "leads out of the folder"),
            (lambda d, m: zipped([*m.items(), ("C:\\evil", b"x")]), "leads out of the folder"),
            (lambda d, m: zipped([*m.items(), (link("weights.pt"), b"/etc/passwd")]), "is a link"),
            (
                lambda d, m: zipped([(n, c) for n, c in m.items() if n != "model.py"] + [(link("model.py"), b"/x")]),
                "link",
            ),
            (lambda d, m: zipped([*m.items(), ("frames/", b"")]), "is a link, a folder"),
            (lambda d, m: zipped([*m.items(), ("frame.png", b"x")]), "'frame.png' does not belong there"),
            (lambda d, m: zipped([*m.items(), ("model.py", b"import os")]), "'model.py' is there twice"),
            (lambda d, m: zipped(list(m.items()), zipfile.ZIP_DEFLATED), "is compressed"),
            (lambda d, m: zipped([("bundle.json", bytes(10**8))], zipfile.ZIP_DEFLATED), "larger than 64 MiB"),
            (lambda d, m: swollen(d), "larger than 64 MiB"),
            (lambda d, m: swollen(d, 10**7), "not a whole zip archive"),
            (lambda d, m: zipped([(n, c) for n, c in m.items() if n != "predictions.csv"]), "is not in it"),
            (lambda d, m: zipped([(n, c) for n, c in m.items() if n != "SHA256SUMS"]), "'SHA256SUMS' is not in it"),
            (lambda d, m: zipped([(n, c + b"\n" * (n == "model.py")) for n, c in m.items()]), "model.py is not what"),
            (lambda d, m: zipped(list(m.items())), "not write"),
            (lambda d, m: d + b"more", "holds bytes beside its members"),
            (lambda d, m: b"#!/bin/sh\n" + d, "holds bytes beside its members"),
            (lambda d, m: d[:-30], "not a whole zip archive"),
            (lambda d, m: d[:500], "not a whole zip archive"),
            (lambda d, m: b"", "not a whole zip archive"),
            (lambda d, m: bytes(archive.MOST_BYTES + 1), "larger than 64 MiB"),
        ],
    )
    def test_is_refused_in_one_line(self, bundle_file, second, tmp_path, capsys, spoil, why):
        path = tmp_path / "bad.zip"
        path.write_bytes(spoil(bundle_file.read_bytes(), members(bundle_file)))
        code, out, err = said(capsys, arguments(second, "replicate", str(path), "--trust", "--lab", "x"))
        assert (code, out) == (1, "")
        assert why in err
        assert [line[:7] for line in err.splitlines()] == ["error: ", "  fix: "]

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda f: f.update(schema="mebench.bundle/2"), "its schema is 'mebench.bundle/2'"),
            (lambda f: f.pop("folds"), "'folds' is lacking"),
            (lambda f: f.update(weights="x"), "'weights' is lacking, not known"),
            (lambda f: f.update(classes="happiness"), "'classes' is lacking, not known or of the wrong kind"),
            (lambda f: f["spec"].update(selection="inner"), "does not follow from its spec"),
            (lambda f: f["spec"].update(extra=1), "its spec does not hold extra"),
            (lambda f: f.update(run="0" * 12), "does not follow from its spec"),
            (lambda f: f["environments"].pop("1"), "the seeds predicted are not 0"),
            (lambda f: f["folds"].pop(), "which does not test it"),
            (lambda f: f.update(folds=[1]), "bundle.json is damaged"),
            (lambda f: f["classes"].reverse(), "the header is"),
            (lambda f: f["folds"][0].update(train="all"), "'folds' is of the wrong kind"),
            (lambda f: f["folds"][0].update(x=1), "a fold holds more"),
            (lambda f: f["folds"][0]["test"].append(f["folds"][0]["test"][0]), "a clip is tested twice"),
            (lambda f: f["spec"].update(parameters=None), "'parameters' is of the wrong kind"),
            (lambda f: f["spec"].update(fingerprints=None), "'fingerprints' is of the wrong kind"),
        ],
    )
    def test_facts_that_contradict_are_refused(self, bundle_file, tmp_path, change, why):
        contents = members(bundle_file)
        contents.pop("SHA256SUMS")
        facts = json.loads(contents["bundle.json"])
        change(facts)
        contents["bundle.json"] = json.dumps(facts).encode()
        with pytest.raises(RunError, match="is refused") as caught:
            read_bundle(written(tmp_path, contents))
        assert why in caught.value.what

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("bundle.json", b"[" * 100_000, "damaged"),
            ("bundle.json", b'{"schema": NaN}', "NaN is no number"),
            ("bundle.json", b'{"schema": 1, "schema": 1}', "a key is there twice"),
            ("bundle.json", b"\xff", "damaged"),
            ("predictions.csv", b"clip\n", "the header is"),
            ("predictions.csv", b"\xff", "damaged"),
            ("model.py", b"import os", "not the source the run was made with"),
        ],
    )
    def test_members_that_are_not_what_they_should_be_are_refused(self, bundle_file, tmp_path, name, content, why):
        contents = members(bundle_file)
        contents.pop("SHA256SUMS")
        with pytest.raises(RunError, match="is refused") as caught:
            read_bundle(written(tmp_path, {**contents, name: content}))
        assert why in caught.value.what

    def test_a_prediction_given_twice_is_refused(self, bundle_file, tmp_path):
        contents = members(bundle_file)
        contents.pop("SHA256SUMS")
        lines = contents["predictions.csv"].decode().splitlines(keepends=True)
        contents["predictions.csv"] = "".join([*lines, lines[-1]]).encode()
        with pytest.raises(RunError, match="is predicted twice"):
            read_bundle(written(tmp_path, contents))

    def test_source_is_neither_imported_nor_written_without_trust(self, bundle_file, second, tmp_path, capsys):
        sentinel = tmp_path / "ran"
        source = (
            f"import pathlib\npathlib.Path({str(sentinel)!r}).touch()\n".encode() + members(bundle_file)["model.py"]
        )
        path = self.with_source(bundle_file, source, tmp_path)
        code, _, err = said(capsys, arguments(second, "replicate", str(path), "--lab", "Second Lab", "--jobs", "1"))
        assert code == 2
        assert "which replicating runs on this machine" in err
        assert "--trust" in err
        assert not sentinel.exists()
        out = ["-o", str(tmp_path / "r.json")]
        assert (
            status(arguments(second, "replicate", str(path), "--trust", "--lab", "Second Lab", "--jobs", "1", *out))
            == 0
        )
        assert sentinel.exists()

    def with_source(self, bundle_file: Path, source: bytes, folder: Path) -> Path:
        """The bundle of a run made with other source: only the digests that follow from it differ."""
        bundle = read_bundle(bundle_file)
        spec = {**bundle.spec, "model_digest": hashlib.sha256(source).hexdigest()}
        facts = {**bundle.facts, "spec": spec, "run": runs.RunSpec(**spec).id}
        path = folder / "other.zip"
        make_bundle(facts, bundle.predictions, source, bundle.protocol_file).write(path)
        return path


def written(folder: Path, contents: dict[str, bytes]) -> Path:
    path = folder / "bundle.zip"
    path.write_bytes(archive.pack(contents))
    return path


class TestReplicating:
    def test_another_lab_finds_the_same(self, record_file, bundle_file, second):
        found = read_record(record_file)
        assert found.verdict == "identical"
        assert found.statement["agreement"] == {
            "clips": 12, "identical": 12, "uf1_run": 1.0, "uf1_here": 1.0, "classes_scored": 2, "verdict": "identical"
        }  # fmt: skip
        assert (found.lab, len(found.rows), len({row.fold for row in found.rows})) == ("Second Lab", 12, 3)
        assert found.statement["bundle"] == hashlib.sha256(bundle_file.read_bytes()).hexdigest()
        assert (found.statement["same_inputs"], found.statement["same_source"]) == (True, True)
        assert found.key == identity_of(second / "home", None).public

    def test_the_record_states_no_truth(self, record_file):
        assert all(len(row) == 4 for row in json.loads(record_file.read_text())["statement"]["rows"])

    def test_other_predictions_in_the_bundle_are_found_out(self, bundle_file, second, tmp_path, capsys):
        """A lab that claims other predictions than its model makes: all of one class turned round."""
        bundle = read_bundle(bundle_file)
        turned = tuple(replace(row, predicted="disgust") for row in bundle.predictions.rows)
        lie = make_bundle(
            bundle.facts, Predictions("planted-loso", bundle.predictions.classes, turned),
            bundle.model_file, bundle.protocol_file,
        )  # fmt: skip
        lie.write(tmp_path / "lie.zip")
        more = (str(tmp_path / "lie.zip"), "--trust", "--lab", "Second Lab", "--jobs", "1", "--json", "--seed", "7")
        out = ["-o", str(tmp_path / "r.json")]
        code, printed, _ = said(capsys, arguments(second, "replicate", *more, *out))
        figures = json.loads(printed)["statement"]["agreement"]
        # half of the 16 clips are disgust: F1 of happiness 0, of disgust 2*8/(8+16)
        assert (code, figures["verdict"], figures["identical"], figures["clips"]) == (0, "different", 8, 16)
        assert (figures["uf1_run"], figures["uf1_here"]) == (pytest.approx(1 / 3), 1.0)

    def test_corpora_protocols_and_models_must_be_those_of_the_run(self, bundle_file, second, tmp_path, capsys):
        def refused(bundle: Bundle, **spec: object) -> str:
            whole = {**bundle.spec, **spec}
            facts = {**bundle.facts, "spec": whole, "run": runs.RunSpec(**whole).id}
            make_bundle(facts, bundle.predictions, bundle.model_file, bundle.protocol_file).write(tmp_path / "x.zip")
            more = (str(tmp_path / "x.zip"), "--trust", "--lab", "Second Lab", "--jobs", "1")
            code, _, err = said(capsys, arguments(second, "replicate", *more))
            assert code == 1
            return err

        bundle = read_bundle(bundle_file)
        assert "The annotation of casme2 here" in refused(bundle, fingerprints={"casme2": "0" * 64})
        assert "is not that of the run" in refused(bundle, protocol_digest="0" * 64)
        assert "model_version differ" in refused(bundle, model_version=2)
        assert "recipe differ" in refused(bundle, recipe="crop(size=4) > grey > onset > flatten")
        assert "weights differ" in refused(bundle, weights={"backbone": "0" * 64})

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda f: f["spec"].update(protocol="planted-losox"), "is not that of the run, planted-losox"),
            (lambda f: f["spec"].update(selection="inner"), "selection differ"),
            (lambda f: f["spec"].update(fingerprints={}), "The annotation of casme2 here"),
            (lambda f: f["folds"][0].update(train=3), "The folds here are not those of the run"),
        ],
    )
    def test_a_bundle_that_says_something_else_of_its_run_is_not_replicated(
        self, bundle_file, second, tmp_path, capsys, change, why
    ):
        bundle = read_bundle(bundle_file)
        facts = json.loads(json.dumps(dict(bundle.facts)))
        change(facts)
        facts["run"] = runs.RunSpec(**facts["spec"]).id
        rows = replace(bundle.predictions, protocol=facts["spec"]["protocol"])
        make_bundle(facts, rows, bundle.model_file, bundle.protocol_file).write(tmp_path / "x.zip")
        more = (str(tmp_path / "x.zip"), "--trust", "--lab", "Second Lab", "--jobs", "1")
        code, _, err = said(capsys, arguments(second, "replicate", *more))
        assert code == 1
        assert why in err

    def test_a_model_that_breaks_signs_nothing(self, bundle_file, second, tmp_path, capsys):
        source = members(bundle_file)["model.py"] + b"\n\nMeans.predict = None\n"
        path = TestHostileBundles().with_source(bundle_file, source, tmp_path)
        out = tmp_path / "r.json"
        more = (str(path), "--trust", "--lab", "Second Lab", "--jobs", "1", "-o", str(out))
        code, _, err = said(capsys, arguments(second, "replicate", *more))
        assert code == 1
        assert "cannot be fitted again: TypeError" in err
        assert not out.exists()

    def test_a_home_without_corpus_says_what_to_prepare(self, bundle_file, tmp_path, capsys):
        code, _, err = said(capsys, ["--home", str(tmp_path), "replicate", str(bundle_file), "--trust", "--lab", "x"])
        assert code == 1
        assert "mebench prepare casme2" in err


class TestDrawing:
    def test_follows_from_the_digests_of_word_and_fold(self):
        folds = ["a", "b", "c", "d"]
        ranks = {f: hashlib.sha256(f"7\n{f}\nfold".encode()).hexdigest() for f in folds}
        two = sorted(sorted(folds, key=ranks.__getitem__)[:2])
        seeds = [(0, 4, 9)[int(hashlib.sha256(f"7\n{f}\nseed".encode()).hexdigest(), 16) % 3] for f in two]
        assert draw_folds(reversed(folds), (9, 0, 4), 2, "7") == list(zip(two, seeds, strict=True))

    def test_no_fold_twice_and_never_more_than_there_are(self):
        drawn = draw_folds([f"s{i}" for i in range(5)], (0, 1), 9, "w")
        assert [fold for fold, _ in drawn] == ["s0", "s1", "s2", "s3", "s4"]

    def test_every_fold_has_the_same_chance(self):
        """Of 2000 draws of 1 in 4 each comes up 500 times, SD sqrt(2000 * .25 * .75) = 19.4: five of them are 97."""
        counts = dict.fromkeys("abcd", 0)
        for word in range(2000):
            counts[draw_folds("abcd", (0,), 1, str(word))[0][0]] += 1
        assert all(abs(count - 500) < 97 for count in counts.values()), counts


TRUTH = {f"c{i}": "x" if i < 5 else "y" for i in range(10)}


class TestAgreement:
    def found(self, run: str, here: str) -> Agreement:
        """Predictions as strings of x, y and `.` for none, a clip each, fold f, seed 3; seed 4 must not matter."""

        def rows(text: str) -> list[Prediction]:
            said = {"x": "x", "y": "y", ".": None}
            other = [Prediction(f"c{i}", "f", 4, None, "x") for i in range(10)]
            return [Prediction(f"c{i}", "f", 3, None, said[c]) for i, c in enumerate(text) if c != " "] + other

        run_rows = Predictions("p", ("x", "y"), tuple(rows(run)))
        return agreement(run_rows, rows(here), [("f", 3)], TRUTH, {"f": list(TRUTH)}, several=False)

    def test_by_hand(self):
        """Run: all right, UF1 1. Here c9 is x: x has TP 5, FP 1: F1 10/11; y has TP 4, FN 1: F1 8/9."""
        found = self.found("xxxxxyyyyy", "xxxxxyyyyx")
        assert (found.clips, found.identical, found.uf1_run) == (10, 9, 1.0)
        assert found.uf1_here == pytest.approx((10 / 11 + 8 / 9) / 2)
        assert found.verdict == "different"  # .9 of the clips, but UF1 differs by .101

    def test_sets_of_labels_by_hand(self):
        """x is held by a and b, y by b. Run: x of a alone, y of b: F1 of x 2/3, of y 1. Here all right."""
        truth = {"a": "x", "b": "x+y"}
        run = Predictions("p", ("x", "y"), (Prediction("a", "f", 0, None, "x"), Prediction("b", "f", 0, None, "y")))
        here = (Prediction("a", "f", 0, None, "x"), Prediction("b", "f", 0, None, "x+y"))
        found = agreement(run, here, [("f", 0)], truth, {"f": ["a", "b"]}, several=True)
        assert (found.clips, found.identical, found.uf1_here) == (2, 1, 1.0)
        assert found.uf1_run == pytest.approx((2 / 3 + 1) / 2)

    def test_limits(self):
        assert self.found("xxxxxyyyyy", "xxxxxyyyyy").verdict == "identical"
        assert Agreement(20, 18, 0.70, 0.65, 2).verdict == "close"
        assert Agreement(20, 17, 0.70, 0.70, 2).verdict == "different"
        assert Agreement(20, 18, 0.70, 0.64, 2).verdict == "different"
        assert Agreement(20, 20, float("nan"), float("nan"), 0).verdict == "identical"

    def test_what_only_one_predicts_differs_and_what_neither_predicts_does_not(self):
        assert self.found("xxxxxyyyyy", "xxxxxyyyy ").identical == 9
        assert self.found("xxxxxyyyy ", "xxxxxyyyy.").identical == 10


class TestRecords:
    def test_entered_beside_the_run_and_counted_once_per_lab(self, first, record_file, tmp_path, capsys):
        code, out, _ = said(capsys, ["--home", str(first), "replicate", "--import", str(record_file)])
        assert code == 0
        assert "identical: 12 of 12 clips" in out
        add_record(first, record_file)
        run = the_run(first)
        assert [one.lab for one in replications(run)] == ["Second Lab"]
        assert remarks(replications(run)) == ("replicated by 1",)
        add_record(first, self.signed(record_file, tmp_path, lab="Third Lab"))
        assert remarks(replications(run)) == ("replicated by 2",)

    def test_no_record_no_remark(self, first):
        assert replications(the_run(first)) == ()
        assert remarks(()) == ()

    def test_a_lab_counts_by_the_worst_it_found(self, record_file):
        found = read_record(record_file)
        worse = sign_statement(
            {**found.statement, "agreement": {**found.statement["agreement"], "verdict": "different"}},
            Identity("Second Lab", bytes(32)),
        )
        same_lab = replace(worse, statement={**worse.statement, "key": found.key})
        assert remarks([found, worse]) == ("replicated by 1", "not replicated by 1")
        assert remarks([found, same_lab]) == ("not replicated by 1",)
        assert remarks([found, replace(same_lab, current=False)]) == ("replicated by 1",)

    def test_what_a_lab_found_on_other_inputs_is_told_apart(self, record_file):
        found = read_record(record_file)

        def different(*, same_inputs: bool) -> Replication:
            verdict = {**found.statement["agreement"], "verdict": "different"}
            return replace(found, statement={**found.statement, "agreement": verdict, "same_inputs": same_inputs})

        other, same = different(same_inputs=False), different(same_inputs=True)
        assert remarks([other]) == ("not replicated by 1 on other inputs",)
        assert remarks([other, same]) == remarks([same, other]) == ("not replicated by 1",)
        assert OTHER_INPUTS in other.text()
        assert OTHER_INPUTS not in same.text()

    def test_any_changed_value_breaks_the_signature(self, record_file, tmp_path):
        held = json.loads(record_file.read_text())
        for key, value in held["statement"].items():
            changed = {**held["statement"], key: [value]}
            if isinstance(value, str):
                changed[key] = value[:-1] + ("0" if value[-1] != "0" else "1")
            path = tmp_path / "changed.json"
            path.write_text(json.dumps({**held, "statement": changed}))
            with pytest.raises(RunError, match="is refused") as caught:
                read_record(path)
            assert "signature does not hold" in caught.value.what, key

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "damaged"),
            ("[]", "no object"),
            ('{"schema": "mebench.replication/9"}', "its schema is"),
            ('{"schema": "mebench.replication/1", "statement": 3, "signature": ""}', "damaged"),
            ('{"schema": "mebench.replication/1", "statement": {"key": "zz"}, "signature": "00"}', "signature"),
            ('{"schema": "mebench.replication/1", "statement": {"key": "\\ud800"}, "signature": "00"}', "damaged"),
            ("[" * 100_000, "damaged"),
        ],
    )
    def test_what_is_no_record_is_refused(self, tmp_path, text, why):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(RunError, match="is refused") as caught:
            read_record(tmp_path / "r.json")
        assert why in caught.value.what

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda s: s.update(predictions={"0": "0" * 64}), "other predictions"),
            (lambda s: s.update(protocol_digest="0" * 64), "another protocol"),
            (lambda s: s.update(protocol="another"), "another protocol"),
            (lambda s: s["rows"][0].__setitem__(1, "casme2/sub09"), "outside of its folds"),
            (lambda s: s["folds"].pop(), "not those that its choice draws"),
            (lambda s: s["choice"].update(seed=1, folds=1), "not those that its choice draws"),
            (lambda s: s["rows"].pop(), "figures do not follow"),
            (
                lambda s: s["rows"][0].__setitem__(3, "disgust" if s["rows"][0][3] != "disgust" else "happiness"),
                "figures",
            ),
            (lambda s: s["agreement"].update(identical=11), "figures do not follow"),
            (lambda s: s["agreement"].update(uf1_here=0.9), "figures do not follow"),
            (lambda s: s["rows"].append(["casme2/sub09/EP01_01", "x", 0, "disgust"]), "outside of its folds"),
            (lambda s: s["rows"][0].__setitem__(3, "joy"), "single labels happiness, disgust"),
            (lambda s: s.update(date="yesterday"), "damaged"),
            (lambda s: s["agreement"].update(verdict="perfect"), "lacks what a replication states"),
            (lambda s: s.pop("choice"), "damaged"),
            (lambda s: s.pop("same_inputs"), "damaged"),
            (lambda s: s.update(same_source="yes"), "lacks what a replication states"),
            (lambda s: s.pop("run"), "damaged"),
            (lambda s: s["rows"][0].__setitem__(1, ["casme2/sub01"]), "lacks what a replication states"),
            (lambda s: s["rows"][0].__setitem__(0, {}), "lacks what a replication states"),
        ],
    )
    def test_a_signature_does_not_make_false_figures_true(self, first, record_file, tmp_path, change, why):
        path = self.signed(record_file, tmp_path, change=change)
        with pytest.raises(RunError, match="is refused") as caught:
            add_record(first, path)
        assert why in caught.value.what
        assert replications(the_run(first)) == ()

    def test_a_home_does_not_replicate_itself(self, first, bundle_file, record_file, tmp_path):
        identity = identity_of(first, "First Lab")
        path = self.signed(record_file, tmp_path, identity=identity)
        with pytest.raises(RunError, match="this home signed it itself"):
            add_record(first, path)

    @pytest.mark.parametrize("spelt", [str.upper, lambda key: f" {key}", lambda key: f"{key[:2]} {key[2:]}"])
    def test_a_lab_does_not_count_twice_by_spelling_its_key_otherwise(self, first, record_file, tmp_path, spelt):
        identity = Identity("Third Lab", bytes(32))
        statement = json.loads(self.signed(record_file, tmp_path, identity=identity).read_text())["statement"]
        statement["key"] = spelt(identity.public)
        message = f"{SCHEMA}\n{canonical_json(statement)}".encode()
        record = {"schema": SCHEMA, "statement": statement, "signature": identity.sign(message)}
        path = tmp_path / "spelt.json"
        path.write_text(json.dumps(record))
        with pytest.raises(RunError, match="lacks what a replication states"):
            add_record(first, path)

    def test_a_run_that_is_not_here_is_named(self, second, tmp_path, record_file, capsys):
        code, _, err = said(capsys, ["--home", str(tmp_path), "replicate", "--import", str(record_file)])
        assert code == 2
        assert "No run named" in err

    def test_predictions_made_anew_are_not_replicated(self, first, record_file):
        add_record(first, record_file)
        run = the_run(first)
        seed, fold = run.seeds[0], next(iter(run.seeds[0].folds))
        rows = [row for row in seed.predictions().rows if row.fold == fold]
        seed.save_fold(fold, [replace(row, predicted="disgust") for row in rows])
        (found,) = replications(the_run(first))
        assert not found.current
        assert remarks([found]) == ()
        assert "of earlier predictions" in found.text()

    def test_seeds_added_since_change_nothing(self, finished, record_file, tmp_path):
        home = tmp_path / "home"
        shutil.copytree(finished / "home", home)
        add_record(home, record_file)
        command = ["--home", str(home), *run_arguments(finished, "--seeds", "3")[2:]]
        assert status(command) == 0
        run = the_run(home)
        assert len(run.seeds) == 3
        assert remarks(replications(run)) == ("replicated by 1",)

    def test_a_damaged_record_in_the_home_is_named(self, first, record_file):
        add_record(first, record_file)
        (path,) = (the_run(first).seeds[0].path.parent / "replications").iterdir()
        path.write_text(path.read_text().replace("Second", "Better"))
        with pytest.raises(RunError, match="its signature does not hold"):
            replications(the_run(first))

    def signed(self, record_file, folder, *, lab="Third Lab", change=None, identity=None) -> Path:
        """The record as another lab would have signed it, its folds drawn anew, after a change to what it states."""
        identity = identity or Identity(lab, hashlib.sha256(lab.encode()).digest())
        statement = json.loads(record_file.read_text())["statement"]
        statement["choice"] = {"folds": 4, "seed": 5}
        drawn = draw_folds([f"casme2/sub{i:02d}" for i in range(1, 5)], (0, 1), 4, "5")
        statement["folds"] = [list(pair) for pair in drawn]
        truth = {"EP01_01": "disgust", "EP02_01": "happiness", "EP03_01": "disgust", "EP04_01": "happiness"}
        statement["rows"] = [[f"{f}/{n}", f, s, label] for f, s in drawn for n, label in truth.items()]
        statement["agreement"] = {**statement["agreement"], "clips": 16, "identical": 16}
        if change:
            change(statement)
        path = folder / f"{lab}.json"
        path.write_text(record_text(sign_statement(statement, identity)))
        return path


class TestSigning:
    def test_agrees_with_the_first_vector_of_rfc_8032(self):
        secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        identity = Identity("test", secret)
        assert identity.public == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        assert identity.sign(b"") == (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
            "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        )
        assert is_signed(identity.public, identity.sign(b""), b"")
        assert not is_signed(identity.public, identity.sign(b""), b"x")
        assert not is_signed("00", identity.sign(b""), b"")

    def test_the_key_is_its_owners_alone_and_no_repr_shows_it(self, tmp_path):
        identity = identity_of(tmp_path, "A Lab")
        assert stat.S_IMODE((tmp_path / "identity.json").stat().st_mode) == 0o600
        assert identity.secret.hex() not in repr(identity)
        assert identity_of(tmp_path, None) == identity_of(tmp_path, "A Lab") == identity

    def test_a_home_has_one_name(self, tmp_path):
        with pytest.raises(UsageError, match="no name to sign with"):
            identity_of(tmp_path, None)
        for name in ("", " ", "a\nb", "x" * 81):
            with pytest.raises(UsageError, match="is no name"):
                identity_of(tmp_path, name)
        identity_of(tmp_path, "A Lab")
        with pytest.raises(UsageError, match="signs as 'A Lab'"):
            identity_of(tmp_path, "B Lab")

    @pytest.mark.parametrize("text", ["", "{}", '{"schema": "mebench.identity/1", "lab": "x", "secret": "00"}'])
    def test_a_damaged_key_is_told_and_not_replaced(self, tmp_path, text):
        (tmp_path / "identity.json").write_text(text)
        with pytest.raises(RunError, match="is damaged"):
            identity_of(tmp_path, "A Lab")
        assert (tmp_path / "identity.json").read_text() == text

    def test_a_fingerprint_is_eighty_bits_of_the_keys_digest(self):
        digest = hashlib.sha256(bytes(32)).hexdigest()
        assert fingerprint("00" * 32) == "-".join(digest[i : i + 4] for i in (0, 4, 8, 12, 16))


def test_origin_follows_imports_inside_the_package():
    modules = origin_of("lbp-top").modules
    assert {"mebench.baselines.texture.models", "mebench.baselines.texture.lbp_top"} <= set(modules)
    assert any(name.startswith("mebench.baselines.learners.") for name in modules)
    assert not any(name.split(".")[1] not in {"baselines"} for name in modules)


def test_replication_holds_what_it_was_signed_with(record_file):
    found = read_record(record_file)
    assert Replication(found.statement, found.signature) == found
    assert json.loads(record_text(found)) == json.loads(record_file.read_text())

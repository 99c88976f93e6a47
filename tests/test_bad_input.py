"""What the sweeps of bad input found, held: each test was red once."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from mebench import runs
from mebench.datasets import casme2
from mebench.datasets.correct import parse_entries
from mebench.diagnostics import FoldNotes
from mebench.errors import AnnotationError, CorrectionError, DataError, MebenchError, ProtocolError, RunError
from mebench.forget import forget
from mebench.json_files import read_json
from mebench.manifest import sealed
from mebench.prepare import load_registered, registered
from mebench.protocol import load_protocol
from mebench.published import parse_published
from mebench.signing import identity_of
from mebench.synth.workbooks import casme2_workbook, objective_2017_workbook
from tests.corpora import casme2_rows
from tests.fuzz.readers.workbooks import CASME2_KIND
from tests.test_runs import FACTS, ROWS, SPEC

NESTED_JSON = '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}"
ENDLESS_JSON = '{"x": ' + "9" * 5_000 + "}"


def in_two_lines(error: MebenchError) -> None:
    lines = str(error).split("\n")
    assert len(lines) == 2
    assert all(0 < len(line) <= 2_000 and line.isprintable() for line in lines)


class TestWorkbooks:
    def test_two_columns_of_one_name_are_refused(self, tmp_path):
        draft = CASME2_KIND.draft()
        draft.header.append("Estimated Emotion")
        for row in draft.body:
            row.append("happiness")
        (tmp_path / "x.xlsx").write_bytes(draft.content())
        with pytest.raises(AnnotationError, match="two columns emotion"):
            casme2.DATASET.load(tmp_path)

    @pytest.mark.parametrize(
        ("part", "element", "why"),
        [
            ("xl/styles.xml", (b"</cellXfs>", b"<xf/>"), "part xl/styles.xml unpacks to"),  # took openpyxl minutes
            ("xl/worksheets/sheet1.xml", (b"</sheetData>", b"<row/>"), "unpacks to"),
        ],
    )
    def test_a_part_that_swells_is_refused_before_it_is_parsed(self, tmp_path, part, element, why):
        before, small = element
        image = BytesIO()
        source = zipfile.ZipFile(BytesIO(CASME2_KIND.draft().content()))
        with zipfile.ZipFile(image, "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                content = source.read(name)
                target.writestr(name, content.replace(before, small * 3_000_000 + before) if name == part else content)
        (tmp_path / "x.xlsx").write_bytes(image.getvalue())
        with pytest.raises(AnnotationError, match=why):
            casme2.DATASET.load(tmp_path)

    def test_a_clip_of_two_objective_classes_is_refused(self, tmp_path):
        rows = casme2_rows()[:3]
        casme2_workbook(tmp_path / "coding.xlsx", rows)
        objective_2017_workbook(tmp_path / "classes.xlsx", [*rows, rows[0]])
        assert len(casme2.DATASET.load(tmp_path)) == 3  # said twice, and alike
        other = replace(rows[0], objective="II" if rows[0].objective != "II" else "I")
        objective_2017_workbook(tmp_path / "classes.xlsx", [*rows, other])
        with pytest.raises(AnnotationError, match="another objective class already"):
            casme2.DATASET.load(tmp_path)


class TestText:
    @pytest.mark.parametrize("text", ["x = " + "[" * 20_000 + "]" * 20_000, "x = " + "9" * 5_000, "#" * 5_000_000])
    def test_toml_that_only_a_machine_writes_is_one_error(self, tmp_path, text):
        (tmp_path / "x.toml").write_text(text)
        with pytest.raises(ProtocolError) as protocol:
            load_protocol(tmp_path / "x.toml")
        with pytest.raises(ProtocolError) as published:
            parse_published(text.encode(), "x.toml")
        with pytest.raises(CorrectionError) as corrections:
            parse_entries(text, "x.toml")
        for raised in (protocol, published, corrections):
            in_two_lines(raised.value)

    def test_an_error_quotes_no_more_than_a_sentence(self, tmp_path):
        (tmp_path / "x.toml").write_text(f'schema = "{"s" * 100_000}"\n')
        with pytest.raises(ProtocolError) as raised:
            load_protocol(tmp_path / "x.toml")
        in_two_lines(raised.value)
        assert "x.toml: schema: " in raised.value.what

    @pytest.mark.parametrize("text", [NESTED_JSON, ENDLESS_JSON, "{", "\x00", "{} {}"])
    def test_json_of_any_fault_is_one_exception(self, tmp_path, text):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ValueError, match=r".+"):
            read_json(tmp_path / "x.json")


@pytest.fixture
def seed_run(tmp_path: Path) -> runs.SeedRun:
    made = runs.open_seed(tmp_path, SPEC, 0, FACTS)
    made.save_fold("casme2/s1", ROWS["casme2/s1"])
    return made


def rewritten(path: Path, change: Callable[[dict[str, Any]], object], *, seal: bool = False) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(sealed(values) if seal else values))


class TestRuns:
    @pytest.mark.parametrize(
        "change",
        [
            lambda m: m["truth"].update({"casme2/s1/x": "b"}),
            lambda m: m.update(classes=["b", "a"]),
            lambda m: m["folds"][0].update(test=[]),
            lambda m: m["spec"].update(protocol="another"),
            lambda m: m["spec"]["facts"].update(privilege="apex"),
        ],
    )
    def test_a_manifest_that_says_something_else_than_was_written_is_refused(self, seed_run, tmp_path, change):
        rewritten(seed_run.path / "manifest.json", change)
        with pytest.raises(RunError, match="not what was written"):
            runs.stored_runs(tmp_path)

    @pytest.mark.parametrize("environment", [{"numpy": "0.9"}, {}])
    def test_what_decides_no_score_may_be_edited(self, seed_run, tmp_path, environment):
        rewritten(seed_run.path / "manifest.json", lambda m: m.update(environment=environment, command="mebench"))
        assert [run.id for run in runs.stored_runs(tmp_path)] == [SPEC.id]

    def test_a_manifest_without_a_digest_is_older_than_it_and_is_read(self, seed_run, tmp_path):
        rewritten(seed_run.path / "manifest.json", lambda m: m.pop("digest"))
        assert [run.id for run in runs.stored_runs(tmp_path)] == [SPEC.id]

    @pytest.mark.parametrize(
        ("change", "key"),
        [
            (lambda m: m.update(truth=[]), "truth"),
            (lambda m: m["truth"].update({"casme2/s1/x": 1}), "truth"),
            (lambda m: m.update(folds=[1.5]), "folds"),
            (lambda m: m["folds"].append({"id": "x"}), "folds"),
            (lambda m: m.update(seed="0"), "seed"),
            (lambda m: m.update(seed=True), "seed"),
            (lambda m: m.update(spec=[]), "spec"),
            (lambda m: m["spec"].pop("weights"), "weights"),
            (lambda m: m["spec"]["facts"].update(privilege="all"), "facts"),
            (lambda m: m.update(annotations=None), "annotations"),
            (lambda m: m.update(aggregate="best"), "aggregate"),
        ],
    )
    def test_a_manifest_of_another_form_is_refused_with_the_key(self, seed_run, tmp_path, change, key):
        rewritten(seed_run.path / "manifest.json", change, seal=True)
        with pytest.raises(RunError, match=key) as raised:
            runs.stored_runs(tmp_path)
        in_two_lines(raised.value)

    def test_what_a_manifest_does_not_say_is_an_error_where_it_is_asked(self, seed_run):
        with pytest.raises(RunError, match="does not say 'annotations'"):
            seed_run.manifest["annotations"]

    def test_a_run_in_another_runs_folder_is_refused(self, seed_run, tmp_path):
        folder = seed_run.path.parent
        folder.rename(folder.with_name("0" * 12))
        with pytest.raises(RunError, match=f"of run {SPEC.id}"):
            runs.stored_runs(tmp_path)

    def test_a_manifest_that_is_a_folder_is_refused(self, seed_run, tmp_path):
        (seed_run.path / "manifest.json").unlink()
        (seed_run.path / "manifest.json").mkdir()
        with pytest.raises(RunError, match="cannot be read"):
            runs.stored_runs(tmp_path)

    @pytest.mark.parametrize("content", ["", "[]", "{}", NESTED_JSON, ENDLESS_JSON, "\x00"])
    def test_a_damaged_record_of_a_failure_still_is_a_failure(self, seed_run, content):
        seed_run.save_failure("casme2/s2", "it broke", "")
        next((seed_run.path / "folds").glob("*.failed.json")).write_text(content)
        assert seed_run.status() == "failed"
        assert "is damaged" in seed_run.failures()["casme2/s2"]


def test_notes_of_a_fold_that_changed_since_are_none(seed_run):
    kept = FoldNotes(("casme2/s1/x",), epochs=(("a",), ("b",)))
    seed_run.save_notes("casme2/s1", kept)
    assert seed_run.notes("casme2/s1") == kept
    path = next((seed_run.path / "folds").glob("*.notes.json"))
    path.write_text(path.read_text().replace('"b"', '"a"'))
    assert seed_run.notes("casme2/s1") is None


REGISTRATION = {
    "schema": "mebench.corpus/1",
    "dataset": "casme2",
    "root": "/nowhere",
    "asked": {"annotation": None, "corrections": True, "variant": None},
    "fingerprint": "f" * 64,
    "clips": [{"clip": "casme2/sub01/EP01_01", "state": "stored", "line": "", "flags": []}],
}


class TestHomes:
    @pytest.mark.parametrize(
        "content",
        [
            NESTED_JSON,
            json.dumps({**REGISTRATION, "root": None}),
            json.dumps({**REGISTRATION, "asked": []}),
            json.dumps({**REGISTRATION, "clips": [[]]}),
            json.dumps({**REGISTRATION, "clips": [{"clip": 1.5, "state": "stored", "line": ""}]}),
            json.dumps({key: value for key, value in REGISTRATION.items() if key != "fingerprint"}),
        ],
    )
    def test_a_damaged_registration_is_one_error_and_can_be_forgotten(self, tmp_path, content):
        path = tmp_path / "corpora" / "casme2.json"
        path.parent.mkdir()
        path.write_text(content)
        with pytest.raises(DataError, match=r"casme2\.json cannot be read"):
            load_registered(tmp_path, "casme2")
        forget(tmp_path, "casme2", "1")
        forget(tmp_path, "casme2")
        assert registered(tmp_path) == ()

    @pytest.mark.parametrize("lab", [1.5, None, [], "", " ", "\x1b[31m", "x" * 81])
    def test_a_lab_without_a_name_does_not_sign(self, tmp_path, lab):
        identity_of(tmp_path, "First Lab")
        rewritten(tmp_path / "identity.json", lambda values: values.update(lab=lab))
        with pytest.raises(RunError, match="is damaged"):
            identity_of(tmp_path, None)

    def test_an_identity_nested_beyond_reason_is_refused(self, tmp_path):
        (tmp_path / "identity.json").write_text(NESTED_JSON)
        with pytest.raises(RunError, match="is damaged"):
            identity_of(tmp_path, None)

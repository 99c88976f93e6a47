"""Corrections apply where version and old value match, are recorded, and fail loudly where they meet something else."""

from dataclasses import replace
from pathlib import Path

import pytest

from mebench.datasets import casme2, samm, smic
from mebench.datasets.correct import correct, entries_of, parse_entries
from mebench.errors import CorrectionError
from mebench.synth.workbooks import Row, samm_workbook
from tests.corpora import samm_rows, write_casme2, write_samm, write_smic_e

ENTRY = """
[[entry]]
versions = ["v2"]
clip = "01/a"
field = "apex"
old = "5"
new = "7"
reason = "typing error"
source = "owner"
"""


def test_a_value_is_replaced_and_recorded() -> None:
    result = correct(parse_entries(ENTRY, "x"), "v2", {"01/a": {"apex": 5, "onset": 1}})
    assert result.values == {"01/a": {"apex": "7", "onset": 1}}
    assert [(c.clip, c.field, c.old, c.new, c.reason, c.source) for c in result.applied] == [
        ("01/a", "apex", "5", "7", "typing error", "owner")
    ]


@pytest.mark.parametrize(("version", "clip"), [("v1", "01/a"), ("v2", "02/a")])
def test_another_version_or_clip_is_left_alone(version: str, clip: str) -> None:
    result = correct(parse_entries(ENTRY, "x"), version, {clip: {"apex": 5}})
    assert result.values[clip]["apex"] == 5
    assert result.applied == ()


def test_an_old_value_that_differs_is_an_error_in_strict_use() -> None:
    entries = parse_entries(ENTRY, "x")
    with pytest.raises(CorrectionError, match=r"01/a: .* apex expects '5' in v2, .* holds '6'"):
        correct(entries, "v2", {"01/a": {"apex": 6}})
    assert correct(entries, "v2", {"01/a": {"apex": 6}}, strict=False).values == {"01/a": {"apex": 6}}


def test_an_entry_without_new_value_keeps_the_old_one() -> None:
    entries = parse_entries(ENTRY.replace('new = "7"\n', ""), "x")
    result = correct(entries, "v2", {"01/a": {"apex": 5}})
    assert (result.values, result.applied, result.kept) == ({"01/a": {"apex": 5}}, (), entries)


@pytest.mark.parametrize(
    "text",
    [
        "[[entry]",
        "[other]\nx = 1",
        "entry = 3",
        ENTRY.replace('source = "owner"', ""),
        ENTRY.replace('["v2"]', '"v2"'),
        ENTRY.replace('old = "5"', "old = 5"),
        ENTRY.replace('"apex"', '"length"'),
        ENTRY.replace('"01/a"', '"a"'),
        ENTRY.replace('"typing error"', '""'),
        ENTRY.replace('new = "7"', 'new = "5"'),
        ENTRY + ENTRY,
        ENTRY + 'extra = "x"',
    ],
)
def test_a_malformed_file_is_a_correction_error(text: str) -> None:
    with pytest.raises(CorrectionError, match=r"^x"):
        parse_entries(text, "x")


@pytest.mark.parametrize("dataset", [casme2.DATASET, samm.DATASET, smic.E_HS], ids=lambda d: d.corpus)
def test_shipped_entries_name_versions_that_exist(dataset: casme2.Corpus) -> None:
    known = {version for d in (casme2.DATASET, samm.DATASET, smic.E_HS, smic.E_VIS) for version in d.releases}
    entries = entries_of(dataset.corpus)
    assert entries
    assert {version for entry in entries for version in entry.versions} <= known


def test_samm_apexes_are_repaired_or_taken_away(tmp_path: Path) -> None:
    table = samm.DATASET.load(write_samm(tmp_path))
    typo, open_ = table["samm/032/032_3_1"], table["samm/028/028_4_1"]
    assert (typo.apex, typo.flags) == (4930, ("corrected:apex",))
    assert (open_.apex, open_.flags) == (None, ("apex-missing", "corrected:apex"))
    assert {(c.clip, c.old, c.new) for c in table.corrections} == {
        ("samm/032/032_3_1", "1930", "4930"),
        ("samm/028/028_4_1", "1143", ""),
    }


def test_corrections_can_be_switched_off(tmp_path: Path) -> None:
    path = write_samm(tmp_path)
    table = samm.DATASET.load(path, corrections=False)
    assert table.corrections == ()
    assert table["samm/032/032_3_1"].apex == 1930
    assert "apex-outside" in table["samm/028/028_4_1"].flags
    assert {n.clip for n in table.notes if n.level == "error"} == {"samm/032/032_3_1", "samm/028/028_4_1"}
    assert table.fingerprint != samm.DATASET.load(path).fingerprint


def test_a_workbook_that_was_edited_where_a_correction_applies_fails_by_name(tmp_path: Path) -> None:
    rows = [replace(r, apex=4931) if r.name == "032_3_1" else r for r in samm_rows()]
    samm_workbook(tmp_path / "samm.xlsx", rows)
    with pytest.raises(CorrectionError, match="032/032_3_1: the correction of apex expects '1930' in facs-v2"):
        samm.DATASET.load(tmp_path)
    assert samm.DATASET.load(tmp_path, corrections=False)["samm/032/032_3_1"].apex == 4931


def test_the_label_of_a_smic_clip_follows_its_name(tmp_path: Path) -> None:
    path = write_smic_e(tmp_path)
    for dataset in (smic.E_HS, smic.E_VIS):
        clip = f"{dataset.name}/s18/s18_sur_03"
        assert dataset.load(path)[clip].emotion == "surprise"
        assert dataset.load(path, corrections=False)[clip].emotion == "negative"


def test_odd_values_of_casme2_are_kept_and_said(tmp_path: Path) -> None:
    table = casme2.DATASET.load(write_casme2(tmp_path))
    assert table.corrections == ()
    said = {n.clip: n.message for n in table.notes if n.clip and "kept as coded" in n.message}
    # one apex '/', one apex on the onset, five '?' cells
    assert len(said) == 7
    assert said["casme2/sub04/EP12_01f"].startswith("apex '/' kept as coded")
    assert table["casme2/sub04/EP12_01f"].apex is None


def test_a_row_of_a_synthetic_corpus_may_share_the_name_of_a_corrected_clip(tmp_path: Path) -> None:
    from mebench.clips import SyntheticMark
    from mebench.datasets.marker import write_marker

    samm_workbook(tmp_path / "samm.xlsx", [Row("032", "032_3_1", 10, 20, 30, "4", "anger", "III", 3)])
    write_marker(tmp_path, SyntheticMark("test/1", "smoke", 0, 1, 1, {"anger": 1}))
    table = samm.DATASET.load(tmp_path)
    assert (table["samm/032/032_3_1"].apex, table.corrections) == (20, ())

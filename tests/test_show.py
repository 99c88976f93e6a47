"""A protocol shown: the JSON shape others read, and the words a person reads."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mebench.cli import status
from mebench.errors import CountError
from mebench.protocol import Protocol, Suite, load_protocol
from mebench.show import describe, show_record
from tests.planted import MODEL
from tests.tables import clip, fitting, numbered, spread, table


def protocol(name: str) -> Protocol:
    loaded = load_protocol(name)
    assert isinstance(loaded, Protocol)
    return loaded


def suite(name: str) -> Suite:
    loaded = load_protocol(name)
    assert isinstance(loaded, Suite)
    return loaded


def test_the_record_has_its_promised_shape() -> None:
    mine = protocol("samm-5c-loso")
    record = show_record(mine, fitting(mine))
    assert list(record) == ["schema", "name", "version", "digest", "task", "classes", "datasets", "folds"]
    assert (record["schema"], record["name"], record["version"]) == ("mebench.show/1", "samm-5c-loso", 1)
    assert (record["digest"], record["task"]) == (mine.digest, "recognition")
    assert record["classes"] == ["anger", "contempt", "happiness", "surprise", "others"]
    samm = record["datasets"]["samm"]
    assert list(samm) == ["annotation", "clips", "subjects", "per_class", "items"]
    assert (samm["annotation"], samm["clips"], samm["subjects"]) == ("facs-v2", 136, 27)
    assert samm["per_class"] == {"anger": 57, "contempt": 12, "happiness": 26, "surprise": 15, "others": 26}
    assert len(samm["items"]) == 136
    assert samm["items"][0] == {
        "id": "samm/s01/c000", "subject": "samm/s01", "class": "anger", "onset": 1, "apex": 5, "offset": 9
    }  # fmt: skip
    assert [set(fold) for fold in record["folds"]] == [{"id", "train", "test"}] * 27
    assert all(fold["train"] + fold["test"] == 136 for fold in record["folds"])
    assert sum(fold["test"] for fold in record["folds"]) == 136


def test_the_record_is_plain_json() -> None:
    mine = protocol("megc2018-hde")
    record = show_record(mine, fitting(mine))
    assert json.loads(json.dumps(record)) == record
    assert record["folds"] == [
        {"id": "casme2->samm", "train": 185, "test": 68},
        {"id": "samm->casme2", "train": 68, "test": 185},
    ]


def test_a_clip_without_apex_shows_none() -> None:
    mine = protocol("samm-5c-loso")
    given = fitting(mine)["samm"]
    blank = replace(given, clips=(replace(given.clips[0], apex=None), *given.clips[1:]))
    items = show_record(mine, {"samm": blank})["datasets"]["samm"]["items"]
    assert [item["apex"] for item in items].count(None) == 1


def test_members_of_a_suite_that_were_not_given_have_no_counts() -> None:
    loso = suite("loso")
    record = show_record(loso, fitting(loso.members[1]))
    assert list(record) == ["schema", "suite", "members"]
    assert record["suite"] == "loso"
    casme2, samm = record["members"]
    assert (casme2["name"], casme2["datasets"], casme2["folds"]) == (
        "casme2-5c-loso",
        {"casme2": {"annotation": "not given"}},
        [],
    )
    assert (samm["datasets"]["samm"]["clips"], len(samm["folds"])) == (136, 27)


def test_one_corpus_of_several_shows_its_part_without_folds() -> None:
    mine = protocol("megc2019-cde")
    record = show_record(mine, {"smic": fitting(mine)["smic"]})
    assert record["datasets"]["smic"]["per_class"] == {"negative": 70, "positive": 51, "surprise": 43}
    assert record["datasets"]["casme2"] == {"annotation": "not given"}
    assert record["folds"] == []


def test_synthetic_and_partial_corpora_are_called_so() -> None:
    mine = protocol("casme2-5c-loso")
    clips = [clip(i, e) for i, e in spread("casme2", numbered("sub", 4), {"happiness": 8, "others": 8})]
    drawn = {"casme2": table(clips, "coding-20140508", synthetic=True)}
    cut = {"casme2": table(clips, "coding-20140508")}
    assert show_record(mine, drawn)["datasets"]["casme2"]["synthetic"] is True
    assert show_record(mine, cut, allow_partial=True)["datasets"]["casme2"]["partial"] is True
    assert "given:    coding-20140508: SYNTHETIC 16 clips of 4 subjects" in describe(mine, drawn)
    assert "given:    coding-20140508: PARTIAL 16 clips of 4 subjects" in describe(mine, cut, allow_partial=True)


def test_a_corpus_that_does_not_fit_is_not_shown() -> None:
    short = {"casme2": table([clip("casme2/sub01/c", "others")], "coding-20140508")}
    for show in (describe, show_record):
        with pytest.raises(CountError, match="expected 246 clips"):
            show(protocol("casme2-5c-loso"), short)


def test_the_words_say_who_is_out_and_why() -> None:
    words = describe(protocol("megc2019-cde"))
    assert "out:      others: no polarity" in words
    assert (
        "out:      casme2/sub24/EP07_01, casme2/sub24/EP07_04f, casme2/sub24/EP10_03 of coding-20190701: "
        "sadness in the coding of 2014"
    ) in words
    assert "in:       disgust, repression as negative" in words
    assert "in:       surprise\n" in words
    assert "expected: coding-20140508: 145 clips of 24 subjects: negative 88, positive 32, surprise 25" in words
    assert words.count("given:    not given") == 3
    assert "https://doi.org/10.1109/FG.2019.8756611" in words


def test_the_words_count_what_was_left_out_and_struck_from_the_given_release() -> None:
    mine = protocol("megc2019-cde")
    tables = fitting(mine)
    others = tuple(clip(f"casme2/sub10/c{i}", "others") for i in range(99))
    tables["casme2"] = replace(tables["casme2"], clips=tables["casme2"].clips + others)
    words = describe(mine, tables)
    assert "out:      others (99 clips): no polarity" in words
    assert "out:      sadness (0 clips): not in the organisers' list" in words
    assert "EP07_04f" not in words
    assert "casme2/sub04/EP12_01f of" in words
    assert "68 folds" in words
    assert "given:    hs: 164 clips of 16 subjects: negative 70, positive 51, surprise 43" in words


def test_the_words_name_folds_that_lack_a_class_in_training() -> None:
    mine = protocol("casme2-5c-loso")
    clips = [clip("casme2/sub01/a", "happiness"), clip("casme2/sub01/b", "others"), clip("casme2/sub02/c", "others")]
    words = describe(mine, {"casme2": table(clips, "coding-20140508", synthetic=True)})
    assert "2 folds; 2 train without one of the classes" in words


def test_the_words_of_hold_out_objective_classes_and_dependence() -> None:
    mine = protocol("megc2018-hde")
    words = describe(mine, fitting(mine))
    assert "UAR, accuracy (WAR), per fold, and their mean over folds" in words
    assert "casme2, by objective class" in words
    assert "given:    coding, objective classes of objective-2017: 185 clips of 26 subjects" in words
    assert "; NOT subject-independent" in describe(replace(mine, subject_independent=False))


def test_a_suite_is_told_member_by_member() -> None:
    words = describe(suite("loso"))
    assert words.startswith("loso, version 1: Sole-database evaluation")
    assert "Members: casme2-5c-loso, samm-5c-loso" in words
    assert words.index("casme2-5c-loso, version 1") < words.index("samm-5c-loso, version 1")


@pytest.fixture
def model_file(tmp_path: Path) -> str:
    (tmp_path / "means.py").write_text(MODEL)
    return f"{tmp_path / 'means.py'}:Means"


def test_a_model_shows_its_source_deviations_presets_dimension_privilege_and_cost(model_file, capsys) -> None:
    assert status(["show", model_file]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in (
        "source: A test.",
        "fidelity C, selection fixed, privilege interval",
        "inputs: crop(size=8) > grey > onset > flatten",
        "dimension: 64",
        "cost: 0.1 s per clip.",
        "differs from its source:",
        "  - Knows two classes.",
        "  --set corners=('ul', 'ur', 'll', 'lr')",
        "  sharp: sharpness=3.0, corners=('ul', 'ur')",
        "    Somebody, 2014, table 2 (unconfirmed).",
    ):
        assert line in lines


def test_the_record_of_a_model_keeps_its_shape_and_gains_fields(model_file, capsys) -> None:
    assert status(["show", model_file, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "mebench.model/1"
    assert (record["title"], record["fidelity"], record["selection"]) == ("Line between means", "C", "fixed")
    assert (record["privilege"], record["dimension"], record["cost"]) == ("interval", 64, "0.1 s per clip.")
    assert record["deviations"] == ["Shrinks by a factor.", "Knows two classes."]
    assert record["parameters"] == {"sharpness": "1.0", "corners": "('ul', 'ur', 'll', 'lr')"}
    assert record["presets"]["sharp"] == {
        "parameters": {"sharpness": "3.0", "corners": "('ul', 'ur')"},
        "source": "Somebody, 2014, table 2 (unconfirmed).",
    }
    assert (record["stated"], record["inferred"]) == ([], [])


def test_a_model_that_declares_nothing_shows_nothing_for_it(tmp_path, capsys) -> None:
    (tmp_path / "bare.py").write_text(
        "class Bare:\n    def __init__(self, x): self.x = x\n\nclass Apex:\n    def inputs(self): return 'apex'\n"
    )
    for name, recipe, privilege in (("Bare", "none", "none"), ("Apex", "apex", "apex")):
        assert status(["show", f"{tmp_path / 'bare.py'}:{name}", "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert (record["inputs"], record["privilege"], record["dimension"]) == (recipe, privilege, None)
        assert (record["presets"], record["cost"], record["deviations"]) == ({}, "", [])


def test_lam_still_tells_what_is_stated_and_what_inferred(capsys) -> None:
    assert status(["show", "lam"]) == 0
    words = capsys.readouterr().out
    assert words.index("stated by the paper:") < words.index("inferred or chosen by us:")
    assert status(["show", "lam", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["stated"]
    assert record["inferred"]

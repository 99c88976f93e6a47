"""Protocols by name, the guard on released ones, and their meeting with corpora."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from mebench.clips import Clip, ClipTable
from mebench.errors import CountError, DataError, MebenchError, ModelError, ProtocolError, UnknownName
from mebench.folds import FoldRule
from mebench.protocol import Protocol, Suite, Task, load_protocol, protocol_names, resolve
from mebench.protocol_file import AllowList, Exclusion
from mebench.sections import read_toml
from tests.tables import clip, fitting, numbered, spread, table

GOLDEN = json.loads((Path(__file__).parent / "golden" / "protocol-digests.json").read_text())
SHIPPED = files("mebench.protocols")
CASME2_5C = {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 25, "others": 99}
LEFT_OUT = {"sadness": 7, "fear": 2}


def protocol(name: str) -> Protocol:
    loaded = load_protocol(name)
    assert isinstance(loaded, Protocol)
    return loaded


def casme2(emotions: dict[str, int], annotation: str = "coding-20140508", *, synthetic: bool = False) -> ClipTable:
    dealt = spread("casme2", numbered("sub", 26), emotions)
    return table([clip(i, emotion) for i, emotion in dealt], annotation, synthetic=synthetic)


def without(given: ClipTable, drop: Callable[[Clip], bool], number: int = 1) -> ClipTable:
    """The table less the first clips, as many as said, for which `drop` holds."""
    dropped = {c.id for c in [c for c in given if drop(c)][:number]}
    return replace(given, clips=tuple(c for c in given if c.id not in dropped))


# --- names and releases ----------------------------------------------------------------------------------------------


def test_the_shipped_protocols_are_found_by_name() -> None:
    shipped = {
        "casme2-5c-loso", "samm-5c-loso", "loso", "megc2019-cde", "megc2018-cde", "megc2018-hde", "composite-3c-loso"
    }  # fmt: skip
    assert shipped <= set(protocol_names())
    assert {name for name in shipped if isinstance(load_protocol(name), Suite)} == {"loso"}


def test_released_protocols_are_frozen() -> None:
    """A digest here changes only with a new version; the old line stays in released.toml."""
    shipped = {f.name.removesuffix(".toml") for f in SHIPPED.iterdir() if f.name.endswith(".toml")} - {"released"}
    loaded = [load_protocol(name) for name in shipped]
    assert {f"{p.name}@{p.version}": p.digest for p in loaded} == GOLDEN
    assert read_toml((SHIPPED / "released.toml").read_bytes(), "released.toml").mapping("released") == GOLDEN


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownName, match=r"No protocol named 'casme2-5c-lose'.\nDid you mean casme2-5c-loso"):
        load_protocol("casme2-5c-lose")


def test_an_edited_released_protocol_is_refused_by_name(tmp_path: Path) -> None:
    text = (SHIPPED / "samm-5c-loso.toml").read_text()
    copy = tmp_path / "copy.toml"
    copy.write_text(f"# a remark\n{text}")
    assert load_protocol(copy) == load_protocol("samm-5c-loso")
    edited = text.replace('disgust = "too', 'disgust = "far too')
    copy.write_text(edited)
    with pytest.raises(ProtocolError, match="samm-5c-loso version 1 was released and has been edited since") as caught:
        load_protocol(copy)
    assert caught.value.fix == "Undo the edit, or give it version 2 or another name."
    for old, new in (("version = 1", "version = 2"), ('name = "samm-5c-loso"', 'name = "mine"')):
        copy.write_text(edited.replace(old, new))
        assert load_protocol(copy).digest != load_protocol("samm-5c-loso").digest


Plant = Callable[..., Path]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Installs a package of protocols as a stranger's distribution would be, and gives its folder."""

    def _plant(package: str, protocols: Iterable[str] = (), target: str | None = None) -> Path:
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for name in protocols:
            shutil.copy(str(SHIPPED / name), folder / name)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[mebench.protocols]\n{package} = {target or package}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        return folder

    return _plant


def test_a_strangers_package_offers_its_protocols(plant: Plant) -> None:
    text = (SHIPPED / "samm-5c-loso.toml").read_text()
    (plant("strange_one") / "theirs.toml").write_text(text.replace('"samm-5c-loso"', '"theirs"'))
    assert "theirs" in protocol_names()
    assert load_protocol("theirs").name == "theirs"


def test_an_edited_protocol_inside_its_package_is_refused(plant: Plant) -> None:
    folder = plant("strange_two")
    text = (SHIPPED / "samm-5c-loso.toml").read_text().replace('"samm-5c-loso"', '"theirs"')
    (folder / "theirs.toml").write_text(text)
    digest = load_protocol("theirs").digest
    (folder / "released.toml").write_text(f'[released]\n"theirs@1" = "{digest}"\n')
    assert load_protocol("theirs").digest == digest
    (folder / "theirs.toml").write_text(text.replace("clips = 136", "clips = 137").replace("anger = 57", "anger = 58"))
    with pytest.raises(ProtocolError, match="theirs version 1 was released and has been edited since"):
        load_protocol("theirs")


def test_one_name_offered_twice_is_refused(plant: Plant) -> None:
    plant("strange_three", ["samm-5c-loso.toml"])
    with pytest.raises(ProtocolError, match=r"'samm-5c-loso' is offered by (mebench and by strange|strange)"):
        protocol_names()


def test_a_file_that_bears_another_name_is_refused(plant: Plant) -> None:
    shutil.copy(str(SHIPPED / "samm-5c-loso.toml"), plant("strange_four") / "theirs.toml")
    with pytest.raises(ProtocolError, match=r"theirs\.toml: name: 'samm-5c-loso' is not the file's name"):
        load_protocol("theirs")


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("strange_five.absent", ModelError, "cannot be imported"),
        ("json.decoder", ProtocolError, "not as a package"),
    ],
)
def test_a_broken_package_is_named(plant: Plant, target: str, error: type[MebenchError], message: str) -> None:
    plant("strange_five", target=target)
    with pytest.raises(error, match=message):
        protocol_names()


# --- counts ----------------------------------------------------------------------------------------------------------


def test_both_codings_of_casme2_resolve_to_their_own_counts() -> None:
    old = resolve(protocol("casme2-5c-loso"), {"casme2": casme2(CASME2_5C | LEFT_OUT)})
    assert (len(old.items), len(old.folds), old.annotations) == (246, 26, {"casme2": "coding-20140508"})
    changed = CASME2_5C | {"surprise": 28, "sadness": 4, "fear": 2}
    new = resolve(protocol("casme2-5c-loso"), {"casme2": casme2(changed, "coding-20190701")})
    assert (len(new.items), len(new.folds), new.annotations) == (249, 26, {"casme2": "coding-20190701"})
    assert old.fingerprints != new.fingerprints
    assert (old.synthetic, old.partial) == (False, False)


@pytest.mark.parametrize(
    ("name", "clips", "subjects", "per_class"),
    [
        ("samm-5c-loso", 136, 27, {"anger": 57, "contempt": 12, "happiness": 26, "surprise": 15, "others": 26}),
        ("megc2019-cde", 442, 68, {"negative": 250, "positive": 109, "surprise": 83}),
        ("composite-3c-loso", 278, 52, {"negative": 180, "positive": 58, "surprise": 40}),
        ("megc2018-cde", 253, 47, {"I": 49, "II": 28, "III": 119, "IV": 34, "V": 23}),
    ],
)
def test_expected_counts_add_up_to_the_published_ones(
    name: str, clips: int, subjects: int, per_class: dict[str, int]
) -> None:
    """Published: 136/27; See et al. 2019: 442/68, less SMIC's 164/16 and 70/51/43; 185 + 68 clips, 26 + 21 subjects."""
    task = resolve(protocol(name), fitting(protocol(name)))
    labels = [item.label for item in task.items]
    assert (len(task.items), len(task.folds)) == (clips, subjects)
    assert {c: labels.count(c) for c in task.protocol.classes} == per_class


def test_both_directions_of_megc2018_hold_a_dataset_out() -> None:
    task = resolve(protocol("megc2018-hde"), fitting(protocol("megc2018-hde")))
    assert [(f.id, len(f.train), len(f.test)) for f in task.folds] == [
        ("casme2->samm", 185, 68),
        ("samm->casme2", 68, 185),
    ]
    assert (task.protocol.metrics, task.protocol.aggregate) == (("uar", "accuracy"), "mean-over-folds")


def test_a_missing_clip_fails_with_what_differs() -> None:
    short = without(casme2(CASME2_5C | LEFT_OUT), lambda c: c.emotion == "disgust")
    with pytest.raises(CountError) as caught:
        resolve(protocol("casme2-5c-loso"), {"casme2": short})
    assert caught.value.what == (
        "casme2-5c-loso: casme2 coding-20140508: expected 246 clips of 26 subjects, found 245 of 26: "
        "disgust 62 instead of 63."
    )
    assert "mebench check casme2" in caught.value.fix


def test_equal_classes_in_other_hands_fail_where_subjects_are_known() -> None:
    mine = protocol("megc2019-cde")
    tables = fitting(mine)
    moved = next(c for c in tables["samm"] if c.subject == "samm/006")
    other = clip("samm/007/moved", moved.emotion)
    clips = tuple(other if c is moved else c for c in tables["samm"])
    with pytest.raises(CountError, match=r"samm facs-v2: .* found 133 of 28: 006 10 instead of 11, 007 9 instead of 8"):
        resolve(mine, tables | {"samm": replace(tables["samm"], clips=clips)})


def test_a_partial_corpus_is_marked_where_allowed() -> None:
    whole = casme2(CASME2_5C | LEFT_OUT)
    short = without(whole, lambda c: c.subject == "casme2/sub26", 99)
    task = resolve(protocol("casme2-5c-loso"), {"casme2": short}, allow_partial=True)
    assert (task.partial, len(task.folds)) == (True, 25)
    assert not resolve(protocol("casme2-5c-loso"), {"casme2": whole}, allow_partial=True).partial


def test_more_than_the_release_holds_is_never_partial() -> None:
    swollen = casme2(CASME2_5C | {"disgust": 64, "others": 90} | LEFT_OUT)
    with pytest.raises(CountError, match="disgust 64 instead of 63, others 90 instead of 99"):
        resolve(protocol("casme2-5c-loso"), {"casme2": swollen}, allow_partial=True)


@pytest.mark.parametrize("allow_partial", [False, True])
def test_an_unknown_release_is_refused_and_the_known_ones_told(allow_partial: bool) -> None:
    with pytest.raises(CountError, match="casme2 coding-updated: no counts are known") as caught:
        resolve(
            protocol("casme2-5c-loso"), {"casme2": casme2(CASME2_5C, "coding-updated")}, allow_partial=allow_partial
        )
    assert "The protocol knows coding-20140508, coding-20190701." in caught.value.fix


def test_objective_classes_of_another_release_are_refused() -> None:
    mine = protocol("megc2018-cde")
    tables = fitting(mine)
    newer = replace(tables["casme2"], objective_release="coding-20190701")
    with pytest.raises(CountError, match="casme2 coding-20190701: no counts are known"):
        resolve(mine, tables | {"casme2": newer})
    unreleased = replace(tables["casme2"], objective_release=None)
    with pytest.raises(CountError, match=r"brings no released objective classes.\nThe protocol knows objective-2017"):
        resolve(mine, tables | {"casme2": unreleased})


def test_a_derived_objective_class_does_not_count_as_released() -> None:
    mine = protocol("megc2018-cde")
    tables = fitting(mine)
    first = replace(tables["samm"].clips[0], objective_source="derived")
    derived = replace(tables["samm"], clips=(first, *tables["samm"].clips[1:]))
    with pytest.raises(CountError, match=f"the objective class of {first.id} is derived"):
        resolve(mine, tables | {"samm": derived})


# --- corpora ---------------------------------------------------------------------------------------------------------


def test_every_dataset_of_a_protocol_is_needed() -> None:
    mine = protocol("megc2019-cde")
    tables = fitting(mine)
    with pytest.raises(DataError, match=r"needs smic, casme2, samm; not given: smic, samm.\nGive all of them: --data"):
        resolve(mine, {"casme2": tables["casme2"]})


def test_tables_it_does_not_need_are_ignored() -> None:
    tables = fitting(protocol("megc2019-cde"))
    assert set(resolve(protocol("composite-3c-loso"), tables).annotations) == {"casme2", "samm"}


def test_a_table_of_another_dataset_is_refused() -> None:
    with pytest.raises(DataError, match="A table of casme2 was given as samm"):
        resolve(protocol("samm-5c-loso"), {"samm": casme2(CASME2_5C)})


def test_a_synthetic_corpus_needs_no_release_counts_and_is_called_synthetic() -> None:
    task = resolve(protocol("casme2-5c-loso"), {"casme2": casme2({"happiness": 4, "others": 9}, synthetic=True)})
    assert (task.synthetic, task.partial, len(task.items)) == (True, False, 13)


def test_a_synthetic_corpus_may_have_derived_objective_classes() -> None:
    mine = protocol("megc2018-cde")
    tables = {
        name: replace(t, objective_release=None, synthetic=table([clip("d/s/c")], "a", synthetic=True).synthetic)
        for name, t in fitting(mine).items()
    }
    assert resolve(mine, tables).synthetic


def test_synthetic_and_recorded_corpora_do_not_mix() -> None:
    mine = protocol("composite-3c-loso")
    tables = fitting(mine)
    drawn = casme2({"happiness": 4, "disgust": 9, "surprise": 5}, synthetic=True)
    with pytest.raises(ProtocolError, match="synthetic casme2 beside recorded samm"):
        resolve(mine, tables | {"casme2": drawn})


def test_people_shared_by_two_corpora_are_found() -> None:
    """SMIC's cameras filmed the same people: holding one camera out does not hold them out."""
    smic = protocol("megc2019-cde").sources["smic"]
    sources = {"smic": smic, "smic-vis": replace(smic, dataset="smic-vis")}
    cameras = replace(protocol("megc2019-cde"), name="cameras", sources=sources, folds=FoldRule("hold-out-dataset"))
    tables = fitting(cameras)
    same = tuple(replace(c, subject=c.subject.replace("smic-vis/", "smic/")) for c in tables["smic-vis"])
    tables |= {"smic-vis": replace(tables["smic-vis"], clips=same)}
    with pytest.raises(ProtocolError, match="cameras: Fold smic->smic-vis: subject smic/s01 stands in both"):
        resolve(cameras, tables)
    assert len(resolve(replace(cameras, subject_independent=False), tables).folds) == 2


def test_impossible_folds_name_the_protocol() -> None:
    few = replace(protocol("casme2-5c-loso"), folds=FoldRule("group-k-fold", 5))
    with pytest.raises(ProtocolError, match="casme2-5c-loso: Class disgust has 0 subjects"):
        resolve(few, {"casme2": casme2({"happiness": 8, "others": 9}, synthetic=True)})


# --- exclusions and allow-lists --------------------------------------------------------------------------------------


def test_official_exclusions_are_out_and_bound_to_their_release() -> None:
    """The three clips of sub24 are surprise on the 2019 workbook alone; there, and only there, they are struck."""
    mine = protocol("megc2019-cde")
    for release, number in (("coding-20140508", 2), ("coding-20190701", 5)):
        tables = fitting(mine, {"casme2": release})
        struck = {e.clip for e in mine.sources["casme2"].exclusions if release in e.releases}
        assert len(struck) == number
        assert all(c in tables["casme2"] for c in struck)
        assert struck.isdisjoint(item.id for item in resolve(mine, tables).items)


def with_exclusion(mine: Protocol, clip_id: str) -> Protocol:
    source = mine.sources["samm"]
    exclusion = Exclusion(clip_id, "a slip of the pen", "nobody", tuple(source.counts))
    return replace(mine, sources={"samm": replace(source, exclusions=(exclusion,))})


def test_a_misspelt_exclusion_is_found() -> None:
    mine = protocol("samm-5c-loso")
    with pytest.raises(ProtocolError, match="it names clip samm/006/006_1_22, which is not in samm facs-v2"):
        resolve(with_exclusion(mine, "samm/006/006_1_22"), fitting(mine))


def test_an_exclusion_may_miss_a_corpus_that_is_synthetic_or_partial() -> None:
    mine = with_exclusion(protocol("samm-5c-loso"), "samm/006/006_1_22")
    tables = fitting(protocol("samm-5c-loso"))
    short = without(tables["samm"], lambda c: c.emotion == "anger")
    assert resolve(mine, {"samm": short}, allow_partial=True).partial
    drawn = table([clip(f"samm/{s}/c", "anger") for s in ("006", "007")], "facs-v2", synthetic=True)
    assert len(resolve(mine, {"samm": drawn}).items) == 2


def allowing(mine: Protocol, clips: tuple[str, ...]) -> Protocol:
    source = replace(mine.sources["samm"], allowed=AllowList(clips, "the organisers' list", "their page"))
    return replace(mine, sources={"samm": source})


def test_an_allow_list_takes_its_clips_and_no_other() -> None:
    mine, tables = protocol("samm-5c-loso"), fitting(protocol("samm-5c-loso"))
    listed = tuple(c.id for c in tables["samm"])[:-1]
    assert listed
    task: Task = resolve(allowing(mine, listed), tables, allow_partial=True)
    assert ({i.id for i in task.items}, task.partial) == (set(listed), True)
    with pytest.raises(ProtocolError, match="it names clip samm/006/absent"):
        resolve(allowing(mine, (*listed, "samm/006/absent")), tables)


# --- order -----------------------------------------------------------------------------------------------------------


def test_scrambled_labels_move_no_clip_and_no_fold() -> None:
    mine = protocol("casme2-5c-loso")
    given = casme2({"happiness": 20, "others": 40}, synthetic=True)
    emotions = [c.emotion for c in given][::-1]
    scrambled = replace(given, clips=tuple(replace(c, emotion=e) for c, e in zip(given, emotions, strict=True)))
    before, after = (resolve(mine, {"casme2": t}) for t in (given, scrambled))
    assert [i.id for i in before.items] == [i.id for i in after.items]
    assert [(f.id, f.train, f.test) for f in before.folds] == [(f.id, f.train, f.test) for f in after.folds]

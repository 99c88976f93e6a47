"""Weights: read without running anything, known by content, and never used on those whom they saw."""

import io
import json
import pickle
import shutil
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from mebench.clips import Clip
from mebench.errors import ModelError, RunError, StoreError, UnknownName, UsageError
from mebench.protocol import resolve
from mebench.weights import public
from mebench.weights.declared import (
    Declared,
    chain_of,
    declared,
    recorded,
    refuse_overlap,
    remarks,
    settled,
    weights_of,
    with_files,
)
from mebench.weights.files import encode_weights, load_weights, state_digest
from mebench.weights.provenance import MACRO, NOBODY_KNOWS, NOTHING, Provenance, Seen, provenance_of
from mebench.weights.public import PublicFile, check_public, fetch, find_public
from mebench.weights.registry import by_digest, find, provenance_by_digest, register, registered
from tests.toy import toy_protocol, toy_table, toy_task

CK = Seen("ck-plus", "f" * 64, 30, ("ck-plus/S010", "ck-plus/S011"))
RENDERED = Seen("jaffe", "e" * 64, 20, ("jaffe/KA",), ("mebench.synth/2", 5))


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    return {"conv1.weight": torch.randn((2, 1, 3, 3), generator=drawn), "bn1.num_batches_tracked": torch.tensor(3)}


def write(path: Path, *seen: Seen, seed: int = 0) -> Path:
    """A file of ours that says what it saw."""
    record = {"provenance": NOTHING.followed_by(MACRO, seen).record()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_weights(state(seed), record))
    return path


class Taker:
    """A model that takes weights by parameter."""

    weight_parameters = ("imagenet", "weights")

    def __init__(self, *, imagenet: str = "", weights: str = "", backbone: str = "resnet18", epochs: int = 3) -> None:
        self.imagenet, self.weights, self.backbone, self.epochs = imagenet, weights, backbone, epochs


class Declarer:
    """A model that declares what it fetched itself."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def weights(self) -> dict[str, str]:
        return {"own": self.digest}


@pytest.fixture
def small_public(tmp_path, monkeypatch) -> Path:
    """A small file in the place of the public one of ResNet-18."""
    path = tmp_path / "resnet18-00000000.pth"
    torch.save(OrderedDict(state(9)), path)
    known = PublicFile(path.name, load_weights(path).digest, "resnet18")
    monkeypatch.setattr(public, "PUBLIC", (known, PublicFile("resnet34-x.pth", "1" * 64, "resnet34")))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return path


def test_a_file_of_ours_comes_back_and_equal_weights_give_equal_bytes(tmp_path):
    path = write(tmp_path / "a.pt", CK)
    found = load_weights(path)
    assert {name: value.tolist() for name, value in found.state.items()} == {k: v.tolist() for k, v in state().items()}
    assert provenance_of(found.metadata["provenance"], "a").seen == (CK,)
    assert write(tmp_path / "deep" / "other.pt", CK).read_bytes() == path.read_bytes()
    assert torch.load(path, weights_only=True)["schema"] == "mebench.weights/1"


def test_a_plain_state_dict_is_read_and_says_nothing(tmp_path):
    torch.save(state(), tmp_path / "plain.pth")
    found = load_weights(tmp_path / "plain.pth")
    assert found.metadata is None
    assert found.state_digest == state_digest(state()) == load_weights(write(tmp_path / "ours.pt", CK)).state_digest
    torch.save(state(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert load_weights(tmp_path / "old.pth").state_digest == found.state_digest


class Evil:
    def __reduce__(self):
        return (Path("/tmp/mebench-evil").touch, ())


def _saved(value: object) -> bytes:
    image = io.BytesIO()
    torch.save(value, image)
    return image.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle at all",
        pickle.dumps({"conv1.weight": [1, 2]}),
        pickle.dumps(Evil()),
        _saved({"conv1.weight": Evil()}),
        _saved([torch.zeros(2)]),
        _saved({}),
        _saved({"epoch": 3, "conv1.weight": torch.zeros(2)}),
        _saved({1: torch.zeros(2)}),
        _saved({"conv1.weight": torch.tensor([1.0, float("nan")])}),
        _saved({"conv1.weight": torch.eye(3).to_sparse()}),
        _saved({"schema": "mebench.weights/1", "metadata": "{", "state": {"a": torch.zeros(2)}}),
        _saved({"schema": "mebench.weights/1", "metadata": "[]", "state": {"a": torch.zeros(2)}}),
        _saved({"schema": "mebench.weights/1", "metadata": "{}"}),
        _saved(state())[:-200],
    ],
)
def test_what_is_no_state_dict_is_one_clear_line_and_runs_nothing(content, tmp_path):
    evidence = Path("/tmp/mebench-evil")
    evidence.unlink(missing_ok=True)
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pth is no state dict") as fault:
        load_weights(tmp_path / "x.pth")
    assert "\n" not in fault.value.what
    assert not evidence.exists()


def test_a_file_that_is_not_there_or_too_large(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(tmp_path / "absent.pt")
    monkeypatch.setattr("mebench.weights.files.MOST_BYTES", 10)
    with pytest.raises(ModelError, match="more than"):
        load_weights(write(tmp_path / "a.pt", CK))


def test_the_registry_knows_a_file_by_its_content(tmp_path):
    home = tmp_path / "home"
    first = register(home, write(tmp_path / "macro.pt", CK))
    renamed = tmp_path / "innocent.pt"
    shutil.copy(tmp_path / "macro.pt", renamed)
    assert register(home, renamed) == first
    assert first.path.name == f"{first.digest}.pt"
    assert first.provenance == Provenance("macro", (CK,))
    assert [entry.name for entry in registered(home)] == ["macro.pt"]
    assert find(home, first.digest[:8]) == find(home, "macro") == find(home, "macro.pt") == first
    with pytest.raises(UnknownName, match="innocent"):
        find(home, "innocent")


def test_tensors_saved_anew_without_what_they_say_are_still_known(tmp_path):
    home = tmp_path / "home"
    register(home, write(tmp_path / "macro.pt", CK))
    torch.save(state(), tmp_path / "stripped.pth")
    stripped = register(home, tmp_path / "stripped.pth")
    assert stripped.source == "tensors"
    assert stripped.provenance.seen == (CK,)
    torch.save(state(7), tmp_path / "other.pth")
    other = register(home, tmp_path / "other.pth")
    assert (other.source, other.provenance) == ("nobody", NOBODY_KNOWS)


def test_tensors_that_now_claim_another_past_are_refused(tmp_path):
    home = tmp_path / "home"
    register(home, write(tmp_path / "macro.pt", CK))
    with pytest.raises(ModelError, match="says it saw jaffe"):
        register(home, write(tmp_path / "lie.pt", Seen("jaffe", "a" * 64, 1, ("jaffe/KA",))))


def test_damage_in_the_registry_is_found(tmp_path):
    home = tmp_path / "home"
    entry = register(home, write(tmp_path / "macro.pt", CK))
    entry.path.write_bytes(entry.path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="is damaged"):
        load_weights(entry.path)
    entry.path.with_suffix(".json").write_text("{}")
    with pytest.raises(StoreError, match="is damaged"):
        list(registered(home))


def test_a_file_put_into_the_folder_by_hand_is_found_by_digest(tmp_path):
    home = tmp_path / "home"
    path = write(home / "weights" / "from-the-other-lab.pt", CK)
    digest = load_weights(path).digest
    assert by_digest(home, digest).provenance.seen == (CK,)
    assert by_digest(home, "0" * 64) is None
    assert provenance_by_digest(home, "0" * 64) == NOBODY_KNOWS


def test_damaged_words_about_the_past_are_refused(tmp_path):
    path = tmp_path / "x.pt"
    for past in (None, {}, {"schema": "mebench.provenance/1", "chain": "macro", "seen": [{"dataset": "ck-plus"}]}):
        path.write_bytes(encode_weights(state(), {"provenance": past}))
        with pytest.raises(ModelError, match="what it says it was trained on is damaged"):
            register(tmp_path / "home", path)


def test_chains_grow_by_stages():
    imagenet = public.PUBLIC[0].provenance
    assert imagenet.followed_by(MACRO, [CK]).chain == "imagenet+macro"
    assert imagenet.followed_by(MACRO, [CK]).followed_by(MACRO, [RENDERED]).chain == "imagenet+macro"
    assert NOTHING.followed_by(MACRO, [CK]).chain == "macro"
    assert NOBODY_KNOWS.followed_by(MACRO, [CK]) == Provenance("unknown+macro", None)
    assert [seen.dataset for seen in imagenet.followed_by(MACRO, [CK]).seen] == ["imagenet", "ck-plus"]
    assert provenance_of(json.loads(json.dumps(imagenet.record())), "x") == imagenet


def test_public_files_bear_the_beginning_of_their_digest():
    for known in public.PUBLIC:
        assert known.name == f"{known.backbone}-{known.digest[:8]}.pth"


def test_only_the_public_file_passes_for_imagenet(small_public, tmp_path):
    assert check_public(small_public, "resnet18").provenance.chain == "imagenet"
    moved = tmp_path / "renamed.pth"
    shutil.copy(small_public, moved)
    assert check_public(moved, "resnet18").name == small_public.name
    with pytest.raises(ModelError, match="holds weights of resnet18, the network is a resnet34"):
        check_public(small_public, "resnet34")
    small_public.write_bytes(small_public.read_bytes() + b"0")
    with pytest.raises(ModelError, match=r"is not the public resnet18-00000000\.pth"):
        check_public(small_public, "resnet18")
    with pytest.raises(ModelError, match="is no public file"):
        check_public(write(tmp_path / "a.pt", CK), "resnet18")


def test_auto_looks_in_the_registry_and_in_the_cache_of_torch(small_public, tmp_path, monkeypatch):
    monkeypatch.setenv(public.OFFLINE, "1")
    home, cache = tmp_path / "home", tmp_path / "torch" / "hub" / "checkpoints"
    with pytest.raises(ModelError, match="MEBENCH_OFFLINE forbids") as fault:
        find_public("resnet18", home)
    assert "imagenet=FILE" in fault.value.fix
    cache.mkdir(parents=True)
    shutil.copy(small_public, cache)
    assert find_public("resnet18", home) == cache / small_public.name
    entry = register(home, small_public)
    assert find_public("resnet18", home) == entry.path
    assert (entry.source, entry.provenance.chain) == ("public", "imagenet")
    (cache / small_public.name).write_bytes(b"another file under that name")
    shutil.rmtree(home)
    with pytest.raises(ModelError, match="forbids"):
        find_public("resnet18", home)
    with pytest.raises(ModelError, match="no public ImageNet weights for resnet10"):
        find_public("resnet10", home)


def test_fetching_checks_what_came(small_public, tmp_path, monkeypatch):
    monkeypatch.delenv(public.OFFLINE, raising=False)
    wanted, source = public.PUBLIC[0], small_public.parent.as_uri()
    target = tmp_path / "home" / "weights" / wanted.name
    assert fetch(wanted, target, source).read_bytes() == small_public.read_bytes()
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch(PublicFile("absent.pth", "2" * 64, "resnet18"), target, source)
    with pytest.raises(ModelError, match="gave other bytes"):
        fetch(PublicFile(wanted.name, "2" * 64, "resnet18"), tmp_path / "no", source)
    assert not (tmp_path / "no").exists()


def test_files_are_settled_by_content_whatever_names_them(small_public, tmp_path):
    home = tmp_path / "home"
    path = write(tmp_path / "macro.pt", CK)
    entry = register(home, path)
    for given in (str(path), entry.digest, entry.digest[:10], "macro"):
        assert settled(home, Taker, {"weights": given, "epochs": "4"}) == {"weights": str(entry.path), "epochs": "4"}
    assert settled(home, Taker, {"imagenet": str(small_public)})["imagenet"].startswith(str(home / "weights"))
    assert settled(home, Taker, {"epochs": "4"}) == {"epochs": "4"}
    assert settled(home, Taker, {"weights": ""}) == {"weights": ""}
    with pytest.raises(UsageError, match=r"neither a file nowhere\.pt"):
        settled(home, Taker, {"weights": "nowhere.pt"})
    with pytest.raises(ModelError, match="is no public file"):
        settled(home, Taker, {"imagenet": str(path)})


def test_a_record_holds_the_digest_and_finds_the_file_again(tmp_path):
    home = tmp_path / "home"
    entry = register(home, write(tmp_path / "macro.pt", CK))
    model = Taker(weights=str(entry.path))
    assert weights_of(model) == {"weights": entry.digest}
    parameters = recorded(model, {"weights": model.weights, "imagenet": "", "epochs": 3})
    assert parameters == {"weights": f"sha256:{entry.digest}", "imagenet": "", "epochs": 3}
    spec = {"parameters": parameters, "weights": weights_of(model)}
    assert with_files(home, Taker, spec)["weights"] == str(entry.path)
    with pytest.raises(RunError, match="are not in"):
        with_files(tmp_path / "elsewhere", Taker, spec)


def test_models_that_declare_their_own_weights_are_known_by_digest(tmp_path):
    home = tmp_path / "home"
    entry = register(home, write(tmp_path / "macro.pt", CK))
    assert declared(home, Declarer(entry.digest))[0].provenance.seen == (CK,)
    assert declared(home, Declarer("0" * 64))[0].provenance == NOBODY_KNOWS
    assert weights_of(object()) == {}


def test_chains_of_models(tmp_path):
    home = tmp_path / "home"
    assert chain_of(Taker(), ()) == "scratch"
    assert chain_of(object(), ()) == ""
    assert chain_of(Declarer("0" * 64), declared(home, Declarer("0" * 64))) == "unknown"
    entry = register(home, write(tmp_path / "macro.pt", CK))
    model = Taker(weights=str(entry.path))
    assert chain_of(model, declared(home, model)) == "macro"


def weights_that_saw(*subjects: str, dataset: str = "casme2") -> Declared:
    return Declared("weights", "a" * 64, Provenance("macro", (Seen(dataset, "b" * 64, 9, subjects or None),)))


def test_weights_are_refused_on_people_they_saw():
    task = toy_task()
    with pytest.raises(ModelError, match="were trained on casme2/sub02, tested under toy-loso"):
        refuse_overlap([weights_that_saw("casme2/sub02", "casme2/sub99")], task)
    with pytest.raises(ModelError, match="nobody knows on whom"):
        refuse_overlap([weights_that_saw()], task)
    with pytest.raises(ModelError, match="nobody knows on whom"):
        refuse_overlap([weights_that_saw(dataset="casme2-cropped")], task)
    refuse_overlap([weights_that_saw("casme2/sub99")], task)
    refuse_overlap([weights_that_saw(dataset="samm"), Declared("own", "c" * 64, NOBODY_KNOWS)], task)


def test_people_who_are_only_trained_on_may_have_been_seen():
    table = toy_table()
    task = resolve(toy_protocol(table), {"casme2": table})
    from dataclasses import replace

    one_fold = replace(task, folds=task.folds[:1])
    (tested,) = {clip.rpartition("/")[0] for clip in one_fold.folds[0].test}
    others = sorted({item.subject for item in task.items} - {tested})
    refuse_overlap([weights_that_saw(*others)], one_fold)
    with pytest.raises(ModelError, match=f"trained on {tested}"):
        refuse_overlap([weights_that_saw(tested)], one_fold)


def test_modalities_of_one_corpus_show_the_same_people():
    clip = Clip("smic/s01/s1_ne_01", "smic", "smic/s01", 1, None, 9, 100.0, "negative")
    assert Seen("smic-e-hs", "b" * 64, 1, ("smic/s01",)).people_among([clip.subject]) == ("smic/s01",)
    assert Seen("smic-vis", "b" * 64, 1, None).people_among([clip.subject]) == ("smic/s01",)
    assert Seen("samm", "b" * 64, 1, None).people_among([clip.subject]) == ()


def test_what_must_be_said_is_said():
    from dataclasses import replace

    task = toy_task()
    rendered = Declared("weights", "a" * 64, Provenance("macro", (RENDERED,)))
    assert remarks([Declared("own", "c" * 64, NOBODY_KNOWS)], task) == [
        "own:cccccccccccc (provenance unknown): nobody knows whether they saw the tested corpora"
    ]
    assert remarks([rendered], task) == ["weights:aaaaaaaaaaaa saw rendered faces (jaffe, mebench.synth/2, seed 5)"]
    assert remarks([rendered], replace(task, synthetic=True))[0].endswith("the renderer is shared")
    assert remarks([weights_that_saw("casme2/sub99")], task) == []
    assert rendered.text == "weights:aaaaaaaaaaaa (jaffe SYNTHETIC)"

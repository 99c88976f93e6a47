"""`mebench pretrain`: what a network learns from stills, what the file says of itself, and what a run makes of it."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
import torch

from mebench.audit import drawn
from mebench.cli import status
from mebench.errors import DataError, ModelError, RunError, UsageError
from mebench.forget import forget
from mebench.lam.model import LAM
from mebench.pretraining import PretrainRequest, pretrain, split
from mebench.refit import restored_model, restored_parameters
from mebench.runs import stored_runs
from mebench.stills.records import Pixels, Still, StillTable
from mebench.weights.files import encode_weights, load_weights
from mebench.weights.provenance import MACRO, NOTHING, Seen
from mebench.weights.registry import registered
from tests.macro_corpora import write_ck_plus, write_fer2013, write_jaffe

TINY = {"backbone": "resnet10", "width": "4", "size": "32", "epochs": "2", "batch_size": "4"}
SEQUENCES = {"001": "anger", "002": "contempt", "003": "happiness"}


@pytest.fixture(scope="module")
def stills(tmp_path_factory) -> Path:
    """CK+ of three people, two sequences each, under a home in which their faces lie already."""
    folder = tmp_path_factory.mktemp("pretrain")
    write_ck_plus(folder / "ck", ("S010", "S012", "S014"), sequences=SEQUENCES, frames=(1, 2), images=True)
    return folder


@pytest.fixture(scope="module")
def report(stills):
    return pretrain(request(stills, output=stills / "macro.pt"))


def request(stills: Path, **more) -> PretrainRequest:
    given = {"model": "lam", "data": {"ck-plus": str(stills / "ck")}, "home": stills / "home", "settings": TINY}
    return PretrainRequest(**{**given, **more})


def test_a_fifth_of_the_people_is_held_out_and_reported(report):
    (part,) = report.parts
    trained, held_out = ({s.subject for s in stills} for stills in (part.train, part.held_out))
    assert len(trained) == 2
    assert len(held_out) == 1
    assert not trained & held_out
    # Per person one peak image of two expressions (of two frames one is neutral) and two neutral ones.
    assert len(part.train) == 8
    assert report.validation["ck-plus"]["stills"] == 4
    assert report.validation["ck-plus"]["subject_disjoint"]
    assert part.left_out == {"sequences of contempt": 3}
    assert report.entry.provenance.seen[0].subjects == tuple(sorted(trained))


def test_the_file_says_what_it_is(report, stills):
    found = load_weights(stills / "macro.pt")
    said = found.metadata
    assert said["provenance"]["chain"] == "macro"
    assert said["classes"] == ["anger", "happiness", "neutral"]
    assert said["model"] == "lam"
    assert said["parameters"]["width"] == 4
    assert said["environment"]["torch"] == torch.__version__.partition("+")[0] or torch.__version__
    assert said["recipe"] == "align > grey > onset-apex > apex > resize(size=32)"
    assert set(found.state) == set(LAM(backbone="resnet10", width=4).build(1, 3).state_dict())
    assert str(stills) not in json.dumps(said)
    assert torch.load(stills / "macro.pt", weights_only=True)["state"]["fc.weight"].shape == (3, 32)


def test_the_same_command_gives_the_same_bytes(report, stills):
    again = pretrain(request(stills))
    assert again.entry.digest == report.entry.digest
    assert again.entry.path.read_bytes() == (stills / "macro.pt").read_bytes()
    other = pretrain(request(stills, seed=1))
    assert other.entry.digest != report.entry.digest


def test_progress_counts_faces_and_batches(stills):
    told: list[tuple[int, int, str]] = []
    pretrain(request(stills), progress=lambda done, total, what: told.append((done, total, what)))
    assert told[0][2].startswith("faces of ck-plus/")
    # 8 stills, 4 neutral, 2 anger, 2 happiness, oversampled to 12: three batches of 4 in each of two epochs.
    assert [t for t in told if t[2] == "training"] == [(i, 6, "training") for i in range(1, 7)]


def test_pairs_leave_neutral_out_and_say_so(stills):
    found = pretrain(request(stills, settings={**TINY, "channels": "pair"}))
    assert found.entry.metadata["classes"] == ["anger", "happiness"]
    assert found.parts[0].left_out["neutral, which is no change"] == 6
    assert "2 classes" not in found.text()


def test_corpora_merge_and_each_is_reported(stills, tmp_path):
    jaffe = write_jaffe(tmp_path / "jaffe", images=True)
    fer = write_fer2013(tmp_path / "fer", [(0, "Training"), (3, "Training"), (3, "PublicTest")])
    data = {"ck-plus": str(stills / "ck"), "jaffe": str(jaffe), "fer2013": str(fer)}
    found = pretrain(request(stills, data=data, settings={**TINY, "epochs": "1"}))
    assert [seen.dataset for seen in found.entry.provenance.seen] == ["ck-plus", "jaffe", "fer2013"]
    assert found.entry.provenance.seen[2].subjects is None
    assert set(found.validation) == {"ck-plus", "jaffe", "fer2013"}
    assert not found.validation["fer2013"]["subject_disjoint"]
    assert "NOT subject-disjoint" in found.text()


def test_a_second_pretraining_goes_on_from_the_first(report, stills):
    found = pretrain(request(stills, settings={**TINY, "weights": str(stills / "macro.pt")}))
    assert found.entry.provenance.chain == "macro"
    assert len(found.entry.provenance.seen) == 2
    assert found.entry.metadata["parameters"]["weights"] == f"sha256:{report.entry.digest}"
    assert "tensors taken" in found.text()


def test_what_cannot_be_pretrained_is_refused(stills, tmp_path):
    for model in ("lbp-top", "constant"):
        with pytest.raises(ModelError, match="cannot start from weights"):
            pretrain(request(stills, model=model, settings={}))
    with pytest.raises(UsageError, match="No corpus of stills"):
        pretrain(request(stills, data={}))
    lone = write_ck_plus(tmp_path / "ck", ("S010",), sequences={"001": "anger"}, frames=(1, 2), images=True)
    with pytest.raises(DataError, match="of 1 classes"):
        pretrain(request(stills, data={"ck-plus": str(lone)}, settings={**TINY, "channels": "pair"}))


def invented(people: int, held_out: bool = False) -> tuple[StillTable, list[Still]]:
    stills = [
        Still(f"c/{f'p{i % people}' if people else '-'}/{i}", f"c/p{i % people}" if people else None, "anger",
              Pixels(b"", 0), held_out=held_out and i % 4 == 0)
        for i in range(40)
    ]  # fmt: skip
    return StillTable("c", "C", tuple(stills)), stills


def test_splits():
    train, away, disjoint = split(*invented(10), 0)
    assert disjoint
    assert len({s.subject for s in away}) == 2
    assert not {s.subject for s in away} & {s.subject for s in train}
    assert split(*invented(10), 0)[1] == away != split(*invented(10), 1)[1]
    assert split(*invented(1), 0)[1] == []
    train, away, disjoint = split(*invented(0, held_out=True), 0)
    assert not disjoint
    assert all(s.held_out for s in away)
    assert len(away) == 10
    train, away, disjoint = split(*invented(0), 0)
    assert (len(train), len(away), disjoint) == (32, 8, False)


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> Path:
    """A home in which a drawn CASME II of two people is prepared."""
    folder = tmp_path_factory.mktemp("target")
    labels = drawn.draw_labels(2, 4, 0)
    table = drawn.write_annotation(folder / "CASME2", labels)
    drawn.register(folder / "home", folder / "CASME2", table)
    drawn.fill_store(folder / "home", labels, 0)
    return folder


def run(target: Path, *settings: str) -> int:
    given = TINY | {"factor": "1"} | dict(setting.split("=", 1) for setting in settings)
    typed = [f"--set={key}={value}" for key, value in given.items()]
    fixed = ["run", "lam", "--protocol", "casme2-5c-loso", "--allow-partial", "--jobs", "1"]
    return status(["--home", str(target / "home"), *fixed, *typed])


def found_run(target: Path, chain: str):
    return next(r for r in stored_runs(target / "home") if r.spec["facts"]["chain"] == chain)


def test_a_run_starts_from_weights_by_content_and_says_so(target, report, stills, tmp_path, capsys):
    assert run(target) == 0
    assert run(target, f"weights={stills / 'macro.pt'}") == 0
    out = capsys.readouterr().out
    assert "tensors taken; fc.weight, fc.bias dropped" in out
    scratch, macro = (found_run(target, chain) for chain in ("scratch", "macro"))
    assert scratch.id != macro.id
    assert macro.spec["weights"] == {"weights": report.entry.digest}
    assert macro.spec["parameters"]["weights"] == f"sha256:{report.entry.digest}"
    said = {"name": "weights", "digest": report.entry.digest, "chain": "macro", "saw": "ck-plus", "synthetic": False}
    assert macro.spec["facts"]["weights"] == [said]
    assert "ck-plus/S01" not in (macro.seeds[0].path / "manifest.json").read_text()
    renamed = tmp_path / "innocent.pt"
    shutil.copy(stills / "macro.pt", renamed)
    assert run(target, f"weights={renamed}") == 0
    assert run(target, f"weights={report.entry.digest[:10]}") == 0
    assert len(stored_runs(target / "home")) == 2


def test_weights_of_another_network_are_one_clear_fault(target, stills, report, capsys):
    assert run(target, f"weights={stills / 'macro.pt'}", "width=8") == 1
    assert "is of another network: its conv1.weight is (4, 3, 7, 7), not (8, 3, 7, 7)" in capsys.readouterr().err
    assert run(target, f"weights={stills / 'macro.pt'}", "backbone=resnet18") == 1
    assert "is of another network: it lacks layer1.1." in capsys.readouterr().err


def test_weights_that_saw_a_tested_person_are_refused(target, report, tmp_path, capsys):
    state = load_weights(report.entry.path).state
    seen = Seen("casme2", "0" * 64, 9, ("casme2/sub02",))
    leaky = {name: value + 0 if value.dtype == torch.int64 else value * 1.5 for name, value in state.items()}
    path = tmp_path / "harmless.pt"
    path.write_bytes(encode_weights(leaky, {"provenance": NOTHING.followed_by(MACRO, [seen]).record()}))
    assert run(target, f"weights={path}") == 1
    assert "were trained on casme2/sub02, tested under casme2-5c-loso" in capsys.readouterr().err
    stripped = tmp_path / "stripped.pth"  # the same tensors, without a word of what they saw
    torch.save(leaky, stripped)
    assert run(target, f"weights={stripped}") == 1
    assert "were trained on casme2/sub02" in capsys.readouterr().err
    audit = ["audit", "model", "lam", "--protocol", "casme2-5c-loso", "--allow-partial", f"--set=weights={path}"]
    typed = [f"--set={key}={value}" for key, value in TINY.items()]
    assert status(["--home", str(target / "home"), *audit, *typed]) == 1
    assert "were trained on casme2/sub02" in capsys.readouterr().err
    assert all(r.spec["facts"]["chain"] in ("scratch", "macro") for r in stored_runs(target / "home"))


def test_an_audit_finds_nothing_in_declared_weights(target, report, stills, capsys):
    typed = [f"--set={key}={value}" for key, value in {**TINY, "weights": str(stills / "macro.pt")}.items()]
    assert status(["--home", str(target / "home"), "audit", "model", "lam", "--only", "files", *typed]) == 0
    assert "clean" in capsys.readouterr().out


def test_unknown_weights_run_and_their_row_says_that_nobody_knows(target, report, tmp_path, capsys):
    state = {n: v * 2 if v.dtype != torch.int64 else v for n, v in load_weights(report.entry.path).state.items()}
    torch.save(state, tmp_path / "found-somewhere.pth")
    assert run(target, f"weights={tmp_path / 'found-somewhere.pth'}") == 0
    assert "nobody knows whether they saw the tested corpora" in capsys.readouterr().out
    assert status(["--home", str(target / "home"), "leaderboard", "--format", "md"]) == 0
    assert "(provenance unknown)" in capsys.readouterr().out


def test_rows_say_the_chain_and_what_was_seen(target, report, stills, capsys):
    assert run(target) == run(target, f"weights={stills / 'macro.pt'}") == 0
    capsys.readouterr()
    assert status(["--home", str(target / "home"), "leaderboard", "--format", "csv"]) == 0
    rows = {row["chain"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert rows["scratch"]["weights"] == ""
    assert rows["macro"]["weights"] == f"macro, weights:{report.entry.digest[:12]} (ck-plus)"


def test_a_recorded_run_finds_its_weights_again(target, report, stills, tmp_path):
    assert run(target, f"weights={stills / 'macro.pt'}") == 0
    spec = found_run(target, "macro").spec
    model = restored_model("lam", restored_parameters(target / "home", "lam", spec))
    assert model.weights == str(target / "home" / "weights" / f"{report.entry.digest}.pt")
    network = model.build(1, 3)
    given = load_weights(report.entry.path).state
    assert torch.equal(network.state_dict()["layer3.0.conv1.weight"], given["layer3.0.conv1.weight"])
    with pytest.raises(RunError, match="are not in"):
        restored_parameters(tmp_path, "lam", spec)


def test_lists_and_words(report, stills, capsys):
    home = ["--home", str(stills / "home")]
    assert status([*home, "list", "weights"]) == 0
    assert f"{report.entry.digest[:12]}  macro.pt  macro  ck-plus" in capsys.readouterr().out
    assert status([*home, "show", report.entry.digest[:12]]) == 0
    shown = capsys.readouterr().out
    assert "ck-plus: 8 images, 2 people" in shown
    assert "left out of ck-plus: 3 sequences of contempt" in shown
    assert status([*home, "show", "ck-plus"]) == 0
    assert "pitt.edu" in capsys.readouterr().out
    assert status([*home, "list", "stills"]) == 0
    assert "raf-db  RAF-DB (basic)" in capsys.readouterr().out
    assert status([*home, "show", "nothing-of-that-name"]) == 2
    assert "protocol, corpus, model, run or weights" in capsys.readouterr().err


def test_faults_on_the_command_line_are_two_lines(stills, capsys):
    home, given = ["--home", str(stills / "home"), "pretrain"], f"--data=ck-plus={stills / 'ck'}"
    cases = {
        ("lam", "--data", f"ck-plus={stills / 'nowhere'}"): (1, "does not exist"),
        ("lam", "--data", "ck-plos=/"): (2, "No corpus of stills named 'ck-plos'"),
        ("lam",): (2, "Missing option '--data'"),
        ("lam", given, "--set=imagenet=auto", "--set=backbone=resnet10"): (1, "no public ImageNet weights"),
        ("lam", given, "--set=imagenet=a", "--set=weights=b"): (2, "neither a file a"),
        ("lam", given, "--set=freeze=head"): (2, "part to freeze"),
        ("lbp-top", given): (1, "cannot start from weights"),
    }  # fmt: skip
    for typed, (code, said) in cases.items():
        assert status([*home, *typed]) == code
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 2


def test_forgetting_a_person_takes_the_weights_that_saw_them(stills, tmp_path):
    home = tmp_path / "home"
    made = pretrain(request(stills, home=home, settings={**TINY, "epochs": "1"}))
    person = made.entry.provenance.seen[0].subjects[0].partition("/")[2]
    assert made.entry.path.exists()
    gone = forget(home, "ck-plus", person)
    assert gone.done
    assert not made.entry.path.exists()
    assert not list(registered(home))
    assert not (home / "store" / "ck-plus" / person).exists()
    assert (home / "store" / "ck-plus").exists()
    forget(home, "ck-plus")
    assert not (home / "store" / "ck-plus").exists()

"""The auditor of models: every cheat is caught by the check that is there for it, honest models by none."""

import json
from pathlib import Path

import pytest

from mebench.audit.model import DOES, ModelQuestion, audit_model
from mebench.audit.session import Candidate
from mebench.cli import status
from mebench.errors import ModelError, UnknownName, UsageError
from tests.leaky import CAUGHT_BY
from tests.planted import plant

LEAKY = Path(__file__).parent / "leaky.py"

HONEST = '''
import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression


class Forest(RandomForestClassifier):
    def __init__(self, n_estimators=10, random_state=0):
        super().__init__(n_estimators=n_estimators, random_state=random_state)


class Careful(ClassifierMixin, BaseEstimator):
    """Keeps a scratch file within one fit, warns, and asks for the training subjects."""

    __metadata_request__fit = {"groups": True}

    def fit(self, X, y, groups=None):
        assert len(groups) == len(y)
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "rows.npy", X)
            X = np.load(Path(folder) / "rows.npy")
        warnings.warn("this is slow")
        self.base_ = LogisticRegression().fit(X, y)
        self.classes_ = self.base_.classes_
        return self

    def predict(self, X):
        return self.base_.predict(X)


class Pretrained(LogisticRegression):
    """Starts from a file of weights beside it, and says so by digest."""

    declared = True

    def weights(self):
        content = (Path(__file__).parent / "weights.bin").read_bytes()
        return {"weights.bin": hashlib.sha256(content).hexdigest()} if self.declared else {}

    def fit(self, X, y):
        self.start_ = (Path(__file__).parent / "weights.bin").read_bytes()
        return super().fit(X, y)


class Undeclared(Pretrained):
    declared = False


class Failing(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("no luck")


class Leaving(Failing):
    def fit(self, X, y):
        os._exit(1)


class Networked(LogisticRegression):
    def fit(self, X, y):
        import socket

        try:
            socket.create_connection(("127.0.0.1", 9), timeout=0.1)
        except OSError:
            pass
        return super().fit(X, y)


class AllAtOnce(LogisticRegression):
    multilabel = True
'''


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    (folder / "models.py").write_text(HONEST)
    (folder / "weights.bin").write_bytes(b"weights")
    return folder / "models.py"


def audited(model: str, *only: str, **given):
    return audit_model(ModelQuestion(Candidate(model, given.pop("settings", {})), Path("nowhere"), only=only, **given))


QUICK = ("Stack", "EarlierRun", "PseudoLabels", "Memory", "Scratch", "Answers", "Union")
"""One per kind of check; the others take half a minute together."""


@pytest.mark.parametrize(
    "cheat", [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CAUGHT_BY if c != "Store"]
)
def test_a_cheat_is_caught_by_the_check_that_is_there_for_it(cheat):
    report = audited(f"{LEAKY}:{cheat}", *CAUGHT_BY[cheat])
    assert set(report.caught) == CAUGHT_BY[cheat]


def test_what_native_code_opens_is_seen_from_outside():
    """HDF5 opens the store in C: no audit event of Python names these files."""
    report = audited(f"{LEAKY}:Store", "files")
    assert any(item.startswith("touches ") and item.endswith(".h5") for item in report.findings[0].items)


def test_a_leak_that_sleeps_is_caught_reaching():
    """At share 0 the cheat looks at the stack and changes nothing: predictions stay, the look is seen."""
    report = audited(f"{LEAKY}:Stack", "scrambled", "reach", settings={"share": "0.0"})
    assert report.caught == ("reach",)


@pytest.mark.slow
def test_an_honest_forest_is_clean_in_every_check(honest):
    assert audited(f"{honest}:Forest").caught == ()


@pytest.mark.parametrize("model", ["Careful", "Pretrained"])
def test_scratch_files_groups_warnings_and_declared_weights_are_honest(honest, model):
    assert audited(f"{honest}:{model}", "scrambled", "company", "folds", "files", "reach").caught == ()


def test_weights_without_a_declaration_are_caught(honest):
    finding = audited(f"{honest}:Undeclared", "files").findings[0]
    assert finding.verdict == "caught"
    assert "weights.bin" in finding.why


def test_a_connection_is_caught(honest):
    assert audited(f"{honest}:Networked", "reach").caught == ("reach",)


def test_a_shipped_floor_is_clean():
    report = audited("uniform")
    assert report.clean
    assert report.verdict("order") == "not applicable"


def test_a_registered_model_is_audited_on_inputs_of_its_recipe():
    report = audited("lbp-top", "order", "files", settings={"C_grid": "1"})
    assert report.clean
    assert "lbp-top(" in report.notes[0]


@pytest.mark.slow
def test_the_permutation_null_is_reported_with_its_p():
    finding = audited(f"{LEAKY}:Honest", "permutation", permutations=39).findings[0]
    assert finding.verdict == "reported"
    assert finding.figure == pytest.approx(0.6, abs=0.05)
    assert "p = 0.025" in finding.why  # (1 + 0) / (1 + 39): no permutation reaches it


def test_too_few_permutations_are_refused():
    with pytest.raises(UsageError, match="10 permutations cannot reach"):
        audited("constant", permutations=10)


def test_a_model_that_fails_is_named(honest):
    with pytest.raises(ModelError, match=r"fails on the audit's corpus, fold casme2/sub01: RuntimeError: no luck"):
        audited(f"{honest}:Failing", "repeat")
    with pytest.raises(ModelError, match="the process died"):
        audited(f"{honest}:Leaving", "repeat")


def test_what_does_not_exist_is_named(honest):
    with pytest.raises(UnknownName, match="scrambeld"):
        audited("constant", "scrambeld")
    with pytest.raises(UnknownName, match="Forrest"):
        audited(f"{honest}:Forrest", "repeat")


def test_a_model_of_several_classes_per_clip_is_refused_in_words(honest):
    with pytest.raises(UsageError, match="any number of classes per clip"):
        audited(f"{honest}:AllAtOnce", "repeat")


def test_the_command_line_says_what_was_caught(tmp_path, capsys):
    home = ["--home", str(tmp_path)]
    assert status([*home, "audit", "model", f"{LEAKY}:Position", "--only", "order", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "mebench.audit/1"
    assert record["caught"] == ["order"]
    assert record["findings"][0]["does"] == DOES["order"]
    assert status([*home, "audit", "model", "constant", "--only", "repeat"]) == 0
    assert "nothing caught" in capsys.readouterr().out


def test_what_a_model_prints_stays_out_of_the_report(tmp_path, capfd):
    (tmp_path / "loud.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "class Loud(LogisticRegression):\n"
        "    def fit(self, X, y):\n"
        "        print('noise')\n"
        "        return super().fit(X, y)\n"
    )
    command = ["audit", "model", f"{tmp_path / 'loud.py'}:Loud", "--only", "repeat", "--json"]
    assert status(["--home", str(tmp_path / "home"), *command]) == 0
    assert json.loads(capfd.readouterr().out)["clean"]


def test_a_users_own_corpus_is_audited_with_its_shortcuts(tmp_path, capsys):
    """The planted corpus shows its class in a quarter of every frame, the onset included."""
    root = plant(tmp_path)
    arguments = ["audit", "model", f"{root / 'means.py'}:Means", "--protocol", str(root / "planted.toml"), "--json"]
    more = [f"--data=casme2={root / 'corpus'}", "--folds=3", "--only=files", "--only=company", "--only=shortcuts"]
    assert status(["--home", str(root / "home"), *arguments, *more]) == 0
    record = json.loads(capsys.readouterr().out)
    company, files, shortcuts = record["findings"]
    assert (company["verdict"], files["verdict"]) == ("clean", "clean")
    assert "planted-loso, 3 of 4 folds" in record["notes"][0]
    assert shortcuts["figure"] == 1
    assert "onset frame 1.000" in shortcuts["why"]
    assert "the model on clips held still 1.000" in shortcuts["why"]


def test_a_cheat_that_reads_the_users_store_is_caught(tmp_path):
    root = plant(tmp_path)
    question = ModelQuestion(
        Candidate(f"{LEAKY}:Store"),
        root / "home",
        protocol=str(root / "planted.toml"),
        data={"casme2": str(root / "corpus")},
        only=("files",),
    )
    finding = audit_model(question).findings[0]
    assert finding.verdict == "caught"
    assert any(".h5" in item for item in finding.items)

"""Diagnostics and peeking: asked after the predictions, kept beside them, shown and never ranked."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from mebench.cli import status
from mebench.diagnostics import FoldNotes, Keeper, mean_report
from mebench.errors import UsageError
from mebench.execute import run_request
from mebench.peeked import best_per_fold, inflation_of
from mebench.requests import Request
from mebench.run_notes import notes_of
from mebench.runs import find_run
from mebench.scoring import ALL, score_predictions
from tests.corpora import write_samm

PROTOCOL = "samm-5c-loso"
FOLDS = 27

MODELS = '''
import numpy as np
from pathlib import Path
from sklearn.base import BaseEstimator, ClassifierMixin


class Told(ClassifierMixin, BaseEstimator):
    """Knows nothing; draws classes at random, others after every epoch, and talks about itself."""

    def __init__(self, *, epochs=6, keep_stages=False, wrong="", random_state=0):
        self.epochs = epochs
        self.keep_stages = keep_stages
        self.wrong = wrong
        self.random_state = random_state

    def fit(self, X, y):
        with (Path(__file__).parent / "fits.txt").open("a") as stream:
            stream.write("fit\\n")
        self.classes_ = np.unique(y)
        return self

    def _drawn(self, X, epoch):
        return np.random.default_rng([self.random_state, epoch]).random((len(X), len(self.classes_)))

    def predict_proba(self, X):
        return self._drawn(X, self.epochs - 1)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def staged_predict_proba(self, X):
        assert self.keep_stages
        for epoch in range(self.epochs):
            yield self._drawn(X, epoch)

    def report(self):
        if self.wrong == "report":
            raise RuntimeError("no idea")
        return {"gamma": [0.5, float(len(self.classes_))], "seed": float(self.random_state % 7)}

    def ablated_predict_proba(self, X):
        only_first = np.zeros((len(X), len(self.classes_)))
        only_first[:, 0] = 1
        return {"everything": only_first if self.wrong != "shape" else only_first[:, :2]}


class Together(Told):
    def fit_folds(self, X, parts):
        from sklearn.base import clone

        return [clone(self).set_params(random_state=seed).fit(X[rows], y) for rows, y, seed in parts]
'''


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus") / "samm"
    write_samm(root)
    return root


@pytest.fixture
def models(tmp_path):
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


def request(models, corpus, home, name="Told", **more):
    return Request(f"{models}:{name}", PROTOCOL, home, data={"samm": str(corpus)}, **more)


def fits(models):
    path = models.parent / "fits.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_peeking_is_measured_beside_a_score_that_stays_the_same(models, corpus, tmp_path, capsys):
    plain, measured = tmp_path / "plain", tmp_path / "measured"
    run_request(request(models, corpus, plain))
    report = run_request(request(models, corpus, measured, measure_peeking=True))
    before, after = find_run(plain, "models.Told"), find_run(measured, "models.Told")
    assert before.id == after.id  # what is measured beside a run does not make it another
    assert after.seeds[0].predictions() == before.seeds[0].predictions()
    found = inflation_of(after)
    assert found is not None
    assert inflation_of(before) is None

    # By hand from the model itself: epoch e of fold f draws from the fold's seed and e.
    seed_run, truth = after.seeds[0], after.seeds[0].expected
    notes = {fold: seed_run.notes(fold) for fold in seed_run.folds}
    assert all(len(one.epochs) == 6 for one in notes.values())
    kept = {}
    for one in notes.values():
        right = [np.mean([said == truth[c] for c, said in zip(one.clips, e, strict=True)]) for e in one.epochs]
        kept |= dict(zip(one.clips, one.epochs[right.index(max(right))], strict=True))
    assert best_per_fold(notes, truth) == kept
    own = score_predictions(seed_run.predictions(), truth)[0].strict[ALL]
    assert (found.uf1, found.uar) == pytest.approx((own.uf1, own.uar))
    assert found.per_fold_uf1 > found.uf1 + 0.1  # the best of six draws for each of 27 folds
    assert found.uf1 <= found.best_epoch_uf1 < found.per_fold_uf1
    assert any("best epoch per tested fold" in note for note in report.members[0].notes)

    assert status(["--home", str(measured), "leaderboard", "--format", "csv"]) == 0
    (row,) = [r for r in csv.DictReader(io.StringIO(capsys.readouterr().out)) if r["dataset"] == "all"]
    assert float(row["uf1"]) == pytest.approx(found.uf1, abs=1e-6)
    assert float(row["peeked_per_fold_uf1"]) == pytest.approx(found.per_fold_uf1, abs=1e-6)
    assert float(row["peeked_best_epoch_uf1"]) == pytest.approx(found.best_epoch_uf1, abs=1e-6)
    assert row["peeked_uf1"] == ""
    assert status(["--home", str(measured), "leaderboard", "--format", "md"]) == 0
    assert "peeking would have claimed UF1" in capsys.readouterr().out


def test_a_finished_run_is_asked_for_its_epochs_and_keeps_its_predictions(models, corpus, tmp_path):
    run_request(request(models, corpus, tmp_path))
    run = find_run(tmp_path, "models.Told")
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in run.seeds[0].path.glob("folds/*.csv")}
    assert fits(models) == FOLDS
    for _ in range(2):
        run_request(request(models, corpus, tmp_path, measure_peeking=True))
        assert fits(models) == 2 * FOLDS
    after = {path.name: (path.stat().st_ino, path.read_bytes()) for path in run.seeds[0].path.glob("folds/*.csv")}
    assert after == before
    assert inflation_of(find_run(tmp_path, "models.Told")) is not None


def test_show_prints_reports_and_what_is_left_without_a_part(models, corpus, tmp_path, capsys):
    run_request(request(models, corpus, tmp_path, seeds=2))
    run = find_run(tmp_path, "models.Told")
    assert status(["--home", str(tmp_path), "show", run.id, "--data", f"samm={corpus}", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    told = record["diagnostics"]
    assert told["folds"] == 2 * FOLDS
    # A fold's training may lack a class: the mean number of classes lies between four and five.
    assert told["report"]["gamma"][0] == 0.5
    assert 4 < told["report"]["gamma"][1] <= 5
    # Anger, the first of the alphabet, is said of every clip: 57 of 136 are it, F1 2 x 57 / (57 + 136), over 5 classes.
    assert told["ablated"]["everything"] == pytest.approx({"uf1": 2 * 57 / 193 / 5, "uar": 0.2})
    own = [score_predictions(s.predictions(), s.expected)[s.seed].strict[ALL].uf1 for s in run.seeds]
    assert told["own"]["uf1"] == pytest.approx(np.mean(own))
    assert record["peeked"] is None
    assert status(["--home", str(tmp_path), "show", run.id, "--data", f"samm={corpus}"]) == 0
    text = capsys.readouterr().out
    assert "never ranked" in text
    assert "everything" in text
    assert "gamma: 0.5" in text


@pytest.mark.parametrize(("wrong", "method"), [("report", "report"), ("shape", "ablated_predict_proba")])
def test_an_answer_that_cannot_be_used_costs_the_answer_and_not_the_fold(models, corpus, tmp_path, wrong, method):
    report = run_request(request(models, corpus, tmp_path, settings={"wrong": wrong}))
    assert report.complete
    told = notes_of(find_run(tmp_path, "models.Told"))
    assert len(told.faults) == FOLDS
    assert all(where.startswith(method) for where in told.faults)
    assert bool(told.ablated) == (wrong == "report")


def test_folds_at_once_are_stored_one_by_one_and_not_fitted_again(models, corpus, tmp_path):
    run_request(request(models, corpus, tmp_path / "alone", "Together", folds_at_once=1))
    wanted = find_run(tmp_path / "alone", "models.Together").seeds[0]
    made = fits(models)
    home = tmp_path / "home"
    run_request(request(models, corpus, home, "Together", folds_at_once=4))
    run = find_run(home, "models.Together")
    assert fits(models) - made == FOLDS
    assert run.seeds[0].predictions() == wanted.predictions()
    assert notes_of(run).at_once == 4
    assert not (run.seeds[0].path / "states").exists()
    gone = sorted(run.seeds[0].path.glob("folds/*.csv"))[5]
    gone.unlink()
    run_request(request(models, corpus, home, "Together", folds_at_once=4))
    assert fits(models) - made == FOLDS + 1
    assert find_run(home, "models.Together").seeds[0].predictions() == wanted.predictions()


def test_what_cannot_be_measured_or_fitted_at_once_is_refused(models, corpus, tmp_path):
    with pytest.raises(UsageError, match="cannot fit 2 folds at once"):
        run_request(request(models, corpus, tmp_path, folds_at_once=2))
    plain = Request("uniform", PROTOCOL, tmp_path, data={"samm": str(corpus)}, measure_peeking=True)
    with pytest.raises(UsageError, match="no staged_predict_proba"):
        run_request(plain)


def test_the_mean_report_takes_lists_place_by_place_and_leaves_out_what_is_none():
    notes = [
        FoldNotes((), {"a": 1.0, "b": (1.0, 2.0), "c": (1.0,)}),
        FoldNotes((), {"a": 3.0, "b": (3.0, float("nan")), "c": (1.0, 2.0)}),
    ]
    # c has no place that all lists have in common and is left out.
    assert mean_report(notes) == {"a": 2.0, "b": (2.0, 2.0)}


def test_notes_come_back_as_they_were_written():
    notes = FoldNotes(
        ("x", "y"),
        {"a": 1.5, "b": (0.0, float("nan"))},
        {"without": ("p", "q")},
        (("p", "p"), ("q", "p")),
        {"r": "no"},
        3,
    )
    back = FoldNotes.of_record(json.loads(json.dumps(notes.record(), allow_nan=False)))
    assert np.isnan(back.report["b"][1])
    assert replace(back, report={}) == replace(notes, report={})


def test_where_a_fold_fits_several_models_none_is_asked():
    class Told:
        classes_ = np.array(["a", "b"])

        def report(self):
            return {"x": 1.0}

    keeper = Keeper()
    keeper(Told(), np.zeros((1, 2)))
    assert keeper.notes(["clip"]).report == {"x": 1.0}
    keeper(Told(), np.zeros((1, 2)))
    assert keeper.notes(["clip"]).empty

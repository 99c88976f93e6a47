"""What an audit said of a model stands on the rows of that very model, and on no other."""

import csv
import io
import json

import pytest

from mebench import verdicts
from mebench.cli import status
from mebench.errors import RunError
from mebench.verdicts import NOT_AUDITED, Identity, Said, keep, kept, summary
from tests.planted import arguments, plant, run_arguments

MODEL = Identity("m", 1, None, {"C": 1.0}, {})


@pytest.fixture
def today(monkeypatch):
    """Sets the day on which verdicts are kept."""

    def set_day(day: int) -> None:
        class Clock(verdicts.datetime):
            @classmethod
            def now(cls, tz=None):
                return cls(2026, 1, day, tzinfo=tz)

        monkeypatch.setattr(verdicts, "datetime", Clock)

    set_day(30)
    return set_day


def test_words_count_checks_that_could_be_made_and_name_those_that_caught():
    clean = [Said("order", "drawn", "clean", "2026-01-30"), Said("null", "drawn", "reported", "2026-01-31")]
    void = Said("absent", "drawn", "not applicable", "2026-02-01")
    assert summary([*clean, void]) == "clean, 2 checks, 2026-01-31"
    assert summary(clean[:1]) == "clean, 1 check, 2026-01-30"
    caught = Said("company", "p", "caught", "2026-01-29")
    assert summary([*clean, caught]) == "caught: company, 2026-01-29"
    assert summary([]) == summary([void]) == NOT_AUDITED


def test_a_later_audit_replaces_what_it_made_anew_and_nothing_else(tmp_path, today):
    keep(tmp_path, MODEL, {"order": "caught", "null": "clean"}, None)
    today(31)
    keep(tmp_path, MODEL, {"null": "clean"}, None)
    assert summary(kept(tmp_path, MODEL)) == "caught: order, 2026-01-30"
    keep(tmp_path, MODEL, {"order": "clean"}, None)
    assert summary(kept(tmp_path, MODEL)) == "clean, 2 checks, 2026-01-31"


def test_what_a_corpus_showed_is_not_taken_back_by_another(tmp_path, today):
    keep(tmp_path, MODEL, {"files": "caught"}, "/somewhere/casme2/sub01/own.toml")
    keep(tmp_path, MODEL, {"files": "clean"}, None)
    assert summary(kept(tmp_path, MODEL)) == "caught: files, 2026-01-30"
    assert {one.corpus for one in kept(tmp_path, MODEL)} == {"own.toml", "drawn"}


@pytest.mark.parametrize(
    "other",
    [
        Identity("n", 1, None, {"C": 1.0}, {}),
        Identity("m", 2, None, {"C": 1.0}, {}),
        Identity("m", 1, "0" * 64, {"C": 1.0}, {}),
        Identity("m", 1, None, {"C": 2.0}, {}),
        Identity("m", 1, None, {"C": 1.0}, {"backbone": "0" * 64}),
    ],
)
def test_a_model_that_differs_in_anything_was_never_audited(tmp_path, other):
    keep(tmp_path, MODEL, {"order": "clean"}, None)
    assert kept(tmp_path, other) == ()


def test_a_damaged_record_is_named(tmp_path):
    path = keep(tmp_path, MODEL, {"order": "clean"}, None)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(RunError, match="is damaged"):
        kept(tmp_path, MODEL)


def test_the_leaderboard_says_what_the_audit_said_of_that_model(tmp_path, capsys):
    root = plant(tmp_path)
    home, model = ["--home", str(root / "home")], f"{root / 'means.py'}:Means"
    assert status(run_arguments(root)) == 0
    assert status(run_arguments(root, "--set", "sharpness=2")) == 0
    own = ["--protocol", str(root / "planted.toml"), "--only", "order", "--only", "company"]
    assert status(arguments(root, "audit", "model", model, *own)) == 0
    capsys.readouterr()
    assert status([*home, "leaderboard", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    said = {json.loads(row["parameters"])["sharpness"]: row["audit"] for row in rows}
    assert said[1.0].startswith("clean, 2 checks, 20")
    assert said[2.0] == NOT_AUDITED
    assert status([*home, "leaderboard", "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert page.count(said[1.0]) == 2  # in its table and in the CSV's columns

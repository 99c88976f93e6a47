"""Chance with peeking: the figures of the literature, exact values by hand, and what is assumed where no corpus is."""

import json
from pathlib import Path

import numpy as np
import pytest

from mebench import plugins
from mebench.cli import status
from mebench.errors import UsageError
from mebench.peeking import Folds, expected_folds, folds_of, parse_epochs, peek
from mebench.protocol import Protocol, load_protocol, resolve
from tests.corpora import write_casme2, write_samm, write_smic


def protocol(name: str) -> Protocol:
    loaded = load_protocol(name)
    assert isinstance(loaded, Protocol)
    return loaded


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("corpora")
    roots = {name: root / name for name in ("casme2", "samm", "smic")}
    for folder in roots.values():
        folder.mkdir()
    write_casme2(roots["casme2"])
    write_samm(roots["samm"])
    write_smic(roots["smic"])
    return roots


@pytest.fixture(scope="module")
def megc2019(corpora: dict[str, Path]) -> Folds:
    tables = {name: plugins.load("dataset", name).load(root) for name, root in corpora.items()}
    return folds_of(resolve(protocol("megc2019-cde"), tables))


def toy(clips: list[list[int]], parts: list[int] | None = None) -> Folds:
    table = np.array(clips, dtype=np.int64)
    return Folds("toy", ("a", "b", "c")[: table.shape[1]], table, np.array(parts or [0] * len(clips)))


def test_the_table_is_counted_from_the_folds(megc2019: Folds) -> None:
    assert megc2019.clips.shape == (68, 3)
    assert megc2019.clips.sum(axis=0).tolist() == [250, 109, 83]
    assert sorted(megc2019.clips.sum(axis=1))[-1] == 39  # s03 of SMIC
    assert megc2019.assumption == ""


def test_guessing_the_prior_reaches_what_the_field_prints(megc2019: Folds) -> None:
    """Simulated before for this protocol: UF1 .334, .578 and .741, UAR .334, .568 and .726 at 1, 10 and 100 epochs."""
    found = {c.epochs: c for c in peek(megc2019, (1, 10, 100), repetitions=100).chances}
    assert [found[e].uf1 for e in (1, 10, 100)] == pytest.approx([0.334, 0.578, 0.741], abs=0.006)
    assert [found[e].uar for e in (1, 10, 100)] == pytest.approx([0.334, 0.568, 0.726], abs=0.006)


def test_a_guess_alike_for_every_class_is_chance_at_one_epoch(megc2019: Folds) -> None:
    """UAR 1/3 by symmetry; UF1 .314 with SD .023 for this protocol, simulated before."""
    (one,) = peek(megc2019, (1,), "uniform", repetitions=200).chances
    assert one.uar == pytest.approx(1 / 3, abs=0.006)
    assert (one.uf1, one.uf1_sd) == (pytest.approx(0.314, abs=0.006), pytest.approx(0.023, abs=0.004))


def test_the_best_of_two_guesses_of_one_clip_by_hand() -> None:
    """One clip per fold, two classes alike: wrong only if both guesses are, so 3/4 right; 1000 folds of each class.

    Recall is 3/4 in each class and the false alarms balance: F1 is 3/4 as well.
    """
    folds = toy([[1, 0]] * 1000 + [[0, 1]] * 1000)
    found = {c.epochs: c for c in peek(folds, (1, 2, 3), "uniform", repetitions=20).chances}
    assert [found[e].uar for e in (1, 2, 3)] == pytest.approx([1 / 2, 3 / 4, 7 / 8], abs=0.01)
    assert [found[e].uf1 for e in (1, 2, 3)] == pytest.approx([1 / 2, 3 / 4, 7 / 8], abs=0.01)


def test_the_prior_is_that_of_the_protocol() -> None:
    """Nine of ten clips are `a`: recall of a is .9 and of b .1 at one epoch."""
    folds = toy([[9, 1]] * 300)
    (one,) = peek(folds, (1,), "prior", repetitions=20).chances
    assert one.uar == pytest.approx((0.9 + 0.1) / 2, abs=0.01)
    assert one.uf1 == pytest.approx((0.9 + 0.1) / 2, abs=0.01)


def test_directions_are_scored_apart_and_averaged() -> None:
    """Of one class each, with many epochs every clip ends right: recall 1, and the absent class leaves the mean."""
    folds = toy([[1, 0], [0, 1]], [0, 1])
    (many,) = peek(folds, (50,), "uniform", repetitions=5).chances
    assert (many.uf1, many.uar) == (1.0, 1.0)


def test_more_epochs_never_score_less_and_seeds_decide(megc2019: Folds) -> None:
    first, again, other = (peek(megc2019, (5, 1, 20), repetitions=10, seed=s) for s in (0, 0, 1))
    assert [c.epochs for c in first.chances] == [5, 1, 20]
    assert first.chances == again.chances != other.chances
    five, one, twenty = (c.uf1 for c in first.chances)
    assert one < five < twenty


def test_without_corpora_the_protocols_own_counts_serve_and_say_so(corpora: dict[str, Path]) -> None:
    folds = expected_folds(protocol("megc2019-cde"))
    assert folds.clips.sum(axis=0).tolist() == [250, 109, 83]
    assert sorted(folds.clips.sum(axis=1))[-1] == 39
    assert "Which subject holds which class is assumed" in folds.assumption
    assert peek(folds, (100,), repetitions=50).chances[0].uf1 == pytest.approx(0.741, abs=0.012)
    directions = expected_folds(protocol("megc2018-hde"))
    assert directions.clips.tolist() == [[25, 15, 99, 26, 20], [24, 13, 20, 8, 3]]
    assert directions.parts.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("casme2-5c-loso", "does not say which clips are tested together: clips per subject of casme2 are not in it"),
        ("casme2-5c-lovo", "does not say which clips are tested together"),
        ("samm-au-loso", "asks for any number of classes of a clip"),
    ],
)
def test_where_counts_do_not_suffice_the_corpus_is_asked_for(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        expected_folds(protocol(name))


@pytest.mark.parametrize("epochs", [(0,), (), (200_000,)])
def test_impossible_numbers_of_epochs_are_refused(epochs: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="cannot be simulated"):
        peek(toy([[1, 1]]), epochs)


@pytest.mark.parametrize("text", ["", "1,x", "-1", "1.5", "1,,2", "999999999"])
def test_epochs_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no list of numbers"):
        parse_epochs(text)


def test_the_command_reports_with_data_and_without(
    corpora: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    given = [f"--data={name}={root}" for name, root in corpora.items()]
    command = ["peeking", "megc2019-cde", "--epochs", "1,30", "--repetitions", "20"]
    assert status([*command, *given, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["schema"], record["clips"], record["folds"]) == ("mebench.peeking/1", 442, 68)
    assert record["assumption"] is None
    assert record["epochs"]["30"]["uf1"] == pytest.approx(0.667, abs=0.012)  # simulated before: .667
    assert status(command) == 0
    shown = capsys.readouterr().out
    assert "Chance with peeking: megc2019-cde, 442 clips, 68 folds" in shown
    assert "is assumed" in shown
    assert status(["peeking", "casme2-5c-loso", f"--data=casme2={corpora['casme2']}", "--epochs", "100", "--json"]) == 0
    # casme2-5c, prior, best of 100: .531 on the set of 247 clips
    assert json.loads(capsys.readouterr().out)["epochs"]["100"]["uf1"] == pytest.approx(0.531, abs=0.02)
    assert status(["peeking", "loso"]) == 2

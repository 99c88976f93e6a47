"""The record through the command line: annotations alone, no frame anywhere."""

import csv
import io
import json
import shutil

import pytest

from mebench.cli import status
from tests.corpora import write_casme2, write_samm, write_smic

# Clips, subjects, accuracy, UF1, UAR, weighted F1 of the majority class of the training folds, by hand from the counts
TRIVIAL = {
    ("casme2-5c-loso", "all"): (246, 26, 0.4024, 0.1148, 0.2000, 0.2310),
    ("samm-5c-loso", "all"): (136, 27, 0.4191, 0.1181, 0.2000, 0.2476),
    ("megc2019-cde", "all"): (442, 68, 0.5656, 0.2408, 0.3333, 0.4087),
    ("megc2019-cde", "smic"): (164, 16, 0.4268, 0.1994, 0.3333, 0.2554),
    ("megc2019-cde", "casme2"): (145, 24, 0.6069, 0.2518, 0.3333, 0.4584),
    ("megc2019-cde", "samm"): (133, 28, 0.6917, 0.2726, 0.3333, 0.5657),
    ("megc2018-cde", "all"): (253, 47, 0.4704, 0.1280, 0.2000, 0.3009),
}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Workbooks and folder trees with the real distributions."""
    root = tmp_path_factory.mktemp("corpora")
    write_casme2(root / "casme2")
    write_casme2(root / "casme2-2019", generation="coding-20190701")
    write_samm(root / "samm")
    write_smic(root / "smic")
    return root


@pytest.fixture(scope="module")
def finished_home(corpora, tmp_path_factory):
    """A home in which the majority class ran under every protocol of the table."""
    home = tmp_path_factory.mktemp("home")
    for protocol in ("loso", "megc2019-cde", "megc2018-cde", "megc2018-hde", "composite-3c-loso"):
        assert status(["--home", str(home), "run", "constant", "--protocol", protocol, *data(corpora)]) == 0
    return home


def data(corpora, *names: str) -> list[str]:
    return [f"--data={name}={corpora / name}" for name in names or ("casme2", "samm", "smic")]


def printed(capsys, *arguments: object) -> str:
    capsys.readouterr()
    assert status([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


def test_every_trivial_reference_through_run_and_leaderboard(finished_home, capsys):
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "--home", finished_home, "leaderboard", "--format", "csv"))))
    found = {(row["protocol"], row["dataset"]): row for row in rows}
    for key, expected in TRIVIAL.items():
        row = found[key]
        assert (int(row["clips"]), int(row["subjects"])) == expected[:2]
        figures = [float(row[name]) for name in ("accuracy", "uf1", "uar", "weighted_f1")]
        assert figures == pytest.approx(expected[2:], abs=5e-5), key
        assert row["status"] == "complete"


def test_every_trivial_reference_through_score(finished_home, corpora, capsys):
    for protocol in ("casme2-5c-loso", "samm-5c-loso", "megc2019-cde", "megc2018-cde"):
        file = next((finished_home / "runs" / protocol / "constant").glob("*/seed-0/predictions.csv"))
        for more in ([], data(corpora)):
            card = json.loads(printed(capsys, "score", file, "--protocol", protocol, "--json", *more))
            slices = {slice_: figures for (name, slice_), figures in TRIVIAL.items() if name == protocol}
            for name, (_, _, accuracy, uf1, uar, weighted) in slices.items():
                scores = card["scores"][name]
                given = [scores[k] for k in ("accuracy", "uf1", "uar", "weighted_f1")]
                assert given == pytest.approx([accuracy, uf1, uar, weighted], abs=5e-5)
            assert card["clips"] == slices["all"][0]
            assert card["coverage"] == 1


def test_the_2019_generation_has_a_board_of_its_own(finished_home, corpora, capsys, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(finished_home, home)
    printed(
        capsys,
        "--home",
        home,
        "run",
        "constant",
        "--protocol",
        "casme2-5c-loso",
        f"--data=casme2={corpora}/casme2-2019",
    )
    board = json.loads(printed(capsys, "--home", home, "leaderboard", "--protocol", "casme2-5c-loso", "--json"))
    rows = [row for b in board["boards"] for row in b["rows"] if row["dataset"] == "all"]
    assert {(row["annotation"], row["clips"]) for row in rows} == {
        ("casme2=coding-20140508", 246),
        ("casme2=coding-20190701", 249),
    }
    assert len(board["boards"]) == 2


def test_show_resolves_a_protocol_over_annotations_alone(corpora, capsys):
    shown = json.loads(printed(capsys, "show", "casme2-5c-loso", "--json", *data(corpora, "casme2")))
    corpus = shown["datasets"]["casme2"]
    assert (corpus["annotation"], corpus["clips"], corpus["subjects"]) == ("coding-20140508", 246, 26)
    assert corpus["per_class"] == {"happiness": 32, "disgust": 63, "repression": 27, "surprise": 25, "others": 99}
    assert set(corpus["items"][0]) == {"id", "subject", "class", "onset", "apex", "offset"}
    assert len(shown["folds"]) == 26
    assert sum(fold["test"] for fold in shown["folds"]) == 246
    assert all(fold["train"] + fold["test"] == 246 for fold in shown["folds"])


def test_the_same_command_resumes_and_changes_nothing(finished_home, corpora, capsys):
    files = {p: p.read_bytes() for p in finished_home.rglob("*") if p.is_file()}
    printed(capsys, "--home", finished_home, "run", "constant", "--protocol", "loso", *data(corpora))
    assert {p: p.read_bytes() for p in finished_home.rglob("*") if p.is_file()} == files


def test_shards_over_one_home_make_the_same_run(finished_home, corpora, capsys, tmp_path):
    whole = next((finished_home / "runs/casme2-5c-loso/constant").glob("*/seed-0/predictions.csv"))
    command = ["--home", tmp_path, "run", "constant", "--protocol", "casme2-5c-loso", *data(corpora, "casme2")]
    for shard in ("3/3", "1/3", "2/3"):
        assert not list(tmp_path.glob("runs/*/*/*/seed-0/predictions.csv"))
        printed(capsys, *command, "--shard", shard)
    made = next(tmp_path.glob("runs/casme2-5c-loso/constant/*/seed-0/predictions.csv"))
    assert made.parent.parent.name == whole.parent.parent.name
    assert made.read_bytes() == whole.read_bytes()


def test_seeds_lie_below_the_run_and_are_reported_apart(corpora, capsys, tmp_path):
    command = ["--home", tmp_path, "run", "uniform", "--protocol", "samm-5c-loso", *data(corpora, "samm"), "--seeds", 3]
    printed(capsys, *command)
    seeds = sorted(p.name for p in tmp_path.glob("runs/samm-5c-loso/uniform/*/seed-*"))
    assert seeds == ["seed-0", "seed-1", "seed-2"]
    (row,) = csv.DictReader(io.StringIO(printed(capsys, "--home", tmp_path, "leaderboard", "--format", "csv")))
    assert row["seeds"] == "3"
    assert float(row["uf1_sd"]) > 0


def test_best_of_k_is_on_the_row(corpora, capsys, tmp_path):
    base = ["--home", tmp_path, "run", "uniform", "--protocol", "samm-5c-loso", *data(corpora, "samm")]
    printed(capsys, *base)
    printed(capsys, *base, "--set", "prior=true")
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "--home", tmp_path, "leaderboard", "--format", "csv"))))
    assert [row["tried"] for row in rows] == ["2", "2"]
    assert "best of 2" in printed(capsys, "--home", tmp_path, "leaderboard", "--format", "md")


def test_a_failed_fold_is_a_record_and_the_run_is_not_ranked(corpora, capsys, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from mebench.baselines.floor import Constant\n"
        "class Fragile(Constant):\n"
        "    def fit(self, X, y):\n"
        "        if len(y) == 245: raise ValueError('one clip too few')\n"
        "        return super().fit(X, y)\n"
    )
    home = tmp_path / "home"
    command = ["--home", str(home), "run", f"{tmp_path}/mine.py:Fragile", "--protocol", "casme2-5c-loso"]
    assert status([*command, *data(corpora, "casme2")]) in (0, 3)
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text().replace("== 245", "> 0"))
    capsys.readouterr()
    assert status([*command, *data(corpora, "casme2")]) == 3
    out = capsys.readouterr().out
    assert "ValueError: one clip too few" in out
    assert "0 of 26 folds done" in out
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "--home", home, "leaderboard", "--format", "csv"))))
    failed = [row for row in rows if row["status"] == "failed"]
    assert len(failed) == 1
    assert failed[0]["rank"] == failed[0]["uf1"] == ""


def test_a_missing_clip_costs_coverage_and_counts_as_wrong(finished_home, corpora, capsys, tmp_path):
    """One of the 99 'others', which the majority class gets right, is left out: 98 of 246 are right."""
    lines = (
        next((finished_home / "runs/casme2-5c-loso/constant").glob("*/seed-0/predictions.csv")).read_text().splitlines()
    )
    gone = next(line for line in lines if ",others,others," in line)
    file = tmp_path / "short.csv"
    file.write_text("\n".join(line for line in lines if line != gone) + "\n")
    assert status(["score", str(file), "--protocol", "casme2-5c-loso", "--json", *data(corpora, "casme2")]) == 3
    card = json.loads(capsys.readouterr().out)
    assert card["coverage"] == pytest.approx(245 / 246)
    assert card["scores"]["all"]["accuracy"] == pytest.approx(98 / 246)
    assert card["covered"]["all"]["accuracy"] == pytest.approx(98 / 245)


def test_an_estimate_times_two_epochs_of_one_fold_and_keeps_nothing(corpora, capsys, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from mebench.baselines.floor import Constant\n"
        "class Slow(Constant):\n"
        "    def __init__(self, epochs=30, random_state=None):\n"
        "        super().__init__(random_state)\n"
        "        self.epochs = epochs\n"
        "    def fit(self, X, y):\n"
        f"        with open({str(tmp_path / 'epochs')!r}, 'a') as f: f.write(f'{{self.epochs}} {{len(y)}}\\n')\n"
        "        return super().fit(X, y)\n"
    )
    home = tmp_path / "home"
    command = ["--home", home, "run", f"{tmp_path}/mine.py:Slow", "--protocol", "samm-5c-loso", "--estimate"]
    out = printed(capsys, *command, *data(corpora, "samm"))
    assert (tmp_path / "epochs").read_text() == "1 135\n2 135\n"  # 136 clips without those of a one-clip subject
    assert "27 folds" in out
    assert "MiB" in out
    assert not (home / "runs").exists()
    assert not (home / "ledger").exists()


VARIANTS = {
    "casme2-4c-147": (
        {"disgust": "disgust", "happiness": "happiness", "repression": "repression", "surprise": "surprise"},
        (147, 24, 0.4286, 0.1500, 0.2500, 0.2571),
    ),
    "casme2-3c-147": (
        {"disgust": "negative", "repression": "negative", "happiness": "positive", "surprise": "surprise"},
        (147, 24, 0.6122, 0.2532, 0.3333, 0.4650),
    ),
    "casme2-3c-156": (
        dict.fromkeys(("disgust", "repression", "sadness", "fear"), "negative")
        | {"happiness": "positive", "surprise": "surprise"},
        (156, 25, 0.6346, 0.2588, 0.3333, 0.4928),
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_trivial_references_of_variants_that_users_write(corpora, capsys, tmp_path, name):
    """Sole-corpus variants in use, each as a user's own TOML file."""
    labels, expected = VARIANTS[name]
    released = {"disgust": 63, "repression": 27, "happiness": 32, "surprise": 25, "sadness": 7, "fear": 2}
    per_class: dict[str, int] = {}
    for emotion, label in labels.items():
        per_class[label] = per_class.get(label, 0) + released[emotion]
    file = tmp_path / f"{name}.toml"
    file.write_text(
        f'schema = "mebench.protocol/1"\nname = "{name}"\nversion = 1\ntitle = "A variant"\n'
        f'description = "A variant in use."\ntask = "recognition"\nclasses = {sorted(per_class)}\n'
        '[folds]\nrule = "leave-one-subject-out"\n'
        '[scoring]\nmetrics = ["uf1", "uar"]\naggregate = "pooled"\n'
        '[datasets.casme2]\nfield = "emotion"\n[datasets.casme2.labels]\n'
        + "".join(f'{emotion} = "{label}"\n' for emotion, label in labels.items())
        + '[[datasets.casme2.counts]]\nreleases = ["coding-20140508"]\n'
        f"clips = {expected[0]}\nsubjects = {expected[1]}\n"
        f"per_class = {{ {', '.join(f'{c} = {n}' for c, n in per_class.items())} }}\n"
        '[[papers]]\ncitation = "none"\nurl = "none"\n'
    )
    home = tmp_path / "home"
    printed(capsys, "--home", home, "run", "constant", "--protocol", file, *data(corpora, "casme2"))
    (row,) = csv.DictReader(io.StringIO(printed(capsys, "--home", home, "leaderboard", "--format", "csv")))
    assert (int(row["clips"]), int(row["subjects"])) == expected[:2]
    figures = [float(row[key]) for key in ("accuracy", "uf1", "uar", "weighted_f1")]
    assert figures == pytest.approx(expected[2:], abs=5e-5)


def test_foreign_files_score_through_the_command_line(finished_home, corpora, capsys, tmp_path):
    """The majority run written as a table with other names, and as a log of the challenge: the same figures."""
    file = next((finished_home / "runs/megc2019-cde/constant").glob("*/seed-0/predictions.csv"))
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    code = {"negative": "0", "positive": "1", "surprise": "2"}
    table = tmp_path / "table.csv"
    lines = (
        f"{r['clip'].split('/')[0]},{r['clip'].split('/')[1]},{r['clip'].split('/')[2]},{code[r['predicted']]}"
        for r in rows
    )
    table.write_text("db,who,video,answer\n" + "\n".join(lines) + "\n")
    maps = ["--map=dataset=db", "--map=subject=who", "--map=clip=video", "--map=predicted=answer"]
    classes = [f"--class={value}={name}" for name, value in code.items()]
    log = tmp_path / "log.txt"
    blocks: dict[tuple[str, str], list[str]] = {}
    for r in rows:
        dataset, subject, clip = r["clip"].split("/")
        shown = subject.lstrip("0") if dataset == "samm" else subject
        blocks.setdefault((dataset, shown), []).append(f"{clip} {code[r['truth']]} {code[r['predicted']]}")
    log.write_text("".join(f"{d} {s}\r\n" + "".join(f"{x}\r\n" for x in xs) for (d, s), xs in blocks.items()))
    for arguments in ([table, *maps, *classes, *data(corpora)], [log], [log, *data(corpora)]):
        card = json.loads(printed(capsys, "score", *arguments, "--protocol", "megc2019-cde", "--json"))
        assert (card["clips"], card["coverage"]) == (442, 1)
        assert card["scores"]["all"]["uf1"] == pytest.approx(0.2408, abs=5e-5)
        assert card["scores"]["smic"]["uf1"] == pytest.approx(0.1994, abs=5e-5)

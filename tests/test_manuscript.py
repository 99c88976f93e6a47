"""`mebench paper`: what it writes compiles, says what it must, and lets no stranger's text act."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from mebench.cli import status
from mebench.errors import ModelError, RunError, UsageError
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.manifest import sealed
from mebench.manuscript.bibliography import Bibliography, balanced
from mebench.manuscript.escaping import bib_text, figure_text, identifier, latex_code, latex_name, latex_text
from mebench.manuscript.finished import finished_groups
from mebench.manuscript.folder import write_manuscript
from mebench.manuscript.tables import Notes, scores_table
from mebench.replication import add_record, record_text, sign_statement
from mebench.runs import find_run, stored_runs
from mebench.scoring import score_units
from mebench.signing import Identity
from tests.corpora import write_casme2, write_samm, write_smic

HOSTILE = "Odd_& 100 % <b>$x^2$ {N}--\\input{/etc/passwd} Pietikäinen 中 #~"
MODEL = f'''
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Odd(ClassifierMixin, BaseEstimator):
    """Says what a generator says."""

    title = {HOSTILE!r}
    version = 1
    fidelity = "C"
    selection = "inner"
    source = "G. Zhao & M. Pietik\\u00e4inen, 100 % of {{it}}, TPAMI 29(6), 2007, doi:10.1109/TPAMI.2007.1110."

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.random.default_rng(self.random_state).choice(self.classes_, len(X))
'''
UNITS, DIRECTIONS, COMPOSITE, SOLE = "casme2-au-loso", "megc2018-hde", "megc2019-cde", "casme2-5c-loso"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A home with every kind of protocol: one corpus, several, directions, action units."""
    root = tmp_path_factory.mktemp("lab")
    for name, write in (("casme2", write_casme2), ("samm", write_samm), ("smic", write_smic)):
        write(root / name)
    (root / "odd.py").write_text(MODEL)
    asked = (
        ("constant", SOLE, ()),
        ("uniform", SOLE, ("--seeds", "3")),
        ("uniform", SOLE, ("--set", "prior=true")),
        (f"{root / 'odd.py'}:Odd", SOLE, ()),
        ("constant", COMPOSITE, ()),
        ("constant", DIRECTIONS, ()),
        ("constant", UNITS, ()),
    )
    data = [f"--data={name}={root / name}" for name in ("casme2", "samm", "smic")]
    for model, protocol, more in asked:
        assert status(["--home", str(root / "home"), "run", model, "--protocol", protocol, *data, *more]) == 0
    return root


@pytest.fixture(scope="module")
def paper(lab, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper") / "out"
    write_manuscript(lab / "home", ids(lab / "home"), folder)
    return folder


@pytest.fixture
def home(lab, tmp_path) -> Path:
    """A copy of the home to spoil."""
    return Path(shutil.copytree(lab / "home", tmp_path / "home"))


def ids(home: Path, protocol: str | None = None, model: str | None = None) -> list[str]:
    found = stored_runs(home)
    return [
        run.id for run in found
        if protocol in (None, run.spec["protocol"]) and model in (None, run.spec["model"])
    ]  # fmt: skip


def texts(folder: Path, pattern: str = "**/*.tex") -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.glob(pattern)}


def table_of(folder: Path, name: str) -> str:
    """A table, without the places where a line of it may break."""
    (table,) = texts(folder, f"tables/{name}-*.tex").values()
    return table.replace(r"\allowbreak{}", "")


def edit_manifests(home: Path, run: str, **changes: object) -> None:
    for path in home.glob(f"runs/*/*/{run}/seed-*/manifest.json"):
        path.write_text(json.dumps(sealed({**json.loads(path.read_text()), **changes})))


def cells(table: str, row: str) -> list[str]:
    """The cells of the first line of a table that begins with these letters."""
    line = next(line for line in table.splitlines() if line.startswith(row))
    return [cell.strip() for cell in line.removesuffix(r" \\").split(" & ")]


class TestFolder:
    def test_main_takes_in_only_what_was_written(self, paper):
        told = "\n".join(texts(paper).values())
        for name in re.findall(r"\\input\{([^}]+)\}", told):
            assert (paper / f"{name}.tex").is_file() or name == "/etc/passwd", name
        for name in re.findall(r"\\includegraphics(?:\[[^]]*\])?\{([^}]+)\}", told):
            assert (paper / f"{name}.pdf").is_file(), name
        labels = re.findall(r"\\label\{([^}]+)\}", told)
        assert len(labels) == len(set(labels))
        assert set(re.findall(r"\\ref\{([^}]+)\}", told)) <= set(labels)
        assert set(",".join(re.findall(r"\\cite\{([^}]+)\}", told)).split(",")) == set(
            re.findall(r"@\w+\{([^,]+),", (paper / "references.bib").read_text())
        )

    def test_the_same_runs_give_the_same_bytes(self, lab, tmp_path):
        one = ids(lab / "home", SOLE, "constant")
        first = write_manuscript(lab / "home", one, tmp_path / "first")
        again = write_manuscript(lab / "home", one, tmp_path / "again")
        assert len(again) == len(first) == 11
        for before, after in zip(first, again, strict=True):
            assert before.read_bytes() == after.read_bytes(), after.name

    def test_the_authors_main_is_left_alone_and_the_rest_made_anew(self, lab, tmp_path):
        one = ids(lab / "home", SOLE, "constant")
        write_manuscript(lab / "home", one, tmp_path)
        (tmp_path / "main.tex").write_text("mine")
        (tmp_path / "references.bib").write_text("spoilt")
        written = write_manuscript(lab / "home", one, tmp_path)
        assert (tmp_path / "main.tex").read_text() == "mine"
        assert tmp_path / "main.tex" not in written
        assert "spoilt" not in (tmp_path / "references.bib").read_text()

    def test_a_folder_of_something_else_is_refused(self, lab, tmp_path, capsys):
        (tmp_path / "thesis.tex").write_text("years of work")
        command = ["--home", str(lab / "home"), "paper", ids(lab / "home")[0], "-o", str(tmp_path)]
        assert status(command) == 2
        assert "holds something else" in capsys.readouterr().err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.tex"]

    def test_the_command_lists_its_files(self, lab, tmp_path, capsys):
        command = ["--home", str(lab / "home"), "paper", ids(lab / "home")[0], "-o", str(tmp_path / "new"), "--json"]
        assert status(command) == 0
        listed = json.loads(capsys.readouterr().out)
        assert listed["schema"] == "mebench.paper/1"
        assert sorted(map(Path, listed["files"])) == sorted(p for p in (tmp_path / "new").rglob("*") if p.is_file())

    def test_no_clip_is_named_beside_its_class_and_no_picture_is_a_raster(self, paper):
        assert {path.suffix for path in paper.rglob("*") if path.is_file()} == {".tex", ".bib", ".md", ".pdf"}
        assert not any(b"/Subtype /Image" in path.read_bytes() for path in paper.glob("figures/forest*.pdf"))


class TestWhichRuns:
    def test_unfinished_peeked_and_repeated_runs_are_refused(self, home):
        (one,) = ids(home, SOLE, "constant")
        with pytest.raises(UsageError, match="is given twice"):
            finished_groups(home, [one, one])
        run = find_run(home, one)
        edit_manifests(home, one, spec={**run.spec, "selection": "peeked"})
        with pytest.raises(RunError, match="what it reached is no score"):
            finished_groups(home, [one])
        next((run.seeds[0].path / "folds").glob("*.csv")).unlink()
        with pytest.raises(RunError, match="is incomplete"):
            finished_groups(home, [one])

    def test_a_reading_of_an_abstract_must_say_like(self, home):
        (one,) = ids(home, SOLE, "constant")
        spec = find_run(home, one).spec
        edit_manifests(home, one, spec={**spec, "facts": {**spec["facts"], "fidelity": "D", "title": "MicroNet"}})
        with pytest.raises(ModelError, match="-like"):
            finished_groups(home, [one])
        edit_manifests(home, one, spec={**spec, "facts": {**spec["facts"], "fidelity": "D", "title": "MicroNet-like"}})
        (group,) = finished_groups(home, [one])
        assert group.members[0].title == "MicroNet-like"

    def test_a_group_per_board_and_names_that_tell_runs_apart(self, lab):
        groups = {group.protocol: group for group in finished_groups(lab / "home", ids(lab / "home"))}
        assert set(groups) == {SOLE, COMPOSITE, DIRECTIONS, UNITS}
        assert sorted(groups[SOLE].names.values()) == [
            "Majority class", HOSTILE, "Random guess (prior=False)", "Random guess (prior=True)"
        ]  # fmt: skip

    def test_a_protocol_that_changed_since_is_not_described(self, home):
        (one,) = ids(home, SOLE, "constant")
        edit_manifests(home, one, spec={**find_run(home, one).spec, "protocol_digest": "0" * 64})
        with pytest.raises(RunError, match="no longer holds"):
            finished_groups(home, [one])[0].asked  # noqa: B018


class TestTables:
    def test_scores_are_those_of_the_majority_class_by_hand(self, lab):
        """99 of 246 clips are others: accuracy .402, UF1 2 p / (1 + p) / 5 = .115 with p = .402, UAR 1/5."""
        (group,) = finished_groups(lab / "home", ids(lab / "home", SOLE, "constant"))
        row = cells(scores_table(group), "Majority class")
        assert row[1:4] == ["none", "fixed", ".115"]
        assert (row[5], row[7], row[8]) == (".200", ".402", ".231")
        assert re.fullmatch(r"\{\[\}\.\d{3}, \.\d{3}\{\]\}", row[4])

    def test_recall_and_f1_of_every_class_by_hand(self, paper):
        """F1 of others: 2 * 99 / (99 + 246) = .574; of the rest 0."""
        table = table_of(paper, f"classes-{SOLE}")
        names = re.findall(r"\\centering ([^}]*(?:\{[^}]*\}[^}]*)*)\}\}", table)
        at = names.index("Majority class")
        for name, clips, recall, f1 in (
            ("happiness", "32", ".000", ".000"), ("others", "99", "1.000", ".574"), ("Mean", "246", ".200", ".115")
        ):  # fmt: skip
            row = cells(table, name)
            assert (row[1], row[2 + 2 * at], row[3 + 2 * at]) == (clips, recall, f1)

    def test_slices_of_a_composite_have_their_own_rows(self, paper):
        table = table_of(paper, f"scores-{COMPOSITE}")
        assert re.findall(r"\\emph\{(\w+)\} \((.*?)\)", table) == [
            ("all", "442 clips, 68 subjects"),
            ("casme2", "145 clips, 24 subjects"),
            ("samm", "133 clips, 28 subjects"),
            ("smic", "164 clips, 16 subjects"),
        ]
        assert [row.split(" & ")[3] for row in table.splitlines() if row.startswith("Majority")] == [
            ".241", ".252", ".273", ".199"
        ]  # fmt: skip

    def test_what_qualifies_a_row_stands_below_it(self, paper):
        table = table_of(paper, f"scores-{SOLE}")
        letter = re.search(r"\\textsuperscript\{(\w)\}~best of 2 configurations tried\.", table)[1]
        assert re.search(rf"Random guess \(prior=True\)\\textsuperscript\{{[\w,]*{letter}", table)
        assert not re.search(rf"Majority class\\textsuperscript\{{[\w,]*{letter}", table)
        assert r"$\pm$ is the standard deviation over seeds." in table

    def test_a_remark_has_one_letter_however_often_it_is_made(self):
        notes = Notes()
        assert [notes.mark(r) for r in (["x"], ["y", "x"], [])] == [
            r"\textsuperscript{a}", r"\textsuperscript{b,a}", ""
        ]  # fmt: skip
        assert notes.lines() == [r"\textsuperscript{a}~x.", r"\textsuperscript{b}~y."]
        assert len({notes.mark([str(i)]) for i in range(60)}) == 60

    def test_every_row_has_as_many_cells_as_there_are_columns(self, paper):
        for name, table in texts(paper, "tables/*.tex").items():
            columns = re.search(r"\\begin\{tabularx\}\{\\textwidth\}\{(.*)\}", table)[1]
            width = len(re.sub(r"@\{\}|>\{[^{}]*\}|(?<=p)\{[^{}]*\}", "", columns))
            rows = [line for line in table.splitlines() if line.endswith(r" \\") and "multicolumn" not in line]
            assert len(rows) > 1
            assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {width}, name

    def test_replications_are_on_the_row_and_in_the_checklist(self, home, tmp_path):
        (one,) = ids(home, SOLE, "constant")
        run = find_run(home, one)
        (tmp_path / "record.json").write_text(record_text(replicated(run)))
        add_record(home, tmp_path / "record.json")
        write_manuscript(home, [one], tmp_path / "out")
        told = texts(tmp_path / "out")
        (table,) = (text for name, text in told.items() if name.startswith("tables/scores"))
        assert "replicated by 1." in table
        assert r"by Lab of \#1" in told["sections/checklist.tex"]


def replicated(run):
    """A record of a lab that found every prediction of every fold again."""
    from mebench.agreement import agreement, draw_folds
    from mebench.bundle import said_digest

    (seed,) = run.seeds
    held = seed.predictions()
    drawn = draw_folds(seed.folds, (0,), 99, "1")
    found = agreement(held, held.rows, drawn, seed.expected, seed.folds, several=False)
    statement = {
        "run": run.id, "bundle": "0" * 64, "protocol": SOLE, "protocol_digest": run.spec["protocol_digest"],
        "predictions": {"0": said_digest(held)}, "choice": {"folds": 99, "seed": 1}, "folds": drawn,
        "rows": [[r.clip, r.fold, r.seed, r.predicted] for r in held.rows], "agreement": found.record(),
        "date": "2025-03-31", "same_inputs": True, "same_source": True,
    }  # fmt: skip
    return sign_statement(json.loads(json.dumps(statement)), Identity("Lab of #1", bytes(32)))


class TestSynthetic:
    def test_the_warning_is_in_every_table_and_figure_and_on_the_first_page(self, home, tmp_path):
        for one in ids(home, SOLE):
            edit_manifests(home, one, synthetic=True)
        write_manuscript(home, ids(home, SOLE), tmp_path / "out")
        told = texts(tmp_path / "out")
        captions = [c for text in told.values() for c in re.findall(r"\\caption\{(.*)\}\n", text)]
        assert len(captions) == 5
        assert all(SYNTHETIC_WARNING in caption for caption in captions)
        assert SYNTHETIC_WARNING in told["main.tex"]
        checklist = told["sections/checklist.tex"]
        assert checklist.count(r"Corpus: \textbf{synthetic}, in the layout of CASME II") == len(ids(home, SOLE))
        assert "Synthetic, in the layout of CASME II" in told["sections/methods.tex"]
        assert "given out by their owners" not in checklist
        assert "Synthetic corpora were drawn by mebench synth" in checklist
        assert SYNTHETIC_WARNING in told["sections/methods.tex"]
        assert SYNTHETIC_WARNING in (tmp_path / "out/README.md").read_text()

    def test_the_figures_bear_it_themselves(self, home, monkeypatch):
        from mebench.manuscript import figures

        drawn = []
        monkeypatch.setattr(figures.Figure, "suptitle", lambda self, text, **_: drawn.append(" ".join(text.split())))
        for synthetic in (True, False):
            edit_manifests(home, ids(home, SOLE, "constant")[0], synthetic=synthetic)
            (group,) = finished_groups(home, ids(home, SOLE, "constant"))
            figures.forest_plot(group)
            figures.class_plot(group)
            figures.confusion_plot(group, group.members[0])
            assert drawn == [SYNTHETIC_WARNING] * 3

    def test_recorded_corpora_bear_none(self, paper):
        assert not any("SYNTHETIC" in text for text in texts(paper).values())


class TestFigures:
    def test_are_pdf_with_outlines_and_leave_the_settings_alone(self, paper):
        for path in paper.glob("figures/*.pdf"):
            data = path.read_bytes()
            assert data.startswith(b"%PDF")
            assert b"/Type3" not in data
            assert b"/CreationDate" not in data
        assert mpl.rcParams["pdf.fonttype"] == mpl.rcParamsDefault["pdf.fonttype"]

    def test_action_units_have_no_confusion(self, paper, lab):
        (run,) = ids(lab / "home", UNITS)
        assert not (paper / f"figures/confusion-constant-{run[:8]}.pdf").exists()
        assert list(paper.glob(f"figures/classes-{UNITS}-*.pdf"))

    def test_the_dotted_line_is_what_the_majority_class_reaches(self, lab):
        """By hand: smic 70 of 164 negative, so 2 p / (1 + p) / 3 = .199."""
        from mebench.manuscript.figures import _one_answer_uf1

        (group,) = finished_groups(lab / "home", ids(lab / "home", COMPOSITE))
        assert _one_answer_uf1(group, "smic") == pytest.approx(2 * (70 / 164) / (1 + 70 / 164) / 3)
        assert _one_answer_uf1(group, "smic") == pytest.approx(group.members[0].scores["smic"].uf1)

    def test_of_action_units_it_is_what_naming_all_of_them_reaches(self, lab):
        from mebench.manuscript.figures import _one_answer_uf1

        (group,) = finished_groups(lab / "home", ids(lab / "home", UNITS))
        entry = group.first.entry
        every = score_units(
            list(entry.expected.values()), ["+".join(entry.classes)] * len(entry.expected), entry.classes
        )
        assert _one_answer_uf1(group, "all") == pytest.approx(every.uf1)

    def test_every_remark_on_an_interval_stands_once_below_the_table(self, home):
        (group,) = finished_groups(home, ids(home, SOLE))
        told = scores_table(group).casefold()
        remarks = {r for one in group.members for row in one.rows for r in row.interval_remarks.split("; ") if r}
        assert remarks
        assert all(told.count(latex_text(remark).casefold()) == 1 for remark in remarks)

    def test_a_clip_without_prediction_has_a_column(self, home):
        from mebench.manuscript import figures

        (one,) = ids(home, SOLE, "constant")
        seed = find_run(home, one).seeds[0]
        fold = next(iter(seed.folds))
        seed.save_fold(fold, [row for row in seed.predictions().rows if row.fold == fold][1:])
        (group,) = finished_groups(home, [one])
        counts = group.members[0].scores["all"].confusion
        assert counts[:, -1].sum() == 1
        assert figures.confusion_plot(group, group.members[0]).startswith(b"%PDF")
        assert r"of the clips are predicted; the others count as missed." in scores_table(group)
        assert np.isclose(group.members[0].scores["all"].coverage, 245 / 246)


class TestProse:
    def test_says_who_is_in_and_who_is_out_and_why(self, paper):
        told = texts(paper)["sections/methods.tex"]
        assert "246 clips of 26 subjects, by emotion (32 happiness, 63 disgust, 27 repression, 25 surprise" in told
        assert "sadness (too few clips to be a class: 7 in the coding of 2014, 4 in that of 2019)" in told
        assert (
            r"\texttt{casme2/\allowbreak{}sub05/\allowbreak{}EP09\_\allowbreak{}05f}: not in the organisers' list"
            in told
        )

    def test_says_how_it_was_selected_scored_and_bounded(self, paper):
        told = " ".join(texts(paper)["sections/methods.tex"].split())
        assert "Each subject is tested once, by a model trained on all other subjects (26 folds)." in told
        assert "Each corpus is tested once, by a model trained on the others (2 folds)." in told
        assert "parameters were selected inside each training fold" in told
        assert "2 configurations of it were scored under this protocol" in told
        assert "Its input uses no annotation of the clip that is classified" in told
        assert "95 % intervals over subjects held the truth in 93 to 96".replace("%", r"\%") in told
        assert r"Table" not in told

    def test_the_checklist_has_what_repeating_takes(self, paper, lab):
        told = texts(paper)["sections/checklist.tex"].replace(r"\allowbreak{}", "")
        for one in ids(lab / "home"):
            run = find_run(lab / "home", one)
            assert rf"\texttt{{{one}}}" in told
            assert run.spec["protocol_digest"] in told
            assert all(digest in told for digest in run.spec["fingerprints"].values())
        assert "Seeds: 0, 1, 2" in told
        assert "this one included: 2" in told
        assert rf"numpy=={np.__version__}" in told
        assert "Replications by other labs: none" in told

    def test_no_folder_of_this_machine(self, lab, paper):
        assert not any(str(lab) in text for text in texts(paper, "**/*.*[xdb]").values())


class TestEscaping:
    def test_nothing_a_stranger_writes_acts(self):
        shown = latex_text(HOSTILE)
        assert shown == (
            r"Odd\_\& 100 \% \textless{}b\textgreater{}\$x\textasciicircum{}2\$ \{N\}-{}-\textbackslash{}input"
            r"\{/etc/passwd\} Pietikäinen {[}U+4E2D{]} \#\textasciitilde{}"
        )

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("a--b", "a-{}-b"),
            ("---", "-{}-{}-"),
            ("?`", "?{}`"),
            ('say "x"', "say ''x''"),
            ("±–≤α", r"$\pm$--$\leq$$\alpha$"),
            ("Łódź Ąę", "Łódź Ae"),
            ("\u202ex\x00", r"\textbackslash{}u202ex\textbackslash{}x00"),
            ("a\nb", "a b"),
            ("☃", "{[}U+2603{]}"),
        ],
    )
    def test_characters(self, text, shown):
        assert latex_text(text) == shown

    def test_code_and_names_break_after_punctuation_and_within_digests(self):
        assert latex_code("numpy==2.4") == r"\texttt{numpy==\allowbreak{}2.\allowbreak{}4}"
        assert latex_code("a > b") == r"\texttt{a >{}\allowbreak{} b}"
        assert latex_code("a/b=c") == r"\texttt{a/\allowbreak{}b=\allowbreak{}c}"
        assert latex_code("0123456789abcdef") == r"\texttt{01234567\allowbreak{}89abcdef}"
        assert latex_name("a_b") == r"a\_\allowbreak{}b"
        assert latex_code("--set") == r"\texttt{-{}-set}"

    def test_bibtex_counts_braces(self):
        assert bib_text("}{") == r"\textbraceright{}\textbraceleft{}"
        assert balanced(bib_text("}}}{{")) is True
        assert (balanced("{a}"), balanced("}{"), balanced("{{}")) == (True, False, False)

    def test_figures_and_file_names(self):
        assert figure_text("$x$ 中") == r"\$x\$ [U+4E2D]"
        assert identifier("Pietikäinen & Co./x") == "pietikainen-co-x"
        assert identifier("中") == "x"


class TestBibliography:
    def test_every_entry_is_whole_and_has_its_own_key(self, paper):
        text = (paper / "references.bib").read_text()
        entries = re.split(r"\n\n(?=@)", text.strip())
        keys = [re.match(r"@\w+\{([\w:.+/-]+),\n", entry)[1] for entry in entries]
        assert len(keys) == len(set(keys))
        assert all(balanced(entry) and entry.endswith("}") for entry in entries)
        assert {"yan2014casme2", "davison2018samm", "li2013smic", "mebench", "efron1993bootstrap"} <= set(keys)
        dois = re.findall(r"doi = \{(.*?)\}", text)
        assert len(dois) == len(set(dois))

    def test_a_method_is_cited_word_for_word(self, paper):
        text = (paper / "references.bib").read_text()
        assert r"100 \% of \textbraceleft{}it\textbraceright{}" in text
        assert "doi = {10.1109/TPAMI.2007.1110}" in text

    def test_what_cites_nothing_is_no_entry(self):
        held = Bibliography()
        assert held.cited("Chance level; it uses no image.", "uniform") is None
        assert held.cited("", "x") is None
        assert held.cited("A. Author, X, arXiv:2211.11425, 2022", "m") == "author2022-m"
        assert "eprint = {2211.11425}" in held.entries["author2022-m"]

    def test_two_papers_of_one_key_get_two(self):
        held = Bibliography()
        first = held.cited("Wu, One, 2020, doi:10.1000/1", "m")
        assert held.cited("Wu, One, 2020, doi:10.1000/1", "m") == first == "wu2020-m"
        assert held.cited("Wu, Two, 2020, doi:10.1000/2", "m") == "wu2020-m-2"

    def test_an_address_cannot_leave_its_field(self):
        held = Bibliography()
        key = held.cited("A", "m", "https://x.org/a}b{%\\c d")
        assert r"\url{https://x.org/abcd}" in held.entries[key]


@pytest.mark.skipif(not (shutil.which("pdflatex") and shutil.which("bibtex")), reason="needs a LaTeX installation")
def test_the_manuscript_compiles(paper, tmp_path):
    folder = shutil.copytree(paper, tmp_path / "paper")
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "main"]
    for command in (latex, ["bibtex", "main"], latex, latex):
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
    log = (folder / "main.log").read_text("latin-1")
    assert "undefined" not in log
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert all(points < 5 for points in wide), wide
    assert (folder / "main.pdf").read_bytes().startswith(b"%PDF")

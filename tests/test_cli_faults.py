"""Command x fault: exit status, two lines on standard error, no traceback, nothing on standard output."""

import ctypes
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl
import pytest

from mebench.cli import status
from tests.corpora import write_casme2, write_samm

Corpus = Path
WORKBOOK = "CASME2-coding-20140508.xlsx"


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    write_casme2(tmp_path / "casme2")
    return tmp_path / "casme2"


def wrong_folder(corpus: Corpus) -> Path:
    (corpus.parent / "empty").mkdir()
    return corpus.parent / "empty"


def missing_folder(corpus: Corpus) -> Path:
    return corpus.parent / "nowhere"


def wrong_workbook(corpus: Corpus) -> Path:
    write_samm(corpus.parent / "samm")
    return corpus.parent / "samm"


def truncated_zip(corpus: Corpus) -> Path:
    path = corpus / WORKBOOK
    path.write_bytes(path.read_bytes()[:-2000])
    return corpus


def not_a_zip(corpus: Corpus) -> Path:
    (corpus / WORKBOOK).write_text("this is no workbook")
    return corpus


def missing_column(corpus: Corpus) -> Path:
    book = openpyxl.load_workbook(corpus / WORKBOOK)
    sheet = book.worksheets[0]
    column = next(cell.column for cell in sheet[1] if cell.value == "OnsetFrame")
    sheet.delete_cols(column)
    book.save(corpus / WORKBOOK)
    return corpus


def unknown_emotion(corpus: Corpus) -> Path:
    book = openpyxl.load_workbook(corpus / WORKBOOK)
    sheet = book.worksheets[0]
    column = next(cell.column for cell in sheet[1] if cell.value == "Estimated Emotion")
    sheet.cell(5, column).value = "bliss"
    book.save(corpus / WORKBOOK)
    return corpus


def two_workbooks(corpus: Corpus) -> Path:
    write_casme2(corpus, generation="coding-20190701")
    return corpus


def unreadable_workbook(corpus: Corpus) -> Path:
    """A folder in the place of the workbook cannot be read by anybody, root included."""
    (corpus / WORKBOOK).unlink()
    (corpus / WORKBOOK).mkdir()
    return corpus


def cut_entry(corpus: Corpus) -> Path:
    """A zip whose directory is whole and whose sheet is cut short."""
    source = zipfile.ZipFile(io.BytesIO((corpus / WORKBOOK).read_bytes()))
    with zipfile.ZipFile(corpus / WORKBOOK, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[: len(content) // 2] if name.endswith("sheet1.xml") else content)
    return corpus


FAULTS = [
    wrong_folder,
    missing_folder,
    wrong_workbook,
    truncated_zip,
    not_a_zip,
    cut_entry,
    missing_column,
    unknown_emotion,
    two_workbooks,
    unreadable_workbook,
]
COMMANDS = {
    "check": lambda folder, home: ["check", "casme2", "--data", folder],
    "prepare": lambda folder, home: ["--home", home, "prepare", "casme2", "--data", folder],
    "show": lambda folder, home: ["show", "casme2-5c-loso", "--data", f"casme2={folder}"],
    "run": lambda folder, home: ["--home", home, "run", "constant", "--protocol", "loso", "--data", f"casme2={folder}"],
}


def complaint(capsys, arguments: list[object]) -> tuple[int, list[str], str]:
    """Exit status, lines on standard error, standard output."""
    capsys.readouterr()
    code = status([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.err.splitlines(), captured.out


def assert_two_lines(lines: list[str]) -> None:
    assert len(lines) == 2, lines
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("  fix: ")
    assert "Traceback" not in lines[0]
    assert "Internal error" not in lines[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_fault_of_the_corpus_is_two_lines(capsys, corpus, tmp_path, command, fault: Callable[[Corpus], Path]):
    code, lines, out = complaint(capsys, COMMANDS[command](fault(corpus), tmp_path / "home"))
    assert code == 1
    assert_two_lines(lines)
    assert out == ""


@contextmanager
def without_privilege() -> Iterator[None]:
    """Root reads every file: for the block it may read only its own, by their modes; anyone else goes on as before.

    The thread gives up the capabilities to read past modes (capabilities(7)) and takes them back. To be another user
    would not do: an installation below a folder that is closed to others could not be read either.
    """
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the third version of the interface, this thread
    kept, held = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, kept) == 0
    held[:] = kept[:]
    held[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of those in effect
    assert libc.capset(header, held) == 0
    try:
        yield
    finally:
        assert libc.capset(header, kept) == 0


def test_a_locked_workbook_is_two_lines(capsys, corpus):
    (corpus / WORKBOOK).chmod(0)
    with without_privilege():
        code, lines, out = complaint(capsys, COMMANDS["show"](corpus, corpus))
    assert code == 1
    assert_two_lines(lines)
    assert WORKBOOK in lines[0]
    assert out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "constant", "--protocol", "loso"],
        ["leaderboard"],
        ["list", "runs"],
        ["show", "0123abcd"],
    ],
    ids=lambda a: a[0],
)
def test_an_unusable_home_is_two_lines_or_an_empty_answer(capsys, tmp_path, arguments):
    home = tmp_path / "home"
    home.write_text("a file where the home should be")
    code, lines, _ = complaint(capsys, ["--home", home, *arguments])
    assert code in (0, 1, 2)
    if code:
        assert_two_lines(lines)


def test_a_home_that_cannot_be_written_is_two_lines(capsys, corpus, tmp_path):
    home = tmp_path / "home"
    home.write_text("a file where the home should be")
    code, lines, _ = complaint(capsys, COMMANDS["run"](corpus, home))
    assert code == 1
    assert_two_lines(lines)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "constnat", "--protocol", "casme2-5c-loso", "--data", "casme2={corpus}"], "constant"),
        (["run", "constant", "--protocol", "casme2-5c-lo", "--data", "casme2={corpus}"], "casme2-5c-loso"),
        (["run", "constant", "--protocol", "loso", "--data", "casme3={corpus}"], "casme2"),
        (["run", "constant", "--protocol", "loso", "--data", "{corpus}"], "KEY=VALUE"),
        (["run", "constant", "--protocol", "loso", "--shard", "3/2"], "1/4"),
        (["run", "constant", "--protocol", "casme2-5c-loso", "--data", "casme2={corpus}", "--set", "C=1"], "Known"),
        (["run", "{corpus}/none.py:Model", "--protocol", "loso"], "file.py:Class"),
        (["run", "constant", "--protocol", "{corpus}/none.toml"], ".toml"),
        (["run", "constant"], "--help"),
        (["check", "casme2"], "--help"),
        (["check", "casme9", "--data", "{corpus}"], "casme2"),
        (["check", "casme2", "--data", "{corpus}", "--annotation", "coding-2014"], "coding-20140508"),
        (["score", "{corpus}/x.csv", "--protocol", "loso"], "casme2-5c-loso"),
        (["show", "casme2-5c-los"], "casme2-5c-loso"),
        (["fly"], "--help"),
        (["leaderboard", "--format", "pdf"], "--help"),
        (["synth", "casme2", "{corpus}/out", "--subjects", "0"], "--help"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else None,
)
def test_a_wrong_command_line_is_exit_status_2_and_an_offer(capsys, corpus, tmp_path, arguments, expected):
    typed = [a.format(corpus=corpus) for a in arguments]
    code, lines, out = complaint(capsys, ["--home", tmp_path / "home", *typed])
    assert code == 2
    assert_two_lines(lines)
    assert expected in lines[1]
    assert out == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe",
        b"clip,fold\n",
        b"clip,fold,seed,truth,predicted\nx,y\n",
        b"PK\x03\x04",
        b'"',
        b"a\tb\n1\t2\n",
    ],
    ids=["empty", "binary", "columns", "short row", "zip", "quote", "other table"],
)
def test_a_wrong_predictions_file_is_two_lines(capsys, tmp_path, content):
    file = tmp_path / "theirs.csv"
    file.write_bytes(content)
    code, lines, out = complaint(capsys, ["score", file, "--protocol", "samm-5c-loso"])
    assert code == 1
    assert_two_lines(lines)
    assert out == ""


@pytest.mark.parametrize("content", ["", "schema = 1", "schema = 'mebench.protocol/1'", "[", "\x00"])
def test_a_wrong_protocol_file_is_two_lines(capsys, corpus, tmp_path, content):
    file = tmp_path / "mine.toml"
    file.write_text(content)
    code, lines, _ = complaint(capsys, ["show", file, "--data", f"casme2={corpus}"])
    assert code == 1
    assert_two_lines(lines)


def test_a_protocol_without_its_corpora_says_which(capsys, tmp_path):
    code, lines, _ = complaint(capsys, ["--home", tmp_path, "run", "constant", "--protocol", "megc2019-cde"])
    assert code == 1
    assert_two_lines(lines)
    assert "smic and casme2 and samm" in lines[0]


def test_a_surprise_inside_is_two_lines_too(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("mebench.catalogue.listing", lambda *_: 1 / 0)
    code, lines, _ = complaint(capsys, ["list", "models"])
    assert code == 1
    assert len(lines) == 2
    assert "ZeroDivisionError" in lines[0]
    assert "bug" in lines[1]


def test_fresh_does_not_go_with_a_shard(capsys, corpus, tmp_path):
    command = [*COMMANDS["run"](corpus, tmp_path / "home"), "--fresh", "--shard", "1/2"]
    code, lines, _ = complaint(capsys, command)
    assert code == 2
    assert_two_lines(lines)
    assert not (tmp_path / "home").exists()


def test_a_home_that_is_typed_comes_before_the_one_in_the_environment(tmp_path, monkeypatch, capsys):
    """Before the verb or after it; the later of the two is the nearer. `doctor --json` says which home it looked at."""
    typed, nearer, around = (str(tmp_path / name) for name in ("typed", "nearer", "around"))
    monkeypatch.setenv("MEBENCH_HOME", around)
    asked = (
        (["doctor", "--json"], around),
        (["--home", typed, "doctor", "--json"], typed),
        (["doctor", "--home", typed, "--json"], typed),
        (["--home", typed, "doctor", "--home", nearer, "--json"], nearer),
    )
    for arguments, home in asked:
        assert status(arguments) == 0
        assert json.loads(capsys.readouterr().out)["home"].split(" (")[0] == home

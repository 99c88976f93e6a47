"""Whatever is wrong with a workbook or a folder ends in one error of two lines that names it."""

import io
import os
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from mebench.datasets import casme2, samm, smic, workbook
from mebench.errors import AnnotationError, DataError, MebenchError
from mebench.synth.workbooks import Row, casme2_workbook
from tests.corpora import casme2_rows, write_casme2, write_samm, write_smic_e

HEADER = [
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
]
ROW = Row("01", "EP01_01", 5, 7, 9, "4", "fear")


def two_lines(error: MebenchError, *named: object) -> None:
    """The error is one line what and one line what to do, and names what it should."""
    lines = str(error).split("\n")
    assert len(lines) == 2
    assert all(lines)
    for name in named:
        assert str(name) in lines[0]


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Writes the archive again with its parts changed."""
    result = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    path.write_bytes(result.getvalue())


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("Subject,Filename\n01,EP01_01\n")


def old_xls(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))


def without_parts(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")


def broken_xml(path: Path) -> None:
    rewritten(path, lambda name, content: content[: len(content) // 2] if "sheet1" in name else content)


def flipped_bits(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for i in range(400, len(content) - 400, 97):
        content[i] ^= 0x55
    path.write_bytes(bytes(content))


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/media/image.bin", "w") as entry:
        for _ in range(150):
            entry.write(bytes(1_000_000))


def entity_bomb(path: Path) -> None:
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    prolog = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "aaaaaaaaaa">{levels}]>'
    rewritten(
        path,
        lambda name, content: (
            content.replace(b"<t>Subject</t>", b"<t>&e9;</t>").join([prolog.encode(), b""])
            if name.endswith("sheet1.xml")
            else content
        ),
    )


def huge_cell(path: Path) -> None:
    casme2_workbook(path, [Row("01", "EP01_01", 5, 7, 9, "4", "f" * 30_000)])


@pytest.mark.parametrize(
    "fault",
    [truncated, empty, text, old_xls, without_parts, broken_xml, flipped_bits, bomb, entity_bomb, huge_cell],
)
@pytest.mark.parametrize("as_file", [False, True], ids=["folder", "file"])
def test_a_damaged_workbook_is_one_error_that_names_it(
    tmp_path: Path, fault: Callable[[Path], None], as_file: bool
) -> None:
    path = write_casme2(tmp_path, objective=False)
    fault(path)
    with pytest.raises(AnnotationError) as raised:
        casme2.DATASET.load(path if as_file else tmp_path)
    two_lines(raised.value, path)


def test_a_file_that_cannot_be_opened_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_casme2(tmp_path, objective=False)
    opened = Path.open

    def locked(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.suffix == ".xlsx":
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", locked)  # root, under which tests may run, opens what modes forbid
    with pytest.raises(AnnotationError) as raised:
        casme2.DATASET.load(tmp_path)
    two_lines(raised.value, path, "Permission denied")


@pytest.mark.parametrize("column", [h for h in HEADER if h])
def test_a_missing_column_is_one_error_that_names_file_and_column(tmp_path: Path, column: str) -> None:
    path = tmp_path / "coding.xlsx"
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append([None if h == column else h for h in HEADER])
    sheet.append(["01", "EP01_01", None, 5, 7, 9, None, 4, "fear"])
    book.save(path)
    with pytest.raises(AnnotationError) as raised:
        casme2.DATASET.load(tmp_path)
    two_lines(raised.value, path, column.replace(" ", "").lower())


@pytest.mark.parametrize("dataset", [casme2.DATASET, samm.DATASET, smic.HS, smic.E_HS], ids=lambda d: d.name)
def test_a_folder_without_the_corpus_or_no_folder_is_one_error(tmp_path: Path, dataset: casme2.Corpus) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(AnnotationError) as raised:
            dataset.load(root)
        two_lines(raised.value, root)


def test_a_damaged_workbook_beside_a_good_one_is_a_warning(tmp_path: Path) -> None:
    write_casme2(tmp_path)
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    (tmp_path / "~$CASME2-coding.xlsx").write_bytes(b"locked by a spreadsheet program")
    table = casme2.DATASET.load(tmp_path)
    passed = [n.message for n in table.notes if n.message.startswith("passed over")]
    assert len(passed) == 1
    assert "old.xls" in passed[0]


def test_a_sheet_of_absurd_size_is_read_within_limits(tmp_path: Path) -> None:
    path = write_casme2(tmp_path, objective=False)
    rewritten(path, lambda name, content: content.replace(b'ref="A1:I256"', b'ref="A1:XFD1048576"'))
    assert len(casme2.DATASET.load(path)) == 255
    far = b'<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    rewritten(path, lambda name, content: content.replace(b"</sheetData>", far) if "sheet1" in name else content)
    with pytest.raises(AnnotationError, match="more than 20,000 rows"):
        casme2.DATASET.load(path)


def test_columns_are_found_by_header_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["This table was moved."])
    sheet.append(
        ["Estimated emotion", None, "ACTION UNITS", "offset frame", "Apex Frame", "onset_frame", "file name", "SUBJECT"]
    )
    sheet.append(["Fear", None, "L4 + 7", 9, 7.0, "5", " EP01_01 ", 1])
    book.save(path)
    (clip,) = casme2.DATASET.load(tmp_path)
    assert (clip.id, clip.emotion, clip.onset, clip.apex, clip.offset) == ("casme2/sub01/EP01_01", "fear", 5, 7, 9)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30),
    st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)),
    st.sampled_from(["/", "?", "#REF!", "=1+1", "01", "EP01_01", "sub01", "12 or 14", "1e5", "٣", "-118996", "nan"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELLS, min_size=9, max_size=9), min_size=1, max_size=3),
    place=st.integers(0, 8),
    cell=CELLS,
)
def test_no_cell_leads_to_anything_but_an_annotation_error(
    tmp_path: Path, rows: list[list[object]], place: int, cell: object
) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEADER)
    good: list[object] = ["01", "EP01_01", None, 5, 7, 9, None, 4, "fear"]
    good[place] = cell
    for row in [good, *rows]:
        sheet.append(row)
    book.save(tmp_path / "x.xlsx")
    try:
        table = casme2.DATASET.load(tmp_path)
    except AnnotationError as error:
        two_lines(error)
    else:
        assert all(clip.onset <= clip.offset for clip in table)


def test_a_link_that_leads_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside" / "EP01_01"
    outside.mkdir(parents=True)
    (outside / "img5.jpg").touch()
    casme2_workbook(root / "x.xlsx", [ROW])
    (root / "raw" / "sub01").mkdir(parents=True)
    (root / "raw" / "sub01" / "EP01_01").symlink_to(outside)
    table = casme2.DATASET.load(root)
    with pytest.raises(DataError) as raised:
        casme2.DATASET.frames(root, table)
    two_lines(raised.value, root / "raw" / "sub01" / "EP01_01")


def test_a_frame_that_is_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "raw" / "sub01" / "EP01_01"
    folder.mkdir(parents=True)
    (tmp_path / "secret.jpg").touch()
    (folder / "img5.jpg").symlink_to(tmp_path / "secret.jpg")
    casme2_workbook(tmp_path / "root" / "x.xlsx", [ROW])
    with pytest.raises(DataError, match="leads out of"):
        casme2.DATASET.frames(tmp_path / "root", casme2.DATASET.load(tmp_path / "root"))


def test_links_inside_the_root_are_followed_and_loops_end(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sub01" / "EP01_01"
    folder.mkdir(parents=True)
    (folder / "img5.jpg").touch()
    (tmp_path / "data" / "loop").symlink_to(tmp_path)
    casme2_workbook(tmp_path / "x.xlsx", [ROW])
    table = casme2.DATASET.load(tmp_path)
    with pytest.raises(DataError, match="Two folders hold the same clip"):
        casme2.DATASET.frames(tmp_path, table)


def test_a_workbook_with_a_password_or_of_old_kind_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    with pytest.raises(AnnotationError, match=r"old \.xls file or protected by a password"):
        samm.DATASET.load(tmp_path)


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    # An unclosed file is a ResourceWarning, and warnings are errors here.
    for path, dataset in ((write_samm(tmp_path / "a"), samm.DATASET), (write_smic_e(tmp_path / "b"), smic.E_HS)):
        dataset.load(path)
        os.rename(path, path.with_suffix(".moved"))
    path = tmp_path / "c.xlsx"
    casme2_workbook(path, casme2_rows()[:3])
    columns = workbook.Columns({"subject": ("subject",), "name": ("filename",)}, frozenset({"subject", "name"}))
    assert [len(sheet.lines) for sheet in workbook.read_tables(path, columns)] == [3]

"""CASME II: 255 clips of 26 people, 200 fps, 640x480 colour (Yan et al., PLOS ONE 9(1), 2014, e86041)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mebench.clips import Note
from mebench.datasets.annotation import Found, choose_table, demand_tables, find_tables, match_name
from mebench.datasets.base import Coding, Corpus, Layout, Release
from mebench.datasets.coding import Coded
from mebench.datasets.folders import nearest
from mebench.datasets.workbook import Columns, Sheet, cell_text
from mebench.errors import AnnotationError

SUBJECT = re.compile(r"(?:sub)?0*([1-9][0-9]?)", re.IGNORECASE)
CLIP = re.compile(r"EP[0-9]{2}(?:_[0-9]+){0,2}f?", re.IGNORECASE)

_CODING = Columns(
    names={
        "subject": ("subject",),
        "name": ("filename",),
        "onset": ("onsetframe",),
        "apex": ("apexframe",),
        "offset": ("offsetframe",),
        "action_units": ("actionunits",),
        "emotion": ("estimatedemotion",),
        "objective": ("objectiveclasses", "objectiveclass"),
    },
    required=frozenset({"subject", "name", "onset", "apex", "offset", "action_units", "emotion"}),
    foreign=frozenset({"inducementcode", "remarks"}),  # SAMM, MMEW
)
# The workbook of 2017 holds these three columns; its second sheet is scratch and repeats them.
_OBJECTIVE = Columns(
    names={"subject": ("subject",), "name": ("filename",), "objective": ("objectiveclass", "objectiveclasses")},
    required=frozenset({"subject", "name", "objective"}),
    foreign=frozenset({"onsetframe"}),
    titles=re.compile(r"^Sheet1$", re.IGNORECASE),
)
# In this order: `CASME2_RAW_selected` is selected, not raw.
_KINDS = {kind: re.compile(kind, re.IGNORECASE) for kind in ("cropped", "selected", "raw")}
_FIELDS = ("onset", "apex", "offset", "action_units", "emotion", "objective")
_EXTRA = "sub24/EP02_07"  # the clip that only the 256-row workbook has


def _read(root: Path, annotation: str | None) -> Coding:
    found = find_tables(root, _CODING, CLIP)
    demand_tables(found, root, "CASME II coding workbook")
    candidates = [(_version(sheet), sheet) for sheet in found.sheets]
    version, sheet = choose_table(candidates, annotation, root, "CASME II coding workbook")
    rows = tuple(_coded(sheet))
    released = find_tables(root if root.is_dir() else root.parent, _OBJECTIVE, CLIP)
    if not released.sheets:
        column = "coding-20190701" if "objective" in sheet.columns else None
        return Coding(version, rows, sheet.path, column, _others(found, sheet))
    _, objective = choose_table(
        [("objective-2017", s) for s in released.sheets], None, root, "objective-class workbook"
    )
    classes = _classes(objective)
    notes = (*_others(found, sheet), *_unmatched(classes, rows, objective))
    rows = tuple(replace(row, cells={**row.cells, "objective": classes.get(row.key)}) for row in rows)
    return Coding(version, rows, sheet.path, "objective-2017", notes)


def _classes(sheet: Sheet) -> dict[str, object]:
    """The objective class by `subject/name`; raises `AnnotationError` where a clip is given two."""
    found: dict[str, object] = {}
    for key, cells, where in _cells(sheet):
        if key in found and cell_text(found[key]) != cell_text(cells["objective"]):
            raise AnnotationError(
                f"{where}: clip {key} has another objective class already.", "Remove one of the rows."
            )
        found[key] = cells["objective"]
    return found


def _version(sheet: Sheet) -> str:
    """The release by what tells it apart: the objective column of 2019, the extra clip of the 256-row file."""
    if "objective" in sheet.columns:
        return "coding-20190701"
    return "coding-updated" if any(key == _EXTRA for key, _, _ in _cells(sheet)) else "coding-20140508"


def _coded(sheet: Sheet) -> list[Coded]:
    return [
        Coded(key[:5], key[6:], {field: cells.get(field) for field in _FIELDS}, where)
        for key, cells, where in _cells(sheet)
    ]


def _cells(sheet: Sheet) -> list[tuple[str, Mapping[str, object], str]]:
    """`subject/name`, cells and place of each row."""
    rows = []
    for line in sheet.lines:
        where = sheet.where(line)
        subject = match_name(cell_text(line.cells["subject"]), SUBJECT, where, "subject of CASME II (01 to 26)")
        name = match_name(cell_text(line.cells["name"]), CLIP, where, "clip name of CASME II (as EP02_01f)")
        rows.append((f"sub{int(subject[1]):02d}/{name[0]}", line.cells, where))
    return rows


def _unmatched(classes: Mapping[str, object], rows: Sequence[Coded], sheet: Sheet) -> list[Note]:
    keys = {row.key for row in rows}
    return [
        *(
            Note("warning", f"{sheet.path.name} gives a class to {key}, which is not annotated")
            for key in sorted(classes.keys() - keys)
        ),
        *(
            Note("warning", f"{sheet.path.name} gives no class; it is derived", f"casme2/{key}")
            for key in sorted(keys - classes.keys())
        ),
    ]


def _others(found: Found, chosen: Sheet) -> tuple[Note, ...]:
    """Warnings of workbooks passed over for faults, and of further generations that were there and not chosen."""
    paths = sorted({str(sheet.path) for sheet in found.sheets if _version(sheet) != _version(chosen)})
    return (
        *found.notes,
        *(Note("warning", f"another generation of the coding was not used: {path}") for path in paths),
    )


def _key(parts: Sequence[str]) -> tuple[str, str] | None:
    if len(parts) < 2 or re.fullmatch(r"sub[0-9]{1,2}", parts[-2], re.IGNORECASE) is None:
        return None
    return f"casme2/sub{int(parts[-2][3:]):02d}/{parts[-1]}", nearest(parts[:-2], _KINDS, "unnamed")


_EMOTIONS_2014 = {
    "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2,
}  # fmt: skip

DATASET = Corpus(
    name="casme2",
    corpus="casme2",
    title="CASME II",
    fps=200.0,
    citation="""@article{yan2014casme2,
  author = {Yan, Wen-Jing and Li, Xiaobai and Wang, Su-Jing and Zhao, Guoying and Liu, Yong-Jin and Chen, Yu-Hsin
            and Fu, Xiaolan},
  title = {{CASME II}: An Improved Spontaneous Micro-Expression Database and the Baseline Evaluation},
  journal = {PLOS ONE}, volume = {9}, number = {1}, pages = {e86041}, year = {2014},
  doi = {10.1371/journal.pone.0086041}
}""",
    access=(
        "Owner: Institute of Psychology, Chinese Academy of Sciences. Apply at http://casme.psych.ac.cn/casme/e2 "
        "with the form and a scanned, signed licence agreement. Faces of sub12 and sub22 are never to be published."
    ),
    releases={
        "coding-20140508": Release(255, 26, _EMOTIONS_2014),
        "coding-20190701": Release(255, 26, _EMOTIONS_2014 | {"surprise": 28, "sadness": 4}),
        "coding-updated": Release(256, 26),
    },
    layout=Layout(
        folder=CLIP,
        key=_key,
        variants=("raw", "selected", "cropped", "unnamed"),
        whole=frozenset({"raw"}),
        sizes={"raw": (640, 480), "selected": (640, 480)},
    ),
    read=_read,
    restricted_subjects=frozenset({"casme2/sub12", "casme2/sub22"}),
)

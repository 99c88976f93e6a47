"""SAMM: 159 clips of 29 people, 200 fps, grey (Davison et al., IEEE Trans. Affective Computing 9(1), 2018, 116-129)."""

import re
from collections.abc import Sequence
from pathlib import Path

from mebench.datasets.annotation import choose_table, demand_tables, find_tables, match_name
from mebench.datasets.base import Coding, Corpus, Layout, Release
from mebench.datasets.coding import Coded
from mebench.datasets.folders import nearest
from mebench.datasets.workbook import Columns, Line, Sheet, cell_text
from mebench.errors import AnnotationError

CLIP = re.compile(r"([0-9]{3})_[1-7]_[0-9]{1,2}")
SUBJECT = re.compile(r"0*([1-9][0-9]?)")

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
    required=frozenset({"subject", "name", "onset", "apex", "offset", "action_units", "emotion", "objective"}),
    own=frozenset({"inducementcode", "micro"}),
)
_KINDS = {
    "cropped": re.compile("crop", re.IGNORECASE),
    "clip": re.compile("samm_clip", re.IGNORECASE),
    "raw": re.compile("samm", re.IGNORECASE),
}
_FIELDS = ("onset", "apex", "offset", "action_units", "emotion", "objective")


def _read(root: Path, annotation: str | None) -> Coding:
    found = find_tables(root, _CODING, CLIP)
    demand_tables(found, root, "SAMM FACS workbook")
    candidates = [("facs-v2", sheet) for sheet in found.sheets]
    version, sheet = choose_table(candidates, annotation, root, "SAMM FACS workbook")
    rows = tuple(_coded(sheet, line) for line in sheet.lines)
    return Coding(version, rows, sheet.path, "facs-v2", found.notes)


def _coded(sheet: Sheet, line: Line) -> Coded:
    where = sheet.where(line)
    name = match_name(cell_text(line.cells["name"]), CLIP, where, "clip name of SAMM (as 006_1_2)")
    subject = match_name(cell_text(line.cells["subject"]), SUBJECT, where, "subject of SAMM (006 to 037)")
    if int(subject[1]) != int(name[1]):
        raise AnnotationError(
            f"{where}: clip {name[0]} stands under subject {cell_text(line.cells['subject'])!r}.",
            "Correct the workbook.",
        )
    return Coded(name[1], name[0], {field: line.cells[field] for field in _FIELDS}, where)


def _key(parts: Sequence[str]) -> tuple[str, str] | None:
    name = parts[-1]
    return f"samm/{name[:3]}/{name}", nearest(parts[:-1], _KINDS, "raw")


_EMOTIONS = {
    "anger": 57, "happiness": 26, "others": 26, "surprise": 15, "contempt": 12, "disgust": 9, "fear": 8, "sadness": 6,
}  # fmt: skip

DATASET = Corpus(
    name="samm",
    corpus="samm",
    title="SAMM",
    fps=200.0,
    citation="""@article{davison2018samm,
  author = {Davison, Adrian K. and Lansley, Cliff and Costen, Nicholas and Tan, Kevin and Yap, Moi Hoon},
  title = {{SAMM}: A Spontaneous Micro-Facial Movement Dataset},
  journal = {IEEE Transactions on Affective Computing}, volume = {9}, number = {1}, pages = {116--129},
  year = {2018},
  doi = {10.1109/TAFFC.2016.2573832}
}""",
    access=(
        "Owner: Manchester Metropolitan University. Apply at https://helward.mmu.ac.uk/STAFF/m.yap/dataset.php; the "
        "licence agreement names who may use the data and which faces may be published."
    ),
    releases={"facs-v2": Release(159, 29, _EMOTIONS)},
    layout=Layout(
        folder=CLIP,
        key=_key,
        variants=("raw", "clip", "cropped"),
        whole=frozenset({"raw"}),
        sizes={"raw": (960, 650)},
    ),
    read=_read,
)

"""SMIC: 164 clips of 16 people at 100 fps (HS), 71 of 8 people at 25 fps (VIS, NIR) (Li et al., FG 2013).

The trimmed clips carry no annotation but their folders: names give subject and class, the first and last frame are
onset and offset. SMIC-E, the same events with the frames around them, has a workbook. No apex, no action units are
coded.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from mebench.clips import Note
from mebench.datasets.annotation import choose_table, demand_tables, find_tables, match_name
from mebench.datasets.base import Coding, Corpus, FrameFolder, Layout, Release
from mebench.datasets.coding import Coded
from mebench.datasets.folders import choose, nearest, scan
from mebench.datasets.workbook import Columns, Line, Sheet, cell_text, whole
from mebench.errors import AnnotationError

Modality = Literal["hs", "vis", "nir"]

CLIP = re.compile(r"s0*([1-9][0-9]?)_(ne|po|sur)_0*([0-9]{1,2})", re.IGNORECASE)
SUBJECT = re.compile(r"s?0*([1-9][0-9]?)", re.IGNORECASE)
CLASSES = {"ne": "negative", "po": "positive", "sur": "surprise"}

_MODALITY = re.compile(r"(?:^|[^a-z])(hs|vis|nir)(?:[^a-z]|$)", re.IGNORECASE)
_LENGTHS = {
    "long": re.compile(r"long|smic[-_]e(?:[^a-z]|$)|(?:hs|vis|nir)[-_]e(?:[^a-z]|$)", re.IGNORECASE),
    "trimmed": re.compile(r"^micro$|smic_all", re.IGNORECASE),
}
_KINDS = {kind: re.compile(kind, re.IGNORECASE) for kind in ("cropped", "raw")}

_EVENTS = {f"{edge}{n}": (f"{edge}{n}f",) for edge in ("onset", "offset") for n in (2, 3)}
_CODING = Columns(
    names={
        "subject": ("subject",),
        "name": ("filename",),
        "onset": ("onsetf",),
        "offset": ("offsetf",),
        "first": ("firstf",),
        "emotion": ("emotion",),
        **_EVENTS,
    },
    required=frozenset({"subject", "name", "onset", "offset", "first", "emotion"}),
)


def _read_tree(modality: Modality, layout: Layout, root: Path, annotation: str | None) -> Coding:
    """The clips of a tree of trimmed clips; `annotation` can only name what the tree is."""
    if not root.is_dir():
        raise AnnotationError(
            f"{root} is no folder; the annotation of trimmed SMIC clips is the tree of their folders.",
            "Give the folder that holds SMIC_all_raw or SMIC_all_cropped as --data.",
        )
    tree = scan(root, layout)
    ids = {clip: clip for clips in tree.values() for clip in clips}
    folders = choose(tree, layout, ids, root, None)
    if not folders:
        raise AnnotationError(
            f"{root} holds no {modality.upper()} clip of SMIC (as {modality.upper()}/s1/micro/negative/s1_ne_01).",
            "Give the folder that holds SMIC_all_raw or SMIC_all_cropped as --data.",
        )
    rows = tuple(_from_folder(clip, folder) for clip, folder in folders.items())
    return Coding(annotation or modality, rows, root, notes=tuple(_folder_notes(folders)))


def _from_folder(clip: str, folder: FrameFolder) -> Coded:
    if not folder.frames:
        raise AnnotationError(f"{folder.path} holds no frames.", "Copy the clip again from the original archive.")
    _, subject, name = clip.split("/")
    cells = {"onset": folder.frames[0][0], "offset": folder.frames[-1][0], "emotion": CLASSES[name.split("_")[1]]}
    return Coded(subject, name, cells, str(folder.path))


def _folder_notes(folders: dict[str, FrameFolder]) -> Iterator[Note]:
    for clip, folder in folders.items():
        above, emotion = folder.path.parent.name.casefold(), CLASSES[clip.rsplit("_", 2)[1]]
        if above in CLASSES.values() and above != emotion:
            yield Note("warning", f"lies in the folder {above}; the name decides, as in the list of MEGC2019", clip)


def _read_workbook(modality: Modality, root: Path, annotation: str | None) -> Coding:
    columns = Columns(_CODING.names, _CODING.required, titles=re.compile(rf"^\W*{modality}\b", re.IGNORECASE))
    found = find_tables(root, columns, CLIP)
    what = f"SMIC-E workbook with a sheet {modality.upper()}"
    demand_tables(found, root, what)
    version, sheet = choose_table([(f"e-{modality}", s) for s in found.sheets], annotation, root, what)
    rows, notes = [], list(found.notes)
    for line in sheet.lines:
        if not _is_remark(line):
            row, later = _from_line(sheet, line)
            rows.append(row)
            clip = f"smic-e-{modality}/{row.key}"
            notes += [Note("warning", f"a later event is listed: {on} to {off}", clip) for on, off in later]
    return Coding(version, tuple(rows), sheet.path, notes=tuple(notes))


def _is_remark(line: Line) -> bool:
    """Whether the row is text below the table, where subject and name happen to be filled."""
    return all(line.cells[field] is None for field in ("onset", "offset", "emotion"))


def _from_line(sheet: Sheet, line: Line) -> tuple[Coded, list[tuple[int, int]]]:
    where = sheet.where(line)
    name = match_name(cell_text(line.cells["name"]), CLIP, where, "clip name of SMIC (as s1_ne_01)")
    subject = match_name(cell_text(line.cells["subject"]), SUBJECT, where, "subject of SMIC (s01 to s20)")
    if int(subject[1]) != int(name[1]):
        raise AnnotationError(f"{where}: clip {name[0]} stands under subject {subject[0]!r}.", "Correct the workbook.")
    if line.cells["offset"] is None:
        raise AnnotationError(
            f"{where}: the offset has no value; it is a formula whose result was not stored.",
            "Restore the original workbook, or open it in a spreadsheet program and save it again.",
        )
    cells = {field: line.cells[field] for field in ("onset", "offset", "emotion")}
    later = _later_events(line, (whole(cells["onset"], "onset", where), whole(cells["offset"], "offset", where)))
    return Coded(*_canonical(name), cells, where, flags=("later-events",) if later else ()), later


def _later_events(line: Line, first: tuple[int, int]) -> list[tuple[int, int]]:
    """The second and third event, where they are events: the released third-event cells are mostly the debris of
    formulas.

    An event has a start and an end in that order and repeats no other.
    """
    events: list[tuple[int, int]] = [first]
    for number in (2, 3):
        onset, offset = (cell_text(line.cells.get(f"{edge}{number}")) for edge in ("onset", "offset"))
        if onset.isdecimal() and offset.isdecimal() and 0 < int(onset) <= int(offset):
            events.append((int(onset), int(offset)))
    return list(dict.fromkeys(events))[1:]


def _canonical(name: re.Match[str]) -> tuple[str, str]:
    """Subject and clip name in the one spelling used here: `s01`, `s1_ne_01`, whatever was padded on disk or in a
    list.
    """
    subject = int(name[1])
    return f"s{subject:02d}", f"s{subject}_{name[2].casefold()}_{int(name[3]):02d}"


def _key(modality: Modality, long: bool, parts: Sequence[str]) -> tuple[str, str] | None:  # noqa: FBT001 -- bound once
    name = CLIP.fullmatch(parts[-1])
    above = parts[:-1]
    stated = next((found for found in map(_MODALITY.search, reversed(above)) if found), None)
    if name is None or stated is None or stated[1].casefold() != modality or "non_micro" in above:
        return None
    if nearest(above, _LENGTHS, "trimmed") != ("long" if long else "trimmed"):
        return None
    kind = nearest(above, _KINDS, "raw")
    return "/".join((_name(modality, long=long), *_canonical(name))), "long" if long and kind == "raw" else kind


def _name(modality: Modality, *, long: bool) -> str:
    """The dataset's name: HS is the corpus as most papers use it, and bears the corpus' own."""
    return f"smic-e-{modality}" if long else {"hs": "smic"}.get(modality, f"smic-{modality}")


_CITATION = """@inproceedings{li2013smic,
  author = {Li, Xiaobai and Pfister, Tomas and Huang, Xiaohua and Zhao, Guoying and Pietik{\\"a}inen, Matti},
  title = {A Spontaneous Micro-expression Database: Inducement, Collection and Baseline},
  booktitle = {10th IEEE International Conference on Automatic Face and Gesture Recognition (FG)}, year = {2013},
  doi = {10.1109/FG.2013.6553717}
}"""
_ACCESS = (
    "Owner: Center for Machine Vision and Signal Analysis, University of Oulu. Apply at "
    "https://www.oulu.fi/cmvs/node/41319 with a signed licence agreement. HS, VIS and NIR show the "
    "same people and events."
)
_HS_EMOTIONS = {"negative": 70, "positive": 51, "surprise": 43}
_E_HS_EMOTIONS = {"negative": 66, "positive": 51, "surprise": 40}
_E_VIS_EMOTIONS = {"positive": 28, "negative": 24, "surprise": 19}


def _trimmed(modality: Modality, fps: float, release: Release) -> Corpus:
    layout = Layout(
        folder=CLIP,
        key=partial(_key, modality, False),
        variants=("raw", "cropped"),
        whole=frozenset(),
        sizes={"raw": (640, 480)},
    )
    return Corpus(
        name=_name(modality, long=False),
        corpus="smic",
        title=f"SMIC {modality.upper()}",
        fps=fps,
        citation=_CITATION,
        access=_ACCESS,
        releases={modality: release},
        layout=layout,
        read=partial(_read_tree, modality, layout),
    )


def _long(modality: Modality, fps: float, release: Release) -> Corpus:
    return Corpus(
        name=_name(modality, long=True),
        corpus="smic",
        title=f"SMIC-E {modality.upper()}",
        fps=fps,
        citation=_CITATION,
        access=_ACCESS,
        releases={f"e-{modality}": release},
        layout=Layout(
            folder=CLIP,
            key=partial(_key, modality, True),
            variants=("long", "cropped"),
            whole=frozenset({"long"}),
            sizes={"long": (640, 480)},
        ),
        read=partial(_read_workbook, modality),
    )


HS = _trimmed("hs", 100.0, Release(164, 16, _HS_EMOTIONS))
VIS = _trimmed("vis", 25.0, Release(71, 8))
NIR = _trimmed("nir", 25.0, Release(71, 8))
E_HS = _long("hs", 100.0, Release(157, 16, _E_HS_EMOTIONS))
E_VIS = _long("vis", 25.0, Release(71, 8, _E_VIS_EMOTIONS))
E_NIR = _long("nir", 25.0, Release(71, 8))

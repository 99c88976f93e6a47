"""FER2013: 35,887 grey images of 48x48 px in one table, `emotion,pixels,Usage` (ICML 2013 challenge).

The corpus names nobody: no split of it is independent of the subject. PublicTest and PrivateTest stay held out.
"""

import csv
from pathlib import Path

from mebench.errors import AnnotationError
from mebench.stills.places import find_file
from mebench.stills.records import NEUTRAL, Pixels, Still, StillCorpus

SIDE = 48
CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", NEUTRAL)
USAGES = {"Training": False, "PublicTest": True, "PrivateTest": True}

_HEADER = ["emotion", "pixels", "usage"]


def _read(root: Path) -> tuple[list[Still], dict[str, int]]:
    path = find_file(root, ("fer2013.csv",)) or (root if root.is_file() else None)
    if path is None:
        raise AnnotationError(
            f"{root} holds no fer2013.csv.", "Give the folder of the table; folders of images are no release of it."
        )
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = csv.reader(stream)
            header = [name.strip().casefold() for name in next(lines, [])]
            if header != _HEADER:
                raise AnnotationError(f"{path} does not begin with emotion,pixels,Usage.", "Give the original table.")
            return [_still(row, path, number) for number, row in enumerate(lines, 2) if row], {}
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise AnnotationError(f"{path} cannot be read as a table: {fault}.", "Give the original table.") from fault


def _still(row: list[str], path: Path, line: int) -> Still:
    try:
        code, pixels, usage = row
        data, label, held_out = bytes(map(int, pixels.split())), CODES[int(code)], USAGES[usage.strip()]
        if int(code) < 0 or len(data) != SIDE * SIDE:
            raise ValueError(f"{len(data)} pixels")
    except (ValueError, IndexError, KeyError) as fault:
        raise AnnotationError(
            f"{path}, line {line}: not an emotion from 0 to 6, {SIDE * SIDE} grey levels and a Usage ({fault}).",
            "Give the original table.",
        ) from fault
    return Still(f"fer2013/-/{usage.strip()}-{line - 2:05d}", None, label, Pixels(data, SIDE), held_out=held_out)


CORPUS = StillCorpus(
    name="fer2013",
    title="FER2013",
    citation="""@misc{goodfellow2013challenges,
  author = {Goodfellow, Ian J. and others},
  title = {Challenges in Representation Learning: A report on three machine learning contests},
  year = {2013}, eprint = {1307.0414}, archivePrefix = {arXiv}
}""",
    access="From the ICML 2013 challenge in representation learning; no page of an owner to ask is known.",
    read=_read,
)

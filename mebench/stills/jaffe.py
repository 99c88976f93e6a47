"""JAFFE: 213 posed images of ten women, 256x256 grey (Lyons, Kamachi, Gyoba, doi 10.5281/zenodo.3451524).

    KA.AN1.39.tiff        person, expression with its number, running number

The labels are what was posed; the ratings that come with the images may disagree. The neutral of a person is the first
of her neutral images.
"""

import re
from dataclasses import replace
from pathlib import Path

from mebench.errors import AnnotationError
from mebench.stills.records import NEUTRAL, ImageFile, Still, StillCorpus

PEOPLE = frozenset("KA KL KM KR MK NA NM TM UY YM".split())
CODES = {
    "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": NEUTRAL, "SA": "sadness", "SU": "surprise",
}  # fmt: skip

_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})([0-9])\.([0-9]{1,3})\.tiff?", re.IGNORECASE)
_DEPTH = 2  # of folders: the archive unpacks into jaffe/, some drops nest it once more


def _read(root: Path) -> tuple[list[Still], dict[str, int]]:
    files = [path for path in _files(root, _DEPTH) if path.suffix.casefold() in (".tif", ".tiff")]
    stills = [still for path in files if (still := _still(path)) is not None]
    if not stills:
        raise AnnotationError(
            f"{root} holds no image named as KA.AN1.39.tiff.", "Give the folder of JAFFE as its archive unpacks."
        )
    neutral: dict[str, str] = {}
    for still in sorted(stills, key=lambda still: still.id):
        if still.label == NEUTRAL and still.subject:
            neutral.setdefault(still.subject, still.id)
    paired = [s if s.label == NEUTRAL else replace(s, neutral=neutral.get(s.subject or "")) for s in stills]
    return paired, {"images with names of no known form": len(files) - len(stills)}


def _still(path: Path) -> Still | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    person, code = match[1].upper(), match[2].upper()
    if person not in PEOPLE or code not in CODES:
        part, known = (person, PEOPLE) if person not in PEOPLE else (code, CODES.keys())
        raise AnnotationError(f"{path} says {part}; JAFFE knows {', '.join(sorted(known))}.", "Restore the file name.")
    name = f"{code}{match[3]}.{match[4]}"
    return Still(f"jaffe/{person}/{name}", f"jaffe/{person}", CODES[code], ImageFile(path))


def _files(root: Path, depth: int) -> list[Path]:
    if not root.is_dir():
        return []
    here = sorted(root.iterdir())
    below = [file for path in here if path.is_dir() and depth for file in _files(path, depth - 1)]
    return [path for path in here if path.is_file()] + below


CORPUS = StillCorpus(
    name="jaffe",
    title="JAFFE",
    citation="""@misc{lyons1998jaffe,
  author = {Lyons, Michael and Kamachi, Miyuki and Gyoba, Jiro},
  title = {The Japanese Female Facial Expression ({JAFFE}) Dataset},
  year = {1998}, doi = {10.5281/zenodo.3451524}
}""",
    access=(
        "Owners: Lyons, Kamachi, Gyoba. A restricted record, doi 10.5281/zenodo.3451524: follow its instructions; "
        "non-commercial science only."
    ),
    read=_read,
)

"""RAF-DB, basic expressions: 15,339 photographs found on the web, 12,271 of them for training (Li et al., CVPR 2017).

    basic/EmoLabel/list_patition_label.txt        (so spelled) lines of `train_00001.jpg 5`
    basic/Image/aligned/train_00001_aligned.jpg

The corpus names nobody: no split of it is independent of the subject. What begins with `test_` stays held out.
"""

import re
from pathlib import Path

from mebench.errors import AnnotationError
from mebench.stills.places import find_file, find_folder
from mebench.stills.records import NEUTRAL, ImageFile, Still, StillCorpus

CODES = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: NEUTRAL}

_LINE = re.compile(r"(?P<name>(?P<part>train|test)_[0-9]+)\.jpg\s+(?P<code>[1-7])")
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")


def _read(root: Path) -> tuple[list[Still], dict[str, int]]:
    labels, images = find_file(root, _LISTS), _images(root)
    if labels is None or images is None:
        missing = "EmoLabel/list_patition_label.txt" if labels is None else "Image/aligned"
        raise AnnotationError(
            f"{root} holds no {missing} of RAF-DB.", "Unpack the basic part, labels and aligned images, and give it."
        )
    here = {path.name for path in images.iterdir()}
    stills = []
    for number, line in enumerate(labels.read_text(encoding="ascii", errors="replace").splitlines(), 1):
        if line.strip():
            stills.append(_still(line, images, here, f"{labels}, line {number}"))
    return stills, {}


def _still(line: str, images: Path, here: set[str], where: str) -> Still:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise AnnotationError(f"{where}: {line.strip()!r} is no name and code from 1 to 7.", "Give the original list.")
    file = f"{match['name']}_aligned.jpg"
    if file not in here:
        raise AnnotationError(f"{where}: {file} is not in {images}.", "Unpack the archive of aligned images again.")
    label, held_out = CODES[int(match["code"])], match["part"] == "test"
    return Still(f"raf-db/-/{match['name']}", None, label, ImageFile(images / file), held_out=held_out)


def _images(root: Path) -> Path | None:
    """`Image/aligned`, below the root or below its folder `basic`."""
    found = find_folder(root, ("Image",))
    aligned = None if found is None else found / "aligned"
    return aligned if aligned is not None and aligned.is_dir() else None


CORPUS = StillCorpus(
    name="raf-db",
    title="RAF-DB (basic)",
    citation="""@inproceedings{li2017rafdb,
  author = {Li, Shan and Deng, Weihong and Du, JunPing},
  title = {Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the Wild},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2017}
}""",
    access=(
        "Owner: PRIS, Beijing University of Posts and Telecommunications. Apply at "
        "http://www.whdeng.cn/RAF/model1.html; non-commercial, not to be passed on."
    ),
    read=_read,
)

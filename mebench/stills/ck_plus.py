"""CK+: 593 sequences of 123 people from neutral to a posed peak, 327 of them labelled (Lucey et al., CVPRW 2010).

    cohn-kanade-images/S011/001/S011_001_00000016.png        or below extended-cohn-kanade-images
    Emotion/S011/001/S011_001_00000016_emotion.txt           one number as text: 3.0000000e+00

Of a labelled sequence the last three images are taken with its label and the first as neutral, as is usual. A sequence
without a label file has no label; it is not neutral. The first image of the person's own sequence is the neutral of its
peak images.
"""

import re
from collections import Counter
from pathlib import Path

from mebench.errors import AnnotationError
from mebench.stills.places import find_folder
from mebench.stills.records import NEUTRAL, ImageFile, Still, StillCorpus

PEAK_IMAGES = 3
CODES = (NEUTRAL, "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""What the numbers 0 to 7 of the label files mean."""

_SUBJECT = re.compile(r"S[0-9]{3}")
_SEQUENCE = re.compile(r"[0-9]{3}")
_IMAGE = re.compile(r"S[0-9]{3}_[0-9]{3}_([0-9]+)\.(?:png|tiff?|jpe?g|bmp)", re.IGNORECASE)
_RESHARED = ("CK+48",)
_IMAGES, _LABELS = ("cohn-kanade-images", "extended-cohn-kanade-images"), ("Emotion", "Emotion_labels")


def _read(root: Path) -> tuple[list[Still], dict[str, int]]:
    top = root.parent if root.name in (*_IMAGES, *_LABELS) else root
    images, labels = (find_folder(top, names) for names in (_IMAGES, _LABELS))
    if images is None or labels is None:
        raise _wrong_layout(root)
    if (labels / "Emotion").is_dir():  # Emotion_labels/Emotion in the archive of the labels
        labels = labels / "Emotion"
    stills: list[Still] = []
    left_out: Counter[str] = Counter()
    for subject in _folders(images, _SUBJECT):
        for sequence in _folders(subject, _SEQUENCE):
            label = _label(labels / subject.name / sequence.name)
            found = _sequence(sequence, subject.name, label) if label is not None else []
            reason = "sequences without a label" if label is None else f"sequences of {label}"
            left_out[reason] += not found
            stills += found
    _check_orphans(images, labels)
    return stills, dict(left_out)


def _sequence(folder: Path, subject: str, label: str) -> list[Still]:
    """The first image as neutral and the last as the label; nothing where the label is no merged class."""
    frames = sorted((int(m[1]), p) for p in folder.iterdir() if (m := _IMAGE.fullmatch(p.name)))
    if len(frames) < 2:
        raise AnnotationError(
            f"{folder} is labelled {label} and holds {len(frames)} images.",
            "Copy the sequence again from the archive of CK+.",
        )
    if label == "contempt":
        return []
    person = f"ck-plus/{subject}"
    ids = [f"{person}/{folder.name}_{number:08d}" for number, _ in frames]
    neutral = Still(ids[0], person, NEUTRAL, ImageFile(frames[0][1]))
    first = max(1, len(frames) - PEAK_IMAGES)
    peak = [
        Still(ids[i], person, label, ImageFile(path), neutral=ids[0])
        for i, (_, path) in enumerate(frames[first:], first)
    ]
    return [neutral, *peak]


def _label(folder: Path) -> str | None:
    """What the label file says; None where there is none. Raises AnnotationError for a file that says nothing known."""
    files = sorted(folder.glob("*_emotion.txt")) if folder.is_dir() else []
    if not files:
        return None
    if len(files) > 1:
        raise AnnotationError(f"{folder} holds {len(files)} label files.", "Keep the one of the original archive.")
    try:
        text = files[0].read_text(encoding="ascii", errors="strict").strip()
        code = float(text)
    except (OSError, ValueError) as fault:
        raise AnnotationError(f"{files[0]} holds no number.", "Copy it again from the archive of CK+.") from fault
    if code not in range(len(CODES)):
        raise AnnotationError(f"{files[0]} says {text}; CK+ knows 0 to 7.", "Copy it again from the archive of CK+.")
    return CODES[int(code)]


def _check_orphans(images: Path, labels: Path) -> None:
    """Raises AnnotationError for a label whose images are not there: a part of the corpus is missing."""
    for file in sorted(labels.glob("S*/*/*_emotion.txt")):
        sequence = images / file.parent.parent.name / file.parent.name
        if not sequence.is_dir():
            raise AnnotationError(
                f"{sequence.parent.name}/{sequence.name} is labelled, but its images are not in {images}.",
                "Unpack the archive of images beside that of the labels.",
            )


def _wrong_layout(root: Path) -> AnnotationError:
    if find_folder(root, _RESHARED) is not None:
        what = f"{root} is the re-shared CK+48: cropped images with other codes, sequences torn apart."
        return AnnotationError(what, "Give CK+ as its owners distribute it: cohn-kanade-images beside Emotion.")
    return AnnotationError(
        f"{root} holds no cohn-kanade-images beside Emotion.",
        "Unpack both archives of CK+, images and emotion labels, into one folder and give that.",
    )


def _folders(place: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(path for path in place.iterdir() if pattern.fullmatch(path.name) and path.is_dir())


CORPUS = StillCorpus(
    name="ck-plus",
    title="CK+",
    citation="""@inproceedings{lucey2010extended,
  author = {Lucey, Patrick and Cohn, Jeffrey F. and Kanade, Takeo and Saragih, Jason and Ambadar, Zara and Matthews,
            Iain},
  title = {The Extended {Cohn-Kanade} Dataset ({CK+}): A complete dataset for action unit and emotion-specified
           expression},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition Workshops}, year = {2010}
}""",
    access="Owner: University of Pittsburgh and CMU. Apply at http://www.pitt.edu/~emotion/ck-spread.htm.",
    read=_read,
)

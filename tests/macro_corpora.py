"""Small corpora of stills in the layouts of CK+, JAFFE, FER2013 and RAF-DB, for tests; images are one portrait."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from mebench.stills.ck_plus import CODES as CK_CODES
from mebench.stills.jaffe import CODES as JAFFE_CODES
from tests.small_corpus import portrait

SEQUENCES = {"001": "anger", "002": "contempt", "003": "happiness", "004": None}
"""Of every CK+ subject here: two sequences that are read, one of contempt, one without a label."""


@cache
def face(shift: int = 0, shape: str = "grey") -> np.ndarray:
    """The portrait, moved right by whole pixels: grey (300, 256), or colour (300, 256, 3)."""
    moved = np.roll(portrait(), shift, axis=1)
    return moved if shape == "colour" else cv2.cvtColor(moved, cv2.COLOR_BGR2GRAY)


def write_image(path: Path, image: np.ndarray | None) -> None:
    """The image in the format its name says; an empty file where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"" if image is None else cv2.imencode(path.suffix, image)[1].tobytes())


def write_ck_plus(
    root: Path,
    subjects: Sequence[str] = ("S010", "S011"),
    *,
    sequences: Mapping[str, str | None] = SEQUENCES,
    frames: Sequence[int] = (1, 2, 9, 10, 11),
    images: bool = False,
) -> Path:
    """CK+ with `frames` images per sequence, empty files unless `images`; the last number bears the label."""
    for s, subject in enumerate(subjects):
        for sequence, emotion in sequences.items():
            for number in frames:
                picture = face(s + number, "colour" if subject.endswith("1") else "grey") if images else None
                name = f"{subject}_{sequence}_{number:08d}.png"
                write_image(root / "cohn-kanade-images" / subject / sequence / name, picture)
            if emotion is not None:
                label = root / "Emotion" / subject / sequence / f"{subject}_{sequence}_{frames[-1]:08d}_emotion.txt"
                label.parent.mkdir(parents=True)
                label.write_text(f"   {CK_CODES.index(emotion):.7e}\n")
    return root


def write_jaffe(root: Path, people: Sequence[str] = ("KA", "YM"), *, images: bool = False) -> Path:
    """JAFFE with one image of each expression per person, and two neutral ones."""
    running = 0
    for person in people:
        for code in [*JAFFE_CODES, "NE"]:
            running += 1
            repeat = 2 if code == "NE" and running % 8 == 0 else 1
            picture = face(running % 7) if images else None
            write_image(root / f"{person}.{code}{repeat}.{running}.tiff", picture)
    return root


def write_fer2013(root: Path, rows: Sequence[tuple[int, str]] = ((0, "Training"), (3, "PublicTest"))) -> Path:
    """FER2013 with these codes and usages; pixels are the portrait's face at 48x48, which it fills as it does there."""
    small = cv2.resize(face()[50:185, 65:200], (48, 48), interpolation=cv2.INTER_AREA)
    pixels = " ".join(map(str, small.ravel().tolist()))
    root.mkdir(parents=True, exist_ok=True)
    lines = ["emotion,pixels,Usage", *(f"{code},{pixels},{usage}" for code, usage in rows)]
    (root / "fer2013.csv").write_text("\n".join(lines) + "\n")
    return root


def write_raf_db(root: Path, codes: Mapping[str, int] | None = None) -> Path:
    """RAF-DB (basic) with these codes by name; images are empty files."""
    codes = codes or {"train_00001": 5, "train_00002": 7, "test_0001": 1}
    (root / "basic" / "EmoLabel").mkdir(parents=True)
    lines = [f"{name}.jpg {code}" for name, code in codes.items()]
    (root / "basic" / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    for name in codes:
        write_image(root / "basic" / "Image" / "aligned" / f"{name}_aligned.jpg", None)
    return root

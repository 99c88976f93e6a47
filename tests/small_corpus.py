"""A CASME II of a few short clips for tests: one public-domain portrait that sways, under a workbook of our own."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np

from mebench.synth.workbooks import Row, casme2_workbook

FRAMES = 6
ONSET = 46
SWAY_PX = 0.8
CLIPS = ("EP01_01", "EP02_01f")
FOLDER = "CASME2-RAW/sub01"


@cache
def portrait() -> np.ndarray:
    """A real face that dlib finds, (300, 256, 3) BGR uint8."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as stream:
        image = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_COLOR)
    return cv2.resize(image, (256, 300), interpolation=cv2.INTER_AREA)


def frame(index: int, seed: int = 0) -> np.ndarray:
    """Frame `index` of a clip: the head `index * SWAY_PX` px further right, the brows raised, fresh noise."""
    height, width = portrait().shape[:2]
    matrix = np.array([[1, 0, index * SWAY_PX], [0, 1, 0]])
    moved = cv2.warpAffine(portrait(), matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng((seed, index)).normal(0, 1, moved.shape)
    return np.clip(np.rint(moved + noise), 0, 255).astype(np.uint8)


def rows(names: Sequence[str] = CLIPS, apex: int | None = ONSET + 3) -> list[Row]:
    """One workbook row per clip, all of one subject and one class."""
    return [Row("01", name, ONSET, apex, ONSET + FRAMES - 1, "4", "disgust") for name in names]


def write_corpus(root: Path, names: Sequence[str] = CLIPS) -> Path:
    """The corpus folder, with its workbook and `FRAMES` JPEG frames per clip."""
    root.mkdir(parents=True, exist_ok=True)
    casme2_workbook(root / "CASME2-coding-20140508.xlsx", rows(names))
    for seed, name in enumerate(names):
        folder = root / FOLDER / name
        folder.mkdir(parents=True)
        for index in range(FRAMES):
            write_frame(folder / f"img{ONSET + index}.jpg", frame(index, seed))
    return root


def write_frame(path: Path, image: np.ndarray) -> None:
    """The image as a JPEG file of quality 95."""
    path.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


def frame_path(root: Path, name: str, number: int) -> Path:
    """Where a frame of a clip lies."""
    return root / FOLDER / name / f"img{number}.jpg"

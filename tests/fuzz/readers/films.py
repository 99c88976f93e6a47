"""Clips on disk: the tree of SMIC's trimmed clips, and the frames of a corpus under `check` and `prepare`."""

import io
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from mebench.clips import ClipTable
from mebench.datasets import smic
from mebench.store import read_clip
from tests.fuzz.harness import Case, Place, Reader
from tests.fuzz.spoken import Said, say
from tests.fuzz.values import damaged
from tests.small_corpus import CLIPS, FOLDER, FRAMES, ONSET, write_corpus

SMIC_CLIPS = ("s1_ne_01", "s1_ne_02", "s1_po_01", "s6_sur_01", "s6_sur_02", "s20_ne_01")
KINDS = {"ne": "negative", "po": "positive", "sur": "surprise"}
NAMES = (
    "s1_ne_03", "S1_NE_01", "s01_ne_01", "s1_ne_1", "s1_xx_01", "s99_ne_01", "s1_ne_01 (copy)", "x", "...",
    "s1_ne_01\n", "\x1b[31m", "\u202etxt", "é", "<b>", "=1+1", "a" * 200, "s1_po_01", "%2e%2e", "~", "$(id)",
    "s6_sur_01",
)  # fmt: skip
FILES = (
    "image000012.bmp", "12.bmp", "image12 (copy).bmp", "image.bmp", "Thumbs.db", ".DS_Store", "image000010.JPG",
    "\x1b[2J.bmp", "image999999999999999999999.bmp", "image-5.bmp", "image1.5.bmp", "٣.bmp", "\u202e12.bmp",
    "<img src=x>.bmp", "12",
)  # fmt: skip


def _smic_case(rng: random.Random, place: Place) -> Case:
    root = place.work / "in"
    for i, name in enumerate(SMIC_CLIPS):
        folder = root / "SMIC_all_raw" / "HS" / name.split("_")[0] / "micro" / KINDS[name.split("_")[1]] / name
        folder.mkdir(parents=True)
        for number in (100 * i + 10, 100 * i + 11, 100 * i + 20):
            (folder / f"image{number:06d}.bmp").touch()
    said = [_moved(rng, root, place) for _ in range(rng.choice((1, 1, 2, 4)))]
    spoken = rng.random() < 0.2

    def load() -> ClipTable:
        if spoken:
            say(["check", "smic", "--data", root])
        return smic.HS.load(root)

    return Case("; ".join(said), True, load, lambda table: _smic_judge(root, table))


def _moved(rng: random.Random, root: Path, place: Place) -> str:  # noqa: C901 -- one branch per thing done
    """Something in the tree is moved, doubled, lost, linked, or put there."""
    folders = sorted(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())
    clips = [path for path in folders if re.fullmatch(r"s\d+_[a-z]+_\d+", path.name)]
    folder = rng.choice(clips or folders)
    how = rng.choice(
        (
            "renamed",
            "renamed",
            "copied",
            "lost",
            "emptied",
            "file",
            "file",
            "link",
            "frame link",
            "pipe",
            "odd",
            "deep",
            "class",
        )
    )
    target = folder.with_name(rng.choice(NAMES))
    frames = sorted(folder.iterdir()) if folder.is_dir() else []
    if how == "renamed" and not target.exists():
        folder.rename(target)
    elif how == "copied" and not target.exists():
        shutil.copytree(folder, target, symlinks=True)
    elif how == "lost":
        shutil.rmtree(folder)
    elif how == "emptied":
        for frame in frames:
            frame.unlink() if not frame.is_dir() else shutil.rmtree(frame)
    elif how == "link" and not target.exists():
        target.symlink_to(rng.choice((place.outside, place.outside / "nothing", folder)))
    elif how == "frame link" and not (folder / "image000013.bmp").exists():
        (folder / "image000013.bmp").symlink_to(rng.choice((place.outside / "secret.jpg", "/dev/zero", *frames[:1])))
    elif how == "pipe" and not (folder / "image000014.bmp").exists():
        os.mkfifo(folder / "image000014.bmp")
    elif how == "odd" and not (folder / "image000015.bmp").exists():
        (folder / "image000015.bmp").mkdir()
    elif how == "deep":
        (folder / "/".join(["micro"] * 12)).mkdir(parents=True, exist_ok=True)
    elif how == "class":
        above = folder.parent
        other = above.with_name(rng.choice(("neutral", "NEGATIVE", "non_micro", "x")))
        if above.name in KINDS.values() and not other.exists():
            above.rename(other)
    else:
        name = os.fsencode(rng.choice(FILES)) if rng.random() < 0.9 else b"image\xff12.bmp"
        path = os.fsencode(folder) + b"/" + name
        if not os.path.lexists(path):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    return f"{how} {folder.name} {target.name!r:.30}"


def _smic_judge(root: Path, table: ClipTable) -> str:
    """The clips counted again: folders by name below `micro`, from the first to the last number of their frames."""
    expected: dict[str, list[tuple[int, int]]] = {}
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if (Path(folder) / name).resolve().is_relative_to(root)]
        parts = Path(folder).relative_to(root.parent).parts
        name = re.fullmatch(r"(?i)s0*([1-9][0-9]?)_(ne|po|sur)_0*([0-9]{1,2})", parts[-1])
        if name is None or "non_micro" in parts:
            continue
        folders.clear()
        whole = [f for f in files if os.path.isfile(os.path.join(folder, f))]
        stems = [os.path.splitext(f)[0] for f in whole if os.path.splitext(f)[1].casefold() in (".bmp", ".jpg")]
        numbers = [int(re.findall(r"[0-9]+", stem)[-1]) for stem in stems if re.search(r"[0-9]", stem)]
        numbers = [n for n in numbers if n < 10**12]
        key = f"smic/s{int(name[1]):02d}/s{int(name[1])}_{name[2].lower()}_{int(name[3]):02d}"
        if numbers:
            expected.setdefault(key, []).append((min(numbers), max(numbers)))
    found = {clip.id: (clip.onset, clip.offset) for clip in table}
    twice = [key for key, spans in expected.items() if len(spans) > 1]
    if twice:
        return f"{twice[0]} lies there twice, and one was taken"
    if found != {key: spans[0] for key, spans in expected.items()}:
        odd = sorted(set(found.items()) ^ {(k, s[0]) for k, s in expected.items()})
        return f"read otherwise than counted: {odd[:2]}"
    said = " ".join(note.message for note in table.notes if note.level == "error")
    return "" if f"{len(table)} clips instead of 164" in said else f"{len(table)} clips, and nobody is told"


def _prepare(place: Place) -> None:
    if not (place.kept / "frames").exists():
        write_corpus(place.kept / "frames")


def _prepared(place: Place) -> Path:
    """A home in which the sound corpus is stored; made when first asked for, because finding faces takes its time."""
    home = place.kept / "frames home"
    if not home.exists():
        say(["--home", home, "prepare", "casme2", "--data", place.kept / "frames", "--jobs", 1])
    return home


def _frames_case(rng: random.Random, place: Place) -> Case:
    root = place.work / "in"
    shutil.copytree(place.kept / "frames", root)
    clip, other = rng.sample(CLIPS, 2)
    number = ONSET + rng.randrange(FRAMES)
    path = root / FOLDER / clip / f"img{number}.jpg"
    title, valid = _frame(rng, path, place)
    if rng.random() < 0.04:
        _prepared(place)
        command = ["--home", place.home, "prepare", "casme2", "--data", root, "--jobs", 1, "--json"]
        return Case(
            f"prepare: {title}", valid, lambda: say(command), lambda said: _stored_judge(place, clip, other, said)
        )
    deep = rng.random() < 0.7
    command = [
        "check",
        "casme2",
        "--data",
        root,
        *(["--deep"] if deep else []),
        *(["--json"] if rng.random() < 0.8 else []),
    ]
    return Case(f"check: {title}", valid, lambda: say(command), lambda said: _check_judge(root, path, deep, said))


def _frame(rng: random.Random, path: Path, place: Place) -> tuple[str, bool]:  # noqa: C901 -- one branch each
    """What was done to a frame, and whether it still is an image."""
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    how = rng.choice(
        tuple(_IMAGES) * 2
        + ("bytes",) * 6
        + ("cut", "empty", "gone", "link", "folder", "pipe", "twice", "renamed", "stray", "text")
    )
    if how in _IMAGES:
        path.write_bytes(_IMAGES[how](image))
        return how, True
    content = path.read_bytes()
    if how == "bytes":
        path.write_bytes(damaged(rng, content))
    elif how == "cut":
        path.write_bytes(content[: rng.randrange(len(content))] + (b"\xff\xd9" if rng.random() < 0.5 else b""))
    elif how == "twice":
        path.with_name(f"reg_{path.name}").write_bytes(content)
        return how, True
    elif how == "stray":
        name = rng.choice(FILES)
        path.with_name(name).write_bytes(content)
        return f"stray {name!r}", True
    else:
        path.unlink()
        if how == "empty":
            path.touch()
        elif how == "link":
            path.symlink_to(rng.choice((place.outside / "secret.jpg", place.outside / "nothing", "/dev/zero", path)))
        elif how == "folder":
            path.mkdir()
        elif how == "pipe":
            os.mkfifo(path)
        elif how == "renamed":
            path.with_name(rng.choice(("img999999.jpg", "img0.jpg", "img.jpg", "img45.png"))).write_bytes(content)
            return how, True
        elif how == "text":
            path.write_text("<html>404</html>")
    return how, False


def _png(image: Any) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def _pillow(image: Any, form: str, mode: str, **options: Any) -> bytes:
    held = io.BytesIO()
    Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).convert(mode).save(held, form, **options)
    return held.getvalue()


_IMAGES: dict[str, Callable[[Any], bytes]] = {
    "smaller": lambda image: cv2.imencode(".jpg", image[::2, ::2])[1].tobytes(),
    "one pixel": lambda image: _png(image[:1, :1]),
    "one row": lambda image: _png(image[:1]),
    "turned": lambda image: cv2.imencode(".jpg", np.ascontiguousarray(np.swapaxes(image, 0, 1)))[1].tobytes(),
    "grey": lambda image: cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[1].tobytes(),
    "png": _png,
    "transparent": lambda image: _png(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)),
    "16 bits": lambda image: _png(image.astype(np.uint16) * 257),
    "float": lambda image: cv2.imencode(".tiff", image.astype(np.float32))[1].tobytes(),
    "cmyk": lambda image: _pillow(image, "JPEG", "CMYK"),
    "palette": lambda image: _pillow(image, "PNG", "P"),
    "one bit": lambda image: _pillow(image, "PNG", "1"),
    "progressive": lambda image: _pillow(image, "JPEG", "RGB", progressive=True),
    "with text behind": lambda image: cv2.imencode(".jpg", image)[1].tobytes() + b"\0" * 40,
    "turned by exif": lambda image: _pillow(
        image, "JPEG", "RGB", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    ),
    "gif": lambda image: _pillow(image, "GIF", "P"),
    "webp": lambda image: _pillow(image, "WEBP", "RGB"),
    "bmp": lambda image: cv2.imencode(".bmp", image)[1].tobytes(),
    "pnm": lambda image: cv2.imencode(".ppm", image)[1].tobytes(),
}


def _check_judge(root: Path, path: Path, deep: bool, said: Said) -> str:
    """What `check` counts is what lies there; a frame no decoder reads is found where it looks."""
    try:
        report = json.loads(said.out)
    except ValueError:
        return ""
    coded = set(range(ONSET, ONSET + FRAMES))
    missing = frames = 0
    for name in CLIPS:
        held: set[int] = set()
        for file in (root / FOLDER / name).iterdir():
            numbers = re.findall(r"[0-9]+", file.stem)
            if (
                numbers
                and file.suffix.casefold() in (".jpg", ".bmp", ".png")
                and file.is_file()
                and len(numbers[-1]) <= 12
            ):
                held.add(int(numbers[-1]))
        missing, frames = missing + len(coded - held), frames + len(held)
    counts = report["frames"]
    if counts["frames"] and (counts["frames"], counts["missing"]) != (frames, missing):
        return f"{counts}, counted again {frames} frames, {missing} missing"
    first = path.name == f"img{ONSET}.jpg"
    if (deep or first) and path.is_file() and not path.is_symlink() and not _readable(path) and report["ok"]:
        return "a frame that no decoder reads passes"
    return ""


def _readable(path: Path) -> bool:
    """Whether the file begins as an image at all; how much of a damaged one decodes, decoders disagree about."""
    return path.read_bytes()[:2] in (b"\xff\xd8", b"\x89P", b"BM", b"II", b"MM", b"GI", b"RI", b"P6")


def _stored_judge(place: Place, clip: str, other: str, said: Said) -> str:
    """The clip that was left alone is stored as ever; the other one is not stored under bytes it no longer has."""
    states = {one["clip"]: one["state"] for one in json.loads(said.out)["clips"]}
    untouched, touched = (f"casme2/sub01/{name}" for name in (other, clip))
    if states.get(untouched) != "stored" or read_clip(place.home, untouched).digest != _sound(
        place.kept / "frames home", untouched
    ):
        return f"{untouched} was left alone and is {states.get(untouched)}"
    if states.get(touched) == "stored":
        stored = read_clip(place.home, touched)
        if len(stored.frames) != len(stored.numbers) or not stored.frames.size:
            return f"{len(stored.frames)} frames for {len(stored.numbers)} numbers"
        if len(stored.numbers) < FRAMES and not any(flag.startswith("frames-missing") for flag in stored.flags):
            return f"{len(stored.numbers)} of {FRAMES} frames, and no flag says so"
    return ""


@cache
def _sound(home: Path, clip: str) -> str:
    return read_clip(home, clip).digest


SMIC = Reader("SMIC folders", _smic_case)
FRAME = Reader("frames", _frames_case, _prepare)
__all__ = ["FRAME", "SMIC"]

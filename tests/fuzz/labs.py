"""A small lab that ran two models, laid down once per child and copied for each input."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from mebench.corpora import load_clips
from mebench.cropping import ClipStatus
from mebench.prepare import SCHEMA
from tests.fuzz.harness import Place
from tests.fuzz.spoken import say
from tests.planted import arguments, plant, run_arguments

SEEDS = 2


def lab_of(place: Place) -> Path:
    """The lab's folder: corpus, protocol, model file, and a home with two runs of it."""
    root = place.kept / "lab"
    if not root.exists():
        plant(root)
        register(root)
        guess = arguments(root, "run", "uniform", "--protocol", str(root / "planted.toml"), "--jobs", "1")
        for command in (run_arguments(root, "--seeds", str(SEEDS)), guess):
            say(command)
    return root


def register(root: Path) -> None:
    """The lab's home knows the corpus as `prepare` would have left it."""
    table = load_clips("casme2", root / "corpus")
    content = {
        "schema": SCHEMA,
        "dataset": "casme2",
        "root": str(root / "corpus"),
        "asked": {"annotation": None, "corrections": True, "variant": None},
        "annotation": table.annotation,
        "objective_release": table.objective_release,
        "fingerprint": table.fingerprint,
        "synthetic": None,
        "clips": [asdict(ClipStatus(clip.id, "stored", "")) for clip in table],
    }
    path = root / "home" / "corpora" / "casme2.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))


def home_with(place: Place, *areas: str) -> Path:
    """The home of this input, with copies of these parts of the lab's."""
    for area in areas:
        shutil.copytree(lab_of(place) / "home" / area, place.home / area, symlinks=True)
    return place.home


__all__ = ["SEEDS", "home_with", "lab_of", "register"]

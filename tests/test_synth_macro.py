"""Rendered posed expressions: in the layouts that are read, marked, repeatable, and moved as far as was asked."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mebench.errors import UnknownName, UsageError
from mebench.stills.library import still_corpus
from mebench.stills.records import CLASSES, ImageFile
from mebench.synth.action_units import DRAWABLE, DrawnUnit, peak_length, unit_field
from mebench.synth.filming import cast, stage
from mebench.synth.identities import Identity
from mebench.synth.macro import MOST_AMPLITUDE_PX, UNITS, MacroSettings, _planned, write_macro

SETTINGS = MacroSettings("jaffe", "macro", 1, 1, 6.0, 0)


@pytest.fixture(scope="module")
def jaffe(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("macro") / "jaffe"
    write_macro("jaffe", out, subjects=1, seed=4)
    return out


def digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_rendered_jaffe_is_read_and_marked(jaffe):
    table = still_corpus("jaffe").load(jaffe)
    assert table.count() == dict.fromkeys(CLASSES, 3)
    assert table.synthetic is not None
    assert table.synthetic.seed == 4
    picture = table.stills[0].picture
    assert isinstance(picture, ImageFile)
    assert picture.decode(picture.read()).shape == (256, 256)


def test_a_rendered_ck_plus_is_read(tmp_path):
    mark = write_macro("ck-plus", tmp_path / "ck", subjects=1, seed=1)
    table = still_corpus("ck-plus").load(tmp_path / "ck")
    assert len(table) == mark.clips == 6 * (3 + 1)
    assert table.left_out == {"sequences of contempt": 1, "sequences without a label": 1}


def test_the_same_arguments_give_the_same_bytes(jaffe, tmp_path):
    write_macro("jaffe", tmp_path / "again", subjects=1, seed=4)
    assert digests(tmp_path / "again") == digests(jaffe)


@pytest.fixture(scope="module")
def person() -> Identity:
    return cast(SETTINGS, 0)


def test_the_peak_moves_as_far_as_was_asked(person):
    peaks = []
    for number in range(6):
        clip = _planned(SETTINGS, "KA", number, "happiness", 2)
        scene = stage(SETTINGS, clip, person, np.zeros((768, 768), np.float32))
        units = [unit_field(DrawnUnit(n), person.landmarks, SETTINGS.layout.camera) for n in UNITS["happiness"]]
        drawn = scene.strength * peak_length(sum(units[1:], start=units[0]))
        assert drawn == pytest.approx(clip.take.peak_px * SETTINGS.layout.camera.scale, rel=1e-4)
        assert scene.course.tolist() == [0, 1]
        peaks.append(clip.take.peak_px)
    assert 6 / 1.61 < min(peaks) < max(peaks) < 6 * 1.61


@pytest.mark.parametrize("expression", UNITS)
def test_skin_does_not_fold_at_the_strongest(expression, person):
    assert set(UNITS[expression]) <= DRAWABLE
    camera = SETTINGS.layout.camera
    fields = [unit_field(DrawnUnit(n), person.landmarks, camera) for n in UNITS[expression]]
    together = sum(fields[1:], start=fields[0])
    together *= 1.61 * MOST_AMPLITUDE_PX * camera.scale / peak_length(together)
    # A frame is sampled at posed - displacement: it folds where a component grows by more than a pixel per pixel.
    assert np.diff(together[..., 1], axis=0).max() < 0.9
    assert np.diff(together[..., 0], axis=1).max() < 0.9


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"dataset": "fer2013"}, UnknownName),
        ({"subjects": 11}, UsageError),
        ({"subjects": 0}, UsageError),
        ({"amplitude": 0.0}, UsageError),
        ({"amplitude": 7.5}, UsageError),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, kind, tmp_path):
    with pytest.raises(kind):
        write_macro(**{"dataset": "jaffe", "out": tmp_path / "x", **wrong})
    assert not (tmp_path / "x").exists()

"""Inputs as pictures: what is drawn, in which form, and whose face never is."""

import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mebench import preview as previewing
from mebench.cli import status
from mebench.clips import Clip, ClipTable, SyntheticMark
from mebench.errors import DataError, UnknownName, UsageError
from mebench.inputs import sample_of
from mebench.panels import flow_colours, moments_of, sheet
from mebench.preview import preview
from mebench.recipes import parse_recipe
from mebench.store import StoredClip, write_clip
from tests.test_vision_motion import face, no_skin_motion, render, sway, texture

ID = "casme2/sub01/EP02_01f"
FRAMES = 5
MARK = SyntheticMark("mebench.synth/2", "smoke", 0, 1, 1, {})


def clip_of_texture() -> StoredClip:
    frames = render(texture(1), sway(FRAMES, 0.5, 0.1), no_skin_motion, np.zeros(FRAMES))
    return StoredClip(
        clip_id=ID,
        frames=frames,
        numbers=np.arange(46, 46 + FRAMES),
        origin=np.array([0, 0]),
        landmarks=face().astype(np.float32),
        motion=np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
        inliers=np.zeros(FRAMES, np.int64),
        flagged=np.zeros(FRAMES, bool),
        box=np.array([40.0, 60, 200, 220]),
        fps=200.0,
        interval=(46, 50),
        source="s" * 64,
        preparation="p" * 64,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_clip(folder, clip_of_texture())
    return folder


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> ClipTable:
    """A registered corpus of one real person, whose owner permits no print."""
    clip = Clip(ID, "casme2", "casme2/sub01", 46, 48, 50, 200.0, "others")
    table = ClipTable("casme2", "coding-20140508", (clip,))
    monkeypatch.setattr(previewing, "load_registered", lambda home, name: table)
    return table


@pytest.fixture
def rendered(people: ClipTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, of a face that was rendered."""
    monkeypatch.setattr(previewing, "load_registered", lambda home, name: replace(people, synthetic=MARK))


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    "recipe",
    [
        "align(size=64)",
        "crop(size=64)",
        "align(size=64) > onset-apex",
        "align(size=64) > onset-apex > difference",
        "align(size=64) > onset-apex > mix(views=apex+u+v)",
        "align(size=64) > onset-apex > mix(views=difference) > planes",
    ],
)
def test_a_real_face_that_may_not_be_printed_is_never_drawn(home: Path, recipe: str) -> None:
    with pytest.raises(DataError, match="casme2/sub01, which may not be printed"):
        preview(home, "casme2", ID, recipe)


@pytest.mark.usefixtures("people")
def test_the_flow_of_anybody_is_drawn_without_the_face_beside_it(home: Path) -> None:
    found = preview(home, "casme2", "EP02_01f", "align(size=64) > flow(mode=onset-each) > strain")
    assert found.stored == ()
    assert found.record()["face_shown"] is False
    assert len(found.moments) == FRAMES - 1
    assert [panel.label.split(",")[0] for panel in found.moments[0]] == ["1: flow", "1: strain"]


def test_a_subject_on_the_allow_list_is_drawn(home: Path, people: ClipTable, monkeypatch: pytest.MonkeyPatch) -> None:
    class Permitting:
        def may_show(self, subject: str) -> bool:
            return subject == "casme2/sub01"

    monkeypatch.setattr(previewing, "dataset", lambda name: Permitting())
    assert preview(home, "casme2", ID, "align(size=64)").stored


@pytest.mark.usefixtures("rendered")
def test_each_extension_has_its_form(home: Path, tmp_path: Path) -> None:
    found = preview(home, "casme2", ID, "align(size=64) > magnify(phase, factor=4)")
    for suffix in (".png", ".gif", ".mp4"):
        found.write(tmp_path / f"shown{suffix}")
    strip = cv2.imread(str(tmp_path / "shown.png"))
    assert strip.shape[1] >= FRAMES * 192
    with Image.open(tmp_path / "shown.gif") as film:
        assert film.n_frames == FRAMES
    film = cv2.VideoCapture(str(tmp_path / "shown.mp4"))
    pages = [page for ok, page in iter(film.read, (False, None)) if ok]
    assert len(pages) == FRAMES
    assert pages[0].shape[1] > 224 + 192  # as stored and as magnified, side by side


@pytest.mark.usefixtures("rendered")
def test_the_verb_writes_the_picture_and_says_what_it_is(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["preview", "casme2", ID, "--inputs", "align(size=64) > flow", "--home", str(home), "--json"]
    assert status([*asked, "-o", str(tmp_path / "flow.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["shape"], told["synthetic"]) == ("flow", [64, 64, 2], True)
    assert Image.open(io.BytesIO((tmp_path / "flow.png").read_bytes())).size[0] > 192
    assert status([*asked, "-o", str(tmp_path / "flow.bmp")]) == 2


@pytest.mark.usefixtures("rendered")
def test_what_cannot_be_drawn_is_refused(home: Path) -> None:
    with pytest.raises(UnknownName, match="EP99"):
        preview(home, "casme2", "EP99", "align")
    with pytest.raises(UsageError, match="none"):
        preview(home, "casme2", ID, "none")


def test_flow_colours_say_direction_and_length() -> None:
    flow = np.array([[[0, 0], [1, 0], [-1, 0], [0.5, 0], [9, 0]]], np.float32)
    rest, right, left, half, far = flow_colours(flow, 1.0)[0].tolist()
    assert rest == [255, 255, 255]
    assert right == [255, 0, 0]
    assert left == [0, 255, 255]
    assert half == pytest.approx([255, 127, 127], abs=1)
    assert far == right


@pytest.mark.parametrize("recipe", ["align(size=64) > flatten", "align(size=64) > onset", "align(size=64) > tim(4)"])
def test_every_kind_has_pictures(recipe: str) -> None:
    moments = moments_of(parse_recipe(recipe).apply(sample_of(clip_of_texture(), None)))
    image = sheet(moments, "title", "SYNTHETIC")
    assert image.dtype == np.uint8
    assert image.shape[2] == 3
    reds = (image[..., 0] > 150) & (image[..., 1] < 60)
    assert reds[:20].any()  # the warning stands first


def test_a_small_field_is_enlarged_by_whole_factors() -> None:
    sample = parse_recipe("align(size=64) > flow > resize(28)").apply(sample_of(clip_of_texture(), 48))
    ((panel, *_),) = moments_of(sample)
    assert panel.image.shape == (196, 196, 3)

"""Stills in the store and as input: faces found and missing, cached by content, aligned as clips are."""

import cv2
import numpy as np
import pytest

from mebench.errors import DataError, FrameError, ModelError
from mebench.stills.arrays import NO_CHANGE, NO_NEUTRAL, StillRecipe
from mebench.stills.faces import NO_FACE, face_of, fingerprint, store_stills
from mebench.stills.library import still_corpus
from mebench.store import read_clip, stored_ids
from mebench.vision.alignment import EYES_AT
from mebench.vision.faces import dlib_finder
from mebench.vision.points import eye_centres
from tests.macro_corpora import face, write_ck_plus, write_fer2013, write_image

IMAGE = "align(size=96) > grey > onset-apex > magnify(phase, factor=6) > apex > resize(32)"
PAIR = "align(size=96) > grey > onset-apex > magnify(phase, factor=6) > resize(32)"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A home with one grey and one colour sequence in the store, the table, and the digests of its stills."""
    folder = tmp_path_factory.mktemp("stills")
    root = write_ck_plus(folder / "ck", sequences={"001": "anger"}, frames=(1, 2), images=True)
    table = still_corpus("ck-plus").load(root)
    sources, lost = store_stills(folder / "home", "ck-plus", table)
    assert not lost
    return folder / "home", table, sources


def test_a_still_is_stored_once_with_its_landmarks(stored):
    home, table, sources = stored
    assert list(stored_ids(home, "ck-plus")) == [still.id for still in table]
    clip = read_clip(home, "ck-plus/S010/001_00000001")
    assert clip.frames.shape[0] == 1
    assert clip.source == sources["ck-plus/S010/001_00000001"]
    whole = dlib_finder().find(np.ascontiguousarray(face(1)))[0].landmarks
    assert np.allclose(clip.landmarks + clip.origin, whole, atol=0.01)
    colour = read_clip(home, "ck-plus/S011/001_00000001")
    assert colour.frames.shape[-1] == 3


def test_what_did_not_change_is_kept_and_what_did_is_done_again(stored, tmp_path, monkeypatch):
    home, table, sources = stored
    monkeypatch.setattr("mebench.stills.faces.dlib_finder", lambda: pytest.fail("a stored still was looked at again"))
    assert store_stills(home, "ck-plus", table)[0] == sources
    monkeypatch.undo()
    changed = write_ck_plus(tmp_path, ("S010",), sequences={"001": "anger"}, frames=(1, 2), images=True)
    write_image(changed / "cohn-kanade-images/S010/001/S010_001_00000002.png", face(5))
    again, _ = store_stills(home, "ck-plus", still_corpus("ck-plus").load(changed))
    assert again["ck-plus/S010/001_00000001"] == sources["ck-plus/S010/001_00000001"]
    assert again["ck-plus/S010/001_00000002"] != sources["ck-plus/S010/001_00000002"]
    store_stills(home, "ck-plus", table)


def test_an_image_without_a_face_is_counted(tmp_path):
    root = write_ck_plus(tmp_path / "ck", ("S010",), sequences={"001": "anger"}, frames=(1, 2), images=True)
    write_image(root / "cohn-kanade-images/S010/001/S010_001_00000002.png", np.full((200, 200), 90, np.uint8))
    table = still_corpus("ck-plus").load(root)
    sources, lost = store_stills(tmp_path / "home", "ck-plus", table)
    assert list(sources) == ["ck-plus/S010/001_00000001"]
    assert lost == {NO_FACE: 1}
    write_image(root / "cohn-kanade-images/S010/001/S010_001_00000001.png", np.full((200, 200), 90, np.uint8))
    with pytest.raises(DataError, match="no face was found in any of 2 images"):
        store_stills(tmp_path / "home", "ck-plus", table)
    assert not list(stored_ids(tmp_path / "home", "ck-plus"))


def test_a_broken_image_is_named(tmp_path):
    root = write_ck_plus(tmp_path / "ck", ("S010",), sequences={"001": "anger"}, frames=(1, 2))
    with pytest.raises(FrameError, match=r"S010_001_00000001\.png is no whole image"):
        store_stills(tmp_path / "home", "ck-plus", still_corpus("ck-plus").load(root))


def test_the_face_of_a_small_image_is_found_in_an_enlarged_copy():
    small = cv2.resize(face(), (64, 75), interpolation=cv2.INTER_AREA)
    assert not dlib_finder().find(small)
    found = face_of(small)
    assert found is not None
    large = face_of(face())
    assert large is not None
    # The same face at a quarter of its size: eyes within a pixel of a quarter of where they are.
    assert np.abs(eye_centres(found.landmarks) - eye_centres(large.landmarks) / 4).max() < 1


def test_images_of_48_px_pass_through_the_table(tmp_path):
    table = still_corpus("fer2013").load(write_fer2013(tmp_path))
    image = table.stills[0].picture.decode(table.stills[0].picture.read())
    assert image.shape == (48, 48)
    assert store_stills(tmp_path / "home", "fer2013", table)[1] == {}
    assert StillRecipe.of(IMAGE).array(tmp_path / "home", table.stills[0]).shape == (32, 32)


def test_the_fingerprint_follows_what_is_learnt_from(stored):
    _, table, sources = stored
    whole = fingerprint(table, sources)
    assert fingerprint(reversed(table.stills), sources) == whole
    assert fingerprint(table.stills[1:], sources) != whole
    assert fingerprint(table, {**sources, table.stills[0].id: "0" * 64}) != whole


def test_one_image_is_aligned_by_its_own_eyes(stored):
    home, table, _ = stored
    recipe = StillRecipe.of("align(size=96) > grey > onset-apex > apex")
    array = recipe.array(home, table.stills[1])
    assert array.shape == (96, 96)
    assert array.dtype == np.uint8
    large = cv2.resize(array, (384, 384), interpolation=cv2.INTER_CUBIC)
    eyes = eye_centres(dlib_finder().find(large)[0].landmarks)
    assert np.abs((eyes + 0.5) / 384 - np.array(EYES_AT)).max() < 0.02


def test_a_pair_shows_the_neutral_image_first(stored):
    home, table, _ = stored
    single = StillRecipe.of(IMAGE)
    pair = StillRecipe.of(PAIR)
    assert pair.compares
    assert not single.compares
    assert "magnify" not in pair.text
    neutral, peak = (s for s in table if s.subject == "ck-plus/S010")
    made = pair.array(home, peak)
    assert made.shape == (2, 32, 32)
    assert np.array_equal(made[0], single.array(home, neutral))
    assert np.array_equal(made[1], single.array(home, peak))


def test_a_colour_still_beside_a_grey_neutral(stored):
    home, table, _ = stored
    grey_neutral = next(s for s in table if s.subject == "ck-plus/S010" and s.neutral is None)
    colour_peak = next(s for s in table if s.subject == "ck-plus/S011" and s.neutral)
    mixed = type(colour_peak)(colour_peak.id, None, "anger", colour_peak.picture, neutral=grey_neutral.id)
    assert StillRecipe.of(PAIR).array(home, mixed).shape == (2, 32, 32)


def test_what_a_comparing_recipe_cannot_use_is_counted(stored):
    _, table, _ = stored
    lone = [type(s)(s.id, s.subject, s.label, s.picture) for s in table]
    kept, left_out = StillRecipe.of(PAIR).usable([*table, *lone])
    assert len(kept) == 2
    assert left_out == {NO_CHANGE: 4, NO_NEUTRAL: 2}
    assert StillRecipe.of(IMAGE).usable(table)[1] == {}


@pytest.mark.parametrize("recipe", ["none", "crop(size=64) > grey > apex", "align(size=64) > grey > apex > lbp"])
def test_recipes_that_single_images_cannot_feed(recipe):
    with pytest.raises(ModelError, match="cannot be made of single images"):
        StillRecipe.of(recipe)


def test_flow_of_a_pair_comes_channels_first(stored):
    home, table, _ = stored
    recipe = StillRecipe.of("align(size=64) > grey > onset-apex > flow(dis) > resize(28)")
    peak = next(s for s in table if s.neutral)
    assert recipe.compares
    assert recipe.array(home, peak).shape == (2, 28, 28)
    planes = StillRecipe.of("align(size=64) > grey > onset-apex > mix(apex+u+v) > resize(28) > planes")
    assert planes.compares
    assert planes.array(home, peak).shape == (3, 28, 28)

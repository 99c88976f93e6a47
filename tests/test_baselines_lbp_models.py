"""The models of local binary patterns: their recipes, names, maps of the face, presets, and that they learn."""

import numpy as np
import pytest
from sklearn.base import clone

from mebench.baselines.texture.lbp import lbp
from mebench.baselines.texture.lbp_fip import lbp_fip
from mebench.baselines.texture.lbp_mop import lbp_mop
from mebench.baselines.texture.lbp_sip import lbp_sip
from mebench.baselines.texture.lbp_top import lbp_top
from mebench.baselines.texture.models import LbpFip, LbpSip, LbpTop
from mebench.baselines.texture.models_image import LbpApex, LbpMop
from mebench.errors import UsageError
from mebench.recipes import parse_recipe
from tests.test_baselines_models import descriptor, drifting_clip, sample

MODELS = (LbpTop, LbpFip, LbpSip, LbpMop, LbpApex)
CLIPS = {LbpTop: lbp_top, LbpFip: lbp_fip, LbpSip: lbp_sip, LbpMop: lbp_mop}
CHANGED = {
    LbpTop: {"radii": (2, 1, 3), "neighbours": 4, "mapping": "full", "blocks": (3, 4, 2), "planes": ("yt", "xy")},
    LbpFip: {"radii": (2, 1, 3), "neighbours": 6, "style": "overlap-even", "overlap": 0.5, "planes": ("vertices",)},
    LbpSip: {"radii": (2, 1, 3), "blocks": (2, 3), "style": "sub-volume", "parts": ("temporal",)},
    LbpMop: {"radii": (2, 1, 3), "mapping": "riu2", "blocks": (3, 2), "interpolation": "nearest", "planes": ("xt",)},
    LbpApex: {"radii": (2, 1), "mapping": "ri", "blocks": (3, 2), "style": "overlap", "overlap": 0.25},
}


def film(seed: int = 0, shape: tuple[int, ...] = (14, 170, 141, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("model", MODELS)
def test_parameters_are_kept_as_given(model):
    changed = model(size=96, C_grid=(1, 3), kernel="chi2", class_weight=None, random_state=4, **CHANGED[model])
    assert clone(changed).get_params() == changed.get_params()
    shown = changed.get_params()
    assert all(shown[name] == value for name, value in CHANGED[model].items())
    assert model().get_params() != shown


@pytest.mark.parametrize("model", MODELS)
def test_what_is_said_of_a_model_is_said_of_each(model):
    assert (model.fidelity == "D") == ("-like" in model.title)
    assert model.version >= 1
    assert model.selection == "inner"
    assert "doi:10." in model.source
    assert all(text.endswith(".") for text in (*model.deviations, model.cost))
    assert "measured by `python -m benchmarks.descriptors`" in model.cost


@pytest.mark.parametrize("model", MODELS)
def test_the_recipe_makes_a_named_vector_of_a_clip(model):
    for built in (model(), model(**CHANGED[model])):
        recipe = parse_recipe(built.inputs())
        assert recipe.privilege == ("apex" if model is LbpApex else "interval")
        made = recipe.apply(sample(film(), "frames"))
        assert made.kind == "vector"
        assert made.array.shape == built.feature_names_out().shape
        assert np.all(np.isfinite(made.array))


def test_the_middle_frame_leans_on_the_interval_alone():
    assert parse_recipe(LbpApex(peak="middle").inputs()).privilege == "interval"


@pytest.mark.parametrize("model", CLIPS)
def test_parameters_reach_the_descriptor(model):
    volume = film(1, (10, 40, 41))
    found = descriptor(model(**CHANGED[model]).inputs(), sample(volume, "frames"))
    np.testing.assert_array_equal(found, CLIPS[model](volume, **CHANGED[model]))


def test_parameters_reach_the_descriptor_of_the_apex():
    image = film(2, (40, 41))
    found = descriptor(LbpApex(**CHANGED[LbpApex]).inputs(), sample(image, "image"))
    np.testing.assert_array_equal(found, lbp(image, **CHANGED[LbpApex]))


@pytest.mark.parametrize("model", CLIPS)
def test_clips_are_magnified_and_interpolated_on_request_alone(model):
    assert "magnify" not in model().inputs()
    assert "magnify(method=linear, factor=21.0) > tim(frames=12)" in str(
        parse_recipe(model(magnification=21.0, frames=12).inputs())
    )
    assert "tim" not in model(frames=0).inputs()


@pytest.mark.parametrize(
    ("model", "name"),
    [(model, name) for model in MODELS for name in model.presets],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_presets_build_models_whose_recipe_runs(model, name):
    preset = model.presets[name]
    built = model(**preset.parameters)
    assert all(built.get_params()[key] == value for key, value in preset.parameters.items())
    assert built.get_params() != model().get_params()
    made = parse_recipe(built.inputs()).apply(sample(film(3, (20, 170, 141)), "frames"))
    assert made.array.shape == built.feature_names_out().shape
    assert len(preset.source) > 40


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("changed", [False, True])
def test_the_map_of_the_face_holds_each_feature_in_its_block(model, changed):
    built = model(**CHANGED[model]) if changed else model()
    names = built.feature_names_out()
    rows, columns = built.blocks[:2]
    rng = np.random.default_rng(4)
    values = rng.normal(size=len(names))
    face = built.face_map(values)
    assert face.shape == (64, 64)
    assert face.sum() == pytest.approx(values.sum())
    corner = np.char.find(names, f"_r{rows - 1}_c0_") >= 0
    lit = built.face_map(corner.astype(float)) > 0
    assert lit.any()
    # blocks that overlap reach further than an equal share of the face
    reach = 2 if built.overlap else 1
    assert not lit[: 64 - 64 * reach // rows - 2].any()
    assert not lit[:, 64 * reach // columns + 2 :].any()


def test_blocks_drawn_together_fill_the_face_but_its_margin():
    # size 128 at radius 1: one of 128 px on each side is no centre, half a cell of 64.
    face = LbpTop().face_map(np.ones(4425))
    assert np.all(face > 0)
    inner = face[1:-1, 1:-1]
    # 126 px in four blocks of 25 px and one of 26, 177 features each; a cell is four px
    assert inner.max() == pytest.approx(177 / (25 * 25) * 4)
    assert inner.min() == pytest.approx(177 / (26 * 26) * 4)


@pytest.mark.parametrize("model", CLIPS)
def test_motion_is_told_apart_on_unseen_subjects_by_time_alone(model):
    # The upper half drifts a pixel every fourth frame, up or down; what shows in space alone is left out. LBP-SIP looks
    # before and after, not along y: up and down are the same to it, so there the half rests instead.
    only, other = ({"parts": ("temporal",)}, 0) if model is LbpSip else ({"planes": ("yt",)}, -1)
    built = model(blocks=(2, 2), C_grid=(0.1, 10.0), frames=0, **only)
    rng = np.random.default_rng(3)
    X, y, groups = [], [], []
    for subject in range(6):
        texture = rng.integers(0, 256, (80, 80)).astype(float)
        texture = (texture + np.roll(texture, 1, 0) + np.roll(texture, 1, 1) + np.roll(texture, (1, 1), (0, 1))) / 4
        for clip in range(4):
            X.append(
                descriptor(built.inputs(), sample(drifting_clip(rng, texture, other if clip % 2 else 1), "frames"))
            )
            y.append(["up", "other"][clip % 2])
            groups.append(subject)
    X, y, groups = np.stack(X), np.array(y), np.array(groups)
    known = groups < 4
    fitted = clone(built).fit(X[known], y[known], groups=groups[known])
    assert fitted.c_search_ == "inner"
    assert fitted.predict(X[~known]).tolist() == y[~known].tolist()


def test_wrong_parameters_are_told_before_any_clip_is_read():
    for wrong in (LbpTop(planes=("zt",)), LbpSip(parts=()), LbpFip(mapping="u3"), LbpApex(blocks=(5, 5, 1))):
        with pytest.raises(UsageError):
            wrong.feature_names_out()

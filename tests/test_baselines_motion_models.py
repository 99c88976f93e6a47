"""The models on flow, from frames to a prediction for a subject never seen, and what they say of themselves."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone

from mebench.baselines.motion.bi_woof import bi_woof
from mebench.baselines.motion.fdm import fdm
from mebench.baselines.motion.flow_grid import flow_grid
from mebench.baselines.motion.hoof import hoof
from mebench.baselines.motion.models import Fdm, Hoof, Mdmo
from mebench.baselines.motion.models_apex import BiWoof, FlowSvm
from mebench.errors import DataError
from mebench.plugins import Preset, parameter_defaults
from mebench.recipes import Sample, parse_recipe
from mebench.vision.strain import strain as optical_strain
from tests.test_baselines_mdmo import face

MODELS = (Mdmo, Hoof, Fdm, BiWoof, FlowSvm)
ON_APEX = (BiWoof, FlowSvm)
SIDE = 141


def sample(array: np.ndarray, kind: str, channels: tuple[str, ...] = ()) -> Sample:
    still = np.tile(np.eye(2, 3), (len(array), 1, 1))
    box = np.array([0.0, 0, SIDE, SIDE])
    apex = min(3, len(array) - 1)
    return Sample(array, kind, face().astype(np.float32), still, box, fps=200, apex_index=apex, channels=channels)


def descriptor(recipe: str, given: Sample) -> np.ndarray:
    """What the last step of a recipe makes of what it is given."""
    bound = parse_recipe(recipe).steps[-1]
    made = bound.step.apply(given, **bound.parameters)
    assert (made.kind, made.channels) == ("vector", ())
    return made.array


@pytest.mark.parametrize("model", MODELS)
def test_parameters_are_kept_as_given(model):
    changed = model(size=96, method="tvl1", kernel="poly", C_grid=(1, 3), class_weight=None, random_state=4)
    assert clone(changed).get_params() == changed.get_params()
    assert changed.inputs() != model().inputs()


@pytest.mark.parametrize("model", MODELS)
def test_a_recipe_turns_frames_into_as_many_values_as_have_names(model):
    recipe = parse_recipe(model().inputs())
    assert recipe.privilege == ("apex" if model in ON_APEX else "interval")
    frames = np.random.default_rng(5).integers(0, 256, (7, 170, SIDE, 3), dtype=np.uint8)
    made = recipe.apply(sample(frames, "frames"))
    assert made.array.dtype == np.float32
    assert made.array.shape == model().feature_names_out().shape
    assert np.all(np.isfinite(made.array))
    assert made.array.any()


@pytest.mark.parametrize("model", MODELS)
def test_two_frames_are_enough_but_one_is_named(model):
    frames = np.random.default_rng(6).integers(0, 256, (2, 170, SIDE), dtype=np.uint8)
    given = {"frames": 0, "spans": 1} if model is Fdm else {}
    recipe = parse_recipe(model(**given).inputs())
    assert recipe.apply(sample(frames, "frames")).array.shape == model(**given).feature_names_out().shape
    alone = sample(frames[:1], "frames")
    if model in ON_APEX:  # onset and apex are the same image: nothing moves
        assert not recipe.apply(alone).array.any()
    else:
        with pytest.raises(DataError, match="One frame alone"):
            parse_recipe(model(**{**given, "frames": 0}).inputs()).apply(alone)


@pytest.mark.parametrize("model", MODELS)
def test_importance_is_drawn_with_its_sum_on_the_face(model):
    built = model()
    values = np.random.default_rng(7).uniform(0, 1, len(built.feature_names_out()))
    drawn = built.face_map(values)
    assert drawn.shape == (64, 64)
    assert drawn.dtype == np.float64
    assert drawn.sum() == pytest.approx(values.sum())
    with pytest.raises(DataError, match="do not belong"):
        built.face_map(values[:-1])


@pytest.mark.parametrize(
    ("model", "name", "rows", "columns"),
    [
        (Mdmo(), "region0_rho", slice(0, 22), slice(8, 26)),  # the outer left brow
        (Mdmo(), "region25_theta", slice(46, 64), slice(18, 40)),  # under the lower lip
        (Hoof(), "t0_r4_c0_3", slice(51, 64), slice(0, 13)),
        (Hoof(spans=2), "t1_r0_c4_3", slice(0, 13), slice(51, 64)),
        (Fdm(), "t3_r1_c7_v", slice(8, 16), slice(56, 64)),
        (BiWoof(), "r2_c2_0", slice(25, 39), slice(25, 39)),
        (FlowSvm(), "r15_c0_u", slice(60, 64), slice(0, 4)),
        (FlowSvm(directions=("v",), cells=8), "r0_c1_v", slice(0, 8), slice(8, 16)),
    ],
    ids=str,
)
def test_importance_of_a_feature_lies_where_it_is_measured(model, name, rows, columns):
    drawn = model.face_map((model.feature_names_out() == name).astype(float))
    assert drawn.sum() == pytest.approx(1)
    assert drawn[rows, columns].sum() == pytest.approx(1)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_says_what_it_is(model):
    assert model.fidelity in ("C", "D", None)
    assert (model.fidelity == "D") == ("-like" in model.title)
    assert model.selection == "inner"
    assert "one core" in model.cost
    assert model.source
    assert all(said.endswith(".") for said in model.deviations)
    assert model.fidelity is None or model.deviations


@pytest.mark.parametrize("model", MODELS)
def test_presets_set_parameters_the_model_has_and_give_a_recipe(model):
    for preset in model.presets.values():
        assert isinstance(preset, Preset)
        assert set(preset.parameters) <= set(parameter_defaults(model))
        assert parse_recipe(model(**preset.parameters).inputs()).gives == "vector"


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_of_the_descriptor_is_one_of_the_model(model):
    step = parse_recipe(model().inputs()).steps[-1].step
    theirs = set(inspect.signature(step.apply).parameters) - {"sample"}
    assert theirs - set(parameter_defaults(model)) <= {"align"}  # Mdmo has it as refine


def flow_sample(seed: int, frames: int = 6) -> tuple[np.ndarray, Sample]:
    flow = np.random.default_rng(seed).normal(0, 1, (frames, 60, 50, 2)).astype(np.float32)
    return flow, sample(flow, "flow", ("u", "v"))


def test_parameters_reach_the_descriptors():
    flow, given = flow_sample(0)
    settings = {"bins": 6, "blocks": (2, 3), "spans": 2, "directions": (1, 5)}
    np.testing.assert_array_equal(descriptor(Hoof(**settings).inputs(), given), hoof(flow, **settings))
    settings = {"blocks": (2, 3), "spans": 2, "still_px": 0.0, "directions": ("v",)}
    np.testing.assert_array_equal(descriptor(Fdm(**settings).inputs(), given), fdm(flow, **settings))
    settings = {"cells": 9, "directions": ("v", "u")}
    single = sample(flow[0], "flow", ("u", "v"))
    np.testing.assert_array_equal(descriptor(FlowSvm(**settings).inputs(), single), flow_grid(flow[0], **settings))


def test_recipes_say_how_flow_is_made():
    assert "tim(12) > flow(method=tvl1, mode=onset-each)" in Mdmo(frames=12, method="tvl1").inputs()
    assert "mode=onset-each" in Hoof().inputs()
    assert "mode=consecutive" in Fdm().inputs()
    assert "tim" not in Hoof(frames=0).inputs()
    assert "mode=onset-apex) > strain(scheme=backward) > trim" in BiWoof(strain="backward").inputs()
    assert "align=false" in Mdmo(refine=False).inputs()


@pytest.mark.parametrize("reading", ["paper", "released"])
def test_bi_woof_reads_its_channels_wherever_they_stand(reading):
    flow = np.random.default_rng(1).normal(0, 1, (60, 50, 2)).astype(np.float32)
    strain = optical_strain(flow)
    settings = {"reading": reading, "blocks": (4, 3), "directions": (0, 7, 6)}
    shuffled = sample(np.stack([strain, flow[..., 1], flow[..., 0]], axis=-1), "flow", ("strain", "v", "u"))
    found = descriptor(BiWoof(**settings).inputs(), shuffled)
    np.testing.assert_array_equal(found, bi_woof(flow, strain, **settings))
    with pytest.raises(DataError, match="got flow fields u, v"):
        descriptor(BiWoof().inputs(), sample(flow, "flow", ("u", "v")))


@pytest.mark.parametrize("model", [Hoof, Fdm, BiWoof, FlowSvm])
def test_moving_regions_are_told_apart_on_unseen_subjects(model):
    rng = np.random.default_rng(4)
    built = model(C_grid=(1.0, 100.0))
    X, y, groups = [], [], []
    for subject in range(6):
        for kind, rows in (("brow", slice(15, 50)), ("mouth", slice(120, 150))):
            for _ in range(2):
                X.append(descriptor(built.inputs(), self_made(rng, model, rows)))
                y.append(kind)
                groups.append(subject)
    X, y, groups = np.stack(X), np.array(y), np.array(groups)
    known = groups < 4
    fitted = clone(built).fit(X[known], y[known], groups=groups[known])
    assert fitted.c_search_ == "inner"
    assert fitted.predict(X[~known]).tolist() == y[~known].tolist()


def self_made(rng: np.random.Generator, model: type, rows: slice) -> Sample:
    """Noisy flow whose rows move up by .5 to 2 px, and its strain where the model wants it."""
    flow = rng.normal(0, 0.3, (4, 170, SIDE, 2)).astype(np.float32)
    flow[:, rows, :, 1] -= rng.uniform(0.5, 2)
    if model not in ON_APEX:
        return sample(flow, "flow", ("u", "v"))
    strain = optical_strain(flow[0])[..., None]
    return sample(np.concatenate([flow[0], strain], axis=-1), "flow", ("u", "v", "strain"))
